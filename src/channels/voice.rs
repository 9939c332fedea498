//! The phone, through Twilio. The call carries its words; what comes back is a key or a status, signed.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Answer, Channel, Content, HearError, Heard, OfAttempt, Outgoing, Question, Said, Sent, Settled, Words, twiml};
use crate::base::id::AttemptId;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::input::{CallEnd, News};
use crate::domain::setup::ContactKind;
use crate::vendor::twilio::{CallResource, NewCall, SendError, Twilio};

/// How far Twilio's clock may be behind ours when a lost call is looked for. The calls known already are left out, so that a wide
/// margin finds no wrong one.
pub(super) const CLOCKS_APART: Span = Span::minutes(1);

pub(super) const TWIML_TYPE: &str = "text/xml; charset=utf-8";

/// Where Twilio's signature is.
const SIGNATURE: &str = "x-twilio-signature";

pub struct Voice {
    twilio: Twilio,
    from: String,
    /// Where Twilio reaches us; without it a call speaks and hears nothing.
    public_url: Option<String>,
}

impl Voice {
    #[must_use]
    pub fn new(twilio: Twilio, from: String, public_url: Option<&str>) -> Self {
        Self { twilio, from, public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()) }
    }

    fn callback(&self, attempt: &AttemptId, what: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| format!("{url}/callbacks/{}/{attempt}/{what}", self.kind().name()))
    }

    async fn place(&self, outgoing: &Outgoing) -> Sent {
        let Content::Call(words) = &outgoing.content else { return Sent::unfit() };
        let call = NewCall {
            to: outgoing.to.clone(),
            from: self.from.clone(),
            twiml: twiml::call(words, self.callback(&outgoing.attempt, "keys").as_deref()),
            status_callback: self.callback(&outgoing.attempt, "status"),
            timeout: limits::RING,
        };
        match self.twilio.create_call(&call).await {
            Ok(call) => Sent::of(News::Accepted { provider_id: call.sid }),
            Err(SendError::Rejected { reason }) => Sent::of(News::Rejected { reason }),
            Err(SendError::Unknown { reason }) => Sent::of(News::Unknown { reason }),
        }
    }

    async fn settle(&self, question: &Question) -> Settled {
        let calls = match self.twilio.calls_since(&question.to, &self.from, question.sent_at - CLOCKS_APART).await {
            Ok(calls) => calls,
            Err(error) => return Settled::CouldNotAsk(error.to_string()),
        };
        let unclaimed = calls.into_iter().filter(|call| !question.known.contains(&call.sid));
        match unclaimed.min_by_key(|call| distance(call, question.sent_at)) {
            // A state we have no word for is still a call that was placed.
            Some(call) => Settled::Found {
                news: news(&call.status, &call.sid).unwrap_or_else(|| News::Accepted { provider_id: call.sid.clone() }),
                provider_id: call.sid,
            },
            None => Settled::NotFound,
        }
    }
}

impl Channel for Voice {
    fn kind(&self) -> ContactKind {
        ContactKind::Voice
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
        self.place(outgoing).boxed()
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Settled> {
        self.settle(question).boxed()
    }

    fn status<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, Result<News, String>> {
        async move {
            let call = self.twilio.call(provider_id).await.map_err(|error| error.to_string())?;
            news(&call.status, &call.sid).ok_or_else(|| "Twilio tells a state that is not known".to_owned())
        }
        .boxed()
    }

    fn end<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, Result<(), String>> {
        async move { self.twilio.end_call(provider_id).await.map_err(|error| error.to_string()) }.boxed()
    }

    fn hear(&self, inbound: &Inbound) -> Result<Heard, HearError> {
        let form = signed_form(&self.twilio, self.public_url.as_deref(), inbound)?;
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let (attempt, what) = place_of(&inbound.path).ok_or(HearError::Unreadable)?;
        let provider_id = field("CallSid").filter(|sid| !sid.is_empty()).ok_or(HearError::Unreadable)?;
        let said = match what {
            "keys" => field("Digits").and_then(|digits| digits.chars().next()).map_or(Said::NoKey, Said::Key),
            "status" => Said::Status(field("CallStatus").and_then(|status| news(status, provider_id)).ok_or(HearError::Unreadable)?),
            _ => return Err(HearError::Unreadable),
        };
        Ok(Heard::Attempt(OfAttempt { attempt, provider_id: provider_id.to_owned(), said, closed: None }))
    }

    fn answer(&self, attempt: &AttemptId, words: &Words) -> Answer {
        Answer { content_type: TWIML_TYPE, body: twiml::answer(words, self.callback(attempt, "keys").as_deref()) }
    }

    fn acknowledge(&self) -> Answer {
        Answer { content_type: TWIML_TYPE, body: "<Response/>".to_owned() }
    }
}

/// The fields of a form that Twilio has signed.
pub(super) fn signed_form(twilio: &Twilio, public_url: Option<&str>, inbound: &Inbound) -> Result<Vec<(String, String)>, HearError> {
    let public_url = public_url.ok_or(HearError::BadSignature)?;
    let form: Vec<(String, String)> = form_urlencoded::parse(&inbound.body).into_owned().collect();
    // Behind a proxy our own host and scheme differ from those that Twilio called and signed.
    let url = format!("{public_url}{}", inbound.path);
    if twilio.verify(&url, &form, inbound.header(SIGNATURE).unwrap_or_default()) { Ok(form) } else { Err(HearError::BadSignature) }
}

/// The attempt and the last word of `…/callbacks/{channel}/{attempt}/{what}`.
pub(super) fn place_of(path: &str) -> Option<(AttemptId, &str)> {
    let path = path.split('?').next()?;
    let mut parts = path.rsplit('/');
    let (what, attempt) = (parts.next()?, parts.next()?);
    attempt.starts_with(AttemptId::PREFIX).then(|| (AttemptId::from_text(attempt), what))
}

/// A call's state as news; `None` for a state we do not know.
fn news(status: &str, sid: &str) -> Option<News> {
    Some(match status {
        "queued" | "initiated" => News::Accepted { provider_id: sid.to_owned() },
        "ringing" => News::Ringing,
        "in-progress" => News::PickedUp,
        "completed" => News::Ended(CallEnd::Completed),
        "busy" => News::Ended(CallEnd::Busy),
        "no-answer" => News::Ended(CallEnd::NoAnswer),
        "failed" => News::Ended(CallEnd::Failed),
        "canceled" => News::Ended(CallEnd::Canceled),
        _ => return None,
    })
}

/// How far a call is from the moment it would have been placed; one that waits in the queue is as near as can be.
fn distance(call: &CallResource, sent_at: Time) -> i64 {
    call.date_created.map_or(0, |at| at.since(sent_at).0.saturating_abs())
}

#[cfg(test)]
mod tests;
