//! The page, and what is left when the stage is shut.

use super::*;

#[tokio::test]
async fn the_page_shows_the_phones_and_acts_on_them() {
    let world = World::open().await;
    let page = world.http.get(world.stage.url()).send().await.expect("a page");
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let html = page.text().await.expect("text");
    assert!(html.contains("/assets/stage.js") && !html.contains("<script>") && !html.contains("style="));
    for asset in ["stage.js", "stage.css"] {
        let answer = world.http.get(format!("{}/assets/{asset}", world.stage.url())).send().await.expect("an asset");
        assert_eq!(answer.status().as_u16(), 200, "{asset}");
    }

    let mut events = world.http.get(format!("{}/stage/events", world.stage.url())).send().await.expect("a stream");
    let mut next = async || -> Value {
        let mut text = String::new();
        while !text.ends_with("\n\n") {
            let chunk = tokio::time::timeout(PATIENCE, events.chunk()).await.expect("in time").expect("no error").expect("more");
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
        }
        let last = text.trim_end().rsplit("data: ").next().expect("an event").to_owned();
        serde_json::from_str(&last).expect("JSON")
    };
    let first = next().await;
    assert_eq!((&first["phones"][0]["name"], &first["phones"][0]["calls"]), (&json!("Ana Ruiz"), &json!([])));
    let sid = world.ring(ANA, MENU).await;
    let mut shown = next().await;
    while shown["phones"][0]["calls"][0]["status"] != "ringing" {
        shown = next().await;
    }
    assert_eq!(shown["phones"][0]["calls"][0]["sid"], sid.as_str());

    let act = |path: String, body: Value| world.http.post(format!("{}/stage/{path}", world.stage.url())).json(&body).send();
    assert_eq!(act(format!("calls/{sid}/press"), json!({"key": "1"})).await.expect("an answer").status().as_u16(), 409, "nobody picked up");
    assert_eq!(act(format!("calls/{sid}/answer"), json!({})).await.expect("an answer").status().as_u16(), 204);
    assert_eq!(act(format!("calls/{sid}/press"), json!({"key": "1"})).await.expect("an answer").status().as_u16(), 204);
    assert_eq!(world.server.asked("/keys").len(), 1);
    assert_eq!(act(format!("calls/{sid}/juggle"), json!({})).await.expect("an answer").status().as_u16(), 404);
    assert_eq!(act("calls/CAnone/answer".to_owned(), json!({})).await.expect("an answer").status().as_u16(), 404);

    // A form on another site cannot say that it is JSON.
    let foreign = world.http.post(format!("{}/stage/faults", world.stage.url())).body("{\"fault\":{\"kind\":\"hang\"}}");
    assert_eq!(foreign.send().await.expect("an answer").status().as_u16(), 415);
    assert_eq!(world.stage.fault(), None);
    let fault = json!({"fault": {"kind": "refuse", "status": 500, "code": 20_500}, "callbacks": {"kind": "late", "by": "20s"}});
    assert_eq!(act("faults".to_owned(), fault).await.expect("an answer").status().as_u16(), 204);
    assert_eq!(world.stage.fault(), Some(Fault::Refuse { status: 500, code: 20_500 }));
    let silly = json!({"fault": {"kind": "refuse", "status": 200, "code": 1}});
    assert_eq!(act("faults".to_owned(), silly).await.expect("an answer").status().as_u16(), 400);
    let habit = json!({"number": BO, "habit": {"kind": "voicemail", "after": "12s"}});
    assert_eq!(act("habits".to_owned(), habit.clone()).await.expect("an answer").status().as_u16(), 204);
    let state: Value =
        world.http.get(format!("{}/stage/state", world.stage.url())).send().await.expect("state").json().await.expect("JSON");
    assert_eq!(state["phones"][1]["habit"], habit["habit"]);
    assert_eq!(state["callbacks"], json!({"kind": "late", "by": "20s"}));
    world.stage.shut().await;
}

#[tokio::test]
async fn nothing_is_left_when_the_stage_is_shut() {
    let world = World::open().await;
    let sid = world.ring(ANA, MENU).await;
    let mut events = world.http.get(format!("{}/stage/events", world.stage.url())).send().await.expect("a stream");
    world.stage.shut().await;
    let drained = tokio::time::timeout(PATIENCE, async { while let Ok(Some(_)) = events.chunk().await {} });
    assert!(drained.await.is_ok(), "the stream ends");
    assert!(world.http.get(world.stage.url()).send().await.is_err(), "the port is closed");
    assert!(world.stage.answer(&sid).await.is_err());
    assert!(!world.stage.busy());
    assert_eq!(world.clock.next_deadline(), None, "nobody waits for the clock");
}
