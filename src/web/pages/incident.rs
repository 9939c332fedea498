//! One incident: what happens now, its timeline and its board, and everything that can be done about it.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::super::api::mark::matched;
use super::{changes, people_for, silences, zone_of};
use crate::base::id::{AlertId, IntegrationId, Number, PolicyId, UserId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::alert::{AlertState, Key};
use crate::domain::decide::Outcome;
use crate::domain::fact::What;
use crate::domain::incident::{IncidentRole, IncidentState, Kind, Room};
use crate::domain::input::{Act, Actor, Command, Via, Whom};
use crate::domain::local;
use crate::domain::order::Order;
use crate::domain::relevance::{Mark, Relevance, Stream};
use crate::domain::setup::Severity;
use crate::domain::task::{Task, TaskChange, TaskState};
use crate::flows;
use crate::render::html::{
    AlertRow, AttemptRow, Choice, Entry, HoldTag, IncidentPage, Linked, MarkRow, NoveltyTag, Offers, OrderLink, PageCard, RelevancePart,
    RoleRow, RoomLink, Stamp, StormBanner, TaskRow,
};
use crate::render::line::{self, Names};
use crate::store::read::{AlertView, AttemptOutcome, FactRow, IncidentFilter, IncidentView, PageView};
use crate::web::Doors;
use crate::web::answer::{WebError, see_other};
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::inhibited;
use crate::web::look::{self, Params};
use crate::web::roles::shown;

/// Alerts on an incident's page: the rest is a number.
const ALERTS_SHOWN: i64 = 20;
/// Open incidents that a merge offers.
const OTHERS_OFFERED: i64 = 50;
/// Timeline entries on one page.
const ENTRIES_SHOWN: i64 = 300;

pub(in crate::web) async fn incident(
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
    // What one cannot see at a glance shows first what one would miss.
    let is_flood = view.response.storm.is_some() || view.alerts_count > ALERTS_SHOWN;
    let order = params.sort()?.unwrap_or(if is_flood { Order::Rare } else { Order::Newest });
    let is_noise_shown = params.get("noise").is_some();
    let noise = reader.incident_noise(viewer, number).await?;
    let alerts = if is_noise_shown || noise.alerts == 0 {
        reader.incident_alerts(viewer, number, order, None, ALERTS_SHOWN).await?.items
    } else {
        reader.incident_alerts_loud(viewer, number, order, ALERTS_SHOWN).await?
    };
    let marked = if view.response.marks.is_empty() {
        BTreeMap::new()
    } else {
        reader.alerts_marked(&alerts.iter().map(|alert| &alert.id).collect::<Vec<_>>()).await?
    };
    let mut inhibited = inhibited::among(&doors, &alerts).await?;
    let fell = reader.incident_fell(viewer, number).await?;
    let changes = reader.incident_changes(viewer, number).await?;
    let mut facts = reader.timeline_before(viewer, number, before, ENTRIES_SHOWN + 1).await?;
    let has_earlier = facts.len() > usize::try_from(ENTRIES_SHOWN).unwrap_or(usize::MAX);
    if has_earlier {
        facts.remove(0);
    }
    let is_folded = |row: &FactRow| !is_noise_shown && matches!(row.fact.what, What::NoiseChanged { .. });
    let relevance = RelevancePart {
        marks: marks(&view.response.marks, &doors.names()),
        noise: noise.alerts,
        to: address(number, order, !is_noise_shown),
        hidden: if is_noise_shown { 0 } else { noise.alerts },
        hidden_lines: facts.iter().filter(|row| is_folded(row)).count(),
        is_all: view.state != IncidentState::Resolved && noise.firing > 0 && noise.firing >= view.firing_count,
    };
    let earlier = facts.first().filter(|_| has_earlier).map(|first| format!("/incidents/{}?before={}", number.0, first.seq));

    let names = doors.names();
    let me = caller.user();
    let tasks = reader.board(viewer, number).await?;
    let (open, over): (Vec<&Task>, Vec<&Task>) = tasks.iter().partition(|task| task.state.is_open());
    let rows = |tasks: Vec<&Task>| tasks.into_iter().map(|task| task_row(task, me, doors.now(), &names)).collect();
    let roles = IncidentRole::ALL
        .map(|role| RoleRow { role: role.name(), person: view.response.roles.get(&role).map(|user| names.user(user).to_owned()) });
    let page = IncidentPage {
        relevance,
        frame: caller.frame_in("incidents"),
        board: rows(open),
        board_over: rows(over),
        roles: roles.into(),
        room: room_link(&view.response.room),
        offers: Offers { others: others(&doors, &caller, &view).await?, parts: parts(&view, &alerts), ..offers(&doors, &caller) },
        linked: linked(&view, doors.now()),
        number,
        now: look::now(&view, &pages, &facts, &names),
        title: view.title,
        service: names.service(&view.service).to_owned(),
        also: view.response.services.iter().map(|service| names.service(service).to_owned()).collect(),
        group: view.response.group.as_ref().map(ToString::to_string),
        storm: view.response.storm.as_ref().map(|storm| StormBanner {
            policy: storm.policy.to_string(),
            services: i64::try_from(view.response.services.len() + 1).unwrap_or(i64::MAX),
            began_at: Stamp(storm.began_at),
            ended_at: storm.ended_at.map(Stamp),
        }),
        fell_more: fell.len().saturating_sub(limits::FALLS_SHOWN),
        fell: fell.into_iter().take(limits::FALLS_SHOWN).map(|fall| (fall.host, Stamp(fall.at))).collect(),
        severity: view.severity.name(),
        state: view.state,
        opened_at: Stamp(view.opened_at),
        resolved_at: view.resolved_at.map(Stamp),
        // Whoever declared it had it at once, which is no answer.
        answered_after: view.acknowledged_at.filter(|at| *at > view.opened_at).map(|at| at.since(view.opened_at).to_string()),
        alerts_count: view.alerts_count,
        orders: OrderLink::all(order, |order| address(number, order, is_noise_shown)),
        alerts: alerts
            .into_iter()
            .map(|alert| AlertRow {
                inhibited: inhibited.remove(&alert.id),
                relevance: marked.get(&alert.id).map(|relevance| relevance.name()),
                ..alert_row(alert)
            })
            .collect(),
        changes: changes.into_iter().map(|change| changes::row(change, Some(view.opened_at), &names)).collect(),
        pages: pages.iter().map(|page| page_card(page, &names)).collect(),
        timeline: facts.iter().filter(|row| !is_folded(row)).map(|row| entry(row, &names)).collect(),
        earlier,
        is_newest: before.is_none(),
    };
    Ok(shown(StatusCode::OK, &page))
}

/// Its alerts in this order, with the noise or without.
fn address(number: Number, order: Order, with_noise: bool) -> String {
    format!("/incidents/{}?sort={}{}#alerts", number.0, order.name(), if with_noise { "&noise=1" } else { "" })
}

fn alert_row(alert: AlertView) -> AlertRow {
    AlertRow {
        inhibited: None,
        relevance: None,
        integration: alert.integration.to_string(),
        dedup_key: alert.dedup_key.clone(),
        silence: if alert.state == AlertState::Firing { silences::link(&alert) } else { String::new() },
        title: alert.title,
        source: alert.source,
        severity: alert.severity.name(),
        state: alert.state.name(),
        hold: HoldTag::of(alert.state, alert.hold),
        novelty: NoveltyTag::of(&alert.novelty),
        count: alert.count,
        first_at: Stamp(alert.first_at),
        last_at: Stamp(alert.last_at),
        url: alert.url,
        labels: alert.labels.into_iter().collect(),
    }
}

fn marks(marks: &[Mark], names: &Names) -> Vec<MarkRow> {
    let row = |mark: &Mark| MarkRow {
        n: mark.n,
        relevance: mark.relevance.name(),
        about: mark.about.clone(),
        by: names.actor(&mark.by),
        at: Stamp(mark.at),
    };
    marks.iter().map(row).collect()
}

/// Which of its alerts a form is about: those that match, or those of one key.
fn stream(form: &Form) -> Result<(Stream, String), WebError> {
    if let Some(text) = form.get("matchers") {
        return matched(&[text.to_owned()]);
    }
    let key = Key { integration: IntegrationId::from(form.raw("integration")), dedup_key: form.raw("key").to_owned() };
    Ok((Stream::Key(key), form.line("about", "which alerts are meant")?))
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
    let line = line::of(&row.fact, names);
    let actor = names.actor(&row.fact.actor);
    // What happens by itself, and who is named in the line, needs no name beside it.
    let is_plain = row.fact.actor == Actor::Reveille || line.text.contains(&actor);
    Entry { seq: row.seq, at: Stamp(row.fact.at), actor: (!is_plain).then_some(actor), line }
}

fn task_row(task: &Task, me: Option<&UserId>, now: Time, names: &Names) -> TaskRow {
    // Somebody's id is shown as their name; any other words stand for themselves.
    let waits_for = |on: &String| names.user(&UserId::from(on.as_str())).to_owned();
    TaskRow {
        n: task.n,
        title: task.title.clone(),
        state: task.state,
        owner: task.owner.as_ref().map(|user| names.user(user).to_owned()),
        is_mine: task.owner.is_some() && task.owner.as_ref() == me,
        since: Stamp(task.changed_at),
        blocked_on: task.blocked_on.as_ref().map(waits_for),
        back_at: task.back_at.map(Stamp),
        is_overdue: task.state.is_open() && task.back_at.is_some_and(|at| at <= now),
    }
}

fn room_link(room: &Room) -> Option<RoomLink> {
    match room {
        Room::Open { room, name } => {
            let id: String = form_urlencoded::byte_serialize(room.as_bytes()).collect();
            Some(RoomLink { name: name.clone(), url: format!("https://slack.com/app_redirect?channel={id}") })
        }
        Room::None | Room::Wanted => None,
    }
}

fn offers(doors: &Doors, caller: &Caller) -> Offers {
    let live = doors.live();
    let policies = live.setup.policies.keys().map(|id| Choice { id: id.to_string(), name: id.to_string() });
    Offers { people: people_for(doors, caller), policies: policies.collect(), timezone: zone_of(doors, caller), ..Offers::default() }
}

/// The other open incidents, the newest first.
async fn others(doors: &Doors, caller: &Caller, view: &IncidentView) -> Result<Vec<Choice>, WebError> {
    if view.state == IncidentState::Resolved {
        return Ok(Vec::new());
    }
    let kinds = Kind::parse(&view.kind).into_iter().collect();
    let filter = IncidentFilter { states: vec![IncidentState::Triggered, IncidentState::Acknowledged], kinds, ..IncidentFilter::default() };
    let open = doors.house.store.reader().incidents_list(&caller.viewer, &filter, None, OTHERS_OFFERED).await?.items;
    let choice = |other: IncidentView| Choice { id: other.number.0.to_string(), name: format!("{} {}", other.number, other.title) };
    Ok(open.into_iter().filter(|other| other.number != view.number).map(choice).collect())
}

/// The open alerts, where at least one stays behind when others go.
fn parts(view: &IncidentView, alerts: &[AlertView]) -> Vec<Choice> {
    if view.state == IncidentState::Resolved || view.firing_count < 2 {
        return Vec::new();
    }
    let open = alerts.iter().filter(|alert| alert.state != AlertState::Resolved);
    open.map(|alert| Choice { id: alert.id.to_string(), name: alert.title.clone() }).collect()
}

fn linked(view: &IncidentView, now: Time) -> Linked {
    let links = &view.links;
    Linked {
        merged_into: links.merged_into,
        took_in: links.took_in.clone(),
        split_from: links.split_from,
        causes: if view.state == IncidentState::Resolved { Vec::new() } else { links.causes.clone() },
        may_return: links.merged_into.is_some() && view.resolved_at.is_some_and(|at| now.since(at) <= limits::UNMERGE),
    }
}

/// A button was pressed or a form sent. The answer is the page itself, which shows what became of it.
pub(in crate::web) async fn act(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
    Path((number, word)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let act = match word.as_str() {
        "merge" => {
            let into = form.get("into").ok_or_else(|| WebError::BadRequest("Choose the incident that it is part of.".to_owned()))?;
            Act::Merge { into: look::incident(&doors, &caller.viewer, into).await?.id }
        }
        _ => act_of(&doors, &caller, &word, &form)?,
    };
    if matches!(act, Act::Merge { .. } | Act::Unmerge | Act::Split { .. }) {
        let shown = regroup(&doors, &caller, &number, act).await?;
        return Ok(see_other(&format!("/incidents/{}", shown.0)));
    }
    let incident = look::command(&doors, &caller, &number, act, Via::Web).await?;
    Ok(see_other(&format!("/incidents/{}", incident.number.0)))
}

/// Merges or splits, and says which incident to look at next. What is refused is told, since nothing on the page would show it.
async fn regroup(doors: &Doors, caller: &Caller, number: &str, act: Act) -> Result<Number, WebError> {
    let before = look::incident(doors, &caller.viewer, number).await?;
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let verdict = flows::act::act(&doors.house, Command { incident: before.id, actor, via: Via::Web, act }).await?;
    if verdict.outcome == Outcome::Ignored {
        return Err(WebError::Conflict(format!("Nothing was done: {}.", verdict.reason.sentence())));
    }
    let reader = doors.house.store.reader();
    let made = match (verdict.outcome, verdict.incident) {
        (Outcome::Opened, Some(id)) => reader.incident_number(&id).await?,
        (_, _) => None,
    };
    Ok(made.unwrap_or(before.number))
}

/// What a form of the page asks for.
fn act_of(doors: &Doors, caller: &Caller, word: &str, form: &Form) -> Result<Act, WebError> {
    let now = doors.now();
    Ok(match word {
        "acknowledge" => Act::Acknowledge,
        "escalate" => Act::Escalate,
        "resolve" => Act::Resolve,
        "reopen" => Act::Reopen,
        "severity" => {
            let to = form.get("to").and_then(Severity::parse);
            Act::SetSeverity { to: to.ok_or_else(|| WebError::BadRequest("Choose sev1, sev2, sev3 or sev4.".to_owned()))? }
        }
        "title" => Act::SetTitle { title: form.line("title", "a title")? },
        "role" => {
            let role = form.get("role").and_then(IncidentRole::parse);
            let role = role.ok_or_else(|| WebError::BadRequest("Choose lead, comms, ops or scribe.".to_owned()))?;
            Act::SetRole { role, user: person(doors, form, "user")? }
        }
        "note" => {
            let at = match form.get("at") {
                Some(clock) => {
                    let at = local::last_at(&zone_of(doors, caller), clock, now);
                    Some(at.ok_or_else(|| WebError::BadRequest("Write the time as 12:56.".to_owned()))?)
                }
                None => None,
            };
            Act::AddNote { text: form.words("text", "the note", limits::NOTE_CHARS)?, at }
        }
        "update" => Act::PostUpdate { text: form.words("text", "the update", limits::NOTE_CHARS)? },
        "snooze" => {
            let until = form.after("for", now)?.filter(|until| *until > now && *until <= now + limits::SNOOZE_MOST);
            Act::Snooze { until: until.ok_or_else(|| WebError::BadRequest(format!("Snooze for at most {}.", limits::SNOOZE_MOST)))? }
        }
        "unmerge" => Act::Unmerge,
        "split" => {
            let title = form.get("title").map(|_| form.line("title", "a title")).transpose()?;
            Act::Split { alerts: form.ticked("alert.").take(limits::SPLIT_ALERTS).map(AlertId::from_text).collect(), title }
        }
        "reassign" => Act::Reassign { to: someone(doors, form, "to")? },
        "noise" | "relevant" => {
            let (stream, about) = stream(form)?;
            let relevance = Relevance::parse(word).unwrap_or(Relevance::Relevant);
            Act::Mark { stream, relevance, about }
        }
        "unmark" => Act::Unmark { n: form.get("n").and_then(|n| n.parse().ok()).ok_or(WebError::NotFound("such mark"))? },
        "page" => Act::Page { whom: whom(doors, form)? },
        "task" => {
            let title = form.line("title", "what is to be done")?;
            Act::AddTask { title, owner: person(doors, form, "owner")?, back_at: form.after("back", now)? }
        }
        _ => return Err(WebError::NotFound("such command")),
    })
}

fn whom(doors: &Doors, form: &Form) -> Result<Whom, WebError> {
    let unknown = || WebError::BadRequest("Choose a person, a policy or everyone.".to_owned());
    match form.get("whom").ok_or_else(unknown)?.split_once(':') {
        None => Ok(Whom::Everyone),
        Some(("user", id)) => known_person(doors, id).map(Whom::User),
        Some(("policy", id)) => {
            let id = PolicyId::from(id);
            if doors.live().setup.policies.contains_key(&id) { Ok(Whom::Policy(id)) } else { Err(unknown()) }
        }
        Some(_) => Err(unknown()),
    }
}

fn someone(doors: &Doors, form: &Form, field: &str) -> Result<UserId, WebError> {
    person(doors, form, field)?.ok_or_else(|| WebError::BadRequest("Choose a person.".to_owned()))
}

/// The person that a field names; `None` where it names nobody.
fn person(doors: &Doors, form: &Form, field: &str) -> Result<Option<UserId>, WebError> {
    form.get(field).map(|id| known_person(doors, id)).transpose()
}

pub(super) fn known_person(doors: &Doors, id: &str) -> Result<UserId, WebError> {
    let id = UserId::from(id);
    if doors.live().setup.users.contains_key(&id) { Ok(id) } else { Err(WebError::BadRequest("There is no such person.".to_owned())) }
}

/// A button of one row of the board.
pub(in crate::web) async fn task(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
    Path((number, n)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let n: i64 = n.parse().map_err(|_| WebError::NotFound("such task"))?;
    let change = change_of(&doors, &caller, &form)?;
    let incident = look::command(&doors, &caller, &number, Act::ChangeTask { n, change }, Via::Web).await?;
    Ok(see_other(&format!("/incidents/{}", incident.number.0)))
}

fn change_of(doors: &Doors, caller: &Caller, form: &Form) -> Result<TaskChange, WebError> {
    let to = |state: TaskState| TaskChange { state: Some(state), ..TaskChange::default() };
    Ok(match form.raw("do") {
        "take" => {
            let me = caller.user().cloned().ok_or(WebError::NotSignedIn)?;
            TaskChange { owner: Some(Some(me)), ..to(TaskState::Doing) }
        }
        "give" => TaskChange { owner: Some(Some(someone(doors, form, "to")?)), ..to(TaskState::Doing) },
        "todo" => to(TaskState::Todo),
        "doing" => to(TaskState::Doing),
        "done" => to(TaskState::Done),
        "drop" => to(TaskState::Dropped),
        "block" => TaskChange { blocked_on: Some(Some(form.line("on", "whom or what it waits for")?)), ..to(TaskState::Blocked) },
        "back" => TaskChange { back_at: Some(form.after("back", doors.now())?), ..TaskChange::default() },
        _ => return Err(WebError::NotFound("such command")),
    })
}
