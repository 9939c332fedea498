//! What the alerts of a service are grouped by.

use super::*;
use crate::domain::group::GroupBy;

/// The example, with this as what its service is grouped by.
fn with(group: &str) -> String {
    let own = "group    = { window = \"10m\" }";
    assert!(EXAMPLE.contains(own));
    EXAMPLE.replace(own, &format!("group    = {group}"))
}

/// What is said of it, without its place and without what is said of the example.
fn said(group: &str) -> Vec<String> {
    let around = Surroundings::made(SECRETS, &[]);
    let of_example = check_lines(EXAMPLE, &around);
    let lines = check_lines(&with(group), &around).into_iter().filter(|line| !of_example.contains(line));
    let told: Vec<String> = lines.filter_map(|line| line.splitn(4, ':').nth(3).map(|rest| rest.trim().to_owned())).collect();
    told
}

#[test]
fn labels_and_templates_are_read_and_rest() {
    for (group, window, by) in [
        (r#"{ window = "5m", by = ["host", "alertname"] }"#, 5, GroupBy::Names(vec!["host".to_owned(), "alertname".to_owned()])),
        (r#"{ by = "{{ labels.region }}" }"#, 10, GroupBy::Template("{{ labels.region }}".to_owned().into())),
    ] {
        assert_eq!(said(group), Vec::<String>::new(), "{group}");
        let service = run(&with(group), SECRETS).expect("it is good").0.setup.services[&"api".into()].clone();
        assert_eq!((service.group_window, service.group_by.as_ref()), (Span::minutes(window), Some(&by)));
        let stored = serde_json::to_string(&service).expect("it is written");
        assert_eq!(serde_json::from_str::<crate::domain::setup::Service>(&stored).expect("it is read"), service);
    }
}

#[test]
fn what_is_wrong_or_groups_nothing_is_said() {
    const HOW: &str = r#"write it as ["host", "alertname"], or as a template: "{{ labels.host }}""#;
    for (group, says) in [
        (r#"{ by = "{{ labels.host" }"#, format!("error: \"{{{{ labels.host\": unexpected end of input, expected end of variable block; {HOW}")),
        (r#"{ by = "host" }"#, format!("error: \"host\" gives the same for every alert; {HOW}")),
        (r"{ by = [] }", "error: by names no label; leave it out for alerts that are grouped by time alone".to_owned()),
        (r#"{ by = ["host", "host"] }"#, "error: by names \"host\" twice; leave one of them out".to_owned()),
        (r#"{ by = [""] }"#, format!("error: \"\" is no name of a label; {HOW}")),
        (r"{ by = 3 }", "error: by is a number, not a list; write a list".to_owned()),
        (
            r#"{ by = ["dedup_key"] }"#,
            "warning: nearly every alert has a dedup_key of its own, so that nothing is grouped; name what alerts have in common, as host, \
             or write window = \"0s\" to keep every alert alone"
                .to_owned(),
        ),
        (
            r#"{ window = "0s", by = ["host"] }"#,
            "warning: with a window of no time every alert stays alone, whatever it is grouped by; leave by out, or give a window".to_owned(),
        ),
    ] {
        let lines = said(group);
        assert_eq!(lines.first(), Some(&says), "{group}: {lines:#?}");
    }
}
