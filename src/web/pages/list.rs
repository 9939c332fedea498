//! The list of incidents.

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use crate::base::limits;
use crate::domain::incident::IncidentState;
use crate::render::html::{IncidentsPage, Row, Stamp};
use crate::render::line::Names;
use crate::store::read::{IncidentFilter, IncidentView};
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::look::Params;
use crate::web::roles::shown;

/// Resolved incidents on one page of the list.
const RESOLVED_SHOWN: i64 = 50;

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
        frame: caller.frame_in("incidents"),
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
