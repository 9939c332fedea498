//! PagerDuty's doors, told in its clients' words and held to its published description.

use serde_json::{Value, json};

use crate::app::{App, TEAM};
use crate::story;

const KEY: &str = "e93facc04764012d7bfb002500d5d1a6";

fn team() -> String {
    format!("{TEAM}\n[[integration]]\nid = \"api-events\"\nsource = \"pagerduty\"\nservice = \"api\"\nkey = \"{KEY}\"\n")
}

fn spec(version: &str) -> Value {
    let text = match version {
        "v1" => include_str!("../specs/pagerduty_events_v1.json"),
        _ => include_str!("../specs/pagerduty_events_v2.json"),
    };
    serde_json::from_str(text).expect("the description is JSON")
}

/// Checks a value against a schema of the description; a keyword that this does not know fails, so that nothing passes unread.
fn check(spec: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(path) = schema["$ref"].as_str() {
        let target = spec.pointer(path.trim_start_matches('#')).unwrap_or_else(|| panic!("{path} is not described"));
        return check(spec, target, value, at);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let object = value.as_object().unwrap_or_else(|| panic!("{at} is no object: {value}"));
            for name in schema["required"].as_array().into_iter().flatten() {
                assert!(object.contains_key(name.as_str().expect("a name")), "{at} has no {name}: {value}");
            }
            for (name, value) in object {
                let property = schema["properties"].get(name).unwrap_or_else(|| panic!("{at}.{name} is not described"));
                check(spec, property, value, &format!("{at}.{name}"));
            }
        }
        Some("array") => {
            for item in value.as_array().unwrap_or_else(|| panic!("{at} is no list: {value}")) {
                check(spec, &schema["items"], item, at);
            }
        }
        Some("string") => assert!(value.is_string(), "{at} is no text: {value}"),
        other => panic!("{at}: this test does not know the type {other:?}"),
    }
}

/// Posts to one of the doors; the answer is as its description says for that status.
async fn tells(app: &App, path: &str, body: &Value) -> (u16, Value) {
    tells_raw(app, path, body.to_string()).await
}

async fn tells_raw(app: &App, path: &str, body: String) -> (u16, Value) {
    let (version, described) = match path.strip_prefix("/v2") {
        Some(rest) => ("v2", rest),
        None => ("v1", path.strip_prefix("/generic/2010-04-15").expect("one of the two")),
    };
    let (status, told) = app.sends(path, body).await;
    let spec = spec(version);
    let responses = &spec["paths"][described]["post"]["responses"];
    // Of a refusal the description names the status alone; its shape is that of every error.
    assert!(responses.get(status.to_string()).is_some(), "{path} does not answer {status}: {told}");
    let kind = if status < 300 { "Success" } else { "Error" };
    check(&spec, &spec["components"]["responses"][kind]["content"]["application/json"]["schema"], &told, path);
    app.settle().await;
    (status, told)
}

fn event(action: &str, dedup_key: &str) -> Value {
    let payload = json!({"summary": "DISK at 99% on machine db-3", "source": "db-3", "severity": "critical"});
    json!({"routing_key": KEY, "event_action": action, "dedup_key": dedup_key, "payload": payload})
}

story!(a_pagerduty_client_triggers_and_resolves, &team(), |app| {
    let (status, told) = tells(app, "/v2/enqueue", &event("trigger", "srv01/mysql")).await;
    assert_eq!((status, told), (202, json!({"status": "success", "message": "Event processed", "dedup_key": "srv01/mysql"})));
    let ana = app.phone("ana").rings().await.ignore();
    let incident = app.incident(1).await;
    assert_eq!(incident.row["title"], "DISK at 99% on machine db-3");
    assert_eq!(
        (&incident.alerts[0]["source"], &incident.alerts[0]["dedup_key"], &incident.alerts[0]["severity"]),
        (&json!("pagerduty"), &json!("srv01/mysql"), &json!("critical"))
    );
    let (status, _) = tells(app, "/v2/enqueue", &json!({"routing_key": KEY, "event_action": "resolve", "dedup_key": "srv01/mysql"})).await;
    assert_eq!(status, 202);
    ana.has_ended();
    app.incident(1).await.is("resolved");
});

story!(a_trigger_without_a_key_is_given_one, &team(), |app| {
    let mut event = event("trigger", "");
    event.as_object_mut().expect("an object").remove("dedup_key");
    let (_, told) = tells(app, "/v2/enqueue", &event).await;
    let key = told["dedup_key"].as_str().expect("a key").to_owned();
    assert_eq!(key.len(), 32, "{key}");
    app.phone("ana").rings().await.ignore();
    app.advance("1s").await;
    // The same words again are another event, as they are there.
    let (_, other) = tells(app, "/v2/enqueue", &event).await;
    assert_ne!(other["dedup_key"], told["dedup_key"]);
    for key in [told, other] {
        tells(app, "/v2/enqueue", &json!({"routing_key": KEY, "event_action": "resolve", "dedup_key": key["dedup_key"]})).await;
    }
    let incident = app.incident(1).await;
    assert_eq!(incident.alerts.len(), 2);
    incident.is("resolved");
});

story!(version_1_is_spoken_too, &team(), |app| {
    let door = "/generic/2010-04-15/create_event.json";
    let mut event: Value = serde_json::from_str(include_str!("../fixtures/sources/pagerduty/v1_trigger.json")).expect("JSON");
    event["service_key"] = json!(KEY);
    let (status, told) = tells(app, door, &event).await;
    assert_eq!((status, &told["status"], &told["message"]), (200, &json!("success"), &json!("Event processed")));
    app.phone("ana").rings().await.ignore();
    let key = &told["incident_key"];
    let (status, _) = tells(app, door, &json!({"service_key": KEY, "event_type": "resolve", "incident_key": key})).await;
    assert_eq!(status, 200);
    app.incident(1).await.is("resolved");
    let (status, told) = tells(app, door, &json!({"service_key": KEY, "event_type": "resolve"})).await;
    assert_eq!((status, &told["errors"]), (400, &json!(["'incident_key' is missing or blank"])));
    // A client with the right key had something to say.
    app.phone("ana").is_silent().await;
    app.incident(2).await.is("triggered");
    tells(app, door, &json!({"service_key": KEY, "event_type": "resolve", "incident_key": "x"})).await;
    app.incident(2).await.is("resolved");
});

story!(what_pagerduty_refuses_is_refused_in_its_words, &team(), |app| {
    for (body, errors) in [
        (json!({}), json!(["'routing_key' is missing or blank"])),
        (json!({"routing_key": "0".repeat(32)}), json!(["'routing_key' is invalid: no integration of the source pagerduty has this key"])),
        (
            json!({"routing_key": "generickey0000000000000001"}),
            json!(["'routing_key' is invalid: no integration of the source pagerduty has this key"]),
        ),
    ] {
        let (status, told) = tells(app, "/v2/enqueue", &body).await;
        assert_eq!((status, &told["status"], &told["errors"]), (400, &json!("invalid event"), &errors));
        let (status, _) = tells(app, "/v2/change/enqueue", &body).await;
        assert_eq!(status, 400);
    }
    for body in ["", "{", "[]", "\u{0}"] {
        let (status, told) = tells_raw(app, "/v2/enqueue", body.to_owned()).await;
        assert_eq!((status, &told["message"]), (400, &json!("Event object format is unrecognized")), "{body}");
    }
    assert!(app.incidents().await.is_empty());

    // Whoever has the right key may be the only one who knows of a fire.
    let mut wrong = event("trigger", "k");
    wrong["payload"]["severity"] = json!("fatal");
    let (status, told) = tells(app, "/v2/enqueue", &wrong).await;
    assert_eq!(status, 400);
    assert!(told["errors"][0].as_str().expect("a sentence").starts_with("'payload.severity' is invalid"), "{told}");
    app.phone("ana").rings().await.press('1').await;
    assert!(app.incident(1).await.row["title"].as_str().expect("a title").contains("'payload.severity' is invalid"));
    tells(app, "/v2/enqueue", &json!({"routing_key": KEY, "event_action": "resolve", "dedup_key": "k"})).await;
    app.incident(1).await.is("resolved");
});

story!(a_change_wakes_nobody, &team(), |app| {
    let mut change: Value = serde_json::from_str(include_str!("../fixtures/pagerduty_change.json")).expect("JSON");
    change["routing_key"] = json!(KEY);
    let (status, told) = tells(app, "/v2/change/enqueue", &change).await;
    assert_eq!((status, told), (202, json!({"status": "success", "message": "Change event processed"})));
    assert!(app.incidents().await.is_empty());
    assert_eq!(app.is_accounted_for().await, 1);
});

story!(a_body_too_large_is_told_so, &team(), |app| {
    let (status, told) = app.sends("/v2/enqueue", vec![b' '; (1 << 20) + 1]).await;
    assert_eq!((status, &told["status"]), (413, &json!("invalid event")), "{told}");
});

/// Posts to version 2 what says in its header alone whose it is.
async fn posts_for(app: &App, key: &str, body: Vec<u8>) -> u16 {
    let post = app.http.post(format!("{}/v2/enqueue", app.url)).header("X-Routing-Key", key).body(body);
    let status = post.send().await.expect("an answer").status().as_u16();
    app.settle().await;
    status
}

story!(what_cannot_be_read_is_an_alert_where_its_header_says_whose, &team(), |app| {
    let large = vec![b' '; (1 << 20) + 1];
    for (body, status) in [(b"{".to_vec(), 400), (large.clone(), 413)] {
        assert_eq!(posts_for(app, "unknown", body).await, status);
    }
    assert!(app.incidents().await.is_empty());
    assert_eq!(posts_for(app, KEY, b"{".to_vec()).await, 400);
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    assert_eq!(posts_for(app, KEY, large).await, 413);
    let alerts = app.get("/api/v1/alerts").await;
    assert_eq!((alerts["items"].as_array().map(Vec::len), &alerts["items"][0]["count"]), (Some(1), &json!(2)), "{alerts}");
});

story!(a_key_too_long_is_refused_in_words_and_fires_all_the_same, &team(), |app| {
    let long = "k".repeat(256);
    let (status, told) = tells(app, "/v2/enqueue", &event("trigger", &long)).await;
    assert_eq!((status, &told["errors"]), (400, &json!(["'dedup_key' is too long (maximum is 255 characters)"])));
    let ana = app.phone("ana").rings().await.ignore();
    assert_eq!(app.incident(1).await.row["title"], "DISK at 99% on machine db-3");
    let (status, _) = tells(app, "/v2/enqueue", &json!({"routing_key": KEY, "event_action": "resolve", "dedup_key": long})).await;
    assert_eq!(status, 400);
    ana.has_ended();
    app.incident(1).await.is("resolved");
    let (status, _) = tells(app, "/v2/enqueue", &event("resolve", &"k".repeat(255))).await;
    assert_eq!(status, 202);
    let door = "/generic/2010-04-15/create_event.json";
    let (status, told) = tells(app, door, &json!({"service_key": KEY, "event_type": "resolve", "incident_key": long})).await;
    assert_eq!((status, &told["errors"]), (400, &json!(["'incident_key' is too long (maximum is 255 characters)"])));
});

story!(what_an_event_brings_along_is_seen_on_its_alert, &team(), |app| {
    let mut event = event("trigger", "db-3/disk");
    event["client"] = json!("Sensu");
    event["client_url"] = json!("https://sensu.example.com/db-3");
    event["links"] = json!([{"href": "https://wiki.example.com/disk", "text": "Runbook"}, {"href": "javascript:alert(1)", "text": "x"}]);
    event["images"] = json!([{"src": "https://example.com/disk.png", "href": "https://example.com/disk", "alt": "The disk"}]);
    event["payload"]["custom_details"] = json!({"used": "99%", "inodes": {"free": 7}, "mounted": true});
    event["payload"]["component"] = json!("postgres");
    event["payload"]["group"] = json!("prod");
    event["payload"]["class"] = json!("disk");
    event["payload"]["timestamp"] = json!("2026-01-07T01:59:00.000+0000");
    tells(app, "/v2/enqueue", &event).await;
    app.phone("ana").rings().await.ignore();
    let alert = app.incident(1).await.alerts[0].clone();
    assert_eq!(alert["url"], "https://sensu.example.com/db-3");
    assert_eq!(
        alert["labels"],
        json!({
            "source": "db-3", "component": "postgres", "group": "prod", "class": "disk",
            "client": "Sensu", "client_url": "https://sensu.example.com/db-3",
            "link: Runbook": "https://wiki.example.com/disk", "image: The disk": "https://example.com/disk.png",
            "used": "99%", "inodes": "{\"free\":7}", "mounted": "true",
        })
    );
    tells(app, "/v2/enqueue", &json!({"routing_key": KEY, "event_action": "acknowledge", "dedup_key": "db-3/disk"})).await;
    app.incident(1).await.is("acknowledged");
    tells(app, "/v2/enqueue", &json!({"routing_key": KEY, "event_action": "resolve", "dedup_key": "db-3/disk"})).await;
    app.incident(1).await.is("resolved");
});
