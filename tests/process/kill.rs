//! `kill -9` at each step of intake and send. What was accepted is there afterwards, the page leaves, and nobody is called more often
//! than an outcome stayed unknown.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use reveille::base::time::{Span, Time};
use reveille::stage::{CallStatus, Callbacks, Fault};
use reveille::store;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

use crate::beat;
use crate::ground::{ANA, Ground, On, PATIENCE, Server};
use crate::posted::Posted;

/// An untried page leaves, and an unknown one is settled, this long after the start at most.
const LEAVES_WITHIN: Span = Span::seconds(5);
const SETTLED_WITHIN: Span = Span::seconds(20);

/// Servers at once, over all stories of this binary: most of the time they wait.
pub static SERVERS: Semaphore = Semaphore::const_new(10);

/// What happens until the server dies.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Alerts come in, and the phone is called.
    Posts,
    /// The phone rings and nobody picks up until the policy goes on.
    Escalates,
    /// The call is placed and the answer is lost: the provider's list has it.
    AnswerLost,
    /// Nothing is placed, and nothing says so.
    NothingPlaced,
    /// She picks up and presses 1.
    Press,
    /// A script acknowledges while the phone rings: the call is ended.
    Acknowledge,
    /// A beat is awaited, and does not come.
    Misses,
    /// A beat comes.
    Beats,
    /// What fires is silenced, and the silence ends.
    Silences,
    /// What fires is given time to pass by itself, and does not.
    Waits,
}

impl Way {
    /// How long after the start an untried page may leave.
    pub fn leaves_within(self) -> Span {
        match self {
            Self::Posts | Self::Escalates | Self::AnswerLost | Self::NothingPlaced | Self::Press | Self::Acknowledge | Self::Beats => {
                LEAVES_WITHIN
            }
            // A beat may have found no door while nobody was here: it is given another of its periods first, and looked for every second.
            Self::Misses => LEAVES_WITHIN + Span::seconds(2),
            Self::Silences => LEAVES_WITHIN + SILENCED,
            // It is looked at every second, by whoever has the sweeper's lease.
            Self::Waits => LEAVES_WITHIN + WAITED,
        }
    }

    fn fault(self) -> Option<Fault> {
        match self {
            Self::Posts | Self::Escalates | Self::Press | Self::Acknowledge | Self::Misses | Self::Beats | Self::Silences | Self::Waits => {
                None
            }
            Self::AnswerLost => Some(Fault::PlaceButDrop),
            Self::NothingPlaced => Some(Fault::Refuse { status: 500, code: 20_500 }),
        }
    }
}

pub const INTAKE: &[(&str, Way)] = &[
    ("intake.read", Way::Posts),
    ("intake.read:3", Way::Posts),
    ("intake.queued:3", Way::Posts),
    ("intake.before_commit:3", Way::Posts),
    ("intake.committed", Way::Posts),
    ("intake.committed:3", Way::Posts),
    ("intake.answered", Way::Posts),
    ("intake.answered:3", Way::Posts),
];

/// The journal has files of its own beside SQLite only.
const JOURNAL: &[(&str, Way)] = &[("journal.written", Way::Posts), ("journal.written:3", Way::Posts)];

pub const FOLD: &[(&str, Way)] = &[
    ("fold.taken", Way::Posts),
    ("fold.before_commit", Way::Posts),
    ("fold.before_commit:2", Way::Posts),
    ("fold.committed", Way::Posts),
    ("wake.taken", Way::Escalates),
    ("wake.before_commit", Way::Escalates),
    ("wake.committed", Way::Escalates),
    ("attend.taken", Way::Posts),
    ("attend.before_commit", Way::Posts),
    ("attend.committed", Way::Posts),
];

pub const SEND: &[(&str, Way)] = &[
    ("send.intent", Way::Posts),
    ("send.claimed", Way::Posts),
    ("send.before_intent", Way::Posts),
    ("send.sent", Way::Posts),
    ("send.recorded", Way::Posts),
    ("report.before_commit", Way::Posts),
    ("report.committed", Way::Posts),
    ("hear.status", Way::Posts),
    ("hear.status_taken", Way::Posts),
    ("hear.status_taken:2", Way::Posts),
];

pub const SETTLE: &[(&str, Way)] = &[
    ("ask.asking", Way::NothingPlaced),
    ("ask.recorded", Way::NothingPlaced),
    ("settle.claimed", Way::AnswerLost),
    ("ask.asking", Way::AnswerLost),
    ("ask.asked", Way::AnswerLost),
    ("ask.recorded", Way::AnswerLost),
];

pub const ANSWER: &[(&str, Way)] = &[
    ("hear.key", Way::Press),
    ("act.before_commit", Way::Press),
    ("act.committed", Way::Press),
    ("hear.key_taken", Way::Press),
    ("act.before_commit", Way::Acknowledge),
    ("act.committed", Way::Acknowledge),
    ("settle.claimed", Way::Acknowledge),
    ("end.ending", Way::Acknowledge),
    ("end.ended", Way::Acknowledge),
    ("end.settled", Way::Acknowledge),
];

pub const BEAT: &[(&str, Way)] = &[
    ("beat.missed", Way::Misses),
    ("beat.missed_committed", Way::Misses),
    ("fold.committed", Way::Misses),
    ("beat.counted", Way::Beats),
    ("intake.committed", Way::Beats),
];

/// At its beginning and at its end a silence looks at the alerts that it is about.
pub const COVER: &[(&str, Way)] = &[
    ("cover.taken", Way::Silences),
    ("cover.before_commit", Way::Silences),
    ("cover.committed", Way::Silences),
    ("cover.taken:2", Way::Silences),
    ("cover.before_commit:2", Way::Silences),
    ("cover.committed:2", Way::Silences),
];
/// How long it lasts.
const SILENCED: Span = Span::seconds(3);

/// What waits to pass by itself is looked at when its time is over.
pub const HOLD: &[(&str, Way)] = &[("fold.committed", Way::Waits), ("sweep.before_commit", Way::Waits), ("sweep.committed", Way::Waits)];
/// How long it waits.
const WAITED: Span = Span::seconds(2);

/// Makes a table into two tests, one for each database.
macro_rules! killed_at {
    ($name:ident, $cases:expr) => {
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                all(On::Sqlite, $cases).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                all(On::Postgres, $cases).await;
            }
        }
    };
}

killed_at!(at_each_step_of_the_intake, INTAKE);
killed_at!(at_each_step_of_the_fold_and_of_a_wake_up, FOLD);
killed_at!(at_each_step_of_a_send, SEND);
killed_at!(at_each_step_of_a_settlement, SETTLE);
killed_at!(at_each_step_of_an_answer, ANSWER);
killed_at!(at_each_step_of_a_heartbeat, BEAT);
killed_at!(at_each_step_of_a_silence, COVER);
killed_at!(at_each_step_of_a_wait, HOLD);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_each_step_of_the_journal() {
    all(On::Sqlite, JOURNAL).await;
}

async fn all(on: On, cases: &'static [(&'static str, Way)]) {
    // A story's own steps stay on one thread; its stage and its client do not.
    let stories = LocalSet::new();
    let mut outcomes = JoinSet::new();
    for (at, way) in cases {
        outcomes.spawn_local_on(
            async move {
                let _turn = SERVERS.acquire().await.expect("the semaphore stays open");
                let told = tokio::task::spawn_local(killed(on, at, *way)).await;
                let well = told.is_ok();
                eprintln!("{at:<22} {:<14} {:<9} {}", format!("{way:?}"), format!("{on:?}"), told.unwrap_or_else(|_| "FAILED".to_owned()));
                well
            },
            &stories,
        );
    }
    let outcomes = stories.run_until(outcomes.join_all()).await;
    assert!(outcomes.iter().all(|well| *well), "see above which step was not survived, and how");
}

/// One life and its end, and the life after it.
async fn killed(on: On, at: &'static str, way: Way) -> String {
    let ground = Ground::new(on).await;
    prepare(&ground, way);
    let server = ground.start(Some(at)).await;
    let mut posted = lives_and_dies(&ground, server, way).await;

    let placed_before = ground.stage.calls().len();
    let server = ground.start(None).await;
    if matches!(way, Way::Misses) {
        beat::is_told_of_once(&ground, &server).await;
    } else if posted.accepted() == 0 {
        // A sender that was not answered comes again.
        assert!(posted.post(&ground, "db-0").await, "the server takes alerts again");
    }
    if matches!(way, Way::Silences | Way::Waits) {
        let opened = async || (!ground.items("/api/v1/incidents").await.is_empty()).then_some(());
        ground.until(&server, "the silence or the wait is over, and an incident is opened", PATIENCE, opened).await;
    }
    posted.is_kept(&ground, &server).await;
    let paged = the_page_leaves(&ground, &server, placed_before, way.leaves_within()).await;
    it_can_be_acknowledged(&ground, &server).await;
    format!("up {:>5} ms, {paged}", ms(server.up_at.since(server.started_at)))
}

/// The stage and the file as this way needs them, before the server starts.
pub fn prepare(ground: &Ground, way: Way) {
    ground.stage.set_fault(way.fault());
    if matches!(way, Way::AnswerLost) {
        // Else the first callback tells what the answer would have told.
        ground.stage.set_callbacks(Callbacks::Off);
    }
    if matches!(way, Way::Escalates) {
        ground.configure_with("escalate_after = \"5m\"", "escalate_after = \"1s\"");
    }
    if matches!(way, Way::Waits) {
        ground.configure_with("[[service]]", &format!("[[service]]\nquiet_for = \"{WAITED}\""));
    }
    if matches!(way, Way::Misses) {
        beat::awaited_every(ground, "1s");
    }
    if matches!(way, Way::Beats) {
        beat::awaited_every(ground, "1h");
    }
}

/// One life, until the server dies of its failpoint. The stage is well again then.
pub async fn lives_and_dies(ground: &Ground, mut server: Server, way: Way) -> Posted {
    let mut posted = Posted::default();
    if matches!(way, Way::Silences) {
        silence(ground).await;
    }
    // The alert of a beat that did not come is to be the only one, and a beat the only request.
    let posts = if matches!(way, Way::Misses | Way::Beats) { 0 } else { 12 };
    for n in 0..posts {
        posted.post(ground, &format!("db-{}", n % 4)).await;
        if !server.is_up() {
            break;
        }
    }
    match way {
        Way::Beats => assert!(!beat::beats(ground).await, "nobody answered"),
        Way::Misses | Way::Posts | Way::Escalates | Way::AnswerLost | Way::NothingPlaced | Way::Silences | Way::Waits => {}
        Way::Press => {
            let call = ground.until(&server, "the phone rings", PATIENCE, async || ground.ringing()).await;
            ground.stage.answer(&call.sid).await.expect("it rings");
            ground.stage.press(&call.sid, '1').await.expect("it listens");
        }
        Way::Acknowledge => {
            ground.until(&server, "the phone rings", PATIENCE, async || ground.ringing()).await;
            ground.command(1, "acknowledge").await;
        }
    }
    server.dies(PATIENCE).await;
    ground.stage.set_fault(None);
    ground.stage.set_callbacks(Callbacks::On);
    posted
}

/// It begins at once, and the server may be dead before the answer is out.
async fn silence(ground: &Ground) {
    let body = serde_json::json!({ "matchers": ["integration=~\".+\""], "for": SILENCED.to_string(), "comment": "we move the disks" });
    let url = format!("{}/api/v1/silences", ground.url);
    let answer = ground.http.post(url).bearer_auth(&ground.token).json(&body).send().await;
    assert!(answer.map_or(true, |answer| answer.status() == 201), "the silence is made");
}

fn ms(span: Span) -> i64 {
    span.0 / 1_000
}

/// It is placed once, and once more for each outcome that stayed unknown; in time.
pub async fn the_page_leaves(ground: &Ground, server: &Server, placed_before: usize, leaves_within: Span) -> String {
    let left = (server.started_at + SETTLED_WITHIN).since(ground.clock.now());
    ground
        .until(server, "an attempt is accepted, or nobody is to be called", left, async || {
            let incident = ground.get("/api/v1/incidents/1").await;
            let is_out = ground.attempts(1).await.iter().any(|attempt| attempt["outcome"] == "accepted");
            (is_out || incident["state"] == "acknowledged").then_some(())
        })
        .await;
    let settled_at = ground.clock.now();
    let store = ground.store().await;
    let silent = store::audit_silent(&store.reader(), ground.clock.now()).await.expect("the audit reads");
    assert!(silent.is_empty(), "silent: {silent:?}\n{}", server.log());
    store.close().await;

    let attempts = ground.attempts(1).await;
    let calls = ground.stage.calls();
    let unknown = attempts.iter().filter(|attempt| attempt["outcome"] == "unknown").count();
    assert!((1..=1 + unknown).contains(&calls.len()), "{} calls, {unknown} unknown\n{}\n{attempts:#?}", calls.len(), ground.told());
    let timeline = ground.items("/api/v1/incidents/1/timeline").await;
    let was_unknown = timeline.iter().any(|entry| entry["kind"] == "attempt_unknown");
    let after = |at: Time| at.since(server.started_at);
    let told = match (was_unknown, placed_before) {
        (false, 0) => {
            let left = after(calls[0].created_at);
            assert!(left <= leaves_within, "the page left {left} after the start\n{}", server.log());
            format!("page left {:>5} ms", ms(left))
        }
        (false, _) => "page was out      ".to_owned(),
        (true, _) => format!("settled   {:>5} ms", ms(after(settled_at))),
    };
    format!("{told}, calls {}, unknown {unknown}", calls.len())
}

/// Whoever presses 1 has it, and nobody is called after that.
pub async fn it_can_be_acknowledged(ground: &Ground, server: &Server) {
    let store = ground.store().await;
    let incident = ground.get("/api/v1/incidents/1").await;
    if incident["state"] == "triggered" {
        match ground.ringing() {
            Some(call) => {
                assert_eq!(call.to, ANA);
                ground.stage.answer(&call.sid).await.expect("it rings");
                ground.stage.press(&call.sid, '1').await.expect("it listens");
            }
            // She was speaking when the server died: the line broke, and the next call is minutes away.
            None => drop(ground.command(1, "acknowledge").await),
        }
    }
    let by = ground
        .until(server, "it is acknowledged", PATIENCE, async || {
            let incident = ground.get("/api/v1/incidents/1").await;
            (incident["state"] == "acknowledged").then(|| incident["acknowledged_by"].clone())
        })
        .await;
    assert!(by == "ana" || by == "token:story", "{by}");
    let calls = ground.stage.calls().len();
    ground
        .until(server, "every call has ended", PATIENCE, async || {
            ground.stage.calls().iter().all(|call| call.status.is_final()).then_some(())
        })
        .await;
    ground.settle(server, &store).await;
    assert_eq!(ground.stage.calls().len(), calls, "somebody was called after the answer\n{}", ground.told());
    for page in ground.items("/api/v1/incidents/1/pages").await {
        assert!(page["state"] == "acknowledged" || page["state"] == "ended", "{page:#}");
    }
    store.close().await;
}

/// The provider has the request and has not answered when the server is killed by hand.
async fn killed_in_mid_request(on: On, fault: Fault) {
    let _turn = SERVERS.acquire().await.expect("the semaphore stays open");
    let ground = Ground::new(on).await;
    // The account is full with what was under way; that must not keep it from being settled.
    ground.configure_with("calls_per_second = 100", "calls_per_second = 100\nconcurrent_calls = 1");
    ground.stage.set_fault(Some(fault));
    let server = ground.start(None).await;
    let mut posted = Posted::default();
    assert!(posted.post(&ground, "db-0").await);
    ground.until(&server, "the provider has the request", PATIENCE, async || (ground.stage.requests_hanging() > 0).then_some(())).await;
    server.kill();
    ground.stage.set_fault(None);
    let placed_before = ground.stage.calls().len();
    let server = ground.start(None).await;
    posted.is_kept(&ground, &server).await;
    let paged = the_page_leaves(&ground, &server, placed_before, LEAVES_WITHIN).await;
    assert!(ground.stage.calls().iter().any(|call| call.status == CallStatus::Ringing), "{}", ground.told());
    it_can_be_acknowledged(&ground, &server).await;
    eprintln!("{fault:?} {on:?} {paged}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_mid_request_that_placed_the_call() {
    tokio::join!(killed_in_mid_request(On::Sqlite, Fault::PlaceButHang), killed_in_mid_request(On::Postgres, Fault::PlaceButHang));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_mid_request_that_placed_nothing() {
    tokio::join!(killed_in_mid_request(On::Sqlite, Fault::Hang), killed_in_mid_request(On::Postgres, Fault::Hang));
}

/// A step that is in no table is one that nothing was killed at.
#[test]
fn every_failpoint_of_the_program_is_in_a_table() {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    let mut reachable = BTreeSet::new();
    for path in found.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
        let text = std::fs::read_to_string(&path).expect("it reads");
        for call in text.split("failpoint::reach(").skip(1) {
            let call = &call[..call.find(");").expect("it ends")];
            reachable.extend(call.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    let tables = [INTAKE, JOURNAL, FOLD, SEND, SETTLE, ANSWER, BEAT, COVER, HOLD];
    let named = tables.into_iter().flatten().map(|(at, _)| at.split(':').next().unwrap_or(at).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(reachable, named);
}
