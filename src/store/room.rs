//! Rooms: which channel is whose, which of their followers are behind, and the events that came from there.

use super::error::Result;
use super::fact::{FactRow, fact_of};
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use super::tx::Tx;
use crate::base::id::IncidentId;
use crate::base::limits;
use crate::base::time::Time;

/// The followers named `prefix` and an incident's id that have not told all its facts, or are due by the clock, and that nobody has
/// claimed; longest due first. Facts of other incidents do not make them due.
///
/// # Errors
/// As every call of the database.
pub async fn followers_behind(reader: &Reader, prefix: &str, now: Time, most: i64) -> Result<Vec<String>> {
    let find = format!(
        "SELECT name FROM followers WHERE SUBSTR(name, 1, LENGTH($1)) = $1 AND done = 0 AND due_at <= $2 AND lease_until <= {} \
         AND (due_at > 0 OR seq < COALESCE((SELECT MAX(f.seq) FROM facts f WHERE f.incident_id = SUBSTR(name, LENGTH($1) + 1)), 0)) \
         ORDER BY due_at, seq, name LIMIT $3",
        reader.dialect().now()
    );
    reader.rows(sql_made(find).text(prefix).time(now).int(most)).await?.iter().map(|row| row.text("name")).collect()
}

/// How many followers with names that begin so are being told for.
///
/// # Errors
/// As every call of the database.
pub async fn followers_claimed(reader: &Reader, prefix: &str) -> Result<i64> {
    let count =
        format!("SELECT COUNT(*) AS n FROM followers WHERE SUBSTR(name, 1, LENGTH($1)) = $1 AND lease_until > {}", reader.dialect().now());
    reader.rows(sql_made(count).text(prefix)).await?.first().map_or(Ok(0), |row| row.int("n"))
}

/// A follower that had told everything is looked at again.
///
/// # Errors
/// As every call of the database.
pub async fn follower_revive(tx: &mut Tx, name: &str) -> Result<()> {
    tx.execute(sql("UPDATE followers SET done = 0, due_at = 0 WHERE name = $1 AND done = 1").text(name)).await?;
    Ok(())
}

/// An incident's facts after `seq`, oldest first.
///
/// # Errors
/// As every call of the database.
pub async fn facts_of(reader: &Reader, incident: &IncidentId, seq: i64, limit: i64) -> Result<Vec<FactRow>> {
    let find = sql("SELECT seq, incident_id, at, actor, body FROM facts WHERE incident_id = $1 AND seq > $2 ORDER BY seq LIMIT $3");
    reader.rows(find.text(incident.as_str()).int(seq).int(limit)).await?.iter().map(fact_of).collect()
}

/// This channel is the incident's room from now on.
///
/// # Errors
/// As every call of the database.
pub async fn room_bind(tx: &mut Tx, channel: &str, incident: &IncidentId) -> Result<()> {
    let bind = sql(
        "INSERT INTO rooms (channel, incident_id) VALUES ($1, $2) ON CONFLICT (channel) DO UPDATE SET incident_id = excluded.incident_id",
    );
    tx.execute(bind.text(channel).text(incident.as_str())).await?;
    Ok(())
}

/// # Errors
/// As every call of the database.
pub async fn room_incident(reader: &Reader, channel: &str) -> Result<Option<IncidentId>> {
    let rows = reader.rows(sql("SELECT incident_id FROM rooms WHERE channel = $1").text(channel)).await?;
    rows.first().map(|row| row.text("incident_id").map(IncidentId::from_text)).transpose()
}

/// Takes an event that came. `false`: it was carried out already, or somebody is at it. One that was taken and never carried out, because a
/// process ended in between, is taken again when it comes again a while later.
///
/// # Errors
/// As every call of the database.
pub async fn event_take(tx: &mut Tx, id: &str, now: Time) -> Result<bool> {
    let take = sql("INSERT INTO slack_events (id, taken_at) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET taken_at = excluded.taken_at \
                    WHERE slack_events.done = 0 AND slack_events.taken_at <= $3");
    Ok(tx.execute(take.text(id).time(now).time(now - limits::SLACK_EVENT_TAKEN)).await? > 0)
}

/// It was carried out.
///
/// # Errors
/// As every call of the database.
pub async fn event_done(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute(sql("UPDATE slack_events SET done = 1 WHERE id = $1").text(id)).await?;
    Ok(())
}

/// It could not be carried out, and is welcome again.
///
/// # Errors
/// As every call of the database.
pub async fn event_drop(tx: &mut Tx, id: &str) -> Result<()> {
    tx.execute(sql("DELETE FROM slack_events WHERE id = $1 AND done = 0").text(id)).await?;
    Ok(())
}

/// Forgets events that Slack will not send again.
///
/// # Errors
/// As every call of the database.
pub async fn events_forget(tx: &mut Tx, before: Time) -> Result<()> {
    tx.execute(sql("DELETE FROM slack_events WHERE taken_at < $1").time(before)).await?;
    Ok(())
}
