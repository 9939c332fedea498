//! The REST endpoint of Splunk On-Call (once VictorOps): whoever sends there can send here, unchanged.
//!
//! `entity_id` is the key. Splunk On-Call makes up a random one where it is missing, and so never finds the end of what it began; here
//! what the alert says stands in, so that a repeat is the same alert. Further fields are the sender's own and become labels. The
//! shape: <https://help.splunk.com/en/splunk-observability-cloud/splunk-on-call>, "REST Endpoint integration".

use serde_json::{Map, Value};

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct SplunkOncall;

/// What stands in a link's, a note's and an image's name before the words for people.
const ANNOTATION: &str = "vo_annotate.";

const GUIDE: &str = "\
Whatever sends to Splunk On-Call’s REST endpoint keeps its body. Give it this address instead of \
`https://alert.victorops.com/integrations/generic/20131114/alert/…`:

1. `{url}`, or
2. where the sender puts the address together itself and only its host can be changed, \
`{server}/integrations/generic/20131114/alert/{key}/ROUTING_KEY`. The routing key becomes the label `routing_key`, and may be any word.

```sh
curl -fsS '{url}' --json '{\"message_type\":\"CRITICAL\",\"entity_id\":\"db-1/disk\",\"entity_display_name\":\"The disk of db-1 is full\"}'
```

`CRITICAL` and `WARNING` fire, `INFO` is recorded, `ACKNOWLEDGEMENT` acknowledges, and `RECOVERY` of the same `entity_id` ends it:

```sh
curl -fsS '{url}' --json '{\"message_type\":\"RECOVERY\",\"entity_id\":\"db-1/disk\"}'
```
";

impl Source for SplunkOncall {
    fn name(&self) -> &'static str {
        "splunk-oncall"
    }

    fn title(&self) -> &'static str {
        "Splunk On-Call"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, routing_key(&inbound.path), integration)?])
    }
}

/// What it calls the entity that a body is about: its id, or what stands in for one.
#[must_use]
pub fn entity(body: &[u8]) -> Option<String> {
    entity_of(reading::json(body).ok()?.as_object()?)
}

fn entity_of(body: &Map<String, Value>) -> Option<String> {
    ["entity_id", "entity_display_name", "state_message"].iter().find_map(|name| reading::scalar(body.get(*name)))
}

/// The last part of Splunk On-Call's own path.
fn routing_key(path: &str) -> Option<&str> {
    let (_, rest) = path.split('?').next()?.split_once("/integrations/generic/")?;
    rest.split('/').nth(3)
}

fn signal(body: &Map<String, Value>, routing_key: Option<&str>, integration: &Integration) -> Result<Signal, String> {
    let entity = entity_of(body).ok_or("it has no entity_id, entity_display_name or state_message")?;
    let message_type = reading::scalar(body.get("message_type")).unwrap_or_default();
    let (action, severity) = action(&message_type);
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&entity),
        title: title(&entity, body),
        severity,
        action,
        // `state_start_time` is when its state began, which a later message may say of an earlier moment: that orders nothing.
        at: reading::seconds(body.get("timestamp")).map(Time::from_seconds).or_else(|| reading::instant(body.get("timestamp")?)),
        ends_at: None,
        url: annotations(body).into_iter().filter(|annotation| annotation.is_link).find_map(|annotation| reading::url(&annotation.value)),
        labels: labels(body, &message_type, routing_key).done(),
    })
}

/// A word that is none of theirs fires: rather one call too many than none.
fn action(message_type: &str) -> (Action, Option<AlertSeverity>) {
    match message_type.trim().to_ascii_uppercase().as_str() {
        "CRITICAL" => (Action::Trigger, Some(AlertSeverity::Critical)),
        "WARNING" => (Action::Trigger, Some(AlertSeverity::Warning)),
        "INFO" => (Action::Trigger, Some(AlertSeverity::Info)),
        "ACKNOWLEDGEMENT" | "ACKNOWLEDGMENT" => (Action::Acknowledge, None),
        "RECOVERY" => (Action::Resolve, None),
        _ => (Action::Trigger, None),
    }
}

fn title(entity: &str, body: &Map<String, Value>) -> String {
    let text = |name: &str| body.get(name).and_then(reading::text);
    let entity = reading::line(entity, limits::TITLE_CHARS);
    let said = text("entity_display_name").or_else(|| match text("state_message") {
        Some(message) if message != entity && !entity.is_empty() => Some(format!("{entity}: {message}")),
        message => message,
    });
    let said = said.unwrap_or(entity);
    if said.is_empty() { "An alert without a title".to_owned() } else { reading::line(&said, limits::TITLE_CHARS) }
}

/// A link, a note or an image beside an alert.
struct Annotation {
    name: String,
    value: String,
    is_link: bool,
}

/// `vo_annotate.u.Runbook`, as one name or as objects in each other: `u` is a link, `s` a note, `i` an image.
fn annotations(body: &Map<String, Value>) -> Vec<Annotation> {
    let annotation = |kind: &str, name: &str, value: &Value| {
        Some(Annotation { name: name.to_owned(), value: reading::scalar(Some(value))?, is_link: kind == "u" })
    };
    let flat = body.iter().filter_map(|(name, value)| {
        let (kind, name) = name.strip_prefix(ANNOTATION)?.split_once('.')?;
        annotation(kind, name, value)
    });
    let nested = body.get("vo_annotate").and_then(Value::as_object).into_iter().flatten();
    let nested = nested
        .flat_map(|(kind, named)| named.as_object().into_iter().flatten().filter_map(move |(name, value)| annotation(kind, name, value)));
    flat.chain(nested).take(limits::LABELS).collect()
}

fn labels(body: &Map<String, Value>, message_type: &str, routing_key: Option<&str>) -> Labels {
    let mut labels = Labels::default();
    labels.put("message_type", message_type);
    labels.put("routing_key", routing_key.unwrap_or_default());
    for name in ["monitoring_tool", "state_message", "entity_id"] {
        labels.put_scalar(name, body.get(name));
    }
    for annotation in annotations(body) {
        labels.put(&annotation.name, &annotation.value);
    }
    for (name, value) in body {
        if !name.starts_with(ANNOTATION) && !matches!(name.as_str(), "entity_display_name" | "timestamp") {
            labels.put_scalar(name, Some(value));
        }
    }
    labels
}
