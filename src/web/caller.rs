//! Who asks: a session's cookie or a bearer token.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use super::Doors;
use super::answer::WebError;
use crate::base::id::UserId;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::base::viewer::Viewer;
use crate::domain::input::Actor;
use crate::flows::access;
use crate::render::html::{Frame, SignedIn};

/// Who asks, as the gate found out.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub viewer: Viewer,
    /// `None` for tokens and strangers.
    pub session: Option<Session>,
}

#[derive(Debug, Clone)]
pub(super) struct Session {
    pub cookie: Secret,
    pub csrf: Secret,
    pub name: String,
}

impl Caller {
    const STRANGER: Self = Self { viewer: Viewer::Public, session: None };

    /// In whose name this caller acts; `None` for strangers.
    pub fn actor(&self) -> Option<Actor> {
        match &self.viewer {
            Viewer::User { id, .. } | Viewer::Token { acts_as: Some(id), .. } => Some(Actor::User(id.clone())),
            Viewer::Token { name, acts_as: None, .. } => Some(Actor::Token(name.clone())),
            Viewer::Public | Viewer::Integration(_) => None,
        }
    }

    /// The person, where one looks.
    pub fn user(&self) -> Option<&UserId> {
        match &self.viewer {
            Viewer::User { id, .. } => Some(id),
            Viewer::Public | Viewer::Token { .. } | Viewer::Integration(_) => None,
        }
    }

    /// The frame of a page that belongs to this part of the house.
    pub fn frame_in(&self, here: &'static str) -> Frame {
        Frame { here, ..self.frame() }
    }

    /// Tells callers apart, for what is kept for each.
    pub fn key(&self) -> String {
        match &self.viewer {
            Viewer::User { id, .. } => format!("user:{id}"),
            Viewer::Token { name, .. } => format!("token:{name}"),
            Viewer::Integration(id) => format!("integration:{id}"),
            Viewer::Public => String::new(),
        }
    }

    pub fn frame(&self) -> Frame {
        let assets = super::public::assets();
        Frame {
            css: assets.css.clone(),
            js: assets.js.clone(),
            here: "",
            signed_in: self.session.as_ref().map(|session| SignedIn {
                name: session.name.clone(),
                csrf: session.csrf.expose().to_owned(),
                may_respond: self.viewer.may_respond(),
                may_administer: self.viewer.may_administer(),
            }),
        }
    }
}

/// Finds out who asks. A token that is none is an error, never a stranger: the script behind it has to hear of it.
pub(super) async fn identify(doors: &Doors, headers: &HeaderMap, takes_tokens: bool) -> Result<Caller, WebError> {
    let house = &doors.house;
    if takes_tokens && let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let Some(token) = token else { return Err(WebError::NotSignedIn) };
        let viewer = access::token_viewer(&house.store, &house.clock, token).await?;
        return viewer.map(|viewer| Caller { viewer, session: None }).ok_or(WebError::UnknownToken);
    }
    let Some(cookie) = cookie(headers, session_cookie(doors)) else { return Ok(Caller::STRANGER) };
    let live = doors.live();
    let Some((viewer, row)) = access::session_viewer(&house.store, &house.clock, &live.setup, &cookie).await? else {
        return Ok(Caller::STRANGER);
    };
    let name = live.setup.users.get(&row.user).map_or_else(|| row.user.to_string(), |user| user.name.clone());
    let session = Session { cookie: Secret::new(cookie), csrf: Secret::new(row.csrf), name };
    Ok(Caller { viewer, session: Some(session) })
}

/// The prefix binds a cookie to this very host and to https.
pub(super) fn session_cookie(doors: &Doors) -> &'static str {
    if doors.is_https() { "__Host-reveille" } else { "reveille" }
}

/// Pairs the sign-in form with the browser it was shown in.
pub(super) fn form_cookie(doors: &Doors) -> &'static str {
    if doors.is_https() { "__Host-reveille-form" } else { "reveille-form" }
}

/// Which page somebody wanted who had to sign in first.
pub(super) fn wanted_cookie(doors: &Doors) -> &'static str {
    if doors.is_https() { "__Host-reveille-wanted" } else { "reveille-wanted" }
}

pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Sets a cookie; without a value it is taken away.
pub(super) fn set_cookie(doors: &Doors, response: &mut Response, name: &str, value: Option<&Secret>) {
    set_cookie_for(doors, response, name, value, limits::SESSION);
}

/// The same for as long as it is said.
pub(super) fn set_cookie_for(doors: &Doors, response: &mut Response, name: &str, value: Option<&Secret>, age: Span) {
    let secure = if doors.is_https() { "; Secure" } else { "" };
    let age = if value.is_some() { age.as_seconds() } else { 0 };
    let value = value.map_or("", Secret::expose);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}");
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}
