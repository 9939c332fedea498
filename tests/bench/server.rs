//! The binary as a process of its own, with a stage for its telephone account.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reveille::base::clock::Clock;
use reveille::base::secret::Secret;
use reveille::base::time::Span;
use reveille::boot::wire;
use reveille::stage::phone::Habit;
use reveille::stage::{self, Stage};
use reveille::store::{self, Store, StoreOptions};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::postgres::{TestDatabase, fresh_database};

/// The hook that is flooded, and the one whose senders post as fast as they can.
pub const FLOOD: &str = "/hooks/generic/floodkey000000000000000001";
pub const INTAKE: &str = "/hooks/generic/intakekey00000000000000001";
const WARM: usize = 99_999;
const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "stage-auth-token";
/// A person answers and presses 1 this long after the phone began to ring.
const ANSWERED_AFTER: Span = Span::seconds(2);

#[derive(Clone, Copy, Debug)]
pub enum On {
    Sqlite,
    Postgres,
}

impl On {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// The hook of the service for which this person is called.
pub fn quiet_hook(person: usize) -> String {
    format!("/hooks/generic/quietkey0000000000000{person:05}")
}

/// This person's telephone number.
pub fn number(person: usize) -> String {
    format!("+336000{person:05}")
}

pub struct Server {
    pub stage: Stage,
    child: Child,
    url: String,
    http: reqwest::Client,
    /// Beside the server, to see how far it is.
    store: Store,
    files: tempfile::TempDir,
    database: Option<TestDatabase>,
}

/// Something that was done, and the processor time that the server spent meanwhile.
pub struct Spent<T> {
    pub value: T,
    pub processor_ms: f64,
}

/// Posts to the server over connections that stay open.
#[derive(Clone)]
pub struct Sender {
    http: reqwest::Client,
    url: String,
}

impl Server {
    pub async fn start(on: On, people: usize) -> Self {
        wire::install_crypto();
        // On a disk: where /tmp is memory, a durable write would cost nothing.
        let files = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let (database, address) = match on {
            On::Sqlite => (None, format!("sqlite://{}?mode=rwc", files.path().join("reveille.db").display())),
            On::Postgres => {
                let database = fresh_database().await;
                let address = database.url().to_owned();
                (Some(database), address)
            }
        };
        let people: Vec<usize> = (0..people).chain([WARM]).collect();
        let stage = Stage::open(stage::Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock: Clock::system(),
            account_sid: ACCOUNT.to_owned(),
            auth_token: Secret::new(TOKEN),
            people: people.iter().map(|person| (number(*person), format!("Person {person}"))).collect(),
            reveille_url: None,
            slack: stage::slack::Options::default(),
            sms_url: None,
            smtp: None,
        })
        .await
        .expect("the stage opens");
        for person in &people {
            stage.set_habit(&number(*person), Habit::AnswerAndPress { keys: "1".to_owned(), after: ANSWERED_AFTER });
        }
        let listen = free_port();
        let url = format!("http://{listen}");
        let config = files.path().join("bench.toml");
        fs::write(&config, configuration(&url, &stage.url(), &people)).expect("the configuration is written");
        let child = Command::new(env!("CARGO_BIN_EXE_reveille"))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .args(["--database", &address, "--listen", &listen.to_string()])
            .current_dir(files.path())
            .env("REVEILLE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(files.path().join("log")).expect("a log can be made"))
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
        let store = Store::open(&address, StoreOptions { readers: 1, writers: 1, page_writers: 1, ballast_bytes: 0 })
            .await
            .expect("the database opens");
        let mut server = Self { stage, child, url, http, store, files, database };
        server.is_ready().await;
        server
    }

    async fn is_ready(&mut self) {
        for _ in 0..600 {
            if let Ok(answer) = self.http.get(format!("{}/readyz", self.url)).send().await
                && answer.status().is_success()
            {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not become ready:\n{}", self.log());
    }

    /// One incident, called and answered.
    pub async fn warm_up(&self) {
        for _ in 0..32 {
            self.sender().posts(&quiet_hook(WARM), &json!({"title": "warm"})).await;
        }
        let mut changed = self.stage.changed();
        let answered = async {
            while !self.stage.calls().iter().any(|call| call.to == number(WARM) && call.answered_at.is_some()) {
                changed.changed().await.expect("the stage is open");
            }
        };
        assert!(tokio::time::timeout(Duration::from_mins(1), answered).await.is_ok(), "the first call was never answered:\n{}", self.log());
    }

    pub fn sender(&self) -> Sender {
        Sender { http: self.http.clone(), url: self.url.clone() }
    }

    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    /// What the server said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.files.path().join("log")).unwrap_or_default()
    }

    /// How long it takes from now until everything accepted is decided.
    pub async fn journal_empties(&self, within: Span) -> Span {
        let clock = Clock::system();
        let began = clock.now();
        let reader = self.store.reader();
        while store::journal_pending(&reader).await.expect("the journal reads") > 0 {
            assert!(clock.now().since(began) < within, "the journal is not empty after {} ms:\n{}", within.0 / 1_000, self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        clock.now().since(began)
    }

    pub async fn spent<T>(&self, work: impl Future<Output = T>) -> Spent<T> {
        let before = self.processor_ms();
        let value = work.await;
        Spent { value, processor_ms: self.processor_ms() - before }
    }

    /// User and system time of the process so far; the kernel counts it in hundredths of a second.
    fn processor_ms(&self) -> f64 {
        let id = self.child.id().expect("it runs");
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        ticks * 10.0
    }

    pub async fn stop(mut self) {
        self.store.close().await;
        self.child.kill().await.expect("it is ours to end");
        let log = self.log();
        self.stage.shut().await;
        drop(self.database);
        print!("{log}");
        assert!(!log.contains("\"ERROR\""), "the server complained");
    }
}

impl Sender {
    /// Posts and expects to be told that it is durable.
    pub async fn posts(&self, hook: &str, body: &Value) {
        let answer = self.http.post(format!("{}{hook}", self.url)).json(body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert_eq!(status.as_u16(), 202, "{text}");
    }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// A service and a person for each incident, so that no call waits for another; and a service each for those who post a lot.
fn configuration(url: &str, stage: &str, people: &[usize]) -> String {
    let mut text = format!(
        "[server]\npublic_url = \"{url}\"\n\n\
         [twilio]\naccount_sid = \"{ACCOUNT}\"\nauth_token = \"{TOKEN}\"\nfrom = \"+15005550006\"\napi_url = \"{stage}\"\n\
         calls_per_second = 1000\n"
    );
    let mut add = |id: &str, number: &str, key: &str, group: &str| {
        write!(
            text,
            "\n[[user]]\nid = \"{id}\"\nname = \"Person {id}\"\ntimezone = \"Europe/Paris\"\n\
             contacts = [{{ id = \"phone\", kind = \"voice\", to = \"{number}\" }}]\n\
             rules = [{{ urgency = \"high\", after = \"0s\", contact = \"phone\" }}]\n\n\
             [[policy]]\nid = \"{id}\"\nsteps = [{{ notify = [\"user:{id}\"], escalate_after = \"30m\" }}]\n\n\
             [[service]]\nid = \"{id}\"\nname = \"Service {id}\"\npolicy = \"{id}\"\n{group}\n\
             [[integration]]\nid = \"{id}\"\nsource = \"generic\"\nservice = \"{id}\"\nkey = \"{key}\"\n"
        )
        .expect("a text takes it");
    };
    let key_of = |hook: &str| hook.rsplit('/').next().unwrap_or_default().to_owned();
    for person in people {
        add(&format!("quiet-{person}"), &number(*person), &key_of(&quiet_hook(*person)), "group = { window = \"0s\" }\n");
    }
    add("flood", "+33700000001", &key_of(FLOOD), "");
    add("intake", "+33700000002", &key_of(INTAKE), "");
    text
}
