//! The board: who does what for an incident, since when, and when they are back.

use serde::{Deserialize, Serialize};

use super::fact::{Fact, What};
use super::input::Actor;
use crate::base::id::{IncidentId, TaskId, UserId};
use crate::base::time::Time;

/// One row of the board. `n` is its small number within the incident, as people say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub incident: IncidentId,
    pub n: i64,
    pub title: String,
    pub owner: Option<UserId>,
    pub state: TaskState,
    /// A user's id or any words: whom or what a blocked task waits for.
    pub blocked_on: Option<String>,
    /// When its owner said they would be back with news.
    pub back_at: Option<Time>,
    pub created_at: Time,
    pub created_by: Actor,
    /// When its owner or its state last changed.
    pub changed_at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    Todo,
    Doing,
    Blocked,
    Done,
    Dropped,
}

impl TaskState {
    pub const ALL: [Self; 5] = [Self::Todo, Self::Doing, Self::Blocked, Self::Done, Self::Dropped];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Doing => "doing",
            Self::Blocked => "blocked",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }

    /// Whether somebody still has to do something about it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Todo | Self::Doing | Self::Blocked => true,
            Self::Done | Self::Dropped => false,
        }
    }
}

/// What is to be different about a task; `None` leaves it, `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskChange {
    pub title: Option<String>,
    pub owner: Option<Option<UserId>>,
    pub state: Option<TaskState>,
    pub blocked_on: Option<Option<String>>,
    pub back_at: Option<Option<Time>>,
}

impl Task {
    /// The row that the first fact makes; `None` for any other fact.
    #[must_use]
    pub fn from_first(fact: &Fact) -> Option<Self> {
        let What::TaskAdded { task, n, title, owner, back_at } = &fact.what else { return None };
        Some(Self {
            id: task.clone(),
            incident: fact.incident.clone(),
            n: *n,
            title: title.clone(),
            owner: owner.clone(),
            state: if owner.is_some() { TaskState::Doing } else { TaskState::Todo },
            blocked_on: None,
            back_at: *back_at,
            created_at: fact.at,
            created_by: fact.actor.clone(),
            changed_at: fact.at,
        })
    }

    /// Folds one later fact of this task into its row.
    pub fn fold(&mut self, at: Time, change: &TaskChange) {
        if change.owner.is_some() || change.state.is_some() {
            self.changed_at = at;
        }
        if let Some(title) = &change.title {
            self.title.clone_from(title);
        }
        if let Some(owner) = &change.owner {
            self.owner.clone_from(owner);
        }
        if let Some(state) = change.state {
            self.state = state;
            if state != TaskState::Blocked {
                self.blocked_on = None;
            }
        }
        if let Some(blocked_on) = &change.blocked_on {
            self.blocked_on.clone_from(blocked_on);
        }
        if let Some(back_at) = change.back_at {
            self.back_at = back_at;
        }
    }

    /// What of this change would really change the task.
    #[must_use]
    pub fn difference(&self, change: &TaskChange) -> TaskChange {
        TaskChange {
            title: change.title.clone().filter(|title| *title != self.title),
            owner: change.owner.clone().filter(|owner| *owner != self.owner),
            state: change.state.filter(|state| *state != self.state),
            blocked_on: change.blocked_on.clone().filter(|blocked_on| *blocked_on != self.blocked_on),
            back_at: change.back_at.filter(|back_at| *back_at != self.back_at),
        }
    }
}

impl TaskChange {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
