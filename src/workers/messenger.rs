//! Tells the outgoing webhooks, each in its own order: one that hangs holds up no other.

use std::collections::BTreeSet;

use tokio::task::JoinSet;

use super::{BREATH, safety_poll};
use crate::flows::House;
use crate::flows::tell;

pub(super) async fn run(house: House) {
    let mut under_way: JoinSet<String> = JoinSet::new();
    let mut busy: BTreeSet<String> = BTreeSet::new();
    let mut settled = None;
    let mut live = house.live.clone();
    loop {
        let version = house.now_live().version;
        if settled != Some(version) {
            match tell::settle_followers(&house).await {
                Ok(()) => settled = Some(version),
                Err(error) => {
                    tracing::warn!(%error, "the webhooks' followers cannot be brought up to date");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            }
        }
        match tell::due(&house).await {
            Ok(due) => {
                for row in due.into_iter().filter(|row| busy.insert(row.name.clone())) {
                    let house = house.clone();
                    under_way.spawn(async move {
                        if let Err(error) = tell::tell(&house, &row.name).await {
                            tracing::warn!(%error, follower = row.name, "a webhook could not be told; it is tried again when its claim has passed");
                            tokio::time::sleep(BREATH).await;
                        }
                        row.name
                    });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the webhooks that are due cannot be read");
                tokio::time::sleep(BREATH).await;
            }
        }
        let next = tell::next_due(&house).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the next webhook cannot be read");
            None
        });
        // One that is due and under way is not waited for by the clock.
        let next = next.filter(|at| *at > house.clock.now());
        tokio::select! {
            Some(done) = under_way.join_next() => match done {
                Ok(name) => { busy.remove(&name); }
                // Which one it was is lost with the panic: all may be claimed again, and their claims keep them apart.
                Err(error) => {
                    tracing::error!(%error, "telling a webhook ended in a panic; please report this");
                    busy.clear();
                }
            },
            () = house.bells.webhooks.heard() => {}
            // A webhook begins with what happens once it is configured, so its follower is made at once.
            Ok(()) = live.changed() => {}
            () = async { match next { Some(at) => house.clock.sleep_until(at).await, None => std::future::pending().await } } => {}
            () = tokio::time::sleep(safety_poll()) => {}
        }
    }
}
