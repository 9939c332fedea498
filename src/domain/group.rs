//! What alerts of one service have in common, where they are grouped by more than time. The values are a stranger's: a group is a text of
//! bounded length, and two that differ stay two however long they are.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::routing::{Look, Routed};
use super::setup::{Service, Setup};
use super::template::Template;
use crate::base::secret::digest_hex;
use crate::base::{limits, written};

/// What alerts of a service are told apart by, beside the time at which they come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// Labels, and the other names that rules know.
    Names(Vec<String>),
    /// Whatever it gives.
    Template(Template),
}

/// One group of a service, as it is shown: `host = web-1, alertname = DiskFull`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(String);

impl Group {
    /// One as it is stored; `None` for the group of those that have nothing to be told apart by.
    #[must_use]
    pub fn from_text(text: String) -> Option<Self> {
        (!text.is_empty()).then_some(Self(text))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The group of a signal in this service. None where the service knows no groups, where the signal has nothing of what they are told apart
/// by, and where the template fails: that never costs the alert.
#[must_use]
pub fn of(setup: &Setup, service: &Service, routed: &Routed) -> Option<Group> {
    let by = service.group_by.as_ref()?;
    let look = Look::routed(routed, setup.integrations.get(&routed.signal.integration));
    let text = match by {
        GroupBy::Names(names) => {
            let named = names.iter().map(|name| (name, look.value_of(name))).filter(|(_, value)| !value.is_empty());
            named.map(|(name, value)| format!("{name} = {}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        GroupBy::Template(template) => template.fill(look.value()).unwrap_or_default(),
    };
    Group::from_text(within(&text))
}

/// As it is, or quoted where it would look like more than one value.
fn plain(value: &str) -> String {
    if value.contains([',', '=', '"', '\\']) { format!("{value:?}") } else { value.to_owned() }
}

/// A text that is too long ends with what tells it from every other.
fn within(text: &str) -> String {
    /// Of the digest, which nobody can aim at in so many signs.
    const MARK: usize = 16;
    let line = written::line(text);
    if line.chars().count() <= limits::GROUP_CHARS {
        return line;
    }
    let digest = digest_hex(line.as_bytes());
    format!("{} #{}", written::line_within(&line, limits::GROUP_CHARS - MARK - 2), digest.get(..MARK).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::super::input::{Action, Signal};
    use super::super::routing::route;
    use super::super::trial::Trial;
    use super::*;

    fn by(names: &[&str]) -> GroupBy {
        GroupBy::Names(names.iter().map(|&name| name.to_owned()).collect())
    }

    fn group(by: GroupBy, labels: &[(&str, &str)]) -> Option<String> {
        let mut night = Trial::new();
        night.service().group_by = Some(by);
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let routed = route(&night.setup, Signal { labels, ..Trial::signal_of("db", Action::Trigger, None, None) });
        of(&night.setup, &night.setup.services[&routed.service], &routed).map(|group| group.to_string())
    }

    #[test]
    fn a_group_says_the_values_of_its_labels() {
        for (names, labels, text) in [
            (&["host"][..], &[("host", "web-1"), ("job", "node")][..], Some("host = web-1")),
            (&["host", "job"], &[("host", "web-1"), ("job", "node")], Some("host = web-1, job = node")),
            (&["host", "job"], &[("job", "node")], Some("job = node")),
            (&["host"], &[("job", "node")], None),
            (&["host"], &[("host", "")], None),
            (&["severity", "source"], &[], Some("severity = error, source = generic")),
            (&["labels.severity"], &[("severity", "page")], Some("labels.severity = page")),
            // What would look like two values is one.
            (&["a", "b"], &[("a", "x, b = y")], Some("a = \"x, b = y\"")),
            (&["a"], &[("a", "x\" \\")], Some(r#"a = "x\" \\""#)),
        ] {
            assert_eq!(group(by(names), labels).as_deref(), text, "{names:?} {labels:?}");
        }
    }

    #[test]
    fn an_expression_gives_the_group_and_what_it_cannot_give_is_none() {
        let labels = [("region", "eu"), ("app", "shop")];
        for (template, labels, text) in [
            ("{{ labels.region }}-{{ labels.app | default('none') }}", &labels[..], Some("eu-shop")),
            ("{{ labels.region }}-{{ labels.app | default('none') }}", &labels[..1], Some("eu-none")),
            ("{{ labels.region }}", &[], None),
            ("{{ title.fly() }}", &labels, None),
            ("  {{ labels.region }}\n\n {{ severity }} ", &labels, Some("eu error")),
        ] {
            assert_eq!(group(GroupBy::Template(template.to_owned().into()), labels).as_deref(), text, "{template}");
        }
    }

    #[test]
    fn a_long_value_is_cut_and_stays_its_own() {
        let long = |end: &str| format!("{}{end}", "x".repeat(5_000));
        let (one, two) = (long("1"), long("2"));
        let made = [&one, &two].map(|value| group(by(&["host"]), &[("host", value)]).expect("it has a group"));
        assert_ne!(made[0], made[1]);
        assert_eq!(Some(&made[0]), group(by(&["host"]), &[("host", &one)]).as_ref());
        assert!(made.iter().all(|text| text.chars().count() <= limits::GROUP_CHARS), "{made:?}");
        let bent = group(by(&["host"]), &[("host", "a\u{202e}b\nc\0d")]).expect("it has a group");
        assert_eq!(bent, "host = ab c d");
    }
}
