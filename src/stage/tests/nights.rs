//! The scenarios: they read, and they are posted as of now.

use super::*;

#[test]
fn every_scenario_reads_and_says_what_it_is() {
    for file in SCENARIOS {
        let scenario = Scenario::named(file.name).expect("it reads");
        assert_eq!(scenario.name, file.name);
        assert!(!scenario.caption.is_empty() && !scenario.phones.is_empty());
        assert!(scenario.steps.first().is_some_and(|step| step.after_ms == 0 && step.post.is_some()), "it begins at once");
        for step in scenario.steps.iter().filter(|step| step.post.is_some()) {
            let (body, source) = (step.post.as_ref().expect("it has one"), step.source.as_deref().unwrap_or(&scenario.source));
            let shaped = match source {
                "rollbar" => {
                    body["event_name"].is_string() && body["data"]["item"]["id"].is_u64() && body["data"]["item"]["title"].is_string()
                }
                "pingdom" => body["check_id"].is_u64() && body["current_state"].is_string(),
                "datadog" => body["alert_cycle_key"].is_string() && body["alert_transition"].is_string(),
                "alertmanager" => body["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()) && body["version"] == "4",
                other => panic!("{other} is no sender that this test knows"),
            };
            assert!(shaped, "{}: {source}: {body}", file.name);
        }
    }
    let error = Scenario::named("titanic").expect_err("there is none");
    assert_eq!(error.to_string(), "there is no scenario titanic; there is scalingo-2015, glitch-2019, scalingo-2019");
}

#[tokio::test]
async fn a_replay_posts_the_night_as_of_now() {
    let world = World::open().await;
    let scenario = Scenario::named("scalingo-2015").expect("it reads");
    let order = Replay {
        hooks: vec![format!("{}/hooks/rollbar/key", world.server.url)],
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

/// Replays a night as fast as it can be, and gives what was posted: the path and the body of each.
async fn replayed(world: &World, name: &str) -> Vec<(String, Value)> {
    let scenario = Scenario::named(name).expect("it reads");
    let hooks = scenario.sources().iter().map(|source| format!("{}/hooks/{source}/key", world.server.url)).collect();
    let numbers = vec![ANA.to_owned(), BO.to_owned()];
    let order = Replay { hooks, clock: world.clock.clone(), phones: Phones::Here(world.stage.clone()), numbers };
    let replaying = tokio::spawn(async move { replay(&scenario, &order, |_| ()).await });
    let moved = tokio::time::timeout(PATIENCE, async {
        while !replaying.is_finished() {
            if let Some(due) = world.clock.next_deadline()
                && due.since(world.clock.now()) != Span::seconds(3)
            {
                world.clock.advance_to(due);
            }
            tokio::task::yield_now().await;
        }
    });
    assert!(moved.await.is_ok(), "the replay ends");
    let report = replaying.await.expect("the task ends").expect("it went well");
    let asked = world.server.asked("/hooks/");
    assert_eq!((report.posted, report.given_up), (asked.len(), 0));
    asked.into_iter().map(|asked| (asked.path, serde_json::from_str(&asked.body).expect("the bodies are JSON"))).collect()
}

#[tokio::test]
async fn a_disk_gets_tight_two_hundred_times_and_then_the_site_is_down() {
    let world = World::open().await;
    let posts = replayed(&world, "glitch-2019").await;
    let warned: Vec<&Value> = posts.iter().map(|(_, body)| body).filter(|body| body["alert_transition"] == "Warn").collect();
    assert_eq!(warned.len(), 200);
    assert!(
        warned
            .iter()
            .all(|body| body["alert_title"] == "Disk usage is getting tight" && body["alert_cycle_key"] == warned[0]["alert_cycle_key"])
    );
    assert_ne!(warned[0]["id"], warned[1]["id"], "each is a signal of its own, not a redelivery");
    let down: Vec<usize> = posts.iter().enumerate().filter(|(_, (_, body))| body["current_state"] == "DOWN").map(|(n, _)| n).collect();
    assert_eq!((down, posts[200].0.as_str()), (vec![200], "/hooks/pingdom/key"));
    world.stage.shut().await;
}

#[tokio::test]
async fn everything_fails_at_once_in_the_words_of_three_senders() {
    let world = World::open().await;
    let posts = replayed(&world, "scalingo-2019").await;
    let of = |source: &str| posts.iter().filter(|(path, _)| path.contains(source)).count();
    assert_eq!((of("/pingdom/"), of("/alertmanager/"), of("/rollbar/")), (6, 12, 62));
    let fired: std::collections::BTreeSet<String> = posts
        .iter()
        .flat_map(|(_, body)| body["alerts"].as_array().into_iter().flatten())
        .map(|alert| format!("{} {}", alert["labels"]["alertname"], alert["labels"]["instance"]))
        .collect();
    assert_eq!(fired.len(), 36);
    // What began keeps the moment at which it began, in its end too.
    let began: Vec<&Value> =
        posts.iter().flat_map(|(_, body)| body["alerts"].as_array().into_iter().flatten()).map(|alert| &alert["startsAt"]).collect();
    assert!(began.iter().all(|at| **at == began[0].clone() && *at == &json!(START.rfc3339())));
    assert!(
        !posts.iter().any(|(_, body)| body.to_string().contains("\"{now") || body.to_string().contains("\"{start")),
        "no placeholder is left"
    );
    world.stage.shut().await;
}

#[tokio::test]
async fn a_night_of_several_senders_wants_a_hook_for_each() {
    let world = World::open().await;
    let scenario = Scenario::named("glitch-2019").expect("it reads");
    let hooks = vec![format!("{}/hooks/datadog/key", world.server.url)];
    let numbers = vec![ANA.to_owned(), BO.to_owned()];
    let order = Replay { hooks, clock: world.clock.clone(), phones: Phones::Real, numbers };
    let error = replay(&scenario, &order, |_| ()).await.expect_err("there is none for pingdom");
    assert!(error.to_string().contains("--hook …/hooks/pingdom/KEY"), "{error}");
    assert!(world.server.asked("/hooks/").is_empty(), "nothing was posted");
    world.stage.shut().await;
}
