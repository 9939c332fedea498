//! The one door of the law: a state, an input, the setup and the moment give facts, effects, timers and a reason.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Key, KeyState, UNREADABLE_KEY};
use super::effect::Effect;
use super::fact::{Fact, What};
use super::group::{self, Group};
use super::incident::{Incident, Kind};
use super::inhibition::{self, Inhibitors};
use super::input::{Actor, Expiry, Input, Scope, Timer};
use super::merge::{self, Holding, Symptoms};
use super::novelty::{KindKey, KindState};
use super::person::Person;
use super::reason::Reason;
use super::routing::Routed;
use super::setup::Setup;
use super::silence::Silence;
use super::storm::Openings;
use super::task::Task;
use super::{command, declare, ending, escalation, grouping, hold, page, silence, storm};
use crate::base::id::{AlertId, IdSource, IncidentId, PolicyId, ServiceId, UserId};
use crate::base::time::Time;

/// When the decision is made, and where its new ids come from.
#[derive(Debug, Clone)]
pub struct Moment {
    pub at: Time,
    pub ids: IdSource,
}

impl Moment {
    /// Now, with fresh ids.
    #[must_use]
    pub fn fresh(at: Time) -> Self {
        Self { at, ids: IdSource::fresh(at) }
    }
}

/// The rows that one transaction has locked: a service's desk, or one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Desk(Desk),
    Person(Person),
}

/// The keys that signals name and the incidents they may touch; or, for a command or a wake-up, just one incident.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desk {
    pub keys: BTreeMap<Key, KeyState>,
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// The newest open incident of each service, where there is one.
    pub newest: BTreeMap<ServiceId, IncidentId>,
    /// The newest open incident of each group that was asked for, of services that group by more than time.
    pub groups: BTreeMap<(ServiceId, Option<Group>), IncidentId>,
    /// How fast the incidents open of each policy that was asked for and is not all new.
    pub openings: BTreeMap<PolicyId, Openings>,
    /// The kinds of which alerts may begin here: how often each was heard of, `None` for never.
    pub kinds: BTreeMap<KindKey, Option<KindState>>,
    /// Alerts that gave way to a newer one of their key while this batch was decided: they are saved beside the keys' own.
    pub past: Vec<Alert>,
    /// The silences in force that may cover these keys' alerts; a decision about an incident alone needs none.
    pub silences: Vec<Silence>,
    /// What fires and may inhibit these keys' alerts, and what these inhibit themselves.
    pub inhibitors: Inhibitors,
    /// The board of the one incident that a command about tasks is for, by number.
    pub tasks: BTreeMap<i64, Task>,
    /// How many alerts hold of each incident that is to come out of another again.
    pub holding: BTreeMap<IncidentId, Holding>,
}

/// What else a desk has to hold, once its keys are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Groups of services that group by more than time: the newest open incident of each.
    pub groups: BTreeSet<(ServiceId, Option<Group>)>,
    /// Policies by which incidents may open: how fast they do, and the umbrella of a storm.
    pub policies: BTreeSet<PolicyId>,
    /// What fires and inhibits, where there are rules.
    pub inhibitions: inhibition::Wanted,
    /// What an incident that opens may take in.
    pub symptoms: Symptoms,
}

impl Wanted {
    /// For a decision on these signals, or on these keys alone.
    #[must_use]
    pub fn by(setup: &Setup, signals: &[&Routed], keys: &BTreeMap<Key, KeyState>, now: Time) -> Self {
        let mut wanted = Self { inhibitions: inhibition::Wanted::by(setup, signals, keys), ..Self::default() };
        let mut services = BTreeSet::new();
        grouping::may_open(setup, signals, keys, |service, routed| {
            if service.group_by.is_some() {
                wanted.groups.insert((service.id.clone(), group::of(setup, service, routed)));
            }
            wanted.policies.insert(storm::policy_of(service, routed).clone());
            services.insert(service.id.clone());
        });
        wanted.symptoms = Symptoms::of(setup, &services, now);
        wanted.policies.retain(|policy| setup.policies.get(policy).is_none_or(|policy| policy.storm > 0));
        wanted
    }
}

/// What follows from one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The rows as they are now.
    pub state: State,
    pub facts: Vec<Fact>,
    pub effects: Vec<Effect>,
    pub timers: Vec<SetTimer>,
    pub verdict: Verdict,
}

/// Sets, moves or (with `None`) clears one wake-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetTimer {
    pub scope: Scope,
    pub timer: Timer,
    pub due_at: Option<Time>,
}

/// The answer to whoever brought the input: what became of it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    pub reason: Reason,
    pub alert: Option<AlertId>,
    pub incident: Option<IncidentId>,
}

/// What became of a signal. Every accepted signal ends in exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Opened,
    Repeated,
    Resolved,
    Reopened,
    Folded,
    Acknowledged,
    Suppressed,
    Ignored,
    Recorded,
    Unreadable,
}

impl Outcome {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
            Self::Folded => "folded",
            Self::Acknowledged => "acknowledged",
            Self::Suppressed => "suppressed",
            Self::Ignored => "ignored",
            Self::Recorded => "recorded",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Decides one input. Total: an input that does not fit the state changes nothing and says so.
#[must_use]
pub fn decide(state: State, input: &Input, policy: &Setup, moment: &mut Moment) -> Decision {
    match state {
        State::Desk(desk) => {
            let mut draft = Draft::new(desk, policy, moment);
            let verdict = match input {
                Input::Signal(signal) => grouping::signal(&mut draft, signal),
                Input::Command(command) => command::obey(&mut draft, command),
                Input::Declare(declare) => declare::declare(&mut draft, declare),
                Input::Expiry(expiry) => ending::expire(&mut draft, expiry),
                Input::Cover(key) => silence::cover(&mut draft, key),
                Input::Held(key) => hold::end(&mut draft, key),
                Input::Wake { scope: Scope::Incident(incident), timer } => escalation::wake(&mut draft, incident, *timer),
                Input::Wake { scope: Scope::Person(_) | Scope::Silence(_), .. } | Input::Report(_) => Verdict::nothing(),
            };
            if !(policy.inhibitions.is_empty() && draft.desk.inhibitors.is_empty()) {
                keys_of(input).iter().flatten().for_each(|key| inhibition::see(&mut draft, key));
            }
            draft.decision(verdict)
        }
        State::Person(person) => match input {
            Input::Report(report) => page::report(person, report, policy, moment),
            Input::Wake { scope: Scope::Person(_), .. } => page::attend(person, policy, moment),
            Input::Wake { scope: Scope::Incident(_) | Scope::Silence(_), .. }
            | Input::Signal(_)
            | Input::Command(_)
            | Input::Declare(_)
            | Input::Expiry(_)
            | Input::Cover(_)
            | Input::Held(_) => Decision {
                state: State::Person(person),
                facts: Vec::new(),
                effects: Vec::new(),
                timers: Vec::new(),
                verdict: Verdict::nothing(),
            },
        },
    }
}

/// The keys whose alerts an input may begin or end.
fn keys_of(input: &Input) -> [Option<Key>; 2] {
    match input {
        Input::Signal(routed) => {
            let of = |dedup_key: &str| Some(Key { integration: routed.signal.integration.clone(), dedup_key: dedup_key.to_owned() });
            [of(&routed.signal.dedup_key), of(UNREADABLE_KEY)]
        }
        Input::Expiry(Expiry { key, .. }) | Input::Cover(key) | Input::Held(key) => [Some(key.clone()), None],
        Input::Command(_) | Input::Declare(_) | Input::Report(_) | Input::Wake { .. } => [None, None],
    }
}

impl Verdict {
    /// Nothing was due.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { outcome: Outcome::Ignored, reason: Reason::NothingDue, alert: None, incident: None }
    }

    pub(super) const fn of(outcome: Outcome, reason: Reason) -> Self {
        Self { outcome, reason, alert: None, incident: None }
    }

    pub(super) fn about(mut self, alert: Option<AlertId>, incident: Option<IncidentId>) -> Self {
        self.alert = alert;
        self.incident = incident;
        self
    }
}

/// A decision on a desk while it is being made: each fact is folded in as it is recorded, so that what follows sees it.
pub(super) struct Draft<'a> {
    pub desk: Desk,
    pub setup: &'a Setup,
    pub moment: &'a mut Moment,
    facts: Vec<Fact>,
    timers: Vec<SetTimer>,
}

impl<'a> Draft<'a> {
    fn new(desk: Desk, setup: &'a Setup, moment: &'a mut Moment) -> Self {
        Self { desk, setup, moment, facts: Vec::new(), timers: Vec::new() }
    }

    pub const fn now(&self) -> Time {
        self.moment.at
    }

    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.desk.incidents.get(id)
    }

    /// Records that this happened to the incident, now.
    pub fn record(&mut self, incident: &IncidentId, actor: &Actor, what: What) {
        let fact = Fact { incident: incident.clone(), at: self.moment.at, actor: actor.clone(), what };
        if let Some(row) = self.desk.incidents.get_mut(incident) {
            row.fold(&fact);
            match &fact.what {
                What::TaskChanged { n, change, .. } => {
                    if let Some(task) = self.desk.tasks.get_mut(n) {
                        task.fold(fact.at, change);
                    }
                }
                _ => self.desk.tasks.extend(Task::from_first(&fact).map(|task| (task.n, task))),
            }
        } else if let Some(row) = Incident::from_first(&fact) {
            if row.kind == Kind::Real && row.has_service() && row.response.split_from.is_none() {
                self.desk.newest.insert(row.service.clone(), row.id.clone());
                self.desk.groups.insert((row.service.clone(), row.response.group.clone()), row.id.clone());
            }
            self.desk.incidents.insert(row.id.clone(), row);
        }
        self.facts.push(fact);
    }

    /// The same of every service that alerts of this incident's may be about: its own, and those of what went into it.
    pub fn find_newest_of(&mut self, id: &IncidentId) {
        let Some(incident) = self.incident(id) else { return };
        let brought = incident.response.took_in.iter().filter_map(|id| self.incident(id));
        let services: BTreeSet<ServiceId> = brought.map(|one| one.service.clone()).chain([incident.service.clone()]).collect();
        for service in services {
            self.find_newest(&service);
        }
    }

    /// The desk's newest open incidents of this service, after one of them ended or came back.
    pub fn find_newest(&mut self, service: &ServiceId) {
        let Desk { incidents, newest, groups, .. } = &mut self.desk;
        newest.remove(service);
        groups.retain(|(of, _), _| of != service);
        for (group, home) in merge::open_homes(incidents, service) {
            newest.insert(service.clone(), home.id.clone());
            groups.insert((service.clone(), group.cloned()), home.id.clone());
        }
    }

    pub fn set(&mut self, incident: &IncidentId, timer: Timer, due_at: Option<Time>) {
        self.timers.push(SetTimer { scope: Scope::Incident(incident.clone()), timer, due_at });
    }

    pub fn wake(&mut self, set: SetTimer) {
        self.timers.push(set);
    }

    /// The person's own transaction looks at their pages now.
    pub fn nudge(&mut self, user: &UserId) {
        self.timers.push(SetTimer { scope: Scope::Person(user.clone()), timer: Timer::Attend, due_at: Some(self.moment.at) });
    }

    fn decision(self, verdict: Verdict) -> Decision {
        Decision { state: State::Desk(self.desk), facts: self.facts, effects: Vec::new(), timers: last_of_each(self.timers), verdict }
    }
}

/// Of several settings of one timer in one decision the last one counts.
fn last_of_each(timers: Vec<SetTimer>) -> Vec<SetTimer> {
    let mut last: BTreeMap<(Scope, Timer), Option<Time>> = BTreeMap::new();
    for SetTimer { scope, timer, due_at } in timers {
        last.insert((scope, timer), due_at);
    }
    last.into_iter().map(|((scope, timer), due_at)| SetTimer { scope, timer, due_at }).collect()
}
