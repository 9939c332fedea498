//! What the promises say in milliseconds, measured on the real binary as a process of its own, on both databases.
//!
//! `make bench` measures a release build. `make test` runs the same thing shorter, on the build at hand and with ten times the room:
//! there it catches what hangs or waits for a poll, and its figures mean nothing.

mod figures;
mod floor;
mod load;
#[path = "../support/postgres.rs"]
mod postgres;
mod rules;
mod server;
mod sources;

use reveille::base::clock::Clock;
use reveille::base::time::Span;
use reveille::domain::routing;
use tokio::sync::Mutex;

use crate::figures::{Figures, ms, table};
use crate::floor::Floor;
use crate::load::Timed;
use crate::server::{On, Server};

/// As in the binary, because readers are measured in this process.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Promise 4, from the moment a sender begins to post: more than it says, for it counts from the commit.
const HALF_WITHIN: Span = Span::millis(50);
const NEARLY_ALL_WITHIN: Span = Span::millis(250);
/// 200 new incidents a minute.
const INCIDENT_EVERY: Span = Span::millis(300);
/// 20,000 signals of one key a minute.
const FLOOD_EVERY: Span = Span::millis(3);
/// Senders that post at once, as fast as they are answered.
const SENDERS: usize = 16;

/// How long each part takes, and how much longer than promised anything may take.
struct Plan {
    incidents: usize,
    intake: Span,
    flooded_incidents: usize,
    /// Until the journal is empty after everything was posted.
    fold_within: Span,
    room: usize,
}

const PLAN: Plan = if cfg!(debug_assertions) {
    Plan { incidents: 12, intake: Span::seconds(1), flooded_incidents: 12, fold_within: Span::seconds(60), room: 10 }
} else {
    Plan { incidents: 200, intake: Span::seconds(5), flooded_incidents: 200, fold_within: Span::seconds(60), room: 1 }
};

/// One measurement at a time: two would measure each other.
static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    measure(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    measure(On::Postgres).await;
}

async fn measure(on: On) {
    let _alone = ALONE.lock().await;
    let clock = Clock::system();
    let people = PLAN.incidents + PLAN.flooded_incidents;
    let server = Server::start(on, people).await;
    let floor = Floor::of(&clock, server.folder()).await;
    // Connections are opened and statements prepared once in a server's life; that is no part of any figure.
    server.warm_up().await;

    let quiet = server.spent(async { load::incidents(&server, 0..PLAN.incidents, INCIDENT_EVERY).await }).await;
    let intake = server.spent(async { load::as_fast_as_answered(&server, SENDERS, PLAN.intake).await }).await;
    let intake_lag = server.journal_empties(PLAN.fold_within).await;
    let (flooded, flood) = tokio::join!(
        load::incidents(&server, PLAN.incidents..people, INCIDENT_EVERY),
        load::flood(&server, times(INCIDENT_EVERY, PLAN.flooded_incidents), FLOOD_EVERY),
    );
    let flood_lag = server.journal_empties(PLAN.fold_within).await;

    let rows = [
        ("post -> provider request", called(&quiet.value), "from the start of the post"),
        ("answered -> provider request", called_after_answer(&quiet.value), "from the 202, which follows the commit"),
        ("post -> 202", answered(&quiet.value), "the same posts"),
        ("  while another key floods:", Figures::default(), ""),
        ("post -> provider request", called(&flooded), "from the start of the post"),
        ("post -> 202", answered(&flooded), "the same posts"),
        ("post -> 202 of the flood", Figures::of(flood.answers.iter().copied()), "20,000 a minute"),
        ("  as fast as answered:", Figures::default(), ""),
        ("post -> 202", Figures::of(intake.value.answers.iter().copied()), "16 senders at once"),
    ];
    println!("\n{}", floor::machine(on.name()));
    println!("floor: {}", floor.told());
    print!("{}", table(&rows, &floor));
    println!(
        "accepted a second, 16 senders: {:.0}; journal empty {} ms after the last\n\
         flood: {} accepted in {} ms, journal empty {} ms after the last\n\
         processor time of the server: {:.1} ms an incident with its call and its acknowledgement, {:.2} ms an accepted signal",
        per_second(intake.value.answers.len(), intake.value.took),
        ms(intake_lag),
        flood.answers.len(),
        ms(flood.took),
        ms(flood_lag),
        quiet.processor_ms / count(quiet.value.len()),
        intake.processor_ms / count(intake.value.answers.len()),
    );
    server.stop().await;

    for (what, figures) in [("", called(&quiet.value)), (" while another key floods", called(&flooded))] {
        for (part, took, limit) in [("half", figures.median, HALF_WITHIN), ("99 of 100", figures.p99, NEARLY_ALL_WITHIN)] {
            let limit = times(limit, PLAN.room);
            assert!(took <= limit, "{part} of the posts should reach the provider within {} ms{what}; it took {} ms", ms(limit), ms(took));
        }
    }
}

/// A rule costs a signal next to nothing, or a sender of many would wait for the rules of all the others.
#[tokio::test]
async fn ten_thousand_signals_pass_fifty_rules() {
    const SIGNALS: usize = 10_000;
    const RULES: usize = 50;
    /// A release build takes about a tenth of it.
    const WITHIN: Span = Span::millis(500);
    let _alone = ALONE.lock().await;
    let clock = Clock::system();
    for (what, expression) in [("matchers", None), ("matchers and expressions", Some("labels.size|int > 90 and 'disk' in title"))] {
        let setup = rules::setup(RULES, expression);
        let signals: Vec<_> = (0..SIGNALS).map(rules::signal).collect();
        let began = clock.now();
        let taken = signals.into_iter().filter(|signal| routing::route(&setup, signal.clone()).taken.is_some()).count();
        let took = clock.now().since(began);
        println!("{SIGNALS} signals through {RULES} rules of {what}: {} ms, {taken} taken", ms(took));
        assert_eq!(taken, SIGNALS / 10, "the last rule takes every tenth");
        assert!(took <= times(WITHIN, PLAN.room * 2), "{SIGNALS} signals took {} ms", ms(took));
    }
}

fn called(posts: &[Timed]) -> Figures {
    Figures::of(posts.iter().map(|post| post.called_at.since(post.posted_at)))
}

fn called_after_answer(posts: &[Timed]) -> Figures {
    // The call may go out before the sender has read its answer.
    Figures::of(posts.iter().map(|post| post.called_at.since(post.answered_at).max(Span::ZERO)))
}

fn answered(posts: &[Timed]) -> Figures {
    Figures::of(posts.iter().map(|post| post.answered_at.since(post.posted_at)))
}

#[expect(clippy::cast_precision_loss, reason = "a count of posts")]
fn count(n: usize) -> f64 {
    n.max(1) as f64
}

fn times(span: Span, n: usize) -> Span {
    Span(span.0 * i64::try_from(n).expect("few"))
}

fn per_second(n: usize, took: Span) -> f64 {
    count(n) / took.as_duration().as_secs_f64().max(1e-6)
}
