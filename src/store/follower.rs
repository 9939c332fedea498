//! Followers: whoever reads the facts in their order and tells something outside. A follower is claimed by lease, in the database's time,
//! so that one process at a time tells for it; what it has told is written down before the next is told.

use sqlx::any::AnyRow;

use super::WriteLane;
use super::error::{Result, StoreError};
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, Sql, sql, sql_made};
use super::tx::Tx;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::Time;

/// One follower. One that was claimed carries the right to be saved for as long as nobody else has claimed it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerRow {
    /// Its kind and what it is for, as in `webhook:ops`.
    pub name: String,
    /// The last fact that it has told or passed over.
    pub seq: i64,
    /// What it remembers, as JSON in its own words.
    pub state: String,
    /// `Time(0)`: as soon as there is a fact after `seq`. Anything else: then, whether or not there is one.
    pub due_at: Time,
    /// How often the present step has failed.
    pub tries: i64,
    /// It has told all that it was for, and is not looked at again.
    pub done: bool,
    /// Which claim this is; empty in a row that was only read.
    claim: String,
}

const COLUMNS: &str = "name, seq, state, due_at, tries, done";

fn follower_of(row: &AnyRow, claim: &str) -> Result<FollowerRow> {
    Ok(FollowerRow {
        name: row.text("name")?,
        seq: row.int("seq")?,
        state: row.text("state")?,
        due_at: row.time("due_at")?,
        tries: row.int("tries")?,
        done: row.flag("done")?,
        claim: claim.to_owned(),
    })
}

/// Makes a follower that begins after the fact `seq`. One of this name stays as it is.
///
/// # Errors
/// As every call of the database.
pub async fn follower_add(tx: &mut Tx, name: &str, seq: i64) -> Result<()> {
    let add = sql("INSERT INTO followers (name, seq) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
    tx.execute(add.text(name).int(seq)).await?;
    Ok(())
}

/// Removes a follower, whoever has claimed it.
///
/// # Errors
/// As every call of the database.
pub async fn follower_remove(tx: &mut Tx, name: &str) -> Result<()> {
    tx.execute(sql("DELETE FROM followers WHERE name = $1").text(name)).await?;
    Ok(())
}

/// The followers whose names begin so, done or not.
///
/// # Errors
/// As every call of the database.
pub async fn follower_list(reader: &Reader, prefix: &str) -> Result<Vec<FollowerRow>> {
    let find = format!("SELECT {COLUMNS} FROM followers WHERE SUBSTR(name, 1, LENGTH($1)) = $1 ORDER BY name");
    reader.rows(sql_made(find).text(prefix)).await?.iter().map(|row| follower_of(row, "")).collect()
}

/// # Errors
/// As every call of the database.
pub async fn follower_find(reader: &Reader, name: &str) -> Result<Option<FollowerRow>> {
    let find = format!("SELECT {COLUMNS} FROM followers WHERE name = $1");
    reader.rows(sql_made(find).text(name)).await?.first().map(|row| follower_of(row, "")).transpose()
}

/// The followers with names that begin so, that have something to do and that nobody has claimed; longest due first.
///
/// # Errors
/// As every call of the database.
pub async fn followers_due(reader: &Reader, prefix: &str, now: Time, most: i64) -> Result<Vec<FollowerRow>> {
    let find = format!(
        "SELECT {COLUMNS} FROM followers WHERE SUBSTR(name, 1, LENGTH($1)) = $1 AND done = 0 AND due_at <= $2 \
         AND lease_until <= {} AND (due_at > 0 OR seq < (SELECT value FROM counters WHERE name = 'seq')) \
         ORDER BY due_at, seq, name LIMIT $3",
        reader.dialect().now()
    );
    reader.rows(sql_made(find).text(prefix).time(now).int(most)).await?.iter().map(|row| follower_of(row, "")).collect()
}

/// When the next of these followers is due by the clock; those that wait for a fact are not in it.
///
/// # Errors
/// As every call of the database.
pub async fn followers_next_due(reader: &Reader, prefix: &str) -> Result<Option<Time>> {
    let find = sql("SELECT CAST(MIN(due_at) AS BIGINT) AS due_at FROM followers \
                    WHERE SUBSTR(name, 1, LENGTH($1)) = $1 AND done = 0 AND due_at > 0");
    reader.rows(find.text(prefix)).await?.first().map_or(Ok(None), |row| row.maybe_time("due_at"))
}

/// Claims a follower for [`limits::LEASE`]. `None`: it is done, not due, or claimed by somebody else.
///
/// # Errors
/// As every call of the database.
pub async fn follower_claim(store: &Store, name: &str, owner: &str, now: Time) -> Result<Option<FollowerRow>> {
    // The owner may claim it again after its own lease has passed, and the two claims are not one.
    let claim = format!("{owner} {}", &Secret::random().digest()[..16]);
    let update = format!(
        "UPDATE followers SET lease_owner = $2, lease_until = {now} + $4 \
         WHERE name = $1 AND done = 0 AND due_at <= $3 AND lease_until <= {now} RETURNING {COLUMNS}",
        now = store.dialect().now()
    );
    let update = sql_made(update).text(name).text(&claim).time(now).int(limits::LEASE.0);
    let rows = store.alone(WriteLane::Rest).await?.conn.rows(update).await?;
    rows.first().map(|row| follower_of(row, &claim)).transpose()
}

/// Keeps a claim for another while. `false`: somebody else has it now.
///
/// # Errors
/// As every call of the database.
pub async fn follower_renew(store: &Store, row: &FollowerRow) -> Result<bool> {
    let renew = format!("UPDATE followers SET lease_until = {} + $3 WHERE name = $1 AND lease_owner = $2", store.dialect().now());
    let renew = sql_made(renew).text(&row.name).text(&row.claim).int(limits::LEASE.0);
    Ok(store.alone(WriteLane::Rest).await?.conn.execute(renew).await? > 0)
}

/// Writes down how far it is and ends the claim: it may be claimed again at once, by anybody, when it is due.
///
/// # Errors
/// [`StoreError::Missing`] when the claim has passed to somebody else: nothing was written, and the transaction must not be committed.
/// Else as every call of the database.
pub async fn follower_save(tx: &mut Tx, row: &FollowerRow) -> Result<()> {
    let save = sql("UPDATE followers SET seq = $3, state = $4, due_at = $5, tries = $6, done = $7, lease_owner = NULL, lease_until = 0 \
                    WHERE name = $1 AND lease_owner = $2");
    written(tx, save, row).await
}

/// Writes down how far it is and keeps the claim, for a follower that goes on with its next step.
///
/// # Errors
/// As [`follower_save`].
pub async fn follower_advance(tx: &mut Tx, row: &FollowerRow) -> Result<()> {
    let save = sql("UPDATE followers SET seq = $3, state = $4, due_at = $5, tries = $6, done = $7 WHERE name = $1 AND lease_owner = $2");
    written(tx, save, row).await
}

async fn written(tx: &mut Tx, save: Sql, row: &FollowerRow) -> Result<()> {
    let save = save.text(&row.name).text(&row.claim).int(row.seq).text(&row.state).time(row.due_at).int(row.tries).flag(row.done);
    if tx.execute(save).await? > 0 { Ok(()) } else { Err(StoreError::Missing("claim on this follower")) }
}
