//! What is thrown away, and when: what nobody can ask for any more, and what the operator does not want kept.

use serde::{Deserialize, Serialize};

use super::FlowError;
use super::house::House;
use crate::base::id::IncidentId;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::store::{self, StoreError, Tx, WriteLane};

/// The role of the one process that throws away.
const ROLE: &str = "janitor";

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

/// Throws away some of what is due, in pieces that are small and do not follow each other at once. `true` when there is more.
///
/// # Errors
/// The store's. What was thrown away stays so.
pub async fn tidy(house: &House) -> Result<bool, FlowError> {
    if !store::lease_hold(&house.store, ROLE, &house.owner, limits::JANITOR_LEASE).await? {
        return Ok(false);
    }
    let retention = house.now_live().retention.clone();
    let now = house.clock.now();
    let mut more = false;
    for due in [
        Due::Answers { before: now - limits::ANSWERS_KEPT },
        Due::Requests { before: now - limits::SENDER_REQUESTS_KEPT },
        Due::Refusals { before: now - limits::REFUSALS_KEPT },
        Due::Sessions { now },
        Due::Bodies { before: now - retention.samples, keep: retention.samples_most },
        Due::Samples { before: now - retention.samples, keep: retention.samples_most },
        Due::Alerts { before: now - retention.alerts, keep: retention.alerts_most },
        Due::Silences { before: now - limits::SILENCES_KEPT },
        Due::Changes { before: now - limits::CHANGES_KEPT, keep: limits::CHANGES_MOST },
        Due::Kinds { before: now - limits::KINDS_KEPT, keep: limits::KINDS_MOST },
    ] {
        more |= throw_away(house, &due).await?;
    }
    if let Some(kept) = retention.incidents {
        more |= incidents(house, now - kept).await?;
    }
    Ok(more)
}

/// Closed incidents, one after the other. `true` when there may be more.
async fn incidents(house: &House, before: Time) -> Result<bool, FlowError> {
    for _ in 0..limits::JANITOR_PIECES {
        let Some(id) = store::incident_expired(&house.store.reader(), before).await? else { return Ok(false) };
        if throw_away(house, &Due::Incident { id, before }).await? {
            return Ok(true);
        }
    }
    Ok(true)
}

/// What is due to be thrown away.
enum Due {
    /// Decisions that requests waited for.
    Answers {
        before: Time,
    },
    /// What became of requests whose senders may ask.
    Requests {
        before: Time,
    },
    /// What senders were refused.
    Refusals {
        before: Time,
    },
    /// Sessions and sign-in links that have ended.
    Sessions {
        now: Time,
    },
    /// Batches kept aside, with the bodies that senders sent.
    Bodies {
        before: Time,
        keep: i64,
    },
    /// Samples of signals and what was made of them.
    Samples {
        before: Time,
        keep: i64,
    },
    /// Closed alerts without an incident.
    Alerts {
        before: Time,
        keep: i64,
    },
    /// Silences that are over.
    Silences {
        before: Time,
    },
    /// Deploys and the like, for whoever asks what changed.
    Changes {
        before: Time,
        keep: i64,
    },
    /// What alerts are called, and how often that was heard.
    Kinds {
        before: Time,
        keep: i64,
    },
    Incident {
        id: IncidentId,
        before: Time,
    },
}

impl Due {
    const fn name(&self) -> &'static str {
        match self {
            Self::Answers { .. } => "answers",
            Self::Requests { .. } => "requests",
            Self::Refusals { .. } => "refusals",
            Self::Sessions { .. } => "sessions",
            Self::Bodies { .. } => "bodies",
            Self::Samples { .. } => "samples",
            Self::Alerts { .. } => "alerts",
            Self::Silences { .. } => "silences",
            Self::Changes { .. } => "changes",
            Self::Kinds { .. } => "kinds",
            Self::Incident { .. } => "incidents",
        }
    }

    async fn piece(&self, tx: &mut Tx) -> Result<u64, StoreError> {
        let limit = limits::JANITOR_ROWS;
        match self {
            Self::Answers { before } => store::answers_forget(tx, *before, limit).await,
            Self::Requests { before } => store::sender_requests_forget(tx, *before, limits::SENDER_REQUESTS, limit).await,
            Self::Refusals { before } => store::refusals_forget(tx, *before).await,
            Self::Sessions { now } => store::access_forget(tx, *now).await,
            Self::Bodies { before, keep } => store::aside_forget(tx, *before, *keep, limit).await,
            Self::Samples { before, keep } => store::samples_forget(tx, *before, *keep, limit).await,
            Self::Alerts { before, keep } => store::alerts_forget(tx, *before, *keep, limit).await,
            Self::Silences { before } => Ok(store::silences_forget(tx, *before, limit).await?
                + store::windows_forget(tx, *before, limit).await?
                + store::marks_forget(tx, *before, limit).await?),
            Self::Changes { before, keep } => store::changes_forget(tx, *before, *keep, limit).await,
            Self::Kinds { before, keep } => store::kinds_forget(tx, *before, *keep, limit).await,
            Self::Incident { id, before } => store::incident_forget(tx, id, *before, limit).await,
        }
    }
}

/// Piece after piece until one is empty, or there were enough for now; `true` then.
async fn throw_away(house: &House, due: &Due) -> Result<bool, FlowError> {
    for _ in 0..limits::JANITOR_PIECES {
        let mut tx = house.store.begin(WriteLane::Rest).await?;
        let rows = due.piece(&mut tx).await?;
        if rows == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        house.metrics.forgotten(due.name(), rows);
        // In real time: whoever waits for the writer comes first.
        tokio::time::sleep(limits::JANITOR_BREATH.as_duration()).await;
    }
    Ok(true)
}
