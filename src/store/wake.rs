//! Wake-ups: when to look at an incident or a person again.
//!
//! A transaction moves the timers of what it holds locked. What another scope wants of it is left as a nudge, a row of its own that
//! nobody waits for: a person's decision that sets its timer an hour ahead cannot swallow the page that an incident opens meanwhile,
//! and two transactions that wake each other cannot lock each other out.

use super::WriteLane;
use super::error::{Result, StoreError};
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use super::tx::{Ask, Tx};
use crate::base::id::{IncidentId, SilenceId, UserId};
use crate::base::time::Time;
use crate::domain::decide::SetTimer;
use crate::domain::input::{Scope, Timer};

/// The scope's own timer; nudges carry an id of their own here.
const OWN: &str = "";

fn parts(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::Incident(id) => ("incident", id.as_str()),
        Scope::Person(id) => ("person", id.as_str()),
        Scope::Silence(id) => ("silence", id.as_str()),
    }
}

/// Sets, moves or clears a timer. In a transaction that has not locked the scope, setting adds a nudge, and clearing does nothing:
/// the owner's next decision clears what it does not need.
///
/// # Errors
/// As every call of the database.
pub async fn wake_set(tx: &mut Tx, set: &SetTimer) -> Result<()> {
    let (scope, id) = parts(&set.scope);
    let name = set.timer.name();
    match (set.due_at, tx.is_holding(&set.scope)) {
        (Some(due_at), true) => {
            let upsert = sql("INSERT INTO wakes (scope, id, name, nudge, due_at) VALUES ($1, $2, $3, $4, $5) \
                              ON CONFLICT (scope, id, name, nudge) DO UPDATE SET due_at = excluded.due_at");
            tx.put(upsert.text(scope).text(id).text(name).text(OWN).time(due_at)).await?;
        }
        (Some(due_at), false) => {
            let nudge = crate::base::secret::Secret::random();
            let insert = sql("INSERT INTO wakes (scope, id, name, nudge, due_at) VALUES ($1, $2, $3, $4, $5)");
            tx.put(insert.text(scope).text(id).text(name).text(nudge.expose()).time(due_at)).await?;
        }
        (None, true) => {
            let delete = sql("DELETE FROM wakes WHERE scope = $1 AND id = $2 AND name = $3 AND nudge = $4");
            tx.put(delete.text(scope).text(id).text(name).text(OWN)).await?;
        }
        (None, false) => {}
    }
    Ok(())
}

/// What is due, each scope and timer once, longest due first.
///
/// # Errors
/// As every call of the database.
pub async fn wakes_due(reader: &Reader, now: Time, limit: i64) -> Result<Vec<(Scope, Timer, Time)>> {
    wakes_due_in(&mut reader.clone(), now, limit).await
}

/// The same, as a transaction sees it.
///
/// # Errors
/// As every call of the database.
pub async fn wakes_due_in(from: &mut impl Ask, now: Time, limit: i64) -> Result<Vec<(Scope, Timer, Time)>> {
    let due = sql("SELECT scope, id, name, CAST(MIN(due_at) AS BIGINT) AS due_at FROM wakes WHERE due_at <= $1 \
                   GROUP BY scope, id, name ORDER BY 4, id LIMIT $2");
    let rows = from.ask(due.time(now).int(limit)).await?;
    rows.iter()
        .map(|row| {
            let (kind, id) = (row.text("scope")?, row.text("id")?);
            let scope = match kind.as_str() {
                "incident" => Scope::Incident(IncidentId::from_text(id)),
                "person" => Scope::Person(UserId::from_text(id)),
                "silence" => Scope::Silence(SilenceId::from_text(id)),
                other => return Err(StoreError::Corrupt(format!("a wake-up of scope {other:?}"))),
            };
            Ok((scope, row.word("name", Timer::parse)?, row.time("due_at")?))
        })
        .collect()
}

/// Locks the scope and takes its timer if it is still due, nudges included. `false`: somebody else has seen to it.
///
/// # Errors
/// As every call of the database.
pub async fn wake_take(tx: &mut Tx, scope: &Scope, timer: Timer, now: Time) -> Result<bool> {
    let lock = match scope {
        Scope::Incident(_) => "SELECT id FROM incidents WHERE id = $1",
        Scope::Person(_) => "SELECT id FROM persons WHERE id = $1",
        Scope::Silence(_) => "SELECT id FROM silences WHERE id = $1",
    };
    let (kind, id) = parts(scope);
    if tx.dialect().has_row_locks() {
        // First of all, because whoever holds the scope may be about to move this very timer.
        let lock = format!("{lock}{}", tx.dialect().for_update());
        tx.rows(sql_made(lock).text(id)).await?;
    }
    tx.hold(scope.clone());
    let take = sql("DELETE FROM wakes WHERE scope = $1 AND id = $2 AND name = $3 AND due_at <= $4");
    Ok(tx.execute(take.text(kind).text(id).text(timer.name()).time(now)).await? > 0)
}

/// Puts a timer off that could not be carried out, so that it does not stand before all others for ever.
///
/// # Errors
/// As every call of the database.
pub async fn wake_put_off(store: &Store, scope: &Scope, timer: Timer, now: Time, until: Time) -> Result<()> {
    let (kind, id) = parts(scope);
    let put_off = sql("UPDATE wakes SET due_at = $5 WHERE scope = $1 AND id = $2 AND name = $3 AND due_at <= $4");
    let put_off = put_off.text(kind).text(id).text(timer.name()).time(now).time(until);
    store.alone(WriteLane::Page).await?.conn.execute(put_off).await?;
    Ok(())
}

/// When the next timer is due.
///
/// # Errors
/// As every call of the database.
pub async fn wake_next_due(reader: &Reader) -> Result<Option<Time>> {
    let rows = reader.rows(sql("SELECT CAST(MIN(due_at) AS BIGINT) AS due_at FROM wakes")).await?;
    rows.first().map_or(Ok(None), |row| row.maybe_time("due_at"))
}
