//! Ends alerts whose time is over, and lays maintenance ahead. One sweeper per database: the lease is taken over when its holder is gone.

use super::{BREATH, safety_poll};
use crate::flows::House;
use crate::flows::expire;
use crate::flows::maintenance::{self, Laid};

pub(super) async fn run(house: House) {
    let mut laid = Laid::default();
    loop {
        let swept = match expire::hold_lease(&house).await {
            Ok(true) => match maintenance::lay(&house, &mut laid).await {
                Ok(()) => expire::sweep(&house).await,
                Err(error) => {
                    // What waits to be called for does not wait for it.
                    let swept = expire::sweep(&house).await;
                    swept.and(Err(error))
                }
            },
            Ok(false) => Ok(0),
            Err(error) => Err(error),
        };
        match swept {
            Ok(0) => tokio::time::sleep(safety_poll()).await,
            Ok(_) => tokio::time::sleep(BREATH).await,
            Err(error) => {
                tracing::error!(%error, "alerts whose time is over could not be ended; it is tried again");
                tokio::time::sleep(safety_poll()).await;
            }
        }
    }
}
