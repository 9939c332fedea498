//! What people ask for, through any door: acknowledge, resolve, escalate, reopen.

use super::decide::{Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::incident::{IncidentRole, IncidentState};
use super::input::{Act, Actor, Command, Declare, Timer};
use super::reason::Reason;
use super::setup::Severity;
use super::task::TaskChange;
use crate::base::id::{IncidentId, TaskId, UserId};

/// Does what is asked, if there is anything left to do.
pub(super) fn obey(draft: &mut Draft, command: &Command) -> Verdict {
    let id = &command.incident;
    let Some(state) = draft.incident(id).map(|incident| incident.state) else { return Verdict::nothing() };
    let actor = &command.actor;
    let verdict = match &command.act {
        Act::Acknowledge => acknowledge(draft, id, state, &command.actor),
        Act::Unhelpful => {
            if let Some(user) = command.actor.user() {
                draft.record(id, &command.actor, What::PageUnhelpful { user: user.clone() });
            }
            acknowledge(draft, id, state, &command.actor)
        }
        Act::Resolve => match state {
            IncidentState::Triggered | IncidentState::Acknowledged => {
                escalation::resolve(draft, id, &command.actor, Reason::ResolvedByHand, None);
                Verdict::of(Outcome::Resolved, Reason::ResolvedByHand)
            }
            IncidentState::Resolved => Verdict::of(Outcome::Ignored, Reason::AlreadyResolved),
        },
        Act::Escalate => match state {
            IncidentState::Triggered | IncidentState::Acknowledged => {
                escalate(draft, id, &command.actor);
                Verdict::of(Outcome::Recorded, Reason::AskedToEscalate)
            }
            IncidentState::Resolved => Verdict::of(Outcome::Ignored, Reason::NotOpen),
        },
        Act::Reopen => match state {
            IncidentState::Resolved => {
                draft.record(id, &command.actor, What::IncidentReopened { reason: Reason::Reopened });
                escalation::start(draft, id, Reason::Reopened);
                Verdict::of(Outcome::Reopened, Reason::Reopened)
            }
            IncidentState::Triggered | IncidentState::Acknowledged => Verdict::of(Outcome::Ignored, Reason::NothingToDecide),
        },
        // The law of these comes with the next change; until then they are refused, never half done.
        Act::Reassign { .. } | Act::Snooze { .. } | Act::Page { .. } => Verdict::nothing(),
        Act::SetSeverity { to } => set_severity(draft, id, actor, *to),
        Act::SetRole { role, user } => set_role(draft, id, actor, *role, user.as_ref()),
        Act::SetTitle { title } => {
            draft.record(id, actor, What::TitleChanged { title: title.clone() });
            done(draft, id)
        }
        Act::AddNote { text, at } => {
            draft.record(id, actor, What::NoteAdded { text: text.clone(), at: *at });
            done(draft, id)
        }
        Act::PostUpdate { text } => {
            draft.record(id, actor, What::UpdatePosted { text: text.clone() });
            done(draft, id)
        }
        Act::AddTask { title, owner, back_at } => {
            let n = draft.incident(id).map_or(0, |incident| incident.response.tasks) + 1;
            let task = TaskId::make(&mut draft.moment.ids);
            let added = What::TaskAdded { task, n, title: title.clone(), owner: owner.clone(), back_at: *back_at };
            draft.record(id, actor, added);
            done(draft, id)
        }
        Act::ChangeTask { n, change } => change_task(draft, id, actor, *n, change),
    };
    verdict.about(None, Some(id.clone()))
}

/// What was asked for stands in the timeline. Whoever does something about an acknowledged incident gives a sign of life by it.
fn done(draft: &mut Draft, id: &IncidentId) -> Verdict {
    let is_acknowledged = draft.incident(id).is_some_and(|incident| incident.state == IncidentState::Acknowledged);
    if is_acknowledged && draft.incident(id).is_some_and(|incident| incident.response.snoozed_until.is_none()) {
        let lapses_at = escalation::lapses_at(draft, id);
        draft.record(id, &Actor::Reveille, What::AcknowledgementRenewed { lapses_at });
        draft.set(id, Timer::Lapse, lapses_at);
    }
    Verdict::of(Outcome::Recorded, Reason::AskedFor)
}

/// A raise by hand leaves an answered incident answered; its pages are offered, not sent.
fn set_severity(draft: &mut Draft, id: &IncidentId, actor: &Actor, to: Severity) -> Verdict {
    let Some(from) = draft.incident(id).map(|incident| incident.severity) else { return Verdict::nothing() };
    draft.record(id, actor, What::SeverityChanged { from, to });
    done(draft, id)
}

fn set_role(draft: &mut Draft, id: &IncidentId, actor: &Actor, role: IncidentRole, user: Option<&UserId>) -> Verdict {
    if draft.incident(id).is_some_and(|incident| incident.response.roles.get(&role) == user) {
        return Verdict::of(Outcome::Ignored, Reason::NothingToDecide);
    }
    draft.record(id, actor, What::RoleChanged { role, user: user.cloned() });
    done(draft, id)
}

fn change_task(draft: &mut Draft, id: &IncidentId, actor: &Actor, n: i64, change: &TaskChange) -> Verdict {
    let Some(task) = draft.desk.tasks.get(&n) else { return Verdict::of(Outcome::Ignored, Reason::NoSuchTask) };
    let (task, change) = (task.id.clone(), task.difference(change));
    if change.is_empty() {
        return Verdict::of(Outcome::Ignored, Reason::NothingToDecide);
    }
    draft.record(id, actor, What::TaskChanged { task, n, change });
    done(draft, id)
}

/// A person says that there is an incident.
pub(super) fn declare(draft: &mut Draft, declare: &Declare) -> Verdict {
    let id = IncidentId::make(&mut draft.moment.ids);
    let only = (draft.setup.services.len() == 1).then(|| draft.setup.services.keys().next().cloned()).flatten();
    let declared = What::IncidentDeclared {
        service: declare.service.clone().or(only),
        title: declare.title.clone(),
        severity: declare.severity.unwrap_or(Severity::Sev2),
        kind: declare.kind,
        alert: declare.alert.clone(),
    };
    draft.record(&id, &declare.actor, declared);
    draft.record(&id, &declare.actor, What::RoomWanted { reason: Reason::DeclaredByHand });
    escalation::start(draft, &id, Reason::DeclaredByHand);
    Verdict::of(Outcome::Opened, Reason::DeclaredByHand).about(declare.alert.clone(), Some(id))
}

fn acknowledge(draft: &mut Draft, id: &IncidentId, state: IncidentState, actor: &Actor) -> Verdict {
    let lapses_at = escalation::lapses_at(draft, id);
    match state {
        IncidentState::Triggered => {
            draft.record(id, actor, What::IncidentAcknowledged { lapses_at });
            escalation::end_pages(draft, id, actor, Reason::Acknowledged);
            draft.set(id, Timer::Escalate, None);
            draft.set(id, Timer::Remind, None);
            draft.set(id, Timer::Lapse, lapses_at);
            Verdict::of(Outcome::Acknowledged, Reason::Acknowledged)
        }
        IncidentState::Acknowledged => {
            draft.record(id, actor, What::AcknowledgementRenewed { lapses_at });
            draft.set(id, Timer::Lapse, lapses_at);
            Verdict::of(Outcome::Ignored, Reason::AlreadyAcknowledged)
        }
        IncidentState::Resolved => Verdict::of(Outcome::Ignored, Reason::AlreadyResolved),
    }
}

/// The next step now. Who asks for it has answered: they are not called again for it.
fn escalate(draft: &mut Draft, id: &IncidentId, actor: &Actor) {
    draft.record(id, actor, What::IncidentEscalated);
    draft.set(id, Timer::Lapse, None);
    let own = draft.incident(id).and_then(|incident| incident.page_of(actor.user()?)).cloned();
    if let Some(page) = own {
        draft.record(id, actor, What::PageAnswered { page: page.id, user: page.user.clone() });
        draft.nudge(&page.user);
    }
    if draft.incident(id).is_some_and(|incident| incident.run.is_some()) {
        escalation::next(draft, id, Reason::AskedToEscalate, actor.user());
    } else {
        escalation::start(draft, id, Reason::AskedToEscalate);
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{Trial, step};
    use super::*;

    #[test]
    fn an_answer_ends_every_page_and_every_call() {
        for (act, state) in [
            (Act::Acknowledge, IncidentState::Acknowledged),
            (Act::Unhelpful, IncidentState::Acknowledged),
            (Act::Resolve, IncidentState::Resolved),
        ] {
            let mut night = Trial::new().steps(vec![step(&["ana", "bo"], Some(5))], 0);
            night.fires("db");
            night.until(10);
            let verdict = night.asks("ana", act.clone());
            assert_eq!(verdict.incident.as_ref(), Some(&night.incident().id));
            assert_eq!((night.incident().state, night.incident().pages.len()), (state, 0));
            assert_eq!((night.count("page_answered"), night.count("page_ended")), (1, 1));
            night.until(1_000);
            assert_eq!(night.ended.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [10, 10], "{act:?}");
            assert_eq!(night.calls().len(), 2, "nobody is called after it");
            assert_eq!(night.count("page_unhelpful"), usize::from(act == Act::Unhelpful));
        }
    }

    #[test]
    fn escalate_goes_to_the_next_step_now_and_does_not_call_the_one_who_asked() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(5)), step(&["ana", "bo"], Some(5)), step(&["cy"], Some(5))], 0);
        night.fires("db");
        night.until(20);
        assert_eq!(night.asks("ana", Act::Escalate).reason, Reason::AskedToEscalate);
        assert_eq!((night.count("page_answered"), night.incident().state), (1, IncidentState::Triggered));
        night.until(319);
        night.has_rung(&[(0, "ana", false), (20, "bo", false), (140, "bo", true)]);
        night.until(320);
        assert_eq!(night.calls().last(), Some(&(320, "cy".to_owned(), false)));
    }

    #[test]
    fn escalate_after_an_answer_wakes_the_next_and_takes_the_lapse_away() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        night.until(60);
        night.asks("ana", Act::Escalate);
        assert_eq!(night.incident().state, IncidentState::Triggered);
        night.until(60);
        assert_eq!(night.calls().last(), Some(&(60, "bo".to_owned(), false)));
        night.until(2_000);
        assert_eq!(night.count("acknowledgement_lapsed"), 0);
    }

    #[test]
    fn escalate_past_the_last_step_wakes_everyone() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(5))], 0);
        night.fires("db");
        night.until(20);
        night.asks("ana", Act::Escalate);
        night.until(20);
        assert_eq!((night.count("policy_exhausted"), night.count("paged_wider")), (1, 1));
    }

    #[test]
    fn reopen_pages_again_and_what_is_over_or_open_is_left_alone() {
        let mut night = Trial::new();
        night.fires("db");
        assert_eq!(night.asks("ana", Act::Reopen).outcome, Outcome::Ignored);
        night.asks("ana", Act::Resolve);
        for (act, reason) in
            [(Act::Acknowledge, Reason::AlreadyResolved), (Act::Resolve, Reason::AlreadyResolved), (Act::Escalate, Reason::NotOpen)]
        {
            let verdict = night.asks("bo", act);
            assert_eq!((verdict.outcome, verdict.reason), (Outcome::Ignored, reason));
        }
        night.until(400);
        assert_eq!(night.asks("bo", Act::Reopen).outcome, Outcome::Reopened);
        night.until(400);
        assert_eq!(night.calls().last(), Some(&(400, "ana".to_owned(), false)));
        assert_eq!((night.incident().resolved_at, night.incident().resolved_by.clone()), (None, None));
    }

    #[test]
    fn a_command_about_nothing_says_so() {
        let mut night = Trial::new();
        assert_eq!(night.asks_on("ana", Act::Acknowledge, &IncidentId::from_text("inc_none")), Verdict::nothing());
    }
}
