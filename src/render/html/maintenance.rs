//! Maintenance windows, as a picture of the days ahead.

use askama::Template;

use super::{Frame, Stamp};

/// One window: when it comes, whose it is, and what it covers.
#[derive(Debug, Clone)]
pub struct WindowCard {
    pub id: String,
    pub comment: String,
    pub matchers: Vec<String>,
    /// `None`: the configuration file's.
    pub by: Option<String>,
    pub is_removed: bool,
    pub is_on: bool,
    pub was_ended: bool,
    pub when: String,
    pub every: Option<String>,
    pub zone: String,
    pub turns: Vec<(Stamp, Stamp)>,
    pub blocks: Vec<Block>,
}

/// One turn in the picture.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    pub x: i64,
    pub width: i64,
    pub is_on: bool,
    pub is_over: bool,
}

/// Where a day begins in the picture.
#[derive(Debug, Clone)]
pub struct DayMark {
    pub x: i64,
    pub name: String,
}

#[derive(Template)]
#[template(path = "maintenance.html")]
pub struct MaintenancePage {
    pub frame: Frame,
    pub windows: Vec<WindowCard>,
    pub days: Vec<DayMark>,
    pub now_x: i64,
    /// What the form begins with, and in which zone.
    pub start: String,
    pub zone: String,
    pub is_done: bool,
    /// The window of which something can be taken back now.
    pub undo: Option<String>,
}

impl MaintenancePage {
    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }

    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}
