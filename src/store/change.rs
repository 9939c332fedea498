//! The ledger of changes.

use sqlx::any::AnyRow;

use super::error::{Result, StoreError};
use super::read::{Page, Reader, bounded, cursor_read, page_of};
use super::sql::{Columns as _, pieces, sql, sql_made};
use super::tx::Tx;
use crate::base::id::{ChangeId, IntegrationId, Number, ServiceId};
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::change::Change;

const CHANGE: &str = "SELECT id, integration, source, service, title, at, url, labels FROM changes";

fn change_of(row: &AnyRow) -> Result<Change> {
    Ok(Change {
        id: ChangeId::from_text(row.text("id")?),
        integration: IntegrationId::from_text(row.text("integration")?),
        source: row.text("source")?,
        service: ServiceId::from_text(row.text("service")?),
        title: row.text("title")?,
        at: row.time("at")?,
        url: row.maybe_text("url")?,
        labels: row.json("labels")?,
    })
}

/// Where a list goes on.
fn place_of(cursor: &str) -> Result<(Time, String)> {
    let place = cursor_read(cursor)?;
    let (at, id) = place.split_once(':').ok_or(StoreError::Cursor)?;
    Ok((Time(at.parse().map_err(|_| StoreError::Cursor)?), id.to_owned()))
}

/// Puts changes on record.
///
/// # Errors
/// As every call of the database.
pub async fn changes_add(tx: &mut Tx, changes: &[Change]) -> Result<()> {
    for rows in pieces(changes) {
        let add =
            format!("INSERT INTO changes (id, integration, source, service, title, at, url, labels) VALUES {}", tx.tuples(rows.len(), 8));
        let add = rows.iter().fold(sql_made(add), |add, change| {
            add.text(change.id.as_str())
                .text(change.integration.as_str())
                .text(&change.source)
                .text(change.service.as_str())
                .text(&change.title)
                .time(change.at)
                .maybe_text(change.url.as_ref())
                .json(&change.labels)
        });
        tx.put(add).await?;
    }
    Ok(())
}

/// Deletes the oldest changes: those from before `before`, and those beyond the newest `keep`; at most `limit`.
///
/// # Errors
/// As every call of the database.
pub async fn changes_forget(tx: &mut Tx, before: Time, keep: i64, limit: i64) -> Result<u64> {
    let edge = tx.row(sql("SELECT at, id FROM changes ORDER BY at DESC, id DESC LIMIT 1 OFFSET $1").int(keep)).await?;
    let (at, id) = match &edge {
        Some(row) => (row.time("at")?, row.text("id")?),
        None => (Time(i64::MIN), String::new()),
    };
    let forget =
        sql("DELETE FROM changes WHERE id IN (SELECT id FROM changes WHERE at < $1 OR (at, id) <= ($2, $3) ORDER BY at, id LIMIT $4)");
    tx.execute(forget.time(before).time(at).text(id).int(limit)).await
}

impl Reader {
    /// The changes of a service, or of all with `None`, those made last first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`]; as every call of the database.
    pub async fn changes_list(
        &self,
        viewer: &Viewer,
        service: Option<&ServiceId>,
        cursor: Option<&str>,
        limit: i64,
    ) -> Result<Page<Change>> {
        if !viewer.may_read() {
            return Ok(Page::empty());
        }
        let limit = bounded(limit);
        let (at, id) = match cursor {
            Some(cursor) => place_of(cursor)?,
            None => (Time(i64::MAX), String::new()),
        };
        let find = sql_made(format!("{CHANGE} WHERE (at, id) < ($1, $2) AND ($3 = '' OR service = $3) ORDER BY at DESC, id DESC LIMIT $4"));
        let find = find.time(at).text(id).text(service.map_or("", ServiceId::as_str)).int(limit + 1);
        let items = self.rows(find).await?.iter().map(change_of).collect::<Result<Vec<_>>>()?;
        Ok(page_of(items, limit, |change| format!("{}:{}", change.at.0, change.id)))
    }

    /// What was changed in the day before an incident opened, up to its opening: its own service's changes first, then the nearest in time.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn incident_changes(&self, viewer: &Viewer, number: Number) -> Result<Vec<Change>> {
        if !viewer.may_read() {
            return Ok(Vec::new());
        }
        let incident = self.rows(sql("SELECT service, opened_at FROM incidents WHERE number = $1").int(number.0)).await?;
        let Some(incident) = incident.first() else { return Ok(Vec::new()) };
        let (service, until) = (incident.text("service")?, incident.time("opened_at")?);
        let mut changes = Vec::new();
        for of in ["=", "<>"] {
            let find = sql_made(format!("{CHANGE} WHERE service {of} $1 AND at > $2 AND at <= $3 ORDER BY at DESC, id DESC LIMIT $4"));
            let find = find.text(&service).time(until - limits::CHANGED_BEFORE).time(until).int(limits::CHANGES_BEFORE);
            changes.extend(self.rows(find).await?.iter().map(change_of).collect::<Result<Vec<_>>>()?);
        }
        Ok(changes)
    }
}
