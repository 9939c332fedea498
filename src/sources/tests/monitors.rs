//! The senders that watch from outside, and the monitors of a machine room: the order of a life, what their guides make people paste,
//! and what must not be kept of them.

use super::*;

/// What becomes of these fixtures of one source in this order, by the law of staleness: a signal counts unless it is older than the last
/// change of its own alert. `NAME with A for B` is a fixture in which the text B stands as A.
fn life(source: &str, steps: &[&str]) -> Vec<&'static str> {
    let reader = find(source).expect("registered");
    let all = fixtures(source);
    let mut alerts: BTreeMap<String, (bool, Option<Time>)> = BTreeMap::new();
    let step = |step: &&str| {
        let (name, change) = step.split_once(" with ").map_or((*step, None), |(name, change)| (name, change.split_once(" for ")));
        let fixture = all.iter().find(|fixture| fixture.name == name).unwrap_or_else(|| panic!("{source} has no {name}"));
        let changed = |text: &str| match change {
            Some((new, old)) => {
                assert!(text.is_empty() || text.contains(old) || fixture.head.contains(old), "{name} has no {old}");
                text.replace(old, new)
            }
            None => text.to_owned(),
        };
        let body = changed(&String::from_utf8_lossy(&fixture.body));
        let signals = reader.read(&inbound(reader, &changed(&fixture.head), body.as_bytes()), &integration(source));
        let [signal] = &signals[..] else { panic!("{source}/{name} gives {signals:?}") };
        let (is_open, changed_at) = alerts.get(&signal.dedup_key).copied().unwrap_or_default();
        let is_stale = signal.at.zip(changed_at).is_some_and(|(at, changed_at)| at < changed_at);
        let (outcome, now_open) = match &signal.action {
            Action::Ignore(_) => return "ignored",
            Action::Remark(_) | Action::Change(_) | Action::Unreadable(_) => panic!("{source}/{name} gives {signal:?}"),
            Action::Trigger | Action::Resolve | Action::Acknowledge if is_stale => return "stale",
            Action::Acknowledge => return if is_open { "acknowledged" } else { "nothing" },
            Action::Trigger if is_open => return "repeated",
            Action::Resolve if !is_open => return "nothing",
            Action::Trigger => ("opened", true),
            Action::Resolve => ("resolved", false),
        };
        alerts.insert(signal.dedup_key.clone(), (now_open, signal.at.or(changed_at)));
        outcome
    };
    steps.iter().map(step).collect()
}

/// It fires, it fires on, it is over, the first comes again late, it fires anew.
const LIFE: [&str; 5] = ["opened", "repeated", "resolved", "stale", "opened"];

#[test]
fn a_late_retry_changes_nothing_and_a_new_problem_does() {
    let down = "json_down.json";
    assert_eq!(life("uptimerobot", &[down, down, "json_up.json", down, "json_down.json with 1739369900 for 1739359800"]), LIFE);
    let query = "query_string_down_COMPOSED.txt";
    assert_eq!(
        life(
            "uptimerobot",
            &[query, "json_down.json", "query_string_up.txt", query, "query_string_down_COMPOSED.txt with 1739369900 for 1739359800"]
        ),
        LIFE
    );
    assert_eq!(
        life("uptime-kuma", &["down.json", "form_data_COMPOSED.form", "get_up.txt", "get_down.txt", "down.json with 19:07 for 18:56"]),
        LIFE
    );
    let down = "ours_down.json";
    assert_eq!(life("healthchecks", &[down, down, "ours_up.json", down, "ours_down.json with T04: for T03:"]), LIFE);
    let failure = "alert_failure_COMPOSED.json";
    assert_eq!(
        life("checkly", &[failure, failure, "alert_recovery.json", failure, "alert_failure_COMPOSED.json with T12:14 for T11:14"]),
        LIFE
    );
    let problem = "service_problem_COMPOSED.json";
    assert_eq!(
        life(
            "nagios",
            &[problem, problem, "service_recovery_COMPOSED.json", problem, "service_problem_COMPOSED.json with 1770899999 for 1770895800"]
        ),
        LIFE
    );
    let down = "environment_host_down.json";
    assert_eq!(
        life("nagios", &[down, down, "environment_host_recovery.json", down, "environment_host_down.json with 1770899999 for 1770895800"]),
        LIFE
    );
    let problem = "event_notification_problem_COMPOSED.json";
    assert_eq!(
        life(
            "icinga2",
            &[
                problem,
                problem,
                "event_notification_recovery_COMPOSED.json",
                problem,
                "event_notification_problem_COMPOSED.json with 1770899999 for 1770895800"
            ]
        ),
        LIFE
    );
    let problem = "command_service_problem.json";
    assert_eq!(
        life(
            "icinga2",
            &[problem, problem, "command_service_recovery.json", problem, "command_service_problem.json with 1770899999 for 1770895800"]
        ),
        LIFE
    );
    assert_eq!(
        life("riemann", &["critical.json", "warning.json", "ok.json", "critical.json", "critical.json with 1770899999 for 1770895800"]),
        LIFE
    );
    // A new problem of Zabbix is a new event, and so a new alert.
    for zabbix in ["", "_zabbix_6"] {
        let (problem, recovery) = (format!("ours_problem{zabbix}.json"), format!("ours_recovery{zabbix}.json"));
        let next = format!("{problem} with 10999 for 10528");
        assert_eq!(life("zabbix", &[&problem, &problem, &recovery, &problem, &next]), LIFE);
    }
}

#[test]
fn statuscake_tells_no_time_so_the_order_of_arrival_counts() {
    let (down, up) = ("down_COMPOSED.form", "up_COMPOSED.form");
    assert_eq!(
        life("statuscake", &[down, down, up, "firehydrant_docs_up.json", down]),
        ["opened", "repeated", "resolved", "nothing", "opened"]
    );
}

#[test]
fn zabbix_updates_do_what_was_done_there() {
    let steps = [
        "ours_problem.json",
        "ours_acknowledged.json",
        "ours_commented.json",
        "ours_unacknowledged.json",
        "ours_severity_raised.json",
        "ours_closed_by_hand.json",
        "ours_problem.json",
        "ours_recovery.json",
    ];
    let outcomes = ["opened", "acknowledged", "ignored", "ignored", "repeated", "resolved", "stale", "nothing"];
    assert_eq!(life("zabbix", &steps), outcomes);
    // Without timestamps, in the hour that comes twice.
    let night = "recovery_in_the_night_the_clock_is_put_back.json";
    let problem = "ours_problem_zabbix_6.json with 2026.10.25\",\n  \"event_time\": \"02:50 for 2026.02.12\",\n  \"event_time\": \"04:15";
    assert_eq!(life("zabbix", &[problem, night]), ["opened", "resolved"]);
}

#[test]
fn checkly_goes_from_degraded_to_failed_and_back() {
    let steps = ["degraded.json", "degraded_failure.json", "degraded_recovery.json", "degraded.json", "ssl.json", "alert_recovery.json"];
    assert_eq!(life("checkly", &steps), ["opened", "repeated", "resolved", "stale", "opened", "nothing"]);
}

#[test]
fn a_check_that_flaps_or_is_in_downtime_is_judged_by_its_state_in_the_end() {
    let steps = [
        "service_soft.json",
        "downtime_start.json",
        "flapping_start.json",
        "service_acknowledgement.json with 1770896100 for 1770895900",
        "flapping_stop_critical.json",
        "flapping_disabled_ok.json",
        "downtime_end_critical.json",
        "custom_ok.json",
    ];
    let outcomes = ["ignored", "ignored", "opened", "acknowledged", "repeated", "resolved", "ignored", "ignored"];
    assert_eq!(life("nagios", &steps), outcomes);
    assert_eq!(life("nagios", &["service_problem_COMPOSED.json", "downtime_end_ok.json"]), ["opened", "resolved"]);
    let steps =
        ["event_statechange_soft.json", "event_statechange_COMPOSED.json", "event_flapping_COMPOSED.json", "event_flapping_over_ok.json"];
    assert_eq!(life("icinga2", &steps), ["ignored", "opened", "repeated", "resolved"]);
}

#[test]
fn what_is_secret_in_a_body_is_not_in_its_signals() {
    let mut planted = 0;
    for source in REGISTRY.iter().copied() {
        for fixture in fixtures(source.name()) {
            let whole = format!("{}{}", fixture.head, String::from_utf8_lossy(&fixture.body));
            if !whole.contains("swordfish") {
                continue;
            }
            planted += 1;
            let signals = source.read(&inbound(source, &fixture.head, &fixture.body), &integration(source.name()));
            assert!(!format!("{signals:?}").contains("swordfish"), "{}/{}: {signals:?}", source.name(), fixture.name);
        }
    }
    assert!(planted > 10, "only {planted} fixtures hold a secret");
}

/// What a template becomes when its sender fills it in.
fn filled(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[test]
fn the_bodies_of_healthchecks_guide_are_read_once_they_are_filled_in() {
    let source = find("healthchecks").expect("registered");
    let bodies: Vec<&str> = source.guide().lines().map(str::trim).filter(|line| line.starts_with('{')).collect();
    let [down, up] = bodies[..] else { panic!("{bodies:?}") };
    let values =
        [("$CODE", "8b3a"), ("$NAME_JSON", "\"Night \\\"1\\\"\""), ("$BODY_JSON", "\"a\\nb\""), ("$NOW", "2026-02-12T03:15:00+00:00")];
    let (fires, ends) = (read(source, filled(down, &values).as_bytes()).remove(0), read(source, filled(up, &values).as_bytes()).remove(0));
    assert_eq!((&fires.action, &ends.action), (&Action::Trigger, &Action::Resolve));
    assert_eq!((fires.title.as_str(), fires.dedup_key.as_str(), ends.dedup_key.as_str()), ("Night \"1\" is down", "8b3a", "8b3a"));
    assert!(fires.url.is_some_and(|url| url.contains("8b3a")) && fires.at.is_some());
}

#[test]
fn the_templates_of_the_guides_are_read_once_they_are_filled_in() {
    let block = |name: &str| {
        let guide = find(name).expect("registered").guide();
        guide.lines().map(str::trim).skip_while(|line| *line != "{").take_while(|line| *line != "```").collect::<Vec<_>>().join("\n")
    };
    let robot = filled(&block("uptimerobot"), &[("*monitorID*", "7"), ("*alertType*", "1"), ("*monitorFriendlyName*", "www")]);
    let signal = read(find("uptimerobot").expect("registered"), robot.as_bytes()).remove(0);
    assert_eq!((signal.dedup_key.as_str(), signal.title.as_str(), signal.at), ("7", "www is down", None));
    let checkly = filled(&block("checkly"), &[("{{CHECK_ID}}", "7"), ("{{ALERT_TYPE}}", "ALERT_DEGRADED"), ("{{CHECK_NAME}}", "api")]);
    let signal = read(find("checkly").expect("registered"), checkly.as_bytes()).remove(0);
    assert_eq!((signal.dedup_key.as_str(), signal.title.as_str(), signal.severity), ("7", "api is degraded", Some(AlertSeverity::Warning)));
}

#[test]
fn the_parameters_of_zabbix_guide_are_what_is_read() {
    let source = find("zabbix").expect("registered");
    let (mut name, mut sent) = (None, serde_json::Map::new());
    for line in source.guide().lines().map(str::trim) {
        if let Some(given) = line.strip_prefix("- name: ") {
            name = Some(given.to_owned());
        } else if let (Some(value), Some(name)) = (line.strip_prefix("value: "), name.take()) {
            sent.insert(name, json!(value.trim_matches('\'')));
        }
    }
    assert_eq!(sent.remove("reveille"), Some(json!("{url}")), "the script takes the address out");
    let fixture = fixtures("zabbix").into_iter().find(|fixture| fixture.name == "ours_problem.json").expect("there is one");
    let ours: Value = serde_json::from_slice(&fixture.body).expect("it is JSON");
    let names: Vec<&String> = ours.as_object().expect("an object").keys().collect();
    assert_eq!(sent.keys().collect::<Vec<_>>(), names, "the fixture has the guide's parameters");
    assert!(matches!(read(source, Value::Object(sent).to_string().as_bytes())[0].action, Action::Unreadable(_)), "unfilled, it says so");
}
