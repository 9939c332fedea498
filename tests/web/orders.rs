//! What scripts order: declaring, the verbs, the board; and that a request sent again does nothing again.

use axum::http::{Method, StatusCode};
use reveille::base::time::Span;
use reveille::base::viewer::Scope;
use serde_json::{Value, json};

use crate::desk::{Answer, Desk, GENERIC};

struct Script {
    desk: Desk,
    token: String,
}

impl Script {
    async fn open() -> Self {
        let desk = Desk::open().await;
        let token = desk.token(Scope::Respond).await;
        Self { desk, token }
    }

    async fn asks(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.desk.send(method, &format!("/api/v1{path}"), &[("authorization", &self.token)], body.to_string()).await
    }

    async fn posts(&self, path: &str, body: &Value) -> Answer {
        self.asks(Method::POST, path, body).await
    }

    async fn patches(&self, path: &str, body: &Value) -> Answer {
        self.asks(Method::PATCH, path, body).await
    }

    async fn reads(&self, path: &str) -> Value {
        self.desk.get(&format!("/api/v1{path}"), &[("authorization", &self.token)]).await.json()
    }

    async fn posts_with(&self, path: &str, key: &str, body: &Value) -> Answer {
        let headers = [("authorization", self.token.as_str()), ("idempotency-key", key)];
        self.desk.post(&format!("/api/v1{path}"), &headers, body.to_string()).await
    }

    async fn kinds(&self, number: i64) -> Vec<String> {
        let timeline = self.reads(&format!("/incidents/{number}/timeline")).await;
        let entries = timeline["items"].as_array().expect("entries").clone();
        entries.iter().map(|entry| entry["kind"].as_str().expect("a kind").to_owned()).collect()
    }
}

fn count(kinds: &[String], kind: &str) -> usize {
    kinds.iter().filter(|other| *other == kind).count()
}

/// A refusal that says what to do.
fn refused(answer: &Answer, status: StatusCode, words: &[&str]) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let detail = answer.json()["detail"].as_str().unwrap_or("").to_owned();
    for word in words {
        assert!(detail.contains(word), "{word:?} is not in: {detail}");
    }
}

#[tokio::test]
async fn an_incident_is_declared_with_a_title_alone() {
    let script = Script::open().await;
    let made = script.posts("/incidents", &json!({ "title": "  The shop\nis slow " })).await;
    assert_eq!((made.status, made.header("location")), (StatusCode::CREATED, "/api/v1/incidents/1"), "{made:?}");
    let incident = made.json();
    assert_eq!(
        (&incident["title"], &incident["severity"], &incident["service"]),
        (&json!("The shop is slow"), &json!("sev2"), &json!("api"))
    );
    assert_eq!(incident["kind"], "real");
    assert_eq!(script.reads("/incidents/1").await["number"], 1);
}

#[tokio::test]
async fn drills_and_tests_stay_out_of_the_list_unless_asked_for() {
    let script = Script::open().await;
    for kind in ["real", "drill", "test"] {
        let made = script.posts("/incidents", &json!({ "title": kind, "kind": kind })).await;
        assert_eq!((made.status, &made.json()["kind"]), (StatusCode::CREATED, &json!(kind)), "{made:?}");
    }
    let titles = async |query: &str| {
        let list = script.reads(&format!("/incidents{query}")).await;
        list["items"].as_array().expect("items").iter().map(|item| item["title"].as_str().expect("a title").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles("").await, ["real"]);
    assert_eq!(titles("?kind=drill").await, ["drill"]);
    assert_eq!(titles("?kind=test,real&state=triggered,acknowledged,resolved").await, ["test", "real"]);
    let wrong = script.desk.get("/api/v1/incidents?kind=fun", &[("authorization", &script.token)]).await;
    refused(&wrong, StatusCode::BAD_REQUEST, &["real, drill, test"]);
}

#[tokio::test]
async fn bad_input_is_refused_by_name_and_changes_nothing() {
    let script = Script::open().await;
    script.desk.fires("db down").await;
    let before = script.kinds(1).await;
    let bad = StatusCode::BAD_REQUEST;
    for (path, body, words) in [
        ("/incidents", json!({}), vec!["title"]),
        ("/incidents", json!({ "title": " \n" }), vec!["title is empty"]),
        ("/incidents", json!({ "title": "x".repeat(301) }), vec!["301 characters", "300"]),
        ("/incidents", json!({ "title": "x", "severty": "sev1" }), vec!["severty", "severity"]),
        ("/incidents", json!({ "title": "x", "severity": "bad" }), vec!["bad", "sev1"]),
        ("/incidents", json!({ "title": "x", "service": "shop" }), vec!["service", "\"shop\"", "api"]),
        ("/incidents/1/reassign", json!({ "user": "nobody" }), vec!["\"nobody\"", "ana, bo, mo, oz"]),
        ("/incidents/1/snooze", json!({}), vec!["\"for\""]),
        ("/incidents/1/snooze", json!({ "for": "soon" }), vec!["30m"]),
        ("/incidents/1/snooze", json!({ "until": "2020-01-01T00:00:00Z" }), vec!["future"]),
        ("/incidents/1/severity", json!({ "severity": "sev9" }), vec!["sev9"]),
        ("/incidents/1/role", json!({ "role": "boss", "user": "ana" }), vec!["boss", "lead"]),
        ("/incidents/1/note", json!({ "text": "x", "at": "noon" }), vec!["at:", "2026"]),
        ("/incidents/1/update", json!({ "text": 5 }), vec!["string"]),
        ("/incidents/1/page", json!({ "user": "ana", "everyone": true }), vec!["whom"]),
        ("/incidents/1/page", json!({ "policy": "night" }), vec!["\"night\"", "platform"]),
        ("/incidents/1/acknowledge", json!({ "by": "ana" }), vec!["by"]),
        ("/incidents/1/tasks", json!({ "title": "look", "owner": "zed" }), vec!["owner", "\"zed\""]),
    ] {
        refused(&script.posts(path, &body).await, bad, &words);
    }
    refused(&script.posts("/incidents/9/note", &json!({ "text": "x" })).await, StatusCode::NOT_FOUND, &["incident"]);
    refused(&script.posts("/alerts/alr_none/promote", &json!({})).await, StatusCode::NOT_FOUND, &["alert"]);
    refused(&script.patches("/tasks/tsk_none", &json!({ "state": "done" })).await, StatusCode::NOT_FOUND, &["task"]);
    assert_eq!(script.kinds(1).await, before);
    assert_eq!(script.reads("/incidents").await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_verbs_answer_with_the_incident() {
    let script = Script::open().await;
    script.desk.fires("db down").await;
    let asks = async |verb: &str, body: Value| {
        let answer = script.posts(&format!("/incidents/1/{verb}"), &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{verb}: {answer:?}");
        answer.json()
    };
    assert_eq!(asks("severity", json!({ "severity": "sev1" })).await["severity"], "sev1");
    let led = asks("role", json!({ "role": "lead", "user": "bo" })).await;
    assert_eq!((&led["lead"], &led["roles"]), (&json!("bo"), &json!({ "lead": "bo" })));
    assert_eq!(asks("role", json!({ "role": "lead", "user": null })).await["lead"], Value::Null);
    assert_eq!(asks("title", json!({ "title": "The database is down" })).await["title"], "The database is down");
    asks("note", json!({ "text": "the disk is full", "at": "2026-01-07T01:50:00Z" })).await;
    asks("update", json!({ "text": "We know and work on it." })).await;
    let kinds = script.kinds(1).await;
    for kind in ["severity_changed", "title_changed", "note_added", "update_posted"] {
        assert_eq!(count(&kinds, kind), 1, "{kind}: {kinds:?}");
    }
    assert_eq!(count(&kinds, "role_changed"), 2);
}

#[tokio::test]
async fn it_is_given_away_put_off_and_others_are_called() {
    let script = Script::open().await;
    script.desk.fires("db down").await;
    let given = script.posts("/incidents/1/reassign", &json!({ "user": "bo" })).await;
    assert_eq!((given.status, &given.json()["state"]), (StatusCode::OK, &json!("triggered")), "{given:?}");
    let snoozed = script.posts("/incidents/1/snooze", &json!({ "for": "2h" })).await.json();
    assert_eq!((&snoozed["state"], &snoozed["snoozed_until"]), (&json!("acknowledged"), &json!("2026-01-07T04:00:00.000Z")));
    for whom in [json!({ "user": "ana" }), json!({ "policy": "platform" }), json!({ "everyone": true })] {
        let paged = script.posts("/incidents/1/page", &whom).await;
        assert_eq!(paged.status, StatusCode::OK, "{whom}: {paged:?}");
    }
    let kinds = script.kinds(1).await;
    for kind in ["incident_reassigned", "incident_snoozed", "page_asked"] {
        assert!(count(&kinds, kind) >= 1, "{kind}: {kinds:?}");
    }
    script.posts("/incidents/1/resolve", &json!({})).await;
    for (verb, body) in [("reassign", json!({ "user": "bo" })), ("snooze", json!({ "for": "2h" }))] {
        refused(&script.posts(&format!("/incidents/1/{verb}"), &body).await, StatusCode::CONFLICT, &["#1 is resolved", "Reopen"]);
    }
}

#[tokio::test]
async fn a_recorded_alert_becomes_an_incident_once() {
    let script = Script::open().await;
    let body = json!({ "dedup_key": "ram", "title": "RAM is tight", "severity": "info" }).to_string();
    let told = script.desk.post(GENERIC, &[("prefer", "wait=5")], body).await.json();
    assert_eq!(told["results"][0]["incident"], Value::Null, "{told}");
    let alert = told["results"][0]["alert"].as_str().expect("an alert").to_owned();
    let path = format!("/alerts/{alert}/promote");
    let made = [script.posts_with(&path, "p", &json!({})).await, script.posts_with(&path, "p", &json!({})).await];
    assert_eq!((made[0].status, &made[0].json()["title"]), (StatusCode::CREATED, &json!("RAM is tight")), "{made:?}");
    assert_eq!(made[0].text, made[1].text);
    refused(&script.posts(&path, &json!({})).await, StatusCode::CONFLICT, &["#1"]);
    assert_eq!(script.reads("/alerts").await["items"][0]["incident"], 1);
}

#[tokio::test]
async fn the_board_says_who_does_what() {
    let script = Script::open().await;
    script.desk.fires("db down").await;
    let made =
        script.posts("/incidents/1/tasks", &json!({ "title": "look at the disk", "owner": "bo", "back_at": "2026-01-07T02:15:00Z" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let task = made.json();
    let id = task["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.header("location"), format!("/api/v1/incidents/1/tasks/{id}"));
    let fields = ["n", "title", "owner", "state", "blocked_on", "back_at"].map(|field| task[field].clone());
    let expected = [json!(1), json!("look at the disk"), json!("bo"), json!("doing"), Value::Null, json!("2026-01-07T02:15:00.000Z")];
    assert_eq!(fields, expected);
    assert_eq!(script.posts("/incidents/1/tasks", &json!({ "title": "call the host" })).await.json()["state"], "todo");

    let blocked = script.patches(&format!("/tasks/{id}"), &json!({ "blocked_on": "the data centre" })).await.json();
    assert_eq!((&blocked["state"], &blocked["blocked_on"]), (&json!("blocked"), &json!("the data centre")));
    let by_number = script.patches("/incidents/1/tasks/2", &json!({ "state": "done" })).await.json();
    assert_eq!((&by_number["n"], &by_number["state"]), (&json!(2), &json!("done")));
    let freed =
        script.patches(&format!("/incidents/1/tasks/{id}"), &json!({ "state": "doing", "owner": "ana", "back_at": null })).await.json();
    assert_eq!(
        (&freed["state"], &freed["owner"], &freed["blocked_on"], &freed["back_at"]),
        (&json!("doing"), &json!("ana"), &Value::Null, &Value::Null)
    );
    for (body, words) in [
        (json!({}), vec!["what changes"]),
        (json!({ "state": "lost" }), vec!["lost", "blocked"]),
        (json!({ "state": "done", "blocked_on": "x" }), vec!["blocked"]),
        (json!({ "colour": "red" }), vec!["colour"]),
    ] {
        refused(&script.patches(&format!("/tasks/{id}"), &body).await, StatusCode::BAD_REQUEST, &words);
    }
    refused(&script.patches("/incidents/1/tasks/7", &json!({ "state": "done" })).await, StatusCode::NOT_FOUND, &["board"]);
    let board = script.reads("/incidents/1/tasks").await;
    assert_eq!((board["items"].as_array().map(Vec::len), &board["next"]), (Some(2), &Value::Null));
}

#[tokio::test]
async fn a_key_makes_a_request_happen_once() {
    let script = Script::open().await;
    let body = json!({ "title": "The shop is slow" });
    let first = script.posts_with("/incidents", "k-1", &body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (StatusCode::CREATED, ""), "{first:?}");
    let again = script.posts_with("/incidents", "k-1", &body).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (StatusCode::CREATED, "true"), "{again:?}");
    assert_eq!((again.text.as_str(), again.header("location")), (first.text.as_str(), "/api/v1/incidents/1"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(script.reads("/incidents").await["items"].as_array().map(Vec::len), Some(1));

    // Another body, another door, another caller, another key.
    refused(
        &script.posts_with("/incidents", "k-1", &json!({ "title": "Other" })).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        &["another body"],
    );
    for _ in 0..3 {
        assert_eq!(script.posts_with("/incidents/1/note", "k-1", &json!({ "text": "x" })).await.status, StatusCode::OK);
    }
    assert_eq!(count(&script.kinds(1).await, "note_added"), 1);
    let admin = script.desk.token(Scope::Admin).await;
    let other = script.desk.post("/api/v1/incidents", &[("authorization", &admin), ("idempotency-key", "k-1")], body.to_string()).await;
    assert_eq!((other.status, &other.json()["number"]), (StatusCode::CREATED, &json!(2)));
    assert_eq!(script.posts_with("/incidents", "k-2", &body).await.json()["number"], 3);

    // A refusal keeps no key.
    refused(&script.posts_with("/incidents", "k-3", &json!({ "title": "" })).await, StatusCode::BAD_REQUEST, &["empty"]);
    assert_eq!(script.posts_with("/incidents", "k-3", &body).await.status, StatusCode::CREATED);
    refused(&script.posts_with("/incidents", &"k".repeat(256), &body).await, StatusCode::BAD_REQUEST, &["Idempotency-Key"]);

    // After a day it is a new request.
    let clock = &script.desk.house.clock;
    clock.advance_to(clock.now() + Span::hours(25));
    let later = script.posts_with("/incidents", "k-1", &body).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (StatusCode::CREATED, ""));
}

#[tokio::test]
async fn of_many_at_once_one_acts_and_the_rest_wait_or_hear_its_answer() {
    let script = Script::open().await;
    let body = json!({ "title": "The shop is slow" });
    let answers = futures_util::future::join_all((0..12).map(|_| script.posts_with("/incidents", "same", &body))).await;
    for answer in &answers {
        match answer.status {
            StatusCode::CREATED => assert_eq!(answer.json()["number"], 1),
            StatusCode::CONFLICT => {
                refused(answer, StatusCode::CONFLICT, &["being carried out"]);
                assert_eq!(answer.header("retry-after"), "1");
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert!(answers.iter().any(|answer| answer.status == StatusCode::CREATED));
    assert_eq!(script.reads("/incidents").await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_hook_takes_keys_as_well() {
    let script = Script::open().await;
    let body = json!({ "dedup_key": "disk", "title": "disk full" }).to_string();
    let posts =
        async |key: &str, body: &str| script.desk.post(GENERIC, &[("idempotency-key", key), ("prefer", "wait=5")], body.to_owned()).await;
    let first = posts("h-1", &body).await;
    assert_eq!((first.status, &first.json()["results"][0]["outcome"]), (StatusCode::ACCEPTED, &json!("opened")), "{first:?}");
    let again = posts("h-1", &body).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed"), again.text.as_str()),
        (StatusCode::ACCEPTED, "true", first.text.as_str())
    );
    assert_eq!(posts("h-2", &body).await.json()["results"][0]["outcome"], "repeated");
    // A key in use for another body, or one that is none, loses no alert.
    let other = json!({ "dedup_key": "ram", "title": "RAM full" }).to_string();
    for key in ["h-1", "", &"k".repeat(999)] {
        let taken = posts(key, &other).await;
        assert_eq!((taken.status, taken.header("idempotent-replayed")), (StatusCode::ACCEPTED, ""), "{taken:?}");
    }
    let alerts = script.reads("/alerts").await;
    let mut counts: Vec<i64> = alerts["items"].as_array().expect("alerts").iter().filter_map(|alert| alert["count"].as_i64()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 3]);
}

#[tokio::test]
async fn somebody_takes_a_schedule_for_a_while() {
    let script = Script::open().await;
    let path = "/schedules/platform/overrides";
    let made = script.posts(path, &json!({ "user": "ana", "for": "3h" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.header("location"), format!("/api/v1{path}/{id}"));
    assert_eq!((&made.json()["from"], &made.json()["until"]), (&json!("2026-01-07T02:00:00.000Z"), &json!("2026-01-07T05:00:00.000Z")));
    for list in [path, "/overrides"] {
        assert_eq!(script.reads(list).await["items"], json!([made.json()]), "{list}");
    }
    let body = json!({ "user": "bo", "from": "2026-01-08T02:00:00Z", "until": "2026-01-08T06:00:00Z" });
    let twice = [script.posts_with(path, "o", &body).await, script.posts_with(path, "o", &body).await];
    assert_eq!(twice[0].text, twice[1].text);
    assert_eq!(script.reads(path).await["items"].as_array().map(Vec::len), Some(2));
    for (body, words) in [
        (json!({ "user": "ana" }), "until when"),
        (json!({ "user": "zed", "for": "1h" }), "\"zed\""),
        (json!({ "user": "ana", "until": "2020-01-01T00:00:00Z" }), "end after"),
        (json!({ "user": "ana", "for": "2000d" }), "92 days"),
    ] {
        refused(&script.posts(path, &body).await, StatusCode::BAD_REQUEST, &[words]);
    }
    refused(
        &script.posts("/schedules/night/overrides", &json!({ "user": "ana", "for": "1h" })).await,
        StatusCode::NOT_FOUND,
        &["schedule"],
    );
    let gone = script.asks(Method::DELETE, &format!("{path}/{id}"), &json!({})).await;
    assert_eq!((gone.status, gone.text.as_str()), (StatusCode::NO_CONTENT, ""));
    refused(&script.asks(Method::DELETE, &format!("{path}/{id}"), &json!({})).await, StatusCode::NOT_FOUND, &["override"]);
}
