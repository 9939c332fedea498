//! Nights to replay: files of timed webhook bodies, what the phones do meanwhile, and what is told about it.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use super::post::in_short;
use super::{Habit, Stage};
use crate::base::clock::Clock;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};

/// How long a sender waits for the answer to one post, as Rollbar does.
const ANSWER: Span = Span::seconds(3);
/// A sender tries again after these waits, as Rollbar does; it goes on longer, but no replay does.
const RETRIES: [Span; 2] = [Span::seconds(1), Span::seconds(4)];

/// The scenarios that come with the binary: a file here is one more line.
pub const SCENARIOS: [Embedded; 3] = [
    Embedded { name: "scalingo-2015", text: include_str!("scenarios/scalingo-2015.json") },
    Embedded { name: "glitch-2019", text: include_str!("scenarios/glitch-2019.json") },
    Embedded { name: "scalingo-2019", text: include_str!("scenarios/scalingo-2019.json") },
];

/// One scenario file.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    pub name: &'static str,
    text: &'static str,
}

/// What can go wrong with a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("there is no scenario {name}; there is {known}")]
    Unknown { name: String, known: String },
    #[error("the scenario cannot be read: {0}")]
    Unreadable(serde_json::Error),
    #[error("the scenario has {wanted} people and only {given} numbers were given")]
    Numbers { wanted: usize, given: usize },
    #[error("no HTTP client can be made: {0}")]
    Client(reqwest::Error),
    #[error("the scenario posts as {wanted}; give the address of a {wanted} integration as well: --hook …/hooks/{wanted}/KEY")]
    Hook { wanted: String },
    #[error("the stage at {url} did not take a phone's habit: {why}")]
    Habit { url: String, why: String },
}

/// A night: who does what, and what is posted when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    pub caption: String,
    /// The kind of sender whose bodies these are, where a step names no other: `rollbar`.
    pub source: String,
    /// What the phone of the first person does, of the second, …
    pub phones: Vec<PhonePart>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhonePart {
    pub says: String,
    pub habit: Habit,
}

/// One moment of the night. In a body, a string that is one of these as a whole becomes what it stands for at the moment of posting:
/// `{now}` and `{now-90}` seconds since the epoch, `{now_ms}` milliseconds, `{now_rfc3339}` and `{start_rfc3339}` (when the night began) times,
/// `{now_utc}` a time without its zone, `{uuid}` a new id.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Milliseconds from the start of the replay.
    pub after_ms: u32,
    pub says: String,
    /// Another kind of sender than the night's.
    pub source: Option<String>,
    pub post: Option<Value>,
    /// How often it is posted, and after how many milliseconds each time.
    #[serde(default = "once")]
    pub times: u32,
    #[serde(default)]
    pub every_ms: u32,
}

const fn once() -> u32 {
    1
}

impl Step {
    /// When it is posted for the nth time, from the start.
    fn after(&self, n: u32) -> Span {
        Span::millis(i64::from(self.after_ms) + i64::from(n) * i64::from(self.every_ms))
    }

    /// What is posted, as of `now` in a night that began at `start`.
    #[must_use]
    pub fn body(&self, start: Time, now: Time) -> Option<Value> {
        let mut body = self.post.clone()?;
        fill(&mut body, start, now);
        Some(body)
    }
}

/// Where the phones are whose habits the scenario sets.
#[derive(Debug, Clone)]
pub enum Phones {
    /// A stage in this process.
    Here(Stage),
    /// The base URL of a stage elsewhere.
    At(String),
    /// Real ones, which have habits of their own.
    Real,
}

/// What a replay needs to know.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The senders' webhooks, each known by its path: `…/hooks/rollbar/KEY`. A single one may have any path, if the night has one kind of sender.
    pub hooks: Vec<String>,
    pub clock: Clock,
    pub phones: Phones,
    /// The numbers of the first person, of the second, …
    pub numbers: Vec<String>,
}

/// A line of progress; it prints as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    Said(String),
    Posted { title: String, status: u16 },
    Failed { title: String, why: String, again: bool },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(line) => f.write_str(line),
            Self::Posted { title, status } => write!(f, "      posted ({status}): {title}"),
            Self::Failed { title, why, again: true } => write!(f, "      not taken ({why}), trying again: {title}"),
            Self::Failed { title, why, again: false } => write!(f, "      given up ({why}): {title}"),
        }
    }
}

/// How a replay went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub posted: usize,
    pub given_up: usize,
}

impl Scenario {
    /// Reads one that comes with the binary.
    ///
    /// # Errors
    /// When there is none of this name; the sentence lists those there are.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let known = || SCENARIOS.map(|file| file.name).join(", ");
        let file = SCENARIOS
            .iter()
            .find(|file| file.name == name)
            .ok_or_else(|| ScenarioError::Unknown { name: name.to_owned(), known: known() })?;
        Self::parse(file.text)
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// When it has not the shape of a scenario.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        serde_json::from_str(text).map_err(ScenarioError::Unreadable)
    }

    /// How long the posts go on.
    #[must_use]
    pub fn length(&self) -> Span {
        self.steps.iter().map(|step| step.after(step.times.saturating_sub(1))).max().unwrap_or(Span::ZERO)
    }

    /// The kinds of senders that post in this night, the first of them first.
    #[must_use]
    pub fn sources(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for source in self.steps.iter().filter(|step| step.post.is_some()).map(|step| self.source_of(step)) {
            if !found.contains(&source) {
                found.push(source);
            }
        }
        found
    }

    /// The kind of sender whose body a step posts.
    #[must_use]
    pub fn source_of<'a>(&'a self, step: &'a Step) -> &'a str {
        step.source.as_deref().unwrap_or(&self.source)
    }

    /// Every moment of the night in its order: when, which time of that step it is, counted from 0, and the step.
    #[must_use]
    pub fn moments(&self) -> Vec<(Span, u32, &Step)> {
        let all = self.steps.iter().flat_map(|step| (0..step.times).map(move |n| (step.after(n), n, step)));
        let mut moments: Vec<_> = all.collect();
        moments.sort_by_key(|(after, _, _)| *after);
        moments
    }

    /// The webhook that a kind of sender posts to.
    fn hook<'a>(&self, hooks: &'a [String], source: &str) -> Result<&'a str, ScenarioError> {
        let path = format!("/hooks/{source}/");
        let own = hooks.iter().find(|hook| hook.contains(&path));
        let only = || hooks.first().filter(|hook| hooks.len() == 1 && self.sources().len() == 1 && !hook.contains("/hooks/"));
        own.or_else(only).map(String::as_str).ok_or_else(|| ScenarioError::Hook { wanted: source.to_owned() })
    }
}

/// Sets the phones' habits, then posts and tells each step when its time comes. A post that is not taken is tried again, and the night goes on.
///
/// # Errors
/// When the phones cannot be reached, or the scenario needs more numbers than were given.
pub async fn replay(scenario: &Scenario, replay: &Replay, mut on_progress: impl FnMut(&Progress)) -> Result<Report, ScenarioError> {
    let Replay { hooks, clock, phones, numbers } = replay;
    if numbers.len() < scenario.phones.len() {
        return Err(ScenarioError::Numbers { wanted: scenario.phones.len(), given: numbers.len() });
    }
    for source in scenario.sources() {
        scenario.hook(hooks, source)?;
    }
    // Someone else in this process may have installed it already; either is this one.
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().map_err(ScenarioError::Client)?;
    on_progress(&Progress::Said(scenario.caption.clone()));
    for (part, number) in scenario.phones.iter().zip(numbers) {
        match phones {
            Phones::Here(stage) => stage.set_habit(number, part.habit.clone()),
            Phones::At(url) => teach(&http, clock, url, number, &part.habit).await?,
            Phones::Real => continue,
        }
        on_progress(&Progress::Said(part.says.clone()));
    }
    let start = clock.now();
    let mut report = Report::default();
    for (after, n, step) in scenario.moments() {
        clock.sleep_until(start + after).await;
        if n == 0 && !step.says.is_empty() {
            on_progress(&Progress::Said(step.says.clone()));
        }
        let Some(body) = step.body(start, clock.now()) else { continue };
        let url = scenario.hook(hooks, scenario.source_of(step))?;
        let taken = post(&http, clock, url, &body, |line| {
            // What comes two hundred times is told once, and at its end.
            if n == 0 || matches!(line, Progress::Failed { .. }) {
                on_progress(line);
            }
        })
        .await;
        if taken {
            report.posted += 1;
        } else {
            report.given_up += 1;
        }
        if step.times > 1 && n + 1 == step.times {
            on_progress(&Progress::Said(format!("      posted {} times by now: {}", step.times, title_of(&body))));
        }
    }
    Ok(report)
}

/// What a body is about, in its sender's words.
fn title_of(body: &Value) -> &str {
    let places = ["/data/item/title", "/alert_title", "/check_name", "/groupLabels/alertname", "/title"];
    places.iter().find_map(|place| body.pointer(place).and_then(Value::as_str)).unwrap_or("a message without a title")
}

async fn teach(http: &reqwest::Client, clock: &Clock, url: &str, number: &str, habit: &Habit) -> Result<(), ScenarioError> {
    let wrong = |why: String| ScenarioError::Habit { url: url.to_owned(), why };
    let target = format!("{}/stage/habits", url.trim_end_matches('/'));
    let request = http.post(target).json(&serde_json::json!({"number": number, "habit": habit})).send();
    let answer = clock.timeout(ANSWER, request).await.ok_or_else(|| wrong(format!("no answer within {ANSWER}")))?;
    let status = answer.map_err(|error| wrong(in_short(&error)))?.status();
    if status.is_success() { Ok(()) } else { Err(wrong(status.to_string())) }
}

async fn post(http: &reqwest::Client, clock: &Clock, url: &str, body: &Value, mut on_progress: impl FnMut(&Progress)) -> bool {
    let title = title_of(body).to_owned();
    let mut waits = RETRIES.into_iter();
    loop {
        let why = match clock.timeout(ANSWER, http.post(url).json(body).send()).await {
            Some(Ok(answer)) if answer.status().is_success() => {
                on_progress(&Progress::Posted { title, status: answer.status().as_u16() });
                return true;
            }
            Some(Ok(answer)) => answer.status().to_string(),
            Some(Err(error)) => in_short(&error),
            None => format!("no answer within {ANSWER}"),
        };
        let wait = waits.next();
        on_progress(&Progress::Failed { title: title.clone(), why, again: wait.is_some() });
        match wait {
            Some(wait) => clock.sleep(wait).await,
            None => return false,
        }
    }
}

/// Puts the moment and new ids where the body asks for them.
fn fill(value: &mut Value, start: Time, now: Time) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| fill(value, start, now)),
        Value::Array(items) => items.iter_mut().for_each(|value| fill(value, start, now)),
        Value::String(text) => {
            let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return };
            let filled = match name {
                "now" => Some(now.seconds().into()),
                "now_ms" => Some(now.millis().into()),
                "now_rfc3339" => Some(now.rfc3339().into()),
                "now_utc" => Some(now.rfc3339().get(..19).unwrap_or_default().into()),
                "start_rfc3339" => Some(start.rfc3339().into()),
                "uuid" => Some(uuid().into()),
                _ => name.strip_prefix("now-").and_then(|ago| ago.parse::<i64>().ok()).map(|ago| (now.seconds() - ago).into()),
            };
            if let Some(filled) = filled {
                *value = filled;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// 128 random bits in the shape of a UUID of version 4.
fn uuid() -> String {
    let hex = Secret::random().digest();
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
