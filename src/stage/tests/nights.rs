//! The scenarios: they read, and they are posted as of now.

use super::*;

#[test]
fn every_scenario_reads_and_says_what_it_is() {
    for file in SCENARIOS {
        let scenario = Scenario::named(file.name).expect("it reads");
        assert_eq!(scenario.name, file.name);
        assert!(!scenario.caption.is_empty() && !scenario.phones.is_empty());
        assert!(scenario.steps.first().is_some_and(|step| step.after_ms == 0 && step.post.is_some()), "it begins at once");
        for body in scenario.steps.iter().filter_map(|step| step.post.as_ref()) {
            assert!(body["event_name"].is_string() && body["data"]["item"]["id"].is_u64() && body["data"]["item"]["title"].is_string());
        }
    }
    let error = Scenario::named("titanic").expect_err("there is none");
    assert_eq!(error.to_string(), "there is no scenario titanic; there is scalingo-2015");
}

#[tokio::test]
async fn a_replay_posts_the_night_as_of_now() {
    let world = World::open().await;
    let scenario = Scenario::named("scalingo-2015").expect("it reads");
    let order = Replay {
        hook_url: format!("{}/hooks/rollbar/key", world.server.url),
        clock: world.clock.clone(),
        phones: Phones::At(world.stage.url()),
        numbers: vec![ANA.to_owned(), BO.to_owned()],
    };
    // The second post is refused once and must come again.
    world.server.will_answer(202, "application/json", "{}");
    world.server.will_answer(503, "application/json", "{}");
    let steps = scenario.clone();
    let replaying = tokio::spawn(async move {
        let mut lines = Vec::new();
        let report = replay(&steps, &order, |line| lines.push(line.clone())).await;
        (report, lines)
    });
    let posts = scenario.steps.iter().filter(|step| step.post.is_some()).count();
    let moved = tokio::time::timeout(PATIENCE, async {
        while !replaying.is_finished() {
            // Only the pauses between posts are skipped, not the three seconds that a post may take: no pause of this night is as long.
            if let Some(due) = world.clock.next_deadline()
                && due.since(world.clock.now()) != Span::seconds(3)
            {
                world.clock.advance_to(due);
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(moved.await.is_ok(), "the replay ends");
    let (report, lines) = replaying.await.expect("the task ends");
    let report = report.expect("it went well");
    assert_eq!((report.posted, report.given_up), (posts, 0));
    let bodies: Vec<Value> =
        lock(&world.server.heard).asked.iter().map(|asked| serde_json::from_str(&asked.body).expect("the bodies are JSON")).collect();
    assert_eq!(bodies.len(), posts + 1, "one came twice");
    let times: Vec<i64> = bodies.iter().map(|body| body["data"]["item"]["last_occurrence_timestamp"].as_i64().expect("a number")).collect();
    assert!(
        times[0] == START.seconds() && times.is_sorted() && times.last().is_some_and(|last| *last >= START.seconds() + 60),
        "{times:?}"
    );
    assert_ne!(bodies[0]["data"]["item"]["last_occurrence"]["uuid"], bodies[2]["data"]["item"]["last_occurrence"]["uuid"]);
    assert!(!bodies.iter().any(|body| body.to_string().contains("\"{")), "no placeholder is left");
    assert!(lines.iter().any(|line| matches!(line, Progress::Failed { again: true, .. })));
    assert!(lines.iter().any(|line| line.to_string().starts_with("03:00  ")));
    let state: Value =
        world.http.get(format!("{}/stage/state", world.stage.url())).send().await.expect("state").json().await.expect("JSON");
    assert_eq!(state["phones"][1]["habit"], json!({"kind": "answer_and_press", "keys": "1", "after": "6s"}));
    world.stage.shut().await;
}
