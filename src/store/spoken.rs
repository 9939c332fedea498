//! What a call speaks of: incidents as they are when it leaves, outside any transaction of theirs.

use std::collections::BTreeMap;

use super::desk::incident_of;
use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use crate::base::id::{IncidentId, Number};
use crate::base::limits;
use crate::domain::incident::Incident;
use crate::domain::setup::AlertSeverity;
use crate::domain::storm::Fallen;

/// The incident's row, without its pages.
///
/// # Errors
/// As every call of the database.
pub async fn incident_find(reader: &Reader, id: &IncidentId) -> Result<Option<Incident>> {
    let find = format!("{} WHERE id = $1", super::desk::INCIDENT);
    reader.rows(sql_made(find).text(id.as_str())).await?.first().map(incident_of).transpose()
}

/// The incident of this number, without its pages.
///
/// # Errors
/// As every call of the database.
pub async fn incident_find_by_number(reader: &Reader, number: Number) -> Result<Option<Incident>> {
    let find = format!("{} WHERE number = $1", super::desk::INCIDENT);
    reader.rows(sql_made(find).int(number.0)).await?.first().map(incident_of).transpose()
}

/// Titles of some of its alerts, the newest first.
///
/// # Errors
/// As every call of the database.
pub async fn alert_titles(reader: &Reader, id: &IncidentId, most: usize) -> Result<Vec<String>> {
    let find = sql("SELECT title FROM alerts WHERE incident_id = $1 ORDER BY id DESC LIMIT $2");
    let rows = reader.rows(find.text(id.as_str()).int(i64::try_from(most).unwrap_or(i64::MAX))).await?;
    rows.iter().map(|row| row.text("title")).collect()
}

/// Alerts of a storm by which it is told: the first to come, the last, and the worst of all.
///
/// # Errors
/// As every call of the database.
pub async fn storm_alerts(reader: &Reader, id: &IncidentId) -> Result<Vec<Fallen>> {
    let mut found: BTreeMap<String, Fallen> = BTreeMap::new();
    for (order, most) in [
        ("id", limits::STORM_LOOKED_AT / 2),
        ("id DESC", limits::STORM_LOOKED_AT / 2),
        ("CASE severity WHEN 'critical' THEN 0 WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, id", 1),
    ] {
        let find = format!("SELECT id, title, severity, fired_at FROM alerts WHERE incident_id = $1 ORDER BY {order} LIMIT $2");
        for row in reader.rows(sql_made(find).text(id.as_str()).int(most)).await? {
            let severity = row.word("severity", AlertSeverity::parse)?;
            found.insert(row.text("id")?, Fallen { title: row.text("title")?, severity, fired_at: row.time("fired_at")? });
        }
    }
    Ok(found.into_values().collect())
}
