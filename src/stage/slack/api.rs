//! The door of the Web API: the token, the arguments in their three forms, the envelope of answers and errors.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::{SlackFault, World, chat, home, people, rooms, scope, socket};
use crate::base::secret::same;
use crate::base::time::Time;
use crate::stage::fault::{dropped, hold};
use crate::stage::{Inner, lock};

/// The longest body that is read, bytes: fifty blocks of three thousand characters fit.
const BODY_BYTES: usize = 1 << 20;

pub(in crate::stage) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/slack/api/{method}", any(call))
        .route("/slack/link", get(socket::link))
        .route("/slack/hooks/{kind}/{team}/{id}/{key}", post(home::respond))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// An error as Slack says it: HTTP 200 and a word, with more beside it for some.
#[derive(Debug)]
pub(super) struct Refusal {
    error: &'static str,
    more: Map<String, Value>,
    /// Seconds after which the call may come again.
    retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn with(error: &'static str, name: &str, value: Value) -> Self {
        Self { error, more: Map::from_iter([(name.to_owned(), value)]), retry_after: None }
    }

    /// Says one thing more.
    pub(super) fn beside(&mut self, name: &str, value: Value) {
        self.more.insert(name.to_owned(), value);
    }

    /// What is wrong with which argument or block.
    pub(super) fn told(error: &'static str, complaints: &[String]) -> Self {
        let messages: Vec<String> = complaints.iter().map(|complaint| format!("[ERROR] {complaint}")).collect();
        let mut refusal = Self::with(error, "errors", json!(complaints));
        refusal.more.insert("response_metadata".to_owned(), json!({"messages": messages}));
        refusal
    }

    /// Too many calls: the one error that is no 200.
    fn limited(retry_after: u32) -> Self {
        Self { retry_after: Some(retry_after), ..Self::from("ratelimited") }
    }

    pub(super) fn missing(argument: &str) -> Self {
        let message = format!("[ERROR] missing required field: {argument}");
        Self::with("invalid_arguments", "response_metadata", json!({"messages": [message]}))
    }
}

impl From<&'static str> for Refusal {
    fn from(error: &'static str) -> Self {
        Self { error, more: Map::new(), retry_after: None }
    }
}

pub(super) type Answer = Result<Value, Refusal>;

/// One request, its arguments read.
pub(super) struct Call<'a> {
    pub args: &'a Args,
    pub now: Time,
    /// The workspace's own address, without a slash at the end.
    pub base: &'a str,
}

/// The arguments of a method, however they came.
#[derive(Debug, Default)]
pub(super) struct Args(Map<String, Value>);

impl Args {
    /// A text that is there and not empty; numbers and switches count as their text, as in a form.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    pub(super) fn need(&self, name: &str) -> Result<String, Refusal> {
        self.text(name).ok_or_else(|| Refusal::missing(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text == "true" || text == "1")
    }

    /// A structure: itself in JSON, its JSON text in a form.
    pub(super) fn json(&self, name: &str) -> Option<Result<Value, serde_json::Error>> {
        match self.0.get(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(serde_json::from_str(text)),
            Value::Null => None,
            other => Some(Ok(other.clone())),
        }
    }

    /// A list: of commas in a form, also as itself in JSON.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => self
                .text(name)
                .map(|text| text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect())
                .unwrap_or_default(),
        }
    }
}

fn form(text: &[u8]) -> Map<String, Value> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

/// What a request brought: its arguments, and a warning to give back.
fn read(
    reads_json: bool,
    method: &Method,
    query: Option<&str>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<(Args, Option<&'static str>), Refusal> {
    let mut args = form(query.unwrap_or_default().as_bytes());
    let mut warning = None;
    if method == Method::POST && !body.is_empty() {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut parts = kind.split(';').map(|part| part.trim().to_ascii_lowercase());
        match parts.next().unwrap_or_default().as_str() {
            "application/x-www-form-urlencoded" => args.extend(form(body)),
            "application/json" if reads_json => {
                if !parts.any(|part| part.starts_with("charset=")) {
                    warning = Some("missing_charset");
                }
                match serde_json::from_slice(body) {
                    Ok(Value::Object(fields)) => args.extend(fields),
                    Ok(_) => return Err("json_not_object".into()),
                    Err(_) => return Err("invalid_json".into()),
                }
            }
            // A method that reads forms alone sees no arguments in a body of JSON.
            "application/json" => {}
            "" => return Err("missing_post_type".into()),
            "multipart/form-data" => return Err("invalid_form_data".into()),
            _ => return Err("invalid_post_type".into()),
        }
    }
    Ok((Args(args), warning))
}

/// Whether a method reads bodies of JSON; those that only read the workspace take forms and queries alone.
fn reads_json(method: &str) -> bool {
    !matches!(
        method,
        "conversations.info"
            | "conversations.members"
            | "conversations.history"
            | "conversations.replies"
            | "conversations.list"
            | "users.info"
            | "users.list"
            | "users.lookupByEmail"
            | "pins.list"
            | "reactions.get"
            | "chat.getPermalink"
    )
}

async fn call(
    State(inner): State<Arc<Inner>>,
    Path(method): Path<String>,
    verb: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = inner.clock.now();
    let fault = {
        let mut world = inner.world();
        world.slack.requests += 1;
        *world.slack.methods.entry(method.clone()).or_default() += 1;
        world.slack.fault_at(now)
    };
    inner.changed();
    match fault {
        Some(SlackFault::Hang) => {
            hold(&inner, inner.slack_faults.subscribe()).await;
            return refused(StatusCode::SERVICE_UNAVAILABLE);
        }
        Some(SlackFault::RateLimited { retry_after }) => return too_many(retry_after),
        Some(SlackFault::Refuse { status }) => return refused(StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)),
        Some(SlackFault::Nonsense) => {
            let page = "<!DOCTYPE html><html><head><title>Slack</title></head><body><h1>Something is not right</h1></body></html>";
            return ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
        }
        Some(SlackFault::DoButHang | SlackFault::DoButDrop) | None => {}
    }
    let base = format!("http://{}", inner.address);
    let (answer, warning) = match read(reads_json(&method), &verb, query.as_deref(), &headers, &body) {
        Ok((args, warning)) => {
            let answer = authorise(&inner, &method, &headers, &args).and_then(|()| {
                let mut world = lock(&inner.world);
                if inner.slack.paced
                    && let Err(retry_after) = world.slack.pace.admit(&method, args.text("channel").as_deref(), now)
                {
                    return Err(Refusal::limited(retry_after));
                }
                scope::check(&method, &inner.slack.scopes)?;
                dispatch(&mut world.slack, &method, &Call { args: &args, now, base: &base })
            });
            (answer, warning)
        }
        Err(refusal) => (Err(refusal), None),
    };
    inner.changed();
    match fault {
        Some(SlackFault::DoButHang) => {
            hold(&inner, inner.slack_faults.subscribe()).await;
            dropped()
        }
        Some(SlackFault::DoButDrop) => dropped(),
        Some(SlackFault::Hang | SlackFault::RateLimited { .. } | SlackFault::Refuse { .. } | SlackFault::Nonsense) | None => {
            let mut response = envelope(answer, warning);
            let scopes = inner.slack.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            response.headers_mut().extend(HeaderValue::from_str(&scopes).map(|scopes| (HeaderName::from_static("x-oauth-scopes"), scopes)));
            response
        }
    }
}

fn envelope(answer: Answer, warning: Option<&'static str>) -> Response {
    let mut body = match answer {
        Ok(Value::Object(fields)) => {
            let mut body = Map::from_iter([("ok".to_owned(), json!(true))]);
            body.extend(fields);
            body
        }
        Ok(_) => Map::from_iter([("ok".to_owned(), json!(true))]),
        Err(Refusal { retry_after: Some(seconds), .. }) => return too_many(seconds),
        Err(Refusal { error, more, retry_after: None }) => {
            let mut body = Map::from_iter([("ok".to_owned(), json!(false)), ("error".to_owned(), json!(error))]);
            body.extend(more);
            body
        }
    };
    if let Some(warning) = warning {
        body.entry("warning").or_insert_with(|| json!(warning));
        let metadata = body.entry("response_metadata").or_insert_with(|| json!({}));
        if metadata.get("warnings").is_none() {
            metadata["warnings"] = json!([warning]);
        }
    }
    let mut response = Json(Value::Object(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}

fn too_many(retry_after: u32) -> Response {
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(json!({"ok": false, "error": "ratelimited"}))).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
    response
}

fn refused(status: StatusCode) -> Response {
    (status, status.canonical_reason().unwrap_or("Refused")).into_response()
}

/// The token, from the header or, in a form, from the argument of this name. Only an app's own token opens connections, and it does nothing else.
fn authorise(inner: &Inner, method: &str, headers: &HeaderMap, args: &Args) -> Result<(), Refusal> {
    let opens = method == "apps.connections.open";
    let given = match headers.get(header::AUTHORIZATION) {
        Some(value) => value.to_str().ok().and_then(|value| value.strip_prefix("Bearer ")).map(|token| token.trim().to_owned()),
        None => args.text("token").filter(|_| !opens),
    };
    let is = |token: &str, known: &crate::base::secret::Secret| same(token.as_bytes(), known.expose().as_bytes());
    match given {
        None => Err("not_authed".into()),
        Some(token) if inner.world().slack.revoked && is(&token, &inner.slack.bot_token) => Err("token_revoked".into()),
        Some(token) if is(&token, &inner.slack.bot_token) => {
            if opens {
                Err("not_allowed_token_type".into())
            } else {
                Ok(())
            }
        }
        Some(token) if is(&token, &inner.slack.app_token) => {
            if opens {
                Ok(())
            } else {
                Err("not_allowed_token_type".into())
            }
        }
        Some(_) => Err("invalid_auth".into()),
    }
}

fn dispatch(world: &mut World, method: &str, call: &Call<'_>) -> Answer {
    match method {
        "api.test" => Ok(json!({})),
        "apps.connections.open" => Ok(socket::open(world, call)),
        "auth.test" => Ok(people::auth_test()),
        "chat.postMessage" => chat::post(world, call),
        "chat.postEphemeral" => chat::post_ephemeral(world, call),
        "chat.update" => chat::update(world, call),
        "chat.delete" => chat::delete(world, call),
        "chat.getPermalink" => chat::permalink(world, call),
        "conversations.create" => rooms::create(world, call),
        "conversations.invite" => rooms::invite(world, call),
        "conversations.kick" => rooms::kick(world, call),
        "conversations.join" => rooms::join(world, call),
        "conversations.leave" => rooms::leave(world, call),
        "conversations.setTopic" => rooms::set_topic(world, call),
        "conversations.setPurpose" => rooms::set_purpose(world, call),
        "conversations.archive" => rooms::archive(world, call),
        "conversations.rename" => rooms::rename(world, call),
        "conversations.info" => rooms::info(world, call),
        "conversations.members" => rooms::members(world, call),
        "conversations.list" => rooms::list(world, call),
        "conversations.open" => rooms::open(world, call),
        "conversations.history" => rooms::history(world, call),
        "conversations.replies" => rooms::replies(world, call),
        "users.info" => people::info(world, call),
        "users.list" => people::list(world, call),
        "users.lookupByEmail" => people::lookup(world, call),
        "pins.add" => people::pin(world, call),
        "pins.remove" => people::unpin(world, call),
        "pins.list" => people::pins(world, call),
        "bookmarks.add" => people::bookmark_add(world, call),
        "bookmarks.edit" => people::bookmark_edit(world, call),
        "bookmarks.remove" => people::bookmark_remove(world, call),
        "bookmarks.list" => people::bookmark_list(world, call),
        "reactions.add" => people::react(world, call),
        "reactions.remove" => people::unreact(world, call),
        "views.open" => people::view_open(world, call),
        "views.update" => people::view_update(world, call),
        other => Err(Refusal::with("unknown_method", "req_method", json!(other))),
    }
}
