//! What people marked: a row for each alert of an incident that is noise or relevant, for lists and for whoever counts them by key.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::alert_of;
use super::error::Result;
use super::read::{AlertView, Reader};
use super::sql::{Columns as _, LIST, list, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{AlertId, IncidentId, IntegrationId, Number};
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::alert::{Alert, Key};
use crate::domain::fact::{Fact, What};
use crate::domain::incident::Incident;
use crate::domain::order::Order;
use crate::domain::relevance::{self, Relevance};

/// Alerts of one incident that are held against its marks at once.
const PIECE: i64 = 500;

/// Keeps what the alerts of these incidents are: those that were decided now, and all of an incident whose marks changed.
pub(super) async fn marks_save(tx: &mut Tx, incidents: &BTreeMap<IncidentId, Incident>, alerts: &[&Alert], facts: &[Fact]) -> Result<()> {
    let remarked: BTreeSet<&IncidentId> = facts
        .iter()
        .filter(|fact| matches!(fact.what, What::RelevanceMarked { .. } | What::MarkTakenBack { .. }))
        .map(|fact| &fact.incident)
        .collect();
    let mut rows = Vec::new();
    for alert in alerts {
        let Some(own) = alert.incident.as_ref().and_then(|id| incidents.get(id)) else { continue };
        // Where it went into another, what was said there counts.
        let incident = own.response.merged_into.as_ref().and_then(|home| incidents.get(home)).unwrap_or(own);
        if incident.response.marks.is_empty() || remarked.contains(&incident.id) {
            continue;
        }
        rows.extend(relevance::of(&incident.response.marks, *alert).map(|relevance| (*alert, relevance)));
    }
    insert(tx, &rows).await?;
    for incident in remarked.into_iter().filter_map(|id| incidents.get(id)) {
        tx.execute(
            sql("DELETE FROM alert_marks WHERE incident_id IN (SELECT id FROM incidents WHERE id = $1 OR merged_into = $1)")
                .text(incident.id.as_str()),
        )
        .await?;
        let mut after = String::new();
        // Nothing is left to be found where all marks were taken back.
        while !incident.response.marks.is_empty() {
            let find = sql(
                "SELECT id, integration, dedup_key, source, service, title, severity, state, count, first_at, last_at, fired_at, \
                            resolved_at, incident_id, ends_at, hold, kind, seen, marks, url, labels FROM alerts WHERE incident_id IN (SELECT id FROM incidents WHERE id = $1 OR merged_into = $1) AND id > $2 ORDER BY id LIMIT $3",
            );
            let found = tx.rows(find.text(incident.id.as_str()).text(&after).int(PIECE)).await?;
            let mut alerts = Vec::with_capacity(found.len());
            for row in &found {
                let key = Key { integration: IntegrationId::from_text(row.text("integration")?), dedup_key: row.text("dedup_key")? };
                alerts.push(alert_of(row, row.text("id")?, &key)?);
            }
            let marked = alerts.iter().filter_map(|alert| Some((alert, relevance::of(&incident.response.marks, alert)?)));
            insert(tx, &marked.collect::<Vec<_>>()).await?;
            match alerts.last() {
                Some(last) => last.id.as_str().clone_into(&mut after),
                None => break,
            }
        }
    }
    Ok(())
}

async fn insert(tx: &mut Tx, rows: &[(&Alert, Relevance)]) -> Result<()> {
    for rows in pieces(rows) {
        let save = format!(
            "INSERT INTO alert_marks (alert_id, incident_id, integration, dedup_key, relevance, marked_at) VALUES {} \
             ON CONFLICT (alert_id) DO UPDATE SET incident_id = excluded.incident_id, relevance = excluded.relevance",
            tx.tuples(rows.len(), 6)
        );
        let save = rows.iter().fold(sql_made(save), |save, (alert, relevance)| {
            save.text(alert.id.as_str())
                .text(alert.incident.as_ref().map_or("", IncidentId::as_str))
                .text(alert.key.integration.as_str())
                .text(&alert.key.dedup_key)
                .text(relevance.name())
                .time(alert.last_at)
        });
        tx.put(save).await?;
    }
    Ok(())
}

/// How much of an incident is noise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Noise {
    pub alerts: i64,
    /// Of these, the ones that still fire.
    pub firing: i64,
}

impl Reader {
    /// # Errors
    /// As every call of the database.
    pub async fn incident_noise(&self, viewer: &Viewer, number: Number) -> Result<Noise> {
        if !viewer.may_read() {
            return Ok(Noise::default());
        }
        let count = sql(
            "SELECT COUNT(*) AS alerts, CAST(COALESCE(SUM(CASE WHEN a.state <> 'resolved' AND i.state <> 'resolved' AND (i.closed_at IS NULL OR a.fired_at > i.closed_at) THEN 1 ELSE 0 END), 0) \
                         AS BIGINT) AS firing FROM alert_marks m JOIN alerts a ON a.id = m.alert_id JOIN incidents own ON own.id = a.incident_id \
                         JOIN incidents i ON i.id = COALESCE(own.merged_into, own.id) \
                         WHERE i.number = $1 AND m.relevance = 'noise'",
        );
        let rows = self.rows(count.int(number.0)).await?;
        rows.first().map_or(Ok(Noise::default()), |row| Ok(Noise { alerts: row.int("alerts")?, firing: row.int("firing")? }))
    }

    /// The first alerts of an incident that are no noise.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn incident_alerts_loud(&self, viewer: &Viewer, number: Number, order: Order, limit: i64) -> Result<Vec<AlertView>> {
        let loud = " AND NOT EXISTS (SELECT 1 FROM alert_marks m WHERE m.alert_id = a.id AND m.relevance = 'noise')";
        Ok(self.incident_alerts_where(viewer, number, loud, order, None, limit).await?.items)
    }

    /// What each of these alerts was marked as, of those that were.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn alerts_marked(&self, alerts: &[&AlertId]) -> Result<BTreeMap<AlertId, Relevance>> {
        let mut marked = BTreeMap::new();
        let ids: Vec<&str> = alerts.iter().map(|id| id.as_str()).collect();
        for ids in ids.chunks(LIST) {
            let find = format!("SELECT alert_id, relevance FROM alert_marks WHERE alert_id IN ({})", list(1, ids.len()));
            for row in self.rows(sql_made(find).texts(ids)).await? {
                marked.insert(AlertId::from_text(row.text("alert_id")?), row.word("relevance", Relevance::parse)?);
            }
        }
        Ok(marked)
    }
}

/// Deletes the marks of alerts that are gone; how many.
///
/// # Errors
/// As every call of the database.
pub async fn marks_forget(tx: &mut Tx, before: Time, limit: i64) -> Result<u64> {
    let forget =
        sql("DELETE FROM alert_marks WHERE alert_id IN (SELECT m.alert_id FROM alert_marks m WHERE m.marked_at < $1 AND NOT EXISTS \
                      (SELECT 1 FROM alerts a WHERE a.id = m.alert_id) LIMIT $2)");
    tx.execute(forget.time(before).int(limit)).await
}
