//! A person asks for something: acknowledge, resolve, escalate, reopen.

use std::collections::BTreeSet;

use super::house::House;
use super::once::{self, Once};
use super::{FlowError, save};
use crate::base::failpoint;
use crate::base::id::IncidentId;
use crate::base::limits;
use crate::domain::decide::{Decision, Desk, Moment, State, Verdict, Wanted, decide};
use crate::domain::fact::{Fact, What};
use crate::domain::input::{Act, Actor, Command, Declare, Input, Via};
use crate::domain::reason::Reason;
use crate::domain::setup::ContactKind;
use crate::store::{self, StoreError, Tx, WriteLane};

/// Carries out one command on one incident.
///
/// # Errors
/// The store's, and [`FlowError::Missing`] when there is no such incident.
pub async fn act(house: &House, command: Command) -> Result<Verdict, FlowError> {
    act_once(house, command, None).await
}

/// Carries out one command on one incident; for a request that carries a key, once and never again.
///
/// # Errors
/// As [`act`].
pub async fn act_once(house: &House, command: Command, once: Option<Once>) -> Result<Verdict, FlowError> {
    let house = house.clone();
    // In a task of its own: a client that goes away must not leave a transaction half done.
    tokio::spawn(async move { retrying(|| decide_once(&house, &command.incident, Input::Command(command.clone()), once.as_ref())).await })
        .await
        .map_err(|_| FlowError::Gone)?
}

/// A person says that there is an incident. The verdict names it.
///
/// # Errors
/// [`FlowError::Missing`] for a service or an alert that there is not, [`FlowError::Refused`] without a title, and the store's.
pub async fn declare(house: &House, declare: Declare) -> Result<Verdict, FlowError> {
    declare_once(house, declare, None).await
}

/// The same; for a request that carries a key, once and never again.
///
/// # Errors
/// As [`declare`].
pub async fn declare_once(house: &House, declare: Declare, once: Option<Once>) -> Result<Verdict, FlowError> {
    let mut declare = declare;
    declare.title = declare.title.trim().chars().take(limits::TITLE_CHARS).collect();
    if declare.title.is_empty() && declare.alert.is_none() {
        return Err(FlowError::Refused("An incident needs a title."));
    }
    let house = house.clone();
    let verdict = tokio::spawn(async move { retrying(|| declare_in_one(&house, declare.clone(), once.as_ref())).await })
        .await
        .map_err(|error| FlowError::of_task(&error, "a declaration"))??;
    if verdict.reason == Reason::NoSuchService {
        return Err(FlowError::Missing("such service"));
    }
    if verdict.reason == Reason::NoSuchAlert {
        return Err(FlowError::Missing("such alert"));
    }
    Ok(verdict)
}

async fn declare_in_one(house: &House, declare: Declare, once: Option<&Once>) -> Result<Verdict, FlowError> {
    let key = match &declare.alert {
        Some(alert) => Some(store::alert_key(&house.store.page_reader(), alert).await?.ok_or(FlowError::Missing("such alert"))?),
        None => None,
    };
    let mut tx = house.store.begin(WriteLane::Page).await?;
    if let Some(verdict) = once::done_before(&mut tx, once).await? {
        return Ok(verdict);
    }
    let before = match key {
        Some((key, service)) => {
            // The folder locks the service that the integration belongs to now.
            let live = house.now_live();
            let now_of = live.setup.integrations.get(&key.integration).map(|integration| integration.service.clone());
            let services = now_of.into_iter().chain([service]).collect();
            store::desk_load(&mut tx, &BTreeSet::from([key]), &services, |_| Wanted::default()).await?
        }
        None => Desk::default(),
    };
    let (verdict, ring) = save_decision(house, &mut tx, before, Input::Declare(declare)).await?;
    once::mark(&mut tx, once, &verdict).await?;
    failpoint::reach("act.before_commit");
    tx.commit().await?;
    failpoint::reach("act.committed");
    ring(house);
    Ok(verdict)
}

/// Tries a short transaction again when it only lost a race for a lock.
pub(super) async fn retrying<T, F: Future<Output = Result<T, FlowError>>>(flow: impl Fn() -> F) -> Result<T, FlowError> {
    let mut tries = 0;
    loop {
        match flow().await {
            Err(error) if error.is_retryable() && tries < 3 => tries += 1,
            outcome => return outcome,
        }
    }
}

/// One decision on one incident, saved.
pub(super) async fn decide_on_incident(house: &House, id: &IncidentId, input: Input) -> Result<Verdict, FlowError> {
    decide_once(house, id, input, None).await
}

/// The same, once and never again.
pub(super) async fn decide_once(house: &House, id: &IncidentId, input: Input, once: Option<&Once>) -> Result<Verdict, FlowError> {
    let mut tx = house.store.begin(WriteLane::Page).await?;
    if let Some(verdict) = once::done_before(&mut tx, once).await? {
        return Ok(verdict);
    }
    let act = if let Input::Command(command) = &input { Some(&command.act) } else { None };
    let before = desk_of(&mut tx, id, act).await?.ok_or(FlowError::Missing("such incident"))?;
    if let Input::Command(command) = &input {
        prove(&mut tx, command).await?;
    }
    let (verdict, ring) = save_decision(house, &mut tx, before, input).await?;
    once::mark(&mut tx, once, &verdict).await?;
    failpoint::reach("act.before_commit");
    tx.commit().await?;
    failpoint::reach("act.committed");
    ring(house);
    Ok(verdict)
}

/// What a command on this incident has to see, locked.
async fn desk_of(tx: &mut Tx, id: &IncidentId, act: Option<&Act>) -> Result<Option<Desk>, StoreError> {
    let mut desk = match act {
        Some(Act::Merge { into }) => return store::desk_load_two(tx, id, into).await,
        Some(Act::Split { alerts, .. }) => {
            let (keys, mut services) = store::alerts_keys(tx, alerts).await?;
            let Some(found) = store::incident_service(tx, id).await? else { return Ok(None) };
            services.insert(found);
            let mut desk = store::desk_load(tx, &keys, &services, |_| Wanted::default()).await?;
            if !desk.incidents.contains_key(id) {
                // None of these alerts is its own; that is for the decision to say.
                let Some(alone) = store::desk_load_incident(tx, id).await? else { return Ok(None) };
                desk.incidents.extend(alone.incidents);
            }
            return Ok(Some(desk));
        }
        Some(_) | None => match store::desk_load_incident(tx, id).await? {
            Some(desk) => desk,
            None => return Ok(None),
        },
    };
    if act.is_some_and(Act::is_about_tasks) {
        desk.tasks = store::tasks_load(tx, id).await?;
    }
    if act == Some(&Act::Unmerge) {
        desk.holding = store::alerts_holding_of(tx, &desk.incidents.keys().cloned().collect()).await?;
    }
    Ok(Some(desk))
}

/// Whoever answers a page through a contact proves that it leads to them.
async fn prove(tx: &mut Tx, command: &Command) -> Result<(), StoreError> {
    match (&command.via, &command.actor) {
        (Via::Phone(attempt) | Via::Message(attempt), _) => store::attempt_answered(tx, attempt).await,
        (Via::Slack, Actor::User(user)) => store::attempts_answered_by(tx, user, ContactKind::SlackDm, &command.incident).await,
        (Via::Slack | Via::Web | Via::Api, _) => Ok(()),
    }
}

/// Decides on a loaded desk and saves what follows, all but the commit.
pub(super) async fn save_decision(
    house: &House,
    tx: &mut Tx,
    before: Desk,
    input: Input,
) -> Result<(Verdict, impl FnOnce(&House) + Send + use<>), FlowError> {
    let live = house.now_live();
    let mut moment = Moment::fresh(house.clock.now());
    let Decision { state, facts, timers, verdict, .. } = decide(State::Desk(before.clone()), &input, &live.setup, &mut moment);
    if let State::Desk(mut after) = state {
        store::desk_save(tx, &before, &mut after, &facts).await?;
    }
    save::timers(tx, &timers).await?;
    store::facts_append(tx, &facts).await?;
    Ok((verdict, move |house: &House| save::ring(house, &facts, &timers)))
}

/// Puts a fact of the house's own on one incident's timeline.
pub(super) async fn record(house: &House, id: &IncidentId, what: What) -> Result<(), FlowError> {
    retrying(|| record_once(house, id, what.clone())).await
}

async fn record_once(house: &House, id: &IncidentId, what: What) -> Result<(), FlowError> {
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    let Some(before) = store::desk_load_incident(&mut tx, id).await? else { return Ok(()) };
    let fact = Fact { incident: id.clone(), at: house.clock.now(), actor: Actor::Reveille, what };
    let mut after = before.clone();
    if let Some(incident) = after.incidents.get_mut(id) {
        incident.fold(&fact);
    }
    let facts = [fact];
    store::desk_save(&mut tx, &before, &mut after, &facts).await?;
    store::facts_append(&mut tx, &facts).await?;
    tx.commit().await?;
    save::ring(house, &facts, &[]);
    Ok(())
}
