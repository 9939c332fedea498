//! The doors: what is refused, what is not, and what is never lost.

use std::time::Duration;

use reqwest::Method;
use reveille::base::viewer::Scope;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{App, GENERIC, On, ROLLBAR, SHOP, TEAM};
use crate::story;

/// Everything an HTTP client of the simplest kind sees: it writes all it has, and then reads.
async fn raw(app: &App, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(request).await.expect("all of it is written");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    read.expect("the connection is closed in time").expect("the answer is read whole");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(hook: &str, headers: &str) -> Vec<u8> {
    format!("POST {hook} HTTP/1.1\r\nHost: reveille\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

story!(keys_open_their_own_door_alone, |app| {
    let body = json!({"title": "x"}).to_string();
    assert_eq!(app.sends("/hooks/generic/nobodyskey000000000000001", body.clone()).await.0, 404);
    assert_eq!(app.sends("/hooks/nothing/generickey0000000000000001", body.clone()).await.0, 404);
    // The key is right, the source is another's.
    let (status, told) = app.sends("/hooks/generic/rollbarkey0000000000000001", body).await;
    assert_eq!(status, 404);
    assert!(told["detail"].as_str().expect("a sentence").contains("the source rollbar: post to /hooks/rollbar/"), "{told}");
    assert!(app.incidents().await.is_empty());
    assert_eq!(app.is_accounted_for().await, 0);
});

story!(a_forged_callback_changes_nothing, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    let before = app.incident(1).await;
    let attempt = before.pages[0]["attempts"][0]["id"].as_str().expect("an id").to_owned();
    let form = format!("CallSid={}&CallStatus=in-progress&Digits=1", ana.sid);
    for what in ["keys", "status"] {
        for signature in ["", "bm90IHRoZSBzaWduYXR1cmUgYXQgYWxs"] {
            let url = format!("{}/callbacks/voice/{attempt}/{what}", app.url);
            let sent = app.http.post(url).header("x-twilio-signature", signature).body(form.clone()).send().await.expect("an answer");
            assert_eq!(sent.status().as_u16(), 401);
        }
    }
    app.settle().await;
    let after = app.incident(1).await;
    after.is("triggered");
    assert_eq!(after.timeline, before.timeline);
    assert_eq!(app.sends("/callbacks/pigeon/x/keys", "").await.0, 404);
    app.resolves("the disk is full").await;
});

story!(a_body_too_large_is_refused_so_that_the_sender_sees_it, |app| {
    let body = vec![b'x'; 2 << 20];
    let mut plain = post(GENERIC, &format!("Content-Length: {}\r\n", body.len()));
    plain.extend_from_slice(&body);
    let mut chunked = post(GENERIC, "Transfer-Encoding: chunked\r\n");
    for piece in body.chunks(64 << 10) {
        chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        chunked.extend_from_slice(piece);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut expecting = post(GENERIC, &format!("Expect: 100-continue\r\nContent-Length: {}\r\n", body.len()));
    expecting.extend_from_slice(&body);
    for request in [plain, chunked, expecting] {
        let answer = raw(app, &request).await;
        let last = answer.rsplit("HTTP/1.1 ").next().expect("an answer");
        assert!(last.starts_with("413 "), "{answer}");
    }
    // It is told as an alert too, one for all three, and the next body that can be read ends it.
    let ana = app.phone("ana").rings().await.ignore();
    let incident = app.incident(1).await;
    assert!(incident.row["title"].as_str().expect("a title").contains("over the limit"), "{}", incident.row);
    assert_eq!((incident.alerts.len(), &incident.alerts[0]["count"]), (1, &json!(3)));
    app.hears(GENERIC, &json!({"title": "over", "state": "resolved"})).await;
    ana.has_ended();
    app.incident(1).await.is("resolved");
});

story!(what_cannot_be_read_becomes_an_alert, |app| {
    let deep = "[".repeat(1_000);
    let bodies: [&[u8]; 6] = [b"{\"title\": ", b"", b"\xff\xfe{", deep.as_bytes(), b"null", b"{\"severity\":\"error\"}"];
    for (n, body) in bodies.into_iter().enumerate() {
        for hook in [GENERIC, ROLLBAR] {
            let (status, told) = app.sends(hook, body.to_vec()).await;
            assert_eq!(status, 202, "{n} {told}");
            assert_eq!(told["results"].as_array().map(Vec::len), Some(1), "{n} {told}");
        }
        app.settle().await;
    }
    app.phone("ana").rings().await.press('1').await;
    let alerts = app.incident(1).await.alerts;
    // One for each integration; both are of one service, and so of one incident.
    assert_eq!(alerts.len(), 2);
    for alert in &alerts {
        assert_eq!((&alert["count"], &alert["state"]), (&json!(6), &json!("firing")), "{alert}");
        assert!(alert["title"].as_str().expect("a title").contains("cannot be read"), "{alert}");
    }
    app.hears(GENERIC, &json!({"title": "fine", "state": "resolved"})).await;
    app.incident(1).await.is("acknowledged");
    let body: Value = serde_json::from_str(include_str!("../fixtures/sources/rollbar/test.json")).expect("JSON");
    assert_eq!(app.hears(ROLLBAR, &body).await.outcome, "ignored");
    app.incident(1).await.is("resolved");
    assert_eq!(app.is_accounted_for().await, 14);
});

story!(no_body_of_a_stranger_makes_a_5xx, |app| {
    // What opens and ends as they come joins this one, which is answered.
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    let strange: Vec<Vec<u8>> = vec![
        b"\0".to_vec(),
        b"{\"title\":\"\\u0000\"}".to_vec(),
        b"{\"title\":\"a\",\"dedup_key\":\"\\u0000\"}".to_vec(),
        b"{\"title\":\"a\",\"labels\":{\"\\u0000\":\"\\u0000\"}}".to_vec(),
        b"{\"title\":\"\\ud800\"}".to_vec(),
        json!({"title": "x".repeat(1 << 19)}).to_string().into_bytes(),
        json!({"dedup_key": "k".repeat(1 << 19)}).to_string().into_bytes(),
        json!({"title": "a", "at": "9999-99-99T99:99:99Z", "url": "javascript:alert(1)", "severity": 7}).to_string().into_bytes(),
        json!({"title": "a", "at": "0000-01-01T00:00:00Z"}).to_string().into_bytes(),
        json!({"title": "<script>alert(1)</script> & \"quotes\" ]]>"}).to_string().into_bytes(),
        b"[1,2,3]".to_vec(),
        b"1e999999".to_vec(),
    ];
    for body in &strange {
        for hook in [GENERIC, ROLLBAR] {
            assert_eq!(app.sends(hook, body.clone()).await.0, 202, "{}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        }
    }
    app.settle().await;
    app.incident(1).await.is("acknowledged");
    let accepted = i64::try_from(1 + strange.len() * 2).expect("few");
    // A list of three that are no alerts is one message that cannot be read.
    assert_eq!(app.is_accounted_for().await, accepted);
});

story!(a_sender_that_prefers_to_wait_hears_the_decision, |app| {
    let told = app.posts(GENERIC, &json!({"title": "the disk is full"})).await;
    assert_eq!(told["results"][0]["outcome"], "recorded");
    app.phone("ana").rings().await.press('1').await;
    let heard = app.hears(GENERIC, &json!({"title": "the disk is full"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("repeated", Some(1)));
    assert_eq!(heard.alert.as_deref(), app.incident(1).await.alerts[0]["id"].as_str());
    let heard = app.hears(GENERIC, &json!({"title": "another"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("folded", Some(1)));
    let heard = app.hears(GENERIC, &json!({"title": "only told", "severity": "info"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("recorded", None));
    assert!(heard.alert.is_some());
    let heard = app.hears(SHOP, &json!({"title": "never fired", "state": "resolved"})).await;
    assert_eq!((heard.outcome.as_str(), heard.alert, heard.incident), ("ignored", None, None));
});

story!(a_batch_is_answered_one_by_one, |app| {
    let batch = json!([{"title": "a"}, {"title": "b"}, {"title": "a"}, {"severity": "error"}]);
    let sent = app.http.post(format!("{}{GENERIC}", app.url)).header("prefer", "wait=5").body(batch.to_string()).send().await;
    let told: Value = sent.expect("an answer").json().await.expect("JSON");
    let outcomes: Vec<&str> = told["results"].as_array().expect("a list").iter().filter_map(|one| one["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["opened", "folded", "repeated", "unreadable"]);
    app.phone("ana").rings().await.press('1').await;
});

story!(what_cannot_be_stored_is_refused_and_nothing_is_lost, |app| {
    // Where the journal has files of its own, the first cannot be made: something else has its name.
    let file = app.house().store.file().map(|database| format!("{}.journal-1", database.display()));
    match &file {
        Some(file) => std::fs::create_dir(file).expect("a folder"),
        None => app.sql("ALTER TABLE journal RENAME TO journal_elsewhere").await,
    }
    let post = app.http.post(format!("{}{GENERIC}", app.url)).body(json!({"title": "another"}).to_string());
    let answer = post.send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let told: Value = answer.json().await.expect("a problem");
    assert!(!told["detail"].as_str().expect("a sentence").contains("journal"), "{told}");
    match &file {
        Some(file) => std::fs::remove_dir(file).expect("it was there"),
        None => app.sql("ALTER TABLE journal_elsewhere RENAME TO journal").await,
    }
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.incident(1).await.row["alerts_count"], 1);
    let heard = app.hears(GENERIC, &json!({"title": "another"})).await;
    assert_eq!(heard.outcome, "folded");
    assert_eq!(app.is_accounted_for().await, 2);
});

story!(tokens_do_what_their_scope_says, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    let acknowledge = "/api/v1/incidents/1/acknowledge";
    assert_eq!(app.asks(Method::POST, acknowledge, None).await.0, 401);
    assert_eq!(app.asks(Method::GET, "/api/v1/incidents", None).await.0, 401);
    assert_eq!(app.asks(Method::GET, "/api/v1/incidents", Some("rev_guessed")).await.0, 401);
    let reader = app.token_of("reader", Scope::Read).await;
    assert_eq!(app.asks(Method::GET, "/api/v1/incidents/1", Some(&reader)).await.0, 200);
    let (status, told) = app.asks(Method::POST, acknowledge, Some(&reader)).await;
    assert_eq!(status, 403);
    assert!(told["detail"].as_str().expect("a sentence").contains("--scope respond"), "{told}");
    ana.goes_on();
    app.incident(1).await.is("triggered");
    let responder = app.token_of("responder", Scope::Respond).await;
    assert_eq!(app.asks(Method::POST, acknowledge, Some(&responder)).await.0, 200);
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("token:responder");
    for path in ["/api/v1/incidents/99", "/api/v1/incidents/x", "/api/v1/why/99", "/api/v1/nothing"] {
        let (status, told) = app.asks(Method::GET, path, Some(&responder)).await;
        assert_eq!((status, told["status"].as_i64()), (404, Some(404)), "{path} {told}");
    }
});

story!(a_one_time_link_works_once, |app| {
    let link = app.link("ana").await;
    let browser = app.stranger();
    // Chats and mail scanners open links to look at them: that uses nothing up.
    let offered = browser.get(&link).await;
    assert_eq!((offered.status, browser.get(&link).await.status), (200, 200));
    assert_eq!(browser.get("/").await.location.as_deref(), Some("/sign-in"));
    assert_eq!(browser.post(&link, "csrf=guessed").await.status, 403);
    let csrf = offered.csrf();
    let entered = browser.post(&link, &format!("csrf={csrf}")).await;
    assert_eq!((entered.status, entered.location.as_deref()), (303, Some("/")));
    assert_eq!(browser.get("/").await.status, 200);
    let second = app.stranger();
    assert_eq!(second.get(&link).await.status, 403);
    let csrf = second.get("/sign-in").await.csrf();
    assert_eq!(second.post(&link, &format!("csrf={csrf}")).await.status, 403);
    assert_eq!(second.get("/").await.location.as_deref(), Some("/sign-in"));
    // Signing out ends it here.
    let csrf = browser.get("/me").await.csrf();
    assert_eq!(browser.post("/sign-out", &format!("csrf={csrf}")).await.status, 303);
    assert_eq!(browser.get("/").await.location.as_deref(), Some("/sign-in"));
});

/// In real time, and therefore told once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_never_end_are_cut_off() {
    let app = App::start(On::Sqlite, TEAM).await;
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(b"POST /hooks/generic/x HTTP/1.1\r\nHost: reveille\r\nX-Slow: ").await.expect("written");
    let limit = reveille::base::limits::HEADER_READ.as_duration() + Duration::from_secs(2);
    let mut answer = Vec::new();
    tokio::time::timeout(limit, stream.read_to_end(&mut answer)).await.expect("it is cut off in time").ok();
    app.end().await;
}

/// Sends the head of a request and the first part of its body, and returns when the server waits for the rest.
async fn begun(app: &App, length: usize, part: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.expect("a connection");
    stream.write_all(&post(GENERIC, &format!("Content-Length: {length}\r\n"))).await.expect("written");
    stream.write_all(part).await.expect("written");
    // The body's time runs on the story's clock, from when the server began to read.
    let limit = tokio::time::Instant::now() + Duration::from_secs(5);
    while app.clock.next_deadline().is_none_or(|due| due > app.clock.now() + reveille::base::limits::BODY_READ) {
        assert!(tokio::time::Instant::now() < limit, "nobody waits for the body");
        tokio::task::yield_now().await;
    }
    stream
}

story!(a_request_under_way_is_answered_before_the_server_ends, |app| {
    let body = json!({"title": "the disk is full"}).to_string();
    let mut stream = begun(app, body.len(), &body.as_bytes()[..10]).await;
    let rest = async {
        stream.write_all(&body.as_bytes()[10..]).await.expect("the rest is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it is text");
        answer
    };
    let ((), answer) = tokio::join!(app.goes_down(), rest);
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    app.comes_back().await;
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(a_body_that_never_ends_is_cut_off, |app| {
    let mut stream = begun(app, 100, b"{").await;
    app.advance("20s").await;
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await;
    read.expect("it is answered in time").expect("it is text");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
});

story!(a_request_of_many_signals_is_answered_for_each_of_them, |app| {
    let body: Vec<_> = (0..300).map(|n| json!({"dedup_key": format!("db-{n}"), "title": "the disk is full", "severity": "info"})).collect();
    let post = app.http.post(format!("{}{GENERIC}", app.url)).header("prefer", "wait=5").json(&body);
    let told: serde_json::Value = post.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(told["results"].as_array().expect("a list").len(), 300);
    app.settle().await;
});

story!(a_message_that_can_be_read_in_part_says_again_what_cannot_and_pages_once, |app| {
    // So many that the journal takes them apart.
    let mut body = vec![json!({ "dedup_key": "one", "title": "fine", "severity": "info" }); 400];
    body.push(json!({ "nothing": 1 }));
    let body = Value::from(body);
    app.posts(GENERIC, &body).await;
    app.phone("ana").rings().await.press('1').await;
    for _ in 0..3 {
        app.advance("20s").await;
        app.posts(GENERIC, &body).await;
    }
    app.incident(1).await.is_acknowledged_by("ana");
    assert_eq!((app.phone("ana").calls(), app.incident(1).await.times("incident_reopened")), (1, 0));
    app.hears(GENERIC, &json!({ "dedup_key": "one", "title": "fine", "severity": "info" })).await;
    app.incident(1).await.is("resolved");
});
