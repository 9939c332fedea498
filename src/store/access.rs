//! Tokens, one-time sign-in links and sessions. All are found by a digest; none is stored as it is.

use super::WriteLane;
use super::error::{Result, StoreError};
use super::open::Store;
use super::read::Reader;
use super::sql::{Columns as _, sql, word_of};
use super::tx::Tx;
use crate::base::id::{TokenId, UserId};
use crate::base::time::{Span, Time};
use crate::base::viewer::{Role, Scope};

/// How exactly a token's last use is known: a write for each request would cost more than it tells.
const LAST_USED_STEP: Span = Span::minutes(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub scope: Scope,
    pub acts_as: Option<UserId>,
    pub created_at: Time,
    pub last_used_at: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub user: UserId,
    pub role: Role,
    pub csrf: String,
    pub created_at: Time,
    pub expires_at: Time,
    /// What the browser called itself; a stranger's words.
    pub device: String,
}

const fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Respond => "respond",
        Scope::Admin => "admin",
    }
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Observer => "observer",
        Role::Responder => "responder",
        Role::Manager => "manager",
        Role::Admin => "admin",
    }
}

/// # Errors
/// [`StoreError::Exists`] when the name is taken.
pub async fn token_create(tx: &mut Tx, token: &Token, digest: &str) -> Result<()> {
    let insert = sql("INSERT INTO tokens (id, name, digest, scope, acts_as, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
                      ON CONFLICT (name) DO NOTHING");
    let insert = insert.text(token.id.as_str()).text(&token.name).text(digest).text(scope_name(token.scope));
    let insert = insert.maybe_text(token.acts_as.as_ref().map(UserId::as_str)).time(token.created_at);
    if tx.execute(insert).await? == 0 { Err(StoreError::Exists("a token")) } else { Ok(()) }
}

const TOKEN: &str = "SELECT id, name, scope, acts_as, created_at, last_used_at FROM tokens WHERE digest = $1";
const TOKENS: &str = "SELECT id, name, scope, acts_as, created_at, last_used_at FROM tokens ORDER BY name";

fn token_of(row: &sqlx::any::AnyRow) -> Result<Token> {
    Ok(Token {
        id: TokenId::from_text(row.text("id")?),
        name: row.text("name")?,
        scope: row.word("scope", word_of)?,
        acts_as: row.maybe_text("acts_as")?.map(UserId::from_text),
        created_at: row.time("created_at")?,
        last_used_at: row.maybe_time("last_used_at")?,
    })
}

/// # Errors
/// As every call of the database.
pub async fn token_find(reader: &Reader, digest: &str) -> Result<Option<Token>> {
    reader.rows(sql(TOKEN).text(digest)).await?.first().map(token_of).transpose()
}

/// Notes that a token was used, at most once a minute. Apart from finding it, so that a full disk keeps nobody from acknowledging.
///
/// # Errors
/// As every call of the database.
pub async fn token_touch(store: &Store, token: &Token, now: Time) -> Result<()> {
    if token.last_used_at.is_some_and(|last| now < last + LAST_USED_STEP) {
        return Ok(());
    }
    let touch = sql("UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)");
    store.alone(WriteLane::Rest).await?.conn.execute(touch.text(token.id.as_str()).time(now)).await?;
    Ok(())
}

/// All tokens by name, without what they are.
///
/// # Errors
/// As every call of the database.
pub async fn token_list(reader: &Reader) -> Result<Vec<Token>> {
    reader.rows(sql(TOKENS)).await?.iter().map(token_of).collect()
}

/// Ends a token; it opens nothing from now on. `false`: there is none of this name.
///
/// # Errors
/// As every call of the database.
pub async fn token_revoke(tx: &mut Tx, name: &str) -> Result<bool> {
    Ok(tx.execute(sql("DELETE FROM tokens WHERE name = $1").text(name)).await? > 0)
}

/// # Errors
/// As every call of the database.
pub async fn link_create(tx: &mut Tx, digest: &str, user: &UserId, expires_at: Time) -> Result<()> {
    let insert = sql("INSERT INTO sign_in_links (digest, user_id, expires_at) VALUES ($1, $2, $3)");
    tx.execute(insert.text(digest).text(user.as_str()).time(expires_at)).await?;
    Ok(())
}

/// Uses a link up. `None`: it was used before, it has expired, or it never was.
///
/// # Errors
/// As every call of the database.
pub async fn link_use(tx: &mut Tx, digest: &str, now: Time) -> Result<Option<UserId>> {
    tx.execute(sql("DELETE FROM sign_in_links WHERE expires_at <= $1").time(now)).await?;
    let row = tx.row(sql("DELETE FROM sign_in_links WHERE digest = $1 RETURNING user_id").text(digest)).await?;
    row.map(|row| Ok(UserId::from_text(row.text("user_id")?))).transpose()
}

/// Whose link this is, without using it up.
///
/// # Errors
/// As every call of the database.
pub async fn link_find(reader: &Reader, digest: &str, now: Time) -> Result<Option<UserId>> {
    let find = sql("SELECT user_id FROM sign_in_links WHERE digest = $1 AND expires_at > $2");
    let rows = reader.rows(find.text(digest).time(now)).await?;
    rows.first().map(|row| Ok(UserId::from_text(row.text("user_id")?))).transpose()
}

/// # Errors
/// As every call of the database.
pub async fn session_create(tx: &mut Tx, digest: &str, session: &Session) -> Result<()> {
    // What has expired is of no use to anyone; a sign-in is rare enough to clear it away.
    tx.execute(sql("DELETE FROM sessions WHERE expires_at <= $1").time(session.created_at)).await?;
    let insert =
        sql("INSERT INTO sessions (digest, user_id, role, csrf, created_at, expires_at, device) VALUES ($1, $2, $3, $4, $5, $6, $7)");
    let insert = insert.text(digest).text(session.user.as_str()).text(role_name(session.role)).text(&session.csrf);
    tx.execute(insert.time(session.created_at).time(session.expires_at).text(&session.device)).await?;
    Ok(())
}

fn session_of(row: &sqlx::any::AnyRow) -> Result<Session> {
    Ok(Session {
        user: UserId::from_text(row.text("user_id")?),
        role: row.word("role", word_of)?,
        csrf: row.text("csrf")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        device: row.text("device")?,
    })
}

/// # Errors
/// As every call of the database.
pub async fn session_find(reader: &Reader, digest: &str, now: Time) -> Result<Option<Session>> {
    let find = sql("SELECT user_id, role, csrf, created_at, expires_at, device FROM sessions WHERE digest = $1 AND expires_at > $2");
    let rows = reader.rows(find.text(digest).time(now)).await?;
    rows.first().map(session_of).transpose()
}

/// A person's living sessions by their digests, newest first.
///
/// # Errors
/// As every call of the database.
pub async fn sessions_list(reader: &Reader, user: &UserId, now: Time) -> Result<Vec<(String, Session)>> {
    let find =
        sql("SELECT digest, user_id, role, csrf, created_at, expires_at, device FROM sessions WHERE user_id = $1 AND expires_at > $2 \
                    ORDER BY created_at DESC, digest LIMIT 50");
    let rows = reader.rows(find.text(user.as_str()).time(now)).await?;
    rows.iter().map(|row| Ok((row.text("digest")?, session_of(row)?))).collect()
}

/// Ends every session of a person but the one with this digest.
///
/// # Errors
/// As every call of the database.
pub async fn sessions_end_others(tx: &mut Tx, user: &UserId, but: &str) -> Result<()> {
    tx.execute(sql("DELETE FROM sessions WHERE user_id = $1 AND digest <> $2").text(user.as_str()).text(but)).await?;
    Ok(())
}

/// # Errors
/// As every call of the database.
pub async fn session_end(tx: &mut Tx, digest: &str) -> Result<()> {
    tx.execute(sql("DELETE FROM sessions WHERE digest = $1").text(digest)).await?;
    Ok(())
}

/// Ends every session of a person.
///
/// # Errors
/// As every call of the database.
pub async fn sessions_end(tx: &mut Tx, user: &UserId) -> Result<()> {
    tx.execute(sql("DELETE FROM sessions WHERE user_id = $1").text(user.as_str())).await?;
    Ok(())
}
