"""PagerDuty's official Python client against Reveille's doors: the last version that takes any address, and the newest over TLS."""

import json
import os
import subprocess
import sys
import unittest

import pagerduty

from house import PATIENCE
from server import ROUTING_KEY, Story, environment

HERE = os.path.dirname(os.path.abspath(__file__))


class Events(Story):
    def client(self, key=ROUTING_KEY):
        client = pagerduty.EventsApiV2Client(key)
        client.url = self.url
        self.addCleanup(client.close)
        return client

    def test_an_event_triggers_and_resolves(self):
        client = self.client()
        key = client.trigger(
            "The disk of db-3 is full",
            "db-3",
            dedup_key="db-3/disk",
            severity="critical",
            custom_details={"used": "97 %"},
            images=[{"src": "https://example.com/graph.png", "alt": "The disk"}],
        )
        self.assertEqual(key, "db-3/disk")
        alert = self.alert(key, "firing")
        self.assertEqual((alert["title"], alert["severity"]), ("The disk of db-3 is full", "critical"))
        self.assertEqual((alert["labels"]["used"], alert["labels"]["image: The disk"]), ("97 %", "https://example.com/graph.png"))
        self.assertEqual(client.acknowledge(key), key)
        self.until("acknowledged", lambda: self.asks(f"/api/v1/incidents/{alert['incident']}")["state"] == "acknowledged")
        client.resolve(key)
        self.alert(key, "resolved")
        made = client.trigger("Without a key", "db-3")
        self.assertEqual(len(made), 32)
        client.resolve(made)

    def test_a_change_is_recorded(self):
        self.client().send_change_event({"summary": "Deployed build 7", "source": "ci"}, links=[{"href": "https://example.com/7", "text": "Build"}])

    def test_what_is_wrong_is_said(self):
        with self.assertRaises(pagerduty.HttpError) as caught:
            self.client().trigger("x", "y", severity="fatal")
        self.assertEqual(caught.exception.response.status_code, 400)
        self.assertEqual(caught.exception.response.json()["status"], "invalid event")
        with self.assertRaises(pagerduty.HttpError) as caught:
            self.client("0" * 32).trigger("x", "y")
        self.assertEqual(caught.exception.response.status_code, 400)


class Newest(Story):
    tls = True

    def test_the_newest_client_over_tls(self):
        # A process of its own: two versions of one package do not fit in one.
        environ = environment()
        environ["PYTHONPATH"] = os.environ["NEWEST_CLIENTS"]
        port = self.url.rsplit(":", 1)[1]
        command = [sys.executable, f"{HERE}/newest_pagerduty.py", f"https://localhost:{port}", ROUTING_KEY, f"{self.folder}/ca.pem"]
        run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=3 * PATIENCE)
        self.assertEqual(run.returncode, 0, run.stderr)
        told = json.loads(run.stdout)
        self.assertGreaterEqual(int(told["version"].split(".")[0]), 6, told)
        self.assertEqual((told["key"], told["refused"]), ("db-3/disk", 400))


if __name__ == "__main__":
    unittest.main()
