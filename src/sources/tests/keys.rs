//! Two things are two alerts, and one thing is one, however it is told.

use super::*;

/// The first signal of a source's fixture.
fn told(source: &str, fixture: &str) -> Signal {
    let reader = find(source).expect("registered");
    let all = fixtures(source);
    let stem = |name: &str| name.rsplit_once('.').map(|(stem, _)| stem.to_owned());
    let fixture = all.iter().find(|one| stem(&one.name).as_deref() == Some(fixture)).unwrap_or_else(|| panic!("{source} has no {fixture}"));
    reader.read(&inbound(reader, &fixture.head, &fixture.body), &integration(source)).remove(0)
}

#[test]
fn two_things_have_two_keys() {
    for (source, one, other) in [
        ("datadog", "scope_in_title_triggered_a", "scope_in_title_triggered_b"),
        ("uptimerobot", "without_id_ping", "without_id_ssh"),
        ("cloudwatch", "eventbridge_instance", "eventbridge_another_instance"),
        ("cloudwatch", "eventbridge_instance", "eventbridge_finding"),
        ("cloudwatch", "odd_text_without_a_subject", "odd_another_text_without_a_subject"),
        ("github", "deployment_status_failure_billing", "deployment_status_failure_docs"),
        ("github", "deployment_status_failure", "deployment_status_failure_docs"),
        ("cloudevents", "no_subject_backup", "no_subject_import"),
        ("nagios", "odd_host_with_the_sign_of_a_service", "odd_host_and_service"),
    ] {
        let (one, other) = (told(source, one), told(source, other));
        assert_eq!((&one.action, &other.action), (&Action::Trigger, &Action::Trigger), "{source}");
        assert_ne!(one.dedup_key, other.dedup_key, "{source}");
    }
}

#[test]
fn one_thing_has_one_key() {
    for (source, one, other, action) in [
        ("datadog", "scope_in_title_triggered_a", "scope_in_title_recovered_a", Action::Resolve),
        ("uptimerobot", "without_id_ping", "without_id_ping_up", Action::Resolve),
        ("cloudwatch", "eventbridge_alarm", "eventbridge_alarm_ok", Action::Resolve),
        ("cloudwatch", "odd_event_without_a_name", "odd_event_without_a_name_again", Action::Trigger),
        ("cloudwatch", "odd_text_without_a_subject", "odd_text_without_a_subject_again", Action::Trigger),
        ("cloudevents", "no_subject_backup", "no_subject_backup_over", Action::Resolve),
        ("cloudevents", "no_subject_id", "no_subject_id_again", Action::Trigger),
    ] {
        let (one, other) = (told(source, one), told(source, other));
        assert_eq!((&one.action, &other.action), (&Action::Trigger, &action), "{source}");
        assert_eq!(one.dedup_key, other.dedup_key, "{source}");
    }
}
