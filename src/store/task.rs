//! The board: an incident's tasks.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;

use super::error::Result;
use super::read::Reader;
use super::sql::{Columns as _, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{IncidentId, Number, TaskId, UserId};
use crate::base::viewer::Viewer;
use crate::domain::task::{Task, TaskState};

const TASK: &str = "SELECT id, incident_id, n, title, owner, state, blocked_on, back_at, created_at, created_by, changed_at FROM tasks";

fn task_of(row: &AnyRow) -> Result<Task> {
    Ok(Task {
        id: TaskId::from_text(row.text("id")?),
        incident: IncidentId::from_text(row.text("incident_id")?),
        n: row.int("n")?,
        title: row.text("title")?,
        owner: row.maybe_text("owner")?.map(UserId::from_text),
        state: row.word("state", TaskState::parse)?,
        blocked_on: row.maybe_text("blocked_on")?,
        back_at: row.maybe_time("back_at")?,
        created_at: row.time("created_at")?,
        created_by: row.json("created_by")?,
        changed_at: row.time("changed_at")?,
    })
}

/// The board of an incident that this transaction holds, by number.
///
/// # Errors
/// As every call of the database.
pub async fn tasks_load(tx: &mut Tx, incident: &IncidentId) -> Result<BTreeMap<i64, Task>> {
    let find = format!("{TASK} WHERE incident_id = $1 ORDER BY n");
    let rows = tx.rows(sql_made(find).text(incident.as_str())).await?;
    rows.iter().map(|row| task_of(row).map(|task| (task.n, task))).collect()
}

impl Reader {
    /// An incident's board, by number.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn board(&self, viewer: &Viewer, number: Number) -> Result<Vec<Task>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let find = format!("{TASK} WHERE incident_id = (SELECT id FROM incidents WHERE number = $1) ORDER BY n");
        self.rows(sql_made(find).int(number.0)).await?.iter().map(task_of).collect()
    }
}

impl Reader {
    /// One task and its incident's number.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn task_get(&self, viewer: &Viewer, id: &TaskId) -> Result<Option<(Number, Task)>> {
        if !viewer.may_read() {
            return Ok(None);
        }
        let find = sql(
            "SELECT t.id, t.incident_id, t.n, t.title, t.owner, t.state, t.blocked_on, t.back_at, t.created_at, t.created_by, t.changed_at, \
             i.number FROM tasks t JOIN incidents i ON i.id = t.incident_id WHERE t.id = $1",
        );
        let rows = self.rows(find.text(id.as_str())).await?;
        rows.first().map(|row| Ok((Number(row.int("number")?), task_of(row)?))).transpose()
    }
}

pub(super) async fn tasks_save(tx: &mut Tx, tasks: &[&Task]) -> Result<()> {
    for rows in pieces(tasks) {
        let save = format!(
            "INSERT INTO tasks (id, incident_id, n, title, owner, state, blocked_on, back_at, created_at, created_by, changed_at) VALUES {} \
             ON CONFLICT (id) DO UPDATE SET title = excluded.title, owner = excluded.owner, state = excluded.state, \
             blocked_on = excluded.blocked_on, back_at = excluded.back_at, changed_at = excluded.changed_at",
            tx.tuples(rows.len(), 11)
        );
        let save = rows.iter().fold(sql_made(save), |save, task| {
            save.text(task.id.as_str())
                .text(task.incident.as_str())
                .int(task.n)
                .text(&task.title)
                .maybe_text(task.owner.as_ref().map(UserId::as_str))
                .text(task.state.name())
                .maybe_text(task.blocked_on.as_ref())
                .maybe_time(task.back_at)
                .time(task.created_at)
                .json(&task.created_by)
                .time(task.changed_at)
        });
        tx.put(save).await?;
    }
    Ok(())
}
