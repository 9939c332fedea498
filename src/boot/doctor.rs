//! `doctor`: finds out what would stop a page, before it does.

mod senders;
mod slack;

use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lettre::{AsyncSmtpTransport, Tokio1Executor};
use serde::Serialize;
use serde_json::{Value, json};

use super::config::{self, Config, Surroundings};
use super::live::Providers;
use super::tell::tell;
use super::{BootError, keep, live, wire};
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::secret::{Sealer, Secret};
use crate::base::time::{Span, Time};
use crate::cli::args;
use crate::domain::lint::{self, Level};
use crate::domain::oncall;
use crate::domain::setup::{ContactKind, Setup};
use crate::flows::refusal::{self, Refusals};
use crate::store::{self, Store};
use crate::vendor::http;

/// How long anybody asked may take to answer.
const ANSWER: Span = Span::seconds(8);
/// Slack refuses signatures 300 s off; long before that, times in the timeline are wrong.
const SKEW_WARN: Span = Span::seconds(2);
const SKEW_BAD: Span = Span::seconds(60);
/// The ballast of a full disk is 64 MiB, and a busy night writes some hundred.
const DISK_WARN: u64 = 1 << 30;
const DISK_BAD: u64 = 128 << 20;

/// What was found of one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    subject: &'static str,
    level: Verdict,
    text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Bad,
}

fn ok(subject: &'static str, text: impl Into<String>) -> Finding {
    Finding { subject, level: Verdict::Ok, text: text.into(), advice: String::new() }
}

fn warn(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { subject, level: Verdict::Warn, text: text.into(), advice: advice.into() }
}

fn bad(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { subject, level: Verdict::Bad, text: text.into(), advice: advice.into() }
}

/// The kinds of contact that can be reached; calls, texts and webhooks count also before there is an account.
fn usable(providers: &Providers) -> Vec<ContactKind> {
    let has = |kind: &ContactKind| match kind {
        ContactKind::Voice | ContactKind::Sms | ContactKind::Webhook => true,
        ContactKind::Email => providers.smtp.is_some(),
        ContactKind::SlackDm => providers.slack.is_some(),
    };
    ContactKind::ALL.into_iter().filter(has).collect()
}

/// Looks at everything and prints it. `false` when anything is bad.
pub(super) async fn doctor(asked: &args::Doctor, json: bool) -> Result<bool, BootError> {
    let clock = Clock::system();
    let surroundings = Surroundings::of_process();
    let mut found = Vec::new();
    let config = if let Some(path) = &asked.config {
        if let Ok((config, warnings)) = config::load(path, &surroundings, &super::commands::known_sources()) {
            let told =
                if warnings.is_empty() { "can be applied".to_owned() } else { format!("can be applied, with {} warnings", warnings.len()) };
            let check = format!("reveille check {}", path.display());
            found.push(if warnings.is_empty() { ok("configuration", told) } else { warn("configuration", told, check) });
            Some(config)
        } else {
            let told = format!("{} cannot be applied", path.display());
            found.push(bad("configuration", told, format!("reveille check {}", path.display())));
            None
        }
    } else {
        None
    };
    let database = match (asked.database.given(), &config) {
        (Some(url), _) => url.clone(),
        (None, Some(config)) => config.settings.server.database.clone(),
        (None, None) => asked.database.url(),
    };
    let var = super::commands::var_of(database.expose());
    let key = config
        .as_ref()
        .and_then(|config| config.settings.server.secret_key.clone())
        .or_else(|| std::env::var("REVEILLE_SERVER__SECRET_KEY").ok().filter(|key| !key.is_empty()).map(Secret::new));
    let sealer = secret_key(&var, key, &mut found);
    let mut setup = config.as_ref().map(|config| config.setup.clone());
    let mut providers = config.as_ref().map(providers_of_file);
    let mut proofs = config.as_ref().map(|config| config.proofs.clone());
    let mut refused = senders::AllRefused::new();
    match keep::existing(database.expose()).await {
        Ok(store) => {
            look_at_database(&store, &clock, &mut found).await;
            if let Ok(saved) = store::setup_load(&store.reader()).await {
                match sealer.as_ref().map(|sealer| live::providers(sealer, &saved)) {
                    Some(Ok((its, shown))) => {
                        providers = providers.or(Some(its));
                        proofs = proofs.or(Some(shown));
                    }
                    Some(Err(_)) => found.push(bad(
                        "secret key",
                        "it does not open the secrets in this database",
                        "put the key of this installation in its place, or apply the configuration anew",
                    )),
                    None => {}
                }
                if saved.version > 0 {
                    setup = setup.or(Some(saved.setup));
                }
            }
            // With older tables there is nothing to tell, and that they are older is told.
            refused = refusal::lately(&store, &Refusals::default(), clock.now()).await.unwrap_or_default();
            store.close().await;
        }
        Err(error) => {
            found.push(bad("database", format!("{error}"), "check --database; `reveille serve` or `reveille apply FILE` makes a new one"));
        }
    }
    found.push(disk(&var));
    found.extend(ballast(database.expose()));
    found.push(ok("time zones", format!("IANA {}", oncall::iana_release())));
    let providers = providers.unwrap_or_default();
    look_outside(&clock, &providers, &mut found).await;
    look_at_setup(setup.as_ref(), &providers, clock.now(), &mut found);
    if let (Some(setup), Some(proofs)) = (&setup, &proofs) {
        senders::look(setup, proofs, &refused, clock.now(), &mut found);
    }
    print(&found, json);
    Ok(found.iter().all(|finding| finding.level < Verdict::Bad))
}

fn providers_of_file(config: &Config) -> Providers {
    let settings = &config.settings;
    Providers {
        public_url: settings.server.public_url.clone(),
        twilio: settings
            .twilio
            .as_ref()
            .and_then(|twilio| Some((twilio.api_url.clone(), twilio.account_sid.clone(), twilio.auth_tokens.first()?.clone()))),
        slack: settings.slack.as_ref().map(|slack| live::SlackProvider {
            api_url: slack.api_url.clone(),
            bot_token: slack.bot_token.clone(),
            app_token: slack.app_token.clone(),
            announce: slack.announce.clone(),
        }),
        smtp: settings.smtp.as_ref().map(|smtp| smtp.url.clone()),
    }
}

fn secret_key(var: &Path, given: Option<Secret>, found: &mut Vec<Finding>) -> Option<Sealer> {
    let path = var.join("secret.key");
    if let Some(key) = given {
        found.push(match Sealer::open(&key) {
            Ok(_) => ok("secret key", "given by the environment or the configuration"),
            Err(error) => bad("secret key", error.to_string(), "make one with: head -c 32 /dev/urandom | base64"),
        });
        return Sealer::open(&key).ok();
    }
    // Only looked at: a doctor makes no key.
    let Ok(about) = std::fs::metadata(&path) else {
        found.push(warn(
            "secret key",
            format!("{} is not there", path.display()),
            "the first `reveille serve` or `apply` makes it; after a restore, put the old one there",
        ));
        return None;
    };
    let mode = about.permissions().mode() & 0o777;
    let sealer = wire::sealer(var, None);
    found.push(match &sealer {
        Err(error) => bad("secret key", error.to_string(), "put the key of this installation in its place"),
        Ok(_) if mode & 0o077 != 0 => {
            bad("secret key", format!("others may read {} (mode {mode:o})", path.display()), format!("chmod 600 {}", path.display()))
        }
        Ok(_) => ok("secret key", format!("{}, for its owner alone; no backup holds it", path.display())),
    });
    sealer.ok()
}

async fn look_at_database(store: &Store, clock: &Clock, found: &mut Vec<Finding>) {
    match store.migrations_waiting().await {
        Ok(waiting) if waiting.is_empty() => found.push(ok("tables", "those of this version")),
        Ok(waiting) => found.push(warn(
            "tables",
            format!("older than this version: {} to come", waiting.join(", ")),
            "reveille migrate; `serve` does it at its start, too",
        )),
        Err(error) => found.push(bad("tables", error.to_string(), "check that this is Reveille's own database")),
    }
    let watch = crate::base::clock::Stopwatch::start();
    found.push(match store::database_writes(store).await {
        Ok(()) => ok("database", format!("reachable, and takes writes within {} ms", watch.passed().0 / 1_000)),
        Err(error) => bad(
            "database",
            format!("nothing can be written: {error}"),
            "check the disk, the rights of the file or user, and whether something holds it locked",
        ),
    });
    if let Ok(theirs) = store::database_time(&store.reader()).await {
        found.push(skew("clock", clock.now(), theirs, "the database's"));
    }
}

fn skew(subject: &'static str, ours: Time, theirs: Time, whose: &str) -> Finding {
    let off = Span(ours.since(theirs).0.abs());
    let told = format!("{off} off {whose}");
    let advice = "let the machine set its clock: timedatectl set-ntp true";
    match off {
        off if off >= SKEW_BAD => bad(subject, told, advice),
        off if off >= SKEW_WARN => warn(subject, told, advice),
        _ => ok(subject, format!("agrees with {whose}")),
    }
}

fn disk(var: &Path) -> Finding {
    let folder = var.ancestors().find(|folder| folder.exists()).unwrap_or_else(|| Path::new("."));
    match rustix::fs::statvfs(folder) {
        Ok(about) => {
            let free = about.f_bavail.saturating_mul(about.f_frsize);
            let told = format!("{} MiB free at {}", free >> 20, folder.display());
            match free {
                free if free < DISK_BAD => bad("disk", told, "make room: a full disk takes no new alerts"),
                free if free < DISK_WARN => warn("disk", told, "make room before the next long night"),
                _ => ok("disk", told),
            }
        }
        Err(error) => warn("disk", format!("{} cannot be looked at: {error}", folder.display()), "check its rights"),
    }
}

/// The room that is let go on the night on which the disk is full. PostgreSQL's disk is its operator's.
fn ballast(database: &str) -> Option<Finding> {
    if database.starts_with("postgres") {
        return None;
    }
    let path = database.strip_prefix("sqlite://").or_else(|| database.strip_prefix("sqlite:")).unwrap_or(database);
    let path = format!("{}.ballast", path.split('?').next().unwrap_or(path));
    let size = limits::BALLAST_BYTES >> 20;
    Some(match std::fs::metadata(&path) {
        Ok(about) if about.len() == limits::BALLAST_BYTES => ok("ballast", format!("{size} MiB are kept for a full disk at {path}")),
        Ok(_) | Err(_) => warn(
            "ballast",
            format!("{path} is not there: a full disk would have nothing to give"),
            "`reveille serve` makes it where there is room",
        ),
    })
}

async fn look_outside(clock: &Clock, providers: &Providers, found: &mut Vec<Finding>) {
    match &providers.public_url {
        Some(url) => {
            found.push(public_address(url, providers.twilio.is_some()));
            found.push(reachable(url).await);
        }
        None if providers.twilio.is_some() => found.push(bad(
            "public address",
            "none is configured: calls speak, and no key press can come back",
            "set public_url under [server] to where providers reach this server",
        )),
        None => found.push(warn(
            "public address",
            "none is configured: links and callbacks point to this machine",
            "set public_url under [server]",
        )),
    }
    if let Some((api_url, account, token)) = &providers.twilio {
        twilio(clock, api_url, account, token, found).await;
    } else {
        found.push(warn("telephone", "no [twilio] is configured: nobody can be called", "add [twilio], then `reveille test-page USER`"));
    }
    if let Some(provider) = &providers.slack {
        slack::look(clock, provider, found).await;
    }
    if let Some(url) = &providers.smtp {
        found.push(smtp(url, ANSWER).await);
    }
}

fn public_address(url: &str, has_telephone: bool) -> Finding {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let is_own = host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match (is_own, url.starts_with("https://")) {
        (true, _) if has_telephone => warn(
            "callbacks",
            format!("{url} is this machine: no provider but a staged one can call back"),
            "set public_url to an address of the internet",
        ),
        (false, false) => warn("callbacks", format!("{url} is not encrypted: anybody on the way reads sign-in links"), "use https"),
        (_, _) => ok("callbacks", format!("providers are told {url}")),
    }
}

async fn reachable(url: &str) -> Finding {
    let asked = async {
        let client = http::for_operator(url).map_err(|error| error.to_string())?;
        let response =
            client.get(format!("{url}/healthz")).timeout(ANSWER.as_duration()).send().await.map_err(|error| http::cause(&error))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
    };
    match asked.await {
        Ok(()) => ok("public address", format!("{url} answers, seen from here")),
        Err(why) => warn(
            "public address",
            format!("{url} does not answer, seen from here: {why}"),
            "check that `serve` runs, and the proxy or tunnel before it",
        ),
    }
}

async fn twilio(clock: &Clock, api_url: &str, account: &Secret, token: &Secret, found: &mut Vec<Finding>) {
    let asked = async {
        let client = http::for_operator(api_url).map_err(|error| error.to_string())?;
        let url = format!("{}/2010-04-01/Accounts/{}.json", api_url.trim_end_matches('/'), account.expose());
        let request = client.get(url).basic_auth(account.expose(), Some(token.expose())).timeout(ANSWER.as_duration());
        request.send().await.map_err(|error| http::cause(&error))
    };
    let response = match asked.await {
        Ok(response) => response,
        Err(why) => {
            return found.push(bad(
                "telephone",
                format!("{api_url} cannot be reached: {why}"),
                "check the network, and api_url under [twilio]",
            ));
        }
    };
    if let Some(theirs) = response.headers().get("date").and_then(|date| chrono::DateTime::parse_from_rfc2822(date.to_str().ok()?).ok()) {
        found.push(skew("clock", clock.now(), Time::from_seconds(theirs.timestamp()), "the telephone provider's"));
    }
    let status = response.status();
    let about: Value = match http::body(response).await {
        Some(body) => serde_json::from_slice(&body).unwrap_or(Value::Null),
        None => Value::Null,
    };
    found.push(match (status.as_u16(), about["status"].as_str()) {
        (200, Some("active") | None) => ok("telephone", "the provider takes these credentials"),
        (200, Some(other)) => bad("telephone", format!("the account is {}", other.escape_debug()), "see the provider's console"),
        (401 | 403, _) => bad("telephone", "the provider refuses these credentials", "check account_sid and auth_token under [twilio]"),
        (status, _) => warn(
            "telephone",
            format!("the provider answers {status} when asked about the account"),
            "reveille test-page USER tries it for real",
        ),
    });
}

async fn smtp(url: &Secret, within: Span) -> Finding {
    // lettre's own timeout is for connecting alone: a server that then says nothing would be waited for without end.
    let asked = async {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose())
            .map_err(|_| "its url cannot be used".to_owned())?
            .build::<Tokio1Executor>();
        let asked = tokio::time::timeout(within.as_duration(), transport.test_connection()).await;
        asked.map_err(|_| format!("it said nothing for {within}"))?.map_err(|error| http::cause(&error))
    };
    match asked.await {
        Ok(true) => ok("mail", "the server answers and takes the credentials"),
        Ok(false) => warn("mail", "the server answers, and does not stay", "check url under [smtp]"),
        Err(why) => warn("mail", format!("the server cannot be used: {why}"), "pages go on without it; check url under [smtp]"),
    }
}

fn look_at_setup(setup: Option<&Setup>, providers: &Providers, now: Time, found: &mut Vec<Finding>) {
    let Some(setup) = setup else {
        return found.push(warn("people", "nothing is configured yet", "reveille apply FILE; reveille.example.toml is one"));
    };
    let mut findings = 0;
    for finding in lint::lint(setup, now, &usable(providers)) {
        let told = if finding.path.is_empty() { finding.text.clone() } else { format!("{}: {}", finding.path, finding.text) };
        match finding.level {
            Level::Error => found.push(bad("people", told, finding.suggestion)),
            Level::Warning => found.push(warn("people", told, finding.suggestion)),
            Level::Info => continue,
        }
        findings += 1;
    }
    if findings == 0 {
        found.push(ok(
            "people",
            format!("people: {}, schedules without gaps: {}, policies: {}", setup.users.len(), setup.schedules.len(), setup.policies.len()),
        ));
    }
}

fn print(found: &[Finding], json: bool) {
    let worst = found.iter().map(|finding| finding.level).max().unwrap_or(Verdict::Ok);
    if json {
        tell!("{:#}", json!({ "verdict": worst, "findings": found }));
        return;
    }
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let width = found.iter().map(|finding| finding.subject.len()).max().unwrap_or(0);
    for Finding { subject, level, text, advice } in found {
        let (word, ink) = match level {
            Verdict::Ok => ("ok  ", "32"),
            Verdict::Warn => ("warn", "33"),
            Verdict::Bad => ("bad ", "31"),
        };
        let word = if colour { format!("\u{1b}[{ink}m{word}\u{1b}[0m") } else { word.to_owned() };
        tell!("{word}  {subject:width$}  {}", text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"));
        if !advice.is_empty() {
            tell!("      {:width$}  → {advice}", "");
        }
    }
    let count = |level| found.iter().filter(|finding| finding.level == level).count();
    tell!("");
    match (count(Verdict::Bad), count(Verdict::Warn)) {
        (0, 0) => tell!("All is well. Now try the telephone: reveille test-page USER"),
        (0, warned) => tell!("Nothing is bad; {warned} to look at."),
        (bad, warned) => tell!("{bad} bad, {warned} to look at: mend what is bad before you rely on it."),
    }
}

#[cfg(test)]
mod tests;
