//! A whole Reveille with a stage around it and a clock that is moved by hand.
//!
//! A story reads like the night it tells: `app.fires("disk full")`, `app.phone("ana").rings()`,
//! `app.phone("bo").rings_after("5m").press('1')`. What a story does not expect fails it: a call nobody took, an effect left over.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reveille::base::clock::Clock;
use reveille::base::secret::Secret;
use reveille::base::time::{Span, Time};
use reveille::base::viewer::Scope;
use reveille::boot::config::{self, Surroundings};
use reveille::boot::wire::{self, Given, Options, Running};
use reveille::flows::access;
use reveille::stage::{self, Call, CallStatus, Stage};
use reveille::store;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::postgres::TestDatabase;

/// The number of each person of [`TEAM`].
pub const PHONES: [(&str, &str); 4] = [("ana", "+33100000001"), ("bo", "+46100000002"), ("cy", "+44100000003"), ("dee", "+49100000004")];

/// The team of most stories. Cy and Dee are paged only with everyone.
pub const TEAM: &str = r#"
[server]
public_url = "{server}"

[twilio]
account_sid = "{account}"
auth_token  = "{token}"
from        = "+15005550006"
api_url     = "{stage}"
calls_per_second = 100

[[user]]
id = "ana"
name = "Ana Ruiz"
timezone = "Europe/Paris"
admin = true
contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]

[[user]]
id = "bo"
name = "Bo Lind"
timezone = "Europe/Stockholm"
contacts = [{ id = "phone", kind = "voice", to = "+46100000002" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]

[[user]]
id = "cy"
name = "Cy Young"
timezone = "Europe/London"
contacts = [{ id = "phone", kind = "voice", to = "+44100000003" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]

[[schedule]]
id = "platform"
timezone = "Europe/Paris"
rotations = [{ members = ["ana", "bo"], every = "1w", handoff = "Mon 09:00", start = "2026-01-05" }]

[[policy]]
id = "platform"
steps = [
  { notify = ["schedule:platform"], escalate_after = "5m" },
  { notify = ["user:bo"], escalate_after = "5m" },
  { notify = ["everyone"] },
]

[[service]]
id = "api"
name = "Public API"
policy = "platform"

[[service]]
id = "shop"
name = "Shop"
policy = "platform"

[[integration]]
id = "api-rollbar"
source = "rollbar"
service = "api"
key = "rollbarkey0000000000000001"

[[integration]]
id = "api-scripts"
source = "generic"
service = "api"
key = "generickey0000000000000001"

[[integration]]
id = "shop-scripts"
source = "generic"
service = "shop"
key = "shopkey0000000000000000001"
"#;

pub const ROLLBAR: &str = "/hooks/rollbar/rollbarkey0000000000000001";
pub const GENERIC: &str = "/hooks/generic/generickey0000000000000001";
pub const SHOP: &str = "/hooks/generic/shopkey0000000000000000001";

/// Which database a story runs on.
#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

/// Makes a story into two tests, one for each database.
#[macro_export]
macro_rules! story {
    ($(#[$doc:meta])* $name:ident, |$app:ident| $body:block) => {
        $crate::story!($(#[$doc])* $name, $crate::app::TEAM, |$app| $body);
    };
    ($(#[$doc:meta])* $name:ident, $team:expr, |$app:ident| $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn story($app: &mut $crate::app::App) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                let mut app = $crate::app::App::start($crate::app::On::Sqlite, $team).await;
                story(&mut app).await;
                app.end().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                let mut app = $crate::app::App::start($crate::app::On::Postgres, $team).await;
                story(&mut app).await;
                app.end().await;
            }
        }
    };
}

pub struct App {
    pub clock: Clock,
    pub stage: Stage,
    pub url: String,
    pub token: String,
    pub http: reqwest::Client,
    running: Running,
    /// Calls that the story has taken notice of.
    seen: BTreeSet<String>,
    files: tempfile::TempDir,
    database: Option<TestDatabase>,
}

impl App {
    pub async fn start(on: On, team: &str) -> Self {
        wire::install_crypto();
        // A Wednesday night in the week of Ana's turn.
        let clock = Clock::fake(Time::parse_rfc3339("2026-01-07T02:00:00Z").expect("a time"));
        let files = tempfile::tempdir().expect("a folder");
        let (database, url) = match on {
            On::Sqlite => (None, files.path().join("reveille.db").display().to_string()),
            On::Postgres => {
                let database = crate::postgres::fresh_database().await;
                let url = database.url().to_owned();
                (Some(database), url)
            }
        };
        let (account, token) = ("AC00000000000000000000000000000001", "stage-auth-token");
        let stage = Stage::open(stage::Options {
            listen: free_port(),
            clock: clock.clone(),
            account_sid: account.to_owned(),
            auth_token: Secret::new(token),
            people: PHONES.iter().map(|(name, number)| ((*number).to_owned(), (*name).to_owned())).collect(),
            reveille_url: None,
        })
        .await
        .expect("the stage opens");
        let listener = TcpListener::bind(free_port()).await.expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("an address"));
        let file = [("server", server.as_str()), ("stage", &stage.url()), ("account", account), ("token", token)]
            .iter()
            .fold(team.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        let surroundings = Surroundings::made(&[], &[("team.toml", &file)]);
        let loaded = config::load(&PathBuf::from("team.toml"), &surroundings, &["rollbar", "generic"]);
        let (config, _) = loaded.unwrap_or_else(|error| panic!("the team's file: {error}"));
        let running = wire::start(Options {
            database: url,
            listener,
            clock: clock.clone(),
            config: Given::Config(Box::new(config)),
            var: files.path().join("var"),
            secret_key: None,
            public_url: None,
        })
        .await
        .expect("the server starts");
        let api_token = access::create_token(&running.house.store, &clock, "story", Scope::Admin, None).await.expect("a token");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let token = api_token.expose().to_owned();
        Self { clock, stage, url: server, token, http, running, seen: BTreeSet::new(), files, database }
    }

    /// The end of a story: nobody was called whom it did not expect, and nothing is left to be sent.
    pub async fn end(mut self) {
        self.settle().await;
        let unseen: Vec<Call> = self.stage.calls().into_iter().filter(|call| !self.seen.contains(&call.sid)).collect();
        assert!(unseen.is_empty(), "nobody expected these calls:\n{}", self.told(&unseen));
        let left = store::outbox_due(&self.running.house.store.reader(), self.clock.now()).await.expect("the outbox reads");
        assert_eq!(left, 0, "effects are left in the outbox");
        self.running.stop().await;
        self.stage.shut().await;
        drop(self.database);
        drop(self.files);
    }

    pub fn house(&self) -> &reveille::flows::House {
        &self.running.house
    }

    // Senders.

    /// Posts a body to a hook and expects it to be taken.
    pub async fn posts(&self, hook: &str, body: &Value) -> Value {
        let answer = self.http.post(format!("{}{hook}", self.url)).json(body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert_eq!(status.as_u16(), 202, "{text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// An error of the API fires.
    pub async fn fires(&self, title: &str) {
        self.posts(GENERIC, &json!({"dedup_key": title, "title": title, "severity": "error"})).await;
        self.settle().await;
    }

    /// The sender says that it is over.
    pub async fn resolves(&self, title: &str) {
        self.posts(GENERIC, &json!({"dedup_key": title, "title": title, "state": "resolved"})).await;
        self.settle().await;
    }

    // Time.

    /// Waits, in real time and not for long, until nothing is left to do at this moment of the story's clock.
    pub async fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..20_000 {
            quiet = if self.is_quiet().await { quiet + 1 } else { 0 };
            if quiet >= 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("the house does not come to rest at {}; {}", self.clock.now(), self.unrest().await);
    }

    async fn is_quiet(&self) -> bool {
        let reader = self.running.house.store.reader();
        let now = self.clock.now();
        if self.stage.busy() {
            return false;
        }
        let hanging = i64::try_from(self.stage.requests_hanging()).expect("few");
        let journal = store::journal_pending(&reader).await.expect("the journal reads");
        let wakes = store::wakes_due(&reader, now, 1).await.expect("wake-ups read");
        let effects = store::outbox_due(&reader, now).await.expect("the outbox reads");
        journal == 0 && wakes.is_empty() && effects <= hanging && !self.stage.busy()
    }

    async fn unrest(&self) -> String {
        let reader = self.running.house.store.reader();
        let now = self.clock.now();
        format!(
            "journal {:?}, wake-ups {:?}, effects {:?}, stage busy {}",
            store::journal_pending(&reader).await,
            store::wakes_due(&reader, now, 10).await,
            store::outbox_due(&reader, now).await,
            self.stage.busy()
        )
    }

    /// Moves the clock, stopping at every moment at which something is due.
    pub async fn advance(&self, span: &str) {
        let target = self.clock.now() + Span::parse(span).expect("a span");
        self.advance_to(target).await;
    }

    pub async fn advance_to(&self, target: Time) {
        loop {
            self.settle().await;
            let now = self.clock.now();
            let reader = self.running.house.store.reader();
            let due = [
                self.clock.next_deadline(),
                store::wake_next_due(&reader).await.expect("wake-ups read"),
                store::outbox_next_due(&reader, reveille::domain::effect::Lane::Page).await.expect("the outbox reads"),
                store::outbox_next_due(&reader, reveille::domain::effect::Lane::Settle).await.expect("the outbox reads"),
            ];
            match due.into_iter().flatten().filter(|due| *due > now).min() {
                Some(next) if next < target => self.clock.advance_to(next),
                Some(_) | None => break,
            }
        }
        self.clock.advance_to(target);
        self.settle().await;
    }

    // People.

    pub fn phone<'a>(&'a mut self, person: &str) -> Phone<'a> {
        let number = PHONES.iter().find(|(name, _)| *name == person).expect("a person of the team").1;
        Phone { app: self, number, person: person.to_owned() }
    }

    /// All calls so far, as lines.
    pub fn told(&self, calls: &[Call]) -> String {
        calls
            .iter()
            .map(|call| format!("  {} {} {:?}: {}", call.created_at, call.to, call.status, call.spoken().join(" ")))
            .collect::<Vec<_>>()
            .join("\n")
    }

    // The API.

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "GET {path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    pub async fn command(&self, number: i64, verb: &str) -> Value {
        let url = format!("{}/api/v1/incidents/{number}/{verb}", self.url);
        let answer = self.http.post(url).bearer_auth(&self.token).json(&json!({})).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{verb} #{number}: {status} {text}");
        self.settle().await;
        serde_json::from_str(&text).expect("JSON")
    }

    pub async fn incident(&self, number: i64) -> Incident {
        Incident {
            row: self.get(&format!("/api/v1/incidents/{number}")).await,
            timeline: self.get(&format!("/api/v1/incidents/{number}/timeline?limit=1000")).await["items"]
                .as_array()
                .expect("a list")
                .clone(),
            alerts: self.get(&format!("/api/v1/incidents/{number}/alerts?limit=1000")).await["items"].as_array().expect("a list").clone(),
            pages: self.get(&format!("/api/v1/incidents/{number}/pages")).await["items"].as_array().expect("a list").clone(),
        }
    }

    pub async fn incidents(&self) -> Vec<Value> {
        self.get("/api/v1/incidents?limit=1000").await["items"].as_array().expect("a list").clone()
    }
}

/// One person's telephone.
pub struct Phone<'a> {
    app: &'a mut App,
    number: &'static str,
    person: String,
}

impl<'a> Phone<'a> {
    fn ringing(&self) -> Option<Call> {
        self.app
            .stage
            .calls()
            .into_iter()
            .find(|call| call.to == self.number && call.status == CallStatus::Ringing && !self.app.seen.contains(&call.sid))
    }

    /// It rings now, and the story had not noticed it before.
    pub async fn rings(self) -> Ringing<'a> {
        self.app.settle().await;
        let Some(call) = self.ringing() else {
            let calls = self.app.stage.calls();
            panic!("{}'s phone does not ring at {}; calls so far:\n{}", self.person, self.app.clock.now(), self.app.told(&calls));
        };
        self.app.seen.insert(call.sid.clone());
        Ringing { app: self.app, sid: call.sid }
    }

    /// It rings after exactly this long, to the second, and not before.
    pub async fn rings_after(self, span: &str) -> Ringing<'a> {
        let due = self.app.clock.now() + Span::parse(span).expect("a span");
        let known: BTreeSet<String> = self.app.stage.calls().into_iter().map(|call| call.sid).collect();
        self.app.advance_to(due - Span::seconds(1)).await;
        let early: Vec<Call> =
            self.app.stage.calls().into_iter().filter(|call| call.to == self.number && !known.contains(&call.sid)).collect();
        assert!(early.is_empty(), "{}'s phone rang before {span}:\n{}", self.person, self.app.told(&early));
        self.app.advance_to(due).await;
        self.rings().await
    }

    /// It is silent: no call to it that the story has not noticed.
    pub async fn is_silent(self) {
        self.app.settle().await;
        let calls: Vec<Call> =
            self.app.stage.calls().into_iter().filter(|call| call.to == self.number && !self.app.seen.contains(&call.sid)).collect();
        assert!(calls.is_empty(), "{}'s phone rang:\n{}", self.person, self.app.told(&calls));
    }

    /// How often it has rung in all.
    pub fn calls(&self) -> usize {
        self.app.stage.calls().iter().filter(|call| call.to == self.number).count()
    }
}

/// A call that rings.
pub struct Ringing<'a> {
    app: &'a mut App,
    sid: String,
}

impl Ringing<'_> {
    pub fn call(&self) -> Call {
        self.app.stage.calls().into_iter().find(|call| call.sid == self.sid).expect("the call")
    }

    /// Picks up, presses keys one after the other, and gives what was said back.
    pub async fn press(self, key: char) -> String {
        self.app.stage.answer(&self.sid).await.expect("it rings");
        let before = self.call().spoken().len();
        self.app.stage.press(&self.sid, key).await.expect("it listens");
        self.app.settle().await;
        self.call().spoken()[before..].join(" ")
    }

    /// Picks up and says nothing.
    pub async fn answer(self) -> Self {
        self.app.stage.answer(&self.sid).await.expect("it rings");
        self.app.settle().await;
        self
    }

    /// Nobody is there; a machine picks up.
    pub async fn voicemail(self) {
        self.app.stage.voicemail(&self.sid).await.expect("it rings");
        self.app.settle().await;
    }

    pub async fn decline(self) {
        self.app.stage.decline(&self.sid).await.expect("it rings");
        self.app.settle().await;
    }

    /// Lets it ring.
    pub fn ignore(self) {}
}

/// One incident as the API tells it.
pub struct Incident {
    pub row: Value,
    pub timeline: Vec<Value>,
    pub alerts: Vec<Value>,
    pub pages: Vec<Value>,
}

impl Incident {
    pub fn is_acknowledged_by(&self, user: &str) -> &Self {
        assert_eq!(self.row["state"], "acknowledged", "{:#}", self.row);
        let actor = self.entry("incident_acknowledged")["actor"].clone();
        assert_eq!(actor, user);
        self
    }

    pub fn is(&self, state: &str) -> &Self {
        assert_eq!(self.row["state"], state, "{:#}", self.row);
        self
    }

    /// The newest timeline entry of this kind.
    pub fn entry(&self, kind: &str) -> &Value {
        self.timeline.iter().rev().find(|entry| entry["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {:?}", self.kinds()))
    }

    pub fn kinds(&self) -> Vec<&str> {
        self.timeline.iter().filter_map(|entry| entry["kind"].as_str()).collect()
    }
}

fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
