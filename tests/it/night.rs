//! Nights: who is woken, when, and what stops it.

use crate::app::{GENERIC, SHOP, kinds};
use crate::story;
use serde_json::json;

story!(
    /// The thinnest whole path, and each step of it seen live.
    nobody_answers_and_the_next_person_presses_one,
    |app| {
        app.fires("the disk is full").await;
        app.phone("ana").rings().await.ignore();
        let mut live = app.stream(1, 0).await;
        let past = live.until("phone_rang").await;
        let begun = ["incident_opened", "policy_started", "step_started", "page_opened", "attempt_placed"];
        assert_eq!(kinds(&past)[..5], begun, "what happened before the stream was opened");

        // Phones let a second call within three minutes through "do not disturb".
        app.phone("ana").rings_after("2m").await.ignore();
        let seen = live.until("phone_rang").await;
        assert!(kinds(&seen).ends_with(&["attempt_placed", "attempt_accepted", "phone_rang"]), "{:?}", kinds(&seen));
        assert_eq!(kinds(&seen)[0], "call_ended");

        let bo = app.phone("bo").rings_after("3m").await;
        let seen = live.until("phone_rang").await;
        assert!(kinds(&seen).contains(&"step_started") && kinds(&seen).contains(&"page_opened"), "{:?}", kinds(&seen));
        let last_seen = seen.last().expect("entries")["seq"].as_i64().expect("a number");

        let bo = bo.answer().await;
        live.until("phone_picked_up").await;
        let said = bo.press('1').await;
        assert!(said.contains("Incident 1 is acknowledged"), "{said}");
        let seen = live.until("page_ended").await;
        assert!(kinds(&seen).starts_with(&["incident_acknowledged"]), "{:?}", kinds(&seen));

        // A reader that comes back is told what it missed and nothing twice.
        let missed = app.stream(1, last_seen).await.until("page_ended").await;
        assert_eq!(missed[1..], seen);

        app.incident(1).await.is_acknowledged_by("bo");
        app.advance("20m").await;
        app.phone("ana").is_silent().await;
    }
);

story!(voicemail_is_no_answer, |app| {
    app.fires("the disk is full").await;
    let machine = app.phone("ana").rings().await.voicemail().await;
    app.phone("ana").rings_after("2m").await.voicemail().await;
    assert!(machine.has_ended().said().contains("the disk is full"));
    let incident = app.incident(1).await;
    incident.is("triggered");
    assert_eq!(incident.times("phone_picked_up"), 2);
    app.phone("bo").rings_after("3m").await.press('1').await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("bo");
    // It was Bo who answered; Ana's page only ended.
    for (person, state) in [("ana", "ended"), ("bo", "acknowledged")] {
        let page = incident.pages.iter().find(|page| page["user"] == person).expect("a page");
        assert_eq!(page["state"], state, "{page}");
    }
});

story!(picking_up_without_a_key_is_no_answer, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.answer().await;
    app.advance("1m").await;
    assert!(ana.has_ended().said().ends_with("No key was pressed. Goodbye."), "{}", ana.said());
    app.phone("ana").rings_after("1m").await.decline().await;
    app.phone("bo").rings_after("3m").await.press('1').await;
    app.incident(1).await.is_acknowledged_by("bo");
});

story!(the_sender_resolves_and_the_ringing_stops, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.ignore();
    app.advance("10s").await;
    app.resolves("the disk is full").await;
    ana.has_ended();
    let incident = app.incident(1).await;
    incident.is("resolved");
    assert_eq!(incident.entry("incident_resolved")["actor"], "api-scripts");
    assert_eq!(incident.pages[0]["state"], "ended");
    app.advance("30m").await;
});

story!(the_sender_resolves_and_a_picked_up_call_ends_too, |app| {
    app.fires("the disk is full").await;
    let ana = app.phone("ana").rings().await.answer().await;
    app.resolves("the disk is full").await;
    ana.has_ended();
    app.advance("30m").await;
});

story!(nobody_at_all_answers, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.ignore();
    app.phone("bo").rings_after("2m").await.ignore();
    // The last step: everyone.
    app.phone("ana").rings_after("3m").await.ignore();
    for person in ["bo", "cy"] {
        app.phone(person).rings().await.ignore();
    }
    app.phone("ana").rings_after("2m").await.ignore();
    for person in ["bo", "cy"] {
        app.phone(person).rings().await.ignore();
    }
    // Exhausted: recorded, and everyone again, every fifteen minutes to the second.
    for round in 1..=2 {
        let wait = if round == 1 { "3m" } else { "13m" };
        app.phone("ana").rings_after(wait).await.ignore();
        let incident = app.incident(1).await;
        assert_eq!((incident.times("policy_exhausted"), incident.times("paged_wider")), (1, round));
        for person in ["bo", "cy"] {
            app.phone(person).rings().await.ignore();
        }
        app.phone("ana").rings_after("2m").await.ignore();
        for person in ["bo", "cy"] {
            app.phone(person).rings().await.ignore();
        }
    }
    let ana = app.phone("ana").rings_after("13m").await.ignore();
    let bo = app.phone("bo").rings().await.ignore();
    app.phone("cy").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("cy");
    ana.has_ended();
    bo.has_ended();
    app.advance("25m").await;
});

story!(it_fires_again_within_ten_minutes, |app| {
    let body = json!({"dedup_key": "disk", "title": "the disk is full"});
    let first = app.hears(SHOP, &body).await;
    app.phone("ana").rings().await.press('6').await;
    app.incident(1).await.is("resolved");
    // For two minutes after a person's resolve it is only counted.
    app.advance("119s").await;
    let quiet = app.hears(SHOP, &body).await;
    assert_eq!((quiet.outcome.as_str(), &quiet.alert), ("repeated", &first.alert));
    app.incident(1).await.is("resolved");
    app.advance("2m").await;
    let again = app.hears(SHOP, &body).await;
    assert_eq!((again.outcome.as_str(), &again.alert, again.incident), ("reopened", &first.alert, Some(1)));
    app.phone("ana").rings().await.press('1').await;
    let incident = app.incident(1).await;
    incident.is("acknowledged");
    assert_eq!(incident.alerts.len(), 1);
    assert_eq!(incident.alerts[0]["count"], 3);
    let reopened = incident.entry("incident_reopened");
    assert!(reopened["reason"].as_str().expect("a reason").contains("still fires"), "{reopened}");
});

story!(it_fires_again_after_its_sender_resolved_it, |app| {
    let first = app.hears(SHOP, &json!({"dedup_key": "disk", "title": "the disk is full"})).await;
    app.phone("ana").rings().await.ignore();
    let over = app.hears(SHOP, &json!({"dedup_key": "disk", "state": "resolved"})).await;
    assert_eq!((over.outcome.as_str(), &over.alert), ("resolved", &first.alert));
    app.advance("9m").await;
    let again = app.hears(SHOP, &json!({"dedup_key": "disk", "title": "the disk is full"})).await;
    assert_eq!((again.outcome.as_str(), &again.alert, again.incident), ("reopened", &first.alert, Some(1)));
    app.phone("ana").rings().await.press('1').await;
    app.hears(SHOP, &json!({"dedup_key": "disk", "state": "resolved"})).await;
    // Past ten minutes it is another alert and another incident.
    app.advance("10m1s").await;
    let later = app.hears(SHOP, &json!({"dedup_key": "disk", "title": "the disk is full"})).await;
    assert_eq!((later.outcome.as_str(), later.incident), ("opened", Some(2)));
    assert_ne!(later.alert, first.alert);
    app.phone("ana").rings().await.press('1').await;
});

story!(an_acknowledgement_lapses, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.phone("ana").rings_after("30m").await.ignore();
    let incident = app.incident(1).await;
    incident.is("triggered");
    assert_eq!(incident.times("acknowledgement_lapsed"), 1);
    app.command(1, "resolve").await;
});

story!(two_services_at_once_and_one_call_for_both, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.advance("30s").await;
    // She was called a moment ago: the repeat says this too.
    app.shop_fires("nobody can pay").await;
    app.phone("ana").is_silent().await;
    let ana = app.phone("ana").rings_after("90s").await.answer().await;
    app.advance("20s").await;
    let said = ana.said();
    assert!(said.contains("the disk is full") && said.contains("nobody can pay"), "{said}");
    let done = ana.press('1').await;
    assert!(done.contains("1 and 2 are acknowledged") || done.contains("2 and 1 are acknowledged"), "{done}");
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.incident(2).await.is_acknowledged_by("ana");
    app.advance("15m").await;
});

story!(two_services_in_the_same_second, |app| {
    let both = [json!({"title": "the disk is full"}), json!({"title": "nobody can pay"})];
    let (api, shop) = tokio::join!(app.posts(GENERIC, &both[0]), app.posts(SHOP, &both[1]));
    assert!(api["results"].is_array() && shop["results"].is_array());
    app.phone("ana").rings().await.ignore();
    app.phone("ana").is_silent().await;
    let said = app.phone("ana").rings_after("2m").await.press('1').await;
    assert!(said.contains("are acknowledged"), "{said}");
    app.incident(1).await.is_acknowledged_by("ana");
    app.incident(2).await.is_acknowledged_by("ana");
});

story!(a_new_chain_waits_three_minutes_and_says_what_came_meanwhile, |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("1m").await;
    app.shop_fires("nobody can pay").await;
    let held = app.incident(2).await;
    assert_eq!(held.times("call_held"), 1);
    let said = app.phone("ana").rings_after("2m").await.press('1').await;
    assert!(said.contains("Incident 2 is acknowledged"), "{said}");
    assert_eq!(app.phone("ana").calls(), 2);
});
