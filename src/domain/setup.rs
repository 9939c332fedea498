//! The configured objects: who can be woken, when, in which order, for what. The configuration file and the web pages both make these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::group::GroupBy;
use super::inhibition::Inhibition;
use super::maintenance::Maintenance;
use super::mapping::Mapping;
use super::routing::Route;
use crate::base::id::{ContactId, IntegrationId, OverrideId, PolicyId, ScheduleId, ServiceId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::base::viewer::Role;

/// Everything configured, as one decision sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub users: BTreeMap<UserId, User>,
    pub schedules: BTreeMap<ScheduleId, Schedule>,
    pub policies: BTreeMap<PolicyId, Policy>,
    pub services: BTreeMap<ServiceId, Service>,
    pub integrations: BTreeMap<IntegrationId, Integration>,
    /// In the order in which they are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// In the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance: Vec<Maintenance>,
    /// In the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inhibitions: Vec<Inhibition>,
}

impl Setup {
    /// A contact is closed to us, if it still has this address.
    pub fn close(&mut self, user: &UserId, contact: &ContactId, address: &str, reason: &str) {
        let contacts = self.users.get_mut(user).into_iter().flat_map(|user| &mut user.contacts);
        for contact in contacts.filter(|own| own.id == *contact && own.to == address) {
            contact.closed = Some(reason.to_owned());
        }
    }

    /// A service and all that it depends on, however far, the nearest first.
    #[must_use]
    pub fn causes(&self, service: &ServiceId) -> Vec<ServiceId> {
        let mut found = vec![service.clone()];
        let mut looked = 0;
        while let Some(service) = found.get(looked).and_then(|id| self.services.get(id)) {
            looked += 1;
            for cause in &service.depends_on {
                if self.services.contains_key(cause) && !found.contains(cause) {
                    found.push(cause.clone());
                }
            }
        }
        found
    }

    /// All services that depend on this one, however far.
    #[must_use]
    pub fn effects(&self, service: &ServiceId) -> BTreeSet<ServiceId> {
        if self.services.values().all(|service| service.depends_on.is_empty()) {
            return BTreeSet::new();
        }
        self.services.keys().filter(|other| *other != service && self.causes(other).contains(service)).cloned().collect()
    }

    /// What a decision about these services has to look at: they and all that they depend on.
    #[must_use]
    pub fn with_causes(&self, services: impl IntoIterator<Item = ServiceId>) -> BTreeSet<ServiceId> {
        services.into_iter().flat_map(|service| self.causes(&service)).collect()
    }

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
    #[serde(default)]
    pub language: Language,
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
    /// Why it cannot be used, where its owner or its provider has closed it to us. Kept apart from the configured object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
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
    pub const ALL: [Self; 5] = [Self::Voice, Self::Sms, Self::Email, Self::SlackDm, Self::Webhook];

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

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }

    /// Whether it rings, and a key is the answer; anything else is a message.
    #[must_use]
    pub const fn is_call(self) -> bool {
        match self {
            Self::Voice => true,
            Self::Sms | Self::Email | Self::SlackDm | Self::Webhook => false,
        }
    }

    /// Whether its provider tells later what became of what it accepted, and can be asked for what it has.
    #[must_use]
    pub const fn is_followed(self) -> bool {
        match self {
            Self::Voice | Self::Sms => true,
            Self::Email | Self::SlackDm | Self::Webhook => false,
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
    /// In the order in which they were made. Kept apart from the configured object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
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
    /// As many incidents that page by it may open within a minute before the next takes in what comes after it; 0: however many.
    #[serde(default = "storm_incidents")]
    pub storm: u32,
}

const fn storm_incidents() -> u32 {
    limits::STORM_INCIDENTS
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

    /// Such a step reaches nobody: it tells and is over.
    #[must_use]
    pub fn names_only_places(&self) -> bool {
        !self.notify.is_empty() && self.notify.iter().all(|target| matches!(target, Target::Place(_)))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    User(UserId),
    Schedule(ScheduleId),
    Everyone,
    /// Telling a place never counts as reaching anyone.
    Place(Place),
}

/// Where something can be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A Slack channel's id.
    Slack(String),
    /// A configured outgoing webhook, by its id.
    Webhook(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slack(id) => write!(f, "slack:{id}"),
            Self::Webhook(id) => write!(f, "webhook:{id}"),
        }
    }
}

/// Somebody takes a schedule for a while. Of several that hold at once the newest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub id: OverrideId,
    pub user: UserId,
    pub from: Time,
    pub until: Time,
}

/// The language a person is spoken and written to in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    Fr,
    De,
    Es,
}

impl Language {
    pub const ALL: [Self; 4] = [Self::En, Self::Fr, Self::De, Self::Es];

    /// As ISO 639-1 writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
            Self::De => "de",
            Self::Es => "es",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == text)
    }
}

/// What follows when the last alert of an incident is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResolveMode {
    #[default]
    Auto,
    /// A person is asked.
    Ask,
}

/// What alerts are about; it says whom they wake and what belongs together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    pub id: ServiceId,
    pub name: String,
    pub policy: PolicyId,
    pub group_window: Span,
    /// Only alerts that have this in common are one incident; `None`: all that come within the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<GroupBy>,
    /// A room opens at this severity and above.
    pub room_at: Option<Severity>,
    pub severity: SeverityTable,
    pub reopen_within: Span,
    /// How long an acknowledgement holds at sev1 and sev2 without a sign of life.
    pub ack_lapse: Option<Span>,
    #[serde(default)]
    pub resolve: ResolveMode,
    /// Its alerts close this long after their last signal; `None`: only their sender, or a person, ends them.
    #[serde(default)]
    pub close_after: Option<Span>,
    /// Where its trouble may come from: its alerts join the incident of one of these, when none of its own is near.
    #[serde(default)]
    pub depends_on: BTreeSet<ServiceId>,
    /// A new incident of it takes in those of services that depend on it and opened shortly before.
    #[serde(default = "taken")]
    pub takes_symptoms: bool,
    /// How long a new alert fires before it calls anybody; what is over by then calls nobody. Zero: it calls at once.
    #[serde(default)]
    pub quiet_for: Span,
    /// When an alert comes and goes so often that it counts as one; `None`: never.
    #[serde(default = "Flapping::usual")]
    pub flapping: Option<Flapping>,
    /// What makes a low urgency high.
    #[serde(default)]
    pub raise: Raise,
}

/// What makes an alert that would page quietly wake people; nothing, unless a service asks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raise {
    /// It is the first of its kind.
    pub new: bool,
    /// Its rate jumped against its own history.
    pub rising: bool,
}

const fn taken() -> bool {
    true
}

/// When a condition counts as flapping: of its newest [`limits::FLAP_BUCKETS`] stretches of time, the weighted part in which it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    /// One stretch of time.
    pub bucket: Span,
    /// From this many percent on it flaps.
    pub high: u32,
    /// Below this many it is steady again.
    pub low: u32,
}

impl Default for Flapping {
    fn default() -> Self {
        Self { bucket: limits::FLAP_BUCKET, high: 30, low: 15 }
    }
}

impl Flapping {
    #[expect(clippy::unnecessary_wraps, reason = "what a service has where nothing is said")]
    fn usual() -> Option<Self> {
        Some(Self::default())
    }
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
            group_by: None,
            room_at: None,
            severity: SeverityTable::default(),
            reopen_within: limits::REOPEN_WITHIN,
            ack_lapse: Some(limits::ACK_LAPSE),
            resolve: ResolveMode::Auto,
            close_after: None,
            depends_on: BTreeSet::new(),
            takes_symptoms: true,
            quiet_for: Span::ZERO,
            flapping: Some(Flapping::default()),
            raise: Raise::default(),
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
    /// Of the source `heartbeat`: when a beat is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Of the source `cloudwatch`: the topics of SNS whose subscriptions are confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// Of the source `generic`: where the fields of its alerts stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Mapping>,
    #[serde(default, skip_serializing_if = "Budget::is_usual")]
    pub budget: Budget,
}

/// How much of an integration's signals is kept one by one; what is beyond is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Signals a second; beyond it, those of one alert that come together are one signal that counts them.
    pub per_second: u32,
    /// Alerts that were not there before, within an hour; beyond it, one alert counts them.
    pub new_per_hour: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { per_second: limits::BUDGET_PER_SECOND, new_per_hour: limits::NEW_ALERTS_PER_HOUR }
    }
}

impl Budget {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// How often a beat comes, and by how much it may be late.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub period: Span,
    pub grace: Span,
}

impl Heartbeat {
    /// From one beat until the next one is missed.
    #[must_use]
    pub fn span(&self) -> Span {
        self.period + self.grace
    }

    /// How it stands at `now`. `missed`: its miss was told, and no beat has come since.
    #[must_use]
    pub fn pulse(&self, beat_at: Option<Time>, missed: bool, now: Time) -> Pulse {
        match beat_at {
            _ if missed => Pulse::Missed,
            None => Pulse::Awaited,
            Some(beat_at) if now > beat_at + self.period => Pulse::Late,
            Some(_) => Pulse::Beats,
        }
    }
}

/// How a heartbeat stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// Before the first beat.
    Awaited,
    Beats,
    /// Within its grace.
    Late,
    Missed,
}

impl Pulse {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Beats => "beats",
            Self::Late => "late",
            Self::Missed => "missed",
        }
    }
}

/// One configured object that differs between two setups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub what: ChangeKind,
    /// As the file calls it: `user`, `schedule`, `policy`, `service`, `integration`, `route`, `maintenance`, `inhibition`.
    pub kind: &'static str,
    pub id: String,
    /// Which of its keys differ, where it was changed.
    pub keys: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Added,
    Changed,
    Retired,
}

/// As `apply --dry-run` prints it: `changed policy platform: steps, repeat`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            ChangeKind::Added => "added",
            ChangeKind::Changed => "changed",
            ChangeKind::Retired => "retired",
        };
        write!(f, "{what} {} {}", self.kind, self.id)?;
        if self.keys.is_empty() { Ok(()) } else { write!(f, ": {}", self.keys.join(", ")) }
    }
}

/// What has to be done to get from `old` to `new`, kind by kind in the order in which one refers to the other.
#[must_use]
pub fn diff(old: &Setup, new: &Setup) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("user", &old.users, &new.users, &mut changes, |a, b| {
        vec![
            ("name", a.name == b.name),
            ("email", a.email == b.email),
            ("timezone", a.timezone == b.timezone),
            ("language", a.language == b.language),
            ("slack", a.slack == b.slack),
            ("role", a.role == b.role),
            ("contacts", a.contacts == b.contacts),
            ("rules", a.rules == b.rules),
        ]
    });
    compare("schedule", &old.schedules, &new.schedules, &mut changes, |a, b| {
        vec![("timezone", a.timezone == b.timezone), ("rotations", a.rotations == b.rotations)]
    });
    compare("policy", &old.policies, &new.policies, &mut changes, |a, b| {
        vec![("steps", a.steps == b.steps), ("repeat", a.repeat == b.repeat), ("storm", a.storm == b.storm)]
    });
    compare("service", &old.services, &new.services, &mut changes, |a, b| {
        vec![
            ("name", a.name == b.name),
            ("policy", a.policy == b.policy),
            ("group", a.group_window == b.group_window && a.group_by == b.group_by),
            ("room_at", a.room_at == b.room_at),
            ("severity", a.severity == b.severity),
            ("reopen_within", a.reopen_within == b.reopen_within),
            ("ack_lapse", a.ack_lapse == b.ack_lapse),
            ("resolve", a.resolve == b.resolve),
            ("close_after", a.close_after == b.close_after),
            ("depends_on", a.depends_on == b.depends_on),
            ("takes_symptoms", a.takes_symptoms == b.takes_symptoms),
            ("quiet_for", a.quiet_for == b.quiet_for),
            ("flapping", a.flapping == b.flapping),
            ("raise", a.raise == b.raise),
        ]
    });
    compare("integration", &old.integrations, &new.integrations, &mut changes, |a, b| {
        vec![
            ("source", a.source == b.source),
            ("service", a.service == b.service),
            ("severity", a.severity == b.severity),
            ("topics", a.topics == b.topics),
            ("period", a.heartbeat.map(|beat| beat.period) == b.heartbeat.map(|beat| beat.period)),
            ("map", a.map == b.map),
            ("grace", a.heartbeat.map(|beat| beat.grace) == b.heartbeat.map(|beat| beat.grace)),
        ]
    });
    compare("route", &in_order(old, new), &in_order(new, old), &mut changes, |(at, a), (now_at, b)| {
        vec![
            ("source", a.source == b.source),
            ("integration", a.integration == b.integration),
            ("match", a.matchers == b.matchers),
            ("expression", a.expression == b.expression),
            ("service", a.gives.service == b.gives.service),
            ("severity", a.gives.severity == b.gives.severity),
            ("policy", a.gives.policy == b.gives.policy),
            ("record", a.gives.record == b.gives.record),
            ("title", a.gives.title == b.gives.title),
            ("labels", a.gives.labels == b.gives.labels),
            ("order", at == now_at),
        ]
    });
    let windows = |setup: &Setup| setup.maintenance.iter().map(|window| (window.id.clone(), window.clone())).collect();
    compare("maintenance", &windows(old), &windows(new), &mut changes, |a: &Maintenance, b| {
        vec![
            ("comment", a.comment == b.comment),
            ("match", a.matchers == b.matchers),
            ("start", a.start == b.start),
            ("for", a.lasts == b.lasts),
            ("every", a.every == b.every),
            ("timezone", a.timezone == b.timezone),
        ]
    });
    let rules = |setup: &Setup| setup.inhibitions.iter().map(|rule| (rule.id.clone(), rule.clone())).collect();
    compare("inhibition", &rules(old), &rules(new), &mut changes, |a: &Inhibition, b| {
        vec![("when", a.when == b.when), ("mute", a.mute == b.mute), ("equal", a.equal == b.equal)]
    });
    changes
}

/// The rules by their ids, with their place among those that both setups have: one that is put between others moves none of them.
fn in_order<'a>(setup: &'a Setup, other: &Setup) -> BTreeMap<&'a str, (usize, &'a Route)> {
    let is_shared = |route: &Route| other.routes.iter().any(|known| known.id == route.id);
    let mut place = 0;
    let place_of = |route: &'a Route| {
        place += usize::from(is_shared(route));
        (route.id.as_str(), (place, route))
    };
    setup.routes.iter().map(place_of).collect()
}

/// The objects of one kind; `same` names each key and says whether it is the same in both.
fn compare<Id: Ord + fmt::Display, Object: PartialEq>(
    kind: &'static str,
    old: &BTreeMap<Id, Object>,
    new: &BTreeMap<Id, Object>,
    changes: &mut Vec<Change>,
    same: impl Fn(&Object, &Object) -> Vec<(&'static str, bool)>,
) {
    let ids: BTreeSet<&Id> = old.keys().chain(new.keys()).collect();
    for id in ids {
        let (what, keys) = match (old.get(id), new.get(id)) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(before), Some(after)) => {
                (ChangeKind::Changed, same(before, after).into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect())
            }
            (None, _) => (ChangeKind::Added, Vec::new()),
            (Some(_), None) => (ChangeKind::Retired, Vec::new()),
        };
        changes.push(Change { what, kind, id: id.to_string(), keys });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_names_what_was_added_changed_and_retired() {
        let service = |id: &str, policy: &str| (ServiceId::from(id), Service::new(id.into(), policy.into()));
        let old = Setup { services: [service("api", "day"), service("web", "day"), service("old", "day")].into(), ..Setup::default() };
        let mut new =
            Setup { services: [service("api", "night"), service("web", "day"), service("shop", "day")].into(), ..Setup::default() };
        for changed in new.services.values_mut().filter(|service| service.id.as_str() == "api") {
            changed.group_window = Span::ZERO;
        }
        let lines: Vec<String> = diff(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["changed service api: policy, group", "retired service old", "added service shop"]);
        assert!(diff(&new, &new).is_empty());
    }

    #[test]
    fn rules_that_are_put_between_others_move_none_and_an_exchange_is_said() {
        let rule = |id: &str, record| Route {
            id: id.into(),
            source: None,
            integration: None,
            matchers: Vec::new(),
            expression: None,
            gives: super::super::routing::Gives { record, ..Default::default() },
        };
        let with = |routes: Vec<Route>| Setup { routes, ..Setup::default() };
        let lines = |old: Vec<Route>, new: Vec<Route>| diff(&with(old), &with(new)).iter().map(ToString::to_string).collect::<Vec<_>>();
        let old = || vec![rule("a", false), rule("b", false)];
        assert_eq!(
            lines(old(), vec![rule("a", false), rule("new", false), rule("b", true)]),
            ["changed route b: record", "added route new"]
        );
        assert_eq!(lines(old(), vec![rule("b", false), rule("a", false)]), ["changed route a: order", "changed route b: order"]);
        assert_eq!(lines(old(), vec![rule("b", false)]), ["retired route a"]);
    }

    /// A key left out of [`diff`] would change without being named.
    #[test]
    fn every_changed_object_names_a_key() {
        let json = |text: &str| serde_json::from_str::<Setup>(text).expect("a setup in a test is well written");
        let with = |user: &str| {
            json(&format!(r#"{{"users":{{"a":{user}}},"schedules":{{}},"policies":{{}},"services":{{}},"integrations":{{}}}}"#))
        };
        let plain = r#"{"id":"a","name":"A","email":null,"timezone":"UTC","slack":null,"role":"responder","contacts":[],"rules":[]}"#;
        for (key, from, to) in [
            ("name", r#""name":"A""#, r#""name":"B""#),
            ("email", r#""email":null"#, r#""email":"a@example.com""#),
            ("role", r#""role":"responder""#, r#""role":"admin""#),
            ("contacts", r#""contacts":[]"#, r#""contacts":[{"id":"p","kind":"voice","to":"+33100000001"}]"#),
        ] {
            let changes = diff(&with(plain), &with(&plain.replace(from, to)));
            assert_eq!(changes.iter().map(|change| change.keys.clone()).collect::<Vec<_>>(), [vec![key]]);
        }
    }
}
