"""Twilio's own client, and its own check of signatures, against the staged Twilio."""

from urllib.parse import parse_qsl, urlsplit

from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from house import Story

ANA = "+33100000001"
FROM = "+15005550006"


class Staged(TwilioHttpClient):
    """The client as it is, with the requests for api.twilio.com sent to the stage."""

    def __init__(self, base):
        super().__init__(timeout=10)
        self.base = base

    def request(self, method, url, *args, **kwargs):
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        return super().request(method, f"{self.base}{parts.path}{query}", *args, **kwargs)


class Twilio(Story):
    def setUp(self):
        super().setUp()
        self.client = Client(self.settings["account_sid"], self.settings["auth_token"], http_client=Staged(self.url))

    def signed(self, asked):
        path, headers, body = asked
        validator = RequestValidator(self.settings["auth_token"])
        fields = dict(parse_qsl(body, keep_blank_values=True))
        self.assertTrue(validator.validate(self.home.url + path, fields, headers["x-twilio-signature"]), path)
        return fields

    def refused(self, code, act, status=400):
        with self.assertRaises(TwilioRestException) as caught:
            act()
        self.assertEqual((caught.exception.code, caught.exception.status), (code, status))

    def test_a_call_is_placed_answered_listed_and_ended(self):
        menu = f'<Response><Gather numDigits="1" action="{self.home.url}/keys"><Say>Press 1.</Say></Gather></Response>'
        call = self.client.calls.create(
            to=ANA, from_=FROM, twiml=menu, status_callback=f"{self.home.url}/status", status_callback_event=["ringing", "answered", "completed"]
        )
        self.assertEqual((call.status, call.direction, call.to), ("queued", "outbound-api", ANA))
        self.signed(self.home.until(1, "/status")[0])
        self.assertEqual(self.client.calls(call.sid).fetch().status, "ringing")
        self.hand(f"calls/{call.sid}/answer", {})
        self.home.answers += [("text/plain", ""), ("text/xml", "<Response><Say>Done.</Say><Pause length='60'/></Response>")]
        self.hand(f"calls/{call.sid}/press", {"key": "1"})
        self.assertEqual(self.signed(self.home.until(1, "/keys")[0])["Digits"], "1")
        self.assertEqual([each.sid for each in self.client.calls.list(to=ANA)], [call.sid])
        ended = self.client.calls(call.sid).update(status="completed")
        self.assertEqual(ended.status, "completed")
        self.assertIsNotNone(ended.end_time)
        last = self.signed(self.home.until(3, "/status")[2])
        self.assertEqual((last["CallStatus"], last["CallSid"]), ("completed", call.sid))

    def test_a_text_is_sent_told_of_and_answered(self):
        text = self.client.messages.create(to=ANA, from_=FROM, body="db down. Answer 1.", status_callback=f"{self.home.url}/status")
        self.assertEqual((text.status, text.direction, text.num_media), ("queued", "outbound-api", "0"))
        told = [self.signed(each) for each in self.home.until(3, "/status")]
        self.assertEqual([each["MessageStatus"] for each in told], ["queued", "sent", "delivered"])
        fetched = self.client.messages(text.sid).fetch()
        self.assertEqual((fetched.status, fetched.body), ("delivered", "db down. Answer 1."))
        self.assertIsNotNone(fetched.date_sent)
        listed = self.client.messages.list(to=ANA, date_sent_after=fetched.date_sent)
        self.assertEqual([each.sid for each in listed], [text.sid])
        self.home.answers += [("text/xml", "<Response><Message>Acknowledged.</Message></Response>")]
        self.hand("texts/reply", {"number": ANA, "body": "1"})
        self.assertEqual(self.signed(self.home.until(1, "/callbacks/sms")[0])["Body"], "1")
        bodies = [each.body for each in self.client.messages.list()]
        self.assertEqual(bodies, ["Acknowledged.", "1", "db down. Answer 1."])
        self.assertTrue(self.client.messages(text.sid).delete())
        self.refused(20404, lambda: self.client.messages(text.sid).fetch(), 404)

    def test_the_account_tells_of_itself(self):
        account = self.client.api.accounts(self.settings["account_sid"]).fetch()
        self.assertEqual((account.status, account.sid), ("active", self.settings["account_sid"]))
        stranger = Client(self.settings["account_sid"], "wrong", http_client=Staged(self.url))
        self.refused(20003, lambda: stranger.api.accounts(self.settings["account_sid"]).fetch(), 401)

    def test_lists_are_paged(self):
        sids = [self.client.messages.create(to=ANA, from_=FROM, body=f"text {n}").sid for n in range(5)]
        self.assertEqual([each.sid for each in self.client.messages.list(page_size=2)], sids[::-1])

    def test_errors_are_twilios(self):
        send = self.client.messages.create
        self.refused(21211, lambda: send(to="0033100000001", from_=FROM, body="x"))
        self.refused(21602, lambda: send(to=ANA, from_=FROM))
        self.refused(21603, lambda: send(to=ANA, body="x"))
        self.refused(21617, lambda: send(to=ANA, from_=FROM, body="x" * 1601))
        self.refused(21205, lambda: self.client.calls.create(to=ANA, from_=FROM))
        send(to=ANA, from_=FROM, body="x")
        self.hand("texts/reply", {"number": ANA, "body": "STOP"})
        self.refused(21610, lambda: send(to=ANA, from_=FROM, body="y"))
        stranger = Client(self.settings["account_sid"], "wrong", http_client=Staged(self.url))
        self.refused(20003, lambda: stranger.messages("SM" + "0" * 32).fetch(), 401)
        self.hand("faults", {"fault": {"kind": "refuse", "status": 429, "code": 20429}})
        self.refused(20429, lambda: send(to="+46100000002", from_=FROM, body="x"), 429)
