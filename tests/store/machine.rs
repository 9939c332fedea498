//! The same machine on three stores: in memory, on SQLite and on PostgreSQL. Whatever happens, all three hold the same rows, and want
//! the same effects and wake-ups.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use reveille::base::id::{AlertId, EffectId, IdSource, IncidentId, IntegrationId, Number, PolicyId, ServiceId, UserId};
use reveille::base::time::{Span, Time};
use reveille::boot::config::{self, Surroundings};
use reveille::domain::alert::{Alert, Key, KeyState, UNREADABLE_KEY};
use reveille::domain::decide::{Decision, Desk, Moment, State, Wanted, decide};
use reveille::domain::effect::Effect;
use reveille::domain::fact::{Fact, What, coalesce};
use reveille::domain::incident::Incident;
use reveille::domain::input::{Act, Action, Actor, CallEnd, Command, Input, News, Report, Scope, Signal, Timer, Via};
use reveille::domain::merge::{Symptoms, family};
use reveille::domain::novelty::{self, KindKey, KindState};
use reveille::domain::person::{Person, PersonPage};
use reveille::domain::routing::route;
use reveille::domain::setup::{AlertSeverity, Setup};
use reveille::domain::storm::Openings;
use reveille::store::{self, Tx, WriteLane};

use crate::db::Db;

const FILE: &str = r#"
user = [
  { id = "ana", name = "Ana", admin = true, contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }], rules = [{ urgency = "high", after = "0s", contact = "phone" }, { urgency = "low", after = "1m", contact = "phone" }] },
  { id = "bo", name = "Bo", contacts = [{ id = "phone", kind = "voice", to = "+46100000002" }], rules = [{ urgency = "high", after = "0s", contact = "phone" }] },
]
policy = [{ id = "p", repeat = 1, storm = 2, steps = [{ notify = ["user:ana"], escalate_after = "2m" }, { notify = ["user:bo", "everyone"], escalate_after = "3m" }] }]
service = [
  { id = "api", name = "API", policy = "p", group = { window = "5m", by = "{{ labels.host | default('') }}" }, ack_lapse = "10m" },
  { id = "shop", name = "Shop", policy = "p", group = { window = "0s" } },
  { id = "cart", name = "Cart", policy = "p", group = { window = "3m", by = ["host"] }, depends_on = ["api"] },
]
integration = [
  { id = "a", source = "generic", service = "api", key = "akey0000000000000000000000" },
  { id = "b", source = "generic", service = "api", key = "bkey0000000000000000000000" },
  { id = "c", source = "generic", service = "shop", key = "ckey0000000000000000000000" },
  { id = "d", source = "generic", service = "cart", key = "dkey0000000000000000000000" },
]
"#;

static SETUP: LazyLock<Setup> = LazyLock::new(|| {
    let around = Surroundings::made(&[], &[("x.toml", FILE)]);
    config::load(Path::new("x.toml"), &around, &["generic"]).unwrap_or_else(|error| panic!("{error}")).0.setup
});

/// A signal before it has names: its integration, key and action by number, its severity, and how many seconds late it is.
type Drawn = (usize, usize, usize, Option<AlertSeverity>, Option<i64>);

/// One thing that happens. Who or what it happens to is counted among what there is at that moment.
#[derive(Debug, Clone)]
enum Step {
    Signals(Vec<Drawn>),
    Command(usize, usize),
    /// The timer that is due next, after this many seconds at most.
    Wake(i64),
    Report(usize, usize),
}

/// The same, with its names.
enum Happens {
    Signals(Vec<Signal>),
    Command(Command),
    Wake(Scope, Timer),
    Report(UserId, Report),
}

struct Steps;

impl ReferenceStateMachine for Steps {
    type State = ();
    type Transition = Step;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions((): &()) -> BoxedStrategy<Step> {
        let severity = prop::option::of(prop::sample::select(AlertSeverity::ALL.to_vec()));
        let signal = (0..4_usize, 0..4_usize, 0..8_usize, severity, prop::option::of(-300..60_i64));
        prop_oneof![
            3 => prop::collection::vec(signal, 1..5).prop_map(Step::Signals),
            3 => (0..8_usize, 0..12_usize).prop_map(|(incident, act)| Step::Command(incident, act)),
            6 => (1..900_i64).prop_map(Step::Wake),
            4 => (0..4_usize, 0..6_usize).prop_map(|(attempt, news)| Step::Report(attempt, news)),
        ]
        .boxed()
    }

    fn apply((): (), _: &Step) {}
}

/// The store that is nothing but maps.
#[derive(Default)]
struct Memory {
    keys: BTreeMap<Key, KeyState>,
    openings: BTreeMap<PolicyId, Openings>,
    kinds: BTreeMap<KindKey, KindState>,
    alerts: BTreeMap<AlertId, Alert>,
    incidents: BTreeMap<IncidentId, Incident>,
    persons: BTreeMap<UserId, Person>,
    own: BTreeMap<(Scope, Timer), Time>,
    nudges: Vec<((Scope, Timer), Time)>,
    outbox: Vec<Effect>,
}

struct Three {
    now: Time,
    step: u128,
    memory: Memory,
    runtime: tokio::runtime::Runtime,
    databases: Vec<Db>,
}

impl StateMachineTest for Three {
    type SystemUnderTest = Self;
    type Reference = Steps;

    fn init_test((): &()) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let databases = runtime.block_on(async { vec![Db::sqlite().await, Db::postgres().await] });
        Self { now: Time::from_seconds(1_767_600_000), step: 0, memory: Memory::default(), runtime, databases }
    }

    fn apply(mut three: Self, (): &(), step: Step) -> Self {
        three.step += 1;
        three.now += Span::seconds(1);
        let Some(happens) = three.happens(&step) else { return three };
        let ids = IdSource::new(three.now, three.step << 40);
        let moment = Moment { at: three.now, ids };
        three.memory.happen(&happens, moment.clone());
        for db in &three.databases {
            three.runtime.block_on(happen(db, &happens, moment.clone(), three.step));
            three.runtime.block_on(three.memory.is_held_by(db));
        }
        three
    }

    fn teardown(three: Self, (): ()) {
        three.runtime.block_on(async {
            for db in three.databases {
                db.end().await;
            }
        });
    }
}

impl Three {
    fn happens(&mut self, step: &Step) -> Option<Happens> {
        let memory = &self.memory;
        Some(match step {
            Step::Signals(signals) => Happens::Signals(signals.iter().map(|signal| self.signal(*signal)).collect()),
            Step::Command(incident, act) => {
                let n = *incident;
                let incident = memory.incidents.keys().nth(n % memory.incidents.len().max(1))?.clone();
                let acts = [Act::Acknowledge, Act::Acknowledge, Act::Resolve, Act::Escalate, Act::Reopen, Act::Unhelpful];
                let act = match act {
                    0..6 => acts[*act].clone(),
                    6..9 => Act::Merge { into: memory.incidents.keys().nth((n + act) % memory.incidents.len())?.clone() },
                    9 => Act::Unmerge,
                    _ => {
                        let theirs = |alert: &&Alert| alert.incident.as_ref() == Some(&incident);
                        let alert = memory.keys.values().filter_map(|key| key.alert.as_ref()).find(theirs);
                        Act::Split { alerts: alert.map(|alert| alert.id.clone()).into_iter().collect(), title: None }
                    }
                };
                Happens::Command(Command { incident, actor: Actor::User("ana".into()), via: Via::Web, act })
            }
            Step::Wake(within) => {
                let ((scope, timer), due_at) = memory.wakes().into_iter().min_by_key(|(name, due_at)| (*due_at, name.clone()))?;
                if due_at > self.now + Span::seconds(*within) {
                    self.now += Span::seconds(*within);
                    return None;
                }
                self.now = self.now.max(due_at);
                Happens::Wake(scope, timer)
            }
            Step::Report(attempt, news) => {
                let open: Vec<_> =
                    memory.persons.values().flat_map(|person| person.attempts.iter().map(|attempt| (&person.id, &attempt.id))).collect();
                let (user, attempt) = open.get(attempt % open.len().max(1))?;
                let news = match news {
                    0 | 1 => News::Accepted { provider_id: format!("CA{attempt}") },
                    2 => News::Rejected { reason: "no".to_owned() },
                    3 => News::Ringing,
                    4 => News::Unknown { reason: "it hung".to_owned() },
                    _ => News::Ended(CallEnd::NoAnswer),
                };
                Happens::Report((*user).clone(), Report { attempt: (*attempt).clone(), news })
            }
        })
    }

    fn signal(&self, (integration, key, action, severity, late): Drawn) -> Signal {
        let action = match action {
            0..=3 => Action::Trigger,
            4 | 5 => Action::Resolve,
            6 => Action::Acknowledge,
            _ => Action::Unreadable("no JSON".to_owned()),
        };
        let dedup_key = if matches!(action, Action::Unreadable(_)) { UNREADABLE_KEY.to_owned() } else { format!("key{key}") };
        Signal {
            integration: IntegrationId::from_text(["a", "b", "c", "d"][integration].to_owned()),
            title: format!("{dedup_key} is wrong"),
            dedup_key,
            severity,
            action,
            at: late.map(|late| self.now + Span::seconds(late)),
            url: None,
            // Half of them have no host at all.
            labels: (key % 2 == 0).then(|| ("host".to_owned(), format!("db-{key}"))).into_iter().collect(),
            ends_at: None,
        }
    }
}

/// What one transaction decided.
#[derive(Default)]
struct Decided {
    facts: Vec<Fact>,
    effects: Vec<Effect>,
    timers: BTreeMap<(Scope, Timer), Option<Time>>,
}

impl Decided {
    fn add(&mut self, decision: Decision) -> State {
        self.facts.extend(decision.facts);
        self.effects.extend(decision.effects);
        self.timers.extend(decision.timers.into_iter().map(|set| ((set.scope, set.timer), set.due_at)));
        decision.state
    }
}

fn decided(state: State, happens: &Happens, mut moment: Moment) -> (State, Decided) {
    let inputs: Vec<Input> = match happens {
        Happens::Signals(signals) => signals.iter().map(|signal| Input::Signal(route(&SETUP, signal.clone()))).collect(),
        Happens::Command(command) => vec![Input::Command(command.clone())],
        Happens::Wake(scope, timer) => vec![Input::Wake { scope: scope.clone(), timer: *timer }],
        Happens::Report(_, report) => vec![Input::Report(report.clone())],
    };
    let mut all = Decided::default();
    let state = inputs.iter().fold(state, |state, input| all.add(decide(state, input, &SETUP, &mut moment)));
    all.facts = coalesce(std::mem::take(&mut all.facts));
    (state, all)
}

fn asked(signals: &[Signal]) -> (BTreeSet<Key>, BTreeSet<ServiceId>) {
    let key = |signal: &Signal, dedup_key: &str| Key { integration: signal.integration.clone(), dedup_key: dedup_key.to_owned() };
    let keys = signals.iter().flat_map(|signal| [key(signal, &signal.dedup_key), key(signal, UNREADABLE_KEY)]).collect();
    (keys, SETUP.with_causes(signals.iter().map(|signal| SETUP.integrations[&signal.integration].service.clone())))
}

fn wanted(signals: &[Signal], keys: &BTreeMap<Key, KeyState>, now: Time) -> Wanted {
    let routed: Vec<_> = signals.iter().map(|signal| route(&SETUP, signal.clone())).collect();
    Wanted::by(&SETUP, &routed.iter().collect::<Vec<_>>(), keys, now)
}

fn kinds(signals: &[Signal], desk: &Desk) -> BTreeSet<KindKey> {
    let routed: Vec<_> = signals.iter().map(|signal| route(&SETUP, signal.clone())).collect();
    novelty::may_begin(&SETUP, &routed.iter().collect::<Vec<_>>(), desk)
}

impl Memory {
    fn happen(&mut self, happens: &Happens, moment: Moment) {
        let state = match happens {
            Happens::Signals(signals) => State::Desk(self.desk(signals, moment.at)),
            Happens::Command(command) => State::Desk(self.desk_for(command)),
            Happens::Wake(Scope::Incident(incident), _) => State::Desk(self.desk_of(incident)),
            Happens::Wake(Scope::Person(user), _) | Happens::Report(user, _) => State::Person(self.person(user)),
            Happens::Wake(Scope::Silence(_), _) => unreachable!("nobody makes a silence here"),
        };
        if let Happens::Wake(scope, timer) = happens {
            let taken = |name: &(Scope, Timer), due_at: &Time| name == &(scope.clone(), *timer) && *due_at <= moment.at;
            self.own.retain(|name, due_at| !taken(name, due_at));
            self.nudges.retain(|(name, due_at)| !taken(name, due_at));
        }
        let (state, decided) = decided(state, happens, moment);
        let mut held = BTreeSet::new();
        match state {
            State::Desk(desk) => {
                held.extend(desk.incidents.keys().cloned().map(Scope::Incident));
                let mut number = self.incidents.values().map(|incident| incident.number.0).max().unwrap_or(0);
                for (id, mut incident) in desk.incidents {
                    if incident.number == Number(0) {
                        number += 1;
                        incident.number = Number(number);
                    }
                    self.incidents.insert(id, incident);
                }
                let alerts = desk.past.into_iter().chain(desk.keys.values().filter_map(|key| key.alert.clone()));
                self.alerts.extend(alerts.map(|alert| (alert.id.clone(), alert)));
                self.keys.extend(desk.keys);
                self.openings.extend(desk.openings);
                self.kinds.extend(desk.kinds.into_iter().filter_map(|(key, state)| Some((key, state?))));
                decided.facts.iter().for_each(|fact| self.page(fact));
            }
            State::Person(person) => {
                held.insert(Scope::Person(person.id.clone()));
                // A page is one row, which its incident reads too.
                for page in &person.pages {
                    let pages = self.incidents.get_mut(&page.incident).map(|incident| &mut incident.pages);
                    pages.into_iter().flatten().filter(|row| row.id == page.id).for_each(|row| row.failed = page.failed);
                }
                self.persons.insert(person.id.clone(), person);
            }
        }
        for (name, due_at) in decided.timers {
            match (due_at, held.contains(&name.0)) {
                (Some(due_at), true) => drop(self.own.insert(name, due_at)),
                (Some(due_at), false) => self.nudges.push((name, due_at)),
                (None, true) => drop(self.own.remove(&name)),
                (None, false) => {}
            }
        }
        self.outbox.extend(decided.effects);
    }

    fn desk(&self, signals: &[Signal], now: Time) -> Desk {
        let (keys, services) = asked(signals);
        let mut desk = Desk::default();
        for key in keys {
            let Some(state) = self.keys.get(&key) else { continue };
            let incident = state.alert.as_ref().and_then(|alert| alert.incident.as_ref()).and_then(|id| self.incidents.get(id));
            desk.incidents.extend(incident.map(|incident| (incident.id.clone(), incident.clone())));
            desk.keys.insert(key, state.clone());
        }
        self.seat_newest(&mut desk, services);
        let Wanted { groups, policies, symptoms: Symptoms { services, since }, inhibitions: _ } = wanted(signals, &desk.keys, now);
        for policy in policies {
            let Some(openings) = self.openings.get(&policy) else { continue };
            let umbrella = openings.umbrella.as_ref().map(|id| (id.clone(), self.incidents[id].clone()));
            desk.incidents.extend(umbrella);
            desk.openings.insert(policy, openings.clone());
        }
        for (service, group) in groups {
            let newest = self.newest(&service, |own| own.response.group == group).cloned();
            desk.groups.extend(newest.iter().map(|newest| ((service.clone(), group.clone()), newest.id.clone())));
            desk.incidents.extend(newest.map(|newest| (newest.id.clone(), newest)));
        }
        for row in self.incidents.values().rev().filter(|row| services.contains(&row.service) && row.is_open()) {
            if since.is_some_and(|since| row.opened_at >= since) {
                desk.incidents.insert(row.id.clone(), row.clone());
            }
        }
        let mut desk = self.complete(desk);
        for kind in kinds(signals, &desk) {
            desk.kinds.insert(kind.clone(), self.kinds.get(&kind).copied());
        }
        desk
    }

    /// The newest open incident that takes in what these would.
    fn newest(&self, service: &ServiceId, is_of_group: impl Fn(&Incident) -> bool) -> Option<&Incident> {
        let takes = |incident: &&Incident| incident.response.split_from.is_none();
        let own = self.incidents.values().filter(|own| own.service == *service && is_of_group(own)).filter(takes);
        let homes = own.map(|own| own.response.merged_into.as_ref().map_or(own, |into| &self.incidents[into])).filter(takes);
        homes.filter(|home| home.is_open()).max_by_key(|incident| incident.number)
    }

    fn seat_newest(&self, desk: &mut Desk, services: BTreeSet<ServiceId>) {
        for service in services {
            if let Some(newest) = self.newest(&service, |_| true) {
                desk.newest.insert(service, newest.id.clone());
                desk.incidents.insert(newest.id.clone(), newest.clone());
            }
        }
    }

    fn complete(&self, mut desk: Desk) -> Desk {
        loop {
            let more: Vec<IncidentId> = family(&desk.incidents).into_iter().filter(|id| !desk.incidents.contains_key(id)).collect();
            if more.is_empty() {
                return desk;
            }
            desk.incidents.extend(more.into_iter().map(|id| (id.clone(), self.incidents[&id].clone())));
        }
    }

    fn desk_of(&self, id: &IncidentId) -> Desk {
        self.complete(Desk { incidents: BTreeMap::from([(id.clone(), self.incidents[id].clone())]), ..Desk::default() })
    }

    fn desk_for(&self, Command { incident, act, .. }: &Command) -> Desk {
        let mut desk = self.desk_of(incident);
        match act {
            Act::Merge { into } => {
                desk.incidents.insert(into.clone(), self.incidents[into].clone());
            }
            Act::Unmerge => {
                for alert in self.alerts.values() {
                    let own = alert.incident.as_ref().and_then(|id| desk.incidents.get(id)).filter(|own| alert.holds(Some(own)));
                    if let Some(own) = own {
                        desk.holding.entry(own.id.clone()).or_default().firing += 1;
                    }
                }
            }
            Act::Split { alerts, .. } => {
                let found = self.keys.values().filter(|key| key.alert.as_ref().is_some_and(|alert| alerts.contains(&alert.id)));
                desk.keys.extend(found.map(|key| (key.key.clone(), key.clone())));
                let services = desk.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.service.clone());
                let services = services.chain([self.incidents[incident].service.clone()]).collect();
                self.seat_newest(&mut desk, services);
            }
            _ => {}
        }
        self.complete(desk)
    }

    fn person(&self, user: &UserId) -> Person {
        self.persons.get(user).cloned().unwrap_or_else(|| Person::new(user.clone()))
    }

    /// The incident's half of a page's row.
    fn page(&mut self, fact: &Fact) {
        let mut row = |user: &UserId, page: &reveille::base::id::PageId, change: &dyn Fn(&mut PersonPage)| {
            let pages = self.persons.get_mut(user).map(|person| &mut person.pages);
            pages.into_iter().flatten().filter(|row| &row.id == page).for_each(change);
        };
        match &fact.what {
            What::PageOpened { page, user, urgency } => {
                let new = PersonPage {
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
                self.persons.entry(user.clone()).or_insert_with(|| Person::new(user.clone())).pages.push(new);
            }
            What::PageRestarted { page, user, urgency } => row(user, page, &|row| {
                row.starts += 1;
                row.started_at = fact.at;
                row.urgency = *urgency;
            }),
            What::PageTakenOver { page, user, .. } => row(user, page, &|row| row.incident = fact.incident.clone()),
            What::PageAnswered { page, user } | What::PageEnded { page, user, .. } => row(user, page, &|row| row.wanted = false),
            _ => {}
        }
    }

    fn wakes(&self) -> BTreeMap<(Scope, Timer), Time> {
        let mut wakes = self.own.clone();
        for (name, due_at) in &self.nudges {
            let first = wakes.entry(name.clone()).or_insert(*due_at);
            *first = (*first).min(*due_at);
        }
        wakes
    }

    /// The rows of a database are these rows.
    async fn is_held_by(&self, db: &Db) {
        let which = if db.is_sqlite() { "SQLite" } else { "PostgreSQL" };
        let reader = db.store.reader();
        let mut tx = db.begin().await;
        let services = SETUP.services.keys().cloned().collect();
        let policies = || Wanted { policies: SETUP.policies.keys().cloned().collect(), ..Wanted::default() };
        let mut desk =
            store::desk_load(&mut tx, &self.keys.keys().cloned().collect(), &services, |_| policies()).await.expect("the desk loads");
        assert_eq!(desk.keys, self.keys, "{which}");
        assert_eq!(desk.openings, self.openings, "{which}");
        store::kinds_load(&mut tx, &mut desk, &self.kinds.keys().cloned().collect()).await.expect("the kinds load");
        let kinds: BTreeMap<_, _> = desk.kinds.into_iter().filter_map(|(key, state)| Some((key, state?))).collect();
        assert_eq!(kinds, self.kinds, "{which}");
        for (id, incident) in &self.incidents {
            let loaded = store::desk_load_incident(&mut tx, id).await.expect("it loads").expect("it is there");
            assert_eq!(&loaded.incidents[id], incident, "{which}");
        }
        for (user, person) in &self.persons {
            assert_eq!(&store::person_load(&mut tx, user).await.expect("the person loads"), person, "{which}");
        }
        let of = |effect: &Effect| effect.attempt().clone();
        let placed = |effect: &&Effect| matches!(effect, Effect::PlacePage { .. });
        let stored = store::outbox_pages_due(&mut tx, Time(i64::MAX), 10_000).await.expect("the outbox reads");
        let stored: BTreeMap<_, _> = stored.iter().map(|effect| (of(effect), effect)).collect();
        assert_eq!(stored, self.outbox.iter().filter(placed).map(|effect| (of(effect), effect)).collect(), "{which}");
        tx.rollback().await.expect("it rolls back");
        let wakes = store::wakes_due(&reader, Time(i64::MAX), 10_000).await.expect("wake-ups read");
        let wakes: BTreeMap<_, _> = wakes.into_iter().map(|(scope, timer, due_at)| ((scope, timer), due_at)).collect();
        assert_eq!(wakes, self.wakes(), "{which}");
        let effects = store::outbox_due(&reader, Time(i64::MAX)).await.expect("the outbox reads");
        assert_eq!(usize::try_from(effects).expect("few"), self.outbox.len(), "{which}");
    }
}

/// What a command looks at.
async fn command_desk(tx: &mut Tx, Command { incident, act, .. }: &Command) -> Desk {
    match act {
        Act::Merge { into } => store::desk_load_two(tx, incident, into).await.expect("it loads").expect("both are there"),
        Act::Split { alerts, .. } => {
            let (keys, mut services) = store::alerts_keys(tx, alerts).await.expect("the keys load");
            services.extend(store::incident_service(tx, incident).await.expect("it loads"));
            let mut desk = store::desk_load(tx, &keys, &services, |_| Wanted::default()).await.expect("the desk loads");
            let alone = store::desk_load_incident(tx, incident).await.expect("it loads").expect("it is there");
            desk.incidents.extend(alone.incidents);
            desk
        }
        _ => {
            let mut desk = store::desk_load_incident(tx, incident).await.expect("it loads").expect("it is there");
            if *act == Act::Unmerge {
                let family = desk.incidents.keys().cloned().collect();
                desk.holding = store::alerts_holding_of(tx, &family).await.expect("it counts");
            }
            desk
        }
    }
}

async fn happen(db: &Db, happens: &Happens, moment: Moment, step: u128) {
    let mut tx = db.store.begin(WriteLane::Page).await.expect("a transaction begins");
    if let Happens::Wake(scope, timer) = happens {
        assert!(store::wake_take(&mut tx, scope, *timer, moment.at).await.expect("it is taken"), "the wake-up is not there");
    }
    let before = match happens {
        Happens::Signals(signals) => {
            let (keys, services) = asked(signals);
            let load = store::desk_load(&mut tx, &keys, &services, |keys| wanted(signals, keys, moment.at));
            let mut desk = load.await.expect("the desk loads");
            let kinds = kinds(signals, &desk);
            store::kinds_load(&mut tx, &mut desk, &kinds).await.expect("the kinds load");
            State::Desk(desk)
        }
        Happens::Command(command) => State::Desk(command_desk(&mut tx, command).await),
        Happens::Wake(Scope::Incident(incident), _) => {
            State::Desk(store::desk_load_incident(&mut tx, incident).await.expect("it loads").expect("it is there"))
        }
        Happens::Wake(Scope::Person(user), _) | Happens::Report(user, _) => {
            State::Person(store::person_load(&mut tx, user).await.expect("the person loads"))
        }
        Happens::Wake(Scope::Silence(_), _) => unreachable!("nobody makes a silence here"),
    };
    let at = moment.at;
    let (after, decided) = decided(before.clone(), happens, moment);
    match (before, after) {
        (State::Desk(before), State::Desk(mut after)) => {
            store::desk_save(&mut tx, &before, &mut after, &decided.facts).await.expect("the desk is saved");
        }
        (State::Person(before), State::Person(after)) => {
            let mut ids = IdSource::new(at, step << 40);
            for effect in &decided.effects {
                if let Effect::PlacePage { attempt, pages, .. } = effect
                    && let Some(open) = after.attempts.iter().find(|open| open.id == *attempt)
                {
                    store::attempt_insert(&mut tx, &after.id, open, pages).await.expect("the attempt is stored");
                }
                store::outbox_insert(&mut tx, &EffectId::make(&mut ids), effect).await.expect("the effect is stored");
            }
            store::person_save(&mut tx, &before, &after).await.expect("the person is saved");
        }
        _ => panic!("a decision gave another kind of state"),
    }
    for ((scope, timer), due_at) in decided.timers {
        let set = reveille::domain::decide::SetTimer { scope, timer, due_at };
        store::wake_set(&mut tx, &set).await.expect("the timer is set");
    }
    store::facts_append(&mut tx, &decided.facts).await.expect("the facts are stored");
    tx.commit().await.expect("it commits");
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn three_stores_hold_the_same_rows(sequential 1..60 => Three);
}
