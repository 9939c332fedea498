//! The page of the noise.

use askama::Template;

use super::{Frame, Stamp};
use crate::domain::noise::Record;

/// One monitor and its last thirty days.
#[derive(Debug, Clone)]
pub struct MonitorRow {
    pub title: String,
    pub service: String,
    pub integration: String,
    pub record: Record,
    pub last_at: Stamp,
    pub suggestion: Option<String>,
    /// Lines for the configuration, and where it can be silenced; where something is suggested.
    pub rule: Option<String>,
    pub silence: Option<String>,
}

#[derive(Template)]
#[template(path = "noise.html")]
pub struct NoisePage {
    pub frame: Frame,
    pub monitors: Vec<MonitorRow>,
}

impl NoisePage {
    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }
}
