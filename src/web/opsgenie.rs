//! Opsgenie's doors: its clients find here what they would find there, in its own words
//! (<https://docs.opsgenie.com/docs/alert-api>). A `GenieKey` sees its own integration's alerts alone.

mod alert;
mod query;

use axum::extract::{Path, Query as Params, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use self::alert::{listed, noted, status_of, whole};
use self::query::Query;
use super::answer::{self, WebError};
use super::body::{NotReceived, Received};
use super::repeat::{self, Asked, Clash};
use super::{Doors, body, hooks};
use crate::base::id::{IdSource, JournalId};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::setup::Integration;
use crate::flows::opsgenie::{self, Ask, AskError, OpenError, Wrong};
use crate::store::read::{Named, OwnAlert, StoreError};

pub(super) fn routes() -> Router<Doors> {
    Router::new()
        .route("/v2/alerts", post(create).get(list))
        .route("/v2/alerts/count", get(count))
        .route("/v2/alerts/requests/{id}", get(request_status))
        .route("/v2/alerts/{identifier}", get(one).delete(|doors, path, params, request| ask(doors, path, params, request, Ask::Delete)))
        .route(
            "/v2/alerts/{identifier}/acknowledge",
            post(|doors, path, params, request| ask(doors, path, params, request, Ask::Acknowledge)),
        )
        .route(
            "/v2/alerts/{identifier}/unacknowledge",
            post(|doors, path, params, request| ask(doors, path, params, request, Ask::Unacknowledge)),
        )
        .route("/v2/alerts/{identifier}/close", post(|doors, path, params, request| ask(doors, path, params, request, Ask::Close)))
        .route("/v2/alerts/{identifier}/snooze", post(|doors, path, params, request| ask(doors, path, params, request, Ask::Snooze)))
        // These two are what Alertmanager's `update_alerts` asks for.
        .route("/v2/alerts/{identifier}/message", put(|doors, path, params, request| ask(doors, path, params, request, Ask::UpdateMessage)))
        .route(
            "/v2/alerts/{identifier}/description",
            put(|doors, path, params, request| ask(doors, path, params, request, Ask::UpdateDescription)),
        )
        .route(
            "/v2/alerts/{identifier}/priority",
            put(|doors, path, params, request| ask(doors, path, params, request, Ask::UpdatePriority)),
        )
        .route(
            "/v2/alerts/{identifier}/notes",
            post(|doors, path, params, request| ask(doors, path, params, request, Ask::AddNote)).get(notes),
        )
        .route(
            "/v2/alerts/{identifier}/tags",
            post(|doors, path, params, request| ask(doors, path, params, request, Ask::AddTags))
                .delete(|doors, path, params, request| ask(doors, path, params, request, Ask::RemoveTags)),
        )
        .route(
            "/v2/alerts/{identifier}/details",
            post(|doors, path, params, request| ask(doors, path, params, request, Ask::AddDetails))
                .delete(|doors, path, params, request| ask(doors, path, params, request, Ask::RemoveDetails)),
        )
}

/// The parameters of a request's query, in the order given.
type Pairs = Vec<(String, String)>;

/// One request being answered.
struct Visit {
    began_at: Time,
    /// Under which it is spoken of: the journal's id of what was taken, else one of its own.
    id: JournalId,
}

impl Visit {
    fn new(doors: &Doors) -> Self {
        let began_at = doors.now();
        Self { began_at, id: JournalId::make(&mut IdSource::fresh(began_at)) }
    }

    /// Every answer says how long it took, and under which id it is spoken of.
    fn answer(&self, doors: &Doors, status: StatusCode, mut told: Value) -> Response {
        let took = doors.now().since(self.began_at).as_duration().as_secs_f64();
        told["took"] = json!(took);
        told["requestId"] = json!(self.id);
        let mut response = (status, Json(told)).into_response();
        for (name, value) in [("x-request-id", self.id.to_string()), ("x-response-time", took.to_string())] {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        answer::set(&mut response, HeaderName::from_static("x-ratelimit-state"), "OK");
        response
    }

    fn refuse(&self, doors: &Doors, refusal: &Refusal) -> Response {
        let mut told = json!({ "message": refusal.message() });
        match refusal {
            Refusal::OtherKey => told["code"] = json!(40301),
            Refusal::Wrong(wrong) => told["errors"] = json!(wrong),
            Refusal::NoKey | Refusal::NoAlert | Refusal::NoRequest | Refusal::NotJson(_) | Refusal::Web(_) => {}
        }
        let mut response = self.answer(doors, refusal.status(), told);
        if refusal.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer::set(&mut response, header::RETRY_AFTER, answer::RETRY_AFTER);
        }
        if let Refusal::Web(error) = refusal {
            answer::says_what_is_taken(&mut response, error);
        }
        response
    }
}

/// Why a request was not done.
#[derive(Debug)]
enum Refusal {
    NoKey,
    /// A key that belongs to an integration of another source.
    OtherKey,
    NoAlert,
    NoRequest,
    NotJson(String),
    Wrong(Wrong),
    Web(WebError),
}

impl Refusal {
    fn wrong(name: &'static str, why: &str) -> Self {
        Self::Wrong(Wrong::from([(name, why.to_owned())]))
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::NoKey => StatusCode::UNAUTHORIZED,
            Self::OtherKey => StatusCode::FORBIDDEN,
            Self::NoAlert | Self::NoRequest => StatusCode::NOT_FOUND,
            Self::NotJson(_) => StatusCode::BAD_REQUEST,
            Self::Wrong(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Web(error) => error.status(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::NoKey => "Could not authenticate".to_owned(),
            Self::OtherKey => "To perform this action, use an API key from an API integration.".to_owned(),
            Self::NoAlert => "Alert does not exist".to_owned(),
            Self::NoRequest => "Request not found. It might not be processed, yet.".to_owned(),
            Self::NotJson(why) => format!("Request body could not be parsed: {why}"),
            Self::Wrong(_) => "Request body is not processable. Please check the errors.".to_owned(),
            Self::Web(error) => error.to_string(),
        }
    }
}

impl From<AskError> for Refusal {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Unreadable(why) => Self::NotJson(why),
            AskError::Wrong(wrong) => Self::Wrong(wrong),
            AskError::NoAlert => Self::NoAlert,
            AskError::CannotStore => Self::Web(WebError::Busy("Nothing can be stored just now; try again in a few seconds.")),
            AskError::Flow(error) => Self::Web(error.into()),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Web(error.into())
    }
}

/// The body as it was sent, which is what may be signed; nothing where it did not come.
fn sent(read: &Result<Received, NotReceived>) -> Bytes {
    match read {
        Ok(Received { body, sent }) => sent.as_ref().unwrap_or(body).clone(),
        Err(lost) => lost.sent.clone().unwrap_or_default(),
    }
}

/// Whose request it is.
fn sender(doors: &Doors, headers: &HeaderMap, body: Bytes) -> Result<Integration, Refusal> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("").trim();
    let key = given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("GenieKey")).map(|(_, key)| key.trim());
    let inbound = Inbound {
        method: String::new(),
        path: String::new(),
        headers: hooks::headers(headers),
        body,
        sent: None,
        received_at: doors.now(),
    };
    opsgenie::open(&doors.house, key.ok_or(Refusal::NoKey)?, &inbound).map_err(|error| match error {
        OpenError::Unknown => Refusal::NoKey,
        OpenError::OtherSource => Refusal::OtherKey,
    })
}

async fn create(State(doors): State<Doors>, request: Request) -> Response {
    let visit = Visit::new(&doors);
    let (parts, body) = request.into_parts();
    let read = body::receive(&doors.house, &parts.headers, body, limits::BODY_BYTES).await;
    let sender = sender(&doors, &parts.headers, sent(&read));
    let (sender, received) = match (sender, read) {
        (Ok(sender), Ok(received)) => (sender, received),
        (Err(refusal), _) => return visit.refuse(&doors, &refusal),
        (Ok(sender), Err(lost)) => {
            // The sender may never send it again: what was too large, or cannot be decoded, is told as an alert.
            let told = match lost.undecoded() {
                Some(why) => opsgenie::undecodable(&doors.house, &sender, why).await,
                None if matches!(lost.error, WebError::TooLarge(_)) => opsgenie::oversized(&doors.house, &sender).await,
                None => Ok(()),
            };
            return visit.refuse(&doors, &told.map_or_else(Refusal::from, |()| Refusal::Web(lost.error)));
        }
    };
    let body = received.body.clone();
    let inbound = hooks::inbound(&doors, &parts, received);
    let asking = sender.clone();
    let doors_of_work = doors.clone();
    let work = async move || {
        let made = opsgenie::create(&doors_of_work.house, &sender, &inbound).await;
        taken(&doors_of_work, visit, made)
    };
    once(&doors, &parts, &asking, &body, work).await
}

async fn ask(
    State(doors): State<Doors>,
    Path(identifier): Path<String>,
    Params(params): Params<Pairs>,
    request: Request,
    ask: Ask,
) -> Response {
    let visit = Visit::new(&doors);
    let (parts, body) = request.into_parts();
    let read = body::receive(&doors.house, &parts.headers, body, limits::BODY_BYTES).await;
    let sender = sender(&doors, &parts.headers, sent(&read));
    let (sender, body) = match (sender, read) {
        (Ok(sender), Ok(received)) => (sender, received.body),
        (Err(refusal), _) => return visit.refuse(&doors, &refusal),
        (Ok(_), Err(lost)) => return visit.refuse(&doors, &Refusal::Web(lost.error)),
    };
    let asking = sender.clone();
    let (doors_of_work, body_of_work) = (doors.clone(), body.clone());
    let work = async move || {
        let doors = doors_of_work;
        let named = match named(&identifier, &params) {
            Ok(named) => named,
            Err(refusal) => return visit.refuse(&doors, &refusal),
        };
        // The identifier's type is no field of what is asked.
        let fields: Pairs = params.iter().filter(|(name, _)| name != "identifierType").cloned().collect();
        let made = opsgenie::ask(&doors.house, &sender, named, ask, body_of_work, &fields).await;
        taken(&doors, visit, made)
    };
    once(&doors, &parts, &asking, &body, work).await
}

/// It is durable, and decided a moment later.
fn taken(doors: &Doors, mut visit: Visit, made: Result<JournalId, AskError>) -> Response {
    match made {
        Ok(id) => {
            visit.id = id;
            visit.answer(doors, StatusCode::ACCEPTED, json!({ "result": "Request will be processed" }))
        }
        Err(error) => visit.refuse(doors, &error.into()),
    }
}

/// Does the work, unless a request with the same `Idempotency-Key` was answered before.
async fn once<F>(doors: &Doors, parts: &Parts, sender: &Integration, body: &Bytes, work: impl FnOnce() -> F + Send + 'static) -> Response
where
    F: Future<Output = Response> + Send,
{
    // Nothing is refused for a header that nobody can read.
    let Some(key) = repeat::key(&parts.headers).unwrap_or(None) else { return work().await };
    let caller = format!("integration:{}", sender.id);
    let door = format!("{} {}", parts.method, parts.uri);
    repeat::guard(doors, Asked { caller: &caller, door: &door, key: &key, body }, Clash::Ignore, move |_| work()).await
}

fn param<'a>(params: &'a Pairs, name: &str) -> Option<&'a str> {
    params.iter().find(|(given, value)| given == name && !value.trim().is_empty()).map(|(_, value)| value.trim())
}

/// What a path's identifier means.
fn named<'a>(identifier: &'a str, params: &Pairs) -> Result<Named<'a>, Refusal> {
    match param(params, "identifierType").unwrap_or("id").to_ascii_lowercase().as_str() {
        "id" => Ok(Named::Id(identifier)),
        "alias" => Ok(Named::Key(identifier)),
        // What is no number is nobody's.
        "tiny" => identifier.parse().map(Named::Tiny).map_err(|_| Refusal::NoAlert),
        _ => Err(Refusal::wrong("identifierType", "should be one of [ id, alias, tiny ]")),
    }
}

/// One alert of the sender that asks.
async fn find(doors: &Doors, sender: &Integration, identifier: &str, params: &Pairs) -> Result<OwnAlert, Refusal> {
    let named = named(identifier, params)?;
    let key;
    let named = match named {
        Named::Key(alias) => {
            key = opsgenie::key(alias);
            Named::Key(&key)
        }
        Named::Id(_) | Named::Tiny(_) => named,
    };
    let viewer = Viewer::Integration(sender.id.clone());
    doors.house.store.reader().own_alert(&viewer, named).await?.ok_or(Refusal::NoAlert)
}

/// Answers a question, or says why not.
fn told(doors: &Doors, visit: &Visit, answer: Result<Value, Refusal>) -> Response {
    match answer {
        Ok(value) => visit.answer(doors, StatusCode::OK, value),
        Err(refusal) => visit.refuse(doors, &refusal),
    }
}

async fn one(State(doors): State<Doors>, Path(identifier): Path<String>, Params(params): Params<Pairs>, headers: HeaderMap) -> Response {
    let visit = Visit::new(&doors);
    let answer = async {
        let sender = sender(&doors, &headers, Bytes::new())?;
        Ok(json!({ "data": whole(&find(&doors, &sender, &identifier, &params).await?) }))
    };
    told(&doors, &visit, answer.await)
}

async fn notes(State(doors): State<Doors>, Path(identifier): Path<String>, Params(params): Params<Pairs>, headers: HeaderMap) -> Response {
    let visit = Visit::new(&doors);
    let answer = async {
        let sender = sender(&doors, &headers, Bytes::new())?;
        let alert = find(&doors, &sender, &identifier, &params).await?;
        let notes = doors.house.store.reader().own_notes(&alert).await?;
        noted(&doors.public_url(), &identifier, &sender, &notes, &params)
    };
    told(&doors, &visit, answer.await)
}

/// The alerts that a query finds, newest first.
async fn found(doors: &Doors, headers: &HeaderMap, params: &Pairs) -> Result<Vec<OwnAlert>, Refusal> {
    let sender = sender(doors, headers, Bytes::new())?;
    if param(params, "searchIdentifier").is_some() {
        return Err(Refusal::wrong("searchIdentifier", "there are no saved searches here; ask by query"));
    }
    let query = Query::parse(param(params, "query").unwrap_or("")).map_err(|why| Refusal::wrong("query", &why))?;
    let viewer = Viewer::Integration(sender.id);
    let mut alerts = doors.house.store.reader().own_alerts(&viewer, limits::OWN_ALERTS).await?;
    alerts.retain(|alert| query.matches(alert));
    Ok(alerts)
}

async fn list(State(doors): State<Doors>, Params(params): Params<Pairs>, headers: HeaderMap) -> Response {
    let visit = Visit::new(&doors);
    let answer = async {
        let alerts = found(&doors, &headers, &params).await?;
        listed(&doors.public_url(), alerts, &params)
    };
    told(&doors, &visit, answer.await)
}

async fn count(State(doors): State<Doors>, Params(params): Params<Pairs>, headers: HeaderMap) -> Response {
    let visit = Visit::new(&doors);
    let answer = found(&doors, &headers, &params).await.map(|alerts| json!({ "data": { "count": alerts.len() } }));
    told(&doors, &visit, answer)
}

async fn request_status(State(doors): State<Doors>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let visit = Visit::new(&doors);
    let answer = async {
        let viewer = Viewer::Integration(sender(&doors, &headers, Bytes::new())?.id);
        let reader = doors.house.store.reader();
        let request = reader.own_request(&viewer, &id).await?.ok_or(Refusal::NoRequest)?;
        let alert = match &request.verdict.alert {
            Some(alert) => reader.own_alert(&viewer, Named::Id(alert.as_str())).await?,
            None => None,
        };
        Ok(json!({ "data": status_of(&request, alert.as_ref()) }))
    };
    told(&doors, &visit, answer.await)
}
