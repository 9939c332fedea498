//! What can be typed after `reveille`. The help teaches: each command has a sentence, an example, and what comes next.

mod duty;
mod incident;
mod keep;
mod maintenance;
mod noise;
mod route;
mod sender;
mod silence;
mod stretch;

use std::convert::Infallible;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub use self::duty::{Oncall, Override, OverrideAdd, OverrideList, OverrideRemove, TestPage, Who};
pub use self::incident::{
    Incident, IncidentDeclare, IncidentList, IncidentMark, IncidentMerge, IncidentNote, IncidentOne, IncidentPage, IncidentReassign,
    IncidentRole, IncidentSeverity, IncidentShow, IncidentSnooze, IncidentSplit, IncidentTitle, IncidentUnmark, IncidentUpdate, Task,
    TaskAdd, TaskBlock, TaskOne,
};
pub use self::keep::{Backup, Completions, Doctor, Restore};
pub use self::maintenance::{Maintenance, MaintenanceAdd, MaintenanceOne};
pub use self::noise::Noise;
pub use self::route::Route;
pub use self::sender::{Integration, IntegrationOne};
pub use self::silence::{Silence, SilenceAdd, SilenceEnd, SilenceList};
pub use self::stretch::Stretch;
use super::help;
use crate::base::id::{Number, UserId};
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::base::viewer::Scope;
use crate::domain::setup::AlertSeverity;

pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";
pub const DEFAULT_DATABASE: &str = "sqlite://var/reveille.db?mode=rwc";
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
pub const DEFAULT_STAGE_SMTP: &str = "127.0.0.1:2525";
pub const DEFAULT_STAGE_LISTEN: &str = "127.0.0.1:4010";

/// A whole command line.
#[derive(Debug, Clone, Parser)]
#[command(name = "reveille", version, about, subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// The arguments of this process. Prints and leaves the process when they are a question for help, or not understood.
    #[must_use]
    pub fn of_process() -> Self {
        Self::read(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads arguments, the program's name first.
    ///
    /// # Errors
    /// When they are a question for help, or not understood; the error prints itself.
    pub fn read<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let mut command = Self::definition();
        let matches = command.try_get_matches_from_mut(arguments)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// The whole command line, with its first page of help.
    #[must_use]
    pub fn definition() -> clap::Command {
        help::with_first_page(Self::command())
    }
}

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// Print JSON for programs instead of words for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the server is, for the commands that talk to one
    #[arg(long, global = true, env = "REVEILLE_URL", default_value = DEFAULT_URL, value_name = "URL")]
    pub url: String,
    /// Who asks, for the commands that talk to a server; better given by the variable, which other users of the machine cannot see
    #[arg(long, global = true, env = "REVEILLE_TOKEN", hide_env_values = true, value_name = "TOKEN", value_parser = secret)]
    pub token: Option<Secret>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Run the server: take alerts, wake people, show the incidents
    #[command(after_help = "Example:
  reveille serve --config reveille.toml

Every setting can also come from the environment, sections joined by two underscores: REVEILLE_SERVER__PUBLIC_URL.
The first start writes a one-time sign-in link to var/first-admin-link.

Next: `reveille send \"Hello\" --key KEY` opens an incident and calls whoever is on call.")]
    Serve(Serve),
    /// Look at it all at once: a server, staged phones and a night that is replayed
    #[command(after_help = "Example:
  reveille demo

It prints its addresses; open them, and within a minute a phone rings. Press 1 on it.
Nothing leaves this machine and nobody real is called.

Next: `reveille serve` with a configuration of your own.")]
    Demo(Demo),
    /// Run the outside world for demos and drills: phones, texts, mail and a Slack workspace on one web page
    #[command(after_help = "Example:
  reveille stage --listen 127.0.0.1:4010

Point a server at it with what it prints: [twilio], [slack] and [smtp].

Next: `reveille replay scalingo-2015 --hook URL --stage http://127.0.0.1:4010`.")]
    Stage(Stage),
    /// Check a configuration file: what is wrong, and how long until somebody wakes
    #[command(after_help = "Example:
  reveille check reveille.toml

Each complaint begins with FILE:LINE:COLUMN. Warnings exit with 0, errors with 1; nothing is changed.

Next: `reveille apply reveille.toml --dry-run`.")]
    Check(Check),
    /// Make users, schedules, policies, services and integrations as a file says
    #[command(after_help = "Example:
  reveille apply reveille.toml --dry-run
  reveille apply reveille.toml

Works on the database; a running server sees the change within two seconds. History is never deleted.

Next: `reveille serve`, if it does not run yet; then `reveille send \"Hello\" --key KEY` tries the whole way.")]
    Apply(Apply),
    /// Bring the database to this version's tables
    #[command(after_help = "Example:
  reveille migrate --database postgres://reveille@db.example.com/reveille

`serve` does this at its start; this is for those who want to see it happen first.

Next: `reveille serve`.")]
    Migrate(Migrate),
    /// Make tokens for scripts
    #[command(after_help = "Example:
  reveille token create ci --scope read

Next: put the token into REVEILLE_TOKEN, and try `reveille incident list`.")]
    Token {
        #[command(subcommand)]
        command: Token,
    },
    /// Let somebody in who cannot sign in
    #[command(after_help = "Example:
  reveille admin link ana

Next: open the link in a browser; it works once.")]
    Admin {
        #[command(subcommand)]
        command: Admin,
    },
    /// Invite people to the web pages
    #[command(after_help = "Example:
  reveille user invite bo

Next: give them the link; with it they choose a password.")]
    User {
        #[command(subcommand)]
        command: User,
    },
    /// Find out what would stop a page, before it does
    #[command(after_help = "Example:
  reveille doctor
  reveille doctor --config reveille.toml --database postgres://reveille@db.example.com/reveille

It looks at the database, the secret key, the clock, the disk, the time zones, the public address, the providers' credentials and the
schedules of the coming weeks. Each line says ok, warn or bad, and what to do. It exits with 1 when anything is bad.

Next: `reveille test-page USER` tries the telephone for real.")]
    Doctor(Doctor),
    /// Write everything into one file, while the server runs
    #[command(after_help = "Example:
  reveille backup reveille-2026-01-05.jsonl

It is one consistent moment of the database, readable by its owner alone, and fits either kind of database. The secret key is not in it:
keep var/secret.key (or REVEILLE_SERVER__SECRET_KEY) elsewhere, because the providers' secrets cannot be read without it.

Next: `reveille restore FILE --database sqlite://elsewhere.db?mode=rwc` tries it.")]
    Backup(Backup),
    /// Fill an empty database from a backup
    #[command(after_help = "Example:
  reveille restore reveille-2026-01-05.jsonl --database postgres://reveille@db.example.com/reveille

A database that holds something is refused, unless --force says that it may be emptied. No server may run on it meanwhile.

Next: put the secret key in its place, and `reveille doctor`.")]
    Restore(Restore),
    /// Print the completions for a shell
    #[command(after_help = "Example:
  reveille completions bash >~/.local/share/bash-completion/completions/reveille

Next: open a new shell, and press Tab after `reveille `.")]
    Completions(Completions),
    /// Replay a real night: post its alerts, timed as they were
    #[command(after_help = "Example:
  reveille replay --list
  reveille replay scalingo-2015 --hook http://127.0.0.1:8080/hooks/rollbar/KEY --stage http://127.0.0.1:4010 --number +33100000001 --number +46100000002

Without --stage the phones are whatever the server calls: real people wake up.

Next: `reveille incident list` shows what came of it.")]
    Replay(Replay),
    #[command(flatten)]
    Remote(Remote),
}

/// What is asked of a running server.
#[derive(Debug, Clone, Subcommand)]
pub enum Remote {
    /// Send an alert from a script or from cron
    #[command(after_help = "Example:
  reveille send \"Disk of db-3 is 97% full\" --severity critical --dedup-key db-3-disk --label host=db-3
  reveille send --dedup-key db-3-disk --state resolved
  pg_dump shop 2>&1 >/backup/shop.sql | reveille send - --dedup-key shop-backup
  reveille send --hook https://reveille.example.com/hooks/nagios/KEY --environment NAGIOS_

The key is that of an integration of source \"generic\"; REVEILLE_KEY holds it as well, and REVEILLE_HOOK a whole address. For another
source, its body is read from the standard input (-), or made of --field and --environment.
It exits with 0 only when the server has stored the alert: a restart is waited for, and an alert that is sent twice on the way counts
once. When it gives up it exits with 3 (not reached) or 1 (refused), so that a script can call for help in another way.

Next: `reveille why NUMBER` tells whom it woke, and why.")]
    Send(Box<Send>),
    /// See incidents and respond to them
    #[command(after_help = "Example:
  reveille incident list --state triggered
  reveille incident ack 42

Next: `reveille incident show 42 --watch` follows it live.")]
    Incident {
        #[command(subcommand)]
        command: Incident,
    },
    /// Show the board: who does what, since when, and who waits for whom
    #[command(after_help = "Example:
  reveille who
  reveille who 42

Without a number it shows every open incident.

Next: `reveille incident task add 42 \"Look at the disk\" --owner bo`.")]
    Who(Who),
    /// Show who is on call, and until when
    #[command(after_help = "Example:
  reveille oncall
  reveille oncall --at 2026-12-24T20:00:00+01:00

Next: `reveille override add SCHEDULE USER --for 8h` lets somebody take it for a while.")]
    Oncall(Oncall),
    /// Let somebody take a schedule for a while
    #[command(after_help = "Example:
  reveille override add platform bo --for 8h
  reveille override list

Next: `reveille oncall` shows who has it now.")]
    Override {
        #[command(subcommand)]
        command: Override,
    },
    /// Page nobody for some alerts for a while
    #[command(after_help = "Example:
  reveille silence add 'alertname=\"DiskFull\"' --for 2h --why \"the disks are moved\"
  reveille silence list

Next: `reveille silence end ID` ends one; what still fires then pages.")]
    Silence {
        #[command(subcommand)]
        command: Silence,
    },
    /// Plan maintenance, during which some alerts page nobody
    #[command(after_help = "Example:
  reveille maintenance add disk-move 'service=\"db\"' --start 2026-11-22T02:00 --for 2h --why \"the disks are moved\"
  reveille maintenance list

Next: `reveille maintenance end NAME` ends the turn that is under way; what still fires then pages.")]
    Maintenance {
        #[command(subcommand)]
        command: Maintenance,
    },
    /// See what came through the integrations, and try one
    #[command(after_help = "Example:
  reveille integration list
  reveille integration test api-rollbar

It needs a token of scope admin.

Next: `reveille integration signals ID` shows its last messages, and what was made of them.")]
    Integration {
        #[command(subcommand)]
        command: Integration,
    },
    /// Try a body: which rule would take it and why, and whom it would wake
    #[command(after_help = "Example:
  reveille route body.json --integration api-rollbar
  curl -s https://status.example.com/alert.json | reveille route - --source generic

The server reads, routes and decides it as it would a real one, by the configuration in force and by what fires and is silenced now. Nothing is stored, and nobody is woken.

Next: `reveille send` with the same body, where it is to count.")]
    Route(Route),
    /// Page one person for a test, the whole real way
    #[command(after_help = "Example:
  reveille test-page ana

Only that person is called, for an incident marked as a test.

Next: `reveille incident show NUMBER --watch` shows each attempt as it is made.")]
    TestPage(TestPage),
    /// List the monitors that call people for nothing, and what to do about them
    #[command(after_help = "Example:
  reveille noise
  reveille noise --json | jq '.items[] | select(.suggestion)'

100 is a monitor that calls people for nothing, 0 one of which every call led to something; of the last 30 days.

Next: put the lines it prints into the configuration, then `reveille apply FILE`.")]
    Noise(Noise),
    /// Explain why somebody was paged, or was not
    #[command(after_help = "Example:
  reveille why 42
  reveille why pag_01j0c4m8e5w1q2r3t4y5u6i7o8

Next: `reveille incident show 42` has the whole timeline.")]
    Why(Why),
}

#[derive(Debug, Clone, clap::Args)]
pub struct Serve {
    /// The configuration file; applied at the start and whenever it changes
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub database: Database,
    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "REVEILLE_SERVER__LISTEN", value_name = "ADDR", value_parser = address_or_nothing)]
    listen: Option<String>,
}

impl Serve {
    /// Where to listen, if the command line or the environment says; an empty variable is as good as none.
    #[must_use]
    pub fn listen(&self) -> Option<&str> {
        self.listen.as_deref().filter(|address| !address.is_empty())
    }
}

#[derive(Debug, Clone, clap::Args)]
pub struct Demo {
    /// Where the server listens
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// Where the staged phones are
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_STAGE_LISTEN)]
    pub stage_listen: SocketAddr,
    /// Shorten the waits, for those in a hurry
    #[arg(long)]
    pub fast: bool,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Stage {
    /// The address to listen on
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_STAGE_LISTEN)]
    pub listen: SocketAddr,
    /// The server that slash commands, buttons, mentions and answers to texts go to
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub reveille: String,
    /// Where to take mail by SMTP
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_STAGE_SMTP)]
    pub smtp: SocketAddr,
    /// Send commands, buttons and events over the server's own connection (Socket Mode) instead of to its address
    #[arg(long)]
    pub socket_mode: bool,
    /// Where texts that people write are told, if not at /callbacks/sms of that server
    #[arg(long, value_name = "URL")]
    pub sms_url: Option<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Check {
    /// The configuration file
    pub file: PathBuf,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Apply {
    /// The configuration file
    pub file: PathBuf,
    /// Print what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Migrate {
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Token {
    /// Make a token and print it, alone and once
    #[command(after_help = "Example:
  export REVEILLE_TOKEN=$(reveille token create deploy --scope respond)

It is stored as a digest only: nobody can print it again.

Next: `reveille incident list`.")]
    Create(TokenCreate),
    /// List the tokens, and when each was last used
    #[command(after_help = "Example:
  reveille token list

Next: `reveille token revoke NAME` ends one.")]
    List(TokenList),
    /// End a token, at once
    #[command(after_help = "Example:
  reveille token revoke deploy

Next: `reveille token list` shows what is left.")]
    Revoke(TokenRevoke),
}

#[derive(Debug, Clone, clap::Args)]
pub struct TokenList {
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, clap::Args)]
pub struct TokenRevoke {
    /// The token's name
    pub name: String,
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, clap::Args)]
pub struct TokenCreate {
    /// What the timeline calls it: `token:NAME`
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    /// What it may do
    #[arg(long, default_value = "read", value_parser = PossibleValuesParser::new(["read", "respond", "admin"]).map(|word| scope(&word)))]
    pub scope: Scope,
    /// The user it acts as
    #[arg(long, value_name = "ID", value_parser = user)]
    pub user: Option<UserId>,
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Admin {
    /// Print a link that signs one user in, once
    #[command(after_help = "Example:
  reveille admin link ana

The link works once and for a day.

Next: open it in a browser.")]
    Link(AdminLink),
}

#[derive(Debug, Clone, Subcommand)]
pub enum User {
    /// Print a link with which somebody signs in for the first time and chooses a password
    #[command(after_help = "Example:
  reveille user invite bo

The link works once and for a day. It also lets somebody in who forgot their password.

Next: give it to them, and to nobody else.")]
    Invite(AdminLink),
}

#[derive(Debug, Clone, clap::Args)]
pub struct AdminLink {
    /// The user's id
    #[arg(value_parser = user)]
    pub user: UserId,
    #[command(flatten)]
    pub database: Database,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Replay {
    /// The scenario's name, or a file
    #[arg(required_unless_present = "list")]
    pub scenario: Option<String>,
    /// List the scenarios that come with this program
    #[arg(long, conflicts_with_all = ["scenario", "hook", "stage", "number"])]
    pub list: bool,
    /// Where to post: the webhook address of an integration; one for each kind of sender in the scenario
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    pub hook: Vec<String>,
    /// The stage whose phones shall behave as those people's did
    #[arg(long, value_name = "URL")]
    pub stage: Option<String>,
    /// The numbers of the staged phones, the first person's first
    #[arg(long, value_name = "E164", requires = "stage")]
    pub number: Vec<String>,
}

#[derive(Debug, Clone, clap::Args)]
pub struct Send {
    /// One line for people; `-` takes the first line of the standard input, and the rest becomes the label "text"
    #[arg(required_unless_present_any = ["dedup_key", "fields", "environment"])]
    pub title: Option<String>,
    /// The integration's webhook address, which says all of --url, --source and --key
    #[arg(long, env = "REVEILLE_HOOK", hide_env_values = true, value_name = "URL", value_parser = secret)]
    hook: Option<Secret>,
    /// The integration's key
    #[arg(long, env = "REVEILLE_KEY", hide_env_values = true, value_name = "KEY", value_parser = secret)]
    key: Option<Secret>,
    /// The integration's source; with another than generic the standard input is posted as it is
    #[arg(long, default_value = GENERIC, value_parser = NonEmptyStringValueParser::new())]
    pub source: String,
    /// Names the condition: equal keys are one alert [default: the title]
    #[arg(long, value_name = "KEY")]
    pub dedup_key: Option<String>,
    /// How bad it is [default: the integration's]
    #[arg(long, value_parser = PossibleValuesParser::new(AlertSeverity::ALL.map(AlertSeverity::name)).map(|word| severity(&word)))]
    pub severity: Option<AlertSeverity>,
    /// Whether it begins or is over, or what was changed on purpose
    #[arg(long, default_value = "firing")]
    pub state: SentState,
    /// Something was changed on purpose, such as a deploy: it wakes nobody, and is shown with the incidents that follow it. The same
    /// as --state changed
    #[arg(long, conflicts_with = "state")]
    pub change: bool,
    /// Where to look
    #[arg(long, value_name = "URL")]
    pub link: Option<String>,
    /// More to know about it; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
    /// A field of another source's body, which is then made of fields alone; may be given several times
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = label)]
    pub fields: Vec<(String, String)>,
    /// Take fields from the variables whose names begin with this, as Nagios' do with NAGIOS_
    #[arg(long, value_name = "PREFIX", value_parser = NonEmptyStringValueParser::new())]
    pub environment: Option<String>,
    /// How long to wait for what is decided; 0s only waits until it is stored
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = Span::parse)]
    pub wait: Span,
    /// How long to go on trying while the server is away or busy; 0s tries once
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = Span::parse)]
    pub retry: Span,
}

pub const GENERIC: &str = "generic";

impl Send {
    /// The key, if there is one; an empty variable is as good as none.
    #[must_use]
    pub fn key(&self) -> Option<&Secret> {
        self.key.as_ref().filter(|key| !key.expose().trim().is_empty())
    }

    /// What is said of the condition.
    #[must_use]
    pub const fn state(&self) -> SentState {
        if self.change { SentState::Changed } else { self.state }
    }

    /// The webhook's address, if there is one; an empty variable is as good as none.
    #[must_use]
    pub fn hook(&self) -> Option<&Secret> {
        self.hook.as_ref().filter(|hook| !hook.expose().trim().is_empty())
    }
}

/// What a script can say of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SentState {
    Firing,
    Resolved,
    Changed,
}

impl SentState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Changed => "changed",
        }
    }
}

#[derive(Debug, Clone, clap::Args)]
pub struct Why {
    /// An incident's number, or the id of a page
    #[arg(value_name = "PAGE|INCIDENT", value_parser = page_or_incident)]
    pub about: String,
}

const DATABASE_HELP: &str =
    "The database: sqlite://PATH?mode=rwc or postgres://USER@HOST/NAME [default: sqlite://var/reveille.db?mode=rwc]";

/// Where the data rests.
#[derive(Debug, Clone, clap::Args)]
pub struct Database {
    #[arg(long = "database", help = DATABASE_HELP, env = "REVEILLE_SERVER__DATABASE", hide_env_values = true, value_name = "URL", value_parser = secret)]
    given: Option<Secret>,
}

impl Database {
    /// What the command line or the environment says; an empty variable is as good as none.
    #[must_use]
    pub fn given(&self) -> Option<&Secret> {
        self.given.as_ref().filter(|url| !url.expose().trim().is_empty())
    }

    /// The URL for the commands that read no configuration: what is given, else the file of the current directory.
    #[must_use]
    pub fn url(&self) -> Secret {
        self.given().cloned().unwrap_or_else(|| Secret::new(DEFAULT_DATABASE))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that the argument parser calls")]
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

fn user(text: &str) -> Result<UserId, &'static str> {
    if text.trim().is_empty() { Err("give a user's id") } else { Ok(UserId::from_text(text.trim())) }
}

fn address(text: &str) -> Result<String, String> {
    let good = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if good { Ok(text.to_owned()) } else { Err(format!("write host:port, as in {DEFAULT_LISTEN}")) }
}

fn address_or_nothing(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { address(text) }
}

fn number(text: &str) -> Result<Number, &'static str> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().ok().filter(|number| *number > 0).map(Number).ok_or("an incident has a number, as in 42")
}

fn page_or_incident(text: &str) -> Result<String, &'static str> {
    if let Ok(Number(number)) = number(text) {
        return Ok(number.to_string());
    }
    let rest = text.strip_prefix("pag_").or_else(|| text.strip_prefix("inc_"));
    match rest {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(text.to_owned()),
        Some(_) | None => Err("give an incident's number, as in 42, or the id of a page, which begins with pag_"),
    }
}

fn label(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        Some(_) | None => Err("write a label as NAME=VALUE, as in host=db-3"),
    }
}

/// The parsers above let only these words through.
fn scope(word: &str) -> Scope {
    match word {
        "admin" => Scope::Admin,
        "respond" => Scope::Respond,
        _ => Scope::Read,
    }
}

fn severity(word: &str) -> AlertSeverity {
    AlertSeverity::parse(word).expect("only the names of severities are let through")
}
