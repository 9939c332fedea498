//! A sender's message becomes durable: bytes to signals, signals to the journal, and only then an answer.

mod budget;
mod fair;
mod masked;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use self::budget::Budgets;
use self::fair::Fair;
use super::house::House;
use super::{refusal, sns};
use crate::base::failpoint;
use crate::base::id::{IdSource, IntegrationId, JournalId};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::mask::Mask;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};
use crate::domain::decide::Verdict;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;
use crate::sources::proof::Flaw;
pub use crate::sources::proof::Proof;
use crate::sources::{self, Source};
use crate::store::{self, Filed, JournalRow, StoreError};

pub use crate::sources::splunk_oncall;

/// One request's signals on their way to the journal.
pub struct Pending {
    entry: Entry,
    at: Time,
    /// Shared with the request, which waits until this is journaled.
    body: Bytes,
    done: oneshot::Sender<Result<(), IngestError>>,
}

/// One request in a journal row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub request: JournalId,
    pub integration: IntegrationId,
    /// Whether somebody waits for the decisions.
    pub answer: bool,
    /// The beginning of the body, where this request is kept as a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// What was asked for, in the words of a protocol whose sender may ask what became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    pub signals: Vec<Signal>,
    /// Something in its message could not be read, though perhaps not in this part of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside_unreadable: bool,
    /// How many requests in a row said exactly this.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

const fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_once(times: &u32) -> bool {
    *times == 1
}

impl Entry {
    /// Whether one more request says just what this one says, so that it can be counted instead of written down again. Whoever waits for
    /// an answer, or may ask for one later, has an entry of its own.
    fn is_said_by(&self, other: &Self) -> bool {
        let nobody_asks = |entry: &Self| !entry.answer && entry.asked.is_none() && entry.sample.is_none();
        nobody_asks(self) && nobody_asks(other) && self.beside_unreadable == other.beside_unreadable && self.signals == other.signals
    }

    /// Whether any of these could not be read.
    pub(super) fn cannot_all_be_read(signals: &[Signal]) -> bool {
        signals.iter().any(|signal| matches!(signal.action, Action::Unreadable(_)))
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    #[error("there is no such integration; look at the URL's last part, or at `key` in the configuration")]
    UnknownKey,
    /// Whoever has the key may know whose it is.
    #[error("this key belongs to an integration of the source {0}: post to /hooks/{0}/ with it, or change `source` in the configuration")]
    OtherSource(&'static str),
    /// It does not show what its integration asks for beside the key. Nothing was stored.
    #[error("{0}: {advice}", advice = .0.advice())]
    Unproven(Flaw),
    /// Nothing was stored; the sender must try again.
    #[error("nothing can be stored just now; try again in a few seconds")]
    CannotStore,
}

/// An integration that a key opens, and the reader of its kind of body.
pub struct Door {
    pub integration: Integration,
    pub source: &'static dyn Source,
}

/// Finds the integration by the source and the key of its URL.
///
/// # Errors
/// [`IngestError::UnknownKey`], or [`IngestError::OtherSource`].
pub fn open(house: &House, source: &str, key: &str) -> Result<Door, IngestError> {
    let live = house.now_live();
    let id = live.keys.get(&Secret::new(key).digest()).ok_or(IngestError::UnknownKey)?;
    let integration = live.setup.integrations.get(id).ok_or(IngestError::UnknownKey)?;
    let of_key = sources::find(&integration.source).ok_or(IngestError::UnknownKey)?;
    if of_key.name() != source {
        return Err(IngestError::OtherSource(of_key.name()));
    }
    Ok(Door { integration: integration.clone(), source: of_key })
}

/// Checks and reads a message and makes its signals durable. `wait` is how long the sender would like to wait for the decisions.
///
/// # Errors
/// [`IngestError::Unproven`], and [`IngestError::CannotStore`] when nothing was stored.
pub async fn ingest(house: &House, door: &Door, inbound: &Inbound, wait: Option<Span>) -> Result<Vec<Option<Verdict>>, IngestError> {
    refusal::admit(house, door, inbound)?;
    let checked = sns::check(house, door, inbound).await?;
    let source = door.source;
    let mut signals = read_aside(inbound, &door.integration, move |inbound, integration| source.read(inbound, integration)).await?;
    checked.tell(door, &mut signals);
    failpoint::reach("intake.read");
    let verdicts = accept(house, &door.integration, signals, inbound.body.clone(), wait).await?;
    checked.follow(house, door);
    Ok(verdicts)
}

/// Reads a message, a large one on a thread of its own: a group of 20,000 alerts takes a fifth of a second, and others come meanwhile.
///
/// # Errors
/// [`IngestError::CannotStore`] where this process ends.
pub(super) async fn read_aside<T: Send + 'static>(
    inbound: &Inbound,
    integration: &Integration,
    read: impl FnOnce(&Inbound, &Integration) -> T + Send + 'static,
) -> Result<T, IngestError> {
    if inbound.body.len() < limits::READ_ASIDE_BYTES {
        return Ok(read(inbound, integration));
    }
    let (inbound, integration) = (inbound.clone(), integration.clone());
    match tokio::task::spawn_blocking(move || read(&inbound, &integration)).await {
        Ok(read) => Ok(read),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // This process ends.
            Err(_) => Err(IngestError::CannotStore),
        },
    }
}

/// Sends a signal the way that every signal takes, which says that it is a test and wakes nobody. `None`: it is durable, and was not
/// decided within [`limits::TEST_WAIT`].
///
/// # Errors
/// [`IngestError::CannotStore`] when nothing was stored.
pub async fn test(house: &House, integration: &Integration) -> Result<Option<Verdict>, IngestError> {
    let signal = sources::test_signal(integration);
    let verdicts = accept(house, integration, vec![signal], Bytes::new(), Some(limits::TEST_WAIT)).await?;
    Ok(verdicts.into_iter().next().flatten())
}

/// Makes the alert durable that says that a body was too large to be read. `inbound` is the message without it.
///
/// # Errors
/// [`IngestError::Unproven`] where the integration asks for more than the key, and [`IngestError::CannotStore`] when nothing was stored.
pub async fn oversized(house: &House, door: &Door, inbound: &Inbound) -> Result<(), IngestError> {
    admit_lost(house, door, inbound)?;
    accept(house, &door.integration, vec![sources::oversized(&door.integration)], Bytes::new(), None).await.map(drop)
}

/// Makes the alert durable that says that a body came encoded in a way that cannot be undone; `why` is the clause that says how.
///
/// # Errors
/// As [`oversized`].
pub async fn undecodable(
    house: &House,
    door: &Door,
    inbound: &Inbound,
    why: &str,
    wait: Option<Span>,
) -> Result<Vec<Option<Verdict>>, IngestError> {
    admit_lost(house, door, inbound)?;
    accept(house, &door.integration, vec![sources::undecodable(&door.integration, why)], Bytes::new(), wait).await
}

/// What was sent is there where it only could not be decoded; of what was too large, only the headers are.
fn admit_lost(house: &House, door: &Door, inbound: &Inbound) -> Result<(), IngestError> {
    match inbound.sent {
        Some(_) => refusal::admit(house, door, inbound),
        None => refusal::admit_unread(house, door, inbound),
    }
}

/// What a kind of sender is called, and how it is wired.
#[must_use]
pub fn sender(source: &str) -> Option<(&'static str, &'static str)> {
    sources::find(source).map(|source| (source.title(), source.guide()))
}

/// A kind of sender that can be configured.
pub struct Sender {
    pub source: &'static str,
    pub guide: &'static str,
    /// Whether it signs, so that a secret can be configured.
    pub signs: bool,
}

/// Every kind of sender that this version understands.
pub fn senders() -> impl Iterator<Item = Sender> {
    let sender = |source: &'static dyn Source| Sender { source: source.name(), guide: source.guide(), signs: source.signature().is_some() };
    sources::names().filter_map(sources::find).map(sender)
}

/// Makes signals durable, and waits for what is decided of them if somebody would like to.
pub(super) async fn accept(
    house: &House,
    integration: &Integration,
    signals: Vec<Signal>,
    body: Bytes,
    wait: Option<Span>,
) -> Result<Vec<Option<Verdict>>, IngestError> {
    let count = signals.len();
    // What takes several rows is decided in several transactions, whose answers would each be a part of the whole: such a batch hears
    // that it is durable.
    let wait = wait.filter(|_| count <= limits::JOURNAL_BATCH_ROWS);
    let request = submit(house, integration, signals, body, wait.is_some(), None).await?;
    let Some(wait) = wait else { return Ok(vec![None; count]) };
    // Whatever goes wrong from here on, the message is durable: the answer then says "decided a moment later".
    let decided = tokio::time::timeout(wait.as_duration(), decisions(house, &request)).await;
    Ok(decided.unwrap_or_else(|_| vec![None; count]))
}

/// Makes signals durable for a sender that may ask later what became of the request, by its id. `asked` is what it asked for, in the
/// words of its protocol.
///
/// # Errors
/// [`IngestError::CannotStore`] when nothing was stored.
pub(super) async fn accept_asked(
    house: &House,
    integration: &Integration,
    signals: Vec<Signal>,
    body: Bytes,
    asked: &str,
) -> Result<JournalId, IngestError> {
    submit(house, integration, signals, body, false, Some(asked.to_owned())).await
}

/// Hands one request to the journal, and returns when it is durable.
async fn submit(
    house: &House,
    integration: &Integration,
    signals: Vec<Signal>,
    body: Bytes,
    answer: bool,
    asked: Option<String>,
) -> Result<JournalId, IngestError> {
    let at = house.clock.now();
    let request = JournalId::make(&mut IdSource::fresh(at));
    let beside_unreadable = Entry::cannot_all_be_read(&signals);
    let signals = masked::all(&house.now_live().masks, signals).await?;
    let (integration, request_id) = (integration.id.clone(), request.clone());
    let entry = Entry { request: request_id, integration, answer, sample: None, asked, signals, beside_unreadable, times: 1 };
    let (done, committed) = oneshot::channel();
    house.intake.try_send(Pending { entry, at, body, done }).map_err(|_| IngestError::CannotStore)?;
    failpoint::reach("intake.queued");
    committed.await.map_err(|_| IngestError::CannotStore)??;
    Ok(request)
}

/// Polls for the decisions of one request. Only the test signal and `reveille send` wait, so a short period costs nothing.
async fn decisions(house: &House, request: &JournalId) -> Vec<Option<Verdict>> {
    loop {
        if let Ok(Some(body)) = store::answer_find(&house.store.reader(), request.as_str()).await
            && let Ok(verdicts) = serde_json::from_str::<Vec<Verdict>>(&body)
        {
            return verdicts.into_iter().map(Some).collect();
        }
        tokio::time::sleep(Span::millis(20).as_duration()).await;
    }
}

/// Writes what has queued into the journal, as few rows and one commit at a time, until every sender of the queue is gone.
pub async fn keep_journal(house: House, queue: &mut mpsc::Receiver<Pending>) {
    let mut batch: Vec<Pending> = Vec::new();
    let mut gauge = Gauge::default();
    let mut sampler = Sampler::default();
    let mut budgets = Budgets::default();
    // One source for all rows: they are folded in the order of their ids, and a resolve must not overtake its trigger within a millisecond.
    let mut ids = IdSource::fresh(house.clock.now());
    while gather(queue, &mut batch).await {
        let live = house.now_live();
        let mut waiting = Vec::with_capacity(batch.len());
        let mut entries = Vec::with_capacity(batch.len());
        for Pending { mut entry, at, body, done } in batch.drain(..) {
            entry.sample = sampler.take(&entry.integration, at, &body, &live.masks);
            let budget = live.setup.integrations.get(&entry.integration).map(|integration| integration.budget).unwrap_or_default();
            let is_over = budgets.is_over(&entry.integration, entry.signals.len(), budget.per_second, at);
            entries.push(Admitted { at, entry, is_over });
            waiting.push(done);
        }
        drop(live);
        let outcome = journal(&house, &mut gauge, &mut ids, entries).await;
        for done in waiting {
            // A sender that has gone away does not listen; its message is stored all the same.
            done.send(outcome.clone()).unwrap_or(());
        }
        if outcome.is_ok() {
            failpoint::reach("intake.answered");
            house.journaled.fetch_add(1, Ordering::Relaxed);
            house.bells.journal.ring();
        }
        gauge.check(&house).await;
    }
}

/// What has queued, as soon as there is something, and after whoever can run has run once: one write for all who are about to ask is
/// cheaper for each than a write of their own. This waits for no clock. `false` when every sender is gone.
async fn gather(queue: &mut mpsc::Receiver<Pending>, batch: &mut Vec<Pending>) -> bool {
    if queue.recv_many(batch, limits::JOURNAL_BATCH_ROWS).await == 0 {
        return false;
    }
    tokio::task::yield_now().await;
    while batch.len() < limits::JOURNAL_BATCH_ROWS
        && let Ok(pending) = queue.try_recv()
    {
        batch.push(pending);
    }
    true
}

/// About how many journal rows wait for the folder. Counting them before each batch would make every sender wait for the count.
#[derive(Default)]
struct Gauge {
    /// Counted, and what this process has added since. What was folded since is missing, so it errs towards too many.
    waiting: i64,
    counted_at: Option<Time>,
    fair: Fair,
}

impl Gauge {
    async fn count(&mut self, house: &House) -> Result<(), StoreError> {
        let reader = house.store.reader();
        self.waiting = store::journal_pending(&reader).await?;
        self.fair.learn(&store::journal_turns(&reader).await?);
        self.counted_at = Some(house.clock.now());
        Ok(())
    }

    /// Counts again once in a while, when nobody waits for it.
    async fn check(&mut self, house: &House) {
        let now = house.clock.now();
        let is_fresh = self.counted_at.is_some_and(|at| now >= at && now.since(at) < limits::JOURNAL_COUNT_EVERY);
        if !is_fresh && let Err(error) = self.count(house).await {
            tracing::warn!(%error, "the journal's rows cannot be counted");
        }
    }
}

/// Which requests are kept to be looked at: one of each integration once in a while.
#[derive(Default)]
struct Sampler(BTreeMap<IntegrationId, Time>);

impl Sampler {
    fn take(&mut self, integration: &IntegrationId, at: Time, body: &Bytes, masks: &Mask) -> Option<String> {
        let last = self.0.get(integration);
        if last.is_some_and(|last| at >= *last && at.since(*last) < limits::SAMPLE_EVERY) {
            return None;
        }
        self.0.insert(integration.clone(), at);
        Some(sources::excerpt(body, masks))
    }
}

/// A request on its way into a row.
struct Admitted {
    at: Time,
    entry: Entry,
    /// Whether its integration sends more than its budget.
    is_over: bool,
}

async fn journal(house: &House, gauge: &mut Gauge, ids: &mut IdSource, entries: Vec<Admitted>) -> Result<(), IngestError> {
    let refuse = |error: &StoreError| {
        tracing::error!(%error, "the journal cannot be written");
        IngestError::CannotStore
    };
    // Nothing is refused on a guess.
    if gauge.counted_at.is_none() || gauge.waiting >= limits::JOURNAL_ROWS {
        gauge.count(house).await.map_err(|error| refuse(&error))?;
    }
    if gauge.waiting >= limits::JOURNAL_ROWS {
        tracing::error!(waiting = gauge.waiting, "the journal is full; senders are told to come again");
        return Err(IngestError::CannotStore);
    }
    failpoint::reach("intake.before_commit");
    let (rows, sampled) = rows(entries, &mut gauge.fair, ids).map_err(|error| {
        tracing::error!(%error, "signals do not serialise");
        IngestError::CannotStore
    })?;
    let more = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    store::journal_append(&house.store, rows).await.map_err(|error| refuse(&error))?;
    for (integration, signals) in sampled {
        house.metrics.sampled(integration.as_str(), signals);
    }
    gauge.waiting += more;
    failpoint::reach("intake.committed");
    Ok(())
}

/// The rows of one batch: of each integration its own, since each key has its own turns. A row holds at most
/// [`limits::JOURNAL_BATCH_ROWS`] signals, because a row is folded in one transaction.
///
/// Beside them, how many signals were counted on others because their integration is over its budget.
fn rows(entries: Vec<Admitted>, fair: &mut Fair, ids: &mut IdSource) -> Result<(Vec<Filed>, Sampled), serde_json::Error> {
    let mut sampled = Sampled::new();
    let Some(at) = entries.iter().map(|admitted| admitted.at).min() else { return Ok((Vec::new(), sampled)) };
    ids.move_to(at);
    let mut rows = Vec::new();
    let mut open: BTreeMap<IntegrationId, Sheet> = BTreeMap::new();
    for Admitted { entry, is_over, .. } in entries {
        let sheet = open.entry(entry.integration.clone()).or_default();
        if is_over {
            for entry in budget::apart(entry) {
                if sheet.signals >= limits::JOURNAL_BATCH_ROWS {
                    rows.extend(std::mem::take(sheet).row(at, fair, ids)?);
                }
                let integration = entry.integration.clone();
                if sheet.count(entry) {
                    *sampled.entry(integration).or_default() += 1;
                }
            }
            continue;
        }
        for part in parts(entry) {
            if sheet.signals + part.signals.len() > limits::JOURNAL_BATCH_ROWS {
                rows.extend(std::mem::take(sheet).row(at, fair, ids)?);
            }
            sheet.add(part);
        }
    }
    for sheet in open.into_values() {
        rows.extend(sheet.row(at, fair, ids)?);
    }
    Ok((rows, sampled))
}

type Sampled = BTreeMap<IntegrationId, u64>;

/// A request in parts that fit into a row; none where it has no signals.
fn parts(mut entry: Entry) -> impl Iterator<Item = Entry> {
    let mut signals = std::mem::take(&mut entry.signals).into_iter();
    std::iter::from_fn(move || {
        let part: Vec<Signal> = signals.by_ref().take(limits::JOURNAL_BATCH_ROWS).collect();
        let sample = entry.sample.take();
        (!part.is_empty()).then(|| Entry { signals: part, sample, ..entry.clone() })
    })
}

/// A row that is being filled.
#[derive(Default)]
struct Sheet {
    entries: Vec<Entry>,
    signals: usize,
    said: budget::Said,
}

impl Sheet {
    fn add(&mut self, entry: Entry) {
        self.signals += entry.signals.len();
        match self.entries.last_mut() {
            // A monitor that repeats itself as fast as it can is one entry; each time is decided and counted.
            Some(last) if last.is_said_by(&entry) => last.times = last.times.saturating_add(1),
            _ => {
                self.said.note(&entry, self.entries.len());
                self.entries.push(entry);
            }
        }
    }

    /// As [`Self::add`], for an integration that is over its budget; whether it was counted on an earlier one of its alert.
    fn count(&mut self, entry: Entry) -> bool {
        self.signals += entry.signals.len();
        if let Some(at) = self.said.before(&self.entries, &entry) {
            self.entries[at].times = self.entries[at].times.saturating_add(entry.times);
            return true;
        }
        self.said.note(&entry, self.entries.len());
        self.entries.push(entry);
        false
    }

    fn row(self, at: Time, fair: &mut Fair, ids: &mut IdSource) -> Result<Option<Filed>, serde_json::Error> {
        let Some(first) = self.entries.first() else { return Ok(None) };
        let integration = first.integration.clone();
        let signals = i64::try_from(self.signals).unwrap_or(i64::MAX);
        let turn = fair.turn(&integration, signals);
        let body = serde_json::to_string(&self.entries)?;
        let row = JournalRow { id: JournalId::make(ids), at, signals, body };
        Ok(Some(Filed { row, integration: Some(integration), turn }))
    }
}

/// The queue between the doors and the journal.
#[must_use]
pub fn queue() -> (mpsc::Sender<Pending>, mpsc::Receiver<Pending>) {
    mpsc::channel(limits::INTAKE_QUEUE)
}
