//! Splunk On-Call's REST endpoint at its own path: its senders find here the answer that they would find there. It is the hook of the
//! source `splunk-oncall` in all else.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;

use super::answer::WebError;
use super::{Doors, body, hooks};
use crate::base::coding::Coding;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::flows::ingest::{self, IngestError};

const SOURCE: &str = "splunk-oncall";

pub(super) fn routes() -> Router<Doors> {
    Router::new().route("/integrations/generic/20131114/alert/{key}/{routing_key}", post(take))
}

#[derive(Serialize)]
struct Taken {
    result: &'static str,
    /// None for a body that cannot be read: that is told as an alert, and no error.
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<String>,
}

/// The routing key is read by the source, where it stands in the path.
async fn take(State(doors): State<Doors>, Path((key, _routing_key)): Path<(String, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // As it was sent: the hook decodes it, and says what is wrong with it.
    let body = match body::read(&doors.house.clock, body, limits::BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => {
            if matches!(error, WebError::TooLarge(_))
                && let Err(refusal) = oversized(&doors, &key, &hooks::bare(&doors, &parts)).await
            {
                return hooks::refused(&refusal);
            }
            return error.into_response();
        }
    };
    let entity_id = match Coding::of(parts.headers.get_all(header::CONTENT_ENCODING).iter().map(header::HeaderValue::as_bytes)) {
        Ok(None) => ingest::splunk_oncall::entity(&body),
        Ok(Some(coding)) => {
            let body = body::decode(coding, body.clone(), limits::BODY_BYTES).await;
            body.ok().and_then(|body| ingest::splunk_oncall::entity(&body))
        }
        Err(_) => None,
    };
    let request = Request::from_parts(parts, Body::from(body));
    let response = hooks::take(State(doors), Path((SOURCE.to_owned(), key)), request).await;
    match response.status() {
        StatusCode::ACCEPTED => Json(Taken { result: "success", entity_id }).into_response(),
        _ => response,
    }
}

/// The sender may never send it again: what was too large is told as an alert.
async fn oversized(doors: &Doors, key: &str, inbound: &Inbound) -> Result<(), IngestError> {
    let door = ingest::open(&doors.house, SOURCE, key)?;
    ingest::oversized(&doors.house, &door, inbound).await
}
