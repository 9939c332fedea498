//! Mail as a client of the mail server sees it, line by line.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::*;

const MAIL: &str = "From: =?utf-8?Q?R=C3=A9veil?= <reveille@example.com>\r\nTo: bo@example.com\r\nSubject: #42 =?utf-8?B?w6k=?= db down\r\n\
                    Date: Wed, 29 Jul 2015 03:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
                    --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                    Caf=C3=A9 is down. See https://reveille/incidents/42.\r\n..dot\r\n\
                    --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Down: <a href=\"https://reveille/incidents/42\">#42</a></p>\r\n--b--\r\n";

struct Client(BufReader<TcpStream>);

impl Client {
    async fn of(world: &World) -> Self {
        let address = world.stage.smtp_url().expect("there is mail").trim_start_matches("smtp://").to_owned();
        Self(BufReader::new(TcpStream::connect(address).await.expect("it listens")))
    }

    async fn greeted(world: &World) -> Self {
        let mut client = Self::of(world).await;
        client.hears("220 ").await;
        client.says("EHLO client.example").await;
        client.hears("250 ").await;
        client
    }

    async fn says(&mut self, line: &str) {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.expect("it is open");
    }

    /// The last line of the next answer, which begins so.
    async fn hears(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await.expect("in time").expect("it is open");
            if line.as_bytes().get(3) != Some(&b'-') {
                assert!(line.starts_with(beginning), "{beginning}: {line}");
                return line;
            }
        }
    }

    async fn asks(&mut self, line: &str, beginning: &str) {
        self.says(line).await;
        self.hears(beginning).await;
    }

    async fn sends(&mut self, mail: &str) {
        self.asks("MAIL FROM:<reveille@example.com> SIZE=900 BODY=8BITMIME", "250 ").await;
        self.asks("RCPT TO:<bo@example.com>", "250 ").await;
        self.asks("DATA", "354 ").await;
        self.says(&format!("{mail}.")).await;
    }
}

#[tokio::test]
async fn a_mail_is_taken_and_reads_as_it_was_written() {
    let world = World::open().await;
    let mut client = Client::greeted(&world).await;
    client.sends(MAIL).await;
    client.hears("250 2.0.0").await;
    client.asks("QUIT", "221 ").await;
    let mail = world.stage.mails().remove(0);
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("reveille@example.com", &["bo@example.com".to_owned()][..]));
    assert_eq!((mail.subject.as_str(), mail.sender.as_str()), ("#42 é db down", "Réveil <reveille@example.com>"));
    assert_eq!(mail.text.as_deref().map(str::trim_end), Some("Café is down. See https://reveille/incidents/42.\r\n.dot"));
    assert!(mail.html.as_ref().is_some_and(|html| html.contains("<a href=")));
    assert_eq!(mail.links(), ["https://reveille/incidents/42"]);
    assert_eq!(mail.header("To").as_deref(), Some("bo@example.com"));
    let base = world.stage.url();
    let html = world.http.get(format!("{base}/stage/mails/{}/html", mail.id)).send().await.expect("an answer");
    let policy = html.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"), "{policy}");
    assert_eq!(world.http.get(format!("{base}/stage/mails/99/html")).send().await.expect("an answer").status().as_u16(), 404);
    world.stage.shut().await;
}

#[tokio::test]
async fn what_a_strict_server_refuses_is_refused() {
    let world = World::open().await;
    let mut client = Client::of(&world).await;
    client.hears("220 ").await;
    client.asks("MAIL FROM:<a@example.com>", "503 ").await;
    client.asks("EHLO", "501 ").await;
    client.asks("HELO client.example", "250 ").await;
    client.asks("RCPT TO:<a@example.com>", "503 ").await;
    client.asks("MAIL FROM: <a@example.com>", "501 ").await;
    client.asks("MAIL FROM:<a b>", "553 ").await;
    client.asks("MAIL FROM:<a@example.com> SIZE=99999999999", "552 ").await;
    client.asks("MAIL FROM:<a@example.com> COLOUR=red", "555 ").await;
    client.asks("MAIL FROM:<a@example.com>", "250 ").await;
    client.asks("DATA", "503 ").await;
    client.asks("RCPT TO:<nobody>", "553 ").await;
    client.asks("STARTTLS", "502 ").await;
    client.asks(&"x".repeat(600), "500 ").await;
    client.asks("NOOP", "250 ").await;
    client.asks("RSET", "250 ").await;
    client.asks("RCPT TO:<a@example.com>", "503 ").await;
    for (mail, refusal) in [
        ("Subject: no sender\r\nDate: Wed, 29 Jul 2015 03:00:00 +0000\r\n\r\nx\r\n", "550 "),
        ("From: a@example.com\r\nSubject: no date\r\n\r\nx\r\n", "550 "),
        ("From: a@example.com\r\nSubject: raw é\r\nDate: Wed, 29 Jul 2015 03:00:00 +0000\r\n\r\nx\r\n", "550 "),
        ("From: a@example.com\r\nDate: Wed, 29 Jul 2015 03:00:00 +0000\r\n\r\na\n.\nb\r\n", "550 "),
        (&format!("From: a@example.com\r\nDate: Wed, 29 Jul 2015 03:00:00 +0000\r\n\r\n{}\r\n", "x".repeat(1_200)), "500 "),
    ] {
        client.sends(mail).await;
        client.hears(refusal).await;
    }
    assert!(world.stage.mails().is_empty());
    for _ in 0..9 {
        client.asks("JUMP", "500 ").await;
    }
    client.says("JUMP").await;
    client.hears("500 ").await;
    client.hears("421 ").await;
    world.stage.shut().await;
}

#[tokio::test]
async fn mail_goes_wrong_on_request() {
    let world = World::open().await;
    let mut client = Client::greeted(&world).await;
    world.stage.set_mail_fault(Some(MailFault::Refuse { code: 451 }));
    client.asks("MAIL FROM:<a@example.com>", "451 4.").await;
    world.stage.set_mail_fault(Some(MailFault::UnknownRecipient));
    client.asks("MAIL FROM:<a@example.com>", "250 ").await;
    client.asks("RCPT TO:<b@example.com>", "550 ").await;
    client.asks("RSET", "250 ").await;
    let ended = async |client: &mut Client| {
        let mut rest = String::new();
        tokio::time::timeout(PATIENCE, client.0.read_line(&mut rest)).await.expect("in time").is_ok_and(|read| read > 0)
    };
    world.stage.set_mail_fault(Some(MailFault::DropInMail));
    client.sends(MAIL).await;
    assert!(!ended(&mut client).await, "the line is cut");
    assert!(world.stage.mails().is_empty());
    world.stage.set_mail_fault(Some(MailFault::TakeButDrop));
    let mut client = Client::greeted(&world).await;
    client.sends(MAIL).await;
    assert!(!ended(&mut client).await, "the line is cut");
    assert_eq!(world.stage.mails().len(), 1, "and the mail is taken");
    world.stage.set_mail_fault(Some(MailFault::Hang));
    let mut client = Client::of(&world).await;
    world.until("it hangs", || world.stage.requests_hanging() == 1).await;
    world.stage.set_mail_fault(None);
    assert!(!ended(&mut client).await);
    world.stage.shut().await;
}
