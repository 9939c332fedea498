//! Passwords, and the sign-ins that failed.

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use super::tx::Tx;
use crate::base::id::UserId;
use crate::base::time::Time;

/// The argon2 hash of a person's password, and when it was set.
///
/// # Errors
/// As every call of the database.
pub async fn password_find(reader: &Reader, user: &UserId) -> Result<Option<(String, Time)>> {
    let rows = reader.rows(sql("SELECT hash, changed_at FROM passwords WHERE user_id = $1").text(user.as_str())).await?;
    rows.first().map(|row| Ok((row.text("hash")?, row.time("changed_at")?))).transpose()
}

/// Everybody who has a password.
///
/// # Errors
/// As every call of the database.
pub async fn password_owners(reader: &Reader) -> Result<Vec<UserId>> {
    let rows = reader.rows(sql("SELECT user_id FROM passwords ORDER BY user_id")).await?;
    rows.iter().map(|row| Ok(UserId::from_text(row.text("user_id")?))).collect()
}

/// # Errors
/// As every call of the database.
pub async fn password_save(tx: &mut Tx, user: &UserId, hash: &str, now: Time) -> Result<()> {
    let save = sql("INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1, $2, $3) \
                    ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at");
    tx.execute(save.text(user.as_str()).text(hash).time(now)).await?;
    Ok(())
}

/// How often a sign-in of this account, or from this address, failed in a row, and when it last did.
///
/// # Errors
/// As every call of the database.
pub async fn failures_find(tx: &mut Tx, subject: &str) -> Result<Option<(i64, Time)>> {
    let row = tx.row(sql("SELECT failures, failed_at FROM sign_in_failures WHERE subject = $1").text(subject)).await?;
    row.map(|row| Ok((row.int("failures")?, row.time("failed_at")?))).transpose()
}

/// Counts one more; what failed before `forgotten` is over.
///
/// # Errors
/// As every call of the database.
pub async fn failure_add(tx: &mut Tx, subject: &str, now: Time, forgotten: Time) -> Result<()> {
    tx.execute(sql("DELETE FROM sign_in_failures WHERE failed_at < $1").time(forgotten)).await?;
    let add = sql("INSERT INTO sign_in_failures (subject, failures, failed_at) VALUES ($1, 1, $2) \
                   ON CONFLICT (subject) DO UPDATE SET failures = sign_in_failures.failures + 1, failed_at = excluded.failed_at");
    tx.execute(add.text(subject).time(now)).await?;
    Ok(())
}

/// Takes one back that turned out to be none.
///
/// # Errors
/// As every call of the database.
pub async fn failure_undo(tx: &mut Tx, subject: &str) -> Result<()> {
    tx.execute(sql("UPDATE sign_in_failures SET failures = failures - 1 WHERE subject = $1 AND failures > 0").text(subject)).await?;
    Ok(())
}

/// # Errors
/// As every call of the database.
pub async fn failures_forget(tx: &mut Tx, subject: &str) -> Result<()> {
    tx.execute(sql("DELETE FROM sign_in_failures WHERE subject = $1").text(subject)).await?;
    Ok(())
}
