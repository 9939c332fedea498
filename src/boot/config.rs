//! Reads the one TOML file, and the environment over it, into [`Settings`] and a [`Setup`]. All that is wrong is said at once, each on a
//! line that an editor can jump to.

mod objects;
mod proofs;
mod reader;
mod settings;
mod surroundings;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use self::reader::{Reader, Table};
pub use self::settings::{Server, Settings, Slack, Smtp, Twilio, Webhook};
pub use self::surroundings::Surroundings;
use crate::base::id::{IntegrationId, UserId};
use crate::base::secret::Secret;
use crate::base::time::Time;
use crate::domain::lint::{self, Level};
use crate::domain::setup::{ContactKind, Setup};
use crate::sources::proof::Proof;

/// A configuration that can be served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    pub settings: Settings,
    pub setup: Setup,
    /// The live keys of each integration, two while one is rotated.
    pub keys: BTreeMap<IntegrationId, Vec<Secret>>,
    /// What each integration asks for beside its key.
    pub proofs: BTreeMap<IntegrationId, Vec<Proof>>,
    /// What the file says of each of its users; what it leaves out stays theirs to change.
    pub managed: BTreeMap<UserId, Managed>,
}

/// Which parts of a user the file gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Managed {
    pub contacts: bool,
    pub rules: bool,
}

/// What the configuration is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To look it over, perhaps on another machine: a secret that is not at hand is a warning.
    Check,
    /// To run with it: a secret that is not at hand is an error.
    Run,
}

/// One line about the configuration: `FILE:LINE:COLUMN: error: …; suggestion`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// The file, or the environment variable that stands in for it.
    pub file: String,
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub level: Level,
    pub kind: ComplaintKind,
    pub text: String,
    /// What to do about it; empty in lines that only inform.
    pub suggestion: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComplaintKind {
    /// Not TOML, an unknown key, a value that makes no sense, a reference to nothing, an overlap.
    Wrong,
    /// A secret whose variable is not set or whose file cannot be read.
    UnsetSecret,
    /// Understood, but this version does nothing with it.
    NotYet,
    /// It can be run, and it will not do what it looks like.
    Doubtful,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}: {}", self.file, self.line, self.column, self.level.name(), self.text)?;
        if self.suggestion.is_empty() { Ok(()) } else { write!(f, "; {}", self.suggestion) }
    }
}

/// Why there is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}:1:1: error: the file cannot be read: {reason}; give the path of the configuration file")]
    Unreadable { file: String, reason: String },
    /// The file itself is wrong.
    #[error("{}", lines(.0))]
    Refused(Vec<Complaint>),
    /// Nothing is wrong but secrets that are not at hand.
    #[error("{}", lines(.0))]
    UnsetSecret(Vec<Complaint>),
}

fn lines(complaints: &[Complaint]) -> String {
    complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads the file at `path` in order to run with it. `sources` are the integration sources that this version understands. The complaints
/// that come with a configuration are warnings.
///
/// # Errors
/// When the file cannot be read, anything in it is wrong, or a secret is not at hand; every problem is in the error.
pub fn load(path: &Path, around: &Surroundings, sources: &[&str]) -> Result<(Config, Vec<Complaint>), ConfigError> {
    let file = path.display().to_string();
    let text = around.read(path).map_err(|error| ConfigError::Unreadable { file: file.clone(), reason: error.to_string() })?;
    run_with(Reading::of(&file, &text, around, sources, Purpose::Run))
}

/// What a file that cannot be applied still says of the process itself, and the environment over it.
#[must_use]
pub fn server_as_far_as_readable(path: &Path, around: &Surroundings) -> Server {
    let mut text = around.read(path).unwrap_or_default();
    if toml::de::DeTable::parse(&text).is_err() {
        // The parser saves nothing reliable of a broken file; the sections that tell where to listen may stand for themselves.
        let mut is_wanted = false;
        let of_process = text.lines().filter(|line| {
            if line.trim_start().starts_with('[') {
                is_wanted = ["[server]", "[mail]"].contains(&line.trim());
            }
            is_wanted
        });
        text = of_process.flat_map(|line| [line, "\n"]).collect();
    }
    server_of(&text, around)
}

/// The same without a file.
#[must_use]
pub fn server_of_environment(around: &Surroundings) -> Server {
    server_of("", around)
}

fn server_of(text: &str, around: &Surroundings) -> Server {
    let (document, _) = toml::de::DeTable::parse_recoverable(text);
    let reader = Reader::new("", text, around, Purpose::Run);
    settings::read(&reader, &Table::root(&document)).server
}

/// The settings that the environment alone gives, for a start without a file.
///
/// # Errors
/// As [`load`].
pub fn from_environment(around: &Surroundings) -> Result<(Config, Vec<Complaint>), ConfigError> {
    run_with(Reading::of("environment", "", around, &[], Purpose::Run))
}

fn run_with(reading: Reading) -> Result<(Config, Vec<Complaint>), ConfigError> {
    let errors: Vec<Complaint> = reading.complaints.iter().filter(|complaint| complaint.level == Level::Error).cloned().collect();
    if errors.is_empty() {
        Ok((reading.config, reading.complaints))
    } else if errors.iter().all(|error| error.kind == ComplaintKind::UnsetSecret) {
        Err(ConfigError::UnsetSecret(errors))
    } else {
        Err(ConfigError::Refused(errors))
    }
}

/// What `reveille check` has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// In the order of the file.
    pub complaints: Vec<Complaint>,
    pub errors: usize,
    pub warnings: usize,
}

impl CheckReport {
    fn of(complaints: Vec<Complaint>) -> Self {
        let count = |level| complaints.iter().filter(|complaint| complaint.level == level).count();
        Self { errors: count(Level::Error), warnings: count(Level::Warning), complaints }
    }

    /// 0 with warnings, 1 with errors.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if self.errors == 0 { 0 } else { 1 }
    }
}

/// One line each, and the count last.
impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for complaint in &self.complaints {
            writeln!(f, "{complaint}")?;
        }
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        write!(f, "{}, {}", count(self.errors, "error"), count(self.warnings, "warning"))
    }
}

/// Looks over the file at `path` and what it configures, as of `at`.
#[must_use]
pub fn check(path: &Path, around: &Surroundings, sources: &[&str], at: Time) -> CheckReport {
    let file = path.display().to_string();
    match around.read(path) {
        Ok(text) => check_text(&file, &text, around, sources, at),
        Err(error) => CheckReport::of(vec![Complaint {
            file,
            line: 1,
            column: 1,
            level: Level::Error,
            kind: ComplaintKind::Wrong,
            text: format!("the file cannot be read: {error}"),
            suggestion: "give the path of the configuration file".to_owned(),
        }]),
    }
}

fn check_text(file: &str, text: &str, around: &Surroundings, sources: &[&str], at: Time) -> CheckReport {
    let mut reading = Reading::of(file, text, around, sources, Purpose::Check);
    // A setup with holes in it would be blamed for what only the errors took out.
    if reading.complaints.iter().all(|complaint| complaint.level != Level::Error) {
        for finding in lint::lint(&reading.config.setup, at, &usable(&reading.config.settings)) {
            let (line, column) = reading.place(&finding.path);
            reading.complaints.push(Complaint {
                file: file.to_owned(),
                line,
                column,
                level: finding.level,
                kind: ComplaintKind::Doubtful,
                text: finding.text,
                suggestion: finding.suggestion,
            });
        }
        sort(&mut reading.complaints, file);
    }
    CheckReport::of(reading.complaints)
}

/// The kinds of contact that these settings can reach people through. Without a telephone account nothing rings, and the first start may
/// well be before it is ordered: calls and texts count as they will be then.
fn usable(settings: &Settings) -> Vec<ContactKind> {
    let has = |kind: &ContactKind| match kind {
        ContactKind::Voice | ContactKind::Sms | ContactKind::Webhook => true,
        ContactKind::Email => settings.smtp.is_some(),
        ContactKind::SlackDm => settings.slack.is_some(),
    };
    ContactKind::ALL.into_iter().filter(has).collect()
}

/// By place, the file's own before those of the environment.
fn sort(complaints: &mut [Complaint], file: &str) {
    complaints.sort_by(|a, b| {
        let key = |complaint: &Complaint| (complaint.file != file, complaint.line, complaint.column);
        // At one place the worst comes first.
        key(a).cmp(&key(b)).then_with(|| b.level.cmp(&a.level)).then_with(|| a.file.cmp(&b.file)).then_with(|| a.text.cmp(&b.text))
    });
}

/// A file that was read: a configuration, which is whole only without errors, and all complaints.
struct Reading {
    config: Config,
    complaints: Vec<Complaint>,
    places: BTreeMap<String, (usize, usize)>,
}

impl Reading {
    fn of(file: &str, text: &str, around: &Surroundings, sources: &[&str], purpose: Purpose) -> Self {
        let (document, mistakes) = toml::de::DeTable::parse_recoverable(text);
        let reader = Reader::new(file, text, around, purpose);
        let config = if mistakes.is_empty() {
            let root = Table::root(&document);
            let settings = settings::read(&reader, &root);
            objects::read(&reader, &root, settings, sources)
        } else {
            // What the parser could save of a broken file would be blamed for what it lost.
            for mistake in mistakes {
                reader.syntax(&mistake);
            }
            Config::default()
        };
        let (mut complaints, places) = reader.finish();
        sort(&mut complaints, file);
        Self { config, complaints, places }
    }

    /// Where in the file the object of this path stands, or the nearest one that holds it.
    fn place(&self, path: &str) -> (usize, usize) {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return (1, 1),
            }
        }
    }
}

#[cfg(test)]
mod tests;
