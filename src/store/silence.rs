//! Silences, and the alerts that may be theirs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;

use super::desk::alert_of;
use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, Sql, sql, sql_made};
use super::tx::{Ask, Tx};
use crate::base::id::{AlertId, IntegrationId, Number, ServiceId, SilenceId};
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::alert::{Alert, AlertState, Key};
use crate::domain::input::Actor;
use crate::domain::silence::Silence;

/// A silence as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceRow {
    pub silence: Silence,
    /// Whatever its maker wants to say beside the comment.
    pub annotations: BTreeMap<String, String>,
    /// As Reveille knows whoever made it.
    pub made_by: Actor,
}

/// An alert that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldingAlert {
    pub alert: Alert,
    /// When it began, as its sender has it.
    pub began_at: Option<Time>,
    pub incident: Option<Number>,
}

/// How far the alerts were looked at: those that fire first, then those that are silenced, by service and id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SilencePlace {
    Firing(ServiceId, AlertId),
    Suppressed(ServiceId, AlertId),
    Done,
}

impl SilencePlace {
    /// Before the first.
    #[must_use]
    pub fn start() -> Self {
        Self::Firing(ServiceId::from_text(""), AlertId::from_text(""))
    }

    /// Past all that fires, before what is silenced.
    #[must_use]
    pub fn suppressed() -> Self {
        Self::Suppressed(ServiceId::from_text(""), AlertId::from_text(""))
    }

    fn of(state: AlertState, service: ServiceId, id: AlertId) -> Self {
        match state {
            AlertState::Firing => Self::Firing(service, id),
            AlertState::Suppressed | AlertState::Resolved => Self::Suppressed(service, id),
        }
    }
}

const SILENCE: &str = "SELECT id, integration, matchers, starts_at, ends_at, created_by, comment, annotations, updated_at, made_by, place \
                       FROM silences";

fn silence_of(row: &AnyRow) -> Result<SilenceRow> {
    Ok(SilenceRow {
        silence: Silence {
            id: SilenceId::from_text(row.text("id")?),
            integration: row.maybe_text("integration")?.map(IntegrationId::from_text),
            matchers: row.json("matchers")?,
            starts_at: row.time("starts_at")?,
            ends_at: row.time("ends_at")?,
            created_by: row.text("created_by")?,
            comment: row.text("comment")?,
            updated_at: row.time("updated_at")?,
        },
        annotations: row.json("annotations")?,
        made_by: row.json("made_by")?,
    })
}

/// Keeps every change of a silence out until this transaction ends: what it decides holds with the silences that it sees. Before any
/// other lock.
///
/// # Errors
/// As every call of the database.
pub async fn silences_hold(tx: &mut Tx) -> Result<()> {
    if let Some(lock) = tx.dialect().lock_silences_shared() {
        tx.rows(sql(lock)).await?;
    }
    Ok(())
}

/// The silences that are not over, and those whose alerts have not all been told that they are.
///
/// # Errors
/// As every call of the database.
pub async fn silences_live(from: &mut impl Ask) -> Result<Vec<Silence>> {
    silences_live_of(&from.ask(silences_live_find()).await?)
}

/// The statement for them, and what its rows say.
pub(super) fn silences_live_find() -> Sql {
    sql_made(format!("{SILENCE} WHERE live = 1 ORDER BY id"))
}

pub(super) fn silences_live_of(rows: &[AnyRow]) -> Result<Vec<Silence>> {
    rows.iter().map(|row| silence_of(row).map(|row| row.silence)).collect()
}

/// The same, with all that is kept of them.
///
/// # Errors
/// As every call of the database.
pub async fn silences_live_rows(tx: &mut Tx) -> Result<Vec<SilenceRow>> {
    let find = sql_made(format!("{SILENCE} WHERE live = 1 ORDER BY id"));
    tx.rows(find).await?.iter().map(silence_of).collect()
}

/// Waits for every transaction that holds the silences, and keeps others out until this one ends: what they decided is seen, and what
/// they will decide sees this. Before any other lock.
///
/// # Errors
/// As every call of the database.
pub async fn silences_lock(tx: &mut Tx) -> Result<()> {
    if let Some(lock) = tx.dialect().lock_silences() {
        tx.rows(sql(lock)).await?;
    }
    Ok(())
}

/// One silence, locked for a change, as [`silences_lock`] says.
///
/// # Errors
/// As every call of the database.
pub async fn silence_change(tx: &mut Tx, id: &SilenceId) -> Result<Option<SilenceRow>> {
    silences_lock(tx).await?;
    silence_load(tx, id).await.map(|found| found.map(|(row, _)| row))
}

/// One silence, and how far its alerts were looked at.
///
/// # Errors
/// As every call of the database.
pub async fn silence_load(tx: &mut Tx, id: &SilenceId) -> Result<Option<(SilenceRow, SilencePlace)>> {
    let find = sql_made(format!("{SILENCE} WHERE id = $1{}", tx.dialect().for_update()));
    tx.row(find.text(id.as_str())).await?.map(|row| Ok((silence_of(&row)?, row.json("place")?))).transpose()
}

/// Keeps a silence. Its alerts are to be looked at from the beginning.
///
/// # Errors
/// As every call of the database.
pub async fn silence_save(tx: &mut Tx, row: &SilenceRow) -> Result<()> {
    let save = sql("INSERT INTO silences (id, integration, matchers, starts_at, ends_at, created_by, comment, annotations, updated_at, \
                    made_by, live, place) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11) \
                    ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at, \
                    created_by = excluded.created_by, comment = excluded.comment, annotations = excluded.annotations, \
                    updated_at = excluded.updated_at, made_by = excluded.made_by, live = 1, place = excluded.place");
    let SilenceRow { silence, annotations, made_by } = row;
    let save = save
        .text(silence.id.as_str())
        .maybe_text(silence.integration.as_ref().map(IntegrationId::as_str))
        .json(&silence.matchers)
        .time(silence.starts_at)
        .time(silence.ends_at)
        .text(&silence.created_by)
        .text(&silence.comment)
        .json(annotations)
        .time(silence.updated_at)
        .json(made_by)
        .json(&SilencePlace::start());
    tx.execute(save).await?;
    Ok(())
}

/// Notes how far its alerts were looked at, and whether anything is left to be done for it at all.
///
/// # Errors
/// As every call of the database.
pub async fn silence_note(tx: &mut Tx, id: &SilenceId, place: &SilencePlace, live: bool) -> Result<()> {
    let note = sql("UPDATE silences SET place = $2, live = $3 WHERE id = $1");
    tx.execute(note.text(id.as_str()).json(place).flag(live)).await?;
    Ok(())
}

/// How many silences are not over.
///
/// # Errors
/// As every call of the database.
pub async fn silences_count(tx: &mut Tx) -> Result<i64> {
    tx.row(sql("SELECT COUNT(*) AS n FROM silences WHERE live = 1")).await?.map_or(Ok(0), |row| row.int("n"))
}

/// The next alerts to look at, and the place after them.
///
/// # Errors
/// As every call of the database.
pub async fn silence_piece(tx: &mut Tx, place: &SilencePlace, limit: i64) -> Result<(Vec<Alert>, SilencePlace)> {
    let (state, service, id) = match place {
        SilencePlace::Firing(service, id) => (AlertState::Firing, service, id),
        SilencePlace::Suppressed(service, id) => (AlertState::Suppressed, service, id),
        SilencePlace::Done => return Ok((Vec::new(), SilencePlace::Done)),
    };
    // The condition is the index's own, word for word, or it is not used.
    let find = format!(
        "SELECT id, integration, dedup_key, source, service, title, severity, state, count, first_at, last_at, fired_at, resolved_at, \
         incident_id, ends_at, hold, kind, seen, marks, url, labels FROM alerts WHERE state = '{}' AND (service, id) > ($1, $2) ORDER BY service, id LIMIT $3",
        state.name()
    );
    let rows = tx.rows(sql_made(find).text(service.as_str()).text(id.as_str()).int(limit)).await?;
    let alerts = rows.iter().map(silenced_of).collect::<Result<Vec<_>>>()?;
    let is_full = i64::try_from(alerts.len()).is_ok_and(|found| found >= limit);
    let next = match (alerts.last().filter(|_| is_full), state) {
        (Some(last), _) => SilencePlace::of(state, last.service.clone(), last.id.clone()),
        (None, AlertState::Firing) => SilencePlace::suppressed(),
        (None, AlertState::Suppressed | AlertState::Resolved) => SilencePlace::Done,
    };
    Ok((alerts, next))
}

fn silenced_of(row: &AnyRow) -> Result<Alert> {
    let key = Key { integration: IntegrationId::from_text(row.text("integration")?), dedup_key: row.text("dedup_key")? };
    alert_of(row, row.text("id")?, &key)
}

/// Silences that nothing will wake although they are not done with.
///
/// # Errors
/// As every call of the database.
pub async fn audit_silences(reader: &Reader) -> Result<Vec<SilenceId>> {
    let asleep = sql("SELECT s.id FROM silences s WHERE s.live = 1 AND NOT EXISTS \
                      (SELECT 1 FROM wakes w WHERE w.scope = 'silence' AND w.id = s.id) ORDER BY s.id");
    let asleep = reader.rows(asleep).await?;
    asleep.iter().map(|row| row.text("id").map(SilenceId::from_text)).collect()
}

/// Deletes silences that ended before `before`, oldest first; how many.
///
/// # Errors
/// As every call of the database.
pub async fn silences_forget(tx: &mut Tx, before: Time, limit: i64) -> Result<u64> {
    let forget = sql("DELETE FROM silences WHERE id IN \
                      (SELECT id FROM silences WHERE ends_at < $1 AND live = 0 ORDER BY ends_at, id LIMIT $2)");
    tx.execute(forget.time(before).int(limit)).await
}

/// Whose silences a viewer sees. `None`: nobody's; `Some(None)`: all.
#[expect(clippy::option_option, reason = "nothing, everything, or one's own")]
fn sees(viewer: &Viewer) -> Option<Option<&IntegrationId>> {
    match viewer {
        Viewer::Public => None,
        Viewer::User { .. } | Viewer::Token { .. } => Some(None),
        Viewer::Integration(id) => Some(Some(id)),
    }
}

impl Reader {
    /// The silences that the viewer may see, the last to end first, those that are over too.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn silences(&self, viewer: &Viewer) -> Result<Vec<SilenceRow>> {
        let Some(of) = sees(viewer) else { return Ok(Vec::new()) };
        let find = sql_made(format!("{SILENCE} WHERE ($1 = '' OR integration = $1) ORDER BY ends_at DESC, id LIMIT $2"));
        let rows = self.rows(find.text(of.map_or("", IntegrationId::as_str)).int(limits::SILENCES_LISTED)).await?;
        rows.iter().map(silence_of).collect()
    }

    /// # Errors
    /// As every call of the database.
    pub async fn silence(&self, viewer: &Viewer, id: &SilenceId) -> Result<Option<SilenceRow>> {
        let Some(of) = sees(viewer) else { return Ok(None) };
        let find = sql_made(format!("{SILENCE} WHERE id = $1 AND ($2 = '' OR integration = $2)"));
        let rows = self.rows(find.text(id.as_str()).text(of.map_or("", IntegrationId::as_str))).await?;
        rows.first().map(silence_of).transpose()
    }

    /// Alerts that hold, silenced or not, of the viewer's integrations: newest first, at most [`limits::ALERTS_HOLDING`].
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn alerts_holding(&self, viewer: &Viewer) -> Result<Vec<HoldingAlert>> {
        let Some(of) = sees(viewer) else { return Ok(Vec::new()) };
        // What fired in an incident that was resolved since is over, whatever its own row says.
        let find = sql("SELECT a.id, a.integration, a.dedup_key, a.source, a.service, a.title, a.severity, a.state, a.count, a.first_at, \
                        a.last_at, a.fired_at, a.resolved_at, a.incident_id, a.ends_at, a.hold, a.kind, a.seen, a.marks, a.url, a.labels, k.changed_at, home.number FROM alerts a \
                        LEFT JOIN incidents i ON i.id = a.incident_id \
                        LEFT JOIN incidents home ON home.id = COALESCE(i.merged_into, i.id) \
                        LEFT JOIN dedup_keys k ON k.dedup_key = a.dedup_key AND k.integration = a.integration AND k.alert_id = a.id \
                        WHERE a.state IN ('firing', 'suppressed') AND ($1 = '' OR a.integration = $1) \
                        AND (i.closed_at IS NULL OR a.fired_at > i.closed_at) ORDER BY a.id DESC LIMIT $2");
        let rows = self.rows(find.text(of.map_or("", IntegrationId::as_str)).int(limits::ALERTS_HOLDING)).await?;
        let holding = |row: &AnyRow| {
            let incident = row.maybe_int("number")?.map(Number);
            Ok(HoldingAlert { alert: silenced_of(row)?, began_at: row.maybe_time("changed_at")?, incident })
        };
        rows.iter().map(holding).collect()
    }
}
