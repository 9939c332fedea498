//! During an incident: what is noise folds away and raises nothing; what is listed afterwards.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, GENERIC, answer};
use crate::story;

async fn asks(app: &App, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = app.http.request(method, format!("{}{path}", app.url)).bearer_auth(&app.token);
    let told = answer(if body.is_null() { request } else { request.body(body.to_string()) }).await;
    app.settle().await;
    told
}

fn says(title: &str, severity: &str, state: &str) -> Value {
    json!({ "dedup_key": title, "title": title, "severity": severity, "state": state })
}

story!(noise_folds_away_raises_nothing_and_is_listed_afterwards, |app| {
    app.fires("web down").await;
    app.phone("ana").rings().await.press('1').await;
    app.fires("disk full").await;
    let body = json!({ "relevance": "noise", "matchers": ["alertname=~\"disk.*\""] });
    let (status, marked) = asks(app, Method::POST, "/api/v1/incidents/1/marks", &body).await;
    assert_eq!((status, &marked["marks"][0]["n"], &marked["marks"][0]["relevance"]), (200, &json!(1), &json!("noise")), "{marked}");
    // What joins later is noise as well, and what is worse is said and raises nothing.
    app.hears(GENERIC, &says("disk slow", "critical", "firing")).await;
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["severity"], incident.times("noise_changed"), incident.times("noise_worse")), (&json!("sev2"), 1, 1));
    assert!(incident.entry("noise_worse")["text"].as_str().unwrap_or_default().contains("worse than the incident at sev1: disk slow"));
    let ana = app.browser("ana").await;
    let page = ana.get("/incidents/1").await.text;
    assert!(page.contains("2 noise alerts hidden: show") && page.contains("1 line of noise hidden: show"), "{page}");
    assert!(!page.contains("<bdi>disk slow</bdi></p>") && page.contains("<bdi>web down</bdi></p>"), "{page}");
    assert!(ana.get("/incidents/1?noise=1").await.text.contains("<bdi>disk slow</bdi></p>"));
    app.resolves("web down").await;
    assert!(ana.get("/incidents/1").await.text.contains("All that still fires was marked as noise"));
    app.incident(1).await.is("acknowledged");
    app.command(1, "resolve").await;
    let page = ana.get("/incidents/1").await.text;
    assert!(page.contains("Marked") && page.contains("2 noise alerts hidden"), "{page}");
    assert_eq!(app.get("/api/v1/incidents/1").await["marks"][0]["about"], "alertname=~\"disk.*\"");
});

story!(a_mark_of_one_alert_is_made_and_taken_back_on_its_page, |app| {
    app.fires("web down").await;
    app.phone("ana").rings().await.press('1').await;
    app.fires("disk full").await;
    let bo = app.browser("bo").await;
    let csrf = bo.get("/incidents/1").await.csrf();
    let form = |pairs: &[(&str, &str)]| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &csrf);
        form.extend_pairs(pairs);
        form.finish()
    };
    let one = form(&[("integration", "api-scripts"), ("key", "disk full"), ("about", "disk full")]);
    assert_eq!(bo.post("/incidents/1/noise", &one).await.status, 303);
    app.settle().await;
    assert!(bo.get("/incidents/1").await.text.contains("1 noise alert hidden: show"));
    assert_eq!(app.incident(1).await.entry("relevance_marked")["text"], "Marked as noise by Bo Lind: disk full");
    assert_eq!(bo.post("/incidents/1/unmark", &form(&[("n", "1")])).await.status, 303);
    app.settle().await;
    let page = bo.get("/incidents/1").await.text;
    assert!(!page.contains("noise alert hidden") && page.contains("<bdi>disk full</bdi></p>"), "{page}");
    let (status, _) = asks(app, Method::DELETE, "/api/v1/incidents/1/marks/1", &Value::Null).await;
    assert_eq!(status, 404);
    let wrong = json!({ "relevance": "noise", "matchers": ["what"] });
    assert_eq!(asks(app, Method::POST, "/api/v1/incidents/1/marks", &wrong).await.0, 400);
    let (status, _) = asks(app, Method::POST, "/api/v1/incidents/1/marks", &json!({ "relevance": "noise", "alert": "alr_none" })).await;
    assert_eq!(status, 404);
});
