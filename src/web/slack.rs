//! Slack's three doors: commands, buttons, events. Nothing is done for a request that Slack did not sign just now, and what is asked for is in
//! the database before Slack is answered, within its three seconds.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::answer::{WebError, plain, problem};
use super::{Doors, body, hooks};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::flows::say::{self, Door, Reply, SayError};

pub fn router(doors: &Doors) -> Router {
    Router::new()
        .route("/slack/commands", post(|doors: State<Doors>, request: Request| take(doors, Door::Commands, request)))
        .route("/slack/interactions", post(|doors: State<Doors>, request: Request| take(doors, Door::Interactions, request)))
        .route("/slack/events", post(|doors: State<Doors>, request: Request| take(doors, Door::Events, request)))
        .method_not_allowed_fallback(hooks::wrong_way)
        .with_state(doors.clone())
}

async fn take(State(doors): State<Doors>, door: Door, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match body::read(&doors.house.clock, body, limits::SLACK_BODY_BYTES).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let headers = parts.headers.iter();
    let inbound = Inbound {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        headers: headers.map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect(),
        body,
        sent: None,
        received_at: doors.now(),
    };
    match say::hear(&doors.house, door, &inbound).await {
        Ok(Reply::Nothing) => StatusCode::OK.into_response(),
        Ok(Reply::Json(answer)) => Json(answer).into_response(),
        Ok(Reply::Text(text)) => plain(StatusCode::OK, text),
        Err(error) => refused(error),
    }
}

fn refused(error: SayError) -> Response {
    match error {
        SayError::NotConfigured => problem(StatusCode::NOT_FOUND, "No Slack is configured here."),
        SayError::BadSignature => problem(
            StatusCode::UNAUTHORIZED,
            "The signature is wrong, or more than five minutes old. Check signing_secret under [slack], and this machine's clock.",
        ),
        SayError::Unreadable => problem(StatusCode::BAD_REQUEST, "The request cannot be read."),
        SayError::Flow(error) => WebError::from(error).into_response(),
    }
}
