//! One's own page: how one is reached, the password, the sessions.

use std::collections::BTreeSet;

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::user_of;
use crate::base::id::{ContactId, UserId};
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::base::viewer::{Role, Viewer};
use crate::domain::setup::{Contact, ContactKind, Language, Rule, Urgency};
use crate::flows::password::PasswordError;
use crate::flows::profile::{self, ProfileError};
use crate::flows::{access, password};
use crate::render::html::{Choice, ContactRow, MePage, RuleRow, SessionRow, Stamp};
use crate::web::Doors;
use crate::web::answer::{WebError, see_other};
use crate::web::caller::{Caller, Session};
use crate::web::form::Form;
use crate::web::look::{self, Params};
use crate::web::roles::shown;

/// What a page says after something was done, by the word in its address.
const DONE: [(&str, &str); 5] = [
    ("password", "The password is set. Your other sessions have ended."),
    ("contact", "Your contacts are saved. They count within two seconds."),
    ("rule", "Your rules are saved. They count within two seconds."),
    ("profile", "Your language and time zone are saved. They count within two seconds."),
    ("session", "The session has ended."),
];

pub(in crate::web) async fn me(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, WebError> {
    let (id, role, session) = signed_in(&caller)?;
    let house = &doors.house;
    let user = user_of(&doors, &caller);
    let sessions = access::sessions(&house.store, &house.clock, &id).await?;
    let this = session.cookie.digest();
    let by_file = profile::by_file(house, &id).await?;
    let done = Params::of(&uri).get("done").and_then(|word| DONE.iter().find(|(known, _)| *known == word)).map(|(_, text)| *text);
    let contacts = user.as_ref().map_or(&[][..], |user| user.contacts.as_slice());
    let proven = house.store.reader().proven_contacts(&caller.viewer).await?;
    let page = MePage {
        frame: caller.frame_in("me"),
        name: session.name.clone(),
        id: id.to_string(),
        email: user.as_ref().and_then(|user| user.email.clone()),
        role: role_word(role),
        languages: Language::ALL.map(|language| Choice { id: language.name().to_owned(), name: language_word(language).to_owned() }).into(),
        language: user.as_ref().map_or("", |user| user.language.name()),
        has_own_language: !by_file.language,
        timezone: user.as_ref().map_or_else(String::new, |user| user.timezone.clone()),
        has_own_timezone: !by_file.timezone,
        has_numbers: has_numbers(&doors),
        is_managed: by_file.ways,
        is_configured: user.is_some(),
        rules: user.as_ref().map_or_else(Vec::new, |user| user.rules.iter().enumerate().map(|rule| rule_row(rule, contacts)).collect()),
        contacts: contacts.iter().map(|contact| contact_row(contact, is_proven(&proven, &id, contact))).collect(),
        kinds: kinds(user.as_ref().is_some_and(|user| user.slack.is_some())),
        password_set: access::password_set_at(&house.store, &id).await?.map(Stamp),
        sessions: sessions
            .into_iter()
            .map(|(digest, session)| SessionRow {
                is_this: digest == this,
                id: handle(&digest).to_owned(),
                device: device_word(&session.device),
                since: Stamp(session.created_at),
            })
            .collect(),
        done,
    };
    Ok(shown(StatusCode::OK, &page))
}

fn signed_in(caller: &Caller) -> Result<(UserId, Role, &Session), WebError> {
    match (&caller.viewer, &caller.session) {
        (Viewer::User { id, role }, Some(session)) => Ok((id.clone(), *role, session)),
        (Viewer::Public | Viewer::User { .. } | Viewer::Token { .. } | Viewer::Integration(_), _) => Err(WebError::NotSignedIn),
    }
}

/// Enough of a digest to tell one person's sessions apart.
fn handle(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

pub(super) const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Observer => "observer",
        Role::Responder => "responder",
        Role::Manager => "manager",
        Role::Admin => "administrator",
    }
}

const fn language_word(language: Language) -> &'static str {
    match language {
        Language::En => "English",
        Language::Fr => "French",
        Language::De => "German",
        Language::Es => "Spanish",
    }
}

const fn kind_word(kind: ContactKind) -> &'static str {
    match kind {
        ContactKind::Voice => "call",
        ContactKind::Sms => "text",
        ContactKind::Email => "mail",
        ContactKind::SlackDm => "Slack message",
        ContactKind::Webhook => "webhook",
    }
}

fn kinds(has_slack: bool) -> Vec<Choice> {
    let all = [ContactKind::Voice, ContactKind::Sms, ContactKind::Email, ContactKind::SlackDm, ContactKind::Webhook];
    let offered = all.into_iter().filter(|kind| *kind != ContactKind::SlackDm || has_slack);
    offered.map(|kind| Choice { id: kind.name().to_owned(), name: kind_word(kind).to_owned() }).collect()
}

/// Whether a page was answered through it, as it is now.
pub(in crate::web) fn is_proven(proven: &BTreeSet<(UserId, ContactId, String)>, user: &UserId, contact: &Contact) -> bool {
    // A direct message goes to the person's Slack id, wherever that stands.
    let leads_there = |to: &str| contact.kind == ContactKind::SlackDm || to == contact.to;
    proven.iter().any(|(of, id, to)| of == user && *id == contact.id && leads_there(to))
}

fn contact_row(contact: &Contact, is_proven: bool) -> ContactRow {
    ContactRow {
        id: contact.id.to_string(),
        kind: kind_word(contact.kind),
        to: contact.to.clone(),
        closed: contact.closed.clone(),
        is_proven,
    }
}

fn rule_row((index, rule): (usize, &Rule), contacts: &[Contact]) -> RuleRow {
    let contact = contacts.iter().find(|contact| contact.id == rule.contact);
    RuleRow {
        index,
        urgency: match rule.urgency {
            Urgency::High => "high",
            Urgency::Low => "low",
        },
        when: if rule.after == Span::ZERO { "at once".to_owned() } else { format!("after {}", rule.after) },
        contact: contact.map_or_else(|| rule.contact.to_string(), |contact| format!("{} {}", kind_word(contact.kind), contact.to)),
    }
}

/// A browser's own name for itself is long and says little; the two words that tell it from another are enough.
fn device_word(agent: &str) -> String {
    let find = |words: &[(&str, &'static str)]| words.iter().find(|(word, _)| agent.contains(word)).map(|(_, name)| *name);
    let browser = find(&[("Firefox", "Firefox"), ("Edg/", "Edge"), ("Chrom", "Chrome"), ("Safari", "Safari"), ("curl", "curl")]);
    let system = find(&[
        ("Android", "Android"),
        ("iPhone", "an iPhone"),
        ("iPad", "an iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "a Mac"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => system.to_owned(),
        (None, None) => agent.chars().take(60).collect(),
    }
}

pub(in crate::web) async fn set_password(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let (id, _, session) = signed_in(&caller)?;
    let (present, new) = (Secret::new(form.raw("present")), Secret::new(form.raw("password")));
    match password::change(&doors.house, &id, present, new, &session.cookie).await {
        Ok(()) => Ok(see_other("/me?done=password")),
        Err(PasswordError::Flow(error)) => Err(error.into()),
        Err(
            error @ (PasswordError::TooShort
            | PasswordError::TooLong
            | PasswordError::OwnName
            | PasswordError::Wrong
            | PasswordError::Wait(_)),
        ) => Err(WebError::BadRequest(error.to_string())),
    }
}

pub(in crate::web) async fn end_session(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let (id, _, session) = signed_in(&caller)?;
    let house = &doors.house;
    let this = session.cookie.digest();
    let asked = form.get("session").unwrap_or("").to_owned();
    let mut ending = Vec::new();
    for (digest, _) in access::sessions(&house.store, &house.clock, &id).await? {
        if digest != this && (asked == "others" || handle(&digest) == asked) {
            ending.push(digest);
        }
    }
    let store = house.store.clone();
    tokio::spawn(async move { access::end_sessions(&store, &ending).await }).await.map_err(|_| WebError::Inside)??;
    Ok(see_other("/me?done=session"))
}

/// Whether there is a number to save and let through.
pub(in crate::web) fn has_numbers(doors: &Doors) -> bool {
    let live = doors.live();
    [ContactKind::Voice, ContactKind::Sms].into_iter().any(|kind| live.channels.find(kind).is_some())
}

pub(in crate::web) async fn settle(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let (id, _, _) = signed_in(&caller)?;
    let now = user_of(&doors, &caller).ok_or(WebError::NotFound("such person"))?;
    // A field that is not offered keeps what is there.
    let language = form.get("language").map_or(Some(now.language), Language::parse);
    let language = language.ok_or_else(|| WebError::BadRequest("Choose one of the languages.".to_owned()))?;
    let timezone = form.get("timezone").unwrap_or(&now.timezone);
    told(profile::settle(&doors.house, &id, language, timezone).await, "profile")
}

/// Pages the reader for a test, and shows its page, where each attempt appears as it happens.
pub(in crate::web) async fn test_page(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    let (id, _, _) = signed_in(&caller)?;
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let incident = profile::page_for_test(&doors.house, &id, actor).await.map_err(refused)?;
    let number = look::number_of(&doors, &incident).await.ok_or(WebError::Inside)?;
    tracing::info!(incident = number, user = %id, "somebody tries how they are reached");
    Ok(see_other(&format!("/incidents/{number}")))
}

fn refused(error: ProfileError) -> WebError {
    match error {
        ProfileError::Flow(error) => error.into(),
        ProfileError::Managed | ProfileError::Wrong(_) => WebError::BadRequest(error.to_string()),
    }
}

fn told(outcome: Result<(), ProfileError>, done: &str) -> Result<Response, WebError> {
    outcome.map(|()| see_other(&format!("/me?done={done}"))).map_err(refused)
}

pub(in crate::web) async fn add_contact(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let (id, _, _) = signed_in(&caller)?;
    let has_slack = user_of(&doors, &caller).is_some_and(|user| user.slack.is_some());
    let all = [ContactKind::Voice, ContactKind::Sms, ContactKind::Email, ContactKind::SlackDm, ContactKind::Webhook];
    let kind = all.into_iter().find(|kind| Some(kind.name()) == form.get("kind")).filter(|kind| *kind != ContactKind::SlackDm || has_slack);
    let kind = kind.ok_or_else(|| WebError::BadRequest("Choose how you are reached: by call, text, mail or webhook.".to_owned()))?;
    told(profile::add_contact(&doors.house, &id, kind, form.raw("to")).await, "contact")
}

pub(in crate::web) async fn remove_contact(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let (id, _, _) = signed_in(&caller)?;
    told(profile::remove_contact(&doors.house, &id, form.raw("contact")).await, "contact")
}

pub(in crate::web) async fn add_rule(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let (id, _, _) = signed_in(&caller)?;
    let urgency = if form.raw("urgency") == "low" { Urgency::Low } else { Urgency::High };
    let after = Span::parse(form.raw("after")).map_err(|how| WebError::BadRequest(format!("{how}.")))?;
    told(profile::add_rule(&doors.house, &id, urgency, after, form.raw("contact")).await, "rule")
}

pub(in crate::web) async fn remove_rule(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let (id, _, _) = signed_in(&caller)?;
    let index = form.raw("rule").parse().map_err(|_| WebError::BadRequest("Choose one of your rules.".to_owned()))?;
    told(profile::remove_rule(&doors.house, &id, index).await, "rule")
}
