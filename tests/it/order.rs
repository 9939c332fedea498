//! A sender's messages that overtake each other on their way.

use serde_json::{Value, json};

use crate::app::{GENERIC, ROLLBAR};
use crate::story;

/// What Rollbar says of one item, as it was at that second.
fn item(event: &str, second: i64) -> Value {
    let item = json!({
        "id": 272_716_944, "title": "NoMethodError", "environment": "production", "level": 50,
        "last_occurrence_timestamp": 1_767_600_000 + second,
    });
    json!({ "event_name": event, "data": { "item": item } })
}

story!(
    /// Rollbar could not reach us for a while with the news that the item was resolved. It has happened a thousand times since.
    a_resolve_that_comes_late_ends_nothing_that_was_said_to_fire_since,
    |app| {
        assert_eq!(app.hears(ROLLBAR, &item("new_item", 0)).await.outcome, "opened");
        assert_eq!(app.hears(ROLLBAR, &item("exp_repeat_item", 600)).await.outcome, "repeated");
        let late = app.hears(ROLLBAR, &item("resolved_item", 300)).await;
        assert_eq!((late.outcome.as_str(), late.reason.as_str()), ("ignored", "the sender has said since then that it fires"));
        app.incident(1).await.is("triggered");
        app.phone("ana").rings().await.ignore();
        assert_eq!(app.hears(ROLLBAR, &item("resolved_item", 600)).await.outcome, "resolved");
        app.incident(1).await.is("resolved");
    }
);

story!(
    /// The sender of the repeats writes milliseconds, that of the resolve whole seconds.
    a_resolve_of_the_same_second_is_not_late,
    |app| {
        let body = |state: &str, at: &str| json!({ "dedup_key": "backup", "title": "The backup failed", "state": state, "at": at });
        for (state, at, outcome) in [
            ("firing", "2026-01-05T03:00:00.250Z", "opened"),
            ("firing", "2026-01-05T03:05:00.750Z", "repeated"),
            ("resolved", "2026-01-05T03:04:59Z", "ignored"),
            ("resolved", "2026-01-05T03:05:00Z", "resolved"),
        ] {
            assert_eq!(app.hears(GENERIC, &body(state, at)).await.outcome, outcome, "{state} at {at}");
            if outcome == "opened" {
                app.phone("ana").rings().await.ignore();
            }
        }
        app.settle().await;
        app.incident(1).await.is("resolved");
    }
);
