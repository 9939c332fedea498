-- What wrk posts: one alert a request that no other request has, a hundred of them, or always the same. BENCH_… say which, and to which
-- ports: each thread has one of them.

local kind, size, round = os.getenv("BENCH_KIND"), tonumber(os.getenv("BENCH_SIZE")), os.getenv("BENCH_ROUND")
local threads, ports = 0, {}
for port in os.getenv("BENCH_PORTS"):gmatch("%d+") do
    ports[#ports + 1] = port
end

function setup(thread)
    thread:set("id", threads)
    thread.addr = wrk.lookup("127.0.0.1", ports[threads % #ports + 1])[1]
    threads = threads + 1
end

local function alert(name)
    return '{"labels":{"alertname":"DiskFull","severity":"critical","job":"node","instance":"' .. name
        .. '"},"annotations":{"summary":"the disk of ' .. name .. ' is full"},"generatorURL":"http://prometheus.example/graph?g0"}'
end

local sent, same = 0, nil

function init()
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY")
    same = wrk.format(nil, nil, nil, "[" .. alert("db-1") .. "]")
end

function request()
    if kind == "same" then
        return same
    end
    local alerts = {}
    for n = 1, size do
        sent = sent + 1
        alerts[n] = alert("host-" .. round .. "-" .. id .. "-" .. sent)
    end
    return wrk.format(nil, nil, nil, "[" .. table.concat(alerts, ",") .. "]")
end

-- One line that a program reads. A status that is no 200 counts as an error; so does what was never answered.
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format('BENCH {"requests":%d,"took_us":%d,"p50_us":%d,"p99_us":%d,"max_us":%d,"errors":%d}\n', summary.requests,
        summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
