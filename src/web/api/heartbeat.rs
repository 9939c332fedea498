//! The heartbeats: when each was heard last, and when it is due.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::look::Params;
use super::Reply;
use super::bodies::List;
use super::words;
use crate::base::time::Time;
use crate::flows::beat;

/// A job that says that it lives.
#[derive(Serialize, ToSchema)]
#[schema(as = Heartbeat)]
pub struct HeartbeatBody {
    /// The integration's id.
    pub id: String,
    pub service: String,
    /// Seconds.
    pub period: i64,
    /// Seconds that a beat may be late.
    pub grace: i64,
    /// `awaited` before the first beat, then `beats`, `late` within the grace, and `missed`.
    pub state: &'static str,
    #[schema(schema_with = words::maybe_time)]
    pub last_at: Option<String>,
    /// Without a beat until then, it is missed.
    #[schema(schema_with = words::maybe_time)]
    pub due_at: Option<String>,
}

pub(in super::super) async fn list(State(doors): State<Doors>, uri: Uri) -> Reply<List<HeartbeatBody>> {
    let found = beat::standings(&doors.house).await?.into_iter().map(|standing| HeartbeatBody {
        id: standing.integration.id.to_string(),
        service: standing.integration.service.to_string(),
        period: standing.beat.period.as_seconds(),
        grace: standing.beat.grace.as_seconds(),
        state: standing.pulse.name(),
        last_at: standing.beat_at.map(Time::rfc3339),
        due_at: standing.due_at.map(Time::rfc3339),
    });
    Ok(Json(List::part(found.collect(), &Params::of(&uri), |one: &HeartbeatBody| &one.id)?))
}
