//! The alerts that count what integrations sent beyond the new alerts that are kept of them.

use std::collections::BTreeMap;

use super::error::Result;
use super::read::{ALERT, AlertView, Reader, alert_of};
use super::sql::sql_made;
use crate::base::id::IntegrationId;
use crate::base::viewer::Viewer;
use crate::domain::alert::{AlertState, OVERFLOW_KEY};

impl Reader {
    /// Those that hold, by their integrations.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn alerts_overflowing(&self, viewer: &Viewer) -> Result<BTreeMap<IntegrationId, AlertView>> {
        if !viewer.may_read() {
            return Ok(BTreeMap::new());
        }
        let find = sql_made(format!("{ALERT} JOIN dedup_keys k ON k.alert_id = a.id WHERE k.dedup_key = $1")).text(OVERFLOW_KEY);
        let alerts = self.rows(find).await?.iter().map(alert_of).collect::<Result<Vec<_>>>()?;
        let holding = alerts.into_iter().filter(|alert| alert.state != AlertState::Resolved);
        Ok(holding.map(|alert| (alert.integration.clone(), alert)).collect())
    }
}
