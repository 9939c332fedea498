//! The journal: what was accepted and is not folded yet. And the answers for requests that wait for the fold.
//!
//! Beside a SQLite database it lies in files of its own; on PostgreSQL, and for what is added in a transaction, it is a table.

mod files;
mod log;
mod segment;

use std::collections::BTreeSet;

pub(super) use self::files::{Files, Photo, files_waiting};
pub(super) use self::log::{Log, Room};
use super::WriteLane;
use super::error::Result;
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, LIST, Sql, list, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{IntegrationId, JournalId};
use crate::base::time::Time;

/// One accepted batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRow {
    pub id: JournalId,
    pub at: Time,
    /// How many signals the body holds.
    pub signals: i64,
    pub body: String,
}

/// A row and its place among the others: rows are folded in the order of their turns, and those of one turn in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    pub row: JournalRow,
    /// Whose signals they are; `None`: of several, or of nobody who could send too many.
    pub integration: Option<IntegrationId>,
    pub turn: i64,
}

impl Filed {
    /// A row that goes first, because nobody can send many of its kind.
    #[must_use]
    pub const fn first(row: JournalRow) -> Self {
        Self { row, integration: None, turn: 0 }
    }
}

/// The durable act of the intake: when this returns, the rows survive a power cut, all of them.
///
/// # Errors
/// When they could not all be stored; they must then not be acknowledged.
pub async fn journal_append(store: &Store, rows: Vec<Filed>) -> Result<()> {
    if let Some(log) = store.journal() {
        return log.append(rows).await;
    }
    if let [row] = rows.as_slice() {
        // A statement by itself is a transaction, and on the way of every sender.
        store.alone(WriteLane::Intake).await?.conn.execute(insert(row)).await?;
        return Ok(());
    }
    let mut tx = store.begin(WriteLane::Intake).await?;
    for rows in pieces(&rows) {
        let append = format!("INSERT INTO journal (id, at, signals, body, integration, turn) VALUES {}", tx.tuples(rows.len(), COLUMNS));
        tx.execute(rows.iter().fold(sql_made(append), values)).await?;
    }
    tx.commit().await
}

/// A row that becomes durable with its transaction.
///
/// # Errors
/// As every call of the database.
pub async fn journal_add(tx: &mut Tx, row: &Filed) -> Result<()> {
    tx.execute(insert(row)).await?;
    Ok(())
}

const COLUMNS: usize = 6;

fn insert(filed: &Filed) -> Sql {
    values(sql("INSERT INTO journal (id, at, signals, body, integration, turn) VALUES ($1, $2, $3, $4, $5, $6)"), filed)
}

fn values(insert: Sql, Filed { row, integration, turn }: &Filed) -> Sql {
    let insert = insert.text(row.id.as_str()).time(row.at).int(row.signals).text(&row.body);
    insert.text(integration.as_ref().map_or("", IntegrationId::as_str)).int(*turn)
}

/// Takes a row that cannot be folded out of the way and keeps it, with what `instead` says of it in its place.
///
/// # Errors
/// As every call of the database.
pub async fn journal_set_aside(tx: &mut Tx, row: &JournalRow, reason: &str, instead: Option<&JournalRow>) -> Result<()> {
    let keep = sql("INSERT INTO journal_aside (id, at, signals, body, reason) VALUES ($1, $2, $3, $4, $5)");
    tx.execute(keep.text(row.id.as_str()).time(row.at).int(row.signals).text(&row.body).text(reason)).await?;
    journal_delete(tx, std::slice::from_ref(&row.id)).await?;
    if let Some(instead) = instead {
        tx.execute(insert(&Filed::first(instead.clone()))).await?;
    }
    Ok(())
}

/// Puts what was set aside back into the journal, and says how many rows: this version may be able to fold them.
///
/// # Errors
/// As every call of the database.
pub async fn journal_put_back(store: &Store) -> Result<u64> {
    let mut tx = store.begin(WriteLane::Intake).await?;
    let back = "INSERT INTO journal (id, at, signals, body) SELECT id, at, signals, body FROM journal_aside";
    let rows = tx.execute(sql(back)).await?;
    tx.execute(sql("DELETE FROM journal_aside")).await?;
    tx.commit().await?;
    Ok(rows)
}

/// How many rows are set aside.
///
/// # Errors
/// As every call of the database.
pub async fn journal_aside(reader: &Reader) -> Result<i64> {
    let rows = reader.rows(sql("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM journal_aside")).await?;
    rows.first().map_or(Ok(0), |row| row.int("n"))
}

/// The rows whose turn it is, locked: a second folder waits, and then finds them gone. At most `most` of them, and so many that they hold
/// at most `signals` signals; always the first.
///
/// # Errors
/// As every call of the database.
pub async fn journal_take(tx: &mut Tx, most: i64, signals: i64) -> Result<Vec<JournalRow>> {
    // Without the bodies, of which a full journal has far more than one fold takes.
    let look = format!("SELECT turn, id, signals FROM journal ORDER BY turn, id LIMIT $1{}", tx.dialect().for_update());
    let mut waiting: Vec<(i64, JournalId, i64)> = Vec::new();
    for row in tx.rows(sql_made(look).int(most)).await? {
        waiting.push((row.int("turn")?, JournalId::from_text(row.text("id")?), row.int("signals")?));
    }
    let mut in_table: BTreeSet<JournalId> = waiting.iter().map(|(_, id, _)| id.clone()).collect();
    if let Some(log) = tx.journal().cloned() {
        if log.is_unsure() {
            let folded = files::folded(tx).await?;
            log.forget(&folded.into_values().flatten().collect::<Vec<_>>(), &[]);
        }
        waiting.extend(log.first(usize::try_from(most).unwrap_or(0)).into_iter().map(|row| (row.turn, row.id, row.signals)));
        waiting.sort_unstable();
        waiting.truncate(usize::try_from(most).unwrap_or(0));
    }
    let mut held = 0;
    let fits = |(n, (_, _, more)): &(usize, &(i64, JournalId, i64))| {
        held += more;
        *n == 0 || held <= signals
    };
    let ids: Vec<JournalId> = waiting.iter().enumerate().take_while(fits).map(|(_, (_, id, _))| id.clone()).collect();
    let mut taken = match tx.journal().cloned() {
        Some(log) => log.read(&ids).await?,
        None => Vec::new(),
    };
    in_table.retain(|id| ids.contains(id));
    let texts: Vec<&str> = in_table.iter().map(JournalId::as_str).collect();
    for ids in texts.chunks(LIST) {
        let take = format!("SELECT id, at, signals, body FROM journal WHERE id IN ({})", tx.list(1, ids.len()));
        for row in tx.rows(sql_made(take).texts(ids)).await? {
            let id = JournalId::from_text(row.text("id")?);
            taken.push(JournalRow { id, at: row.time("at")?, signals: row.int("signals")?, body: row.text("body")? });
        }
    }
    taken.sort_by_key(|row| ids.iter().position(|id| *id == row.id));
    Ok(taken)
}

/// Deletes what was folded, in the transaction that folded it.
///
/// # Errors
/// As every call of the database.
pub async fn journal_delete(tx: &mut Tx, ids: &[JournalId]) -> Result<()> {
    let in_files = files::forget(tx, ids).await?;
    let in_table: Vec<&str> = ids.iter().filter(|id| !in_files.contains(id)).map(JournalId::as_str).collect();
    for ids in in_table.chunks(LIST) {
        tx.execute(sql_made(format!("DELETE FROM journal WHERE id IN ({})", list(1, ids.len()))).texts(ids)).await?;
    }
    Ok(())
}

/// How many rows wait for the folder.
///
/// # Errors
/// As every call of the database.
pub async fn journal_pending(reader: &Reader) -> Result<i64> {
    let in_files = files_waiting(reader).await?.0;
    let rows = reader.rows(sql("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM journal")).await?;
    rows.first().map_or(Ok(0), |row| row.int("n")).map(|in_table| in_table + in_files)
}

/// Whether any row waits for the folder.
///
/// # Errors
/// As every call of the database.
pub async fn journal_waits(reader: &Reader) -> Result<bool> {
    let in_files = reader.journal().is_some_and(|log| !log.is_empty());
    Ok(in_files || !reader.rows(sql("SELECT turn FROM journal LIMIT 1")).await?.is_empty())
}

/// Of each integration that has rows waiting, its first turn and its last.
///
/// # Errors
/// As every call of the database.
pub async fn journal_turns(reader: &Reader) -> Result<Vec<(IntegrationId, i64, i64)>> {
    let find =
        "SELECT integration, MIN(turn) AS first_turn, MAX(turn) AS last_turn FROM journal WHERE integration <> '' GROUP BY integration";
    let mut turns = reader.journal().map(Log::turns).unwrap_or_default();
    for row in reader.rows(sql(find)).await? {
        let (first, last) = (row.int("first_turn")?, row.int("last_turn")?);
        let both = turns.entry(IntegrationId::from_text(row.text("integration")?)).or_insert((first, last));
        *both = (both.0.min(first), both.1.max(last));
    }
    Ok(turns.into_iter().map(|(integration, (first, last))| (integration, first, last)).collect())
}

/// The turn after which a row of this integration has to stand, so that it overtakes none of its own.
///
/// # Errors
/// As every call of the database.
pub async fn journal_last_turn(tx: &mut Tx, integration: &IntegrationId) -> Result<i64> {
    let find = sql("SELECT CAST(COALESCE(MAX(turn), 0) AS BIGINT) AS turn FROM journal WHERE integration = $1");
    let in_table = tx.row(find.text(integration.as_str())).await?.map_or(Ok(0), |row| row.int("turn"))?;
    Ok(tx.journal().and_then(|log| log.last_turn(integration)).map_or(in_table, |in_files| in_files.max(in_table)))
}

/// Keeps what was decided for a request that asked to wait.
///
/// # Errors
/// As every call of the database.
pub async fn answer_save(tx: &mut Tx, request: &str, at: Time, body: &str) -> Result<()> {
    let save = sql("INSERT INTO answers (request, at, body) VALUES ($1, $2, $3) \
                    ON CONFLICT (request) DO UPDATE SET at = excluded.at, body = excluded.body");
    tx.execute(save.text(request).time(at).text(body)).await?;
    Ok(())
}

/// # Errors
/// As every call of the database.
pub async fn answer_find(reader: &Reader, request: &str) -> Result<Option<String>> {
    let rows = reader.rows(sql("SELECT body FROM answers WHERE request = $1").text(request)).await?;
    rows.first().map(|row| row.text("body")).transpose()
}

/// Deletes the oldest answers from before `before`, at most `limit`, and says how many.
///
/// # Errors
/// As every call of the database.
pub async fn answers_forget(tx: &mut Tx, before: Time, limit: i64) -> Result<u64> {
    let forget = sql("DELETE FROM answers WHERE request IN (SELECT request FROM answers WHERE at < $1 ORDER BY at LIMIT $2)");
    tx.execute(forget.time(before).int(limit)).await
}
