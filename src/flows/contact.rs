//! A contact is closed to us by its owner or its provider, and opened again.

use super::house::House;
use super::{FlowError, act, save};
use crate::domain::fact::{Fact, What};
use crate::domain::input::Actor;
use crate::store::{self, ClosedContact, WriteLane};

/// Closes a contact, and says so on every incident that this person is being paged for. It is passed over from the next look at the
/// setup on.
///
/// # Errors
/// The store's.
pub async fn close(house: &House, closed: &ClosedContact, actor: &Actor) -> Result<(), FlowError> {
    act::retrying(|| close_once(house, closed, actor)).await
}

async fn close_once(house: &House, closed: &ClosedContact, actor: &Actor) -> Result<(), FlowError> {
    let now = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Page).await?;
    let person = store::person_load(&mut tx, &closed.user).await?;
    if !store::contact_close(&mut tx, closed, now).await? {
        return Ok(());
    }
    let wanted = person.pages.iter().filter(|page| page.wanted);
    let facts: Vec<Fact> = wanted
        .map(|page| Fact {
            incident: page.incident.clone(),
            at: now,
            actor: actor.clone(),
            what: What::ContactClosed {
                page: page.id.clone(),
                user: closed.user.clone(),
                contact: closed.contact.clone(),
                reason: closed.reason.clone(),
            },
        })
        .collect();
    store::facts_append(&mut tx, &facts).await?;
    tx.commit().await?;
    tracing::warn!(user = %closed.user, contact = %closed.contact, reason = %closed.reason, "a contact is closed to us");
    save::ring(house, &facts, &[]);
    Ok(())
}

/// Opens every contact with this address again. `false`: none was closed.
///
/// # Errors
/// The store's.
pub async fn open(house: &House, address: &str) -> Result<bool, FlowError> {
    act::retrying(|| async {
        let mut tx = house.store.begin(WriteLane::Page).await?;
        let opened = store::contact_open(&mut tx, address).await?;
        tx.commit().await?;
        Ok(opened)
    })
    .await
}
