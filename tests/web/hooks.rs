//! Senders.

use axum::http::StatusCode;
use reveille::base::viewer::Scope;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::desk::{Desk, GENERIC, ROLLBAR, soon};

#[tokio::test]
async fn a_key_opens_its_own_source_only() {
    let desk = Desk::open().await;
    for path in ["/hooks/generic/nokey", "/hooks/nosource/generickey000000000000001", "/hooks/rollbar/generickey000000000000001"] {
        let answer = desk.post(path, &[], r#"{"title":"x"}"#).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let answer = desk.post(GENERIC, &[], r#"{"title":"x"}"#).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["results"][0]["outcome"], "recorded", "durable, and decided a moment later");
}

#[tokio::test]
async fn who_waits_hears_what_was_decided() {
    let desk = Desk::open().await;
    let body = json!({ "dedup_key": "disk", "title": "disk full" }).to_string();
    let answer = desk.post(GENERIC, &[("prefer", "respond-async, wait=5")], body.clone()).await;
    assert_eq!(answer.header("preference-applied"), "wait=5");
    let result = &answer.json()["results"][0];
    assert_eq!((&result["outcome"], &result["incident"]), (&json!("opened"), &json!(1)), "{result}");
    assert!(result["alert"].as_str().is_some_and(|alert| alert.starts_with("alr_")) && result["reason"].is_string());
    let again = desk.post(GENERIC, &[("prefer", "wait=99")], body).await;
    assert_eq!(again.header("preference-applied"), "wait=10", "there is a limit to waiting");
    assert_eq!(again.json()["results"][0]["outcome"], "repeated");
}

#[tokio::test]
async fn what_cannot_be_read_is_an_alert_and_no_error() {
    let desk = Desk::open().await;
    for body in ["", "{", "[1,2", "\u{0}\u{1}", "\"text\"", &"[".repeat(10_000)] {
        let answer = desk.post(ROLLBAR, &[("prefer", "wait=5")], body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        let outcome = answer.json()["results"][0]["outcome"].as_str().map(str::to_owned);
        assert!(matches!(outcome.as_deref(), Some("opened" | "repeated" | "unreadable")), "{answer:?}");
    }
    let reads = desk.token(Scope::Read).await;
    let alerts = desk.get("/api/v1/alerts?state=firing", &[("authorization", &reads)]).await.json();
    assert_eq!(alerts["items"].as_array().map(Vec::len), Some(1), "{alerts}");
    assert_eq!(alerts["items"][0]["source"], "rollbar");
}

#[tokio::test]
async fn a_person_who_opens_a_hook_is_told_what_it_is() {
    let desk = Desk::open().await;
    let answer = desk.get(GENERIC, &[]).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    assert!(answer.text.contains("Nothing is wrong"), "{}", answer.text);
}

#[tokio::test]
async fn a_callback_nobody_can_take_is_refused() {
    let desk = Desk::open().await;
    let answer = desk.post("/callbacks/voice/att_1/keys", &[], "Digits=1").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "no telephone account is configured");
}

/// Two MiB through a real connection, in each way that senders send: the sender reads the 413, and an alert tells of it.
#[tokio::test]
async fn too_large_a_body_is_refused_where_the_sender_sees_it_and_leaves_an_alert() {
    let desk = Desk::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(std::future::IntoFuture::into_future(axum::serve(listener, desk.router.clone())));
    let size = 2 << 20;
    let sized = format!("content-length: {size}\r\n\r\n");
    let expecting = format!("expect: 100-continue\r\ncontent-length: {size}\r\n\r\n");
    let chunked = "transfer-encoding: chunked\r\n\r\n".to_owned();
    for (head, is_chunked) in [(sized, false), (expecting, false), (chunked, true)] {
        let mut stream = TcpStream::connect(addr).await.expect("a connection");
        let start = format!("POST {GENERIC} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}");
        stream.write_all(start.as_bytes()).await.expect("the head leaves");
        let piece = vec![b'x'; 64 << 10];
        for _ in 0..size / piece.len() {
            if is_chunked {
                stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.expect("a chunk's size leaves");
            }
            stream.write_all(&piece).await.expect("the whole body leaves: the server reads on");
            if is_chunked {
                stream.write_all(b"\r\n").await.expect("a chunk's end leaves");
            }
        }
        if is_chunked {
            stream.write_all(b"0\r\n\r\n").await.expect("the end leaves");
        }
        let mut answer = String::new();
        soon(stream.read_to_string(&mut answer)).await.expect("the answer arrives whole");
        assert!(answer.contains("HTTP/1.1 413"), "{answer}");
    }
    let reads = desk.token(Scope::Read).await;
    let told = async {
        loop {
            let alerts = desk.get("/api/v1/alerts", &[("authorization", &reads)]).await.json();
            if alerts["items"][0]["count"] == 3 {
                return alerts;
            }
            tokio::task::yield_now().await;
        }
    };
    let alerts = soon(told).await;
    assert!(alerts["items"][0]["title"].as_str().is_some_and(|title| title.contains("over the limit")), "{alerts}");
}
