"""A real Nagios runs the commands of the guide: with its macros in the environment, and with arguments, by `reveille` and by `curl`."""

import subprocess
import unittest

from house import BIN
from watched import GROUP, HOSTILE, USER, Watched, configured, guide

SETTINGS = """
log_file={folder}/log
cfg_file={folder}/objects.cfg
object_cache_file={folder}/objects.cache
precached_object_file={folder}/objects.precache
status_file={folder}/status.dat
temp_file={folder}/nagios.tmp
temp_path={folder}
lock_file={folder}/nagios.pid
state_retention_file={folder}/retention.dat
check_result_path={folder}/results
command_file={folder}/nagios.cmd
query_socket={folder}/nagios.qh
check_external_commands=1
use_syslog=0
execute_service_checks=0
execute_host_checks=0
check_for_updates=0
nagios_user={user}
nagios_group={group}
illegal_macro_output_chars=`~$&|'"<>
"""

OBJECTS = """
define timeperiod {
    timeperiod_name 24x7
    alias always
    monday 00:00-24:00
    tuesday 00:00-24:00
    wednesday 00:00-24:00
    thursday 00:00-24:00
    friday 00:00-24:00
    saturday 00:00-24:00
    sunday 00:00-24:00
}

define command {
    command_name nothing
    command_line /bin/true
}

define contact {
    contact_name by-arguments
    host_notification_commands notify-reveille-host
    service_notification_commands notify-reveille-service
    host_notification_period 24x7
    service_notification_period 24x7
    host_notification_options d,u,r,f
    service_notification_options w,u,c,r,f
}

define host {
    host_name db01
    address 192.0.2.10
    check_command nothing
    max_check_attempts 1
    check_period 24x7
    active_checks_enabled 0
    contacts reveille,by-arguments
    notification_period 24x7
    notification_interval 0
}

define service {
    host_name db01
    service_description disk /
    check_command nothing
    max_check_attempts 1
    check_period 24x7
    active_checks_enabled 0
    contacts reveille,by-arguments
    notification_period 24x7
    notification_interval 0
}
"""


class Nagios(Watched):
    configuration = configured(environment="nagios", arguments="nagios")

    def setUp(self):
        super().setUp()
        setting, environment, arguments = guide("nagios")
        objects = OBJECTS
        for block, integration in [(environment, "environment"), (arguments, "arguments")]:
            objects += block.replace("{url}", self.hook("nagios", integration)).replace("/usr/bin/reveille", BIN)
        (self.place / "objects.cfg").write_text(objects, encoding="utf-8")
        settings = SETTINGS.format(folder=self.place, user=USER, group=GROUP) + setting
        (self.place / "nagios.cfg").write_text(settings, encoding="utf-8")
        (self.place / "results").mkdir()
        checked = subprocess.run(["nagios4", "-v", "nagios.cfg"], cwd=self.place, capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.start(["nagios4", "nagios.cfg"])
        self.takes_commands("nagios.cmd")

    def both(self, **wanted):
        """The incidents that both ways opened."""
        return [self.incident(service=service, **wanted) for service in ["environment", "arguments"]]

    def test_a_service_fails_is_acknowledged_and_recovers(self):
        self.command(f"PROCESS_SERVICE_CHECK_RESULT;db01;disk /;2;{HOSTILE}")
        # What comes by the environment passes no shell, so nothing had to be taken out of it.
        said = [HOSTILE, "DISK CRITICAL x y HOME id (id) b 100%"]
        for incident, output in zip(self.both(state="triggered"), said):
            (alert,) = self.alerts(incident)
            self.assertEqual((alert["dedup_key"], alert["severity"], alert["state"]), ("db01!disk /", "critical", "firing"))
            self.assertEqual(alert["title"], f"disk / on db01 is CRITICAL: {output}")
        self.command("ACKNOWLEDGE_SVC_PROBLEM;db01;disk /;1;1;0;ana;I am on it")
        acknowledged = self.both(state="acknowledged")
        self.command("PROCESS_SERVICE_CHECK_RESULT;db01;disk /;0;DISK OK")
        for incident in acknowledged:
            self.incident(number=incident["number"], state="resolved")

    def test_a_host_goes_down_and_comes_back(self):
        self.command("PROCESS_HOST_CHECK_RESULT;db01;1;PING CRITICAL - Packet loss = 100%")
        down = self.both(state="triggered", title="db01 is DOWN: PING CRITICAL - Packet loss = 100%")
        self.assertEqual([[alert["dedup_key"] for alert in self.alerts(incident)] for incident in down], [["db01"], ["db01"]])
        self.command("PROCESS_HOST_CHECK_RESULT;db01;0;PING OK")
        for incident in down:
            self.incident(number=incident["number"], state="resolved")


if __name__ == "__main__":
    unittest.main()
