//! Doors for time: supervised loops. Each sleeps until something is due or a bell rings, and looks once in a while all the same.

mod alarm;
mod auditor;
mod courier;
mod folder;
mod janitor;
mod sweeper;

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::base::limits;
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
    for lane in [Lane::Page, Lane::Settle] {
        let (house, stop) = (house.clone(), stop.clone());
        let name = match lane {
            Lane::Page => "courier of pages",
            Lane::Settle => "courier of settlements",
        };
        crew.couriers.spawn(supervise(name, house, move |house| courier::run(house, lane, stop.clone())));
    }
    crew.others.spawn(ingest::keep_journal(house.clone(), queue));
    crew.others.spawn(supervise("folder", house.clone(), folder::run));
    crew.others.spawn(supervise("alarm", house.clone(), alarm::run));
    crew.others.spawn(supervise("auditor", house.clone(), auditor::run));
    crew.others.spawn(supervise("janitor", house.clone(), janitor::run));
    crew.others.spawn(supervise("sweeper", house.clone(), sweeper::run));
    crew
}

impl Crew {
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
async fn supervise<F>(name: &'static str, house: House, worker: impl Fn(House) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut alone = JoinSet::new();
        alone.spawn(worker(house.clone()));
        match alone.join_next().await {
            Some(Err(error)) if error.is_panic() => {}
            Some(_) | None => return,
        }
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
