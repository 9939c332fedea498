//! The commands as a person and a script meet them: what can be typed, what a server is asked, what is printed, how it exits.

mod orders;
mod patience;
mod typed;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Exit;
use super::args::{Args, Command, Remote};
use super::remote;
use super::terminal::{Console, clean};
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};

/// 05:12 in Paris, twelve minutes after the first exception.
const NOW: &str = "2015-07-29T03:12:00Z";
/// A title that would clear the screen, name the window, go back a line, colour itself, and turn the writing round.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}disk\r\nfull \u{9b}31mon\u{202e} db-3\u{0}\u{1b}[";
/// Real time that an answer may take; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the server was asked.
#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

type Answer = Arc<dyn Fn(&Asked) -> Response + std::marker::Send + Sync>;

#[derive(Clone)]
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Answer,
}

impl Server {
    async fn open(answer: impl Fn(&Asked) -> Response + std::marker::Send + Sync + 'static) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("a bound port has an address"));
        let server = Self { url, asked: Arc::default(), answer: Arc::new(answer) };
        let router = Router::new().fallback(hear).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    async fn says(value: Value) -> Self {
        Self::open(move |_| Json(value.clone()).into_response()).await
    }

    async fn refuses(status: u16, detail: &'static str) -> Self {
        Self::open(move |_| problem(status, detail)).await
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lines of what was asked: `GET /path?query`.
    fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.uri)).collect()
    }
}

async fn hear(State(server): State<Server>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let asked = Asked { method, uri, headers, body };
    server.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    (server.answer)(&asked)
}

fn problem(status: u16, detail: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    let body = json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

/// How a command went.
#[derive(Debug)]
struct Went {
    exit: Exit,
    out: String,
    err: String,
}

/// Where a command writes; the reader leaves once it has seen what it waited for.
#[derive(Clone, Default)]
struct Pipe {
    text: Arc<Mutex<Vec<u8>>>,
    leaves_at: Option<&'static str>,
}

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()).expect("UTF-8")
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.leaves_at {
            Some(needle) if self.text().contains(needle) => Err(io::ErrorKind::BrokenPipe.into()),
            Some(_) | None => Ok(()),
        }
    }
}

struct Caller {
    url: String,
    token: Option<&'static str>,
    input: &'static str,
    variables: Vec<(String, String)>,
    colour: bool,
    leaves_at: Option<&'static str>,
    clock: Clock,
}

impl Caller {
    fn of(server: &Server) -> Self {
        let clock = Clock::fake(Time::parse_rfc3339(NOW).expect("a time"));
        Self { url: server.url.clone(), token: Some("tok_en"), input: "", variables: Vec::new(), colour: false, leaves_at: None, clock }
    }

    async fn types(&self, line: &[&str]) -> Went {
        let args =
            Args::read(std::iter::once("reveille").chain(line.iter().copied()).chain(["--url", &self.url])).expect("it is understood");
        let remote = asks(args.command);
        let mut global = args.global;
        global.token = self.token.map(Secret::new);
        let (mut out, mut err, mut input) = (Pipe { leaves_at: self.leaves_at, ..Pipe::default() }, Pipe::default(), self.input.as_bytes());
        let mut console = Console {
            out: &mut out,
            err: &mut err,
            input: &mut input,
            variables: self.variables.clone(),
            json: global.json,
            width: self.colour.then_some(80),
            colour: self.colour,
            clock: self.clock.clone(),
            zone: TimeZone::get("Europe/Paris").expect("a zone"),
        };
        let exit = tokio::time::timeout(PATIENCE, remote::on(&mut console, &global, &remote)).await.expect("it ends");
        Went { exit, out: out.text(), err: err.text() }
    }
}

fn asks(command: Command) -> Remote {
    match command {
        Command::Remote(remote) => remote,
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Stage(_)
        | Command::Check(_)
        | Command::Apply(_)
        | Command::Migrate(_)
        | Command::Token { .. }
        | Command::Admin { .. }
        | Command::User { .. }
        | Command::Doctor(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Completions(_)
        | Command::Replay(_) => panic!("this command asks no server"),
    }
}

fn incident(number: i64, state: &str, title: &str) -> Value {
    json!({
        "number": number, "title": title, "state": state, "severity": "sev1", "service": "api", "opened_at": "2015-07-29T03:00:00Z",
        "acknowledged_at": (state == "acknowledged").then_some("2015-07-29T03:06:00Z"),
        "acknowledged_by": (state == "acknowledged").then_some("bo"), "resolved_at": null, "lead": null, "alerts_count": 3, "kind": "real"
    })
}

fn entry(seq: i64, kind: &str, text: &str) -> Value {
    json!({ "seq": seq, "at": "2015-07-29T03:00:07Z", "kind": kind, "actor": "reveille", "text": text })
}

// Lists

#[tokio::test]
async fn a_list_is_a_table() {
    let server = Server::says(json!({
        "items": [incident(42, "triggered", "Disk full"), incident(7, "acknowledged", "Redis away")], "next": "c2"
    }))
    .await;
    let went = Caller::of(&server).types(&["incident", "list", "--state", "triggered", "--limit", "2"]).await;
    assert_eq!(went.exit, Exit::Done);
    assert_eq!(
        went.out,
        "     state         severity  service  age  alerts  who has it  title
#42  triggered     sev1      api      12m  3       -           Disk full
#7   acknowledged  sev1      api      12m  3       bo          Redis away

There are older ones: --limit 8
"
    );
    assert_eq!(server.lines(), ["GET /api/v1/incidents?limit=2&state=triggered"]);
    assert_eq!(server.asked()[0].header("authorization"), "Bearer tok_en");
}

#[tokio::test]
async fn an_empty_list_says_what_to_do() {
    let server = Server::says(json!({ "items": [], "next": null })).await;
    let went = Caller::of(&server).types(&["incident", "list"]).await;
    assert!(went.out.starts_with("No incidents yet.") && went.out.contains("reveille send"), "{}", went.out);
    let went = Caller::of(&server).types(&["incident", "list", "--state", "triggered"]).await;
    assert!(went.out.starts_with("No incident is triggered."), "{}", went.out);
}

#[tokio::test]
async fn json_is_the_servers_own() {
    let said = json!({ "items": [incident(42, "triggered", "Disk full")], "next": null, "more": [1, 2.5, "x"] });
    let server = Server::says(said.clone()).await;
    let went = Caller::of(&server).types(&["incident", "list", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&went.out).expect("JSON"), said);
    assert!(went.out.lines().count() > 3, "it is indented");
}

#[tokio::test]
async fn colours_are_for_terminals() {
    let server = Server::says(json!({ "items": [incident(42, "triggered", &"x".repeat(200))], "next": null })).await;
    let mut caller = Caller::of(&server);
    assert!(!caller.types(&["incident", "list"]).await.out.contains('\u{1b}'));
    caller.colour = true;
    let out = caller.types(&["incident", "list"]).await.out;
    assert!(out.contains("\u{1b}[31mtriggered\u{1b}[0m"), "{out}");
    assert!(out.contains(&format!("{}…\n", "x".repeat(23))), "a title is cut where the terminal ends: {out}");
}

// Strangers' text

#[tokio::test]
async fn a_title_orders_no_terminal_about() {
    let server = Server::open(|asked| match asked.uri.path().rsplit('/').next() {
        Some("42") => Json(incident(42, "triggered", HOSTILE)).into_response(),
        Some("timeline") => Json(json!({ "items": [entry(1, "incident_opened", HOSTILE)], "next": null })).into_response(),
        Some("pages") => Json(json!({ "items": [{ "user": HOSTILE, "state": "ringing", "attempts": [] }], "next": null })).into_response(),
        Some(_) | None => Json(json!({ "items": [incident(42, "triggered", HOSTILE)], "next": null })).into_response(),
    })
    .await;
    for line in [["incident", "list"].as_slice(), &["incident", "show", "42"]] {
        let out = Caller::of(&server).types(line).await.out;
        assert!(out.contains("disk full on db-3"), "{out:?}");
        assert!(!out.contains("owned"), "{out:?}");
        assert!(!out.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{out:?}");
    }
    let out = Caller::of(&server).types(&["incident", "list", "--json"]).await.out;
    assert!(!out.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{out:?}");
    let said: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(said["items"][0]["title"], HOSTILE, "the value is whole");
}

#[tokio::test]
async fn a_refusal_orders_no_terminal_about() {
    let server = Server::refuses(400, "no \u{1b}[2Jsuch\nthing").await;
    let went = Caller::of(&server).types(&["incident", "list"]).await;
    assert_eq!((went.exit, went.err.as_str()), (Exit::Failed, "error: no such thing\n"));
}

#[test]
fn sequences_go_whole_and_words_stay() {
    for (text, kept) in [
        ("plain", "plain"),
        ("\u{1b}[1;31mred\u{1b}[0m", "red"),
        ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{7}", "link"),
        ("\u{1b}Pq\u{1b}\\after", "after"),
        ("\u{9d}0;title\u{9c}after", "after"),
        ("never ends \u{1b}]0;but is read", "never ends 0;but is read"),
        ("\u{1b}[31", "31"),
        ("\u{1b}c reset", "c reset"),
        ("a\tb\r\n  c\u{2028}d\u{85}e", "a b c d e"),
        ("\u{7}\u{0} ", ""),
        ("日本語 ünï ✓", "日本語 ünï ✓"),
    ] {
        assert_eq!(clean(text), kept, "{text:?}");
    }
}

// Refusals

#[tokio::test]
async fn no_token_and_a_wrong_token_are_not_allowed() {
    let server = Server::refuses(401, "Sign in, or send a token.").await;
    let mut caller = Caller::of(&server);
    let went = caller.types(&["incident", "list"]).await;
    assert_eq!(went.exit, Exit::NotAllowed);
    assert!(went.err.starts_with("error: Sign in, or send a token.\n") && went.err.contains("does not take the token"), "{}", went.err);
    assert!(!went.err.contains("tok_en"));
    caller.token = None;
    let went = caller.types(&["incident", "list"]).await;
    assert_eq!(went.exit, Exit::NotAllowed);
    assert!(went.err.contains("Put a token into REVEILLE_TOKEN"), "{}", went.err);
    assert!(server.asked()[1].headers.get("authorization").is_none());
}

#[tokio::test]
async fn a_token_of_too_small_a_scope_is_not_allowed() {
    let server = Server::refuses(403, "This token may only read.").await;
    let went = Caller::of(&server).types(&["incident", "ack", "42"]).await;
    assert_eq!(went.exit, Exit::NotAllowed);
    assert!(went.out.is_empty() && went.err.contains("This token may only read.") && went.err.contains("--scope respond"), "{}", went.err);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let server = Server::refuses(404, "There is no such incident.").await;
    for line in [
        ["incident", "show", "99"].as_slice(),
        &["incident", "resolve", "99"],
        &["why", "99"],
        &["send", "Hi", "--key", "k", "--retry", "0s"],
    ] {
        let went = Caller::of(&server).types(line).await;
        assert_eq!((went.exit, went.err.as_str()), (Exit::NotFound, "error: There is no such incident.\n"), "{line:?}");
    }
}

#[tokio::test]
async fn a_refusal_in_json_is_the_servers_document() {
    let server = Server::refuses(404, "There is no such incident.").await;
    let went = Caller::of(&server).types(&["incident", "show", "99", "--json"]).await;
    assert_eq!(went.exit, Exit::NotFound);
    assert_eq!(serde_json::from_str::<Value>(&went.out).expect("JSON")["status"], 404);
    assert_eq!(went.err, "error: There is no such incident.\n");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let server = Server::says(json!({})).await;
    let mut caller = Caller::of(&server);
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = free.local_addr().expect("an address");
    drop(free);
    caller.url = format!("http://someone:hidden@{address}");
    let went = caller.types(&["incident", "list"]).await;
    assert_eq!(went.exit, Exit::Unreachable);
    assert!(went.err.starts_with(&format!("error: the server at http://{address} cannot be reached: Connection refused")), "{}", went.err);
    assert!(went.err.contains("Is `reveille serve` running?") && !went.err.contains("hidden"), "{}", went.err);
    caller.url = "reveille.example.com".to_owned();
    let went = caller.types(&["incident", "list"]).await;
    assert_eq!(went.exit, Exit::Usage);
    assert!(went.err.contains("http://127.0.0.1:8080"), "{}", went.err);
}

#[tokio::test]
async fn what_is_no_reveille_is_told_apart() {
    let page = Server::open(|_| "<html>It works!</html>".into_response()).await;
    let moved = Server::open(|_| (StatusCode::FOUND, [(header::LOCATION, "https://elsewhere.example.com/")]).into_response()).await;
    let proxy = Server::open(|_| (StatusCode::BAD_GATEWAY, "<html>nginx</html>").into_response()).await;
    for (server, says) in [(&page, "it is not JSON"), (&moved, "it points to https://elsewhere.example.com/"), (&proxy, "502 Bad Gateway")]
    {
        for line in [["incident", "list"].as_slice(), &["send", "Hi", "--key", "k", "--retry", "0s"]] {
            let went = Caller::of(server).types(line).await;
            assert_eq!(went.exit, Exit::Failed);
            assert!(went.err.contains(says), "{}", went.err);
        }
    }
    let other = Server::says(json!({ "hello": "world" })).await;
    for line in [["incident", "list"].as_slice(), &["send", "Hi", "--key", "k", "--retry", "0s"], &["why", "1"], &["incident", "ack", "1"]]
    {
        assert_eq!(Caller::of(&other).types(line).await.exit, Exit::Failed, "{line:?}");
    }
}

#[tokio::test]
async fn a_server_below_a_path_is_found() {
    let server = Server::says(json!({ "items": [], "next": null })).await;
    let mut caller = Caller::of(&server);
    caller.url.push_str("/pager/");
    assert_eq!(caller.types(&["incident", "list"]).await.exit, Exit::Done);
    assert_eq!(server.lines(), ["GET /pager/api/v1/incidents?limit=25"]);
}

// One incident

fn whole(asked: &Asked) -> Response {
    match asked.uri.path().rsplit('/').next() {
        Some("timeline") if asked.uri.query().is_some_and(|query| query.contains("cursor=c2")) => {
            let mut late = entry(5, "step_started", "Step 1: Ana");
            late["reason"] = json!("step_began");
            late["then"] = json!({ "what": "next step", "at": "2015-07-29T03:05:00Z" });
            late["actor_name"] = json!("Reveille");
            Json(json!({ "items": [late], "next": null })).into_response()
        }
        Some("timeline") => Json(json!({ "items": [entry(4, "incident_opened", "Opened")], "next": "c2" })).into_response(),
        Some("changes") => Json(json!({ "items": [
            { "id": "chg_1", "title": "api 4.2 is out", "service": "api", "at": "2015-07-29T02:57:00Z" },
        ], "next": null }))
        .into_response(),
        Some("alerts") => Json(json!({ "items": [
            { "id": "alr_3", "labels": { "host": "web-1" }, "first_at": "2015-07-29T03:00:09Z" },
            { "id": "alr_2", "labels": { "host": "web-2" }, "first_at": "2015-07-29T03:00:05Z" },
            { "id": "alr_1", "labels": { "host": "web-1" }, "first_at": "2015-07-29T03:00:01Z" },
        ], "next": null }))
        .into_response(),
        Some("pages") => Json(json!({ "items": [
            { "id": "pag_1", "user": "ana", "channel": "voice", "state": "ended", "created_at": "2015-07-29T03:00:00Z", "attempts": [] },
            { "id": "pag_2", "user": "bo", "channel": "voice", "state": "ringing", "created_at": "2015-07-29T03:05:00Z", "attempts": [{}] },
        ], "next": null }))
        .into_response(),
        Some(_) | None => Json(incident(42, "triggered", "Disk full")).into_response(),
    }
}

#[tokio::test]
async fn one_incident_tells_what_happens_now_and_how_it_came() {
    let server = Server::open(whole).await;
    let went = Caller::of(&server).types(&["incident", "show", "#42"]).await;
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    assert_eq!(
        went.out,
        "#42 triggered sev1  Disk full
service api · opened 05:00:00 (12m ago) · 3 alerts

Now
  Nobody has it yet.
  bo is being called, paged since 05:05:00, 1 attempt
  Take it: reveille incident ack 42 · who is called, and why: reveille why 42

changed    service  what
3m before  api      api 4.2 is out

In the order they fell
  web-1 05:00:01, web-2 05:00:05

Timeline
  Wed 2015-07-29 CEST
  05:00:07  reveille          Opened
  05:00:07  Reveille          Step 1: Ana: the policy's step began (next step at 05:05:00)
"
    );
}

#[tokio::test]
async fn a_watcher_misses_nothing_when_the_stream_breaks() {
    // The first stream tells one thing and breaks; the second knows where it broke.
    let server = Server::open(|asked| {
        if !asked.uri.path().ends_with("/stream") {
            return whole(asked);
        }
        let after: i64 = asked.header("last-event-id").parse().expect("a number");
        let sse = |text: String| ([(header::CONTENT_TYPE, "text/event-stream")], text).into_response();
        match after {
            5 => sse(format!(
                ": hello\nevent: alive\ndata: {{}}\n\nevent: fact\nid: 6\ndata: {}\n\n",
                entry(6, "phone_rang", "Bo's phone rings")
            )),
            6 => sse(format!("event: fact\r\ndata: {}\r\n\r\n", entry(7, "page_answered", "Bo answered"))),
            _ => problem(400, "asked for the wrong place"),
        }
    })
    .await;
    let mut caller = Caller::of(&server);
    caller.leaves_at = Some("Bo answered");
    let driver = drive(&caller.clock, Span::seconds(1));
    let went = caller.types(&["incident", "show", "42", "--watch"]).await;
    driver.abort();
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    let told: Vec<&str> = went.out.lines().skip_while(|line| !line.contains("Step 1")).skip(1).collect();
    assert_eq!(told, ["  05:00:07  reveille          Bo's phone rings", "  05:00:07  reveille          Bo answered"]);
    assert_eq!(server.lines().iter().filter(|line| line.contains("timeline")).count(), 2, "a sign of life is no news");
}

#[tokio::test]
async fn a_silent_stream_is_opened_anew_and_gaps_are_read_up() {
    let opened = Arc::new(Mutex::new(0));
    let server = Server::open(move |asked| {
        if !asked.uri.path().ends_with("/stream") {
            return whole(asked);
        }
        let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
        *opened += 1;
        let said = if *opened == 1 { String::new() } else { "event: reset\ndata: {}\n\n".to_owned() };
        let said = stream::iter([Ok::<_, io::Error>(Bytes::from(said))]).chain(stream::pending());
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(said)).into_response()
    })
    .await;
    let mut caller = Caller::of(&server);
    // Nothing printed, so that what is read up after the reset is new.
    caller.leaves_at = Some("\"seq\":5");
    let driver = drive(&caller.clock, Span::seconds(60));
    let went = tokio::time::timeout(PATIENCE, watch_from_the_start(&caller)).await.expect("it ends");
    driver.abort();
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    assert!(went.out.contains("\"seq\":4") && went.out.contains("\"seq\":5"), "{}", went.out);
}

/// Follows as if nothing had been printed yet.
async fn watch_from_the_start(caller: &Caller) -> Went {
    let (mut out, mut err) = (Pipe { leaves_at: caller.leaves_at, ..Pipe::default() }, Pipe::default());
    let mut console = Console {
        out: &mut out,
        err: &mut err,
        input: &mut io::empty(),
        variables: Vec::new(),
        json: true,
        width: None,
        colour: false,
        clock: caller.clock.clone(),
        zone: TimeZone::UTC,
    };
    let client = super::client::Client::new(&caller.url, None).expect("an address");
    let ended = super::watch::follow(&mut console, &client, "42", super::timeline::Log::default()).await;
    Went { exit: ended.map_or_else(|error| error.exit(), |()| Exit::Done), out: out.text(), err: err.text() }
}

/// Moves the clock whenever somebody waits for a moment that is near enough.
fn drive(clock: &Clock, most: Span) -> tokio::task::JoinHandle<()> {
    let clock = clock.clone();
    tokio::spawn(async move {
        loop {
            if let Some(due) = clock.next_deadline().filter(|due| due.since(clock.now()) <= most) {
                clock.advance_to(due);
            }
            tokio::task::yield_now().await;
        }
    })
}

#[tokio::test]
async fn a_watcher_gives_up_on_a_no_and_on_a_server_that_stays_away() {
    for (status, exit, most) in [(403, Exit::NotAllowed, 1), (503, Exit::Failed, 60)] {
        let server =
            Server::open(move |asked| if asked.uri.path().ends_with("/stream") { problem(status, "No.") } else { whole(asked) }).await;
        let caller = Caller::of(&server);
        let driver = drive(&caller.clock, Span::seconds(1));
        let went = caller.types(&["incident", "show", "42", "--watch"]).await;
        driver.abort();
        assert_eq!(went.exit, exit);
        assert_eq!(server.lines().iter().filter(|line| line.ends_with("/stream")).count(), most);
    }
}

#[tokio::test]
async fn commands_tell_what_came_of_them() {
    for (verb, path, state, says) in [
        ("ack", "acknowledge", "acknowledged", "#42 is acknowledged by bo, and paging has stopped: Disk full"),
        ("resolve", "resolve", "resolved", "#42 is resolved: Disk full"),
        ("reopen", "reopen", "triggered", "#42 is open again"),
        ("escalate", "escalate", "triggered", "#42 goes on to the next step"),
    ] {
        let server = Server::says(incident(42, state, "Disk full")).await;
        let went = Caller::of(&server).types(&["incident", verb, "42"]).await;
        assert_eq!(went.exit, Exit::Done, "{}", went.err);
        assert!(went.out.starts_with(says), "{}", went.out);
        assert_eq!(server.lines(), [format!("POST /api/v1/incidents/42/{path}")]);
        assert_eq!(server.asked()[0].json(), json!({}));
    }
    let server = Server::says(incident(42, "resolved", "Disk full")).await;
    let went = Caller::of(&server).types(&["incident", "ack", "42"]).await;
    assert_eq!((went.exit, went.err.as_str()), (Exit::Failed, "error: #42 is resolved: `acknowledge` changes nothing now\n"));
}

// Why

#[tokio::test]
async fn why_is_a_chain_of_reasons() {
    let server = Server::says(json!({ "summary": "Bo is being called", "items": [
        { "at": "2015-07-29T03:00:00Z", "kind": "incident_opened", "text": "Opened", "reason": "new_condition" },
        { "at": "2015-07-29T03:05:00Z", "kind": "step_started", "text": "Step 2: Bo", "reason": "nobody answered in time" },
        { "at": "2015-07-29T03:05:01Z", "kind": "phone_rang", "text": "", "reason": null },
    ]}))
    .await;
    let went = Caller::of(&server).types(&["why", "pag_01abc"]).await;
    assert_eq!(
        went.out,
        "Bo is being called
  Wed 2015-07-29 CEST
  05:00:00  Opened
            because no open incident of this service was near enough to join
  05:05:00  Step 2: Bo
            because nobody answered in time
  05:05:01  phone rang
"
    );
    assert_eq!(server.lines(), ["GET /api/v1/why/pag_01abc"]);
    let server = Server::says(json!({ "items": [], "now": "Nobody is being called" })).await;
    let went = Caller::of(&server).types(&["why", "#42"]).await;
    assert!(went.out.starts_with("Nobody is being called\nNothing was decided about it yet.\n"), "{}", went.out);
    assert_eq!(server.lines(), ["GET /api/v1/why/42"]);
}

// Send

fn taken(result: &Value) -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "results": [result] }))).into_response()
}

#[tokio::test]
async fn an_alert_goes_out_whole_and_its_fate_is_told() {
    let server =
        Server::open(|_| taken(&json!({ "alert": "alr_1", "incident": 42, "outcome": "opened", "reason": "new_condition" }))).await;
    let line = [
        "send",
        "Disk full",
        "--key",
        "a/b key",
        "--dedup-key",
        "db-3",
        "--severity",
        "critical",
        "--link",
        "https://x.example.com/",
        "--label",
        "host=db-3",
        "--label",
        "expr=a=b",
        "--wait",
        "3s",
    ];
    let went = Caller::of(&server).types(&line).await;
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    assert_eq!(went.out, "sent: incident #42 opened (alr_1): no open incident of this service was near enough to join\n");
    let asked = &server.asked()[0];
    assert_eq!((asked.uri.path(), asked.header("prefer")), ("/hooks/generic/a%2Fb%20key", "wait=3"));
    assert_eq!(
        asked.json(),
        json!({ "title": "Disk full", "dedup_key": "db-3", "severity": "critical", "state": "firing", "url": "https://x.example.com/",
            "labels": { "host": "db-3", "expr": "a=b" } })
    );
}

#[tokio::test]
async fn a_scripts_output_is_title_and_text() {
    let server = Server::open(|_| taken(&json!({ "alert": null, "incident": null, "outcome": "recorded", "reason": "" }))).await;
    let mut caller = Caller::of(&server);
    caller.input = "\n  pg_dump: error\ndetail one\ndetail two\n";
    let went = caller.types(&["send", "-", "--key", "k", "--wait", "0s"]).await;
    assert_eq!((went.exit, went.out.as_str()), (Exit::Done, "sent: stored; it is decided in a moment\n"));
    let asked = &server.asked()[0];
    assert_eq!(asked.json(), json!({ "title": "pg_dump: error", "state": "firing", "labels": { "text": "detail one\ndetail two" } }));
    assert_eq!(asked.header("prefer"), "");
    caller.input = " \n";
    let went = caller.types(&["send", "-", "--key", "k"]).await;
    assert_eq!(went.exit, Exit::Usage);
    assert_eq!(caller.types(&["send", "-", "--key", "k", "--dedup-key", "d", "--state", "resolved"]).await.exit, Exit::Done);
    assert_eq!(server.asked()[1].json(), json!({ "dedup_key": "d", "state": "resolved" }));
}

#[tokio::test]
async fn another_senders_body_goes_as_it_is() {
    let server = Server::open(|_| taken(&json!({ "alert": "alr_1", "incident": 1, "outcome": "folded", "reason": "joined_group" }))).await;
    let mut caller = Caller::of(&server);
    caller.input = "{ \"event_name\" : \"new_item\" }";
    let went = caller.types(&["send", "-", "--key", "k", "--source", "rollbar"]).await;
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    assert!(went.out.starts_with("sent: joined incident #1 (alr_1): it came within"), "{}", went.out);
    assert_eq!((server.asked()[0].uri.path(), &server.asked()[0].body[..]), ("/hooks/rollbar/k", caller.input.as_bytes()));
    for line in [
        ["send", "Title", "--source", "rollbar", "--key", "k"].as_slice(),
        &["send", "-", "--source", "rollbar", "--key", "k", "--label", "a=b"],
    ] {
        assert_eq!(caller.types(line).await.exit, Exit::Usage);
    }
}

#[tokio::test]
async fn a_monitors_command_sends_its_fields_and_its_environment() {
    let server = Server::open(|_| taken(&json!({ "alert": "alr_1", "incident": 1, "outcome": "opened", "reason": "new_condition" }))).await;
    let mut caller = Caller::of(&server);
    let hook = format!("{}/hooks/nagios/a%2Fb%20key", server.url);
    let hostile = "'; rm -rf / #\n\"$(reboot)\" `x`";
    let variables =
        [("NAGIOS_HOSTNAME", "db01"), ("NAGIOS_SERVICEOUTPUT", hostile), ("NAGIOS_", "x"), ("NAGIOS_SERVICEDESC", ""), ("HOME", "/root")];
    caller.variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let went = caller.types(&["send", "--hook", &hook, "--environment", "NAGIOS_"]).await;
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    let asked = &server.asked()[0];
    assert_eq!((asked.uri.path(), asked.header("authorization")), ("/hooks/nagios/a%2Fb%20key", ""));
    assert_eq!(asked.json(), json!({ "HOSTNAME": "db01", "SERVICEOUTPUT": hostile }));
    let line = ["send", "--key", "k", "--source", "nagios", "--field", "HOSTNAME=db=02", "--field", "OUTPUT=", "--environment", "NAGIOS_H"];
    let went = caller.types(&line).await;
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    let asked = &server.asked()[1];
    assert_eq!((asked.uri.path(), asked.json()), ("/hooks/nagios/k", json!({ "HOSTNAME": "db=02", "OSTNAME": "db01", "OUTPUT": "" })));
    for line in [
        ["send", "--hook", &hook, "--environment", "ICINGA_"].as_slice(),
        &["send", "Title", "--hook", &hook, "--field", "a=b"],
        &["send", "--dedup-key", "d", "--hook", &hook, "--field", "a=b"],
        &["send", "--hook", "https://example.com/nagios/swordfish", "--field", "a=b"],
        &["send", "--hook", "swordfish/hooks/nagios/swordfish", "--field", "a=b"],
        &["send", "--hook", "https://example.com/hooks//swordfish", "--field", "a=b"],
    ] {
        let went = caller.types(line).await;
        assert_eq!(went.exit, Exit::Usage, "{line:?}");
        assert!(!went.err.contains("swordfish") && !went.err.contains("20key"), "{}", went.err);
    }
    // Nor when nobody is there.
    let went = caller.types(&["send", "--hook", "http://127.0.0.1:1/hooks/nagios/swordfish", "--field", "a=b", "--retry", "0s"]).await;
    assert_eq!(went.exit, Exit::Unreachable);
    assert!(went.err.contains("http://127.0.0.1:1 cannot be reached") && !went.err.contains("swordfish"), "{}", went.err);
}

#[tokio::test]
async fn what_was_not_stored_is_not_called_sent() {
    let server = Server::refuses(503, "Nothing was stored.").await;
    let went = Caller::of(&server).types(&["send", "Hi", "--key", "k", "--retry", "0s"]).await;
    assert_eq!((went.exit, went.out.as_str()), (Exit::Failed, ""));
    assert_eq!(went.err, "error: Nothing was stored.\nTry again in a moment\n");
    let empty = Server::says(json!({ "results": [] })).await;
    assert_eq!(Caller::of(&empty).types(&["send", "Hi", "--key", "k", "--retry", "0s"]).await.exit, Exit::Failed);
    let went = Caller::of(&server).types(&["send", "Hi", "--key", ""]).await;
    assert_eq!(went.exit, Exit::Usage);
    assert!(went.err.contains("REVEILLE_KEY"), "{}", went.err);
}
