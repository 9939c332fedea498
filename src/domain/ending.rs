//! How an alert ends: by its sender's word, past the time its sender gave it, or by age; and its incident with the last of them.

use super::alert::{AlertState, Hold, Key, OVERFLOW_KEY};
use super::decide::{Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::incident::Incident;
use super::input::{Actor, Expiry};
use super::reason::Reason;
use super::setup::ResolveMode;
use super::{relevance, silence};
use crate::base::id::{AlertId, IncidentId};
use crate::base::time::Span;

/// What ends an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Sender,
    /// Its sender's word, which was not believed before it had been steady for a while.
    Steady,
    /// Its time has passed; `reason` says which.
    Clock {
        reason: Reason,
        integration_silent: bool,
    },
}

/// Ends the key's alert if it fires, and its incident if that was the last.
pub(super) fn close(draft: &mut Draft, key: &Key, by: By) -> Option<(AlertId, Option<IncidentId>)> {
    let now = draft.now();
    let alert = draft.desk.keys.get(key)?.alert.as_ref()?;
    let incident = draft.desk.home_of(alert);
    if !draft.desk.holds(alert) {
        return None;
    }
    let silenced = i64::from(alert.state == AlertState::Suppressed);
    let (id, title) = (alert.id.clone(), alert.title.clone());
    if let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) {
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(now);
        alert.hold = match alert.hold {
            Some(Hold::Quiet { .. }) => Some(Hold::Passed),
            Some(Hold::Passed | Hold::Flapping { .. }) | None => None,
        };
        if by == By::Sender {
            alert.last_at = now;
        }
    }
    if let Some(incident) = &incident {
        let actor = match by {
            By::Sender | By::Steady => Actor::Integration(key.integration.clone()),
            By::Clock { .. } => Actor::Reveille,
        };
        let was_covered = draft.incident(incident).is_some_and(Incident::is_covered);
        let resolved = What::AlertsResolved { count: 1, titles: vec![title], silenced };
        draft.record(incident, &actor, relevance::told(draft, incident, key, resolved));
        if draft.incident(incident).is_some_and(|incident| incident.is_open() && incident.firing_count <= 0) {
            match by {
                By::Sender => last_is_over(draft, incident, &actor, Reason::AllAlertsResolved),
                By::Steady => last_is_over(draft, incident, &actor, Reason::SteadyAgain),
                // Silence is no all-clear: it stays as it is.
                By::Clock { integration_silent: true, .. } => {
                    draft.record(incident, &actor, What::IntegrationWentSilent { integration: key.integration.clone() });
                }
                By::Clock { reason, integration_silent: false } => last_is_over(draft, incident, &actor, reason),
            }
        } else {
            silence::settle(draft, incident, was_covered, Reason::SilenceEnded);
        }
    }
    Some((id, incident))
}

/// Its last alert is over: it is resolved, or somebody is asked.
pub(super) fn last_is_over(draft: &mut Draft, id: &IncidentId, actor: &Actor, reason: Reason) {
    let service = draft.incident(id).and_then(|incident| draft.setup.services.get(&incident.service));
    match service.map_or(ResolveMode::Auto, |service| service.resolve) {
        ResolveMode::Auto => escalation::resolve(draft, id, actor, reason, None),
        ResolveMode::Ask => {
            if draft.incident(id).is_some_and(|incident| !incident.response.resolve_asked) {
                draft.record(id, actor, What::ResolveAsked { reason });
            }
        }
    }
}

/// An alert's time may be over. Whoever asks has looked in an index; here it is decided.
pub(super) fn expire(draft: &mut Draft, expiry: &Expiry) -> Verdict {
    let now = draft.now();
    let Some(alert) = draft.desk.keys.get(&expiry.key).and_then(|state| state.alert.as_ref()) else { return Verdict::nothing() };
    if alert.state == AlertState::Resolved {
        return Verdict::nothing();
    }
    let close_after = draft.setup.services.get(&alert.service).and_then(|service| service.close_after);
    let by = if let Some(ends_at) = alert.ends_at.filter(|ends_at| *ends_at <= now) {
        // A sender that is well tells of something, this alert or others, long before what it told last has run out.
        let half = alert.last_at + Span(ends_at.since(alert.last_at).0 / 2);
        // Where an integration sent too much, its silence is the end of that.
        let is_flood = expiry.key.dedup_key == OVERFLOW_KEY;
        let integration_silent = !is_flood && expiry.heard_at.is_none_or(|heard_at| heard_at < half);
        By::Clock { reason: if is_flood { Reason::FloodOver } else { Reason::Expired }, integration_silent }
    } else if close_after.is_some_and(|after| alert.last_at + after <= now) {
        By::Clock { reason: Reason::ClosedByAge, integration_silent: false }
    } else {
        return Verdict::nothing();
    };
    let reason = match by {
        By::Clock { reason, .. } => reason,
        By::Sender => Reason::ConditionOver,
        By::Steady => Reason::SteadyAgain,
    };
    if let Some((alert, incident)) = close(draft, &expiry.key, by) {
        return Verdict::of(Outcome::Resolved, reason).about(Some(alert), incident);
    }
    // It was over with its incident; now its own row says so too, and nobody has to look at it again.
    if let Some(alert) = draft.desk.keys.get_mut(&expiry.key).and_then(|state| state.alert.as_mut()) {
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(now);
    }
    Verdict::of(Outcome::Ignored, Reason::NotFiring)
}

#[cfg(test)]
mod tests {
    use super::super::incident::IncidentState;
    use super::super::input::Act;
    use super::super::trial::Trial;
    use super::*;

    #[test]
    fn an_alert_closes_by_age_to_the_second_and_its_incident_with_the_last() {
        let mut night = Trial::new();
        night.service().close_after = Some(Span::minutes(5));
        night.fires("db");
        night.until(100);
        night.fires("web");
        night.until(200);
        night.fires("db");
        for (second, key, outcome) in
            [(399, "web", Outcome::Ignored), (400, "web", Outcome::Resolved), (499, "db", Outcome::Ignored), (500, "db", Outcome::Resolved)]
        {
            night.until(second);
            assert_eq!(night.expires(key, Some(second)).outcome, outcome, "{key} at {second}");
        }
        assert_eq!(night.incident().state, IncidentState::Resolved);
        let reason = |fact: &super::super::fact::Fact| match &fact.what {
            What::IncidentResolved { reason } => Some(*reason),
            _ => None,
        };
        assert_eq!(night.facts.iter().filter_map(reason).collect::<Vec<_>>(), [Reason::ClosedByAge]);
        assert_eq!(night.fires("db").reason, Reason::FiredAgain);
    }

    #[test]
    fn off_by_default_nothing_closes_by_age() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Snooze { until: Trial::time(600_000) });
        night.until(600_000);
        assert_eq!(night.expires("db", None), Verdict::nothing());
        assert!(night.incident().is_open());
    }

    #[test]
    fn past_its_senders_end_an_alert_expires_unless_the_whole_integration_went_silent() {
        // When anything was last heard of the integration; whether the incident stays open.
        for (heard_at, silent) in [(Some(0), true), (Some(119), true), (Some(120), false), (Some(239), false), (None, true)] {
            let mut night = Trial::new();
            night.fires_until("db", 240);
            night.until(239);
            assert_eq!(night.expires("db", heard_at), Verdict::nothing());
            night.until(240);
            let verdict = night.expires("db", heard_at);
            assert_eq!((verdict.outcome, verdict.reason), (Outcome::Resolved, Reason::Expired));
            assert_eq!(night.incident().is_open(), silent, "{heard_at:?}");
            assert_eq!(night.count("integration_went_silent"), usize::from(silent));
            assert_eq!((night.incident().firing_count, night.count("alerts_resolved")), (0, 1));
            assert_eq!(night.expires("db", heard_at), Verdict::nothing(), "once");
        }
    }

    #[test]
    fn a_sender_that_repeats_itself_moves_the_end() {
        let mut night = Trial::new();
        night.fires_until("db", 240);
        night.until(60);
        night.fires_until("db", 300);
        night.until(240);
        assert_eq!(night.expires("db", Some(60)), Verdict::nothing());
        // One that names no end any more has none.
        night.fires("db");
        night.until(9_000);
        assert_eq!(night.expires("db", Some(240)), Verdict::nothing());
    }

    #[test]
    fn where_a_person_is_to_say_so_the_last_alert_asks_and_a_return_takes_it_back() {
        let mut night = Trial::new();
        night.service().resolve = ResolveMode::Ask;
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.until(60);
        night.resolves("db");
        assert_eq!((night.incident().state, night.incident().response.resolve_asked), (IncidentState::Acknowledged, true));
        night.until(90);
        night.fires("db");
        assert!(!night.incident().response.resolve_asked);
        assert_eq!(night.incident().state, IncidentState::Acknowledged, "it never was over");
        night.until(120);
        night.resolves("db");
        assert_eq!(night.seconds_of("resolve_asked"), [60, 120]);
        assert_eq!(night.asks("ana", Act::Resolve).outcome, Outcome::Resolved);
        assert!(!night.incident().response.resolve_asked);

        let mut aged = Trial::new();
        aged.service().resolve = ResolveMode::Ask;
        aged.service().close_after = Some(Span::minutes(5));
        aged.fires("db");
        aged.until(300);
        aged.expires("db", Some(0));
        assert_eq!((aged.incident().is_open(), aged.count("resolve_asked")), (true, 1));
    }

    #[test]
    fn what_ended_with_its_incident_is_written_down_without_a_word() {
        let mut night = Trial::new();
        night.service().close_after = Some(Span::minutes(5));
        night.fires("db");
        night.asks("ana", Act::Resolve);
        night.until(300);
        let facts = night.facts.len();
        assert_eq!(night.expires("db", None).reason, Reason::NotFiring);
        assert_eq!(night.facts.len(), facts);
        assert_eq!(
            night.keys.values().filter_map(|key| key.alert.as_ref()).map(|alert| alert.state).collect::<Vec<_>>(),
            [AlertState::Resolved]
        );
    }
}
