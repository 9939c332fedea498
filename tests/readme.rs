//! The papers are held to their word: what they show as a file is accepted, what they show as a command is understood, what they
//! name exists.

use std::collections::BTreeSet;
use std::path::Path;

use reveille::base::clock::Clock;
use reveille::base::inbound::Inbound;
use reveille::boot::config::{self, Surroundings};
use reveille::cli::args::Args;
use reveille::domain::input::Action;
use reveille::domain::setup::AlertSeverity;
use reveille::sources;

const README: &str = include_str!("../README.md");
const ROUTING: &str = include_str!("../docs/routing.md");
/// Every paper, README.md first.
const PAPERS: [(&str, &str); 14] = [
    ("README.md", README),
    ("CONTRIBUTING.md", include_str!("../CONTRIBUTING.md")),
    ("ARCHITECTURE.md", include_str!("../ARCHITECTURE.md")),
    ("CHANGELOG.md", include_str!("../CHANGELOG.md")),
    ("docs/operations.md", include_str!("../docs/operations.md")),
    ("docs/metrics.md", include_str!("../docs/metrics.md")),
    ("docs/slack.md", include_str!("../docs/slack.md")),
    ("docs/grouping.md", include_str!("../docs/grouping.md")),
    ("docs/limits.md", include_str!("../docs/limits.md")),
    ("docs/routing.md", ROUTING),
    ("docs/silences.md", include_str!("../docs/silences.md")),
    ("docs/sources.md", include_str!("../docs/sources.md")),
    ("docs/speed.md", include_str!("../docs/speed.md")),
    ("docs/webhooks.md", include_str!("../docs/webhooks.md")),
];
/// The variables that its first shell block sets.
const VARIABLES: [(&str, &str); 4] = [
    ("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000"),
    ("TWILIO_AUTH_TOKEN", "secret"),
    ("ROLLBAR_KEY", "0123456789abcdef0123456789abcdef"),
    ("SCRIPTS_KEY", "fedcba9876543210fedcba9876543210"),
];

/// README.md's fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    blocks_of(README, language)
}

fn blocks_of(paper: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = paper.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(language) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push(block.join("\n") + "\n");
        }
    }
    found
}

fn only(language: &str) -> String {
    let found = blocks(language);
    assert_eq!(found.len(), 1, "README.md has one block of {language}");
    found.into_iter().next().expect("there is one")
}

/// Lines that are shown to be typed: in blocks of shell, and those of indented blocks and of tables that begin with our program's name.
fn typed() -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (name, paper) in PAPERS {
        found.extend(blocks_of(paper, "sh").iter().flat_map(|block| block.lines()).map(|line| (name, line.to_owned())));
        let indented = paper.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with("reveille "));
        found.extend(indented.map(|line| (name, line.to_owned())));
        // In a sentence, in backquotes. One that is followed by a list of other words is no whole command.
        let quoted = paper.split('`').skip(1).step_by(2).filter(|text| text.starts_with("reveille ") && !text.contains('\n'));
        found.extend(quoted.filter(|text| !text.chars().any(char::is_uppercase)).map(|text| (name, text.to_owned())));
    }
    found
}

/// A line of shell as words, without its comment. It knows what README.md uses: quotes, and `$(…)` as one word.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (_, other) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

fn known_sources() -> Vec<&'static str> {
    sources::names().collect()
}

#[test]
fn the_configuration_passes_check_with_the_output_that_is_shown() {
    let toml = only("toml");
    let surroundings = Surroundings::made(&VARIABLES, &[("reveille.toml", &toml)]);
    let report = config::check(Path::new("reveille.toml"), &surroundings, &known_sources(), Clock::system().now());
    assert_eq!(report.exit_code(), 0, "{report}");
    let shown = report.to_string();
    assert!(shown.contains("0 errors, 0 warnings"), "{shown}");
    assert!(
        blocks("text").iter().any(|block| block.trim() == shown.trim()),
        "README.md shows another output than `reveille check` has:\n{shown}"
    );
}

/// Put behind the README's configuration, with the objects that they name.
#[test]
fn the_rules_and_the_mapping_that_are_shown_pass_check() {
    let own =
        "[[service]]\nid = \"database\"\npolicy = \"platform\"\n\n[[policy]]\nid = \"dba\"\nsteps = [{ notify = [\"everyone\"] }]\n\n";
    let shown = blocks_of(ROUTING, "toml");
    assert_eq!(shown.len(), 2, "rules and a mapping are shown");
    let toml = format!("{}\n{own}{}", only("toml"), shown.join("\n"));
    let surroundings = Surroundings::made(&VARIABLES, &[("reveille.toml", &toml)]);
    let report = config::check(Path::new("reveille.toml"), &surroundings, &known_sources(), Clock::system().now());
    assert!(report.to_string().contains("0 errors, 0 warnings"), "{report}");
}

#[test]
fn a_name_that_nobody_has_is_found() {
    let toml = only("toml").replace("policy = \"platform\"", "policy = \"platfrom\"");
    let surroundings = Surroundings::made(&VARIABLES, &[("reveille.toml", &toml)]);
    let report = config::check(Path::new("reveille.toml"), &surroundings, &known_sources(), Clock::system().now());
    assert_eq!(report.exit_code(), 1, "{report}");
}

#[test]
fn every_command_that_is_shown_is_understood() {
    let mut seen = BTreeSet::new();
    for (paper, line) in typed() {
        // `export NAME=$(reveille …)` runs one as well.
        let line = line.split_once("$(reveille").map_or(line.clone(), |(_, inner)| format!("reveille{}", inner.trim_end_matches(')')));
        let line = line.split(" >").next().unwrap_or_default();
        let words = words(line);
        if words.first().is_some_and(|word| word == "reveille") {
            match Args::read(&words) {
                Ok(_) => {}
                Err(help) if !help.use_stderr() || words.len() == 2 => {}
                Err(error) => panic!("{paper} shows `{line}`:\n{error}"),
            }
            seen.insert(words[1].clone());
        }
    }
    for expected in ["check", "serve", "send", "token", "incident", "why"] {
        assert!(seen.contains(expected), "README.md shows `reveille {expected}`");
    }
}

#[test]
fn every_target_and_script_that_is_shown_exists() {
    let makefile = include_str!("../Makefile");
    let mut seen = 0;
    for (_, line) in typed() {
        let words = words(&line);
        match words.first().map(String::as_str) {
            Some("make") => {
                for target in words[1..].iter().take_while(|word| *word != "&&") {
                    assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no target {target}");
                    seen += 1;
                }
            }
            Some(script) if script.starts_with("scripts/") => {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(script).exists(), "there is no {script}");
                seen += 1;
            }
            Some(_) | None => {}
        }
    }
    assert!(seen >= 3, "README.md shows make run, make test and make build");
}

#[test]
fn every_file_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for (paper, part) in
        PAPERS.iter().flat_map(|(name, paper)| paper.split(['`', '(', ')', ' ', '"', '@', '\n']).map(move |part| (name, part)))
    {
        let part = part.trim_end_matches([',', '.', ':', ';']);
        // A place for a name of one's own.
        if part.contains("NAME") || part.contains("chirp") {
            continue;
        }
        // What a run of the tests leaves behind is not there before it.
        if part == "tests/e2e/shots" {
            continue;
        }
        if ["tests/", "docs/", "src/", "scripts/", "LICENSE"].iter().any(|start| part.starts_with(start)) {
            let (file, place) = part.split_once('#').unwrap_or((part, ""));
            assert!(root.join(file).exists(), "{paper} names {part}, which is not there");
            if !place.is_empty() {
                let text = std::fs::read_to_string(root.join(file)).expect("a paper is text");
                let mut headings = text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
                assert!(
                    headings.any(|heading| heading.to_lowercase().replace(' ', "-") == place),
                    "{paper} names {part}, a place that is not there"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} files are named");
}

#[test]
fn the_json_is_read_as_the_table_says() {
    let toml = only("toml");
    let surroundings = Surroundings::made(&VARIABLES, &[("reveille.toml", &toml)]);
    let (config, complaints) =
        config::load(Path::new("reveille.toml"), &surroundings, &known_sources()).expect("a configuration that passes check");
    assert!(complaints.is_empty(), "{complaints:?}");
    let integration = config.setup.integrations.values().find(|one| one.source == "generic").expect("a generic integration");
    let inbound = Inbound {
        method: "POST".to_owned(),
        path: "/hooks/generic/KEY".to_owned(),
        headers: Vec::new(),
        body: only("json").into_bytes().into(),
        sent: None,
        received_at: Clock::system().now(),
    };
    let signals = sources::find("generic").expect("the source").read(&inbound, integration);
    assert_eq!(signals.len(), 1);
    let signal = &signals[0];
    assert_eq!(
        (signal.action.clone(), signal.title.as_str(), signal.severity),
        (Action::Trigger, "Disk of db-3 is 97% full", Some(AlertSeverity::Critical))
    );
    assert_eq!(signal.url.as_deref(), Some("https://grafana.example.com/d/disks"));
    for field in ["dedup_key", "title", "severity", "state", "url", "at", "labels"] {
        assert!(README.contains(&format!("| `{field}` |")), "the table explains {field}");
    }
}
