//! How bad an incident is: raised by its alerts, set by people, never lowered by itself.

use super::command;
use super::decide::{Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::incident::{IncidentState, Room};
use super::input::Actor;
use super::reason::Reason;
use super::setup::Severity;
use crate::base::id::{IncidentId, IntegrationId};

/// An incident has its alerts' highest severity; what makes it page louder, or pages again after an answer, starts the policy.
/// Where a person has set it, alerts change it no more.
pub(super) fn raise(draft: &mut Draft, id: &IncidentId, to: Severity, integration: &IntegrationId) {
    raise_because(draft, id, to, &Actor::Integration(integration.clone()), Reason::SeverityRaised);
}

/// As [`raise`], by whoever merged a worse incident into it.
pub(super) fn raise_by(draft: &mut Draft, id: &IncidentId, to: Severity, actor: &Actor) {
    raise_because(draft, id, to, actor, Reason::SeverityRaised);
}

/// As [`raise`], for a reason of its own.
pub(super) fn raise_because(draft: &mut Draft, id: &IncidentId, to: Severity, actor: &Actor, reason: Reason) {
    let Some(incident) = draft.incident(id) else { return };
    let from = incident.severity;
    if to <= from || !incident.is_open() || incident.response.severity_by_hand {
        return;
    }
    // What is silenced as a whole pages nobody, so nothing takes an answer away.
    let lapses = incident.state == IncidentState::Acknowledged && !incident.is_covered();
    let pages_again = lapses || incident.state == IncidentState::Triggered && from.urgency() < to.urgency();
    draft.record(id, actor, What::SeverityRaised { from, to });
    want_room(draft, id, reason);
    if pages_again {
        escalation::start(draft, id, reason);
    }
}

/// By hand it sticks. A raise leaves an answered incident answered, and its pages are offered, not sent; one that nobody has answered
/// pages as its new severity does.
pub(super) fn set(draft: &mut Draft, id: &IncidentId, actor: &Actor, to: Severity) -> Verdict {
    let Some(incident) = draft.incident(id) else { return Verdict::nothing() };
    let (from, state) = (incident.severity, incident.state);
    if from == to && incident.response.severity_by_hand {
        return Verdict::of(Outcome::Ignored, Reason::NothingToDecide);
    }
    draft.record(id, actor, What::SeverityChanged { from, to });
    if to > from && state != IncidentState::Resolved {
        want_room(draft, id, Reason::SeverityRaised);
    }
    match state {
        IncidentState::Triggered => repage(draft, id, actor, from, to),
        IncidentState::Acknowledged => {
            // Only what wakes people lapses, so the lapse comes or goes with the severity, whoever sets it.
            if from.urgency() != to.urgency() {
                command::renew(draft, id, actor);
            }
            command::sign_of_life(draft, id, actor);
            if to > from {
                return Verdict::of(Outcome::Recorded, Reason::RaisedByHand);
            }
        }
        IncidentState::Resolved => {}
    }
    Verdict::of(Outcome::Recorded, Reason::AskedFor)
}

/// What nobody has answered pages from the first step at its new urgency; what pages nobody stops.
fn repage(draft: &mut Draft, id: &IncidentId, actor: &Actor, from: Severity, to: Severity) {
    if from.urgency() == to.urgency() {
        return;
    }
    if from.urgency() < to.urgency() {
        escalation::start(draft, id, Reason::SeverityRaised);
        return;
    }
    escalation::end_pages(draft, id, actor, Reason::SeverityLowered);
    escalation::clear_timers(draft, id);
    escalation::start(draft, id, Reason::SeverityLowered);
}

/// Once, as soon as its severity is one that its service opens rooms for.
pub(super) fn want_room(draft: &mut Draft, id: &IncidentId, reason: Reason) {
    let Some(incident) = draft.incident(id) else { return };
    let room_at = draft.setup.services.get(&incident.service).and_then(|service| service.room_at);
    if incident.response.room == Room::None && room_at.is_some_and(|room_at| incident.severity >= room_at) {
        draft.record(id, &Actor::Reveille, What::RoomWanted { reason });
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::{Act, Timer};
    use super::super::setup::AlertSeverity;
    use super::super::trial::{Trial, step};
    use super::*;

    const DAY: i64 = 86_400;

    fn sets(night: &mut Trial, to: Severity) -> Verdict {
        night.asks("bo", Act::SetSeverity { to })
    }

    #[test]
    fn by_hand_it_sticks() {
        // Set by hand; then an alert of the other severity joins and the first one gets worse.
        for to in Severity::ALL {
            let mut night = Trial::new();
            night.fires("db");
            sets(&mut night, to);
            night.fires_as("web", AlertSeverity::Critical);
            night.fires_as("db", AlertSeverity::Critical);
            assert_eq!(night.incident().severity, to);
            assert_eq!(night.count("severity_raised"), 0);
        }
        let mut night = Trial::new();
        night.fires("db");
        assert_eq!(sets(&mut night, Severity::Sev2).outcome, Outcome::Recorded, "the same, and it sticks from now on");
        assert_eq!(sets(&mut night, Severity::Sev2).reason, Reason::NothingToDecide);
        night.fires_as("web", AlertSeverity::Critical);
        assert_eq!(night.incident().severity, Severity::Sev2);
    }

    #[test]
    fn a_raise_by_hand_leaves_it_acknowledged_and_offers_to_page() {
        let mut night = Trial::new();
        night.fires_as("db", AlertSeverity::Warning);
        night.asks("ana", Act::Acknowledge);
        night.until(60);
        assert_eq!(sets(&mut night, Severity::Sev1).reason, Reason::RaisedByHand);
        assert_eq!((night.incident().state, night.count("policy_started")), (IncidentState::Acknowledged, 1));
        // From now on it wakes people, so it lapses; nobody gives a sign of life.
        night.until(60 + 1_799);
        assert_eq!(night.calls(), []);
        night.until(60 + 1_800);
        assert_eq!(night.calls(), [(1_860, "ana".to_owned(), false)]);
    }

    #[test]
    fn what_nobody_has_answered_pages_as_its_new_severity_does() {
        let mut night = Trial::new();
        night.fires_as("db", AlertSeverity::Warning);
        night.until(100);
        sets(&mut night, Severity::Sev2);
        night.until(400);
        night.has_rung(&[(100, "ana", false), (220, "ana", true), (400, "bo", false)]);
        // Between the two that wake people, the policy runs on.
        let mut loud = Trial::new();
        loud.fires("db");
        loud.until(60);
        sets(&mut loud, Severity::Sev1);
        loud.until(300);
        loud.has_rung(&[(0, "ana", false), (120, "ana", true), (300, "bo", false)]);
    }

    #[test]
    fn lowered_by_hand_it_stops_calling() {
        for (to, policies, reminders) in [(Severity::Sev3, 2, 2), (Severity::Sev4, 1, 0)] {
            let mut night = Trial::new().steps(vec![step(&["ana"], Some(5)), step(&["bo"], Some(5))], 1);
            night.fires("db");
            night.until(10);
            sets(&mut night, to);
            night.until(10);
            assert_eq!(night.ended.len(), 1, "the call ends");
            night.until(2 * DAY + 10);
            assert_eq!(night.calls().len(), 1, "{to:?}");
            assert_eq!((night.count("policy_started"), night.count("incident_reminded")), (policies, reminders), "{to:?}");
            assert_eq!(night.incident().state, IncidentState::Triggered);
            assert_eq!(night.asks("ana", Act::Acknowledge).outcome, Outcome::Acknowledged);
            assert_eq!(night.incident().lapses_at, None);
            assert!(!night.timers.keys().any(|(_, timer)| *timer == Timer::Lapse));
        }
    }

    #[test]
    fn a_lowered_acknowledgement_lapses_no_more() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        sets(&mut night, Severity::Sev3);
        night.until(DAY);
        assert_eq!((night.incident().state, night.count("lapse_asked")), (IncidentState::Acknowledged, 0));
    }

    #[test]
    fn a_room_is_wanted_once_when_the_severity_reaches_it() {
        // At which severity, what fires, what joins; when a room is wanted.
        use AlertSeverity::{Critical, Error, Warning};
        for (room_at, first, second, wanted) in [
            (None, Critical, Critical, vec![]),
            (Some(Severity::Sev2), Error, Critical, vec![0]),
            (Some(Severity::Sev1), Error, Critical, vec![60]),
            (Some(Severity::Sev1), Error, Error, vec![]),
            (Some(Severity::Sev4), Warning, Critical, vec![0]),
        ] {
            let mut night = Trial::new();
            night.service().room_at = room_at;
            night.fires_as("db", first);
            night.until(60);
            night.fires_as("web", second);
            night.fires_as("disk", second);
            assert_eq!(night.seconds_of("room_wanted"), wanted, "{room_at:?} {first:?} {second:?}");
        }
        let mut night = Trial::new();
        night.service().room_at = Some(Severity::Sev1);
        night.fires("db");
        night.until(30);
        sets(&mut night, Severity::Sev1);
        sets(&mut night, Severity::Sev3);
        sets(&mut night, Severity::Sev1);
        assert_eq!(night.seconds_of("room_wanted"), [30]);
    }
}
