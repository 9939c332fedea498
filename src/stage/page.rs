//! The web page of the stage: phones that ring and get texts, the workspace, the mailbox, and the faults panel.

mod hands;

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Callbacks, Fault, Habit, Inner, Stage, StageError, Text, slack};
use crate::base::limits;
use crate::base::time::Time;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/stage.html"));
const SCRIPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist/stage.js"));
const STYLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist/stage.css"));
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// What a mail's HTML may do: look as it was made to look, and have its links opened.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; \
                           sandbox allow-popups allow-popups-to-escape-sandbox";

/// Calls that one phone shows.
const CALLS_SHOWN: usize = 20;
/// Texts that one phone shows, mails that the box shows, rooms of the workspace, and messages of a room.
const TEXTS_SHOWN: usize = 40;
const MAILS_SHOWN: usize = 50;
const ROOMS_SHOWN: usize = 30;
const MESSAGES_SHOWN: usize = 60;

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", PAGE) }))
        .route("/assets/stage.js", get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }))
        .route("/assets/stage.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/stage/state", get(|State(inner): State<Arc<Inner>>| async move { Json(snapshot(&inner)) }))
        .route("/stage/events", get(events))
        .route("/stage/mails/{id}/html", get(mail_html))
        .route("/stage/calls/{sid}/{act}", post(act))
        .route("/stage/faults", post(faults))
        .route("/stage/habits", post(habits))
        .merge(hands::router())
        .layer(DefaultBodyLimit::max(limits::COMMAND_BYTES))
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Everything the page shows, as it is now. Times are milliseconds since the epoch.
fn snapshot(inner: &Inner) -> Value {
    let now = inner.clock.now();
    let reveille_url = inner.reveille();
    let world = inner.world();
    let phones: Vec<Value> = world
        .phones
        .iter()
        .map(|phone| {
            let calls: Vec<Value> = world
                .calls
                .iter()
                .rev()
                .filter(|call| call.to == phone.number)
                .take(CALLS_SHOWN)
                .map(|call| {
                    let speech: Vec<Value> = call
                        .speech
                        .iter()
                        .map(|line| json!({"text": line.text, "language": line.language, "from": line.from.millis(), "until": line.until.millis()}))
                        .collect();
                    json!({
                        "sid": call.sid,
                        "from": call.from,
                        "status": call.status,
                        "created_at": call.created_at.millis(),
                        "dialed_at": call.dialed_at.map(Time::millis),
                        "answered_at": call.answered_at.map(Time::millis),
                        "ended_at": call.ended_at.map(Time::millis),
                        "answered_by": call.answered_by,
                        "speech": speech,
                        "digits": call.digits,
                        "listening": call.listening,
                        "callbacks": call.callbacks,
                        "problem": call.problem,
                    })
                })
                .collect();
            let mut texts: Vec<Value> = world
                .texts
                .iter()
                .rev()
                .filter(|text| text.to == phone.number || text.from == phone.number)
                .take(TEXTS_SHOWN)
                .map(text_json)
                .collect();
            texts.reverse();
            let stopped = world.stopped.iter().any(|(stopped, _)| *stopped == phone.number);
            json!({
                "number": phone.number, "name": phone.name, "habit": phone.habit, "calls": calls,
                "text_habit": phone.text_habit, "texts": texts, "stopped": stopped,
            })
        })
        .collect();
    let oldest = world.mails.len().saturating_sub(MAILS_SHOWN);
    let mails: Vec<Value> = world.mails[oldest..]
        .iter()
        .map(|mail| {
            json!({
                "id": mail.id, "at": mail.at.millis(), "from": mail.from, "to": mail.to, "subject": mail.subject, "sender": mail.sender,
                "text": mail.text, "html": mail.html.is_some(),
            })
        })
        .collect();
    json!({
        "now": now.millis(),
        "reveille_url": reveille_url,
        "fault": world.fault,
        "callbacks": world.callbacks,
        "requests": world.requests,
        "hanging": world.hanging,
        "phones": phones,
        "mails": mails,
        "mail_fault": world.mail_fault,
        "smtp": inner.smtp.map(|address| format!("smtp://{address}")),
        "slack": slack_json(&world.slack, &inner.slack.command),
    })
}

fn text_json(text: &Text) -> Value {
    json!({
        "sid": text.sid, "direction": text.direction, "to": text.to, "from": text.from, "body": text.body, "status": text.status,
        "created_at": text.created_at.millis(), "error_code": text.error_code, "problem": text.problem,
    })
}

fn slack_json(slack: &slack::World, command: &str) -> Value {
    let rooms: Vec<Value> = slack
        .rooms
        .iter()
        .enumerate()
        // The first two are the workspace's own.
        .filter(|(n, _)| *n < 2 || *n + ROOMS_SHOWN >= slack.rooms.len())
        .map(|(_, room)| {
            let forgotten = room.messages.len().saturating_sub(MESSAGES_SHOWN);
            let pinned = |ts: &str| room.pins.iter().any(|pin| pin.ts == ts);
            // A pinned message is shown however old it is.
            let shown = room.messages.iter().enumerate().filter(|(n, message)| *n >= forgotten || pinned(&message.ts));
            json!({
                "id": room.id, "name": room.name, "kind": room.kind, "topic": room.topic.value, "archived": room.archived,
                "members": room.members, "messages": shown.map(|(_, message)| message).collect::<Vec<_>>(), "forgotten": forgotten,
                "pins": room.pins.iter().map(|pin| &pin.ts).collect::<Vec<_>>(), "bookmarks": room.bookmarks,
            })
        })
        .collect();
    json!({
        "bot": slack::BOT_USER,
        "command": command,
        "people": slack.people,
        "rooms": rooms,
        "modals": slack.modals,
        "fault": slack.fault,
        "fault_until": slack.fault_until.map(Time::millis),
        "events_twice": slack.events_twice,
        "requests": slack.requests,
    })
}

/// The HTML part of a mail: in a sandbox, with nothing fetched and no script, its links in a tab of their own.
async fn mail_html(State(inner): State<Arc<Inner>>, Path(id): Path<u64>) -> Response {
    let found = inner.world().mails.iter().find(|mail| mail.id == id).and_then(|mail| mail.html.clone());
    let Some(html) = found else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = format!("<base target=\"_blank\">{html}").into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(MAIL_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// A snapshot now and after each change; a slow reader skips to the latest.
async fn events(State(inner): State<Arc<Inner>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut changes = inner.changes.subscribe();
    changes.mark_changed();
    let snapshots = stream::unfold((inner, changes), |(inner, mut changes)| async move {
        changes.changed().await.ok()?;
        let event = Event::default().data(snapshot(&inner).to_string());
        Some((Ok(event), (inner, changes)))
    });
    Sse::new(snapshots).keep_alive(KeepAlive::default())
}

/// A refusal that a person at the page, or a script, can read.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"detail": self.1}))).into_response()
    }
}

impl From<StageError> for Refused {
    fn from(error: StageError) -> Self {
        let status = match &error {
            StageError::NoSuchCall(_)
            | StageError::NoSuchRoom(_)
            | StageError::NoSuchPerson(_)
            | StageError::NoSuchButton(_)
            | StageError::NoSuchDialogue(_) => StatusCode::NOT_FOUND,
            StageError::NoText(_) | StageError::NotNow { .. } | StageError::RoomArchived(_) => StatusCode::CONFLICT,
            StageError::NoSuchKey(_) => StatusCode::BAD_REQUEST,
            StageError::Shut | StageError::Listen { .. } | StageError::Client(_) | StageError::AccountSid => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self(status, error.to_string())
    }
}

/// Reads JSON, and only what says that it is JSON: a form on another site cannot say that without asking first.
fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send JSON, with content type application/json".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| Refused(StatusCode::BAD_REQUEST, error.to_string()))
}

#[derive(Deserialize)]
struct ActBody {
    key: Option<char>,
}

async fn act(
    State(inner): State<Arc<Inner>>,
    Path((sid, act)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Refused> {
    let ActBody { key } = read(&headers, &body)?;
    let stage = Stage(inner);
    match (act.as_str(), key) {
        ("answer", _) => stage.answer(&sid).await?,
        ("decline", _) => stage.decline(&sid).await?,
        ("voicemail", _) => stage.voicemail(&sid).await?,
        ("unreachable", _) => stage.unreachable(&sid).await?,
        ("hang_up", _) => stage.hang_up(&sid).await?,
        ("press", Some(key)) => stage.press(&sid, key).await?,
        ("press", None) => return Err(Refused(StatusCode::BAD_REQUEST, "say which key: {\"key\":\"1\"}".to_owned())),
        (other, _) => return Err(Refused(StatusCode::NOT_FOUND, format!("nothing on a phone is called {other}"))),
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultsBody {
    fault: Option<Fault>,
    /// Left as it is when absent.
    callbacks: Option<Callbacks>,
}

async fn faults(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Refused> {
    let wanted: FaultsBody = read(&headers, &body)?;
    if let Some(Fault::Refuse { status, .. }) = wanted.fault
        && !(400..600).contains(&status)
    {
        return Err(Refused(StatusCode::BAD_REQUEST, format!("{status} is no status to refuse with: take one from 400 to 599")));
    }
    let stage = Stage(inner);
    if stage.fault() != wanted.fault {
        stage.set_fault(wanted.fault);
    }
    if let Some(callbacks) = wanted.callbacks {
        stage.set_callbacks(callbacks);
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HabitBody {
    number: String,
    habit: Habit,
}

async fn habits(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Refused> {
    let HabitBody { number, habit } = read(&headers, &body)?;
    Stage(inner).set_habit(&number, habit);
    Ok(StatusCode::NO_CONTENT)
}
