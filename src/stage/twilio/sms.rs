//! Twilio's messages: send, read, list, redact and delete texts, in its own words.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::{API_VERSION, Form, Range, Refusal, authorise, callback_url, enter, is_e164, not_found, paged, rfc2822};
use crate::stage::fault::{Fault, dropped, hold};
use crate::stage::phone::StatusCallback;
use crate::stage::text::{self, Direction, Text, TextStatus};
use crate::stage::{Inner, is_sid};

/// The longest text, characters; longer ones than a segment are cut and joined again on the way.
const BODY_CHARACTERS: usize = 1_600;
/// The longest name that may stand in the place of a sender's number, characters.
const SENDER_CHARACTERS: usize = 11;

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/2010-04-01/Accounts/{account}/Messages.json", get(list).post(create))
        .route("/2010-04-01/Accounts/{account}/Messages/{message}", get(fetch).post(update).delete(delete))
}

async fn create(State(inner): State<Arc<Inner>>, Path(account): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let fault = match enter(&inner).await {
        Ok(fault) => fault,
        Err(answer) => return answer,
    };
    let path = format!("/{API_VERSION}/Accounts/{account}/Messages.json");
    let sent = authorise(&inner, &headers, &account, &path)
        .and_then(|()| order(&inner, &Form::of(&headers, &body)))
        .map(|order| text::send(&inner, order, fault == Some(Fault::AcceptAndDoNothing)));
    let text = match sent {
        Ok(text) => text,
        Err(refusal) => return refusal.into_response(),
    };
    match fault {
        Some(Fault::PlaceButHang) => {
            hold(&inner, inner.faults.subscribe()).await;
            dropped()
        }
        Some(Fault::PlaceButDrop) => dropped(),
        Some(Fault::AcceptAndDoNothing | Fault::Hang | Fault::Refuse { .. } | Fault::Nonsense) | None => {
            (StatusCode::CREATED, Json(resource(&text, &inner.account_sid))).into_response()
        }
    }
}

/// Whether this is a name that may stand in the place of a sender's number.
fn is_sender_name(text: &str) -> bool {
    text.chars().count() <= SENDER_CHARACTERS
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ')
        && text.chars().any(|c| c.is_ascii_alphabetic())
}

/// Reads and checks what a new text is to be.
fn order(inner: &Inner, form: &Form) -> Result<text::Order, Refusal> {
    let to = form.get("To").ok_or_else(|| Refusal::bad(21_604, "A 'To' phone number is required."))?;
    if !is_e164(to) {
        return Err(Refusal::bad(21_211, format!("Invalid 'To' Phone Number: {to}")));
    }
    let from = match (form.get("From"), form.get("MessagingServiceSid")) {
        (_, Some(sid)) => return Err(Refusal::bad(21_705, format!("The Messaging Service Sid {sid} is invalid."))),
        (None, None) => return Err(Refusal::bad(21_603, "A 'From' phone number is required.")),
        (Some(from), None) => from,
    };
    if !is_e164(from) && !is_sender_name(from) {
        return Err(Refusal::bad(21_212, format!("Invalid From Number (caller ID): {from}")));
    }
    if to == from {
        return Err(Refusal::bad(21_266, "'To' and 'From' number cannot be the same."));
    }
    if form.get("MediaUrl").is_some() {
        // The numbers of this stage are those of countries without pictures.
        return Err(Refusal::bad(
            21_612,
            format!("Message cannot be sent with the current combination of 'To' ({to}) and/or 'From' ({from}) parameters"),
        ));
    }
    let body = form.get("Body").ok_or_else(|| Refusal::bad(21_602, "Message body is required."))?;
    if body.chars().count() > BODY_CHARACTERS {
        return Err(Refusal::bad(21_617, "The concatenated message body exceeds the 1600 character limit"));
    }
    let callback = callback_url(form)?.map(|(url, get)| StatusCallback { url, get, events: Vec::new() });
    if inner.world().stopped.contains(&(to.to_owned(), from.to_owned())) {
        return Err(Refusal::bad(21_610, "Attempt to send to unsubscribed recipient"));
    }
    Ok(text::Order { to: to.to_owned(), from: from.to_owned(), body: body.to_owned(), callback })
}

async fn fetch(State(inner): State<Arc<Inner>>, Path((account, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    find(&inner, &headers, &account, &file)
        .map_or_else(Refusal::into_response, |text| Json(resource(&text, &inner.account_sid)).into_response())
}

/// The text that a path names.
fn find(inner: &Inner, headers: &HeaderMap, account: &str, file: &str) -> Result<Text, Refusal> {
    let path = format!("/{API_VERSION}/Accounts/{account}/Messages/{file}");
    authorise(inner, headers, account, &path)?;
    let sid = file.strip_suffix(".json").filter(|sid| is_sid("SM", sid)).ok_or_else(|| not_found(&path))?;
    let world = inner.world();
    let text = world.texts.iter().rev().find(|text| text.sid == sid && text.direction != Direction::Carrier);
    text.cloned().ok_or_else(|| not_found(&path))
}

/// Takes a text's words away: that is all that may be changed on one that has left.
async fn update(
    State(inner): State<Arc<Inner>>,
    Path((account, file)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    let changed = find(&inner, &headers, &account, &file).and_then(|text| {
        let form = Form::of(&headers, &body);
        let blank = form.0.iter().any(|(name, value)| name == "Body" && value.is_empty());
        if form.get("Status").is_some() {
            return Err(Refusal::bad(30_409, "Message status cannot be updated in its current state."));
        }
        if !blank || !text.status.is_final() {
            return Err(Refusal::bad(20_009, "Cannot update a message to anything but an empty body once it is finished."));
        }
        inner.text(&text.sid, |text| text.body.clear());
        Ok(Text { body: String::new(), ..text })
    });
    changed.map_or_else(Refusal::into_response, |text| Json(resource(&text, &inner.account_sid)).into_response())
}

async fn delete(State(inner): State<Arc<Inner>>, Path((account, file)): Path<(String, String)>, headers: HeaderMap) -> Response {
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    let text = match find(&inner, &headers, &account, &file) {
        Ok(text) => text,
        Err(refusal) => return refusal.into_response(),
    };
    if !text.status.is_final() {
        return Refusal::new(StatusCode::CONFLICT, 20_009, "Cannot delete this resource before it is complete").into_response();
    }
    inner.world().texts.retain(|known| known.sid != text.sid);
    inner.changed();
    StatusCode::NO_CONTENT.into_response()
}

async fn list(State(inner): State<Arc<Inner>>, Path(account): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    let base = format!("/{API_VERSION}/Accounts/{account}/Messages.json");
    let form = Form::parse(&query.unwrap_or_default());
    authorise(&inner, &headers, &account, &base)
        .and_then(|()| listed(&inner, &base, &form))
        .map_or_else(Refusal::into_response, |page| Json(page).into_response())
}

fn listed(inner: &Inner, base: &str, form: &Form) -> Result<Value, Refusal> {
    let sent = Range::read(form, "DateSent")?;
    let world = inner.world();
    let fits = |text: &&Text| {
        text.direction != Direction::Carrier
            && form.get("To").is_none_or(|to| text.to == to)
            && form.get("From").is_none_or(|from| text.from == from)
            && sent.holds(text.sent_at)
    };
    let found: Vec<Value> = world.texts.iter().rev().filter(fits).map(|text| resource(text, &inner.account_sid)).collect();
    drop(world);
    paged(base, form, "messages", &found)
}

/// A text as this API writes it.
fn resource(text: &Text, account: &str) -> Value {
    let uri = format!("/{API_VERSION}/Accounts/{account}/Messages/{}", text.sid);
    json!({
        "account_sid": account,
        "api_version": API_VERSION,
        "body": text.body,
        "date_created": rfc2822(text.created_at),
        "date_sent": text.sent_at.map(rfc2822),
        "date_updated": rfc2822(text.updated_at),
        "direction": text.direction.word(),
        "error_code": text.error_code,
        // Twilio names the error by its number alone, long after.
        "error_message": null,
        "from": text.from,
        "messaging_service_sid": null,
        "num_media": "0",
        // Known once the text has been cut up for sending.
        "num_segments": if text.status == TextStatus::Queued { "1".to_owned() } else { text::segments(&text.body).to_string() },
        "price": null,
        "price_unit": "USD",
        "sid": text.sid,
        "status": text.status.word(),
        "subresource_uris": {"media": format!("{uri}/Media.json")},
        "to": text.to,
        "uri": format!("{uri}.json"),
    })
}
