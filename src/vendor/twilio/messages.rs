//! Twilio's messages API, in its own words.

use serde::Deserialize;

use super::{AskError, Exchange, SendError, Twilio, rfc2822};
use crate::base::time::Time;

/// The newest messages to one number that are looked through for a lost one: far more than a person is sent in a minute.
const MESSAGES_LISTED: &str = "50";
/// "Attempt to send to unsubscribed recipient": who has that number has told Twilio to stop.
pub const UNSUBSCRIBED: i64 = 21_610;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    pub to: String,
    pub from: String,
    pub body: String,
    pub status_callback: Option<String>,
}

/// A message as Twilio has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageResource {
    pub sid: String,
    /// `accepted`, `scheduled`, `queued`, `sending`, `sent`, `delivered`, `read`, `undelivered`, `failed`, `canceled`, and others.
    pub status: String,
    pub body: String,
    /// Why it failed, as one of Twilio's codes.
    pub error_code: Option<i64>,
    pub date_created: Option<Time>,
}

/// Why an order to send did not come back as a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct MessageError {
    pub error: SendError,
    /// Twilio's code, where it gave one.
    pub code: Option<i64>,
}

#[derive(Deserialize)]
struct MessageJson {
    sid: String,
    status: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    error_code: Option<i64>,
    #[serde(default)]
    date_created: Option<String>,
}

#[derive(Deserialize)]
struct MessagesJson {
    messages: Vec<MessageJson>,
}

impl Twilio {
    /// Orders a message.
    ///
    /// # Errors
    /// [`SendError::Rejected`] only where it is certain that nothing was sent; what is doubtful is [`SendError::Unknown`].
    pub async fn create_message(&self, message: &NewMessage) -> Result<MessageResource, MessageError> {
        let mut form: Vec<(&str, &str)> = vec![("To", &message.to), ("From", &message.from), ("Body", &message.body)];
        form.extend(message.status_callback.as_deref().map(|url| ("StatusCallback", url)));
        let rejected = |code, reason| MessageError { error: SendError::Rejected { reason }, code };
        let unknown = |code, reason| MessageError { error: SendError::Unknown { reason }, code };
        match self.exchange(self.http.post(self.url("Messages.json")).form(&form)).await {
            Exchange::NotSent(reason) => Err(rejected(None, reason)),
            Exchange::NoAnswer(reason) => Err(unknown(None, reason)),
            Exchange::Answer { status, body } if status.is_success() => {
                parse(&body).ok_or_else(|| unknown(None, format!("Twilio answered {} with something that is no message", status.as_u16())))
            }
            Exchange::Answer { status, .. } if status.is_redirection() => {
                Err(rejected(None, format!("Twilio answered {} (a redirect, which is not followed)", status.as_u16())))
            }
            Exchange::Answer { status, body } => Err(match self.refusal(status, &body) {
                Some((code, reason)) if status.is_client_error() => rejected(Some(code), reason),
                Some((code, reason)) => unknown(Some(code), reason),
                None => unknown(None, format!("Twilio answered {}", status.as_u16())),
            }),
        }
    }

    /// The messages between two numbers that were made at `since` or later, newest first.
    ///
    /// # Errors
    /// When no list came back.
    pub async fn messages_since(&self, to: &str, from: &str, since: Time) -> Result<Vec<MessageResource>, AskError> {
        // Twilio's own filter is by the day it was sent, and leaves out what has not been.
        let query = [("To", to), ("From", from), ("PageSize", MESSAGES_LISTED)];
        let (status, body) = self.ask(self.http.get(self.url("Messages.json")).query(&query)).await?;
        let listed: MessagesJson = match serde_json::from_slice(&body) {
            Ok(listed) if status.is_success() => listed,
            Ok(_) | Err(_) => return Err(self.unusable(status, &body)),
        };
        // Twilio tells whole seconds.
        let since = Time::from_seconds(since.seconds());
        Ok(listed.messages.into_iter().map(MessageJson::read).filter(|one| one.date_created.is_none_or(|at| at >= since)).collect())
    }

    /// One message.
    ///
    /// # Errors
    /// When Twilio does not know it, or no answer came.
    pub async fn message(&self, sid: &str) -> Result<MessageResource, AskError> {
        let (status, body) = self.ask(self.http.get(self.path_of("Messages", sid)?)).await?;
        match parse(&body) {
            Some(message) if status.is_success() => Ok(message),
            Some(_) | None => Err(self.unusable(status, &body)),
        }
    }
}

impl MessageJson {
    fn read(self) -> MessageResource {
        MessageResource {
            sid: self.sid,
            status: self.status,
            body: self.body.unwrap_or_default(),
            error_code: self.error_code,
            date_created: self.date_created.as_deref().and_then(rfc2822),
        }
    }
}

/// Only a body with an id and a status is a message.
fn parse(body: &[u8]) -> Option<MessageResource> {
    serde_json::from_slice::<MessageJson>(body).ok().filter(|message| !message.sid.is_empty()).map(MessageJson::read)
}
