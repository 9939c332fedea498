//! Incidents that turn out to be one, or two: merged, taken back, split; and a cause that comes after its symptoms.

use serde_json::{Value, json};

use crate::app::{App, GENERIC, SHOP, TEAM};
use crate::slack::in_slack;
use crate::story;

/// What the API answers with, where it does what is asked.
async fn does(app: &App, path: &str, body: &Value) -> Value {
    let (status, answer) = app.orders(path, body).await;
    assert!(matches!(status, 200 | 201), "{path}: {status} {answer}");
    answer
}

/// Why it does not.
async fn is_refused(app: &App, path: &str, body: &Value) -> String {
    let (status, answer) = app.orders(path, body).await;
    assert!(matches!(status, 404 | 409), "{path}: {status} {answer}");
    answer["detail"].as_str().expect("a sentence").to_owned()
}

story!(two_incidents_become_one_and_its_people_go_on_being_called, |app| {
    app.hears(SHOP, &json!({"title": "checkout fails", "severity": "error"})).await;
    app.advance("5s").await;
    app.fires("the database is down").await;
    let merged = does(app, "/api/v1/incidents/1/merge", &json!({"into": 2})).await;
    assert_eq!((&merged["state"], &merged["merged_into"]), (&json!("resolved"), &json!(2)));
    let home = app.get("/api/v1/incidents/2").await;
    assert_eq!((&home["took_in"], &home["alerts_count"], &home["also_services"]), (&json!([1]), &json!(2), &json!(["shop"])));
    let incident = app.incident(2).await;
    assert_eq!((incident.alerts.len(), incident.times("incident_taken_in")), (2, 1));
    assert!(incident.entry("incident_taken_in")["text"].as_str().is_some_and(|text| text.contains("#1 (checkout fails)")));
    // The history of the one stays where it was, with its alert.
    let gone = app.incident(1).await;
    assert_eq!((gone.alerts.len(), gone.times("incident_merged")), (1, 1));
    assert!(gone.entry("incident_merged")["text"].as_str().is_some_and(|text| text.contains("#2 (the database is down)")));

    // What is said of the one's alert is the other's; and both are over with the last alert.
    let heard = app.hears(SHOP, &json!({"title": "checkout fails", "severity": "error"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("repeated", Some(2)));
    let heard = app.hears(SHOP, &json!({"title": "cart fails", "severity": "error"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("folded", Some(2)), "what comes anew goes there too");
    app.phone("ana").rings().await.press('1').await;
    app.resolves("the database is down").await;
    app.incident(2).await.is("acknowledged");
    for title in ["checkout fails", "cart fails"] {
        app.hears(SHOP, &json!({"title": title, "state": "resolved"})).await;
    }
    app.incident(2).await.is("resolved");
    assert_eq!(app.incident(1).await.times("ended_with"), 1);
    let page = app.browser("ana").await.get("/incidents/1").await;
    assert!(page.text.contains("Went into"), "{}", page.text);
    app.everyone_takes_notice();
});

story!(a_merge_is_taken_back_and_what_still_fires_pages_again, |app| {
    app.hears(SHOP, &json!({"title": "checkout fails", "severity": "error"})).await;
    app.fires("the database is down").await;
    does(app, "/api/v1/incidents/1/merge", &json!({"into": 2})).await;
    let back = does(app, "/api/v1/incidents/1/unmerge", &json!({})).await;
    assert_eq!((&back["state"], &back["firing_count"], &back["merged_into"]), (&json!("triggered"), &json!(1), &json!(null)));
    let home = app.get("/api/v1/incidents/2").await;
    assert_eq!((&home["alerts_count"], &home["firing_count"], &home["took_in"]), (&json!(1), &json!(1), &json!([])));
    assert_eq!(app.incident(1).await.times("policy_started"), 2);
    let why = app.get("/api/v1/why/1").await;
    assert!(why.to_string().contains("a person took the merge back"), "{why}");
    app.everyone_takes_notice();
});

story!(what_cannot_be_merged_is_refused_in_a_sentence, |app| {
    app.fires("the database is down").await;
    let refused = is_refused(app, "/api/v1/incidents/1/merge", &json!({"into": 1})).await;
    assert!(refused.contains("cannot go into itself"), "{refused}");
    let refused = is_refused(app, "/api/v1/incidents/1/merge", &json!({"into": 7})).await;
    assert!(refused.contains("no such incident"), "{refused}");
    let refused = is_refused(app, "/api/v1/incidents/1/split", &json!({"alerts": []})).await;
    assert!(refused.contains("which alerts go"), "{refused}");
    app.everyone_takes_notice();
});

story!(some_alerts_are_split_off_and_page_for_themselves, |app| {
    app.fires("the database is down").await;
    app.fires("the mail is late").await;
    let alerts = app.incident(1).await.alerts;
    let late = alerts.iter().find(|alert| alert["title"] == "the mail is late").expect("it joined")["id"].clone();
    let refused =
        is_refused(app, "/api/v1/incidents/1/split", &json!({"alerts": alerts.iter().map(|alert| &alert["id"]).collect::<Vec<_>>()})).await;
    assert!(refused.contains("keeps at least one"), "{refused}");
    let part = does(app, "/api/v1/incidents/1/split", &json!({"alerts": [late]})).await;
    assert_eq!(
        (&part["number"], &part["title"], &part["split_from"], &part["state"]),
        (&json!(2), &json!("the mail is late"), &json!(1), &json!("triggered"))
    );
    assert_eq!(app.get("/api/v1/incidents/1").await["alerts_count"], 1);
    assert!(app.incident(1).await.entry("incident_split_off")["text"].as_str().is_some_and(|text| text.contains("#2")));
    let heard = app.hears(GENERIC, &json!({"title": "the disk is full", "severity": "error"})).await;
    assert_eq!(heard.incident, Some(1), "what comes anew stays with the whole");
    app.phone("ana").rings().await.press('1').await;
    app.everyone_takes_notice();
});

/// The shop depends on the API.
fn with_a_cause() -> String {
    let shop = "[[service]]\nid = \"shop\"\n";
    TEAM.replace(shop, &format!("{shop}depends_on = [\"api\"]\n"))
}

story!(a_cause_takes_in_what_opened_shortly_before_and_nobody_has, |app| {
    app.applies(&with_a_cause()).await;
    app.hears(SHOP, &json!({"title": "checkout fails", "severity": "error"})).await;
    app.advance("1m").await;
    let heard = app.hears(GENERIC, &json!({"dedup_key": "db", "title": "the database is down", "severity": "error"})).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("opened", Some(2)));
    let gone = app.get("/api/v1/incidents/1").await;
    assert_eq!((&gone["state"], &gone["merged_into"], &gone["resolved_by"]), (&json!("resolved"), &json!(2), &json!(null)));
    let entry = app.incident(1).await.entry("incident_merged").clone();
    assert!(entry["text"].as_str().is_some_and(|text| text.contains("#2 (the database is down)")), "{entry}");
    assert!(entry["reason"].as_str().is_some_and(|text| text.contains("depends on")), "{entry}");
    // Whoever was being called for the symptom is called for the cause.
    let called: Vec<_> =
        app.get("/api/v1/incidents/2/pages").await["items"].as_array().expect("a list").iter().map(|page| page["user"].clone()).collect();
    assert!(!called.is_empty(), "{called:?}");
    app.everyone_takes_notice();
});

story!(a_symptom_that_somebody_has_is_only_named_to_them, |app| {
    app.applies(&with_a_cause()).await;
    app.hears(SHOP, &json!({"title": "checkout fails", "severity": "error"})).await;
    app.command(1, "acknowledge").await;
    app.hears(GENERIC, &json!({"title": "the database is down", "severity": "error"})).await;
    assert_eq!(app.incidents().await.len(), 2);
    app.incident(1).await.is("acknowledged");
    assert_eq!(app.incident(1).await.entry("link_suspected")["text"], "May be caused by #2 (the database is down)");
    assert_eq!(app.incident(2).await.entry("link_suspected")["text"], "May have caused #1 (checkout fails)");
    let page = app.browser("ana").await.get("/incidents/1").await;
    assert!(page.text.contains("Merge into #2"), "{}", page.text);
    let browser = app.browser("ana").await;
    let csrf = browser.get("/incidents/1").await.csrf();
    let merged = browser.post("/incidents/1/merge", &format!("csrf={csrf}&into=2")).await;
    assert_eq!((merged.status, merged.location.as_deref()), (303, Some("/incidents/1")), "{}", merged.text);
    assert_eq!(app.get("/api/v1/incidents/1").await["merged_into"], 2);
    app.everyone_takes_notice();
});

story!(somebody_merges_in_the_room_and_takes_it_back_there, &in_slack(), |app| {
    app.fires("the database is down").await;
    app.hears(SHOP, &json!({"title": "checkout fails", "severity": "error"})).await;
    let room = app.room(1).id;
    let none = app.says("U0ANA", &room, "merge 7").await;
    assert!(none.contains("#7"), "{none}");
    let itself = app.says("U0ANA", &room, "merge 1").await;
    assert!(itself.contains("nothing was changed, because an incident cannot go into itself"), "{itself}");
    let answer = app.says("U0ANA", &room, "merge #2").await;
    assert!(answer.contains("is part of the other one now") && answer.contains("It goes on with *#2*"), "{answer}");
    assert_eq!(app.get("/api/v1/incidents/1").await["merged_into"], 2);
    assert_eq!(app.get("/api/v1/incidents/2").await["took_in"], json!([1]));
    app.advance("2s").await;
    assert!(app.told_in(1).contains("Merged into #2 (checkout fails) by Ana Ruiz"), "{}", app.told_in(1));

    app.stage.slack().press("U0ANA", &room, "Take it back").await.expect("the button is there");
    app.settle().await;
    let home = app.get("/api/v1/incidents/1").await;
    assert_eq!((&home["state"], &home["merged_into"]), (&json!("triggered"), &json!(null)));
    app.advance("2s").await;
    assert!(app.told_in(1).contains("Taken out of #2 (checkout fails) again, and still fires, by Ana Ruiz"), "{}", app.told_in(1));
    app.everyone_takes_notice();
});
