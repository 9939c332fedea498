//! What people do in the pages: the board, declaring, turns on call, the integrations; every text that gets there is a stranger's.

use axum::http::StatusCode;

use crate::desk::{Desk, GENERIC};

const HOSTILE: &str = "<script>alert(1)</script>\"' onload=x &amp; \u{202e}gnp";

/// As a browser sends a field.
fn field(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn the_board_is_worked_with_plain_forms() {
    let desk = Desk::open().await;
    let number = desk.fires("db down").await;
    let (bo, csrf) = desk.sign_in("bo").await;
    let session = [("cookie", bo.as_str())];
    let path = format!("/incidents/{number}");
    let send = async |to: &str, fields: &str| {
        let answer = desk.post(&format!("{path}/{to}"), &session, format!("csrf={csrf}&{fields}")).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, path.as_str()), "{to} {fields}: {answer:?}");
        desk.get(&path, &session).await.text
    };
    let page = send("task", "title=Fail+over+the+database&owner=ana&back=15m").await;
    assert!(page.contains("Fail over the database") && page.contains("class=\"task doing\""), "{page}");
    let page = send("task", "title=Write+to+customers").await;
    assert!(page.contains("class=\"task todo\""), "{page}");
    let page = send("tasks/2", "do=take").await;
    assert!(page.contains("id=\"take-1\"") && !page.contains("id=\"take-2\""), "his own he cannot take again: {page}");
    let page = send("tasks/2", "do=block&on=ana").await;
    assert!(page.contains("waits for <bdi>Ana Ruiz</bdi>"), "an id is shown as a name: {page}");
    let page = send("tasks/2", "do=doing").await;
    assert!(!page.contains("<span class=\"blocked\">"), "{page}");
    let page = send("tasks/1", "do=drop").await;
    assert!(page.contains("Done and dropped: 1") && page.contains("id=\"todo-1\""), "a slip can be undone: {page}");
    let page = send("tasks/1", "do=todo").await;
    assert!(!page.contains("Done and dropped"), "{page}");
    desk.passes(reveille::base::time::Span::minutes(16));
    let page = desk.get(&path, &session).await.text;
    assert!(page.contains("overdue, was back"), "{page}");

    let page = send("role", "role=lead&user=bo").await;
    assert!(page.contains("lead <strong>Bo Lind</strong>"), "{page}");
    let page = send("severity", "to=sev1").await;
    assert!(page.contains("class=\"sev sev1\""), "{page}");
    let page = send("title", "title=The+database+is+gone").await;
    assert!(page.contains("<h1><bdi>The database is gone</bdi></h1>"), "{page}");
    let page = send("note", "text=I+saw+smoke&at=02:56").await;
    assert!(page.contains("I saw smoke"), "{page}");
    let page = send("update", "text=We+are+on+it").await;
    assert!(page.contains("We are on it"), "{page}");

    for (to, fields) in [
        ("task", "title="),
        ("note", "text=x&at=late"),
        ("severity", "to=sev9"),
        ("role", "role=boss&user=bo"),
        ("role", "role=lead&user=nobody"),
        ("snooze", "for=9w"),
        ("page", "whom=user:nobody"),
        ("tasks/2", "do=block&on="),
    ] {
        let refused = desk.post(&format!("{path}/{to}"), &session, format!("csrf={csrf}&{fields}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{to} {fields}: {refused:?}");
    }
    let (oz, oz_csrf) = desk.sign_in("oz").await;
    let page = desk.get(&path, &[("cookie", &oz)]).await.text;
    assert!(page.contains("Write to customers") && !page.contains("/tasks/"), "observers see the board and press nothing: {page}");
    let refused = desk.post(&format!("{path}/task"), &[("cookie", &oz)], format!("csrf={oz_csrf}&title=x")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_incident_is_declared_with_a_title_alone_and_found_again() {
    let desk = Desk::open().await;
    let (bo, csrf) = desk.sign_in("bo").await;
    let session = [("cookie", bo.as_str())];
    assert_eq!(desk.get("/incidents/new", &session).await.status, StatusCode::OK);
    assert_eq!(desk.post("/incidents/new", &session, format!("csrf={csrf}&title=+")).await.status, StatusCode::BAD_REQUEST);
    let made = desk.post("/incidents/new", &session, format!("csrf={csrf}&title=Nobody+can+log+in")).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::SEE_OTHER, "/incidents/1"), "{made:?}");
    desk.fires("the disk is full").await;
    for (query, found, missing) in [
        ("q=LOG+IN", "Nobody can log in", "the disk is full"),
        ("q=disk", "the disk is full", "Nobody can log in"),
        ("service=api&q=full", "the disk is full", "Nobody can log in"),
    ] {
        let list = desk.get(&format!("/?{query}"), &session).await.text;
        assert!(list.contains(found) && !list.contains(missing), "{query}: {list}");
    }
    for query in ["severity=sev1", "service=other", "q=%25", "q=nothing+like+it"] {
        let list = desk.get(&format!("/?{query}"), &session).await.text;
        assert!(list.contains("No incident is like that"), "{query}: {list}");
    }
}

#[tokio::test]
async fn a_recorded_alert_waits_to_be_made_an_incident() {
    let desk = Desk::open().await;
    let (bo, csrf) = desk.sign_in("bo").await;
    let session = [("cookie", bo.as_str())];
    assert!(desk.get("/alerts", &session).await.text.contains("Nothing is recorded here"));
    let body = serde_json::json!({ "dedup_key": "cert", "title": "The certificate ends in 6 days", "severity": "info" }).to_string();
    let sent = desk.post(GENERIC, &[("prefer", "wait=10")], body).await.json();
    assert_eq!(sent["results"][0]["outcome"], "recorded", "{sent}");
    let alert = sent["results"][0]["alert"].as_str().expect("an alert").to_owned();
    let page = desk.get("/alerts", &session).await.text;
    assert!(page.contains("The certificate ends in 6 days"), "{page}");
    let made = desk.post(&format!("/alerts/{alert}/promote"), &session, format!("csrf={csrf}")).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::SEE_OTHER, "/incidents/1"), "{made:?}");
    assert_eq!(desk.post("/alerts/alr_none/promote", &session, format!("csrf={csrf}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn people_take_turns_over_themselves_and_others_only_as_managers() {
    let desk = Desk::open().await;
    let (bo, csrf) = desk.sign_in("bo").await;
    let session = [("cookie", bo.as_str())];
    let page = desk.get("/oncall", &session).await.text;
    assert!(page.contains("<strong>Bo Lind</strong>") && page.contains("that is you"), "{page}");
    assert!(page.contains("Wed 7 Jan 10:00") && page.contains("Wed 7 Jan 09:00 in UTC"), "by his clock and by the schedule's: {page}");
    assert_eq!(page.matches("class=\"day\"").count(), 14, "{page}");
    let take = async |cookie: &str, csrf: &str, user: &str, until: &str| {
        let fields = format!("csrf={csrf}&schedule=platform&user={user}&from=2026-01-08T20:00&until={until}");
        desk.post("/oncall/overrides", &[("cookie", cookie)], fields).await
    };
    assert_eq!(take(&bo, &csrf, "ana", "2026-01-09T08:00").await.status, StatusCode::FORBIDDEN);
    assert_eq!(take(&bo, &csrf, "bo", "2026-01-08T08:00").await.status, StatusCode::BAD_REQUEST, "it ends before it begins");
    assert_eq!(take(&bo, &csrf, "bo", "tomorrow").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(take(&bo, &csrf, "bo", "2026-01-09T08:00").await.header("location"), "/oncall?done=1");
    let (ana, ana_csrf) = desk.sign_in("ana").await;
    assert_eq!(take(&ana, &ana_csrf, "oz", "2026-01-09T08:00").await.header("location"), "/oncall?done=1");
    let page = desk.get("/oncall", &session).await.text;
    assert!(page.contains("Thu 8 Jan 20:00 – Fri 9 Jan 08:00"), "{page}");
    assert_eq!(page.matches("/remove\"").count(), 1, "he can give back his own: {page}");
    let of = |page: &str, at: usize| page.split("/oncall/overrides/").nth(at).and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let all = desk.get("/oncall", &[("cookie", &ana)]).await.text;
    let his = of(&page, 1).expect("his override");
    let hers = [of(&all, 1), of(&all, 2)].into_iter().flatten().find(|id| *id != his).expect("the other");
    let remove = |id: &str| format!("/oncall/overrides/{id}/remove");
    assert_eq!(desk.post(&remove(&hers), &session, format!("csrf={csrf}")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.post(&remove(&his), &session, format!("csrf={csrf}")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.post(&remove(&his), &session, format!("csrf={csrf}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_integration_shows_its_address_once_asked_and_what_came_last() {
    let desk = Desk::open().await;
    let (ana, csrf) = desk.sign_in("ana").await;
    let session = [("cookie", ana.as_str())];
    let own = "/integrations/api-generic";
    let list = desk.get("/integrations", &session).await.text;
    assert!(list.contains("href=\"/integrations/api-generic\"") && list.contains("nothing has come yet"), "{list}");
    assert_eq!(desk.get("/integrations/nosuch", &session).await.status, StatusCode::NOT_FOUND);
    let page = desk.get(own, &session).await.text;
    // The guide too names the address, and no key before it is asked for.
    assert!(page.contains("<code>curl -fsS 'http://127.0.0.1:8080/hooks/generic/••••"), "{page}");
    assert!(page.contains("/hooks/generic/••••") && !page.contains("generickey000000000000001"), "{page}");
    assert!(page.contains("Nothing has come from it yet"), "{page}");
    let shown = desk.post("/integrations/api-generic/address", &session, format!("csrf={csrf}")).await;
    assert!(shown.text.contains("http://127.0.0.1:8080/hooks/generic/generickey000000000000001"), "{}", shown.text);
    assert!(shown.text.contains("<code>curl -fsS 'http://127.0.0.1:8080/hooks/generic/generickey000000000000001'"), "{}", shown.text);
    assert!(!shown.text.contains("rollbarkey") && shown.header("cache-control") == "no-store", "{shown:?}");
    let page = desk.get(own, &session).await.text;
    assert!(!page.contains("generickey") && page.contains("last shown to Ana Ruiz"), "{page}");

    let tested = desk.post("/integrations/api-generic/test", &session, format!("csrf={csrf}")).await;
    assert!(tested.text.contains("came through and was ignored, as it should be"), "{}", tested.text);
    assert!(tested.text.contains("A test signal from the web pages"), "{}", tested.text);
    assert_eq!(desk.get("/", &session).await.text.matches("class=\"state").count(), 0, "no incident came of it");

    desk.passes(reveille::base::time::Span::seconds(2));
    let body = serde_json::json!({ "title": HOSTILE, "api_token": "swordfish", "note": "Authorization: Bearer swordfish" }).to_string();
    desk.post(GENERIC, &[("prefer", "wait=10")], body).await;
    let page = desk.get(own, &session).await.text;
    assert!(page.contains("<strong>opened</strong>") && page.contains("href=\"/incidents/1\""), "{page}");
    assert!(!page.contains("swordfish") && page.contains("***"), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    for _ in 0..30 {
        desk.passes(reveille::base::time::Span::seconds(2));
        desk.post(GENERIC, &[("prefer", "wait=10")], r#"{"title":"again"}"#).await;
    }
    let page = desk.get(own, &session).await.text;
    assert_eq!(page.matches("<summary>").count(), 10, "a few are kept: {page}");
}

#[tokio::test]
async fn what_can_send_here_is_found_by_name_with_the_lines_for_the_file() {
    let desk = Desk::open().await;
    let (ana, _) = desk.sign_in("ana").await;
    let session = [("cookie", ana.as_str())];
    let all = desk.get("/senders", &session).await.text;
    assert_eq!(all.matches("<details").count(), reveille::sources::names().count(), "{all}");
    let found = desk.get("/senders?q=ROLL", &session).await.text;
    assert_eq!(found.matches("<details").count(), 1, "{found}");
    assert!(found.contains("source = &#34;rollbar&#34;\n") && found.contains("ROLLBAR_KEY"), "{found}");
    assert!(found.contains("http://127.0.0.1:8080/hooks/rollbar/YOUR-KEY"), "{found}");
    assert!(found.contains("href=\"/integrations/api-rollbar\""), "{found}");
    let none = desk.get("/senders?q=%3Cscript%3E", &session).await.text;
    assert!(none.contains("No sender is called that") && !none.contains("<script>"), "{none}");
}

#[tokio::test]
async fn hostile_text_stays_text_on_every_page() {
    let desk = Desk::open().await;
    let (ana, csrf) = desk.sign_in("ana").await;
    let session = [("cookie", ana.as_str()), ("user-agent", HOSTILE)];
    let hostile = field(HOSTILE);
    let number = desk.fires(HOSTILE).await;
    let send = async |path: String, fields: String| {
        let answer = desk.post(&path, &session, format!("csrf={csrf}&{fields}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {answer:?}");
    };
    let path = format!("/incidents/{number}");
    for (to, fields) in [
        ("title", format!("title={hostile}")),
        ("note", format!("text={hostile}")),
        ("update", format!("text={hostile}")),
        ("task", format!("title={hostile}&owner=bo")),
        ("task", format!("title={hostile}")),
        ("tasks/1", format!("do=block&on={hostile}")),
        ("tasks/2", "do=drop".to_owned()),
    ] {
        send(format!("{path}/{to}"), fields).await;
    }
    send("/incidents/new".to_owned(), format!("title={hostile}")).await;
    let info = serde_json::json!({ "title": HOSTILE, "dedup_key": HOSTILE, "severity": "info" }).to_string();
    desk.post(GENERIC, &[("prefer", "wait=10")], info).await;
    let wrong_name = desk.get("/sign-in", &[]).await;
    let form = wrong_name.cookie("reveille-form").expect("a form's cookie");
    let refused =
        desk.post("/sign-in", &[("cookie", &form)], format!("csrf={}&name={hostile}&password={hostile}", wrong_name.csrf())).await;
    let query = format!("/?q={hostile}&service={hostile}");
    let mut pages = vec![("the sign-in form".to_owned(), refused.text)];
    for path in [
        "/",
        &query,
        &path,
        "/incidents/2",
        "/incidents/new",
        "/alerts",
        "/oncall",
        "/integrations",
        "/integrations/api-generic",
        "/senders",
        "/people",
        "/me",
    ] {
        let page = desk.get(path, &session).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {page:?}");
        pages.push((path.to_owned(), page.text));
    }
    let mut met = 0;
    for (path, page) in pages {
        met += page.matches("&#60;script&#62;alert(1)").count();
        assert!(!page.contains("<script>") && !page.contains("\"' onload") && !page.contains(" style="), "{path}: {page}");
    }
    assert!(met >= 12, "the text was really there: {met}");
}
