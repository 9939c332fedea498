//! The pages people look at, and their buttons.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::Doors;
use super::answer::{WebError, see_other};
use super::caller::Caller;
use super::look::{self, Params};
use super::roles::shown;
use crate::base::limits;
use crate::domain::incident::IncidentState;
use crate::domain::input::{Act, Via};
use crate::render::html::{AlertRow, AttemptRow, Entry, IncidentPage, IncidentsPage, PageCard, Row, Stamp};
use crate::render::line::{self, Names};
use crate::store::read::{AlertView, AttemptOutcome, FactRow, IncidentFilter, IncidentView, PageView};

/// Resolved incidents on one page of the list.
const RESOLVED_SHOWN: i64 = 50;
/// Alerts on an incident's page: the rest is a number.
const ALERTS_SHOWN: i64 = 20;
/// Timeline entries on one page.
const ENTRIES_SHOWN: i64 = 300;

pub(super) async fn incidents(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let filter = params.get("state").and_then(IncidentState::parse);
    let cursor = params.get("cursor");
    let names = doors.names();
    let reader = doors.house.store.reader();
    let list = async |states: &[IncidentState], cursor: Option<&str>, limit: i64| {
        let filter = IncidentFilter { states: states.to_vec(), ..IncidentFilter::default() };
        reader.incidents_list(&caller.viewer, &filter, cursor, limit).await
    };

    let (open, resolved, older) = match filter {
        None => {
            let open = list(&[IncidentState::Triggered, IncidentState::Acknowledged], None, limits::LIST_MOST).await?;
            let resolved = list(&[IncidentState::Resolved], None, RESOLVED_SHOWN).await?;
            (open.items, resolved.items, resolved.next.map(|next| older(IncidentState::Resolved, &next)))
        }
        Some(state) => {
            let page = list(&[state], cursor, limits::LIST_DEFAULT).await?;
            let older = page.next.map(|next| older(state, &next));
            if state == IncidentState::Resolved { (Vec::new(), page.items, older) } else { (page.items, Vec::new(), older) }
        }
    };
    let rows = |views: Vec<IncidentView>| views.into_iter().map(|view| row(view, &names)).collect();
    let page = IncidentsPage {
        frame: caller.frame(),
        filter,
        open: rows(open),
        resolved: rows(resolved),
        older,
        hooks_at: doors.public_url(),
        is_first: cursor.is_none(),
    };
    Ok(shown(StatusCode::OK, &page))
}

/// A cursor is base64 for URLs, so that it needs no escaping.
fn older(state: IncidentState, cursor: &str) -> String {
    format!("/?state={}&cursor={cursor}", state.name())
}

fn row(view: IncidentView, names: &Names) -> Row {
    let who = match view.state {
        IncidentState::Triggered => None,
        IncidentState::Acknowledged => view.acknowledged_by.as_ref().map(|actor| format!("{} has it", names.actor(actor))),
        IncidentState::Resolved => view.resolved_by.as_ref().map(|actor| format!("resolved by {}", names.actor(actor))),
    };
    Row {
        number: view.number,
        service: names.service(&view.service).to_owned(),
        title: view.title,
        severity: view.severity.name(),
        state: view.state,
        opened_at: Stamp(view.opened_at),
        alerts_count: view.alerts_count,
        who,
    }
}

pub(super) async fn incident(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    uri: Uri,
) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let before = match params.get("before") {
        Some(seq) => Some(seq.parse().map_err(|_| WebError::NotFound("such part of the timeline"))?),
        None => None,
    };
    let viewer = &caller.viewer;
    let view = look::incident(&doors, viewer, &number).await?;
    let number = view.number;
    let reader = doors.house.store.reader();
    let pages = reader.incident_pages(viewer, number).await?;
    let alerts = reader.incident_alerts(viewer, number, None, ALERTS_SHOWN).await?;
    let mut facts = reader.timeline_before(viewer, number, before, ENTRIES_SHOWN + 1).await?;
    let has_earlier = facts.len() > usize::try_from(ENTRIES_SHOWN).unwrap_or(usize::MAX);
    if has_earlier {
        facts.remove(0);
    }
    let earlier = facts.first().filter(|_| has_earlier).map(|first| format!("/incidents/{}?before={}", number.0, first.seq));

    let names = doors.names();
    let page = IncidentPage {
        frame: caller.frame(),
        number,
        now: look::now(&view, &pages, look::lapses_at(&facts), &names),
        title: view.title,
        service: names.service(&view.service).to_owned(),
        severity: view.severity.name(),
        state: view.state,
        opened_at: Stamp(view.opened_at),
        resolved_at: view.resolved_at.map(Stamp),
        answered_after: view.acknowledged_at.map(|at| at.since(view.opened_at).to_string()),
        alerts_count: view.alerts_count,
        alerts: alerts.items.into_iter().map(alert_row).collect(),
        pages: pages.iter().map(|page| page_card(page, &names)).collect(),
        timeline: facts.iter().map(|row| entry(row, &names)).collect(),
        earlier,
        is_newest: before.is_none(),
    };
    Ok(shown(StatusCode::OK, &page))
}

fn alert_row(alert: AlertView) -> AlertRow {
    AlertRow {
        title: alert.title,
        source: alert.source,
        severity: alert.severity.name(),
        state: alert.state.name(),
        count: alert.count,
        first_at: Stamp(alert.first_at),
        last_at: Stamp(alert.last_at),
        url: alert.url,
    }
}

fn page_card(page: &PageView, names: &Names) -> PageCard {
    let attempts = page.attempts.iter().map(|attempt| AttemptRow {
        channel: look::channel_word(&attempt.channel),
        at: Stamp(attempt.sent_at.unwrap_or(attempt.placed_at)),
        outcome: attempt.outcome.map_or("on its way", AttemptOutcome::name),
        reason: attempt.reason.clone(),
    });
    PageCard {
        person: names.user(&page.user).to_owned(),
        state: page.state.name(),
        since: Stamp(page.created_at),
        attempts: attempts.collect(),
    }
}

fn entry(row: &FactRow, names: &Names) -> Entry {
    Entry { seq: row.seq, at: Stamp(row.fact.at), actor: names.actor(&row.fact.actor), line: line::of(&row.fact, names) }
}

/// A button was pressed. The answer is the page itself, which shows what became of it.
pub(super) async fn act(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path((number, act)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let act = match act.as_str() {
        "acknowledge" => Act::Acknowledge,
        "escalate" => Act::Escalate,
        "resolve" => Act::Resolve,
        "reopen" => Act::Reopen,
        _ => return Err(WebError::NotFound("such command")),
    };
    let incident = look::command(&doors, &caller, &number, act, Via::Web).await?;
    Ok(see_other(&format!("/incidents/{}", incident.number.0)))
}
