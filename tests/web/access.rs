//! Who may pass which door.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use reveille::base::viewer::{Role, Scope};
use reveille::web::{self, Needs};
use tower_service::Service as _;

use crate::desk::Desk;

/// A path of the table with something in its places.
fn filled(path: &str) -> String {
    path.replace("{number}", "1")
        .replace("{act}", "acknowledge")
        .replace("{subject}", "1")
        .replace("{link}", "nolink")
        .replace("{n}", "1")
        .replace("{id}", "api-generic")
        .replace("{alert}", "alr_none")
        .replace("{task}", "1")
        .replace("{schedule}", "platform")
        .replace("{integration}", "api-generic")
        .replace("{user}", "bo")
        .replace("{override}", "ovr_none")
        .replace("{silence}", "none")
        .replace("{window}", "none")
        .replace("{mark}", "1")
}

/// Everybody there is, by what lets them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Stranger,
    Person(&'static str, Role),
    Token(Scope),
    /// A key that sends signals.
    Integration,
}

const EVERYBODY: [Who; 9] = [
    Who::Stranger,
    Who::Integration,
    Who::Person("oz", Role::Observer),
    Who::Person("bo", Role::Responder),
    Who::Person("mo", Role::Manager),
    Who::Person("ana", Role::Admin),
    Who::Token(Scope::Read),
    Who::Token(Scope::Respond),
    Who::Token(Scope::Admin),
];

/// Written out, and not asked of the code under test.
fn may(who: Who, needs: Needs) -> bool {
    match (needs, who) {
        (Needs::Nobody, _) => true,
        (_, Who::Stranger | Who::Integration) => false,
        (Needs::Reader, _) => true,
        (Needs::Responder, Who::Person(_, Role::Observer) | Who::Token(Scope::Read)) => false,
        (Needs::Responder, _) => true,
        (Needs::Admin, Who::Person(_, Role::Admin) | Who::Token(Scope::Admin)) => true,
        (Needs::Admin, _) => false,
    }
}

/// What the gate says when it keeps somebody out: a handler's own refusals read otherwise.
fn is_kept_out(answer: &Head) -> bool {
    answer.status == StatusCode::UNAUTHORIZED
        // The gate remembers which page was wanted, and nothing else.
        || (answer.location == "/sign-in" && answer.cookie.as_deref().is_none_or(|cookie| cookie.starts_with("reveille-wanted=")))
        || (answer.status == StatusCode::FORBIDDEN
            && ["This is for administrators", "Your role may look", "may only read", "may not administer", "not made for this browser"]
                .iter()
                .any(|words| answer.text.contains(words)))
}

/// An answer whose body may never end.
#[derive(Debug)]
struct Head {
    status: StatusCode,
    location: String,
    cookie: Option<String>,
    text: String,
}

async fn asks(desk: &Desk, method: &Method, path: &str, headers: &[(&str, &str)], body: String) -> Head {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).expect("a request");
    let (parts, body) = desk.router.clone().call(request).await.expect("a router answers always").into_parts();
    let text = |name| parts.headers.get(name).map(|value: &header::HeaderValue| value.to_str().expect("plain text").to_owned());
    let is_stream = text(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let bytes = if is_stream { Bytes::new() } else { body.collect().await.expect("the answer ends").to_bytes() };
    Head {
        status: parts.status,
        location: text(header::LOCATION).unwrap_or_default(),
        cookie: text(header::SET_COOKIE),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_its_row_lets_in_and_nobody_else() {
    let desk = Desk::open().await;
    desk.fires("db down").await;
    let tokens = [desk.token(Scope::Read).await, desk.token(Scope::Respond).await, desk.token(Scope::Admin).await];
    let mut checked = 0;
    for (method, path, needs) in web::routes() {
        let path = filled(path);
        for who in EVERYBODY {
            let (cookie, csrf);
            let (headers, body) = match who {
                Who::Stranger => (Vec::new(), String::new()),
                Who::Integration => (vec![("authorization", "Bearer generickey000000000000001")], String::new()),
                Who::Person(id, _) => {
                    (cookie, csrf) = desk.sign_in(id).await;
                    (vec![("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())], format!("csrf={csrf}"))
                }
                Who::Token(scope) => {
                    let [read, respond, admin] = &tokens;
                    let token = match scope {
                        Scope::Read => read,
                        Scope::Respond => respond,
                        Scope::Admin => admin,
                    };
                    (vec![("authorization", token.as_str())], String::new())
                }
            };
            let answer = asks(&desk, &method, &path, &headers, body).await;
            assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path} for {who:?}: {answer:?}");
            // A token opens the doors of scripts; a browser's pages and forms want a session.
            let is_api = path.starts_with("/api/");
            if matches!(who, Who::Token(_) | Who::Integration) && !is_api {
                assert!(needs == Needs::Nobody || is_kept_out(&answer), "{method} {path} for {who:?}: {answer:?}");
            } else if needs == Needs::Nobody && who == Who::Integration {
                // Whoever shows a token is told when it is none, also where none is needed.
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}: {answer:?}");
            } else if needs == Needs::Nobody {
                assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} for {who:?}: {answer:?}");
            } else if path == "/sign-out" && may(who, needs) {
                assert!(answer.location == "/sign-in" && answer.cookie.is_some(), "{who:?}: {answer:?}");
            } else {
                assert_eq!(is_kept_out(&answer), !may(who, needs), "{method} {path} for {who:?}: {answer:?}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 60 * EVERYBODY.len(), "the table was read: {checked}");
}

#[tokio::test]
async fn no_cookie_changes_anything_without_the_token_of_its_forms() {
    let desk = Desk::open().await;
    let number = desk.fires("db down").await;
    let (cookie, csrf) = desk.sign_in("ana").await;
    let (_, of_another) = desk.sign_in("bo").await;
    let mut checked = 0;
    for (method, path, needs) in web::routes().filter(|(method, ..)| *method != Method::GET) {
        let path = filled(path);
        for wrong in ["", "guessed", of_another.as_str()] {
            let headers = [("cookie", cookie.as_str()), ("x-csrf-token", wrong)];
            let answer = asks(&desk, &method, &path, &headers, format!("csrf={wrong}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} ({needs:?}) with {wrong:?}: {answer:?}");
            checked += 1;
        }
    }
    assert!(checked > 90, "{checked}");
    assert_eq!(desk.incident(number).await["state"], "triggered");
    // None of these ended the session.
    let body = format!("csrf={csrf}&text=still+here");
    let noted = desk.post(&format!("/incidents/{number}/note"), &[("cookie", &cookie)], body).await;
    assert_eq!(noted.status, StatusCode::SEE_OTHER, "{noted:?}");
}

/// The doors that are no part of the table, since no person's role opens them, and what each goes by.
const OTHER_DOORS: [(&str, &str); 40] = [
    ("/hooks/{source}/{key}", "the key"),
    ("/hooks/{source}/{key}/{*name}", "the key"),
    ("/callbacks/{channel}", "the provider's signature"),
    ("/callbacks/{channel}/{*rest}", "the provider's signature"),
    ("/heartbeats/{key}", "the key"),
    ("/v2/enqueue", "the routing key in the body"),
    ("/v2/change/enqueue", "the routing key in the body"),
    ("/generic/2010-04-15/create_event.json", "the service key in the body"),
    ("/integrations/generic/20131114/alert/{key}/{routing_key}", "the key"),
    ("/v2/alerts", "the GenieKey"),
    ("/v2/alerts/count", "the GenieKey"),
    ("/v2/alerts/requests/{id}", "the GenieKey"),
    ("/v2/alerts/{identifier}", "the GenieKey"),
    ("/v2/alerts/{identifier}/acknowledge", "the GenieKey"),
    ("/v2/alerts/{identifier}/unacknowledge", "the GenieKey"),
    ("/v2/alerts/{identifier}/close", "the GenieKey"),
    ("/v2/alerts/{identifier}/snooze", "the GenieKey"),
    ("/v2/alerts/{identifier}/message", "the GenieKey"),
    ("/v2/alerts/{identifier}/description", "the GenieKey"),
    ("/v2/alerts/{identifier}/priority", "the GenieKey"),
    ("/v2/alerts/{identifier}/notes", "the GenieKey"),
    ("/v2/alerts/{identifier}/tags", "the GenieKey"),
    ("/v2/alerts/{identifier}/details", "the GenieKey"),
    ("/api/v2/status", "the key, or a token"),
    ("/api/v2/receivers", "the key, or a token"),
    ("/api/v2/alerts", "the key, or a token"),
    ("/api/v2/alerts/groups", "the key, or a token"),
    ("/api/v2/silences", "the key, or a token"),
    ("/api/v2/silence/{id}", "the key, or a token"),
    ("/-/healthy", "nothing"),
    ("/-/ready", "nothing"),
    ("/slack/commands", "Slack's signature"),
    ("/slack/interactions", "Slack's signature"),
    ("/slack/events", "Slack's signature"),
    ("/healthz", "nothing"),
    ("/readyz", "nothing"),
    ("/metrics", "metrics_token, where one is set"),
    ("/assets/{name}", "nothing"),
    ("/robots.txt", "nothing"),
    ("/favicon.svg", "nothing"),
];
/// Of the same kind: a number that is printed on every phone it called.
const CARD: (&str, &str) = ("/reveille.vcf", "nothing");

#[test]
fn every_route_stands_in_a_table() {
    let mut known: BTreeSet<&str> = OTHER_DOORS.iter().chain([&CARD]).map(|(path, _)| *path).collect();
    let mut unknown = Vec::new();
    for (file, text) in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web")) {
        let routes =
            text.split(".route(").skip(1).map(|rest| rest.trim_start().split([',', '\n']).next().unwrap_or_default().trim().to_owned());
        for route in routes {
            let path = route.trim_matches('"');
            // The router of people and scripts is made of the table itself.
            if !(known.remove(path) || (file.ends_with("roles.rs") && route == "route.path")) {
                unknown.push(format!("{file}: {route}"));
            }
        }
        let others = ["route_service(", ".nest(", "nest_service(", "fallback_service("];
        unknown.extend(others.iter().filter(|other| text.contains(*other)).map(|other| format!("{file}: {other}")));
    }
    assert!(unknown.is_empty(), "routes in no table: put them into src/web/roles.rs, or here with what opens them: {unknown:?}");
    assert!(known.is_empty(), "these are gone: {known:?}");
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the sources can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).expect("a source can be read")));
        }
    }
    found
}

#[tokio::test]
async fn the_other_doors_let_nobody_in_for_what_they_are() {
    let desk = Desk::open_with_metrics_token("0123456789abcdef").await;
    let admin = desk.token(Scope::Admin).await;
    let (cookie, csrf) = desk.sign_in("ana").await;
    let callers = [vec![], vec![("authorization", admin.as_str())], vec![("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())]];
    for (path, by) in OTHER_DOORS {
        let path =
            path.replace("{source}", "generic").replace("{channel}", "voice").replace("{*rest}", "att_1/keys").replace("{key}", "guessed");
        let method = if by == "nothing" || path == "/metrics" { Method::GET } else { Method::POST };
        let mut answers = Vec::new();
        for caller in &callers {
            let body = r#"{"routing_key":"guessed","service_key":"guessed","event_action":"trigger","event_type":"trigger","description":"x","payload":{"summary":"x","source":"x","severity":"error"}}"#;
            answers.push(asks(&desk, &method, &path, caller, body.to_owned()).await.status);
        }
        // Where a token is one of two keys it opens another part of the door; a cookie is none.
        let takes_tokens = by == "the key, or a token";
        assert!(answers.iter().enumerate().all(|(n, status)| *status == answers[0] || takes_tokens && n == 1), "{path}: {answers:?}");
        if by != "nothing" {
            assert!(answers.iter().all(StatusCode::is_client_error), "{path}: {answers:?}");
        }
    }
}

#[tokio::test]
async fn a_link_is_used_up_by_its_button_and_not_by_looking_at_it() {
    let desk = Desk::open().await;
    let link = desk.link("bo").await;
    for _ in 0..3 {
        let offer = desk.get(&link, &[]).await;
        assert_eq!(offer.status, StatusCode::OK);
        assert!(offer.cookie("reveille").is_none());
    }
    let offer = desk.get(&link, &[]).await;
    let form = offer.cookie("reveille-form").expect("the form's cookie");
    let body = format!("csrf={}", offer.csrf());
    let elsewhere = desk.post(&link, &[], body.clone()).await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN, "a form of another browser: {elsewhere:?}");

    let entered = desk.post(&link, &[("cookie", &form)], body.clone()).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
    let set = entered.headers.get_all("set-cookie").iter().find(|value| value.to_str().is_ok_and(|value| value.starts_with("reveille=")));
    let set = set.expect("a session").to_str().expect("text");
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    let again = desk.post(&link, &[("cookie", &form)], body).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "a link works once");
    assert!(again.text.contains("reveille admin link"), "{}", again.text);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server() {
    let desk = Desk::open().await;
    let (cookie, csrf) = desk.sign_in("bo").await;
    assert_eq!(desk.get("/api/v1/incidents", &[("cookie", &cookie)]).await.status, StatusCode::OK);
    assert_eq!(desk.post("/sign-out", &[("cookie", &cookie)], "csrf=wrong").await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.post("/sign-out", &[("cookie", &cookie)], format!("csrf={csrf}")).await.header("location"), "/sign-in");
    assert_eq!(desk.get("/api/v1/incidents", &[("cookie", &cookie)]).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn over_https_cookies_are_bound_to_the_host() {
    let desk = Desk::open_at("https://reveille.example/").await;
    let link = desk.link("bo").await;
    let offer = desk.get(&link, &[]).await;
    let form = offer.cookie("__Host-reveille-form").expect("the form's cookie");
    let entered = desk.post(&link, &[("cookie", &form)], format!("csrf={}", offer.csrf())).await;
    let set = entered.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
    let session = set.into_iter().find(|value| value.starts_with("__Host-reveille=")).expect("a session");
    assert!(session.contains("; Secure"), "{session}");
}

#[tokio::test]
async fn a_cookie_alone_commands_nothing_and_a_wrong_token_is_no_stranger() {
    let desk = Desk::open().await;
    let number = desk.fires("db down").await;
    let (cookie, csrf) = desk.sign_in("bo").await;
    let path = format!("/api/v1/incidents/{number}/acknowledge");
    assert_eq!(desk.post(&path, &[("cookie", &cookie)], "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.post(&path, &[("cookie", &cookie), ("x-csrf-token", "guess")], "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.incident(number).await["state"], "triggered");
    let taken = desk.post(&path, &[("cookie", &cookie), ("x-csrf-token", &csrf)], "").await;
    assert_eq!((taken.status, &taken.json()["acknowledged_by"]), (StatusCode::OK, &serde_json::json!("bo")));
    // With a good cookie beside it, a wrong token is still refused: the script must hear of it.
    let wrong = desk.get("/api/v1/incidents", &[("cookie", &cookie), ("authorization", "Bearer rev_wrong")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
}
