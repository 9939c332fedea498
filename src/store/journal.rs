//! The journal: what was accepted and is not folded yet. And the answers for requests that wait for the fold.

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
/// When they could not be stored, none of them; they must then not be acknowledged.
pub async fn journal_append(store: &Store, rows: &[Filed]) -> Result<()> {
    if let [row] = rows {
        // A statement by itself is a transaction, and on the way of every sender.
        store.alone(WriteLane::Intake).await?.conn.execute(insert(row)).await?;
        return Ok(());
    }
    let mut tx = store.begin(WriteLane::Intake).await?;
    for rows in pieces(rows) {
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
    tx.execute(sql("DELETE FROM journal WHERE id = $1").text(row.id.as_str())).await?;
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
    let look = format!("SELECT id, signals FROM journal ORDER BY turn, id LIMIT $1{}", tx.dialect().for_update());
    let (mut ids, mut held) = (Vec::new(), 0);
    for row in tx.rows(sql_made(look).int(most)).await? {
        held += row.int("signals")?;
        if held > signals && !ids.is_empty() {
            break;
        }
        ids.push(row.text("id")?);
    }
    let mut taken = Vec::new();
    for ids in ids.chunks(LIST) {
        let take = format!("SELECT id, at, signals, body FROM journal WHERE id IN ({})", tx.list(1, ids.len()));
        for row in tx.rows(sql_made(take).texts(ids)).await? {
            let id = JournalId::from_text(row.text("id")?);
            taken.push(JournalRow { id, at: row.time("at")?, signals: row.int("signals")?, body: row.text("body")? });
        }
    }
    taken.sort_by_key(|row| ids.iter().position(|id| id == row.id.as_str()));
    Ok(taken)
}

/// Deletes what was folded, in the transaction that folded it.
///
/// # Errors
/// As every call of the database.
pub async fn journal_delete(tx: &mut Tx, ids: &[JournalId]) -> Result<()> {
    for ids in ids.chunks(LIST) {
        let texts: Vec<&str> = ids.iter().map(JournalId::as_str).collect();
        tx.execute(sql_made(format!("DELETE FROM journal WHERE id IN ({})", list(1, texts.len()))).texts(&texts)).await?;
    }
    Ok(())
}

/// How many rows wait for the folder.
///
/// # Errors
/// As every call of the database.
pub async fn journal_pending(reader: &Reader) -> Result<i64> {
    let rows = reader.rows(sql("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM journal")).await?;
    rows.first().map_or(Ok(0), |row| row.int("n"))
}

/// Whether any row waits for the folder.
///
/// # Errors
/// As every call of the database.
pub async fn journal_waits(reader: &Reader) -> Result<bool> {
    Ok(!reader.rows(sql("SELECT turn FROM journal LIMIT 1")).await?.is_empty())
}

/// Of each integration that has rows waiting, its first turn and its last.
///
/// # Errors
/// As every call of the database.
pub async fn journal_turns(reader: &Reader) -> Result<Vec<(IntegrationId, i64, i64)>> {
    let find =
        "SELECT integration, MIN(turn) AS first_turn, MAX(turn) AS last_turn FROM journal WHERE integration <> '' GROUP BY integration";
    let rows = reader.rows(sql(find)).await?;
    rows.iter().map(|row| Ok((IntegrationId::from_text(row.text("integration")?), row.int("first_turn")?, row.int("last_turn")?))).collect()
}

/// The turn after which a row of this integration has to stand, so that it overtakes none of its own.
///
/// # Errors
/// As every call of the database.
pub async fn journal_last_turn(tx: &mut Tx, integration: &IntegrationId) -> Result<i64> {
    let find = sql("SELECT CAST(COALESCE(MAX(turn), 0) AS BIGINT) AS turn FROM journal WHERE integration = $1");
    tx.row(find.text(integration.as_str())).await?.map_or(Ok(0), |row| row.int("turn"))
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
