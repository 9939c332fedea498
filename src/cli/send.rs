//! `send`: an alert from a script.

use std::io::{self, Read};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::CliError;
use super::args::{GENERIC, Send, SentState};
use super::client::Client;
use super::terminal::{Console, field, reason};
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::Span;

const STDIN: &str = "-";
/// How much of a script's output is sent, bytes; the server keeps a label of it, and the rest is read and forgotten.
const TEXT_BYTES: u64 = 64 << 10;
/// Between two tries.
const PAUSE_FIRST: Span = Span::seconds(1);
/// A busy server asks for as much.
const PAUSE_MOST: Span = Span::seconds(5);

pub(super) async fn send(console: &mut Console<'_>, client: &Client, send: &Send) -> Result<(), CliError> {
    let Some(key) = send.key() else {
        return Err(CliError::Usage("send needs the key of an integration: --key KEY, or the variable REVEILLE_KEY".to_owned()));
    };
    let body = if send.source == GENERIC { generic(console, send)? } else { as_it_is(console, send)? };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let seconds = send.wait.as_seconds();
    if seconds > 0 {
        let wait = HeaderValue::from_str(&format!("wait={seconds}")).map_err(|_| CliError::Usage("that wait cannot be sent".to_owned()))?;
        headers.insert(HeaderName::from_static("prefer"), wait);
    }
    // One key for all tries: what arrived and was not answered is not counted again.
    let once = Secret::random();
    if let Ok(once) = HeaderValue::from_str(once.expose()) {
        headers.insert(HeaderName::from_static("idempotency-key"), once);
    }
    let path = ["hooks", &send.source, key.expose().trim()];
    let until = console.clock.now() + send.retry;
    let mut pause = PAUSE_FIRST;
    let answer = loop {
        match client.post(&path, headers.clone(), body.clone(), Span::seconds(seconds)).await {
            Err(error) if is_away(&error) && console.clock.now() + pause <= until => {
                console.clock.sleep(pause).await;
                pause = (pause + pause).min(PAUSE_MOST);
            }
            answered => break answered?,
        }
    };
    let results = answer.get("results").and_then(Value::as_array);
    let Some(results) = results.filter(|results| !results.is_empty()) else {
        return Err(client.strange("it does not say what became of the alert".to_owned()));
    };
    if console.json {
        return console.document(&answer);
    }
    for result in results {
        console.line(&format!("sent: {}", outcome(result)))?;
    }
    Ok(())
}

/// Whether the same may be taken a moment later: nobody is there, or the server, or a proxy before it, says that it is busy.
const fn is_away(error: &CliError) -> bool {
    matches!(error, CliError::Unreachable { .. } | CliError::Refused { status: 502..=504, .. })
}

/// The body of the generic source.
fn generic(console: &mut Console<'_>, send: &Send) -> Result<Vec<u8>, CliError> {
    let mut labels: Map<String, Value> = Map::new();
    let mut title = send.title.clone();
    if title.as_deref() == Some(STDIN) {
        let text = text(console)?;
        let (first, rest) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        title = Some(first.trim().to_owned()).filter(|first| !first.is_empty());
        if !rest.trim().is_empty() {
            labels.insert("text".to_owned(), json!(rest.trim()));
        }
    }
    let title = title.filter(|title| !title.trim().is_empty());
    if title.is_none() && send.dedup_key.is_none() {
        return Err(CliError::Usage("there is nothing to send: no title, no --dedup-key".to_owned()));
    }
    labels.extend(send.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
    let mut body = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value);
        }
    };
    put("title", title.map(Value::from));
    put("dedup_key", send.dedup_key.clone().map(Value::from));
    put("severity", send.severity.map(|severity| json!(severity.name())));
    put("state", Some(json!(send.state.name())));
    put("url", send.link.clone().map(Value::from));
    put("labels", (!labels.is_empty()).then_some(Value::Object(labels)));
    Ok(Value::Object(body).to_string().into_bytes())
}

/// A script's output. It is read to its end, so that the script does not die of a closed pipe.
fn text(console: &mut Console<'_>) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    Read::take(&mut console.input, TEXT_BYTES).read_to_end(&mut bytes).map_err(CliError::Input)?;
    io::copy(&mut console.input, &mut io::sink()).map_err(CliError::Input)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Another sender's body, to try its integration.
fn as_it_is(console: &mut Console<'_>, send: &Send) -> Result<Vec<u8>, CliError> {
    let Send { source, title, dedup_key, severity, state, link, labels, .. } = send;
    let says_more = dedup_key.is_some() || severity.is_some() || link.is_some() || !labels.is_empty() || *state != SentState::Firing;
    if title.as_deref() != Some(STDIN) || says_more {
        return Err(CliError::Usage(format!(
            "a {source} body comes whole from the standard input: reveille send - --source {source} --key KEY < body.json"
        )));
    }
    let mut body = Vec::new();
    let most = u64::try_from(limits::BODY_BYTES).unwrap_or(u64::MAX);
    Read::take(&mut console.input, most + 1).read_to_end(&mut body).map_err(CliError::Input)?;
    if body.len() > limits::BODY_BYTES {
        return Err(CliError::Usage(format!("the body is larger than {} KiB, which the server takes", limits::BODY_BYTES >> 10)));
    }
    Ok(body)
}

/// What became of it, as a person reads it.
fn outcome(result: &Value) -> String {
    let (word, incident, alert) = (field(result, "outcome"), field(result, "incident"), field(result, "alert"));
    let incident = if incident.is_empty() { "no incident".to_owned() } else { format!("incident #{incident}") };
    let alert = if alert.is_empty() { String::new() } else { format!(" ({alert})") };
    let what = match word.as_str() {
        "opened" => format!("{incident} opened"),
        "folded" => format!("joined {incident}"),
        "repeated" => format!("counted on {incident}"),
        "resolved" => format!("resolved on {incident}"),
        "reopened" => format!("{incident} reopened"),
        "acknowledged" => format!("{incident} acknowledged"),
        "recorded" => "stored; it is decided in a moment".to_owned(),
        "unreadable" => format!("the body could not be read, and {incident} says so"),
        "" => "stored".to_owned(),
        other => format!("{other}, {incident}"),
    };
    let reason = reason(result);
    if reason.is_empty() { format!("{what}{alert}") } else { format!("{what}{alert}: {reason}") }
}
