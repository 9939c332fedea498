//! The web pages. Every text goes through askama's escaping; what is shown is handed in, nothing is looked up here.

mod board;
mod change;
mod desk;
mod heartbeat;
mod hold;
mod integration;
pub mod link;
mod maintenance;
mod noise;
mod novelty;
mod reference;
mod relevance;
mod route;

use askama::Template;

pub use board::{Choice, Linked, Offers, RoleRow, RoomLink, TaskRow};
pub use change::{ChangeRow, ChangesPage};
pub use desk::{
    AlertsPage, ContactRow, DayCell, DeclarePage, InhibitionCard, MePage, OncallPage, OverrideRow, PeoplePage, PersonRow, RecordedRow,
    RuleRow, ScheduleCard, SessionRow, SilenceRowShown, SilencesPage, TurnChip,
};
pub use heartbeat::{DayOfBeats, HeartbeatCard, HeartbeatsPage, MissRow, StateOfDay};
pub use hold::HoldTag;
pub use integration::{IntegrationCard, IntegrationPage, IntegrationRow, IntegrationsPage, SampleRow, SenderCard, SendersPage, Tally};
pub use maintenance::{Block, DayMark, MaintenancePage, WindowCard};
pub use noise::{MonitorRow, NoisePage};
pub use novelty::{NoveltyTag, OrderLink};
pub use reference::{FieldRow, ReferencePage, Verb, VerbGroup};
pub use relevance::{MarkRow, RelevancePart};
pub use route::{RoutePage, TriedRow};

use super::line::{self, Line};
use crate::base::id::Number;
use crate::base::time::Time;
use crate::domain::incident::IncidentState;

/// What runs here, at the foot of every page.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What every page carries.
#[derive(Debug, Clone)]
pub struct Frame {
    /// URLs of the assets, with their digests.
    pub css: String,
    pub js: String,
    /// The part of the house that this page belongs to, for the navigation.
    pub here: &'static str,
    /// `None` on the pages for people who are not signed in.
    pub signed_in: Option<SignedIn>,
}

#[derive(Debug, Clone)]
pub struct SignedIn {
    pub name: String,
    /// The session's token, in every form.
    pub csrf: String,
    /// Whether this person may acknowledge and the like.
    pub may_respond: bool,
    /// Whether this person may invite people and see the integrations.
    pub may_administer: bool,
}

impl Frame {
    /// The parts of the house that this person may enter: the word for the navigation, where it is, how it is called.
    fn parts(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        const PARTS: &[(&str, &str, &str)] = &[
            ("incidents", "/", "Incidents"),
            ("alerts", "/alerts", "Alerts"),
            ("silences", "/silences", "Silences"),
            ("changes", "/changes", "Changes"),
            ("oncall", "/oncall", "On call"),
            ("heartbeats", "/heartbeats", "Heartbeats"),
            ("integrations", "/integrations", "Integrations"),
            ("people", "/people", "People"),
            ("route", "/route", "Routing"),
        ];
        let administers = self.signed_in.as_ref().is_some_and(|person| person.may_administer);
        if administers { PARTS } else { &PARTS[..6] }
    }

    fn is_in(&self, part: &str) -> bool {
        self.here == part
    }
}

/// An instant in a page: absolute in UTC for everyone, the reader's own time where scripts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub Time);

impl Stamp {
    fn iso(self) -> String {
        self.0.rfc3339()
    }

    fn full(self) -> String {
        line::date_clock(self.0)
    }
}

/// A state's colour is never alone: its word and a sign stand beside it.
const fn sign(state: IncidentState) -> &'static str {
    match state {
        IncidentState::Triggered => "●",
        IncidentState::Acknowledged => "◐",
        IncidentState::Resolved => "✓",
    }
}

/// One incident in the list.
#[derive(Debug, Clone)]
pub struct Row {
    pub number: Number,
    pub title: String,
    pub service: String,
    pub severity: &'static str,
    pub state: IncidentState,
    pub opened_at: Stamp,
    pub alerts_count: i64,
    pub is_storm: bool,
    /// It has an alert of a kind that was never heard of before.
    pub is_new: bool,
    /// `Bo Lind has it`, `Resolved by Bo Lind`.
    pub who: Option<String>,
}

#[derive(Template)]
#[template(path = "incidents.html")]
pub struct IncidentsPage {
    pub frame: Frame,
    /// The state that is filtered by; `None` shows all, open ones first.
    pub filter: Option<IncidentState>,
    pub services: Vec<Choice>,
    pub service: String,
    pub severity: String,
    pub words: String,
    pub open: Vec<Row>,
    pub resolved: Vec<Row>,
    /// The URL of the next page of the list.
    pub older: Option<String>,
    pub orders: Vec<OrderLink>,
    /// The same list as a file for spreadsheets.
    pub csv: String,
    /// Where senders reach Reveille, for the first steps.
    pub hooks_at: String,
    /// Whether this is the first page: only there is an empty list a beginning.
    pub is_first: bool,
}

impl IncidentsPage {
    fn is_on(&self, state: IncidentState) -> bool {
        self.filter == Some(state)
    }

    /// Whether more is asked for than a state.
    fn is_narrowed(&self) -> bool {
        !(self.service.is_empty() && self.severity.is_empty() && self.words.is_empty())
    }

    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }
}

/// One entry of a timeline.
#[derive(Debug, Clone)]
pub struct Entry {
    pub seq: i64,
    pub at: Stamp,
    /// Where the line does not name them itself.
    pub actor: Option<String>,
    pub line: Line,
}

/// One person's page with its attempts.
#[derive(Debug, Clone)]
pub struct PageCard {
    pub person: String,
    pub state: &'static str,
    pub since: Stamp,
    pub attempts: Vec<AttemptRow>,
}

#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub channel: &'static str,
    pub at: Stamp,
    pub outcome: &'static str,
    pub reason: Option<String>,
}

#[derive(Debug, Clone)]
pub struct AlertRow {
    /// What inhibits it.
    pub inhibited: Option<String>,
    /// What people marked it as.
    pub relevance: Option<&'static str>,
    /// What names its stream.
    pub integration: String,
    pub dedup_key: String,
    pub title: String,
    pub source: String,
    pub severity: &'static str,
    pub state: &'static str,
    pub hold: Option<HoldTag>,
    pub novelty: NoveltyTag,
    pub count: i64,
    pub first_at: Stamp,
    pub last_at: Stamp,
    pub url: Option<String>,
    /// By name.
    pub labels: Vec<(String, String)>,
    /// Where it can be silenced, its matchers filled in. Empty once it is over or silenced.
    pub silence: String,
}

impl AlertRow {
    fn link(&self) -> Option<&str> {
        self.url.as_deref().and_then(web_address)
    }

    /// Where the link leads.
    fn host(&self) -> &str {
        self.link().map_or("", host_of)
    }

    /// The labels that lead somewhere.
    fn links(&self) -> Vec<LabelLink<'_>> {
        label_links(&self.labels)
    }

    /// How many others there are, in words.
    fn words_count(&self) -> String {
        line::count_of(i64::try_from(self.words().len()).unwrap_or(i64::MAX), "label", "labels")
    }

    /// The other labels.
    fn words(&self) -> Vec<&(String, String)> {
        self.labels.iter().filter(|(_, value)| web_address(value).is_none()).collect()
    }
}

/// A label whose value is an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelLink<'a> {
    pub name: &'a str,
    pub to: &'a str,
    pub host: &'a str,
    /// A picture is named as one, and not fetched: who opens a page tells nobody so.
    pub is_picture: bool,
}

fn label_links(labels: &[(String, String)]) -> Vec<LabelLink<'_>> {
    let link = |label| {
        let (name, value): &(String, String) = label;
        let to = web_address(value)?;
        let path = to.split(['?', '#']).next().unwrap_or(to).to_ascii_lowercase();
        let is_picture = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"].iter().any(|ending| path.ends_with(ending));
        Some(LabelLink { name, to, host: host_of(to), is_picture })
    };
    labels.iter().filter_map(link).collect()
}

/// A sender's URL is a link only where it can do no more than open a page.
fn web_address(text: &str) -> Option<&str> {
    // One that was cut leads nowhere.
    let is_whole = !text.ends_with('…') && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    (is_whole && (text.starts_with("https://") || text.starts_with("http://"))).then_some(text)
}

/// What stands before an `@` is not the host, however much it looks like one.
fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

/// An umbrella of a storm.
#[derive(Debug, Clone)]
pub struct StormBanner {
    pub policy: String,
    pub services: i64,
    pub began_at: Stamp,
    pub ended_at: Option<Stamp>,
}

#[derive(Template)]
#[template(path = "incident.html")]
pub struct IncidentPage {
    pub relevance: RelevancePart,
    pub frame: Frame,
    pub number: Number,
    pub title: String,
    pub service: String,
    /// The services that it affects beside its own.
    pub also: Vec<String>,
    /// What its alerts have in common.
    pub group: Option<String>,
    pub storm: Option<StormBanner>,
    /// Hosts, and when the first alert of each came.
    pub fell: Vec<(String, Stamp)>,
    pub fell_more: usize,
    pub severity: &'static str,
    pub state: IncidentState,
    pub opened_at: Stamp,
    pub resolved_at: Option<Stamp>,
    /// How long from the first signal to the first human, once one has answered.
    pub answered_after: Option<String>,
    pub now: Line,
    pub alerts_count: i64,
    pub alerts: Vec<AlertRow>,
    /// In which order they stand.
    pub orders: Vec<OrderLink>,
    /// Those of its own service first, then the nearest in time.
    pub changes: Vec<ChangeRow>,
    pub pages: Vec<PageCard>,
    pub timeline: Vec<Entry>,
    /// Where the entries before the first shown can be seen.
    pub earlier: Option<String>,
    /// Whether the newest entries are shown, so that live ones can follow.
    pub is_newest: bool,
    /// Open tasks, by number.
    pub board: Vec<TaskRow>,
    /// Tasks that are done or dropped.
    pub board_over: Vec<TaskRow>,
    pub roles: Vec<RoleRow>,
    pub room: Option<RoomLink>,
    pub offers: Offers,
    pub linked: Linked,
}

impl IncidentPage {
    const fn back_in() -> [(&'static str, &'static str); 6] {
        board::BACK_IN
    }

    const fn snooze_for() -> [(&'static str, &'static str); 6] {
        board::SNOOZE_FOR
    }

    fn may_respond(&self) -> bool {
        self.frame.signed_in.as_ref().is_some_and(|person| person.may_respond)
    }

    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }

    fn has_roles(&self) -> bool {
        self.roles.iter().any(|role| role.person.is_some())
    }

    fn is_open(&self) -> bool {
        self.state != IncidentState::Resolved
    }

    fn then(&self) -> Option<(&'static str, Stamp)> {
        self.now.then.map(|then| (then.what, Stamp(then.at)))
    }

    /// What can be asked for now: the command, the button's words, its look.
    fn acts(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self.state {
            IncidentState::Triggered => {
                &[("acknowledge", "Acknowledge", "primary"), ("escalate", "Escalate", ""), ("resolve", "Resolve", "")]
            }
            IncidentState::Acknowledged => {
                &[("resolve", "Resolve", "primary"), ("acknowledge", "Still on it", ""), ("escalate", "Escalate", "")]
            }
            IncidentState::Resolved if self.linked.may_return => &[("unmerge", "Take the merge back", "")],
            IncidentState::Resolved if self.linked.merged_into.is_some() => &[],
            IncidentState::Resolved => &[("reopen", "Reopen", "")],
        }
    }

    fn alerts_hidden(&self) -> i64 {
        self.alerts_count - self.relevance.hidden - i64::try_from(self.alerts.len()).unwrap_or(i64::MAX)
    }
}

impl Entry {
    fn then(&self) -> Option<(&'static str, Stamp)> {
        self.line.then.map(|then| (then.what, Stamp(then.at)))
    }
}

/// Name and password, and how to get a link for somebody who has none.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    pub frame: Frame,
    /// Pairs the form with this browser.
    pub csrf: String,
    /// As it was typed the last time.
    pub name: String,
    /// What was wrong then.
    pub wrong: Option<String>,
}

/// The button that uses up a one-time link. Opening the page does not: previews in chats open links too.
#[derive(Template)]
#[template(path = "sign_in_link.html")]
pub struct SignInLinkPage {
    pub frame: Frame,
    pub link: String,
    /// Pairs the form with this browser.
    pub csrf: String,
    pub name: String,
    /// For the browser's memory of passwords.
    pub id: String,
    pub has_password: bool,
    /// Whether there is a number to save on a phone.
    pub has_numbers: bool,
    /// What was wrong with the password chosen.
    pub wrong: Option<String>,
}

/// Anything that did not work, in a person's words.
#[derive(Template)]
#[template(path = "problem.html")]
pub struct ProblemPage {
    pub frame: Frame,
    pub title: String,
    pub detail: String,
}

#[cfg(test)]
mod tests;
