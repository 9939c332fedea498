//! Connections under a hard limit: transactions, single statements, and readers that cannot write.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use sqlx::any::{AnyQueryResult, AnyRow};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Either, Pool};

use super::ballast::{Ballast, no_room};
use super::dialect::Dialect;
use super::error::{Result, StoreError, lost_connection};
use super::journal::Log;
use super::later::Later;
use super::read::Reader;
use super::sql::{Sql, list, numbered, size_for};
use super::turns::Turn;
use super::writer::Seat;
use crate::base::bell::Bell;
use crate::base::clock::Stopwatch;
use crate::base::id::JournalId;
use crate::base::limits;
use crate::base::metrics::Calls;
use crate::domain::input::Scope;

fn call_limit() -> Duration {
    limits::DATABASE_CALL.as_duration()
}

/// One connection. It goes back to where it came from only when its last call was seen to end; else it is closed.
#[derive(Debug)]
pub(super) struct Conn {
    live: Live,
    pub(super) dialect: Dialect,
    calls: Calls,
    ballast: Option<Ballast>,
    no_room: Option<Bell>,
    at_risk: bool,
}

/// Where a connection came from.
#[derive(Debug)]
enum Live {
    Pool(PoolConnection<Any>),
    Writer(Box<AnyConnection>, Seat),
    /// While it is dropped.
    Gone,
}

impl Conn {
    pub(super) async fn take(pool: &Pool<Any>, dialect: Dialect, calls: &Calls) -> Result<Self> {
        // The pool has a limit of its own for this wait.
        Ok(Self::new(Live::Pool(pool.acquire().await?), dialect, calls))
    }

    /// SQLite's one writer.
    pub(super) fn writer(conn: Box<AnyConnection>, seat: Seat, calls: &Calls) -> Self {
        Self::new(Live::Writer(conn, seat), Dialect::Sqlite, calls)
    }

    fn new(live: Live, dialect: Dialect, calls: &Calls) -> Self {
        Self { live, dialect, calls: calls.clone(), ballast: None, no_room: None, at_risk: false }
    }

    /// A connection that writes: where it finds no room it lets the ballast go, and rings when that is gone too.
    pub(super) fn with(mut self, ballast: Option<Ballast>, no_room: Option<Bell>) -> Self {
        self.ballast = ballast;
        self.no_room = no_room;
        self
    }

    /// Runs a bare statement without values.
    pub(super) async fn say(&mut self, text: &'static str) -> Result<()> {
        let (took, live) = self.start()?;
        let done = tokio::time::timeout(call_limit(), sqlx::raw_sql(text).execute(live)).await;
        self.ended(took, done).map(|_| ())
    }

    pub(super) async fn execute(&mut self, sql: Sql) -> Result<u64> {
        let (took, live) = self.start()?;
        let done = tokio::time::timeout(call_limit(), last_done(sqlx::Executor::fetch_many(live, sql.0))).await;
        self.ended(took, done)
    }

    pub(super) async fn rows(&mut self, sql: Sql) -> Result<Vec<AnyRow>> {
        let (took, live) = self.start()?;
        let done = tokio::time::timeout(call_limit(), sql.0.fetch_all(live)).await;
        self.ended(took, done)
    }

    /// The rows of each of several statements.
    pub(super) async fn each(&mut self, sql: Sql) -> Result<Vec<Vec<AnyRow>>> {
        let (took, live) = self.start()?;
        let done = tokio::time::timeout(call_limit(), rows_of_each(sqlx::Executor::fetch_many(live, sql.0))).await;
        self.ended(took, done)
    }

    /// Closes the connection when it is dropped, whatever its last call came to.
    pub(super) const fn give_up(&mut self) {
        self.at_risk = true;
    }

    fn start(&mut self) -> Result<(Stopwatch, &mut AnyConnection)> {
        let live = match &mut self.live {
            Live::Pool(conn) if !self.at_risk => &mut **conn,
            Live::Writer(conn, _) if !self.at_risk => &mut **conn,
            Live::Pool(_) | Live::Writer(..) | Live::Gone => {
                return Err(StoreError::Busy("an earlier call on this connection did not end".to_owned()));
            }
        };
        // Stays so when the call is dropped half way.
        self.at_risk = true;
        Ok((Stopwatch::start(), live))
    }

    fn ended<T>(&mut self, took: Stopwatch, done: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>) -> Result<T> {
        self.calls.note(took, matches!(done, Ok(Ok(_))));
        match done {
            Ok(Ok(value)) => {
                self.at_risk = false;
                Ok(value)
            }
            Ok(Err(error)) => {
                self.at_risk = lost_connection(&error);
                match StoreError::from(error) {
                    // There is room now, so the same may well succeed.
                    StoreError::Full => Err(no_room(self.ballast.as_ref(), self.no_room.as_ref())),
                    error => Err(error),
                }
            }
            Err(_) => Err(StoreError::Busy(format!("no answer within {}", limits::DATABASE_CALL))),
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.live, Live::Gone) {
            Live::Pool(mut conn) if self.at_risk => conn.close_on_drop(),
            Live::Writer(conn, seat) if !self.at_risk => seat.give_back(conn),
            Live::Pool(_) | Live::Writer(..) | Live::Gone => {}
        }
    }
}

/// What several statements come to, one after the other: of each its rows, and then its end.
type Answers<'a> = BoxStream<'a, std::result::Result<Either<AnyQueryResult, AnyRow>, sqlx::Error>>;

/// How many rows the last of several statements touched.
async fn last_done(mut all: Answers<'_>) -> std::result::Result<u64, sqlx::Error> {
    let mut last = 0;
    while let Some(one) = all.try_next().await? {
        if let Either::Left(done) = one {
            last = done.rows_affected();
        }
    }
    Ok(last)
}

async fn rows_of_each(mut all: Answers<'_>) -> std::result::Result<Vec<Vec<AnyRow>>, sqlx::Error> {
    let (mut each, mut rows) = (Vec::new(), Vec::new());
    while let Some(one) = all.try_next().await? {
        match one {
            Either::Right(row) => rows.push(row),
            Either::Left(_) => each.push(std::mem::take(&mut rows)),
        }
    }
    Ok(each)
}

/// What can be asked for rows: a transaction or a reader.
pub trait Ask: Send {
    #[doc(hidden)]
    #[expect(private_interfaces, reason = "statements are made in this room alone")]
    fn ask(&mut self, sql: Sql) -> impl Future<Output = Result<Vec<AnyRow>>> + Send;
}

impl Ask for Tx {
    #[expect(private_interfaces, reason = "statements are made in this room alone")]
    async fn ask(&mut self, sql: Sql) -> Result<Vec<AnyRow>> {
        self.rows(sql).await
    }
}

impl Ask for Conn {
    async fn ask(&mut self, sql: Sql) -> Result<Vec<AnyRow>> {
        self.rows(sql).await
    }
}

impl Ask for Reader {
    #[expect(private_interfaces, reason = "statements are made in this room alone")]
    async fn ask(&mut self, sql: Sql) -> Result<Vec<AnyRow>> {
        self.rows(sql).await
    }
}

/// A transaction, and with it the permission to write. Dropped before [`Tx::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Tx {
    open: Option<Open>,
    dialect: Dialect,
    /// A statement failed: PostgreSQL would answer COMMIT with a silent ROLLBACK.
    failed: bool,
    /// Whose rows this transaction has locked. Their timers are its own to move; anyone else's it only nudges.
    holds: BTreeSet<Scope>,
    /// The journal's files, where there are any.
    journal: Option<Log>,
    /// Which of their rows this transaction folds, and which files it forgets.
    folds: (Vec<JournalId>, Vec<i64>),
    /// Writes that nobody has asked for the outcome of yet.
    later: Later,
}

/// Fields drop in this order: the connection goes before the next writer may come.
#[derive(Debug)]
struct Open {
    conn: Conn,
    turn: Option<Turn>,
    /// Whether anything was said to the database.
    has_begun: bool,
}

impl Tx {
    pub(super) async fn begin(conn: Conn, turn: Option<Turn>, journal: Option<Log>) -> Result<Self> {
        let dialect = conn.dialect;
        let mut open = Open { conn, turn, has_begun: false };
        let mut later = Later::default();
        match dialect {
            // Together with its first statement. Whose turn it is to write is known already.
            Dialect::Sqlite => later.say(dialect.begin()),
            Dialect::Postgres => {
                open.has_begun = true;
                if let Err(error) = open.conn.say(dialect.begin()).await {
                    // Whether it began is not known; a closed connection is certain.
                    open.conn.at_risk = true;
                    return Err(error);
                }
            }
        }
        Ok(Self { open: Some(open), dialect, failed: false, holds: BTreeSet::new(), journal, folds: Default::default(), later })
    }

    fn conn(&mut self) -> Result<&mut Conn> {
        let open = self.open.as_mut().ok_or_else(|| StoreError::Refused("this transaction is over".to_owned()))?;
        open.has_begun = true;
        Ok(&mut open.conn)
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether nobody else writes until this is over, so that whatever it touches next is not waited for.
    #[must_use]
    pub const fn is_sole_writer(&self) -> bool {
        !self.dialect.has_row_locks()
    }

    /// The places after `VALUES` of a statement that has no others. Those of SQLite have no names: the driver asks for the name of each,
    /// and SQLite looks through all of them for it, which took a quarter of the time that many rows take.
    pub(super) fn tuples(&self, rows: usize, columns: usize) -> String {
        match self.dialect {
            Dialect::Sqlite => {
                let row = format!("({})", vec!["?"; columns].join(", "));
                vec![row.as_str(); rows].join(", ")
            }
            Dialect::Postgres => numbered(rows, columns),
        }
    }

    /// The inside of an `IN` in a statement that has no other places, or others of [`Tx::place`] alone; nameless for the same reason.
    pub(super) fn list(&self, first: usize, n: usize) -> String {
        match self.dialect {
            Dialect::Sqlite => vec!["?"; size_for(n)].join(", "),
            Dialect::Postgres => list(first, n),
        }
    }

    /// One more place in such a statement, which comes in the order of binding.
    pub(super) fn place(&self, n: usize) -> String {
        match self.dialect {
            Dialect::Sqlite => "?".to_owned(),
            Dialect::Postgres => format!("${n}"),
        }
    }

    /// Runs a statement and says how many rows it touched.
    pub(super) async fn execute(&mut self, sql: Sql) -> Result<u64> {
        let sql = self.after_others(sql).await?;
        self.run(sql).await
    }

    /// Writes, together with the next statement whose outcome is asked for, or with the commit: what goes wrong is said there.
    pub(super) async fn put(&mut self, sql: Sql) -> Result<()> {
        match self.dialect {
            Dialect::Sqlite => self.wait_with(sql).await,
            Dialect::Postgres => self.run(sql).await.map(drop),
        }
    }

    /// The statement behind all that waits to be written.
    async fn after_others(&mut self, sql: Sql) -> Result<Sql> {
        if self.later.is_empty() {
            return Ok(sql);
        }
        self.wait_with(sql).await?;
        self.later.take().ok_or(StoreError::Missing("statement"))
    }

    async fn wait_with(&mut self, sql: Sql) -> Result<()> {
        match self.add_later(sql)? {
            Some(before) => self.run(before).await.map(drop),
            None => Ok(()),
        }
    }

    /// A statement that cannot wait fails its transaction, as one that was run would.
    fn add_later(&mut self, sql: Sql) -> Result<Option<Sql>> {
        let before = self.later.add(sql);
        self.failed |= before.is_err();
        before
    }

    async fn run(&mut self, sql: Sql) -> Result<u64> {
        let done = self.conn()?.execute(sql).await;
        self.failed |= done.is_err();
        done
    }

    pub(super) async fn rows(&mut self, sql: Sql) -> Result<Vec<AnyRow>> {
        let sql = self.after_others(sql).await?;
        let done = self.conn()?.rows(sql).await;
        self.failed |= done.is_err();
        done
    }

    /// The rows of each of these, asked for together: none of them may need what another finds.
    pub(super) async fn each(&mut self, all: Vec<Sql>) -> Result<Vec<Vec<AnyRow>>> {
        let asked = all.len();
        let mut found = Vec::new();
        for sql in all {
            match self.dialect {
                Dialect::Sqlite => {
                    if let Some(before) = self.add_later(sql)? {
                        found.extend(self.each_of(before).await?);
                    }
                }
                Dialect::Postgres => found.push(self.rows(sql).await?),
            }
        }
        if let Some(last) = self.later.take() {
            found.extend(self.each_of(last).await?);
        }
        // What waited to be written stands before them, and found nothing.
        Ok(found.split_off(found.len().saturating_sub(asked)))
    }

    async fn each_of(&mut self, sql: Sql) -> Result<Vec<Vec<AnyRow>>> {
        let found = self.conn()?.each(sql).await;
        self.failed |= found.is_err();
        found
    }

    pub(super) async fn row(&mut self, sql: Sql) -> Result<Option<AnyRow>> {
        Ok(self.rows(sql).await?.into_iter().next())
    }

    pub(super) const fn journal(&self) -> Option<&Log> {
        self.journal.as_ref()
    }

    /// Once this is committed, the journal's files have these rows no more.
    pub(super) fn folds(&mut self, rows: Vec<JournalId>, gone: Vec<i64>) {
        self.folds.0.extend(rows);
        self.folds.1.extend(gone);
    }

    pub(super) fn hold(&mut self, scope: Scope) {
        self.holds.insert(scope);
    }

    pub(super) fn is_holding(&self, scope: &Scope) -> bool {
        self.holds.contains(scope)
    }

    /// Makes everything written here durable and visible, at once.
    ///
    /// # Errors
    /// When it could not be committed. [`StoreError::Busy`] after the limit leaves open whether it was: what follows must be safe to repeat.
    pub async fn commit(mut self) -> Result<()> {
        if self.failed {
            return Err(StoreError::Refused("a statement of this transaction failed before".to_owned()));
        }
        let Some(mut open) = self.open.take() else {
            return Err(StoreError::Refused("this transaction is over".to_owned()));
        };
        let folds = self.journal.as_ref().filter(|_| !self.folds.0.is_empty());
        folds.inspect(|log| log.doubt());
        let done = if self.later.is_empty() {
            open.conn.say("COMMIT").await
        } else {
            self.later.say("COMMIT");
            match self.later.take() {
                Some(last) => open.conn.execute(last).await.map(drop),
                None => Err(StoreError::Missing("statement")),
            }
        };
        if let Some(log) = folds.filter(|_| done.is_ok()) {
            log.forget(&self.folds.0, &self.folds.1);
        }
        // A commit that failed may leave the transaction open; closing the connection ends it.
        open.conn.at_risk |= done.is_err();
        done
    }

    /// Gives everything up, and waits until that is done.
    ///
    /// # Errors
    /// When the connection was lost; nothing is left behind then either.
    pub async fn rollback(mut self) -> Result<()> {
        match self.open.take() {
            Some(open) => undo(open).await,
            None => Ok(()),
        }
    }
}

async fn undo(mut open: Open) -> Result<()> {
    if open.conn.at_risk || !open.has_begun {
        return Ok(());
    }
    let done = open.conn.say("ROLLBACK").await;
    open.conn.at_risk |= done.is_err();
    drop(open.conn);
    drop(open.turn);
    done
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        if !open.has_begun {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // The turn goes along, so that the next writer does not meet a transaction still open.
            runtime.spawn(async move {
                if let Err(error) = undo(open).await {
                    tracing::warn!(%error, "a dropped transaction was ended by closing its connection");
                }
            });
        } else {
            open.conn.at_risk = true;
        }
    }
}

/// One statement on its own: it is durable when it returns.
pub(super) struct Alone {
    pub(super) conn: Conn,
    /// Held for as long as the statement runs.
    pub(super) _turn: Option<Turn>,
}
