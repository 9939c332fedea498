//! Orders, the board and the duty at a terminal: what the server is asked and what is printed.

use super::*;

fn task(n: i64, state: &str, owner: Option<&str>, title: &str) -> Value {
    json!({
        "id": format!("tsk_{n}"), "incident": 42, "n": n, "title": title, "owner": owner, "state": state,
        "blocked_on": (state == "blocked").then_some("the data centre"),
        "back_at": (state == "doing").then_some("2015-07-29T03:20:00Z"),
        "created_at": "2015-07-29T03:01:00Z", "created_by": "ana", "changed_at": "2015-07-29T03:02:00Z"
    })
}

/// A server that does what it is asked.
async fn obliging() -> Server {
    Server::open(|asked| {
        let path = asked.uri.path().trim_start_matches("/api/v1/").to_owned();
        let told = if asked.body.is_empty() { Value::Null } else { asked.json() };
        match (asked.method.as_str(), path.as_str()) {
            ("POST", "incidents") => {
                let mut made = incident(42, "triggered", told["title"].as_str().unwrap_or(""));
                made["severity"] = told.get("severity").cloned().unwrap_or(json!("sev2"));
                made["kind"] = told.get("kind").cloned().unwrap_or(json!("real"));
                (StatusCode::CREATED, Json(made)).into_response()
            }
            ("POST", "incidents/42/tasks") => (StatusCode::CREATED, Json(task(3, "doing", Some("bo"), "Look at the disk"))).into_response(),
            ("PATCH", "incidents/42/tasks/2") => {
                let state = told["state"].as_str().unwrap_or("blocked");
                Json(task(2, state, Some("ana"), "Fail over")).into_response()
            }
            ("GET", "incidents/42/tasks") => Json(json!({ "items": [
                task(1, "doing", Some("bo"), "Look at the disk"), task(2, "blocked", Some("ana"), "Fail over"),
                task(3, "todo", None, HOSTILE), task(4, "done", Some("bo"), "Call the host")
            ], "next": null }))
            .into_response(),
            ("GET", "incidents") => Json(json!({ "items": [incident(42, "acknowledged", "Disk full")], "next": null })).into_response(),
            ("GET", "oncall") => Json(json!({ "items": [
                { "schedule": "platform", "users": ["ana", "bo"], "from": "2015-07-27T07:00:00Z", "until": "2015-08-03T07:00:00Z" },
                { "schedule": "shop", "users": [], "from": "2015-07-27T07:00:00Z", "until": null }
            ], "next": null }))
            .into_response(),
            ("DELETE", _) => StatusCode::NO_CONTENT.into_response(),
            (_, "silences") => {
                let one = json!({
                    "id": "0198-1", "state": "active", "matchers": ["alertname=\"Disk\"", format!("host=\"{HOSTILE}\"")], "integration": "shop",
                    "starts_at": "2015-07-29T03:12:00Z", "ends_at": "2015-07-29T05:12:00Z", "created_by": "ana", "comment": "why"
                });
                let posted = asked.method == Method::POST;
                Json(if posted { one } else { json!({ "items": [one], "next": null }) }).into_response()
            }
            (_, "overrides" | "schedules/platform/overrides") => {
                let one = json!({
                    "id": "ovr_1", "schedule": "platform", "user": "bo", "from": "2015-07-29T03:12:00Z", "until": "2015-07-29T11:12:00Z",
                    "created_at": NOW, "created_by": "token:ci"
                });
                if asked.method == Method::POST {
                    Json(one).into_response()
                } else {
                    Json(json!({ "items": [one], "next": null })).into_response()
                }
            }
            (_, _) => {
                let mut now = incident(42, "acknowledged", "Disk full");
                now["roles"] = json!({ "lead": "bo", "scribe": "cy" });
                Json(now).into_response()
            }
        }
    })
    .await
}

#[tokio::test]
async fn each_order_asks_for_what_was_typed_and_says_what_came_of_it() {
    let server = obliging().await;
    for (line, asks, body, says) in [
        (
            vec!["declare", "The shop is slow"],
            "POST /api/v1/incidents",
            json!({ "title": "The shop is slow" }),
            "#42 is declared at sev2, and its policy is being paged: The shop is slow",
        ),
        (
            vec!["declare", "x", "--severity", "1", "--service", "shop", "--kind", "drill"],
            "POST /api/v1/incidents",
            json!({ "title": "x", "severity": "sev1", "service": "shop", "kind": "drill" }),
            "nobody is paged but whom you name",
        ),
        (
            vec!["reassign", "42", "bo"],
            "POST /api/v1/incidents/42/reassign",
            json!({ "user": "bo" }),
            "#42 is given to bo, who is being paged: Disk full",
        ),
        (vec!["snooze", "42", "1h30m"], "POST /api/v1/incidents/42/snooze", json!({ "for": "5400s" }), "#42 is snoozed for 1h 30m"),
        (vec!["sev", "42", "1"], "POST /api/v1/incidents/42/severity", json!({ "severity": "sev1" }), "#42 is sev1 now"),
        (vec!["sev", "42", "SEV3"], "POST /api/v1/incidents/42/severity", json!({ "severity": "sev3" }), "Disk full"),
        (vec!["role", "42", "lead", "bo"], "POST /api/v1/incidents/42/role", json!({ "role": "lead", "user": "bo" }), "#42 has bo as lead"),
        (
            vec!["role", "42", "lead", "--nobody"],
            "POST /api/v1/incidents/42/role",
            json!({ "role": "lead", "user": null }),
            "#42 has no lead any more",
        ),
        (vec!["title", "42", "Better"], "POST /api/v1/incidents/42/title", json!({ "title": "Better" }), "new title"),
        (vec!["note", "42", "Restarted"], "POST /api/v1/incidents/42/note", json!({ "text": "Restarted", "at": null }), "has a note"),
        (
            vec!["note", "42", "Seen", "--at", "04:47"],
            "POST /api/v1/incidents/42/note",
            json!({ "text": "Seen", "at": "2015-07-29T02:47:00.000Z" }),
            "note",
        ),
        (
            vec!["note", "42", "Seen", "--at", "23:00"],
            "POST /api/v1/incidents/42/note",
            json!({ "text": "Seen", "at": "2015-07-28T21:00:00.000Z" }),
            "note",
        ),
        (vec!["update", "42", "We know"], "POST /api/v1/incidents/42/update", json!({ "text": "We know" }), "has an update"),
        (vec!["page", "42", "ana"], "POST /api/v1/incidents/42/page", json!({ "user": "ana" }), "ana is being paged"),
        (vec!["page", "42", "policy:db"], "POST /api/v1/incidents/42/page", json!({ "policy": "db" }), "the policy db is being paged"),
        (vec!["page", "42", "everyone"], "POST /api/v1/incidents/42/page", json!({ "everyone": true }), "everyone is being paged"),
        (
            vec!["task", "add", "42", "Look at the disk", "--owner", "bo", "--back", "15m"],
            "POST /api/v1/incidents/42/tasks",
            json!({ "title": "Look at the disk", "owner": "bo", "back_at": "2015-07-29T03:27:00.000Z" }),
            "Task 3 of #42, and bo does it: Look at the disk",
        ),
        (
            vec!["task", "done", "42", "2"],
            "PATCH /api/v1/incidents/42/tasks/2",
            json!({ "state": "done" }),
            "Task 2 of #42 is done: Fail over",
        ),
        (
            vec!["task", "drop", "42", "2"],
            "PATCH /api/v1/incidents/42/tasks/2",
            json!({ "state": "dropped" }),
            "Task 2 of #42 is dropped: Fail over",
        ),
        (
            vec!["task", "block", "42", "2", "the data centre"],
            "PATCH /api/v1/incidents/42/tasks/2",
            json!({ "blocked_on": "the data centre" }),
            "Task 2 of #42 waits for the data centre: Fail over",
        ),
    ] {
        let typed: Vec<&str> = std::iter::once("incident").chain(line).collect();
        let went = Caller::of(&server).types(&typed).await;
        assert_eq!(went.exit, Exit::Done, "{typed:?}: {}", went.err);
        assert!(went.out.contains(says), "{typed:?}: {}", went.out);
        let asked = server.asked().pop().expect("it asked");
        assert_eq!(format!("{} {}", asked.method, asked.uri), asks);
        assert_eq!(asked.json(), body, "{typed:?}");
        assert_eq!(asked.header("idempotency-key").is_empty(), asked.method == Method::PATCH, "{typed:?}");
        let went = Caller::of(&server).types(&[&typed[..], &["--json"]].concat()).await;
        assert!(serde_json::from_str::<Value>(&went.out).is_ok(), "{typed:?}: {}", went.out);
    }
    let keys: Vec<String> =
        server.asked().iter().map(|asked| asked.header("idempotency-key").to_owned()).filter(|key| !key.is_empty()).collect();
    let distinct: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "each order has a key of its own");
}

#[tokio::test]
async fn the_board_is_one_question_away() {
    let server = obliging().await;
    let went = Caller::of(&server).types(&["who", "42"]).await;
    assert_eq!(
        went.out,
        "#42 acknowledged sev1  Disk full
lead bo · scribe cy
n  state    who  since  back      task
1  doing    bo   10m    05:20:00  Look at the disk
2  blocked  ana  10m    -         Fail over (waits for the data centre)
3  todo     -    10m    -         disk full on db-3
1 more done or dropped: reveille incident task list 42
"
    );
    let all = Caller::of(&server).types(&["who"]).await;
    assert!(all.out.starts_with("#42 acknowledged sev1  Disk full\nbo has it\n"), "{}", all.out);
    assert!(server.lines().contains(&"GET /api/v1/incidents?state=triggered%2Cacknowledged&limit=20".to_owned()), "{:?}", server.lines());
    let list = Caller::of(&server).types(&["incident", "task", "list", "42"]).await;
    assert!(list.out.contains("4  done     bo   10m    -         Call the host"), "{}", list.out);
    let json = Caller::of(&server).types(&["who", "42", "--json"]).await;
    let json: Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((&json["items"][0]["incident"]["number"], &json["items"][0]["tasks"][0]["n"]), (&json!(42), &json!(1)));
}

#[tokio::test]
async fn a_board_without_tasks_says_how_to_begin() {
    let server = Server::open(|asked| match asked.uri.path().rsplit('/').next() {
        Some("tasks") => Json(json!({ "items": [], "next": null })).into_response(),
        Some("42") => Json(incident(42, "triggered", "Disk full")).into_response(),
        Some(_) | None => Json(json!({ "items": [], "next": null })).into_response(),
    })
    .await;
    let went = Caller::of(&server).types(&["who", "42"]).await;
    assert!(went.out.contains("nobody has it yet\nNo tasks yet.\nAdd one: reveille incident task add 42"), "{}", went.out);
    assert!(Caller::of(&server).types(&["who"]).await.out.starts_with("No incident is open."));
}

#[tokio::test]
async fn who_is_on_call_and_who_takes_it() {
    let server = obliging().await;
    let went = Caller::of(&server).types(&["oncall"]).await;
    assert_eq!(
        went.out,
        "schedule  on call  until
platform  ana, bo  2015-08-03 09:00:00
shop      nobody   always
"
    );
    Caller::of(&server).types(&["oncall", "--at", "04:00"]).await;
    assert_eq!(
        server.lines().last().map(String::as_str),
        Some("GET /api/v1/oncall?at=2015-07-30T02%3A00%3A00.000Z"),
        "the next four o'clock"
    );
    let went = Caller::of(&server).types(&["override", "add", "platform", "bo", "--for", "8h"]).await;
    assert!(
        went.out.starts_with("bo has platform from 05:12:00 until 13:12:00.\nGive it back: reveille override remove platform ovr_1"),
        "{}",
        went.out
    );
    assert_eq!(server.asked().pop().expect("asked").json(), json!({ "user": "bo", "for": "28800s" }));
    Caller::of(&server)
        .types(&["override", "add", "platform", "bo", "--from", "2015-12-24 18:00", "--until", "2015-12-26T09:00:00Z"])
        .await;
    let body = server.asked().pop().expect("asked").json();
    assert_eq!(body, json!({ "user": "bo", "from": "2015-12-24T17:00:00.000Z", "until": "2015-12-26T09:00:00.000Z" }));
    let went = Caller::of(&server).types(&["override", "list"]).await;
    assert!(went.out.contains("platform  bo   05:12:00  13:12:00  ovr_1"), "{}", went.out);
    let went = Caller::of(&server).types(&["override", "remove", "platform", "ovr_1"]).await;
    assert!(went.out.contains("The rotation of platform counts again."), "{}", went.out);
    assert_eq!(server.lines().last().map(String::as_str), Some("DELETE /api/v1/schedules/platform/overrides/ovr_1"));
    let went = Caller::of(&server).types(&["override", "add", "platform", "bo", "--until", "tomorrow"]).await;
    assert_eq!(went.exit, Exit::Usage);
    assert!(went.err.contains("\"tomorrow\" is no time; write 09:00"), "{}", went.err);
}

#[tokio::test]
async fn a_test_page_names_one_person_alone() {
    let server = obliging().await;
    let went = Caller::of(&server).types(&["test-page", "ana"]).await;
    assert_eq!(went.exit, Exit::Done, "{}", went.err);
    assert!(went.out.starts_with("#42 is a test, and ana alone is being paged for it."), "{}", went.out);
    let bodies: Vec<Value> = server.asked().iter().map(Asked::json).collect();
    assert_eq!(bodies, [json!({ "title": "Test page for ana", "kind": "test" }), json!({ "user": "ana" })]);
}

#[tokio::test]
async fn a_test_page_for_nobody_leaves_nothing_open() {
    let server = Server::open(|asked| match asked.uri.path() {
        "/api/v1/incidents/42/page" => problem(400, "There is no user \"zed\"; there are ana, bo."),
        path => Json(incident(42, if path.ends_with("/resolve") { "resolved" } else { "triggered" }, "Test page for zed")).into_response(),
    })
    .await;
    let went = Caller::of(&server).types(&["test-page", "zed"]).await;
    assert_eq!(went.exit, Exit::Failed, "{}", went.err);
    assert!(went.err.contains("There is no user \"zed\""), "{}", went.err);
    assert_eq!(server.lines().last().map(String::as_str), Some("POST /api/v1/incidents/42/resolve"));
}

#[tokio::test]
async fn the_integrations_are_seen_and_tried() {
    let server = Server::open(|asked| {
        let said = match asked.uri.path().rsplit('/').next() {
            Some("integrations") => json!({ "items": [
                { "id": "api-rollbar", "source": "rollbar", "service": "api", "outcomes": { "accepted": 12, "unreadable": 1 }, "last_at": "2015-07-29T03:00:00Z" },
                { "id": "shop", "source": "generic", "service": "shop", "outcomes": {}, "last_at": null }
            ], "next": null }),
            Some("signals") => json!({ "items": [
                { "at": "2015-07-29T03:00:00Z", "outcome": "opened", "incident": 42, "title": "Disk \u{1b}[2Jfull" }
            ], "next": null }),
            Some(_) | None => json!({ "outcome": "ignored", "reason": "a test" }),
        };
        Json(said).into_response()
    })
    .await;
    let caller = Caller::of(&server);
    let list = caller.types(&["integration", "list"]).await.out;
    assert!(list.contains("api-rollbar  rollbar  api      12       1           12m ago"), "{list}");
    assert!(list.contains("shop         generic  shop     0        0           never"), "{list}");
    let signals = caller.types(&["integration", "signals", "api-rollbar"]).await.out;
    assert!(signals.contains("opened   #42       Disk") && !signals.contains('\u{1b}'), "{signals}");
    let test = caller.types(&["integration", "test", "api-rollbar"]).await.out;
    assert!(test.starts_with("The test signal came through and was ignored: nobody is woken by it.\n"), "{test}");
    assert_eq!(server.lines().last().map(String::as_str), Some("POST /api/v1/integrations/api-rollbar/test"));
}

#[tokio::test]
async fn silences_are_made_listed_and_ended() {
    let server = obliging().await;
    let add = ["silence", "add", "alertname=Disk", "host=~\"db.*\"", "--for", "2h", "--why", "why", "--integration", "shop"];
    let went = Caller::of(&server).types(&add).await;
    assert!(went.out.starts_with("alertname=\"Disk\" "), "{}", went.out);
    assert!(went.out.contains("pages nobody from 05:12:00 until 07:12:00.\nEnd it sooner: reveille silence end 0198-1"), "{}", went.out);
    assert!(!went.out.contains('\u{1b}'), "{:?}", went.out);
    let body = json!({ "matchers": ["alertname=Disk", "host=~\"db.*\""], "integration": "shop", "for": "7200s", "comment": "why" });
    assert_eq!(server.asked().pop().expect("asked").json(), body);
    Caller::of(&server).types(&["silence", "add", "a=b", "--from", "2015-12-24 18:00", "--until", "2015-12-26T09:00:00Z"]).await;
    let body = json!({ "matchers": ["a=b"], "starts_at": "2015-12-24T17:00:00.000Z", "until": "2015-12-26T09:00:00.000Z" });
    assert_eq!(server.asked().pop().expect("asked").json(), body);
    let went = Caller::of(&server).types(&["silence", "list"]).await;
    assert!(went.out.contains("active") && went.out.contains("of shop") && went.out.contains("0198-1"), "{}", went.out);
    assert_eq!(server.lines().last().map(String::as_str), Some("GET /api/v1/silences?state=active%2Cpending"));
    let went = Caller::of(&server).types(&["silence", "end", "0198-1"]).await;
    assert!(went.out.contains("What still fires of it pages now."), "{}", went.out);
    assert_eq!(server.lines().last().map(String::as_str), Some("DELETE /api/v1/silences/0198-1"));
}
