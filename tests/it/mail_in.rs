//! Mail as a sender: taken when it is durable, for whom its address names, and for nobody else.

use std::net::SocketAddr;

use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use reveille::base::clock::Clock;
use reveille::base::limits;
use reveille::base::time::Time;
use reveille::boot::live;
use reveille::boot::tls::TlsFiles;
use reveille::boot::wire::{self, Given, Options};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{App, TEAM};
use crate::story;

const KEY: &str = "mailkey-00000000000001";

fn team() -> String {
    format!("{TEAM}\n[[integration]]\nid = \"mails\"\nsource = \"email\"\nservice = \"api\"\nkey = \"{KEY}\"\n")
}

async fn takes_mail(app: &mut App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    app.running.as_mut().expect("it runs").take_mail(listener, "Alerts.Example");
    address
}

fn client(address: SocketAddr) -> AsyncSmtpTransport<Tokio1Executor> {
    AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string()).port(address.port()).build()
}

fn mail(to: &str, id: &str, subject: &str) -> Message {
    let address = |text: &str| text.parse::<Mailbox>().expect("an address");
    let mail = Message::builder().from(address("nagios@db-3.example")).to(address(to)).message_id(Some(id.to_owned()));
    mail.subject(subject).body("Grüße.\r\n.a dot\r\nhttps://nagios.example/x\r\n".to_owned()).expect("a mail")
}

/// A client of one's own: writes all of it, and reads to the end.
async fn raw(address: SocketAddr, said: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(said).await.expect("it is written");
    let mut heard = String::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_string(&mut heard)).await;
    read.expect("the line is closed in time").expect("it is read");
    heard
}

fn codes(heard: &str) -> Vec<&str> {
    heard.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).filter_map(|line| line.get(..3)).collect()
}

story!(a_mail_wakes_its_recovery_ends_it_and_the_same_one_again_counts_once, &team(), |app| {
    let address = takes_mail(app).await;
    let (smtp, to) = (client(address), format!("nagios+{KEY}@alerts.example"));
    let problem = mail(&to, "<1@db-3.example>", "** PROBLEM Service Alert: db-3/Plätze is CRITICAL **");
    let answer = smtp.send(problem.clone()).await.expect("it is taken");
    assert!(answer.is_positive(), "{answer:?}");
    app.settle().await;
    let ana = app.phone("ana").rings().await.ignore();
    let alert = app.incident(1).await.alerts[0].clone();
    assert_eq!(alert["title"], "** PROBLEM Service Alert: db-3/Plätze is CRITICAL **");
    assert_eq!((&alert["source"], &alert["severity"]), (&json!("email"), &json!("critical")));
    assert_eq!(alert["labels"]["text"], "Grüße. .a dot https://nagios.example/x");
    // Its sender did not hear the answer, and sends it again.
    smtp.send(problem).await.expect("it is taken");
    app.settle().await;
    assert_eq!(app.incident(1).await.alerts[0]["count"], 1);
    smtp.send(mail(&to, "<2@db-3.example>", "** RECOVERY Service Alert: db-3/Plätze is OK **")).await.expect("it is taken");
    app.settle().await;
    ana.has_ended();
    app.incident(1).await.is("resolved");
    // The key stands in the mail's head, and is shown to nobody.
    let samples = app.get("/api/v1/integrations/mails/signals").await;
    assert!(samples["items"][0]["body"].as_str().is_some_and(|body| body.contains("nagios+***")), "{samples}");
    assert!(!samples.to_string().contains(KEY), "{samples}");
});

story!(who_is_not_known_is_refused, &team(), |app| {
    let address = takes_mail(app).await;
    for (to, says) in [
        ("nokey@alerts.example".to_owned(), "550 5.1.1 No integration has this key"),
        ("generickey0000000000000001@alerts.example".to_owned(), "550 5.1.1 This key belongs to an integration of the source generic"),
        (format!("{KEY}@elsewhere.example"), "550 5.7.1 Mail for that domain"),
    ] {
        let heard = raw(address, format!("EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{to}>\r\nDATA\r\nQUIT\r\n").as_bytes()).await;
        assert!(heard.contains(says), "{heard}");
        assert_eq!(codes(&heard), ["220", "250", "250", "550", "503", "221"], "{heard}");
    }
    let tries = "RCPT TO:<guess@alerts.example>\r\n".repeat(50);
    let heard = raw(address, format!("EHLO x\r\nMAIL FROM:<>\r\n{tries}").as_bytes()).await;
    assert!(heard.ends_with("421 4.7.0 Too many mistakes\r\n"), "{heard}");
    assert_eq!(heard.matches("550").count(), usize::try_from(limits::MAIL_MISTAKES).expect("few"), "{heard}");
    app.settle().await;
    assert_eq!(app.is_accounted_for().await, 0);
});

story!(commands_that_come_together_are_answered_in_order_and_dots_are_the_mails_own, &team(), |app| {
    let address = takes_mail(app).await;
    let head = format!("EHLO x\r\nMAIL FROM:<> BODY=8BITMIME SIZE=100\r\nRCPT TO:<{KEY}@ALERTS.example>\r\n");
    // No end that is not CR LF . CR LF ends it, and what looks like commands in it is text.
    let text = "From: a@b.example\r\nSubject: smuggled\r\n\r\n..dot\r\nx\n.\nMAIL FROM:<evil@b.example>\r\n.y\r\n";
    let heard = raw(address, format!("{head}DATA\r\n{text}.\r\nRSET\r\nNOOP\r\nQUIT\r\n").as_bytes()).await;
    assert_eq!(codes(&heard), ["220", "250", "250", "250", "354", "250", "250", "250", "221"], "{heard}");
    assert!(heard.contains("250-SIZE 4194304\r\n") && !heard.contains("STARTTLS"), "{heard}");
    app.settle().await;
    app.phone("ana").rings().await.press('1').await;
    let alert = app.incident(1).await.alerts[0].clone();
    assert_eq!(alert["title"], "smuggled");
    assert_eq!(alert["labels"]["text"], ".dot x . MAIL FROM:<evil@b.example> y");
});

story!(a_mail_too_large_is_refused_and_told, &team(), |app| {
    let address = takes_mail(app).await;
    let size = limits::MAIL_BYTES + 1;
    let heard = raw(address, format!("EHLO x\r\nMAIL FROM:<> SIZE={size}\r\nQUIT\r\n").as_bytes()).await;
    assert_eq!(codes(&heard), ["220", "250", "552", "221"], "{heard}");
    let mut said = format!("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{KEY}@alerts.example>\r\nDATA\r\nSubject: x\r\n\r\n").into_bytes();
    said.extend(b"0123456789\r\n".repeat(size / 12 + 1));
    said.extend(b".\r\nQUIT\r\n");
    let heard = raw(address, &said).await;
    assert_eq!(codes(&heard), ["220", "250", "250", "250", "354", "552", "221"], "{heard}");
    app.settle().await;
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert!(incident.row["title"].as_str().expect("a title").contains("over the limit"), "{}", incident.row);
});

story!(what_cannot_be_stored_is_not_taken, &team(), |app| {
    let address = takes_mail(app).await;
    app.sql("ALTER TABLE journal RENAME TO journal_away").await;
    let sent = client(address).send(mail(&format!("{KEY}@alerts.example"), "<1@x.example>", "disk full")).await;
    let error = sent.expect_err("nothing is stored");
    assert!(error.is_transient(), "{error}");
    app.sql("ALTER TABLE journal_away RENAME TO journal").await;
    // The sender's own server comes again, with the same mail.
    client(address).send(mail(&format!("{KEY}@alerts.example"), "<1@x.example>", "disk full")).await.expect("it is taken");
    app.settle().await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.incident(1).await.alerts[0]["count"], 1);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_on_in_secret_under_the_servers_certificate() {
    wire::install_crypto();
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let files = TlsFiles { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.cert, made.cert.pem()).expect("it is written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("it is written");
    let mut running = wire::start(Options {
        database: folder.path().join("reveille.db").display().to_string(),
        listener: TcpListener::bind("127.0.0.1:0").await.expect("a port"),
        clock: Clock::fake(Time::parse_rfc3339("2026-01-07T02:00:00Z").expect("a time")),
        config: Given::Nothing,
        var: folder.path().join("var"),
        secret_key: None,
        own: live::Own::default(),
        tls: Some(files),
        ballast_bytes: 0,
    })
    .await
    .expect("the server starts");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    running.take_mail(listener, "alerts.example");
    let trusted = Certificate::from_pem(made.cert.pem().as_bytes()).expect("a certificate");
    let tls = TlsParameters::builder("localhost".to_owned()).add_root_certificate(trusted).build().expect("parameters");
    let client = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(address.port()).tls(Tls::Required(tls)).build();
    assert!(client.test_connection().await.expect("a handshake"), "it speaks in secret");
    let refused = client.send(mail("nokey@alerts.example", "<1@x.example>", "x")).await.expect_err("nobody is known");
    assert!(refused.is_permanent() && refused.to_string().contains("No integration has this key"), "{refused}");
    // What comes along with STARTTLS in the clear is not carried out in secret: the line is cut.
    let heard = raw(address, b"EHLO x\r\nSTARTTLS\r\nNOOP\r\n").await;
    assert!(heard.contains("250-STARTTLS") && heard.ends_with("554 5.5.1 Nothing may follow STARTTLS before the handshake\r\n"), "{heard}");
    running.stop().await;
}
