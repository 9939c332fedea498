//! Moves SQLite's log into its file while others write.

use crate::base::limits;
use crate::flows::House;
use crate::flows::audit;

pub(super) async fn run(house: House) {
    loop {
        audit::move_log(&house).await;
        tokio::time::sleep(limits::LOG_LOOK.as_duration()).await;
    }
}
