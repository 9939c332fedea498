//! Silences: what they cover pages nobody while they last, and pages when they end, however they end.

use reqwest::Method;
use reveille::base::time::{Span, Time};
use reveille::base::viewer::Scope;
use reveille::flows::audit::audit;
use serde_json::{Value, json};

use crate::app::{App, GENERIC, SHOP, TEAM, answer};
use crate::story;

const METRICS_KEY: &str = "metricskey0000000000000001";
const OTHER_KEY: &str = "otherkey000000000000000001";

/// The team, and two that speak Alertmanager's API: one of the API, one of the shop.
fn with_metrics() -> String {
    let of = |id: &str, service: &str, key: &str| {
        format!("\n[[integration]]\nid = \"{id}\"\nsource = \"alertmanager_api\"\nservice = \"{service}\"\nkey = \"{key}\"\n")
    };
    format!("{TEAM}{}{}", of("metrics", "api", METRICS_KEY), of("other-metrics", "shop", OTHER_KEY))
}

/// Asks as a script with this token or key.
async fn asks(app: &App, method: Method, path: &str, secret: &str, body: &Value) -> (u16, Value) {
    let request = app.http.request(method, format!("{}{path}", app.url)).bearer_auth(secret);
    let told = answer(if body.is_null() { request } else { request.body(body.to_string()) }).await;
    app.settle().await;
    told
}

/// Makes a silence over the API, and gives its id.
async fn silences(app: &App, matcher: &str, span: &str) -> String {
    let body = json!({ "matchers": [matcher], "for": span, "comment": "we move the disks" });
    let (status, made) = asks(app, Method::POST, "/api/v1/silences", &app.token, &body).await;
    assert_eq!(status, 201, "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

async fn ends(app: &App, id: &str) {
    let (status, told) = asks(app, Method::DELETE, &format!("/api/v1/silences/{id}"), &app.token, &Value::Null).await;
    assert_eq!(status, 204, "{told}");
}

fn fires(title: &str) -> Value {
    json!({ "dedup_key": title, "title": title, "severity": "error" })
}

/// What the silences' audit finds wrong: nothing may stay silent for ever.
async fn found(app: &App) -> usize {
    let found = audit(app.house()).await.expect("the audit is made");
    app.settle().await;
    found
}

story!(what_fires_under_a_silence_opens_nothing_and_pages_when_it_ends, |app| {
    silences(app, "alertname=~\"disk.*\"", "1h").await;
    let heard = app.hears(GENERIC, &fires("disk full")).await;
    assert_eq!((heard.outcome.as_str(), heard.reason.as_str(), heard.incident), ("suppressed", "a silence covers it", None));
    app.advance("59m").await;
    assert_eq!(app.hears(GENERIC, &fires("disk full")).await.outcome, "suppressed");
    assert_eq!(app.incidents().await.len(), 0);
    let alerts = app.get("/api/v1/alerts").await;
    assert_eq!((&alerts["items"][0]["state"], &alerts["items"][0]["count"]), (&json!("suppressed"), &json!(2)), "{alerts}");
    assert_eq!(found(app).await, 0);
    let metrics = reqwest::get(format!("{}/metrics", app.url)).await.expect("it answers").text().await.expect("it is text");
    let counted = metrics.lines().any(|line| line.contains("api-scripts") && line.contains("suppressed") && line.ends_with(" 2"));
    assert!(counted, "{metrics}");
    app.phone("ana").rings_after("1m").await.press('1').await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("ana");
    assert_eq!((incident.alerts.len(), &incident.alerts[0]["state"]), (1, &json!("firing")));
    // It stays listed, and it covers nothing more.
    let listed = app.get("/api/v1/silences").await;
    assert_eq!((&listed["items"][0]["state"], listed["items"].as_array().map(Vec::len)), (&json!("expired"), Some(1)), "{listed}");
    assert_eq!(app.hears(GENERIC, &fires("disk full")).await.outcome, "repeated");
});

story!(a_silence_made_while_the_phone_rings_ends_the_call_and_its_end_pages_again, &with_metrics(), |app| {
    app.fires("disk full").await;
    let ana = app.phone("ana").rings().await.ignore();
    let id = silences(app, "alertname=\"disk full\"", "2h").await;
    ana.has_ended();
    let until = (app.clock.now() + Span::hours(2)).seconds();
    let incident = app.incident(1).await;
    incident.is("triggered");
    assert_eq!(incident.alerts[0]["state"], "suppressed");
    let entry = incident.entry("incident_silenced");
    assert_eq!(entry["text"], "All that still fires is silenced by token story: nobody is paged");
    assert_eq!(entry["reason"], "we move the disks");
    let said = reveille::base::time::Time::parse_rfc3339(entry["then"]["at"].as_str().unwrap_or_default());
    assert_eq!(said.map(Time::seconds), Ok(until), "{entry}");
    let token = app.token.clone();
    let (_, alerts) = asks(app, Method::GET, "/api/v2/alerts", &token, &Value::Null).await;
    assert_eq!((&alerts[0]["status"]["state"], &alerts[0]["status"]["silencedBy"]), (&json!("suppressed"), &json!([id])), "{alerts}");
    // Nobody is called while it lasts, whatever its sender says.
    for _ in 0..3 {
        app.advance("30m").await;
        assert_eq!(app.hears(GENERIC, &fires("disk full")).await.outcome, "suppressed");
    }
    assert_eq!(found(app).await, 0);
    app.phone("ana").rings_after("30m").await.press('1').await;
    assert_eq!(app.incidents().await.len(), 1, "it is the incident that it was");
    assert_eq!(app.incident(1).await.times("alerts_unsilenced"), 1);
});

story!(a_silence_that_is_deleted_lets_go_at_once, |app| {
    app.fires("disk full").await;
    let ana = app.phone("ana").rings().await.ignore();
    let id = silences(app, "alertname=~\"disk.*\"", "30d").await;
    ana.has_ended();
    // One that fires meanwhile joins nothing; both are let go of.
    assert_eq!(app.hears(SHOP, &fires("disk of the shop")).await.outcome, "suppressed");
    app.advance("10m").await;
    ends(app, &id).await;
    app.phone("ana").rings().await.press('1').await;
    let states: Vec<Value> = app.incidents().await.iter().map(|incident| incident["service"].clone()).collect();
    assert_eq!(states.len(), 2, "{states:?}");
    app.everyone_takes_notice();
    // A second time it is over already, and one that never was is not there.
    ends(app, &id).await;
    assert_eq!(asks(app, Method::DELETE, "/api/v1/silences/none", &app.token, &Value::Null).await.0, 404);
    assert_eq!(found(app).await, 0);
});

story!(what_resolves_under_a_silence_is_resolved_and_stays_so, |app| {
    app.fires("disk full").await;
    let ana = app.phone("ana").rings().await.ignore();
    silences(app, "alertname=~\"disk.*\"", "1h").await;
    ana.has_ended();
    app.hears(GENERIC, &fires("disk slow")).await;
    app.resolves("disk full").await;
    app.resolves("disk slow").await;
    app.incident(1).await.is("resolved");
    app.advance("3h").await;
    assert_eq!(app.incidents().await.len(), 1);
    assert_eq!(found(app).await, 0);
});

story!(an_alert_that_no_silence_covers_keeps_its_incident_paging, |app| {
    app.fires("disk full").await;
    app.fires("queue long").await;
    let ana = app.phone("ana").rings().await.ignore();
    let disk = silences(app, "alertname=\"disk full\"", "1h").await;
    ana.goes_on();
    let incident = app.incident(1).await;
    assert_eq!((incident.alerts.len(), incident.times("alerts_silenced"), incident.times("incident_silenced")), (2, 1, 0));
    let states: Vec<&str> = incident.alerts.iter().filter_map(|alert| alert["state"].as_str()).collect();
    assert!(states.contains(&"firing") && states.contains(&"suppressed"), "{states:?}");
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.ignore();
    app.everyone_takes_notice();
    // The rest of it is silenced too, and by another: nobody is paged until the first of the two ends.
    silences(app, "alertname=\"queue long\"", "2h").await;
    app.everyone_takes_notice();
    app.advance("30m").await;
    ends(app, &disk).await;
    app.phone("ana").rings().await.press('1').await;
    app.resolves("disk full").await;
    app.resolves("queue long").await;
    app.incident(1).await.is("resolved");
});

story!(the_server_restarts_during_a_silence_and_is_down_when_it_ends, |app| {
    silences(app, "alertname=~\"disk.*\"", "1h").await;
    app.hears(GENERIC, &fires("disk full")).await;
    app.goes_down().await;
    app.comes_back().await;
    assert_eq!(app.hears(GENERIC, &fires("disk full")).await.outcome, "suppressed");
    app.phone("ana").rings_after("1h").await.press('1').await;
    app.resolves("disk full").await;
    // It is down when this one ends, and comes back an hour later.
    silences(app, "alertname=\"queue long\"", "1h").await;
    app.hears(SHOP, &fires("queue long")).await;
    app.goes_down().await;
    app.clock.advance_to(app.clock.now() + Span::hours(2));
    app.comes_back().await;
    app.everyone_takes_notice();
    let shop = app.incident(2).await;
    assert_eq!((&shop.row["service"], &shop.row["state"]), (&json!("shop"), &json!("triggered")));
    app.command(2, "acknowledge").await;
    app.everyone_takes_notice();
});

story!(one_that_begins_later_covers_what_fires_then, |app| {
    let starts_at = app.clock.now() + Span::minutes(3);
    let body = json!({ "matchers": ["service=api"], "starts_at": starts_at.rfc3339(), "until": (starts_at + Span::hours(1)).rfc3339() });
    let (status, made) = asks(app, Method::POST, "/api/v1/silences", &app.token, &body).await;
    assert_eq!((status, &made["state"]), (201, &json!("pending")), "{made}");
    app.fires("disk full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore().goes_on();
    app.advance_to(starts_at).await;
    app.everyone_takes_notice();
    assert_eq!(app.incident(1).await.times("incident_silenced"), 1);
    app.advance("50m").await;
    app.phone("ana").rings_after("10m").await.press('1').await;
});

story!(a_key_sees_and_silences_its_own_alone_and_a_token_all, &with_metrics(), |app| {
    let fire = json!([{ "labels": { "alertname": "DiskFull", "instance": "db-1" } }]);
    let times = (app.clock.now().rfc3339(), (app.clock.now() + Span::hours(1)).rfc3339());
    let silence =
        |matchers: Value| json!({ "matchers": matchers, "startsAt": times.0, "endsAt": times.1, "createdBy": "cron", "comment": "" });
    let disk = json!([{ "name": "alertname", "value": "Disk.*", "isRegex": true, "isEqual": true }]);
    let (status, made) = asks(app, Method::POST, "/api/v2/silences", METRICS_KEY, &silence(disk.clone())).await;
    assert_eq!(status, 200, "{made}");
    let id = made["silenceID"].as_str().expect("an id").to_owned();
    let place = format!("/api/v2/silence/{id}");
    assert_eq!(asks(app, Method::POST, "/api/v2/alerts", METRICS_KEY, &fire).await.0, 200);
    assert_eq!(app.incidents().await.len(), 0);
    // The shop's own alert of that name fires all the same, and its key neither sees nor ends what is not its own.
    assert_eq!(asks(app, Method::POST, "/api/v2/alerts", OTHER_KEY, &fire).await.0, 200);
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(asks(app, Method::GET, "/api/v2/silences", OTHER_KEY, &Value::Null).await.1, json!([]));
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(asks(app, method, &place, OTHER_KEY, &Value::Null).await.0, 404);
    }
    let changed = json!({ "id": id, "matchers": disk, "startsAt": times.0, "endsAt": times.1, "createdBy": "shop", "comment": "" });
    assert_eq!(asks(app, Method::POST, "/api/v2/silences", OTHER_KEY, &changed).await.0, 404);
    let (_, own) = asks(app, Method::GET, "/api/v2/alerts", OTHER_KEY, &Value::Null).await;
    assert_eq!((own.as_array().map(Vec::len), &own[0]["status"]["state"]), (Some(1), &json!("active")), "{own}");
    // A token sees both, and one that may only read ends nothing.
    let (reader, token) = (app.token_of("reader", Scope::Read).await, app.token.clone());
    let (_, all) = asks(app, Method::GET, "/api/v2/alerts", &reader, &Value::Null).await;
    assert_eq!(all.as_array().map(Vec::len), Some(2), "{all}");
    assert_eq!(asks(app, Method::DELETE, &place, &reader, &Value::Null).await.0, 403);
    assert_eq!(asks(app, Method::DELETE, &format!("/api/v1/silences/{id}"), &reader, &Value::Null).await.0, 403);
    assert_eq!(asks(app, Method::DELETE, &place, &token, &Value::Null).await.0, 200);
    app.phone("ana").rings_after("3m").await.press('1').await;
    let (_, over) = asks(app, Method::GET, "/api/v2/silences", METRICS_KEY, &Value::Null).await;
    assert_eq!((&over[0]["id"], &over[0]["status"]["state"]), (&json!(id), &json!("expired")), "{over}");
});

story!(the_page_silences_and_ends_as_scripts_do, |app| {
    app.fires("disk full").await;
    let ringing = app.phone("ana").rings().await.ignore();
    let bo = app.browser("bo").await;
    let page = bo.get("/silences").await;
    assert!(page.text.contains("Nothing is silenced"), "{}", page.text);
    let csrf = page.csrf();
    let form = |matchers: &str, span: &str| format!("csrf={csrf}&matchers={matchers}&comment=%3Cb%3Edisks&for={span}");
    // What makes no sense is refused, and says why.
    for (wrong, why) in [
        (form("alertname", "1h"), "no matcher"),
        (form("", "1h"), "needs a matcher"),
        (form("a%3D%7E%22.*%22", "1h"), "silence everything"),
        (form("alertname%3D%22disk+full%22", "soon"), "for how long"),
    ] {
        let told = bo.post("/silences", &wrong).await;
        assert!(told.status == 400 || told.status == 422 || told.status == 409, "{wrong}: {}", told.status);
        assert!(told.text.contains(why), "{wrong}: {}", told.text);
    }
    ringing.goes_on();
    assert_eq!(bo.post("/silences", &form("alertname%3D%22disk+full%22", "1h")).await.status, 303);
    app.settle().await;
    ringing.has_ended();
    let page = bo.get("/silences").await;
    assert!(page.text.contains("&#60;b&#62;disks") && page.text.contains("alertname=&#34;disk full&#34;"), "{}", page.text);
    let incident = bo.get("/incidents/1").await;
    assert!(incident.text.contains("Silenced by"), "{}", incident.text);
    let listed = app.get("/api/v1/silences?state=active").await;
    let id = listed["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(listed["items"][0]["created_by"], "Bo Lind", "{listed}");
    assert_eq!(bo.post(&format!("/silences/{id}/end"), &format!("csrf={csrf}")).await.status, 303);
    app.settle().await;
    app.phone("ana").rings_after("3m").await.press('1').await;
    assert!(bo.get("/silences").await.text.contains("expired"), "it stays listed");
});

story!(nothing_stays_silent_whose_wake_ups_are_lost, |app| {
    app.fires("disk full").await;
    app.phone("ana").rings().await.ignore();
    let id = silences(app, "alertname=~\"disk.*\"", "1h").await;
    assert_eq!(app.hears(SHOP, &fires("disk of the shop")).await.outcome, "suppressed");
    // As no code of ours makes it go: its end and the incident's own net are gone.
    app.sql("DELETE FROM wakes WHERE scope IN ('silence', 'incident')").await;
    assert!(found(app).await >= 1);
    app.phone("ana").rings_after("1h").await.press('1').await;
    app.everyone_takes_notice();
    assert_eq!(app.incidents().await.len(), 2);
    // The silence itself is gone, beside another that is not about it.
    silences(app, "alertname=\"something else\"", "1h").await;
    let lost = silences(app, "alertname=~\"queue.*\"", "1h").await;
    assert_ne!(id, lost);
    app.hears(SHOP, &fires("queue long")).await;
    app.sql(&format!("DELETE FROM silences WHERE id = '{lost}'")).await;
    assert_eq!(found(app).await, 1);
    let alerts = app.get("/api/v1/alerts?state=suppressed").await;
    assert_eq!(alerts["items"], json!([]), "{alerts}");
    app.everyone_takes_notice();
    assert_eq!(found(app).await, 0);
    for number in 1..=2 {
        app.command(number, "resolve").await;
    }
    app.everyone_takes_notice();
});

story!(a_silence_goes_by_what_an_alert_is_now_and_not_by_what_it_was, |app| {
    let of = |environment: &str| json!({ "dedup_key": "item 900", "title": "TypeError", "severity": "error", "labels": { "environment": environment } });
    silences(app, "environment=\"staging\"", "1h").await;
    assert_eq!(app.hears(GENERIC, &of("staging")).await.outcome, "suppressed");
    assert_eq!(app.hears(GENERIC, &of("production")).await.outcome, "opened");
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.hears(GENERIC, &of("staging")).await.outcome, "suppressed");
});

story!(silencing_one_alert_from_its_page_leaves_its_siblings_loud, |app| {
    for host in ["db-1", "db-2"] {
        app.hears(GENERIC, &json!({ "dedup_key": format!("disk {host}"), "title": "disk full", "severity": "error" })).await;
    }
    app.phone("ana").rings().await.press('1').await;
    let page = app.browser("ana").await.get("/incidents/1").await.text;
    let links: Vec<&str> = page.split("href=\"/silences?").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let link = links.iter().find(|link| link.contains("db-1")).expect("the first one's");
    let query = link.replace("&#38;", "&").replace("#add", "");
    let matchers = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "matchers").expect("its matchers").1.into_owned();
    silences(app, &matchers, "1h").await;
    let heard = async |host: &str| {
        app.hears(GENERIC, &json!({ "dedup_key": format!("disk {host}"), "title": "disk full", "severity": "error" })).await.outcome
    };
    assert_eq!(
        (heard("db-1").await.as_str(), heard("db-2").await.as_str(), heard("db-7").await.as_str()),
        ("suppressed", "repeated", "folded")
    );
});
