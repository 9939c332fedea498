//! A seeded world drives `decide` with all four inputs, through drops, delays, duplicates, lies and restarts, and is held to the
//! promises after every step. `REVEILLE_SIM_SEEDS` says how many worlds, `REVEILLE_SIM_SEED` replays one of them with a trace; and so do
//! `REVEILLE_SIM_DAYS` and `REVEILLE_SIM_DAY` of those that last for a day.

mod cast;
mod day;
mod dice;
mod explained;
mod forget;
mod held;
mod hush;
mod merge;
mod novel;
mod operator;
mod page;
mod plant;
mod play;
mod provider;
mod reasons;
mod rising;
mod storm;
mod watch;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use plant::Bug;
use watch::Due;
use world::World;

/// Worlds that a planted bug may hide in before it must be found.
const SEEDS_FOR_A_BUG: u64 = 4_000;

/// Days that `make test` has time for.
const FEW_DAYS: u64 = 4;
/// Days that a planted bug may hide in.
const DAYS_FOR_A_BUG: u64 = 6;

/// What no promise about it is worth without.
const MUST_HAPPEN: [&str; 40] = [
    "alerts_new",
    "incident_opened",
    "incident_declared",
    "incident_acknowledged",
    "acknowledgement_renewed",
    "acknowledgement_lapsed",
    "lapse_asked",
    "incident_snoozed",
    "snooze_ended",
    "incident_escalated",
    "incident_reassigned",
    "page_asked",
    "severity_raised",
    "severity_changed",
    "room_wanted",
    "notice_wanted",
    "policy_exhausted",
    "paged_wider",
    "resolve_asked",
    "integration_went_silent",
    "alerts_silenced",
    "alerts_unsilenced",
    "incident_silenced",
    "silence_extended",
    "alerts_inhibited",
    "alerts_uninhibited",
    "incident_inhibited",
    "storm_began",
    "storm_ended",
    "alerts_waited",
    "alerts_flapping",
    "alerts_steady",
    "incident_merged",
    "incident_taken_in",
    "ended_with",
    "page_taken_over",
    "incident_split_off",
    "incident_split",
    "incident_unmerged",
    "link_suspected",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// What days need that hours cannot have.
const MUST_HAPPEN_IN_DAYS: [&str; 8] = [
    "alerts_rising",
    "rising",
    "first_of_its_kind",
    "alerts_outlasted",
    "maintenance_over",
    "silence_ended",
    "storm_ended",
    "alerts_flapping",
];

/// What happened in all worlds so far.
#[derive(Default)]
struct Seen {
    worlds: usize,
    steps: usize,
    signals: i64,
    alerts: usize,
    opened: usize,
    sent: usize,
    crashes: usize,
    held: u64,
    kinds: BTreeMap<String, usize>,
    proved: BTreeMap<Due, usize>,
}

impl Seen {
    fn of(world: &World, held: u64) -> Self {
        let watch = &world.watch;
        Self {
            worlds: 1,
            steps: world.steps,
            signals: watch.accepted,
            alerts: world.rows.alerts.len() + watch.forgotten.alerts,
            opened: watch.opened,
            sent: watch.left,
            crashes: world.crashes,
            held,
            kinds: watch.kinds.clone(),
            proved: watch.proved.clone(),
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.worlds += other.worlds;
        self.steps += other.steps;
        self.signals += other.signals;
        self.alerts += other.alerts;
        self.opened += other.opened;
        self.sent += other.sent;
        self.crashes += other.crashes;
        self.held += other.held;
        other.kinds.into_iter().for_each(|(kind, times)| *self.kinds.entry(kind).or_default() += times);
        other.proved.into_iter().for_each(|(due, times)| *self.proved.entry(due).or_default() += times);
        self
    }

    fn times(&self, kind: &str) -> usize {
        self.kinds.get(kind).copied().unwrap_or_default()
    }

    fn missing<'a>(&self, kinds: &[&'a str]) -> Vec<&'a str> {
        kinds.iter().filter(|kind| !self.kinds.contains_key(**kind)).copied().collect()
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { worlds, steps, signals, alerts, opened, sent, crashes, held, proved, .. } = self;
        let of = |kind| self.times(kind);
        writeln!(f, "{worlds} worlds, {steps} steps, {crashes} crashes; {held} times held to a promise; deadlines met: {proved:?}")?;
        writeln!(f, "  {signals} signals, {alerts} alerts, {opened} incidents, {} pages, {sent} calls and messages", of("page_opened"))?;
        let answers = ["incident_acknowledged", "incident_snoozed", "incident_reassigned", "incident_merged", "incident_split"];
        let answers = answers.map(|kind| format!("{kind} {}", of(kind))).join(", ");
        let calm =
            ["storm_began", "alerts_flapping", "alerts_waited", "alerts_silenced", "alerts_inhibited", "alerts_new", "alerts_rising"];
        let calm = calm.map(|kind| format!("{kind} {}", of(kind))).join(", ");
        let over = ["maintenance_over", "silence_ended", "inhibition_over", "rising", "first_of_its_kind"];
        let over = over.map(|kind| format!("{kind} {}", of(kind))).join(", ");
        write!(f, "  {answers}\n  {calm}\n  policies started: {over}")
    }
}

/// Lives the worlds of these numbers, in two threads: the machine that proves this has two cores.
fn live(seeds: u64, which: &str, world_of: impl Fn(u64) -> World + Sync) -> Seen {
    let next = AtomicU64::new(0);
    let live_some = || {
        let mut seen = Seen::default();
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds) {
            let mut world = world_of(seed);
            let before = watch::held();
            if let Err(broken) = world.run() {
                panic!("seed {seed}: {broken}\nreplay: {which}={seed} cargo test --test sim every_ -- --nocapture");
            }
            seen = seen.and(Seen::of(&world, watch::held() - before));
        }
        seen
    };
    let halves = std::thread::scope(|scope| {
        let threads = [scope.spawn(live_some), scope.spawn(live_some)];
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    halves.into_iter().fold(Seen::default(), Seen::and)
}

/// Lives one world, told step by step.
fn tell(seed: u64, mut world: World) {
    if let Err(broken) = world.run() {
        panic!("seed {seed} at {}: {broken}", world.rows.now);
    }
}

#[test]
fn every_world_keeps_the_promises() {
    if let Some(seed) = number("REVEILLE_SIM_SEED") {
        return tell(seed, World::new(seed, None, true));
    }
    let seeds = number("REVEILLE_SIM_SEEDS").unwrap_or(10_000);
    let seen = live(seeds, "REVEILLE_SIM_SEED", |seed| World::new(seed, None, false));
    println!("{seen}");
    // A world in which nothing happens keeps every promise.
    let (opened, answered) = (seen.opened as u64, (seen.times("incident_acknowledged") + seen.times("incident_snoozed")) as u64);
    assert!(seeds < 100 || (opened > seeds && answered > seeds / 2), "the worlds are too quiet to prove anything");
    let missing = seen.missing(&MUST_HAPPEN);
    assert!(seeds < 1_000 || missing.is_empty(), "never happened: {missing:?}");
    assert!(seeds < 100 || seen.proved.len() == 3, "each kind of deadline is met somewhere");
}

#[test]
fn every_day_keeps_the_promises() {
    if let Some(seed) = number("REVEILLE_SIM_DAY") {
        return tell(seed, World::day(seed, None, true));
    }
    let days = number("REVEILLE_SIM_DAYS").unwrap_or(FEW_DAYS);
    let seen = live(days, "REVEILLE_SIM_DAY", |seed| World::day(seed, None, false));
    println!("{seen}");
    let missing = seen.missing(&MUST_HAPPEN_IN_DAYS);
    assert!(days < FEW_DAYS || missing.is_empty(), "never happened: {missing:?}");
}

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::ALL {
        is_found(bug, SEEDS_FOR_A_BUG, |seed| World::new(seed, Some(bug), false));
    }
}

#[test]
fn every_bug_of_a_day_is_found() {
    for bug in Bug::OF_A_DAY {
        is_found(bug, DAYS_FOR_A_BUG, |seed| World::day(seed, Some(bug), false));
    }
}

fn is_found(bug: Bug, seeds: u64, world_of: impl Fn(u64) -> World) {
    let found = (0..seeds).find_map(|seed| world_of(seed).run().err().map(|broken| (seed, broken)));
    let Some((seed, broken)) = found else { panic!("{bug:?} hides from {seeds} worlds") };
    let sentence = broken.lines().next().unwrap_or_default();
    println!("{bug:?} is found by seed {seed}: {}", sentence.chars().take(160).collect::<String>());
}
