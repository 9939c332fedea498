//! Per integration: how many signals were accepted, and what became of them.

use std::collections::BTreeMap;

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, pieces, sql, sql_made, tuples};
use super::tx::Tx;
use crate::base::id::IntegrationId;

/// Adds up. The names are those of the outcomes, and `accepted`, which must always be their sum.
///
/// # Errors
/// As every call of the database.
pub async fn tally_add(tx: &mut Tx, tallies: &BTreeMap<(IntegrationId, &'static str), i64>) -> Result<()> {
    let rows: Vec<_> = tallies.iter().collect();
    for rows in pieces(&rows) {
        let add = format!(
            "INSERT INTO tallies (integration, outcome, n) VALUES {} \
             ON CONFLICT (integration, outcome) DO UPDATE SET n = tallies.n + excluded.n",
            tuples(rows.len(), 3)
        );
        let add = rows.iter().fold(sql_made(add), |add, ((integration, outcome), n)| add.text(integration.as_str()).text(outcome).int(**n));
        tx.execute(add).await?;
    }
    Ok(())
}

/// # Errors
/// As every call of the database.
pub async fn tally_list(reader: &Reader) -> Result<BTreeMap<(IntegrationId, String), i64>> {
    let rows = reader.rows(sql("SELECT integration, outcome, n FROM tallies")).await?;
    rows.iter().map(|row| Ok(((IntegrationId::from_text(row.text("integration")?), row.text("outcome")?), row.int("n")?))).collect()
}
