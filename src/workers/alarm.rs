//! Carries out wake-ups when they are due.

use tokio::task::JoinSet;

use super::{BREATH, safety_poll};
use crate::flows::House;
use crate::flows::wake;

/// Wake-ups carried out at once: enough that a slow lock holds up nobody else, few enough for the database's connections.
const AT_ONCE: i64 = 8;

pub(super) async fn run(house: House) {
    loop {
        let due = match wake::due(&house, AT_ONCE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "due wake-ups cannot be read");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        if due.is_empty() {
            let next = wake::next_due(&house).await.unwrap_or_else(|error| {
                tracing::error!(%error, "the next wake-up cannot be read");
                None
            });
            tokio::select! {
                () = house.bells.wakes.heard() => {}
                () = async { match next { Some(at) => house.clock.sleep_until(at).await, None => std::future::pending().await } } => {}
                () = tokio::time::sleep(safety_poll()) => {}
            }
            continue;
        }
        let mut at_work = JoinSet::new();
        for (scope, timer) in due {
            let house = house.clone();
            at_work.spawn(async move {
                let outcome = wake::wake(&house, &scope, timer).await;
                outcome.map_err(|error| tracing::error!(%error, ?scope, timer = timer.name(), "a wake-up failed; it stays due"))
            });
        }
        let mut failed = false;
        while let Some(outcome) = at_work.join_next().await {
            failed |= !matches!(outcome, Ok(Ok(())));
        }
        if failed {
            tokio::time::sleep(BREATH).await;
        }
    }
}
