//! Flapping: a condition that comes and goes stays one firing alert until it is steady, so that it is one incident and not many.
//!
//! After Nagios (`base/flapping.c`, "Detection and Handling of State Flapping"): of the newest states in a row the changes are weighted,
//! the newer the more, and a high threshold begins what a low one ends. Nagios looks at states that it checked itself at even intervals;
//! senders here tell of changes only, so that the row is one of buckets of time, and a bucket in which nothing was told is one without a
//! change.

use serde::{Deserialize, Serialize};

use super::alert::{AlertState, Hold, Key};
use super::decide::{Draft, Outcome, Verdict};
use super::ending::{By, close};
use super::fact::What;
use super::input::Actor;
use super::reason::Reason;
use super::setup::Flapping;
use crate::base::id::IncidentId;
use crate::base::limits;
use crate::base::time::{Span, Time};

/// How often a condition changed lately: for each bucket of time in which it did, when the bucket began and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Changes(Vec<(Time, u32)>);

impl Changes {
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more change, now. What is too old to count is forgotten.
    fn note(&mut self, now: Time, bucket: Span) {
        let newest = number(now, bucket);
        self.0.retain(|(at, _)| newest - number(*at, bucket) < limits::FLAP_BUCKETS);
        let start = Time(newest * bucket.0);
        match self.0.last_mut() {
            // Clocks go back; what was told stays in its order.
            Some((last, times)) if *last >= start => *times = times.saturating_add(1),
            Some(_) | None => self.0.push((start, 1)),
        }
    }

    /// The weighted changes, in thousandths of a change that has the middle weight.
    fn weight(&self, now: Time, bucket: Span) -> i64 {
        let newest = number(now, bucket);
        let of = |(at, times): &(Time, u32)| {
            let age = (newest - number(*at, bucket)).max(0);
            if age >= limits::FLAP_BUCKETS {
                return 0;
            }
            // From 1.2 for the newest to 0.8 for the oldest.
            let weight = 1_200 - 400 * age / (limits::FLAP_BUCKETS - 1);
            // It came and went, or went and came, or more than that: what it did in between nobody can tell from a state that is looked at.
            weight * i64::from((*times).min(2))
        };
        self.0.iter().map(of).sum()
    }

    /// How much of the time it changes, in percent as Nagios counts them.
    fn is_over(&self, percent: u32, now: Time, bucket: Span) -> bool {
        self.weight(now, bucket) >= i64::from(percent) * 10 * limits::FLAP_BUCKETS
    }

    /// Whether it changes so often that it counts as flapping from now on.
    fn begins(&self, flapping: Flapping, now: Time) -> bool {
        self.is_over(flapping.high, now, flapping.bucket)
    }

    /// When it counts as steady, if nothing changes any more.
    fn steady_at(&self, flapping: Flapping, now: Time) -> Time {
        let Flapping { bucket, low, .. } = flapping;
        let starts = (1..limits::FLAP_BUCKETS).map(|n| Time((number(now, bucket) + n) * bucket.0));
        let mut looks = std::iter::once(now).chain(starts);
        let last = Time((number(now, bucket) + limits::FLAP_BUCKETS) * bucket.0);
        looks.find(|at| !self.is_over(low, *at, bucket)).unwrap_or(last)
    }

    /// How often it changed, and in how long.
    fn told(&self, now: Time) -> (i64, Span) {
        let times = self.0.iter().map(|(_, times)| i64::from(*times)).sum();
        (times, self.0.first().map_or(Span::ZERO, |(at, _)| now.since(*at)))
    }
}

/// Which bucket a time falls into.
const fn number(at: Time, bucket: Span) -> i64 {
    at.0.div_euclid(if bucket.0 > 0 { bucket.0 } else { 1 })
}

/// How this key's alert may flap, by its service; `None` where its operator does not want to know.
fn flapping_of(draft: &Draft, key: &Key) -> Option<Flapping> {
    let alert = draft.desk.keys.get(key)?.alert.as_ref()?;
    draft.setup.services.get(&alert.service)?.flapping
}

/// The incident in which this key's alert comes and goes.
fn home_of(draft: &Draft, key: &Key) -> Option<IncidentId> {
    draft.desk.home_of(draft.desk.keys.get(key)?.alert.as_ref()?)
}

fn note(draft: &mut Draft, key: &Key, flapping: Flapping) {
    let now = draft.now();
    if let Some(state) = draft.desk.keys.get_mut(key) {
        state.changes.note(now, flapping.bucket);
    }
}

/// The condition fires, and was over before.
pub(super) fn fired(draft: &mut Draft, key: &Key) {
    if let Some(flapping) = flapping_of(draft, key) {
        note(draft, key, flapping);
    }
}

/// Whether it comes and goes so often that nobody waits any longer to see whether it passes.
pub(super) fn is_unsteady(draft: &Draft, key: &Key) -> bool {
    let changes = draft.desk.keys.get(key).map(|state| &state.changes);
    flapping_of(draft, key).zip(changes).is_some_and(|(flapping, changes)| changes.begins(flapping, draft.now()))
}

/// It fires in an incident, and may have changed so often by now that its next end is not believed.
pub(super) fn see(draft: &mut Draft, key: &Key) {
    if is_unsteady(draft, key) {
        keep(draft, key, false);
    }
}

/// Its sender says that it is over. `Some`: it flaps, so that it stays as it is until it is steady.
pub(super) fn over(draft: &mut Draft, key: &Key) -> Option<Verdict> {
    let alert = draft.desk.keys.get(key)?.alert.clone()?;
    if !draft.desk.holds(&alert) {
        return None;
    }
    let flapping = flapping_of(draft, key)?;
    let (flaps, told_already) = match alert.hold {
        Some(Hold::Flapping { is_over, .. }) => (true, is_over),
        Some(Hold::Quiet { .. } | Hold::Passed) | None => (false, false),
    };
    if !told_already {
        note(draft, key, flapping);
    }
    // What calls nobody may come and go.
    if alert.incident.is_none() || alert.state != AlertState::Firing || !(flaps || is_unsteady(draft, key)) {
        return None;
    }
    let now = draft.now();
    if let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) {
        alert.count += 1;
        alert.last_at = now;
        alert.ends_at = None;
    }
    keep(draft, key, true);
    let incident = draft.desk.home_of(&alert);
    Some(Verdict::of(Outcome::Repeated, Reason::Flapping).about(Some(alert.id), incident))
}

/// Its sender says that it fires. Whether it had said before that it was over, while it was held for flapping.
pub(super) fn again(draft: &mut Draft, key: &Key) -> bool {
    let hold = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).and_then(|alert| alert.hold);
    let came_back = matches!(hold, Some(Hold::Flapping { is_over: true, .. }));
    if came_back && let Some(flapping) = flapping_of(draft, key) {
        note(draft, key, flapping);
        keep(draft, key, false);
    }
    came_back
}

/// It is held until it is steady. That it flaps is told once.
fn keep(draft: &mut Draft, key: &Key, is_over: bool) {
    let now = draft.now();
    let Some(flapping) = flapping_of(draft, key) else { return };
    let Some(incident) = home_of(draft, key) else { return };
    let Some(state) = draft.desk.keys.get_mut(key) else { return };
    let (until, (changes, within)) = (state.changes.steady_at(flapping, now), state.changes.told(now));
    let Some(alert) = state.alert.as_mut().filter(|alert| alert.state == AlertState::Firing) else { return };
    let since = match alert.hold {
        Some(Hold::Flapping { since, .. }) => Some(since),
        Some(Hold::Quiet { .. } | Hold::Passed) | None => None,
    };
    alert.hold = Some(Hold::Flapping { since: since.unwrap_or(now), is_over, until });
    if since.is_none() {
        let titles = vec![alert.title.clone()];
        draft.record(&incident, &Actor::Reveille, What::AlertsFlapping { count: 1, titles, changes, within });
    }
}

/// Nothing has changed for as long as it was held for: it is what its sender said last.
pub(super) fn end(draft: &mut Draft, key: &Key) -> Verdict {
    let (now, incident) = (draft.now(), home_of(draft, key));
    let Some(state) = draft.desk.keys.get_mut(key) else { return Verdict::nothing() };
    let Some(alert) = state.alert.as_mut() else { return Verdict::nothing() };
    let Some(Hold::Flapping { is_over, until, .. }) = alert.hold.filter(|hold| hold.until().is_some_and(|until| until <= now)) else {
        return Verdict::nothing();
    };
    debug_assert!(until <= now, "it was asked for");
    alert.hold = None;
    let (id, title) = (alert.id.clone(), alert.title.clone());
    if let Some(incident) = &incident {
        draft.record(incident, &Actor::Reveille, What::AlertsSteady { count: 1, titles: vec![title], is_over });
    }
    let verdict = |outcome| Verdict::of(outcome, Reason::SteadyAgain).about(Some(id), incident);
    if is_over && close(draft, key, By::Steady).is_some() {
        return verdict(Outcome::Resolved);
    }
    verdict(Outcome::Recorded)
}

#[cfg(test)]
mod tests {
    use super::super::incident::IncidentState;
    use super::super::input::Act;
    use super::super::setup::AlertSeverity;
    use super::super::trial::Trial;
    use super::*;

    fn at(minute: i64) -> Time {
        Time::from_seconds(minute * 60)
    }

    fn changed_at(minutes: &[i64]) -> Changes {
        let mut changes = Changes::none();
        for minute in minutes {
            changes.note(at(*minute), Span::minutes(1));
        }
        changes
    }

    #[test]
    fn changes_weigh_more_the_newer_they_are() {
        for (minutes, now, percent) in [
            (vec![], 0, 0),
            (vec![0], 0, 6),
            // As old as any that counts, and one too old.
            (vec![0], 19, 4),
            (vec![0], 20, 0),
            // Twice in one stretch is a coming and a going; more than that nobody sees in a state that is looked at.
            (vec![0, 0], 0, 12),
            (vec![0, 0, 0, 0], 0, 12),
            ((0..20).collect(), 19, 100),
        ] {
            let weight = changed_at(&minutes).weight(at(now), Span::minutes(1));
            assert_eq!(weight / (10 * limits::FLAP_BUCKETS), percent, "{minutes:?} at {now}");
        }
    }

    #[test]
    fn thresholds_begin_and_end_it() {
        let usual = Flapping::default();
        for (minutes, flaps, steady_at) in [
            (vec![0, 2, 4, 6, 8], false, 22),
            (vec![0, 2, 4, 6, 8, 10], true, 24),
            (vec![0, 0, 3, 3, 6], false, 20),
            (vec![0, 0, 3, 3, 6, 6], true, 23),
            // Fires for a few seconds every nine minutes, and every ten.
            (vec![0, 0, 9, 9, 18, 18], true, 29),
            (vec![0, 0, 10, 10], false, 20),
        ] {
            let changes = changed_at(&minutes);
            let now = *minutes.last().expect("there is one");
            assert_eq!(changes.begins(usual, at(now)), flaps, "{minutes:?}");
            assert_eq!(changes.steady_at(usual, at(now)), at(steady_at), "{minutes:?}");
        }
        // An operator's own: shorter stretches, and a change of them.
        let quick = Flapping { bucket: Span::seconds(10), high: 50, low: 20 };
        let changes = changed_at(&[0, 1, 2, 3]);
        assert!(!changes.begins(quick, at(3)) && changes.steady_at(quick, at(3)) <= at(4));
    }

    #[test]
    fn what_is_too_old_is_forgotten_and_a_clock_that_goes_back_breaks_nothing() {
        let mut changes = changed_at(&(0..1_000).collect::<Vec<_>>());
        assert!(changes.0.len() <= 20);
        changes.note(at(500), Span::minutes(1));
        assert!(changes.0.len() <= 20 && changes.weight(at(500), Span::minutes(1)) > 0);
        changes.note(at(999), Span::ZERO);
        let stored = serde_json::to_string(&changed_at(&[1, 1, 2])).expect("it is text");
        assert_eq!(stored, "[[60000000,2],[120000000,1]]");
        assert_eq!(serde_json::from_str::<Changes>(&stored).expect("it comes back"), changed_at(&[1, 1, 2]));
    }

    /// It fires for a minute and is over for one, from this minute on, so many times.
    fn comes_and_goes(night: &mut Trial, from: i64, times: i64) {
        for n in 0..times {
            night.until((from + 2 * n) * 60);
            night.fires("db");
            night.until((from + 2 * n + 1) * 60);
            night.resolves("db");
        }
    }

    #[test]
    fn what_flaps_is_one_firing_alert_until_it_is_steady_and_over() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.until(60);
        night.resolves("db");
        comes_and_goes(&mut night, 2, 6);
        let reopened = night.count("incident_reopened");
        assert_eq!((night.count("alerts_flapping"), night.incident().state), (1, IncidentState::Triggered));
        night.asks("bo", Act::Acknowledge);
        let calls = night.calls().len();
        comes_and_goes(&mut night, 14, 12);
        // Its ends do not resolve it, and its returns neither reopen it nor call anybody.
        assert_eq!((night.count("incident_reopened"), night.count("alerts_flapping"), night.calls().len()), (reopened, 1, calls));
        assert_eq!((night.incident().state, night.incident().firing_count), (IncidentState::Acknowledged, 1));
        assert_eq!(night.alert("db").state, AlertState::Firing);
        let until = night.alert("db").hold.and_then(|hold| hold.until()).expect("it is held");
        let second = until.since(Trial::time(0)).as_seconds();
        night.until(second - 1);
        assert_eq!(night.looks("db"), Verdict::nothing());
        night.until(second);
        let verdict = night.looks("db");
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Resolved, Reason::SteadyAgain));
        assert_eq!((night.incident().state, night.count("alerts_steady"), night.alert("db").hold), (IncidentState::Resolved, 1, None));
    }

    #[test]
    fn steady_and_firing_it_goes_on_as_any_other() {
        let mut night = Trial::new();
        comes_and_goes(&mut night, 0, 8);
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.until(60 * 60);
        let verdict = night.looks("db");
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Recorded, Reason::SteadyAgain));
        assert_eq!((night.alert("db").hold, night.incident().firing_count), (None, 1));
        assert_eq!(night.resolves("db").reason, Reason::ConditionOver, "its word counts again");
    }

    #[test]
    fn nobody_answers_and_it_flaps_so_everyone_is_called_in_the_end() {
        let mut night = Trial::new();
        comes_and_goes(&mut night, 0, 12);
        let first = |contact: &str| night.calls().iter().find(|(_, called, _)| called == contact).map(|(at, ..)| *at);
        assert_eq!((first("ana"), first("bo"), first("cy")), (Some(0), Some(300), Some(600)));
        assert_eq!((night.incidents.len(), night.count("policy_started")), (1, 1));
    }

    #[test]
    fn a_person_who_closes_it_is_believed_and_its_next_return_is_told() {
        let mut night = Trial::new();
        comes_and_goes(&mut night, 0, 8);
        night.asks("ana", Act::Resolve);
        assert_eq!(night.looks("db"), Verdict::nothing());
        night.until(16 * 60 + 30);
        assert_eq!(night.fires("db").reason, Reason::QuietAfterResolve);
        night.until(20 * 60);
        assert_eq!(night.fires("db").outcome, Outcome::Reopened);
        assert!(night.incident().is_open() && night.alert("db").hold.is_some(), "and it still flaps");
        assert_eq!(night.resolves("db").reason, Reason::Flapping);
    }

    #[test]
    fn what_calls_nobody_or_is_not_looked_at_may_come_and_go() {
        let mut off = Trial::new();
        off.service().flapping = None;
        comes_and_goes(&mut off, 0, 12);
        assert_eq!((off.count("alerts_flapping"), off.incident().state), (0, IncidentState::Resolved));
        let mut recorded = Trial::new();
        for n in 0..12 {
            recorded.until(n * 120);
            recorded.fires_as("db", AlertSeverity::Info);
            recorded.until(n * 120 + 60);
            assert_eq!(recorded.resolves("db").outcome, Outcome::Resolved);
        }
        let mut silenced = Trial::new();
        comes_and_goes(&mut silenced, 0, 8);
        silenced.silences("db.*", 0, 7_200);
        assert_eq!(silenced.resolves("db").outcome, Outcome::Resolved, "a silence covers it, and nobody hears of it either way");
        assert_eq!(silenced.alert("db").hold, None);
    }

    #[test]
    fn a_repeat_is_no_change() {
        let mut night = Trial::new();
        for second in 0..2_000 {
            night.until(second);
            night.fires("db");
        }
        assert_eq!(night.count("alerts_flapping"), 0);
        // Neither is a word that says again what it was held for.
        comes_and_goes(&mut night, 40, 8);
        let until = night.alert("db").hold.and_then(|hold| hold.until());
        night.resolves("db");
        night.resolves("db");
        assert_eq!(night.alert("db").hold.and_then(|hold| hold.until()), until);
    }
}
