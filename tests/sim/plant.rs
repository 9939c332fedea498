//! Planted bugs: the world must notice each of them. They twist what goes into `decide` or what comes out of it.

use reveille::base::id::PageId;
use reveille::base::time::Span;
use reveille::domain::decide::{Decision, State};
use reveille::domain::effect::Effect;
use reveille::domain::fact::{Fact, What};
use reveille::domain::incident::Incident;
use reveille::domain::input::{Actor, Declare, Input, News, Report, Scope, Timer};
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
}

impl Bug {
    pub const ALL: [Self; 18] = [
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
    ];

    /// What `decide` is given.
    pub fn before(self, state: &mut State) {
        match (self, state) {
            (Self::NoBar, State::Person(person)) => person.chained_at = None,
            (Self::EarlyRepeat, State::Person(person)) => {
                if let Some(chain) = person.chain.as_mut().filter(|chain| chain.calls == 1) {
                    chain.started_at = chain.started_at - Span::seconds(20);
                }
            }
            (Self::NoGrouping, State::Desk(desk)) => desk.newest.clear(),
            (_, State::Person(_) | State::Desk(_)) => {}
        }
    }

    /// What `decide` has given.
    pub fn after(self, input: &Input, rows: &Rows, decision: &mut Decision) {
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
                    refold(rows, decision);
                }
            }
            Self::DeclaredToNobody => {
                if matches!(input, Input::Declare(_)) {
                    decision.facts.retain(|fact| !matches!(fact.what, What::PageOpened { .. }));
                    refold(rows, decision);
                }
            }
            Self::DeclarerIsCalled => {
                if let (Input::Declare(Declare { actor: Actor::User(user), .. }), Some(last)) = (input, decision.facts.last().cloned())
                    && last.what.kind() == "page_opened"
                {
                    let what = What::PageOpened { page: PageId::from_text("pag_more"), user: user.clone(), urgency: Urgency::High };
                    decision.facts.push(Fact { what, ..last });
                    refold(rows, decision);
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
                    refold(rows, decision);
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
            Self::NoBar | Self::EarlyRepeat | Self::NoGrouping => {}
        }
    }
}

/// The incident's row as the remaining facts make it.
fn refold(rows: &Rows, decision: &mut Decision) {
    let State::Desk(desk) = &mut decision.state else { return };
    for (id, incident) in &mut desk.incidents {
        let mut facts = decision.facts.iter().filter(|fact| &fact.incident == id);
        let Some(before) = rows.incidents.get(id).cloned().or_else(|| facts.next().and_then(Incident::from_first)) else { continue };
        *incident = before;
        facts.for_each(|fact| incident.fold(fact));
    }
}
