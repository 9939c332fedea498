//! What is thrown away, and when: what nobody can ask for any more, and what the operator does not want kept.

use serde::{Deserialize, Serialize};

use crate::base::time::Span;

/// How long and how many are kept: `[retention]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Samples of signals with their raw bodies.
    pub samples: Span,
    pub samples_most: i64,
    /// Closed alerts that belong to no incident.
    pub alerts: Span,
    pub alerts_most: i64,
    /// Closed incidents with their facts, tasks, alerts and pages; `None`: for ever.
    pub incidents: Option<Span>,
}

impl Retention {
    /// Nothing is thrown away younger than this: a night must be there to be looked back on.
    pub const LEAST: Span = Span::hours(24);
}

impl Default for Retention {
    fn default() -> Self {
        Self { samples: Span::hours(24 * 30), samples_most: 100_000, alerts: Span::hours(24 * 90), alerts_most: 100_000, incidents: None }
    }
}
