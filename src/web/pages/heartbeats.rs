//! The heartbeats: which jobs say that they live, when each was heard last, and when one was missed.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::base::time::{Span, Time};
use crate::domain::setup::Pulse;
use crate::flows::beat::{self, Standing};
use crate::render::html::{DayOfBeats, HeartbeatCard, HeartbeatsPage, MissRow, Stamp};
use crate::render::line::Names;
use crate::store::read::AlertView;
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::roles::shown;

/// How many days back the picture looks.
const DAYS: i64 = 30;
/// Misses looked at of one heartbeat; one that is missed more often than daily needs no picture.
const MISSES: i64 = 60;
/// Misses listed of one.
const LISTED: usize = 5;

pub(in crate::web) async fn heartbeats(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    let (names, now, reader) = (doors.names(), doors.now(), doors.house.store.reader());
    let mut cards = Vec::new();
    for standing in beat::standings(&doors.house).await? {
        let misses = reader.misses(&caller.viewer, &standing.integration.id, MISSES).await?;
        cards.push(card(&standing, &misses, &names, now));
    }
    // What needs somebody comes first.
    cards.sort_by_key(|card| card.state != "missed");
    Ok(shown(StatusCode::OK, &HeartbeatsPage { frame: caller.frame_in("heartbeats"), cards }))
}

fn card(standing: &Standing, misses: &[AlertView], names: &Names, now: Time) -> HeartbeatCard {
    let day = Span::hours(24);
    let today = now.0.div_euclid(day.0);
    let end = |miss: &AlertView| miss.resolved_at.unwrap_or(now);
    let days = (0..DAYS).rev().map(|back| {
        let (from, until) = (Time((today - back) * day.0), Time((today - back + 1) * day.0));
        let missed = misses.iter().filter(|miss| miss.first_at < until && end(miss) >= from).count();
        DayOfBeats { date: from.rfc3339().chars().take(10).collect(), missed }
    });
    let since = Time(now.0 - DAYS * day.0);
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
        misses_lately: misses.iter().filter(|miss| end(miss) >= since).count(),
        misses: misses
            .iter()
            .take(LISTED)
            .map(|miss| MissRow {
                from: Stamp(miss.first_at),
                lasted: miss.resolved_at.map(|until| until.since(miss.first_at).to_string()),
                number: miss.incident.map(|number| number.0),
            })
            .collect(),
    }
}
