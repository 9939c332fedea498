//! Kibana's rules through its webhook connector. The body is its user's template; the one of the guide is read, and any that calls its
//! fields likewise.
//!
//! `alert.uuid` is one stretch of an alert, the same until it recovers; without it, `rule.id` and `alert.id` name the series. The
//! action group `recovered` resolves. How bad it is, is what the user has typed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::field;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Kibana;

const GUIDE: &str = r#"1. In Kibana open **Stack Management**, **Connectors**, and add a **Webhook** connector: method **POST**, URL `{url}`, no authentication,
   and the header `Content-Type: application/json`.
2. In each rule that should wake people add it as an action, once for when the rule fires, and once more for **Recovered**, with
   this body in both:

   ```json
   {
     "rule": { "id": "{{rule.id}}", "name": "{{rule.name}}", "url": "{{rule.url}}" },
     "alert": {
       "id": "{{alert.id}}",
       "uuid": "{{alert.uuid}}",
       "action_group": "{{alert.actionGroup}}",
       "flapping": "{{alert.flapping}}"
     },
     "severity": "error",
     "message": "{{context.message}}",
     "value": "{{context.value}}",
     "conditions": "{{context.conditions}}",
     "link": "{{context.link}}",
     "timestamp": "{{date}}",
     "tags": "{{rule.tags}}"
   }
   ```

3. As `severity` write what the rule is worth: `critical`, `error`, `warning` or `info`.
"#;

impl Source for Kibana {
    fn name(&self) -> &'static str {
        "kibana"
    }

    fn title(&self) -> &'static str {
        "Kibana"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let empty = Map::new();
    let rule = reading::object(body, "rule").unwrap_or(&empty);
    let alert = reading::object(body, "alert").unwrap_or(&empty);
    let group = field::text(alert, "action_group").or_else(|| field::text(alert, "actionGroup"));
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: key(rule, alert)?,
        title: title(body, rule, alert),
        severity: field::text(body, "severity").and_then(|word| severity(&word)),
        action: action(group.as_deref(), body),
        at: field::text(body, "timestamp").and_then(|text| reading::rfc3339(&text)),
        ends_at: None,
        url: reading::scalar(body.get("link"))
            .and_then(|link| reading::url(&link))
            .or_else(|| reading::url(&reading::scalar(rule.get("url"))?)),
        labels: labels(group.as_deref(), body, rule, alert),
    })
}

fn key(rule: &Map<String, Value>, alert: &Map<String, Value>) -> Result<String, String> {
    if let Some(uuid) = field::filled(alert, "uuid") {
        return Ok(reading::key(&uuid));
    }
    let rule = field::filled(rule, "id").ok_or("it has neither an alert.uuid nor a rule.id, or its placeholders were not filled in")?;
    // A rule that has not split its alerts has one, which some templates do not name.
    Ok(reading::key(&field::filled(alert, "id").map_or_else(|| rule.clone(), |id| format!("{rule}:{id}"))))
}

/// Kibana's own word counts before the user's.
fn action(group: Option<&str>, body: &Map<String, Value>) -> Action {
    let status = field::text(body, "status").unwrap_or_default().to_ascii_lowercase();
    let over = match group {
        Some(group) => group.eq_ignore_ascii_case("recovered"),
        None => matches!(status.as_str(), "resolved" | "recovered" | "ok"),
    };
    if over { Action::Resolve } else { Action::Trigger }
}

fn severity(word: &str) -> Option<AlertSeverity> {
    match word.to_ascii_lowercase().as_str() {
        "critical" => Some(AlertSeverity::Critical),
        "high" | "error" | "major" => Some(AlertSeverity::Error),
        "medium" | "warning" | "minor" => Some(AlertSeverity::Warning),
        "low" | "info" => Some(AlertSeverity::Info),
        _ => None,
    }
}

fn title(body: &Map<String, Value>, rule: &Map<String, Value>, alert: &Map<String, Value>) -> String {
    let name = field::text(rule, "name").or_else(|| field::text(body, "title"));
    let name = name.unwrap_or_else(|| "A Kibana rule without a name".to_owned());
    // The id of an alert is its group, db-3, or a phrase that says nothing.
    let whom = field::text(alert, "id").filter(|id| *id != "query matched" && *id != "*");
    let whom = whom.map(|id| format!(" ({id})")).unwrap_or_default();
    field::headline(&format!("{name}{whom}"), ": ", &field::text(body, "message").unwrap_or_default())
}

fn labels(
    group: Option<&str>,
    body: &Map<String, Value>,
    rule: &Map<String, Value>,
    alert: &Map<String, Value>,
) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("action_group", group.unwrap_or_default());
    let fields = [(rule, "id", "rule_id"), (rule, "type", "rule_type"), (alert, "id", "alert_id"), (alert, "flapping", "flapping")];
    for (object, field, name) in fields {
        labels.put(name, &field::text(object, field).unwrap_or_default());
    }
    for name in ["message", "value", "conditions", "status"] {
        labels.put(name, &field::text(body, name).unwrap_or_default());
    }
    labels.put_list("tags", body.get("tags"));
    labels.put_url("rule", rule.get("url"));
    labels.done()
}
