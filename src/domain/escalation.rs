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
        (Timer::Escalate | Timer::Remind | Timer::Lapse | Timer::Attend, _) => Verdict::nothing(),
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
