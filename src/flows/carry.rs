//! Carries bells between the processes of one database.

use super::FlowError;
use super::house::House;
use crate::base::bell::Bells;
use crate::base::limits;
use crate::store::Ears;

/// Hears and rings until the connection is lost. Returns at once where nobody else can be: on SQLite.
///
/// # Errors
/// The store's; whatever was rung meanwhile is found by looking.
pub async fn carry(house: &House) -> Result<(), FlowError> {
    let Some(mut ears) = Ears::open(&house.store).await? else { return Ok(()) };
    // Both sides may have missed bells until now.
    for (name, bell) in house.bells.shared() {
        bell.ring_here();
        ears.ring(name).await?;
    }
    loop {
        tokio::select! {
            heard = ears.heard() => ring_here(&house.bells, &heard?),
            name = house.bells.rung() => ears.ring(name).await?,
            () = tokio::time::sleep(limits::BELLS_CHECK.as_duration()) => ears.check().await?,
        }
    }
}

fn ring_here(bells: &Bells, name: &str) {
    // A later version may have bells that this one does not know.
    if let Some((_, bell)) = bells.shared().into_iter().find(|(own, _)| *own == name) {
        bell.ring_here();
    }
}
