//! A backup taken in the middle of a storm is one moment: it is restored into the other kind of database, and a server goes on from it.

use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reveille::store::{self, Store, StoreOptions};
use serde_json::Value;

use crate::ground::{Ground, On, PATIENCE};
use crate::postgres::fresh_database;

const SENDERS: usize = 3;
/// A key of the right form, and of another installation.
const ANOTHER_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn printed(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "out: {out}\nerr: {err}");
    format!("{out}{err}")
}

/// What the doctor says of one thing.
fn finding(said: &str, subject: &str) -> Value {
    let told: Value = serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let findings = told["findings"].as_array().expect("findings").clone();
    // The key is told of twice where it does not open what it should: the worse one counts.
    findings.into_iter().rfind(|finding| finding["subject"] == subject).unwrap_or_else(|| panic!("no {subject}: {said}"))
}

async fn copied_in_a_storm(on: On) {
    let ground = Ground::new(on).await;
    let server = ground.start(None).await;
    let (accepted, next, over) = (Mutex::new(Vec::new()), AtomicUsize::new(0), AtomicBool::new(false));
    let taken = || accepted.lock().expect("nobody panicked").clone();
    let storm = async || {
        while !over.load(Ordering::Relaxed) {
            let key = format!("db-{}", next.fetch_add(1, Ordering::Relaxed));
            if ground.posts(&key).await {
                accepted.lock().expect("nobody panicked").push(key);
            }
        }
    };
    let copying = async {
        let mut before: Vec<String> = Vec::new();
        for file in ["first.jsonl", "second.jsonl"] {
            let more = before.len() + 20;
            ground.until(&server, "the storm goes on", PATIENCE, async || (taken().len() >= more).then_some(())).await;
            before = taken();
            let said = printed(&ground.run(&["backup", file, "--database", ground.database_url()]).await, 0);
            assert!(said.contains("The secret key is not in it"), "{said}");
        }
        over.store(true, Ordering::Relaxed);
        before
    };
    let storms: [_; SENDERS] = std::array::from_fn(|_| storm());
    let (before, _) = tokio::join!(copying, futures_util::future::join_all(storms));
    server.kill();

    // Into the other kind of database.
    let (other, copy) = match on {
        On::Sqlite => {
            let other = fresh_database().await;
            let url = other.url().to_owned();
            (Some(other), url)
        }
        On::Postgres => (None, format!("sqlite://{}?mode=rwc", ground.path("elsewhere/copy.db").display())),
    };
    printed(&ground.run(&["restore", "second.jsonl", "--database", &copy]).await, 0);
    let refused = printed(&ground.run(&["restore", "first.jsonl", "--database", &copy]).await, 1);
    assert!(refused.contains("holds something already") && refused.contains("--force"), "{refused}");

    // The secrets in it open with the key of their installation alone.
    let key = std::fs::read_to_string(ground.path("var/secret.key")).expect("the key");
    let asks_doctor = async |key: &str| {
        let mut doctor = ground.program();
        doctor.args(["doctor", "--json", "--database", &copy]).env("REVEILLE_SERVER__SECRET_KEY", key);
        tokio::task::spawn_blocking(move || doctor.output()).await.expect("the task ends").expect("the program starts")
    };
    let closed = printed(&asks_doctor(ANOTHER_KEY).await, 1);
    let about_key = finding(&closed, "secret key");
    assert_eq!(about_key["level"], "bad", "{closed}");
    assert!(about_key["text"].as_str().is_some_and(|text| text.contains("does not open the secrets")), "{closed}");
    let well = printed(&asks_doctor(&key).await, 0);
    for subject in ["tables", "database", "secret key", "telephone"] {
        assert_eq!(finding(&well, subject)["level"], "ok", "{subject}: {well}");
    }

    // A server goes on from it, with the settings that are in it.
    let mut program = ground.program();
    program.args(["serve", "--listen", &ground.address.to_string(), "--database", &copy]).env("REVEILLE_SERVER__SECRET_KEY", &key);
    let server = ground.start_as(program).await;
    let store = Store::open(&copy, StoreOptions::default()).await.expect("the copy opens");
    ground.settle(&server, &store).await;
    let alerts = ground.items("/api/v1/alerts").await;
    let there: Vec<&str> = alerts.iter().filter_map(|alert| alert["dedup_key"].as_str()).collect();
    for key in &before {
        assert!(there.contains(&key.as_str()), "{key} was accepted before the backup began, and is not in it");
    }
    assert!(alerts.len() <= next.load(Ordering::Relaxed));
    let tallies = store::tally_list(&store.reader()).await.expect("the tallies read");
    let sum = |of_accepted: bool| -> i64 {
        tallies.iter().filter(|((_, name), _)| (name == "accepted") == of_accepted).map(|(_, count)| count).sum()
    };
    assert_eq!((sum(true), sum(false)), (i64::try_from(alerts.len()).expect("few"), sum(true)), "{tallies:?}");
    let incident = ground.get("/api/v1/incidents/1").await;
    assert_eq!(incident["alerts_count"].as_i64(), Some(sum(true)), "one cause, one incident: {incident}");
    assert!(ground.posts("after the restore").await);
    ground.command(1, "acknowledge").await.expect("an answer");
    store.close().await;
    drop(server);
    drop(other);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_sqlite_in_a_storm_goes_on_in_postgres() {
    copied_in_a_storm(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_postgres_in_a_storm_goes_on_in_sqlite() {
    copied_in_a_storm(On::Postgres).await;
}
