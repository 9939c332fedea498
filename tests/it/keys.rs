//! What people do about it: the keys of the phone, the buttons of the page, the API.

use crate::app::{GENERIC, TEAM};
use crate::story;
use serde_json::json;

story!(key_two_calls_the_next_person_now, |app| {
    app.fires("the disk is full").await;
    let said = app.phone("ana").rings().await.press('2').await;
    assert!(said.contains("Incident 1") && said.contains("escalated"), "{said}");
    app.phone("bo").rings().await.press('1').await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("bo");
    assert_eq!(incident.entry("incident_escalated")["actor"], "ana");
    app.advance("20m").await;
});

story!(key_three_tells_more_and_asks_again, |app| {
    app.fires("the disk is full").await;
    app.fires("the queue is long").await;
    let ana = app.phone("ana").rings().await.answer().await;
    let said = ana.press('3').await;
    assert!(said.contains("the disk is full") && said.contains("the queue is long"), "{said}");
    app.incident(1).await.is("triggered");
    ana.press('1').await;
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(key_six_resolves, |app| {
    app.fires("the disk is full").await;
    let said = app.phone("ana").rings().await.press('6').await;
    assert!(said.contains("Incident 1 is resolved"), "{said}");
    let incident = app.incident(1).await;
    incident.is("resolved");
    assert_eq!(incident.entry("incident_resolved")["actor"], "ana");
    assert_eq!(incident.alerts[0]["state"], "resolved");
    app.advance("30m").await;
});

story!(key_nine_is_an_answer_and_is_noted, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('9').await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("ana");
    assert_eq!(incident.entry("page_unhelpful")["actor"], "ana");
    app.advance("20m").await;
});

story!(an_unknown_key_does_nothing_and_offers_the_others, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.answer().await;
    let said = ana.press('7').await;
    assert!(said.contains("7 does nothing here"), "{said}");
    app.incident(1).await.is("triggered");
    let said = ana.goes_on().press('1').await;
    assert!(said.contains("Incident 1 is acknowledged"), "{said}");
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(a_key_after_somebody_elses_answer_says_so, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore();
    let bo = app.phone("bo").rings_after("3m").await.answer().await;
    // Bo is on the line when Ana takes it on the web; the call that nobody wants is ended, unless the key comes first.
    app.stage.set_fault(Some(reveille::stage::Fault::Refuse { status: 503, code: 20_503 }));
    app.acts_as("ana").await;
    let (status, _) = app.asks(reqwest::Method::POST, "/api/v1/incidents/1/acknowledge", Some(&app.token.clone())).await;
    assert_eq!(status, 200);
    let said = bo.press('1').await;
    assert!(said.contains("already acknowledged by Ana Ruiz"), "{said}");
    app.stage.set_fault(None);
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(acknowledged_by_a_script, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    app.command(1, "acknowledge").await;
    ana.has_ended();
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("token:story");
    assert_eq!(incident.pages[0]["state"], "ended");
    // Asking twice is no error and does nothing more.
    app.command(1, "acknowledge").await;
    assert_eq!(app.incident(1).await.times("incident_acknowledged"), 1);
    app.advance("25m").await;
    let row = app.command(1, "resolve").await;
    assert_eq!(row["state"], "resolved");
    let row = app.command(1, "reopen").await;
    assert_eq!(row["state"], "triggered");
    app.phone("ana").rings().await.press('1').await;
});

story!(acknowledged_with_the_button_of_the_page, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    let browser = app.browser("ana").await;
    let page = browser.get("/incidents/1").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("the disk is full") && page.text.contains("Ana Ruiz"), "{}", page.text);
    // A form without its token, or with another browser's, does nothing.
    let refused = browser.post("/incidents/1/acknowledge", "csrf=guessed").await;
    assert_eq!(refused.status, 403);
    app.incident(1).await.is("triggered");
    let done = browser.post("/incidents/1/acknowledge", &format!("csrf={}", page.csrf())).await;
    assert_eq!((done.status, done.location.as_deref()), (303, Some("/incidents/1")));
    app.settle().await;
    ana.has_ended();
    app.incident(1).await.is_acknowledged_by("ana");
    let page = browser.get("/incidents/1").await;
    assert!(page.text.contains("acknowledged"), "{}", page.text);
    app.advance("20m").await;
});

story!(
    /// Sev3: the first step is told, nothing escalates, and voice is not used.
    low_urgency_wakes_nobody,
    |app| {
        app.posts(GENERIC, &json!({"title": "a certificate ends soon", "severity": "warning"})).await;
        app.settle().await;
        let incident = app.incident(1).await;
        incident.is("triggered");
        assert_eq!(incident.row["severity"], "sev3");
        app.advance("23h").await;
        assert_eq!(app.stage.calls().len(), 0);
        // What makes it worse starts the policy.
        app.posts(GENERIC, &json!({"title": "a certificate ends soon", "severity": "critical"})).await;
        let said = app.phone("ana").rings().await.press('1').await;
        assert!(said.contains("acknowledged"), "{said}");
        assert_eq!(app.incident(1).await.row["severity"], "sev1");
    }
);

/// The first step names nobody who can be called.
const EMPTY: &str = r#"
[[schedule]]
id = "later"
timezone = "Europe/Paris"
rotations = [{ members = ["cy"], every = "1w", handoff = "Mon 09:00", start = "2030-01-07" }]
"#;

fn with_an_empty_step() -> String {
    TEAM.replace(
        r#"{ notify = ["schedule:platform"], escalate_after = "5m" },"#,
        r#"{ notify = ["schedule:later"], escalate_after = "5m" },"#,
    ) + EMPTY
}

story!(an_empty_step_is_skipped_at_once_and_said_so, &with_an_empty_step(), |app| {
    app.fires("the disk is full").await;
    app.phone("bo").rings().await.press('1').await;
    assert_eq!(app.incident(1).await.times("step_skipped"), 1);
});
