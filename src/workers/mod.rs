//! Doors for time: supervised loops. Each sleeps until something is due or a bell rings, and looks once in a while all the same.

mod alarm;
mod asker;
mod auditor;
mod courier;
mod crier;
mod ear;
mod folder;
mod heart;
mod herald;
mod janitor;
mod messenger;
mod mover;
mod ringer;
mod stoker;
mod sweeper;
mod watchman;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;

use crate::base::limits;
use crate::base::metrics::Metrics;
use crate::flows::House;
use crate::flows::deliver::Lane;
use crate::flows::fold;
use crate::flows::ingest::{self, Pending};

/// The workers of a process. Dropping it ends them at once.
pub struct Crew {
    house: House,
    couriers: JoinSet<()>,
    others: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

/// Starts every worker of a process.
#[must_use]
pub fn start(house: &House, queue: mpsc::Receiver<Pending>) -> Crew {
    let (stopping, stop) = watch::channel(false);
    let mut crew = Crew { house: house.clone(), couriers: JoinSet::new(), others: JoinSet::new(), stopping };
    for lane in Lane::ALL {
        let (own, stop) = (house.clone(), stop.clone());
        let name = match lane {
            Lane::Page => "courier of calls",
            Lane::Text => "courier of texts",
            Lane::Mail => "courier of mail",
            Lane::Direct => "courier of direct messages",
            Lane::Hook => "courier of personal webhooks",
            Lane::Settle => "courier of settlements",
        };
        crew.couriers.spawn(supervise(name, house.metrics.clone(), move || courier::run(own.clone(), lane, stop.clone())));
    }
    // What the keeper held when it panicked is lost to it, and its senders hear 503 and come again.
    let queue = Arc::new(Mutex::new(queue));
    crew.keeps("keeper of the journal", house, move |house| {
        let queue = Arc::clone(&queue);
        async move { ingest::keep_journal(house, &mut *queue.lock().await).await }
    });
    crew.keeps("ear", house, ear::run);
    crew.keeps("folder", house, folder::run);
    crew.keeps("alarm", house, alarm::run);
    crew.keeps("asker", house, asker::run);
    crew.keeps("auditor", house, auditor::run);
    crew.keeps("janitor", house, janitor::run);
    crew.keeps("crier", house, crier::run);
    crew.keeps("heart", house, heart::run);
    crew.keeps("herald", house, herald::run);
    crew.keeps("messenger", house, messenger::run);
    crew.keeps("mover", house, mover::run);
    crew.keeps("ringer", house, ringer::run);
    crew.keeps("sweeper", house, sweeper::run);
    let opened_at = house.clock.now();
    crew.keeps("watchman", house, move |house| watchman::run(house, opened_at));
    crew.keeps("stoker", house, stoker::run);
    crew
}

impl Crew {
    fn keeps<F>(&mut self, name: &'static str, house: &House, worker: impl Fn(House) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let own = house.clone();
        self.others.spawn(supervise(name, house.metrics.clone(), move || worker(own.clone())));
    }

    /// Lets nothing more leave, and waits until what has left has come to its end.
    pub async fn wind_down(&mut self) {
        self.stopping.send_replace(true);
        while self.couriers.join_next().await.is_some() {}
    }

    /// Ends all workers at once. Whatever was not finished is in the database.
    pub async fn stop(mut self) {
        self.couriers.shutdown().await;
        self.others.shutdown().await;
        if let Err(error) = fold::drop_lease(&self.house).await {
            tracing::warn!(%error, "the folder's lease could not be given up; it runs out by itself");
        }
    }
}

/// Runs a worker until it ends by itself: one that panics is told of and starts again.
pub async fn supervise<F>(name: &'static str, metrics: Metrics, worker: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut alone = JoinSet::new();
        alone.spawn(worker());
        match alone.join_next().await {
            Some(Err(error)) if error.is_panic() => {}
            Some(_) | None => return,
        }
        metrics.restart(name);
        tracing::error!(worker = name, "a worker panicked and is started again; please report this");
        tokio::time::sleep(BREATH).await;
    }
}

/// Between an error and the next try: long enough not to flood the log, short enough to be in time.
const BREATH: Duration = Duration::from_millis(200);

/// The longest a worker sleeps without looking.
const fn safety_poll() -> Duration {
    Duration::from_millis(limits::SAFETY_POLL.0.unsigned_abs() / 1_000)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::base::metrics::Calls;

    #[tokio::test]
    async fn a_worker_that_panics_is_counted_and_starts_again() {
        let metrics = Metrics::new(&Calls::default());
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        let work = supervise("clumsy", metrics.clone(), move || {
            let start = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(start >= 2, "it stumbles twice") }
        });
        tokio::time::timeout(Duration::from_secs(10), work).await.expect("it comes to its end");
        assert_eq!(starts.load(Ordering::Relaxed), 3);
        let mut text = String::new();
        metrics.write(&mut text).expect("a text");
        assert!(text.contains("reveille_worker_restarts_total{worker=\"clumsy\"} 2"), "{text}");
    }
}
