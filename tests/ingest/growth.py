"""With more and more alerts in the store: how fast it takes in and decides, how long lists and a restart take, and what it holds.

Prints a table, and draws it where --plot says. The store is filled with real posts, a tenth of them with each of ten keys; then each
size is measured, the process is killed, and started again.
"""

import contextlib
import signal
import statistics
import time

from plot import lines
from servers import Postgres, Reveille, Sink, key_of, version_of
from traffic import Connection, alert, bodies, flood, machine, parser_of, text, wrk, wrk_version

# In so many incidents.
GROUPS = 10
LISTS = {
    "/api/v1/alerts?limit=50": "list of alerts",
    "/api/v1/incidents?limit=50": "list of incidents",
    "/api/v1/incidents/1": "an incident",
    "/api/v1/incidents/1/alerts?limit=50": "an incident's alerts",
}
ASKED = 30
# How long the intake is measured at each size, seconds.
INTAKE = 4


def fill(server, held, size):
    """Posts until so many alerts are there, all of them decided; how many have been posted so by now."""
    per_key = max(0, int(size - server.decided())) // GROUPS
    for n in range(GROUPS):
        flood(server, bodies(per_key, first=held), key=key_of(n))
        # Fewer than the journal takes.
        server.settles()
    return held + per_key


def asks(server, path):
    """The median time of one list, milliseconds."""
    spans = []
    for _ in range(ASKED):
        began = time.monotonic()
        server.get(path)
        spans.append((time.monotonic() - began) * 1e3)
    return statistics.median(spans)


def measure(server, size, postgres):
    """At one size; the intake last, for it adds to what is there."""
    row = {"alerts": int(server.decided())} | {path: asks(server, path) for path in LISTS}
    row |= {"memory": server.resident_mib(), "disk": sum(mib for name, mib in (postgres or server).disk().items() if "ballast" not in name)}
    restarts = []
    for n in range(3):
        server.stop(signal.SIGKILL)
        began = time.monotonic()
        server.start()
        Connection(server).post(text([alert(f"again-{size}-{n}")]))
        restarts.append(time.monotonic() - began)
    found = wrk(server, "distinct", 16, 1, size, INTAKE)
    server.settles()
    return row | {"restart": statistics.median(restarts), "rate": found["rate"], "p99": found["p99_us"] / 1e3}


def main():
    parser = parser_of("growth", __doc__)
    parser.add_argument("sizes", nargs="*", metavar="SIZE", type=int, help="how many alerts (default: 10000 100000 1000000)")
    parser.add_argument("--postgres", action="store_true", help="in PostgreSQL instead of SQLite")
    parser.add_argument("--plot", metavar="FILE", help="where to draw it, as SVG")
    options = parser.parse_args()
    began, rows, sink = time.monotonic(), [], Sink()
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres(options.target)) if options.postgres else None
        store = f"PostgreSQL {postgres.version()}" if postgres else "SQLite"
        server = stack.enter_context(Reveille(options.target, options.reveille, sink, people=GROUPS, postgres=postgres))
        server.start()
        held = 0
        for size in sorted(options.sizes or (10_000, 100_000, 1_000_000)):
            filling, before = time.monotonic(), server.decided()
            held = fill(server, held, size)
            took, added = time.monotonic() - filling, server.decided() - before
            print(f"{size:,} alerts are there after {took:.0f} s", flush=True)
            rows.append(measure(server, size, postgres) | {"filled": added / took})
    print(f"\nReveille {version_of(options.reveille)} on {store}, {machine()}, {wrk_version()}; medians.\n")
    heads = ["alerts", "one per post, taken /s", "p99, ms", "100 per post, decided /s", *(f"{words}, ms" for words in LISTS.values())]
    heads += ["kill -9 to an answer, s", "memory, MiB", "disk, MiB"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        lists = [f"{row[path]:.1f}" for path in LISTS]
        cells = [f"{row['alerts']:,}", f"{row['rate']:,.0f}", f"{row['p99']:.1f}", f"{row['filled']:,.0f}", *lists]
        cells += [f"{row['restart']:.2f}", f"{row['memory']:.0f}", f"{row['disk']:,.0f}"]
        print(f"| {' | '.join(cells)} |")
    if options.plot:
        of = lambda name: [(row["alerts"], row[name]) for row in rows]
        charts = {
            "alerts a second": {"taken, one per post": of("rate"), "decided, 100 per post": of("filled")},
            "lists, milliseconds": {words: of(path) for path, words in LISTS.items()},
            "kill -9 to an answer, seconds": {"": of("restart")},
            "memory, MiB": {"": of("memory")},
        }
        lines(options.plot, f"With more and more alerts in {store.split()[0]}", "alerts", charts, logarithmic=True)
    print(f"\nIt took {(time.monotonic() - began) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
