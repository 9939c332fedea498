"""A long run of mixed traffic at a steady rate: what Reveille holds of the memory, of files and of the disk must come to rest.

Two thousand signals a second for half an hour, unless said: nearly all repeat what fires already; some are new, and over a minute later.
Those only record, as most of what monitors say; a few page, and are resolved; lists are read. Retention by number runs from the first
minutes on (`--kept`), since none by age is shorter than a day. All goes to loopback, and it stops by itself.

In a run of less than 25 minutes new conditions have fewer names, and flapping is switched off, or they would not end.

It fails when a signal was refused or lost, or when after the warm-up memory, files or the disk still rise.
"""

import collections
import contextlib
import re
import statistics
import sys
import threading
import time

from plot import lines
from servers import Postgres, Reveille, Sink, key_of, version_of
from traffic import Connection, Refused, alert, at_share, machine, parser_of, text

# Each post holds so many signals.
POST = 20
# How many conditions fire throughout and are repeated.
KNOWN = 2_000
# A new condition comes again under the same name after so long, seconds, where the run is long enough.
AGAIN = 600
# Of a hundred signals these are new; as many end.
NEW = 10
# A new condition is over after so long, seconds.
LASTS = 60
# Every so often, seconds, something opens an incident and is over a little later: seldom enough to be no storm.
PAGES_EVERY, PAGES_LAST = 10, 20
# Of one of these in turn, for who is being called is not called again for the next.
PEOPLE = 20
SAMPLE_EVERY = 5
# The first part of the run, in which what is kept comes to its limits.
WARM = 0.4
# What may rise in the rest of it, as a share of what there is; and so much by chance.
ROOM = {"memory": (0.03, 2), "files": (0, 2), "disk": (0.03, 4)}
UNITS = {"memory": "MiB", "files": "files", "disk": "MiB"}


def quiet(name):
    """A condition that only records: severity info, which is sev4."""
    one = alert(name, "QueueGrows")
    one["labels"]["severity"] = "info"
    return one


def over(one, began):
    stamp = lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return one | {"startsAt": stamp(began), "endsAt": stamp(time.time())}


class Traffic:
    def __init__(self, server, options):
        self.server, self.options = server, options
        self.stop, self.sent, self.refused, self.behind_s = threading.Event(), 0, 0, 0.0
        self.took = collections.deque(maxlen=60 * options.rate // POST)
        self.failed = None

    def run(self):
        try:
            self.flow()
        except Exception as error:  # the whole run fails by it
            self.failed = error

    def post(self, key, alerts, kept=None):
        """Over the connection that was kept, or a new one; it can be kept again unless the post was refused."""
        try:
            connection = kept or Connection(self.server, key)
            connection.post(text(alerts))
        except (Refused, OSError) as error:
            self.refused += len(alerts)
            print(error, flush=True)
            return None
        self.sent += len(alerts)
        return connection

    def flow(self):
        began, n, fresh, known, pages, steady = time.monotonic(), 0, 0, 0, 0, None
        ending, paging, next_page = collections.deque(), collections.deque(), PAGES_EVERY
        while not self.stop.is_set():
            wait = began + n / self.options.rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self.behind_s = max(0.0, -wait)
            now, batch = time.time(), []
            for _ in range(POST):
                kind, n = n % 100, n + 1
                if kind < NEW:
                    fresh += 1
                    one = quiet(f"queue-{fresh % self.options.names if self.options.names else fresh}")
                    ending.append((now + LASTS, now, one))
                elif kind < 2 * NEW and ending and ending[0][0] <= now:
                    _, since, one = ending.popleft()
                    one = over(one, since)
                else:
                    known = (known + 1) % KNOWN
                    one = quiet(f"host-{known}")
                batch.append(one)
            at = time.monotonic()
            steady = self.post(key_of(0), batch, steady)
            self.took.append((time.monotonic() - at) * 1e3)
            if time.monotonic() - began >= next_page:
                next_page += PAGES_EVERY
                pages += 1
                one, key = alert(f"shop-{n}", f"Down{pages}"), key_of(1 + pages % PEOPLE)
                # The server lets go of a line that says nothing for so long.
                self.post(key, [one])
                paging.append((now + PAGES_LAST, now, one, key))
            while paging and paging[0][0] <= now:
                _, since, one, key = paging.popleft()
                self.post(key, [over(one, since)])


def parts_of(name):
    """Which of PARTS a file of the data belongs to; SQLite's ballast is of the rest."""
    if "journal" in name:
        return "journal"
    if re.search(r"-wal$|-shm$|^pg_wal/", name):
        return "log"
    return "tables" if re.search(r"\.db$|^base/", name) else "rest"


def sample(server, postgres):
    found = collections.Counter()
    for name, size in (postgres or server).disk().items():
        found[parts_of(name)] += size
    return {"memory": server.resident_now_mib(), "files": server.files(), "disk": sum(found.values()), "parts": found}


def rise(samples, what):
    """How much it rises from the first of these samples to the last: the middle one of all slopes between two of them (Theil and Sen)."""
    slopes = [(b[what] - a[what]) / (b["at"] - a["at"]) for n, a in enumerate(samples) for b in samples[n + 1 :]]
    return statistics.median(slopes) * (samples[-1]["at"] - samples[0]["at"])


def verdict(samples, minutes):
    """What still rises after the warm-up."""
    settled = [found for found in samples if found["at"] >= minutes * WARM]
    wrong = []
    if len(settled) < 3:
        return ["it was too short to judge"]
    print(f"\nafter the first {minutes * WARM:.1f} minutes:")
    for what, (share, chance) in ROOM.items():
        middle, rises = statistics.median(found[what] for found in settled), rise(settled, what)
        room = max(share * middle, chance)
        flat = rises <= room
        print(f"  {what}: {middle:.1f} {UNITS[what]}, {rises:+.1f} until the end (at most {room:.1f}): {'flat' if flat else 'NOT FLAT'}")
        if not flat:
            wrong.append(f"{what} rises")
    return wrong


def main():
    parser = parser_of("soak", __doc__)
    parser.add_argument("--minutes", metavar="N", type=float, default=30, help="how long (default: %(default)s)")
    parser.add_argument("--rate", metavar="N", type=int, default=2_000, help="signals a second (default: %(default)s)")
    parser.add_argument("--names", metavar="N", type=int, help="how many names what is new has, which come again; 0: ever new ones (default: what comes in ten minutes)")
    parser.add_argument("--kept", metavar="N", type=int, help="alerts_most of [retention] (default: half of what could be)")
    parser.add_argument("--postgres", action="store_true", help="in PostgreSQL instead of SQLite")
    parser.add_argument("--plot", metavar="FILE", help="where to draw it, as SVG")
    options = parser.parse_args()
    firing = LASTS * options.rate * NEW // 100
    if options.names is None:
        # Within the warm-up each has been there once; and what comes again was over by then.
        options.names = int(min(AGAIN * options.rate * NEW / 100, max(2 * firing, options.minutes * WARM * 60 * options.rate * NEW / 100)))
    options.kept = options.kept or max(options.names - firing, firing) // 2
    # What comes again before a condition counts as steady would be held for flapping, and not end.
    steady = not options.names or options.names >= AGAIN * options.rate * NEW / 100
    retention = f"\n[retention]\nalerts_most = {options.kept}\nsamples_most = 1000\n"
    sink = Sink()
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres(options.target)) if options.postgres else None
        own = {"people": 1 + PEOPLE, "flapping": steady, "window": "1s", "postgres": postgres, "more": retention}
        server = stack.enter_context(Reveille(options.target, options.reveille, sink, **own))
        server.start()
        traffic = Traffic(server, options)
        where = f"PostgreSQL {postgres.version()}" if postgres else "SQLite"
        print(f"{options.rate:,} signals a second for {options.minutes:g} minutes, {f'{options.names:,}' if options.names else 'ever new'} names, {options.kept:,} ended alerts kept;")
        print(f"Reveille {version_of(options.reveille)} on {where}, {machine()}\n")
        samples = watch(server, postgres, traffic, sink, options)
        traffic.stop.set()
        traffic.thread.join()
        if traffic.failed:
            raise traffic.failed
        lag, decided = server.settles(), server.decided()
        forgotten, log = server.metric("reveille_forgotten_rows_total"), server.processes[0].log()
    print(f"\n{traffic.sent:,} signals taken, {traffic.refused:,} refused, {decided:,.0f} decided, the last {lag:.2f} s after it was sent; {forgotten:,.0f} rows forgotten")
    if options.plot:
        of = lambda what: [(found["at"], found[what]) for found in samples]
        charts = {"memory, MiB": {"": of("memory")}, "disk, MiB": {"": of("disk")}, "open files": {"": of("files")}}
        lines(options.plot, f"{options.rate:,} signals a second", "minutes", charts)
    wrong = verdict(samples, options.minutes)
    if decided < traffic.sent:
        wrong.append(f"{traffic.sent - decided:,.0f} signals were lost")
    if traffic.refused:
        wrong.append(f"{traffic.refused:,} signals were refused")
    if traffic.behind_s > 1:
        wrong.append(f"it came {traffic.behind_s:.0f} s late, so that it was less than {options.rate:,} a second")
    if not forgotten:
        wrong.append("retention did not run")
    if wrong:
        print(f"\nthe end of its log:\n{log[-4000:]}")
    print(f"not flat: {'; '.join(wrong)}" if wrong else "flat, and nothing lost")
    sys.exit(1 if wrong else 0)


# What a file in the folder of the data is for.
PARTS = ("tables", "log", "journal", "rest")


def watch(server, postgres, traffic, sink, options):
    """Samples until the time is over, of which one each minute is said."""
    heads = ["minute", "      sent", "refused", "memory MiB", "files", "disk MiB", *(f"{part:>7}" for part in PARTS), "lag s", "post p50 ms", "p99 ms"]
    heads += ["calls", "forgotten"]
    print("  ".join(heads), flush=True)
    traffic.thread = threading.Thread(target=traffic.run, daemon=True)
    began, samples, said = time.monotonic(), [], 0
    traffic.thread.start()
    while not traffic.failed and time.monotonic() - began < options.minutes * 60:
        time.sleep(SAMPLE_EVERY)
        for path in ("/api/v1/incidents?limit=50", "/api/v1/alerts?limit=50"):
            server.get(path)
        at = (time.monotonic() - began) / 60
        found = sample(server, postgres)
        samples.append(found | {"at": at})
        if at < said:
            continue
        said += 1
        spans, oldest = list(traffic.took), server.metric("reveille_journal_oldest_seconds")
        cells = [f"{at:.1f}", f"{traffic.sent:,}", f"{traffic.refused:,}", f"{found['memory']:.1f}", f"{found['files']}", f"{found['disk']:.1f}"]
        cells += [*(f"{found['parts'][part]:.1f}" for part in PARTS), f"{oldest:.2f}", f"{at_share(spans, 0.5):.2f}", f"{at_share(spans, 0.99):.1f}"]
        cells += [f"{len(sink.heard)}", f"{server.metric('reveille_forgotten_rows_total'):,.0f}"]
        print("  ".join(cell.rjust(len(head)) for cell, head in zip(cells, heads)), flush=True)
    return samples


if __name__ == "__main__":
    main()
