//! What the pages look for: incidents by what people remember of them, and alerts that woke nobody.

use super::error::Result;
use super::read::{AlertView, INVOLVES, IncidentView, Page, Reader, bounded};
use super::sql::{Sql, list};
use crate::base::id::ServiceId;
use crate::base::viewer::Viewer;
use crate::domain::incident::{IncidentState, Kind};
use crate::domain::order::Order;
use crate::domain::setup::Severity;

/// Which incidents; `None` and empty are all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentSearch {
    pub states: Vec<IncidentState>,
    pub severity: Option<Severity>,
    pub service: Option<ServiceId>,
    /// Words that stand in the title, in any case.
    pub words: String,
    pub order: Order,
}

impl Reader {
    /// Real incidents.
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
        let states = IncidentState::ALL.into_iter().filter(|state| search.states.is_empty() || search.states.contains(state));
        let states: Vec<&str> = states.map(IncidentState::name).collect();
        let states_in = list(5, states.len());
        let first = 5 + states_in.split(',').count();
        let within = format!(
            "($1 = '' OR service = $1 OR {INVOLVES}) AND ($2 = '' OR severity = $2) AND kind = $3 \
             AND ($4 = '' OR REPLACE(LOWER(title), LOWER($4), '') <> LOWER(title)) AND state IN ({states_in})"
        );
        let bind = |find: Sql| {
            find.text(search.service.as_ref().map_or("", ServiceId::as_str))
                .text(search.severity.map_or("", Severity::name))
                .text(Kind::Real.name())
                .text(&search.words)
                .texts(&states)
        };
        self.incidents_in_order((&within, first), bind, search.order, cursor, bounded(limit)).await
    }

    /// Alerts that were recorded and belong to no incident.
    ///
    /// # Errors
    /// As [`Reader::incidents_search`].
    pub async fn alerts_recorded(&self, viewer: &Viewer, order: Order, cursor: Option<&str>, limit: i64) -> Result<Page<AlertView>> {
        if !viewer.may_read() {
            return Ok(Page::empty());
        }
        self.alerts_in_order(("a.incident_id IS NULL", 1), |find| find, order, cursor, bounded(limit)).await
    }
}
