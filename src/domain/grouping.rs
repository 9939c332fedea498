//! From signal to alert to incident: which condition it is, whether it is new, and which incident it belongs to.

use super::alert::{Alert, AlertState, EarlyResolve, Key, KeyState, UNREADABLE_KEY};
use super::decide::{Draft, Outcome, Verdict};
use super::ending::{By, close};
use super::fact::What;
use super::incident::{Incident, IncidentState};
use super::input::{Action, Actor, Signal};
use super::reason::Reason;
use super::routing::{Routed, Taken};
use super::setup::{AlertSeverity, Integration, Service, Severity};
use super::{command, escalation, remark, severity, silence};
use crate::base::id::{AlertId, IncidentId};
use crate::base::limits;
use crate::base::time::{Span, Time};

/// Decides one signal. The desk holds its key, that key's newest alert with its incident, and the service's newest open incident.
pub(super) fn signal(draft: &mut Draft, routed: &Routed) -> Verdict {
    let (setup, signal) = (draft.setup, &routed.signal);
    let Some(integration) = setup.integrations.get(&signal.integration) else {
        return Verdict::of(Outcome::Ignored, Reason::IntegrationGone);
    };
    let Some(service) = setup.services.get(&routed.service) else {
        return Verdict::of(Outcome::Ignored, Reason::IntegrationGone);
    };
    match &signal.action {
        Action::Ignore(_) => {
            readable_again(draft, signal);
            Verdict::of(Outcome::Ignored, Reason::NothingToDecide)
        }
        Action::Change(_) => {
            readable_again(draft, signal);
            Verdict::of(Outcome::Recorded, Reason::SomethingChanged)
        }
        Action::Resolve => {
            readable_again(draft, signal);
            resolve(draft, signal)
        }
        Action::Acknowledge => {
            readable_again(draft, signal);
            acknowledge(draft, signal)
        }
        Action::Remark(said) => {
            readable_again(draft, signal);
            remark::remark(draft, signal, &key_of(signal), said)
        }
        Action::Trigger => {
            readable_again(draft, signal);
            trigger(draft, routed, integration, service)
        }
        Action::Unreadable(_) => {
            // It has no time that could make it stale: that it cannot be read is true now.
            let timeless = Routed { signal: Signal { at: None, ..signal.clone() }, ..routed.clone() };
            Verdict { outcome: Outcome::Unreadable, reason: Reason::CannotBeRead, ..trigger(draft, &timeless, integration, service) }
        }
    }
}

/// A body that can be read ends the alert that says they cannot.
fn readable_again(draft: &mut Draft, signal: &Signal) {
    let key = Key { integration: signal.integration.clone(), dedup_key: UNREADABLE_KEY.to_owned() };
    // The body is counted where it belongs, not here.
    close(draft, &key, By::Sender);
}

/// What a signal is about. Whatever an unreadable body seems to say, it is about the integration's bodies.
fn key_of(signal: &Signal) -> Key {
    let dedup_key = match signal.action {
        Action::Unreadable(_) => UNREADABLE_KEY.to_owned(),
        Action::Trigger | Action::Resolve | Action::Acknowledge | Action::Change(_) | Action::Ignore(_) | Action::Remark(_) => {
            signal.dedup_key.clone()
        }
    };
    Key { integration: signal.integration.clone(), dedup_key }
}

fn resolve(draft: &mut Draft, signal: &Signal) -> Verdict {
    let now = draft.now();
    let key = key_of(signal);
    if is_stale(draft, &key, signal.at) {
        return Verdict::of(Outcome::Ignored, Reason::OlderThanLastChange);
    }
    if let Some((alert, incident)) = close(draft, &key, By::Sender) {
        if let Some(alert) = key_state(draft, &key).alert.as_mut() {
            alert.count += 1;
        }
        changed(draft, &key, signal.at);
        return Verdict::of(Outcome::Resolved, Reason::ConditionOver).about(Some(alert), incident);
    }
    let closed_with_incident = draft.desk.keys.get(&key).and_then(|state| state.alert.as_ref());
    if closed_with_incident.is_some_and(|alert| alert.state != AlertState::Resolved) {
        // Its incident was resolved before; now its sender says so too, and what comes after is the condition coming back.
        if let Some(alert) = key_state(draft, &key).alert.as_mut() {
            alert.state = AlertState::Resolved;
            alert.resolved_at = Some(now);
        }
        changed(draft, &key, signal.at);
    } else if let Some(at) = signal.at {
        let state = key_state(draft, &key);
        // The newest counts, in whichever order they come.
        if state.early_resolve.is_none_or(|early| early.at <= at) {
            state.early_resolve = Some(EarlyResolve { at, came_at: now });
        }
    }
    Verdict::of(Outcome::Ignored, Reason::NotFiring)
}

/// Somebody acknowledged it at its sender. That says nothing of the incident's other alerts.
fn acknowledge(draft: &mut Draft, signal: &Signal) -> Verdict {
    let now = draft.now();
    let key = key_of(signal);
    if is_stale(draft, &key, signal.at) {
        return Verdict::of(Outcome::Ignored, Reason::OlderThanLastChange);
    }
    let firing = draft.desk.keys.get(&key).and_then(|state| state.alert.as_ref());
    let firing = firing.filter(|alert| alert.holds(alert.incident.as_ref().and_then(|id| draft.incident(id))));
    let is_silenced = firing.is_some_and(|alert| alert.state == AlertState::Suppressed);
    let Some((alert, title, incident)) = firing.map(|alert| (alert.id.clone(), alert.title.clone(), alert.incident.clone())) else {
        return Verdict::of(Outcome::Ignored, Reason::NotFiring);
    };
    if is_silenced {
        if let Some(alert) = key_state(draft, &key).alert.as_mut() {
            alert.count += 1;
            alert.last_at = now;
        }
        return Verdict::of(Outcome::Suppressed, Reason::Silenced).about(Some(alert), incident);
    }
    let Some(incident) = incident else { return Verdict::of(Outcome::Ignored, Reason::JustRecords).about(Some(alert), None) };
    if let Some(alert) = key_state(draft, &key).alert.as_mut() {
        alert.count += 1;
        alert.last_at = now;
    }
    let sender = Actor::Integration(signal.integration.clone());
    let open = draft.incident(&incident).map(|incident| (incident.state, incident.firing_count));
    let verdict = match open {
        Some((IncidentState::Triggered, 1)) => {
            command::take(draft, &incident, &sender);
            Verdict::of(Outcome::Acknowledged, Reason::AcknowledgedAtSender)
        }
        Some((IncidentState::Triggered, _)) => {
            remark::note(draft, &incident, &sender, format!("{title}: acknowledged at its sender"));
            Verdict::of(Outcome::Recorded, Reason::OtherAlertsFire)
        }
        // A machine's word is no sign of life.
        Some((IncidentState::Acknowledged | IncidentState::Resolved, _)) | None => {
            Verdict::of(Outcome::Recorded, Reason::AlreadyAcknowledged)
        }
    };
    verdict.about(Some(alert), Some(incident))
}

fn trigger(draft: &mut Draft, routed: &Routed, integration: &Integration, service: &Service) -> Verdict {
    let (now, signal) = (draft.now(), &routed.signal);
    let key = key_of(signal);
    if is_stale(draft, &key, signal.at) {
        return Verdict::of(Outcome::Ignored, Reason::OlderThanLastChange);
    }
    let early = draft.desk.keys.get(&key).and_then(|state| state.early_resolve);
    if let (Some(early), Some(at)) = (early, signal.at)
        && at < early.at
        && now.since(early.came_at) <= limits::EARLY_RESOLVE
    {
        return Verdict::of(Outcome::Ignored, Reason::ResolvedBeforeItFired);
    }
    let said = routed.severity;
    let Some(alert) = draft.desk.keys.get(&key).and_then(|state| state.alert.clone()) else {
        return fresh(draft, routed, &key, integration, service);
    };
    // A stretch of firing keeps the service that it began with, whatever the rules say since.
    let setup = draft.setup;
    let own = setup.services.get(&alert.service).unwrap_or(service);
    let severity = routed.of_service(own);
    let incident = alert.incident.as_ref().and_then(|id| draft.incident(id)).cloned();
    let (alert_id, incident_id) = (Some(alert.id.clone()), alert.incident.clone());

    if alert.holds(incident.as_ref()) {
        count(draft, &key, signal, said);
        if let Some(verdict) = silence::look(draft, &key) {
            return verdict;
        }
        if let Some(incident) = &incident {
            severity::raise(draft, &incident.id, severity, &signal.integration);
        } else if incident_id.is_none() && severity.urgency().is_some() {
            // It only recorded so far; now it is bad enough to page.
            return house(draft, routed, &key, own, severity, &alert.id);
        }
        return Verdict::of(Outcome::Repeated, Reason::AlreadyFiring).about(alert_id, incident_id);
    }

    // Over, either with its incident or by its sender's word.
    let closed_at = incident.as_ref().and_then(|incident| incident.closed_at);
    let closed_with_incident = match (closed_at, alert.resolved_at) {
        (Some(closed_at), Some(resolved_at)) => alert.fired_at <= closed_at && closed_at < resolved_at,
        (Some(_), None) => true,
        (None, _) => false,
    };
    let over_at = if closed_with_incident { closed_at } else { alert.resolved_at };
    let over_for = over_at.map_or(Span(i64::MAX), |over_at| now.since(over_at));
    let by_hand = incident.as_ref().is_some_and(|incident| incident.resolved_by.is_some());
    if closed_with_incident && by_hand && over_for < limits::RESOLVE_QUIET {
        count(draft, &key, signal, said);
        return Verdict::of(Outcome::Repeated, Reason::QuietAfterResolve).about(alert_id, incident_id);
    }
    // What pages nobody never brings an incident back, and what only recorded before would page now: both are new conditions. What
    // was promoted belongs to its incident while that is open.
    let recorded = routed.record || own.severity.of(alert.severity).urgency().is_none();
    let is_promoted = recorded && incident.as_ref().is_some_and(Incident::is_open);
    if over_for > own.reopen_within || (severity.urgency().is_some() != incident.is_some() && !is_promoted) {
        return fresh(draft, routed, &key, integration, service);
    }
    if silence::covering(&draft.desk, &alert, now).is_some() {
        if incident_id.is_some() {
            // What it belonged to is left alone; when it fires again by itself, that is for the group of then.
            return fresh(draft, routed, &key, integration, service);
        }
        refire(draft, &key, signal, said);
        return silence::look(draft, &key).unwrap_or_else(Verdict::nothing);
    }
    refire(draft, &key, signal, said);
    let reason = if alert.state == AlertState::Firing { Reason::StillFiring } else { Reason::FiredAgain };
    if let Some(incident) = incident {
        let sender = Actor::Integration(signal.integration.clone());
        let refired = What::AlertsRefired { count: 1, titles: vec![title_of(signal, &alert.title).to_owned()] };
        if incident.is_open() {
            draft.record(&incident.id, &sender, refired);
            silence::settle(draft, &incident.id, incident.is_covered(), Reason::OthersFire);
        } else {
            draft.record(&incident.id, &sender, What::IncidentReopened { reason });
            draft.record(&incident.id, &sender, refired);
            draft.find_newest(&incident.service);
            escalation::start(draft, &incident.id, reason);
        }
        severity::raise(draft, &incident.id, severity, &signal.integration);
    }
    Verdict::of(Outcome::Reopened, reason).about(alert_id, incident_id)
}

/// A condition that starts a stretch of firing of its own.
fn fresh(draft: &mut Draft, routed: &Routed, key: &Key, integration: &Integration, service: &Service) -> Verdict {
    let (now, signal) = (draft.now(), &routed.signal);
    let severity = routed.of_service(service);
    let id = AlertId::make(&mut draft.moment.ids);
    let alert = Alert {
        id: id.clone(),
        key: key.clone(),
        source: integration.source.clone(),
        service: service.id.clone(),
        title: signal.title.clone(),
        severity: routed.severity,
        state: AlertState::Firing,
        count: 1,
        first_at: now,
        last_at: now,
        fired_at: now,
        resolved_at: None,
        incident: None,
        ends_at: ends_at(signal, now),
        url: signal.url.clone(),
        labels: signal.labels.clone(),
    };
    changed(draft, key, signal.at);
    let state = key_state(draft, key);
    let past = state.alert.replace(alert);
    state.early_resolve = None;
    draft.desk.past.extend(past);
    if let Some(verdict) = silence::look(draft, key) {
        return verdict;
    }
    if severity.urgency().is_none() {
        return Verdict::of(Outcome::Recorded, Reason::JustRecords).about(Some(id), None);
    }
    house(draft, routed, key, service, severity, &id)
}

/// Finds the incident that an alert without one joins, or opens it.
pub(super) fn house(draft: &mut Draft, routed: &Routed, key: &Key, service: &Service, severity: Severity, alert: &AlertId) -> Verdict {
    let signal = &routed.signal;
    let sender = Actor::Integration(key.integration.clone());
    let verdict = if let Some((incident, reason)) = group(draft, service) {
        let was_covered = draft.incident(&incident).is_some_and(Incident::is_covered);
        if draft.incident(&incident).is_some_and(|row| row.service != service.id && !row.response.services.contains(&service.id)) {
            draft.record(&incident, &Actor::Reveille, What::ServiceInvolved { service: service.id.clone() });
        }
        draft.record(&incident, &sender, What::AlertsJoined { count: 1, titles: vec![signal.title.clone()] });
        silence::settle(draft, &incident, was_covered, Reason::OthersFire);
        severity::raise(draft, &incident, severity, &key.integration);
        Verdict::of(Outcome::Folded, reason).about(Some(alert.clone()), Some(incident))
    } else {
        let incident = IncidentId::make(&mut draft.moment.ids);
        let opened = What::IncidentOpened { service: service.id.clone(), title: signal.title.clone(), severity, alert: alert.clone() };
        draft.record(&incident, &sender, opened);
        if let Some(Taken { rule, because }) = routed.taken.clone() {
            draft.record(&incident, &Actor::Reveille, What::IncidentRouted { rule, because, policy: routed.policy.clone() });
        }
        severity::want_room(draft, &incident, Reason::IncidentOpened);
        escalation::start(draft, &incident, Reason::IncidentOpened);
        Verdict::of(Outcome::Opened, Reason::NewCondition).about(Some(alert.clone()), Some(incident))
    };
    let fired_at = fires_at(draft, verdict.incident.as_ref());
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        alert.incident.clone_from(&verdict.incident);
        alert.fired_at = fired_at;
    }
    verdict
}

/// The open incident that a new alert of this service joins now, and why: its own service's, else that of the nearest service it depends on.
fn group(draft: &Draft, service: &Service) -> Option<(IncidentId, Reason)> {
    if let Some(own) = near(draft, service) {
        return Some((own, Reason::JoinedGroup));
    }
    // Every alert alone is what its operator asked for, whatever it depends on.
    if service.group_window == Span::ZERO {
        return None;
    }
    let causes = draft.setup.causes(&service.id).into_iter().skip(1);
    let mut incidents = causes.filter_map(|cause| near(draft, draft.setup.services.get(&cause)?));
    incidents.next().map(|incident| (incident, Reason::SymptomOfCause))
}

/// The open incident of a service that new alerts still join.
fn near(draft: &Draft, service: &Service) -> Option<IncidentId> {
    let now = draft.now();
    let incident = draft.incident(draft.desk.newest.get(&service.id)?)?;
    let near = incident.is_open()
        && service.group_window > Span::ZERO
        && now.since(incident.joined_at) <= service.group_window
        && now.since(incident.opened_at) <= limits::GROUP_LIFE;
    near.then(|| incident.id.clone())
}

fn count(draft: &mut Draft, key: &Key, signal: &Signal, said: AlertSeverity) {
    let now = draft.now();
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        alert.count += 1;
        alert.last_at = now;
        alert.severity = alert.severity.max(said);
        alert.title = title_of(signal, &alert.title).to_owned();
        alert.ends_at = ends_at(signal, now);
        if signal.url.is_some() {
            alert.url.clone_from(&signal.url);
        }
    }
}

/// A condition keeps its title. Bodies are each unreadable in a way of their own, and the newest is the one to mend.
fn title_of<'a>(signal: &'a Signal, kept: &'a str) -> &'a str {
    match signal.action {
        Action::Unreadable(_) => &signal.title,
        Action::Trigger | Action::Resolve | Action::Acknowledge | Action::Change(_) | Action::Ignore(_) | Action::Remark(_) => kept,
    }
}

/// Until when it holds. An end that has passed when the message comes says nothing: the sender's clock is behind, or the message waited
/// for us. What fires by its own word would otherwise be over before a phone rings.
fn ends_at(signal: &Signal, now: Time) -> Option<Time> {
    signal.ends_at.filter(|ends_at| *ends_at > now)
}

/// Now, and always after its incident's last end: one batch can end an incident and bring it back within the same microsecond.
fn fires_at(draft: &Draft, incident: Option<&IncidentId>) -> Time {
    let closed_at = incident.and_then(|id| draft.incident(id)).and_then(|incident| incident.closed_at);
    closed_at.map_or(draft.now(), |closed_at| draft.now().max(closed_at + Span(1)))
}

fn refire(draft: &mut Draft, key: &Key, signal: &Signal, said: AlertSeverity) {
    let incident = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).and_then(|alert| alert.incident.clone());
    let fired_at = fires_at(draft, incident.as_ref());
    count(draft, key, signal, said);
    changed(draft, key, signal.at);
    let state = key_state(draft, key);
    state.early_resolve = None;
    if let Some(alert) = state.alert.as_mut() {
        alert.state = AlertState::Firing;
        alert.fired_at = fired_at;
        alert.resolved_at = None;
    }
}

/// Older than the last state change of its own alert, in the sender's own time. Without either time, it counts.
fn is_stale(draft: &Draft, key: &Key, at: Option<Time>) -> bool {
    match (draft.desk.keys.get(key).and_then(|state| state.changed_at), at) {
        (Some(changed_at), Some(at)) => at < changed_at,
        (None, _) | (_, None) => false,
    }
}

fn changed(draft: &mut Draft, key: &Key, at: Option<Time>) {
    // Without a time of its own, a change leaves nothing that later messages could be compared with.
    key_state(draft, key).changed_at = at;
}

pub(super) fn key_state<'a>(draft: &'a mut Draft, key: &Key) -> &'a mut KeyState {
    draft.desk.keys.entry(key.clone()).or_insert_with(|| KeyState::new(key.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::input::Act;
    use super::super::trial::Trial;
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn an_alert_joins_within_the_window_of_the_last_that_joined() {
        // Window in seconds; when each distinct alert fires; how many incidents they make.
        for (window, times, incidents) in [
            (600, vec![0, 600], 1),
            (600, vec![0, 601], 2),
            // Rolling: each within ten minutes of the one before it.
            (600, vec![0, 600, 1_200, 1_800], 1),
            (0, vec![0, 0], 2),
            (0, vec![0, 1, 2], 3),
            // At most 24 hours in all.
            (DAY / 2, vec![0, DAY / 2, DAY], 1),
            (DAY / 2, vec![0, DAY / 2, DAY, DAY + 1], 2),
        ] {
            let mut night = Trial::new();
            night.service().group_window = Span::seconds(window);
            for (n, at) in times.iter().enumerate() {
                night.until(*at);
                let verdict = night.fires(&format!("db{n}"));
                let joined = if verdict.outcome == Outcome::Folded { Reason::JoinedGroup } else { Reason::NewCondition };
                assert_eq!(verdict.reason, joined);
            }
            assert_eq!(night.incidents.len(), incidents, "{window} {times:?}");
        }
    }

    #[test]
    fn symptoms_join_the_incident_of_what_their_service_depends_on() {
        // What depends on what, the windows of the service that fires and of its causes in seconds, whose incidents are open; what it joins.
        for (depends, window, cause_window, open, joins) in [
            (&[("shop", "api")][..], 600, 600, &["api"][..], Some("api")),
            (&[("shop", "api")], 600, 600, &["api", "shop"], Some("shop")),
            (&[("shop", "api")], 600, 600, &[], None),
            (&[("shop", "api")], 600, 29, &["api"], None),
            (&[("shop", "api")], 0, 600, &["api"], None),
            (&[], 600, 600, &["api"], None),
            (&[("api", "shop")], 600, 600, &["api"], None),
            // However far, the nearest first; a ring ends.
            (&[("shop", "cart"), ("cart", "api")], 600, 600, &["api"], Some("api")),
            (&[("shop", "cart"), ("cart", "api"), ("api", "shop")], 600, 600, &["api", "cart"], Some("cart")),
        ] {
            let mut night = Trial::new();
            for id in ["api", "shop", "cart"] {
                night.serves(id);
            }
            for service in night.setup.services.values_mut() {
                service.group_window = Span::seconds(if service.id.as_str() == "shop" { window } else { cause_window });
            }
            for service in open {
                assert_eq!(night.fires_for(service, "first").outcome, Outcome::Opened);
            }
            for (service, cause) in depends {
                night.setup.services.get_mut(&(*service).into()).expect("it is there").depends_on.insert((*cause).into());
            }
            night.until(30);
            let verdict = night.fires_for("shop", "later");
            let joined =
                (verdict.outcome == Outcome::Folded).then(|| night.incidents[&verdict.incident.clone().expect("it has one")].clone());
            assert_eq!(joined.as_ref().map(|incident| incident.service.as_str()), joins, "{depends:?} {window} {cause_window} {open:?}");
            if let Some(incident) = joined.filter(|incident| incident.service.as_str() != "shop") {
                assert_eq!(verdict.reason, Reason::SymptomOfCause);
                assert_eq!(incident.response.services, ["shop".into()].into());
                assert_eq!(night.resolves_for("shop", "later").outcome, Outcome::Resolved);
                assert_eq!(night.incidents[&incident.id].firing_count, 1);
            }
        }
    }

    #[test]
    fn a_repeated_signal_does_not_prolong_the_window() {
        let mut night = Trial::new();
        night.fires("db");
        night.until(599);
        assert_eq!(night.fires("db").outcome, Outcome::Repeated);
        night.until(601);
        assert_eq!(night.fires("web").outcome, Outcome::Opened);
    }

    #[test]
    fn a_signal_is_stale_only_against_its_own_last_change() {
        // The sender's times of trigger, resolve and the second trigger; what the second becomes.
        for (fired, over, again, outcome, reason) in [
            (Some(10), Some(20), Some(19), Outcome::Ignored, Reason::OlderThanLastChange),
            (Some(10), Some(20), Some(20), Outcome::Reopened, Reason::FiredAgain),
            (Some(10), Some(20), Some(21), Outcome::Reopened, Reason::FiredAgain),
            (Some(10), Some(20), None, Outcome::Reopened, Reason::FiredAgain),
            // The last change had no time: nothing is older than it.
            (Some(10), None, Some(5), Outcome::Reopened, Reason::FiredAgain),
            (None, Some(20), Some(19), Outcome::Ignored, Reason::OlderThanLastChange),
        ] {
            let mut night = Trial::new();
            night.signal("db", Action::Trigger, None, fired);
            night.signal("db", Action::Resolve, None, over);
            let verdict = night.signal("db", Action::Trigger, None, again);
            assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{fired:?} {over:?} {again:?}");
            // Another key's times say nothing about it.
            assert_eq!(
                night.signal("web", Action::Trigger, None, Some(0)).outcome,
                if outcome == Outcome::Reopened { Outcome::Folded } else { Outcome::Opened }
            );
        }
    }

    #[test]
    fn a_stale_resolve_ends_nothing_and_an_equal_one_counts() {
        for (over, outcome) in [(9, Outcome::Ignored), (10, Outcome::Resolved), (11, Outcome::Resolved)] {
            let mut night = Trial::new();
            night.signal("db", Action::Trigger, None, Some(10));
            assert_eq!(night.signal("db", Action::Resolve, None, Some(over)).outcome, outcome, "{over}");
        }
    }

    #[test]
    fn a_resolve_that_came_first_is_remembered_for_a_day_against_older_triggers() {
        for (later, at, outcome) in
            [(DAY, 99, Outcome::Ignored), (DAY + 1, 99, Outcome::Opened), (60, 100, Outcome::Opened), (60, 101, Outcome::Opened)]
        {
            let mut night = Trial::new();
            assert_eq!(night.signal("db", Action::Resolve, None, Some(100)).reason, Reason::NotFiring);
            night.signal("db", Action::Resolve, None, Some(50));
            night.until(later);
            assert_eq!(night.signal("db", Action::Trigger, None, Some(at)).outcome, outcome, "{later} {at}");
        }
        let mut night = Trial::new();
        night.signal("db", Action::Resolve, None, None);
        assert_eq!(
            night.signal("db", Action::Trigger, None, Some(1)).outcome,
            Outcome::Opened,
            "a resolve without a time is not remembered"
        );
    }

    #[test]
    fn the_last_alert_that_resolves_resolves_the_incident() {
        let mut night = Trial::new();
        night.fires("db");
        night.fires("web");
        night.resolves("db");
        assert!(night.incident().is_open());
        night.resolves("web");
        assert_eq!(night.incident().state, IncidentState::Resolved);
        assert_eq!((night.incident().alerts_count, night.incident().firing_count), (2, 0));
        assert!(night.timers.keys().all(|(scope, _)| matches!(scope, super::super::input::Scope::Person(_))));
    }

    #[test]
    fn after_a_persons_resolve_further_signals_are_counted_then_reopen_then_open_anew() {
        for (after, outcome, reason) in [
            (0, Outcome::Repeated, Reason::QuietAfterResolve),
            (119, Outcome::Repeated, Reason::QuietAfterResolve),
            (120, Outcome::Reopened, Reason::StillFiring),
            (600, Outcome::Reopened, Reason::StillFiring),
            (601, Outcome::Opened, Reason::NewCondition),
        ] {
            let mut night = Trial::new();
            night.fires("db");
            night.until(60);
            night.asks("ana", Act::Resolve);
            night.until(60 + after);
            let verdict = night.fires("db");
            assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{after}");
            assert_eq!(night.incident().is_open(), outcome != Outcome::Repeated, "{after}");
        }
    }

    #[test]
    fn what_its_sender_resolved_reopens_soon_and_is_new_later() {
        for (after, outcome, reason) in [
            (0, Outcome::Reopened, Reason::FiredAgain),
            (600, Outcome::Reopened, Reason::FiredAgain),
            (601, Outcome::Opened, Reason::NewCondition),
        ] {
            let mut night = Trial::new();
            night.fires("db");
            night.resolves("db");
            night.until(after);
            let verdict = night.fires("db");
            assert_eq!((verdict.outcome, verdict.reason), (outcome, reason), "{after}");
            assert_eq!(night.incident().state, IncidentState::Triggered);
        }
    }

    #[test]
    fn the_quiet_holds_when_the_sender_resolves_too() {
        let mut night = Trial::new();
        night.fires("db");
        night.until(60);
        night.asks("ana", Act::Resolve);
        night.until(90);
        assert_eq!(night.resolves("db").outcome, Outcome::Ignored);
        night.until(120);
        assert_eq!(night.fires("db").reason, Reason::QuietAfterResolve);
        night.until(180);
        assert_eq!(night.fires("db").reason, Reason::FiredAgain);
    }

    #[test]
    fn one_microsecond_holds_an_end_and_a_return() {
        let mut night = Trial::new();
        night.fires("db");
        for _ in 0..3 {
            night.resolves("db");
            assert!(!night.incident().is_open());
            assert_eq!(night.fires("db").outcome, Outcome::Reopened);
            assert_eq!(night.incident().firing_count, 1);
            assert_eq!(night.fires("db").outcome, Outcome::Repeated, "it fires and is seen to fire");
        }
        assert_eq!(night.resolves("db").outcome, Outcome::Resolved);
        assert!(!night.incident().is_open());
    }

    #[test]
    fn severity_rises_by_itself_and_pages_again_only_when_louder_or_answered() {
        use AlertSeverity::{Critical, Error, Warning};
        // The first alert, whether it is acknowledged, the second alert; whether the policy starts again.
        for (first, acknowledged, second, starts_again) in [
            (Warning, false, Error, true),
            (Warning, true, Error, true),
            (Error, false, Critical, false),
            (Error, true, Critical, true),
            (Critical, true, Error, false),
            (Error, true, Error, false),
            (Error, false, Warning, false),
        ] {
            let mut night = Trial::new();
            night.fires_as("db", first);
            if acknowledged {
                night.asks("ana", Act::Acknowledge);
            }
            let before = night.incident().severity;
            night.until(30);
            assert_eq!(night.fires_as("web", second).outcome, Outcome::Folded);
            let case = format!("{first:?} {acknowledged} {second:?}");
            let table = super::super::setup::SeverityTable::default();
            assert_eq!(night.incident().severity, before.max(table.of(second)), "{case}");
            assert_eq!(night.count("policy_started"), if starts_again { 2 } else { 1 }, "{case}");
            assert_eq!(night.incident().state == IncidentState::Triggered, starts_again || !acknowledged, "{case}");
        }
    }

    #[test]
    fn a_senders_acknowledge_counts_only_if_its_alert_is_the_only_open_one() {
        let acks = |night: &mut Trial, key: &str, at| night.signal(key, Action::Acknowledge, None, at);
        let mut night = Trial::new();
        assert_eq!(acks(&mut night, "db", None).reason, Reason::NotFiring);
        night.signal("db", Action::Trigger, None, Some(10));
        night.fires("web");
        let noted = acks(&mut night, "db", Some(20));
        assert_eq!((noted.outcome, noted.reason), (Outcome::Recorded, Reason::OtherAlertsFire));
        assert_eq!((night.incident().state, night.count("note_added")), (IncidentState::Triggered, 1));
        night.resolves("web");
        night.until(30);
        assert_eq!(acks(&mut night, "db", Some(9)).reason, Reason::OlderThanLastChange);
        let taken = acks(&mut night, "db", Some(30));
        assert_eq!((taken.outcome, taken.reason), (Outcome::Acknowledged, Reason::AcknowledgedAtSender));
        assert_eq!((night.incident().acknowledged_by.clone(), night.incident().pages.len()), (Some(Actor::Integration("bar".into())), 0));
        assert_eq!(night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.count).sum::<i64>(), 5);
        // It lapses as any other, and the sender repeating itself is no sign of life.
        night.until(1_000);
        assert_eq!(acks(&mut night, "db", None).reason, Reason::AlreadyAcknowledged);
        night.until(1_830);
        assert_eq!(night.seconds_of("acknowledgement_lapsed"), [1_830]);
        night.fires_as("disk", AlertSeverity::Info);
        assert_eq!(acks(&mut night, "disk", None).reason, Reason::JustRecords);
    }

    #[test]
    fn a_sender_that_acknowledges_again_and_again_fills_no_timeline() {
        let mut night = Trial::new();
        for n in 0..40 {
            night.fires(&format!("host{n}"));
        }
        for _ in 0..5 {
            for n in 0..40 {
                let verdict = night.signal(&format!("host{n}"), Action::Acknowledge, None, None);
                assert_eq!((verdict.outcome, verdict.reason), (Outcome::Recorded, Reason::OtherAlertsFire));
            }
        }
        assert_eq!(night.count("note_added"), limits::SENDER_NOTES);
        let alerts = night.keys.values().filter_map(|key| key.alert.as_ref());
        assert_eq!(alerts.map(|alert| alert.count).sum::<i64>(), 240, "each is counted");
    }

    #[test]
    fn a_condition_that_gets_worse_raises_its_incident() {
        let mut night = Trial::new();
        night.fires_as("db", AlertSeverity::Warning);
        assert_eq!(night.fires_as("db", AlertSeverity::Critical).outcome, Outcome::Repeated);
        assert_eq!(night.incident().severity, Severity::Sev1);
        night.fires_as("db", AlertSeverity::Warning);
        assert_eq!(night.incident().severity, Severity::Sev1, "never lowered by itself");
    }

    #[test]
    fn sev4_records_and_neither_opens_nor_joins_nor_prolongs() {
        let mut night = Trial::new();
        assert_eq!(night.fires_as("disk", AlertSeverity::Info).outcome, Outcome::Recorded);
        assert!(night.incidents.is_empty());
        night.fires("db");
        night.until(500);
        let verdict = night.fires_as("tape", AlertSeverity::Info);
        assert_eq!((verdict.outcome, verdict.incident), (Outcome::Recorded, None));
        assert_eq!(night.incident().alerts_count, 1);
        night.until(601);
        assert_eq!(night.fires("web").outcome, Outcome::Opened);
        assert_eq!(night.resolves("disk").outcome, Outcome::Resolved);
    }

    #[test]
    fn what_only_recorded_pages_when_it_gets_worse() {
        let mut night = Trial::new();
        let first = night.fires_as("disk", AlertSeverity::Info);
        let worse = night.fires_as("disk", AlertSeverity::Critical);
        assert_eq!((worse.outcome, &worse.alert), (Outcome::Opened, &first.alert));
        assert_eq!(night.incident().state, IncidentState::Triggered);
        night.resolves("disk");
        assert_eq!(night.incident().state, IncidentState::Resolved);
        // And the other way round: a warning that comes back as mere information brings nothing back.
        assert_eq!(night.fires_as("disk", AlertSeverity::Info).outcome, Outcome::Recorded);
        assert_eq!(night.incident().state, IncidentState::Resolved);
    }

    #[test]
    fn an_unreadable_body_is_one_alert_that_the_next_readable_one_resolves() {
        let mut night = Trial::new();
        assert_eq!(night.unreadable().outcome, Outcome::Unreadable);
        night.unreadable();
        assert_eq!((night.incidents.len(), night.incident().alerts_count), (1, 1));
        assert_eq!(night.signal("ping", Action::Ignore("ping".to_owned()), None, None).outcome, Outcome::Ignored);
        assert_eq!(night.incident().state, IncidentState::Resolved);
        let counts: Vec<i64> = night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.count).collect();
        assert_eq!(counts, [2], "the readable body is not counted there");
    }

    #[test]
    fn an_unreadable_body_says_why_the_newest_of_them_is() {
        let mut night = Trial::new();
        let mut comes = |title: &str, action: Action| {
            let signal = Signal { title: title.to_owned(), ..Trial::signal_of(UNREADABLE_KEY, action, None, None) };
            night.batch(&[signal]);
            let titles = night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.title.clone()).collect::<Vec<_>>();
            let told = night.facts.iter().rev().find_map(|fact| match &fact.what {
                What::AlertsRefired { titles, .. } => Some(titles.clone()),
                _ => None,
            });
            (titles, told)
        };
        let unreadable = || Action::Unreadable("no".to_owned());
        comes("it is empty", unreadable());
        assert_eq!(comes("it is too large", unreadable()).0, ["it is too large"]);
        comes("a ping", Action::Ignore("a ping".to_owned()));
        let again = vec!["it is no JSON".to_owned()];
        assert_eq!(comes("it is no JSON", unreadable()), (again.clone(), Some(again)));
    }

    #[test]
    fn an_end_that_is_past_when_it_comes_ends_nothing() {
        let mut night = Trial::new();
        night.until(600);
        night.fires_until("db", 540);
        night.until(601);
        assert_eq!(night.expires("db", Some(600)), Verdict::nothing());
        assert_eq!(night.calls(), [(600, "ana".to_owned(), false)], "she is called, and the call goes on");
        assert_eq!(night.ended.len(), 0);
        // From now on its clock is right again.
        night.fires_until("db", 700);
        night.until(700);
        assert_eq!(night.expires("db", Some(699)).reason, Reason::Expired);
    }

    #[test]
    fn one_batch_tells_its_alerts_once_and_keeps_the_alerts_that_gave_way() {
        let mut night = Trial::new();
        let signal = |key: &str, action: Action, severity| Signal {
            integration: "bar".into(),
            dedup_key: key.to_owned(),
            title: key.to_owned(),
            severity: Some(severity),
            action,
            at: None,
            ends_at: None,
            url: None,
            labels: std::collections::BTreeMap::new(),
        };
        let storm: Vec<Signal> = (0..200).map(|n| signal(&format!("host{n}"), Action::Trigger, AlertSeverity::Error)).collect();
        night.batch(&storm);
        assert_eq!((night.incidents.len(), night.incident().alerts_count), (1, 200));
        assert_eq!((night.count("incident_opened"), night.count("alerts_joined")), (1, 1));

        let setup = night.setup.clone();
        let mut desk = super::super::decide::Desk::default();
        for signal in [
            signal("disk", Action::Trigger, AlertSeverity::Info),
            signal("disk", Action::Resolve, AlertSeverity::Info),
            signal("disk", Action::Trigger, AlertSeverity::Error),
        ] {
            let ids = crate::base::id::IdSource::new(Trial::time(0), u128::from(u64::MAX));
            let mut moment = super::super::decide::Moment { at: Trial::time(0), ids };
            let input = super::super::input::Input::Signal(super::super::routing::route(&setup, signal));
            let decision = super::super::decide::decide(super::super::decide::State::Desk(desk), &input, &setup, &mut moment);
            let super::super::decide::State::Desk(next) = decision.state else { panic!("a desk stays a desk") };
            desk = next;
        }
        assert_eq!(desk.past.iter().map(|alert| (alert.state, alert.count)).collect::<Vec<_>>(), [(AlertState::Resolved, 2)]);
    }

    #[test]
    fn what_has_no_integration_is_said_so() {
        let mut night = Trial::new();
        night.setup.integrations.clear();
        assert_eq!(night.fires("db").reason, Reason::IntegrationGone);
    }
}
