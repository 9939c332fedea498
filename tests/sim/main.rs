//! A seeded world drives `decide` with all four inputs, through drops, delays, duplicates, lies and restarts, and is held to the
//! promises after every step. `REVEILLE_SIM_SEEDS` says how many worlds, `REVEILLE_SIM_SEED` replays one of them with a trace.

mod cast;
mod dice;
mod plant;
mod provider;
mod watch;
mod world;

use std::collections::BTreeMap;

use plant::Bug;
use watch::Due;
use world::World;

/// Worlds that a planted bug may hide in before it must be found.
const SEEDS_FOR_A_BUG: u64 = 150;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
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
    let seeds = number("REVEILLE_SIM_SEEDS").unwrap_or(2_000);
    let (mut steps, mut signals, mut opened, mut answered) = (0, 0, 0, 0);
    let mut proved = BTreeMap::<Due, usize>::new();
    for seed in 0..seeds {
        let mut world = World::new(seed, None, false);
        if let Err(broken) = world.run() {
            panic!("seed {seed}: {broken}\nreplay: REVEILLE_SIM_SEED={seed} cargo test --test sim every_world -- --nocapture");
        }
        steps += world.steps;
        signals += world.watch.accepted;
        opened += world.watch.opened;
        answered += world.watch.answered;
        world.watch.proved.iter().for_each(|(due, times)| *proved.entry(*due).or_default() += times);
    }
    println!("{seeds} worlds: {steps} steps, {signals} signals, {opened} incidents, {answered} answers; held {proved:?}");
    // A world in which nothing happens keeps every promise.
    assert!(seeds < 100 || (opened as u64 > seeds && answered as u64 > seeds / 2), "the worlds are too quiet to prove anything");
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
