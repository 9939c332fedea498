//! Twilio's voice API, in its own words; its messages stand in a file of their own.

mod messages;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;

pub use messages::{MessageError, MessageResource, NewMessage, UNSUBSCRIBED};

use super::http::{self, HttpError};
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::secret::{Secret, hmac_sha1, same};
use crate::base::time::{Span, Time};

/// The events of a call that its status callback tells of; each is a parameter of its own.
const STATUS_EVENTS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];
/// The newest calls to one number that are looked through for a lost one. A person gets a handful in an hour.
const CALLS_LISTED: &str = "50";
/// "Call is not in-progress": hanging up came too late, which is what was wanted.
const NOT_IN_PROGRESS: i64 = 21_220;

/// One account.
#[derive(Debug, Clone)]
pub struct Twilio {
    account_sid: String,
    /// The first is sent; a signature may be made with any of them, while one is rotated.
    auth_tokens: Vec<Secret>,
    api_url: String,
    http: reqwest::Client,
    clock: Clock,
}

/// A call to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCall {
    pub to: String,
    pub from: String,
    pub twiml: String,
    pub status_callback: Option<String>,
    /// How long it rings, in whole seconds.
    pub timeout: Span,
}

/// A call as Twilio has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResource {
    pub sid: String,
    /// `queued`, `initiated`, `ringing`, `in-progress`, `completed`, `busy`, `no-answer`, `failed` or `canceled`.
    pub status: String,
    pub to: String,
    pub from: String,
    /// Absent while the call waits in Twilio's queue.
    pub date_created: Option<Time>,
    /// Absent until it is dialled.
    pub start_time: Option<Time>,
}

/// Why an order to call did not come back as a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It is certain that nothing was placed. A `Retry-After` is not read: a page goes on with its next contact at once, and comes back
    /// to this one at its own bounded pace.
    #[error("{reason}")]
    Rejected { reason: String },
    /// The request may have been taken.
    #[error("{reason}")]
    Unknown { reason: String },
}

/// Why a question was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("Twilio knows nothing of this id")]
    NoSuchCall,
    #[error("{0}")]
    Failed(String),
}

/// What became of one exchange, before anyone has judged it.
enum Exchange {
    /// The connection was never made: nothing has left.
    NotSent(String),
    /// It may have left, and no whole answer came.
    NoAnswer(String),
    Answer {
        status: StatusCode,
        body: Vec<u8>,
    },
}

#[derive(Deserialize)]
struct CallJson {
    sid: String,
    status: String,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    date_created: Option<String>,
    #[serde(default)]
    start_time: Option<String>,
}

#[derive(Deserialize)]
struct CallsJson {
    calls: Vec<CallJson>,
}

/// A refusal in Twilio's words.
#[derive(Deserialize)]
struct ErrorJson {
    code: i64,
    message: String,
}

impl Twilio {
    /// # Errors
    /// When the address is none, or TLS cannot be set up.
    pub fn new(account_sid: String, auth_tokens: Vec<Secret>, api_url: &str, clock: Clock) -> Result<Self, HttpError> {
        let http = http::for_operator(api_url)?;
        Ok(Self { account_sid, auth_tokens, api_url: api_url.trim_end_matches('/').to_owned(), http, clock })
    }

    /// Orders a call.
    ///
    /// # Errors
    /// [`SendError::Rejected`] only where it is certain that nothing was placed; what is doubtful is [`SendError::Unknown`].
    pub async fn create_call(&self, call: &NewCall) -> Result<CallResource, SendError> {
        let timeout = call.timeout.as_seconds().to_string();
        let mut form: Vec<(&str, &str)> =
            vec![("To", &call.to), ("From", &call.from), ("Twiml", &call.twiml), ("Timeout", &timeout), ("StatusCallbackMethod", "POST")];
        if let Some(url) = &call.status_callback {
            form.push(("StatusCallback", url));
            form.extend(STATUS_EVENTS.map(|event| ("StatusCallbackEvent", event)));
        } else {
            form.pop();
        }
        match self.exchange(self.http.post(self.url("Calls.json")).form(&form)).await {
            Exchange::NotSent(reason) => Err(SendError::Rejected { reason }),
            Exchange::NoAnswer(reason) => Err(SendError::Unknown { reason }),
            Exchange::Answer { status, body } if status.is_success() => parse_call(&body).ok_or_else(|| SendError::Unknown {
                reason: format!("Twilio answered {} with something that is no call", status.as_u16()),
            }),
            Exchange::Answer { status, .. } if status.is_redirection() => {
                Err(SendError::Rejected { reason: format!("Twilio answered {} (a redirect, which is not followed)", status.as_u16()) })
            }
            Exchange::Answer { status, body } => match self.refusal(status, &body) {
                Some((_, reason)) if status.is_client_error() => Err(SendError::Rejected { reason }),
                Some((_, reason)) => Err(SendError::Unknown { reason }),
                None => Err(SendError::Unknown { reason: format!("Twilio answered {}", status.as_u16()) }),
            },
        }
    }

    /// The calls between two numbers that were made at `since` or later, newest first. Calls that wait in Twilio's queue have no time yet
    /// and are among them. Twilio's own filter by start is not used: it leaves out what has not been dialled.
    ///
    /// # Errors
    /// When no list came back.
    pub async fn calls_since(&self, to: &str, from: &str, since: Time) -> Result<Vec<CallResource>, AskError> {
        let query = [("To", to), ("From", from), ("PageSize", CALLS_LISTED)];
        let (status, body) = self.ask(self.http.get(self.url("Calls.json")).query(&query)).await?;
        let listed: CallsJson = match serde_json::from_slice(&body) {
            Ok(listed) if status.is_success() => listed,
            Ok(_) | Err(_) => return Err(self.unusable(status, &body)),
        };
        // Twilio tells whole seconds.
        let since = Time::from_seconds(since.seconds());
        Ok(listed.calls.into_iter().map(CallJson::read).filter(|call| call.date_created.is_none_or(|at| at >= since)).collect())
    }

    /// One call.
    ///
    /// # Errors
    /// When Twilio does not know it, or no answer came.
    pub async fn call(&self, sid: &str) -> Result<CallResource, AskError> {
        let (status, body) = self.ask(self.http.get(self.call_url(sid)?)).await?;
        match parse_call(&body) {
            Some(call) if status.is_success() => Ok(call),
            Some(_) | None => Err(self.unusable(status, &body)),
        }
    }

    /// Ends a call, whether it is queued, ringing or talking. One that is over already is fine.
    ///
    /// # Errors
    /// When Twilio does not know it, refuses, or no answer came: the call may go on.
    pub async fn end_call(&self, sid: &str) -> Result<(), AskError> {
        // "canceled" would end only what has not been picked up; "completed" ends it in any state.
        let (status, body) = self.ask(self.http.post(self.call_url(sid)?).form(&[("Status", "completed")])).await?;
        match self.refusal(status, &body) {
            None if status.is_success() => Ok(()),
            Some((NOT_IN_PROGRESS, _)) => Ok(()),
            None | Some(_) => Err(self.unusable(status, &body)),
        }
    }

    /// Whether Twilio signed this request with one of the account's tokens: `url` as it was given to Twilio, `params` the form's fields.
    #[must_use]
    pub fn verify(&self, url: &str, params: &[(String, String)], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        let mut params: Vec<_> = params.iter().collect();
        params.sort();
        params.dedup();
        let fields: String = params.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
        // Twilio signs some URLs with the port and some without; its own libraries accept both.
        let mut verified = false;
        for url in port_variants(url) {
            for token in &self.auth_tokens {
                verified |= same(&hmac_sha1(token.expose().as_bytes(), format!("{url}{fields}").as_bytes()), &signature);
            }
        }
        verified
    }

    fn url(&self, resource: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}/{resource}", self.api_url, self.account_sid)
    }

    /// An id goes into a path: one that could leave it is nobody's call.
    fn path_of(&self, resource: &str, sid: &str) -> Result<String, AskError> {
        let plain = !sid.is_empty() && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain { Ok(self.url(&format!("{resource}/{sid}.json"))) } else { Err(AskError::NoSuchCall) }
    }

    fn call_url(&self, sid: &str) -> Result<String, AskError> {
        self.path_of("Calls", sid)
    }

    async fn exchange(&self, request: RequestBuilder) -> Exchange {
        let token = self.auth_tokens.first().map(Secret::expose);
        let request = request.basic_auth(&self.account_sid, token);
        let exchange = async {
            let response = match request.send().await {
                Ok(response) => response,
                // Name resolution, connection and TLS come before the first byte of the request.
                Err(error) if error.is_connect() || error.is_builder() => {
                    return Exchange::NotSent(self.plain(&format!("could not reach Twilio: {}", http::cause(&error))));
                }
                Err(error) => return Exchange::NoAnswer(self.plain(&format!("the connection to Twilio broke: {}", http::cause(&error)))),
            };
            let status = response.status();
            match http::body(response).await {
                Some(body) => Exchange::Answer { status, body },
                // What the status says stands, whatever became of the words after it.
                None if status.is_redirection() => Exchange::Answer { status, body: Vec::new() },
                None => Exchange::NoAnswer(format!("Twilio's answer {} broke off", status.as_u16())),
            }
        };
        let answer = self.clock.timeout(limits::PROVIDER_ANSWER, exchange).await;
        answer.unwrap_or_else(|| Exchange::NoAnswer(format!("no answer from Twilio within {}", limits::PROVIDER_ANSWER)))
    }

    async fn ask(&self, request: RequestBuilder) -> Result<(StatusCode, Vec<u8>), AskError> {
        match self.exchange(request).await {
            Exchange::NotSent(reason) | Exchange::NoAnswer(reason) => Err(AskError::Failed(reason)),
            Exchange::Answer { status, body } => Ok((status, body)),
        }
    }

    fn unusable(&self, status: StatusCode, body: &[u8]) -> AskError {
        match self.refusal(status, body) {
            // Without Twilio's own words a 404 may be a proxy's or a wrong address: that says nothing about the call.
            Some(_) if status == StatusCode::NOT_FOUND => AskError::NoSuchCall,
            Some((_, reason)) => AskError::Failed(reason),
            None => AskError::Failed(format!("Twilio answered {} with something unexpected", status.as_u16())),
        }
    }

    /// Twilio's code and words, if these are Twilio's.
    fn refusal(&self, status: StatusCode, body: &[u8]) -> Option<(i64, String)> {
        if status.is_success() {
            return None;
        }
        let error: ErrorJson = serde_json::from_slice(body).ok()?;
        Some((error.code, self.plain(&format!("Twilio answered {}, code {}: {}", status.as_u16(), error.code, error.message))))
    }

    /// One short line without a token: whoever answers at this address chooses the words.
    fn plain(&self, text: &str) -> String {
        let hidden = self
            .auth_tokens
            .iter()
            .fold(text.to_owned(), |text, token| if token.expose().is_empty() { text } else { text.replace(token.expose(), "***") });
        let words: String = hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        words.trim().chars().take(limits::PROVIDER_REASON_CHARS).collect()
    }
}

impl CallJson {
    fn read(self) -> CallResource {
        CallResource {
            sid: self.sid,
            status: self.status,
            to: self.to.unwrap_or_default(),
            from: self.from.unwrap_or_default(),
            date_created: self.date_created.as_deref().and_then(rfc2822),
            start_time: self.start_time.as_deref().and_then(rfc2822),
        }
    }
}

/// Only a body with an id and a status is a call.
fn parse_call(body: &[u8]) -> Option<CallResource> {
    serde_json::from_slice::<CallJson>(body).ok().filter(|call| !call.sid.is_empty()).map(CallJson::read)
}

fn rfc2822(text: &str) -> Option<Time> {
    chrono::DateTime::parse_from_rfc2822(text.trim()).ok().map(|at| Time(at.timestamp_micros()))
}

/// The URL as it is, without its port, and with its scheme's own port.
fn port_variants(url: &str) -> Vec<String> {
    let mut variants = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return variants };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    // A colon inside brackets belongs to an IPv6 address.
    let bracket = authority.rfind(']').unwrap_or(0);
    let port = authority.rfind(':').filter(|colon| *colon >= bracket);
    match port {
        Some(colon) => variants.push(format!("{scheme}://{}{path}", &authority[..colon])),
        None => variants.push(format!("{scheme}://{authority}:{}{path}", if scheme == "https" { 443 } else { 80 })),
    }
    variants
}

#[cfg(test)]
mod tests;
