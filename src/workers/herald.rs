//! Tells Slack what happened. It has no part in paging: whatever Slack does, nothing but this waits for it.

use tokio::task::JoinSet;

use super::{BREATH, safety_poll};
use crate::base::limits;
use crate::flows::House;
use crate::flows::announce;

pub(super) async fn run(house: House) {
    let mut under_way: JoinSet<()> = JoinSet::new();
    loop {
        while under_way.try_join_next().is_some() {}
        let free = usize::try_from(limits::SLACK_AT_ONCE).unwrap_or(1).saturating_sub(under_way.len());
        let claimed = match claim(&house, free).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::error!(%error, "what Slack has to be told cannot be read");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let found = claimed.len();
        for follower in claimed {
            let house = house.clone();
            under_way.spawn(async move {
                if let Err(error) = announce::tell(&house, follower).await {
                    tracing::error!(%error, "Slack could not be told; it is tried again when the lease has passed");
                }
                // There may be more for this one by now, and there is room for another.
                house.bells.chat.ring();
            });
        }
        if found > 0 {
            continue;
        }
        let next = announce::next_due(&house).await.unwrap_or_else(|error| {
            tracing::error!(%error, "when Slack has to be told next cannot be read");
            None
        });
        tokio::select! {
            () = house.bells.chat.heard() => {}
            // One that is due already is another process's, or there is no room for it yet.
            () = async { match next { Some(at) if at > house.clock.now() => house.clock.sleep_until(at).await, Some(_) | None => std::future::pending().await } } => {}
            () = tokio::time::sleep(safety_poll()) => {}
        }
    }
}

async fn claim(house: &House, most: usize) -> Result<Vec<announce::Claimed>, crate::flows::FlowError> {
    announce::begin(house).await?;
    announce::claim(house, most).await
}
