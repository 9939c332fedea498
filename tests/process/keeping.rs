//! The commands beside the night: what is ordered in words, what keeps the data, and what happens to a request whose server dies.

use std::process::Output;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::ground::{Ground, On, PATIENCE};

fn printed(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "out: {out}\nerr: {err}");
    format!("{out}{err}")
}

async fn ordered_in_words(on: On) {
    let ground = Ground::new(on).await;
    let server = ground.start(None).await;
    let asks = async |line: &[&str]| printed(&ground.run(line).await, 0);
    let says = |said: String, words: &str| assert!(said.contains(words), "{words:?} is not in: {said}");

    says(asks(&["test-page", "ana"]).await, "#1 is a test, and ana alone is being paged for it.");
    ground.until(&server, "her phone rings for the test", PATIENCE, async || ground.ringing()).await;
    says(asks(&["incident", "list"]).await, "No incidents yet.");
    says(asks(&["incident", "list", "--kind", "test"]).await, "Test page for ana");
    says(asks(&["incident", "resolve", "1"]).await, "#1 is resolved");

    says(asks(&["incident", "declare", "The shop is slow", "--severity", "3"]).await, "#2 is declared at sev3");
    says(asks(&["incident", "ack", "2"]).await, "#2 is acknowledged");
    says(asks(&["incident", "role", "2", "lead", "ana"]).await, "#2 has ana as lead");
    says(
        asks(&["incident", "task", "add", "2", "Look at the disk", "--owner", "ana", "--back", "15m"]).await,
        "Task 1 of #2, and ana does it",
    );
    says(asks(&["incident", "task", "add", "2", "Call the host"]).await, "Task 2 of #2, and nobody has it yet");
    says(asks(&["incident", "task", "block", "2", "2", "the data centre"]).await, "waits for the data centre");
    says(asks(&["incident", "task", "done", "2", "1"]).await, "is done");
    let board = asks(&["who", "2"]).await;
    says(board.clone(), "lead ana");
    says(board, "Call the host (waits for the data centre)");
    says(asks(&["incident", "note", "2", "Restarted it"]).await, "#2 has a note");
    says(asks(&["incident", "update", "2", "We know."]).await, "#2 has an update");
    says(asks(&["incident", "title", "2", "The shop's disk"]).await, "#2 has a new title: The shop's disk");
    says(asks(&["incident", "snooze", "2", "2h"]).await, "#2 is snoozed for 2h");
    let shown = asks(&["incident", "show", "2"]).await;
    for words in ["Restarted it", "We know.", "Look at the disk"] {
        says(shown.clone(), words);
    }
    says(asks(&["oncall"]).await, "No schedules yet.");
    let refused = printed(&ground.run(&["incident", "page", "2", "zed"]).await, 1);
    assert!(refused.contains("there is no user \"zed\"; there are ana"), "{refused}");
    printed(&ground.run(&["override", "add", "night", "ana", "--for", "1h"]).await, 5);
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incidents_are_worked_on_in_words() {
    tokio::join!(ordered_in_words(On::Sqlite), ordered_in_words(On::Postgres));
}

async fn kept(on: On) {
    let ground = Ground::new(on).await;
    let server = ground.start(None).await;
    assert!(ground.posts("db-1").await);
    ground.until(&server, "the incident is there", PATIENCE, async || ground.items("/api/v1/incidents").await.pop()).await;
    let database = ["--database", ground.database_url()];
    let run = async |line: &[&str]| ground.run(&[line, &database[..]].concat()).await;

    // The doctor, while the server runs.
    let said = printed(&ground.run(&["doctor", "--database", ground.database_url(), "--json"]).await, 0);
    let told: Value = serde_json::from_str(&said).expect("JSON");
    let level = |subject: &str| {
        let findings = told["findings"].as_array().expect("findings");
        findings.iter().find(|finding| finding["subject"] == subject).unwrap_or_else(|| panic!("no {subject}: {said}"))["level"].clone()
    };
    for subject in ["tables", "database", "clock", "public address", "time zones"] {
        assert_eq!(level(subject), "ok", "{subject}: {said}");
    }
    let nowhere = printed(&ground.run(&["doctor", "--database", "sqlite://nowhere/at-all.db"]).await, 1);
    assert!(nowhere.contains("bad   database"), "{nowhere}");
    assert!(!ground.path("nowhere").exists(), "a doctor makes nothing");

    // In a wrong folder nothing is made that looks like an answer.
    for line in [["backup", "none.jsonl"], ["admin", "link"], ["user", "invite"]] {
        let line = if line[0] == "backup" { line.to_vec() } else { [&line[..], &["ana"]].concat() };
        let refused = printed(&ground.run(&[&line[..], &["--database", "sqlite://nowhere/at-all.db?mode=rwc"]].concat()).await, 1);
        assert!(refused.contains("there is no database at nowhere/at-all.db; run this in the folder"), "{refused}");
        assert!(!ground.path("nowhere").exists() && !ground.path("none.jsonl").exists(), "{line:?}");
    }
    let new = printed(&ground.run(&["token", "create", "early", "--database", "sqlite://early.db?mode=rwc"]).await, 0);
    assert!(new.contains("There was no database at early.db"), "{new}");

    // Tokens.
    printed(&run(&["token", "create", "gone"]).await, 0);
    let listed = printed(&run(&["token", "list"]).await, 0);
    assert!(listed.starts_with("name") && listed.contains("gone") && listed.contains("never"), "{listed}");
    assert!(printed(&run(&["token", "revoke", "gone"]).await, 0).contains("opens nothing any more"));
    assert!(printed(&run(&["token", "revoke", "gone"]).await, 5).contains("there is no token \"gone\""));
    assert!(printed(&run(&["user", "invite", "nobody"]).await, 5).contains("nobody has the id \"nobody\""));

    // A backup beside the running server, and back into a file of its own.
    let said = printed(&run(&["backup", "all.jsonl"]).await, 0);
    assert!(said.contains("The secret key is not in it"), "{said}");
    printed(&run(&["backup", "all.jsonl"]).await, 1);
    let in_use = printed(&run(&["restore", "all.jsonl", "--force"]).await, 1);
    assert!(in_use.contains("in use") || in_use.contains("Stop it first"), "{in_use}");
    let elsewhere = format!("sqlite://{}?mode=rwc", ground.path("elsewhere/copy.db").display());
    let restore = ["restore", "all.jsonl", "--database", &elsewhere];
    assert!(printed(&ground.run(&restore).await, 0).contains("Restored"));
    let again = printed(&ground.run(&restore).await, 1);
    assert!(again.contains("--force"), "{again}");
    printed(&ground.run(&[&restore[..], &["--force"]].concat()).await, 0);
    let text = std::fs::read_to_string(ground.path("all.jsonl")).expect("the backup");
    let key = std::fs::read_to_string(ground.path("var/secret.key")).unwrap_or_default();
    assert!(key.trim().is_empty() || !text.contains(key.trim()));
    std::fs::write(ground.path("cut.jsonl"), &text[..text.len() / 2]).expect("it can be written");
    let cut = printed(&ground.run(&["restore", "cut.jsonl", "--database", "sqlite://other.db"]).await, 1);
    assert!(cut.contains("broke off"), "{cut}");
    assert!(!ground.path("other.db").exists(), "nothing is made for a backup that is none");

    for shell in ["bash", "zsh", "fish"] {
        assert!(printed(&ground.run(&["completions", shell]).await, 0).contains("test-page"), "{shell}");
    }
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_is_looked_after_while_it_runs() {
    tokio::join!(kept(On::Sqlite), kept(On::Postgres));
}

/// The server dies at `failpoint` over a request with a key; the next one with this key is answered, and it happened once.
async fn dies_over_it(on: On, failpoint: &str) {
    let ground = Ground::new(on).await;
    let mut server = ground.start(Some(failpoint)).await;
    let http = reqwest::Client::new();
    let declares = async || {
        let request = http.post(format!("{}/api/v1/incidents", ground.url)).bearer_auth(&ground.token);
        request.header("idempotency-key", "one").json(&json!({ "title": "The shop is slow", "severity": "sev4" })).send().await
    };
    assert!(declares().await.is_err(), "{failpoint}: nobody answered");
    server.dies(PATIENCE).await;
    let server = ground.start(None).await;
    let answer = declares().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::CREATED, "{failpoint}");
    assert_eq!(answer.json::<Value>().await.expect("JSON")["number"], 1, "{failpoint}");
    let again = declares().await.expect("an answer");
    assert!(again.headers().contains_key("idempotent-replayed"), "{failpoint}");
    assert_eq!(ground.items("/api/v1/incidents").await.len(), 1, "{failpoint}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_whose_server_dies_is_carried_out_once() {
    for on in [On::Sqlite, On::Postgres] {
        tokio::join!(dies_over_it(on, "act.before_commit"), dies_over_it(on, "act.committed"));
    }
}
