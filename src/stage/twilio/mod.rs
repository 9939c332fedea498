//! Twilio's API, 2010-04-01: one door for calls and texts, with its account, errors, parameters and lists.

mod sms;
mod voice;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fault::{Fault, hold};
use super::{Inner, is_web_url};
use crate::base::limits;
use crate::base::secret::same;
use crate::base::time::{Span, Time};

pub(super) const API_VERSION: &str = "2010-04-01";
/// The longest URL that Twilio takes, characters.
const URL_CHARACTERS: usize = 4_000;
const PAGE_DEFAULT: usize = 50;
const PAGE_MOST: usize = 1_000;

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .merge(voice::router())
        .merge(sms::router())
        .route("/2010-04-01/Accounts/{file}", axum::routing::get(account))
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

/// The account itself, as those ask for it who want to know whether their credentials are right.
async fn account(State(inner): State<Arc<Inner>>, headers: HeaderMap, Path(file): Path<String>) -> Response {
    let path = format!("/{API_VERSION}/Accounts/{file}");
    if let Err(answer) = enter(&inner).await {
        return answer;
    }
    let Some(sid) = file.strip_suffix(".json") else { return not_found(&path).into_response() };
    if let Err(refusal) = authorise(&inner, &headers, sid, &path) {
        return refusal.into_response();
    }
    let told = json!({
        "sid": sid, "owner_account_sid": sid, "friendly_name": "The stage", "status": "active", "type": "Full", "uri": path,
        "subresource_uris": {
            "calls": format!("/{API_VERSION}/Accounts/{sid}/Calls.json"),
            "messages": format!("/{API_VERSION}/Accounts/{sid}/Messages.json"),
        },
    });
    Json(told).into_response()
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

/// One page of a list, as `name`, in Twilio's frame.
fn paged(base: &str, form: &Form, name: &str, found: &[Value]) -> Result<Value, Refusal> {
    let size = count(form, "PageSize")?.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MOST);
    let page = count(form, "Page")?.unwrap_or(0);
    let start = page.saturating_mul(size);
    let shown: Vec<&Value> = found.iter().skip(start).take(size).collect();
    let at = |page: usize| {
        let mut url = reqwest::Url::parse("http://stage/").expect("this is a URL");
        let kept = form.0.iter().filter(|(name, _)| !matches!(name.as_str(), "Page" | "PageSize" | "PageToken"));
        url.query_pairs_mut().extend_pairs(kept).append_pair("PageSize", &size.to_string()).append_pair("Page", &page.to_string());
        format!("{base}?{}", url.query().unwrap_or_default())
    };
    let more = found.len() > start.saturating_add(size);
    Ok(json!({
        "first_page_uri": at(0),
        "end": (start + shown.len()).saturating_sub(1).max(start),
        "previous_page_uri": (page > 0).then(|| at(page - 1)),
        name: shown,
        "uri": at(page),
        "page_size": size,
        "start": start,
        "next_page_uri": more.then(|| at(page + 1)),
        "page": page,
    }))
}

/// The URL of a `StatusCallback`, and whether it is asked by GET.
fn callback_url(form: &Form) -> Result<Option<(String, bool)>, Refusal> {
    let Some(url) = form.get("StatusCallback") else { return Ok(None) };
    if !is_web_url(url) || url.chars().count() > URL_CHARACTERS {
        return Err(Refusal::bad(21_609, format!("The 'StatusCallback' URL {url} is not a valid URL.")));
    }
    Ok(Some((url.to_owned(), form.is_get("StatusCallbackMethod")?)))
}

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
