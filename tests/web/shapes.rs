//! The shapes of refusals and of lists: programs are told in problem documents, and every list is asked for in the same way.

use axum::http::{Method, StatusCode};
use reveille::base::viewer::Scope;
use serde_json::{Value, json};

use crate::desk::{Answer, Desk, GENERIC};

fn is_problem(answer: &Answer, status: StatusCode, words: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["type"]), (&json!(status.as_u16()), &json!("about:blank")));
    let detail = problem["detail"].as_str().unwrap_or("").to_owned();
    assert!(detail.contains(words), "{words:?} is not in: {detail}");
}

#[tokio::test]
async fn a_program_that_lost_its_way_reads_a_problem_and_a_person_a_page() {
    let desk = Desk::open().await;
    for path in ["/api/v1/nothing", "/api/", "/hooks/generic", "/heartbeats/", "/callbacks/", "/slack/nothing", "/v2/nothing", "/generic/x"]
    {
        is_problem(&desk.get(path, &[]).await, StatusCode::NOT_FOUND, "There is no such path");
    }
    for (method, path, allow) in [
        (Method::DELETE, "/api/v1/incidents", "GET,HEAD,POST"),
        (Method::OPTIONS, "/api/v1/incidents/1", "GET,HEAD"),
        (Method::PUT, GENERIC, "GET,HEAD,OPTIONS,POST"),
        (Method::GET, "/v2/enqueue", "POST"),
        (Method::DELETE, "/heartbeats/x", "GET,HEAD,POST"),
        (Method::GET, "/callbacks/voice", "POST"),
        (Method::GET, "/slack/commands", "POST"),
        (Method::POST, "/metrics", "GET,HEAD"),
    ] {
        let answer = desk.send(method, path, &[], "").await;
        is_problem(&answer, StatusCode::METHOD_NOT_ALLOWED, "take");
        let mut allowed: Vec<&str> = answer.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(","), allow, "{path}");
    }
    for path in ["/nothing", "/incidents/1/nothing/more"] {
        let page = desk.get(path, &[]).await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::NOT_FOUND, "text/html; charset=utf-8"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_apart_from_none() {
    let desk = Desk::open().await;
    is_problem(&desk.get("/api/v1/incidents", &[]).await, StatusCode::UNAUTHORIZED, "send a token");
    let wrong = desk.get("/api/v1/incidents", &[("authorization", "Bearer rev_guessed")]).await;
    is_problem(&wrong, StatusCode::UNAUTHORIZED, "token create");
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_told_by_field_and_never_in_our_own_words() {
    let desk = Desk::open().await;
    desk.fires("db down").await;
    let token = desk.token(Scope::Respond).await;
    for (body, words) in [
        ("{bad", "not JSON (line 1, column 2)"),
        ("null", "not an object"),
        ("[]", "not an object"),
        ("\"x\"", "not an object"),
        ("{}", "missing field `text`"),
        (r#"{"text": 5}"#, "text: invalid type: integer `5`, expected a string"),
        (r#"{"text": "x", "att": 1}"#, "unknown field `att`, expected `text` or `at`"),
    ] {
        let answer = desk.post("/api/v1/incidents/1/note", &[("authorization", &token)], body).await;
        is_problem(&answer, StatusCode::BAD_REQUEST, words);
        assert!(!answer.text.contains("struct") && !answer.text.contains("AddNote"), "{answer:?}");
    }
    let snoozed = desk.post("/api/v1/incidents/1/snooze", &[("authorization", &token)], r#"{"for": "30d"}"#).await;
    is_problem(&snoozed, StatusCode::BAD_REQUEST, "seven days");
    let large = desk.post("/api/v1/incidents", &[("authorization", &token)], "x".repeat(70_000)).await;
    is_problem(&large, StatusCode::PAYLOAD_TOO_LARGE, "65536 bytes");
    assert_eq!(desk.incident(1).await["state"], "triggered");
}

#[tokio::test]
async fn short_lists_are_read_in_parts_like_long_ones() {
    let desk = Desk::open().await;
    desk.fires("db down").await;
    let token = desk.token(Scope::Respond).await;
    let with = [("authorization", token.as_str())];
    for n in 0..5 {
        let task = desk.post("/api/v1/incidents/1/tasks", &with, json!({ "title": format!("task {n}") }).to_string()).await;
        assert_eq!(task.status, StatusCode::CREATED, "{task:?}");
        let body = json!({ "user": "ana", "from": format!("2026-01-1{n}T02:00:00Z"), "for": "1h" }).to_string();
        let made = desk.post("/api/v1/schedules/platform/overrides", &with, body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    }
    for list in ["/api/v1/incidents/1/tasks", "/api/v1/overrides", "/api/v1/schedules/platform/overrides"] {
        let whole = desk.get(list, &with).await.json();
        let (mut read, mut cursor, mut parts) = (Vec::new(), String::new(), 0);
        loop {
            let part = desk.get(&format!("{list}?limit=2&cursor={cursor}"), &with).await.json();
            read.extend(part["items"].as_array().expect("items").clone());
            parts += 1;
            match part["next"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!((parts, &Value::Array(read), &whole["next"]), (3, &whole["items"], &Value::Null), "{list}");
    }
    for list in [
        "incidents",
        "alerts",
        "oncall",
        "overrides",
        "incidents/1/tasks",
        "incidents/1/pages",
        "incidents/1/alerts",
        "incidents/1/timeline",
    ] {
        for limit in ["0", "1001", "many"] {
            is_problem(&desk.get(&format!("/api/v1/{list}?limit={limit}"), &with).await, StatusCode::BAD_REQUEST, "from 1 to 1000");
        }
        if list != "oncall" {
            is_problem(&desk.get(&format!("/api/v1/{list}?cursor=guessed"), &with).await, StatusCode::BAD_REQUEST, "cursor");
        }
    }
}
