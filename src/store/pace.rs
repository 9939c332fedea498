//! The pace of a provider account: a row that the claim's own transaction moves on, so that replicas share it.

use super::error::{Result, StoreError};
use super::sql::{Columns as _, sql};
use super::tx::Tx;
use crate::base::limits;
use crate::base::time::{Span, Time};

/// When this send may leave. The slot is reserved with the commit, and the next one is `every` later.
///
/// # Errors
/// As every call of the database.
pub async fn pace_take(tx: &mut Tx, account: &str, now: Time, every: Span) -> Result<Time> {
    let take = sql("INSERT INTO paces (account, next_at) VALUES ($1, $2) \
                    ON CONFLICT (account) DO UPDATE SET next_at = \
                    CASE WHEN paces.next_at > $3 AND paces.next_at <= $5 THEN paces.next_at ELSE $3 END + $4 \
                    RETURNING next_at");
    let take = take.text(account).time(now + every).time(now).int(every.0).time(now + limits::PACE_AHEAD);
    let row = tx.row(take).await?;
    Ok(row.ok_or(StoreError::Missing("pace"))?.time("next_at")? - every)
}
