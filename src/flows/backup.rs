//! A backup: everything the database holds at one moment, as lines of JSON that either kind of database can be filled from.
//!
//! The first line says what it is, then each table has a line of its own and one line for each row, and the last line has the number
//! of rows and the digest of all before it: a file that broke off, or was changed, is told before anything is written.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FlowError;
use crate::base::secret::Digesting;
use crate::base::time::Time;
use crate::store::{self, Snapshot, Store, StoreError, Table, WriteLane};

/// The form of the file. It counts up when an older version could not read it any more.
const FORMAT: u32 = 1;
/// Rows read at once: some hundred KB.
const ROWS: i64 = 500;
/// Rows written at once.
const WRITE_ROWS: usize = 256;

/// Why a backup could not be written or read back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Flow(#[from] FlowError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the backup cannot be read or written: {0}")]
    File(#[from] io::Error),
    /// A sentence that says what to do.
    #[error("{0}")]
    Refused(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    ReveilleBackup { format: u32, version: String, made_at: String },
    Table(Table),
    End { rows: u64, sha256: String },
}

/// What was written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub tables: usize,
    pub rows: u64,
}

/// Writes everything, as it is at one moment, while others go on writing.
///
/// # Errors
/// The store's and the file's.
pub async fn write(store: &Store, now: Time, file: impl Write) -> Result<Told, BackupError> {
    let mut out = Out { file, digest: Digesting::default() };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    out.line(&Line::ReveilleBackup { format: FORMAT, version, made_at: now.rfc3339() })?;
    let mut snapshot = Snapshot::open(store).await?;
    let tables = snapshot.tables().to_vec();
    let mut rows = 0;
    for table in &tables {
        out.line(&Line::Table(table.clone()))?;
        let mut last: Option<Vec<Value>> = None;
        loop {
            let part = snapshot.rows(table, last.as_deref(), ROWS).await?;
            for row in &part {
                out.line(row)?;
                rows += 1;
            }
            match part.into_iter().next_back() {
                Some(row) => last = Some(row),
                None => break,
            }
        }
        while let Some(part) = snapshot.more(table)? {
            for row in &part {
                out.line(row)?;
                rows += 1;
            }
        }
    }
    snapshot.close().await?;
    let sha256 = out.digest.hex();
    let mut file = out.file;
    serde_json::to_writer(&mut file, &Line::End { rows, sha256 }).map_err(io::Error::from)?;
    file.write_all(b"\n")?;
    file.flush()?;
    Ok(Told { tables: tables.len(), rows })
}

struct Out<W> {
    file: W,
    digest: Digesting,
}

impl<W: Write> Out<W> {
    fn line(&mut self, value: &impl Serialize) -> Result<(), BackupError> {
        let mut text = serde_json::to_vec(value).map_err(io::Error::from)?;
        text.push(b'\n');
        self.digest.add(&text);
        self.file.write_all(&text)?;
        Ok(())
    }
}

/// Reads a backup to its end and says what is in it; nothing is written for it.
///
/// # Errors
/// When it is none, broke off, or was changed.
pub fn check(file: impl BufRead) -> Result<Told, BackupError> {
    let (mut digest, mut told, mut ended) = (Digesting::default(), Told { tables: 0, rows: 0 }, false);
    for (index, line) in file.lines().enumerate() {
        let line = line?;
        if ended {
            return Err(broken("something stands after its end"));
        }
        match (index, serde_json::from_str::<Line>(&line)) {
            (0, Ok(Line::ReveilleBackup { format: FORMAT, .. })) => {}
            (0, Ok(Line::ReveilleBackup { version, .. })) => {
                return Err(BackupError::Refused(format!("Reveille {version} wrote this backup in a form that this version cannot read.")));
            }
            (0, _) => return Err(BackupError::Refused("This is no backup of Reveille: it does not begin as one.".to_owned())),
            (_, Ok(Line::Table(_))) => told.tables += 1,
            (_, Ok(Line::End { rows, sha256 })) => {
                if rows != told.rows || sha256 != std::mem::take(&mut digest).hex() {
                    return Err(broken("it was changed after it was written"));
                }
                ended = true;
                continue;
            }
            (_, Ok(Line::ReveilleBackup { .. })) => return Err(broken("it begins twice")),
            (_, Err(_)) => told.rows += 1,
        }
        digest.add(line.as_bytes());
        digest.add(b"\n");
    }
    if ended { Ok(told) } else { Err(broken("it broke off before its end")) }
}

fn broken(how: &str) -> BackupError {
    BackupError::Refused(format!("This backup cannot be used: {how}. Take another one."))
}

/// Fills a database from a backup that was checked, in one transaction. One that holds something is refused unless `force`.
///
/// # Errors
/// The store's, and a sentence where it may not or cannot be done; nothing is changed then.
pub async fn restore(store: &Store, file: impl BufRead, force: bool) -> Result<Told, BackupError> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    if store::archive_in_use(&mut tx).await? {
        return Err(BackupError::Refused(
            "A server works on this database, or did a few seconds ago. Stop it first, then try again.".to_owned(),
        ));
    }
    if let Some(table) = store::archive_holds(&mut tx).await?
        && !force
    {
        return Err(BackupError::Refused(format!(
            "This database holds something already ({table}). Give an empty one, or say --force to lose what it holds."
        )));
    }
    store::archive_clear(&mut tx).await?;
    let known = store::archive_tables(&mut tx).await?;
    let mut told = Told { tables: 0, rows: 0 };
    let mut into: Option<Table> = None;
    let mut waiting: Vec<Vec<Value>> = Vec::new();
    for line in file.lines() {
        let line = line?;
        match serde_json::from_str::<Line>(&line) {
            Ok(Line::ReveilleBackup { .. }) => {}
            Ok(Line::Table(table)) => {
                flush(&mut tx, into.as_ref(), &mut waiting).await?;
                fits(&table, &known)?;
                told.tables += 1;
                into = Some(table);
            }
            Ok(Line::End { .. }) => flush(&mut tx, into.as_ref(), &mut waiting).await?,
            Err(_) => {
                waiting.push(serde_json::from_str(&line).map_err(|_| broken("a row cannot be read"))?);
                told.rows += 1;
                if waiting.len() >= WRITE_ROWS {
                    flush(&mut tx, into.as_ref(), &mut waiting).await?;
                }
            }
        }
    }
    tx.commit().await?;
    Ok(told)
}

async fn flush(tx: &mut store::Tx, into: Option<&Table>, waiting: &mut Vec<Vec<Value>>) -> Result<(), BackupError> {
    match into {
        Some(table) => store::archive_insert(tx, table, waiting).await?,
        None if waiting.is_empty() => {}
        None => return Err(broken("it has rows of no table")),
    }
    waiting.clear();
    Ok(())
}

/// A table of the backup that this version does not have is a later version's.
fn fits(table: &Table, known: &[Table]) -> Result<(), BackupError> {
    let newer = |what: String| {
        BackupError::Refused(format!("This backup is a later version's: this one has no {what}. Restore it with that version."))
    };
    let here = known.iter().find(|here| here.name == table.name).ok_or_else(|| newer(format!("table {}", table.name)))?;
    for column in &table.columns {
        if !here.columns.iter().any(|other| other.name == column.name && other.kind == column.kind) {
            return Err(newer(format!("column {} in the table {}", column.name, table.name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str =
        "{\"reveille_backup\":{\"format\":1,\"version\":\"0\",\"made_at\":\"x\"}}\n{\"table\":{\"name\":\"t\",\"columns\":[]}}\n[1]\n";

    fn ended(text: &str, rows: u64) -> String {
        let mut digest = Digesting::default();
        digest.add(text.as_bytes());
        format!("{text}{{\"end\":{{\"rows\":{rows},\"sha256\":\"{}\"}}}}\n", digest.hex())
    }

    #[test]
    fn only_a_whole_and_unchanged_backup_is_taken() {
        assert_eq!(check(ended(WHOLE, 1).as_bytes()).ok(), Some(Told { tables: 1, rows: 1 }));
        let changed = ended(WHOLE, 1).replace("[1]", "[2]");
        let newer = ended(&WHOLE.replace("\"format\":1", "\"format\":2"), 1);
        let more = format!("{}[3]\n", ended(WHOLE, 1));
        for (text, says) in [
            (WHOLE, "broke off"),
            (changed.as_str(), "changed"),
            (&ended(WHOLE, 2), "changed"),
            (&more, "after its end"),
            (&newer, "cannot read"),
            ("", "broke off"),
            ("{}\n", "no backup"),
        ] {
            let error = check(text.as_bytes()).expect_err("it is refused").to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn what_a_later_version_added_is_refused_by_name() {
        let column = |name: &str| store::Column { name: name.to_owned(), kind: store::ColumnKind::Text, key: 1 };
        let known = [Table { name: "t".to_owned(), columns: vec![column("a")] }];
        assert!(fits(&known[0], &known).is_ok());
        let error = fits(&Table { name: "t".to_owned(), columns: vec![column("b")] }, &known).expect_err("it is refused");
        assert!(error.to_string().contains("column b in the table t"), "{error}");
        assert!(fits(&Table { name: "u".to_owned(), columns: vec![] }, &known).expect_err("it is refused").to_string().contains("table u"));
    }
}
