//! Text messages, through Twilio. What comes back is a status of one of ours, or what somebody has written; signed, both.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::voice::{CLOCKS_APART, TWIML_TYPE, place_of, signed_form};
use super::{Answer, Channel, Content, HearError, Heard, OfAttempt, Outgoing, Question, Said, Sent, Settled, Written, twiml};
use crate::base::id::AttemptId;
use crate::base::inbound::Inbound;
use crate::domain::input::News;
use crate::domain::setup::ContactKind;
use crate::vendor::twilio::{MessageError, MessageResource, NewMessage, SendError, Twilio, UNSUBSCRIBED};

/// Why a contact is closed whose provider refuses it for good.
const UNSUBSCRIBED_THERE: &str = "this number has unsubscribed at Twilio";

pub struct Sms {
    twilio: Twilio,
    from: String,
    /// Where Twilio reaches us; without it nothing is heard of a delivery, and no reply comes.
    public_url: Option<String>,
}

impl Sms {
    #[must_use]
    pub fn new(twilio: Twilio, from: String, public_url: Option<&str>) -> Self {
        Self { twilio, from, public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()) }
    }

    fn callback(&self, attempt: &AttemptId) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{url}/callbacks/{}/{attempt}/status", self.kind().name()))
    }

    async fn post(&self, outgoing: &Outgoing) -> Sent {
        let Content::Text(body) = &outgoing.content else { return Sent::unfit() };
        let message = NewMessage {
            to: outgoing.to.clone(),
            from: self.from.clone(),
            body: body.clone(),
            status_callback: self.callback(&outgoing.attempt),
        };
        match self.twilio.create_message(&message).await {
            // Taken and failed at once is told as it is: the next contact is tried now.
            Ok(message) => Sent::of(News::Accepted { provider_id: message.sid }),
            Err(MessageError { error: SendError::Rejected { reason }, code }) => {
                Sent { closed: closed(code), ..Sent::of(News::Rejected { reason }) }
            }
            Err(MessageError { error: SendError::Unknown { reason }, .. }) => Sent::of(News::Unknown { reason }),
        }
    }

    async fn settle(&self, question: &Question) -> Settled {
        let messages = match self.twilio.messages_since(&question.to, &self.from, question.sent_at - CLOCKS_APART).await {
            Ok(messages) => messages,
            Err(error) => return Settled::CouldNotAsk(error.to_string()),
        };
        // Twilio puts a line of its own before the words of a trial account.
        let is_ours = |message: &&MessageResource| question.text.as_deref().is_none_or(|text| message.body.trim().ends_with(text.trim()));
        let unclaimed = messages.iter().filter(|message| !question.known.contains(&message.sid)).filter(is_ours);
        let distance = |message: &&MessageResource| message.date_created.map_or(0, |at| at.since(question.sent_at).0.saturating_abs());
        match unclaimed.min_by_key(distance) {
            Some(message) => Settled::Found { provider_id: message.sid.clone(), news: news_of(message) },
            None => Settled::NotFound,
        }
    }
}

impl Channel for Sms {
    fn kind(&self) -> ContactKind {
        ContactKind::Sms
    }

    fn provider(&self) -> &'static str {
        "twilio"
    }

    fn from(&self) -> &str {
        &self.from
    }

    fn takes_keys(&self) -> bool {
        self.public_url.is_some()
    }

    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Sent> {
        self.post(outgoing).boxed()
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Settled> {
        self.settle(question).boxed()
    }

    fn status<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, Result<News, String>> {
        async move { self.twilio.message(provider_id).await.map(|message| news_of(&message)).map_err(|error| error.to_string()) }.boxed()
    }

    /// `…/callbacks/sms/{attempt}/status` tells of one of ours; `…/callbacks/sms` is where people write to.
    fn hear(&self, inbound: &Inbound) -> Result<Heard, HearError> {
        let form = signed_form(&self.twilio, self.public_url.as_deref(), inbound)?;
        let field =
            |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty());
        let provider_id = field("MessageSid").ok_or(HearError::Unreadable)?;
        match place_of(&inbound.path) {
            Some((attempt, "status")) => {
                let code = field("ErrorCode").and_then(|code| code.parse().ok());
                let status = field("MessageStatus").ok_or(HearError::Unreadable)?;
                let said = Said::Status(news(status, provider_id, code).ok_or(HearError::Unreadable)?);
                Ok(Heard::Attempt(OfAttempt { attempt, provider_id: provider_id.to_owned(), said, closed: closed(code) }))
            }
            Some(_) => Err(HearError::Unreadable),
            None => {
                let from = field("From").ok_or(HearError::Unreadable)?.to_owned();
                // A picture without a word is a message all the same.
                Ok(Heard::Written(Written { id: provider_id.to_owned(), from, text: field("Body").unwrap_or_default().to_owned() }))
            }
        }
    }

    fn reply(&self, text: Option<&str>) -> Answer {
        Answer { content_type: TWIML_TYPE, body: twiml::message(text) }
    }

    fn acknowledge(&self) -> Answer {
        self.reply(None)
    }
}

fn closed(code: Option<i64>) -> Option<String> {
    (code == Some(UNSUBSCRIBED)).then(|| UNSUBSCRIBED_THERE.to_owned())
}

/// A state we have no word for is still a message that was taken.
fn news_of(message: &MessageResource) -> News {
    news(&message.status, &message.sid, message.error_code).unwrap_or_else(|| News::Accepted { provider_id: message.sid.clone() })
}

/// A message's state as news; `None` for a state we do not know.
fn news(status: &str, sid: &str, code: Option<i64>) -> Option<News> {
    Some(match status {
        "accepted" | "scheduled" | "queued" | "sending" | "sent" => News::Accepted { provider_id: sid.to_owned() },
        "delivered" | "read" | "partially_delivered" => News::Delivered,
        "undelivered" | "failed" | "canceled" => News::Undelivered {
            reason: match code {
                Some(code) => format!("Twilio says {status}, code {code}"),
                None => format!("Twilio says {status}"),
            },
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
