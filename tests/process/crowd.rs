//! A house with people, telephones, texts and Slack, on two servers that are killed in turn: nobody's text or call is lost or comes
//! twice, and every incident has one room.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reveille::base::limits;
use reveille::base::time::Span;
use reveille::stage::Direction;
use reveille::stage::slack::INCIDENTS;
use reveille::store;
use serde_json::Value;

use crate::ground::{Ground, PATIENCE, Server};
use crate::kill::SERVERS;
use crate::replicas::Pair;

const PEOPLE: [(&str, &str, &str); 3] =
    [("ana", "+33100000001", "U0ANA"), ("bo", "+46100000002", "U0BO"), ("cleo", "+15005550003", "U0CLEO")];
/// A text for each, and one may have to be sent again: the next within the minute would be held back.
const SERVICES: usize = limits::MESSAGES - 1;
/// Two that have to be sent again wait for that minute.
const OUT_WITHIN: Span = Span::seconds(90);
const KILLS: usize = 4;

pub fn house() -> String {
    let file = r#"
[server]
public_url = "{server}"

[twilio]
account_sid = "{account}"
auth_token  = "{token}"
from        = "+15005550006"
api_url     = "{stage}"
calls_per_second = 100
texts_per_second = 100

[slack]
bot_token = "xoxb-stage"
signing_secret = "stage-signing-secret"
announce = "C0INCIDENTS"
api_url = "{stage}/slack/api"
"#
    .to_owned();
    let people = PEOPLE.map(|(id, number, slack)| {
        format!(
            r#"
[[user]]
id = "{id}"
name = "{id}"
timezone = "Europe/Paris"
slack = "{slack}"
contacts = [{{ id = "phone", kind = "voice", to = "{number}" }}, {{ id = "text", kind = "sms", to = "{number}" }}]
rules = [{{ urgency = "high", after = "0s", contact = "text" }}, {{ urgency = "high", after = "0s", contact = "phone" }}]
"#
        )
    });
    let policy = r#"
[[policy]]
id = "platform"
steps = [{ notify = ["user:ana", "user:bo", "user:cleo"], escalate_after = "5m" }]
"#;
    let services = (0..SERVICES).map(|n| {
        format!(
            r#"
[[service]]
id = "s{n}"
name = "Service {n}"
policy = "platform"
room_at = "sev2"

[[integration]]
id = "i{n}"
source = "generic"
service = "s{n}"
key = "{}"
"#,
            key(n)
        )
    });
    [file, people.concat(), policy.to_owned()].into_iter().chain(services).collect()
}

pub fn key(service: usize) -> String {
    format!("generickey00000000000000{service:02}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_and_no_call_is_lost_or_doubled_when_servers_die_in_turn() {
    tokio::join!(night(3), night(11), night(29));
}

/// A service more posts in every round, while one of the two servers dies, later each time, and comes back.
async fn night(pause: u64) {
    let _turns = SERVERS.acquire_many(2).await.expect("the semaphore stays open");
    let pair = Pair::new().await;
    let ground = &pair.ground;
    ground.configure(&house());
    let mut servers = [Some(ground.start_at(pair.at[0], None).await), Some(ground.start_at(pair.at[1], None).await)];
    let mut refused = 0;
    for round in 0..KILLS {
        let posts = async {
            let mut refused = 0;
            // A service more with each round, so that pages leave at every kill.
            for service in 0..SERVICES.min(round + 1) {
                // A sender that was not answered comes again.
                while !ground.posts_to(&key(service), &format!("db-{round}")).await {
                    refused += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            refused
        };
        let killed = async {
            tokio::time::sleep(Duration::from_millis(pause * u64::try_from(round + 1).expect("few"))).await;
            servers[round % 2].take().expect("it runs").kill();
        };
        let (again, ()) = tokio::join!(posts, killed);
        refused += again;
        servers[round % 2] = Some(ground.start_at(pair.at[round % 2], None).await);
    }
    let server = servers[0].as_ref().expect("it runs");
    all_are_told(ground, server).await;
    let told = nothing_came_twice(ground).await;
    every_incident_has_one_room(ground, server).await;
    let announced = ground.stage.slack().room(INCIDENTS).expect("it is there").posts().count();
    eprintln!("{KILLS} kills {pause} ms apart, {refused} posted again, {told}, announced {announced}");
}

/// A text of this page was accepted.
fn is_texted(page: &Value) -> bool {
    let attempts = page["attempts"].as_array().expect("a list");
    attempts.iter().any(|attempt| attempt["channel"] == "sms" && attempt["outcome"] == "accepted")
}

/// Every incident pages everybody, and no attempt is without an outcome.
async fn all_are_told(ground: &Ground, server: &Server) {
    let store = ground.store().await;
    ground
        .until(server, "every page is out", OUT_WITHIN, async || {
            let incidents = ground.items("/api/v1/incidents").await;
            if incidents.len() < SERVICES {
                return None;
            }
            for incident in incidents {
                let pages = ground.items(&format!("/api/v1/incidents/{}/pages", incident["number"])).await;
                let attempts = || pages.iter().flat_map(|page| page["attempts"].as_array().expect("a list"));
                if pages.len() < PEOPLE.len() || attempts().any(|attempt| attempt["outcome"].is_null()) || !pages.iter().all(is_texted) {
                    return None;
                }
            }
            let (texts, calls) = (ground.stage.texts(), ground.stage.calls());
            let everybody = PEOPLE
                .iter()
                .all(|(_, number, _)| texts.iter().any(|text| text.to == *number) && calls.iter().any(|call| call.to == *number));
            everybody.then_some(())
        })
        .await;
    ground.settle(server, &store).await;
    let silent = store::audit_silent(&store.reader(), ground.clock.now()).await.expect("the audit reads");
    assert!(silent.is_empty(), "silent: {silent:?}\n{}", server.log());
    store.close().await;
}

/// What the provider has is what the attempts say, one for one, and one more at most for each outcome that stayed unknown.
async fn nothing_came_twice(ground: &Ground) -> String {
    let mut unknown = 0;
    // One text or call may speak for several pages.
    let mut said: BTreeMap<(&str, String), String> = BTreeMap::new();
    for incident in ground.items("/api/v1/incidents").await {
        let number = incident["number"].as_i64().expect("a number");
        let timeline = ground.items(&format!("/api/v1/incidents/{number}/timeline")).await;
        unknown += timeline.iter().filter(|entry| entry["kind"] == "attempt_unknown").count();
        for attempt in ground.attempts(number).await {
            let channel = if attempt["channel"] == "sms" { "sms" } else { "voice" };
            if let Some(sid) = attempt["provider_id"].as_str() {
                let id = attempt["id"].as_str().expect("an id");
                let before = said.insert((channel, sid.to_owned()), id.to_owned());
                assert!(before.is_none_or(|before| before == id), "two attempts are one {channel}: {sid}");
            }
        }
    }
    let placed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::from([
        ("sms", ground.stage.texts().into_iter().filter(|text| text.direction == Direction::Api).map(|text| text.sid).collect()),
        ("voice", ground.stage.calls().into_iter().map(|call| call.sid).collect()),
    ]);
    let mut words = Vec::new();
    for (channel, placed) in placed {
        let said: BTreeSet<String> = said.keys().filter(|(name, _)| *name == channel).map(|(_, sid)| sid.clone()).collect();
        let lost: Vec<&String> = said.difference(&placed).collect();
        let beyond = placed.difference(&said).count();
        assert!(lost.is_empty(), "{channel}: recorded and never placed: {lost:?}");
        assert!(beyond <= unknown, "{channel}: {beyond} that nobody recorded, {unknown} unknown\n{}", ground.told());
        words.push(format!("{channel} {} ({beyond} beyond)", placed.len()));
    }
    let words = words.join(", ");
    // One text for each incident and person at most, but for what stayed unknown.
    assert!(ground.stage.texts().len() <= SERVICES * PEOPLE.len() + unknown, "{words}");
    // A storm rings each person once.
    assert!(ground.stage.calls().len() <= PEOPLE.len() + unknown, "{words} {unknown} unknown\n{}", ground.told());
    format!("{words}, unknown {unknown}")
}

/// One room is told and joined for each incident. A second can only be one that Slack made while the server died that had asked for it:
/// nobody is in it, and nothing stands there.
async fn every_incident_has_one_room(ground: &Ground, server: &Server) {
    let slack = ground.stage.slack();
    // Named after its incident: inc-3-db-0-is-down.
    let rooms = |is_told: bool| -> Vec<String> {
        let rooms = slack.rooms().into_iter().filter(|room| room.name.starts_with("inc-") && (room.posts().count() > 0) == is_told);
        rooms.filter_map(|room| room.name.split('-').nth(1).map(str::to_owned)).collect()
    };
    ground.until(server, "every incident has its room", PATIENCE, async || (rooms(true).len() >= SERVICES).then_some(())).await;
    let mut told = rooms(true);
    told.sort();
    assert_eq!(told, (1..=SERVICES).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(rooms(false).len() <= KILLS, "{:?}", rooms(false));
}
