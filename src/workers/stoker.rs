//! Keeps the ballast of the disk: made after the start, and again when there is room after it was let go.

use crate::base::limits;
use crate::flows::House;
use crate::flows::audit;

pub(super) async fn run(house: House) {
    loop {
        audit::keep_ballast(&house).await;
        tokio::time::sleep(limits::BALLAST_LOOK.as_duration()).await;
    }
}
