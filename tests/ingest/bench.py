"""Reveille beside Prometheus Alertmanager: the same loads, one server after the other, several rounds, and a table of ratios.

Every load goes to loopback and stops by itself. Alertmanager keeps alerts in memory; Reveille answers when they are on the disk: in
SQLite, in PostgreSQL, and in PostgreSQL as two replicas among whom the connections are shared. PostgreSQL is a private one with fsync,
synchronous_commit and full_page_writes on; what it does for each post and each page is a table of its own.

loads:
"""

import contextlib
import json
import signal
import statistics
import threading
import time

from servers import Alertmanager, Postgres, Reveille, Sink, key_of, version_of
from traffic import Connection, alert, at_share, bodies, flood, machine, show, parser_of, text, wrk, wrk_version

STORM = 20_000
OPEN = 100_000
COLUMNS = {"alertmanager": "Alertmanager", "sqlite": "SQLite", "postgres": "PostgreSQL", "replicas": "PostgreSQL, 2 replicas"}
PAGE_BYTES = 8192
# Posts before the clock runs, which warm connections and statements up.
WARM = 5


class Wanted:
    """What a figure has to reach; `aim`: and what would be better still."""

    def __init__(self, words, met, aim=None):
        self.words, self.met, self.aim = words, met, aim

    def mark(self, ours, theirs):
        if not self.met(ours, theirs):
            return " ✗"
        return " ✓✓" if self.aim and self.aim(ours, theirs) else " ✓"


def times(least, aim=None):
    """So many times the peer's rate."""
    words = f"≥ {least:g} ×" + (f", aim {aim:g} ×" if aim else "")
    of = lambda share: lambda ours, theirs: theirs is None or ours >= share * theirs
    return Wanted(words, of(least), of(aim) if aim else None)


LOWER = Wanted("< 1 ×", lambda ours, theirs: theirs is None or ours < theirs)


def most(limit, unit):
    return Wanted(f"≤ {limit:,} {unit}", lambda ours, _: ours <= limit)


def group_of(count):
    """A notification as Alertmanager sends it, of so many alerts."""
    words = "The node has been unreachable for more than five minutes and its pods are being moved elsewhere. " * 7
    common = {"alertname": "NodeDown", "severity": "critical", "job": "node"}
    alerts = [
        {
            "status": "firing",
            "labels": common | {"instance": f"group-{n:05}"},
            "annotations": {"summary": f"group-{n:05} is down", "description": words},
            "startsAt": "2026-01-05T03:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph?g0",
            "fingerprint": f"{n:016x}",
        }
        for n in range(count)
    ]
    head = {"version": "4", "groupKey": '{}:{alertname="NodeDown"}', "receiver": "reveille", "status": "firing", "truncatedAlerts": 0}
    return text(head | {"externalURL": "http://alertmanager.example", "groupLabels": {}, "commonLabels": common, "commonAnnotations": {}, "alerts": alerts})


class Bench:
    def __init__(self, options, postgres):
        self.options, self.postgres = options, postgres
        self.sink = Sink()
        self.rows, self.works = [], []

    def make(self, column, one_group=True, **how):
        if column == "alertmanager":
            return Alertmanager(self.options.target, self.sink, one_group)
        if column != "sqlite":
            how |= {"postgres": self.postgres, "replicas": 2 if column == "replicas" else 1}
        return Reveille(self.options.target, self.options.reveille, self.sink, **how)

    def columns(self, *without):
        return [column for column in self.options.columns if column not in without]

    def row(self, load, what, figures, wanted=None, against=None):
        """One line of the table: a figure for each column, to be judged by Alertmanager's, or by each column's own in `against`."""
        self.rows.append((load, what, figures, wanted, against))
        cells = (f"{COLUMNS[column]} {self.cell(column, figures, wanted, against)}" for column in figures)
        print(f"    {what}: {'; '.join(cells)}{f'  (wanted: {wanted.words})' if wanted else ''}", flush=True)

    @staticmethod
    def cell(column, figures, wanted, against):
        ours, theirs = figures.get(column), figures.get("alertmanager")
        if ours is None or column == "alertmanager":
            return show(ours)
        ratio = f" = {ours / theirs:.2f} ×" if theirs else ""
        return f"{show(ours)}{ratio}{wanted.mark(ours, against[column] if against else theirs) if wanted else ''}"

    # Rates: wrk posts as fast as it is answered.

    def rates(self, load, kind, connections, size=1, rate=None, p99=None):
        print(f"{load}:", flush=True)
        # A hundred in each leave much to be decided, which the last round waits for.
        seconds = self.options.seconds if size == 1 else max(1, self.options.seconds // 2)
        got = {column: [] for column in self.columns()}
        for turn in range(self.options.rounds):
            for column in self.columns():
                with self.make(column) as server:
                    server.start()
                    if kind == "same":
                        wrk(server, kind, connections, size, turn, 1)
                    got[column].append(self.round(load, server, column, (kind, connections, size, turn, seconds)))
        middle = lambda key, scale=1: {column: statistics.median(found[key] for found in rounds) / scale for column, rounds in got.items()}
        self.row(load, "alerts /s", middle("rate"), rate)
        self.row(load, "p99, ms", middle("p99_us", 1e3), p99)

    def round(self, load, server, column, how):
        """One server's turn. After the last, all that was answered is waited for and counted: none may be missing."""
        _, _, size, turn, _ = how
        last, in_postgres = turn == self.options.rounds - 1, column in ("postgres", "replicas")
        began, before = server.processor_s(), self.postgres.begin() if in_postgres else None
        found = wrk(server, *how)
        said = f", {(server.processor_s() - began) * 1e6 / found['requests']:.0f} µs of processor a post"
        if in_postgres:
            meanwhile = self.postgres.work()
            said += f" and {(self.postgres.processor_s() - before['processor_s']) * 1e6 / found['requests']:.0f} of PostgreSQL's"
        if last and server.reveille:
            said += f"; all decided {server.settles():.1f} s later"
            decided = server.decided()
            if decided < found["requests"] * size:
                raise AssertionError(f"{found['requests'] * size} alerts were answered for, and {decided:.0f} decided")
        print(f"  {COLUMNS[column]}: {found['rate']:.0f} alerts/s, p50 {found['p50_us'] / 1e3:.2f} ms, p99 {found['p99_us'] / 1e3:.2f} ms{said}", flush=True)
        if last and in_postgres:
            server.stop(signal.SIGKILL)
            self.work(load, column, "a post", before, self.postgres.end(server.database), found["requests"])
            self.works[-1]["meanwhile"] = (meanwhile["writes"] - before["writes"]) / found["requests"]
        return found

    def work(self, load, column, each, before, after, count):
        done = {name: after[name] - before[name] for name in before}
        self.works.append({"load": load, "column": column, "each": each, "count": count, "done": done, "meanwhile": None})

    # From a post to the request at whoever is told.

    def latency(self):
        load = "post → request at the provider, idle"
        print(f"{load}:", flush=True)
        posts, took = self.options.posts, {}
        for column in self.columns():
            how = {"one_group": False} if column == "alertmanager" else {"people": posts + WARM}
            with self.make(column, **how) as server:
                server.start()
                spans = []
                for n in range(posts + WARM):
                    if n == WARM and column in ("postgres", "replicas"):
                        before = self.postgres.begin()
                    connection, body = Connection(server, key_of(n)), text([alert(f"{column}-{n}", f"Kind{n}")])
                    heard = len(self.sink.heard)
                    began = time.monotonic()
                    connection.post(body)
                    at = self.sink.until(lambda calls: len(calls) > heard)[heard][0]
                    connection.close()
                    if n >= WARM:
                        spans.append((at - began) * 1e3)
                    time.sleep(0.02)
                took[column] = spans
                if column in ("postgres", "replicas"):
                    server.settles()
                    server.stop(signal.SIGKILL)
                    self.work(load, column, "a post and its page", before, self.postgres.end(server.database), posts)
        for name, share, limit in (("p50", 0.5, 5), ("p99", 0.99, 20)):
            self.row(load, f"{name}, ms", {column: at_share(spans, share) for column, spans in took.items()}, most(limit, "ms"))

    # A storm of one cause.

    def storm(self):
        load = f"storm of {STORM:,} distinct alerts of one cause"
        print(f"{load}:", flush=True)
        parts = bodies(STORM)
        firsts, totals, made = ({column: [] for column in self.columns()} for _ in range(3))
        for _ in range(self.options.rounds):
            for column in self.columns():
                with self.make(column) as server:
                    server.start()
                    if server.reveille:
                        server.get("/api/v1/incidents")
                    heard = len(self.sink.heard)
                    began = time.monotonic()
                    poster = threading.Thread(target=flood, args=(server, parts))
                    poster.start()
                    firsts[column].append((self.sink.until(lambda calls: len(calls) > heard)[heard][0] - began) * 1e3)
                    if server.reveille:
                        totals[column].append(self.counted(server, STORM) - began)
                        poster.join()
                        made[column].append(len(self.sink.heard) - heard)
                    else:
                        poster.join()
        middle = lambda spans: {column: statistics.median(of) for column, of in spans.items() if of}
        self.row(load, "first call, ms", middle(firsts), most(50, "ms"))
        self.row(load, "total known on the incident, s", middle(totals), most(2, "s"))
        self.row(load, "calls", {column: max(of) for column, of in made.items() if of}, Wanted("1", lambda ours, _: ours == 1))

    def counted(self, server, count):
        """When the newest incident says that it has so many alerts."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            items = json.loads(server.get("/api/v1/incidents?limit=1"))["items"]
            if items and items[0]["alerts_count"] >= count:
                return time.monotonic()
            time.sleep(0.01)
        raise AssertionError(f"the incident never had {count} alerts")

    # What it holds, and how it comes back.

    def open_alerts(self):
        load = f"{OPEN:,} open alerts"
        print(f"{load}:", flush=True)
        parts, held, answered = bodies(OPEN), {}, {}
        for column in self.columns("replicas"):
            with self.make(column) as server:
                server.start()
                began = time.monotonic()
                flood(server, parts)
                posted = time.monotonic() - began
                if not server.reveille:
                    held[column] = server.resident_mib()
                    continue
                print(f"  posted in {posted:.1f} s, settled {server.settles():.1f} s later", flush=True)
                held[column] = server.resident_mib()
                server.stop(signal.SIGKILL)
                began = time.monotonic()
                server.start()
                Connection(server).post(text([alert("host-1")]))
                answered[column] = time.monotonic() - began
        self.row(load, "memory of its process, MiB", held, most(100, "MiB"))
        self.row(load, "kill -9, start, first answer, s", answered, most(2, "s"))

    # Beside a flood, a quiet key.

    def beside(self):
        load, quiet = f"{OPEN:,} alerts in 60 s beside a quiet key", 200
        print(f"{load}:", flush=True)
        parts = bodies(OPEN, size=10)
        idle, busy, pages = {}, {}, {}
        for column in self.columns("alertmanager", "replicas"):
            with self.make(column, people=2 * quiet + WARM + 1) as server:
                server.start()
                self.quietly(server, 1, WARM, 0.04)
                idle[column] = at_share(self.quietly(server, 1 + WARM, quiet, 0.02)[0], 0.99)
                took = []

                def post():
                    connection, began = Connection(server), time.monotonic()
                    for n, body in enumerate(parts):
                        connection.post(body)
                        time.sleep(max(0, began + 60 * n / len(parts) - time.monotonic()))
                    connection.close()
                    took.append(time.monotonic() - began)

                flooding = threading.Thread(target=post)
                flooding.start()
                answered, called = self.quietly(server, 1 + WARM + quiet, quiet, 0.28)
                flooding.join()
                if not took:
                    raise AssertionError("the flood was refused")
                lag = server.settles()
                decided = server.decided()
                print(f"  {COLUMNS[column]}: {OPEN:,} in {took[0]:.0f} s, journal empty {lag:.1f} s later, {decided:.0f} decided", flush=True)
                if decided < OPEN + 2 * quiet + WARM:
                    raise AssertionError("something was lost")
                busy[column], pages[column] = at_share(answered, 0.99), at_share(called, 0.99)
        wanted = Wanted("≤ 1.2 × idle, or ≤ 50 ms", lambda ours, alone: ours <= max(50, 1.2 * alone))
        self.row(load, "quiet key's p99, idle, ms", idle)
        self.row(load, "quiet key's p99, beside it, ms", busy, wanted, against=idle)
        self.row(load, "first page p99, ms", pages, most(2_000, "ms"))

    def quietly(self, server, first, count, every):
        """Now and then a post with a key of its own: how long until the answer, and until the call, milliseconds."""
        answered, called = [], []
        for n in range(first, first + count):
            connection, body, number = Connection(server, key_of(n)), text([alert(f"quiet-{n}")]), f"%2B3360000{n:04}".encode()
            began = time.monotonic()
            connection.post(body)
            answered.append((time.monotonic() - began) * 1e3)
            mine = lambda calls: [at for at, said in calls if number in said and at >= began]
            called.append((mine(self.sink.until(mine))[0] - began) * 1e3)
            connection.close()
            time.sleep(max(0, every - (time.monotonic() - began)))
        return answered, called

    # One body of Alertmanager's with 20,000 alerts.

    def group(self):
        body = group_of(STORM)
        load = f"{STORM:,} alerts in one body of {len(body) / 1e6:.0f} MB"
        print(f"{load}, beside another key:", flush=True)
        # The webhook as Alertmanager itself calls it.
        key = "benchkeyofthegroup000000"
        integration = f'\n[[integration]]\nid = "groups"\nsource = "alertmanager"\nservice = "s0"\nkey = "{key}"\n'
        columns = self.columns("alertmanager", "replicas")
        answered, decided, alone, beside = ({column: [] for column in columns} for _ in range(4))
        for _ in range(self.options.rounds):
            for column in columns:
                with self.make(column, people=3, more=integration) as server:
                    server.start()
                    other, number = Connection(server, key_of(1)), [0]

                    def one():
                        number[0] += 1
                        small = text([alert(f"beside-{number[0]}")])
                        began = time.monotonic()
                        other.post(small)
                        return (time.monotonic() - began) * 1e3

                    alone[column].append(at_share([one() for _ in range(100)], 0.99))
                    took = []

                    def post():
                        connection = Connection(server, path=f"/hooks/alertmanager/{key}")
                        connection.post(body)
                        took.append(time.monotonic() - began)
                        connection.close()

                    posting = threading.Thread(target=post)
                    began = time.monotonic()
                    posting.start()
                    spans = []
                    # Some of them while it is being decided, for that as well must hold nobody up.
                    while posting.is_alive() or len(spans) < 100:
                        spans.append(one())
                        time.sleep(0.01)
                    posting.join()
                    if not took:
                        raise AssertionError("the body was refused")
                    server.settles()
                    decided[column].append(time.monotonic() - began)
                    answered[column] += took
                    beside[column].append(at_share(spans, 0.99))
                    other.close()
                    if server.decided() < STORM + 100 + len(spans):
                        raise AssertionError("something was lost")
        middle = lambda spans: {column: statistics.median(of) for column, of in spans.items()}
        self.row(load, "answered, s", middle(answered), most(2, "s"))
        self.row(load, "all decided, with a hundred others, s", middle(decided))
        self.row(load, "another key's p99, idle, ms", middle(alone))
        self.row(load, "another key's p99, beside it, ms", middle(beside), most(50, "ms"))

    def table(self):
        options, columns = self.options, self.options.columns
        versions = [f"Reveille {version_of(options.reveille)}", f"Alertmanager {Alertmanager.version()}", wrk_version()]
        if self.postgres:
            versions.append(f"PostgreSQL {self.postgres.version()} (fsync, synchronous_commit, full_page_writes on)")
        given = [f"--{name} {getattr(options, name)}" for name in ("rounds", "seconds", "posts")] + ["--columns " + ",".join(columns)]
        print(f"\nscripts/measure bench {' '.join([*(options.loads or LOADS), *given])}")
        print(f"on {machine()}; {', '.join(versions)}:\n")
        print("    prometheus-alertmanager --config.file=alertmanager.yml --storage.path=data --cluster.listen-address=    # group_wait: 0s")
        print("    reveille serve --config reveille.toml --database sqlite://… or postgres://…")
        print(f"    wrk -t2 -c16 (or 128) -d{options.seconds}s --latency -s tests/ingest/post.lua …/api/v2/alerts\n")
        print(f"{options.rounds} rounds of {options.seconds} s, one server after the other; medians. ×: beside Alertmanager in the same run;")
        print("✓ reaches what is wanted, ✓✓ its aim as well, ✗ does not.\n")
        print(f"| load | | wanted | {' | '.join(COLUMNS[column] for column in columns)} |\n|{'---|' * (3 + len(columns))}")
        before = None
        for load, what, figures, wanted, against in self.rows:
            cells = " | ".join(self.cell(column, figures, wanted, against) for column in columns)
            print(f"| {load if load != before else ''} | {what} | {wanted.words if wanted else ''} | {cells} |")
            before = load
        if self.works:
            self.work_table()

    def work_table(self):
        print("\nWhat PostgreSQL does for it, by its own statistics: transactions that write or notify, and syncs of its log, which one commit or several together wait for;")
        print("the log is the WAL, in pages of 8 KiB; whole pages are those that it holds once more after a checkpoint. All of it until all is decided.\n")
        print("| load | replicas | for | how many | transactions | of them while posts came | that only read | syncs | bytes of log | pages of log a sync | whole pages a sync |")
        print("|" + "---|" * 11)
        for work in self.works:
            done, count = work["done"], work["count"]
            each = lambda name, of=count: f"{done[name] / max(1, of):.2f}"
            meanwhile = "–" if work["meanwhile"] is None else f"{work['meanwhile']:.2f}"
            reads, syncs = max(0, done["commits"] - done["writes"]), max(1, done["syncs"])
            cells = [work["load"], "2" if work["column"] == "replicas" else "1", work["each"], f"{count:,}", each("writes"), meanwhile]
            cells += [f"{reads / count:.2f}", each("syncs"), f"{done['wal_bytes'] / count:,.0f}"]
            cells += [f"{done['wal_bytes'] / PAGE_BYTES / syncs:.2f}", each("whole_pages", syncs)]
            print(f"| {' | '.join(cells)} |")


LOADS = {
    "one": (
        "one distinct alert per request, 16 connections",
        lambda bench, name: bench.rates(name, "distinct", 16, rate=times(0.8, 1.2)),
    ),
    "many": (
        "one distinct alert per request, 128 connections",
        lambda bench, name: bench.rates(name, "distinct", 128, rate=times(1, 1.5), p99=LOWER),
    ),
    "same": ("the same alert again and again, 16 connections", lambda bench, name: bench.rates(name, "same", 16, rate=times(1, 2))),
    "hundred": (
        "100 distinct alerts per request, 16 connections",
        lambda bench, name: bench.rates(name, "distinct", 16, size=100, rate=times(1), p99=LOWER),
    ),
    "latency": ("from a post to the request at the provider, idle", lambda bench, _: bench.latency()),
    "storm": (f"{STORM:,} distinct alerts of one cause: first call, total, number of calls", lambda bench, _: bench.storm()),
    "group": (f"{STORM:,} alerts in one body, and what another key feels of it", lambda bench, _: bench.group()),
    "open": (f"{OPEN:,} open alerts: memory, and kill -9 to the first answer", lambda bench, _: bench.open_alerts()),
    "beside": (f"{OPEN:,} alerts in a minute, and what quiet keys feel of it", lambda bench, _: bench.beside()),
}


def main():
    about = __doc__ + "\n".join(f"  {name:9}{words}" for name, (words, _) in LOADS.items())
    parser = parser_of("bench", about)
    parser.add_argument("loads", nargs="*", metavar="LOAD", help="which of them; all unless said")
    parser.add_argument("--columns", metavar="A,B", default=",".join(COLUMNS), help="which servers, of %(default)s (default: all)")
    parser.add_argument("--rounds", metavar="N", type=int, default=3, help="how often each server has its turn (default: %(default)s)")
    parser.add_argument("--seconds", metavar="N", type=int, default=4, help="how long a rate is measured; half of it with a hundred in each (default: %(default)s)")
    parser.add_argument("--posts", metavar="N", type=int, default=200, help="posts for the latency (default: %(default)s)")
    options = parser.parse_args()
    options.columns = [column for column in options.columns.split(",") if column]
    for given, known in ((options.loads, LOADS), (options.columns, COLUMNS)):
        for name in given:
            if name not in known:
                parser.error(f"there is no {name}; there are {', '.join(known)}")
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        wants = {"postgres", "replicas"} & set(options.columns)
        postgres = stack.enter_context(Postgres(options.target)) if wants else None
        bench = Bench(options, postgres)
        try:
            for load in options.loads or LOADS:
                words, run = LOADS[load]
                run(bench, words)
        finally:
            # What was measured before something failed is worth something.
            if bench.rows:
                bench.table()
    print(f"\nIt took {(time.monotonic() - began) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
