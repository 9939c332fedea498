//! `kill -9` at any moment of a storm, again and again.

use std::time::Duration;

use reveille::base::time::Span;

use crate::ground::{Ground, On, PATIENCE};
use crate::posted::Posted;

const LIVES: u64 = 10;
const SENDERS: usize = 4;

/// Random enough for moments, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Posts until the server is gone, each key once and some twice.
async fn posts(ground: &Ground, life: u64, sender: usize) -> Vec<(String, bool)> {
    let mut told = Vec::new();
    for n in 0.. {
        let key = format!("{life}-{sender}-{}", n - n / 4);
        let accepted = ground.posts(&key).await;
        told.push((key, accepted));
        if !accepted {
            break;
        }
    }
    told
}

async fn storm(on: On, seed: u64) {
    let ground = Ground::new(on).await;
    let mut dice = Dice(seed);
    let mut posted = Posted::default();
    let mut unsure = 0;
    for life in 0..LIVES {
        let server = ground.start(None).await;
        let moment = Duration::from_micros(dice.below(400_000));
        let senders =
            async { tokio::join!(posts(&ground, life, 0), posts(&ground, life, 1), posts(&ground, life, 2), posts(&ground, life, 3)) };
        let killed = async {
            tokio::time::sleep(moment).await;
            server.kill();
        };
        let ((a, b, c, d), ()) = tokio::join!(senders, killed);
        for (key, accepted) in [a, b, c, d].into_iter().flatten() {
            unsure += usize::from(!accepted);
            posted.note(&key, accepted);
        }
    }
    let started = ground.clock.now();
    let server = ground.start(None).await;
    posted.is_kept(&ground, &server).await;
    let folded = ground.clock.now().since(started);
    ground
        .until(&server, "the page is out", Span::seconds(20), async || {
            ground.attempts(1).await.iter().any(|attempt| attempt["outcome"] == "accepted").then_some(())
        })
        .await;
    let unknown = ground.attempts(1).await.iter().filter(|attempt| attempt["outcome"] == "unknown").count();
    let calls = ground.stage.calls().len();
    eprintln!(
        "{on:?}, seed {seed}: {LIVES} kills, {} accepted, {unsure} unanswered, all there {} ms after the start, calls {calls}, unknown {unknown}",
        posted.accepted(),
        folded.0 / 1_000
    );
    assert!(posted.accepted() > i64::try_from(LIVES).expect("few"), "hardly anything was posted in this storm");
    assert!(unsure <= SENDERS * usize::try_from(LIVES).expect("few"));
    assert!((1..=1 + unknown).contains(&calls), "{}", ground.told());
    let store = ground.store().await;
    ground.command(1, "acknowledge").await.expect("an answer");
    ground
        .until(&server, "every call has ended", PATIENCE, async || {
            ground.stage.calls().iter().all(|call| call.status.is_final()).then_some(())
        })
        .await;
    ground.settle(&server, &store).await;
    assert_eq!(ground.stage.calls().len(), calls, "{}", ground.told());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_in_a_storm_lose_nothing_on_sqlite() {
    storm(On::Sqlite, 2_015).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_in_a_storm_lose_nothing_on_postgres() {
    storm(On::Postgres, 2_019).await;
}
