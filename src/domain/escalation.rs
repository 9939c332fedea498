//! A policy on its way: steps, rounds, running out; and how it stops.

use std::collections::BTreeSet;

use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::incident::{IncidentState, Kind};
use super::input::{Actor, Timer};
use super::reason::Reason;
use super::setup::{Policy, Setup, Severity, Step, Target, Urgency};
use super::{ask, merge, oncall, silence, snooze, storm};
use crate::base::id::{IncidentId, PageId, PolicyId, ServiceId, UserId};
use crate::base::limits;
use crate::base::time::Time;

/// Stands for the policy of an incident that has none.
pub(super) const NO_POLICY: &str = "none";

/// What a policy begins with, and keeps.
#[derive(Debug)]
pub(super) struct Begin {
    pub policy: PolicyId,
    pub steps: Vec<Step>,
    pub repeat: u32,
}

/// Starts the service's policy at its first step. Drills, tests and what pages nobody have none; what is silenced as a whole waits for the
/// silence's end, unless a person asks for more.
pub(super) fn start(draft: &mut Draft, id: &IncidentId, reason: Reason) {
    start_but(draft, id, reason, None);
}

/// As [`start`]. `answered` has just said what to do and is not called by it now.
pub(super) fn start_but(draft: &mut Draft, id: &IncidentId, reason: Reason, answered: Option<&UserId>) {
    let Some(incident) = draft.incident(id) else { return };
    let is_covered = incident.is_covered();
    let may_hush = reason != Reason::AskedToEscalate && !matches!(reason, Reason::SilenceEnded | Reason::MaintenanceOver);
    if is_covered && may_hush && silence::hush(draft, id) {
        return;
    }
    let Some(incident) = draft.incident(id) else { return };
    let Some(urgency) = incident.severity.urgency().filter(|_| incident.kind == Kind::Real) else { return };
    // A policy that is gone has no steps: it is exhausted at once, and that pages everyone.
    let (begin, reason) = if let Some(policy) = policy_of(draft, id) {
        (Begin { policy: policy.id.clone(), steps: policy.steps.clone(), repeat: policy.repeat }, reason)
    } else {
        let reason = if incident.has_service() { Reason::PolicyGone } else { Reason::NoService };
        (Begin { policy: NO_POLICY.into(), steps: Vec::new(), repeat: 0 }, reason)
    };
    self::begin(draft, id, begin, urgency, reason, answered);
}

/// The incident that its senders resolved at `left_at` before anybody answered is back: its policy goes on where it was, and its clock has
/// run on meanwhile. One that starts again each time would never come past its first step while an alert comes and goes.
pub(super) fn resume(draft: &mut Draft, id: &IncidentId, left_at: Option<Time>, reason: Reason) {
    let Some(incident) = draft.incident(id) else { return };
    let run = incident.run.as_ref().filter(|run| run.urgency == Urgency::High && incident.severity.urgency() == Some(Urgency::High));
    let (Some(next_at), Some((exhausted, round, at)), false) =
        (left_at, run.map(|run| (run.exhausted, run.round, run.step)), incident.is_covered())
    else {
        start(draft, id, reason);
        return;
    };
    clear_timers(draft, id);
    if exhausted {
        widen(draft, id, None);
    } else {
        step_until(draft, id, (round, at), Some(next_at), reason, None);
    }
}

/// The policy that a routing rule gave the incident, else its service's, as it is now.
pub(super) fn policy_of<'a>(draft: &Draft<'a>, id: &IncidentId) -> Option<&'a Policy> {
    let setup: &'a Setup = draft.setup;
    let incident = draft.incident(id)?;
    let of_rule = incident.response.policy.as_ref().and_then(|policy| setup.policies.get(policy));
    of_rule.or_else(|| setup.policies.get(&setup.services.get(&incident.service)?.policy))
}

/// Whether the policy of this service, or everyone after it, has anybody but this person.
pub(super) fn reaches_others(draft: &Draft, service: &ServiceId, but: Option<&UserId>) -> bool {
    let setup = draft.setup;
    let policy = setup.services.get(service).and_then(|service| setup.policies.get(&service.policy));
    let named = policy.into_iter().flat_map(|policy| &policy.steps).flat_map(|step| people(step, setup, draft.now()));
    named.chain(setup.everyone().map(|user| user.id.clone())).any(|user| Some(&user) != but)
}

/// Starts these steps at the first.
pub(super) fn begin(draft: &mut Draft, id: &IncidentId, begin: Begin, urgency: Urgency, reason: Reason, answered: Option<&UserId>) {
    let Begin { policy, steps, repeat } = begin;
    draft.record(id, &Actor::Reveille, What::PolicyStarted { policy, steps, repeat, urgency, reason });
    clear_timers(draft, id);
    step(draft, id, 0, 0, Reason::StepBegan, answered);
    if urgency == Urgency::Low {
        // It repeats nothing by itself: whoever was asked for by hand is still asked for.
        ask::go_on(draft, id);
    }
}

/// Nothing is to be done about the incident by itself any more.
pub(super) fn clear_timers(draft: &mut Draft, id: &IncidentId) {
    for timer in [Timer::Escalate, Timer::Lapse, Timer::AskLapse, Timer::Remind, Timer::Silence] {
        draft.set(id, timer, None);
    }
}

/// Sets when the acknowledgement lapses, and when the one who has it is asked before that.
pub(super) fn hold(draft: &mut Draft, id: &IncidentId, lapses_at: Option<Time>) {
    let ask_at = lapses_at.map(|at| at - limits::ASK_BEFORE_LAPSE).filter(|at| *at > draft.now());
    draft.set(id, Timer::Lapse, lapses_at);
    draft.set(id, Timer::AskLapse, ask_at);
}

/// Goes on to the step after the one under way. `answered` has just said what to do and is not called by that step.
pub(super) fn next(draft: &mut Draft, id: &IncidentId, reason: Reason, answered: Option<&UserId>) {
    let Some(run) = draft.incident(id).and_then(|incident| incident.run.as_ref()) else { return };
    if run.exhausted {
        beyond(draft, id, run.urgency, answered);
    } else {
        let (round, after) = (run.round, run.step + 1);
        step(draft, id, round, after, reason, answered);
    }
}

fn step(draft: &mut Draft, id: &IncidentId, round: u32, at: usize, reason: Reason, answered: Option<&UserId>) {
    step_until(draft, id, (round, at), None, reason, answered);
}

/// Begins this step, or the first after it that has somebody to call. Empty steps are skipped at once and said so. `until` is when the
/// step's wait is over, where it began before.
fn step_until(
    draft: &mut Draft,
    id: &IncidentId,
    (mut round, mut at): (u32, usize),
    mut until: Option<Time>,
    reason: Reason,
    answered: Option<&UserId>,
) {
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
            beyond(draft, id, run.urgency, answered);
            return;
        };
        tell_places(draft, id, step, reason);
        let mut users = people(step, draft.setup, now);
        users.retain(|user| Some(user) != answered && Some(user) != run.spared.as_ref());
        if users.is_empty() {
            let reason = if step.names_only_places() { Reason::OnlyPlacesInStep } else { Reason::NobodyInStep };
            draft.record(id, &Actor::Reveille, What::StepSkipped { round, step: at, reason });
            at += 1;
            until = None;
            continue;
        }
        let next_at = (run.urgency == Urgency::High).then(|| until.unwrap_or(now + step.wait()));
        draft.record(id, &Actor::Reveille, What::StepStarted { round, step: at, users: users.iter().cloned().collect(), next_at, reason });
        match run.urgency {
            Urgency::High => draft.set(id, Timer::Escalate, next_at),
            Urgency::Low => draft.set(id, Timer::Remind, Some(now + limits::REMINDER)),
        }
        page(draft, id, &users, run.urgency);
        return;
    }
}

/// No step is left.
fn beyond(draft: &mut Draft, id: &IncidentId, urgency: Urgency, answered: Option<&UserId>) {
    match urgency {
        Urgency::High => widen(draft, id, answered),
        Urgency::Low => draft.set(id, Timer::Remind, Some(draft.now() + limits::REMINDER)),
    }
}

/// Pages everyone, and again every fifteen minutes until a human answers. Whoever declared it is spared only for as long as there is
/// anybody else: the others may have left the setup since.
fn widen(draft: &mut Draft, id: &IncidentId, answered: Option<&UserId>) {
    let next_at = draft.now() + limits::EXHAUSTED_EVERY;
    let spared = draft.incident(id).and_then(|incident| incident.run.as_ref()).and_then(|run| run.spared.as_ref());
    let everyone = || draft.setup.everyone().map(|user| user.id.clone()).filter(|user| Some(user) != answered);
    let mut users: BTreeSet<UserId> = everyone().filter(|user| Some(user) != spared).collect();
    if users.is_empty() {
        users = everyone().collect();
    }
    draft.record(id, &Actor::Reveille, What::PagedWider { users: users.iter().cloned().collect(), next_at });
    draft.set(id, Timer::Escalate, Some(next_at));
    page(draft, id, &users, Urgency::High);
}

/// Opens a page for each, or starts the rules of an open one again. A page that calls is never made quiet: whoever was asked for by hand
/// goes on being called, whatever the policy says in the quiet.
pub(super) fn page(draft: &mut Draft, id: &IncidentId, users: &BTreeSet<UserId>, urgency: Urgency) {
    for user in users {
        let open = draft.incident(id).and_then(|incident| incident.page_of(user)).cloned();
        let what = match open {
            Some(page) if page.urgency > urgency => continue,
            Some(page) => What::PageRestarted { page: page.id, user: user.clone(), urgency },
            None => What::PageOpened { page: PageId::make(&mut draft.moment.ids), user: user.clone(), urgency },
        };
        draft.record(id, &Actor::Reveille, what);
        draft.nudge(user);
    }
}

/// Tells the places that a step names. That reaches nobody.
pub(super) fn tell_places(draft: &mut Draft, id: &IncidentId, step: &Step, reason: Reason) {
    for target in &step.notify {
        match target {
            Target::Place(place) => draft.record(id, &Actor::Reveille, What::NoticeWanted { place: place.clone(), reason }),
            Target::User(_) | Target::Schedule(_) | Target::Everyone => {}
        }
    }
}

/// Whom a step calls, looked up when it starts.
pub(super) fn people(step: &Step, setup: &Setup, now: Time) -> BTreeSet<UserId> {
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
    end_pages_but(draft, id, actor, reason, None);
}

/// As [`end_pages`], but for the page of one person.
pub(super) fn end_pages_but(draft: &mut Draft, id: &IncidentId, actor: &Actor, reason: Reason, kept: Option<&UserId>) {
    let pages = draft.incident(id).map(|incident| incident.pages.clone()).unwrap_or_default();
    for page in pages.into_iter().filter(|page| Some(&page.user) != kept) {
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
    merge::end_with(draft, id);
    end_pages(draft, id, answered_by.unwrap_or(actor), Reason::Resolved);
    clear_timers(draft, id);
    draft.find_newest_of(id);
}

/// When an acknowledgement given now lapses.
pub(super) fn lapses_at(draft: &Draft, id: &IncidentId) -> Option<Time> {
    let incident = draft.incident(id).filter(|incident| incident.kind == Kind::Real)?;
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
    let urgency = incident.run.as_ref().filter(|_| !incident.response.is_hushed).map(|run| run.urgency);
    let next_at = incident.run.as_ref().and_then(|run| run.next_at);
    let (lapses_at, snoozed_until) = (incident.lapses_at, incident.response.snoozed_until);
    let told = |reason| Verdict::of(Outcome::Recorded, reason).about(None, Some(id.clone()));
    match (timer, incident.state) {
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
        // No policy goes on then: these are pages that somebody asked for.
        (Timer::Escalate, IncidentState::Triggered | IncidentState::Acknowledged) => ask::again(draft, id),
        (Timer::AskLapse, IncidentState::Acknowledged) => match lapses_at {
            Some(due) if due - limits::ASK_BEFORE_LAPSE > now => {
                draft.set(id, Timer::AskLapse, Some(due - limits::ASK_BEFORE_LAPSE));
                Verdict::nothing()
            }
            Some(lapses_at) => {
                draft.record(id, &Actor::Reveille, What::LapseAsked { lapses_at });
                told(Reason::AskedBeforeLapse)
            }
            None => Verdict::nothing(),
        },
        (Timer::Lapse, IncidentState::Acknowledged) if snoozed_until.is_some() => snooze::end(draft, id, snoozed_until.unwrap_or(now)),
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
        (Timer::Silence, IncidentState::Triggered) => silence::end(draft, id),
        (Timer::Storm, _) => storm::wake(draft, id),
        (Timer::Escalate | Timer::Remind | Timer::Lapse | Timer::AskLapse | Timer::Silence | Timer::Cover | Timer::Attend, _) => {
            Verdict::nothing()
        }
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
    fn what_comes_back_unanswered_goes_on_where_its_policy_was() {
        // It fires for a minute and is over for one, again and again: nobody answers, so bo is called after ana's five minutes.
        let mut night = Trial::new();
        for minute in 0..8 {
            night.until(minute * 120);
            night.fires("db");
            night.until(minute * 120 + 60);
            night.resolves("db");
        }
        let first = |contact: &str| night.calls().iter().find(|(_, called, _)| called == contact).map(|(at, ..)| *at);
        assert_eq!((first("ana"), first("bo"), night.count("policy_started")), (Some(0), Some(300), 1));
        let steps: Vec<_> = started(&night).into_iter().map(|(at, _, step, _)| (at, step)).collect();
        assert_eq!(steps[..5], [(0, 0), (120, 0), (240, 0), (300, 1), (360, 1)]);
        assert!(night.count("policy_exhausted") == 1 && night.calls().iter().any(|(_, called, _)| called == "cy"), "and then everyone");
    }

    #[test]
    fn where_a_steps_wait_ended_while_it_was_over_the_next_step_is_called_too() {
        let mut night = Trial::new();
        night.fires("db");
        night.until(60);
        night.resolves("db");
        night.until(400);
        night.fires("db");
        night.until(400);
        assert_eq!(started(&night), [(0, 0, 0, 1), (400, 0, 0, 1), (400, 0, 1, 1)]);
        night.has_rung(&[(0, "ana", false), (400, "ana", false), (400, "bo", false)]);
    }

    #[test]
    fn what_was_answered_or_closed_by_hand_starts_at_the_first_step() {
        for act in [Act::Acknowledge, Act::Resolve] {
            let mut night = Trial::new();
            night.fires("db");
            night.until(310);
            let is_closed = act == Act::Resolve;
            night.asks("bo", act);
            night.until(400);
            night.resolves("db");
            night.until(500);
            night.fires("db");
            assert_eq!(night.count("policy_started"), 2, "{is_closed}");
            assert_eq!(started(&night).last(), Some(&(500, 0, 0, 1)));
        }
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
    fn places_are_told_when_a_step_starts_and_reach_nobody() {
        let room = || Target::Place(super::super::setup::Place::Slack("C1".to_owned()));
        let hook = || Target::Place(super::super::setup::Place::Webhook("pager".to_owned()));
        let ana = || Target::User("ana".into());
        let told = |notify: Vec<Target>| Step { notify, escalate_after: Some(Span::minutes(5)) };
        // The steps and rounds; when places are told, which steps are skipped, when the policy is exhausted.
        for (steps, repeat, notices, skipped, exhausted) in [
            (vec![told(vec![room(), ana()])], 0, vec![0], 0, 300),
            (vec![told(vec![room(), hook()]), told(vec![ana()])], 0, vec![0, 0], 1, 300),
            (vec![told(vec![ana()]), told(vec![room()])], 0, vec![300], 1, 300),
            (vec![told(vec![room()]), told(vec![ana()])], 1, vec![0, 300], 2, 600),
            // Nobody is reached by any of it: everyone, at once, however many rounds it has.
            (vec![told(vec![room()]), told(vec![hook()])], 3, vec![0, 0], 2, 0),
        ] {
            let mut night = Trial::new().steps(steps, repeat);
            night.fires("db");
            night.until(700);
            assert_eq!(night.seconds_of("notice_wanted"), notices);
            assert_eq!((night.count("step_skipped"), night.seconds_of("policy_exhausted")), (skipped, vec![exhausted]));
            let reasons = night.facts.iter().filter_map(|fact| match &fact.what {
                What::StepSkipped { reason, .. } => Some(*reason),
                _ => None,
            });
            assert!(reasons.into_iter().all(|reason| reason == Reason::OnlyPlacesInStep));
        }
    }

    #[test]
    fn nobody_answers_and_why_to_the_second() {
        let steps = vec![step(&["ana"], Some(5)), step(&["bo"], Some(2)), step(&["everyone"], None)];
        let mut night = Trial::new().steps(steps, 1);
        night.fires("db");
        night.until(1_440 + 900);
        let told: Vec<(i64, String)> = night
            .facts
            .iter()
            .filter_map(|fact| {
                let what = match &fact.what {
                    What::PolicyStarted { reason, .. } => format!("starts: {}", reason.name()),
                    What::StepStarted { round, step, users, reason, .. } => {
                        format!("{round}.{step} {} people: {}", users.len(), reason.name())
                    }
                    What::PolicyExhausted => "exhausted".to_owned(),
                    What::PagedWider { users, .. } => format!("wider: {}", users.len()),
                    _ => return None,
                };
                Some((fact.at.since(Trial::time(0)).as_seconds(), what))
            })
            .collect();
        let expected = [
            (0, "starts: incident_opened"),
            (0, "0.0 1 people: step_began"),
            (300, "0.1 1 people: nobody_answered"),
            (420, "0.2 3 people: nobody_answered"),
            (720, "1.0 1 people: nobody_answered"),
            (1_020, "1.1 1 people: nobody_answered"),
            (1_140, "1.2 3 people: nobody_answered"),
            (1_440, "exhausted"),
            (1_440, "wider: 3"),
            (2_340, "wider: 3"),
        ];
        assert_eq!(told, expected.map(|(at, what)| (at, what.to_owned())));
    }

    #[test]
    fn the_one_who_acknowledged_is_asked_5_minutes_before_it_lapses() {
        // The lapse, and when the question comes after an acknowledgement at 60 s.
        for (lapse, asked) in [(Some(1_800), vec![1_560]), (Some(301), vec![61]), (Some(300), vec![]), (None, vec![])] {
            let mut night = Trial::new();
            night.service().ack_lapse = lapse.map(Span::seconds);
            night.fires("db");
            night.until(60);
            night.asks("ana", Act::Acknowledge);
            night.until(60 + lapse.unwrap_or(1_800));
            assert_eq!(night.seconds_of("lapse_asked"), asked, "{lapse:?}");
            assert_eq!(night.calls().len(), if lapse.is_some() { 2 } else { 1 }, "the question itself rings nobody");
        }
        // Any word of a person is a sign of life; a script's is not.
        for (act, is_life) in [
            (Act::SignOfLife, true),
            (Act::AddNote { text: "looking".to_owned(), at: None }, true),
            (Act::SetRole { role: super::super::incident::IncidentRole::Lead, user: Some("bo".into()) }, true),
            (Act::Reopen, false),
        ] {
            let mut night = Trial::new();
            night.fires("db");
            night.asks("ana", Act::Acknowledge);
            night.until(1_600);
            night.asks("bo", act.clone());
            night.until(1_800);
            assert_eq!(night.incident().state == IncidentState::Acknowledged, is_life, "{act:?}");
            night.until(3_100);
            assert_eq!(night.seconds_of("lapse_asked"), if is_life { vec![1_500, 3_100] } else { vec![1_500] });
        }
        let mut scripted = Trial::new();
        scripted.fires("db");
        scripted.asks("ana", Act::Acknowledge);
        scripted.until(1_000);
        scripted.script(Act::AddNote { text: "cron says hello".to_owned(), at: None });
        scripted.until(1_800);
        assert_eq!(scripted.incident().state, IncidentState::Triggered);
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
    fn a_reopened_incident_pages_again_with_pages_of_its_own() {
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
        night.has_rung(&[(0, "ana", false), (180, "ana", false), (300, "ana", true), (300, "bo", false)]);
    }
}
