//! Declaring an incident: one step, a title only.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::base::id::{AlertId, ServiceId};
use crate::domain::incident::Kind;
use crate::domain::input::{Declare, Via};
use crate::domain::setup::Severity;
use crate::flows::act;
use crate::render::html::{Choice, DeclarePage};
use crate::web::answer::{WebError, see_other};
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::roles::shown;
use crate::web::{Doors, look};

pub(super) fn services(doors: &Doors) -> Vec<Choice> {
    doors.live().setup.services.values().map(|service| Choice { id: service.id.to_string(), name: service.name.clone() }).collect()
}

pub(in crate::web) async fn ask(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Response {
    shown(StatusCode::OK, &DeclarePage { frame: caller.frame_in("incidents"), services: services(&doors) })
}

pub(in crate::web) async fn declare(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let title = form.line("title", "what is wrong")?;
    let service = form.get("service").map(ServiceId::from);
    if service.as_ref().is_some_and(|service| !doors.live().setup.services.contains_key(service)) {
        return Err(WebError::BadRequest("There is no such service.".to_owned()));
    }
    let severity = form.get("severity").map(|word| Severity::parse(word).ok_or_else(wrong_severity)).transpose()?;
    opened(&doors, &caller, title, service, severity, None).await
}

fn wrong_severity() -> WebError {
    WebError::BadRequest("Choose sev1, sev2 or sev3.".to_owned())
}

/// Declares, and shows what came of it.
pub(super) async fn opened(
    doors: &Doors,
    caller: &Caller,
    title: String,
    service: Option<ServiceId>,
    severity: Option<Severity>,
    alert: Option<AlertId>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let verdict = act::declare(&doors.house, Declare { actor, via: Via::Web, title, severity, service, kind: Kind::Real, alert }).await?;
    let number = match &verdict.incident {
        Some(id) => look::number_of(doors, id).await,
        None => None,
    };
    let number = number.ok_or_else(|| WebError::BadRequest(format!("No incident was made: {}.", verdict.reason.sentence())))?;
    tracing::info!(incident = number, "an incident was declared in the pages");
    Ok(see_other(&format!("/incidents/{number}")))
}
