//! One conversation: commands, then a mail, then its durable end.

use bytes::Bytes;
use smtp_proto::request::receiver::{DataReceiver, DummyDataReceiver, RequestReceiver};
use smtp_proto::{Error, MailFrom, RcptTo, Request};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::Door;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::flows::House;
use crate::flows::ingest::{self, IngestError};
use crate::flows::once::{self, Met, RepeatAnswer};

/// How a conversation ended.
pub(super) enum End<S> {
    /// Nothing more is to be said.
    Over,
    /// The client wants to go on in secret.
    Secure(S, TlsAcceptor),
}

pub(super) struct Session<'d, S> {
    door: &'d Door,
    stream: S,
    stopping: watch::Receiver<bool>,
    is_secure: bool,
    commands: RequestReceiver,
    state: State,
    is_greeted: bool,
    has_sender: bool,
    to: Vec<Recipient>,
    mistakes: u32,
    /// What was answered to commands that came together, until all of them are read.
    answers: String,
}

/// An integration, and the key by which the mail names it.
struct Recipient {
    door: ingest::Door,
    key: String,
}

enum State {
    Commands,
    Mail {
        receiver: DataReceiver,
        mail: Vec<u8>,
    },
    /// It is over its limit: read to its end, and thrown away.
    TooLarge {
        receiver: DummyDataReceiver,
        seen: usize,
    },
}

/// What follows a command.
enum Next {
    GoOn,
    Close,
    Secure,
}

impl<'d, S: AsyncRead + AsyncWrite + Unpin> Session<'d, S> {
    pub(super) fn new(door: &'d Door, stream: S, stopping: watch::Receiver<bool>, is_secure: bool) -> Self {
        Self {
            door,
            stream,
            stopping,
            is_secure,
            commands: RequestReceiver::default(),
            state: State::Commands,
            is_greeted: false,
            has_sender: false,
            to: Vec::new(),
            mistakes: 0,
            answers: String::new(),
        }
    }

    pub(super) async fn run(mut self) -> End<S> {
        if !self.is_secure {
            self.say(&format!("220 {} ESMTP Reveille takes alerts", self.door.domain));
        }
        let mut chunk = vec![0; 16 << 10];
        loop {
            if self.flush().await.is_none() {
                return End::Over;
            }
            let Some(n) = self.read(&mut chunk).await else { return End::Over };
            let mut bytes = chunk[..n].iter();
            match self.take(&mut bytes).await {
                Next::GoOn => {}
                Next::Close => {
                    self.flush().await;
                    return End::Over;
                }
                Next::Secure => {
                    let Some(tls) = self.door.tls.clone() else { return End::Over };
                    return if self.flush().await.is_some() { End::Secure(self.stream, tls) } else { End::Over };
                }
            }
        }
    }

    /// Some bytes, or `None` at the end of the line, of patience, or of the server.
    async fn read(&mut self, chunk: &mut [u8]) -> Option<usize> {
        let Self { stream, stopping, .. } = self;
        let read = tokio::select! {
            read = tokio::time::timeout(limits::MAIL_IDLE.as_duration(), stream.read(chunk)) => read.ok(),
            () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => None,
        };
        match read {
            Some(Ok(n)) if n > 0 => Some(n),
            Some(Ok(_) | Err(_)) => None,
            None => {
                self.say(&format!("421 4.3.2 {} closes the line; come again", self.door.domain));
                self.flush().await;
                None
            }
        }
    }

    fn say(&mut self, line: &str) {
        self.answers.push_str(line);
        self.answers.push_str("\r\n");
    }

    fn wrong(&mut self, line: &str) -> Next {
        self.mistakes += 1;
        self.say(line);
        if self.mistakes < limits::MAIL_MISTAKES {
            return Next::GoOn;
        }
        self.say("421 4.7.0 Too many mistakes");
        Next::Close
    }

    async fn flush(&mut self) -> Option<()> {
        let answers = std::mem::take(&mut self.answers);
        let write = async {
            self.stream.write_all(answers.as_bytes()).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(limits::MAIL_IDLE.as_duration(), write).await.ok()?.ok()
    }

    async fn take(&mut self, bytes: &mut std::slice::Iter<'_, u8>) -> Next {
        loop {
            let next = match &mut self.state {
                State::Commands => match self.commands.ingest(bytes).map(Request::into_owned) {
                    Ok(command) => self.command(command),
                    Err(Error::NeedsMoreData { .. }) => return Next::GoOn,
                    Err(error) => self.wrong(refusal(&error)),
                },
                State::Mail { receiver, mail } => {
                    let is_whole = receiver.ingest(bytes, mail);
                    if mail.len() > limits::MAIL_BYTES {
                        let receiver = DummyDataReceiver::new_data(receiver);
                        if is_whole {
                            self.too_large().await;
                        } else {
                            self.state = State::TooLarge { receiver, seen: limits::MAIL_BYTES };
                        }
                        Next::GoOn
                    } else if is_whole {
                        let mail = std::mem::take(mail);
                        self.mail(mail).await;
                        Next::GoOn
                    } else {
                        return Next::GoOn;
                    }
                }
                State::TooLarge { receiver, seen } => {
                    *seen += bytes.len();
                    if receiver.ingest(bytes) {
                        self.too_large().await;
                        Next::GoOn
                    } else if *seen > limits::MAIL_DRAIN_BYTES {
                        self.too_large().await;
                        Next::Close
                    } else {
                        return Next::GoOn;
                    }
                }
            };
            match next {
                Next::GoOn => {}
                Next::Close => return Next::Close,
                // What came along in the clear might be somebody else's words.
                Next::Secure if !bytes.as_slice().is_empty() => {
                    self.say("554 5.5.1 Nothing may follow STARTTLS before the handshake");
                    return Next::Close;
                }
                Next::Secure => {
                    self.say("220 2.0.0 Go on in secret");
                    return Next::Secure;
                }
            }
        }
    }

    fn command(&mut self, command: Request<String>) -> Next {
        match command {
            Request::Ehlo { .. } => {
                self.greet();
                self.say(&format!("250-{}", self.door.domain));
                self.say(&format!("250-SIZE {}", limits::MAIL_BYTES));
                if self.door.tls.is_some() && !self.is_secure {
                    self.say("250-STARTTLS");
                }
                self.say("250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES");
                Next::GoOn
            }
            Request::Helo { .. } => {
                self.greet();
                self.say(&format!("250 {}", self.door.domain));
                Next::GoOn
            }
            Request::Mail { from } => self.sender(&from),
            Request::Rcpt { to } => self.recipient(&to),
            Request::Data if self.to.is_empty() => self.wrong("503 5.5.1 Name a sender and a recipient first"),
            Request::Data => {
                self.say("354 End with a line of one dot");
                self.state = State::Mail { receiver: DataReceiver::new(), mail: Vec::new() };
                Next::GoOn
            }
            Request::Rset => {
                self.reset();
                self.say("250 2.0.0 Forgotten");
                Next::GoOn
            }
            Request::Noop { .. } => {
                self.say("250 2.0.0 Nothing done");
                Next::GoOn
            }
            Request::Vrfy { .. } => {
                self.say("252 2.1.5 Send some mail and see");
                Next::GoOn
            }
            Request::Quit => {
                self.say("221 2.0.0 Bye");
                Next::Close
            }
            Request::StartTls if self.door.tls.is_some() && !self.is_secure => Next::Secure,
            Request::StartTls
            | Request::Lhlo { .. }
            | Request::Bdat { .. }
            | Request::Auth { .. }
            | Request::Expn { .. }
            | Request::Help { .. }
            | Request::Etrn { .. }
            | Request::Atrn { .. }
            | Request::Burl { .. } => self.wrong("502 5.5.1 Not here"),
        }
    }

    fn greet(&mut self) {
        self.is_greeted = true;
        self.reset();
    }

    fn reset(&mut self) {
        self.state = State::Commands;
        self.has_sender = false;
        self.to.clear();
    }

    fn sender(&mut self, from: &MailFrom<String>) -> Next {
        if !self.is_greeted {
            return self.wrong("503 5.5.1 Say EHLO first");
        }
        if self.has_sender {
            return self.wrong("503 5.5.1 One sender is enough");
        }
        // A sender that says so beforehand sends it to nobody, and hears it from its own server.
        if from.size > limits::MAIL_BYTES {
            self.say(&format!("552 5.3.4 A mail of at most {} bytes is taken", limits::MAIL_BYTES));
            return Next::GoOn;
        }
        self.has_sender = true;
        self.say("250 2.1.0 Go on");
        Next::GoOn
    }

    fn recipient(&mut self, to: &RcptTo<String>) -> Next {
        if !self.has_sender {
            return self.wrong("503 5.5.1 MAIL comes first");
        }
        let Some((name, domain)) = to.address.rsplit_once('@') else { return self.wrong("553 5.1.3 Not an address") };
        if !domain.eq_ignore_ascii_case(&self.door.domain) {
            return self.wrong("550 5.7.1 Mail for that domain is not taken here");
        }
        if self.to.len() >= limits::MAIL_RECIPIENTS {
            self.say("452 4.5.3 Too many recipients");
            return Next::GoOn;
        }
        let key = name.rsplit_once('+').map_or(name, |(_, key)| key);
        match ingest::open(&self.door.house, "email", key) {
            Ok(door) => {
                if self.to.iter().all(|other| other.door.integration.id != door.integration.id) {
                    self.to.push(Recipient { door, key: key.to_owned() });
                }
                self.say("250 2.1.5 Known");
                Next::GoOn
            }
            Err(IngestError::OtherSource(source)) => {
                self.wrong(&format!("550 5.1.1 This key belongs to an integration of the source {source}, not email"))
            }
            Err(IngestError::UnknownKey | IngestError::Unproven(_) | IngestError::CannotStore) => {
                self.wrong("550 5.1.1 No integration has this key; the address is KEY@domain")
            }
        }
    }

    /// The mail is here: it is stored for each of its recipients, or for none that is said.
    async fn mail(&mut self, mail: Vec<u8>) {
        let to = std::mem::take(&mut self.to);
        self.reset();
        self.mistakes = 0;
        for recipient in to {
            if let Err(error) = self.store(recipient, &mail).await {
                tracing::warn!(%error, "a mail could not be stored");
                // Those who have it already know it by its Message-ID when it comes again.
                self.say("451 4.3.0 Nothing can be stored just now; come again");
                return;
            }
        }
        self.say("250 2.0.0 Stored");
    }

    async fn store(&self, Recipient { door, key }: Recipient, mail: &[u8]) -> Result<(), IngestError> {
        let house = &self.door.house;
        let inbound = message(without(mail, key.as_bytes()).into(), house);
        let claim = match door.source.delivery(&inbound) {
            Some(id) => {
                let caller = format!("integration:{}", door.integration.id);
                once::claim(house, &caller, "delivery", &id, &inbound.body).await.ok()
            }
            None => None,
        };
        if matches!(claim, Some(Met::Answered(_))) {
            return Ok(());
        }
        let outcome = ingest::ingest(house, &door, &inbound, None).await.map(drop);
        if let Some(Met::Ours(once)) = claim {
            let answer = RepeatAnswer { status: 250, headers: Vec::new(), body: String::new() };
            if let Err(error) = once::settle(house, &once, outcome.is_ok().then_some(&answer)).await {
                tracing::warn!(%error, "that a mail is here could not be noted");
            }
        }
        outcome
    }

    /// Refused, and told as an alert to those it was for: its sender may be a machine that reads no answers.
    async fn too_large(&mut self) {
        let to = std::mem::take(&mut self.to);
        self.reset();
        for recipient in to {
            if ingest::oversized(&self.door.house, &recipient.door, &message(Bytes::new(), &self.door.house)).await.is_err() {
                self.say("451 4.3.0 Nothing can be stored just now; come again");
                return;
            }
        }
        self.say(&format!("552 5.3.4 A mail of at most {} bytes is taken", limits::MAIL_BYTES));
    }
}

/// A mail as every message comes in; beside its recipient's key it shows nothing.
fn message(body: Bytes, house: &House) -> Inbound {
    Inbound { method: "SMTP".to_owned(), path: "/".to_owned(), headers: Vec::new(), body, sent: None, received_at: house.clock.now() }
}

fn refusal(error: &Error) -> &'static str {
    match error {
        Error::ResponseTooLong => "500 5.5.2 The line is too long",
        Error::InvalidSenderAddress => "553 5.1.7 Not an address",
        Error::InvalidRecipientAddress => "553 5.1.3 Not an address",
        Error::UnsupportedParameter { .. } => "555 5.5.4 No such parameter",
        Error::SyntaxError { .. } | Error::InvalidParameter { .. } => "501 5.5.4 That cannot be understood",
        Error::UnknownCommand | Error::InvalidResponse { .. } | Error::NeedsMoreData { .. } => "500 5.5.2 Not a command",
    }
}

/// The mail with stars in the place of its recipient's key, which is a secret, and which a sample of the mail would show.
fn without(mail: &[u8], key: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(mail.len());
    let mut rest = mail;
    while let Some((first, tail)) = rest.split_first() {
        if !key.is_empty() && rest.len() >= key.len() && rest[..key.len()].eq_ignore_ascii_case(key) {
            kept.resize(kept.len() + key.len(), b'*');
            rest = &rest[key.len()..];
        } else {
            kept.push(*first);
            rest = tail;
        }
    }
    kept
}
