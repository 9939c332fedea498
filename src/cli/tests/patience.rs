//! What takes longer than usual: a server that is away, and lines that are longer than a terminal is wide.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinHandle;

use super::*;

/// Moves the clock to whatever is waited for.
fn hurries(clock: &Clock) -> JoinHandle<()> {
    let clock = clock.clone();
    tokio::spawn(async move {
        loop {
            match clock.next_deadline() {
                Some(due) => clock.advance_to(due),
                None => tokio::task::yield_now().await,
            }
        }
    })
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_again_and_hears_the_same_key() {
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    let server = Server::open(move |_| {
        if counted.fetch_add(1, Ordering::Relaxed) < 3 {
            return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "detail": "Nothing was stored." }))).into_response();
        }
        taken(&json!({ "alert": "alr_1", "incident": 42, "outcome": "opened", "reason": "" }))
    })
    .await;
    let caller = Caller::of(&server);
    let started = caller.clock.now();
    let goes_on = hurries(&caller.clock);
    let went = caller.types(&["send", "Hi", "--key", "k"]).await;
    assert_eq!((went.exit, went.out.as_str()), (Exit::Done, "sent: incident #42 opened (alr_1)\n"), "{}", went.err);
    let keys: Vec<String> = server.asked().iter().map(|asked| asked.header("idempotency-key").to_owned()).collect();
    assert_eq!((keys.len(), keys.iter().all(|key| *key == keys[0] && key.len() > 20)), (4, true), "{keys:?}");
    assert_eq!(caller.clock.now().since(started), Span::seconds(1 + 2 + 4));
    // It gives up within its time, and says why.
    let busy = Server::refuses(503, "Nothing was stored.").await;
    let mut caller = Caller::of(&busy);
    caller.clock = Clock::fake(caller.clock.now());
    let started = caller.clock.now();
    goes_on.abort();
    let goes_on = hurries(&caller.clock);
    let went = caller.types(&["send", "Hi", "--key", "k"]).await;
    assert_eq!((went.exit, busy.asked().len()), (Exit::Failed, 8), "{}", went.err);
    assert!(caller.clock.now().since(started) <= Span::seconds(30));
    goes_on.abort();
}

#[tokio::test]
async fn long_words_stay_in_their_column_on_a_terminal() {
    let title = "The primary database of the European region has stopped answering queries and nobody knows why it does so";
    let server = Server::open(|asked| match asked.uri.path().rsplit('/').next() {
        Some("timeline") => {
            Json(json!({ "items": [entry(1, "incident_opened", "Opened at sev1 for Public API: the primary database has stopped answering")], "next": null }))
                .into_response()
        }
        Some("pages" | "changes" | "alerts") => Json(json!({ "items": [], "next": null })).into_response(),
        Some(_) | None => Json(incident(42, "triggered", title)).into_response(),
    })
    .await;
    let mut caller = Caller::of(&server);
    let whole = caller.types(&["incident", "show", "42"]).await.out;
    assert!(whole.lines().any(|line| line.ends_with(title)), "a pipe gets it whole: {whole}");
    caller.colour = true;
    let shown = caller.types(&["incident", "show", "42"]).await.out;
    let seen: Vec<String> = shown.lines().map(clean).collect();
    let hints_aside: Vec<&String> = seen.iter().filter(|line| !line.contains("reveille incident ack")).collect();
    assert!(hints_aside.iter().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(shown.contains(&format!("\n{}", " ".repeat(30))), "an entry goes on below itself: {shown}");
}
