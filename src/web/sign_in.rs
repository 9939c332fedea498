//! In and out: one-time links open sessions.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::Doors;
use super::answer::{WebError, see_other};
use super::caller::{self, Caller};
use super::roles::shown;
use crate::base::secret::Secret;
use crate::flows::access;
use crate::render::html::{SignInLinkPage, SignInPage};

pub(super) async fn explain(Extension(caller): Extension<Caller>) -> Response {
    if caller.session.is_some() {
        return see_other("/");
    }
    shown(StatusCode::OK, &SignInPage { frame: caller.frame() })
}

/// Shows the button. The link stays unused: chats and mail scanners open links to look at them.
pub(super) async fn offer(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Response {
    let paired = caller.session.as_ref().map(|session| session.csrf.clone());
    let known = paired.or_else(|| caller::cookie(&headers, caller::form_cookie(&doors)).filter(|value| !value.is_empty()).map(Secret::new));
    let csrf = known.clone().unwrap_or_else(Secret::random);
    let mut response = shown(StatusCode::OK, &SignInLinkPage { frame: caller.frame(), link, csrf: csrf.expose().to_owned() });
    if known.is_none() {
        caller::set_cookie(&doors, &mut response, caller::form_cookie(&doors), Some(&csrf));
    }
    response
}

/// Uses the link up.
pub(super) async fn enter(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(link): Path<String>,
) -> Result<Response, WebError> {
    let (store, clock) = (doors.house.store.clone(), doors.house.clock.clone());
    let live = doors.live();
    let before = caller.session.map(|session| session.cookie);
    // In a task of its own: a browser that goes away must not leave a transaction half done.
    let opened = tokio::spawn(async move {
        let opened = access::use_link(&store, &clock, &live.setup, &link).await?;
        if let (Some(_), Some(before)) = (&opened, before) {
            access::end_session(&store, before.expose()).await?;
        }
        Ok::<_, crate::flows::FlowError>(opened)
    })
    .await
    .map_err(|_| WebError::Inside)??;
    let Some(opened) = opened else {
        return Err(WebError::Forbidden(
            "This link was used before, or it is too old. Ask an administrator for a new one: reveille admin link USER".to_owned(),
        ));
    };
    let mut response = see_other("/");
    caller::set_cookie(&doors, &mut response, caller::session_cookie(&doors), Some(&opened.cookie));
    caller::set_cookie(&doors, &mut response, caller::form_cookie(&doors), None);
    Ok(response)
}

pub(super) async fn leave(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    if let Some(session) = caller.session {
        let store = doors.house.store.clone();
        tokio::spawn(async move { access::end_session(&store, session.cookie.expose()).await }).await.map_err(|_| WebError::Inside)??;
    }
    let mut response = see_other("/sign-in");
    caller::set_cookie(&doors, &mut response, caller::session_cookie(&doors), None);
    Ok(response)
}
