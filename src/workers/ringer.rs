//! Keeps the bells between processes going. Without it every worker still looks once a second.

use super::BREATH;
use crate::flows::House;
use crate::flows::carry;

pub(super) async fn run(house: House) {
    while let Err(error) = carry::carry(&house).await {
        tracing::warn!(%error, "bells of other processes are not heard; it is tried again");
        tokio::time::sleep(BREATH).await;
    }
}
