//! A disk that is full: pages go on with the room that was kept for it.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::ground::{Ground, On, PATIENCE, Server};

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
