//! What a person writes back: `1`, `ack 42`, `resolve 42`, `escalate 42`, STOP. Who it is, the number says; what a bare `1` means, the
//! newest text to it.

use std::collections::BTreeSet;

use super::act::{decide_once, retrying};
use super::hear::outcome;
use super::house::{House, Live};
use super::once::Once;
use super::{FlowError, contact};
use crate::base::id::{IncidentId, Number};
use crate::base::limits;
use crate::base::viewer::Role;
use crate::channels::Written;
use crate::domain::effect::PageOf;
use crate::domain::incident::IncidentState;
use crate::domain::input::{Act, Actor, Command, Input, Via};
use crate::domain::setup::{Contact, ContactKind, Language, User};
use crate::render::brief::{self, Answer};
use crate::render::spoken::{Done, what_was_done};
use crate::store::{self, AttemptOutcome, AttemptRow, ClosedContact};

/// The newest texts to one number that a reply may be about.
const TEXTS: i64 = 20;
/// Incidents that one reply may name; more are nobody's sentence.
const NAMED: usize = 8;

/// What somebody has written, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Saying {
    /// Without a number: what the newest text spoke of.
    Do(Act, Vec<Number>),
    Stop,
    Start,
    Help,
}

/// Does what was written, and says what was done. `None`: no answer is wanted.
pub(super) async fn reply(house: &House, live: &Live, written: &Written) -> Option<String> {
    let owners: Vec<(&User, &Contact)> = owners(live, &written.from);
    // A stranger's number: an answer would only be a bill.
    let (first, _) = owners.first()?;
    let language = first.language;
    let said = match understand(&written.text) {
        Saying::Stop => stop(house, &owners, &written.id).await.map(|()| None),
        // Twilio says so itself too; it is no harm.
        Saying::Start => contact::open(house, &written.from, &written.id).await.map(|_| Some(brief::answer(&Answer::Started, language))),
        Saying::Help => Ok(Some(brief::answer(&Answer::Help, language))),
        Saying::Do(act, numbers) => act_on(house, live, &owners, written, &act, &numbers).await.map(Some),
    };
    said.unwrap_or_else(|error| {
        // Never let anyone believe that they answered.
        tracing::error!(%error, "a reply could not be taken");
        Some(brief::answer(&Answer::NotTaken, language))
    })
}

/// Whose number this is: people may share one.
fn owners<'a>(live: &'a Live, from: &str) -> Vec<(&'a User, &'a Contact)> {
    let has = |user: &'a User| {
        user.contacts.iter().find(|contact| contact.kind == ContactKind::Sms && contact.to == from).map(|contact| (user, contact))
    };
    live.setup.users.values().filter_map(has).collect()
}

async fn stop(house: &House, owners: &[(&User, &Contact)], text: &str) -> Result<(), FlowError> {
    for (user, contact) in owners {
        let closed = ClosedContact {
            user: user.id.clone(),
            contact: contact.id.clone(),
            address: contact.to.clone(),
            reason: "its owner answered STOP".to_owned(),
        };
        let once = Once::told(house, "stop", text, user.id.as_str())?;
        contact::close_once(house, &closed, &Actor::User(user.id.clone()), &once).await?;
    }
    Ok(())
}

async fn act_on(
    house: &House,
    live: &Live,
    owners: &[(&User, &Contact)],
    written: &Written,
    act: &Act,
    numbers: &[Number],
) -> Result<String, FlowError> {
    let sent = sent(house, owners, &written.from).await?;
    let language = sent.first().and_then(|row| live.setup.users.get(&row.user)).map_or_else(|| language_of(owners), |user| user.language);
    let mut asked: Vec<(IncidentId, Actor, Via)> = Vec::new();
    if numbers.is_empty() {
        // What surely left goes before what may not have arrived: nobody answers what they cannot read.
        let known = sent.iter().find(|row| row.outcome == Some(AttemptOutcome::Accepted));
        let Some(newest) = known.or(sent.first()) else { return Ok(brief::answer(&Answer::NothingToAnswer, language)) };
        if let Some(numbers) = crossed(house, newest, &sent).await? {
            return Ok(brief::answer(&Answer::Which { verb: verb(act), numbers }, language));
        }
        if newest.pages.len() > 1 && *act != Act::Acknowledge {
            let mut named = Vec::new();
            for PageOf { incident, .. } in &newest.pages {
                named.extend(store::incident_find(&house.store.page_reader(), incident).await?.map(|incident| incident.number));
            }
            named.sort();
            return Ok(brief::answer(&Answer::Which { verb: verb(act), numbers: named }, language));
        }
        let (actor, via) = (Actor::User(newest.user.clone()), Via::Message(newest.id.clone()));
        asked.extend(newest.pages.iter().map(|of| (of.incident.clone(), actor.clone(), via.clone())));
    }
    for number in numbers {
        let incident = store::incident_find_by_number(&house.store.page_reader(), *number).await?;
        let paged = |incident: &IncidentId| sent.iter().find(|row| row.pages.iter().any(|of| &of.incident == incident));
        let (incident, row) = match incident {
            Some(incident) => (incident.id.clone(), paged(&incident.id)),
            None => return Ok(brief::answer(&Answer::UnknownIncident(*number), language)),
        };
        match (row, owners) {
            (Some(row), _) => asked.push((incident, Actor::User(row.user.clone()), Via::Message(row.id.clone()))),
            // The number is one person's alone, so that what they write is theirs.
            (None, [(user, _)]) if user.role >= Role::Responder => {
                let via = sent.first().map_or(Via::Api, |row| Via::Message(row.id.clone()));
                asked.push((incident, Actor::User(user.id.clone()), via));
            }
            (None, [_]) => return Ok(brief::answer(&Answer::MayNot, language)),
            (None, _) => return Ok(brief::answer(&Answer::UnknownIncident(*number), language)),
        }
    }
    let mut done: Vec<(Number, Done)> = Vec::new();
    for (incident, actor, via) in asked {
        let command = Command { incident: incident.clone(), actor, via, act: act.clone() };
        // The provider tells a text again when it did not hear our answer.
        let once = Once::told(house, "text", &written.id, incident.as_str())?;
        let verdict = retrying(|| decide_once(house, &incident, Input::Command(command.clone()), Some(&once))).await?;
        done.extend(outcome(house, live, &incident, act, &verdict).await?);
    }
    Ok(brief::sized(&what_was_done(&done, language)))
}

/// The newest text left so lately that the answer may be to one before it, about something that still waits: all that may be meant.
async fn crossed(house: &House, newest: &AttemptRow, sent: &[AttemptRow]) -> Result<Option<Vec<Number>>, FlowError> {
    let is_fresh = newest.sent_at.is_some_and(|at| house.clock.now().since(at) < limits::TEXT_READ);
    if !is_fresh {
        return Ok(None);
    }
    let others = sent.iter().filter(|row| row.id != newest.id).flat_map(|row| &row.pages);
    let others: BTreeSet<&IncidentId> =
        others.map(|of| &of.incident).filter(|incident| newest.pages.iter().all(|of| &of.incident != *incident)).collect();
    let mut waiting = BTreeSet::new();
    for id in others {
        let incident = store::incident_find(&house.store.page_reader(), id).await?;
        waiting.extend(incident.filter(|incident| incident.state == IncidentState::Triggered).map(|incident| incident.number));
    }
    if waiting.is_empty() {
        return Ok(None);
    }
    for of in &newest.pages {
        waiting.extend(store::incident_find(&house.store.page_reader(), &of.incident).await?.map(|incident| incident.number));
    }
    Ok(Some(waiting.into_iter().take(NAMED).collect()))
}

fn language_of(owners: &[(&User, &Contact)]) -> Language {
    owners.first().map(|(user, _)| user.language).unwrap_or_default()
}

/// The newest texts to this number, to those whose number it still is.
async fn sent(house: &House, owners: &[(&User, &Contact)], from: &str) -> Result<Vec<AttemptRow>, FlowError> {
    let mut reader = house.store.page_reader();
    let since = house.clock.now() - limits::REPLY_WITHIN;
    let ids = store::attempts_sent_to(&reader, ContactKind::Sms.name(), from, since, TEXTS).await?;
    let mut rows = Vec::with_capacity(ids.len());
    for id in &ids {
        let row = store::attempt_find(&mut reader, id).await?;
        rows.extend(row.filter(|row| owners.iter().any(|(user, _)| user.id == row.user)));
    }
    Ok(rows)
}

const fn verb(act: &Act) -> &'static str {
    match act {
        Act::Resolve => "resolve",
        Act::Escalate => "escalate",
        _ => "ack",
    }
}

/// Reads a reply in any case, with whatever signs stand around its words.
fn understand(text: &str) -> Saying {
    let words = split(&text.to_lowercase());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // The words of Twilio's own opt-out; each stands alone, or it is something else.
    if let [only] = words.as_slice() {
        match *only {
            "stop" | "stopall" | "unsubscribe" | "cancel" | "end" | "quit" | "revoke" | "optout" => return Saying::Stop,
            "start" | "unstop" | "yes" => return Saying::Start,
            _ => {}
        }
    }
    let Some((first, rest)) = words.split_first() else { return Saying::Help };
    let act = match *first {
        "1" | "ack" | "acknowledge" | "acknowledged" => Act::Acknowledge,
        "resolve" | "resolved" => Act::Resolve,
        "escalate" => Act::Escalate,
        _ => return Saying::Help,
    };
    let mut numbers = Vec::new();
    for word in rest {
        match (word.parse::<i64>(), *word) {
            (Ok(number), _) => numbers.push(Number(number)),
            (Err(_), "all" | "and" | "incident" | "incidents" | "please" | "no" | "nr") => {}
            // "ack not 42" must not do what it denies.
            (Err(_), _) => return Saying::Help,
        }
    }
    numbers.dedup();
    if numbers.len() > NAMED { Saying::Help } else { Saying::Do(act, numbers) }
}

/// Words and numbers: `Ack#42!` is two of them.
fn split(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for c in text.chars() {
        let class = if c.is_ascii_digit() { Some(true) } else { c.is_alphabetic().then_some(false) };
        match (class, words.last_mut()) {
            (Some(_), Some(word)) if class == before => word.push(c),
            (Some(_), _) => words.push(c.to_string()),
            (None, _) => {}
        }
        before = class;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_understood_in_any_case_and_with_any_signs() {
        let on = |act: Act, numbers: &[i64]| Saying::Do(act, numbers.iter().copied().map(Number).collect());
        for (text, saying) in [
            ("1", on(Act::Acknowledge, &[])),
            (" 1. ", on(Act::Acknowledge, &[])),
            ("\u{201c}1\u{201d}", on(Act::Acknowledge, &[])),
            ("Ack", on(Act::Acknowledge, &[])),
            ("acknowledge all", on(Act::Acknowledge, &[])),
            ("ACK 42", on(Act::Acknowledge, &[42])),
            ("ack42", on(Act::Acknowledge, &[42])),
            ("  aCk   #42 !", on(Act::Acknowledge, &[42])),
            ("ack 42, 43 and 44", on(Act::Acknowledge, &[42, 43, 44])),
            ("1 42", on(Act::Acknowledge, &[42])),
            ("Resolve 42", on(Act::Resolve, &[42])),
            ("resolve: incident 42, please", on(Act::Resolve, &[42])),
            ("escalate-42", on(Act::Escalate, &[42])),
            ("ESCALATE", on(Act::Escalate, &[])),
            ("STOP", Saying::Stop),
            ("Stop.", Saying::Stop),
            ("unsubscribe", Saying::Stop),
            ("start", Saying::Start),
            ("please stop the database", Saying::Help),
            ("stop 42", Saying::Help),
            ("don't ack 42", Saying::Help),
            ("ack not 42", Saying::Help),
            ("42", Saying::Help),
            ("11", Saying::Help),
            ("ack 99999999999999999999", Saying::Help),
            ("ack 1 2 3 4 5 6 7 8 9", Saying::Help),
            ("", Saying::Help),
            ("\u{1f44d}", Saying::Help),
        ] {
            assert_eq!(understand(text), saying, "{text}");
        }
    }
}
