//! The senders' doors. A sender hears 202 only when its message is durable, and never a 5xx for what it wrote.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Serialize;

use super::answer::{self, WebError, plain, problem};
use super::body::{NotReceived, Received};
use super::repeat::{self, Asked, Clash};
use super::{Doors, alertmanager, body, enqueue, look, opsgenie, rest_endpoint};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Span;
use crate::domain::decide::Verdict;
use crate::flows::ingest::{self, IngestError};
use crate::flows::refusal::{self, Flaw, Why};
use crate::flows::{beat, hear};

/// `/hooks/…` and `/callbacks/…`: senders and providers, no people.
pub fn router(doors: &Doors) -> Router {
    Router::new()
        .route("/hooks/{source}/{key}", post(take).get(look_in).options(handshake))
        .route("/hooks/{source}/{key}/{*name}", post(take_named).put(take_named))
        .route("/callbacks/{channel}", post(written))
        .route("/callbacks/{channel}/{*rest}", post(heard))
        .route("/heartbeats/{key}", post(beat).get(beat))
        .merge(enqueue::routes())
        .merge(rest_endpoint::routes())
        .merge(alertmanager::routes(doors))
        .merge(opsgenie::routes())
        .method_not_allowed_fallback(wrong_way)
        .with_state(doors.clone())
}

/// Longest that a sender may wait for the decision.
const WAIT_MOST: Span = Span::seconds(10);

#[derive(Serialize)]
struct Taken {
    results: Vec<TakenOne>,
}

/// What became of one signal of the request.
#[derive(Serialize)]
struct TakenOne {
    alert: Option<String>,
    incident: Option<i64>,
    outcome: &'static str,
    reason: String,
}

pub(super) async fn take(State(doors): State<Doors>, Path((source, key)): Path<(String, String)>, request: Request) -> Response {
    if source == "heartbeat" {
        return beat(State(doors), Path(key), request).await;
    }
    let house = &doors.house;
    let door = match ingest::open(house, &source, &key) {
        Ok(door) => door,
        Err(error) => {
            // Unread, the body would break the connection before the answer is seen.
            body::discard(&house.clock, request.into_body()).await;
            return refused(&error);
        }
    };
    through(doors, door, request).await
}

/// VMware's senders put the alert's id after the address, post a new alert and put what becomes of it.
async fn take_named(State(doors): State<Doors>, Path((source, key, _)): Path<(String, String, String)>, request: Request) -> Response {
    take(State(doors), Path((source, key)), request).await
}

/// A message at the door that its key opens.
async fn through(doors: Doors, door: ingest::Door, request: Request) -> Response {
    let house = &doors.house;
    let wait = preferred_wait(request.headers());
    // A signal is never refused for a header that nobody can read.
    let repeat_key = repeat::key(request.headers()).unwrap_or(None);
    let (parts, body) = request.into_parts();
    let inbound = match body::receive(house, &parts.headers, body, door.source.body_cap()).await {
        Ok(received) => inbound(&doors, &parts, received),
        Err(lost) => {
            let inbound = unread(&doors, &parts, &lost);
            // What cannot be read is no error to a sender that has the key.
            if let Some(why) = lost.undecoded() {
                return taken_as(&doors, ingest::undecodable(house, &door, &inbound, why, wait).await, wait).await;
            }
            // The sender may never send it again: what was too large is told as an alert.
            if matches!(lost.error, WebError::TooLarge(_))
                && let Err(refusal) = ingest::oversized(house, &door, &inbound).await
            {
                return refused(&refusal);
            }
            return lost.error.into_response();
        }
    };
    // A sender that says which delivery this is says nothing else by it: a header made for the purpose goes first.
    let repeat = match repeat_key {
        Some(key) => Some(("hook", key)),
        None => door.source.delivery(&inbound).filter(|id| !id.trim().is_empty()).map(|id| ("delivery", id)),
    };
    match repeat {
        Some((said, repeat_key)) => {
            // Before anything is claimed or answered again: not every message that has the key is the sender's.
            if let Err(error) = refusal::admit(house, &door, &inbound) {
                return refused(&error);
            }
            let body = inbound.body.clone();
            let caller = format!("integration:{}", door.integration.id);
            let work = {
                let doors = doors.clone();
                move |_| async move { taken(&doors, &door, &inbound, wait).await }
            };
            // The address holds the integration's key; its id, which is the caller here, says as much.
            let asked = Asked { caller: &caller, door: said, key: &repeat_key, body: &body };
            repeat::guard(&doors, asked, Clash::Ignore, work).await
        }
        None => taken(&doors, &door, &inbound, wait).await,
    }
}

/// Takes a message in and says what became of it.
async fn taken(doors: &Doors, door: &ingest::Door, inbound: &Inbound, wait: Option<Span>) -> Response {
    taken_as(doors, ingest::ingest(&doors.house, door, inbound, wait).await, wait).await
}

async fn taken_as(doors: &Doors, made: Result<Vec<Option<Verdict>>, IngestError>, wait: Option<Span>) -> Response {
    match made {
        Ok(verdicts) => {
            let results = results(doors, verdicts).await;
            let mut response = (StatusCode::ACCEPTED, Json(Taken { results })).into_response();
            if let Some(wait) = wait
                && let Ok(applied) = HeaderValue::from_str(&format!("wait={}", wait.as_seconds()))
            {
                response.headers_mut().insert(HeaderName::from_static("preference-applied"), applied);
            }
            response
        }
        Err(error) => refused(&error),
    }
}

/// A job says that it lives. Whatever else it says is read and thrown away, an Idempotency-Key too: two beats are as good as one.
async fn beat(State(doors): State<Doors>, Path(key): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match body::read(&doors.house.clock, body, limits::BODY_BYTES).await {
        // A job that sends its whole log lives all the same.
        Ok(_) | Err(WebError::TooLarge(_)) => {}
        Err(error) => return error.into_response(),
    }
    let inbound = bare(&doors, &parts);
    match beat::beat(&doors.house, &key, &inbound).await {
        Ok(next) => {
            let results = results(&doors, vec![None]).await;
            (StatusCode::ACCEPTED, Json(Beat { results, next_before: next.rfc3339() })).into_response()
        }
        Err(error) => refused(&error),
    }
}

#[derive(Serialize)]
struct Beat {
    results: Vec<TakenOne>,
    /// Without another beat until then, it is missed.
    next_before: String,
}

pub(super) fn refused(error: &IngestError) -> Response {
    match error {
        IngestError::UnknownKey | IngestError::OtherSource(_) => problem(StatusCode::NOT_FOUND, &sentence(&error.to_string())),
        IngestError::Unproven(flaw) => {
            let mut response = problem(unproven(flaw), &sentence(&error.to_string()));
            match flaw.asked_by {
                // Some clients show a password only to who asks for it in these words.
                "basic" => answer::set(&mut response, header::WWW_AUTHENTICATE, "Basic realm=\"Reveille\", charset=\"UTF-8\""),
                _ => drop(response.headers_mut().remove(header::WWW_AUTHENTICATE)),
            }
            response
        }
        IngestError::CannotStore => problem(StatusCode::SERVICE_UNAVAILABLE, &sentence(&error.to_string())),
    }
}

/// The status for a message that does not show what is asked for beside its key.
pub(super) const fn unproven(flaw: &Flaw) -> StatusCode {
    match flaw.why {
        Why::Missing | Why::Wrong | Why::Stale => StatusCode::UNAUTHORIZED,
        Why::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
    }
}

/// An error's text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

async fn results(doors: &Doors, verdicts: Vec<Option<Verdict>>) -> Vec<TakenOne> {
    let mut results = Vec::with_capacity(verdicts.len());
    for verdict in verdicts {
        results.push(match verdict {
            Some(verdict) => TakenOne {
                alert: verdict.alert.as_ref().map(ToString::to_string),
                // The message is durable: an incident whose number cannot be read just now is left out.
                incident: match &verdict.incident {
                    Some(id) => look::number_of(doors, id).await,
                    None => None,
                },
                outcome: verdict.outcome.name(),
                reason: verdict.reason.sentence().to_owned(),
            },
            None => TakenOne {
                alert: None,
                incident: None,
                outcome: crate::domain::decide::Outcome::Recorded.name(),
                reason: "it is durable, and decided a moment later".to_owned(),
            },
        });
    }
    results
}

/// `Prefer: wait=2` (RFC 7240).
fn preferred_wait(headers: &HeaderMap) -> Option<Span> {
    headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split([',', ';'])).find_map(|part| {
        let (name, seconds) = part.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        let seconds: i64 = seconds.trim().trim_matches('"').parse().ok()?;
        (seconds > 0).then(|| Span::seconds(seconds).min(WAIT_MOST))
    })
}

/// A message whose body is read and thrown away, or was never read.
pub(super) fn bare(doors: &Doors, parts: &axum::http::request::Parts) -> Inbound {
    inbound(doors, parts, Received { body: bytes::Bytes::new(), sent: None })
}

/// A message whose body is not to be read; what was sent may be signed all the same.
pub(super) fn unread(doors: &Doors, parts: &axum::http::request::Parts, lost: &NotReceived) -> Inbound {
    inbound(doors, parts, Received { body: bytes::Bytes::new(), sent: lost.sent.clone() })
}

pub(super) fn inbound(doors: &Doors, parts: &axum::http::request::Parts, received: Received) -> Inbound {
    let Received { body, sent } = received;
    Inbound {
        method: parts.method.to_string(),
        path: parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), ToString::to_string),
        headers: headers(&parts.headers),
        body,
        sent,
        received_at: doors.now(),
    }
}

pub(super) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

/// A provider calls back: it is in the database before it is answered.
async fn heard(State(doors): State<Doors>, Path((channel, _)): Path<(String, String)>, request: Request) -> Response {
    called_back(&doors, &channel, request).await
}

/// What people write to one of our numbers.
async fn written(State(doors): State<Doors>, Path(channel): Path<String>, request: Request) -> Response {
    called_back(&doors, &channel, request).await
}

async fn called_back(doors: &Doors, channel: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match body::read(&doors.house.clock, body, limits::COMMAND_BYTES).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let inbound = inbound(doors, &parts, Received { body, sent: None });
    match hear::hear(&doors.house, channel, &inbound).await {
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(answer)) => {
            let mut response = Response::new(Body::from(answer.body));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
            response
        }
        Err(error) => look::callback_refused(error),
    }
}

/// Some senders write with GET, their fields in the query. Any other GET is a person's who looks whether the address works, or a link
/// checker's.
async fn look_in(State(doors): State<Doors>, Path((source, key)): Path<(String, String)>, request: Request) -> Response {
    // HEAD comes this way too, from whoever previews a link: it must not act.
    if request.method() == Method::GET
        && let Some(query) = request.uri().query()
        && let Ok(door) = ingest::open(&doors.house, &source, &key)
        && door.source.takes_get(query)
    {
        return through(doors, door, request).await;
    }
    explain()
}

/// A sender of `CloudEvents` asks for leave before it sends (HTTP 1.1 Web Hooks for Event Delivery, chapter 4).
async fn handshake(State(doors): State<Doors>, Path((source, key)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let door = match ingest::open(&doors.house, &source, &key) {
        Ok(door) if door.source.name() == "cloudevents" => door,
        Ok(_) => return wrong_way().await,
        Err(error) => return refused(&error),
    };
    let mut response = StatusCode::OK.into_response();
    answer::set(&mut response, header::ALLOW, "POST, OPTIONS");
    if let Some(origin) = headers.get("webhook-request-origin") {
        tracing::info!(integration = %door.integration.id, "a sender asked for leave to send, and has it");
        response.headers_mut().insert(HeaderName::from_static("webhook-allowed-origin"), origin.clone());
        answer::set(&mut response, HeaderName::from_static("webhook-allowed-rate"), "*");
    }
    response
}

/// For the person who opens a hook's address in a browser to see whether it works.
fn explain() -> Response {
    let mut response = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "This address takes alerts: give it to the sender as a webhook, and it will POST here.\nNothing is wrong, and nothing was sent by opening it.\n",
    );
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

/// The router adds which methods there are.
pub(super) async fn wrong_way() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "This address takes POST alone; a heartbeat's takes GET as well.")
}
