//! What alerts are held for in the world: looked at when its time has come; and what the watch wants of it.

use std::collections::BTreeMap;

use reveille::base::id::IncidentId;
use reveille::base::limits;
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState, Hold, KeyState};
use reveille::domain::decide::{Desk, Outcome, State, Verdict};
use reveille::domain::fact::{Fact, What};
use reveille::domain::incident::{Incident, IncidentState, Run};
use reveille::domain::input::{Action, Actor, Input, Signal};
use reveille::domain::reason::Reason;
use reveille::domain::setup::Urgency;

use super::merge::home_of;
use super::watch::ensure;
use super::world::{Rows, Saved, World};

/// The longest that a service of these worlds waits, and how late whoever looks may be.
pub const LONGEST: Span = Span::minutes(4);
const LATE: Span = Span::seconds(2);

impl World {
    /// When the next of what is held is to be looked at.
    pub(super) fn next_held(&self) -> Option<Time> {
        self.rows.keys.values().filter_map(|key| key.alert.as_ref()?.hold?.until()).min()
    }

    /// What was held until now is looked at, in one transaction.
    pub(super) fn lets_go(&mut self) -> Result<(), String> {
        let now = self.rows.now;
        let is_due = |key: &&KeyState| key.alert.as_ref().and_then(|alert| alert.hold?.until()).is_some_and(|until| until <= now);
        let keys: Vec<KeyState> = self.rows.keys.values().filter(is_due).cloned().collect();
        let mut saved = Saved::default();
        let mut state = State::Desk(self.rows.desk_about(&keys));
        for KeyState { key, alert, .. } in keys {
            let held_in = alert.as_ref().filter(|alert| alert.incident.is_some());
            // A person's resolve closed it, though its incident may have been reopened by hand since.
            let is_closed = |desk: &Desk, alert: &Alert| {
                let own = alert.incident.as_ref().and_then(|id| desk.incidents.get(id));
                own.and_then(|own| own.closed_at).is_some_and(|closed_at| alert.fired_at <= closed_at)
            };
            let is_open = |alert| matches!(&state, State::Desk(desk) if home_of(&desk.incidents, alert).is_some_and(Incident::is_open) && !is_closed(desk, alert));
            let open = held_in.is_none_or(is_open);
            let (next, verdict) = self.decide(state, &Input::Held(key.clone()), &mut saved);
            state = next;
            self.say(|| format!("  held: {} -> {verdict:?}", key.dedup_key));
            if let (State::Desk(desk), Some(before)) = (&state, &alert) {
                self.watch.uncovered(&self.rows, desk, &key, &verdict)?;
                is_let_go(desk, before, &verdict, open)?;
            }
        }
        self.save(state, saved, None)
    }
}

/// Whoever has waited long enough is called for, and what flapped is what its sender said last.
fn is_let_go(desk: &Desk, before: &Alert, verdict: &Verdict, open: bool) -> Result<(), String> {
    let Some(alert) = desk.keys.get(&before.key).and_then(|state| state.alert.as_ref()) else { return Err(format!("{before:?} is gone")) };
    match before.hold {
        Some(Hold::Quiet { .. }) if before.state == AlertState::Firing => {
            let incident = home_of(&desk.incidents, alert);
            // Where a person has set the severity it stays, also at one that pages nobody.
            let is_told = incident.is_some_and(|incident| {
                incident.state == IncidentState::Acknowledged || incident.run.is_some() || incident.response.severity_by_hand
            });
            // Its service's times or its severity may be others by now.
            let is_excused = matches!(verdict.reason, Reason::JustRecords | Reason::WaitsToPass);
            ensure(is_told || is_excused, || format!("promise 1: nobody is called for {alert:?}, which has not passed: {verdict:?}"))
        }
        // One that a person's resolve closed, and of which its sender has said since that it is over, is over already.
        Some(Hold::Flapping { is_over, .. }) if open && before.state != AlertState::Resolved => {
            let is_over_now = alert.state == AlertState::Resolved;
            ensure(is_over == is_over_now, || format!("flapping: {before:?} is steady, and becomes {alert:?}"))
        }
        Some(Hold::Quiet { .. } | Hold::Passed | Hold::Flapping { .. }) | None => Ok(()),
    }
}

/// Promise 3: what is held is looked at in time, and is held no longer than it may be.
pub fn ends(rows: &Rows, down_until: Time) -> Result<(), String> {
    for alert in rows.keys.values().filter_map(|key| key.alert.as_ref()) {
        let Some(until) = alert.hold.and_then(|hold| hold.until()) else { continue };
        ensure(until.max(down_until) >= rows.now - LATE, || format!("promise 3: nobody looks at {alert:?}"))?;
        match alert.hold {
            Some(Hold::Quiet { .. }) => {
                let is_waiting = alert.incident.is_none() && alert.state == AlertState::Firing;
                ensure(is_waiting, || format!("quiet: {alert:?} waits and need not"))?;
                ensure(until <= alert.fired_at + LONGEST, || format!("quiet: {alert:?} waits longer than any service does"))?;
            }
            Some(Hold::Flapping { .. }) => {
                let longest = Span(limits::FLAP_BUCKET.0 * (limits::FLAP_BUCKETS + 1));
                ensure(until <= rows.now + longest, || format!("flapping: {alert:?} is held for too long"))?;
            }
            Some(Hold::Passed) | None => {}
        }
    }
    Ok(())
}

/// What a sender's word may do to what is held. `before` is the hold that its key's alert had.
pub fn after_signal(rows: &Rows, desk: &Desk, signal: &Signal, before: Option<&Alert>, verdict: &Verdict) -> Result<(), String> {
    let Some(alert) = verdict.alert.as_ref().and_then(|id| desk.keys.values().find_map(|key| key.alert.as_ref().filter(|a| a.id == *id)))
    else {
        return Ok(());
    };
    if verdict.reason == Reason::WaitsToPass {
        let waits = matches!(alert.hold, Some(Hold::Quiet { .. }));
        ensure(waits, || format!("promise 3: {} is to wait, and nothing ends that: {alert:?}", signal.dedup_key))?;
    }
    let Some(before) = before.filter(|before| before.id == alert.id && before.state == AlertState::Firing) else { return Ok(()) };
    let held_here = before.incident.as_ref().and_then(|id| desk.incidents.get(id)).is_some_and(|incident| before.holds(Some(incident)));
    // Its service may be gone by now, or want to know nothing of it.
    let may_flap = rows.setup.services.get(&before.service).is_some_and(|service| service.flapping.is_some());
    if let (Some(Hold::Flapping { .. }), Action::Resolve, true) = (before.hold, &signal.action, held_here && may_flap) {
        let holds = verdict.outcome != Outcome::Resolved && alert.state == AlertState::Firing;
        ensure(holds, || format!("flapping: {before:?} is over at once: {verdict:?}"))?;
    }
    Ok(())
}

/// Where policies stood when what nobody had answered was over.
#[derive(Debug, Default)]
pub struct Unanswered(BTreeMap<IncidentId, (u32, usize)>);

impl Unanswered {
    /// What comes back goes on there, and no step before it starts by that.
    pub fn see(&mut self, fact: &Fact, before: Option<&Incident>) -> Result<(), String> {
        match &fact.what {
            What::IncidentResolved { .. } if matches!(fact.actor, Actor::Integration(_) | Actor::Reveille) => {
                let unanswered = before.filter(|incident| incident.state == IncidentState::Triggered && !incident.response.is_hushed);
                let on_its_way = |run: &&Run| run.urgency == Urgency::High && run.next_at.is_some() && !run.exhausted;
                if let Some(run) = unanswered.and_then(|incident| incident.run.as_ref()).filter(on_its_way) {
                    self.0.insert(fact.incident.clone(), (run.round, run.step));
                }
            }
            What::PolicyStarted { reason, .. } => {
                let left = self.0.remove(&fact.incident).filter(|_| *reason == Reason::FiredAgain);
                let is_as_loud = before.is_some_and(|incident| incident.severity.urgency() == Some(Urgency::High));
                ensure(left.is_none() || !is_as_loud, || format!("promise 1: {} was at {left:?} and starts again", fact.incident))?;
            }
            What::StepStarted { round, step, .. } => {
                if let Some(left) = self.0.remove(&fact.incident) {
                    ensure((*round, *step) >= left, || format!("promise 1: {} was at {left:?} and is at {:?}", fact.incident, fact.what))?;
                }
            }
            What::IncidentSilenced { .. } | What::IncidentAcknowledged { .. } | What::IncidentSnoozed { .. } => {
                self.0.remove(&fact.incident);
            }
            _ => {}
        }
        Ok(())
    }
}
