//! What may be told as the reason of what.

use reveille::domain::fact::{Fact, What};
use reveille::domain::input::{Act, Command, Input, Scope, Timer};
use reveille::domain::reason::Reason;

use super::merge;
use super::watch::ensure;

/// Promise 12: the reason that is told is one that this input can have.
pub fn fits(fact: &Fact, input: Option<&Input>) -> Result<(), String> {
    let act = match input {
        Some(Input::Command(Command { act, .. })) => Some(act),
        _ => None,
    };
    let woken = match input {
        Some(Input::Wake { scope: Scope::Incident(_), timer }) => Some(*timer),
        _ => None,
    };
    let holds = match &fact.what {
        // Where there is no policy to start, that is the reason.
        What::PolicyStarted { reason: Reason::PolicyGone | Reason::NoService, .. } => true,
        What::PolicyStarted { reason, .. } => match (input, act, woken) {
            // Signals come in batches without an input of their own.
            (None, _, _) => matches!(
                reason,
                Reason::IncidentOpened
                    | Reason::SeverityRaised
                    | Reason::FirstOfItsKind
                    | Reason::Rising
                    | Reason::StillFiring
                    | Reason::FiredAgain
                    | Reason::SilenceEnded
                    | Reason::MaintenanceOver
                    | Reason::InhibitionOver
                    | Reason::OthersFire
                    | Reason::StormGoesOn
                    | Reason::TookIn
            ),
            (Some(Input::Declare(_)), _, _) => matches!(reason, Reason::DeclaredByHand | Reason::PromotedByHand),
            (_, Some(act), _) if merge::is_regrouping(input) => merge::starts(act, *reason),
            (_, Some(Act::Escalate), _) => *reason == Reason::AskedToEscalate,
            (_, Some(Act::Reopen), _) => *reason == Reason::Reopened,
            (_, Some(Act::Reassign { .. }), _) => *reason == Reason::Reassigned,
            (_, Some(Act::SetSeverity { .. }), _) => matches!(reason, Reason::SeverityRaised | Reason::SeverityLowered),
            (_, _, Some(Timer::Silence)) => matches!(reason, Reason::SilenceEnded | Reason::MaintenanceOver),
            (_, _, Some(Timer::Lapse)) => matches!(reason, Reason::SnoozeEnded | Reason::AcknowledgementLapsed),
            _ => false,
        },
        What::StepStarted { reason, .. } => match reason {
            Reason::NobodyAnswered => woken == Some(Timer::Escalate),
            Reason::AskedToEscalate => act == Some(&Act::Escalate),
            Reason::LowUrgencyReminder => woken == Some(Timer::Remind),
            Reason::StepBegan => woken != Some(Timer::Escalate),
            // Signals come in batches: what nobody answered is back.
            Reason::FiredAgain | Reason::StillFiring => input.is_none(),
            _ => false,
        },
        What::StepSkipped { reason, .. } => matches!(reason, Reason::NobodyInStep | Reason::OnlyPlacesInStep),
        What::PageEnded { reason, .. } => match reason {
            Reason::Acknowledged => {
                matches!(act, Some(Act::Acknowledge | Act::Unhelpful | Act::Snooze { .. } | Act::Reassign { .. }))
                    || merge::is_regrouping(input)
            }
            Reason::AcknowledgedAtSender => input.is_none(),
            Reason::Merged => input.is_none() || matches!(act, Some(Act::Merge { .. })),
            Reason::Silenced | Reason::InMaintenance | Reason::Inhibited => {
                input.is_none()
                    || merge::is_regrouping(input)
                    || woken == Some(Timer::Lapse)
                    || matches!(act, Some(Act::SetSeverity { .. }))
            }
            Reason::Reassigned => matches!(act, Some(Act::Reassign { .. })),
            Reason::SeverityLowered => matches!(act, Some(Act::SetSeverity { .. })),
            Reason::Resolved => input.is_none() || matches!(act, Some(Act::Resolve | Act::Unmerge)),
            _ => false,
        },
        _ => true,
    };
    ensure(holds, || format!("promise 12: {:?} follows from {input:?}", fact.what))
}
