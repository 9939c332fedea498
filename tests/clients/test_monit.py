"""A real monit runs `reveille send` as the guide says: when a process is gone, and when it is back."""

import os
import unittest

from house import BIN
from watched import Watched, configured, guide

SETTINGS = """
set daemon 1
set pidfile {folder}/monit.pid
set idfile {folder}/monit.id
set statefile {folder}/monit.state
"""


class Monit(Watched):
    configuration = configured(monit="generic")

    def test_a_process_goes_and_comes_back(self):
        (check,) = [block for block in guide("generic") if "check process" in block]
        for written, here in [("/usr/bin/reveille", BIN), ("/run/shop.pid", f"{self.place}/shop.pid"), ("{url}", self.hook("generic", "monit"))]:
            check = check.replace(written, here)
        settings = self.place / "monitrc"
        settings.write_text(SETTINGS.format(folder=self.place) + check, encoding="utf-8")
        settings.chmod(0o600)
        self.start(["monit", "-I", "-c", str(settings)])
        incident = self.incident(state="triggered", title="The shop is down")
        self.assertEqual([alert["dedup_key"] for alert in self.alerts(incident)], ["shop"])
        # As good a process as any.
        (self.place / "shop.pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
        self.incident(number=incident["number"], state="resolved")


if __name__ == "__main__":
    unittest.main()
