//! Messages that were refused for what they did not show beside their key: counted, so that a rotated secret does not eat alerts behind
//! everybody's back. Every process of a database tells the same, and a restart forgets nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::FlowError;
use super::house::House;
use super::ingest::{Door, IngestError};
use crate::base::id::IntegrationId;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::sources::proof::Proof;
pub use crate::sources::proof::{Flaw, Why};
use crate::store::{self, RefusalRow, Store, WriteLane};

/// What senders were refused and is still to be written down. Clones share it. Its size is bounded by the configuration: an integration
/// asks for few things, each of which is wrong in a few ways.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    counted: BTreeMap<(IntegrationId, Flaw), Refused>,
    /// Whether somebody writes down what is counted.
    is_kept: bool,
}

/// How often the same was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    pub n: u64,
    pub first_at: Time,
    pub last_at: Time,
}

impl Refused {
    /// Both together.
    fn with(self, other: Self) -> Self {
        let (first_at, last_at) = (self.first_at.min(other.first_at), self.last_at.max(other.last_at));
        Self { n: self.n + other.n, first_at, last_at }
    }
}

impl Refusals {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, key: (IntegrationId, Flaw), refused: Refused) {
        self.lock().counted.entry(key).and_modify(|all| *all = all.with(refused)).or_insert(refused);
    }

    /// Whether nobody writes them down yet: whoever asks does so now.
    fn claim(&self) -> bool {
        !std::mem::replace(&mut self.lock().is_kept, true)
    }

    /// Those that wait; with none left, the claim is over.
    fn take(&self) -> BTreeMap<(IntegrationId, Flaw), Refused> {
        let mut waiting = self.lock();
        waiting.is_kept = !waiting.counted.is_empty();
        std::mem::take(&mut waiting.counted)
    }
}

/// What was refused within [`limits::REFUSALS_KEPT`], by integration. `waiting` is what this process has not written down yet.
///
/// # Errors
/// The store's.
pub async fn lately(store: &Store, waiting: &Refusals, now: Time) -> Result<BTreeMap<IntegrationId, BTreeMap<Flaw, Refused>>, FlowError> {
    let mut all: BTreeMap<IntegrationId, BTreeMap<Flaw, Refused>> = BTreeMap::new();
    let stored = store::refusals_list(&store.reader(), now - limits::REFUSALS_KEPT).await?;
    let stored = stored.into_iter().filter_map(|row| {
        let flaw = Flaw::of(&row.why, &row.asked_by, &row.header)?;
        let n = u64::try_from(row.n).unwrap_or_default();
        Some(((row.integration, flaw), Refused { n, first_at: row.first_at, last_at: row.last_at }))
    });
    let counted: Vec<_> = waiting.lock().counted.iter().map(|(key, refused)| (key.clone(), *refused)).collect();
    for ((integration, flaw), refused) in stored.chain(counted) {
        all.entry(integration).or_default().entry(flaw).and_modify(|all| *all = all.with(refused)).or_insert(refused);
    }
    Ok(all)
}

/// Whether a message shows everything that its integration asks for beside the key. What does not is counted, and not stored.
///
/// # Errors
/// [`IngestError::Unproven`].
pub fn admit(house: &House, door: &Door, inbound: &Inbound) -> Result<(), IngestError> {
    every(house, door, |proof| proof.check(door.source.signature(), inbound))
}

/// As [`admit`], for a message whose body was too large to be read: whoever has nothing but the address cannot make an alert by it where
/// more is asked for.
///
/// # Errors
/// [`IngestError::Unproven`].
pub(super) fn admit_unread(house: &House, door: &Door, inbound: &Inbound) -> Result<(), IngestError> {
    every(house, door, |proof| proof.check_unread(door.source.signature(), inbound))
}

fn every(house: &House, door: &Door, check: impl Fn(&Proof) -> Result<(), Flaw>) -> Result<(), IngestError> {
    let live = house.now_live();
    let mut proofs = live.proofs.get(&door.integration.id).into_iter().flatten();
    proofs.try_for_each(check).map_err(|flaw| refuse(house, door, flaw))
}

/// Counts a message that is refused, and says why to whoever reads the log.
pub(super) fn refuse(house: &House, door: &Door, flaw: Flaw) -> IngestError {
    let (integration, now) = (&door.integration.id, house.clock.now());
    house.metrics.hook_refused(integration.as_str(), flaw.why.name());
    tracing::warn!(%integration, %flaw, "a message was refused");
    house.refusals.add((integration.clone(), flaw.clone()), Refused { n: 1, first_at: now, last_at: now });
    if house.refusals.claim() {
        tokio::spawn(keep(house.clone()));
    }
    IngestError::Unproven(flaw)
}

/// Writes down what is counted: the first at once, and the rest together after a while. A stranger who is refused without end must not
/// keep the database busy.
async fn keep(house: House) {
    loop {
        let counted = house.refusals.take();
        if counted.is_empty() {
            return;
        }
        if let Err(error) = save(&house, &counted).await {
            tracing::warn!(%error, "what was refused could not be written down; it is tried again");
            for (key, refused) in counted {
                house.refusals.add(key, refused);
            }
        }
        house.clock.sleep(limits::REFUSALS_PACE).await;
    }
}

async fn save(house: &House, counted: &BTreeMap<(IntegrationId, Flaw), Refused>) -> Result<(), FlowError> {
    let row = |((integration, flaw), refused): (&(IntegrationId, Flaw), &Refused)| RefusalRow {
        integration: integration.clone(),
        asked_by: flaw.asked_by.to_owned(),
        why: flaw.why.name().to_owned(),
        header: flaw.header().to_owned(),
        n: i64::try_from(refused.n).unwrap_or(i64::MAX),
        first_at: refused.first_at,
        last_at: refused.last_at,
    };
    let rows: Vec<RefusalRow> = counted.iter().map(row).collect();
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    store::refusals_add(&mut tx, &rows, house.clock.now() - limits::REFUSALS_KEPT).await?;
    Ok(tx.commit().await?)
}
