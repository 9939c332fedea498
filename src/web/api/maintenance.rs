//! Maintenance windows: what is worked on at times that are known beforehand.

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
use super::silence::matchers;
use super::words;
use crate::base::id::MaintenanceId;
use crate::base::limits;
use crate::base::written;
use crate::domain::maintenance::{self as law, Maintenance};
use crate::flows::maintenance::{self, Order, Shown};

/// A window, and when it comes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Maintenance)]
pub struct MaintenanceBody {
    pub id: String,
    pub comment: String,
    pub matchers: Vec<String>,
    /// When its first turn begins, by the clocks of its zone.
    pub start: String,
    #[schema(schema_with = words::span)]
    pub r#for: String,
    /// From one turn to the next; null where there is one.
    pub every: Option<String>,
    pub timezone: String,
    /// Whoever made it; null where it is the configuration file's, and is changed there alone.
    pub created_by: Option<String>,
    /// A turn is under way.
    pub is_on: bool,
    /// Its turn was ended before its time; `restore` has it go on.
    pub ended_early: bool,
    /// It was removed, and `restore` brings it back; null while it is there.
    #[schema(schema_with = words::maybe_time)]
    pub removed_at: Option<String>,
    /// The turn under way or the next, and the one after it.
    pub turns: Vec<TurnBody>,
}

/// One turn of a window.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MaintenanceTurn)]
pub struct TurnBody {
    #[schema(schema_with = words::time)]
    pub starts_at: String,
    #[schema(schema_with = words::time)]
    pub ends_at: String,
}

impl MaintenanceBody {
    fn of(shown: &Shown, doors: &Doors) -> Self {
        let window = &shown.window;
        let turn = |turn: &law::Turn| TurnBody { starts_at: turn.begins.rfc3339(), ends_at: turn.ends.rfc3339() };
        Self {
            id: window.id.to_string(),
            comment: window.comment.clone(),
            matchers: window.matchers.iter().map(ToString::to_string).collect(),
            start: window.start.clone(),
            r#for: window.lasts.to_string(),
            every: window.every.map(law::every_text),
            timezone: window.timezone.clone(),
            created_by: shown.made_by.as_ref().map(|actor| doors.names().actor(actor)),
            is_on: shown.is_on,
            ended_early: shown.was_ended,
            removed_at: shown.removed_at.map(crate::base::time::Time::rfc3339),
            turns: shown.turns.iter().map(turn).collect(),
        }
    }
}

/// What matches pages nobody from `start` on, `for` a while, and again after each `every`.
#[derive(Deserialize, ToSchema)]
#[schema(as = AddMaintenance)]
#[serde(deny_unknown_fields)]
pub struct AddMaintenance {
    /// Its name: letters, digits, dots, dashes and underscores.
    id: String,
    /// All have to match, as a silence's.
    matchers: Vec<String>,
    /// When the first turn begins, by the clocks of its zone: `2026-11-22T02:00`.
    start: String,
    /// How long each turn lasts.
    #[schema(schema_with = words::span)]
    r#for: String,
    /// From one turn to the next: 12h, 1d, 1w or 1mo. Left out, there is one.
    every: Option<String>,
    /// UTC unless said.
    timezone: Option<String>,
    /// Why.
    comment: Option<String>,
}

/// A window as it is to be from now on.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeMaintenance)]
#[serde(deny_unknown_fields)]
pub struct ChangeMaintenance {
    /// All have to match, as a silence's.
    matchers: Vec<String>,
    /// When the first turn begins, by the clocks of its zone: `2026-11-22T02:00`.
    start: String,
    /// How long each turn lasts.
    #[schema(schema_with = words::span)]
    r#for: String,
    /// From one turn to the next: 12h, 1d, 1w or 1mo. Left out, there is one.
    every: Option<String>,
    /// UTC unless said.
    timezone: Option<String>,
    /// Why.
    comment: Option<String>,
}

/// What somebody wrote of a window, as it is read by every door.
pub(in super::super) struct Written<'a> {
    pub id: &'a str,
    pub matchers: &'a [String],
    pub start: &'a str,
    pub lasts: &'a str,
    pub every: Option<&'a str>,
    pub timezone: &'a str,
    pub comment: &'a str,
}

impl Written<'_> {
    pub fn window(&self) -> Result<Maintenance, WebError> {
        let wrong = |text: &str| WebError::BadRequest(text.to_owned());
        let every = self.every.map(|text| law::every(text).ok_or_else(|| wrong("Write how often it comes as 12h, 1d, 1w or 1mo.")));
        Ok(Maintenance {
            id: MaintenanceId::from_text(self.id.trim()),
            comment: written::line_within(self.comment, limits::SILENCE_COMMENT_CHARS),
            matchers: matchers(self.matchers)?,
            start: law::starts(self.timezone, self.start).map_err(|why| WebError::BadRequest(format!("The beginning: {why}.")))?,
            lasts: ask::span("for", self.lasts)?,
            every: every.transpose()?,
            timezone: self.timezone.to_owned(),
        })
    }
}

/// The file's and those that people made; those that were removed lately last.
pub(in super::super) async fn list(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Reply<List<MaintenanceBody>> {
    let found = maintenance::list(&doors.house, &caller.viewer).await?;
    let bodies = found.iter().map(|shown| MaintenanceBody::of(shown, &doors)).collect();
    Ok(Json(List::part(bodies, &Params::of(&uri), |one: &MaintenanceBody| &one.id)?))
}

async fn found(doors: &Doors, caller: &Caller, id: &MaintenanceId) -> Result<MaintenanceBody, WebError> {
    let all = maintenance::list(&doors.house, &caller.viewer).await?;
    let one = all.iter().find(|shown| shown.window.id == *id).ok_or(WebError::NotFound("such maintenance window"))?;
    Ok(MaintenanceBody::of(one, doors))
}

pub(in super::super) async fn one(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Reply<MaintenanceBody> {
    Ok(Json(found(&doors, &caller, &MaintenanceId::from_text(id)).await?))
}

pub(in super::super) async fn add(ask: Ask) -> Made<MaintenanceBody> {
    let body: AddMaintenance = ask.body()?;
    let window = Written {
        id: &body.id,
        matchers: &body.matchers,
        start: &body.start,
        lasts: &body.r#for,
        every: body.every.as_deref(),
        timezone: body.timezone.as_deref().unwrap_or("UTC"),
        comment: body.comment.as_deref().unwrap_or_default(),
    };
    let order = Order::Make(window.window()?);
    let id = maintenance::order(&ask.doors.house, &ask.actor()?, order, ask.once.as_ref()).await?;
    let address = format!("/api/v1/maintenance/{id}");
    let made = found(&ask.doors, &ask.caller, &id).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, address)], Json(made)))
}

/// It is as the body says from now on; what is left out is so by default.
pub(in super::super) async fn change(ask: Ask) -> Reply<MaintenanceBody> {
    let body: ChangeMaintenance = ask.body()?;
    let window = Written {
        id: ask.place("window"),
        matchers: &body.matchers,
        start: &body.start,
        lasts: &body.r#for,
        every: body.every.as_deref(),
        timezone: body.timezone.as_deref().unwrap_or("UTC"),
        comment: body.comment.as_deref().unwrap_or_default(),
    };
    let order = Order::Change(window.window()?);
    ordered(ask, order).await
}

async fn ordered(ask: Ask, order: Order) -> Reply<MaintenanceBody> {
    let id = maintenance::order(&ask.doors.house, &ask.actor()?, order, ask.once.as_ref()).await?;
    Ok(Json(found(&ask.doors, &ask.caller, &id).await?))
}

/// Ends the turn under way, and no other.
pub(in super::super) async fn end(ask: Ask) -> Reply<MaintenanceBody> {
    let order = Order::End(MaintenanceId::from_text(ask.place("window")));
    ordered(ask, order).await
}

/// A removed window is there again, and a turn that was ended before its time goes on.
pub(in super::super) async fn restore(ask: Ask) -> Reply<MaintenanceBody> {
    let order = Order::Restore(MaintenanceId::from_text(ask.place("window")));
    ordered(ask, order).await
}

pub(in super::super) async fn remove(ask: Ask) -> Result<StatusCode, WebError> {
    let order = Order::Remove(MaintenanceId::from_text(ask.place("window")));
    maintenance::order(&ask.doors.house, &ask.actor()?, order, ask.once.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
