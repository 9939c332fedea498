//! Bugsnag's webhook. One alert per error, whose id is the key; a spike is about the whole project, and its key is the project's id.
//!
//! Nothing is signed. `trigger.type` says why the body was sent and `trigger.stateChange` what people did; `error` is missing where the
//! body is about the project. The shape: <https://docs.bugsnag.com/product/integrations/data-forwarding/webhook/>.

use serde_json::Value;

use super::Source;
use super::reading::{self, Labels};
use crate::base::inbound::Inbound;
use crate::base::time::{Span, Time};
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Bugsnag;

const GUIDE: &str = "\
1. In the project’s settings open **Integrations and email**, **Data forwarding**, **Webhook**.
2. Paste `{url}`. Bugsnag signs nothing: the key in the address is the secret.
3. Choose what is sent: new errors, reopened errors, frequent errors and spikes are the telling ones, and **error state is changed \
manually** is what ends an alert here when somebody marks its error as fixed or ignored. Who snoozes it acknowledges it. Releases are \
kept as changes. A spike has no end that Bugsnag tells of.
";

impl Source for Bugsnag {
    fn name(&self) -> &'static str {
        "bugsnag"
    }

    fn title(&self) -> &'static str {
        "Bugsnag"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json(&inbound.body)?, integration)?])
    }
}

fn signal(body: &Value, integration: &Integration) -> Result<Signal, String> {
    reading::as_object(body)?;
    let (trigger, error) = (&body["trigger"], &body["error"]);
    let kind = reading::text(&trigger["type"]).unwrap_or_default();
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key(&kind, body)?),
        title: title(&kind, body),
        severity: severity(&error["severity"]),
        action: action(&kind, trigger, error),
        at: at(&kind, error),
        ends_at: None,
        url: error["url"].as_str().and_then(reading::url).or_else(|| body["project"]["url"].as_str().and_then(reading::url)),
        labels: labels(&kind, body).done(),
    })
}

/// Being close to a limit and being over it are conditions of a project too, and neither is a spike.
fn key(kind: &str, body: &Value) -> Result<String, String> {
    let error = &body["error"];
    if let Some(id) = reading::scalar(error.get("errorId")).or_else(|| reading::scalar(error.get("id"))) {
        return Ok(id);
    }
    let project = reading::scalar(body["project"].get("id")).ok_or("it has neither an error nor a project with an id")?;
    Ok(if kind == "projectSpiking" || kind.is_empty() { project } else { format!("{project}:{kind}") })
}

/// What Bugsnag has added since counts by the error's status: rather one call too many than none.
fn action(kind: &str, trigger: &Value, error: &Value) -> Action {
    let is_over = matches!(error["status"].as_str(), Some("fixed" | "ignored"));
    match (kind, trigger["stateChange"].as_str().unwrap_or_default()) {
        ("release", _) => Action::Change("a release, reported by Bugsnag".to_owned()),
        ("comment", _) => Action::Ignore("a comment at Bugsnag".to_owned()),
        // Who ignores an error has looked at it. Bugsnag tells when it is open again.
        (_, "fixed" | "ignored") => Action::Resolve,
        (_, "snoozed") => Action::Acknowledge,
        (_, "reopened" | "snoozeCancelled" | "unignored") => Action::Trigger,
        ("firstException" | "powerTen" | "exception" | "errorEventFrequency" | "reopened" | "projectSpiking", _) => Action::Trigger,
        _ if is_over => Action::Resolve,
        _ => Action::Trigger,
    }
}

/// When the newest event of the error came in. What people do has no time of its own but is later than that, so it counts as a
/// microsecond later: the error's own exception, delivered late, is then older than the fix, and a new one is newer.
fn at(kind: &str, error: &Value) -> Option<Time> {
    let received = reading::instant(&error["receivedAt"]).or_else(|| reading::instant(&error["firstReceived"]))?;
    let by_event = matches!(kind, "firstException" | "powerTen" | "exception" | "errorEventFrequency");
    Some(if by_event { received } else { received + Span(1) })
}

fn severity(level: &Value) -> Option<AlertSeverity> {
    match level.as_str()?.trim().to_ascii_lowercase().as_str() {
        "error" => Some(AlertSeverity::Error),
        "warning" => Some(AlertSeverity::Warning),
        "info" => Some(AlertSeverity::Info),
        _ => None,
    }
}

fn title(kind: &str, body: &Value) -> String {
    let (project, trigger, error) = (&body["project"], &body["trigger"], &body["error"]);
    let exception = match (reading::text(&error["exceptionClass"]), reading::text(&error["message"])) {
        (Some(class), Some(message)) => Some(format!("{class}: {message}")),
        (only, None) | (None, only) => only,
    };
    let what = exception.or_else(|| {
        let rate = reading::text(&trigger["rate"]).map(|rate| format!(" ({rate} a minute)")).unwrap_or_default();
        Some(format!("{}{rate}", reading::text(&trigger["message"])?))
    });
    let what = what.unwrap_or_else(|| format!("Bugsnag sent {}", if kind.is_empty() { "a message" } else { kind }));
    reading::headline(&[reading::text(&project["name"]), reading::text(&error["releaseStage"])], &what)
}

fn labels(kind: &str, body: &Value) -> Labels {
    let (trigger, error, release) = (&body["trigger"], &body["error"], &body["release"]);
    let mut labels = Labels::default();
    labels.put("event", kind);
    labels.put_scalar("state_change", trigger.get("stateChange"));
    labels.put_scalar("project", body["project"].get("name"));
    labels.put_scalar("environment", error.get("releaseStage"));
    labels.put_scalar("environment", release.get("releaseStage"));
    labels.put_scalar("class", error.get("exceptionClass"));
    labels.put_scalar("context", error.get("context"));
    labels.put_scalar("version", error.get("appVersion"));
    labels.put_scalar("version", release.get("version"));
    labels.put_scalar("status", error.get("status"));
    labels.put_scalar("rate", trigger.get("rate"));
    labels.put("request_url", &reading::address(&error["requestUrl"]).unwrap_or_default());
    labels.put("issue_url", &error["createdIssue"]["url"].as_str().and_then(reading::url).unwrap_or_default());
    labels
}
