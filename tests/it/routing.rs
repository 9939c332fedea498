//! Which service an alert belongs to: the rules of the file, the integration's own service, and how people learn which it was.

use crate::app::{App, GENERIC, SHOP, TEAM};
use crate::story;
use reveille::base::viewer::Scope;
use serde_json::{Value, json};

/// The team, a service of the databases whose alerts wake Cy, and two rules.
fn team() -> String {
    format!("{TEAM}{RULES}")
}

const RULES: &str = r#"
[[policy]]
id = "dba"
steps = [{ notify = ["user:cy"], escalate_after = "5m" }]

[[service]]
id = "database"
policy = "platform"

[[route]]
id = "db"
match = ['team="db"', 'host=~"db-.*"']
service = "database"
policy = "dba"
severity = "critical"
title = "{{ labels.host }}: {{ title }}"
labels = { tier = "{{ labels.team|upper }}", broken = "{{ title.fly() }}" }

[[route]]
id = "noise"
source = "generic"
expression = '"deprecated" in title'
record = true
"#;

story!(a_rule_takes_the_alert_to_its_service_and_pages_by_its_policy, &team(), |app| {
    let body = json!({ "title": "the disk is full", "dedup_key": "disk", "labels": { "team": "db", "host": "db-3" } });
    app.posts(GENERIC, &body).await;
    app.phone("cy").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["service"], &incident.row["severity"]), (&json!("database"), &json!("sev1")));
    assert_eq!(incident.row["title"], "db-3: the disk is full");
    let alert = &incident.alerts[0];
    assert_eq!((&alert["severity"], &alert["labels"]["tier"]), (&json!("critical"), &json!("DB")));
    assert_eq!(alert["labels"]["template_error"], "broken: there is no such method");
    let routed = incident.entry("incident_routed");
    assert_eq!(
        (&routed["text"], &routed["reason"]),
        (&json!("Routed by rule db, which pages by policy dba"), &json!("team=\"db\" and host=~\"db-.*\""))
    );
    // What no rule takes goes to the integration's own service, and joins nothing of another.
    app.fires("the queue is long").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.incident(2).await.row["service"], "api");
    let metrics = reqwest::get(format!("{}/metrics", app.url)).await.expect("it answers").text().await.expect("it is text");
    assert!(metrics.contains("reveille_routed_total{rule=\"db\"} 1"), "{metrics}");
});

story!(an_open_alert_keeps_its_service_and_a_resolve_finds_it_when_the_rules_change, &team(), |app| {
    let body = json!({ "title": "disk", "labels": { "team": "db", "host": "db-3" } });
    app.posts(GENERIC, &body).await;
    app.phone("cy").rings().await.press('1').await;
    app.applies(&team().replace("team=\"db\"", "team=\"dba\"")).await;
    assert_eq!(app.hears(GENERIC, &body).await.outcome, "repeated");
    let incident = app.incident(1).await;
    assert_eq!((incident.alerts.len(), &incident.alerts[0]["service"]), (1, &json!("database")));
    app.resolves("disk").await;
    app.settle().await;
    app.incident(1).await.is("resolved");
    assert_eq!(app.incidents().await.len(), 1);
});

story!(a_rule_that_records_wakes_nobody_and_rules_keep_their_order, &team(), |app| {
    let body = json!({ "title": "deprecated call" });
    assert_eq!(app.hears(GENERIC, &body).await.outcome, "recorded");
    assert_eq!(app.incidents().await.len(), 0);
    // The first that matches takes it.
    let both = json!({ "title": "deprecated disk", "labels": { "team": "db", "host": "db-3" } });
    app.posts(GENERIC, &both).await;
    app.phone("cy").rings().await.press('1').await;
});

/// Asks what would become of a body; the answer's first signal.
async fn tries(app: &crate::app::App, token: &str, question: &Value) -> Value {
    let post = reqwest::Client::new().post(format!("{}/api/v1/route", app.url)).bearer_auth(token);
    let answer = post.json(question).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    answer.json::<Value>().await.expect("JSON")["signals"][0].clone()
}

story!(what_the_tester_says_is_what_happens_and_trying_stores_nothing, &team(), |app| {
    let disk = json!({ "title": "the disk is full", "dedup_key": "disk", "labels": { "team": "db", "host": "db-3" } });
    let queue = json!({ "title": "the queue is long", "severity": "warning" });
    let token = app.token_of("reader", Scope::Read).await;
    let tried = [
        tries(app, &token, &json!({ "integration": "api-scripts", "body": disk.to_string() })).await,
        tries(app, &token, &json!({ "integration": "api-scripts", "body": queue.to_string() })).await,
    ];
    app.settle().await;
    assert_eq!((app.incidents().await.len(), app.is_accounted_for().await), (0, 0), "nothing is stored");
    assert_eq!((&tried[0]["rule"], &tried[1]["rule"]), (&json!("db"), &Value::Null));
    assert_eq!(tried[0]["steps"], json!([{ "after": "0s", "users": ["cy"], "places": [] }]));
    assert_eq!(tried[1]["rules"][0]["why"], "team=\"db\" does not match: team is empty");
    assert_eq!(tried[1]["rules"][1]["why"], "\"deprecated\" in title is not true");
    assert_eq!(tried[1]["steps"][0]["users"], json!(["ana"]));
    // And so it happens.
    for (body, tried, phone, number) in [(&disk, &tried[0], Some("cy"), 1), (&queue, &tried[1], None, 2)] {
        app.posts(GENERIC, body).await;
        app.settle().await;
        if let Some(phone) = phone {
            app.phone(phone).rings().await.press('1').await;
        }
        let incident = app.incident(number).await;
        assert_eq!((&incident.row["service"], &incident.row["severity"]), (&tried["service"], &tried["incident_severity"]));
        let alert = &incident.alerts[0];
        for field in ["title", "severity", "labels", "dedup_key"] {
            assert_eq!(alert[field], tried[field], "{field}");
        }
    }
});

story!(the_tester_knows_what_fires_and_what_is_silenced, &team(), |app| {
    let token = app.token_of("reader", Scope::Read).await;
    let body = |at: &str| json!({ "title": "the disk is full", "dedup_key": "disk", "at": at, "labels": { "team": "db", "host": "db-3" } });
    let tried = async |app: &App, at: &str| {
        let told = tries(app, &token, &json!({ "integration": "api-scripts", "body": body(at).to_string() })).await;
        (told["outcome"].as_str().expect("a word").to_owned(), told["incident"].as_i64(), told["reason"].clone())
    };
    let (early, late) = ("2026-01-05T02:00:00Z", "2026-01-05T03:00:00Z");
    assert_eq!(tried(app, early).await.0, "opened");
    app.posts(GENERIC, &body(early)).await;
    app.phone("cy").rings().await.press('1').await;
    assert_eq!(tried(app, late).await, ("repeated".to_owned(), Some(1), json!("the same condition is firing already")));
    let resolve = json!({ "dedup_key": "disk", "state": "resolved", "at": late });
    app.hears(GENERIC, &resolve).await;
    app.settle().await;
    app.incident(1).await.is("resolved");
    let stale = tried(app, early).await;
    assert_eq!((stale.0.as_str(), stale.2), ("ignored", json!("it is older than the last change the sender told of")));
    app.advance("1h").await;
    let silence = json!({ "matchers": ["team=\"db\""], "for": "2h", "comment": "the disks are changed" });
    let post = app.http.post(format!("{}/api/v1/silences", app.url)).bearer_auth(&app.token).body(silence.to_string());
    let (status, told) = crate::app::answer(post.header("content-type", "application/json")).await;
    assert!(status < 300, "{told}");
    app.settle().await;
    let silenced = tried(app, "2026-01-05T04:00:00Z").await;
    assert_eq!((silenced.0.as_str(), silenced.2), ("suppressed", json!("a silence covers it")));
    // And so it happens; trying it left nothing behind.
    assert_eq!(app.hears(GENERIC, &body("2026-01-05T04:00:00Z")).await.outcome, "suppressed");
    assert_eq!(app.incidents().await.len(), 1);
});

story!(the_tester_tells_what_it_does_not_know, &team(), |app| {
    let token = app.token_of("reader", Scope::Read).await;
    for (question, said) in [
        (json!({ "body": "{}" }), "Which sender is it? name the integration; there are api-rollbar (rollbar), api-scripts (generic)"),
        (json!({ "source": "pingdom" }), "there is no integration of that source; there are"),
        (json!({ "integration": "nobody" }), "there is no such integration; there are"),
        (json!({ "integration": "api-scripts", "body": "a", "body_base64": "YQ==" }), "it has both body and body_base64"),
        (json!({ "integration": "api-scripts", "bdy": "a" }), "unknown field"),
    ] {
        let post = reqwest::Client::new().post(format!("{}/api/v1/route", app.url)).bearer_auth(&token);
        let answer = post.json(&question).send().await.expect("an answer");
        let (status, problem) = (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"));
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && detail.contains(said), "{status} {detail}");
    }
    // A body that cannot be read is told of as what it would become.
    let tried = tries(app, &token, &json!({ "source": "rollbar", "body_base64": "/w==" })).await;
    assert_eq!((&tried["says"], &tried["service"]), (&json!("cannot be read"), &json!("api")));
});

story!(the_page_shows_the_same_and_takes_the_last_signals, &team(), |app| {
    let body = json!({ "title": "<b>disk</b>", "dedup_key": "disk", "labels": { "team": "db", "host": "db-3" } });
    app.posts(GENERIC, &body).await;
    app.phone("cy").rings().await.press('1').await;
    let ana = app.browser("ana").await;
    let cards = ana.get("/integrations/api-scripts").await.text;
    assert!(cards.contains("rule db → service database, because team=&#34;db&#34;"), "{cards}");
    let page = ana.get("/route?integration=api-scripts").await;
    let sample = page.text.split("sample=").nth(1).and_then(|rest| rest.split('"').next()).expect("its last signal").to_owned();
    let taken = ana.get(&format!("/route?integration=api-scripts&sample={sample}")).await;
    assert!(taken.text.contains("&#34;team&#34;:&#34;db&#34;"), "{}", taken.text);
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("csrf", taken.csrf().as_str()),
            ("integration", "api-scripts"),
            ("body", &body.to_string()),
            ("headers", "X-One: 1"),
        ])
        .finish();
    let shown = ana.post("/route", &form).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    for part in [
        "Rule db takes it",
        "It would open an incident at sev1",
        "Cy Young",
        "db-3: &#60;b&#62;disk&#60;/b&#62;",
        "template_error",
        "it would be <strong>repeated</strong>: the same condition is firing already",
        "<a href=\"/incidents/1\">#1</a>",
    ] {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    // Only those who administer may see what the senders send.
    assert_eq!(app.browser("bo").await.get("/route").await.status, 403);
});

/// A sender with a JSON of its own.
fn mapped() -> String {
    TEAM.replace(
        "key = \"shopkey0000000000000000001\"",
        "key = \"shopkey0000000000000000001\"\n\n[integration.map]\ndedup_key = \"/alert/id\"\ntitle = \"{{ alert.name }}\"\n\
         severity = \"/alert/p\"\nseverities = { P1 = \"critical\" }\nresolved_when = 'alert.status == \"ok\"'\n",
    )
}

story!(any_json_opens_and_ends_an_incident_by_its_mapping, &mapped(), |app| {
    let body = |status: &str| json!({ "alert": { "id": 7, "name": "nobody can pay", "p": "P1", "status": status } });
    assert_eq!(app.hears(SHOP, &body("bad")).await.outcome, "opened");
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["title"], &incident.row["severity"]), (&json!("nobody can pay"), &json!("sev1")));
    assert_eq!(incident.alerts[0]["dedup_key"], "7");
    assert_eq!(app.hears(SHOP, &body("ok")).await.outcome, "resolved");
    app.incident(1).await.is("resolved");
    // What gives nothing is an alert of its own, and says which field it was.
    let heard = app.hears(SHOP, &json!({ "alrt": {} })).await;
    assert_eq!((heard.outcome.as_str(), heard.incident), ("unreadable", Some(2)));
    app.phone("ana").rings_after("3m").await.press('1').await;
    let title = app.incident(2).await.row["title"].clone();
    assert!(title.as_str().is_some_and(|title| title.contains("its dedup_key, which is mapped from /alert/id, gave nothing")), "{title}");
    let token = app.token_of("reader", Scope::Read).await;
    let tried = tries(app, &token, &json!({ "integration": "shop-scripts", "body": body("bad").to_string() })).await;
    assert_eq!((&tried["dedup_key"], &tried["severity"]), (&json!("7"), &json!("critical")));
});
