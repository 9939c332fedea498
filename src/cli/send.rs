//! `send`: an alert from a script.

use std::io::{self, Read};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::CliError;
use super::args::{GENERIC, Send, SentState};
use super::client::{Client, HOOKS};
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
    let hook = send.hook().map(Hook::of).transpose()?;
    let (client, source, path) = match (&hook, send.key()) {
        (Some(hook), _) => (&hook.client, hook.source.as_str(), Vec::new()),
        (None, Some(key)) => (client, send.source.as_str(), vec!["hooks", &send.source, key.expose().trim()]),
        (None, None) => {
            return Err(CliError::Usage("send needs the key of an integration: --key KEY, or the variable REVEILLE_KEY".to_owned()));
        }
    };
    let body = match source {
        _ if !send.fields.is_empty() || send.environment.is_some() => of_fields(console, send)?,
        GENERIC => generic(console, send)?,
        _ => as_it_is(console, source, send)?,
    };
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

/// A webhook's whole address, as the pages show it.
struct Hook {
    client: Client,
    source: String,
}

impl Hook {
    /// The address is a secret, and in no sentence about it.
    fn of(address: &Secret) -> Result<Self, CliError> {
        let wrong =
            || CliError::Usage("--hook (or REVEILLE_HOOK) is an address as in https://reveille.example.com/hooks/nagios/KEY".to_owned());
        let address = address.expose().trim();
        let (_, rest) = address.split_once(HOOKS).ok_or_else(wrong)?;
        let (source, _) = rest.split_once('/').filter(|(source, key)| !source.is_empty() && !key.is_empty()).ok_or_else(wrong)?;
        // Who may send is said by the key alone.
        let client = Client::new(address, None).map_err(|_| wrong())?;
        Ok(Self { client, source: source.to_owned() })
    }
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
    put("state", Some(json!(send.state().name())));
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

/// Whether it says something that only a body of the generic source has.
fn says_more(send: &Send) -> bool {
    let Send { dedup_key, severity, link, labels, .. } = send;
    dedup_key.is_some() || severity.is_some() || link.is_some() || !labels.is_empty() || send.state() != SentState::Firing
}

/// A body of fields: what a monitor that runs a command gives to it. Only the command's own words come by the shell.
fn of_fields(console: &Console<'_>, send: &Send) -> Result<Vec<u8>, CliError> {
    if send.title.is_some() || says_more(send) {
        return Err(CliError::Usage(
            "a body of --field and --environment has no title, key, severity, state, link or label besides".to_owned(),
        ));
    }
    let prefix = send.environment.as_deref();
    let named = |(name, value): &(String, String)| {
        let name = name.strip_prefix(prefix?).filter(|name| !name.is_empty() && !value.is_empty())?;
        Some((name.to_owned(), json!(value)))
    };
    let mut body: Map<String, Value> = console.variables.iter().filter_map(named).collect();
    // What is typed counts more than what is found.
    body.extend(send.fields.iter().map(|(name, value)| (name.clone(), json!(value))));
    if body.is_empty() {
        return Err(CliError::Usage(format!("no variable begins with {}, so there is nothing to send", prefix.unwrap_or_default())));
    }
    let body = Value::Object(body).to_string().into_bytes();
    if body.len() > limits::BODY_BYTES {
        return Err(too_large());
    }
    Ok(body)
}

fn too_large() -> CliError {
    CliError::Usage(format!("the body is larger than {} KiB, which the server takes", limits::BODY_BYTES >> 10))
}

/// Another sender's body, to try its integration.
fn as_it_is(console: &mut Console<'_>, source: &str, send: &Send) -> Result<Vec<u8>, CliError> {
    if send.title.as_deref() != Some(STDIN) || says_more(send) {
        return Err(CliError::Usage(format!(
            "a {source} body comes whole from the standard input: reveille send - --source {source} --key KEY < body.json; or it is \
             made of --field NAME=VALUE"
        )));
    }
    let mut body = Vec::new();
    let most = u64::try_from(limits::BODY_BYTES).unwrap_or(u64::MAX);
    Read::take(&mut console.input, most + 1).read_to_end(&mut body).map_err(CliError::Input)?;
    if body.len() > limits::BODY_BYTES {
        return Err(too_large());
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
        "recorded" if reason(result).is_empty() => "stored; it is decided in a moment".to_owned(),
        "recorded" => "on record".to_owned(),
        "unreadable" => format!("the body could not be read, and {incident} says so"),
        "" => "stored".to_owned(),
        other => format!("{other}, {incident}"),
    };
    let reason = reason(result);
    if reason.is_empty() { format!("{what}{alert}") } else { format!("{what}{alert}: {reason}") }
}
