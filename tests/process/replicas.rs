//! Two servers on one PostgreSQL behind one address: one is killed, and the other goes on.

use std::net::SocketAddr;
use std::time::Duration;

use reveille::base::limits;
use reveille::base::time::Span;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet, LocalSet};

use crate::beat;
use crate::crowd;
use crate::ground::{Ground, On, PATIENCE, Server, free_address};
use crate::kill::{
    ANSWER, BEAT, FOLD, INTAKE, SEND, SERVERS, SETTLE, Way, it_can_be_acknowledged, lives_and_dies, prepare, the_page_leaves,
};
use crate::posted::Posted;

/// What stands before two replicas: each connection goes to the first that takes it.
pub struct Pair {
    pub ground: Ground,
    pub at: [SocketAddr; 2],
    balancer: JoinHandle<()>,
}

impl Pair {
    pub async fn new() -> Self {
        Self::before(Ground::new(On::Postgres).await, false).await
    }

    /// Before which each in turn gets a connection.
    async fn in_turn() -> Self {
        Self::before(Ground::new(On::Postgres).await, true).await
    }

    async fn before(ground: Ground, in_turn: bool) -> Self {
        let at = [free_address(), free_address()];
        let listener = TcpListener::bind(ground.address).await.expect("its port is free");
        Self { ground, at, balancer: tokio::spawn(balance(listener, at, in_turn)) }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.balancer.abort();
    }
}

async fn balance(listener: TcpListener, mut to: [SocketAddr; 2], in_turn: bool) {
    loop {
        let (mut near, _) = listener.accept().await.expect("a connection");
        if in_turn {
            to.reverse();
        }
        tokio::spawn(async move {
            for address in to {
                if let Ok(mut far) = TcpStream::connect(address).await {
                    // Either side may break off; whoever asked sees that.
                    drop(tokio::io::copy_bidirectional(&mut near, &mut far).await);
                    return;
                }
            }
        });
    }
}

/// One dies at its failpoint while the other lives, and stands still until then so that the first gets to it.
async fn killed(at: &'static str, way: Way) -> String {
    let pair = Pair::new().await;
    let ground = &pair.ground;
    prepare(ground, way);
    let first = ground.start_at(pair.at[0], Some(at)).await;
    let mut second = ground.start_at(pair.at[1], None).await;
    second.freezes();
    let mut posted = lives_and_dies(ground, first, way).await;
    let placed_before = ground.stage.calls().len();
    second.goes_on();
    // What the dead one held is free when its lease has passed; all spans count from then.
    second.started_at = ground.clock.now() + limits::LEASE;
    if matches!(way, Way::Misses) {
        beat::is_told_of_once(ground, &second).await;
    } else if posted.accepted() == 0 {
        assert!(posted.post(ground, "db-0").await, "the other takes alerts");
    }
    posted.is_kept(ground, &second).await;
    let paged = the_page_leaves(ground, &second, placed_before, way.leaves_within()).await;
    it_can_be_acknowledged(ground, &second).await;
    paged
}

async fn all(cases: &'static [(&'static str, Way)]) {
    let stories = LocalSet::new();
    let mut outcomes = JoinSet::new();
    for (at, way) in cases {
        outcomes.spawn_local_on(
            async move {
                let _turns = SERVERS.acquire_many(2).await.expect("the semaphore stays open");
                let told = tokio::task::spawn_local(killed(at, *way)).await;
                let well = told.is_ok();
                eprintln!("{at:<22} {:<14} replicas  {}", format!("{way:?}"), told.unwrap_or_else(|_| "FAILED".to_owned()));
                well
            },
            &stories,
        );
    }
    let outcomes = stories.run_until(outcomes.join_all()).await;
    assert!(outcomes.iter().all(|well| *well), "see above which step the other did not survive, and how");
}

macro_rules! survived_at {
    ($($name:ident: $cases:expr),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                all($cases).await;
            }
        )*
    };
}

survived_at! {
    at_each_step_of_the_intake: INTAKE,
    at_each_step_of_the_fold_and_of_a_wake_up: FOLD,
    at_each_step_of_a_send: SEND,
    at_each_step_of_a_settlement: SETTLE,
    at_each_step_of_an_answer: ANSWER,
    at_each_step_of_a_heartbeat: BEAT
}

/// Both take alerts, and each in turn is killed and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_turn_in_a_storm_lose_nothing() {
    const KILLS: usize = 8;
    let _turns = SERVERS.acquire_many(2).await.expect("the semaphore stays open");
    let pair = Pair::new().await;
    let ground = &pair.ground;
    let mut posted = Posted::default();
    let mut servers = [Some(ground.start_at(pair.at[0], None).await), Some(ground.start_at(pair.at[1], None).await)];
    for round in 0..KILLS {
        let sends = async |sender: usize| {
            let mut told = Vec::new();
            for n in 0..12 {
                let key = format!("{round}-{sender}-{}", n % 9);
                let accepted = ground.posts(&key).await;
                told.push((key, accepted));
            }
            told
        };
        let killed = async {
            tokio::time::sleep(Duration::from_millis(7 * u64::try_from(round).expect("few"))).await;
            servers[round % 2].take().expect("it runs").kill();
        };
        let (a, b, c, ()) = tokio::join!(sends(0), sends(1), sends(2), killed);
        for (key, accepted) in [a, b, c].into_iter().flatten() {
            posted.note(&key, accepted);
        }
        servers[round % 2] = Some(ground.start_at(pair.at[round % 2], None).await);
    }
    let server = servers[0].as_ref().expect("it runs");
    assert!(posted.accepted() > 100, "hardly anything was posted in this storm");
    posted.is_kept(ground, server).await;
    called_once(ground, server).await;
}

/// The page is out, once and once more for each outcome that stayed unknown; and it can be answered.
async fn called_once(ground: &Ground, server: &Server) {
    ground
        .until(server, "the page is out", Span::seconds(30), async || {
            ground.attempts(1).await.iter().any(|attempt| attempt["outcome"] == "accepted").then_some(())
        })
        .await;
    let unknown = ground.attempts(1).await.iter().filter(|attempt| attempt["outcome"] == "unknown").count();
    let calls = ground.stage.calls().len();
    assert!((1..=1 + unknown).contains(&calls), "{calls} calls, {unknown} unknown\n{}", ground.told());
    it_can_be_acknowledged(ground, server).await;
}

/// Whoever reads the stream of one sees what the other did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_one_see_what_the_other_did() {
    let _turns = SERVERS.acquire_many(2).await.expect("the semaphore stays open");
    let pair = Pair::new().await;
    let ground = &pair.ground;
    let first = ground.start_at(pair.at[0], None).await;
    let _second = ground.start_at(pair.at[1], None).await;
    assert!(ground.posts("db-1").await);
    ground.until(&first, "the phone rings", PATIENCE, async || ground.ringing()).await;
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let stream = format!("http://{}/api/v1/stream", pair.at[1]);
    let mut stream = client.get(stream).bearer_auth(&ground.token).send().await.expect("the stream opens");
    let mut slowest = Span::ZERO;
    for (verb, wanted) in [("acknowledge", "incident_acknowledged"), ("resolve", "incident_resolved")] {
        let url = format!("http://{}/api/v1/incidents/1/{verb}", pair.at[0]);
        let asked_at = ground.clock.now();
        let answer = client.post(url).bearer_auth(&ground.token).json(&serde_json::json!({})).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{verb}");
        let done_at = ground.clock.now();
        let seen = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let chunk = stream.chunk().await.expect("the stream reads").expect("it goes on");
                if String::from_utf8_lossy(&chunk).contains(wanted) {
                    return ground.clock.now();
                }
            }
        });
        let seen = seen.await.unwrap_or_else(|_| panic!("{wanted} is not seen\n{}", first.log()));
        assert!(seen.since(done_at) <= Span::seconds(1), "{} after the answer", seen.since(done_at));
        slowest = slowest.max(seen.since(asked_at));
    }
    eprintln!("seen {} ms after it was asked for at the other, at most", slowest.0 / 1_000);
}

/// How many requests for paths that begin so a server has answered well.
async fn answered(ground: &Ground, at: SocketAddr, path: &str) -> u64 {
    let metrics = ground.http.get(format!("http://{at}/metrics")).send().await.expect("an answer").text().await.expect("a text");
    let route = format!("route=\"{path}");
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("reveille_http_requests_total") && line.contains(&route) && line.contains("status=\"2"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
}

/// Alerts, keys and Slack come now to the one and now to the other, and people are paged once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_takes_hooks_keys_and_slack() {
    let _turns = SERVERS.acquire_many(2).await.expect("the semaphore stays open");
    let pair = Pair::in_turn().await;
    let ground = &pair.ground;
    ground.configure(&crowd::house());
    let first = ground.start_at(pair.at[0], None).await;
    let _second = ground.start_at(pair.at[1], None).await;
    for _ in 0..4 {
        assert!(ground.posts_to(&crowd::key(0), "db-0").await);
    }
    ground.until(&first, "the incident is there", PATIENCE, async || ground.items("/api/v1/incidents").await.pop()).await;
    let kinds = async |kind: &str| {
        let timeline = ground.items("/api/v1/incidents/1/timeline").await;
        timeline.iter().filter(|entry| entry["kind"] == kind).count()
    };
    ground.until(&first, "the room is there", PATIENCE, async || (kinds("room_opened").await == 1).then_some(())).await;
    let slack = ground.stage.slack();
    let room = slack.rooms().into_iter().find(|room| room.name.starts_with("inc-1-")).expect("the room");
    for (n, at) in (1..).zip(pair.at) {
        ground.stage.set_reveille(&format!("http://{at}"));
        slack.slash("U0BO", &room.id, &format!("note looked at it, {n}")).await.expect("he may write there");
        ground.until(&first, "the note is taken", PATIENCE, async || (kinds("note_added").await == n).then_some(())).await;
    }
    let call = ground.until(&first, "a phone rings", PATIENCE, async || ground.ringing()).await;
    ground.stage.answer(&call.sid).await.expect("it rings");
    ground.stage.press(&call.sid, '1').await.expect("it listens");
    ground
        .until(&first, "every call has ended", PATIENCE, async || {
            let is_over = ground.stage.calls().len() == 3 && ground.stage.calls().iter().all(|call| call.status.is_final());
            (is_over && kinds("incident_acknowledged").await == 1).then_some(())
        })
        .await;
    let store = ground.store().await;
    ground.settle(&first, &store).await;
    store.close().await;
    assert_eq!((ground.stage.calls().len(), ground.stage.texts().len()), (3, 3), "{}", ground.told());
    let alerts = ground.items("/api/v1/alerts").await;
    assert_eq!((alerts.len(), &alerts[0]["count"]), (1, &Value::from(4)));
    for at in pair.at {
        for path in ["/hooks/", "/callbacks/", "/slack/"] {
            assert!(answered(ground, at, path).await > 0, "{at} answered nothing on {path}");
        }
    }
}

/// A PostgreSQL of this story's own, restarted in mid-storm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_postgres_loses_nothing_and_pages_resume_by_themselves() {
    let _turns = SERVERS.acquire_many(2).await.expect("the semaphore stays open");
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let script = |arguments: &[&str]| -> Value {
        let mut program = std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres"));
        let output = program.args(arguments).env("REVEILLE_POSTGRES_STATE", &state).output().expect("the script runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Value::String(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let url = script(&["start", &std::process::id().to_string()]);
    {
        let pair = Pair::before(Ground::on(url.as_str().expect("a URL").to_owned()).await, false).await;
        let ground = &pair.ground;
        let first = ground.start_at(pair.at[0], None).await;
        let second = ground.start_at(pair.at[1], None).await;
        let mut posted = Posted::default();
        let mut refusals = std::collections::BTreeSet::new();
        let restarted = tokio::task::spawn_blocking({
            let state = state.clone();
            move || {
                std::thread::sleep(Duration::from_millis(400));
                let mut program = std::process::Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres"));
                let output = program.arg("restart").env("REVEILLE_POSTGRES_STATE", state).output().expect("the script runs");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        });
        let mut after = 0;
        for n in 0..2_000 {
            let key = format!("db-{}", n % 40);
            let body = serde_json::json!({"dedup_key": key, "title": format!("{key} is down"), "severity": "error"});
            let hook = format!("{}/hooks/generic/{}", ground.url, crate::ground::KEY);
            let answer = ground.http.post(hook).json(&body).send().await.expect("the door answers, whatever the database does");
            let status = answer.status().as_u16();
            posted.note(&key, status == 202);
            if status != 202 {
                refusals.insert(status);
            }
            after += usize::from(restarted.is_finished() && status == 202);
            if after > 20 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        restarted.await.expect("it restarts");
        assert!(after > 20, "the doors do not open again\n{}\n{}", first.log(), second.log());
        assert!(refusals.iter().all(|status| *status == 503), "{refusals:?}");
        posted.is_kept(ground, &first).await;
        called_once(ground, &first).await;
        eprintln!("a restart in mid-storm: {} accepted, refused with {refusals:?}", posted.accepted());
    }
    script(&["stop"]);
}
