//! A sender with a JSON of its own, which its integration maps.

use serde_json::json;

use crate::app::TEAM;
use crate::story;

const HOOK: &str = "/hooks/generic/board-key-0000000000001";

/// Whoever wrote this mapping thought of no body without a status.
fn with_a_board() -> String {
    let map = "dedup_key = \"/id\"\ntitle = \"{{ name }}\"\nresolved_when = 'status != \"bad\"'";
    format!(
        "{TEAM}\n[[integration]]\nid = \"board\"\nsource = \"generic\"\nservice = \"api\"\nkey = \"board-key-0000000000001\"\n[integration.map]\n{map}\n"
    )
}

story!(a_body_that_lacks_its_status_ends_nothing, &with_a_board(), |app| {
    let says = |rest: serde_json::Value| {
        let mut body = json!({ "id": 7, "name": "the disk is full" });
        body.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
        body
    };
    assert_eq!(app.hears(HOOK, &says(json!({ "status": "bad" }))).await.outcome, "opened");
    assert_eq!(app.hears(HOOK, &says(json!({ "note": "still looking" }))).await.outcome, "repeated");
    app.incident(1).await.is("triggered");
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.hears(HOOK, &says(json!({ "status": "good" }))).await.outcome, "resolved");
    app.incident(1).await.is("resolved");
    // Nor is it an all-clear where nothing fires: it opens, and says what it lacks.
    assert_eq!(app.hears(HOOK, &json!({ "id": 8, "name": "the shop is slow" })).await.outcome, "opened");
    app.phone("ana").rings_after("3m").await.press('1').await;
    let alert = &app.incident(2).await.alerts[0];
    assert_eq!(alert["labels"]["template_error"], "resolved_when: it uses what is not there", "{alert:#}");
    app.hears(HOOK, &says(json!({ "id": 8, "status": "good" }))).await;
});
