//! Silences are made, changed and ended; and what they cover is looked at, in pieces, whenever one begins, ends or changes.

use std::collections::{BTreeMap, BTreeSet};

use super::house::House;
use super::once::{self, Once};
use super::{FlowError, act, save};
use crate::base::id::{IdSource, IntegrationId, SilenceId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::alert::{Alert, Key};
use crate::domain::decide::{self, Desk, Moment, SetTimer, State, decide};
use crate::domain::fact::coalesce;
use crate::domain::inhibition;
use crate::domain::input::{Actor, Input, Scope, Timer};
use crate::domain::matcher::Matcher;
use crate::domain::silence::{Silence, SilenceState};
use crate::store::{self, InhibitionPlace, SilencePlace, SilenceRow, Tx, WriteLane};

/// What somebody wants silenced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The silence that this replaces.
    pub id: Option<SilenceId>,
    /// Whose alerts it is about; `None` for all. Whoever asks sees no others' silences either.
    pub integration: Option<IntegrationId>,
    pub matchers: Vec<Matcher>,
    /// What has passed is now.
    pub starts_at: Time,
    pub ends_at: Time,
    pub created_by: String,
    pub comment: String,
    pub annotations: BTreeMap<String, String>,
}

/// Makes a silence, or changes the one it names. One whose matchers or beginning change, or that is over, stays in the list as it was and
/// ends now, and a new one takes its place; its id is the answer.
///
/// # Errors
/// [`FlowError::Missing`] for an id that is not there, [`FlowError::Refused`] for what makes no sense, and the store's.
pub async fn put(house: &House, actor: &Actor, wanted: Wanted, once: Option<&Once>) -> Result<SilenceId, FlowError> {
    check(&wanted, house.clock.now())?;
    let (house, actor, once) = (house.clone(), actor.clone(), once.cloned());
    // In a task of its own: a client that goes away must not leave a transaction half done.
    let put = tokio::spawn(async move { act::retrying(|| put_once(&house, &actor, &wanted, once.as_ref())).await });
    put.await.map_err(|error| FlowError::of_task(&error, "a silence"))?
}

fn check(wanted: &Wanted, now: Time) -> Result<(), FlowError> {
    let refuse = |why| Err(FlowError::Refused(why));
    if wanted.matchers.is_empty() {
        return refuse("A silence needs a matcher, which says what is silenced.");
    }
    if wanted.matchers.len() > limits::MATCHERS {
        return refuse("A silence has too many matchers; write several values as one pattern: instance=~\"db-1|db-2\".");
    }
    if wanted.matchers.iter().all(|matcher| matcher.matches("")) {
        return refuse("Of a silence's matchers at least one must not match an empty text, or it would silence everything.");
    }
    if wanted.starts_at >= wanted.ends_at {
        return refuse("A silence has to end after it begins.");
    }
    if wanted.ends_at <= now {
        return refuse("The end of a silence cannot lie in the past.");
    }
    if wanted.ends_at.since(now) > limits::SILENCE_LONGEST {
        return refuse("A silence ends within a year. What nobody wants to hear of for longer is better not sent.");
    }
    if wanted.created_by.trim().is_empty() {
        return refuse("A silence says who made it.");
    }
    Ok(())
}

async fn put_once(house: &House, actor: &Actor, wanted: &Wanted, once: Option<&Once>) -> Result<SilenceId, FlowError> {
    let now = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Page).await?;
    if let Some(id) = once::done_before(&mut tx, once).await? {
        return Ok(id);
    }
    let mut id = None;
    if let Some(named) = &wanted.id {
        let before = store::silence_change(&mut tx, named).await?;
        let before = before.filter(|row| wanted.integration.is_none() || row.silence.integration == wanted.integration);
        let Some(before) = before else { return Err(FlowError::Missing("such silence")) };
        if may_change(&before.silence, wanted, now) {
            id = Some((before.silence.id.clone(), before.silence.integration));
        } else if before.silence.state(now) != SilenceState::Expired {
            close(&mut tx, before, now).await?;
        }
    }
    let (id, integration, is_new) = match id {
        Some((id, integration)) => (id, integration, false),
        None => (SilenceId::from_text(IdSource::fresh(now).uuid()), wanted.integration.clone(), true),
    };
    if is_new {
        store::silences_lock(&mut tx).await?;
    }
    let short = |text: &str, most: usize| text.trim().chars().take(most).collect::<String>();
    let row = SilenceRow {
        silence: Silence {
            id: id.clone(),
            integration,
            matchers: wanted.matchers.clone(),
            starts_at: if is_new { wanted.starts_at.max(now) } else { wanted.starts_at },
            ends_at: wanted.ends_at,
            created_by: short(&wanted.created_by, limits::SILENCE_NAME_CHARS),
            comment: short(&wanted.comment, limits::SILENCE_COMMENT_CHARS),
            updated_at: now,
        },
        annotations: wanted.annotations.clone(),
        made_by: actor.clone(),
    };
    store::silence_save(&mut tx, &row).await?;
    look_at_once(&mut tx, &id, now).await?;
    if is_new && store::silences_count(&mut tx).await? > limits::SILENCES {
        return Err(FlowError::Refused("There are too many silences; end some that are not needed."));
    }
    once::mark(&mut tx, once, &id).await?;
    tx.commit().await?;
    house.bells.wakes.ring();
    tracing::info!(actor = actor.text(), silence = %id, until = %row.silence.ends_at, "a silence was made or changed");
    Ok(id)
}

/// As Alertmanager has it (`silence.canUpdate`): the matchers are the silence, and what has begun has begun.
fn may_change(before: &Silence, wanted: &Wanted, now: Time) -> bool {
    before.matchers == wanted.matchers
        && match before.state(now) {
            SilenceState::Active => before.starts_at.seconds() == wanted.starts_at.seconds(),
            SilenceState::Pending => wanted.starts_at >= now,
            SilenceState::Expired => false,
        }
}

/// Ends a silence now; one that is over stays as it is. `of` is the integration whose silences the asker sees; `None` sees all.
///
/// # Errors
/// [`FlowError::Missing`] for one that is not there, and the store's.
pub async fn end(house: &House, actor: &Actor, id: &SilenceId, of: Option<&IntegrationId>) -> Result<(), FlowError> {
    let (house, actor, id, of) = (house.clone(), actor.clone(), id.clone(), of.cloned());
    let end = tokio::spawn(async move { act::retrying(|| end_once(&house, &actor, &id, of.as_ref())).await });
    end.await.map_err(|error| FlowError::of_task(&error, "the end of a silence"))?
}

async fn end_once(house: &House, actor: &Actor, id: &SilenceId, of: Option<&IntegrationId>) -> Result<(), FlowError> {
    let now = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Page).await?;
    let row = store::silence_change(&mut tx, id).await?;
    let row = row.filter(|row| of.is_none() || row.silence.integration.as_ref() == of).ok_or(FlowError::Missing("such silence"))?;
    if row.silence.state(now) == SilenceState::Expired {
        return Ok(());
    }
    close(&mut tx, row, now).await?;
    tx.commit().await?;
    house.bells.wakes.ring();
    tracing::info!(actor = actor.text(), silence = %id, "a silence was ended");
    Ok(())
}

pub(super) async fn close(tx: &mut Tx, mut row: SilenceRow, now: Time) -> Result<(), FlowError> {
    row.silence.starts_at = row.silence.starts_at.min(now);
    row.silence.ends_at = now;
    row.silence.updated_at = now;
    store::silence_save(tx, &row).await?;
    look_at_once(tx, &row.silence.id, now).await
}

pub(super) async fn look_at_once(tx: &mut Tx, id: &SilenceId, now: Time) -> Result<(), FlowError> {
    let due_at = Some(now);
    Ok(store::wake_set(tx, &SetTimer { scope: Scope::Silence(id.clone()), timer: Timer::Cover, due_at }).await?)
}

/// A silence's wake-up is due: one piece of the alerts is looked at, and when all are, it sleeps until it begins or ends. All but the
/// commit.
pub(super) async fn cover(house: &House, tx: &mut Tx, id: &SilenceId) -> Result<impl FnOnce(&House) + Send + use<>, FlowError> {
    let now = house.clock.now();
    let mut rung = None;
    if let Some((row, place)) = store::silence_load(tx, id).await? {
        let silence = row.silence;
        let state = silence.state(now);
        // Nothing is covered yet; and what fires is not let go of.
        let place = match (state, place) {
            (SilenceState::Pending, _) => SilencePlace::Done,
            (SilenceState::Expired, SilencePlace::Firing(..)) => SilencePlace::suppressed(),
            (SilenceState::Active | SilenceState::Expired, place) => place,
        };
        let (alerts, next) = store::silence_piece(tx, &place, limits::SILENCE_PIECE).await?;
        let keys: Vec<&Alert> = alerts.iter().filter(|alert| silence.is_about(*alert)).collect();
        rung = Some(look(house, tx, &keys).await?);
        let is_done = next == SilencePlace::Done;
        let (place, due_at) = match (is_done, state) {
            (false, _) => (next, Some(now)),
            // At the next change everything is looked at again.
            (true, SilenceState::Pending) => (SilencePlace::start(), Some(silence.starts_at)),
            (true, SilenceState::Active) => (SilencePlace::start(), Some(silence.ends_at)),
            (true, SilenceState::Expired) => (SilencePlace::Done, None),
        };
        store::silence_note(tx, id, &place, due_at.is_some()).await?;
        store::wake_set(tx, &SetTimer { scope: Scope::Silence(id.clone()), timer: Timer::Cover, due_at }).await?;
    }
    Ok(move |house: &House| {
        house.bells.wakes.ring();
        if let Some(ring) = rung {
            ring(house);
        }
    })
}

/// Decides of each alert whether it is silenced, in the silences' transaction.
pub(super) async fn look(house: &House, tx: &mut Tx, alerts: &[&Alert]) -> Result<impl FnOnce(&House) + Send + use<>, FlowError> {
    let live = house.now_live();
    let keys: BTreeSet<Key> = alerts.iter().map(|alert| alert.key.clone()).collect();
    // The folder locks the service that an integration belongs to now, whichever an alert was counted to.
    let now_of = |alert: &Alert| live.setup.integrations.get(&alert.key.integration).map(|integration| integration.service.clone());
    let services = live.setup.with_causes(alerts.iter().flat_map(|alert| now_of(alert).into_iter().chain([alert.service.clone()])));
    let (mut facts, mut timers) = (Vec::new(), Vec::new());
    if !keys.is_empty() {
        let now = house.clock.now();
        let before = store::desk_load(tx, &keys, &services, |keys| decide::Wanted::by(&live.setup, &[], keys, now)).await?;
        let mut desk = before.clone();
        let mut moment = Moment::fresh(now);
        for key in keys {
            let decision = decide(State::Desk(desk), &Input::Cover(key), &live.setup, &mut moment);
            desk = match decision.state {
                State::Desk(desk) => desk,
                State::Person(_) => Desk::default(),
            };
            facts.extend(decision.facts);
            timers.extend(decision.timers);
        }
        facts = coalesce(facts);
        store::desk_save(tx, &before, &mut desk, &facts).await?;
        save::timers(tx, &timers).await?;
        store::facts_append(tx, &facts).await?;
    }
    Ok(move |house: &House| save::ring(house, &facts, &timers))
}

/// Looks for silences that nothing will wake, and for alerts that are silenced although no silence is about them. The number found:
/// anything but zero is a fault of ours.
pub(super) async fn audit(house: &House) -> Result<usize, FlowError> {
    let asleep = store::audit_silences(&house.store.reader()).await?;
    if !asleep.is_empty() {
        let now = house.clock.now();
        let mut tx = house.store.begin(WriteLane::Intake).await?;
        store::silences_lock(&mut tx).await?;
        for id in &asleep {
            tracing::error!(silence = %id, "nothing would have ended a silence. It is looked at now; please report this");
            look_at_once(&mut tx, id, now).await?;
        }
        tx.commit().await?;
        house.bells.wakes.ring();
    }
    Ok(asleep.len() + orphans(house).await?)
}

/// Alerts that no silence is about which would let go of them when it ends.
async fn orphans(house: &House) -> Result<usize, FlowError> {
    let (mut found, mut place) = (0, SilencePlace::suppressed());
    while place != SilencePlace::Done {
        let mut tx = house.store.begin(WriteLane::Intake).await?;
        store::silences_lock(&mut tx).await?;
        let (alerts, next) = store::silence_piece(&mut tx, &place, limits::SILENCE_PIECE).await?;
        let silences = store::silences_live(&mut tx).await?;
        let mut orphans: Vec<&Alert> = alerts.iter().filter(|alert| !silences.iter().any(|silence| silence.is_about(*alert))).collect();
        let setup = &house.now_live().setup;
        let ties = orphans.iter().flat_map(|alert| inhibition::ties_of(setup, *alert)).collect();
        // What was let go of and is not looked at yet is nobody's fault either.
        let inhibitors = store::inhibitors_tied(&mut tx, &ties, true).await?;
        let is_looked_at = store::inhibition_place(&mut tx).await?.0 == InhibitionPlace::Done;
        orphans.retain(|alert| is_looked_at && inhibition::of(setup, &inhibitors, *alert).is_none());
        if orphans.is_empty() {
            tx.rollback().await?;
        } else {
            tracing::error!(alerts = orphans.len(), "alerts are silenced by no silence. They are looked at now; please report this");
            found += orphans.len();
            let ring = look(house, &mut tx, &orphans).await?;
            tx.commit().await?;
            ring(house);
        }
        place = next;
    }
    Ok(found)
}
