//! The heartbeats: which jobs say that they live, when each was heard last, and when one was missed.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::base::time::{Span, Time};
use crate::domain::setup::Pulse;
use crate::flows::beat::{self, Standing};
use crate::render::html::{DayOfBeats, HeartbeatCard, HeartbeatsPage, MissRow, Stamp, StateOfDay};
use crate::render::line::Names;
use crate::store::read::{Miss, MissedDay};
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::roles::shown;

/// How many days back the picture looks.
const DAYS: i64 = 30;
const DAY: Span = Span::hours(24);
/// Misses listed of one heartbeat.
const LISTED: i64 = 5;

pub(in crate::web) async fn heartbeats(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    let (names, now, reader) = (doors.names(), doors.now(), doors.house.store.reader());
    let mut cards = Vec::new();
    for standing in beat::standings(&doors.house).await? {
        let misses = reader.misses(&caller.viewer, &standing.integration.id, LISTED).await?;
        let days = reader.missed_days(&caller.viewer, &standing.integration.id, first_day(now), now).await?;
        cards.push(card(&standing, &misses, &days, &names, now));
    }
    // What needs somebody comes first.
    cards.sort_by_key(|card| card.state != "missed");
    Ok(shown(StatusCode::OK, &HeartbeatsPage { frame: caller.frame_in("heartbeats"), cards }))
}

/// The midnight with which the picture begins.
fn first_day(now: Time) -> Time {
    Time((now.0.div_euclid(DAY.0) - DAYS + 1) * DAY.0)
}

fn card(standing: &Standing, misses: &[Miss], missed: &[MissedDay], names: &Names, now: Time) -> HeartbeatCard {
    let first = first_day(now).0.div_euclid(DAY.0);
    let known = standing.since_at.map_or(i64::MAX, |since| since.0.div_euclid(DAY.0));
    let days = (first..first + DAYS).map(|day| {
        let touches = |one: &&MissedDay| one.day <= day && one.until_at.0.div_euclid(DAY.0) >= day;
        let state = if missed.iter().any(|one| touches(&one)) {
            StateOfDay::Missed
        } else if day < known {
            StateOfDay::Unwatched
        } else {
            StateOfDay::Well
        };
        DayOfBeats { date: Time(day * DAY.0).rfc3339().chars().take(10).collect(), state }
    });
    HeartbeatCard {
        id: standing.integration.id.to_string(),
        service: names.service(&standing.integration.service).to_owned(),
        period: standing.beat.period.to_string(),
        grace: standing.beat.grace.to_string(),
        state: standing.pulse.name(),
        told: match standing.pulse {
            Pulse::Awaited => "waits for the first beat",
            Pulse::Beats => "beats",
            Pulse::Late => "late, within its grace",
            Pulse::Missed => "missed",
        },
        last: standing.beat_at.map(Stamp),
        due: standing.due_at.filter(|_| standing.pulse != Pulse::Missed).map(Stamp),
        days: days.collect(),
        since: standing.since_at.filter(|since| *since > first_day(now)).map(Stamp),
        misses_lately: missed.iter().map(|one| one.misses).sum(),
        misses: misses
            .iter()
            .map(|miss| MissRow {
                from: Stamp(miss.from_at),
                lasted: miss.until_at.map(|until| until.since(miss.from_at).to_string()),
                number: miss.incident.map(|number| number.0),
            })
            .collect(),
    }
}
