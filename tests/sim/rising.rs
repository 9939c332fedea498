//! How fast keys are heard of in the world, and what the watch wants of a rate that jumps.

use std::collections::BTreeMap;

use reveille::base::limits;
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState, Key, UNREADABLE_KEY};
use reveille::domain::decide::{Desk, Outcome, Verdict};
use reveille::domain::incident::IncidentState;
use reveille::domain::input::{Action, Signal};
use reveille::domain::reason::Reason;
use reveille::domain::setup::Urgency;

use super::watch::ensure;
use super::world::Rows;

/// How often a key was heard of in one hour: what fires, and whatever else was counted with it.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    fires: i64,
    all: i64,
}

#[derive(Debug)]
struct History {
    since: Time,
    hours: BTreeMap<i64, Heard>,
    /// The last hour in which it fired.
    fired_in: i64,
}

/// Of each key, all that was heard of it.
#[derive(Debug, Default)]
pub struct Rates(BTreeMap<Key, History>);

const HOUR: i64 = Span::hours(1).0;

impl Rates {
    /// A jump against all that was ever heard of a key is marked, and what comes as fast as it did lately is not. What is marked wakes
    /// people where its service asks for it.
    pub fn see(&mut self, rows: &Rows, desk: &Desk, signal: &Signal, verdict: &Verdict, before: Option<&Alert>) -> Result<(), String> {
        let is_unreadable = matches!(signal.action, Action::Unreadable(_));
        let dedup_key = if is_unreadable { UNREADABLE_KEY.to_owned() } else { signal.dedup_key.clone() };
        let key = Key { integration: signal.integration.clone(), dedup_key };
        if verdict.outcome == Outcome::Ignored {
            return Ok(());
        }
        let hour = rows.now.0.div_euclid(HOUR);
        let fires = is_unreadable || signal.action == Action::Trigger;
        let history = self.0.entry(key.clone()).or_insert_with(|| History { since: rows.now, hours: BTreeMap::new(), fired_in: hour });
        let heard = history.hours.entry(hour).or_default();
        heard.all += 1;
        heard.fires += i64::from(fires);
        let now = *heard;
        if fires {
            history.fired_in = hour;
        } else if history.fired_in != hour {
            // What is heard before it fires again may count as the hour's in which it fired last.
            history.hours.entry(history.fired_in).or_default().all += 1;
        }
        let Some(alert) = desk.keys.get(&key).and_then(|state| state.alert.as_ref()) else { return Ok(()) };
        let earlier = history.hours.range(..hour);
        let busiest = earlier.map(|(_, heard)| heard.all).max().unwrap_or_default();
        let last = history.hours.get(&(hour - 1)).map_or(0, |heard| heard.fires.min(2 * limits::RISE_LEAST));
        let is_known = rows.now.since(history.since) >= limits::LEARNING;
        let rose = alert.novelty.marks.rose;
        let is_told =
            rose.is_some() && before.filter(|before| before.id == alert.id).is_none_or(|before| before.novelty.marks.rose.is_none());
        let must = is_known && now.fires >= (busiest * limits::RISE_TIMES).max(limits::RISE_LEAST);
        let is_looked_at = fires
            && alert.state == AlertState::Firing
            && verdict.reason != Reason::QuietAfterResolve
            && (verdict.outcome != Outcome::Reopened || verdict.incident.is_some());
        ensure(!must || !is_looked_at || rose.is_some(), || {
            format!("rising: {now:?} of {key:?} within the hour, at most {busiest} before, and it is told nowhere: {alert:?}")
        })?;
        // A week halves what it was; an hour takes less than a hundredth of it.
        let may = is_known && now.all >= (last * limits::RISE_TIMES * 99 / 100).max(limits::RISE_LEAST);
        ensure(!is_told || may, || format!("rising: {now:?} of {key:?} within the hour is no jump, {last} before: {alert:?}"))?;
        if is_told { wakes(rows, desk, alert, verdict) } else { Ok(()) }
    }

    pub fn forget(&mut self, rows: &Rows) {
        self.0.retain(|key, _| rows.keys.contains_key(key));
    }
}

/// Whoever asks to be woken for what rises is woken.
fn wakes(rows: &Rows, desk: &Desk, alert: &Alert, verdict: &Verdict) -> Result<(), String> {
    let asks = rows.setup.services.get(&alert.service).is_some_and(|service| service.raise.rising);
    let Some(incident) = verdict.incident.as_ref().and_then(|id| desk.incidents.get(id)).filter(|incident| incident.is_open()) else {
        return Ok(());
    };
    if !asks || incident.response.severity_by_hand {
        return Ok(());
    }
    let is_quiet = incident.severity.urgency() == Some(Urgency::Low);
    ensure(!is_quiet, || format!("rising: {alert:?} comes faster than ever, and is quiet in {incident:?}"))?;
    let was_quiet =
        rows.incidents.get(&incident.id).is_some_and(|before| before.is_open() && before.severity.urgency() == Some(Urgency::Low));
    let is_loud = incident.run.as_ref().is_some_and(|run| run.urgency == Urgency::High) || incident.response.is_hushed;
    let is_answered = incident.acknowledged_at == Some(rows.now) || incident.is_covered();
    ensure(!was_quiet || is_answered || incident.state == IncidentState::Triggered && is_loud, || {
        format!("promise 1: {alert:?} comes faster than ever, and nobody is paged: {incident:?}")
    })
}
