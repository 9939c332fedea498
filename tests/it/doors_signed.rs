//! What a sender shows beside its key: what is not shown is refused, said so, and seen by those who look. And what comes twice counts once.

use base64::Engine as _;
use reqwest::{Method, RequestBuilder};
use reveille::base::secret::{hex, hmac_sha256};
use reveille::base::time::Time;
use reveille::base::viewer::Scope;
use reveille::store;
use serde_json::{Value, json};

use crate::app::{App, TEAM, answer};
use crate::story;

const SIGNED: &str = "/hooks/generic/signedkey000000000000001";
const HEADED: &str = "/hooks/generic/headedkey000000000000001";
const GUARDED: &str = "/hooks/generic/guardedkey00000000000001";
const BODY: &str = r#"{"dedup_key":"disk","title":"the disk is full","severity":"error"}"#;

fn team() -> String {
    team_with("\"the-first-signing-secret\"")
}

fn team_with(secret: &str) -> String {
    let integration = |id: &str, source: &str, says: &str| {
        format!("\n[[integration]]\nid = \"{id}\"\nsource = \"{source}\"\nservice = \"api\"\n{says}\n")
    };
    let hmac = format!("hmac = {{ header = \"X-Signature\", secret = {secret}, prefix = \"sha256=\" }}");
    [
        TEAM.to_owned(),
        integration("signed", "generic", &format!("key = \"signedkey000000000000001\"\n{hmac}")),
        integration(
            "headed",
            "generic",
            "key = \"headedkey000000000000001\"\nheader = { name = \"X-Token\", value = \"swordfish-swordfish\" }",
        ),
        integration(
            "guarded",
            "generic",
            "key = \"guardedkey00000000000001\"\nbasic = { user = \"ops\", password = \"correct:horse:battery\" }",
        ),
        integration("pd", "pagerduty", &format!("key = \"pagerdutykey000000000001\"\n{hmac}")),
    ]
    .concat()
}

fn post(app: &App, path: &str, body: &str) -> RequestBuilder {
    app.http.post(format!("{}{path}", app.url)).header("prefer", "wait=5").body(body.to_owned())
}

fn signed(secret: &str, body: &str) -> String {
    format!("sha256={}", hex(&hmac_sha256(secret.as_bytes(), body.as_bytes())))
}

async fn is_refused(app: &App, request: RequestBuilder, says: &str) {
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let told: Value = serde_json::from_str(&response.text().await.expect("text")).expect("JSON");
    let detail = told["detail"].as_str().expect("a sentence");
    assert!(detail.contains(says), "{detail}");
    assert!(!detail.contains("secret-") && !detail.contains("swordfish") && !detail.contains("horse"), "{detail}");
    app.settle().await;
}

async fn is_taken(app: &App, request: RequestBuilder, outcome: &str) -> Value {
    let (status, told) = answer(request).await;
    assert_eq!((status, &told["results"][0]["outcome"]), (202, &json!(outcome)), "{told}");
    app.settle().await;
    told
}

story!(a_message_that_is_not_signed_is_refused_and_leaves_nothing_but_a_count, &team(), |app| {
    is_refused(app, post(app, SIGNED, BODY), "signature in X-Signature is missing").await;
    let forged = signed("another secret of somebody", BODY);
    is_refused(app, post(app, SIGNED, BODY).header("x-signature", &forged), "signature in X-Signature is wrong").await;
    // What was signed is another body.
    let exchanged = signed("the-first-signing-secret", "{}");
    is_refused(app, post(app, SIGNED, BODY).header("x-signature", &exchanged), "is wrong").await;
    assert!(app.incidents().await.is_empty());
    assert_eq!(app.is_accounted_for().await, 0);
    let metrics = app.http.get(format!("{}/metrics", app.url)).send().await.expect("metrics").text().await.expect("text");
    assert!(metrics.contains("reveille_hooks_refused_total{integration=\"signed\",why=\"wrong\"} 2"), "{metrics}");
    assert!(metrics.contains("reveille_hooks_refused_total{integration=\"signed\",why=\"missing\"} 1"), "{metrics}");
    // Signed, in capitals too, it is taken.
    let right = signed("the-first-signing-secret", BODY).replace("sha256=", "").to_uppercase();
    is_taken(app, post(app, SIGNED, BODY).header("x-signature", format!("sha256={right}")), "opened").await;
    app.phone("ana").rings().await.press('1').await;
});

/// Posts a body that no door takes, and says how that was answered.
async fn overflows(app: &App, request: impl Fn(RequestBuilder) -> RequestBuilder, path: &str) -> (u16, Value) {
    let request = request(app.http.post(format!("{}{path}", app.url))).body(vec![b'x'; (1 << 20) + 1]);
    let told = answer(request).await;
    app.settle().await;
    told
}

story!(a_body_too_large_is_an_alert_of_the_senders_alone, &team(), |app| {
    // What signs the body cannot be checked without it: a right header and an old signature say nothing.
    let old = signed("the-first-signing-secret", BODY);
    let (status, told) = overflows(app, |request| request.header("x-signature", &old), SIGNED).await;
    assert_eq!(status, 413);
    assert!(told["detail"].as_str().expect("a sentence").contains("too large to check the signature in X-Signature"), "{told}");
    let (status, told) = overflows(app, |request| request.header("x-routing-key", "pagerdutykey000000000001"), "/v2/enqueue").await;
    assert_eq!((status, &told["status"]), (413, &json!("invalid event")), "{told}");
    assert!(told["errors"][0].as_str().expect("a sentence").contains("too large to check the signature"), "{told}");
    // A header and a password need no body.
    let (status, _) = overflows(app, |request| request, HEADED).await;
    assert_eq!(status, 401);
    let (status, _) = overflows(app, |request| request.basic_auth("ops", Some("wrong:horse")), GUARDED).await;
    assert_eq!(status, 401);
    assert!(app.incidents().await.is_empty(), "a stranger who knows the address wakes nobody");
    assert_eq!(app.is_accounted_for().await, 0);
    let token = app.token_of("reader", Scope::Admin).await;
    for (integration, why) in [("signed", "too_large"), ("pd", "too_large"), ("headed", "missing"), ("guarded", "wrong")] {
        let refused = refused(app, &token, integration).await;
        assert_eq!((&refused[0]["why"], &refused[0]["count"]), (&json!(why), &json!(1)), "{integration}: {refused}");
    }
    // From those who show it, it is told as from everybody.
    let (status, _) = overflows(app, |request| request.header("x-token", "swordfish-swordfish"), HEADED).await;
    assert_eq!(status, 413);
    app.phone("ana").rings().await.press('1').await;
    let (status, _) = overflows(app, |request| request.basic_auth("ops", Some("correct:horse:battery")), GUARDED).await;
    assert_eq!(status, 413);
    assert_eq!(app.incident(1).await.alerts.len(), 2);
});

/// What scripts are told of what was refused.
async fn refused(app: &App, token: &str, integration: &str) -> Value {
    let (status, told) = app.asks(Method::GET, &format!("/api/v1/integrations/{integration}"), Some(token)).await;
    assert_eq!(status, 200, "{told}");
    told["refused"].clone()
}

/// What was refused at the door that asks for a header is told, and counts up to this within a moment: while it is written down it may be
/// on its way.
async fn comes(app: &App, token: &str, n: i64) {
    let mut told = Value::Null;
    for _ in 0..200 {
        told = refused(app, token, "headed").await;
        if told.as_array().expect("a list").iter().filter_map(|one| one["count"].as_i64()).sum::<i64>() == n {
            return;
        }
    }
    panic!("{n} are not told of: {told}");
}

/// As many rest in the database.
async fn rests(app: &App, n: i64) {
    for _ in 0..2_000 {
        let rows = store::refusals_list(&app.house().store.reader(), Time(0)).await.expect("refusals read");
        if rows.iter().map(|row| row.n).sum::<i64>() == n {
            return;
        }
    }
    panic!("{n} are not written down");
}

story!(what_was_refused_is_told_after_a_restart_and_for_a_week, &team(), |app| {
    is_refused(app, post(app, HEADED, BODY), "header X-Token is missing").await;
    let token = app.token_of("reader", Scope::Admin).await;
    let first_at = refused(app, &token, "headed").await[0]["first_at"].clone();
    rests(app, 1).await;
    // A flood is written down together.
    for _ in 0..5 {
        is_refused(app, post(app, HEADED, BODY), "header X-Token is missing").await;
    }
    comes(app, &token, 6).await;
    app.advance("1s").await;
    rests(app, 6).await;
    app.goes_down().await;
    app.comes_back().await;
    assert_eq!(
        (&refused(app, &token, "headed").await[0]["count"], &refused(app, &token, "headed").await[0]["first_at"]),
        (&json!(6), &first_at)
    );
    is_refused(app, post(app, HEADED, BODY).header("x-token", "swordfis"), "header X-Token is wrong").await;
    comes(app, &token, 7).await;
    app.advance("169h").await;
    assert_eq!(refused(app, &token, "headed").await, json!([]), "a week is long enough to look");
    is_refused(app, post(app, HEADED, BODY), "header X-Token is missing").await;
    comes(app, &token, 1).await;
});

story!(a_secret_is_rotated_without_losing_a_message, &team(), |app| {
    let send = |secret: &str| post(app, SIGNED, BODY).header("x-signature", signed(secret, BODY));
    is_refused(app, send("the-second-signing-secret"), "is wrong").await;
    app.applies(&team_with("[\"the-second-signing-secret\", \"the-first-signing-secret\"]")).await;
    is_taken(app, send("the-first-signing-secret"), "opened").await;
    is_taken(app, send("the-second-signing-secret"), "repeated").await;
    app.applies(&team_with("\"the-second-signing-secret\"")).await;
    is_refused(app, send("the-first-signing-secret"), "is wrong").await;
    is_taken(app, send("the-second-signing-secret"), "repeated").await;
    app.phone("ana").rings().await.press('1').await;
    // It holds over a restart: the secret rests sealed with what was applied.
    app.goes_down().await;
    app.comes_back().await;
    let send = |secret: &str| post(app, SIGNED, BODY).header("x-signature", signed(secret, BODY));
    is_refused(app, send("the-first-signing-secret"), "is wrong").await;
    is_taken(app, send("the-second-signing-secret"), "repeated").await;
});

story!(a_header_and_a_password_are_asked_for, &team(), |app| {
    is_refused(app, post(app, HEADED, BODY), "header X-Token is missing").await;
    is_refused(app, post(app, HEADED, BODY).header("x-token", "swordfis"), "header X-Token is wrong").await;
    is_taken(app, post(app, HEADED, BODY).header("x-token", "swordfish-swordfish"), "opened").await;
    app.phone("ana").rings().await.press('1').await;
    let asked = post(app, GUARDED, BODY).send().await.expect("an answer");
    assert_eq!(asked.headers()["www-authenticate"], "Basic realm=\"Reveille\", charset=\"UTF-8\"");
    is_refused(app, post(app, GUARDED, BODY).basic_auth("ops", Some("correct")), "user or the password is wrong").await;
    is_refused(app, post(app, GUARDED, BODY).bearer_auth("correct:horse:battery"), "user and the password are missing").await;
    let right = base64::engine::general_purpose::STANDARD.encode("ops:correct:horse:battery");
    is_taken(app, post(app, GUARDED, BODY).header("authorization", format!("Basic {right}")), "folded").await;
});

story!(pagerdutys_door_asks_too, &team(), |app| {
    let event = json!({"routing_key": "pagerdutykey000000000001", "event_action": "trigger", "dedup_key": "disk",
        "payload": {"summary": "the disk is full", "source": "db-3", "severity": "error"}})
    .to_string();
    let (status, told) = answer(post(app, "/v2/enqueue", &event)).await;
    assert_eq!((status, &told["status"]), (401, &json!("invalid event")), "{told}");
    assert!(told["errors"][0].as_str().expect("a sentence").contains("signature in X-Signature is missing"), "{told}");
    app.settle().await;
    assert!(app.incidents().await.is_empty());
    let request = post(app, "/v2/enqueue", &event).header("x-signature", signed("the-first-signing-secret", &event));
    assert_eq!(answer(request).await.0, 202);
    app.settle().await;
    app.phone("ana").rings().await.press('1').await;
});

story!(a_delivery_that_comes_again_is_answered_as_the_first_time_and_counts_once, |app| {
    let hook = crate::app::GENERIC;
    let send = |app: &App, id: &str| post(app, hook, BODY).header("webhook-id", id);
    let first = is_taken(app, send(app, "msg_1"), "opened").await;
    let again = send(app, "msg_1").send().await.expect("an answer");
    assert_eq!((again.status().as_u16(), again.headers()["idempotent-replayed"].to_str().ok()), (202, Some("true")));
    let again: Value = serde_json::from_str(&again.text().await.expect("text")).expect("JSON");
    assert_eq!(again, first);
    // Another delivery of an equal body is another message, and so is an equal body without an id.
    is_taken(app, send(app, "msg_2"), "repeated").await;
    is_taken(app, post(app, hook, BODY), "repeated").await;
    is_taken(app, post(app, hook, BODY), "repeated").await;
    // A key made for the purpose goes first: the delivery's own id is then not looked at.
    is_taken(app, send(app, "msg_1").header("idempotency-key", "mine"), "repeated").await;
    // The same id with another body is no redelivery.
    let other = BODY.replace("full", "fuller");
    is_taken(app, post(app, hook, &other).header("webhook-id", "msg_1"), "repeated").await;
    assert_eq!(app.incident(1).await.alerts[0]["count"], 6);
    app.phone("ana").rings().await.press('1').await;
    // It is kept for a day.
    is_taken(app, post(app, hook, r#"{"dedup_key":"disk","state":"resolved"}"#), "resolved").await;
    app.advance("25h").await;
    is_taken(app, send(app, "msg_1"), "opened").await;
    app.phone("ana").rings().await.press('1').await;
});

story!(a_delivery_id_opens_no_door_that_a_signature_closes, &team(), |app| {
    let right = signed("the-first-signing-secret", BODY);
    is_taken(app, post(app, SIGNED, BODY).header("webhook-id", "1").header("x-signature", &right), "opened").await;
    is_refused(app, post(app, SIGNED, BODY).header("webhook-id", "1"), "is missing").await;
    app.phone("ana").rings().await.press('1').await;
});

story!(looking_at_an_address_does_nothing, |app| {
    let url = format!("{}{}?title=x&dedup_key=y", app.url, crate::app::GENERIC);
    for (method, status) in [(Method::GET, 405), (Method::HEAD, 405), (Method::OPTIONS, 405), (Method::PUT, 405)] {
        let answered = app.http.request(method.clone(), &url).header("webhook-request-origin", "x").send().await.expect("an answer");
        assert_eq!(answered.status().as_u16(), status, "{method}");
        assert!(!answered.headers().contains_key("webhook-allowed-origin"));
    }
    app.settle().await;
    assert_eq!(app.is_accounted_for().await, 0);
});

fn with_senders() -> String {
    let integration = |id: &str, says: &str| {
        format!("\n[[integration]]\nid = \"{id}\"\nsource = \"{id}\"\nservice = \"api\"\nkey = \"{id}-key-0000000001\"\n{says}\n")
    };
    let github = integration("github", "secret = [\"githubs-new-secret\", \"githubs-old-secret\"]");
    format!("{TEAM}{github}{}{}", integration("uptimerobot", ""), integration("cloudevents", ""))
}

story!(github_signs_and_says_which_delivery_it_is, &with_senders(), |app| {
    let body = include_str!("../fixtures/sources/github/deployment_status_failure.json");
    let send = |app: &App, secret: &str, delivery: &str| {
        let request = post(app, "/hooks/github/github-key-0000000001", body).header("x-github-event", "deployment_status");
        request.header("x-github-delivery", delivery).header("x-hub-signature-256", signed(secret, body))
    };
    is_refused(app, send(app, "nobodys-secret-at-all", "d-1"), "signature in X-Hub-Signature-256 is wrong").await;
    // What was refused is no delivery: mended, and delivered again by hand, it counts.
    let first = is_taken(app, send(app, "githubs-old-secret", "d-1"), "opened").await;
    let (status, again) = answer(send(app, "githubs-new-secret", "d-1")).await;
    assert_eq!((status, &again), (202, &first));
    app.settle().await;
    assert_eq!(app.incident(1).await.alerts[0]["count"], 1);
    app.phone("ana").rings().await.press('1').await;
});

story!(who_sends_with_get_is_heard_and_who_looks_is_not, &with_senders(), |app| {
    let hook = format!("{}/hooks/uptimerobot/uptimerobot-key-0000000001", app.url);
    let query = "?monitorID=7&monitorFriendlyName=shop&alertType=1&alertDetails=timeout";
    for url in [hook.clone(), format!("{hook}?"), format!("{hook}?utm_source=x&fbclid=y"), format!("{hook}?monitor")] {
        assert_eq!(app.http.get(url).send().await.expect("an answer").status(), 405);
    }
    assert_eq!(app.http.head(format!("{hook}{query}")).send().await.expect("an answer").status(), 405);
    app.settle().await;
    assert_eq!(app.is_accounted_for().await, 0);
    let (status, told) = answer(app.http.get(format!("{hook}{query}")).header("prefer", "wait=5")).await;
    assert_eq!((status, &told["results"][0]["outcome"]), (202, &json!("opened")), "{told}");
    app.settle().await;
    app.phone("ana").rings().await.press('1').await;
    let (status, _) = answer(app.http.get(format!("{hook}{}", query.replace("alertType=1", "alertType=2")))).await;
    assert_eq!(status, 202);
    app.settle().await;
    app.incident(1).await.is("resolved");
});

story!(a_sender_of_cloudevents_asks_for_leave_first, &with_senders(), |app| {
    let ask = |key: &str| {
        let url = format!("{}/hooks/cloudevents/{key}", app.url);
        app.http
            .request(Method::OPTIONS, url)
            .header("webhook-request-origin", "eventemitter.example.com")
            .header("webhook-request-rate", "120")
    };
    let leave = ask("cloudevents-key-0000000001").send().await.expect("an answer");
    assert_eq!(leave.status(), 200);
    assert_eq!(leave.headers()["webhook-allowed-origin"], "eventemitter.example.com");
    assert_eq!(leave.headers()["webhook-allowed-rate"], "*");
    assert_eq!(leave.headers()["allow"], "POST, OPTIONS");
    assert_eq!(ask("nobodys-key-000000000000001").send().await.expect("an answer").status(), 404);
});
