//! Sentry's webhooks: issue alerts, metric alerts, issues, errors, and the flat shape of the legacy plugin.
//!
//! One alert per issue, whatever tells of it: the issue's id is the key of an issue alert's event, of an error and of the issue itself.
//! A metric alert's key is its identifier, a new one each time the rule fires. `Sentry-Hook-Resource` names the body's shape; where a
//! proxy has dropped it, the body is looked at. The shapes: <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>.

use serde_json::Value;

use super::reading::{self, Labels};
use super::{Signature, Source};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Sentry;

/// Sentry's number for a metric alert that is over.
const STATUS_CLOSED: i64 = 2;

const GUIDE: &str = "\
1. In **Settings**, **Developer Settings** create an **Internal Integration**. Paste `{url}` as its **Webhook URL** and switch on \
**Alert Rule Action**. Its permissions: **Issue & Event**, read.
2. Under **Webhooks** tick **issue**, so that resolving at Sentry ends the alert here. Leave **error** alone unless every single error \
should count.
3. In each alert rule add the action **Send a notification via** that integration. An issue alert fires for an issue, a metric alert for \
a threshold; **critical** and **warning** arrive as such.
4. Give the **Client Secret** that Sentry shows then to Reveille’s integration as its `secret`: Sentry signs every body with it.

The legacy **WebHooks** plugin of a project takes the same address, where the integration has no secret: it signs nothing. It never \
says that an issue is resolved.
";

impl Source for Sentry {
    fn name(&self) -> &'static str {
        "sentry"
    }

    fn title(&self) -> &'static str {
        "Sentry"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signature(&self) -> Option<Signature> {
        Some(Signature { header: "sentry-hook-signature", prefix: "", timestamp: None })
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(inbound.header("sentry-hook-resource"), &reading::json(&inbound.body)?, integration)?])
    }
}

/// What a body is about.
#[derive(Debug, Clone, Copy)]
enum Resource {
    /// An event, sent because an issue alert's rule was met or because every error is sent.
    Event,
    Issue,
    MetricAlert,
    Legacy,
    /// Comments, installations and the like.
    Aside,
}

fn signal(header: Option<&str>, body: &Value, integration: &Integration) -> Result<Signal, String> {
    reading::as_object(body)?;
    let resource = resource(header, body).ok_or("it has no event, issue or metric alert")?;
    let data = &body["data"];
    let action = body["action"].as_str().unwrap_or_default();
    let told = match resource {
        Resource::Event => of_event(event(data), data)?,
        Resource::Issue => of_issue(action, &data["issue"])?,
        Resource::MetricAlert => of_metric_alert(action, data)?,
        Resource::Legacy => of_legacy(body)?,
        Resource::Aside => aside(header.unwrap_or("a comment or an installation")),
    };
    let mut labels = told.labels;
    labels.put("action", action);
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&told.key),
        title: told.title,
        severity: told.severity,
        action: told.action,
        at: told.at,
        ends_at: None,
        url: told.url,
        labels: labels.done(),
    })
}

/// The header decides as far as the body bears it out.
fn resource(header: Option<&str>, body: &Value) -> Option<Resource> {
    let data = &body["data"];
    match header.map(str::trim) {
        Some("event_alert" | "error") if event(data).is_object() => Some(Resource::Event),
        Some("metric_alert") if data["metric_alert"].is_object() => Some(Resource::MetricAlert),
        Some("issue") if data["issue"].is_object() => Some(Resource::Issue),
        Some("comment" | "installation" | "seer" | "preprod_artifact") => Some(Resource::Aside),
        _ if data["metric_alert"].is_object() => Some(Resource::MetricAlert),
        _ if event(data).is_object() => Some(Resource::Event),
        _ if data["issue"].is_object() => Some(Resource::Issue),
        _ if !data["comment_id"].is_null() || data["installation"].is_object() => Some(Resource::Aside),
        _ if !body["id"].is_null() && (body["event"].is_object() || !body["project_slug"].is_null()) => Some(Resource::Legacy),
        _ => None,
    }
}

/// An issue alert has it as `event`, the resource of all errors as `error`.
fn event(data: &Value) -> &Value {
    if data["event"].is_object() { &data["event"] } else { &data["error"] }
}

/// What a body says, whichever shape it has.
struct Told {
    key: String,
    title: String,
    severity: Option<AlertSeverity>,
    action: Action,
    at: Option<Time>,
    url: Option<String>,
    labels: Labels,
}

fn of_event(event: &Value, data: &Value) -> Result<Told, String> {
    let key = issue_of(event).ok_or("its event has no issue_id")?;
    let mut labels = Labels::default();
    labels.put_scalar("rule", data.get("triggered_rule"));
    // The project is a number here, but the event's address in the API has its name.
    let project = event["url"].as_str().and_then(|url| url.split("/projects/").nth(1)?.split('/').nth(1)).map(str::to_owned);
    labels.put("project", project.as_deref().unwrap_or_default());
    labels.put_scalar("project_id", event.get("project"));
    of_an_event(event, &mut labels);
    Ok(Told {
        title: reading::headline(&[project, environment(event)], &wrong(event).unwrap_or_else(|| format!("Sentry issue {key}"))),
        severity: severity(&event["level"]),
        action: Action::Trigger,
        at: happened(event, &data["issue"]),
        url: event["web_url"].as_str().and_then(reading::url),
        labels,
        key,
    })
}

fn issue_of(event: &Value) -> Option<String> {
    reading::scalar(event.get("issue_id"))
        .or_else(|| reading::scalar(event.get("groupID")))
        .or_else(|| event["issue_url"].as_str()?.trim_end_matches('/').rsplit('/').next().filter(|id| !id.is_empty()).map(str::to_owned))
}

fn of_an_event(event: &Value, labels: &mut Labels) {
    labels.put("environment", &environment(event).unwrap_or_default());
    for name in ["level", "culprit", "release", "platform", "logger", "server_name", "transaction"] {
        labels.put_scalar(name, event.get(name));
    }
    for (name, value) in tags(event) {
        match name.as_str() {
            // Who was hit is nobody's business on a phone.
            name if name.starts_with("user") || name.starts_with("sentry:user") => {}
            "url" => labels.put("url", &reading::address(&Value::String(value)).unwrap_or_default()),
            name => labels.put(name, &value),
        }
    }
}

/// Pairs in a list; some versions have objects with `key` and `value`.
fn tags(event: &Value) -> Vec<(String, String)> {
    let tags = event["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    let pair = |tag: &Value| {
        let (name, value) = if tag.is_array() { (&tag[0], &tag[1]) } else { (&tag["key"], &tag["value"]) };
        Some((reading::text(name)?, reading::text(value)?))
    };
    tags.iter().take(limits::LABEL_CHARS).filter_map(pair).collect()
}

fn environment(event: &Value) -> Option<String> {
    reading::text(&event["environment"])
        .or_else(|| tags(event).into_iter().find(|(name, _)| name == "environment").map(|(_, environment)| environment))
}

/// An event, or an issue, in a line.
fn wrong(told: &Value) -> Option<String> {
    let metadata = &told["metadata"];
    let of_metadata = || match (reading::text(&metadata["type"]), reading::text(&metadata["value"])) {
        (Some(kind), Some(value)) => Some(format!("{kind}: {value}")),
        (only, None) | (None, only) => only,
    };
    reading::text(&told["title"])
        .or_else(of_metadata)
        .or_else(|| reading::text(&told["message"]))
        .or_else(|| reading::text(&told["logentry"]["formatted"]))
}

/// As the clock of the machine says on which it happened. Where the issue was seen after that already, the clock is slow or the event was
/// long on its way, and when Sentry received it counts: a regression must not look older than the resolve.
fn happened(event: &Value, issue: &Value) -> Option<Time> {
    let received = fraction(&event["received"]).or_else(|| reading::instant(&event["received"]));
    let at = reading::instant(&event["datetime"]).or_else(|| reading::seconds(event.get("timestamp")).map(Time::from_seconds));
    let seen = [issue, &event["issue"], &event["group"]].into_iter().find_map(|issue| reading::instant(&issue["lastSeen"]));
    match (at, seen) {
        (Some(at), Some(seen)) if at < seen => received.or(Some(at)),
        _ => at.or(received),
    }
}

/// Seconds with a fraction, to the microsecond.
fn fraction(value: &Value) -> Option<Time> {
    let whole = reading::seconds(Some(value))?;
    #[expect(clippy::cast_possible_truncation, reason = "a part of a second in microseconds")]
    let part = value.as_f64().map_or(0, |seconds| (seconds.fract() * 1e6) as i64);
    Some(Time(Time::from_seconds(whole).0 + part))
}

/// No body says when an issue was resolved or opened again, only when it was last seen. Whatever people did came after that, so it
/// counts as a microsecond later: an event that is delivered late is older than the resolve, and a new one is newer. What people do
/// twice has equal times, and arrives in order.
fn of_issue(action: &str, issue: &Value) -> Result<Told, String> {
    let key = reading::scalar(issue.get("id")).ok_or("its issue has no id")?;
    let is_over = matches!(issue["status"].as_str(), Some("resolved" | "ignored"));
    let is_first = action == "created";
    let action = match action {
        "created" | "unresolved" => Action::Trigger,
        // Who archives an issue has looked at it; should it escalate, Sentry says that it is unresolved.
        "resolved" | "archived" | "ignored" => Action::Resolve,
        // Rules assign as well as people do: it need not have been seen by anybody.
        "assigned" => Action::Ignore("an issue was assigned at Sentry".to_owned()),
        _ if is_over => Action::Resolve,
        _ => Action::Trigger,
    };
    let seen = reading::instant(&issue["lastSeen"]);
    let project = reading::text(&issue["project"]["slug"]).or_else(|| reading::text(&issue["project"]["name"]));
    let mut labels = Labels::default();
    labels.put("project", project.as_deref().unwrap_or_default());
    labels.put_scalar("project_id", issue["project"].get("id"));
    for (label, name) in [("short_id", "shortId"), ("level", "level"), ("culprit", "culprit"), ("platform", "platform")] {
        labels.put_scalar(label, issue.get(name));
    }
    for (label, name) in [("status", "status"), ("substatus", "substatus"), ("occurrences", "count"), ("users", "userCount")] {
        labels.put_scalar(label, issue.get(name));
    }
    Ok(Told {
        title: reading::headline(&[project], &wrong(issue).unwrap_or_else(|| format!("Sentry issue {key}"))),
        severity: severity(&issue["level"]),
        at: if is_first { seen } else { seen.map(|seen| seen + Span(1)) },
        url: ["web_url", "permalink"].iter().find_map(|name| issue[*name].as_str().and_then(reading::url)),
        action,
        labels,
        key,
    })
}

/// Each time its rule fires it has a new identifier, so what was resolved stays so: a resolve counts as later than all the rest.
fn of_metric_alert(action: &str, data: &Value) -> Result<Told, String> {
    let alert = &data["metric_alert"];
    let rule = &alert["alert_rule"];
    let identifier = reading::scalar(alert.get("identifier")).or_else(|| reading::scalar(alert.get("id")));
    let identifier = identifier.ok_or("its metric alert has no identifier")?;
    let (action, severity) = match action {
        "critical" => (Action::Trigger, Some(AlertSeverity::Critical)),
        "warning" => (Action::Trigger, Some(AlertSeverity::Warning)),
        "resolved" => (Action::Resolve, None),
        _ if alert["status"].as_i64() == Some(STATUS_CLOSED) => (Action::Resolve, None),
        _ => (Action::Trigger, None),
    };
    let began = ["date_started", "date_detected", "date_created"].iter().find_map(|name| reading::instant(&alert[*name]));
    let at = match action {
        Action::Resolve => reading::instant(&alert["date_closed"]).max(began.map(|began| began + Span(1))),
        Action::Trigger | Action::Acknowledge | Action::Remark(_) | Action::Unreadable(_) | Action::Change(_) | Action::Ignore(_) => began,
    };
    let mut labels = Labels::default();
    labels.put_scalar("rule", rule.get("name"));
    labels.put_list("project", alert.get("projects"));
    labels.put_scalar("environment", rule.get("environment"));
    labels.put_scalar("description", data.get("description_text"));
    labels.put_scalar("query", rule.get("query"));
    labels.put_scalar("aggregate", rule.get("aggregate"));
    let name = reading::text(&data["description_title"]).or_else(|| reading::text(&rule["name"]));
    Ok(Told {
        title: name.or_else(|| reading::text(&alert["title"])).unwrap_or_else(|| format!("Sentry metric alert {identifier}")),
        // Issues have numbers too.
        key: format!("metric_alert:{identifier}"),
        severity,
        action,
        at,
        url: data["web_url"].as_str().and_then(reading::url),
        labels,
    })
}

fn of_legacy(body: &Value) -> Result<Told, String> {
    let key = reading::scalar(body.get("id")).ok_or("it has no id")?;
    let event = &body["event"];
    let project = reading::text(&body["project_slug"]).or_else(|| reading::text(&body["project"]));
    let mut labels = Labels::default();
    labels.put("project", project.as_deref().unwrap_or_default());
    labels.put_scalar("project_name", body.get("project_name"));
    labels.put_list("rule", body.get("triggering_rules"));
    for name in ["level", "culprit", "logger"] {
        labels.put_scalar(name, body.get(name));
    }
    of_an_event(event, &mut labels);
    let what = reading::text(&body["message"]).or_else(|| wrong(event)).unwrap_or_else(|| format!("Sentry issue {key}"));
    Ok(Told {
        title: reading::headline(&[project, environment(event)], &what),
        severity: severity(&body["level"]).or_else(|| severity(&event["level"])),
        action: Action::Trigger,
        at: happened(event, &body["issue"]),
        url: body["url"].as_str().and_then(reading::url),
        labels,
        key,
    })
}

fn aside(what: &str) -> Told {
    let what = reading::line(&what.replace('_', " "), limits::LABEL_CHARS);
    Told {
        key: "sentry:aside".to_owned(),
        title: format!("Sentry sent what is no alert: {what}"),
        severity: None,
        action: Action::Ignore(format!("no alert of Sentry's: {what}")),
        at: None,
        url: None,
        labels: Labels::default(),
    }
}

/// Debug is as little as we know.
fn severity(level: &Value) -> Option<AlertSeverity> {
    match level.as_str()?.trim().to_ascii_lowercase().as_str() {
        "fatal" => Some(AlertSeverity::Critical),
        "error" => Some(AlertSeverity::Error),
        "warning" => Some(AlertSeverity::Warning),
        "info" | "debug" => Some(AlertSeverity::Info),
        _ => None,
    }
}
