//! Tables that only grow: a server of any earlier version runs beside the tables of this one.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

use crate::db::Db;

/// A column: its name, whether it is a text, and its place in the primary key.
type Column = (String, bool, i64);

/// The migrations in their order, by file name.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
    let paths = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths
        .map(|path| (path.file_name().expect("a name").to_string_lossy().into_owned(), std::fs::read_to_string(&path).expect("a text")))
        .collect();
    files.sort();
    files
}

async fn run(own: &mut AnyConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(own).await.unwrap_or_else(|error| panic!("{error}: {text}"));
}

async fn tables(db: &Db, own: &mut AnyConnection) -> BTreeMap<String, Vec<Column>> {
    let ask = if db.is_sqlite() {
        "SELECT t.name, c.name, c.type, CAST(c.pk AS BIGINT) FROM sqlite_master t JOIN pragma_table_info(t.name) c \
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' ORDER BY t.name, c.cid"
    } else {
        "SELECT CAST(c.table_name AS TEXT), CAST(c.column_name AS TEXT), UPPER(CAST(c.data_type AS TEXT)), \
         CAST(COALESCE(k.ordinal_position, 0) AS BIGINT) FROM information_schema.columns c \
         LEFT JOIN information_schema.table_constraints p ON p.table_schema = c.table_schema AND p.table_name = c.table_name \
         AND p.constraint_type = 'PRIMARY KEY' \
         LEFT JOIN information_schema.key_column_usage k ON k.constraint_schema = p.constraint_schema \
         AND k.constraint_name = p.constraint_name AND k.table_name = c.table_name AND k.column_name = c.column_name \
         WHERE c.table_schema = current_schema() ORDER BY CAST(c.table_name AS TEXT), c.ordinal_position"
    };
    let mut tables: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in sqlx::query(ask).fetch_all(own).await.expect("the catalogue reads") {
        tables.entry(row.get(0)).or_default().push((row.get(1), row.get::<String, _>(2) == "TEXT", row.get(3)));
    }
    assert!(tables.len() > 10, "{:?}", tables.keys());
    tables
}

/// Rows that name these columns alone: each is written, written over as an upsert does it, and read back.
async fn is_used(own: &mut AnyConnection, tables: &BTreeMap<String, Vec<Column>>, numbers: std::ops::Range<i64>) {
    for (table, columns) in tables {
        let names = columns.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ");
        let key = columns.iter().filter(|(.., place)| *place > 0).map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ");
        let last = columns.last().map(|(name, ..)| name.as_str()).expect("a column");
        let value = |is_text: bool, n: i64| if is_text { format!("'{n}'") } else { n.to_string() };
        for n in numbers.clone() {
            let values = columns.iter().map(|(_, is_text, _)| value(*is_text, n)).collect::<Vec<_>>().join(", ");
            for _ in 0..2 {
                let upsert =
                    format!("INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {last} = excluded.{last}");
                run(own, &upsert).await;
            }
        }
        let sure = columns.iter().map(|(name, is_text, _)| format!("{name} >= {}", value(*is_text, 0))).collect::<Vec<_>>().join(" AND ");
        let read = format!("SELECT {names} FROM {table} WHERE {sure}");
        let rows = sqlx::query(AssertSqlSafe(read)).fetch_all(&mut *own).await.expect("it reads");
        assert!(rows.len() >= usize::try_from(numbers.end - numbers.start).expect("few"), "{table}: {} rows", rows.len());
    }
}

on_both! {
    /// For each earlier state of the tables: a database with rows in it grows to the last one, keeps its columns and keys, and takes
    /// rows that know nothing of what came later.
    async fn an_earlier_version_runs_beside_the_tables_of_this_one(db: &Db) {
        let files = files();
        let mut own = AnyConnection::connect(&db.url).await.expect("the database opens");
        let ran: i64 = sqlx::query("SELECT CAST(COUNT(*) AS BIGINT) FROM _sqlx_migrations").fetch_one(&mut own).await.expect("it reads").get(0);
        assert_eq!(usize::try_from(ran).expect("few"), files.len(), "every file is run, and nothing else is");
        for version in 1..files.len() {
            let mut own = if let Some(folder) = &db.folder {
                let url = format!("sqlite://{}?mode=rwc", folder.path().join(format!("version{version}.db")).display());
                AnyConnection::connect(&url).await.expect("the file opens")
            } else {
                let mut own = AnyConnection::connect(&db.url).await.expect("the database opens");
                run(&mut own, &format!("CREATE SCHEMA version{version}; SET search_path TO version{version}")).await;
                own
            };
            for (_, text) in &files[..version] {
                run(&mut own, text).await;
            }
            let before = tables(db, &mut own).await;
            is_used(&mut own, &before, 1_000..1_002).await;
            for (_, text) in &files[version..] {
                run(&mut own, text).await;
            }
            let after = tables(db, &mut own).await;
            for (table, columns) in &before {
                let now = after.get(table).unwrap_or_else(|| panic!("{table} of {} is gone", files[version - 1].0));
                assert!(columns.iter().all(|column| now.contains(column)), "{table} since {}: {columns:?} {now:?}", files[version - 1].0);
                let key = |columns: &[Column]| columns.iter().filter(|(.., place)| *place > 0).cloned().collect::<Vec<_>>();
                assert_eq!(key(columns), key(now), "{table} since {}", files[version - 1].0);
            }
            is_used(&mut own, &before, 2_000..2_002).await;
            own.close().await.expect("it closes");
        }
    }
}
