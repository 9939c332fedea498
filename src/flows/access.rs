//! Who may come in: tokens, one-time sign-in links, sessions.

use super::FlowError;
use crate::base::clock::Clock;
use crate::base::id::{IdSource, IntegrationId, TokenId, UserId};
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::Time;
use crate::base::viewer::{Role, Scope, Viewer};
use crate::domain::setup::Setup;
use crate::store::{self, Session, Store, Token, Tx, WriteLane};

/// Makes a token; it is shown this once and stored as its digest.
///
/// # Errors
/// The store's; `StoreError::Exists` when the name is taken.
pub async fn create_token(store: &Store, clock: &Clock, name: &str, scope: Scope, acts_as: Option<&UserId>) -> Result<Secret, FlowError> {
    let now = clock.now();
    let token = Secret::new(format!("rev_{}", Secret::random().expose()));
    let mut tx = store.begin(WriteLane::Rest).await?;
    let row = Token {
        id: TokenId::make(&mut IdSource::fresh(now)),
        name: name.to_owned(),
        scope,
        acts_as: acts_as.cloned(),
        created_at: now,
        last_used_at: None,
    };
    store::token_create(&mut tx, &row, &token.digest()).await?;
    tx.commit().await?;
    Ok(token)
}

/// Whose token this is.
///
/// # Errors
/// The store's.
pub async fn token_viewer(store: &Store, clock: &Clock, token: &str) -> Result<Option<Viewer>, FlowError> {
    let Some(row) = store::token_find(&store.reader(), &Secret::new(token).digest()).await? else { return Ok(None) };
    // When it was last used is worth knowing and not worth refusing anyone for.
    if let Err(error) = store::token_touch(store, &row, clock.now()).await {
        tracing::warn!(%error, "the last use of a token could not be noted");
    }
    Ok(Some(Viewer::Token { name: row.name, scope: row.scope, acts_as: row.acts_as }))
}

/// Makes a one-time sign-in link's secret.
///
/// # Errors
/// The store's.
pub async fn create_link(store: &Store, clock: &Clock, user: &UserId) -> Result<Secret, FlowError> {
    let link = Secret::random();
    let mut tx = store.begin(WriteLane::Rest).await?;
    store::link_create(&mut tx, &link.digest(), user, clock.now() + limits::SIGN_IN_LINK).await?;
    tx.commit().await?;
    Ok(link)
}

/// A session that was just opened: the cookie's value and what the forms carry.
pub struct Opened {
    pub cookie: Secret,
    pub user: UserId,
}

/// Whose link this is, without using it up.
///
/// # Errors
/// The store's.
pub async fn link_user(store: &Store, clock: &Clock, link: &str) -> Result<Option<UserId>, FlowError> {
    Ok(store::link_find(&store.reader(), &Secret::new(link).digest(), clock.now()).await?)
}

/// Whether this person can sign in by password.
///
/// # Errors
/// The store's.
pub async fn has_password(store: &Store, user: &UserId) -> Result<bool, FlowError> {
    Ok(store::password_find(&store.reader(), user).await?.is_some())
}

/// Uses up a one-time link and opens a session. With the hash of a new password it is set too, and every other session ends.
///
/// # Errors
/// The store's.
pub async fn use_link(
    store: &Store,
    clock: &Clock,
    setup: &Setup,
    link: &str,
    password: Option<&str>,
    device: &str,
) -> Result<Option<Opened>, FlowError> {
    let now = clock.now();
    let mut tx = store.begin(WriteLane::Rest).await?;
    let Some(user) = store::link_use(&mut tx, &Secret::new(link).digest(), now).await? else { return Ok(None) };
    if let Some(hash) = password {
        store::password_save(&mut tx, &user, hash, now).await?;
        store::sessions_end(&mut tx, &user).await?;
    }
    let opened = open_session(&mut tx, clock, setup, &user, device).await?;
    if opened.is_some() {
        tx.commit().await?;
    }
    Ok(opened)
}

/// Opens a session; `None` for somebody who is not configured any more.
pub(super) async fn open_session(
    tx: &mut Tx,
    clock: &Clock,
    setup: &Setup,
    user: &UserId,
    device: &str,
) -> Result<Option<Opened>, FlowError> {
    let now = clock.now();
    let Some(role) = role_of(setup, user) else { return Ok(None) };
    let cookie = Secret::random();
    let csrf = Secret::random().expose().to_owned();
    let device = device.chars().filter(|c| !c.is_control()).take(limits::DEVICE_CHARS).collect();
    let session = Session { user: user.clone(), role, csrf, created_at: now, expires_at: now + limits::SESSION, device };
    store::session_create(tx, &cookie.digest(), &session).await?;
    Ok(Some(Opened { cookie, user: user.clone() }))
}

/// A living session and who it is. The role is the one the setup gives now, not the one at sign-in.
///
/// # Errors
/// The store's.
pub async fn session_viewer(store: &Store, clock: &Clock, setup: &Setup, cookie: &str) -> Result<Option<(Viewer, Session)>, FlowError> {
    let Some(row) = store::session_find(&store.reader(), &Secret::new(cookie).digest(), clock.now()).await? else { return Ok(None) };
    let Some(role) = role_of(setup, &row.user) else { return Ok(None) };
    Ok(Some((Viewer::User { id: row.user.clone(), role }, row)))
}

/// What this person may do now; `None` when they are not configured any more.
fn role_of(setup: &Setup, user: &UserId) -> Option<Role> {
    match setup.users.get(user) {
        Some(user) => Some(user.role),
        None => (user.as_str() == FIRST_ADMIN).then_some(Role::Admin),
    }
}

/// When this person's password was set; `None` without one.
///
/// # Errors
/// The store's.
pub async fn password_set_at(store: &Store, user: &UserId) -> Result<Option<Time>, FlowError> {
    Ok(store::password_find(&store.reader(), user).await?.map(|(_, at)| at))
}

/// A person's living sessions by their digests, newest first.
///
/// # Errors
/// The store's.
pub async fn sessions(store: &Store, clock: &Clock, user: &UserId) -> Result<Vec<(String, Session)>, FlowError> {
    Ok(store::sessions_list(&store.reader(), user, clock.now()).await?)
}

/// Everybody who has a password.
///
/// # Errors
/// The store's.
pub async fn password_owners(store: &Store) -> Result<Vec<UserId>, FlowError> {
    Ok(store::password_owners(&store.reader()).await?)
}

/// Notes who was shown an integration's address.
///
/// # Errors
/// The store's.
pub async fn note_reveal(store: &Store, integration: &IntegrationId, user: &UserId, at: Time) -> Result<(), FlowError> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    store::reveal_note(&mut tx, integration, user, at).await?;
    tx.commit().await?;
    Ok(())
}

/// What became of each integration's signals: the integration, the outcome, how many.
///
/// # Errors
/// The store's.
pub async fn tallies(store: &Store) -> Result<Vec<(IntegrationId, String, i64)>, FlowError> {
    let tallies = store::tally_list(&store.reader()).await?;
    Ok(tallies.into_iter().map(|((integration, outcome), n)| (integration, outcome, n)).collect())
}

/// Ends the sessions with these digests.
///
/// # Errors
/// The store's.
pub async fn end_sessions(store: &Store, digests: &[String]) -> Result<(), FlowError> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    for digest in digests {
        store::session_end(&mut tx, digest).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Ends a session.
///
/// # Errors
/// The store's.
pub async fn end_session(store: &Store, cookie: &str) -> Result<(), FlowError> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    store::session_end(&mut tx, &Secret::new(cookie).digest()).await?;
    tx.commit().await?;
    Ok(())
}

/// Who signs in before anybody is configured.
pub const FIRST_ADMIN: &str = "admin";
