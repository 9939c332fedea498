//! What a call or a text sends to the account's own server: status callbacks and requests for documents, signed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use super::fault::Callbacks;
use super::phone::{Delivery, DeliveryKind, Outcome, StatusCallback};
use super::{Inner, Parked, Work};
use crate::base::secret::hmac_sha1;
use crate::base::time::{Span, Time};

/// How long an answer to a callback or a request for `TwiML` may take.
const CALLBACK_ANSWER: Span = Span::seconds(15);
/// The longest `TwiML` document that is read, bytes.
const DOCUMENT_BYTES: usize = 64 << 10;

/// A status callback waiting for its turn, with the moment it tells of.
pub(super) struct Letter {
    fields: Vec<(&'static str, String)>,
    told: &'static str,
    post: Post,
}

impl Letter {
    pub(super) fn new(inner: &Arc<Inner>, fields: Vec<(&'static str, String)>, told: &'static str) -> Self {
        let post = match inner.callbacks() {
            Callbacks::Late { by } => {
                let due = inner.clock.now() + by;
                Post::Later { due, _parked: inner.park(due) }
            }
            Callbacks::On | Callbacks::Off | Callbacks::Twice => Post::Now(Work::begin(inner)),
        };
        Self { fields, told, post }
    }
}

/// When a letter leaves: now, or, because the stage was told so, later.
enum Post {
    Now(Work),
    Later { due: Time, _parked: Parked },
}

/// Delivers the status callbacks of one call or text in order, as the stage's callbacks are set at that moment.
pub(super) async fn deliver(inner: Arc<Inner>, sid: String, callback: StatusCallback, mut letters: mpsc::UnboundedReceiver<Letter>) {
    while let Some(Letter { fields, told, post }) = letters.recv().await {
        let work = match post {
            Post::Now(work) => work,
            Post::Later { due, _parked: parked } => {
                inner.clock.sleep_until(due).await;
                let work = Work::begin(&inner);
                drop(parked);
                work
            }
        };
        let times = match inner.callbacks() {
            Callbacks::On | Callbacks::Late { .. } => 1,
            Callbacks::Off => 0,
            Callbacks::Twice => 2,
        };
        for _ in 0..times {
            let at = inner.clock.now();
            let (tries, answer) = inner.request(&callback.url, callback.get, &fields).await;
            let outcome = match answer {
                Ok(answer) => Outcome::Answered { status: answer.status },
                Err(why) => Outcome::Failed { why },
            };
            let url = callback.url.clone();
            inner.record(&sid, Delivery { kind: DeliveryKind::Status, told: told.to_owned(), url, at, tries, outcome });
        }
        drop(work);
    }
}

pub(super) struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

impl Inner {
    /// Notes a request on the call or the text that it was about.
    pub(super) fn record(&self, sid: &str, delivery: Delivery) {
        if sid.starts_with("CA") {
            self.call(sid, |call| call.callbacks.push(delivery));
        } else {
            self.text(sid, |text| text.callbacks.push(delivery));
        }
    }

    /// One signed request to the account's server, tried again once when it fails without an answer. Gives how often it was tried.
    pub(super) async fn request(&self, url: &str, get: bool, fields: &[(&'static str, String)]) -> (u32, Result<Answer, String>) {
        match self.request_once(url, get, fields).await {
            Ok(answer) => (1, Ok(answer)),
            Err(_) => (2, self.request_once(url, get, fields).await),
        }
    }

    async fn request_once(&self, url: &str, get: bool, fields: &[(&'static str, String)]) -> Result<Answer, String> {
        let request = if get {
            let mut target = reqwest::Url::parse(url).map_err(|_| format!("{url} is not a URL"))?;
            target.query_pairs_mut().extend_pairs(fields.iter().map(|(name, value)| (*name, value.as_str())));
            let signature = signature(self.auth_token.expose(), target.as_str(), &[]);
            self.http.get(target).header("X-Twilio-Signature", signature)
        } else {
            let signature = signature(self.auth_token.expose(), url, fields);
            self.http.post(url).header("X-Twilio-Signature", signature).form(fields)
        };
        let answer = async {
            let mut response = request.header("User-Agent", "TwilioProxy/1.1").send().await.map_err(|error| in_short(&error))?;
            let status = response.status().as_u16();
            let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| in_short(&error))? {
                if body.len() + chunk.len() > DOCUMENT_BYTES {
                    return Err(format!("the answer is longer than {DOCUMENT_BYTES} bytes"));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer { status, content_type, body: String::from_utf8_lossy(&body).into_owned() })
        };
        match self.clock.timeout(CALLBACK_ANSWER, answer).await {
            Some(done) => done,
            None => Err(format!("no answer within {CALLBACK_ANSWER}")),
        }
    }
}

/// The last cause of a failed request: the sentences before it only repeat the URL.
pub(super) fn in_short(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Twilio's signature of a request: the URL, then each parameter's name and value in the order of the names.
pub(super) fn signature(auth_token: &str, url: &str, fields: &[(&'static str, String)]) -> String {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort();
    let mut text = url.to_owned();
    for (name, value) in sorted {
        text.push_str(name);
        text.push_str(value);
    }
    STANDARD.encode(hmac_sha1(auth_token.as_bytes(), text.as_bytes()))
}
