//! A wake-up is due: an incident's policy goes on, or a person's telephone is looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::house::House;
use super::{FlowError, act, inhibition, save, silence};
use crate::base::failpoint;
use crate::base::id::UserId;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::decide::{Decision, Moment, SetTimer, State, decide};
use crate::domain::effect::Effect;
use crate::domain::fact::Fact;
use crate::domain::input::{Input, Scope, Timer};
use crate::domain::person::Person;
use crate::store::{self, OutboxRow, Tx, WriteLane};

/// Wake-ups that are due, earliest first.
///
/// # Errors
/// The store's.
pub async fn due(house: &House, most: i64) -> Result<Vec<(Scope, Timer)>, FlowError> {
    let due = store::wakes_due(&house.store.page_reader(), house.clock.now(), most).await?;
    Ok(due.into_iter().map(|(scope, timer, _)| (scope, timer)).collect())
}

/// When the next wake-up is due.
///
/// # Errors
/// The store's.
pub async fn next_due(house: &House) -> Result<Option<Time>, FlowError> {
    Ok(store::wake_next_due(&house.store.page_reader()).await?)
}

/// Carries out one wake-up. It does nothing when another process was quicker.
///
/// # Errors
/// The store's; the wake-up is still there then.
pub async fn wake(house: &House, scope: &Scope, timer: Timer) -> Result<(), FlowError> {
    let (own, of) = (house.clone(), scope.clone());
    // In a task of its own: one decision that panics must not take the others along.
    let woken = tokio::spawn(async move { act::retrying(|| once(&own, &of, timer)).await }).await;
    let outcome = woken.map_err(|error| FlowError::of_task(&error, "a wake-up")).flatten();
    if let Err(error) = &outcome
        && !error.is_retryable()
        && !error.is_passing()
    {
        // What fails again and again must not stand before what is due later.
        let now = house.clock.now();
        store::wake_put_off(&house.store, scope, timer, now, now + limits::LEASE).await?;
    }
    outcome
}

async fn once(house: &House, scope: &Scope, timer: Timer) -> Result<(), FlowError> {
    let lane = match scope {
        Scope::Incident(_) | Scope::Person(_) => WriteLane::Page,
        // Many alerts in many pieces: a page comes first.
        Scope::Silence(_) => WriteLane::Intake,
    };
    let mut tx = house.store.begin(lane).await?;
    let Some(ring) = carry_out(house, &mut tx, scope, timer).await? else { return Ok(()) };
    failpoint::reach(match scope {
        Scope::Incident(_) => "wake.before_commit",
        Scope::Person(_) => "attend.before_commit",
        Scope::Silence(_) => "cover.before_commit",
    });
    tx.commit().await?;
    failpoint::reach(match scope {
        Scope::Incident(_) => "wake.committed",
        Scope::Person(_) => "attend.committed",
        Scope::Silence(_) => "cover.committed",
    });
    ring(house);
    Ok(())
}

/// Rings for what was saved, once it is committed.
type Ring = Box<dyn FnOnce(&House) + Send>;

/// Takes a wake-up, decides and saves what follows, all but the commit. `None`: another process was quicker.
pub(super) async fn carry_out(house: &House, tx: &mut Tx, scope: &Scope, timer: Timer) -> Result<Option<Ring>, FlowError> {
    if let Scope::Silence(_) = scope {
        // What is being decided without knowing that it begins or ends is waited for.
        store::silences_lock(tx).await?;
    }
    // The wake-up is taken before anything is read: what comes later brings a wake-up of its own.
    if !store::wake_take(tx, scope, timer, house.clock.now()).await? {
        return Ok(None);
    }
    failpoint::reach(match scope {
        Scope::Incident(_) => "wake.taken",
        Scope::Person(_) => "attend.taken",
        Scope::Silence(_) => "cover.taken",
    });
    let input = Input::Wake { scope: scope.clone(), timer };
    match scope {
        Scope::Incident(id) => {
            let Some(desk) = store::desk_load_incident(tx, id).await? else { return Ok(Some(Box::new(|_| {}))) };
            let (_, ring) = act::save_decision(house, tx, desk, input).await?;
            Ok(Some(Box::new(ring)))
        }
        Scope::Person(user) => {
            let person = store::person_load(tx, user).await?;
            Ok(Some(Box::new(decide_on_person(house, tx, person, user, &input).await?)))
        }
        Scope::Silence(_) if inhibition::is_look(scope) => Ok(Some(Box::new(inhibition::cover(house, tx).await?))),
        Scope::Silence(id) => Ok(Some(Box::new(silence::cover(house, tx, id).await?))),
    }
}

/// Decides on a loaded person and saves what follows, all but the commit.
pub(super) async fn decide_on_person(
    house: &House,
    tx: &mut Tx,
    before: Person,
    user: &UserId,
    input: &Input,
) -> Result<impl FnOnce(&House) + Send + use<>, FlowError> {
    let Attended { facts, effects, timers, .. } = decide_and_save(house, tx, before, user, input, |_| None).await?;
    store::facts_append(tx, &facts).await?;
    Ok(move |house: &House| {
        save::ring(house, &facts, &timers);
        save::ring_effects(house, &effects);
    })
}

/// What was decided on people, and saved but for its facts.
#[derive(Default)]
pub(super) struct Attended {
    pub facts: Vec<Fact>,
    pub effects: Vec<Effect>,
    pub timers: Vec<SetTimer>,
    /// Of the effects, those claimed by this process.
    pub claimed: Vec<OutboxRow>,
}

/// Decides on the people whom these timers wake now, in the very transaction that opened their pages, and takes their timers away. That
/// spares a page one transaction on its way. Where others write at the same time people are only nudged: who holds an incident waits for
/// no person.
pub(super) async fn attend_now(house: &House, tx: &mut Tx, timers: &mut Vec<SetTimer>, at: Time) -> Result<Attended, FlowError> {
    let mut all = Attended::default();
    if !tx.is_sole_writer() {
        return Ok(all);
    }
    let wakes = |set: &SetTimer| match &set.scope {
        Scope::Person(user) if set.timer == Timer::Attend && set.due_at.is_some_and(|due_at| due_at <= at) => Some(user.clone()),
        Scope::Person(_) | Scope::Incident(_) | Scope::Silence(_) => None,
    };
    let claims = |effect: &Effect| match effect {
        Effect::PlacePage { .. } if effect.due_at() <= at && house.handed.has_room() => Some(house.owner.clone()),
        Effect::PlacePage { .. } | Effect::AskProvider { .. } | Effect::EndCall { .. } => None,
    };
    let mut people: BTreeSet<UserId> = timers.iter().filter_map(wakes).collect();
    // Who comes after these is woken beside them.
    people = people.into_iter().take(limits::ATTENDED_AT_ONCE).collect();
    timers.retain(|set| wakes(set).is_none_or(|user| !people.contains(&user)));
    for user in people {
        let person = store::person_load(tx, &user).await?;
        failpoint::reach("attend.taken");
        let input = Input::Wake { scope: Scope::Person(user.clone()), timer: Timer::Attend };
        let attended = decide_and_save(house, tx, person, &user, &input, claims).await?;
        all.facts.extend(attended.facts);
        all.effects.extend(attended.effects);
        all.timers.extend(attended.timers);
        all.claimed.extend(attended.claimed);
    }
    Ok(all)
}

async fn decide_and_save(
    house: &House,
    tx: &mut Tx,
    before: Person,
    user: &UserId,
    input: &Input,
    claims: impl Fn(&Effect) -> Option<Arc<str>>,
) -> Result<Attended, FlowError> {
    let mut claimed = Vec::new();
    let live = house.now_live();
    let at = house.clock.now();
    let Decision { state, facts, effects, timers, .. } = decide(State::Person(before.clone()), input, &live.setup, &mut Moment::fresh(at));
    match state {
        State::Person(after) => {
            claimed = save::effects(tx, &after, &effects, at, claims).await?;
            store::person_save(tx, &before, &after).await?;
        }
        State::Desk(_) => tracing::error!(%user, "a person's decision gave no person"),
    }
    save::timers(tx, &timers).await?;
    Ok(Attended { facts, effects, timers, claimed })
}
