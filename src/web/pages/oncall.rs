//! Who is on call now, who comes next, and taking a turn over.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::incident::known_person;
use super::{people_for, zone_of};
use crate::base::id::{OverrideId, ScheduleId, UserId};
use crate::base::time::{Span, Time};
use crate::domain::local;
use crate::domain::oncall::{self, OncallError, Turn};
use crate::domain::setup::Schedule;
use crate::flows::overrides;
use crate::render::html::{Choice, DayCell, OncallPage, OverrideRow, ScheduleCard, Stamp, TurnChip};
use crate::render::line::Names;
use crate::store::read::OverrideView;
use crate::web::Doors;
use crate::web::answer::{WebError, see_other};
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::look::Params;
use crate::web::roles::shown;

/// How far ahead the picture looks.
const DAYS: usize = 14;
/// Turns looked at of one schedule: an hour each for two weeks is the most that the picture can hold.
const TURNS: usize = 14 * 24 + 2;
/// Colours that tell people apart, beside their names.
const COLOURS: usize = 6;

pub(in crate::web) async fn oncall(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, WebError> {
    let live = doors.live();
    let (names, zone, now) = (doors.names(), zone_of(&doors, &caller), doors.now());
    let overrides = doors.house.store.reader().overrides(&caller.viewer, None, doors.now()).await?;
    let cards = live.setup.schedules.values().map(|schedule| {
        let own: Vec<&OverrideView> = overrides.iter().filter(|one| one.schedule == schedule.id).collect();
        card(schedule, &own, &caller, &names, &zone, now)
    });
    let cards = cards.collect::<Result<Vec<_>, _>>().map_err(|error| {
        tracing::error!(%error, "a schedule in force cannot be read");
        WebError::Inside
    })?;
    let schedules = live.setup.schedules.keys().map(|id| Choice { id: id.to_string(), name: id.to_string() });
    let people = people_for(&doors, &caller);
    // The next full hour, for eight hours: a night.
    let from = Time((now.0 / 3_600_000_000 + 1) * 3_600_000_000);
    let page = OncallPage {
        frame: caller.frame_in("oncall"),
        schedules: schedules.collect(),
        cards,
        people: if caller.viewer.may_manage() { people } else { people.into_iter().filter(|one| is_me(&caller, &one.id)).collect() },
        from: local::field(&zone, from).unwrap_or_default(),
        until: local::field(&zone, from + Span::hours(8)).unwrap_or_default(),
        zone,
        is_done: Params::of(&uri).get("done").is_some(),
    };
    Ok(shown(StatusCode::OK, &page))
}

fn is_me(caller: &Caller, id: &str) -> bool {
    caller.user().is_some_and(|me| me.as_str() == id)
}

fn card(
    schedule: &Schedule,
    overrides: &[&OverrideView],
    caller: &Caller,
    names: &Names,
    zone: &str,
    now: Time,
) -> Result<ScheduleCard, OncallError> {
    let turns = coming(schedule, now)?;
    let colours = colours(schedule, &turns);
    let who = |turn: &Turn| if turn.users.is_empty() { "nobody".to_owned() } else { named(turn, names) };
    let (current, next) = (turns.first(), turns.get(1));
    let ends = current.and_then(|turn| turn.until);
    let spoken = |zone: &str| ends.and_then(|at| local::spoken(zone, at));
    Ok(ScheduleCard {
        id: schedule.id.to_string(),
        timezone: schedule.timezone.clone(),
        now: current.map_or_else(|| "nobody".to_owned(), who),
        is_empty: current.is_none_or(|turn| turn.users.is_empty()),
        is_mine: current.is_some_and(|turn| turn.users.iter().any(|user| caller.user() == Some(user))),
        until: ends.map(Stamp),
        until_here: spoken(zone),
        until_there: spoken(&schedule.timezone).filter(|_| zone != schedule.timezone),
        next: next.map(who),
        days: picture(&turns, &colours, names, zone, now),
        overrides: overrides.iter().map(|one| override_row(one, caller, names, zone)).collect(),
    })
}

fn named(turn: &Turn, names: &Names) -> String {
    turn.users.iter().map(|user| names.user(user)).collect::<Vec<_>>().join(", ")
}

/// The turns from now on, for as long as the picture looks. Neighbours with the same people are one.
fn coming(schedule: &Schedule, now: Time) -> Result<Vec<Turn>, OncallError> {
    let end = now + Span::hours(24 * 15);
    let mut turns: Vec<Turn> = Vec::new();
    let mut at = now;
    for _ in 0..TURNS {
        let turn = oncall::who(schedule, at)?;
        let until = turn.until.filter(|until| *until > at);
        match turns.last_mut() {
            Some(last) if last.users == turn.users => last.until = until,
            Some(_) | None => turns.push(Turn { from: if turns.is_empty() { turn.from } else { at }, until, ..turn }),
        }
        match until {
            Some(until) if until < end => at = until,
            Some(_) | None => break,
        }
    }
    Ok(turns)
}

/// Everybody keeps a colour of theirs, in the order of the rotation.
fn colours(schedule: &Schedule, turns: &[Turn]) -> BTreeMap<UserId, usize> {
    let members = schedule.rotations.iter().flat_map(|rotation| &rotation.members).chain(turns.iter().flat_map(|turn| &turn.users));
    let mut colours = BTreeMap::new();
    for user in members {
        let next = colours.len() % COLOURS;
        colours.entry(user.clone()).or_insert(next);
    }
    colours
}

/// Two weeks, day by day, by the reader's calendar: who has it when the day begins, and each hand-off in it.
fn picture(turns: &[Turn], colours: &BTreeMap<UserId, usize>, names: &Names, zone: &str, now: Time) -> Vec<DayCell> {
    let days = local::days(zone, now, DAYS + 1);
    let today = days.first().map(|(at, _)| *at);
    days.windows(2)
        .map(|pair| {
            let ((start, name), (end, _)) = (&pair[0], &pair[1]);
            let chips = turns.iter().filter(|turn| turn.from < *end && turn.until.is_none_or(|until| until > *start));
            DayCell {
                name: name.clone(),
                is_today: Some(*start) == today,
                turns: chips
                    .map(|turn| TurnChip {
                        who: if turn.users.is_empty() { "nobody".to_owned() } else { named(turn, names) },
                        from: (turn.from > *start).then(|| local::clock(zone, turn.from)).flatten(),
                        colour: turn.users.first().and_then(|user| colours.get(user)).copied(),
                    })
                    .collect(),
            }
        })
        .collect()
}

fn override_row(one: &OverrideView, caller: &Caller, names: &Names, zone: &str) -> OverrideRow {
    let said = |at: Time| local::spoken(zone, at).unwrap_or_else(|| at.rfc3339());
    OverrideRow {
        id: one.id.to_string(),
        who: names.user(&one.user).to_owned(),
        from: said(one.from),
        until: said(one.until),
        by: names.actor(&one.created_by),
        may_remove: may_change(caller, &one.user),
    }
}

/// People take turns over and give them back themselves; managers do it for others.
fn may_change(caller: &Caller, whose: &UserId) -> bool {
    caller.viewer.may_manage() || (caller.viewer.may_respond() && caller.user() == Some(whose))
}

const NOT_YOURS: &str = "You can take a turn over yourself. Doing it for somebody else takes the role of manager.";

pub(in crate::web) async fn take(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let schedule = ScheduleId::from(form.get("schedule").unwrap_or(""));
    let user = known_person(&doors, form.get("user").unwrap_or(""))?;
    if !may_change(&caller, &user) {
        return Err(WebError::Forbidden(NOT_YOURS.to_owned()));
    }
    let zone = zone_of(&doors, &caller);
    let time = |field: &str| {
        let at = form.get(field).and_then(|text| local::at(&zone, text));
        at.ok_or_else(|| WebError::BadRequest("Write from when and until when, as in 2026-01-05T09:00.".to_owned()))
    };
    let (from, until) = (time("from")?, time("until")?);
    let house = doors.house.clone();
    tokio::spawn(async move { overrides::create(&house, &actor, &schedule, &user, from, until).await })
        .await
        .map_err(|_| WebError::Inside)??;
    Ok(see_other("/oncall?done=1"))
}

pub(in crate::web) async fn give_back(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let id = OverrideId::from_text(id);
    let known = doors.house.store.reader().overrides(&caller.viewer, None, doors.now()).await?;
    let one = known.iter().find(|one| one.id == id).ok_or(WebError::NotFound("such override"))?;
    if !may_change(&caller, &one.user) {
        return Err(WebError::Forbidden(NOT_YOURS.to_owned()));
    }
    let house = doors.house.clone();
    tokio::spawn(async move { overrides::remove(&house, &actor, &id).await }).await.map_err(|_| WebError::Inside)??;
    Ok(see_other("/oncall?done=1"))
}
