//! Routing rules and mappings: whatever somebody writes, and whatever a stranger sends through it.

use reveille::base::limits;
use reveille::base::written::is_address;
use reveille::domain::input::Action;
use reveille::domain::mapping::Mapping;
use reveille::domain::matcher::Matcher;
use reveille::domain::routing::{self, Gives, Route, TEMPLATE_ERROR};
use reveille::domain::setup::{Service, Setup};
use reveille::sources;

use crate::{integration, request, within_limits};

/// What parts the text of a rule, the mapping and the body.
const SEPARATOR: u8 = 0x1f;

pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |parts: [&str; 5]| parts.join("\u{1f}").into_bytes();
    vec![
        seed([
            "team=~\"d.*\"",
            "labels.team == 'db' and \"disk\" in title",
            "{{ labels.host|upper }}: {{ title }}",
            "/alert/id",
            r#"{"alert":{"id":1},"title":"disk","labels":{"team":"db"}}"#,
        ]),
        seed([
            "\"a.b\"!=\"\\\"\"",
            "[1, 2]|sum > labels|length",
            "{% for l in labels %}{{ l }}{% endfor %}",
            "{{ item.a[0].b }}",
            r#"{"a":[{"b":"c"}]}"#,
        ]),
        seed(["x=y", "title * 9999", "{% set x = 'a' * 100000 %}{{ x * 100000 }}", "{{ body|tojson }}", "[1]"]),
        seed([
            "x!~\"(a+)+$\"",
            "title[::-1]",
            "{{ title|replace('', title)|replace('', title) }}",
            "/~1/~0",
            r#"{"/":{"~":"aaaaaaaaaaaaaaaaaaaaaaaa"}}"#,
        ]),
    ]
}

/// No rule and no mapping loses a signal, breaks its limits or shows a stranger's text as anything but text.
pub fn routed(input: &[u8]) {
    let mut parts = input.splitn(5, |byte| *byte == SEPARATOR);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (matcher, expression, template, place, body) = (text(), text(), text(), text(), text());
    let mapping = serde_json::json!({
        "dedup_key": place, "title": template, "resolved_when": expression, "labels": { "a": place }, "items": place,
    });
    let mapping: Mapping = serde_json::from_value(mapping).expect("any texts are a mapping");
    let mut sender = integration("generic");
    for map in [Some(mapping.clone()), Some(Mapping { items: None, ..mapping }), None] {
        sender.map = map;
        let signals = sources::find("generic").expect("it is registered").read(&request(body.as_bytes()), &sender);
        assert!(!signals.is_empty(), "a body is lost");
        for signal in signals {
            within_limits(&signal);
            let gives = Gives {
                title: Some(template.as_str().into()),
                labels: [("b".to_owned(), template.as_str().into())].into(),
                ..Gives::default()
            };
            let rule = |matchers: Vec<Matcher>, expression: Option<&str>| Route {
                id: "rule".into(),
                source: None,
                integration: None,
                matchers,
                expression: expression.map(Into::into),
                gives: gives.clone(),
            };
            let setup = Setup {
                services: [("shop".into(), Service::new("shop".into(), "p".into()))].into(),
                integrations: [(sender.id.clone(), sender.clone())].into(),
                routes: vec![rule(vec![matcher.as_str().into()], Some(expression.as_str())), rule(Vec::new(), None)],
                ..Setup::default()
            };
            let told = routing::explain(&setup, &signal);
            let routed = routing::route(&setup, signal.clone());
            let taken = told.iter().find(|(_, said)| said.is_ok()).map(|(id, _)| *id);
            assert_eq!(taken, routed.taken.as_ref().map(|taken| &taken.rule), "the tester says the same");
            assert_eq!((&routed.signal.dedup_key, &routed.signal.action), (&signal.dedup_key, &signal.action));
            assert!(!routed.signal.title.is_empty() && routed.signal.title.chars().count() <= limits::TITLE_CHARS);
            assert!(
                routed
                    .signal
                    .labels
                    .values()
                    .all(|value| value.chars().count() <= if is_address(value) { limits::URL_BYTES } else { limits::LABEL_CHARS }
                        && !value.chars().any(char::is_control))
            );
            if routed.signal.labels.contains_key(TEMPLATE_ERROR) && !matches!(signal.action, Action::Unreadable(_)) {
                assert_eq!(routed.signal.title.is_empty(), signal.title.is_empty());
            }
        }
    }
}
