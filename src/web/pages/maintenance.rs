//! Maintenance windows: what is worked on when, as a picture of the days ahead, and making, ending and removing one.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::super::api::maintenance::Written;
use super::zone_of;
use crate::base::id::MaintenanceId;
use crate::base::time::{Span, Time};
use crate::domain::local;
use crate::domain::maintenance::{Turn, every_text};
use crate::flows::maintenance::{self, Order, Shown};
use crate::render::html::{Block, DayMark, MaintenancePage, Stamp, WindowCard};
use crate::web::Doors;
use crate::web::answer::{WebError, see_other};
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::look::Params;
use crate::web::roles::shown;

/// Days in the picture.
const DAYS: usize = 14;
/// Turns of one window in it.
const TURNS: usize = 400;
/// The width of the picture in its own units.
const WIDTH: i64 = 1_400;
/// What is shorter would not be seen.
const THINNEST: i64 = 4;

pub(in crate::web) async fn windows(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let (now, zone) = (doors.now(), zone_of(&doors, &caller));
    let days = local::days(&zone, now, DAYS + 1);
    let span = Picture {
        begins: days.first().map_or(now, |(at, _)| *at),
        ends: days.last().map_or(now + Span::hours(24 * 14), |(at, _)| *at),
        now,
    };
    let marks =
        days.iter().take(DAYS).map(|(at, name)| DayMark { x: span.x(*at), name: name.split(' ').take(2).collect::<Vec<_>>().join(" ") });
    let names = doors.names();
    let windows = maintenance::list(&doors.house, &caller.viewer).await?;
    let card = |one: Shown| {
        let words = |turn: &Turn| (Stamp(turn.begins), Stamp(turn.ends));
        let blocks = if one.removed_at.is_some() { Vec::new() } else { span.blocks(&one) };
        WindowCard {
            matchers: one.window.matchers.iter().map(ToString::to_string).collect(),
            by: one.made_by.as_ref().map(|actor| names.actor(actor)),
            is_removed: one.removed_at.is_some(),
            is_on: one.is_on,
            was_ended: one.was_ended,
            when: format!("{} for {}", one.window.start.replace('T', " "), one.window.lasts),
            every: one.window.every.map(every_text),
            zone: one.window.timezone.clone(),
            turns: one.turns.iter().map(words).collect(),
            blocks,
            comment: one.window.comment,
            id: one.window.id.to_string(),
        }
    };
    let undo = params.get("undo").map(str::to_owned).filter(|id| windows.iter().any(|one| one.window.id.as_str() == id));
    let page = MaintenancePage {
        frame: caller.frame_in("silences"),
        windows: windows.into_iter().map(card).collect(),
        days: marks.collect(),
        now_x: span.x(now),
        start: local::field(&zone, now + Span::hours(1)).unwrap_or_default(),
        zone,
        is_done: params.get("done").is_some(),
        undo,
    };
    Ok(shown(StatusCode::OK, &page))
}

/// What stretch of time the picture shows.
struct Picture {
    begins: Time,
    ends: Time,
    now: Time,
}

impl Picture {
    fn x(&self, at: Time) -> i64 {
        let whole = self.ends.since(self.begins).0.max(1);
        (at.since(self.begins).0.clamp(0, whole) / 1_000) * WIDTH / (whole / 1_000).max(1)
    }

    fn blocks(&self, one: &Shown) -> Vec<Block> {
        let turns = one.window.ahead(self.begins, self.ends, TURNS);
        let block = |turn: &Turn| {
            let is_under_way = turn.begins <= self.now && self.now < turn.ends;
            let (x, until) = (self.x(turn.begins), self.x(turn.ends));
            Block {
                x,
                width: (until - x).max(THINNEST),
                is_on: is_under_way && one.is_on,
                is_over: turn.ends <= self.now || (is_under_way && one.was_ended),
            }
        };
        turns.iter().map(block).collect()
    }
}

pub(in crate::web) async fn add(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let zone = zone_of(&doors, &caller);
    let written = Written {
        id: form.raw("id"),
        matchers: &[form.raw("matchers").to_owned()],
        start: form.raw("start"),
        lasts: form.get("for").unwrap_or("2h"),
        every: form.get("every"),
        timezone: &zone,
        comment: form.raw("comment"),
    };
    maintenance::order(&doors.house, &actor, Order::Make(written.window()?), None).await?;
    Ok(see_other("/maintenance?done=1"))
}

pub(in crate::web) async fn act(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path((id, word)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let window = MaintenanceId::from_text(&id);
    let (order, undoes) = match word.as_str() {
        "end" => (Order::End(window), true),
        "remove" => (Order::Remove(window), true),
        "restore" => (Order::Restore(window), false),
        _ => return Err(WebError::NotFound("such command")),
    };
    maintenance::order(&doors.house, &actor, order, None).await?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("done", "1");
    if undoes {
        query.append_pair("undo", &id);
    }
    Ok(see_other(&format!("/maintenance?{}", query.finish())))
}
