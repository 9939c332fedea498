//! A disk that is full: pages go on with the room that was kept for it.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use reveille::base::time::Span;

use crate::ground::{ANA, Ground, On, PATIENCE, Server};

/// The ballast twice, and a little more: it is made again only where as much stays free.
const DISK: &str = "160m";

/// A server whose data lies on a small disk of its own, in a namespace of its own, so that no privilege is needed to mount it.
async fn on_a_small_disk(ground: &Ground) -> (Server, PathBuf) {
    let (disk, var) = (ground.path("disk"), ground.path("var"));
    std::fs::create_dir_all(&disk).expect("a folder");
    let serve = ground.serve();
    let mut program = Command::new("unshare");
    program.args(["--user", "--map-root-user", "--mount", "sh", "-eu", "-c"]);
    // The database is the one whose token was made before, moved to the disk.
    program.arg(format!(
        "mount -t tmpfs -o size={DISK} tmpfs '{disk}'; cp '{var}'/* '{disk}'/; exec \"$0\" \"$@\"",
        disk = disk.display(),
        var = var.display()
    ));
    program.arg(serve.get_program());
    program.args(
        serve
            .get_args()
            .map(|argument| if argument == ground.database_url() { disk.join("reveille.db").into() } else { argument.to_owned() }),
    );
    for (name, value) in serve.get_envs() {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
    let server = ground.start_as(program).await;
    // The disk as that process sees it.
    let seen = PathBuf::from(format!("/proc/{}/root{}", server.id(), disk.display()));
    assert!(seen.join("reveille.db").exists(), "unshare(1) and user namespaces are needed: {}", server.log());
    (server, seen)
}

/// Takes all the room there is.
fn fill(disk: &std::path::Path, name: &str) {
    let mut file = File::create(disk.join(name)).expect("a file");
    let mut piece = vec![7_u8; 1 << 16];
    while !piece.is_empty() {
        match file.write(&piece) {
            Ok(0) | Err(_) => piece.truncate(piece.len() / 2),
            Ok(_) => {}
        }
    }
}

async fn ready(ground: &Ground) -> String {
    let answer = ground.http.get(format!("{}/readyz", ground.url)).send().await.expect("it answers");
    answer.text().await.expect("a text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_still_pages_and_its_ballast_comes_back() {
    let ground = Ground::new(On::Sqlite).await;
    let (server, disk) = on_a_small_disk(&ground).await;
    let ballast = disk.join("reveille.db.ballast");
    ground.until(&server, "the ballast is made", PATIENCE, async || ballast.exists().then_some(())).await;
    ground
        .until(&server, "it is said to be there", PATIENCE, async || ready(&ground).await.contains("ok   disk: has room").then_some(()))
        .await;

    fill(&disk, "filler");
    // What comes first may hear 503 and comes again, as senders do; then it is durable, and somebody is called.
    ground.until(&server, "an alert is taken", PATIENCE, async || ground.posts("the disk is full").await.then_some(())).await;
    ground.until(&server, "ana's phone rings", PATIENCE, async || ground.ringing()).await;
    assert!(!ballast.exists(), "the ballast has done its work: {}", server.log());
    let told = ready(&ground).await;
    assert!(told.starts_with("ready\n") && told.contains("warn disk: short of room"), "{told}");
    assert!(server.log().contains("its ballast was let go"), "{}", server.log());
    ground.command(1, "acknowledge").await.expect("it is acknowledged");
    assert_eq!(server.log().matches("its ballast was let go").count(), 1, "{}", server.log());

    std::fs::remove_file(disk.join("filler")).expect("somebody makes room");
    ground.until(&server, "the ballast is back", PATIENCE, async || ballast.exists().then_some(())).await;
    ground
        .until(&server, "it is said to be back", PATIENCE, async || ready(&ground).await.contains("ok   disk: has room").then_some(()))
        .await;
    drop(server);
}

/// Ana and Cleo at once, on an account that carries one call at a time, and Bo after them.
const HOUSE: &str = r#"
[server]
public_url = "{server}"

[twilio]
account_sid = "{account}"
auth_token  = "{token}"
from        = "+15005550006"
api_url     = "{stage}"
calls_per_second = 100
concurrent_calls = 1

[[user]]
id = "ana"
name = "Ana Ruiz"
timezone = "Europe/Paris"
admin = true
contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]

[[user]]
id = "bo"
name = "Bo Ek"
timezone = "Europe/Stockholm"
contacts = [{ id = "phone", kind = "voice", to = "+46100000002" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]

[[user]]
id = "cleo"
name = "Cleo Hart"
timezone = "Europe/London"
contacts = [{ id = "phone", kind = "voice", to = "+15005550003" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]

[[policy]]
id = "platform"
steps = [{ notify = ["user:ana", "user:cleo"], escalate_after = "15s" }, { notify = ["user:bo"] }]

[[service]]
id = "api"
name = "Public API"
policy = "platform"

[[integration]]
id = "api-scripts"
source = "generic"
service = "api"
key = "generickey0000000000000001"
"#;

const BO: &str = "+46100000002";
const CLEO: &str = "+15005550003";

/// Takes what room there is, again and again, until the ballast is gone and nothing more can be stored.
async fn nothing_can_be_stored(ground: &Ground, server: &Server, disk: &std::path::Path) {
    let (mut fillers, mut refusals) = (0, 0);
    ground
        .until(server, "nothing can be stored", PATIENCE, async || {
            fill(disk, &format!("filler{fillers}"));
            fillers += 1;
            // Many at once, because the journal's file was made whole while there was room.
            let body = vec![serde_json::json!({"dedup_key": "db-0", "title": "db-0 is down", "severity": "error"}); 300];
            let hook = format!("{}/hooks/generic/{}", ground.url, crate::ground::KEY);
            let answer = ground.http.post(hook).json(&body).send().await.expect("the door answers, whatever the disk does");
            match answer.status().as_u16() {
                202 => refusals = 0,
                503 => refusals += 1,
                other => panic!("a sender was told {other}"),
            }
            (refusals >= 3 && !disk.join("reveille.db.ballast").exists()).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_even_the_ballast_is_gone_what_is_open_still_pages_and_is_recorded_afterwards() {
    let ground = Ground::new(On::Sqlite).await;
    ground.configure(HOUSE);
    let (server, disk) = on_a_small_disk(&ground).await;
    ground.until(&server, "an alert is taken", PATIENCE, async || ground.posts("db-0").await.then_some(())).await;
    let first = ground.until(&server, "the first phone rings", PATIENCE, async || ground.ringing()).await;
    nothing_can_be_stored(&ground, &server, &disk).await;
    let calls_to = |number: &str| ground.stage.calls().into_iter().filter(|call| call.to == number).collect::<Vec<_>>();
    assert!(calls_to(BO).is_empty(), "the disk was full too late: {}", server.log());

    // The call that waited for the account is in the outbox, and its intent cannot be stored; the next step cannot be decided for good.
    for number in [ANA, CLEO, BO] {
        ground.until(&server, "everybody's phone rings", Span::seconds(30), async || calls_to(number).pop()).await;
    }
    let call = calls_to(BO).pop().expect("it was placed");
    ground.until(&server, "it rings", PATIENCE, async || ground.ringing().filter(|ringing| ringing.to == BO)).await;
    ground.stage.answer(&call.sid).await.expect("it rings");
    ground.stage.press(&call.sid, '1').await.expect("it listens");
    ground
        .until(&server, "he hears that it could not be taken", PATIENCE, async || {
            calls_to(BO)[0].spoken().iter().any(|line| line.contains("could not be taken")).then_some(())
        })
        .await;
    let incident = ground.get("/api/v1/incidents/1").await;
    assert_eq!(incident["state"], "triggered", "nothing was stored");
    // It has been tried again and again since, and nobody was called twice.
    assert_eq!(ground.stage.calls().len(), 3, "{}", ground.told());
    assert!(server.log().contains("a page left without a record"), "{}", server.log());

    for entry in std::fs::read_dir(&disk).expect("a disk") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("filler")) {
            std::fs::remove_file(path).expect("somebody makes room");
        }
    }
    let recorded = ground
        .until(&server, "what left is recorded", PATIENCE, async || {
            let attempts = ground.attempts(1).await;
            let is_known = attempts.len() == 3 && attempts.iter().all(|attempt| attempt["provider_id"].is_string());
            is_known.then_some(attempts)
        })
        .await;
    for call in ground.stage.calls() {
        assert!(recorded.iter().any(|attempt| attempt["provider_id"] == call.sid.as_str()), "{recorded:#?}\n{}", ground.told());
    }
    // The line in the timeline follows the record of the attempt.
    let told_of = async || {
        let timeline = ground.items("/api/v1/incidents/1/timeline").await;
        timeline.iter().filter(|entry| entry["text"].as_str().is_some_and(|text| text.contains("while the disk was full"))).count()
    };
    ground.until(&server, "both are told of in the timeline", PATIENCE, async || (told_of().await == 2).then_some(())).await;
    assert!(ground.posts("db-9").await, "senders are taken again: {}", server.log());
    ground.command(1, "acknowledge").await.expect("it is acknowledged");
    ground
        .until(&server, "every call has ended", PATIENCE, async || {
            ground.stage.calls().iter().all(|call| call.status.is_final()).then_some(())
        })
        .await;
    assert_eq!(ground.stage.calls().len(), 3, "{}", ground.told());
    assert_eq!(told_of().await, 2, "each once");
    assert!(calls_to(&first.to).len() == 1);
    drop(server);
}
