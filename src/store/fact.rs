//! Facts: the timeline, append-only.

use std::borrow::Cow;

use serde::Serialize;

use super::error::{Result, StoreError};
use super::read::Reader;
use super::sql::{Columns as _, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{IncidentId, Number};
use crate::domain::fact::Fact;

/// A fact and its place in the one order of all facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactRow {
    pub seq: i64,
    pub fact: Fact,
}

/// Appends facts and gives the last number. It is the last thing before the commit: the counter's row is held until then, so that
/// numbers become visible in their order and a reader that has moved on has missed none.
///
/// # Errors
/// As every call of the database.
pub async fn facts_append(tx: &mut Tx, facts: &[Fact]) -> Result<Option<i64>> {
    if facts.is_empty() {
        return Ok(None);
    }
    let facts = &numbered_all(tx, facts).await?[..];
    let last = counter_add(tx, "seq", facts.len()).await?;
    let first = last - count(facts.len()) + 1;
    let numbered: Vec<(i64, &Fact)> = (first..).zip(facts).collect();
    for rows in pieces(&numbered) {
        let insert = format!("INSERT INTO facts (seq, incident_id, at, kind, actor, body) VALUES {}", tx.tuples(rows.len(), 6));
        let insert = rows.iter().fold(sql_made(insert), |insert, (seq, fact)| {
            insert.int(*seq).text(fact.incident.as_str()).time(fact.at).text(fact.what.kind()).json(&fact.actor).json(&fact.what)
        });
        tx.put(insert).await?;
    }
    Ok(Some(last))
}

/// What names an incident that opened in the same decision knows its number only now.
async fn numbered_all<'a>(tx: &mut Tx, facts: &'a [Fact]) -> Result<Cow<'a, [Fact]>> {
    let unnumbered = |fact: &Fact| fact.what.other().is_some_and(|other| other.number == Number(0));
    if !facts.iter().any(unnumbered) {
        return Ok(Cow::Borrowed(facts));
    }
    let mut facts = facts.to_vec();
    for other in facts.iter_mut().filter_map(|fact| fact.what.other_mut()).filter(|other| other.number == Number(0)) {
        let find = sql("SELECT number FROM incidents WHERE id = $1").text(other.incident.as_str());
        if let Some(row) = tx.row(find).await? {
            other.number = Number(row.int("number")?);
        }
    }
    Ok(Cow::Owned(facts))
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Takes `n` numbers from a counter and gives the last of them. Its row stays locked until the transaction ends.
pub(super) async fn counter_add(tx: &mut Tx, name: &str, n: usize) -> Result<i64> {
    let add = sql("UPDATE counters SET value = value + $2 WHERE name = $1 RETURNING value").text(name).int(count(n));
    tx.row(add).await?.ok_or(StoreError::Missing("counter"))?.int("value")
}

pub(super) fn fact_of(row: &sqlx::any::AnyRow) -> Result<FactRow> {
    Ok(FactRow {
        seq: row.int("seq")?,
        fact: Fact {
            incident: IncidentId::from_text(row.text("incident_id")?),
            at: row.time("at")?,
            actor: row.json("actor")?,
            what: row.json("body")?,
        },
    })
}

/// The facts after `seq`, oldest first.
///
/// # Errors
/// As every call of the database.
pub async fn facts_after(reader: &Reader, seq: i64, limit: i64) -> Result<Vec<FactRow>> {
    let after = sql("SELECT seq, incident_id, at, actor, body FROM facts WHERE seq > $1 ORDER BY seq LIMIT $2");
    reader.rows(after.int(seq).int(limit)).await?.iter().map(fact_of).collect()
}

/// The last number given so far; 0 before the first fact.
///
/// # Errors
/// As every call of the database.
pub async fn fact_last_seq(reader: &Reader) -> Result<i64> {
    let rows = reader.rows(sql("SELECT value FROM counters WHERE name = 'seq'")).await?;
    rows.first().ok_or(StoreError::Missing("counter"))?.int("value")
}
