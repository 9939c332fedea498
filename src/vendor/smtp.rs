//! Mail by SMTP (RFC 5321), one connection for each mail: a page is rare, and a pool's dead connection would cost it its first try.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use super::http::cause;
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};

/// How a connection is kept from listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    /// `smtp://`: none.
    Plain,
    /// `smtp://…?tls=required`, and whenever a password goes over a network: STARTTLS, or no mail.
    Upgraded,
    /// `smtps://`: from the first byte.
    Wrapped,
}

/// The address of a mail server that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no mail server's address: write it as smtp://host:port, smtp://user:password@host?tls=required or smtps://user:password@host"
)]
pub struct BadServer;

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It is certain that it was not.
    #[error("{0}")]
    Rejected(String),
    /// It had been handed over when the connection ended.
    #[error("{0}")]
    Unknown(String),
}

/// One mail to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMail {
    /// The part of the Message-ID before the "@": unique, and the same for no other mail.
    pub id: String,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// What readers of mail put together: the same for every mail about one thing.
    pub thread: String,
}

/// One mail server.
#[derive(Debug, Clone)]
pub struct Smtp {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<(String, Secret)>,
    from: Mailbox,
    clock: Clock,
}

impl Smtp {
    /// `url` as the configuration gives it, `from` an address or `Name <address>`.
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn new(url: &Secret, from: &str, clock: Clock) -> Result<Self, BadServer> {
        let url = reqwest::Url::parse(url.expose()).map_err(|_| BadServer)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BadServer)?.trim_matches(['[', ']']).to_owned();
        let decoded = |text: &str| percent_decoded(text);
        let login = url.password().map(|password| (decoded(url.username()), Secret::new(decoded(password))));
        let asks = url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
        let is_near = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let tls = match url.scheme() {
            "smtps" => Tls::Wrapped,
            "smtp" if asks || (login.is_some() && !is_near) => Tls::Upgraded,
            "smtp" => Tls::Plain,
            _ => return Err(BadServer),
        };
        let port = url.port().unwrap_or(match tls {
            Tls::Wrapped => 465,
            Tls::Upgraded => 587,
            Tls::Plain => 25,
        });
        Ok(Self { host, port, tls, login, from: from.parse().map_err(|_| BadServer)?, clock })
    }

    /// The address that mail comes from.
    #[must_use]
    pub fn from(&self) -> &str {
        self.from.email.as_ref()
    }

    /// Hands a mail over, and gives the Message-ID it has.
    ///
    /// # Errors
    /// [`MailError::Rejected`] only where it is certain that it was not taken.
    pub async fn send(&self, mail: &NewMail) -> Result<String, MailError> {
        let started = self.clock.now();
        let message_id = format!("<{}@{}>", mail.id, self.from.email.domain());
        let (to, message) = self.message(mail, &message_id, started)?;
        let silence = || format!("the mail server did not answer within {}", limits::PROVIDER_ANSWER);
        let greeting = self.clock.timeout(limits::PROVIDER_ANSWER, self.up_to_the_words(&to));
        let mut connection = greeting.await.unwrap_or_else(|| Err(MailError::Rejected(silence())))?;
        // From here on it may be taken, whatever we hear.
        let left = (started + limits::PROVIDER_ANSWER).since(self.clock.now()).max(Span::ZERO);
        let told = match self.clock.timeout(left, connection.message(&message)).await {
            Some(Ok(_)) => Ok(message_id),
            Some(Err(error)) if error.status().is_some() => Err(MailError::Rejected(self.plain(&error))),
            Some(Err(error)) => Err(MailError::Unknown(format!("the connection to the mail server broke: {}", self.plain(&error)))),
            None => Err(MailError::Unknown(silence())),
        };
        if told.is_ok() {
            // It is polite and changes nothing: the mail is the server's by now.
            let clock = self.clock.clone();
            tokio::spawn(async move { clock.timeout(limits::PROVIDER_CONNECT, connection.abort()).await });
        }
        told
    }

    async fn up_to_the_words(&self, to: &lettre::Address) -> Result<AsyncSmtpConnection, MailError> {
        let refused = |error: lettre::transport::smtp::Error| MailError::Rejected(self.plain(&error));
        let us = ClientId::Domain(self.from.email.domain().to_owned());
        let tls = || TlsParameters::new_rustls(self.host.clone()).map_err(refused);
        let wrapped = if self.tls == Tls::Wrapped { Some(tls()?) } else { None };
        let within = Some(limits::PROVIDER_CONNECT.as_duration());
        let place = (self.host.as_str(), self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(place, within, &us, wrapped, None).await.map_err(refused)?;
        if self.tls == Tls::Upgraded {
            connection.starttls(tls()?, &us).await.map_err(refused)?;
        }
        if let Some((user, password)) = &self.login {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(refused)?;
        }
        // The library's own sending does not tell before from after the words.
        connection.command(Mail::new(Some(self.from.email.clone()), Vec::new())).await.map_err(refused)?;
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(refused)?;
        connection.command(Data).await.map_err(refused)?;
        Ok(connection)
    }

    fn message(&self, mail: &NewMail, message_id: &str, at: Time) -> Result<(lettre::Address, Vec<u8>), MailError> {
        let unfit = |what: &str| MailError::Rejected(format!("{what} cannot be written into a mail"));
        let to: Mailbox = mail.to.parse().map_err(|_| unfit("this address"))?;
        let thread = format!("<{}@{}>", mail.thread, self.from.email.domain());
        let header = |name: &str, value: &str| {
            let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|_| unfit("a header"))?;
            Ok(HeaderValue::new(name, value.to_owned()))
        };
        let since_1970 = std::time::Duration::from_secs(at.seconds().unsigned_abs());
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.clone())
            .date(std::time::SystemTime::UNIX_EPOCH + since_1970)
            .message_id(Some(message_id.to_owned()))
            .in_reply_to(thread.clone())
            .references(thread)
            .subject(one_line(&mail.subject))
            // RFC 3834: no answering machine answers it.
            .raw_header(header("Auto-Submitted", "auto-generated")?)
            .multipart(MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone()))
            .map_err(|_| unfit("this page"))?;
        Ok((to.email, message.formatted()))
    }

    /// One short line of an error, without the password.
    fn plain(&self, error: &lettre::transport::smtp::Error) -> String {
        let mut text = match error.status() {
            Some(_) => error.to_string(),
            None => cause(error),
        };
        if let Some((_, password)) = self.login.as_ref().filter(|(_, password)| !password.expose().is_empty()) {
            text = text.replace(password.expose(), "***");
        }
        format!("mail server: {}", one_line(&text)).chars().take(limits::PROVIDER_REASON_CHARS).collect()
    }
}

/// Whatever would begin another header is a blank.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn percent_decoded(text: &str) -> String {
    form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp(url: &str) -> Result<Smtp, BadServer> {
        Smtp::new(&Secret::new(url), "Reveille <reveille@example.com>", Clock::system())
    }

    #[test]
    fn addresses_say_how_the_line_is_kept() {
        for (url, host, port, tls) in [
            ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Tls::Plain),
            ("smtp://relay.internal", "relay.internal", 25, Tls::Plain),
            ("smtp://relay.internal?tls=required", "relay.internal", 587, Tls::Upgraded),
            ("smtp://ana:secret@mail.example.com", "mail.example.com", 587, Tls::Upgraded),
            ("smtp://ana:secret@localhost:25", "localhost", 25, Tls::Plain),
            ("smtps://ana:p%40ss+1@mail.example.com", "mail.example.com", 465, Tls::Wrapped),
        ] {
            let made = smtp(url).expect("an address");
            assert_eq!((made.host.as_str(), made.port, made.tls), (host, port, tls), "{url}");
        }
        let login = smtp("smtps://ana:p%40ss+1@mail.example.com").expect("an address").login.expect("a login");
        assert_eq!((login.0.as_str(), login.1.expose()), ("ana", "p@ss+1"));
        for bad in ["", "http://mail.example.com", "smtp://", "mail.example.com"] {
            assert!(smtp(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_word_of_a_strangers_begins_a_header() {
        let mail = NewMail {
            id: "att_1".to_owned(),
            to: "ana@example.com".to_owned(),
            subject: "down\r\nBcc: eve@example.com\r\n\r\nhello".to_owned(),
            text: "text\r\n.\r\nQUIT".to_owned(),
            html: "<p>text</p>".to_owned(),
            thread: "inc_1".to_owned(),
        };
        let made = smtp("smtp://127.0.0.1").expect("an address").message(&mail, "<att_1@example.com>", Time::from_seconds(1_767_751_200));
        let text = String::from_utf8(made.expect("a mail").1).expect("ascii");
        let headers: Vec<&str> = text.split("\r\n\r\n").next().expect("headers").lines().collect();
        assert!(!headers.iter().any(|line| line.to_ascii_lowercase().starts_with("bcc")), "{headers:?}");
        for line in
            ["Message-ID: <att_1@example.com>", "References: <inc_1@example.com>", "Auto-Submitted: auto-generated", "To: ana@example.com"]
        {
            assert!(headers.contains(&line), "{line} in {headers:?}");
        }
        assert!(headers.contains(&"Date: Wed, 07 Jan 2026 02:00:00 +0000"), "{headers:?}");
        let hostile = NewMail { to: "ana@example.com>\r\nRCPT TO:<eve@example.com".to_owned(), ..mail };
        assert!(smtp("smtp://127.0.0.1").expect("an address").message(&hostile, "<x@y>", Time(0)).is_err());
    }
}
