//! More incidents in a minute than anybody can read: one takes in the rest.

use serde_json::{Value, json};

use crate::app::{App, GENERIC, SHOP, TEAM};
use crate::story;

/// Every alert of both services opens an incident.
fn alone() -> String {
    let team = TEAM.replace("policy = \"platform\"\n", "policy = \"platform\"\ngroup = { window = \"0s\" }\n");
    assert_eq!(team.matches("0s\" }\n").count() - TEAM.matches("0s\" }\n").count(), 2, "there are two services");
    team
}

fn body(title: &str, severity: &str) -> Value {
    json!({"title": title, "severity": severity})
}

/// So many distinct alerts in few bodies.
async fn flood(app: &App, hook: &str, name: &str, count: usize) {
    for first in (0..count).step_by(250) {
        let batch: Vec<Value> = (first..count.min(first + 250)).map(|n| body(&format!("{name} {n}"), "error")).collect();
        app.posts(hook, &json!(batch)).await;
    }
    app.settle().await;
}

story!(three_thousand_alerts_that_join_nothing_are_eleven_incidents_and_one_call, &alone(), |app| {
    flood(app, GENERIC, "host", 2_000).await;
    flood(app, SHOP, "cart", 1_000).await;
    app.phone("ana").takes_notice();
    assert_eq!(app.phone("ana").calls(), 1);
    let incidents = app.incidents().await;
    assert_eq!(incidents.len(), 11);
    let umbrella = app.incident(11).await;
    assert_eq!(umbrella.row["alerts_count"], 2_990);
    assert_eq!((&umbrella.row["title"], &umbrella.row["also_services"]), (&json!("Storm: host 10"), &json!(["shop"])));
    assert_eq!((umbrella.times("storm_began"), umbrella.times("storm_ended")), (1, 0));
    assert_eq!(umbrella.row["storm"]["policy"], "platform");
    assert_eq!(app.is_accounted_for().await, 3_000);
    let told = app.hears(GENERIC, &body("one more", "error")).await;
    assert_eq!((told.outcome.as_str(), told.incident), ("folded", Some(11)));
    assert!(told.reason.contains("storm"), "{}", told.reason);

    // It ends by itself, and what is new opens its own again.
    app.advance("6m").await;
    app.everyone_takes_notice();
    let umbrella = app.incident(11).await;
    assert_eq!((umbrella.times("storm_ended"), umbrella.row["storm"]["ended_at"].is_string()), (1, true));
    let later = app.hears(GENERIC, &body("much later", "error")).await;
    assert_eq!((later.outcome.as_str(), later.incident), ("opened", Some(12)));
    app.everyone_takes_notice();
});

story!(a_storm_hides_no_other_team_and_nothing_worse, &with_another_team(), |app| {
    flood(app, GENERIC, "host", 40).await;
    app.phone("ana").rings().await.press('1').await;
    app.command(11, "acknowledge").await;
    let other = app.hears(SHOP, &body("nobody can pay", "critical")).await;
    assert_eq!((other.outcome.as_str(), other.incident), ("opened", Some(12)));
    app.phone("cy").rings().await.press('1').await;
    // What is worse than the umbrella raises it, and pages again.
    app.advance("3m").await;
    let worse = app.hears(GENERIC, &body("the core switch", "critical")).await;
    assert_eq!((worse.outcome.as_str(), worse.incident), ("folded", Some(11)));
    app.phone("ana").rings().await.press('1').await;
    let umbrella = app.incident(11).await;
    assert_eq!((&umbrella.row["severity"], umbrella.times("severity_raised")), (&json!("sev1"), 1));
    umbrella.is_acknowledged_by("ana");
});

/// The shop pages by a policy of its own.
fn with_another_team() -> String {
    let alone = alone();
    let shop = "name = \"Shop\"\npolicy = \"platform\"\n";
    assert!(alone.contains(shop), "the team has a shop");
    let policy = "[[policy]]\nid = \"shop\"\nsteps = [{ notify = [\"user:cy\"], escalate_after = \"20m\" }]\n\n[[service]]\nid = \"api\"\n";
    alone.replace(shop, "name = \"Shop\"\npolicy = \"shop\"\n").replacen("[[service]]\nid = \"api\"\n", policy, 1)
}

story!(the_call_of_a_storm_says_its_totals_and_what_tells_most, &alone(), |app| {
    flood(app, GENERIC, "host", 300).await;
    flood(app, SHOP, "cart", 100).await;
    app.hears(SHOP, &body("the vault is sealed", "critical")).await;
    app.phone("ana").takes_notice();
    for number in 1..=10 {
        app.command(number, "acknowledge").await;
    }
    let call = app.phone("ana").rings_after("2m").await.answer().await;
    let said = call.said();
    assert!(said.contains("a storm of 391 alerts from 2 services"), "{said}");
    for title in ["the vault is sealed", "cart ", "host "] {
        assert!(said.contains(title), "{title} is not in: {said}");
    }
    call.press('1').await;
    app.settle().await;
    app.incident(11).await.is_acknowledged_by("ana");
    let browser = app.browser("ana").await;
    let page = browser.get("/incidents/11").await.text;
    assert!(page.contains("whatever would open an incident of policy platform comes under this one"), "{page}");
    assert!(browser.get("/").await.text.contains("storm"));
});

story!(where_it_is_turned_off_every_alert_keeps_its_own_incident, &without(), |app| {
    flood(app, GENERIC, "host", 30).await;
    assert_eq!(app.incidents().await.len(), 30);
    app.everyone_takes_notice();
});

fn without() -> String {
    let platform = "[[policy]]\nid = \"platform\"\n";
    let alone = alone();
    assert!(alone.contains(platform), "the team has a policy");
    alone.replace(platform, "[[policy]]\nid = \"platform\"\nstorm = 0\n")
}
