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
