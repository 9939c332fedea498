//! What a provider calls back: a key becomes a command, a status becomes a report. It is in the database before it is answered.

use super::house::{House, Live};
use super::once::Once;
use super::{FlowError, act, contact, reply, report};
use crate::base::failpoint;
use crate::base::id::{IncidentId, Number};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::rarely::Rarely;
use crate::base::time::Span;
pub use crate::channels::{Answer, HearError};
use crate::channels::{Heard, OfAttempt, Said, Words};
use crate::domain::decide::{Outcome, Verdict};
use crate::domain::effect::PageOf;
use crate::domain::incident::{Incident, IncidentState};
use crate::domain::input::{Act, Actor, Command, Input, News, Via};
use crate::domain::setup::Language;
use crate::domain::storm;
use crate::render::spoken::{self, DetailWords, Done, Spoken, SpokenDetail, SpokenIncident, SpokenStorm};
use crate::store::{self, AttemptRow, ClosedContact};

/// Why a callback was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    #[error("no such callback")]
    UnknownChannel,
    #[error(transparent)]
    Hear(#[from] HearError),
    #[error(transparent)]
    Flow(#[from] FlowError),
}

/// Takes one callback of a channel. `None`: it wants no words for an answer.
///
/// # Errors
/// See [`CallbackError`]; nothing was done then.
pub async fn hear(house: &House, channel: &str, inbound: &Inbound) -> Result<Option<Answer>, CallbackError> {
    // In a task of its own: a provider that hangs up must not leave a transaction half done.
    let (house, channel, inbound) = (house.clone(), channel.to_owned(), inbound.clone());
    tokio::spawn(async move { take(&house, &channel, &inbound).await }).await.map_err(|_| FlowError::Gone)?
}

/// Notes a request whose signature is wrong: a rotated secret, a wrong `public_url`, a clock that is off, or a stranger. Told once a minute,
/// because a stranger may send as many as he likes; `/metrics` has their number by channel, `slack` among them.
pub fn forged(house: &House, channel: &'static str) {
    static TOLD: Rarely = Rarely::new(Span::minutes(1));
    house.metrics.forged(channel);
    if let Some(count) = TOLD.note() {
        tracing::warn!(
            channel,
            count,
            "requests with a wrong signature were refused: check public_url, the secret they are signed with, and this machine's clock"
        );
    }
}

async fn take(house: &House, channel: &str, inbound: &Inbound) -> Result<Option<Answer>, CallbackError> {
    let live = house.now_live();
    let channel = live.channels.named(channel).ok_or(CallbackError::UnknownChannel)?;
    let heard = channel.hear(inbound).inspect_err(|error| match error {
        HearError::BadSignature => forged(house, channel.kind().name()),
        HearError::Unreadable => {}
    })?;
    let heard = match heard {
        Heard::Attempt(heard) => heard,
        Heard::Written(written) => return Ok(Some(channel.reply(reply::reply(house, &live, &written).await.as_deref()))),
    };
    let OfAttempt { closed, .. } = &heard;
    failpoint::reach(match &heard.said {
        Said::Key(_) => "hear.key",
        Said::NoKey | Said::Status(_) => "hear.status",
    });
    let Some(row) = attempt_of(house, &heard).await? else {
        // It left while nothing could be written, and there is nowhere yet to put what is heard of it.
        let user = house.shouts.user_of(&heard.attempt).ok_or(FlowError::Missing("such attempt"))?;
        let language = live.setup.users.get(&user).map(|user| user.language).unwrap_or_default();
        let words = match &heard.said {
            Said::Key(_) => words(spoken::not_taken(1, language)),
            Said::NoKey => words(spoken::no_key(language)),
            Said::Status(_) => return Ok(None),
        };
        return Ok(Some(channel.answer(&heard.attempt, &words)));
    };
    let words = match &heard.said {
        Said::Status(news) => {
            is_placed(house, &row, &heard).await?;
            if !matches!(news, News::Accepted { .. }) {
                report::report(house, &row.id, news.clone(), None).await?;
            }
            None
        }
        Said::NoKey => {
            is_placed(house, &row, &heard).await?;
            Some(words(spoken::no_key(language(&live, &row))))
        }
        Said::Key(key) => {
            let taken = async {
                is_placed(house, &row, &heard).await?;
                pressed(house, &live, &row, *key).await
            };
            Some(taken.await.unwrap_or_else(|error| {
                // Never let anyone believe that they answered: the voice says that nothing was taken.
                tracing::error!(%error, attempt = %row.id, "a key could not be taken");
                words(spoken::not_taken(1, language(&live, &row)))
            }))
        }
    };
    if let (Some(reason), Some(address)) = (closed, &row.sent_to) {
        let closed =
            ClosedContact { user: row.user.clone(), contact: row.contact.clone(), address: address.clone(), reason: reason.clone() };
        contact::close(house, &closed, &Actor::Reveille).await?;
    }
    failpoint::reach(match &heard.said {
        Said::Key(_) => "hear.key_taken",
        Said::NoKey | Said::Status(_) => "hear.status_taken",
    });
    Ok(words.map(|words| channel.answer(&row.id, &words)))
}

/// The attempt that a callback is about.
async fn attempt_of(house: &House, heard: &OfAttempt) -> Result<Option<AttemptRow>, FlowError> {
    let mut reader = house.store.page_reader();
    if let Some(row) = store::attempt_find(&mut reader, &heard.attempt).await? {
        return Ok(Some(row));
    }
    // What left while nothing could be written was recorded as another attempt.
    match store::attempt_find_by_provider_id(&mut reader, &heard.provider_id).await? {
        Some(recorded) => Ok(store::attempt_find(&mut reader, &recorded).await?),
        None => Ok(None),
    }
}

/// Any callback of a call proves that it was placed, also when the answer to the request was lost.
async fn is_placed(house: &House, row: &AttemptRow, heard: &OfAttempt) -> Result<(), FlowError> {
    if row.provider_id.as_deref() == Some(&heard.provider_id) || heard.provider_id.is_empty() {
        return Ok(());
    }
    report::report(house, &row.id, News::Accepted { provider_id: heard.provider_id.clone() }, None).await
}

/// Does what the key asks for, for every incident the call spoke of, and says what was done.
async fn pressed(house: &House, live: &Live, row: &AttemptRow, key: char) -> Result<Words, FlowError> {
    let language = language(live, row);
    let incidents = spoken_incidents(house, live, &row.pages).await?;
    let total = incidents.len();
    let named = incidents.len().min(limits::SPOKEN_INCIDENTS);
    let more = incidents.len() - named;
    let asked = match key {
        '1' => Act::Acknowledge,
        '2' => Act::Escalate,
        '6' => Act::Resolve,
        '9' => Act::Unhelpful,
        '3' => {
            let mut details = Vec::new();
            for (id, incident) in incidents.into_iter().take(named) {
                let samples = match &incident.storm {
                    Some(storm) => storm.telling.clone(),
                    None => store::alert_titles(&house.store.page_reader(), &id, limits::INCIDENT_SAMPLES).await?,
                };
                details.push(SpokenDetail { samples: samples.into_iter().filter(|title| *title != incident.title).collect(), incident });
            }
            return Ok(words(spoken::detail(&DetailWords { incidents: details, more }, language)));
        }
        _ => return Ok(words(spoken::unknown_key(key, total, language))),
    };
    report::report(house, &row.id, News::KeyPressed, None).await?;
    let mut done = Vec::new();
    for PageOf { incident, .. } in &row.pages {
        let command = Command {
            incident: incident.clone(),
            actor: Actor::User(row.user.clone()),
            via: Via::Phone(row.id.clone()),
            act: asked.clone(),
        };
        // A key that is told twice was pressed once.
        let once = Once::told(house, "key", &format!("{}/{key}", row.id), incident.as_str())?;
        let verdict = act::retrying(|| act::decide_once(house, incident, Input::Command(command.clone()), Some(&once))).await?;
        done.extend(outcome(house, live, incident, &asked, &verdict).await?);
    }
    Ok(words(spoken::done(&done, language)))
}

/// What to say was done to one incident; nothing where nothing was left to do.
pub(super) async fn outcome(
    house: &House,
    live: &Live,
    id: &IncidentId,
    asked: &Act,
    verdict: &Verdict,
) -> Result<Option<(Number, Done)>, FlowError> {
    let Some(incident) = store::incident_find(&house.store.page_reader(), id).await? else { return Ok(None) };
    let done = match (asked, verdict.outcome) {
        (Act::Acknowledge, Outcome::Acknowledged) => Done::Acknowledged,
        (Act::Unhelpful, Outcome::Acknowledged | Outcome::Ignored) => Done::Noted,
        (Act::Escalate, Outcome::Recorded) => Done::Escalated,
        (Act::Resolve, Outcome::Resolved) => Done::Resolved,
        (_, _) => match incident.state {
            IncidentState::Acknowledged => Done::AlreadyAcknowledged { by: acknowledged_by(live, &incident) },
            IncidentState::Resolved => Done::AlreadyResolved,
            IncidentState::Triggered => return Ok(None),
        },
    };
    Ok(Some((incident.number, done)))
}

/// A person's name; `None`: a script did it.
fn acknowledged_by(live: &Live, incident: &Incident) -> Option<String> {
    match &incident.acknowledged_by {
        Some(Actor::User(id)) => Some(live.setup.users.get(id).map_or_else(|| id.to_string(), |user| user.name.clone())),
        Some(Actor::Token(_) | Actor::Integration(_) | Actor::Reveille) | None => None,
    }
}

fn language(live: &Live, row: &AttemptRow) -> Language {
    live.setup.users.get(&row.user).map(|user| user.language).unwrap_or_default()
}

/// What a call says of the incidents of these pages, the worst and newest first.
pub(super) async fn spoken_incidents(house: &House, live: &Live, pages: &[PageOf]) -> Result<Vec<(IncidentId, SpokenIncident)>, FlowError> {
    Ok(said_of(house, live, incidents_of(house, pages).await?).await)
}

/// The incidents of these pages, the worst and newest first.
pub(super) async fn incidents_of(house: &House, pages: &[PageOf]) -> Result<Vec<Incident>, FlowError> {
    let mut incidents: Vec<Incident> = Vec::new();
    for PageOf { incident, .. } in pages {
        incidents.extend(store::incident_find(&house.store.page_reader(), incident).await?);
    }
    incidents.sort_by_key(|incident| std::cmp::Reverse((incident.severity, incident.number)));
    Ok(incidents)
}

/// What is said of each.
pub(super) async fn said_of(house: &House, live: &Live, incidents: Vec<Incident>) -> Vec<(IncidentId, SpokenIncident)> {
    let now = house.clock.now();
    let mut said = Vec::new();
    for incident in incidents {
        let service = live.setup.services.get(&incident.service);
        let spoken = SpokenIncident {
            is_outlasting: incident.response.is_outlasting,
            number: incident.number,
            severity: incident.severity,
            service_name: service.map_or_else(|| incident.service.to_string(), |service| service.name.clone()),
            storm: storm_of(house, &incident).await,
            title: incident.title,
            alerts_count: incident.alerts_count,
            opened_ago: now.since(incident.opened_at),
        };
        said.push((incident.id, spoken));
    }
    said
}

/// What is told of a storm. That its alerts cannot be read keeps no page from leaving.
async fn storm_of(house: &House, incident: &Incident) -> Option<SpokenStorm> {
    incident.response.storm.as_ref()?;
    let alerts = store::storm_alerts(&house.store.page_reader(), &incident.id).await.unwrap_or_else(|error| {
        tracing::warn!(%error, incident = %incident.id, "what tells most of a storm cannot be read, and is left out of a page");
        Vec::new()
    });
    let services = i64::try_from(incident.response.services.len() + 1).unwrap_or(i64::MAX);
    Some(SpokenStorm { services, telling: storm::telling(&alerts) })
}

/// The channel's words from the rendered ones.
pub(super) fn words(spoken: Spoken) -> Words {
    Words { body: spoken.body, menu: spoken.menu, goodbye: spoken.goodbye, language: spoken.language }
}
