//! Text messages: beside the calls, settled like them, answered by a reply.

use reveille::base::time::Span;
use reveille::stage::{Callbacks, Fault, TextHabit};

use crate::app::{App, TEAM};
use crate::story;

/// Ana is written to and then rung; Bo is only written to, at Ana's number as well as nobody else's.
fn with(contacts: &str, rules: &str) -> String {
    TEAM.replace(
        r#"contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]"#,
        &format!("contacts = [{{ id = \"phone\", kind = \"voice\", to = \"+33100000001\" }}, {contacts}]\nrules = [{rules}]"),
    )
}

fn text_first() -> String {
    with(
        r#"{ id = "text", kind = "sms", to = "+33100000001" }"#,
        r#"{ urgency = "high", after = "0s", contact = "text" }, { urgency = "high", after = "2m", contact = "phone" }"#,
    )
}

/// The channel and outcome of each of Ana's attempts, oldest first.
async fn attempts(app: &App) -> Vec<(String, String)> {
    let word = |attempt: &serde_json::Value, key: &str| attempt[key].as_str().unwrap_or("none").to_owned();
    app.incident(1).await.attempts("ana").iter().map(|attempt| (word(attempt, "contact"), word(attempt, "outcome"))).collect()
}

story!(a_text_is_answered_with_1, &text_first(), |app| {
    app.fires("the disk is full").await;
    assert_eq!(app.texts("ana"), ["Reveille #1 SEV2 Public API: the disk is full. Reply 1 to acknowledge, or: resolve 1, escalate 1."]);
    let incident = app.incident(1).await;
    incident.is("triggered");
    assert_eq!((incident.times("attempt_accepted"), incident.times("message_delivered")), (1, 1));
    assert_eq!(app.writes("ana", " 1. ").await, "Incident 1 is acknowledged.");
    app.incident(1).await.is_acknowledged_by("ana");
    // Nobody is rung for what is answered.
    app.advance("10m").await;
    app.phone("ana").is_silent().await;
    assert_eq!(app.writes("ana", "ack 1").await, "Incident 1 was already acknowledged by Ana Ruiz.");
    assert_eq!(app.writes("ana", "Resolve #1!").await, "Incident 1 is resolved.");
    assert!(app.writes("ana", "what is this").await.contains("ack 42"));
    app.incident(1).await.is("resolved");
});

story!(nobody_answers_the_text_and_the_phone_rings, &text_first(), |app| {
    app.fires("the disk is full").await;
    assert_eq!(app.texts("ana").len(), 1);
    app.phone("ana").rings_after("2m").await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    assert_eq!(app.texts("ana").len(), 1);
});

story!(one_acknowledges_what_was_read_out_and_not_what_came_since, &text_first(), |app| {
    app.fires("the disk is full").await;
    app.stage.set_fault(Some(Fault::Refuse { status: 500, code: 20_500 }));
    app.shop_fires("nobody can pay").await;
    app.stage.set_fault(None);
    // The second could not be said: the answer is to the first alone.
    assert_eq!(app.writes("ana", "acknowledge all").await, "Incident 1 is acknowledged.");
    app.incident(1).await.is_acknowledged_by("ana");
    app.incident(2).await.is("triggered");
    app.command(2, "resolve").await;
    app.advance("1m").await;
    app.everyone_takes_notice();
});

story!(a_refused_text_rings_at_once, &text_first(), |app| {
    app.stage.set_fault(Some(Fault::Refuse { status: 400, code: 21_408 }));
    app.fires("the disk is full").await;
    app.stage.set_fault(None);
    app.advance("5s").await;
    app.phone("ana").rings().await.press('1').await;
    assert!(attempts(app).await.contains(&("text".to_owned(), "rejected".to_owned())));
    app.incident(1).await.is_acknowledged_by("ana");
});

/// The provider fails for texts and calls alike: the phone is tried within 15 seconds, and rings as soon as it works again.
async fn the_phone_is_tried_within_15_seconds(app: &mut App, fault: Fault) {
    let start = app.clock.now();
    app.stage.set_fault(Some(fault));
    app.fires("the disk is full").await;
    let is_tried = |tried: Vec<(String, String)>| tried.iter().any(|(contact, _)| contact == "phone");
    while !is_tried(attempts(app).await) && app.clock.now().since(start) < Span::seconds(16) {
        app.advance("1s").await;
    }
    let waited = app.clock.now().since(start);
    assert!(waited <= Span::seconds(15), "{fault:?}: the phone is tried after {waited}");
    app.stage.set_fault(None);
    app.waits_for_a_call("ana", Span::seconds(60)).await;
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.advance("10m").await;
    // Nobody is rung, or written to, after the answer.
    app.phone("ana").is_silent().await;
    assert!(app.texts("ana").len() <= 2, "{:?}", app.texts("ana"));
}

story!(a_text_that_hangs_tries_the_phone, &text_first(), |app| {
    the_phone_is_tried_within_15_seconds(app, Fault::Hang).await;
});

story!(a_text_that_is_answered_with_nonsense_tries_the_phone, &text_first(), |app| {
    the_phone_is_tried_within_15_seconds(app, Fault::Nonsense).await;
});

story!(a_text_that_is_answered_with_500_tries_the_phone, &text_first(), |app| {
    the_phone_is_tried_within_15_seconds(app, Fault::Refuse { status: 500, code: 20_500 }).await;
});

story!(a_text_that_is_answered_with_429_tries_the_phone, &text_first(), |app| {
    the_phone_is_tried_within_15_seconds(app, Fault::Refuse { status: 429, code: 20_429 }).await;
});

story!(a_text_that_does_not_arrive_rings_at_once, &text_first(), |app| {
    app.stage.set_text_habit("+33100000001", TextHabit::Undelivered);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    assert_eq!(incident.times("message_undelivered"), 1);
    incident.is_acknowledged_by("ana");
});

story!(a_text_whose_answer_never_came_is_found_by_asking, &text_first(), |app| {
    app.stage.set_callbacks(Callbacks::Off);
    app.stage.set_fault(Some(Fault::PlaceButDrop));
    app.fires("the disk is full").await;
    app.stage.set_fault(None);
    app.advance("20s").await;
    assert!(attempts(app).await.contains(&("text".to_owned(), "accepted".to_owned())));
    assert_eq!(app.texts("ana").len(), 1, "nothing was sent a second time");
    assert_eq!(app.writes("ana", "1").await, "Incident 1 is acknowledged.");
    app.everyone_takes_notice();
});

story!(a_text_that_hangs_is_sent_again_within_20_seconds, &text_first(), |app| {
    app.stage.set_fault(Some(Fault::Hang));
    app.fires("the disk is full").await;
    app.advance("11s").await;
    app.stage.set_fault(None);
    app.advance("9s").await;
    assert_eq!(app.texts("ana").len(), 1);
    let texts: Vec<_> = attempts(app).await.into_iter().filter(|(contact, _)| contact == "text").map(|(_, outcome)| outcome).collect();
    assert_eq!(texts, ["unknown", "accepted"]);
    app.command(1, "acknowledge").await;
    app.everyone_takes_notice();
});

story!(stop_closes_the_contact_and_start_opens_it, &text_first(), |app| {
    app.fires("the disk is full").await;
    assert_eq!(app.writes("ana", "Stop").await, "", "Twilio says so itself, and would refuse ours");
    let closed = app.incident(1).await.entry("contact_closed").clone();
    assert_eq!(closed["actor"], "ana");
    app.command(1, "resolve").await;
    in_force(app, true).await;

    app.shop_fires("nobody can pay").await;
    assert_eq!(app.texts("ana").len(), 1);
    assert_eq!(app.incident(2).await.times("contact_closed"), 1);
    app.phone("ana").rings_after("2m").await.press('6').await;

    assert!(app.writes("ana", "START").await.contains("on again"));
    in_force(app, false).await;
    app.advance("15m").await;
    app.fires("the disk is full again").await;
    assert_eq!(app.texts("ana").last().map(|text| text.contains("#3")), Some(true));
    app.command(3, "resolve").await;
});

/// Waits, at most the two seconds it may take, until the closing is or is no longer in force.
async fn in_force(app: &App, closed: bool) {
    let mut live = app.house().live.clone();
    let seen = live.wait_for(|live| live.setup.users[&"ana".into()].contacts.iter().any(|contact| contact.closed.is_some()) == closed);
    drop(tokio::time::timeout(std::time::Duration::from_secs(2), seen).await.expect("in force within two seconds").expect("it runs"));
}

/// Bo is written to at the same number.
fn shared() -> String {
    text_first().replace(
        r#"contacts = [{ id = "phone", kind = "voice", to = "+46100000002" }]"#,
        r#"contacts = [{ id = "phone", kind = "voice", to = "+46100000002" }, { id = "text", kind = "sms", to = "+33100000001" }]"#,
    )
}

story!(of_a_shared_number_only_what_was_paged_to_it_is_acknowledged, &shared(), |app| {
    app.fires("the disk is full").await;
    app.command(1, "resolve").await;
    app.posts(crate::app::SHOP, &serde_json::json!({"title": "a certificate ends soon", "severity": "warning"})).await;
    app.settle().await;
    // Nobody was written to about the second incident.
    assert!(app.writes("ana", "ack 2").await.contains("not paged"));
    app.incident(2).await.is("triggered");
    assert!(app.writes("ana", "ack 1").await.contains("already resolved"));
});

story!(whose_number_alone_it_is_may_answer_for_any_incident, &text_first(), |app| {
    app.fires("the disk is full").await;
    app.command(1, "resolve").await;
    app.posts(crate::app::SHOP, &serde_json::json!({"title": "a certificate ends soon", "severity": "warning"})).await;
    app.settle().await;
    assert_eq!(app.writes("ana", "ACK 2").await, "Incident 2 is acknowledged.");
    app.incident(2).await.is_acknowledged_by("ana");
    assert!(app.writes("ana", "ack 99").await.contains("99"));
});

story!(a_stranger_and_a_wrong_signature_get_nothing, &text_first(), |app| {
    app.fires("the disk is full").await;
    app.stage.text("+4900000000", "+15005550006", "ack 1").await;
    let forged = app.http.post(format!("{}/callbacks/sms", app.url)).body("From=%2B33100000001&MessageSid=SM1&Body=1");
    assert_eq!(forged.header("x-twilio-signature", "AAAA").send().await.expect("an answer").status(), 401);
    app.incident(1).await.is("triggered");
    app.command(1, "acknowledge").await;
});

story!(a_text_speaks_the_persons_language, &text_first().replace("name = \"Ana Ruiz\"", "name = \"Ana Ruiz\"\nlanguage = \"fr\""), |app| {
    app.fires("le disque est plein").await;
    assert!(app.texts("ana")[0].contains("Répondez 1 pour prendre en charge"), "{:?}", app.texts("ana"));
    assert_eq!(app.writes("ana", "1").await, "L'incident 1 est pris en charge.");
    app.incident(1).await.is_acknowledged_by("ana");
});

/// Three steps, so that one escalation too many would wake Bo or Cy.
fn three_steps() -> String {
    text_first()
        .replace("{ notify = [\"everyone\"] }", "{ notify = [\"user:cy\"], escalate_after = \"5m\" },\n  { notify = [\"everyone\"] }")
}

story!(a_text_that_is_told_twice_escalates_once, &three_steps(), |app| {
    app.fires("the disk is full").await;
    app.stage.set_callbacks(Callbacks::Twice);
    assert_eq!(app.writes("ana", "escalate 1").await, "Incident 1 is escalated. The next person is being called.");
    app.stage.set_callbacks(Callbacks::On);
    assert_eq!(app.incident(1).await.times("incident_escalated"), 1);
    app.phone("bo").rings().await.press('1').await;
    app.phone("cy").is_silent().await;
    app.incident(1).await.is_acknowledged_by("bo");
});

story!(a_key_that_is_told_twice_escalates_once, &three_steps(), |app| {
    app.fires("the disk is full").await;
    app.stage.set_callbacks(Callbacks::Twice);
    app.phone("ana").rings_after("2m").await.press('2').await;
    app.stage.set_callbacks(Callbacks::On);
    assert_eq!(app.incident(1).await.times("incident_escalated"), 1);
    app.phone("bo").rings().await.press('1').await;
    app.phone("cy").is_silent().await;
});

story!(a_text_that_may_not_have_arrived_is_not_what_a_bare_reply_is_about, &text_first(), |app| {
    app.fires("the disk is full").await;
    app.stage.set_fault(Some(Fault::Hang));
    app.shop_fires("nobody can pay").await;
    app.advance("11s").await;
    app.stage.set_fault(None);
    assert_eq!(app.writes("ana", "1").await, "Incident 1 is acknowledged.");
    app.incident(1).await.is_acknowledged_by("ana");
    app.incident(2).await.is("triggered");
    app.command(2, "resolve").await;
    app.advance("1m").await;
    app.everyone_takes_notice();
});

story!(a_reply_that_crosses_the_next_text_is_asked_which_it_means, &text_first(), |app| {
    app.fires("the disk is full").await;
    app.advance("20s").await;
    app.shop_fires("nobody can pay").await;
    let asked = app.writes("ana", "1").await;
    assert!(asked.contains("ack 1") && asked.contains('2'), "{asked}");
    app.incident(1).await.is("triggered");
    app.incident(2).await.is("triggered");
    assert_eq!(app.writes("ana", "ack 1").await, "Incident 1 is acknowledged.");
    // Now it can mean but one.
    assert_eq!(app.writes("ana", "1").await, "Incident 2 is acknowledged.");
    app.incident(2).await.is_acknowledged_by("ana");
});
