//! The heartbeats: when each was heard last, and when it is due.

use axum::extract::State;
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::look::Params;
use super::Reply;
use super::bodies::List;
use super::words;
use crate::base::time::Time;
use crate::flows::beat::{self, Standing};
use crate::store::read::Miss;
use crate::web::caller::Caller;

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
    /// When it was first waited for.
    #[schema(schema_with = words::maybe_time)]
    pub since_at: Option<String>,
    /// The newest 20, newest first.
    pub misses: Vec<MissBody>,
}

/// A beat that did not come in time.
#[derive(Serialize, ToSchema)]
#[schema(as = HeartbeatMiss)]
pub struct MissBody {
    #[schema(schema_with = words::time)]
    pub from_at: String,
    /// The beat that ended it; null: none has come since.
    #[schema(schema_with = words::maybe_time)]
    pub until_at: Option<String>,
    /// The number of the incident that its alert belongs to.
    pub incident: Option<i64>,
}

/// Misses told of one heartbeat.
const MISSES: i64 = 20;

pub(in super::super) async fn list(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Reply<List<HeartbeatBody>> {
    let (reader, mut found) = (doors.house.store.reader(), Vec::new());
    for standing in beat::standings(&doors.house).await? {
        let misses = reader.misses(&caller.viewer, &standing.integration.id, MISSES).await?;
        found.push(body(&standing, &misses));
    }
    Ok(Json(List::part(found, &Params::of(&uri), |one: &HeartbeatBody| &one.id)?))
}

fn body(standing: &Standing, misses: &[Miss]) -> HeartbeatBody {
    HeartbeatBody {
        id: standing.integration.id.to_string(),
        service: standing.integration.service.to_string(),
        period: standing.beat.period.as_seconds(),
        grace: standing.beat.grace.as_seconds(),
        state: standing.pulse.name(),
        last_at: standing.beat_at.map(Time::rfc3339),
        due_at: standing.due_at.map(Time::rfc3339),
        since_at: standing.since_at.map(Time::rfc3339),
        misses: misses
            .iter()
            .map(|miss| MissBody {
                from_at: miss.from_at.rfc3339(),
                until_at: miss.until_at.map(Time::rfc3339),
                incident: miss.incident.map(|number| number.0),
            })
            .collect(),
    }
}
