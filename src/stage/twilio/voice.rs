//! Twilio's voice API, 2010-04-01: place, read, list, change and end calls, in its own words.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{API_VERSION, Form, Range, Refusal, URL_CHARACTERS, authorise, callback_url, enter, is_e164, not_found, paged, rfc2822};
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};
use crate::stage::fault::{Fault, dropped, hold};
use crate::stage::phone::{self, Act, AnsweredBy, Call, CallStatus, Event, Order, Source, StatusCallback, Told};
use crate::stage::{Inner, Work, is_sid, is_web_url};

/// The longest inline `TwiML`, characters.
const TWIML_CHARACTERS: usize = 4_000;
/// How long a phone rings unless the order says otherwise, seconds.
const RING_DEFAULT: i64 = 60;
const RING_MOST: i64 = 600;
/// The longest call, seconds.
const TALK_MOST: i64 = 14_400;

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Calls.json", get(list).post(create))
        .route("/2010-04-01/Accounts/{account}/Calls/{call}", get(fetch).post(update))
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
    let Some((url, get)) = callback_url(form)? else { return Ok(None) };
    let mut events = Vec::new();
    for word in form.all("StatusCallbackEvent").filter(|word| !word.is_empty()) {
        events.push(Event::parse(word).ok_or_else(|| Refusal::bad(21_626, format!("Invalid StatusCallbackEvent: {word}")))?);
    }
    if events.is_empty() {
        events.push(Event::Completed);
    }
    Ok(Some(StatusCallback { url, get, events }))
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
    let status = form.get("Status");
    if status.is_some_and(|word| !STATUSES.contains(&word)) {
        return Err(Refusal::bad(20_001, format!("Status {} is no status of a call", status.unwrap_or_default())));
    }
    let started = Range::read(form, "StartTime")?;
    let ended = Range::read(form, "EndTime")?;
    let parent = form.get("ParentCallSid");
    let world = inner.world();
    let fits = |call: &&Call| {
        form.get("To").is_none_or(|to| call.to == to)
            && form.get("From").is_none_or(|from| call.from == from)
            && status.is_none_or(|word| call.status.word() == word)
            && parent.is_none()
            && started.holds(call.dialed_at)
            && ended.holds(call.ended_at)
    };
    let found: Vec<Value> = world.calls.iter().rev().filter(fits).map(|call| resource(call, &inner.account_sid)).collect();
    drop(world);
    paged(base, form, "calls", &found)
}

const STATUSES: [&str; 8] = ["queued", "ringing", "in-progress", "canceled", "completed", "failed", "busy", "no-answer"];

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
