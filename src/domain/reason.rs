//! Why. Every decision carries one; it is stored, shown and counted.

use serde::{Deserialize, Serialize};

/// Why something was done or not done. The names in snake case are stored and do not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // What became of a signal.
    NewCondition,
    JoinedGroup,
    SameGroup,
    SymptomOfCause,
    StormBegan,
    StormUmbrella,
    StormGoesOn,
    StormOver,
    JustRecords,
    AlreadyFiring,
    FiredAgain,
    StillFiring,
    QuietAfterResolve,
    ConditionOver,
    OlderThanLastChange,
    NotFiring,
    ResolvedBeforeItFired,
    NothingToDecide,
    SomethingChanged,
    CannotBeRead,
    IntegrationGone,
    Silenced,
    InMaintenance,
    Inhibited,
    OthersFire,
    WaitsToPass,
    PassedByItself,
    Flapping,
    SteadyAgain,

    NoSuchTask,
    NoSuchUser,
    NoSuchPolicy,
    NoSuchService,
    NoSuchAlert,
    AlreadyIncident,
    SnoozePast,
    SnoozeTooLong,
    OnlyWhomItNames,
    PagesNobody,
    AskedFor,

    // Why paging started, went on or stopped.
    IncidentOpened,
    DeclaredByHand,
    PromotedByHand,
    SnoozeEnded,
    SilenceEnded,
    MaintenanceOver,
    InhibitionOver,
    Reassigned,
    PageAsked,
    AskedBeforeLapse,
    AcknowledgedAtSender,
    UnacknowledgedAtSender,
    OtherAlertsFire,
    Expired,
    ClosedByAge,
    IntegrationSilent,
    NobodyToPage,
    OnlyPlacesInStep,
    ContactClosed,
    SeverityRaised,
    RaisedByHand,
    SeverityLowered,
    NoService,
    AcknowledgementLapsed,
    Reopened,
    StepBegan,
    NobodyAnswered,
    AskedToEscalate,
    NobodyInStep,
    PolicyGone,
    Exhausted,
    Acknowledged,
    AlreadyAcknowledged,
    Resolved,
    AlreadyResolved,
    AllAlertsResolved,
    ResolvedByHand,
    NotOpen,
    LowUrgencyReminder,

    // Why a person was called just then.
    RuleDue,
    NoRuleSoVoice,
    SecondCallOfChain,
    OtherContactRefused,
    OutcomeStaysUnknown,
    TriedAgain,
    NobodyWantsIt,
    NothingDue,
    Told,
}

impl Reason {
    /// The stored word.
    ///
    /// # Panics
    /// Never: a unit variant always becomes a string.
    #[must_use]
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            Ok(_) | Err(_) => unreachable!("a unit variant becomes a string"),
        }
    }

    /// What kept a signal from calling anybody, or from ending what it was about, in one word; `None` where nothing did.
    #[must_use]
    pub fn held_by(self) -> Option<&'static str> {
        let words = [
            (Self::Silenced, "silence"),
            (Self::InMaintenance, "maintenance"),
            (Self::Inhibited, "inhibition"),
            (Self::WaitsToPass, "quiet"),
            (Self::PassedByItself, "passed"),
            (Self::Flapping, "flapping"),
        ];
        words.into_iter().find(|(reason, _)| *reason == self).map(|(_, word)| word)
    }

    /// As a person reads it.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NewCondition => "no open incident of this service was near enough to join",
            Self::JoinedGroup => "it came within the service's group window of the last alert that joined",
            Self::SameGroup => "it has in common what its service groups alerts by, and came within the group window",
            Self::SymptomOfCause => "its service depends on the incident's service, and it came within that one's group window",
            Self::StormBegan => {
                "with it, more incidents of its policy opened within a minute than are ordinary: it takes in what comes next"
            }
            Self::StormUmbrella => "its policy has a storm, and one incident takes in all that would open",
            Self::StormGoesOn => "the storm goes on, and another alert came under its umbrella",
            Self::StormOver => "for five minutes no more incidents opened than are ordinary",
            Self::JustRecords => "its severity is recorded and pages nobody",
            Self::AlreadyFiring => "the same condition is firing already",
            Self::FiredAgain => "the condition came back soon after it was resolved",
            Self::StillFiring => "it still fires after a person resolved the incident",
            Self::QuietAfterResolve => "a person resolved the incident less than two minutes before",
            Self::ConditionOver => "the sender says it is over",
            Self::OlderThanLastChange => "it is older than the last change the sender told of",
            Self::NotFiring => "no such condition is firing",
            Self::ResolvedBeforeItFired => "the sender had resolved it before this older message came",
            Self::NothingToDecide => "the sender only tells, and nothing follows from it",
            Self::SomethingChanged => "something was changed on purpose, which wakes nobody",
            Self::CannotBeRead => "the body could not be read",
            Self::IntegrationGone => "its integration is not configured any more",
            Self::Silenced => "a silence covers it",
            Self::InMaintenance => "maintenance covers it",
            Self::Inhibited => "another alert that fires explains it",
            Self::OthersFire => "an alert joined that no silence covers",
            Self::SilenceEnded => "no silence covers it any more, and it still fires",
            Self::MaintenanceOver => "the maintenance under which it began is over",
            Self::InhibitionOver => "what explained it fires no more",
            Self::WaitsToPass => "its service waits to see whether it passes by itself",
            Self::PassedByItself => "it was over before its service would have called anybody",
            Self::Flapping => "it comes and goes, so it counts as firing until it has been steady for a while",
            Self::SteadyAgain => "it has been steady for long enough to be taken at its word",
            Self::NoSuchTask => "the incident has no task of that number",
            Self::NoSuchUser => "there is no such user",
            Self::NoSuchPolicy => "there is no such policy",
            Self::NoSuchService => "there is no such service",
            Self::NoSuchAlert => "there is no such alert",
            Self::AlreadyIncident => "the alert belongs to an incident already",
            Self::SnoozePast => "that time has passed already",
            Self::SnoozeTooLong => "a snooze lasts seven days at most",
            Self::OnlyWhomItNames => "a drill or a test pages only whom it names",
            Self::PagesNobody => "its severity pages nobody",
            Self::AskedFor => "somebody asked for it",
            Self::DeclaredByHand => "a person declared it",
            Self::PromotedByHand => "a person made an incident of a recorded alert",
            Self::SnoozeEnded => "the snooze is over",
            Self::Reassigned => "it was given to somebody else",
            Self::PageAsked => "somebody asked for this person",
            Self::AskedBeforeLapse => "the acknowledgement lapses in five minutes",
            Self::AcknowledgedAtSender => "it was acknowledged at its sender",
            Self::UnacknowledgedAtSender => "its acknowledgement was taken back at its sender",
            Self::OtherAlertsFire => "other alerts of the incident fire as well, so what its sender says is only noted",
            Self::Expired => "its sender said until when it holds, and that has passed",
            Self::ClosedByAge => "nothing was heard of it for as long as its service allows",
            Self::IntegrationSilent => "its whole integration went silent",
            Self::NobodyToPage => "it pages nobody by itself: whoever declared it has it, and page asks for others",
            Self::RaisedByHand => "a person raised the severity: it stays acknowledged, and page asks for others",
            Self::SeverityLowered => "the severity was lowered",
            Self::NoService => "it has no service, so no policy",
            Self::OnlyPlacesInStep => "the step names only places, and telling a place reaches nobody",
            Self::ContactClosed => "this contact was closed to us",
            Self::IncidentOpened => "the incident opened",
            Self::SeverityRaised => "the severity was raised",
            Self::AcknowledgementLapsed => "nobody gave a sign of life after acknowledging",
            Self::Reopened => "the incident was reopened",
            Self::StepBegan => "the policy's step began",
            Self::NobodyAnswered => "nobody answered in time",
            Self::AskedToEscalate => "somebody asked for the next step",
            Self::NobodyInStep => "nobody is left to call in this step",
            Self::PolicyGone => "the service's policy does not exist any more",
            Self::Exhausted => "no step of the policy is left, and nobody has acknowledged",
            Self::Acknowledged => "it was acknowledged",
            Self::AlreadyAcknowledged => "it is acknowledged already",
            Self::Resolved => "the incident was resolved",
            Self::AlreadyResolved => "it is resolved already",
            Self::AllAlertsResolved => "its last firing alert was resolved by the sender",
            Self::ResolvedByHand => "a person resolved it",
            Self::NotOpen => "the incident is not open",
            Self::LowUrgencyReminder => "it is still open, and low urgency reminds once a day",
            Self::RuleDue => "the person's own rule was due",
            Self::NoRuleSoVoice => "the person has no rule for this urgency",
            Self::SecondCallOfChain => "no key was pressed in the first call, and phones let a second one through",
            Self::OtherContactRefused => "another contact could not be reached",
            Self::OutcomeStaysUnknown => "whether the last one left could not be found out",
            Self::TriedAgain => "the provider refused before",
            Self::NobodyWantsIt => "nobody wants this page any more",
            Self::NothingDue => "nothing was due",
            Self::Told => "the provider told",
        }
    }
}
