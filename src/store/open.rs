//! Opening a database: where it is, how many connections it gets, and its tables.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{Any, AnyConnection, Connection as _, Pool, SqlSafeStr as _};

use super::WriteLane;
use super::ballast::Ballast;
use super::dialect::{self, Dialect};
use super::error::{Result, StoreError};
use super::journal::{Files, Log, Room};
use super::read::Reader;
use super::sql::{Columns as _, sql};
use super::tx::{Alone, Conn, Tx};
use super::writer::Writer;
use crate::base::bell::Bell;
use crate::base::limits;
use crate::base::metrics::Calls;

/// In their order; each only adds to what was there, so that the version before runs beside it.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../../migrations/0001_first.sql")),
    (2, "whole", include_str!("../../migrations/0002_whole.sql")),
    (3, "ops", include_str!("../../migrations/0003_ops.sql")),
    (4, "core", include_str!("../../migrations/0004_core.sql")),
    (5, "reach", include_str!("../../migrations/0005_reach.sql")),
    (6, "chat", include_str!("../../migrations/0006_chat.sql")),
    (7, "desk", include_str!("../../migrations/0007_desk.sql")),
    (8, "api", include_str!("../../migrations/0008_api.sql")),
    (9, "proof", include_str!("../../migrations/0009_proof.sql")),
    (10, "silences", include_str!("../../migrations/0010_silences.sql")),
    (11, "sender", include_str!("../../migrations/0011_sender.sql")),
    (13, "again", include_str!("../../migrations/0013_again.sql")),
    (14, "misses", include_str!("../../migrations/0014_misses.sql")),
    (15, "doors", include_str!("../../migrations/0015_doors.sql")),
    (16, "changes", include_str!("../../migrations/0016_changes.sql")),
    (17, "involved", include_str!("../../migrations/0017_involved.sql")),
    (18, "groups", include_str!("../../migrations/0018_groups.sql")),
    (19, "quiet", include_str!("../../migrations/0019_quiet.sql")),
    (20, "merged", include_str!("../../migrations/0020_merged.sql")),
    (21, "turns", include_str!("../../migrations/0021_turns.sql")),
    (23, "kinds", include_str!("../../migrations/0023_kinds.sql")),
    (24, "calm", include_str!("../../migrations/0024_calm.sql")),
    (25, "journal", include_str!("../../migrations/0025_journal.sql")),
    (26, "files", include_str!("../../migrations/0026_files.sql")),
];

/// How many connections a store may have. SQLite writes through one, whatever is said here.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    pub readers: u32,
    /// PostgreSQL: writers of the intake and of everything that wakes nobody.
    pub writers: u32,
    /// PostgreSQL: writers that pages have to themselves.
    pub page_writers: u32,
    /// SQLite: the room kept for a full disk, in bytes.
    pub ballast_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { readers: 4, writers: 8, page_writers: 4, ballast_bytes: 0 }
    }
}

/// One open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    writers: Writers,
    readers: Pool<Any>,
    page_readers: Pool<Any>,
    calls: Calls,
    ballast: Option<Ballast>,
    /// SQLite: rung when a write finds no room, and there is no ballast left to let go.
    no_room: Bell,
    /// SQLite: where the journal lies.
    files: Option<Files>,
    /// Held until this store is closed: it keeps a second server off one SQLite file.
    lock: Option<File>,
}

#[derive(Debug)]
enum Writers {
    /// SQLite's.
    One(Writer),
    /// PostgreSQL's: those that pages have to themselves, and all others.
    Many { page: Pool<Any>, rest: Pool<Any> },
}

/// Where a database is.
#[derive(Debug, Clone)]
struct Place {
    dialect: Dialect,
    /// What the driver is given.
    address: AnyConnectOptions,
    /// SQLite: the file, and whether it may be made.
    file: Option<(PathBuf, bool)>,
}

impl Store {
    /// Opens `sqlite://PATH?mode=rwc`, a bare path or `postgres://…`, as a command does that works beside a running server.
    ///
    /// # Errors
    /// When the address cannot be read or the database cannot be reached.
    pub async fn open(url: &str, options: StoreOptions) -> Result<Self> {
        let place = Place::read(url)?;
        place.make_file()?;
        Self::connect(place, options, None).await
    }

    /// Opens a database to serve it. A second server on one SQLite file is refused; PostgreSQL takes several.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::InUse`].
    pub async fn open_exclusive(url: &str, options: StoreOptions) -> Result<Self> {
        let place = Place::read(url)?;
        place.make_file()?;
        let lock = place.lock()?;
        Self::connect(place, options, lock).await
    }

    async fn connect(place: Place, options: StoreOptions, lock: Option<File>) -> Result<Self> {
        let pool = |connections: u32, reads_only: bool| place.pool(connections, reads_only);
        let writers = match place.dialect {
            Dialect::Sqlite => Writers::One(Writer::new(place.address.clone())),
            Dialect::Postgres => Writers::Many { page: pool(options.page_writers, false), rest: pool(options.writers, false) },
        };
        let file = place.file.as_ref().filter(|_| options.ballast_bytes > 0);
        let ballast = file.map(|(path, _)| Ballast::beside(path, options.ballast_bytes));
        let files = place.file.as_ref().map(|(path, _)| Files::beside(path));
        let (readers, page_readers) = (pool(options.readers, true), pool(2, true));
        let store = Self(Arc::new(Inner {
            place,
            writers,
            readers,
            page_readers,
            calls: Calls::default(),
            ballast,
            no_room: Bell::default(),
            files,
            lock,
        }));
        store.check_version().await?;
        Ok(store)
    }

    /// Reaches the database once, so that a wrong address is told at the start.
    async fn check_version(&self) -> Result<()> {
        let mut alone = self.alone(WriteLane::Rest).await?;
        match self.dialect() {
            Dialect::Sqlite => {
                let rows = alone.conn.rows(sql("SELECT sqlite_version() AS version")).await?;
                let found = rows.first().ok_or(StoreError::Missing("version"))?.text("version")?;
                if dialect::sqlite_is_new_enough(&found) {
                    Ok(())
                } else {
                    Err(StoreError::TooOld { found, wanted: dialect::SQLITE_AT_LEAST })
                }
            }
            Dialect::Postgres => alone.conn.rows(sql("SELECT 1")).await.map(|_| ()),
        }
    }

    /// Brings the tables up to date, and opens the journal's files where this serves a SQLite database. Safe to repeat and to call from several processes at once.
    ///
    /// # Errors
    /// When a migration fails; nothing of it stays then.
    pub async fn migrate(&self) -> Result<()> {
        let made = MIGRATIONS
            .iter()
            .map(|(version, name, text)| Migration::new(*version, (*name).into(), MigrationType::Simple, text.into_sql_str(), false));
        let mut migrator = Migrator::with_migrations(made.collect());
        // A later version may have migrated already and runs beside this one.
        migrator.set_ignore_missing(true);
        // A connection of its own, because a migration may take longer than any call.
        let mut own = AnyConnection::connect_with(&self.0.place.address).await?;
        match self.dialect() {
            Dialect::Sqlite => {
                sqlx::raw_sql(Dialect::Sqlite.on_connect(false)).execute(&mut own).await?;
                // The driver has no lock of its own against a second migrating process here.
                let mut whole = own.begin_with(Dialect::Sqlite.begin()).await?;
                migrator.run_direct(None, &mut *whole, false).await?;
                whole.commit().await?;
            }
            Dialect::Postgres => migrator.run_direct(None, &mut own, false).await?,
        }
        own.close().await?;
        match (&self.0.files, &self.0.lock) {
            (Some(files), Some(_)) => {
                let room = Room { ballast: self.0.ballast.clone(), no_room: self.0.no_room.clone(), calls: self.0.calls.clone() };
                files.open(self, room).await
            }
            _ => Ok(()),
        }
    }

    /// The journal's files, where this serves them.
    pub(super) fn journal(&self) -> Option<&Log> {
        self.0.files.as_ref().and_then(Files::log)
    }

    pub(super) fn files(&self) -> Option<&Files> {
        self.0.files.as_ref()
    }

    /// The migrations that this version has and the database has not.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn migrations_waiting(&self) -> Result<Vec<&'static str>> {
        let there = match self.reader().rows(sql("SELECT version FROM _sqlx_migrations")).await {
            Ok(rows) => rows.iter().map(|row| row.int("version")).collect::<Result<Vec<_>>>()?,
            // A database without its tables.
            Err(StoreError::Refused(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(MIGRATIONS.iter().filter(|(version, ..)| !there.contains(version)).map(|(_, name, _)| *name).collect())
    }

    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.place.dialect
    }

    /// Where other processes may share it: on PostgreSQL.
    pub(super) fn shared_url(&self) -> Option<&str> {
        match self.dialect() {
            Dialect::Sqlite => None,
            Dialect::Postgres => Some(self.0.place.address.database_url.as_str()),
        }
    }

    /// The SQLite file, for what rests beside it.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.0.place.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// Begins a transaction, after those who have the right to go first.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when no connection could be had.
    pub async fn begin(&self, lane: WriteLane) -> Result<Tx> {
        let Alone { conn, _turn: turn } = self.alone(lane).await?;
        Tx::begin(conn, turn, self.journal().cloned()).await
    }

    /// The right to run one statement that is a transaction by itself.
    pub(super) async fn alone(&self, lane: WriteLane) -> Result<Alone> {
        match &self.0.writers {
            Writers::One(writer) => {
                let (conn, seat, turn) = writer.take(lane).await?;
                let conn = Conn::writer(conn, seat, &self.0.calls).with(self.0.ballast.clone(), Some(self.0.no_room.clone()));
                Ok(Alone { conn, _turn: Some(turn) })
            }
            // PostgreSQL without room ends by itself; and several servers on it would each do what one of them does on SQLite.
            Writers::Many { page, rest } => {
                let pool = match lane {
                    WriteLane::Page => page,
                    WriteLane::Intake | WriteLane::Rest => rest,
                };
                let conn = Conn::take(pool, self.dialect(), &self.0.calls).await?;
                Ok(Alone { conn: conn.with(self.0.ballast.clone(), None), _turn: None })
            }
        }
    }

    /// How many writes wait for their turn; always 0 on PostgreSQL, which queues by itself.
    #[must_use]
    pub fn writers_waiting(&self) -> usize {
        match &self.0.writers {
            Writers::One(writer) => writer.turns().waiting(),
            Writers::Many { .. } => 0,
        }
    }

    /// The room kept for a full disk, where this store keeps any.
    #[must_use]
    pub fn ballast(&self) -> Option<&Ballast> {
        self.0.ballast.as_ref()
    }

    /// Rung by every write to SQLite that finds no room when the ballast is gone too.
    #[must_use]
    pub fn no_room(&self) -> &Bell {
        &self.0.no_room
    }

    /// Makes the ballast unless it is there; a disk that is short of room keeps what it has.
    ///
    /// # Errors
    /// The disk's.
    pub async fn keep_ballast(&self) -> std::io::Result<()> {
        let Some(ballast) = self.0.ballast.clone() else { return Ok(()) };
        // Off the runtime's own threads: the disk may take its time.
        tokio::task::spawn_blocking(move || ballast.keep()).await.map_err(std::io::Error::other)?
    }

    /// What the calls of this database are counted with.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.0.calls.clone()
    }

    /// A reader for the doors.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.0.readers.clone(), self.dialect(), self.0.calls.clone(), self.0.files.clone())
    }

    /// A reader with connections that only the page path uses: no list on a web page makes it wait.
    #[must_use]
    pub fn page_reader(&self) -> Reader {
        Reader::new(self.0.page_readers.clone(), self.dialect(), self.0.calls.clone(), self.0.files.clone())
    }

    /// Closes every connection once its work is done, and lets another server at the file.
    pub async fn close(&self) {
        if let Some(log) = self.journal() {
            log.close().await;
        }
        self.0.readers.close().await;
        self.0.page_readers.close().await;
        match &self.0.writers {
            Writers::One(writer) => writer.close().await,
            Writers::Many { page, rest } => {
                rest.close().await;
                page.close().await;
            }
        }
        if let Some(Err(error)) = self.0.lock.as_ref().map(File::unlock) {
            tracing::warn!(%error, "the database file stays locked until this process ends");
        }
    }
}

impl Place {
    fn read(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let address = url.parse().map_err(|_| StoreError::Address("this postgres:// address cannot be read".to_owned()))?;
            return Ok(Self { dialect: Dialect::Postgres, address, file: None });
        }
        let (path, may_make) = sqlite_path(url)?;
        let path = std::path::absolute(&path).map_err(|source| StoreError::File { path: path.clone(), source })?;
        let text = path.to_str().ok_or_else(|| StoreError::Address("the path of the database is not UTF-8".to_owned()))?;
        // The file is there by the time it is connected to: see `make_file`.
        let address = format!("sqlite://{}?mode=rw", escape(text));
        let address = address.parse().map_err(|_| StoreError::Address(format!("the path {text} cannot be used for a database")))?;
        Ok(Self { dialect: Dialect::Sqlite, address, file: Some((path, may_make)) })
    }

    /// Makes the file for its owner alone; SQLite's companion files take its mode.
    fn make_file(&self) -> Result<()> {
        let Some((path, true)) = &self.file else { return Ok(()) };
        let failed = |source| StoreError::File { path: path.clone(), source };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        Ok(())
    }

    fn lock(&self) -> Result<Option<File>> {
        let Some((path, _)) = &self.file else { return Ok(None) };
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let name = PathBuf::from(name);
        let failed = |source| StoreError::File { path: name.clone(), source };
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&name).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.clone())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    fn pool(&self, connections: u32, reads_only: bool) -> Pool<Any> {
        let words = self.dialect.on_connect(reads_only);
        let is_remote = self.dialect == Dialect::Postgres;
        AnyPoolOptions::new()
            .max_connections(connections.max(1))
            .acquire_timeout(limits::DATABASE_CALL.as_duration())
            .idle_timeout(None)
            .max_lifetime(None)
            // A round trip before every transaction is too dear; what has rested a while is asked.
            .test_before_acquire(false)
            .before_acquire(move |conn, rested| {
                Box::pin(async move {
                    if is_remote && rested.idle_for > Duration::from_secs(1) {
                        conn.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(move |conn, _| {
                Box::pin(async move {
                    sqlx::raw_sql(words).execute(conn).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(self.address.clone())
    }
}

/// The path in `sqlite://PATH?mode=rwc`, `sqlite:PATH` or a bare path, and whether the file may be made.
fn sqlite_path(url: &str) -> Result<(PathBuf, bool)> {
    let Some(rest) = url.strip_prefix("sqlite:") else {
        if url.contains("://") || url.is_empty() {
            return Err(StoreError::Address(format!(
                "\"{}\" is no database; write a path, sqlite://PATH?mode=rwc or postgres://USER@HOST/NAME",
                url.split("://").next().unwrap_or_default()
            )));
        }
        return Ok((PathBuf::from(url), true));
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let may_make = match query {
        "" | "mode=rwc" => true,
        "mode=rw" => false,
        other => return Err(StoreError::Address(format!("\"?{other}\" cannot be used here; write ?mode=rwc or ?mode=rw"))),
    };
    if path.is_empty() || path == ":memory:" {
        return Err(StoreError::Address("a database of pages needs a file: write sqlite://PATH?mode=rwc".to_owned()));
    }
    Ok((PathBuf::from(unescape(path)?), may_make))
}

fn escape(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
        text
    })
}

fn unescape(path: &str) -> Result<String> {
    let wrong = || StoreError::Address(format!("\"{path}\" is not a path: % is written %25 in an address"));
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'%' {
            let (digits, after) = after.split_at_checked(2).ok_or_else(wrong)?;
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_people_write_them() {
        let path = |url: &str| sqlite_path(url).map(|(path, may_make)| (path.display().to_string(), may_make)).ok();
        assert_eq!(path("var/reveille.db"), Some(("var/reveille.db".to_owned(), true)));
        assert_eq!(path("sqlite://var/reveille.db?mode=rwc"), Some(("var/reveille.db".to_owned(), true)));
        assert_eq!(path("sqlite:///srv/a%20b.db?mode=rw"), Some(("/srv/a b.db".to_owned(), false)));
        for bad in ["", "mysql://x", "sqlite::memory:", "sqlite://x?mode=ro", "sqlite://x%2"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
