//! Effects on their way out. A courier claims them by lease, in the database's time, and deletes what is settled.

use super::WriteLane;
use super::error::Result;
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{AttemptId, EffectId};
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::effect::{Effect, Lane};

/// A claimed effect, and the right to settle it for as long as nobody else has claimed it since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub id: EffectId,
    pub effect: Effect,
    /// How often it was claimed, this time included. It also tells one claim from the next.
    pub tries: i64,
    owner: String,
}

const fn lane_of(lane: Lane) -> WriteLane {
    match lane {
        // Who has no telephone is paged by these, and waits behind no flood of alerts.
        Lane::Page | Lane::Text | Lane::Mail | Lane::Direct | Lane::Hook => WriteLane::Page,
        Lane::Settle => WriteLane::Rest,
    }
}

/// # Errors
/// As every call of the database.
pub async fn outbox_insert(tx: &mut Tx, id: &EffectId, effect: &Effect) -> Result<()> {
    let insert = sql("INSERT INTO outbox (id, lane, due_at, body, attempt_id, lease_until, tries) VALUES ($1, $2, $3, $4, $5, 0, 0)");
    let insert = insert.text(id.as_str()).text(effect.lane().name()).time(effect.due_at()).json(effect).text(effect.attempt().as_str());
    tx.put(insert).await?;
    Ok(())
}

/// The same, claimed by whoever has decided on it: the row to carry out once this has committed.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_insert_claimed(tx: &mut Tx, id: &EffectId, effect: &Effect, owner: &str) -> Result<OutboxRow> {
    let insert = format!(
        "INSERT INTO outbox (id, lane, due_at, body, attempt_id, lease_owner, lease_until, tries) VALUES ($1, $2, $3, $4, $5, $6, {} + $7, 1)",
        tx.dialect().now()
    );
    let insert = sql_made(insert).text(id.as_str()).text(effect.lane().name()).time(effect.due_at()).json(effect);
    tx.put(insert.text(effect.attempt().as_str()).text(owner).int(limits::LEASE.0)).await?;
    Ok(OutboxRow { id: id.clone(), effect: effect.clone(), tries: 1, owner: owner.to_owned() })
}

/// Claims what is due and nobody holds, longest due first.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_claim(store: &Store, lane: Lane, owner: &str, now: Time, limit: i64) -> Result<Vec<OutboxRow>> {
    let dialect = store.dialect();
    // The choice stands apart, because PostgreSQL may look twice into a subquery and then claim more than was asked for.
    let claim = format!(
        "WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE lane = $1 AND due_at <= $2 AND lease_until <= {now} \
         ORDER BY due_at, id LIMIT $3{skip}) \
         UPDATE outbox SET lease_owner = $4, lease_until = {now} + $5, tries = tries + 1 \
         WHERE id IN (SELECT id FROM due) RETURNING id, body, tries, due_at",
        now = dialect.now(),
        skip = dialect.for_update_skip_locked()
    );
    let claim = sql_made(claim).text(lane.name()).time(now).int(limit).text(owner).int(limits::LEASE.0);
    let rows = store.alone(lane_of(lane)).await?.conn.rows(claim).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = EffectId::from_text(row.text("id")?);
        // One that does not read back must not keep the others from leaving. It stays, and is told of each time its lease has passed.
        match row.json("body") {
            Ok(effect) => claimed.push((row.time("due_at")?, OutboxRow { id, effect, tries: row.int("tries")?, owner: owner.to_owned() })),
            Err(error) => tracing::error!(%error, effect = %id, "an effect in the outbox cannot be read and is not carried out"),
        }
    }
    claimed.sort_by(|(a_due, a), (b_due, b)| (a_due, &a.id).cmp(&(b_due, &b.id)));
    Ok(claimed.into_iter().map(|(_, claimed)| claimed).collect())
}

/// The pages that are due, whoever holds them, longest due first.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_pages_due(tx: &mut Tx, now: Time, limit: i64) -> Result<Vec<Effect>> {
    let due = sql("SELECT id, body FROM outbox WHERE lane <> $1 AND due_at <= $2 ORDER BY due_at, id LIMIT $3");
    let rows = tx.rows(due.text(Lane::Settle.name()).time(now).int(limit)).await?;
    // One that does not read back is told of where it is claimed.
    Ok(rows.iter().filter_map(|row| row.json("body").ok()).collect())
}

/// Keeps a claim for another while. `false`: somebody else has it now.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_renew(store: &Store, row: &OutboxRow) -> Result<bool> {
    let renew = format!("UPDATE outbox SET lease_until = {} + $4 WHERE id = $1 AND lease_owner = $2 AND tries = $3", store.dialect().now());
    let renew = sql_made(renew).text(row.id.as_str()).text(&row.owner).int(row.tries).int(limits::LEASE.0);
    Ok(store.alone(lane_of(row.effect.lane())).await?.conn.execute(renew).await? > 0)
}

/// Deletes what is done. `false`: the claim has passed to somebody else, and nothing was written.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_settle(tx: &mut Tx, row: &OutboxRow) -> Result<bool> {
    let settle = sql("DELETE FROM outbox WHERE id = $1 AND lease_owner = $2 AND tries = $3");
    Ok(tx.execute(settle.text(row.id.as_str()).text(&row.owner).int(row.tries)).await? > 0)
}

/// Puts it back, to be claimed again from `due_at` on. `false`: the claim has passed to somebody else.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_release(tx: &mut Tx, row: &OutboxRow, due_at: Time) -> Result<bool> {
    let release =
        sql("UPDATE outbox SET lease_owner = NULL, lease_until = 0, due_at = $4 WHERE id = $1 AND lease_owner = $2 AND tries = $3");
    Ok(tx.execute(release.text(row.id.as_str()).text(&row.owner).int(row.tries).time(due_at)).await? > 0)
}

/// Takes back a call or message that has not left. `false`: there is none, or its intent was committed and its courier must tell how
/// it ended.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_withdraw(tx: &mut Tx, attempt: &AttemptId) -> Result<bool> {
    let find = format!("SELECT sent_at FROM attempts WHERE id = $1{}", tx.dialect().for_update());
    if let Some(row) = tx.row(sql_made(find).text(attempt.as_str())).await?
        && row.maybe_time("sent_at")?.is_some()
    {
        return Ok(false);
    }
    let withdraw = sql("DELETE FROM outbox WHERE attempt_id = $1 AND lane <> $2");
    Ok(tx.execute(withdraw.text(attempt.as_str()).text(Lane::Settle.name())).await? > 0)
}

/// When the next effect of this lane is due that nobody holds. What a dead courier held is found by the safety net.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_next_due(reader: &Reader, lane: Lane) -> Result<Option<Time>> {
    let next =
        format!("SELECT CAST(MIN(due_at) AS BIGINT) AS due_at FROM outbox WHERE lane = $1 AND lease_until <= {}", reader.dialect().now());
    let rows = reader.rows(sql_made(next).text(lane.name())).await?;
    rows.first().map_or(Ok(None), |row| row.maybe_time("due_at"))
}

/// How many effects are due and not done, whoever holds them.
///
/// # Errors
/// As every call of the database.
pub async fn outbox_due(reader: &Reader, now: Time) -> Result<i64> {
    let rows = reader.rows(sql("SELECT COUNT(*) AS n FROM outbox WHERE due_at <= $1").time(now)).await?;
    rows.first().map_or(Ok(0), |row| row.int("n"))
}
