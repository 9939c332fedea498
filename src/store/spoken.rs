//! What a call speaks of: incidents as they are when it leaves, outside any transaction of theirs.

use super::desk::incident_of;
use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use crate::base::id::{IncidentId, Number};
use crate::domain::incident::Incident;

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
