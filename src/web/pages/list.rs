//! The list of incidents: what is open, worst and newest first, then what is over.

use std::cmp::Reverse;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;

use super::declare;
use crate::base::id::ServiceId;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::incident::{IncidentRole, IncidentState};
use crate::domain::order::Order;
use crate::domain::setup::Severity;
use crate::render::csv;
use crate::render::html::{IncidentsPage, OrderLink, Row, Stamp};
use crate::render::line::Names;
use crate::store::read::{IncidentSearch, IncidentView};
use crate::web::Doors;
use crate::web::answer::{WebError, set};
use crate::web::caller::Caller;
use crate::web::look::Params;
use crate::web::roles::shown;

/// Resolved incidents on one page of the list.
const RESOLVED_SHOWN: i64 = 50;
/// Longest words searched for, characters.
const WORDS_CHARS: usize = 100;

pub(in crate::web) async fn incidents(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let filter = params.get("state").and_then(IncidentState::parse);
    let cursor = params.get("cursor");
    let names = doors.names();
    let reader = doors.house.store.reader();
    let order = params.sort()?;
    let narrowed = IncidentSearch { order: order.unwrap_or_default(), ..narrowed(&params) };
    let list = async |states: &[IncidentState], cursor: Option<&str>, limit: i64| {
        let search = IncidentSearch { states: states.to_vec(), ..narrowed.clone() };
        reader.incidents_search(&caller.viewer, &search, cursor, limit).await
    };

    let (mut open, resolved, older) = match filter {
        None => {
            let open = list(&[IncidentState::Triggered, IncidentState::Acknowledged], None, limits::LIST_MOST).await?;
            let resolved = list(&[IncidentState::Resolved], None, RESOLVED_SHOWN).await?;
            (open.items, resolved.items, resolved.next.map(|next| older(IncidentState::Resolved, &narrowed, &next)))
        }
        Some(state) => {
            let page = list(&[state], cursor, limits::LIST_DEFAULT).await?;
            let older = page.next.map(|next| older(state, &narrowed, &next));
            if state == IncidentState::Resolved { (Vec::new(), page.items, older) } else { (page.items, Vec::new(), older) }
        }
    };
    if order.is_none_or(|order| order == Order::Newest) {
        // What nobody has yet comes first, then the worst, then the newest.
        open.sort_by_key(|view| (view.state != IncidentState::Triggered, Reverse(view.severity), Reverse(view.number)));
    }
    let rows = |views: Vec<IncidentView>| views.into_iter().map(|view| row(view, &names)).collect();
    let page = IncidentsPage {
        frame: caller.frame_in("incidents"),
        filter,
        services: declare::services(&doors),
        service: narrowed.service.as_ref().map_or_else(String::new, ToString::to_string),
        severity: narrowed.severity.map_or("", Severity::name).to_owned(),
        words: narrowed.words.clone(),
        open: rows(open),
        resolved: rows(resolved),
        older,
        orders: orders(filter, &narrowed, order),
        csv: format!("/incidents.csv?{}", query(filter, &narrowed, None)).trim_end_matches('?').to_owned(),
        hooks_at: doors.public_url(),
        is_first: cursor.is_none(),
    };
    Ok(shown(StatusCode::OK, &page))
}

/// The same list for a spreadsheet, newest first.
pub(in crate::web) async fn csv(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let states = params.get("state").and_then(IncidentState::parse).map_or_else(|| IncidentState::ALL.to_vec(), |state| vec![state]);
    let search = IncidentSearch { states, ..narrowed(&params) };
    let (names, reader) = (doors.names(), doors.house.store.reader());
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    let mut cursor = None;
    loop {
        let page = reader.incidents_search(&caller.viewer, &search, cursor.as_deref(), limits::LIST_MOST).await?;
        rows.extend(page.items.into_iter().map(|view| cells(view, &names)));
        match page.next {
            Some(next) if rows.len() <= limits::CSV_ROWS => cursor = Some(next),
            Some(_) | None => break,
        }
    }
    let mut response = Response::new(csv::table(rows).into());
    set(&mut response, header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present");
    set(&mut response, header::CONTENT_DISPOSITION, "attachment; filename=\"incidents.csv\"");
    Ok(response)
}

const HEADER: [&str; 11] = [
    "number",
    "title",
    "state",
    "severity",
    "service",
    "opened_at",
    "acknowledged_at",
    "resolved_at",
    "acknowledged_by",
    "lead",
    "alerts_count",
];

fn cells(view: IncidentView, names: &Names) -> Vec<String> {
    let at = |at: Option<Time>| at.map(Time::rfc3339).unwrap_or_default();
    vec![
        view.number.0.to_string(),
        view.title,
        view.state.name().to_owned(),
        view.severity.name().to_owned(),
        names.service(&view.service).to_owned(),
        view.opened_at.rfc3339(),
        at(view.acknowledged_at),
        at(view.resolved_at),
        view.acknowledged_by.as_ref().map(|actor| names.actor(actor)).unwrap_or_default(),
        view.response.roles.get(&IncidentRole::Lead).map(|user| names.user(user).to_owned()).unwrap_or_default(),
        view.alerts_count.to_string(),
    ]
}

/// What the words, the severity and the service of the query leave.
fn narrowed(params: &Params) -> IncidentSearch {
    IncidentSearch {
        states: Vec::new(),
        severity: params.get("severity").and_then(Severity::parse),
        service: params.get("service").map(ServiceId::from),
        words: params.get("q").unwrap_or("").trim().chars().take(WORDS_CHARS).collect(),
        order: Order::Newest,
    }
}

/// As the list stands where nothing is said, and each order that may be asked for.
fn orders(filter: Option<IncidentState>, narrowed: &IncidentSearch, on: Option<Order>) -> Vec<OrderLink> {
    let to = |order| format!("/?{}", query(filter, &IncidentSearch { order, ..narrowed.clone() }, None)).trim_end_matches('?').to_owned();
    // Open ones that nobody has stand first there, which is no order of all.
    let usual = OrderLink { words: "As they need you", to: to(Order::Newest), is_on: on.is_none_or(|on| on == Order::Newest) };
    let others = OrderLink::all(on.unwrap_or_default(), to).into_iter().skip(1);
    std::iter::once(usual).chain(others).collect()
}

fn older(state: IncidentState, narrowed: &IncidentSearch, cursor: &str) -> String {
    let query = query(Some(state), narrowed, Some(cursor));
    format!("/?{query}")
}

fn query(state: Option<IncidentState>, narrowed: &IncidentSearch, cursor: Option<&str>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(state) = state {
        query.append_pair("state", state.name());
    }
    if let Some(service) = &narrowed.service {
        query.append_pair("service", service.as_str());
    }
    if let Some(severity) = narrowed.severity {
        query.append_pair("severity", severity.name());
    }
    if !narrowed.words.is_empty() {
        query.append_pair("q", &narrowed.words);
    }
    if narrowed.order != Order::Newest {
        query.append_pair("sort", narrowed.order.name());
    }
    if let Some(cursor) = cursor {
        query.append_pair("cursor", cursor);
    }
    query.finish()
}

fn row(view: IncidentView, names: &Names) -> Row {
    let who = match view.state {
        IncidentState::Triggered => Some("nobody has it yet".to_owned()),
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
        is_storm: view.response.storm.is_some(),
        is_new: view.seen < 0,
        who,
    }
}
