"""A real Icinga 2 with the guide's commands, users and notifications."""

import os
import unittest

from house import BIN
from watched import GROUP, HOSTILE, USER, Watched, configured, guide

OBJECTS = """
include <itl>

object ExternalCommandListener "command" { command_path = "FOLDER/icinga2.cmd" }
object NotificationComponent "notification" { }

object Host "db01" {
  check_command = "passive"
  enable_active_checks = false
  max_check_attempts = 1
  address = "192.0.2.10"
}

object Service "disk /" {
  host_name = "db01"
  check_command = "passive"
  enable_active_checks = false
  max_check_attempts = 1
}
"""


class Icinga(Watched):
    configuration = configured(icinga="icinga2")

    def setUp(self):
        super().setUp()
        (ours,) = guide("icinga2")
        ours = ours.replace("{url}", self.hook("icinga2", "icinga")).replace("/usr/bin/reveille", BIN)
        (self.place / "icinga2.conf").write_text(OBJECTS.replace("FOLDER", str(self.place)) + ours, encoding="utf-8")
        places = {"ObjectsPath": "objects", "VarsPath": "vars", "StatePath": "state", "ModAttrPath": "modified", "PidPath": "pid"}
        places.update({f"{name}Dir": name for name in ["Data", "Log", "Spool", "Cache", "InitRun", "Config"]})
        settings = {"RunAsUser": USER, "RunAsGroup": GROUP}
        for name, place in places.items():
            settings[name] = self.place / place
            if name.endswith("Dir"):
                os.mkdir(settings[name])
        defined = [word for name, value in settings.items() for word in ("-D", f"Configuration.{name}={value}")]
        self.start(["icinga2", "daemon", "-c", "icinga2.conf", *defined])
        self.takes_commands("icinga2.cmd")

    def test_a_service_fails_is_acknowledged_and_recovers(self):
        self.command(f"PROCESS_SERVICE_CHECK_RESULT;db01;disk /;2;{HOSTILE}")
        incident = self.incident(state="triggered")
        (alert,) = self.alerts(incident)
        self.assertEqual((alert["dedup_key"], alert["severity"], alert["state"]), ("db01!disk /", "critical", "firing"))
        self.assertEqual(alert["title"], f"disk / on db01 is CRITICAL: {HOSTILE}")
        self.command("ACKNOWLEDGE_SVC_PROBLEM;db01;disk /;1;1;0;ana;I am on it")
        self.incident(number=incident["number"], state="acknowledged")
        self.command("PROCESS_SERVICE_CHECK_RESULT;db01;disk /;0;DISK OK")
        self.incident(number=incident["number"], state="resolved")

    def test_a_host_goes_down_and_comes_back(self):
        self.command("PROCESS_HOST_CHECK_RESULT;db01;1;PING CRITICAL - Packet loss = 100%")
        incident = self.incident(state="triggered", title="db01 is DOWN: PING CRITICAL - Packet loss = 100%")
        self.assertEqual([alert["dedup_key"] for alert in self.alerts(incident)], ["db01"])
        self.command("PROCESS_HOST_CHECK_RESULT;db01;0;PING OK")
        self.incident(number=incident["number"], state="resolved")


if __name__ == "__main__":
    unittest.main()
