//! Inhibition: while an alert fires, what it explains pages nobody; and when it is over, what still fires pages.

use reqwest::Method;
use reveille::flows::audit::audit;
use reveille::flows::maintenance::{Laid, lay};
use serde_json::{Value, json};

use crate::app::{App, GENERIC, SHOP, TEAM, answer};
use crate::story;

const METRICS_KEY: &str = "metricskey0000000000000001";
const METRICS: &str = "/api/v2/alerts";

/// The team: a host that is down explains what is slow on it, whichever service that is of.
fn explained() -> String {
    format!(
        "{TEAM}\n[[integration]]\nid = \"metrics\"\nsource = \"alertmanager_api\"\nservice = \"api\"\nkey = \"{METRICS_KEY}\"\n\
         [[inhibition]]\nid = \"hosts\"\nwhen = ['kind=\"host\"']\nmute = ['kind=~\"service|disk\"']\nequal = [\"host\"]\n"
    )
}

fn says(title: &str, kind: &str, state: &str) -> Value {
    let labels = json!({ "kind": kind, "host": "db-1" });
    json!({ "dedup_key": title, "title": title, "severity": "error", "state": state, "labels": labels })
}

async fn asks(app: &App, method: Method, path: &str, secret: &str, body: &Value) -> (u16, Value) {
    let request = app.http.request(method, format!("{}{path}", app.url)).bearer_auth(secret);
    let told = answer(if body.is_null() { request } else { request.body(body.to_string()) }).await;
    app.settle().await;
    told
}

/// What the audit finds wrong: nothing may be held back for ever.
async fn found(app: &App) -> usize {
    let found = audit(app.house()).await.expect("the audit is made");
    app.settle().await;
    found
}

async fn metrics(app: &App) -> String {
    reqwest::get(format!("{}/metrics", app.url)).await.expect("it answers").text().await.expect("it is text")
}

story!(what_another_explains_calls_nobody_and_pages_when_that_is_over, &explained(), |app| {
    app.hears(GENERIC, &says("db-1 is down", "host", "firing")).await;
    app.phone("ana").rings().await.press('1').await;
    let heard = app.hears(SHOP, &says("shop is slow", "service", "firing")).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("suppressed", None));
    assert_eq!(heard.reason, "another alert that fires explains it");
    assert!(metrics(app).await.contains("reveille_held_total{reason=\"inhibition\"} 1"));
    let ana = app.browser("ana").await;
    assert!(ana.get("/alerts").await.text.contains("inhibited by"), "{}", ana.get("/alerts").await.text);
    let rules = ana.get("/silences").await.text;
    assert!(rules.contains("hosts") && rules.contains("db-1 is down"), "{rules}");
    app.advance("20m").await;
    assert_eq!((app.incidents().await.len(), found(app).await), (1, 0));
    app.hears(GENERIC, &says("db-1 is down", "host", "resolved")).await;
    app.phone("ana").rings().await.press('1').await;
    let opened = app.incident(2).await;
    opened.is_acknowledged_by("ana");
    assert_eq!(opened.alerts[0]["title"], "shop is slow");
    assert_eq!(found(app).await, 0);
});

story!(a_cause_that_comes_after_ends_the_call_and_its_resolution_by_hand_pages_again, &explained(), |app| {
    app.hears(SHOP, &says("shop is slow", "service", "firing")).await;
    let ana = app.phone("ana").rings().await.ignore();
    app.hears(GENERIC, &says("db-1 is down", "host", "firing")).await;
    ana.has_ended();
    let incident = app.incident(1).await;
    incident.is("triggered");
    assert_eq!(incident.entry("incident_inhibited")["text"], "All that still fires is inhibited by db-1 is down: nobody is paged");
    let token = app.token.clone();
    let (_, alerts) = asks(app, Method::GET, METRICS, &token, &Value::Null).await;
    let of = |name: &str| alerts.as_array().into_iter().flatten().find(|one| one["labels"]["alertname"] == name).expect("it holds").clone();
    let (slow, down) = (of("shop is slow"), of("db-1 is down"));
    assert_eq!(slow["status"]["inhibitedBy"], json!([down["fingerprint"]]), "{alerts}");
    assert_eq!((&slow["status"]["state"], &down["status"]["state"]), (&json!("suppressed"), &json!("active")));
    let (_, left) = asks(app, Method::GET, "/api/v2/alerts?inhibited=false", &token, &Value::Null).await;
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    app.phone("ana").rings_after("3m").await.press('1').await;
    app.advance("10m").await;
    assert_eq!(app.incident(1).await.times("policy_started"), 1, "nobody is called while it is explained");
    app.command(2, "resolve").await;
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((incident.times("alerts_uninhibited"), app.incidents().await.len()), (1, 2));
    assert_eq!(incident.entry("policy_started")["reason"], "what explained it fires no more");
});

story!(of_one_batch_the_cause_is_decided_first_whatever_its_place, &explained(), |app| {
    let alert = |name: &str, kind: &str| json!({ "labels": { "alertname": name, "kind": kind, "host": "db-1" } });
    let batch = json!([alert("ShopSlow", "service"), alert("DiskFull", "disk"), alert("HostDown", "host"), alert("ApiSlow", "service")]);
    let (status, told) = asks(app, Method::POST, METRICS, METRICS_KEY, &batch).await;
    assert_eq!(status, 200, "{told}");
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((app.incidents().await.len(), incident.alerts.len()), (1, 1), "{:?}", incident.alerts);
    assert_eq!(incident.alerts[0]["title"], "HostDown");
    assert!(metrics(app).await.contains("reveille_held_total{reason=\"inhibition\"} 3"));
});

story!(what_is_held_back_is_told_of_also_where_the_server_was_away, &explained(), |app| {
    app.hears(GENERIC, &says("db-1 is down", "host", "firing")).await;
    app.phone("ana").rings().await.press('1').await;
    app.hears(SHOP, &says("shop is slow", "service", "firing")).await;
    app.goes_down().await;
    app.comes_back().await;
    app.settle().await;
    assert_eq!((app.incidents().await.len(), found(app).await), (1, 0));
    app.hears(GENERIC, &says("db-1 is down", "host", "resolved")).await;
    app.phone("ana").rings_after("3m").await.press('1').await;
    assert_eq!(app.incident(2).await.alerts[0]["title"], "shop is slow");
});

story!(rules_that_come_and_go_hold_for_what_fires_already, |app| {
    app.hears(GENERIC, &says("db-1 is down", "host", "firing")).await;
    app.hears(SHOP, &says("shop is slow", "service", "firing")).await;
    app.everyone_takes_notice();
    app.command(1, "acknowledge").await;
    app.command(2, "acknowledge").await;
    let lays = async |app: &App| {
        lay(app.house(), &mut Laid::default()).await.expect("the rules are minded");
        app.settle().await;
    };
    app.applies(&explained()).await;
    lays(app).await;
    assert_eq!(app.incident(2).await.alerts[0]["state"], "suppressed");
    app.applies(TEAM).await;
    lays(app).await;
    assert_eq!(app.incident(2).await.alerts[0]["state"], "firing");
    assert_eq!(found(app).await, 0);
    app.everyone_takes_notice();
    app.command(2, "acknowledge").await;
});

story!(what_would_be_inhibited_is_told_when_a_body_is_tried, &explained(), |app| {
    app.hears(GENERIC, &says("db-1 is down", "host", "firing")).await;
    app.phone("ana").rings().await.press('1').await;
    let body = json!({ "integration": "shop-scripts", "body": says("shop is slow", "service", "firing").to_string() });
    let token = app.token.clone();
    let (status, tried) = asks(app, Method::POST, "/api/v1/route", &token, &body).await;
    assert_eq!(status, 200, "{tried}");
    let signal = &tried["signals"][0];
    assert_eq!((&signal["outcome"], &signal["reason"]), (&json!("suppressed"), &json!("another alert that fires explains it")));
    assert_eq!(signal["held_by"], "inhibited by db-1 is down (rule hosts)", "{signal}");
});
