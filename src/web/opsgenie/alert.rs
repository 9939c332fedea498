//! Alerts, their notes and what became of a request, in Opsgenie's shapes.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::query::Searched;
use super::{Pairs, Refusal, param};
use crate::base::time::Time;
use crate::domain::alert::AlertState;
use crate::domain::decide::{Outcome, Verdict};
use crate::domain::input::Actor;
use crate::domain::reason::Reason;
use crate::domain::remark::{BETWEEN_TAGS, TAGS};
use crate::domain::setup::{AlertSeverity, Integration};
use crate::flows::opsgenie::{Ask, CREATE, DETAIL, FIELDS};
use crate::store::read::{AlertNote, OwnAlert, SenderRequest};

const LIST_DEFAULT: usize = 20;
const LIST_MOST: usize = 100;

fn is_open(own: &OwnAlert) -> bool {
    match own.alert.state {
        AlertState::Firing | AlertState::Suppressed => true,
        AlertState::Resolved => false,
    }
}

fn status(own: &OwnAlert) -> &'static str {
    if is_open(own) { "open" } else { "closed" }
}

fn is_acknowledged(own: &OwnAlert) -> bool {
    is_open(own) && own.acknowledged
}

fn snoozed_until(own: &OwnAlert) -> Option<Time> {
    own.snoozed_until.filter(|_| is_acknowledged(own))
}

fn label<'a>(own: &'a OwnAlert, name: &str) -> &'a str {
    own.alert.labels.get(name).map_or("", String::as_str)
}

fn words<'a>(own: &'a OwnAlert, name: &str) -> Vec<&'a str> {
    label(own, name).split(BETWEEN_TAGS).filter(|word| !word.is_empty()).collect()
}

/// As it came; where none came, what Opsgenie would have called its severity.
fn priority(own: &OwnAlert) -> &str {
    match (label(own, "priority"), own.alert.severity) {
        ("", AlertSeverity::Critical) => "P1",
        ("", AlertSeverity::Error) => "P3",
        ("", AlertSeverity::Warning) => "P4",
        ("", AlertSeverity::Info) => "P5",
        (given, _) => given,
    }
}

fn details(own: &OwnAlert) -> BTreeMap<&str, &str> {
    let all = own.alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    all.filter(|(name, _)| !FIELDS.contains(name)).map(|(name, value)| (name.strip_prefix(DETAIL).unwrap_or(name), value)).collect()
}

fn owner(own: &OwnAlert) -> String {
    own.acknowledged_by.as_ref().filter(|_| is_acknowledged(own)).map(Actor::text).unwrap_or_default()
}

/// How often it was created: what was only said of it afterwards is a signal, and no occurrence.
const fn fired(own: &OwnAlert) -> i64 {
    own.alert.count - own.asides
}

fn updated_at(own: &OwnAlert) -> Time {
    own.alert.resolved_at.map_or(own.alert.last_at, |at| at.max(own.alert.last_at))
}

/// An alert as a list shows it.
fn brief(own: &OwnAlert) -> Value {
    let alert = &own.alert;
    let after = |at: Time| at.since(alert.first_at).as_duration().as_millis();
    let mut report = Map::new();
    if let Some(at) = own.acknowledged_at.filter(|at| *at >= alert.first_at) {
        report.insert("ackTime".to_owned(), json!(after(at)));
        report.insert("acknowledgedBy".to_owned(), json!(own.acknowledged_by.as_ref().map(Actor::text).unwrap_or_default()));
    }
    if let Some(at) = alert.resolved_at.filter(|at| !is_open(own) && *at >= alert.first_at) {
        let by = own.resolved_by.as_ref().map_or_else(|| alert.integration.to_string(), Actor::text);
        report.insert("closeTime".to_owned(), json!(after(at)));
        report.insert("closedBy".to_owned(), json!(by));
    }
    let mut told = json!({
        "id": alert.id,
        "tinyId": own.tiny.to_string(),
        "alias": alert.dedup_key,
        "message": alert.title,
        "status": status(own),
        "acknowledged": is_acknowledged(own),
        "isSeen": is_acknowledged(own),
        "tags": words(own, TAGS),
        "snoozed": snoozed_until(own).is_some(),
        "count": fired(own),
        "lastOccurredAt": alert.last_at.rfc3339(),
        "createdAt": alert.first_at.rfc3339(),
        "updatedAt": updated_at(own).rfc3339(),
        "source": label(own, "source"),
        "owner": owner(own),
        "priority": priority(own),
        "responders": [],
        "integration": { "id": alert.integration, "name": alert.integration, "type": "API" },
        "report": report,
    });
    if let Some(until) = snoozed_until(own) {
        told["snoozedUntil"] = json!(until.rfc3339());
    }
    told
}

/// An alert with all that is known of it.
pub(super) fn whole(own: &OwnAlert) -> Value {
    let mut told = brief(own);
    told["actions"] = json!(words(own, "actions"));
    told["entity"] = json!(label(own, "entity"));
    told["description"] = json!(label(own, "description"));
    told["details"] = json!(details(own));
    told
}

impl Searched for OwnAlert {
    fn field(&self, name: &str) -> Option<Vec<String>> {
        let one = |text: &str| Some(vec![text.to_lowercase()]);
        let list = |words: Vec<&str>| Some(words.into_iter().map(str::to_lowercase).collect());
        match name {
            "status" => one(status(self)),
            "acknowledged" | "isseen" => one(if is_acknowledged(self) { "true" } else { "false" }),
            "snoozed" => one(if snoozed_until(self).is_some() { "true" } else { "false" }),
            "alias" => one(&self.alert.dedup_key),
            "tag" | "tags" => list(words(self, TAGS)),
            "priority" => one(priority(self)),
            "tinyid" => one(&self.tiny.to_string()),
            "alertid" | "id" => one(self.alert.id.as_str()),
            "owner" => one(&owner(self)),
            "integration" => one(self.alert.integration.as_str()),
            "message" => one(&self.alert.title),
            "description" | "entity" | "source" | "user" => one(label(self, name)),
            "responders" | "actions" => list(words(self, name)),
            _ => {
                let wanted = name.strip_prefix("details.")?;
                let found = details(self).into_iter().find(|(name, _)| name.to_lowercase() == wanted)?;
                one(found.1)
            }
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match name {
            "count" => Some(fired(self)),
            "createdat" => Some(self.alert.first_at.millis()),
            "updatedat" => Some(updated_at(self).millis()),
            "lastoccurredat" => Some(self.alert.last_at.millis()),
            _ => None,
        }
    }

    fn text(&self) -> String {
        let parts = [
            self.alert.title.as_str(),
            self.alert.dedup_key.as_str(),
            label(self, TAGS),
            label(self, "entity"),
            label(self, "description"),
        ];
        parts.join(" ").to_lowercase()
    }
}

/// One part of a list, sorted as asked, with where its neighbours are.
pub(super) fn listed(server: &str, mut alerts: Vec<OwnAlert>, params: &Pairs) -> Result<Value, Refusal> {
    let offset = whole_number(params, "offset", 0..=usize::MAX)?.unwrap_or(0);
    let limit = whole_number(params, "limit", 1..=LIST_MOST)?.unwrap_or(LIST_DEFAULT);
    let sort = param(params, "sort").unwrap_or("createdAt");
    let compare = order_by(sort).ok_or_else(|| Refusal::wrong("sort", "is no field that alerts are sorted by"))?;
    let ascending = match param(params, "order").unwrap_or("desc").to_ascii_lowercase().as_str() {
        "asc" => true,
        "desc" => false,
        _ => return Err(Refusal::wrong("order", "should be one of [ asc, desc ]")),
    };
    alerts.sort_by(|one, other| {
        let order = compare(one, other).then_with(|| one.tiny.cmp(&other.tiny));
        if ascending { order } else { order.reverse() }
    });
    let all = alerts.len();
    let part: Vec<Value> = alerts.iter().skip(offset).take(limit).map(brief).collect();
    let page = |offset: usize| {
        let mut url =
            format!("{server}/v2/alerts?limit={limit}&sort={sort}&offset={offset}&order={}", if ascending { "asc" } else { "desc" });
        if let Some(query) = param(params, "query") {
            url.push_str("&query=");
            url.extend(form_urlencoded::byte_serialize(query.as_bytes()));
        }
        url
    };
    let mut paging = json!({ "first": page(0), "last": page(all.saturating_sub(1) / limit * limit) });
    if offset.saturating_add(limit) < all {
        paging["next"] = json!(page(offset + limit));
    }
    if offset > 0 {
        paging["prev"] = json!(page(offset.saturating_sub(limit)));
    }
    Ok(json!({ "data": part, "paging": paging }))
}

fn whole_number(params: &Pairs, name: &'static str, range: std::ops::RangeInclusive<usize>) -> Result<Option<usize>, Refusal> {
    let Some(text) = param(params, name) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| range.contains(number));
    let bounds =
        if *range.end() == usize::MAX { format!("{} or more", range.start()) } else { format!("{} to {}", range.start(), range.end()) };
    number.map(Some).ok_or_else(|| Refusal::wrong(name, &format!("should be a whole number, {bounds}")))
}

type Compare = fn(&OwnAlert, &OwnAlert) -> Ordering;

/// The fields that Opsgenie sorts by.
fn order_by(field: &str) -> Option<Compare> {
    let compare: Compare = match field {
        "createdAt" => |one, other| one.alert.first_at.cmp(&other.alert.first_at),
        "updatedAt" => |one, other| updated_at(one).cmp(&updated_at(other)),
        "lastOccurredAt" => |one, other| one.alert.last_at.cmp(&other.alert.last_at),
        "tinyId" => |one, other| one.tiny.cmp(&other.tiny),
        "alias" => |one, other| one.alert.dedup_key.cmp(&other.alert.dedup_key),
        "message" => |one, other| one.alert.title.cmp(&other.alert.title),
        "status" => |one, other| status(one).cmp(status(other)),
        "acknowledged" | "isSeen" => |one, other| is_acknowledged(one).cmp(&is_acknowledged(other)),
        "snoozed" | "snoozedUntil" => |one, other| snoozed_until(one).cmp(&snoozed_until(other)),
        "count" => |one, other| fired(one).cmp(&fired(other)),
        "source" => |one, other| label(one, "source").cmp(label(other, "source")),
        "owner" | "report.acknowledgedBy" => |one, other| owner(one).cmp(&owner(other)),
        "integration.name" | "integration.type" => |one, other| one.alert.integration.cmp(&other.alert.integration),
        "report.ackTime" => |one, other| one.acknowledged_at.cmp(&other.acknowledged_at),
        "report.closeTime" => |one, other| one.alert.resolved_at.cmp(&other.alert.resolved_at),
        "report.closedBy" => |one, other| one.resolved_by.as_ref().map(Actor::text).cmp(&other.resolved_by.as_ref().map(Actor::text)),
        _ => return None,
    };
    Some(compare)
}

/// The notes of one alert; `offset` is the last one that was seen.
pub(super) fn noted(server: &str, identifier: &str, sender: &Integration, notes: &[AlertNote], params: &Pairs) -> Result<Value, Refusal> {
    let limit = whole_number(params, "limit", 1..=LIST_MOST)?.unwrap_or(LIST_MOST);
    let order = param(params, "order").unwrap_or("desc").to_ascii_lowercase();
    let mut notes: Vec<&AlertNote> = notes.iter().collect();
    match order.as_str() {
        "asc" => {}
        "desc" => notes.reverse(),
        _ => return Err(Refusal::wrong("order", "should be one of [ asc, desc ]")),
    }
    let first = param(params, "offset").and_then(|seen| notes.iter().position(|note| note.id.as_str() == seen)).map_or(0, |at| at + 1);
    let part: Vec<&AlertNote> = notes.iter().skip(first).take(limit).copied().collect();
    let kind = param(params, "identifierType").unwrap_or("id");
    let page = |offset: &str| {
        let name: String = form_urlencoded::byte_serialize(identifier.as_bytes()).collect::<String>().replace('+', "%20");
        format!("{server}/v2/alerts/{name}/notes?identifierType={kind}&order={order}&limit={limit}{offset}")
    };
    let mut paging = json!({ "first": page("") });
    if let Some(last) = part.last().filter(|_| first + limit < notes.len()) {
        paging["next"] = json!(page(&format!("&offset={}", last.id)));
    }
    let data: Vec<Value> = part
        .iter()
        .map(|note| json!({ "note": note.note, "owner": sender.id, "createdAt": note.at.rfc3339(), "offset": note.id }))
        .collect();
    Ok(json!({ "data": data, "paging": paging }))
}

/// What became of a request.
pub(super) fn status_of(request: &SenderRequest, alert: Option<&OwnAlert>) -> Value {
    let verdict = &request.verdict;
    let is_success = match verdict.outcome {
        Outcome::Ignored => false,
        // A person has acknowledged it here, and keeps it.
        Outcome::Recorded if request.asked == Ask::Unacknowledge.name() => verdict.reason == Reason::UnacknowledgedAtSender,
        Outcome::Opened
        | Outcome::Repeated
        | Outcome::Resolved
        | Outcome::Reopened
        | Outcome::Folded
        | Outcome::Acknowledged
        | Outcome::Suppressed
        | Outcome::Recorded
        | Outcome::Unreadable => true,
    };
    let done = done(&request.asked, verdict);
    json!({
        "success": is_success,
        "isSuccess": is_success,
        "action": request.asked,
        "processedAt": request.at.rfc3339(),
        "integrationId": request.integration,
        "status": done,
        "alertId": verdict.alert.as_ref().map_or("", |alert| alert.as_str()),
        "alias": alert.map_or("", |alert| alert.alert.dedup_key.as_str()),
    })
}

/// As Opsgenie says it, where it has words for it.
fn done(asked: &str, verdict: &Verdict) -> &'static str {
    let is_create = asked == CREATE;
    match (verdict.outcome, verdict.reason) {
        (Outcome::Ignored, _) if verdict.alert.is_none() => "Alert does not exist",
        (Outcome::Ignored, Reason::NotFiring | Reason::AlreadyResolved) => "Alert is already closed",
        (Outcome::Ignored, Reason::NothingToDecide) => "Alert is not acknowledged",
        (Outcome::Recorded, Reason::UnacknowledgedAtSender) => "Unacknowledged alert",
        (Outcome::Recorded, Reason::AlreadyAcknowledged) if asked == Ask::Acknowledge.name() => "Alert is already acknowledged",
        (Outcome::Acknowledged, Reason::AcknowledgedAtSender) => "Acknowledged alert",
        (Outcome::Acknowledged, _) => "Snoozed alert",
        (Outcome::Resolved, _) => "Closed alert",
        (Outcome::Reopened, _) => "Reopened alert",
        (Outcome::Repeated, _) => "Deduplicated alert",
        (Outcome::Opened | Outcome::Folded | Outcome::Suppressed, _) | (Outcome::Recorded, Reason::JustRecords) if is_create => {
            "Created alert"
        }
        (Outcome::Opened | Outcome::Folded, _) | (Outcome::Recorded, Reason::AskedFor) => "Updated alert",
        (Outcome::Ignored | Outcome::Recorded | Outcome::Suppressed | Outcome::Unreadable, reason) => reason.sentence(),
    }
}
