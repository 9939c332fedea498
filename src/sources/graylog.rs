//! Graylog: the HTTP notification of an event (version 3 and later), and the stream alert of the versions before.
//!
//! It tells what happened and never that it is over. The event's own id is another each time, so the key is the definition's, with the
//! key of the event where the definition has one; of a stream alert it is the condition's.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::field;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Graylog;

const GUIDE: &str = "\
1. In Graylog open **Alerts**, **Notifications**, and create one of the type **HTTP Notification** with the URL `{url}`.
   Graylog asks whether it may go there: add it to the URL allowlist.
2. Name it in each event definition that should wake people.
3. Graylog does not say when an alert is over. Give the service a `close_after`, or resolve its incidents by hand.

The priority of an event definition decides how urgent it is: critical is critical, high an error, low a warning. Normal, which is the
preset, leaves it to the integration’s own `severity`.

The test of a notification is counted and wakes nobody.
";

impl Source for Graylog {
    fn name(&self) -> &'static str {
        "graylog"
    }

    fn title(&self) -> &'static str {
        "Graylog"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    match reading::object(body, "check_result") {
        Some(check) => stream_alert(check, body, integration),
        None => event(body, integration),
    }
}

fn event(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let empty = Map::new();
    let event = reading::object(body, "event").unwrap_or(&empty);
    let definition = field::filled(body, "event_definition_id").or_else(|| field::filled(event, "event_definition_id"));
    let definition = definition.ok_or("it has neither an event_definition_id nor a check_result")?;
    let key = field::filled(event, "key").or_else(|| field::joined(event.get("key_tuple")));
    let is_test = field::text(body, "event_definition_type").is_some_and(|kind| kind == "test-dummy-v1");
    let named = field::text(body, "event_definition_title");
    let message = field::text(event, "message");
    let title = match (named, message) {
        // The message of an aggregation repeats the title: `Too many failed logins: count()=14`.
        (Some(name), Some(message)) if !message.starts_with(&name) => field::headline(&name, ": ", &message),
        (_, Some(only)) | (Some(only), None) => only,
        (None, None) => reading::line(&format!("Graylog event {definition}"), limits::TITLE_CHARS),
    };
    // Normal is what an event has unless someone changed it, so it says nothing and the integration's severity counts.
    let severity = field::text(event, "priority").and_then(|priority| match priority.as_str() {
        "1" => Some(AlertSeverity::Warning),
        "3" => Some(AlertSeverity::Error),
        "4" => Some(AlertSeverity::Critical),
        _ => None,
    });
    let mut labels = Labels::default();
    labels.put_all(reading::object(event, "group_by_fields"));
    labels.put_all(reading::object(event, "fields"));
    for (object, field, name) in [
        (body, "event_definition_title", "definition"),
        (body, "event_definition_description", "description"),
        (event, "source", "source"),
        (event, "key", "key"),
        (event, "priority", "priority"),
    ] {
        labels.put(name, &field::text(object, field).unwrap_or_default());
    }
    let backlog = body.get("backlog").and_then(Value::as_array).and_then(|backlog| backlog.first());
    labels.put_scalar("message", backlog.and_then(|first| first.get("message")));
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key.map_or_else(|| definition.clone(), |key| format!("{definition}:{key}"))),
        title,
        severity,
        action: if is_test { Action::Ignore("the test of a notification, which wakes nobody".to_owned()) } else { Action::Trigger },
        at: field::text(event, "timestamp").and_then(|text| reading::rfc3339(&text)),
        ends_at: None,
        url: None,
        labels: labels.done(),
    })
}

fn stream_alert(check: &Map<String, Value>, body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let empty = Map::new();
    let stream = reading::object(body, "stream").unwrap_or(&empty);
    let condition = reading::object(check, "triggered_condition").unwrap_or(&empty);
    let key = field::filled(condition, "id").or_else(|| field::filled(stream, "id"));
    let key = key.ok_or("it has neither an id of its condition nor one of its stream")?;
    let name = field::text(stream, "title").map_or_else(|| "A Graylog stream".to_owned(), |title| format!("Graylog stream {title}"));
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key),
        title: field::headline(&name, ": ", &field::text(check, "result_description").unwrap_or_default()),
        severity: None,
        action: Action::Trigger,
        at: field::text(check, "triggered_at").and_then(|text| reading::rfc3339(&text)),
        ends_at: None,
        url: None,
        labels: stream_labels(check, condition, stream),
    })
}

fn stream_labels(check: &Map<String, Value>, condition: &Map<String, Value>, stream: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put_scalar("stream", stream.get("title"));
    labels.put_scalar("description", stream.get("description"));
    labels.put_scalar("condition", condition.get("type"));
    labels.put_scalar("condition_title", condition.get("title"));
    labels.put_scalar("parameters", condition.get("description"));
    let first = check.get("matching_messages").and_then(Value::as_array).and_then(|messages| messages.first());
    labels.put_scalar("message", first.and_then(|message| message.get("message")));
    labels.put_scalar("source", first.and_then(|message| message.get("source")));
    labels.done()
}
