//! From signal to alert to incident: which condition it is, whether it is new, and which incident it belongs to.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::alert::{Alert, AlertState, EarlyResolve, Hold, Key, KeyState, UNREADABLE_KEY};
use super::decide::{Draft, Outcome, Verdict};
use super::ending::{By, close};
use super::fact::What;
use super::group::{self, Group};
use super::incident::{Incident, IncidentState};
use super::input::{Action, Actor, Signal};
use super::reason::Reason;
use super::routing::{Routed, Taken};
use super::setup::{AlertSeverity, Integration, Service, Setup, Severity};
use super::storm::{self, Place};
use super::{command, escalation, flap, hold, merge, novelty, relevance, remark, severity, silence};
use crate::base::id::{AlertId, IncidentId, IntegrationId, ServiceId};
use crate::base::time::{Span, Time};
use crate::base::{limits, written};

/// Decides one signal. The desk holds its key, that key's newest alert with its incident, and the
/// newest open incidents of the service and of its group.
pub(super) fn signal(draft: &mut Draft, routed: &Routed) -> Verdict {
    let (setup, signal) = (draft.setup, &routed.signal);
    if !signal.at.is_none_or(|at| is_believable(at, draft.now())) {
        // Kept, it would make what comes later stale for ever, or be stale for ever itself.
        let timeless = Routed { signal: Signal { at: None, ..signal.clone() }, ..routed.clone() };
        return self::signal(draft, &timeless);
    }
    let Some(integration) = setup.integrations.get(&signal.integration) else {
        return Verdict::of(Outcome::Ignored, Reason::IntegrationGone);
    };
    let Some(service) = setup.services.get(&routed.service) else {
        return Verdict::of(Outcome::Ignored, Reason::IntegrationGone);
    };
    match &signal.action {
        Action::Ignore(_) => {
            readable_again(draft, routed);
            Verdict::of(Outcome::Ignored, Reason::NothingToDecide)
        }
        Action::Change(_) => {
            readable_again(draft, routed);
            Verdict::of(Outcome::Recorded, Reason::SomethingChanged)
        }
        Action::Resolve => {
            readable_again(draft, routed);
            resolve(draft, signal)
        }
        Action::Acknowledge => {
            readable_again(draft, routed);
            acknowledge(draft, signal)
        }
        Action::Remark(said) => {
            readable_again(draft, routed);
            remark::remark(draft, signal, &key_of(signal), said)
        }
        Action::Trigger => {
            readable_again(draft, routed);
            trigger(draft, routed, integration, service)
        }
        Action::Unreadable(_) => {
            // It has no time that could make it stale: that it cannot be read is true now.
            let timeless = Routed { signal: Signal { at: None, ..signal.clone() }, ..routed.clone() };
            Verdict { outcome: Outcome::Unreadable, reason: Reason::CannotBeRead, ..trigger(draft, &timeless, integration, service) }
        }
    }
}

/// Whether a sender's clock may have said so: one without a battery begins with 1970 or 2000, and one that is ahead of ours by more than a
/// day has lost its date.
pub(super) fn is_believable(at: Time, now: Time) -> bool {
    at >= limits::SENDERS_CLOCK_FROM && at <= now + limits::SENDERS_CLOCK_AHEAD
}

/// A body that can be read ends the alert that says they cannot; one that can be read in part does not.
fn readable_again(draft: &mut Draft, routed: &Routed) {
    if routed.beside_unreadable {
        return;
    }
    let key = Key { integration: routed.signal.integration.clone(), dedup_key: UNREADABLE_KEY.to_owned() };
    // The body is counted where it belongs, not here.
    close(draft, &key, By::Sender);
}

/// What a signal is about. Whatever an unreadable body seems to say, it is about the integration's bodies.
pub(super) fn key_of(signal: &Signal) -> Key {
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
    if let Some(verdict) = flap::over(draft, &key) {
        changed(draft, &key, signal.at);
        return verdict;
    }
    let was_waited_for = hold::is_waited_for(draft, &key);
    if let Some((alert, incident)) = close(draft, &key, By::Sender) {
        if let Some(alert) = key_state(draft, &key).alert.as_mut() {
            alert.count += 1;
        }
        changed(draft, &key, signal.at);
        let reason = if was_waited_for { Reason::PassedByItself } else { Reason::ConditionOver };
        return Verdict::of(Outcome::Resolved, reason).about(Some(alert), incident);
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
    over(draft, &key)
}

/// It is not firing; whether there ever was such an alert, the verdict says by naming it.
fn over(draft: &Draft, key: &Key) -> Verdict {
    let alert = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref());
    let (id, incident) = (alert.map(|alert| alert.id.clone()), alert.and_then(|alert| draft.desk.home_of(alert)));
    Verdict::of(Outcome::Ignored, Reason::NotFiring).about(id, incident)
}

/// Somebody acknowledged it at its sender. That says nothing of the incident's other alerts.
fn acknowledge(draft: &mut Draft, signal: &Signal) -> Verdict {
    let now = draft.now();
    let key = key_of(signal);
    if is_stale(draft, &key, signal.at) {
        return Verdict::of(Outcome::Ignored, Reason::OlderThanLastChange);
    }
    let firing = draft.desk.keys.get(&key).and_then(|state| state.alert.as_ref());
    let firing = firing.filter(|alert| draft.desk.holds(alert));
    let is_silenced = firing.is_some_and(|alert| alert.state == AlertState::Suppressed);
    let why = firing.and_then(|alert| silence::why_covered(draft, alert)).unwrap_or(Reason::Silenced);
    let Some((alert, title, incident)) = firing.map(|alert| (alert.id.clone(), alert.title.clone(), draft.desk.home_of(alert))) else {
        return over(draft, &key);
    };
    if is_silenced {
        if let Some(alert) = key_state(draft, &key).alert.as_mut() {
            alert.count += 1;
            alert.last_at = now;
        }
        return Verdict::of(Outcome::Suppressed, why).about(Some(alert), incident);
    }
    let incident = incident.or_else(|| hold::house_at_once(draft, &key));
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
    let incident = draft.desk.incident_of(&alert).map(Cow::into_owned);
    let (alert_id, incident_id) = (Some(alert.id.clone()), draft.desk.home_of(&alert));

    if alert.holds(incident.as_ref()) {
        count(draft, &key, signal, said);
        let came_back = flap::again(draft, &key);
        if came_back {
            changed(draft, &key, signal.at);
        }
        if let Some(verdict) = silence::look(draft, &key) {
            return verdict;
        }
        if let Some(incident) = &incident {
            relevance::raise(draft, &incident.id, severity, &key);
        } else if incident_id.is_none() && severity.urgency().is_some() {
            // It only recorded so far; now it is bad enough to page.
            novelty::rise(draft, &key);
            return hold::house(draft, routed, &key, own, severity, &alert.id);
        }
        novelty::rise(draft, &key);
        let reason = if came_back { Reason::Flapping } else { Reason::AlreadyFiring };
        return Verdict::of(Outcome::Repeated, reason).about(alert_id, incident_id);
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
    // Where its sender has said since that it is over, this is the condition coming back: some senders say so once.
    let came_back = alert.state == AlertState::Resolved;
    if closed_with_incident && by_hand && !came_back && over_for < limits::RESOLVE_QUIET {
        count(draft, &key, signal, said);
        return Verdict::of(Outcome::Repeated, Reason::QuietAfterResolve).about(alert_id, incident_id);
    }
    // What pages nobody never brings an incident back, and what only recorded before would page now: both are new conditions. What
    // was promoted belongs to its incident while that is open.
    let recorded = routed.record || own.severity.of(alert.severity).urgency().is_none();
    let is_promoted = recorded && incident.as_ref().is_some_and(Incident::is_open);
    let has_passed = alert.hold == Some(Hold::Passed);
    if over_for > own.reopen_within || (severity.urgency().is_some() != incident.is_some() && !is_promoted && !has_passed) {
        return fresh(draft, routed, &key, integration, service);
    }
    if silence::why_covered(draft, &as_now(&alert, signal, said)).is_some() {
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
        let refired = relevance::told(draft, &incident.id, &key, refired);
        if incident.is_open() {
            draft.record(&incident.id, &sender, refired);
            silence::settle(draft, &incident.id, incident.is_covered(), Reason::OthersFire);
        } else {
            draft.record(&incident.id, &sender, What::IncidentReopened { reason });
            draft.record(&incident.id, &sender, refired);
            draft.find_newest_of(&incident.id);
            escalation::resume(draft, &incident.id, incident.response.left_at, reason);
        }
        relevance::raise(draft, &incident.id, severity, &key);
        novelty::rise(draft, &key);
        flap::see(draft, &key);
    } else if severity.urgency().is_some() {
        // It passed by itself before, and nobody was called.
        return hold::house(draft, routed, &key, own, severity, &alert.id);
    }
    Verdict::of(Outcome::Reopened, reason).about(alert_id, incident_id)
}

/// A condition that starts a stretch of firing of its own.
fn fresh(draft: &mut Draft, routed: &Routed, key: &Key, integration: &Integration, service: &Service) -> Verdict {
    let (now, signal) = (draft.now(), &routed.signal);
    let severity = routed.of_service(service);
    let id = AlertId::make(&mut draft.moment.ids);
    let novelty = novelty::arrive(draft, routed, service);
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
        hold: None,
        novelty,
        url: signal.url.clone(),
        labels: signal.labels.clone(),
    };
    changed(draft, key, signal.at);
    let state = key_state(draft, key);
    novelty::follow(state, now);
    let past = state.alert.replace(alert);
    state.early_resolve = None;
    if past.is_some() {
        flap::fired(draft, key);
    }
    draft.desk.past.extend(past.map(Alert::given_way));
    novelty::rise(draft, key);
    if let Some(verdict) = silence::look(draft, key) {
        return verdict;
    }
    if severity.urgency().is_none() {
        return Verdict::of(Outcome::Recorded, Reason::JustRecords).about(Some(id), None);
    }
    hold::house(draft, routed, key, service, severity, &id)
}

/// An alert that has no incident and pages.
struct Arrival<'a> {
    routed: &'a Routed,
    key: &'a Key,
    service: &'a Service,
    severity: Severity,
    /// What its sender says; where it is more than that, why.
    said: Severity,
    raised: Option<Reason>,
    alert: &'a AlertId,
}

/// Finds the incident that an alert without one joins, or opens it.
pub(super) fn house(draft: &mut Draft, routed: &Routed, key: &Key, service: &Service, severity: Severity, alert: &AlertId) -> Verdict {
    let said = severity;
    let (severity, raised) = novelty::worth(draft, key, service, said);
    let verdict = place(draft, &Arrival { routed, key, service, severity, said, raised, alert });
    let fired_at = fires_at(draft, verdict.incident.as_ref());
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        alert.incident.clone_from(&verdict.incident);
        alert.fired_at = fired_at;
    }
    verdict
}

fn place(draft: &mut Draft, new: &Arrival) -> Verdict {
    let alert = Some(new.alert.clone());
    let group = group::of(draft.setup, new.service, new.routed);
    if let Some((incident, reason)) = home(draft, new.service, group.as_ref()) {
        join(draft, new, &incident);
        return Verdict::of(Outcome::Folded, reason).about(alert, Some(incident));
    }
    match storm::place(draft, storm::policy_of(new.service, new.routed), new.severity) {
        Place::Under(umbrella) => {
            join(draft, new, &umbrella);
            Verdict::of(Outcome::Folded, Reason::StormUmbrella).about(alert, Some(umbrella))
        }
        Place::Again(umbrella) => {
            let reason = Reason::StormGoesOn;
            draft.record(&umbrella, &Actor::Integration(new.key.integration.clone()), What::IncidentReopened { reason });
            draft.find_newest_of(&umbrella);
            escalation::start(draft, &umbrella, reason);
            join(draft, new, &umbrella);
            Verdict::of(Outcome::Folded, Reason::StormUmbrella).about(alert, Some(umbrella))
        }
        Place::Alone => {
            let incident = open(draft, new, group, new.routed.signal.title.clone());
            start(draft, new, &incident);
            Verdict::of(Outcome::Opened, Reason::NewCondition).about(alert, Some(incident))
        }
        Place::Umbrella => {
            let title = written::line_within(&format!("Storm: {}", new.routed.signal.title), limits::TITLE_CHARS);
            let incident = open(draft, new, group, title);
            storm::begin(draft, &incident, storm::policy_of(new.service, new.routed));
            start(draft, new, &incident);
            Verdict::of(Outcome::Opened, Reason::StormBegan).about(alert, Some(incident))
        }
    }
}

/// One more alert of an open incident.
fn join(draft: &mut Draft, new: &Arrival, incident: &IncidentId) {
    let Arrival { routed, key, service, severity, said, raised, alert: _ } = new;
    let was_covered = draft.incident(incident).is_some_and(Incident::is_covered);
    if draft.incident(incident).is_some_and(|row| row.service != service.id && !row.response.services.contains(&service.id)) {
        draft.record(incident, &Actor::Reveille, What::ServiceInvolved { service: service.id.clone() });
    }
    let sender = Actor::Integration(key.integration.clone());
    let joined = What::AlertsJoined { count: 1, titles: vec![routed.signal.title.clone()] };
    draft.record(incident, &sender, relevance::told(draft, incident, key, joined));
    silence::settle(draft, incident, was_covered, Reason::OthersFire);
    if relevance::is_noise(draft, incident, key) {
        // Nor does it for being new or rising.
        relevance::raise(draft, incident, *said, key);
        return;
    }
    let is_worse = draft.incident(incident).is_some_and(|row| *severity > row.severity && !row.response.severity_by_hand);
    let raised = raised.filter(|_| is_worse);
    novelty::tell(draft, incident, key, &routed.signal.title, raised);
    match raised {
        Some(reason) => severity::raise_because(draft, incident, *severity, &Actor::Reveille, reason),
        None => severity::raise(draft, incident, *severity, &key.integration),
    }
}

/// A new incident, which nobody is paged for yet.
fn open(draft: &mut Draft, new: &Arrival, group: Option<Group>, title: String) -> IncidentId {
    let Arrival { routed, key, service, severity, said: _, raised: _, alert } = *new;
    let incident = IncidentId::make(&mut draft.moment.ids);
    let opened = What::IncidentOpened { service: service.id.clone(), title, severity, alert: alert.clone(), group };
    draft.record(&incident, &Actor::Integration(key.integration.clone()), opened);
    if let Some(Taken { rule, because }) = routed.taken.clone() {
        draft.record(&incident, &Actor::Reveille, What::IncidentRouted { rule, because, policy: routed.policy.clone() });
    }
    incident
}

fn start(draft: &mut Draft, new: &Arrival, incident: &IncidentId) {
    novelty::tell(draft, incident, new.key, &new.routed.signal.title, new.raised);
    severity::want_room(draft, incident, Reason::IncidentOpened);
    // Before it pages: whoever is called for a symptom already is called on, and not twice.
    merge::take_symptoms(draft, incident, new.service);
    if draft.incident(incident).is_some_and(|incident| incident.run.is_none()) {
        escalation::start(draft, incident, new.raised.unwrap_or(Reason::IncidentOpened));
    }
}

/// Calls `each` for whatever may open an incident of a service when these signals, or these keys alone, are decided. The keys are as they
/// are stored.
pub(super) fn may_open(setup: &Setup, signals: &[&Routed], keys: &BTreeMap<Key, KeyState>, mut each: impl FnMut(&Service, &Routed)) {
    // An alert that has no incident joins one of the service that it began with, by what it is now or by what it was.
    let houseless = |key: &Key| keys.get(key).and_then(|state| state.alert.as_ref()).filter(|alert| alert.incident.is_none());
    // One that only records begins with the service of this signal, and may have to join there by what the next one says.
    let mut services: BTreeMap<(&IntegrationId, &str), BTreeSet<&ServiceId>> = BTreeMap::new();
    let mut opening = Vec::with_capacity(signals.len());
    for routed in signals {
        match routed.signal.action {
            Action::Trigger | Action::Unreadable(_) | Action::Remark(_) => {}
            Action::Resolve | Action::Acknowledge | Action::Change(_) | Action::Ignore(_) => continue,
        }
        let of_key = services.entry((&routed.signal.integration, &routed.signal.dedup_key)).or_default();
        of_key.insert(&routed.service);
        of_key.extend(houseless(&key_of(&routed.signal)).map(|alert| &alert.service));
        opening.push(routed);
    }
    for routed in opening {
        let of_key = services.get(&(&routed.signal.integration, routed.signal.dedup_key.as_str())).into_iter().flatten();
        of_key.filter_map(|id| setup.services.get(id)).for_each(|service| each(service, routed));
    }
    for alert in keys.keys().filter_map(houseless) {
        let routed = silence::taken_again(setup, alert);
        each(&silence::service_of(setup, alert, &routed), &routed);
    }
}

/// The open incident that a new alert of this service and this group joins now, and why: its own service's, else that of the nearest service
/// it depends on, whatever that one's groups are.
fn home(draft: &Draft, service: &Service, group: Option<&Group>) -> Option<(IncidentId, Reason)> {
    let newest = |service: &Service| draft.desk.newest.get(&service.id);
    let (own, reason) = match service.group_by {
        Some(_) => (draft.desk.groups.get(&(service.id.clone(), group.cloned())), Reason::SameGroup),
        None => (newest(service), Reason::JoinedGroup),
    };
    if let Some(own) = own.filter(|own| is_near(draft, service, own)) {
        return Some((own.clone(), reason));
    }
    // Every alert alone is what its operator asked for, whatever it depends on.
    if service.group_window == Span::ZERO {
        return None;
    }
    let causes = draft.setup.causes(&service.id).into_iter().skip(1).filter_map(|cause| draft.setup.services.get(&cause));
    let mut incidents = causes.filter_map(|cause| newest(cause).filter(|incident| is_near(draft, cause, incident)));
    incidents.next().map(|incident| (incident.clone(), Reason::SymptomOfCause))
}

/// Whether new alerts still join an incident of this service.
fn is_near(draft: &Draft, service: &Service, incident: &IncidentId) -> bool {
    let now = draft.now();
    draft.incident(incident).is_some_and(|incident| {
        incident.is_open()
            && service.group_window > Span::ZERO
            && now.since(incident.joined_at) <= service.group_window
            && now.since(incident.opened_at) <= limits::GROUP_LIFE
    })
}

/// What an alert that fires again will be, as far as that decides what holds it back.
fn as_now(alert: &Alert, signal: &Signal, said: AlertSeverity) -> Alert {
    let labels = if signal.labels.is_empty() { &alert.labels } else { &signal.labels };
    let title = title_of(signal, &alert.title).to_owned();
    Alert { title, labels: labels.clone(), severity: alert.severity.max(said), ..alert.clone() }
}

fn count(draft: &mut Draft, key: &Key, signal: &Signal, said: AlertSeverity) {
    let now = draft.now();
    novelty::tick(draft, key);
    if let Some(alert) = key_state(draft, key).alert.as_mut() {
        alert.count += 1;
        alert.last_at = now;
        alert.severity = alert.severity.max(said);
        alert.title = title_of(signal, &alert.title).to_owned();
        alert.ends_at = ends_at(signal, now);
        // What it is now is what silences look at, and not what it was when it began.
        if !signal.labels.is_empty() {
            alert.labels.clone_from(&signal.labels);
        }
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
        alert.hold = None;
    }
    flap::fired(draft, key);
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
mod tests;
