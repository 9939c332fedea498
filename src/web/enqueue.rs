//! PagerDuty's doors: its clients find here what they would find there, in its own words.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::answer::{self, WebError};
use super::repeat::{self, Asked, Clash};
use super::{Doors, body, hooks};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::flows::enqueue::{self, Api, EnqueueError};

pub(super) fn routes() -> Router<Doors> {
    Router::new()
        .route("/v2/enqueue", post(|doors, request| take(doors, request, Api::Events)))
        .route("/v2/change/enqueue", post(|doors, request| take(doors, request, Api::Changes)))
        .route("/generic/2010-04-15/create_event.json", post(|doors, request| take(doors, request, Api::Version1)))
}

async fn take(State(doors): State<Doors>, request: Request, api: Api) -> Response {
    let (parts, body) = request.into_parts();
    // An event is never refused for a header that nobody can read.
    let repeat_key = repeat::key(&parts.headers).unwrap_or(None);
    let received = match body::receive(&doors.house, &parts.headers, body, limits::BODY_BYTES).await {
        Ok(received) => received,
        Err(lost) => {
            // Unread, the body does not say whose it is; its header may.
            let inbound = hooks::unread(&doors, &parts, &lost);
            let told = match lost.undecoded() {
                Some(why) => enqueue::undecodable(&doors.house, api, &inbound, why).await,
                None if matches!(lost.error, WebError::TooLarge(_)) => enqueue::oversized(&doors.house, api, &inbound).await,
                None => Ok(()),
            };
            if let Err(error) = told {
                return not_taken(&error);
            }
            let mut response = refused(lost.error.status(), "Event object is too large or incomplete", &[lost.error.to_string()]);
            answer::says_what_is_taken(&mut response, &lost.error);
            return response;
        }
    };
    let inbound = hooks::inbound(&doors, &parts, received);
    let Some(repeat_key) = repeat_key else { return decided(&doors, api, &inbound).await };
    // Whose event it is stands in its body: equal bodies are of one sender, and another body is another request.
    let (body, caller) = (inbound.body.clone(), digest_hex(&inbound.body));
    let asked = Asked { caller: &caller, door: parts.uri.path(), key: &repeat_key, body: &body };
    let work = {
        let doors = doors.clone();
        move |_| async move { decided(&doors, api, &inbound).await }
    };
    repeat::guard(&doors, asked, Clash::Ignore, work).await
}

async fn decided(doors: &Doors, api: Api, inbound: &Inbound) -> Response {
    match enqueue::enqueue(&doors.house, api, inbound).await {
        Ok(key) => taken(api, key),
        Err(error) => not_taken(&error),
    }
}

fn not_taken(error: &EnqueueError) -> Response {
    match error {
        EnqueueError::Unrecognised(why) => {
            refused(StatusCode::BAD_REQUEST, "Event object format is unrecognized", &["JSON parse error".to_owned(), why.clone()])
        }
        EnqueueError::Invalid(wrong) => refused(StatusCode::BAD_REQUEST, "Event object is invalid", wrong),
        EnqueueError::Unproven(flaw) => refused(hooks::unproven(flaw), "Event object is not proven to be yours", &[error.to_string()]),
        EnqueueError::CannotStore => cannot_store(),
    }
}

fn cannot_store() -> Response {
    let told = WebError::Busy("Nothing can be stored just now; try again in a few seconds.");
    let told_in_full = json!({ "status": "server error", "message": told.to_string(), "errors": ["Nothing was stored"] });
    let mut response = (told.status(), Json(told_in_full)).into_response();
    answer::set(&mut response, header::RETRY_AFTER, answer::RETRY_AFTER);
    response
}

fn taken(api: Api, key: Option<String>) -> Response {
    let (status, message, key_field) = match api {
        Api::Events => (StatusCode::ACCEPTED, "Event processed", "dedup_key"),
        Api::Changes => (StatusCode::ACCEPTED, "Change event processed", "dedup_key"),
        Api::Version1 => (StatusCode::OK, "Event processed", "incident_key"),
    };
    let mut told = json!({ "status": "success", "message": message });
    if let Some(key) = key {
        told[key_field] = Value::String(key);
    }
    (status, Json(told)).into_response()
}

fn refused(status: StatusCode, message: &str, errors: &[String]) -> Response {
    (status, Json(json!({ "status": "invalid event", "message": message, "errors": errors }))).into_response()
}
