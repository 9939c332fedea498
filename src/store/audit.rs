//! Promise 3, checked where it matters: no open, unanswered incident without a time to look at it again, no call that nobody will place.

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use crate::base::id::{AttemptId, IncidentId, UserId};
use crate::base::time::{Span, Time};

/// A wake-up that has been due for this long is nobody's any more: the alarm looks every second.
const OVERDUE: Span = Span::minutes(1);
/// Incidents named in one report; more would only say the same louder.
const MOST: i64 = 100;

/// Open incidents that nothing will wake: unacknowledged ones whose policy runs, and acknowledged ones that lapse or are snoozed.
///
/// # Errors
/// As every call of the database.
pub async fn audit_silent(reader: &Reader, now: Time) -> Result<Vec<IncidentId>> {
    // Drills, tests and what pages nobody wait for nothing but people; but whoever is called by hand, for anything but a test, is called
    // again until somebody answers.
    let silent = sql("SELECT i.id FROM incidents i WHERE \
                      ((i.state = 'triggered' AND i.run IS NOT NULL AND i.kind = 'real' AND i.severity <> 'sev4') \
                       OR (i.state = 'acknowledged' AND (i.lapses_at IS NOT NULL OR i.response LIKE '%\"snoozed_until\":_%' \
                           AND i.response NOT LIKE '%\"snoozed_until\":null%'))) AND NOT EXISTS \
                      (SELECT 1 FROM wakes w WHERE w.scope = 'incident' AND w.id = i.id AND w.due_at > $1) \
                      OR i.state <> 'resolved' AND i.kind <> 'test' AND EXISTS \
                      (SELECT 1 FROM pages p WHERE p.incident_id = i.id AND p.wanted = 1 AND p.urgency = 'high') AND NOT EXISTS \
                      (SELECT 1 FROM wakes w WHERE w.scope = 'incident' AND w.id = i.id AND w.name = 'escalate' AND w.due_at > $1) \
                      ORDER BY i.number LIMIT $2");
    let rows = reader.rows(silent.time(now - OVERDUE).int(MOST)).await?;
    rows.iter().map(|row| Ok(IncidentId::from_text(row.text("id")?))).collect()
}

/// Attempts that wait to be sent and have no order in the outbox: nothing would ever send them, nor tell their person to go on.
///
/// # Errors
/// As every call of the database.
pub async fn audit_lost(reader: &Reader, now: Time) -> Result<Vec<AttemptId>> {
    let lost = sql("SELECT id FROM attempts WHERE open = 1 AND state = 'waiting' AND placed_at <= $1 \
                    AND id NOT IN (SELECT attempt_id FROM outbox) ORDER BY id LIMIT $2");
    let rows = reader.rows(lost.time(now - OVERDUE).int(MOST)).await?;
    rows.iter().map(|row| Ok(AttemptId::from_text(row.text("id")?))).collect()
}

/// People with something still to be tried, of whom nothing is on its way and whom nothing will wake: their page would go no further.
///
/// # Errors
/// As every call of the database.
pub async fn audit_forgotten(reader: &Reader, now: Time) -> Result<Vec<UserId>> {
    let forgotten = sql("SELECT DISTINCT p.user_id FROM pages p WHERE p.wanted = 1 AND p.live = 1 AND p.started_at <= $1 \
                         AND (p.starts > p.planned_for OR p.plan <> '[]') AND NOT EXISTS \
                         (SELECT 1 FROM wakes w WHERE w.scope = 'person' AND w.id = p.user_id AND w.due_at > $1) AND NOT EXISTS \
                         (SELECT 1 FROM attempts a WHERE a.user_id = p.user_id AND a.open = 1 AND a.state = 'waiting') \
                         ORDER BY p.user_id LIMIT $2");
    let rows = reader.rows(forgotten.time(now - OVERDUE).int(MOST)).await?;
    rows.iter().map(|row| Ok(UserId::from_text(row.text("user_id")?))).collect()
}
