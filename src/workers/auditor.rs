//! Checks in service what the tests check before it: no open incident is silent.

use std::time::Duration;

use crate::flows::House;
use crate::flows::audit;

const EVERY: Duration = Duration::from_secs(15);

pub(super) async fn run(house: House) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = audit::audit(&house).await {
            tracing::error!(%error, "the audit could not be made");
        }
    }
}
