//! Overrides: somebody takes a schedule for a while.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::{Extension, Json};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::answer::WebError;
use super::super::caller::Caller;
use super::super::look::Params;
use super::Reply;
use super::ask::{self, Ask};
use super::bodies::{List, OverrideBody};
use super::declare::Made;
use super::words;
use crate::base::id::{OverrideId, ScheduleId};
use crate::flows::overrides::{self, Stand};
use crate::store::read::OverrideView;

/// Somebody has the schedule from `from` (now unless said) until `until`, or `for` a while.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddOverride)]
#[serde(deny_unknown_fields)]
pub struct AddOverride {
    /// A user's id.
    user: String,
    #[schema(schema_with = words::time)]
    from: Option<String>,
    #[schema(schema_with = words::time)]
    until: Option<String>,
    #[schema(schema_with = words::span)]
    r#for: Option<String>,
}

/// Those that have not ended, of all schedules: the first to begin first.
pub(in super::super) async fn all(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<OverrideBody>> {
    let found = doors.house.store.reader().overrides(&caller.viewer, None, doors.now()).await?;
    part(found, &uri)
}

pub(in super::super) async fn list(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(schedule): Path<String>,
    uri: Uri,
) -> Reply<List<OverrideBody>> {
    let schedule = known(&doors, &schedule)?;
    let found = doors.house.store.reader().overrides(&caller.viewer, Some(&schedule), doors.now()).await?;
    part(found, &uri)
}

fn part(found: Vec<OverrideView>, uri: &Uri) -> Reply<List<OverrideBody>> {
    let found = found.into_iter().map(OverrideBody::from).collect();
    Ok(Json(List::part(found, &Params::of(uri), |one: &OverrideBody| &one.id)?))
}

pub(in super::super) async fn add(ask: Ask) -> Made<OverrideBody> {
    let body: AddOverride = ask.body()?;
    let schedule = known(&ask.doors, ask.place("schedule"))?;
    let user = ask::user(&ask.doors, "user", &body.user)?;
    let from = body.from.map_or(Ok(ask.doors.now()), |from| ask::time("from", &from))?;
    let until = match (body.until, body.r#for) {
        (Some(until), None) => ask::time("until", &until)?,
        (None, Some(span)) => from + ask::span("for", &span)?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(WebError::BadRequest(
                "Say until when, or for how long: {\"until\": \"2026-01-05T09:00:00Z\"} or {\"for\": \"8h\"}.".to_owned(),
            ));
        }
    };
    let stand = Stand { schedule: &schedule, user: &user, from, until };
    let id = overrides::create_once(&ask.doors.house, &ask.actor()?, stand, ask.once.as_ref()).await?;
    let reader = ask.doors.house.store.reader();
    let there = reader.overrides(&ask.caller.viewer, Some(&schedule), ask.doors.now()).await?;
    let made = there.into_iter().find(|made| made.id == id).ok_or(WebError::NotFound("such override any more"))?;
    let address = format!("/api/v1/schedules/{schedule}/overrides/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, address)], Json(OverrideBody::from(made))))
}

pub(in super::super) async fn remove(ask: Ask) -> Result<StatusCode, WebError> {
    let schedule = known(&ask.doors, ask.place("schedule"))?;
    let id = OverrideId::from_text(ask.place("override"));
    let reader = ask.doors.house.store.reader();
    let there = reader.overrides(&ask.caller.viewer, Some(&schedule), ask.doors.now()).await?;
    if there.iter().all(|other| other.id != id) {
        return Err(WebError::NotFound("such override of this schedule any more"));
    }
    overrides::remove(&ask.doors.house, &ask.actor()?, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn known(doors: &Doors, schedule: &str) -> Result<ScheduleId, WebError> {
    let id = ScheduleId::from_text(schedule);
    if doors.live().setup.schedules.contains_key(&id) { Ok(id) } else { Err(WebError::NotFound("such schedule")) }
}
