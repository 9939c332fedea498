//! A request that changes something, as its handler is handed it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::answer::WebError;
use super::super::caller::Caller;
use super::super::{Doors, body, look};
use super::Reply;
use super::bodies::IncidentBody;
use crate::base::id::{PolicyId, ServiceId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::decide::{Outcome, Verdict};
use crate::domain::input::{Act, Actor, Command, Via};
use crate::domain::reason::Reason;
use crate::flows::act;
use crate::flows::once::Once;
use crate::store::read::IncidentView;

/// Who asks, of what, and the body, read whole.
pub(in super::super) struct Ask {
    pub doors: Doors,
    pub caller: Caller,
    /// `Some` where the request carries a key.
    pub once: Option<Once>,
    places: BTreeMap<String, String>,
    bytes: Bytes,
}

impl FromRequest<Doors> for Ask {
    type Rejection = WebError;

    async fn from_request(request: Request, doors: &Doors) -> Result<Self, WebError> {
        let (mut parts, body) = request.into_parts();
        let places = RawPathParams::from_request_parts(&mut parts, doors)
            .await
            .map_err(|_| WebError::NotFound("such page"))?
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let bytes = body::read(&doors.house.clock, body, limits::COMMAND_BYTES).await?;
        let caller = parts.extensions.remove::<Caller>().ok_or(WebError::NotSignedIn)?;
        Ok(Self { doors: doors.clone(), caller, once: parts.extensions.remove::<Once>(), places, bytes })
    }
}

impl Ask {
    /// What stands in the address at `{name}`.
    pub fn place(&self, name: &str) -> &str {
        self.places.get(name).map_or("", String::as_str)
    }

    /// The body as what the route takes; no body is an empty object.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, WebError> {
        let bytes: &[u8] = if self.bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { &self.bytes };
        read(bytes).map_err(|wrong| WebError::BadRequest(format!("The body cannot be used: {wrong}. See /api/v1/openapi.json.")))
    }

    pub fn actor(&self) -> Result<Actor, WebError> {
        self.caller.actor().ok_or(WebError::NotSignedIn)
    }

    pub async fn incident(&self) -> Result<IncidentView, WebError> {
        look::incident(&self.doors, &self.caller.viewer, self.place("number")).await
    }

    /// Carries out what the body asks for; the reply is the incident as it is afterwards.
    pub async fn command<T: DeserializeOwned>(self, order: impl FnOnce(T, &Doors) -> Result<Act, WebError>) -> Reply<IncidentBody> {
        let act = order(self.body()?, &self.doors)?;
        let before = self.incident().await?;
        self.act(&before, act).await?;
        Ok(Json(IncidentBody::of(self.incident().await?, &self.doors)))
    }

    /// One command on an incident.
    pub async fn act(&self, incident: &IncidentView, act: Act) -> Result<Verdict, WebError> {
        let asks_again_freely = is_a_state(&act);
        let command = Command { incident: incident.id.clone(), actor: self.actor()?, via: Via::Api, act };
        let verdict = act::act_once(&self.doors.house, command, self.once.clone()).await?;
        tracing::info!(incident = incident.number.0, outcome = verdict.outcome.name(), "a command was carried out");
        if verdict.outcome == Outcome::Ignored && !asks_again_freely {
            match verdict.reason {
                // It is so already.
                Reason::NothingToDecide => {}
                Reason::NoSuchTask => return Err(WebError::NotFound("such task on this incident's board")),
                Reason::NotOpen | Reason::AlreadyResolved => {
                    return Err(WebError::Conflict(format!("{} is resolved. Reopen it first, if it is not over.", incident.number)));
                }
                Reason::SnoozeTooLong => {
                    return Err(WebError::BadRequest(format!("Nothing was done: {}.", Reason::SnoozeTooLong.sentence())));
                }
                other => return Err(WebError::Conflict(format!("Nothing was done: {}.", other.sentence()))),
            }
        }
        Ok(verdict)
    }
}

/// An object of JSON as what the route takes, or what is wrong with it in a caller's words.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("it is not JSON (line {line}, column {column})")
    })?;
    if !value.is_object() {
        return Err("it is not an object, as {\"title\": \"…\"} is".to_owned());
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = error.path().to_string();
        let wrong = error.into_inner().to_string();
        // At the top there is no field to name: one is missing, or one is too many, and the words say which.
        if field == "." { wrong } else { format!("{field}: {wrong}") }
    })
}

/// Whether the command names a state, so that asking for what is so already is no error.
const fn is_a_state(act: &Act) -> bool {
    matches!(act, Act::Acknowledge | Act::Resolve | Act::Reopen | Act::Escalate)
}

/// One line of text from a caller, without what could break a line or a terminal.
pub(super) fn line(field: &str, text: &str, most: usize) -> Result<String, WebError> {
    let text = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    bounded(field, text, most)
}

/// Lines of text from a caller.
pub(super) fn lines(field: &str, text: &str, most: usize) -> Result<String, WebError> {
    let text: String = text.replace("\r\n", "\n").chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    bounded(field, text.trim().to_owned(), most)
}

fn bounded(field: &str, text: String, most: usize) -> Result<String, WebError> {
    let length = text.chars().count();
    if length == 0 {
        return Err(WebError::BadRequest(format!("{field} is empty. Say it in a few words.")));
    }
    if length > most {
        return Err(WebError::BadRequest(format!("{field} has {length} characters; {most} is the most.")));
    }
    Ok(text)
}

pub(super) fn time(field: &str, text: &str) -> Result<Time, WebError> {
    Time::parse_rfc3339(text).map_err(|how| WebError::BadRequest(format!("{field}: {how}.")))
}

pub(super) fn span(field: &str, text: &str) -> Result<Span, WebError> {
    Span::parse(text).map_err(|how| WebError::BadRequest(format!("{field}: {how}.")))
}

pub(super) fn user(doors: &Doors, field: &str, id: &str) -> Result<UserId, WebError> {
    let user = UserId::from_text(id.trim());
    let live = doors.live();
    if live.setup.users.contains_key(&user) { Ok(user) } else { Err(nobody(field, "user", id, live.setup.users.keys())) }
}

pub(super) fn service(doors: &Doors, field: &str, id: &str) -> Result<ServiceId, WebError> {
    let service = ServiceId::from_text(id.trim());
    let live = doors.live();
    if live.setup.services.contains_key(&service) { Ok(service) } else { Err(nobody(field, "service", id, live.setup.services.keys())) }
}

pub(super) fn policy(doors: &Doors, field: &str, id: &str) -> Result<PolicyId, WebError> {
    let policy = PolicyId::from_text(id.trim());
    let live = doors.live();
    if live.setup.policies.contains_key(&policy) { Ok(policy) } else { Err(nobody(field, "policy", id, live.setup.policies.keys())) }
}

/// How many ids a refusal names.
const NAMED: usize = 20;

fn nobody<T: std::fmt::Display>(field: &str, what: &str, id: &str, known: impl Iterator<Item = T>) -> WebError {
    let known: Vec<String> = known.take(NAMED).map(|id| id.to_string()).collect();
    let there = if known.is_empty() { "there is none yet".to_owned() } else { format!("there are {}", known.join(", ")) };
    let id: String = id.chars().filter(|c| !c.is_control()).take(NAMED * 3).collect();
    WebError::BadRequest(format!("{field}: there is no {what} \"{id}\"; {there}."))
}
