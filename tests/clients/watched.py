"""A server of Reveille, and a real monitor from Debian beside it that sends there as the guide says."""

import grp
import json
import os
import pathlib
import pwd
import re
import signal
import subprocess
import tempfile
import textwrap
import threading
import time
import unittest
import urllib.request

from house import BIN, PATIENCE

ROOT = pathlib.Path(__file__).parents[2]
USER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
# What a check may say, and no shell may read. (What follows a bar would be its figures.)
HOSTILE = """DISK CRITICAL 'x' "y" $HOME `id` $(id) <b> & 100%"""

CONFIGURATION = """
[[user]]
id       = "ana"
name     = "Ana Ruiz"
timezone = "Europe/Paris"
contacts = [{ id = "mail", kind = "email", to = "ana@example.com" }]

[[schedule]]
id        = "platform"
timezone  = "Europe/Paris"
rotations = [{ members = ["ana"], every = "1w", handoff = "Mon 09:00", start = "2026-01-05" }]

[[policy]]
id    = "platform"
steps = [{ notify = ["schedule:platform"] }]
"""


def key(integration):
    return f"{integration}0000000000000000000001"


def guide(source):
    """The blocks of code in a source's guide."""
    text = (ROOT / "src/sources" / f"{source}.rs").read_text(encoding="utf-8")
    words = re.search(r'const GUIDE: &str = r(#*)"(.*?)"\1;', text, re.S).group(2)
    return [textwrap.dedent(block) for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", words, re.S | re.M)]


class Watched(unittest.TestCase):
    """A story with a server of its own; each integration pages for a service of its own."""

    integrations = {}

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reveille-watched-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        configuration = CONFIGURATION
        for integration, source in self.integrations.items():
            configuration += f'\n[[service]]\nid = "{integration}"\nname = "{integration}"\npolicy = "platform"\n'
            configuration += f'\n[[integration]]\nid = "{integration}"\nsource = "{source}"\nservice = "{integration}"\n'
            configuration += f'key = "{key(integration)}"\n'
        (self.folder / "reveille.toml").write_text(configuration, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REVEILLE_")}
        self.said = []
        command = [BIN, "serve", "--config", "reveille.toml", "--listen", "127.0.0.1:0"]
        server = self.start(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.url = None
        while self.url is None:
            line = server.stderr.readline()
            self.assertTrue(line, "the server ended")
            listens = re.search(r"listens on (http:\S+)", line)
            self.url = listens and listens.group(1)
        threading.Thread(target=lambda: [self.said.append(line) for line in server.stderr], daemon=True).start()
        made = [BIN, "token", "create", "story", "--scope", "respond"]
        made = subprocess.run(made, cwd=self.folder, env=environment, check=True, capture_output=True, text=True)
        self.token = made.stdout.strip()
        self.news = threading.Condition()
        threading.Thread(target=self.listen, daemon=True).start()

    def start(self, command, **more):
        """A process that ends with the story, and with it all that it started."""
        process = subprocess.Popen(command, cwd=self.folder, start_new_session=True, stdin=subprocess.DEVNULL, **more)
        if process.stderr:
            # Only when the process is gone: before that somebody may be reading from it.
            self.addCleanup(process.stderr.close)

        def end():
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                process.wait()

        self.addCleanup(end)
        return process

    def hook(self, integration):
        return f"{self.url}/hooks/{self.integrations[integration]}/{key(integration)}"

    def asks(self, path):
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"})
        return urllib.request.urlopen(request, timeout=PATIENCE)

    def listen(self):
        """Each line of the stream is a reason to look again."""
        try:
            with self.asks("/api/v1/stream") as stream:
                for _ in stream:
                    with self.news:
                        self.news.notify_all()
        except (OSError, ValueError):
            # The story is over, and the server gone.
            pass

    def items(self, what):
        with self.asks(f"/api/v1/{what}") as answer:
            return json.load(answer)["items"]

    def until(self, what, **wanted):
        """The newest of these (`alerts`, `incidents`) that has these values, once there is one."""
        until = time.monotonic() + PATIENCE
        with self.news:
            while True:
                items = self.items(what)
                for item in items:
                    if all(item[name] == value for name, value in wanted.items()):
                        return item
                if time.monotonic() > until:
                    raise AssertionError(f"no {what} with {wanted}: {json.dumps(items, indent=1)}\n{''.join(self.said)}{self.log()}")
                self.news.wait(1)

    def log(self):
        """What the monitor has to say about it."""
        return ""

    def until_pipe(self, path):
        """The monitor takes commands from here, once it has made it."""
        until = time.monotonic() + PATIENCE
        while not path.is_fifo():
            if time.monotonic() > until:
                raise AssertionError(f"{path} is not there:\n{self.log()}")
            with self.news:
                self.news.wait(0.05)
        self.pipe = path

    def command(self, words):
        """Nagios' external command, which Icinga knows as well."""
        with open(self.pipe, "w", encoding="utf-8") as pipe:
            pipe.write(f"[{int(time.time())}] {words}\n")
