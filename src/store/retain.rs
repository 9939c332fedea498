//! Throwing away: small pieces, each a transaction of its own, oldest first.

use super::error::Result;
use super::read::Reader;
use super::sender::tiny_ids_forget;
use super::sql::{Columns as _, Sql, list, sql, sql_made};
use super::tx::Tx;
use crate::base::id::IncidentId;
use crate::base::time::Time;

/// Deletes sessions, sign-in links and links in messages that have ended, and says how many.
///
/// # Errors
/// As every call of the database.
pub async fn access_forget(tx: &mut Tx, now: Time) -> Result<u64> {
    let sessions = tx.execute(sql("DELETE FROM sessions WHERE expires_at <= $1").time(now)).await?;
    let links = tx.execute(sql("DELETE FROM sign_in_links WHERE expires_at <= $1").time(now)).await?;
    Ok(sessions + links + tx.execute(sql("DELETE FROM message_links WHERE expires_at <= $1").time(now)).await?)
}

/// Deletes the oldest of the batches kept aside: those from before `before`, and those beyond the newest `keep`; at most `limit`.
///
/// # Errors
/// As every call of the database.
pub async fn aside_forget(tx: &mut Tx, before: Time, keep: i64, limit: i64) -> Result<u64> {
    let forget = sql("DELETE FROM journal_aside WHERE id IN (SELECT id FROM journal_aside \
                      WHERE at < $1 OR id <= COALESCE((SELECT id FROM journal_aside ORDER BY id DESC LIMIT 1 OFFSET $2), '') \
                      ORDER BY id LIMIT $3)");
    tx.execute(forget.time(before).int(keep).int(limit)).await
}

/// Deletes the oldest samples of signals, as [`aside_forget`] does with batches.
///
/// # Errors
/// As every call of the database.
pub async fn samples_forget(tx: &mut Tx, before: Time, keep: i64, limit: i64) -> Result<u64> {
    // The table is small: a few for each integration.
    let forget = sql("DELETE FROM signal_samples WHERE request IN (SELECT request FROM signal_samples \
                      WHERE at < $1 OR request <= COALESCE((SELECT request FROM signal_samples ORDER BY request DESC LIMIT 1 OFFSET $2), '') \
                      ORDER BY request LIMIT $3)");
    tx.execute(forget.time(before).int(keep).int(limit)).await
}

/// Deletes the oldest closed alerts that belong to no incident: those closed before `before`, and those beyond the newest `keep`; at
/// most `limit`. Their keys stay, and know what was seen before.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_forget(tx: &mut Tx, before: Time, keep: i64, limit: i64) -> Result<u64> {
    // Each condition is the index's own, word for word, or it is not used.
    let edge = sql("SELECT COALESCE(resolved_at, last_at) AS ended_at, id FROM alerts WHERE incident_id IS NULL AND state <> 'firing' \
                    AND state <> 'suppressed' ORDER BY COALESCE(resolved_at, last_at) DESC, id DESC LIMIT 1 OFFSET $1");
    let edge = tx.row(edge.int(keep)).await?;
    let (ended_at, id) = match &edge {
        Some(row) => (row.time("ended_at")?, row.text("id")?),
        None => (Time(i64::MIN), String::new()),
    };
    let forget = sql("DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE incident_id IS NULL AND state <> 'firing' \
                      AND state <> 'suppressed' AND (COALESCE(resolved_at, last_at) < $1 OR (COALESCE(resolved_at, last_at), id) <= ($2, $3)) \
                      ORDER BY COALESCE(resolved_at, last_at), id LIMIT $4) RETURNING id");
    alerts_gone(tx, forget.time(before).time(ended_at).text(id).int(limit)).await
}

/// Alerts go, and with them what their senders know of them.
async fn alerts_gone(tx: &mut Tx, forget: Sql) -> Result<u64> {
    let gone = tx.rows(forget).await?.iter().map(|row| row.text("id")).collect::<Result<Vec<_>>>()?;
    tiny_ids_forget(tx, &gone).await?;
    Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
}

/// The incident that has been closed longest, if that is since before `before`. What went into another one stays while that is open.
///
/// # Errors
/// As every call of the database.
pub async fn incident_expired(reader: &Reader, before: Time) -> Result<Option<IncidentId>> {
    let find = sql("SELECT id FROM incidents i WHERE state = 'resolved' AND resolved_at < $1 AND NOT EXISTS \
                    (SELECT 1 FROM incidents home WHERE home.id = i.merged_into AND home.state <> 'resolved') ORDER BY resolved_at LIMIT 1");
    reader.rows(find.time(before)).await?.first().map(|row| row.text("id").map(IncidentId::from_text)).transpose()
}

/// Deletes one piece of an incident that is closed since before `before`, the incident itself last. The number of rows; zero when it is
/// gone, or was reopened meanwhile.
///
/// # Errors
/// As every call of the database.
pub async fn incident_forget(tx: &mut Tx, id: &IncidentId, before: Time, limit: i64) -> Result<u64> {
    let lock = format!("SELECT id FROM incidents WHERE id = $1 AND state = 'resolved' AND resolved_at < $2{}", tx.dialect().for_update());
    if tx.row(sql_made(lock).text(id.as_str()).time(before)).await?.is_none() {
        return Ok(0);
    }
    let alerts = sql("DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE incident_id = $1 ORDER BY id LIMIT $2) RETURNING id");
    let rows = alerts_gone(tx, alerts.text(id.as_str()).int(limit)).await?;
    if rows > 0 {
        return Ok(rows);
    }
    let parts = [
        "DELETE FROM facts WHERE seq IN (SELECT seq FROM facts WHERE incident_id = $1 ORDER BY seq LIMIT $2)",
        "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE incident_id = $1 ORDER BY id LIMIT $2)",
    ];
    for part in parts {
        let rows = tx.execute(sql(part).text(id.as_str()).int(limit)).await?;
        if rows > 0 {
            return Ok(rows);
        }
    }
    let rows = pages_forget(tx, id, limit).await?;
    if rows > 0 {
        return Ok(rows);
    }
    tx.execute(sql("DELETE FROM incident_services WHERE incident_id = $1").text(id.as_str())).await?;
    tx.execute(sql("DELETE FROM incident_kinds WHERE incident_id = $1").text(id.as_str())).await?;
    tx.execute(sql("DELETE FROM rooms WHERE incident_id = $1").text(id.as_str())).await?;
    // Whoever told of it in a room of its own: room:, card: and the like, with its id at the end.
    tx.execute(sql("DELETE FROM followers WHERE name LIKE '%:' || $1 AND name NOT LIKE 'webhook:%'").text(id.as_str())).await?;
    tx.execute(sql("DELETE FROM wakes WHERE scope = 'incident' AND id = $1").text(id.as_str())).await?;
    tx.execute(sql("DELETE FROM incidents WHERE id = $1").text(id.as_str())).await
}

/// Pages, and the attempts that spoke of nothing else and are over.
async fn pages_forget(tx: &mut Tx, id: &IncidentId, limit: i64) -> Result<u64> {
    let pages = sql("SELECT id FROM pages WHERE incident_id = $1 AND live = 0 ORDER BY id LIMIT $2").text(id.as_str()).int(limit);
    let pages = tx.rows(pages).await?.iter().map(|row| row.text("id")).collect::<Result<Vec<_>>>()?;
    if pages.is_empty() {
        return Ok(0);
    }
    let within = list(1, pages.len());
    let attempts = format!("SELECT DISTINCT attempt_id FROM attempt_pages WHERE page_id IN ({within})");
    let attempts = tx.rows(sql_made(attempts).texts(&pages)).await?.iter().map(|row| row.text("attempt_id")).collect::<Result<Vec<_>>>()?;
    tx.execute(sql_made(format!("DELETE FROM attempt_pages WHERE page_id IN ({within})")).texts(&pages)).await?;
    for attempts in attempts.chunks(super::sql::LIST) {
        let forget = format!(
            "DELETE FROM attempts WHERE id IN ({}) AND open = 0 AND id NOT IN (SELECT attempt_id FROM attempt_pages WHERE attempt_id = attempts.id)",
            list(1, attempts.len())
        );
        tx.execute(sql_made(forget).texts(attempts)).await?;
    }
    tx.execute(sql_made(format!("DELETE FROM pages WHERE id IN ({within})")).texts(&pages)).await
}
