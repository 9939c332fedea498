//! The desk of a service: the keys that signals name and the incidents they may touch, locked for one decision.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;

use super::error::Result;
use super::fact::counter_add;
use super::inhibition::{inhibitors_load, inhibitors_save};
use super::kind::{kinds_save, rarest};
use super::relevance::marks_save;
use super::silence::{silences_hold, silences_live_find, silences_live_of};
use super::sql::{Columns as _, LIST, Sql, list, pieces, sql, sql_made, storable, word_of};
use super::storm::{openings_load, openings_save};
use super::task::tasks_save;
use super::tx::Tx;
use crate::base::id::{AlertId, IncidentId, IntegrationId, Number, PageId, ServiceId, UserId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::alert::{Alert, AlertState, EarlyResolve, Hold, Key, KeyState};
use crate::domain::decide::{Desk, Wanted};
use crate::domain::fact::{Fact, What};
use crate::domain::group::Group;
use crate::domain::incident::{Incident, IncidentState, Kind, OpenPage};
use crate::domain::input::Scope;
use crate::domain::merge::{self, Holding, Symptoms};
use crate::domain::novelty::Novelty;
use crate::domain::setup::{AlertSeverity, Severity, Urgency};
use crate::domain::task::Task;

/// Loads what signals with these keys may touch, and the silences that may cover it. The silences are held first,
/// then the services are locked in their order, then how fast incidents open, by policy, then the incidents by number. `wanted` says what else the decision looks at, by the keys as
/// they are.
///
/// # Errors
/// As every call of the database.
pub async fn desk_load(
    tx: &mut Tx,
    keys: &BTreeSet<Key>,
    services: &BTreeSet<ServiceId>,
    wanted: impl FnOnce(&BTreeMap<Key, KeyState>) -> Wanted,
) -> Result<Desk> {
    silences_hold(tx).await?;
    if let Some(lock) = tx.dialect().lock_service() {
        for service in services {
            tx.rows(sql(lock).text(service.as_str())).await?;
        }
    }
    // Asked for together: none of it depends on what the others say.
    let asked = keys_asked(keys);
    let mut all = vec![silences_live_find()];
    all.extend(asked.iter().map(|asked| asked.find(tx)));
    all.extend(services.iter().map(newest_find));
    let mut found = tx.each(all).await?.into_iter();
    let silences = silences_live_of(&found.next().unwrap_or_default())?;
    let keys = keys_load(tx, &asked, &mut found).await?;
    let mut newest_found: Vec<(ServiceId, Vec<AnyRow>)> = services.iter().cloned().zip(found).collect();
    let also = wanted(&keys);
    let mut wanted: BTreeSet<IncidentId> =
        keys.values().filter_map(|key| key.alert.as_ref().and_then(|alert| alert.incident.clone())).collect();
    let mut newest = BTreeMap::new();
    // What only recorded so far belongs to the service that it began with, and may have to join there; so does what passed by itself.
    let recording = keys.values().filter_map(|key| key.alert.as_ref()).filter(|alert| alert.incident.is_none());
    let own = recording.filter(|alert| alert.state == AlertState::Firing || alert.hold == Some(Hold::Passed)).map(|alert| &alert.service);
    for service in own.filter(|service| !services.contains(service)).collect::<BTreeSet<_>>() {
        newest_found.push((service.clone(), tx.rows(newest_find(service)).await?));
    }
    for (service, rows) in newest_found {
        if let Some(row) = rows.first() {
            let id = IncidentId::from_text(row.text("id")?);
            wanted.insert(id.clone());
            newest.insert(service, id);
        }
    }
    let mut groups = groups_find(tx, &also.groups).await?;
    wanted.extend(groups.values().cloned());
    let openings = openings_load(tx, &also.policies).await?;
    wanted.extend(openings.values().filter_map(|openings| openings.umbrella.clone()));
    let inhibitors = inhibitors_load(tx, &also.inhibitions).await?;
    wanted.extend(symptoms_find(tx, &also.symptoms).await?);
    let incidents = incidents_load(tx, &wanted).await?;
    // It may have been resolved while its lock was waited for.
    newest.retain(|_, id| incidents.get(id).is_some_and(Incident::is_open));
    groups.retain(|_, id| incidents.get(id).is_some_and(Incident::is_open));
    Ok(Desk { keys, incidents, newest, groups, openings, silences, inhibitors, ..Desk::default() })
}

/// The newest open incident of a service, or what it went into.
fn newest_find(service: &ServiceId) -> Sql {
    let find = sql("SELECT id FROM (SELECT id, number FROM (\
                      SELECT id, number FROM incidents WHERE service = $1 AND state IN ('triggered', 'acknowledged') AND kind = 'real' \
                      AND split_from IS NULL ORDER BY number DESC LIMIT 1) own \
                    UNION ALL SELECT i.id, i.number FROM incidents own JOIN incidents i ON i.id = own.merged_into \
                      WHERE own.service = $1 AND own.merged_into IS NOT NULL AND own.kind = 'real' AND own.split_from IS NULL \
                      AND i.split_from IS NULL AND i.state IN ('triggered', 'acknowledged')) found ORDER BY number DESC LIMIT 1");
    find.text(service.as_str())
}

/// The newest open incident of each of these groups, where there is one.
async fn groups_find(
    tx: &mut Tx,
    wanted: &BTreeSet<(ServiceId, Option<Group>)>,
) -> Result<BTreeMap<(ServiceId, Option<Group>), IncidentId>> {
    let mut by_service: BTreeMap<&ServiceId, Vec<&str>> = BTreeMap::new();
    for (service, group) in wanted {
        by_service.entry(service).or_default().push(group_key(group.as_ref()));
    }
    let mut found = BTreeMap::new();
    for (service, groups) in by_service {
        for groups in groups.chunks(LIST) {
            let groups_of = list(2, groups.len());
            let find = format!(
                "SELECT id, number, group_key FROM incidents WHERE number IN (SELECT MAX(number) FROM incidents WHERE service = $1 \
                 AND state IN ('triggered', 'acknowledged') AND kind = 'real' AND split_from IS NULL AND group_key IN ({groups_of}) \
                 GROUP BY group_key) \
                 UNION ALL SELECT i.id, i.number, own.group_key FROM incidents own JOIN incidents i ON i.id = own.merged_into \
                 WHERE own.service = $1 AND own.merged_into IS NOT NULL AND own.kind = 'real' AND own.split_from IS NULL \
                 AND i.split_from IS NULL AND i.state IN ('triggered', 'acknowledged') AND own.group_key IN ({groups_of}) ORDER BY number"
            );
            // The newest of a group comes last.
            for row in tx.rows(sql_made(find).text(service.as_str()).texts(groups)).await? {
                found.insert((service.clone(), Group::from_text(row.text("group_key")?)), IncidentId::from_text(row.text("id")?));
            }
        }
    }
    Ok(found)
}

fn group_key(group: Option<&Group>) -> &str {
    group.map_or("", Group::as_str)
}

/// Open incidents that a new one may take in, the newest first.
async fn symptoms_find(tx: &mut Tx, symptoms: &Symptoms) -> Result<Vec<IncidentId>> {
    let services: Vec<&str> = symptoms.services.iter().map(ServiceId::as_str).take(LIST).collect();
    let Some(since) = symptoms.since.filter(|_| !services.is_empty()) else { return Ok(Vec::new()) };
    let find = format!(
        "SELECT id FROM incidents WHERE service IN ({}) AND state IN ('triggered', 'acknowledged') AND kind = 'real' AND opened_at >= $1 \
         ORDER BY number DESC LIMIT $2",
        list(3, services.len())
    );
    let most = i64::try_from(limits::SYMPTOMS).unwrap_or(i64::MAX);
    tx.rows(sql_made(find).time(since).int(most).texts(&services))
        .await?
        .iter()
        .map(|row| row.text("id").map(IncidentId::from_text))
        .collect()
}

/// Loads two incidents, locked in their order with all that went into them. `None` where there are not two.
///
/// # Errors
/// As every call of the database.
pub async fn desk_load_two(tx: &mut Tx, one: &IncidentId, other: &IncidentId) -> Result<Option<Desk>> {
    let mut wanted = BTreeSet::from([one.clone(), other.clone()]);
    let near = sql("SELECT id, merged_into FROM incidents WHERE id IN ($1, $2) OR merged_into IN ($1, $2)");
    for row in tx.rows(near.text(one.as_str()).text(other.as_str())).await? {
        wanted.insert(IncidentId::from_text(row.text("id")?));
        wanted.extend(row.maybe_text("merged_into")?.map(IncidentId::from_text));
    }
    let incidents = incidents_load(tx, &wanted).await?;
    let both = [one, other].iter().all(|id| incidents.contains_key(*id));
    Ok(both.then(|| Desk { incidents, ..Desk::default() }))
}

/// The keys of these alerts, and the services that they are about; those that there are no more are left out.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_keys(tx: &mut Tx, alerts: &BTreeSet<AlertId>) -> Result<(BTreeSet<Key>, BTreeSet<ServiceId>)> {
    let ids: Vec<&str> = alerts.iter().map(AlertId::as_str).collect();
    let (mut keys, mut services) = (BTreeSet::new(), BTreeSet::new());
    for ids in ids.chunks(LIST) {
        let find = format!("SELECT integration, dedup_key, service FROM alerts WHERE id IN ({})", list(1, ids.len()));
        for row in tx.rows(sql_made(find).texts(ids)).await? {
            keys.insert(Key { integration: IntegrationId::from_text(row.text("integration")?), dedup_key: row.text("dedup_key")? });
            services.insert(ServiceId::from_text(row.text("service")?));
        }
    }
    Ok((keys, services))
}

/// How many alerts still hold of those that began with these incidents.
///
/// # Errors
/// As every call of the database.
pub async fn alerts_holding_of(tx: &mut Tx, incidents: &BTreeSet<IncidentId>) -> Result<BTreeMap<IncidentId, Holding>> {
    let ids: Vec<&str> = incidents.iter().map(IncidentId::as_str).collect();
    let mut holding = BTreeMap::new();
    for ids in ids.chunks(LIST) {
        let find = format!(
            "SELECT a.incident_id, COUNT(*) AS firing, CAST(SUM(CASE WHEN a.state = 'suppressed' THEN 1 ELSE 0 END) AS BIGINT) AS silenced \
             FROM alerts a JOIN incidents i ON i.id = a.incident_id WHERE a.incident_id IN ({}) AND a.state <> 'resolved' \
             AND (i.closed_at IS NULL OR a.fired_at > i.closed_at) GROUP BY a.incident_id",
            list(1, ids.len())
        );
        for row in tx.rows(sql_made(find).texts(ids)).await? {
            let held = Holding { firing: row.int("firing")?, silenced: row.int("silenced")? };
            holding.insert(IncidentId::from_text(row.text("incident_id")?), held);
        }
    }
    Ok(holding)
}

/// The service of an incident, not locked.
///
/// # Errors
/// As every call of the database.
pub async fn incident_service(tx: &mut Tx, id: &IncidentId) -> Result<Option<ServiceId>> {
    let find = sql("SELECT service FROM incidents WHERE id = $1").text(id.as_str());
    tx.row(find).await?.map(|row| row.text("service").map(ServiceId::from_text)).transpose()
}

/// Loads one incident, locked, for a command or a wake-up.
///
/// # Errors
/// As every call of the database.
pub async fn desk_load_incident(tx: &mut Tx, id: &IncidentId) -> Result<Option<Desk>> {
    let incidents = incidents_load(tx, &BTreeSet::from([id.clone()])).await?;
    Ok((!incidents.is_empty()).then(|| Desk { incidents, ..Desk::default() }))
}

/// Some keys of one integration, by how they are stored: that may differ from what is asked for in signs that a database does not keep.
struct KeysAsked<'a> {
    integration: &'a IntegrationId,
    keys: BTreeMap<String, &'a Key>,
}

fn keys_asked(keys: &BTreeSet<Key>) -> Vec<KeysAsked<'_>> {
    let mut by_integration: BTreeMap<&IntegrationId, Vec<&Key>> = BTreeMap::new();
    for key in keys {
        by_integration.entry(&key.integration).or_default().push(key);
    }
    let mut asked = Vec::new();
    for (integration, keys) in by_integration {
        for keys in keys.chunks(LIST) {
            asked.push(KeysAsked { integration, keys: keys.iter().map(|key| (storable(&key.dedup_key), *key)).collect() });
        }
    }
    asked
}

impl KeysAsked<'_> {
    fn find(&self, tx: &Tx) -> Sql {
        let texts: Vec<&str> = self.keys.keys().map(String::as_str).collect();
        let find = format!(
            "SELECT dedup_key, changed_at, early_at, early_came_at, alert_id, changes, rate FROM dedup_keys \
             WHERE integration = {} AND dedup_key IN ({})",
            tx.place(1),
            tx.list(2, texts.len())
        );
        sql_made(find).text(self.integration.as_str()).texts(&texts)
    }
}

/// The keys by their rows, which come in the order in which they were asked for, and their alerts.
async fn keys_load(tx: &mut Tx, asked: &[KeysAsked<'_>], found: &mut impl Iterator<Item = Vec<AnyRow>>) -> Result<BTreeMap<Key, KeyState>> {
    let mut loaded = BTreeMap::new();
    let mut owners: BTreeMap<String, &Key> = BTreeMap::new();
    // In this order: of two that are zipped the first is looked at first, and the second keeps what is not for it.
    for (KeysAsked { keys, .. }, rows) in asked.iter().zip(found) {
        for row in rows {
            let Some(key) = keys.get(&row.text("dedup_key")?) else { continue };
            if let Some(alert) = row.maybe_text("alert_id")? {
                owners.insert(alert, *key);
            }
            loaded.insert((*key).clone(), key_of(&row, key)?);
        }
    }
    // Not joined above: PostgreSQL reads a join of so many keys, before it has statistics, as one with every alert there is.
    let ids: Vec<&str> = owners.keys().map(String::as_str).collect();
    for ids in ids.chunks(LIST) {
        let find = format!(
            "SELECT id, source, service, title, severity, state, count, first_at, last_at, fired_at, resolved_at, incident_id, ends_at, hold, \
             kind, seen, marks, url, labels \
             FROM alerts WHERE id IN ({})",
            tx.list(1, ids.len())
        );
        for row in tx.rows(sql_made(find).texts(ids)).await? {
            let id = row.text("id")?;
            if let Some(key) = owners.get(&id)
                && let Some(state) = loaded.get_mut(*key)
            {
                state.alert = Some(alert_of(&row, id, key)?);
            }
        }
    }
    Ok(loaded)
}

fn key_of(row: &AnyRow, key: &Key) -> Result<KeyState> {
    let early_resolve = match (row.maybe_time("early_at")?, row.maybe_time("early_came_at")?) {
        (Some(at), Some(came_at)) => Some(EarlyResolve { at, came_at }),
        (None, _) | (_, None) => None,
    };
    let changes = row.maybe_json("changes")?.unwrap_or_default();
    Ok(KeyState {
        key: key.clone(),
        alert: None,
        changed_at: row.maybe_time("changed_at")?,
        early_resolve,
        changes,
        rate: row.maybe_json("rate")?,
    })
}

pub(super) fn alert_of(row: &AnyRow, id: String, key: &Key) -> Result<Alert> {
    Ok(Alert {
        id: AlertId::from_text(id),
        key: key.clone(),
        source: row.text("source")?,
        service: ServiceId::from_text(row.text("service")?),
        title: row.text("title")?,
        severity: row.word("severity", AlertSeverity::parse)?,
        state: row.word("state", AlertState::parse)?,
        count: row.int("count")?,
        first_at: row.time("first_at")?,
        last_at: row.time("last_at")?,
        fired_at: row.time("fired_at")?,
        resolved_at: row.maybe_time("resolved_at")?,
        incident: row.maybe_text("incident_id")?.map(IncidentId::from_text),
        ends_at: row.maybe_time("ends_at")?,
        hold: row.maybe_json("hold")?,
        novelty: novelty_of(row)?,
        url: row.maybe_text("url")?,
        labels: row.json("labels")?,
    })
}

pub(super) fn novelty_of(row: &AnyRow) -> Result<Novelty> {
    Ok(Novelty { kind: row.text("kind")?, seen: row.int("seen")?, marks: row.maybe_json("marks")?.unwrap_or_default() })
}

/// These, and what they went into or took in, locked. What is found out only after the first lock may come before it in their order, so
/// its own is not waited for: two that wait for each other would wait for ever.
async fn incidents_load(tx: &mut Tx, ids: &BTreeSet<IncidentId>) -> Result<BTreeMap<IncidentId, Incident>> {
    let mut incidents = BTreeMap::new();
    incidents_lock(tx, ids, tx.dialect().for_update(), &mut incidents).await?;
    let mut asked = ids.clone();
    loop {
        let more: BTreeSet<IncidentId> = merge::family(&incidents).difference(&asked).cloned().collect();
        if more.is_empty() {
            return Ok(incidents);
        }
        incidents_lock(tx, &more, tx.dialect().for_update_now(), &mut incidents).await?;
        asked.extend(more);
    }
}

async fn incidents_lock(
    tx: &mut Tx,
    ids: &BTreeSet<IncidentId>,
    lock: &'static str,
    incidents: &mut BTreeMap<IncidentId, Incident>,
) -> Result<()> {
    let texts: Vec<&str> = ids.iter().map(IncidentId::as_str).collect();
    // Several lists would lock out of order; they come in one statement as long as a transaction keeps to its 256 alerts.
    for texts in texts.chunks(LIST) {
        let find = format!("{INCIDENT} WHERE id IN ({}) ORDER BY number{lock}", tx.list(1, texts.len()));
        for row in tx.rows(sql_made(find).texts(texts)).await? {
            let incident = incident_of(&row)?;
            tx.hold(Scope::Incident(incident.id.clone()));
            incidents.insert(incident.id.clone(), incident);
        }
        let find = format!(
            "SELECT id, incident_id, user_id, urgency, failed FROM pages WHERE incident_id IN ({}) AND wanted = 1 ORDER BY id",
            tx.list(1, texts.len())
        );
        for row in tx.rows(sql_made(find).texts(texts)).await? {
            if let Some(incident) = incidents.get_mut(&IncidentId::from_text(row.text("incident_id")?)) {
                incident.pages.push(OpenPage {
                    id: PageId::from_text(row.text("id")?),
                    user: UserId::from_text(row.text("user_id")?),
                    urgency: row.word("urgency", word_of)?,
                    failed: row.flag("failed")?,
                });
            }
        }
    }
    Ok(())
}

pub(super) const INCIDENT: &str = "SELECT id, number, service, title, severity, state, opened_at, joined_at, acknowledged_at, \
    acknowledged_by, lapses_at, resolved_at, resolved_by, closed_at, alerts_count, firing_count, epoch, run, kind, response FROM incidents";

pub(super) fn incident_of(row: &AnyRow) -> Result<Incident> {
    Ok(Incident {
        id: IncidentId::from_text(row.text("id")?),
        number: Number(row.int("number")?),
        service: ServiceId::from_text(row.text("service")?),
        title: row.text("title")?,
        severity: row.word("severity", Severity::parse)?,
        state: row.word("state", IncidentState::parse)?,
        opened_at: row.time("opened_at")?,
        joined_at: row.time("joined_at")?,
        acknowledged_at: row.maybe_time("acknowledged_at")?,
        acknowledged_by: row.maybe_json("acknowledged_by")?,
        lapses_at: row.maybe_time("lapses_at")?,
        resolved_at: row.maybe_time("resolved_at")?,
        resolved_by: row.maybe_json("resolved_by")?,
        closed_at: row.maybe_time("closed_at")?,
        alerts_count: row.int("alerts_count")?,
        firing_count: row.int("firing_count")?,
        epoch: row.int("epoch")?,
        run: row.maybe_json("run")?,
        pages: Vec::new(),
        kind: row.word("kind", Kind::parse)?,
        response: row.json("response")?,
    })
}

/// Saves what a decision changed. New incidents get their numbers, in `after` too; the facts about pages become rows of pages.
///
/// # Errors
/// As every call of the database.
pub async fn desk_save(tx: &mut Tx, before: &Desk, after: &mut Desk, facts: &[Fact]) -> Result<()> {
    incidents_number(tx, after).await?;
    let incidents: Vec<&Incident> = after
        .incidents
        .values()
        .filter(|incident| !before.incidents.get(&incident.id).is_some_and(|old| same_row(old, incident)))
        .collect();
    incidents_save(tx, &incidents, &rarest(before, after)).await?;
    kinds_save(tx, before, after).await?;
    let alerts: Vec<&Alert> = after
        .keys
        .iter()
        .filter_map(|(key, state)| {
            let old = before.keys.get(key).and_then(|old| old.alert.as_ref());
            state.alert.as_ref().filter(|alert| Some(*alert) != old)
        })
        .chain(&after.past)
        .collect();
    alerts_save(tx, &alerts).await?;
    // Two keys that differ only in what a database does not keep are one row, and no statement may name a row twice.
    let keys: BTreeMap<(&IntegrationId, String), &KeyState> = after
        .keys
        .values()
        .filter(|state| match before.keys.get(&state.key) {
            Some(old) => {
                old.alert.as_ref().map(|alert| &alert.id) != state.alert.as_ref().map(|alert| &alert.id)
                    || old.changed_at != state.changed_at
                    || old.early_resolve != state.early_resolve
                    || old.changes != state.changes
                    || old.rate != state.rate
            }
            None => **state != KeyState::new(state.key.clone()),
        })
        .map(|state| ((&state.key.integration, storable(&state.key.dedup_key)), state))
        .collect();
    let keys: Vec<&KeyState> = keys.into_values().collect();
    keys_save(tx, &keys).await?;
    let tasks: Vec<&Task> = after.tasks.values().filter(|task| before.tasks.get(&task.n) != Some(task)).collect();
    tasks_save(tx, &tasks).await?;
    openings_save(tx, before, after).await?;
    services_save(tx, facts).await?;
    inhibitors_save(tx, before, after, facts).await?;
    marks_save(tx, &after.incidents, &alerts, facts).await?;
    pages_save(tx, facts).await
}

/// The services that an incident took in, for whoever looks for the incidents of one.
async fn services_save(tx: &mut Tx, facts: &[Fact]) -> Result<()> {
    for fact in facts {
        let mut involved: Vec<&ServiceId> = Vec::new();
        if let What::ServiceInvolved { service } = &fact.what {
            involved.push(service);
        } else if let What::IncidentTakenIn { services, .. } = &fact.what {
            involved.extend(services);
        }
        for service in involved {
            let save =
                sql("INSERT INTO incident_services (incident_id, service) VALUES ($1, $2) ON CONFLICT (incident_id, service) DO NOTHING");
            tx.put(save.text(fact.incident.as_str()).text(service.as_str())).await?;
        }
    }
    Ok(())
}

async fn incidents_number(tx: &mut Tx, after: &mut Desk) -> Result<()> {
    let new = after.incidents.values().filter(|incident| incident.number == Number(0)).count();
    if new == 0 {
        return Ok(());
    }
    // Ids grow with time, so numbers do as well.
    let last = counter_add(tx, "incident", new).await?;
    let first = last - i64::try_from(new).unwrap_or(i64::MAX) + 1;
    let unnumbered = after.incidents.values_mut().filter(|incident| incident.number == Number(0));
    for (number, incident) in (first..).zip(unnumbered) {
        incident.number = Number(number);
        tx.hold(Scope::Incident(incident.id.clone()));
    }
    Ok(())
}

/// Equal but for the pages, which have rows of their own.
fn same_row(old: &Incident, new: &Incident) -> bool {
    let without_pages = |incident: &Incident| Incident { pages: Vec::new(), ..incident.clone() };
    without_pages(old) == without_pages(new)
}

async fn incidents_save(tx: &mut Tx, incidents: &[&Incident], rarest: &BTreeMap<&IncidentId, i64>) -> Result<()> {
    for rows in pieces(incidents) {
        let save = format!(
            "INSERT INTO incidents (id, number, service, title, severity, kind, state, opened_at, joined_at, acknowledged_at, \
             acknowledged_by, lapses_at, resolved_at, resolved_by, closed_at, alerts_count, firing_count, epoch, run, response, group_key, \
             merged_into, split_from, seen) VALUES {} \
             ON CONFLICT (id) DO UPDATE SET service = excluded.service, title = excluded.title, severity = excluded.severity, \
             state = excluded.state, joined_at = excluded.joined_at, acknowledged_at = excluded.acknowledged_at, \
             acknowledged_by = excluded.acknowledged_by, lapses_at = excluded.lapses_at, closed_at = excluded.closed_at, resolved_at = excluded.resolved_at, resolved_by = excluded.resolved_by, \
             alerts_count = excluded.alerts_count, firing_count = excluded.firing_count, epoch = excluded.epoch, run = excluded.run, \
             response = excluded.response, merged_into = excluded.merged_into, \
             seen = CASE WHEN excluded.seen < incidents.seen THEN excluded.seen ELSE incidents.seen END",
            tx.tuples(rows.len(), 24)
        );
        let save = rows.iter().fold(sql_made(save), |save, incident| {
            save.text(incident.id.as_str())
                .int(incident.number.0)
                .text(incident.service.as_str())
                .text(&incident.title)
                .text(incident.severity.name())
                .text(incident.kind.name())
                .text(incident.state.name())
                .time(incident.opened_at)
                .time(incident.joined_at)
                .maybe_time(incident.acknowledged_at)
                .maybe_json(incident.acknowledged_by.as_ref())
                .maybe_time(incident.lapses_at)
                .maybe_time(incident.resolved_at)
                .maybe_json(incident.resolved_by.as_ref())
                .maybe_time(incident.closed_at)
                .int(incident.alerts_count)
                .int(incident.firing_count)
                .int(incident.epoch)
                .maybe_json(incident.run.as_ref())
                .json(&incident.response)
                .text(group_key(incident.response.group.as_ref()))
                .maybe_text(incident.response.merged_into.as_ref().map(IncidentId::as_str))
                .maybe_text(incident.response.split_from.as_ref().map(IncidentId::as_str))
                .int(rarest.get(&incident.id).copied().unwrap_or(limits::COMMON))
        });
        tx.put(save).await?;
    }
    Ok(())
}

async fn alerts_save(tx: &mut Tx, alerts: &[&Alert]) -> Result<()> {
    for rows in pieces(alerts) {
        let save = format!(
            "INSERT INTO alerts (id, integration, dedup_key, source, service, title, severity, state, count, first_at, last_at, \
             fired_at, resolved_at, incident_id, url, labels, ends_at, hold, held_until, kind, seen, marks) VALUES {} \
             ON CONFLICT (id) DO UPDATE SET service = excluded.service, title = excluded.title, severity = excluded.severity, \
             state = excluded.state, count = excluded.count, last_at = excluded.last_at, fired_at = excluded.fired_at, resolved_at = excluded.resolved_at, \
             incident_id = excluded.incident_id, url = excluded.url, labels = excluded.labels, ends_at = excluded.ends_at, \
             hold = excluded.hold, held_until = excluded.held_until, marks = excluded.marks",
            tx.tuples(rows.len(), 22)
        );
        let save = rows.iter().fold(sql_made(save), |save, alert| {
            save.text(alert.id.as_str())
                .text(alert.key.integration.as_str())
                .text(&alert.key.dedup_key)
                .text(&alert.source)
                .text(alert.service.as_str())
                .text(&alert.title)
                .text(alert.severity.name())
                .text(alert.state.name())
                .int(alert.count)
                .time(alert.first_at)
                .time(alert.last_at)
                .time(alert.fired_at)
                .maybe_time(alert.resolved_at)
                .maybe_text(alert.incident.as_ref().map(IncidentId::as_str))
                .maybe_text(alert.url.as_ref())
                .json(&alert.labels)
                .maybe_time(alert.ends_at)
                .maybe_json(alert.hold.as_ref())
                .maybe_time(alert.hold.and_then(|hold| hold.until()))
                .text(&alert.novelty.kind)
                .int(alert.novelty.seen)
                .maybe_json(Some(&alert.novelty.marks).filter(|marks| !marks.is_empty()))
        });
        tx.put(save).await?;
    }
    Ok(())
}

async fn keys_save(tx: &mut Tx, keys: &[&KeyState]) -> Result<()> {
    for rows in pieces(keys) {
        let save = format!(
            "INSERT INTO dedup_keys (integration, dedup_key, alert_id, first_at, changed_at, early_at, early_came_at, changes, rate) VALUES {} \
             ON CONFLICT (integration, dedup_key) DO UPDATE SET alert_id = excluded.alert_id, changed_at = excluded.changed_at, \
             early_at = excluded.early_at, early_came_at = excluded.early_came_at, changes = excluded.changes, rate = excluded.rate",
            tx.tuples(rows.len(), 9)
        );
        let save = rows.iter().fold(sql_made(save), |save, state| {
            save.text(state.key.integration.as_str())
                .text(&state.key.dedup_key)
                .maybe_text(state.alert.as_ref().map(|alert| alert.id.as_str()))
                .time(first_seen(state))
                .maybe_time(state.changed_at)
                .maybe_time(state.early_resolve.map(|early| early.at))
                .maybe_time(state.early_resolve.map(|early| early.came_at))
                .maybe_json(Some(&state.changes).filter(|changes| !changes.is_empty()))
                .maybe_json(state.rate.as_ref())
        });
        tx.put(save).await?;
    }
    Ok(())
}

/// When a key was first heard of, told by what a new key holds.
fn first_seen(state: &KeyState) -> Time {
    let alert = state.alert.as_ref().map(|alert| alert.first_at);
    let early = state.early_resolve.map(|early| early.came_at);
    alert.or(early).or(state.changed_at).unwrap_or(Time(0))
}

/// What the facts of one decision make of one page.
#[derive(Default)]
struct PageChange<'a> {
    /// Opened here: its incident, user and urgency, and when.
    opened: Option<(&'a IncidentId, &'a UserId, Urgency, Time)>,
    /// How many times it started again, and the last of them.
    restarts: i64,
    restarted: Option<(Urgency, Time)>,
    ended: Option<(String, Time)>,
    /// The incident that it is for now.
    moved: Option<&'a IncidentId>,
}

/// Folds the facts about pages into their rows. A fact counts against those before it: a page opened and ended at once is one row.
async fn pages_save(tx: &mut Tx, facts: &[Fact]) -> Result<()> {
    let mut changes: BTreeMap<&PageId, PageChange> = BTreeMap::new();
    for fact in facts {
        match &fact.what {
            What::PageOpened { page, user, urgency } => {
                changes.entry(page).or_default().opened = Some((&fact.incident, user, *urgency, fact.at));
            }
            What::PageTakenOver { page, .. } => {
                let change = changes.entry(page).or_default();
                change.moved = Some(&fact.incident);
                if let Some((incident, ..)) = &mut change.opened {
                    *incident = &fact.incident;
                }
            }
            What::PageRestarted { page, urgency, .. } => {
                let change = changes.entry(page).or_default();
                change.restarts += 1;
                change.restarted = Some((*urgency, fact.at));
            }
            What::PageAnswered { page, .. } => {
                changes.entry(page).or_default().ended = Some(("answered".to_owned(), fact.at));
            }
            What::PageEnded { page, reason, .. } => {
                changes.entry(page).or_default().ended.get_or_insert_with(|| (reason.name(), fact.at));
            }
            // The person's own transaction has written that it failed.
            What::PageFailed { .. }
            | What::PageLeft { .. }
            | What::IncidentOpened { .. }
            | What::AlertsJoined { .. }
            | What::AlertsRefired { .. }
            | What::AlertsResolved { .. }
            | What::AlertsSilenced { .. }
            | What::RelevanceMarked { .. }
            | What::MarkTakenBack { .. }
            | What::NoiseWorse { .. }
            | What::NoiseChanged { .. }
            | What::AlertsInhibited { .. }
            | What::AlertsUninhibited { .. }
            | What::IncidentInhibited { .. }
            | What::AlertsWaited { .. }
            | What::AlertsOutlasted { .. }
            | What::AlertsNew { .. }
            | What::AlertsRising { .. }
            | What::AlertsFlapping { .. }
            | What::AlertsSteady { .. }
            | What::AlertsUnsilenced { .. }
            | What::SilenceExtended { .. }
            | What::IncidentSilenced { .. }
            | What::SeverityRaised { .. }
            | What::PolicyStarted { .. }
            | What::StepStarted { .. }
            | What::StepSkipped { .. }
            | What::PolicyExhausted
            | What::PagedWider { .. }
            | What::IncidentAcknowledged { .. }
            | What::AcknowledgementRenewed { .. }
            | What::AcknowledgementLapsed
            | What::IncidentEscalated
            | What::IncidentResolved { .. }
            | What::IncidentReopened { .. }
            | What::IncidentMerged { .. }
            | What::IncidentTakenIn { .. }
            | What::EndedWith { .. }
            | What::IncidentSplitOff { .. }
            | What::IncidentSplit { .. }
            | What::IncidentUnmerged { .. }
            | What::LinkSuspected { .. }
            | What::IncidentRouted { .. }
            | What::ServiceInvolved { .. }
            | What::StormBegan { .. }
            | What::StormEnded
            | What::IncidentReminded { .. }
            | What::PageUnhelpful { .. }
            | What::AttemptPlaced { .. }
            | What::AttemptAccepted { .. }
            | What::AttemptRejected { .. }
            | What::AttemptUnknown { .. }
            | What::AttemptWithdrawn { .. }
            | What::PhoneRang { .. }
            | What::PhonePickedUp { .. }
            | What::CallEnded { .. }
            | What::CallSilent { .. }
            | What::CallHeld { .. }
            | What::IncidentDeclared { .. }
            | What::SeverityChanged { .. }
            | What::TitleChanged { .. }
            | What::RoleChanged { .. }
            | What::NoteAdded { .. }
            | What::UpdatePosted { .. }
            | What::TaskAdded { .. }
            | What::TaskChanged { .. }
            | What::RoomWanted { .. }
            | What::RoomOpened { .. }
            | What::NoticeWanted { .. }
            | What::LapseAsked { .. }
            | What::IncidentSnoozed { .. }
            | What::SnoozeEnded
            | What::IncidentReassigned { .. }
            | What::PageAsked { .. }
            | What::ResolveAsked { .. }
            | What::IntegrationWentSilent { .. }
            | What::MessageDelivered { .. }
            | What::MessageUndelivered { .. }
            | What::ContactClosed { .. } => {}
        }
    }
    let (opened, others): (Vec<_>, Vec<_>) = changes.into_iter().partition(|(_, change)| change.opened.is_some());
    pages_insert(tx, &opened).await?;
    pages_update(tx, &others).await
}

async fn pages_insert(tx: &mut Tx, opened: &[(&PageId, PageChange<'_>)]) -> Result<()> {
    for rows in pieces(opened) {
        let insert = format!(
            "INSERT INTO pages (id, incident_id, user_id, urgency, created_at, starts, started_at, wanted, ended, ended_at, live, plan, \
             planned_for, tried, failed) VALUES {}",
            tx.tuples(rows.len(), 15)
        );
        let insert = rows.iter().fold(sql_made(insert), |insert, (id, change)| {
            let Some((incident, user, urgency, at)) = change.opened else { return insert };
            let (urgency, started_at) = change.restarted.unwrap_or((urgency, at));
            insert
                .text(id.as_str())
                .text(incident.as_str())
                .text(user.as_str())
                .text(urgency_name(urgency))
                .time(at)
                .int(1 + change.restarts)
                .time(started_at)
                .flag(change.ended.is_none())
                .maybe_text(change.ended.as_ref().map(|(ended, _)| ended))
                .maybe_time(change.ended.as_ref().map(|(_, at)| *at))
                .flag(true)
                .text("[]")
                .int(0)
                .text("[]")
                .flag(false)
        });
        tx.put(insert).await?;
    }
    Ok(())
}

async fn pages_update(tx: &mut Tx, changed: &[(&PageId, PageChange<'_>)]) -> Result<()> {
    let ids: Vec<&str> = changed.iter().map(|(id, _)| id.as_str()).collect();
    if ids.len() > 1 && tx.dialect().has_row_locks() {
        // A person's transaction locks its pages by id; so does this one, whatever order the updates take.
        for ids in ids.chunks(LIST) {
            let lock = format!("SELECT id FROM pages WHERE id IN ({}) ORDER BY id{}", list(1, ids.len()), tx.dialect().for_update());
            tx.rows(sql_made(lock).texts(ids)).await?;
        }
    }
    let mut restarts: BTreeMap<(i64, Urgency, Time), Vec<&str>> = BTreeMap::new();
    let mut ends: BTreeMap<(&str, Time), Vec<&str>> = BTreeMap::new();
    for (id, change) in changed {
        if let Some((urgency, at)) = change.restarted {
            restarts.entry((change.restarts, urgency, at)).or_default().push(id.as_str());
        }
        if let Some((ended, at)) = &change.ended {
            ends.entry((ended, *at)).or_default().push(id.as_str());
        }
    }
    for (id, change) in changed {
        if let Some(incident) = change.moved {
            let update = sql("UPDATE pages SET incident_id = $1 WHERE id = $2");
            tx.put(update.text(incident.as_str()).text(id.as_str())).await?;
        }
    }
    for ((times, urgency, at), ids) in restarts {
        for ids in ids.chunks(LIST) {
            let update = format!(
                "UPDATE pages SET starts = starts + $1, urgency = $2, started_at = $3, live = 1 WHERE id IN ({})",
                list(4, ids.len())
            );
            tx.put(sql_made(update).int(times).text(urgency_name(urgency)).time(at).texts(ids)).await?;
        }
    }
    for ((ended, at), ids) in ends {
        for ids in ids.chunks(LIST) {
            let update = format!("UPDATE pages SET wanted = 0, ended = $1, ended_at = $2 WHERE id IN ({})", list(3, ids.len()));
            tx.put(sql_made(update).text(ended).time(at).texts(ids)).await?;
        }
    }
    Ok(())
}

pub(super) const fn urgency_name(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Low => "low",
        Urgency::High => "high",
    }
}
