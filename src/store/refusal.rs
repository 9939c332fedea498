//! What senders were refused, by integration and by what was wrong.

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, numbered, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::IntegrationId;
use crate::base::time::Time;

/// How often the same was wrong with an integration's messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRow {
    pub integration: IntegrationId,
    /// The key of the configuration that asks for it.
    pub asked_by: String,
    pub why: String,
    /// The header it is about.
    pub header: String,
    pub n: i64,
    pub first_at: Time,
    pub last_at: Time,
}

/// Adds up. What was last refused before `since` is over: the count begins anew.
///
/// # Errors
/// As every call of the database.
pub async fn refusals_add(tx: &mut Tx, rows: &[RefusalRow], since: Time) -> Result<()> {
    for rows in pieces(rows) {
        let add = format!(
            "INSERT INTO refusals (integration, asked_by, why, header, n, first_at, last_at) VALUES {} \
             ON CONFLICT (integration, asked_by, why, header) DO UPDATE SET \
             n = CASE WHEN refusals.last_at < ${since} THEN excluded.n ELSE refusals.n + excluded.n END, \
             first_at = CASE WHEN refusals.last_at < ${since} THEN excluded.first_at ELSE refusals.first_at END, last_at = excluded.last_at",
            numbered(rows.len(), 7),
            since = rows.len() * 7 + 1,
        );
        let add = rows.iter().fold(sql_made(add), |add, row| {
            let add = add.text(row.integration.as_str()).text(&row.asked_by).text(&row.why).text(&row.header);
            add.int(row.n).time(row.first_at).time(row.last_at)
        });
        tx.execute(add.time(since)).await?;
    }
    Ok(())
}

/// What was last refused at `since` or after.
///
/// # Errors
/// As every call of the database.
pub async fn refusals_list(reader: &Reader, since: Time) -> Result<Vec<RefusalRow>> {
    let find = sql("SELECT integration, asked_by, why, header, n, first_at, last_at FROM refusals WHERE last_at >= $1");
    let rows = reader.rows(find.time(since)).await?;
    rows.iter()
        .map(|row| {
            Ok(RefusalRow {
                integration: IntegrationId::from_text(row.text("integration")?),
                asked_by: row.text("asked_by")?,
                why: row.text("why")?,
                header: row.text("header")?,
                n: row.int("n")?,
                first_at: row.time("first_at")?,
                last_at: row.time("last_at")?,
            })
        })
        .collect()
}

/// Forgets what was last refused before `before`. There are few: an integration asks for few things.
///
/// # Errors
/// As every call of the database.
pub async fn refusals_forget(tx: &mut Tx, before: Time) -> Result<u64> {
    tx.execute(sql("DELETE FROM refusals WHERE last_at < $1").time(before)).await
}
