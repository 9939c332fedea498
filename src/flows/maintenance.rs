//! Maintenance windows become silences, each turn before it begins: those of the file, and those that people make.

use std::collections::BTreeMap;

use super::house::{House, Live};
use super::once::{self, Once};
use super::{FlowError, act, inhibition, silence};
use crate::base::id::{MaintenanceId, SilenceId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::Actor;
use crate::domain::maintenance::{Maintenance, Turn};
use crate::domain::silence::SilenceState;
use crate::store::{self, SilenceRow, Tx, WindowRow, WriteLane};

/// Says of a silence that it is the turn of a window, and of which.
const WINDOW: &str = "maintenance";
/// Says of a turn that it ended because its window was removed: it comes back with that.
const REMOVED: &str = "removed";

/// What was laid ahead last: nothing is to be done before the setup changes or a turn is over.
#[derive(Debug, Default)]
pub struct Laid {
    version: Option<i64>,
    /// When anybody last changed a window, here or at another server.
    changed_at: Option<Time>,
    until: Option<Time>,
}

/// Makes the silences of the windows' turns that hold or come next, and ends those whose windows are gone or changed.
///
/// # Errors
/// The store's; it is tried again.
pub async fn lay(house: &House, laid: &mut Laid) -> Result<(), FlowError> {
    let (live, now) = (house.now_live(), house.clock.now());
    let changed_at = store::windows_changed_at(&house.store.reader()).await?;
    if laid.version == Some(live.version) && laid.changed_at == changed_at && laid.until.is_none_or(|until| now < until) {
        return Ok(());
    }
    if laid.version != Some(live.version) {
        inhibition::mind_rules(house, &live.setup).await?;
    }
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    store::silences_lock(&mut tx).await?;
    let until = lay_in(&mut tx, &live, now).await?;
    tx.commit().await?;
    house.bells.wakes.ring();
    // A turn more than a year ahead is looked for once a day.
    let again = now + limits::MAINTENANCE_LOOK;
    *laid = Laid { version: Some(live.version), changed_at, until: Some(until.map_or(again, |until| until.min(again))) };
    Ok(())
}

/// The same, in a transaction that has locked the silences. When the first of the turns is over.
async fn lay_in(tx: &mut Tx, live: &Live, now: Time) -> Result<Option<Time>, FlowError> {
    let mut wanted: BTreeMap<SilenceId, SilenceRow> = BTreeMap::new();
    let mut until: Option<Time> = None;
    let made = store::windows_list(tx).await?;
    let gone: Vec<&MaintenanceId> = made.iter().filter(|row| row.removed_at.is_some()).map(|row| &row.window.id).collect();
    for window in in_force(live, &made) {
        for turn in window.turns(now) {
            let row = turn_of(window, turn, now);
            wanted.insert(row.silence.id.clone(), row);
            until = Some(until.map_or(turn.ends, |until| until.min(turn.ends)));
        }
    }
    for mut row in store::silences_live_rows(tx).await? {
        let Some(window) = row.annotations.get(WINDOW).filter(|_| row.made_by == Actor::Reveille).cloned() else { continue };
        if !wanted.contains_key(&row.silence.id) && row.silence.state(now) != SilenceState::Expired {
            tracing::info!(silence = %row.silence.id, by = row.silence.created_by, "a maintenance window is not wanted so any more");
            if gone.iter().any(|id| id.as_str() == window) {
                row.annotations.insert(REMOVED.to_owned(), "true".to_owned());
            }
            silence::close(tx, row, now).await?;
        }
    }
    for (id, row) in &wanted {
        // Whatever became of it since, somebody has seen to it; but what went with its window comes back with it.
        let there = store::silence_load(tx, id).await?;
        if there.is_none_or(|(there, _)| there.annotations.contains_key(REMOVED)) {
            lay_turn(tx, row, now).await?;
        }
    }
    Ok(until)
}

async fn lay_turn(tx: &mut Tx, row: &SilenceRow, now: Time) -> Result<(), FlowError> {
    store::silence_save(tx, row).await?;
    silence::look_at_once(tx, &row.silence.id, now).await?;
    tracing::info!(silence = %row.silence.id, by = row.silence.created_by, from = %row.silence.starts_at, until = %row.silence.ends_at, "maintenance lies ahead");
    Ok(())
}

fn turn_of(window: &Maintenance, turn: Turn, now: Time) -> SilenceRow {
    let annotations = BTreeMap::from([(WINDOW.to_owned(), window.id.to_string())]);
    SilenceRow { silence: window.silence(turn, now), annotations, made_by: Actor::Reveille }
}

/// The file's, and of those that people made the ones that are there and have no name of the file's.
fn in_force<'a>(live: &'a Live, made: &'a [WindowRow]) -> impl Iterator<Item = &'a Maintenance> {
    let own = made.iter().filter(|row| row.removed_at.is_none() && !is_of_the_file(live, &row.window.id)).map(|row| &row.window);
    live.setup.maintenance.iter().chain(own)
}

/// Whether the file has a window of this name: it is shown, and changed there alone.
#[must_use]
pub fn is_of_the_file(live: &Live, id: &MaintenanceId) -> bool {
    live.setup.maintenance.iter().any(|window| window.id == *id)
}

const OF_THE_FILE: &str = "This window is the configuration file's: change it there, or end its turn.";

/// What somebody does about a window.
#[derive(Debug, Clone)]
pub enum Order {
    /// Makes it; there is none of its name.
    Make(Maintenance),
    /// Has it otherwise: turns that are other ones now end, and those that stay go on.
    Change(Maintenance),
    /// Removes it; what still fires of its turn pages.
    Remove(MaintenanceId),
    /// Ends the turn under way, and no other.
    End(MaintenanceId),
    /// Takes the last of it back: a removed one is there again, a turn that was ended early goes on.
    Restore(MaintenanceId),
}

/// Carries an order out, once and never again where the request carries a key.
///
/// # Errors
/// [`FlowError::Missing`] for a window that there is not, [`FlowError::Refused`] for what makes no sense, and the store's.
pub async fn order(house: &House, actor: &Actor, order: Order, once: Option<&Once>) -> Result<MaintenanceId, FlowError> {
    let (house, actor, once) = (house.clone(), actor.clone(), once.cloned());
    // In a task of its own: a client that goes away must not leave a transaction half done.
    let done = tokio::spawn(async move { act::retrying(|| order_once(&house, &actor, &order, once.as_ref())).await });
    done.await.map_err(|error| FlowError::of_task(&error, "a maintenance window"))?
}

async fn order_once(house: &House, actor: &Actor, order: &Order, once: Option<&Once>) -> Result<MaintenanceId, FlowError> {
    let (live, now) = (house.now_live(), house.clock.now());
    let mut tx = house.store.begin(WriteLane::Page).await?;
    if let Some(id) = once::done_before(&mut tx, once).await? {
        return Ok(id);
    }
    store::silences_lock(&mut tx).await?;
    let id = match order {
        Order::Make(window) => make(&mut tx, &live, actor, window, now).await?,
        Order::Change(window) => {
            let before = of_people(&mut tx, &live, &window.id).await?.filter(|row| row.removed_at.is_none());
            let before = before.ok_or(FlowError::Missing("such maintenance window"))?;
            refuse(window, now)?;
            store::window_save(&mut tx, &WindowRow { window: window.clone(), updated_at: now, ..before }).await?;
            window.id.clone()
        }
        Order::Remove(id) => {
            let before = of_people(&mut tx, &live, id).await?.ok_or(FlowError::Missing("such maintenance window"))?;
            if before.removed_at.is_none() {
                store::window_save(&mut tx, &WindowRow { updated_at: now, removed_at: Some(now), ..before }).await?;
            }
            id.clone()
        }
        Order::End(id) => {
            end(&mut tx, &live, id, now).await?;
            id.clone()
        }
        Order::Restore(id) => {
            restore(&mut tx, &live, id, now).await?;
            id.clone()
        }
    };
    lay_in(&mut tx, &live, now).await?;
    if store::silences_count(&mut tx).await? > limits::SILENCES {
        return Err(FlowError::Refused("There are too many silences and turns of maintenance; end some that are not needed."));
    }
    once::mark(&mut tx, once, &id).await?;
    tx.commit().await?;
    house.bells.wakes.ring();
    let what = match order {
        Order::Make(_) => "made",
        Order::Change(_) => "changed",
        Order::Remove(_) => "removed",
        Order::End(_) => "ended for this turn",
        Order::Restore(_) => "restored",
    };
    tracing::info!(actor = actor.text(), window = %id, "a maintenance window was {what}");
    Ok(id)
}

async fn make(tx: &mut Tx, live: &Live, actor: &Actor, window: &Maintenance, now: Time) -> Result<MaintenanceId, FlowError> {
    refuse(window, now)?;
    let there = store::windows_list(tx).await?;
    let is_taken = there.iter().any(|row| row.window.id == window.id && row.removed_at.is_none());
    if is_taken || is_of_the_file(live, &window.id) {
        return Err(FlowError::Refused("There is a maintenance window of that name already."));
    }
    if there.iter().filter(|row| row.removed_at.is_none()).count() + live.setup.maintenance.len() >= limits::MAINTENANCE {
        return Err(FlowError::Refused("There are too many maintenance windows; remove some that are over."));
    }
    let row = WindowRow { window: window.clone(), made_by: actor.clone(), made_at: now, updated_at: now, removed_at: None };
    store::window_save(tx, &row).await?;
    Ok(window.id.clone())
}

fn refuse(window: &Maintenance, now: Time) -> Result<(), FlowError> {
    window.wrong(now).map_or(Ok(()), |why| Err(FlowError::Refused(why)))
}

/// One that people made; the file's are refused.
async fn of_people(tx: &mut Tx, live: &Live, id: &MaintenanceId) -> Result<Option<WindowRow>, FlowError> {
    if is_of_the_file(live, id) {
        return Err(FlowError::Refused(OF_THE_FILE));
    }
    Ok(store::window_load(tx, id).await?)
}

/// A window that is in force, whosever it is.
async fn known(tx: &mut Tx, live: &Live, id: &MaintenanceId) -> Result<Maintenance, FlowError> {
    let made = store::windows_list(tx).await?;
    in_force(live, &made).find(|window| window.id == *id).cloned().ok_or(FlowError::Missing("such maintenance window"))
}

/// The turn under way.
fn under_way(window: &Maintenance, now: Time) -> Option<Turn> {
    window.turns(now).into_iter().find(|turn| turn.begins <= now && now < turn.ends)
}

async fn end(tx: &mut Tx, live: &Live, id: &MaintenanceId, now: Time) -> Result<(), FlowError> {
    let window = known(tx, live, id).await?;
    let turn = under_way(&window, now).ok_or(FlowError::Refused("No turn of this window is under way."))?;
    if let Some((row, _)) = store::silence_load(tx, &window.silence(turn, now).id).await?
        && row.silence.state(now) != SilenceState::Expired
    {
        silence::close(tx, row, now).await?;
    }
    Ok(())
}

async fn restore(tx: &mut Tx, live: &Live, id: &MaintenanceId, now: Time) -> Result<(), FlowError> {
    if !is_of_the_file(live, id)
        && let Some(row) = store::window_load(tx, id).await?.filter(|row| row.removed_at.is_some())
    {
        refuse(&row.window, now)?;
        store::window_save(tx, &WindowRow { updated_at: now, removed_at: None, ..row }).await?;
        return Ok(());
    }
    let window = known(tx, live, id).await?;
    let turn = under_way(&window, now).ok_or(FlowError::Refused("There is nothing to take back: no turn of it would be under way."))?;
    let row = turn_of(&window, turn, now);
    let there = store::silence_load(tx, &row.silence.id).await?;
    if there.is_none_or(|(there, _)| there.silence.state(now) == SilenceState::Expired) {
        lay_turn(tx, &row, now).await?;
    }
    Ok(())
}

/// A window as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub window: Maintenance,
    /// `None`: the file's.
    pub made_by: Option<Actor>,
    pub removed_at: Option<Time>,
    /// The turn under way or the next, and the one after it.
    pub turns: Vec<Turn>,
    /// A turn is under way, and nobody has ended it.
    pub is_on: bool,
    /// A turn is under way, and somebody has ended it.
    pub was_ended: bool,
}

/// All windows, the file's first, and last those that were removed.
///
/// # Errors
/// The store's.
pub async fn list(house: &House, viewer: &crate::base::viewer::Viewer) -> Result<Vec<Shown>, FlowError> {
    let (live, now) = (house.now_live(), house.clock.now());
    let reader = house.store.reader();
    let made = reader.windows(viewer).await?;
    let silences = reader.silences(viewer).await?;
    let shown = |window: &Maintenance, made_by: Option<Actor>, removed_at: Option<Time>| {
        let turn = under_way(window, now);
        let silence = turn.and_then(|turn| {
            let id = window.silence(turn, now).id;
            silences.iter().find(|row| row.silence.id == id)
        });
        let is_over = silence.is_some_and(|row| row.silence.state(now) == SilenceState::Expired);
        Shown {
            window: window.clone(),
            made_by,
            removed_at,
            turns: window.turns(now),
            is_on: turn.is_some() && !is_over && removed_at.is_none(),
            was_ended: is_over && removed_at.is_none(),
        }
    };
    let file = live.setup.maintenance.iter().map(|window| shown(window, None, None));
    let own = made.iter().filter(|row| !is_of_the_file(&live, &row.window.id));
    let mut all: Vec<Shown> = file.chain(own.map(|row| shown(&row.window, Some(row.made_by.clone()), row.removed_at))).collect();
    all.sort_by_key(|shown| (shown.removed_at.is_some(), shown.made_by.is_some()));
    Ok(all)
}
