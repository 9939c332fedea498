//! What people ask for, through any door: acknowledge, resolve, escalate, reopen.

use super::decide::{Draft, Outcome, Verdict};
use super::escalation;
use super::fact::What;
use super::incident::IncidentState;
use super::input::{Act, Actor, Command, Timer};
use super::reason::Reason;
use crate::base::id::IncidentId;

/// Does what is asked, if there is anything left to do.
pub(super) fn obey(draft: &mut Draft, command: &Command) -> Verdict {
    let id = &command.incident;
    let Some(state) = draft.incident(id).map(|incident| incident.state) else { return Verdict::nothing() };
    let verdict = match command.act {
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
    };
    verdict.about(None, Some(id.clone()))
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
