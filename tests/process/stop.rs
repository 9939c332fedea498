//! Ends and starts that are no accident: asked to stop, started twice, started with a file that cannot be read.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use reveille::base::id::{IdSource, JournalId};
use reveille::base::time::Span;
use reveille::stage::Fault;
use reveille::store::{self, Filed, JournalRow};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::ground::{Ground, KEY, On, PATIENCE};
use crate::posted::Posted;

/// What service managers allow before they kill is more; people who wait at a terminal allow less.
const STOPS_WITHIN: Span = Span::seconds(6);

async fn stopped_in_a_storm(on: On) {
    let ground = Ground::new(on).await;
    let mut server = ground.start(None).await;
    // Somebody looks on: an open stream must not hold the end up.
    let stream = ground.http.get(format!("{}/api/v1/stream", ground.url)).bearer_auth(&ground.token).send().await.expect("a stream");
    assert!(stream.status().is_success());
    let (taken, over) = (AtomicI64::new(0), AtomicBool::new(false));
    let sender = async |n: usize| {
        let mut told = Vec::new();
        for round in 0.. {
            let key = format!("{n}-{}", round / 2);
            let accepted = ground.posts(&key).await;
            told.push((key, accepted));
            taken.fetch_add(i64::from(accepted), Ordering::Relaxed);
            if over.load(Ordering::Relaxed) && !accepted {
                break;
            }
        }
        told
    };
    let stop = async {
        while taken.load(Ordering::Relaxed) < 60 {
            tokio::task::yield_now().await;
        }
        let asked_at = ground.clock.now();
        server.terminate();
        over.store(true, Ordering::Relaxed);
        let status = server.ended(STOPS_WITHIN).await;
        assert_eq!(status.code(), Some(0), "{status}\n{}", server.log());
        ground.clock.now().since(asked_at)
    };
    let (a, b, c, took) = tokio::join!(sender(0), sender(1), sender(2), stop);
    drop(stream);
    let mut posted = Posted::default();
    for (key, accepted) in [a, b, c].into_iter().flatten() {
        posted.note(&key, accepted);
    }
    let log = server.log();
    assert!(!log.contains("\"ERROR\"") && !log.contains("cut off"), "{log}");
    let server = ground.start(None).await;
    posted.is_kept(&ground, &server).await;
    ground
        .until(&server, "the page is out", Span::seconds(5), async || {
            ground.attempts(1).await.iter().any(|attempt| attempt["outcome"] == "accepted").then_some(())
        })
        .await;
    let attempts = ground.attempts(1).await;
    assert!(attempts.iter().all(|attempt| attempt["outcome"] == "accepted"), "a send was cut off: {attempts:#?}");
    assert_eq!(ground.stage.calls().len(), 1, "{}", ground.told());
    eprintln!("{on:?}: stopped within {} ms, {} accepted", took.0 / 1_000, posted.accepted());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_mid_storm_loses_nothing_on_sqlite() {
    stopped_in_a_storm(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_mid_storm_loses_nothing_on_postgres() {
    stopped_in_a_storm(On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_file_is_refused_and_the_first_goes_on() {
    let ground = Ground::new(On::Sqlite).await;
    let first = ground.start(None).await;
    let second = ground.run(&["serve", "--listen", "127.0.0.1:0", "--database", ground.database_url()]).await;
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: ") && said.contains("is in use by another running server"), "{said}");
    assert!(ground.posts("db-1").await);
    first.kill();
    // The lock is the process's, not the file's: nothing has to be cleared away.
    let again = ground.start(None).await;
    assert!(ground.posts("db-1").await, "{}", again.log());
}

/// Two replicas on one machine, in one folder: each has a name of its own, and neither takes the other's leases for its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_postgres_share_the_work() {
    let ground = Ground::new(On::Postgres).await;
    let first = ground.start(None).await;
    let mut program = ground.program();
    program.args(["serve", "--listen", "127.0.0.1:0", "--database", ground.database_url()]);
    let second = ground.spawn(program);
    ground.until(&second, "the second is up", PATIENCE, async || second.log().contains("listens on").then_some(())).await;
    let names = ["replica-id", "replica-id.2"].map(|name| std::fs::read_to_string(ground.path("var").join(name)).expect("a name"));
    assert_ne!(names[0], names[1]);
    assert!(ground.posts("db-1").await);
    ground.until(&first, "the phone rings", PATIENCE, async || ground.ringing()).await;
    // Whoever held the folder's lease is gone with its process; the other takes over when the lease has passed.
    first.kill();
    let store = ground.store().await;
    let entry = "[]";
    let row = JournalRow {
        id: JournalId::make(&mut IdSource::fresh(ground.clock.now())),
        at: ground.clock.now(),
        signals: 0,
        body: entry.to_owned(),
    };
    store::journal_append(&store, vec![Filed::first(row)]).await.expect("the journal takes it");
    let reader = store.reader();
    ground
        .until(&second, "the other one folds", Span::seconds(7), async || {
            (store::journal_pending(&reader).await.expect("the journal reads") == 0).then_some(())
        })
        .await;
    assert_eq!(ground.stage.calls().len(), 1, "{}", ground.told());
    store.close().await;
}

async fn poisoned(on: On) {
    let ground = Ground::new(on).await;
    let store = ground.store().await;
    let mut ids = IdSource::fresh(ground.clock.now());
    for body in [
        "no journal row at all",
        r#"[{"request":"jrn_1","integration":"api-scripts","answer":false,"signals":[{"action":"from the future"}]}]"#,
    ] {
        let row = JournalRow { id: JournalId::make(&mut ids), at: ground.clock.now(), signals: 1, body: body.to_owned() };
        store::journal_append(&store, vec![Filed::first(row)]).await.expect("the journal takes it");
    }
    let mut server = ground.start(None).await;
    for life in 1..=2 {
        assert!(ground.posts("db-1").await);
        let reader = store.reader();
        ground
            .until(&server, "what can be folded is folded", PATIENCE, async || {
                let done = store::journal_pending(&reader).await.expect("the journal reads") == 0;
                (done && store::journal_aside(&reader).await.expect("it reads") == 2).then_some(())
            })
            .await;
        let alerts = ground.items("/api/v1/alerts").await;
        let count =
            |key: &str| alerts.iter().filter(|alert| alert["dedup_key"] == key).map(|alert| alert["count"].as_i64()).next().flatten();
        assert_eq!(count("db-1"), Some(life), "{alerts:#?}");
        assert!(
            alerts.iter().any(|alert| alert["title"].as_str().is_some_and(|title| title.contains("is kept aside as jrn_"))),
            "{alerts:#?}"
        );
        assert!(server.log().contains("cannot be folded and is kept aside"), "{}", server.log());
        server.kill();
        // Each start tries again: another version may read them.
        server = ground.start(None).await;
    }
    // A kill in mid-send leaves an unknown outcome, which is settled first. A readable body ends the alert that stands for the row, and
    // with it a call that rings: the next one is then held for three minutes, and says so.
    ground
        .until(&server, "the phone rings for it, or the call is held", Span::seconds(20), async || {
            let mut is_held = false;
            for incident in ground.items("/api/v1/incidents").await.iter().filter(|incident| incident["state"] == "triggered") {
                let timeline = ground.items(&format!("/api/v1/incidents/{}/timeline", incident["number"])).await;
                is_held |= timeline.iter().any(|entry| entry["kind"] == "call_held");
            }
            (ground.ringing().is_some() || is_held).then_some(())
        })
        .await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_row_that_cannot_be_read_holds_up_nothing_and_is_told_of() {
    tokio::join!(poisoned(On::Sqlite), poisoned(On::Postgres));
}

/// The file names the database and the address as well; a mistake in it must not send the next start elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typo_in_the_file_does_not_stop_the_pager() {
    let ground = Ground::new(On::Sqlite).await;
    let address = ground.url.trim_start_matches("http://").to_owned();
    let server_section = format!("[server]\nlisten = \"{address}\"\ndatabase = \"sqlite://{}?mode=rwc\"\n", ground.database_url());
    let serve = || {
        let mut program = ground.program();
        program.args(["serve", "--config"]).arg(ground.config());
        program
    };
    ground.configure_with("[server]\n", &server_section);
    let first = ground.spawn(serve());
    ground.until(&first, "it is up", PATIENCE, async || ground.posts("db-1").await.then_some(())).await;
    first.kill();
    for typo in ["[[user]]\nid = \"ana\"\nnaem = \"Ana\"\n[server]\n", "[[user]\n[server]\n"] {
        ground.configure_with("[server]\n", &format!("{typo}{}", server_section.trim_start_matches("[server]\n")));
        let server = ground.spawn(serve());
        ground.until(&server, "it is up all the same", PATIENCE, async || ground.posts("db-1").await.then_some(())).await;
        assert!(server.log().contains("the one applied last stays in force"), "{}", server.log());
        ground.until(&server, "the phone rings", PATIENCE, async || ground.ringing()).await;
        assert!(ground.posts_to(KEY, "db-2").await);
        server.kill();
    }
}

/// The file left out, and a variable of one of its sections left in the environment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_section_in_the_environment_does_not_stop_the_pager() {
    let ground = Ground::new(On::Sqlite).await;
    let address = ground.url.trim_start_matches("http://").to_owned();
    let serve = |database: &str| {
        let mut program = ground.program();
        program.args(["serve", "--listen", &address, "--database", database]).env("REVEILLE_TWILIO__FROM", "+15005550006");
        program
    };
    let mut first = ground.spawn(serve("sqlite://new.db?mode=rwc"));
    assert_eq!(first.ended(PATIENCE).await.code(), Some(1), "a first start is refused");
    assert!(first.log().contains("[twilio] has no account_sid"), "{}", first.log());
    ground.start(None).await.kill();
    let server = ground.spawn(serve(ground.database_url()));
    ground.until(&server, "it is up all the same", PATIENCE, async || ground.posts("db-1").await.then_some(())).await;
    assert!(server.log().contains("[twilio] has no account_sid"), "{}", server.log());
    ground.until(&server, "the phone rings", PATIENCE, async || ground.ringing()).await;
}

/// What has left is seen to its end: an outcome that the provider is about to tell must not become an unknown one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_the_provider_to_answer() {
    let ground = Ground::new(On::Sqlite).await;
    ground.stage.set_fault(Some(Fault::Hang));
    let mut server = ground.start(None).await;
    assert!(ground.posts("db-1").await);
    ground.until(&server, "the provider has the request", PATIENCE, async || (ground.stage.requests_hanging() > 0).then_some(())).await;
    server.terminate();
    ground.until(&server, "the doors are closed", PATIENCE, async || (!ground.posts("db-1").await).then_some(())).await;
    assert!(server.is_up(), "it did not wait\n{}", server.log());
    ground.stage.set_fault(None);
    let status = server.ended(STOPS_WITHIN).await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    let _server = ground.start(None).await;
    let timeline = ground.items("/api/v1/incidents/1/timeline").await;
    let outcome = timeline.iter().find(|entry| entry["kind"] == "attempt_unknown").expect("the provider answered with a 503");
    assert!(outcome["reason"].as_str().is_some_and(|reason| reason.contains("503")), "{outcome}");
}

/// Replicas share a key by the environment: the file that one of them watches must be sealed with it too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_given_secret_key_seals_all_that_is_applied() {
    let ground = Ground::new(On::Sqlite).await;
    let serve = || {
        let mut program = ground.serve();
        program.env("REVEILLE_SERVER__SECRET_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
        program
    };
    let server = ground.spawn(serve());
    ground.until(&server, "it is up", PATIENCE, async || ground.posts("db-1").await.then_some(())).await;
    let new_key = "anotherkey0000000000000001";
    ground.configure_with(KEY, new_key);
    ground.until(&server, "the change is in force", PATIENCE, async || ground.posts_to(new_key, "db-1").await.then_some(())).await;
    server.kill();
    let server = ground.spawn(serve());
    ground.until(&server, "it reads it again", PATIENCE, async || ground.posts_to(new_key, "db-1").await.then_some(())).await;
    assert!(!ground.path("var/secret.key").exists());
    // A file that cannot be applied gives no key; the environment still does.
    server.kill();
    ground.configure_with("[server]\n", "[sever]\n");
    let server = ground.spawn(serve());
    ground.until(&server, "it goes on", PATIENCE, async || ground.posts_to(new_key, "db-1").await.then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_who_hold_every_connection_open_keep_no_page_from_leaving() {
    let ground = Ground::new(On::Sqlite).await;
    let serve = ground.serve();
    // A shell is what lowers a limit for one program alone.
    let mut few_handles = ground.other_program("sh");
    few_handles.args(["-c", "ulimit -n 200 && exec \"$0\" \"$@\""]).arg(serve.get_program()).args(serve.get_args());
    let server = ground.spawn(few_handles);
    let is_up = async || ground.http.get(format!("{}/healthz", ground.url)).send().await.is_ok().then_some(());
    ground.until(&server, "the server is up", PATIENCE, is_up).await;

    let address = ground.url.trim_start_matches("http://");
    let mut strangers = Vec::new();
    for _ in 0..220 {
        strangers.push(TcpStream::connect(address).await.expect("a connection"));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Whoever says nothing leaves for who comes now.
    let mut sender = TcpStream::connect(address).await.expect("a connection");
    let body = r#"{"title":"the disk is full","severity":"critical"}"#;
    let post = format!("POST /hooks/generic/{KEY} HTTP/1.1\r\nhost: reveille\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    sender.write_all(post.as_bytes()).await.expect("it is sent");
    let mut answer = [0; 12];
    sender.read_exact(&mut answer).await.expect("it is answered");
    assert_eq!(&answer, b"HTTP/1.1 202");
    ground.until(&server, "the call is placed", Span::seconds(4), async || ground.stage.calls().pop()).await;
    drop(strangers);
}
