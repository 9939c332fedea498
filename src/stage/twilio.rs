//! Twilio's voice API, 2010-04-01: place, read, list, change and end calls, in its own words.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::fault::{Fault, dropped, hold};
use super::phone::{self, Act, AnsweredBy, Call, CallStatus, Event, Order, Source, StatusCallback, Told};
use super::{Inner, Work, is_sid, is_web_url};
use crate::base::limits;
use crate::base::secret::{Secret, same};
use crate::base::time::{Span, Time};

pub(super) const API_VERSION: &str = "2010-04-01";
/// The longest inline `TwiML`, characters.
const TWIML_CHARACTERS: usize = 4_000;
/// How long a phone rings unless the order says otherwise, seconds.
const RING_DEFAULT: i64 = 60;
const RING_MOST: i64 = 600;
/// The longest call, seconds.
const TALK_MOST: i64 = 14_400;
const PAGE_DEFAULT: usize = 50;
const PAGE_MOST: usize = 1_000;
/// The longest URL that Twilio takes, characters.
const URL_CHARACTERS: usize = 4_000;

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Calls.json", get(list).post(create))
        .route("/2010-04-01/Accounts/{account}/Calls/{call}", get(fetch).post(update))
        .route("/2010-04-01/{*rest}", axum::routing::any(nothing))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(limits::COMMAND_BYTES))
}

/// An error in Twilio's form.
struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn bad(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status.as_u16(),
        });
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Basic realm=\"Twilio API\""));
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}

fn not_found(path: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, 20_404, format!("The requested resource {path} was not found"))
}

async fn nothing(State(inner): State<Arc<Inner>>, uri: axum::http::Uri) -> Response {
    match enter(&inner).await {
        Err(answer) => answer,
        Ok(_) => not_found(uri.path()).into_response(),
    }
}

async fn method_not_allowed() -> Response {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, 20_004, "Method not allowed").into_response()
}

/// Counts a request and lets the fault of the hour have it, if that takes every request; else gives the fault back.
async fn enter(inner: &Arc<Inner>) -> Result<Option<Fault>, Response> {
    let fault = {
        let mut world = inner.world();
        world.requests += 1;
        world.fault
    };
    inner.changed();
    match fault {
        Some(Fault::Hang) => {
            hold(inner, inner.faults.subscribe()).await;
            Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 20_503, "Service unavailable").into_response())
        }
        Some(Fault::Refuse { status, code }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Err(Refusal::new(status, code, status.canonical_reason().unwrap_or("Refused")).into_response())
        }
        Some(Fault::Nonsense) => {
            let page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>";
            Err(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
        }
        Some(Fault::AcceptAndDoNothing | Fault::PlaceButHang | Fault::PlaceButDrop) | None => Ok(fault),
    }
}

/// Basic authentication with the account's sid and token.
fn authorise(inner: &Inner, headers: &HeaderMap, account: &str, path: &str) -> Result<(), Refusal> {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let right = given.as_deref().and_then(|text| text.split_once(':')).is_some_and(|(sid, token)| {
        // Both are compared, so that the time tells nothing about which was wrong.
        same(sid.as_bytes(), inner.account_sid.as_bytes()) & inner.auth_token.matches(token)
    });
    if !right {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, 20_003, "Authenticate"));
    }
    if account != inner.account_sid {
        return Err(not_found(path));
    }
    Ok(())
}

/// Form parameters in the order they came; names may repeat.
struct Form(Vec<(String, String)>);

impl Form {
    fn parse(text: &str) -> Self {
        let mut url = reqwest::Url::parse("http://stage/").expect("this is a URL");
        url.set_query(Some(text));
        Self(url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// From a request's body; a body of another type has no parameters, as with Twilio.
    fn of(headers: &HeaderMap, body: &Bytes) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
            Self::parse(&String::from_utf8_lossy(body))
        } else {
            Self(Vec::new())
        }
    }

    /// A parameter that is there and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn is_get(&self, name: &str) -> Result<bool, Refusal> {
        match self.get(name) {
            None | Some("POST") => Ok(false),
            Some("GET") => Ok(true),
            Some(other) => Err(Refusal::bad(20_001, format!("{name} {other} is neither GET nor POST"))),
        }
    }
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
    })
}

async fn create(State(inner): State<Arc<Inner>>, Path(account): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = match enter(&inner).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    let path = format!("/{API_VERSION}/Accounts/{account}/Calls.json");
    let placed = authorise(&inner, &headers, &account, &path)
        .and_then(|()| order(&Form::of(&headers, &body)))
        .map(|(to, from, order)| place(&inner, to, from, order, fault == Some(Fault::AcceptAndDoNothing)));
    let call = match placed {
        Ok(call) => call,
        Err(refusal) => return refusal.into_response(),
    };
    match fault {
        Some(Fault::PlaceButHang) => {
            hold(&inner, inner.faults.subscribe()).await;
            dropped()
        }
        Some(Fault::PlaceButDrop) => dropped(),
        Some(Fault::AcceptAndDoNothing | Fault::Hang | Fault::Refuse { .. } | Fault::Nonsense) | None => {
            (StatusCode::CREATED, Json(resource(&call, &inner.account_sid))).into_response()
        }
    }
}

/// Reads and checks what a new call is to be.
fn order(form: &Form) -> Result<(String, String, Order), Refusal> {
    let to = form.get("To").ok_or_else(|| Refusal::bad(21_201, "No 'To' number is specified"))?;
    if !is_e164(to) {
        return Err(Refusal::bad(21_211, format!("The phone number you are attempting to call, {to}, is not valid.")));
    }
    let from = form.get("From").ok_or_else(|| Refusal::bad(21_213, "No 'From' number is specified"))?;
    if !is_e164(from) {
        return Err(Refusal::bad(21_212, format!("The source phone number provided, {from}, is not a valid phone number.")));
    }
    let source = source(form)?.ok_or_else(|| Refusal::bad(21_205, "Url parameter is required."))?;
    let ring = seconds(form, "Timeout", RING_MOST)?.unwrap_or(RING_DEFAULT);
    let limit = seconds(form, "TimeLimit", TALK_MOST)?.unwrap_or(TALK_MOST);
    let order = Order { source, callback: status_callback(form)?, ring: Span::seconds(ring), limit: Span::seconds(limit) };
    Ok((to.to_owned(), from.to_owned(), order))
}

fn source(form: &Form) -> Result<Option<Source>, Refusal> {
    match (form.get("Url"), form.get("Twiml")) {
        // With both, the document given inline is ignored.
        (Some(url), _) if is_web_url(url) && url.chars().count() <= URL_CHARACTERS => {
            Ok(Some(Source::At { url: url.to_owned(), get: form.is_get("Method")? }))
        }
        (Some(url), _) => Err(Refusal::bad(21_205, format!("Url is not a valid URL: {url}"))),
        (None, Some(twiml)) if twiml.chars().count() <= TWIML_CHARACTERS => Ok(Some(Source::Inline(twiml.to_owned()))),
        (None, Some(_)) => Err(Refusal::bad(32_018, format!("Twiml size exceeded maximum allowed value of {TWIML_CHARACTERS} characters"))),
        (None, None) => Ok(None),
    }
}

fn seconds(form: &Form, name: &str, most: i64) -> Result<Option<i64>, Refusal> {
    let Some(text) = form.get(name) else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(n) if (1..=most).contains(&n) => Ok(Some(n)),
        Ok(_) | Err(_) => Err(Refusal::bad(21_208, format!("{name} {text} is not a whole number of seconds from 1 to {most}"))),
    }
}

fn status_callback(form: &Form) -> Result<Option<StatusCallback>, Refusal> {
    let Some(url) = form.get("StatusCallback") else { return Ok(None) };
    if !is_web_url(url) || url.chars().count() > URL_CHARACTERS {
        return Err(Refusal::bad(21_609, format!("The 'StatusCallback' URL {url} is not a valid URL.")));
    }
    let get = form.is_get("StatusCallbackMethod")?;
    let mut events = Vec::new();
    for word in form.all("StatusCallbackEvent").filter(|word| !word.is_empty()) {
        events.push(Event::parse(word).ok_or_else(|| Refusal::bad(21_626, format!("Invalid StatusCallbackEvent: {word}")))?);
    }
    if events.is_empty() {
        events.push(Event::Completed);
    }
    Ok(Some(StatusCallback { url: url.to_owned(), get, events }))
}

fn place(inner: &Arc<Inner>, to: String, from: String, order: Order, never_rings: bool) -> Call {
    let now = inner.clock.now();
    let call = Call {
        sid: format!("CA{}", &Secret::random().digest()[..32]),
        to,
        from,
        status: CallStatus::Queued,
        created_at: now,
        updated_at: now,
        dialed_at: None,
        answered_at: None,
        ended_at: None,
        answered_by: AnsweredBy::Nobody,
        speech: Vec::new(),
        digits: String::new(),
        listening: false,
        callbacks: Vec::new(),
        problem: never_rings.then(|| "accepted, and nothing was done: a fault of the stage".to_owned()),
    };
    if never_rings {
        inner.add(call.clone(), None);
    } else {
        let (line, acts) = mpsc::channel(phone::ACTS);
        inner.add(call.clone(), Some(line));
        phone::dial(inner, call.sid.clone(), order, acts);
    }
    call
}

async fn fetch(State(inner): State<Arc<Inner>>, Path((account, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    find(&inner, &headers, &account, &file)
        .map_or_else(Refusal::into_response, |call| Json(resource(&call, &inner.account_sid)).into_response())
}

/// The call that a path names.
fn find(inner: &Inner, headers: &HeaderMap, account: &str, file: &str) -> Result<Call, Refusal> {
    let path = format!("/{API_VERSION}/Accounts/{account}/Calls/{file}");
    authorise(inner, headers, account, &path)?;
    let sid = file.strip_suffix(".json").filter(|sid| is_sid("CA", sid)).ok_or_else(|| not_found(&path))?;
    inner.read(sid, Clone::clone).ok_or_else(|| not_found(&path))
}

async fn update(
    State(inner): State<Arc<Inner>>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    let changed = match find(&inner, &headers, &account, &file) {
        Ok(call) => change(&inner, &call, &Form::of(&headers, &body)).await,
        Err(refusal) => Err(refusal),
    };
    match changed {
        Ok(call) => Json(resource(&call, &inner.account_sid)).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn change(inner: &Arc<Inner>, call: &Call, form: &Form) -> Result<Call, Refusal> {
    let over = || Refusal::bad(21_220, "Call is not in-progress. Cannot redirect.");
    let act = match (form.get("Status"), source(form)?) {
        // Cancelling leaves a call alone that someone has picked up.
        (Some("canceled"), _) if call.status == CallStatus::InProgress => return Ok(call.clone()),
        (Some("completed" | "canceled"), _) => Act::End,
        (Some(other), _) => return Err(Refusal::bad(20_001, format!("Status {other} is neither canceled nor completed"))),
        (None, Some(source)) => Act::Redirect(source),
        (None, None) => return Ok(call.clone()),
    };
    if call.status == CallStatus::Queued && matches!(act, Act::End) && !inner.world().lines.contains_key(&call.sid) {
        // A call that a fault keeps from ringing has nobody to tell.
        let now = inner.clock.now();
        inner.call(&call.sid, |call| {
            call.status = CallStatus::Canceled;
            call.ended_at = Some(now);
        });
    } else {
        let line = inner.line(&call.sid, &act).map_err(|_| over())?;
        let (settled, done) = tokio::sync::oneshot::channel();
        let work = Work::begin(inner);
        line.send(Told { act, settled: Some(settled), work }).await.map_err(|_| over())?;
        // The other end is gone only when the stage is shut; then nobody reads this answer.
        drop(done.await);
    }
    inner.read(&call.sid, Clone::clone).ok_or_else(over)
}

async fn list(State(inner): State<Arc<Inner>>, Path(account): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    let base = format!("/{API_VERSION}/Accounts/{account}/Calls.json");
    let query = query.unwrap_or_default();
    authorise(&inner, &headers, &account, &base)
        .and_then(|()| listed(&inner, &base, &Form::parse(&query)))
        .map_or_else(Refusal::into_response, |page| Json(page).into_response())
}

fn listed(inner: &Inner, base: &str, form: &Form) -> Result<Value, Refusal> {
    let size = count(form, "PageSize")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MOST);
    let page = count(form, "Page")?.unwrap_or(0);
    let status = form.get("Status");
    if status.is_some_and(|word| !STATUSES.contains(&word)) {
        return Err(Refusal::bad(20_001, format!("Status {} is no status of a call", status.unwrap_or_default())));
    }
    let started = Range::read(form, "StartTime")?;
    let ended = Range::read(form, "EndTime")?;
    let parent = form.get("ParentCallSid");
    let found: Vec<Call> = {
        let world = inner.world();
        let fits = |call: &&Call| {
            form.get("To").is_none_or(|to| call.to == to)
                && form.get("From").is_none_or(|from| call.from == from)
                && status.is_none_or(|word| call.status.word() == word)
                && parent.is_none()
                && started.holds(call.dialed_at)
                && ended.holds(call.ended_at)
        };
        world.calls.iter().rev().filter(fits).cloned().collect()
    };
    let shown: Vec<Value> =
        found.iter().skip(page.saturating_mul(size)).take(size).map(|call| resource(call, &inner.account_sid)).collect();
    let at = |page: usize| {
        let mut url = reqwest::Url::parse("http://stage/").expect("this is a URL");
        let kept = form.0.iter().filter(|(name, _)| !matches!(name.as_str(), "Page" | "PageSize" | "PageToken"));
        url.query_pairs_mut().extend_pairs(kept).append_pair("PageSize", &size.to_string()).append_pair("Page", &page.to_string());
        format!("{base}?{}", url.query().unwrap_or_default())
    };
    let start = page.saturating_mul(size);
    let more = found.len() > start.saturating_add(size);
    Ok(json!({
        "first_page_uri": at(0),
        "end": (start + shown.len()).saturating_sub(1).max(start),
        "previous_page_uri": (page > 0).then(|| at(page - 1)),
        "calls": shown,
        "uri": at(page),
        "page_size": size,
        "start": start,
        "next_page_uri": more.then(|| at(page + 1)),
        "page": page,
    }))
}

const STATUSES: [&str; 8] = ["queued", "ringing", "in-progress", "canceled", "completed", "failed", "busy", "no-answer"];

fn count(form: &Form, name: &str) -> Result<Option<usize>, Refusal> {
    form.get(name).map(str::parse).transpose().map_err(|_| Refusal::bad(20_001, format!("{name} is not a whole number")))
}

/// The filters `Name`, `Name<` and `Name>`: a date means that whole day (UTC), a time means that moment.
#[derive(Default)]
struct Range {
    from: Option<Time>,
    /// Exclusive.
    before: Option<Time>,
}

impl Range {
    fn read(form: &Form, name: &str) -> Result<Self, Refusal> {
        let bad = |text: &str| Refusal::bad(20_001, format!("{name} {text} is neither YYYY-MM-DD nor a date with a time"));
        let moment = |suffix: &str| -> Result<Option<(Time, Time)>, Refusal> {
            let key = format!("{name}{suffix}");
            form.get(&key).map(|text| day_or_moment(text).ok_or_else(|| bad(text))).transpose()
        };
        let (on, from, to) = (moment("")?, moment(">")?, moment("<")?);
        Ok(Self { from: from.or(on).map(|(first, _)| first), before: to.or(on).map(|(_, after)| after) })
    }

    fn holds(&self, at: Option<Time>) -> bool {
        match at {
            Some(at) => self.from.is_none_or(|from| at >= from) && self.before.is_none_or(|before| at < before),
            None => self.from.is_none() && self.before.is_none(),
        }
    }
}

/// The first moment of what is named, and the first moment after it.
fn day_or_moment(text: &str) -> Option<(Time, Time)> {
    if text.len() == 10 {
        let first = Time::parse_rfc3339(&format!("{text}T00:00:00Z")).ok()?;
        return Some((first, first + Span::hours(24)));
    }
    // Calls are kept to the second here, as their times are written.
    let first = Time::from_seconds(Time::parse_rfc3339(text).ok()?.seconds());
    Some((first, first + Span::seconds(1)))
}

/// A time as this API writes it: RFC 2822 in UTC, whole seconds.
pub(super) fn rfc2822(at: Time) -> String {
    chrono::DateTime::from_timestamp(at.seconds(), 0).map_or_else(String::new, |at| at.format("%a, %d %b %Y %H:%M:%S +0000").to_string())
}

/// A number as people in North America write it; others stay as they are.
fn formatted(number: &str) -> String {
    match number.strip_prefix("+1") {
        Some(rest) if rest.len() == 10 => format!("({}) {}-{}", &rest[..3], &rest[3..6], &rest[6..]),
        Some(_) | None => number.to_owned(),
    }
}

/// A call as this API writes it.
fn resource(call: &Call, account: &str) -> Value {
    let uri = format!("/{API_VERSION}/Accounts/{account}/Calls/{}", call.sid);
    let parts: serde_json::Map<String, Value> = [
        ("events", "Events"),
        ("notifications", "Notifications"),
        ("payments", "Payments"),
        ("recordings", "Recordings"),
        ("siprec", "Siprec"),
        ("streams", "Streams"),
        ("transcriptions", "Transcriptions"),
        ("user_defined_message_subscriptions", "UserDefinedMessageSubscriptions"),
        ("user_defined_messages", "UserDefinedMessages"),
    ]
    .into_iter()
    .map(|(name, part)| (name.to_owned(), json!(format!("{uri}/{part}.json"))))
    .collect();
    let whole = |at: Option<Time>| at.map(rfc2822);
    let completed = call.status == CallStatus::Completed;
    json!({
        "account_sid": account,
        // Given only when machine detection was ordered, which this stage does not sell.
        "answered_by": null,
        "api_version": API_VERSION,
        "caller_name": null,
        "date_created": rfc2822(call.created_at),
        "date_updated": rfc2822(call.updated_at),
        "direction": "outbound-api",
        "duration": completed.then(|| call.duration().to_string()),
        "end_time": whole(call.ended_at),
        "forwarded_from": null,
        "from": call.from,
        "from_formatted": formatted(&call.from),
        "group_sid": null,
        "parent_call_sid": null,
        "phone_number_sid": null,
        "price": null,
        "price_unit": "USD",
        "queue_time": "0",
        "sid": call.sid,
        "start_time": whole(call.dialed_at),
        "status": call.status.word(),
        "subresource_uris": parts,
        "to": call.to,
        "to_formatted": formatted(&call.to),
        "trunk_sid": null,
        "uri": format!("{uri}.json"),
    })
}
