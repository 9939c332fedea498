"""Real Prometheus and amtool from Debian, with the built server in an Alertmanager's place; every answer held to the published description."""

import base64
import datetime
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jsonschema
import yaml

from house import BIN, PATIENCE

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
with open(os.path.join(ROOT, "tests", "specs", "alertmanager_v2.json"), encoding="utf-8") as spec:
    SPEC = json.load(spec)
BEARER, BASIC = "bearerkey0000000000000001", "basickey00000000000000001"

CONFIGURATION = f"""
[[user]]
id       = "ana"
timezone = "Europe/Paris"
contacts = [{{ id = "mail", kind = "email", to = "ana@example.com" }}]

[[policy]]
id    = "platform"
steps = [{{ notify = ["user:ana"] }}]

[[service]]
id           = "shop"
policy       = "platform"
group.window = "0s"

[[integration]]
id      = "bearer"
source  = "alertmanager_api"
service = "shop"
key     = "{BEARER}"

[[integration]]
id      = "basic"
source  = "alertmanager_api"
service = "shop"
key     = "{BASIC}"
"""

PROMETHEUS = """
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: [rules.yml]
scrape_configs:
  - job_name: shop
    static_configs: [{{ targets: ["{shop}"] }}]
  - job_name: reveille
    static_configs: [{{ targets: ["{reveille}"] }}]
alerting:
  alertmanagers:
    - authorization: {{ credentials: {bearer} }}
      static_configs: [{{ targets: ["{reveille}"] }}]
    - basic_auth: {{ username: prometheus, password: {basic} }}
      static_configs: [{{ targets: ["{reveille}"] }}]
"""

RULES = """
groups:
  - name: shop
    rules:
      - alert: ShopIsDown
        expr: shop_up == 0
        labels: { severity: critical }
        annotations: { summary: "The shop of {{ $labels.instance }} is down" }
"""


class Shop:
    """Something to be watched: it is up or down."""

    def __init__(self):
        shop = self
        self.up = 1

        class Door(BaseHTTPRequestHandler):
            def do_GET(self):
                text = f"shop_up {shop.up}\n".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, patience=PATIENCE * 2):
    """What the function gives, once it gives something."""
    ends = time.monotonic() + patience
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > ends:
            raise AssertionError(f"waited {patience} s for {what.__name__}")
        time.sleep(0.1)


class Rules(unittest.TestCase):
    def test_the_rules_wake_for_a_bad_day_and_not_for_a_good_one(self):
        for words in [["check", "rules", os.path.join(ROOT, "docs", "alerts.rules.yml")], ["test", "rules", os.path.join(HERE, "alerts.test.yml")]]:
            checked = subprocess.run(["promtool", *words], capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


class Alertmanager(unittest.TestCase):
    def setUp(self):
        for tool in ["prometheus", "amtool", "promtool"]:
            self.assertTrue(shutil.which(tool), f"{tool} is missing: scripts/packages prometheus")
        folder = tempfile.TemporaryDirectory(prefix="reveille-prometheus-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.write("reveille.toml", CONFIGURATION)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("REVEILLE_")}
        command = [BIN, "serve", "--config", "reveille.toml", "--listen", "127.0.0.1:0"]
        process = self.runs(command, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.url = None
        while self.url is None:
            line = process.stderr.readline()
            self.assertTrue(line, "the server ended")
            listens = re.search(r"listens on (http:\S+)", line)
            self.url = listens and listens.group(1)
        threading.Thread(target=process.stderr.read, daemon=True).start()
        made = [BIN, "token", "create", "story", "--scope", "respond"]
        self.token = subprocess.run(
            made, cwd=self.folder, env=self.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def runs(self, command, **options):
        process = subprocess.Popen(command, cwd=self.folder, **options)
        if process.stderr:
            self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return process

    def asks(self, method, path, body=None, secret=BEARER, basic=False):
        """The status and the answer, held to the description."""
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        pair = base64.b64encode(f"anybody:{secret}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {pair}" if basic else f"Bearer {secret}"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            with refusal:
                status, text = refusal.status, refusal.read()
        answer = json.loads(text) if text and path.startswith("/api/") else None
        if path.startswith("/api/v2/"):
            self.fits(method, path, status, answer)
        return status, answer

    def fits(self, method, path, status, answer):
        path = urllib.parse.urlsplit(path).path.removeprefix("/api/v2")
        template = re.sub(r"^/silence/.*", "/silence/{silenceID}", path)
        if status in (401, 403):
            self.assertIsInstance(answer, str)
            return
        told = SPEC["paths"][template][method.lower()]["responses"]
        self.assertIn(str(status), told, f"{method} {path}: {answer}")
        told = told[str(status)]
        if "$ref" in told:
            told = SPEC["responses"][told["$ref"].rsplit("/", 1)[1]]
        if "schema" not in told:
            self.assertTrue(answer is None or isinstance(answer, str), answer)
            return
        checker = jsonschema.FormatChecker(formats=["date-time"])
        validator = jsonschema.Draft4Validator({**told["schema"], "definitions": SPEC["definitions"]}, format_checker=checker)
        self.assertEqual([error.message for error in validator.iter_errors(answer)], [], f"{method} {path}: {answer}")

    def rest(self, path):
        return self.asks("GET", f"/api/v1{path}", secret=self.token)[1]

    def incidents(self, state):
        return [each for each in self.rest("/incidents")["items"] if each["state"] == state]

    def amtool(self, *words, key=BEARER, fails=False):
        host = self.url.removeprefix("http://")
        command = ["amtool", f"--alertmanager.url=http://anybody:{key}@{host}", *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE, env={**self.environment, "HOME": self.folder})
        self.assertEqual(done.returncode != 0, fails, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout + (done.stderr if fails else "")

    def test_prometheus_sends_here_by_bearer_and_by_basic(self):
        shop = Shop()
        self.addCleanup(shop.close)
        reveille = self.url.removeprefix("http://")
        self.write("prometheus.yml", PROMETHEUS.format(shop=shop.address, reveille=reveille, bearer=BEARER, basic=BASIC))
        self.write("rules.yml", RULES)
        for kind, name in [("config", "prometheus.yml"), ("rules", "rules.yml")]:
            checked = subprocess.run(["promtool", "check", kind, name], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        port = free_port()
        self.runs(
            ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        shop.up = 0

        def both_fire():
            return len(self.incidents("triggered")) == 2 and self.incidents("triggered")

        incidents = until(both_fire)
        self.assertEqual({each["title"] for each in incidents}, {f"The shop of {shop.address} is down"})
        for key, basic in [(BEARER, False), (BASIC, True)]:
            (alert,) = self.asks("GET", "/api/v2/alerts", secret=key, basic=basic)[1]
            self.assertEqual(alert["labels"]["alertname"], "ShopIsDown")
            self.assertEqual(alert["labels"]["job"], "shop")
            self.assertEqual(alert["status"]["state"], "active")
            self.assertIn(f":{port}/graph", alert["generatorURL"])
        # Prometheus knows it by the same begin.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=PATIENCE) as answer:
            known = json.load(answer)["data"]["alerts"][0]
        self.assertEqual(known["activeAt"][:19], alert["startsAt"][:19])
        shop.up = 1

        def both_end():
            return len(self.incidents("resolved")) == 2

        until(both_end)
        self.assertEqual(self.asks("GET", "/api/v2/alerts")[1], [])
        self.queries_run(port)

    def queries_run(self, port):
        """Our own rules, and the dashboard's every query, in that Prometheus; they name no metric that is not documented."""
        paper = pathlib.Path(ROOT, "docs", "metrics.md").read_text(encoding="utf-8")
        documented = set(re.findall(r"^\| `(reveille_\w+)`", paper, re.M))
        rules = yaml.safe_load(pathlib.Path(ROOT, "docs", "alerts.rules.yml").read_text(encoding="utf-8"))
        rules = [rule for group in rules["groups"] for rule in group["rules"]]
        for rule in rules:
            self.assertIn(rule["labels"]["severity"], ["critical", "warning"], rule)
            self.assertGreater(len(rule["annotations"]["summary"]), 10, rule)
            self.assertGreater(len(rule["annotations"]["description"]), 40, rule)
        panels = json.loads(pathlib.Path(ROOT, "docs", "grafana.json").read_text(encoding="utf-8"))["panels"]
        drawn = [target["expr"] for panel in panels for target in panel.get("targets", [])]
        self.assertGreater(min(len(rules), len(drawn)), 10)
        unused = set(documented)
        for query in [rule["expr"] for rule in rules] + drawn:
            for name in re.findall(r"\breveille_\w+", query):
                family = name if name in documented else re.sub(r"_(bucket|count|sum)$", "", name)
                self.assertIn(family, documented, query)
                unused.discard(family)
            found = self.query(port, query.replace("$__rate_interval", "1m").replace("$job", "reveille"))
            # A figure that every process shows from its beginning is drawn in any case; a lane is there while something in it is due.
            if query in drawn and re.match(r"(max|min|sum|count)( by \([^)]*\) )?\(reveille_(?!webhook|outbox)\w+\{[^}]*\}\)$", query):
                self.assertTrue(found, f"{query} finds nothing")
        self.assertEqual(unused, set(), "neither watched nor drawn")

    def query(self, port, query):
        """What Prometheus finds."""
        data = urllib.parse.urlencode({"query": query}).encode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query", data, timeout=PATIENCE) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise AssertionError(f"{query}: {refusal.read()}") from refusal

    def test_amtool_sees_adds_and_silences(self):
        self.amtool("alert", "add", "DiskFull", "instance=db1", "severity=critical", "--annotation=summary=The disk is full")
        self.amtool("alert", "add", "alertname=DiskFull", "instance=db2")

        def both():
            return len(self.asks("GET", "/api/v2/alerts")[1]) == 2

        until(both)
        told = self.amtool("alert", "query")
        self.assertIn("DiskFull", told)
        self.assertIn("The disk is full", told)
        self.assertNotIn("db2", self.amtool("alert", "query", "instance=~db1.*", "-o", "json"))
        # The fingerprints are those of a real Alertmanager.
        marks = {alert["labels"]["instance"]: alert["fingerprint"] for alert in self.asks("GET", "/api/v2/alerts")[1]}
        self.assertEqual(marks, {"db1": "e94c744ae3d44df8", "db2": "3534ae6a3b587501"})

        silence = self.amtool("silence", "add", "alertname=DiskFull", "instance=~db1|db9", "-c", "we are at it", "-a", "ana", "-d", "1h").strip()
        self.assertRegex(silence, r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")

        def silenced():
            alerts = {alert["labels"]["instance"]: alert["status"] for alert in self.asks("GET", "/api/v2/alerts")[1]}
            return alerts["db1"]["state"] == "suppressed" and alerts

        alerts = until(silenced)
        self.assertEqual(alerts["db1"]["silencedBy"], [silence])
        self.assertEqual(alerts["db2"]["state"], "active")
        self.assertNotIn("db1", self.amtool("alert", "query", "-o", "extended"))
        self.assertIn("db1", self.amtool("alert", "query", "--silenced", "-o", "extended"))
        self.assertIn("we are at it", self.amtool("silence", "query"))
        self.assertIn(silence, self.amtool("silence", "query", "-q", "alertname=DiskFull"))
        # The other key sees and ends none of it; a token sees all.
        self.assertEqual(self.amtool("silence", "query", "-q", key=BASIC), "")
        self.amtool("silence", "expire", silence, key=BASIC, fails=True)
        self.assertIn(silence, self.amtool("silence", "query", "-q", key=self.token))

        # Its own -q prints an address in memory.
        self.assertIn(silence, self.amtool("silence", "update", silence, "-d", "2h", "-c", "longer"))
        ends = datetime.datetime.fromisoformat(self.asks("GET", f"/api/v2/silence/{silence}")[1]["endsAt"].replace("Z", "+00:00"))
        self.assertGreater(ends, datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=110))
        self.amtool("silence", "expire", silence)

        def heard():
            return all(alert["status"]["state"] == "active" for alert in self.asks("GET", "/api/v2/alerts")[1])

        until(heard)
        (row,) = self.asks("GET", "/api/v2/silences")[1]
        self.assertEqual((row["id"], row["status"]["state"], row["comment"]), (silence, "expired", "longer"))
        self.assertIn(silence, self.amtool("silence", "query", "--expired", "-q"))
        self.assertIn("shop", self.amtool("config", "show"))
        self.assertIn("shop", self.amtool("config", "routes"))
        self.assertIn("disabled", self.amtool("cluster", "show"))

    def test_grafana_asks_and_a_wrong_request_hears_why(self):
        self.assertEqual(self.asks("POST", "/api/v2/alerts", [{"labels": {"alertname": "A", "team": "x"}}])[0], 200)
        until(lambda: self.asks("GET", "/api/v2/alerts")[1])
        # What Grafana's data source asks: its test, its lists, and a silence made, read and ended.
        self.assertEqual(self.asks("GET", "/api/v2/status")[1]["cluster"]["status"], "disabled")
        self.assertEqual(self.asks("GET", "/api/v2/receivers")[1], [{"name": "shop"}])
        (group,) = self.asks("GET", "/api/v2/alerts/groups?silenced=true&active=true&inhibited=true&unprocessed=true")[1]
        self.assertEqual((group["receiver"]["name"], len(group["alerts"])), ("shop", 1))
        self.assertEqual(self.asks("GET", "/api/v2/alerts/groups?active=false")[1], [])
        self.assertEqual(len(self.asks("GET", "/api/v2/alerts?filter=team%3Dx&filter=alertname%3D~%22A%7CB%22&receiver=sh.*")[1]), 1)
        self.assertEqual(self.asks("GET", "/api/v2/alerts?filter=%7Bteam%21%3D%22x%22%7D")[1], [])
        self.assertEqual(self.asks("GET", "/api/v2/alerts?receiver=other")[1], [])
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp = lambda minutes: (now + datetime.timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
        wanted = {
            "matchers": [{"name": "team", "value": "x", "isRegex": False, "isEqual": True}],
            "startsAt": stamp(0),
            "endsAt": stamp(60),
            "createdBy": "admin",
            "comment": "created from Grafana",
        }
        status, made = self.asks("POST", "/api/v2/silences", wanted)
        self.assertEqual((status, list(made)), (200, ["silenceID"]))
        self.assertEqual(self.asks("DELETE", f"/api/v2/silence/{made['silenceID']}")[0], 200)
        self.assertEqual(self.asks("GET", f"/api/v2/silence/{made['silenceID']}")[1]["status"]["state"], "expired")
        for wrong in [
            {},
            {**wanted, "matchers": []},
            {**wanted, "matchers": [{"name": "team", "value": "(", "isRegex": True}]},
            {**wanted, "matchers": [{"name": "team", "value": ".*", "isRegex": True}]},
            {**wanted, "endsAt": stamp(-1), "startsAt": stamp(-2)},
            {**wanted, "endsAt": stamp(-1)},
            {**wanted, "startsAt": "soon"},
        ]:
            status, why = self.asks("POST", "/api/v2/silences", wrong)
            self.assertEqual((status, type(why)), (400, str), wrong)
        nobody = "01a0b0c0-0000-7000-8000-000000000000"
        self.assertEqual(self.asks("POST", "/api/v2/silences", {**wanted, "id": nobody})[0], 404)
        self.assertEqual(self.asks("GET", f"/api/v2/silence/{nobody}")[0], 404)
        self.assertEqual(self.asks("DELETE", f"/api/v2/silence/{nobody}")[0], 404)
        for path in ["alerts?filter=%7B", "alerts?active=maybe", "alerts?receiver=(", "silences?filter=x", "alerts/groups?filter=%3D"]:
            self.assertEqual(self.asks("GET", f"/api/v2/{path}")[0], 400, path)
        # What a valid key cannot say is refused, and an alert all the same.
        for body in [b"", b"x", b"{}", b"[7]", b'[{"labels":{}}]', b'[{"labels":{"a":1}}]']:
            self.assertEqual(self.asks("POST", "/api/v2/alerts", body)[0], 400, body)

        def told():
            return [each for each in self.rest("/alerts")["items"] if each["dedup_key"] == "reveille:unreadable"]

        self.assertEqual(until(told)[0]["state"], "firing")
        self.assertEqual(self.asks("POST", "/api/v2/alerts", [])[0], 200)
        for secret in ["wrong", ""]:
            self.assertEqual(self.asks("GET", "/api/v2/alerts", secret=secret)[0], 401)
        self.assertEqual(self.asks("POST", "/api/v2/alerts", [], secret=self.token)[0], 403)
        for path in ["/-/healthy", "/-/ready"]:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
                self.assertEqual(answer.status, 200)
        # Grafana takes what answers there for a Mimir.
        self.assertEqual(self.asks("GET", "/alertmanager/api/v2/status")[0], 404)


if __name__ == "__main__":
    unittest.main()
