//! Opsgenie's alert API, told in its clients' words and held to its published description.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, TEAM};
use crate::story;

const KEY: &str = "eb243592-faa2-4ba2-a551-1afdf565c889";

fn team() -> String {
    let other = "[[integration]]\nid = \"other\"\nsource = \"opsgenie\"\nservice = \"api\"\nkey = \"another-genie-key-0000001\"\n";
    format!("{TEAM}\n[[integration]]\nid = \"genie\"\nsource = \"opsgenie\"\nservice = \"api\"\nkey = \"{KEY}\"\n{other}")
}

fn spec() -> Value {
    serde_json::from_str(include_str!("../specs/opsgenie_alert.json")).expect("the description is JSON")
}

/// The fields of a definition, its own and those it takes over.
fn properties(spec: &Value, schema: &Value) -> serde_json::Map<String, Value> {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.rsplit('/').next().expect("a name");
        // Described in a file beside this one: what every answer has.
        let base = json!({ "properties": { "took": { "type": "number" }, "requestId": { "type": "string" } } });
        let target = if name == "BaseResponse" { &base } else { &spec["definitions"][name] };
        return properties(spec, target);
    }
    let mut all = schema["properties"].as_object().cloned().unwrap_or_default();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        all.extend(properties(spec, part));
    }
    all
}

/// What its documentation shows and its description leaves out.
const YOUNGER: [&str; 1] = ["success"];

/// Checks a value against a schema of the description; a keyword that this does not know fails, so that nothing passes unread.
fn check(spec: &Value, schema: &Value, value: &Value, at: &str) {
    if schema["$ref"] == "#/definitions/PageDetails" {
        let links = value.as_object().unwrap_or_else(|| panic!("{at} is no object: {value}"));
        assert!(links.values().all(|link| link.as_str().is_some_and(|link| link.starts_with("http"))), "{at}: {value}");
        return;
    }
    let fields = properties(spec, schema);
    if !fields.is_empty() {
        for (name, value) in value.as_object().unwrap_or_else(|| panic!("{at} is no object: {value}")) {
            let described = fields.get(name).unwrap_or_else(|| panic!("{at}.{name} is not described")).clone();
            check(spec, &described, value, &format!("{at}.{name}"));
        }
        return;
    }
    match schema["type"].as_str() {
        Some("object") => assert!(value.as_object().is_some_and(|map| map.values().all(Value::is_string)), "{at}: {value}"),
        Some("array") => {
            for item in value.as_array().unwrap_or_else(|| panic!("{at} is no list: {value}")) {
                check(spec, &schema["items"], item, at);
            }
        }
        Some("string") => {
            let text = value.as_str().unwrap_or_else(|| panic!("{at} is no text: {value}"));
            if schema["format"] == "date-time" {
                chrono::DateTime::parse_from_rfc3339(text).unwrap_or_else(|error| panic!("{at} is {text}: {error}"));
            }
        }
        Some("boolean") => assert!(value.is_boolean(), "{at}: {value}"),
        Some("integer") => assert!(value.is_i64() || value.is_u64(), "{at}: {value}"),
        Some("number") => assert!(value.is_number(), "{at}: {value}"),
        other => panic!("{at}: this test does not know the type {other:?} of {schema}"),
    }
}

/// The path as the description writes it.
fn described(path: &str) -> String {
    let parts: Vec<&str> = path.split('?').next().expect("a path").split('/').collect();
    match parts[3..] {
        [] => "/v2/alerts".to_owned(),
        ["count"] => "/v2/alerts/count".to_owned(),
        ["requests", _] => "/v2/alerts/requests/{requestId}".to_owned(),
        [_] => "/v2/alerts/{identifier}".to_owned(),
        [_, rest] => format!("/v2/alerts/{{identifier}}/{rest}"),
        _ => panic!("{path} is no path of this API"),
    }
}

/// Asks with a key; the answer is as its description says for that status.
async fn asks_with(app: &App, key: &str, method: Method, path: &str, body: Option<Vec<u8>>) -> (u16, Value) {
    let request = app.http.request(method.clone(), format!("{}{path}", app.url)).header("Authorization", key);
    let request = match body {
        Some(body) => request.header("Content-Type", "application/json").body(body),
        None => request,
    };
    let answer = request.send().await.expect("an answer");
    let (status, id) = (answer.status().as_u16(), answer.headers()["x-request-id"].to_str().expect("a text").to_owned());
    let mut told: Value = answer.json().await.expect("JSON");
    assert_eq!(told["requestId"], json!(id), "{told}");
    let spec = spec();
    let responses = &spec["paths"][described(path)][method.as_str().to_lowercase()]["responses"];
    assert!(status == 413 || responses.get(status.to_string()).is_some(), "{method} {path} does not answer {status}: {told}");
    if status == 200 {
        let mut plain = told.clone();
        if let Some(data) = plain["data"].as_object_mut() {
            data.retain(|name, _| !YOUNGER.contains(&name.as_str()));
        }
        check(&spec, &responses["200"]["schema"], &plain, path);
    } else {
        let field = if status == 202 { "result" } else { "message" };
        assert!(told[field].is_string() && told["took"].is_number(), "{told}");
    }
    app.settle().await;
    told["status"] = json!(status);
    (status, told)
}

async fn asks(app: &App, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
    asks_with(app, &format!("GenieKey {KEY}"), method, path, body.map(|body| body.to_string().into_bytes())).await
}

async fn posts(app: &App, path: &str, body: &Value) -> Value {
    let (status, told) = asks(app, Method::POST, path, Some(body)).await;
    assert_eq!((status, &told["result"]), (202, &json!("Request will be processed")), "{path}: {told}");
    told
}

async fn gets(app: &App, path: &str) -> Value {
    let (status, told) = asks(app, Method::GET, path, None).await;
    assert_eq!(status, 200, "{path}: {told}");
    told["data"].clone()
}

/// What became of a request.
async fn became(app: &App, told: &Value) -> Value {
    gets(app, &format!("/v2/alerts/requests/{}", told["requestId"].as_str().expect("an id"))).await
}

fn published() -> Value {
    serde_json::from_str(include_str!("../fixtures/sources/opsgenie/create.json")).expect("JSON")
}

const ALIAS: &str = "/v2/alerts/Life%20is%20too%20short%20for%20no%20alias";

story!(an_opsgenie_client_creates_sees_and_closes, &team(), |app| {
    let made = posts(app, "/v2/alerts", &published()).await;
    let ana = app.phone("ana").rings().await.ignore();
    let status = became(app, &made).await;
    assert_eq!(
        (&status["action"], &status["isSuccess"], &status["status"], &status["alias"], &status["integrationId"]),
        (&json!("Create"), &json!(true), &json!("Created alert"), &json!("Life is too short for no alias"), &json!("genie"))
    );
    let by_alias = gets(app, &format!("{ALIAS}?identifierType=alias")).await;
    assert_eq!(by_alias["id"], status["alertId"]);
    assert_eq!(by_alias, gets(app, &format!("/v2/alerts/{}", by_alias["id"].as_str().expect("an id"))).await);
    assert_eq!(by_alias, gets(app, &format!("/v2/alerts/{}?identifierType=tiny", by_alias["tinyId"].as_str().expect("a number"))).await);
    for (field, value) in [
        ("message", json!("An example alert message")),
        ("description", json!("Every alert needs a description")),
        ("status", json!("open")),
        ("acknowledged", json!(false)),
        ("tags", json!(["OverwriteQuietHours", "Critical"])),
        ("actions", json!(["Restart", "AnExampleAction"])),
        ("details", json!({"key1": "value1", "key2": "value2"})),
        ("entity", json!("An example entity")),
        ("priority", json!("P1")),
        ("count", json!(1)),
        ("tinyId", json!("1")),
    ] {
        assert_eq!(by_alias[field], value, "{field}");
    }
    assert_eq!(app.incident(1).await.row["severity"], "sev1");

    // The same alias again is the same alert, counted.
    let again = posts(app, "/v2/alerts", &published()).await;
    assert_eq!(became(app, &again).await["status"], "Deduplicated alert");
    assert_eq!(gets(app, &format!("{ALIAS}?identifierType=alias")).await["count"], 2);

    let close: Value = serde_json::from_str(include_str!("../fixtures/sources/opsgenie/close_COMPOSED.json")).expect("JSON");
    let closed = posts(app, &format!("{ALIAS}/close?identifierType=alias"), &close).await;
    assert_eq!(became(app, &closed).await["status"], "Closed alert");
    ana.has_ended();
    app.incident(1).await.is("resolved");
    let seen = gets(app, &format!("{ALIAS}?identifierType=alias")).await;
    assert_eq!((&seen["status"], &seen["count"]), (&json!("closed"), &json!(2)), "it fired twice, and a close is no third time");
    assert_eq!(gets(app, "/v2/alerts?query=count%3A2").await[0]["id"], seen["id"]);
    assert_eq!(app.incident(1).await.entry("note_added")["text"].as_str().map(|text| text.contains("Monitoring Script")), Some(true));

    // Long after it was closed, its alias is a new alert, with a number of its own.
    app.advance("11m").await;
    posts(app, "/v2/alerts", &published()).await;
    app.phone("ana").rings().await.ignore();
    let newer = gets(app, &format!("{ALIAS}?identifierType=alias")).await;
    assert_eq!((&newer["tinyId"], &newer["count"], &newer["status"]), (&json!("2"), &json!(1), &json!("open")));
    // Who closes the old one by its id does not close the new one.
    let late = posts(app, "/v2/alerts/1/close?identifierType=tiny", &json!({})).await;
    let became_late = became(app, &late).await;
    assert_eq!((&became_late["isSuccess"], &became_late["status"]), (&json!(false), &json!("Alert is already closed")));
    assert_eq!((&became_late["alertId"], &became_late["alias"]), (&seen["id"], &seen["alias"]), "and it is the old one that is meant");
    app.incident(2).await.is("triggered");
    posts(app, "/v2/alerts/2/close?identifierType=tiny", &json!({})).await;
    app.incident(2).await.is("resolved");
});

story!(acknowledge_snooze_notes_and_tags_reach_the_incident, &team(), |app| {
    posts(app, "/v2/alerts", &json!({"message": "The disk is full", "alias": "db-3/disk"})).await;
    let ana = app.phone("ana").rings().await.ignore();
    let at = "/v2/alerts/db-3%2Fdisk";
    let acknowledged = posts(app, &format!("{at}/acknowledge?identifierType=alias"), &json!({"user": "Bo"})).await;
    assert_eq!(became(app, &acknowledged).await["status"], "Acknowledged alert");
    ana.has_ended();
    app.incident(1).await.is("acknowledged");
    let seen = gets(app, &format!("{at}?identifierType=alias")).await;
    assert_eq!((&seen["acknowledged"], &seen["owner"], &seen["priority"]), (&json!(true), &json!("genie"), &json!("P3")));
    assert_eq!(seen["count"], 1, "it fired once, and an acknowledge is no second time");
    let twice = posts(app, &format!("{at}/acknowledge?identifierType=alias"), &json!({})).await;
    assert_eq!(became(app, &twice).await["status"], "Alert is already acknowledged");

    posts(app, &format!("{at}/notes?identifierType=alias"), &json!({"note": "The logs fill it", "user": "Bo"})).await;
    app.advance("1s").await;
    posts(app, &format!("{at}/notes?identifierType=alias"), &json!({"note": "I delete some"})).await;
    let (_, notes) = asks(app, Method::GET, &format!("{at}/notes?identifierType=alias&limit=1"), None).await;
    assert_eq!((&notes["data"][0]["note"], notes["data"].as_array().map(Vec::len)), (&json!("I delete some"), Some(1)));
    let next = notes["paging"]["next"].as_str().expect("there is more").to_owned();
    let next = &next[next.find("/v2/").expect("a path")..];
    assert_eq!(gets(app, next).await[0]["note"], "Bo: The logs fill it");
    let incident = app.incident(1).await;
    assert_eq!((incident.times("note_added"), &incident.entry("note_added")["actor"]), (2, &json!("genie")));

    posts(app, &format!("{at}/tags?identifierType=alias"), &json!({"tags": ["disk", "db"]})).await;
    let (status, _) = asks(app, Method::DELETE, &format!("{at}/tags?identifierType=alias&tags=disk,none"), None).await;
    assert_eq!(status, 202);
    posts(app, &format!("{at}/details?identifierType=alias"), &json!({"details": {"host": "db-3", "rack": "7"}})).await;
    asks(app, Method::DELETE, &format!("{at}/details?identifierType=alias&keys=rack"), None).await;
    let seen = gets(app, &format!("{at}?identifierType=alias")).await;
    assert_eq!((&seen["tags"], &seen["details"]), (&json!(["db"]), &json!({"host": "db-3"})));

    // Taken back, it rings again.
    posts(app, &format!("{at}/unacknowledge?identifierType=alias"), &json!({})).await;
    app.incident(1).await.is("triggered");
    app.phone("ana").rings_after("2m59s").await.ignore();
    let until =
        chrono::DateTime::parse_from_rfc3339(seen["createdAt"].as_str().expect("a time")).expect("a time") + chrono::Duration::hours(2);
    let snoozed = posts(app, &format!("{at}/snooze?identifierType=alias"), &json!({"endTime": until.to_rfc3339()})).await;
    assert_eq!(became(app, &snoozed).await["status"], "Snoozed alert");
    let seen = gets(app, &format!("{at}?identifierType=alias")).await;
    assert_eq!((&seen["snoozed"], &seen["acknowledged"]), (&json!(true), &json!(true)));

    // Another alert of the incident fires: what is said of one of them is noted.
    posts(app, "/v2/alerts", &json!({"message": "Replication stopped", "alias": "db-3/replica"})).await;
    let second = posts(app, &format!("{at}/snooze?identifierType=alias"), &json!({"endTime": until.to_rfc3339()})).await;
    let told = became(app, &second).await;
    assert!(told["isSuccess"] == true && told["status"].as_str().is_some_and(|text| text.contains("only noted")), "{told}");
    let (status, _) = asks(app, Method::DELETE, &format!("{at}?identifierType=alias"), None).await;
    assert_eq!(status, 202);
    posts(app, "/v2/alerts/db-3%2Freplica/close?identifierType=alias", &json!({})).await;
    app.incident(1).await.is("resolved");
});

/// Asks with PUT, and says what became of it.
async fn puts(app: &App, path: &str, body: &Value) -> Value {
    let (status, told) = asks(app, Method::PUT, path, Some(body)).await;
    assert_eq!((status, &told["result"]), (202, &json!("Request will be processed")), "{path}: {told}");
    became(app, &told).await
}

story!(an_alert_is_updated_and_a_worse_priority_calls_people, &team(), |app| {
    posts(app, "/v2/alerts", &json!({"message": "The disk fills", "alias": "db-3", "description": "80 %", "priority": "P5"})).await;
    let at = |what: &str| format!("/v2/alerts/db-3/{what}?identifierType=alias");
    let seen = async |app: &App| gets(app, "/v2/alerts/db-3?identifierType=alias").await;
    for (what, value, action) in [
        ("message", "The disk is full", "UpdateMessage"),
        ("description", "100 %", "UpdateDescription"),
        ("priority", "P4", "UpdatePriority"),
    ] {
        let told = puts(app, &at(what), &json!({ what: value })).await;
        assert_eq!((&told["action"], &told["isSuccess"], &told["status"]), (&json!(action), &json!(true), &json!("Updated alert")));
        assert_eq!((&seen(app).await[what], &seen(app).await["count"]), (&json!(value), &json!(1)));
    }
    app.everyone_takes_notice();
    // What only recorded is bad enough to page now.
    puts(app, &at("priority"), &json!({"priority": "P1"})).await;
    let ana = app.phone("ana").rings().await.ignore();
    let incident = app.incident(1).await;
    assert_eq!((&incident.row["severity"], &incident.row["title"]), (&json!("sev1"), &json!("The disk is full")));
    let long = "x".repeat(131);
    for (what, wrong) in
        [("message", json!({})), ("message", json!({"message": long})), ("description", json!({})), ("priority", json!({"priority": "P6"}))]
    {
        let (status, told) = asks(app, Method::PUT, &at(what), Some(&wrong)).await;
        assert!(status == 422 && told["errors"][what].is_string(), "{told}");
    }
    posts(app, &at("close"), &json!({})).await;
    ana.has_ended();
    // Of what is closed, the status of each request says so; that it never was would be a lie.
    let until = json!({"endTime": "2030-01-01T00:00:00Z"});
    for (what, body) in [("close", json!({})), ("acknowledge", json!({})), ("unacknowledge", json!({})), ("snooze", until)] {
        let told = became(app, &posts(app, &at(what), &body).await).await;
        assert_eq!((&told["isSuccess"], &told["status"]), (&json!(false), &json!("Alert is already closed")), "{what}");
        assert_eq!((&told["alertId"], &told["alias"]), (&seen(app).await["id"], &json!("db-3")), "{what}");
    }
    // A note is for the report, and a closed alert takes one.
    let told = became(app, &posts(app, &at("notes"), &json!({"note": "The logs filled it"})).await).await;
    assert_eq!((&told["isSuccess"], &told["status"]), (&json!(true), &json!("Updated alert")));
    assert_eq!(gets(app, &at("notes")).await[0]["note"], "The logs filled it");
    puts(app, &at("priority"), &json!({"priority": "P1"})).await;
    assert_eq!((&seen(app).await["status"], &seen(app).await["count"]), (&json!("closed"), &json!(1)));
    app.incident(1).await.is("resolved");
});

story!(a_list_is_searched_sorted_and_cut, &team(), |app| {
    for (n, message) in ["one", "two", "three"].into_iter().enumerate() {
        let body =
            json!({"message": message, "alias": format!("a{n}"), "tags": [message], "priority": "P4", "details": {"n": n.to_string()}});
        posts(app, "/v2/alerts", &body).await;
        app.advance("1s").await;
    }
    posts(app, "/v2/alerts/a1/close?identifierType=alias", &json!({})).await;
    let names = |data: &Value| {
        data.as_array().expect("a list").iter().map(|alert| alert["alias"].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    for (query, found) in [
        ("", vec!["a2", "a1", "a0"]),
        ("?query=status%3Aopen", vec!["a2", "a0"]),
        ("?query=status:%20open%20AND%20tag:%20one", vec!["a0"]),
        ("?query=alias:%20a1", vec!["a1"]),
        ("?query=details.n:%202", vec!["a2"]),
        ("?query=thr*", vec!["a2"]),
        ("?order=asc&limit=2", vec!["a0", "a1"]),
        ("?order=asc&limit=2&offset=2", vec!["a2"]),
        ("?sort=message&order=asc", vec!["a0", "a2", "a1"]),
    ] {
        assert_eq!(names(&gets(app, &format!("/v2/alerts{query}")).await), found, "{query}");
        if !query.contains("limit") {
            assert_eq!(gets(app, &format!("/v2/alerts/count{query}")).await["count"], found.len(), "{query}");
        }
    }
    let (_, part) = asks(app, Method::GET, "/v2/alerts?limit=1&query=status%3Aopen", None).await;
    let next = part["paging"]["next"].as_str().expect("there is more").to_owned();
    assert_eq!(names(&gets(app, &next[next.find("/v2/").expect("a path")..]).await), ["a0"]);
    for wrong in ["limit=0", "limit=101", "offset=-1", "sort=colour", "order=up", "query=colour:%20red", "searchIdentifier=mine"] {
        let (status, told) = asks(app, Method::GET, &format!("/v2/alerts?{wrong}"), None).await;
        assert_eq!(status, 422, "{wrong}");
        let field = wrong.split('=').next().expect("a name");
        assert!(told["errors"][field].is_string(), "{told}");
    }
    // Another key sees nothing of it.
    let other = "GenieKey another-genie-key-0000001";
    let (status, told) = asks_with(app, other, Method::GET, "/v2/alerts", None).await;
    assert_eq!((status, &told["data"]), (200, &json!([])));
    let (status, _) = asks_with(app, other, Method::GET, "/v2/alerts/a0?identifierType=alias", None).await;
    assert_eq!(status, 404);
    let (status, _) = asks_with(app, other, Method::POST, "/v2/alerts/1/close?identifierType=tiny", Some(b"{}".to_vec())).await;
    assert_eq!(status, 404);
    assert_eq!(gets(app, "/v2/alerts/a0?identifierType=alias").await["status"], "open");
    app.everyone_takes_notice();
});

story!(what_opsgenie_refuses_is_refused_in_its_words, &team(), |app| {
    let body = json!({"message": "x"}).to_string().into_bytes();
    for (key, status) in [("", 401), ("Bearer x", 401), ("GenieKey unknown", 401), ("GenieKey generickey0000000000000001", 403)] {
        let (told, _) = asks_with(app, key, Method::POST, "/v2/alerts", Some(body.clone())).await;
        assert_eq!(told, status, "{key}");
        let (told, _) = asks_with(app, key, Method::GET, "/v2/alerts", None).await;
        assert_eq!(told, status, "{key}");
    }
    for path in
        ["/v2/alerts/none", "/v2/alerts/none?identifierType=alias", "/v2/alerts/none?identifierType=tiny", "/v2/alerts/requests/none"]
    {
        let (status, told) = asks(app, Method::GET, path, None).await;
        assert_eq!(status, 404, "{path}: {told}");
    }
    for (path, field) in [("/v2/alerts/x/notes", "note"), ("/v2/alerts/x/snooze", "endTime"), ("/v2/alerts/x/tags", "tags")] {
        let (status, told) = asks(app, Method::POST, &format!("{path}?identifierType=alias"), Some(&json!({}))).await;
        assert!(status == 422 && told["errors"][field].is_string(), "{told}");
    }
    // An alias is taken before its alert is decided; when there is none, the request's status says so.
    let told = posts(app, "/v2/alerts/none/close?identifierType=alias", &json!({})).await;
    let status = became(app, &told).await;
    assert_eq!((&status["isSuccess"], &status["status"], &status["alertId"]), (&json!(false), &json!("Alert does not exist"), &json!("")));
    assert!(app.incidents().await.is_empty());

    // Whoever has the right key may be the only one who knows of a fire.
    let (status, told) =
        asks(app, Method::POST, "/v2/alerts", Some(&json!({"message": "x".repeat(131), "alias": "long", "priority": "P9"}))).await;
    assert!(status == 422 && told["errors"]["message"].is_string() && told["errors"]["priority"].is_string(), "{told}");
    app.phone("ana").rings().await.ignore();
    assert_eq!(gets(app, "/v2/alerts/long?identifierType=alias").await["status"], "open");
    posts(app, "/v2/alerts/long/close?identifierType=alias", &json!({})).await;
    app.advance("11m").await;
    let (status, told) = asks(app, Method::POST, "/v2/alerts", Some(&json!({"alias": "no message"}))).await;
    assert_eq!((status, &told["errors"]), (422, &json!({"message": "Message can not be empty."})));
    app.phone("ana").rings().await.press('1').await;
    let key = format!("GenieKey {KEY}");
    let (status, _) = asks_with(app, &key, Method::POST, "/v2/alerts", Some(b"{".to_vec())).await;
    assert_eq!(status, 400);
    let (status, _) = asks_with(app, &key, Method::POST, "/v2/alerts", Some(vec![b' '; (1 << 20) + 1])).await;
    assert_eq!(status, 413);
    assert_eq!(gets(app, "/v2/alerts?query=status:open").await[0]["count"], 3);
});

story!(a_repeated_request_is_answered_as_the_first_time, &team(), |app| {
    let send = async || {
        let request = app.http.post(format!("{}/v2/alerts", app.url)).header("Authorization", format!("GenieKey {KEY}"));
        let answer = request.header("Idempotency-Key", "once").body(json!({"message": "x", "alias": "x", "priority": "P4"}).to_string());
        let told: Value = answer.send().await.expect("an answer").json().await.expect("JSON");
        app.settle().await;
        told
    };
    assert_eq!(send().await, send().await);
    assert_eq!(gets(app, "/v2/alerts/x?identifierType=alias").await["count"], 1);
    app.everyone_takes_notice();
});
