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
    pub misses_lately: usize,
    /// Newest first.
    pub misses: Vec<MissRow>,
}

/// One day, of the universal time.
#[derive(Debug, Clone)]
pub struct DayOfBeats {
    pub date: String,
    /// How many misses touch it.
    pub missed: usize,
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
