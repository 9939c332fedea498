//! Bodies, read by hand: how much, for how long, and what happens to the rest.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::answer::WebError;
use crate::base::clock::Clock;
use crate::base::coding::{Coding, Decoding, Undecoded};
use crate::base::limits;
use crate::flows::House;

/// A sender's body.
pub(super) struct Received {
    pub body: Bytes,
    /// As it was sent, where that was encoded.
    pub sent: Option<Bytes>,
}

/// Why a sender's body is not there.
pub(super) struct NotReceived {
    pub error: WebError,
    /// As it was sent, where all of it came and could not be decoded: it may be signed.
    pub sent: Option<Bytes>,
}

impl NotReceived {
    /// What is wrong with what was sent, as a clause; `None`: it was too large, or did not come.
    pub(super) fn undecoded(&self) -> Option<&str> {
        match &self.error {
            WebError::Encoding(why) | WebError::Undecodable(why) => Some(why),
            _ => None,
        }
    }
}

/// Reads what a sender sends, of at most `cap` bytes as it is sent and as it is decoded.
pub(super) async fn receive(house: &House, headers: &HeaderMap, body: Body, cap: usize) -> Result<Received, NotReceived> {
    let sent = read(&house.clock, body, cap).await.map_err(|error| NotReceived { error, sent: None })?;
    // Nearly every body is as it is.
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(Received { body: sent, sent: None });
    }
    let coding = Coding::of(headers.get_all(header::CONTENT_ENCODING).iter().map(header::HeaderValue::as_bytes));
    let name = coding.as_ref().map_or("other", |coding| coding.map_or("identity", Coding::name));
    let decoded = match coding {
        Ok(None) => return Ok(Received { body: sent, sent: None }),
        Ok(Some(coding)) => decode(coding, sent.clone(), cap).await,
        Err(error) => Err(error),
    };
    let (outcome, received) = match decoded {
        Ok(body) => ("decoded", Ok(Received { body, sent: Some(sent) })),
        Err(error) => {
            let (outcome, error) = match error {
                Undecoded::Unknown(why) => ("unknown", WebError::Encoding(why)),
                Undecoded::TooLarge => ("too_large", WebError::TooLarge(cap)),
                Undecoded::Broken(coding) => {
                    ("broken", WebError::Undecodable(format!("it is not the whole and valid {} that its header says it is", coding.name())))
                }
            };
            (outcome, Err(NotReceived { error, sent: Some(sent) }))
        }
    };
    house.metrics.encoded(name, outcome);
    received
}

/// Decodes a small body here, and what is more than that on a thread of its own.
pub(super) async fn decode(coding: Coding, sent: Bytes, cap: usize) -> Result<Bytes, Undecoded> {
    let mut decoding = Decoding::new(coding, sent, cap);
    if decoding.advance(limits::READ_ASIDE_BYTES)? {
        return Ok(decoding.into_body());
    }
    let rest = tokio::task::spawn_blocking(move || {
        while !decoding.advance(usize::MAX)? {}
        Ok(decoding.into_body())
    });
    // Where the decoder panics, or this process ends, nothing was decoded.
    rest.await.unwrap_or(Err(Undecoded::Broken(coding)))
}

/// Reads a body that nobody wants and throws it away, within bounds, so that the answer is seen.
pub(super) async fn discard(clock: &Clock, mut body: Body) {
    clock.timeout(limits::BODY_READ, drain(&mut body)).await.unwrap_or(());
}

/// Reads a body of at most `cap` bytes.
///
/// A larger one is read on and thrown away, within bounds, before this returns: a sender that is still writing when the answer comes
/// sees a broken connection and not the answer. It is so with `Expect: 100-continue` too, because many senders do not wait for it.
pub(super) async fn read(clock: &Clock, mut body: Body, cap: usize) -> Result<Bytes, WebError> {
    match clock.timeout(limits::BODY_READ, take(&mut body, cap)).await {
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(WebError::TooLarge(cap))) => {
            // Whether the rest ended, the bound was reached or the time was up: the answer is the same.
            clock.timeout(limits::BODY_DRAIN, drain(&mut body)).await.unwrap_or(());
            Err(WebError::TooLarge(cap))
        }
        Some(Err(error)) => Err(error),
        None => Err(WebError::TooSlow),
    }
}

async fn take(body: &mut Body, cap: usize) -> Result<Bytes, WebError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| WebError::BadRequest("The body broke off before its end.".to_owned()))?;
        let Some(data) = frame.data_ref() else { continue };
        if all.len() + data.len() > cap {
            return Err(WebError::TooLarge(cap));
        }
        all.extend_from_slice(data);
    }
    Ok(all.freeze())
}

async fn drain(body: &mut Body) {
    let mut left = limits::BODY_DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}
