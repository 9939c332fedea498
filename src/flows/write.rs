//! The words of an attempt, made when it leaves: totals, titles and order are those of then.

use super::FlowError;
use super::hear::{spoken_incidents, words};
use super::house::{House, Live};
use crate::base::limits;
use crate::channels::{Channel, Content};
use crate::domain::effect::PageOf;
use crate::domain::setup::{ContactKind, User};
use crate::render::brief::{self, TextWords};
use crate::render::spoken::{self, CallWords, SpokenIncident};

/// What goes out through this channel to this person for these pages.
///
/// # Errors
/// The store's.
pub(super) async fn content(
    house: &House,
    live: &Live,
    channel: &dyn Channel,
    user: &User,
    pages: &[PageOf],
    second_call: bool,
) -> Result<Content, FlowError> {
    let all = spoken_incidents(house, live, pages).await?;
    let more = all.len().saturating_sub(limits::SPOKEN_INCIDENTS);
    let incidents: Vec<SpokenIncident> = all.iter().map(|(_, spoken)| spoken.clone()).take(limits::SPOKEN_INCIDENTS).collect();
    Ok(match channel.kind() {
        ContactKind::Voice => Content::Call(words(spoken::call(
            &CallWords { person_name: user.name.clone(), incidents, more, repeat: second_call, drill: false, keys: channel.takes_keys() },
            user.language,
        ))),
        ContactKind::Sms | ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook => {
            Content::Text(brief::text(&TextWords { incidents, more, drill: false, replies: channel.takes_keys() }, user.language))
        }
    })
}
