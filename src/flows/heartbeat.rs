//! The outside dead man's switch: whoever keeps it hears of us only while a page that came now would leave.

use super::house::House;
use crate::base::limits;
use crate::store;

/// Why a page that came now might not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwell {
    #[error("the courier of pages has not looked for work for {0}")]
    Courier(crate::base::time::Span),
    #[error("nothing can be written to the database: {0}")]
    Database(String),
    #[error("a wake-up has been due for {0}")]
    Wakes(crate::base::time::Span),
    #[error("an effect of the page lane has been due for {0}")]
    Outbox(crate::base::time::Span),
}

/// Whether a page that came now would leave.
///
/// # Errors
/// What is in its way.
pub async fn examine(house: &House) -> Result<(), Unwell> {
    let now = house.clock.now();
    let silent = house.page_lane.age(now);
    if silent > limits::PAGE_LANE_SILENT {
        return Err(Unwell::Courier(silent));
    }
    let database = |error: store::StoreError| Unwell::Database(error.to_string());
    store::proof_of_writing(&house.store, &house.owner).await.map_err(database)?;
    let reader = house.store.page_reader();
    if let Some(due_at) = store::wake_next_due(&reader).await.map_err(database)?
        && now.since(due_at) > limits::OVERDUE
    {
        return Err(Unwell::Wakes(now.since(due_at)));
    }
    // What a dead courier still holds is not in it: its lease passes within seconds, and then it is.
    if let Some(due_at) = store::outbox_next_due(&reader, super::deliver::Lane::Page).await.map_err(database)?
        && now.since(due_at) > limits::OVERDUE
    {
        return Err(Unwell::Outbox(now.since(due_at)));
    }
    Ok(())
}

/// Asks for the configured address if all is well; `None` where there is none, or something is not.
pub async fn beat(house: &House) -> Option<()> {
    let live = house.now_live();
    let heartbeat = live.heartbeat.as_ref()?;
    match examine(house).await {
        Ok(()) => match heartbeat.beat().await {
            Ok(()) => Some(()),
            Err(error) => {
                tracing::warn!(%error, "the outside dead man's switch (heartbeat_url) cannot be reached");
                None
            }
        },
        Err(unwell) => {
            tracing::error!(%unwell, "pages might not leave, so the outside dead man's switch (heartbeat_url) is left to raise the alarm");
            None
        }
    }
}
