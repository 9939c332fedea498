//! Holds the world to the promises after every step, by what it sees itself and not by what the domain believes.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use reveille::base::id::{AlertId, AttemptId, ContactId, IncidentId, UserId};
use reveille::base::limits;
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState, Hold, Key, UNREADABLE_KEY};
use reveille::domain::decide::{Desk, Outcome, Verdict};
use reveille::domain::effect::{Effect, PageOf};
use reveille::domain::fact::{Fact, What};
use reveille::domain::group::GroupBy;
use reveille::domain::incident::{Incident, IncidentState, Kind};
use reveille::domain::input::{Act, Action, Actor, CallEnd, Command, Declare, Input, News, Scope, Signal, Timer};
use reveille::domain::person::AttemptState;
use reveille::domain::reason::Reason;
use reveille::domain::setup::{AlertSeverity, ContactKind, Service, Severity, Urgency};

use super::world::Rows;
use super::{explained, held, hush, merge, novel, reasons, rising, storm};

/// How late a worker may be.
pub(super) const LATE: Span = Span::seconds(1);
/// Wake-ups of one scope in one hour: a provider that hangs is asked every few seconds, and not more often.
const MOST_WAKES: u32 = 2_500;

/// A call that was decided, as the watch follows it.
#[expect(clippy::struct_excessive_bools, reason = "each is something that was seen or not, apart from the others")]
#[derive(Debug, Clone)]
pub(super) struct Followed {
    user: UserId,
    contact: ContactId,
    pages: Vec<PageOf>,
    second: bool,
    /// All its pages were of high urgency when it was decided.
    urgent: bool,
    pub(super) placed_at: Time,
    intent_at: Option<Time>,
    accepted_at: Option<Time>,
    /// The first news that it was placed.
    news_at: Option<Time>,
    /// The provider's id is known, and the end is not.
    is_known: bool,
    lives: bool,
    ended_at: Option<Time>,
    pub(super) unknown_at: Option<Time>,
    /// Refused, withdrawn, unknown, silent or failed: it does not count as a call.
    excused: bool,
    keyed: bool,
    end_asked: bool,
}

/// Something that has to be true at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Promise 7: no key, so the same number rings again.
    Repeat,
    /// Promise 11: hung, refused or silent, so another contact is tried.
    NextContact,
    /// Promise 5: unknown, so it is settled or sent again.
    Settled,
}

pub struct Watch {
    pub(super) shadows: BTreeMap<IncidentId, Incident>,
    pub(super) calls: BTreeMap<AttemptId, Followed>,
    /// In the order in which they were placed.
    pub(super) placed: Vec<AttemptId>,
    due: Vec<(Time, Due, AttemptId)>,
    pub(super) down: Vec<Time>,
    outcomes: BTreeMap<Outcome, i64>,
    expected_home: Option<IncidentId>,
    weather: storm::Weather,
    pub(super) rates: rising::Rates,
    wakes: BTreeMap<Scope, u32>,
    hour: i64,
    pub(super) resends: BTreeSet<AttemptId>,
    /// Messages, as far as the watch follows them: whose, through what, when.
    pub(super) messages: BTreeMap<AttemptId, (UserId, ContactId, Time)>,
    pub(super) unknown_messages: BTreeSet<AttemptId>,
    /// Messages whose intent is committed; and those of them that never left.
    pub(super) sent: BTreeSet<AttemptId>,
    pub(super) refused: BTreeSet<AttemptId>,
    pub accepted: i64,
    changes: i64,
    pub opened: usize,
    /// The alert of the signal's key, before it was decided.
    alert_before: Option<Alert>,
    unanswered: held::Unanswered,
    pub(super) told_by_senders: BTreeMap<IncidentId, BTreeSet<String>>,
    /// What the alerts counted that are forgotten, and how many were unknown of the attempts that are.
    pub(super) forgotten: super::forget::Forgotten,
    /// How often each kind of fact was seen, and each reason for which a policy started.
    pub kinds: BTreeMap<String, usize>,
    /// Calls and messages that left.
    pub left: usize,
    /// How often each was really asked for, and held.
    pub proved: BTreeMap<Due, usize>,
}

thread_local! {
    /// How often this thread has held something to a promise.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has held something to a promise so far.
pub fn held() -> u64 {
    HELD.get()
}

pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    HELD.set(HELD.get() + 1);
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The rules of `cast::setup`, by a second opinion: the service, the severity and whether it only records.
pub(super) fn routed<'a>(rows: &'a Rows, signal: &Signal) -> Option<(&'a Service, AlertSeverity, bool)> {
    let integration = rows.setup.integrations.get(&signal.integration)?;
    let said = signal.severity.unwrap_or(integration.severity);
    let taken = rows.setup.routes.iter().find(|rule| match rule.id.as_str() {
        "worst" => said == AlertSeverity::Critical,
        _ => signal.dedup_key.ends_with('1'),
    });
    let named = taken.and_then(|rule| rule.gives.service.as_ref()).and_then(|service| rows.setup.services.get(service));
    let service = named.or_else(|| rows.setup.services.get(&integration.service))?;
    Some((service, said, taken.is_some_and(|rule| rule.gives.record)))
}

impl Watch {
    pub fn new(start: Time) -> Self {
        Self {
            shadows: BTreeMap::new(),
            calls: BTreeMap::new(),
            placed: Vec::new(),
            due: Vec::new(),
            down: Vec::new(),
            outcomes: BTreeMap::new(),
            expected_home: None,
            weather: storm::Weather::default(),
            rates: rising::Rates::default(),
            wakes: BTreeMap::new(),
            hour: start.seconds() / 3_600,
            resends: BTreeSet::new(),
            messages: BTreeMap::new(),
            unknown_messages: BTreeSet::new(),
            sent: BTreeSet::new(),
            refused: BTreeSet::new(),
            alert_before: None,
            unanswered: held::Unanswered::default(),
            told_by_senders: BTreeMap::new(),
            accepted: 0,
            changes: 0,
            opened: 0,
            forgotten: super::forget::Forgotten::default(),
            kinds: BTreeMap::new(),
            left: 0,
            proved: BTreeMap::new(),
        }
    }

    pub fn user_of(&self, attempt: &AttemptId) -> Option<UserId> {
        let written = || self.messages.get(attempt).map(|(user, _, _)| user.clone());
        self.calls.get(attempt).map(|call| call.user.clone()).or_else(written)
    }

    pub fn read_out(&self, attempt: &AttemptId) -> Vec<PageOf> {
        self.calls.get(attempt).map(|call| call.pages.clone()).unwrap_or_default()
    }

    // Promise 2: accounted for; grouping by a second opinion.

    pub fn before_signal(&mut self, rows: &Rows, desk: &Desk, signal: &Signal) {
        self.accepted += 1;
        self.expected_home = None;
        let key = Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() };
        self.alert_before = desk.keys.get(&key).and_then(|state| state.alert.clone());
        // What only recorded so far belongs to the service that it began with.
        let recording = desk.keys.get(&key).and_then(|state| state.alert.as_ref());
        let recording = recording.filter(|alert| alert.incident.is_none());
        let service_of = |alert: &Alert| rows.setup.services.get(&alert.service);
        // What passed by itself goes on where it comes back soon.
        let goes_on = |alert: &&Alert| match alert.hold {
            Some(Hold::Passed) => {
                let within = service_of(alert).or_else(|| Some(routed(rows, signal)?.0)).map_or(Span::ZERO, |own| own.reopen_within);
                alert.resolved_at.is_some_and(|at| rows.now.since(at) <= within)
            }
            Some(Hold::Quiet { .. } | Hold::Flapping { .. }) | None => alert.state != AlertState::Resolved,
        };
        let own = recording.filter(goes_on).and_then(service_of);
        let Some(service) = own.or_else(|| Some(routed(rows, signal)?.0)) else { return };
        // What was held back and says nothing new of itself is grouped by what it said before.
        let held = recording.filter(|alert| alert.state == AlertState::Suppressed && signal.labels.is_empty());
        let grouped = Signal { labels: held.map_or_else(|| signal.labels.clone(), |alert| alert.labels.clone()), ..signal.clone() };
        // Its own service's incident, else that of the nearest that it depends on.
        let joins = service.group_window > Span::ZERO;
        let mut homes = rows.setup.causes(&service.id).into_iter().take(if joins { usize::MAX } else { 1 });
        self.expected_home = homes.find_map(|home| {
            let home = rows.setup.services.get(&home)?;
            let group = home.group_by.as_ref().filter(|_| home.id == service.id).map(|by| group_of(by, &grouped));
            Self::home_at(rows, desk, home, group.as_ref())
        });
    }

    /// The incident of this service that an alert may join now.
    fn home_at(rows: &Rows, desk: &Desk, service: &Service, group: Option<&Option<String>>) -> Option<IncidentId> {
        let is_of_group = |own: &Incident| group.is_none_or(|group| own.response.group.as_ref().map(ToString::to_string) == *group);
        let newest = merge::newest(&desk.incidents, &service.id, is_of_group);
        let near = |incident: &&Incident| {
            service.group_window > Span::ZERO
                && rows.now.since(incident.joined_at) <= service.group_window
                && rows.now.since(incident.opened_at) <= Span::hours(24)
        };
        newest.filter(near).map(|incident| incident.id.clone())
    }

    pub fn after_signal(&mut self, rows: &Rows, desk: &Desk, signal: &Signal, verdict: &Verdict) -> Result<(), String> {
        let key = Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() };
        self.weather(rows, desk, &key, verdict)?;
        *self.outcomes.entry(verdict.outcome).or_default() += 1;
        if let Action::Change(_) = signal.action {
            self.changes += i64::from(verdict.outcome != Outcome::Ignored);
            return ensure(verdict.alert.is_none() && verdict.incident.is_none(), || format!("a change is no alert: {verdict:?}"));
        }
        // What was held back until now is as bad as its worst signal, and not as this one.
        if self.alert_before.as_ref().is_none_or(|before| before.state != AlertState::Suppressed) {
            Self::is_as_bad_as_its_alerts(rows, desk, signal, verdict)?;
        }
        hush::after_signal(rows, desk, signal, verdict)?;
        held::after_signal(rows, desk, signal, self.alert_before.as_ref(), verdict)?;
        novel::after_signal(rows, desk, signal, verdict)?;
        self.rates.see(rows, desk, signal, verdict, self.alert_before.as_ref())?;
        let joined = match verdict.outcome {
            // It would have opened one; that the umbrella is the newest of its own group as well is no fault.
            Outcome::Folded if verdict.reason == Reason::StormUmbrella => {
                verdict.incident.clone().filter(|id| self.expected_home.as_ref() == Some(id))
            }
            Outcome::Folded => verdict.incident.clone(),
            Outcome::Opened => None,
            _ => return Ok(()),
        };
        // What can be read may just have ended the incident of what could not.
        let expected = self.expected_home.clone().filter(|id| joined.is_some() || desk.incidents.get(id).is_some_and(Incident::is_open));
        if self.expected_home.is_some() && expected.as_ref().is_some_and(|id| desk.incidents.get(id).is_some_and(|one| !one.is_open())) {
            // The one that was the newest has just ended.
            return Ok(());
        }
        // Of two that opened in the same batch, either is the newest.
        let opened_at = |id: &Option<IncidentId>| id.as_ref().and_then(|id| desk.incidents.get(id)).map(|incident| incident.opened_at);
        let is_tie = joined.is_some() && expected.is_some() && opened_at(&joined) == opened_at(&expected);
        ensure(joined == expected || is_tie, || format!("grouping: {} should have joined {expected:?}: {verdict:?}", signal.dedup_key))
    }

    /// The end of a silence, or of a wait: the alert is a signal without one.
    pub fn uncovered(&mut self, rows: &Rows, desk: &Desk, key: &Key, verdict: &Verdict) -> Result<(), String> {
        self.weather(rows, desk, key, verdict)
    }

    fn weather(&mut self, rows: &Rows, desk: &Desk, key: &Key, verdict: &Verdict) -> Result<(), String> {
        let Self { alert_before, expected_home, down, .. } = self;
        let before = alert_before.as_ref().filter(|before| before.key == *key);
        self.weather.see(&storm::Seen { rows, desk, key, verdict, before, had_home: expected_home.is_some(), down })
    }

    /// An incident has its alerts' highest severity, and what makes it page louder, or is worse than what was acknowledged, pages.
    fn is_as_bad_as_its_alerts(rows: &Rows, desk: &Desk, signal: &Signal, verdict: &Verdict) -> Result<(), String> {
        let fires = matches!(
            (verdict.outcome, verdict.reason),
            (Outcome::Opened | Outcome::Folded | Outcome::Reopened, _) | (Outcome::Repeated, Reason::AlreadyFiring)
        );
        let Some(incident) = verdict.incident.as_ref().and_then(|id| desk.incidents.get(id)).filter(|_| fires) else { return Ok(()) };
        let Some((service, said, record)) = routed(rows, signal) else { return Ok(()) };
        // What fires keeps its service, and goes by its severities.
        let alert = desk.keys.values().filter_map(|state| state.alert.as_ref()).find(|alert| Some(&alert.id) == verdict.alert.as_ref());
        let service = alert.and_then(|alert| rows.setup.services.get(&alert.service)).unwrap_or(service);
        let severity = if record { Severity::Sev4 } else { service.severity.of(said) };
        if incident.response.severity_by_hand || !incident.is_open() {
            return Ok(());
        }
        ensure(incident.severity >= severity, || format!("promise 1: {} fires at {severity:?} in {incident:?}", signal.dedup_key))?;
        let before = rows.incidents.get(&incident.id).filter(|before| before.severity < incident.severity && before.is_open());
        let Some(before) = before else { return Ok(()) };
        let pages_again = before.state == IncidentState::Acknowledged || before.severity.urgency() < incident.severity.urgency();
        let run = incident.run.as_ref().filter(|run| Some(run.urgency) == incident.severity.urgency());
        let answered_since = incident.acknowledged_at.is_some_and(|at| at == rows.now);
        ensure(!pages_again || answered_since || incident.state == IncidentState::Triggered && run.is_some(), || {
            format!("promise 1: {} makes it worse, and nobody is paged: {before:?} and then {incident:?}", signal.dedup_key)
        })
    }

    pub fn counts(&self, rows: &Rows) -> Result<(), String> {
        let decided: i64 = self.outcomes.values().sum();
        ensure(decided == self.accepted, || format!("promise 2: {} accepted, {decided} decided", self.accepted))?;
        // A change is kept beside the alerts.
        let ignored = self.outcomes.get(&Outcome::Ignored).copied().unwrap_or_default() + self.changes;
        let counted: i64 = rows.alerts.values().map(|alert| alert.count).sum::<i64>() + self.forgotten.signals;
        ensure(counted == self.accepted - ignored, || {
            format!("promise 2: alerts count {counted} signals, of {} accepted {ignored} were ignored", self.accepted)
        })
    }

    // What was told.

    pub fn told(&mut self, attempt: &AttemptId, news: &News, now: Time) {
        let Some(call) = self.calls.get_mut(attempt) else { return };
        match news {
            News::Accepted { .. } | News::Ringing | News::PickedUp | News::Ended(_) if call.news_at.is_none() => {
                call.news_at = Some(now);
                if call.unknown_at.is_none() && !call.second {
                    self.due.push((now + limits::CHAIN_REPEAT + LATE, Due::Repeat, attempt.clone()));
                }
            }
            _ => {}
        }
        match news {
            News::Accepted { .. } => {
                if call.accepted_at.is_none() {
                    call.accepted_at = Some(now);
                    self.due.push((now + Span::seconds(15), Due::NextContact, attempt.clone()));
                }
                call.is_known = call.ended_at.is_none();
            }
            News::Ringing | News::PickedUp => {
                call.is_known = call.ended_at.is_none();
                call.lives = true;
            }
            News::KeyPressed => {
                call.keyed = true;
                call.lives = true;
            }
            News::Ended(_) => {
                call.is_known = false;
                call.lives = true;
                call.ended_at = call.ended_at.or(Some(now));
            }
            News::Delivered | News::Undelivered { .. } => {}
            News::Rejected { .. } | News::Unknown { .. } | News::NotFound { .. } | News::Withdrawn { .. } => {}
        }
    }

    /// The courier commits to a call.
    pub fn intends(&mut self, rows: &Rows, attempt: &AttemptId, pages: &[PageOf]) -> Result<(), String> {
        let is_open = |of: &PageOf| Self::is_paging(rows, of);
        ensure(pages.iter().any(is_open), || format!("promise 6: the intent of {attempt} commits, and every page of it is answered"))?;
        self.left += 1;
        if self.messages.contains_key(attempt) {
            return ensure(self.sent.insert(attempt.clone()), || format!("promise 5: the message {attempt} is sent twice"));
        }
        let Some(call) = self.calls.get_mut(attempt) else { return Err(format!("{attempt} is sent and was never decided")) };
        ensure(call.intent_at.is_none(), || format!("promise 5: {attempt} is sent twice"))?;
        call.intent_at = Some(rows.now);
        self.due.push((rows.now + Span::seconds(15), Due::NextContact, attempt.clone()));
        Ok(())
    }

    fn is_paging(rows: &Rows, of: &PageOf) -> bool {
        // A merge may have moved it since to another incident.
        rows.incidents.values().any(|incident| incident.is_open() && incident.pages.iter().any(|page| page.id == of.page))
    }

    fn is_urgent(rows: &Rows, of: &PageOf) -> bool {
        let page = rows.incidents.values().flat_map(|incident| &incident.pages).find(|page| page.id == of.page);
        page.is_some_and(|page| page.urgency == Urgency::High)
    }

    // After every transaction.

    pub fn after(
        &mut self,
        rows: &Rows,
        input: Option<&Input>,
        person: Option<&UserId>,
        facts: &[Fact],
        effects: &[Effect],
    ) -> Result<(), String> {
        let now = rows.now;
        for fact in facts {
            *self.kinds.entry(fact.what.kind().to_owned()).or_default() += 1;
            if let What::PolicyStarted { reason, .. } = &fact.what {
                *self.kinds.entry(reason.name()).or_default() += 1;
            }
            reasons::fits(fact, input)?;
            self.unanswered.see(fact, self.shadows.get(&fact.incident))?;
            self.fold(fact)?;
            Self::answers_come_from_people(fact, input)?;
            self.note(fact, now);
            if let What::PageAnswered { user, .. } | What::PageEnded { user, .. } = &fact.what {
                let nudge = rows.timers.get(&(Scope::Person(user.clone()), Timer::Attend));
                ensure(nudge.is_some_and(|at| *at <= now), || format!("promise 6: {user}'s page ended and nobody looks at their calls"))?;
            }
        }
        Self::people_are_paged(rows, input, facts)?;
        merge::nobody_is_dropped(rows, facts)?;
        merge::alerts_have_one_home(rows)?;
        hush::pages_nobody(rows, input, facts)?;
        for fact in facts {
            let (row, shadow) = (rows.incidents.get(&fact.incident), self.shadows.get_mut(&fact.incident));
            let (Some(row), Some(shadow)) = (row, shadow) else { return Err(format!("a fact of no incident: {fact:?}")) };
            shadow.number = row.number;
            ensure(row == shadow, || format!("the facts make\n{shadow:?}\nand the row is\n{row:?}"))?;
        }
        for effect in effects {
            match effect {
                Effect::PlacePage { attempt, user, contact, kind, pages, due_at, .. } if !kind.is_call() => {
                    self.write(attempt, user, contact, pages, *due_at)?;
                }
                Effect::PlacePage { attempt, user, contact, pages, second_call, due_at, .. } => {
                    self.place(rows, attempt, user, contact, pages, *second_call, *due_at)?;
                }
                Effect::EndCall { attempt, .. } => {
                    ensure(!self.messages.contains_key(attempt), || format!("the message {attempt} is hung up"))?;
                    if let Some(call) = self.calls.get_mut(attempt) {
                        ensure(!call.keyed, || format!("promise 6: the call {attempt} speaks back and is ended"))?;
                        call.end_asked = true;
                    }
                }
                Effect::AskProvider { .. } => {}
            }
        }
        if let Some(user) = person {
            self.unwanted_calls_end(rows, user)?;
        }
        Ok(())
    }

    fn fold(&mut self, fact: &Fact) -> Result<(), String> {
        if let Some(shadow) = self.shadows.get_mut(&fact.incident) {
            if let What::PageRestarted { page, urgency: Urgency::Low, .. } = &fact.what {
                let is_loud = shadow.loud_pages().any(|open| &open.id == page);
                ensure(!is_loud, || format!("promise 1: the page {page} calls, and is made quiet before anybody answered"))?;
            }
            if let (What::NoteAdded { text, .. }, Actor::Integration(_)) = (&fact.what, &fact.actor) {
                let told = self.told_by_senders.entry(fact.incident.clone()).or_default();
                ensure(told.insert(text.clone()) && told.len() <= limits::SENDER_NOTES, || {
                    format!("promise 10: senders fill the timeline of {} with {text:?}", fact.incident)
                })?;
            }
            shadow.fold(fact);
        } else {
            let made = Incident::from_first(fact).ok_or_else(|| format!("the first fact of {} is {:?}", fact.incident, fact.what))?;
            self.opened += 1;
            self.shadows.insert(fact.incident.clone(), made);
        }
        Ok(())
    }

    /// Whoever a decision names is paged by it, and whom it spares is not.
    fn people_are_paged(rows: &Rows, input: Option<&Input>, facts: &[Fact]) -> Result<(), String> {
        for fact in facts {
            let Some(incident) = rows.incidents.get(&fact.incident) else { continue };
            let is_paged = |user: &UserId| incident.page_of(user).is_some();
            match &fact.what {
                What::IncidentAcknowledged { .. } | What::IncidentSnoozed { .. } if incident.state == IncidentState::Acknowledged => {
                    ensure(incident.pages.is_empty(), || format!("promise 6: {incident:?} is acknowledged and pages on"))?;
                }
                What::IncidentReassigned { to } => {
                    ensure(is_paged(to), || format!("promise 1: {to} was given {} and is not paged", incident.id))?;
                }
                What::StepStarted { users, .. } | What::PagedWider { users, .. } | What::PageAsked { users } => {
                    let asker = match input {
                        Some(Input::Command(Command { act: Act::Escalate, actor, .. })) => actor.user(),
                        _ => None,
                    };
                    ensure(asker.is_none_or(|asker| !users.contains(asker)), || {
                        format!("promise 8: {asker:?} asks for the next step of {} and is called by it", incident.id)
                    })?;
                    // Nobody is paged only where there is nobody.
                    let others = rows.setup.everyone().filter(|user| Some(&user.id) != asker).count();
                    ensure(!users.is_empty() || others == 0, || {
                        format!("promise 3: {:?} pages nobody, and {others} are there", fact.what)
                    })?;
                    // A batch may have ended it again.
                    let silent = users.iter().find(|user| !is_paged(user)).filter(|_| incident.is_open() && input.is_some());
                    ensure(silent.is_none(), || format!("promise 1: {silent:?} is named by {:?} and not paged", fact.what))?;
                }
                What::IncidentDeclared { .. } => {
                    let Some(Input::Declare(Declare { actor, kind, .. })) = input else {
                        return Err(format!("nobody declared {}", incident.id));
                    };
                    ensure(!actor.user().is_some_and(is_paged), || format!("{actor:?} declares {} and is called", incident.id))?;
                    let is_theirs = incident.state == IncidentState::Acknowledged && incident.acknowledged_by.as_ref() == Some(actor);
                    let runs = *kind == Kind::Real && incident.run.is_some() && incident.has_service();
                    ensure(is_theirs || runs, || format!("promise 1: nobody is paged for {incident:?}, and nobody has it"))?;
                    let has_room = facts.iter().any(|fact| matches!(fact.what, What::RoomWanted { .. }));
                    ensure(has_room == (*kind != Kind::Test), || format!("{kind:?}, and a room: {has_room}"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Promise 7: only what a person asked for is an answer.
    fn answers_come_from_people(fact: &Fact, input: Option<&Input>) -> Result<(), String> {
        let act = match input {
            Some(Input::Command(Command { act, .. })) => Some(act),
            Some(
                Input::Signal(_)
                | Input::Declare(_)
                | Input::Expiry(_)
                | Input::Cover(_)
                | Input::Held(_)
                | Input::Report(_)
                | Input::Wake { .. },
            )
            | None => None,
        };
        let is_declared = matches!(input, Some(Input::Declare(_)));
        let holds = match &fact.what {
            What::IncidentAcknowledged { .. } => {
                // Signals come in batches without an input of their own: a sender's own word.
                let by_sender = input.is_none() && matches!(fact.actor, Actor::Integration(_));
                by_sender
                    || is_declared
                    || merge::is_regrouping(input)
                    || matches!(act, Some(Act::Acknowledge | Act::Unhelpful | Act::Reassign { .. }))
            }
            What::IncidentSnoozed { .. } => {
                matches!(act, Some(Act::Snooze { .. }))
            }
            What::AcknowledgementRenewed { .. } | What::PageAnswered { .. } => act.is_some(),
            What::IncidentResolved { .. } => input.is_none() || act == Some(&Act::Resolve) || act == Some(&Act::Unmerge),
            _ => true,
        };
        ensure(holds, || format!("promise 7: {:?} follows from {input:?}", fact.what))
    }

    fn note(&mut self, fact: &Fact, now: Time) {
        match &fact.what {
            What::AttemptPlaced { attempt, reason: Reason::OutcomeStaysUnknown, .. } => {
                self.resends.insert(attempt.clone());
            }
            What::AttemptUnknown { attempt, .. } => {
                if self.messages.contains_key(attempt) {
                    self.unknown_messages.insert(attempt.clone());
                }
                if let Some(call) = self.calls.get_mut(attempt) {
                    call.excused = true;
                    if call.unknown_at.is_none() {
                        call.unknown_at = Some(now);
                        let request = call.intent_at.unwrap_or(now);
                        // After a restart it counts from there.
                        let from = if now.since(request) <= Span::seconds(11) { request } else { now };
                        self.due.push((from + Span::seconds(20), Due::Settled, attempt.clone()));
                    }
                }
            }
            What::AttemptRejected { attempt, .. } | What::AttemptWithdrawn { attempt, .. } | What::CallSilent { attempt, .. } => {
                self.refused.insert(attempt.clone());
                if let Some(call) = self.calls.get_mut(attempt) {
                    call.excused = true;
                }
            }
            What::CallEnded { attempt, how, .. } => {
                if let Some(call) = self.calls.get_mut(attempt) {
                    call.excused |= *how == CallEnd::Failed;
                    call.is_known = false;
                    call.ended_at = call.ended_at.or(Some(now));
                }
            }
            _ => {}
        }
    }

    /// A message is decided: of those that are not sent again, few within a minute.
    fn write(&mut self, attempt: &AttemptId, user: &UserId, contact: &ContactId, pages: &[PageOf], placed_at: Time) -> Result<(), String> {
        ensure(!pages.is_empty(), || format!("the message {attempt} speaks for nothing"))?;
        let left = |id: &AttemptId| self.sent.contains(id) && !self.resends.contains(id) && !self.refused.contains(id);
        let recent = self.messages.iter().filter(|(id, (whose, what, at))| {
            left(id) && whose == user && what == contact && placed_at.since(*at) < limits::MESSAGES_WITHIN
        });
        let (recent, again) = (recent.count(), self.resends.contains(attempt));
        ensure(again || recent <= limits::MESSAGES, || {
            format!("promise 8: {user} gets {attempt} after {recent} messages within a minute")
        })?;
        self.messages.insert(attempt.clone(), (user.clone(), contact.clone(), placed_at));
        self.not_more_resends_than_unknown()
    }

    fn not_more_resends_than_unknown(&self) -> Result<(), String> {
        let unknown =
            self.calls.values().filter(|call| call.unknown_at.is_some()).count() + self.unknown_messages.len() + self.forgotten.unknown;
        let resent = self.resends.len() + self.forgotten.resent;
        ensure(resent <= unknown, || format!("promise 5: {resent} sent again, {unknown} unknown"))
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the effect, one by one")]
    fn place(
        &mut self,
        rows: &Rows,
        attempt: &AttemptId,
        user: &UserId,
        contact: &ContactId,
        pages: &[PageOf],
        second: bool,
        placed_at: Time,
    ) -> Result<(), String> {
        let recent: Vec<&Followed> = self
            .placed
            .iter()
            .rev()
            .filter_map(|id| self.calls.get(id))
            .take_while(|call| rows.now.since(call.placed_at) < Span::minutes(8))
            .filter(|call| &call.user == user)
            .collect();
        if second {
            let anchor = |call: &Followed| call.news_at.filter(|_| call.unknown_at.is_none()).unwrap_or(call.placed_at);
            let mut firsts = recent.iter().filter(|call| !call.second && &call.contact == contact);
            let first = firsts.find(|call| placed_at.since(anchor(call)) >= Span::seconds(119));
            let Some(first) = first else {
                return Err(format!("promise 7: the repeat {attempt} to {user} has no first call 2 minutes before"));
            };
            let repeats = recent.iter().filter(|call| call.second && !call.excused && call.placed_at >= first.placed_at).count();
            ensure(repeats == 0, || format!("promise 8: the chain of {user} gets a third call, {attempt}"))?;
        } else {
            let ringing = recent.iter().find(|call| call.lives && call.ended_at.is_none() && !call.excused);
            ensure(ringing.is_none(), || format!("promise 8: {user} gets the call {attempt} while another rings: {ringing:?}"))?;
            let near = recent.iter().find(|call| !call.second && !call.excused && placed_at.since(call.placed_at) < limits::CHAIN_EVERY);
            ensure(near.is_none(), || format!("promise 8: {user} gets two chains within 3 minutes, {attempt} after {near:?}"))?;
        }
        self.not_more_resends_than_unknown()?;
        let call = Followed {
            user: user.clone(),
            contact: contact.clone(),
            pages: pages.to_vec(),
            second,
            urgent: pages.iter().all(|of| Self::is_urgent(rows, of)),
            placed_at,
            intent_at: None,
            accepted_at: None,
            news_at: None,
            is_known: false,
            lives: false,
            ended_at: None,
            unknown_at: None,
            excused: false,
            keyed: false,
            end_asked: false,
        };
        self.placed.push(attempt.clone());
        self.calls.insert(attempt.clone(), call);
        Ok(())
    }

    /// Promise 6: a call that nobody wants is ended as soon as its id is known, unless it speaks back.
    fn unwanted_calls_end(&self, rows: &Rows, user: &UserId) -> Result<(), String> {
        let ringing = self.calls.iter().filter(|(_, call)| &call.user == user && call.is_known && !call.keyed && !call.end_asked);
        for (attempt, call) in ringing {
            let is_wanted = call.pages.iter().any(|of| Self::is_paging(rows, of));
            ensure(is_wanted, || format!("promise 6: nobody wants {attempt} any more and it rings on: {call:?}"))?;
        }
        Ok(())
    }

    // After every step.

    pub fn woken(&mut self, now: Time, scope: &Scope) -> Result<(), String> {
        let hour = now.seconds() / 3_600;
        if hour != self.hour {
            self.hour = hour;
            self.wakes.clear();
        }
        let wakes = self.wakes.entry(scope.clone()).or_default();
        *wakes += 1;
        ensure(*wakes <= MOST_WAKES, || format!("{scope:?} is woken again and again"))
    }

    pub fn look(&mut self, rows: &Rows, down_until: Time) -> Result<(), String> {
        if self.down.last() != Some(&down_until) {
            self.down.push(down_until);
        }
        for incident in rows.incidents.values() {
            Self::is_not_silent(rows, incident)?;
            hush::is_hushed_rightly(rows, incident)?;
        }
        hush::ends(rows, down_until)?;
        explained::holds_back(rows, down_until)?;
        held::ends(rows, down_until)?;
        for person in rows.persons.values() {
            let attend = rows.timers.get(&(Scope::Person(person.id.clone()), Timer::Attend));
            let planned = person.pages.iter().find(|page| page.wanted && (page.starts > page.planned_for || !page.plan.is_empty()));
            let waits = person.attempts.iter().any(|attempt| attempt.state == AttemptState::Waiting);
            ensure(planned.is_none() || attend.is_some() || waits, || format!("promise 3: {} has {planned:?} and no wake-up", person.id))?;
            for attempt in &person.attempts {
                let is_sending =
                    || rows.outbox.iter().any(|row| matches!(row.effect, Effect::PlacePage { .. }) && row.effect.attempt() == &attempt.id);
                let holds = if attempt.state == AttemptState::Waiting { is_sending() } else { attend.is_some() };
                ensure(holds, || format!("promise 3: nobody looks at {attempt:?} of {}", person.id))?;
            }
            let chain = person.chain.as_ref().filter(|_| person.attempts.is_empty());
            ensure(chain.is_none() || attend.is_some(), || format!("promise 3: the chain {chain:?} of {} sleeps for ever", person.id))?;
        }
        let (past, due): (Vec<_>, Vec<_>) = std::mem::take(&mut self.due).into_iter().partition(|(at, _, _)| *at + LATE < rows.now);
        self.due = due;
        for (at, due, attempt) in &past {
            if self.comes_due(rows, *at, *due, attempt)? {
                *self.proved.entry(*due).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Promise 3: whatever pages has an hour at which it goes on.
    fn is_not_silent(rows: &Rows, incident: &Incident) -> Result<(), String> {
        let timer = |timer| rows.timers.get(&(Scope::Incident(incident.id.clone()), timer)).copied();
        // Whoever is being called is called again until somebody answers, whatever became of the policy. A test is no emergency.
        let rings_on = incident.loud_pages().next().is_none() || incident.kind == Kind::Test || timer(Timer::Escalate).is_some();
        let holds = match incident.state {
            IncidentState::Resolved => true,
            IncidentState::Acknowledged => {
                let ends_at = incident.response.snoozed_until.or(incident.lapses_at);
                ends_at == timer(Timer::Lapse) && rings_on
            }
            // A drill pages whom it names and nobody else.
            IncidentState::Triggered if incident.kind != Kind::Real => rings_on,
            IncidentState::Triggered => match incident.severity.urgency() {
                None => rings_on,
                // Silences cover all of it, and it pages by itself should nobody see their end.
                Some(_) if incident.response.is_hushed => timer(Timer::Silence).is_some() && rings_on,
                Some(Urgency::High) => {
                    let next_at = incident.run.as_ref().and_then(|run| run.next_at);
                    next_at.is_some() && timer(Timer::Escalate) == next_at
                }
                Some(Urgency::Low) => timer(Timer::Remind).is_some() && rings_on,
            },
        };
        ensure(holds, || format!("promise 3: nothing wakes {incident:?}; timers {:?}", rows.timers))
    }

    fn was_down(&self, from: Time, to: Time) -> bool {
        self.down.iter().any(|until| *until > from && *until <= to + Span::seconds(100))
    }

    /// Whether it had to be true. It is an error where it had to and is not.
    fn comes_due(&self, rows: &Rows, at: Time, due: Due, attempt: &AttemptId) -> Result<bool, String> {
        let Some(call) = self.calls.get(attempt) else { return Ok(false) };
        let from = call.placed_at;
        let user = rows.setup.users.get(&call.user);
        let contacts = || user.into_iter().flat_map(|user| &user.contacts).filter(|contact| contact.kind == ContactKind::Voice);
        let has_contact = contacts().any(|contact| contact.id == call.contact);
        let is_wanted = call.pages.iter().any(|of| Self::is_paging(rows, of));
        if self.was_down(from, at) || !is_wanted || !has_contact || call.keyed {
            return Ok(false);
        }
        let mut others = self.calls.iter().filter(|(id, other)| *id != attempt && other.user == call.user).map(|(_, other)| other);
        // A call that was thought lost may ring after all: the next one waits for it.
        let rings = others.clone().any(|other| other.lives && other.ended_at.is_none_or(|ended| ended > from));
        let held = match due {
            Due::Repeat => {
                let first_at = call.news_at.unwrap_or(from);
                let over = call.ended_at.is_some_and(|ended| ended < first_at + limits::CHAIN_REPEAT);
                if call.excused || !over || rings || others.clone().any(|other| !other.second && other.placed_at > from) {
                    return Ok(false);
                }
                let repeat_at = first_at + limits::CHAIN_REPEAT;
                let repeated = others.any(|other| {
                    other.second
                        && other.contact == call.contact
                        && other.placed_at >= repeat_at - LATE
                        && other.placed_at <= repeat_at + LATE
                });
                ensure(repeated, || format!("promise 7: no key in {attempt} and no repeat 2 minutes after: {call:?}"))
            }
            Due::NextContact => {
                let failed =
                    call.excused && call.unknown_at.is_none_or(|unknown| unknown < at) || call.accepted_at.is_some() && !call.lives;
                let was_tried = |contact: &ContactId| {
                    others.clone().any(|other| {
                        &other.contact == contact && other.placed_at <= from && from.since(other.placed_at) < Span::minutes(30)
                    })
                };
                let other_contact = contacts().any(|contact| contact.id != call.contact && !was_tried(&contact.id));
                let barred =
                    others.clone().any(|other| !other.second && !other.excused && from.since(other.placed_at) < limits::CHAIN_EVERY);
                if !failed
                    || call.second
                    || !other_contact
                    || barred
                    || rings
                    || !call.urgent
                    || !call.pages.iter().all(|of| Self::is_paging(rows, of))
                {
                    return Ok(false);
                }
                let moved_on = others.any(|other| other.contact != call.contact && other.placed_at >= from);
                ensure(moved_on, || format!("promise 11: {attempt} went wrong and no other contact was tried within 15 s: {call:?}"))
            }
            Due::Settled => {
                let found = call.accepted_at.is_some() || call.lives || call.ended_at.is_some();
                let sent_again = others.any(|other| other.placed_at > from);
                ensure(found || sent_again || rings, || format!("promise 5: {attempt} stays unknown for more than 20 s: {call:?}"))
            }
        };
        held.map(|()| true)
    }

    // The end.

    pub fn at_rest(rows: &Rows) -> Result<(), String> {
        ensure(rows.timers.is_empty(), || format!("timers are left: {:?}", rows.timers))?;
        ensure(rows.outbox.is_empty(), || format!("effects are left: {:?}", rows.outbox))?;
        ensure(rows.incidents.values().all(|incident| !incident.is_open()), || "an incident is open".to_owned())?;
        for person in rows.persons.values() {
            let quiet = person.attempts.is_empty() && person.pages.is_empty() && person.chain.is_none();
            ensure(quiet, || format!("somebody is not at rest: {person:?}"))?;
        }
        for incident in rows.incidents.values() {
            let firing = rows.alerts.values().filter(|alert| alert.incident.as_ref() == Some(&incident.id) && alert.holds(Some(incident)));
            let ids: BTreeSet<&AlertId> = firing.map(|alert| &alert.id).collect();
            ensure(ids.is_empty() && incident.firing_count == 0, || format!("{} is resolved and {ids:?} fire", incident.id))?;
        }
        let unreadable = |key: &Key| key.dedup_key == UNREADABLE_KEY;
        ensure(rows.keys.iter().filter(|(key, _)| unreadable(key)).count() <= rows.setup.integrations.len(), || {
            "one key per integration tells of what cannot be read".to_owned()
        })?;
        Ok(())
    }
}

/// What a signal has in common with others of its service, by its own reading of the two ways that this world knows.
fn group_of(by: &GroupBy, signal: &Signal) -> Option<String> {
    let host = signal.labels.get("host")?;
    Some(match by {
        GroupBy::Names(_) => format!("host = {host}"),
        GroupBy::Template(_) => host.clone(),
    })
}
