//! What people do about an incident, and what the clock does with its alerts.

use std::time::Duration;

use crate::app::{App, GENERIC, TEAM};
use crate::story;
use reveille::base::id::{AlertId, IncidentId};
use reveille::base::time::{Span, Time};
use reveille::base::viewer::{Role, Viewer};
use reveille::domain::decide::{Outcome, Verdict};
use reveille::domain::incident::Kind;
use reveille::domain::input::{Act, Actor, Command, Declare, Via, Whom};
use reveille::domain::reason::Reason;
use reveille::domain::setup::Severity;
use reveille::flows::{FlowError, act, expire, overrides};
use serde_json::{Value, json};

const DATADOG: &str = "/hooks/datadog/datadogkey0000000000000001";
const ALERTMANAGER: &str = "/hooks/alertmanager/alertmanagerkey00000000001";

/// The team, with a service of its own for each way in which alerts end.
fn many() -> &'static str {
    static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TEXT.get_or_init(|| {
        format!(
            r#"{TEAM}
[[service]]
id = "metrics"
policy = "platform"
close_after = "30m"

[[service]]
id = "jobs"
policy = "platform"
resolve = "ask"

[[integration]]
id = "metrics-datadog"
source = "datadog"
service = "metrics"
key = "datadogkey0000000000000001"

[[integration]]
id = "metrics-prometheus"
source = "alertmanager"
service = "metrics"
key = "alertmanagerkey00000000001"

[[integration]]
id = "jobs-scripts"
source = "generic"
service = "jobs"
key = "jobskey000000000000000001"
"#
        )
    })
}

fn user(id: &str) -> Actor {
    Actor::User(id.into())
}

async fn asks(app: &App, who: &str, number: i64, asked: Act) -> Verdict {
    let id = app.incident(number).await.row["id"].as_str().expect("an id").to_owned();
    let command = Command { incident: IncidentId::from_text(id), actor: user(who), via: Via::Web, act: asked };
    let verdict = act::act(app.house(), command).await.expect("it is decided");
    app.settle().await;
    verdict
}

fn declaration(who: &str) -> Declare {
    Declare {
        actor: user(who),
        via: Via::Slack,
        title: "the checkout is slow".to_owned(),
        severity: None,
        service: None,
        kind: Kind::Real,
        alert: None,
    }
}

/// Waits until a changed setup is in force: within two seconds.
async fn in_force(app: &App, before: i64) {
    let mut live = app.house().live.clone();
    let seen = live.wait_for(|live| live.version > before);
    drop(tokio::time::timeout(Duration::from_secs(2), seen).await.expect("in force within two seconds").expect("the server runs"));
}

story!(a_snooze_holds_until_its_time_and_then_the_first_step_rings, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    let until = app.clock.now() + Span::hours(2);
    assert_eq!(asks(app, "bo", 1, Act::Snooze { until }).await.outcome, Outcome::Acknowledged);
    ana.has_ended();
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["state"], &incident.row["acknowledged_by"]), (&json!("acknowledged"), &json!("bo")));
    app.phone("ana").rings_after("2h").await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((incident.times("incident_snoozed"), incident.times("snooze_ended"), incident.times("acknowledgement_lapsed")), (1, 1, 0));
    asks(app, "bo", 1, Act::Resolve).await;
    let refused = asks(app, "bo", 1, Act::Snooze { until: until + Span::hours(9) }).await;
    assert_eq!((refused.outcome, refused.reason), (Outcome::Ignored, Reason::AlreadyResolved));
});

story!(what_is_given_to_somebody_rings_there_and_after_five_minutes_by_the_policy, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("4m").await;
    asks(app, "ana", 1, Act::Reassign { to: "cy".into() }).await;
    app.phone("cy").rings().await.ignore();
    app.phone("cy").rings_after("2m").await.ignore();
    app.phone("ana").rings_after("3m").await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(those_asked_for_are_paged_beside_the_one_who_has_it, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    asks(app, "ana", 1, Act::Page { whom: Whom::User("cy".into()) }).await;
    let said = app.phone("cy").rings().await.press('1').await;
    assert!(said.contains("Incident 1 is acknowledged"), "{said}");
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("ana");
    assert_eq!(incident.times("page_answered"), 2);
    app.advance("20m").await;
});

story!(a_declared_incident_pages_the_policy_but_not_the_one_who_declares, |app| {
    let named = Declare { service: Some("shop".into()), ..declaration("ana") };
    let verdict = act::declare(app.house(), named).await.expect("it is decided");
    assert_eq!((verdict.outcome, verdict.reason), (Outcome::Opened, Reason::DeclaredByHand));
    app.settle().await;
    // Ana has the turn and the incident: her step is skipped at once, and said so.
    app.phone("bo").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["severity"], &incident.row["service"]), (&json!("sev2"), &json!("shop")));
    assert_eq!((incident.times("room_wanted"), incident.times("step_skipped")), (1, 1));
    // With several services and none named it is whose it is.
    let verdict = act::declare(app.house(), declaration("cy")).await.expect("it is decided");
    assert_eq!(verdict.reason, Reason::NobodyToPage);
    app.settle().await;
    app.incident(2).await.is_acknowledged_by("cy");
    let nowhere = Declare { service: Some("nowhere".into()), ..declaration("cy") };
    assert!(matches!(act::declare(app.house(), nowhere).await, Err(FlowError::Missing("such service"))));
    let untitled = Declare { title: "  ".to_owned(), ..declaration("cy") };
    assert!(matches!(act::declare(app.house(), untitled).await, Err(FlowError::Refused(_))));
    assert_eq!(app.incidents().await.len(), 2);
});

story!(a_recorded_alert_is_promoted_and_counts_there, |app| {
    let quiet = json!({"dedup_key": "tape", "title": "the tape is slow", "severity": "info"});
    let alert = app.hears(GENERIC, &quiet).await.alert.expect("an alert");
    let promotion = Declare { alert: Some(AlertId::from_text(alert)), title: String::new(), ..declaration("cy") };
    let verdict = act::declare(app.house(), promotion.clone()).await.expect("it is decided");
    assert_eq!(verdict.reason, Reason::PromotedByHand);
    app.settle().await;
    app.phone("ana").rings().await.press('1').await;
    let again = app.hears(GENERIC, &quiet).await;
    assert_eq!((again.outcome.as_str(), again.incident), ("repeated", Some(1)));
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["title"], &incident.alerts[0]["count"]), (&json!("the tape is slow"), &json!(2)));
    assert_eq!(act::declare(app.house(), promotion).await.expect("it is decided").reason, Reason::AlreadyIncident);
    app.resolves("tape").await;
    app.incident(1).await.is("resolved");
});

story!(raised_by_hand_it_stays_acknowledged_and_offers_to_page, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    let verdict = asks(app, "ana", 1, Act::SetSeverity { to: Severity::Sev1 }).await;
    assert_eq!(verdict.reason, Reason::RaisedByHand);
    app.incident(1).await.is_acknowledged_by("ana");
    app.posts(GENERIC, &json!({"dedup_key": "b", "title": "worse", "severity": "critical"})).await;
    app.advance("10m").await;
    assert_eq!(app.incident(1).await.row["severity"], "sev1");
});

story!(an_override_is_in_force_to_the_second_and_can_be_taken_back, |app| {
    let house = app.house().clone();
    let now = app.clock.now();
    let (from, until) = (now + Span::minutes(10), now + Span::minutes(20));
    let platform = "platform".into();
    for (who, from, until, sentence) in [
        ("cy", until, from, "An override has to end after it begins."),
        ("cy", now - Span::hours(2), now, "That time has passed, and an override changes nothing that was."),
        ("cy", from, from + Span::hours(24 * 93), "An override lasts 92 days at most; change the rotation for longer."),
        ("nobody", from, until, "there is no such user"),
    ] {
        let refused = overrides::create(&house, &user("ana"), &platform, &who.into(), from, until).await;
        assert_eq!(refused.map_err(|error| error.to_string()), Err(sentence.to_owned()));
    }
    let before = house.now_live().version;
    let id = overrides::create(&house, &user("ana"), &platform, &"cy".into(), from, until).await.expect("it is made");
    in_force(app, before).await;
    let viewer = Viewer::User { id: "ana".into(), role: Role::Responder };
    let told = house.store.reader().overrides(&viewer, None, now).await;
    let told = told.expect("they read");
    assert_eq!(told.iter().map(|one| (&one.id, one.user.as_str(), one.from)).collect::<Vec<_>>(), [(&id, "cy", from)]);
    let turn = app.get(&format!("/api/v1/oncall?at={}", from.rfc3339())).await["items"][0].clone();
    assert_eq!((&turn["users"], &turn["from"], &turn["until"]), (&json!(["cy"]), &json!(from.rfc3339()), &json!(until.rfc3339())));

    app.advance_to(from - Span::seconds(1)).await;
    app.fires("before").await;
    app.phone("ana").rings().await.press('6').await;
    app.advance_to(from).await;
    app.fires("at its beginning").await;
    app.phone("cy").rings().await.press('6').await;
    app.advance_to(until - Span::seconds(1)).await;
    app.fires("at its end").await;
    app.phone("cy").rings().await.press('6').await;
    app.advance_to(until).await;
    app.fires("after").await;
    app.phone("ana").rings().await.press('6').await;

    let (before, now) = (house.now_live().version, app.clock.now());
    let id = overrides::create(&house, &user("ana"), &platform, &"cy".into(), now, now + Span::hours(5)).await.expect("it is made");
    in_force(app, before).await;
    let before = house.now_live().version;
    overrides::remove(&house, &user("ana"), &id).await.expect("it is removed");
    in_force(app, before).await;
    assert!(matches!(overrides::remove(&house, &user("ana"), &id).await, Err(FlowError::Missing("such override"))));
    app.advance("10m").await;
    app.fires("with the rotation").await;
    app.phone("ana").rings().await.press('1').await;
});

story!(two_hundred_datadog_events_of_one_alert_are_one_call, many(), |app| {
    let mut body: Value = serde_json::from_str(include_str!("../fixtures/sources/datadog/recommended_triggered.json")).expect("JSON");
    for n in 0..200_u64 {
        // What changes with every event is no part of what it is about.
        let id = 3_089_904_566_766_935_419_u64 + n;
        body["event_id"] = json!(id.to_string());
        body["link"] = json!(format!("https://app.datadoghq.com/event/event?id={id}"));
        body["alert_transition"] = json!(if n == 0 { "Triggered" } else { "Renotify" });
        body["date_posix"] = json!((1_448_435_530 + n).to_string());
        app.posts(DATADOG, &body).await;
    }
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((app.incidents().await.len(), incident.alerts.len()), (1, 1));
    assert_eq!((&incident.alerts[0]["count"], &incident.row["alerts_count"]), (&json!(200), &json!(1)));
    assert_eq!(app.stage.calls().len(), 1);
    assert_eq!(app.is_accounted_for().await, 200);
});

story!(an_alert_that_nobody_repeats_closes_by_age_and_its_incident_with_it, many(), |app| {
    let body: Value = serde_json::from_str(include_str!("../fixtures/sources/datadog/recommended_triggered.json")).expect("JSON");
    app.posts(DATADOG, &body).await;
    // Acknowledged a little later than it came, or the acknowledgement would lapse in the very moment in which the alert is too old.
    app.advance("5s").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("29m54s").await;
    expire::sweep(app.house()).await.expect("it sweeps");
    app.incident(1).await.is("acknowledged");
    app.clock.advance_to(app.clock.now() + Span::seconds(1));
    app.sweeps().await;
    let incident = app.incident(1).await;
    incident.is("resolved");
    assert_eq!(incident.alerts[0]["state"], "resolved");
    // An alert that ended with its incident, and gave way to a newer one since, is written down and not looked at again.
    app.advance("11m").await;
    app.posts(DATADOG, &body).await;
    app.phone("ana").rings().await.press('6').await;
    app.advance("11m").await;
    app.posts(DATADOG, &body).await;
    app.advance("5s").await;
    app.phone("ana").rings().await.press('1').await;
    app.clock.advance_to(app.clock.now() + Span::minutes(25));
    app.sweeps().await;
    app.clock.advance_to(app.clock.now() + Span::minutes(5) - Span::seconds(5));
    app.sweeps().await;
    app.incident(3).await.is("resolved");
    let why = incident.entry("incident_resolved")["reason"].as_str().expect("a reason").to_owned();
    assert!(why.contains("nothing was heard of it"), "{why}");
});

fn prometheus(name: &str, now: Time, minutes: i64) -> Value {
    json!({
        "version": "4", "status": "firing", "receiver": "reveille", "groupKey": "{}", "externalURL": "http://prometheus",
        "alerts": [{
            "status": "firing", "fingerprint": name, "labels": {"alertname": name, "severity": "error"},
            "annotations": {}, "startsAt": now.rfc3339(), "endsAt": (now + Span::minutes(minutes)).rfc3339(),
        }],
    })
}

story!(an_alert_past_its_senders_end_expires_unless_the_sender_is_silent, many(), |app| {
    let start = app.clock.now();
    app.posts(ALERTMANAGER, &prometheus("Flaky", start, 4)).await;
    app.phone("ana").rings().await.press('1').await;
    // Another alert of the same sender is told of in time: the sender is well, and does not name this one any more.
    app.advance("3m").await;
    app.posts(ALERTMANAGER, &prometheus("Other", app.clock.now(), 4)).await;
    app.settle().await;
    app.clock.advance_to(start + Span::minutes(4));
    app.sweeps().await;
    let incident = app.incident(1).await;
    assert_eq!((incident.times("alerts_resolved"), &incident.row["firing_count"]), (1, &json!(1)));
    // Then nothing comes at all, and that is no all-clear.
    app.clock.advance_to(start + Span::minutes(7));
    app.sweeps().await;
    let incident = app.incident(1).await;
    incident.is("acknowledged");
    assert_eq!((incident.times("integration_went_silent"), &incident.row["firing_count"]), (1, &json!(0)));
    assert!(incident.alerts.iter().all(|alert| alert["state"] == "resolved"));
});

story!(where_a_person_is_asked_the_last_alert_does_not_resolve, many(), |app| {
    let jobs = "/hooks/generic/jobskey000000000000000001";
    app.posts(jobs, &json!({"dedup_key": "nightly", "title": "the nightly job failed"})).await;
    app.phone("ana").rings().await.press('1').await;
    app.posts(jobs, &json!({"dedup_key": "nightly", "state": "resolved"})).await;
    app.settle().await;
    let incident = app.incident(1).await;
    incident.is("acknowledged");
    assert_eq!(incident.times("resolve_asked"), 1);
    asks(app, "ana", 1, Act::Resolve).await;
    app.incident(1).await.is("resolved");
});

story!(the_one_who_has_it_is_asked_quietly_before_it_lapses, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("25m").await;
    assert_eq!(app.incident(1).await.times("lapse_asked"), 1);
    asks(app, "ana", 1, Act::AddNote { text: "still at it".to_owned(), at: None }).await;
    app.advance("29m").await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.phone("ana").rings_after("1m").await.press('1').await;
});

story!(an_acknowledgement_or_a_snooze_whose_end_is_lost_is_found_by_the_audit, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.shop_fires("nobody can pay").await;
    asks(app, "bo", 2, Act::Snooze { until: app.clock.now() + Span::hours(1) }).await;
    // As no code of ours makes it go.
    app.sql("DELETE FROM wakes WHERE scope = 'incident'").await;
    app.advance("2m").await;
    reveille::flows::audit::audit(app.house()).await.expect("the audit is made");
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.phone("ana").rings_after("28m").await.press('6').await;
    app.phone("ana").rings_after("30m").await.press('1').await;
    assert_eq!(app.incident(2).await.times("snooze_ended"), 1);
});

story!(a_page_that_was_forgotten_half_way_is_found_by_the_audit_and_goes_on, &by_text_and_then_by_phone(), |app| {
    app.fires("the disk is full").await;
    assert_eq!(app.texts("ana").len(), 1);
    // As no code of ours makes it go: nothing would ever look at Ana's rules again, while the incident waits for its next step.
    app.sql("DELETE FROM wakes WHERE scope = 'person'").await;
    app.advance("4m").await;
    app.phone("ana").is_silent().await;
    assert_eq!(reveille::flows::audit::audit(app.house()).await.expect("the audit is made"), 1);
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    assert_eq!(reveille::flows::audit::audit(app.house()).await.expect("the audit is made"), 0);
});

fn by_text_and_then_by_phone() -> String {
    TEAM.replacen(
        r#"contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]"#,
        r#"contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }, { id = "text", kind = "sms", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "text" }, { urgency = "high", after = "2m", contact = "phone" }]"#,
        1,
    )
}

story!(those_asked_for_in_the_quiet_whose_next_call_is_lost_are_found_by_the_audit, |app| {
    app.posts(GENERIC, &json!({"title": "the disk fills", "severity": "warning"})).await;
    app.settle().await;
    asks(app, "bo", 1, Act::Page { whom: Whom::User("cy".into()) }).await;
    app.phone("cy").rings().await.ignore();
    app.phone("cy").rings_after("2m").await.ignore();
    app.sql("DELETE FROM wakes WHERE name = 'escalate'").await;
    app.advance("20m").await;
    app.phone("cy").is_silent().await;
    assert_eq!(reveille::flows::audit::audit(app.house()).await.expect("the audit is made"), 1);
    app.phone("cy").rings().await.press('1').await;
    app.advance("30m").await;
});

story!(what_is_a_drill_says_so_on_the_phone, |app| {
    let drill = Declare { kind: Kind::Drill, ..declaration("ana") };
    act::declare(app.house(), drill).await.expect("it is decided");
    app.settle().await;
    asks(app, "ana", 1, Act::Page { whom: Whom::User("cy".into()) }).await;
    let cy = app.phone("cy").rings().await.answer().await;
    app.advance("15s").await;
    let said = cy.said();
    assert!(said.contains("This is a drill. Incident 1, severity 2. the checkout is slow. opened just now."), "{said}");
    cy.press('1').await;
    app.settle().await;
    // A call that also speaks for something real is none.
    app.advance("4m").await;
    asks(app, "ana", 1, Act::Page { whom: Whom::User("bo".into()) }).await;
    app.phone("bo").rings().await.ignore();
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('2').await;
    let bo = app.phone("bo").rings_after("2m").await.answer().await;
    app.advance("20s").await;
    assert!(bo.said().contains("2 incidents need you") && !bo.said().contains("drill"), "{}", bo.said());
    bo.press('1').await;
    app.settle().await;
});

/// Ana is all there is.
fn alone() -> String {
    let from = TEAM.find("[[user]]\nid = \"bo\"").expect("Bo");
    let to = TEAM.find("[[schedule]]").expect("the schedules");
    let team = format!("{}{}", &TEAM[..from], &TEAM[to..]);
    team.replace(", \"bo\"]", "]").replace("  { notify = [\"user:bo\"], escalate_after = \"5m\" },\n", "")
}

story!(who_is_alone_and_declares_has_it_and_is_called_when_it_lapses, &alone(), |app| {
    let declared = Declare { service: Some("api".into()), ..declaration("ana") };
    let verdict = act::declare(app.house(), declared).await.expect("it is decided");
    assert_eq!((verdict.outcome, verdict.reason), (Outcome::Opened, Reason::NobodyToPage));
    app.settle().await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("ana");
    assert_eq!(incident.kinds(), ["incident_declared", "room_wanted", "incident_acknowledged"]);
    let why = app.get("/api/v1/why/1").await;
    assert_eq!(why["now"], "Ana Ruiz has it; pages again, without a sign of life, at 02:30:00 UTC");
    app.phone("ana").rings_after("30m").await.press('6').await;
    app.incident(1).await.is("resolved");
});

story!(why_tells_true_reasons_and_who_is_being_called, many(), |app| {
    let now = async |app: &App, number: i64| {
        let why = app.get(&format!("/api/v1/why/{number}")).await;
        (why["now"].as_str().expect("a sentence").to_owned(), why["now_reason"].as_str().map(str::to_owned))
    };
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    asks(app, "ana", 1, Act::Page { whom: Whom::User("cy".into()) }).await;
    app.phone("cy").rings().await.ignore();
    assert_eq!(now(app, 1).await.0, "Ana Ruiz has it. Calling Cy Young; pages again, without a sign of life, at 02:30:00 UTC");
    asks(app, "bo", 1, Act::Snooze { until: app.clock.now() + Span::hours(3) }).await;
    let (snoozed, _) = now(app, 1).await;
    assert!(snoozed.starts_with("Bo Lind has it; snoozed, pages again at 05:00:00"), "{snoozed}");
    app.resolves("the disk is full").await;
    assert_eq!(now(app, 1).await, ("Resolved".to_owned(), Some("its last firing alert was resolved by the sender".to_owned())));
    // One that ended by age was resolved by no sender.
    let body: Value = serde_json::from_str(include_str!("../fixtures/sources/datadog/recommended_triggered.json")).expect("JSON");
    app.posts(DATADOG, &body).await;
    app.advance("4m").await;
    app.phone("ana").takes_notice();
    app.command(2, "acknowledge").await;
    app.clock.advance_to(app.clock.now() + Span::minutes(27));
    app.sweeps().await;
    let (over, reason) = now(app, 2).await;
    assert_eq!((over.as_str(), reason.as_deref()), ("Resolved", Some("nothing was heard of it for as long as its service allows")));
});
