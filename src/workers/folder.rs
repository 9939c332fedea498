//! Folds the journal. One folder per database: the lease is taken over when its holder is gone.

use super::{BREATH, safety_poll};
use crate::base::clock::Stopwatch;
use crate::base::limits;
use crate::flows::House;
use crate::flows::fold;

pub(super) async fn run(house: House) {
    // Since when the lease is held. Asked for before each fold, it would be one more commit on the way of every page.
    let mut held: Option<Stopwatch> = None;
    loop {
        if held.is_none_or(|held| held.passed() >= limits::LEASE_RENEW) {
            let asked = Stopwatch::start();
            held = None;
            match fold::hold_lease(&house).await {
                Ok(true) => held = Some(asked),
                Ok(false) => {
                    tokio::time::sleep(safety_poll()).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "the folder's lease cannot be held");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            }
        }
        match fold::fold(&house).await {
            Ok(0) => {
                tokio::select! {
                    () = house.bells.journal.heard() => {}
                    () = tokio::time::sleep(safety_poll()) => {}
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "the journal could not be folded; it is tried again");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
