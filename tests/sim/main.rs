//! A seeded world drives `decide` with all four inputs, through drops, delays, duplicates, lies and restarts, and is held to the
//! promises after every step. `REVEILLE_SIM_SEEDS` says how many worlds, `REVEILLE_SIM_SEED` replays one of them with a trace.

mod cast;
mod dice;
mod explained;
mod held;
mod hush;
mod merge;
mod novel;
mod page;
mod plant;
mod provider;
mod storm;
mod watch;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use plant::Bug;
use watch::Due;
use world::World;

/// Worlds that a planted bug may hide in before it must be found.
const SEEDS_FOR_A_BUG: u64 = 4_000;

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

/// What happened in all worlds so far.
#[derive(Default)]
struct Seen {
    steps: usize,
    signals: i64,
    opened: usize,
    answered: usize,
    kinds: BTreeSet<&'static str>,
    proved: BTreeMap<Due, usize>,
}

impl Seen {
    fn add(&mut self, world: &World) {
        self.steps += world.steps;
        self.signals += world.watch.accepted;
        self.opened += world.watch.opened;
        self.answered += world.watch.answered;
        self.kinds.extend(&world.watch.kinds);
        world.watch.proved.iter().for_each(|(due, times)| *self.proved.entry(*due).or_default() += times);
    }

    fn and(mut self, other: Self) -> Self {
        self.steps += other.steps;
        self.signals += other.signals;
        self.opened += other.opened;
        self.answered += other.answered;
        self.kinds.extend(other.kinds);
        other.proved.into_iter().for_each(|(due, times)| *self.proved.entry(due).or_default() += times);
        self
    }
}

#[test]
fn every_world_keeps_the_promises() {
    if let Some(seed) = number("REVEILLE_SIM_SEED") {
        let mut world = World::new(seed, None, true);
        if let Err(broken) = world.run() {
            panic!("seed {seed} at {}: {broken}", world.rows.now);
        }
        return;
    }
    let seeds = number("REVEILLE_SIM_SEEDS").unwrap_or(10_000);
    // Two threads: the machine that proves this has two cores.
    let next = AtomicU64::new(0);
    let live_some = || {
        let mut seen = Seen::default();
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds) {
            let mut world = World::new(seed, None, false);
            if let Err(broken) = world.run() {
                panic!("seed {seed}: {broken}\nreplay: REVEILLE_SIM_SEED={seed} cargo test --test sim every_world -- --nocapture");
            }
            seen.add(&world);
        }
        seen
    };
    let halves = std::thread::scope(|scope| {
        let threads = [scope.spawn(live_some), scope.spawn(live_some)];
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let Seen { steps, signals, opened, answered, kinds, proved } = halves.into_iter().fold(Seen::default(), Seen::and);
    println!("{seeds} worlds: {steps} steps, {signals} signals, {opened} incidents, {answered} answers; held {proved:?}");
    // A world in which nothing happens keeps every promise.
    assert!(seeds < 100 || (opened as u64 > seeds && answered as u64 > seeds / 2), "the worlds are too quiet to prove anything");
    let missing: Vec<_> = MUST_HAPPEN.into_iter().filter(|kind| !kinds.contains(kind)).collect();
    assert!(seeds < 1_000 || missing.is_empty(), "never happened: {missing:?}");
    assert!(seeds < 100 || proved.len() == 3, "each kind of deadline is met somewhere");
}

#[test]
fn every_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = (0..SEEDS_FOR_A_BUG).find_map(|seed| World::new(seed, Some(bug), false).run().err().map(|broken| (seed, broken)));
        let Some((seed, broken)) = found else { panic!("{bug:?} hides from {SEEDS_FOR_A_BUG} worlds") };
        let sentence = broken.lines().next().unwrap_or_default();
        println!("{bug:?} is found by seed {seed}: {}", sentence.chars().take(160).collect::<String>());
    }
}
