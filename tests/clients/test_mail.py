"""Python's own mail client against the staged mail server."""

import smtplib
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import urlsplit

from house import Story


class Mail(Story):
    def client(self):
        where = urlsplit(self.smtp)
        return smtplib.SMTP(where.hostname, where.port, timeout=10)

    def letter(self):
        letter = EmailMessage()
        letter["From"], letter["To"] = "Réveil <reveille@example.com>", "bo@example.com"
        letter["Subject"], letter["Date"] = "#1 la base est tombée", formatdate()
        letter.set_content("https://example.com/1\n.\n..\n")
        letter.add_alternative("<p>Down: <a href='https://example.com/1'>#1</a></p>", subtype="html")
        return letter

    def test_a_mail_with_two_parts_is_taken(self):
        with self.client() as client:
            client.send_message(self.letter())
            client.send_message(self.letter())
        mails = self.state()["mails"]
        self.assertEqual(len(mails), 2)
        self.assertEqual((mails[0]["subject"], mails[0]["sender"]), ("#1 la base est tombée", "Réveil <reveille@example.com>"))
        self.assertEqual(mails[0]["text"].split(), ["https://example.com/1", ".", ".."])
        self.assertTrue(mails[0]["html"])

    def test_what_is_refused_is_refused(self):
        bare = EmailMessage()
        bare["From"] = "reveille@example.com"
        with self.client() as client:
            with self.assertRaises(smtplib.SMTPDataError) as caught:
                client.sendmail("reveille@example.com", ["bo@example.com"], bare.as_bytes())
            self.assertEqual(caught.exception.smtp_code, 550)
            self.hand("mail_faults", {"fault": {"kind": "refuse", "code": 451}})
            with self.assertRaises(smtplib.SMTPSenderRefused) as caught:
                client.send_message(self.letter())
            self.assertEqual(caught.exception.smtp_code, 451)
        self.assertEqual(self.state()["mails"], [])
