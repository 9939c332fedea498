//! The journal's files as whoever opens the database finds them, and what the database remembers of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::log::{Log, Room};
use super::segment::{self, Head};
use super::{Filed, JournalRow};
use crate::base::id::{IntegrationId, JournalId};
use crate::base::time::Time;
use crate::store::WriteLane;
use crate::store::error::{Result, StoreError};
use crate::store::open::Store;
use crate::store::read::Reader;
use crate::store::sql::{Columns as _, pieces, sql, sql_made};
use crate::store::tx::{Ask, Tx};

/// Where the files of a SQLite database lie. Clones share what was opened.
#[derive(Debug, Clone)]
pub(in crate::store) struct Files {
    base: PathBuf,
    /// Theirs who serves this database, once its tables are there.
    log: Arc<OnceLock<Log>>,
}

impl Files {
    pub(in crate::store) fn beside(database: &Path) -> Self {
        Self { base: database.to_owned(), log: Arc::default() }
    }

    /// For whoever serves the database: only then is there one who writes them.
    pub(in crate::store) fn log(&self) -> Option<&Log> {
        self.log.get()
    }

    /// Reads what is there, and writes from now on.
    ///
    /// # Errors
    /// As every call of the database, and the disk's.
    pub(in crate::store) async fn open(&self, store: &Store, room: Room) -> Result<()> {
        if self.log.get().is_some() {
            return Ok(());
        }
        let mut tx = store.begin(WriteLane::Rest).await?;
        let home = home_made(&mut tx).await?;
        let folded = folded(&mut tx).await?;
        tx.commit().await?;
        let base = self.base.clone();
        let load = move || Log::load(&base, home, &folded, room);
        let log = tokio::task::spawn_blocking(load).await.map_err(|error| StoreError::Busy(format!("the journal's files: {error}")))?;
        let log = log.map_err(|source| StoreError::File { path: segment::path(&self.base, 0), source })?;
        // Another call of this one process may have come first, and read the same.
        self.log.set(log).unwrap_or_default();
        Ok(())
    }
}

async fn home_made(tx: &mut Tx) -> Result<i64> {
    if let Some(home) = home(tx).await? {
        return Ok(home);
    }
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| StoreError::Busy("the system gives no randomness".to_owned()))?;
    // Positive, because it is part of a file's name where it is another's.
    let home = i64::from_le_bytes(bytes) & i64::MAX;
    tx.execute(sql("INSERT INTO journal_home (home) VALUES ($1)").int(home)).await?;
    Ok(home)
}

/// The number that the files of this database carry: those of another one are not read.
async fn home(ask: &mut impl Ask) -> Result<Option<i64>> {
    let rows = ask.ask(sql("SELECT home FROM journal_home")).await?;
    rows.first().map(|row| row.int("home")).transpose()
}

/// Which rows are folded, by file.
pub(super) async fn folded(ask: &mut impl Ask) -> Result<BTreeMap<i64, BTreeSet<JournalId>>> {
    let mut folded: BTreeMap<i64, BTreeSet<JournalId>> = BTreeMap::new();
    for row in ask.ask(sql("SELECT file, id FROM journal_folded")).await? {
        folded.entry(row.int("file")?).or_default().insert(JournalId::from_text(row.text("id")?));
    }
    Ok(folded)
}

/// Remembers those of these rows as folded that lie in files, and says which they are; what is remembered of files that are gone is not
/// needed any more.
pub(super) async fn forget(tx: &mut Tx, ids: &[JournalId]) -> Result<BTreeSet<JournalId>> {
    let Some(log) = tx.journal().cloned() else { return Ok(BTreeSet::new()) };
    let (places, gone) = (log.places(ids), log.gone());
    for places in pieces(&places) {
        let add = sql_made(format!("INSERT INTO journal_folded (file, id) VALUES {}", tx.tuples(places.len(), 2)));
        tx.put(places.iter().fold(add, |add, (file, id)| add.int(*file).text(id.as_str()))).await?;
    }
    for file in &gone {
        tx.put(sql("DELETE FROM journal_folded WHERE file = $1").int(*file)).await?;
    }
    let ids: BTreeSet<JournalId> = places.into_iter().map(|(_, id)| id).collect();
    tx.folds(ids.iter().cloned().collect(), gone);
    Ok(ids)
}

/// How many rows wait in files, and since when the oldest does.
pub(in crate::store) async fn files_waiting(reader: &Reader) -> Result<(i64, Option<Time>)> {
    if let Some(log) = reader.journal() {
        return Ok(log.waiting());
    }
    let Some(files) = reader.files() else { return Ok((0, None)) };
    // Beside whoever serves the database: what is folded meanwhile may be counted still.
    let photo = Photo::take(files)?;
    if photo.files.is_empty() {
        return Ok((0, None));
    }
    let mut ask = reader.clone();
    let (home, folded) = (home(&mut ask).await?, folded(&mut ask).await?);
    let (mut rows, mut oldest) = (0, None);
    for (number, mut file) in photo.files {
        for filed in unfolded(&mut file, number, home, &folded).map_err(|error| unread(&error))? {
            rows += 1;
            oldest = Some(oldest.map_or(filed.row.at, |oldest: Time| oldest.min(filed.row.at)));
        }
    }
    Ok((rows, oldest))
}

fn unread(error: &io::Error) -> StoreError {
    StoreError::Busy(format!("the journal's files: {error}"))
}

fn unfolded(file: &mut File, number: i64, home: Option<i64>, folded: &BTreeMap<i64, BTreeSet<JournalId>>) -> io::Result<Vec<Filed>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if Head::read(&bytes).is_none_or(|head| Some(head.home) != home || head.number != number) {
        return Ok(Vec::new());
    }
    let done = folded.get(&number);
    let rows = segment::rows(&bytes, number).0.into_iter().map(|found| found.filed);
    Ok(rows.filter(|filed| done.is_none_or(|done| !done.contains(&filed.row.id))).collect())
}

/// The files as they were at one moment, open: what is taken away afterwards can still be read.
#[derive(Debug)]
pub(in crate::store) struct Photo {
    base: PathBuf,
    files: Vec<(i64, File)>,
    home: Option<i64>,
    folded: BTreeMap<i64, BTreeSet<JournalId>>,
}

impl Photo {
    pub(in crate::store) fn take(of: &Files) -> Result<Self> {
        let mut files = Vec::new();
        for number in segment::numbers(&of.base).map_err(|error| unread(&error))? {
            match File::open(segment::path(&of.base, number)) {
                Ok(file) => files.push((number, file)),
                // All of it is folded.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unread(&error)),
            }
        }
        Ok(Self { base: of.base.clone(), files, home: None, folded: BTreeMap::new() })
    }

    /// Whether all files are still there: then what the database remembers of them, read now, is all there is to know.
    pub(in crate::store) fn is_fresh(&self) -> bool {
        self.files.iter().all(|(number, _)| segment::path(&self.base, *number).exists())
    }

    /// Learns which rows are folded, at the moment of whoever is asked.
    pub(in crate::store) async fn learn(&mut self, ask: &mut impl Ask) -> Result<()> {
        // A database that has no files may be an earlier version's, which remembers nothing of them.
        if !self.files.is_empty() {
            self.home = home(ask).await?;
            self.folded = folded(ask).await?;
        }
        Ok(())
    }

    /// The rows of the next file that wait; `None` after the last.
    pub(in crate::store) fn next(&mut self) -> Result<Option<Vec<Filed>>> {
        let Some((number, mut file)) = self.files.pop() else { return Ok(None) };
        unfolded(&mut file, number, self.home, &self.folded).map(Some).map_err(|error| unread(&error))
    }
}

impl Filed {
    /// The value of a column of the table `journal`, as this row has it.
    pub(in crate::store) fn value(&self, column: &str) -> Result<serde_json::Value> {
        let Self { row: JournalRow { id, at, signals, body }, integration, turn } = self;
        Ok(match column {
            "id" => id.as_str().into(),
            "at" => at.0.into(),
            "signals" => (*signals).into(),
            "body" => body.as_str().into(),
            "integration" => integration.as_ref().map_or("", IntegrationId::as_str).into(),
            "turn" => (*turn).into(),
            other => return Err(StoreError::Refused(format!("a row of the journal has no {other}"))),
        })
    }
}
