//! Budgets: what a key sends beyond its own is not refused and not lost, but the repeats of one alert that are journaled together become
//! one signal that counts them.

use std::collections::BTreeMap;

use super::Entry;
use crate::base::id::IntegrationId;
use crate::base::time::{Span, Time};
use crate::domain::input::Action;

/// The signals that each integration may still send, by what it may send in a second; one that is not here has sent nothing lately.
#[derive(Debug, Default)]
pub(super) struct Budgets(BTreeMap<IntegrationId, Purse>);

#[derive(Debug, Clone, Copy)]
struct Purse {
    /// In millionths, so that what a microsecond brings is a whole number.
    left: i64,
    at: Time,
}

const MILLIONTHS: i64 = 1_000_000;

impl Budgets {
    /// Whether these signals are more than the integration may send now. A second's worth may come at once.
    pub fn is_over(&mut self, integration: &IntegrationId, signals: usize, per_second: u32, at: Time) -> bool {
        let (most, cost) = (i64::from(per_second) * MILLIONTHS, i64::try_from(signals).unwrap_or(i64::MAX).saturating_mul(MILLIONTHS));
        let purse = match self.0.get_mut(integration) {
            Some(purse) => purse,
            None => self.0.entry(integration.clone()).or_insert(Purse { left: most, at }),
        };
        let passed = at.since(purse.at).0.clamp(0, Span::seconds(1).0);
        purse.left = purse.left.saturating_add(passed.saturating_mul(i64::from(per_second))).min(most);
        purse.at = at;
        // What is beyond costs nothing: it is cheap to keep, and a flood that ends leaves no debt.
        let is_over = purse.left < cost;
        purse.left -= if is_over { purse.left.max(0) } else { cost };
        is_over
    }
}

/// Of an integration that is over its budget: a signal each, so that those of one alert can be counted on one another. A request whose
/// sender asks what became of it stays as it is.
pub(super) fn apart(entry: Entry) -> Vec<Entry> {
    if entry.answer || entry.asked.is_some() || entry.signals.len() <= 1 {
        return vec![entry];
    }
    let Entry { request, integration, answer, sample, asked, signals, beside_unreadable, times } = entry;
    let mut sample = sample;
    let one = |signal| Entry {
        request: request.clone(),
        integration: integration.clone(),
        answer,
        sample: sample.take(),
        asked: asked.clone(),
        signals: vec![signal],
        beside_unreadable,
        times,
    };
    signals.into_iter().map(one).collect()
}

/// Where the last word about each alert stands among the entries of one row.
#[derive(Debug, Default)]
pub(super) struct Said {
    at: BTreeMap<String, usize>,
    is_asked: bool,
}

impl Said {
    /// The entry on which this one can be counted: it triggers the same alert at the same severity, and nothing else was said of that
    /// since. What else the two say may differ: of a repeat the words are a sample.
    pub fn before(&mut self, entries: &[Entry], entry: &Entry) -> Option<usize> {
        self.is_asked = true;
        let [signal] = entry.signals.as_slice() else { return None };
        if entry.answer || entry.asked.is_some() || entry.sample.is_some() || signal.action != Action::Trigger {
            return None;
        }
        let at = *self.at.get(&signal.dedup_key)?;
        let [earlier] = entries.get(at)?.signals.as_slice() else { return None };
        let is_same = earlier.action == Action::Trigger
            && earlier.severity == signal.severity
            && entries[at].beside_unreadable == entry.beside_unreadable
            && !entries[at].answer
            && entries[at].asked.is_none();
        is_same.then_some(at)
    }

    /// This entry stands there now. Until one was counted there is nothing to note: most integrations are never over their budget.
    pub fn note(&mut self, entry: &Entry, at: usize) {
        if !self.is_asked {
            return;
        }
        for signal in &entry.signals {
            self.at.insert(signal.dedup_key.clone(), at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_may_come_at_once_and_then_as_much_as_passes() {
        let (mut budgets, key, start) = (Budgets::default(), IntegrationId::from("a"), Time::from_seconds(1_000));
        assert!(!budgets.is_over(&key, 100, 100, start));
        assert!(budgets.is_over(&key, 1, 100, start));
        assert!(!budgets.is_over(&"b".into(), 100, 100, start), "another key has its own");
        assert!(!budgets.is_over(&key, 1, 100, start + Span::millis(10)));
        assert!(budgets.is_over(&key, 1, 100, start + Span::millis(11)));
        assert!(!budgets.is_over(&key, 100, 100, start + Span::seconds(60)), "nothing is owed, and nothing saved up");
        assert!(budgets.is_over(&key, 1, 100, start + Span::seconds(60)));
        assert!(budgets.is_over(&key, 1, 100, start - Span::hours(1)), "a clock that is set back gives nothing");
    }
}
