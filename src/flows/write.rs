//! The words of an attempt, made when it leaves: totals, titles and order are those of then.

use super::FlowError;
use super::hear::{incidents_of, said_of, words};
use super::house::{House, Live};
use crate::base::id::AttemptId;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::channels::{Channel, Content, Direct, Letter, Section};
use crate::domain::effect::PageOf;
use crate::domain::incident::Kind;
use crate::domain::setup::{ContactKind, User};
use crate::render::brief::{self, TextWords};
use crate::render::letter::{self, LetterWords};
use crate::render::spoken::{self, CallWords, SpokenIncident};
use crate::store::{self, Tx};

/// What an attempt is to say, and to whom.
pub(super) struct Said<'a> {
    pub attempt: &'a AttemptId,
    pub user: &'a User,
    pub pages: &'a [PageOf],
    pub second_call: bool,
}

/// What goes out through this channel. What it takes to know the answer again is kept with the intent.
///
/// # Errors
/// The store's.
pub(super) async fn content(house: &House, live: &Live, tx: &mut Tx, channel: &dyn Channel, said: &Said<'_>) -> Result<Content, FlowError> {
    let Said { attempt, user, pages, second_call } = said;
    let incidents = incidents_of(house, pages).await?;
    // A call that also speaks for something real is no drill.
    let drill = incidents.iter().all(|incident| incident.kind != Kind::Real);
    let mut all = said_of(house, live, incidents).await;
    let shown = match channel.kind() {
        ContactKind::Voice | ContactKind::Sms => limits::SPOKEN_INCIDENTS,
        ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook => limits::WRITTEN_INCIDENTS,
    };
    let more = all.len().saturating_sub(shown);
    let is_written = match channel.kind() {
        ContactKind::Email | ContactKind::SlackDm => true,
        ContactKind::Voice | ContactKind::Sms | ContactKind::Webhook => false,
    };
    if drill && is_written {
        for (_, spoken) in &mut all {
            spoken.title = letter::drill(&spoken.title, user.language);
        }
    }
    let incidents: Vec<SpokenIncident> = all.iter().map(|(_, spoken)| spoken.clone()).take(shown).collect();
    let public_url = live.public_url.as_deref().map(|url| url.trim_end_matches('/'));
    let with_pages = |incidents: Vec<SpokenIncident>| -> Vec<(SpokenIncident, Option<String>)> {
        let page = |incident: &SpokenIncident| public_url.map(|url| format!("{url}/incidents/{}", incident.number.0));
        incidents.into_iter().map(|incident| (incident.clone(), page(&incident))).collect()
    };
    let text = |replies: bool| brief::text(&TextWords { incidents: incidents.clone(), more, drill, replies }, user.language);
    Ok(match channel.kind() {
        ContactKind::Voice => {
            let keys = channel.takes_keys();
            let person_name = user.name.clone();
            let call = CallWords { person_name, incidents, more, repeat: *second_call, drill, keys };
            Content::Call(words(spoken::call(&call, user.language)))
        }
        ContactKind::Sms => {
            let text = text(channel.takes_keys());
            store::attempt_keep_text(tx, attempt, &text).await?;
            Content::Text(text)
        }
        ContactKind::Email => {
            let acknowledge = match public_url {
                Some(url) => {
                    let (link, now) = (Secret::random(), house.clock.now());
                    store::message_link_create(tx, &link.digest(), attempt, now + limits::MESSAGE_LINK, now).await?;
                    Some(format!("{url}/acknowledge/{}", link.expose()))
                }
                None => None,
            };
            // Mails about one incident stand together, whatever else they tell.
            let thread = all.first().map_or_else(|| attempt.to_string(), |(id, _)| id.to_string());
            let letter::Mail { subject, text, html } =
                letter::mail(&LetterWords { incidents: with_pages(incidents), more, acknowledge }, user.language);
            Content::Mail(Letter { subject, text, html, thread })
        }
        ContactKind::SlackDm => {
            let sections = with_pages(incidents.clone()).into_iter().map(|(incident, url)| {
                let (text, buttons) = letter::direct(&incident, url.as_deref(), user.language);
                Section { text, buttons }
            });
            let mut sections: Vec<Section> = sections.collect();
            sections.extend((more > 0).then(|| Section { text: format!("+{more}"), buttons: Vec::new() }));
            Content::Direct(Direct { text: text(false), sections })
        }
        ContactKind::Webhook => {
            let at = house.clock.now().rfc3339();
            Content::Hook(letter::hook(
                attempt.as_str(),
                user.id.as_str(),
                &at,
                &with_pages(all.into_iter().map(|(_, spoken)| spoken).collect()),
            ))
        }
    })
}
