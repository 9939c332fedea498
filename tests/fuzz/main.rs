//! Every parser and every escaper against what nobody meant to write.
//!
//! Each target first replays its corpus, `corpus/NAME/*`, and then takes random input: two seconds of it in `make test`, a minute in
//! `make fuzz`, which also lets libFuzzer guide it by coverage where that can be built. Half of the inputs are bytes as they come, half
//! are something that was well-formed once: random bytes alone never get past the first brace. What breaks a target is written to
//! `target/fuzz/NAME`: move it into the corpus, and it stays broken or mended for ever.

mod doors;
#[path = "../support/hostile.rs"]
mod hostile;
mod rules;
mod sinks;
mod smtp;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reveille::base::clock::Clock;
use reveille::base::coding::{Coding, Decoding};
use reveille::base::inbound::Inbound;
use reveille::base::limits;
use reveille::base::mask::Mask;
use reveille::base::secret::{Sealer, Secret};
use reveille::base::time::{Span, Time};
use reveille::base::viewer::{Role, Viewer};
use reveille::base::written::is_address;
use reveille::boot::config::{self, Surroundings};
use reveille::chat::{blocks, inbound};
use reveille::domain::alert::UNREADABLE_KEY;
use reveille::domain::input::{Action, Signal};
use reveille::domain::setup::{AlertSeverity, Budget, Integration};
use reveille::sources::{self, pagerduty};
use reveille::store::read::IncidentFilter;
use reveille::store::{Store, StoreError, StoreOptions};

fn seconds() -> u64 {
    std::env::var("REVEILLE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// Makes each target into a test.
macro_rules! fuzzed {
    ($($(#[$doc:meta])* $name:ident($seeds:expr) => $run:expr;)*) => {
        $(
            $(#[$doc])*
            #[test]
            fn $name() {
                let run: fn(&[u8]) = $run;
                let name = stringify!($name);
                let mut seeds: Vec<Vec<u8>> = corpus(name);
                for seed in &seeds {
                    watched(name, seed, run);
                }
                seeds.extend($seeds);
                seeds.extend(hostile::TEXTS.iter().map(|text| text.as_bytes().to_vec()));
                let tried = AtomicU64::new(0);
                bolero::check!()
                    .with_test_time(Duration::from_secs(seconds()))
                    .with_iterations(usize::MAX)
                    .with_max_len(4_096)
                    .for_each(|input: &[u8]| {
                        tried.fetch_add(1, Ordering::Relaxed);
                        watched(name, &grown(&seeds, input), run);
                    });
                eprintln!("{name}: {} inputs", tried.load(Ordering::Relaxed));
                assert!(tried.load(Ordering::Relaxed) > 0, "nothing was tried");
            }
        )*
    };
}

fuzzed! {
    /// All of them: the first byte says which.
    every_source(source_seeds()) => |input| {
        let names: Vec<&str> = sources::names().collect();
        let (first, body) = input.split_first().unwrap_or((&0, input));
        let source = sources::find(names[usize::from(*first) % names.len()]).expect("it is registered");
        let signals = source.read(&request(body), &integration(source.name()));
        assert!(!signals.is_empty(), "a body is lost");
        signals.iter().for_each(within_limits);
    };
    generic_json(fixtures("generic")) => |body| {
        let generic = sources::find("generic").expect("it is registered");
        generic.read(&request(body), &integration("generic")).iter().for_each(within_limits);
    };
    pagerduty_door(fixtures("pagerduty")) => |body| {
        for api in [pagerduty::Api::Events, pagerduty::Api::Changes, pagerduty::Api::Version1] {
            let Ok(envelope) = pagerduty::Envelope::open(api, &request(body)) else { continue };
            match envelope.read(&integration("pagerduty")) {
                Ok(event) => within_limits(&event.signal),
                Err(wrong) => {
                    assert!(!wrong.is_empty());
                    within_limits(&pagerduty::invalid(&integration("pagerduty"), &wrong));
                }
            }
        }
    };
    configuration(config_seeds()) => |text| {
        let text = String::from_utf8_lossy(text);
        let around = Surroundings::made(&[("A_SECRET", "swordfish")], &[("x.toml", &text)]);
        let names: Vec<&str> = sources::names().collect();
        match config::load(Path::new("x.toml"), &around, &names) {
            Ok((config, _)) => assert!(!format!("{config:?}").contains("swordfish"), "a secret is shown"),
            Err(error) => {
                let told = error.to_string();
                assert!(!told.is_empty());
                assert!(!told.contains("swordfish") || text.contains("swordfish"), "a secret is told: {told}");
            }
        }
    };
    /// A rule's matcher, expression and template and a mapping, each as somebody might write it, and a body that goes through them.
    routing(rules::seeds()) => rules::routed;
    /// The first byte says how it is encoded. Whatever it is, it ends, at the cap at the latest.
    encoded_body(vec![b"\0\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0".to_vec(), b"\x02\x28\xb5\x2f\xfd\x00\x00\x09\x00\x00".to_vec()]) => |input| {
        let (first, sent) = input.split_first().unwrap_or((&0, input));
        let coding = [Coding::Gzip, Coding::Deflate, Coding::Zstd][usize::from(first % 3)];
        let mut decoding = Decoding::new(coding, Bytes::copy_from_slice(sent), 64 << 10);
        loop {
            match decoding.advance(usize::MAX) {
                Ok(false) => {}
                Ok(true) => break assert!(decoding.into_body().len() <= 64 << 10, "it is over the cap"),
                Err(_) => break,
            }
        }
    };
    /// A secret that stands in it is masked, and what is masked stays as it is.
    secrets(vec![b"token: x password=".to_vec(), b"https://a:b@c".to_vec()]) => |text| {
        let text = String::from_utf8_lossy(text);
        let (mask, planted) = (Mask::default(), "ghp_abcdefghijklmnopqrstuvwxyz0123456789");
        assert!(!mask.text(&format!("{text} {planted} {text}")).contains(planted), "a secret stays");
        let once = mask.text(&text).into_owned();
        assert!(once.len() <= text.len() + text.len() * 4, "it grows");
        let kept = sources::excerpt(format!("{{\"title\":{},\"x\":\"{planted}\"}}", serde_json::json!(text)).as_bytes(), &mask);
        assert!(!kept.contains(planted), "a secret is kept");
    };
    twilio_callback(vec![b"keys CallSid=CA1&Digits=1".to_vec(), b"status CallSid=CA1&CallStatus=ringing".to_vec()]) => sinks::callback;
    /// Whatever is said, the call is one well-formed `Response` within Twilio's limit, and says nothing but words.
    twiml(Vec::new()) => sinks::spoken;
    /// Whatever a page shows, it has the tags it has without it.
    html(Vec::new()) => sinks::page;
    slack_text(Vec::new()) => |text| {
        let text = String::from_utf8_lossy(text);
        for most in [1, 2, 20, 3_000] {
            let escaped = blocks::escaped(&text, most);
            assert!(escaped.chars().count() <= most, "{escaped:?} is longer than {most}");
            assert!(!escaped.contains(['<', '>', '\n', '\r', '\0']), "{escaped:?}");
            let entities = ["&amp;", "&lt;", "&gt;"].iter().map(|entity| escaped.matches(entity).count()).sum::<usize>();
            assert_eq!(escaped.matches('&').count(), entities, "{escaped:?}");
        }
    };
    slack_inbound(slack_seeds()) => |body| {
        drop(inbound::command(body));
        drop(inbound::interaction(body));
        drop(inbound::event(body));
        let text = String::from_utf8_lossy(body);
        for in_room in [false, true] {
            if let Err(told) = inbound::parse(&text, in_room) {
                assert!(!told.is_empty());
            }
        }
        if let Some((hour, minute)) = inbound::hour_and_minute(&text) {
            assert!(hour < 24 && minute < 60);
        }
    };
    /// Whatever a mail says, its subject is one line and its page has the tags it has without it.
    mail(Vec::new()) => sinks::letter;
    /// Whatever a text says, it is one line of two parts, without an address to press.
    sms(Vec::new()) => sinks::text;
    /// Whatever a terminal is shown, it is one line that orders it nothing.
    terminal(vec![b"\x1b]0;title\x07\x1b[31mred\xc2\x9b2J".to_vec()]) => |text| {
        let shown = reveille::cli::clean(&String::from_utf8_lossy(text));
        assert!(!shown.contains(|c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')), "{shown:?}");
    };
    csv(Vec::new()) => sinks::csv;
    /// What people type is kept as lines of plain words.
    written(Vec::new()) => |text| {
        let text = String::from_utf8_lossy(text);
        let (line, lines) = (reveille::base::written::line(&text), reveille::base::written::lines(&text));
        assert!(!line.contains(char::is_control) && line.trim() == line && !line.contains("  "), "{line:?}");
        assert!(!lines.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) && lines.trim() == lines, "{lines:?}");
        assert_eq!(reveille::base::written::lines(&lines), lines);
    };
    vcard(vec![b"https://reveille.example.com".to_vec()]) => |text| {
        let text = String::from_utf8_lossy(text);
        let card = reveille::render::vcard::of(Some("+15005550006"), Some(&text), Some(&text)).expect("there is a number");
        let unfolded = card.replace("\r\n ", "");
        let names: Vec<&str> = unfolded.trim_end().split("\r\n").map(|line| line.split([':', ';']).next().unwrap_or_default()).collect();
        let numbers = if text == "+15005550006" { vec!["TEL"] } else { vec!["TEL"; 2] };
        assert_eq!(names, [&["BEGIN", "VERSION", "N", "FN", "ORG"][..], &numbers, &["URL", "NOTE", "END"]].concat(), "{card}");
        assert!(!card.replace("\r\n", "").contains(char::is_control) && card.split("\r\n").all(|line| line.len() <= 76), "{card:?}");
    };
    /// A file that says it is a backup.
    backup(vec![b"{\"reveille_backup\":{\"format\":1,\"version\":\"0.1.0\",\"made_at\":\"x\"}}\n{\"end\":{\"rows\":0,\"sha256\":\"x\"}}\n".to_vec()]) => |file| {
        if let Err(error) = reveille::flows::backup::check(file) {
            assert!(!error.to_string().is_empty());
        }
    };
    /// What an integration's page shows of a body: nothing hidden, nothing longer than it may be.
    excerpt(vec![br#"{"token":"swordfish","title":"x"}"#.to_vec()]) => |body| {
        let kept = sources::excerpt(body, &Mask::default());
        assert!(kept.len() <= limits::EXCERPT_BYTES + "…".len() && !kept.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{kept:?}");
    };
    smtp(smtp::seeds()) => smtp::conversation;
    every_route(doors::route_seeds()) => doors::route;
    every_sender(doors::sender_seeds()) => doors::sender;
    sms_reply([&b"1"[..], b"ack 42", b"resolve 1, 2 and 3", b"STOP", b"escalate #42"].map(<[u8]>::to_vec).to_vec()) => doors::reply;
    slack_said([&b"\0note 1 it works at 12:56"[..], b"\0override <@U0ANA> now 4h", b"\0new x", b"\0task 1 x @ana 15m", b"\0sev 1 2"].map(<[u8]>::to_vec).to_vec()) => doors::said;
    signatures(vec![b"v0=00 9223372036854775807".to_vec(), b"v0=00 -9223372036854775808".to_vec(), b"bm90aGluZw== v0=00 1700000000".to_vec()]) => sinks::signatures;
    cursor(vec![b"MTI".to_vec(), b"aW5jaWRlbnRzOjEy".to_vec()]) => |text| {
        static STORE: LazyLock<(tokio::runtime::Runtime, Store, tempfile::TempDir)> = LazyLock::new(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let folder = tempfile::tempdir().expect("a folder");
            let url = folder.path().join("x.db").display().to_string();
            let store = runtime.block_on(async {
                let store = Store::open(&url, StoreOptions::default()).await.expect("it opens");
                store.migrate().await.expect("the tables are made");
                store
            });
            (runtime, store, folder)
        });
        let text = String::from_utf8_lossy(text);
        let viewer = Viewer::User { id: "ana".into(), role: Role::Observer };
        let (runtime, store, _) = &*STORE;
        match runtime.block_on(store.reader().incidents_list(&viewer, &IncidentFilter::default(), Some(&text), 10)) {
            Ok(_) | Err(StoreError::Cursor) => {}
            Err(error) => panic!("{error}"),
        }
    };
    /// Spans, times, ids and sealed secrets, as files, forms and headers bring them.
    small_words(vec![b"1h30m".to_vec(), b"2026-01-05T03:00:00Z".to_vec()]) => |text| {
        static SEALER: LazyLock<Sealer> = LazyLock::new(|| Sealer::open(&Sealer::new_key()).expect("a key"));
        let text = String::from_utf8_lossy(text);
        if let Ok(span) = Span::parse(&text) {
            assert!(span >= Span::ZERO && span <= Span::hours(24 * 366 * 10), "{text:?}");
        }
        if let Ok(at) = Time::parse_rfc3339(&text) {
            assert!(!at.rfc3339().is_empty());
        }
        drop(SEALER.unseal(&text));
        let sealed = SEALER.seal(&Secret::new(text.clone()));
        assert_eq!(SEALER.unseal(&sealed).expect("it is ours").expose(), text);
    };
}

/// Runs a target and keeps what broke it.
fn watched(name: &str, input: &[u8], run: fn(&[u8])) {
    struct Kept<'a>(&'a str, &'a [u8]);
    impl Drop for Kept<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
                // The smallest comes last. Should it not be written, the failure tells of it all the same.
                fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(self.0), self.1)).unwrap_or_default();
            }
        }
    }
    let _kept = Kept(name, input);
    run(input);
}

/// An even first byte: the rest as it is. An odd one: a seed, damaged as the rest says.
fn grown(seeds: &[Vec<u8>], input: &[u8]) -> Vec<u8> {
    let [first, rest @ ..] = input else { return Vec::new() };
    let [which, edits @ ..] = rest else { return Vec::new() };
    if first % 2 == 0 || seeds.is_empty() {
        return rest.to_vec();
    }
    let mut body = seeds[usize::from(*which) % seeds.len()].clone();
    for edit in edits.chunks_exact(4).take(8) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % (body.len() + 1);
        let until = (at + usize::from(edit[3] % 16)).min(body.len());
        match edit[2] % 7 {
            0 => body.truncate(at),
            1 => drop(body.drain(at..until)),
            2 if at < body.len() => body[at] = edit[3],
            3 => body.insert(at, edit[3]),
            4 => drop(body.splice(at..until, body[at..until].repeat(usize::from(edit[3] % 64)))),
            5 => drop(body.splice(at..until, hostile::TEXTS[usize::from(edit[3]) % hostile::TEXTS.len()].bytes())),
            _ => drop(body.splice(at..until, b"\"}{][,:0"[..usize::from(edit[3] % 8)].iter().copied())),
        }
    }
    body
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.expect("the folder can be listed").path()).collect();
    assert!(!files.is_empty(), "{} has no corpus", folder.display());
    files.sort();
    files.iter().map(|path| fs::read(path).expect("a file of the corpus")).collect()
}

fn fixtures(source: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources").join(source);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.extension().is_some_and(|extension| extension == "json") && !name.ends_with(".expected.json")
    });
    files.sort();
    files.iter().map(|path| fs::read(path).expect("a fixture")).filter(|body| body.len() < 16 << 10).collect()
}

fn source_seeds() -> Vec<Vec<u8>> {
    let of = |(n, name): (usize, &str)| {
        let first = u8::try_from(n).expect("few sources");
        fixtures(name).into_iter().map(move |body| [vec![first], body].concat()).collect::<Vec<_>>()
    };
    sources::names().enumerate().flat_map(of).collect()
}

fn config_seeds() -> Vec<Vec<u8>> {
    let example = include_str!("../../reveille.example.toml");
    let mut seeds = vec![example.as_bytes().to_vec()];
    // One table at a time, so that damage hits what it means to hit.
    seeds.extend(example.split("\n\n").map(|part| part.as_bytes().to_vec()));
    let mut heartbeat = String::new();
    write!(
        heartbeat,
        "[[integration]]\nid = \"b\"\nsource = \"heartbeat\"\nservice = \"api\"\nperiod = \"5m\"\nkey = {{ env = \"A_SECRET\" }}\n"
    )
    .expect("it is written");
    seeds.push(heartbeat.into_bytes());
    seeds
}

fn slack_seeds() -> Vec<Vec<u8>> {
    let event = r#"{"type":"event_callback","event_id":"E1","event":{"type":"app_mention","user":"U1","channel":"C1","ts":"1.2","text":"<@U0> ack"}}"#;
    let button = form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", r#"{"type":"block_actions","user":{"id":"U1"},"channel":{"id":"C1"},"actions":[{"value":"42 ack"}]}"#)
        .finish();
    let command = "user_id=U1&channel_id=C1&text=task+restart+%3C%40U2%3E+15m&response_url=https%3A%2F%2Fhooks.slack.com%2Fx";
    let words = ["new the disk is full", "sev 1", "note it works at 12:56", "#42 done 3", "snooze 1h30m", "lead @ana", "block 2 on bo"];
    [event, &button, command].into_iter().chain(words).map(|text| text.as_bytes().to_vec()).collect()
}

fn request(body: &[u8]) -> Inbound {
    Inbound {
        method: "POST".to_owned(),
        path: "/hooks/x/key".to_owned(),
        headers: Vec::new(),
        body: Bytes::copy_from_slice(body),
        sent: None,
        received_at: Time::from_seconds(1_767_571_200),
    }
}

fn clock() -> Clock {
    Clock::fake(Time::from_seconds(1_767_571_200))
}

fn integration(source: &str) -> Integration {
    let severity = AlertSeverity::Error;
    Integration {
        id: "shop".into(),
        source: source.to_owned(),
        service: "shop".into(),
        severity,
        heartbeat: None,
        topics: Vec::new(),
        map: None,
        budget: Budget::default(),
    }
}

/// What every sink after the sources may rely on.
fn within_limits(signal: &Signal) {
    let storable = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
    assert!(!signal.dedup_key.is_empty() && storable(&signal.dedup_key, limits::DEDUP_KEY_BYTES), "{signal:?}");
    assert!(signal.dedup_key.len() <= limits::DEDUP_KEY_BYTES, "{signal:?}");
    assert!(!signal.title.is_empty() && storable(&signal.title, limits::TITLE_CHARS), "{signal:?}");
    assert!(signal.url.as_ref().is_none_or(|url| url.starts_with("http") || url.starts_with("HTTP") || url.starts_with('H')), "{signal:?}");
    assert!(signal.url.as_ref().is_none_or(|url| url.len() <= limits::URL_BYTES), "{signal:?}");
    assert!(signal.at.is_none_or(|at| at > Time(0)), "{signal:?}");
    assert!(signal.labels.len() <= limits::LABELS, "{signal:?}");
    for (name, value) in &signal.labels {
        let most = if is_address(value) { limits::URL_BYTES } else { limits::LABEL_CHARS };
        assert!(!name.is_empty() && storable(name, limits::LABEL_CHARS) && storable(value, most), "{signal:?}");
    }
    match &signal.action {
        Action::Trigger | Action::Resolve | Action::Acknowledge | Action::Remark(_) => assert_ne!(signal.dedup_key, UNREADABLE_KEY),
        Action::Unreadable(why) => assert!(signal.dedup_key == UNREADABLE_KEY && storable(why, limits::TITLE_CHARS), "{signal:?}"),
        Action::Change(what) | Action::Ignore(what) => assert!(storable(what, limits::TITLE_CHARS), "{signal:?}"),
    }
}
