//! Which monitors call people for nothing.

use axum::extract::State;
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::caller::Caller;
use super::super::look::Params;
use super::super::noise::Remedy;
use super::Reply;
use super::bodies::List;
use super::words;
use crate::base::limits;
use crate::store::read::Monitor;

/// A kind of alert of one sender and service, and what came of its last thirty days.
#[derive(Serialize, ToSchema)]
#[schema(as = Monitor)]
pub struct MonitorBody {
    /// Its integration, service and kind, as a cursor names it.
    #[serde(skip)]
    id: String,
    integration: String,
    service: String,
    /// What is wrong, without its numbers and names.
    kind: String,
    /// Of the newest alert of the kind.
    title: String,
    /// How many alerts, in how many incidents.
    fired: i64,
    incidents: i64,
    /// Of these, how many somebody acknowledged, somebody did something about, and should not have woken anybody (key 9).
    acknowledged: i64,
    acted: i64,
    unhelpful: i64,
    /// From 0, where each incident led to something, to 100, where none did; null: too few to say.
    score: Option<i64>,
    suggestion: Option<String>,
    /// Lines for the configuration that make it low urgency, where that is suggested.
    rule: Option<String>,
    #[schema(schema_with = words::time)]
    last_at: String,
}

impl From<Monitor> for MonitorBody {
    fn from(monitor: Monitor) -> Self {
        let suggestion = monitor.record.suggestion();
        let remedy = suggestion.as_ref().and_then(|_| Remedy::of(&monitor));
        let Monitor { kind, title, alertname: _, last_at, record } = monitor;
        Self {
            id: format!("{} {} {}", kind.integration, kind.service, kind.kind),
            integration: kind.integration.to_string(),
            service: kind.service.to_string(),
            kind: kind.kind,
            title,
            fired: record.fired,
            incidents: record.incidents,
            acknowledged: record.acknowledged,
            acted: record.acted,
            unhelpful: record.unhelpful,
            score: record.score(),
            suggestion,
            rule: remedy.map(|remedy| remedy.rule),
            last_at: last_at.rfc3339(),
        }
    }
}

pub(in super::super) async fn list(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<MonitorBody>> {
    let monitors = doors.house.store.reader().noise(&caller.viewer, doors.now() - limits::NOISE_WITHIN).await?;
    let all = monitors.into_iter().map(MonitorBody::from).collect();
    Ok(Json(List::part(all, &Params::of(&uri), |monitor| &monitor.id)?))
}
