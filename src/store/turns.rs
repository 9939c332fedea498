//! Turns at SQLite's one writer. Whoever wakes people goes first; the others come in the order in which they asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::WriteLane;

#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    taken: bool,
    pages: VecDeque<oneshot::Sender<Turn>>,
    others: VecDeque<oneshot::Sender<Turn>>,
}

impl Turns {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the writer. Dropping the wait gives up the place in the queue, even when the turn has just come.
    pub(super) async fn take(&self, lane: WriteLane) -> Turn {
        loop {
            let coming = {
                let mut queue = self.queue();
                if !queue.taken {
                    queue.taken = true;
                    return Turn { turns: Some(self.clone()) };
                }
                let (give, coming) = oneshot::channel();
                match lane {
                    WriteLane::Page => queue.pages.push_back(give),
                    WriteLane::Intake | WriteLane::Rest => queue.others.push_back(give),
                }
                coming
            };
            // A sender is only dropped with the whole queue, which this borrows; asking again is right in any case.
            if let Ok(turn) = coming.await {
                return turn;
            }
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        let queue = self.queue();
        queue.pages.len() + queue.others.len()
    }

    fn next(&self) -> Option<oneshot::Sender<Turn>> {
        let mut queue = self.queue();
        let next = queue.pages.pop_front().or_else(|| queue.others.pop_front());
        queue.taken = next.is_some();
        next
    }
}

/// The right to write. It passes on when it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Option<Turns>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.turns.take() else { return };
        let mut turn = Self { turns: Some(turns.clone()) };
        while let Some(next) = turns.next() {
            match next.send(turn) {
                Ok(()) => return,
                // This waiter has gone; the one after it is asked.
                Err(unwanted) => turn = unwanted,
            }
        }
        // Nobody waits: this turn is spent, not passed on.
        turn.turns = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_page_goes_before_everyone_who_waits() {
        let turns = Turns::default();
        let held = turns.take(WriteLane::Rest).await;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for (n, lane) in [(0, WriteLane::Intake), (1, WriteLane::Rest), (2, WriteLane::Intake), (3, WriteLane::Page)] {
            tokio::spawn({
                let (turns, tell) = (turns.clone(), tell.clone());
                async move {
                    let turn = turns.take(lane).await;
                    tell.send(n).expect("the test listens");
                    drop(turn);
                }
            });
            while turns.waiting() <= n {
                tokio::task::yield_now().await;
            }
        }
        drop(held);
        let mut order = Vec::new();
        for _ in 0..4 {
            order.push(told.recv().await.expect("four turns are told"));
        }
        assert_eq!(order, [3, 0, 1, 2]);
    }

    #[tokio::test]
    async fn a_waiter_that_leaves_wedges_nothing() {
        let turns = Turns::default();
        let held = turns.take(WriteLane::Rest).await;
        let leaver = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take(WriteLane::Page).await }
        });
        while turns.waiting() < 1 {
            tokio::task::yield_now().await;
        }
        leaver.abort();
        assert!(leaver.await.is_err());
        drop(held);
        // One that was given its turn and dropped before it looked.
        let held = turns.take(WriteLane::Rest).await;
        let mut unpolled = Box::pin(turns.take(WriteLane::Page));
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::future::Future::poll(unpolled.as_mut(), &mut nobody).is_pending());
        drop(held);
        drop(unpolled);
        drop(turns.take(WriteLane::Intake).await);
        assert!(!turns.queue().taken);
    }
}
