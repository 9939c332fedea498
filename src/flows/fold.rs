//! The journal becomes alerts and incidents: many signals, one transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::house::House;
use super::ingest::Entry;
use super::{FlowError, save};
use crate::base::failpoint;
use crate::base::limits;
use crate::domain::alert::{Key, UNREADABLE_KEY};
use crate::domain::decide::{Desk, Moment, State, Verdict, decide};
use crate::domain::fact::coalesce;
use crate::domain::input::Input;
use crate::store::{self, JournalRow, WriteLane};

/// Folds the oldest journal rows; the number of signals decided. Zero means that the journal is empty.
///
/// # Errors
/// The store's. Nothing is lost: the rows are still there.
pub async fn fold(house: &House) -> Result<usize, FlowError> {
    let live = house.now_live();
    let at = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    let rows = some(store::journal_take(&mut tx, limits::FOLD_ROWS).await?);
    if rows.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let entries = read(&rows)?;
    let services = entries.iter().filter_map(|entry| Some(live.setup.integrations.get(&entry.integration)?.service.clone())).collect();
    let before = store::desk_load(&mut tx, &keys(&entries), &services).await?;

    let mut desk = before.clone();
    let mut facts = Vec::new();
    let mut timers = Vec::new();
    let mut tallies: BTreeMap<(crate::base::id::IntegrationId, &'static str), i64> = BTreeMap::new();
    let mut answers: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    let mut decided = 0;
    let mut moment = Moment::fresh(at);
    for entry in entries {
        for signal in entry.signals {
            let decision = decide(State::Desk(desk), &Input::Signal(signal), &live.setup, &mut moment);
            desk = match decision.state {
                State::Desk(desk) => desk,
                State::Person(_) => Desk::default(),
            };
            facts.extend(decision.facts);
            timers.extend(decision.timers);
            decided += 1;
            for outcome in ["accepted", decision.verdict.outcome.name()] {
                *tallies.entry((entry.integration.clone(), outcome)).or_default() += 1;
            }
            if entry.answer {
                answers.entry(entry.request.as_str().to_owned()).or_default().push(decision.verdict);
            }
        }
    }

    let facts = coalesce(facts);
    store::journal_delete(&mut tx, &rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>()).await?;
    store::desk_save(&mut tx, &before, &mut desk, &facts).await?;
    store::tally_add(&mut tx, &tallies).await?;
    for (request, verdicts) in &answers {
        store::answer_save(&mut tx, request, at, &save::json("answer", verdicts)?).await?;
    }
    save::timers(&mut tx, &timers).await?;
    store::facts_append(&mut tx, &facts).await?;
    failpoint::reach("fold.before_commit");
    tx.commit().await?;
    failpoint::reach("fold.committed");
    save::ring(house, &facts, &timers);
    Ok(decided)
}

/// As many of the oldest rows as one transaction may decide; always the first.
fn some(rows: Vec<JournalRow>) -> Vec<JournalRow> {
    let mut signals = 0;
    let mut taken = Vec::new();
    for row in rows {
        signals += row.signals;
        if !taken.is_empty() && signals > limits::FOLD_SIGNALS {
            break;
        }
        taken.push(row);
    }
    taken
}

fn read(rows: &[JournalRow]) -> Result<Vec<Entry>, FlowError> {
    let mut entries = Vec::new();
    for row in rows {
        let read: Vec<Entry> = serde_json::from_str(&row.body).map_err(|error| FlowError::Unreadable("journal row", error.to_string()))?;
        entries.extend(read);
    }
    Ok(entries)
}

/// The keys these signals name, and of each integration the one that says its bodies cannot be read.
fn keys(entries: &[Entry]) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for entry in entries {
        keys.insert(Key { integration: entry.integration.clone(), dedup_key: UNREADABLE_KEY.to_owned() });
        keys.extend(
            entry.signals.iter().map(|signal| Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() }),
        );
    }
    keys
}

/// Holds, or takes over, the lease of the one folder of this database.
///
/// # Errors
/// The store's.
pub async fn hold_lease(house: &House) -> Result<bool, FlowError> {
    Ok(store::lease_hold(&house.store, "folder", &house.owner, limits::LEASE).await?)
}
