"""Opsgenie's official Python client against Reveille's doors."""

import datetime
import unittest

import opsgenie_sdk
from opsgenie_sdk.exceptions import RetryableException as Refused

from server import GENIE_KEY, Story


class Opsgenie(Story):
    def setUp(self):
        self.alerts = self.client(GENIE_KEY)

    def client(self, key):
        configuration = opsgenie_sdk.Configuration()
        configuration.host = self.url
        # Every configuration is a shallow copy of the first: a key put into its dict would be everybody's.
        configuration.api_key = {"Authorization": key}
        configuration.retry_enabled = False
        client = opsgenie_sdk.ApiClient(configuration=configuration)
        self.addCleanup(client.rest_client.pool_manager.clear)
        return opsgenie_sdk.AlertApi(api_client=client)

    def done(self, taken):
        """What became of a request, once it is decided."""
        self.assertEqual(taken.result, "Request will be processed")

        def look():
            try:
                return self.alerts.get_request_status(taken.request_id).data
            except Refused as refusal:
                self.assertEqual(refusal.status, 404)
                return None

        return self.until(taken.request_id, look)

    def test_an_alert_lives_and_ends(self):
        body = opsgenie_sdk.CreateAlertPayload(
            message="The disk of db-3 is full",
            alias="db-3/disk full",
            description="97 %",
            responders=[{"name": "NOC", "type": "team"}],
            actions=["Restart"],
            tags=["db", "disk"],
            details={"host": "db-3"},
            entity="db-3",
            priority="P2",
        )
        made = self.done(self.alerts.create_alert(body))
        self.assertEqual((made.action, made.is_success, made.status, made.alias), ("Create", True, "Created alert", "db-3/disk full"))
        by_id = self.alerts.get_alert(made.alert_id).data
        by_alias = self.alerts.get_alert("db-3/disk full", identifier_type="alias").data
        by_tiny = self.alerts.get_alert(by_id.tiny_id, identifier_type="tiny").data
        self.assertEqual(by_id.to_dict(), by_alias.to_dict())
        self.assertEqual(by_id.to_dict(), by_tiny.to_dict())
        self.assertEqual((by_id.message, by_id.status, by_id.priority, by_id.count), (body.message, "open", "P2", 1))
        self.assertEqual((by_id.tags, by_id.details, by_id.entity, by_id.actions), (["db", "disk"], {"host": "db-3"}, "db-3", ["Restart"]))
        # As its documentation has it: the answer itself asks what became of it. Before that is decided it raises, there as here.
        again = self.alerts.create_alert(body)

        def retrieved():
            try:
                return again.retrieve_result().data
            except Refused as refusal:
                self.assertEqual(refusal.status, 404)
                return None

        self.assertEqual(self.until("the result", retrieved).alert_id, made.alert_id)
        self.assertEqual(again.id, made.alert_id)
        self.assertEqual(self.alerts.get_alert(made.alert_id).data.count, 2)

        alias = {"identifier_type": "alias"}
        name = "db-3/disk full"
        note = opsgenie_sdk.AddNoteToAlertPayload(note="The logs fill it", user="Bo", source="a script")
        self.assertTrue(self.done(self.alerts.add_note(name, note, **alias)).is_success)
        self.assertEqual([note.note for note in self.alerts.list_notes(name, **alias).data], ["Bo: The logs fill it"])
        self.assertTrue(self.done(self.alerts.add_tags(name, opsgenie_sdk.AddTagsToAlertPayload(tags=["logs"]), **alias)).is_success)
        self.assertTrue(self.done(self.alerts.remove_tags(name, ["disk"], **alias)).is_success)
        self.assertTrue(self.done(self.alerts.add_details(name, opsgenie_sdk.AddDetailsToAlertPayload(details={"rack": "7"}), **alias)).is_success)
        self.assertTrue(self.done(self.alerts.remove_details(name, ["host"], **alias)).is_success)
        message = opsgenie_sdk.UpdateAlertMessagePayload(message="The disk of db-3 is fuller")
        self.assertEqual(self.done(self.alerts.update_alert_message(name, message, **alias)).action, "UpdateMessage")
        description = opsgenie_sdk.UpdateAlertDescriptionPayload(description="99 %")
        self.assertEqual(self.done(self.alerts.update_alert_description(name, description, **alias)).action, "UpdateDescription")
        priority = self.done(self.alerts.update_alert_priority(name, opsgenie_sdk.UpdateAlertPriorityPayload(priority="P1"), **alias))
        self.assertEqual((priority.action, priority.is_success, priority.status), ("UpdatePriority", True, "Updated alert"))
        seen = self.alerts.get_alert(made.alert_id).data
        self.assertEqual((seen.tags, seen.details), (["db", "logs"], {"rack": "7"}))
        self.assertEqual((seen.message, seen.description, seen.priority), ("The disk of db-3 is fuller", "99 %", "P1"))

        acknowledged = self.alerts.acknowledge_alert(name, acknowledge_alert_payload=opsgenie_sdk.AcknowledgeAlertPayload(user="Bo"), **alias)
        self.assertEqual(self.done(acknowledged).status, "Acknowledged alert")
        self.assertTrue(self.alerts.get_alert(made.alert_id).data.acknowledged)
        self.assertTrue(self.done(self.alerts.un_acknowledge_alert(name, **alias)).is_success)
        self.assertFalse(self.alerts.get_alert(made.alert_id).data.acknowledged)
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        snooze = opsgenie_sdk.SnoozeAlertPayload(end_time=end)
        self.assertTrue(self.done(self.alerts.snooze_alert(name, snooze, **alias)).is_success)
        seen = self.alerts.get_alert(made.alert_id).data
        self.assertTrue(seen.snoozed)
        self.assertLess(abs((seen.snoozed_until - end).total_seconds()), 1)

        closed = self.done(self.alerts.close_alert(by_id.tiny_id, identifier_type="tiny", close_alert_payload=opsgenie_sdk.CloseAlertPayload(note="done")))
        self.assertEqual((closed.action, closed.status), ("Close", "Closed alert"))
        seen = self.alerts.get_alert(made.alert_id).data
        self.assertEqual((seen.status, seen.count), ("closed", 2), "what is said of it is no occurrence")
        for late in [
            self.alerts.close_alert(name, **alias),
            self.alerts.acknowledge_alert(name, **alias),
            self.alerts.snooze_alert(name, snooze, **alias),
        ]:
            late = self.done(late)
            self.assertEqual((late.is_success, late.status, late.alert_id), (False, "Alert is already closed", made.alert_id))
        self.assertTrue(self.done(self.alerts.add_note(name, opsgenie_sdk.AddNoteToAlertPayload(note="for the report"), **alias)).is_success)
        self.assertEqual(self.alert(name, "resolved")["source"], "opsgenie")

    def test_lists_are_searched_and_cut(self):
        for n in range(3):
            body = opsgenie_sdk.CreateAlertPayload(message=f"List {n}", alias=f"list-{n}", tags=["listed"], priority="P4")
            self.assertTrue(self.done(self.alerts.create_alert(body)).is_success)
        self.assertTrue(self.done(self.alerts.delete_alert("list-1", identifier_type="alias")).is_success)
        found = self.alerts.list_alerts(query="status: open AND tag: listed", order="asc", limit=1)
        self.assertEqual([alert.alias for alert in found.data], ["list-0"])
        found = self.alerts.list_alerts(query="status: open AND tag: listed", order="asc", limit=1, offset=1)
        self.assertEqual([alert.alias for alert in found.data], ["list-2"])
        self.assertEqual(self.alerts.count_alerts(query="alias: list-1 status: closed").data.count, 1)

    def test_what_is_wrong_is_said(self):
        with self.assertRaises(Refused) as caught:
            self.alerts.create_alert(opsgenie_sdk.CreateAlertPayload(message="x" * 131, alias="long", priority="P5"))
        self.assertEqual(caught.exception.status, 422)
        self.assertIn("message", caught.exception.body)
        with self.assertRaises(Refused) as caught:
            self.alerts.get_alert("nobody", identifier_type="alias")
        self.assertEqual(caught.exception.status, 404)
        with self.assertRaises(Refused) as caught:
            self.client("another").list_alerts()
        self.assertEqual(caught.exception.status, 401)
        late = self.done(self.alerts.close_alert("nobody", identifier_type="alias"))
        self.assertEqual((late.is_success, late.status), (False, "Alert does not exist"))


if __name__ == "__main__":
    unittest.main()
