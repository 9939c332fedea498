//! Ways to reach a person: send, and hear. A channel wraps finished words for its provider and reads what the provider says back.
//!
//! A new channel is one file here and one line in `boot::live`, where they are built.

pub mod email;
pub mod slack_dm;
pub mod sms;
mod twiml;
pub mod voice;
pub mod webhook;

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::base::id::AttemptId;
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::domain::input::News;
use crate::domain::setup::{ContactKind, Language};

/// One way to reach people.
pub trait Channel: Send + Sync {
    fn kind(&self) -> ContactKind;

    /// Who carries it, as an attempt's `provider`.
    fn provider(&self) -> &'static str;

    /// The number or address it comes from; a call and its repeat come from the same.
    fn from(&self) -> &str;

    /// Whether a person's keys and replies can reach us: the words must not offer what cannot be taken.
    fn takes_keys(&self) -> bool;

    /// Sends once. It does not fail: what came of it is news.
    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Sent>;

    // What follows is for providers that can be asked, or that call back.

    /// Settles an attempt whose outcome is unknown, by the provider's own list.
    fn ask<'a>(&'a self, _question: &'a Question) -> BoxFuture<'a, Settled> {
        async { Settled::CouldNotAsk(format!("nobody can be asked about {}", self.kind().name())) }.boxed()
    }

    /// What has become of it, by the provider's id; a sentence where it cannot be told.
    fn status<'a>(&'a self, _provider_id: &'a str) -> BoxFuture<'a, Result<News, String>> {
        async { Err(format!("nobody can be asked about {}", self.kind().name())) }.boxed()
    }

    /// Ends a call in whatever state it is; a sentence where it may go on. A message has no end.
    fn end<'a>(&'a self, _provider_id: &'a str) -> BoxFuture<'a, Result<(), String>> {
        async { Ok(()) }.boxed()
    }

    /// Reads a callback, after its signature.
    ///
    /// # Errors
    /// When the provider did not sign it, or it says nothing that can be read.
    fn hear(&self, _inbound: &Inbound) -> Result<Heard, HearError> {
        Err(HearError::Unreadable)
    }

    /// The callback's answer: words spoken or written back. With a menu they offer the keys again, without one a call ends after them.
    fn answer(&self, _attempt: &AttemptId, _words: &Words) -> Answer {
        self.acknowledge()
    }

    /// The answer to what a person has written: words, or nothing.
    fn reply(&self, _text: Option<&str>) -> Answer {
        self.acknowledge()
    }

    /// The answer to a callback that only tells something.
    fn acknowledge(&self) -> Answer {
        Answer { content_type: "text/plain; charset=utf-8", body: String::new() }
    }
}

/// The channels of this instance: those that are configured.
#[derive(Default)]
pub struct Channels(Vec<Box<dyn Channel>>);

impl Channels {
    #[must_use]
    pub fn new(channels: Vec<Box<dyn Channel>>) -> Self {
        Self(channels)
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
    /// What they are spoken in.
    pub language: Language,
}

/// What goes out, finished, in the form its kind of contact takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Call(Words),
    /// A text message, cut to what fits.
    Text(String),
    Mail(Letter),
    Direct(Direct),
    /// The body of a POST, as JSON.
    Hook(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub subject: String,
    pub text: String,
    pub html: String,
    /// The same for every mail about one thing.
    pub thread: String,
}

/// A message in a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// What a notification shows.
    pub text: String,
    pub sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub text: String,
    /// What stands on each button, and what pressing it says.
    pub buttons: Vec<(String, String)>,
}

/// One message to one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub attempt: AttemptId,
    pub to: String,
    pub content: Content,
}

/// What came of sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Accepted, rejected or unknown.
    pub news: News,
    /// Why this contact is closed to us for good, where that is what the provider said.
    pub closed: Option<String>,
}

impl Sent {
    #[must_use]
    pub const fn of(news: News) -> Self {
        Self { news, closed: None }
    }

    /// A channel that is handed what another kind of contact takes. It never leaves.
    #[must_use]
    pub fn unfit() -> Self {
        Self::of(News::Rejected { reason: "the words were made for another kind of contact; please report this".to_owned() })
    }
}

/// "Was this placed?"
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub to: String,
    pub sent_at: Time,
    /// The words of a text, where they were kept: two of them to one number leave close together.
    pub text: Option<String>,
    /// Calls and messages that belong to other attempts.
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
pub enum Heard {
    /// Something of an attempt of ours.
    Attempt(OfAttempt),
    /// A person has written to us.
    Written(Written),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfAttempt {
    pub attempt: AttemptId,
    pub provider_id: String,
    pub said: Said,
    /// Why the contact is closed to us, where that is what the provider told.
    pub closed: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The provider's id of it: it may be told again under the same.
    pub id: String,
    /// The number or address it comes from.
    pub from: String,
    pub text: String,
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
