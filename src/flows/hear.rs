//! What a provider calls back: a key becomes a command, a status becomes a report. It is in the database before it is answered.

use super::house::{House, Live};
use super::{FlowError, act, report};
use crate::base::failpoint;
use crate::base::id::{IncidentId, UserId};
use crate::base::inbound::Inbound;
use crate::channels::{Answer, HearError, Said, Words};
use crate::domain::decide::{Outcome, Verdict};
use crate::domain::effect::PageOf;
use crate::domain::incident::{Incident, IncidentState};
use crate::domain::input::{Act, Actor, Command, News, Via};
use crate::render::spoken::{self, Done, SpokenIncident};
use crate::store::AttemptRow;

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

/// Takes one callback of a channel.
///
/// # Errors
/// See [`CallbackError`]; nothing was done then.
pub async fn hear(house: &House, channel: &str, inbound: &Inbound) -> Result<Answer, CallbackError> {
    // In a task of its own: a provider that hangs up must not leave a transaction half done.
    let (house, channel, inbound) = (house.clone(), channel.to_owned(), inbound.clone());
    tokio::spawn(async move { take(&house, &channel, &inbound).await }).await.map_err(|_| FlowError::Gone)?
}

async fn take(house: &House, channel: &str, inbound: &Inbound) -> Result<Answer, CallbackError> {
    let live = house.now_live();
    let channel = live.channels.named(channel).ok_or(CallbackError::UnknownChannel)?;
    let heard = channel.hear(inbound)?;
    let row = house.store.reader().attempt_find(&heard.attempt).await.map_err(FlowError::from)?;
    let Some(row) = row else { return Err(FlowError::Missing("such attempt").into()) };
    // Any callback of a call proves that it was placed, also when the answer to the request was lost.
    if row.provider_id.as_deref() != Some(&heard.provider_id) && !heard.provider_id.is_empty() {
        report::report(house, &heard.attempt, News::Accepted { provider_id: heard.provider_id.clone() }, None).await?;
    }
    let words = match heard.said {
        Said::Status(News::Accepted { .. }) => None,
        Said::Status(news) => {
            report::report(house, &heard.attempt, news, None).await?;
            None
        }
        Said::NoKey => Some(plain(spoken::no_key())),
        Said::Key(key) => Some(pressed(house, &live, &row, key).await?),
    };
    failpoint::reach("hear.committed");
    Ok(match words {
        Some(words) => channel.answer(&heard.attempt, &words),
        None => channel.acknowledge(),
    })
}

/// Does what the key asks for, for every incident the call spoke of, and says what was done.
async fn pressed(house: &House, live: &Live, row: &AttemptRow, key: char) -> Result<Words, FlowError> {
    let asked = match key {
        '1' => Act::Acknowledge,
        '2' => Act::Escalate,
        '6' => Act::Resolve,
        '9' => Act::Unhelpful,
        '3' => {
            let incidents = spoken_incidents(house, live, &row.pages).await?;
            return Ok(offered(spoken::detail(&incidents)));
        }
        _ => return Ok(offered(spoken::unknown_key())),
    };
    report::report(house, &row.id, News::KeyPressed, None).await?;
    let mut done = Vec::new();
    for PageOf { incident, .. } in &row.pages {
        let command = Command { incident: incident.clone(), actor: Actor::User(row.user.clone()), via: Via::Phone(row.id.clone()), act: asked };
        let verdict = act::retrying(|| act::decide_on_incident(house, incident, crate::domain::input::Input::Command(command.clone()))).await?;
        done.push(outcome(house, live, incident, asked, &row.user, &verdict).await?);
    }
    Ok(plain(spoken::done(&done)))
}

async fn outcome(house: &House, live: &Live, id: &IncidentId, asked: Act, user: &UserId, verdict: &Verdict) -> Result<Done, FlowError> {
    let incident = house.store.reader().incident_find(id).await?.ok_or(FlowError::Missing("such incident"))?;
    let by = incident.acknowledged_by.as_ref().and_then(Actor::user).filter(|by| *by != user);
    let by = by.and_then(|id| live.setup.users.get(id)).map(|user| user.name.clone());
    let number = incident.number;
    Ok(match (asked, verdict.outcome) {
        (Act::Acknowledge, Outcome::Acknowledged) => Done::Acknowledged { number },
        (Act::Unhelpful, Outcome::Acknowledged | Outcome::Ignored) => Done::NotedUnhelpful { number },
        (Act::Escalate, Outcome::Recorded) => Done::Escalated { number },
        (Act::Resolve, Outcome::Resolved) => Done::Resolved { number },
        (_, Outcome::Ignored) if incident.state == IncidentState::Acknowledged => Done::AlreadyAcknowledged { number, by },
        (_, _) => Done::NothingLeft { number },
    })
}

/// What a call says of the incidents of these pages, the worst and newest first.
pub(super) async fn spoken_incidents(house: &House, live: &Live, pages: &[PageOf]) -> Result<Vec<SpokenIncident>, FlowError> {
    let now = house.clock.now();
    let mut incidents: Vec<Incident> = Vec::new();
    for PageOf { incident, .. } in pages {
        incidents.extend(house.store.reader().incident_find(incident).await?);
    }
    incidents.sort_by_key(|incident| std::cmp::Reverse((incident.severity, incident.number)));
    Ok(incidents
        .into_iter()
        .map(|incident| SpokenIncident {
            number: incident.number,
            severity: incident.severity,
            service_name: live.setup.services.get(&incident.service).map_or_else(|| incident.service.to_string(), |service| service.name.clone()),
            title: incident.title,
            alerts_count: incident.alerts_count,
            opened_ago: now.since(incident.opened_at),
        })
        .collect())
}

fn plain(spoken: spoken::Spoken) -> Words {
    Words { body: spoken.body, menu: String::new(), goodbye: spoken.goodbye }
}

fn offered(spoken: spoken::Spoken) -> Words {
    Words { body: spoken.body, menu: spoken.menu, goodbye: spoken.goodbye }
}
