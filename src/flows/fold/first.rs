//! What may begin to inhibit is decided before all else of its batch: what it explains calls nobody first.

use std::collections::{BTreeMap, BTreeSet};

use super::{Routes, signal};
use crate::domain::alert::Key;
use crate::domain::decide::{Desk, Moment, SetTimer, Verdict};
use crate::domain::fact::Fact;
use crate::domain::inhibition;
use crate::domain::routing::Routed;
use crate::domain::setup::Setup;

/// The verdicts that came before their turn, by the place of the request and of the signal in it.
pub(super) struct First {
    keys: BTreeSet<Key>,
    verdicts: BTreeMap<(usize, usize), Verdict>,
}

impl First {
    /// Finds whose turn comes first; nobody's, where there are no rules.
    pub(super) fn of(setup: &Setup, entries: &[Routes]) -> Self {
        let keys = inhibition::sources_among(setup, entries.iter().flat_map(|routes| &routes.signals));
        Self { keys, verdicts: BTreeMap::new() }
    }

    /// Decides all that is about those keys, in its order.
    pub(super) fn decide(
        &mut self,
        mut desk: Desk,
        entries: &[Routes],
        setup: &Setup,
        moment: &mut Moment,
        (facts, timers): (&mut Vec<Fact>, &mut Vec<SetTimer>),
    ) -> Desk {
        if self.keys.is_empty() {
            return desk;
        }
        for (place, Routes { entry, signals }) in entries.iter().enumerate() {
            let times = usize::try_from(entry.times).unwrap_or(1).max(1);
            let all = std::iter::repeat_n(signals, times).flatten();
            for (n, routed) in all.enumerate() {
                if !self.is_of(routed) {
                    continue;
                }
                let decision;
                (desk, decision) = signal(desk, routed.clone(), setup, moment);
                facts.extend(decision.facts);
                timers.extend(decision.timers);
                self.verdicts.insert((place, n), decision.verdict);
            }
        }
        desk
    }

    fn is_of(&self, routed: &Routed) -> bool {
        let signal = &routed.signal;
        self.keys.contains(&Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() })
    }

    /// The verdict on a signal whose turn came first.
    pub(super) fn take(&mut self, place: usize, n: usize) -> Option<Verdict> {
        self.verdicts.remove(&(place, n))
    }
}
