//! Heartbeats: when the next beat of each is due, and whether it was missed.

use super::WriteLane;
use super::error::Result;
use super::open::Store;
use super::read::{ALERT, AlertView, Reader, alert_of};
use super::sql::{Columns as _, sql, sql_made};
use super::tx::Tx;
use crate::base::id::IntegrationId;
use crate::base::time::{Span, Time};
use crate::base::viewer::Viewer;

/// One integration's heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatRow {
    pub integration: IntegrationId,
    /// The last beat; `None` before the first.
    pub beat_at: Option<Time>,
    /// Without a beat until then, it is missed.
    pub due_at: Time,
    /// The period and its grace by which `due_at` was reckoned.
    pub span: Span,
    /// The miss was told, and no beat has come since.
    pub missed: bool,
}

/// A beat came: the next one is due `span` later.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_beat(store: &Store, integration: &IntegrationId, at: Time, span: Span) -> Result<()> {
    let beat = sql("INSERT INTO heartbeats (integration, beat_at, due_at, span) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (integration) DO UPDATE SET \
                    beat_at = excluded.beat_at, due_at = excluded.due_at, span = excluded.span, missed = 0, excused = 0");
    let beat = beat.text(integration.as_str()).time(at).time(at + span).int(span.0);
    store.alone(WriteLane::Intake).await?.conn.execute(beat).await?;
    Ok(())
}

/// Begins to wait for a beat, where nobody does yet or where it was awaited in another span.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_await(store: &Store, integration: &IntegrationId, now: Time, span: Span) -> Result<()> {
    let wait = sql("INSERT INTO heartbeats (integration, due_at, span) VALUES ($1, $2, $3) \
                    ON CONFLICT (integration) DO UPDATE SET due_at = excluded.due_at, span = excluded.span \
                    WHERE heartbeats.span <> excluded.span");
    let wait = wait.text(integration.as_str()).time(now + span).int(span.0);
    store.alone(WriteLane::Intake).await?.conn.execute(wait).await?;
    Ok(())
}

/// Nobody was here to hear a beat until now: what is due sooner than a whole span from now is put off until then. Once between two
/// beats, or servers that start often would never tell of a miss; what fell due while nobody was here is put off again.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeats_excuse(store: &Store, now: Time) -> Result<()> {
    let excuse = sql("UPDATE heartbeats SET due_at = $1 + span, excused = 1 \
                      WHERE missed = 0 AND due_at < $1 + span AND (excused = 0 OR due_at <= $1)");
    store.alone(WriteLane::Intake).await?.conn.execute(excuse.time(now)).await?;
    Ok(())
}

/// Takes the miss of a heartbeat that is due. `false`: a beat came meanwhile, or another process has told.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_miss(tx: &mut Tx, integration: &IntegrationId, now: Time) -> Result<bool> {
    let miss = sql("UPDATE heartbeats SET missed = 1 WHERE integration = $1 AND missed = 0 AND due_at <= $2");
    Ok(tx.execute(miss.text(integration.as_str()).time(now)).await? > 0)
}

/// Waits for this one no more.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_forget(store: &Store, integration: &IntegrationId) -> Result<()> {
    let forget = sql("DELETE FROM heartbeats WHERE integration = $1").text(integration.as_str());
    store.alone(WriteLane::Rest).await?.conn.execute(forget).await?;
    Ok(())
}

/// All of them.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_list(reader: &Reader) -> Result<Vec<HeartbeatRow>> {
    let rows = reader.rows(sql("SELECT integration, beat_at, due_at, span, missed FROM heartbeats ORDER BY integration")).await?;
    rows.iter()
        .map(|row| {
            Ok(HeartbeatRow {
                integration: IntegrationId::from_text(row.text("integration")?),
                beat_at: row.maybe_time("beat_at")?,
                due_at: row.time("due_at")?,
                span: Span(row.int("span")?),
                missed: row.int("missed")? != 0,
            })
        })
        .collect()
}

impl Reader {
    /// The newest misses of a heartbeat, newest first; each is an alert.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn misses(&self, viewer: &Viewer, integration: &IntegrationId, limit: i64) -> Result<Vec<AlertView>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = sql_made(format!("{ALERT} WHERE a.source = 'heartbeat' AND a.integration = $1 ORDER BY a.id DESC LIMIT $2"));
        self.rows(find.text(integration.as_str()).int(limit)).await?.iter().map(alert_of).collect()
    }
}
