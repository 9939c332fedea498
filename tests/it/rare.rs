//! What is new, what rises, what is rare, and what is noise.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{App, GENERIC, TEAM};
use crate::story;

/// The team, whose service asks to be woken for what is new and what rises.
fn curious() -> String {
    TEAM.replacen("[[service]]", "[[service]]\nraise = [\"new\", \"rising\"]", 1)
}

fn says(title: &str, state: &str) -> Value {
    json!({ "dedup_key": title, "title": title, "severity": "warning", "state": state })
}

/// Something ordinary happened a day ago, so that its sender is known.
async fn is_known(app: &mut App) {
    app.hears(GENERIC, &says("disk full", "firing")).await;
    app.hears(GENERIC, &says("disk full", "resolved")).await;
    app.advance("25h").await;
    app.everyone_takes_notice();
}

async fn titles(app: &App, path: &str) -> Vec<String> {
    let list = app.get(path).await;
    list["items"].as_array().expect("a list").iter().map(|item| item["title"].as_str().expect("a title").to_owned()).collect()
}

story!(the_first_of_its_kind_wakes_people_where_its_service_asks_for_it, &curious(), |app| {
    is_known(app).await;
    // What is known stays quiet.
    app.hears(GENERIC, &says("disk full", "firing")).await;
    assert_eq!(app.incident(2).await.row["severity"], "sev3");
    app.hears(GENERIC, &says("disk full", "resolved")).await;
    let heard = app.hears(GENERIC, &says("queue 7 is full", "firing")).await;
    assert_eq!(heard.outcome, "opened");
    let incident = app.incident(3).await;
    assert_eq!(incident.row["severity"], "sev2");
    assert_eq!(
        incident.entry("alerts_new")["text"],
        "1 alert of a kind that was never heard of before: it wakes people, as sev2: queue 7 is full"
    );
    let started = incident.entry("policy_started")["reason"].as_str().expect("a reason").to_owned();
    assert!(started.contains("no alert of its kind was heard of before"), "{started}");
    app.command(3, "acknowledge").await;
    app.everyone_takes_notice();
    // The next of the kind is nothing new.
    app.hears(GENERIC, &says("queue 8 is full", "firing")).await;
    let incident = app.incident(3).await;
    assert_eq!((incident.times("alerts_new"), &incident.row["state"]), (1, &json!("acknowledged")));
    let alerts = app.get("/api/v1/incidents/3/alerts?sort=rare").await;
    let seen: Vec<_> = alerts["items"].as_array().expect("a list").iter().map(|a| (&a["first_of_its_kind"], &a["seen_before"])).collect();
    assert_eq!(seen, [(&json!(true), &json!(0)), (&json!(false), &json!(1))]);
    let ana = app.browser("ana").await;
    assert!(ana.get("/incidents/3").await.text.contains("first of its kind"));
    assert!(ana.get("/").await.text.contains("new kind"));
    let metrics = reqwest::get(format!("{}/metrics", app.url)).await.expect("it answers").text().await.expect("it is text");
    assert!(metrics.contains("reveille_raised_total{reason=\"new\"} 1"), "{metrics}");
    app.everyone_takes_notice();
});

story!(what_nobody_asked_for_is_marked_and_wakes_nobody, |app| {
    is_known(app).await;
    app.hears(GENERIC, &says("queue 7 is full", "firing")).await;
    let incident = app.incident(2).await;
    assert_eq!((&incident.row["severity"], incident.times("alerts_new")), (&json!("sev3"), 0));
    assert_eq!(app.get("/api/v1/alerts").await["items"][0]["first_of_its_kind"], true);
    app.phone("ana").is_silent().await;
});

story!(a_rate_that_jumps_wakes_people_once_also_after_an_answer, &curious(), |app| {
    app.hears(GENERIC, &says("disk full", "firing")).await;
    app.command(1, "acknowledge").await;
    app.advance("25h").await;
    app.everyone_takes_notice();
    app.posts(GENERIC, &json!(vec![says("disk full", "firing"); 19])).await;
    app.settle().await;
    assert_eq!(app.incident(1).await.row["severity"], "sev3");
    app.goes_down().await;
    app.comes_back().await;
    app.hears(GENERIC, &says("disk full", "firing")).await;
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["severity"], &incident.row["state"]), (&json!("sev2"), &json!("triggered")));
    assert_eq!(
        incident.entry("alerts_rising")["text"],
        "1 alert rising: 20 signals within the hour, 1 in its busiest one lately: it wakes people, as sev2: disk full"
    );
    assert!(app.get("/api/v1/alerts").await["items"][0]["rising_since"].is_string());
    app.command(1, "acknowledge").await;
    app.everyone_takes_notice();
    app.posts(GENERIC, &json!(vec![says("disk full", "firing"); 400])).await;
    app.settle().await;
    let incident = app.incident(1).await;
    assert_eq!((incident.times("alerts_rising"), &incident.row["state"]), (1, &json!("acknowledged")));
    app.everyone_takes_notice();
});

story!(the_rare_alert_is_found_under_the_noise, |app| {
    let mut flood: Vec<Value> = (0..150).map(|n| json!({"title": format!("host {n} is gone"), "severity": "error"})).collect();
    flood.insert(70, json!({"title": "the core switch is gone", "severity": "error"}));
    flood.insert(90, json!({"title": "host 500 is gone", "severity": "critical"}));
    flood.push(json!({"title": "certificate ends soon", "severity": "info"}));
    app.posts(GENERIC, &json!(flood)).await;
    app.settle().await;
    app.everyone_takes_notice();
    let of = "/api/v1/incidents/1/alerts";
    assert_eq!(titles(app, &format!("{of}?sort=rare&limit=3")).await, ["the core switch is gone", "host 0 is gone", "host 1 is gone"]);
    assert_eq!(titles(app, &format!("{of}?sort=severity&limit=2")).await, ["host 500 is gone", "host 149 is gone"]);
    assert_eq!(titles(app, &format!("{of}?limit=1")).await, ["host 149 is gone"]);
    assert_eq!(titles(app, "/api/v1/alerts?sort=rare&limit=2").await, ["certificate ends soon", "the core switch is gone"]);
    // Piece by piece, every order has all of them, each once.
    for (list, count) in [(of, 152), ("/api/v1/alerts", 153)] {
        for order in ["newest", "severity", "rare"] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = app.get(&format!("{list}?sort={order}&limit=20{cursor}")).await;
                seen.extend(page["items"].as_array().expect("a list").iter().map(|item| item["id"].to_string()));
                let Some(next) = page["next"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (count, count), "{list} {order}");
        }
    }
    let page = app.get(&format!("{of}?sort=rare&limit=1")).await;
    let cursor = page["next"].as_str().expect("there are more");
    let token = app.token_of("reads", reveille::base::viewer::Scope::Read).await;
    for wrong in [
        format!("{of}?sort=severity&cursor={cursor}"),
        format!("{of}?sort=loudest"),
        format!("/api/v1/incidents?sort=rare&cursor={cursor}x"),
    ] {
        let (status, problem) = app.asks(reqwest::Method::GET, &wrong, Some(&token)).await;
        assert_eq!(status, 400, "{wrong}: {problem}");
    }
    // The page of a flood shows it without being asked.
    let ana = app.browser("ana").await;
    assert!(ana.get("/incidents/1").await.text.contains("the core switch is gone"));
    assert!(!ana.get("/incidents/1?sort=newest").await.text.contains("the core switch is gone"));
    assert!(ana.get("/alerts?sort=rare").await.text.contains("certificate ends soon"));
    for order in ["newest", "severity", "rare"] {
        assert_eq!(titles(app, &format!("/api/v1/incidents?sort={order}")).await.len(), 1);
        assert_eq!(ana.get(&format!("/?sort={order}")).await.status, 200);
    }
});

story!(a_monitor_that_calls_for_nothing_is_noise_and_its_rule_makes_it_quiet, |app| {
    for night in 0..4 {
        app.fires(&format!("disk {night} full")).await;
        if night == 3 {
            app.phone("ana").rings().await.press('9').await;
        }
        app.everyone_takes_notice();
        app.resolves(&format!("disk {night} full")).await;
        app.advance("1h").await;
        app.everyone_takes_notice();
    }
    app.fires("nobody can pay").await;
    app.command(5, "acknowledge").await;
    app.everyone_takes_notice();
    let noise = app.get("/api/v1/noise").await;
    let monitors = noise["items"].as_array().expect("a list");
    assert_eq!(monitors.len(), 2, "{noise}");
    let disk = &monitors[0];
    assert_eq!(
        (&disk["kind"], &disk["fired"], &disk["incidents"], &disk["unhelpful"]),
        (&json!("disk # full"), &json!(4), &json!(4), &json!(1))
    );
    assert_eq!((&disk["acted"], &disk["score"], &monitors[1]["score"]), (&json!(0), &json!(100), &Value::Null));
    assert_eq!(
        disk["suggestion"],
        "Fired 4 times in 30 days, nobody acted on it: raise its threshold at the sender, or make it low urgency."
    );
    let ana = app.browser("ana").await;
    let page = ana.get("/noise").await;
    assert!(page.text.contains("Fired 4 times in 30 days") && page.text.contains("/silences?matchers="), "{}", page.text);
    // The rule does as it says.
    let rule = disk["rule"].as_str().expect("a rule");
    app.applies(&format!("{TEAM}\n{rule}")).await;
    app.advance("1h").await;
    app.everyone_takes_notice();
    let heard = app.hears(GENERIC, &json!({"title": "Disk 99 full", "severity": "error"})).await;
    let number = heard.incident.expect("it has one");
    assert_eq!(app.incident(number).await.row["severity"], "sev3", "{rule}");
    app.everyone_takes_notice();
});
