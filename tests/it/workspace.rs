//! Slack as it is lived with: every verb through every door, and a workspace that loses answers, takes tokens back and loses rooms.

use std::collections::BTreeSet;

use reveille::base::time::Span;
use reveille::stage::slack::{GENERAL, INCIDENTS, Message, SlackFault};
use serde_json::{Value, json};

use crate::app::{App, On};
use crate::slack::in_slack;
use crate::story;

/// The scopes of the manifest that people paste.
pub fn manifest_scopes() -> BTreeSet<String> {
    let page = include_str!("../../docs/slack.md");
    let list = page.split_once("    bot:\n").expect("the manifest's scopes").1;
    list.lines().map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
}

/// With an app token, and without the secret of the doors.
fn over_socket() -> String {
    in_slack().replace(r#"signing_secret = ["stage-signing-secret", "the one before"]"#, r#"app_token = "xapp-stage""#)
}

impl App {
    /// Somebody names the bot, and reads what it answers in the thread.
    async fn mentions(&self, user: &str, room: &str, text: &str) -> String {
        self.stage.slack().types(user, room, &format!("<@U0REVEILLE> {text}")).await.expect("they may write there");
        self.settle().await;
        let room = self.stage.slack().room(room).expect("the room");
        let asked = room.posts().filter(|message| message.user == user).last().expect("what was asked").ts.clone();
        let answer = room.posts().filter(|message| message.by_app && message.thread_ts.as_ref() == Some(&asked)).last();
        answer.map(Message::words).unwrap_or_default()
    }

    /// Somebody presses a button.
    async fn presses(&self, user: &str, room: &str, button: &str) {
        self.stage.slack().press(user, room, button).await.unwrap_or_else(|error| panic!("{button}: {error}"));
        self.settle().await;
    }

    /// Somebody fills in the dialogue that stands open and sends it; what stands in it then, or what it complains of.
    async fn fills_in(&self, words: &str) -> String {
        let slack = self.stage.slack();
        let open = slack.modals().pop().expect("a dialogue is open");
        slack.submit(&open.id, &[("words".to_owned(), words.to_owned())].into()).await.expect("it is sent");
        self.settle().await;
        let Some(now) = slack.modals().into_iter().find(|modal| modal.id == open.id) else { return String::new() };
        if let Some(error) = now.errors.values().next() {
            return error.clone();
        }
        let blocks = now.view["blocks"].as_array().cloned().unwrap_or_default();
        blocks.iter().filter_map(|block| block["text"]["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Something that the app itself does, done by hand: the workspace's own API.
    async fn calls_slack(&self, method: &str, fields: &[(&str, &str)]) -> Value {
        let request = self.http.post(format!("{}/{method}", self.stage.slack().api_url())).bearer_auth("xoxb-stage").form(fields);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    async fn readiness(&self) -> String {
        self.http.get(format!("{}/readyz", self.url)).send().await.expect("an answer").text().await.expect("words")
    }

    /// How often this stands in the room, in all messages of the app.
    fn times_told(&self, number: i64, words: &str) -> usize {
        self.room(number).posts().filter(|message| message.by_app && message.words().contains(words)).count()
    }
}

#[test]
fn the_manifest_asks_for_what_is_used_and_for_nothing_else() {
    let used: BTreeSet<String> = reveille::vendor::slack::SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
    assert_eq!(manifest_scopes(), used);
}

story!(every_verb_can_be_said_to_the_bot_in_a_thread, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1).id;
    for (says, part) in [
        ("ack", "is acknowledged"),
        ("sev 3", "is sev3 now"),
        ("lead <@U0BO>", "Bo Lind is lead now"),
        ("lead nobody", "nobody is lead now"),
        ("role scribe me", "Ana Ruiz is scribe now"),
        ("task check the replica <@U0BO> 15m", "task 1 is on the board; Bo Lind has it"),
        ("take 1", "task 1 is doing"),
        ("block 1 waits for <@U0BO>", "task 1 is blocked"),
        ("done 1 it was DNS", "task 1 is done"),
        ("task look at <https://example.com/graph|example.com/graph>", "task 2 is on the board"),
        ("drop 2", "task 2 is dropped"),
        ("note <@U0BO> pulled the cable at 01:50", "noted, as of"),
        ("update half of the region is back", "the update is posted"),
        ("snooze 2h", "is acknowledged until"),
        ("oncall", "*platform:* Ana Ruiz"),
        ("override <@U0BO> now 4h", "Bo Lind has platform from"),
        ("why", "the policy's step began"),
        ("who", "*scribe:* Ana Ruiz"),
        ("list", "1 incident open"),
        ("help", "sev &lt;1-4&gt;"),
        ("handover <@U0BO>", "Bo Lind is lead now"),
        ("", "Why"),
        ("resolve", "is resolved"),
        ("reopen", "is open again"),
        ("page <@U0BO>", "Bo Lind is paged"),
        ("escalate", "the next step is paged now"),
        ("new the backup is late", "*#2* the backup is late is declared at sev2"),
    ] {
        let answer = app.mentions("U0ANA", &room, says).await;
        assert!(answer.contains(part), "{says}: {answer}");
    }
    let texts: Vec<String> =
        app.incident(1).await.timeline.iter().map(|entry| entry["text"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(texts.iter().any(|text| text.contains("@Bo Lind pulled the cable")), "names, not Slack's signs: {texts:?}");
    assert!(texts.iter().any(|text| text.contains("look at https://example.com/graph")), "{texts:?}");
    app.everyone_takes_notice();
    app.command(1, "resolve").await;
    app.command(2, "resolve").await;
});

story!(outside_a_room_every_verb_takes_the_number, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.shop_fires("nobody can pay").await;
    for (says, part) in [
        ("who 1", "*#1*"),
        ("why 1", "*#1*"),
        ("menu 1", "*#1*"),
        ("sev 1 1", "*#1* the disk is full is sev1 now"),
        ("lead 1 @bo", "*#1* the disk is full: Bo Lind is lead now"),
        ("role 1 comms @ana", "Ana Ruiz is comms now"),
        ("task #1 check the replica @bo 15m", "*#1* the disk is full: task 1"),
        ("task #2 call the bank", "*#2* nobody can pay: task 1"),
        ("take 1 1", "task 1 is doing"),
        ("block 1 1 waits for the network team", "task 1 is blocked"),
        ("done 1 1", "task 1 is done"),
        ("drop 2 1", "task 1 is dropped"),
        ("note #1 it was DNS", "*#1* the disk is full: noted"),
        ("update #1 half is back", "*#1* the disk is full: the update is posted"),
        ("handover 1 @ana", "Ana Ruiz is lead now"),
        ("snooze 1 1h", "*#1* the disk is full is acknowledged until"),
        ("page 2 @bo", "*#2* nobody can pay: Bo Lind is paged"),
        ("escalate 2", "*#2* nobody can pay: the next step"),
        ("ack 2", "*#2* nobody can pay is acknowledged"),
        ("resolve 2", "*#2* nobody can pay is resolved"),
        ("resolve #1", "*#1* the disk is full is resolved"),
    ] {
        let answer = app.says("U0ANA", "general", says).await;
        assert!(answer.contains(part), "{says}: {answer}");
    }
    app.everyone_takes_notice();
});

story!(what_is_written_wrongly_is_answered_with_how_it_is_written, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1).id;
    let before = app.incident(1).await.timeline.len();
    for (says, part) in [
        ("new", "`new the checkout is down`"),
        ("sev", "`sev 2`"),
        ("sev 9", "`sev 2`"),
        ("lead", "`lead @ana`"),
        ("lead @stranger", "Reveille knows nobody called “stranger”"),
        ("lead <@U0EVA>", "their user needs `slack = \"U0EVA\"`"),
        ("role boss @ana", "lead, comms, ops and scribe"),
        ("handover", "`handover @bo`"),
        ("task", "`task check the replica @ana 15m`"),
        ("take it", "`take 3`"),
        ("done", "`done 3`"),
        ("block", "`block 3 waits for the network team`"),
        ("drop x", "`drop 3`"),
        ("note", "`note restarted the balancer at 12:56`"),
        ("update", "`update half of the region is back`"),
        ("page", "`page @ana`"),
        ("page nobody-we-know", "neither a policy nor a user"),
        ("snooze", "`snooze 1h`"),
        ("snooze tomorrow", "`snooze 1h`"),
        ("override", "`override @bo 18:00 22:00`"),
        ("override @bo soon later", "is no time"),
        ("override @bo now 4h nightshift", "There is no schedule “nightshift”"),
        ("reslove", "did you mean `resolve`"),
    ] {
        for answer in [app.says("U0ANA", &room, says).await, app.mentions("U0ANA", &room, says).await] {
            assert!(answer.contains(part), "{says}: {answer}");
        }
    }
    assert_eq!(app.incident(1).await.timeline.len(), before, "nothing was done");
    app.command(1, "resolve").await;
});

story!(buttons_lead_to_every_verb, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1).id;
    app.presses("U0ANA", &room, "More").await;
    assert!(app.answered("U0ANA", &room).contains("*#1* the disk is full"), "{}", app.answered("U0ANA", &room));
    for (button, words, part) in [
        ("Add a task", "check the replica @bo 15m", "task 1 is on the board; Bo Lind has it"),
        ("Note", "a < b & c > d at 01:50", "noted, as of"),
        ("Update", "half of the region is back", "the update is posted"),
        ("Severity", "1", "is sev1 now"),
        ("Give a role", "comms @bo", "Bo Lind is comms now"),
        ("Hand over", "@bo", "Bo Lind is lead now"),
        ("Page", "@bo", "Bo Lind is paged"),
    ] {
        app.presses("U0ANA", &room, "More").await;
        app.presses("U0ANA", &room, button).await;
        let told = app.fills_in(words).await;
        assert!(told.contains(part), "{button}: {told}");
    }
    // What cannot be read is said in the dialogue, which stays.
    app.presses("U0ANA", &room, "More").await;
    app.presses("U0ANA", &room, "Severity").await;
    assert!(app.fills_in("nine").await.contains("`sev 2`"));
    assert!(app.fills_in("2").await.contains("is sev2 now"));
    let told = app.incident(1).await.entry("note_added")["text"].as_str().expect("words").to_owned();
    assert!(told.contains("a < b & c > d"), "{told}");
    for (button, part) in
        [("Take lead", "Ana Ruiz is lead now"), ("Who does what", "check the replica"), ("Why", "step began"), ("Help", "`ack")]
    {
        app.presses("U0ANA", &room, "More").await;
        app.presses("U0ANA", &room, button).await;
        assert!(app.answered("U0ANA", &room).contains(part), "{button}: {}", app.answered("U0ANA", &room));
    }
    app.advance("2s").await;
    app.presses("U0BO", &room, "Done 1").await;
    app.presses("U0BO", &room, "Resolve").await;
    app.incident(1).await.is("resolved");
    app.everyone_takes_notice();
});

story!(shortcuts_declare_note_and_say_anything, &in_slack(), |app| {
    let slack = app.stage.slack();
    slack.shortcut("U0ANA", "new", None).await.expect("it is taken");
    app.settle().await;
    assert!(app.fills_in("the checkout is down").await.contains("*#1* the checkout is down is declared"));
    app.advance("2s").await;
    let room = app.room(1).id;
    slack.types("U0BO", &room, "I see 5xx on <https://example.com|the graph>").await.expect("said");
    app.settle().await;
    let said = app.room(1).posts().filter(|message| message.user == "U0BO").last().expect("what Bo said").ts.clone();
    for (shortcut, part) in [("note", "noted"), ("task", "task 1 is on the board")] {
        slack.shortcut("U0ANA", shortcut, Some((&room, &said))).await.expect("it is taken");
        app.settle().await;
        assert!(app.answered("U0ANA", &room).contains(part), "{shortcut}: {}", app.answered("U0ANA", &room));
    }
    let note = app.incident(1).await.entry("note_added")["text"].as_str().expect("words").to_owned();
    assert!(note.contains("@Bo Lind: I see 5xx on the graph (https://example.com)"), "{note}");
    slack.shortcut("U0ANA", "declare", Some((&room, &said))).await.expect("it is taken");
    app.settle().await;
    let open = slack.modals().pop().expect("a dialogue");
    assert!(open.view["blocks"][0]["element"]["initial_value"].as_str().expect("words").contains("I see 5xx"), "{}", open.view);
    slack.close(&open.id).await.expect("closed");
    slack.shortcut("U0BO", "say", None).await.expect("it is taken");
    app.settle().await;
    assert!(app.fills_in("resolve 1").await.contains("is resolved"));
    app.everyone_takes_notice();
});

story!(what_was_done_without_an_answer_is_not_done_again, &in_slack(), |app| {
    let slack = app.stage.slack();
    // The room is made, and nobody hears of it.
    slack.set_fault(Some(SlackFault::DoButDrop), None);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    slack.set_fault(None, None);
    app.advance("5s").await;
    let rooms = slack.rooms().into_iter().filter(|room| room.name.starts_with("inc-")).count();
    assert_eq!(rooms, 1, "the room that was made is found again");
    let words = ["Acknowledged by Ana Ruiz", "the balancer was restarted", "half of the region is back"];
    for (n, verb) in ["acknowledge", "note", "update"].into_iter().enumerate() {
        slack.set_fault(Some(SlackFault::DoButDrop), None);
        let body = if verb == "acknowledge" { json!({}) } else { json!({"text": words[n]}) }.to_string();
        let request = app.http.post(format!("{}/api/v1/incidents/1/{verb}", app.url)).bearer_auth(&app.token);
        let answer = request.header("content-type", "application/json").body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{verb}");
        app.settle().await;
        slack.set_fault(None, None);
        app.advance("10s").await;
    }
    for told in ["Opened at sev2", "Acknowledged by", words[1]] {
        assert_eq!(app.times_told(1, told), 1, "{told}\n{}", app.told_in(1));
    }
    let boards = app.room(1).posts().filter(|message| message.words().contains("*acknowledged* · sev2")).count();
    assert_eq!((boards, app.announced().len()), (1, 1));
    assert!(app.board(1).words().contains(words[2]));
    app.command(1, "resolve").await;
});

story!(the_room_has_a_link_a_topic_and_a_roll_call, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1);
    let [bookmark] = room.bookmarks.clone().try_into().expect("one link");
    assert_eq!((bookmark.title.as_str(), bookmark.link), ("Incident page", format!("{}/incidents/1", app.url)));
    assert!(app.board(1).words().contains("Paged · being reached: Ana Ruiz"), "{}", app.board(1).words());
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.press('1').await;
    app.advance("2s").await;
    let board = app.board(1).words();
    assert!(board.contains("answered: Bo Lind") && board.contains("not answered: Ana Ruiz"), "{board}");
    app.says("U0ANA", &room.id, "lead @bo").await;
    app.says("U0ANA", &room.id, "sev 1").await;
    app.advance("2s").await;
    let topic = app.room(1).topic.value;
    assert!(topic.starts_with("#1 sev1 acknowledged") && topic.contains("lead: Bo Lind"), "{topic}");
    assert_eq!(app.room(1).bookmarks.len(), 1);
    // Whoever joins in through another door is asked into the room.
    assert!(app.room(1).members.iter().any(|member| member == "U0BO"));
    app.command(1, "resolve").await;
});

story!(a_board_that_was_deleted_comes_back_and_an_announcement_stays_away, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.advance("2s").await;
    let (room, board) = (app.room(1).id, app.board(1).ts);
    let announced = app.announced()[0].ts.clone();
    assert_eq!(app.calls_slack("chat.delete", &[("channel", &room), ("ts", &board)]).await["ok"], true);
    assert_eq!(app.calls_slack("chat.delete", &[("channel", INCIDENTS), ("ts", &announced)]).await["ok"], true);
    app.says("U0ANA", &room, "ack").await;
    app.advance("3s").await;
    assert!(app.board(1).ts != board && app.board(1).words().contains("Ana Ruiz has it"), "{:?}", app.board(1));
    assert_eq!(app.announced().len(), 0);
    app.command(1, "resolve").await;
});

/// Bo is in Slack under an id that the workspace does not know.
fn with_a_stranger() -> String {
    in_slack().replace("U0BO", "U0NOBODY")
}

story!(a_name_that_is_taken_and_a_person_who_is_not_there_hold_up_nothing, &with_a_stranger(), |app| {
    assert_eq!(app.calls_slack("conversations.create", &[("name", "inc-1-the-disk-is-full")]).await["ok"], true);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.press('1').await;
    app.advance("2s").await;
    let rooms: Vec<String> = app.stage.slack().rooms().into_iter().map(|room| room.name).filter(|name| name.starts_with("inc-")).collect();
    assert_eq!(rooms, ["inc-1-the-disk-is-full", "inc-1-the-disk-is-full-2"]);
    let room = app.stage.slack().room("inc-1-the-disk-is-full-2").expect("ours");
    assert!(room.members.contains(&"U0ANA".to_owned()) && room.pinned().any(|board| board.words().contains("Bo Lind has it")));
    app.command(1, "resolve").await;
});

/// The announcements go where the bot was never asked in.
fn announced_in(channel: &str) -> String {
    in_slack().replace("announce = \"C0INCIDENTS\"", &format!("announce = \"{channel}\""))
}

story!(a_public_room_for_announcements_is_entered, &announced_in(GENERAL), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("2s").await;
    let general = app.stage.slack().room(GENERAL).expect("it is there");
    assert!(general.members.iter().any(|member| member == "U0REVEILLE"));
    assert_eq!(general.posts().filter(|message| message.words().contains("#1 the disk is full")).count(), 1);
    assert!(app.readiness().await.contains("ok   slack"), "{}", app.readiness().await);
    app.command(1, "resolve").await;
});

story!(a_room_for_announcements_that_is_not_there_is_an_alarm_and_holds_up_nothing, &announced_in("C0NOWHERE"), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("10m").await;
    let ready = app.readiness().await;
    assert!(ready.contains("warn slack: the announcements: "), "{ready}");
    assert!(ready.contains("channel_not_found") && ready.contains("/invite"), "what it is, and what to do: {ready}");
    assert!(app.board(1).words().contains("Ana Ruiz has it"), "the room is told all the same");
    let asked = app.stage.slack().requests_of("conversations.join");
    assert!(asked < 20, "it is not asked for ever and ever: {asked}");
    app.command(1, "resolve").await;
});

story!(a_token_that_was_taken_back_costs_no_page_and_the_room_catches_up, &in_slack(), |app| {
    let slack = app.stage.slack();
    slack.set_revoked(true);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    app.phone("ana").rings_after("2m").await.ignore();
    app.phone("bo").rings_after("3m").await.press('1').await;
    let ready = app.readiness().await;
    assert!(ready.starts_with("ready\n") && ready.contains("warn slack: its token: token_revoked"), "{ready}");
    slack.set_revoked(false);
    app.advance("6m").await;
    let told = app.told_in(1);
    let places: Vec<Option<usize>> =
        ["Opened at sev2", "Step 1: Ana Ruiz", "Step 2: Bo Lind", "Acknowledged by Bo Lind"].iter().map(|part| told.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{told}");
    assert!(app.readiness().await.contains("ok   slack"), "{}", app.readiness().await);
    app.command(1, "resolve").await;
});

story!(writing_in_the_room_is_a_sign_of_life, &in_slack(), |app| {
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    app.advance("2s").await;
    let room = app.room(1).id;
    for _ in 0..3 {
        app.advance("20m").await;
        app.stage.slack().types("U0BO", &room, "still restoring, 40 % done").await.expect("said");
        app.settle().await;
    }
    app.incident(1).await.is("acknowledged");
    assert_eq!(app.phone("ana").calls(), 1);
    app.command(1, "resolve").await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_tell_slack_once_and_in_order() {
    let mut app = App::start(On::Postgres, &in_slack()).await;
    let twin = app.twin().await;
    for n in 1..=4 {
        app.fires(&format!("disk {n} is full")).await;
    }
    app.phone("ana").rings().await.press('1').await;
    let room = app.room(1).id;
    for n in 1..=12 {
        assert!(app.says("U0ANA", &room, &format!("note step {n} of the repair")).await.contains("noted"));
    }
    app.advance("20s").await;
    let told = app.told_in(1);
    let steps: Vec<Option<usize>> = (1..=12).map(|n| told.find(&format!("step {n} of"))).collect();
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{steps:?}\n{told}");
    assert_eq!(told.matches(" of the repair").count(), 12, "each once\n{told}");
    assert_eq!(app.room(1).pinned().count(), 1);
    assert_eq!((app.announced().len(), app.stage.slack().requests_of("conversations.create")), (1, 1));
    app.command(1, "resolve").await;
    twin.stop().await;
    app.end().await;
}

story!(over_socket_mode_everything_is_heard_and_no_door_is_open, &over_socket(), |app| {
    let slack = app.stage.slack();
    slack.set_socket_mode(true);
    app.waits_for_sockets(1).await;
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.ignore();
    let room = app.room(1).id;
    assert!(app.says("U0ANA", &room, "task check the replica @bo").await.contains("task 1 is on the board"));
    app.advance("2s").await;
    app.presses("U0BO", &room, "Done 1").await;
    assert!(app.answered("U0BO", &room).contains("task 1 is done"), "{}", app.answered("U0BO", &room));
    app.presses("U0BO", &room, "More").await;
    app.presses("U0BO", &room, "Note").await;
    assert!(app.fills_in("it was DNS").await.contains("noted"));
    slack.set_events_twice(true);
    assert!(app.mentions("U0ANA", &room, "ack").await.contains("is acknowledged"));
    let answers = app.room(1).posts().filter(|message| message.thread_ts.is_some()).count();
    assert_eq!(answers, 1, "an event that comes twice acts once");
    slack.set_events_twice(false);

    // Slack asks for another connection, and nothing is lost by it.
    slack.refresh_sockets();
    app.waits_for_sockets(1).await;
    assert!(app.says("U0ANA", &room, "who").await.contains("Nothing is on the board"));
    // One that breaks is opened again, and an event of the meantime comes again.
    slack.cut_sockets();
    slack.types("U0ANA", &room, "<@U0REVEILLE> lead me").await.expect("said");
    app.advance("1m").await;
    app.waits_for_sockets(1).await;
    app.advance("6m").await;
    assert_eq!(app.incident(1).await.times("role_changed"), 1);
    assert!(app.readiness().await.contains("ok   slack"), "{}", app.readiness().await);

    // Nothing that comes over the open doors is believed: there is no secret to sign with.
    for door in ["commands", "interactions", "events"] {
        assert_eq!(app.sends(&format!("/slack/{door}"), "user_id=U0ANA&channel_id=C0GENERAL&text=resolve").await.0, 401, "{door}");
    }
    app.incident(1).await.is("acknowledged");
    app.command(1, "resolve").await;
});

story!(socket_mode_that_is_switched_off_is_an_alarm, &over_socket(), |app| {
    for _ in 0..200 {
        if app.readiness().await.contains("warn slack: Socket Mode") {
            break;
        }
        app.advance("1s").await;
    }
    let ready = app.readiness().await;
    assert!(ready.contains("warn slack: Socket Mode") && ready.contains("app_token"), "{ready}");
    let asked = app.stage.slack().requests_of("apps.connections.open");
    app.advance("5m").await;
    assert!(app.stage.slack().requests_of("apps.connections.open") - asked <= 15, "it is not asked at every moment");
    app.stage.slack().set_socket_mode(true);
    app.advance("1m").await;
    app.waits_for_sockets(1).await;
    assert!(app.says("U0ANA", "general", "list").await.contains("No incident is open"));
    assert!(app.readiness().await.contains("ok   slack"), "{}", app.readiness().await);
});

impl App {
    /// Waits, in real time and not for long, until so many connections are open: they belong to the wire, not to the story's clock.
    async fn waits_for_sockets(&self, wanted: usize) {
        let there = async {
            while self.stage.slack().sockets() != wanted {
                self.advance("1s").await;
            }
        };
        tokio::time::timeout(Span::seconds(20).as_duration(), there).await.expect("the connections are opened");
        self.settle().await;
    }
}
