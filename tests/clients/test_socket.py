"""Slack's own Socket Mode client against the staged workspace: what goes to an address otherwise comes over its connection."""

import queue

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

from house import PATIENCE, Story


class Socket(Story):
    options = ["--socket-mode"]

    def setUp(self):
        super().setUp()
        web = WebClient(token=self.settings["bot_token"], base_url=f"{self.slack_url}/", timeout=10)
        self.web = web
        self.came = queue.Queue()
        self.client = SocketModeClient(app_token=self.settings["app_token"], web_client=web, auto_reconnect_enabled=False)
        self.client.socket_mode_request_listeners.append(self.heard)
        self.addCleanup(self.client.close)
        self.client.connect()

    def heard(self, client, request):
        self.came.put(request)
        answer = {"text": "you said " + request.payload["text"]} if request.type == "slash_commands" else None
        client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=answer))

    def test_commands_buttons_and_events_come_over_the_connection(self):
        room = self.settings["announce"]
        self.hand("slack/type", {"user": "U0ANA", "room": room, "text": "/incident who", "thread": None})
        command = self.came.get(timeout=PATIENCE)
        self.assertEqual((command.type, command.payload["command"], command.payload["user_id"]), ("slash_commands", "/incident", "U0ANA"))
        self.assertTrue(command.accepts_response_payload)
        blocks = [{"type": "actions", "block_id": "row", "elements": [
            {"type": "button", "action_id": "ack", "value": "1", "text": {"type": "plain_text", "text": "Acknowledge"}}]}]
        ts = self.web.chat_postMessage(channel=room, text="db down", blocks=blocks)["ts"]
        self.hand("slack/press", {"user": "U0BO", "room": room, "ts": ts, "block_id": "row", "action_id": "ack"})
        pressed = self.came.get(timeout=PATIENCE)
        self.assertEqual((pressed.type, pressed.payload["actions"][0]["value"]), ("interactive", "1"))
        self.hand("slack/type", {"user": "U0ANA", "room": room, "text": "<@U0REVEILLE> ack", "thread": None})
        events = [self.came.get(timeout=PATIENCE), self.came.get(timeout=PATIENCE)]
        self.assertEqual([event.payload["event"]["type"] for event in events], ["app_mention", "message"])
        self.assertEqual([event.type for event in events], ["events_api", "events_api"])
        self.assertEqual(self.home.asked, [], "nothing goes to the address")

    def test_only_the_apps_own_token_opens_a_connection_and_nothing_else(self):
        for token, error in [("xoxb-stage", "not_allowed_token_type"), ("xapp-other", "invalid_auth")]:
            with self.assertRaises(SlackApiError) as caught:
                self.web.apps_connections_open(app_token=token)
            self.assertEqual(caught.exception.response["error"], error)
        with self.assertRaises(SlackApiError) as caught:
            WebClient(token=self.settings["app_token"], base_url=f"{self.slack_url}/").auth_test()
        self.assertEqual(caught.exception.response["error"], "not_allowed_token_type")
