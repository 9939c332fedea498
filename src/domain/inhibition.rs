//! Inhibition: while one alert fires, others that it explains page nobody. A host is down, and nobody needs to hear of its services.
//!
//! After Alertmanager's `inhibit_rules` (<https://prometheus.io/docs/alerting/latest/configuration/#inhibit_rule>, and `inhibit/inhibit.go`
//! for what it leaves open): a label that is not there counts as an empty one on both sides, and what matches both sides of a rule is not
//! inhibited by what does so as well, itself included. What fires inhibits whether it pages anybody itself or is silenced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, Key, KeyState};
use super::decide::{Desk, Draft, SetTimer};
use super::input::{Action, Scope, Timer};
use super::matcher::Matcher;
use super::routing::Routed;
use super::setup::Setup;
use super::silence::Labelled;
use crate::base::id::{AlertId, InhibitionId, IntegrationId, SilenceId};
use crate::base::secret::digest_hex;

/// A rule, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inhibition {
    pub id: InhibitionId,
    /// What inhibits while it fires: all have to match.
    pub when: Vec<Matcher>,
    /// What pages nobody meanwhile: all have to match.
    pub mute: Vec<Matcher>,
    /// Labels whose values are the same on both sides.
    pub equal: Vec<String>,
}

/// What ties a source of a rule to its targets: the rule itself, and the values that have to be equal. A rule that was changed is another.
pub type Tie = String;

/// Signs of a tie that say by which rule it is.
pub const MARK: usize = 16;

/// An alert that fires and inhibits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibitor {
    pub tie: Tie,
    pub rule: InhibitionId,
    pub alert: AlertId,
    pub key: Key,
    pub title: String,
    /// It matches what its rule mutes as well, and leaves its own kind alone.
    pub is_target: bool,
}

/// What inhibits, by what it is tied by; of very many with one tie that are nobody's signals just now, one is enough.
pub type Inhibitors = BTreeMap<(Tie, AlertId), Inhibitor>;

/// What an incident's decisions know of the alert that inhibits its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inhibited {
    pub rule: InhibitionId,
    /// The title of the alert that inhibits.
    pub by: String,
}

impl Inhibition {
    #[must_use]
    pub fn is_source(&self, alert: &impl Labelled) -> bool {
        self.when.iter().all(|matcher| matcher.matches(alert.label(matcher.name())))
    }

    #[must_use]
    pub fn is_target(&self, alert: &impl Labelled) -> bool {
        self.mute.iter().all(|matcher| matcher.matches(alert.label(matcher.name())))
    }

    #[must_use]
    pub fn tie(&self, alert: &impl Labelled) -> Tie {
        let mut text = String::new();
        for name in &self.equal {
            let value = alert.label(name);
            // With its length before it, no value passes for two. Writing to a String cannot fail.
            write!(text, "{}:{value}", value.len()).unwrap_or_default();
        }
        format!("{}{}", self.mark(), digest_hex(text.as_bytes()))
    }

    /// What its ties begin with: its first [`MARK`] signs.
    #[must_use]
    pub fn mark(&self) -> String {
        digest_hex(self.text().as_bytes()).chars().take(MARK).collect()
    }

    fn text(&self) -> String {
        let written = |matchers: &[Matcher]| matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!("{}\n{}\n{}\n{}\n", self.id, written(&self.when), written(&self.mute), self.equal.join(","))
    }

    /// What an operator should know of it: the sentence, and what to do about it.
    #[must_use]
    pub fn doubts(&self, setup: &Setup) -> Vec<(String, &'static str)> {
        let mut doubts = Vec::new();
        let (plain, id) = (super::maintenance::plain_alerts(setup), &self.id);
        if !plain.is_empty() && plain.iter().all(|alert| self.is_target(alert)) {
            let text = format!("inhibition {id} mutes every alert there can be while one that it watches fires");
            doubts.push((text, "name in mute what the other explains, as in 'severity=~\"warning|info\"'"));
        }
        if !plain.is_empty() && plain.iter().all(|alert| self.is_source(alert)) {
            let text = format!("inhibition {id} is in force whenever anything fires");
            doubts.push((text, "name in when the alert that explains the others, as in 'alertname=\"HostDown\"'"));
        }
        for (side, matchers) in [("when", &self.when), ("mute", &self.mute)] {
            if let Some(matcher) = never(matchers, setup) {
                let text = format!("inhibition {id} can never match: {matcher} in {side} is not true of any alert");
                doubts.push((text, "compare it with the names of your services and integrations, and with what stands beside it"));
            }
        }
        // What matches both sides is never inhibited by its own kind, so that two equal sides mute nobody.
        if !self.when.is_empty() && self.when.len() == self.mute.len() && self.when.iter().all(|matcher| self.mute.contains(matcher)) {
            let text = format!("inhibition {id} mutes nobody: when and mute are the same, and alerts do not inhibit their own kind");
            doubts.push((text, "say in mute what the other explains"));
        }
        for matcher in self.when.iter().chain(&self.mute).filter(|matcher| matcher.looks_like_shell()) {
            let text = format!("{matcher} repeats the sign before its star, and a star alone stands for nothing");
            doubts.push((text, "write .* for whatever comes, as in 'host=~\"db-.*\"'"));
        }
        doubts
    }
}

/// A matcher that is true of no alert: it names an integration that is not there, or one beside it wants something else.
fn never<'a>(matchers: &'a [Matcher], setup: &Setup) -> Option<&'a Matcher> {
    matchers.iter().find(|matcher| {
        let Some(value) = matcher.only() else { return false };
        let is_unknown = matcher.name() == "integration" && !setup.integrations.contains_key(&IntegrationId::from(value));
        is_unknown || matchers.iter().any(|other| other.name() == matcher.name() && !other.matches(value))
    })
}

/// The wake-up by which alerts are looked at after something began or ended to inhibit. It stands among those of silences, so that a
/// version that knows no inhibition takes it for a silence that is gone.
#[must_use]
pub fn scope() -> Scope {
    Scope::Silence(SilenceId::from_text("inhibition"))
}

/// What tells one set of rules from another.
#[must_use]
pub fn rules_of(setup: &Setup) -> String {
    if setup.inhibitions.is_empty() {
        return String::new();
    }
    digest_hex(setup.inhibitions.iter().map(Inhibition::text).collect::<String>().as_bytes())
}

/// By what an alert may be inhibited.
pub fn ties_of<'a, L: Labelled>(setup: &'a Setup, alert: &'a L) -> impl Iterator<Item = Tie> + use<'a, L> {
    setup.inhibitions.iter().filter(|rule| rule.is_target(alert)).map(|rule| rule.tie(alert))
}

/// Whether it inhibits anything while it fires.
#[must_use]
pub fn is_source(setup: &Setup, alert: &impl Labelled) -> bool {
    setup.inhibitions.iter().any(|rule| rule.is_source(alert))
}

/// What a decision has to know of what inhibits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Ties of which at least one inhibitor is to be known, if there is any.
    pub ties: BTreeSet<Tie>,
    /// Alerts of which all is to be known that they inhibit.
    pub sources: BTreeSet<AlertId>,
}

impl Wanted {
    /// For a decision on these signals, or on these keys alone. The keys are as they are stored.
    #[must_use]
    pub fn by(setup: &Setup, signals: &[&Routed], keys: &BTreeMap<Key, KeyState>) -> Self {
        let mut wanted = Self::default();
        if setup.inhibitions.is_empty() {
            return wanted;
        }
        for alert in keys.values().filter_map(|state| state.alert.as_ref()) {
            wanted.ties.extend(ties_of(setup, alert));
            wanted.sources.insert(alert.id.clone());
        }
        for routed in signals {
            wanted.ties.extend(ties_of(setup, *routed));
            let signal = &routed.signal;
            let key = Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() };
            if let Some(alert) = keys.get(&key).and_then(|state| state.alert.as_ref()) {
                // What it will be: its own title and service, with what the signal says now.
                let labels = if signal.labels.is_empty() { &alert.labels } else { &signal.labels };
                let next = Alert { labels: labels.clone(), severity: alert.severity.max(routed.severity), ..alert.clone() };
                wanted.ties.extend(ties_of(setup, &next));
            }
        }
        wanted
    }
}

/// A signal, before it is an alert.
impl Labelled for Routed {
    fn integration(&self) -> &IntegrationId {
        &self.signal.integration
    }

    fn label(&self, name: &str) -> &str {
        if let Some(value) = self.signal.labels.get(name) {
            return value;
        }
        match name {
            "alertname" => &self.signal.title,
            "dedup_key" => &self.signal.dedup_key,
            "severity" => self.severity.name(),
            "service" => self.service.as_str(),
            "integration" => self.signal.integration.as_str(),
            _ => "",
        }
    }
}

/// The keys of what may begin to inhibit with these signals: they are decided before all others of their batch, so that what they explain
/// calls nobody first.
#[must_use]
pub fn sources_among<'a>(setup: &Setup, signals: impl Iterator<Item = &'a Routed>) -> BTreeSet<Key> {
    let fires = |routed: &&Routed| matches!(routed.signal.action, Action::Trigger) && is_source(setup, *routed);
    let key = |routed: &Routed| Key { integration: routed.signal.integration.clone(), dedup_key: routed.signal.dedup_key.clone() };
    if setup.inhibitions.is_empty() { BTreeSet::new() } else { signals.filter(fires).map(key).collect() }
}

/// The first that inhibits the alert, by the order of the rules.
#[must_use]
pub fn of<'a>(setup: &'a Setup, inhibitors: &'a Inhibitors, alert: &'a impl Labelled) -> Option<&'a Inhibitor> {
    all_of(setup, inhibitors, alert).next()
}

/// All that inhibit the alert and are known.
pub fn all_of<'a, L: Labelled>(setup: &'a Setup, inhibitors: &'a Inhibitors, alert: &'a L) -> impl Iterator<Item = &'a Inhibitor> {
    setup.inhibitions.iter().filter(|rule| rule.is_target(alert)).flat_map(move |rule| {
        let (tie, is_source) = (rule.tie(alert), rule.is_source(alert));
        let tied = inhibitors.range((tie.clone(), AlertId::from_text(""))..).take_while(move |((other, _), _)| *other == tie);
        // What inhibits itself would match both sides, and so leaves its own kind alone.
        tied.map(|(_, inhibitor)| inhibitor).filter(move |inhibitor| !(is_source && inhibitor.is_target))
    })
}

/// After a decision on the key: what its alert inhibits now. What begins or ends is looked at as soon as this is stored.
pub(super) fn see(draft: &mut Draft, key: &Key) {
    let now = draft.desk.keys.get(key).and_then(|state| inhibits(draft.setup, &draft.desk, state)).unwrap_or_default();
    let known = draft.desk.inhibitors.values().filter(|inhibitor| inhibitor.key == *key);
    let gone: Vec<_> = known.map(|own| (own.tie.clone(), own.alert.clone())).filter(|own| !now.contains_key(own)).collect();
    let is_new = now.keys().any(|own| !draft.desk.inhibitors.contains_key(own));
    for own in &gone {
        draft.desk.inhibitors.remove(own);
    }
    draft.desk.inhibitors.extend(now);
    if is_new || !gone.is_empty() {
        let due_at = Some(draft.now());
        draft.wake(SetTimer { scope: scope(), timer: Timer::Cover, due_at });
    }
}

/// What the key's alert inhibits as it is.
fn inhibits(setup: &Setup, desk: &Desk, state: &KeyState) -> Option<Inhibitors> {
    let alert = state.alert.as_ref()?;
    if !desk.holds(alert) {
        return None;
    }
    Some(by(setup, alert))
}

/// What an alert inhibits that holds.
#[must_use]
pub fn by(setup: &Setup, alert: &Alert) -> Inhibitors {
    let rules = setup.inhibitions.iter().filter(|rule| rule.is_source(alert));
    let inhibitors = rules.map(|rule| Inhibitor {
        tie: rule.tie(alert),
        rule: rule.id.clone(),
        alert: alert.id.clone(),
        key: alert.key.clone(),
        title: alert.title.clone(),
        is_target: rule.is_target(alert),
    });
    inhibitors.map(|inhibitor| ((inhibitor.tie.clone(), inhibitor.alert.clone()), inhibitor)).collect()
}

#[cfg(test)]
mod tests;
