//! What is ordered of an incident with words of its own: declare, reassign, snooze, merge, split, severity, role, title, note, update, page.

use serde_json::{Map, Value, json};

use super::CliError;
use super::args::{
    IncidentDeclare, IncidentMerge, IncidentNote, IncidentPage, IncidentReassign, IncidentRole, IncidentSeverity, IncidentSnooze,
    IncidentSplit, IncidentTitle, IncidentUpdate, TestPage,
};
use super::client::Client;
use super::incident::{title, who};
use super::terminal::{Console, field};
use super::when::{Near, when};
use crate::base::id::Number;

pub(super) async fn declare(console: &mut Console<'_>, client: &Client, declare: &IncidentDeclare) -> Result<(), CliError> {
    let mut body = Map::new();
    body.insert("title".to_owned(), json!(declare.title));
    body.extend(declare.severity.map(|severity| ("severity".to_owned(), json!(severity.name()))));
    body.extend(declare.service.as_ref().map(|service| ("service".to_owned(), json!(service))));
    body.extend(declare.kind.map(|kind| ("kind".to_owned(), json!(kind.name()))));
    let incident = client.order(&["api", "v1", "incidents"], &Value::Object(body)).await?;
    if console.json {
        return console.document(&incident);
    }
    let number = field(&incident, "number");
    let is_real = field(&incident, "kind") == "real";
    let follows = match (field(&incident, "state").as_str(), is_real) {
        ("triggered", true) => "its policy is being paged",
        (_, true) => "you have it: nobody is paged by itself",
        (_, false) => "nobody is paged but whom you name",
    };
    console.line(&format!("#{number} is declared at {}, and {follows}: {}", field(&incident, "severity"), title(&incident)))?;
    console.hint(&format!("Its board: reveille who {number} · page somebody: reveille incident page {number} USER"))
}

/// Orders something and tells what came of it.
async fn order(
    console: &mut Console<'_>,
    client: &Client,
    number: Number,
    verb: &str,
    body: &Value,
    told: impl FnOnce(&Value) -> String,
    next: &str,
) -> Result<(), CliError> {
    let number = number.0.to_string();
    let incident = client.order(&["api", "v1", "incidents", &number, verb], body).await?;
    if console.json {
        return console.document(&incident);
    }
    console.line(&format!("#{number} {}: {}", told(&incident), title(&incident)))?;
    console.hint(&next.replace("NUMBER", &number))
}

pub(super) async fn reassign(console: &mut Console<'_>, client: &Client, asked: &IncidentReassign) -> Result<(), CliError> {
    let told = format!("is given to {}, who is being paged", asked.user);
    let next = "Whether they answer: reveille incident show NUMBER --watch";
    order(console, client, asked.number, "reassign", &json!({ "user": asked.user }), |_| told, next).await
}

pub(super) async fn snooze(console: &mut Console<'_>, client: &Client, asked: &IncidentSnooze) -> Result<(), CliError> {
    let body = json!({ "for": format!("{}s", asked.span.as_seconds()) });
    let told = format!("is snoozed for {}, and pages again after it", asked.span);
    order(console, client, asked.number, "snooze", &body, |_| told, "Sooner: reveille incident escalate NUMBER").await
}

pub(super) async fn merge(console: &mut Console<'_>, client: &Client, asked: IncidentMerge) -> Result<(), CliError> {
    let told = format!("went into #{}", asked.into.0);
    let next = "If it was something else: reveille incident unmerge NUMBER";
    order(console, client, asked.number, "merge", &json!({ "into": asked.into.0 }), |_| told, next).await
}

pub(super) async fn unmerge(console: &mut Console<'_>, client: &Client, number: Number) -> Result<(), CliError> {
    let told = |incident: &Value| format!("is an incident of its own again, {}", field(incident, "state"));
    order(console, client, number, "unmerge", &json!({}), told, "Who is paged: reveille why NUMBER").await
}

pub(super) async fn split(console: &mut Console<'_>, client: &Client, asked: &IncidentSplit) -> Result<(), CliError> {
    let body = json!({ "alerts": asked.alerts, "title": asked.title });
    let incident = client.order(&["api", "v1", "incidents", &asked.number.0.to_string(), "split"], &body).await?;
    if console.json {
        return console.document(&incident);
    }
    let (number, state) = (field(&incident, "number"), field(&incident, "state"));
    console.line(&format!("#{number} is split off #{}, {state}: {}", asked.number.0, title(&incident)))?;
    console.hint(&format!("Who is paged: reveille why {number} · back again: reveille incident merge {number} --into {}", asked.number.0))
}

pub(super) async fn severity(console: &mut Console<'_>, client: &Client, asked: &IncidentSeverity) -> Result<(), CliError> {
    let told = |incident: &Value| format!("is {} now", field(incident, "severity"));
    let next = "If it takes more people: reveille incident page NUMBER everyone";
    order(console, client, asked.number, "severity", &json!({ "severity": asked.severity.name() }), told, next).await
}

pub(super) async fn role(console: &mut Console<'_>, client: &Client, asked: &IncidentRole) -> Result<(), CliError> {
    let told = match &asked.user {
        Some(user) => format!("has {user} as {}", asked.role),
        None => format!("has no {} any more", asked.role),
    };
    let body = json!({ "role": asked.role, "user": asked.user });
    order(console, client, asked.number, "role", &body, |_| told, "Who has which: reveille who NUMBER").await
}

pub(super) async fn retitle(console: &mut Console<'_>, client: &Client, asked: &IncidentTitle) -> Result<(), CliError> {
    let body = json!({ "title": asked.title });
    order(console, client, asked.number, "title", &body, |_| "has a new title".to_owned(), "Its timeline: reveille incident show NUMBER")
        .await
}

pub(super) async fn note(console: &mut Console<'_>, client: &Client, asked: &IncidentNote) -> Result<(), CliError> {
    let at = asked.at.as_deref().map(|at| when(console, at, Near::Past)).transpose()?;
    let body = json!({ "text": asked.text, "at": at.map(crate::base::time::Time::rfc3339) });
    order(console, client, asked.number, "note", &body, |_| "has a note".to_owned(), "Its timeline: reveille incident show NUMBER").await
}

pub(super) async fn update(console: &mut Console<'_>, client: &Client, asked: &IncidentUpdate) -> Result<(), CliError> {
    let next = "When it is over: reveille incident resolve NUMBER";
    order(console, client, asked.number, "update", &json!({ "text": asked.text }), |_| "has an update".to_owned(), next).await
}

pub(super) async fn page(console: &mut Console<'_>, client: &Client, asked: &IncidentPage) -> Result<(), CliError> {
    let (body, whom) = match (asked.whom.as_str(), asked.whom.strip_prefix("policy:")) {
        ("everyone", _) => (json!({ "everyone": true }), "everyone is".to_owned()),
        (_, Some(policy)) => (json!({ "policy": policy }), format!("the policy {policy} is")),
        (user, None) => (json!({ "user": user.strip_prefix("user:").unwrap_or(user) }), format!("{user} is")),
    };
    let next = "Who answers: reveille incident show NUMBER --watch";
    order(console, client, asked.number, "page", &body, |_| format!("is open, and {whom} being paged"), next).await
}

/// A test incident that pages one person by name, the whole real way.
pub(super) async fn test_page(console: &mut Console<'_>, client: &Client, asked: &TestPage) -> Result<(), CliError> {
    let body = json!({ "title": format!("Test page for {}", asked.user), "kind": "test" });
    let incident = client.order(&["api", "v1", "incidents"], &body).await?;
    let number = field(&incident, "number");
    let paged = match client.order(&["api", "v1", "incidents", &number, "page"], &json!({ "user": asked.user })).await {
        Ok(paged) => paged,
        // A test that pages nobody is over; why it did not is what is told.
        Err(refused @ CliError::Refused { .. }) => {
            client.order(&["api", "v1", "incidents", &number, "resolve"], &json!({})).await?;
            return Err(refused);
        }
        Err(error) => return Err(error),
    };
    if console.json {
        return console.document(&paged);
    }
    console.line(&format!("#{number} is a test, and {} alone is being paged for it.", asked.user))?;
    console.hint(&format!("Each attempt: reveille incident show {number} --watch · at the end: reveille incident resolve {number}"))
}

/// Who has an incident and who leads it, for a line of its own.
pub(super) fn hands(incident: &Value) -> String {
    let roles = incident.get("roles").and_then(Value::as_object);
    let mut parts: Vec<String> =
        roles.into_iter().flatten().map(|(role, user)| format!("{role} {}", super::terminal::clean(user.as_str().unwrap_or("")))).collect();
    let has = who(incident);
    if !has.is_empty() && parts.is_empty() {
        parts.push(format!("{has} has it"));
    }
    if parts.is_empty() { "nobody has it yet".to_owned() } else { parts.join(" · ") }
}
