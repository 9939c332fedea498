//! Kinds of alerts: how often each was heard of, and which an incident has.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Result;
use super::sql::{Columns as _, LIST, pieces, sql, sql_made, storable};
use super::tx::Tx;
use crate::base::id::{IncidentId, IntegrationId, ServiceId};
use crate::base::time::Time;
use crate::domain::alert::Alert;
use crate::domain::decide::Desk;
use crate::domain::novelty::{KindKey, KindState};

/// Lays what is remembered of these kinds on the desk, `None` for what was never heard of. They are not locked: one folder decides of them
/// at a time, and what another one counts meanwhile is a few of many.
///
/// # Errors
/// As every call of the database.
pub async fn kinds_load(tx: &mut Tx, desk: &mut Desk, wanted: &BTreeSet<KindKey>) -> Result<()> {
    let mut of: BTreeMap<(&IntegrationId, &ServiceId), Vec<&KindKey>> = BTreeMap::new();
    for kind in wanted {
        of.entry((&kind.integration, &kind.service)).or_default().push(kind);
        desk.kinds.insert(kind.clone(), None);
    }
    for ((integration, service), kinds) in of {
        for kinds in kinds.chunks(LIST) {
            // What is stored may differ from what was asked for in signs that a database does not keep.
            let asked: BTreeMap<String, &KindKey> = kinds.iter().map(|key| (storable(&key.kind), *key)).collect();
            let texts: Vec<&str> = asked.keys().map(String::as_str).collect();
            let find = format!(
                "SELECT kind, first_at, last_at, seen FROM kinds WHERE integration = {} AND service = {} AND kind IN ({})",
                tx.place(1),
                tx.place(2),
                tx.list(3, texts.len())
            );
            for row in tx.rows(sql_made(find).text(integration.as_str()).text(service.as_str()).texts(&texts)).await? {
                let Some(key) = asked.get(&row.text("kind")?) else { continue };
                let state = KindState { first_at: row.time("first_at")?, last_at: row.time("last_at")?, seen: row.int("seen")? };
                desk.kinds.insert((*key).clone(), Some(state));
            }
        }
    }
    Ok(())
}

/// Saves what alerts that began, or found their incident, have changed of their kinds.
pub(super) async fn kinds_save(tx: &mut Tx, before: &Desk, after: &Desk) -> Result<()> {
    let changed = after.kinds.iter().filter(|(key, state)| before.kinds.get(key) != Some(state));
    // Two that differ only in what a database does not keep are one row, and no statement may name a row twice.
    let changed: BTreeMap<(String, &IntegrationId, &ServiceId), KindState> =
        changed.filter_map(|(key, state)| Some(((storable(&key.kind), &key.integration, &key.service), (*state)?))).collect();
    let changed: Vec<_> = changed.into_iter().collect();
    for rows in pieces(&changed) {
        let save = format!(
            "INSERT INTO kinds (kind, integration, service, first_at, last_at, seen) VALUES {} \
             ON CONFLICT (kind, integration, service) DO UPDATE SET last_at = excluded.last_at, seen = excluded.seen",
            tx.tuples(rows.len(), 6)
        );
        let save = rows.iter().fold(sql_made(save), |save, ((kind, integration, service), state)| {
            save.text(kind).text(integration.as_str()).text(service.as_str()).time(state.first_at).time(state.last_at).int(state.seen)
        });
        tx.put(save).await?;
    }
    of_incidents_save(tx, before, after).await
}

/// One kind in one incident.
type Joined<'a> = (&'a IncidentId, String, &'a IntegrationId, &'a ServiceId);

/// How many alerts of each kind have joined each incident.
async fn of_incidents_save(tx: &mut Tx, before: &Desk, after: &Desk) -> Result<()> {
    let mut joined: BTreeMap<Joined<'_>, (&Alert, i64)> = BTreeMap::new();
    for (alert, incident) in alerts_that_joined(before, after) {
        let of = (incident, storable(&alert.novelty.kind), &alert.key.integration, &alert.service);
        joined.entry(of).or_insert((alert, 0)).1 += 1;
    }
    let joined: Vec<_> = joined.into_iter().collect();
    for rows in pieces(&joined) {
        let save = format!(
            "INSERT INTO incident_kinds (incident_id, kind, integration, service, title, alertname, alerts, at) VALUES {} \
             ON CONFLICT (incident_id, kind, integration, service) DO UPDATE SET alerts = incident_kinds.alerts + excluded.alerts",
            tx.tuples(rows.len(), 8)
        );
        let save = rows.iter().fold(sql_made(save), |save, ((incident, kind, integration, service), (alert, alerts))| {
            save.text(incident.as_str())
                .text(kind)
                .text(integration.as_str())
                .text(service.as_str())
                .text(&alert.title)
                .text(alert.labels.get("alertname").map_or("", String::as_str))
                .int(*alerts)
                .time(alert.last_at)
        });
        tx.put(save).await?;
    }
    Ok(())
}

fn alerts_that_joined<'a>(before: &'a Desk, after: &'a Desk) -> impl Iterator<Item = (&'a Alert, &'a IncidentId)> {
    let had = |alert: &Alert| {
        let old = before.keys.get(&alert.key).and_then(|state| state.alert.as_ref());
        old.is_some_and(|old| old.id == alert.id && old.incident == alert.incident)
    };
    let now = after.keys.values().filter_map(|state| state.alert.as_ref()).chain(&after.past);
    now.filter_map(|alert| Some((alert, alert.incident.as_ref()?))).filter(move |(alert, _)| !had(alert) && !alert.novelty.kind.is_empty())
}

/// How rare the rarest alert is that each incident has got: −1 for the first ever of its kind.
pub(super) fn rarest<'a>(before: &'a Desk, after: &'a Desk) -> BTreeMap<&'a IncidentId, i64> {
    let mut rarest: BTreeMap<&IncidentId, i64> = BTreeMap::new();
    for (alert, incident) in alerts_that_joined(before, after) {
        let this = if alert.novelty.marks.is_new { -1 } else { alert.novelty.seen };
        rarest.entry(incident).and_modify(|seen| *seen = this.min(*seen)).or_insert(this);
    }
    rarest
}

/// Forgets kinds that nobody has heard of since `before`, and the oldest beyond the newest `keep`; at most `limit`.
///
/// # Errors
/// As every call of the database.
pub async fn kinds_forget(tx: &mut Tx, before: Time, keep: i64, limit: i64) -> Result<u64> {
    let edge = tx.row(sql("SELECT last_at FROM kinds ORDER BY last_at DESC LIMIT 1 OFFSET $1").int(keep)).await?;
    let edge = edge.map(|row| row.time("last_at")).transpose()?.unwrap_or(Time(i64::MIN));
    let old =
        sql("SELECT kind, integration, service FROM kinds WHERE kind <> '' AND (last_at < $1 OR last_at <= $2) ORDER BY last_at LIMIT $3");
    let old = tx.rows(old.time(before).time(edge).int(limit)).await?;
    for row in &old {
        let forget = sql("DELETE FROM kinds WHERE kind = $1 AND integration = $2 AND service = $3");
        tx.put(forget.text(row.text("kind")?).text(row.text("integration")?).text(row.text("service")?)).await?;
    }
    Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
}
