//! The commands as a person types them, against a real server.

use std::process::Output;

use reveille::base::time::Span;
use serde_json::Value;

use crate::ground::{Ground, KEY, On, PATIENCE};

/// How soon a running server must have what was applied beside it.
const IN_FORCE_WITHIN: Span = Span::seconds(2);

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reveille.example.toml");

/// What a command printed, having ended with `code`.
fn printed(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "out: {out}\nerr: {err}");
    format!("{out}{err}")
}

fn out(output: &Output) -> String {
    printed(output, 0);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_takes_the_example_and_finds_a_typo_in_it() {
    let ground = Ground::new(On::Sqlite).await;
    let said = printed(&ground.run(&["check", EXAMPLE]).await, 0);
    assert!(said.contains("warning"), "{said}");
    let example = std::fs::read_to_string(EXAMPLE).expect("the example");
    let line = 1 + example.lines().position(|line| line.trim_start().starts_with("timezone")).expect("somebody has a zone");
    std::fs::write(ground.path("typo.toml"), example.replacen("timezone", "timezome", 1)).expect("it can be written");
    let said = printed(&ground.run(&["check", "typo.toml"]).await, 1);
    assert!(said.contains(&format!("typo.toml:{line}:")), "{said}");
    assert!(said.contains("timezome") && said.contains("timezone"), "{said}");
}

async fn a_night_at_the_terminal(on: On) {
    let ground = Ground::new(on).await;
    let server = ground.start(None).await;

    // The server's machine.
    let token = out(&ground.run(&["token", "create", "deploy", "--scope", "respond", "--database", ground.database_url()]).await);
    assert_eq!(token.lines().count(), 1, "{token}");
    assert!(token.starts_with("rev_"), "{token}");
    let token = token.trim();
    let asks = async |arguments: &[&str]| {
        let mut program = ground.program();
        program.args(arguments).env("REVEILLE_TOKEN", token).env("REVEILLE_KEY", KEY);
        tokio::task::spawn_blocking(move || program.output()).await.expect("the task ends").expect("the program starts")
    };

    // The night.
    let said = out(&asks(&["incident", "list"]).await);
    assert!(said.contains("No incidents"), "{said}");
    let said = out(&asks(&["send", "Disk of db-3 is full", "--severity", "critical", "--dedup-key", "db-3"]).await);
    assert!(said.contains("incident #1 opened"), "{said}");
    ground.until(&server, "the phone rings", PATIENCE, async || ground.ringing()).await;
    let said = out(&asks(&["incident", "list", "--json"]).await);
    let list: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(list["items"][0]["title"], "Disk of db-3 is full");
    let said = out(&asks(&["why", "1"]).await);
    assert!(said.contains("Ana"), "{said}");
    let said = out(&asks(&["incident", "ack", "1"]).await);
    assert!(said.contains("#1 is acknowledged by token:deploy"), "{said}");
    ground
        .until(&server, "the call is ended", PATIENCE, async || {
            ground.stage.calls().iter().all(|call| call.status.is_final()).then_some(())
        })
        .await;
    let said = out(&asks(&["incident", "resolve", "1"]).await);
    assert!(said.contains("#1 is resolved"), "{said}");
    let said = out(&asks(&["incident", "show", "1"]).await);
    assert!(said.contains("Disk of db-3 is full") && said.contains("It is over"), "{said}");
    assert_eq!(ground.stage.calls().len(), 1, "{}", ground.told());

    // What does not work says why, and with which code.
    printed(&asks(&["incident", "show", "77"]).await, 5);
    printed(&asks(&["send", "Hello", "--key", "nobodyskey00000000000000"]).await, 5);
    let mut stranger = ground.program();
    stranger.args(["incident", "list"]).env("REVEILLE_TOKEN", "rev_nobodys");
    printed(&stranger.output().expect("the program starts"), 4);
    server.kill();
    printed(&asks(&["send", "Hello", "--retry", "0s"]).await, 3);
    // A restart is waited for.
    let (sent, server) = tokio::join!(asks(&["send", "Hello", "--severity", "info"]), ground.start(None));
    assert!(printed(&sent, 0).contains("sent: "), "it arrived after the restart");
    drop(server);
    // Whoever reads may leave early.
    let mut short = ground.other_program("bash");
    short.args(["-c", "set -o pipefail; \"$0\" completions bash | head -n 1; \"$0\" check reveille.toml | true"]);
    let left = short.arg(env!("CARGO_BIN_EXE_reveille")).output().expect("a shell");
    assert!(!printed(&left, 0).contains("panicked"), "it ends well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_at_the_terminal_on_sqlite() {
    a_night_at_the_terminal(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_at_the_terminal_on_postgres() {
    a_night_at_the_terminal(On::Postgres).await;
}

async fn applied_beside_a_server(on: On) {
    let ground = Ground::new(on).await;
    let server = ground.start(None).await;
    let new_key = "anotherkey0000000000000001";
    assert!(ground.posts("db-1").await && !ground.posts_to(new_key, "db-1").await);

    // By the command, from another file than the one that the server watches.
    let watched = std::fs::read_to_string(ground.config()).expect("the file");
    std::fs::write(ground.path("other.toml"), watched.replace(KEY, new_key)).expect("it can be written");
    let apply = ["apply", "other.toml", "--database", ground.database_url()];
    let dry = out(&ground.run(&[&apply[..], &["--dry-run"]].concat()).await);
    assert!(dry.contains("dry run") || dry.contains("so already"), "{dry}");
    let said = out(&ground.run(&apply).await);
    assert!(said.contains("Applied"), "{said}");
    let applied_at = ground.clock.now();
    ground
        .until(&server, "what was applied is in force", IN_FORCE_WITHIN, async || ground.posts_to(new_key, "db-1").await.then_some(()))
        .await;
    let by_command = ground.clock.now().since(applied_at);
    assert!(!ground.posts("db-1").await, "the old key still opens the door");
    let said = out(&ground.run(&apply).await);
    assert!(said.contains("Nothing to change"), "{said}");

    // By a change of the watched file.
    ground.configure_with("Public API", "The API of all");
    let changed_at = ground.clock.now();
    ground.until(&server, "the changed file is in force", IN_FORCE_WITHIN, async || ground.posts("db-1").await.then_some(())).await;
    let by_file = ground.clock.now().since(changed_at);

    // A broken file changes nothing, loudly.
    ground.configure_with("notify = [\"user:ana\"]", "notify = [\"user:nobody\"]");
    ground.until(&server, "the log says so", PATIENCE, async || server.log().contains("there is no user").then_some(())).await;
    assert!(ground.posts("db-1").await);
    eprintln!("{on:?}: in force {} ms after apply, {} ms after a change of the file", by_command.0 / 1_000, by_file.0 / 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_applied_is_in_force_at_once() {
    tokio::join!(applied_beside_a_server(On::Sqlite), applied_beside_a_server(On::Postgres));
}
