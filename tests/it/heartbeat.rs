//! A dead man's switch: who does not call in time is told of, once, and nobody is blamed for a call that found no door.

use serde_json::json;

use crate::app::{App, TEAM};
use crate::story;

const BEAT: &str = "/heartbeats/beatkey00000000000000001";

fn team() -> String {
    let integration =
        "id = \"backup\"\nsource = \"heartbeat\"\nservice = \"api\"\nkey = \"beatkey00000000000000001\"\nperiod = \"5m\"\ngrace = \"1m\"";
    format!("{TEAM}\n[[integration]]\n{integration}\n")
}

async fn beats(app: &App) {
    let (status, told) = app.sends(BEAT, "").await;
    assert_eq!((status, &told["results"][0]["outcome"]), (202, &json!("recorded")), "{told}");
    app.settle().await;
}

/// How its heartbeat stands.
async fn pulse(app: &App) -> String {
    let told = app.get("/api/v1/heartbeats").await;
    let [beat] = told["items"].as_array().expect("items").as_slice() else { panic!("one heartbeat: {told}") };
    assert_eq!((&beat["id"], &beat["period"], &beat["grace"]), (&json!("backup"), &json!(300), &json!(60)));
    beat["state"].as_str().expect("a state").to_owned()
}

story!(a_missing_beat_pages_once_and_the_next_one_ends_it, &team(), |app| {
    app.settle().await;
    assert_eq!(pulse(app).await, "awaited");
    beats(app).await;
    assert_eq!(pulse(app).await, "beats");
    app.advance("5m30s").await;
    // Late, and within the grace.
    assert_eq!(pulse(app).await, "late");
    beats(app).await;
    app.advance("5m59s").await;
    assert!(app.incidents().await.is_empty());
    app.advance("1s").await;
    let ana = app.phone("ana").rings().await.ignore();
    let incident = app.incident(1).await;
    assert_eq!(incident.row["title"], "No heartbeat from backup within 6m");
    assert_eq!(pulse(app).await, "missed");
    assert_eq!((&incident.alerts[0]["source"], &incident.alerts[0]["count"]), (&json!("heartbeat"), &json!(1)));
    // By GET too, as `curl -fsS` does it.
    let answer = app.http.get(format!("{}{BEAT}", app.url)).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    app.settle().await;
    ana.has_ended();
    app.incident(1).await.is("resolved");
    // It is awaited anew.
    app.advance("6m").await;
    app.incident(1).await.is("triggered");
    app.phone("ana").rings().await.press('1').await;
    app.advance("20m").await;
    // Missed, beaten, missed, and told of three times more while it stays away.
    assert_eq!(app.incident(1).await.alerts[0]["count"], 6);
    beats(app).await;
});

story!(a_miss_that_somebody_resolves_by_hand_pages_again_while_no_beat_comes, &team(), |app| {
    beats(app).await;
    app.advance("6m").await;
    app.phone("ana").rings().await.press('6').await;
    app.incident(1).await.is("resolved");
    app.advance("6m").await;
    app.incident(1).await.is("triggered");
    app.phone("ana").rings().await.press('1').await;
    // An incident that is taken is not disturbed by it.
    app.advance("13m").await;
    app.incident(1).await.is_acknowledged_by("ana");
    assert_eq!(app.phone("ana").calls(), 2);
    beats(app).await;
    app.incident(1).await.is("resolved");
    app.advance("5m").await;
    app.incident(1).await.is("resolved");
});

story!(who_never_beats_is_told_of, &team(), |app| {
    app.settle().await;
    app.advance("6m").await;
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!(incident.row["title"], "No heartbeat from backup within 6m");
    beats(app).await;
    app.incident(1).await.is("resolved");
});

story!(nobody_is_blamed_for_our_own_absence, &team(), |app| {
    app.settle().await;
    beats(app).await;
    app.goes_down().await;
    app.clock.advance_to(app.clock.now() + reveille::base::time::Span::hours(1));
    app.comes_back().await;
    app.advance("5m59s").await;
    assert!(app.incidents().await.is_empty());
    // It is still silent, and we were here all the time.
    app.advance("1s").await;
    app.phone("ana").rings().await.press('1').await;
    beats(app).await;
});

story!(a_server_that_starts_often_tells_of_a_miss_all_the_same, &team(), |app| {
    app.settle().await;
    beats(app).await;
    for _ in 0..3 {
        app.advance("2m").await;
        app.goes_down().await;
        app.comes_back().await;
    }
    // Put off once, at the first start.
    app.advance("1m59s").await;
    assert!(app.incidents().await.is_empty());
    app.advance("1s").await;
    app.phone("ana").rings().await.press('1').await;
    beats(app).await;
});

story!(only_its_own_key_beats, &team(), |app| {
    assert_eq!(app.sends("/heartbeats/nobodyskey000000000000001", "").await.0, 404);
    assert_eq!(app.sends("/heartbeats/generickey0000000000000001", "").await.0, 404);
    // The address of every other source works as well, and moves the same time.
    let (status, told) = app.sends("/hooks/heartbeat/beatkey00000000000000001", "x".repeat(2 << 20)).await;
    assert_eq!(status, 202, "{told}");
    assert_eq!(told["next_before"], "2026-01-07T02:06:00.000Z");
});

story!(another_period_counts_from_when_it_is_applied, &team(), |app| {
    app.settle().await;
    beats(app).await;
    app.advance("5m").await;
    app.applies(&team().replace("period = \"5m\"", "period = \"9m\"")).await;
    // Both databases' servers see the change by themselves.
    for _ in 0..200 {
        let rows = reveille::store::heartbeat_list(&app.house().store.reader()).await.expect("heartbeats read");
        if rows[0].span == reveille::base::time::Span::minutes(10) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    app.advance("9m59s").await;
    assert!(app.incidents().await.is_empty());
    app.advance("1s").await;
    app.phone("ana").rings().await.press('1').await;
    beats(app).await;
});

/// Its misses, newest first, each with its begin, its end and its incident.
async fn misses(app: &App) -> Vec<(String, Option<String>, Option<i64>)> {
    let told = app.get("/api/v1/heartbeats").await;
    let misses = told["items"][0]["misses"].as_array().expect("a list").iter();
    let text = |value: &serde_json::Value| value.as_str().map(|text| text[11..16].to_owned());
    misses.map(|miss| (text(&miss["from_at"]).expect("a time"), text(&miss["until_at"]), miss["incident"].as_i64())).collect()
}

/// The page's picture of a heartbeat, a word for each day, and what it says below.
async fn picture(app: &App) -> (Vec<String>, String) {
    let page = app.browser("ana").await.get("/heartbeats").await.text;
    let days = page.split("<li class=\"").skip(1).filter_map(|rest| rest.split_once("\" title=")).map(|(word, _)| word.to_owned());
    let days = days.filter(|word| ["well", "missed", "unwatched"].contains(&word.as_str())).collect();
    (days, page)
}

story!(two_misses_of_one_alert_are_two_and_no_day_before_the_first_is_told_of, &team(), |app| {
    app.settle().await;
    assert_eq!(app.get("/api/v1/heartbeats").await["items"][0]["since_at"], "2026-01-07T02:00:00.000Z");
    beats(app).await;
    app.advance("6m").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(misses(app).await, [("02:06".to_owned(), None, Some(1))]);
    app.advance("1m").await;
    beats(app).await;
    // Missed again at once: the same alert and the same incident, and a miss of its own.
    app.advance("6m").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("2m").await;
    beats(app).await;
    assert_eq!(app.incident(1).await.alerts.len(), 1);
    let both = [("02:13", "02:15"), ("02:06", "02:07")].map(|(from, until)| (from.to_owned(), Some(until.to_owned()), Some(1)));
    assert_eq!(misses(app).await, both);

    let (days, page) = picture(app).await;
    assert_eq!((days.len(), days[29].as_str()), (30, "missed"));
    assert!(days[..29].iter().all(|day| day == "unwatched"), "{days:?}");
    assert!(page.contains("2 misses in 30 days, watched since") && page.contains("for 1m") && page.contains("for 2m"), "{page}");
});
