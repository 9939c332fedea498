//! The doctor before providers that are well, that refuse, and that are not there.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::base::inbound::Inbound;
use crate::domain::setup::{AlertSeverity, Budget, Integration};
use crate::flows::refusal::Refused;
use crate::sources::proof::Proof;
use crate::stage::{self, Stage};

const ACCOUNT: &str = "AC00000000000000000000000000000001";

async fn staged(smtp: SocketAddr) -> Stage {
    wire::install_crypto();
    Stage::open(stage::Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        clock: Clock::system(),
        account_sid: ACCOUNT.to_owned(),
        auth_token: Secret::new("right"),
        people: Vec::new(),
        reveille_url: None,
        slack: stage::slack::Options::default(),
        sms_url: None,
        smtp: Some(smtp),
    })
    .await
    .expect("the stage opens")
}

/// A port where nobody listens any more.
async fn nobody() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    free.local_addr().expect("an address")
}

/// A mail server that greets with this.
async fn greets(words: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(words.as_bytes()).await.expect("it is said");
        }
    });
    address
}

fn says(finding: &Finding, level: Verdict, words: &str, advice: &str) {
    assert_eq!(finding.level, level, "{finding:?}");
    assert!(finding.text.contains(words) && finding.advice.contains(advice), "{finding:?}");
    assert_eq!(level == Verdict::Ok, finding.advice.is_empty(), "whatever is not well says what to do: {finding:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_is_asked_for_its_greeting() {
    let address = nobody().await;
    let stage = staged(address).await;
    let smtp = async |address: SocketAddr| super::smtp(&Secret::new(format!("smtp://{address}")), ANSWER).await;
    says(&smtp(address).await, Verdict::Ok, "answers", "");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = Secret::new(format!("smtp://{}", silent.local_addr().expect("an address")));
    says(&super::smtp(&url, Span::millis(50)).await, Verdict::Warn, "said nothing", "check url under [smtp]");
    says(&smtp(nobody().await).await, Verdict::Warn, "refused", "check url under [smtp]");
    says(&smtp(greets("554 5.3.2 no service here\r\n").await).await, Verdict::Warn, "cannot be used", "check url under [smtp]");
    says(&super::smtp(&Secret::new("nonsense"), ANSWER).await, Verdict::Warn, "url cannot be used", "check url under [smtp]");
    stage.shut().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slack_is_asked_whether_it_knows_the_token() {
    let stage = staged(nobody().await).await;
    let api = format!("{}/slack/api", stage.url());
    let asked = async |api: &str, token: &str| {
        let mut found = Vec::new();
        let (api_url, bot_token) = (api.to_owned(), Secret::new(token));
        let provider = live::SlackProvider { api_url, bot_token, app_token: None, announce: None };
        slack::look(&Clock::system(), &provider, &mut found).await;
        found
    };
    says(&asked(&api, "xoxb-stage").await[0], Verdict::Ok, "signed in to", "");
    says(&asked(&api, "xoxb-other").await[0], Verdict::Bad, "invalid_auth", "check bot_token");
    let away = asked(&format!("http://{}", nobody().await), "xoxb-stage").await;
    says(&away[0], Verdict::Warn, "cannot be asked", "api_url under [slack]");
    stage.shut().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_telephone_is_asked_whether_it_knows_the_account() {
    let stage = staged(nobody().await).await;
    let asked = async |api: &str, token: &str| {
        let mut found = Vec::new();
        twilio(&Clock::system(), api, &Secret::new(ACCOUNT), &Secret::new(token), &mut found).await;
        found
    };
    let well = asked(&stage.url(), "right").await;
    says(well.last().expect("a finding"), Verdict::Ok, "takes these credentials", "");
    says(asked(&stage.url(), "wrong").await.last().expect("a finding"), Verdict::Bad, "refuses", "auth_token under [twilio]");
    let away = asked(&format!("http://{}", nobody().await), "right").await;
    says(away.last().expect("a finding"), Verdict::Bad, "cannot be reached", "api_url under [twilio]");
    stage.shut().await;
}

#[test]
fn a_ballast_is_looked_for_beside_a_file_alone() {
    assert!(ballast("postgres://reveille@db.example.com/reveille").is_none());
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("pages.db").display());
    says(&ballast(&database).expect("a finding"), Verdict::Warn, "is not there", "reveille serve");
    let file = std::fs::File::create(folder.path().join("pages.db.ballast")).expect("a file");
    file.set_len(limits::BALLAST_BYTES).expect("its length");
    says(&ballast(&database).expect("a finding"), Verdict::Ok, "64 MiB", "");
}

#[test]
fn a_clock_that_is_off_says_what_to_do() {
    let now = Time::from_seconds(1_767_751_200);
    for (off, level) in [(0, Verdict::Ok), (1, Verdict::Ok), (5, Verdict::Warn), (-5, Verdict::Warn), (90, Verdict::Bad)] {
        let finding = skew("clock", now, now + Span::seconds(off), "the database's");
        says(&finding, level, "the database's", if level == Verdict::Ok { "" } else { "timedatectl" });
    }
}

#[test]
fn senders_are_told_by_what_proves_them_and_what_was_refused() {
    let integration = |id: &str, source: &str| Integration {
        id: id.into(),
        source: source.to_owned(),
        service: "api".into(),
        severity: AlertSeverity::Error,
        heartbeat: None,
        topics: Vec::new(),
        map: None,
        budget: Budget::default(),
    };
    let all = [("ci", "github"), ("shop", "github"), ("own", "generic"), ("cron", "heartbeat"), ("aws", "cloudwatch"), ("up", "pingdom")];
    let mut setup = Setup::default();
    setup.integrations.extend(all.map(|(id, source)| (id.into(), integration(id, source))));
    let secret = || vec![Secret::new("swordfish-swordfish")];
    let proofs = senders::Proofs::from([
        ("shop".into(), vec![Proof::Secret(secret())]),
        ("own".into(), vec![Proof::Header { name: "x-token".to_owned(), values: secret() }]),
    ]);
    let flaw = Proof::Header { name: "x-token".to_owned(), values: secret() }.check(
        None,
        &Inbound { method: String::new(), path: String::new(), headers: Vec::new(), body: Bytes::new(), sent: None, received_at: Time(0) },
    );
    let at = Time::from_seconds(1_800_000_000);
    let refused = Refused { n: 12, first_at: at, last_at: at };
    let refused = senders::AllRefused::from([("own".into(), BTreeMap::from([(flaw.expect_err("it is missing"), refused)]))]);
    let mut found = Vec::new();
    senders::look(&setup, &proofs, &refused, at + Span::hours(3), &mut found);
    says(&found[0], Verdict::Ok, "aws (cloudwatch) is proven by the signature of SNS", "");
    says(&found[1], Verdict::Warn, "ci: github signs its messages, and no secret is set", "[[integration]] ci");
    says(&found[2], Verdict::Ok, "own (generic) is proven by the header x-token", "");
    says(&found[3], Verdict::Ok, "shop (github) is proven by its sender's own signature", "");
    says(&found[4], Verdict::Ok, "by their key alone, which is as secret as a password: cron (heartbeat), up (pingdom)", "");
    says(
        &found[5],
        Verdict::Warn,
        "own: 12 messages were refused, the last 3 h ago: the header X-Token is missing",
        "have the sender send it",
    );
    assert_eq!(found.len(), 6);
    assert!(!format!("{found:?}").contains("swordfish"));
}
