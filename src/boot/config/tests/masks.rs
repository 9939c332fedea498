//! `[masks]`, and how much of an integration is kept one by one.

use super::*;
use crate::domain::setup::Budget;

#[test]
fn what_is_masked_beside_the_usual_is_read_and_what_is_mistyped_is_named() {
    let text = "[masks]\nnames = [\"badge\"]\nkeep = [\"session\"]\npatterns = [\"EMP-[0-9]{6}\"]\n";
    let (config, complaints) = run(text, &[]).expect("it is good");
    assert!(complaints.is_empty(), "{complaints:?}");
    let masks = &config.settings.masks;
    assert_eq!((masks.off, masks.names.as_slice(), masks.keep.as_slice()), (false, &["badge".to_owned()][..], &["session".to_owned()][..]));
    assert_eq!(masks.patterns, ["EMP-[0-9]{6}"]);

    let wrong = "[masks]\noff = \"yes\"\nnames = [\"--\"]\npatterns = [\"(\", \"x*\"]\npattern = 1\n";
    let lines = errors(wrong, &nothing());
    for (line, expected) in [
        (2, "off"),
        (3, "\"--\" is no name of a field"),
        (4, "\"(\" is no pattern of a secret: it is no regular expression"),
        (4, "\"x*\" is no pattern of a secret: it matches nothing at all"),
        (5, "pattern"),
    ] {
        let at = format!(":{line}:");
        assert!(lines.iter().any(|told| told.contains(&at) && told.contains(expected)), "{expected} in line {line}: {lines:#?}");
    }
}

#[test]
fn a_budget_is_an_integrations_own() {
    let text = "[[policy]]\nid = \"p\"\nsteps = [{ notify = [\"everyone\"] }]\n[[service]]\nid = \"api\"\npolicy = \"p\"\n\
                [[integration]]\nid = \"a\"\nsource = \"generic\"\nservice = \"api\"\nkey = \"0123456789abcdef\"\nbudget = 100\nnew_alerts = 5\n\
                [[integration]]\nid = \"b\"\nsource = \"generic\"\nservice = \"api\"\nkey = \"fedcba9876543210\"\n";
    let (config, _) = run(text, &[]).expect("it is good");
    let budget = |id: &str| config.setup.integrations[&id.into()].budget;
    assert_eq!(budget("a"), Budget { per_second: 100, new_per_hour: 5 });
    assert_eq!(budget("b"), Budget { per_second: 50_000, new_per_hour: 2_000_000 });
    let lines = errors(&text.replace("budget = 100", "budget = 0"), &nothing());
    assert!(lines[0].contains("budget is 0, which is out of bounds"), "{lines:?}");
}
