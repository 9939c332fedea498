//! In and out: one-time links and passwords open sessions.

use std::net::IpAddr;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::answer::{WebError, see_other};
use super::caller::{self, Caller};
use super::form::Form;
use super::pages::me::has_numbers;
use super::roles::shown;
use super::{Doors, Peer};
use crate::base::id::UserId;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::flows::access::{self, Opened};
use crate::flows::password::{self, SignIn};
use crate::render::html::{SignInLinkPage, SignInPage};

const USED_UP: &str = "This link was used before, or it is too old. Ask an administrator for a new one: reveille admin link USER";

pub(super) async fn explain(State(doors): State<Doors>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Response {
    if caller.session.is_some() {
        return see_other("/");
    }
    ask(&doors, &caller, &headers, StatusCode::OK, "", None)
}

/// Sends a stranger to the sign-in page, and remembers which page they wanted: whoever follows the link of a text at three in the morning
/// wants that incident, not the list.
pub(super) fn first(doors: &Doors, wanted: &str) -> Response {
    let mut response = see_other("/sign-in");
    if is_page(wanted) {
        let wanted = Secret::new(wanted);
        caller::set_cookie_for(doors, &mut response, caller::wanted_cookie(doors), Some(&wanted), limits::WANTED_PAGE);
    }
    response
}

/// Whether this is a page of ours. What may stand in it also keeps a crafted address from becoming another site's, or another cookie.
fn is_page(path: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'/' | b'-' | b'_');
    path.starts_with('/') && !path.starts_with("//") && path.bytes().all(plain)
}

/// The form for name and password, with what was wrong about the last try.
fn ask(doors: &Doors, caller: &Caller, headers: &HeaderMap, status: StatusCode, name: &str, wrong: Option<String>) -> Response {
    let (csrf, is_new) = pairing(doors, caller, headers);
    let page = SignInPage { frame: caller.frame(), csrf: csrf.expose().to_owned(), name: name.to_owned(), wrong };
    paired(doors, shown(status, &page), &csrf, is_new)
}

/// What pairs a form with this browser, and whether it was made just now.
pub(super) fn pairing(doors: &Doors, caller: &Caller, headers: &HeaderMap) -> (Secret, bool) {
    let known = caller.session.as_ref().map(|session| session.csrf.clone());
    let cookie = || caller::cookie(headers, caller::form_cookie(doors)).filter(|value| !value.is_empty()).map(Secret::new);
    let known = known.or_else(cookie);
    let is_new = known.is_none();
    (known.unwrap_or_else(Secret::random), is_new)
}

pub(super) fn paired(doors: &Doors, mut response: Response, csrf: &Secret, is_new: bool) -> Response {
    if is_new {
        caller::set_cookie(doors, &mut response, caller::form_cookie(doors), Some(csrf));
    }
    response
}

/// Takes a name and a password.
pub(super) async fn with_password(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let name = form.get("name").unwrap_or("");
    let password = Secret::new(form.raw("password"));
    let wrong = |status: StatusCode, why: String| Ok(ask(&doors, &caller, &headers, status, name, Some(why)));
    if name.is_empty() || password.expose().is_empty() || password.expose().len() > limits::PASSWORD_MOST_BYTES {
        return wrong(StatusCode::BAD_REQUEST, "Write your id or mail address, and your password.".to_owned());
    }
    let from: Option<IpAddr> = peer.map(|Extension(Peer(from))| from);
    match password::sign_in(&doors.house, name, password, from, device(&headers)).await? {
        SignIn::Opened(opened) => {
            tracing::info!(user = %opened.user, "somebody signed in by password");
            end_before(&doors, &caller).await?;
            Ok(entered(&doors, &headers, &opened))
        }
        SignIn::Wrong => wrong(
            StatusCode::FORBIDDEN,
            "Name and password do not go together. Without a password yet, ask an administrator for a link.".to_owned(),
        ),
        SignIn::Wait(left) => {
            tracing::warn!(wait = %left, "a sign-in was refused after too many wrong passwords");
            wrong(StatusCode::TOO_MANY_REQUESTS, waiting(left))
        }
    }
}

fn waiting(left: Span) -> String {
    format!("Too many wrong passwords. Try again in {left}, or ask an administrator for a sign-in link: it works at once.")
}

/// Shows the button. The link stays unused: chats and mail scanners open links to look at them.
pub(super) async fn offer(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    offered(&doors, &caller, &headers, link, StatusCode::OK, None).await
}

async fn offered(
    doors: &Doors,
    caller: &Caller,
    headers: &HeaderMap,
    link: String,
    status: StatusCode,
    wrong: Option<String>,
) -> Result<Response, WebError> {
    let house = &doors.house;
    let Some(user) = access::link_user(&house.store, &house.clock, &link).await? else {
        // Going back to it after signing in with it is no mistake.
        if caller.session.is_some() {
            return Ok(see_other("/"));
        }
        return Err(WebError::Spent(USED_UP));
    };
    let has_password = access::has_password(&house.store, &user).await?;
    let (csrf, is_new) = pairing(doors, caller, headers);
    let page = SignInLinkPage {
        frame: caller.frame(),
        link,
        csrf: csrf.expose().to_owned(),
        name: name_of(doors, &user),
        id: user.to_string(),
        has_password,
        has_numbers: has_numbers(doors),
        wrong,
    };
    Ok(paired(doors, shown(status, &page), &csrf, is_new))
}

fn name_of(doors: &Doors, user: &UserId) -> String {
    doors.live().setup.users.get(user).map_or_else(|| user.to_string(), |user| user.name.clone())
}

/// Uses the link up, and sets the password if one was chosen.
pub(super) async fn enter(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, WebError> {
    let house = doors.house.clone();
    let chosen = Secret::new(form.raw("password"));
    let hash = if chosen.expose().is_empty() {
        None
    } else {
        // Before it is hashed: a link that is none costs nothing.
        let user = access::link_user(&house.store, &house.clock, &link).await?;
        let Some(user) = user else { return Err(WebError::Spent(USED_UP)) };
        if let Err(error) = password::check(&doors.live().setup, &user, &chosen) {
            return offered(&doors, &caller, &headers, link, StatusCode::BAD_REQUEST, Some(error.to_string())).await;
        }
        Some(password::hash(chosen).await?)
    };
    let (live, device) = (doors.live(), device(&headers).to_owned());
    // In a task of its own: a browser that goes away must not leave a transaction half done.
    let opened =
        tokio::spawn(async move { access::use_link(&house.store, &house.clock, &live.setup, &link, hash.as_deref(), &device).await })
            .await
            .map_err(|_| WebError::Inside)??;
    let Some(opened) = opened else { return Err(WebError::Spent(USED_UP)) };
    end_before(&doors, &caller).await?;
    Ok(entered(&doors, &headers, &opened))
}

/// Whoever was signed in on this browser before is not any more.
async fn end_before(doors: &Doors, caller: &Caller) -> Result<(), WebError> {
    let Some(session) = &caller.session else { return Ok(()) };
    let (store, cookie) = (doors.house.store.clone(), session.cookie.clone());
    tokio::spawn(async move { access::end_session(&store, cookie.expose()).await }).await.map_err(|_| WebError::Inside)??;
    Ok(())
}

fn entered(doors: &Doors, headers: &HeaderMap, opened: &Opened) -> Response {
    let wanted = caller::cookie(headers, caller::wanted_cookie(doors)).filter(|path| is_page(path));
    let mut response = see_other(wanted.as_deref().unwrap_or("/"));
    caller::set_cookie(doors, &mut response, caller::wanted_cookie(doors), None);
    caller::set_cookie(doors, &mut response, caller::session_cookie(doors), Some(&opened.cookie));
    caller::set_cookie(doors, &mut response, caller::form_cookie(doors), None);
    response
}

fn device(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("")
}

pub(super) async fn leave(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    end_before(&doors, &caller).await?;
    let mut response = see_other("/sign-in");
    caller::set_cookie(&doors, &mut response, caller::session_cookie(&doors), None);
    Ok(response)
}
