//! An incident: what people respond to. Its decision fields, and the running policy that wakes people for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fact::{Fact, Held, What};
use super::group::Group;
use super::inhibition::Inhibited;
use super::input::Actor;
use super::relevance::{Change, Mark};
use super::setup::{Severity, Step, Urgency};
use super::silence::is_maintenance;
use super::storm::Storm;
use crate::base::id::{IncidentId, Number, PageId, PolicyId, ServiceId, SilenceId, UserId};
use crate::base::time::{Span, Time};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    /// Given by the store when the incident is first saved; #0 until then.
    pub number: Number,
    pub service: ServiceId,
    pub title: String,
    pub kind: Kind,
    pub severity: Severity,
    pub state: IncidentState,
    pub opened_at: Time,
    /// When the newest alert joined: grouping looks at it.
    pub joined_at: Time,
    pub acknowledged_at: Option<Time>,
    pub acknowledged_by: Option<Actor>,
    /// When the acknowledgement lapses, unless there is a sign of life.
    pub lapses_at: Option<Time>,
    pub resolved_at: Option<Time>,
    /// `Some` when it was a person who resolved it.
    pub resolved_by: Option<Actor>,
    /// When it was last resolved, kept when it is reopened: alerts that fired before are over.
    pub closed_at: Option<Time>,
    /// Distinct alerts that joined, open or not.
    pub alerts_count: i64,
    /// Of these, the ones that still hold, silenced or not.
    pub firing_count: i64,
    /// Grows whenever paging starts or stops: what was decided in an earlier epoch is not wanted any more.
    pub epoch: i64,
    /// The policy as it was when it started; it keeps the steps it began with.
    pub run: Option<Run>,
    /// Pages that nobody has ended.
    pub pages: Vec<OpenPage>,
    /// What people do about it.
    pub response: Response,
}

/// What people do about an incident, as far as decisions look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub struct Response {
    pub roles: BTreeMap<IncidentRole, UserId>,
    /// Set by hand it sticks.
    pub severity_by_hand: bool,
    /// Acknowledged until then.
    pub snoozed_until: Option<Time>,
    /// The numbers of its tasks given so far.
    pub tasks: i64,
    pub room: Room,
    /// Its alerts are over and a person was asked whether it is.
    pub resolve_asked: bool,
    /// Pages in place of its service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyId>,
    /// What the alerts of its own service in it have in common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The services beside its own whose alerts it took in.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<ServiceId>,
    /// Where it took in, or takes in, what would have opened incidents of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm>,
    /// Who said that there is an incident, where it was declared.
    pub declared_by: Option<Actor>,
    /// Of the alerts that still hold, the ones that are silenced or inhibited.
    pub silenced_count: i64,
    /// Of the silences that cover them, the one that lasts longest.
    pub silence: Option<Hush>,
    /// Of the alerts that inhibit some of them, the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inhibited: Option<Inhibited>,
    /// It began during maintenance, which is over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_outlasting: bool,
    /// Nobody is paged, because all that still holds is silenced or inhibited.
    pub is_hushed: bool,
    /// When its policy would have gone on, had its senders not resolved it before anybody answered: should it come back soon, the policy
    /// goes on there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_at: Option<Time>,
    /// What people said of its alerts, in the order in which they did; and the number given last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    #[serde(skip_serializing_if = "is_zero")]
    pub marked: i64,
    /// The worst that noise was told to be since somebody marked any last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_told: Option<Severity>,
    /// What its senders said beside it: each is told once, and not more than [`limits::SENDER_NOTES`].
    pub told_by_senders: BTreeSet<String>,
    /// It went into that one, which has no other above it: its alerts are that one's for as long as this stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<IncidentId>,
    /// The incidents that went into it, and those that had gone into these.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub took_in: BTreeSet<IncidentId>,
    /// What may have caused it: whoever has it says so by a merge.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub causes: BTreeSet<IncidentId>,
    /// Some of that one's alerts were split off into it. What comes anew is for the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_from: Option<IncidentId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// A silence, as far as an incident's decisions look at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hush {
    pub silence: SilenceId,
    pub until: Time,
    pub by: String,
    pub comment: String,
}

/// Whether it has a room of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    #[default]
    None,
    Wanted,
    Open {
        room: String,
        name: String,
    },
}

/// Real incidents page by policy; drills and tests page only whom they name, and join nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Real,
    Drill,
    Test,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Real, Self::Drill, Self::Test];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Drill => "drill",
            Self::Test => "test",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

/// What one person is for, while the incident lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentRole {
    /// The incident commander.
    Lead,
    Comms,
    Ops,
    Scribe,
}

impl IncidentRole {
    pub const ALL: [Self; 4] = [Self::Lead, Self::Comms, Self::Ops, Self::Scribe];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Comms => "comms",
            Self::Ops => "ops",
            Self::Scribe => "scribe",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    Triggered,
    Acknowledged,
    Resolved,
}

impl IncidentState {
    pub const ALL: [Self; 3] = [Self::Triggered, Self::Acknowledged, Self::Resolved];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

/// A policy on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub policy: PolicyId,
    pub steps: Vec<Step>,
    pub repeat: u32,
    pub urgency: Urgency,
    /// 0 is the first round.
    pub round: u32,
    /// The step under way; `steps.len()` when the policy is exhausted.
    pub step: usize,
    pub exhausted: bool,
    /// When to go on; `None` at low urgency, which does not escalate.
    pub next_at: Option<Time>,
    /// Who declared it, and is not called by the policy that this began.
    #[serde(default)]
    pub spared: Option<UserId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPage {
    pub id: PageId,
    pub user: UserId,
    pub urgency: Urgency,
    /// Every contact of this person was tried and none could be reached.
    pub failed: bool,
}

const FIRST_EPOCH: i64 = 1;

/// Stands where a declared incident has no service to take.
pub const NO_SERVICE: &str = "";

impl Incident {
    /// Not where it was declared with no service to take.
    #[must_use]
    pub fn has_service(&self) -> bool {
        self.service.as_str() != NO_SERVICE
    }

    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != IncidentState::Resolved
    }

    /// Whether silences and what inhibits cover everything of it that still holds.
    #[must_use]
    pub const fn is_covered(&self) -> bool {
        self.firing_count > 0 && self.response.silenced_count >= self.firing_count
    }

    /// Pages that go by the rules of high urgency.
    pub fn loud_pages(&self) -> impl Iterator<Item = &OpenPage> {
        self.pages.iter().filter(|page| page.urgency == Urgency::High)
    }

    #[must_use]
    pub fn page_of(&self, user: &UserId) -> Option<&OpenPage> {
        self.pages.iter().find(|page| &page.user == user)
    }
}

/// Folding.
impl Incident {
    /// The row that the first fact makes; `None` for any other fact.
    #[must_use]
    pub fn from_first(fact: &Fact) -> Option<Self> {
        let (service, title, severity, kind, alerts) = match &fact.what {
            What::IncidentOpened { service, title, severity, .. } => (service.clone(), title, severity, Kind::Real, 1),
            What::IncidentDeclared { service, title, severity, kind, alert } => {
                (service.clone().unwrap_or_else(|| NO_SERVICE.into()), title, severity, *kind, i64::from(alert.is_some()))
            }
            What::IncidentSplit { service, title, severity, kind, held, .. } => (service.clone(), title, severity, *kind, held.alerts),
            _ => return None,
        };
        let (split_from, held) = match &fact.what {
            What::IncidentSplit { from, held, .. } => (Some(from.incident.clone()), held.clone()),
            _ => (None, Held::default()),
        };
        let declared_by = matches!(fact.what, What::IncidentDeclared { .. }).then(|| fact.actor.clone());
        let group = if let What::IncidentOpened { group, .. } = &fact.what { group.clone() } else { None };
        Some(Self {
            id: fact.incident.clone(),
            number: Number(0),
            service,
            title: title.clone(),
            kind,
            severity: *severity,
            state: IncidentState::Triggered,
            opened_at: fact.at,
            joined_at: fact.at,
            acknowledged_at: None,
            acknowledged_by: None,
            lapses_at: None,
            resolved_at: None,
            resolved_by: None,
            closed_at: None,
            alerts_count: alerts,
            firing_count: alerts,
            epoch: FIRST_EPOCH,
            run: None,
            pages: Vec::new(),
            response: Response {
                group,
                declared_by,
                split_from,
                silenced_count: held.silenced,
                silence: held.silence,
                inhibited: held.inhibited,
                ..Response::default()
            },
        })
    }

    /// Folds one later fact of this incident into its row.
    pub fn fold(&mut self, fact: &Fact) {
        match &fact.what {
            What::AlertsJoined { count, .. } => {
                self.alerts_count += count;
                self.firing_count += count;
                self.joined_at = fact.at;
                self.response.resolve_asked = false;
            }
            What::NoiseChanged { change, count, silenced, .. } => self.noise(*change, *count, *silenced, fact.at),
            What::RelevanceMarked { n, stream, relevance, about } => {
                self.response.marked = *n;
                self.response.noise_told = None;
                // The same stream is one thing, marked anew.
                self.response.marks.retain(|mark| mark.stream != *stream);
                let (stream, relevance, about) = (stream.clone(), *relevance, about.clone());
                self.response.marks.push(Mark { n: *n, stream, relevance, about, by: fact.actor.clone(), at: fact.at });
            }
            What::MarkTakenBack { n, .. } => self.response.marks.retain(|mark| mark.n != *n),
            What::NoiseWorse { severity, .. } => self.response.noise_told = Some(*severity),
            What::AlertsRefired { count, .. } => {
                self.firing_count += count;
                self.response.resolve_asked = false;
            }
            What::AlertsResolved { count, silenced, .. } => {
                self.firing_count -= count;
                self.unsilence(*silenced);
            }
            What::AlertsSilenced { count, silence, until, by, comment, .. } => {
                self.response.silenced_count += count;
                if self.response.silence.as_ref().is_none_or(|hush| hush.until < *until) {
                    let hush = Hush { silence: silence.clone(), until: *until, by: by.clone(), comment: comment.clone() };
                    self.response.silence = Some(hush);
                }
            }
            What::AlertsOutlasted { by, .. } => self.response.is_outlasting |= is_maintenance(by),
            What::AlertsInhibited { count, rule, by, .. } => {
                self.response.silenced_count += count;
                self.response.inhibited = Some(Inhibited { rule: rule.clone(), by: by.clone() });
            }
            What::AlertsUnsilenced { count, .. } | What::AlertsUninhibited { count, .. } => self.unsilence(*count),
            What::SilenceExtended { silence, until } => {
                if let Some(hush) = &mut self.response.silence {
                    hush.silence = silence.clone();
                    hush.until = *until;
                }
            }
            What::IncidentSilenced { .. } | What::IncidentInhibited { .. } => {
                self.stop();
                self.response.is_hushed = true;
            }
            What::SeverityRaised { to, .. } => self.severity = *to,
            What::SeverityChanged { to, .. } => {
                self.severity = *to;
                self.response.severity_by_hand = true;
                if to.urgency().is_none() {
                    // What pages nobody has no policy on its way.
                    self.run = None;
                    self.response.is_hushed = false;
                    self.epoch += 1;
                }
            }
            What::ServiceInvolved { service } => {
                self.response.services.insert(service.clone());
            }
            What::StormBegan { policy, .. } => {
                self.response.storm = Some(Storm { policy: policy.clone(), began_at: fact.at, ended_at: None });
            }
            What::StormEnded => {
                if let Some(storm) = &mut self.response.storm {
                    storm.ended_at = Some(fact.at);
                }
            }
            What::IncidentRouted { policy, .. } => self.response.policy.clone_from(policy),
            What::TitleChanged { title } => self.title.clone_from(title),
            What::RoleChanged { role, user: Some(user) } => {
                self.response.roles.insert(*role, user.clone());
            }
            What::RoleChanged { role, user: None } => {
                self.response.roles.remove(role);
            }
            What::TaskAdded { n, .. } => self.response.tasks = *n,
            What::RoomWanted { .. } => self.response.room = Room::Wanted,
            What::RoomOpened { room, name } => self.response.room = Room::Open { room: room.clone(), name: name.clone() },
            What::IncidentSnoozed { until } => {
                if self.state != IncidentState::Acknowledged {
                    self.acknowledged_at = Some(fact.at);
                }
                self.state = IncidentState::Acknowledged;
                self.acknowledged_by = Some(fact.actor.clone());
                self.lapses_at = None;
                self.response.snoozed_until = Some(*until);
                self.response.is_hushed = false;
                self.stop();
            }
            What::ResolveAsked { .. } => self.response.resolve_asked = true,
            What::PolicyStarted { policy, steps, repeat, urgency, .. } => {
                // Nothing has started or stopped before: this is the policy that declaring it began.
                let is_first = self.epoch == FIRST_EPOCH;
                let declarer = self.response.declared_by.as_ref().and_then(Actor::user).filter(|_| is_first).cloned();
                self.trigger();
                self.run = Some(Run {
                    policy: policy.clone(),
                    steps: steps.clone(),
                    repeat: *repeat,
                    urgency: *urgency,
                    round: 0,
                    step: 0,
                    exhausted: false,
                    next_at: None,
                    spared: declarer,
                });
            }
            What::StepStarted { round, step, next_at, .. } => self.at_step(*round, *step, *next_at),
            What::StepSkipped { round, step, .. } => self.at_step(*round, *step, None),
            What::PolicyExhausted => {
                if let Some(run) = &mut self.run {
                    run.exhausted = true;
                    run.next_at = None;
                }
            }
            What::PagedWider { next_at, .. } => {
                if let Some(run) = &mut self.run {
                    run.next_at = Some(*next_at);
                }
            }
            What::PageOpened { page, user, urgency } => {
                self.pages.push(OpenPage { id: page.clone(), user: user.clone(), urgency: *urgency, failed: false });
            }
            What::PageRestarted { page, urgency, .. } => {
                if let Some(page) = self.pages.iter_mut().find(|open| open.id == *page) {
                    page.urgency = *urgency;
                }
            }
            What::PageTakenOver { page, user, urgency, failed, .. } => {
                self.pages.push(OpenPage { id: page.clone(), user: user.clone(), urgency: *urgency, failed: *failed });
                // As they are loaded.
                self.pages.sort_by(|one, other| one.id.cmp(&other.id));
            }
            What::PageAnswered { page, .. } | What::PageEnded { page, .. } | What::PageLeft { page, .. } => {
                self.pages.retain(|open| open.id != *page);
            }
            What::IncidentAcknowledged { lapses_at } => {
                if self.state != IncidentState::Acknowledged {
                    self.acknowledged_at = Some(fact.at);
                }
                self.state = IncidentState::Acknowledged;
                self.acknowledged_by = Some(fact.actor.clone());
                self.lapses_at = *lapses_at;
                self.response.snoozed_until = None;
                self.response.is_hushed = false;
                self.stop();
            }
            What::NoteAdded { text, .. } if matches!(fact.actor, Actor::Integration(_)) => {
                self.response.told_by_senders.insert(text.clone());
            }
            What::AcknowledgementRenewed { lapses_at } => self.lapses_at = *lapses_at,
            What::AcknowledgementLapsed | What::IncidentEscalated | What::SnoozeEnded | What::IncidentReassigned { .. } => self.trigger(),
            What::IncidentResolved { .. } => {
                let by_person = matches!(fact.actor, Actor::User(_) | Actor::Token(_));
                let is_unanswered = self.state == IncidentState::Triggered && !by_person;
                self.response.left_at = self.run.as_ref().filter(|_| is_unanswered).and_then(|run| run.next_at);
                self.end(fact);
                self.close(fact.at);
            }
            What::IncidentMerged { into, .. } => {
                self.response.merged_into = Some(into.incident.clone());
                // One that had gone into another goes along with it.
                if self.state != IncidentState::Resolved {
                    self.end(fact);
                }
            }
            What::IncidentTakenIn { other, held, services, took_in, joined_at, .. } => {
                self.alerts_count += held.alerts;
                self.gain(held);
                self.response.services.extend(services.iter().filter(|service| **service != self.service).cloned());
                self.response.took_in.insert(other.incident.clone());
                self.response.took_in.extend(took_in.iter().cloned());
                self.joined_at = self.joined_at.max(*joined_at);
                self.response.resolve_asked = false;
            }
            What::LinkSuspected { other, is_cause: true } => {
                self.response.causes.insert(other.incident.clone());
            }
            What::EndedWith { .. } => self.close(fact.at),
            What::IncidentSplitOff { other, held, also, .. } => {
                self.alerts_count -= held.alerts;
                self.firing_count -= held.firing;
                self.unsilence(held.silenced);
                self.response.took_in.remove(&other.incident);
                self.response.took_in.retain(|id| !also.contains(id));
            }
            What::IncidentUnmerged { held, .. } => {
                self.response.merged_into = None;
                if held.firing > 0 {
                    self.trigger();
                    self.resolved_at = None;
                    self.resolved_by = None;
                    self.gain(held);
                }
            }
            What::IncidentReopened { .. } => {
                self.trigger();
                self.response.left_at = None;
                self.resolved_at = None;
                self.resolved_by = None;
            }
            // The incident was made of the first; the rest is told of a page and changes nothing that the incident decides by.
            What::IncidentOpened { .. }
            | What::IncidentDeclared { .. }
            | What::AlertsWaited { .. }
            | What::AlertsNew { .. }
            | What::AlertsRising { .. }
            | What::AlertsFlapping { .. }
            | What::AlertsSteady { .. }
            | What::NoteAdded { .. }
            | What::UpdatePosted { .. }
            | What::TaskChanged { .. }
            | What::NoticeWanted { .. }
            | What::LapseAsked { .. }
            | What::PageAsked { .. }
            | What::IntegrationWentSilent { .. }
            | What::MessageDelivered { .. }
            | What::MessageUndelivered { .. }
            | What::ContactClosed { .. }
            | What::IncidentReminded { .. }
            | What::PageFailed { .. }
            | What::PageUnhelpful { .. }
            | What::IncidentSplit { .. }
            | What::LinkSuspected { is_cause: false, .. }
            | What::AttemptPlaced { .. }
            | What::AttemptAccepted { .. }
            | What::AttemptRejected { .. }
            | What::AttemptUnknown { .. }
            | What::AttemptWithdrawn { .. }
            | What::PhoneRang { .. }
            | What::PhonePickedUp { .. }
            | What::CallEnded { .. }
            | What::CallSilent { .. }
            | What::CallHeld { .. } => {}
        }
    }

    /// It is over for those who work on it.
    fn end(&mut self, fact: &Fact) {
        self.state = IncidentState::Resolved;
        self.resolved_at = Some(fact.at);
        self.resolved_by = match &fact.actor {
            Actor::User(_) | Actor::Token(_) => Some(fact.actor.clone()),
            Actor::Integration(_) | Actor::Reveille => None,
        };
        self.firing_count = 0;
        self.unsilence(self.response.silenced_count);
        self.response.is_hushed = false;
        self.lapses_at = None;
        self.response.snoozed_until = None;
        self.response.resolve_asked = false;
        self.stop();
    }

    /// Its alerts are over: past anything that fired since the last end, also within one microsecond, see `Alert::is_firing`.
    fn close(&mut self, at: Time) {
        self.closed_at = Some(self.closed_at.map_or(at, |before| at.max(before + Span(2))));
    }

    /// Alerts that hold are its own from now on, with the silence that lasts longest and what inhibits them.
    fn gain(&mut self, held: &Held) {
        self.firing_count += held.firing;
        self.response.silenced_count += held.silenced;
        let longer = held.silence.as_ref().filter(|more| self.response.silence.as_ref().is_none_or(|own| own.until < more.until));
        if let Some(hush) = longer {
            self.response.silence = Some(hush.clone());
        }
        if self.response.inhibited.is_none() {
            self.response.inhibited.clone_from(&held.inhibited);
        }
    }

    fn trigger(&mut self) {
        self.state = IncidentState::Triggered;
        self.acknowledged_at = None;
        self.acknowledged_by = None;
        self.lapses_at = None;
        self.response.snoozed_until = None;
        self.response.is_hushed = false;
        self.epoch += 1;
    }

    /// What is noise counts as everything does.
    fn noise(&mut self, change: Change, count: i64, silenced: i64, at: Time) {
        match change {
            Change::Joined => {
                self.alerts_count += count;
                self.firing_count += count;
                self.joined_at = at;
                self.response.resolve_asked = false;
            }
            Change::Refired => {
                self.firing_count += count;
                self.response.resolve_asked = false;
            }
            Change::Resolved => {
                self.firing_count -= count;
                self.unsilence(silenced);
            }
        }
    }

    /// As many are silenced no more; without any, no silence is theirs.
    fn unsilence(&mut self, count: i64) {
        self.response.silenced_count -= count;
        if self.response.silenced_count <= 0 {
            self.response.silenced_count = 0;
            self.response.silence = None;
            self.response.inhibited = None;
        }
    }

    /// Paging stops; where the policy stood is kept, so that an escalation can go on from there.
    fn stop(&mut self) {
        self.epoch += 1;
        if let Some(run) = &mut self.run {
            run.next_at = None;
        }
    }

    fn at_step(&mut self, round: u32, step: usize, next_at: Option<Time>) {
        if let Some(run) = &mut self.run {
            run.round = round;
            run.step = step;
            run.next_at = next_at;
        }
    }
}
