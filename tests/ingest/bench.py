"""Reveille beside Prometheus Alertmanager: the same loads, one server after the other, several rounds, and a table of ratios.

Every load goes to loopback and stops by itself. Alertmanager keeps alerts in memory; Reveille answers when they are on the disk.
"""

import argparse
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import threading
import time
import urllib.request

from plot import lines
from servers import KEY, Alertmanager, Reveille, Sink

HERE = os.path.dirname(os.path.abspath(__file__))
STORM = 20_000
OPEN = 100_000
GROWTH = (10_000, 100_000, 1_000_000)
# In so many incidents.
GROUPS = 10
LISTS = ("/api/v1/alerts?limit=50", "/api/v1/incidents?limit=50", "/api/v1/incidents/1/alerts?limit=50", "/api/v1/incidents/1")


def alert(name, kind="DiskFull"):
    return {
        "labels": {"alertname": kind, "severity": "critical", "job": "node", "instance": name},
        "annotations": {"summary": f"the disk of {name} is full"},
        "generatorURL": "http://prometheus.example/graph?g0",
    }


class Connection:
    """One that stays open. Nothing but posts and their status: the client must cost less than what it measures."""

    def __init__(self, server, key=KEY):
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"POST {server.posts} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"

    def post(self, alerts):
        body = json.dumps(alerts).encode()
        self.socket.sendall(f"{self.head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(rest) < int(length.group(1)):
            rest += self.receive()
        if b" 200 " not in head[:20]:
            raise AssertionError(f"a post was refused: {answer[:300]!r}")

    def receive(self):
        got = self.socket.recv(65536)
        if not got:
            raise AssertionError("the server hung up")
        return got

    def close(self):
        self.socket.close()


class Bench:
    def __init__(self, options):
        self.options = options
        self.sink = Sink()
        self.rows = []

    def alertmanager(self, **how):
        return Alertmanager(self.options.target, self.sink, **how)

    def reveille(self, **how):
        return Reveille(self.options.target, self.options.reveille, self.sink, **how)

    def both(self):
        yield "alertmanager", self.alertmanager
        yield "reveille", self.reveille

    def row(self, load, what, theirs, ours, unit, wanted="", higher=False):
        """One line of the table. `higher`: whether more is better."""
        ratio = None if not theirs else (ours / theirs)
        self.rows.append({"load": load, "what": what, "theirs": theirs, "ours": ours, "unit": unit, "ratio": ratio, "wanted": wanted})
        said = "" if ratio is None else f"  {ratio:.2f} ×"
        better = "more" if higher else "less"
        print(f"    {what}: Alertmanager {show(theirs)}, Reveille {show(ours)} {unit}{said} ({better} is better; wanted: {wanted})", flush=True)

    # Rates: wrk posts as fast as it is answered.

    def rates(self, name, kind, connections, size=1, rate="", p99=""):
        print(f"{name}:", flush=True)
        got = {"alertmanager": [], "reveille": []}
        for turn in range(self.options.rounds):
            for who, make in self.both():
                with make() as server:
                    server.start()
                    if kind == "same":
                        self.wrk(server, kind, connections, size, turn, 1)
                    before = server.processor_s()
                    round_ = self.wrk(server, kind, connections, size, turn, self.options.seconds)
                    round_["cpu_us"] = (server.processor_s() - before) * 1e6 / round_["requests"]
                    if who == "reveille":
                        round_["settled_s"] = server.settles()
                        round_["all_us"] = (server.processor_s() - before) * 1e6 / round_["requests"]
                    got[who].append(round_)
                    extra = "".join(f", {key} {value:.1f}" for key, value in round_.items() if key in ("cpu_us", "all_us", "settled_s"))
                    print(f"  {who}: {round_['rate']:.0f} alerts/s, p50 {round_['p50_us']/1e3:.2f} ms, p99 {round_['p99_us']/1e3:.2f} ms{extra}", flush=True)
                    self.nothing_lost(server, kind, who, round_)
        middle = lambda who, key: statistics.median(round_[key] for round_ in got[who])
        self.row(name, "alerts a second", middle("alertmanager", "rate"), middle("reveille", "rate"), "/s", rate, higher=True)
        self.row(name, "p99", middle("alertmanager", "p99_us") / 1e3, middle("reveille", "p99_us") / 1e3, "ms", p99)

    def wrk(self, server, kind, connections, size, turn, seconds):
        environment = os.environ | {"BENCH_KIND": kind, "BENCH_SIZE": str(size), "BENCH_ROUND": str(turn), "BENCH_KEY": KEY}
        command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", f"{HERE}/post.lua", server.url + server.posts]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        round_ = json.loads(re.search(r"^BENCH (.*)$", said, re.M).group(1))
        if round_["errors"]:
            raise AssertionError(f"{server.name} refused {round_['errors']} posts:\n{said}")
        round_["rate"] = round_["requests"] * size / (round_["took_us"] / 1e6)
        return round_

    def nothing_lost(self, server, kind, who, round_):
        if who != "reveille":
            return
        counted = server.metric("reveille_signals_total\\{.*accepted.*")
        if counted < round_["requests"]:
            raise AssertionError(f"{round_['requests']} posts were answered, and {counted:.0f} signals decided")

    # From a post to the request at whoever is told.

    def latency(self):
        print("post -> request at the provider, idle:", flush=True)
        took = {}
        posts = self.options.posts
        for who, make in (("alertmanager", lambda: self.alertmanager(one_group=False)), ("reveille", lambda: self.reveille(people=posts + 5))):
            with make() as server:
                server.start()
                spans = []
                for n in range(posts + 5):
                    key = KEY if n == 0 else f"{KEY[:-5]}{n:05}"
                    connection = Connection(server, key)
                    heard = len(self.sink.heard)
                    began = time.monotonic()
                    connection.post([alert(f"{who}-{n}", f"Kind{n}")])
                    at = self.sink.until(lambda calls: len(calls) > heard)[heard][0]
                    connection.close()
                    # The first ones warm connections and statements up.
                    if n >= 5:
                        spans.append((at - began) * 1e3)
                    time.sleep(0.02)
                took[who] = sorted(spans)
        for name, share, wanted in (("p50", 0.5, "≤ 5 ms"), ("p99", 0.99, "≤ 20 ms")):
            at = lambda who: took[who][min(len(took[who]) - 1, int(len(took[who]) * share))]
            self.row("post → request at the provider, idle", name, at("alertmanager"), at("reveille"), "ms", wanted)

    # A storm of one cause.

    def storm(self):
        print(f"storm of {STORM} distinct alerts of one cause:", flush=True)
        firsts, totals = {}, {}
        for who, make in self.both():
            with make() as server:
                server.start()
                token = server.token() if who == "reveille" else None
                heard = len(self.sink.heard)
                began = time.monotonic()
                poster = threading.Thread(target=self.flood, args=(server, STORM))
                poster.start()
                firsts[who] = (self.sink.until(lambda calls: len(calls) > heard)[heard][0] - began) * 1e3
                if who == "reveille":
                    totals[who] = self.counted(server, token, STORM) - began
                    poster.join()
                    calls = len(self.sink.heard) - heard
                    print(f"  {calls} call(s)", flush=True)
                    if calls != 1:
                        raise AssertionError(f"one call was to be made, not {calls}")
                else:
                    poster.join()
                    totals[who] = None
        self.row("storm of 20,000", "first call", firsts["alertmanager"], firsts["reveille"], "ms", "≤ 50 ms, one call")
        self.row("storm of 20,000", "total known on the incident", totals["alertmanager"], totals["reveille"], "s", "≤ 2 s")

    def flood(self, server, count, size=100, connections=4, key=KEY, first=0):
        """Posts `count` distinct alerts, in parts."""
        parts = [range(at, min(at + size, first + count)) for at in range(first, first + count, size)]
        bodies = [[alert(f"host-{n}") for n in part] for part in parts]

        def post(mine):
            connection = Connection(server, key)
            for body in mine:
                connection.post(body)
            connection.close()

        threads = [threading.Thread(target=post, args=(bodies[n::connections],)) for n in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def counted(self, server, token, count):
        request = urllib.request.Request(f"{server.url}/api/v1/incidents?limit=1", headers={"Authorization": f"Bearer {token}"})
        while True:
            with urllib.request.urlopen(request, timeout=60) as answer:
                items = json.load(answer)["items"]
            if items and items[0]["alerts_count"] >= count:
                return time.monotonic()
            time.sleep(0.01)

    # What it holds, and how it comes back.

    def open_alerts(self):
        print(f"{OPEN} open alerts:", flush=True)
        held = {}
        for who, make in self.both():
            with make() as server:
                server.start()
                began = time.monotonic()
                self.flood(server, OPEN)
                posted = time.monotonic() - began
                if who == "reveille":
                    print(f"  posted in {posted:.1f} s, settled {server.settles():.1f} s later", flush=True)
                held[who] = server.resident_mib()
                if who == "reveille":
                    server.stop(9)
                    restart = server.start()
                    connection = Connection(server)
                    before = time.monotonic()
                    connection.post([alert("host-1")])
                    restart += time.monotonic() - before
        self.row("100,000 open alerts", "memory", held["alertmanager"], held["reveille"], "MiB", "≤ 100 MiB")
        self.row("100,000 open alerts", "kill -9, start, first answer", None, restart, "s", "≤ 2 s")

    # Beside a flood, a quiet key.

    def beside(self):
        print("100,000 alerts within 60 s beside a quiet key:", flush=True)
        quiet = 100
        with self.reveille(people=2 * quiet + 1) as server:
            server.start()

            def posts(first):
                answered, called = [], []
                for n in range(first, first + quiet):
                    connection = Connection(server, f"{KEY[:-5]}{n:05}")
                    number = f"%2B3360000{n:04}".encode()
                    began = time.monotonic()
                    connection.post([alert(f"quiet-{n}")])
                    answered.append((time.monotonic() - began) * 1e3)
                    mine = lambda calls: [at for at, body in calls if number in body]
                    called.append((mine(self.sink.until(mine))[0] - began) * 1e3)
                    connection.close()
                    time.sleep(max(0, 0.55 - (time.monotonic() - began)))
                return sorted(answered), sorted(called)

            idle, _ = posts(1)
            stop, sent = threading.Event(), [0]

            def flood():
                connection = Connection(server)
                began = time.monotonic()
                while not stop.is_set() and sent[0] < OPEN:
                    connection.post([alert(f"host-{sent[0] + n}") for n in range(10)])
                    sent[0] += 10
                    time.sleep(max(0, began + 60 * sent[0] / OPEN - time.monotonic()))
                connection.close()

            flooding = threading.Thread(target=flood)
            began = time.monotonic()
            flooding.start()
            answered, called = posts(1 + quiet)
            flooding.join()
            took = time.monotonic() - began
            lag = server.settles()
            counted = server.metric("reveille_signals_total\\{.*accepted.*")
        print(f"  {sent[0]} in {took:.0f} s, journal empty {lag:.1f} s later, {counted:.0f} decided", flush=True)
        if counted < sent[0] + 2 * quiet:
            raise AssertionError("something was lost")
        load, p99 = "100,000 alerts in 60 s beside a quiet key", lambda spans: spans[int(len(spans) * 0.99)]
        self.row(load, "quiet key's p99, idle", None, p99(idle), "ms")
        self.row(load, "quiet key's p99, beside it", None, p99(answered), "ms", "≤ 1.2 × idle, or ≤ 50 ms")
        self.row(load, "first page p99", None, p99(called), "ms", "< 2,000 ms")

    # One body of Alertmanager's with 20,000 alerts.

    def group(self):
        print("20,000 alerts in one body, beside another key:", flush=True)
        words = "The node has been unreachable for more than five minutes and its pods are being moved elsewhere. " * 8
        body = [alert(f"group-{n:05}") for n in range(STORM)]
        for one in body:
            one["annotations"] = {"summary": one["labels"]["instance"] if "instance" in one["labels"] else "down", "description": words}
        answered, decided, idle, beside = [], [], [], []
        for _ in range(self.options.rounds):
            with self.reveille(people=3) as server:
                server.start()
                other = Connection(server, f"{KEY[:-5]}{1:05}")

                def one(n):
                    began = time.monotonic()
                    other.post([alert(f"beside-{n}")])
                    return (time.monotonic() - began) * 1e3

                alone = sorted(one(n) for n in range(100))
                idle.append(alone[98])
                done = threading.Event()
                began = time.monotonic()

                def post():
                    connection = Connection(server)
                    connection.post(body)
                    answered.append(time.monotonic() - began)
                    connection.close()
                    done.set()

                posting = threading.Thread(target=post)
                posting.start()
                spans = []
                while not done.is_set() or len(spans) < 100:
                    spans.append(one(100 + len(spans)))
                beside.append(sorted(spans)[int(len(spans) * 0.99)])
                posting.join()
                server.settles()
                decided.append(time.monotonic() - began)
                other.close()
                counted = server.metric("reveille_signals_total\\{.*accepted.*")
                if counted < STORM:
                    raise AssertionError(f"only {counted:.0f} of {STORM} were decided")
        load = f"{STORM:,} alerts in one body of {len(json.dumps(body)) / 1e6:.0f} MB"
        self.row(load, "answered 202", None, statistics.median(answered), "s", "≤ 2 s")
        self.row(load, "all decided", None, statistics.median(decided), "s", "≤ 2 s")
        self.row(load, "another key's p99, idle", None, statistics.median(idle), "ms")
        self.row(load, "another key's p99, beside it", None, statistics.median(beside), "ms", "≤ 50 ms")

    # With much in the store already.

    def growth(self):
        print("growth:", flush=True)
        found = []
        with self.reveille(people=GROUPS) as server:
            server.start()
            token, held = server.token(), 0
            for size in GROWTH:
                began = time.monotonic()
                # What was posted to measure the size before counts.
                there = server.metric("reveille_signals_total\\{.*accepted.*")
                per_key = max(0, int(size - there)) // GROUPS
                for n in range(GROUPS):
                    key = KEY if n == 0 else f"{KEY[:-5]}{n:05}"
                    self.flood(server, per_key, first=held, key=key)
                held += per_key
                server.settles()
                filled = time.monotonic() - began
                round_ = self.wrk(server, "distinct", 16, 1, f"{size}", 2)
                lag = server.settles()
                lists = {path: self.asks(server, token, path) for path in LISTS}
                size_mib = sum(os.stat(f"{server.folder}/{name}").st_size for name in os.listdir(server.folder) if name.startswith("reveille.db")) / 2**20
                memory = server.resident_mib()
                server.stop(9)
                restart = server.start()
                row = {"alerts": size, "fill_s": filled, "rate": round_["rate"], "fold": round_["requests"] / (2 + lag), "restart": restart, "memory": memory, "disk": size_mib, **lists}
                found.append(row)
                said = ", ".join(f"{name} {value:.2f}" for name, value in row.items() if name != "alerts")
                print(f"  {size:,}: {said}", flush=True)
        print("\n| alerts | intake /s | decided /s | " + " | ".join(f"`{path}` ms" for path in LISTS) + " | restart s | memory MiB | disk MiB |")
        print("|" + "---|" * (6 + len(LISTS)))
        for row in found:
            lists = " | ".join(f"{row[path]:.1f}" for path in LISTS)
            print(f"| {row['alerts']:,} | {row['rate']:,.0f} | {row['fold']:,.0f} | {lists} | {row['restart']:.2f} | {row['memory']:.0f} | {row['disk']:,.0f} |")
        if self.options.plot:
            of = lambda name: [(row["alerts"], row[name]) for row in found]
            series = {"intake, alerts a second": of("rate"), "alerts decided a second": of("fold"), "list of alerts, ms": of(LISTS[0]), "restart, s": of("restart")}
            lines(self.options.plot, "With more and more alerts in the store", "alerts", series, logarithmic=True)

    def asks(self, server, token, path):
        """The median time of one list, milliseconds."""
        spans = []
        for _ in range(30):
            request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {token}"})
            began = time.monotonic()
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
            spans.append((time.monotonic() - began) * 1e3)
        return statistics.median(spans)

    def table(self):
        if not self.rows:
            return
        version = self.reveille().version()
        print(f"\nOn {machine()}; Reveille {version}, Alertmanager {Alertmanager.version()}, {wrk_version()};")
        print(f"{self.options.rounds} rounds of {self.options.seconds} s, one server after the other; medians.\n")
        print("| load | | Alertmanager | Reveille | ratio | wanted |\n|---|---|---|---|---|---|")
        for row in self.rows:
            ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f} ×"
            unit = row["unit"]
            print(f"| {row['load']} | {row['what']} | {show(row['theirs'])} {unit if row['theirs'] else ''} | {show(row['ours'])} {unit} | {ratio} | {row['wanted']} |")


def show(figure):
    if figure is None:
        return "–"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2f}"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    return f"{os.cpu_count()} × {model.group(1) if model else platform.machine()}, Linux {platform.release()}"


def wrk_version():
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2])


LOADS = {
    "one": lambda bench: bench.rates("one distinct alert per request, 16 connections", "distinct", 16, rate="≥ 0.8 ×, aim 1.2 ×"),
    "many": lambda bench: bench.rates("the same at 128 connections", "distinct", 128, rate="≥ 1 ×, aim 1.5 ×", p99="< 1 ×"),
    "same": lambda bench: bench.rates("the same alert again and again, 16 connections", "same", 16, rate="≥ 1 ×, aim 2 ×"),
    "hundred": lambda bench: bench.rates(
        "100 distinct alerts per request, 16 connections", "distinct", 16, size=100, rate="≥ 1 ×", p99="< 1 ×"
    ),
    "latency": Bench.latency,
    "storm": Bench.storm,
    "group": Bench.group,
    "open": Bench.open_alerts,
    "beside": Bench.beside,
    "growth": Bench.growth,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loads", nargs="*", metavar="LOAD", help=f"which, of {', '.join(LOADS)}; all unless said, but for the growth, which takes a quarter of an hour")
    parser.add_argument("--rounds", type=int, default=3, help="how often each server has its turn (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=8, help="how long a rate is measured (default: %(default)s)")
    parser.add_argument("--posts", type=int, default=200, help="posts for the latency (default: %(default)s)")
    parser.add_argument("--plot", help="where to draw the growth, as SVG")
    parser.add_argument("--reveille", required=True, help="the binary")
    parser.add_argument("--target", required=True, help="a folder on a disk")
    options = parser.parse_args()
    # Each server runs in a folder of its own.
    options.reveille, options.target = os.path.abspath(options.reveille), os.path.abspath(options.target)
    unknown = [load for load in options.loads if load not in LOADS]
    if unknown:
        parser.error(f"there is no load {unknown[0]}; there are {', '.join(LOADS)}")
    bench = Bench(options)
    for load in options.loads or [load for load in LOADS if load != "growth"]:
        LOADS[load](bench)
    bench.table()


if __name__ == "__main__":
    main()
