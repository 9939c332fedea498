//! What can happen: a signal from a machine, a command from a person, a report from a provider, a wake-up by the clock.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::alert::Key;
use super::incident::{IncidentRole, Kind};
use super::relevance::{Relevance, Stream};
use super::remark::Remark;
use super::routing::Routed;
use super::setup::{AlertSeverity, Severity};
use super::task::TaskChange;
use crate::base::id::{AlertId, AttemptId, IncidentId, IntegrationId, PolicyId, ServiceId, SilenceId, UserId};
use crate::base::time::Time;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Signal(Routed),
    Command(Command),
    Declare(Declare),
    Expiry(Expiry),
    /// Silences began, ended or changed: whether this key's alert is covered is to be seen again. The desk holds its key.
    Cover(Key),
    /// The clock says that what this key's alert was held for may be over. The desk holds its key.
    Held(Key),
    Report(Report),
    Wake {
        scope: Scope,
        timer: Timer,
    },
}

/// One message from a sender, normalised. Every text in it is a stranger's and already cut to the limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    pub integration: IntegrationId,
    /// Names the condition; equal keys of one integration are one alert.
    pub dedup_key: String,
    pub title: String,
    pub severity: Option<AlertSeverity>,
    pub action: Action,
    /// When it happened, in the sender's time; compared with that sender's other times only.
    pub at: Option<Time>,
    /// Until when the condition holds unless the sender repeats it, in our time; most senders do not say.
    #[serde(default)]
    pub ends_at: Option<Time>,
    pub url: Option<String>,
    pub labels: BTreeMap<String, String>,
}

/// What a signal says about its condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Trigger,
    Resolve,
    /// Somebody acknowledged it at the sender.
    Acknowledge,
    /// The body could not be read; the text says why. It triggers, and the next readable body resolves it.
    Unreadable(String),
    /// Something was changed on purpose: a deploy, a flag. The text says what.
    Change(String),
    /// Nothing to decide: a test ping. The text says what it was.
    Ignore(String),
    /// Something said at the sender about one of its alerts, which neither fires nor ends it.
    Remark(Remark),
}

/// What a person asks for, through any door.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    pub incident: IncidentId,
    pub actor: Actor,
    pub via: Via,
    pub act: Act,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    Acknowledge,
    Resolve,
    /// The next step of the policy, now.
    Escalate,
    /// A resolved incident is open again.
    Reopen,
    /// "This should not have woken me": noted for the review, and an answer like any other key.
    Unhelpful,
    /// That person now, then the policy after five minutes.
    Reassign {
        to: UserId,
    },
    /// Acknowledged until then, and paged again after it.
    Snooze {
        until: Time,
    },
    /// By hand it sticks: alerts do not change it any more.
    SetSeverity {
        to: Severity,
    },
    /// Gives a role, or with `None` takes it back.
    SetRole {
        role: IncidentRole,
        user: Option<UserId>,
    },
    SetTitle {
        title: String,
    },
    /// Pages somebody beside the policy.
    Page {
        whom: Whom,
    },
    /// `at`: when it happened, where that was earlier.
    AddNote {
        text: String,
        at: Option<Time>,
    },
    /// A sentence for those who wait outside.
    PostUpdate {
        text: String,
    },
    AddTask {
        title: String,
        owner: Option<UserId>,
        back_at: Option<Time>,
    },
    ChangeTask {
        n: i64,
        change: TaskChange,
    },
    /// An alert stream of it is noise, or relevant; `about` names it for people.
    Mark {
        stream: Stream,
        relevance: Relevance,
        about: String,
    },
    /// Takes a mark back.
    Unmark {
        n: i64,
    },
    /// It is part of that one.
    Merge {
        into: IncidentId,
    },
    /// It is not part of what it went into.
    Unmerge,
    /// These open alerts of it get an incident of their own.
    Split {
        alerts: BTreeSet<AlertId>,
        title: Option<String>,
    },
    /// Somebody writes in the room, or answers that they are still at it.
    SignOfLife,
}

impl Act {
    /// Whether the decision needs to see the incident's board.
    #[must_use]
    pub const fn is_about_tasks(&self) -> bool {
        match self {
            Self::AddTask { .. } | Self::ChangeTask { .. } => true,
            Self::Acknowledge
            | Self::Resolve
            | Self::Escalate
            | Self::Reopen
            | Self::Unhelpful
            | Self::Reassign { .. }
            | Self::Snooze { .. }
            | Self::SetSeverity { .. }
            | Self::SetRole { .. }
            | Self::SetTitle { .. }
            | Self::Page { .. }
            | Self::AddNote { .. }
            | Self::PostUpdate { .. }
            | Self::Mark { .. }
            | Self::Unmark { .. }
            | Self::Merge { .. }
            | Self::Unmerge
            | Self::Split { .. }
            | Self::SignOfLife => false,
        }
    }
}

/// Whom a person wants paged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whom {
    User(UserId),
    Policy(PolicyId),
    Everyone,
}

/// A person, or a script, says that there is an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declare {
    pub actor: Actor,
    pub via: Via,
    pub title: String,
    /// sev2 unless said; of an alert, its own unless that pages nobody.
    pub severity: Option<Severity>,
    /// The only one there is, unless said.
    pub service: Option<ServiceId>,
    pub kind: Kind,
    /// The recorded alert that is promoted; the desk holds its key.
    pub alert: Option<AlertId>,
}

/// The clock says that an alert's time may be over: its sender's `endsAt`, or its service's `close_after`. The desk holds its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    pub key: Key,
    /// When anything at all was last heard of its integration.
    pub heard_at: Option<Time>,
}

/// Who did it: `ana`, `token:deploy`, `reveille`, or an integration's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    User(UserId),
    Token(String),
    Integration(IntegrationId),
    Reveille,
}

impl Actor {
    /// As it stands in the timeline.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::User(id) => id.to_string(),
            Self::Token(name) => format!("token:{name}"),
            Self::Integration(id) => id.to_string(),
            Self::Reveille => "reveille".to_owned(),
        }
    }

    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(id) => Some(id),
            Self::Token(_) | Self::Integration(_) | Self::Reveille => None,
        }
    }
}

/// The door a command came through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A key pressed in this call.
    Phone(AttemptId),
    /// A text message, or the link or button of a message.
    Message(AttemptId),
    Slack,
    Web,
    Api,
}

/// What became of an attempt, as its provider or our own sending tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub attempt: AttemptId,
    pub news: News,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// The provider has it, under this id.
    Accepted {
        provider_id: String,
    },
    /// The provider refused; nothing was placed.
    Rejected {
        reason: String,
    },
    /// The request left and no answer came; the call may or may not have been placed.
    Unknown {
        reason: String,
    },
    /// The provider was asked and knows no such call, or could not be asked.
    NotFound {
        reason: String,
    },
    /// Withdrawn before it left: nobody wanted it any more.
    Withdrawn {
        reason: String,
    },
    /// A message is on the person's device, as far as its provider knows. Not an answer.
    Delivered,
    /// A message that was accepted did not arrive.
    Undelivered {
        reason: String,
    },
    Ringing,
    /// Somebody or something picked up. Not an answer: only a key is.
    PickedUp,
    /// A person pressed a key in this call; what it asked for arrives as a [`Command`].
    KeyPressed,
    /// The call is over.
    Ended(CallEnd),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEnd {
    /// Picked up and hung up.
    Completed,
    NoAnswer,
    Busy,
    Failed,
    Canceled,
}

impl CallEnd {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NoAnswer => "no_answer",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}

/// A named wake-up. One per scope and name; setting it again moves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// Incident: the running step has waited long enough, or a page of it failed.
    Escalate,
    /// Incident: the acknowledgement lapses.
    Lapse,
    /// Incident: the one who acknowledged is asked whether they are still there.
    AskLapse,
    /// Incident: the daily reminder of low urgency.
    Remind,
    /// Incident: the silences of all its alerts should be over, and it pages if they are not said to be.
    Silence,
    /// Incident: the storm whose umbrella it is may be over.
    Storm,
    /// Silence: it begins or ends, or the alerts that it covers have not all been looked at.
    Cover,
    /// Person: something of their pages or their call chain is due.
    Attend,
}

impl Timer {
    pub const ALL: [Self; 8] =
        [Self::Escalate, Self::Lapse, Self::AskLapse, Self::Remind, Self::Silence, Self::Storm, Self::Cover, Self::Attend];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Escalate => "escalate",
            Self::Lapse => "lapse",
            Self::AskLapse => "ask_lapse",
            Self::Remind => "remind",
            Self::Silence => "silence",
            Self::Storm => "storm",
            Self::Cover => "cover",
            Self::Attend => "attend",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|timer| timer.name() == text)
    }
}

/// What one transaction is about: the unit that is locked and that timers belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Incident(IncidentId),
    Person(UserId),
    Silence(SilenceId),
}
