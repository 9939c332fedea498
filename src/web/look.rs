//! What the pages, the API and the stream have in common: reading, wording, and what a query asks for.

use std::collections::BTreeMap;

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Doors;
use super::answer::{WebError, problem};
use super::api::words;
use crate::base::id::{IncidentId, Number, PageId};
use crate::base::limits;
use crate::base::viewer::Viewer;
use crate::domain::fact::{Fact, What};
use crate::domain::input::{Act, Command, Via};
use crate::domain::order::Order;
use crate::domain::reason::Reason;
use crate::domain::setup::ContactKind;
use crate::flows::hear::{CallbackError, HearError};
use crate::flows::{FlowError, act};
use crate::render::line::{self, Line, Names, Reaching, Standing};
use crate::store::read::{FactRow, IncidentView, PageState, PageView};

use super::caller::Caller;

/// The incident that a URL names.
pub(super) async fn incident(doors: &Doors, viewer: &Viewer, number: &str) -> Result<IncidentView, WebError> {
    let number: i64 = number.parse().map_err(|_| WebError::NotFound("such incident"))?;
    doors.house.store.reader().incident_get(viewer, Number(number)).await?.ok_or(WebError::NotFound("such incident"))
}

/// Carries out a command on an incident and reads it again.
pub(super) async fn command(doors: &Doors, caller: &Caller, number: &str, act: Act, via: Via) -> Result<IncidentView, WebError> {
    let before = incident(doors, &caller.viewer, number).await?;
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let verdict = act::act(&doors.house, Command { incident: before.id, actor, via, act }).await?;
    tracing::info!(incident = before.number.0, outcome = verdict.outcome.name(), "a command was carried out");
    incident(doors, &caller.viewer, number).await
}

/// The number of an incident; `None` where it cannot be read just now.
pub(super) async fn number_of(doors: &Doors, id: &IncidentId) -> Option<i64> {
    match doors.house.store.reader().incident_number(id).await {
        Ok(number) => number.map(|number| number.0),
        Err(error) => {
            tracing::warn!(%error, "an incident's number cannot be read");
            None
        }
    }
}

pub(super) fn callback_refused(error: CallbackError) -> Response {
    match error {
        CallbackError::UnknownChannel => problem(StatusCode::NOT_FOUND, "There is no such callback."),
        CallbackError::Hear(HearError::BadSignature) => problem(
            StatusCode::UNAUTHORIZED,
            "The signature is wrong. It is made over the address as the provider knows it: check public_url and the auth token.",
        ),
        CallbackError::Hear(HearError::Unreadable) => problem(StatusCode::BAD_REQUEST, "The callback cannot be read."),
        CallbackError::Flow(FlowError::Missing(_)) => problem(StatusCode::NOT_FOUND, "There is no such attempt."),
        // 503 for whatever else: providers ask again after it.
        CallbackError::Flow(error) => {
            tracing::error!(%error, "a callback was not taken");
            WebError::Busy("The callback could not be stored. Send it again.").into_response()
        }
    }
}

/// A query's parameters; of several of one name the last counts.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub fn of(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).into_owned().collect())
    }

    /// Absent and empty are the same.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn limit(&self) -> Result<i64, WebError> {
        let Some(text) = self.get("limit") else { return Ok(limits::LIST_DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=limits::LIST_MOST).contains(limit));
        limit.ok_or_else(|| WebError::BadRequest(format!("limit is a number from 1 to {}.", limits::LIST_MOST)))
    }

    /// The order that is asked for; `None`: whichever suits.
    pub fn sort(&self) -> Result<Option<Order>, WebError> {
        let Some(text) = self.get("sort") else { return Ok(None) };
        let names = || Order::ALL.map(Order::name).join(", ");
        Order::parse(text).map(Some).ok_or_else(|| WebError::BadRequest(format!("sort is one of {}.", names())))
    }

    /// A word of a fixed set, or several with commas between.
    pub fn words<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>, all: &str) -> Result<Vec<T>, WebError> {
        let Some(text) = self.get(name) else { return Ok(Vec::new()) };
        text.split(',').map(|word| parse(word.trim()).ok_or_else(|| WebError::BadRequest(format!("{name} is one of {all}.")))).collect()
    }
}

/// One entry of a timeline, as scripts see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Entry)]
pub struct EntryBody {
    /// Grows with every entry of all incidents: what a stream resumes after.
    pub seq: i64,
    /// The incident's number.
    pub incident: Option<i64>,
    #[schema(schema_with = words::time)]
    pub at: String,
    /// What happened, as `incident_acknowledged` or `note_added`.
    pub kind: &'static str,
    /// A user's id, `token:NAME`, `reveille`, or an integration's id.
    pub actor: String,
    pub actor_name: String,
    /// As a person reads it.
    pub text: String,
    pub tone: &'static str,
    pub reason: Option<String>,
    pub then: Option<ThenBody>,
}

/// What comes next, and when.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Then)]
pub struct ThenBody {
    pub what: String,
    #[schema(schema_with = words::time)]
    pub at: String,
}

impl EntryBody {
    pub fn of(row: &FactRow, number: Option<Number>, names: &Names) -> Self {
        let Line { text, reason, then, tone } = line::of(&row.fact, names);
        Self {
            seq: row.seq,
            incident: number.map(|number| number.0),
            at: row.fact.at.rfc3339(),
            kind: row.fact.what.kind(),
            actor: row.fact.actor.text(),
            actor_name: names.actor(&row.fact.actor),
            text,
            tone: tone.name(),
            reason,
            then: then.map(|then| ThenBody { what: then.what.to_owned(), at: then.at.rfc3339() }),
        }
    }
}

/// What is being done about an incident right now.
pub(super) fn now(incident: &IncidentView, pages: &[PageView], facts: &[FactRow], names: &Names) -> Line {
    let standing = Standing {
        state: incident.state,
        severity: incident.severity,
        acknowledged_by: incident.acknowledged_by.as_ref(),
        resolved_by: incident.resolved_by.as_ref(),
        resolved_because: facts.iter().rev().find_map(|row| match row.fact.what {
            What::IncidentResolved { reason } => Some(reason),
            What::IncidentMerged { .. } => Some(Reason::Merged),
            _ => None,
        }),
        lapses_at: incident.lapses_at,
        snoozed_until: incident.response.snoozed_until,
        hush: incident.response.silence.as_ref().filter(|_| incident.response.is_hushed),
        inhibited: incident.response.inhibited.as_ref().filter(|_| incident.response.is_hushed),
        run: incident.run.as_ref(),
    };
    let reaching: Vec<Reaching> = pages
        .iter()
        .filter(|page| match page.state {
            PageState::Waiting | PageState::Ringing => true,
            PageState::Acknowledged | PageState::Failed | PageState::Ended => false,
        })
        .map(|page| Reaching { user: page.user.clone(), by: page.under_way() })
        .collect();
    line::now(standing, &reaching, names)
}

/// How a channel is called on a page.
pub(super) fn channel_word(channel: &str) -> &'static str {
    match ContactKind::parse(channel) {
        Some(ContactKind::Voice) => "call",
        Some(ContactKind::Sms) => "text",
        Some(ContactKind::Email) => "mail",
        Some(ContactKind::SlackDm) => "Slack",
        Some(ContactKind::Webhook) => "webhook",
        None => "other",
    }
}

/// Whether a fact starts, moves on or ends the paging of its incident as a whole.
pub(super) const fn steers_paging(fact: &Fact) -> bool {
    matches!(
        fact.what,
        What::IncidentOpened { .. }
            | What::IncidentRouted { .. }
            | What::IncidentDeclared { .. }
            | What::SeverityRaised { .. }
            | What::IncidentSnoozed { .. }
            | What::SnoozeEnded
            | What::IncidentSilenced { .. }
            | What::SilenceExtended { .. }
            | What::IncidentReassigned { .. }
            | What::PageAsked { .. }
            | What::PolicyStarted { .. }
            | What::StepSkipped { .. }
            | What::PolicyExhausted
            | What::IncidentAcknowledged { .. }
            | What::AcknowledgementLapsed
            | What::IncidentEscalated
            | What::IncidentResolved { .. }
            | What::IncidentReopened { .. }
            | What::StormBegan { .. }
            | What::IncidentMerged { .. }
            | What::IncidentTakenIn { .. }
            | What::IncidentSplit { .. }
            | What::IncidentUnmerged { .. }
    )
}

/// The page that a fact tells of.
pub(super) const fn page_of(fact: &Fact) -> Option<&PageId> {
    match &fact.what {
        What::PageOpened { page, .. }
        | What::PageLeft { page, .. }
        | What::PageTakenOver { page, .. }
        | What::PageRestarted { page, .. }
        | What::PageAnswered { page, .. }
        | What::PageEnded { page, .. }
        | What::PageFailed { page, .. }
        | What::AttemptPlaced { page, .. }
        | What::AttemptAccepted { page, .. }
        | What::AttemptRejected { page, .. }
        | What::AttemptUnknown { page, .. }
        | What::AttemptWithdrawn { page, .. }
        | What::PhoneRang { page, .. }
        | What::PhonePickedUp { page, .. }
        | What::CallEnded { page, .. }
        | What::CallSilent { page, .. }
        | What::MessageDelivered { page, .. }
        | What::MessageUndelivered { page, .. }
        | What::ContactClosed { page, .. }
        | What::CallHeld { page, .. } => Some(page),
        What::IncidentOpened { .. }
        | What::IncidentRouted { .. }
        | What::ServiceInvolved { .. }
        | What::StormBegan { .. }
        | What::StormEnded
        | What::AlertsJoined { .. }
        | What::AlertsRefired { .. }
        | What::AlertsResolved { .. }
        | What::AlertsSilenced { .. }
        | What::RelevanceMarked { .. }
        | What::MarkTakenBack { .. }
        | What::NoiseWorse { .. }
        | What::NoiseChanged { .. }
        | What::AlertsInhibited { .. }
        | What::AlertsUninhibited { .. }
        | What::IncidentInhibited { .. }
        | What::AlertsWaited { .. }
        | What::AlertsOutlasted { .. }
        | What::AlertsNew { .. }
        | What::AlertsRising { .. }
        | What::AlertsFlapping { .. }
        | What::AlertsSteady { .. }
        | What::AlertsUnsilenced { .. }
        | What::SilenceExtended { .. }
        | What::IncidentSilenced { .. }
        | What::SeverityRaised { .. }
        | What::PolicyStarted { .. }
        | What::StepStarted { .. }
        | What::StepSkipped { .. }
        | What::PolicyExhausted
        | What::PagedWider { .. }
        | What::IncidentAcknowledged { .. }
        | What::AcknowledgementRenewed { .. }
        | What::AcknowledgementLapsed
        | What::IncidentEscalated
        | What::IncidentResolved { .. }
        | What::IncidentReopened { .. }
        | What::IncidentMerged { .. }
        | What::IncidentTakenIn { .. }
        | What::EndedWith { .. }
        | What::IncidentSplitOff { .. }
        | What::IncidentSplit { .. }
        | What::IncidentUnmerged { .. }
        | What::LinkSuspected { .. }
        | What::IncidentReminded { .. }
        | What::IncidentDeclared { .. }
        | What::SeverityChanged { .. }
        | What::TitleChanged { .. }
        | What::RoleChanged { .. }
        | What::NoteAdded { .. }
        | What::UpdatePosted { .. }
        | What::TaskAdded { .. }
        | What::TaskChanged { .. }
        | What::RoomWanted { .. }
        | What::RoomOpened { .. }
        | What::NoticeWanted { .. }
        | What::LapseAsked { .. }
        | What::IncidentSnoozed { .. }
        | What::SnoozeEnded
        | What::IncidentReassigned { .. }
        | What::PageAsked { .. }
        | What::ResolveAsked { .. }
        | What::IntegrationWentSilent { .. }
        | What::PageUnhelpful { .. } => None,
    }
}
