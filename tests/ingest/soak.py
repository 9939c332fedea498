"""A long run of mixed traffic at a steady rate: what Reveille holds of the memory, of files and of the disk must come to rest.

Two thousand signals a second for half an hour, unless said: nearly all repeat what fires already; some are new, and over a minute later.
Those only record, as most of what monitors say; a few page, and are resolved. All goes to loopback, and it stops by itself.
"""

import argparse
import collections
import os
import statistics
import sys
import threading
import time

from bench import Connection, alert, machine
from plot import lines
from servers import KEY, Reveille, Sink

# Each post holds so many signals.
POST = 20
# How many conditions fire throughout and are repeated.
KNOWN = 2_000
# Of a hundred signals these are new; as many end.
NEW = 10
# A new condition is over after so long, seconds.
LASTS = 60
# Every so often, seconds, something opens an incident and is over a little later.
PAGES_EVERY, PAGES_LAST = 5, 20
SAMPLE_EVERY = 5


def quiet(name):
    """A condition that only records: severity info, which is sev4."""
    one = alert(name, "QueueGrows")
    one["labels"]["severity"] = "info"
    return one


def over(one, began):
    now = time.time()
    stamp = lambda at: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return one | {"startsAt": stamp(began), "endsAt": stamp(now)}


class Traffic:
    def __init__(self, server, rate):
        self.server, self.rate = server, rate
        self.stop, self.sent, self.took, self.late = threading.Event(), 0, collections.deque(maxlen=100_000), 0.0
        self.failed = None

    def run(self):
        try:
            self.flow()
        except Exception as error:  # the whole run fails by it
            self.failed = error

    def flow(self):
        connection, pages = Connection(self.server), Connection(self.server, f"{KEY[:-5]}{1:05}")
        began, n, known, ending, paging = time.monotonic(), 0, 0, collections.deque(), collections.deque()
        next_page = PAGES_EVERY
        while not self.stop.is_set():
            due = began + self.sent / self.rate
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            else:
                self.late = max(self.late, -wait)
            now, batch = time.time(), []
            for _ in range(POST):
                kind = n % 100
                n += 1
                if kind < NEW:
                    one = quiet(f"queue-{n}")
                    ending.append((now + LASTS, now, one))
                elif kind < 2 * NEW and ending and ending[0][0] <= now:
                    _, since, one = ending.popleft()
                    one = over(one, since)
                else:
                    known = (known + 1) % KNOWN
                    one = quiet(f"host-{known}")
                batch.append(one)
            at = time.monotonic()
            connection.post(batch)
            self.took.append((time.monotonic() - at) * 1e3)
            self.sent += len(batch)
            if at - began >= next_page:
                next_page += PAGES_EVERY
                one = alert(f"shop-{n}", "Down")
                pages.post([one])
                paging.append((now + PAGES_LAST, now, one))
            while paging and paging[0][0] <= now:
                _, since, one = paging.popleft()
                pages.post([over(one, since)])
        connection.close()
        pages.close()


def disk_mib(server):
    sizes = [os.stat(f"{server.folder}/{name}").st_size for name in os.listdir(server.folder) if name.startswith("reveille.db")]
    return sum(sizes) / 2**20


def sample(server):
    with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
    return resident, len(os.listdir(f"/proc/{server.process.pid}/fd")), disk_mib(server)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30, help="how long (default: %(default)s)")
    parser.add_argument("--rate", type=int, default=2_000, help="signals a second (default: %(default)s)")
    parser.add_argument("--kept", type=int, default=40_000, help="alerts_most of [retention], reached long before the end (default: %(default)s)")
    parser.add_argument("--reveille", required=True, help="the binary")
    parser.add_argument("--target", required=True, help="a folder on a disk")
    parser.add_argument("--plot", help="where to draw it, as SVG")
    options = parser.parse_args()
    sink = Sink()
    with Reveille(os.path.abspath(options.target), os.path.abspath(options.reveille), sink, people=2, window="1s") as server:
        with open(f"{server.folder}/reveille.toml", "a", encoding="utf-8") as file:
            file.write(f"\n[retention]\nalerts_most = {options.kept}\nsamples_most = 1000\n")
        server.start()
        traffic = Traffic(server, options.rate)
        thread = threading.Thread(target=traffic.run)
        began, samples = time.monotonic(), []
        thread.start()
        print(f"{options.rate} signals a second for {options.minutes:g} minutes, on {machine()}:", flush=True)
        print("minute  sent       memory MiB  files  disk MiB  post p50 ms  p99 ms  calls", flush=True)
        said = 0
        while time.monotonic() - began < options.minutes * 60 and not traffic.failed:
            time.sleep(SAMPLE_EVERY)
            at = (time.monotonic() - began) / 60
            samples.append((at, *sample(server)))
            if at >= said:
                said += 1
                took = sorted(traffic.took)
                p99 = took[int(len(took) * 0.99)]
                memory, files, disk = samples[-1][1:]
                print(f"{at:6.1f}  {traffic.sent:9}  {memory:10.1f}  {files:5}  {disk:8.1f}  {statistics.median(took):11.2f}  {p99:6.1f}  {len(sink.heard):5}", flush=True)
        traffic.stop.set()
        thread.join()
        if traffic.failed:
            raise traffic.failed
        lag = server.settles()
        counted = server.metric("reveille_signals_total\\{.*accepted.*")
    rate = traffic.sent / (time.monotonic() - began)
    print(f"{traffic.sent} signals, {rate:.0f} a second; {counted:.0f} decided; the journal was empty {lag:.2f} s after the last")
    if options.plot:
        series = {"memory, MiB": [(at, memory) for at, memory, _, _ in samples], "disk, MiB": [(at, disk) for at, _, _, disk in samples]}
        lines(options.plot, f"{options.rate} signals a second", "minutes", series | {"open files": [(at, files) for at, _, files, _ in samples]})
    wrong = verdict(samples, options.minutes)
    if counted < traffic.sent:
        wrong.append(f"{traffic.sent - counted:.0f} signals were lost")
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


def verdict(samples, minutes):
    """The last third beside the third before it, by which everything that is kept has come to its limit."""
    part = lambda first, last, what: [row[what] for row in samples if minutes * first <= row[0] < minutes * last]
    wrong = []
    for what, name, room in ((1, "memory", 1.05), (2, "open files", 1.1), (3, "disk", 1.05)):
        before, after = statistics.median(part(1 / 3, 2 / 3, what)), statistics.median(part(2 / 3, 1.01, what))
        print(f"{name}: {before:.1f} in the second third, {after:.1f} in the last ({after / before:.3f} ×)")
        if after > before * room:
            wrong.append(f"{name} grows")
    return wrong


if __name__ == "__main__":
    main()
