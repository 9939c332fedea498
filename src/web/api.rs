//! `/api/v1`: what scripts read and ask for. The names of the fields do not change.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::WebError;
use super::caller::Caller;
use super::look::{self, EntryBody, Params};
use super::{Doors, body};
use crate::base::id::{PageId, ScheduleId, ServiceId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::alert::AlertState;
use crate::domain::fact::What;
use crate::domain::incident::{IncidentRole, IncidentState};
use crate::domain::input::{Act, Actor, Via};
use crate::domain::oncall;
use crate::store::read::{AlertFilter, AlertView, AttemptOutcome, FactRow, IncidentFilter, IncidentView, PageView};

/// A list and where it goes on.
#[derive(Serialize)]
pub(super) struct List<T> {
    items: Vec<T>,
    next: Option<String>,
}

#[derive(Serialize)]
pub(super) struct IncidentBody {
    id: String,
    number: i64,
    title: String,
    state: &'static str,
    severity: &'static str,
    service: String,
    kind: String,
    opened_at: String,
    acknowledged_at: Option<String>,
    acknowledged_by: Option<String>,
    resolved_at: Option<String>,
    resolved_by: Option<String>,
    lead: Option<String>,
    alerts_count: i64,
    firing_count: i64,
    url: String,
}

impl IncidentBody {
    fn of(view: IncidentView, doors: &Doors) -> Self {
        Self {
            id: view.id.to_string(),
            number: view.number.0,
            title: view.title,
            state: view.state.name(),
            severity: view.severity.name(),
            service: view.service.to_string(),
            kind: view.kind,
            opened_at: view.opened_at.rfc3339(),
            acknowledged_at: view.acknowledged_at.map(Time::rfc3339),
            acknowledged_by: view.acknowledged_by.as_ref().map(Actor::text),
            resolved_at: view.resolved_at.map(Time::rfc3339),
            resolved_by: view.resolved_by.as_ref().map(Actor::text),
            lead: view.response.roles.get(&IncidentRole::Lead).map(ToString::to_string),
            alerts_count: view.alerts_count,
            firing_count: view.firing_count,
            url: format!("{}/incidents/{}", doors.public_url(), view.number.0),
        }
    }
}

#[derive(Serialize)]
pub(super) struct AlertBody {
    id: String,
    dedup_key: String,
    title: String,
    severity: &'static str,
    state: &'static str,
    count: i64,
    first_at: String,
    last_at: String,
    resolved_at: Option<String>,
    source: String,
    integration: String,
    service: String,
    incident: Option<i64>,
    url: Option<String>,
    labels: std::collections::BTreeMap<String, String>,
}

impl From<AlertView> for AlertBody {
    fn from(view: AlertView) -> Self {
        Self {
            id: view.id.to_string(),
            dedup_key: view.dedup_key,
            title: view.title,
            severity: view.severity.name(),
            state: view.state.name(),
            count: view.count,
            first_at: view.first_at.rfc3339(),
            last_at: view.last_at.rfc3339(),
            resolved_at: view.resolved_at.map(Time::rfc3339),
            source: view.source,
            integration: view.integration.to_string(),
            service: view.service.to_string(),
            incident: view.incident.map(|number| number.0),
            url: view.url,
            labels: view.labels,
        }
    }
}

#[derive(Serialize)]
pub(super) struct PageBody {
    id: String,
    incident: i64,
    user: String,
    /// The channel tried last; null while nothing was tried.
    channel: Option<String>,
    state: &'static str,
    created_at: String,
    ended_at: Option<String>,
    reason: Option<String>,
    attempts: Vec<AttemptBody>,
}

#[derive(Serialize)]
struct AttemptBody {
    id: String,
    channel: String,
    contact: String,
    provider: Option<String>,
    provider_id: Option<String>,
    /// Null while it is on its way.
    outcome: Option<&'static str>,
    reason: Option<String>,
    at: String,
}

impl From<PageView> for PageBody {
    fn from(view: PageView) -> Self {
        Self {
            id: view.id.to_string(),
            incident: view.incident.0,
            user: view.user.to_string(),
            channel: view.attempts.last().map(|attempt| attempt.channel.clone()),
            state: view.state.name(),
            created_at: view.created_at.rfc3339(),
            ended_at: view.ended_at.map(Time::rfc3339),
            reason: view.ended,
            attempts: view
                .attempts
                .into_iter()
                .map(|attempt| AttemptBody {
                    id: attempt.id.to_string(),
                    channel: attempt.channel,
                    contact: attempt.contact.to_string(),
                    provider: attempt.provider,
                    provider_id: attempt.provider_id,
                    outcome: attempt.outcome.map(AttemptOutcome::name),
                    reason: attempt.reason,
                    at: attempt.sent_at.unwrap_or(attempt.placed_at).rfc3339(),
                })
                .collect(),
        }
    }
}

type Reply<T> = Result<Json<T>, WebError>;

pub(super) async fn incidents(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<IncidentBody>> {
    let params = Params::of(&uri);
    let filter = IncidentFilter {
        states: params.words("state", IncidentState::parse, "triggered, acknowledged, resolved")?,
        service: params.get("service").map(ServiceId::from_text),
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
    let page = doors.house.store.reader().incident_alerts(&caller.viewer, incident.number, params.get("cursor"), params.limit()?).await?;
    Ok(Json(List { items: page.items.into_iter().map(AlertBody::from).collect(), next: page.next }))
}

pub(super) async fn incident_pages(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Reply<List<PageBody>> {
    let incident = look::incident(&doors, &caller.viewer, &number).await?;
    let pages = doors.house.store.reader().incident_pages(&caller.viewer, incident.number).await?;
    Ok(Json(List { items: pages.into_iter().map(PageBody::from).collect(), next: None }))
}

pub(super) async fn alerts(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<AlertBody>> {
    let params = Params::of(&uri);
    let states = params.words("state", AlertState::parse, "firing, resolved, suppressed")?;
    let state = match states.as_slice() {
        [] => None,
        [state] => Some(*state),
        [_, ..] => return Err(WebError::BadRequest("state is one of firing, resolved, suppressed; ask for one at a time.".to_owned())),
    };
    let filter = AlertFilter { state, service: params.get("service").map(ServiceId::from_text) };
    let page = doors.house.store.reader().alerts_list(&caller.viewer, &filter, params.get("cursor"), params.limit()?).await?;
    Ok(Json(List { items: page.items.into_iter().map(AlertBody::from).collect(), next: page.next }))
}

pub(super) async fn acknowledge(state: State<Doors>, caller: Extension<Caller>, number: Path<String>, body: Body) -> Reply<IncidentBody> {
    command(&state, &caller, &number, body, Act::Acknowledge).await
}

pub(super) async fn escalate(state: State<Doors>, caller: Extension<Caller>, number: Path<String>, body: Body) -> Reply<IncidentBody> {
    command(&state, &caller, &number, body, Act::Escalate).await
}

pub(super) async fn resolve(state: State<Doors>, caller: Extension<Caller>, number: Path<String>, body: Body) -> Reply<IncidentBody> {
    command(&state, &caller, &number, body, Act::Resolve).await
}

pub(super) async fn reopen(state: State<Doors>, caller: Extension<Caller>, number: Path<String>, body: Body) -> Reply<IncidentBody> {
    command(&state, &caller, &number, body, Act::Reopen).await
}

/// The reply is the incident as it is afterwards, also where nothing was left to do: asking twice is no error.
async fn command(doors: &Doors, caller: &Caller, number: &str, body: Body, act: Act) -> Reply<IncidentBody> {
    let bytes = body::read(&doors.house.clock, body, limits::COMMAND_BYTES).await?;
    // These commands have no fields yet; a body that is no object is a mistake worth telling.
    if !bytes.is_empty() && !serde_json::from_slice::<Value>(&bytes).is_ok_and(|value| value.is_object()) {
        return Err(WebError::BadRequest("The body, if there is one, is a JSON object.".to_owned()));
    }
    let view = look::command(doors, caller, number, act, Via::Api).await?;
    Ok(Json(IncidentBody::of(view, doors)))
}

#[derive(Serialize)]
pub(super) struct TurnBody {
    schedule: String,
    users: Vec<String>,
    from: String,
    until: Option<String>,
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
pub(super) async fn freeze() -> Json<Value> {
    Json(json!({ "frozen": false }))
}

#[derive(Serialize)]
pub(super) struct WhyBody {
    incident: IncidentBody,
    page: Option<PageBody>,
    /// What is being done right now.
    now: String,
    now_reason: Option<String>,
    items: Vec<EntryBody>,
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
    let now = look::now(&incident, &pages, look::lapses_at(&facts), &names);
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
