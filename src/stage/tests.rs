//! The stage as an account's server sees it: over HTTP, on a clock moved by hand, checked against the published API description.

mod calls;
mod mails;
mod nights;
mod page;
mod slack;
mod spec;
mod texts;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use reqwest::Method;
use serde_json::{Value, json};

use super::post::signature;
use super::scenario::{Phones, Progress, Replay, SCENARIOS, Scenario, replay};
use super::*;

const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ANA: &str = "+33100000001";
const BO: &str = "+46100000002";
const FROM: &str = "+15005550006";
const START: Time = Time::from_seconds(1_438_138_800);
/// Real time that a condition may take to come true; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the account's own server was asked.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    signature: String,
    /// Slack's: the stamp, the signature, and which try after a failed one this is.
    stamped: (String, String, String),
    fields: Vec<(String, String)>,
    body: String,
}

impl Asked {
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

#[derive(Default)]
struct Heard {
    asked: Vec<Asked>,
    /// Answers to the next requests for `TwiML` or with keys; then an empty document.
    answers: VecDeque<(u16, &'static str, String)>,
}

/// The account's own server.
#[derive(Clone)]
struct Server {
    url: String,
    heard: Arc<Mutex<Heard>>,
}

impl Server {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("a bound port has an address"));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let app = axum::Router::new().fallback(hear).with_state(heard.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, heard }
    }

    fn asked(&self, path: &str) -> Vec<Asked> {
        lock(&self.heard).asked.iter().filter(|asked| asked.path.starts_with(path)).cloned().collect()
    }

    fn told(&self) -> Vec<String> {
        self.asked("/status").iter().map(|asked| asked.field("CallStatus").to_owned()).collect()
    }

    fn will_answer(&self, status: u16, kind: &'static str, body: &str) {
        lock(&self.heard).answers.push_back((status, kind, body.to_owned()));
    }
}

async fn hear(State(heard): State<Arc<Mutex<Heard>>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let mut url = reqwest::Url::parse("http://server/").expect("this is a URL");
    url.set_query(Some(&body));
    let fields = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let signature = header("x-twilio-signature");
    let stamped = (header("x-slack-request-timestamp"), header("x-slack-signature"), header("x-slack-retry-num"));
    let mut heard = lock(&heard);
    let path = uri.to_string();
    let is_status = path.starts_with("/status");
    heard.asked.push(Asked { path, signature, stamped, fields, body });
    let answer = if is_status { None } else { heard.answers.pop_front() };
    let (status, kind, body) = answer.unwrap_or((200, "text/xml", "<Response/>".to_owned()));
    (StatusCode::from_u16(status).expect("a status"), [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// A stage, the account's server, and the clock both are seen by.
struct World {
    stage: Stage,
    server: Server,
    clock: Clock,
    http: reqwest::Client,
}

impl World {
    async fn open() -> Self {
        let clock = Clock::fake(START);
        let options = Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: clock.clone(),
            account_sid: ACCOUNT.to_owned(),
            auth_token: Secret::new(TOKEN),
            people: vec![(ANA.to_owned(), "Ana Ruiz".to_owned())],
            reveille_url: Some("http://127.0.0.1:8080".to_owned()),
            slack: super::slack::Options::default(),
            sms_url: None,
            smtp: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        };
        let stage = Stage::open(options).await.expect("the stage opens");
        Self { stage, server: Server::open().await, clock, http: reqwest::Client::builder().no_proxy().build().expect("a client") }
    }

    fn api(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/2010-04-01/Accounts/{ACCOUNT}{path}", self.stage.url())).basic_auth(ACCOUNT, Some(TOKEN))
    }

    fn order(&self, to: &str, twiml: &str) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("To", to.to_owned()),
            ("From", FROM.to_owned()),
            ("Twiml", twiml.replace("SERVER", &self.server.url)),
            ("StatusCallback", format!("{}/status?page=7", self.server.url)),
        ];
        fields.extend(["initiated", "ringing", "answered", "completed"].map(|event| ("StatusCallbackEvent", event.to_owned())));
        fields
    }

    async fn post(&self, fields: &[(&'static str, String)]) -> (u16, Value) {
        answer(self.api(Method::POST, "/Calls.json").form(fields)).await
    }

    /// Places a call and waits until it rings.
    async fn ring(&self, to: &str, twiml: &str) -> String {
        let (status, call) = self.post(&self.order(to, twiml)).await;
        assert_eq!(status, 201, "{call}");
        let sid = call["sid"].as_str().expect("a call has a sid").to_owned();
        self.idle().await;
        sid
    }

    fn call(&self, sid: &str) -> Call {
        self.stage.calls().into_iter().find(|call| call.sid == sid).expect("the call is there")
    }

    async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let mut changed = self.stage.changed();
        let waited = tokio::time::timeout(PATIENCE, async {
            while !condition() {
                changed.changed().await.expect("the stage lives");
            }
        });
        assert!(waited.await.is_ok(), "never came true: {what}");
    }

    async fn idle(&self) {
        self.until("the stage is idle", || !self.stage.busy()).await;
    }

    /// Lets time pass, deadline by deadline, so that everything happens at its own moment.
    async fn pass(&self, span: Span) {
        let to = self.clock.now() + span;
        loop {
            self.idle().await;
            match self.clock.next_deadline() {
                Some(due) if due <= to => self.clock.advance_to(due),
                Some(_) | None => break,
            }
        }
        self.clock.advance_to(to);
        self.idle().await;
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = tokio::time::timeout(PATIENCE, request.send()).await.expect("an answer in time").expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.expect("the answer is JSON"))
}

const MENU: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response>
    <Gather numDigits="1" timeout="10" action="SERVER/keys?page=7"><Say voice="Polly.Amy" language="en-GB">Disk &amp; memory. Press 1.</Say></Gather>
    <Say>No key was pressed.</Say></Response>"#;
