//! Alerts of one service, told apart by what they have in common.

use serde_json::{Value, json};

use crate::app::{App, GENERIC, Heard, TEAM, answer};
use crate::story;

/// The API's alerts are grouped by this.
fn by(by: &str) -> String {
    let api = "[[service]]\nid = \"api\"\n";
    assert!(TEAM.contains(api), "the team has an API");
    TEAM.replace(api, &format!("{api}group = {{ by = {by} }}\n"))
}

async fn on_host(app: &App, title: &str, host: &str) -> Heard {
    app.hears(GENERIC, &json!({"title": title, "severity": "error", "labels": {"host": host}})).await
}

story!(the_order_in_which_hosts_fell_stands_on_their_incident, |app| {
    for (host, wait) in [("web-3", "2s"), ("web-1", "1s"), ("db-1", "5s"), ("web-3", "1s")] {
        on_host(app, &format!("{host} is down {wait}"), host).await;
        app.advance(wait).await;
    }
    assert_eq!(app.incidents().await.len(), 1);
    let page = app.browser("ana").await.get("/incidents/1").await.text;
    let fell = page.split("In the order they fell").nth(1).expect("it has a part of its own");
    let places = ["web-3", "web-1", "db-1"].map(|host| fell.find(host).unwrap_or_else(|| panic!("{host} is not there")));
    assert!(places.is_sorted(), "{places:?}");
    app.everyone_takes_notice();
});

story!(each_host_has_an_incident_of_its_own, &by("[\"host\"]"), |app| {
    for (title, host, outcome, incident) in [
        ("disk full", "web-1", "opened", 1),
        ("load high", "web-1", "folded", 1),
        ("disk full on two", "web-2", "opened", 2),
        ("load high on two", "web-2", "folded", 2),
        ("load high on one again", "web-1", "folded", 1),
    ] {
        let heard = on_host(app, title, host).await;
        assert_eq!((heard.outcome.as_str(), heard.incident), (outcome, Some(incident)), "{title}: {}", heard.reason);
        if outcome == "folded" {
            assert!(heard.reason.contains("in common"), "{}", heard.reason);
        }
    }
    let heard = app.hears(GENERIC, &json!({"title": "nobody knows where", "severity": "error"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("opened", Some(3)));
    assert_eq!(app.get("/api/v1/incidents/2").await["group"], "host = web-2");
    assert_eq!(app.get("/api/v1/incidents/3").await["group"], Value::Null);
    let page = app.browser("ana").await.get("/incidents/1").await.text;
    assert!(page.contains("host = web-1"), "the page says the group");
    let why = app.get("/api/v1/why/2").await.to_string();
    assert!(why.contains("alerts with the same host = web-2 join it"), "{why}");
    app.everyone_takes_notice();
});

const PLACE: &str = "\"{{ labels.region }}-{{ labels.app | default('none') }}\"";

story!(an_expression_tells_alerts_apart_and_one_that_fails_loses_none, &by(PLACE), |app| {
    let fires = |title: &str, labels: Value| json!({"title": title, "severity": "error", "labels": labels});
    for (title, labels, incident) in [
        ("a", json!({"region": "eu", "app": "shop"}), 1),
        ("b", json!({"region": "eu"}), 2),
        ("c", json!({"region": "eu", "app": "shop"}), 1),
        ("d", json!({"region": "us", "app": "shop"}), 3),
    ] {
        assert_eq!(app.hears(GENERIC, &fires(title, labels)).await.incident, Some(incident), "{title}");
    }
    // What it now asks for cannot be done with what is sent: these are the group of none.
    app.applies(&by("\"{{ labels.region.fly() }}\"")).await;
    assert_eq!(app.hears(GENERIC, &fires("e", json!({"region": "eu"}))).await.incident, Some(4));
    assert_eq!(app.hears(GENERIC, &fires("f", json!({"region": "us"}))).await.incident, Some(4));
    assert_eq!(app.is_accounted_for().await, 6);
    app.everyone_takes_notice();
});

story!(many_groups_of_one_body_open_at_once_and_the_next_body_finds_them, &by("[\"host\"]"), |app| {
    let body = |round: i64| -> Vec<Value> {
        (0..7)
            .map(|n| json!({"title": format!("check {round} on {n}"), "severity": "warning", "labels": {"host": format!("web-{n}")}}))
            .collect()
    };
    for round in 0..3 {
        app.posts(GENERIC, &json!(body(round))).await;
        app.advance("1m").await;
    }
    let incidents = app.incidents().await;
    assert_eq!(incidents.len(), 7);
    assert!(incidents.iter().all(|incident| incident["alerts_count"] == 3), "{incidents:#?}");
    // Tried, and not sent: the same group, and nothing is stored.
    let tried = json!({"integration": "api-scripts", "body": json!({"title": "new", "labels": {"host": "web-3"}}).to_string()});
    let post = app.http.post(format!("{}/api/v1/route", app.url)).bearer_auth(&app.token).body(tried.to_string());
    let (status, answer) = answer(post.header("content-type", "application/json")).await;
    assert_eq!((status, &answer["signals"][0]["group"], &answer["signals"][0]["outcome"]), (200, &json!("host = web-3"), &json!("folded")));
    app.everyone_takes_notice();
});
