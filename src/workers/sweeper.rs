//! Ends alerts whose time is over. One sweeper per database: the lease is taken over when its holder is gone.

use super::{BREATH, safety_poll};
use crate::flows::House;
use crate::flows::expire;

pub(super) async fn run(house: House) {
    loop {
        let swept = match expire::hold_lease(&house).await {
            Ok(true) => expire::sweep(&house).await,
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
