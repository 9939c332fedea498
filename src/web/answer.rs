//! Answers: problems in a person's words, the headers every answer has.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::base::coding;
use crate::flows::FlowError;
use crate::store::read::StoreError;

/// Why a door did not do what was asked. Its text goes to people and says nothing of the inside.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebError {
    #[error("{0}")]
    BadRequest(String),
    #[error("Sign in, or send a token: Authorization: Bearer …")]
    NotSignedIn,
    #[error("This token is not known here, or was revoked. Make one with: reveille token create NAME --scope respond")]
    UnknownToken,
    #[error("{0}")]
    Forbidden(String),
    /// A one-time link that opens nothing any more.
    #[error("{0}")]
    Spent(&'static str),
    #[error("There is no {0}.")]
    NotFound(&'static str),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Unprocessable(String),
    #[error("{0} does not take this method.")]
    WrongMethod(String),
    #[error("The body is larger than {0} bytes, and that is the most. Send less at once.")]
    TooLarge(usize),
    /// The clause says how it is encoded, and what is taken.
    #[error("The body cannot be decoded: {0}.")]
    Encoding(String),
    #[error("The body cannot be decoded: {0}.")]
    Undecodable(String),
    #[error("The body did not arrive in time.")]
    TooSlow,
    #[error("{0}")]
    Busy(&'static str),
    #[error("Something went wrong here, and it is written in the server's log. Try again in a moment.")]
    Inside,
}

impl WebError {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotSignedIn | Self::UnknownToken => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::Spent(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::WrongMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Undecodable(_) => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Inside => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A headline for a page.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "That cannot be understood",
            Self::NotSignedIn | Self::UnknownToken => "Sign in first",
            Self::Forbidden(_) => "Not allowed",
            Self::Spent(_) => "This link is over",
            Self::NotFound(_) => "Not found",
            Self::Conflict(_) => "Not now",
            Self::Unprocessable(_) => "That does not fit together",
            Self::WrongMethod(_) => "Not this way",
            Self::TooLarge(_) => "Too large",
            Self::Encoding(_) | Self::Undecodable(_) => "That cannot be decoded",
            Self::TooSlow => "Too slow",
            Self::Busy(_) => "Busy",
            Self::Inside => "Something went wrong",
        }
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        if let StoreError::Cursor = error {
            return Self::BadRequest("This cursor did not come from an earlier answer's \"next\".".to_owned());
        }
        Self::from(FlowError::from(error))
    }
}

impl From<FlowError> for WebError {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Missing(what) => Self::NotFound(what),
            FlowError::Refused(why) => Self::BadRequest(why.to_owned()),
            // Logged here, once: what a person reads says nothing of the inside.
            FlowError::Store(_) if error.is_retryable() => {
                tracing::warn!(%error, "a request met a busy database");
                Self::Busy("The database is busy. Try again in a few seconds.")
            }
            FlowError::Busy => Self::Busy("Many people ask for this at once. Try again in a few seconds."),
            FlowError::Gone => Self::Busy("The server is shutting down. Try again in a few seconds."),
            FlowError::Store(_) | FlowError::Unreadable(..) | FlowError::Panicked(_) => {
                tracing::error!(%error, "a request failed");
                Self::Inside
            }
        }
    }
}

/// What a refusal says, carried along so that a browser is shown it as a page.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub title: &'static str,
    pub detail: String,
}

/// A refusal for the encoding of a body says which ones are taken (RFC 7694).
pub(super) fn says_what_is_taken(response: &mut Response, error: &WebError) {
    if let WebError::Encoding(_) = error {
        set(response, header::ACCEPT_ENCODING, coding::TAKEN);
    }
}

/// RFC 9457.
impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        let mut response = problem(self.status(), &self.to_string());
        says_what_is_taken(&mut response, &self);
        response.extensions_mut().insert(Told { title: self.title(), detail: self.to_string() });
        response
    }
}

pub(super) fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail });
    let mut response = (status, Json(body)).into_response();
    set(&mut response, header::CONTENT_TYPE, "application/problem+json");
    if status == StatusCode::UNAUTHORIZED {
        set(&mut response, header::WWW_AUTHENTICATE, "Bearer");
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        set(&mut response, header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

/// When to come again after a 503, seconds.
pub(super) const RETRY_AFTER: &str = "5";

pub(super) fn set(response: &mut Response, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

/// Sees other: the browser's next request is a GET, so that reloading the page asks for nothing twice.
pub(super) fn see_other(to: &str) -> Response {
    match HeaderValue::from_str(to) {
        Ok(to) => {
            let mut response = StatusCode::SEE_OTHER.into_response();
            response.headers_mut().insert(header::LOCATION, to);
            response
        }
        Err(_) => WebError::Inside.into_response(),
    }
}

pub(super) fn plain(status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

/// No inline script, no inline style, nothing from elsewhere, no frame around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Every answer to a browser has these.
pub(super) async fn with_safe_headers(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        set(&mut response, name, value);
    }
    if !response.headers().contains_key(header::CACHE_CONTROL) {
        set(&mut response, header::CACHE_CONTROL, "no-store");
    }
    response
}
