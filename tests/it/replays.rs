//! The nights that come with the binary, played at a whole Reveille: how many alerts, how many incidents, and who is woken.

use std::sync::LazyLock;

use crate::app::{App, TEAM};
use crate::story;
use reveille::base::time::Time;
use reveille::stage::scenario::Scenario;

/// The team of most stories, with the senders of these nights.
static SENDERS: LazyLock<String> = LazyLock::new(|| {
    ["datadog", "pingdom", "alertmanager"].iter().fold(TEAM.to_owned(), |team, source| {
        format!(
            "{team}\n[[integration]]\nid = \"api-{source}\"\nsource = \"{source}\"\nservice = \"api\"\nkey = \"{source}key0000000000000001\"\n"
        )
    })
});

/// What `reveille why` tells of the first of these nights, from the first signal to the one call and the end.
const GLITCH: [&str; 16] = [
    "02:00:00  Opened at sev3 for Public API: Disk usage is getting tight",
    "02:00:00  Paging starts by the policy platform: 3 steps, low urgency",
    "because the incident opened",
    "02:00:24  1 alert joined: glitch.com is DOWN (HTTP)",
    "02:00:24  Severity raised from sev3 to sev2",
    "02:00:24  Paging starts by the policy platform: 3 steps, high urgency",
    "because the severity was raised",
    "02:00:24  Step 1: Ana Ruiz (next step at 02:05:24)",
    "because the policy's step began",
    "02:00:24  Calling Ana Ruiz",
    "because the person's own rule was due",
    "02:00:24  The phone of Ana Ruiz rings",
    "02:00:24  Acknowledged by Ana Ruiz (lapses without a sign of life at 02:30:24)",
    "02:01:16  1 alert resolved: Disk usage is getting tight",
    "02:01:16  Resolved",
    "because its last firing alert was resolved by the sender",
];

/// Plays a night up to a moment; what comes many times is not waited for each time.
async fn plays(app: &App, scenario: &Scenario, start: Time, from_ms: i64, until_ms: i64) {
    for (after, n, step) in scenario.moments() {
        let millis = after.0 / 1_000;
        if millis < from_ms || millis >= until_ms {
            continue;
        }
        // A person took their time on the phone meanwhile, perhaps.
        app.advance_to(app.clock.now().max(start + after)).await;
        let Some(body) = step.body(start, app.clock.now()) else { continue };
        let source = scenario.source_of(step);
        let key = if source == "rollbar" { "rollbarkey0000000000000001".to_owned() } else { format!("{source}key0000000000000001") };
        app.posts(&format!("/hooks/{source}/{key}"), &body).await;
        if n + 1 == step.times {
            app.settle().await;
        }
    }
}

story!(
    /// "Disk usage is getting tight", two hundred times: one alert that wakes nobody. Then the site is down: one person is woken.
    glitch_2019,
    &SENDERS,
    |app| {
        let night = Scenario::named("glitch-2019").expect("it reads");
        let start = app.clock.now();
        plays(app, &night, start, 0, 23_000).await;
        let incidents = app.incidents().await;
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        let quiet = app.incident(1).await;
        assert_eq!((&quiet.row["severity"], quiet.alerts.len(), &quiet.alerts[0]["count"]), (&"sev3".into(), 1, &200.into()));
        app.phone("ana").is_silent().await;
        app.phone("bo").is_silent().await;

        plays(app, &night, start, 23_000, 60_000).await;
        let said = app.phone("ana").rings().await.press('1').await;
        assert!(said.contains("acknowledged"), "{said}");
        plays(app, &night, start, 60_000, 600_000).await;
        app.settle().await;
        assert_eq!((app.phone("ana").calls(), app.phone("bo").calls(), app.phone("cy").calls()), (1, 0, 0));
        for row in app.incidents().await {
            assert_eq!(row["state"], "resolved", "{row:#}");
        }
        let told = crate::night::why(&app, "1").await;
        let mut left = told.lines();
        for line in GLITCH {
            assert!(left.any(|told| told.trim() == line), "{line:?} is not told, or not in its turn:\n{told}");
        }
        assert_eq!(told.matches("  Calling ").count(), 1, "{told}");
    }
);

story!(
    /// A data centre loses power: forty alerts of three senders, one incident, one call for each person that it takes.
    scalingo_2019,
    &SENDERS,
    |app| {
        let night = Scenario::named("scalingo-2019").expect("it reads");
        let start = app.clock.now();
        plays(app, &night, start, 0, 12_000).await;
        app.phone("ana").rings().await.ignore();
        let incidents = app.incidents().await;
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        let incident = app.incident(1).await;
        assert_eq!((&incident.row["severity"], incident.row["alerts_count"].as_i64()), (&"sev1".into(), Some(3 + 12 + 3 + 20 + 3)));
        plays(app, &night, start, 12_000, 50_000).await;
        assert_eq!(app.phone("ana").calls(), 1, "what came after is said in the next call");
        let said = app.phone("ana").rings_after("90s").await.press('1').await;
        assert!(said.contains("Incident 1 is acknowledged"), "{said}");
        app.incident(1).await.is_acknowledged_by("ana");
        assert_eq!(app.phone("bo").calls(), 0);
    }
);
