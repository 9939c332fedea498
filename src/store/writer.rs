//! SQLite's one writer: its connection, and whose turn it is at it.
//!
//! It is no pool, because a pool asks a connection after each use whether it still lives, and the next writer would wait for the answer.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, Connection as _};

use super::WriteLane;
use super::dialect::Dialect;
use super::error::{Result, StoreError};
use super::turns::{Turn, Turns};
use crate::base::limits;

#[derive(Debug)]
pub(super) struct Writer {
    turns: Turns,
    seat: Seat,
    address: AnyConnectOptions,
}

/// Where the connection rests between two turns.
#[derive(Debug, Clone, Default)]
pub(super) struct Seat(Arc<Mutex<Rest>>);

#[derive(Debug, Default)]
enum Rest {
    /// In use, or to be opened by the next writer.
    #[default]
    Empty,
    Here(Box<AnyConnection>),
    Closed,
}

impl Writer {
    pub(super) fn new(address: AnyConnectOptions) -> Self {
        Self { turns: Turns::default(), seat: Seat::default(), address }
    }

    pub(super) const fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Waits for a turn, and for the connection where the last was lost.
    ///
    /// # Errors
    /// [`StoreError::Busy`] after [`limits::DATABASE_CALL`], since what never comes must not be waited for in silence.
    pub(super) async fn take(&self, lane: WriteLane) -> Result<(Box<AnyConnection>, Seat, Turn)> {
        let limit = limits::DATABASE_CALL.as_duration();
        let late = |what: &str| StoreError::Busy(format!("no {what} to write within {}", limits::DATABASE_CALL));
        let turn = tokio::time::timeout(limit, self.turns.take(lane)).await.map_err(|_| late("turn"))?;
        let rested = match &mut *self.seat.rest() {
            Rest::Closed => return Err(StoreError::Refused("this database is closed".to_owned())),
            rest => mem::take(rest),
        };
        let conn = match rested {
            Rest::Here(conn) => conn,
            Rest::Empty | Rest::Closed => tokio::time::timeout(limit, connect(&self.address)).await.map_err(|_| late("connection"))??,
        };
        Ok((conn, self.seat.clone(), turn))
    }

    /// Closes the connection once whoever writes has ended; nobody writes after that.
    pub(super) async fn close(&self) {
        let _turn = self.turns.take(WriteLane::Rest).await;
        let rested = mem::replace(&mut *self.seat.rest(), Rest::Closed);
        if let Rest::Here(conn) = rested
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the database did not close as it should");
        }
    }
}

async fn connect(address: &AnyConnectOptions) -> Result<Box<AnyConnection>> {
    let mut conn = AnyConnection::connect_with(address).await?;
    sqlx::raw_sql(Dialect::Sqlite.on_connect(false)).execute(&mut conn).await?;
    Ok(Box::new(conn))
}

impl Seat {
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the connection back, before the turn is passed on.
    pub(super) fn give_back(&self, conn: Box<AnyConnection>) {
        let mut rest = self.rest();
        if matches!(*rest, Rest::Empty) {
            *rest = Rest::Here(conn);
        }
    }
}
