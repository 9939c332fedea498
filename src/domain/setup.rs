//! The configured objects: who can be woken, when, in which order, for what. The configuration file and the web pages both make these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::id::{ContactId, IntegrationId, PolicyId, ScheduleId, ServiceId, UserId};
use crate::base::limits;
use crate::base::time::Span;
use crate::base::viewer::Role;

/// Everything configured, as one decision sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub users: BTreeMap<UserId, User>,
    pub schedules: BTreeMap<ScheduleId, Schedule>,
    pub policies: BTreeMap<PolicyId, Policy>,
    pub services: BTreeMap<ServiceId, Service>,
    pub integrations: BTreeMap<IntegrationId, Integration>,
}

impl Setup {
    /// Active users from responder up, in the order of their ids.
    pub fn everyone(&self) -> impl Iterator<Item = &User> {
        self.users.values().filter(|user| user.role >= Role::Responder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub name: String,
    pub email: Option<String>,
    /// An IANA zone; times shown to this person are in it.
    pub timezone: String,
    /// The person's id in Slack.
    pub slack: Option<String>,
    pub role: Role,
    pub contacts: Vec<Contact>,
    pub rules: Vec<Rule>,
}

/// One way to reach one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub id: ContactId,
    pub kind: ContactKind,
    /// A phone number in E.164, an address, a URL; empty for `slack_dm`, which uses the person's Slack id.
    pub to: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactKind {
    Voice,
    Sms,
    Email,
    SlackDm,
    Webhook,
}

impl ContactKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Sms => "sms",
            Self::Email => "email",
            Self::SlackDm => "slack_dm",
            Self::Webhook => "webhook",
        }
    }
}

/// When, counted from the start of the page, a contact is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub urgency: Urgency,
    pub after: Span,
    pub contact: ContactId,
}

/// How loudly an incident pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    Low,
    High,
}

/// A sender's word for how bad it is, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    Info,
    Warning,
    Error,
    Critical,
}

impl AlertSeverity {
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Critical];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == text)
    }
}

/// An incident's severity, least first: sev1 is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Sev4,
    Sev3,
    Sev2,
    Sev1,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Sev4, Self::Sev3, Self::Sev2, Self::Sev1];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sev4 => "sev4",
            Self::Sev3 => "sev3",
            Self::Sev2 => "sev2",
            Self::Sev1 => "sev1",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.name() == text)
    }

    /// sev1 and sev2 wake people, sev3 tells them, sev4 pages nobody.
    #[must_use]
    pub const fn urgency(self) -> Option<Urgency> {
        match self {
            Self::Sev1 | Self::Sev2 => Some(Urgency::High),
            Self::Sev3 => Some(Urgency::Low),
            Self::Sev4 => None,
        }
    }
}

/// Who is on call when, as one or more rotations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub id: ScheduleId,
    /// An IANA zone; hand-offs happen at its local time.
    pub timezone: String,
    pub rotations: Vec<Rotation>,
}

/// People taking turns: turn k begins k × `every` after the first hand-off on or after `start`, and members[k mod n] has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub members: Vec<UserId>,
    pub every: Every,
    pub handoff: Handoff,
    pub start: Date,
}

/// The length of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Wall-clock hours.
    Hours(u32),
    Days(u32),
    Weeks(u32),
    /// Calendar months; the month's last day where its day is missing.
    Months(u32),
}

/// The local time of a hand-off; a weekday only where turns are weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handoff {
    pub weekday: Option<Weekday>,
    pub hour: u8,
    pub minute: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    pub const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mon => "Mon",
            Self::Tue => "Tue",
            Self::Wed => "Wed",
            Self::Thu => "Thu",
            Self::Fri => "Fri",
            Self::Sat => "Sat",
            Self::Sun => "Sun",
        }
    }
}

/// A calendar date in no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Date {
    pub year: i16,
    pub month: u8,
    pub day: u8,
}

/// Whom to page, in which order, until a human answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub id: PolicyId,
    pub steps: Vec<Step>,
    /// Further rounds when nobody answered the first.
    pub repeat: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub notify: Vec<Target>,
    pub escalate_after: Option<Span>,
}

impl Step {
    /// How long this step waits for an answer.
    #[must_use]
    pub fn wait(&self) -> Span {
        self.escalate_after.unwrap_or(limits::STEP_WAIT)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    User(UserId),
    Schedule(ScheduleId),
    Everyone,
}

/// What alerts are about; it says whom they wake and what belongs together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub id: ServiceId,
    pub name: String,
    pub policy: PolicyId,
    pub group_window: Span,
    /// A room opens at this severity and above.
    pub room_at: Option<Severity>,
    pub severity: SeverityTable,
    pub reopen_within: Span,
    /// How long an acknowledgement holds at sev1 and sev2 without a sign of life.
    pub ack_lapse: Option<Span>,
}

impl Service {
    /// A service with every default, as the file makes it from `id` and `policy` alone.
    #[must_use]
    pub fn new(id: ServiceId, policy: PolicyId) -> Self {
        Self {
            name: id.as_str().to_owned(),
            id,
            policy,
            group_window: Span::minutes(10),
            room_at: None,
            severity: SeverityTable::default(),
            reopen_within: limits::REOPEN_WITHIN,
            ack_lapse: Some(limits::ACK_LAPSE),
        }
    }
}

/// From the sender's word to the incident's severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeverityTable {
    pub critical: Severity,
    pub error: Severity,
    pub warning: Severity,
    pub info: Severity,
}

impl Default for SeverityTable {
    fn default() -> Self {
        Self { critical: Severity::Sev1, error: Severity::Sev2, warning: Severity::Sev3, info: Severity::Sev4 }
    }
}

impl SeverityTable {
    #[must_use]
    pub const fn of(&self, severity: AlertSeverity) -> Severity {
        match severity {
            AlertSeverity::Critical => self.critical,
            AlertSeverity::Error => self.error,
            AlertSeverity::Warning => self.warning,
            AlertSeverity::Info => self.info,
        }
    }
}

/// One configured, keyed sender. Its key is a secret and rests apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    pub id: IntegrationId,
    /// The kind of sender, as in the URL: `rollbar`, `generic`.
    pub source: String,
    pub service: ServiceId,
    /// Taken where the sender says none.
    pub severity: AlertSeverity,
}
