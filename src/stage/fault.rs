//! What can go wrong with a provider, on request: it hangs, refuses, lies, and its callbacks go astray.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{DropUnanswered, Inner};
use crate::base::time::Span;

/// How long a request is held when nobody releases it: longer than any client waits.
const HELD: Span = Span::seconds(300);

/// How the API misbehaves. `Hang`, `Refuse` and `Nonsense` meet every request; the others meet the placing of calls alone, and reads stay true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The request is taken and never answered, and nothing is done.
    Hang,
    /// The answer is this HTTP status with this error number.
    Refuse { status: u16, code: u32 },
    /// 201, and the phone never rings and no callback comes.
    AcceptAndDoNothing,
    /// The call is placed; the answer never comes.
    PlaceButHang,
    /// The call is placed; the connection closes without an answer.
    PlaceButDrop,
    /// 200 with a page of HTML, and nothing is done.
    Nonsense,
}

/// What becomes of the status callbacks. The requests that play a call (`TwiML` and the keys) are not touched by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Callbacks {
    #[default]
    On,
    Off,
    /// Each comes twice.
    Twice,
    /// Each comes this much later.
    Late {
        #[serde(with = "span_text")]
        by: Span,
    },
}

/// Holds a request until the fault changes, a limit passes, or the client goes away.
pub(super) async fn hold<T: Clone>(inner: &Arc<Inner>, mut faults: watch::Receiver<T>) {
    struct Held<'a>(&'a Inner);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.world().hanging -= 1;
            self.0.changed();
        }
    }
    inner.world().hanging += 1;
    let _held = Held(inner);
    inner.changed();
    tokio::select! {
        released = faults.changed() => drop(released),
        () = inner.clock.sleep(HELD) => {}
    }
}

/// An answer that is not given: the connection closes instead.
pub(super) fn dropped() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.extensions_mut().insert(DropUnanswered);
    response
}

/// Spans in JSON as people write them: `25s`, `1m`.
pub(super) mod span_text {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::base::time::Span;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(in crate::stage) fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}s", span.as_seconds()))
    }

    pub(in crate::stage) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        Span::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
