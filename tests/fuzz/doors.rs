//! A whole server and anything that anybody may send to it: paths, queries, headers, forms, JSON, and what a provider did sign.
//!
//! Whatever comes, no door answers that something went wrong inside, and what is refused is refused in the words of RFC 9457 or on a page.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use base64::Engine as _;
use reveille::base::clock::Clock;
use reveille::base::secret::{hex, hmac_sha1, hmac_sha256};
use reveille::base::viewer::Scope;
use reveille::boot::config::{self, Surroundings};
use reveille::boot::live;
use reveille::boot::wire::{self, Given, Options, Running};
use reveille::flows::{House, access};
use reveille::sources;
use reveille::web::{self, Doors};
use tokio::net::TcpListener;
use tower_service::Service as _;

const URL: &str = "https://pager.example.com";
const TOKEN: &str = "fuzz-twilio-token";
const SIGNING: &str = "fuzz-slack-signing";

/// Nobody is called: every severity only records, and no provider is there.
const FILE: &str = r#"
[server]
public_url = "https://pager.example.com"

[twilio]
account_sid = "AC00000000000000000000000000000001"
auth_token = "fuzz-twilio-token"
from = "+15005550006"
api_url = "http://127.0.0.1:9"

[slack]
bot_token = "xoxb-fuzz"
signing_secret = "fuzz-slack-signing"
api_url = "http://127.0.0.1:9/slack/api"

[[user]]
id = "ana"
name = "Ana Ruiz"
timezone = "Europe/Paris"
slack = "U0ANA"
admin = true
contacts = [{ id = "text", kind = "sms", to = "+33100000001" }]
rules = [{ urgency = "high", after = "24h", contact = "text" }, { urgency = "low", after = "24h", contact = "text" }]

[[schedule]]
id = "platform"
timezone = "Europe/Paris"
rotations = [{ members = ["ana"], every = "1w", handoff = "Mon 09:00", start = "2026-01-05" }]

[[policy]]
id = "platform"
steps = [{ notify = ["user:ana"], escalate_after = "24h" }]

[[service]]
id = "api"
name = "Public API"
policy = "platform"
severity = { critical = "sev4", error = "sev4", warning = "sev4", info = "sev4" }
"#;

struct Server {
    runtime: tokio::runtime::Runtime,
    router: Router,
    token: String,
    cookie: String,
    csrf: String,
    sources: Vec<&'static str>,
    running: Running,
    _files: tempfile::TempDir,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let files = tempfile::tempdir().expect("a folder");
    let sources: Vec<&str> = sources::names().collect();
    let mut file = FILE.to_owned();
    for source in &sources {
        let period = if *source == "heartbeat" { "period = \"24h\"\n" } else { "" };
        let head = format!("\n[[integration]]\nid = \"{source}\"\nsource = \"{source}\"\nservice = \"api\"\n");
        write!(file, "{head}key = \"fuzzkey-of-{source}-00000\"\n{period}").expect("it is written");
    }
    let around = Surroundings::made(&[], &[("fuzz.toml", &file)]);
    let (config, _) = config::load(Path::new("fuzz.toml"), &around, &sources).expect("the file is good");
    let (running, router, token, cookie, csrf) = runtime.block_on(async {
        let running = wire::start(Options {
            database: files.path().join("fuzz.db").display().to_string(),
            listener: TcpListener::bind(("127.0.0.1", 0)).await.expect("a port"),
            clock: Clock::system(),
            config: Given::Config(Box::new(config)),
            var: files.path().join("var"),
            secret_key: None,
            own: live::Own::default(),
            tls: None,
            ballast_bytes: 0,
        })
        .await
        .expect("it starts");
        let house = &running.house;
        let router = web::router(&Doors::new(house.clone(), std::sync::Arc::new(Vec::new)));
        let token = access::create_token(&house.store, &house.clock, "fuzz", Scope::Admin, None).await.expect("a token");
        let link = access::create_link(&house.store, &house.clock, &"ana".into()).await.expect("a link");
        let (cookie, csrf) = enter(&router, &format!("/sign-in/{}", link.expose())).await;
        (running, router, token.expose().to_owned(), cookie, csrf)
    });
    Server { runtime, router, token, cookie, csrf, sources, running, _files: files }
});

/// The same server's, for what comes in by another door.
pub fn house() -> (&'static tokio::runtime::Runtime, House) {
    (&SERVER.runtime, SERVER.running.house.clone())
}

/// The cookie and the forms' token of a session.
async fn enter(router: &Router, link: &str) -> (String, String) {
    let cookie = |answer: &axum::response::Response| {
        let cookie = answer.headers().get_all(header::SET_COOKIE).iter().next().expect("a cookie").to_str().expect("text");
        cookie.split(';').next().expect("a pair").to_owned()
    };
    let csrf = async |answer: axum::response::Response| {
        let page = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a page");
        let page = String::from_utf8(page.to_vec()).expect("text");
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").expect("a form");
        rest.split('"').next().expect("a value").to_owned()
    };
    let ask = async |request: Request<Body>| router.clone().call(request).await.expect("it answers");
    let offer = ask(Request::get(link).body(Body::empty()).expect("a request")).await;
    let form = cookie(&offer);
    let body = format!("csrf={}", csrf(offer).await);
    let entered = ask(Request::post(link).header(header::COOKIE, &form).body(Body::from(body)).expect("a request")).await;
    let session = entered.headers().get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("text"));
    let session = session.map(|value| value.split(';').next().expect("a pair")).find(|pair| pair.starts_with("__Host-reveille="));
    let session = session.expect("a session").to_owned();
    let me = ask(Request::get("/me").header(header::COOKIE, &session).body(Body::empty()).expect("a request")).await;
    let token = csrf(me).await;
    (session, token)
}

fn ask(request: Request<Body>, about: &str) -> StatusCode {
    let server = &*SERVER;
    let answer = server.runtime.block_on(async {
        let answer = tokio::time::timeout(Duration::from_secs(20), server.router.clone().call(request));
        answer.await.unwrap_or_else(|_| panic!("no answer: {about}")).expect("a router answers always")
    });
    let status = answer.status();
    assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "{about}");
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    if about.contains(" /api/") && (status.is_client_error() || status.is_server_error()) {
        assert_eq!(kind, "application/problem+json", "{about}: {status}");
    }
    status
}

/// The input in so many parts, at its NUL bytes; what is missing is empty.
fn parts<const N: usize>(input: &[u8]) -> [&[u8]; N] {
    let mut parts = input.splitn(N, |byte| *byte == 0);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(200) {
        match byte {
            b'-' | b'_' | b'.' | b':' => text.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => text.push(char::from(*byte)),
            byte => write!(text, "%{byte:02X}").expect("it is written"),
        }
    }
    if text.is_empty() || text == "." || text == ".." { "1".to_owned() } else { text }
}

/// As far as HTTP lets it through at all.
fn header_value(bytes: &[u8]) -> header::HeaderValue {
    let seen: Vec<u8> = bytes.iter().copied().filter(|byte| *byte == b'\t' || (*byte >= 32 && *byte != 127)).collect();
    header::HeaderValue::from_bytes(&seen).expect("nothing else was left")
}

/// Any route of the table by somebody who may, with anything in its places, query, headers and body.
pub fn route(input: &[u8]) {
    let server = &*SERVER;
    let (which, rest) = input.split_first().unwrap_or((&0, input));
    let [place, query, prefer, repeat, last, body] = parts(rest);
    let routes: Vec<_> = web::routes().collect();
    let (method, path, _) = &routes[usize::from(*which) % routes.len()];
    if path.starts_with("/sign-") || *path == "/me/sessions/end" {
        return;
    }
    let mut filled = String::new();
    for (n, piece) in path.split('{').enumerate() {
        match piece.split_once('}') {
            // A number, as often as anything else.
            Some((name, after)) if n > 0 => {
                let small = matches!(name, "number" | "subject") && place.len() < 3;
                filled.push_str(&if small { "1".to_owned() } else { encoded(place) });
                filled.push_str(after);
            }
            Some(_) | None => filled.push_str(piece),
        }
    }
    let query: String =
        query.iter().filter(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(byte)).map(|byte| char::from(*byte)).collect();
    let about = format!("{method} {filled}?{query} {:?}", String::from_utf8_lossy(body));
    let Ok(uri) = format!("{filled}?{query}").parse::<axum::http::Uri>() else { return };
    let mut request =
        Request::builder().method(method).uri(uri).header("prefer", header_value(prefer)).header("last-event-id", header_value(last));
    if !repeat.is_empty() {
        request = request.header("idempotency-key", header_value(repeat));
    }
    let (request, body) = if path.starts_with("/api/") {
        (request.header(header::AUTHORIZATION, format!("Bearer {}", server.token)), body.to_vec())
    } else {
        let csrf = format!("csrf={}&", server.csrf);
        (request.header(header::COOKIE, &server.cookie), [csrf.as_bytes(), body].concat())
    };
    ask(request.body(Body::from(body)).expect("a request"), &about);
}

/// What senders send, with its key or without.
pub fn sender(input: &[u8]) {
    let server = &*SERVER;
    let (which, rest) = input.split_first().unwrap_or((&0, input));
    let [path, prefer, repeat, body] = parts(rest);
    let places = server.sources.len() + 5;
    let at = usize::from(*which) % places;
    let path = match at.checked_sub(server.sources.len()) {
        None => format!("/hooks/{0}/fuzzkey-of-{0}-00000", server.sources[at]),
        Some(0) => "/v2/enqueue".to_owned(),
        Some(1) => "/v2/change/enqueue".to_owned(),
        Some(2) => "/generic/2010-04-15/create_event.json".to_owned(),
        Some(3) => format!("/heartbeats/{}", encoded(path)),
        Some(_) => format!("/hooks/{}/{}", encoded(path), encoded(prefer)),
    };
    let mut request = Request::post(&path).header("prefer", header_value(prefer));
    if !repeat.is_empty() {
        request = request.header("idempotency-key", header_value(repeat));
    }
    let status = ask(request.body(Body::from(body.to_vec())).expect("a request"), &format!("POST {path}"));
    let has_key = at < server.sources.len();
    assert!(status == StatusCode::ACCEPTED || !has_key, "a signal was refused: {status} {path} {:?}", String::from_utf8_lossy(body));
}

/// A text that somebody wrote back: `1`, `ack 42`, STOP, anything.
pub fn reply(input: &[u8]) {
    let text = String::from_utf8_lossy(input).into_owned();
    let mut form = [("Body", text.as_str()), ("From", "+33100000001"), ("MessageSid", "SM1"), ("To", "+15005550006")].to_vec();
    form.sort_unstable();
    let path = "/callbacks/sms";
    let fields: String = form.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let signature =
        base64::engine::general_purpose::STANDARD.encode(hmac_sha1(TOKEN.as_bytes(), format!("{URL}{path}{fields}").as_bytes()));
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let request = Request::post(path).header("x-twilio-signature", signature).body(Body::from(body)).expect("a request");
    let status = ask(request, &format!("the reply {text:?}"));
    assert!(status.is_success(), "the reply {text:?}: {status}");
}

/// What somebody whom we know says in Slack, or presses, or a body of no shape: signed, all of it.
pub fn said(input: &[u8]) {
    let (which, rest) = input.split_first().unwrap_or((&0, input));
    let text = String::from_utf8_lossy(rest).into_owned();
    let command = |text: &str| {
        let form = [("user_id", "U0ANA"), ("channel_id", "C0ROOM"), ("command", "/incident"), ("text", text)];
        form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into_bytes()
    };
    let (path, body, is_ours) = match which % 4 {
        0 | 1 => ("/slack/commands", command(&text), true),
        2 => ("/slack/interactions", rest.to_vec(), false),
        _ => ("/slack/events", rest.to_vec(), false),
    };
    let now = SERVER.running.house.clock.now().seconds().to_string();
    let signature = hex(&hmac_sha256(SIGNING.as_bytes(), &[b"v0:", now.as_bytes(), b":", &body].concat()));
    let request = Request::post(path).header("x-slack-request-timestamp", now).header("x-slack-signature", format!("v0={signature}"));
    let status = ask(request.body(Body::from(body)).expect("a request"), &format!("{path} {text:?}"));
    assert!(!is_ours || status == StatusCode::OK, "{text:?}: {status}");
    assert_ne!(status, StatusCode::UNAUTHORIZED, "it was signed");
}

/// One of each kind, so that the damage starts from something that was good.
pub fn route_seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (n, (method, path, _)) in web::routes().enumerate() {
        let Ok(which) = u8::try_from(n) else { break };
        let body: &str = match (method == Method::GET, path.starts_with("/api/")) {
            (true, _) => "",
            (false, true) => {
                r#"{"title":"x","text":"x","for":"1h","severity":"sev3","user":"ana","role":"lead","state":"doing","from":"2026-01-05T00:00:00Z","until":"2026-01-06T00:00:00Z"}"#
            }
            (false, false) => {
                "title=x&text=x&for=1h&at=12:30&owner=ana&severity=sev3&user=ana&do=block&on=x&kind=sms&to=%2B33100000001&id=x"
            }
        };
        let query = "limit=10&cursor=MTI&state=triggered&service=api&q=x&at=2026-01-05T00:00:00Z&after=3";
        seeds.push([&[which][..], b"1\0", query.as_bytes(), b"\0wait=1\0one\x007\0", body.as_bytes()].concat());
    }
    seeds
}

pub fn sender_seeds() -> Vec<Vec<u8>> {
    let body = r#"{"title":"x","dedup_key":"x","severity":"error","routing_key":"fuzzkey-of-pagerduty-00000","service_key":"fuzzkey-of-pagerduty-00000","event_action":"trigger","event_type":"trigger","description":"x","payload":{"summary":"x","source":"x","severity":"error"}}"#;
    (0..=20_u8).map(|which| [&[which][..], b"x\0wait=1; x, y\0one\0", body.as_bytes()].concat()).collect()
}
