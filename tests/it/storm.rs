//! Many signals, one cause: few calls.

use crate::app::{GENERIC, ROLLBAR, told};
use crate::story;
use serde_json::{Value, json};

/// A body of Rollbar as it stands in the fixtures, with another event, item and moment.
fn rollbar(event: &str, item: i64, at: i64) -> Value {
    let text = match event {
        "occurrence" => include_str!("../fixtures/sources/rollbar/docs_occurrence.json"),
        "resolved_item" => include_str!("../fixtures/sources/rollbar/resolved_item.json"),
        _ => include_str!("../fixtures/sources/rollbar/docs_new_item.json"),
    };
    let mut body: Value = serde_json::from_str(text).expect("JSON");
    let row = &mut body["data"]["item"];
    row["id"] = json!(item);
    row["last_occurrence_timestamp"] = json!(at);
    row["last_activated_timestamp"] = json!(at);
    row["environment"] = json!("production");
    body
}

story!(two_hundred_posts_of_one_item_are_one_call, |app| {
    app.posts(ROLLBAR, &rollbar("new_item", 7, 1_767_751_200)).await;
    for n in 1..200 {
        app.posts(ROLLBAR, &rollbar("occurrence", 7, 1_767_751_200 + n / 10)).await;
    }
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!(app.incidents().await.len(), 1);
    assert_eq!(incident.alerts.len(), 1);
    assert_eq!(incident.alerts[0]["count"], 200);
    assert_eq!(incident.row["alerts_count"], 1);
    assert_eq!(app.stage.calls().len(), 1);
    assert_eq!(app.is_accounted_for().await, 200);
});

story!(two_hundred_posts_at_once_are_one_call, |app| {
    let first = rollbar("new_item", 7, 1_767_751_200);
    let posts = (0..200).map(|_| app.posts(ROLLBAR, &first));
    futures_util::future::join_all(posts).await;
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((app.incidents().await.len(), incident.alerts.len()), (1, 1));
    assert_eq!(incident.alerts[0]["count"], 200);
    assert_eq!(app.stage.calls().len(), 1);
    app.advance("10m").await;
});

story!(rollbar_resolves_its_item_and_a_late_post_changes_nothing, |app| {
    app.posts(ROLLBAR, &rollbar("new_item", 7, 1_767_751_200)).await;
    let ana = app.phone("ana").rings().await.ignore();
    app.advance("30s").await;
    let over = app.hears(ROLLBAR, &rollbar("resolved_item", 7, 1_767_751_200)).await;
    assert_eq!((over.outcome.as_str(), over.incident), ("resolved", Some(1)));
    ana.has_ended();
    app.incident(1).await.is("resolved");
    let late = app.hears(ROLLBAR, &rollbar("new_item", 7, 1_767_751_200)).await;
    assert_eq!(late.outcome, "ignored");
    assert!(late.reason.contains("older"), "{}", late.reason);
    app.incident(1).await.is("resolved");
    // The same item again, later in Rollbar's own time, is the condition coming back.
    app.advance("2m30s").await;
    let again = app.hears(ROLLBAR, &rollbar("occurrence", 7, 1_767_751_350)).await;
    assert_eq!((again.outcome.as_str(), again.incident), ("reopened", Some(1)));
    app.phone("ana").rings().await.press('1').await;
});

story!(a_thousand_alerts_in_a_minute_are_one_incident, |app| {
    for minute in 0..10 {
        let batch: Vec<Value> = (0..100).map(|n| json!({"title": format!("host {} is down", minute * 100 + n)})).collect();
        app.posts(GENERIC, &json!(batch)).await;
        app.advance("6s").await;
    }
    app.phone("ana").takes_notice();
    let incident = app.incident(1).await;
    assert_eq!(app.incidents().await.len(), 1);
    assert_eq!(incident.row["alerts_count"], 1_000);
    assert_eq!(incident.alerts.len(), 1_000);
    assert!(incident.timeline.len() <= 60, "the timeline is flooded: {} entries", incident.timeline.len());
    assert_eq!(app.phone("ana").calls(), 1);
    let said = app.phone("ana").rings_after("1m").await.answer().await;
    app.advance("20s").await;
    assert!(said.said().contains("1000 alerts"), "{}", said.said());
    said.press('1').await;
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
    assert_eq!(app.is_accounted_for().await, 1_000);
});

story!(a_storm_over_many_incidents_is_one_chain_in_three_minutes, |app| {
    // Both services fail again and again, and Ana puts each call off.
    let start = app.clock.now();
    for round in 0..8 {
        app.fires(&format!("api {round}")).await;
        app.shop_fires(&format!("shop {round}")).await;
        app.command(1 + 2 * round, "acknowledge").await;
        app.command(2 + 2 * round, "acknowledge").await;
        app.command(1 + 2 * round, "resolve").await;
        app.command(2 + 2 * round, "resolve").await;
        app.advance("30s").await;
    }
    let calls = app.stage.calls();
    let elapsed = app.clock.now().since(start).as_seconds();
    let most = usize::try_from(elapsed / 180 + 1).expect("few");
    assert!(calls.len() <= most, "{} calls in {elapsed} s:\n{}", calls.len(), told(&calls));
    app.phone("ana").takes_notice();
});

story!(what_comes_in_one_instant_is_decided_in_its_order, |app| {
    for n in 0..40 {
        let key = format!("blip {n}");
        app.posts(GENERIC, &json!({"dedup_key": key, "severity": "warning"})).await;
        app.posts(GENERIC, &json!({"dedup_key": key, "state": "resolved"})).await;
    }
    app.settle().await;
    let alerts = app.get("/api/v1/alerts?limit=1000").await["items"].as_array().expect("a list").clone();
    assert_eq!(alerts.len(), 40);
    assert!(alerts.iter().all(|alert| alert["state"] == "resolved" && alert["count"] == 2), "{alerts:#?}");
    assert!(app.incidents().await.iter().all(|incident| incident["state"] == "resolved"));
});
