//! Pages on their way from the decision to their courier: claimed in the transaction that put them into the outbox, and handed over once it
//! is committed. A claim of its own would be one more commit on the way of a page. What is lost here is found in the outbox.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::clock::Stopwatch;
use crate::base::limits;
use crate::domain::effect::Lane;
use crate::store::OutboxRow;

#[derive(Clone, Default)]
pub struct Handed(Arc<Mutex<VecDeque<(Stopwatch, OutboxRow)>>>);

impl Handed {
    fn queue(&self) -> MutexGuard<'_, VecDeque<(Stopwatch, OutboxRow)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another page would be taken soon, and not be claimed for nothing.
    pub(super) fn has_room(&self) -> bool {
        i64::try_from(self.queue().len()).is_ok_and(|waiting| waiting < limits::SENDS)
    }

    /// Committed claims, and the time that has passed since they were made.
    pub(super) fn hand(&self, since: Stopwatch, rows: Vec<OutboxRow>) {
        self.queue().extend(rows.into_iter().map(|row| (since, row)));
    }

    /// The claims of a lane, the oldest first. Of one that has waited long the lease may have passed: it is left to whoever claims it next.
    pub(super) fn take(&self, lane: Lane, most: usize) -> Vec<OutboxRow> {
        let mut queue = self.queue();
        queue.retain(|(since, _)| since.passed() < limits::LEASE_RENEW);
        let mut taken = Vec::new();
        let mut left = VecDeque::new();
        while let Some((since, row)) = queue.pop_front() {
            if taken.len() < most && row.effect.lane() == lane {
                taken.push(row);
            } else {
                left.push_back((since, row));
            }
        }
        *queue = left;
        taken
    }
}
