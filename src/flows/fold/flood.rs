//! Integrations that send more new alerts than are kept: what is beyond is decided as one more of what is counted on one alert.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::house::House;
use super::super::ingest::Entry;
use crate::base::id::{AlertId, IntegrationId, JournalId};
use crate::base::time::Time;
use crate::domain::alert::Key;
use crate::domain::decide::{Desk, Verdict};
use crate::domain::flood::{self, Flood};
use crate::domain::input::{Action, Signal};
use crate::domain::reason::Reason;
use crate::domain::routing::{self, Routed};
use crate::domain::setup::{Integration, Setup};

/// How many new alerts each integration had lately, of those that have had any. Counted in memory by the one folder there is: a restart
/// lets in an hour's worth more, and costs no statement.
#[derive(Clone, Default)]
pub struct Floods(Arc<Mutex<BTreeMap<IntegrationId, Flood>>>);

impl Floods {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<IntegrationId, Flood>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The new alerts of one batch, while it is decided.
pub(super) struct Flooding<'a> {
    setup: &'a Setup,
    at: Time,
    /// Of the integrations in this batch.
    lately: BTreeMap<IntegrationId, u64>,
    kept: BTreeMap<IntegrationId, BTreeSet<AlertId>>,
    counted: BTreeMap<IntegrationId, u64>,
}

impl<'a> Flooding<'a> {
    pub(super) fn new(floods: &Floods, setup: &'a Setup, entries: &[Entry], at: Time) -> Self {
        let floods = floods.lock();
        let named: BTreeSet<&IntegrationId> = entries.iter().map(|entry| &entry.integration).collect();
        let lately = named.into_iter().map(|id| (id.clone(), floods.get(id).map_or(0, |flood| flood.lately(at)))).collect();
        Self { setup, at, lately, kept: BTreeMap::new(), counted: BTreeMap::new() }
    }

    /// Those that this batch may bring over their limit: what their alert of all that is beyond needs is loaded with the rest.
    pub(super) fn near<'b>(&'b self, entries: &'b [Entry]) -> impl Iterator<Item = Entry> + 'b {
        let mut signals: BTreeMap<&IntegrationId, u64> = BTreeMap::new();
        for entry in entries {
            *signals.entry(&entry.integration).or_default() += entry.signals.len() as u64;
        }
        signals.into_iter().filter_map(|(id, signals)| {
            let integration = self.setup.integrations.get(id)?;
            let lately = self.lately.get(id).copied().unwrap_or_default();
            let is_near = lately.saturating_add(signals) > u64::from(integration.budget.new_per_hour);
            is_near.then(|| stand_in(integration, self.at))
        })
    }

    /// What a signal is decided as, and what it was.
    pub(super) fn let_in(&mut self, desk: &Desk, routed: Routed) -> (Routed, Was) {
        let was = Was::of(desk, &routed.signal);
        let Some(integration) = self.setup.integrations.get(&routed.signal.integration) else { return (routed, was) };
        let is_known = || desk.keys.get(&key_of(&routed.signal)).is_some_and(|state| state.alert.is_some());
        if !self.is_full(integration) || is_known() {
            return (routed, was);
        }
        let Some(signal) = flood::swallow(&routed.signal, integration, self.at) else { return (routed, was) };
        *self.counted.entry(integration.id.clone()).or_default() += 1;
        (Routed { beside_unreadable: routed.beside_unreadable, ..routing::route(self.setup, signal) }, Was::Beyond)
    }

    fn is_full(&self, integration: &Integration) -> bool {
        let lately = self.lately.get(&integration.id).copied().unwrap_or_default();
        let kept = self.kept.get(&integration.id).map_or(0, |kept| kept.len() as u64);
        lately.saturating_add(kept) >= u64::from(integration.budget.new_per_hour)
    }

    /// What was decided of a signal.
    pub(super) fn decided(&mut self, integration: &IntegrationId, was: &Was, verdict: &mut Verdict) {
        match was {
            Was::Beyond => verdict.reason = Reason::TooManyNew,
            Was::Trigger(before) => {
                if let Some(alert) = verdict.alert.as_ref().filter(|alert| Some(*alert) != before.as_ref()) {
                    self.kept.entry(integration.clone()).or_default().insert(alert.clone());
                }
            }
            Was::Else => {}
        }
    }

    /// Once the batch is committed.
    pub(super) fn note(self, house: &House) {
        for (integration, signals) in self.counted {
            house.metrics.overflowed(integration.as_str(), signals);
        }
        let mut floods = house.floods.lock();
        for (integration, kept) in self.kept {
            floods.entry(integration).or_default().add(kept.len() as u64, self.at);
        }
        // Where nothing new came for two hours nothing is remembered.
        floods.retain(|_, flood| !flood.is_over(self.at));
    }
}

/// What a signal was before it was decided.
pub(super) enum Was {
    /// It triggers, and its key had this alert.
    Trigger(Option<AlertId>),
    /// It was about an alert that nobody knows, of an integration that has sent too many.
    Beyond,
    /// It makes no alert.
    Else,
}

impl Was {
    fn of(desk: &Desk, signal: &Signal) -> Self {
        match signal.action {
            Action::Trigger => {
                let state = desk.keys.get(&key_of(signal));
                Self::Trigger(state.and_then(|state| state.alert.as_ref()).map(|alert| alert.id.clone()))
            }
            Action::Resolve | Action::Acknowledge | Action::Remark(_) | Action::Unreadable(_) | Action::Change(_) | Action::Ignore(_) => {
                Self::Else
            }
        }
    }
}

fn key_of(signal: &Signal) -> Key {
    Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() }
}

/// An entry that brings along nothing but what is to be loaded.
fn stand_in(integration: &Integration, at: Time) -> Entry {
    Entry {
        request: JournalId::from_text(String::new()),
        integration: integration.id.clone(),
        answer: false,
        sample: None,
        asked: None,
        signals: vec![flood::overflow(integration, at)],
        beside_unreadable: false,
        times: 0,
    }
}
