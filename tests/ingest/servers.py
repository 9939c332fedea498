"""The two servers that are measured, each as a process of its own, and what they call."""

import http.server
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

PATIENCE = 60
KEY = "benchkey00000000000099999"


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


class Server:
    """A process with a folder of its own on the disk of `target`, for where /tmp is memory a durable write costs nothing."""

    def __init__(self, target):
        self.folder = tempfile.mkdtemp(prefix="bench-", dir=target)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        log = open(f"{self.folder}/log", "ab")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REVEILLE_")}
        environment |= self.environment()
        began = time.monotonic()
        self.process = subprocess.Popen(self.command(), cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        while True:
            try:
                with urllib.request.urlopen(self.url + self.ready, timeout=PATIENCE) as answer:
                    if answer.status == 200:
                        return time.monotonic() - began
            except (urllib.error.URLError, OSError):
                pass
            if self.process.poll() is not None or time.monotonic() - began > PATIENCE:
                raise AssertionError(f"{self.name} does not start: {open(f'{self.folder}/log', encoding='utf-8').read()[-2000:]}")
            time.sleep(0.002)

    def environment(self):
        return {}

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def resident_mib(self):
        """What it holds of the memory, MiB, once it has stopped changing."""
        last = None
        for _ in range(40):
            with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
                now = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) / 1024
            if last is not None and abs(now - last) < 0.5:
                break
            last = now
            time.sleep(0.25)
        return now

    def processor_s(self):
        """The processor time that it has spent, seconds."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Alertmanager(Server):
    name = "Alertmanager"
    ready = "/-/ready"
    posts = "/api/v2/alerts"

    def __init__(self, target, sink, one_group=True):
        super().__init__(target)
        by = "" if one_group else "  group_by: ['...']\n"
        with open(f"{self.folder}/alertmanager.yml", "w", encoding="utf-8") as file:
            file.write(
                f"route:\n  receiver: sink\n{by}  group_wait: 0s\n  group_interval: 5m\n  repeat_interval: 4h\n"
                f"receivers:\n  - name: sink\n    webhook_configs:\n      - url: {sink.url}/\n"
            )

    def command(self):
        own = ["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address=", "--log.level=error"]
        return ["prometheus-alertmanager", f"--web.listen-address=127.0.0.1:{self.port}", *own]

    @staticmethod
    def version():
        said = subprocess.run(["prometheus-alertmanager", "--version"], capture_output=True, text=True, check=True)
        return re.search(r"version (\S+)", said.stdout + said.stderr).group(1)


class Reveille(Server):
    name = "Reveille"
    ready = "/readyz"
    posts = "/api/v2/alerts"

    def __init__(self, target, binary, sink, database=None, people=1, window="10m"):
        super().__init__(target)
        self.binary = binary
        self.database = database or f"sqlite://{self.folder}/reveille.db?mode=rwc"
        with open(f"{self.folder}/reveille.toml", "w", encoding="utf-8") as file:
            file.write(self.configuration(sink, people, window))

    def configuration(self, sink, people, window):
        parts = [f'[server]\npublic_url = "{self.url}"\n[twilio]\naccount_sid = "AC1"\nauth_token = "t"\nfrom = "+15005550006"\n']
        parts.append(f'api_url = "{sink.url}"\ncalls_per_second = 1000\n')
        for n in range(people):
            parts.append(
                f'[[user]]\nid = "p{n}"\nname = "Person {n}"\ntimezone = "UTC"\n'
                f'contacts = [{{ id = "phone", kind = "voice", to = "+3360000{n:04}" }}]\n'
                f'rules = [{{ urgency = "high", after = "0s", contact = "phone" }}]\n'
                f'[[policy]]\nid = "p{n}"\nsteps = [{{ notify = ["user:p{n}"], escalate_after = "1h" }}]\n'
                f'[[service]]\nid = "s{n}"\nname = "Service {n}"\npolicy = "p{n}"\ngroup = {{ window = "{window}" }}\n'
                f'[[integration]]\nid = "i{n}"\nsource = "alertmanager_api"\nservice = "s{n}"\nkey = "{KEY if n == 0 else f"{KEY[:-5]}{n:05}"}"\n'
            )
        return "\n".join(parts)

    def environment(self):
        return {"REVEILLE_LOG": "warn"}

    def command(self):
        return [self.binary, "serve", "--config", "reveille.toml", "--database", self.database, "--listen", f"127.0.0.1:{self.port}"]

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]

    def token(self):
        command = [self.binary, "token", "create", "bench", "--database", self.database]
        made = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True)
        return made.stdout.strip()

    def metric(self, name):
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=PATIENCE) as answer:
            said = answer.read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in said.splitlines() if re.match(rf"{name}(\{{|\s)", line))

    def settles(self, patience=600):
        """Waits until everything that was accepted is decided; how long that took, seconds."""
        began = time.monotonic()
        while self.metric("reveille_journal_rows") > 0:
            if time.monotonic() - began > patience:
                raise AssertionError("the journal does not empty")
            time.sleep(0.02)
        return time.monotonic() - began
