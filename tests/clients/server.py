"""Reveille itself as a process, with one integration for each protocol that clients of other products speak."""

import json
import os
import re
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from house import BIN, PATIENCE

CONFIGURATION = """
[[user]]
id       = "ana"
name     = "Ana Ruiz"
timezone = "Europe/Paris"
contacts = [{ id = "mail", kind = "email", to = "ana@example.com" }]

[[policy]]
id    = "platform"
steps = [{ notify = ["user:ana"] }]

[[service]]
id     = "api"
name   = "Public API"
policy = "platform"
group  = { window = "0s" }

[[integration]]
id      = "genie"
source  = "opsgenie"
service = "api"
key     = "eb243592-faa2-4ba2-a551-1afdf565c889"

[[integration]]
id      = "events"
source  = "pagerduty"
service = "api"
key     = "e93facc04764012d7bfb002500d5d1a6"

[[integration]]
id      = "webhook"
source  = "alertmanager"
service = "api"
key     = "alertmanagerkey0000000001"
"""

GENIE_KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
ROUTING_KEY = "e93facc04764012d7bfb002500d5d1a6"
WEBHOOK_KEY = "alertmanagerkey0000000001"


def environment():
    """This process's own, without what would configure the server behind its back."""
    return {name: value for name, value in os.environ.items() if not name.startswith("REVEILLE_")}


class Story(unittest.TestCase):
    """Stories with one server, which keeps its certificate's authority beside its database where it has one."""

    tls = False

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="reveille-protocols-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        configuration = CONFIGURATION
        if cls.tls:
            cls.certify()
            configuration = f'[server.tls]\ncert = "{folder.name}/cert.pem"\nkey = "{folder.name}/key.pem"\n' + configuration
        with open(f"{folder.name}/reveille.toml", "w", encoding="utf-8") as file:
            file.write(configuration)
        command = [BIN, "serve", "--config", "reveille.toml", "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, cwd=folder.name, env=environment(), stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(process.stderr.close)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        cls.url, said = None, ""
        while cls.url is None:
            line = process.stderr.readline()
            said += line
            if not line:
                raise AssertionError(f"the server ended: {said}")
            listens = re.search(r"listens on (https?:\S+)", line)
            cls.url = listens and listens.group(1)
        made = [BIN, "token", "create", "story", "--scope", "read"]
        cls.token = subprocess.run(made, cwd=folder.name, env=environment(), check=True, capture_output=True, text=True).stdout.strip()

    @classmethod
    def certify(cls):
        """An authority of this story's own, and a certificate of it for this machine."""

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=cls.folder, check=True, capture_output=True, timeout=PATIENCE)

        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=A story's own authority")
        openssl("req", *key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
        with open(f"{cls.folder}/names", "w", encoding="utf-8") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "cert.pem", "-days", "1", "-extfile", "names")

    def asks(self, path):
        """What the API answers; only of a server without a certificate."""
        request = urllib.request.Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def until(self, what, look):
        """What `look` finds, once it finds something."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = look()
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come within {PATIENCE} s")

    def alert(self, key, state):
        """The newest alert of this dedup key, once it is in this state."""

        def look():
            of_key = [alert for alert in self.asks("/api/v1/alerts")["items"] if alert["dedup_key"] == key]
            return of_key and of_key[0]["state"] == state and of_key[0]

        return self.until(f"{key} {state}", look)
