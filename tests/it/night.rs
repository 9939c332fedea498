//! Nights: who is woken, when, and what stops it.

use crate::app::{App, GENERIC, PHONES, SHOP, TEAM, kinds};
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

/// Three steps, the last of them everyone, and one further round.
fn with_a_second_round() -> String {
    TEAM.replace("id = \"platform\"\nsteps", "id = \"platform\"\nrepeat = 1\nsteps")
}

/// What `reveille why` prints, in UTC.
pub(crate) async fn why(app: &App, about: &str) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_reveille"));
    command.args(["why", about]).env("REVEILLE_URL", &app.url).env("REVEILLE_TOKEN", &app.token).env("TZ", "UTC");
    let printed = command.output().await.expect("the command runs");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    String::from_utf8(printed.stdout).expect("text")
}

/// The lines of `why` that tell who is paged, when and why; how each single call went is left out.
fn decisions(printed: &str) -> Vec<String> {
    let of_a_call = ["The provider took", "The phone of", "did not pick up", "The call to"];
    let mut told = Vec::new();
    for line in printed.lines() {
        if let Some(because) = line.strip_prefix("            because ") {
            if let Some(last) = told.last_mut() {
                *last = format!("{last} <- {because}");
            }
        } else if !of_a_call.iter().any(|part| line.contains(part)) {
            told.push(line.trim().to_owned());
        }
    }
    // Who is called in one second is called in any order.
    for calls in told.chunk_by_mut(|a, b| a.contains("  Calling ") && a.get(..18) == b.get(..18)) {
        calls.sort();
    }
    told
}

/// What is decided in that night, line by line: the time, what, and why.
const EXPECTED: &str = "
Waiting for Ana Ruiz, Bo Lind and Cy Young; no step is left, and nobody has acknowledged; everyone is paged again at 03:00:00 UTC
Wed 2026-01-07 UTC
02:00:00  Opened at sev2 for Public API: the disk is full
02:00:00  Paging starts by the policy platform: 3 steps, 2 rounds, high urgency <- the incident opened
02:00:00  Step 1: Ana Ruiz (next step at 02:05:00) <- the policy's step began
02:00:00  Paging Ana Ruiz (high urgency)
02:00:00  Calling Ana Ruiz <- the person's own rule was due
02:02:00  Calling Ana Ruiz <- no key was pressed in the first call, and phones let a second one through
02:05:00  Step 2: Bo Lind (next step at 02:10:00) <- nobody answered in time
02:05:00  Paging Bo Lind (high urgency)
02:05:00  Calling Bo Lind <- the person's own rule was due
02:07:00  Calling Bo Lind <- no key was pressed in the first call, and phones let a second one through
02:10:00  Step 3: Ana Ruiz, Bo Lind and Cy Young (next step at 02:15:00) <- nobody answered in time
02:10:00  Paging Ana Ruiz again from the first rule (high urgency)
02:10:00  Paging Bo Lind again from the first rule (high urgency)
02:10:00  Paging Cy Young (high urgency)
02:10:00  Calling Ana Ruiz <- the person's own rule was due
02:10:00  Calling Bo Lind <- the person's own rule was due
02:10:00  Calling Cy Young <- the person's own rule was due
02:12:00  Calling Ana Ruiz <- no key was pressed in the first call, and phones let a second one through
02:12:00  Calling Bo Lind <- no key was pressed in the first call, and phones let a second one through
02:12:00  Calling Cy Young <- no key was pressed in the first call, and phones let a second one through
02:15:00  Round 2, step 1: Ana Ruiz (next step at 02:20:00) <- nobody answered in time
02:15:00  Paging Ana Ruiz again from the first rule (high urgency)
02:15:00  Calling Ana Ruiz <- the person's own rule was due
02:17:00  Calling Ana Ruiz <- no key was pressed in the first call, and phones let a second one through
02:20:00  Round 2, step 2: Bo Lind (next step at 02:25:00) <- nobody answered in time
02:20:00  Paging Bo Lind again from the first rule (high urgency)
02:20:00  Calling Bo Lind <- the person's own rule was due
02:22:00  Calling Bo Lind <- no key was pressed in the first call, and phones let a second one through
02:25:00  Round 2, step 3: Ana Ruiz, Bo Lind and Cy Young (next step at 02:30:00) <- nobody answered in time
02:25:00  Paging Ana Ruiz again from the first rule (high urgency)
02:25:00  Paging Bo Lind again from the first rule (high urgency)
02:25:00  Paging Cy Young again from the first rule (high urgency)
02:25:00  Calling Ana Ruiz <- the person's own rule was due
02:25:00  Calling Bo Lind <- the person's own rule was due
02:25:00  Calling Cy Young <- the person's own rule was due
02:27:00  Calling Ana Ruiz <- no key was pressed in the first call, and phones let a second one through
02:27:00  Calling Bo Lind <- no key was pressed in the first call, and phones let a second one through
02:27:00  Calling Cy Young <- no key was pressed in the first call, and phones let a second one through
02:30:00  No step of the policy is left, and nobody has acknowledged
02:30:00  Paging everyone: Ana Ruiz, Bo Lind and Cy Young (again at 02:45:00)
02:30:00  Paging Ana Ruiz again from the first rule (high urgency)
02:30:00  Paging Bo Lind again from the first rule (high urgency)
02:30:00  Paging Cy Young again from the first rule (high urgency)
02:30:00  Calling Ana Ruiz <- the person's own rule was due
02:30:00  Calling Bo Lind <- the person's own rule was due
02:30:00  Calling Cy Young <- the person's own rule was due
02:32:00  Calling Ana Ruiz <- no key was pressed in the first call, and phones let a second one through
02:32:00  Calling Bo Lind <- no key was pressed in the first call, and phones let a second one through
02:32:00  Calling Cy Young <- no key was pressed in the first call, and phones let a second one through
02:45:00  Paging everyone: Ana Ruiz, Bo Lind and Cy Young (again at 03:00:00)
02:45:00  Paging Ana Ruiz again from the first rule (high urgency)
02:45:00  Paging Bo Lind again from the first rule (high urgency)
02:45:00  Paging Cy Young again from the first rule (high urgency)
02:45:00  Calling Ana Ruiz <- the person's own rule was due
02:45:00  Calling Bo Lind <- the person's own rule was due
02:45:00  Calling Cy Young <- the person's own rule was due
";

story!(nobody_answers_and_why_prints_each_step_to_the_second_with_its_reason, &with_a_second_round(), |app| {
    let start = app.clock.now();
    app.fires("the disk is full").await;
    app.advance("45m30s").await;
    app.everyone_takes_notice();
    let rang = |person: &str| -> Vec<i64> {
        let number = PHONES.iter().find(|(name, _)| *name == person).expect("a person").1;
        let calls = app.stage.calls().into_iter().filter(|call| call.to == number);
        calls.map(|call| call.created_at.since(start).as_seconds()).collect()
    };
    // Each call and its one repeat: the first step, the third, and so again in the second round; then everyone, and everyone again.
    assert_eq!(rang("ana"), [0, 120, 600, 720, 900, 1_020, 1_500, 1_620, 1_800, 1_920, 2_700]);
    assert_eq!(rang("bo"), [300, 420, 600, 720, 1_200, 1_320, 1_500, 1_620, 1_800, 1_920, 2_700]);
    assert_eq!(rang("cy"), [600, 720, 1_500, 1_620, 1_800, 1_920, 2_700]);

    let printed = why(app, "1").await;
    assert_eq!(decisions(&printed), EXPECTED.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>(), "{printed}");
    app.command(1, "resolve").await;
    let printed = why(app, "1").await;
    assert!(printed.starts_with("Resolved by token story\n"), "{printed}");
});
