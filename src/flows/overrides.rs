//! Somebody takes a schedule for a while, or gives it back.

use super::FlowError;
use super::house::House;
use super::once::{self, Once};
use crate::base::id::{IdSource, OverrideId, ScheduleId, UserId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::Actor;
use crate::store::read::OverrideView;
use crate::store::{self, WriteLane};

/// `user` has `schedule` from `from` until `until`. It is in force in every process within two seconds; a step that has started
/// already keeps the people it found.
///
/// # Errors
/// [`FlowError::Missing`] for a schedule or a user that there is not, [`FlowError::Refused`] for times that make no sense, and the
/// store's.
pub async fn create(
    house: &House,
    actor: &Actor,
    schedule: &ScheduleId,
    user: &UserId,
    from: Time,
    until: Time,
) -> Result<OverrideId, FlowError> {
    create_once(house, actor, Stand { schedule, user, from, until }, None).await
}

/// Who takes what, from when until when.
#[derive(Debug, Clone, Copy)]
pub struct Stand<'a> {
    pub schedule: &'a ScheduleId,
    pub user: &'a UserId,
    pub from: Time,
    pub until: Time,
}

/// The same; for a request that carries a key, once and never again.
///
/// # Errors
/// As [`create`].
pub async fn create_once(house: &House, actor: &Actor, stand: Stand<'_>, once: Option<&Once>) -> Result<OverrideId, FlowError> {
    let Stand { schedule, user, from, until } = stand;
    let (live, now) = (house.now_live(), house.clock.now());
    if !live.setup.schedules.contains_key(schedule) {
        return Err(FlowError::Missing("such schedule"));
    }
    if !live.setup.users.contains_key(user) {
        return Err(FlowError::Missing("such user"));
    }
    if from >= until {
        return Err(FlowError::Refused("An override has to end after it begins."));
    }
    if until <= now {
        return Err(FlowError::Refused("That time has passed, and an override changes nothing that was."));
    }
    if until.since(from) > limits::OVERRIDE_LONGEST {
        return Err(FlowError::Refused("An override lasts 92 days at most; change the rotation for longer."));
    }
    if from.since(now) > limits::OVERRIDE_AHEAD {
        return Err(FlowError::Refused("An override begins within a year."));
    }
    let id = OverrideId::make(&mut IdSource::fresh(now));
    let new = OverrideView {
        id: id.clone(),
        schedule: schedule.clone(),
        user: user.clone(),
        from,
        until,
        created_at: now,
        created_by: actor.clone(),
    };
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    if let Some(id) = once::done_before(&mut tx, once).await? {
        return Ok(id);
    }
    store::override_create(&mut tx, &new).await?;
    once::mark(&mut tx, once, &id).await?;
    if store::overrides_count(&mut tx, now).await? > limits::OVERRIDES {
        return Err(FlowError::Refused("There are too many overrides; remove some that are not needed."));
    }
    tx.commit().await?;
    tracing::info!(actor = actor.text(), %schedule, %user, %from, %until, "an override was made");
    Ok(id)
}

/// The rotation counts again.
///
/// # Errors
/// [`FlowError::Missing`] when there is no such override any more, and the store's.
pub async fn remove(house: &House, actor: &Actor, id: &OverrideId) -> Result<(), FlowError> {
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    if !store::override_remove(&mut tx, id, house.clock.now()).await? {
        return Err(FlowError::Missing("such override"));
    }
    tx.commit().await?;
    tracing::info!(actor = actor.text(), %id, "an override was removed");
    Ok(())
}
