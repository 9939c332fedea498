//! The list of incidents: what is open, worst and newest first, then what is over.

use std::cmp::Reverse;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::declare;
use crate::base::id::ServiceId;
use crate::base::limits;
use crate::domain::incident::IncidentState;
use crate::domain::setup::Severity;
use crate::render::html::{IncidentsPage, Row, Stamp};
use crate::render::line::Names;
use crate::store::read::{IncidentSearch, IncidentView};
use crate::web::Doors;
use crate::web::answer::WebError;
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
    let narrowed = IncidentSearch {
        states: Vec::new(),
        severity: params.get("severity").and_then(Severity::parse),
        service: params.get("service").map(ServiceId::from),
        words: params.get("q").unwrap_or("").trim().chars().take(WORDS_CHARS).collect(),
    };
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
    // What nobody has yet comes first, then the worst, then the newest.
    open.sort_by_key(|view| (view.state != IncidentState::Triggered, Reverse(view.severity), Reverse(view.number)));
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
        hooks_at: doors.public_url(),
        is_first: cursor.is_none(),
    };
    Ok(shown(StatusCode::OK, &page))
}

fn older(state: IncidentState, narrowed: &IncidentSearch, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("state", state.name());
    if let Some(service) = &narrowed.service {
        query.append_pair("service", service.as_str());
    }
    if let Some(severity) = narrowed.severity {
        query.append_pair("severity", severity.name());
    }
    if !narrowed.words.is_empty() {
        query.append_pair("q", &narrowed.words);
    }
    query.append_pair("cursor", cursor);
    format!("/?{}", query.finish())
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
        who,
    }
}
