"""A real monit runs `reveille send` when a file is gone, and when it is back."""

import subprocess
import unittest

from house import BIN
from watched import Watched

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
    integrations = {"monit": "generic"}

    def log(self):
        return (self.folder / "monit.log").read_text(encoding="utf-8")

    def test_a_file_goes_and_comes_back(self):
        settings = self.folder / "monitrc"
        settings.write_text(SETTINGS.format(folder=self.folder, bin=BIN, hook=self.hook("monit")), encoding="utf-8")
        settings.chmod(0o600)
        with open(self.folder / "monit.log", "w", encoding="utf-8") as log:
            self.start(["monit", "-I", "-c", str(settings)], stdout=log, stderr=subprocess.STDOUT)
        number = self.until("incidents", state="triggered", title="The lock is gone")["number"]
        self.assertEqual([(alert["dedup_key"], alert["severity"]) for alert in self.items("alerts")], [("lock", "critical")])
        (self.folder / "lock").touch()
        self.until("incidents", number=number, state="resolved")


if __name__ == "__main__":
    unittest.main()
