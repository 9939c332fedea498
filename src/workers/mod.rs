//! Doors for time: supervised loops. Each sleeps until something is due or a bell rings, and looks once in a while all the same.

mod alarm;
mod auditor;
mod courier;
mod folder;
mod janitor;

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::base::limits;
use crate::flows::House;
use crate::flows::deliver::Lane;
use crate::flows::ingest::{self, Pending};

/// Starts every worker of a process. Dropping the set ends them.
#[must_use]
pub fn start(house: &House, queue: mpsc::Receiver<Pending>) -> JoinSet<()> {
    let mut crew = JoinSet::new();
    crew.spawn(ingest::keep_journal(house.clone(), queue));
    let of = |house: &House| house.clone();
    crew.spawn(supervise("folder", of(house), folder::run));
    crew.spawn(supervise("alarm", of(house), alarm::run));
    crew.spawn(supervise("courier of pages", of(house), |house| courier::run(house, Lane::Page)));
    crew.spawn(supervise("courier of settlements", of(house), |house| courier::run(house, Lane::Settle)));
    crew.spawn(supervise("auditor", of(house), auditor::run));
    crew.spawn(supervise("janitor", of(house), janitor::run));
    crew
}

/// Runs a worker for ever: one that panics is told of and starts again.
async fn supervise<F>(name: &'static str, house: House, worker: impl Fn(House) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut alone = JoinSet::new();
        alone.spawn(worker(house.clone()));
        if let Some(Err(error)) = alone.join_next().await {
            if error.is_cancelled() {
                return;
            }
            tracing::error!(worker = name, "a worker panicked and is started again; please report this");
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Between an error and the next try: long enough not to flood the log, short enough to be in time.
const BREATH: Duration = Duration::from_millis(200);

/// The longest a worker sleeps without looking.
const fn safety_poll() -> Duration {
    Duration::from_millis(limits::SAFETY_POLL.0.unsigned_abs() / 1_000)
}
