//! Ways to reach a person: send, and hear. A channel wraps finished words for its provider and reads what the provider says back.
//!
//! A new channel is one file here and one line in [`Channels::new`].

mod twiml;
pub mod voice;

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;

use crate::base::id::AttemptId;
use crate::base::inbound::Inbound;
use crate::base::time::{Span, Time};
use crate::domain::input::News;
use crate::domain::setup::ContactKind;

/// One way to reach people.
pub trait Channel: Send + Sync {
    fn kind(&self) -> ContactKind;

    /// Who carries it, as an attempt's `provider`.
    fn provider(&self) -> &'static str;

    /// The number or address it comes from; a call and its repeat come from the same.
    fn from(&self) -> &str;

    /// Whether a person's keys can reach us: the words must not offer what cannot be taken.
    fn takes_keys(&self) -> bool;

    /// Sends once. It does not fail: what came of it is news.
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Sent>;

    /// Settles an attempt whose outcome is unknown, by the provider's own list.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Settled>;

    /// What has become of a call, by the provider's id; a sentence where it cannot be told.
    fn status<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, Result<News, String>>;

    /// Ends a call in whatever state it is; a sentence where it may go on.
    fn end<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// Reads a callback, after its signature.
    ///
    /// # Errors
    /// When the provider did not sign it, or it says nothing that can be read.
    fn hear(&self, inbound: &Inbound) -> Result<Heard, HearError>;

    /// The callback's answer: words spoken back. With a menu they offer the keys again, without one the call ends after them.
    fn answer(&self, attempt: &AttemptId, words: &Words) -> Answer;

    /// The answer to a callback that only tells something.
    fn acknowledge(&self) -> Answer;
}

/// The channels of this instance: those that are configured.
#[derive(Default)]
pub struct Channels(Vec<Box<dyn Channel>>);

impl Channels {
    #[must_use]
    pub fn new(voice: Option<voice::Voice>) -> Self {
        Self(voice.map(|voice| -> Box<dyn Channel> { Box::new(voice) }).into_iter().collect())
    }

    #[must_use]
    pub fn find(&self, kind: ContactKind) -> Option<&dyn Channel> {
        self.0.iter().map(AsRef::as_ref).find(|channel| channel.kind() == kind)
    }

    /// By the name in a callback's path.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&dyn Channel> {
        self.0.iter().map(AsRef::as_ref).find(|channel| channel.kind().name() == name)
    }
}

/// Finished words. What they mean is no affair of a channel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What it is about; cut where the provider has a limit.
    pub body: String,
    /// What the person can do; never cut. Empty: nothing can be done.
    pub menu: String,
    /// Said when no key came.
    pub goodbye: String,
}

/// One message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub attempt: AttemptId,
    pub to: String,
    pub words: Words,
}

/// What came of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Accepted, rejected or unknown.
    pub news: News,
    /// How long the provider wants to be left alone, where it refused for that.
    pub retry_after: Option<Span>,
}

/// "Was this placed?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub to: String,
    pub sent_at: Time,
    /// Calls that belong to other attempts.
    pub known: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It was placed, under this id; `news` is its state by now.
    Found {
        provider_id: String,
        news: News,
    },
    /// The provider's list does not have it.
    NotFound,
    CouldNotAsk(String),
}

/// One callback, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub attempt: AttemptId,
    pub provider_id: String,
    pub said: Said,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    Key(char),
    /// The provider asks what to do next and brings no key.
    NoKey,
    Status(News),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HearError {
    #[error("the signature is wrong")]
    BadSignature,
    #[error("the callback cannot be read")]
    Unreadable,
}

/// The answer to a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub content_type: &'static str,
    pub body: String,
}
