//! Carries effects out of the house, one courier for each lane: no lane waits for another.

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{BREATH, safety_poll};
use crate::base::limits;
use crate::flows::House;
use crate::flows::deliver;
use crate::flows::deliver::Lane;

/// Runs until it is told to stop; what has left by then is seen to its end, so that its outcome is not unknown at the next start.
pub(super) async fn run(house: House, lane: Lane, mut stopping: watch::Receiver<bool>) {
    let bell = deliver::bell(&house, lane).clone();
    let mut under_way: JoinSet<()> = JoinSet::new();
    while !*stopping.borrow_and_update() {
        while under_way.try_join_next().is_some() {}
        let free = limits::SENDS - i64::try_from(under_way.len()).unwrap_or(i64::MAX);
        let mut claimed = deliver::handed(&house, lane, free);
        // Else what was handed over would have to wait for a look at the outbox; what is due there is looked for below.
        if claimed.is_empty() {
            claimed = match deliver::claim(&house, lane, free).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::error!(%error, lane = lane.name(), "due effects cannot be claimed");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
        }
        let full = claimed.len() == usize::try_from(free).unwrap_or(0);
        for row in claimed {
            let house = house.clone();
            under_way.spawn(async move {
                if let Err(error) = deliver::deliver(&house, &row).await {
                    tracing::error!(%error, effect = %row.id, "an effect could not be carried out; it is claimed again when its lease has passed");
                }
            });
        }
        if full {
            tokio::select! {
                _ = under_way.join_next() => {}
                _ = stopping.changed() => {}
            }
            continue;
        }
        let next = deliver::next_due(&house, lane).await.unwrap_or_else(|error| {
            tracing::error!(%error, lane = lane.name(), "the next effect cannot be read");
            None
        });
        tokio::select! {
            () = bell.heard() => {}
            () = async { match next { Some(at) => house.clock.sleep_until(at).await, None => std::future::pending().await } } => {}
            () = tokio::time::sleep(safety_poll()) => {}
            _ = stopping.changed() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}
