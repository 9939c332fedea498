//! The table of senders in docs/sources.md is made of their fixtures.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::*;

/// What one sender's fixtures show that it tells.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the table")]
struct Shown {
    repeats: bool,
    resolves: bool,
    acknowledges: bool,
    changes: bool,
    severity: bool,
    link: bool,
}

fn shown(source: &dyn Source) -> Shown {
    let mut shown = Shown { repeats: false, resolves: false, acknowledges: false, changes: false, severity: false, link: false };
    // In how many bodies each condition fires.
    let mut fires: BTreeMap<String, usize> = BTreeMap::new();
    let (mut over, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for Fixture { head, body, .. } in fixtures(source.name()) {
        let mut of_body = BTreeSet::new();
        for signal in source.read(&inbound(source, &head, &body), &integration(source.name())) {
            shown.severity |= signal.severity.is_some();
            shown.link |= signal.url.is_some();
            match signal.action {
                Action::Trigger => drop(of_body.insert(signal.dedup_key)),
                Action::Resolve => drop(over.insert(signal.dedup_key)),
                Action::Acknowledge => drop(taken.insert(signal.dedup_key)),
                Action::Change(_) => shown.changes = true,
                Action::Remark(_) | Action::Ignore(_) | Action::Unreadable(_) => {}
            }
        }
        for key in of_body {
            *fires.entry(key).or_default() += 1;
        }
    }
    shown.repeats = fires.values().any(|bodies| *bodies > 1);
    shown.resolves = over.iter().any(|key| fires.contains_key(key));
    shown.acknowledges = taken.iter().any(|key| fires.contains_key(key));
    shown
}

fn signature(source: &dyn Source) -> String {
    match (source.name(), source.signature()) {
        ("cloudwatch", _) => "SNS certificate".to_owned(),
        (_, Some(signature)) => format!("`{}`", signature.header),
        (_, None) => "–".to_owned(),
    }
}

/// As a list calls it.
fn called(source: &dyn Source) -> &'static str {
    match source.name() {
        "generic" => "your own JSON",
        "cloudevents" => "CloudEvents",
        "pagerduty" => "PagerDuty’s clients",
        "opsgenie" => "Opsgenie’s clients",
        _ => source.title(),
    }
}

fn table() -> String {
    let mut table =
        "| sender | source | fires | again, the same alert | resolves | acknowledges | changes | severity | link | signed by |\n\
                     |---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    let mut sources: Vec<&dyn Source> = REGISTRY.iter().copied().filter(|source| source.name() != "heartbeat").collect();
    sources.sort_by_key(|source| called(*source).to_lowercase());
    for source in sources {
        let shown = shown(source);
        let mark = |is: bool| if is { "✓" } else { "–" };
        let title = called(source);
        writeln!(
            table,
            "| {title} | `{}` | ✓ | {} | {} | {} | {} | {} | {} | {} |",
            source.name(),
            mark(shown.repeats),
            mark(shown.resolves),
            mark(shown.acknowledges),
            mark(shown.changes),
            mark(shown.severity),
            mark(shown.link),
            signature(source),
        )
        .expect("a String takes all");
    }
    table
}

const PAGE: &str = include_str!("../../../docs/sources.md");

/// What stands between two marks of the page.
pub fn between<'a>(from: &str, until: &str) -> &'a str {
    let (_, rest) = PAGE.split_once(from).unwrap_or_else(|| panic!("docs/sources.md has no {from}"));
    rest.split_once(until).unwrap_or_else(|| panic!("docs/sources.md has no {until} after {from}")).0
}

#[test]
fn the_table_of_senders_is_what_their_fixtures_show() {
    let told = between("<!-- the table -->\n", "<!-- its end -->");
    if writes() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sources.md");
        return fs::write(page, PAGE.replace(told, &table())).expect("it is written");
    }
    assert!(told == table(), "docs/sources.md should have this table (REVEILLE_WRITE=1 writes it):\n{}", table());
}

/// Whatever a sender can end must be ended by the very key that it fired with, and fire again as the same alert.
#[test]
fn what_resolves_in_a_fixture_fires_in_another_with_the_same_key() {
    for source in REGISTRY.iter().copied().filter(|source| source.name() != "heartbeat") {
        let shown = shown(source);
        let name = source.name();
        assert_eq!(shown.resolves, !NEVER_RESOLVES.contains(&name), "{name}: no fixture resolves what another fires");
        assert!(shown.repeats, "{name}: no two fixtures fire one alert");
    }
}
