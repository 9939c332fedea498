//! The pages beside the incidents: declaring one, recorded alerts, on call, integrations, people, one's own.

use askama::Template;

use super::{Choice, Frame, HoldTag, LabelLink, NoveltyTag, OrderLink, Stamp, label_links};

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
    /// Whether a page was ever answered through it.
    pub is_proven: bool,
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
#[expect(clippy::struct_excessive_bools, reason = "each shows or hides a part of the page, and any of them with any other")]
pub struct MePage {
    pub frame: Frame,
    pub name: String,
    pub id: String,
    pub email: Option<String>,
    pub role: &'static str,
    pub languages: Vec<Choice>,
    /// As a choice's id.
    pub language: &'static str,
    /// Whether the configuration file leaves it to the person.
    pub has_own_language: bool,
    pub timezone: String,
    pub has_own_timezone: bool,
    /// Whether there is a number to save on a phone.
    pub has_numbers: bool,
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
    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }

    /// The language by its name.
    fn language_name(&self) -> &str {
        self.languages.iter().find(|choice| choice.id == self.language).map_or("", |choice| choice.name.as_str())
    }

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
    /// What inhibits it.
    pub inhibited: Option<String>,
    pub id: String,
    pub title: String,
    pub service: String,
    pub source: String,
    pub severity: &'static str,
    pub state: &'static str,
    pub hold: Option<HoldTag>,
    pub novelty: NoveltyTag,
    pub count: i64,
    pub last_at: Stamp,
    /// By name.
    pub labels: Vec<(String, String)>,
}

impl RecordedRow {
    fn links(&self) -> Vec<LabelLink<'_>> {
        label_links(&self.labels)
    }
}

#[derive(Template)]
#[template(path = "alerts.html")]
pub struct AlertsPage {
    pub frame: Frame,
    pub alerts: Vec<RecordedRow>,
    pub orders: Vec<OrderLink>,
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

/// One silence on the page.
#[derive(Debug, Clone)]
pub struct SilenceRowShown {
    pub id: String,
    pub state: &'static str,
    pub is_over: bool,
    pub matchers: Vec<String>,
    pub integration: Option<String>,
    pub starts_at: Stamp,
    pub ends_at: Stamp,
    pub created_by: String,
    pub comment: String,
}

#[derive(Template)]
#[template(path = "silences.html")]
pub struct SilencesPage {
    pub frame: Frame,
    pub silences: Vec<SilenceRowShown>,
    /// What the form begins with.
    pub matchers: String,
    /// Whose alerts it may be about alone; the one that it begins with is chosen.
    pub integrations: Vec<String>,
    pub integration: String,
    /// In which zone its end is written.
    pub zone: String,
    pub is_done: bool,
    /// The rules by which alerts inhibit others.
    pub inhibitions: Vec<InhibitionCard>,
}

/// One rule of inhibition, and what inhibits by it just now.
#[derive(Debug, Clone)]
pub struct InhibitionCard {
    pub id: String,
    pub when: Vec<String>,
    pub mute: Vec<String>,
    pub equal: Vec<String>,
    pub by: Vec<String>,
}

impl SilencesPage {
    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }

    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}

/// Who is on call when, on one schedule.
#[derive(Debug, Clone)]
pub struct ScheduleCard {
    pub id: String,
    pub timezone: String,
    pub now: String,
    pub is_empty: bool,
    /// Whether the reader is on call.
    pub is_mine: bool,
    pub until: Option<Stamp>,
    /// The next hand-off by the reader's clock.
    pub until_here: Option<String>,
    /// By the schedule's, where that is another.
    pub until_there: Option<String>,
    pub next: Option<String>,
    pub days: Vec<DayCell>,
    pub overrides: Vec<OverrideRow>,
}

/// One day of the picture.
#[derive(Debug, Clone)]
pub struct DayCell {
    pub name: String,
    pub is_today: bool,
    pub turns: Vec<TurnChip>,
}

/// One turn within one day.
#[derive(Debug, Clone)]
pub struct TurnChip {
    pub who: String,
    /// When it begins, where that is within this day.
    pub from: Option<String>,
    pub colour: Option<usize>,
}

/// One override, in force or to come.
#[derive(Debug, Clone)]
pub struct OverrideRow {
    pub id: String,
    pub who: String,
    pub from: String,
    pub until: String,
    pub by: String,
    pub may_remove: bool,
}

#[derive(Template)]
#[template(path = "oncall.html")]
pub struct OncallPage {
    pub frame: Frame,
    pub cards: Vec<ScheduleCard>,
    pub schedules: Vec<Choice>,
    /// Who may be put on call by this reader.
    pub people: Vec<Choice>,
    /// For the form, as its fields take it.
    pub from: String,
    pub until: String,
    /// The reader's.
    pub zone: String,
    pub is_done: bool,
}

impl OncallPage {
    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }

    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}

/// One configured person.
#[derive(Debug, Clone)]
pub struct PersonRow {
    pub id: String,
    pub name: String,
    pub email: Option<String>,
    pub role: &'static str,
    pub has_password: bool,
    /// How many contacts they have.
    pub ways: usize,
    /// Through how many of them no page was ever answered.
    pub unproven: usize,
    /// Where an invitation can be mailed to.
    pub mail: Option<String>,
    /// The one-time link just made for them.
    pub link: Option<String>,
    /// What came of mailing it, in a sentence, and whether that is good news.
    pub mailed: Option<(String, bool)>,
}

#[derive(Template)]
#[template(path = "people.html")]
pub struct PeoplePage {
    pub frame: Frame,
    pub people: Vec<PersonRow>,
}

impl PeoplePage {
    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }
}
