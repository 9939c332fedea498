//! A night in miniature for the tests of this room: one service, three people, a clock that jumps to the next due thing.

use std::collections::BTreeMap;

use super::alert::{Alert, AlertState, Key, KeyState, UNREADABLE_KEY};
use super::decide::{Decision, Desk, Moment, State, Verdict, decide};
use super::effect::Effect;
use super::fact::{Fact, What, coalesce};
use super::incident::Incident;
use super::inhibition::{self, Inhibitors};
use super::input::{Act, Action, Actor, CallEnd, Command, Declare, Expiry, Input, News, Report, Scope, Signal, Timer, Via};
use super::matcher::{Matcher, Operator};
use super::merge;
use super::novelty::{self, KindKey, KindState};
use super::person::{Person, PersonPage};
use super::routing::{Routed, route};
use super::setup::{AlertSeverity, Budget, Contact, ContactKind, Integration, Policy, Rule, Service, Setup, Step, Target, Urgency, User};
use super::silence::Silence;
use super::storm::Openings;
use crate::base::id::{AttemptId, IdSource, IncidentId, PageId, PolicyId, SilenceId, UserId};
use crate::base::time::{Span, Time};
use crate::base::viewer::Role;

/// What a telephone does with a call. Whatever it is, it happens at once unless a time is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phone {
    /// Rings for 30 seconds.
    NoAnswer,
    /// A machine picks up and listens for 20 seconds.
    Voicemail,
    /// Never reaches the network: the provider refuses.
    Refused,
    /// The provider does not answer within 10 seconds, and knows of nothing when asked.
    Hangs,
    /// The provider takes it, and nothing is heard of it again.
    Silent,
    /// The courier has it and nothing comes of it.
    Stuck,
    /// Rings and rings: no end is ever told.
    Endless,
    /// A message is accepted and does not arrive.
    Bounces,
}

/// One call as the person sees it: seconds since the start of the night.
pub type Rung = (i64, &'static str, bool);

pub struct Trial {
    pub setup: Setup,
    pub silences: Vec<Silence>,
    pub inhibitors: Inhibitors,
    pub now: Time,
    pub keys: BTreeMap<Key, KeyState>,
    pub incidents: BTreeMap<IncidentId, Incident>,
    pub openings: BTreeMap<PolicyId, Openings>,
    pub kinds: BTreeMap<KindKey, KindState>,
    pub persons: BTreeMap<UserId, Person>,
    pub timers: BTreeMap<(Scope, Timer), Time>,
    pub facts: Vec<Fact>,
    pub placed: Vec<(i64, Effect)>,
    pub ended: Vec<(i64, AttemptId)>,
    pub asked: usize,
    pub phones: BTreeMap<String, Phone>,
    pending: Vec<(Time, AttemptId, News)>,
    seed: u128,
}

const START: i64 = 1_770_000_000;

pub fn voice(id: &str) -> Contact {
    Contact { id: id.into(), kind: ContactKind::Voice, to: "+33600000000".to_owned(), closed: None }
}

pub fn contact(id: &str, kind: ContactKind) -> Contact {
    Contact { kind, ..voice(id) }
}

pub fn rule(urgency: Urgency, after_seconds: i64, contact: &str) -> Rule {
    Rule { urgency, after: Span::seconds(after_seconds), contact: contact.into() }
}

pub fn step(users: &[&str], minutes: Option<i64>) -> Step {
    let target = |name: &&str| if *name == "everyone" { Target::Everyone } else { Target::User((*name).into()) };
    Step { notify: users.iter().map(target).collect(), escalate_after: minutes.map(Span::minutes) }
}

impl Trial {
    /// ana for 5 minutes, then bo; cy is asleep. Each has one telephone, named as they are.
    pub fn new() -> Self {
        let mut setup = Setup::default();
        for id in ["ana", "bo", "cy"] {
            let rules = vec![rule(Urgency::High, 0, id)];
            let user = User {
                id: id.into(),
                name: id.to_owned(),
                email: None,
                timezone: "UTC".to_owned(),
                language: crate::domain::setup::Language::En,
                slack: None,
                role: Role::Responder,
                contacts: vec![voice(id)],
                rules,
            };
            setup.users.insert(id.into(), user);
        }
        let policy = Policy { id: "nights".into(), steps: vec![step(&["ana"], Some(5)), step(&["bo"], Some(5))], repeat: 0, storm: 10 };
        setup.policies.insert("nights".into(), policy);
        setup.services.insert("api".into(), Service::new("api".into(), "nights".into()));
        let integration = Integration {
            id: "bar".into(),
            source: "generic".to_owned(),
            service: "api".into(),
            severity: AlertSeverity::Error,
            heartbeat: None,
            topics: Vec::new(),
            map: None,
            budget: Budget::default(),
        };
        setup.integrations.insert("bar".into(), integration);
        Self {
            setup,
            silences: Vec::new(),
            inhibitors: Inhibitors::new(),
            now: Time::from_seconds(START),
            keys: BTreeMap::new(),
            incidents: BTreeMap::new(),
            openings: BTreeMap::new(),
            kinds: BTreeMap::new(),
            persons: BTreeMap::new(),
            timers: BTreeMap::new(),
            facts: Vec::new(),
            placed: Vec::new(),
            ended: Vec::new(),
            asked: 0,
            phones: BTreeMap::new(),
            pending: Vec::new(),
            seed: 0,
        }
    }

    pub fn steps(mut self, steps: Vec<Step>, repeat: u32) -> Self {
        self.setup.policies.insert("nights".into(), Policy { id: "nights".into(), steps, repeat, storm: 10 });
        self
    }

    pub fn service(&mut self) -> &mut Service {
        self.setup.services.get_mut(&"api".into()).expect("the trial has it")
    }

    /// One more service, and an integration of its name.
    pub fn serves(&mut self, id: &str) {
        self.setup.services.insert(id.into(), Service::new(id.into(), "nights".into()));
        let like = self.setup.integrations[&"bar".into()].clone();
        self.setup.integrations.insert(id.into(), Integration { id: id.into(), service: id.into(), ..like });
    }

    pub fn user(&mut self, id: &str) -> &mut User {
        self.setup.users.get_mut(&id.into()).expect("the trial has them")
    }

    pub fn phone(mut self, contact: &str, phone: Phone) -> Self {
        self.phones.insert(contact.to_owned(), phone);
        self
    }

    // Time.

    pub fn second(&self) -> i64 {
        self.now.since(Time::from_seconds(START)).as_seconds()
    }

    pub fn time(second: i64) -> Time {
        Time::from_seconds(START + second)
    }

    /// Lets everything happen that is due up to this second.
    pub fn until(&mut self, second: i64) {
        let end = Self::time(second);
        let mut steps = 0;
        loop {
            let timer = self.timers.iter().min_by_key(|(_, at)| **at).map(|(name, at)| (*at, name.clone()));
            let news = self.pending.iter().enumerate().min_by_key(|(_, (at, ..))| *at).map(|(n, (at, ..))| (*at, n));
            match (timer, news) {
                (timer, Some((at, n))) if at <= end && timer.as_ref().is_none_or(|(due, _)| at <= *due) => {
                    let (_, attempt, news) = self.pending.remove(n);
                    self.now = self.now.max(at);
                    self.hears(&attempt, news);
                }
                (Some((at, (scope, timer))), _) if at <= end => {
                    self.now = self.now.max(at);
                    self.wakes(scope, timer);
                }
                (Some(_) | None, _) => break,
            }
            steps += 1;
            assert!(steps < 20_000, "the night spins");
        }
        self.now = end;
    }

    // What comes in.

    pub fn signal(&mut self, key: &str, action: Action, severity: Option<AlertSeverity>, at: Option<i64>) -> Verdict {
        self.batch(&[Self::signal_of(key, action, severity, at)]).remove(0)
    }

    pub fn signal_of(key: &str, action: Action, severity: Option<AlertSeverity>, at: Option<i64>) -> Signal {
        Signal {
            integration: "bar".into(),
            dedup_key: key.to_owned(),
            title: format!("{key} is down"),
            severity,
            action,
            at: at.map(Self::time),
            ends_at: None,
            url: None,
            labels: BTreeMap::new(),
        }
    }

    pub fn fires(&mut self, key: &str) -> Verdict {
        self.signal(key, Action::Trigger, None, None)
    }

    /// About another service than the trial's own.
    pub fn fires_for(&mut self, service: &str, key: &str) -> Verdict {
        self.batch(&[Signal { integration: service.into(), ..Self::signal_of(key, Action::Trigger, None, None) }]).remove(0)
    }

    pub fn resolves_for(&mut self, service: &str, key: &str) -> Verdict {
        self.batch(&[Signal { integration: service.into(), ..Self::signal_of(key, Action::Resolve, None, None) }]).remove(0)
    }

    /// Its sender says until when it holds.
    pub fn fires_until(&mut self, key: &str, second: i64) -> Verdict {
        let ends_at = Some(Self::time(second));
        self.batch(&[Signal { ends_at, ..Self::signal_of(key, Action::Trigger, None, None) }]).remove(0)
    }

    pub fn fires_as(&mut self, key: &str, severity: AlertSeverity) -> Verdict {
        self.signal(key, Action::Trigger, Some(severity), None)
    }

    pub fn resolves(&mut self, key: &str) -> Verdict {
        self.signal(key, Action::Resolve, None, None)
    }

    pub fn batch(&mut self, signals: &[Signal]) -> Vec<Verdict> {
        let mut desk = self.desk();
        let routed: Vec<Routed> = signals.iter().map(|signal| route(&self.setup, signal.clone())).collect();
        for kind in novelty::may_begin(&self.setup, &routed.iter().collect::<Vec<_>>(), &desk) {
            desk.kinds.insert(kind.clone(), self.kinds.get(&kind).copied());
        }
        let mut state = State::Desk(desk);
        let mut verdicts = Vec::new();
        let mut facts = Vec::new();
        for signal in signals {
            let decision = self.decided(state, &Input::Signal(route(&self.setup, signal.clone())));
            verdicts.push(decision.verdict.clone());
            state = decision.state.clone();
            facts.extend(decision.facts.clone());
            self.keep(Decision { facts: Vec::new(), ..decision });
        }
        self.learn(coalesce(facts));
        verdicts
    }

    /// The clock looks at this key's alert; `heard_at` is when its integration was last heard of.
    pub fn expires(&mut self, key: &str, heard_at: Option<i64>) -> Verdict {
        let key = Key { integration: "bar".into(), dedup_key: key.to_owned() };
        self.decides(&Input::Expiry(Expiry { key, heard_at: heard_at.map(Self::time) }))
    }

    /// The clock looks at what this key's alert is held for.
    pub fn looks(&mut self, key: &str) -> Verdict {
        self.lets_go(&Key { integration: "bar".into(), dedup_key: key.to_owned() })
    }

    pub fn lets_go(&mut self, key: &Key) -> Verdict {
        self.decides(&Input::Held(key.clone()))
    }

    /// A silence for all alerts of this title, in seconds of the night; the alerts are looked at when it is made.
    pub fn silences(&mut self, title: &str, from: i64, until: i64) -> SilenceId {
        let id = SilenceId::from_text(format!("silence{}", self.silences.len()));
        self.silences.push(Silence {
            id: id.clone(),
            integration: None,
            matchers: vec![Matcher::new("alertname", Operator::Matches, title).expect("it is a pattern")],
            starts_at: Self::time(from),
            ends_at: Self::time(until),
            created_by: "bo".to_owned(),
            comment: "we are at it".to_owned(),
            updated_at: self.now,
        });
        self.covers();
        id
    }

    /// Every alert is held against the silences, as it is when one begins, ends or changes.
    pub fn covers(&mut self) -> Vec<Verdict> {
        self.keys.clone().into_keys().map(|key| self.decides(&Input::Cover(key))).collect()
    }

    fn desk(&self) -> Desk {
        let (keys, incidents, silences) = (self.keys.clone(), self.incidents.clone(), self.silences.clone());
        let inhibitors = self.inhibitors.clone();
        let mut desk = Desk { keys, incidents, silences, inhibitors, openings: self.openings.clone(), ..Desk::default() };
        for service in self.setup.services.keys() {
            for (group, home) in merge::open_homes(&self.incidents, service) {
                desk.newest.insert(service.clone(), home.id.clone());
                desk.groups.insert((service.clone(), group.cloned()), home.id.clone());
            }
        }
        for alert in self.keys.values().filter_map(|state| state.alert.as_ref()) {
            if !desk.holds(alert) {
                continue;
            }
            let holding = desk.holding.entry(alert.incident.clone().unwrap_or_else(|| IncidentId::from_text("inc_none"))).or_default();
            holding.firing += 1;
            holding.silenced += i64::from(alert.state == AlertState::Suppressed);
        }
        desk
    }

    pub fn alert(&self, key: &str) -> &Alert {
        let key = Key { integration: "bar".into(), dedup_key: key.to_owned() };
        self.keys[&key].alert.as_ref().expect("it fired")
    }

    pub fn declares(&mut self, declare: &Declare) -> Verdict {
        self.decides(&Input::Declare(declare.clone()))
    }

    fn decides(&mut self, input: &Input) -> Verdict {
        let decision = self.decided(State::Desk(self.desk()), input);
        let verdict = decision.verdict.clone();
        self.save(decision);
        verdict
    }

    pub fn asks(&mut self, who: &str, act: Act) -> Verdict {
        let incident = self.incident().id.clone();
        self.asks_on(who, act, &incident)
    }

    pub fn asks_on(&mut self, who: &str, act: Act, incident: &IncidentId) -> Verdict {
        self.obeys(Actor::User(who.into()), act, incident)
    }

    /// A script asks, about the newest incident.
    pub fn script(&mut self, act: Act) -> Verdict {
        let incident = self.incident().id.clone();
        self.obeys(Actor::Token("cron".to_owned()), act, &incident)
    }

    pub fn obeys(&mut self, actor: Actor, act: Act, incident: &IncidentId) -> Verdict {
        let desk = self.desk();
        let command = Command { incident: incident.clone(), actor, via: Via::Web, act };
        let decision = self.decided(State::Desk(desk), &Input::Command(command));
        let verdict = decision.verdict.clone();
        self.save(decision);
        verdict
    }

    pub fn hears(&mut self, attempt: &AttemptId, news: News) {
        let user = self.placed.iter().find_map(|(_, effect)| match effect {
            Effect::PlacePage { attempt: id, user, .. } if id == attempt => Some(user.clone()),
            _ => None,
        });
        let person = self.person(&user.expect("it was placed"));
        let decision = self.decided(State::Person(person), &Input::Report(Report { attempt: attempt.clone(), news }));
        self.save(decision);
    }

    pub fn wakes(&mut self, scope: Scope, timer: Timer) -> Verdict {
        self.timers.remove(&(scope.clone(), timer));
        if scope == inhibition::scope() {
            let (keys, incidents) = (&self.keys, &self.incidents);
            self.inhibitors.retain(|_, one| {
                let alert = keys.get(&one.key).and_then(|state| state.alert.as_ref()).filter(|alert| alert.id == one.alert);
                alert.is_some_and(|alert| alert.holds(alert.incident.as_ref().and_then(|id| incidents.get(id))))
            });
            self.covers();
            return Verdict::nothing();
        }
        let state = match &scope {
            Scope::Incident(_) => State::Desk(Desk { incidents: self.incidents.clone(), ..Desk::default() }),
            Scope::Person(id) => State::Person(self.person(id)),
            Scope::Silence(_) => State::Desk(Desk::default()),
        };
        let decision = self.decided(state, &Input::Wake { scope, timer });
        let verdict = decision.verdict.clone();
        self.save(decision);
        verdict
    }

    fn person(&self, id: &UserId) -> Person {
        self.persons.get(id).cloned().unwrap_or_else(|| Person::new(id.clone()))
    }

    fn decided(&mut self, state: State, input: &Input) -> Decision {
        self.seed += 1_000;
        let mut moment = Moment { at: self.now, ids: IdSource::new(self.now, self.seed) };
        decide(state, input, &self.setup, &mut moment)
    }

    // What goes out.

    fn save(&mut self, mut decision: Decision) {
        let facts = std::mem::take(&mut decision.facts);
        self.keep(decision);
        self.learn(facts);
    }

    fn keep(&mut self, decision: Decision) {
        match decision.state {
            State::Desk(desk) => {
                // A command sees none of them.
                if !desk.keys.is_empty() {
                    self.inhibitors = desk.inhibitors;
                }
                self.keys.extend(desk.keys);
                self.incidents.extend(desk.incidents);
                self.openings.extend(desk.openings);
                self.kinds.extend(desk.kinds.into_iter().filter_map(|(key, state)| Some((key, state?))));
            }
            State::Person(person) => {
                self.persons.insert(person.id.clone(), person);
            }
        }
        for set in decision.timers {
            match set.due_at {
                Some(at) => self.timers.insert((set.scope, set.timer), at),
                None => self.timers.remove(&(set.scope, set.timer)),
            };
        }
        for effect in decision.effects {
            self.carry(effect);
        }
    }

    fn learn(&mut self, facts: Vec<Fact>) {
        for fact in &facts {
            match &fact.what {
                What::PageOpened { page, user, urgency } => {
                    let row = PersonPage {
                        id: page.clone(),
                        incident: fact.incident.clone(),
                        urgency: *urgency,
                        starts: 1,
                        started_at: fact.at,
                        wanted: true,
                        plan: Vec::new(),
                        planned_for: 0,
                        tried: Vec::new(),
                        failed: false,
                        reached: Vec::new(),
                    };
                    self.persons.entry(user.clone()).or_insert_with(|| Person::new(user.clone())).pages.push(row);
                }
                What::PageRestarted { page, user, urgency } => self.on_page(user, page, |row| {
                    row.starts += 1;
                    row.started_at = fact.at;
                    row.urgency = *urgency;
                }),
                What::PageTakenOver { page, user, .. } => self.on_page(user, page, |row| row.incident = fact.incident.clone()),
                What::PageAnswered { page, user } | What::PageEnded { page, user, .. } => {
                    self.on_page(user, page, |row| row.wanted = false);
                }
                _ => {}
            }
        }
        self.facts.extend(facts);
    }

    fn on_page(&mut self, user: &UserId, page: &PageId, change: impl FnOnce(&mut PersonPage)) {
        let rows = self.persons.get_mut(user).map(|person| person.pages.iter_mut());
        if let Some(row) = rows.into_iter().flatten().find(|row| &row.id == page) {
            change(row);
        }
    }

    fn carry(&mut self, effect: Effect) {
        let second = self.second();
        let now = self.now;
        let mut later =
            |seconds: i64, attempt: &AttemptId, news: News| self.pending.push((now + Span::seconds(seconds), attempt.clone(), news));
        let accepted = News::Accepted { provider_id: "CA1".to_owned() };
        match &effect {
            Effect::PlacePage { attempt, contact, kind, .. } => {
                match self.phones.get(contact.as_str()).copied().unwrap_or(Phone::NoAnswer) {
                    Phone::NoAnswer if *kind == ContactKind::Sms => {
                        later(0, attempt, accepted);
                        later(2, attempt, News::Delivered);
                    }
                    Phone::NoAnswer | Phone::Voicemail | Phone::Endless if !kind.is_call() => later(0, attempt, accepted),
                    Phone::Bounces => {
                        later(0, attempt, accepted);
                        later(3, attempt, News::Undelivered { reason: "unreachable".to_owned() });
                    }
                    Phone::NoAnswer => {
                        later(0, attempt, accepted);
                        later(0, attempt, News::Ringing);
                        later(30, attempt, News::Ended(CallEnd::NoAnswer));
                    }
                    Phone::Voicemail => {
                        later(0, attempt, accepted);
                        later(0, attempt, News::Ringing);
                        later(15, attempt, News::PickedUp);
                        later(35, attempt, News::Ended(CallEnd::Completed));
                    }
                    Phone::Refused => later(0, attempt, News::Rejected { reason: "no".to_owned() }),
                    Phone::Hangs => later(10, attempt, News::Unknown { reason: "no answer".to_owned() }),
                    Phone::Silent => later(0, attempt, accepted),
                    Phone::Stuck => {}
                    Phone::Endless => {
                        later(0, attempt, accepted);
                        later(0, attempt, News::Ringing);
                    }
                }
                self.placed.push((second, effect));
            }
            Effect::AskProvider { attempt, contact, .. } => {
                self.asked += 1;
                if self.phones.get(contact.as_str()) == Some(&Phone::Hangs) {
                    later(0, attempt, News::NotFound { reason: "no such call".to_owned() });
                }
            }
            Effect::EndCall { attempt, .. } => {
                self.pending.retain(|(_, id, _)| id != attempt);
                let attempt = attempt.clone();
                self.pending.push((now, attempt.clone(), News::Ended(CallEnd::Canceled)));
                self.ended.push((second, attempt));
            }
        }
    }

    // What is seen.

    /// The only incident, or the newest.
    pub fn incident(&self) -> &Incident {
        self.incidents.values().max_by_key(|incident| (incident.opened_at, incident.id.clone())).expect("an incident has opened")
    }

    /// Every call so far: when, to which telephone, and whether it was a repeat.
    pub fn calls(&self) -> Vec<(i64, String, bool)> {
        let call = |(second, effect): &(i64, Effect)| match effect {
            Effect::PlacePage { contact, second_call, .. } => Some((*second, contact.to_string(), *second_call)),
            Effect::AskProvider { .. } | Effect::EndCall { .. } => None,
        };
        self.placed.iter().filter_map(call).collect()
    }

    #[track_caller]
    pub fn has_rung(&self, expected: &[Rung]) {
        let expected: Vec<_> = expected.iter().map(|(at, contact, again)| (*at, (*contact).to_owned(), *again)).collect();
        assert_eq!(self.calls(), expected);
    }

    pub fn last_call(&self) -> AttemptId {
        self.placed.last().expect("a call was placed").1.attempt().clone()
    }

    /// The kinds of the facts since the start, without those of single attempts.
    pub fn timeline(&self) -> Vec<&'static str> {
        let told = |fact: &&Fact| !["attempt_", "phone_", "call_", "page_"].iter().any(|prefix| fact.what.kind().starts_with(prefix));
        self.facts.iter().filter(told).map(|fact| fact.what.kind()).collect()
    }

    pub fn count(&self, kind: &str) -> usize {
        self.facts.iter().filter(|fact| fact.what.kind() == kind).count()
    }

    pub fn seconds_of(&self, kind: &str) -> Vec<i64> {
        let since = |fact: &Fact| fact.at.since(Time::from_seconds(START)).as_seconds();
        self.facts.iter().filter(|fact| fact.what.kind() == kind).map(since).collect()
    }

    pub fn unreadable(&mut self) -> Verdict {
        self.signal(UNREADABLE_KEY, Action::Unreadable("not JSON".to_owned()), None, None)
    }
}
