//! The promise that no open incident is silent, checked in production: what is found silent is reported and woken.

use super::FlowError;
use super::house::House;
use crate::base::limits;
use crate::domain::decide::SetTimer;
use crate::domain::input::{Scope, Timer};
use crate::store::{self, WriteLane};

/// Looks for open, unanswered incidents and wanted pages without a wake-up or an effect on its way, and wakes them. The number found:
/// anything but zero is a fault of ours.
///
/// # Errors
/// The store's.
pub async fn audit(house: &House) -> Result<usize, FlowError> {
    let silent = store::audit_silent(&house.store.reader(), house.clock.now()).await?;
    if silent.is_empty() {
        return Ok(0);
    }
    let due_at = Some(house.clock.now());
    let mut tx = house.store.begin(WriteLane::Page).await?;
    for id in &silent {
        tracing::error!(incident = %id, "an open incident was silent: nothing was planned for it. It is escalated now; please report this");
        store::wake_set(&mut tx, &SetTimer { scope: Scope::Incident(id.clone()), timer: Timer::Escalate, due_at }).await?;
    }
    tx.commit().await?;
    house.bells.wakes.ring();
    Ok(silent.len())
}

/// Forgets the answers that nobody waits for any more.
///
/// # Errors
/// The store's.
pub async fn forget_answers(house: &House) -> Result<(), FlowError> {
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    store::answers_forget(&mut tx, house.clock.now() - limits::ANSWERS_KEPT, 1_000).await?;
    tx.commit().await?;
    Ok(())
}
