//! Calls as an account's server sees them, from the order to the last callback.

use super::spec::check;
use super::*;

#[tokio::test]
async fn calls_read_as_the_published_description_says() {
    let world = World::open().await;
    let spec = spec::calls();
    let call = &spec["components"]["schemas"]["api.v2010.account.call"];
    let path = "/2010-04-01/Accounts/{AccountSid}/Calls.json";
    let listed = &spec["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];

    let (status, queued) = world.post(&world.order(ANA, MENU)).await;
    assert_eq!(status, 201);
    check(&spec, call, &queued, "created");
    assert_eq!(queued["status"], "queued");
    assert_eq!(queued["start_time"], Value::Null);
    assert_eq!(queued["date_created"], "Wed, 29 Jul 2015 03:00:00 +0000");
    world.idle().await;

    let sid = queued["sid"].as_str().expect("a sid");
    let file = format!("/Calls/{sid}.json");
    let (_, ringing) = answer(world.api(Method::GET, &file)).await;
    check(&spec, call, &ringing, "ringing");
    assert_eq!(ringing["status"], "ringing");

    world.pass(Span::seconds(7)).await;
    world.stage.answer(sid).await.expect("it rings");
    world.pass(Span::seconds(4)).await;
    let (status, ended) = answer(world.api(Method::POST, &file).form(&[("Status", "completed")])).await;
    assert_eq!((status, &ended["status"], &ended["duration"]), (200, &json!("completed"), &json!("4")));
    check(&spec, call, &ended, "ended");

    let (status, page) = answer(world.api(Method::GET, "/Calls.json")).await;
    assert_eq!(status, 200);
    check(&spec, listed, &page, "list");
    assert_eq!(page["calls"].as_array().map(Vec::len), Some(1));
    world.stage.shut().await;
}

#[test]
fn the_stage_reads_what_the_description_lets_be_sent() {
    let spec = spec::calls();
    let create = &spec["paths"]["/2010-04-01/Accounts/{AccountSid}/Calls.json"]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
        ["schema"]["properties"];
    for name in
        ["To", "From", "Url", "Method", "Twiml", "StatusCallback", "StatusCallbackMethod", "StatusCallbackEvent", "Timeout", "TimeLimit"]
    {
        assert!(create[name].is_object(), "{name} is not described");
    }
    let list = spec["paths"]["/2010-04-01/Accounts/{AccountSid}/Calls.json"]["get"]["parameters"].as_array().expect("parameters");
    for name in ["To", "From", "Status", "StartTime", "StartTime<", "StartTime>", "EndTime<", "EndTime>", "PageSize", "Page"] {
        assert!(list.iter().any(|parameter| parameter["name"] == name), "{name} is not described");
    }
}

#[tokio::test]
async fn what_twilio_refuses_is_refused_with_its_code() {
    let world = World::open().await;
    let long = "x".repeat(4_001);
    let cases: [(&str, &str, u64); 17] = [
        ("To", "", 21_201),
        ("To", "0033100000001", 21_211),
        ("To", "+0123456789", 21_211),
        ("To", "+33 1 00 00 00 01", 21_211),
        ("From", "", 21_213),
        ("From", "Reveille", 21_212),
        ("Twiml", "", 21_205),
        ("Twiml", &long, 32_018),
        ("Url", "/twiml", 21_205),
        ("Url", "ftp://example.com/twiml", 21_205),
        ("StatusCallback", "/status", 21_609),
        ("StatusCallback", "http://under_score.example.com/", 21_609),
        ("StatusCallbackEvent", "finished", 21_626),
        ("StatusCallbackMethod", "PUT", 20_001),
        ("Timeout", "601", 21_208),
        ("Timeout", "soon", 21_208),
        ("TimeLimit", "0", 21_208),
    ];
    for (name, value, code) in cases {
        let mut fields = world.order(ANA, MENU);
        fields.retain(|(key, _)| *key != name);
        fields.push((name, value.to_owned()));
        let (status, error) = world.post(&fields).await;
        assert_eq!((status, &error["code"], &error["status"]), (400, &json!(code), &json!(400)), "{name}={value}");
        assert_eq!(error["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
        assert!(error["message"].is_string());
    }
    // A body that is no form has no parameters.
    let (status, error) = answer(world.api(Method::POST, "/Calls.json").json(&json!({"To": ANA}))).await;
    assert_eq!((status, &error["code"]), (400, &json!(21_201)));

    for (sid, token) in [(ACCOUNT, "wrong"), ("ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", TOKEN)] {
        let request =
            world.http.get(format!("{}/2010-04-01/Accounts/{ACCOUNT}/Calls.json", world.stage.url())).basic_auth(sid, Some(token));
        let (status, error) = answer(request).await;
        assert_eq!((status, &error["code"], &error["message"]), (401, &json!(20_003), &json!("Authenticate")));
    }
    for path in ["/Calls/CA00000000000000000000000000000000.json", "/Queues.json", "/Calls/nothing.json"] {
        let (status, error) = answer(world.api(Method::GET, path)).await;
        assert_eq!((status, &error["code"]), (404, &json!(20_404)), "{path}");
    }
    let (status, error) = answer(world.api(Method::PUT, "/Calls.json")).await;
    assert_eq!((status, &error["code"]), (405, &json!(20_004)));
    assert_eq!(world.stage.calls().len(), 0, "nothing was placed");
    world.stage.shut().await;
}

#[tokio::test]
async fn the_list_filters_and_pages_newest_first() {
    let world = World::open().await;
    let mut sids = Vec::new();
    for to in [ANA, BO, ANA, ANA] {
        sids.push(world.ring(to, MENU).await);
        world.pass(Span::seconds(10)).await;
    }
    world.stage.decline(&sids[1]).await.expect("it rings");
    let found = async |query: &[(&str, &str)]| -> Vec<usize> {
        let (status, page) = answer(world.api(Method::GET, "/Calls.json").query(query)).await;
        assert_eq!(status, 200, "{page}");
        let calls = page["calls"].as_array().expect("a list").clone();
        calls.iter().map(|call| sids.iter().position(|sid| call["sid"] == sid.as_str()).expect("one of ours")).collect()
    };
    assert_eq!(found(&[]).await, [3, 2, 1, 0]);
    assert_eq!(found(&[("To", ANA)]).await, [3, 2, 0]);
    assert_eq!(found(&[("Status", "busy")]).await, [1]);
    assert_eq!(found(&[("From", BO)]).await, [0_usize; 0]);
    assert_eq!(found(&[("To", ANA), ("StartTime>", "2015-07-29T03:00:20Z")]).await, [3, 2]);
    assert_eq!(found(&[("StartTime<", "2015-07-29T03:00:19Z")]).await, [1, 0]);
    assert_eq!(found(&[("StartTime", "2015-07-29")]).await, [3, 2, 1, 0]);
    assert_eq!(found(&[("StartTime>", "2015-07-30")]).await, [0_usize; 0]);
    assert_eq!(found(&[("PageSize", "3"), ("Page", "1")]).await, [0]);

    let (_, first) = answer(world.api(Method::GET, "/Calls.json").query(&[("PageSize", "3"), ("To", ANA)])).await;
    assert_eq!(first["next_page_uri"], Value::Null);
    let (_, first) = answer(world.api(Method::GET, "/Calls.json").query(&[("PageSize", "3")])).await;
    let next = first["next_page_uri"].as_str().expect("there is more");
    let (_, second) = answer(world.http.get(format!("{}{next}", world.stage.url())).basic_auth(ACCOUNT, Some(TOKEN))).await;
    assert_eq!(second["calls"][0]["sid"], sids[0].as_str());
    let (status, error) = answer(world.api(Method::GET, "/Calls.json").query(&[("StartTime>", "yesterday")])).await;
    assert_eq!((status, &error["code"]), (400, &json!(20_001)));
    world.stage.shut().await;
}

// --- a call's life ---------------------------------------------------------------------------------------------------

#[test]
fn the_signature_is_twilios() {
    // The example of Twilio's own security guide.
    let fields = [
        ("To", "+18005551212".to_owned()),
        ("CallSid", "CA1234567890ABCDE".to_owned()),
        ("Caller", "+14158675309".to_owned()),
        ("Digits", "1234".to_owned()),
        ("From", "+14158675309".to_owned()),
    ];
    assert_eq!(signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", &fields), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
}

#[tokio::test]
async fn a_phone_that_nobody_answers_rings_out() {
    let world = World::open().await;
    let mut fields = world.order(ANA, MENU);
    fields.push(("Timeout", "25".to_owned()));
    let (_, call) = world.post(&fields).await;
    let sid = call["sid"].as_str().expect("a sid");
    world.pass(Span::seconds(24)).await;
    assert_eq!(world.call(sid).status, CallStatus::Ringing);
    world.pass(Span::seconds(1)).await;
    assert_eq!(world.call(sid).status, CallStatus::NoAnswer);
    assert_eq!(world.server.told(), ["initiated", "ringing", "no-answer"]);
    for (n, asked) in world.server.asked("/status").iter().enumerate() {
        let given: Vec<(&'static str, String)> =
            asked.fields.iter().map(|(name, value)| (&*Box::leak(name.clone().into_boxed_str()), value.clone())).collect();
        assert_eq!(asked.signature, signature(TOKEN, &format!("{}/status?page=7", world.server.url), &given));
        assert_eq!(asked.field("SequenceNumber"), n.to_string());
        assert_eq!((asked.field("CallSid"), asked.field("AccountSid")), (sid, ACCOUNT));
        assert_eq!((asked.field("To"), asked.field("From"), asked.field("Direction")), (ANA, FROM, "outbound-api"));
        assert_eq!((asked.field("ApiVersion"), asked.field("CallbackSource")), ("2010-04-01", "call-progress-events"));
    }
    assert_eq!(world.server.asked("/status")[2].field("Timestamp"), "Wed, 29 Jul 2015 03:00:25 +0000");
    world.stage.shut().await;
}

#[tokio::test]
async fn a_key_is_posted_and_the_answer_is_spoken() {
    let world = World::open().await;
    world.server.will_answer(200, "application/xml", "<Response><Say>Thank you. Acknowledged.</Say></Response>");
    let sid = world.ring(ANA, MENU).await;
    world.stage.answer(&sid).await.expect("it rings");
    assert_eq!(world.call(&sid).spoken(), ["Disk & memory. Press 1."]);
    assert!(world.call(&sid).listening);
    world.pass(Span::seconds(1)).await;
    world.stage.press(&sid, '1').await.expect("someone is on the line");
    let call = world.call(&sid);
    assert_eq!(call.spoken(), ["Disk & memory. Press 1.", "Thank you. Acknowledged."]);
    assert_eq!(call.speech[0].until, START + Span::seconds(1), "the key cuts the voice short");
    let asked = world.server.asked("/keys?page=7");
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].field("Digits"), asked[0].field("CallStatus"), asked[0].field("CallSid")), ("1", "in-progress", sid.as_str()));
    assert!(!asked[0].signature.is_empty());
    world.pass(Span::seconds(5)).await;
    let call = world.call(&sid);
    assert_eq!((call.status, call.answered_by, call.digits.as_str()), (CallStatus::Completed, AnsweredBy::Human, "1"));
    assert_eq!(world.server.told(), ["initiated", "ringing", "in-progress", "completed"]);
    let last = world.server.asked("/status").pop().expect("it was told");
    assert_eq!((last.field("CallDuration"), last.field("Duration")), (call.duration().to_string().as_str(), "1"));
    assert!(call.callbacks.iter().all(|delivery| delivery.outcome == Outcome::Answered { status: 200 } && delivery.tries == 1));
    assert!(matches!(world.stage.press(&sid, '1').await, Err(StageError::NotNow { .. })), "it is over");
    assert!(matches!(world.stage.press(&sid, 'x').await, Err(StageError::NoSuchKey('x'))));
    world.stage.shut().await;
}

#[tokio::test]
async fn the_machine_hears_it_all_and_presses_nothing() {
    let world = World::open().await;
    let sid = world.ring(ANA, MENU).await;
    world.stage.voicemail(&sid).await.expect("it rings");
    assert!(matches!(world.stage.press(&sid, '1').await, Err(StageError::NotNow { .. })), "a machine has no fingers");
    world.pass(Span::seconds(11)).await;
    assert_eq!(world.call(&sid).spoken().len(), 1, "the gather still waits");
    world.pass(Span::seconds(5)).await;
    let call = world.call(&sid);
    assert_eq!(call.spoken(), ["Disk & memory. Press 1.", "No key was pressed."]);
    assert_eq!((call.status, call.answered_by), (CallStatus::Completed, AnsweredBy::Machine));
    assert!(world.server.asked("/keys").is_empty());
    world.stage.shut().await;
}

#[tokio::test]
async fn calls_end_in_every_way_there_is() {
    let world = World::open().await;
    let declined = world.ring(ANA, MENU).await;
    world.stage.decline(&declined).await.expect("it rings");
    let lost = world.ring(ANA, MENU).await;
    world.stage.unreachable(&lost).await.expect("it rings");
    let left = world.ring(ANA, MENU).await;
    world.stage.answer(&left).await.expect("it rings");
    world.stage.hang_up(&left).await.expect("it is live");
    let canceled = world.ring(ANA, MENU).await;
    let file = format!("/Calls/{canceled}.json");
    assert_eq!(answer(world.api(Method::POST, &file).form(&[("Status", "canceled")])).await.1["status"], "canceled");
    world.idle().await;
    let ends: Vec<CallStatus> = [&declined, &lost, &left, &canceled].map(|sid| world.call(sid).status).to_vec();
    assert_eq!(ends, [CallStatus::Busy, CallStatus::Failed, CallStatus::Completed, CallStatus::Canceled]);
    let finals: Vec<String> =
        world.server.told().into_iter().filter(|told| !["initiated", "ringing", "in-progress"].contains(&told.as_str())).collect();
    assert_eq!(finals.len(), 4);
    let (status, error) = answer(world.api(Method::POST, &file).form(&[("Status", "completed")])).await;
    assert_eq!((status, &error["code"]), (400, &json!(21_220)));
    assert!(matches!(world.stage.answer("CAnothing").await, Err(StageError::NoSuchCall(_))));
    assert!(matches!(world.stage.answer(&left).await, Err(StageError::NotNow { .. })));

    // Cancelling leaves a live call alone; another document replaces what it says.
    let live = world.ring(ANA, MENU).await;
    world.stage.answer(&live).await.expect("it rings");
    let file = format!("/Calls/{live}.json");
    assert_eq!(answer(world.api(Method::POST, &file).form(&[("Status", "canceled")])).await.1["status"], "in-progress");
    let other = "<Response><Say>Someone else has it.</Say></Response>";
    assert_eq!(answer(world.api(Method::POST, &file).form(&[("Twiml", other)])).await.0, 200);
    assert_eq!(world.call(&live).spoken()[1], "Someone else has it.");
    world.pass(Span::seconds(3)).await;
    assert_eq!(world.call(&live).status, CallStatus::Completed);
    world.stage.shut().await;
}

#[tokio::test]
async fn a_gather_takes_keys_as_twilio_does() {
    let world = World::open().await;
    // Keys end with #, and what was typed is sent when the typing stops.
    let many = r#"<Response><Say>Wait for it.</Say><Gather timeout="3" action="SERVER/keys"><Say>Type.</Say></Gather><Say>Nothing.</Say></Response>"#;
    let sid = world.ring(ANA, many).await;
    world.stage.answer(&sid).await.expect("it rings");
    world.stage.press(&sid, '9').await.expect("the phone has keys");
    world.pass(Span::seconds(1)).await;
    for key in ['4', '2', '#'] {
        world.stage.press(&sid, key).await.expect("it listens");
    }
    let asked = world.server.asked("/keys");
    assert_eq!((asked[0].field("Digits"), asked[0].field("FinishedOnKey")), ("42", "#"), "the 9 came before anyone listened");

    let sid = world.ring(ANA, many).await;
    world.stage.answer(&sid).await.expect("it rings");
    world.pass(Span::seconds(1)).await;
    world.stage.press(&sid, '7').await.expect("it listens");
    world.pass(Span::seconds(3)).await;
    assert_eq!(world.server.asked("/keys")[1].field("Digits"), "7");

    // With actionOnEmptyResult, silence is sent too.
    let silent = r#"<Response><Gather timeout="3" action="SERVER/keys" actionOnEmptyResult="true"/></Response>"#;
    let sid = world.ring(ANA, silent).await;
    world.stage.answer(&sid).await.expect("it rings");
    world.pass(Span::seconds(3)).await;
    assert_eq!(world.server.asked("/keys")[2].field("Digits"), "");
    assert_eq!(world.call(&sid).status, CallStatus::Completed);
    world.stage.shut().await;
}

#[tokio::test]
async fn a_document_comes_from_a_url_and_redirects_to_the_next() {
    let world = World::open().await;
    world.server.will_answer(
        200,
        "text/xml; charset=utf-8",
        "<Response><Say>First.</Say><Redirect method=\"GET\">next?n=2</Redirect></Response>",
    );
    world.server.will_answer(200, "text/xml", "<Response><Say>Second.</Say><Pause length=\"2\"/><Hangup/><Say>Never.</Say></Response>");
    let mut fields = world.order(ANA, MENU);
    // With both, the URL counts.
    fields.push(("Url", format!("{}/voice/start", world.server.url)));
    let (_, call) = world.post(&fields).await;
    let sid = call["sid"].as_str().expect("a sid").to_owned();
    world.idle().await;
    world.stage.answer(&sid).await.expect("it rings");
    assert_eq!(world.server.asked("/voice/start")[0].field("CallStatus"), "in-progress");
    world.pass(Span::seconds(2)).await;
    let next = &world.server.asked("/voice/next")[0];
    assert!(next.path.starts_with("/voice/next?n=2&") && next.path.contains(&format!("CallSid={sid}")), "{}", next.path);
    assert_eq!(next.signature, signature(TOKEN, &format!("{}{}", world.server.url, next.path), &[]));
    world.pass(Span::seconds(3)).await;
    let call = world.call(&sid);
    assert_eq!((call.spoken(), call.status), (vec!["First.".to_owned(), "Second.".to_owned()], CallStatus::Completed));
    world.stage.shut().await;
}

#[tokio::test]
async fn a_document_that_cannot_be_played_ends_in_an_apology() {
    let world = World::open().await;
    let bad = [
        ("<Response><Say>Unclosed</Response>", "12100"),
        ("<Reply/>", "12100"),
        ("<Response><Say>fish & chips</Say></Response>", "12100"),
        ("<!DOCTYPE x [<!ENTITY a \"b\">]><Response><Say>&a;</Say></Response>", "12100"),
        ("<Response><Shout>Help</Shout></Response>", "12200"),
        ("<Response><Redirect>/relative</Redirect></Response>", "11100"),
        ("<Response><Gather numDigits=\"0\"/></Response>", "13314"),
    ];
    for (twiml, code) in bad {
        let sid = world.ring(ANA, twiml).await;
        world.stage.answer(&sid).await.expect("it rings");
        let call = world.call(&sid);
        assert!(call.spoken().last().is_some_and(|line| line.contains("application error")), "{twiml}: {:?}", call.spoken());
        assert!(call.problem.as_ref().is_some_and(|problem| problem.starts_with(code)), "{twiml}: {:?}", call.problem);
        world.pass(Span::seconds(10)).await;
        assert_eq!(world.call(&sid).status, CallStatus::Completed);
    }
    for (status, kind, body, code) in
        [(500, "text/xml", "<Response/>", "11200"), (200, "application/json", "{}", "12300"), (200, "text/xml", "", "12100")]
    {
        world.server.will_answer(status, kind, body);
        let sid = world.ring(ANA, MENU).await;
        world.stage.answer(&sid).await.expect("it rings");
        world.stage.press(&sid, '1').await.expect("it listens");
        let call = world.call(&sid);
        assert!(call.problem.as_ref().is_some_and(|problem| problem.starts_with(code)), "{status} {kind}: {:?}", call.problem);
        world.pass(Span::seconds(10)).await;
    }
    // Documents that redirect to each other for ever end as well.
    let mut fields = world.order(ANA, "");
    fields.push(("Url", format!("{}/round", world.server.url)));
    for _ in 0..300 {
        world.server.will_answer(200, "text/xml", "<Response><Redirect>/round</Redirect></Response>");
    }
    let (_, call) = world.post(&fields).await;
    let sid = call["sid"].as_str().expect("a sid");
    world.idle().await;
    world.stage.answer(sid).await.expect("it rings");
    assert!(world.call(sid).problem.is_some_and(|problem| problem.starts_with("11205")));
    world.stage.shut().await;
}

#[tokio::test]
async fn a_callback_that_reaches_nobody_is_tried_twice_and_the_call_goes_on() {
    let world = World::open().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port is free").local_addr().expect("an address");
    let mut fields = world.order(ANA, "<Response><Say>Hello.</Say></Response>");
    fields.retain(|(name, _)| !name.starts_with("StatusCallback"));
    fields.push(("StatusCallback", format!("http://{closed}/status")));
    let (_, call) = world.post(&fields).await;
    let sid = call["sid"].as_str().expect("a sid");
    world.idle().await;
    world.stage.answer(sid).await.expect("it rings");
    world.pass(Span::seconds(2)).await;
    let call = world.call(sid);
    assert_eq!(call.status, CallStatus::Completed);
    // Without events asked for, only the end is told.
    assert_eq!(call.callbacks.len(), 1);
    assert_eq!((call.callbacks[0].told.as_str(), call.callbacks[0].tries), ("completed", 2));
    assert!(matches!(call.callbacks[0].outcome, Outcome::Failed { .. }));
    world.stage.shut().await;
}

// --- phones with habits ----------------------------------------------------------------------------------------------

#[tokio::test]
async fn phones_act_by_their_habit_unless_someone_is_quicker() {
    let world = World::open().await;
    world.stage.set_habit(BO, Habit::AnswerAndPress { keys: "1".to_owned(), after: Span::seconds(25) });
    let slow = world.ring(BO, MENU).await;
    let quick = world.ring(BO, MENU).await;
    world.pass(Span::seconds(24)).await;
    assert_eq!(world.call(&slow).status, CallStatus::Ringing);
    world.stage.decline(&quick).await.expect("it still rings");
    world.pass(Span::seconds(1)).await;
    assert_eq!(world.call(&slow).status, CallStatus::InProgress);
    assert!(world.server.asked("/keys").is_empty(), "she listens first");
    world.pass(Span::seconds(3)).await;
    assert_eq!(world.server.asked("/keys").len(), 1);
    assert_eq!((world.call(&slow).digits.as_str(), world.call(&quick).status), ("1", CallStatus::Busy));

    world.stage.set_habit(ANA, Habit::Voicemail { after: Span::seconds(20) });
    let machine = world.ring(ANA, MENU).await;
    world.pass(Span::seconds(20)).await;
    assert_eq!(world.call(&machine).answered_by, AnsweredBy::Machine);
    for (habit, end) in [(Habit::Decline, CallStatus::Busy), (Habit::Unreachable, CallStatus::Failed)] {
        world.stage.set_habit(ANA, habit);
        assert_eq!(world.call(&world.ring(ANA, MENU).await).status, end);
    }
    // A habit set while the phone rings counts for that call.
    world.stage.set_habit(ANA, Habit::Manual);
    let ringing = world.ring(ANA, MENU).await;
    world.stage.set_habit(ANA, Habit::Decline);
    world.idle().await;
    assert_eq!(world.call(&ringing).status, CallStatus::Busy);
    world.stage.shut().await;
}

// --- faults ----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_refusal_and_nonsense_place_nothing() {
    let world = World::open().await;
    world.stage.set_fault(Some(Fault::Refuse { status: 429, code: 20_429 }));
    let (status, error) = world.post(&world.order(ANA, MENU)).await;
    assert_eq!((status, &error["code"], &error["status"]), (429, &json!(20_429), &json!(429)));
    world.stage.set_fault(Some(Fault::Nonsense));
    let response = world.api(Method::POST, "/Calls.json").form(&world.order(ANA, MENU)).send().await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
    assert!(world.stage.calls().is_empty());
    assert_eq!(world.stage.requests(), 2);
    world.stage.shut().await;
}

#[tokio::test]
async fn a_lie_takes_the_call_and_never_rings() {
    let world = World::open().await;
    world.stage.set_fault(Some(Fault::AcceptAndDoNothing));
    let sid = world.ring(ANA, MENU).await;
    world.pass(Span::minutes(30)).await;
    assert_eq!(world.call(&sid).status, CallStatus::Queued);
    assert!(world.server.told().is_empty());
    let (status, call) = answer(world.api(Method::POST, &format!("/Calls/{sid}.json")).form(&[("Status", "canceled")])).await;
    assert_eq!((status, &call["status"]), (200, &json!("canceled")));
    world.stage.shut().await;
}

#[tokio::test]
async fn a_call_may_be_placed_though_the_answer_never_comes() {
    let world = World::open().await;
    world.stage.set_fault(Some(Fault::PlaceButDrop));
    let dropped = world.api(Method::POST, "/Calls.json").form(&world.order(ANA, MENU)).send().await;
    assert!(dropped.is_err(), "the connection closes without an answer");
    world.stage.set_fault(Some(Fault::PlaceButHang));
    let hanging = tokio::spawn(world.api(Method::POST, "/Calls.json").form(&world.order(BO, MENU)).send());
    world.until("a request hangs", || world.stage.requests_hanging() == 1).await;
    world.idle().await;
    assert_eq!(world.server.told(), ["initiated", "ringing", "initiated", "ringing"], "both phones ring");
    // Reads stay true: whoever asks finds the call.
    let (_, page) = answer(world.api(Method::GET, "/Calls.json").query(&[("To", BO)])).await;
    assert_eq!(page["calls"].as_array().map(Vec::len), Some(1));
    world.stage.set_fault(None);
    assert!(hanging.await.expect("the task ends").is_err(), "released without an answer");
    world.until("nothing hangs", || world.stage.requests_hanging() == 0).await;
    world.stage.shut().await;
}

#[tokio::test]
async fn a_hanging_provider_holds_every_request_until_released() {
    let world = World::open().await;
    world.stage.set_fault(Some(Fault::Hang));
    let placing = tokio::spawn(world.api(Method::POST, "/Calls.json").form(&world.order(ANA, MENU)).send());
    let reading = tokio::spawn(world.api(Method::GET, "/Calls.json").send());
    world.until("both hang", || world.stage.requests_hanging() == 2).await;
    reading.abort();
    world.until("a client that leaves is let go", || world.stage.requests_hanging() == 1).await;
    world.stage.set_fault(None);
    let response = placing.await.expect("the task ends").expect("an answer");
    assert_eq!(response.status().as_u16(), 503);
    assert!(world.stage.calls().is_empty(), "nothing was placed");
    world.stage.shut().await;
}

#[tokio::test]
async fn status_callbacks_go_astray_on_request() {
    let world = World::open().await;
    world.stage.set_callbacks(Callbacks::Off);
    let sid = world.ring(ANA, MENU).await;
    world.stage.decline(&sid).await.expect("it rings");
    world.idle().await;
    assert!(world.server.told().is_empty());
    world.stage.set_callbacks(Callbacks::Twice);
    let sid = world.ring(ANA, MENU).await;
    assert_eq!(world.server.told(), ["initiated", "initiated", "ringing", "ringing"]);
    world.stage.set_callbacks(Callbacks::Late { by: Span::seconds(20) });
    world.stage.decline(&sid).await.expect("it rings");
    world.pass(Span::seconds(19)).await;
    assert_eq!(world.server.told().len(), 4);
    world.pass(Span::seconds(1)).await;
    assert_eq!(world.server.told()[4], "busy");
    world.stage.shut().await;
}
