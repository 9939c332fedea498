//! One person who is being woken: their open pages, across incidents, and the call chain they share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reason::Reason;
use super::setup::{ContactKind, Urgency};
use crate::base::id::{AttemptId, ContactId, IncidentId, PageId, UserId};
use crate::base::time::Time;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    /// In the order in which they were opened.
    pub pages: Vec<PersonPage>,
    pub chain: Option<Chain>,
    /// When the newest chain began: the next one has to wait.
    pub chained_at: Option<Time>,
    /// What is on its way or not yet settled.
    pub attempts: Vec<OpenAttempt>,
    /// When messages left for each contact of late: a storm is told in few of them.
    pub messaged: BTreeMap<ContactId, Vec<Time>>,
}

/// One page as its person's decision sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonPage {
    pub id: PageId,
    pub incident: IncidentId,
    pub urgency: Urgency,
    /// Grows each time a step names this person again: the rules start over.
    pub starts: i64,
    /// When the rules (last) started.
    pub started_at: Time,
    /// Whether the incident still wants it; set by the incident's transaction.
    pub wanted: bool,
    /// What is still to be tried; empty until the person's transaction has seen this start.
    pub plan: Vec<Planned>,
    /// The start that `plan` was made for.
    pub planned_for: i64,
    /// Contacts tried since the start.
    pub tried: Vec<ContactId>,
    pub failed: bool,
    /// Contacts that got something through since the start, as far as their providers know.
    pub reached: Vec<ContactId>,
}

/// One contact to be tried at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    pub contact: ContactId,
    pub due_at: Time,
    /// Why it is tried then.
    pub reason: Reason,
}

/// One call and, when no key was pressed, one more from the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    pub contact: ContactId,
    pub started_at: Time,
    /// Calls placed so far; an attempt that was refused does not count.
    pub calls: u32,
    /// What its calls spoke for: when none of these is wanted any more, the chain is over.
    pub pages: Vec<PageId>,
}

/// An attempt that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAttempt {
    pub id: AttemptId,
    pub contact: ContactId,
    pub kind: ContactKind,
    pub pages: Vec<PageId>,
    pub placed_at: Time,
    pub state: AttemptState,
    /// When to look at it again, should nobody tell anything.
    pub look_at: Time,
    /// How often the provider was asked about it.
    pub asked: u32,
    /// How many messages of unknown fate this one stands in for.
    #[serde(default)]
    pub sent_before: u32,
    /// Its end was asked for, or it ends by itself after speaking back.
    pub ending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Decided; the courier has it.
    Waiting,
    /// The provider has it, nothing is heard of it yet.
    Accepted,
    /// The provider has told that it rings.
    Live,
    /// Picked up, perhaps by a machine.
    Talking,
    /// It may or may not have been placed.
    Unknown,
    /// It stayed unknown and another was placed for it; kept a while, in case it rings after all.
    Lost,
}

impl AttemptState {
    /// Nobody knows of it yet that it arrived, and it may do so still.
    pub(super) const fn may_still_leave(self) -> bool {
        match self {
            Self::Waiting | Self::Unknown => true,
            Self::Accepted | Self::Live | Self::Talking | Self::Lost => false,
        }
    }
}

impl Person {
    #[must_use]
    pub const fn new(id: UserId) -> Self {
        Self { id, pages: Vec::new(), chain: None, chained_at: None, attempts: Vec::new(), messaged: BTreeMap::new() }
    }
}
