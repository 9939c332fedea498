//! The source made up in docs/sources.md is one file, one line and a folder: compiled, registered and read like any other.

use super::table::between;
use super::*;

sources! {
    #[path = "../../../docs/example/chirp.rs"]
    chirp::Chirp,
}

/// The page shows the file word for word, and the line as it stands above.
#[test]
fn the_page_shows_what_is_compiled() {
    assert_eq!(between("```rust\n", "```"), include_str!("../../../docs/example/chirp.rs"));
    let line = between("The line, in the list of `src/sources/mod.rs`:\n", "\nThe folder").trim();
    assert!(include_str!("made_up.rs").lines().any(|ours| ours.trim() == line), "{line}");
}

#[test]
fn the_source_made_up_in_the_docs_is_read_as_it_says() {
    let [source] = REGISTRY else { panic!("there is one line") };
    assert!(source.name() == "chirp" && source.guide().contains("{url}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/example").join(source.name());
    let bodies = fixtures_in(&folder);
    assert_eq!(bodies.len(), 3, "one that fires, one that resolves and an odd one");
    for Fixture { name, head, body, expected } in bodies {
        let signals = source.read(&inbound(*source, &head, &body), &integration(source.name()));
        let outcomes = Value::Array(signals.iter().map(outcome).collect());
        assert_eq!(outcomes, expected, "{name} gives\n{}", serde_json::to_string_pretty(&outcomes).expect("it prints"));
    }
}
