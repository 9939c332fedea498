//! Per integration: how many signals were accepted, and what became of them.

use std::collections::BTreeMap;

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::IntegrationId;
use crate::base::time::Time;

/// Adds up, and notes when. The names are those of the outcomes, and `accepted`, which must always be their sum.
///
/// # Errors
/// As every call of the database.
pub async fn tally_add(tx: &mut Tx, tallies: &BTreeMap<(IntegrationId, &'static str), i64>, at: Time) -> Result<()> {
    let rows: Vec<_> = tallies.iter().collect();
    for rows in pieces(&rows) {
        let add = format!(
            "INSERT INTO tallies (integration, outcome, n, last_at) VALUES {} \
             ON CONFLICT (integration, outcome) DO UPDATE SET n = tallies.n + excluded.n, last_at = excluded.last_at",
            tx.tuples(rows.len(), 4)
        );
        let add = rows
            .iter()
            .fold(sql_made(add), |add, ((integration, outcome), n)| add.text(integration.as_str()).text(outcome).int(**n).time(at));
        tx.put(add).await?;
    }
    Ok(())
}

/// # Errors
/// As every call of the database.
pub async fn tally_list(reader: &Reader) -> Result<BTreeMap<(IntegrationId, String), i64>> {
    let rows = reader.rows(sql("SELECT integration, outcome, n FROM tallies")).await?;
    rows.iter().map(|row| Ok(((IntegrationId::from_text(row.text("integration")?), row.text("outcome")?), row.int("n")?))).collect()
}
