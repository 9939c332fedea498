"""The stage as a process, and a small server in the place of Reveille that keeps what it is sent."""

import os
import re
import subprocess
import tempfile
import threading
import unittest
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json

BIN = os.environ["REVEILLE_BIN"]
PATIENCE = 20


class Home:
    """Takes every POST, keeps it, and answers as told."""

    def __init__(self):
        home = self
        self.asked = []
        self.answers = []
        self.came = threading.Condition()

        class Door(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                with home.came:
                    home.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                    kind, words = home.answers.pop(0) if home.answers else ("text/plain", "")
                    home.came.notify_all()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(words.encode())))
                self.end_headers()
                self.wfile.write(words.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def until(self, count, path):
        """The first `count` requests to this path, once they have come."""
        of = lambda: [each for each in self.asked if each[0].startswith(path)]
        with self.came:
            if not self.came.wait_for(lambda: len(of()) >= count, PATIENCE):
                raise AssertionError(f"{path} was asked {len(of())} times, not {count}: {self.asked}")
            return of()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Story(unittest.TestCase):
    """A story with a stage of its own."""

    options = []

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        folder = tempfile.TemporaryDirectory(prefix="reveille-clients-")
        self.addCleanup(folder.cleanup)
        command = [BIN, "stage", "--listen", "127.0.0.1:0", "--smtp", "127.0.0.1:0", "--reveille", self.home.url, *self.options]
        self.process = subprocess.Popen(command, cwd=folder.name, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.terminate)
        said = ""
        while "Stop with Ctrl-C" not in said:
            line = self.process.stdout.readline()
            self.assertTrue(line, f"the stage ended: {said}")
            said += line
        self.url = re.search(r"page\s+(http:\S+)", said).group(1)
        self.settings = dict(re.findall(r'(\w+) += "([^"]*)"', said))
        self.smtp = re.search(r'url +="? ?"(smtp:[^"]+)"', said) or re.search(r'"(smtp:[^"]+)"', said)
        self.smtp = self.smtp.group(1)
        self.slack_url = re.search(r'"(http:[^"]+/slack/api)"', said).group(1)

    def hand(self, path, body):
        """Someone at the page does something."""
        request = urllib.request.Request(
            f"{self.url}/stage/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            self.assertEqual(answer.status, 204)

    def state(self):
        with urllib.request.urlopen(f"{self.url}/stage/state", timeout=PATIENCE) as answer:
            return json.load(answer)
