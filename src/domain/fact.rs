//! What happened, past tense, append-only: the timeline and the audit. Rows change by folding facts and in no other way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::incident::{Hush, IncidentRole, Kind};
use super::inhibition::Inhibited;
use super::input::{Actor, CallEnd};
use super::reason::Reason;
use super::relevance::{Change, Relevance, Stream};
use super::setup::{Place, Severity, Step, Urgency};
use super::task::TaskChange;
use crate::base::id::{
    AlertId, AttemptId, ContactId, IncidentId, InhibitionId, IntegrationId, Number, PageId, PolicyId, RouteId, ServiceId, SilenceId,
    TaskId, UserId,
};
use crate::base::limits;
use crate::base::time::{Span, Time};

/// One fact of one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub incident: IncidentId,
    pub at: Time,
    pub actor: Actor,
    pub what: What,
}

/// Another incident, as it was called then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Other {
    pub incident: IncidentId,
    /// #0 for one that opened in the same decision, until it is stored.
    pub number: Number,
    pub title: String,
}

/// Alerts that change hands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// All of them, open or not.
    pub alerts: i64,
    /// Of these, the ones that hold, silenced or not.
    pub firing: i64,
    /// Of these, the ones that are silenced, and the silence of theirs that lasts longest.
    pub silenced: i64,
    pub silence: Option<Hush>,
    /// What inhibits some of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inhibited: Option<Inhibited>,
}

/// What happened. The names in snake case are the kinds of the timeline and do not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    IncidentOpened {
        service: ServiceId,
        title: String,
        severity: Severity,
        alert: AlertId,
        /// What the alerts that join it have in common.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        group: Option<Group>,
    },
    /// A rule took the signal that opened it: because of what, and which policy pages in place of its service's.
    IncidentRouted {
        rule: RouteId,
        because: String,
        policy: Option<PolicyId>,
    },
    /// Alerts of a service that depends on the incident's own are its symptoms, and join it.
    ServiceInvolved {
        service: ServiceId,
    },
    /// More incidents of its policy opened within a minute than are ordinary: this one takes in what would open after it.
    StormBegan {
        policy: PolicyId,
        incidents: u32,
    },
    /// What is new opens incidents of its own again.
    StormEnded,
    /// A person or a script said that there is one. Without a service nobody is paged by itself.
    IncidentDeclared {
        service: Option<ServiceId>,
        title: String,
        severity: Severity,
        kind: Kind,
        /// The recorded alert that was promoted.
        alert: Option<AlertId>,
    },
    /// Distinct alerts joined; several of one batch are one fact.
    AlertsJoined {
        count: i64,
        titles: Vec<String>,
    },
    /// Alerts that had been resolved fire again.
    AlertsRefired {
        count: i64,
        titles: Vec<String>,
    },
    /// Alerts of kinds that were never heard of before made the incident wake people.
    AlertsNew {
        count: i64,
        titles: Vec<String>,
        raised: Severity,
    },
    /// They come much faster than they ever did lately: of the fastest, how many signals came within the hour, and how many in its busiest
    /// hour before. `raised`: so that people are woken.
    AlertsRising {
        count: i64,
        titles: Vec<String>,
        signals: i64,
        busiest: i64,
        raised: Option<Severity>,
    },
    AlertsResolved {
        count: i64,
        titles: Vec<String>,
        /// Of these, the ones that were silenced.
        #[serde(default)]
        silenced: i64,
    },
    /// Alerts of the incident are covered by a silence now. They still hold.
    AlertsSilenced {
        count: i64,
        titles: Vec<String>,
        silence: SilenceId,
        until: Time,
        by: String,
        comment: String,
    },
    /// No silence covers them any more, and they still hold.
    AlertsUnsilenced {
        count: i64,
        titles: Vec<String>,
    },
    /// Another alert that fires explains them, by a rule: they page nobody for as long as it does. They still hold.
    AlertsInhibited {
        count: i64,
        titles: Vec<String>,
        rule: InhibitionId,
        /// The title of the alert that inhibits them.
        by: String,
    },
    /// What inhibited them fires no more, and they still hold.
    AlertsUninhibited {
        count: i64,
        titles: Vec<String>,
    },
    /// All its open alerts are inhibited, or silenced: nobody is paged for as long as that lasts.
    IncidentInhibited {
        rule: InhibitionId,
        by: String,
    },
    /// Alerts had fired for as long as their service waits to see whether they pass by themselves, and they had not.
    AlertsWaited {
        count: i64,
        titles: Vec<String>,
        waited: Span,
    },
    /// Alerts that find their incident only now: they began under a silence, which is over.
    AlertsOutlasted {
        count: i64,
        titles: Vec<String>,
        /// Whose silence it was.
        by: String,
    },
    /// Alerts come and go: they count as firing until they are steady. How often the one that does so most has changed, and in how long.
    AlertsFlapping {
        count: i64,
        titles: Vec<String>,
        changes: i64,
        within: Span,
    },
    /// They come and go no more. `is_over`: by their senders' last word they are over.
    AlertsSteady {
        count: i64,
        titles: Vec<String>,
        is_over: bool,
    },
    /// A silence of its alerts lasts longer than was told.
    SilenceExtended {
        silence: SilenceId,
        until: Time,
    },
    /// All its open alerts are silenced: nobody is paged for as long as that lasts.
    IncidentSilenced {
        silence: SilenceId,
        until: Time,
        by: String,
        comment: String,
    },
    /// Somebody said of an alert stream that it is noise, or relevant.
    RelevanceMarked {
        n: i64,
        stream: Stream,
        relevance: Relevance,
        /// What it is about, for people.
        about: String,
    },
    MarkTakenBack {
        n: i64,
        relevance: Relevance,
        about: String,
    },
    /// Alerts that are noise joined, fired again or were resolved: told to nobody.
    NoiseChanged {
        change: Change,
        count: i64,
        titles: Vec<String>,
        #[serde(default)]
        silenced: i64,
    },
    /// What was marked as noise is worse than the incident, and does not raise it.
    NoiseWorse {
        title: String,
        severity: Severity,
    },
    SeverityRaised {
        from: Severity,
        to: Severity,
    },
    /// By hand.
    SeverityChanged {
        from: Severity,
        to: Severity,
    },
    TitleChanged {
        title: String,
    },
    /// Somebody has the role now, or with `None` nobody.
    RoleChanged {
        role: IncidentRole,
        user: Option<UserId>,
    },
    NoteAdded {
        text: String,
        /// When it happened, where that was earlier than it was told.
        at: Option<Time>,
    },
    UpdatePosted {
        text: String,
    },
    TaskAdded {
        task: TaskId,
        n: i64,
        title: String,
        owner: Option<UserId>,
        back_at: Option<Time>,
    },
    TaskChanged {
        task: TaskId,
        n: i64,
        change: TaskChange,
    },
    /// A room is to be opened for it.
    RoomWanted {
        reason: Reason,
    },
    RoomOpened {
        room: String,
        name: String,
    },
    /// A step, or somebody, wants a place told. It never counts as reaching anyone.
    NoticeWanted {
        place: Place,
        reason: Reason,
    },
    /// Paging starts from the first step.
    PolicyStarted {
        policy: PolicyId,
        steps: Vec<Step>,
        repeat: u32,
        urgency: Urgency,
        reason: Reason,
    },
    StepStarted {
        round: u32,
        step: usize,
        users: Vec<UserId>,
        next_at: Option<Time>,
        reason: Reason,
    },
    StepSkipped {
        round: u32,
        step: usize,
        reason: Reason,
    },
    PolicyExhausted,
    /// The policy ran out: everyone is paged, again and again, until a human answers.
    PagedWider {
        users: Vec<UserId>,
        next_at: Time,
    },
    PageOpened {
        page: PageId,
        user: UserId,
        urgency: Urgency,
    },
    /// A step named somebody whose page is open: their rules start again in that page.
    PageRestarted {
        page: PageId,
        user: UserId,
        urgency: Urgency,
    },
    PageAnswered {
        page: PageId,
        user: UserId,
    },
    PageEnded {
        page: PageId,
        user: UserId,
        reason: Reason,
    },
    /// Everything that could be tried for this person was refused.
    PageFailed {
        page: PageId,
        user: UserId,
    },
    IncidentAcknowledged {
        lapses_at: Option<Time>,
    },
    /// A sign of life of those who work on it.
    AcknowledgementRenewed {
        lapses_at: Option<Time>,
    },
    AcknowledgementLapsed,
    /// The one who acknowledged was asked quietly whether they are still there.
    LapseAsked {
        lapses_at: Time,
    },
    IncidentSnoozed {
        until: Time,
    },
    SnoozeEnded,
    IncidentReassigned {
        to: UserId,
    },
    /// Somebody asked for people beside the policy.
    PageAsked {
        users: Vec<UserId>,
    },
    /// Its alerts are over; whether it is resolved, a person says.
    ResolveAsked {
        reason: Reason,
    },
    /// Alerts ended because their senders went silent: it stays open.
    IntegrationWentSilent {
        integration: IntegrationId,
    },
    /// Somebody asked for the next step.
    IncidentEscalated,
    IncidentResolved {
        reason: Reason,
    },
    IncidentReopened {
        reason: Reason,
    },
    /// It went into another incident: its alerts and its people are that one's.
    IncidentMerged {
        into: Other,
        reason: Reason,
    },
    /// Another incident went into it, with these alerts, services and incidents.
    IncidentTakenIn {
        other: Other,
        held: Held,
        services: BTreeSet<ServiceId>,
        took_in: BTreeSet<IncidentId>,
        joined_at: Time,
        reason: Reason,
    },
    /// A page goes on for the incident that this one went into: its rules and its call run on.
    PageLeft {
        page: PageId,
        user: UserId,
        other: Other,
    },
    PageTakenOver {
        page: PageId,
        user: UserId,
        urgency: Urgency,
        /// Every contact of this person was tried before, and none could be reached.
        failed: bool,
        other: Other,
    },
    /// The incident that it went into is over, and with it the alerts that it brought.
    EndedWith {
        other: Other,
    },
    /// Alerts went out of it, into an incident of their own; with `also` the incidents that go along.
    IncidentSplitOff {
        other: Other,
        held: Held,
        also: BTreeSet<IncidentId>,
    },
    /// It began with alerts of another incident.
    IncidentSplit {
        from: Other,
        service: ServiceId,
        title: String,
        severity: Severity,
        kind: Kind,
        held: Held,
    },
    /// It had gone into another incident, and is one of its own again, with the alerts that it brought.
    IncidentUnmerged {
        from: Other,
        held: Held,
    },
    /// One depends on what the other is about, and came shortly before it; whether they are one, a person says.
    LinkSuspected {
        other: Other,
        /// Whether the other is the cause.
        is_cause: bool,
    },
    IncidentReminded {
        next_at: Time,
    },
    /// A person said that this should not have woken them.
    PageUnhelpful {
        user: UserId,
    },

    // What became of the attempts for one page of the incident.
    AttemptPlaced {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
        reason: Reason,
    },
    AttemptAccepted {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
    },
    AttemptRejected {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
        reason: String,
    },
    AttemptUnknown {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
        reason: String,
    },
    AttemptWithdrawn {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
        reason: String,
    },
    PhoneRang {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
    },
    /// A message arrived, as far as its provider knows: not an answer.
    MessageDelivered {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
    },
    MessageUndelivered {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
        reason: String,
    },
    /// The person told us not to use this contact any more, or its provider did.
    ContactClosed {
        page: PageId,
        user: UserId,
        contact: ContactId,
        reason: String,
    },
    /// Picked up, perhaps by a machine: not an answer.
    PhonePickedUp {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
    },
    CallEnded {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
        how: CallEnd,
    },
    /// The provider took the call and then told nothing.
    CallSilent {
        page: PageId,
        user: UserId,
        contact: ContactId,
        attempt: AttemptId,
    },
    /// A call is due, and this person was called less than three minutes ago: it waits.
    CallHeld {
        page: PageId,
        user: UserId,
        contact: ContactId,
        until: Time,
    },
}

impl What {
    /// The other incident that it names.
    #[must_use]
    pub const fn other(&self) -> Option<&Other> {
        if let Self::IncidentMerged { into: other, .. }
        | Self::IncidentTakenIn { other, .. }
        | Self::PageLeft { other, .. }
        | Self::PageTakenOver { other, .. }
        | Self::EndedWith { other }
        | Self::IncidentSplitOff { other, .. }
        | Self::IncidentSplit { from: other, .. }
        | Self::IncidentUnmerged { from: other, .. }
        | Self::LinkSuspected { other, .. } = self
        {
            return Some(other);
        }
        None
    }

    pub const fn other_mut(&mut self) -> Option<&mut Other> {
        if let Self::IncidentMerged { into: other, .. }
        | Self::IncidentTakenIn { other, .. }
        | Self::PageLeft { other, .. }
        | Self::PageTakenOver { other, .. }
        | Self::EndedWith { other }
        | Self::IncidentSplitOff { other, .. }
        | Self::IncidentSplit { from: other, .. }
        | Self::IncidentUnmerged { from: other, .. }
        | Self::LinkSuspected { other, .. } = self
        {
            return Some(other);
        }
        None
    }

    /// Why an incident goes into another one or comes out of it by this, told once of the two.
    #[must_use]
    pub const fn regroups(&self) -> Option<Reason> {
        if let Self::IncidentTakenIn { reason, .. } = self {
            return Some(*reason);
        }
        if matches!(self, Self::IncidentUnmerged { .. }) {
            return Some(Reason::Unmerged);
        }
        if matches!(self, Self::IncidentSplit { .. }) { Some(Reason::SplitByHand) } else { None }
    }

    /// The kind in the timeline.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::IncidentOpened { .. } => "incident_opened",
            Self::IncidentRouted { .. } => "incident_routed",
            Self::ServiceInvolved { .. } => "service_involved",
            Self::StormBegan { .. } => "storm_began",
            Self::StormEnded => "storm_ended",
            Self::IncidentDeclared { .. } => "incident_declared",
            Self::SeverityChanged { .. } => "severity_changed",
            Self::TitleChanged { .. } => "title_changed",
            Self::RoleChanged { .. } => "role_changed",
            Self::NoteAdded { .. } => "note_added",
            Self::UpdatePosted { .. } => "update_posted",
            Self::TaskAdded { .. } => "task_added",
            Self::TaskChanged { .. } => "task_changed",
            Self::RoomWanted { .. } => "room_wanted",
            Self::RoomOpened { .. } => "room_opened",
            Self::NoticeWanted { .. } => "notice_wanted",
            Self::LapseAsked { .. } => "lapse_asked",
            Self::IncidentSnoozed { .. } => "incident_snoozed",
            Self::SnoozeEnded => "snooze_ended",
            Self::IncidentReassigned { .. } => "incident_reassigned",
            Self::PageAsked { .. } => "page_asked",
            Self::ResolveAsked { .. } => "resolve_asked",
            Self::IntegrationWentSilent { .. } => "integration_went_silent",
            Self::MessageDelivered { .. } => "message_delivered",
            Self::MessageUndelivered { .. } => "message_undelivered",
            Self::ContactClosed { .. } => "contact_closed",
            Self::AlertsJoined { .. } => "alerts_joined",
            Self::AlertsRefired { .. } => "alerts_refired",
            Self::AlertsResolved { .. } => "alerts_resolved",
            Self::AlertsSilenced { .. } => "alerts_silenced",
            Self::AlertsUnsilenced { .. } => "alerts_unsilenced",
            Self::RelevanceMarked { .. } => "relevance_marked",
            Self::MarkTakenBack { .. } => "mark_taken_back",
            Self::NoiseChanged { .. } => "noise_changed",
            Self::NoiseWorse { .. } => "noise_worse",
            Self::AlertsInhibited { .. } => "alerts_inhibited",
            Self::AlertsUninhibited { .. } => "alerts_uninhibited",
            Self::IncidentInhibited { .. } => "incident_inhibited",
            Self::AlertsWaited { .. } => "alerts_waited",
            Self::AlertsOutlasted { .. } => "alerts_outlasted",
            Self::AlertsNew { .. } => "alerts_new",
            Self::AlertsRising { .. } => "alerts_rising",
            Self::AlertsFlapping { .. } => "alerts_flapping",
            Self::AlertsSteady { .. } => "alerts_steady",
            Self::SilenceExtended { .. } => "silence_extended",
            Self::IncidentSilenced { .. } => "incident_silenced",
            Self::SeverityRaised { .. } => "severity_raised",
            Self::PolicyStarted { .. } => "policy_started",
            Self::StepStarted { .. } => "step_started",
            Self::StepSkipped { .. } => "step_skipped",
            Self::PolicyExhausted => "policy_exhausted",
            Self::PagedWider { .. } => "paged_wider",
            Self::PageOpened { .. } => "page_opened",
            Self::PageRestarted { .. } => "page_restarted",
            Self::PageAnswered { .. } => "page_answered",
            Self::PageEnded { .. } => "page_ended",
            Self::PageFailed { .. } => "page_failed",
            Self::IncidentAcknowledged { .. } => "incident_acknowledged",
            Self::AcknowledgementRenewed { .. } => "acknowledgement_renewed",
            Self::AcknowledgementLapsed => "acknowledgement_lapsed",
            Self::IncidentEscalated => "incident_escalated",
            Self::IncidentResolved { .. } => "incident_resolved",
            Self::IncidentReopened { .. } => "incident_reopened",
            Self::IncidentMerged { .. } => "incident_merged",
            Self::IncidentTakenIn { .. } => "incident_taken_in",
            Self::PageLeft { .. } => "page_left",
            Self::PageTakenOver { .. } => "page_taken_over",
            Self::EndedWith { .. } => "ended_with",
            Self::IncidentSplitOff { .. } => "incident_split_off",
            Self::IncidentSplit { .. } => "incident_split",
            Self::IncidentUnmerged { .. } => "incident_unmerged",
            Self::LinkSuspected { .. } => "link_suspected",
            Self::IncidentReminded { .. } => "incident_reminded",
            Self::PageUnhelpful { .. } => "page_unhelpful",
            Self::AttemptPlaced { .. } => "attempt_placed",
            Self::AttemptAccepted { .. } => "attempt_accepted",
            Self::AttemptRejected { .. } => "attempt_rejected",
            Self::AttemptUnknown { .. } => "attempt_unknown",
            Self::AttemptWithdrawn { .. } => "attempt_withdrawn",
            Self::PhoneRang { .. } => "phone_rang",
            Self::PhonePickedUp { .. } => "phone_picked_up",
            Self::CallEnded { .. } => "call_ended",
            Self::CallSilent { .. } => "call_silent",
            Self::CallHeld { .. } => "call_held",
        }
    }
}

/// Joins facts of one batch that tell the same of one incident: a thousand alerts that joined at once are one line of the timeline.
/// A fact is never moved past another kind of fact of its incident.
#[must_use]
pub fn coalesce(facts: Vec<Fact>) -> Vec<Fact> {
    let mut joined: Vec<Fact> = Vec::with_capacity(facts.len());
    let mut newest: std::collections::BTreeMap<IncidentId, usize> = std::collections::BTreeMap::new();
    for fact in facts {
        if let Some(at) = newest.get(&fact.incident)
            && let Some(earlier) = joined.get_mut(*at)
            && earlier.actor == fact.actor
            && earlier.at == fact.at
            && absorb(&mut earlier.what, &fact.what)
        {
            continue;
        }
        newest.insert(fact.incident.clone(), joined.len());
        joined.push(fact);
    }
    joined
}

fn add(count: &mut i64, titles: &mut Vec<String>, more: i64, others: &[String]) {
    *count += more;
    titles.extend(others.iter().cloned());
    titles.truncate(limits::INCIDENT_SAMPLES);
}

fn absorb(earlier: &mut What, later: &What) -> bool {
    match (earlier, later) {
        (What::AlertsJoined { count, titles }, What::AlertsJoined { count: more, titles: others })
        | (What::AlertsRefired { count, titles }, What::AlertsRefired { count: more, titles: others })
        | (What::AlertsUninhibited { count, titles }, What::AlertsUninhibited { count: more, titles: others })
        | (What::AlertsUnsilenced { count, titles }, What::AlertsUnsilenced { count: more, titles: others }) => {
            add(count, titles, *more, others);
            true
        }
        (
            What::AlertsResolved { count, titles, silenced },
            What::AlertsResolved { count: more, titles: others, silenced: silenced_more },
        ) => {
            add(count, titles, *more, others);
            *silenced += silenced_more;
            true
        }
        (What::AlertsSilenced { count, titles, silence, .. }, What::AlertsSilenced { count: more, titles: others, silence: other, .. })
            if silence == other =>
        {
            add(count, titles, *more, others);
            true
        }
        (
            What::NoiseChanged { change, count, titles, silenced },
            What::NoiseChanged { change: same, count: more, titles: others, silenced: silenced_more },
        ) if change == same => {
            add(count, titles, *more, others);
            *silenced += silenced_more;
            true
        }
        (
            What::AlertsInhibited { count, titles, rule, by },
            What::AlertsInhibited { count: more, titles: others, rule: other, by: title },
        ) if rule == other && by == title => {
            add(count, titles, *more, others);
            true
        }
        (What::AlertsWaited { count, titles, waited }, What::AlertsWaited { count: more, titles: others, waited: longer }) => {
            add(count, titles, *more, others);
            *waited = (*waited).max(*longer);
            true
        }
        (
            What::AlertsFlapping { count, titles, changes, within },
            What::AlertsFlapping { count: more, titles: others, changes: times, within: span },
        ) => {
            add(count, titles, *more, others);
            if times > changes {
                (*changes, *within) = (*times, *span);
            }
            true
        }
        (What::AlertsNew { count, titles, raised }, What::AlertsNew { count: more, titles: others, raised: to }) if raised == to => {
            add(count, titles, *more, others);
            true
        }
        (
            What::AlertsRising { count, titles, signals, busiest, raised },
            What::AlertsRising { count: more, titles: others, signals: faster, busiest: before, raised: to },
        ) if raised == to => {
            add(count, titles, *more, others);
            if faster > signals {
                (*signals, *busiest) = (*faster, *before);
            }
            true
        }
        (What::AlertsOutlasted { count, titles, by }, What::AlertsOutlasted { count: more, titles: others, by: other }) if by == other => {
            add(count, titles, *more, others);
            true
        }
        (What::AlertsSteady { count, titles, is_over }, What::AlertsSteady { count: more, titles: others, is_over: ends })
            if is_over == ends =>
        {
            add(count, titles, *more, others);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(incident: &str, at: i64, what: What) -> Fact {
        Fact { incident: IncidentId::from_text(incident), at: Time::from_seconds(at), actor: Actor::Reveille, what }
    }

    fn joined(n: i64) -> What {
        What::AlertsJoined { count: n, titles: vec![format!("host{n}")] }
    }

    #[test]
    fn equal_facts_of_one_moment_become_one_and_keep_their_order() {
        let resolved = || What::AlertsResolved { count: 1, titles: Vec::new(), silenced: 0 };
        let facts = vec![
            fact("a", 1, joined(1)),
            fact("b", 1, joined(7)),
            fact("a", 1, joined(2)),
            fact("a", 1, resolved()),
            fact("a", 1, joined(4)),
            fact("a", 2, joined(8)),
        ];
        let counts: Vec<(String, i64)> = coalesce(facts)
            .into_iter()
            .map(|fact| match fact.what {
                What::AlertsJoined { count, .. } => (fact.incident.to_string(), count),
                other => (other.kind().to_owned(), 0),
            })
            .collect();
        let expected = [("a", 3), ("b", 7), ("alerts_resolved", 0), ("a", 4), ("a", 8)];
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
    }

    #[test]
    fn a_joined_fact_keeps_a_few_titles() {
        let all = coalesce((0..100).map(|n| fact("a", 1, joined(n))).collect());
        let [Fact { what: What::AlertsJoined { titles, .. }, .. }] = all.as_slice() else { panic!("one fact") };
        assert_eq!(titles.len(), limits::INCIDENT_SAMPLES);
    }
}
