//! Facts as they happen.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use reveille::base::viewer::Scope;
use serde_json::Value;
use tower_service::Service as _;

use crate::desk::{Desk, soon};

/// A reader of the stream.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(desk: &Desk, token: &str, path: &str, last: Option<i64>) -> Self {
        let mut request = Request::get(path).header("authorization", token);
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let answer = desk.router.clone().call(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/event-stream")));
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The next event's name and data.
    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let rest = rest.to_owned();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("").trim().to_owned();
                let (name, id, data) = (field("event:"), field("id:"), field("data:"));
                self.text = rest;
                if name == "alive" {
                    continue;
                }
                let data: Value = serde_json::from_str(&data).expect("JSON");
                assert_eq!(id, data["seq"].to_string());
                return (name, data);
            }
            let frame = soon(self.body.frame()).await.expect("the stream goes on").expect("the stream is whole");
            self.text.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
        }
    }

    async fn ends(mut self) -> bool {
        soon(async {
            while let Some(frame) = self.body.frame().await {
                frame.expect("the stream is whole");
            }
        })
        .await;
        true
    }
}

#[tokio::test]
async fn a_reader_resumes_after_what_it_saw_last_and_then_follows() {
    let desk = Desk::open().await;
    let token = desk.token(Scope::Read).await;
    desk.fires("one").await;
    let timeline = desk.get("/api/v1/incidents/1/timeline", &[("authorization", &token)]).await.json();
    let seqs: Vec<i64> = timeline["items"].as_array().expect("entries").iter().filter_map(|entry| entry["seq"].as_i64()).collect();
    assert!(seqs.len() >= 3, "{timeline}");

    let mut stream = Stream::open(&desk, &token, "/api/v1/stream", Some(seqs[0])).await;
    for seq in &seqs[1..] {
        let (name, data) = stream.next().await;
        assert_eq!((name.as_str(), data["seq"].as_i64()), ("fact", Some(*seq)));
    }
    desk.fires("two").await;
    let (_, data) = stream.next().await;
    assert_eq!(
        (&data["incident"], &data["kind"]),
        (&Value::from(2), &Value::from("incident_opened")),
        "the live ones follow without a gap"
    );
    assert_eq!(data["text"], "Opened at sev2 for Public API: two");
}

#[tokio::test]
async fn a_reader_whose_place_is_unknown_starts_over() {
    let desk = Desk::open().await;
    let token = desk.token(Scope::Read).await;
    desk.fires("one").await;
    let last = desk.house.store.reader().seq_last().await.expect("it reads");
    for unknown in [last + 1_000, -3] {
        let mut stream = Stream::open(&desk, &token, "/api/v1/stream", Some(unknown)).await;
        let (name, data) = stream.next().await;
        assert_eq!((name.as_str(), data["seq"].as_i64()), ("reset", Some(last)), "{unknown}");
    }
    // It comes back with the place it was told, and misses nothing.
    let mut again = Stream::open(&desk, &token, "/api/v1/stream", Some(last)).await;
    let number = desk.fires("two").await;
    let (name, data) = again.next().await;
    assert_eq!((name.as_str(), data["incident"].as_i64()), ("fact", Some(number)));
}

#[tokio::test]
async fn an_incident_s_stream_tells_of_it_alone() {
    let desk = Desk::open().await;
    let token = desk.token(Scope::Read).await;
    desk.fires("one").await;
    desk.fires("two").await;
    let mut stream = Stream::open(&desk, &token, "/api/v1/incidents/2/stream?after=0", None).await;
    let (_, first) = stream.next().await;
    assert_eq!((&first["incident"], &first["kind"]), (&Value::from(2), &Value::from("incident_opened")));
    assert_eq!(desk.get("/api/v1/incidents/9/stream", &[("authorization", &token)]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.get("/api/v1/stream?after=x", &[("authorization", &token)]).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn streams_end_with_the_process() {
    let desk = Desk::open().await;
    let token = desk.token(Scope::Read).await;
    let stream = Stream::open(&desk, &token, "/api/v1/stream", None).await;
    desk.doors.tail.close();
    assert!(stream.ends().await);
}
