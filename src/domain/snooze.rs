//! A snooze: acknowledged until a time, and paged again after it.

use super::decide::{Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::incident::IncidentState;
use super::input::{Actor, Timer};
use super::reason::Reason;
use crate::base::id::IncidentId;
use crate::base::limits;
use crate::base::time::Time;

/// Who snoozes has it, and nobody is asked for a sign of life until then.
pub(super) fn snooze(draft: &mut Draft, id: &IncidentId, state: IncidentState, actor: &Actor, until: Time) -> Verdict {
    let now = draft.now();
    match state {
        IncidentState::Resolved => return Verdict::of(Outcome::Ignored, Reason::AlreadyResolved),
        IncidentState::Triggered | IncidentState::Acknowledged => {}
    }
    if until <= now {
        return Verdict::of(Outcome::Ignored, Reason::SnoozePast);
    }
    if until.since(now) > limits::SNOOZE_LONGEST {
        return Verdict::of(Outcome::Ignored, Reason::SnoozeTooLong);
    }
    draft.record(id, actor, What::IncidentSnoozed { until });
    escalation::end_pages(draft, id, actor, Reason::Acknowledged);
    escalation::clear_timers(draft, id);
    // An acknowledgement ends at one time: with a lapse, or with the snooze.
    draft.set(id, Timer::Lapse, Some(until));
    Verdict::of(Outcome::Acknowledged, Reason::AskedFor)
}

/// The time has come, unless it was moved.
pub(super) fn end(draft: &mut Draft, id: &IncidentId, until: Time) -> Verdict {
    if until > draft.now() {
        draft.set(id, Timer::Lapse, Some(until));
        return Verdict::nothing();
    }
    draft.record(id, &Actor::Reveille, What::SnoozeEnded);
    escalation::start(draft, id, Reason::SnoozeEnded);
    Verdict::of(Outcome::Recorded, Reason::SnoozeEnded).about(None, Some(id.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::input::{Act, Action};
    use super::super::setup::AlertSeverity;
    use super::super::trial::Trial;
    use super::*;

    const DAY: i64 = 86_400;

    fn snoozes(night: &mut Trial, who: &str, second: i64) -> Verdict {
        night.asks(who, Act::Snooze { until: Trial::time(second) })
    }

    #[test]
    fn a_snooze_is_an_acknowledgement_until_a_time_to_the_second() {
        // Whether it was acknowledged before, and until when it is snoozed: past every lapse, or shorter than one.
        for (acknowledged, until) in [(false, 60 + 7_200), (true, 60 + 7_200), (true, 60 + 300), (false, 60 + 7 * DAY)] {
            let mut night = Trial::new();
            night.fires("db");
            night.until(60);
            if acknowledged {
                night.asks("bo", Act::Acknowledge);
            }
            assert_eq!(snoozes(&mut night, "ana", until).outcome, Outcome::Acknowledged);
            let incident = night.incident();
            assert_eq!((incident.state, incident.pages.len(), incident.lapses_at), (IncidentState::Acknowledged, 0, None));
            assert_eq!(incident.acknowledged_by, Some(Actor::User("ana".into())), "who snoozes has it");
            assert_eq!(incident.acknowledged_at, Some(Trial::time(60)));
            let before = night.calls().len();
            night.until(until - 1);
            assert_eq!((night.incident().state, night.calls().len()), (IncidentState::Acknowledged, before), "nobody is called");
            night.until(until);
            assert_eq!(night.incident().state, IncidentState::Triggered);
            assert_eq!(night.seconds_of("snooze_ended"), [until]);
            assert_eq!(night.calls().last(), Some(&(until, "ana".to_owned(), false)), "from the first step");
            assert_eq!((night.count("acknowledgement_lapsed"), night.count("lapse_asked")), (0, 0));
            assert_eq!(night.incident().response.snoozed_until, None);
        }
    }

    #[test]
    fn what_cannot_be_snoozed_says_why() {
        let mut night = Trial::new();
        night.fires("db");
        night.until(60);
        for (until, reason) in [(60, Reason::SnoozePast), (0, Reason::SnoozePast), (61 + 7 * DAY, Reason::SnoozeTooLong)] {
            let verdict = snoozes(&mut night, "ana", until);
            assert_eq!((verdict.outcome, verdict.reason), (Outcome::Ignored, reason));
            assert_eq!(night.incident().state, IncidentState::Triggered);
        }
        night.asks("ana", Act::Resolve);
        assert_eq!(snoozes(&mut night, "ana", 600).reason, Reason::AlreadyResolved);
        assert_eq!(night.count("incident_snoozed"), 0);
    }

    #[test]
    fn a_second_snooze_moves_the_end_and_a_note_does_not() {
        let mut night = Trial::new();
        night.fires("db");
        snoozes(&mut night, "ana", 600);
        night.until(300);
        snoozes(&mut night, "bo", 1_200);
        night.asks("cy", Act::AddNote { text: "the vendor knows".to_owned(), at: None });
        assert_eq!(night.asks("cy", Act::Acknowledge).reason, Reason::AlreadyAcknowledged);
        night.until(1_199);
        assert_eq!(night.incident().acknowledged_by, Some(Actor::User("bo".into())));
        night.until(1_200);
        assert_eq!(night.seconds_of("snooze_ended"), [1_200]);
        assert_eq!(night.count("acknowledgement_renewed"), 0);
    }

    #[test]
    fn a_raise_or_the_end_of_its_alerts_ends_a_snooze_too() {
        let mut night = Trial::new();
        night.fires("db");
        snoozes(&mut night, "ana", 3_600);
        night.until(100);
        night.fires("web");
        assert_eq!(night.incident().state, IncidentState::Acknowledged, "a distinct alert tells the room");
        night.fires_as("disk", AlertSeverity::Critical);
        assert_eq!(night.incident().state, IncidentState::Triggered);
        night.until(3_600);
        assert_eq!(night.count("snooze_ended"), 0);

        let mut over = Trial::new();
        over.fires("db");
        snoozes(&mut over, "ana", 3_600);
        over.signal("db", Action::Resolve, None, None);
        over.until(4_000);
        assert_eq!((over.incident().state, over.count("snooze_ended")), (IncidentState::Resolved, 0));
    }

    #[test]
    fn a_quiet_incident_is_snoozed_quietly() {
        let mut night = Trial::new();
        night.fires_as("db", AlertSeverity::Warning);
        snoozes(&mut night, "ana", 2 * DAY);
        night.until(2 * DAY);
        assert_eq!((night.count("incident_reminded"), night.count("policy_started")), (0, 2));
        assert_eq!(night.calls(), []);
    }
}
