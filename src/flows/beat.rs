//! Heartbeats: a beat is a signal like any other and moves the time by which the next one is due; a beat that does not come is one too.

use super::house::House;
use super::ingest::{self, Entry, IngestError};
use super::{FlowError, save};
use crate::base::failpoint;
use crate::base::id::{IdSource, JournalId};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::setup::{Heartbeat, Integration, Pulse};
use crate::sources::heartbeat;
use crate::store::{self, Filed, HeartbeatRow, JournalRow, WriteLane};

/// A beat came. The answer is when the next one is due; it is durable then.
///
/// # Errors
/// As every door of the intake.
pub async fn beat(house: &House, key: &str, inbound: &Inbound) -> Result<Time, IngestError> {
    let door = ingest::open(house, "heartbeat", key)?;
    let integration = &door.integration;
    // The reader of the configuration gives every heartbeat its period.
    let span = integration.heartbeat.unwrap_or_default().span();
    // Counted first: should this process die before the beat is journaled, the sender was told nothing, and an alert that is open stays
    // open until the next beat. The other way round the beat would end the alert while its row still said "missed, and told": a job
    // that never came again would be missed by nobody.
    let (store, id, at) = (house.store.clone(), integration.id.clone(), inbound.received_at);
    // In a task of its own: a sender that goes away must not drop the call half way.
    tokio::spawn(async move { store::heartbeat_beat(&store, &id, at, span).await }).await.map_err(|_| IngestError::CannotStore)?.map_err(
        |error| {
            tracing::error!(%error, "a beat cannot be noted");
            IngestError::CannotStore
        },
    )?;
    failpoint::reach("beat.counted");
    ingest::ingest(house, &door, inbound, None).await?;
    Ok(at + span)
}

/// Whether any heartbeat is configured.
#[must_use]
pub fn any(house: &House) -> bool {
    configured(&house.now_live().setup.integrations.values().collect::<Vec<_>>()).next().is_some()
}

/// One heartbeat as it stands now.
#[derive(Debug, Clone)]
pub struct Standing {
    pub integration: Integration,
    pub beat: Heartbeat,
    pub pulse: Pulse,
    pub beat_at: Option<Time>,
    /// `None`: nobody waits for it yet, because it was configured just now.
    pub due_at: Option<Time>,
    /// When it was first waited for; `None` as above.
    pub since_at: Option<Time>,
}

/// All heartbeats that are configured, by their ids.
///
/// # Errors
/// The store's.
pub async fn standings(house: &House) -> Result<Vec<Standing>, FlowError> {
    let (now, live) = (house.clock.now(), house.now_live());
    let rows = store::heartbeat_list(&house.store.reader()).await?;
    let integrations: Vec<&Integration> = live.setup.integrations.values().collect();
    let standings = configured(&integrations).map(|(integration, beat)| {
        let row = rows.iter().find(|row| row.integration == integration.id);
        let beat_at = row.and_then(|row| row.beat_at);
        Standing {
            integration: integration.clone(),
            beat,
            pulse: beat.pulse(beat_at, row.is_some_and(|row| row.missed), now),
            beat_at,
            due_at: row.map(|row| row.due_at),
            since_at: row.map(|row| row.since_at),
        }
    });
    Ok(standings.collect())
}

fn configured<'a>(integrations: &'a [&'a Integration]) -> impl Iterator<Item = (&'a Integration, Heartbeat)> {
    integrations.iter().filter_map(|integration| Some((*integration, integration.heartbeat?)))
}

/// How the watch over the heartbeats is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// By this process, as before or without a gap.
    Held,
    /// By this process, and nobody held it for a while: a beat may have found no door.
    HeldAfterGap,
    /// By another process.
    Elsewhere,
}

/// Holds, or takes over, the watch over all heartbeats of this database.
///
/// # Errors
/// The store's.
pub async fn hold_watch(house: &House) -> Result<Watch, FlowError> {
    const NAME: &str = "heartbeats";
    let idle = store::lease_idle(&house.store.reader(), NAME).await?;
    if !store::lease_hold(&house.store, NAME, &house.owner, limits::LEASE).await? {
        return Ok(Watch::Elsewhere);
    }
    // A process that was killed leaves its lease to run out, which is looked for every second.
    let is_gap = idle.is_none_or(|idle| idle > limits::LEASE);
    Ok(if is_gap { Watch::HeldAfterGap } else { Watch::Held })
}

/// Nobody was here to hear a beat until then: for one span from there nothing is judged.
///
/// # Errors
/// The store's.
pub async fn excuse(house: &House, absent_until: Time) -> Result<(), FlowError> {
    Ok(store::heartbeats_excuse(&house.store, absent_until).await?)
}

/// Tells of every beat that did not come, and gives the time at which the next one is due.
///
/// # Errors
/// The store's; what was not told stays due.
pub async fn judge(house: &House) -> Result<Option<Time>, FlowError> {
    let now = house.clock.now();
    let live = house.now_live();
    let integrations: Vec<&Integration> = live.setup.integrations.values().collect();
    let mut rows = store::heartbeat_list(&house.store.reader()).await?;
    let mut next = None;
    for (integration, beat) in configured(&integrations) {
        let row = rows.iter().position(|row| row.integration == integration.id).map(|index| rows.swap_remove(index));
        let due_at = match row {
            // Whoever resolves it by hand has not made the job run: it is told of again for as long as no beat comes.
            Some(row) if row.span == beat.span() && row.missed && row.told_at + again_after(beat) > now => row.told_at + again_after(beat),
            Some(row) if row.span == beat.span() && !row.missed && row.due_at > now => row.due_at,
            Some(row) if row.span == beat.span() => {
                tell(house, integration, beat, &row).await?;
                now + again_after(beat)
            }
            Some(_) | None => {
                store::heartbeat_await(&house.store, &integration.id, now, beat.span()).await?;
                now + beat.span()
            }
        };
        next = Some(next.map_or(due_at, |next: Time| next.min(due_at)));
    }
    for row in rows {
        store::heartbeat_forget(&house.store, &row.integration, now).await?;
    }
    Ok(next)
}

/// How long after a miss was told of it is told of again.
fn again_after(beat: Heartbeat) -> Span {
    beat.span().max(limits::MISS_TOLD_EVERY)
}

/// The miss and its signal are committed as one: whoever is second finds it told.
async fn tell(house: &House, integration: &Integration, beat: Heartbeat, row: &HeartbeatRow) -> Result<(), FlowError> {
    let at = house.clock.now();
    let mut ids = IdSource::fresh(at);
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    let is_to_be_told = if row.missed {
        store::heartbeat_miss_again(&mut tx, &integration.id, at, at - again_after(beat)).await?
    } else {
        store::heartbeat_miss(&mut tx, &integration.id, at).await?
    };
    if !is_to_be_told {
        return Ok(tx.rollback().await?);
    }
    let entry = Entry {
        request: JournalId::make(&mut ids),
        integration: integration.id.clone(),
        answer: false,
        sample: Some(String::new()),
        asked: None,
        signals: vec![heartbeat::missed(integration, &beat, row.beat_at, row.due_at)],
        beside_unreadable: false,
        times: 1,
    };
    let body = save::json("journal row", &[entry])?;
    let turn = store::journal_last_turn(&mut tx, &integration.id).await?;
    let row = JournalRow { id: JournalId::make(&mut ids), at, signals: 1, body };
    store::journal_add(&mut tx, &Filed { row, integration: Some(integration.id.clone()), turn }).await?;
    failpoint::reach("beat.missed");
    tx.commit().await?;
    failpoint::reach("beat.missed_committed");
    house.bells.journal.ring();
    Ok(())
}
