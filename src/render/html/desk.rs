//! The pages beside the incidents: declaring one, recorded alerts, on call, integrations, people, one's own.

use askama::Template;

use super::{Choice, Frame, Stamp};

/// One of a person's sessions.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// What its form names it by; nobody signs in with it.
    pub id: String,
    pub device: String,
    pub since: Stamp,
    pub is_this: bool,
}

/// One contact of a person.
#[derive(Debug, Clone)]
pub struct ContactRow {
    pub id: String,
    pub kind: &'static str,
    pub to: String,
    /// Why it cannot be used.
    pub closed: Option<String>,
}

/// When a contact is tried.
#[derive(Debug, Clone)]
pub struct RuleRow {
    pub index: usize,
    pub urgency: &'static str,
    /// `at once`, `after 5m`.
    pub when: String,
    pub contact: String,
}

/// One's own page.
#[derive(Template)]
#[template(path = "me.html")]
pub struct MePage {
    pub frame: Frame,
    pub name: String,
    pub id: String,
    pub email: Option<String>,
    pub role: &'static str,
    pub language: &'static str,
    pub timezone: String,
    /// Contacts and rules are the configuration file's and can only be read here.
    pub is_managed: bool,
    /// Whether somebody is configured behind this session: the first administrator may not be.
    pub is_configured: bool,
    pub contacts: Vec<ContactRow>,
    pub rules: Vec<RuleRow>,
    pub kinds: Vec<Choice>,
    pub password_set: Option<Stamp>,
    pub sessions: Vec<SessionRow>,
    /// What was just done, in a sentence.
    pub done: Option<&'static str>,
}

impl MePage {
    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}
