//! Overrides of schedules. They are no part of the configured objects: people make them, and one that is removed stays for the history.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::any::AnyRow;

use super::error::Result;
use super::fact::counter_add;
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{OverrideId, ScheduleId, UserId};
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::input::Actor;
use crate::domain::setup::Override;

/// Who takes which schedule, from when until when, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverrideView {
    pub id: OverrideId,
    pub schedule: ScheduleId,
    pub user: UserId,
    pub from: Time,
    pub until: Time,
    pub created_at: Time,
    pub created_by: Actor,
}

const OVERRIDE: &str = "SELECT id, schedule, user_id, from_at, until_at, created_at, created_by FROM overrides WHERE removed_at IS NULL";

fn override_of(row: &AnyRow) -> Result<OverrideView> {
    Ok(OverrideView {
        id: OverrideId::from_text(row.text("id")?),
        schedule: ScheduleId::from_text(row.text("schedule")?),
        user: UserId::from_text(row.text("user_id")?),
        from: row.time("from_at")?,
        until: row.time("until_at")?,
        created_at: row.time("created_at")?,
        created_by: row.json("created_by")?,
    })
}

/// Keeps a new override. The setup's version grows, so that every process looks.
///
/// # Errors
/// As every call of the database.
pub async fn override_create(tx: &mut Tx, new: &OverrideView) -> Result<()> {
    // First of all: its row keeps those that change the setup at once apart.
    counter_add(tx, "setup", 1).await?;
    let insert = sql("INSERT INTO overrides (id, schedule, user_id, from_at, until_at, created_at, created_by) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)");
    let insert = insert.text(new.id.as_str()).text(new.schedule.as_str()).text(new.user.as_str());
    tx.execute(insert.time(new.from).time(new.until).time(new.created_at).json(&new.created_by)).await?;
    Ok(())
}

/// Removes an override. `false`: there is none of that id, or it was removed before.
///
/// # Errors
/// As every call of the database.
pub async fn override_remove(tx: &mut Tx, id: &OverrideId, now: Time) -> Result<bool> {
    counter_add(tx, "setup", 1).await?;
    let remove = sql("UPDATE overrides SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL");
    Ok(tx.execute(remove.text(id.as_str()).time(now)).await? > 0)
}

/// What is in force, or will be, or ended after `after`; by schedule, and of each the oldest first.
///
/// # Errors
/// As every call of the database.
pub async fn overrides_load(reader: &Reader, after: Time) -> Result<BTreeMap<ScheduleId, Vec<Override>>> {
    let find = format!("{OVERRIDE} AND until_at > $1 ORDER BY created_at, id LIMIT $2");
    let mut loaded: BTreeMap<ScheduleId, Vec<Override>> = BTreeMap::new();
    for row in reader.rows(sql_made(find).time(after).int(limits::OVERRIDES)).await? {
        let OverrideView { id, schedule, user, from, until, .. } = override_of(&row)?;
        loaded.entry(schedule).or_default().push(Override { id, user, from, until });
    }
    Ok(loaded)
}

/// How many overrides have not ended by `after`.
///
/// # Errors
/// As every call of the database.
pub async fn overrides_count(tx: &mut Tx, after: Time) -> Result<i64> {
    let count = sql("SELECT COUNT(*) AS n FROM overrides WHERE removed_at IS NULL AND until_at > $1");
    tx.row(count.time(after)).await?.map_or(Ok(0), |row| row.int("n"))
}

impl Reader {
    /// The overrides of one schedule, or of all, that end after `after`: the first to begin first.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn overrides(&self, viewer: &Viewer, schedule: Option<&ScheduleId>, after: Time) -> Result<Vec<OverrideView>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let of = if schedule.is_some() { " AND schedule = $3" } else { "" };
        let find = format!("{OVERRIDE} AND until_at > $1{of} ORDER BY from_at, id LIMIT $2");
        let find = sql_made(find).time(after).int(limits::OVERRIDES);
        let find = match schedule {
            Some(schedule) => find.text(schedule.as_str()),
            None => find,
        };
        self.rows(find).await?.iter().map(override_of).collect()
    }
}
