//! Uptime Kuma's webhook: one beat of one monitor, as JSON, as a form with JSON in its field `data`, or by GET with the pieces in the
//! query.
//!
//! | field | |
//! |---|---|
//! | `monitor.id` | the key. Two Kumas count alike, so each takes an integration of its own |
//! | `heartbeat.status` | 0 down, 1 up, 2 pending, 3 under maintenance |
//! | `heartbeat.time` | when, in UTC, though without a zone |
//! | `monitor`, `heartbeat` null | its Test button; or the news that a certificate or a domain is about to end, in `msg` alone |
//!
//! It sends each message once: what does not arrive is only in its log. Nothing is signed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct UptimeKuma;

const GUIDE: &str = "\
1. In Uptime Kuma open **Settings**, **Notifications**, and set up one of the type **Webhook** with the address `{url}`.
2. Leave **Request Body** at its preset `application/json`. A body of your own takes the same names: `heartbeat`, `monitor`, `msg`.
3. Press **Test**: nobody is woken, and the integration shows that it came.
4. Choose it in each monitor that should wake people.

A monitor has no severity: the integration’s own counts, `error` unless it is set. It is sent when it is up again, too.

Each Uptime Kuma takes an integration of its own: their monitors have the same numbers.
";

impl Source for UptimeKuma {
    fn name(&self) -> &'static str {
        "uptime-kuma"
    }

    fn title(&self) -> &'static str {
        "Uptime Kuma"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn takes_get(&self, query: &str) -> bool {
        reading::has_any(query, &["msg", "monitor", "heartbeat"])
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::fields(inbound)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let (monitor, beat) = (piece(body, "monitor")?, piece(body, "heartbeat")?);
    let words = reading::scalar(body.get("msg")).map(|msg| reading::line(&msg, limits::TITLE_CHARS)).filter(|msg| !msg.is_empty());
    if monitor.is_empty() && beat.is_empty() {
        let known = ["msg", "monitor", "heartbeat"].iter().any(|name| body.contains_key(*name));
        return if known { Ok(notice(words, integration)) } else { Err("it has no heartbeat".to_owned()) };
    }
    let status = reading::scalar(beat.get("status")).ok_or("its heartbeat has no status")?;
    let id = reading::scalar(monitor.get("id")).or_else(|| reading::scalar(beat.get("monitorID")));
    let name = reading::scalar(monitor.get("name")).map(|name| reading::line(&name, limits::LABEL_CHARS)).filter(|name| !name.is_empty());
    let key = id.or_else(|| name.clone()).ok_or("it does not say which monitor")?;
    let (state, action) = state(&status);
    let why = reading::scalar(beat.get("msg")).map(|msg| format!(": {msg}")).unwrap_or_default();
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key),
        title: reading::title(&name.unwrap_or_else(|| format!("Monitor {key}")), &format!("is {state}{why}")),
        severity: None,
        action,
        at: reading::scalar(beat.get("time")).and_then(|time| reading::utc(&time)),
        ends_at: None,
        url: reading::scalar(monitor.get("url")).and_then(|url| reading::url(&url)),
        labels: labels(&state, &monitor, &beat),
    })
}

/// A piece of the body: an object, or the text of one in a query. Null and nothing are an empty one.
fn piece(body: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    let read;
    let value = match body.get(name) {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::String(text)) if matches!(text.trim(), "" | "null") => return Ok(Map::new()),
        Some(Value::String(text)) => {
            read = reading::json(text.as_bytes()).map_err(|why| format!("of its {name}, {why}"))?;
            &read
        }
        Some(value) => value,
    };
    value.as_object().cloned().ok_or_else(|| format!("its {name} is {}, not an object", reading::shape(value)))
}

/// A status that it has learnt since is not up: rather one call too many than none.
fn state(status: &str) -> (String, Action) {
    let ignored = |state: &str, why: &str| (state.to_owned(), Action::Ignore(why.to_owned()));
    match status.trim() {
        "0" => ("down".to_owned(), Action::Trigger),
        "1" => ("up".to_owned(), Action::Resolve),
        "2" => ignored("pending", "its retries are not over yet"),
        "3" => ignored("under maintenance", "it is under maintenance"),
        other => (format!("in state {other}"), Action::Trigger),
    }
}

/// What comes without a monitor. Its test says `… Testing`; that a certificate or a domain is about to end is told every few days,
/// with the days left in it, and never that it was renewed.
fn notice(words: Option<String>, integration: &Integration) -> Signal {
    let words = words.filter(|words| !words.ends_with("Testing"));
    let action = if words.is_some() { Action::Trigger } else { Action::Ignore("its test button".to_owned()) };
    let title = words.unwrap_or_else(|| "Uptime Kuma's test".to_owned());
    let condition = title.split_once(" will ").map_or(title.as_str(), |(condition, _)| condition);
    Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&format!("notice:{condition}")),
        severity: Some(AlertSeverity::Warning),
        action,
        at: None,
        ends_at: None,
        url: None,
        labels: BTreeMap::new(),
        title,
    }
}

fn labels(state: &str, monitor: &Map<String, Value>, beat: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("state", state);
    labels.put_scalar("monitor", monitor.get("name"));
    labels.put_scalar("group", monitor.get("pathName").filter(|path| Some(*path) != monitor.get("name")));
    labels.put_scalar("type", monitor.get("type"));
    // What a monitor that is not of the web has in its place.
    let address = reading::scalar(monitor.get("url")).filter(|url| url.trim() != "https://").unwrap_or_default();
    labels.put_address("url", &address);
    labels.put_address("hostname", &reading::scalar(monitor.get("hostname")).unwrap_or_default());
    labels.put_scalar("port", monitor.get("port"));
    labels.put_scalar("message", beat.get("msg"));
    tags(monitor, &mut labels);
    labels.done()
}

/// A tag is a name, or a name with a value; with a value it is a label of its own as well, so that it can be routed by.
fn tags(monitor: &Map<String, Value>, labels: &mut Labels) {
    let tags: Vec<(String, Option<String>)> = monitor
        .get("tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(limits::LABELS)
        .filter_map(|tag| Some((reading::scalar(tag.get("name"))?, reading::scalar(tag.get("value")))))
        .collect();
    let all: Vec<String> =
        tags.iter().map(|(name, value)| value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}:{value}"))).collect();
    labels.put("tags", &all.join(","));
    for (name, value) in tags {
        labels.put(&name, &value.unwrap_or_default());
    }
}
