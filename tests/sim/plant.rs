//! Planted bugs: the world must notice each of them. They twist what goes into `decide` or what comes out of it.

use reveille::base::id::PageId;
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState, Hold, Key};
use reveille::domain::decide::{Decision, Desk, Outcome, State};
use reveille::domain::effect::Effect;
use reveille::domain::fact::{Fact, What};
use reveille::domain::incident::Incident;
use reveille::domain::inhibition;
use reveille::domain::input::{Act, Actor, Command, Declare, Input, News, Report, Scope, Timer};
use reveille::domain::novelty::{KindState, Rise};
use reveille::domain::reason::Reason;
use reveille::domain::setup::Urgency;

use super::world::Rows;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A step starts and nobody looks again.
    NoEscalation,
    /// An acknowledgement leaves the pages wanted.
    PagesOutliveTheAnswer,
    /// Whoever picks up has answered: voicemail too.
    PickedUpIsAnAnswer,
    /// Three minutes between chains: forgotten.
    NoBar,
    /// The repeat comes a minute early.
    EarlyRepeat,
    /// A fact is not recorded.
    LostFact,
    /// A decided call never reaches the outbox.
    LostCall,
    /// Nobody tells the person's transaction that something changed.
    LostNudge,
    /// Calls that nobody wants ring on.
    NoEndCall,
    /// A wake-up is set to the present, again and again.
    Spinning,
    /// Every new alert opens an incident of its own.
    NoGrouping,
    /// A repeated signal is not counted.
    LostCount,
    /// An acknowledgement lasts for ever.
    NoLapse,
    /// A snooze never ends.
    EndlessSnooze,
    /// An incident is given to somebody who is not called.
    GivenToNobody,
    /// A declared incident pages nobody.
    DeclaredToNobody,
    /// Whoever declares is called by it.
    DeclarerIsCalled,
    /// Those asked for by hand are paged once and forgotten.
    AskedOnce,
    /// The quiet policy starts, and whoever was asked for by hand is forgotten.
    QuietForgets,
    /// The quiet policy makes the page quiet of somebody who was asked for by hand.
    MadeQuiet,
    /// A worse alert leaves the incident as it was.
    NoRaise,
    /// A worse alert raises the incident, and its policy does not start again.
    RaisedInSilence,
    /// Who asks for the next step is called by it.
    AskerIsCalled,
    /// Everyone is paged, but nobody is named.
    WiderToNobody,
    /// A reason that is not the reason.
    WrongReason,
    /// A sender's acknowledgement is noted each time it comes.
    NotedAgain,
    /// A silence is over, and what it covered is never heard again.
    SilencedForEver,
    /// What is silenced pages.
    PagesThroughSilence,
    /// An incident is silenced, and nothing wakes it should nobody see the end.
    HushedForEver,
    /// A new alert joins a silenced incident, and nobody is paged.
    JoinsInSilence,
    /// Alerts of different groups join one incident.
    MixedGroups,
    /// However many incidents open, none takes in the rest.
    NoUmbrella,
    /// A storm never ends.
    EndlessStorm,
    /// An alert has waited long enough, and nobody is called for it.
    WaitsForEver,
    /// Each repeat of an alert that waits begins the wait anew.
    WaitsAnew,
    /// What is to be waited for is not written down.
    WaitForgotten,
    /// What flaps is over as soon as its sender says so.
    FlapsFreely,
    /// What flapped stays as it was when it is steady.
    FlapsForEver,
    /// What comes back starts at the first step of its policy.
    StartsAgain,
    /// Whoever was called for what went into another incident is called no more.
    DroppedByMerge,
    /// What goes into another incident leaves its alerts behind.
    LeftBehind,
    /// An incident is over, and what went into it fires on.
    OutlivesItsHome,
    /// The alerts that are split off stay where they were.
    SplitOnPaper,
    /// Whatever comes has been heard of before.
    NothingNew,
    /// What explained an alert is over, and nobody looks at that.
    ExplainedForEver,
    /// What is explained pages.
    PagesThoughExplained,
    /// An alert explains others of its own kind.
    ExplainsItsKind,
    /// A turn of maintenance is over, and what it covered is told that a silence ended.
    MaintenanceUnnamed,
    /// A turn of maintenance goes on when it is over.
    MaintenanceOutlasts,
    /// However fast a key is heard of, it was never heard of before.
    NothingRises,
    /// What comes as fast as ever is told as a jump.
    AllRises,
    /// A rate jumps, its service asks to be woken for that, and it is only told.
    RisesInSilence,
}

impl Bug {
    pub const ALL: [Self; 49] = [
        Self::NoEscalation,
        Self::PagesOutliveTheAnswer,
        Self::PickedUpIsAnAnswer,
        Self::NoBar,
        Self::EarlyRepeat,
        Self::LostFact,
        Self::LostCall,
        Self::LostNudge,
        Self::NoEndCall,
        Self::Spinning,
        Self::NoGrouping,
        Self::LostCount,
        Self::NoLapse,
        Self::EndlessSnooze,
        Self::GivenToNobody,
        Self::DeclaredToNobody,
        Self::DeclarerIsCalled,
        Self::AskedOnce,
        Self::QuietForgets,
        Self::MadeQuiet,
        Self::NoRaise,
        Self::RaisedInSilence,
        Self::AskerIsCalled,
        Self::WiderToNobody,
        Self::WrongReason,
        Self::NotedAgain,
        Self::SilencedForEver,
        Self::PagesThroughSilence,
        Self::HushedForEver,
        Self::JoinsInSilence,
        Self::MixedGroups,
        Self::NoUmbrella,
        Self::EndlessStorm,
        Self::WaitsForEver,
        Self::WaitsAnew,
        Self::WaitForgotten,
        Self::FlapsFreely,
        Self::FlapsForEver,
        Self::StartsAgain,
        Self::DroppedByMerge,
        Self::LeftBehind,
        Self::OutlivesItsHome,
        Self::SplitOnPaper,
        Self::NothingNew,
        Self::ExplainedForEver,
        Self::PagesThoughExplained,
        Self::ExplainsItsKind,
        Self::MaintenanceUnnamed,
        Self::MaintenanceOutlasts,
    ];
    /// Those that need a past.
    pub const OF_A_DAY: [Self; 3] = [Self::NothingRises, Self::AllRises, Self::RisesInSilence];

    /// What `decide` is given.
    pub fn before(self, state: &mut State) {
        match (self, state) {
            (Self::NoBar, State::Person(person)) => person.chained_at = None,
            (Self::EarlyRepeat, State::Person(person)) => {
                if let Some(chain) = person.chain.as_mut().filter(|chain| chain.calls == 1) {
                    chain.started_at = chain.started_at - Span::seconds(20);
                }
            }
            (Self::NoGrouping, State::Desk(desk)) => {
                desk.newest.clear();
                desk.groups.clear();
            }
            (Self::MixedGroups, State::Desk(desk)) => {
                for ((service, _), incident) in &mut desk.groups {
                    desk.newest.get(service).into_iter().for_each(|newest| incident.clone_from(newest));
                }
            }
            (Self::NoUmbrella, State::Desk(desk)) => desk.openings.clear(),
            (Self::PagesThroughSilence, State::Desk(desk)) => desk.silences.clear(),
            (Self::NothingNew, State::Desk(desk)) => {
                let old = KindState { first_at: Time(0), last_at: Time(0), seen: 0 };
                desk.kinds.values_mut().for_each(|kind| *kind = Some(kind.unwrap_or(old)));
            }
            (Self::PagesThoughExplained, State::Desk(desk)) => desk.inhibitors.clear(),
            (Self::ExplainsItsKind, State::Desk(desk)) => desk.inhibitors.values_mut().for_each(|one| one.is_target = false),
            (Self::MaintenanceUnnamed, State::Desk(desk)) => {
                desk.silences.iter_mut().for_each(|silence| "ana".clone_into(&mut silence.created_by));
            }
            (Self::MaintenanceOutlasts, State::Desk(desk)) => {
                let turns = desk.silences.iter_mut().filter(|silence| silence.created_by.starts_with("maintenance"));
                turns.for_each(|turn| turn.ends_at += Span::minutes(20));
            }
            (Self::NothingRises, State::Desk(desk)) => desk.keys.values_mut().for_each(|state| state.rate = None),
            (Self::StartsAgain, State::Desk(desk)) => desk.incidents.values_mut().for_each(|incident| incident.response.left_at = None),
            (_, State::Person(_) | State::Desk(_)) => {}
        }
    }

    /// What `decide` has given.
    pub fn after(self, input: &Input, rows: &Rows, before: &State, decision: &mut Decision) {
        match self {
            Self::NoEscalation => decision.timers.retain(|set| set.timer != Timer::Escalate || set.due_at.is_none()),
            Self::EndlessSnooze => {
                if decision.facts.iter().any(|fact| matches!(fact.what, What::IncidentSnoozed { .. })) {
                    decision.timers.retain(|set| set.timer != Timer::Lapse || set.due_at.is_none());
                }
            }
            Self::GivenToNobody => {
                if decision.facts.iter().any(|fact| matches!(fact.what, What::IncidentReassigned { .. })) {
                    decision.facts.retain(|fact| !matches!(fact.what, What::PageOpened { .. }));
                    refold(before, decision);
                }
            }
            Self::DeclaredToNobody => {
                if matches!(input, Input::Declare(_)) {
                    decision.facts.retain(|fact| !matches!(fact.what, What::PageOpened { .. }));
                    refold(before, decision);
                }
            }
            Self::DeclarerIsCalled => {
                if let (Input::Declare(Declare { actor: Actor::User(user), .. }), Some(last)) = (input, decision.facts.last().cloned())
                    && last.what.kind() == "page_opened"
                {
                    let what = What::PageOpened { page: PageId::from_text("pag_more"), user: user.clone(), urgency: Urgency::High };
                    decision.facts.push(Fact { what, ..last });
                    refold(before, decision);
                }
            }
            Self::AskedOnce => {
                if decision.facts.iter().any(|fact| matches!(fact.what, What::PageAsked { .. })) {
                    decision.timers.retain(|set| set.timer != Timer::Escalate);
                }
            }
            Self::NoLapse => decision.timers.retain(|set| set.timer != Timer::Lapse),
            Self::PagesOutliveTheAnswer => {
                if decision.facts.iter().any(|fact| matches!(fact.what, What::IncidentAcknowledged { .. })) {
                    decision.facts.retain(|fact| !matches!(fact.what, What::PageEnded { .. } | What::PageAnswered { .. }));
                    refold(before, decision);
                }
            }
            Self::PickedUpIsAnAnswer => {
                if let (Input::Report(Report { news: News::PickedUp, .. }), State::Person(person)) = (input, &mut decision.state) {
                    person.chain = None;
                    person.pages.iter_mut().for_each(|page| page.plan.clear());
                }
            }
            Self::LostFact => decision.facts.retain(|fact| !matches!(fact.what, What::AlertsJoined { .. })),
            Self::LostCall => decision.effects.retain(|effect| !matches!(effect, Effect::PlacePage { second_call: true, .. })),
            Self::LostNudge => {
                if matches!(decision.state, State::Desk(_)) {
                    decision.timers.retain(|set| matches!(set.scope, Scope::Incident(_)));
                }
            }
            Self::NoEndCall => decision.effects.retain(|effect| !matches!(effect, Effect::EndCall { .. })),
            Self::Spinning => {
                for set in decision.timers.iter_mut().filter(|set| set.timer == Timer::Attend) {
                    set.due_at = set.due_at.map(|_| rows.now + Span::millis(1));
                }
            }
            Self::LostCount => {
                if let (Input::Signal(_), State::Desk(desk)) = (input, &mut decision.state) {
                    for alert in desk.keys.values_mut().filter_map(|key| key.alert.as_mut()).filter(|alert| alert.count == 2) {
                        alert.count = 1;
                    }
                }
            }
            Self::QuietForgets => {
                let is_quiet = |fact: &Fact| matches!(fact.what, What::PolicyStarted { urgency: Urgency::Low, .. });
                if decision.facts.iter().any(is_quiet) {
                    for set in decision.timers.iter_mut().filter(|set| set.timer == Timer::Escalate) {
                        set.due_at = None;
                    }
                }
            }
            Self::MadeQuiet => {
                let quiet = decision
                    .facts
                    .iter()
                    .find(|fact| matches!(fact.what, What::IncidentReminded { .. } | What::PolicyStarted { urgency: Urgency::Low, .. }));
                if let (Some(fact), State::Desk(desk)) = (quiet.cloned(), &decision.state)
                    && let Some(loud) = desk.incidents.get(&fact.incident).and_then(|incident| incident.loud_pages().next())
                {
                    let what = What::PageRestarted { page: loud.id.clone(), user: loud.user.clone(), urgency: Urgency::Low };
                    decision.facts.push(Fact { what, ..fact });
                    refold(before, decision);
                }
            }
            Self::NoRaise => {
                decision.facts.retain(|fact| !matches!(fact.what, What::SeverityRaised { .. }));
                refold(before, decision);
            }
            Self::RaisedInSilence => {
                if let Some(raised) = decision.facts.iter().position(|fact| matches!(fact.what, What::SeverityRaised { .. })) {
                    decision.facts.truncate(raised + 1);
                    decision.timers.clear();
                    refold(before, decision);
                }
            }
            Self::AskerIsCalled => {
                if let Input::Command(Command { act: Act::Escalate, actor: Actor::User(user), .. }) = input {
                    for fact in &mut decision.facts {
                        if let What::StepStarted { users, .. } | What::PagedWider { users, .. } = &mut fact.what {
                            users.push(user.clone());
                        }
                    }
                }
            }
            Self::WiderToNobody => {
                for fact in &mut decision.facts {
                    if let What::PagedWider { users, .. } = &mut fact.what {
                        users.clear();
                    }
                }
            }
            Self::WrongReason => {
                for fact in &mut decision.facts {
                    if let What::StepStarted { reason, .. } = &mut fact.what
                        && *reason == Reason::NobodyAnswered
                    {
                        *reason = Reason::StepBegan;
                    }
                }
            }
            Self::NotedAgain => {
                if let (Input::Signal(routed), Reason::OtherAlertsFire, Some(incident)) =
                    (input, decision.verdict.reason, decision.verdict.incident.clone())
                    && decision.facts.is_empty()
                {
                    let signal = &routed.signal;
                    let what = What::NoteAdded { text: format!("{}: acknowledged at its sender", signal.title), at: None };
                    decision.facts.push(Fact { incident, at: rows.now, actor: Actor::Integration(signal.integration.clone()), what });
                    refold(before, decision);
                }
            }
            Self::SilencedForEver => {
                if let (Input::Cover(_), State::Desk(desk)) = (input, before)
                    && decision.verdict.outcome != Outcome::Suppressed
                {
                    decision.state = State::Desk(desk.clone());
                    decision.facts.clear();
                    decision.timers.clear();
                }
            }
            Self::HushedForEver => decision.timers.retain(|set| set.timer != Timer::Silence || set.due_at.is_none()),
            Self::JoinsInSilence => {
                let is_it = |fact: &Fact| matches!(fact.what, What::PolicyStarted { reason: Reason::OthersFire, .. });
                if let Some(at) = decision.facts.iter().position(is_it) {
                    decision.facts.truncate(at);
                    refold(before, decision);
                }
            }
            Self::EndlessStorm => decision.timers.retain(|set| set.timer != Timer::Storm || set.due_at.is_none()),
            Self::WaitsForEver => {
                if let (Input::Held(key), State::Desk(desk)) = (input, before)
                    && matches!(decision.verdict.outcome, Outcome::Opened | Outcome::Folded)
                {
                    just_let_go(desk, key, decision);
                }
            }
            Self::WaitsAnew | Self::WaitForgotten => {
                if let (Input::Signal(_), State::Desk(desk), Reason::WaitsToPass) = (input, &mut decision.state, decision.verdict.reason) {
                    for alert in desk.keys.values_mut().filter_map(|key| key.alert.as_mut()) {
                        alert.hold = match alert.hold {
                            Some(Hold::Quiet { .. }) if self == Self::WaitForgotten => None,
                            Some(Hold::Quiet { until }) if decision.verdict.outcome == Outcome::Repeated => {
                                Some(Hold::Quiet { until: until + Span::minutes(4) })
                            }
                            hold => hold,
                        };
                    }
                }
            }
            Self::FlapsFreely => {
                if let (Input::Signal(_), State::Desk(desk), Reason::Flapping) = (input, &mut decision.state, decision.verdict.reason) {
                    let is_over = |alert: &&mut Alert| matches!(alert.hold, Some(Hold::Flapping { is_over: true, .. }));
                    for alert in desk.keys.values_mut().filter_map(|key| key.alert.as_mut()).filter(is_over) {
                        alert.state = AlertState::Resolved;
                        alert.hold = None;
                        decision.verdict.outcome = Outcome::Resolved;
                    }
                }
            }
            Self::FlapsForEver => {
                if let (Input::Held(key), State::Desk(desk), Reason::SteadyAgain, Outcome::Resolved) =
                    (input, before, decision.verdict.reason, decision.verdict.outcome)
                {
                    just_let_go(desk, key, decision);
                }
            }
            Self::DroppedByMerge => {
                if decision.facts.iter().any(|fact| matches!(fact.what, What::IncidentTakenIn { .. })) {
                    decision.facts.retain(|fact| !matches!(fact.what, What::PageTakenOver { .. }));
                    refold(before, decision);
                }
            }
            Self::LeftBehind => {
                for fact in &mut decision.facts {
                    if let What::IncidentTakenIn { held, .. } = &mut fact.what {
                        held.firing = 0;
                    }
                }
                refold(before, decision);
            }
            Self::OutlivesItsHome => {
                decision.facts.retain(|fact| !matches!(fact.what, What::EndedWith { .. }));
                refold(before, decision);
            }
            Self::SplitOnPaper => {
                if let (State::Desk(after), State::Desk(before)) = (&mut decision.state, before)
                    && decision.facts.iter().any(|fact| matches!(fact.what, What::IncidentSplit { .. }))
                {
                    after.keys.clone_from(&before.keys);
                }
            }
            Self::AllRises => {
                if let (Input::Signal(_), State::Desk(desk)) = (input, &mut decision.state) {
                    for alert in desk.keys.values_mut().filter_map(|key| key.alert.as_mut()).filter(|alert| alert.count == 5) {
                        alert.novelty.marks.rose.get_or_insert(Rise { at: rows.now, signals: 5, busiest: 1 });
                    }
                }
            }
            Self::RisesInSilence => {
                if let Some(rising) = decision.facts.iter().position(|fact| matches!(fact.what, What::AlertsRising { .. })) {
                    decision.facts.truncate(rising + 1);
                    decision.timers.clear();
                    refold(before, decision);
                }
            }
            Self::ExplainedForEver => decision.timers.retain(|set| set.scope != inhibition::scope()),
            Self::NoBar
            | Self::EarlyRepeat
            | Self::NoGrouping
            | Self::MixedGroups
            | Self::NoUmbrella
            | Self::PagesThroughSilence
            | Self::StartsAgain
            | Self::NothingNew
            | Self::PagesThoughExplained
            | Self::ExplainsItsKind
            | Self::MaintenanceUnnamed
            | Self::MaintenanceOutlasts
            | Self::NothingRises => {}
        }
    }
}

/// Nothing comes of it but that the alert is held no more.
fn just_let_go(before: &Desk, key: &Key, decision: &mut Decision) {
    let mut desk = before.clone();
    if let Some(alert) = desk.keys.get_mut(key).and_then(|state| state.alert.as_mut()) {
        alert.hold = None;
    }
    decision.state = State::Desk(desk);
    decision.facts.clear();
    decision.timers.clear();
}

/// The incidents' rows as the remaining facts make them.
fn refold(before: &State, decision: &mut Decision) {
    let (State::Desk(desk), State::Desk(before)) = (&mut decision.state, before) else { return };
    for (id, incident) in &mut desk.incidents {
        let mut facts = decision.facts.iter().filter(|fact| &fact.incident == id);
        let Some(row) = before.incidents.get(id).cloned().or_else(|| facts.next().and_then(Incident::from_first)) else { continue };
        *incident = row;
        facts.for_each(|fact| incident.fold(fact));
    }
}
