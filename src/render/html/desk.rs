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

/// Says that there is an incident: a title is enough.
#[derive(Template)]
#[template(path = "declare.html")]
pub struct DeclarePage {
    pub frame: Frame,
    pub services: Vec<Choice>,
}

impl DeclarePage {
    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}

/// One alert that woke nobody.
#[derive(Debug, Clone)]
pub struct RecordedRow {
    pub id: String,
    pub title: String,
    pub service: String,
    pub source: String,
    pub severity: &'static str,
    pub state: &'static str,
    pub count: i64,
    pub last_at: Stamp,
}

#[derive(Template)]
#[template(path = "alerts.html")]
pub struct AlertsPage {
    pub frame: Frame,
    pub alerts: Vec<RecordedRow>,
    pub older: Option<String>,
    pub is_first: bool,
}

impl AlertsPage {
    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }

    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}
