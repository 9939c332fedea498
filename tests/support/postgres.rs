//! A PostgreSQL database of a story's own, on the server that `make test` starts.
//!
//! Included by `#[path = "../support/postgres.rs"] mod postgres;` in each binary that tells stories on PostgreSQL.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::{env, mem, thread};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

/// Where the server is: the URL of a database whose user may create others.
const SERVER: &str = "REVEILLE_TEST_POSTGRES";

/// An empty database, gone when this is dropped.
pub struct TestDatabase {
    server: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// `postgres://…`, as `--database` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Makes a database. A few ms: the server copies its template through the log, without a checkpoint.
///
/// # Panics
/// When there is no server. A story that was skipped in silence would pass for one that holds.
pub async fn fresh_database() -> TestDatabase {
    let Ok(server) = env::var(SERVER) else {
        panic!("{SERVER} is not set, so there is no PostgreSQL for this story: use `make test`, or `scripts/postgres run cargo test`");
    };
    let name = format!("reveille_test_{:016x}", RandomState::new().build_hasher().finish());
    if let Err(error) = execute(&server, format!("CREATE DATABASE {name}")).await {
        panic!("the PostgreSQL that {SERVER} names makes no database: {error}");
    }
    let url = url_of(&server, &name);
    TestDatabase { server, name, url }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = mem::take(&mut self.name);
        let server = mem::take(&mut self.server);
        // On a thread and a runtime of its own, since the story's may be ending. Nobody waits for it (the server takes
        // 0.1 s over a database that is still in use), and what is left at the end goes with the whole server.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
            if let Err(error) = runtime.block_on(execute(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))) {
                eprintln!("the database {name} is left behind: {error}");
            }
        });
    }
}

async fn execute(server: &str, statement: String) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(AssertSqlSafe(statement)).await?;
    connection.close().await
}

/// The same server with another database's name.
fn url_of(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').map_or((server, String::new()), |(address, rest)| (address, format!("?{rest}")));
    let (host, _database) = address.rsplit_once('/').expect("a URL that the server answered under has a path");
    format!("{host}/{name}{parameters}")
}
