//! Secrets in what senders write: nobody sees them, and they reach no column.

use serde_json::json;

use crate::app::{GENERIC, TEAM, answer};
use crate::story;

const SECRETS: [&str; 6] = [
    "swordfish-9-of-the-database",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-1234567890-abcdefghij",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "EMP-123456",
];

fn team() -> String {
    format!("{TEAM}\n[masks]\nnames = [\"badge\"]\nkeep = [\"session\"]\npatterns = [\"EMP-[0-9]{{6}}\"]\n")
}

story!(a_planted_secret_reaches_no_column_and_no_page, &team(), |app| {
    let [database, github, aws, slack, jwt, badge] = SECRETS;
    let told = app
        .hears(
            GENERIC,
            &json!({
                "dedup_key": format!("login {aws}"),
                "title": format!("cannot log in to postgres://app:{database}@db-1/shop by {badge}"),
                "severity": "error",
                "url": format!("https://ci.example.com/?token={github}"),
                "labels": {
                    "db_password": database, "Authorization": format!("Bearer {jwt}"), "note": format!("with {slack}, it was {badge}"),
                    "employee_badge": "seven of nine", "session": "kept-as-it-is", "host": "db-1"
                },
                "nested": { "client_secret": database, "list": [format!("password={database}"), github] }
            }),
        )
        .await;
    assert_eq!(told.outcome, "opened");
    // What cannot be read is kept as a sample all the same.
    let (status, _) =
        answer(app.http.post(format!("{}{GENERIC}", app.url)).body(format!("api_key={database}&x={github} {aws} broken"))).await;
    assert_eq!(status, 202);
    app.settle().await;
    app.phone("ana").rings().await.press('1').await;
    let alerts = app.get("/api/v1/alerts").await;
    let alert = alerts["items"].as_array().expect("a list").iter().find(|alert| alert["id"] == told.alert.as_deref().expect("an alert"));
    let alert = alert.expect("it is there");
    assert_eq!(alert["title"], "cannot log in to postgres://app:***@db-1/shop by ***");
    assert_eq!(alert["labels"]["db_password"], "***");
    assert_eq!((&alert["labels"]["employee_badge"], &alert["labels"]["host"]), (&json!("***"), &json!("db-1")));
    assert_eq!(alert["labels"]["session"], "kept-as-it-is");
    // The same key is the same alert, and another secret in it another one.
    assert!(alert["dedup_key"].as_str().expect("a key").starts_with("sha256:"), "{alert}");
    let again = app.hears(GENERIC, &json!({ "dedup_key": format!("login {aws}"), "title": "again", "severity": "error" })).await;
    assert_eq!((again.outcome.as_str(), again.alert), ("repeated", told.alert));
    let other = app.hears(GENERIC, &json!({ "dedup_key": "login AKIAIOSFODNN7EXAMPLF", "title": "other", "severity": "error" })).await;
    assert_ne!(other.outcome, "repeated");
    // Every row of every table, as a backup takes it, and what people look at.
    let browser = app.browser("ana").await;
    let mut seen = vec![alerts.to_string(), app.stage.calls().iter().map(|call| format!("{call:?}")).collect::<String>()];
    for page in ["/incidents/1", "/alerts", "/integrations/api-scripts"] {
        seen.push(browser.get(page).await.text);
    }
    seen.push(app.get("/api/v1/incidents/1/timeline").await.to_string());
    seen.push(app.everything().await);
    for text in seen {
        for secret in SECRETS.iter().chain(&["seven of nine"]) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    app.everyone_takes_notice();
});

story!(masking_can_be_switched_off, &format!("{TEAM}\n[masks]\noff = true\n"), |app| {
    app.hears(GENERIC, &json!({ "dedup_key": "a", "title": "token=swordfish9 refused", "severity": "warning" })).await;
    let alerts = app.get("/api/v1/alerts").await;
    assert_eq!(alerts["items"][0]["title"], "token=swordfish9 refused");
    app.everyone_takes_notice();
});
