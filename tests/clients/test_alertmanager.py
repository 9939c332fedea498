"""Debian's Alertmanager tells Reveille what fires and what is over, in three protocols at once."""

import datetime
import json
import re
import subprocess
import unittest
import urllib.request

from house import PATIENCE
from server import GENIE_KEY, ROUTING_KEY, WEBHOOK_KEY, Story, environment

ROUTES = """
route:
  receiver: reveille
  group_by: [alertname]
  group_wait: 10ms
  group_interval: 500ms
  repeat_interval: 1h
receivers:
  - name: reveille
    pagerduty_configs:
      - routing_key: {routing_key}
        url: {url}/v2/enqueue
        severity: '{{{{ .CommonLabels.severity }}}}'
    opsgenie_configs:
      - api_key: {genie_key}
        api_url: {url}/
        priority: P1
        tags: 'prometheus,{{{{ .CommonLabels.job }}}}'
        note: 'Sent by Alertmanager'
        update_alerts: true
    webhook_configs:
      - url: {url}/hooks/alertmanager/{webhook_key}
"""


class Alertmanager(Story):
    def setUp(self):
        with open(f"{self.folder}/alertmanager.yml", "w", encoding="utf-8") as file:
            file.write(ROUTES.format(url=self.url, routing_key=ROUTING_KEY, genie_key=GENIE_KEY, webhook_key=WEBHOOK_KEY))
        command = ["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alertmanager", "--log.format=logfmt"]
        command += ["--web.listen-address=127.0.0.1:0", "--web.external-url=http://alertmanager.example", "--cluster.listen-address="]
        environ = {name: value for name, value in environment().items() if "proxy" not in name.lower()}
        process = subprocess.Popen(command, cwd=self.folder, env=environ, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        said, self.manager = "", None
        while self.manager is None:
            line = process.stderr.readline()
            said += line
            self.assertTrue(line, f"Alertmanager ended: {said}")
            listens = re.search(r'msg="Listening on" address=(\S+)', line)
            self.manager = listens and listens.group(1)

    def tells(self, disk="data", **times):
        labels = {"alertname": "DiskFull", "job": "db", "severity": "critical", "disk": disk}
        alert = {"labels": labels, "annotations": {"summary": "97 % of db-3"}, **times}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.manager}/api/v2/alerts", json.dumps([alert]).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            self.assertEqual(answer.status, 200)

    def of_source(self, state):
        """The alert of each source, once all three are in this state."""

        def look():
            alerts = {alert["source"]: alert for alert in self.asks("/api/v1/alerts")["items"] if alert["state"] == state}
            return len(alerts) == 3 and alerts

        return self.until(f"three alerts {state}", look)

    def test_what_fires_and_what_is_over_arrives_in_three_protocols(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.tells(startsAt=now.isoformat())
        alerts = self.of_source("firing")
        self.assertEqual(sorted(alerts), ["alertmanager", "opsgenie", "pagerduty"])
        for source, alert in alerts.items():
            # The webhook brings the alert's own summary, the others what Alertmanager makes of its group.
            self.assertIn("97 % of db-3" if source == "alertmanager" else "DiskFull", alert["title"], source)
            self.assertEqual(alert["severity"], "critical", source)
        self.assertEqual(alerts["opsgenie"]["labels"]["tags"], "prometheus, db")
        self.assertEqual(alerts["opsgenie"]["dedup_key"], alerts["pagerduty"]["dedup_key"], "the group's key")
        self.assertIn("FIRING:1", alerts["opsgenie"]["title"])

        # A second disk: Alertmanager says so of the alert that there is, by `update_alerts`, and nothing it asks for is refused.
        self.tells("log", startsAt=now.isoformat())

        def updated():
            alert = next(alert for alert in self.asks("/api/v1/alerts")["items"] if alert["source"] == "opsgenie")
            return "FIRING:2" in alert["title"] and "disk = log" in alert["labels"]["description"]

        self.until("the new message and description", updated)
        over = datetime.datetime.now(datetime.timezone.utc).isoformat()
        for disk in ["data", "log"]:
            self.tells(disk, startsAt=now.isoformat(), endsAt=over)
        self.over()

    def over(self):
        """Everything of each source is over; the webhook has an alert of each disk."""

        def look():
            alerts = self.asks("/api/v1/alerts")["items"]
            return len(alerts) == 4 and all(alert["state"] == "resolved" for alert in alerts)

        self.until("four alerts resolved", look)


if __name__ == "__main__":
    unittest.main()
