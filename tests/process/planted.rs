//! Every kind of secret, planted with a value that is easily found again, through a night in which everything fails: nowhere but where it
//! belongs is it found afterwards. The log is the most talkative there is.

use std::collections::BTreeMap;
use std::path::Path;

use reveille::stage::slack::SlackFault;
use reveille::stage::{CallStatus, Fault};
use serde_json::json;

#[path = "../support/hostile.rs"]
mod hostile;
#[path = "../it/receiver.rs"]
#[expect(dead_code, reason = "stories ask more of it than is asked here")]
mod receiver;

use self::receiver::Receiver;
use crate::ground::{Ground, On, PATIENCE, Server};
use crate::kill::SERVERS;

const SMTP_PASSWORD: &str = "planted-smtp-password";
const METRICS_TOKEN: &str = "planted-metrics-token";
const KEY: &str = "planted-integration-key-1";
const PASSWORD: &str = "planted pass phrase 1";

/// The configuration's secrets; those of the stage's own are the providers'.
const WRITTEN: [(&str, &str); 12] = [
    ("Twilio's token", "stage-auth-token"),
    ("Twilio's token before", "planted-twilio-token-before"),
    ("Slack's bot token", "xoxb-stage"),
    ("Slack's signing secret", "stage-signing-secret"),
    ("the mail server's password", SMTP_PASSWORD),
    ("webhook_secret", "planted-webhook-secret-own"),
    ("a webhook's secret", "planted-webhook-secret-all"),
    ("a webhook's address", "planted-webhook-address"),
    ("heartbeat_url", "planted-heartbeat-address"),
    ("metrics_token", METRICS_TOKEN),
    ("an integration's key", KEY),
    ("the old key of an integration", "planted-integration-key-0"),
];

fn file(receiver: &Receiver, mail_port: u16) -> String {
    format!(
        r#"
[server]
public_url = "{{server}}"
allow_private_targets = true
webhook_secret = "planted-webhook-secret-own"
metrics_token = "{METRICS_TOKEN}"
heartbeat_url = "{receiver}/beat/planted-heartbeat-address"

[twilio]
account_sid = "{{account}}"
auth_token = ["{{token}}", "planted-twilio-token-before"]
from = "+15005550006"
api_url = "{{stage}}"
calls_per_second = 100

[slack]
bot_token = "xoxb-stage"
signing_secret = "stage-signing-secret"
announce = "C0INCIDENTS"
api_url = "{{stage}}/slack/api"

[smtp]
url = "smtp://mailer:{SMTP_PASSWORD}@127.0.0.1:{mail_port}"
from = "reveille@example.com"

[[webhook]]
id = "ops"
url = "{receiver}/all?key=planted-webhook-address"
secret = "planted-webhook-secret-all"

[[user]]
id = "ana"
name = "Ana Ruiz"
slack = "U0ANA"
timezone = "Europe/Paris"
admin = true
contacts = [
  {{ id = "phone", kind = "voice", to = "+33100000001" }},
  {{ id = "mail", kind = "email", to = "ana@example.com" }},
  {{ id = "dm", kind = "slack_dm" }},
  {{ id = "hook", kind = "webhook", to = "{receiver}/own" }},
]
rules = [
  {{ urgency = "high", after = "0s", contact = "mail" }},
  {{ urgency = "high", after = "0s", contact = "dm" }},
  {{ urgency = "high", after = "0s", contact = "hook" }},
  {{ urgency = "high", after = "2s", contact = "phone" }},
]

[[user]]
id = "oz"
name = "Oz Look"
timezone = "UTC"
role = "observer"

[[policy]]
id = "platform"
steps = [{{ notify = ["user:ana"], escalate_after = "5m" }}]

[[service]]
id = "api"
name = "Public API"
policy = "platform"
room_at = "sev2"
group = {{ window = "0s" }}

[[integration]]
id = "api-scripts"
source = "generic"
service = "api"
key = ["{KEY}", "planted-integration-key-0"]
"#,
        receiver = receiver.url
    )
}

/// A browser, as far as forms need one.
struct Browser<'a> {
    ground: &'a Ground,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
    csrf: String,
}

impl<'a> Browser<'a> {
    fn new(ground: &'a Ground) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("a client");
        Self { ground, http, cookies: BTreeMap::new(), csrf: String::new() }
    }

    async fn ask(&mut self, path: &str, form: Option<&str>, key: Option<&str>) -> (u16, String) {
        let url = format!("{}{path}", self.ground.url);
        let request = match form {
            Some(form) => self.http.post(url).body(format!("csrf={}&{form}", self.csrf)),
            None => self.http.get(url),
        };
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.expect("an answer");
        for cookie in answer.headers().get_all("set-cookie") {
            let (pair, _) = cookie.to_str().expect("text").split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a page");
        if let Some((_, rest)) = text.split_once("name=\"csrf\" value=\"") {
            rest.split('"').next().expect("a value").clone_into(&mut self.csrf);
        }
        (status, text)
    }

    async fn get(&mut self, path: &str) -> (u16, String) {
        self.ask(path, None, None).await
    }

    async fn post(&mut self, path: &str, form: &str) -> (u16, String) {
        self.ask(path, Some(form), None).await
    }
}

/// What was found where.
#[derive(Default)]
struct Search {
    planted: Vec<(String, String)>,
    looked: usize,
    found: Vec<String>,
}

impl Search {
    fn plant(&mut self, what: &str, value: &str) {
        assert!(value.len() >= 10, "{what} is too short to be looked for: {value:?}");
        self.planted.push((what.to_owned(), value.to_owned()));
    }

    /// None of them may be in it, except what `but` names.
    fn look(&mut self, place: &str, bytes: &[u8], but: &[&str]) {
        self.looked += 1;
        // As text, because that is searched quickly in a build without optimisation too.
        let text = String::from_utf8_lossy(bytes);
        for (what, value) in &self.planted {
            if !but.contains(&what.as_str()) && text.contains(value.as_str()) {
                self.found.push(format!("{what} in {place}"));
            }
        }
    }
}

/// Everything below a folder but the key's own file and the configuration.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("it can be read")));
        }
    }
    found
}

async fn sign_in(browser: &mut Browser<'_>, search: &mut Search, user: &str, password: Option<&str>) {
    let ground = browser.ground;
    let told = ground.run(&["admin", "link", user, "--database", ground.database_url()]).await;
    let link = String::from_utf8(told.stdout).expect("text");
    let link = link.split_whitespace().find(|word| word.contains("/sign-in/")).unwrap_or_else(|| panic!("no link: {link}"));
    let (_, path) = link.split_once("/sign-in/").expect("a path");
    search.plant("a one-time link", path);
    let path = format!("/sign-in/{path}");
    browser.get(&path).await;
    let password = password.map(|password| format!("password={}", password.replace(' ', "+"))).unwrap_or_default();
    let (status, page) = browser.post(&path, &password).await;
    assert!(status < 400, "{page}");
    let session = browser.cookies.get("reveille").unwrap_or_else(|| panic!("no session: {page}"));
    search.plant("a session", session);
}

/// Everything goes wrong, once for each of them.
async fn a_bad_night(ground: &Ground, server: &Server, receiver: &Receiver) {
    ground.stage.set_fault(Some(Fault::Refuse { status: 401, code: 20_003 }));
    ground.stage.slack().set_fault(Some(SlackFault::Refuse { status: 500 }), None);
    receiver.answers(500);
    for (n, text) in hostile::TEXTS.iter().enumerate() {
        let body = json!({ "title": text, "dedup_key": format!("k{n}"), "severity": "error", "api_token": "planted-in-a-body-0", "context": { "password": "planted-in-a-body-0" } });
        let post = ground.http.post(format!("{}/hooks/generic/{KEY}", ground.url)).json(&body).send().await.expect("an answer");
        assert_eq!(post.status().as_u16(), 202);
    }
    // Keys and tokens that are none, and one in the wrong place.
    for path in ["/hooks/generic/planted-guess-of-a-key", "/hooks/rollbar/planted-integration-key-1", "/heartbeats/planted-guess-of-a-key"]
    {
        ground.http.post(format!("{}{path}", ground.url)).body("{}").send().await.expect("an answer");
    }
    for path in ["/callbacks/voice/att_1/keys", "/callbacks/sms", "/slack/commands", "/slack/interactions", "/slack/events"] {
        let forged = ground.http.post(format!("{}{path}", ground.url)).header("x-twilio-signature", "planted-forged-signature");
        let forged = forged.header("x-slack-signature", "v0=planted-forged-signature").header("x-slack-request-timestamp", "1");
        assert_eq!(forged.body("a=b").send().await.expect("an answer").status().as_u16(), 401, "{path}");
    }
    ground
        .until(server, "the webhooks and the heartbeat were refused", PATIENCE, async || {
            let got = receiver.got();
            ["/own", "/all", "/beat"].iter().all(|path| got.iter().any(|got| got.path.starts_with(path))).then_some(())
        })
        .await;
    // Then one call comes through, so that callbacks come, and Slack works, so that a room is opened.
    ground.stage.set_fault(None);
    ground.stage.slack().set_fault(None, None);
    receiver.answers(200);
    ground.until(server, "the phone rings", PATIENCE, async || ground.ringing()).await;
}

/// Files that are wrong, each beside a secret.
async fn bad_files(ground: &Ground, server: &Server, good: &str) {
    for (this, by, part) in [
        ("from = \"+15005550006\"", "form = \"+15005550006\"", "form"),
        ("planted-metrics-token", "planted-short", "shorter than 16"),
        ("url = \"smtp://mailer:", "url = \"smtps//mailer:", "no mail server"),
        ("bot_token = \"xoxb-stage\"", "bot_token = \"xoxb-stage", "reveille.toml"),
        ("heartbeat_url = \"http", "heartbeat_url = \"htp", "no web address"),
        ("signing_secret = \"stage-signing-secret\"", "signing_secret = { value = \"stage-signing-secret\" }", "signing_secret"),
        ("key = [\"planted-integration-key-1\"", "key = [7, \"planted-integration-key-1\"", "key"),
    ] {
        assert!(good.contains(this), "{this}");
        ground.configure(&good.replace(this, by));
        let before = server.log().len();
        ground.until(server, part, PATIENCE, async || server.log().get(before..).is_some_and(|log| log.contains(part)).then_some(())).await;
        let checked = ground.run(&["check", "reveille.toml"]).await;
        assert!(!checked.status.success(), "{by}");
        let said = [checked.stdout, checked.stderr].concat();
        let leaked = WRITTEN.iter().find(|(_, value)| said.windows(value.len()).any(|part| part == value.as_bytes()));
        assert!(leaked.is_none(), "{leaked:?} in what check says of {by}:\n{}", String::from_utf8_lossy(&said));
    }
    ground.configure(good);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_found_where_it_does_not_belong() {
    let _turn = SERVERS.acquire().await.expect("the semaphore stays open");
    let ground = Ground::new(On::Sqlite).await;
    let receiver = Receiver::open().await;
    // Bound and never served: the mail server takes connections and says nothing.
    let mail = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let good = file(&receiver, mail.local_addr().expect("an address").port());
    ground.configure(&good);
    let mut search = Search::default();
    for (what, value) in WRITTEN {
        search.plant(what, value);
    }
    search.plant("a password", PASSWORD);
    search.plant("a token", &ground.token);
    search.plant("what a body calls a secret", "planted-in-a-body-0");
    search.plant("a key that was guessed", "planted-guess-of-a-key");
    search.plant("a signature that was forged", "planted-forged-signature");

    let mut program = ground.serve();
    program.env("REVEILLE_LOG", "trace").env("REVEILLE_LOG_FORMAT", "json");
    let server = ground.start_as(program).await;
    let secret_key = std::fs::read_to_string(ground.path("var/secret.key")).expect("the key's file");
    search.plant("the secret key", secret_key.trim());

    let (mut ana, mut oz) = (Browser::new(&ground), Browser::new(&ground));
    sign_in(&mut ana, &mut search, "ana", Some(PASSWORD)).await;
    sign_in(&mut oz, &mut search, "oz", None).await;
    let mut stranger = Browser::new(&ground);
    for (name, password) in [("ana", "planted pass phrase 1 ".trim_end().to_uppercase()), ("planted pass phrase 1", PASSWORD.to_owned())] {
        stranger.get("/sign-in").await;
        let (status, page) =
            stranger.post("/sign-in", &format!("name={}&password={}", name.replace(' ', "+"), password.replace(' ', "+"))).await;
        assert_eq!(status, 403, "{page}");
        // The form keeps the name that was typed, and whoever types the password there sees it.
        search.look("the sign-in form", page.as_bytes(), &["a password"]);
    }
    a_bad_night(&ground, &server, &receiver).await;
    bad_files(&ground, &server, &good).await;

    // Shown once to whom they belong, also to one who sends a key that would have the answer kept.
    ana.get("/integrations/api-scripts").await;
    let (_, shown) = ana.ask("/integrations/api-scripts/address", Some(""), Some("one")).await;
    assert!(shown.contains(KEY), "{shown}");
    let (_, invited) = ana.ask("/people/oz/invite", Some(""), Some("two")).await;
    let (_, link) = invited.split_once("/sign-in/").unwrap_or_else(|| panic!("no link: {invited}"));
    search.plant("an invitation", link.split(['<', '"', ' ', '\n']).next().expect("a link"));

    // Pages, for whoever looks.
    for (who, browser) in [("an administrator", &mut ana), ("an observer", &mut oz), ("a stranger", &mut stranger)] {
        for path in [
            "/",
            "/incidents/1",
            "/alerts",
            "/oncall",
            "/silences",
            "/integrations",
            "/integrations/api-scripts",
            "/senders",
            "/route",
            "/people",
            "/me",
            "/incidents/new",
            "/incidents.csv",
            "/nothing",
        ] {
            let (_, page) = browser.get(path).await;
            search.look(&format!("{path} for {who}"), page.as_bytes(), &[]);
        }
    }
    // The API, for a token that may do everything, and its problems.
    let wrong = "rev_planted-token-of-nobody";
    search.plant("a token that is none", wrong);
    for token in [ground.token.as_str(), wrong, SMTP_PASSWORD] {
        for path in [
            "incidents",
            "incidents/1",
            "incidents/1/timeline?limit=1000",
            "incidents/1/pages",
            "incidents/1/alerts",
            "alerts",
            "oncall",
            "overrides",
            "why/1",
            "freeze",
            "incidents?cursor=x",
            "nothing",
            "openapi.json",
        ] {
            let answer = ground.http.get(format!("{}/api/v1/{path}", ground.url)).bearer_auth(token).send().await.expect("an answer");
            let head = format!("{:?}", answer.headers());
            let body = answer.text().await.expect("a body");
            search.look(&format!("GET {path}"), format!("{head}{body}").as_bytes(), &[]);
        }
    }
    for path in ["/healthz", "/readyz", "/metrics", "/reveille.vcf"] {
        let answer = ground.http.get(format!("{}{path}", ground.url)).bearer_auth(METRICS_TOKEN).send().await.expect("an answer");
        let body = answer.text().await.expect("a body");
        assert!(path != "/metrics" || body.contains("reveille_forged_callbacks_total{channel=\"slack\"} 3"), "{body}");
        search.look(path, body.as_bytes(), &[]);
    }

    // What operators ask.
    let database = ["--database", ground.database_url()];
    for command in [
        &["check", "reveille.toml"][..],
        &["apply", "reveille.toml", "--dry-run", database[0], database[1]],
        &["doctor", database[0], database[1]],
        &["token", "list", database[0], database[1]],
        &["incident", "show", "1"],
        &["why", "1"],
        &["backup", "copy.backup", database[0], database[1]],
    ] {
        let said = ground.run(command).await;
        search.look(&format!("reveille {}", command[0]), &[said.stdout, said.stderr].concat(), &[]);
    }

    // What left the house carries its own secret and no other.
    for got in receiver.got() {
        let own: &[&str] = match got.path.as_str() {
            path if path.starts_with("/all") => &["a webhook's address"],
            path if path.starts_with("/beat") => &["heartbeat_url"],
            _ => &[],
        };
        search.look(&format!("the request to {}", got.path), format!("{} {:?} {}", got.path, got.headers, got.body).as_bytes(), own);
    }
    let slack = ground.stage.slack().rooms();
    assert!(slack.iter().any(|room| room.messages.iter().any(|message| message.by_app)), "Slack was told");
    search.look("Slack", format!("{slack:?}").as_bytes(), &[]);
    let calls = ground.stage.calls();
    assert!(calls.iter().any(|call| call.status == CallStatus::Ringing || call.status.is_final()));
    search.look("the calls", format!("{calls:?}").as_bytes(), &[]);

    // What rests: the log, the database with its journal, the backup. A form's token rests as it is, and is worth nothing without its session.
    server.terminate();
    let mut server = server;
    assert!(server.ended(PATIENCE).await.success());
    let log = server.log();
    assert!(log.contains("a wrong signature were refused") && log.lines().count() > 100, "it logged: {log}");
    search.look("the log", log.as_bytes(), &[]);
    // Beside its events it says where it listens, and where the first administrator's link is.
    let others: Vec<&str> = log.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_err()).collect();
    assert!(
        others.iter().all(|line| line.contains("Reveille listens on") || line.contains("first-admin-link")),
        "each line is one event: {others:#?}"
    );
    for text in hostile::TEXTS.iter().filter(|text| text.len() > 12 && !text.starts_with("data:")) {
        assert!(
            !log.contains(text) && !log.contains(json!(text).to_string().trim_matches('"')),
            "what a stranger wrote is in the log: {text:?}"
        );
    }
    let rest = files(&ground.path("."));
    assert!(rest.iter().any(|(name, _)| name.ends_with("copy.backup")) && rest.iter().any(|(name, _)| name.ends_with("reveille.db")));
    for (name, bytes) in rest {
        let but: &[&str] = if name.ends_with("secret.key") { &["the secret key"] } else { &[] };
        if !name.ends_with("reveille.toml") && !name.ends_with("first-admin-link") {
            search.look(&name, &bytes, but);
        }
    }
    assert!(search.looked > 100, "{}", search.looked);
    search.found.sort();
    search.found.dedup();
    assert!(search.found.is_empty(), "{:#?}", search.found);
}
