//! How fast the incidents of each policy open.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Result;
use super::sql::{Columns as _, LIST, list, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{IncidentId, PolicyId};
use crate::domain::decide::Desk;
use crate::domain::storm::Openings;

/// The rows of these policies, locked in the order of their names. A policy by which nothing has opened yet has none, and two that open its
/// first incidents at once may count one of them.
pub(super) async fn openings_load(tx: &mut Tx, policies: &BTreeSet<PolicyId>) -> Result<BTreeMap<PolicyId, Openings>> {
    let ids: Vec<&str> = policies.iter().map(PolicyId::as_str).collect();
    let mut loaded = BTreeMap::new();
    for ids in ids.chunks(LIST) {
        let find = format!(
            "SELECT policy, times, umbrella FROM openings WHERE policy IN ({}) ORDER BY policy{}",
            list(1, ids.len()),
            tx.dialect().for_update()
        );
        for row in tx.rows(sql_made(find).texts(ids)).await? {
            let umbrella = row.maybe_text("umbrella")?.map(IncidentId::from_text);
            loaded.insert(PolicyId::from_text(row.text("policy")?), Openings { times: row.json("times")?, umbrella });
        }
    }
    Ok(loaded)
}

pub(super) async fn openings_save(tx: &mut Tx, before: &Desk, after: &Desk) -> Result<()> {
    for (policy, openings) in &after.openings {
        if before.openings.get(policy) == Some(openings) {
            continue;
        }
        let save = sql("INSERT INTO openings (policy, times, umbrella) VALUES ($1, $2, $3) \
                        ON CONFLICT (policy) DO UPDATE SET times = excluded.times, umbrella = excluded.umbrella");
        let umbrella = openings.umbrella.as_ref().map(IncidentId::as_str);
        tx.put(save.text(policy.as_str()).json(&openings.times).maybe_text(umbrella)).await?;
    }
    Ok(())
}
