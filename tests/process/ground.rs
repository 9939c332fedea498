//! What a story about processes stands on: a folder, a database, a stage that survives, and a server that can be killed.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use reveille::base::clock::Clock;
use reveille::base::secret::Secret;
use reveille::base::time::{Span, Time};
use reveille::base::viewer::Scope;
use reveille::boot::wire;
use reveille::flows::access;
use reveille::stage::{self, Call, CallStatus, Stage};
use reveille::store::{self, Store, StoreOptions};
use serde_json::{Value, json};

use crate::postgres::TestDatabase;

pub const ANA: &str = "+33100000001";

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const AUTH_TOKEN: &str = "stage-auth-token";

/// One telephone and one step: whatever rings twice rings here.
pub const FILE: &str = r#"
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

[[policy]]
id = "platform"
steps = [{ notify = ["user:ana"], escalate_after = "5m" }]

[[service]]
id = "api"
name = "Public API"
policy = "platform"

[[integration]]
id = "api-scripts"
source = "generic"
service = "api"
key = "generickey0000000000000001"
"#;

pub const KEY: &str = "generickey0000000000000001";

/// Which database a story runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
}

/// How long a process may take to start, or to come to what a story waits for, on a busy machine.
pub const PATIENCE: Span = Span::seconds(15);
/// How long a command may take: `doctor` waits for one provider after the other.
const COMMAND: Duration = Duration::from_mins(1);

pub struct Ground {
    pub clock: Clock,
    pub stage: Stage,
    /// Where the server listens, before and after it was killed.
    pub url: String,
    pub token: String,
    pub http: reqwest::Client,
    database_url: String,
    /// Of the server, or of what stands before several.
    pub address: SocketAddr,
    folder: tempfile::TempDir,
    _database: Option<TestDatabase>,
}

impl Ground {
    pub async fn new(on: On) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, database_url) = match on {
            On::Sqlite => (None, folder.path().join("var/reveille.db").display().to_string()),
            On::Postgres => {
                let database = crate::postgres::fresh_database().await;
                let url = database.url().to_owned();
                (Some(database), url)
            }
        };
        Self::with(folder, database_url, database).await
    }

    /// On a database that the story looks after itself.
    pub async fn on(database_url: String) -> Self {
        Self::with(tempfile::tempdir().expect("a folder"), database_url, None).await
    }

    async fn with(folder: tempfile::TempDir, database_url: String, database: Option<TestDatabase>) -> Self {
        wire::install_crypto();
        let clock = Clock::system();
        let stage = Stage::open(stage::Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: clock.clone(),
            account_sid: ACCOUNT.to_owned(),
            auth_token: Secret::new(AUTH_TOKEN),
            people: vec![(ANA.to_owned(), "Ana Ruiz".to_owned())],
            reveille_url: None,
            slack: stage::slack::Options::default(),
            sms_url: None,
            smtp: None,
        })
        .await
        .expect("the stage opens");
        let address = free_address();
        let url = format!("http://{address}");
        let token = Self::token(&database_url, &clock).await;
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(Duration::from_secs(10)).build();
        let http = http.expect("a client");
        let ground = Self { clock, stage, url, token, http, database_url, address, folder, _database: database };
        ground.configure(FILE);
        ground
    }

    /// A token, made before the first start: while the server is dead nobody but its next start may open the file.
    async fn token(database_url: &str, clock: &Clock) -> String {
        let store = Store::open(database_url, StoreOptions::default()).await.expect("the database opens");
        store.migrate().await.expect("the tables are made");
        let token = access::create_token(&store, clock, "story", Scope::Admin, None).await.expect("a token");
        store.close().await;
        token.expose().to_owned()
    }

    /// Writes the configuration file.
    pub fn configure(&self, file: &str) {
        let words = [("server", self.url.as_str()), ("stage", &self.stage.url()), ("account", ACCOUNT), ("token", AUTH_TOKEN)];
        let text = words.iter().fold(file.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        std::fs::write(self.config(), text).expect("the file can be written");
    }

    /// The configuration of most stories, with one thing replaced.
    pub fn configure_with(&self, this: &str, by: &str) {
        assert!(FILE.contains(this), "the file does not say {this:?}");
        self.configure(&FILE.replace(this, by));
    }

    pub fn config(&self) -> PathBuf {
        self.path("reveille.toml")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub const fn database_url(&self) -> &str {
        self.database_url.as_str()
    }

    /// The database, beside a running server.
    pub async fn store(&self) -> Store {
        Store::open(&self.database_url, StoreOptions::default()).await.expect("the database opens")
    }

    // The program.

    /// The program in this story's folder, with nothing of this process's settings.
    pub fn program(&self) -> Command {
        self.other_program(env!("CARGO_BIN_EXE_reveille"))
    }

    /// Another program that stands where ours would.
    pub fn other_program(&self, program: &str) -> Command {
        let mut program = Command::new(program);
        program.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REVEILLE_") {
                program.env_remove(name);
            }
        }
        program.env("REVEILLE_URL", &self.url).env("REVEILLE_TOKEN", &self.token).env("NO_COLOR", "1");
        program
    }

    /// Runs a command to its end, off the runtime's threads: the stage must go on meanwhile.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        let mut program = tokio::process::Command::from(self.program());
        program.args(arguments).kill_on_drop(true);
        let ended = tokio::time::timeout(COMMAND, program.output()).await;
        ended.unwrap_or_else(|_| panic!("reveille {arguments:?} does not end")).expect("the program starts")
    }

    /// `serve`, and with `--config`.
    pub fn serve(&self) -> Command {
        self.serve_at(self.address)
    }

    fn serve_at(&self, address: SocketAddr) -> Command {
        let mut program = self.program();
        program.args(["serve", "--listen", &address.to_string(), "--database", &self.database_url, "--config"]).arg(self.config());
        program
    }

    /// Starts the server, to die at `failpoint` where one is given, and waits until it takes requests.
    pub async fn start(&self, failpoint: Option<&str>) -> Server {
        self.start_at(self.address, failpoint).await
    }

    /// Starts a replica at an address of its own.
    pub async fn start_at(&self, address: SocketAddr, failpoint: Option<&str>) -> Server {
        let mut program = self.serve_at(address);
        if let Some(failpoint) = failpoint {
            program.env("REVEILLE_FAILPOINT", failpoint);
        }
        self.start_as_at(program, address).await
    }

    /// Starts this program as the server, and waits until it takes requests.
    pub async fn start_as(&self, program: Command) -> Server {
        self.start_as_at(program, self.address).await
    }

    async fn start_as_at(&self, program: Command, address: SocketAddr) -> Server {
        let mut server = self.spawn(program);
        let mut tries = 0;
        loop {
            if self.http.get(format!("http://{address}/healthz")).send().await.is_ok_and(|answer| answer.status().is_success()) {
                server.up_at = self.clock.now();
                return server;
            }
            assert!(server.child.try_wait().expect("it can be asked").is_none(), "the server ended at its start:\n{}", server.log());
            tries += 1;
            assert!(tries < 1_500, "the server does not start:\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts a server and does not wait for it.
    pub fn spawn(&self, mut program: Command) -> Server {
        static LOGS: AtomicU16 = AtomicU16::new(1);
        let log = self.path(&format!("serve.{}.log", LOGS.fetch_add(1, Ordering::Relaxed)));
        program.stdout(Stdio::null()).stderr(File::create(&log).expect("a log can be written"));
        let started_at = self.clock.now();
        let child = program.spawn().expect("the program starts");
        Server { child, log, clock: self.clock.clone(), started_at, up_at: started_at }
    }

    // The doors.

    /// Posts one alert; `true` when it was accepted.
    pub async fn posts(&self, dedup_key: &str) -> bool {
        self.posts_to(KEY, dedup_key).await
    }

    pub async fn posts_to(&self, key: &str, dedup_key: &str) -> bool {
        let body = json!({"dedup_key": dedup_key, "title": format!("{dedup_key} is down"), "severity": "error"});
        let answer = self.http.post(format!("{}/hooks/generic/{key}", self.url)).json(&body).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "GET {path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// A list, whole.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let list = self.get(&format!("{path}?limit=1000{cursor}")).await;
            items.extend(list["items"].as_array().expect("a list").iter().cloned());
            match list["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// The attempts of all pages of one incident.
    pub async fn attempts(&self, number: i64) -> Vec<Value> {
        let pages = self.items(&format!("/api/v1/incidents/{number}/pages")).await;
        pages.iter().flat_map(|page| page["attempts"].as_array().expect("a list").clone()).collect()
    }

    /// Asks for something to be done; `None` when the server died over it.
    pub async fn command(&self, number: i64, verb: &str) -> Option<Value> {
        let url = format!("{}/api/v1/incidents/{number}/{verb}", self.url);
        let answer = self.http.post(url).bearer_auth(&self.token).json(&json!({})).send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        assert!(status.is_success(), "{verb} #{number}: {status} {text}");
        Some(serde_json::from_str(&text).expect("JSON"))
    }

    // Waiting.

    /// Waits until `look` sees what it looks for.
    ///
    /// # Panics
    /// When it does not within `limit`; `what` says what was missed, and the server's log why.
    pub async fn until<T>(&self, server: &Server, what: &str, limit: Span, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let late = self.clock.now() + limit;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            let calls = self.told();
            assert!(self.clock.now() < late, "{what}: not within {limit}\ncalls:\n{calls}\nlog:\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is left to do now.
    pub async fn settle(&self, server: &Server, store: &Store) {
        let reader = store.reader();
        let mut quiet = 0;
        self.until(server, "the house comes to rest", PATIENCE, async || {
            let now = self.clock.now();
            let journal = store::journal_pending(&reader).await.expect("the journal reads");
            let wakes = store::wakes_due(&reader, now, 1).await.expect("wake-ups read");
            let effects = store::outbox_due(&reader, now).await.expect("the outbox reads");
            quiet = if journal == 0 && wakes.is_empty() && effects == 0 && !self.stage.busy() { quiet + 1 } else { 0 };
            (quiet >= 3).then_some(())
        })
        .await;
    }

    pub fn ringing(&self) -> Option<Call> {
        self.stage.calls().into_iter().find(|call| call.status == CallStatus::Ringing)
    }

    /// All calls so far, as lines.
    pub fn told(&self) -> String {
        let calls = self.stage.calls();
        let lines = calls.iter().map(|call| format!("  {} {} {:?} {:?}", call.created_at, call.sid, call.status, call.callbacks));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A running server. It dies with the story.
pub struct Server {
    child: Child,
    log: PathBuf,
    clock: Clock,
    /// Before the process existed.
    pub started_at: Time,
    /// When it first answered.
    pub up_at: Time,
}

impl Server {
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it is gone");
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Stands still, with all it holds, until [`Server::goes_on`].
    pub fn freezes(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub fn goes_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        let id = rustix::process::Pid::from_raw(id).expect("a process id");
        rustix::process::kill_process(id, signal).expect("it can be told");
    }

    /// Whether it still runs.
    pub fn is_up(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, limit: Span) -> ExitStatus {
        let late = self.clock.now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return status;
            }
            assert!(self.clock.now() < late, "the server still runs after {limit}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until it has killed itself at its failpoint.
    pub async fn dies(&mut self, limit: Span) {
        let status = self.ended(limit).await;
        assert_eq!(status.signal(), Some(9), "it ended by itself: {status}\n{}", self.log());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// An address that will still be free when the server comes back: below the ports that the system hands out by itself.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let base = 10_000 + u16::try_from(std::process::id() % 900).expect("below 900") * 10;
    loop {
        let port = base + NEXT.fetch_add(1, Ordering::Relaxed) % 9_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
