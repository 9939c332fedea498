//! Maintenance that people plan: over the API, on the web, and beside the file's.

use reqwest::Method;
use reveille::base::time::{Span, Time};
use reveille::flows::maintenance::{Laid, lay};
use serde_json::{Value, json};

use crate::app::{App, GENERIC, TEAM, answer};
use crate::story;

const WINDOWS: &str = "/api/v1/maintenance";

async fn asks(app: &App, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = app.http.request(method, format!("{}{path}", app.url)).bearer_auth(&app.token);
    let told = answer(if body.is_null() { request } else { request.body(body.to_string()) }).await;
    app.settle().await;
    told
}

fn says(title: &str, state: &str) -> Value {
    json!({ "dedup_key": title, "title": title, "severity": "error", "state": state })
}

/// A weekly window for the disks that begins in so many minutes and lasts an hour.
fn weekly(app: &App, minutes: i64) -> Value {
    let start = reveille::domain::local::field("UTC", app.clock.now() + Span::minutes(minutes)).expect("a time");
    json!({ "id": "disk-move", "matchers": ["alertname=~\"disk.*\""], "start": start, "for": "1h", "every": "1w", "comment": "moving" })
}

async fn lays(app: &App) {
    lay(app.house(), &mut Laid::default()).await.expect("it is laid ahead");
    app.settle().await;
}

async fn metrics(app: &App) -> String {
    reqwest::get(format!("{}/metrics", app.url)).await.expect("it answers").text().await.expect("it is text")
}

story!(what_a_person_plans_is_silent_in_its_turn_and_pages_after_it, |app| {
    let (status, made) = asks(app, Method::POST, WINDOWS, &weekly(app, 10)).await;
    assert_eq!((status, &made["is_on"], made["turns"].as_array().map(Vec::len)), (201, &json!(false), Some(2)), "{made}");
    assert_eq!(made["created_by"], "token story");
    assert_eq!(app.hears(GENERIC, &says("disk slow", "firing")).await.outcome, "opened", "it has not begun");
    app.phone("ana").rings().await.press('1').await;
    app.resolves("disk slow").await;
    app.advance("15m").await;
    let heard = app.hears(GENERIC, &says("disk full", "firing")).await;
    assert_eq!((heard.outcome.as_str(), heard.reason.as_str()), ("suppressed", "maintenance covers it"));
    assert!(metrics(app).await.contains("reveille_held_total{reason=\"maintenance\"} 1"));
    // The file is applied again, and the server restarts: it stays.
    app.applies(&TEAM.replace("name = \"Shop\"", "name = \"Store\"")).await;
    app.goes_down().await;
    app.comes_back().await;
    lays(app).await;
    let (_, listed) = asks(app, Method::GET, WINDOWS, &Value::Null).await;
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["is_on"]), (&json!("disk-move"), &json!(true)), "{listed}");
    app.phone("ana").rings_after("55m").await.press('1').await;
    let incident = app.incident(2).await;
    assert_eq!(incident.entry("alerts_outlasted")["text"], "1 alert began under maintenance disk-move, which is over: disk full");
});

story!(an_ended_turn_and_a_removed_window_can_be_taken_back, |app| {
    asks(app, Method::POST, WINDOWS, &weekly(app, 1)).await;
    app.advance("2m").await;
    app.hears(GENERIC, &says("disk full", "firing")).await;
    let (status, ended) = asks(app, Method::POST, &format!("{WINDOWS}/disk-move/end"), &json!({})).await;
    assert_eq!((status, &ended["is_on"], &ended["ended_early"]), (200, &json!(false), &json!(true)), "{ended}");
    let ana = app.phone("ana").rings().await.ignore();
    let (status, back) = asks(app, Method::POST, &format!("{WINDOWS}/disk-move/restore"), &json!({})).await;
    assert_eq!((status, &back["is_on"]), (200, &json!(true)), "{back}");
    ana.has_ended();
    let (status, _) = asks(app, Method::DELETE, &format!("{WINDOWS}/disk-move"), &Value::Null).await;
    assert_eq!(status, 204);
    app.phone("ana").rings_after("3m").await.ignore();
    let (status, back) = asks(app, Method::POST, &format!("{WINDOWS}/disk-move/restore"), &json!({})).await;
    assert_eq!((status, &back["removed_at"], &back["is_on"]), (200, &Value::Null, &json!(true)), "{back}");
    app.everyone_takes_notice();
    assert_eq!(app.incident(1).await.alerts[0]["state"], "suppressed");
    app.command(1, "resolve").await;
});

story!(what_makes_no_sense_is_refused_in_a_sentence, |app| {
    for (field, value, said) in [
        ("id", json!("disk move"), "A window's name has up to 64"),
        ("matchers", json!(["host=~\".*\""]), "at least one must not match an empty text"),
        ("start", json!("tomorrow"), "write it as 2026-11-22T02:00"),
        ("for", json!("2mo"), ""),
        ("every", json!("often"), "Write how often it comes"),
        ("every", json!("1h"), "It begins again before it is over"),
        ("timezone", json!("Mars"), "2026-11-22T02:00"),
    ] {
        let mut body = weekly(app, 10);
        body[field] = value.clone();
        let (status, told) = asks(app, Method::POST, WINDOWS, &body).await;
        assert!(status == 400 || status == 409 || status == 422, "{field} {value}: {status} {told}");
        assert!(told["detail"].as_str().unwrap_or_default().contains(said), "{field} {value}: {told}");
    }
    assert_eq!(asks(app, Method::POST, WINDOWS, &weekly(app, 10)).await.0, 201);
    assert_ne!(asks(app, Method::POST, WINDOWS, &weekly(app, 10)).await.0, 201, "its name is taken");
    let mut other = weekly(app, 60);
    other.as_object_mut().expect("an object").remove("id");
    let (status, changed) = asks(app, Method::PUT, &format!("{WINDOWS}/disk-move"), &other).await;
    assert_eq!((status, &changed["start"]), (200, &other["start"]), "{changed}");
    assert_eq!(asks(app, Method::DELETE, &format!("{WINDOWS}/none"), &Value::Null).await.0, 404);
});

story!(the_pages_show_what_comes_and_the_files_own_are_not_edited_there, |app| {
    let start = reveille::domain::local::field("UTC", app.clock.now() - Span::minutes(5)).expect("a time");
    let of_file = format!(
        "{TEAM}\n[[maintenance]]\nid = \"backups\"\ncomment = \"nightly\"\nmatch = ['alertname=~\"tape.*\"']\nstart = \"{start}\"\nfor = \"1h\"\nevery = \"1d\"\n"
    );
    app.applies(&of_file).await;
    lays(app).await;
    let bo = app.browser("bo").await;
    let page = bo.get("/maintenance").await;
    assert!(page.text.contains("backups") && page.text.contains("by the configuration file") && page.text.contains("under way"));
    assert!(!page.text.contains("/maintenance/backups/remove") && page.text.contains("/maintenance/backups/end"), "{}", page.text);
    let form = |pairs: &[(&str, &str)]| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &page.csrf());
        form.extend_pairs(pairs);
        form.finish()
    };
    let soon = reveille::domain::local::field("Europe/Stockholm", app.clock.now() + Span::minutes(30)).expect("a time");
    let planned =
        [("id", "shop"), ("matchers", "service=\"shop\""), ("start", soon.as_str()), ("for", "2h"), ("every", ""), ("comment", "<b>x")];
    let sent = bo.post("/maintenance", &form(&planned)).await;
    assert_eq!((sent.status, sent.location.as_deref()), (303, Some("/maintenance?done=1")), "{}", sent.text);
    let page = bo.get("/maintenance").await;
    assert!(page.text.contains("&#60;b&#62;x") && page.text.contains("by <bdi>Bo Lind</bdi>"), "{}", page.text);
    let gone = bo.post("/maintenance/shop/remove", &form(&[])).await;
    assert_eq!(gone.location.as_deref(), Some("/maintenance?done=1&undo=shop"));
    assert!(bo.get("/maintenance?done=1&undo=shop").await.text.contains("/maintenance/shop/restore"));
    bo.post("/maintenance/shop/restore", &form(&[])).await;
    let (_, one) = asks(app, Method::GET, &format!("{WINDOWS}/shop"), &Value::Null).await;
    let begins = one["turns"][0]["starts_at"].as_str().map(Time::parse_rfc3339).expect("it comes");
    assert_eq!(begins.map(Time::seconds), Ok((app.clock.now() + Span::minutes(30)).seconds() / 60 * 60), "{one}");
    let refused = bo.post("/maintenance/backups/remove", &form(&[])).await;
    assert!(refused.text.contains("configuration file"), "{}", refused.text);
});
