//! The board: who does what for an incident.

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::{Extension, Json};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use super::super::answer::WebError;
use super::super::caller::Caller;
use super::super::look::Params;
use super::super::{Doors, look};
use super::Reply;
use super::ask::{self, Ask};
use super::bodies::{List, TaskBody};
use super::declare::Made;
use super::words;
use crate::base::id::TaskId;
use crate::base::limits;
use crate::domain::input::Act;
use crate::domain::task::{Task, TaskChange, TaskState};
use crate::store::read::IncidentView;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddTask {
    title: String,
    /// A user's id. With an owner it is doing at once, without one todo.
    owner: Option<String>,
    /// When its owner is back with news.
    #[schema(schema_with = words::time)]
    back_at: Option<String>,
}

/// What is to be different; what is left out stays, and null clears.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeTask {
    title: Option<String>,
    /// A user's id.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    owner: Field,
    #[schema(schema_with = words::task_state)]
    state: Option<TaskState>,
    /// A user's id, or any words. The task is blocked by it, unless a state is given.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    blocked_on: Field,
    #[serde(default)]
    #[schema(schema_with = words::maybe_time)]
    back_at: Field,
}

/// Tells a null from a field that is not there.
#[derive(Default)]
enum Field {
    #[default]
    LeftOut,
    Null,
    Given(String),
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(field)?.map_or(Self::Null, Self::Given))
    }
}

pub(in super::super) async fn list(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    uri: Uri,
) -> Reply<List<TaskBody>> {
    let incident = look::incident(&doors, &caller.viewer, &number).await?;
    let board = doors.house.store.reader().board(&caller.viewer, incident.number).await?;
    let tasks = board.iter().map(|task| TaskBody::of(task, incident.number.0)).collect();
    Ok(Json(List::part(tasks, &Params::of(&uri), |task| &task.id)?))
}

pub(in super::super) async fn add(ask: Ask) -> Made<TaskBody> {
    let body: AddTask = ask.body()?;
    let title = ask::line("title", &body.title, limits::TITLE_CHARS)?;
    let owner = body.owner.map(|owner| ask::user(&ask.doors, "owner", &owner)).transpose()?;
    let back_at = body.back_at.map(|at| ask::time("back_at", &at)).transpose()?;
    let incident = ask.incident().await?;
    ask.act(&incident, Act::AddTask { title: title.clone(), owner, back_at }).await?;
    let actor = ask.actor()?;
    let board = ask.doors.house.store.reader().board(&ask.caller.viewer, incident.number).await?;
    // The verdict names no task. Of two equal ones that one caller adds at once, either is the answer.
    let task = board.iter().rev().find(|task| task.created_by == actor && task.title == title).ok_or(WebError::Inside)?;
    let address = format!("/api/v1/incidents/{}/tasks/{}", incident.number.0, task.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, address)], Json(TaskBody::of(task, incident.number.0))))
}

pub(in super::super) async fn change(ask: Ask) -> Reply<TaskBody> {
    let incident = ask.incident().await?;
    let board = ask.doors.house.store.reader().board(&ask.caller.viewer, incident.number).await?;
    let named = ask.place("task");
    let task = board.into_iter().find(|task| task.id.as_str() == named || task.n.to_string() == named);
    changed(&ask, &incident, &task.ok_or(WebError::NotFound("such task on this incident's board"))?).await
}

pub(in super::super) async fn change_by_id(ask: Ask) -> Reply<TaskBody> {
    let reader = ask.doors.house.store.reader();
    let found = reader.task_get(&ask.caller.viewer, &TaskId::from_text(ask.place("task"))).await?;
    let (number, task) = found.ok_or(WebError::NotFound("such task"))?;
    let incident = look::incident(&ask.doors, &ask.caller.viewer, &number.0.to_string()).await?;
    changed(&ask, &incident, &task).await
}

async fn changed(ask: &Ask, incident: &IncidentView, task: &Task) -> Reply<TaskBody> {
    let change = ask.body::<ChangeTask>()?.change(&ask.doors)?;
    ask.act(incident, Act::ChangeTask { n: task.n, change }).await?;
    let found = ask.doors.house.store.reader().task_get(&ask.caller.viewer, &task.id).await?;
    let (number, task) = found.ok_or(WebError::Inside)?;
    Ok(Json(TaskBody::of(&task, number.0)))
}

impl ChangeTask {
    fn change(self, doors: &Doors) -> Result<TaskChange, WebError> {
        let blocked_on = match self.blocked_on {
            Field::Given(words) => Some(Some(ask::line("blocked_on", &words, limits::TITLE_CHARS)?)),
            Field::Null => Some(None),
            Field::LeftOut => None,
        };
        let blocks = matches!(blocked_on, Some(Some(_)));
        if blocks && self.state.is_some_and(|state| state != TaskState::Blocked) {
            return Err(WebError::BadRequest(
                "Only a blocked task waits for something: leave out blocked_on, or say \"blocked\".".to_owned(),
            ));
        }
        let change = TaskChange {
            title: self.title.map(|title| ask::line("title", &title, limits::TITLE_CHARS)).transpose()?,
            owner: match self.owner {
                Field::Given(owner) => Some(Some(ask::user(doors, "owner", &owner)?)),
                Field::Null => Some(None),
                Field::LeftOut => None,
            },
            state: self.state.or(blocks.then_some(TaskState::Blocked)),
            blocked_on,
            back_at: match self.back_at {
                Field::Given(at) => Some(Some(ask::time("back_at", &at)?)),
                Field::Null => Some(None),
                Field::LeftOut => None,
            },
        };
        if change.is_empty() {
            return Err(WebError::BadRequest("Say what changes: title, owner, state, blocked_on or back_at.".to_owned()));
        }
        Ok(change)
    }
}
