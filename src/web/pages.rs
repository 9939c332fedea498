//! The pages people look at, and their buttons: one file for each part of the house.

pub mod alerts;
pub mod changes;
pub mod declare;
pub mod heartbeats;
pub mod incident;
pub mod integrations;
pub mod list;
pub mod maintenance;
pub mod me;
pub mod noise;
pub mod oncall;
pub mod people;
pub mod reference;
pub mod route;
pub mod silences;

pub(super) use me::is_proven;

use super::Doors;
use super::caller::Caller;
use crate::base::viewer::Viewer;
use crate::domain::setup::User;
use crate::render::html::Choice;

/// The user who looks, where they are configured.
fn user_of(doors: &Doors, caller: &Caller) -> Option<User> {
    match &caller.viewer {
        Viewer::User { id, .. } => doors.live().setup.users.get(id).cloned(),
        Viewer::Public | Viewer::Token { .. } | Viewer::Integration(_) => None,
    }
}

/// The zone whose clocks this reader's forms are read by.
fn zone_of(doors: &Doors, caller: &Caller) -> String {
    user_of(doors, caller).map_or_else(|| "UTC".to_owned(), |user| user.timezone)
}

/// Everybody who may be given something to do, the reader first.
fn people_for(doors: &Doors, caller: &Caller) -> Vec<Choice> {
    let live = doors.live();
    let me = match &caller.viewer {
        Viewer::User { id, .. } => Some(id),
        Viewer::Public | Viewer::Token { .. } | Viewer::Integration(_) => None,
    };
    let mut people: Vec<Choice> = live
        .setup
        .everyone()
        .map(|user| Choice {
            id: user.id.to_string(),
            name: if Some(&user.id) == me { format!("{} (me)", user.name) } else { user.name.clone() },
        })
        .collect();
    people.sort_by_key(|person| (me.is_none_or(|me| me.as_str() != person.id), person.name.to_lowercase()));
    people
}
