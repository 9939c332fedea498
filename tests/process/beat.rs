//! Heartbeats under `kill -9`: a beat that did not come is told of, once, and one that came half way silences nobody.

use crate::ground::{Ground, On, PATIENCE, Server};
use crate::kill::SERVERS;

const KEY: &str = "heartbeatkey00000000000001";

/// A heartbeat of this period on the service that calls Ana.
pub fn awaited_every(ground: &Ground, period: &str) {
    let beat = format!(
        "[[integration]]\nid = \"nightly\"\nsource = \"heartbeat\"\nservice = \"api\"\nkey = \"{KEY}\"\nperiod = \"{period}\"\ngrace = \"0s\""
    );
    ground.configure_with("[[integration]]", &format!("{beat}\n\n[[integration]]"));
}

/// One beat; `true` when it was answered.
pub async fn beats(ground: &Ground) -> bool {
    let answer = ground.http.post(format!("{}/heartbeats/{KEY}", ground.url)).send().await;
    answer.is_ok_and(|answer| answer.status().is_success())
}

/// The silence has paged, and one signal told of it.
pub async fn is_told_of_once(ground: &Ground, server: &Server) {
    is_told_of(ground, server, 1).await;
}

/// The incident is open, and so many signals, beats among them, have come for its alert.
async fn is_told_of(ground: &Ground, server: &Server, signals: i64) {
    ground
        .until(server, "the silence is told of", PATIENCE, async || {
            let alerts = ground.items("/api/v1/alerts").await;
            let incidents = ground.items("/api/v1/incidents").await;
            let counted = alerts.iter().find(|alert| alert["dedup_key"] == "heartbeat")?["count"].as_i64()?;
            assert!(counted <= signals, "told of too often: {counted}");
            (counted == signals && incidents[0]["state"] == "triggered").then_some(())
        })
        .await;
}

/// The server dies over a beat of a job that was told of as missing; the job is never heard of again, and that is told.
async fn dies_over_a_beat(on: On, at: &str, signals: i64) {
    let _turn = SERVERS.acquire().await.expect("the semaphore stays open");
    let ground = Ground::new(on).await;
    awaited_every(&ground, "1s");
    let server = ground.start(None).await;
    is_told_of(&ground, &server, 1).await;
    server.kill();
    let mut server = ground.start(Some(at)).await;
    // At the last step the answer may have left.
    beats(&ground).await;
    server.dies(PATIENCE).await;
    let server = ground.start(None).await;
    is_told_of(&ground, &server, signals).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_falls_silent_after_half_a_beat_is_missed() {
    for on in [On::Sqlite, On::Postgres] {
        // The beat itself was lost at the first step, and stored at the others.
        tokio::join!(
            dies_over_a_beat(on, "beat.counted", 2),
            dies_over_a_beat(on, "intake.committed", 3),
            dies_over_a_beat(on, "intake.answered", 3)
        );
    }
}
