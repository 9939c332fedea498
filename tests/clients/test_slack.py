"""Slack's own client, and its own check of signatures, against the staged workspace."""

import json
from urllib.parse import parse_qsl

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, HeaderBlock, InputBlock, PlainTextInputElement, PlainTextObject, SectionBlock
from slack_sdk.models.views import View
from slack_sdk.signature import SignatureVerifier
from slack_sdk.webhook import WebhookClient

from house import Story


class Slack(Story):
    def setUp(self):
        super().setUp()
        self.client = WebClient(token=self.settings["bot_token"], base_url=f"{self.slack_url}/", timeout=10)
        self.announce = self.settings["announce"]

    def signed(self, asked):
        _, headers, body = asked
        self.assertTrue(SignatureVerifier(self.settings["signing_secret"]).is_valid_request(body, headers))
        return dict(parse_qsl(body, keep_blank_values=True))

    def refused(self, error, act):
        with self.assertRaises(SlackApiError) as caught:
            act()
        self.assertEqual(caught.exception.response["error"], error)
        return caught.exception.response

    def test_a_room_lives_from_its_making_to_its_archive(self):
        client = self.client
        me = client.auth_test()
        room = client.conversations_create(name="inc-1-db-down")["channel"]["id"]
        self.refused("name_taken", lambda: client.conversations_create(name="inc-1-db-down"))
        self.refused("invalid_name_specials", lambda: client.conversations_create(name="Inc 1"))
        client.conversations_setTopic(channel=room, topic="sev1")
        client.conversations_setPurpose(channel=room, purpose="the database")
        client.conversations_invite(channel=room, users=["U0ANA", "U0BO"])
        self.refused("already_in_channel", lambda: client.conversations_invite(channel=room, users=["U0ANA"]))
        self.assertEqual(client.conversations_members(channel=room)["members"], [me["user_id"], "U0ANA", "U0BO"])
        board = client.chat_postMessage(channel=room, text="the board")
        client.pins_add(channel=room, timestamp=board["ts"])
        self.assertEqual(client.pins_list(channel=room)["items"][0]["message"]["text"], "the board")
        mark = client.bookmarks_add(channel_id=room, title="Timeline", type="link", link="https://example.com/1")["bookmark"]
        client.bookmarks_edit(channel_id=room, bookmark_id=mark["id"], title="The timeline")
        self.assertEqual(client.bookmarks_list(channel_id=room)["bookmarks"][0]["title"], "The timeline")
        client.bookmarks_remove(channel_id=room, bookmark_id=mark["id"])
        client.reactions_add(channel=room, name="eyes", timestamp=board["ts"])
        client.pins_remove(channel=room, timestamp=board["ts"])
        client.conversations_rename(channel=room, name="inc-1-closed")
        info = client.conversations_info(channel=room, include_num_members=True)["channel"]
        self.assertEqual((info["name"], info["topic"]["value"], info["num_members"]), ("inc-1-closed", "sev1", 3))
        client.conversations_archive(channel=room)
        self.refused("is_archived", lambda: client.chat_postMessage(channel=room, text="late"))

    def test_messages_are_posted_edited_and_deleted(self):
        client, room = self.client, self.announce
        blocks = [
            HeaderBlock(text="#1 db down"),
            SectionBlock(text="*sev1*, nobody has it"),
            ActionsBlock(elements=[ButtonElement(text="Acknowledge", action_id="ack", value="1", style="primary")]),
        ]
        ts = client.chat_postMessage(channel=room, text="db down", blocks=blocks)["ts"]
        client.chat_update(channel=room, ts=ts, text="db up", blocks=[SectionBlock(text="over")])
        client.chat_postMessage(channel=room, text="details", thread_ts=ts)
        self.assertEqual([each["text"] for each in client.conversations_replies(channel=room, ts=ts)["messages"]], ["db up", "details"])
        client.chat_postEphemeral(channel=room, user="U0ANA", text="psst")
        direct = client.conversations_open(users=["U0BO"])["channel"]["id"]
        self.assertEqual(client.chat_postMessage(channel=direct, text="you")["channel"], direct)
        self.assertEqual(client.chat_postMessage(channel="U0BO", text="you too")["channel"], direct)
        client.chat_delete(channel=room, ts=ts)
        self.refused("message_not_found", lambda: client.chat_update(channel=room, ts=ts, text="x"))
        self.refused("channel_not_found", lambda: client.chat_postMessage(channel="C0NONE", text="x"))
        self.refused("not_in_channel", lambda: client.chat_postMessage(channel="C0GENERAL", text="x"))
        client.conversations_join(channel="C0GENERAL")
        client.chat_postMessage(channel="C0GENERAL", text="hello")
        long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
        told = self.refused("invalid_blocks", lambda: client.chat_postMessage(channel=room, text="x", blocks=long))
        self.assertIn("must be less than 3001 characters", told["response_metadata"]["messages"][0])
        many = [{"type": "divider"}] * 51
        self.refused("invalid_blocks", lambda: client.chat_postMessage(channel=room, text="x", blocks=many))

    def test_people_are_found(self):
        self.assertEqual(self.client.users_lookupByEmail(email="ana@example.com")["user"]["id"], "U0ANA")
        self.assertEqual(self.client.users_info(user="U0BO")["user"]["real_name"], "Bo Lind")
        self.refused("users_not_found", lambda: self.client.users_lookupByEmail(email="nobody@example.com"))
        pages = [len(page["members"]) for page in self.client.users_list(limit=4)]
        self.assertEqual(pages, [4, 2])

    def test_commands_buttons_and_dialogues_come_signed(self):
        self.home.answers += [("application/json", json.dumps({"text": "nobody", "response_type": "in_channel"}))]
        self.hand("slack/type", {"user": "U0ANA", "room": self.announce, "text": "/incident who", "thread": None})
        command = self.signed(self.home.until(1, "/slack/commands")[0])
        self.assertEqual((command["command"], command["text"], command["user_id"]), ("/incident", "who", "U0ANA"))
        self.assertEqual(WebhookClient(command["response_url"]).send(text="and later").body, "ok")
        label = lambda words: PlainTextObject(text=words)
        element = PlainTextInputElement(action_id="text")
        fields = [InputBlock(block_id="title", label=label("Title"), element=element)]
        view = View(type="modal", callback_id="declare", title=label("Declare"), submit=label("Declare"), blocks=fields)
        opened = self.client.views_open(trigger_id=command["trigger_id"], view=view)["view"]
        self.refused("exchanged_trigger_id", lambda: self.client.views_open(trigger_id=command["trigger_id"], view=view))
        self.hand("slack/submit", {"modal": opened["id"], "values": {"title": "db down"}})
        sent = json.loads(self.signed(self.home.until(1, "/slack/interactions")[0])["payload"])
        self.assertEqual(sent["view"]["state"]["values"]["title"]["text"]["value"], "db down")
        blocks = [ActionsBlock(block_id="row", elements=[ButtonElement(text="Acknowledge", action_id="ack", value="1")])]
        ts = self.client.chat_postMessage(channel=self.announce, text="db down", blocks=blocks)["ts"]
        press = {"user": "U0BO", "room": self.announce, "ts": ts, "block_id": "row", "action_id": "ack"}
        self.hand("slack/press", press)
        pressed = json.loads(self.signed(self.home.until(2, "/slack/interactions")[1])["payload"])
        self.assertEqual((pressed["type"], pressed["actions"][0]["value"], pressed["user"]["id"]), ("block_actions", "1", "U0BO"))
        self.hand("slack/type", {"user": "U0ANA", "room": self.announce, "text": "<@U0REVEILLE> ack", "thread": None})
        path, headers, body = self.home.until(1, "/slack/events")[0]
        self.assertTrue(SignatureVerifier(self.settings["signing_secret"]).is_valid_request(body, headers))
        self.assertEqual(json.loads(body)["event"]["type"], "app_mention")

    def test_a_room_takes_about_a_message_a_second(self):
        with self.assertRaises(SlackApiError) as caught:
            for n in range(20):
                self.client.chat_postMessage(channel=self.announce, text=f"message {n}")
        self.assertEqual((caught.exception.response.status_code, caught.exception.response["error"]), (429, "ratelimited"))
        self.assertGreaterEqual(int(caught.exception.response.headers["Retry-After"]), 1)

    def test_errors_and_limits_are_slacks(self):
        self.refused("invalid_auth", lambda: WebClient(token="xoxb-other", base_url=f"{self.slack_url}/").auth_test())
        self.refused("not_authed", lambda: WebClient(base_url=f"{self.slack_url}/").auth_test())
        self.hand("slack/faults", {"fault": {"kind": "rate_limited", "retry_after": 1}, "lasts": "2s"})
        told = self.refused("ratelimited", lambda: self.client.auth_test())
        self.assertEqual((told.status_code, told.headers["Retry-After"]), (429, "1"))
        # The client's own way of waiting gets through, because the answer says how long.
        patient = WebClient(token=self.settings["bot_token"], base_url=f"{self.slack_url}/")
        patient.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=5))
        self.assertTrue(patient.auth_test()["ok"])
