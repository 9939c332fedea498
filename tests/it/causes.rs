//! Services that depend on others: what fails because of a cause wakes nobody beside the cause's own people.

use serde_json::json;

use crate::app::{GENERIC, SHOP, TEAM};
use crate::story;

/// The shop depends on the API.
fn with_a_cause() -> String {
    let shop = "[[service]]\nid = \"shop\"\n";
    assert!(TEAM.contains(shop), "the team has a shop");
    TEAM.replace(shop, &format!("{shop}depends_on = [\"api\"]\n"))
}

story!(the_symptoms_of_a_cause_join_its_incident_and_wake_nobody_else, |app| {
    app.applies(&with_a_cause()).await;
    app.fires("the database is down").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("1m").await;
    let heard = app.hears(SHOP, &json!({"title": "checkout fails", "severity": "error"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("folded", Some(1)));
    assert!(heard.reason.contains("depends on"), "{}", heard.reason);
    app.hears(SHOP, &json!({"title": "cart fails", "severity": "error"})).await;

    let incident = app.incident(1).await;
    assert_eq!((incident.alerts.len(), incident.times("service_involved")), (3, 1));
    assert_eq!(incident.entry("service_involved")["text"], "Shop is affected as well");
    let found = app.get("/api/v1/incidents?service=shop").await;
    assert_eq!((&found["items"][0]["service"], &found["items"][0]["also_services"]), (&json!("api"), &json!(["shop"])));
    assert!(app.browser("ana").await.get("/incidents/1").await.text.contains("also Shop"));
    assert_eq!(app.phone("ana").calls(), 1, "nobody was woken for a symptom");

    // The cause is over before its symptoms are, and the incident is over with the last of them.
    app.resolves("the database is down").await;
    app.incident(1).await.is("acknowledged");
    for title in ["checkout fails", "cart fails"] {
        app.hears(SHOP, &json!({"title": title, "state": "resolved"})).await;
    }
    app.incident(1).await.is("resolved");
});

story!(a_symptom_that_is_worse_than_its_cause_pages, |app| {
    app.applies(&with_a_cause()).await;
    app.hears(GENERIC, &json!({"title": "replication lags", "severity": "warning"})).await;
    app.hears(SHOP, &json!({"title": "nobody can pay", "severity": "critical"})).await;
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    assert_eq!(app.incidents().await.len(), 1);
});
