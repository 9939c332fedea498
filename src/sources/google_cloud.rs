//! Google Cloud Monitoring's webhooks, schema versions 1.1 (Stackdriver) and 1.2: the incident of one policy and one series.
//!
//! `state` alone says whether it is open: `ended_at` is null, zero, or a time, while it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::field;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct GoogleCloud;

const GUIDE: &str = "\
1. In the Google Cloud console open **Monitoring**, **Alerting**, **Edit notification channels**, and add a **Webhook** with the
   endpoint URL `{url}`. Its test is counted and wakes nobody.
2. Name it as a notification channel of each policy that should wake people, and tick **Notify on incident closure** there:
   it is what resolves the alert.

The severity level of a policy decides how urgent it is: Critical, Error or Warning. Without one the integration’s own counts.
";

impl Source for GoogleCloud {
    fn name(&self) -> &'static str {
        "google-cloud"
    }

    fn title(&self) -> &'static str {
        "Google Cloud Monitoring"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let incident = body.get("incident").ok_or("it has no incident")?;
    let incident = incident.as_object().ok_or_else(|| format!("its incident is {}, not an object", reading::shape(incident)))?;
    let id = field::filled(incident, "incident_id").ok_or("its incident has no incident_id")?;
    let is_test = field::text(body, "version").is_some_and(|version| version.eq_ignore_ascii_case("test"));
    let is_closed = field::text(incident, "state").is_some_and(|state| state.eq_ignore_ascii_case("closed"));
    let action = match (is_test, is_closed) {
        (true, _) => Action::Ignore("the test of a notification channel, which wakes nobody".to_owned()),
        (false, true) => Action::Resolve,
        (false, false) => Action::Trigger,
    };
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: title(&id, incident),
        severity: severity(incident),
        at: at(&action, incident),
        action,
        ends_at: None,
        url: reading::scalar(incident.get("url")).and_then(|url| reading::url(&url)),
        labels: labels(incident),
    })
}

/// An incident is opened once and closed once.
fn at(action: &Action, incident: &Map<String, Value>) -> Option<Time> {
    let started = reading::seconds(incident.get("started_at"));
    let ended = reading::seconds(incident.get("ended_at"));
    let seconds = if *action == Action::Resolve { started.max(ended) } else { started };
    seconds.map(Time::from_seconds)
}

/// "No severity" is what a policy has unless someone gave it one.
fn severity(incident: &Map<String, Value>) -> Option<AlertSeverity> {
    match field::text(incident, "severity")?.to_ascii_lowercase().as_str() {
        "critical" => Some(AlertSeverity::Critical),
        "error" => Some(AlertSeverity::Error),
        "warning" => Some(AlertSeverity::Warning),
        _ => None,
    }
}

/// Not the summary, whose news comes last, after every label of the series.
fn title(id: &str, incident: &Map<String, Value>) -> String {
    let policy = field::text(incident, "policy_name");
    let condition = field::text(incident, "condition_name");
    let whom = field::text(incident, "resource_display_name").or_else(|| field::text(incident, "resource_name"));
    let whom = whom.map(|name| format!(" on {name}")).unwrap_or_default();
    let text = match (condition, policy) {
        (Some(condition), Some(policy)) if condition != policy => format!("{condition}{whom} ({policy})"),
        (Some(only), _) | (None, Some(only)) => format!("{only}{whom}"),
        (None, None) => field::text(incident, "summary").unwrap_or_else(|| format!("Google Cloud incident {id}")),
    };
    reading::line(&text, limits::TITLE_CHARS)
}

fn labels(incident: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    for (name, field) in [
        ("state", "state"),
        ("policy", "policy_name"),
        ("condition", "condition_name"),
        ("summary", "summary"),
        ("project", "scoping_project_id"),
        ("resource", "resource_name"),
        ("observed_value", "observed_value"),
        ("threshold_value", "threshold_value"),
    ] {
        labels.put_scalar(name, incident.get(field));
    }
    labels.put_all(reading::object(incident, "policy_user_labels"));
    let inside = |name: &str, part: &str| reading::object(incident, name)?.get(part);
    labels.put_scalar("resource_type", inside("resource", "type"));
    labels.put_scalar("metric", inside("metric", "type"));
    for (name, part) in [("resource", "labels"), ("metric", "labels"), ("metadata", "user_labels"), ("metadata", "system_labels")] {
        labels.put_all(inside(name, part).and_then(Value::as_object));
    }
    let documentation = inside("documentation", "content");
    labels.put_scalar("documentation", documentation);
    for link in inside("documentation", "links").and_then(Value::as_array).into_iter().flatten().take(limits::LABELS) {
        let name = reading::scalar(link.get("displayName")).unwrap_or_else(|| "link".to_owned());
        labels.put_url(&name, link.get("url"));
    }
    labels.done()
}
