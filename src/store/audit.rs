//! Promise 3, checked where it matters: no open, unanswered incident without a time to look at it again.

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use crate::base::id::IncidentId;
use crate::base::time::{Span, Time};

/// A wake-up that has been due for this long is nobody's any more: the alarm looks every second.
const OVERDUE: Span = Span::minutes(1);
/// Incidents named in one report; more would only say the same louder.
const MOST: i64 = 100;

/// Open, unacknowledged incidents whose policy runs and that nothing will wake.
///
/// # Errors
/// As every call of the database.
pub async fn audit_silent(reader: &Reader, now: Time) -> Result<Vec<IncidentId>> {
    let silent = sql("SELECT i.id FROM incidents i WHERE i.state = 'triggered' AND i.run IS NOT NULL AND NOT EXISTS \
                      (SELECT 1 FROM wakes w WHERE w.scope = 'incident' AND w.id = i.id AND w.due_at > $1) \
                      ORDER BY i.number LIMIT $2");
    let rows = reader.rows(silent.time(now - OVERDUE).int(MOST)).await?;
    rows.iter().map(|row| Ok(IncidentId::from_text(row.text("id")?))).collect()
}
