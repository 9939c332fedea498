//! The journal becomes alerts and incidents: many signals, one transaction.

mod batch;
mod first;
mod flood;
mod heard;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::batch::Batch;
use self::first::First;
use self::flood::Flooding;
pub use self::flood::Floods;
use self::heard::{Heard, Said};
use super::house::{House, Live};
use super::ingest::Entry;
use super::wake::{self, Attended};
use super::{FlowError, save};
use crate::base::clock::Stopwatch;
use crate::base::failpoint;
use crate::base::id::{IdSource, IncidentId, IntegrationId, JournalId, Number, RouteId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::alert::{Key, UNREADABLE_KEY};
use crate::domain::change::Change;
use crate::domain::decide::{Desk, Moment, Outcome, Verdict, Wanted};
use crate::domain::fact::coalesce;
use crate::domain::inhibition::{self, Inhibited};
use crate::domain::input::{Action, Signal};
use crate::domain::novelty;
use crate::domain::reason::Reason;
use crate::domain::routing::{self, Routed};
use crate::domain::setup::Setup;
use crate::sources;
use crate::store::{self, JournalRow, Sample, Store, StoreError, Tx, WriteLane};

/// Folds the oldest journal rows, at most `most_rows`; the number of signals decided or set aside. Zero means that the journal is empty.
///
/// # Errors
/// The store's. Nothing is lost: the rows are still there.
pub async fn fold(house: &House, most_rows: i64) -> Result<usize, FlowError> {
    match guarded(house, most_rows, Attend::Now).await {
        Err(error) if is_of_the_rows(&error) => {
            tracing::error!(%error, "journal rows cannot be folded together; the oldest is tried by itself");
        }
        outcome => return outcome,
    }
    // Nor does a person who cannot be decided on keep it from being folded: that is for their own wake-up then.
    match guarded(house, 1, Attend::Later).await {
        Err(error) if is_of_the_rows(&error) => set_aside(house, &error).await,
        outcome => outcome,
    }
}

/// Whether something is left to fold, asked without holding up any writer; what cannot be asked counts as something.
pub async fn waits(house: &House) -> bool {
    store::journal_waits(&house.store.page_reader()).await.unwrap_or(true)
}

/// Whether the same rows would fail again, so that they would hold up all that come after them.
fn is_of_the_rows(error: &FlowError) -> bool {
    match error {
        FlowError::Store(StoreError::Refused(_) | StoreError::Corrupt(_) | StoreError::Missing(_) | StoreError::Exists(_))
        | FlowError::Missing(_)
        | FlowError::Refused(_)
        | FlowError::Unreadable(..)
        | FlowError::Panicked(_) => true,
        FlowError::Store(_) | FlowError::Busy | FlowError::Gone => false,
    }
}

/// Keeps the oldest row aside, and has its integrations say so: somebody must look at the sender, since nothing was decided.
async fn set_aside(house: &House, why: &FlowError) -> Result<usize, FlowError> {
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    let Some(row) = store::journal_take(&mut tx, 1, limits::FOLD_SIGNALS).await?.into_iter().next() else { return Ok(0) };
    let at = house.clock.now();
    let instead = stand_ins(house, &row, at);
    let instead = match instead.as_slice() {
        [] => None,
        entries => {
            let body = save::json("journal row", &entries)?;
            let signals = i64::try_from(entries.len()).unwrap_or(i64::MAX);
            Some(JournalRow { id: JournalId::make(&mut IdSource::fresh(at)), at, signals, body })
        }
    };
    store::journal_set_aside(&mut tx, &row, &why.to_string(), instead.as_ref()).await?;
    tx.commit().await?;
    tracing::error!(row = %row.id, error = %why, signals = row.signals, "a journal row cannot be folded and is kept aside; please report this");
    Ok(1)
}

/// One signal for each integration that a row names, as far as it can be read; none for a row that holds nothing but such signals.
fn stand_ins(house: &House, row: &JournalRow, at: Time) -> Vec<Entry> {
    let told_already = |entry: &Entry| entry.signals.iter().all(|signal| matches!(signal.action, Action::Unreadable(_)));
    if serde_json::from_str::<Vec<Entry>>(&row.body).is_ok_and(|entries| entries.iter().all(told_already)) {
        return Vec::new();
    }
    let read: Vec<serde_json::Value> = serde_json::from_str(&row.body).unwrap_or_default();
    let named: BTreeSet<&str> = read.iter().filter_map(|entry| entry.get("integration")?.as_str()).collect();
    let live = house.now_live();
    let mut ids = IdSource::fresh(at);
    let known = live.setup.integrations.values();
    // A row that tells nothing of itself may have been anybody's.
    let meant = known.filter(|integration| named.is_empty() || named.contains(integration.id.as_str()));
    meant
        .map(|integration| Entry {
            request: JournalId::make(&mut ids),
            integration: integration.id.clone(),
            answer: false,
            sample: None,
            asked: None,
            signals: vec![sources::set_aside(integration, row.id.as_str())],
            beside_unreadable: true,
            times: 1,
        })
        .collect()
}

/// In a task of its own: a decision that panics must not take the folder along.
async fn guarded(house: &House, most_rows: i64, attend: Attend) -> Result<usize, FlowError> {
    let house = house.clone();
    tokio::spawn(async move { once(&house, most_rows, attend).await }).await.map_err(|error| FlowError::of_task(&error, "the fold"))?
}

/// When the people whom a fold pages are decided on: in its own transaction, or in one of theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attend {
    Now,
    Later,
}

async fn once(house: &House, most_rows: i64, attend: Attend) -> Result<usize, FlowError> {
    let live = house.now_live();
    let at = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    let rows = store::journal_take(&mut tx, most_rows, limits::FOLD_SIGNALS).await?;
    if rows.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    failpoint::reach("fold.taken");
    let began = Stopwatch::start();
    let entries = read(&rows)?;
    let flooding = Flooding::new(&house.floods, &live.setup, &entries, at);
    let near: Vec<Entry> = flooding.near(&entries).collect();
    let signalled = entries.len();
    let entries: Vec<Entry> = entries.into_iter().chain(near).collect();
    let keys = keys(&entries);
    let mut entries: Vec<Routes> = entries.into_iter().map(|entry| Routes::of(&live.setup, entry)).collect();
    let before = desk_of(&mut tx, &live.setup, &keys, &entries, at).await?;
    // The others were there to be loaded for.
    entries.truncate(signalled);

    let mut tallies: BTreeMap<(IntegrationId, &'static str), i64> = BTreeMap::new();
    let mut answers: BTreeMap<String, Vec<Verdict>> = BTreeMap::new();
    let mut decided = 0;
    let mut samples = Vec::new();
    let mut changes = Vec::new();
    let mut taken: BTreeMap<RouteId, u64> = BTreeMap::new();
    let mut folded: BTreeMap<Reason, u64> = BTreeMap::new();
    let mut held: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut heard = Heard::new(&live.setup, &before);
    let mut batch = Batch::new(before.clone(), &live.setup, Moment::fresh(at), Some(flooding));
    let mut first = First::decide(&mut batch, &entries);
    for (place, Routes { entry, signals }) in entries.into_iter().enumerate() {
        let mut sample = entry.sample.map(|body| Sample::of(&entry.integration, &entry.request, at, signals.len(), body));
        let again = (1..entry.times).flat_map(|_| signals.clone()).collect::<Vec<_>>();
        for (n, routed) in signals.into_iter().chain(again).enumerate() {
            let kept = Said::of(&routed.signal);
            let (title, said) = (routed.signal.title.clone(), ignored_because(&routed.signal.action));
            let rule = sample.as_ref().and_then(|_| routed.sentence());
            if let Some(by) = &routed.taken {
                *taken.entry(by.rule.clone()).or_default() += 1;
            }
            changes.extend(Change::of(&routed, &live.setup, &mut batch.moment.ids, at));
            let verdict = match first.take(place, n) {
                Some(verdict) => verdict,
                None => batch.decide(&entry.integration, routed),
            };
            decided += 1;
            if verdict.outcome == Outcome::Folded {
                *folded.entry(verdict.reason).or_default() += 1;
            }
            if let Some(by) = verdict.reason.held_by() {
                *held.entry(by).or_default() += 1;
            }
            if let Some(sample) = &mut sample {
                sample.made(title, said, rule, &verdict);
            }
            for outcome in ["accepted", verdict.outcome.name()] {
                *tallies.entry((entry.integration.clone(), outcome)).or_default() += 1;
            }
            heard.signal(&entry.request, &entry.integration, kept, &verdict, at);
            if n == 0 {
                heard.request(&entry.request, &entry.integration, entry.asked.as_deref(), &verdict, at);
            }
            if entry.answer {
                answers.entry(entry.request.as_str().to_owned()).or_default().push(verdict);
            }
        }
        samples.extend(sample);
    }

    let Batch { mut desk, facts, mut timers, flooding, .. } = batch;
    let mut facts = coalesce(facts);
    store::journal_delete(&mut tx, &rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>()).await?;
    store::desk_save(&mut tx, &before, &mut desk, &facts).await?;
    store::tally_add(&mut tx, &tallies, at).await?;
    store::samples_save(&mut tx, &samples).await?;
    store::changes_add(&mut tx, &changes).await?;
    heard.save(&mut tx).await?;
    for (request, verdicts) in &answers {
        store::answer_save(&mut tx, request, at, &save::json("answer", verdicts)?).await?;
    }
    let attended = match attend {
        Attend::Now => wake::attend_now(house, &mut tx, &mut timers, at).await?,
        Attend::Later => Attended::default(),
    };
    save::timers(&mut tx, &timers).await?;
    facts.extend(attended.facts);
    timers.extend(attended.timers);
    store::facts_append(&mut tx, &facts).await?;
    failpoint::reach("fold.before_commit");
    if !attended.effects.is_empty() {
        failpoint::reach("attend.before_commit");
    }
    tx.commit().await?;
    failpoint::reach("fold.committed");
    if !attended.effects.is_empty() {
        failpoint::reach("attend.committed");
    }
    // Whoever makes the call goes first.
    house.handed.hand(began, attended.claimed);
    save::ring_effects(house, &attended.effects);
    if let Some(flooding) = flooding {
        flooding.note(house);
    }
    for (rule, signals) in taken {
        house.metrics.routed(rule.as_str(), signals);
    }
    for (reason, alerts) in folded {
        house.metrics.folded(reason.name(), alerts);
    }
    for (by, signals) in held {
        house.metrics.held(by, signals);
    }
    save::ring(house, &facts, &timers);
    Ok(decided)
}

/// The desk on which these signals are decided, locked.
async fn desk_of(tx: &mut Tx, setup: &Setup, keys: &BTreeSet<Key>, entries: &[Routes], at: Time) -> Result<Desk, StoreError> {
    // The integrations' own among them: by these the end of alerts is kept apart from what comes in, whichever service a rule names.
    let own = entries.iter().filter_map(|routes| Some(setup.integrations.get(&routes.entry.integration)?.service.clone()));
    let routed = entries.iter().flat_map(|routes| &routes.signals).map(|routed| routed.service.clone());
    let services = setup.with_causes(own.chain(routed.filter(|service| setup.services.contains_key(service))));
    let signals: Vec<&Routed> = entries.iter().flat_map(|routes| &routes.signals).collect();
    let mut desk = store::desk_load(tx, keys, &services, |keys| Wanted::by(setup, &signals, keys, at)).await?;
    let kinds = novelty::may_begin(setup, &signals, &desk);
    store::kinds_load(tx, &mut desk, &kinds).await?;
    Ok(desk)
}

/// What a signal would come to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsed {
    pub outcome: Outcome,
    pub reason: Reason,
    /// The incident that there is and that it would be about.
    pub incident: Option<Number>,
    /// What inhibits it.
    pub inhibited: Option<Inhibited>,
}

/// Decides these signals of one integration, one after the other, by all that is stored, as a fold does; and gives the transaction up.
///
/// # Errors
/// The store's.
pub async fn rehearse(
    house: &House,
    live: &Arc<Live>,
    integration: &IntegrationId,
    signals: Vec<Signal>,
) -> Result<Vec<Rehearsed>, FlowError> {
    let (house, live, integration) = (house.clone(), Arc::clone(live), integration.clone());
    // In a task of its own: whoever asked may go away, and a transaction is never left in the middle.
    let work = async move {
        let at = house.clock.now();
        let mut moment = Moment::fresh(at);
        let request = JournalId::make(&mut moment.ids);
        let beside_unreadable = Entry::cannot_all_be_read(&signals);
        let entries = [Entry { request, integration, answer: false, sample: None, asked: None, signals, beside_unreadable, times: 1 }];
        let keys = keys(&entries);
        let entries = entries.map(|entry| Routes::of(&live.setup, entry));
        let mut tx = house.store.begin(WriteLane::Rest).await?;
        let desk = desk_of(&mut tx, &live.setup, &keys, &entries, at).await?;
        tx.rollback().await?;
        let numbers: BTreeMap<IncidentId, Number> = desk.incidents.iter().map(|(id, incident)| (id.clone(), incident.number)).collect();
        let mut rehearsed = Vec::new();
        let mut batch = Batch::new(desk, &live.setup, moment, None);
        let mut first = First::decide(&mut batch, &entries);
        for (n, routed) in entries.into_iter().flat_map(|routes| routes.signals).enumerate() {
            let key = Key { integration: routed.signal.integration.clone(), dedup_key: routed.signal.dedup_key.clone() };
            let verdict = match first.take(0, n) {
                Some(verdict) => verdict,
                None => batch.decide(&key.integration, routed),
            };
            let Verdict { outcome, reason, incident, .. } = verdict;
            let alert = batch.desk.keys.get(&key).and_then(|state| state.alert.as_ref()).filter(|_| reason == Reason::Inhibited);
            let by = alert.and_then(|alert| inhibition::of(&live.setup, &batch.desk.inhibitors, alert));
            let inhibited = by.map(|by| Inhibited { rule: by.rule.clone(), by: by.title.clone() });
            rehearsed.push(Rehearsed { inhibited, outcome, reason, incident: incident.and_then(|id| numbers.get(&id).copied()) });
        }
        Ok(rehearsed)
    };
    tokio::spawn(work).await.map_err(|error| FlowError::of_task(&error, "the trial"))?
}

/// One request, its signals as the rules leave them.
struct Routes {
    /// Without its signals.
    entry: Entry,
    signals: Vec<Routed>,
}

impl Routes {
    fn of(setup: &Setup, mut entry: Entry) -> Self {
        let signals = std::mem::take(&mut entry.signals);
        let beside_unreadable = entry.beside_unreadable;
        let routed = signals.into_iter().map(|signal| Routed { beside_unreadable, ..routing::route(setup, signal) });
        Self { entry, signals: routed.collect() }
    }
}

/// A sender's own words for why there was nothing to decide.
fn ignored_because(action: &Action) -> Option<String> {
    match action {
        Action::Change(said) | Action::Ignore(said) | Action::Unreadable(said) => Some(said.clone()),
        Action::Trigger | Action::Resolve | Action::Acknowledge | Action::Remark(_) => None,
    }
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

/// Gives the lease up, so that another process folds at once.
///
/// # Errors
/// The store's; the lease then runs out by itself.
pub async fn drop_lease(house: &House) -> Result<(), FlowError> {
    Ok(store::lease_drop(&house.store, "folder", &house.owner).await?)
}

/// At the start: what an earlier version or an earlier setup could not fold is tried again.
///
/// # Errors
/// The store's.
pub async fn put_back(store: &Store) -> Result<(), FlowError> {
    let rows = store::journal_put_back(store).await?;
    if rows > 0 {
        tracing::warn!(rows, "journal rows that were kept aside are tried again");
    }
    Ok(())
}
