//! What is shown and explained, and what changes while it runs: probes, `why`, the configuration, a restart.

use reqwest::Method;
use serde_json::json;

use crate::app::{GENERIC, SHOP, TEAM};
use crate::story;

story!(probes_say_whether_it_lives_and_is_ready, |app| {
    for path in ["/healthz", "/readyz"] {
        let (status, text) = app.asks(Method::GET, path, None).await;
        assert_eq!(status, 200, "{path} {text}");
    }
});

story!(why_explains_who_was_paged, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.press('1').await;
    let why = app.get("/api/v1/why/1").await;
    assert!(why["now"].as_str().expect("a sentence").contains("Bo Lind"), "{why:#}");
    let told = why["items"].to_string();
    for reason in ["nobody answered in time", "no key was pressed in the first call", "the incident opened"] {
        assert!(told.contains(reason), "{reason}: {why:#}");
    }
    // One page alone: what is Ana's, and not Bo's call.
    let incident = app.incident(1).await;
    let page = incident.pages.iter().find(|page| page["user"] == "ana").expect("a page")["id"].as_str().expect("an id");
    let own = app.get(&format!("/api/v1/why/{page}")).await;
    assert_eq!(own["page"]["user"], "ana");
    let rang = |why: &serde_json::Value| {
        why["items"].as_array().map_or(0, |items| items.iter().filter(|item| item["kind"] == "phone_rang").count())
    };
    assert_eq!((rang(&why), rang(&own)), (3, 2));
});

story!(the_lists_name_what_scripts_rely_on, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.shop_fires("nobody can pay").await;
    let incidents = app.incidents().await;
    let numbers: Vec<i64> = incidents.iter().filter_map(|row| row["number"].as_i64()).collect();
    assert_eq!(numbers, [2, 1], "newest first");
    for field in
        ["number", "title", "state", "severity", "service", "opened_at", "acknowledged_at", "resolved_at", "lead", "alerts_count", "kind"]
    {
        assert!(incidents[0].get(field).is_some(), "{field}");
    }
    let first = app.get("/api/v1/incidents?limit=1").await;
    let cursor = first["next"].as_str().expect("a cursor");
    let second = app.get(&format!("/api/v1/incidents?limit=1&cursor={cursor}")).await;
    assert_eq!((&second["items"][0]["number"], &second["next"]), (&json!(1), &json!(null)));
    let open = app.get("/api/v1/incidents?state=triggered").await;
    assert_eq!(open["items"].as_array().map(Vec::len), Some(1));
    let alerts = app.get("/api/v1/alerts").await;
    for field in ["id", "dedup_key", "title", "severity", "state", "count", "first_at", "last_at", "source"] {
        assert!(alerts["items"][0].get(field).is_some(), "{field}");
    }
    let oncall = app.get("/api/v1/oncall").await;
    assert_eq!(oncall["items"][0]["users"], json!(["ana"]));
    app.phone("ana").rings_after("3m").await.press('1').await;
});

story!(a_hostile_title_is_text_on_every_page, |app| {
    let title = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;";
    app.posts(GENERIC, &json!({"title": title, "url": "javascript:alert(1)", "severity": "error"})).await;
    let ana = app.phone("ana").rings().await.answer().await;
    app.advance("15s").await;
    assert!(!ana.said().contains('<'), "{}", ana.said());
    let browser = app.browser("ana").await;
    for path in ["/", "/incidents/1"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, 200);
        assert!(!page.text.contains("<script>alert") && !page.text.contains("<img"), "{}", page.text);
        assert!(!page.text.contains("javascript:alert(1)\""), "{}", page.text);
    }
    ana.press('1').await;
});

story!(a_changed_configuration_is_in_force, |app| {
    let new_hook = "/hooks/generic/anotherkey000000000000001";
    assert_eq!(app.sends(new_hook, json!({"title": "x"}).to_string()).await.0, 404);
    app.shop_fires("nobody can pay").await;
    app.phone("ana").rings().await.press('1').await;
    // The shop's own scripts are gone, and there is a new key for the API's.
    let shop = r#"
[[integration]]
id = "shop-scripts"
source = "generic"
service = "shop"
key = "shopkey0000000000000000001"
"#;
    assert!(TEAM.contains(shop));
    let another = r#"
[[integration]]
id = "api-cron"
source = "generic"
service = "api"
key = "anotherkey000000000000001"
"#;
    app.applies(&TEAM.replace(shop, another)).await;
    assert_eq!(app.sends(SHOP, json!({"title": "x"}).to_string()).await.0, 404);
    app.incident(1).await.is("acknowledged");
    app.advance("3m").await;
    let heard = app.hears(new_hook, &json!({"title": "the disk is full"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("opened", Some(2)));
    app.phone("ana").rings().await.press('1').await;
});

story!(a_running_policy_keeps_its_steps_and_people_are_looked_up, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    // Bo changes his number while the policy runs.
    app.applies(&TEAM.replace("+46100000002", "+49100000004")).await;
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("dee").rings_after("3m").await.press('1').await;
    app.incident(1).await.is_acknowledged_by("bo");
});

story!(the_escalation_goes_on_after_a_restart, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.advance("30s").await;
    app.goes_down().await;
    app.clock.advance_to(app.clock.now() + reveille::base::time::Span::seconds(30));
    app.comes_back().await;
    app.phone("ana").rings_after("1m").await.ignore();
    app.goes_down().await;
    app.comes_back().await;
    app.phone("bo").rings_after("3m").await.press('1').await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("bo");
    assert_eq!(incident.attempts("ana").len(), 2);
    app.advance("20m").await;
});

story!(what_was_due_while_it_was_down_is_done_at_once, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.advance("1m").await;
    app.goes_down().await;
    app.clock.advance_to(app.clock.now() + reveille::base::time::Span::minutes(6));
    app.comes_back().await;
    app.phone("ana").rings().await.ignore();
    app.phone("bo").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("bo");
});

story!(a_stream_ends_with_the_server_and_resumes_after_it, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let seen = app.stream(1, 0).await.until("phone_rang").await;
    let last = seen.last().expect("entries")["seq"].as_i64().expect("a number");
    let open = app.stream(1, last).await;
    let begun = tokio::time::Instant::now();
    app.goes_down().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(2), "an open stream held the server up");
    drop(open);
    app.comes_back().await;
    app.command(1, "acknowledge").await;
    let missed = app.stream(1, last).await.until("page_ended").await;
    assert!(missed[0]["seq"].as_i64() > Some(last));
});
