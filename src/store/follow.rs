//! Reads of the live pages: the newest part of a timeline, and what the stream needs to be worded.

use super::error::Result;
use super::fact::{FactRow, fact_last_seq, fact_of};
use super::read::Reader;
use super::sql::{Columns as _, sql};
use crate::base::id::{IncidentId, Number};
use crate::base::limits;
use crate::base::viewer::Viewer;

impl Reader {
    /// The newest facts of an incident before `before` (or of all), oldest first.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn timeline_before(&self, viewer: &Viewer, number: Number, before: Option<i64>, limit: i64) -> Result<Vec<FactRow>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = sql("SELECT f.seq, f.incident_id, f.at, f.actor, f.body FROM facts f JOIN incidents i ON i.id = f.incident_id \
                        WHERE i.number = $1 AND f.seq < $2 ORDER BY f.seq DESC LIMIT $3");
        let find = find.int(number.0).int(before.unwrap_or(i64::MAX)).int(limit.clamp(1, limits::LIST_MOST));
        let mut facts = self.rows(find).await?.iter().map(fact_of).collect::<Result<Vec<_>>>()?;
        facts.reverse();
        Ok(facts)
    }

    /// An incident's number, for those who know its id: a sender that is told what became of its own signal.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn incident_number(&self, id: &IncidentId) -> Result<Option<Number>> {
        let rows = self.rows(sql("SELECT number FROM incidents WHERE id = $1").text(id.as_str())).await?;
        rows.first().map(|row| row.int("number").map(Number)).transpose()
    }

    /// Whether this is a fact's number, or the beginning. Retention takes facts away, and a stranger may make numbers up.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn seq_is_known(&self, seq: i64) -> Result<bool> {
        Ok(seq == 0 || !self.rows(sql("SELECT seq FROM facts WHERE seq = $1").int(seq)).await?.is_empty())
    }

    /// The last number given to a fact so far.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn seq_last(&self) -> Result<i64> {
        fact_last_seq(self).await
    }
}
