//! From signal to alert to incident: which condition it is, whether it is new, and which incident it belongs to.

use super::alert::{Alert, AlertState, EarlyResolve, Key, KeyState, UNREADABLE_KEY};
use super::decide::{Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::incident::IncidentState;
use super::input::{Action, Actor, Signal};
use super::reason::Reason;
use super::setup::{AlertSeverity, Integration, Service, Severity};
use crate::base::id::{AlertId, IncidentId};
use crate::base::limits;
use crate::base::time::{Span, Time};

/// Decides one signal. The desk holds its key, that key's newest alert with its incident, and the service's newest open incident.
pub(super) fn signal(draft: &mut Draft, signal: &Signal) -> Verdict {
    let setup = draft.setup;
    let Some(integration) = setup.integrations.get(&signal.integration) else {
        return Verdict::of(Outcome::Ignored, Reason::IntegrationGone);
    };
    let Some(service) = setup.services.get(&integration.service) else {
        return Verdict::of(Outcome::Ignored, Reason::IntegrationGone);
    };
    match &signal.action {
        Action::Ignore(_) => {
            readable_again(draft, signal);
            Verdict::of(Outcome::Ignored, Reason::NothingToDecide)
        }
        Action::Resolve => {
            readable_again(draft, signal);
            resolve(draft, signal)
        }
        Action::Trigger => {
            readable_again(draft, signal);
            trigger(draft, signal, integration, service)
        }
        Action::Unreadable(_) => {
            Verdict { outcome: Outcome::Unreadable, reason: Reason::CannotBeRead, ..trigger(draft, signal, integration, service) }
        }
    }
}

/// A body that can be read ends the alert that says they cannot.
fn readable_again(draft: &mut Draft, signal: &Signal) {
    let key = Key { integration: signal.integration.clone(), dedup_key: UNREADABLE_KEY.to_owned() };
    close(draft, &key);
}

fn resolve(draft: &mut Draft, signal: &Signal) -> Verdict {
    let now = draft.now();
    let key = Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() };
    if is_stale(draft, &key, signal.at) {
        return Verdict::of(Outcome::Ignored, Reason::OlderThanLastChange);
    }
    if let Some((alert, incident)) = close(draft, &key) {
        changed(draft, &key, signal.at);
        return Verdict::of(Outcome::Resolved, Reason::ConditionOver).about(Some(alert), incident);
    }
    if let Some(at) = signal.at {
        key_state(draft, &key).early_resolve = Some(EarlyResolve { at, came_at: now });
    }
    Verdict::of(Outcome::Ignored, Reason::NotFiring)
}

/// Ends the key's alert if it fires, and its incident if that was the last.
fn close(draft: &mut Draft, key: &Key) -> Option<(AlertId, Option<IncidentId>)> {
    let now = draft.now();
    let alert = draft.desk.keys.get(key)?.alert.as_ref()?;
    let incident_id = alert.incident.clone();
    if !alert.is_firing(incident_id.as_ref().and_then(|id| draft.incident(id))) {
        return None;
    }
    let (id, title) = (alert.id.clone(), alert.title.clone());
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(now);
        alert.last_at = now;
        alert.count += 1;
    }
    if let Some(incident) = &incident_id {
        let sender = Actor::Integration(key.integration.clone());
        draft.record(incident, &sender, What::AlertsResolved { count: 1, titles: vec![title] });
        if draft.incident(incident).is_some_and(|incident| incident.is_open() && incident.firing_count <= 0) {
            escalation::resolve(draft, incident, &sender, Reason::AllAlertsResolved, None);
        }
    }
    Some((id, incident_id))
}

fn trigger(draft: &mut Draft, signal: &Signal, integration: &Integration, service: &Service) -> Verdict {
    let now = draft.now();
    let key = Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() };
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
    let said = signal.severity.unwrap_or(integration.severity);
    let severity = service.severity.of(said);
    let Some(alert) = draft.desk.keys.get(&key).and_then(|state| state.alert.clone()) else {
        return fresh(draft, signal, &key, integration, service, said);
    };
    let incident = alert.incident.as_ref().and_then(|id| draft.incident(id)).cloned();
    let (alert_id, incident_id) = (Some(alert.id.clone()), alert.incident.clone());

    if alert.is_firing(incident.as_ref()) {
        count(draft, &key, signal, said);
        if let Some(incident) = &incident {
            raise(draft, &incident.id, severity, &signal.integration);
        }
        return Verdict::of(Outcome::Repeated, Reason::AlreadyFiring).about(alert_id, incident_id);
    }

    // Over, either by its sender's word or with its incident.
    let closed_with_incident = alert.state == AlertState::Firing;
    let over_at = if closed_with_incident { incident.as_ref().and_then(|incident| incident.closed_at) } else { alert.resolved_at };
    let over_for = over_at.map_or(Span(i64::MAX), |over_at| now.since(over_at));
    let by_hand = incident.as_ref().is_some_and(|incident| incident.resolved_by.is_some());
    if closed_with_incident && by_hand && over_for < limits::RESOLVE_QUIET {
        count(draft, &key, signal, said);
        return Verdict::of(Outcome::Repeated, Reason::QuietAfterResolve).about(alert_id, incident_id);
    }
    if over_for > service.reopen_within {
        return fresh(draft, signal, &key, integration, service, said);
    }
    let sender = Actor::Integration(signal.integration.clone());
    match incident {
        None => {
            if severity.urgency().is_some() {
                // What only recorded before would page now: that is a new condition.
                return fresh(draft, signal, &key, integration, service, said);
            }
            refire(draft, &key, signal, said);
            Verdict::of(Outcome::Reopened, Reason::FiredAgain).about(alert_id, None)
        }
        Some(incident) => {
            refire(draft, &key, signal, said);
            let reason = if closed_with_incident { Reason::StillFiring } else { Reason::FiredAgain };
            if incident.is_open() {
                draft.record(&incident.id, &sender, What::AlertsRefired { count: 1, titles: vec![alert.title] });
            } else {
                draft.record(&incident.id, &sender, What::IncidentReopened { reason });
                draft.record(&incident.id, &sender, What::AlertsRefired { count: 1, titles: vec![alert.title] });
                draft.desk.newest.entry(incident.service.clone()).or_insert_with(|| incident.id.clone());
                escalation::start(draft, &incident.id, Reason::Reopened);
            }
            raise(draft, &incident.id, severity, &signal.integration);
            Verdict::of(Outcome::Reopened, reason).about(alert_id, incident_id)
        }
    }
}

/// A condition that starts a stretch of firing of its own.
fn fresh(draft: &mut Draft, signal: &Signal, key: &Key, integration: &Integration, service: &Service, said: AlertSeverity) -> Verdict {
    let now = draft.now();
    let severity = service.severity.of(said);
    let id = AlertId::make(&mut draft.moment.ids);
    let mut alert = Alert {
        id: id.clone(),
        key: key.clone(),
        source: integration.source.clone(),
        service: service.id.clone(),
        title: signal.title.clone(),
        severity: said,
        state: AlertState::Firing,
        count: 1,
        first_at: now,
        last_at: now,
        fired_at: now,
        resolved_at: None,
        incident: None,
        url: signal.url.clone(),
        labels: signal.labels.clone(),
    };
    let sender = Actor::Integration(key.integration.clone());
    let verdict = if severity == Severity::Sev4 {
        Verdict::of(Outcome::Recorded, Reason::JustRecords).about(Some(id), None)
    } else if let Some(incident) = group(draft, service) {
        draft.record(&incident, &sender, What::AlertsJoined { count: 1, titles: vec![signal.title.clone()] });
        raise(draft, &incident, severity, &signal.integration);
        Verdict::of(Outcome::Folded, Reason::JoinedGroup).about(Some(id), Some(incident))
    } else {
        let incident = IncidentId::make(&mut draft.moment.ids);
        let opened = What::IncidentOpened { service: service.id.clone(), title: signal.title.clone(), severity, alert: id.clone() };
        draft.record(&incident, &sender, opened);
        escalation::start(draft, &incident, Reason::IncidentOpened);
        Verdict::of(Outcome::Opened, Reason::NewCondition).about(Some(id), Some(incident))
    };
    alert.incident.clone_from(&verdict.incident);
    changed(draft, key, signal.at);
    let state = key_state(draft, key);
    state.alert = Some(alert);
    state.early_resolve = None;
    verdict
}

/// The open incident that a new alert of this service joins now.
fn group(draft: &Draft, service: &Service) -> Option<IncidentId> {
    let now = draft.now();
    let incident = draft.incident(draft.desk.newest.get(&service.id)?)?;
    let near = incident.is_open()
        && service.group_window > Span::ZERO
        && now.since(incident.joined_at) <= service.group_window
        && now.since(incident.opened_at) <= limits::GROUP_LIFE;
    near.then(|| incident.id.clone())
}

/// An incident has its alerts' highest severity; what makes it page louder, or pages again after an answer, starts the policy.
fn raise(draft: &mut Draft, id: &IncidentId, to: Severity, integration: &crate::base::id::IntegrationId) {
    let Some(incident) = draft.incident(id) else { return };
    let from = incident.severity;
    if to <= from || !incident.is_open() {
        return;
    }
    let pages_again = incident.state == IncidentState::Acknowledged || from.urgency() < to.urgency();
    draft.record(id, &Actor::Integration(integration.clone()), What::SeverityRaised { from, to });
    if pages_again {
        escalation::start(draft, id, Reason::SeverityRaised);
    }
}

fn count(draft: &mut Draft, key: &Key, signal: &Signal, said: AlertSeverity) {
    let now = draft.now();
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        alert.count += 1;
        alert.last_at = now;
        alert.severity = alert.severity.max(said);
        if signal.url.is_some() {
            alert.url.clone_from(&signal.url);
        }
    }
}

fn refire(draft: &mut Draft, key: &Key, signal: &Signal, said: AlertSeverity) {
    let now = draft.now();
    count(draft, key, signal, said);
    changed(draft, key, signal.at);
    let state = key_state(draft, key);
    state.early_resolve = None;
    if let Some(alert) = state.alert.as_mut() {
        alert.state = AlertState::Firing;
        alert.fired_at = now;
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
    let state = key_state(draft, key);
    // Without a time of its own, a change leaves nothing that later messages could be compared with.
    state.changed_at = at.or(state.changed_at);
}

fn key_state<'a>(draft: &'a mut Draft, key: &Key) -> &'a mut KeyState {
    draft.desk.keys.entry(key.clone()).or_insert_with(|| KeyState::new(key.clone()))
}
