//! Maintenance windows that people made.

use sqlx::any::AnyRow;

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use super::tx::{Ask, Tx};
use crate::base::id::MaintenanceId;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::input::Actor;
use crate::domain::maintenance::Maintenance;

/// A window as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRow {
    pub window: Maintenance,
    pub made_by: Actor,
    pub made_at: Time,
    pub updated_at: Time,
    /// It was removed, and can be brought back for a while.
    pub removed_at: Option<Time>,
}

const WINDOW: &str = "SELECT body, made_by, made_at, updated_at, removed_at FROM maintenance_windows";

fn window_of(row: &AnyRow) -> Result<WindowRow> {
    Ok(WindowRow {
        window: row.json("body")?,
        made_by: row.json("made_by")?,
        made_at: row.time("made_at")?,
        updated_at: row.time("updated_at")?,
        removed_at: row.maybe_time("removed_at")?,
    })
}

/// All of them, those that were removed too, by id.
///
/// # Errors
/// As every call of the database.
pub async fn windows_list(from: &mut impl Ask) -> Result<Vec<WindowRow>> {
    from.ask(sql_made(format!("{WINDOW} ORDER BY id"))).await?.iter().map(window_of).collect()
}

/// When one of them was made, changed or removed last.
///
/// # Errors
/// As every call of the database.
pub async fn windows_changed_at(reader: &Reader) -> Result<Option<Time>> {
    let rows = reader.rows(sql("SELECT CAST(MAX(updated_at) AS BIGINT) AS changed_at FROM maintenance_windows")).await?;
    rows.first().map_or(Ok(None), |row| row.maybe_time("changed_at"))
}

/// One, locked for a change.
///
/// # Errors
/// As every call of the database.
pub async fn window_load(tx: &mut Tx, id: &MaintenanceId) -> Result<Option<WindowRow>> {
    let find = sql_made(format!("{WINDOW} WHERE id = $1{}", tx.dialect().for_update()));
    tx.row(find.text(id.as_str())).await?.map(|row| window_of(&row)).transpose()
}

/// # Errors
/// As every call of the database.
pub async fn window_save(tx: &mut Tx, row: &WindowRow) -> Result<()> {
    let save = sql("INSERT INTO maintenance_windows (id, body, made_by, made_at, updated_at, removed_at) VALUES ($1, $2, $3, $4, $5, $6) \
                    ON CONFLICT (id) DO UPDATE SET body = excluded.body, made_by = excluded.made_by, made_at = excluded.made_at, \
                    updated_at = excluded.updated_at, removed_at = excluded.removed_at");
    let save = save.text(row.window.id.as_str()).json(&row.window).json(&row.made_by);
    tx.execute(save.time(row.made_at).time(row.updated_at).maybe_time(row.removed_at)).await?;
    Ok(())
}

/// Forgets those that were removed before this time, oldest first; how many.
///
/// # Errors
/// As every call of the database.
pub async fn windows_forget(tx: &mut Tx, before: Time, limit: i64) -> Result<u64> {
    let forget = sql("DELETE FROM maintenance_windows WHERE id IN \
                      (SELECT id FROM maintenance_windows WHERE removed_at IS NOT NULL AND removed_at < $1 ORDER BY removed_at LIMIT $2)");
    tx.execute(forget.time(before).int(limit)).await
}

impl Reader {
    /// The windows that people made, those that were removed lately too.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn windows(&self, viewer: &Viewer) -> Result<Vec<WindowRow>> {
        if viewer.may_read() { windows_list(&mut self.clone()).await } else { Ok(Vec::new()) }
    }
}
