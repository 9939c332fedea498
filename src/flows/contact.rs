//! A contact is closed to us by its owner or its provider, and opened again.

use super::house::House;
use super::once::{self, Once};
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
    act::retrying(|| close_in_one(house, closed, actor, None)).await
}

/// The same, once and never again: what was opened since stays open.
///
/// # Errors
/// The store's.
pub async fn close_once(house: &House, closed: &ClosedContact, actor: &Actor, once: &Once) -> Result<(), FlowError> {
    act::retrying(|| close_in_one(house, closed, actor, Some(once))).await
}

async fn close_in_one(house: &House, closed: &ClosedContact, actor: &Actor, once: Option<&Once>) -> Result<(), FlowError> {
    let now = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Page).await?;
    if once::done_before::<bool>(&mut tx, once).await?.is_some() {
        return Ok(());
    }
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
    once::mark(&mut tx, once, &true).await?;
    tx.commit().await?;
    tracing::warn!(user = %closed.user, contact = %closed.contact, reason = %closed.reason, "a contact is closed to us");
    save::ring(house, &facts, &[]);
    Ok(())
}

/// Opens every contact with this address again, once for each text that asks for it. `false`: none was closed.
///
/// # Errors
/// The store's.
pub async fn open(house: &House, address: &str, text: &str) -> Result<bool, FlowError> {
    let once = Once::told(house, "start", text, address)?;
    act::retrying(|| async {
        let mut tx = house.store.begin(WriteLane::Page).await?;
        if let Some(opened) = once::done_before(&mut tx, Some(&once)).await? {
            return Ok(opened);
        }
        let opened = store::contact_open(&mut tx, address).await?;
        once::mark(&mut tx, Some(&once), &opened).await?;
        tx.commit().await?;
        Ok(opened)
    })
    .await
}
