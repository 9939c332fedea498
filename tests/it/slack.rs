//! The incident's room in Slack, the announcement, and everything people can say there.

use reveille::base::secret::{hex, hmac_sha256};
use reveille::base::time::Span;
use reveille::stage::slack::{INCIDENTS, Message, Room, SlackFault};

use crate::app::{App, TEAM};
use crate::story;

/// The team of the other stories, with Slack: incidents of the API have a room from sev2 on, and Cy is not in Slack.
pub(crate) fn in_slack() -> String {
    let slack = r#"
[slack]
bot_token = "xoxb-stage"
signing_secret = ["stage-signing-secret", "the one before"]
announce = "C0INCIDENTS"
api_url = "{stage}/slack/api"

[[user]]
id = "ana""#;
    TEAM.replacen("[[user]]\nid = \"ana\"", slack.trim_start(), 1)
        .replace("name = \"Ana Ruiz\"", "name = \"Ana Ruiz\"\nslack = \"U0ANA\"")
        .replace("name = \"Bo Lind\"", "name = \"Bo Lind\"\nslack = \"U0BO\"")
        .replace("name = \"Public API\"", "name = \"Public API\"\nroom_at = \"sev2\"")
}

impl App {
    /// The room of an incident, by its number.
    pub(crate) fn room(&self, number: i64) -> Room {
        let rooms = self.stage.slack().rooms();
        let head = format!("inc-{number}-");
        let names: Vec<String> = rooms.iter().map(|room| room.name.clone()).collect();
        rooms.into_iter().find(|room| room.name.starts_with(&head)).unwrap_or_else(|| panic!("no room {head} among {names:?}"))
    }

    /// The board of a room: its one pinned message.
    pub(crate) fn board(&self, number: i64) -> Message {
        let room = self.room(number);
        let pinned: Vec<Message> = room.pinned().cloned().collect();
        assert_eq!(pinned.len(), 1, "{pinned:?}");
        pinned.into_iter().next().expect("one")
    }

    /// Somebody uses the command, and reads what they alone are answered.
    pub(crate) async fn says(&self, user: &str, room: &str, text: &str) -> String {
        self.stage.slack().slash(user, room, text).await.expect("they may write there");
        self.settle().await;
        self.answered(user, room)
    }

    /// The newest words that this person alone sees in a room.
    pub(crate) fn answered(&self, user: &str, room: &str) -> String {
        let room = self.stage.slack().room(room).expect("the room");
        let own = room.messages.iter().rev().find(|message| message.only_for.as_deref() == Some(user));
        own.map(Message::words).unwrap_or_default()
    }

    /// What the room was told, in order, without the board.
    pub(crate) fn told_in(&self, number: i64) -> String {
        let board = self.board(number).ts;
        let room = self.room(number);
        room.posts().filter(|message| message.by_app && message.ts != board).map(Message::words).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn announced(&self) -> Vec<Message> {
        self.stage.slack().room(INCIDENTS).expect("it is there").posts().cloned().collect()
    }
}

story!(an_incident_has_a_room_with_its_board_and_its_people, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1);
    assert_eq!(room.name, "inc-1-the-disk-is-full");
    assert!(room.members.iter().any(|member| member == "U0ANA"), "whoever is paged is asked in: {:?}", room.members);
    assert!(room.topic.value.starts_with("#1 sev2 triggered · the disk is full"), "{}", room.topic.value);
    app.advance("2s").await;
    let board = app.board(1);
    assert!(board.words().contains("*triggered* · sev2 · Public API"), "{}", board.words());
    assert!(board.words().contains("Calling Ana Ruiz"), "it says whose phone rings: {}", board.words());
    let labels: Vec<String> = board.buttons().into_iter().map(|button| button.label).collect();
    assert_eq!(labels, ["Acknowledge", "Escalate", "Take lead", "Resolve", "More"]);
    assert!(app.told_in(1).contains("Opened at sev2 for Public API: the disk is full"), "{}", app.told_in(1));
    app.advance("1s").await;
    let [announced] = app.announced().try_into().expect("one announcement");
    assert!(announced.words().contains(&format!("<#{}>", room.id)), "{}", announced.words());

    // Pressed on the board, it is acknowledged, and both messages are edited in place.
    let start = app.clock.now();
    app.stage.slack().press("U0ANA", &room.id, "Acknowledge").await.expect("the button is there");
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.advance("2s").await;
    assert!(app.clock.now().since(start) <= Span::seconds(2));
    let changed = app.board(1);
    assert_eq!(changed.ts, board.ts, "edited in place");
    assert!(changed.words().contains("Ana Ruiz has it"), "{}", changed.words());
    let [announced] = app.announced().try_into().expect("still one announcement");
    assert!(announced.words().contains("*acknowledged*") && announced.edits > 0, "{}", announced.words());
    assert!(app.answered("U0ANA", &room.id).contains("is acknowledged"), "{}", app.answered("U0ANA", &room.id));

    app.resolves("the disk is full").await;
    app.advance("2s").await;
    assert!(app.board(1).words().contains("*resolved*"), "{}", app.board(1).words());
    assert!(app.room(1).topic.value.starts_with("#1 sev2 resolved"), "{}", app.room(1).topic.value);
    let [announced] = app.announced().try_into().expect("still one announcement");
    assert!(announced.words().contains("*resolved*"), "{}", announced.words());
    assert_eq!(app.incident(1).await.times("room_opened"), 1);
});

story!(what_is_said_in_the_room_is_done, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1).id;
    for (says, part) in [
        ("ack", "is acknowledged"),
        ("ack", "was acknowledged already, by Ana Ruiz"),
        ("sev 1", "is sev1 now"),
        ("sev 1", "so already"),
        ("lead me", "Ana Ruiz is lead now"),
        ("role comms <@U0BO|bo>", "Bo Lind is comms now"),
        ("task check the replica @bo 15m", "task 1 is on the board; Bo Lind has it"),
        ("task call the data centre", "task 2 is on the board; nobody has it yet"),
        ("task 3 racks to look at", "task 3 is on the board"),
        ("take 2", "task 2 is doing"),
        ("block 2 waits for @bo", "task 2 is blocked"),
        ("done 1", "task 1 is done"),
        ("drop 3 somebody else did", "Your words stand in the timeline"),
        ("done 9", "has no task of that number"),
        ("note the switch was replaced at 02:30", "noted, as of"),
        ("update half of the region is back", "the update is posted"),
        ("who", "call the data centre"),
        ("why", "the policy's step began"),
        ("oncall", "*platform:* Ana Ruiz until"),
        ("list", "1 incident open"),
        ("help", "sev &lt;1-4&gt;"),
        ("", "Who does what"),
        ("akc", "did you mean `ack`"),
        ("handover @bo", "Bo Lind is lead now, and has your 1 open task"),
        ("resolve", "is resolved"),
        ("resolve", "is resolved already"),
    ] {
        let answer = app.says("U0ANA", &room, says).await;
        assert!(answer.contains(part), "{says}: {answer}");
    }
    app.advance("3s").await;
    let told = app.told_in(1);
    let order = [
        "Opened at",
        "Acknowledged by Ana Ruiz",
        "Severity set by Ana Ruiz from sev2 to sev1",
        "Task 1 for Bo Lind, by Ana Ruiz: check the replica",
        "the switch was replaced",
        "half of the region is back",
        "Resolved by Ana Ruiz",
    ];
    let places: Vec<usize> = order.iter().map(|part| told.find(part).unwrap_or_else(|| panic!("{part} is not in\n{told}"))).collect();
    assert!(places.is_sorted(), "{places:?}\n{told}");
    assert!(app.room(1).members.iter().any(|member| member == "U0BO"), "whoever gets a task is asked in");
    let board = app.board(1).words();
    assert!(board.contains("*comms:* Bo Lind") && board.contains("waits for Bo Lind"), "{board}");
    let incident = app.incident(1).await;
    incident.is("resolved");
    assert_eq!(incident.times("note_added"), 2);
});

story!(elsewhere_the_incident_is_named_or_the_only_open_one, &in_slack(), |app| {
    assert!(app.says("U0BO", "general", "ack").await.contains("No incident is open"));
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    assert!(app.says("U0BO", "general", "task look at the graphs").await.contains("task 1 is on the board"));
    app.shop_fires("nobody can pay").await;
    let answer = app.says("U0BO", "general", "ack").await;
    assert!(answer.contains("Several incidents are open") && answer.contains("#2"), "{answer}");
    assert!(app.says("U0BO", "general", "done 1 1").await.contains("task 1 is done"));
    assert!(app.says("U0BO", "general", "ack 2").await.contains("is acknowledged"));
    assert!(app.says("U0BO", "general", "ack 7").await.contains("There is no incident #7"));
    assert!(app.says("U0BO", "general", "ack #1").await.contains("is acknowledged"));
    app.incident(1).await.is_acknowledged_by("bo");
    app.incident(2).await.is_acknowledged_by("bo");
    // Whom Reveille does not know is told so, and nothing is done.
    let answer = app.says("U0EVA", "general", "resolve 1").await;
    assert!(answer.contains("does not know you yet") && answer.contains("U0EVA"), "{answer}");
    app.incident(1).await.is("acknowledged");
});

story!(declared_in_slack_it_has_a_room_and_is_named_in_the_answer, &in_slack(), |app| {
    let answer = app.says("U0BO", "general", "new the checkout is down").await;
    assert!(answer.contains("*#1* the checkout is down is declared at sev2"), "{answer}");
    app.advance("2s").await;
    let room = app.room(1);
    assert_eq!(room.name, "inc-1-the-checkout-is-down");
    assert!(room.members.iter().any(|member| member == "U0BO"), "{:?}", room.members);
    let answers: Vec<String> = app.stage.slack().room("general").expect("it").messages.iter().map(Message::words).collect();
    assert!(answers.iter().any(|words| words.contains(&format!("<#{}>", room.id))), "{answers:?}");
    app.everyone_takes_notice();
    app.command(1, "resolve").await;
});

story!(a_mention_does_the_same_and_an_event_that_comes_twice_acts_once, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1).id;
    let slack = app.stage.slack();
    slack.set_events_twice(true);
    slack.types("U0ANA", &room, "<@U0REVEILLE> task check the replica").await.expect("said");
    app.settle().await;
    slack.types("U0ANA", &room, "<@U0REVEILLE> ack").await.expect("said");
    app.settle().await;
    app.advance("2s").await;
    let incident = app.incident(1).await;
    incident.is_acknowledged_by("ana");
    assert_eq!(incident.times("task_added"), 1);
    let asked = slack.asked().iter().filter(|asked| asked.about == "app_mention").count();
    assert_eq!(asked, 4, "each came twice");
    let replies: Vec<Message> = app.room(1).posts().filter(|message| message.thread_ts.is_some()).cloned().collect();
    assert_eq!(replies.len(), 2, "{replies:?}");
    assert!(replies[1].words().contains("is acknowledged"), "{}", replies[1].words());
    slack.verify_url().await.expect("the events' address is ours");
});

story!(slack_answers_429_for_ten_minutes_and_the_room_catches_up_in_order, &in_slack(), |app| {
    app.stage.slack().set_fault(Some(SlackFault::RateLimited { retry_after: 30 }), Some(Span::minutes(10)));
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.press('1').await;
    app.incident(1).await.is_acknowledged_by("bo");
    app.command(1, "escalate").await;
    app.everyone_takes_notice();
    app.command(1, "acknowledge").await;
    app.advance("4m").await;
    app.everyone_takes_notice();
    assert!(!app.stage.slack().rooms().iter().any(|room| room.name.starts_with("inc-")), "Slack takes nothing yet");
    let asked = app.stage.slack().requests();
    assert!((2..60).contains(&asked), "it is left alone for as long as it asks: {asked} requests");
    app.advance("2m").await;
    let told = app.told_in(1);
    let places: Vec<Option<usize>> =
        ["Opened at sev2", "Step 1: Ana Ruiz", "Step 2: Bo Lind", "Acknowledged by Bo Lind", "Next step asked for"]
            .iter()
            .map(|part| told.find(part))
            .collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{told}");
    assert_eq!(told.matches("Opened at sev2").count(), 1);
    assert!(app.board(1).words().contains("*acknowledged*"));
    assert_eq!(app.announced().len(), 1);
    app.everyone_takes_notice();
    app.command(1, "resolve").await;
});

story!(a_wrong_or_stale_signature_is_refused_and_nothing_is_done, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let body = "user_id=U0ANA&channel_id=C0GENERAL&command=%2Fincident&text=ack";
    let signed = |secret: &str, age: i64, body: &str| {
        let at = app.clock.now().seconds() - age;
        let signature = hex(&hmac_sha256(secret.as_bytes(), format!("v0:{at}:{body}").as_bytes()));
        (at.to_string(), format!("v0={signature}"))
    };
    let good = "stage-signing-secret";
    for door in ["commands", "interactions", "events"] {
        for (at, signature) in [
            signed("stranger", 0, body),
            signed(good, 301, body),
            signed(good, -301, body),
            signed(good, 0, "text=resolve"),
            (String::new(), String::new()),
        ] {
            let request = app.http.post(format!("{}/slack/{door}", app.url)).header("x-slack-request-timestamp", at);
            let answer = request.header("x-slack-signature", signature).body(body).send().await.expect("an answer");
            assert_eq!(answer.status(), 401, "{door}");
        }
        assert_eq!(app.sends(&format!("/slack/{door}"), body).await.0, 401, "without a signature");
    }
    app.incident(1).await.is("triggered");
    // Either live secret will do.
    for (secret, expected) in [("the one before", "is acknowledged"), (good, "was acknowledged already")] {
        let (at, signature) = signed(secret, 200, body);
        let request = app.http.post(format!("{}/slack/commands", app.url)).header("x-slack-request-timestamp", at);
        let answer = request.header("x-slack-signature", signature).body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let text = answer.text().await.expect("words");
        assert!(text.contains(expected), "{text}");
    }
    app.incident(1).await.is_acknowledged_by("ana");
});

story!(a_room_that_was_taken_away_is_said_so_once_and_not_opened_again, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("2s").await;
    let room = app.room(1).id;
    let archive = app.http.post(format!("{}/conversations.archive", app.stage.slack().api_url())).bearer_auth("xoxb-stage");
    let answer = archive.form(&[("channel", room.as_str())]).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    app.command(1, "escalate").await;
    app.everyone_takes_notice();
    app.advance("10s").await;
    app.command(1, "acknowledge").await;
    app.advance("1m").await;
    app.everyone_takes_notice();
    assert_eq!(app.stage.slack().requests_of("conversations.create"), 1);
    let incident = app.incident(1).await;
    assert_eq!(incident.times("note_added"), 1);
    let text = incident.entry("note_added")["text"].as_str().expect("words").to_owned();
    assert!(text.contains("is gone from Slack"), "{text}");
    app.command(1, "resolve").await;
});

story!(slack_that_hangs_holds_up_no_page, &in_slack(), |app| {
    app.stage.slack().set_fault(Some(SlackFault::Hang), None);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.stage.slack().set_fault(None, None);
    app.advance("6m").await;
    assert!(app.board(1).words().contains("Ana Ruiz has it"), "{}", app.board(1).words());
    assert!(app.told_in(1).contains("Acknowledged by Ana Ruiz"), "{}", app.told_in(1));
    app.command(1, "resolve").await;
});

/// Bo's step names two places, of which the second is not there.
fn with_places() -> String {
    in_slack().replace(r#"notify = ["user:bo"]"#, r#"notify = ["user:bo", "slack:C0INCIDENTS", "slack:C0NOWHERE"]"#)
}

story!(a_step_tells_a_place_once_and_says_where_it_could_not, &with_places(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.press('1').await;
    app.advance("1m").await;
    let [_, told] = app.announced().try_into().expect("the announcement, and what the step tells");
    assert!(told.words().contains("#1 the disk is full"), "{}", told.words());
    let incident = app.incident(1).await;
    assert_eq!(incident.times("note_added"), 1);
    let text = incident.entry("note_added")["text"].as_str().expect("words").to_owned();
    assert!(text.contains("slack:C0NOWHERE"), "{text}");
    app.command(1, "resolve").await;
});

story!(whoever_acknowledged_is_asked_in_the_room_whether_they_are_still_at_it, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("25m1s").await;
    let asked = app.room(1).posts().last().cloned().expect("a message");
    assert!(asked.words().contains("<@U0ANA>"), "{}", asked.words());
    app.stage.slack().press("U0ANA", &app.room(1).id, "I am on it").await.expect("the button is there");
    app.settle().await;
    app.advance("10m").await;
    let incident = app.incident(1).await;
    incident.is("acknowledged");
    assert!(incident.times("acknowledgement_renewed") >= 1);
    assert_eq!(app.phone("ana").calls(), 1);
    app.command(1, "resolve").await;
});

story!(snooze_page_and_override_from_slack, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1).id;
    assert!(app.says("U0ANA", &room, "snooze 1h").await.contains("is acknowledged until"));
    assert!(app.says("U0ANA", &room, "page @bo").await.contains("Bo Lind is paged"));
    app.phone("bo").rings().await.press('1').await;
    let answer = app.says("U0ANA", &room, "page nonsense").await;
    assert!(answer.contains("neither a policy nor a user"), "{answer}");
    let answer = app.says("U0ANA", &room, "override <@U0BO> now 4h").await;
    assert!(answer.contains("Bo Lind has platform from"), "{answer}");
    let answer = app.says("U0ANA", &room, "override <@U0BO> 4h now").await;
    assert!(answer.contains("has to end after it begins"), "{answer}");
    app.says("U0ANA", &room, "resolve").await;
});
