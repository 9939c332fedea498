"""A real monit runs `reveille send` when a file is gone, and when it is back."""

import unittest

from house import BIN
from watched import Watched, configured

SETTINGS = """
set daemon 1
set pidfile {folder}/monit.pid
set idfile {folder}/monit.id
set statefile {folder}/monit.state
check file lock with path {folder}/lock
  if not exist then exec "{bin} send 'The lock is gone' --severity critical --dedup-key lock --hook {hook}"
  else if succeeded then exec "{bin} send --dedup-key lock --state resolved --hook {hook}"
"""


class Monit(Watched):
    configuration = configured(monit="generic")

    def test_a_file_goes_and_comes_back(self):
        settings = self.place / "monitrc"
        settings.write_text(SETTINGS.format(folder=self.place, bin=BIN, hook=self.hook("generic", "monit")), encoding="utf-8")
        settings.chmod(0o600)
        self.start(["monit", "-I", "-c", str(settings)])
        incident = self.incident(state="triggered", title="The lock is gone")
        self.assertEqual([(alert["dedup_key"], alert["severity"]) for alert in self.alerts(incident)], [("lock", "critical")])
        (self.place / "lock").touch()
        self.incident(number=incident["number"], state="resolved")


if __name__ == "__main__":
    unittest.main()
