//! SQLite's write-ahead log moves into the file beside the writers, instead of on the way of one of them.

use super::dialect::Dialect;
use super::error::Result;
use super::open::Store;
use super::sql::sql;
use crate::base::limits;

/// Moves the log into the file where it has grown, as far as readers allow. It holds up nobody who writes: an automatic checkpoint would be
/// part of somebody's commit, and a sixth of a second of it.
///
/// # Errors
/// As every call of the database.
pub async fn checkpoint(store: &Store) -> Result<()> {
    let Some(file) = store.file().filter(|_| store.dialect() == Dialect::Sqlite) else { return Ok(()) };
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() >= limits::LOG_BYTES) {
        // A connection that may only read may do this.
        store.reader().rows(sql("PRAGMA wal_checkpoint(PASSIVE)")).await?;
    }
    Ok(())
}
