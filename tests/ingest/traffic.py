"""What is posted, and how: shared by the table, the growth and the soak."""

import argparse
import json
import math
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import threading

from servers import HERE, KEY


def alert(name, kind="DiskFull"):
    return {
        "labels": {"alertname": kind, "severity": "critical", "job": "node", "instance": name},
        "annotations": {"summary": f"the disk of {name} is full"},
        "generatorURL": "http://prometheus.example/graph?g0",
    }


def text(alerts):
    return json.dumps(alerts).encode()


class Connection:
    """One that stays open. Nothing but posts and their status: the client must cost less than what it measures."""

    def __init__(self, server, key=KEY, path=None):
        self.socket = socket.create_connection(("127.0.0.1", server.next_port()))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"POST {path or server.posts} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"

    def post(self, body):
        self.socket.sendall(f"{self.head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(rest) < int(length.group(1)):
            rest += self.receive()
        if b" 20" not in head[:12]:
            raise Refused(f"a post was refused: {answer[:300]!r}")

    def receive(self):
        got = self.socket.recv(65536)
        if not got:
            raise Refused("the server hung up")
        return got

    def close(self):
        self.socket.close()


class Refused(AssertionError):
    pass


def bodies(count, size=100, first=0):
    """`count` distinct alerts in parts, made before the clock runs."""
    end = first + count
    return [text([alert(f"host-{n}") for n in range(at, min(at + size, end))]) for at in range(first, end, size)]


def flood(server, parts, connections=4, key=KEY):
    """Posts all parts as fast as they are answered."""
    failed = []

    def post(mine):
        try:
            connection = Connection(server, key)
            for body in mine:
                connection.post(body)
            connection.close()
        except (AssertionError, OSError) as error:
            failed.append(error)

    threads = [threading.Thread(target=post, args=(parts[n::connections],)) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def wrk(server, kind, connections, size, turn, seconds):
    """One run of wrk, whose threads share the server's processes among them."""
    ports = ",".join(map(str, server.ports))
    own = {"BENCH_KIND": kind, "BENCH_SIZE": str(size), "BENCH_ROUND": str(turn), "BENCH_KEY": KEY, "BENCH_PORTS": ports}
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", f"{HERE}/post.lua", server.url + server.posts]
    said = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=True).stdout
    found = json.loads(re.search(r"^BENCH (.*)$", said, re.M).group(1))
    if found["errors"]:
        raise Refused(f"{server.name} refused {found['errors']} posts:\n{said}")
    found["rate"] = found["requests"] * size / (found["took_us"] / 1e6)
    return found


def at_share(spans, share):
    """The smallest span that so large a share of them does not pass."""
    return sorted(spans)[max(0, math.ceil(len(spans) * share) - 1)]


def parser_of(tool, about):
    """The options that all tools here have. Whoever ends one of them ends its servers, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(prog=f"scripts/measure {tool}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    built = os.path.abspath(os.environ.get("CARGO_TARGET_DIR") or f"{HERE}/../../target")
    binary = f"{built}/release/reveille"
    parser.add_argument("--reveille", metavar="BINARY", type=os.path.abspath, default=binary, help="what to measure; nothing is built then")
    parser.add_argument("--target", metavar="FOLDER", type=os.path.abspath, default=built, help="on a disk, for SQLite's data (default: where it is built)")
    return parser


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read()).group(1)) / 2**20
    return f"{os.cpu_count()} × {model.group(1) if model else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}"


def wrk_version():
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2])


def show(figure):
    if figure is None:
        return "–"
    if isinstance(figure, int):
        return f"{figure:,}"
    if figure >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"
