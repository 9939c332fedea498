//! Bodies, read by hand: how much, for how long, and what happens to the rest.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::answer::WebError;
use crate::base::clock::Clock;
use crate::base::limits;

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
