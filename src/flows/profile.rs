//! People manage how they are reached and in which language, where the configuration file leaves it to them, and try it.

use super::{FlowError, House, act};
use crate::base::id::{ContactId, IncidentId, UserId};
use crate::base::limits;
use crate::base::time::Span;
use crate::domain::incident::Kind;
use crate::domain::input::{Act, Actor, Command, Declare, Via, Whom};
use crate::domain::oncall;
use crate::domain::setup::{Contact, ContactKind, Language, Rule, Urgency};
use crate::store::{self, StoreError, Ways, WriteLane};

/// Why it was not changed, in words for the person.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error("Your contacts and rules stand in the configuration file, and change there.")]
    Managed,
    #[error("{0}")]
    Wrong(&'static str),
    #[error(transparent)]
    Flow(#[from] FlowError),
}

impl From<StoreError> for ProfileError {
    fn from(error: StoreError) -> Self {
        Self::Flow(error.into())
    }
}

/// What the configuration file says of a person, who therefore cannot say it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByFile {
    /// Contacts and rules.
    pub ways: bool,
    pub language: bool,
    pub timezone: bool,
}

/// What the file says of this person.
///
/// # Errors
/// The store's.
pub async fn by_file(house: &House, user: &UserId) -> Result<ByFile, FlowError> {
    let object = store::user_object(&house.store.reader(), user).await?;
    Ok(object.map_or(ByFile { ways: true, language: true, timezone: true }, |object| ByFile {
        ways: !object.contacts.is_empty() || !object.rules.is_empty(),
        language: object.language != Language::default(),
        timezone: object.timezone != store::PLAIN_ZONE,
    }))
}

/// Sets the language that a person is called and written to in, and the zone of their clock. What the file says of them stays.
///
/// # Errors
/// A zone that is none; the store's.
pub async fn settle(house: &House, user: &UserId, language: Language, timezone: &str) -> Result<(), ProfileError> {
    let timezone = timezone.trim().to_owned();
    if !oncall::zone_exists(&timezone) {
        return Err(ProfileError::Wrong("There is no such time zone. Write it as in Europe/Paris."));
    }
    change(house, user, move |ways, by_file| {
        if !by_file.language {
            ways.language = Some(language);
        }
        if !by_file.timezone {
            ways.timezone = Some(timezone.clone());
        }
        Ok(())
    })
    .await
}

/// Pages one person for a test that is theirs alone, the whole real way, and gives its incident.
///
/// # Errors
/// Nobody to reach; the store's.
pub async fn page_for_test(house: &House, user: &UserId, actor: Actor) -> Result<IncidentId, ProfileError> {
    let live = house.now_live();
    let Some(person) = live.setup.users.get(user).filter(|person| !person.contacts.is_empty()) else {
        return Err(ProfileError::Wrong("There is no way to reach you yet. Add a phone first."));
    };
    let title = format!("Test page for {}", person.name);
    let declare = Declare { actor: actor.clone(), via: Via::Web, title, severity: None, service: None, kind: Kind::Test, alert: None };
    let verdict = act::declare(house, declare).await?;
    let incident = verdict.incident.ok_or(ProfileError::Wrong("No test could be made just now. Try again in a moment."))?;
    let page = Act::Page { whom: Whom::User(user.clone()) };
    act::act(house, Command { incident: incident.clone(), actor, via: Via::Web, act: page }).await?;
    Ok(incident)
}

/// # Errors
/// An address that is none; the store's.
pub async fn add_contact(house: &House, user: &UserId, kind: ContactKind, to: &str) -> Result<(), ProfileError> {
    let to = address(kind, to)?;
    edit(house, user, move |ways| {
        if ways.contacts.len() >= limits::CONTACTS {
            return Err(ProfileError::Wrong("That is more contacts than anybody can be reached by. Remove one first."));
        }
        if ways.contacts.iter().any(|contact| contact.kind == kind && contact.to == to) {
            return Err(ProfileError::Wrong("You have this contact already."));
        }
        let taken = |id: &str| ways.contacts.iter().any(|contact| contact.id.as_str() == id);
        // Fewer than this are taken, so one of these is free.
        let id = (1..=limits::CONTACTS)
            .map(|n| if n == 1 { kind.name().to_owned() } else { format!("{}-{n}", kind.name()) })
            .find(|id| !taken(id));
        let id = ContactId::from_text(id.unwrap_or_else(|| kind.name().to_owned()));
        ways.contacts.push(Contact { id, kind, to: to.clone(), closed: None });
        Ok(())
    })
    .await
}

/// Removes a contact, and the rules that use it.
///
/// # Errors
/// The store's.
pub async fn remove_contact(house: &House, user: &UserId, contact: &str) -> Result<(), ProfileError> {
    let contact = ContactId::from(contact);
    edit(house, user, move |ways| {
        ways.contacts.retain(|own| own.id != contact);
        ways.rules.retain(|rule| rule.contact != contact);
        Ok(())
    })
    .await
}

/// # Errors
/// A contact that is none of theirs; the store's.
pub async fn add_rule(house: &House, user: &UserId, urgency: Urgency, after: Span, contact: &str) -> Result<(), ProfileError> {
    let contact = ContactId::from(contact);
    edit(house, user, move |ways| {
        if ways.rules.len() >= limits::RULES {
            return Err(ProfileError::Wrong("That is more rules than one page can follow. Remove one first."));
        }
        if !ways.contacts.iter().any(|own| own.id == contact) {
            return Err(ProfileError::Wrong("Choose one of your contacts."));
        }
        if !(Span::ZERO..=Span::hours(1)).contains(&after) {
            return Err(ProfileError::Wrong("A rule waits for at most an hour."));
        }
        let rule = Rule { urgency, after, contact: contact.clone() };
        if !ways.rules.contains(&rule) {
            ways.rules.push(rule);
            ways.rules.sort_by_key(|rule| (std::cmp::Reverse(rule.urgency), rule.after));
        }
        Ok(())
    })
    .await
}

/// # Errors
/// The store's.
pub async fn remove_rule(house: &House, user: &UserId, index: usize) -> Result<(), ProfileError> {
    edit(house, user, move |ways| {
        if index < ways.rules.len() {
            ways.rules.remove(index);
        }
        Ok(())
    })
    .await
}

async fn edit(
    house: &House,
    user: &UserId,
    edit: impl Fn(&mut Ways) -> Result<(), ProfileError> + Send + 'static,
) -> Result<(), ProfileError> {
    change(house, user, move |ways, by_file| if by_file.ways { Err(ProfileError::Managed) } else { edit(ways) }).await
}

async fn change(
    house: &House,
    user: &UserId,
    change: impl Fn(&mut Ways, ByFile) -> Result<(), ProfileError> + Send + 'static,
) -> Result<(), ProfileError> {
    let (house, user) = (house.clone(), user.clone());
    // In a task of its own: a browser that goes away must not leave a transaction half done.
    tokio::spawn(async move {
        let by_file = by_file(&house, &user).await?;
        let mut tx = house.store.begin(WriteLane::Rest).await?;
        let mut ways = store::ways_load(&mut tx, &user).await?;
        change(&mut ways, by_file)?;
        store::ways_save(&mut tx, &user, &ways, house.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    })
    .await
    .map_err(|_| FlowError::Gone)?
}

fn address(kind: ContactKind, to: &str) -> Result<String, ProfileError> {
    let to = to.trim();
    match kind {
        ContactKind::Voice | ContactKind::Sms => {
            let number: String = to.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
            let digits = number.strip_prefix('+').unwrap_or("");
            let good = (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
            if good { Ok(number) } else { Err(ProfileError::Wrong("Write the number with its country, as in +33123456789.")) }
        }
        ContactKind::Email => {
            let good = to.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.ends_with('.'));
            let plain = !to.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';'));
            if good && plain { Ok(to.to_owned()) } else { Err(ProfileError::Wrong("Write a mail address, as in ana@example.com.")) }
        }
        ContactKind::Webhook => {
            let good = to.len() <= limits::URL_BYTES && (to.starts_with("https://") || to.starts_with("http://"));
            let plain = !to.chars().any(|c| c.is_whitespace() || c.is_control());
            if good && plain { Ok(to.to_owned()) } else { Err(ProfileError::Wrong("Write an address, as in https://example.com/hook.")) }
        }
        ContactKind::SlackDm => Ok(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let of = |kind, text: &str| address(kind, text).ok();
        assert_eq!(of(ContactKind::Voice, " +33 1 23-45.67 (89) ").as_deref(), Some("+33123456789"));
        for wrong in ["0123456789", "+0123456789", "+33", "phone", "+331234567890123456"] {
            assert_eq!(of(ContactKind::Sms, wrong), None, "{wrong}");
        }
        assert_eq!(of(ContactKind::Email, "ana@example.com").as_deref(), Some("ana@example.com"));
        for wrong in ["ana", "@example.com", "ana@example", "a b@example.com", "ana@example.com\r\nBcc: x", "a,b@example.com"] {
            assert_eq!(of(ContactKind::Email, wrong), None, "{wrong}");
        }
        assert_eq!(of(ContactKind::Webhook, "javascript:alert(1)"), None);
    }
}
