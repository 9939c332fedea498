//! Waits for the beats of all heartbeats. One watchman per database: the lease is taken over when its holder is gone.

use super::{BREATH, safety_poll};
use crate::base::clock::Stopwatch;
use crate::base::limits;
use crate::flows::House;
use crate::flows::beat::{self, Watch};

pub(super) async fn run(house: House) {
    let mut live = house.live.clone();
    let mut held: Option<Stopwatch> = None;
    loop {
        if !beat::any(&house) {
            held = None;
            if live.changed().await.is_err() {
                return;
            }
            continue;
        }
        match watch(&house, &mut held).await {
            Ok(true) => {}
            Ok(false) => {
                tokio::time::sleep(safety_poll()).await;
                continue;
            }
            Err(error) => {
                tracing::error!(%error, "the watch over the heartbeats cannot be held");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        }
        let next = match beat::judge(&house).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "heartbeats cannot be judged; it is tried again");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        tokio::select! {
            _ = live.changed() => {}
            () = async { match next { Some(at) => house.clock.sleep_until(at).await, None => std::future::pending().await } } => {}
            () = tokio::time::sleep(safety_poll()) => {}
        }
    }
}

/// Whether this process may judge.
async fn watch(house: &House, held: &mut Option<Stopwatch>) -> Result<bool, crate::flows::FlowError> {
    if held.is_some_and(|held| held.passed() < limits::LEASE_RENEW) {
        return Ok(true);
    }
    let asked = Stopwatch::start();
    *held = None;
    match beat::hold_watch(house).await? {
        Watch::Held => {}
        Watch::HeldAfterGap => beat::excuse(house).await?,
        Watch::Elsewhere => return Ok(false),
    }
    *held = Some(asked);
    Ok(true)
}
