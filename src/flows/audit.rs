//! The promise that no open incident is silent, checked in production: what is found silent is reported and woken.

use super::house::House;
use super::{FlowError, inhibition, report, silence};
use crate::base::limits;
use crate::domain::decide::SetTimer;
use crate::domain::input::{News, Scope, Timer};
use crate::store::{self, WriteLane};

/// Looks for open incidents that nothing will wake and for calls that nobody will place, and sets both going. The number
/// found: anything but zero is a fault of ours.
///
/// # Errors
/// The store's.
pub async fn audit(house: &House) -> Result<usize, FlowError> {
    let covered = silence::audit(house).await? + inhibition::audit(house).await?;
    Ok(lost(house).await? + forgotten(house).await? + silent(house).await? + covered + held(house).await?)
}

/// Alerts that were to be looked at a while ago. They are looked at one batch after the other, as soon as anybody sweeps.
async fn held(house: &House) -> Result<usize, FlowError> {
    let late = store::audit_held(&house.store.reader(), house.clock.now() - limits::OVERDUE).await?;
    if late > 0 {
        tracing::error!(alerts = late, "alerts wait to be called for, or to be over, longer than they should; please report this");
    }
    Ok(usize::try_from(late).unwrap_or(0))
}

/// Somebody whose telephone nobody will look at again.
async fn forgotten(house: &House) -> Result<usize, FlowError> {
    let forgotten = store::audit_forgotten(&house.store.reader(), house.clock.now()).await?;
    if forgotten.is_empty() {
        return Ok(0);
    }
    let due_at = Some(house.clock.now());
    let mut tx = house.store.begin(WriteLane::Page).await?;
    for user in &forgotten {
        tracing::error!(%user, "a person's page was forgotten half way. It goes on now; please report this");
        store::wake_set(&mut tx, &SetTimer { scope: Scope::Person(user.clone()), timer: Timer::Attend, due_at }).await?;
    }
    tx.commit().await?;
    house.bells.wakes.ring();
    Ok(forgotten.len())
}

/// A call whose order is gone blocks its person's telephone, so its person is told that it was refused, and goes on.
async fn lost(house: &House) -> Result<usize, FlowError> {
    let lost = store::audit_lost(&house.store.reader(), house.clock.now()).await?;
    for attempt in &lost {
        tracing::error!(%attempt, "a call was decided and its order is gone from the outbox. It is placed anew; please report this");
        let reason = "its order was lost before it left".to_owned();
        report::report(house, attempt, News::Rejected { reason }, None).await?;
    }
    Ok(lost.len())
}

async fn silent(house: &House) -> Result<usize, FlowError> {
    let silent = store::audit_silent(&house.store.reader(), house.clock.now()).await?;
    if silent.is_empty() {
        return Ok(0);
    }
    let due_at = Some(house.clock.now());
    let mut tx = house.store.begin(WriteLane::Page).await?;
    for id in &silent {
        tracing::error!(incident = %id, "an open incident was silent: nothing was planned for it. It is looked at now; please report this");
        // Those that its urgency or its state has no use for do nothing; one that is early sets itself again.
        for timer in [Timer::Escalate, Timer::Remind, Timer::Lapse, Timer::Silence] {
            store::wake_set(&mut tx, &SetTimer { scope: Scope::Incident(id.clone()), timer, due_at }).await?;
        }
    }
    tx.commit().await?;
    house.bells.wakes.ring();
    Ok(silent.len())
}

/// Keeps room on the disk for the night on which it is full. What is wrong with it is told by the log and `/readyz`.
pub async fn keep_ballast(house: &House) {
    if let Err(error) = house.store.keep_ballast().await {
        tracing::warn!(%error, "the ballast of the disk cannot be made");
    }
}

/// Moves SQLite's log into its file while others write.
pub async fn move_log(house: &House) {
    if let Err(error) = store::checkpoint(&house.store).await {
        tracing::warn!(%error, "the database's log cannot be moved into its file; it grows meanwhile");
    }
}
