//! Texts: sent, told of, refused, written on a phone and answered.

use super::super::text::segments;
use super::spec::check;
use super::*;

impl World {
    fn words(&self, to: &str, body: &str) -> Vec<(&'static str, String)> {
        vec![
            ("To", to.to_owned()),
            ("From", FROM.to_owned()),
            ("Body", body.to_owned()),
            ("StatusCallback", format!("{}/status?page=7", self.server.url)),
        ]
    }

    async fn sends(&self, fields: &[(&'static str, String)]) -> (u16, Value) {
        answer(self.api(Method::POST, "/Messages.json").form(fields)).await
    }

    /// Sends a text and waits until nothing more comes of it.
    async fn sent(&self, to: &str, body: &str) -> String {
        let (status, text) = self.sends(&self.words(to, body)).await;
        assert_eq!(status, 201, "{text}");
        self.idle().await;
        text["sid"].as_str().expect("a text has a sid").to_owned()
    }

    fn stati(&self) -> Vec<String> {
        self.server.asked("/status").iter().map(|asked| asked.field("MessageStatus").to_owned()).collect()
    }

    fn on(&self, phone: &str) -> Vec<String> {
        let texts = self.stage.texts();
        texts.iter().filter(|text| text.to == phone || text.from == phone).map(|text| text.body.clone()).collect()
    }
}

#[tokio::test]
async fn texts_read_as_the_published_description_says() {
    let world = World::open().await;
    let spec = spec::messages();
    let message = &spec["components"]["schemas"]["api.v2010.account.message"];
    let path = "/2010-04-01/Accounts/{AccountSid}/Messages.json";
    let listed = &spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    let create = &spec["paths"][path]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]["properties"];
    for name in ["To", "From", "Body", "StatusCallback", "MessagingServiceSid", "MediaUrl"] {
        assert!(create[name].is_object(), "{name} is not described");
    }

    let (status, queued) = world.sends(&world.words(ANA, "db down")).await;
    assert_eq!((status, &queued["status"], &queued["date_sent"]), (201, &json!("queued"), &Value::Null));
    check(&spec, message, &queued, "created");
    world.idle().await;
    let sid = queued["sid"].as_str().expect("a sid").to_owned();
    let (_, delivered) = answer(world.api(Method::GET, &format!("/Messages/{sid}.json"))).await;
    check(&spec, message, &delivered, "delivered");
    assert_eq!((&delivered["status"], &delivered["date_sent"]), (&json!("delivered"), &json!("Wed, 29 Jul 2015 03:00:00 +0000")));
    assert_eq!(world.stati(), ["queued", "sent", "delivered"]);
    for asked in world.server.asked("/status") {
        let fields: Vec<(&'static str, String)> =
            asked.fields.iter().map(|(name, value)| (&*Box::leak(name.clone().into_boxed_str()), value.clone())).collect();
        assert_eq!(asked.signature, signature(TOKEN, &format!("{}/status?page=7", world.server.url), &fields));
        assert_eq!(asked.field("MessageSid"), sid);
    }

    world.pass(Span::hours(24)).await;
    let later = world.sent(BO, "and now").await;
    let found = async |query: &[(&str, &str)]| -> Vec<String> {
        let (status, page) = answer(world.api(Method::GET, "/Messages.json").query(query)).await;
        assert_eq!(status, 200, "{page}");
        check(&spec, listed, &page, "list");
        page["messages"].as_array().expect("a list").iter().map(|text| text["sid"].as_str().expect("a sid").to_owned()).collect()
    };
    assert_eq!(found(&[]).await, [later.as_str(), sid.as_str()]);
    assert_eq!(found(&[("To", ANA)]).await, [sid.as_str()]);
    assert_eq!(found(&[("To", BO), ("DateSent>", "2015-07-30")]).await, [later.as_str()]);
    assert_eq!(found(&[("DateSent", "2015-07-29")]).await, [sid.as_str()]);
    assert_eq!(found(&[("PageSize", "1"), ("Page", "1")]).await, [sid.as_str()]);

    let file = format!("/Messages/{sid}.json");
    let (status, _) = answer(world.api(Method::POST, &file).form(&[("Body", "another")])).await;
    assert_eq!(status, 400);
    let (status, redacted) = answer(world.api(Method::POST, &file).form(&[("Body", "")])).await;
    assert_eq!((status, &redacted["body"]), (200, &json!("")));
    assert_eq!(world.api(Method::DELETE, &file).send().await.expect("an answer").status().as_u16(), 204);
    assert_eq!(answer(world.api(Method::GET, &file)).await.0, 404);
    world.stage.shut().await;
}

#[tokio::test]
async fn what_twilio_refuses_of_texts_is_refused_with_its_code() {
    let world = World::open().await;
    let long = "x".repeat(1_601);
    let cases: [(&str, &str, u64); 11] = [
        ("To", "", 21_604),
        ("To", "0033100000001", 21_211),
        ("To", FROM, 21_266),
        ("From", "", 21_603),
        ("From", "+0", 21_212),
        ("From", "Reveille!", 21_212),
        ("MessagingServiceSid", "MG00000000000000000000000000000000", 21_705),
        ("Body", "", 21_602),
        ("Body", &long, 21_617),
        ("MediaUrl", "https://example.com/a.png", 21_612),
        ("StatusCallback", "/status", 21_609),
    ];
    for (name, value, code) in cases {
        let mut fields = world.words(ANA, "db down");
        fields.retain(|(key, _)| *key != name);
        fields.push((name, value.to_owned()));
        let (status, error) = world.sends(&fields).await;
        assert_eq!((status, &error["code"], &error["status"]), (400, &json!(code), &json!(400)), "{name}={value}");
    }
    let (status, error) = answer(world.api(Method::GET, "/Messages/SM00000000000000000000000000000000.json")).await;
    assert_eq!((status, &error["code"]), (404, &json!(20_404)));
    assert_eq!(world.stage.texts().len(), 0, "nothing was sent");
    // A name may stand in the place of the number; 1,600 characters are taken, whatever their bytes.
    let mut fields = world.words(ANA, &"é".repeat(1_600));
    fields[1].1 = "Reveille".to_owned();
    assert_eq!(world.sends(&fields).await.0, 201);
    world.stage.shut().await;
}

#[tokio::test]
async fn a_text_is_answered_from_the_phone_and_the_server_answers_back() {
    let world = World::open().await;
    world.stage.set_sms_url(&format!("{}/sms", world.server.url));
    assert!(world.stage.reply(ANA, "1").await.is_err(), "there is nothing to answer");
    world.sent(ANA, "db down. Answer 1 to acknowledge.").await;
    world.server.will_answer(200, "text/xml", "<Response><Message>Acknowledged &amp; noted.</Message></Response>");
    world.stage.reply(ANA, "1").await.expect("there is a text");
    world.idle().await;
    let asked = world.server.asked("/sms").remove(0);
    assert_eq!((asked.field("From"), asked.field("To"), asked.field("Body"), asked.field("SmsStatus")), (ANA, FROM, "1", "received"));
    let fields: Vec<(&'static str, String)> =
        asked.fields.iter().map(|(name, value)| (&*Box::leak(name.clone().into_boxed_str()), value.clone())).collect();
    assert_eq!(asked.signature, signature(TOKEN, &format!("{}/sms", world.server.url), &fields));
    assert_eq!(world.on(ANA), ["db down. Answer 1 to acknowledge.", "1", "Acknowledged & noted."]);

    for (status, kind, body, code) in [
        (500, "text/xml", "<Response/>", "11200"),
        (200, "application/json", "{}", "12300"),
        (200, "text/xml", "<Response><Message>fish & chips</Message></Response>", "12100"),
        (200, "text/xml", "<Response><Say>Hello</Say></Response>", "12200"),
        (200, "text/xml", "<Response><Message/></Response>", "14103"),
    ] {
        world.server.will_answer(status, kind, body);
        world.stage.reply(ANA, "1").await.expect("there is a text");
        let texts = world.stage.texts();
        let problem = texts.iter().rev().find(|text| text.direction == Direction::Inbound).and_then(|text| text.problem.clone());
        assert!(problem.as_ref().is_some_and(|problem| problem.starts_with(code)), "{body}: {problem:?}");
    }
    world.stage.shut().await;
}

#[tokio::test]
async fn a_number_that_says_stop_gets_nothing_until_it_says_start() {
    let world = World::open().await;
    world.stage.set_reveille(&world.server.url);
    world.sent(ANA, "db down").await;
    world.server.will_answer(200, "text/xml", "<Response><Message>You said stop.</Message></Response>");
    world.stage.reply(ANA, " stop ").await.expect("there is a text");
    assert_eq!(world.server.asked("/callbacks/sms").len(), 1, "the server hears of it");
    let (status, error) = world.sends(&world.words(ANA, "db still down")).await;
    assert_eq!((status, &error["code"]), (400, &json!(21_610)));
    assert!(world.on(ANA)[2].starts_with("You have successfully been unsubscribed."), "{:?}", world.on(ANA));
    assert_eq!(world.on(ANA).len(), 3, "an answer is a text too");
    world.sent(BO, "others go on").await;
    world.stage.reply(ANA, "START").await.expect("there is a text");
    world.sent(ANA, "db still down").await;
    // What Twilio says by itself is in no list.
    let (_, page) = answer(world.api(Method::GET, "/Messages.json")).await;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(5));
    world.stage.shut().await;
}

#[tokio::test]
async fn phones_that_are_off_and_networks_that_are_silent() {
    let world = World::open().await;
    world.stage.set_sms_url(&format!("{}/sms", world.server.url));
    world.stage.set_text_habit(ANA, TextHabit::Undelivered);
    world.sent(ANA, "one").await;
    assert_eq!(world.stati(), ["queued", "sent", "undelivered"]);
    assert_eq!(world.server.asked("/status")[2].field("ErrorCode"), "30003");
    world.stage.set_text_habit(ANA, TextHabit::Failed);
    world.sent(ANA, "two").await;
    world.stage.set_text_habit(ANA, TextHabit::Silent);
    let silent = world.sent(ANA, "three").await;
    assert_eq!(world.stati()[3..], ["queued", "failed", "queued", "sent"]);
    assert_eq!(world.stage.texts().iter().find(|text| text.sid == silent).map(|text| text.status), Some(TextStatus::Sent));
    world.stage.set_text_habit(ANA, TextHabit::Answer { words: "ack".to_owned(), after: Span::seconds(8) });
    world.sent(ANA, "four").await;
    world.pass(Span::seconds(7)).await;
    assert!(world.server.asked("/sms").is_empty());
    world.pass(Span::seconds(1)).await;
    assert_eq!(world.server.asked("/sms")[0].field("Body"), "ack");

    world.stage.set_fault(Some(Fault::AcceptAndDoNothing));
    let held = world.sent(BO, "lost").await;
    assert_eq!(world.stage.texts().iter().find(|text| text.sid == held).map(|text| text.status), Some(TextStatus::Queued));
    world.stage.set_fault(Some(Fault::PlaceButDrop));
    assert!(world.api(Method::POST, "/Messages.json").form(&world.words(BO, "sent")).send().await.is_err());
    world.idle().await;
    assert_eq!(world.on(BO), ["lost", "sent"]);
    world.stage.shut().await;
}

#[test]
fn a_long_text_is_cut_into_segments() {
    let cases =
        [("", 1), (&*"x".repeat(160), 1), (&*"x".repeat(161), 2), (&*"x".repeat(306), 2), (&*"€".repeat(80), 1), (&*"ж".repeat(71), 2)];
    for (body, count) in cases {
        assert_eq!(segments(body), count, "{} characters", body.chars().count());
    }
}
