//! Conversations of mail, in whatever pieces they come.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use reveille::mail::Door;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::doors;

const DOMAIN: &str = "alerts.example.com";
const KEY: &str = "fuzzkey-of-email-00000";

/// RFC 5321 (4.5.3.1.5), with the line's end.
const REPLY_BYTES: usize = 512;
/// What one line may be answered with, bytes: EHLO's answer is the longest.
const ANSWER_BYTES: usize = 256;
/// A mail that is taken: should it not be, the target would try refusals alone.
const WHOLE: &[u8] = include_bytes!("corpus/smtp/whole");
/// The client hangs up after its last word, so nothing has to wait.
const WITHIN: Duration = Duration::from_secs(20);

/// The first byte says in how large pieces it comes, the second how often the rest does.
pub fn seeds() -> Vec<Vec<u8>> {
    let mail = "From: ups@example.com\r\nMessage-ID: <1@example.com>\r\nSubject: PROBLEM battery\r\n\r\n..dots\r\n.x\r\n";
    let whole = format!(
        "EHLO ups\r\nMAIL FROM:<ups@example.com> SIZE=99 BODY=8BITMIME\r\nRCPT TO:<x+{KEY}@{DOMAIN}>\r\nDATA\r\n{mail}.\r\nQUIT\r\n"
    );
    let refused = format!(
        "HELO ups\r\nMAIL FROM:<> SIZE=99999999\r\nMAIL FROM:<>\r\nRCPT TO:<nobody@{DOMAIN}>\r\nRCPT TO:<{KEY}@elsewhere.example>\r\nDATA\r\nRSET\r\n\
         STARTTLS\r\nAUTH PLAIN AGEAYg==\r\nBDAT 4 LAST\r\nBURL imap://x LAST\r\nVRFY x\r\nEXPN x\r\nNOOP x\r\nHELP\r\n"
    );
    let twice = format!("EHLO ups\r\nMAIL FROM:<a@b>\r\nRCPT TO:<{KEY}@{DOMAIN}>\r\nDATA\r\n\r\n.\r\nMAIL FROM:<a@b>\r\nDATA\r\n.\r\n");
    let long = format!("EHLO {}", "x".repeat(2_000));
    let seed = |head: [u8; 2], text: &str| [&head[..], text.as_bytes()].concat();
    vec![
        seed([0, 0], &whole),
        seed([255, 0], &whole),
        seed([16, 1], &refused),
        seed([255, 9], &twice),
        seed([255, 255], &long),
        seed([255, 255], "NOOP\r\n"),
        seed([3, 0], &whole.replace("\r\n", "\n")),
    ]
}

/// Whatever a client says, the conversation ends, each of its answers is a line of SMTP, no longer in all than what it heard asks for, and
/// no mail is called stored that was not asked for.
pub fn conversation(input: &[u8]) {
    let (pieces, times, text) = match input {
        [pieces, times, text @ ..] => (usize::from(*pieces) + 1, usize::from(*times) + 1, text),
        [_] | [] => (1, 1, input),
    };
    let said = text.repeat(times);
    let lines = said.split(|byte| *byte == b'\n').count();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let stream = Client { said, at: 0, pieces, heard: Arc::clone(&heard) };
    let (_tell, stopping) = watch::channel(false);
    let (runtime, house) = doors::house();
    let door = Door::new(house, DOMAIN, None);
    let ended = runtime.block_on(async { tokio::time::timeout(WITHIN, door.talk(stream, stopping)).await });
    assert!(ended.is_ok(), "the conversation goes on for ever");

    let heard = heard.lock().expect("no panic").clone();
    let heard = String::from_utf8(heard).expect("answers are ASCII");
    assert!(heard.starts_with("220 ") && heard.ends_with("\r\n"), "{heard:?}");
    assert!(heard.len() <= ANSWER_BYTES * (lines + 2), "{} bytes answer {lines} lines", heard.len());
    for line in heard.split_terminator("\r\n") {
        let (code, rest) = line.split_at_checked(3).unwrap_or_else(|| panic!("{line:?} has no code"));
        assert!(code.parse::<u16>().is_ok_and(|code| (200..600).contains(&code)), "{line:?}");
        assert!(rest.starts_with([' ', '-']) && line.len() + 2 <= REPLY_BYTES, "{line:?}");
        assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{line:?}");
    }
    assert!(!heard.contains(KEY), "a key is told");
    assert!(input != WHOLE || heard.contains("250 2.0.0 Stored"), "{heard:?}");
    assert!(heard.matches("250 2.0.0 Stored").count() <= heard.matches("\n354 ").count(), "{heard:?}");
}

/// Says what it has to say, in pieces, keeps what it hears, and hangs up.
struct Client {
    said: Vec<u8>,
    at: usize,
    pieces: usize,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Client {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let n = self.pieces.min(to.remaining()).min(self.said.len() - self.at);
        to.put_slice(&self.said[self.at..self.at + n]);
        self.at += n;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, text: &[u8]) -> Poll<io::Result<usize>> {
        self.heard.lock().expect("no panic").extend_from_slice(text);
        Poll::Ready(Ok(text.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
