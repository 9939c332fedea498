//! New and rising: what kind an alert is of and how rare that is, how often its key is heard of, and what a service makes of either.
//!
//! Nothing here costs anything for an alert that merely repeats: its count is kept on its row anyhow, and what an hour came to is seen when
//! the next one begins.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Key, KeyState, UNREADABLE_KEY};
use super::decide::{Desk, Draft};
use super::fact::What;
use super::grouping::{self, key_state};
use super::input::{Action, Actor};
use super::reason::Reason;
use super::routing::Routed;
use super::setup::{Raise, Service, Setup, Severity, Urgency};
use super::{fall, relevance, severity};
use crate::base::id::{IncidentId, IntegrationId, ServiceId};
use crate::base::time::{Span, Time};
use crate::base::{limits, written};

/// What an alert is, beside others of its service and sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Novelty {
    /// What is wrong, without its numbers and names; empty where an earlier version did not say.
    pub kind: String,
    /// How many of its kind there were lately, when it began; [`limits::COMMON`] is that many or more.
    pub seen: i64,
    #[serde(default)]
    pub marks: Marks,
}

impl Default for Novelty {
    fn default() -> Self {
        Self { kind: String::new(), seen: limits::COMMON, marks: Marks::default() }
    }
}

/// What is remarkable of an alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Marks {
    /// The first of its kind, of a sender that has been heard of for longer than [`limits::LEARNING`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_new: bool,
    /// It comes much faster than it ever did lately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rose: Option<Rise>,
}

impl Marks {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.is_new && self.rose.is_none()
    }
}

/// When a rate jumped: so many signals within an hour, of a key that had so many in its busiest hour before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rise {
    pub at: Time,
    pub signals: i64,
    pub busiest: i64,
}

/// Names one kind: what is equal but for numbers and names is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindKey {
    pub service: ServiceId,
    pub integration: IntegrationId,
    /// Empty: all of them, which says since when this sender is heard of for this service.
    pub kind: String,
}

impl KindKey {
    fn whole(&self) -> Self {
        Self { kind: String::new(), ..self.clone() }
    }
}

/// What is remembered of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindState {
    pub first_at: Time,
    pub last_at: Time,
    /// How many alerts of it there were lately, in thousandths, as of `last_at`.
    pub seen: i64,
}

/// What an alert of these words is about, without what differs between alike ones: numbers, ids, the host.
#[must_use]
pub fn kind(title: &str, labels: &BTreeMap<String, String>) -> String {
    let said = labels.get("alertname").map_or(title, String::as_str);
    let said = match fall::host(labels).filter(|host| host.chars().count() >= 3) {
        Some(host) => said.replace(host, "#"),
        None => said.to_owned(),
    };
    let mut kind = String::with_capacity(said.len());
    let mut word = String::new();
    for c in said.to_lowercase().chars().chain([' ']) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        nameless(&mut kind, &word);
        word.clear();
        // What stands between two numbers belongs to them: addresses, versions, times.
        let between = kind.ends_with('#') && matches!(c, '.' | ':' | '-' | '_');
        if !between && !(c.is_whitespace() && (kind.is_empty() || kind.ends_with(' '))) {
            kind.push(if c.is_whitespace() { ' ' } else { c });
        }
    }
    written::line_within(kind.trim_end(), limits::KIND_CHARS)
}

/// Appends a word without its digits; one that looks like the digits of a machine is a number as a whole.
fn nameless(kind: &mut String, word: &str) {
    let is_hex = word.len() >= 4 && word.chars().all(|c| c.is_ascii_hexdigit()) && word.contains(|c: char| c.is_ascii_digit());
    let mut was_digit = kind.ends_with('#');
    if is_hex {
        if !was_digit {
            kind.push('#');
        }
        return;
    }
    for c in word.chars() {
        if !c.is_numeric() {
            kind.push(c);
        } else if !was_digit {
            kind.push('#');
        }
        was_digit = c.is_numeric();
    }
}

/// A pattern that the titles of a kind match, in any case.
#[must_use]
pub fn pattern(kind: &str) -> String {
    let parts: Vec<String> = kind.split('#').map(regex::escape).collect();
    format!("(?i){}", parts.join(".*"))
}

/// The kind that an alert of this signal is of.
pub(super) fn kind_of(routed: &Routed, service: &ServiceId) -> KindKey {
    let signal = &routed.signal;
    let kind = match signal.action {
        Action::Unreadable(_) => UNREADABLE_KEY.to_owned(),
        Action::Trigger | Action::Resolve | Action::Acknowledge | Action::Change(_) | Action::Ignore(_) | Action::Remark(_) => {
            kind(&signal.title, &signal.labels)
        }
    };
    KindKey { service: service.clone(), integration: signal.integration.clone(), kind }
}

/// The kinds of which alerts may begin when these signals are decided on this desk, each with its whole. What fires and is not ended by one
/// of them is only counted.
#[must_use]
pub fn may_begin(setup: &Setup, signals: &[&Routed], desk: &Desk) -> BTreeSet<KindKey> {
    let ended: BTreeSet<Key> =
        signals.iter().filter(|routed| routed.signal.action == Action::Resolve).map(|routed| grouping::key_of(&routed.signal)).collect();
    let mut kinds = BTreeSet::new();
    for routed in signals {
        let begins = matches!(routed.signal.action, Action::Trigger | Action::Unreadable(_));
        if !begins || !setup.services.contains_key(&routed.service) {
            continue;
        }
        let key = grouping::key_of(&routed.signal);
        let alert = desk.keys.get(&key).and_then(|state| state.alert.as_ref());
        if !alert.is_some_and(|alert| desk.holds(alert)) || ended.contains(&key) {
            let kind = kind_of(routed, &routed.service);
            kinds.insert(kind.whole());
            kinds.insert(kind);
        }
    }
    kinds
}

/// What fades is half of itself after each [`limits::NOVELTY_FADES`].
fn faded(value: i64, age: Span) -> i64 {
    let half = limits::NOVELTY_FADES.0;
    let age = age.0.max(0);
    let whole = value.checked_shr(u32::try_from(age / half).unwrap_or(u32::MAX)).unwrap_or(0);
    // Along a line between two halvings.
    let part = i128::from(whole) * i128::from(age % half) / i128::from(2 * half);
    whole - i64::try_from(part).unwrap_or(0)
}

impl KindState {
    /// How many there were lately.
    fn lately(&self, now: Time) -> i64 {
        faded(self.seen, now.since(self.last_at))
    }
}

/// A stretch of firing begins: says what kind it is of and how rare that is, and counts it.
pub(super) fn arrive(draft: &mut Draft, routed: &Routed, service: &Service) -> Novelty {
    let now = draft.now();
    let id = kind_of(routed, &service.id);
    let whole = id.whole();
    let kinds = &mut draft.desk.kinds;
    // What nobody looked for may be well known.
    let (Some(known), Some(heard)) = (kinds.get(&id).copied(), kinds.get(&whole).copied()) else {
        return Novelty { kind: id.kind, ..Novelty::default() };
    };
    let before = known.map_or(0, |known| known.lately(now));
    let is_new = known.is_none() && heard.is_some_and(|heard| now.since(heard.first_at) >= limits::LEARNING);
    let kind = id.kind.clone();
    let first_at = known.map_or(now, |known| known.first_at);
    kinds.insert(id, Some(KindState { first_at, last_at: now, seen: before + 1_000 }));
    if heard.is_none() {
        kinds.insert(whole, Some(KindState { first_at: now, last_at: now, seen: 0 }));
    }
    Novelty { kind, seen: ((before + 500) / 1_000).min(limits::COMMON), marks: Marks { is_new, rose: None } }
}

/// How often a key is heard of: what its alert's count was when the hour began, and the busiest hour before, which fades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// When the key was first heard of.
    since: Time,
    /// The hour under way, counted from 1970.
    hour: i64,
    base: i64,
    busiest: i64,
}

const HOUR: Span = Span::hours(1);

const fn hour(at: Time) -> i64 {
    at.0.div_euclid(HOUR.0)
}

impl Rate {
    /// Of a key whose alert is this one, before its next signal is counted. An hour that is over has taught how busy the key can be.
    fn of(rate: Option<Self>, alert: &Alert, now: Time) -> Option<Self> {
        let this = hour(now);
        let Some(rate) = rate else {
            // Its first hour; what an earlier version has counted is spread over the time that it took.
            let took = hour(alert.last_at) - hour(alert.first_at) + 1;
            let busiest = if this == hour(alert.first_at) { return None } else { alert.count / took.max(1) };
            return Some(Self { since: alert.first_at, hour: this, base: alert.count, busiest });
        };
        if this <= rate.hour {
            return Some(rate);
        }
        let age = Span(HOUR.0.saturating_mul(this - rate.hour));
        // A flood is not what is usual from now on.
        let taught = (alert.count - rate.base).min(rate.threshold().saturating_mul(2));
        Some(Self { hour: this, base: alert.count, busiest: faded(rate.busiest.max(taught), age), ..rate })
    }

    /// So many signals within an hour are a jump.
    fn threshold(&self) -> i64 {
        self.busiest.saturating_mul(limits::RISE_TIMES).max(limits::RISE_LEAST)
    }
}

/// One more signal of a key that has an alert; before it is counted.
pub(super) fn tick(draft: &mut Draft, key: &Key) {
    let now = draft.now();
    if let Some(state) = draft.desk.keys.get_mut(key)
        && let Some(alert) = &state.alert
    {
        state.rate = Rate::of(state.rate, alert, now);
    }
}

/// A new alert takes the place of its key's last one: the hour goes on, and counts from what that had.
pub(super) fn follow(state: &mut KeyState, now: Time) {
    let Some(past) = &state.alert else { return };
    let rate = Rate::of(state.rate, past, now).unwrap_or(Rate { since: past.first_at, hour: hour(now), base: 0, busiest: 0 });
    state.rate = Some(Rate { base: rate.base - past.count, ..rate });
}

/// Whether the key's alert comes so much faster than ever lately that it is told, once as long as it fires.
fn jump(state: &KeyState, now: Time) -> Option<Rise> {
    let (rate, alert) = (state.rate?, state.alert.as_ref()?);
    let signals = alert.count - rate.base;
    let is_known = now.since(rate.since) >= limits::LEARNING;
    let jumped = is_known && rate.hour == hour(now) && signals >= rate.threshold() && alert.novelty.marks.rose.is_none();
    jumped.then_some(Rise { at: now, signals, busiest: rate.busiest })
}

/// Marks the key's alert where its rate jumps; where that has an incident, it is told there, and may wake people.
pub(super) fn rise(draft: &mut Draft, key: &Key) {
    let now = draft.now();
    let Some(rose) = draft.desk.keys.get(key).and_then(|state| jump(state, now)) else { return };
    let home = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).and_then(|alert| draft.desk.home_of(alert));
    let Some(alert) = key_state(draft, key).alert.as_mut() else { return };
    alert.novelty.marks.rose = Some(rose);
    let (service, incident, title) = (alert.service.clone(), home, alert.title.clone());
    // Of noise nobody is told.
    let Some(incident) = incident.filter(|incident| !relevance::is_noise(draft, incident, key)) else { return };
    let asked = draft.setup.services.get(&service).is_some_and(|service| service.raise.rising);
    tell_rising(draft, &incident, rose, title, asked);
}

fn tell_rising(draft: &mut Draft, incident: &IncidentId, rose: Rise, title: String, asked: bool) {
    let raised = (asked && may_be_raised(draft, incident)).then_some(AWAKE);
    let Rise { signals, busiest, at: _ } = rose;
    draft.record(incident, &Actor::Reveille, What::AlertsRising { count: 1, titles: vec![title], signals, busiest, raised });
    if let Some(to) = raised {
        severity::raise_because(draft, incident, to, &Actor::Reveille, Reason::Rising);
    }
}

/// What wakes people, and no more than that.
const AWAKE: Severity = Severity::Sev2;

/// Whether it pages quietly, by its alerts' own word.
fn may_be_raised(draft: &Draft, incident: &IncidentId) -> bool {
    draft.incident(incident).is_some_and(|incident| {
        incident.is_open() && !incident.response.severity_by_hand && incident.severity.urgency() == Some(Urgency::Low)
    })
}

/// Why an alert that pages quietly wakes people all the same; `None`: its service does not ask for it.
fn reason(raise: Raise, marks: Marks) -> Option<Reason> {
    if raise.new && marks.is_new {
        return Some(Reason::FirstOfItsKind);
    }
    (raise.rising && marks.rose.is_some()).then_some(Reason::Rising)
}

/// What an alert comes to that finds its incident now, and why where that is more than its sender says. It never lowers anything, and what
/// pages nobody goes on to page nobody.
pub(super) fn worth(draft: &Draft, key: &Key, service: &Service, severity: Severity) -> (Severity, Option<Reason>) {
    let marks = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).map_or(Marks::default(), |alert| alert.novelty.marks);
    match reason(service.raise, marks) {
        Some(reason) if severity.urgency() == Some(Urgency::Low) => (AWAKE, Some(reason)),
        Some(_) | None => (severity, None),
    }
}

/// The timeline says that, and why, this alert makes its incident wake people; where it has just joined, before it does.
pub(super) fn tell(draft: &mut Draft, incident: &IncidentId, key: &Key, title: &str, raised: Option<Reason>) {
    let marks = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).map(|alert| alert.novelty.marks);
    let titles = vec![title.to_owned()];
    if raised == Some(Reason::FirstOfItsKind) {
        draft.record(incident, &Actor::Reveille, What::AlertsNew { count: 1, titles, raised: AWAKE });
    } else if let Some(Rise { signals, busiest, at: _ }) = marks.and_then(|marks| marks.rose) {
        let raised = raised.map(|_| AWAKE);
        draft.record(incident, &Actor::Reveille, What::AlertsRising { count: 1, titles, signals, busiest, raised });
    }
}

#[cfg(test)]
mod tests;
