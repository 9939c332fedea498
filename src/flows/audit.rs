//! The promise that no open incident is silent, checked in production: what is found silent is reported and woken.

use super::FlowError;
use super::house::House;
use crate::domain::decide::SetTimer;
use crate::domain::input::{Scope, Timer};
use crate::store::WriteLane;

/// Looks for open, unanswered incidents and wanted pages without a wake-up or an effect on its way, and wakes them. The number found:
/// anything but zero is a fault of ours.
///
/// # Errors
/// The store's.
pub async fn audit(house: &House) -> Result<usize, FlowError> {
    let silent = house.store.reader().audit_silent().await?;
    if silent.is_empty() {
        return Ok(0);
    }
    let due_at = Some(house.clock.now());
    let mut tx = house.store.begin(WriteLane::Page).await?;
    for id in &silent {
        tracing::error!(incident = %id, "an open incident was silent: nothing was planned for it. It is escalated now; please report this");
        tx.wake_set(&SetTimer { scope: Scope::Incident(id.clone()), timer: Timer::Escalate, due_at }).await?;
    }
    tx.commit().await?;
    house.bells.wakes.ring();
    Ok(silent.len())
}
