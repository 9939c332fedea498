"""The API's own document, read by a validator of OpenAPI 3.1, and real answers held to its schemas."""

import json
import os
import re
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from house import BIN, PATIENCE

CONFIGURATION = """
[[user]]
id       = "ana"
name     = "Ana Ruiz"
timezone = "Europe/Paris"
contacts = [{ id = "mail", kind = "email", to = "ana@example.com" }]

[[schedule]]
id        = "platform"
timezone  = "Europe/Paris"
rotations = [{ members = ["ana"], every = "1w", handoff = "Mon 09:00", start = "2026-01-05" }]

[[policy]]
id    = "platform"
steps = [{ notify = ["schedule:platform"] }]

[[service]]
id     = "api"
name   = "Public API"
policy = "platform"

[[integration]]
id      = "scripts"
source  = "generic"
service = "api"
key     = "generickey0000000000000001"
"""


class Api(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="reveille-api-")
        cls.addClassCleanup(folder.cleanup)
        with open(f"{folder.name}/reveille.toml", "w", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REVEILLE_")}
        command = [BIN, "serve", "--config", "reveille.toml", "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, cwd=folder.name, env=environment, stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(process.stderr.close)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        cls.url = None
        while cls.url is None:
            line = process.stderr.readline()
            if not line:
                raise AssertionError("the server ended")
            listens = re.search(r"listens on (http:\S+)", line)
            cls.url = listens and listens.group(1)
        made = [BIN, "token", "create", "story", "--scope", "respond"]
        cls.token = subprocess.run(made, cwd=folder.name, env=environment, check=True, capture_output=True, text=True).stdout.strip()
        cls.document = cls.asks(cls, "GET", "/api/v1/openapi.json")[1]

    def asks(self, method, path, body=None):
        """The status and the answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Prefer": "wait=5"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.status, json.load(refusal)

    def fits(self, method, path, template, body=None):
        """Asks, and holds the answer to what the document says of that status."""
        status, answer = self.asks(method, path, body)
        told = self.document["paths"][template][method.lower()]["responses"]
        self.assertIn(str(status), told, f"{method} {path}: {answer}")
        (content,) = told[str(status)]["content"].values()
        # The schemas point into the document: its components come along.
        schema = {**content["schema"], "components": self.document["components"]}
        validator = OAS31Validator(schema, format_checker=OAS31Validator.FORMAT_CHECKER)
        self.assertEqual([error.message for error in validator.iter_errors(answer)], [], f"{method} {path}: {answer}")
        return status, answer

    def test_the_document_is_valid(self):
        errors = [f"{list(error.absolute_path)}: {error.message}" for error in OpenAPIV31SpecValidator(self.document).iter_errors()]
        self.assertEqual(errors, [])
        self.assertGreater(len(self.document["paths"]), 25)

    def test_answers_are_as_the_document_says(self):
        api, one = "/api/v1", "/api/v1/incidents/{number}"
        status, _ = self.asks("POST", "/hooks/generic/generickey0000000000000001", {"title": "db down", "severity": "error"})
        self.assertEqual(status, 202)
        self.assertEqual(self.fits("POST", f"{api}/incidents", f"{api}/incidents", {"title": "The shop is slow"})[0], 201)
        self.assertEqual(self.fits("POST", f"{api}/incidents", f"{api}/incidents", {"titel": "x"})[0], 400)
        for verb, body in [
            ("acknowledge", {}),
            ("note", {"text": "looked"}),
            ("role", {"role": "lead", "user": "ana"}),
            ("snooze", {"for": "1h"}),
            ("resolve", {}),
        ]:
            self.assertEqual(self.fits("POST", f"{api}/incidents/1/{verb}", f"{one}/{verb}", body)[0], 200, verb)
        self.assertEqual(self.fits("POST", f"{api}/incidents/1/snooze", f"{one}/snooze", {"for": "1h"})[0], 409)
        _, task = self.fits("POST", f"{api}/incidents/2/tasks", f"{one}/tasks", {"title": "look", "owner": "ana"})
        self.fits("PATCH", f"{api}/tasks/{task['id']}", f"{api}/tasks/{{task}}", {"blocked_on": "the data centre"})
        for part in ["", "/timeline", "/alerts", "/pages", "/tasks"]:
            self.assertEqual(self.fits("GET", f"{api}/incidents/2{part}", f"{one}{part}")[0], 200, part)
        self.assertEqual(self.fits("GET", f"{api}/incidents/99", one)[0], 404)
        overrides = f"{api}/schedules/{{schedule}}/overrides"
        self.fits("POST", f"{api}/schedules/platform/overrides", overrides, {"user": "ana", "for": "8h"})
        for path in ["incidents", "alerts", "oncall", "overrides", "freeze"]:
            self.assertEqual(self.fits("GET", f"{api}/{path}", f"{api}/{path}")[0], 200, path)
        self.assertEqual(self.fits("GET", f"{api}/why/1", f"{api}/why/{{subject}}")[0], 200)


if __name__ == "__main__":
    unittest.main()
