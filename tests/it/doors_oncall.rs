//! Splunk On-Call's REST endpoint: who sent there sends here, with only the host changed.

use serde_json::{Value, json};

use crate::app::{App, TEAM};
use crate::story;

const KEY: &str = "7a1d2f0c-2a56-4c1f-9f5e-6c0c6b1d5f11";

fn team() -> String {
    format!("{TEAM}\n[[integration]]\nid = \"api-oncall\"\nsource = \"splunk-oncall\"\nservice = \"api\"\nkey = \"{KEY}\"\n")
}

async fn tells(app: &App, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let told = app.sends(&format!("/integrations/generic/20131114/alert/{KEY}/database"), body).await;
    app.settle().await;
    told
}

fn of(message_type: &str) -> String {
    let name = "Critically Low Disk Space on DB01";
    json!({"message_type": message_type, "entity_id": "disk.space/db01", "entity_display_name": name}).to_string()
}

story!(a_sender_of_splunk_on_call_fires_acknowledges_and_recovers, &team(), |app| {
    assert_eq!(tells(app, of("CRITICAL")).await, (200, json!({"result": "success", "entity_id": "disk.space/db01"})));
    let ana = app.phone("ana").rings().await.ignore();
    let incident = app.incident(1).await;
    assert_eq!(incident.row["title"], "Critically Low Disk Space on DB01");
    let alert = &incident.alerts[0];
    assert_eq!((&alert["source"], &alert["dedup_key"]), (&json!("splunk-oncall"), &json!("disk.space/db01")));
    assert_eq!((&alert["severity"], &alert["labels"]["routing_key"]), (&json!("critical"), &json!("database")), "{alert}");
    tells(app, of("ACKNOWLEDGEMENT")).await;
    ana.has_ended();
    app.incident(1).await.is("acknowledged");
    tells(app, of("RECOVERY")).await;
    app.incident(1).await.is("resolved");
});

story!(without_an_entity_id_the_words_stand_in, &team(), |app| {
    let body = json!({"message_type": "CRITICAL", "entity_display_name": "The disk is full"}).to_string();
    for _ in 0..2 {
        assert_eq!(tells(app, body.clone()).await, (200, json!({"result": "success", "entity_id": "The disk is full"})));
    }
    app.phone("ana").rings().await.ignore();
    let incident = app.incident(1).await;
    assert_eq!((incident.alerts.len(), &incident.alerts[0]["count"]), (1, &json!(2)), "a repeat is the same alert");
    tells(app, body.replace("CRITICAL", "RECOVERY")).await;
    app.incident(1).await.is("resolved");
});

story!(what_is_wrong_at_that_door_is_told_as_at_any_hook, &team(), |app| {
    let (status, told) = app.sends("/integrations/generic/20131114/alert/nobodyskey/database", of("CRITICAL")).await;
    assert_eq!(status, 404, "{told}");
    let (status, told) = app.sends("/integrations/generic/20131114/alert/generickey0000000000000001/database", of("CRITICAL")).await;
    assert_eq!(status, 404, "{told}");
    assert!(app.incidents().await.is_empty());
    // What cannot be read and what is too large are no errors of a sender that has the key: somebody is called.
    assert_eq!(tells(app, "{").await, (200, json!({"result": "success"})));
    app.phone("ana").rings().await.ignore();
    assert_eq!(tells(app, vec![b' '; 2 << 20]).await.0, 413);
    let incident = app.incident(1).await;
    assert_eq!((incident.alerts.len(), &incident.alerts[0]["count"]), (1, &json!(2)));
    tells(app, of("INFO")).await;
    app.incident(1).await.is("resolved");
});
