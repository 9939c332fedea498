//! Requests that may come twice: whoever sends one key again is answered as the first time, and nothing is done again.

use super::WriteLane;
use super::error::{Result, StoreError};
use super::open::Store;
use super::sql::{Columns as _, sql, sql_made};
use super::tx::Tx;
use crate::base::limits;
use crate::base::time::Time;

/// What a request with a key meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is ours to answer: nobody came with this key before, or whoever did is gone without an answer.
    Ours,
    /// The first one is still being worked on.
    UnderWay,
    /// The key came with another body before.
    OtherBody,
    Answered(RepeatAnswer),
}

/// An answer, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatAnswer {
    pub status: i64,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// Takes a key for `limits::REPEAT_LEASE`, or says why not.
///
/// # Errors
/// As every call of the database; the request must then not be carried out.
pub async fn repeat_claim(store: &Store, digest: &str, asked: &str, owner: &str, now: Time) -> Result<Claim> {
    let mut tx = store.begin(WriteLane::Page).await?;
    let clock = tx.dialect().now();
    let forget = sql("DELETE FROM repeats WHERE digest = $1 AND at < $2");
    tx.execute(forget.text(digest).time(Time(now.0 - limits::REPEATS_KEPT.0))).await?;
    let take = sql_made(format!(
        "INSERT INTO repeats (digest, at, asked, lease_until, lease_owner) VALUES ($1, $2, $3, {clock} + $4, $5) ON CONFLICT (digest) DO NOTHING"
    ));
    if tx.execute(take.text(digest).time(now).text(asked).int(limits::REPEAT_LEASE.0).text(owner)).await? == 1 {
        tx.commit().await?;
        return Ok(Claim::Ours);
    }
    let find = format!(
        "SELECT asked, status, headers, answer, CASE WHEN lease_until > {clock} THEN 1 ELSE 0 END AS busy FROM repeats WHERE digest = $1{}",
        tx.dialect().for_update()
    );
    let row = tx.row(sql_made(find).text(digest)).await?.ok_or_else(|| StoreError::Busy("a key was given back just now".to_owned()))?;
    if row.text("asked")? != asked {
        return Ok(Claim::OtherBody);
    }
    if let Some(status) = row.maybe_int("status")? {
        let headers = row.maybe_json("headers")?.unwrap_or_default();
        return Ok(Claim::Answered(RepeatAnswer { status, headers, body: row.maybe_text("answer")?.unwrap_or_default() }));
    }
    if row.flag("busy")? {
        return Ok(Claim::UnderWay);
    }
    let renew = sql_made(format!("UPDATE repeats SET lease_until = {clock} + $2, lease_owner = $3 WHERE digest = $1"));
    tx.execute(renew.text(digest).int(limits::REPEAT_LEASE.0).text(owner)).await?;
    tx.commit().await?;
    Ok(Claim::Ours)
}

/// Writes down a key that nobody claims. Of two at once the second waits here, and then sees what the first has decided.
///
/// # Errors
/// As every call of the database.
pub async fn repeat_note(tx: &mut Tx, digest: &str, at: Time) -> Result<()> {
    let note =
        sql("INSERT INTO repeats (digest, at, asked, lease_until, lease_owner) VALUES ($1, $2, '', 0, '') ON CONFLICT (digest) DO NOTHING");
    tx.execute(note.text(digest).time(at)).await?;
    Ok(())
}

/// What was decided under this key before, as it was marked; locks the row, so that of two that come this far the second sees the first.
///
/// # Errors
/// As every call of the database.
pub async fn repeat_verdict(tx: &mut Tx, digest: &str) -> Result<Option<String>> {
    let find = format!("SELECT verdict FROM repeats WHERE digest = $1{}", tx.dialect().for_update());
    let row = tx.row(sql_made(find).text(digest)).await?;
    row.map_or(Ok(None), |row| row.maybe_text("verdict"))
}

/// Marks what was decided, in the transaction that saves it.
///
/// # Errors
/// As every call of the database.
pub async fn repeat_mark(tx: &mut Tx, digest: &str, verdict: &str) -> Result<()> {
    tx.execute(sql("UPDATE repeats SET verdict = $2 WHERE digest = $1").text(digest).text(verdict)).await?;
    Ok(())
}

/// Keeps the answer for those who ask again.
///
/// # Errors
/// As every call of the database.
pub async fn repeat_answer(store: &Store, digest: &str, answer: &RepeatAnswer) -> Result<()> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    let keep = sql("UPDATE repeats SET status = $2, headers = $3, answer = $4, lease_until = 0 WHERE digest = $1");
    tx.execute(keep.text(digest).int(answer.status).json(&answer.headers).text(&answer.body)).await?;
    tx.commit().await
}

/// Gives a key back after a refusal: the same request may be mended, or come at a better time. What was decided under it stays.
///
/// # Errors
/// As every call of the database.
pub async fn repeat_give_back(store: &Store, digest: &str) -> Result<()> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    tx.execute(sql("DELETE FROM repeats WHERE digest = $1 AND verdict IS NULL").text(digest)).await?;
    tx.execute(sql("UPDATE repeats SET lease_until = 0 WHERE digest = $1").text(digest)).await?;
    tx.commit().await
}

/// Forgets keys from before `before` and all but the newest `most`, at most `limit` at once, and says how many.
///
/// # Errors
/// As every call of the database.
pub async fn repeats_forget(tx: &mut Tx, before: Time, most: i64, limit: i64) -> Result<u64> {
    let old = sql("DELETE FROM repeats WHERE digest IN (SELECT digest FROM repeats WHERE at < $1 ORDER BY at LIMIT $2)");
    let many = sql("DELETE FROM repeats WHERE digest IN (SELECT digest FROM repeats ORDER BY at DESC LIMIT $2 OFFSET $1)");
    Ok(tx.execute(old.time(before).int(limit)).await? + tx.execute(many.int(most).int(limit)).await?)
}
