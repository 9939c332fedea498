//! Alerts whose time may be over: found by index, in batches; what becomes of them is decided under their service's lock.

use super::WriteLane;
use super::error::Result;
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, LIST, list, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{AlertId, IntegrationId, ServiceId};
use crate::base::time::Time;
use crate::domain::alert::Key;

/// An alert that may be over, and when its integration was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub alert: AlertId,
    pub key: Key,
    pub service: ServiceId,
    pub heard_at: Option<Time>,
}

const ENDING: &str = "SELECT a.id, a.integration, a.dedup_key, a.service, t.last_at FROM alerts a \
                      LEFT JOIN tallies t ON t.integration = a.integration AND t.outcome = 'accepted'";

fn ending_of(row: &sqlx::any::AnyRow) -> Result<Ending> {
    Ok(Ending {
        alert: AlertId::from_text(row.text("id")?),
        key: Key { integration: IntegrationId::from_text(row.text("integration")?), dedup_key: row.text("dedup_key")? },
        service: ServiceId::from_text(row.text("service")?),
        heard_at: row.maybe_time("last_at")?,
    })
}

/// What is past the end that its sender gave it, longest past first.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_ended(reader: &Reader, now: Time, limit: i64) -> Result<Vec<Ending>> {
    let mut endings = Vec::new();
    // Each state has an index of its own.
    for state in ["firing", "suppressed"] {
        let find = format!("{ENDING} WHERE a.state = '{state}' AND a.ends_at IS NOT NULL AND a.ends_at <= $1 ORDER BY a.ends_at LIMIT $2");
        endings.extend(reader.rows(sql_made(find).time(now).int(limit)).await?);
    }
    endings.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(ending_of).collect()
}

/// What of a service had its last signal by `before`.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_aged(reader: &Reader, service: &ServiceId, before: Time, limit: i64) -> Result<Vec<Ending>> {
    let mut endings = Vec::new();
    for state in ["firing", "suppressed"] {
        let find = format!("{ENDING} WHERE a.state = '{state}' AND a.service = $1 AND a.last_at <= $2 ORDER BY a.id LIMIT $3");
        endings.extend(reader.rows(sql_made(find).text(service.as_str()).time(before).int(limit)).await?);
    }
    endings.iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).map(ending_of).collect()
}

/// What was held for until now, longest past first.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_held(reader: &Reader, now: Time, limit: i64) -> Result<Vec<Ending>> {
    let find = format!("{ENDING} WHERE a.held_until IS NOT NULL AND a.held_until <= $1 ORDER BY a.held_until LIMIT $2");
    reader.rows(sql_made(find).time(now).int(limit)).await?.iter().map(ending_of).collect()
}

/// When the next of what is held is to be looked at.
///
/// # Errors
/// As every call of the database.
pub async fn held_next_due(reader: &Reader) -> Result<Option<Time>> {
    let next = sql("SELECT CAST(MIN(held_until) AS BIGINT) AS held_until FROM alerts WHERE held_until IS NOT NULL");
    reader.rows(next).await?.first().map_or(Ok(None), |row| row.maybe_time("held_until"))
}

/// What was to be looked at by `before` and was not.
///
/// # Errors
/// As every call of the database.
pub async fn audit_held(reader: &Reader, before: Time) -> Result<i64> {
    let held = sql("SELECT COUNT(*) AS n FROM alerts WHERE held_until IS NOT NULL AND held_until <= $1");
    reader.rows(held.time(before)).await?.first().map_or(Ok(0), |row| row.int("n"))
}

/// Nothing is waited for any more: these gave way to a newer alert of their key.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_let_go(tx: &mut Tx, alerts: &[AlertId]) -> Result<()> {
    for ids in alerts.chunks(LIST) {
        let ids: Vec<&str> = ids.iter().map(AlertId::as_str).collect();
        let let_go =
            format!("UPDATE alerts SET hold = NULL, held_until = NULL WHERE held_until IS NOT NULL AND id IN ({})", list(1, ids.len()));
        tx.execute(sql_made(let_go).texts(&ids)).await?;
    }
    Ok(())
}

/// Looks at an alert later that could not be decided on, so that it does not stand before all others for ever.
///
/// # Errors
/// As every call of the database.
pub async fn alert_held_put_off(store: &Store, alert: &AlertId, until: Time) -> Result<()> {
    let put_off = sql("UPDATE alerts SET held_until = $2 WHERE id = $1 AND held_until IS NOT NULL");
    store.alone(WriteLane::Page).await?.conn.execute(put_off.text(alert.as_str()).time(until)).await?;
    Ok(())
}

/// Writes down that alerts are over which gave way to a newer one of their key; they ended with their incident long before.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_write_down(tx: &mut Tx, alerts: &[AlertId], now: Time) -> Result<()> {
    for ids in alerts.chunks(LIST) {
        let ids: Vec<&str> = ids.iter().map(AlertId::as_str).collect();
        let over =
            format!("UPDATE alerts SET state = 'resolved', resolved_at = $1 WHERE state <> 'resolved' AND id IN ({})", list(2, ids.len()));
        tx.execute(sql_made(over).time(now).texts(&ids)).await?;
    }
    Ok(())
}

/// The key and the service of an alert, if there is one of that id.
///
/// # Errors
/// As every call of the database.
pub async fn alert_key(reader: &Reader, id: &AlertId) -> Result<Option<(Key, ServiceId)>> {
    let find = sql("SELECT integration, dedup_key, service FROM alerts WHERE id = $1");
    let rows = reader.rows(find.text(id.as_str())).await?;
    rows.first()
        .map(|row| {
            let integration = IntegrationId::from_text(row.text("integration")?);
            Ok((Key { integration, dedup_key: row.text("dedup_key")? }, ServiceId::from_text(row.text("service")?)))
        })
        .transpose()
}
