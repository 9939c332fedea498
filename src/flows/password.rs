//! Signing in by password: hashing within bounds, and a wait that grows with each wrong one.

use std::net::IpAddr;
use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use super::access::{self, Opened};
use super::{FlowError, House};
use crate::base::id::UserId;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};
use crate::domain::setup::Setup;
use crate::store::{self, WriteLane};

/// What became of a sign-in.
pub enum SignIn {
    Opened(Opened),
    /// Which of the two is wrong is not told.
    Wrong,
    /// Too many were wrong before; the password was not looked at.
    Wait(Span),
}

/// Why a password was not set.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("A password has at least {} characters. A few words with blanks between make a good one.", limits::PASSWORD_LEAST_CHARS)]
    TooShort,
    #[error("A password has at most {} bytes.", limits::PASSWORD_MOST_BYTES)]
    TooLong,
    #[error("Your own name makes no password. A few words with blanks between make a good one.")]
    OwnName,
    #[error("The present password is not right.")]
    Wrong,
    #[error("Too many wrong passwords. Try again in {0}, or ask an administrator for a sign-in link.")]
    Wait(Span),
    #[error(transparent)]
    Flow(#[from] FlowError),
}

impl From<crate::store::StoreError> for PasswordError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Flow(error.into())
    }
}

/// Opens a session for a password that is right. `name` is an id or a mail address.
///
/// # Errors
/// The store's; [`FlowError::Busy`] when too many sign in at once.
pub async fn sign_in(house: &House, name: &str, password: Secret, from: Option<IpAddr>, device: &str) -> Result<SignIn, FlowError> {
    let (house, name, device) = (house.clone(), name.to_owned(), device.to_owned());
    // In a task of its own: a browser that goes away must not leave a transaction half done.
    tokio::spawn(async move { try_sign_in(&house, &name, password, from, &device).await }).await.map_err(|_| FlowError::Gone)?
}

async fn try_sign_in(house: &House, name: &str, password: Secret, from: Option<IpAddr>, device: &str) -> Result<SignIn, FlowError> {
    let live = house.now_live();
    let user = user_named(&live.setup, name);
    let account = account(user.as_ref().map_or(name, UserId::as_str));
    let address = from.and_then(address);
    if let Some(wait) = count_failure(house, &account, address.as_deref()).await? {
        return Ok(SignIn::Wait(wait));
    }
    let hash = match &user {
        Some(user) => store::password_find(&house.store.reader(), user).await?.map(|(hash, _)| hash),
        None => None,
    };
    let (Some(user), true) = (user, verify(password, hash).await?) else { return Ok(SignIn::Wrong) };
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    forget(&mut tx, &account, address.as_deref()).await?;
    let opened = access::open_session(&mut tx, &house.clock, &live.setup, &user, device).await?;
    tx.commit().await?;
    Ok(opened.map_or(SignIn::Wrong, SignIn::Opened))
}

/// Sets a password, for somebody who came by a one-time link or knows the present one. Every other session of theirs ends.
///
/// # Errors
/// [`PasswordError`] in words for the person; the store's.
pub async fn change(house: &House, user: &UserId, present: Secret, new: Secret, session: &Secret) -> Result<(), PasswordError> {
    let (house, user, keep) = (house.clone(), user.clone(), session.digest());
    tokio::spawn(async move {
        check(&house.now_live().setup, &user, &new)?;
        if let Some((hash, _)) = store::password_find(&house.store.reader(), &user).await? {
            let account = account(user.as_str());
            if let Some(wait) = count_failure(&house, &account, None).await? {
                return Err(PasswordError::Wait(wait));
            }
            if !verify(present, Some(hash)).await? {
                return Err(PasswordError::Wrong);
            }
        }
        let hash = hash(new).await?;
        let mut tx = house.store.begin(WriteLane::Rest).await.map_err(FlowError::from)?;
        forget(&mut tx, &account(user.as_str()), None).await?;
        store::password_save(&mut tx, &user, &hash, house.clock.now()).await?;
        store::sessions_end_others(&mut tx, &user, &keep).await?;
        tx.commit().await?;
        Ok(())
    })
    .await
    .map_err(|_| FlowError::Gone)?
}

/// Whether this may be somebody's password.
///
/// # Errors
/// A sentence for the person.
pub fn check(setup: &Setup, user: &UserId, new: &Secret) -> Result<(), PasswordError> {
    let text = new.expose();
    if text.trim().chars().count() < limits::PASSWORD_LEAST_CHARS {
        return Err(PasswordError::TooShort);
    }
    if text.len() > limits::PASSWORD_MOST_BYTES {
        return Err(PasswordError::TooLong);
    }
    let plain = |text: &str| text.to_lowercase().split_whitespace().collect::<String>();
    let known = setup.users.get(user);
    let own = [Some(user.as_str()), known.map(|user| user.name.as_str()), known.and_then(|user| user.email.as_deref())];
    if own.into_iter().flatten().any(|own| plain(own) == plain(text)) {
        return Err(PasswordError::OwnName);
    }
    Ok(())
}

/// What is stored of a password.
///
/// # Errors
/// [`FlowError::Busy`] when too many are hashed at once.
pub async fn hash(password: Secret) -> Result<String, FlowError> {
    within_bounds(move || {
        // The only way to fail is a system without randomness.
        hasher().hash_password(password.expose().as_bytes()).map(|hash| hash.to_string()).unwrap_or_default()
    })
    .await
    .and_then(|hash| if hash.is_empty() { Err(FlowError::Panicked("hashing")) } else { Ok(hash) })
}

/// Takes as long for somebody without a password as for somebody with one, so that the time tells nobody who there is.
async fn verify(password: Secret, hash: Option<String>) -> Result<bool, FlowError> {
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| hasher().hash_password(Secret::random().expose().as_bytes()).map(|hash| hash.to_string()).unwrap_or_default());
    within_bounds(move || {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.clone());
        let parsed = PasswordHash::new(&hash);
        is_somebody & parsed.is_ok_and(|parsed| hasher().verify_password(password.expose().as_bytes(), &parsed).is_ok())
    })
    .await
}

/// The parameters are in each hash: changing them here leaves older passwords readable.
fn hasher() -> Argon2<'static> {
    let params = Params::new(limits::PASSWORD_MEMORY_KIB, limits::PASSWORD_PASSES, limits::PASSWORD_LANES, None);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.unwrap_or(Params::DEFAULT))
}

/// On threads that may block, and few at once: a flood of sign-ins takes neither the memory nor the cores that pages need.
async fn within_bounds<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, FlowError> {
    static TURNS: Semaphore = Semaphore::const_new(limits::PASSWORD_HASHES);
    let turn = tokio::time::timeout(limits::PASSWORD_WAIT.as_duration(), TURNS.acquire()).await;
    let Ok(Ok(turn)) = turn else { return Err(FlowError::Busy) };
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| FlowError::of_task(&error, "hashing"));
    drop(turn);
    done
}

/// Counts this try as wrong before the password is looked at, so that many at once gain nothing. `Some`: how long it has to wait instead.
async fn count_failure(house: &House, account: &str, address: Option<&str>) -> Result<Option<Span>, FlowError> {
    let now = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    let mut wait = Span::ZERO;
    for (subject, free) in [(Some(account), limits::SIGN_IN_FREE), (address, limits::SIGN_IN_FREE_ADDRESS)] {
        let Some(subject) = subject else { continue };
        if let Some((failures, failed_at)) = store::failures_find(&mut tx, subject).await? {
            wait = wait.max(wait_left(failures, free, failed_at, now));
        }
    }
    if wait > Span::ZERO {
        tx.rollback().await?;
        return Ok(Some(wait));
    }
    for subject in [Some(account), address].into_iter().flatten() {
        store::failure_add(&mut tx, subject, now, Time(now.0 - limits::SIGN_IN_FORGET.0)).await?;
    }
    tx.commit().await?;
    Ok(None)
}

/// It was right after all. Of the address only this one is taken back: others may guess from there.
async fn forget(tx: &mut store::Tx, account: &str, address: Option<&str>) -> Result<(), FlowError> {
    store::failures_forget(tx, account).await?;
    if let Some(address) = address {
        store::failure_undo(tx, address).await?;
    }
    Ok(())
}

/// What is left of the wait after so many wrong ones.
fn wait_left(failures: i64, free: i64, failed_at: Time, now: Time) -> Span {
    let over = failures - free;
    if over < 0 || now < failed_at {
        return Span::ZERO;
    }
    let doubled = u32::try_from(over).ok().and_then(|over| 1_i64.checked_shl(over.min(16)));
    let whole = Span(limits::SIGN_IN_WAIT.0.saturating_mul(doubled.unwrap_or(1))).min(limits::SIGN_IN_WAIT_MOST);
    // Whole seconds, so that it can be said.
    let left = whole.0 - now.since(failed_at).0;
    Span::seconds((left.max(0) + 999_999) / 1_000_000)
}

fn user_named(setup: &Setup, name: &str) -> Option<UserId> {
    let name = name.trim();
    let by_id = setup.users.values().find(|user| user.id.as_str() == name);
    let by_mail = || setup.users.values().find(|user| user.email.as_deref().is_some_and(|mail| mail.eq_ignore_ascii_case(name)));
    let known = by_id.or_else(by_mail).map(|user| user.id.clone());
    known.or_else(|| (name == access::FIRST_ADMIN).then(|| UserId::from(name)))
}

/// Digests, because a name that nobody has may be of any length.
fn account(name: &str) -> String {
    format!("account/{}", Secret::new(name.trim().to_lowercase()).digest())
}

/// Whoever holds an IPv6 network has 2^64 addresses; they count as one. What comes from this machine or from a network without
/// addresses of its own comes through a proxy, perhaps in a container beside this one, and would lock everybody out: there the account
/// alone counts.
fn address(from: IpAddr) -> Option<String> {
    match from.to_canonical() {
        ip if ip.is_loopback() => None,
        IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => None,
        IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => None,
        IpAddr::V4(ip) => Some(format!("address/{ip}")),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Some(format!("address/{a:x}:{b:x}:{c:x}:{d:x}::/64"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_and_ends() {
        let at = |seconds: i64| Time::from_seconds(1_000 + seconds);
        let left = |failures: i64, after: i64| wait_left(failures, 5, at(0), at(after)).as_seconds();
        assert_eq!([4, 5, 6, 7, 9, 10, 60, 1_000].map(|failures| left(failures, 0)), [0, 30, 60, 120, 480, 900, 900, 900]);
        assert_eq!([left(5, 29), left(5, 30), left(1_000, 900)], [1, 0, 0]);
        assert_eq!(wait_left(50, 5, at(10), at(0)), Span::ZERO, "a clock that was set back locks nobody out");
    }

    #[test]
    fn a_network_counts_as_one_address_and_a_proxy_as_none() {
        let of = |text: &str| address(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2:aaaa::1"), of("2001:db8:1:2:bbbb::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!((of("127.0.0.1"), of("::1"), of("::ffff:127.0.0.1")), (None, None, None));
        assert_eq!(["172.18.0.3", "10.1.2.3", "::ffff:192.168.1.9", "fd00::7", "fe80::1"].map(of), [const { None }; 5]);
        assert_eq!(of("::ffff:192.0.2.7"), of("192.0.2.7"));
    }

    #[tokio::test]
    async fn a_hash_tells_its_parameters_and_opens_for_its_password_alone() {
        let hashed = hash(Secret::new("correct horse battery")).await.expect("hashed");
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify(Secret::new("correct horse battery"), Some(hashed.clone())).await.expect("verified"));
        assert!(!verify(Secret::new("correct horse"), Some(hashed)).await.expect("verified"));
        assert!(!verify(Secret::new("anything"), None).await.expect("verified"), "nobody's password");
        assert!(!verify(Secret::new(""), Some("broken".to_owned())).await.expect("verified"));
    }
}
