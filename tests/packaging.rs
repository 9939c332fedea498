//! The files of docker/ are held to what they promise: what they start is understood, what they name exists, and nothing runs as root.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use reveille::base::limits;
use reveille::boot::config::{self, Surroundings};
use reveille::cli::args::{self, Args};

const DOCKERFILE: &str = include_str!("../docker/Dockerfile");
const IGNORED: &str = include_str!("../docker/Dockerfile.dockerignore");
const COMPOSE: &str = include_str!("../docker/compose.yaml");
const CADDYFILE: &str = include_str!("../docker/Caddyfile");
const UNIT: &str = include_str!("../docker/reveille.service");

/// The instructions of the Dockerfile, their continued lines joined.
fn instructions() -> Vec<String> {
    let lines = DOCKERFILE.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut found: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        let (text, continued) = line.strip_suffix('\\').map_or((line, false), |text| (text, true));
        if goes_on {
            found.last_mut().expect("it began").push_str(text.trim());
        } else {
            found.push(text.trim().to_owned() + if continued { " " } else { "" });
        }
        goes_on = continued;
    }
    found
}

fn last(instruction: &str) -> String {
    let found = instructions().into_iter().rfind(|line| line.starts_with(&format!("{instruction} ")));
    found.unwrap_or_else(|| panic!("no {instruction}")).split_once(' ').expect("something follows").1.to_owned()
}

fn serve(words: &[&str]) -> args::Serve {
    let parsed = Args::read(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    match parsed.command {
        args::Command::Serve(serve) => serve,
        _ => panic!("{words:?} serves nothing"),
    }
}

#[test]
fn the_image_is_small_whole_and_not_root() {
    let froms: Vec<String> = instructions().into_iter().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(froms.len(), 3, "built in stages: {froms:?}");
    for from in &froms {
        let image = from.split(' ').nth(1).expect("an image");
        assert!(image.contains(':') && !image.ends_with(":latest"), "{from} names no version");
    }
    assert!(froms[2].contains("-slim"), "{froms:?}");
    let user = last("USER");
    assert!(
        user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)),
        "{user}: a number, so that a cluster can see that it is not root"
    );
    assert!(!instructions().iter().any(|line| line.starts_with("ADD ")), "COPY says what it does");
    assert!(DOCKERFILE.contains("cargo build --release --locked") && DOCKERFILE.contains("npm ci"), "what is locked is what is built");
    let rust = env!("CARGO_PKG_RUST_VERSION").split('.').take(2).collect::<Vec<_>>().join(".");
    assert!(froms[1].contains(&format!("rust:{rust}")), "{} builds with {rust}", froms[1]);
    let serve = serve(&["reveille", last("CMD").trim_matches(['[', ']', '"'])]);
    assert!(serve.config.is_none());
}

#[test]
fn what_the_image_copies_is_there_and_let_in() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let let_in: BTreeSet<&str> = IGNORED.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut copied = 0;
    for line in instructions().iter().filter(|line| line.starts_with("COPY ") && !line.contains("--from")) {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        for source in &words[..words.len() - 1] {
            let source = source.trim_end_matches('/');
            assert!(root.join(source).exists(), "{source} is copied and does not exist");
            let top = source.split('/').next().expect("a name");
            assert!(let_in.contains(top), "{source} is copied and ignored");
            copied += 1;
        }
    }
    assert!(copied > 8);
    for name in let_in {
        assert!(root.join(name).exists(), "{name} is let in and does not exist");
    }
}

/// The health check runs as it is written, against a server that is well and one that is not.
#[test]
fn the_health_check_tells_well_from_unwell() {
    let check = last("HEALTHCHECK");
    let (_, command) = check.split_once("CMD ").expect("a command");
    let command: Vec<String> = serde_json::from_str(command).expect("its words as JSON");
    for (answer, well) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut asked = String::new();
            // It comes in as many pieces as the shell writes it in.
            while !asked.ends_with("\r\n\r\n") {
                let mut piece = [0; 1_024];
                let n = stream.read(&mut piece).expect("a request");
                assert!(n > 0, "it ends before its end: {asked:?}");
                asked.push_str(&String::from_utf8_lossy(&piece[..n]));
            }
            stream.write_all(format!("HTTP/1.1 {answer}\r\n\r\nok 200 \n").as_bytes()).expect("an answer");
            asked
        });
        let words = command.iter().map(|word| word.replace("/8080", &format!("/{port}")));
        let words: Vec<String> = words.collect();
        let status = Command::new(&words[0]).args(&words[1..]).status().expect("it runs");
        assert_eq!(status.success(), well, "{answer}");
        assert!(served.join().expect("it served").starts_with("GET /healthz HTTP/1.0\r\n\r\n"));
    }
}

#[test]
fn the_composition_starts_what_there_is() {
    let command = COMPOSE.lines().find_map(|line| line.trim().strip_prefix("command: ")).expect("a command");
    let words: Vec<String> = serde_json::from_str(command).expect("its words as JSON");
    let mut all = vec!["reveille"];
    all.extend(words.iter().map(String::as_str));
    assert_eq!(serve(&all).config.as_deref(), Some(Path::new("/etc/reveille/reveille.toml")));
    assert_eq!(COMPOSE.matches(": *reveille\n").count(), 2, "two replicas, of one definition");
    for name in ["reveille-1:8080", "reveille-2:8080", "health_uri /readyz", "flush_interval -1"] {
        assert!(CADDYFILE.contains(name), "{name}");
    }
    // A variable that is no setting would change nothing, silently.
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let values = |name: &str| match name {
        "REVEILLE_SERVER__DATABASE" => "postgres://reveille:x@postgres/reveille",
        "REVEILLE_SERVER__PUBLIC_URL" => "https://reveille.example.com",
        "REVEILLE_SERVER__SECRET_KEY" => key,
        other => panic!("{other} is set in compose.yaml and not known to this test"),
    };
    let names: Vec<&str> = COMPOSE.lines().filter_map(|line| line.trim().split_once(": \"").map(|(name, _)| name)).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| name.starts_with("REVEILLE_SERVER__")).collect();
    let variables: Vec<(&str, &str)> = names.iter().map(|name| (*name, values(name))).collect();
    assert_eq!(variables.len(), 3);
    let (_, complaints) = config::from_environment(&Surroundings::made(&variables, &[])).expect("they are settings");
    assert!(complaints.is_empty(), "{complaints:?}");
    let grace = COMPOSE.lines().find_map(|line| line.trim().strip_prefix("stop_grace_period: ")?.strip_suffix('s')?.parse::<i64>().ok());
    assert!(grace.expect("a span") > 2 * limits::SHUT_DOWN.as_seconds());
    for promise in ["cap_drop: [ALL]", "no-new-privileges:true", "read_only: true", "condition: service_healthy"] {
        assert!(COMPOSE.contains(promise), "{promise}");
    }
    assert!(!COMPOSE.contains(":latest"));
}

#[test]
fn the_unit_starts_what_there_is_and_is_shut_in() {
    let value = |key: &str| {
        let found = UNIT.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        found.unwrap_or_else(|| panic!("no {key}"))
    };
    let words: Vec<&str> = value("ExecStart").split(' ').collect();
    let serve = serve(&words);
    assert!(serve.config.is_some() && serve.database.given().is_some());
    assert!(value("TimeoutStopSec").parse::<i64>().expect("seconds") > 2 * limits::SHUT_DOWN.as_seconds());
    for (key, expected) in [
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("KillSignal", "SIGTERM"),
        ("DynamicUser", "yes"),
        ("StateDirectory", "reveille"),
        ("ProtectSystem", "strict"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("WorkingDirectory", "/var/lib/reveille"),
    ] {
        assert_eq!(value(key), expected, "{key}");
    }
    // systemd's own opinion, where it is installed; it asks that the program is there, so another stands in for it.
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("reveille.service");
    std::fs::write(&copy, UNIT.replace("/usr/local/bin/reveille serve", "/bin/true serve")).expect("a file");
    if let Ok(output) = Command::new("systemd-analyze").arg("verify").arg(&copy).output() {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let ours: Vec<&str> = told.lines().filter(|line| line.contains("reveille.service")).collect();
        assert!(ours.is_empty(), "{ours:#?}");
    }
}
