//! What was changed on purpose: it wakes nobody, and is shown with the incidents that follow it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, GENERIC, SHOP};
use crate::story;

async fn is_deployed(app: &App, key: &str, what: &str) {
    let heard = app.hears(key, &json!({"title": what, "state": "changed", "url": "https://ci.example.com/builds/4711"})).await;
    assert_eq!((heard.outcome.as_str(), heard.alert, heard.incident), ("recorded", None, None));
}

fn titles(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("a list").iter().map(|change| change["title"].as_str().expect("a title")).collect()
}

story!(an_incident_shows_what_was_changed_before_it_its_own_service_first, |app| {
    is_deployed(&app, GENERIC, "api 1 is out, two days ago").await;
    app.advance("47h").await;
    is_deployed(&app, GENERIC, "api 2 is out").await;
    app.advance("50m").await;
    is_deployed(&app, SHOP, "shop 7 is <b>out</b>").await;
    app.advance("10m").await;
    app.hears(GENERIC, &json!({"title": "the api is down", "severity": "error"})).await;
    app.advance("1m").await;
    is_deployed(&app, GENERIC, "api 3 is out, too late to be the cause").await;

    let before = app.get("/api/v1/incidents/1/changes").await;
    assert_eq!(titles(&before), ["api 2 is out", "shop 7 is <b>out</b>"], "the nearest of its own service, then the others' of a day");
    let last = app.get("/api/v1/changes?limit=2").await;
    assert_eq!(titles(&last), ["api 3 is out, too late to be the cause", "shop 7 is <b>out</b>"]);
    let next = format!("/api/v1/changes?limit=2&cursor={}", last["next"].as_str().expect("there are more"));
    assert_eq!(titles(&app.get(&next).await), ["api 2 is out", "api 1 is out, two days ago"]);
    assert_eq!(titles(&app.get("/api/v1/changes?service=shop").await), ["shop 7 is <b>out</b>"]);
    let (status, told) = app.asks(Method::GET, "/api/v1/changes?cursor=nonsense", Some(&app.token)).await;
    assert_eq!(status, 400, "{told}");

    let browser = app.browser("ana").await;
    let page = browser.get("/incidents/1").await.text;
    assert!(page.contains("10m before") && page.contains("1h before") && page.contains("shop 7 is &#60;b&#62;out"), "{page}");
    assert!(page.contains("href=\"https://ci.example.com/builds/4711\"") && !page.contains("too late"), "{page}");
    assert!(browser.get("/changes").await.text.contains("api 3 is out"));
    app.everyone_takes_notice();
});

story!(changes_are_kept_for_a_quarter_of_a_year, |app| {
    is_deployed(&app, GENERIC, "the oldest").await;
    app.advance("24h").await;
    is_deployed(&app, GENERIC, "the newest").await;
    app.advance("2137h").await;
    reveille::flows::retain::tidy(app.house()).await.expect("it is tidied");
    assert_eq!(titles(&app.get("/api/v1/changes").await), ["the newest"]);
});
