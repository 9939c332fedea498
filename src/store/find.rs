//! What the pages look for: incidents by what people remember of them, and alerts that woke nobody.

use super::StoreError;
use super::error::Result;
use super::read::{
    ALERT, AlertView, INCIDENT, INVOLVES, IncidentView, Page, Reader, alert_of, alerts_below, bounded, cursor_read, page_of,
};
use super::sql::{list, sql_made};
use crate::base::id::ServiceId;
use crate::base::viewer::Viewer;
use crate::domain::incident::{IncidentState, Kind};
use crate::domain::setup::Severity;

/// Which incidents; `None` and empty are all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentSearch {
    pub states: Vec<IncidentState>,
    pub severity: Option<Severity>,
    pub service: Option<ServiceId>,
    /// Words that stand in the title, in any case.
    pub words: String,
}

impl Reader {
    /// Real incidents, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] for a cursor that is none, else as every call of the database.
    pub async fn incidents_search(
        &self,
        viewer: &Viewer,
        search: &IncidentSearch,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<IncidentView>> {
        if !viewer.may_read() {
            return Ok(Page::empty());
        }
        let limit = bounded(limit);
        let below = match cursor {
            Some(cursor) => cursor_read(cursor)?.parse::<i64>().map_err(|_| StoreError::Cursor)?,
            None => i64::MAX,
        };
        let states = IncidentState::ALL.into_iter().filter(|state| search.states.is_empty() || search.states.contains(state));
        let states: Vec<&str> = states.map(IncidentState::name).collect();
        let find = format!(
            "{INCIDENT} WHERE number < $1 AND ($2 = '' OR service = $2 OR {INVOLVES}) AND ($3 = '' OR severity = $3) AND kind = $4 \
             AND ($5 = '' OR REPLACE(LOWER(title), LOWER($5), '') <> LOWER(title)) AND state IN ({}) ORDER BY number DESC LIMIT $6",
            list(7, states.len())
        );
        let find = sql_made(find)
            .int(below)
            .text(search.service.as_ref().map_or("", ServiceId::as_str))
            .text(search.severity.map_or("", Severity::name))
            .text(Kind::Real.name())
            .text(&search.words)
            .int(limit + 1)
            .texts(&states);
        let items = self.linked(self.rows(find).await?).await?;
        Ok(page_of(items, limit, |incident| incident.number.0.to_string()))
    }

    /// Alerts that were recorded and belong to no incident, newest first.
    ///
    /// # Errors
    /// As [`Reader::incidents_search`].
    pub async fn alerts_recorded(&self, viewer: &Viewer, cursor: Option<&str>, limit: i64) -> Result<Page<AlertView>> {
        if !viewer.may_read() {
            return Ok(Page::empty());
        }
        let (limit, below) = (bounded(limit), alerts_below(cursor)?);
        let find = sql_made(format!("{ALERT} WHERE a.id < $1 AND a.incident_id IS NULL ORDER BY a.id DESC LIMIT $2"));
        let items = self.rows(find.text(below).int(limit + 1)).await?;
        let items = items.iter().map(alert_of).collect::<Result<Vec<_>>>()?;
        Ok(page_of(items, limit, |alert| alert.id.to_string()))
    }
}
