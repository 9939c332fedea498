//! What can be ordered of an incident.

use serde::Deserialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::answer::WebError;
use super::Reply;
use super::ask::{self, Ask};
use super::bodies::IncidentBody;
use super::words;
use crate::base::limits;
use crate::domain::incident::IncidentRole;
use crate::domain::input::{Act, Whom};
use crate::domain::setup::Severity;

/// No fields: an empty object, or no body at all.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Nothing {
    const fn orders(act: Act) -> impl FnOnce(Self, &Doors) -> Result<Act, WebError> {
        move |Self {}, _| Ok(act)
    }
}

/// That person now, then the policy after five minutes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reassign {
    /// A user's id.
    user: String,
}

/// Acknowledged until then, and paged again after it: give `for` or `until`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Snooze {
    #[schema(schema_with = words::span)]
    r#for: Option<String>,
    #[schema(schema_with = words::time)]
    until: Option<String>,
}

/// Set by hand it sticks: alerts do not change it any more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSeverity {
    #[schema(schema_with = words::severity)]
    severity: Severity,
}

/// Gives a role; without a user it is taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    #[schema(schema_with = words::role)]
    role: IncidentRole,
    /// A user's id.
    user: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTitle {
    title: String,
}

/// A line for the timeline.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    text: String,
    /// When it happened, where that was earlier.
    #[schema(schema_with = words::time)]
    at: Option<String>,
}

/// A sentence for those who wait outside.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostUpdate {
    text: String,
}

/// Whom to page beside the policy: give one of the three.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PagePeople {
    /// A user's id.
    user: Option<String>,
    /// A policy's id.
    policy: Option<String>,
    /// Every responder.
    #[serde(default)]
    everyone: bool,
}

impl Reassign {
    fn order(self, doors: &Doors) -> Result<Act, WebError> {
        Ok(Act::Reassign { to: ask::user(doors, "user", &self.user)? })
    }
}

impl Snooze {
    fn order(self, doors: &Doors) -> Result<Act, WebError> {
        let now = doors.now();
        let until = match (&self.r#for, &self.until) {
            (Some(span), None) => now + ask::span("for", span)?,
            (None, Some(until)) => ask::time("until", until)?,
            (Some(_), Some(_)) | (None, None) => {
                return Err(WebError::BadRequest(
                    "Say how long: {\"for\": \"30m\"}, or until when: {\"until\": \"2026-01-05T09:00:00Z\"}.".to_owned(),
                ));
            }
        };
        if until <= now {
            return Err(WebError::BadRequest("A snooze ends in the future. To page now: escalate.".to_owned()));
        }
        Ok(Act::Snooze { until })
    }
}

impl SetSeverity {
    #[expect(clippy::unnecessary_wraps, reason = "one shape for all orders")]
    const fn order(self, _: &Doors) -> Result<Act, WebError> {
        Ok(Act::SetSeverity { to: self.severity })
    }
}

impl SetRole {
    fn order(self, doors: &Doors) -> Result<Act, WebError> {
        let user = self.user.map(|user| ask::user(doors, "user", &user)).transpose()?;
        Ok(Act::SetRole { role: self.role, user })
    }
}

impl SetTitle {
    fn order(self, _: &Doors) -> Result<Act, WebError> {
        Ok(Act::SetTitle { title: ask::line("title", &self.title, limits::TITLE_CHARS)? })
    }
}

impl AddNote {
    fn order(self, _: &Doors) -> Result<Act, WebError> {
        let at = self.at.map(|at| ask::time("at", &at)).transpose()?;
        Ok(Act::AddNote { text: ask::lines("text", &self.text, limits::NOTE_CHARS)?, at })
    }
}

impl PostUpdate {
    fn order(self, _: &Doors) -> Result<Act, WebError> {
        Ok(Act::PostUpdate { text: ask::lines("text", &self.text, limits::NOTE_CHARS)? })
    }
}

impl PagePeople {
    fn order(self, doors: &Doors) -> Result<Act, WebError> {
        let whom = match (self.user, self.policy, self.everyone) {
            (Some(user), None, false) => Whom::User(ask::user(doors, "user", &user)?),
            (None, Some(policy), false) => Whom::Policy(ask::policy(doors, "policy", &policy)?),
            (None, None, true) => Whom::Everyone,
            (_, _, _) => {
                return Err(WebError::BadRequest(
                    "Say whom to page: {\"user\": \"ana\"}, {\"policy\": \"platform\"} or {\"everyone\": true}.".to_owned(),
                ));
            }
        };
        Ok(Act::Page { whom })
    }
}

pub(in super::super) async fn acknowledge(ask: Ask) -> Reply<IncidentBody> {
    ask.command(Nothing::orders(Act::Acknowledge)).await
}

pub(in super::super) async fn escalate(ask: Ask) -> Reply<IncidentBody> {
    ask.command(Nothing::orders(Act::Escalate)).await
}

pub(in super::super) async fn resolve(ask: Ask) -> Reply<IncidentBody> {
    ask.command(Nothing::orders(Act::Resolve)).await
}

pub(in super::super) async fn reopen(ask: Ask) -> Reply<IncidentBody> {
    ask.command(Nothing::orders(Act::Reopen)).await
}

pub(in super::super) async fn reassign(ask: Ask) -> Reply<IncidentBody> {
    ask.command(Reassign::order).await
}

pub(in super::super) async fn snooze(ask: Ask) -> Reply<IncidentBody> {
    ask.command(Snooze::order).await
}

pub(in super::super) async fn severity(ask: Ask) -> Reply<IncidentBody> {
    ask.command(SetSeverity::order).await
}

pub(in super::super) async fn role(ask: Ask) -> Reply<IncidentBody> {
    ask.command(SetRole::order).await
}

pub(in super::super) async fn title(ask: Ask) -> Reply<IncidentBody> {
    ask.command(SetTitle::order).await
}

pub(in super::super) async fn note(ask: Ask) -> Reply<IncidentBody> {
    ask.command(AddNote::order).await
}

pub(in super::super) async fn update(ask: Ask) -> Reply<IncidentBody> {
    ask.command(PostUpdate::order).await
}

pub(in super::super) async fn page(ask: Ask) -> Reply<IncidentBody> {
    ask.command(PagePeople::order).await
}
