//! What passes by itself calls nobody, and what comes and goes is one thing: `quiet_for` and flapping, through the doors.

use serde_json::{Value, json};

use crate::app::{App, GENERIC, TEAM};
use crate::story;

/// The team, whose service waits two minutes.
fn patient() -> String {
    TEAM.replacen("[[service]]", "[[service]]\nquiet_for = \"2m\"", 1)
}

fn says(title: &str, state: &str) -> Value {
    json!({ "dedup_key": title, "title": title, "severity": "error", "state": state })
}

async fn alert(app: &App) -> Value {
    app.get("/api/v1/alerts").await["items"][0].clone()
}

async fn metrics(app: &App) -> String {
    reqwest::get(format!("{}/metrics", app.url)).await.expect("it answers").text().await.expect("it is text")
}

story!(what_passes_by_itself_calls_nobody, &patient(), |app| {
    let heard = app.hears(GENERIC, &says("disk full", "firing")).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("recorded", None));
    assert_eq!(heard.reason, "its service waits to see whether it passes by itself");
    let until = (app.clock.now() + reveille::base::time::Span::minutes(2)).rfc3339();
    assert_eq!(alert(app).await["quiet_until"], until);
    let ana = app.browser("ana").await;
    let page = ana.get("/alerts").await;
    assert!(page.text.contains("quiet until") && page.text.contains("disk full"), "{}", page.text);
    app.advance("119s").await;
    let heard = app.hears(GENERIC, &says("disk full", "resolved")).await;
    assert_eq!((heard.outcome.as_str(), heard.reason.as_str()), ("resolved", "it was over before its service would have called anybody"));
    app.advance("1h").await;
    let passed = alert(app).await;
    assert_eq!((&passed["passed_by_itself"], &passed["state"]), (&json!(true), &json!("resolved")), "{passed}");
    assert!(ana.get("/alerts").await.text.contains("passed by itself, nobody was called"));
    assert_eq!(app.incidents().await.len(), 0);
    app.phone("ana").is_silent().await;
    let metrics = metrics(app).await;
    for line in ["reveille_held_total{reason=\"quiet\"} 1", "reveille_held_total{reason=\"passed\"} 1"] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
});

story!(what_stays_calls_after_the_wait_also_where_the_server_was_away, &patient(), |app| {
    app.fires("disk full").await;
    app.advance("1m").await;
    app.goes_down().await;
    app.clock.advance_to(app.clock.now() + reveille::base::time::Span::minutes(5));
    app.comes_back().await;
    app.sweeps().await;
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("ana");
    assert_eq!(incident.entry("alerts_waited")["text"], "1 alert had fired for 6 minutes without passing by itself: disk full");
    assert_eq!(alert(app).await["quiet_until"], Value::Null);
    // To the second, where nobody was away.
    app.resolves("disk full").await;
    app.advance("1h").await;
    app.fires("disk full").await;
    app.phone("ana").rings_after("2m").await.press('1').await;
});

story!(what_is_worst_waits_for_nothing, &patient(), |app| {
    let mut worst = says("disk full", "firing");
    worst["severity"] = json!("critical");
    assert_eq!(app.hears(GENERIC, &worst).await.outcome, "opened");
    app.phone("ana").rings().await.press('1').await;
});

story!(what_flaps_is_one_incident_that_ends_when_it_is_steady, |app| {
    app.fires("disk full").await;
    app.phone("ana").rings().await.press('1').await;
    for _ in 0..6 {
        app.advance("1m").await;
        app.resolves("disk full").await;
        app.advance("1m").await;
        app.fires("disk full").await;
        app.everyone_takes_notice();
    }
    let incident = app.incident(1).await;
    assert_eq!((app.incidents().await.len(), incident.times("alerts_flapping")), (1, 1), "{:?}", incident.kinds());
    let text = incident.entry("alerts_flapping")["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.starts_with("1 alert flapping: changed 6 times in "), "{text}");
    assert!(alert(app).await["flapping_since"].is_string());
    let reopened = incident.times("incident_reopened");
    app.command(1, "acknowledge").await;
    // Its sender says that it is over, and it is not believed yet.
    let heard = app.hears(GENERIC, &says("disk full", "resolved")).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("repeated", Some(1)));
    assert_eq!(heard.reason, "it comes and goes, so it counts as firing until it has been steady for a while");
    app.incident(1).await.is("acknowledged");
    let ana = app.browser("ana").await;
    assert!(ana.get("/incidents/1").await.text.contains("flapping since"));
    app.advance("25m").await;
    let incident = app.incident(1).await;
    incident.is("resolved");
    assert_eq!((incident.times("incident_reopened"), incident.times("alerts_steady")), (reopened, 1), "{:?}", incident.kinds());
    assert_eq!(alert(app).await["flapping_since"], Value::Null);
});

story!(what_comes_and_goes_faster_than_its_policy_reaches_its_next_step, |app| {
    app.fires("disk full").await;
    app.phone("ana").rings().await.ignore();
    let mut called = false;
    for _ in 0..12 {
        app.advance("1m").await;
        app.resolves("disk full").await;
        app.advance("1m").await;
        app.fires("disk full").await;
        called = called || app.phone("bo").calls() > 0;
    }
    assert!(called, "nobody but ana was ever called: {:?}", app.incident(1).await.kinds());
    assert_eq!(app.incident(1).await.times("policy_started"), 1);
    app.everyone_takes_notice();
    app.command(1, "acknowledge").await;
});

/// The team, whose shop is worked on from ten minutes on, for an hour, every week.
fn maintained(app_start: reveille::base::time::Time) -> String {
    let begins = reveille::domain::local::field("UTC", app_start + reveille::base::time::Span::minutes(10)).expect("a time");
    format!(
        "{TEAM}\n[[maintenance]]\nid = \"disks\"\ncomment = \"the disks are moved\"\nmatch = ['alertname=~\"disk.*\"']\nstart = \"{begins}\"\nfor = \"1h\"\nevery = \"1w\"\n"
    )
}

/// Lays ahead what is configured, without waiting for the server's own sweeper.
async fn lays(app: &App) {
    reveille::flows::maintenance::lay(app.house(), &mut reveille::flows::maintenance::Laid::default()).await.expect("it is laid ahead");
    app.settle().await;
}

async fn silences(app: &App) -> Vec<Value> {
    app.get("/api/v1/silences").await["items"].as_array().expect("a list").clone()
}

story!(maintenance_is_silent_and_what_still_fires_pages_at_its_end, |app| {
    app.applies(&maintained(app.clock.now())).await;
    lays(app).await;
    lays(app).await;
    let laid = silences(app).await;
    let told: Vec<_> =
        laid.iter().map(|one| (one["created_by"].as_str().unwrap_or_default(), one["state"].as_str().unwrap_or_default())).collect();
    assert_eq!(told, [("maintenance disks", "pending"); 2], "{laid:?}");
    app.advance("15m").await;
    assert_eq!(app.hears(GENERIC, &says("disk full", "firing")).await.outcome, "suppressed");
    assert_eq!(app.hears(GENERIC, &says("web down", "firing")).await.outcome, "opened");
    app.phone("ana").rings().await.press('1').await;
    app.resolves("web down").await;
    app.advance("50m").await;
    app.phone("ana").rings_after("5m").await.press('1').await;
    let incident = app.incident(2).await;
    assert_eq!(incident.entry("alerts_outlasted")["text"], "1 alert began under maintenance disks, which is over: disk full");
    // Next week is laid ahead as soon as this turn is over.
    lays(app).await;
    assert_eq!(silences(app).await.iter().filter(|one| one["state"] == "pending").count(), 2);
});

story!(a_turn_that_a_person_ends_stays_ended_and_a_window_that_is_gone_ends, |app| {
    app.applies(&maintained(app.clock.now())).await;
    lays(app).await;
    app.advance("15m").await;
    app.hears(GENERIC, &says("disk full", "firing")).await;
    let active = silences(app).await.into_iter().find(|one| one["state"] == "active").expect("one is in force");
    let request = app.http.delete(format!("{}/api/v1/silences/{}", app.url, active["id"].as_str().expect("an id"))).bearer_auth(&app.token);
    crate::app::answer(request).await;
    app.phone("ana").rings().await.press('1').await;
    lays(app).await;
    assert!(silences(app).await.iter().all(|one| one["state"] != "active"), "it is not made again");
    app.applies(TEAM).await;
    lays(app).await;
    assert!(silences(app).await.iter().all(|one| one["state"] == "expired"), "the window is gone");
});
