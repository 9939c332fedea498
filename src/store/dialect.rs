//! Where SQLite and PostgreSQL differ. Everything else in this room is one text for both.

/// Which of the two a store speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// What a database's code for an error means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Busy,
    Full,
    Corrupt,
    Refused,
}

/// The first SQLite that does not corrupt a write-ahead log on reset.
pub(super) const SQLITE_AT_LEAST: &str = "3.51.3";

impl Dialect {
    /// SQLite takes the write lock at once: a reader that turns writer later fails past any timeout.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            // Rows are locked before they are decided upon, so each statement wants the newest committed rows.
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// Begins to read one moment of the database, whatever is written meanwhile. Where it goes may be slow to take it.
    pub(super) const fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN DEFERRED",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = '10min'",
        }
    }

    /// Lets a transaction wait between its statements for a file that is read or written slowly, as through a pipe.
    pub(super) const fn waits_for_a_file(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SET LOCAL idle_in_transaction_session_timeout = '10min'"),
        }
    }

    /// Every table's columns in their order: `table_name`, `column_name`, `kind`, and `key_place` (from 1; 0 for no part of the key).
    pub(super) const fn columns(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT t.name AS table_name, c.name AS column_name, c.type AS kind, CAST(c.pk AS INTEGER) AS key_place \
                 FROM sqlite_master t JOIN pragma_table_info(t.name) c \
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations' ORDER BY t.name, c.cid"
            }
            // The catalogue's own types of text are none that the driver reads.
            Self::Postgres => {
                "SELECT CAST(c.table_name AS TEXT) AS table_name, CAST(c.column_name AS TEXT) AS column_name, \
                 CAST(c.data_type AS TEXT) AS kind, CAST(COALESCE(k.ordinal_position, 0) AS BIGINT) AS key_place \
                 FROM information_schema.columns c \
                 JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
                 LEFT JOIN information_schema.table_constraints p ON p.table_schema = c.table_schema AND p.table_name = c.table_name \
                 AND p.constraint_type = 'PRIMARY KEY' \
                 LEFT JOIN information_schema.key_column_usage k ON k.constraint_schema = p.constraint_schema \
                 AND k.constraint_name = p.constraint_name AND k.table_name = c.table_name AND k.column_name = c.column_name \
                 WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name <> '_sqlx_migrations' \
                 ORDER BY CAST(c.table_name AS TEXT), c.ordinal_position"
            }
        }
    }

    /// What every new connection is told. The limits of PostgreSQL stand a little above our own, so that a server whose client
    /// is gone lets go of its locks by itself.
    pub(super) const fn on_connect(self, reads_only: bool) -> &'static str {
        match (self, reads_only) {
            // What is decided on a full disk and given up again must not need room before its end: nothing is written before a commit.
            // The keys of signals come in no order, so that each touches another page: the writer keeps 32 MiB of them. Its
            // log is moved into the file by others (`checkpoint`), and by itself only when nobody could for 32 MiB. What a statement
            // may have to undo is kept in memory: it would be a file of its own for each transaction that folds something.
            (Self::Sqlite, false) => {
                "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA cache_spill = OFF; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8192; PRAGMA temp_store = MEMORY"
            }
            (Self::Sqlite, true) => {
                "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                 PRAGMA query_only = ON"
            }
            (Self::Postgres, false) => {
                "SET statement_timeout = '11s'; SET idle_in_transaction_session_timeout = '30s'; \
                 SET client_connection_check_interval = '2s'"
            }
            (Self::Postgres, true) => {
                "SET statement_timeout = '11s'; SET idle_in_transaction_session_timeout = '30s'; \
                 SET client_connection_check_interval = '2s'; SET default_transaction_read_only = on"
            }
        }
    }

    /// SQLite has one writer and needs no row locks.
    pub(super) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// Locks that are not waited for: whoever has them is in the way, and the transaction is tried again.
    pub(super) const fn for_update_now(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE NOWAIT",
        }
    }

    pub(super) const fn for_update_skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    pub(super) const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR SHARE",
        }
    }

    /// Whether several transactions write at once, so that the order in which rows are locked matters.
    pub(super) const fn has_row_locks(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres => true,
        }
    }

    /// Holds everyone else off one service ($1) until the transaction ends, whether or not it has rows yet.
    pub(super) const fn lock_service(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(1380275028, hashtext($1))"),
        }
    }

    /// Holds the silences as they are until the transaction ends: others may hold them too, and nobody may change one.
    pub(super) const fn lock_silences_shared(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock_shared(1380275029, 0)"),
        }
    }

    /// Waits for all who hold the silences, and holds them off until the transaction ends.
    pub(super) const fn lock_silences(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(1380275029, 0)"),
        }
    }

    /// The database's own time in microseconds: leases compare with it alone, so that replicas need no common clock.
    pub(super) const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }
}

/// SQLite numbers its errors, PostgreSQL gives five letters or digits.
pub(super) fn failure(code: &str) -> Failure {
    if code.len() == 5 {
        return match code {
            // Serialization, deadlock, lock or statement timeout.
            "40001" | "40P01" | "55P03" | "57014" | "25P03" => Failure::Busy,
            "53100" => Failure::Full,
            _ if ends_connection(code) || code.starts_with("53") => Failure::Busy,
            _ if code.starts_with("XX") => Failure::Corrupt,
            _ => Failure::Refused,
        };
    }
    // A write past a quota or a limit, and a shared-memory file that cannot grow: SQLite has its own code only for ENOSPC on a write.
    if let Ok(778 | 4_874) = code.parse::<u32>() {
        return Failure::Full;
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        // BUSY, LOCKED, and a lock protocol that gave up.
        Ok(5 | 6 | 15) => Failure::Busy,
        Ok(13) => Failure::Full,
        // CORRUPT, NOTADB.
        Ok(11 | 26) => Failure::Corrupt,
        Ok(_) | Err(_) => Failure::Refused,
    }
}

/// Connection failures and shutdowns of PostgreSQL; after them a connection is of no more use.
pub(super) fn ends_connection(code: &str) -> bool {
    code.len() == 5 && (code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03"))
}

/// Whether this `sqlite_version()` is new enough.
pub(super) fn sqlite_is_new_enough(found: &str) -> bool {
    let parts = |text: &str| text.split('.').map(|part| part.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>();
    parts(found) >= parts(SQLITE_AT_LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for busy in ["5", "517", "6", "40001", "40P01", "57P01", "08006", "53300"] {
            assert_eq!(failure(busy), Failure::Busy, "{busy}");
        }
        for full in ["13", "778", "4874", "53100"] {
            assert_eq!(failure(full), Failure::Full, "{full}");
        }
        assert_eq!(failure("11"), Failure::Corrupt);
        for refused in ["19", "2067", "23505", "25006"] {
            assert_eq!(failure(refused), Failure::Refused, "{refused}");
        }
    }

    #[test]
    fn an_old_sqlite_is_told_from_a_new_one() {
        for (version, good) in [("3.51.3", true), ("3.52.0", true), ("4.0.0", true), ("3.51.2", false), ("3.9.9", false)] {
            assert_eq!(sqlite_is_new_enough(version), good, "{version}");
        }
    }
}
