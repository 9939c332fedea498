//! What can go wrong in this room. The texts are for logs; a person is shown a sentence of the door's own.

use std::path::PathBuf;

use super::dialect::{self, Failure};

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was wrong with what was asked: another transaction, a full pool or a lost connection was in the way.
    #[error("the database is busy or out of reach: {0}")]
    Busy(String),
    #[error("the disk of the database is full")]
    Full,
    /// The database understood and said no: a constraint, a missing table, a write through a reader.
    #[error("the database refused: {0}")]
    Refused(String),
    /// What is stored cannot be read back.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// There is one of this name already.
    #[error("there is {0} of this name already")]
    Exists(&'static str),
    /// The row that was to be changed is not there.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// The place named in a list does not come from an earlier answer.
    #[error("this cursor did not come from an earlier answer")]
    Cursor,
    #[error("{0}")]
    Address(String),
    #[error("{} is in use by another running server: stop that one first, or name another database with --database", .0.display())]
    InUse(PathBuf),
    #[error("SQLite {found} is too old: {wanted} is the first that does not corrupt its log")]
    TooOld { found: String, wanted: &'static str },
    #[error("{}: {source}", .path.display())]
    File { path: PathBuf, source: std::io::Error },
}

impl StoreError {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Busy(_) => true,
            Self::Full
            | Self::Refused(_)
            | Self::Corrupt(_)
            | Self::Exists(_)
            | Self::Missing(_)
            | Self::Cursor
            | Self::Address(_)
            | Self::InUse(_)
            | Self::TooOld { .. }
            | Self::File { .. } => false,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        if let Some(told) = error.as_database_error() {
            return match told.code().map_or(Failure::Refused, |code| dialect::failure(&code)) {
                Failure::Busy => Self::Busy(text),
                Failure::Full => Self::Full,
                Failure::Corrupt => Self::Corrupt(text),
                Failure::Refused => Self::Refused(text),
            };
        }
        // The enum is the driver's and grows with it: only what is known to pass is called busy.
        if lost_connection(&error) || matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::BeginFailed) {
            Self::Busy(text)
        } else if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) {
            Self::Corrupt(text)
        } else {
            Self::Refused(text)
        }
    }
}

/// Whether the connection that gave this error is of no more use.
pub(super) fn lost_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(told) => told.code().is_some_and(|code| dialect::ends_connection(&code)),
        _ => false,
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}
