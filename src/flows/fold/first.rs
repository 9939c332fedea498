//! What may begin to inhibit is decided before all else of its batch: what it explains calls nobody first.

use std::collections::BTreeMap;

use super::Routes;
use super::batch::Batch;
use crate::domain::alert::Key;
use crate::domain::decide::Verdict;
use crate::domain::inhibition;

/// The verdicts that came before their turn, by the place of the request and of the signal in it.
pub(super) struct First(BTreeMap<(usize, usize), Verdict>);

impl First {
    /// Decides all that is about the keys of what may inhibit, in its order; nothing, where there are no rules.
    pub(super) fn decide(batch: &mut Batch, entries: &[Routes]) -> Self {
        let keys = inhibition::sources_among(batch.setup(), entries.iter().flat_map(|routes| &routes.signals));
        let mut verdicts = BTreeMap::new();
        if keys.is_empty() {
            return Self(verdicts);
        }
        for (place, Routes { entry, signals }) in entries.iter().enumerate() {
            let times = usize::try_from(entry.times).unwrap_or(1).max(1);
            let all = std::iter::repeat_n(signals, times).flatten();
            for (n, routed) in all.enumerate() {
                let signal = &routed.signal;
                if keys.contains(&Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() }) {
                    verdicts.insert((place, n), batch.decide(&entry.integration, routed.clone()));
                }
            }
        }
        Self(verdicts)
    }

    /// The verdict on a signal whose turn came first.
    pub(super) fn take(&mut self, place: usize, n: usize) -> Option<Verdict> {
        self.0.remove(&(place, n))
    }
}
