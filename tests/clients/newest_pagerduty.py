"""What the newest version of PagerDuty's client is asked to do; called by test_pagerduty with an address, a key and an authority."""

import importlib.metadata
import json
import ssl
import sys

import pagerduty

url, key, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
told = {"version": importlib.metadata.version("pagerduty")}
with pagerduty.EventsApiV2Client(key, base_url=url, verify=context, trust_env=False) as client:
    told["key"] = client.trigger("The disk of db-3 is full", "db-3", dedup_key="db-3/disk", severity="critical")
    client.acknowledge(told["key"])
    client.resolve(told["key"])
    client.send_change_event({"summary": "Deployed build 7", "source": "ci"})
    try:
        client.trigger("x", "y", severity="fatal")
    except pagerduty.HttpError as refusal:
        told["refused"] = refusal.response.status_code
print(json.dumps(told))
