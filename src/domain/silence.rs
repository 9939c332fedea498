//! Silences: alerts whose labels match page nobody for a while. They still hold, they are counted, and what still holds when the silence
//! ends fires again.
//!
//! After Alertmanager (`api/v2/openapi.yaml`): all matchers must match.

use std::borrow::Cow;

use super::alert::{Alert, AlertState, Key};
use super::decide::{Desk, Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::hold;
use super::incident::{Incident, IncidentState, Kind};
use super::inhibition::{self, Inhibitor};
use super::input::{Action, Actor, Signal, Timer};
use super::matcher::Matcher;
use super::reason::Reason;
use super::relevance;
use super::routing::{self, Routed};
use super::setup::{Service, Setup, Severity};
use crate::base::id::{IncidentId, IntegrationId, SilenceId};
use crate::base::limits;
use crate::base::time::Time;

/// What is silenced, from when until when, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    pub id: SilenceId,
    /// The one integration whose alerts it covers; `None` for all.
    pub integration: Option<IntegrationId>,
    pub matchers: Vec<Matcher>,
    pub starts_at: Time,
    pub ends_at: Time,
    /// As whoever made it calls themselves.
    pub created_by: String,
    pub comment: String,
    pub updated_at: Time,
}

/// Where a silence stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    Active,
    Pending,
    Expired,
}

impl SilenceState {
    pub const ALL: [Self; 3] = [Self::Active, Self::Pending, Self::Expired];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Expired => "expired",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text)
    }
}

impl Silence {
    #[must_use]
    pub fn state(&self, now: Time) -> SilenceState {
        if now >= self.ends_at {
            SilenceState::Expired
        } else if now < self.starts_at {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Whether it is about this alert, whatever the time.
    #[must_use]
    pub fn is_about(&self, alert: &impl Labelled) -> bool {
        self.integration.as_ref().is_none_or(|integration| integration == alert.integration())
            && self.matchers.iter().all(|matcher| matcher.matches(alert.label(matcher.name())))
    }
}

/// What a matcher is held against.
pub trait Labelled {
    fn integration(&self) -> &IntegrationId;

    /// A label's value; empty where there is none.
    fn label(&self, name: &str) -> &str;
}

/// Beside its own labels an alert has a few of Reveille's, where it has none of that name: so that whatever a sender sends, it can be
/// silenced by them.
impl Labelled for Alert {
    fn integration(&self) -> &IntegrationId {
        &self.key.integration
    }

    fn label(&self, name: &str) -> &str {
        if let Some(value) = self.labels.get(name) {
            return value;
        }
        match name {
            "alertname" => &self.title,
            "dedup_key" => &self.key.dedup_key,
            "severity" => self.severity.name(),
            "service" => self.service.as_str(),
            "integration" => self.key.integration.as_str(),
            "source" => &self.source,
            _ => "",
        }
    }
}

/// How a silence that is a turn of maintenance begins to name whoever made it.
pub const MAINTENANCE: &str = "maintenance ";

/// Whether the silence is a turn of maintenance, by the name of whoever made it.
#[must_use]
pub fn is_maintenance(created_by: &str) -> bool {
    created_by.starts_with(MAINTENANCE)
}

/// Why an alert pages nobody, for as long as that lasts.
#[derive(Debug, Clone)]
enum Cover {
    Silence(Silence),
    Inhibitor(Inhibitor),
}

impl Cover {
    fn reason(&self) -> Reason {
        match self {
            Self::Silence(silence) if is_maintenance(&silence.created_by) => Reason::InMaintenance,
            Self::Silence(_) => Reason::Silenced,
            Self::Inhibitor(_) => Reason::Inhibited,
        }
    }
}

/// What covers the alert now. A silence, which says until when, goes before what inhibits.
fn covered_by(draft: &Draft, alert: &Alert) -> Option<Cover> {
    let silence = covering(&draft.desk, alert, draft.now()).cloned().map(Cover::Silence);
    silence.or_else(|| inhibition::of(draft.setup, &draft.desk.inhibitors, alert).cloned().map(Cover::Inhibitor))
}

/// Why the alert pages nobody now, if anything covers it.
pub(super) fn why_covered(draft: &Draft, alert: &Alert) -> Option<Reason> {
    covered_by(draft, alert).map(|cover| cover.reason())
}

/// The silence in force that covers the alert; of several, the one that lasts longest.
pub(super) fn covering<'a>(desk: &'a Desk, alert: &Alert, now: Time) -> Option<&'a Silence> {
    let active = desk.silences.iter().filter(|silence| silence.state(now) == SilenceState::Active);
    active.filter(|silence| silence.is_about(alert)).max_by_key(|silence| (silence.ends_at, &silence.id))
}

/// Silences or what inhibits began, ended or changed: the key's alert is covered from now on, or fires again.
pub(super) fn cover(draft: &mut Draft, key: &Key) -> Verdict {
    look(draft, key).unwrap_or_else(Verdict::nothing)
}

/// Sees whether the key's alert is silenced or inhibited, and makes it so. `None`: it fires, as before, or it is over.
pub(super) fn look(draft: &mut Draft, key: &Key) -> Option<Verdict> {
    let alert = draft.desk.keys.get(key)?.alert.as_ref()?;
    if !draft.desk.holds(alert) {
        return None;
    }
    let (id, incident, title) = (alert.id.clone(), draft.desk.home_of(alert), alert.title.clone());
    let (state, cover) = (alert.state, covered_by(draft, alert));
    match (state, cover) {
        (AlertState::Firing, Some(cover)) => {
            let reason = cover.reason();
            set_state(draft, key, AlertState::Suppressed);
            hold::give_up(draft, key);
            if let Some(incident) = &incident {
                let was_covered = draft.incident(incident).is_some_and(Incident::is_covered);
                let titles = vec![title];
                let what = match cover {
                    Cover::Silence(Silence { id, ends_at, created_by, comment, .. }) => {
                        What::AlertsSilenced { count: 1, titles, silence: id, until: ends_at, by: created_by, comment }
                    }
                    Cover::Inhibitor(Inhibitor { rule, title: by, .. }) => What::AlertsInhibited { count: 1, titles, rule, by },
                };
                draft.record(incident, &Actor::Reveille, what);
                settle(draft, incident, was_covered, Reason::SilenceEnded);
            }
            Some(Verdict::of(Outcome::Suppressed, reason).about(Some(id), incident))
        }
        (AlertState::Suppressed, Some(cover)) => {
            let reason = cover.reason();
            if let Some(incident) = &incident {
                match cover {
                    Cover::Silence(silence) => extend(draft, incident, &silence),
                    Cover::Inhibitor(inhibitor) => go_on(draft, incident, inhibitor, title),
                }
            }
            Some(Verdict::of(Outcome::Suppressed, reason).about(Some(id), incident))
        }
        (AlertState::Suppressed, None) => {
            let verdict = fire_again(draft, key);
            // One that had none may have found one.
            let incident = incident.or_else(|| verdict.incident.clone());
            Some(verdict.about(Some(id), incident))
        }
        (AlertState::Firing, None) | (AlertState::Resolved, _) => None,
    }
}

/// Nothing covers it any more: it counts as firing again.
fn fire_again(draft: &mut Draft, key: &Key) -> Verdict {
    set_state(draft, key, AlertState::Firing);
    let Some(alert) = draft.desk.keys.get(key).and_then(|state| state.alert.clone()) else { return Verdict::nothing() };
    let Some(incident) = draft.desk.home_of(&alert).filter(|id| draft.incident(id).is_some()) else {
        return outlasted(draft, &alert);
    };
    let worth = worth_again(draft.setup, &alert).2;
    let was_covered = draft.incident(&incident).is_some_and(Incident::is_covered);
    let (count, titles) = (1, vec![alert.title.clone()]);
    let reason = over(draft, &alert);
    let what =
        if reason == Reason::InhibitionOver { What::AlertsUninhibited { count, titles } } else { What::AlertsUnsilenced { count, titles } };
    draft.record(&incident, &Actor::Reveille, what);
    settle(draft, &incident, was_covered, reason);
    relevance::raise(draft, &incident, worth, key);
    Verdict::of(Outcome::Repeated, reason)
}

/// What covered the alert and does so no more.
fn over(draft: &Draft, alert: &Alert) -> Reason {
    match ended_last(draft, alert) {
        Some(silence) if is_maintenance(&silence.created_by) => Reason::MaintenanceOver,
        None if !draft.setup.inhibitions.is_empty() => Reason::InhibitionOver,
        Some(_) | None => Reason::SilenceEnded,
    }
}

/// Of the silences about the alert whose end was not told to all of theirs yet, the last to end.
fn ended_last<'a>(draft: &'a Draft, alert: &Alert) -> Option<&'a Silence> {
    let now = draft.now();
    let ended = draft.desk.silences.iter().filter(|silence| silence.state(now) == SilenceState::Expired && silence.is_about(alert));
    ended.max_by_key(|silence| silence.ends_at)
}

/// It began under a silence, and finds its incident only now. The timeline says whose that was.
fn outlasted(draft: &mut Draft, alert: &Alert) -> Verdict {
    let by = ended_last(draft, alert).map(|silence| silence.created_by.clone());
    let verdict = house_again(draft, alert);
    if let (Some(incident), Some(by)) = (&verdict.incident, by) {
        draft.record(incident, &Actor::Reveille, What::AlertsOutlasted { count: 1, titles: vec![alert.title.clone()], by });
    }
    verdict
}

/// An alert that fires and has no incident finds one, in the words that its rules gave it.
pub(super) fn house_again(draft: &mut Draft, alert: &Alert) -> Verdict {
    let (routed, service, worth) = worth_again(draft.setup, alert);
    if worth.urgency().is_none() {
        return Verdict::of(Outcome::Recorded, Reason::JustRecords);
    }
    hold::house(draft, &routed, &alert.key, &service, worth, &alert.id)
}

/// What the rules make of an alert now.
pub(super) fn worth_again<'a>(setup: &'a Setup, alert: &Alert) -> (Routed, Cow<'a, Service>, Severity) {
    let routed = taken_again(setup, alert);
    let service = service_of(setup, alert, &routed);
    let worth = routed.of_service(&service);
    (routed, service, worth)
}

/// A stretch of firing keeps the service that it began with. Where that is gone it has its rule's or its integration's of now, and where
/// that is gone too there is no policy, and so everyone is paged.
pub(super) fn service_of<'a>(setup: &'a Setup, alert: &Alert, routed: &Routed) -> Cow<'a, Service> {
    let found = setup.services.get(&alert.service).or_else(|| setup.services.get(&routed.service));
    found.map_or_else(|| Cow::Owned(Service::new(alert.service.clone(), escalation::NO_POLICY.into())), Cow::Borrowed)
}

/// The alert as the rules take it now; its words are those that its rule gave it.
pub(super) fn taken_again(setup: &Setup, alert: &Alert) -> Routed {
    let signal = Signal {
        integration: alert.key.integration.clone(),
        dedup_key: alert.key.dedup_key.clone(),
        title: alert.title.clone(),
        severity: Some(alert.severity),
        action: Action::Trigger,
        at: None,
        ends_at: alert.ends_at,
        url: alert.url.clone(),
        labels: alert.labels.clone(),
    };
    let routed = routing::route(setup, signal.clone());
    let policy = routed.policy.filter(|_| routed.service == alert.service);
    Routed { signal, severity: alert.severity, policy, ..routed }
}

/// After the number of its alerts that hold or are silenced has changed: a whole that is covered now pages nobody, and one that is not any
/// more pages, for this reason.
pub(super) fn settle(draft: &mut Draft, id: &IncidentId, was_covered: bool, reason: Reason) {
    let Some(incident) = draft.incident(id) else { return };
    if incident.state != IncidentState::Triggered {
        return;
    }
    match (was_covered, incident.is_covered()) {
        (false, true) => drop(hush(draft, id)),
        (_, false) if incident.response.is_hushed => escalation::start(draft, id, reason),
        (true | false, _) => {}
    }
}

/// Everything of it is silenced: nobody is paged. It has a time of its own at which it pages all the same, should nobody have looked at
/// its alerts when the silence ended. False where nobody is paged for it anyhow, or where it is not known what holds its alerts back: that
/// pages.
pub(super) fn hush(draft: &mut Draft, id: &IncidentId) -> bool {
    let pages = |incident: &&Incident| incident.severity.urgency().is_some() && incident.kind == Kind::Real;
    if let Some(inhibited) = draft.incident(id).filter(pages).and_then(|incident| incident.response.inhibited.clone()) {
        let due_at = draft.now() + limits::INHIBITION_LOOK;
        draft.record(id, &Actor::Reveille, What::IncidentInhibited { rule: inhibited.rule, by: inhibited.by });
        escalation::end_pages(draft, id, &Actor::Reveille, Reason::Inhibited);
        escalation::clear_timers(draft, id);
        draft.set(id, Timer::Silence, Some(due_at));
        return true;
    }
    let Some(hush) = draft.incident(id).filter(pages).and_then(|incident| incident.response.silence.clone()) else { return false };
    let due_at = hush.until + limits::SILENCE_GRACE;
    let reason = if is_maintenance(&hush.by) { Reason::InMaintenance } else { Reason::Silenced };
    let what = What::IncidentSilenced { silence: hush.silence, until: hush.until, by: hush.by, comment: hush.comment };
    draft.record(id, &Actor::Reveille, what);
    escalation::end_pages(draft, id, &Actor::Reveille, reason);
    escalation::clear_timers(draft, id);
    draft.set(id, Timer::Silence, Some(due_at));
    true
}

/// A silence that lasts longer than the incident knows of moves the time at which it would page by itself.
fn extend(draft: &mut Draft, id: &IncidentId, silence: &Silence) {
    let Some(incident) = draft.incident(id) else { return };
    if incident.response.silence.as_ref().is_none_or(|hush| silence.ends_at <= hush.until) {
        return;
    }
    let is_hushed = incident.response.is_hushed;
    draft.record(id, &Actor::Reveille, What::SilenceExtended { silence: silence.id.clone(), until: silence.ends_at });
    if is_hushed {
        draft.set(id, Timer::Silence, Some(silence.ends_at + limits::SILENCE_GRACE));
    }
}

/// Its alert was covered otherwise before, and is inhibited now.
fn go_on(draft: &mut Draft, id: &IncidentId, inhibitor: Inhibitor, title: String) {
    if draft.incident(id).is_some_and(|incident| incident.response.inhibited.is_none()) {
        let Inhibitor { rule, title: by, .. } = inhibitor;
        draft.record(id, &Actor::Reveille, What::AlertsInhibited { count: 0, titles: vec![title], rule, by });
    }
}

/// The silences of its alerts are over by now, and nobody has said so: it pages.
pub(super) fn end(draft: &mut Draft, id: &IncidentId) -> Verdict {
    let Some(incident) = draft.incident(id).filter(|incident| incident.response.is_hushed) else { return Verdict::nothing() };
    if incident.response.inhibited.is_some() {
        // What inhibits has no end of its own: whatever it lets go of is found by itself, and this only says that somebody still looks.
        let due_at = draft.now() + limits::INHIBITION_LOOK;
        draft.set(id, Timer::Silence, Some(due_at));
        return Verdict::nothing();
    }
    let hush = incident.response.silence.as_ref();
    let due_at = hush.map(|hush| hush.until + limits::SILENCE_GRACE);
    let reason = if hush.is_some_and(|hush| is_maintenance(&hush.by)) { Reason::MaintenanceOver } else { Reason::SilenceEnded };
    if let Some(due_at) = due_at.filter(|due_at| *due_at > draft.now()) {
        draft.set(id, Timer::Silence, Some(due_at));
        return Verdict::nothing();
    }
    escalation::start(draft, id, reason);
    Verdict::of(Outcome::Recorded, reason).about(None, Some(id.clone()))
}

fn set_state(draft: &mut Draft, key: &Key, to: AlertState) {
    if let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) {
        alert.state = to;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::input::{Act, Action, Scope};
    use super::super::setup::AlertSeverity;
    use super::super::trial::Trial;
    use super::*;

    fn state(night: &Trial, key: &str) -> AlertState {
        night.alert(key).state
    }

    #[test]
    fn an_alert_has_a_few_labels_of_ours_where_it_has_none_of_its_own() {
        let mut night = Trial::new();
        night.fires("db");
        let alert = night.alert("db");
        let labels = ["alertname", "severity", "service", "integration", "source", "other"].map(|name| alert.label(name));
        assert_eq!(labels, ["db is down", "error", "api", "bar", "generic", ""]);
        let own = Alert { labels: BTreeMap::from([("service".to_owned(), "own".to_owned())]), ..alert.clone() };
        assert_eq!(own.label("service"), "own");
    }

    #[test]
    fn what_fires_under_a_silence_opens_nothing_and_pages_when_it_ends() {
        let mut night = Trial::new();
        night.silences("db.*", 0, 600);
        let verdict = night.fires("db");
        assert_eq!((verdict.outcome, verdict.reason, verdict.incident), (Outcome::Suppressed, Reason::Silenced, None));
        night.until(300);
        assert_eq!(night.fires("db").outcome, Outcome::Suppressed);
        assert_eq!((state(&night, "db"), night.alert("db").count), (AlertState::Suppressed, 2));
        assert_eq!((night.incidents.len(), night.calls().len()), (0, 0));
        // One that it does not cover is not held up.
        assert_eq!(night.fires("web").outcome, Outcome::Opened);
        night.resolves("web");
        night.until(599);
        assert_eq!(night.covers()[0].outcome, Outcome::Suppressed);
        night.until(600);
        assert_eq!(night.covers()[0].outcome, Outcome::Opened, "as if it had just begun");
        assert_eq!(state(&night, "db"), AlertState::Firing);
        let mut alone = Trial::new();
        alone.silences("db.*", 0, 600);
        alone.fires("db");
        alone.until(600);
        assert_eq!(alone.covers()[0].outcome, Outcome::Opened);
        alone.until(600);
        alone.has_rung(&[(600, "ana", false)]);
    }

    #[test]
    fn a_silence_stops_the_pages_of_what_fires_already_and_its_end_starts_them() {
        let mut night = Trial::new();
        night.fires("db");
        night.until(10);
        night.has_rung(&[(0, "ana", false)]);
        night.silences("db.*", 10, 3_600);
        let incident = night.incident();
        assert_eq!((incident.state, incident.pages.len(), incident.response.is_hushed), (IncidentState::Triggered, 0, true));
        assert_eq!((incident.firing_count, incident.response.silenced_count), (1, 1));
        night.until(3_599);
        night.has_rung(&[(0, "ana", false)]);
        night.until(3_600);
        night.covers();
        night.until(3_600);
        night.has_rung(&[(0, "ana", false), (3_600, "ana", false)]);
        assert_eq!((night.count("incident_silenced"), night.count("alerts_unsilenced"), night.count("policy_started")), (1, 1, 2));
        assert_eq!((night.incidents.len(), night.incident().response.silenced_count), (1, 0));
    }

    #[test]
    fn should_nobody_look_when_it_ends_the_incident_pages_by_itself() {
        let mut night = Trial::new();
        night.fires("db");
        night.silences("db.*", 0, 3_600);
        night.until(3_629);
        assert_eq!(night.count("policy_started"), 1);
        night.until(3_630);
        assert_eq!((night.count("policy_started"), night.incident().response.is_hushed), (2, false));
        // Made longer in time, it waits for the later end.
        let mut longer = Trial::new();
        longer.fires("db");
        longer.silences("db.*", 0, 3_600);
        longer.until(100);
        longer.silences("db.*", 100, 7_200);
        longer.until(7_229);
        assert_eq!((longer.count("policy_started"), longer.count("silence_extended")), (1, 1));
        longer.until(7_230);
        assert_eq!(longer.count("policy_started"), 2);
    }

    #[test]
    fn one_alert_that_is_not_silenced_keeps_the_incident_paging() {
        let mut night = Trial::new();
        night.fires("db");
        night.fires("web");
        night.silences("db.*", 0, 3_600);
        assert_eq!((state(&night, "db"), state(&night, "web")), (AlertState::Suppressed, AlertState::Firing));
        assert!(!night.incident().response.is_hushed);
        night.until(60);
        // The other one ends: what is left is silenced.
        night.resolves("web");
        assert!(night.incident().response.is_hushed && night.incident().is_open());
        let calls = night.calls().len();
        // A new one joins that is not.
        night.until(400);
        assert_eq!(night.calls().len(), calls);
        night.fires("disk");
        assert_eq!((night.incidents.len(), night.incident().response.is_hushed), (1, false));
        night.until(400);
        assert!(night.calls().len() > calls, "somebody is called");
        // The silenced one ends, and the last one too.
        night.resolves("db");
        assert_eq!((night.incident().firing_count, night.incident().response.silenced_count), (1, 0));
        night.resolves("disk");
        assert_eq!(night.incident().state, IncidentState::Resolved);
    }

    #[test]
    fn a_resolve_under_a_silence_resolves() {
        let mut night = Trial::new();
        night.fires("db");
        night.silences("db.*", 0, 3_600);
        assert_eq!(night.resolves("db").outcome, Outcome::Resolved);
        assert_eq!((night.incident().state, state(&night, "db")), (IncidentState::Resolved, AlertState::Resolved));
        // It comes and goes: one alert beside the incident's, and no second incident.
        for _ in 0..3 {
            assert_eq!(night.fires("db").outcome, Outcome::Suppressed);
            assert_eq!(night.resolves("db").outcome, Outcome::Resolved);
        }
        assert_eq!((night.incidents.len(), night.incident().state), (1, IncidentState::Resolved));
        night.until(3_600);
        night.covers();
        night.until(9_000);
        assert_eq!(night.count("policy_started"), 1);
        assert!(night.timers.keys().all(|(scope, _)| matches!(scope, Scope::Person(_))), "{:?}", night.timers);
    }

    #[test]
    fn an_answer_that_lapses_under_a_silence_calls_nobody() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.silences("db.*", 0, 7_200);
        let calls = night.calls().len();
        night.until(3_600);
        assert_eq!((night.count("acknowledgement_lapsed"), night.calls().len()), (1, calls));
        assert_eq!((night.incident().state, night.incident().response.is_hushed), (IncidentState::Triggered, true));
        // Whoever asks for more gets it.
        night.asks("ana", Act::Escalate);
        night.until(3_600);
        assert!(night.calls().len() > calls);
    }

    #[test]
    fn a_senders_word_of_a_silenced_alert_changes_nothing_of_the_incident() {
        let mut night = Trial::new();
        night.fires("db");
        night.silences("db.*", 0, 3_600);
        assert_eq!(night.fires_as("db", AlertSeverity::Critical).outcome, Outcome::Suppressed);
        assert_eq!(night.signal("db", Action::Acknowledge, None, None).outcome, Outcome::Suppressed);
        assert_eq!((night.count("severity_raised"), night.incident().state), (0, IncidentState::Triggered));
        night.until(3_600);
        night.covers();
        assert_eq!(night.count("severity_raised"), 1, "it is as bad as it was when nobody listened");
    }

    #[test]
    fn the_next_signal_finds_out_what_nobody_looked_at() {
        let mut night = Trial::new();
        let id = night.silences("db.*", 0, 3_600);
        night.fires("db");
        night.silences.retain(|silence| silence.id != id);
        assert_eq!(night.fires("db").outcome, Outcome::Opened);
        night.silences.push(Silence {
            id,
            integration: None,
            matchers: Vec::new(),
            starts_at: Trial::time(0),
            ends_at: Trial::time(60),
            created_by: String::new(),
            comment: String::new(),
            updated_at: Trial::time(0),
        });
        assert_eq!(night.fires("db").outcome, Outcome::Suppressed);
        assert!(night.incident().response.is_hushed);
    }

    #[test]
    fn of_one_integration_a_silence_covers_no_others() {
        let mut night = Trial::new();
        night.silences(".*", 0, 3_600);
        night.silences[0].integration = Some("other".into());
        assert_eq!(night.fires("db").outcome, Outcome::Opened);
    }
}
