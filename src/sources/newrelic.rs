//! New Relic: the issues of its workflows, and the incidents of the channels that came before.
//!
//! | | workflow | legacy |
//! |---|---|---|
//! | the key | `id`, or `issueId` as some templates call it | `incident_id` |
//! | what happened | `state`: CREATED, ACTIVATED, CLOSED, DEACTIVATED | `current_state`: open, acknowledged, closed |
//! | when | `updatedAt`, milliseconds | `timestamp`, milliseconds |
//! | how bad | `priority` | `severity` |
//!
//! An acknowledgement arrives as ACTIVATED with the trigger `USER_ACTION`. Truth values may come as texts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Source;
use super::field;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct NewRelic;

const GUIDE: &str = "\
1. In New Relic open **Alerts**, **Destinations**, and add one of the type **Webhook** with the endpoint URL `{url}`.
2. Open **Alerts**, **Workflows**, add a workflow, choose which issues should wake people, and notify the channel **Webhook** with
   that destination. Leave its payload as it is.
3. Under the workflow’s settings let it notify when an issue is activated, acknowledged and closed: closing resolves the alert.

The priority of an issue decides how urgent it is: Critical is critical, High an error, Medium a warning. Low wakes nobody unless the
service says otherwise.
";

impl Source for NewRelic {
    fn name(&self) -> &'static str {
        "newrelic"
    }

    fn title(&self) -> &'static str {
        "New Relic"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    if body.contains_key("incident_id") && body.contains_key("current_state") {
        legacy(body, integration)
    } else {
        issue(body, integration)
    }
}

fn issue(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let id = field::filled(body, "id").or_else(|| field::filled(body, "issueId")).ok_or("it has neither an id nor an issueId")?;
    let state = field::text(body, "state").unwrap_or_default();
    let trigger = field::text(body, "trigger").or_else(|| field::text(body, "triggerEvent")).unwrap_or_default();
    let by_hand = trigger.eq_ignore_ascii_case("USER_ACTION");
    let action = match state.to_ascii_uppercase().as_str() {
        "CLOSED" | "DEACTIVATED" => Action::Resolve,
        "ACTIVATED" if by_hand => Action::Acknowledge,
        _ => Action::Trigger,
    };
    let severity = field::text(body, "priority").and_then(|word| match word.to_ascii_uppercase().as_str() {
        "CRITICAL" => Some(AlertSeverity::Critical),
        "HIGH" => Some(AlertSeverity::Error),
        "MEDIUM" => Some(AlertSeverity::Warning),
        "LOW" => Some(AlertSeverity::Info),
        _ => None,
    });
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: field::text(body, "title").unwrap_or_else(|| reading::line(&format!("New Relic issue {id}"), limits::TITLE_CHARS)),
        severity,
        action,
        // An issue without an update is as old as itself.
        at: reading::millis(body.get("updatedAt")).or_else(|| reading::millis(body.get("createdAt"))),
        ends_at: None,
        url: link(body, &["issueUrl", "issuePageUrl"]),
        labels: issue_labels(body, &state, &trigger),
    })
}

fn issue_labels(body: &Map<String, Value>, state: &str, trigger: &str) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("state", state);
    labels.put("trigger", trigger);
    for (name, field) in [
        ("entities", "impactedEntities"),
        ("policy", "alertPolicyNames"),
        ("condition", "alertConditionNames"),
        ("incidents", "totalIncidents"),
        ("sources", "sources"),
        ("workflow", "workflowName"),
        ("correlated", "isCorrelated"),
    ] {
        labels.put_list(name, body.get(field));
    }
    labels.done()
}

fn legacy(body: &Map<String, Value>, integration: &Integration) -> Result<Signal, String> {
    let id = field::filled(body, "incident_id").ok_or("its incident_id is empty")?;
    let state = field::text(body, "current_state").unwrap_or_default();
    // The test of a channel has no condition and no incident.
    let is_test = id == "0" && field::text(body, "condition_id").is_some_and(|condition| condition == "0");
    let action = match state.to_ascii_lowercase().as_str() {
        _ if is_test => Action::Ignore("the test of a notification channel, which wakes nobody".to_owned()),
        "closed" => Action::Resolve,
        "acknowledged" => Action::Acknowledge,
        _ => Action::Trigger,
    };
    let severity = field::text(body, "severity").and_then(|word| AlertSeverity::parse(&word.to_ascii_lowercase()));
    let named = field::text(body, "condition_name").unwrap_or_else(|| format!("New Relic incident {id}"));
    let mut labels = Labels::default();
    labels.put("state", &state);
    for (name, field) in [
        ("policy", "policy_name"),
        ("condition", "condition_name"),
        ("account", "account_name"),
        ("owner", "owner"),
        ("event_type", "event_type"),
    ] {
        labels.put_scalar(name, body.get(field));
    }
    for (name, field) in [("runbook", "runbook_url"), ("chart", "violation_chart_url"), ("acknowledge", "incident_acknowledge_url")] {
        labels.put_url(name, body.get(field));
    }
    let target = body.get("targets").and_then(Value::as_array).and_then(|targets| targets.first()).and_then(Value::as_object);
    if let Some(target) = target {
        labels.put_scalar("target", target.get("name"));
        labels.put_scalar("target_type", target.get("type"));
        labels.put_all(reading::object(target, "labels"));
    }
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&id),
        title: field::headline(&named, ": ", &field::text(body, "details").unwrap_or_default()),
        severity,
        action,
        at: reading::millis(body.get("timestamp")),
        ends_at: None,
        url: link(body, &["incident_url"]),
        labels: labels.done(),
    })
}

fn link(body: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| reading::url(&reading::scalar(body.get(*name))?))
}
