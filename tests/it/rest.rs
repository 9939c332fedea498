//! Scripts: each order of the API by what its token may, and once by its key, however often it is sent.

use std::fmt::Write as _;

use reqwest::Method;
use reveille::base::viewer::Scope;
use serde_json::{Value, json};

use crate::app::{App, GENERIC, TEAM};
use crate::story;

const EVENTS: &str = "e93facc04764012d7bfb002500d5d1a6";

fn with_events() -> String {
    let mut team = TEAM.to_owned();
    write!(team, "\n[[integration]]\nid = \"api-events\"\nsource = \"pagerduty\"\nservice = \"api\"\nkey = \"{EVENTS}\"\n")
        .expect("a text");
    team
}

/// What came back: the status, the body as it is, and whether it is said to be an earlier answer.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    status: u16,
    text: String,
    replayed: bool,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A refusal in a person's words.
    fn is_refused(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let detail = self.json()["detail"].as_str().unwrap_or("").to_owned();
        assert!(detail.contains(words), "{words:?} is not in: {detail}");
    }
}

async fn asks(app: &App, method: Method, path: &str, token: Option<&str>, key: Option<&str>, body: &str) -> Told {
    let mut request = app.http.request(method, format!("{}{path}", app.url)).body(body.to_owned());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.expect("an answer");
    let replayed = answer.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
    Told { status: answer.status().as_u16(), text: answer.text().await.expect("the answer ends"), replayed }
}

/// One order: what the timeline calls it, where it is sent, and its body.
const ORDERS: [(&str, &str, &str, u16); 13] = [
    ("incident_acknowledged", "acknowledge", "{}", 200),
    ("note_added", "note", r#"{"text": "The disk has 3 % left", "at": "2026-01-07T01:56:00Z"}"#, 200),
    ("update_posted", "update", r#"{"text": "We are looking at it"}"#, 200),
    ("severity_changed", "severity", r#"{"severity": "sev1"}"#, 200),
    ("role_changed", "role", r#"{"role": "comms", "user": "cy"}"#, 200),
    ("title_changed", "title", r#"{"title": "The disk of db-3 is full"}"#, 200),
    ("task_added", "tasks", r#"{"title": "look at the WAL", "owner": "bo"}"#, 201),
    ("incident_snoozed", "snooze", r#"{"for": "30m"}"#, 200),
    ("page_asked", "page", r#"{"user": "cy"}"#, 200),
    ("incident_escalated", "escalate", "{}", 200),
    ("incident_reassigned", "reassign", r#"{"user": "bo"}"#, 200),
    ("incident_resolved", "resolve", "{}", 200),
    ("incident_reopened", "reopen", "{}", 200),
];

story!(each_order_is_for_responders_and_is_done_once_by_its_key, |app| {
    app.fires("the disk is full").await;
    let (reader, responder) = (app.token_of("reader", Scope::Read).await, app.token_of("responder", Scope::Respond).await);
    for (kind, verb, body, status) in ORDERS {
        let path = format!("/api/v1/incidents/1/{verb}");
        let before = app.incident(1).await.times(kind);
        asks(app, Method::POST, &path, None, Some("k"), body).await.is_refused(401, "send a token");
        asks(app, Method::POST, &path, Some("rev_guessed"), Some("k"), body).await.is_refused(401, "token create");
        asks(app, Method::POST, &path, Some(&reader), Some("k"), body).await.is_refused(403, "--scope respond");
        assert_eq!(app.incident(1).await.times(kind), before, "{verb}: nobody of these did anything");

        let first = asks(app, Method::POST, &path, Some(&responder), Some("k"), body).await;
        assert_eq!((first.status, first.replayed), (status, false), "{verb}: {first:?}");
        app.settle().await;
        let again = asks(app, Method::POST, &path, Some(&responder), Some("k"), body).await;
        assert_eq!((again.status, again.replayed, &again.text), (status, true, &first.text), "{verb}");
        asks(app, Method::POST, &path, Some(&responder), Some("k"), &format!("{body} ")).await.is_refused(422, "another body");
        assert_eq!(app.incident(1).await.times(kind), before + 1, "{verb}: it was done once");
        app.settle().await;
    }
    let row = app.incident(1).await.row;
    let fields = ["title", "severity", "state"].map(|field| row[field].clone());
    assert_eq!(fields, [json!("The disk of db-3 is full"), json!("sev1"), json!("triggered")]);
    assert_eq!(row["roles"]["comms"], "cy");
    app.everyone_takes_notice();
    let admin = app.token_of("admin", Scope::Admin).await;
    let over = asks(app, Method::POST, "/api/v1/incidents/1/resolve", Some(&admin), None, "").await;
    assert_eq!((over.status, &over.json()["state"], &over.json()["resolved_by"]), (200, &json!("resolved"), &json!("token:admin")));
    app.settle().await;
    // What does not fit the state is said, and a state that is so already is no error.
    asks(app, Method::POST, "/api/v1/incidents/1/snooze", Some(&admin), None, r#"{"for": "1h"}"#).await.is_refused(409, "Reopen it first");
    assert_eq!(asks(app, Method::POST, "/api/v1/incidents/1/resolve", Some(&admin), None, "").await.status, 200);
    app.everyone_takes_notice();
});

story!(what_is_made_is_made_once_by_its_key, |app| {
    let (reader, responder) = (app.token_of("reader", Scope::Read).await, app.token_of("responder", Scope::Respond).await);
    app.posts(GENERIC, &json!({"dedup_key": "ram", "title": "RAM is getting tight", "severity": "info"})).await;
    app.settle().await;
    let alerts = app.get("/api/v1/alerts").await;
    let alert = alerts["items"][0]["id"].as_str().expect("an alert").to_owned();
    assert_eq!(alerts["items"][0]["incident"], Value::Null, "it is only recorded");
    for (path, body, list) in [
        (format!("/api/v1/alerts/{alert}/promote"), r#"{"severity": "sev3"}"#, "/api/v1/incidents"),
        ("/api/v1/incidents".to_owned(), r#"{"title": "The shop is slow", "severity": "sev3"}"#, "/api/v1/incidents"),
        ("/api/v1/schedules/platform/overrides".to_owned(), r#"{"user": "bo", "for": "3h"}"#, "/api/v1/overrides"),
    ] {
        let before = app.get(list).await["items"].as_array().map_or(0, Vec::len);
        asks(app, Method::POST, &path, Some(&reader), Some("m"), body).await.is_refused(403, "--scope respond");
        let first = asks(app, Method::POST, &path, Some(&responder), Some("m"), body).await;
        assert_eq!(first.status, 201, "{path}: {first:?}");
        let again = asks(app, Method::POST, &path, Some(&responder), Some("m"), body).await;
        assert_eq!((again.status, again.replayed, &again.text), (201, true, &first.text), "{path}");
        asks(app, Method::POST, &path, Some(&responder), Some("m"), &format!(" {body}")).await.is_refused(422, "another body");
        assert_eq!(app.get(list).await["items"].as_array().map(Vec::len), Some(before + 1), "{path}");
        app.settle().await;
    }
    asks(app, Method::POST, &format!("/api/v1/alerts/{alert}/promote"), Some(&responder), None, "").await.is_refused(409, "#1");
    let given_back = app.get("/api/v1/overrides").await["items"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/schedules/platform/overrides/{given_back}");
    asks(app, Method::DELETE, &path, Some(&reader), None, "").await.is_refused(403, "--scope respond");
    assert_eq!(asks(app, Method::DELETE, &path, Some(&responder), None, "").await.status, 204);
    assert_eq!(app.get("/api/v1/overrides").await["items"], json!([]));
    app.everyone_takes_notice();
});

story!(a_task_goes_through_all_its_states, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    let responder = app.token_of("responder", Scope::Respond).await;
    let made = asks(app, Method::POST, "/api/v1/incidents/1/tasks", Some(&responder), None, r#"{"title": "look at the WAL"}"#).await.json();
    let path = format!("/api/v1/tasks/{}", made["id"].as_str().expect("an id"));
    for (body, state, blocked_on) in [
        (json!({"state": "doing", "owner": "bo"}), "doing", Value::Null),
        (json!({"blocked_on": "the data centre"}), "blocked", json!("the data centre")),
        (json!({"blocked_on": "cy"}), "blocked", json!("cy")),
        (json!({"state": "todo", "owner": null}), "todo", Value::Null),
        (json!({"state": "doing", "owner": "cy", "back_at": "2026-01-07T02:20:00Z"}), "doing", Value::Null),
        (json!({"state": "done"}), "done", Value::Null),
        (json!({"state": "dropped"}), "dropped", Value::Null),
        (json!({"state": "todo"}), "todo", Value::Null),
    ] {
        let told = asks(app, Method::PATCH, &path, Some(&responder), None, &body.to_string()).await;
        assert_eq!((told.status, &told.json()["state"], &told.json()["blocked_on"]), (200, &json!(state), &blocked_on), "{body}: {told:?}");
        assert_eq!(app.get("/api/v1/incidents/1/tasks").await["items"][0]["state"], state, "{body}");
        app.settle().await;
    }
    let reader = app.token_of("reader", Scope::Read).await;
    asks(app, Method::PATCH, &path, Some(&reader), None, r#"{"state": "done"}"#).await.is_refused(403, "--scope respond");
    assert_eq!(app.incident(1).await.times("task_changed"), 8);
    app.resolves("the disk is full").await;
});

story!(of_many_requests_with_one_key_one_is_carried_out, |app| {
    let responder = app.token_of("responder", Scope::Respond).await;
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    let note = || asks(app, Method::POST, "/api/v1/incidents/1/note", Some(&responder), Some("same"), r#"{"text": "looked"}"#);
    let answers = futures_util::future::join_all((0..8).map(|_| note())).await;
    for answer in &answers {
        match answer.status {
            200 => {}
            409 => answer.is_refused(409, "being carried out"),
            _ => panic!("{answer:?}"),
        }
    }
    assert!(answers.iter().any(|answer| answer.status == 200 && !answer.replayed), "{answers:?}");
    assert_eq!(app.incident(1).await.times("note_added"), 1);
    assert!(note().await.replayed);
    app.resolves("the disk is full").await;
});

story!(an_event_with_a_key_counts_once, &with_events(), |app| {
    let event = |summary: &str| {
        let payload = json!({"summary": summary, "source": "db-3", "severity": "critical"});
        json!({"routing_key": EVENTS, "event_action": "trigger", "payload": payload}).to_string()
    };
    let first = asks(app, Method::POST, "/v2/enqueue", None, Some("e-1"), &event("the disk is full")).await;
    assert_eq!((first.status, first.replayed), (202, false), "{first:?}");
    app.settle().await;
    // The dedup key is made for the event: sent again without a key, it would be another alert.
    let again = asks(app, Method::POST, "/v2/enqueue", None, Some("e-1"), &event("the disk is full")).await;
    assert_eq!((again.status, again.replayed, &again.text), (202, true, &first.text));
    // Its key in use for another event, or one that is none: no event is lost for it.
    for key in ["e-1", "", &"k".repeat(999)] {
        let other = asks(app, Method::POST, "/v2/enqueue", None, Some(key), &event(&format!("RAM {}", key.len()))).await;
        assert_eq!((other.status, other.replayed), (202, false), "{other:?}");
    }
    let wrong = r#"{"routing_key": "nobody"}"#;
    for _ in 0..2 {
        let refused = asks(app, Method::POST, "/v2/enqueue", None, Some("e-2"), wrong).await;
        assert_eq!((refused.status, refused.replayed, &refused.json()["status"]), (400, false, &json!("invalid event")));
    }
    app.settle().await;
    let alerts = app.get("/api/v1/alerts").await;
    let counts: Vec<i64> = alerts["items"].as_array().expect("alerts").iter().filter_map(|alert| alert["count"].as_i64()).collect();
    assert_eq!(counts, [1, 1, 1, 1], "{alerts}");
    app.everyone_takes_notice();
    app.command(1, "resolve").await;
    app.everyone_takes_notice();
});

story!(integrations_and_people_are_read_and_tried_by_scripts, |app| {
    let (reads, admin) = (app.token_of("reads", Scope::Read).await, app.token_of("all", Scope::Admin).await);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    for path in ["/api/v1/integrations", "/api/v1/integrations/api-scripts/signals"] {
        asks(app, Method::GET, path, Some(&reads), None, "").await.is_refused(403, "");
    }
    let told = asks(app, Method::POST, "/api/v1/integrations/api-scripts/test", Some(&admin), None, "").await;
    assert_eq!((told.status, told.json()["outcome"].clone()), (200, json!("ignored")), "{told:?}");
    assert_eq!(app.incidents().await.len(), 1);
    let list = asks(app, Method::GET, "/api/v1/integrations", Some(&admin), None, "").await;
    let items = list.json()["items"].clone();
    let ours = items.as_array().expect("items").iter().find(|one| one["id"] == "api-scripts").expect("ours");
    assert_eq!((&ours["id"], &ours["source"], &ours["service"]), (&json!("api-scripts"), &json!("generic"), &json!("api")), "{list:?}");
    assert_eq!((&ours["outcomes"]["opened"], &ours["outcomes"]["ignored"]), (&json!(1), &json!(1)), "{list:?}");
    assert!(!list.text.contains("generickey"), "no key is in it");
    let signals = asks(app, Method::GET, "/api/v1/integrations/api-scripts/signals", Some(&admin), None, "").await.json();
    let fired = signals["items"].as_array().expect("items").iter().find(|sample| sample["outcome"] == "opened").expect("it fired");
    assert_eq!((&fired["incident"], &fired["title"]), (&json!(1), &json!("the disk is full")), "{signals}");
    asks(app, Method::POST, "/api/v1/integrations/nobody/test", Some(&admin), None, "").await.is_refused(404, "such integration");

    let users = asks(app, Method::GET, "/api/v1/users?limit=1", Some(&reads), None, "").await;
    let ana = users.json()["items"][0].clone();
    assert_eq!((&ana["id"], &ana["role"], &ana["contacts"][0]["kind"]), (&json!("ana"), &json!("admin"), &json!("voice")), "{users:?}");
    assert!(!users.text.contains("+331") && users.json()["next"] == "ana", "{users:?}");
    // Ana pressed a key; nobody has ever answered through Bo's phone.
    let proven = |user: &Value| user["contacts"][0]["proven"].clone();
    let bo = asks(app, Method::GET, "/api/v1/users?limit=1&cursor=ana", Some(&reads), None, "").await.json()["items"][0].clone();
    assert_eq!((proven(&ana), proven(&bo)), (json!(true), json!(false)), "{ana} {bo}");
    let invite = "/api/v1/users/bo/invite";
    asks(app, Method::POST, invite, Some(&reads), None, "").await.is_refused(403, "");
    asks(app, Method::POST, invite, Some(&admin), None, "").await.is_refused(409, "reveille user invite bo");
    asks(app, Method::POST, "/api/v1/users/nobody/invite", Some(&admin), None, "").await.is_refused(404, "such user");
});

/// One integration of each kind that has something of its own.
const KINDS: &str = r#"
[[integration]]
id = "mapped"
source = "generic"
service = "api"
severity = "warning"
key = "mappedkey00000000000001"
hmac = { header = "X-Signature", secret = ["the-first-signing-secret", "the-second-signing-secret"], prefix = "v1=" }
basic = { user = "ops", password = "correct:horse:battery" }
map = { items = "/alerts", title = "{{ name }} is wrong", severities = { bad = "critical" }, resolved_when = "status == \"ok\"", labels = { host = "/host" } }

[[integration]]
id = "aws"
source = "cloudwatch"
service = "api"
key = "awskey000000000000000001"
topics = ["arn:aws:sns:eu-west-1:123456789012:alarms", "arn:aws:sns:eu-west-1:123456789012:more"]

[[integration]]
id = "nightly"
source = "heartbeat"
service = "api"
key = "nightlykey0000000000001"
period = "1d"
grace = "30m"
"#;

/// A value of JSON in TOML: texts and lists are written alike.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name} = {}", toml(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// An integration as the file has it, of what the API tells and the secrets that it keeps.
fn written(told: &Value, secrets: &[(&str, &str)]) -> String {
    let mut table = vec!["[[integration]]".to_owned()];
    for name in ["id", "source", "service", "severity", "period", "grace"] {
        table.extend(Some(&told[name]).filter(|value| !value.is_null()).map(|value| format!("{name} = {}", toml(value))));
    }
    table.extend(told["topics"].as_array().filter(|topics| !topics.is_empty()).map(|_| format!("topics = {}", toml(&told["topics"]))));
    table.extend(Some(&told["map"]).filter(|map| !map.is_null()).map(|map| format!("map = {}", toml(map))));
    let secret = |name: &str| secrets.iter().find(|(known, _)| *known == name).expect("a secret").1;
    for asked in told["asks_for"].as_array().expect("a list") {
        table.push(match asked["by"].as_str() {
            Some("hmac") => {
                format!("hmac = {{ header = {}, secret = {}, prefix = {} }}", asked["header"], secret("hmac"), asked["prefix"])
            }
            Some("basic") => format!("basic = {{ user = {}, password = {} }}", asked["user"], secret("basic")),
            other => panic!("this test knows no proof {other:?}"),
        });
    }
    table.push(format!("key = {}", secret("key")));
    table.join("\n") + "\n\n"
}

story!(of_what_an_integration_is_configured_as_nothing_is_lost_but_its_secrets, &format!("{TEAM}{KINDS}"), |app| {
    let admin = app.token_of("all", Scope::Admin).await;
    let read = async |app: &App, id: &str| asks(app, Method::GET, &format!("/api/v1/integrations/{id}"), Some(&admin), None, "").await;
    let keys =
        [("mapped", "\"mappedkey00000000000001\""), ("aws", "\"awskey000000000000000001\""), ("nightly", "\"nightlykey0000000000001\"")];
    let proofs = [("hmac", "[\"the-first-signing-secret\", \"the-second-signing-secret\"]"), ("basic", "\"correct:horse:battery\"")];
    let before = app.house().now_live();
    let (mut file, mut told_before) = (TEAM.to_owned(), Vec::new());
    for (id, key) in keys {
        let told = read(app, id).await;
        for secret in ["signing-secret", "horse", key.trim_matches('"')] {
            assert!(!told.text.contains(secret), "{}", told.text);
        }
        file += &written(&told.json(), &[("key", key), proofs[0], proofs[1]]);
        told_before.push(told.json());
    }
    assert_eq!(
        (&told_before[0]["asks_for"][1]["values"], &told_before[1]["topics"][1]),
        (&json!(2), &json!("arn:aws:sns:eu-west-1:123456789012:more"))
    );
    // Applied at once nothing would change, which is what this is about; from nothing it must all come back.
    app.applies(TEAM).await;
    app.applies(&file).await;
    let after = app.house().now_live();
    assert_eq!(before.setup.integrations, after.setup.integrations, "{file}");
    assert_eq!(before.proofs, after.proofs);
    for ((id, _), told) in keys.into_iter().zip(told_before) {
        assert_eq!(read(app, id).await.json(), told);
    }
});
