//! The order in which the hosts of an incident fell.

use std::collections::BTreeMap;

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql};
use crate::base::id::Number;
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::fall::{self, Fall};

impl Reader {
    /// The hosts of an incident's first alerts, those that a merge brought among them, as many as [`limits::FALLS_LOOKED_AT`], in the order in which they fell.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn incident_fell(&self, viewer: &Viewer, number: Number) -> Result<Vec<Fall>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = sql("SELECT a.labels, a.first_at FROM alerts a WHERE a.incident_id IN (SELECT id FROM incidents WHERE number = $1 \
                        UNION ALL SELECT one.id FROM incidents home JOIN incidents one ON one.merged_into = home.id WHERE home.number = $1) \
                        ORDER BY a.id LIMIT $2");
        let rows = self.rows(find.int(number.0).int(limits::FALLS_LOOKED_AT)).await?;
        let alerts: Vec<(BTreeMap<String, String>, Time)> =
            rows.iter().map(|row| Ok((row.json("labels")?, row.time("first_at")?))).collect::<Result<_>>()?;
        Ok(fall::order(alerts.iter().map(|(labels, at)| (labels, *at))))
    }
}
