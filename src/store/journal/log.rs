//! The journal in files of its own, beside a SQLite database: what comes in waits for nobody who writes into the database, and a batch
//! costs the disk one write.
//!
//! A row is there from when its file is synced until the transaction that folds it remembers it as folded, in `journal_folded`. A file whose
//! rows are all folded is taken away, and then they need not be remembered any more. Only the process that serves a database writes its
//! files; what others add goes into the table `journal`, and is folded in its turn with the rest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::segment::{self, Head};
use super::{Filed, JournalRow};
use crate::base::bell::Bell;
use crate::base::clock::Stopwatch;
use crate::base::failpoint;
use crate::base::id::{IntegrationId, JournalId};
use crate::base::limits;
use crate::base::metrics::Calls;
use crate::base::time::Time;
use crate::store::ballast::Ballast;
use crate::store::error::{Result, StoreError};

/// The files of one database, open for writing. Clones share them.
#[derive(Clone)]
pub(in crate::store) struct Log(Arc<Inner>);

struct Inner {
    base: PathBuf,
    home: i64,
    room: Room,
    pen: Mutex<Pen>,
    index: Mutex<Index>,
    /// Held by whoever takes files away.
    broom: Mutex<()>,
    /// Whether rows may be folded that the index still has: a commit's end was not seen.
    is_unsure: AtomicBool,
}

/// What is said and done where the disk has no more room, and what calls are counted with.
#[derive(Debug)]
pub(in crate::store) struct Room {
    pub ballast: Option<Ballast>,
    pub no_room: Bell,
    pub calls: Calls,
}

/// Where the next row is written.
#[derive(Default)]
struct Pen {
    number: i64,
    open: Option<Open>,
    /// The file after this one, made meanwhile.
    spare: Option<JoinHandle<io::Result<Open>>>,
    is_closed: bool,
}

struct Open {
    number: i64,
    file: Arc<File>,
    at: u64,
    end: u64,
}

/// What waits in the files.
#[derive(Default)]
struct Index {
    rows: BTreeMap<(i64, JournalId), Place>,
    turns: HashMap<JournalId, i64>,
    files: BTreeMap<i64, Kept>,
    /// Files that are done with, to be taken away.
    spent: Vec<i64>,
    /// Files that are gone, whose rows need not be remembered any more.
    gone: BTreeSet<i64>,
}

struct Place {
    number: i64,
    at: u64,
    bytes: usize,
    signals: i64,
    came_at: Time,
    integration: Option<IntegrationId>,
    /// The row, where few wait: it is wanted in a moment, and is then not read again.
    row: Option<JournalRow>,
}

struct Kept {
    file: Arc<File>,
    /// Rows that are not folded.
    waiting: usize,
    /// Whether more may be written into it.
    is_open: bool,
}

/// A row that waits, without its body.
pub(super) struct Waiting {
    pub turn: i64,
    pub id: JournalId,
    pub signals: i64,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.0.base.display())
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn silent() -> StoreError {
    StoreError::Busy(format!("no answer of the disk within {}", limits::DATABASE_CALL))
}

impl Log {
    /// Reads what an earlier process left. `folded` says which of it is folded, by file.
    ///
    /// # Errors
    /// The disk's.
    pub(in crate::store) fn load(base: &Path, home: i64, folded: &BTreeMap<i64, BTreeSet<JournalId>>, room: Room) -> io::Result<Self> {
        let mut index = Index { gone: folded.keys().copied().collect(), ..Index::default() };
        let mut last = folded.keys().copied().max().unwrap_or(0);
        for number in segment::numbers(base)? {
            last = last.max(number);
            let path = segment::path(base, number);
            let bytes = std::fs::read(&path)?;
            match Head::read(&bytes) {
                Some(head) if head.number == number && head.home == home => {}
                Some(head) => {
                    let aside = path.with_added_extension(format!("of-{}", head.home));
                    tracing::warn!(file = %path.display(), kept_as = %aside.display(),
                        "this journal belongs to another database and is not read; delete it unless that database is to come back");
                    std::fs::rename(&path, aside)?;
                    segment::sync_names(base)?;
                    continue;
                }
                None => {
                    // It was never made whole, so no sender ever heard that anything in it is safe.
                    segment::remove(base, number)?;
                    continue;
                }
            }
            let (rows, is_torn) = segment::rows(&bytes, number);
            if is_torn {
                tracing::warn!(file = %path.display(), rows = rows.len(),
                    "the last of this journal was not whole when the machine stopped; its sender was never told that it is safe");
            }
            let done = folded.get(&number);
            let waiting = rows.into_iter().filter(|found| done.is_none_or(|done| !done.contains(&found.filed.row.id)));
            let waiting: Vec<_> = waiting.map(|found| (found.filed, found.at, found.bytes)).collect();
            if waiting.is_empty() {
                segment::remove(base, number)?;
                continue;
            }
            index.gone.remove(&number);
            index.files.insert(number, Kept { file: Arc::new(File::open(&path)?), waiting: 0, is_open: false });
            for (filed, at, bytes) in &waiting {
                index.add(number, filed, *at, *bytes);
            }
        }
        let pen = Pen { number: last, ..Pen::default() };
        let inner = Inner {
            base: base.to_owned(),
            home,
            room,
            pen: Mutex::new(pen),
            index: Mutex::new(index),
            broom: Mutex::default(),
            is_unsure: AtomicBool::new(false),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Writes rows down. When this returns they survive a power cut; where it fails, nobody may be told so.
    ///
    /// # Errors
    /// As every call of the database.
    pub(super) async fn append(&self, rows: Vec<Filed>) -> Result<()> {
        let (took, log) = (Stopwatch::start(), self.clone());
        // Off the runtime's own threads: the disk may take its time.
        let written = tokio::task::spawn_blocking(move || held(&log.0.pen).append(&log, &rows));
        let done = match tokio::time::timeout(limits::DATABASE_CALL.as_duration(), written).await {
            Ok(Ok(done)) => done.map_err(|error| self.0.room.failed(&error)),
            Ok(Err(error)) => Err(StoreError::Busy(format!("the journal's writer: {error}"))),
            Err(_) => Err(silent()),
        };
        self.0.room.calls.note(took, done.is_ok());
        done
    }

    /// The first rows in the order of their turns.
    pub(super) fn first(&self, most: usize) -> Vec<Waiting> {
        let index = held(&self.0.index);
        let rows = index.rows.iter().take(most);
        rows.map(|((turn, id), place)| Waiting { turn: *turn, id: id.clone(), signals: place.signals }).collect()
    }

    /// The rows of these that are in the files. One that cannot be read any more comes with an empty body, which no row has: it is then
    /// kept aside as what cannot be folded.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while this process ends, and where the disk does not answer in time.
    pub(super) async fn read(&self, ids: &[JournalId]) -> Result<Vec<JournalRow>> {
        let mut rows = Vec::new();
        let mut found = Vec::new();
        {
            let index = held(&self.0.index);
            for id in ids {
                let Some(place) = index.turns.get(id).and_then(|turn| index.rows.get(&(*turn, id.clone()))) else { continue };
                let Some(kept) = index.files.get(&place.number) else { continue };
                match &place.row {
                    Some(row) => rows.push(row.clone()),
                    None => found.push((id.clone(), kept.file.clone(), place.number, place.at, place.bytes, place.signals, place.came_at)),
                }
            }
        }
        if found.is_empty() {
            return Ok(rows);
        }
        let read = move || {
            let row = |(id, file, number, at, bytes, signals, came_at): (JournalId, Arc<File>, i64, u64, usize, i64, Time)| {
                segment::row_at(&file, number, at, bytes).unwrap_or_else(|error| {
                    tracing::error!(row = %id, file = number, %error, "a row of the journal cannot be read");
                    JournalRow { id, at: came_at, signals, body: String::new() }
                })
            };
            found.into_iter().map(row).collect::<Vec<_>>()
        };
        match tokio::time::timeout(limits::DATABASE_CALL.as_duration(), tokio::task::spawn_blocking(read)).await {
            Ok(Ok(read)) => {
                rows.extend(read);
                Ok(rows)
            }
            Ok(Err(error)) => Err(StoreError::Busy(format!("the journal's reader: {error}"))),
            Err(_) => Err(silent()),
        }
    }

    /// Those of these rows that are in the files, with the number of the file.
    pub(super) fn places(&self, ids: &[JournalId]) -> Vec<(i64, JournalId)> {
        let index = held(&self.0.index);
        let find = |id: &JournalId| {
            let turn = index.turns.get(id)?;
            Some((index.rows.get(&(*turn, id.clone()))?.number, id.clone()))
        };
        ids.iter().filter_map(find).collect()
    }

    /// Files that are gone, and whose rows are still remembered as folded.
    pub(super) fn gone(&self) -> Vec<i64> {
        held(&self.0.index).gone.iter().copied().collect()
    }

    /// Whether something may be folded that this still has: ask the database first.
    pub(super) fn is_unsure(&self) -> bool {
        self.0.is_unsure.load(Ordering::Relaxed)
    }

    /// The fate of these rows is about to be decided by a commit.
    pub(in crate::store) fn doubt(&self) {
        self.0.is_unsure.store(true, Ordering::Relaxed);
    }

    /// These rows are folded, and those files' rows are not remembered any more; both durably.
    pub(in crate::store) fn forget(&self, folded: &[JournalId], gone: &[i64]) {
        let is_spent = {
            let mut index = held(&self.0.index);
            for id in folded {
                index.remove(id);
            }
            index.gone.retain(|number| !gone.contains(number));
            index.spend();
            !index.spent.is_empty()
        };
        self.0.is_unsure.store(false, Ordering::Relaxed);
        if is_spent {
            let log = self.clone();
            // Nobody waits for it: until a file is gone its rows are remembered.
            tokio::task::spawn_blocking(move || log.take_away());
        }
    }

    fn take_away(&self) {
        let _broom = held(&self.0.broom);
        let next = || held(&self.0.index).spent.pop();
        while let Some(number) = next() {
            match segment::remove(&self.0.base, number) {
                Ok(()) => {
                    held(&self.0.index).gone.insert(number);
                }
                Err(error) => tracing::warn!(%error, number, "a journal's file that is done with stays until the next start"),
            }
        }
    }

    /// How many rows wait, and since when the oldest does.
    pub(in crate::store) fn waiting(&self) -> (i64, Option<Time>) {
        let index = held(&self.0.index);
        let oldest = index.rows.values().map(|place| place.came_at).min();
        (i64::try_from(index.rows.len()).unwrap_or(i64::MAX), oldest)
    }

    pub(super) fn is_empty(&self) -> bool {
        held(&self.0.index).rows.is_empty()
    }

    /// Of each integration that has rows waiting, its first turn and its last.
    pub(super) fn turns(&self) -> BTreeMap<IntegrationId, (i64, i64)> {
        let index = held(&self.0.index);
        let mut turns: BTreeMap<IntegrationId, (i64, i64)> = BTreeMap::new();
        for ((turn, _), place) in &index.rows {
            let Some(integration) = &place.integration else { continue };
            match turns.get_mut(integration) {
                // They come in the order of their turns.
                Some((_, last)) => *last = *turn,
                None => {
                    turns.insert(integration.clone(), (*turn, *turn));
                }
            }
        }
        turns
    }

    /// The last turn of an integration.
    pub(super) fn last_turn(&self, integration: &IntegrationId) -> Option<i64> {
        let index = held(&self.0.index);
        let mut rows = index.rows.iter().rev();
        rows.find_map(|((turn, _), place)| (place.integration.as_ref() == Some(integration)).then_some(*turn))
    }

    /// Takes every file away that is done with; nothing is written after that.
    pub(in crate::store) async fn close(&self) {
        let log = self.clone();
        let close = move || {
            held(&log.0.pen).close(&log);
            held(&log.0.index).spend();
            log.take_away();
        };
        match tokio::time::timeout(limits::DATABASE_CALL.as_duration(), tokio::task::spawn_blocking(close)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the journal's files did not close as they should"),
            Err(_) => tracing::warn!(error = %silent(), "the journal's files did not close as they should"),
        }
    }
}

impl Pen {
    fn append(&mut self, log: &Log, rows: &[Filed]) -> io::Result<()> {
        let (mut rest, mut batch) = (rows, Vec::new());
        while let Some(first) = rest.first() {
            if self.is_closed {
                return Err(io::Error::other("it is closed"));
            }
            self.make_room(log, segment::size(first))?;
            let Some(open) = &mut self.open else { return Err(io::Error::other("it has no file")) };
            // As many as fit, each with the place after it.
            let mut ends = Vec::new();
            batch.clear();
            for filed in rest {
                let before = batch.len();
                segment::write(&mut batch, open.number, filed);
                if open.at + batch.len() as u64 > open.end {
                    batch.truncate(before);
                    break;
                }
                ends.push(batch.len());
            }
            let begin = open.at;
            // Moved on before it is written: nothing is ever written where something failed.
            open.at += batch.len() as u64;
            let written = open.file.write_all_at(&batch, begin).and_then(|()| {
                failpoint::reach("journal.written");
                open.file.sync_data()
            });
            if let Err(error) = written {
                // What a sync that failed left behind cannot be known, so nothing more goes into this file.
                self.leave(log);
                return Err(error);
            }
            let (now, later) = rest.split_at(ends.len());
            let mut index = held(&log.0.index);
            let mut at = 0;
            for (filed, end) in now.iter().zip(ends) {
                index.add(open.number, filed, begin + at as u64, end - at);
                at = end;
            }
            rest = later;
        }
        Ok(())
    }

    /// An open file with room for so many bytes.
    fn make_room(&mut self, log: &Log, bytes: u64) -> io::Result<()> {
        if let Some(open) = &self.open
            && open.at + bytes <= open.end
        {
            if self.spare.is_none() && open.at > open.end / 2 {
                let (log, number) = (log.clone(), self.next());
                self.spare = Some(std::thread::spawn(move || Open::make(&log, number, limits::JOURNAL_FILE_BYTES)));
            }
            return Ok(());
        }
        self.leave(log);
        let mut open = if let Some(Ok(Ok(open))) = self.spare.take().map(JoinHandle::join) {
            open
        } else {
            // Whatever became of the spare one, it is tried again, and then told.
            Open::make(log, self.next(), limits::JOURNAL_FILE_BYTES)?
        };
        if open.at + bytes > open.end {
            // A row larger than a file has a file of its own, and the other is not needed.
            let kept = Kept { file: open.file, waiting: 0, is_open: false };
            held(&log.0.index).files.insert(open.number, kept);
            open = Open::make(log, self.next(), segment::HEAD + bytes)?;
        }
        let kept = Kept { file: open.file.clone(), waiting: 0, is_open: true };
        held(&log.0.index).files.insert(open.number, kept);
        self.open = Some(open);
        Ok(())
    }

    const fn next(&mut self) -> i64 {
        self.number += 1;
        self.number
    }

    fn leave(&mut self, log: &Log) {
        if let Some(open) = self.open.take()
            && let Some(kept) = held(&log.0.index).files.get_mut(&open.number)
        {
            kept.is_open = false;
        }
    }

    fn close(&mut self, log: &Log) {
        self.leave(log);
        self.is_closed = true;
        if let Some(Ok(Ok(open))) = self.spare.take().map(JoinHandle::join) {
            let kept = Kept { file: open.file, waiting: 0, is_open: false };
            held(&log.0.index).files.insert(open.number, kept);
        }
    }
}

impl Open {
    fn make(log: &Log, number: i64, bytes: u64) -> io::Result<Self> {
        let file = segment::make(&log.0.base, Head { home: log.0.home, number }, bytes)?;
        Ok(Self { number, file: Arc::new(file), at: segment::HEAD, end: bytes })
    }
}

impl Index {
    fn add(&mut self, number: i64, filed: &Filed, at: u64, bytes: usize) {
        let (row, integration) = (&filed.row, filed.integration.clone());
        let is_kept = self.rows.len() < limits::JOURNAL_KEPT_ROWS && bytes <= limits::JOURNAL_KEPT_BYTES;
        let kept = is_kept.then(|| row.clone());
        let place = Place { number, at, bytes, signals: row.signals, came_at: row.at, integration, row: kept };
        self.rows.insert((filed.turn, row.id.clone()), place);
        self.turns.insert(row.id.clone(), filed.turn);
        if let Some(kept) = self.files.get_mut(&number) {
            kept.waiting += 1;
        }
    }

    fn remove(&mut self, id: &JournalId) {
        let Some(turn) = self.turns.remove(id) else { return };
        let Some(place) = self.rows.remove(&(turn, id.clone())) else { return };
        if let Some(kept) = self.files.get_mut(&place.number) {
            kept.waiting -= 1;
        }
    }

    /// Finds the files in which nothing waits, and nothing will.
    fn spend(&mut self) {
        let is_spent = |kept: &Kept| kept.waiting == 0 && !kept.is_open;
        self.spent.extend(self.files.iter().filter(|(_, kept)| is_spent(kept)).map(|(number, _)| *number));
        self.files.retain(|_, kept| !is_spent(kept));
    }
}

impl Room {
    fn failed(&self, error: &io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                crate::store::ballast::no_room(self.ballast.as_ref(), Some(&self.no_room))
            }
            _ => StoreError::Busy(format!("the journal's file: {error}")),
        }
    }
}
