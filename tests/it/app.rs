//! A whole Reveille with a stage around it and a clock that is moved by hand.
//!
//! A story reads like the night it tells: `app.fires("disk full")`, `app.phone("ana").rings()`,
//! `app.phone("bo").rings_after("5m").press('1')`. What a story does not expect fails it: a call nobody took, an effect left over.

mod phone;
mod reader;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use reveille::base::clock::Clock;
use reveille::base::id::UserId;
use reveille::base::limits;
use reveille::base::secret::Secret;
use reveille::base::time::{Span, Time};
use reveille::base::viewer::Scope;
use reveille::boot::config::{self, Config, Surroundings};
use reveille::boot::live;
use reveille::boot::wire::{self, Given, Options, Running};
use reveille::domain::effect::Lane;
use reveille::flows::{access, announce, apply, ask};
use reveille::stage::slack::SlackFault;
use reveille::stage::{self, Call, Direction, Stage, Text};
use reveille::store::{self, HeartbeatRow};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use phone::Phone;
pub use reader::{Browser, Incident, Stream, kinds};

use crate::postgres::TestDatabase;

/// The number of each person of [`TEAM`].
pub const PHONES: [(&str, &str); 5] =
    [("ana", "+33100000001"), ("ana at home", "+33100000009"), ("bo", "+46100000002"), ("cy", "+44100000003"), ("dee", "+49100000004")];

/// The team of most stories. Cy and Dee are paged only with everyone.
pub const TEAM: &str = r#"
[server]
public_url = "{server}"

[twilio]
account_sid = "{account}"
auth_token  = "{token}"
from        = "+15005550006"
api_url     = "{stage}"
calls_per_second = 1000

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
    /// `None` while the server is down.
    pub running: Option<Running>,
    /// What its environment says from its next start on.
    pub own: live::Own,
    /// Calls that the story has taken notice of.
    seen: BTreeSet<String>,
    files: tempfile::TempDir,
    pub database_url: String,
    database: Option<TestDatabase>,
}

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const AUTH_TOKEN: &str = "stage-auth-token";

impl App {
    pub async fn start(on: On, team: &str) -> Self {
        wire::install_crypto();
        // A Wednesday night in the week of Ana's turn.
        let clock = Clock::fake(Time::parse_rfc3339("2026-01-07T02:00:00Z").expect("a time"));
        let files = tempfile::tempdir().expect("a folder");
        let (database, database_url) = match on {
            On::Sqlite => (None, files.path().join("reveille.db").display().to_string()),
            On::Postgres => {
                let database = crate::postgres::fresh_database().await;
                let url = database.url().to_owned();
                (Some(database), url)
            }
        };
        let stage = Stage::open(stage::Options {
            listen: free_port(),
            clock: clock.clone(),
            account_sid: ACCOUNT.to_owned(),
            auth_token: Secret::new(AUTH_TOKEN),
            people: PHONES.iter().map(|(name, number)| ((*number).to_owned(), (*name).to_owned())).collect(),
            reveille_url: None,
            // What the manifest asks for has to be enough.
            slack: stage::slack::Options { scopes: crate::workspace::manifest_scopes(), ..Default::default() },
            sms_url: None,
            smtp: Some(free_port()),
        })
        .await
        .expect("the stage opens");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("a client");
        let listener = TcpListener::bind(free_port()).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        stage.set_sms_url(&format!("{url}/callbacks/sms"));
        stage.set_reveille(&url);
        let (token, seen) = (String::new(), BTreeSet::new());
        let mut app =
            Self { clock, stage, url, token, http, running: None, own: live::Own::default(), seen, files, database_url, database };
        let config = app.config(team);
        app.serve(listener, Given::Config(Box::new(config))).await;
        app.token = app.token_of("story", Scope::Admin).await;
        app
    }

    async fn serve(&mut self, listener: TcpListener, config: Given) {
        let running = wire::start(Options {
            database: self.database_url.clone(),
            listener,
            clock: self.clock.clone(),
            config,
            var: self.var(),
            secret_key: None,
            own: self.own.clone(),
            tls: None,
            ballast_bytes: 0,
        })
        .await
        .expect("the server starts");
        self.running = Some(running);
    }

    fn var(&self) -> PathBuf {
        self.files.path().join("var")
    }

    fn config(&self, team: &str) -> Config {
        let smtp = self.stage.smtp_url().expect("the stage takes mail");
        let words =
            [("server", self.url.as_str()), ("stage", &self.stage.url()), ("account", ACCOUNT), ("token", AUTH_TOKEN), ("smtp", &smtp)];
        let file = words.iter().fold(team.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        let surroundings = Surroundings::made(&[], &[("team.toml", &file)]);
        let loaded = config::load(&PathBuf::from("team.toml"), &surroundings, &reveille::sources::names().collect::<Vec<_>>());
        loaded.unwrap_or_else(|error| panic!("the team's file: {error}")).0
    }

    /// Another file is applied beside the running server, which sees it within two seconds.
    pub async fn applies(&self, team: &str) {
        let house = self.house();
        let before = house.now_live().version;
        let sealer = wire::sealer(&self.var(), None).expect("the server's key");
        let wanted = live::wanted(&self.config(team)).expect("settings");
        assert!(apply::apply(&house.store, &self.clock, &sealer, &wanted).await.expect("it is applied"), "nothing changed");
        let mut live = house.live.clone();
        let seen = live.wait_for(|live| live.version > before);
        drop(tokio::time::timeout(Duration::from_secs(2), seen).await.expect("in force within two seconds").expect("the server runs"));
    }

    /// A second server on the same database, as replicas are: it takes a share of the work, and nobody posts to it.
    pub async fn twin(&self) -> Running {
        let listener = TcpListener::bind(free_port()).await.expect("a port");
        let options = Options {
            database: self.database_url.clone(),
            listener,
            clock: self.clock.clone(),
            config: Given::Nothing,
            var: self.var(),
            secret_key: None,
            own: live::Own::default(),
            tls: None,
            ballast_bytes: 0,
        };
        wire::start(options).await.expect("the replica starts")
    }

    /// The server goes down, in good order.
    pub async fn goes_down(&mut self) {
        self.running.take().expect("it runs").stop().await;
    }

    /// It comes back where it was, on the same database.
    pub async fn comes_back(&mut self) {
        let address: SocketAddr = self.url.trim_start_matches("http://").parse().expect("an address");
        let listener = TcpListener::bind(address).await.expect("its port is free again");
        self.serve(listener, Given::Nothing).await;
        self.settle().await;
    }

    /// The end of a story: nobody was called whom it did not expect, nothing is left to be sent, every signal is accounted for.
    pub async fn end(mut self) {
        self.settle().await;
        let unseen: Vec<Call> = self.stage.calls().into_iter().filter(|call| !self.seen.contains(&call.sid)).collect();
        assert!(unseen.is_empty(), "nobody expected these calls:\n{}", told(&unseen));
        let left = store::outbox_due(&self.house().store.reader(), self.clock.now()).await.expect("the outbox reads");
        assert_eq!(left, 0, "effects are left in the outbox");
        self.is_accounted_for().await;
        self.goes_down().await;
        self.stage.shut().await;
        drop(self.database);
        drop(self.files);
    }

    /// What was accepted of each integration is the sum of what became of it; the sum over all is returned.
    pub async fn is_accounted_for(&self) -> i64 {
        let tallies = store::tally_list(&self.house().store.reader()).await.expect("the tallies read");
        let integrations: BTreeSet<_> = tallies.keys().map(|(integration, _)| integration.clone()).collect();
        let mut all = 0;
        for integration in integrations {
            let of = |accepted: bool| -> i64 {
                let own = tallies.iter().filter(|((other, name), _)| *other == integration && (name == "accepted") == accepted);
                own.map(|(_, n)| n).sum()
            };
            assert_eq!(of(true), of(false), "{integration}: {tallies:?}");
            all += of(true);
        }
        all
    }

    /// Every row of every table, as a backup takes them.
    pub async fn everything(&self) -> String {
        let mut file = Vec::new();
        reveille::flows::backup::write(&self.house().store, self.clock.now(), &mut file).await.expect("it is written");
        String::from_utf8(file).expect("a backup is text")
    }

    /// One statement beside the server, as an operator or a fault would.
    pub async fn sql(&self, statement: &str) {
        let url = if self.database.is_some() { self.database_url.clone() } else { format!("sqlite://{}", self.database_url) };
        let mut beside = AnyConnection::connect(&url).await.expect("the database can be reached");
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut beside).await.expect("the statement");
        beside.close().await.expect("it closes");
    }

    pub fn house(&self) -> &reveille::flows::House {
        &self.running.as_ref().expect("the server runs").house
    }

    // Senders.

    /// Posts anything anywhere; the status and the body, as JSON where it is.
    pub async fn sends(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        answer(self.http.post(format!("{}{path}", self.url)).body(body)).await
    }

    /// Posts a body to a hook and expects it to be taken.
    pub async fn posts(&self, hook: &str, body: &Value) -> Value {
        let (status, told) = self.sends(hook, body.to_string()).await;
        assert_eq!(status, 202, "{told}");
        told
    }

    /// Posts and waits for the decision: the outcome, the alert's id and the incident's number.
    pub async fn hears(&self, hook: &str, body: &Value) -> Heard {
        let post = self.http.post(format!("{}{hook}", self.url)).header("prefer", "wait=5").body(body.to_string());
        let (status, told) = answer(post).await;
        assert_eq!(status, 202, "{told}");
        self.settle().await;
        let result = &told["results"][0];
        Heard {
            outcome: result["outcome"].as_str().expect("an outcome").to_owned(),
            reason: result["reason"].as_str().expect("a reason").to_owned(),
            alert: result["alert"].as_str().map(str::to_owned),
            incident: result["incident"].as_i64(),
        }
    }

    /// An error of the API fires.
    pub async fn fires(&self, title: &str) {
        self.posts(GENERIC, &json!({"dedup_key": title, "title": title, "severity": "error"})).await;
        self.settle().await;
    }

    /// An error of the shop fires.
    pub async fn shop_fires(&self, title: &str) {
        self.posts(SHOP, &json!({"dedup_key": title, "title": title, "severity": "error"})).await;
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

    /// Ends what is over by the clock, without waiting for the server's own sweeper.
    pub async fn sweeps(&self) {
        while reveille::flows::expire::sweep(self.house()).await.expect("it sweeps") > 0 {}
        self.settle().await;
    }

    async fn is_quiet(&self) -> bool {
        let reader = self.house().store.reader();
        let now = self.clock.now();
        if self.stage.busy() {
            return false;
        }
        let journal = store::journal_pending(&reader).await.expect("the journal reads");
        let wakes = store::wakes_due(&reader, now, 1).await.expect("wake-ups read");
        let effects = store::outbox_due(&reader, now).await.expect("the outbox reads");
        // What hangs in Slack holds up nothing else, so nobody waits for it.
        let slack_hangs = matches!(self.stage.slack().fault(), Some(SlackFault::Hang | SlackFault::DoButHang));
        let mut hanging = i64::try_from(self.stage.requests_hanging()).expect("few");
        if slack_hangs {
            // Of what hangs there, messages to a person are effects, and the rest is none.
            let gauges = reader.gauges(now).await.expect("the gauges read");
            hanging = hanging.min(gauges.outbox.get("direct").map_or(0, |waiting| waiting.rows));
        }
        let told = slack_hangs || announce::is_at_rest(self.house()).await.expect("the followers read");
        let asked = slack_hangs || ask::is_at_rest(self.house()).await.expect("the questions read");
        told && asked && self.heartbeats_are_awaited().await && journal == 0 && wakes.is_empty() && effects <= hanging && !self.stage.busy()
    }

    /// Every heartbeat that is configured is awaited, by a server that has the watch, and none that is due is untold.
    async fn heartbeats_are_awaited(&self) -> bool {
        let live = self.house().now_live();
        if live.setup.integrations.values().all(|integration| integration.heartbeat.is_none()) {
            return true;
        }
        let watch = store::lease_idle(&self.house().store.reader(), "heartbeats").await.expect("the watch reads");
        if watch.is_none_or(|idle| idle > Span::ZERO) {
            return false;
        }
        let rows = store::heartbeat_list(&self.house().store.reader()).await.expect("heartbeats read");
        let now = self.clock.now();
        // A miss is told of again while it lasts.
        let is_told = |row: &HeartbeatRow| row.missed && row.told_at + row.span.max(limits::MISS_TOLD_EVERY) > now;
        let awaited = |id| rows.iter().any(|row| &row.integration == id && (is_told(row) || !row.missed && row.due_at > now));
        live.setup.integrations.values().filter(|integration| integration.heartbeat.is_some()).all(|integration| awaited(&integration.id))
    }

    async fn unrest(&self) -> String {
        let reader = self.house().store.reader();
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
            let reader = self.house().store.reader();
            let heartbeats = store::heartbeat_list(&reader).await.expect("heartbeats read");
            let mut due = vec![
                self.clock.next_deadline(),
                store::wake_next_due(&reader).await.expect("wake-ups read"),
                store::held_next_due(&reader).await.expect("what is held reads"),
                heartbeats.iter().map(|row| row.due_at).filter(|due| *due > now).min(),
            ];
            for lane in Lane::ALL {
                due.push(store::outbox_next_due(&reader, lane).await.expect("the outbox reads"));
            }
            match due.into_iter().flatten().filter(|due| *due > now).min() {
                Some(next) if next < target => self.clock.advance_to(next),
                Some(_) | None => break,
            }
            self.lets_go().await;
        }
        self.clock.advance_to(target);
        self.lets_go().await;
        self.settle().await;
    }

    /// Decides on what was held until now, without waiting for the server's own sweeper.
    async fn lets_go(&self) {
        let next = store::held_next_due(&self.house().store.reader()).await.expect("what is held reads");
        if next.is_some_and(|at| at <= self.clock.now()) {
            self.sweeps().await;
        }
    }

    // People.

    pub fn phone<'a>(&'a mut self, person: &str) -> Phone<'a> {
        let number = PHONES.iter().find(|(name, _)| *name == person).expect("a person of the team").1;
        Phone { app: self, number, person: person.to_owned() }
    }

    /// Moves the clock, second by second, until this person's phone rings.
    pub async fn waits_for_a_call(&mut self, person: &str, most: Span) {
        let until = self.clock.now() + most;
        while self.phone(person).ringing().is_none() && self.clock.now() < until {
            self.advance("1s").await;
        }
    }

    pub fn everyone_takes_notice(&mut self) {
        self.seen.extend(self.stage.calls().into_iter().map(|call| call.sid));
    }

    // The API.

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.asks(reqwest::Method::GET, path, Some(&self.token)).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    pub async fn asks(&self, method: reqwest::Method, path: &str, token: Option<&str>) -> (u16, Value) {
        let request = self.http.request(method, format!("{}{path}", self.url));
        answer(match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
        .await
    }

    /// What was written to this person's phone, oldest first.
    pub fn texts(&self, person: &str) -> Vec<String> {
        let number = PHONES.iter().find(|(name, _)| *name == person).expect("a person of the team").1;
        let ours = |text: &Text| text.to == number && matches!(text.direction, Direction::Api | Direction::Reply);
        self.stage.texts().into_iter().filter(ours).map(|text| text.body).collect()
    }

    /// This person writes back, and is answered: the newest answer.
    pub async fn writes(&self, person: &str, words: &str) -> String {
        let number = PHONES.iter().find(|(name, _)| *name == person).expect("a person of the team").1;
        let before = self.texts(person).len();
        self.stage.reply(number, words).await.expect("there was a text to answer");
        self.settle().await;
        self.texts(person).into_iter().skip(before).collect::<Vec<_>>().join(" ")
    }

    pub async fn command(&self, number: i64, verb: &str) -> Value {
        let (status, body) = self.asks(reqwest::Method::POST, &format!("/api/v1/incidents/{number}/{verb}"), Some(&self.token)).await;
        assert_eq!(status, 200, "{verb} #{number}: {body}");
        self.settle().await;
        body
    }

    /// Posts a body to the API; the status and the answer.
    pub async fn orders(&self, path: &str, body: &Value) -> (u16, Value) {
        let post = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(body);
        let answered = answer(post).await;
        self.settle().await;
        answered
    }

    pub async fn token_of(&self, name: &str, scope: Scope) -> String {
        access::create_token(&self.house().store, &self.clock, name, scope, None).await.expect("a token").expose().to_owned()
    }

    /// A token that acts as this person.
    pub async fn acts_as(&mut self, user: &str) {
        let (store, user) = (&self.house().store, UserId::from(user));
        let token = access::create_token(store, &self.clock, user.as_str(), Scope::Respond, Some(&user)).await.expect("a token");
        token.expose().clone_into(&mut self.token);
    }

    /// A one-time sign-in link's path.
    pub async fn link(&self, user: &str) -> String {
        let link = access::create_link(&self.house().store, &self.clock, &UserId::from(user)).await.expect("a link");
        format!("/sign-in/{}", link.expose())
    }

    /// A browser without scripts, signed in.
    pub async fn browser(&self, user: &str) -> Browser {
        let (link, browser) = (self.link(user).await, self.stranger());
        let csrf = browser.get(&link).await.csrf();
        assert_eq!(browser.post(&link, &format!("csrf={csrf}")).await.status, 303);
        browser
    }

    pub fn stranger(&self) -> Browser {
        Browser { url: self.url.clone(), http: self.http.clone(), cookies: Mutex::default() }
    }

    /// The live stream of an incident, from after this entry.
    pub async fn stream(&self, number: i64, after: i64) -> Stream {
        let request = self.http.get(format!("{}/api/v1/incidents/{number}/stream", self.url)).bearer_auth(&self.token);
        let answer = request.header("last-event-id", after).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Stream { answer, text: String::new() }
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

/// What a sender hears of one message.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    pub outcome: String,
    pub reason: String,
    pub alert: Option<String>,
    pub incident: Option<i64>,
}

/// The status and the body of an answer; no door ever answers 5xx but 503.
pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Calls as lines.
pub fn told(calls: &[Call]) -> String {
    let line = |call: &Call| format!("  {} {} {:?}: {}", call.created_at, call.to, call.status, call.spoken().join(" "));
    calls.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
