//! Signing in by password: how one is set, what wrong ones cost, and what never does.

use axum::http::StatusCode;
use reveille::base::time::Span;

use crate::desk::{Answer, Desk};

const GOOD: &str = "correct horse battery";

/// Uses a link up and chooses a password with it.
async fn choose(desk: &Desk, user: &str, password: &str) -> Answer {
    let link = desk.link(user).await;
    let offer = desk.get(&link, &[]).await;
    let form = offer.cookie("reveille-form").expect("the form's cookie");
    desk.post(&link, &[("cookie", &form)], format!("csrf={}&password={}", offer.csrf(), password.replace(' ', "+"))).await
}

async fn try_with(desk: &Desk, name: &str, password: &str) -> Answer {
    let page = desk.get("/sign-in", &[]).await;
    let form = page.cookie("reveille-form").expect("the form's cookie");
    let body = format!("csrf={}&name={name}&password={}", page.csrf(), password.replace(' ', "+"));
    desk.post("/sign-in", &[("cookie", &form)], body).await
}

#[tokio::test]
async fn a_password_is_chosen_with_the_first_link_and_signs_in_from_then_on() {
    let desk = Desk::open().await;
    assert_eq!(try_with(&desk, "bo", GOOD).await.status, StatusCode::FORBIDDEN, "he has none yet");
    let short = choose(&desk, "bo", "short").await;
    assert!(short.status == StatusCode::BAD_REQUEST && short.text.contains("at least 10 characters"), "{short:?}");
    assert!(short.text.contains("Sign in on this device"), "the link is still good, and the form is shown again: {short:?}");
    assert!(choose(&desk, "bo", "  Bo  LIND   ").await.status == StatusCode::BAD_REQUEST);
    assert_eq!(choose(&desk, "bo", GOOD).await.header("location"), "/");
    let entered = try_with(&desk, "bo", GOOD).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, "/"), "{entered:?}");
    let cookie = entered.cookie("reveille").expect("a session");
    let me = desk.get("/me", &[("cookie", &cookie)]).await;
    assert!(me.text.contains("Bo Lind") && me.text.contains("Present password"), "{}", me.text);
    let wrong = try_with(&desk, "bo", "correct horse").await;
    assert!(wrong.status == StatusCode::FORBIDDEN && wrong.text.contains("do not go together"), "{wrong:?}");
    let stranger = try_with(&desk, "nobody-here", GOOD).await;
    assert!(stranger.text.contains("do not go together"), "who there is, is not told: {stranger:?}");
}

#[tokio::test]
async fn wrong_passwords_wait_longer_and_longer_and_a_link_never_does() {
    let desk = Desk::open().await;
    choose(&desk, "bo", GOOD).await;
    for n in 0..5 {
        assert_eq!(try_with(&desk, "bo", "wrong password").await.status, StatusCode::FORBIDDEN, "try {n}");
    }
    let held = try_with(&desk, "bo", GOOD).await;
    assert_eq!(held.status, StatusCode::TOO_MANY_REQUESTS, "{held:?}");
    assert!(held.text.contains("Try again in 30s") && held.text.contains("sign-in link"), "{}", held.text);
    assert_eq!(try_with(&desk, "ana", "wrong password").await.status, StatusCode::FORBIDDEN, "another account is not held");
    assert_eq!(choose(&desk, "bo", "").await.header("location"), "/", "a link works at once");
    desk.passes(Span::seconds(30));
    assert_eq!(try_with(&desk, "bo", "wrong password").await.status, StatusCode::FORBIDDEN);
    assert!(try_with(&desk, "bo", GOOD).await.text.contains("Try again in 1m"), "the wait grows");
    desk.passes(Span::minutes(1));
    assert_eq!(try_with(&desk, "bo", GOOD).await.header("location"), "/");
    assert_eq!(try_with(&desk, "bo", "wrong password").await.status, StatusCode::FORBIDDEN, "what was right begins anew");
    for n in 0..6 {
        assert!(!try_with(&desk, "nobody-here", GOOD).await.text.contains("no such"), "try {n}");
    }
    assert_eq!(try_with(&desk, "nobody-here", GOOD).await.status, StatusCode::TOO_MANY_REQUESTS, "as for somebody");
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions() {
    let desk = Desk::open().await;
    choose(&desk, "bo", GOOD).await;
    let (here, csrf) = desk.sign_in("bo").await;
    let (there, _) = desk.sign_in("bo").await;
    let change = async |present: &str, new: &str| {
        let body = format!("csrf={csrf}&present={}&password={}", present.replace(' ', "+"), new.replace(' ', "+"));
        desk.post("/me/password", &[("cookie", &here)], body).await
    };
    let wrong = change("not this one", "a new and longer one").await;
    assert!(wrong.status == StatusCode::BAD_REQUEST && wrong.text.contains("present password is not right"), "{wrong:?}");
    assert_eq!(change(GOOD, "a new and longer one").await.header("location"), "/me?done=password");
    assert_eq!(desk.get("/me", &[("cookie", &here)]).await.status, StatusCode::OK);
    assert_eq!(desk.get("/me", &[("cookie", &there)]).await.header("location"), "/sign-in");
    assert_eq!(try_with(&desk, "bo", GOOD).await.status, StatusCode::FORBIDDEN);
    assert_eq!(try_with(&desk, "bo", "a new and longer one").await.header("location"), "/");
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let desk = Desk::open().await;
    let (here, csrf) = desk.sign_in("bo").await;
    let (there, _) = desk.sign_in("bo").await;
    let me = desk.get("/me", &[("cookie", &here)]).await.text;
    assert!(me.contains("this one") && me.contains("End all others"), "{me}");
    let other = me.split("name=\"session\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("another session");
    let (ana, ana_csrf) = desk.sign_in("ana").await;
    desk.post("/me/sessions/end", &[("cookie", &ana)], format!("csrf={ana_csrf}&session={other}")).await;
    assert_eq!(desk.get("/me", &[("cookie", &there)]).await.status, StatusCode::OK, "nobody ends another's");
    let ended = desk.post("/me/sessions/end", &[("cookie", &here)], format!("csrf={csrf}&session={other}")).await;
    assert_eq!(ended.header("location"), "/me?done=session");
    assert_eq!(desk.get("/me", &[("cookie", &there)]).await.header("location"), "/sign-in");
    assert_eq!(desk.get("/me", &[("cookie", &here)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_administrator_invites_from_a_page() {
    let desk = Desk::open().await;
    let (ana, csrf) = desk.sign_in("ana").await;
    let session = [("cookie", ana.as_str())];
    assert!(desk.get("/people", &session).await.text.contains("no password yet"));
    let made = desk.post("/people/bo/invite", &session, format!("csrf={csrf}")).await;
    let link = made.text.split("<code>http://127.0.0.1:8080").nth(1).and_then(|rest| rest.split('<').next()).expect("a link").to_owned();
    assert!(!desk.get("/people", &session).await.text.contains("/sign-in/"), "it is shown once");
    let offer = desk.get(&link, &[]).await;
    assert!(offer.text.contains("Sign in as Bo Lind"), "{offer:?}");
    assert_eq!(desk.post("/people/nobody/invite", &session, format!("csrf={csrf}")).await.status, StatusCode::BAD_REQUEST);
}

/// Whoever follows the link of a text at three in the morning wants that incident.
#[tokio::test]
async fn signing_in_leads_to_the_page_that_was_wanted() {
    let desk = Desk::open().await;
    choose(&desk, "bo", GOOD).await;
    let number = desk.fires("The disk of db-3 is full").await;
    let path = format!("/incidents/{number}");
    let turned = desk.get(&path, &[]).await;
    assert_eq!(turned.header("location"), "/sign-in");
    let wanted = turned.cookie("reveille-wanted").expect("what was wanted");
    let sign_in = async |wanted: &str| {
        let page = desk.get("/sign-in", &[("cookie", wanted)]).await;
        let cookies = format!("{wanted}; {}", page.cookie("reveille-form").expect("the form's cookie"));
        let body = format!("csrf={}&name=bo&password={}", page.csrf(), GOOD.replace(' ', "+"));
        desk.post("/sign-in", &[("cookie", &cookies)], body).await
    };
    let entered = sign_in(&wanted).await;
    assert_eq!((entered.status, entered.header("location")), (StatusCode::SEE_OTHER, path.as_str()), "{entered:?}");
    assert_eq!(entered.cookie("reveille-wanted").as_deref(), Some("reveille-wanted="), "it counts once");
    // A one-time link leads there too.
    let link = desk.link("bo").await;
    let offer = desk.get(&link, &[("cookie", &wanted)]).await;
    let cookies = format!("{wanted}; {}", offer.cookie("reveille-form").expect("the form's cookie"));
    let entered_by_link = desk.post(&link, &[("cookie", &cookies)], format!("csrf={}", offer.csrf())).await;
    assert_eq!(entered_by_link.header("location"), path);
    // Back to the used link: whoever is in already is not told of a mistake.
    let session = entered_by_link.cookie("reveille").expect("a session");
    assert_eq!(desk.get(&link, &[("cookie", &session)]).await.header("location"), "/");
    // What is no page of ours leads nowhere.
    for elsewhere in ["//evil.example", "/\\evil.example", "https://evil.example", "/a?b", "evil"] {
        assert_eq!(sign_in(&format!("reveille-wanted={elsewhere}")).await.header("location"), "/", "{elsewhere}");
    }
    let crafted = desk.get("/incidents/1;Domain=evil.example", &[]).await;
    assert_eq!((crafted.header("location"), crafted.cookie("reveille-wanted")), ("/sign-in", None));
}
