//! The people: whom there is to page, and how somebody new gets in.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::answer::WebError;
use super::super::caller::Caller;
use super::super::look::Params;
use super::super::pages::is_proven;
use super::Reply;
use super::ask::Ask;
use super::bodies::List;
use super::command::Nothing;
use crate::base::id::{ContactId, UserId};
use crate::domain::setup::User;
use crate::flows::invite::{self, Invited};

/// A person. Numbers and addresses are in nobody's answer.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    pub id: String,
    pub name: String,
    pub role: &'static str,
    /// An IANA zone.
    pub timezone: String,
    pub language: &'static str,
    pub contacts: Vec<ContactBody>,
}

/// One way to reach a person.
#[derive(Serialize, ToSchema)]
#[schema(as = Contact)]
pub struct ContactBody {
    pub id: String,
    pub kind: &'static str,
    /// Why it is closed to us, where it is.
    pub closed: Option<String>,
    /// Whether a page was ever answered through it.
    pub proven: bool,
}

impl UserBody {
    fn of(user: &User, proven: &BTreeSet<(UserId, ContactId, String)>) -> Self {
        let contacts = user.contacts.iter().map(|contact| ContactBody {
            id: contact.id.to_string(),
            kind: contact.kind.name(),
            closed: contact.closed.clone(),
            proven: is_proven(proven, &user.id, contact),
        });
        Self {
            id: user.id.to_string(),
            name: user.name.clone(),
            role: user.role.name(),
            timezone: user.timezone.clone(),
            language: user.language.name(),
            contacts: contacts.collect(),
        }
    }
}

pub(in super::super) async fn list(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<UserBody>> {
    let proven = doors.house.store.reader().proven_contacts(&caller.viewer).await?;
    let found = doors.live().setup.users.values().map(|user| UserBody::of(user, &proven)).collect();
    Ok(Json(List::part(found, &Params::of(&uri), |one: &UserBody| &one.id)?))
}

/// Where the invitation went.
#[derive(Serialize, ToSchema)]
#[schema(as = Invited)]
pub struct InvitedBody {
    pub mailed_to: String,
}

/// Mails a person a link that signs in once. The link is in nobody's answer: an answer to a request with a key is kept.
pub(in super::super) async fn invite(State(doors): State<Doors>, Path(id): Path<String>, ask: Ask) -> Reply<InvitedBody> {
    let Nothing {} = ask.body()?;
    let live = doors.live();
    let user = live.setup.users.get(&UserId::from(id.as_str())).cloned().ok_or(WebError::NotFound("such user"))?;
    if invite::address(&live, &user).is_none() {
        return Err(WebError::Conflict(format!(
            "There is no mail for {}: give [smtp], public_url and an address, or hand over what this prints: reveille user invite {}",
            user.name, user.id
        )));
    }
    // In a task of its own: whoever asks may go away half way.
    let (house, at) = (doors.house.clone(), doors.public_url());
    let invited = tokio::spawn(async move { invite::invite(&house, &user.id, &at, true).await }).await.map_err(|_| WebError::Inside)??;
    match invited {
        Invited::Mailed { to } => Ok(Json(InvitedBody { mailed_to: to })),
        Invited::NotMailed { reason, .. } => Err(WebError::Conflict(format!("The mail server did not take it: {reason}."))),
        Invited::Link(_) => Err(WebError::Conflict("There is no mail any more; look at [smtp].".to_owned())),
    }
}
