//! What is posted, how fast, and when each post reached its phone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use reveille::base::clock::Clock;
use reveille::base::time::{Span, Time};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::server::{FLOOD, INTAKE, Sender, Server, number, quiet_hook};

/// Until the last call has come. Far above what is promised: a run that waits longer has lost a call.
const CALLS_WITHIN: Duration = Duration::from_secs(30);

/// One post and the call that it led to.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "the name of an instant ends in _at")]
pub struct Timed {
    pub posted_at: Time,
    pub answered_at: Time,
    pub called_at: Time,
}

/// Many posts, and how long each took to be answered.
pub struct Taken {
    pub answers: Vec<Span>,
    pub took: Span,
}

/// One incident after the other at an even pace, whether or not the one before was answered, each of a service with a person of its own.
pub async fn incidents(server: &Server, people: Range<usize>, every: Span) -> Vec<Timed> {
    let clock = Clock::system();
    let mut posts = JoinSet::new();
    let mut due = clock.now();
    for person in people.clone() {
        clock.sleep_until(due).await;
        due += every;
        let (clock, sender) = (clock.clone(), server.sender());
        posts.spawn(async move {
            let posted_at = clock.now();
            let title = format!("the disk of machine {person} is full");
            sender.posts(&quiet_hook(person), &json!({"title": title, "severity": "critical"})).await;
            (person, posted_at, clock.now())
        });
    }
    let posts = posts.join_all().await;
    let calls = first_calls(server, people).await;
    let timed = |(person, posted_at, answered_at)| Timed { posted_at, answered_at, called_at: calls[&number(person)] };
    posts.into_iter().map(timed).collect()
}

/// When each of these people was first called, once all of them have been.
async fn first_calls(server: &Server, people: Range<usize>) -> BTreeMap<String, Time> {
    let mut changed = server.stage.changed();
    let wanted: Vec<String> = people.map(number).collect();
    let all = async {
        loop {
            let mut first = BTreeMap::new();
            for call in server.stage.calls() {
                first.entry(call.to).or_insert(call.created_at);
            }
            if wanted.iter().all(|number| first.contains_key(number)) {
                return first;
            }
            changed.changed().await.expect("the stage is open");
        }
    };
    let Ok(first) = tokio::time::timeout(CALLS_WITHIN, all).await else {
        let called: Vec<String> = server.stage.calls().into_iter().map(|call| call.to).collect();
        let lost: Vec<&String> = wanted.iter().filter(|number| !called.contains(number)).collect();
        panic!("these were never called: {lost:?}\n{}", server.log());
    };
    first
}

/// A few senders, each posting its next signal as soon as the one before was answered.
pub async fn as_fast_as_answered(server: &Server, senders: usize, span: Span) -> Taken {
    let clock = Clock::system();
    let began = clock.now();
    let mut at_work = JoinSet::new();
    for who in 0..senders {
        let (clock, sender) = (clock.clone(), server.sender());
        at_work.spawn(async move {
            let mut answers = Vec::new();
            while clock.now().since(began) < span {
                let key = format!("intake {who} {}", answers.len());
                answers.push(timed_post(&clock, &sender, INTAKE, &key).await);
            }
            answers
        });
    }
    let answers = at_work.join_all().await.into_iter().flatten().collect();
    Taken { answers, took: clock.now().since(began) }
}

/// One key posting at an even pace, each signal an alert of its own, until `span` has passed.
pub async fn flood(server: &Server, span: Span, every: Span) -> Taken {
    // Bounded, so that a server that answers slowly is flooded by what it can take and not by all that has piled up.
    const AT_ONCE: usize = 64;
    let clock = Clock::system();
    let free = Arc::new(Semaphore::new(AT_ONCE));
    let began = clock.now();
    let mut posts = JoinSet::new();
    let mut due = began;
    while due.since(began) < span && clock.now().since(began) < span {
        clock.sleep_until(due).await;
        due += every;
        let place = Arc::clone(&free).acquire_owned().await.expect("it is never closed");
        let (clock, sender, key) = (clock.clone(), server.sender(), format!("flood {}", posts.len()));
        posts.spawn(async move {
            let answer = timed_post(&clock, &sender, FLOOD, &key).await;
            drop(place);
            answer
        });
    }
    let answers = posts.join_all().await;
    Taken { answers, took: clock.now().since(began) }
}

async fn timed_post(clock: &Clock, sender: &Sender, hook: &str, key: &str) -> Span {
    let began = clock.now();
    let body = json!({"dedup_key": key, "title": format!("the request {key} failed"), "severity": "error", "labels": {"host": "web-1"}});
    sender.posts(hook, &body).await;
    clock.now().since(began)
}
