//! `route`: what would become of a body.

use std::fs::File;
use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};

use super::CliError;
use super::args::Route;
use super::client::Client;
use super::terminal::{Console, Ink, field};
use crate::base::limits;
use crate::base::time::Span;

const STDIN: &str = "-";
/// Where what follows a rule's mark and name goes on.
const INDENT: usize = 6;

pub(super) async fn route(console: &mut Console<'_>, client: &Client, asked: &Route) -> Result<(), CliError> {
    let bytes = body(console, &asked.file)?;
    let headers: Map<String, Value> = asked.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut question = json!({ "integration": asked.integration, "source": asked.source, "headers": headers });
    let (name, text) = match String::from_utf8(bytes) {
        Ok(text) => ("body", text),
        Err(bytes) => ("body_base64", STANDARD.encode(bytes.as_bytes())),
    };
    question[name] = Value::String(text);
    let mut kind = HeaderMap::new();
    kind.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let answer = client.post(&["api", "v1", "route"], kind, question.to_string().into_bytes(), Span::ZERO).await?;
    let Some(signals) = answer["signals"].as_array() else { return Err(client.strange("it lists no signals".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    let read = format!("Read as integration {} ({}):", field(&answer, "integration"), field(&answer, "source"));
    console.hint(&read)?;
    for signal in signals {
        one(console, signal)?;
    }
    let unproven: Vec<&str> = answer["unproven"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !unproven.is_empty() {
        console.hint(&format!("What a real message must show beside the key was not asked for here: {}.", unproven.join(", ")))?;
    }
    match answer["more"].as_u64() {
        Some(more) if more > 0 => console.hint(&format!("{more} further signals are not shown.")),
        Some(_) | None => Ok(()),
    }
}

/// No more than the server would take: the rest would be refused whatever it says.
fn body(console: &mut Console<'_>, file: &str) -> Result<Vec<u8>, CliError> {
    let most = u64::try_from(limits::TRIED_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    if file == STDIN {
        Read::take(&mut console.input, most + 1).read_to_end(&mut bytes).map_err(CliError::Input)?;
    } else {
        let read = File::open(file).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
        read.map_err(|error| CliError::Usage(format!("{file} cannot be read: {error}")))?;
    }
    if bytes.len() > limits::TRIED_BYTES {
        return Err(CliError::Usage(format!("the body is larger than {} bytes", limits::TRIED_BYTES)));
    }
    Ok(bytes)
}

fn one(console: &mut Console<'_>, signal: &Value) -> Result<(), CliError> {
    let title = console.paint(Ink::Bold, &field(signal, "title"));
    console.line("")?;
    console.long_line(&title, 0)?;
    let detail = Some(field(signal, "detail")).filter(|detail| !detail.is_empty()).map(|detail| format!(": {detail}")).unwrap_or_default();
    let told = format!("  It {}, {}, key {}{detail}", field(signal, "says"), field(signal, "severity"), field(signal, "dedup_key"));
    console.long_line(&told, INDENT)?;
    if field(signal, "title_as_sent") != field(signal, "title") {
        console.long_line(&format!("  It came as: {}", field(signal, "title_as_sent")), INDENT)?;
    }
    for (name, value) in signal["labels"].as_object().into_iter().flatten() {
        let label = json!({ "name": name, "value": value });
        console.long_line(&format!("  {}={}", field(&label, "name"), field(&label, "value")), INDENT)?;
    }
    for rule in signal["rules"].as_array().into_iter().flatten() {
        let (takes, id, why) = (rule["takes"] == true, field(rule, "id"), field(rule, "why"));
        let mark = if takes { console.paint(Ink::Green, "takes it") } else { console.paint(Ink::Dim, "leaves it") };
        console.long_line(&format!("  rule {id} {mark}: {why}"), INDENT)?;
    }
    let own = if signal["rule"].is_null() { "no rule takes it: its integration's own service " } else { "service " };
    let becomes = match (field(signal, "says").as_str(), field(signal, "incident_severity")) {
        ("fires" | "cannot be read", severity) if severity.is_empty() => "it would be recorded, and page nobody".to_owned(),
        ("fires" | "cannot be read", severity) => {
            let group = Some(field(signal, "group")).filter(|group| !group.is_empty());
            let group = group.map(|group| format!(" of its group, {group}")).unwrap_or_default();
            format!("it would open an incident at {severity}, or join the open one{group}")
        }
        _ => "it opens nothing".to_owned(),
    };
    console.long_line(&format!("  {own}{}; {becomes}", field(signal, "service")), INDENT)?;
    let outcome = field(signal, "outcome");
    if !outcome.is_empty() {
        let about = signal["incident"].as_i64().map(|number| format!(" (incident #{number})")).unwrap_or_default();
        let by = Some(field(signal, "held_by")).filter(|by| !by.is_empty()).map(|by| format!("; {by}")).unwrap_or_default();
        console.long_line(&format!("  if it came now, it would be {outcome}: {}{about}{by}", field(signal, "reason")), INDENT)?;
    }
    let policy = field(signal, "policy");
    for step in signal["steps"].as_array().into_iter().flatten() {
        let after = field(step, "after");
        let after = if after == "0s" { "at once".to_owned() } else { format!("after {after}") };
        console.long_line(&format!("  policy {policy}, {after}: {}", who(step)), INDENT)?;
    }
    Ok(())
}

fn who(step: &Value) -> String {
    let names = |key: &str| {
        let named = step[key].as_array().into_iter().flatten();
        named.map(|name| field(&json!({ "name": name }), "name")).collect::<Vec<_>>().join(", ")
    };
    let (users, places) = (names("users"), names("places"));
    match (users.is_empty(), places.is_empty()) {
        (false, true) => users,
        (false, false) => format!("{users}; tells {places}"),
        (true, false) => format!("tells {places}"),
        (true, true) => "nobody is on call, so that it is skipped".to_owned(),
    }
}
