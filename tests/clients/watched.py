"""A real monitor from Debian, beside a server of Reveille that it sends to as the guide says."""

import grp
import os
import pathlib
import pwd
import re
import signal
import subprocess
import tempfile
import textwrap
import time

from house import PATIENCE
from server import Story

SOURCES = pathlib.Path(__file__).parents[2] / "src/sources"
USER, GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
# What a check may say, and no shell may read. (What follows a bar would be its figures.)
HOSTILE = """DISK CRITICAL 'x' "y" $HOME `id` $(id) <b> & 100%"""

PEOPLE = """
[[user]]
id       = "ana"
name     = "Ana Ruiz"
timezone = "Europe/Paris"
contacts = [{ id = "mail", kind = "email", to = "ana@example.com" }]

[[policy]]
id    = "platform"
steps = [{ notify = ["user:ana"] }]
"""


def configured(**integrations):
    """A configuration with these integrations and their sources, each with a service of its own name."""
    part = '\n[[service]]\nid = "{0}"\nname = "{0}"\npolicy = "platform"\n\n[[integration]]\nid = "{0}"\nsource = "{1}"\nservice = "{0}"\nkey = "{2}"\n'
    return PEOPLE + "".join(part.format(name, source, key(name)) for name, source in integrations.items())


def key(integration):
    return f"{integration}0000000000000000000001"


def guide(source):
    """The blocks of code in a source's guide."""
    text = (SOURCES / f"{source}.rs").read_text(encoding="utf-8")
    words = re.search(r'const GUIDE: &str = r(#*)"(.*?)"\1;', text, re.S).group(2)
    return [textwrap.dedent(block) for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", words, re.S | re.M)]


class Watched(Story):
    """Stories with one server; each starts a monitor of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="reveille-monitor-")
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)

    def start(self, command):
        """A monitor, which ends with the story, and with it all that it started."""
        with open(self.place / "log", "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, cwd=self.place, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

        def end():
            try:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(PATIENCE)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

        self.addCleanup(end)

    def hook(self, source, integration):
        return f"{self.url}/hooks/{source}/{key(integration)}"

    def incident(self, **wanted):
        """The newest incident that has these values, once there is one."""

        def look():
            items = self.asks("/api/v1/incidents")["items"]
            return next((item for item in items if all(item[name] == value for name, value in wanted.items())), None)

        try:
            return self.until(f"an incident with {wanted}", look)
        except AssertionError as error:
            log = (self.place / "log").read_text(encoding="utf-8")
            raise AssertionError(f"{error}\n{self.asks('/api/v1/alerts')}\n{log}") from error

    def alerts(self, incident):
        return self.asks(f"/api/v1/incidents/{incident['number']}/alerts")["items"]

    def takes_commands(self, pipe):
        """The monitor takes commands from there, once it has made it."""
        self.pipe = self.place / pipe
        self.until(f"the pipe {pipe}", self.pipe.is_fifo)

    def command(self, words):
        """Nagios' external command, which Icinga knows as well."""
        with open(self.pipe, "w", encoding="utf-8") as pipe:
            pipe.write(f"[{int(time.time())}] {words}\n")
