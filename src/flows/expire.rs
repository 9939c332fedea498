//! Alerts whose time is over, by their sender's `endsAt` or by age, are ended; and what alerts were held for is over.

use std::collections::BTreeSet;

use super::house::House;
use super::{FlowError, save};
use crate::base::failpoint;
use crate::base::limits;
use crate::domain::alert::Key;
use crate::domain::decide::{Desk, Moment, State, Wanted, decide};
use crate::domain::fact::coalesce;
use crate::domain::input::{Expiry, Input};
use crate::store::{self, Ending, WriteLane};

/// Ends one batch of each kind; how many alerts it looked at. Zero means that none is due.
///
/// # Errors
/// The store's; what was not ended is found again.
pub async fn sweep(house: &House) -> Result<usize, FlowError> {
    let (live, now, reader) = (house.now_live(), house.clock.now(), house.store.reader());
    // It may call people, so it comes first.
    let mut seen = held(house).await?;
    let mut batches = vec![store::alerts_ended(&reader, now, limits::SWEEP).await?];
    for service in live.setup.services.values() {
        if let Some(after) = service.close_after {
            batches.push(store::alerts_aged(&reader, &service.id, now - after, limits::SWEEP).await?);
        }
    }
    for batch in batches.iter().filter(|batch| !batch.is_empty()) {
        seen += batch.len();
        end(house, batch, expiry_of).await?;
    }
    Ok(seen)
}

/// Decides on one batch of what was held until now; how many alerts it looked at.
async fn held(house: &House) -> Result<usize, FlowError> {
    let now = house.clock.now();
    let batch = store::alerts_held(&house.store.reader(), now, limits::SWEEP).await?;
    if batch.is_empty() {
        return Ok(0);
    }
    match end(house, &batch, held_of).await {
        Ok(()) => {}
        Err(error) if error.is_retryable() || error.is_passing() => return Err(error),
        Err(error) => {
            tracing::error!(%error, "alerts that were held cannot be decided on together; each is tried by itself. Please report this");
            for ending in &batch {
                if let Err(error) = end(house, std::slice::from_ref(ending), held_of).await {
                    // What fails again and again must not stand before what is due later.
                    tracing::error!(alert = %ending.alert, %error, "an alert that was held cannot be decided on; it is tried again");
                    store::alert_held_put_off(&house.store, &ending.alert, now + limits::LEASE).await?;
                }
            }
        }
    }
    Ok(batch.len())
}

fn expiry_of(ending: &Ending) -> Input {
    Input::Expiry(Expiry { key: ending.key.clone(), heard_at: ending.heard_at })
}

fn held_of(ending: &Ending) -> Input {
    Input::Held(ending.key.clone())
}

/// In a task of its own: a decision that panics must not take the others along.
async fn end(house: &House, batch: &[Ending], input: fn(&Ending) -> Input) -> Result<(), FlowError> {
    let (house, batch) = (house.clone(), batch.to_vec());
    tokio::spawn(async move { once(&house, &batch, input).await }).await.map_err(|error| FlowError::of_task(&error, "the end of alerts"))?
}

async fn once(house: &House, batch: &[Ending], input: fn(&Ending) -> Input) -> Result<(), FlowError> {
    let live = house.now_live();
    let keys: BTreeSet<Key> = batch.iter().map(|ending| ending.key.clone()).collect();
    // The folder locks the service that an integration belongs to now, whichever an alert was counted to.
    let now_of = |ending: &Ending| live.setup.integrations.get(&ending.key.integration).map(|integration| integration.service.clone());
    let services = live.setup.with_causes(batch.iter().flat_map(|ending| now_of(ending).into_iter().chain([ending.service.clone()])));
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    let mut moment = Moment::fresh(house.clock.now());
    let before = store::desk_load(&mut tx, &keys, &services, |keys| Wanted::by(&live.setup, &[], keys, moment.at)).await?;
    let mut desk = before.clone();
    let (mut facts, mut timers, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for ending in batch {
        let newest = desk.keys.get(&ending.key).and_then(|state| state.alert.as_ref());
        if newest.is_none_or(|alert| alert.id != ending.alert) {
            gone.push(ending.alert.clone());
            continue;
        }
        let decision = decide(State::Desk(desk), &input(ending), &live.setup, &mut moment);
        desk = match decision.state {
            State::Desk(desk) => desk,
            State::Person(_) => Desk::default(),
        };
        facts.extend(decision.facts);
        timers.extend(decision.timers);
    }
    let facts = coalesce(facts);
    store::desk_save(&mut tx, &before, &mut desk, &facts).await?;
    store::alerts_write_down(&mut tx, &gone, moment.at).await?;
    store::alerts_let_go(&mut tx, &gone).await?;
    save::timers(&mut tx, &timers).await?;
    store::facts_append(&mut tx, &facts).await?;
    failpoint::reach("sweep.before_commit");
    tx.commit().await?;
    failpoint::reach("sweep.committed");
    save::ring(house, &facts, &timers);
    Ok(())
}

/// Holds, or takes over, the lease of the one that ends alerts: two would only do the same twice.
///
/// # Errors
/// The store's.
pub async fn hold_lease(house: &House) -> Result<bool, FlowError> {
    Ok(store::lease_hold(&house.store, "sweeper", &house.owner, limits::LEASE).await?)
}
