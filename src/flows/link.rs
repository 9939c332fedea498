//! The link in a mail: it shows what it would acknowledge, and acknowledges when it is asked to.

use super::FlowError;
use super::act::{decide_on_incident, retrying};
use super::hear::{outcome, spoken_incidents};
use super::house::House;
use crate::base::secret::Secret;
use crate::domain::effect::PageOf;
use crate::domain::input::{Act, Actor, Command, Input, Via};
use crate::render::line::Names;
use crate::render::spoken::{SpokenIncident, what_was_done};
use crate::store::{self, AttemptRow};

/// What a link would do.
pub struct Offer {
    /// Whose link it is.
    pub person: String,
    /// The incidents that its mail spoke of, and how each stands now; `None`: nobody has taken it yet.
    pub incidents: Vec<(SpokenIncident, Option<String>)>,
}

/// Looks at a link. `None`: there is none, or it is too old.
///
/// # Errors
/// The store's.
pub async fn look(house: &House, link: &str) -> Result<Option<Offer>, FlowError> {
    let Some(row) = find(house, link).await? else { return Ok(None) };
    let live = house.now_live();
    let names = Names::of(&live.setup);
    let mut incidents = Vec::new();
    for (id, spoken) in spoken_incidents(house, &live, &row.pages).await? {
        let stands = match store::incident_find(&house.store.page_reader(), &id).await? {
            Some(incident) if incident.is_open() => incident.acknowledged_by.map(|actor| format!("{} has it", names.actor(&actor))),
            Some(_) | None => Some("over already".to_owned()),
        };
        incidents.push((spoken, stands));
    }
    let person = live.setup.users.get(&row.user).map_or_else(|| row.user.to_string(), |user| user.name.clone());
    Ok(Some(Offer { person, incidents }))
}

/// Acknowledges what the link's mail spoke of, and says what was done. `None`: there is no such link, or it is too old.
///
/// # Errors
/// The store's.
pub async fn acknowledge(house: &House, link: &str) -> Result<Option<String>, FlowError> {
    let (house, link) = (house.clone(), link.to_owned());
    // In a task of its own: a browser that goes away must not leave a transaction half done.
    tokio::spawn(async move { acknowledge_all(&house, &link).await }).await.map_err(|_| FlowError::Gone)?
}

async fn acknowledge_all(house: &House, link: &str) -> Result<Option<String>, FlowError> {
    let Some(row) = find(house, link).await? else { return Ok(None) };
    let live = house.now_live();
    let mut done = Vec::new();
    for PageOf { incident, .. } in &row.pages {
        let command = Command {
            incident: incident.clone(),
            actor: Actor::User(row.user.clone()),
            via: Via::Message(row.id.clone()),
            act: Act::Acknowledge,
        };
        let verdict = retrying(|| decide_on_incident(house, incident, Input::Command(command.clone()))).await?;
        done.extend(outcome(house, &live, incident, &Act::Acknowledge, &verdict).await?);
    }
    // The pages of the web are English, whoever reads them.
    Ok(Some(what_was_done(&done, crate::domain::setup::Language::En)))
}

async fn find(house: &House, link: &str) -> Result<Option<AttemptRow>, FlowError> {
    // Anybody may try links: what they cost must not be what pages wait for.
    let mut reader = house.store.reader();
    let digest = Secret::new(link).digest();
    let Some(attempt) = store::message_link_find(&mut reader, &digest, house.clock.now()).await? else { return Ok(None) };
    let row = store::attempt_find(&mut reader, &attempt).await?;
    // Somebody who has left acknowledges nothing any more.
    Ok(row.filter(|row| house.now_live().setup.users.contains_key(&row.user)))
}
