//! Keys that send more than anybody could look at.

use serde_json::json;

use crate::app::{App, GENERIC, TEAM, answer};
use crate::story;

const SMALL: &str = "/hooks/generic/smallkey00000000000000001";
const QUICK: &str = "/hooks/generic/quickkey00000000000000001";

fn team() -> String {
    let integration = |id: &str, key: &str, says: &str| {
        format!("\n[[integration]]\nid = \"{id}\"\nsource = \"generic\"\nservice = \"api\"\nkey = \"{key}\"\n{says}\n")
    };
    [
        TEAM.to_owned(),
        integration("small", "smallkey00000000000000001", "new_alerts = 5"),
        integration("quick", "quickkey00000000000000001", "budget = 10"),
    ]
    .concat()
}

async fn metric(app: &App, name: &str) -> Option<u64> {
    let text = app.http.get(format!("{}/metrics", app.url)).send().await.expect("metrics").text().await.expect("text");
    text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().parse().expect("a number"))
}

/// Of an integration's alerts that hold: the title and how many signals each has had.
async fn holding(app: &App, integration: &str) -> Vec<(String, i64)> {
    app.settle().await;
    let alerts = app.get("/api/v1/alerts?state=firing&limit=1000").await;
    let own = alerts["items"].as_array().expect("a list").iter().filter(|alert| alert["integration"] == integration);
    let mut own: Vec<(String, i64)> =
        own.map(|alert| (alert["title"].as_str().expect("a title").to_owned(), alert["count"].as_i64().expect("a count"))).collect();
    own.sort_unstable();
    own
}

fn flood(from: usize, to: usize) -> serde_json::Value {
    (from..to).map(|n| json!({ "dedup_key": format!("disk-{n}"), "title": format!("disk {n} is full"), "severity": "error" })).collect()
}

story!(beyond_the_limit_one_alert_counts_what_came_and_ends_when_it_is_over, &team(), |app| {
    app.posts(SMALL, &flood(0, 3)).await;
    assert_eq!(holding(app, "small").await.len(), 3);
    // Seventeen more: two are kept, and fifteen counted.
    app.posts(SMALL, &flood(3, 20)).await;
    let all = holding(app, "small").await;
    assert_eq!(all.len(), 6, "{all:?}");
    assert_eq!(all[0], ("More than 5 new alerts within an hour: those beyond are counted here, and not kept one by one".to_owned(), 15));
    // It pages like any other, since it opened or joined an incident that calls.
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(metric(app, "reveille_overflow_signals_total{integration=\"small\"}").await, Some(15));
    // Alerts that are known come and go as ever, and what ends one that was never kept is not remembered.
    let told = app.hears(SMALL, &json!({ "dedup_key": "disk-0", "title": "disk 0 is full", "severity": "error" })).await;
    assert_eq!(told.outcome, "repeated");
    let told = app.hears(SMALL, &json!({ "dedup_key": "disk-0", "title": "disk 0 is well", "state": "resolved" })).await;
    assert_eq!(told.outcome, "resolved");
    let told = app.hears(SMALL, &json!({ "dedup_key": "disk-12", "title": "disk 12 is well", "state": "resolved" })).await;
    assert_eq!(told.outcome, "ignored");
    let told = app.hears(SMALL, &json!({ "dedup_key": "disk-99", "title": "disk 99 is full", "severity": "error" })).await;
    assert_eq!(
        (told.outcome.as_str(), told.reason.contains("more new alerts within an hour than are kept")),
        ("repeated", true),
        "{}",
        told.reason
    );
    assert_eq!(holding(app, "small").await[0].1, 16);
    // Another key has its own limit.
    app.fires("something else").await;
    // The page of the integration says it, and it says what to do.
    let page = app.browser("ana").await.get("/integrations/small").await;
    assert!(page.text.contains("counted on one alert: more than 5 new alerts came within an hour"), "{}", page.text);
    // Ten minutes after the last one it is over by itself, although its integration says nothing more.
    app.advance("11m").await;
    app.sweeps().await;
    let all = holding(app, "small").await;
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all.iter().all(|(title, _)| title.starts_with("disk")), "{all:?}");
    // An hour later as many are kept again.
    app.advance("2h").await;
    let told = app.hears(SMALL, &json!({ "dedup_key": "disk-200", "title": "disk 200 is full", "severity": "error" })).await;
    assert!(matches!(told.outcome.as_str(), "opened" | "folded"), "{}", told.outcome);
    app.is_accounted_for().await;
    app.everyone_takes_notice();
});

story!(over_its_budget_a_keys_repeats_are_counted_and_nothing_new_is_lost, &team(), |app| {
    // One body with thirty signals of three alerts, with one of them over in the middle.
    let fires =
        |n: usize| json!({ "dedup_key": format!("d{}", n % 3), "title": format!("disk {}, word {n}", n % 3), "severity": "warning" });
    let mut all: Vec<serde_json::Value> = (0..30).map(fires).collect();
    all.insert(15, json!({ "dedup_key": "d0", "title": "disk 0 is well", "state": "resolved" }));
    app.posts(QUICK, &json!(all)).await;
    let held = holding(app, "quick").await;
    // Thirty signals, none lost; the one that ended its alert counts there as well.
    assert_eq!(held.iter().map(|(_, count)| count).sum::<i64>(), 31, "{held:?}");
    assert_eq!(held.len(), 3, "{held:?}");
    // Each alert's first is kept, and d0's again after it was over: 31 less 3, 1 that ended it and 1 after it.
    assert_eq!(metric(app, "reveille_sampled_signals_total{integration=\"quick\"}").await, Some(26));
    assert_eq!(app.is_accounted_for().await, 31);
    // A first of its kind is kept however much comes beside it.
    let mut all: Vec<serde_json::Value> = (0..300).map(fires).collect();
    all.insert(200, json!({ "dedup_key": "new", "title": "the one that matters", "severity": "error" }));
    let (status, told) = answer(app.http.post(format!("{}{QUICK}", app.url)).body(json!(all).to_string())).await;
    assert_eq!((status, told["results"].as_array().map(Vec::len)), (202, Some(301)), "{told}");
    assert!(holding(app, "quick").await.iter().any(|(title, _)| title == "the one that matters"));
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.is_accounted_for().await, 31 + 301);
    // Who asks what became of a signal hears it.
    let told = app.hears(QUICK, &fires(0)).await;
    assert_eq!(told.outcome, "repeated");
    app.everyone_takes_notice();
});

story!(a_journal_at_its_limit_answers_503_and_nothing_else_does, |app| {
    // Rows that hold nothing, beyond the limit by more than the folder throws away meanwhile; their turn comes last.
    app.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) \
         INSERT INTO journal (id, at, signals, body, integration, turn) SELECT 'jrn_full' || i, 0, 0, '[]', '', 9000000000 FROM n",
    )
    .await;
    let post = async |title: &str| {
        let body = json!({ "dedup_key": title, "title": title, "severity": "warning" });
        app.http.post(format!("{}{GENERIC}", app.url)).body(body.to_string()).send().await.expect("an answer")
    };
    // Before the first request is taken, what waits is counted.
    let refused = post("over the limit").await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    app.sql("DELETE FROM journal WHERE body = '[]'").await;
    assert_eq!(post("again").await.status(), 202);
    app.settle().await;
    assert_eq!(app.is_accounted_for().await, 1, "what was refused was not taken");
    app.everyone_takes_notice();
});
