//! Turns at the folder: a key that sends much waits for itself, and nobody waits for it.
//!
//! Each row of the journal gets a turn, and rows are folded in their order. A key's next row comes as many turns after its last as that
//! one had signals, and never before what is folded now: this is start-time fair queueing (Goyal, Vin, Cheng, 1996), which shares as
//! deficit round robin does, and needs no more than an order by one column. Within a key the order of arrival stays.

use std::collections::BTreeMap;

use crate::base::id::IntegrationId;

#[derive(Debug, Default)]
pub(super) struct Fair {
    /// The turn that is folded about now.
    now: i64,
    /// Where each key's next row stands. A key that is not here has nothing ahead of `now`.
    next: BTreeMap<IntegrationId, i64>,
}

impl Fair {
    /// The turn of a key's next row, which has so many signals.
    pub fn turn(&mut self, integration: &IntegrationId, signals: i64) -> i64 {
        let now = self.now;
        if let Some(next) = self.next.get_mut(integration) {
            let turn = now.max(*next);
            *next = turn.saturating_add(signals);
            turn
        } else {
            self.next.insert(integration.clone(), now.saturating_add(signals));
            now
        }
    }

    /// Learns what waits in the journal: the lowest turn of all, and where each key's last row ends. Other processes add rows as well, and
    /// this one may have been started over those of its own.
    pub fn learn(&mut self, waiting: &[(IntegrationId, i64, i64)]) {
        let lowest = waiting.iter().map(|(_, first, _)| *first).min();
        // Where nothing waits all have had their turns.
        let reached = lowest.unwrap_or_else(|| self.next.values().copied().max().unwrap_or(self.now));
        self.now = self.now.max(reached);
        for (integration, _, last) in waiting {
            let next = self.next.entry(integration.clone()).or_default();
            *next = (*next).max(last.saturating_add(1));
        }
        let now = self.now;
        self.next.retain(|_, next| *next > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str) -> IntegrationId {
        id.into()
    }

    #[test]
    fn a_key_that_sends_much_waits_for_itself_alone() {
        let mut fair = Fair::default();
        let flood: Vec<i64> = (0..4).map(|_| fair.turn(&of("flood"), 256)).collect();
        assert_eq!(flood, [0, 256, 512, 768]);
        // A thousand signals wait; these come first, and in the order of their own arrival.
        assert_eq!([fair.turn(&of("quiet"), 1), fair.turn(&of("quiet"), 1), fair.turn(&of("other"), 1)], [0, 1, 0]);
    }

    #[test]
    fn nobody_saves_turns_up_while_it_is_quiet() {
        let mut fair = Fair::default();
        fair.turn(&of("flood"), 10_000);
        fair.learn(&[(of("flood"), 9_000, 9_744)]);
        assert_eq!((fair.turn(&of("quiet"), 256), fair.turn(&of("quiet"), 256)), (9_000, 9_256));
        assert_eq!(fair.turn(&of("flood"), 1), 10_000, "still after its own");
    }

    /// A row that overtook another of its key would end an alert before it began.
    #[test]
    fn after_a_restart_and_beside_another_process_a_keys_order_stays() {
        let mut fair = Fair::default();
        fair.learn(&[(of("flood"), 500, 2_000), (of("quiet"), 700, 700)]);
        assert_eq!(fair.turn(&of("flood"), 1), 2_001);
        assert_eq!(fair.turn(&of("quiet"), 1), 701);
        assert_eq!(fair.turn(&of("new"), 1), 500);
    }

    #[test]
    fn when_all_is_folded_all_begin_anew() {
        let mut fair = Fair::default();
        fair.turn(&of("flood"), 10_000);
        fair.learn(&[]);
        assert!(fair.next.is_empty(), "{fair:?}");
        assert_eq!(fair.turn(&of("quiet"), 1), fair.turn(&of("flood"), 1));
    }
}
