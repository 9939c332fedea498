//! The world around `decide`: a store, the flows over it, senders, a provider and people, all driven by one seed.

use std::collections::{BTreeMap, BTreeSet};

use reveille::base::id::{AlertId, AttemptId, IdSource, IncidentId, IntegrationId, Number, PolicyId, ServiceId, SilenceId, UserId};
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState, Key as AlertKey, KeyState, UNREADABLE_KEY};
use reveille::domain::decide::{Desk, Moment, SetTimer, State, Verdict, Wanted, decide};
use reveille::domain::effect::Effect;
use reveille::domain::fact::{Fact, coalesce};
use reveille::domain::incident::{Incident, IncidentRole, Kind};
use reveille::domain::inhibition::Inhibitors;
use reveille::domain::input::{Act, Actor, Command, Declare, Expiry, Input, News, Report, Scope, Signal, Timer, Via, Whom};
use reveille::domain::novelty::{KindKey, KindState};
use reveille::domain::person::Person;
use reveille::domain::routing::route;
use reveille::domain::setup::{ContactKind, Setup, Severity};
use reveille::domain::silence::Silence;
use reveille::domain::storm::Openings;

use super::dice::Dice;
use super::plant::Bug;
use super::provider::{self, Call, Fate, Key, Line, Mood, Turn};
use super::watch::Watch;
use super::{cast, explained, novel, page};

/// A world that has not come to rest after this many steps never will.
const MOST_STEPS: usize = 60_000;
/// How long the telephone company may take to answer before the courier stops waiting.
const HANG: Span = Span::seconds(10);

/// What the database holds.
#[derive(Debug)]
pub struct Rows {
    pub now: Time,
    pub setup: Setup,
    pub keys: BTreeMap<AlertKey, KeyState>,
    pub alerts: BTreeMap<AlertId, Alert>,
    pub incidents: BTreeMap<IncidentId, Incident>,
    pub openings: BTreeMap<PolicyId, Openings>,
    pub kinds: BTreeMap<KindKey, KindState>,
    pub persons: BTreeMap<UserId, Person>,
    pub silences: BTreeMap<SilenceId, Silence>,
    /// Those of which everything knows that they are over.
    pub told: BTreeSet<SilenceId>,
    pub(super) silences_made: usize,
    pub inhibitors: Inhibitors,
    pub timers: BTreeMap<(Scope, Timer), Time>,
    pub outbox: Vec<Row>,
    /// When each integration was last heard of.
    heard: BTreeMap<IntegrationId, Time>,
    numbers: i64,
}

/// One row of the outbox.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: u64,
    pub effect: Effect,
    /// Nobody else claims it before.
    free_at: Time,
    /// The intent is committed: the request leaves, or has left.
    pub intent: bool,
}

/// What comes to the server from outside, or from what its own process holds in memory.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Signals(Vec<Signal>),
    Command(Command),
    /// The courier has rendered the words and commits its intent.
    Intent(u64),
    /// The request is answered, or is not.
    Outcome(u64, News),
    Line(AttemptId, Turn),
    Callback(AttemptId, News),
    /// Somebody does something on the web or by a script.
    Somebody,
    /// Somebody says that there is an incident.
    Declares,
    /// Somebody makes or ends a silence.
    Silences,
    /// The sweeper looks for alerts whose time is over.
    Sweep,
    Restart(Span),
    /// The machine stands still, and nobody tells the process.
    Freeze(Span),
    SetupChanges,
    PutRight,
    /// Windows of maintenance are looked at.
    Maintenance,
    Mood(Mood),
    /// People resolve what has been open for longer than this.
    ClearsUp(Span),
    Forget,
    Calm,
    LastOrders,
}

#[derive(Debug)]
struct Scheduled {
    event: Event,
    /// Lost when the process ends.
    process: Option<u32>,
}

pub struct World {
    pub rows: Rows,
    pub watch: Watch,
    pub steps: usize,
    pub(super) most_steps: usize,
    pub(super) first_setup: Setup,
    pub(super) dice: Dice,
    /// No silence lasts longer: by the end everything is heard again.
    pub(super) silent_until: Time,
    pub(super) mood: Mood,
    events: BTreeMap<(Time, u64), Scheduled>,
    pub(super) calls: BTreeMap<AttemptId, Call>,
    pub(super) lies: Vec<AttemptId>,
    process: u32,
    pub crashes: usize,
    pub(super) down_until: Time,
    counter: u64,
    bug: Option<Bug>,
    trace: bool,
}

impl World {
    pub fn new(seed: u64, bug: Option<Bug>, trace: bool) -> Self {
        let mut world = Self::empty(seed, bug, trace);
        world.write_the_play(world.rows.now);
        world
    }

    /// One in which nothing will happen.
    pub(super) fn empty(seed: u64, bug: Option<Bug>, trace: bool) -> Self {
        let mut dice = Dice::new(seed);
        let start = Time::from_seconds(1_767_600_000 + dice.between(0, 86_400));
        let setup = cast::setup(&mut dice);
        let rows = Rows {
            now: start,
            kinds: novel::known(&mut dice, &setup, start),
            setup,
            keys: BTreeMap::new(),
            alerts: BTreeMap::new(),
            incidents: BTreeMap::new(),
            openings: BTreeMap::new(),
            persons: BTreeMap::new(),
            silences: BTreeMap::new(),
            told: BTreeSet::new(),
            silences_made: 0,
            inhibitors: Inhibitors::new(),
            timers: BTreeMap::new(),
            outbox: Vec::new(),
            heard: BTreeMap::new(),
            numbers: 0,
        };
        let mood = Mood::any(&mut dice);
        Self {
            first_setup: rows.setup.clone(),
            rows,
            watch: Watch::new(start),
            steps: 0,
            most_steps: MOST_STEPS,
            dice,
            silent_until: start,
            mood,
            events: BTreeMap::new(),
            calls: BTreeMap::new(),
            lies: Vec::new(),
            process: 0,
            crashes: 0,
            down_until: start,
            counter: 0,
            bug,
            trace,
        }
    }

    /// Lives until nothing is left to happen.
    pub fn run(&mut self) -> Result<(), String> {
        if self.trace {
            println!("{:#?}\n{:#?}", self.rows.setup, self.mood);
        }
        while self.step()? {
            self.steps += 1;
            if self.steps > self.most_steps {
                return Err(format!(
                    "the world does not come to rest: {} timers, {} effects",
                    self.rows.timers.len(),
                    self.rows.outbox.len()
                ));
            }
        }
        Watch::at_rest(&self.rows)
    }

    pub(super) fn schedule(&mut self, at: Time, event: Event) {
        self.counter += 1;
        self.events.insert((at, self.counter), Scheduled { event, process: None });
    }

    /// Something only this process knows of.
    fn remember(&mut self, at: Time, event: Event) {
        self.counter += 1;
        self.events.insert((at, self.counter), Scheduled { event, process: Some(self.process) });
    }

    // Time.

    /// Lets the next thing happen. False when nothing is left.
    fn step(&mut self) -> Result<bool, String> {
        let event = self.events.keys().next().copied();
        let awake = |at: Time| at.max(self.down_until);
        let timer = self.rows.timers.iter().min_by_key(|(_, at)| **at).map(|(name, at)| (name.clone(), awake(*at)));
        let row = self.rows.outbox.iter().min_by_key(|row| row.free_at).map(|row| (row.id, awake(row.free_at)));
        let held = self.next_held().map(awake);
        let nexts = [event.map(|(at, _)| at), timer.as_ref().map(|(_, at)| *at), row.map(|(_, at)| at), held];
        let Some(next) = nexts.iter().flatten().min().copied() else { return Ok(false) };
        // Workers come in any order, and a little late.
        let now = self.rows.now.max(next);
        let able: Vec<usize> = (0..4).filter(|n| nexts[*n].is_some_and(|at| at <= now)).collect();
        let chosen = *self.dice.pick(&able);
        self.rows.now = now + if chosen == 0 { Span::ZERO } else { self.dice.millis(0, 20) };
        match (chosen, event, timer, row) {
            (0, Some(at), _, _) => {
                let scheduled = self.events.remove(&at).ok_or("an event vanished")?;
                if scheduled.process.is_none_or(|process| process == self.process) {
                    self.happen(scheduled.event)?;
                }
            }
            (1, _, Some(((scope, timer), _)), _) => self.wake(scope, timer)?,
            (3, _, _, _) => self.lets_go()?,
            (_, _, _, Some((id, _))) => self.claim(id)?,
            (_, _, _, None) => return Err("nothing was chosen".to_owned()),
        }
        self.watch.look(&self.rows, self.down_until)?;
        Ok(true)
    }

    pub(super) fn is_down(&self) -> bool {
        self.rows.now < self.down_until
    }

    pub(super) fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{} {}", self.rows.now, what());
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        let now = self.rows.now;
        match event {
            Event::Signals(signals) => {
                // A server that is down accepts nothing: the sender comes back.
                if self.is_down() {
                    let again = self.down_until + self.dice.millis(0, 30_000);
                    self.schedule(again, Event::Signals(signals));
                    return Ok(());
                }
                self.ingest(&signals)
            }
            Event::Command(command) => {
                if self.is_down() {
                    Ok(())
                } else {
                    self.obey(command)
                }
            }
            Event::Intent(row) => self.intend(row),
            Event::Outcome(row, news) => self.learn(row, news),
            Event::Line(attempt, turn) => {
                self.line(&attempt, turn);
                Ok(())
            }
            Event::Callback(attempt, news) => {
                if self.is_down() {
                    Ok(())
                } else {
                    self.report(&attempt, news)
                }
            }
            Event::Somebody => self.somebody(),
            Event::Declares => self.declares(),
            Event::Silences => self.silences(),
            Event::Sweep => self.sweep(),
            Event::Restart(span) => {
                self.say(|| format!("RESTART, away for {span}"));
                self.process += 1;
                self.crashes += 1;
                self.down_until = now + span;
                // The leases of this process are taken back at once.
                self.rows.outbox.iter_mut().for_each(|row| row.free_at = row.free_at.min(now + span));
                Ok(())
            }
            Event::Freeze(span) => {
                self.freeze(span);
                Ok(())
            }
            Event::SetupChanges => {
                self.change_the_setup();
                Ok(())
            }
            Event::PutRight => {
                self.put_right(&self.first_setup.clone());
                Ok(())
            }
            Event::Maintenance => {
                self.lay();
                Ok(())
            }
            Event::Mood(mood) => {
                self.say(|| format!("{mood:?}"));
                self.mood = mood;
                Ok(())
            }
            Event::ClearsUp(old) => {
                if self.is_down() {
                    return Ok(());
                }
                let opened_before = now - old;
                self.resolve_open(|incident| incident.opened_at <= opened_before)
            }
            Event::Forget => {
                self.forget();
                Ok(())
            }
            Event::Calm => {
                self.say(|| "CALM".to_owned());
                self.mood = Mood::calm();
                // The windows are taken out, and their turns end.
                self.rows.setup.maintenance.clear();
                self.lay();
                Ok(())
            }
            Event::LastOrders => self.last_orders(),
        }
    }

    fn somebody(&mut self) -> Result<(), String> {
        let incidents: Vec<IncidentId> = self.rows.incidents.keys().cloned().collect();
        let users: Vec<UserId> = self.rows.setup.users.keys().cloned().collect();
        if self.is_down() || incidents.is_empty() || users.is_empty() {
            return Ok(());
        }
        if self.dice.percent(30) {
            return self.regroups();
        }
        let actor = if self.dice.percent(70) { Actor::User(self.dice.pick(&users).clone()) } else { Actor::Token("ops".to_owned()) };
        let user = self.dice.pick(&users).clone();
        let whom = match self.dice.below(4) {
            0 => Whom::Everyone,
            1 => Whom::Policy("policy0".into()),
            _ => Whom::User(user.clone()),
        };
        let until = self.rows.now + self.dice.millis(-60_000, 1_800_000);
        let act = match self.dice.below(14) {
            0..=1 => Act::Acknowledge,
            2 => Act::Resolve,
            3 => Act::Escalate,
            4 => Act::Reopen,
            5 => Act::Unhelpful,
            6..=7 => Act::Snooze { until },
            8..=9 => Act::Reassign { to: user },
            10 => Act::Page { whom },
            11 => Act::SetSeverity { to: *self.dice.pick(&Severity::ALL) },
            12 => Act::SetRole { role: IncidentRole::Lead, user: Some(user) },
            _ => Act::AddNote { text: "looking".to_owned(), at: None },
        };
        let incident = self.dice.pick(&incidents).clone();
        self.obey(Command { incident, actor, via: Via::Web, act })
    }

    fn declares(&mut self) -> Result<(), String> {
        let users: Vec<UserId> = self.rows.setup.users.keys().cloned().collect();
        let services: Vec<ServiceId> = self.rows.setup.services.keys().cloned().collect();
        if self.is_down() || users.is_empty() {
            return Ok(());
        }
        let recorded: Vec<Alert> = self.rows.keys.values().filter_map(|key| key.alert.clone()).collect();
        let alert = if recorded.is_empty() || self.dice.percent(40) { None } else { Some(self.dice.pick(&recorded).clone()) };
        let mut desk = self.rows.bare_desk();
        if let Some(state) = alert.as_ref().and_then(|alert| self.rows.keys.get(&alert.key)) {
            desk.keys.insert(state.key.clone(), state.clone());
        }
        let declare = Declare {
            actor: if self.dice.percent(80) { Actor::User(self.dice.pick(&users).clone()) } else { Actor::Token("ops".to_owned()) },
            via: Via::Slack,
            title: "something is odd".to_owned(),
            severity: if self.dice.percent(50) { None } else { Some(*self.dice.pick(&Severity::ALL)) },
            service: if services.is_empty() || self.dice.percent(30) { None } else { Some(self.dice.pick(&services).clone()) },
            kind: *self.dice.pick(&[Kind::Real, Kind::Real, Kind::Real, Kind::Drill, Kind::Test]),
            alert: alert.map(|alert| alert.id),
        };
        self.say(|| format!("{declare:?}"));
        self.transact(State::Desk(desk), &Input::Declare(declare))
    }

    /// Ends what is over by the clock, in one transaction.
    fn sweep(&mut self) -> Result<(), String> {
        if self.is_down() {
            return Ok(());
        }
        let firing = self.rows.keys.values().filter(|key| key.alert.as_ref().is_some_and(|alert| alert.state != AlertState::Resolved));
        let keys: Vec<KeyState> = firing.cloned().collect();
        let mut desk = self.rows.bare_desk();
        for state in &keys {
            let incident = state.alert.as_ref().and_then(|alert| alert.incident.as_ref()).and_then(|id| self.rows.incidents.get(id));
            desk.incidents.extend(incident.map(|incident| (incident.id.clone(), incident.clone())));
            desk.keys.insert(state.key.clone(), state.clone());
        }
        self.rows.complete(&mut desk);
        let mut saved = Saved::default();
        let mut state = State::Desk(desk);
        for KeyState { key, .. } in keys {
            let heard_at = self.rows.heard.get(&key.integration).copied();
            let input = Input::Expiry(Expiry { key: key.clone(), heard_at });
            let (next, verdict) = self.decide(state, &input, &mut saved);
            state = next;
            self.say(|| format!("  the clock on {} -> {verdict:?}", key.dedup_key));
        }
        self.save(state, saved, None)
    }

    /// Whatever the process was about to do it does when the machine goes on, and nobody was there meanwhile.
    fn freeze(&mut self, span: Span) {
        self.say(|| format!("FROZEN for {span}"));
        let until = self.rows.now + span;
        self.down_until = self.down_until.max(until);
        let own = self.events.iter().filter(|((at, _), scheduled)| scheduled.process.is_some() && *at < until);
        let own: Vec<(Time, u64)> = own.map(|(at, _)| *at).collect();
        for (at, n) in own {
            if let Some(scheduled) = self.events.remove(&(at, n)) {
                self.events.insert((until, n), scheduled);
            }
        }
    }

    /// People resolve on the web what is still open.
    fn last_orders(&mut self) -> Result<(), String> {
        if self.is_down() {
            self.schedule(self.down_until, Event::LastOrders);
            return Ok(());
        }
        self.say(|| "LAST ORDERS".to_owned());
        if self.rows.incidents.values().any(Incident::is_open) {
            // What was explained by what is resolved now is heard of afterwards.
            self.schedule(self.rows.now + Span::minutes(20), Event::LastOrders);
        }
        self.resolve_open(|_| true)
    }

    fn resolve_open(&mut self, is_one: impl Fn(&Incident) -> bool) -> Result<(), String> {
        let open = self.rows.incidents.values().filter(|incident| incident.is_open() && is_one(incident));
        let open: Vec<IncidentId> = open.map(|incident| incident.id.clone()).collect();
        for incident in open {
            let command = Command { incident, actor: Actor::Token("ops".to_owned()), via: Via::Api, act: Act::Resolve };
            self.obey(command)?;
        }
        Ok(())
    }

    // The flows.

    /// One batch is one transaction.
    fn ingest(&mut self, signals: &[Signal]) -> Result<(), String> {
        let mut desk = self.rows.bare_desk();
        for signal in signals {
            for dedup_key in [signal.dedup_key.as_str(), UNREADABLE_KEY] {
                let key = AlertKey { integration: signal.integration.clone(), dedup_key: dedup_key.to_owned() };
                let Some(state) = self.rows.keys.get(&key) else { continue };
                if let Some(incident) =
                    state.alert.as_ref().and_then(|alert| alert.incident.as_ref()).and_then(|id| self.rows.incidents.get(id))
                {
                    desk.incidents.insert(incident.id.clone(), incident.clone());
                }
                desk.keys.insert(key, state.clone());
            }
            self.rows.heard.insert(signal.integration.clone(), self.rows.now);
            let own = desk.keys.values().filter_map(|state| state.alert.as_ref()).filter(|alert| alert.incident.is_none());
            let mut services: Vec<ServiceId> = own.map(|alert| alert.service.clone()).collect();
            services.push(route(&self.rows.setup, signal.clone()).service);
            self.rows.seat_newest(&mut desk, &services);
        }
        let routed: Vec<_> = signals.iter().map(|signal| route(&self.rows.setup, signal.clone())).collect();
        let wanted = Wanted::by(&self.rows.setup, &routed.iter().collect::<Vec<_>>(), &desk.keys, self.rows.now);
        self.rows.shelter(&mut desk, wanted);
        self.rows.lay_kinds(&mut desk, &routed);
        self.say(|| format!("batch of {}", signals.len()));
        let mut saved = Saved::default();
        let mut state = State::Desk(desk);
        for signal in signals {
            if let State::Desk(desk) = &state {
                self.watch.before_signal(&self.rows, desk, signal);
            }
            let input = Input::Signal(route(&self.rows.setup, signal.clone()));
            let (next, verdict) = self.decide(state, &input, &mut saved);
            state = next;
            self.say(|| format!("  {:?} {} {:?} {:?} -> {verdict:?}", signal.action, signal.dedup_key, signal.severity, signal.at));
            if let State::Desk(desk) = &state {
                self.watch.after_signal(&self.rows, desk, signal, &verdict)?;
            }
        }
        self.save(state, saved, None)?;
        self.watch.counts(&self.rows)
    }

    pub(super) fn obey(&mut self, command: Command) -> Result<(), String> {
        let desk = self.desk_for(&command);
        self.say(|| format!("{:?} by {} through {:?} on {}", command.act, command.actor.text(), command.via, command.incident));
        self.transact(State::Desk(desk), &Input::Command(command))
    }

    fn wake(&mut self, scope: Scope, timer: Timer) -> Result<(), String> {
        self.rows.timers.remove(&(scope.clone(), timer));
        self.say(|| format!("{timer:?} of {scope:?}"));
        self.watch.woken(self.rows.now, &scope)?;
        if let Scope::Silence(id) = &scope {
            return self.cover(id);
        }
        let state = match &scope {
            Scope::Incident(id) => State::Desk(self.desk_of(id)),
            Scope::Person(id) => State::Person(self.person_of(id)),
            Scope::Silence(_) => State::Desk(self.rows.bare_desk()),
        };
        self.transact(state, &Input::Wake { scope, timer })
    }

    fn report(&mut self, attempt: &AttemptId, news: News) -> Result<(), String> {
        let Some(user) = self.watch.user_of(attempt) else { return Err(format!("news of {attempt}, which nobody placed")) };
        self.say(|| format!("{news:?} of {attempt} to {user}"));
        self.watch.told(attempt, &news, self.rows.now);
        let person = self.person_of(&user);
        self.transact(State::Person(person), &Input::Report(Report { attempt: attempt.clone(), news }))
    }

    fn desk_of(&self, id: &IncidentId) -> Desk {
        let incidents = self.rows.incidents.get(id).map(|incident| (id.clone(), incident.clone())).into_iter().collect();
        let mut desk = Desk { incidents, ..self.rows.bare_desk() };
        self.rows.complete(&mut desk);
        desk
    }

    fn person_of(&self, id: &UserId) -> Person {
        self.rows.persons.get(id).cloned().unwrap_or_else(|| Person::new(id.clone()))
    }

    fn transact(&mut self, state: State, input: &Input) -> Result<(), String> {
        let mut saved = Saved::default();
        let (state, _) = self.decide(state, input, &mut saved);
        self.save(state, saved, Some(input))
    }

    pub(super) fn decide(&mut self, mut state: State, input: &Input, saved: &mut Saved) -> (State, Verdict) {
        let seed = u128::from(self.dice.roll()) << 64 | u128::from(self.dice.roll());
        let mut moment = Moment { at: self.rows.now, ids: IdSource::new(self.rows.now, seed) };
        if let Some(bug) = self.bug {
            bug.before(&mut state);
        }
        let before = self.bug.map(|_| state.clone());
        let mut decision = decide(state, input, &self.rows.setup, &mut moment);
        if let (Some(bug), Some(before)) = (self.bug, &before) {
            bug.after(input, &self.rows, before, &mut decision);
        }
        saved.facts.extend(decision.facts);
        saved.effects.extend(decision.effects);
        saved.timers.extend(decision.timers);
        (decision.state, decision.verdict)
    }

    /// Everything of one transaction, at once. The facts of a batch are joined as the timeline shows them.
    pub(super) fn save(&mut self, state: State, saved: Saved, input: Option<&Input>) -> Result<(), String> {
        let facts = coalesce(saved.facts);
        if self.trace {
            for fact in &facts {
                println!("    {} {:?}", fact.incident, fact.what);
            }
            saved.effects.iter().for_each(|effect| println!("    -> {effect:?}"));
            saved.timers.iter().for_each(|set| println!("    @ {:?} {:?} {:?}", set.scope, set.timer, set.due_at.map(Time::rfc3339)));
        }
        let mut person = None;
        match state {
            State::Desk(desk) => {
                self.rows.openings.extend(desk.openings);
                self.rows.inhibitors = desk.inhibitors;
                self.rows.keep_kinds(desk.kinds);
                self.rows.alerts.extend(desk.past.into_iter().map(|alert| (alert.id.clone(), alert)));
                for (key, state) in desk.keys {
                    if let Some(alert) = &state.alert {
                        self.rows.alerts.insert(alert.id.clone(), alert.clone());
                    }
                    self.rows.keys.insert(key, state);
                }
                for (id, mut incident) in desk.incidents {
                    if incident.number == Number(0) {
                        self.rows.numbers += 1;
                        incident.number = Number(self.rows.numbers);
                    }
                    self.rows.incidents.insert(id, incident);
                }
                for fact in &facts {
                    page::row(&mut self.rows.persons, fact);
                }
            }
            State::Person(row) => {
                person = Some(row.id.clone());
                self.rows.persons.insert(row.id.clone(), row);
            }
        }
        for SetTimer { scope, timer, due_at } in saved.timers {
            match due_at {
                Some(at) => self.rows.timers.insert((scope, timer), at),
                None => self.rows.timers.remove(&(scope, timer)),
            };
        }
        for effect in &saved.effects {
            self.counter += 1;
            let free_at = effect.due_at();
            self.rows.outbox.push(Row { id: self.counter, effect: effect.clone(), free_at, intent: false });
        }
        explained::over(&mut self.rows);
        self.watch.after(&self.rows, input, person.as_ref(), &facts, &saved.effects)
    }

    // The courier.

    fn claim(&mut self, id: u64) -> Result<(), String> {
        let now = self.rows.now;
        let Some(row) = self.rows.outbox.iter_mut().find(|row| row.id == id) else { return Err("a row vanished".to_owned()) };
        row.free_at = now + HANG + Span::minutes(2);
        let (effect, intent) = (row.effect.clone(), row.intent);
        let attempt = effect.attempt().clone();
        match effect {
            Effect::PlacePage { .. } if intent => {
                // The process ended in the middle of this send: nobody knows what came of it.
                self.learn(id, News::Unknown { reason: "restarted while sending".to_owned() })?;
            }
            Effect::PlacePage { .. } => {
                let most = if self.dice.percent(3) { 4_000 } else { 40 };
                let at = now + self.dice.millis(0, most);
                self.remember(at, Event::Intent(id));
            }
            Effect::AskProvider { .. } => {
                let news = if self.dice.percent(self.mood.ask_hangs) {
                    News::NotFound { reason: "no answer".to_owned() }
                } else {
                    provider::answer(&attempt, self.calls.get(&attempt), self.lies.contains(&attempt), &mut self.dice)
                };
                let slow = matches!(&news, News::NotFound { reason } if reason == "no answer");
                let at = now + if slow { HANG } else { self.dice.millis(20, 400) };
                self.remember(at, Event::Outcome(id, news));
            }
            Effect::EndCall { .. } => {
                self.say(|| format!("hangs up {attempt}"));
                let is_on = |line: Line| matches!(line, Line::Queued | Line::Ringing | Line::Talking);
                if self.calls.get(&attempt).is_some_and(|call| is_on(call.now)) {
                    self.line(&attempt, Turn::Ends(CANCELED));
                }
                self.rows.outbox.retain(|row| row.id != id);
            }
        }
        Ok(())
    }

    fn intend(&mut self, id: u64) -> Result<(), String> {
        let now = self.rows.now;
        let Some(row) = self.rows.outbox.iter_mut().find(|row| row.id == id) else { return Ok(()) };
        let Effect::PlacePage { attempt, user, pages, kind, .. } = row.effect.clone() else { return Err("no page to place".to_owned()) };
        let rows = self.rows.persons.get(&user).map(|person| person.pages.as_slice()).unwrap_or_default();
        let is_wanted = rows.iter().any(|page| page.wanted && pages.iter().any(|of| of.page == page.id));
        if !is_wanted {
            return self.learn(id, News::Withdrawn { reason: "nobody wants it".to_owned() });
        }
        row.intent = true;
        self.watch.intends(&self.rows, &attempt, &pages)?;
        let fate = Fate::of(&self.mood, &mut self.dice);
        self.say(|| format!("sends {attempt} to {user}: {fate:?}"));
        let soon = now + self.dice.millis(20, 800);
        let placed = || News::Accepted { provider_id: format!("CA-{attempt}") };
        if !kind.is_call() {
            self.write(id, &attempt, kind, fate, soon);
            return Ok(());
        }
        match fate {
            Fate::Accepted => {
                self.place(&attempt, &user);
                self.remember(soon, Event::Outcome(id, placed()));
            }
            Fate::Rejected => self.remember(soon, Event::Outcome(id, News::Rejected { reason: "refused".to_owned() })),
            Fate::Lie => {
                self.lies.push(attempt.clone());
                self.remember(soon, Event::Outcome(id, placed()));
            }
            Fate::Hang { placed } => {
                if placed {
                    self.place(&attempt, &user);
                }
                self.remember(now + HANG, Event::Outcome(id, News::Unknown { reason: "no answer".to_owned() }));
            }
        }
        Ok(())
    }

    /// A message leaves: what its provider answers, and what it tells later.
    fn write(&mut self, id: u64, attempt: &AttemptId, kind: ContactKind, fate: Fate, soon: Time) {
        let now = self.rows.now;
        let taken = News::Accepted { provider_id: format!("CA-{attempt}") };
        let (arrives, at, news) = match fate {
            Fate::Accepted => (true, soon, taken),
            Fate::Lie => (false, soon, taken),
            Fate::Rejected => (false, soon, News::Rejected { reason: "refused".to_owned() }),
            Fate::Hang { placed } => (placed, now + HANG, News::Unknown { reason: "no answer".to_owned() }),
        };
        self.remember(at, Event::Outcome(id, news));
        if arrives && kind.is_followed() {
            // When it is asked about, it is taken and nothing more is known.
            self.lies.push(attempt.clone());
            let later = if self.dice.percent(90) { News::Delivered } else { News::Undelivered { reason: "unreachable".to_owned() } };
            for told_at in provider::arrivals(&self.mood, soon + Span::seconds(1), &mut self.dice) {
                self.schedule(told_at, Event::Callback(attempt.clone(), later.clone()));
            }
        }
    }

    /// The outcome and the end of the row are one transaction.
    fn learn(&mut self, id: u64, news: News) -> Result<(), String> {
        let Some(at) = self.rows.outbox.iter().position(|row| row.id == id) else { return Ok(()) };
        let row = self.rows.outbox.remove(at);
        self.report(row.effect.attempt(), news)
    }

    // The line.

    fn place(&mut self, attempt: &AttemptId, user: &UserId) {
        let mute = self.dice.percent(self.mood.mute);
        self.calls.insert(attempt.clone(), Call::place(user.clone(), mute));
        let now = self.rows.now;
        for (after, turn) in Call::course(&self.mood, &mut self.dice) {
            self.schedule(now + after, Event::Line(attempt.clone(), turn));
        }
    }

    fn line(&mut self, attempt: &AttemptId, turn: Turn) {
        let now = self.rows.now;
        let Some(call) = self.calls.get_mut(attempt) else { return };
        if matches!(call.now, Line::Over(_)) {
            return;
        }
        let news = match turn {
            Turn::Rings => {
                call.now = Line::Ringing;
                News::Ringing
            }
            Turn::PickedUp => {
                call.now = Line::Talking;
                News::PickedUp
            }
            Turn::Ends(how) => {
                call.now = Line::Over(how);
                News::Ended(how)
            }
            Turn::Key(key) => {
                let user = call.user.clone();
                self.press(attempt, &user, key);
                return;
            }
        };
        let mute = call.mute;
        if self.trace {
            println!("{now} the line of {attempt}: {turn:?}");
        }
        if !mute {
            for at in provider::arrivals(&self.mood, now, &mut self.dice) {
                self.schedule(at, Event::Callback(attempt.clone(), news.clone()));
            }
        }
    }

    /// A key asks for something on each incident that was read out: the news of the key first, then one command each.
    fn press(&mut self, attempt: &AttemptId, user: &UserId, key: Key) {
        if self.is_down() {
            return;
        }
        let act = match key {
            Key::Acknowledge => Act::Acknowledge,
            Key::Escalate => Act::Escalate,
            Key::Resolve => Act::Resolve,
            Key::Unhelpful => Act::Unhelpful,
        };
        let now = self.rows.now;
        self.remember(now, Event::Callback(attempt.clone(), News::KeyPressed));
        for of in self.watch.read_out(attempt) {
            let command =
                Command { incident: of.incident, actor: Actor::User(user.clone()), via: Via::Phone(attempt.clone()), act: act.clone() };
            self.remember(now + Span::millis(1), Event::Command(command));
        }
    }
}

const CANCELED: reveille::domain::input::CallEnd = reveille::domain::input::CallEnd::Canceled;

/// What one transaction writes beside the rows.
#[derive(Debug, Default)]
pub(super) struct Saved {
    facts: Vec<Fact>,
    effects: Vec<Effect>,
    timers: Vec<SetTimer>,
}
