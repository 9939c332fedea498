//! Heartbeats: when the next beat of each is due, and whether it was missed.

use sqlx::any::AnyRow;

use super::WriteLane;
use super::error::Result;
use super::open::Store;
use super::read::{ALERT, AlertView, Reader, alert_of};
use super::sql::{Columns as _, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{IntegrationId, Number};
use crate::base::limits;
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
    /// When it was first waited for, as far as that is known.
    pub since_at: Time,
    /// When its miss was last told of; `due_at` where that is not known.
    pub told_at: Time,
}

/// One miss of a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Miss {
    /// When it was told.
    pub from_at: Time,
    /// The beat that ended it; `None`: none has come since.
    pub until_at: Option<Time>,
    /// The incident that its alert belongs to.
    pub incident: Option<Number>,
}

/// The misses that began on one day, of the universal time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedDay {
    /// Days since the epoch.
    pub day: i64,
    pub misses: i64,
    /// When the last of them ended; one that lasts ends with now.
    pub until_at: Time,
}

/// A beat came: the next one is due `span` later.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_beat(store: &Store, integration: &IntegrationId, at: Time, span: Span) -> Result<()> {
    let beat = sql("INSERT INTO heartbeats (integration, beat_at, due_at, span, since_at) VALUES ($1, $2, $3, $4, $2) \
                    ON CONFLICT (integration) DO UPDATE SET \
                    beat_at = excluded.beat_at, due_at = excluded.due_at, span = excluded.span, missed = 0, excused = 0");
    let beat = beat.text(integration.as_str()).time(at).time(at + span).int(span.0);
    let mut tx = store.begin(WriteLane::Intake).await?;
    tx.execute(beat).await?;
    miss_end(&mut tx, integration, at).await?;
    tx.commit().await
}

/// Begins to wait for a beat, where nobody does yet or where it was awaited in another span.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_await(store: &Store, integration: &IntegrationId, now: Time, span: Span) -> Result<()> {
    let wait = sql("INSERT INTO heartbeats (integration, due_at, span, since_at) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (integration) DO UPDATE SET due_at = excluded.due_at, span = excluded.span \
                    WHERE heartbeats.span <> excluded.span");
    let wait = wait.text(integration.as_str()).time(now + span).int(span.0).time(now);
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
    let miss = sql("UPDATE heartbeats SET missed = 1, told_at = $2 WHERE integration = $1 AND missed = 0 AND due_at <= $2");
    if tx.execute(miss.text(integration.as_str()).time(now)).await? == 0 {
        return Ok(false);
    }
    let remember = sql("INSERT INTO heartbeat_misses (integration, from_at) VALUES ($1, $2) ON CONFLICT (integration, from_at) DO NOTHING");
    tx.execute(remember.text(integration.as_str()).time(now)).await?;
    let forget = sql("DELETE FROM heartbeat_misses WHERE integration = $1 AND from_at < $2");
    tx.execute(forget.text(integration.as_str()).time(now - limits::MISSES_KEPT)).await?;
    Ok(true)
}

/// Takes the telling of a miss that goes on, if it was last told of at `told_before` or earlier. `false`: a beat came meanwhile, or
/// another process has told.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_miss_again(tx: &mut Tx, integration: &IntegrationId, now: Time, told_before: Time) -> Result<bool> {
    let again = sql("UPDATE heartbeats SET told_at = $1 WHERE integration = $2 AND missed = 1 AND COALESCE(told_at, due_at) <= $3");
    Ok(tx.execute(again.time(now).text(integration.as_str()).time(told_before)).await? > 0)
}

/// Waits for this one no more; a miss of it that lasts ends, as no beat will.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_forget(store: &Store, integration: &IntegrationId, now: Time) -> Result<()> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    tx.execute(sql("DELETE FROM heartbeats WHERE integration = $1").text(integration.as_str())).await?;
    miss_end(&mut tx, integration, now).await?;
    tx.commit().await
}

async fn miss_end(tx: &mut Tx, integration: &IntegrationId, at: Time) -> Result<()> {
    let end = sql("UPDATE heartbeat_misses SET until_at = $1 WHERE integration = $2 AND until_at IS NULL");
    tx.execute(end.time(at).text(integration.as_str())).await?;
    Ok(())
}

/// All of them.
///
/// # Errors
/// As every call of the database.
pub async fn heartbeat_list(reader: &Reader) -> Result<Vec<HeartbeatRow>> {
    let rows = reader.rows(sql("SELECT integration, beat_at, due_at, span, missed, COALESCE(since_at, beat_at, due_at - span) AS since_at, COALESCE(told_at, due_at) AS told_at FROM heartbeats ORDER BY integration")).await?;
    rows.iter()
        .map(|row| {
            Ok(HeartbeatRow {
                integration: IntegrationId::from_text(row.text("integration")?),
                beat_at: row.maybe_time("beat_at")?,
                due_at: row.time("due_at")?,
                span: Span(row.int("span")?),
                missed: row.int("missed")? != 0,
                since_at: row.time("since_at")?,
                told_at: row.time("told_at")?,
            })
        })
        .collect()
}

impl Reader {
    /// The newest misses of a heartbeat, newest first.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn misses(&self, viewer: &Viewer, integration: &IntegrationId, limit: i64) -> Result<Vec<Miss>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = sql("SELECT from_at, until_at FROM heartbeat_misses WHERE integration = $1 ORDER BY from_at DESC LIMIT $2");
        let rows = self.rows(find.text(integration.as_str()).int(limit)).await?;
        // No more alerts than misses: each alert begins with one.
        let find = sql_made(format!("{ALERT} WHERE a.source = 'heartbeat' AND a.integration = $1 ORDER BY a.id DESC LIMIT $2"));
        let alerts = self.rows(find.text(integration.as_str()).int(limit)).await?.iter().map(alert_of).collect::<Result<Vec<_>>>()?;
        let mut misses: Vec<Miss> = Vec::with_capacity(rows.len());
        for row in rows {
            let (from_at, until_at) = (row.time("from_at")?, row.maybe_time("until_at")?);
            // A miss opens an alert or brings the last one back, so that of what began before the next miss the newest is its own.
            let next_at = misses.last().map(|next| next.from_at);
            let own = |alert: &&AlertView| next_at.is_none_or(|next_at| alert.first_at < next_at) && alert.last_at >= from_at;
            misses.push(Miss { from_at, until_at, incident: alerts.iter().find(own).and_then(|alert| alert.incident) });
        }
        Ok(misses)
    }

    /// The days on which misses of a heartbeat began that lasted until `since` or longer.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn missed_days(&self, viewer: &Viewer, integration: &IntegrationId, since: Time, now: Time) -> Result<Vec<MissedDay>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = sql_made(format!(
            "SELECT from_at / {} AS began, CAST(COUNT(*) AS BIGINT) AS misses, CAST(MAX(COALESCE(until_at, $1)) AS BIGINT) AS until_at \
             FROM heartbeat_misses WHERE integration = $2 AND (until_at IS NULL OR until_at >= $3) GROUP BY 1",
            Span::hours(24).0
        ));
        let rows = self.rows(find.time(now).text(integration.as_str()).time(since)).await?;
        let day_of = |row: &AnyRow| Ok(MissedDay { day: row.int("began")?, misses: row.int("misses")?, until_at: row.time("until_at")? });
        rows.iter().map(day_of).collect()
    }
}
