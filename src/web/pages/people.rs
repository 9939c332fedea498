//! Everybody who is configured, and inviting them.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::incident::known_person;
use super::me::role_word;
use crate::base::id::UserId;
use crate::flows::access;
use crate::render::html::{PeoplePage, PersonRow};
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::roles::shown;

pub(in crate::web) async fn people(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    page(&doors, &caller, None).await
}

async fn page(doors: &Doors, caller: &Caller, invited: Option<(UserId, String)>) -> Result<Response, WebError> {
    let live = doors.live();
    let with_password = access::password_owners(&doors.house.store).await?;
    let rows = live.setup.users.values().map(|user| PersonRow {
        id: user.id.to_string(),
        name: user.name.clone(),
        email: user.email.clone(),
        role: role_word(user.role),
        has_password: with_password.contains(&user.id),
        ways: user.contacts.len(),
        link: invited.as_ref().filter(|(id, _)| *id == user.id).map(|(_, link)| link.clone()),
    });
    Ok(shown(StatusCode::OK, &PeoplePage { frame: caller.frame_in("people"), people: rows.collect() }))
}

/// Makes a one-time link and shows it this once.
pub(in crate::web) async fn invite(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let user = known_person(&doors, &id)?;
    let (house, invited) = (doors.house.clone(), user.clone());
    let link = tokio::spawn(async move { access::create_link(&house.store, &house.clock, &invited).await })
        .await
        .map_err(|_| WebError::Inside)??;
    tracing::info!(%user, by = caller.user().map_or("", UserId::as_str), "somebody was invited");
    let link = format!("{}/sign-in/{}", doors.public_url(), link.expose());
    page(&doors, &caller, Some((user, link))).await
}
