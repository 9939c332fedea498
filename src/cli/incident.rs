//! `incident list`, `show` and the commands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::CliError;
use super::args::{IncidentList, IncidentShow};
use super::client::Client;
use super::mark;
use super::terminal::{Cell, Console, Ink, field, items, time};
use super::timeline::Log;
use super::watch;
use crate::base::id::Number;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::fall;
use crate::domain::incident::IncidentState;
use crate::domain::order::Order;

/// Lists of parts are read to their end, but for ever is no end: so many pages of a thousand.
const PART_PAGES: usize = 20;

/// What can be ordered of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Acknowledge,
    Resolve,
    Reopen,
    Escalate,
}

impl Act {
    const fn path(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
            Self::Reopen => "reopen",
            Self::Escalate => "escalate",
        }
    }

    /// The state that this leads to.
    const fn leads_to(self) -> IncidentState {
        match self {
            Self::Acknowledge => IncidentState::Acknowledged,
            Self::Resolve => IncidentState::Resolved,
            Self::Reopen | Self::Escalate => IncidentState::Triggered,
        }
    }
}

pub(super) async fn list(console: &mut Console<'_>, client: &Client, list: &IncidentList) -> Result<(), CliError> {
    let mut query = vec![("limit", list.limit.to_string())];
    query.extend(list.state.map(|state| ("state", state.name().to_owned())));
    query.extend(list.kind.map(|kind| ("kind", kind.name().to_owned())));
    if list.sort != Order::Newest {
        query.push(("sort", list.sort.name().to_owned()));
    }
    query.extend(list.cursor.clone().map(|cursor| ("cursor", cursor)));
    let answer = client.get(&["api", "v1", "incidents"], &query).await?;
    let Some(incidents) = items(&answer) else { return Err(client.strange("it is no list of incidents".to_owned())) };
    if console.json {
        return console.document(&answer);
    }
    if incidents.is_empty() {
        return nothing(console, list.state);
    }
    let rows = incidents.iter().map(|incident| row(console, incident)).collect();
    console.table(&["", "state", "severity", "service", "age", "alerts", "who has it", "title"], rows)?;
    if answer.get("next").is_some_and(Value::is_string) {
        console.hint(&format!("\nThere are older ones: --limit {}", (list.limit * 4).min(limits::LIST_MOST)))?;
    }
    Ok(())
}

fn nothing(console: &mut Console<'_>, state: Option<IncidentState>) -> Result<(), CliError> {
    if let Some(state) = state {
        console.line(&format!("No incident is {}.", state.name()))?;
        return console.hint("All of them: reveille incident list");
    }
    console.line("No incidents yet.")?;
    console.hint("Try the whole way: reveille send \"Hello\" --key KEY")
}

fn row(console: &Console<'_>, incident: &Value) -> Vec<Cell> {
    let state = field(incident, "state");
    let ink = ink(&state);
    let who = who(incident);
    vec![
        Cell::inked(format!("#{}", field(incident, "number")), Ink::Bold),
        Cell::inked(state, ink),
        Cell::new(field(incident, "severity")),
        Cell::new(field(incident, "service")),
        Cell::new(console.ago(time(incident, "opened_at"))),
        Cell::new(field(incident, "alerts_count")),
        Cell::new(if who.is_empty() { "-".to_owned() } else { who }),
        Cell::new(title(incident)),
    ]
}

pub(super) async fn show(console: &mut Console<'_>, client: &Client, show: &IncidentShow) -> Result<(), CliError> {
    let number = show.number.0.to_string();
    let path = ["api", "v1", "incidents", number.as_str()];
    let incident = client.get(&path, &[]).await?;
    let timeline = part(client, &number, "timeline").await?;
    let mut log = Log::default();
    if console.json {
        console.document(&incident)?;
        log.skip(&timeline);
    } else {
        let pages = part(client, &number, "pages").await?;
        header(console, &incident)?;
        now(console, &incident, &pages)?;
        let changes = match part(client, &number, "changes").await {
            // A server of an earlier version keeps none.
            Err(CliError::Refused { status: 404, .. }) => Vec::new(),
            told => told?,
        };
        changed(console, &incident, &changes)?;
        fell(console, &part(client, &number, "alerts").await?)?;
        mark::marks(console, &incident)?;
        console.line("")?;
        let title = console.paint(Ink::Bold, "Timeline");
        console.line(&title)?;
        for entry in &timeline {
            log.entry(console, entry)?;
        }
    }
    if show.watch { watch::follow(console, client, &number, log).await } else { Ok(()) }
}

/// All of one part of an incident, page after page.
pub(super) async fn part(client: &Client, number: &str, name: &str) -> Result<Vec<Value>, CliError> {
    let mut all = Vec::new();
    let mut query = vec![("limit", limits::LIST_MOST.to_string())];
    for _ in 0..PART_PAGES {
        let answer = client.get(&["api", "v1", "incidents", number, name], &query).await?;
        let Some(entries) = items(&answer) else { return Err(client.strange(format!("its {name} is no list"))) };
        all.extend_from_slice(entries);
        match answer.get("next").and_then(Value::as_str) {
            Some(next) => query = vec![("limit", limits::LIST_MOST.to_string()), ("cursor", next.to_owned())],
            None => break,
        }
    }
    Ok(all)
}

fn header(console: &mut Console<'_>, incident: &Value) -> Result<(), CliError> {
    let state = field(incident, "state");
    let (number, painted) = (format!("#{}", field(incident, "number")), console.paint(ink(&state), &state));
    let number = console.paint(Ink::Bold, &number);
    console.long_line(&format!("{number} {painted} {}  {}", field(incident, "severity"), title(incident)), 2)?;
    let service = field(incident, "service");
    let mut parts = vec![if service.is_empty() { "no service".to_owned() } else { format!("service {service}") }];
    if let Some(opened) = time(incident, "opened_at") {
        parts.push(format!("opened {} ({} ago)", console.moment(opened), console.ago(Some(opened))));
    }
    let alerts = field(incident, "alerts_count");
    parts.push(if alerts == "1" { "1 alert".to_owned() } else { format!("{alerts} alerts") });
    let kind = field(incident, "kind");
    if !kind.is_empty() && kind != "real" {
        parts.push(format!("a {kind}"));
    }
    console.line(&parts.join(" · "))?;
    let group = field(incident, "group");
    if group.is_empty() { Ok(()) } else { console.long_line(&format!("its alerts have in common: {group}"), 2) }
}

/// What happens now, and what can be done.
fn now(console: &mut Console<'_>, incident: &Value, pages: &[Value]) -> Result<(), CliError> {
    let number = field(incident, "number");
    console.line("")?;
    let title = console.paint(Ink::Bold, "Now");
    console.line(&title)?;
    match IncidentState::parse(&field(incident, "state")) {
        Some(IncidentState::Triggered) => {
            let open: Vec<String> = pages.iter().filter_map(|page| open_page(console, page)).collect();
            if open.is_empty() {
                console.line("  Nobody has it, and nobody is being called at this moment.")?;
            } else {
                console.line("  Nobody has it yet.")?;
            }
            for line in open {
                console.line(&format!("  {line}"))?;
            }
            console.hint(&format!("  Take it: reveille incident ack {number} · who is called, and why: reveille why {number}"))
        }
        Some(IncidentState::Acknowledged) => {
            let since = since(console, time(incident, "acknowledged_at"));
            let who = who(incident);
            let who = if who.is_empty() { "Somebody".to_owned() } else { who };
            console.line(&format!("  {who} has it{since}. Nobody is being called."))?;
            console.hint(&format!(
                "  When it is over: reveille incident resolve {number} · the next person: reveille incident escalate {number}"
            ))
        }
        Some(IncidentState::Resolved) => {
            let since = since(console, time(incident, "resolved_at"));
            console.line(&format!("  It is over{since}."))?;
            console.hint(&format!("  It is not? reveille incident reopen {number}"))
        }
        None => console.line(&format!("  It is {}.", field(incident, "state"))),
    }
}

/// Which host fell first, and which after it.
fn fell(console: &mut Console<'_>, alerts: &[Value]) -> Result<(), CliError> {
    let alerts: Vec<(BTreeMap<String, String>, Time)> = alerts
        .iter()
        .filter_map(|alert| Some((serde_json::from_value(alert.get("labels")?.clone()).ok()?, time(alert, "first_at")?)))
        .collect();
    let fell = fall::order(alerts.iter().map(|(labels, at)| (labels, *at)));
    if fell.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let title = console.paint(Ink::Bold, "In the order they fell");
    console.line(&title)?;
    let named = fell
        .iter()
        .take(limits::FALLS_SHOWN)
        .map(|fall| format!("{} {}", field(&json!({ "host": fall.host }), "host"), console.moment(fall.at)));
    let more = fell.len().saturating_sub(limits::FALLS_SHOWN);
    let more = (more > 0).then(|| format!("and {more} more"));
    console.long_line(&format!("  {}", named.chain(more).collect::<Vec<_>>().join(", ")), 2)
}

/// What was changed on purpose in the day before it.
fn changed(console: &mut Console<'_>, incident: &Value, changes: &[Value]) -> Result<(), CliError> {
    if changes.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let opened = time(incident, "opened_at");
    let rows = changes.iter().map(|change| {
        let before = opened.zip(time(change, "at")).map_or_else(String::new, |(opened, at)| format!("{} before", opened.since(at)));
        vec![Cell::new(before), Cell::new(field(change, "service")), Cell::new(self::title(change))]
    });
    let rows = rows.collect();
    console.table(&["changed", "service", "what"], rows)
}

fn since(console: &Console<'_>, at: Option<Time>) -> String {
    at.map_or_else(String::new, |at| format!(" since {}", console.moment(at)))
}

/// A line about a page that is still going on.
fn open_page(console: &Console<'_>, page: &Value) -> Option<String> {
    let doing = match field(page, "state").as_str() {
        "waiting" => "is about to be called",
        "ringing" => "is being called",
        "failed" => "cannot be reached",
        _ => return None,
    };
    let since = since(console, time(page, "created_at")).replace(" since ", ", paged since ");
    let tries = page.get("attempts").and_then(Value::as_array).map_or(0, Vec::len);
    let tries = match tries {
        0 => String::new(),
        1 => ", 1 attempt".to_owned(),
        more => format!(", {more} attempts"),
    };
    Some(format!("{} {doing}{since}{tries}", field(page, "user")))
}

pub(super) async fn act(console: &mut Console<'_>, client: &Client, number: Number, act: Act) -> Result<(), CliError> {
    let number = number.0.to_string();
    let incident = client.order(&["api", "v1", "incidents", &number, act.path()], &json!({})).await?;
    if console.json {
        console.document(&incident)?;
    }
    let state = field(&incident, "state");
    if IncidentState::parse(&state) != Some(act.leads_to()) {
        let state = if state.is_empty() { "in an unknown state".to_owned() } else { state };
        return Err(CliError::Failed(format!("#{number} is {state}: `{}` changes nothing now", act.path())));
    }
    if console.json { Ok(()) } else { done(console, act, &number, &incident) }
}

fn done(console: &mut Console<'_>, act: Act, number: &str, incident: &Value) -> Result<(), CliError> {
    let title = title(incident);
    match act {
        Act::Acknowledge => {
            let who = who(incident);
            let by = if who.is_empty() { String::new() } else { format!(" by {who}") };
            console.line(&format!("#{number} is acknowledged{by}, and paging has stopped: {title}"))?;
            console.hint(&format!("When it is over: reveille incident resolve {number}"))
        }
        Act::Resolve => {
            console.line(&format!("#{number} is resolved: {title}"))?;
            console.hint(&format!("Its timeline: reveille incident show {number}"))
        }
        Act::Reopen => {
            console.line(&format!("#{number} is open again, and paging has started: {title}"))?;
            console.hint(&format!("Who is called: reveille why {number}"))
        }
        Act::Escalate => {
            console.line(&format!("#{number} goes on to the next step: {title}"))?;
            console.hint(&format!("Who answers: reveille incident show {number} --watch"))
        }
    }
}

pub(super) fn title(incident: &Value) -> String {
    let title = field(incident, "title");
    if title.is_empty() { "(no title)".to_owned() } else { title }
}

/// Who has it: the one who acknowledged, else the lead.
pub(super) fn who(incident: &Value) -> String {
    let by = field(incident, "acknowledged_by");
    if by.is_empty() { field(incident, "lead") } else { by }
}

pub(super) fn ink(state: &str) -> Ink {
    match IncidentState::parse(state) {
        Some(IncidentState::Triggered) => Ink::Red,
        Some(IncidentState::Acknowledged) => Ink::Yellow,
        Some(IncidentState::Resolved) => Ink::Green,
        None => Ink::Plain,
    }
}
