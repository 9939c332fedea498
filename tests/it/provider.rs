//! The provider hangs, refuses and lies: the page falls forward, and nobody is called twice for nothing.

use std::time::Duration;

use reveille::base::limits;
use reveille::base::time::Span;
use reveille::stage::{Callbacks, Fault};
use reveille::store::WriteLane;

use crate::app::{App, TEAM, told};
use crate::story;

/// Ana has two phones; the second is rung a minute after the first.
fn two_phones() -> String {
    TEAM.replace(
        r#"contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]"#,
        r#"contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }, { id = "home", kind = "voice", to = "+33100000009" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }, { urgency = "high", after = "1m", contact = "home" }]"#,
    )
}

/// The outcomes of Ana's attempts, oldest first.
async fn outcomes(app: &App) -> Vec<String> {
    app.incident(1).await.attempts("ana").iter().map(|attempt| attempt["outcome"].as_str().unwrap_or("none").to_owned()).collect()
}

story!(a_request_that_hangs_is_unknown_asked_about_and_sent_again, |app| {
    let start = app.clock.now();
    app.stage.set_fault(Some(Fault::Hang));
    app.fires("the disk is full").await;
    app.advance("11s").await;
    assert_eq!(outcomes(app).await, ["unknown"]);
    app.stage.set_fault(None);
    app.waits_for_a_call("ana", Span::seconds(20)).await;
    let waited = app.clock.now().since(start);
    assert!(waited <= Span::seconds(20), "sent again after {waited}");
    app.phone("ana").rings().await.press('1').await;
    // Nothing was placed by the first; what was sent again is no more than what was unknown.
    assert_eq!(app.stage.calls().len(), 1);
    assert_eq!(outcomes(app).await, ["unknown", "accepted"]);
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(a_provider_that_hangs_for_minutes_is_asked_again_and_again, |app| {
    app.stage.set_fault(Some(Fault::Hang));
    app.fires("the disk is full").await;
    app.advance("4m").await;
    assert!(app.stage.calls().is_empty());
    app.stage.set_fault(None);
    // Bo's step is next, at five minutes to the second, whatever became of Ana's call.
    let start = app.clock.now();
    app.waits_for_a_call("ana", Span::seconds(30)).await;
    app.phone("ana").rings().await.ignore();
    let left = Span::seconds(60 - app.clock.now().since(start).as_seconds());
    app.phone("bo").rings_after(&format!("{}s", left.as_seconds())).await.press('1').await;
    app.incident(1).await.is_acknowledged_by("bo");
    let unknown = outcomes(app).await.iter().filter(|outcome| *outcome == "unknown").count();
    assert!(app.phone("ana").calls() <= 1 + unknown);
    app.advance("5m").await;
});

story!(a_call_whose_answer_never_came_is_found_by_asking, |app| {
    app.stage.set_fault(Some(Fault::PlaceButHang));
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    app.advance("20s").await;
    app.stage.set_fault(None);
    assert_eq!(outcomes(app).await, ["accepted"]);
    assert_eq!(app.incident(1).await.attempts("ana")[0]["provider_id"], ana.sid);
    app.advance("70s").await;
    assert_eq!(app.stage.calls().len(), 1, "nothing was placed a second time");
    app.phone("ana").rings_after("30s").await.press('1').await;
});

story!(a_call_whose_connection_broke_is_found_by_asking, |app| {
    app.stage.set_callbacks(Callbacks::Off);
    app.stage.set_fault(Some(Fault::PlaceButDrop));
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    app.advance("20s").await;
    app.stage.set_fault(None);
    assert_eq!(outcomes(app).await, ["accepted"]);
    assert_eq!(app.incident(1).await.attempts("ana")[0]["provider_id"], ana.sid);
    app.advance("70s").await;
    assert_eq!(app.stage.calls().len(), 1, "nothing was placed a second time");
    app.resolves("the disk is full").await;
});

async fn next_contact_is_tried(app: &mut App, fault: Fault) {
    let start = app.clock.now();
    app.stage.set_fault(Some(fault));
    app.fires("the disk is full").await;
    for _ in 0..15 {
        if app.stage.requests() > 1 && app.incident(1).await.attempts("ana").len() > 1 {
            break;
        }
        app.advance("1s").await;
    }
    let waited = app.clock.now().since(start);
    assert!(waited <= Span::seconds(15), "the next contact was tried after {waited}");
    let incident = app.incident(1).await;
    let attempts = incident.attempts("ana");
    let contacts: Vec<&str> = attempts.iter().filter_map(|attempt| attempt["contact"].as_str()).collect();
    assert_eq!(contacts[..2], ["phone", "home"], "{attempts:?}");
    app.stage.set_fault(None);
    app.advance("1m").await;
    app.command(1, "acknowledge").await;
    app.everyone_takes_notice();
    app.advance("10m").await;
}

story!(a_500_moves_on_to_the_next_contact, &two_phones(), |app| {
    next_contact_is_tried(app, Fault::Refuse { status: 500, code: 20_500 }).await;
});

story!(a_429_moves_on_to_the_next_contact, &two_phones(), |app| {
    next_contact_is_tried(app, Fault::Refuse { status: 429, code: 20_429 }).await;
});

story!(a_400_moves_on_to_the_next_contact, &two_phones(), |app| {
    next_contact_is_tried(app, Fault::Refuse { status: 400, code: 21_211 }).await;
});

story!(nonsense_moves_on_to_the_next_contact, &two_phones(), |app| {
    next_contact_is_tried(app, Fault::Nonsense).await;
});

story!(a_lie_moves_on_to_the_next_contact, &two_phones(), |app| {
    next_contact_is_tried(app, Fault::AcceptAndDoNothing).await;
});

story!(hanging_moves_on_to_the_next_contact, &two_phones(), |app| {
    next_contact_is_tried(app, Fault::Hang).await;
});

story!(a_refusal_with_one_phone_is_tried_again, |app| {
    app.stage.set_fault(Some(Fault::Refuse { status: 429, code: 20_429 }));
    app.fires("the disk is full").await;
    let incident = app.incident(1).await;
    assert_eq!(incident.attempts("ana")[0]["outcome"], "rejected");
    assert_eq!(incident.times("page_failed"), 1);
    app.advance("3s").await;
    app.stage.set_fault(None);
    app.waits_for_a_call("ana", Span::seconds(60)).await;
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(without_callbacks_the_chain_goes_on, |app| {
    let start = app.clock.now();
    app.stage.set_callbacks(Callbacks::Off);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.advance("2m").await;
    // How the first call ended is asked for, which may take some seconds.
    app.waits_for_a_call("ana", Span::seconds(15)).await;
    app.phone("ana").rings().await.ignore();
    let left = 300 - app.clock.now().since(start).as_seconds();
    app.phone("bo").rings_after(&format!("{left}s")).await.press('1').await;
    app.incident(1).await.is_acknowledged_by("bo");
    app.advance("15m").await;
});

story!(callbacks_that_come_twice_count_once, |app| {
    app.stage.set_callbacks(Callbacks::Twice);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.answer().await.press('1').await;
    app.settle().await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("ana");
    assert_eq!((incident.times("phone_rang"), incident.times("phone_picked_up")), (2, 1));
    app.advance("10m").await;
    assert_eq!(app.stage.calls().len(), 2);
});

story!(callbacks_that_come_late_place_nothing_twice, |app| {
    app.stage.set_callbacks(Callbacks::Late { by: Span::seconds(40) });
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.advance("10m").await;
    assert_eq!(app.stage.calls().len(), 2);
});

story!(stopped_in_mid_send_and_the_call_had_been_placed, |app| {
    app.stage.set_callbacks(Callbacks::Off);
    app.stage.set_fault(Some(Fault::PlaceButHang));
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    app.goes_down().await;
    app.stage.set_fault(None);
    app.comes_back().await;
    // What became of the request nobody knows; asking finds the call.
    app.advance("20s").await;
    assert_eq!(outcomes(app).await, ["accepted"]);
    assert_eq!(app.incident(1).await.attempts("ana")[0]["provider_id"], ana.sid);
    app.advance("70s").await;
    assert_eq!(app.stage.calls().len(), 1, "nothing was placed a second time");
    app.resolves("the disk is full").await;
});

story!(stopped_in_mid_send_and_nothing_had_been_placed, |app| {
    app.stage.set_fault(Some(Fault::Hang));
    app.fires("the disk is full").await;
    app.goes_down().await;
    app.stage.set_fault(None);
    app.comes_back().await;
    app.waits_for_a_call("ana", Span::seconds(20)).await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(outcomes(app).await, ["unknown", "accepted"]);
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(acknowledged_while_the_request_hangs, |app| {
    app.stage.set_callbacks(Callbacks::Off);
    app.stage.set_fault(Some(Fault::PlaceButHang));
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    app.command(1, "acknowledge").await;
    ana.goes_on();
    // Nobody knows its id yet; it is ended as soon as it is found.
    app.advance("16s").await;
    ana.has_ended();
    assert_eq!(app.incident(1).await.attempts("ana").len(), 1);
    app.stage.set_fault(None);
    app.advance("20m").await;
    assert_eq!(app.stage.calls().len(), 1);
});

/// Everyone at once, on an account of one call a second.
fn one_call_a_second() -> String {
    TEAM.replace("calls_per_second = 1000", "calls_per_second = 1").replace(r#"notify = ["schedule:platform"]"#, r#"notify = ["everyone"]"#)
}

story!(calls_leave_at_the_accounts_pace_and_not_after_an_answer, &one_call_a_second(), |app| {
    app.fires("the disk is full").await;
    app.advance("1s").await;
    let placed = app.stage.calls();
    assert_eq!(placed.len(), 2, "{}", told(&placed));
    let first = placed[0].sid.clone();
    app.stage.answer(&first).await.expect("it rings");
    app.stage.press(&first, '1').await.expect("it listens");
    app.advance("29m").await;
    app.everyone_takes_notice();
    let calls = app.stage.calls();
    assert_eq!(calls.len(), 2, "the third was still to leave: {}", told(&calls));
    assert!(calls[1].status.is_final());
    let incident = app.incident(1).await;
    incident.is("acknowledged");
    assert_eq!(incident.times("attempt_withdrawn"), 1);
});

/// Everyone at once, on an account that carries one call at a time.
fn one_call_at_a_time() -> String {
    let pace = "calls_per_second = 1000";
    TEAM.replace(pace, &format!("{pace}\nconcurrent_calls = 1")).replace(r#"notify = ["schedule:platform"]"#, r#"notify = ["everyone"]"#)
}

story!(an_account_that_carries_one_call_gets_one_at_a_time, &one_call_at_a_time(), |app| {
    app.fires("the disk is full").await;
    for placed in 1..=3 {
        app.advance("2s").await;
        let calls = app.stage.calls();
        assert_eq!(calls.len(), placed, "{}", told(&calls));
        app.stage.decline(&calls[placed - 1].sid).await.expect("it rings");
        app.settle().await;
    }
    app.everyone_takes_notice();
});

story!(the_lease_of_a_send_that_waits_for_the_writer_is_renewed_beside_it, |app| {
    app.stage.set_fault(Some(Fault::Hang));
    app.fires("the disk is full").await;
    // Somebody writes for so long that the outcome waits, and then the lease's next renewal behind it.
    let writer = app.house().store.begin(WriteLane::Page).await.expect("a transaction");
    app.clock.advance_to(app.clock.now() + limits::PROVIDER_ANSWER);
    tokio::time::sleep(limits::LEASE_RENEW.as_duration() + Duration::from_millis(500)).await;
    writer.rollback().await.expect("the writer is free");
    app.stage.set_fault(None);
    app.waits_for_a_call("ana", Span::seconds(20)).await;
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(a_call_whose_order_is_gone_is_found_by_the_audit_and_placed_anew, |app| {
    // The provider's account is full, so the order waits in the outbox; then it is gone, as no code of ours makes it go.
    app.stage.set_fault(Some(Fault::Refuse { status: 429, code: 20429 }));
    app.fires("the disk is full").await;
    app.stage.set_fault(None);
    app.sql("UPDATE attempts SET open = 1, state = 'waiting', sent_at = NULL, outcome = NULL").await;
    app.sql("DELETE FROM outbox").await;
    app.advance("2m").await;
    let found = reveille::flows::audit::audit(app.house()).await.expect("the audit is made");
    assert!(found >= 1, "the lost call is found");
    app.waits_for_a_call("ana", Span::seconds(70)).await;
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
});
