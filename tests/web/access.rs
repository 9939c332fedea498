//! Who may pass which door.

use axum::http::{Method, StatusCode};
use reveille::base::viewer::Scope;
use reveille::web::{self, Needs};

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
        .replace("{override}", "ovr_none")
}

#[tokio::test]
async fn every_route_keeps_out_whom_its_row_keeps_out() {
    let desk = Desk::open().await;
    desk.fires("db down").await;
    let reads = desk.token(Scope::Read).await;
    let (observer, csrf) = desk.sign_in("oz").await;
    let mut checked = 0;
    for (method, path, needs) in web::routes() {
        let path = filled(path);
        if path.ends_with("/stream") {
            // A stream that is let through does not end.
            let stranger = desk.send(method, &path, &[], "").await;
            assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{path}");
            checked += 1;
            continue;
        }
        let is_api = path.starts_with("/api/");
        let stranger = desk.send(method.clone(), &path, &[], "").await;
        match needs {
            Needs::Nobody => {}
            Needs::Reader | Needs::Responder | Needs::Admin if is_api || method == Method::POST => {
                assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{method} {path}: {stranger:?}");
            }
            Needs::Reader | Needs::Responder | Needs::Admin => assert_eq!(stranger.header("location"), "/sign-in", "{method} {path}"),
        }
        if matches!(needs, Needs::Responder | Needs::Admin) {
            let by_role = [("cookie", observer.as_str()), ("x-csrf-token", csrf.as_str())];
            let looking = desk.send(method.clone(), &path, &by_role, format!("csrf={csrf}")).await;
            assert_eq!(looking.status, StatusCode::FORBIDDEN, "{method} {path}: {looking:?}");
            if is_api {
                let reading = desk.send(method.clone(), &path, &[("authorization", &reads)], "").await;
                assert_eq!(reading.status, StatusCode::FORBIDDEN, "{method} {path}: {reading:?}");
                assert!(reading.json()["detail"].as_str().is_some_and(|detail| detail.contains("--scope ")));
            }
        }
        checked += 1;
    }
    assert!(checked >= 36, "the table was read");
    assert_eq!(desk.incident(1).await["state"], "triggered", "nobody of these did anything");
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
