//! Silences: what matches pages nobody for a while.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::Doors;
use super::super::answer::WebError;
use super::super::caller::Caller;
use super::super::look::Params;
use super::Reply;
use super::ask::{self, Ask};
use super::bodies::List;
use super::declare::Made;
use super::words;
use crate::base::id::{IntegrationId, SilenceId};
use crate::base::time::Time;
use crate::domain::matcher::{Matcher, Wrong};
use crate::domain::silence::SilenceState;
use crate::flows::silence::{self, Wanted};
use crate::store::read::SilenceRow;

/// Alerts whose labels match page nobody from one time until another. They still count, and what still fires then pages.
#[derive(Serialize, ToSchema)]
#[schema(as = Silence)]
pub struct SilenceBody {
    /// A UUID, as Alertmanager's clients know it.
    pub id: String,
    /// pending, active or expired.
    pub state: &'static str,
    /// All of them have to match: `alertname="DiskFull"`, `instance=~"db.*"`.
    pub matchers: Vec<String>,
    /// The one integration whose alerts it covers; null for all.
    pub integration: Option<String>,
    #[schema(schema_with = words::time)]
    pub starts_at: String,
    #[schema(schema_with = words::time)]
    pub ends_at: String,
    pub created_by: String,
    pub comment: String,
}

impl SilenceBody {
    fn of(row: &SilenceRow, now: Time) -> Self {
        let silence = &row.silence;
        Self {
            id: silence.id.to_string(),
            state: silence.state(now).name(),
            matchers: silence.matchers.iter().map(ToString::to_string).collect(),
            integration: silence.integration.as_ref().map(ToString::to_string),
            starts_at: silence.starts_at.rfc3339(),
            ends_at: silence.ends_at.rfc3339(),
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
        }
    }
}

/// What matches pages nobody from `starts_at` (now unless said) until `until`, or `for` a while.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddSilence)]
#[serde(deny_unknown_fields)]
pub struct AddSilence {
    /// As Alertmanager writes them. Beside an alert's own labels there are `alertname`, `dedup_key`, `severity`, `service`, `integration` and `source`.
    matchers: Vec<String>,
    /// Only this integration's alerts.
    integration: Option<String>,
    #[schema(schema_with = words::time)]
    starts_at: Option<String>,
    #[schema(schema_with = words::time)]
    until: Option<String>,
    #[schema(schema_with = words::span)]
    r#for: Option<String>,
    /// Why.
    comment: Option<String>,
}

/// All of them, those that are over too for a month: `?state=active` for those in force.
pub(in super::super) async fn list(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<SilenceBody>> {
    let params = Params::of(&uri);
    let states = params.words("state", SilenceState::parse, "active, pending, expired")?;
    let now = doors.now();
    let mut found = doors.house.store.reader().silences(&caller.viewer).await?;
    found.retain(|row| states.is_empty() || states.contains(&row.silence.state(now)));
    Ok(Json(List::part(found.iter().map(|row| SilenceBody::of(row, now)).collect(), &params, |one: &SilenceBody| &one.id)?))
}

pub(in super::super) async fn add(ask: Ask) -> Made<SilenceBody> {
    let body: AddSilence = ask.body()?;
    let now = ask.doors.now();
    let starts_at = body.starts_at.map_or(Ok(now), |text| ask::time("starts_at", &text))?;
    let ends_at = match (body.until, body.r#for) {
        (Some(until), None) => ask::time("until", &until)?,
        (None, Some(span)) => starts_at + ask::span("for", &span)?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(WebError::BadRequest(
                "Say until when, or for how long: {\"until\": \"2026-01-05T09:00:00Z\"} or {\"for\": \"2h\"}.".to_owned(),
            ));
        }
    };
    let actor = ask.actor()?;
    let wanted = Wanted {
        id: None,
        integration: body.integration.map(|id| known(&ask.doors, &id)).transpose()?,
        matchers: matchers(&body.matchers)?,
        starts_at,
        ends_at,
        created_by: ask.doors.names().actor(&actor),
        comment: body.comment.unwrap_or_default(),
        annotations: std::collections::BTreeMap::new(),
    };
    let id = silence::put(&ask.doors.house, &actor, wanted, ask.once.as_ref()).await?;
    let row = ask.doors.house.store.reader().silence(&ask.caller.viewer, &id).await?.ok_or(WebError::NotFound("such silence any more"))?;
    let address = format!("/api/v1/silences/{id}");
    Ok((StatusCode::CREATED, [(header::LOCATION, address)], Json(SilenceBody::of(&row, ask.doors.now()))))
}

pub(in super::super) async fn one(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Reply<SilenceBody> {
    let row = doors.house.store.reader().silence(&caller.viewer, &SilenceId::from_text(id)).await?;
    Ok(Json(SilenceBody::of(&row.ok_or(WebError::NotFound("such silence"))?, doors.now())))
}

/// Ends it now. One that is over stays so.
pub(in super::super) async fn end(ask: Ask) -> Result<StatusCode, WebError> {
    silence::end(&ask.doors.house, &ask.actor()?, &SilenceId::from_text(ask.place("silence")), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads matchers as people write them.
pub(in super::super) fn matchers(texts: &[String]) -> Result<Vec<Matcher>, WebError> {
    let mut matchers = Vec::new();
    for text in texts {
        let no_matcher =
            |why: Wrong| format!("{text:?} is no matcher, which looks like alertname=\"DiskFull\" or instance=~\"db.*\": {why}.");
        matchers.extend(Matcher::parse_all(text).map_err(|why| WebError::BadRequest(no_matcher(why)))?);
    }
    Ok(matchers)
}

pub(in super::super) fn known(doors: &Doors, id: &str) -> Result<IntegrationId, WebError> {
    let id = IntegrationId::from(id);
    if doors.live().setup.integrations.contains_key(&id) { Ok(id) } else { Err(WebError::NotFound("such integration")) }
}
