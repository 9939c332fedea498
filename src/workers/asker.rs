//! Asks people quietly what the facts ask. It has no part in paging.

use super::{BREATH, safety_poll};
use crate::flows::{House, ask};

pub(super) async fn run(house: House) {
    let mut seen = 0;
    loop {
        match ask::round(&house, &mut seen).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "what people have to be asked cannot be told; it is tried again");
                tokio::time::sleep(BREATH).await;
            }
        }
        tokio::select! {
            () = house.bells.questions.heard() => {}
            () = tokio::time::sleep(safety_poll()) => {}
        }
    }
}
