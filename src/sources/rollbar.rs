//! Rollbar's webhook. One alert per item: the item's id is the key from its first occurrence to its resolution.
//!
//! The secret is in the URL alone; there is no signature. Some bodies carry the project's access token, which is never kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Rollbar;

/// Rollbar's number for an item that is resolved, as text.
const STATUS_RESOLVED: &str = "2";

const GUIDE: &str = "\
1. In the project’s settings open **Notifications**, **Webhook**.
2. Paste `{url}` and enable it. Rollbar’s own test is answered and wakes nobody.
3. Choose the rules: new item, reactivated item, high occurrence rate and resolved item are the telling ones. Deploys are kept as changes.

The level of an item decides how urgent it is: critical, error or warning. What is below wakes nobody unless the service says otherwise.
";

impl Source for Rollbar {
    fn name(&self) -> &'static str {
        "rollbar"
    }

    fn title(&self) -> &'static str {
        "Rollbar"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let event = body.get("event_name").and_then(Value::as_str).ok_or("it has no event_name")?;
    let empty = Map::new();
    let data = reading::object(body, "data").unwrap_or(&empty);
    if matches!(event, "deploy" | "test") {
        return Ok(ignored(event, data, integration));
    }
    let event = reading::line(event, limits::LABEL_CHARS);
    let item = reading::object(data, "item").ok_or_else(|| format!("its event \"{event}\" has no item"))?;
    let id = reading::scalar(item.get("id")).ok_or_else(|| format!("the item of its event \"{event}\" has no id"))?;
    // The occurrence stands beside the item in some events and inside it in others; several have none.
    let occurrence = reading::object(data, "occurrence").or_else(|| reading::object(item, "last_occurrence")).unwrap_or(&empty);
    let action = action(&event, item);
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: title(&id, item, occurrence),
        severity: severity(item.get("level")).or_else(|| severity(occurrence.get("level"))),
        at: at(&action, item, occurrence),
        ends_at: None,
        url: url(occurrence),
        labels: labels(&event, data, item, occurrence),
        action,
    })
}

/// An event that Rollbar has added since counts by the item's status: rather one call too many than none.
fn action(event: &str, item: &Map<String, Value>) -> Action {
    match event {
        "resolved_item" => Action::Resolve,
        "new_item" | "occurrence" | "exp_repeat_item" | "item_velocity" | "reopened_item" | "reactivated_item" => Action::Trigger,
        _ if reading::scalar(item.get("status")).as_deref() == Some(STATUS_RESOLVED) => Action::Resolve,
        _ => Action::Trigger,
    }
}

/// The newest moment of the item's life that the body knows of.
///
/// A last occurrence alone is not enough: reopening by hand moves only the activation, and a resolve after it must not look older.
/// No body says when an item was resolved, but it was after everything the body knows, so a resolve counts as a microsecond later:
/// the item's own first event, retried days afterwards, is then older than the resolve, while a new occurrence (Rollbar counts
/// whole seconds) is newer.
fn at(action: &Action, item: &Map<String, Value>, occurrence: &Map<String, Value>) -> Option<Time> {
    let known = ["last_occurrence_timestamp", "last_activated_timestamp"].iter().filter_map(|name| reading::seconds(item.get(*name))).max();
    // The occurrence's own time may be a client's; it speaks only where Rollbar's is missing.
    let known = Time::from_seconds(known.or_else(|| reading::seconds(occurrence.get("timestamp")))?);
    Some(match action {
        Action::Resolve => known + Span(1),
        Action::Trigger | Action::Acknowledge | Action::Unreadable(_) | Action::Change(_) | Action::Ignore(_) | Action::Remark(_) => known,
    })
}

/// 10 to 50 on an item, a word on an occurrence. Debug is as little as we know.
fn severity(level: Option<&Value>) -> Option<AlertSeverity> {
    let level = reading::scalar(level)?.to_ascii_lowercase();
    match level.as_str() {
        "10" | "20" | "debug" | "info" => Some(AlertSeverity::Info),
        "30" | "warning" => Some(AlertSeverity::Warning),
        "40" | "error" => Some(AlertSeverity::Error),
        "50" | "critical" => Some(AlertSeverity::Critical),
        _ => None,
    }
}

fn title(id: &str, item: &Map<String, Value>, occurrence: &Map<String, Value>) -> String {
    // A title of control characters alone is no title.
    let words = |text: Option<String>| text.filter(|text| !reading::line(text, limits::TITLE_CHARS).is_empty());
    let said =
        words(reading::scalar(item.get("title"))).or_else(|| words(message(occurrence))).unwrap_or_else(|| format!("Rollbar item {id}"));
    match environment(item, occurrence) {
        Some(environment) => reading::line(&format!("[{environment}] {said}"), limits::TITLE_CHARS),
        None => reading::line(&said, limits::TITLE_CHARS),
    }
}

fn message(occurrence: &Map<String, Value>) -> Option<String> {
    let body = reading::object(occurrence, "body")?;
    let of_message = reading::object(body, "message").and_then(|message| reading::scalar(message.get("body")));
    of_message.or_else(|| {
        let exception = reading::object(reading::object(body, "trace")?, "exception")?;
        reading::scalar(exception.get("message")).or_else(|| reading::scalar(exception.get("class")))
    })
}

fn environment(item: &Map<String, Value>, occurrence: &Map<String, Value>) -> Option<String> {
    reading::scalar(item.get("environment")).or_else(|| reading::scalar(occurrence.get("environment")))
}

/// No body links to its item, but Rollbar leads from the UUID of any occurrence to it.
fn url(occurrence: &Map<String, Value>) -> Option<String> {
    let uuid = reading::scalar(occurrence.get("uuid"))?;
    let plain = uuid.len() <= 64 && uuid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    plain.then(|| format!("https://rollbar.com/item/uuid/?uuid={uuid}"))
}

fn labels(event: &str, data: &Map<String, Value>, item: &Map<String, Value>, occurrence: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("event", event);
    if let Some(environment) = environment(item, occurrence) {
        labels.put("environment", &environment);
    }
    // On the item the framework is a number of Rollbar's own; on the occurrence it is a name, if known.
    if let Some(framework) = reading::scalar(occurrence.get("framework")).filter(|name| name != "unknown") {
        labels.put("framework", &framework);
    }
    labels.put_scalar("counter", item.get("counter"));
    labels.put_scalar("project_id", item.get("project_id"));
    labels.put_scalar("total_occurrences", item.get("total_occurrences"));
    labels.put_scalar("language", occurrence.get("language"));
    labels.put_scalar("host", reading::object(occurrence, "server").and_then(|server| server.get("host")));
    labels.put_scalar("occurrences", data.get("occurrences"));
    if let Some(trigger) = reading::object(data, "trigger") {
        labels.put_scalar("threshold", trigger.get("threshold"));
        labels.put_scalar("window_seconds", trigger.get("window_size"));
    }
    labels.done()
}

fn ignored(event: &str, data: &Map<String, Value>, integration: &Integration) -> Signal {
    let mut labels = Labels::default();
    labels.put("event", event);
    let title = if event == "test" {
        "Rollbar sent a test".to_owned()
    } else {
        let deploy = reading::object(data, "deploy");
        let field = |name: &str| deploy.and_then(|deploy| reading::scalar(deploy.get(name)));
        for name in ["environment", "revision", "project_id", "comment"] {
            labels.put(name, &field(name).unwrap_or_default());
        }
        match field("environment") {
            Some(environment) => format!("[{environment}] Rollbar reported a deploy"),
            None => "Rollbar reported a deploy".to_owned(),
        }
    };
    Signal {
        integration: integration.id.clone(),
        dedup_key: format!("rollbar:{event}"),
        title: reading::line(&title, limits::TITLE_CHARS),
        severity: None,
        action: match event {
            "test" => Action::Ignore("a test of Rollbar's".to_owned()),
            _ => Action::Change("a deploy, reported by Rollbar".to_owned()),
        },
        at: None,
        ends_at: None,
        url: None,
        labels: labels.done(),
    }
}
