//! The link in a mail. Opening it does nothing: mail scanners and previews open links to look at them.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Doors;
use super::answer::WebError;
use super::caller::Caller;
use super::roles::shown;
use super::sign_in::{paired, pairing};
use crate::flows::link;
use crate::render::html::link::{AcknowledgePage, AcknowledgedPage, Offered};

const TOO_OLD: &str = "This link is too old, or there is none like it. Sign in to see what is open.";

/// Shows what the link would acknowledge, and the button that does it.
pub(super) async fn offer(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let Some(offer) = link::look(&doors.house, &link).await? else { return Err(WebError::Spent(TOO_OLD)) };
    let (csrf, is_new) = pairing(&doors, &caller, &headers);
    let incidents: Vec<Offered> = offer
        .incidents
        .into_iter()
        .map(|(incident, waits)| Offered {
            number: incident.number.0,
            title: incident.title,
            severity: incident.severity.name(),
            service: incident.service_name,
            waits,
        })
        .collect();
    let page = AcknowledgePage { frame: caller.frame(), link, csrf: csrf.expose().to_owned(), person: offer.person, incidents };
    Ok(paired(&doors, shown(StatusCode::OK, &page), &csrf, is_new))
}

/// Acknowledges.
pub(super) async fn act(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(link): Path<String>,
) -> Result<Response, WebError> {
    let Some(done) = link::acknowledge(&doors.house, &link).await? else { return Err(WebError::Spent(TOO_OLD)) };
    Ok(shown(StatusCode::OK, &AcknowledgedPage { frame: caller.frame(), done }))
}
