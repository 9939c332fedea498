//! What a person is asked quietly: whether they are still at it, before their acknowledgement lapses, and whether it is over. It goes by
//! mail or as a direct message, and never by telephone. Where the incident has its room and the person is in Slack, it stands there.

use super::house::{House, Live};
use super::{FlowError, act, announce};
use crate::base::id::{AttemptId, IdSource, UserId};
use crate::base::limits;
use crate::channels::{Content, Direct, Letter, Outgoing, Section};
use crate::domain::fact::{Fact, What};
use crate::domain::incident::{Incident, IncidentRole, IncidentState, Room};
use crate::domain::input::{Actor, News};
use crate::domain::setup::{ContactKind, Urgency, User};
use crate::render::question::{self, Question, QuestionWords};
use crate::store::{self, FactRow, WriteLane};

/// The follower of the facts that ask.
const FOLLOWER: &str = "questions";
/// How many facts are looked at in one go.
const FACTS: i64 = 256;
/// After this many facts that ask nothing it is written down that they were looked at, for the next start.
const NOTED_EVERY: i64 = 4_096;

/// Looks at the facts since the last time, and asks what they ask for. `seen` is how far this process has looked; `true`: there may be more.
///
/// # Errors
/// The store's. What was asked and not written down is asked once more.
pub async fn round(house: &House, seen: &mut i64) -> Result<bool, FlowError> {
    let reader = house.store.reader();
    let Some(row) = store::follower_find(&reader, FOLLOWER).await? else {
        // What happened before this is over.
        let seq = store::fact_last_seq(&reader).await?;
        let mut tx = house.store.begin(WriteLane::Rest).await?;
        store::follower_add(&mut tx, FOLLOWER, seq).await?;
        tx.commit().await?;
        return Ok(true);
    };
    *seen = row.seq.max(*seen);
    let facts = store::facts_after(&reader, *seen, FACTS).await?;
    let Some(last) = facts.last().map(|row| row.seq) else { return Ok(false) };
    let question = facts.iter().find(|row| is_question(&row.fact.what));
    let to = question.map_or(last, |row| row.seq);
    if question.is_some() || to - row.seq > NOTED_EVERY {
        // Only what asks is worth a write: most facts ask nothing.
        if !settles(house, question, to).await? {
            return Ok(false);
        }
    }
    *seen = to;
    Ok(question.is_some() || i64::try_from(facts.len()).is_ok_and(|n| n == FACTS))
}

/// Whether nobody is left to be asked just now.
///
/// # Errors
/// The store's.
pub async fn is_at_rest(house: &House) -> Result<bool, FlowError> {
    let reader = house.store.reader();
    let Some(row) = store::follower_find(&reader, FOLLOWER).await? else { return Ok(false) };
    let mut seen = row.seq;
    loop {
        let facts = store::facts_after(&reader, seen, FACTS).await?;
        let Some(last) = facts.last() else { return Ok(true) };
        if facts.iter().any(|row| is_question(&row.fact.what)) {
            return Ok(false);
        }
        seen = last.seq;
    }
}

const fn is_question(what: &What) -> bool {
    matches!(what, What::LapseAsked { .. } | What::ResolveAsked { .. })
}

/// Asks, holding the lease while it takes, and writes down how far it is. `false`: another process is at it.
async fn settles(house: &House, question: Option<&FactRow>, to: i64) -> Result<bool, FlowError> {
    let Some(mut row) = store::follower_claim(&house.store, FOLLOWER, &house.owner, house.clock.now()).await? else { return Ok(false) };
    let held = row.clone();
    let work = async {
        // Another process may have asked it since.
        if let Some(question) = question.filter(|question| question.seq > row.seq) {
            asks(house, &question.fact).await?;
        }
        row.seq = row.seq.max(to);
        let mut tx = house.store.begin(WriteLane::Rest).await?;
        store::follower_save(&mut tx, &row).await?;
        tx.commit().await?;
        Ok(true)
    };
    tokio::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return outcome,
            // Leases run in real time, whatever clock the rest goes by.
            () = tokio::time::sleep(limits::LEASE_RENEW.as_duration()) => {
                if let Err(error) = store::follower_renew(&house.store, &held).await {
                    tracing::warn!(%error, "the lease of the questions could not be renewed");
                }
            }
        }
    }
}

/// Asks what this fact asks for, if it is still a question.
async fn asks(house: &House, fact: &Fact) -> Result<(), FlowError> {
    let Some(incident) = store::incident_find(&house.store.reader(), &fact.incident).await? else { return Ok(()) };
    let live = house.now_live();
    let Some((question, whom)) = question_of(fact, &incident) else { return Ok(()) };
    let Some(user) = live.setup.users.get(whom) else { return Ok(()) };
    if matches!(incident.response.room, Room::Open { .. }) && user.slack.is_some() && live.chat.is_some() {
        return Ok(());
    }
    let url = announce::incident_url(&live, &incident);
    let words = QuestionWords { question, number: incident.number, title: incident.title.clone(), url };
    if !reaches(house, &live, user, &words).await {
        tracing::warn!(incident = %incident.number, user = %user.id, "nobody could be asked quietly");
        let text = format!("{} could not be asked: neither mail nor Slack took the question", user.name);
        act::record(house, &incident.id, What::NoteAdded { text, at: None }).await?;
    }
    Ok(())
}

/// What is asked and whom, unless it is answered by now or there is nobody to answer.
fn question_of<'a>(fact: &Fact, incident: &'a Incident) -> Option<(Question, &'a UserId)> {
    let holder = incident.acknowledged_by.as_ref().and_then(Actor::user);
    match (&fact.what, incident.state) {
        (What::LapseAsked { lapses_at }, IncidentState::Acknowledged) if incident.lapses_at == Some(*lapses_at) => {
            Some((Question::StillAtIt, holder?))
        }
        (What::ResolveAsked { .. }, IncidentState::Triggered | IncidentState::Acknowledged) if incident.response.resolve_asked => {
            Some((Question::IsItOver, incident.response.roles.get(&IncidentRole::Lead).or(holder)?))
        }
        (_, _) => None,
    }
}

/// Tries what takes a quiet message, in the order of the person's quiet rules; one that takes it is enough.
async fn reaches(house: &House, live: &Live, user: &User, words: &QuestionWords) -> bool {
    for (kind, to) in quiet_ways(user) {
        let Some(channel) = live.channels.find(kind) else { continue };
        let Some(content) = content(kind, words, user) else { continue };
        let attempt = AttemptId::make(&mut IdSource::fresh(house.clock.now()));
        match channel.send(&Outgoing { attempt, to, content }).await.news {
            // It may have arrived, and asking twice is worse than asking perhaps.
            News::Accepted { .. } | News::Delivered | News::Unknown { .. } => return true,
            News::Rejected { reason } | News::Undelivered { reason } | News::NotFound { reason } | News::Withdrawn { reason } => {
                tracing::info!(user = %user.id, kind = kind.name(), reason, "a question was not taken");
            }
            News::Ringing | News::PickedUp | News::KeyPressed | News::Ended(_) => {}
        }
    }
    false
}

/// Where a person is written to without being woken.
fn quiet_ways(user: &User) -> Vec<(ContactKind, String)> {
    let mut rules: Vec<_> = user.rules.iter().filter(|rule| rule.urgency == Urgency::Low).collect();
    rules.sort_by_key(|rule| rule.after);
    let open = || user.contacts.iter().filter(|contact| contact.closed.is_none());
    let named = rules.iter().filter_map(|rule| open().find(|contact| contact.id == rule.contact));
    let mut ways = Vec::new();
    for contact in named.chain(open()) {
        let way = match contact.kind {
            ContactKind::Email => Some(contact.to.clone()),
            ContactKind::SlackDm => user.slack.clone(),
            ContactKind::Voice | ContactKind::Sms | ContactKind::Webhook => None,
        };
        ways.extend(way.map(|to| (contact.kind, to)).filter(|way| !ways.contains(way)));
    }
    // Whoever is in Slack can be asked there, also without a contact for pages.
    ways.extend(user.slack.clone().map(|to| (ContactKind::SlackDm, to)).filter(|way| !ways.contains(way)));
    ways
}

fn content(kind: ContactKind, words: &QuestionWords, user: &User) -> Option<Content> {
    let language = user.language;
    match kind {
        ContactKind::Email => {
            let mail = question::mail(words, language);
            let thread = format!("question-{}", words.number.0);
            Some(Content::Mail(Letter { subject: mail.subject, text: mail.text, html: mail.html, thread }))
        }
        ContactKind::SlackDm => {
            let text = question::headline(words, language);
            let section = format!("{text}\n{}", question::explanation(words, language));
            let sections = vec![Section { text: section, buttons: vec![question::button(words, language)] }];
            Some(Content::Direct(Direct { text, sections }))
        }
        ContactKind::Voice | ContactKind::Sms | ContactKind::Webhook => None,
    }
}
