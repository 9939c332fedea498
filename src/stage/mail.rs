//! Mail: a server that takes it as RFC 5321 says, strictly, and the mailboxes it lands in.

use std::net::SocketAddr;
use std::sync::Arc;

use mail_parser::MessageParser;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::fault::hold;
use super::{ACCEPT_AGAIN, Inner, Stage, Work, lock};
use crate::base::time::{Span, Time};

/// Mails that the stage remembers; the oldest are forgotten first.
const MAILS: usize = 1_000;
/// The largest mail, bytes, as announced.
const SIZE: usize = 10 << 20;
/// The longest command line and the longest line of a mail, bytes with their end (RFC 5321, 4.5.3.1).
const COMMAND_LINE: usize = 512;
const TEXT_LINE: usize = 1_000;
/// Recipients of one mail.
const RECIPIENTS: usize = 100;
/// How long a client may say nothing.
const IDLE: Span = Span::minutes(5);
/// Commands that make no sense, one after the other, before the line is cut.
const MISTAKES: u32 = 10;

/// One mail, as it was taken.
#[derive(Debug, Clone, Serialize)]
pub struct Mail {
    pub id: u64,
    pub at: Time,
    /// The envelope's sender; empty for a bounce.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    pub subject: String,
    /// The From header, as a reader sees it.
    pub sender: String,
    pub text: Option<String>,
    pub html: Option<String>,
    /// As it came over the wire, its dots unstuffed.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

impl Mail {
    /// A header's value, unfolded, by its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let message = MessageParser::default().parse(&self.raw)?;
        message.header_raw(name).map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The web addresses in its text.
    #[must_use]
    pub fn links(&self) -> Vec<String> {
        let text = self.text.as_deref().unwrap_or_default();
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '(' | ')'));
        let links = words.filter(|word| word.starts_with("https://") || word.starts_with("http://"));
        links.map(|word| word.trim_end_matches(['.', ',', ';', ':', '!', '?']).to_owned()).collect()
    }
}

/// How the mail server misbehaves from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MailFault {
    /// Connections are taken and nothing is ever said on them.
    Hang,
    /// Each mail is refused with this code, 400 to 599, when its sender is named.
    Refuse { code: u16 },
    /// No recipient is known: 550.
    UnknownRecipient,
    /// The mail is taken; the connection closes before that is said.
    TakeButDrop,
    /// The mail is taken; that is never said.
    TakeButHang,
    /// The connection closes in the middle of the mail, and nothing is taken.
    DropInMail,
}

/// Takes connections until the stage is shut.
pub(super) async fn serve(inner: Arc<Inner>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => inner.spawn(session(inner.clone(), stream)),
            Err(_) => inner.clock.sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn session(inner: Arc<Inner>, stream: TcpStream) {
    let (reader, writer) = stream.into_split();
    let mut session = Session { inner, reader: BufReader::new(reader), writer, greeted: false, from: None, to: Vec::new(), mistakes: 0 };
    // A client that goes away, or is sent away by a fault, is nothing to report.
    session.run().await.unwrap_or_default();
}

/// The connection is over, whoever ended it.
struct Gone;

struct Session {
    inner: Arc<Inner>,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
    mistakes: u32,
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    /// It ends in LF alone, or has a CR in its middle.
    Bare,
}

impl Session {
    async fn run(&mut self) -> Result<(), ()> {
        let done = self.talk().await;
        // Both ends of a story: the client quits, or the line is cut.
        done.map_err(|Gone| ())
    }

    fn fault(&self) -> Option<MailFault> {
        self.inner.world().mail_fault
    }

    async fn talk(&mut self) -> Result<(), Gone> {
        if self.fault() == Some(MailFault::Hang) {
            hold(&self.inner, self.inner.mail_faults.subscribe()).await;
            return Ok(());
        }
        self.say("220 stage.example ESMTP ready").await?;
        loop {
            let line = match self.line(COMMAND_LINE).await? {
                Line::Whole(line) => line,
                Line::TooLong => {
                    self.wrong("500 5.5.2 Line too long").await?;
                    continue;
                }
                Line::Bare => {
                    self.wrong("500 5.5.2 Lines end in CR LF").await?;
                    continue;
                }
            };
            let Ok(line) = String::from_utf8(line) else {
                self.wrong("500 5.5.2 Not a command").await?;
                continue;
            };
            let (verb, rest) = line.split_once(' ').map_or((line.as_str(), ""), |(verb, rest)| (verb, rest));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" | "HELO" if rest.trim().is_empty() => self.wrong("501 5.5.4 Say who you are").await?,
                "EHLO" => {
                    self.greet();
                    let size = format!("250-SIZE {SIZE}");
                    let lines = ["250-stage.example", "250-PIPELINING", &size, "250-8BITMIME", "250-SMTPUTF8", "250 ENHANCEDSTATUSCODES"];
                    self.say(&lines.join("\r\n")).await?;
                }
                "HELO" => {
                    self.greet();
                    self.say("250 stage.example").await?;
                }
                "MAIL" => self.mail(rest).await?,
                "RCPT" => self.rcpt(rest).await?,
                "DATA" if !rest.is_empty() => self.wrong("501 5.5.4 DATA takes nothing").await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 Forgotten").await?;
                }
                "NOOP" => self.say("250 2.0.0 Nothing done").await?,
                "VRFY" => self.say("252 2.1.5 Send some mail and see").await?,
                "QUIT" => {
                    self.say("221 2.0.0 Bye").await?;
                    return Ok(());
                }
                "STARTTLS" | "AUTH" | "EXPN" | "HELP" => self.wrong("502 5.5.1 Not here").await?,
                _ => self.wrong("500 5.5.2 Not a command").await?,
            }
        }
    }

    fn greet(&mut self) {
        self.greeted = true;
        self.reset();
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn mail(&mut self, rest: &str) -> Result<(), Gone> {
        if !self.greeted {
            return self.wrong("503 5.5.1 Say EHLO first").await;
        }
        if self.from.is_some() {
            return self.wrong("503 5.5.1 One sender is enough").await;
        }
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.wrong("501 5.5.4 MAIL FROM:<address>").await;
        };
        for parameter in parameters {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (name.to_ascii_uppercase().as_str(), value.to_ascii_uppercase().as_str()) {
                ("SIZE", size) if size.parse::<usize>().is_ok_and(|size| size <= SIZE) => {}
                ("SIZE", size) if size.parse::<usize>().is_ok() => return self.say("552 5.3.4 Too large").await,
                ("BODY", "7BIT" | "8BITMIME") | ("SMTPUTF8", "") => {}
                _ => return self.wrong("555 5.5.4 No such parameter").await,
            }
        }
        if !from.is_empty() && !is_address(from) {
            return self.say("553 5.1.7 Not an address").await;
        }
        if let Some(MailFault::Refuse { code }) = self.fault() {
            let class = code / 100;
            return self.say(&format!("{code} {class}.3.0 A fault of the stage")).await;
        }
        self.from = Some(from.to_owned());
        self.say("250 2.1.0 Go on").await
    }

    async fn rcpt(&mut self, rest: &str) -> Result<(), Gone> {
        if self.from.is_none() {
            return self.wrong("503 5.5.1 MAIL comes first").await;
        }
        let Some((to, parameters)) = path(rest, "TO:") else {
            return self.wrong("501 5.5.4 RCPT TO:<address>").await;
        };
        if parameters.count() > 0 {
            return self.wrong("555 5.5.4 No such parameter").await;
        }
        if !is_address(to) {
            return self.say("553 5.1.3 Not an address").await;
        }
        if self.fault() == Some(MailFault::UnknownRecipient) {
            return self.say("550 5.1.1 No such mailbox").await;
        }
        if self.to.len() >= RECIPIENTS {
            return self.say("452 4.5.3 Too many recipients").await;
        }
        self.to.push(to.to_owned());
        self.say("250 2.1.5 Known").await
    }

    async fn data(&mut self) -> Result<(), Gone> {
        if self.from.is_none() || self.to.is_empty() {
            return self.wrong("503 5.5.1 Name a sender and a recipient first").await;
        }
        self.say("354 End with a line of one dot").await?;
        let mut raw = Vec::new();
        let mut refusal = None;
        loop {
            match self.line(TEXT_LINE).await? {
                Line::Whole(line) if line == b"." => break,
                Line::Whole(line) if raw.len() + line.len() > SIZE => {
                    refusal.get_or_insert("552 5.3.4 Too large");
                    drop(line);
                }
                Line::Whole(line) => {
                    // A dot that begins a line was put there by the sender.
                    raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                    raw.extend_from_slice(b"\r\n");
                }
                Line::TooLong => {
                    refusal.get_or_insert("500 5.5.2 Line too long");
                }
                Line::Bare => {
                    refusal.get_or_insert("550 5.6.0 Lines end in CR LF");
                }
            }
            if self.fault() == Some(MailFault::DropInMail) {
                return Err(Gone);
            }
        }
        let (from, to) = (self.from.take().unwrap_or_default(), std::mem::take(&mut self.to));
        if let Some(refusal) = refusal {
            return self.say(refusal).await;
        }
        let mail = match read(raw, from, to, self.inner.clock.now()) {
            Ok(mail) => mail,
            Err(refusal) => return self.say(refusal).await,
        };
        let work = Work::begin(&self.inner);
        let id = self.inner.add_mail(mail);
        drop(work);
        match self.fault() {
            Some(MailFault::TakeButDrop) => Err(Gone),
            Some(MailFault::TakeButHang) => {
                hold(&self.inner, self.inner.mail_faults.subscribe()).await;
                Err(Gone)
            }
            Some(MailFault::Hang | MailFault::Refuse { .. } | MailFault::UnknownRecipient | MailFault::DropInMail) | None => {
                self.say(&format!("250 2.0.0 Taken as {id}")).await
            }
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), Gone> {
        self.mistakes = 0;
        self.write(text).await
    }

    async fn wrong(&mut self, text: &str) -> Result<(), Gone> {
        self.mistakes += 1;
        self.write(text).await?;
        if self.mistakes < MISTAKES {
            return Ok(());
        }
        self.write("421 4.7.0 Enough").await?;
        Err(Gone)
    }

    async fn write(&mut self, text: &str) -> Result<(), Gone> {
        self.writer.write_all(format!("{text}\r\n").as_bytes()).await.map_err(|_| Gone)
    }

    /// One line without its end. One that is too long is read to its end, and lost.
    async fn line(&mut self, most: usize) -> Result<Line, Gone> {
        let clock = self.inner.clock.clone();
        let reading = async {
            let (mut line, mut too_long, mut bare) = (Vec::new(), false, false);
            loop {
                let byte = self.reader.read_u8().await.map_err(|_| Gone)?;
                match byte {
                    b'\n' if line.last() == Some(&b'\r') => {
                        line.pop();
                        bare |= line.contains(&b'\r');
                        return Ok(if too_long {
                            Line::TooLong
                        } else if bare {
                            Line::Bare
                        } else {
                            Line::Whole(line)
                        });
                    }
                    // A lone LF ends a line for some readers and not for others: that is how mail is smuggled, so it ends none here.
                    b'\n' => bare = true,
                    _ if line.len() + 2 > most => {
                        too_long = true;
                        line.clear();
                    }
                    _ => {}
                }
                line.push(byte);
            }
        };
        clock.timeout(IDLE, reading).await.unwrap_or(Err(Gone))
    }
}

/// `FROM:<address> NAME=VALUE …`: the address and the parameters. There is no space after the colon.
fn path<'a>(rest: &'a str, word: &str) -> Option<(&'a str, std::str::SplitAsciiWhitespace<'a>)> {
    let head = rest.get(..word.len())?;
    let (address, rest) = rest[word.len()..].strip_prefix('<')?.split_once('>')?;
    let parameters = rest.strip_prefix(' ').unwrap_or(rest);
    (head.eq_ignore_ascii_case(word) && (rest.is_empty() || rest.starts_with(' '))).then(|| (address, parameters.split_ascii_whitespace()))
}

fn is_address(text: &str) -> bool {
    let well = |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '@'));
    text.rsplit_once('@').is_some_and(|(name, host)| well(name) && well(host) && text.len() <= 254 && name.len() <= 64)
}

/// Reads a mail. One without a sender or a date, or with raw letters in its head, is refused, as many servers refuse it.
fn read(raw: Vec<u8>, from: String, to: Vec<String>, at: Time) -> Result<Mail, &'static str> {
    let end = raw.windows(4).position(|four| four == b"\r\n\r\n").ok_or("550 5.6.0 The mail has no empty line after its head")?;
    if !raw[..end].is_ascii() {
        return Err("550 5.6.7 The head holds letters that are not ASCII");
    }
    let message = MessageParser::default().parse(&raw).ok_or("550 5.6.0 The mail cannot be read")?;
    let sender = message.from().and_then(|from| from.first()).ok_or("550 5.6.0 The mail has no From")?;
    let address = sender.address().unwrap_or_default();
    let sender = sender.name().map_or_else(|| address.to_owned(), |name| format!("{name} <{address}>"));
    if message.date().is_none() {
        return Err("550 5.6.0 The mail has no Date");
    }
    let subject = message.subject().unwrap_or_default().to_owned();
    // A part that is made up from the other is none.
    let text = message.text_body.first().and_then(|part| message.part(*part)).filter(|part| !part.is_text_html());
    let html = message.html_body.first().and_then(|part| message.part(*part)).filter(|part| part.is_text_html());
    let words = |part: Option<&mail_parser::MessagePart<'_>>| part.and_then(|part| part.text_contents().map(str::to_owned));
    let (text, html) = (words(text), words(html));
    Ok(Mail { id: 0, at, from, to, subject, sender, text, html, raw })
}

impl Stage {
    /// Where mail is taken: `smtp://127.0.0.1:PORT`, what goes to `[smtp] url`. Nothing on a stage without mail.
    #[must_use]
    pub fn smtp_url(&self) -> Option<String> {
        self.0.smtp.map(|address| format!("smtp://{address}"))
    }

    /// All mails, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.0.world().mails.clone()
    }

    /// How mail goes wrong from now on; what hangs because of an earlier fault is released.
    pub fn set_mail_fault(&self, fault: Option<MailFault>) {
        self.0.world().mail_fault = fault;
        self.0.mail_faults.send_modify(|n| *n += 1);
        self.0.changed();
    }

    #[must_use]
    pub fn mail_fault(&self) -> Option<MailFault> {
        self.0.world().mail_fault
    }
}

impl Inner {
    fn add_mail(&self, mail: Mail) -> u64 {
        let mut world = lock(&self.world);
        let id = world.mails.last().map_or(1, |last| last.id + 1);
        world.mails.push(Mail { id, ..mail });
        if world.mails.len() > MAILS {
            world.mails.remove(0);
        }
        drop(world);
        self.changed();
        id
    }
}

/// Binds the mail server's port, if there is to be one.
pub(super) async fn bind(address: Option<SocketAddr>) -> Result<Option<(SocketAddr, TcpListener)>, (SocketAddr, std::io::Error)> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|cause| (address, cause))?;
    let bound = listener.local_addr().map_err(|cause| (address, cause))?;
    Ok(Some((bound, listener)))
}
