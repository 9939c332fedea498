//! What a long world forgets: whatever is over, and nobody will ask for any more. Without that, each step of a day would look at all of it.

use std::collections::{BTreeMap, BTreeSet};

use reveille::base::id::{AlertId, AttemptId, IncidentId};
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, Key, KeyState};
use reveille::domain::incident::Incident;
use reveille::domain::input::Scope;
use reveille::domain::merge::family;
use reveille::domain::silence::SilenceState;

use super::watch::Watch;
use super::world::{Rows, World};

/// How long something is over before it is forgotten: longer than anything is looked back on.
const KEPT: Span = Span::hours(1);
/// How long a silence is: a turn of maintenance that was ended early must not be made again while it lasts.
const SILENCES_KEPT: Span = Span::hours(2);

/// Whether alerts of this key come again and again, so that what they did before matters.
fn comes_again(key: &Key) -> bool {
    let number = key.dedup_key.strip_prefix("key").and_then(|digits| digits.parse::<u32>().ok());
    number.is_none_or(|number| number < 4) && !key.dedup_key.starts_with("node")
}

/// What the watch still counts of what it has forgotten.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// Signals of alerts.
    pub signals: i64,
    pub alerts: usize,
    /// Attempts of which nobody knew what came of them, and those that were made because of that.
    pub unknown: usize,
    pub resent: usize,
}

impl Watch {
    fn forget(&mut self, before: Time, rows: &Rows, alive: &BTreeSet<AttemptId>, alerts: &[Alert]) {
        self.forgotten.signals += alerts.iter().map(|alert| alert.count).sum::<i64>();
        self.forgotten.alerts += alerts.len();
        let calls = self.calls.iter().filter(|(id, call)| call.placed_at < before && !alive.contains(*id)).map(|(id, _)| id.clone());
        let messages = self.messages.iter().filter(|(id, (_, _, at))| *at < before && !alive.contains(*id)).map(|(id, _)| id.clone());
        for id in calls.chain(messages).collect::<Vec<_>>() {
            let was_unknown = self.calls.remove(&id).is_some_and(|call| call.unknown_at.is_some());
            self.messages.remove(&id);
            self.forgotten.unknown += usize::from(self.unknown_messages.remove(&id)) + usize::from(was_unknown);
            self.forgotten.resent += usize::from(self.resends.remove(&id));
            self.sent.remove(&id);
            self.refused.remove(&id);
        }
        self.placed.retain(|id| self.calls.contains_key(id));
        self.down.retain(|until| *until >= before);
        self.shadows.retain(|id, _| rows.incidents.contains_key(id));
        self.told_by_senders.retain(|id, _| rows.incidents.contains_key(id));
        self.rates.forget(rows);
    }
}

impl World {
    pub(super) fn forget(&mut self) {
        let before = self.rows.now - KEPT;
        let alive = self.rows.persons.values().flat_map(|person| &person.attempts).map(|attempt| attempt.id.clone());
        let alive: BTreeSet<AttemptId> = alive.chain(self.rows.outbox.iter().map(|row| row.effect.attempt().clone())).collect();
        let alerts = self.rows.forget(before);
        let Self { rows, watch, calls, lies, .. } = self;
        watch.forget(before, rows, &alive, &alerts);
        calls.retain(|id, _| watch.user_of(id).is_some());
        lies.retain(|id| watch.user_of(id).is_some());
        self.say(|| format!("{} alerts are forgotten", alerts.len()));
    }
}

impl Rows {
    /// The alerts that were forgotten.
    fn forget(&mut self, before: Time) -> Vec<Alert> {
        let now = self.now;
        let is_told = |id| self.told.contains(id);
        let expired = self.silences.values().filter(|silence| silence.state(now) == SilenceState::Expired && is_told(&silence.id));
        let expired: Vec<_> = expired.filter(|silence| silence.ends_at < now - SILENCES_KEPT).map(|silence| silence.id.clone()).collect();
        for id in expired {
            self.silences.remove(&id);
            self.told.remove(&id);
        }
        let kept = self.keys.values().filter(|state| self.is_kept(state, before)).map(|state| state.key.clone()).collect::<BTreeSet<_>>();
        self.keys.retain(|key, _| kept.contains(key));
        let incidents = self.needed(before);
        self.incidents.retain(|id, _| incidents.contains(id));
        let newest: BTreeSet<AlertId> = self.keys.values().filter_map(|state| Some(state.alert.as_ref()?.id.clone())).collect();
        let is_needed = |alert: &Alert| newest.contains(&alert.id) || alert.incident.as_ref().is_some_and(|id| incidents.contains(id));
        let (needed, forgotten): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.alerts).into_iter().partition(|(_, alert)| is_needed(alert) || alert.last_at >= before);
        self.alerts = needed;
        forgotten.into_values().collect()
    }

    fn is_kept(&self, state: &KeyState, before: Time) -> bool {
        let Some(alert) = &state.alert else { return true };
        let own = alert.incident.as_ref().and_then(|id| self.incidents.get(id));
        let is_late =
            own.is_some_and(|own| own.closed_at.is_some_and(|at| at >= before)) || alert.resolved_at.is_some_and(|at| at >= before);
        comes_again(&state.key) || alert.holds(own) || alert.last_at >= before || is_late
    }

    /// The incidents that something may still happen to, and all that belongs to them.
    fn needed(&self, before: Time) -> BTreeSet<IncidentId> {
        let waking = self.timers.keys().filter_map(|(scope, _)| match scope {
            Scope::Incident(id) => Some(id),
            Scope::Person(_) | Scope::Silence(_) => None,
        });
        let paging = self.persons.values().flat_map(|person| &person.pages).map(|page| &page.incident);
        let held = self.keys.values().filter_map(|state| state.alert.as_ref()?.incident.as_ref());
        let late = self.alerts.values().filter(|alert| alert.last_at >= before).filter_map(|alert| alert.incident.as_ref());
        let is_busy =
            |incident: &&Incident| incident.closed_at.is_none_or(|at| at >= before) || incident.is_open() || incident.is_umbrella();
        let busy = self.incidents.values().filter(is_busy).map(|incident| &incident.id);
        let mut needed: BTreeSet<IncidentId> = waking.chain(paging).chain(held).chain(late).chain(busy).cloned().collect();
        loop {
            let rows = needed.iter().filter_map(|id| self.incidents.get(id).map(|row| (id.clone(), row.clone()))).collect();
            let before = needed.len();
            needed.extend(family(&rows));
            if needed.len() == before {
                return needed;
            }
        }
    }
}
