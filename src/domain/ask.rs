//! Somebody is asked for by hand: given the incident, or paged beside its policy.

use std::collections::BTreeSet;

use super::command;
use super::decide::{Draft, Outcome, Verdict};
use super::escalation::{self, Begin};
use super::fact::What;
use super::incident::{IncidentState, Kind};
use super::input::{Actor, Timer, Whom};
use super::reason::Reason;
use super::setup::{Step, Target, Urgency};
use crate::base::id::{IncidentId, PolicyId, UserId};
use crate::base::limits;

/// That person now, then the policy from its first step. Who gives it to themselves has answered.
pub(super) fn reassign(draft: &mut Draft, id: &IncidentId, state: IncidentState, actor: &Actor, to: &UserId) -> Verdict {
    let Some(incident) = draft.incident(id) else { return Verdict::nothing() };
    match state {
        IncidentState::Resolved => return Verdict::of(Outcome::Ignored, Reason::NotOpen),
        IncidentState::Triggered | IncidentState::Acknowledged => {}
    }
    if !draft.setup.users.contains_key(to) {
        return Verdict::of(Outcome::Ignored, Reason::NoSuchUser);
    }
    if actor.user() == Some(to) {
        return command::take_over(draft, id, actor);
    }
    let (kind, urgency) = (incident.kind, incident.severity.urgency().unwrap_or(Urgency::Low));
    draft.record(id, actor, What::IncidentReassigned { to: to.clone() });
    escalation::end_pages_but(draft, id, actor, Reason::Reassigned, Some(to));
    match kind {
        Kind::Real => {
            let policy = escalation::policy_of(draft, id);
            let first = Step { notify: vec![Target::User(to.clone())], escalate_after: Some(limits::REASSIGN_WAIT) };
            let begin = match policy {
                Some(policy) => Begin {
                    policy: policy.id.clone(),
                    steps: std::iter::once(first).chain(policy.steps.iter().cloned()).collect(),
                    repeat: policy.repeat,
                },
                None => Begin { policy: escalation::NO_POLICY.into(), steps: vec![first], repeat: 0 },
            };
            escalation::begin(draft, id, begin, urgency, Reason::Reassigned, None);
        }
        Kind::Drill | Kind::Test => {
            escalation::clear_timers(draft, id);
            escalation::page(draft, id, &BTreeSet::from([to.clone()]), urgency);
            go_on(draft, id);
        }
    }
    Verdict::of(Outcome::Recorded, Reason::Reassigned)
}

/// Pages people at once, with the rules of high urgency, and leaves the incident as it is: a running policy goes on, and one that is
/// acknowledged stays so. They are paged until somebody answers.
pub(super) fn page(draft: &mut Draft, id: &IncidentId, state: IncidentState, actor: &Actor, whom: &Whom) -> Verdict {
    match state {
        IncidentState::Resolved => return Verdict::of(Outcome::Ignored, Reason::NotOpen),
        IncidentState::Triggered | IncidentState::Acknowledged => {}
    }
    let users = match whom {
        Whom::User(user) if draft.setup.users.contains_key(user) => BTreeSet::from([user.clone()]),
        Whom::User(_) => return Verdict::of(Outcome::Ignored, Reason::NoSuchUser),
        Whom::Policy(policy) => match first_of(draft, id, policy, actor) {
            Some(users) => users,
            None => return Verdict::of(Outcome::Ignored, Reason::NoSuchPolicy),
        },
        Whom::Everyone => draft.setup.everyone().map(|user| user.id.clone()).filter(|user| Some(user) != actor.user()).collect(),
    };
    if users.is_empty() {
        return Verdict::of(Outcome::Ignored, Reason::NobodyInStep);
    }
    draft.record(id, actor, What::PageAsked { users: users.iter().cloned().collect() });
    escalation::page(draft, id, &users, Urgency::High);
    let goes_on = state == IncidentState::Triggered
        && draft
            .incident(id)
            .filter(|incident| !incident.response.is_hushed)
            .and_then(|incident| incident.run.as_ref())
            .is_some_and(|run| run.urgency == Urgency::High);
    if !goes_on {
        again_later(draft, id);
    }
    if state == IncidentState::Acknowledged {
        command::sign_of_life(draft, id, actor);
    }
    Verdict::of(Outcome::Recorded, Reason::PageAsked)
}

/// The people of the first step that has any but the one who asks; places on the way are told. `None`: there is no such policy.
fn first_of(draft: &mut Draft, id: &IncidentId, policy: &PolicyId, actor: &Actor) -> Option<BTreeSet<UserId>> {
    let setup = draft.setup;
    for step in &setup.policies.get(policy)?.steps {
        escalation::tell_places(draft, id, step, Reason::PageAsked);
        let mut users = escalation::people(step, setup, draft.now());
        users.retain(|user| Some(user) != actor.user());
        if !users.is_empty() {
            return Some(users);
        }
    }
    Some(BTreeSet::new())
}

/// No policy goes on while it is acknowledged, silenced or quiet, so those asked for are paged again by a timer of their own. A test is no emergency.
fn again_later(draft: &mut Draft, id: &IncidentId) {
    let is_test = draft.incident(id).is_some_and(|incident| incident.kind == Kind::Test);
    let due_at = (!is_test).then(|| draft.now() + limits::EXHAUSTED_EVERY);
    draft.set(id, Timer::Escalate, due_at);
}

/// Where people are being called and no policy would call them again, they are all the same.
pub(super) fn go_on(draft: &mut Draft, id: &IncidentId) {
    if draft.incident(id).is_some_and(|incident| incident.loud_pages().next().is_some()) {
        again_later(draft, id);
    }
}

/// Whoever was asked for and has not answered is paged again; pages of low urgency are the policy's own and stay quiet.
pub(super) fn again(draft: &mut Draft, id: &IncidentId) -> Verdict {
    let users: BTreeSet<UserId> =
        draft.incident(id).map(|incident| incident.loud_pages().map(|page| page.user.clone()).collect()).unwrap_or_default();
    if users.is_empty() {
        return Verdict::nothing();
    }
    draft.record(id, &Actor::Reveille, What::PageAsked { users: users.iter().cloned().collect() });
    escalation::page(draft, id, &users, Urgency::High);
    again_later(draft, id);
    Verdict::of(Outcome::Recorded, Reason::NobodyAnswered).about(None, Some(id.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::input::Act;
    use super::super::setup::AlertSeverity;
    use super::super::trial::{Trial, step};
    use super::*;
    use crate::base::time::Span;

    fn gives(night: &mut Trial, who: &str, to: &str) -> Verdict {
        night.asks(who, Act::Reassign { to: to.into() })
    }

    #[test]
    fn a_reassigned_incident_pages_that_person_and_after_5_minutes_the_policy() {
        for acknowledged in [false, true] {
            let mut night = Trial::new();
            night.fires("db");
            night.until(10);
            if acknowledged {
                night.asks("ana", Act::Acknowledge);
            }
            assert_eq!(gives(&mut night, "ana", "cy").reason, Reason::Reassigned);
            assert_eq!(night.incident().state, IncidentState::Triggered);
            assert_eq!(night.incident().pages.iter().map(|page| page.user.as_str()).collect::<Vec<_>>(), ["cy"]);
            night.until(310 + 300);
            night.has_rung(&[
                (0, "ana", false),
                (10, "cy", false),
                (130, "cy", true),
                (310, "ana", false),
                (430, "ana", true),
                (610, "bo", false),
            ]);
            night.until(910);
            assert_eq!(night.seconds_of("policy_exhausted"), [910]);
        }
    }

    #[test]
    fn a_page_that_rings_goes_on_when_it_is_given_to_its_person() {
        let mut night = Trial::new().steps(vec![step(&["ana", "bo"], Some(5))], 0);
        night.fires("db");
        night.until(10);
        gives(&mut night, "cy", "bo");
        assert_eq!((night.count("page_ended"), night.count("page_restarted"), night.count("page_opened")), (1, 1, 2));
        assert_eq!(night.ended.len(), 0);
        night.until(10);
        assert_eq!(night.ended.len(), 1, "only Ana's call ends");
    }

    #[test]
    fn what_cannot_be_given_says_why_and_who_takes_it_has_answered() {
        let mut night = Trial::new();
        night.fires("db");
        assert_eq!(gives(&mut night, "ana", "nobody").reason, Reason::NoSuchUser);
        assert_eq!(gives(&mut night, "bo", "bo").outcome, Outcome::Acknowledged);
        assert_eq!(night.incident().acknowledged_by, Some(Actor::User("bo".into())));
        night.asks("ana", Act::Resolve);
        assert_eq!(gives(&mut night, "ana", "bo").reason, Reason::NotOpen);
        assert_eq!(night.count("incident_reassigned"), 0);
    }

    #[test]
    fn a_policy_that_changes_meanwhile_does_not_change_what_was_given() {
        let mut night = Trial::new();
        night.fires("db");
        gives(&mut night, "ana", "cy");
        night.setup.policies.clear();
        night.until(300);
        assert_eq!(night.calls().last(), Some(&(300, "ana".to_owned(), false)));
    }

    #[test]
    fn a_quiet_incident_is_given_quietly() {
        let mut night = Trial::new();
        night.fires_as("db", AlertSeverity::Warning);
        gives(&mut night, "ana", "cy");
        night.until(86_400);
        assert_eq!(night.calls(), []);
        assert_eq!(night.incident().pages.iter().map(|page| page.user.as_str()).collect::<Vec<_>>(), ["cy"]);
        assert_eq!(night.count("incident_reminded"), 1);
    }

    #[test]
    fn those_asked_for_are_paged_until_somebody_answers_and_the_incident_stays_as_it_is() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.service().ack_lapse = None;
        night.asks("ana", Act::Acknowledge);
        night.until(60);
        assert_eq!(night.asks("ana", Act::Page { whom: Whom::User("cy".into()) }).reason, Reason::PageAsked);
        assert_eq!(night.incident().state, IncidentState::Acknowledged);
        night.until(960 + 119);
        night.has_rung(&[(60, "cy", false), (180, "cy", true), (960, "cy", false)]);
        assert_eq!(night.incident().acknowledged_by, Some(Actor::User("ana".into())));
        let verdict = night.asks("cy", Act::Acknowledge);
        assert_eq!((verdict.outcome, verdict.reason), (Outcome::Acknowledged, Reason::AlreadyAcknowledged));
        assert_eq!((night.incident().pages.len(), night.count("page_answered")), (0, 2));
        assert_eq!(night.incident().acknowledged_by, Some(Actor::User("ana".into())), "who has it, has it");
        night.until(10_000);
        assert_eq!(night.calls().len(), 3);
    }

    #[test]
    fn those_asked_for_on_a_quiet_incident_are_paged_until_somebody_answers_too() {
        for (severity, reminders) in [(AlertSeverity::Warning, 1), (AlertSeverity::Error, 0)] {
            let mut night = Trial::new();
            night.fires_as("db", severity);
            if severity == AlertSeverity::Error {
                // What pages nobody by itself.
                night.asks("ana", Act::SetSeverity { to: super::super::setup::Severity::Sev4 });
            }
            night.until(60);
            let before = night.calls().len();
            night.asks("bo", Act::Page { whom: Whom::User("cy".into()) });
            night.until(960 + 119);
            assert_eq!(
                night.calls()[before..],
                [(60, "cy".to_owned(), false), (180, "cy".to_owned(), true), (960, "cy".to_owned(), false)]
            );
            // A reminder in the quiet makes nobody's page quiet.
            night.until(86_400 + 1_000);
            assert_eq!(night.count("incident_reminded"), reminders);
            assert!(night.calls().iter().any(|(at, _, _)| *at > 86_400), "{severity:?}");
            assert!(night.calls().iter().all(|(at, contact, _)| *at < 60 || contact == "cy"), "nobody else");
            night.asks("cy", Act::Acknowledge);
            let before = night.calls().len();
            night.until(90_000);
            assert_eq!(night.calls().len(), before);
        }
    }

    #[test]
    fn whoever_was_asked_for_goes_on_being_called_whatever_the_quiet_policy_does() {
        use super::super::setup::Severity::{Sev3, Sev4};
        // From sev4 by hand to sev3, the end of a snooze, reopened in the quiet, or the next step: each starts or moves the quiet policy,
        // and Ana, who was asked for, is in its first step.
        type Turn = fn(&mut Trial);
        let raised: Turn = |night| {
            night.asks("bo", Act::SetSeverity { to: Sev4 });
            night.asks("bo", Act::Page { whom: Whom::User("ana".into()) });
            night.until(60);
            night.asks("bo", Act::SetSeverity { to: Sev3 });
        };
        let snoozed: Turn = |night| {
            night.asks("bo", Act::Snooze { until: Trial::time(60) });
            night.asks("bo", Act::Page { whom: Whom::User("ana".into()) });
            night.until(60);
        };
        let escalated: Turn = |night| {
            night.asks("bo", Act::Page { whom: Whom::User("ana".into()) });
            night.until(60);
            night.asks("bo", Act::Escalate);
        };
        let given: Turn = |night| {
            night.asks("bo", Act::Page { whom: Whom::User("ana".into()) });
            night.until(60);
            night.asks("bo", Act::Reassign { to: "ana".into() });
        };
        for (n, turn) in [raised, snoozed, escalated, given].into_iter().enumerate() {
            let mut night = Trial::new();
            night.fires_as("db", AlertSeverity::Warning);
            turn(&mut night);
            assert!(night.incident().page_of(&"ana".into()).is_some_and(|page| page.urgency == Urgency::High), "{n}");
            night.until(60 + 3 * 900);
            let chains: Vec<i64> = night.calls().iter().filter(|(_, _, again)| !again).map(|(at, _, _)| *at).collect();
            assert_eq!(chains.len(), 4, "{n}: {chains:?}");
            night.asks("ana", Act::Acknowledge);
            let before = night.calls().len();
            night.until(10_000);
            assert_eq!(night.calls().len(), before, "{n}");
        }
    }

    #[test]
    fn who_gives_it_to_themselves_has_it_from_now_on() {
        for snoozed in [false, true] {
            let mut night = Trial::new();
            night.fires("db");
            night.asks("ana", if snoozed { Act::Snooze { until: Trial::time(600) } } else { Act::Acknowledge });
            night.until(60);
            assert_eq!(gives(&mut night, "bo", "bo").outcome, Outcome::Acknowledged);
            let incident = night.incident();
            assert_eq!((&incident.acknowledged_by, incident.acknowledged_at), (&Some(Actor::User("bo".into())), Some(Trial::time(0))));
            assert_eq!((incident.response.snoozed_until, incident.lapses_at), (None, Some(Trial::time(60) + Span::minutes(30))));
            night.until(1_859);
            assert_eq!(night.incident().state, IncidentState::Acknowledged);
            night.until(1_860);
            assert_eq!(night.seconds_of("acknowledgement_lapsed"), [1_860]);
        }
    }

    #[test]
    fn a_drill_that_is_given_away_calls_until_somebody_answers() {
        let mut night = Trial::new();
        night.fires("db");
        let drill = super::super::input::Declare {
            actor: Actor::User("ana".into()),
            via: super::super::input::Via::Web,
            title: "a drill".to_owned(),
            severity: None,
            service: None,
            kind: Kind::Drill,
            alert: None,
        };
        night.asks("ana", Act::Resolve);
        night.until(200);
        night.declares(&drill);
        gives(&mut night, "ana", "cy");
        night.until(200 + 900);
        let cys: Vec<i64> = night.calls().iter().filter(|(_, who, again)| who == "cy" && !again).map(|(at, _, _)| *at).collect();
        assert_eq!(cys, [200, 1_100]);
    }

    #[test]
    fn any_acknowledgement_stops_those_pages_too() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.asks("ana", Act::Page { whom: Whom::Everyone });
        let users = |night: &Trial| night.incident().pages.iter().map(|page| page.user.to_string()).collect::<Vec<_>>();
        assert_eq!(users(&night), ["bo", "cy"], "everyone but the one who asks");
        night.until(10);
        let verdict = night.asks("ana", Act::Acknowledge);
        assert_eq!((verdict.outcome, users(&night).len()), (Outcome::Ignored, 0));
        night.until(1_700);
        assert_eq!(night.calls().len(), 2);
    }

    #[test]
    fn beside_a_running_policy_others_are_paged_and_it_goes_on() {
        let mut night = Trial::new();
        night.fires("db");
        night.until(60);
        night.asks("bo", Act::Page { whom: Whom::User("cy".into()) });
        night.until(300);
        night.has_rung(&[(0, "ana", false), (60, "cy", false), (120, "ana", true), (180, "cy", true), (300, "bo", false)]);
        night.asks("ana", Act::Resolve);
        assert_eq!(night.asks("ana", Act::Page { whom: Whom::Everyone }).reason, Reason::NotOpen);
    }

    #[test]
    fn a_policy_that_is_asked_for_pages_its_first_step_with_somebody_to_call() {
        let mut night = Trial::new();
        let steps = vec![step(&[], Some(5)), step(&["ana"], Some(5)), step(&["cy"], Some(5))];
        night.setup.policies.insert("days".into(), super::super::setup::Policy { id: "days".into(), steps, repeat: 0, storm: 10 });
        night.fires_as("db", AlertSeverity::Warning);
        let asked = |night: &mut Trial, policy: &str| night.asks("ana", Act::Page { whom: Whom::Policy(policy.into()) });
        assert_eq!(asked(&mut night, "weeks").reason, Reason::NoSuchPolicy);
        assert_eq!(asked(&mut night, "days").reason, Reason::PageAsked);
        night.until(30);
        night.has_rung(&[(0, "cy", false)]);
        assert_eq!(night.asks("bo", Act::Page { whom: Whom::User("nobody".into()) }).reason, Reason::NoSuchUser);
        night.setup.users.retain(|id, _| id.as_str() == "ana");
        assert_eq!(asked(&mut night, "days").reason, Reason::NobodyInStep);
    }

    #[test]
    fn asking_for_somebody_is_a_sign_of_life() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.until(1_000);
        night.asks("ana", Act::Page { whom: Whom::User("bo".into()) });
        assert_eq!(night.incident().lapses_at, Some(Trial::time(1_000) + Span::minutes(30)));
    }
}
