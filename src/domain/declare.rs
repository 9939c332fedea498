//! A person says that there is an incident, or makes one of an alert that was only recorded.

use super::alert::{Alert, AlertState, Key};
use super::command;
use super::decide::{Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::incident::Kind;
use super::input::Declare;
use super::reason::Reason;
use super::setup::{Setup, Severity};
use crate::base::id::{AlertId, IncidentId, ServiceId};

/// Opens the incident. It pages the policy of its service, without the one who declares; where nobody is paged by it, whoever
/// declares has it, and the verdict says so.
pub(super) fn declare(draft: &mut Draft, declare: &Declare) -> Verdict {
    let setup = draft.setup;
    if declare.service.as_ref().is_some_and(|service| !setup.services.contains_key(service)) {
        return Verdict::of(Outcome::Ignored, Reason::NoSuchService);
    }
    let promoted = match &declare.alert {
        None => None,
        Some(_) if declare.kind != Kind::Real => return Verdict::of(Outcome::Ignored, Reason::OnlyWhomItNames),
        Some(id) => match recorded(draft, id) {
            Ok(found) => Some(found),
            Err(verdict) => return verdict,
        },
    };
    let alert = promoted.as_ref().map(|(_, alert)| alert);
    let service = declare.service.clone().or_else(|| alert.map(|alert| alert.service.clone())).or_else(|| only(setup, declare.kind));
    let service = service.filter(|service| setup.services.contains_key(service));
    let own = alert.and_then(|alert| Some(setup.services.get(&alert.service)?.severity.of(alert.severity)));
    let own = own.filter(|severity| severity.urgency().is_some());
    let severity = declare.severity.or(own).unwrap_or(Severity::Sev2);
    let title = alert.filter(|_| declare.title.is_empty()).map_or_else(|| declare.title.clone(), |alert| alert.title.clone());

    let id = IncidentId::make(&mut draft.moment.ids);
    let reason = if promoted.is_some() { Reason::PromotedByHand } else { Reason::DeclaredByHand };
    let has_others = service.as_ref().is_some_and(|service| escalation::reaches_others(draft, service, declare.actor.user()));
    let pages = has_others && severity.urgency().is_some() && declare.kind == Kind::Real;
    let declared = What::IncidentDeclared { service, title, severity, kind: declare.kind, alert: declare.alert.clone() };
    draft.record(&id, &declare.actor, declared);
    // One person tries a phone: nobody else has to hear of it.
    if declare.kind != Kind::Test {
        draft.record(&id, &declare.actor, What::RoomWanted { reason });
    }
    let now = draft.now();
    if let Some(alert) = promoted.and_then(|(key, _)| draft.desk.keys.get_mut(&key)).and_then(|state| state.alert.as_mut()) {
        alert.incident = Some(id.clone());
        alert.fired_at = now;
        alert.hold = None;
    }
    let reason = if pages {
        escalation::start(draft, &id, reason);
        reason
    } else {
        command::take(draft, &id, &declare.actor);
        Reason::NobodyToPage
    };
    Verdict::of(Outcome::Opened, reason).about(declare.alert.clone(), Some(id))
}

/// The only service there is. A drill or a test is nobody's unless it says so.
fn only(setup: &Setup, kind: Kind) -> Option<ServiceId> {
    let mut services = setup.services.keys();
    match (kind, services.next(), services.next()) {
        (Kind::Real, Some(only), None) => Some(only.clone()),
        (Kind::Real | Kind::Drill | Kind::Test, _, _) => None,
    }
}

/// The alert to be promoted, if it is one that fires and has no incident.
fn recorded(draft: &Draft, id: &AlertId) -> Result<(Key, Alert), Verdict> {
    let found = draft.desk.keys.values().find_map(|state| state.alert.as_ref().filter(|alert| &alert.id == id));
    match found {
        None => Err(Verdict::of(Outcome::Ignored, Reason::NoSuchAlert)),
        Some(alert) if alert.incident.is_some() => {
            Err(Verdict::of(Outcome::Ignored, Reason::AlreadyIncident).about(Some(id.clone()), alert.incident.clone()))
        }
        Some(alert) if alert.state == AlertState::Suppressed => {
            Err(Verdict::of(Outcome::Ignored, Reason::Silenced).about(Some(id.clone()), None))
        }
        Some(alert) if alert.state != AlertState::Firing => {
            Err(Verdict::of(Outcome::Ignored, Reason::NotFiring).about(Some(id.clone()), None))
        }
        Some(alert) => Ok((alert.key.clone(), alert.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::incident::{IncidentState, Room};
    use super::super::input::{Act, Actor, Timer, Via, Whom};
    use super::super::setup::{AlertSeverity, Service};
    use super::super::trial::{Trial, step};
    use super::*;

    fn by(who: &str) -> Declare {
        Declare {
            actor: Actor::User(who.into()),
            via: Via::Web,
            title: "the checkout is slow".to_owned(),
            severity: None,
            service: None,
            kind: Kind::Real,
            alert: None,
        }
    }

    #[test]
    fn what_is_declared_is_sev2_with_a_room_and_pages_the_policy_of_the_only_service() {
        let mut night = Trial::new();
        let verdict = night.declares(&by("cy"));
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Opened, Reason::DeclaredByHand));
        let incident = night.incident();
        assert_eq!((incident.severity, incident.service.as_str(), &incident.response.room), (Severity::Sev2, "api", &Room::Wanted));
        assert_eq!(incident.response.declared_by, Some(Actor::User("cy".into())));
        night.until(300);
        night.has_rung(&[(0, "ana", false), (120, "ana", true), (300, "bo", false)]);
    }

    #[test]
    fn the_one_who_declares_is_not_called_by_it() {
        // The steps, by their people; who declares; who rings in the first twenty minutes.
        for (steps, who, rung, skipped) in [
            (vec![vec!["ana"], vec!["bo"]], "ana", vec![(0, "bo"), (300, "bo"), (300, "cy")], 1),
            (vec![vec!["ana", "bo"]], "ana", vec![(0, "bo"), (300, "bo"), (300, "cy")], 0),
            (vec![vec!["everyone"]], "cy", vec![(0, "ana"), (0, "bo"), (300, "ana"), (300, "bo")], 0),
            (vec![vec!["ana"]], "ana", vec![(0, "bo"), (0, "cy")], 1),
        ] {
            let steps = steps.iter().map(|people| step(people, Some(5))).collect();
            let mut night = Trial::new().steps(steps, 0);
            night.declares(&by(who));
            night.until(890);
            let mut first: Vec<(i64, String)> = night.calls().into_iter().filter(|call| !call.2).map(|call| (call.0, call.1)).collect();
            first.sort();
            assert_eq!(first, rung.iter().map(|(at, who)| (*at, (*who).to_owned())).collect::<Vec<_>>(), "{who}");
            assert_eq!(night.count("step_skipped"), skipped);
        }
    }

    #[test]
    fn who_declared_and_fell_asleep_is_called_when_the_acknowledgement_lapses() {
        let mut night = Trial::new();
        night.declares(&by("ana"));
        night.until(0);
        night.asks("ana", Act::Acknowledge);
        night.until(1_800);
        assert_eq!(night.calls().last(), Some(&(1_800, "ana".to_owned(), false)));
    }

    #[test]
    fn without_a_service_to_take_it_is_the_declarers_until_they_give_no_sign_of_life() {
        let mut night = Trial::new();
        night.setup.services.insert("shop".into(), Service::new("shop".into(), "nights".into()));
        let verdict = night.declares(&by("cy"));
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Opened, Reason::NobodyToPage));
        let incident = night.incident();
        assert_eq!((incident.state, incident.has_service()), (IncidentState::Acknowledged, false));
        assert_eq!((&incident.acknowledged_by, &incident.response.room), (&Some(Actor::User("cy".into())), &Room::Wanted));
        night.until(1_799);
        assert_eq!(night.calls(), []);
        // It has no policy that could start, so nobody less than everyone is woken.
        night.until(1_800);
        assert_eq!((night.calls().len(), night.count("paged_wider")), (3, 1));
        // One of several may be named.
        let named = night.declares(&Declare { service: Some("shop".into()), ..by("cy") });
        assert_eq!(named.reason, Reason::DeclaredByHand);
        let unknown = night.declares(&Declare { service: Some("nowhere".into()), ..by("cy") });
        assert_eq!((unknown.outcome, unknown.reason, unknown.incident), (Outcome::Ignored, Reason::NoSuchService, None));
    }

    #[test]
    fn who_is_alone_and_declares_has_it() {
        let mut night = Trial::new();
        night.setup.users.retain(|id, _| id.as_str() == "ana");
        assert_eq!(night.declares(&by("ana")).reason, Reason::NobodyToPage);
        assert_eq!(night.timeline(), ["incident_declared", "room_wanted", "incident_acknowledged"]);
        night.until(1_799);
        assert_eq!(night.calls(), []);
        night.until(1_800);
        night.has_rung(&[(1_800, "ana", false)]);
        // A script wakes the only one there is.
        let mut scripted = Trial::new();
        scripted.setup.users.retain(|id, _| id.as_str() == "ana");
        assert_eq!(scripted.declares(&Declare { actor: Actor::Token("cron".to_owned()), ..by("ana") }).reason, Reason::DeclaredByHand);
        scripted.until(0);
        scripted.has_rung(&[(0, "ana", false)]);
    }

    #[test]
    fn who_declared_is_called_when_nobody_else_is_left() {
        let mut night = Trial::new().steps(vec![step(&["bo"], Some(5))], 0);
        night.declares(&by("ana"));
        night.until(10);
        night.setup.users.retain(|id, _| id.as_str() == "ana");
        night.until(300);
        night.has_rung(&[(0, "bo", false), (300, "ana", false)]);
    }

    #[test]
    fn the_severity_that_is_said_pages_as_it_does() {
        for (severity, urgent, state) in [
            (Severity::Sev1, true, IncidentState::Triggered),
            (Severity::Sev3, false, IncidentState::Triggered),
            (Severity::Sev4, false, IncidentState::Acknowledged),
        ] {
            let mut night = Trial::new();
            night.declares(&Declare { severity: Some(severity), ..by("cy") });
            night.until(3_000);
            assert_eq!((night.incident().state, night.incident().severity), (state, severity));
            assert_eq!(!night.calls().is_empty(), urgent, "{severity:?}");
            assert_eq!(night.count("room_wanted"), 1);
        }
    }

    #[test]
    fn a_drill_or_a_test_pages_only_whom_it_names_and_joins_nothing() {
        for kind in [Kind::Drill, Kind::Test] {
            let mut night = Trial::new();
            let verdict = night.declares(&Declare { kind, service: Some("api".into()), ..by("ana") });
            assert_eq!((verdict.reason, night.incident().state), (Reason::NobodyToPage, IncidentState::Acknowledged));
            let drill = night.incident().id.clone();
            // A test pages the very one who asks for it.
            night.asks("ana", Act::Page { whom: Whom::User("ana".into()) });
            night.until(10);
            night.has_rung(&[(0, "ana", false)]);
            assert_eq!(night.asks("ana", Act::Acknowledge).outcome, Outcome::Acknowledged);
            assert_eq!(night.asks("ana", Act::Escalate).reason, Reason::OnlyWhomItNames);
            assert_eq!(night.asks("ana", Act::Reassign { to: "cy".into() }).reason, Reason::Reassigned);
            night.until(20);
            night.has_rung(&[(0, "ana", false), (10, "cy", false)]);
            assert_eq!(night.fires("db").outcome, Outcome::Opened, "an alert does not join it");
            let real = night.incident().id.clone();
            night.asks_on("ana", Act::Resolve, &real);
            night.until(10_000);
            assert_eq!(night.incidents[&drill].alerts_count, 0);
            assert!(!night.calls().iter().any(|(_, who, _)| who == "bo"), "no policy and nobody wider");
            assert!(!night.timers.keys().any(|(_, timer)| *timer == Timer::Lapse));
        }
    }

    #[test]
    fn a_recorded_alert_is_promoted_and_its_later_signals_count_there() {
        let mut night = Trial::new();
        let alert = night.fires_as("disk", AlertSeverity::Info).alert;
        let promotion = Declare { alert: alert.clone(), title: String::new(), ..by("ana") };
        let verdict = night.declares(&promotion);
        assert_eq!((verdict.outcome, verdict.reason, &verdict.alert), (Outcome::Opened, Reason::PromotedByHand, &alert));
        let incident = night.incident();
        assert_eq!((incident.title.as_str(), incident.severity, incident.alerts_count), ("disk is down", Severity::Sev2, 1));
        night.until(0);
        night.has_rung(&[(0, "bo", false)]);
        let id = night.incident().id.clone();
        let again = night.fires_as("disk", AlertSeverity::Info);
        assert_eq!((again.outcome, again.incident), (Outcome::Repeated, Some(id.clone())));
        assert_eq!(night.declares(&promotion).reason, Reason::AlreadyIncident);
        // Beside another alert of the incident it ends and comes back there, quiet as it is.
        night.fires("db");
        night.resolves("disk");
        let back = night.fires_as("disk", AlertSeverity::Info);
        assert_eq!((back.outcome, back.incident), (Outcome::Reopened, Some(id)));
        assert_eq!((night.incident().alerts_count, night.incident().firing_count), (2, 2));
        night.resolves("disk");
        night.resolves("db");
        assert_eq!(night.incident().state, IncidentState::Resolved);
    }

    #[test]
    fn what_cannot_be_promoted_says_why() {
        let mut night = Trial::new();
        let over = night.fires_as("disk", AlertSeverity::Info).alert;
        night.resolves("disk");
        for (alert, kind, reason) in [
            (over.clone(), Kind::Real, Reason::NotFiring),
            (over, Kind::Drill, Reason::OnlyWhomItNames),
            (Some(AlertId::from_text("alr_none")), Kind::Real, Reason::NoSuchAlert),
        ] {
            let verdict = night.declares(&Declare { kind, alert, ..by("ana") });
            assert_eq!((verdict.outcome, verdict.reason), (Outcome::Ignored, reason));
        }
        assert!(night.incidents.is_empty());
    }
}
