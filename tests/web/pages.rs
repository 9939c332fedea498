//! What a browser gets.

use axum::http::StatusCode;

use crate::desk::Desk;

#[tokio::test]
async fn the_buttons_work_without_scripts() {
    let desk = Desk::open().await;
    let number = desk.fires("<script>alert(1)</script>").await;
    let (cookie, csrf) = desk.sign_in("bo").await;
    let session = [("cookie", cookie.as_str())];
    let path = format!("/incidents/{number}");
    let page = desk.get(&path, &session).await;
    assert!(page.text.contains(&format!("action=\"{path}/acknowledge\"")), "{}", page.text);
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    assert!(page.text.contains("Waiting for Ana Ruiz"), "{}", page.text);

    for body in ["", "csrf=", "csrf=wrong"] {
        let refused = desk.post(&format!("{path}/acknowledge"), &session, body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{body}");
        assert!(refused.header("content-type").starts_with("text/html"), "{refused:?}");
    }
    assert_eq!(desk.incident(number).await["state"], "triggered");
    for (act, state) in [("acknowledge", "acknowledged"), ("escalate", "triggered"), ("resolve", "resolved"), ("reopen", "triggered")] {
        let pressed = desk.post(&format!("{path}/{act}"), &session, format!("csrf={csrf}")).await;
        assert_eq!((pressed.status, pressed.header("location")), (StatusCode::SEE_OTHER, path.as_str()), "{act}");
        assert_eq!(desk.incident(number).await["state"], state, "{act}");
    }
    let page = desk.get(&path, &session).await;
    assert!(page.text.contains("Acknowledged by Bo Lind"), "{}", page.text);
    assert_eq!(desk.post(&format!("{path}/explode"), &session, format!("csrf={csrf}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_answer_to_a_browser_is_guarded() {
    let desk = Desk::open().await;
    let (cookie, _) = desk.sign_in("bo").await;
    for path in ["/", "/incidents/99", "/nowhere", "/sign-in", "/api/v1/nowhere", "/healthz", "/favicon.svg"] {
        let answer = desk.get(path, &[("cookie", &cookie)]).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "no-referrer"), "{path}");
    }
    for (path, kind) in
        [("/nowhere", "text/html"), ("/incidents/99", "text/html"), ("/incidents/x", "text/html"), ("/api/v1/x", "application/problem")]
    {
        let answer = desk.get(path, &[("cookie", &cookie)]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.header("content-type").starts_with(kind), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn the_list_shows_open_ones_first_and_filters() {
    let desk = Desk::open().await;
    let (cookie, csrf) = desk.sign_in("bo").await;
    let session = [("cookie", cookie.as_str())];
    assert!(desk.get("/", &session).await.text.contains("http://127.0.0.1:8080/hooks/rollbar/"), "the first steps");
    desk.fires("stays open").await;
    let over = desk.fires("is over").await;
    desk.post(&format!("/incidents/{over}/resolve"), &session, format!("csrf={csrf}")).await;
    let list = desk.get("/", &session).await.text;
    assert!(list.find("stays open") < list.find("is over"), "newer, but resolved: {list}");
    let resolved = desk.get("/?state=resolved", &session).await.text;
    assert!(resolved.contains("is over") && !resolved.contains("stays open"), "{resolved}");
}

#[tokio::test]
async fn assets_are_kept_by_their_digest() {
    let desk = Desk::open().await;
    let page = desk.get("/sign-in", &[]).await.text;
    for name in ["app.css", "app.js"] {
        let start = page.find(&format!("/assets/{name}?v=")).expect("the page asks for it");
        let url = page[start..].split('"').next().expect("an address");
        let asset = desk.get(url, &[]).await;
        assert_eq!(asset.status, StatusCode::OK);
        assert!(asset.header("cache-control").contains("immutable"), "{url}");
        assert_eq!(desk.get(&format!("/assets/{name}?v=older"), &[]).await.header("cache-control"), "no-cache");
    }
    assert_eq!(desk.get("/assets/other.js", &[]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn readiness_needs_the_database_and_the_intake_and_tells_the_rest() {
    let desk = Desk::open().await;
    let ready = desk.get("/readyz", &[]).await;
    assert_eq!(ready.status, StatusCode::OK, "{ready:?}");
    assert!(ready.text.contains("warn configuration: the file has a typo"), "{}", ready.text);
    desk.house.store.close().await;
    let closed = desk.get("/readyz", &[]).await;
    assert_eq!(closed.status, StatusCode::SERVICE_UNAVAILABLE, "{closed:?}");
    assert_eq!(desk.get("/healthz", &[]).await.status, StatusCode::OK, "it lives all the same");
}
