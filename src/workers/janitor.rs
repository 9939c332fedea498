//! Throws away what nobody can ask for any more.

use std::time::Duration;

use crate::flows::House;
use crate::flows::{audit, once};

const EVERY: Duration = Duration::from_mins(1);

pub(super) async fn run(house: House) {
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = audit::forget_answers(&house).await {
            tracing::error!(%error, "old answers could not be thrown away");
        }
        if let Err(error) = once::forget(&house).await {
            tracing::error!(%error, "old request keys could not be thrown away");
        }
    }
}
