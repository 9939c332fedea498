//! An incident: what people respond to. Its decision fields, and the running policy that wakes people for it.

use serde::{Deserialize, Serialize};

use super::input::Actor;
use super::setup::{Severity, Step, Urgency};
use crate::base::id::{IncidentId, Number, PageId, PolicyId, ServiceId, UserId};
use crate::base::time::Time;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    /// Given by the store when the incident is first saved; #0 until then.
    pub number: Number,
    pub service: ServiceId,
    pub title: String,
    pub severity: Severity,
    pub state: IncidentState,
    pub opened_at: Time,
    /// When the newest alert joined: grouping looks at it.
    pub joined_at: Time,
    pub acknowledged_at: Option<Time>,
    pub acknowledged_by: Option<Actor>,
    pub resolved_at: Option<Time>,
    /// `Some` when it was a person who resolved it.
    pub resolved_by: Option<Actor>,
    /// Distinct alerts that joined, open or not.
    pub alerts_count: i64,
    /// Of these, the ones that fire.
    pub firing_count: i64,
    /// Grows whenever paging starts or stops: what was decided in an earlier epoch is not wanted any more.
    pub epoch: i64,
    /// The policy as it was when it started; it keeps the steps it began with.
    pub run: Option<Run>,
    /// Pages that nobody has ended.
    pub pages: Vec<OpenPage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    Triggered,
    Acknowledged,
    Resolved,
}

impl IncidentState {
    pub const ALL: [Self; 3] = [Self::Triggered, Self::Acknowledged, Self::Resolved];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

/// A policy on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub policy: PolicyId,
    pub steps: Vec<Step>,
    pub repeat: u32,
    pub urgency: Urgency,
    /// 0 is the first round.
    pub round: u32,
    /// The step under way; `steps.len()` when the policy is exhausted.
    pub step: usize,
    pub exhausted: bool,
    /// When to go on; `None` at low urgency, which does not escalate.
    pub next_at: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPage {
    pub id: PageId,
    pub user: UserId,
    pub urgency: Urgency,
    /// Every contact of this person was tried and none could be reached.
    pub failed: bool,
}

impl Incident {
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != IncidentState::Resolved
    }

    #[must_use]
    pub fn page_of(&self, user: &UserId) -> Option<&OpenPage> {
        self.pages.iter().find(|page| &page.user == user)
    }
}
