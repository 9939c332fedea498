//! What is thrown away and what stays, by the story's clock.

use reveille::flows::retain;
use serde_json::{Value, json};

use crate::app::{App, GENERIC, SHOP, TEAM};
use crate::story;

async fn tidies(app: &App) {
    while retain::tidy(app.house()).await.expect("it tidies") {}
}

async fn alerts(app: &App) -> Vec<String> {
    let list = app.get("/api/v1/alerts?limit=1000").await;
    let mut titles: Vec<String> =
        list["items"].as_array().expect("a list").iter().map(|alert| alert["title"].as_str().expect("a title").to_owned()).collect();
    // Two of one millisecond have no order of their own.
    titles.sort_unstable();
    titles
}

fn keeping(retention: &str) -> String {
    format!("[retention]\n{retention}\n{TEAM}")
}

/// A condition that was only recorded, and is over.
async fn comes_and_goes(app: &App, title: &str) {
    app.hears(GENERIC, &json!({"dedup_key": title, "title": title, "severity": "info"})).await;
    app.hears(GENERIC, &json!({"dedup_key": title, "title": title, "severity": "info", "state": "resolved"})).await;
}

story!(closed_alerts_without_an_incident_go_by_age_and_nothing_else_does, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.resolves("the disk is full").await;
    comes_and_goes(app, "quiet and old").await;
    app.hears(GENERIC, &json!({"dedup_key": "lasting", "title": "quiet and lasting", "severity": "info"})).await;
    app.advance("89d").await;
    comes_and_goes(app, "quiet and new").await;
    tidies(app).await;
    assert_eq!(alerts(app).await.len(), 4, "nothing is old enough");
    app.advance("25h").await;
    tidies(app).await;
    assert_eq!(alerts(app).await, ["quiet and lasting", "quiet and new", "the disk is full"]);
    assert_eq!(app.incident(1).await.alerts.len(), 1);
    // What was thrown away may come again, as something new.
    let again = app.hears(GENERIC, &json!({"dedup_key": "quiet and old", "title": "quiet and old", "severity": "info"})).await;
    assert_eq!(again.outcome, "recorded");
    assert_eq!(alerts(app).await.len(), 4);
});

story!(closed_alerts_without_an_incident_go_by_count, |app| {
    app.applies(&keeping("alerts_most = 2")).await;
    for n in 0..5 {
        comes_and_goes(app, &format!("quiet {n}")).await;
        app.advance("1m").await;
    }
    app.hears(GENERIC, &json!({"dedup_key": "lasting", "title": "quiet and lasting", "severity": "info"})).await;
    tidies(app).await;
    assert_eq!(alerts(app).await, ["quiet 3", "quiet 4", "quiet and lasting"]);
    tidies(app).await;
    assert_eq!(alerts(app).await.len(), 3);
});

story!(old_incidents_go_only_where_the_operator_says_so, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(1, "resolve").await;
    app.advance("30d").await;
    app.shop_fires("nobody can pay").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(2, "resolve").await;
    let newest = app.incident(2).await.timeline.last().expect("an entry")["seq"].as_i64().expect("a number");
    let oldest = app.incident(1).await.timeline[0]["seq"].as_i64().expect("a number");
    tidies(app).await;
    app.incident(1).await.is("resolved");

    app.applies(&keeping("incidents = \"20d\"")).await;
    tidies(app).await;
    assert_eq!(app.asks(reqwest::Method::GET, "/api/v1/incidents/1", Some(&app.token)).await.0, 404);
    assert_eq!(app.asks(reqwest::Method::GET, "/api/v1/why/1", Some(&app.token)).await.0, 404);
    let second = app.incident(2).await;
    second.is("resolved");
    assert!(!second.timeline.is_empty());
    assert_eq!(alerts(app).await, ["nobody can pay"]);
    for (table, rows) in [("pages", 1), ("attempts", 1), ("attempt_pages", 1)] {
        app.sql(&format!("INSERT INTO counters (name, value) SELECT '{table}', COUNT(*) FROM {table}")).await;
        assert_eq!(counter(app, table).await, rows, "{table}");
    }
    // A reader that comes back with a place that is gone starts over; one whose place is still there does not.
    assert_eq!(first_event(app, oldest).await, "reset");
    app.advance("11m").await;
    app.shop_fires("nobody can pay, again").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(first_event(app, newest).await, "fact");
    app.command(3, "resolve").await;
});

async fn counter(app: &App, name: &str) -> i64 {
    use sqlx::Connection as _;
    let url = if app.database_url.starts_with("postgres") { app.database_url.clone() } else { format!("sqlite://{}", app.database_url) };
    let mut beside = sqlx::AnyConnection::connect(&url).await.expect("the database can be reached");
    let value = sqlx::query_scalar("SELECT value FROM counters WHERE name = $1").bind(name.to_owned()).fetch_one(&mut beside).await;
    value.expect("a number")
}

/// The name of the first event for a reader that saw this one last.
async fn first_event(app: &App, last: i64) -> String {
    let stream = app.http.get(format!("{}/api/v1/stream", app.url)).bearer_auth(&app.token).header("last-event-id", last.to_string());
    let mut answer = stream.send().await.expect("a stream");
    let mut text = String::new();
    loop {
        text.push_str(&String::from_utf8_lossy(&answer.chunk().await.expect("it goes on").expect("it does not end")));
        if let Some(name) = text.lines().find_map(|line| line.strip_prefix("event:")) {
            return name.trim().to_owned();
        }
    }
}

story!(a_reopened_incident_is_not_thrown_away, |app| {
    app.applies(&keeping("incidents = \"20d\"")).await;
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.command(1, "resolve").await;
    app.advance("21d").await;
    app.command(1, "reopen").await;
    app.everyone_takes_notice();
    tidies(app).await;
    let row: Value = app.incident(1).await.row;
    assert_ne!(row["state"], "resolved", "{row}");
    app.command(1, "acknowledge").await;
    app.command(1, "resolve").await;
    let heard = app.hears(SHOP, &json!({"title": "another", "severity": "info"})).await;
    assert_eq!(heard.outcome, "recorded");
});

story!(samples_and_bodies_kept_aside_go_by_age_and_by_count, |app| {
    app.applies(&keeping("samples = \"2d\"\nsamples_most = 3")).await;
    let now = app.clock.now();
    for n in 0..6 {
        let at = (now - reveille::base::time::Span::hours(10 * n)).0;
        app.sql(&format!(
            "INSERT INTO signal_samples (integration, request, at, signals, title, outcome, reason, body) \
             VALUES ('api-scripts', 'jrn_{}', {at}, 1, '', '', '', '');
             INSERT INTO journal_aside (id, at, signals, body, reason) VALUES ('jrn_{}', {at}, 0, '', '')",
            9 - n,
            9 - n
        ))
        .await;
    }
    tidies(app).await;
    for (name, table) in [("samples", "signal_samples"), ("aside", "journal_aside")] {
        app.sql(&format!("INSERT INTO counters (name, value) SELECT '{name}', COUNT(*) FROM {table}")).await;
        assert_eq!(counter(app, name).await, 3, "{table}");
    }
    app.advance("29h").await;
    tidies(app).await;
    for (name, table) in [("samples later", "signal_samples"), ("aside later", "journal_aside")] {
        app.sql(&format!("INSERT INTO counters (name, value) SELECT '{name}', COUNT(*) FROM {table}")).await;
        assert_eq!(counter(app, name).await, 2, "{table}: the one of twenty hours ago has gone");
    }
    app.sql("DELETE FROM journal_aside").await;
});

/// So many conditions that were over long ago.
async fn a_long_past(app: &App, rows: i64) {
    let at = (app.clock.now() - reveille::base::time::Span::hours(24 * 100)).0;
    app.sql(&format!(
        "INSERT INTO alerts (id, integration, dedup_key, source, service, title, severity, state, count, first_at, last_at, fired_at, \
         resolved_at, labels) WITH RECURSIVE past(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < {rows}) \
         SELECT 'alr_past' || n, 'api-scripts', 'past' || n, 'generic', 'api', 'past', 'info', 'resolved', 1, {at}, {at}, {at}, {at}, '{{}}' \
         FROM past"
    ))
    .await;
}

story!(a_page_leaves_in_the_middle_of_throwing_away, |app| {
    a_long_past(app, 30_000).await;
    let house = app.house().clone();
    let tidying = tokio::spawn(async move { while retain::tidy(&house).await.expect("it tidies") {} });
    app.fires("the disk is full").await;
    let ringing = app.phone("ana").rings().await;
    assert!(!tidying.is_finished(), "there is far more to throw away than a page takes to leave");
    ringing.press('1').await;
    tidying.await.expect("it comes to its end");
    assert_eq!(alerts(app).await, ["the disk is full"]);
    app.incident(1).await.is("acknowledged");
});

story!(what_is_open_is_not_thrown_away_however_old_it_is, |app| {
    app.applies(&keeping("incidents = \"1d\"\nalerts = \"1d\"\nalerts_most = 1")).await;
    let disk = |severity: &str| json!({"dedup_key": "disk", "title": "the disk is filling up", "severity": severity});
    assert_eq!(app.hears(GENERIC, &disk("warning")).await.outcome, "opened");
    app.command(1, "acknowledge").await;
    app.advance("30d").await;
    a_long_past(app, 10).await;
    tidies(app).await;
    assert_eq!(alerts(app).await, ["the disk is filling up"]);
    app.incident(1).await.is("acknowledged");
    app.hears(GENERIC, &disk("critical")).await;
    app.phone("ana").rings().await.press('1').await;
});
