//! What is on an incident's page for those who work on it: the board, the roles, the choices of its forms.

use super::Stamp;
use crate::base::id::Number;
use crate::domain::task::TaskState;

/// One row of the board: who, what, since when, blocked on whom, back in how long.
#[derive(Debug, Clone)]
pub struct TaskRow {
    pub n: i64,
    pub title: String,
    pub state: TaskState,
    pub owner: Option<String>,
    /// Whether it is the reader's own.
    pub is_mine: bool,
    pub since: Stamp,
    pub blocked_on: Option<String>,
    pub back_at: Option<Stamp>,
    /// Its owner said they would be back by now.
    pub is_overdue: bool,
}

impl TaskRow {
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.state, TaskState::Blocked)
    }
}

/// One thing that a form offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub id: String,
    pub name: String,
}

/// One incident role and who has it.
#[derive(Debug, Clone)]
pub struct RoleRow {
    pub role: &'static str,
    pub person: Option<String>,
}

/// The incident's room, where there is one.
#[derive(Debug, Clone)]
pub struct RoomLink {
    pub name: String,
    pub url: String,
}

/// Other incidents that one went into, took in or was split off.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    pub merged_into: Option<Number>,
    pub took_in: Vec<Number>,
    pub split_from: Option<Number>,
    /// What may have caused it, while it is open.
    pub causes: Vec<Number>,
    /// Whether the merge can still be taken back.
    pub may_return: bool,
}

/// What the forms of an incident's page offer.
#[derive(Debug, Clone, Default)]
pub struct Offers {
    /// The reader first.
    pub people: Vec<Choice>,
    pub policies: Vec<Choice>,
    /// Other open incidents that it may be part of, by number.
    pub others: Vec<Choice>,
    /// Its open alerts, where some of them can go.
    pub parts: Vec<Choice>,
    /// Whose clock the form's times are read by.
    pub timezone: String,
}

/// Spans that forms offer: as the server reads them, as people say them.
pub(super) const BACK_IN: [(&str, &str); 6] =
    [("5m", "5 minutes"), ("10m", "10 minutes"), ("15m", "15 minutes"), ("30m", "30 minutes"), ("1h", "1 hour"), ("2h", "2 hours")];
pub(super) const SNOOZE_FOR: [(&str, &str); 6] =
    [("15m", "15 minutes"), ("30m", "30 minutes"), ("1h", "1 hour"), ("2h", "2 hours"), ("4h", "4 hours"), ("8h", "8 hours")];
