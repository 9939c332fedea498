//! What each sender's own times make of the order in which its messages arrive: a trigger, its resolve, a retry of the trigger that
//! comes late, and the condition coming back.

use super::*;

/// What a key's signals do one after the other, by the rule that what is older than the key's last change of state is stale.
fn life(signals: &[Signal]) -> Vec<&'static str> {
    let (mut is_firing, mut changed_at) = (false, None);
    let mut told = |signal: &Signal| {
        assert_eq!(signal.dedup_key, signals[0].dedup_key, "one life is one key's");
        let is_stale = matches!((changed_at, signal.at), (Some(changed_at), Some(at)) if at < changed_at);
        let fires = match signal.action {
            Action::Trigger => true,
            Action::Resolve => false,
            Action::Acknowledge | Action::Remark(_) | Action::Unreadable(_) | Action::Change(_) | Action::Ignore(_) => {
                return "says nothing";
            }
        };
        if is_stale {
            return "is stale";
        }
        if fires == is_firing {
            return "repeats";
        }
        (is_firing, changed_at) = (fires, signal.at);
        if fires { "fires" } else { "ends" }
    };
    signals.iter().map(&mut told).collect()
}

/// The first signal of a fixture, with some of its fields set to something else.
fn told(source: &str, fixture: &str, changes: &[(&str, Value)]) -> Signal {
    let body = fs::read(folder(source).join(format!("{fixture}.json"))).expect("the fixture is there");
    let head = fs::read_to_string(folder(source).join(format!("{fixture}.headers"))).unwrap_or_default();
    let mut body: Value = serde_json::from_slice(&body).expect("it is JSON");
    for (pointer, value) in changes {
        *body.pointer_mut(pointer).unwrap_or_else(|| panic!("{fixture} has {pointer}")) = value.clone();
    }
    let source = find(source).expect("registered");
    source.read(&inbound(source, &head, body.to_string().as_bytes()), &integration(source.name())).remove(0)
}

/// The clock of the machine that reports is slow: its event is dated before the issue was last seen, and resolved.
#[test]
fn a_regression_of_sentry_on_a_slow_clock() {
    let (seen, slow) = ("2026-01-05T03:00:00.250000Z", "2026-01-05T02:58:00Z");
    let issue = |fixture: &str| told("sentry", fixture, &[("/data/issue/lastSeen", json!(seen)), ("/data/issue/id", json!("1117540176"))]);
    let received = |body: Value| read(find("sentry").expect("registered"), body.to_string().as_bytes()).remove(0);
    let event = |at: &str, received_at: f64, last: Option<&str>| {
        let event = json!({ "issue_id": "1117540176", "title": "x", "datetime": at, "received": received_at });
        let issue = last.map_or(Value::Null, |last| json!({ "lastSeen": last }));
        received(json!({ "action": "triggered", "data": { "event": event, "issue": issue } }))
    };
    let later = 1_767_582_060.5;
    assert_eq!(event(slow, later, Some(seen)).at.map(Time::rfc3339).as_deref(), Some("2026-01-05T03:01:00.500Z"));
    let lived = life(&[event(seen, 1_767_582_000.25, None), issue("issue_resolved"), event(slow, later, Some(seen))]);
    assert_eq!(lived, ["fires", "ends", "fires"]);
    // Where nothing says when the issue was last seen, the event's own time counts: a late retry is none.
    let lived = life(&[event(seen, later, None), issue("issue_resolved"), event(seen, later, Some(seen))]);
    assert_eq!(lived, ["fires", "ends", "is stale"]);
}

#[test]
fn an_issue_of_sentry() {
    let seen =
        |fixture: &str, at: &str| told("sentry", fixture, &[("/data/issue/lastSeen", json!(at)), ("/data/issue/id", json!("1117540176"))]);
    let event = |at: &str| told("sentry", "event_alert_triggered", &[("/data/event/datetime", json!(at))]);
    let (three, four) = ("2026-01-05T03:00:00.250000Z", "2026-01-05T04:00:00.250000Z");
    let lived = life(&[
        seen("issue_created", three),
        event(three),
        seen("issue_resolved", three),
        event(three),
        // Somebody opens it again at Sentry, without a new event, and resolves it once more.
        seen("issue_unresolved", three),
        seen("issue_resolved", three),
        seen("issue_assigned", three),
        event(four),
        seen("issue_archived", four),
    ]);
    assert_eq!(lived, ["fires", "repeats", "ends", "is stale", "fires", "ends", "says nothing", "fires", "ends"]);
}

#[test]
fn a_metric_alert_of_sentry() {
    let lived = ["critical_COMPOSED", "warning_COMPOSED", "resolved", "critical_COMPOSED"];
    let signals: Vec<Signal> = lived.iter().map(|name| told("sentry", &format!("metric_alert_{name}"), &[])).collect();
    assert_eq!(life(&signals), ["fires", "repeats", "ends", "is stale"]);
    // When the rule fires again, that is another alert of Sentry's.
    let next = told("sentry", "metric_alert_critical_COMPOSED", &[("/data/metric_alert/identifier", json!("2"))]);
    assert_ne!(next.dedup_key, signals[0].dedup_key);
    // An issue may have the same number.
    let issue = told("sentry", "issue_created", &[("/data/issue/id", json!("1"))]);
    assert_ne!(issue.dedup_key, signals[0].dedup_key);
}

#[test]
fn a_fault_of_honeybadger() {
    let fault =
        |fixture: &str, at: &str| told("honeybadger", fixture, &[("/fault/last_notice_at", json!(at)), ("/fault/id", json!(61_726_306))]);
    let (three, four) = ("2026-01-05T03:00:00Z", "2026-01-05T04:00:00Z");
    let lived = life(&[
        fault("v2_occurred_docs_example", three),
        fault("v2_rate_exceeded", three),
        fault("v2_commented", three),
        fault("v2_resolved", three),
        fault("v2_occurred_docs_example", three),
        fault("v2_unresolved", three),
        fault("v2_resolved", three),
        fault("v2_occurred_docs_example", four),
        fault("v2_resolved", four),
    ]);
    assert_eq!(lived, ["fires", "repeats", "says nothing", "ends", "is stale", "fires", "ends", "fires", "ends"]);
}

#[test]
fn a_site_and_a_check_in_of_honeybadger() {
    let down = |at: &str| told("honeybadger", "v2_down", &[("/outage/down_at", json!(at))]);
    let (up, first, again) = (told("honeybadger", "v2_up", &[]), "2020-03-14T12:24:34.153649Z", "2020-03-14T13:24:34.153649Z");
    assert_eq!(life(&[down(first), up.clone(), down(first), down(again)]), ["fires", "ends", "is stale", "fires"]);
    // The certificate of a site that is up may expire all the same.
    assert_ne!(told("honeybadger", "v2_cert_will_expire", &[]).dedup_key, up.dedup_key);

    let check_in = |event: &str, at: &str| told("honeybadger", event, &[("/check_in/reported_at", json!(at))]);
    let (three, four, five) = ("2026-01-05T03:00:00Z", "2026-01-05T04:00:00Z", "2026-01-05T05:00:00Z");
    let lived = life(&[
        check_in("v2_check_in_missing", three),
        check_in("v2_check_in_reporting", four),
        check_in("v2_check_in_missing", three),
        check_in("v2_check_in_missing", four),
        check_in("v2_check_in_reporting", five),
    ]);
    assert_eq!(lived, ["fires", "ends", "is stale", "fires", "ends"]);
}

#[test]
fn an_error_of_airbrake() {
    let errors = [told("airbrake", "docs_new_error", &[]), told("airbrake", "docs_new_error", &[("/error/times_occurred", json!(119))])];
    assert_eq!(life(&errors), ["fires", "repeats"]);
}

#[test]
fn an_error_of_bugsnag() {
    let error = |fixture: &str, at: &str| told("bugsnag", fixture, &[("/error/receivedAt", json!(at))]);
    let (three, four) = ("2026-01-05T03:00:00.000Z", "2026-01-05T04:00:00.000Z");
    let lived = life(&[
        error("exception_DOCSHAPE", three),
        error("powerTen_DOCSHAPE", three),
        error("changed_snoozed", three),
        error("fixed_DOCSHAPE", three),
        error("exception_DOCSHAPE", three),
        error("changed_reopened", three),
        error("changed_ignored", three),
        error("reopened_DOCSHAPE", four),
        error("fixed_DOCSHAPE", four),
    ]);
    assert_eq!(lived, ["fires", "repeats", "says nothing", "ends", "is stale", "fires", "ends", "fires", "ends"]);
    assert_eq!(told("bugsnag", "changed_snoozed", &[]).action, Action::Acknowledge);
    assert_ne!(told("bugsnag", "projectSpiking_DOCSHAPE", &[]).dedup_key, error("fixed_DOCSHAPE", four).dedup_key);
}

#[test]
fn runs_of_github_are_ordered_by_number_and_then_by_attempt() {
    let run = |fixture: &str, number: i64, attempt: i64, created: &str| {
        let changes = [
            ("/workflow_run/run_number", json!(number)),
            ("/workflow_run/run_attempt", json!(attempt)),
            ("/workflow_run/created_at", json!(created)),
            // The older run is the one that ends last.
            ("/workflow_run/updated_at", json!(format!("2026-01-05T{:02}:00:00Z", 23 - number % 10))),
        ];
        told("github", fixture, &changes)
    };
    let (failure, success) = ("workflow_run_completed_failure_COMPOSED", "workflow_run_completed_success");
    let (three, four) = ("2026-01-05T03:00:00Z", "2026-01-05T04:00:00Z");
    let lived = life(&[
        run(failure, 163, 1, three),
        run(success, 164, 1, four),
        run(failure, 163, 1, three),
        run(failure, 163, 2, three),
        // Two in one second.
        run(failure, 165, 1, four),
        run(success, 164, 2, four),
        run(success, 165, 2, four),
        run(failure, 165, 1, four),
    ]);
    assert_eq!(lived, ["fires", "ends", "is stale", "is stale", "fires", "is stale", "ends", "is stale"]);
    let branch = told("github", failure, &[("/workflow_run/head_branch", json!("next"))]);
    assert_ne!(branch.dedup_key, run(failure, 1, 1, three).dedup_key);
}

#[test]
fn deployments_and_alerts_of_github() {
    let deployed = |fixture: &str, at: &str| {
        told("github", fixture, &[("/deployment_status/created_at", json!(at)), ("/repository/id", json!(186_853_002))])
    };
    let (three, four, five) = ("2026-01-05T03:00:00Z", "2026-01-05T04:00:00Z", "2026-01-05T05:00:00Z");
    let lived = life(&[
        deployed("deployment_status_failure", three),
        deployed("deployment_status", four),
        deployed("deployment_status_failure", three),
        deployed("deployment_status_inactive", five),
        deployed("deployment_status_error", five),
    ]);
    assert_eq!(lived, ["fires", "ends", "is stale", "says nothing", "fires"]);

    let found = |fixture: &str| told("github", fixture, &[("/repository/id", json!(1)), ("/alert/number", json!(10))]);
    let lived = life(&[
        found("code_scanning_alert_created"),
        found("code_scanning_alert_fixed"),
        found("code_scanning_alert_created"),
        found("code_scanning_alert_appeared_in_branch"),
        found("code_scanning_alert_closed_by_user"),
        found("code_scanning_alert_reopened_by_user"),
    ]);
    assert_eq!(lived, ["fires", "ends", "is stale", "fires", "ends", "fires"]);
}

#[test]
fn an_event_of_a_cloud() {
    let event = |fixture: &str, at: &str| told("cloudevents", fixture, &[("/time", json!(at))]);
    let (three, four, five) = ("2026-01-05T03:00:00Z", "2026-01-05T04:00:00Z", "2026-01-05T05:00:00Z");
    let lived = life(&[
        event("firing", three),
        event("firing_in_type", three),
        event("resolved_in_data", four),
        event("firing", three),
        event("firing", five),
        event("resolved_in_type", five),
    ]);
    assert_eq!(lived, ["fires", "repeats", "ends", "is stale", "fires", "ends"]);
}

#[test]
fn an_entity_of_splunk_on_call() {
    let at = |kind: &str, at: i64| {
        let body = json!({ "message_type": kind, "entity_id": "db-1", "timestamp": at, "state_start_time": 1_767_580_000 });
        read(find("splunk-oncall").expect("registered"), body.to_string().as_bytes()).remove(0)
    };
    let lived = life(&[at("CRITICAL", 100), at("RECOVERY", 600), at("CRITICAL", 100), at("CRITICAL", 700)]);
    assert_eq!(lived, ["fires", "ends", "is stale", "fires"]);
    // Most senders give no time; then the order of arrival counts, and not when the state began.
    let began = |fixture: &str, at: i64| told("splunk-oncall", fixture, &[("/state_start_time", json!(at))]);
    let lived = life(&[began("with_start_time", 0), began("recovery_with_start_time", 500), began("with_start_time", 200)]);
    assert_eq!(lived, ["fires", "ends", "fires"]);
    let untimed = |fixture: &str| told("splunk-oncall", fixture, &[]);
    let lived =
        life(&[untimed("critical_COMPOSED"), untimed("info_annotated"), untimed("acknowledgement_COMPOSED"), untimed("recovery_COMPOSED")]);
    assert_eq!(lived, ["fires", "repeats", "says nothing", "ends"]);
    assert_eq!(untimed("no_entity_id").dedup_key, untimed("no_entity_id_recovery").dedup_key);
}

/// A redelivery is told by the sender's own name for it.
#[test]
fn a_delivery_is_named_where_its_sender_names_it() {
    let named = |source: &str, head: &str, body: &str| {
        let source = find(source).expect("registered");
        source.delivery(&inbound(source, head, body.as_bytes()))
    };
    assert_eq!(named("github", "X-GitHub-Delivery: 72d3162e", "").as_deref(), Some("72d3162e"));
    assert_eq!(named("github", "X-GitHub-Delivery:  ", ""), None);
    let event = r#"{"specversion":"1.0","type":"t","source":"/shop","id":"A-1"}"#;
    assert_eq!(named("cloudevents", "", event).as_deref(), Some("/shop A-1"));
    assert_eq!(named("cloudevents", "ce-type: t\nce-source: /shop\nce-id: A-2", "").as_deref(), Some("/shop A-2"));
    assert_eq!(named("cloudevents", "", &format!("[{event}]")), None, "a batch has no name");
    assert_eq!(named("cloudevents", "", r#"{"specversion":"1.0","type":"t"}"#), None);
}

#[test]
fn who_signs_says_so() {
    let signature = |source: &str| find(source).expect("registered").signature().map(|signature| (signature.header, signature.prefix));
    assert_eq!(signature("github"), Some(("x-hub-signature-256", "sha256=")));
    assert_eq!(signature("sentry"), Some(("sentry-hook-signature", "")));
    assert_eq!(signature("bugsnag"), None);
}

/// What people paste from a guide has to do what the guide says.
#[test]
fn what_the_guides_say_to_paste_fires_and_resolves() {
    for (name, before) in [("cloudevents", " -d '"), ("splunk-oncall", "--json '")] {
        let source = find(name).expect("registered");
        let pasted: Vec<&str> = source.guide().lines().filter_map(|line| line.split_once(before)?.1.strip_suffix('\'')).collect();
        assert_eq!(pasted.len(), 2, "{name}");
        let signals: Vec<Signal> = pasted.iter().flat_map(|body| read(source, body.as_bytes())).collect();
        assert_eq!(life(&signals), ["fires", "ends"], "{name}");
    }
}
