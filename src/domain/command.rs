//! What people ask for, through any door: acknowledge, resolve, escalate, reopen; and what they write down.

use super::decide::{Draft, Outcome, Verdict};
use super::fact::What;
use super::incident::{Incident, IncidentRole, IncidentState, Kind};
use super::input::{Act, Actor, Command, Timer};
use super::reason::Reason;
use super::task::TaskChange;
use super::{ask, escalation, merge, relevance, severity, snooze};
use crate::base::id::{IncidentId, TaskId, UserId};

/// Does what is asked, if there is anything left to do.
pub(super) fn obey(draft: &mut Draft, command: &Command) -> Verdict {
    let id = &command.incident;
    let Some(state) = draft.incident(id).map(|incident| incident.state) else { return Verdict::nothing() };
    let actor = &command.actor;
    let verdict = match &command.act {
        Act::Acknowledge => acknowledge(draft, id, actor),
        Act::Unhelpful => {
            if let Some(user) = actor.user() {
                draft.record(id, actor, What::PageUnhelpful { user: user.clone() });
            }
            acknowledge(draft, id, actor)
        }
        Act::Resolve => match state {
            IncidentState::Triggered | IncidentState::Acknowledged => {
                escalation::resolve(draft, id, actor, Reason::ResolvedByHand, None);
                Verdict::of(Outcome::Resolved, Reason::ResolvedByHand)
            }
            IncidentState::Resolved => Verdict::of(Outcome::Ignored, Reason::AlreadyResolved),
        },
        Act::Escalate => match state {
            IncidentState::Triggered | IncidentState::Acknowledged => escalate(draft, id, actor),
            IncidentState::Resolved => Verdict::of(Outcome::Ignored, Reason::NotOpen),
        },
        Act::Reopen => match state {
            IncidentState::Resolved if draft.incident(id).is_some_and(|incident| incident.response.merged_into.is_some()) => {
                Verdict::of(Outcome::Ignored, Reason::MergedAlready)
            }
            IncidentState::Resolved => {
                draft.record(id, actor, What::IncidentReopened { reason: Reason::Reopened });
                escalation::start(draft, id, Reason::Reopened);
                Verdict::of(Outcome::Reopened, Reason::Reopened)
            }
            IncidentState::Triggered | IncidentState::Acknowledged => Verdict::of(Outcome::Ignored, Reason::NothingToDecide),
        },
        Act::Reassign { to } => ask::reassign(draft, id, state, actor, to),
        Act::Snooze { until } => snooze::snooze(draft, id, state, actor, *until),
        Act::Page { whom } => ask::page(draft, id, state, actor, whom),
        Act::SetSeverity { to } => severity::set(draft, id, actor, *to),
        Act::SetRole { role, user } => set_role(draft, id, actor, *role, user.as_ref()),
        Act::SetTitle { title } => {
            draft.record(id, actor, What::TitleChanged { title: title.clone() });
            done(draft, id, actor)
        }
        Act::AddNote { text, at } => {
            draft.record(id, actor, What::NoteAdded { text: text.clone(), at: *at });
            done(draft, id, actor)
        }
        Act::PostUpdate { text } => {
            draft.record(id, actor, What::UpdatePosted { text: text.clone() });
            done(draft, id, actor)
        }
        Act::AddTask { title, owner, back_at } => {
            let n = draft.incident(id).map_or(0, |incident| incident.response.tasks) + 1;
            let task = TaskId::make(&mut draft.moment.ids);
            let added = What::TaskAdded { task, n, title: title.clone(), owner: owner.clone(), back_at: *back_at };
            draft.record(id, actor, added);
            done(draft, id, actor)
        }
        Act::ChangeTask { n, change } => change_task(draft, id, actor, *n, change),
        Act::Mark { stream, relevance, about } => relevance::mark(draft, id, actor, stream, *relevance, about),
        Act::Unmark { n } => relevance::unmark(draft, id, actor, *n),
        Act::Merge { into } => merge::merge(draft, id, actor, into),
        Act::Unmerge => merge::unmerge(draft, id, actor),
        Act::Split { alerts, title } => return merge::split(draft, id, actor, alerts, title.as_deref()),
        Act::SignOfLife => done(draft, id, actor),
    };
    verdict.about(None, Some(id.clone()))
}

/// What was asked for stands in the timeline. Whoever does something about an acknowledged incident gives a sign of life by it.
fn done(draft: &mut Draft, id: &IncidentId, actor: &Actor) -> Verdict {
    sign_of_life(draft, id, actor);
    Verdict::of(Outcome::Recorded, Reason::AskedFor)
}

/// The acknowledgement holds from now on anew. A script is alive whether anybody is or not.
pub(super) fn sign_of_life(draft: &mut Draft, id: &IncidentId, actor: &Actor) {
    if actor.user().is_some() {
        renew(draft, id, actor);
    }
}

/// Moves the lapse of an acknowledgement, where it has one or should have one. A snooze has its own end.
pub(super) fn renew(draft: &mut Draft, id: &IncidentId, actor: &Actor) {
    let Some(incident) = draft.incident(id) else { return };
    let lapses_at = escalation::lapses_at(draft, id);
    if incident.state != IncidentState::Acknowledged || incident.response.snoozed_until.is_some() || incident.lapses_at == lapses_at {
        return;
    }
    draft.record(id, actor, What::AcknowledgementRenewed { lapses_at });
    escalation::hold(draft, id, lapses_at);
}

fn set_role(draft: &mut Draft, id: &IncidentId, actor: &Actor, role: IncidentRole, user: Option<&UserId>) -> Verdict {
    if draft.incident(id).is_some_and(|incident| incident.response.roles.get(&role) == user) {
        return Verdict::of(Outcome::Ignored, Reason::NothingToDecide);
    }
    if user.is_some_and(|user| !draft.setup.users.contains_key(user)) {
        return Verdict::of(Outcome::Ignored, Reason::NoSuchUser);
    }
    draft.record(id, actor, What::RoleChanged { role, user: user.cloned() });
    done(draft, id, actor)
}

fn change_task(draft: &mut Draft, id: &IncidentId, actor: &Actor, n: i64, change: &TaskChange) -> Verdict {
    let Some(task) = draft.desk.tasks.get(&n) else { return Verdict::of(Outcome::Ignored, Reason::NoSuchTask) };
    let (task, change) = (task.id.clone(), task.difference(change));
    if change.is_empty() {
        return Verdict::of(Outcome::Ignored, Reason::NothingToDecide);
    }
    draft.record(id, actor, What::TaskChanged { task, n, change });
    done(draft, id, actor)
}

/// Stops every page, those asked for by hand too. Who has an incident already keeps it, and has given a sign of life.
pub(super) fn acknowledge(draft: &mut Draft, id: &IncidentId, actor: &Actor) -> Verdict {
    let Some(incident) = draft.incident(id) else { return Verdict::nothing() };
    match incident.state {
        IncidentState::Triggered => {
            take(draft, id, actor);
            Verdict::of(Outcome::Acknowledged, Reason::Acknowledged)
        }
        IncidentState::Acknowledged => {
            let has_answered = actor.user().is_some_and(|user| incident.page_of(user).is_some());
            escalation::end_pages(draft, id, actor, Reason::Acknowledged);
            draft.set(id, Timer::Escalate, None);
            sign_of_life(draft, id, actor);
            let outcome = if has_answered { Outcome::Acknowledged } else { Outcome::Ignored };
            Verdict::of(outcome, Reason::AlreadyAcknowledged)
        }
        IncidentState::Resolved => Verdict::of(Outcome::Ignored, Reason::AlreadyResolved),
    }
}

/// Who gives it to themselves has it from now on, whoever had it before.
pub(super) fn take_over(draft: &mut Draft, id: &IncidentId, actor: &Actor) -> Verdict {
    let is_anothers =
        |incident: &Incident| incident.state == IncidentState::Acknowledged && incident.acknowledged_by.as_ref() != Some(actor);
    if draft.incident(id).is_some_and(is_anothers) {
        take(draft, id, actor);
        return Verdict::of(Outcome::Acknowledged, Reason::Acknowledged);
    }
    acknowledge(draft, id, actor)
}

/// It is theirs from now on, and nobody else is paged for it.
pub(super) fn take(draft: &mut Draft, id: &IncidentId, actor: &Actor) {
    let lapses_at = escalation::lapses_at(draft, id);
    draft.record(id, actor, What::IncidentAcknowledged { lapses_at });
    let reason = match actor {
        Actor::Integration(_) => Reason::AcknowledgedAtSender,
        Actor::User(_) | Actor::Token(_) | Actor::Reveille => Reason::Acknowledged,
    };
    escalation::end_pages(draft, id, actor, reason);
    escalation::clear_timers(draft, id);
    escalation::hold(draft, id, lapses_at);
}

/// The next step now. Who asks for it has answered: they are not called again for it.
fn escalate(draft: &mut Draft, id: &IncidentId, actor: &Actor) -> Verdict {
    let Some(incident) = draft.incident(id) else { return Verdict::nothing() };
    if incident.kind != Kind::Real {
        return Verdict::of(Outcome::Ignored, Reason::OnlyWhomItNames);
    }
    let Some(urgency) = incident.severity.urgency() else { return Verdict::of(Outcome::Ignored, Reason::PagesNobody) };
    // Where the severity was changed by hand meanwhile, the steps of the other urgency say nothing.
    let goes_on = incident.run.as_ref().is_some_and(|run| run.urgency == urgency);
    let own = actor.user().and_then(|user| incident.page_of(user)).cloned();
    draft.record(id, actor, What::IncidentEscalated);
    escalation::hold(draft, id, None);
    if let Some(page) = own {
        draft.record(id, actor, What::PageAnswered { page: page.id, user: page.user.clone() });
        draft.nudge(&page.user);
    }
    if goes_on {
        escalation::next(draft, id, Reason::AskedToEscalate, actor.user());
    } else {
        escalation::start_but(draft, id, Reason::AskedToEscalate, actor.user());
    }
    Verdict::of(Outcome::Recorded, Reason::AskedToEscalate)
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
        // Everyone but the one who asked and is awake, until the next time.
        night.until(919);
        assert!(night.calls().iter().all(|(at, who, _)| *at < 20 || who != "ana"), "{:?}", night.calls());
        assert_eq!(night.asks("bo", Act::Escalate).reason, Reason::AskedToEscalate);
        night.until(920 + 899);
        assert_eq!(night.seconds_of("paged_wider"), [20, 919, 1_819]);
        let first: Vec<_> = night.calls().into_iter().filter(|(at, _, again)| (919..1_819).contains(at) && !again).collect();
        assert_eq!(first.iter().map(|(_, who, _)| who.as_str()).collect::<Vec<_>>(), ["ana", "cy"]);
    }

    #[test]
    fn who_escalates_what_has_no_policy_on_its_way_is_not_called_by_it() {
        // Declared with no service to take; or lowered and raised by hand, so that another policy begins.
        let mut night = Trial::new();
        night.setup.services.insert("shop".into(), super::super::setup::Service::new("shop".into(), "nights".into()));
        let declare = super::super::input::Declare {
            actor: Actor::User("ana".into()),
            via: super::super::input::Via::Web,
            title: "the checkout is slow".to_owned(),
            severity: None,
            service: None,
            kind: Kind::Real,
            alert: None,
        };
        night.declares(&declare);
        night.asks("ana", Act::Escalate);
        night.until(899);
        assert!(!night.calls().is_empty() && night.calls().iter().all(|(_, who, _)| who != "ana"), "{:?}", night.calls());

        let mut night = Trial::new();
        night.fires_as("db", super::super::setup::AlertSeverity::Warning);
        night.asks("ana", Act::Acknowledge);
        night.asks("ana", Act::SetSeverity { to: super::super::setup::Severity::Sev2 });
        night.asks("ana", Act::Escalate);
        night.until(299);
        assert_eq!(night.calls(), [(0, "bo".to_owned(), false), (120, "bo".to_owned(), true)]);
    }

    #[test]
    fn who_escalates_alone_is_not_called_back_for_it_at_once() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(5))], 0);
        night.setup.users.retain(|id, _| id.as_str() == "ana");
        night.fires("db");
        night.until(20);
        night.asks("ana", Act::Escalate);
        night.until(920);
        night.has_rung(&[(0, "ana", false), (920, "ana", false)]);
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
    fn a_script_that_acknowledges_again_and_again_does_not_move_the_lapse() {
        let mut night = Trial::new();
        night.fires("db");
        night.asks("ana", Act::Acknowledge);
        for minute in 1..30 {
            night.until(60 * minute);
            assert_eq!(night.script(Act::Acknowledge).reason, Reason::AlreadyAcknowledged);
        }
        night.until(1_800);
        assert_eq!((night.incident().state, night.count("acknowledgement_renewed")), (IncidentState::Triggered, 0));
        assert_eq!(night.calls().last(), Some(&(1_800, "ana".to_owned(), false)));
    }

    #[test]
    fn a_command_about_nothing_says_so() {
        let mut night = Trial::new();
        assert_eq!(night.asks_on("ana", Act::Acknowledge, &IncidentId::from_text("inc_none")), Verdict::nothing());
    }
}
