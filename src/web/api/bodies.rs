//! What the API answers with. The names of the fields do not change.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::answer::WebError;
use super::super::look::{EntryBody, Params};
use super::mark::MarkBody;
use super::words;
use crate::base::time::Time;
use crate::domain::alert::{AlertState, Hold};
use crate::domain::incident::{IncidentRole, NO_SERVICE};
use crate::domain::input::Actor;
use crate::domain::storm::Storm;
use crate::domain::task::Task;
use crate::store::read::{AlertView, AttemptOutcome, IncidentView, OverrideView, PageView, StoreError};

/// A list and where it goes on.
#[derive(Serialize)]
pub struct List<T> {
    pub items: Vec<T>,
    /// Ask again with `?cursor=` and this; null at the end.
    pub next: Option<String>,
}

impl<T> List<T> {
    /// The part that is asked for of a list that is short enough to be read whole; the id of its last item is where the next goes on.
    pub(super) fn part(all: Vec<T>, params: &Params, id: impl Fn(&T) -> &str) -> Result<Self, WebError> {
        let limit = usize::try_from(params.limit()?).unwrap_or(usize::MAX);
        let start = match params.get("cursor") {
            Some(cursor) => all.iter().position(|item| id(item) == cursor).ok_or(StoreError::Cursor)? + 1,
            None => 0,
        };
        let goes_on = all.len() > start + limit;
        let items: Vec<T> = all.into_iter().skip(start).take(limit).collect();
        let next = items.last().filter(|_| goes_on).map(|last| id(last).to_owned());
        Ok(Self { items, next })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Incident)]
pub struct IncidentBody {
    id: String,
    number: i64,
    title: String,
    #[schema(schema_with = words::incident_state)]
    state: &'static str,
    #[schema(schema_with = words::severity)]
    severity: &'static str,
    /// Null where it was declared and no service was named.
    service: Option<String>,
    /// The services beside that one whose alerts it took in, because they depend on it.
    also_services: Vec<String>,
    /// What its service's alerts in it have in common, where the service groups by more than time.
    group: Option<String>,
    /// Where it takes in, or took in, what would have opened incidents of their own.
    storm: Option<StormBody>,
    #[schema(schema_with = words::kind)]
    kind: String,
    #[schema(schema_with = words::time)]
    opened_at: String,
    #[schema(schema_with = words::maybe_time)]
    acknowledged_at: Option<String>,
    /// A user's id, `token:NAME`, `reveille`, or an integration's id.
    acknowledged_by: Option<String>,
    /// When the acknowledgement lapses, unless there is a sign of life.
    #[schema(schema_with = words::maybe_time)]
    lapses_at: Option<String>,
    #[schema(schema_with = words::maybe_time)]
    snoozed_until: Option<String>,
    #[schema(schema_with = words::maybe_time)]
    resolved_at: Option<String>,
    resolved_by: Option<String>,
    /// The user who leads.
    lead: Option<String>,
    /// Who has which role: lead, comms, ops, scribe.
    roles: BTreeMap<&'static str, String>,
    /// Distinct alerts that joined, open or not.
    alerts_count: i64,
    /// Of these, the ones that fire.
    firing_count: i64,
    /// What people marked as noise, or as relevant, in the order in which they did.
    marks: Vec<MarkBody>,
    /// The incident that it went into.
    merged_into: Option<i64>,
    /// The incidents that went into it.
    took_in: Vec<i64>,
    /// The incident that it was split off.
    split_from: Option<i64>,
    /// Its web page.
    url: String,
}

impl IncidentBody {
    pub(in super::super) fn of(view: IncidentView, doors: &Doors) -> Self {
        Self {
            id: view.id.to_string(),
            number: view.number.0,
            title: view.title,
            state: view.state.name(),
            severity: view.severity.name(),
            service: Some(view.service.to_string()).filter(|service| service != NO_SERVICE),
            also_services: view.response.services.iter().map(ToString::to_string).collect(),
            group: view.response.group.as_ref().map(ToString::to_string),
            storm: view.response.storm.as_ref().map(StormBody::of),
            kind: view.kind,
            opened_at: view.opened_at.rfc3339(),
            acknowledged_at: view.acknowledged_at.map(Time::rfc3339),
            acknowledged_by: view.acknowledged_by.as_ref().map(Actor::text),
            lapses_at: view.lapses_at.map(Time::rfc3339),
            snoozed_until: view.response.snoozed_until.map(Time::rfc3339),
            resolved_at: view.resolved_at.map(Time::rfc3339),
            resolved_by: view.resolved_by.as_ref().map(Actor::text),
            lead: view.response.roles.get(&IncidentRole::Lead).map(ToString::to_string),
            roles: view.response.roles.iter().map(|(role, user)| (role.name(), user.to_string())).collect(),
            alerts_count: view.alerts_count,
            firing_count: view.firing_count,
            marks: view.response.marks.iter().map(MarkBody::of).collect(),
            merged_into: view.links.merged_into.map(|number| number.0),
            took_in: view.links.took_in.iter().map(|number| number.0).collect(),
            split_from: view.links.split_from.map(|number| number.0),
            url: format!("{}/incidents/{}", doors.public_url(), view.number.0),
        }
    }
}

/// A storm: more incidents of one policy opened within a minute than are ordinary.
#[derive(Serialize, ToSchema)]
#[schema(as = Storm)]
pub struct StormBody {
    policy: String,
    #[schema(schema_with = words::time)]
    began_at: String,
    /// From then on, what is new opens incidents of its own again; null while the storm lasts.
    #[schema(schema_with = words::maybe_time)]
    ended_at: Option<String>,
}

impl StormBody {
    fn of(storm: &Storm) -> Self {
        Self { policy: storm.policy.to_string(), began_at: storm.began_at.rfc3339(), ended_at: storm.ended_at.map(Time::rfc3339) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Alert)]
pub struct AlertBody {
    id: String,
    /// The sender's key, as it came.
    dedup_key: String,
    title: String,
    #[schema(schema_with = words::alert_severity)]
    severity: &'static str,
    #[schema(schema_with = words::alert_state)]
    state: &'static str,
    /// How many signals told of it.
    count: i64,
    #[schema(schema_with = words::time)]
    first_at: String,
    #[schema(schema_with = words::time)]
    last_at: String,
    #[schema(schema_with = words::maybe_time)]
    resolved_at: Option<String>,
    /// The kind of sender, as in the hook's address.
    source: String,
    integration: String,
    service: String,
    /// The number of its incident; null for one that is only recorded.
    incident: Option<i64>,
    url: Option<String>,
    labels: BTreeMap<String, String>,
    /// While its service waits to see whether it passes by itself: when it calls people.
    #[schema(schema_with = words::maybe_time)]
    quiet_until: Option<String>,
    /// It was over before that, and nobody was called.
    passed_by_itself: bool,
    /// While it comes and goes: since when it counts as firing, whatever its sender says.
    #[schema(schema_with = words::maybe_time)]
    flapping_since: Option<String>,
    /// What is wrong, without its numbers and names: alike alerts are of one kind.
    kind: String,
    /// How many of its kind there were lately when it began; 99: so many or more.
    seen_before: i64,
    /// The first of its kind ever, of a sender that is known for a day or longer.
    first_of_its_kind: bool,
    /// Since when it comes much faster than it ever did lately.
    #[schema(schema_with = words::maybe_time)]
    rising_since: Option<String>,
}

impl From<AlertView> for AlertBody {
    fn from(view: AlertView) -> Self {
        let (mut quiet_until, mut flapping_since) = (None, None);
        match view.hold.filter(|_| view.state == AlertState::Firing) {
            Some(Hold::Quiet { until }) => quiet_until = Some(until.rfc3339()),
            Some(Hold::Flapping { since, .. }) => flapping_since = Some(since.rfc3339()),
            Some(Hold::Passed) | None => {}
        }
        Self {
            quiet_until,
            passed_by_itself: view.hold == Some(Hold::Passed),
            flapping_since,
            kind: view.novelty.kind,
            seen_before: view.novelty.seen,
            first_of_its_kind: view.novelty.marks.is_new,
            rising_since: view.novelty.marks.rose.map(|rise| rise.at.rfc3339()),
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

#[derive(Serialize, ToSchema)]
#[schema(as = Page)]
pub struct PageBody {
    id: String,
    incident: i64,
    user: String,
    /// The channel tried last; null while nothing was tried.
    channel: Option<String>,
    #[schema(schema_with = words::page_state)]
    state: &'static str,
    #[schema(schema_with = words::time)]
    created_at: String,
    #[schema(schema_with = words::maybe_time)]
    ended_at: Option<String>,
    /// Why it ended.
    reason: Option<String>,
    /// Oldest first.
    attempts: Vec<AttemptBody>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub struct AttemptBody {
    id: String,
    channel: String,
    contact: String,
    provider: Option<String>,
    provider_id: Option<String>,
    /// Null while it is on its way.
    #[schema(schema_with = words::attempt_outcome)]
    outcome: Option<&'static str>,
    reason: Option<String>,
    #[schema(schema_with = words::time)]
    at: String,
}

impl PageBody {
    pub(super) fn id(&self) -> &str {
        &self.id
    }
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

#[derive(Serialize, ToSchema)]
#[schema(as = Turn)]
pub struct TurnBody {
    pub schedule: String,
    /// Empty where nobody is on call.
    pub users: Vec<String>,
    #[schema(schema_with = words::time)]
    pub from: String,
    #[schema(schema_with = words::maybe_time)]
    pub until: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Why)]
pub struct WhyBody {
    pub incident: IncidentBody,
    pub page: Option<PageBody>,
    /// What is being done right now.
    pub now: String,
    pub now_reason: Option<String>,
    pub items: Vec<EntryBody>,
}

/// A row of an incident's board.
#[derive(Serialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskBody {
    pub id: String,
    /// The incident's number.
    pub incident: i64,
    /// Its small number in the incident, as people say it.
    pub n: i64,
    pub title: String,
    /// A user's id.
    pub owner: Option<String>,
    #[schema(schema_with = words::task_state)]
    pub state: &'static str,
    /// A user's id, or any words.
    pub blocked_on: Option<String>,
    /// When its owner said they would be back with news.
    #[schema(schema_with = words::maybe_time)]
    pub back_at: Option<String>,
    #[schema(schema_with = words::time)]
    pub created_at: String,
    pub created_by: String,
    /// When its owner or its state last changed.
    #[schema(schema_with = words::time)]
    pub changed_at: String,
}

impl TaskBody {
    pub(super) fn of(task: &Task, incident: i64) -> Self {
        Self {
            id: task.id.to_string(),
            incident,
            n: task.n,
            title: task.title.clone(),
            owner: task.owner.as_ref().map(ToString::to_string),
            state: task.state.name(),
            blocked_on: task.blocked_on.clone(),
            back_at: task.back_at.map(Time::rfc3339),
            created_at: task.created_at.rfc3339(),
            created_by: task.created_by.text(),
            changed_at: task.changed_at.rfc3339(),
        }
    }
}

/// Somebody has a schedule for a while.
#[derive(Serialize, ToSchema)]
#[schema(as = Override)]
pub struct OverrideBody {
    pub id: String,
    pub schedule: String,
    pub user: String,
    #[schema(schema_with = words::time)]
    pub from: String,
    #[schema(schema_with = words::time)]
    pub until: String,
    #[schema(schema_with = words::time)]
    pub created_at: String,
    pub created_by: String,
}

impl From<OverrideView> for OverrideBody {
    fn from(view: OverrideView) -> Self {
        Self {
            id: view.id.to_string(),
            schedule: view.schedule.to_string(),
            user: view.user.to_string(),
            from: view.from.rfc3339(),
            until: view.until.rfc3339(),
            created_at: view.created_at.rfc3339(),
            created_by: view.created_by.text(),
        }
    }
}

/// Whether deploys and other changes are to wait.
#[derive(Serialize, ToSchema)]
#[schema(as = Freeze)]
pub struct FreezeBody {
    pub frozen: bool,
}

/// A refusal, as RFC 9457 writes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what `problem` writes")]
pub struct Problem {
    /// Always `about:blank`.
    r#type: String,
    title: String,
    status: i64,
    /// What is wrong and what to do about it.
    detail: String,
}
