//! Everything a database holds, table by table, in one form for both kinds: what a backup is made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{Result, StoreError};
use super::journal::{Filed, Photo};
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, Sql, numbered, pieces, sql, sql_made};
use super::tx::{Conn, Tx};

/// What belongs to processes, files and browsers that are here now, and to nobody who reads a backup.
const LEFT_OUT: [&str; 6] = ["_sqlx_migrations", "journal_folded", "journal_home", "leases", "sessions", "sign_in_links"];
/// What of it waits in files is in a backup as well.
const JOURNAL: &str = "journal";
/// Rows that every new database has: they do not make it one that holds something.
const ALWAYS_THERE: &str = "counters";

/// One table as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub kind: ColumnKind,
    /// Its place in the key, from 1; 0 where it is no part of it.
    pub key: i64,
}

/// All values are texts and whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    Text,
    Int,
}

impl Table {
    fn keys(&self) -> Vec<&Column> {
        let mut keys: Vec<&Column> = self.columns.iter().filter(|column| column.key > 0).collect();
        keys.sort_by_key(|column| column.key);
        keys
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// One moment of a database, however long it is read and whatever is written meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    conn: Conn,
    tables: Vec<Table>,
    files: Option<Photo>,
    is_over: bool,
}

impl Snapshot {
    /// # Errors
    /// As every call of the database.
    pub async fn open(store: &Store) -> Result<Self> {
        let mut conn = store.reader().conn().await?;
        let files = loop {
            let mut files = store.files().map(Photo::take).transpose()?;
            conn.say(store.dialect().begin_snapshot()).await?;
            let Some(photo) = &mut files else { break files };
            // The moment of a snapshot is that of its first statement.
            photo.learn(&mut conn).await?;
            if photo.is_fresh() {
                break files;
            }
            // The last of a file was folded between the two: what it held may be remembered no more.
            conn.say("COMMIT").await?;
        };
        let mut snapshot = Self { conn, tables: Vec::new(), files, is_over: false };
        let rows = snapshot.conn.rows(sql(store.dialect().columns())).await?;
        snapshot.tables = tables_of(&rows)?;
        Ok(snapshot)
    }

    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The rows of a table after `after` (or from the first), in the order of its key.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn rows(&mut self, table: &Table, after: Option<&[Value]>, limit: i64) -> Result<Vec<Vec<Value>>> {
        let keys = table.keys();
        if keys.is_empty() {
            return Err(StoreError::Refused(format!("the table {} has no key to read it by", table.name)));
        }
        let order = keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ");
        let (name, columns) = (&table.name, table.names());
        let find = match after {
            Some(_) => {
                let places = numbered(1, keys.len());
                format!("SELECT {columns} FROM {name} WHERE ({order}) > {places} ORDER BY {order} LIMIT ${}", keys.len() + 1)
            }
            None => format!("SELECT {columns} FROM {name} ORDER BY {order} LIMIT $1"),
        };
        let mut find = sql_made(find);
        for (column, value) in table.columns.iter().zip(after.unwrap_or_default()).filter(|(column, _)| column.key == 1) {
            find = bind(find, column, value)?;
        }
        for place in 2..=i64::try_from(keys.len()).unwrap_or(i64::MAX) {
            for (column, value) in table.columns.iter().zip(after.unwrap_or_default()).filter(|(column, _)| column.key == place) {
                find = bind(find, column, value)?;
            }
        }
        let rows = self.conn.rows(find.int(limit)).await?;
        rows.iter()
            .map(|row| {
                table
                    .columns
                    .iter()
                    .map(|column| {
                        Ok(match column.kind {
                            ColumnKind::Text => row.maybe_text(&column.name)?.map_or(Value::Null, Value::from),
                            ColumnKind::Int => row.maybe_int(&column.name)?.map_or(Value::Null, Value::from),
                        })
                    })
                    .collect()
            })
            .collect()
    }

    /// More rows of a table, which lie beside it; `None` after the last.
    ///
    /// # Errors
    /// As every call of the database.
    pub fn more(&mut self, table: &Table) -> Result<Option<Vec<Vec<Value>>>> {
        let Some(files) = self.files.as_mut().filter(|_| table.name == JOURNAL) else { return Ok(None) };
        let Some(rows) = files.next()? else { return Ok(None) };
        let row = |filed: &Filed| table.columns.iter().map(|column| filed.value(&column.name)).collect();
        rows.iter().map(row).collect::<Result<_>>().map(Some)
    }

    /// Lets go of the moment.
    ///
    /// # Errors
    /// As every call of the database.
    pub async fn close(mut self) -> Result<()> {
        self.is_over = true;
        self.conn.say("COMMIT").await
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if !self.is_over {
            // Nobody else may be handed a connection that still looks at this moment.
            self.conn.give_up();
        }
    }
}

fn tables_of(rows: &[sqlx::any::AnyRow]) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let name = row.text("table_name")?;
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let kind = match row.text("kind")?.to_ascii_lowercase().as_str() {
            "text" => ColumnKind::Text,
            "bigint" => ColumnKind::Int,
            other => return Err(StoreError::Refused(format!("the table {name} has a column of the kind {other}"))),
        };
        let column = Column { name: row.text("column_name")?, kind, key: row.int("key_place")? };
        match tables.last_mut().filter(|table| table.name == name) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { name, columns: vec![column] }),
        }
    }
    Ok(tables)
}

fn bind(sql: Sql, column: &Column, value: &Value) -> Result<Sql> {
    match (column.kind, value) {
        (ColumnKind::Text, Value::String(text)) => Ok(sql.text(text)),
        (ColumnKind::Text, Value::Null) => Ok(sql.maybe_text(None::<&str>)),
        (ColumnKind::Int, Value::Null) => Ok(sql.maybe_time(None)),
        (ColumnKind::Int, Value::Number(number)) => match number.as_i64() {
            Some(number) => Ok(sql.int(number)),
            None => Err(StoreError::Corrupt(format!("{number} is no whole number for {}", column.name))),
        },
        (_, other) => Err(StoreError::Corrupt(format!("{other} is no value for {}", column.name))),
    }
}

/// The tables that this database has now.
///
/// # Errors
/// As every call of the database.
pub async fn archive_tables(tx: &mut Tx) -> Result<Vec<Table>> {
    let rows = tx.rows(sql(tx.dialect().columns())).await?;
    tables_of(&rows)
}

/// The first table that holds something.
///
/// # Errors
/// As every call of the database.
pub async fn archive_holds(tx: &mut Tx) -> Result<Option<String>> {
    for table in archive_tables(tx).await? {
        if table.name != ALWAYS_THERE && tx.row(sql_made(format!("SELECT 1 AS one FROM {} LIMIT 1", table.name))).await?.is_some() {
            return Ok(Some(table.name));
        }
    }
    Ok(None)
}

/// Whether a server works on this database: it holds leases that have not run out.
///
/// # Errors
/// As every call of the database.
pub async fn archive_in_use(tx: &mut Tx) -> Result<bool> {
    let find = format!("SELECT name FROM leases WHERE until > {} LIMIT 1", tx.dialect().now());
    Ok(tx.row(sql_made(find)).await?.is_some())
}

/// Empties every table, those of processes, files and browsers too, for what comes from a backup.
///
/// # Errors
/// As every call of the database.
pub async fn archive_clear(tx: &mut Tx) -> Result<()> {
    if let Some(patience) = tx.dialect().waits_for_a_file() {
        tx.execute(sql(patience)).await?;
    }
    let names: Vec<String> = archive_tables(tx).await?.into_iter().map(|table| table.name).collect();
    let others = LEFT_OUT.iter().skip(1).map(|name| (*name).to_owned());
    for name in names.into_iter().chain(others) {
        tx.execute(sql_made(format!("DELETE FROM {name}"))).await?;
    }
    Ok(())
}

/// Puts rows into a table; each has a value for every column.
///
/// # Errors
/// As every call of the database, and for a row of another shape.
pub async fn archive_insert(tx: &mut Tx, table: &Table, rows: &[Vec<Value>]) -> Result<()> {
    if let Some(row) = rows.iter().find(|row| row.len() != table.columns.len()) {
        return Err(StoreError::Corrupt(format!("a row of {} has {} values, not {}", table.name, row.len(), table.columns.len())));
    }
    for rows in pieces(rows) {
        let insert = format!("INSERT INTO {} ({}) VALUES {}", table.name, table.names(), tx.tuples(rows.len(), table.columns.len()));
        let mut insert = sql_made(insert);
        for (column, value) in rows.iter().flat_map(|row| table.columns.iter().zip(row)) {
            insert = bind(insert, column, value)?;
        }
        tx.execute(insert).await?;
    }
    Ok(())
}

/// The database's own time.
///
/// # Errors
/// As every call of the database.
pub async fn database_time(reader: &Reader) -> Result<crate::base::time::Time> {
    let rows = reader.rows(sql_made(format!("SELECT {} AS now", reader.dialect().now()))).await?;
    rows.first().ok_or(StoreError::Missing("time"))?.time("now")
}

/// Writes something that changes nothing, and takes it back.
///
/// # Errors
/// Why nothing can be written.
pub async fn database_writes(store: &Store) -> Result<()> {
    let mut tx = store.begin(super::WriteLane::Rest).await?;
    tx.execute(sql("UPDATE counters SET value = value WHERE name = 'setup'")).await?;
    tx.rollback().await
}
