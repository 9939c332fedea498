//! `Idempotency-Key`: a request that is sent again is answered as the first time, and nothing is done again.

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::Doors;
use super::answer::WebError;
use crate::base::limits;
use crate::flows::once::{self, Met, Once, RepeatAnswer};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says of an answer that it was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// What of an answer's headers is given again.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::LOCATION];

/// The key of a request, if it carries one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, WebError> {
    let mut keys = headers.get_all(&KEY).iter();
    let Some(first) = keys.next() else { return Ok(None) };
    let text = first.to_str().unwrap_or("").trim();
    if text.is_empty() || text.len() > limits::REPEAT_KEY_BYTES || keys.next().is_some() {
        return Err(WebError::BadRequest(format!(
            "Idempotency-Key is one value of 1 to {} visible characters, such as a UUID made for this request.",
            limits::REPEAT_KEY_BYTES
        )));
    }
    Ok(Some(text.to_owned()))
}

/// A request with a key, as two of them are compared.
pub(super) struct Asked<'a> {
    pub caller: &'a str,
    /// The method and the path.
    pub door: &'a str,
    pub key: &'a str,
    pub body: &'a Bytes,
}

/// What becomes of a request whose key is in use for another, or for itself at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clash {
    /// It is refused with a sentence: its caller reads it.
    Refuse,
    /// It is carried out as if it had no key: to count an alert twice is nothing beside losing one.
    Ignore,
}

/// Has a request with a key carried out, unless it was before. `work` hands the claim on to what it does.
pub(super) async fn guard<W, F>(doors: &Doors, asked: Asked<'_>, clash: Clash, work: W) -> Response
where
    W: FnOnce(Option<Once>) -> F + Send + 'static,
    F: Future<Output = Response> + Send,
{
    let once = match once::claim(&doors.house, asked.caller, asked.door, asked.key, asked.body).await {
        Ok(Met::Ours(once)) => once,
        Ok(Met::Answered(answer)) => return again(answer),
        Ok(Met::UnderWay | Met::OtherBody) if clash == Clash::Ignore => return work(None).await,
        Ok(Met::UnderWay) => {
            let told = "A request with this Idempotency-Key is being carried out. Ask again in a moment for its answer.";
            let mut response = WebError::Conflict(told.to_owned()).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
        Ok(Met::OtherBody) => {
            return WebError::Unprocessable(
                "This Idempotency-Key came with another body before. Make a new key for each new request.".to_owned(),
            )
            .into_response();
        }
        // Whether it came before cannot be known; what cannot be stored says so itself.
        Err(error) if clash == Clash::Ignore => {
            tracing::warn!(%error, "whether a message came before cannot be read");
            return work(None).await;
        }
        Err(error) => return WebError::from(error).into_response(),
    };
    let doors = doors.clone();
    // In a task of its own: a client that goes away and asks again finds the answer.
    let answered = tokio::spawn(async move {
        let response = work(Some(once.clone())).await;
        keep(&doors, &once, response).await
    });
    answered.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request with a key was not carried through");
        WebError::Inside.into_response()
    })
}

/// Keeps a yes for those who ask again; a no gives the key back.
async fn keep(doors: &Doors, once: &Once, response: Response) -> Response {
    let size = response.body().size_hint().exact();
    let fits = size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| size <= limits::REPEAT_ANSWER_BYTES));
    // A page may show once what rests sealed: an address with its key, an invitation. No browser asks again for a page by a key.
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let (response, answer) = if response.status().is_success() && fits && !is_page { read(response).await } else { (response, None) };
    // It is done, and its caller hears so; one who asks again is answered anew, and nothing is done again.
    if let Err(error) = once::settle(&doors.house, once, answer.as_ref()).await {
        tracing::warn!(%error, "the answer to a request with a key could not be kept");
    }
    response
}

async fn read(response: Response) -> (Response, Option<RepeatAnswer>) {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, limits::REPEAT_ANSWER_BYTES).await else {
        return (WebError::Inside.into_response(), None);
    };
    let headers =
        KEPT.iter().filter_map(|name| Some((name.as_str().to_owned(), parts.headers.get(name)?.to_str().ok()?.to_owned()))).collect();
    let answer =
        String::from_utf8(bytes.to_vec()).ok().map(|body| RepeatAnswer { status: i64::from(parts.status.as_u16()), headers, body });
    (Response::from_parts(parts, Body::from(bytes)), answer)
}

fn again(answer: RepeatAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() =
        u16::try_from(answer.status).ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
