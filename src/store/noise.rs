//! What each monitor did lately, and what came of it.

use std::collections::BTreeMap;

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use crate::base::id::{IntegrationId, ServiceId};
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::input::Actor;
use crate::domain::noise::{Came, Record};
use crate::domain::novelty::KindKey;

/// A kind of alert of one sender and service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    pub kind: KindKey,
    /// The title of one of its alerts, and the label `alertname` where it had one.
    pub title: String,
    pub alertname: String,
    pub last_at: Time,
    pub record: Record,
}

/// What people did about one incident.
#[derive(Default)]
struct Done {
    acknowledged: bool,
    acted: bool,
    unhelpful: bool,
}

impl Reader {
    /// The monitors that had alerts in incidents since then, of the newest [`limits::NOISE_ROWS`] times that one did; what is most for nothing
    /// first, then what fired most.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn noise(&self, viewer: &Viewer, since: Time) -> Result<Vec<Monitor>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let done = self.done(since).await?;
        let find = sql(
            "SELECT COALESCE(i.merged_into, i.id) AS incident_id, k.kind, k.integration, k.service, k.title, k.alertname, k.alerts, k.at FROM incident_kinds k \
                        JOIN incidents i ON i.id = k.incident_id WHERE k.at >= $1 AND i.kind = 'real' ORDER BY k.at DESC LIMIT $2",
        );
        let mut monitors: BTreeMap<KindKey, Monitor> = BTreeMap::new();
        for row in self.rows(find.time(since).int(limits::NOISE_ROWS)).await? {
            let kind = KindKey {
                service: ServiceId::from_text(row.text("service")?),
                integration: IntegrationId::from_text(row.text("integration")?),
                kind: row.text("kind")?,
            };
            // The newest comes first, and names it.
            if !monitors.contains_key(&kind) {
                let (title, alertname, last_at) = (row.text("title")?, row.text("alertname")?, row.time("at")?);
                monitors.insert(kind.clone(), Monitor { kind: kind.clone(), title, alertname, last_at, record: Record::default() });
            }
            let nothing = Done::default();
            let Done { acknowledged, acted, unhelpful } = *done.get(&row.text("incident_id")?).unwrap_or(&nothing);
            if let Some(monitor) = monitors.get_mut(&kind) {
                monitor.record.add(row.int("alerts")?, Came::of(unhelpful, acted, acknowledged), acknowledged, acted);
            }
        }
        let mut monitors: Vec<Monitor> = monitors.into_values().collect();
        monitors.sort_by_key(|monitor| std::cmp::Reverse((monitor.record.score(), monitor.record.fired, monitor.last_at)));
        Ok(monitors)
    }

    async fn done(&self, since: Time) -> Result<BTreeMap<String, Done>> {
        // The condition is the index's own, word for word, or it is not used.
        let find = sql("SELECT DISTINCT incident_id, kind, actor FROM facts WHERE at >= $1 AND kind IN ('incident_acknowledged', \
                        'incident_resolved', 'incident_escalated', 'page_unhelpful', 'note_added', 'task_added', 'task_changed', \
                        'update_posted', 'role_changed', 'severity_changed', 'page_asked', 'incident_reassigned')");
        let mut done: BTreeMap<String, Done> = BTreeMap::new();
        for row in self.rows(find.time(since)).await? {
            let actor: Actor = row.json("actor")?;
            if !matches!(actor, Actor::User(_) | Actor::Token(_)) {
                continue;
            }
            let done = done.entry(row.text("incident_id")?).or_default();
            match row.text("kind")?.as_str() {
                "incident_acknowledged" => done.acknowledged = true,
                "page_unhelpful" => done.unhelpful = true,
                _ => done.acted = true,
            }
        }
        Ok(done)
    }
}
