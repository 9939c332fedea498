//! Bells between the processes of one PostgreSQL: LISTEN and NOTIFY, on one connection of their own.
//!
//! A notification names a bell and nothing else: who hears it looks in the database. One that is lost costs a second, because every
//! worker looks that often by itself.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _};

use super::error::{Result, StoreError};
use super::open::Store;
use crate::base::limits;

/// PostgreSQL's name for where we listen; each database has its own.
const CHANNEL: &str = "reveille";

/// A connection that hears the other processes' bells and rings here for them.
pub struct Ears {
    listener: PgListener,
    /// Our own notifications come back to us.
    own: u32,
}

impl Ears {
    /// `None` on SQLite, which has one process.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn open(store: &Store) -> Result<Option<Self>> {
        let Some(url) = store.shared_url() else { return Ok(None) };
        let options: PgConnectOptions = url.parse().map_err(|_| StoreError::Address("this address cannot be listened on".to_owned()))?;
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(limits::DATABASE_CALL.as_duration()).connect_lazy_with(options);
        let mut listener = within(PgListener::connect_with(&pool)).await?;
        // A lost connection must be told of, not mended in silence: what was rung meanwhile is lost.
        listener.eager_reconnect(false);
        within(listener.listen(CHANNEL)).await?;
        let (own,): (i32,) = within(sqlx::query_as("SELECT pg_backend_pid()").fetch_one(&mut listener)).await?;
        Ok(Some(Self { listener, own: own.unsigned_abs() }))
    }

    /// Waits for another process's bell, and gives its name. Dropped, it forgets no bell.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the connection was lost.
    pub async fn heard(&mut self) -> Result<String> {
        loop {
            match self.listener.try_recv().await? {
                Some(told) if told.process_id() == self.own => {}
                Some(told) => return Ok(told.payload().to_owned()),
                None => return Err(StoreError::Busy("the connection that hears bells was lost".to_owned())),
            }
        }
    }

    /// Rings a bell for every other process.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn ring(&mut self, name: &'static str) -> Result<()> {
        within(self.listener.execute(AssertSqlSafe(notify(name)))).await.map(drop)
    }

    /// Whether the other end still answers: a connection that died without a word hears nothing for ever.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn check(&mut self) -> Result<()> {
        within(self.listener.execute("SELECT 1")).await.map(drop)
    }
}

/// Rings a bell from a command that works beside running servers.
///
/// # Errors
/// As every call of the database.
pub async fn bell_ring(store: &Store, name: &'static str) -> Result<()> {
    if store.shared_url().is_none() {
        return Ok(());
    }
    let mut alone = store.alone(super::WriteLane::Rest).await?;
    alone.conn.execute(super::sql::sql_made(notify(name))).await.map(drop)
}

fn notify(name: &'static str) -> String {
    format!("NOTIFY {CHANNEL}, '{name}'")
}

async fn within<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
    let limit: Duration = limits::DATABASE_CALL.as_duration();
    match tokio::time::timeout(limit, call).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(StoreError::Busy(format!("no answer within {}", limits::DATABASE_CALL))),
    }
}
