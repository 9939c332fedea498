//! What an alert is held for, beside its state.

use super::Stamp;
use crate::domain::alert::{AlertState, Hold};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldTag {
    pub words: &'static str,
    pub at: Option<Stamp>,
    /// Nobody was called, and nobody will be.
    pub is_over: bool,
}

impl HoldTag {
    /// `None` where there is nothing to be said: what ended with its incident is held for nothing.
    #[must_use]
    pub fn of(state: AlertState, hold: Option<Hold>) -> Option<Self> {
        let (words, at) = match hold? {
            Hold::Passed => return Some(Self { words: "passed by itself, nobody was called", at: None, is_over: true }),
            Hold::Quiet { .. } | Hold::Flapping { .. } if state != AlertState::Firing => return None,
            Hold::Quiet { until } => ("quiet until", until),
            Hold::Flapping { since, .. } => ("flapping since", since),
        };
        Some(Self { words, at: Some(Stamp(at)), is_over: false })
    }
}
