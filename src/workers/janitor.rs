//! Throws away what nobody can ask for any more, and what the operator does not want kept.

use std::time::Duration;

use crate::flows::House;
use crate::flows::{once, retain};

const EVERY: Duration = Duration::from_mins(1);
/// When a round ended with more to throw away.
const SOON: Duration = Duration::from_secs(1);

pub(super) async fn run(house: House) {
    let mut wait = EVERY;
    loop {
        tokio::time::sleep(wait).await;
        wait = match retain::tidy(&house).await {
            Ok(true) => SOON,
            Ok(false) => EVERY,
            Err(error) => {
                tracing::error!(%error, "what is over could not be thrown away; it is tried again");
                EVERY
            }
        };
        if let Err(error) = once::forget(&house).await {
            tracing::error!(%error, "old request keys could not be thrown away");
        }
    }
}
