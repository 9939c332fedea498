//! Against a small server that answers in the published shapes, one way of going wrong after the other.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::*;

const SID: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// What the server saw and what it says.
#[derive(Clone)]
struct Server {
    seen: Arc<Mutex<Vec<(String, String, String)>>>,
    arrived: Arc<Notify>,
    says: Arc<dyn Fn() -> Option<Response> + Send + Sync>,
}

async fn answer(State(server): State<Server>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let auth = headers.get("authorization").map(|value| value.to_str().expect("it is ASCII").to_owned()).unwrap_or_default();
    let body = String::from_utf8(body.to_vec()).expect("a form is ASCII");
    server.seen.lock().expect("no test panics with it").push((format!("{method} {uri}"), auth, body));
    server.arrived.notify_one();
    match (server.says)() {
        Some(response) => response,
        None => std::future::pending().await,
    }
}

/// An address that answers every request with what `says` gives; never, where that is nothing.
async fn server(says: impl Fn() -> Option<Response> + Send + Sync + 'static) -> (String, Server) {
    let server = Server { seen: Arc::default(), arrived: Arc::default(), says: Arc::new(says) };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().fallback(answer).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, server)
}

fn reply(status: u16, body: &serde_json::Value) -> Response {
    (axum::http::StatusCode::from_u16(status).expect("a status"), [("content-type", "application/json")], body.to_string()).into_response()
}

fn twilio(url: &str, clock: Clock) -> Twilio {
    // Another test may have installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    Twilio::new(SID.to_owned(), vec![Secret::new("swordfish"), Secret::new("marlin")], url, clock).expect("a client")
}

fn new_call() -> NewCall {
    NewCall {
        to: "+33100000001".to_owned(),
        from: "+15005550006".to_owned(),
        twiml: "<Response><Say>a & b</Say></Response>".to_owned(),
        status_callback: Some("https://reveille.example.com/callbacks/voice/att_1/status".to_owned()),
        timeout: Span::seconds(25),
    }
}

/// A call in the shape of the published specification, shortened to what matters and a few fields that do not.
fn call(sid: &str, status: &str, date_created: Option<&str>) -> serde_json::Value {
    json!({
        "account_sid": SID, "answered_by": null, "api_version": "2010-04-01", "date_created": date_created, "direction": "outbound-api",
        "duration": null, "from": "+15005550006", "sid": sid, "start_time": null, "status": status, "to": "+33100000001",
        "uri": format!("/2010-04-01/Accounts/{SID}/Calls/{sid}.json"), "queue_time": "1000"
    })
}

async fn create(says: impl Fn() -> Option<Response> + Send + Sync + 'static) -> Result<CallResource, SendError> {
    let (address, _server) = server(says).await;
    twilio(&address, Clock::system()).create_call(&new_call()).await
}

fn rejected(result: &Result<CallResource, SendError>) -> &str {
    match result {
        Err(SendError::Rejected { reason, .. }) => reason,
        Err(SendError::Unknown { .. }) | Ok(_) => panic!("it is certain that nothing was placed: {result:?}"),
    }
}

fn unknown(result: &Result<CallResource, SendError>) -> &str {
    match result {
        Err(SendError::Unknown { reason }) => reason,
        Err(SendError::Rejected { .. }) | Ok(_) => panic!("a call may have been placed: {result:?}"),
    }
}

#[tokio::test]
async fn a_call_is_ordered_as_published() {
    let (address, server) = server(|| Some(reply(201, &call("CA1", "queued", None)))).await;
    let placed = twilio(&format!("{address}/"), Clock::system()).create_call(&new_call()).await.expect("it is placed");
    assert_eq!((placed.sid.as_str(), placed.status.as_str(), placed.date_created), ("CA1", "queued", None));
    let seen = server.seen.lock().expect("no test panics with it").clone();
    let (line, auth, body) = &seen[0];
    assert_eq!(line, &format!("POST /2010-04-01/Accounts/{SID}/Calls.json"));
    assert_eq!(auth, &format!("Basic {}", STANDARD.encode(format!("{SID}:swordfish"))));
    for part in [
        "To=%2B33100000001",
        "From=%2B15005550006",
        "Twiml=%3CResponse%3E%3CSay%3Ea+%26+b",
        "Timeout=25",
        "StatusCallback=https%3A%2F%2Freveille.example.com",
        "StatusCallbackMethod=POST",
        "StatusCallbackEvent=initiated&StatusCallbackEvent=ringing&StatusCallbackEvent=answered&StatusCallbackEvent=completed",
    ] {
        assert!(body.contains(part), "{part} is not in {body}");
    }
}

#[tokio::test]
async fn a_refusal_in_twilios_words_is_certain() {
    let error = json!({ "code": 21_211, "message": "Invalid 'To' Phone Number\nswordfish", "more_info": "https://…", "status": 400 });
    let result = create(move || Some(reply(400, &error))).await;
    assert_eq!(rejected(&result), "Twilio answered 400, code 21211: Invalid 'To' Phone Number ***");

    let error = json!({ "code": 20_429, "message": "Too Many Requests".repeat(100), "status": 429 });
    let result = create(move || Some(reply(429, &error))).await;
    assert!(rejected(&result).chars().count() <= limits::PROVIDER_REASON_CHARS);
}

#[tokio::test]
async fn a_redirect_is_a_refusal_and_is_not_followed() {
    let (elsewhere, other) = server(|| Some(reply(201, &call("CA1", "queued", None)))).await;
    let result = create(move || {
        let mut response = reply(307, &json!({}));
        response.headers_mut().insert("location", elsewhere.parse().expect("a header"));
        Some(response)
    })
    .await;
    assert_eq!(rejected(&result), "Twilio answered 307 (a redirect, which is not followed)");
    assert!(other.seen.lock().expect("no test panics with it").is_empty());
}

#[tokio::test]
async fn what_never_left_is_certain() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        format!("http://{}", listener.local_addr().expect("it is bound"))
    };
    let result = twilio(&refused, Clock::system()).create_call(&new_call()).await;
    assert!(rejected(&result).contains("Connection refused"), "{result:?}");

    let result = twilio("http://no-such-host.invalid", Clock::system()).create_call(&new_call()).await;
    assert!(!rejected(&result).contains(SID), "{result:?}");

    // A server that speaks no TLS where TLS is expected.
    let (address, server) = server(|| Some(reply(201, &call("CA1", "queued", None)))).await;
    let result = twilio(&address.replace("http:", "https:"), Clock::system()).create_call(&new_call()).await;
    rejected(&result);
    assert!(server.seen.lock().expect("no test panics with it").is_empty());
}

#[tokio::test]
async fn doubt_stays_doubt() {
    let error = json!({ "code": 20_500, "message": "Internal Server Error", "status": 500 });
    assert!(unknown(&create(move || Some(reply(500, &error))).await).contains("20500"));
    assert_eq!(unknown(&create(|| Some(reply(503, &json!("busy")))).await), "Twilio answered 503");
    // A 4xx that is not in Twilio's words is some proxy's.
    assert_eq!(unknown(&create(|| Some((axum::http::StatusCode::FORBIDDEN, "<html>").into_response())).await), "Twilio answered 403");
    for nonsense in [json!([]), json!({ "sid": "", "status": "queued" }), json!({ "sid": 7 }), json!({ "status": "queued" })] {
        let result = create(move || Some(reply(201, &nonsense))).await;
        assert_eq!(unknown(&result), "Twilio answered 201 with something that is no call");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_request_is_doubt() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The head of the request has come; the answer never will.
            drop(stream.read(&mut [0_u8; 1024]).await);
        }
    });
    let result = twilio(&address, Clock::system()).create_call(&new_call()).await;
    assert!(unknown(&result).starts_with("the connection to Twilio broke"), "{result:?}");
}

#[tokio::test]
async fn silence_is_doubt_after_the_limit() {
    let (address, server) = server(|| None).await;
    let clock = Clock::fake(Time::from_seconds(1_438_138_800));
    let asking = tokio::spawn({
        let twilio = twilio(&address, clock.clone());
        async move { twilio.create_call(&new_call()).await }
    });
    server.arrived.notified().await;
    assert!(!asking.is_finished());
    clock.advance_to(clock.now() + limits::PROVIDER_ANSWER);
    assert_eq!(unknown(&asking.await.expect("it returns")), "no answer from Twilio within 10s");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let result = create(|| Some((axum::http::StatusCode::CREATED, vec![b' '; limits::PROVIDER_BODY_BYTES + 1]).into_response())).await;
    assert_eq!(unknown(&result), "Twilio's answer 201 broke off");
}

#[tokio::test]
async fn calls_are_listed_from_a_moment_on_and_queued_ones_with_them() {
    let listed = json!({ "calls": [
        call("CA3", "queued", None),
        call("CA2", "ringing", Some("Wed, 29 Jul 2015 03:00:01 +0000")),
        call("CA1", "completed", Some("Wed, 29 Jul 2015 02:59:59 +0000")),
    ], "page": 0, "page_size": 50 });
    let (address, server) = server(move || Some(reply(200, &listed))).await;
    let since = Time::from_seconds(1_438_138_801) + Span::millis(900);
    let calls = twilio(&address, Clock::system()).calls_since("+33100000001", "+15005550006", since).await.expect("a list");
    assert_eq!(calls.iter().map(|call| call.sid.as_str()).collect::<Vec<_>>(), ["CA3", "CA2"]);
    assert_eq!(calls[1].date_created, Some(Time::from_seconds(1_438_138_801)));
    let seen = server.seen.lock().expect("no test panics with it").clone();
    assert_eq!(seen[0].0, format!("GET /2010-04-01/Accounts/{SID}/Calls.json?To=%2B33100000001&From=%2B15005550006&PageSize=50"));
}

#[tokio::test]
async fn a_question_is_answered_or_says_why_not() {
    let ask = async |status: u16, body: serde_json::Value| {
        let (address, _server) = server(move || Some(reply(status, &body))).await;
        twilio(&address, Clock::system()).call("CA1").await
    };
    assert_eq!(ask(200, call("CA1", "busy", None)).await.expect("a call").status, "busy");
    let gone = json!({ "code": 20_404, "message": "not found", "status": 404 });
    assert_eq!(ask(404, gone).await, Err(AskError::NoSuchCall));
    // Not Twilio's words: a wrong address must not read as "there is no such call".
    assert!(matches!(ask(404, json!("not found")).await, Err(AskError::Failed(_))));
    assert!(matches!(ask(200, json!({})).await, Err(AskError::Failed(_))));
    assert!(matches!(ask(500, json!({})).await, Err(AskError::Failed(_))));
    // An id that could leave its place in the path is not asked about at all.
    let (address, server) = server(|| None).await;
    assert_eq!(twilio(&address, Clock::system()).call("../Messages").await, Err(AskError::NoSuchCall));
    assert!(server.seen.lock().expect("no test panics with it").is_empty());
}

#[tokio::test]
async fn hanging_up_on_what_is_over_is_fine() {
    let end = async |status: u16, body: serde_json::Value| {
        let (address, server) = server(move || Some(reply(status, &body))).await;
        let result = twilio(&address, Clock::system()).end_call("CA1").await;
        let seen = server.seen.lock().expect("no test panics with it").clone();
        assert_eq!(seen[0].0, format!("POST /2010-04-01/Accounts/{SID}/Calls/CA1.json"));
        assert_eq!(seen[0].2, "Status=completed");
        result
    };
    assert_eq!(end(200, call("CA1", "completed", None)).await, Ok(()));
    assert_eq!(end(400, json!({ "code": 21_220, "message": "Call is not in-progress", "status": 400 })).await, Ok(()));
    assert_eq!(end(404, json!({ "code": 20_404, "message": "not found", "status": 404 })).await, Err(AskError::NoSuchCall));
    assert!(matches!(end(503, json!({})).await, Err(AskError::Failed(_))));
}

#[test]
fn signatures_are_checked_as_twilio_documents_them() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let tokens = vec![Secret::new("new token"), Secret::new("12345")];
    let twilio = Twilio::new(SID.to_owned(), tokens, "http://127.0.0.1:1", Clock::system()).expect("a client");
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let params = |caller: &str| {
        let fields = [("To", "+18005551212"), ("From", caller), ("Digits", "1234"), ("Caller", caller), ("CallSid", "CA1234567890ABCDE")];
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    };
    // The two examples that Twilio publishes, in its documentation and with its libraries; the token is "12345".
    assert!(twilio.verify(url, &params("+12349013030"), "0/KCTR6DLpKmkAf8muzZqo1nDgQ="));
    assert!(twilio.verify(url, &params("+14158675309"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));

    assert!(twilio.verify("https://mycompany.com:443/myapp.php?foo=1&bar=2", &params("+14158675309"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
    assert!(!twilio.verify(url, &params("+14158675308"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
    assert!(!twilio.verify("https://mycompany.com/myapp.php?foo=1", &params("+14158675309"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
    for wrong in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B9=", "not base64", "RSOYDt4T1cUTdK1PDd93/VVr8B8"] {
        assert!(!twilio.verify(url, &params("+14158675309"), wrong), "{wrong}");
    }
    let nobody = Twilio::new(SID.to_owned(), Vec::new(), "http://127.0.0.1:1", Clock::system()).expect("a client");
    assert!(!nobody.verify(url, &params("+14158675309"), "RSOYDt4T1cUTdK1PDd93/VVr8B8="));
}

#[test]
fn ports_come_and_go() {
    assert_eq!(port_variants("https://a.example/x?y=1"), ["https://a.example/x?y=1", "https://a.example:443/x?y=1"]);
    assert_eq!(port_variants("http://a.example:8080/x"), ["http://a.example:8080/x", "http://a.example/x"]);
    assert_eq!(port_variants("http://[::1]/x"), ["http://[::1]/x", "http://[::1]:80/x"]);
}
