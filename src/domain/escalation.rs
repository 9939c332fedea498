//! A policy on its way: steps, rounds, running out; and how it stops.

use std::collections::BTreeSet;

use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::incident::IncidentState;
use super::input::{Actor, Timer};
use super::reason::Reason;
use super::setup::{Severity, Step, Target, Urgency};
use super::{oncall, setup::Setup};
use crate::base::id::{IncidentId, PageId, UserId};
use crate::base::limits;
use crate::base::time::Time;

/// Starts the service's policy at its first step.
pub(super) fn start(draft: &mut Draft, id: &IncidentId, reason: Reason) {
    let Some(incident) = draft.incident(id) else { return };
    let Some(urgency) = incident.severity.urgency() else { return };
    let policy = draft.setup.services.get(&incident.service).and_then(|service| draft.setup.policies.get(&service.policy));
    // A policy that is gone has no steps: it is exhausted at once, and that pages everyone.
    let started = match policy {
        Some(policy) => {
            What::PolicyStarted { policy: policy.id.clone(), steps: policy.steps.clone(), repeat: policy.repeat, urgency, reason }
        }
        None => What::PolicyStarted { policy: "none".into(), steps: Vec::new(), repeat: 0, urgency, reason: Reason::PolicyGone },
    };
    draft.record(id, &Actor::Reveille, started);
    draft.set(id, Timer::Lapse, None);
    draft.set(id, Timer::Escalate, None);
    draft.set(id, Timer::Remind, None);
    step(draft, id, 0, 0, Reason::StepBegan, None);
}

/// Goes on to the step after the one under way. `answered` has just said what to do and is not called by that step.
pub(super) fn next(draft: &mut Draft, id: &IncidentId, reason: Reason, answered: Option<&UserId>) {
    let Some(run) = draft.incident(id).and_then(|incident| incident.run.as_ref()) else { return };
    if run.exhausted {
        beyond(draft, id, run.urgency);
    } else {
        let (round, after) = (run.round, run.step + 1);
        step(draft, id, round, after, reason, answered);
    }
}

/// Begins this step, or the first after it that has somebody to call. Empty steps are skipped at once and said so.
fn step(draft: &mut Draft, id: &IncidentId, mut round: u32, mut at: usize, reason: Reason, answered: Option<&UserId>) {
    let now = draft.now();
    let Some(run) = draft.incident(id).and_then(|incident| incident.run.clone()) else { return };
    // Whoever is in no step now is in none in a further round at this same moment.
    let mut whole_round = at == 0;
    loop {
        let Some(step) = run.steps.get(at) else {
            // Low urgency has one round: it tells, it does not escalate.
            if round < run.repeat && !whole_round && run.urgency == Urgency::High {
                round += 1;
                at = 0;
                whole_round = true;
                continue;
            }
            draft.record(id, &Actor::Reveille, What::PolicyExhausted);
            beyond(draft, id, run.urgency);
            return;
        };
        let mut users = people(step, draft.setup, now);
        users.retain(|user| Some(user) != answered);
        if users.is_empty() {
            draft.record(id, &Actor::Reveille, What::StepSkipped { round, step: at, reason: Reason::NobodyInStep });
            at += 1;
            continue;
        }
        let next_at = (run.urgency == Urgency::High).then(|| now + step.wait());
        draft.record(id, &Actor::Reveille, What::StepStarted { round, step: at, users: users.iter().cloned().collect(), next_at, reason });
        match run.urgency {
            Urgency::High => draft.set(id, Timer::Escalate, next_at),
            Urgency::Low => draft.set(id, Timer::Remind, Some(now + limits::REMINDER)),
        }
        page(draft, id, &users, run.urgency);
        return;
    }
}

/// Every step has passed and nobody answered.
fn beyond(draft: &mut Draft, id: &IncidentId, urgency: Urgency) {
    match urgency {
        Urgency::High => widen(draft, id),
        Urgency::Low => draft.set(id, Timer::Remind, Some(draft.now() + limits::REMINDER)),
    }
}

/// Pages everyone, and again every fifteen minutes until a human answers.
fn widen(draft: &mut Draft, id: &IncidentId) {
    let next_at = draft.now() + limits::EXHAUSTED_EVERY;
    let users: BTreeSet<UserId> = draft.setup.everyone().map(|user| user.id.clone()).collect();
    draft.record(id, &Actor::Reveille, What::PagedWider { users: users.iter().cloned().collect(), next_at });
    draft.set(id, Timer::Escalate, Some(next_at));
    page(draft, id, &users, Urgency::High);
}

/// Opens a page for each, or starts the rules of an open one again.
fn page(draft: &mut Draft, id: &IncidentId, users: &BTreeSet<UserId>, urgency: Urgency) {
    for user in users {
        let open = draft.incident(id).and_then(|incident| incident.page_of(user)).map(|page| page.id.clone());
        let what = match open {
            Some(page) => What::PageRestarted { page, user: user.clone(), urgency },
            None => What::PageOpened { page: PageId::make(&mut draft.moment.ids), user: user.clone(), urgency },
        };
        draft.record(id, &Actor::Reveille, what);
        draft.nudge(user);
    }
}

/// Whom a step calls, looked up when it starts.
fn people(step: &Step, setup: &Setup, now: Time) -> BTreeSet<UserId> {
    let mut users = BTreeSet::new();
    for target in &step.notify {
        match target {
            Target::User(id) => {
                users.extend(setup.users.contains_key(id).then(|| id.clone()));
            }
            Target::Schedule(id) => {
                if let Some(schedule) = setup.schedules.get(id) {
                    // A zone that cannot be computed was refused when it was configured; nobody is on call then, and the step says so.
                    let on_call = oncall::who(schedule, now).map(|turn| turn.users).unwrap_or_default();
                    users.extend(on_call.into_iter().filter(|user| setup.users.contains_key(user)));
                }
            }
            Target::Everyone => users.extend(setup.everyone().map(|user| user.id.clone())),
            Target::Place(_) => {}
        }
    }
    users
}

/// Ends every open page; the answering person's as answered.
pub(super) fn end_pages(draft: &mut Draft, id: &IncidentId, actor: &Actor, reason: Reason) {
    let pages = draft.incident(id).map(|incident| incident.pages.clone()).unwrap_or_default();
    for page in pages {
        let what = if actor.user() == Some(&page.user) {
            What::PageAnswered { page: page.id, user: page.user.clone() }
        } else {
            What::PageEnded { page: page.id, user: page.user.clone(), reason }
        };
        draft.record(id, actor, what);
        draft.nudge(&page.user);
    }
}

/// Resolves the incident and stops everything about it. `answered_by` is the person whose page this answers.
pub(super) fn resolve(draft: &mut Draft, id: &IncidentId, actor: &Actor, reason: Reason, answered_by: Option<&Actor>) {
    draft.record(id, actor, What::IncidentResolved { reason });
    end_pages(draft, id, answered_by.unwrap_or(actor), Reason::Resolved);
    for timer in [Timer::Escalate, Timer::Lapse, Timer::Remind] {
        draft.set(id, timer, None);
    }
    if let Some(service) = draft.incident(id).map(|incident| incident.service.clone()) {
        draft.find_newest(&service);
    }
}

/// When an acknowledgement given now lapses.
pub(super) fn lapses_at(draft: &Draft, id: &IncidentId) -> Option<Time> {
    let incident = draft.incident(id)?;
    match incident.severity {
        Severity::Sev1 | Severity::Sev2 => {}
        Severity::Sev3 | Severity::Sev4 => return None,
    }
    let configured = draft.setup.services.get(&incident.service).map_or(Some(limits::ACK_LAPSE), |service| service.ack_lapse);
    configured.map(|after| draft.now() + after)
}

/// One of the incident's timers is due.
pub(super) fn wake(draft: &mut Draft, id: &IncidentId, timer: Timer) -> Verdict {
    let now = draft.now();
    let Some(incident) = draft.incident(id) else { return Verdict::nothing() };
    let urgency = incident.run.as_ref().map(|run| run.urgency);
    let next_at = incident.run.as_ref().and_then(|run| run.next_at);
    let lapses_at = incident.lapses_at;
    let told = |reason| Verdict::of(Outcome::Recorded, reason).about(None, Some(id.clone()));
    match (timer, incident.state) {
        // Low urgency does not escalate, whoever set this timer.
        (Timer::Escalate, IncidentState::Triggered) if urgency == Some(Urgency::High) => match next_at {
            Some(due) if due > now => {
                draft.set(id, Timer::Escalate, Some(due));
                Verdict::nothing()
            }
            Some(_) | None => {
                next(draft, id, Reason::NobodyAnswered, None);
                told(Reason::NobodyAnswered)
            }
        },
        (Timer::Lapse, IncidentState::Acknowledged) => match lapses_at {
            Some(due) if due > now => {
                draft.set(id, Timer::Lapse, Some(due));
                Verdict::nothing()
            }
            Some(_) => {
                draft.record(id, &Actor::Reveille, What::AcknowledgementLapsed);
                start(draft, id, Reason::AcknowledgementLapsed);
                told(Reason::AcknowledgementLapsed)
            }
            None => Verdict::nothing(),
        },
        (Timer::Remind, IncidentState::Triggered) if urgency == Some(Urgency::Low) => {
            remind(draft, id);
            told(Reason::LowUrgencyReminder)
        }
        (Timer::Escalate | Timer::Remind | Timer::Lapse | Timer::AskLapse | Timer::Attend, _) => Verdict::nothing(),
    }
}

/// The daily reminder of low urgency: to those who have a page, or to whoever the policy names by now when nobody has one.
fn remind(draft: &mut Draft, id: &IncidentId) {
    let next_at = draft.now() + limits::REMINDER;
    draft.record(id, &Actor::Reveille, What::IncidentReminded { next_at });
    let users: BTreeSet<UserId> =
        draft.incident(id).map(|incident| incident.pages.iter().map(|page| page.user.clone()).collect()).unwrap_or_default();
    if users.is_empty() {
        step(draft, id, 0, 0, Reason::LowUrgencyReminder, None);
    } else {
        draft.set(id, Timer::Remind, Some(next_at));
        page(draft, id, &users, Urgency::Low);
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::{Act, Scope};
    use super::super::setup::{AlertSeverity, Rotation, Schedule};
    use super::super::trial::{Phone, Trial, step};
    use super::*;
    use crate::base::time::Span;

    const DAY: i64 = 86_400;

    /// The step and its people, each time one started.
    fn started(night: &Trial) -> Vec<(i64, u32, usize, usize)> {
        let begin = |fact: &super::super::fact::Fact| match &fact.what {
            What::StepStarted { round, step, users, .. } => Some((fact.at.since(Trial::time(0)).as_seconds(), *round, *step, users.len())),
            _ => None,
        };
        night.facts.iter().filter_map(begin).collect()
    }

    #[test]
    fn steps_follow_each_other_to_the_second_and_a_last_one_without_a_wait_takes_5_minutes() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(2)), step(&["bo"], None)], 0);
        night.fires("db");
        night.until(419);
        assert_eq!(started(&night), [(0, 0, 0, 1), (120, 0, 1, 1)]);
        assert_eq!(night.count("policy_exhausted"), 0);
        night.until(420);
        assert_eq!(night.seconds_of("policy_exhausted"), [420]);
    }

    #[test]
    fn repeat_2_is_two_further_rounds_and_then_everyone_every_15_minutes() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(1)), step(&["bo"], Some(1))], 2);
        night.fires("db");
        night.until(360 + 1_800);
        let expected = [(0, 0, 0, 1), (60, 0, 1, 1), (120, 1, 0, 1), (180, 1, 1, 1), (240, 2, 0, 1), (300, 2, 1, 1)];
        assert_eq!(started(&night), expected);
        assert_eq!(night.seconds_of("policy_exhausted"), [360]);
        assert_eq!(night.seconds_of("paged_wider"), [360, 1_260, 2_160]);
        assert!(night.calls().iter().any(|(_, contact, _)| contact == "cy"), "everyone is paged");
        night.asks("cy", Act::Acknowledge);
        night.until(360 + 1_800 + 1_799);
        assert_eq!(night.count("paged_wider"), 3);
    }

    #[test]
    fn empty_steps_are_skipped_at_once_and_said_so() {
        let empty = || Step { notify: Vec::new(), escalate_after: Some(Span::minutes(30)) };
        for (steps, repeat, skipped, rung) in [
            (vec![empty(), step(&["bo"], Some(5))], 0, 1, Some("bo")),
            (vec![step(&["nobody"], Some(30)), step(&["bo"], Some(5))], 0, 1, Some("bo")),
            (vec![empty(), empty()], 0, 2, None),
            // Who is in no step is in no further round either, however many there are.
            (vec![empty(), empty()], u32::MAX, 2, None),
            (Vec::new(), 3, 0, None),
        ] {
            let mut night = Trial::new().steps(steps, repeat);
            night.fires("db");
            night.until(0);
            assert_eq!(night.count("step_skipped"), skipped);
            match rung {
                Some(contact) => assert_eq!(night.calls(), [(0, contact.to_owned(), false)]),
                None => assert_eq!((night.count("policy_exhausted"), night.calls().len()), (1, 3), "everyone at once"),
            }
        }
    }

    #[test]
    fn who_is_on_call_is_looked_up_when_the_step_starts() {
        let mut night = Trial::new().steps(vec![Step { notify: vec![Target::Schedule("platform".into())], escalate_after: None }], 0);
        night.setup.schedules.insert(
            "platform".into(),
            Schedule { id: "platform".into(), timezone: "UTC".to_owned(), rotations: Vec::new(), overrides: Vec::new() },
        );
        night.fires("db");
        assert_eq!((night.count("step_skipped"), night.count("policy_exhausted")), (1, 1), "nobody is on call");
        let rotation = Rotation {
            members: vec!["cy".into()],
            every: super::super::setup::Every::Days(1),
            handoff: super::super::setup::Handoff { weekday: None, hour: 0, minute: 0 },
            start: super::super::setup::Date { year: 2026, month: 1, day: 1 },
        };
        night.setup.schedules.get_mut(&"platform".into()).expect("it is there").rotations.push(rotation);
        night.until(601);
        night.fires("web");
        assert_eq!(started(&night).len(), 1);
        assert_eq!(night.incident().pages.iter().map(|page| page.user.as_str()).collect::<Vec<_>>(), ["cy"]);
    }

    #[test]
    fn a_policy_that_is_gone_pages_everyone() {
        let mut night = Trial::new();
        night.setup.policies.clear();
        night.fires("db");
        night.until(0);
        assert_eq!(night.timeline(), ["incident_opened", "policy_started", "policy_exhausted", "paged_wider"]);
        assert_eq!(night.calls().len(), 3);
    }

    #[test]
    fn a_running_policy_keeps_the_steps_it_began_with() {
        let mut night = Trial::new();
        night.fires("db");
        night.setup.policies.clear();
        night.until(300);
        assert_eq!(started(&night), [(0, 0, 0, 1), (300, 0, 1, 1)]);
    }

    #[test]
    fn a_step_that_names_somebody_again_starts_their_rules_again_in_the_same_page() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(5)), step(&["ana", "bo"], Some(5))], 0);
        night.fires("db");
        night.until(301);
        assert_eq!((night.count("page_opened"), night.count("page_restarted")), (2, 1));
        night.has_rung(&[(0, "ana", false), (120, "ana", true), (300, "ana", false), (300, "bo", false)]);
    }

    #[test]
    fn an_acknowledgement_lapses_to_the_second_at_high_urgency_only() {
        for (severity, lapse, lapses) in [
            (AlertSeverity::Critical, Some(1_800), true),
            (AlertSeverity::Error, Some(1_800), true),
            (AlertSeverity::Error, Some(300), true),
            (AlertSeverity::Error, None, false),
            (AlertSeverity::Warning, Some(1_800), false),
        ] {
            let mut night = Trial::new();
            night.service().ack_lapse = lapse.map(Span::seconds);
            night.fires_as("db", severity);
            night.until(60);
            night.asks("ana", Act::Acknowledge);
            let lapse = lapse.unwrap_or(1_800);
            night.until(60 + lapse - 1);
            assert_eq!(night.incident().state, IncidentState::Acknowledged);
            night.until(60 + lapse);
            assert_eq!(night.incident().state == IncidentState::Triggered, lapses, "{severity:?} {lapse}");
            assert_eq!(night.count("acknowledgement_lapsed"), usize::from(lapses));
            if lapses {
                assert_eq!(started(&night).last(), Some(&(60 + lapse, 0, 0, 1)), "from the first step");
            }
        }
    }

    #[test]
    fn a_sign_of_life_moves_the_lapse() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.until(1_000);
        assert_eq!(night.asks("bo", Act::Acknowledge).reason, Reason::AlreadyAcknowledged);
        night.until(2_799);
        assert_eq!(night.incident().state, IncidentState::Acknowledged);
        night.until(2_800);
        assert_eq!(night.incident().state, IncidentState::Triggered);
    }

    #[test]
    fn low_urgency_has_its_first_step_only_and_a_reminder_each_day() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(5)), step(&["bo"], Some(5))], 1);
        night.fires_as("db", AlertSeverity::Warning);
        night.until(3 * DAY);
        assert_eq!(started(&night), [(0, 0, 0, 1)]);
        assert_eq!(night.seconds_of("incident_reminded"), [DAY, 2 * DAY, 3 * DAY]);
        assert_eq!(night.count("page_restarted"), 3);
        assert_eq!(night.calls(), [], "no rule of theirs calls at low urgency");
        night.asks("ana", Act::Acknowledge);
        assert_eq!(night.timers.keys().filter(|(scope, _)| matches!(scope, Scope::Incident(_))).count(), 0);
    }

    #[test]
    fn a_reminder_looks_again_for_somebody_to_tell() {
        let mut night = Trial::new().steps(vec![Step { notify: Vec::new(), escalate_after: None }], 0);
        night.fires_as("db", AlertSeverity::Warning);
        assert_eq!((night.count("policy_exhausted"), night.count("paged_wider")), (1, 0));
        let id = night.incident().id.clone();
        if let Some(run) = night.incidents.get_mut(&id).and_then(|incident| incident.run.as_mut()) {
            run.steps = vec![step(&["cy"], None)];
        }
        night.until(DAY);
        assert_eq!(started(&night), [(DAY, 0, 0, 1)]);
        assert!(night.timers.contains_key(&(Scope::Incident(id), Timer::Remind)));
    }

    #[test]
    fn wake_ups_that_are_early_or_out_of_place_change_nothing() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        let id = night.incident().id.clone();
        let facts = night.facts.len();
        for timer in Timer::ALL {
            assert_eq!(night.wakes(Scope::Incident(id.clone()), timer), Verdict::nothing());
        }
        assert_eq!(night.facts.len(), facts);
        assert_eq!(night.timers.get(&(Scope::Incident(id), Timer::Lapse)), Some(&Trial::time(1_800)), "an early one is set again");

        let mut low = Trial::new();
        low.fires_as("db", AlertSeverity::Warning);
        let id = low.incident().id.clone();
        assert_eq!(low.wakes(Scope::Incident(id), Timer::Escalate), Verdict::nothing(), "low urgency does not escalate");
        assert_eq!(low.count("paged_wider"), 0);
    }

    #[test]
    fn from_low_to_high_the_policy_starts_again_in_the_pages_that_are_open() {
        let mut night = Trial::new();
        night.fires_as("db", AlertSeverity::Warning);
        night.until(100);
        night.fires_as("db", AlertSeverity::Critical);
        night.until(400);
        assert_eq!(started(&night), [(0, 0, 0, 1), (100, 0, 0, 1), (400, 0, 1, 1)]);
        assert_eq!(night.count("page_restarted"), 1);
        night.has_rung(&[(100, "ana", false), (220, "ana", true), (400, "bo", false)]);
    }

    #[test]
    fn a_reopened_incident_pages_from_the_first_step_with_pages_of_its_own() {
        let mut night = Trial::new().phone("ana", Phone::Voicemail);
        night.fires("db");
        night.until(10);
        night.resolves("db");
        assert_eq!(night.count("page_ended"), 1);
        night.until(60);
        night.fires("db");
        assert_eq!((night.count("page_opened"), night.count("page_restarted")), (2, 0));
        night.until(400);
        // The bar holds: three minutes after the chain that the resolve ended.
        night.has_rung(&[(0, "ana", false), (180, "ana", false), (300, "ana", true), (360, "bo", false)]);
    }
}
