//! Pages by word alone while nothing can be written: see [`crate::flows::shout`].

use super::safety_poll;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::flows::House;
use crate::flows::shout;

/// So long without a write that found no room, and the disk is well again.
const WELL_AFTER: Span = Span::seconds(10);

pub(super) async fn run(house: House) {
    let mut trouble: Option<(Time, Time)> = None;
    loop {
        let rung = tokio::select! {
            () = shout::bell(&house).heard() => true,
            // Somebody has to tell what no courier came for.
            () = tokio::time::sleep(safety_poll()), if !house.shouts.is_empty() => false,
        };
        let now = house.clock.now();
        if rung {
            let since = trouble.filter(|(_, last)| now.since(*last) < WELL_AFTER).map_or(now, |(since, _)| since);
            trouble = Some((since, now));
            match shout::shout(&house, since).await {
                Ok(0) => {}
                Ok(left) => tracing::error!(left, "nothing can be written to the disk: pages leave without a record. Make room now"),
                Err(error) => {
                    tracing::error!(%error, "nothing can be written to the disk, and what is due cannot be decided. Make room now");
                }
            }
        } else if let Err(error) = shout::tell(&house).await {
            tracing::warn!(%error, "pages that left without a record cannot be told of yet");
        }
        tokio::time::sleep(limits::SHOUT_EVERY.as_duration()).await;
    }
}
