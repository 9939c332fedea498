//! The page of the heartbeats.

use askama::Template;

use super::{Frame, Stamp};

/// One job that says that it lives.
#[derive(Debug, Clone)]
pub struct HeartbeatCard {
    pub id: String,
    pub service: String,
    pub period: String,
    pub grace: String,
    /// Its word, for the colour.
    pub state: &'static str,
    pub told: &'static str,
    pub last: Option<Stamp>,
    pub due: Option<Stamp>,
    /// Oldest first.
    pub days: Vec<DayOfBeats>,
    /// When it was first waited for, where that is within these days.
    pub since: Option<Stamp>,
    /// In these days.
    pub misses_lately: i64,
    /// Newest first.
    pub misses: Vec<MissRow>,
}

/// One day, of the universal time.
#[derive(Debug, Clone)]
pub struct DayOfBeats {
    pub date: String,
    pub state: StateOfDay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateOfDay {
    /// Nobody waited for it then.
    Unwatched,
    Well,
    /// A miss touches it.
    Missed,
}

impl StateOfDay {
    const fn class(self) -> &'static str {
        match self {
            Self::Unwatched => "unwatched",
            Self::Well => "well",
            Self::Missed => "missed",
        }
    }

    const fn told(self) -> &'static str {
        match self {
            Self::Unwatched => "not watched yet",
            Self::Well => "nothing missed",
            Self::Missed => "missed",
        }
    }
}

#[derive(Debug, Clone)]
pub struct MissRow {
    pub from: Stamp,
    /// `None`: it still lasts.
    pub lasted: Option<String>,
    pub number: Option<i64>,
}

#[derive(Template)]
#[template(path = "heartbeats.html")]
pub struct HeartbeatsPage {
    pub frame: Frame,
    pub cards: Vec<HeartbeatCard>,
}
