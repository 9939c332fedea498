//! The workspace: what its Web API takes, refuses and keeps, and what it sends to the app.

use super::super::slack::{BOT_USER, INCIDENTS, Slack, SlackFault};
use super::*;

const BOT_TOKEN: &str = "xoxb-stage";

impl World {
    fn slack(&self) -> Slack {
        self.stage.slack()
    }

    /// A method with JSON, as the app's own client sends it.
    async fn web(&self, method: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/{method}", self.slack().api_url())).bearer_auth(BOT_TOKEN);
        let (status, value) = answer(request.header("content-type", "application/json; charset=utf-8").body(body.to_string())).await;
        assert_eq!(status, 200, "{method}: {value}");
        value
    }

    /// A method that reads the workspace, with its arguments in the query.
    async fn ask(&self, method: &str, query: &[(&str, &str)]) -> Value {
        let request = self.http.get(format!("{}/{method}", self.slack().api_url())).bearer_auth(BOT_TOKEN).query(query);
        let (status, value) = answer(request).await;
        assert_eq!(status, 200, "{method}: {value}");
        value
    }

    async fn does(&self, method: &str, body: Value) -> Value {
        let value = self.web(method, body).await;
        assert_eq!(value["ok"], true, "{method}: {value}");
        value
    }

    async fn made(&self, name: &str) -> String {
        self.does("conversations.create", json!({"name": name})).await["channel"]["id"].as_str().expect("an id").to_owned()
    }

    async fn posted(&self, channel: &str, text: &str) -> String {
        self.does("chat.postMessage", json!({"channel": channel, "text": text})).await["ts"].as_str().expect("a ts").to_owned()
    }
}

fn section(text: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
}

fn button(action_id: &str, label: &str) -> Value {
    json!({"type": "button", "action_id": action_id, "text": {"type": "plain_text", "text": label}, "value": "42"})
}

#[tokio::test]
async fn answers_read_as_the_published_description_says() {
    let world = World::open().await;
    let spec = spec::slack();
    let says = async |method: &str, body: Value| -> Value {
        let value = world.web(method, body).await;
        spec::check_slack(&spec, method, &value);
        value
    };
    let reads = async |method: &str, query: &[(&str, &str)]| -> Value {
        let value = world.ask(method, query).await;
        spec::check_slack(&spec, method, &value);
        value
    };
    says("auth.test", json!({})).await;
    let made = says("conversations.create", json!({"name": "inc-1"})).await;
    let room = made["channel"]["id"].as_str().expect("an id").to_owned();
    let of = |more: Value| {
        let mut body = json!({"channel": room});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    says("conversations.invite", of(json!({"users": "U0ANA,U0BO"}))).await;
    says("conversations.setTopic", of(json!({"topic": "sev1"}))).await;
    says("conversations.setPurpose", of(json!({"purpose": "the database"}))).await;
    says("conversations.rename", of(json!({"name": "inc-2"}))).await;
    says("conversations.join", of(json!({}))).await;
    let blocks = json!([section("db down"), {"type": "actions", "elements": [button("ack", "Acknowledge")]}]);
    let posted = says("chat.postMessage", of(json!({"text": "db down", "blocks": blocks}))).await;
    let ts = posted["ts"].as_str().expect("a ts").to_owned();
    says("chat.postMessage", of(json!({"text": "more", "thread_ts": ts}))).await;
    says("chat.postEphemeral", of(json!({"user": "U0ANA", "text": "psst"}))).await;
    says("reactions.add", of(json!({"name": "eyes", "timestamp": ts}))).await;
    says("pins.add", of(json!({"timestamp": ts}))).await;
    reads("pins.list", &[("channel", &room)]).await;
    reads("chat.getPermalink", &[("channel", &room), ("message_ts", &ts)]).await;
    reads("conversations.info", &[("channel", &room), ("include_num_members", "true")]).await;
    reads("conversations.members", &[("channel", &room)]).await;
    reads("conversations.list", &[]).await;
    reads("conversations.history", &[("channel", &room)]).await;
    // The description knows threads between people alone.
    let mut thread = world.ask("conversations.replies", &[("channel", &room), ("ts", &ts)]).await;
    for message in thread["messages"].as_array_mut().expect("a list") {
        message.as_object_mut().expect("an object").retain(|name, _| !["app_id", "bot_id", "blocks", "reactions"].contains(&name.as_str()));
    }
    spec::check_slack(&spec, "conversations.replies", &thread);
    let direct = says("conversations.open", json!({"users": "U0ANA"})).await["channel"]["id"].as_str().expect("an id").to_owned();
    says("conversations.open", json!({"channel": direct, "return_im": true})).await;
    reads("users.info", &[("user", "U0ANA")]).await;
    reads("users.info", &[("user", BOT_USER)]).await;
    reads("users.list", &[]).await;
    reads("users.lookupByEmail", &[("email", "bo@example.com")]).await;
    says("pins.remove", of(json!({"timestamp": ts}))).await;
    says("reactions.remove", of(json!({"name": "eyes", "timestamp": ts}))).await;
    // The description of a changed message takes its blocks for an object, which they never were.
    let mut changed = world.web("chat.update", of(json!({"ts": ts, "text": "db up"}))).await;
    changed["message"].as_object_mut().expect("an object").remove("blocks");
    spec::check_slack(&spec, "chat.update", &changed);
    says("chat.delete", of(json!({"ts": ts}))).await;
    says("conversations.kick", of(json!({"user": "U0BO"}))).await;
    says("conversations.archive", of(json!({}))).await;

    // Errors are words that the method is described with.
    for (method, body, error) in [
        ("conversations.create", json!({"name": "inc-2"}), "name_taken"),
        ("conversations.create", json!({"name": "Inc"}), "invalid_name_specials"),
        ("conversations.archive", json!({"channel": room}), "already_archived"),
        ("conversations.invite", json!({"channel": room, "users": "U0BO"}), "is_archived"),
        ("conversations.setTopic", json!({"channel": "C0GENERAL", "topic": "x"}), "not_in_channel"),
        ("conversations.open", json!({"users": "U0NOBODY"}), "user_not_found"),
        ("chat.postMessage", json!({"channel": "C0NONE0000", "text": "x"}), "channel_not_found"),
        ("chat.postMessage", json!({"channel": room, "text": "x"}), "is_archived"),
        ("chat.postMessage", json!({"channel": INCIDENTS}), "no_text"),
        ("chat.update", json!({"channel": INCIDENTS, "ts": "1438138800.000000", "text": "x"}), "message_not_found"),
        ("chat.delete", json!({"channel": INCIDENTS, "ts": "1438138800.000000"}), "message_not_found"),
        ("pins.add", json!({"channel": INCIDENTS, "timestamp": "1438138800.000000"}), "message_not_found"),
        ("reactions.add", json!({"channel": INCIDENTS, "timestamp": "1438138800.000000", "name": "eyes"}), "message_not_found"),
    ] {
        assert_eq!(says(method, body).await["error"], error, "{method}");
    }
    world.stage.shut().await;
}

#[tokio::test]
async fn a_room_is_made_named_peopled_pinned_and_archived() {
    let world = World::open().await;
    let slack = world.slack();
    assert_eq!(world.web("auth.test", json!({})).await["user_id"], BOT_USER);

    let room = world.made("inc-1-db-down").await;
    for (name, error) in [
        ("", "invalid_name_required"),
        ("Inc-1", "invalid_name_specials"),
        ("inc 1", "invalid_name_specials"),
        ("---", "invalid_name_punctuation"),
        ("inc-1-db-down", "name_taken"),
        (&"x".repeat(81), "invalid_name_maxlength"),
    ] {
        assert_eq!(world.web("conversations.create", json!({"name": name})).await["error"], error, "{name}");
    }
    world.does("conversations.setTopic", json!({"channel": room, "topic": "sev1, lead nobody"})).await;
    world.does("conversations.setPurpose", json!({"channel": room, "purpose": "the database"})).await;
    let long = "x".repeat(251);
    assert_eq!(world.web("conversations.setTopic", json!({"channel": room, "topic": long})).await["error"], "too_long");

    world.does("conversations.invite", json!({"channel": room, "users": "U0ANA,U0BO"})).await;
    let refused = world.web("conversations.invite", json!({"channel": room, "users": "U0ANA,U0NOBODY"})).await;
    assert_eq!((&refused["error"], &refused["errors"][1]["error"]), (&json!("already_in_channel"), &json!("user_not_found")));
    assert_eq!(world.web("conversations.invite", json!({"channel": room, "users": BOT_USER})).await["error"], "cant_invite_self");
    world.does("conversations.invite", json!({"channel": room, "users": "U0ANA,U0CLEO", "force": true})).await;
    let members = world.ask("conversations.members", &[("channel", &room)]).await;
    assert_eq!(members["members"], json!([BOT_USER, "U0ANA", "U0BO", "U0CLEO"]));

    let ts = world.posted(&room, "the board").await;
    world.does("pins.add", json!({"channel": room, "timestamp": ts})).await;
    assert_eq!(world.web("pins.add", json!({"channel": room, "timestamp": ts})).await["error"], "already_pinned");
    assert_eq!(world.ask("pins.list", &[("channel", &room)]).await["items"][0]["message"]["text"], "the board");
    let added = world
        .does("bookmarks.add", json!({"channel_id": room, "title": "Timeline", "type": "link", "link": "http://reveille/incidents/1"}))
        .await;
    let edit = json!({"channel_id": room, "bookmark_id": added["bookmark"]["id"], "title": "The timeline"});
    world.does("bookmarks.edit", edit).await;
    let bookmarks = world.web("bookmarks.list", json!({"channel_id": room})).await;
    assert_eq!(bookmarks["bookmarks"][0]["title"], "The timeline");
    world.does("conversations.rename", json!({"channel": room, "name": "inc-1-closed"})).await;

    let seen = slack.room("inc-1-closed").expect("it is there");
    assert_eq!((seen.topic.value.as_str(), seen.purpose.value.as_str()), ("sev1, lead nobody", "the database"));
    assert_eq!(seen.pinned().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["the board"]);
    assert_eq!(seen.posts().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["the board"]);

    world.does("conversations.archive", json!({"channel": room})).await;
    assert_eq!(world.web("conversations.archive", json!({"channel": room})).await["error"], "already_archived");
    assert_eq!(world.web("chat.postMessage", json!({"channel": room, "text": "late"})).await["error"], "is_archived");
    assert_eq!(world.web("conversations.setTopic", json!({"channel": room, "topic": "late"})).await["error"], "is_archived");
    // The name stays taken.
    assert_eq!(world.web("conversations.create", json!({"name": "inc-1-closed"})).await["error"], "name_taken");
    world.stage.shut().await;
}

#[tokio::test]
async fn messages_are_posted_edited_in_place_and_deleted() {
    let world = World::open().await;
    let ts = world.posted(INCIDENTS, "first").await;
    let blocks = json!([section("*second*"), {"type": "actions", "elements": [button("ack", "Acknowledge")]}]);
    let edited = world.does("chat.update", json!({"channel": INCIDENTS, "ts": ts, "text": "second", "blocks": blocks})).await;
    assert_eq!(edited["text"], "second");
    // Blocks that are not given stay.
    world.does("chat.update", json!({"channel": INCIDENTS, "ts": ts, "text": "third"})).await;
    let room = world.slack().room("incidents").expect("it is there");
    let message = room.message(&ts).expect("it is there");
    assert_eq!((message.text.as_str(), message.words().as_str(), message.edits), ("third", "*second*\nAcknowledge", 2));
    assert_eq!(message.buttons()[0].action_id, "ack");
    assert!(message.blocks.iter().all(|block| block["block_id"].is_string()), "Slack gives ids to blocks without one");

    let reply = world.does("chat.postMessage", json!({"channel": INCIDENTS, "text": "in the thread", "thread_ts": ts})).await;
    assert_eq!(reply["message"]["thread_ts"], ts.as_str());
    assert_eq!(world.ask("conversations.history", &[("channel", INCIDENTS)]).await["messages"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        world.ask("conversations.replies", &[("channel", INCIDENTS), ("ts", &ts)]).await["messages"].as_array().map(Vec::len),
        Some(2)
    );

    world.does("chat.postEphemeral", json!({"channel": INCIDENTS, "user": "U0ANA", "text": "psst"})).await;
    let hidden = world.slack().room(INCIDENTS).and_then(|room| room.messages.last().cloned()).expect("a message");
    assert_eq!(hidden.only_for.as_deref(), Some("U0ANA"));
    let edit = json!({"channel": INCIDENTS, "ts": hidden.ts, "text": "x"});
    assert_eq!(world.web("chat.update", edit).await["error"], "message_not_found");

    world.does("chat.postMessage", json!({"channel": "U0ANA", "text": "you alone"})).await;
    assert_eq!(world.slack().direct("U0ANA")[0].text, "you alone");

    world.slack().types("U0BO", INCIDENTS, "a person writes").await.expect("he may");
    let theirs = world.slack().room(INCIDENTS).and_then(|room| room.messages.last().cloned()).expect("a message").ts;
    assert_eq!(world.web("chat.update", json!({"channel": INCIDENTS, "ts": theirs, "text": "x"})).await["error"], "cant_update_message");
    assert_eq!(world.web("chat.delete", json!({"channel": INCIDENTS, "ts": theirs})).await["error"], "cant_delete_message");
    world.does("chat.delete", json!({"channel": INCIDENTS, "ts": ts})).await;
    assert_eq!(world.web("chat.delete", json!({"channel": INCIDENTS, "ts": ts})).await["error"], "message_not_found");
    world.stage.shut().await;
}

#[tokio::test]
async fn what_slack_refuses_is_refused_with_its_word() {
    let world = World::open().await;
    let many: Vec<Value> = (0..51).map(|n| section(&format!("line {n}"))).collect();
    let wide: Vec<Value> = (0..5).map(|_| section(&"x".repeat(2_900))).collect();
    let cases = [
        (json!({"channel": "C0NONE", "text": "x"}), "channel_not_found"),
        (json!({"channel": "C0GENERAL", "text": "x"}), "not_in_channel"),
        (json!({"channel": INCIDENTS}), "no_text"),
        (json!({"channel": INCIDENTS, "text": "x".repeat(40_001)}), "msg_too_long"),
        (json!({"channel": INCIDENTS, "text": "x", "thread_ts": "1"}), "invalid_thread_ts"),
        (json!({"channel": INCIDENTS, "text": "x", "thread_ts": "1438138800.000000"}), "thread_not_found"),
        (json!({"channel": INCIDENTS, "blocks": "[{"}), "invalid_blocks_format"),
        (json!({"channel": INCIDENTS, "blocks": many}), "invalid_blocks"),
        (json!({"channel": INCIDENTS, "blocks": wide}), "msg_blocks_too_long"),
        (json!({"channel": INCIDENTS, "blocks": [section(&"x".repeat(3_001))]}), "invalid_blocks"),
        (json!({"channel": INCIDENTS, "blocks": [section("")]}), "invalid_blocks"),
        (
            json!({"channel": INCIDENTS, "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}, "colour": "red"}]}),
            "invalid_blocks",
        ),
        (json!({"channel": INCIDENTS, "blocks": [{"type": "actions", "elements": [button("a", &"x".repeat(76))]}]}), "invalid_blocks"),
        (json!({"channel": INCIDENTS, "blocks": [{"type": "actions", "elements": []}]}), "invalid_blocks"),
        (
            json!({"channel": INCIDENTS, "blocks": [{"type": "actions", "elements": [button("a", "A"), button("a", "B")]}]}),
            "invalid_blocks",
        ),
        (json!({"channel": INCIDENTS, "blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}), "invalid_blocks"),
        (json!({"channel": INCIDENTS, "blocks": [{"type": "shout"}]}), "invalid_blocks"),
    ];
    for (body, error) in cases {
        let refused = world.web("chat.postMessage", body.clone()).await;
        assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!(error)), "{body}");
    }
    let refused = world.web("chat.postMessage", json!({"channel": INCIDENTS, "blocks": [section(&"x".repeat(3_001))]})).await;
    assert_eq!(refused["errors"][0], "must be less than 3001 characters [json-pointer:/blocks/0/text/text]");
    assert!(world.slack().room(INCIDENTS).is_some_and(|room| room.messages.is_empty()), "nothing was posted");

    let url = |method: &str| format!("{}/{method}", world.slack().api_url());
    for (request, error) in [
        (world.http.post(url("auth.test")), "not_authed"),
        (world.http.post(url("auth.test")).bearer_auth("xoxb-other"), "invalid_auth"),
        (world.http.post(url("chat.shout")).bearer_auth(BOT_TOKEN), "unknown_method"),
        (
            world.http.post(url("chat.postMessage")).bearer_auth(BOT_TOKEN).header("content-type", "application/json").body("{"),
            "invalid_json",
        ),
        (
            world.http.post(url("chat.postMessage")).bearer_auth(BOT_TOKEN).header("content-type", "application/json").body("[]"),
            "json_not_object",
        ),
        (
            world.http.post(url("chat.postMessage")).bearer_auth(BOT_TOKEN).header("content-type", "text/xml").body("<x/>"),
            "invalid_post_type",
        ),
        // A method that reads forms alone sees nothing in JSON.
        (world.http.post(url("conversations.info")).bearer_auth(BOT_TOKEN).json(&json!({"channel": INCIDENTS})), "channel_not_found"),
        (world.http.get(url("users.lookupByEmail")).bearer_auth(BOT_TOKEN).query(&[("email", "nobody@example.com")]), "users_not_found"),
    ] {
        let (status, value) = answer(request).await;
        assert_eq!((status, &value["error"]), (200, &json!(error)));
    }
    // Without its character set JSON is taken with a warning, and a form may carry the token and the blocks as text.
    let request = world.http.post(url("chat.postMessage")).bearer_auth(BOT_TOKEN).json(&json!({"channel": "#incidents", "text": "hello"}));
    let (_, value) = answer(request).await;
    assert_eq!((&value["ok"], &value["warning"]), (&json!(true), &json!("missing_charset")));
    let blocks = json!([section("from a form")]).to_string();
    let request =
        world.http.post(url("chat.postMessage")).form(&[("token", BOT_TOKEN), ("channel", INCIDENTS), ("blocks", blocks.as_str())]);
    assert_eq!(answer(request).await.1["ok"], true);
    world.stage.shut().await;
}

#[tokio::test]
async fn commands_and_buttons_reach_the_app_signed_and_their_answers_show() {
    let world = World::open().await;
    world.stage.set_reveille(&world.server.url);
    let slack = world.slack();
    world.server.will_answer(200, "application/json", r#"{"text": "Who is doing what", "response_type": "in_channel"}"#);
    slack.slash("U0ANA", INCIDENTS, "who").await.expect("she may");
    let asked = world.server.asked("/slack/commands").remove(0);
    assert_eq!((asked.field("command"), asked.field("text"), asked.field("user_id")), ("/incident", "who", "U0ANA"));
    assert_eq!((asked.field("channel_id"), asked.field("channel_name")), (INCIDENTS, "incidents"));
    let (stamp, signed, _) = &asked.stamped;
    assert_eq!(*stamp, START.seconds().to_string());
    assert_eq!(*signed, super::super::slack::signature(&slack.signing_secret(), stamp, &asked.body));
    let last = || slack.room(INCIDENTS).and_then(|room| room.messages.last().cloned()).expect("a message");
    assert_eq!((last().text.as_str(), last().only_for), ("Who is doing what", None));

    // Later answers come by the response URL, for half an hour and five times.
    let response_url = asked.field("response_url").to_owned();
    assert!(response_url.starts_with(&world.stage.url()));
    let later = |body: Value| world.http.post(&response_url).json(&body).send();
    assert_eq!(later(json!({"text": "and later"})).await.expect("an answer").status().as_u16(), 200);
    assert_eq!((last().text.as_str(), last().only_for.as_deref()), ("and later", Some("U0ANA")));
    for _ in 0..4 {
        assert_eq!(later(json!({"text": "more"})).await.expect("an answer").status().as_u16(), 200);
    }
    assert_eq!(later(json!({"text": "too much"})).await.expect("an answer").status().as_u16(), 404);

    let blocks = json!([section("db down"), {"type": "actions", "block_id": "row", "elements": [button("ack", "Acknowledge")]}]);
    let ts = world.does("chat.postMessage", json!({"channel": INCIDENTS, "text": "db down", "blocks": blocks})).await["ts"].clone();
    world.server.will_answer(200, "text/plain", "");
    slack.press("U0BO", INCIDENTS, "Acknowledge").await.expect("it is there");
    let asked = world.server.asked("/slack/interactions").remove(0);
    let payload: Value = serde_json::from_str(asked.field("payload")).expect("JSON");
    assert_eq!((&payload["type"], &payload["user"]["id"], &payload["message"]["ts"]), (&json!("block_actions"), &json!("U0BO"), &ts));
    let action = &payload["actions"][0];
    assert_eq!((&action["action_id"], &action["block_id"], &action["value"]), (&json!("ack"), &json!("row"), &json!("42")));
    let replace = json!({"text": "acknowledged", "replace_original": true, "blocks": []});
    let done = world.http.post(payload["response_url"].as_str().expect("a URL")).json(&replace).send().await.expect("an answer");
    assert_eq!(done.status().as_u16(), 200);
    assert_eq!((last().text.as_str(), last().edits), ("acknowledged", 1));
    assert!(slack.press("U0BO", INCIDENTS, "Acknowledge").await.is_err(), "the button is gone");

    // An app that answers nothing in time, or badly, shows.
    world.server.will_answer(500, "text/plain", "oops");
    slack.slash("U0ANA", INCIDENTS, "list").await.expect("she may");
    assert_eq!(last().text, "/incident failed with the error \"dispatch_failed\"");
    slack.types("U0ANA", INCIDENTS, "/deploy now").await.expect("she may");
    assert!(last().text.contains("is not a valid command") && last().only_for.as_deref() == Some("U0ANA"));
    slack.types_in("U0ANA", INCIDENTS, Some(ts.as_str().expect("a ts")), "/incident who").await.expect("she may");
    assert!(last().text.contains("is not supported in threads"));
    assert_eq!(world.server.asked("/slack/commands").len(), 2);
    assert!(slack.slash("U0NOBODY", INCIDENTS, "who").await.is_err());
    world.stage.shut().await;
}

#[tokio::test]
async fn an_app_that_is_too_slow_is_told_on() {
    let world = World::open().await;
    let (listener, slack) = (TcpListener::bind("127.0.0.1:0").await.expect("a port is free"), world.slack());
    // It takes connections and never answers.
    world.stage.set_reveille(&format!("http://{}", listener.local_addr().expect("an address")));
    let asking = tokio::spawn({
        let slack = slack.clone();
        async move { slack.slash("U0ANA", INCIDENTS, "who").await }
    });
    let (_held, _) = listener.accept().await.expect("a connection");
    world.until("it waits for the answer", || world.clock.next_deadline().is_some()).await;
    world.clock.advance_to(START + Span::seconds(3));
    asking.await.expect("the task ends").expect("she may");
    let last = slack.room(INCIDENTS).and_then(|room| room.messages.last().cloned()).expect("a message");
    assert_eq!(last.text, "/incident failed with the error \"operation_timeout\"");
    world.stage.shut().await;
}

#[tokio::test]
async fn mentions_are_events_and_come_again_until_taken() {
    let world = World::open().await;
    world.stage.set_reveille(&world.server.url);
    let slack = world.slack();
    // The message is told of as well, and comes again as often.
    for _ in 0..4 {
        world.server.will_answer(503, "text/plain", "");
    }
    slack.types("U0ANA", INCIDENTS, &format!("<@{BOT_USER}> ack")).await.expect("she may");
    world.pass(Span::seconds(59)).await;
    let told = || {
        let told = world.server.asked("/slack/events").into_iter();
        let told = told.map(|asked| (serde_json::from_str::<Value>(&asked.body).expect("JSON"), asked.stamped.2));
        told.filter(|(body, _)| body["event"]["type"] == "app_mention").collect::<Vec<_>>()
    };
    let bodies = || -> Vec<Value> { told().into_iter().map(|(body, _)| body).collect() };
    assert_eq!(bodies().len(), 2, "once more at once");
    world.pass(Span::seconds(1)).await;
    let all = bodies();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|body| body["event_id"] == all[0]["event_id"]));
    assert_eq!(told()[2].1, "2");
    world.pass(Span::minutes(6)).await;
    assert_eq!(bodies().len(), 3, "taken is taken");

    slack.types("U0ANA", INCIDENTS, "just talking").await.expect("she may");
    assert_eq!(bodies().len(), 3);
    slack.set_events_twice(true);
    slack.types("U0ANA", INCIDENTS, &format!("<@{BOT_USER}> who")).await.expect("she may");
    assert_eq!(bodies()[3]["event_id"], bodies()[4]["event_id"]);

    world.server.will_answer(200, "text/plain", "not the challenge");
    assert!(slack.verify_url().await.is_err());
    world.stage.shut().await;
}

#[tokio::test]
async fn a_dialogue_opens_on_a_trigger_once_and_gives_back_what_was_filled_in() {
    let world = World::open().await;
    world.stage.set_reveille(&world.server.url);
    let slack = world.slack();
    slack.slash("U0ANA", INCIDENTS, "new").await.expect("she may");
    let trigger = world.server.asked("/slack/commands")[0].field("trigger_id").to_owned();
    let input = json!({"type": "input", "block_id": "title", "label": {"type": "plain_text", "text": "Title"},
        "element": {"type": "plain_text_input", "action_id": "text"}});
    let plain = |text: &str| json!({"type": "plain_text", "text": text});
    let view = json!({"type": "modal", "callback_id": "declare", "title": plain("Declare"), "submit": plain("Declare"), "blocks": [input]});
    let mut without = view.clone();
    without.as_object_mut().expect("an object").remove("submit");
    assert_eq!(world.web("views.open", json!({"trigger_id": trigger, "view": without})).await["error"], "invalid_arguments");
    let open = json!({"trigger_id": trigger, "view": view});
    let id = world.does("views.open", open.clone()).await["view"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.web("views.open", open).await["error"], "exchanged_trigger_id");
    assert_eq!(slack.modals()[0].user, "U0ANA");

    let filled = std::collections::BTreeMap::from([("title".to_owned(), "db down".to_owned())]);
    world.server.will_answer(200, "application/json", r#"{"response_action": "errors", "errors": {"title": "say more"}}"#);
    slack.submit(&id, &filled).await.expect("it is open");
    assert_eq!(slack.modals()[0].errors["title"], "say more");
    world.server.will_answer(200, "text/plain", "");
    slack.submit(&id, &filled).await.expect("it is open");
    assert!(slack.modals().is_empty());
    let payload: Value = serde_json::from_str(world.server.asked("/slack/interactions")[1].field("payload")).expect("JSON");
    assert_eq!(payload["view"]["state"]["values"]["title"]["text"]["value"], "db down");
    assert_eq!((&payload["type"], &payload["view"]["callback_id"]), (&json!("view_submission"), &json!("declare")));

    slack.slash("U0ANA", INCIDENTS, "new").await.expect("she may");
    let trigger = world.server.asked("/slack/commands")[1].field("trigger_id").to_owned();
    world.pass(Span::seconds(3)).await;
    assert_eq!(world.web("views.open", json!({"trigger_id": trigger, "view": view})).await["error"], "expired_trigger_id");
    world.stage.shut().await;
}

#[tokio::test]
async fn the_web_api_fails_on_request_and_for_as_long_as_told() {
    let world = World::open().await;
    let slack = world.slack();
    let post = || {
        let body = json!({"channel": INCIDENTS, "text": "x"});
        world.http.post(format!("{}/chat.postMessage", slack.api_url())).bearer_auth(BOT_TOKEN).json(&body).send()
    };
    slack.set_fault(Some(SlackFault::RateLimited { retry_after: 30 }), Some(Span::minutes(5)));
    let limited = post().await.expect("an answer");
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().expect("text")), (429, "30"));
    world.pass(Span::minutes(5)).await;
    assert_eq!(slack.fault(), None, "it is over by itself");
    slack.set_fault(Some(SlackFault::Refuse { status: 503 }), None);
    assert_eq!(post().await.expect("an answer").status().as_u16(), 503);
    slack.set_fault(Some(SlackFault::Nonsense), None);
    assert_eq!(post().await.expect("an answer").headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(slack.room(INCIDENTS).map(|room| room.messages.len()), Some(0));
    slack.set_fault(Some(SlackFault::DoButDrop), None);
    assert!(post().await.is_err(), "done, and the connection closes");
    assert_eq!(slack.room(INCIDENTS).map(|room| room.messages.len()), Some(1));
    slack.set_fault(Some(SlackFault::Hang), None);
    let hanging = tokio::spawn(post());
    world.until("it hangs", || world.stage.requests_hanging() == 1).await;
    slack.set_fault(None, None);
    assert_eq!(hanging.await.expect("the task ends").expect("an answer").status().as_u16(), 503);
    assert_eq!((slack.requests(), slack.requests_of("chat.postMessage")), (5, 5));
    world.stage.shut().await;
}
