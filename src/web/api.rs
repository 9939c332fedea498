//! `/api/v1`: what scripts read and ask for. The names of the fields do not change.

pub(super) mod ask;
pub(super) mod bodies;
pub(super) mod change;
pub(super) mod command;
pub(super) mod declare;
pub(super) mod document;
pub(super) mod heartbeat;
pub(super) mod integration;
pub(super) mod maintenance;
pub(super) mod mark;
pub(super) mod merge;
pub(super) mod noise;
pub(super) mod person;
pub(super) mod route;
pub(super) mod silence;
pub(super) mod stand_in;
pub(super) mod task;
pub(super) mod words;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};

use self::bodies::{AlertBody, FreezeBody, IncidentBody, List, PageBody, TurnBody, WhyBody};
use super::Doors;
use super::answer::WebError;
use super::caller::Caller;
use super::look::{self, EntryBody, Params};
use crate::base::id::{PageId, ScheduleId, ServiceId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::alert::AlertState;
use crate::domain::fact::What;
use crate::domain::incident::{IncidentState, Kind};
use crate::domain::oncall;
use crate::store::read::{AlertFilter, FactRow, IncidentFilter, PageView};

pub(super) type Reply<T> = Result<Json<T>, WebError>;

pub(super) async fn incidents(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<IncidentBody>> {
    let params = Params::of(&uri);
    let filter = IncidentFilter {
        states: params.words("state", IncidentState::parse, "triggered, acknowledged, resolved")?,
        service: params.get("service").map(ServiceId::from_text),
        kinds: params.words("kind", Kind::parse, "real, drill, test")?,
        order: params.sort()?.unwrap_or_default(),
    };
    let page = doors.house.store.reader().incidents_list(&caller.viewer, &filter, params.get("cursor"), params.limit()?).await?;
    let items = page.items.into_iter().map(|view| IncidentBody::of(view, &doors)).collect();
    Ok(Json(List { items, next: page.next }))
}

pub(super) async fn incident(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Reply<IncidentBody> {
    let view = look::incident(&doors, &caller.viewer, &number).await?;
    Ok(Json(IncidentBody::of(view, &doors)))
}

pub(super) async fn timeline(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    uri: Uri,
) -> Reply<List<EntryBody>> {
    let params = Params::of(&uri);
    let incident = look::incident(&doors, &caller.viewer, &number).await?;
    let page = doors.house.store.reader().timeline(&caller.viewer, incident.number, params.get("cursor"), params.limit()?).await?;
    let names = doors.names();
    let items = page.items.iter().map(|row| EntryBody::of(row, Some(incident.number), &names)).collect();
    Ok(Json(List { items, next: page.next }))
}

pub(super) async fn incident_alerts(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    uri: Uri,
) -> Reply<List<AlertBody>> {
    let params = Params::of(&uri);
    let incident = look::incident(&doors, &caller.viewer, &number).await?;
    let (order, cursor) = (params.sort()?.unwrap_or_default(), params.get("cursor"));
    let page = doors.house.store.reader().incident_alerts(&caller.viewer, incident.number, order, cursor, params.limit()?).await?;
    Ok(Json(List { items: page.items.into_iter().map(AlertBody::from).collect(), next: page.next }))
}

pub(super) async fn incident_pages(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    uri: Uri,
) -> Reply<List<PageBody>> {
    let incident = look::incident(&doors, &caller.viewer, &number).await?;
    let pages = doors.house.store.reader().incident_pages(&caller.viewer, incident.number).await?;
    Ok(Json(List::part(pages.into_iter().map(PageBody::from).collect(), &Params::of(&uri), PageBody::id)?))
}

pub(super) async fn alerts(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<AlertBody>> {
    let params = Params::of(&uri);
    let states = params.words("state", AlertState::parse, "firing, resolved, suppressed")?;
    let state = match states.as_slice() {
        [] => None,
        [state] => Some(*state),
        [_, ..] => return Err(WebError::BadRequest("state is one of firing, resolved, suppressed; ask for one at a time.".to_owned())),
    };
    let order = params.sort()?.unwrap_or_default();
    let filter = AlertFilter { state, service: params.get("service").map(ServiceId::from_text), order };
    let page = doors.house.store.reader().alerts_list(&caller.viewer, &filter, params.get("cursor"), params.limit()?).await?;
    Ok(Json(List { items: page.items.into_iter().map(AlertBody::from).collect(), next: page.next }))
}

pub(super) async fn oncall(State(doors): State<Doors>, uri: Uri) -> Reply<List<TurnBody>> {
    let params = Params::of(&uri);
    let at = match params.get("at") {
        Some(text) => Time::parse_rfc3339(text).map_err(|how| WebError::BadRequest(format!("at: {how}.")))?,
        None => doors.now(),
    };
    let limit = usize::try_from(params.limit()?).unwrap_or(usize::MAX);
    let after = params.get("cursor").map(ScheduleId::from_text);
    let live = doors.live();
    let mut schedules = live.setup.schedules.values().filter(|schedule| after.as_ref().is_none_or(|after| schedule.id > *after));
    let mut items = Vec::new();
    for schedule in schedules.by_ref().take(limit) {
        let turn = oncall::who(schedule, at).map_err(|error| {
            tracing::error!(%error, schedule = %schedule.id, "a schedule in force cannot be read");
            WebError::Inside
        })?;
        items.push(TurnBody {
            schedule: schedule.id.to_string(),
            users: turn.users.iter().map(ToString::to_string).collect(),
            from: turn.from.rfc3339(),
            until: turn.until.map(Time::rfc3339),
        });
    }
    let next = schedules.next().and_then(|_| items.last().map(|last| last.schedule.clone()));
    Ok(Json(List { items, next }))
}

/// Nothing freezes anything yet; pipelines may ask already.
pub(super) async fn freeze() -> Json<FreezeBody> {
    Json(FreezeBody { frozen: false })
}

/// The facts, with their reasons, about one incident (`42`, `#42`) or one page (`pag_…`).
pub(super) async fn why(State(doors): State<Doors>, Extension(caller): Extension<Caller>, Path(subject): Path<String>) -> Reply<WhyBody> {
    let reader = doors.house.store.reader();
    let viewer = &caller.viewer;
    let page = if subject.starts_with(PageId::PREFIX) {
        Some(reader.page_get(viewer, &PageId::from_text(subject.as_str())).await?.ok_or(WebError::NotFound("such page"))?)
    } else {
        None
    };
    let number = page.as_ref().map_or_else(|| subject.trim_start_matches('#').to_owned(), |page| page.incident.0.to_string());
    let incident = look::incident(&doors, viewer, &number).await?;
    let facts = reader.timeline_before(viewer, incident.number, None, limits::LIST_MOST).await?;
    let pages = reader.incident_pages(viewer, incident.number).await?;
    let names = doors.names();
    let now = look::now(&incident, &pages, &facts, &names);
    let items = facts
        .iter()
        .filter(|row| page.as_ref().is_none_or(|page| tells_of(row, page)))
        .map(|row| EntryBody::of(row, Some(incident.number), &names))
        .collect();
    Ok(Json(WhyBody {
        now: now.plain(),
        now_reason: now.reason,
        incident: IncidentBody::of(incident, &doors),
        page: page.map(PageBody::from),
        items,
    }))
}

/// Whether a fact is part of the answer to "why was I paged": the page's own, and those of the incident that started or ended it.
fn tells_of(row: &FactRow, page: &PageView) -> bool {
    if look::page_of(&row.fact) == Some(&page.id) {
        return true;
    }
    if let What::StepStarted { users, .. } | What::PagedWider { users, .. } = &row.fact.what {
        return users.contains(&page.user);
    }
    if let What::PageUnhelpful { user } = &row.fact.what {
        return user == &page.user;
    }
    look::steers_paging(&row.fact)
}
