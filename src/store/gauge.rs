//! How things stand in the database, for operators: few statements, each answered from an index.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;

use super::error::Result;
use super::journal::{files_waiting, journal_aside};
use super::read::Reader;
use super::sql::{Columns as _, sql};
use super::tally::tally_list;
use crate::base::id::IntegrationId;
use crate::base::time::Time;
use crate::domain::effect::Lane;

/// Rows that wait, and since when the oldest does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    pub rows: i64,
    pub oldest: Option<Time>,
}

/// One look at the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Accepted and not folded yet.
    pub journal: Waiting,
    /// Rows that could not be folded.
    pub aside: i64,
    /// Effects that are due, by lane; every lane is there.
    pub outbox: BTreeMap<String, Waiting>,
    /// Wake-ups that are due.
    pub wakes: Waiting,
    /// Open incidents by state and severity.
    pub incidents: BTreeMap<(String, String), i64>,
    /// What became of every integration's signals.
    pub tallies: BTreeMap<(IntegrationId, String), i64>,
    /// Facts that each outgoing webhook has not told yet.
    pub webhooks: BTreeMap<String, i64>,
}

fn waiting_of(row: &AnyRow) -> Result<Waiting> {
    Ok(Waiting { rows: row.int("n")?, oldest: row.maybe_time("oldest")? })
}

impl Reader {
    /// # Errors
    /// As every call of the database.
    pub async fn gauges(&self, now: Time) -> Result<Gauges> {
        let mut gauges = Gauges { aside: journal_aside(self).await?, tallies: tally_list(self).await?, ..Gauges::default() };

        let journal = sql("SELECT CAST(COUNT(*) AS BIGINT) AS n, CAST(MIN(at) AS BIGINT) AS oldest FROM journal");
        if let Some(row) = self.rows(journal).await?.first() {
            let (in_table, (rows, oldest)) = (waiting_of(row)?, files_waiting(self).await?);
            gauges.journal = Waiting { rows: in_table.rows + rows, oldest: in_table.oldest.into_iter().chain(oldest).min() };
        }
        gauges.outbox.extend(Lane::ALL.map(|lane| (lane.name().to_owned(), Waiting::default())));
        let outbox = sql("SELECT lane, CAST(COUNT(*) AS BIGINT) AS n, CAST(MIN(due_at) AS BIGINT) AS oldest FROM outbox \
                          WHERE due_at <= $1 GROUP BY lane");
        for row in self.rows(outbox.time(now)).await? {
            gauges.outbox.insert(row.text("lane")?, waiting_of(&row)?);
        }
        let wakes = sql("SELECT CAST(COUNT(*) AS BIGINT) AS n, CAST(MIN(due_at) AS BIGINT) AS oldest FROM wakes WHERE due_at <= $1");
        if let Some(row) = self.rows(wakes.time(now)).await?.first() {
            gauges.wakes = waiting_of(row)?;
        }
        let incidents = sql("SELECT state, severity, CAST(COUNT(*) AS BIGINT) AS n FROM incidents \
                             WHERE state IN ('triggered', 'acknowledged') GROUP BY state, severity");
        for row in self.rows(incidents).await? {
            gauges.incidents.insert((row.text("state")?, row.text("severity")?), row.int("n")?);
        }
        let webhooks = sql("SELECT name, (SELECT value FROM counters WHERE name = 'seq') - seq AS n FROM followers \
                            WHERE SUBSTR(name, 1, 8) = 'webhook:' AND done = 0");
        for row in self.rows(webhooks).await? {
            gauges.webhooks.insert(row.text("name")?.trim_start_matches("webhook:").to_owned(), row.int("n")?);
        }
        Ok(gauges)
    }
}
