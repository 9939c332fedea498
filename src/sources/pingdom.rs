//! Pingdom's webhook, the state change of one check. One alert per check: the check's id is the key.
//!
//! The secret is in the URL alone; there is no signature. Uptime checks are UP or DOWN, transaction checks SUCCESS or FAILING.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Pingdom;

const GUIDE: &str = "\
1. In Pingdom open **Integrations**, and add one of the type **Webhook** with the address `{url}`.
2. Tick it in each check that should wake people, and **Alert when back up** beside it: that is what resolves the alert.

A check of low importance is a warning; of any other the integration’s own severity counts, `error` unless it is set.
";

impl Source for Pingdom {
    fn name(&self) -> &'static str {
        "pingdom"
    }

    fn title(&self) -> &'static str {
        "Pingdom"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let id = reading::scalar(body.get("check_id")).ok_or("it has no check_id")?;
    let state = line(body, "current_state").ok_or("it has no current_state")?;
    let empty = Map::new();
    let params = reading::object(body, "check_params").unwrap_or(&empty);
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: title(&id, &state, body),
        severity: severity(body),
        action: action(&state),
        at: at(body),
        ends_at: None,
        url: watched(params).and_then(|url| reading::url(&url)),
        labels: labels(&state, body, params),
    })
}

/// A state that Pingdom has added since is not UP: rather one call too many than none.
fn action(state: &str) -> Action {
    match state.to_ascii_uppercase().as_str() {
        "UP" | "SUCCESS" => Action::Resolve,
        _ => Action::Trigger,
    }
}

/// HIGH is what a check has unless someone lowered it, so it says nothing and the integration's severity counts.
fn severity(body: &Map<String, Value>) -> Option<AlertSeverity> {
    let level = reading::scalar(body.get("importance_level"))?;
    level.trim().eq_ignore_ascii_case("low").then_some(AlertSeverity::Warning)
}

/// When the state changed, not when the message left: a late retry is told by it.
fn at(body: &Map<String, Value>) -> Option<Time> {
    let seconds = reading::seconds(body.get("state_changed_timestamp")).map(Time::from_seconds);
    seconds.or_else(|| {
        let text = reading::scalar(body.get("state_changed_utc_time"))?;
        // It comes without its zone.
        reading::rfc3339(&format!("{}Z", text.trim().trim_end_matches('Z')))
    })
}

fn title(id: &str, state: &str, body: &Map<String, Value>) -> String {
    let name = line(body, "check_name").unwrap_or_else(|| format!("Pingdom check {id}"));
    let kind = line(body, "check_type").map(|kind| format!(" ({kind})")).unwrap_or_default();
    // A long name is cut first: what happened to it is the news.
    let news = format!(" is {state}{kind}");
    let room = limits::TITLE_CHARS.saturating_sub(news.chars().count()).max(1);
    reading::line(&format!("{}{news}", reading::line(&name, room)), limits::TITLE_CHARS)
}

/// What the check looks at. A URL with a password in it is shown nowhere.
fn watched(params: &Map<String, Value>) -> Option<String> {
    let url = reading::scalar(params.get("full_url")).or_else(|| reading::scalar(params.get("url")))?;
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    (!host.contains('@')).then_some(url)
}

fn labels(state: &str, body: &Map<String, Value>, params: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("state", state);
    for name in ["previous_state", "check_type", "importance_level", "description", "long_description", "custom_message"] {
        labels.put_scalar(name, body.get(name));
    }
    labels.put_scalar("hostname", params.get("hostname"));
    labels.put_scalar("port", params.get("port"));
    labels.put("url", &watched(params).unwrap_or_default());
    labels.put_scalar("probe", reading::object(body, "first_probe").and_then(|probe| probe.get("location")));
    if let Some(tags) = body.get("tags").and_then(Value::as_array) {
        let tags: Vec<String> = tags.iter().filter_map(|tag| reading::scalar(Some(tag))).collect();
        labels.put("tags", &tags.join(","));
    }
    labels.done()
}

/// A field as one line that shows something.
fn line(body: &Map<String, Value>, name: &str) -> Option<String> {
    let text = reading::line(&reading::scalar(body.get(name))?, limits::LABEL_CHARS);
    (!text.is_empty()).then_some(text)
}
