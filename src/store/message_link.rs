//! Links in mails that acknowledge one attempt's pages, found by digest: what the database holds opens nothing.

use super::error::Result;
use super::sql::{Columns as _, sql};
use super::tx::{Ask, Tx};
use crate::base::id::AttemptId;
use crate::base::time::Time;

/// Keeps a link for an attempt, and forgets those that are over.
///
/// # Errors
/// As every call of the database.
pub async fn message_link_create(tx: &mut Tx, digest: &str, attempt: &AttemptId, expires_at: Time, now: Time) -> Result<()> {
    tx.execute(sql("DELETE FROM message_links WHERE expires_at <= $1").time(now)).await?;
    let insert = sql("INSERT INTO message_links (digest, attempt_id, expires_at) VALUES ($1, $2, $3)");
    tx.execute(insert.text(digest).text(attempt.as_str()).time(expires_at)).await?;
    Ok(())
}

/// The attempt that a link is for; `None` when there is none, or it is too old.
///
/// # Errors
/// As every call of the database.
pub async fn message_link_find(from: &mut impl Ask, digest: &str, now: Time) -> Result<Option<AttemptId>> {
    let find = sql("SELECT attempt_id FROM message_links WHERE digest = $1 AND expires_at > $2");
    let rows = from.ask(find.text(digest).time(now)).await?;
    rows.first().map(|row| Ok(AttemptId::from_text(row.text("attempt_id")?))).transpose()
}
