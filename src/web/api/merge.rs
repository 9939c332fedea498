//! Incidents that turn out to be one, or two.

use std::collections::BTreeSet;

use axum::Json;
use axum::http::{StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::answer::WebError;
use super::super::look;
use super::Reply;
use super::ask::{self, Ask};
use super::bodies::IncidentBody;
use super::command::Nothing;
use super::declare::Made;
use crate::base::id::AlertId;
use crate::base::limits;
use crate::domain::input::Act;

/// What it is part of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The other incident's number.
    into: i64,
}

/// What does not belong to it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The ids of open alerts of it: some, and not all.
    alerts: Vec<String>,
    /// What the new incident is called; the title of its first alert unless said.
    title: Option<String>,
}

pub(in super::super) async fn merge(ask: Ask) -> Reply<IncidentBody> {
    let Merge { into } = ask.body()?;
    let before = ask.incident().await?;
    let other = look::incident(&ask.doors, &ask.caller.viewer, &into.to_string()).await?;
    ask.act(&before, Act::Merge { into: other.id }).await?;
    Ok(Json(IncidentBody::of(ask.incident().await?, &ask.doors)))
}

pub(in super::super) async fn unmerge(ask: Ask) -> Reply<IncidentBody> {
    ask.command(|Nothing {}, _| Ok(Act::Unmerge)).await
}

pub(in super::super) async fn split(ask: Ask) -> Made<IncidentBody> {
    let Split { alerts, title } = ask.body()?;
    if alerts.len() > limits::SPLIT_ALERTS {
        return Err(WebError::BadRequest(format!("One split moves {} alerts at most.", limits::SPLIT_ALERTS)));
    }
    let title = title.map(|title| ask::line("title", &title, limits::TITLE_CHARS)).transpose()?;
    let alerts: BTreeSet<AlertId> = alerts.into_iter().map(AlertId::from_text).collect();
    let before = ask.incident().await?;
    let verdict = ask.act(&before, Act::Split { alerts, title }).await?;
    let reader = ask.doors.house.store.reader();
    let id = verdict.incident.ok_or(WebError::Inside)?;
    let number = reader.incident_number(&id).await?.ok_or(WebError::Inside)?;
    let view = look::incident(&ask.doors, &ask.caller.viewer, &number.0.to_string()).await?;
    let address = format!("/api/v1/incidents/{}", number.0);
    Ok((StatusCode::CREATED, [(header::LOCATION, address)], Json(IncidentBody::of(view, &ask.doors))))
}
