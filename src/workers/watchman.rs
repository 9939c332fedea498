//! Waits for the beats of all heartbeats. One watchman per database: the lease is taken over when its holder is gone.

use super::{BREATH, safety_poll};
use crate::base::clock::Stopwatch;
use crate::base::limits;
use crate::base::time::Time;
use crate::flows::House;
use crate::flows::beat::{self, Watch};

/// How this process holds the watch.
struct Hold {
    asked: Option<Stopwatch>,
    /// When this process began to hear beats; only until it has asked for the watch.
    opened_at: Option<Time>,
    /// Until when nobody heard them, for as long as that is not written down.
    absent_until: Option<Time>,
}

/// `opened_at`: when this process began to hear beats. What it takes to come to the watch after that is no absence: a server that is
/// slow to start, and starts often, would put a miss off again and again.
pub(super) async fn run(house: House, opened_at: Time) {
    let mut live = house.live.clone();
    let mut held = Hold { asked: None, opened_at: Some(opened_at), absent_until: None };
    loop {
        if !beat::any(&house) {
            held.asked = None;
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
async fn watch(house: &House, held: &mut Hold) -> Result<bool, crate::flows::FlowError> {
    if held.asked.is_some_and(|asked| asked.passed() < limits::LEASE_RENEW) {
        return Ok(true);
    }
    let asked = Stopwatch::start();
    held.asked = None;
    let watch = beat::hold_watch(house).await?;
    let opened_at = held.opened_at.take();
    match watch {
        Watch::Held => {}
        Watch::HeldAfterGap => held.absent_until = Some(opened_at.unwrap_or_else(|| house.clock.now())),
        Watch::Elsewhere => {
            held.absent_until = None;
            return Ok(false);
        }
    }
    // It stays owed until it is written: the lease is ours already, and the next look would find no gap.
    if let Some(until) = held.absent_until {
        beat::excuse(house, until).await?;
        held.absent_until = None;
    }
    held.asked = Some(asked);
    Ok(true)
}
