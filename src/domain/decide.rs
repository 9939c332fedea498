//! The one door of the law: a state, an input, the setup and the moment give facts, effects, timers and a reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alert::{Key, KeyState};
use super::effect::Effect;
use super::fact::Fact;
use super::incident::Incident;
use super::input::{Scope, Timer};
use super::person::Person;
use super::reason::Reason;
use crate::base::id::{AlertId, IdSource, IncidentId, ServiceId};
use crate::base::time::Time;

/// When the decision is made, and where its new ids come from.
#[derive(Debug, Clone)]
pub struct Moment {
    pub at: Time,
    pub ids: IdSource,
}

impl Moment {
    /// Now, with fresh ids.
    #[must_use]
    pub fn fresh(at: Time) -> Self {
        Self { at, ids: IdSource::fresh(at) }
    }
}

/// The rows that one transaction has locked: a service's desk, or one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Desk(Desk),
    Person(Person),
}

/// The keys that signals name and the incidents they may touch; or, for a command or a wake-up, just one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desk {
    pub keys: BTreeMap<Key, KeyState>,
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// The newest open incident of each service, where there is one.
    pub newest: BTreeMap<ServiceId, IncidentId>,
}

/// What follows from one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The rows as they are now.
    pub state: State,
    pub facts: Vec<Fact>,
    pub effects: Vec<Effect>,
    pub timers: Vec<SetTimer>,
    pub verdict: Verdict,
}

/// Sets, moves or (with `None`) clears one wake-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTimer {
    pub scope: Scope,
    pub timer: Timer,
    pub due_at: Option<Time>,
}

/// The answer to whoever brought the input: what became of it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    pub reason: Reason,
    pub alert: Option<AlertId>,
    pub incident: Option<IncidentId>,
}

/// What became of a signal. Every accepted signal ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Opened,
    Repeated,
    Resolved,
    Reopened,
    Folded,
    Acknowledged,
    Suppressed,
    Ignored,
    Recorded,
    Unreadable,
}

impl Outcome {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Folded => "folded",
            Self::Acknowledged => "acknowledged",
            Self::Suppressed => "suppressed",
            Self::Ignored => "ignored",
            Self::Recorded => "recorded",
            Self::Unreadable => "unreadable",
        }
    }
}
