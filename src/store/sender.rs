//! What senders that ask about their own alerts may hear: their alerts with a small number each, their notes, and what became of a
//! request.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;

use super::error::Result;
use super::fact::counter_add;
use super::read::{ALERT, AlertView, Reader, alert_of};
use super::sql::{Columns as _, LIST, Sql, list, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{AlertId, IntegrationId, JournalId};
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::decide::Verdict;
use crate::domain::incident::{IncidentState, Response};
use crate::domain::input::Actor;

/// An alert as its own sender sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnAlert {
    pub alert: AlertView,
    /// Its number among all alerts of such senders; it never changes.
    pub tiny: i64,
    /// How many of the signals that it counts did not fire it: its sender's acknowledges and its close.
    pub asides: i64,
    /// Whether its incident is acknowledged.
    pub acknowledged: bool,
    pub acknowledged_at: Option<Time>,
    pub acknowledged_by: Option<Actor>,
    pub resolved_by: Option<Actor>,
    pub snoozed_until: Option<Time>,
}

/// What names an alert to its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    Id(&'a str),
    Tiny(i64),
    /// The newest one of this dedup key.
    Key(&'a str),
}

/// What became of a request of a sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderRequest {
    pub id: JournalId,
    pub integration: IntegrationId,
    pub at: Time,
    /// In the words of its protocol.
    pub asked: String,
    pub verdict: Verdict,
}

/// What a sender said about an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertNote {
    /// The request that brought it.
    pub id: JournalId,
    pub alert: AlertId,
    pub at: Time,
    pub note: String,
}

/// Numbers alerts that have no number yet, in the order given.
///
/// # Errors
/// As every call of the database.
pub async fn tiny_ids_give(tx: &mut Tx, alerts: &[(AlertId, IntegrationId)]) -> Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    let last = counter_add(tx, "tiny", alerts.len()).await?;
    let first = last - i64::try_from(alerts.len()).unwrap_or(i64::MAX) + 1;
    let numbered: Vec<(i64, &(AlertId, IntegrationId))> = (first..).zip(alerts).collect();
    for rows in pieces(&numbered) {
        let give = format!(
            "INSERT INTO tiny_ids (alert_id, integration, n) VALUES {} ON CONFLICT (alert_id) DO NOTHING",
            tx.tuples(rows.len(), 3)
        );
        let give = rows
            .iter()
            .fold(sql_made(give), |give, (n, (alert, integration))| give.text(alert.as_str()).text(integration.as_str()).int(*n));
        tx.put(give).await?;
    }
    Ok(())
}

/// Counts signals of numbered alerts that did not fire them.
///
/// # Errors
/// As every call of the database.
pub async fn asides_add(tx: &mut Tx, asides: &BTreeMap<AlertId, i64>) -> Result<()> {
    for (alert, n) in asides {
        tx.put(sql("UPDATE tiny_ids SET asides = asides + $2 WHERE alert_id = $1").text(alert.as_str()).int(*n)).await?;
    }
    Ok(())
}

/// Keeps what became of requests.
///
/// # Errors
/// As every call of the database.
pub async fn sender_requests_save(tx: &mut Tx, requests: &[SenderRequest]) -> Result<()> {
    for rows in pieces(requests) {
        let save = format!(
            "INSERT INTO sender_requests (id, integration, at, asked, verdict) VALUES {} ON CONFLICT (id) DO NOTHING",
            tx.tuples(rows.len(), 5)
        );
        let save = rows.iter().fold(sql_made(save), |save, row| {
            save.text(row.id.as_str()).text(row.integration.as_str()).time(row.at).text(&row.asked).json(&row.verdict)
        });
        tx.put(save).await?;
    }
    Ok(())
}

/// Keeps notes, and of each alert only the newest [`limits::ALERT_NOTES`].
///
/// # Errors
/// As every call of the database.
pub async fn alert_notes_save(tx: &mut Tx, notes: &[AlertNote]) -> Result<()> {
    for note in notes {
        let save = sql("INSERT INTO alert_notes (id, alert_id, at, note) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING");
        tx.put(save.text(note.id.as_str()).text(note.alert.as_str()).time(note.at).text(&note.note)).await?;
        let prune = sql("DELETE FROM alert_notes WHERE alert_id = $1 AND id NOT IN \
                         (SELECT id FROM alert_notes WHERE alert_id = $1 ORDER BY at DESC, id DESC LIMIT $2)");
        tx.put(prune.text(note.alert.as_str()).int(limits::ALERT_NOTES)).await?;
    }
    Ok(())
}

/// Forgets requests from before `before` and all but the newest `most`, at most `limit` of each at once, and says how many.
///
/// # Errors
/// As every call of the database.
pub async fn sender_requests_forget(tx: &mut Tx, before: Time, most: i64, limit: i64) -> Result<u64> {
    let old = sql("DELETE FROM sender_requests WHERE id IN (SELECT id FROM sender_requests WHERE at < $1 ORDER BY at LIMIT $2)");
    let many = sql("DELETE FROM sender_requests WHERE id IN (SELECT id FROM sender_requests ORDER BY at DESC, id DESC LIMIT $2 OFFSET $1)");
    Ok(tx.execute(old.time(before).int(limit)).await? + tx.execute(many.int(most).int(limit)).await?)
}

/// Forgets what senders know of alerts that are thrown away.
///
/// # Errors
/// As every call of the database.
pub(super) async fn tiny_ids_forget(tx: &mut Tx, alerts: &[String]) -> Result<()> {
    for alerts in alerts.chunks(LIST) {
        let within = list(1, alerts.len());
        for table in ["tiny_ids", "alert_notes"] {
            tx.put(sql_made(format!("DELETE FROM {table} WHERE alert_id IN ({within})")).texts(alerts)).await?;
        }
    }
    Ok(())
}

/// Alerts as their list shows them, with what its sender alone asks for; `rest` names them by `t` and `a`.
fn own(rest: &str) -> Sql {
    let columns = ALERT.trim_start_matches("SELECT");
    sql_made(format!(
        "SELECT t.n AS tiny, t.asides, i.state AS incident_state, i.acknowledged_at, i.acknowledged_by, i.resolved_by, i.response,{columns} \
         JOIN tiny_ids t ON t.alert_id = a.id WHERE {rest}"
    ))
}

impl Reader {
    /// The newest alerts of the sender that looks, newest first.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn own_alerts(&self, viewer: &Viewer, limit: i64) -> Result<Vec<OwnAlert>> {
        let Viewer::Integration(integration) = viewer else { return Ok(Vec::new()) };
        let find = own("t.integration = $1 ORDER BY t.n DESC LIMIT $2").text(integration.as_str()).int(limit);
        self.rows(find).await?.iter().map(own_of).collect()
    }

    /// One alert of the sender that looks.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn own_alert(&self, viewer: &Viewer, named: Named<'_>) -> Result<Option<OwnAlert>> {
        let Viewer::Integration(integration) = viewer else { return Ok(None) };
        let find = match named {
            Named::Id(id) => own("t.integration = $1 AND a.id = $2").text(integration.as_str()).text(id),
            Named::Tiny(n) => own("t.integration = $1 AND t.n = $2").text(integration.as_str()).int(n),
            Named::Key(key) => {
                let of_key = "SELECT alert_id FROM dedup_keys WHERE dedup_key = $2 AND integration = $1";
                own(&format!("t.integration = $1 AND a.id IN ({of_key})")).text(integration.as_str()).text(key)
            }
        };
        self.rows(find).await?.first().map(own_of).transpose()
    }

    /// What became of a request of the sender that looks; `None` while it is not decided.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn own_request(&self, viewer: &Viewer, id: &str) -> Result<Option<SenderRequest>> {
        let Viewer::Integration(integration) = viewer else { return Ok(None) };
        let find = sql("SELECT id, integration, at, asked, verdict FROM sender_requests WHERE id = $1 AND integration = $2");
        let rows = self.rows(find.text(id).text(integration.as_str())).await?;
        let read = |row: &AnyRow| {
            Ok(SenderRequest {
                id: JournalId::from_text(row.text("id")?),
                integration: IntegrationId::from_text(row.text("integration")?),
                at: row.time("at")?,
                asked: row.text("asked")?,
                verdict: row.json("verdict")?,
            })
        };
        rows.first().map(read).transpose()
    }

    /// The notes of one alert, which the sender that looks was shown before; oldest first.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn own_notes(&self, alert: &OwnAlert) -> Result<Vec<AlertNote>> {
        let find = sql("SELECT id, at, note FROM alert_notes WHERE alert_id = $1 ORDER BY at, id LIMIT $2");
        let rows = self.rows(find.text(alert.alert.id.as_str()).int(limits::ALERT_NOTES)).await?;
        rows.iter()
            .map(|row| {
                let id = JournalId::from_text(row.text("id")?);
                Ok(AlertNote { id, alert: alert.alert.id.clone(), at: row.time("at")?, note: row.text("note")? })
            })
            .collect()
    }
}

fn own_of(row: &AnyRow) -> Result<OwnAlert> {
    let state = row.maybe_text("incident_state")?;
    let response: Response = row.maybe_json("response")?.unwrap_or_default();
    Ok(OwnAlert {
        alert: alert_of(row)?,
        tiny: row.int("tiny")?,
        asides: row.int("asides")?,
        acknowledged: state.as_deref() == Some(IncidentState::Acknowledged.name()),
        acknowledged_at: row.maybe_time("acknowledged_at")?,
        acknowledged_by: row.maybe_json("acknowledged_by")?,
        resolved_by: row.maybe_json("resolved_by")?,
        snoozed_until: response.snoozed_until,
    })
}
