//! A person, or a script, says that there is an incident.

use axum::Json;
use axum::http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::answer::WebError;
use super::super::look;
use super::ask::{self, Ask};
use super::bodies::IncidentBody;
use super::words;
use crate::base::id::AlertId;
use crate::base::limits;
use crate::domain::decide::Outcome;
use crate::domain::incident::Kind;
use crate::domain::input::{Declare, Via};
use crate::domain::setup::Severity;
use crate::flows::{act, once};

/// What is wrong, in a few words; the rest has good defaults.
#[derive(Deserialize, ToSchema)]
#[schema(as = Declare)]
#[serde(deny_unknown_fields)]
pub struct DeclareBody {
    title: String,
    /// sev2 unless said.
    #[schema(schema_with = words::severity)]
    severity: Option<Severity>,
    /// The service whose policy is paged; the only one there is, unless said.
    service: Option<String>,
    /// real unless said; a drill or a test pages only whom you page by name.
    #[schema(schema_with = words::kind)]
    kind: Option<Kind>,
}

/// Makes an incident of a recorded alert.
#[derive(Deserialize, ToSchema)]
#[schema(as = Promote)]
#[serde(deny_unknown_fields)]
pub struct PromoteBody {
    /// The alert's own unless said.
    title: Option<String>,
    /// The alert's own, unless that pages nobody.
    #[schema(schema_with = words::severity)]
    severity: Option<Severity>,
}

/// 201 with the address of what was made.
pub(super) type Made<T> = Result<(StatusCode, [(HeaderName, String); 1], Json<T>), WebError>;

pub(in super::super) async fn incident(ask: Ask) -> Made<IncidentBody> {
    let body: DeclareBody = ask.body()?;
    let declare = Declare {
        actor: ask.actor()?,
        via: Via::Api,
        title: ask::line("title", &body.title, limits::TITLE_CHARS)?,
        severity: body.severity,
        service: body.service.map(|service| ask::service(&ask.doors, "service", &service)).transpose()?,
        kind: body.kind.unwrap_or_default(),
        alert: None,
    };
    declared(&ask, declare).await
}

pub(in super::super) async fn promote(ask: Ask) -> Made<IncidentBody> {
    let body: PromoteBody = ask.body()?;
    let reader = ask.doors.house.store.reader();
    let id = AlertId::from_text(ask.place("alert"));
    let alert = reader.alert_get(&ask.caller.viewer, &id).await?.ok_or(WebError::NotFound("such alert"))?;
    // A request that comes again finds the incident that it made itself, and is answered with it.
    let made_before = match &ask.once {
        Some(once) => once::is_decided(&ask.doors.house, once).await?,
        None => false,
    };
    if let Some(number) = alert.incident
        && !made_before
    {
        return Err(WebError::Conflict(format!("This alert belongs to incident {number} already.")));
    }
    let title = match body.title {
        Some(title) => ask::line("title", &title, limits::TITLE_CHARS)?,
        None => alert.title,
    };
    let declare = Declare {
        actor: ask.actor()?,
        via: Via::Api,
        title,
        severity: body.severity,
        service: Some(alert.service),
        kind: Kind::Real,
        alert: Some(id),
    };
    declared(&ask, declare).await
}

async fn declared(ask: &Ask, declare: Declare) -> Made<IncidentBody> {
    let verdict = act::declare_once(&ask.doors.house, declare, ask.once.clone()).await?;
    let id = match (verdict.outcome, verdict.incident) {
        (Outcome::Ignored, _) | (_, None) => {
            return Err(WebError::Conflict(format!("Nothing was declared: {}.", verdict.reason.sentence())));
        }
        (_, Some(id)) => id,
    };
    let number = ask.doors.house.store.reader().incident_number(&id).await?.ok_or(WebError::Inside)?;
    tracing::info!(incident = number.0, "an incident was declared");
    let view = look::incident(&ask.doors, &ask.caller.viewer, &number.0.to_string()).await?;
    let address = format!("/api/v1/incidents/{}", number.0);
    Ok((StatusCode::CREATED, [(header::LOCATION, address)], Json(IncidentBody::of(view, &ask.doors))))
}
