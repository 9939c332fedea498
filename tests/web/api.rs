//! What scripts read and ask for.

use axum::http::StatusCode;
use reveille::base::viewer::Scope;
use serde_json::{Value, json};

use crate::desk::Desk;

fn has(object: &Value, fields: &[&str]) {
    for field in fields {
        assert!(object.get(field).is_some(), "no {field} in {object}");
    }
}

#[tokio::test]
async fn incidents_are_listed_newest_first_in_parts() {
    let desk = Desk::open().await;
    let token = desk.token(Scope::Read).await;
    let auth = [("authorization", token.as_str())];
    for title in ["one", "two", "three"] {
        desk.fires(title).await;
    }
    let first = desk.get("/api/v1/incidents?limit=2", &auth).await.json();
    let numbers = |list: &Value| list["items"].as_array().map(|items| items.iter().map(|item| item["number"].clone()).collect::<Vec<_>>());
    assert_eq!(numbers(&first), Some(vec![json!(3), json!(2)]));
    has(
        &first["items"][0],
        &["number", "title", "state", "severity", "service", "opened_at", "acknowledged_at", "resolved_at", "lead", "alerts_count", "kind"],
    );
    assert_eq!(first["items"][0]["opened_at"], "2026-01-07T02:00:00.000Z");
    let next = first["next"].as_str().expect("more");
    let second = desk.get(&format!("/api/v1/incidents?limit=2&cursor={next}"), &auth).await.json();
    assert_eq!((numbers(&second), &second["next"]), (Some(vec![json!(1)]), &Value::Null));
    assert_eq!(numbers(&desk.get("/api/v1/incidents?state=resolved", &auth).await.json()), Some(Vec::new()));
    assert_eq!(numbers(&desk.get("/api/v1/incidents?service=other", &auth).await.json()), Some(Vec::new()));
    for bad in ["state=broken", "limit=0", "limit=9999", "limit=x", "cursor=%21"] {
        let answer = desk.get(&format!("/api/v1/incidents?{bad}"), &auth).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{bad}");
    }
}

#[tokio::test]
async fn commands_answer_with_the_incident() {
    let desk = Desk::open().await;
    let number = desk.fires("db down").await;
    let token = desk.token(Scope::Respond).await;
    let auth = [("authorization", token.as_str())];
    let path = format!("/api/v1/incidents/{number}");
    for (command, state) in [
        ("acknowledge", "acknowledged"),
        ("acknowledge", "acknowledged"),
        ("escalate", "triggered"),
        ("resolve", "resolved"),
        ("reopen", "triggered"),
    ] {
        let answer = desk.post(&format!("{path}/{command}"), &auth, "{}").await;
        assert_eq!((answer.status, &answer.json()["state"]), (StatusCode::OK, &json!(state)), "{command}: {answer:?}");
    }
    assert_eq!(desk.post(&format!("{path}/acknowledge"), &auth, "[1]").await.status, StatusCode::BAD_REQUEST);
    for missing in ["/api/v1/incidents/99/acknowledge", "/api/v1/incidents/x/acknowledge"] {
        assert_eq!(desk.post(missing, &auth, "").await.status, StatusCode::NOT_FOUND, "{missing}");
    }

    let timeline = desk.get(&format!("{path}/timeline"), &auth).await.json();
    let entries = timeline["items"].as_array().expect("entries");
    has(&entries[0], &["seq", "at", "kind", "actor", "text"]);
    assert_eq!(entries[0]["kind"], "incident_opened");
    assert_eq!(entries[0]["text"], "Opened at sev2 for Public API: db down");
    let acknowledged = entries.iter().find(|entry| entry["kind"] == "incident_acknowledged").expect("it was");
    assert_eq!((&acknowledged["actor"], &acknowledged["actor_name"]), (&json!("token:respond"), &json!("token respond")));

    let pages = desk.get(&format!("{path}/pages"), &auth).await.json();
    has(&pages["items"][0], &["id", "user", "channel", "state", "created_at", "attempts"]);
    let states: Vec<&Value> = pages["items"].as_array().expect("pages").iter().map(|page| &page["state"]).collect();
    assert!(states.contains(&&json!("ended")), "the first acknowledgement ended hers: {states:?}");
    assert!(!states.contains(&&json!("acknowledged")), "somebody else acknowledged, no answer of hers: {states:?}");
    let alerts = desk.get(&format!("{path}/alerts"), &auth).await.json();
    has(&alerts["items"][0], &["id", "dedup_key", "title", "severity", "state", "count", "first_at", "last_at", "source"]);
}

#[tokio::test]
async fn why_gives_the_facts_with_their_reasons() {
    let desk = Desk::open().await;
    let number = desk.fires("db down").await;
    let token = desk.token(Scope::Read).await;
    let auth = [("authorization", token.as_str())];
    let why = desk.get(&format!("/api/v1/why/{number}"), &auth).await.json();
    assert_eq!(why["incident"]["number"], number);
    assert!(why["now"].as_str().is_some_and(|now| now.contains("Ana Ruiz")), "{why}");
    assert!(why["items"].as_array().is_some_and(|items| items.iter().any(|item| item["reason"] == "the incident opened")), "{why}");
    let pages = desk.get(&format!("/api/v1/incidents/{number}/pages"), &auth).await.json();
    let page = pages["items"][0]["id"].as_str().expect("a page");
    let why = desk.get(&format!("/api/v1/why/{page}"), &auth).await.json();
    assert_eq!((&why["page"]["user"], &why["incident"]["number"]), (&json!("ana"), &json!(number)));
    assert_eq!(desk.get("/api/v1/why/pag_none", &auth).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_is_on_call_and_nothing_is_frozen() {
    let desk = Desk::open().await;
    let token = desk.token(Scope::Read).await;
    let auth = [("authorization", token.as_str())];
    let now = desk.get("/api/v1/oncall", &auth).await.json();
    assert_eq!(
        now["items"][0],
        json!({ "schedule": "platform", "users": ["bo"], "from": "2026-01-06T09:00:00.000Z", "until": "2026-01-07T09:00:00.000Z" })
    );
    let before = desk.get("/api/v1/oncall?at=2026-01-01T00:00:00Z", &auth).await.json();
    assert_eq!(before["items"][0]["users"], json!([]));
    assert_eq!(desk.get("/api/v1/oncall?at=noon", &auth).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(desk.get("/api/v1/freeze", &auth).await.json(), json!({ "frozen": false }));
}

#[tokio::test]
async fn the_api_has_a_page_for_people_that_names_every_verb() {
    let desk = Desk::open().await;
    let page = desk.get("/api", &[]).await;
    assert_eq!(page.status, StatusCode::OK, "like its document it is open to everybody");
    for (method, path, _) in reveille::web::routes().filter(|(_, path, _)| path.starts_with("/api/v1/")) {
        assert!(page.text.contains(&format!("<span class=\"method {method}\">{method}</span> <code>{path}</code>")), "{method} {path}");
    }
    assert!(page.text.contains("export REVEILLE_URL=http://127.0.0.1:8080") && page.text.contains("A token of scope respond or admin."));
    let foot = desk.get("/sign-in", &[]).await.text;
    assert!(foot.contains("<a href=\"/api\">API</a>"), "{foot}");
}
