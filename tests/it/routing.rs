//! Which service an alert belongs to: the rules of the file, the integration's own service, and how people learn which it was.

use crate::app::{GENERIC, TEAM};
use crate::story;
use serde_json::json;

/// The team, a service of the databases whose alerts wake Cy, and two rules.
fn team() -> String {
    format!("{TEAM}{RULES}")
}

const RULES: &str = r#"
[[policy]]
id = "dba"
steps = [{ notify = ["user:cy"], escalate_after = "5m" }]

[[service]]
id = "database"
policy = "platform"

[[route]]
id = "db"
match = ['team="db"', 'host=~"db-.*"']
service = "database"
policy = "dba"
severity = "critical"
title = "{{ labels.host }}: {{ title }}"
labels = { tier = "{{ labels.team|upper }}", broken = "{{ title.fly() }}" }

[[route]]
id = "noise"
source = "generic"
expression = '"deprecated" in title'
record = true
"#;

story!(a_rule_takes_the_alert_to_its_service_and_pages_by_its_policy, &team(), |app| {
    let body = json!({ "title": "the disk is full", "dedup_key": "disk", "labels": { "team": "db", "host": "db-3" } });
    app.posts(GENERIC, &body).await;
    app.phone("cy").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["service"], &incident.row["severity"]), (&json!("database"), &json!("sev1")));
    assert_eq!(incident.row["title"], "db-3: the disk is full");
    let alert = &incident.alerts[0];
    assert_eq!((&alert["severity"], &alert["labels"]["tier"]), (&json!("critical"), &json!("DB")));
    assert_eq!(alert["labels"]["template_error"], "broken: there is no such method");
    let routed = incident.entry("incident_routed");
    assert_eq!(
        (&routed["text"], &routed["reason"]),
        (&json!("Routed by rule db, which pages by policy dba"), &json!("team=\"db\" and host=~\"db-.*\""))
    );
    // What no rule takes goes to the integration's own service, and joins nothing of another.
    app.fires("the queue is long").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.incident(2).await.row["service"], "api");
    let metrics = reqwest::get(format!("{}/metrics", app.url)).await.expect("it answers").text().await.expect("it is text");
    assert!(metrics.contains("reveille_routed_total{rule=\"db\"} 1"), "{metrics}");
});

story!(an_open_alert_keeps_its_service_and_a_resolve_finds_it_when_the_rules_change, &team(), |app| {
    let body = json!({ "title": "disk", "labels": { "team": "db", "host": "db-3" } });
    app.posts(GENERIC, &body).await;
    app.phone("cy").rings().await.press('1').await;
    app.applies(&team().replace("team=\"db\"", "team=\"dba\"")).await;
    assert_eq!(app.hears(GENERIC, &body).await.outcome, "repeated");
    let incident = app.incident(1).await;
    assert_eq!((incident.alerts.len(), &incident.alerts[0]["service"]), (1, &json!("database")));
    app.resolves("disk").await;
    app.settle().await;
    app.incident(1).await.is("resolved");
    assert_eq!(app.incidents().await.len(), 1);
});

story!(a_rule_that_records_wakes_nobody_and_rules_keep_their_order, &team(), |app| {
    let body = json!({ "title": "deprecated call" });
    assert_eq!(app.hears(GENERIC, &body).await.outcome, "recorded");
    assert_eq!(app.incidents().await.len(), 0);
    // The first that matches takes it.
    let both = json!({ "title": "deprecated disk", "labels": { "team": "db", "host": "db-3" } });
    app.posts(GENERIC, &both).await;
    app.phone("cy").rings().await.press('1').await;
});
