//! Alertmanager's webhook, versions 4 and 3: the whole group in each body, one signal per alert of it.
//!
//! Each alert stands for itself: its fingerprint is the key and its own status counts, never the group's. An alert that a body does
//! not name is not resolved by that: `max_alerts` cuts bodies, and what is resolved is sent so.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::reading::{self, Labels};
use super::{Source, readable, unreadable};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Alertmanager;

const GUIDE: &str = "\
Add a receiver to `alertmanager.yml`, route to it what should wake people, and reload Alertmanager:

```yaml
receivers:
  - name: reveille
    webhook_configs:
      - url: '{url}'
        send_resolved: true

route:
  # Beside the routes and the receiver that are there already.
  routes:
    - matchers: ['severity=~\"critical|error|warning\"']
      receiver: reveille
      continue: true
```

The label `severity` decides how urgent it is: `critical`, `error`, `warning` or `info`.
";

impl Source for Alertmanager {
    fn name(&self) -> &'static str {
        "alertmanager"
    }

    fn title(&self) -> &'static str {
        "Alertmanager"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        group(self, reading::as_object(&reading::json_group(&inbound.body)?)?, integration, |_, _| {})
    }

    fn body_cap(&self) -> usize {
        limits::GROUP_BODY_BYTES
    }
}

/// What a body says of the group as a whole.
struct Group<'a> {
    status: Option<&'a str>,
    external_url: Option<String>,
    receiver: Option<&'a Value>,
    truncated: Option<&'a Value>,
}

/// Grafana sends the same shape, and `refine` adds to a signal what only it says of the alert.
pub(super) fn group(
    source: &dyn Source,
    body: &Map<String, Value>,
    integration: &Integration,
    refine: fn(&Map<String, Value>, &mut Signal),
) -> Result<Vec<Signal>, String> {
    let alerts = body.get("alerts").ok_or("it has no alerts")?;
    let alerts = alerts.as_array().ok_or_else(|| format!("its alerts are {}, not a list", reading::shape(alerts)))?;
    if alerts.is_empty() {
        return Ok(vec![empty(source, integration)]);
    }
    let group = Group {
        status: body.get("status").and_then(Value::as_str),
        external_url: body.get("externalURL").and_then(Value::as_str).and_then(reading::url),
        receiver: body.get("receiver"),
        truncated: body.get("truncatedAlerts").filter(|n| n.as_u64().is_some_and(|n| n > 0)),
    };
    let (mut signals, wrong) = readable(alerts.iter().map(|alert| signal(alert, &group, integration, refine)));
    signals.extend(wrong.map(|why| unreadable(integration, source.title(), &why)));
    Ok(signals)
}

fn signal(
    alert: &Value,
    group: &Group<'_>,
    integration: &Integration,
    refine: fn(&Map<String, Value>, &mut Signal),
) -> Result<Signal, String> {
    let alert = reading::as_object(alert)?;
    let empty = Map::new();
    let labels = reading::object(alert, "labels").unwrap_or(&empty);
    let annotations = reading::object(alert, "annotations").unwrap_or(&empty);
    let action = action(alert, group);
    let mut signal = Signal {
        integration: integration.id.clone(),
        dedup_key: key(alert, labels)?,
        title: title(labels, annotations),
        severity: severity(labels),
        at: at(alert, action == Action::Resolve),
        action,
        ends_at: ends_at(alert, group),
        url: alert.get("generatorURL").and_then(Value::as_str).and_then(reading::url).or_else(|| group.external_url.clone()),
        labels: kept(labels, annotations, group),
    };
    refine(alert, &mut signal);
    Ok(signal)
}

/// Version 3 and the early 4 have no fingerprint. It is a digest of all labels, and so is what stands in for it.
fn key(alert: &Map<String, Value>, labels: &Map<String, Value>) -> Result<String, String> {
    if let Some(fingerprint) = reading::scalar(alert.get("fingerprint")) {
        return Ok(reading::key(&fingerprint));
    }
    if labels.is_empty() {
        return Err("it has neither a fingerprint nor labels".to_owned());
    }
    let sorted: BTreeMap<&String, &Value> = labels.iter().collect();
    let text = serde_json::to_string(&sorted).map_err(|_| "its labels cannot be written down".to_owned())?;
    Ok(format!("labels:{}", digest_hex(text.as_bytes())))
}

/// A status that is missing is the group's; one that is neither counts as firing: rather one call too many than none.
fn action(alert: &Map<String, Value>, group: &Group<'_>) -> Action {
    let status = alert.get("status").and_then(Value::as_str).or(group.status).unwrap_or_default();
    if status.trim().eq_ignore_ascii_case("resolved") { Action::Resolve } else { Action::Trigger }
}

/// When this stretch of firing began, for a resolve as well. Older stretches are then stale, and within one the order of arrival
/// counts, which Alertmanager keeps: it never sends a group's next body before the last is through.
///
/// The `endsAt` of a resolve would be wrong: when Prometheus is silent for too long, Alertmanager resolves by itself what still
/// fires, and sends it again afterwards with the `startsAt` of old. That must not look older than the resolve, or it pages nobody.
///
/// Of what fires, `endsAt` is a guess that lies ahead and moves on with each message: a resolve would look older than it.
fn at(alert: &Map<String, Value>, is_over: bool) -> Option<Time> {
    let time = |name: &str| alert.get(name).and_then(Value::as_str).and_then(reading::rfc3339);
    // The zero time, year 1, is out of the range that is taken, and so absent.
    time("startsAt").or_else(|| time("endsAt").filter(|_| is_over))
}

/// Alertmanager fills `endsAt` of a firing alert with the zero time. Who sends its shape and gives one means it: Prometheus gives
/// each alert a few minutes and sends it again before they are over.
fn ends_at(alert: &Map<String, Value>, group: &Group<'_>) -> Option<Time> {
    let time = |name: &str| alert.get(name).and_then(Value::as_str).and_then(reading::rfc3339);
    let ends_at = time("endsAt").filter(|ends_at| time("startsAt").is_none_or(|starts_at| *ends_at > starts_at))?;
    (action(alert, group) == Action::Trigger).then_some(ends_at)
}

/// The label is a convention; these are the words in use. Others leave it to the integration.
pub(super) fn severity(labels: &Map<String, Value>) -> Option<AlertSeverity> {
    let word = reading::scalar(labels.get("severity"))?.trim().to_ascii_lowercase();
    match word.as_str() {
        "critical" | "page" => Some(AlertSeverity::Critical),
        "error" | "high" => Some(AlertSeverity::Error),
        "warning" => Some(AlertSeverity::Warning),
        "info" | "none" => Some(AlertSeverity::Info),
        _ => None,
    }
}

pub(super) fn title(labels: &Map<String, Value>, annotations: &Map<String, Value>) -> String {
    let line = |value: Option<&Value>| {
        let text = reading::line(&reading::scalar(value)?, limits::TITLE_CHARS);
        (!text.is_empty()).then_some(text)
    };
    if let Some(said) = line(annotations.get("summary")).or_else(|| line(annotations.get("title"))) {
        return said;
    }
    let name = line(labels.get("alertname")).unwrap_or_else(|| "An alert without a name".to_owned());
    let place = match (line(labels.get("instance")), line(labels.get("job"))) {
        (Some(instance), Some(job)) => format!(" on {instance} ({job})"),
        (Some(only), None) | (None, Some(only)) => format!(" on {only}"),
        (None, None) => String::new(),
    };
    reading::line(&format!("{name}{place}"), limits::TITLE_CHARS)
}

fn kept(labels: &Map<String, Value>, annotations: &Map<String, Value>, group: &Group<'_>) -> BTreeMap<String, String> {
    let mut kept = Labels::default();
    for (name, value) in labels {
        kept.put_scalar(name, Some(value));
    }
    for name in ["description", "message", "runbook_url", "dashboard_url"] {
        kept.put_scalar(name, annotations.get(name));
    }
    kept.put_scalar("receiver", group.receiver);
    kept.put_scalar("truncated_alerts", group.truncated);
    kept.done()
}

/// It names no alert, so nothing began and nothing ended.
fn empty(source: &dyn Source, integration: &Integration) -> Signal {
    Signal {
        integration: integration.id.clone(),
        dedup_key: format!("{}:empty", source.name()),
        title: format!("{} sent a group without alerts", source.title()),
        severity: None,
        action: Action::Ignore("a group without alerts".to_owned()),
        at: None,
        ends_at: None,
        url: None,
        labels: BTreeMap::new(),
    }
}
