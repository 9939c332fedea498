//! Everybody who is configured, and inviting them.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::incident::known_person;
use super::me::{is_proven, role_word};
use crate::base::id::UserId;
use crate::flows::access;
use crate::flows::invite::{self, Invited};
use crate::render::html::{PeoplePage, PersonRow};
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::roles::shown;

pub(in crate::web) async fn people(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    page(&doors, &caller, None).await
}

async fn page(doors: &Doors, caller: &Caller, invited: Option<(UserId, Invited)>) -> Result<Response, WebError> {
    let live = doors.live();
    let with_password = access::password_owners(&doors.house.store).await?;
    let proven = doors.house.store.reader().proven_contacts(&caller.viewer).await?;
    let rows = live.setup.users.values().map(|user| {
        let invited = invited.as_ref().filter(|(id, _)| *id == user.id).map(|(_, invited)| invited);
        PersonRow {
            id: user.id.to_string(),
            name: user.name.clone(),
            email: user.email.clone(),
            role: role_word(user.role),
            has_password: with_password.contains(&user.id),
            ways: user.contacts.len(),
            unproven: user.contacts.iter().filter(|contact| !is_proven(&proven, &user.id, contact)).count(),
            mail: invite::address(&live, user).map(str::to_owned),
            link: invited.and_then(|invited| match invited {
                Invited::Link(link) | Invited::NotMailed { link, .. } => Some(link.clone()),
                Invited::Mailed { .. } => None,
            }),
            mailed: invited.and_then(|invited| match invited {
                Invited::Link(_) => None,
                Invited::Mailed { to } => Some((format!("The link is on its way to {to}."), true)),
                Invited::NotMailed { reason, .. } => Some((format!("The link could not be mailed: {reason}."), false)),
            }),
        }
    });
    Ok(shown(StatusCode::OK, &PeoplePage { frame: caller.frame_in("people"), people: rows.collect() }))
}

/// Makes a one-time link, and mails it or shows it this once.
pub(in crate::web) async fn invite(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let user = known_person(&doors, &id)?;
    let (house, invited, at) = (doors.house.clone(), user.clone(), doors.public_url());
    let by_mail = form.raw("by") == "mail";
    // In a task of its own: a browser that goes away must not leave a transaction half done.
    let made = tokio::spawn(async move { invite::invite(&house, &invited, &at, by_mail).await }).await.map_err(|_| WebError::Inside)??;
    tracing::info!(%user, by = caller.user().map_or("", UserId::as_str), by_mail, "somebody was invited");
    page(&doors, &caller, Some((user, made))).await
}
