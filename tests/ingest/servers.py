"""The servers that are measured, each as processes of its own, and what they call."""

import base64
import collections
import http.server
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "..", "..", "scripts")
PATIENCE = 60
KEY = "benchkey00000000000099999"


def key_of(number):
    """The key of the integration of this number; the first has the one that wrk posts with."""
    return KEY if number == 0 else f"{KEY[:-5]}{number:05}"


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Sink:
    """What is called or told: a webhook's receiver and a telephone provider. It keeps when each request came, and its body."""

    def __init__(self):
        self.heard, self.changed = [], threading.Condition()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer in two writes would wait for the other side's delayed acknowledgement.
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self):
                at = time.monotonic()
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                with sink.changed:
                    sink.heard.append((at, body))
                    number = len(sink.heard)
                    sink.changed.notify_all()
                answer = json.dumps({"sid": f"CA{number:032x}", "status": "queued"}).encode()
                self.send_response(201)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self):
                self.send_response(404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 1024
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def until(self, enough, patience=PATIENCE):
        """Waits until what was heard is enough, and gives it."""
        with self.changed:
            if not self.changed.wait_for(lambda: enough(self.heard), timeout=patience):
                raise AssertionError(f"the sink heard {len(self.heard)} requests, and not what it waits for")
            return list(self.heard)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Process:
    """One, in a folder of its own on the disk of `target`, for where /tmp is memory a durable write costs nothing."""

    def __init__(self, name, target, ready, environment):
        self.name = name
        self.folder = tempfile.mkdtemp(prefix="bench-", dir=target)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ready, self.environment = self.url + ready, environment
        self.process = None

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def spawn(self, command):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REVEILLE_")}
        with open(f"{self.folder}/log", "ab") as log:
            own = {"cwd": self.folder, "env": environment | self.environment, "stdin": subprocess.DEVNULL}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **own)

    def answers(self, began):
        """Waits until it is ready."""
        while True:
            try:
                with urllib.request.urlopen(self.ready, timeout=PATIENCE) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if self.process.poll() is not None or time.monotonic() - began > PATIENCE:
                raise AssertionError(f"{self.name} does not start: {self.log()[-2000:]}")
            time.sleep(0.002)

    def log(self):
        with open(f"{self.folder}/log", encoding="utf-8") as file:
            return file.read()

    def stop(self, how):
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def status(self, name):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(rf"{name}:\s+(\d+)", status.read()).group(1))

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Server:
    """One that is measured: a process, or several on one database."""

    name, posts, reveille = "", "/api/v2/alerts", False

    def __init__(self, processes):
        self.processes = processes
        self.turns = itertools.cycle(processes)
        self.folder, self.url = processes[0].folder, processes[0].url

    def command(self, process):
        raise NotImplementedError

    def start(self):
        """Until all of them answer, seconds."""
        began = time.monotonic()
        for process in self.processes:
            process.spawn(self.command(process))
            process.answers(began)
        return time.monotonic() - began

    def stop(self, how=signal.SIGTERM):
        for process in self.processes:
            process.stop(how)

    def close(self):
        for process in self.processes:
            process.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def ports(self):
        return [process.port for process in self.processes]

    def next_port(self):
        """Connections go to each process in turn."""
        return next(self.turns).port

    def resident_mib(self):
        """What it holds of the memory, MiB, once it has stopped changing."""
        last = None
        for _ in range(40):
            now = self.resident_now_mib()
            if last is not None and abs(now - last) < 0.5:
                break
            last = now
            time.sleep(0.25)
        return now

    def resident_now_mib(self):
        return sum(process.status("VmRSS") for process in self.processes) / 1024

    def files(self):
        return sum(process.files() for process in self.processes)

    def processor_s(self):
        """The processor time that its processes have spent, seconds."""
        return sum(spent_s(process.process.pid) for process in self.processes)

    def disk(self):
        """The room that every file of its folders takes, whatever it is called, MiB."""
        return sum((disk_of(process.folder) for process in self.processes), collections.Counter())


def disk_of(folder):
    """The room that the files of a folder take, MiB, by name; what goes away meanwhile takes none."""
    found = collections.Counter()
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                found[os.path.relpath(os.path.join(at, name), folder)] += os.stat(os.path.join(at, name)).st_blocks * 512 / 2**20
            except FileNotFoundError:
                pass
    return found


def spent_s(pid, children=False):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11 : 15 if children else 13]) / os.sysconf("SC_CLK_TCK")


class Alertmanager(Server):
    name = "Alertmanager"

    def __init__(self, target, sink, one_group=True):
        process = Process(self.name, target, "/-/ready", {})
        by = "" if one_group else "  group_by: ['...']\n"
        process.write(
            "alertmanager.yml",
            f"route:\n  receiver: sink\n{by}  group_wait: 0s\n  group_interval: 5m\n  repeat_interval: 4h\n"
            f"receivers:\n  - name: sink\n    webhook_configs:\n      - url: {sink.url}/\n",
        )
        super().__init__([process])

    def command(self, process):
        own = ["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=", "--log.level=error"]
        return ["prometheus-alertmanager", f"--web.listen-address=127.0.0.1:{process.port}", *own]

    @staticmethod
    def version():
        said = subprocess.run(["prometheus-alertmanager", "--version"], capture_output=True, text=True, check=True)
        return re.search(r"version (\S+)", said.stdout + said.stderr).group(1)


class Reveille(Server):
    """On SQLite beside it; or, with `postgres`, on a database of its own there, as so many replicas."""

    name, reveille = "Reveille", True

    def __init__(self, target, binary, sink, people=1, window="10m", flapping=True, postgres=None, replicas=1, more=""):
        super().__init__([Process(self.name, target, "/readyz", {"REVEILLE_LOG": "warn"}) for _ in range(replicas)])
        self.binary, self.postgres, self.token = binary, postgres, None
        self.database = postgres.make() if postgres else f"sqlite://{self.folder}/reveille.db?mode=rwc"
        configuration = self.configuration(sink, people, window, flapping) + more
        for process in self.processes:
            process.write("reveille.toml", configuration)

    def configuration(self, sink, people, window, flapping):
        # Replicas share the key to what is sealed in their database.
        key = base64.b64encode(os.urandom(32)).decode()
        parts = [f'[server]\npublic_url = "{self.url}"\nsecret_key = "{key}"\n[twilio]\naccount_sid = "AC1"\nauth_token = "t"\nfrom = "+15005550006"\n']
        parts.append(f'api_url = "{sink.url}"\ncalls_per_second = 1000\n')
        for n in range(people):
            parts.append(
                f'[[user]]\nid = "p{n}"\nname = "Person {n}"\ntimezone = "UTC"\n'
                f'contacts = [{{ id = "phone", kind = "voice", to = "+3360000{n:04}" }}]\n'
                f'rules = [{{ urgency = "high", after = "0s", contact = "phone" }}]\n'
                f'[[policy]]\nid = "p{n}"\nsteps = [{{ notify = ["user:p{n}"], escalate_after = "1h" }}]\n'
                f'[[service]]\nid = "s{n}"\nname = "Service {n}"\npolicy = "p{n}"\ngroup = {{ window = "{window}" }}\n'
                f'{"" if flapping else "flapping = false"}\n'
                f'[[integration]]\nid = "i{n}"\nsource = "alertmanager_api"\nservice = "s{n}"\nkey = "{key_of(n)}"\n'
            )
        return "\n".join(parts)

    def command(self, process):
        return [self.binary, "serve", "--config", "reveille.toml", "--database", self.database, "--listen", f"127.0.0.1:{process.port}"]

    def close(self):
        super().close()
        if self.postgres:
            self.postgres.drop(self.database)

    def get(self, path):
        """An answer of the API's."""
        if not self.token:
            command = [self.binary, "token", "create", "bench", "--database", self.database]
            self.token = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout.strip()
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read()

    def metric(self, name):
        """The sum of a metric's lines; the database's are the same in every process."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=PATIENCE) as answer:
            said = answer.read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in said.splitlines() if re.match(rf"{name}(\{{|\s)", line))

    def decided(self):
        """How many signals have been decided."""
        return self.metric('reveille_signals_total\\{.*"accepted".*')

    def settles(self, patience=600):
        """Waits until everything that was accepted is decided; how long that took, seconds."""
        began = time.monotonic()
        while self.metric("reveille_journal_rows") > 0:
            if time.monotonic() - began > patience:
                raise AssertionError("the journal does not empty")
            time.sleep(0.02)
        return time.monotonic() - began


def version_of(binary):
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


class Postgres:
    """A private PostgreSQL as scripts/postgres makes it, and what it says it has done."""

    def __init__(self, target):
        self.state = os.path.join(target, f"bench-postgres-{os.getpid()}")
        self.server = self.script("start", str(os.getpid())).strip()
        self.made = 0
        self.folder = f"{open(self.state, encoding='utf-8').readline().strip()}/data"
        with open(f"{self.folder}/postmaster.pid", encoding="utf-8") as file:
            self.pid = int(file.readline())
        # It keeps its word, or the comparison is worth nothing.
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            self.ask(f"ALTER SYSTEM SET {name} = on")
        self.ask("SELECT pg_reload_conf()")
        until = time.monotonic() + PATIENCE
        while any(self.ask(f"SHOW {name}") != "on" for name in ("fsync", "synchronous_commit", "full_page_writes")):
            if time.monotonic() > until:
                raise AssertionError("PostgreSQL does not keep what it is told to keep")

    def script(self, *arguments):
        environment = os.environ | {"REVEILLE_POSTGRES_STATE": self.state}
        # Its errors are for whoever looks on.
        return subprocess.run([f"{SCRIPTS}/postgres", *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout

    def ask(self, statement):
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.server]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def version(self):
        return self.ask("SHOW server_version").split()[0]

    def make(self):
        """An empty database; its address."""
        self.made += 1
        name = f"bench{self.made}"
        self.ask(f"CREATE DATABASE {name}")
        return f"{self.server.rsplit('/', 1)[0]}/{name}"

    def drop(self, address):
        self.ask(f"DROP DATABASE {address.rsplit('/', 1)[1]} WITH (FORCE)")

    def processor_s(self):
        """What all its processes have spent, those that have ended as well, seconds."""
        spent = spent_s(self.pid, children=True)
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                    if int(stat.read().rsplit(")", 1)[1].split()[1]) == self.pid:
                        spent += spent_s(pid)
            except (FileNotFoundError, ProcessLookupError):
                pass
        return spent

    def work(self):
        """Transactions that have a number, for they write or notify, and bytes of the log: both exact at once. The rest comes a second late."""
        said = self.ask(
            "SELECT pg_snapshot_xmax(pg_current_snapshot()), pg_current_wal_insert_lsn() - '0/0', wal_sync, wal_fpi, "
            "(SELECT sum(xact_commit) FROM pg_stat_database) FROM pg_stat_wal"
        )
        return dict(zip(("writes", "wal_bytes", "syncs", "whole_pages", "commits"), map(int, said.split("|"))))

    def begin(self):
        """What it has done before a measure; the first touch of a page after this goes into the log whole, as after any checkpoint."""
        self.ask("CHECKPOINT")
        return self.work() | {"processor_s": self.processor_s()}

    def end(self, address):
        """The same once nobody is connected: a session tells of its last second as it ends."""
        name, until = address.rsplit("/", 1)[1], time.monotonic() + PATIENCE
        while self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'") != "0":
            if time.monotonic() > until:
                raise AssertionError("a session does not end")
            time.sleep(0.05)
        return self.work() | {"processor_s": self.processor_s()}

    def disk(self):
        return disk_of(self.folder)

    def close(self):
        self.script("stop")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
