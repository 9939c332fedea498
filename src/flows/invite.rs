//! Somebody is invited: a one-time link, mailed to them or handed over by whoever asked for it.

use super::house::{House, Live};
use super::{FlowError, access};
use crate::base::id::{AttemptId, IdSource, UserId};
use crate::channels::{Channel, Content, Letter, Outgoing};
use crate::domain::input::News;
use crate::domain::setup::{ContactKind, User};
use crate::render::invitation;

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invited {
    /// Whoever asked for it hands this link over.
    Link(String),
    /// The mail server has it, for this address.
    Mailed { to: String },
    /// The mail server did not take it, and why. The link is good all the same.
    NotMailed { link: String, reason: String },
}

/// Where an invitation of this person can be mailed to: mail is configured, people can reach us, and they have an address.
#[must_use]
pub fn address<'a>(live: &'a Live, user: &'a User) -> Option<&'a str> {
    channel(live)?;
    live.public_url.as_ref()?;
    let contact = user.contacts.iter().find(|contact| contact.kind == ContactKind::Email && contact.closed.is_none());
    contact.map(|contact| contact.to.as_str()).or(user.email.as_deref())
}

fn channel(live: &Live) -> Option<&dyn Channel> {
    live.channels.find(ContactKind::Email)
}

/// Makes a one-time link that begins with `at`, the address people reach us at, and mails it where that is asked for and can be done.
///
/// # Errors
/// The store's; somebody who is not configured.
pub async fn invite(house: &House, user: &UserId, at: &str, by_mail: bool) -> Result<Invited, FlowError> {
    let live = house.now_live();
    let person = live.setup.users.get(user).ok_or(FlowError::Missing("such person"))?;
    let secret = access::create_link(&house.store, &house.clock, user).await?;
    let link = format!("{at}/sign-in/{}", secret.expose());
    let (Some(to), Some(channel)) = (address(&live, person).filter(|_| by_mail), channel(&live)) else { return Ok(Invited::Link(link)) };
    let words = invitation::mail(&person.name, &link, person.language);
    let id = AttemptId::make(&mut IdSource::fresh(house.clock.now()));
    let letter = Letter { subject: words.subject, text: words.text, html: words.html, thread: format!("invitation-{id}") };
    let outgoing = Outgoing { attempt: id, to: to.to_owned(), content: Content::Mail(letter) };
    let reason = match channel.send(&outgoing).await.news {
        // A message's news after it was taken are good ones too, and a mail server gives none of them.
        News::Accepted { .. } | News::Delivered | News::Ringing | News::PickedUp | News::KeyPressed | News::Ended(_) => {
            return Ok(Invited::Mailed { to: to.to_owned() });
        }
        News::Rejected { reason }
        | News::Unknown { reason }
        | News::NotFound { reason }
        | News::Withdrawn { reason }
        | News::Undelivered { reason } => reason,
    };
    tracing::warn!(%user, reason, "an invitation was not mailed");
    Ok(Invited::NotMailed { link, reason })
}
