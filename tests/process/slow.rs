//! Thousands who connect and say nothing, or say it a byte at a time; and one who says everything at once. Nobody else notices.

use std::time::{Duration, Instant};

use reveille::base::time::Span;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ground::{Ground, KEY, On, PATIENCE, Server};

/// What is held open; fewer where the system allows this process fewer file handles.
const CONNECTIONS: usize = 10_000;
/// The most that a connection which only waits may cost the server, bytes.
const IDLE_BYTES: usize = 40 << 10;

fn connections() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to its own limit");
    let handles = maximum.and_then(|handles| usize::try_from(handles).ok()).unwrap_or(usize::MAX);
    CONNECTIONS.min(handles.saturating_sub(2_000))
}

/// What the server holds in memory, bytes.
fn resident(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    line.trim().trim_end_matches("kB").trim().parse::<usize>().expect("a number") << 10
}

/// The longest of a hundred posts but one, one after the other.
async fn p99(ground: &Ground, round: &str) -> Duration {
    let mut took = Vec::new();
    for n in 0..100 {
        let began = Instant::now();
        assert!(ground.posts(&format!("{round}-{n}")).await, "an ordinary sender is taken");
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took[98]
}

/// What it may take beside others: a busy machine may have been slow alone already, and gives nobody leave to be slower than this.
fn within(quiet: Duration) -> Duration {
    quiet.min(Duration::from_millis(100)) * 10 + Duration::from_millis(500)
}

/// Opens so many at once, and writes to each what its number says.
async fn hold(ground: &Ground, from: usize, to: usize) -> Vec<TcpStream> {
    let mut held = Vec::with_capacity(to - from);
    for first in (from..to).step_by(200) {
        let batch = (first..to.min(first + 200)).map(|n| async move {
            let mut stream = TcpStream::connect(ground.address).await.expect("a connection");
            let words = match n % 3 {
                0 => String::new(),
                1 => format!("POST /hooks/generic/{KEY} HTTP/1.1\r\nhost: x\r\nx-slow: "),
                _ => format!("POST /hooks/generic/{KEY} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{\"title\":"),
            };
            stream.write_all(words.as_bytes()).await.expect("it takes a few bytes");
            stream
        });
        held.extend(futures_util::future::join_all(batch).await);
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_that_only_wait_cost_nobody_anything() {
    let ground = Ground::new(On::Sqlite).await;
    let server = ground.start(None).await;
    let quiet = p99(&ground, "quiet").await;
    let before = resident(&server);
    let many = connections();
    let held = hold(&ground, 0, many).await;
    let each = resident(&server).saturating_sub(before) / many;
    let busy = p99(&ground, "busy").await;
    // The doors that must never be shut, and a page.
    let health = ground.http.get(format!("{}/healthz", ground.url)).send().await.expect("an answer");
    assert_eq!(health.status(), 200);
    ground.until(&server, "the page rings", PATIENCE, async || (!ground.stage.calls().is_empty()).then_some(())).await;
    // As many again as there are places: those who only wait leave, and whoever has something to say comes in.
    let more = hold(&ground, 0, many.min(4_000)).await;
    let crowded = p99(&ground, "crowded").await;
    let health = ground.http.get(format!("{}/healthz", ground.url)).send().await.expect("an answer");
    assert_eq!(health.status(), 200);
    eprintln!("{many} connections: {each} bytes each; p99 {quiet:?} alone, {busy:?} beside them, {crowded:?} with {} more", more.len());
    assert!(each <= IDLE_BYTES, "{each} bytes for each of {many}");
    for took in [busy, crowded] {
        assert!(took < within(quiet), "{quiet:?} alone, {took:?} beside {many}\n{}", server.log());
    }
    // Each of them hears the end of it in time: the server does not wait for ever.
    let late = Instant::now() + Duration::from_secs(30);
    let mut slow = held.into_iter().nth(1).expect("one with a slow head");
    let mut rest = Vec::new();
    let ended = tokio::time::timeout_at(late.into(), slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a client that never ends its head is still waited for");
    drop(more);
}

/// As Alertmanager sends 20,000 alerts of one group.
fn group() -> Value {
    let alert = |n: usize| {
        let words = "The node has been unreachable for more than five minutes and its pods are being moved elsewhere. ".repeat(7);
        json!({
            "status": "firing",
            "labels": { "alertname": "NodeDown", "instance": format!("node-{n:05}.example.com:9100"), "job": "node", "severity": "critical" },
            "annotations": { "summary": format!("node {n} is down"), "description": words },
            "startsAt": "2026-01-05T03:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": format!("http://prometheus.example.com/graph?g0.expr=up%7Binstance%3D%22node-{n}%22%7D"),
            "fingerprint": format!("{n:016x}"),
        })
    };
    json!({ "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "reveille", "truncatedAlerts": 0,
            "alerts": (0..20_000).map(alert).collect::<Vec<_>>() })
}

/// Under two seconds on a release build; here it is built to be built quickly, and others run beside it.
const GROUP_WITHIN: Span = Span::seconds(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_twenty_thousand_alerts_is_taken_in_and_holds_up_nobody() {
    let ground = Ground::new(On::Sqlite).await;
    ground.configure(&format!(
        "{}\n[[integration]]\nid = \"prometheus\"\nsource = \"alertmanager\"\nservice = \"api\"\nkey = \"prometheuskey0000000001\"\n",
        crate::ground::FILE
    ));
    let server = ground.start(None).await;
    let quiet = p99(&ground, "quiet").await;
    let body = group().to_string();
    assert!((18 << 20..22 << 20).contains(&body.len()), "{} bytes", body.len());
    let began = Instant::now();
    let post = ground.http.post(format!("{}/hooks/alertmanager/prometheuskey0000000001", ground.url)).body(body).send();
    let ((taken, answered), beside) = tokio::join!(
        async {
            let taken = post.await.expect("an answer").status();
            (taken, began.elapsed())
        },
        p99(&ground, "beside")
    );
    assert_eq!(taken, 202);
    ground
        .until(&server, "all are decided", GROUP_WITHIN, async || {
            let incidents = ground.items("/api/v1/incidents").await;
            let all: i64 = incidents.iter().filter_map(|incident| incident["alerts_count"].as_i64()).sum();
            (all >= 20_000).then_some(())
        })
        .await;
    let decided = began.elapsed();
    eprintln!("20,000 alerts: answered after {answered:?}, all decided after {decided:?}; p99 {quiet:?} alone, {beside:?} beside them");
    assert!(answered < GROUP_WITHIN.as_duration(), "answered after {answered:?}");
    assert!(beside < within(quiet), "{quiet:?} alone, {beside:?} beside the group");
}
