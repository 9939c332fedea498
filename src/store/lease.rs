//! Roles that one process holds at a time. All spans count in the database's time.

use super::WriteLane;
use super::dialect::Dialect;
use super::error::Result;
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, sql, sql_made};
use crate::base::time::Span;

/// Takes or keeps a role for `span`. `false` when somebody else has it.
///
/// # Errors
/// As every call of the database.
pub async fn lease_hold(store: &Store, name: &str, owner: &str, span: Span) -> Result<bool> {
    let now = store.dialect().now();
    let hold = format!(
        "INSERT INTO leases (name, owner, until) VALUES ($1, $2, {now} + $3) \
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until \
         WHERE leases.owner = excluded.owner OR leases.until <= {now}"
    );
    let mut alone = store.alone(WriteLane::Page).await?;
    Ok(alone.conn.execute(sql_made(hold).text(name).text(owner).int(span.0)).await? > 0)
}

/// Writes something that nobody reads, in the queue of pages: only a write that was made proves that the next can be.
///
/// # Errors
/// As every call of the database.
pub async fn proof_of_writing(store: &Store, owner: &str) -> Result<()> {
    let now = store.dialect().now();
    let write = format!(
        "INSERT INTO leases (name, owner, until) VALUES ($1, $2, {now}) \
                         ON CONFLICT (name) DO UPDATE SET until = excluded.until"
    );
    // Each process has its own row, so that two never wait for one.
    let write = sql_made(write).text(format!("heart {owner}")).text(owner);
    store.alone(WriteLane::Page).await?.conn.execute(write).await?;
    Ok(())
}

/// For how long a role has been nobody's, negative while somebody holds it; `None` where nobody ever did or it was given up.
///
/// # Errors
/// As every call of the database.
pub async fn lease_idle(reader: &Reader, name: &str) -> Result<Option<Span>> {
    let idle = format!("SELECT {} - until AS idle FROM leases WHERE name = $1", reader.dialect().now());
    let rows = reader.rows(sql_made(idle).text(name)).await?;
    rows.first().map(|row| row.int("idle").map(Span)).transpose()
}

/// Gives a role up, so that another takes it at once.
///
/// # Errors
/// As every call of the database.
pub async fn lease_drop(store: &Store, name: &str, owner: &str) -> Result<()> {
    let mut alone = store.alone(WriteLane::Page).await?;
    alone.conn.execute(sql("DELETE FROM leases WHERE name = $1 AND owner = $2").text(name).text(owner)).await?;
    Ok(())
}

/// At the start: ends the leases that this owner held before it died. SQLite has one server, so there all of them are its own.
///
/// # Errors
/// As every call of the database.
pub async fn leases_take_back(store: &Store, owner: &str) -> Result<()> {
    let (claims, followers, repeats, roles) = match store.dialect() {
        Dialect::Sqlite => (
            sql("UPDATE outbox SET lease_owner = NULL, lease_until = 0 WHERE lease_until > 0"),
            sql("UPDATE followers SET lease_owner = NULL, lease_until = 0 WHERE lease_until > 0"),
            sql("UPDATE repeats SET lease_until = 0 WHERE lease_until > 0"),
            sql("DELETE FROM leases"),
        ),
        Dialect::Postgres => (
            sql("UPDATE outbox SET lease_owner = NULL, lease_until = 0 WHERE lease_owner = $1").text(owner),
            // A follower's claim begins with its owner and has a mark of its own behind it.
            sql("UPDATE followers SET lease_owner = NULL, lease_until = 0 WHERE SUBSTR(lease_owner, 1, LENGTH($1) + 1) = $1 || ' '")
                .text(owner),
            sql("UPDATE repeats SET lease_until = 0 WHERE lease_owner = $1").text(owner),
            sql("DELETE FROM leases WHERE owner = $1").text(owner),
        ),
    };
    let mut tx = store.begin(WriteLane::Page).await?;
    tx.execute(claims).await?;
    tx.execute(followers).await?;
    tx.execute(repeats).await?;
    tx.execute(roles).await?;
    tx.commit().await
}
