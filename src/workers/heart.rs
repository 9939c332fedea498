//! Asks for the operator's outside dead man's switch, while pages can really leave and only then.

use tokio::time::MissedTickBehavior;

use crate::base::limits;
use crate::flows::House;
use crate::flows::heartbeat;

pub(super) async fn run(house: House) {
    // In real time: it is about this machine, not about a decision.
    let mut ticks = tokio::time::interval(limits::HEARTBEAT_EVERY.as_duration());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        heartbeat::beat(&house).await;
    }
}
