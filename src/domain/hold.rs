//! What an alert is held for: to see whether it passes by itself (`quiet_for`), or until it is steady. The clock ends both, and what is
//! waited for rests beside the alert, so that no restart forgets it.

use super::alert::{AlertState, Hold, Key};
use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::input::Actor;
use super::reason::Reason;
use super::routing::Routed;
use super::setup::{Service, Severity};
use super::{flap, grouping, silence};
use crate::base::id::{AlertId, IncidentId};
use crate::base::time::Span;

/// Houses an alert that has no incident yet, or waits to see whether it passes by itself.
pub(super) fn house(draft: &mut Draft, routed: &Routed, key: &Key, service: &Service, severity: Severity, alert: &AlertId) -> Verdict {
    if let Some(outcome) = wait(draft, key, service, severity) {
        return Verdict::of(outcome, Reason::WaitsToPass).about(Some(alert.clone()), None);
    }
    housed(draft, routed, key, service, severity, alert)
}

fn housed(draft: &mut Draft, routed: &Routed, key: &Key, service: &Service, severity: Severity, alert: &AlertId) -> Verdict {
    let verdict = grouping::house(draft, routed, key, service, severity, alert);
    if let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) {
        alert.hold = None;
    }
    flap::see(draft, key);
    verdict
}

/// `Some`: its service gives it time to pass by itself, and it has not fired for so long yet. It never gives that time to the worst, nor
/// to what comes and goes: that has had its time.
fn wait(draft: &mut Draft, key: &Key, service: &Service, severity: Severity) -> Option<Outcome> {
    if service.quiet_for == Span::ZERO || severity == Severity::Sev1 || flap::is_unsteady(draft, key) {
        return None;
    }
    let now = draft.now();
    let alert = draft.desk.keys.get_mut(key)?.alert.as_mut()?;
    let until = alert.fired_at + service.quiet_for;
    if until <= now {
        return None;
    }
    match alert.hold.replace(Hold::Quiet { until }) {
        // A repeat starts no wait of its own.
        Some(Hold::Quiet { .. }) => Some(Outcome::Repeated),
        Some(Hold::Passed | Hold::Flapping { .. }) | None => Some(Outcome::Recorded),
    }
}

/// What an alert was held for may be over. Whoever asks has looked in an index; here it is decided.
pub(super) fn end(draft: &mut Draft, key: &Key) -> Verdict {
    let now = draft.now();
    let Some(alert) = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()) else { return Verdict::nothing() };
    if !draft.desk.holds(alert) {
        // It ended with its incident: nothing is waited for.
        release(draft, key);
        return Verdict::nothing();
    }
    match alert.hold {
        Some(Hold::Flapping { .. }) => flap::end(draft, key),
        Some(Hold::Quiet { until }) if until <= now => stayed(draft, key),
        Some(Hold::Quiet { .. } | Hold::Passed) | None => Verdict::nothing(),
    }
}

fn release(draft: &mut Draft, key: &Key) {
    if let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) {
        alert.hold = alert.hold.filter(|hold| *hold == Hold::Passed);
    }
}

/// It has not passed by itself: now it is an alert like any other.
fn stayed(draft: &mut Draft, key: &Key) -> Verdict {
    let now = draft.now();
    let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) else { return Verdict::nothing() };
    alert.hold = None;
    if alert.state != AlertState::Firing {
        // A silence covers it, and whoever ends that sees to it.
        return Verdict::nothing();
    }
    let (alert, waited) = (alert.clone(), now.since(alert.fired_at));
    let verdict = silence::house_again(draft, &alert);
    if let Some(incident) = &verdict.incident {
        draft.record(incident, &Actor::Reveille, What::AlertsWaited { count: 1, titles: vec![alert.title], waited });
    }
    verdict
}

/// Whether nobody was called yet, to see whether it passes by itself.
pub(super) fn is_waited_for(draft: &Draft, key: &Key) -> bool {
    let hold = draft.desk.keys.get(key).and_then(|state| state.alert.as_ref()).and_then(|alert| alert.hold);
    matches!(hold, Some(Hold::Quiet { .. }))
}

/// A silence covers it: whether it passes meanwhile is seen when that ends.
pub(super) fn give_up(draft: &mut Draft, key: &Key) {
    if is_waited_for(draft, key)
        && let Some(alert) = draft.desk.keys.get_mut(key).and_then(|state| state.alert.as_mut())
    {
        alert.hold = None;
    }
}

/// Somebody has it: it needs its incident now, and nobody waits any longer to see whether it passes.
pub(super) fn house_at_once(draft: &mut Draft, key: &Key) -> Option<IncidentId> {
    if !is_waited_for(draft, key) {
        return None;
    }
    let alert = draft.desk.keys.get(key)?.alert.clone()?;
    let (routed, service, worth) = silence::worth_again(draft.setup, &alert);
    worth.urgency()?;
    housed(draft, &routed, key, &service, worth, &alert.id).incident
}

#[cfg(test)]
mod tests {
    use super::super::incident::IncidentState;
    use super::super::input::{Act, Action};
    use super::super::setup::AlertSeverity;
    use super::super::trial::Trial;
    use super::*;

    /// A night whose service waits two minutes.
    fn quiet() -> Trial {
        let mut night = Trial::new();
        night.service().quiet_for = Span::minutes(2);
        night
    }

    fn became(verdict: &Verdict) -> (Outcome, Reason) {
        (verdict.outcome, verdict.reason)
    }

    #[test]
    fn what_passes_in_time_calls_nobody_and_is_listed_as_passed() {
        let mut night = quiet();
        assert_eq!(became(&night.fires("db")), (Outcome::Recorded, Reason::WaitsToPass));
        assert_eq!(night.alert("db").hold, Some(Hold::Quiet { until: Trial::time(120) }));
        night.until(119);
        assert_eq!(became(&night.resolves("db")), (Outcome::Resolved, Reason::PassedByItself));
        assert_eq!((night.alert("db").hold, night.alert("db").incident.clone()), (Some(Hold::Passed), None));
        night.until(1_000);
        assert_eq!(night.looks("db"), Verdict::nothing());
        assert_eq!((night.incidents.len(), night.calls().len(), night.facts.len()), (0, 0, 0));
    }

    #[test]
    fn what_stays_calls_when_it_has_fired_for_so_long_and_a_repeat_does_not_start_anew() {
        let mut night = quiet();
        night.fires("db");
        night.until(90);
        assert_eq!(became(&night.fires("db")), (Outcome::Repeated, Reason::WaitsToPass));
        night.until(119);
        assert_eq!(night.looks("db"), Verdict::nothing());
        night.until(120);
        let verdict = night.looks("db");
        assert_eq!(became(&verdict), (Outcome::Opened, Reason::NewCondition));
        assert_eq!(night.count("alerts_waited"), 1);
        night.until(121);
        night.has_rung(&[(120, "ana", false)]);
        assert_eq!((night.alert("db").hold, night.alert("db").count), (None, 2));
        assert_eq!(night.looks("db"), Verdict::nothing(), "once");
        // Whoever comes late finds that the time is over.
        let mut late = quiet();
        late.fires("db");
        late.until(200);
        assert_eq!(became(&late.fires("db")), (Outcome::Opened, Reason::NewCondition));
    }

    #[test]
    fn the_worst_waits_for_nothing_and_a_raise_ends_the_wait() {
        let mut night = quiet();
        assert_eq!(night.fires_as("db", AlertSeverity::Critical).outcome, Outcome::Opened);
        let mut raised = quiet();
        raised.fires("db");
        raised.until(30);
        assert_eq!(raised.fires_as("db", AlertSeverity::Critical).outcome, Outcome::Opened);
        raised.until(30);
        raised.has_rung(&[(30, "ana", false)]);
        // What only recorded waits from when it began to fire.
        let mut recorded = quiet();
        recorded.fires_as("db", AlertSeverity::Info);
        recorded.until(30);
        assert_eq!(became(&recorded.fires("db")), (Outcome::Recorded, Reason::WaitsToPass));
        assert_eq!(recorded.alert("db").hold, Some(Hold::Quiet { until: Trial::time(120) }));
        recorded.until(120);
        assert_eq!(recorded.looks("db").outcome, Outcome::Opened);
    }

    #[test]
    fn an_incident_that_is_open_is_joined_after_the_wait() {
        let mut night = quiet();
        night.fires_as("web", AlertSeverity::Critical);
        night.until(10);
        assert_eq!(became(&night.fires("db")), (Outcome::Recorded, Reason::WaitsToPass));
        assert_eq!(night.incident().alerts_count, 1);
        night.until(130);
        assert_eq!(night.looks("db").outcome, Outcome::Folded);
        assert_eq!((night.incidents.len(), night.incident().alerts_count, night.incident().firing_count), (1, 2, 2));
    }

    #[test]
    fn an_acknowledge_at_its_sender_opens_its_incident_with_somebody_on_it() {
        let mut night = quiet();
        night.fires("db");
        night.until(30);
        let verdict = night.signal("db", Action::Acknowledge, None, None);
        assert_eq!(became(&verdict), (Outcome::Acknowledged, Reason::AcknowledgedAtSender));
        night.until(600);
        assert_eq!((night.incident().state, night.calls().len()), (IncidentState::Acknowledged, 0));
        assert_eq!(night.looks("db"), Verdict::nothing());
        assert_eq!(night.resolves("db").reason, Reason::ConditionOver);
        assert!(!night.incident().is_open());
    }

    #[test]
    fn a_silence_that_begins_meanwhile_has_the_last_word() {
        let mut night = quiet();
        night.fires("db");
        night.until(30);
        night.silences("db.*", 30, 600);
        night.until(120);
        assert_eq!(night.looks("db"), Verdict::nothing());
        assert_eq!((night.alert("db").state, night.alert("db").hold), (AlertState::Suppressed, None));
        night.until(600);
        assert_eq!(night.covers()[0].outcome, Outcome::Opened, "it has fired for longer than two minutes");
        // One that ends within the wait gives it back.
        let mut short = quiet();
        short.silences("db.*", 0, 60);
        short.fires("db");
        short.until(60);
        assert_eq!(became(&short.covers()[0]), (Outcome::Recorded, Reason::WaitsToPass));
        short.until(120);
        assert_eq!(short.looks("db").outcome, Outcome::Opened);
    }

    #[test]
    fn a_person_needs_not_wait() {
        let mut night = quiet();
        let alert = night.fires("db").alert;
        let declare = super::super::input::Declare {
            actor: Actor::User("ana".into()),
            via: super::super::input::Via::Web,
            title: String::new(),
            severity: None,
            service: None,
            kind: super::super::incident::Kind::Real,
            alert,
        };
        assert_eq!(night.declares(&declare).reason, Reason::PromotedByHand);
        assert_eq!(night.alert("db").hold, None);
        night.until(120);
        assert_eq!((night.looks("db"), night.incidents.len()), (Verdict::nothing(), 1));
    }

    #[test]
    fn what_passes_and_comes_back_waits_again_until_it_comes_and_goes_too_often() {
        let mut night = quiet();
        let mut opened_at = None;
        for minute in 0..6 {
            night.until(minute * 180);
            let verdict = night.fires("db");
            if verdict.outcome == Outcome::Opened {
                opened_at = Some(minute);
                break;
            }
            assert_eq!(became(&verdict), (Outcome::Recorded, Reason::WaitsToPass));
            night.until(minute * 180 + 60);
            assert_eq!(night.resolves("db").reason, Reason::PassedByItself);
        }
        assert_eq!((opened_at, night.count("alerts_flapping"), night.incidents.len()), (Some(3), 1, 1));
        assert_eq!(night.alert("db").count, 7, "it was one alert all along");
        night.until(540);
        night.has_rung(&[(540, "ana", false)]);
    }

    #[test]
    fn the_wait_and_the_reopening_of_what_was_called_for_are_two_things() {
        let mut night = quiet();
        night.fires("db");
        night.until(120);
        night.looks("db");
        night.until(130);
        night.asks("ana", Act::Acknowledge);
        night.until(200);
        night.resolves("db");
        night.until(260);
        assert_eq!(night.fires("db").outcome, Outcome::Reopened, "somebody was called for it before");
    }
}
