//! Waking one person: which contact, when, for which incidents at once; what a provider's news means; and when to stop.
//!
//! All of a person's pages share one telephone, so they are decided together, whatever number of incidents they come from.

use super::decide::{Decision, Moment, Outcome, SetTimer, State, Verdict};
use super::effect::{Effect, PageOf};
use super::fact::{Fact, What};
use super::input::{Actor, CallEnd, News, Report, Scope, Timer};
use super::person::{AttemptState, Chain, OpenAttempt, Person, PersonPage, Planned};
use super::reason::Reason;
use super::setup::{Contact, ContactKind, Rule, Setup, Urgency, User};
use crate::base::id::{AttemptId, ContactId, PageId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};

/// Contacts that this version can reach people through; others are configured for later and are passed over.
const REACHABLE: [ContactKind; 1] = [ContactKind::Voice];

/// Looks at everything of this person that is due.
pub(super) fn attend(person: Person, setup: &Setup, moment: &mut Moment) -> Decision {
    let mut draft = Draft::new(person, setup, moment);
    draft.attend();
    draft.decision(Verdict::of(Outcome::Recorded, Reason::RuleDue))
}

/// Takes a provider's or the courier's news of one attempt, then looks at what is due.
pub(super) fn report(person: Person, report: &Report, setup: &Setup, moment: &mut Moment) -> Decision {
    let mut draft = Draft::new(person, setup, moment);
    draft.hear(&report.attempt, &report.news);
    draft.attend();
    draft.decision(Verdict::of(Outcome::Recorded, Reason::Told))
}

struct Draft<'a> {
    person: Person,
    setup: &'a Setup,
    moment: &'a mut Moment,
    facts: Vec<Fact>,
    effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    fn new(person: Person, setup: &'a Setup, moment: &'a mut Moment) -> Self {
        Self { person, setup, moment, facts: Vec::new(), effects: Vec::new() }
    }

    const fn now(&self) -> Time {
        self.moment.at
    }

    fn user(&self) -> Option<&'a User> {
        self.setup.users.get(&self.person.id)
    }

    fn attend(&mut self) {
        self.plan_new_starts();
        self.drop_the_unwanted();
        self.look_at_attempts();
        self.go_on_with_chain();
        self.try_what_is_due();
    }

    fn decision(self, verdict: Verdict) -> Decision {
        let due_at = self.next_look();
        let timers = vec![SetTimer { scope: Scope::Person(self.person.id.clone()), timer: Timer::Attend, due_at }];
        Decision { state: State::Person(self.person), facts: self.facts, effects: self.effects, timers, verdict }
    }

    /// The next moment at which something of this person is due.
    fn next_look(&self) -> Option<Time> {
        let now = self.now();
        let plans = self.person.pages.iter().filter(|page| page.wanted).flat_map(|page| &page.plan).map(|planned| planned.due_at);
        // What is due and still there waits for a call to end: the call's own time, or the courier's report, comes first.
        let plans = plans.filter(|due_at| *due_at > now);
        let chain = self.person.chain.as_ref().filter(|chain| !self.is_calling(&chain.contact));
        let chain = chain.map(|chain| chain.started_at + limits::CHAIN_REPEAT);
        let attempts = self.person.attempts.iter().filter(|attempt| attempt.state != AttemptState::Waiting).map(|attempt| attempt.look_at);
        // A due time that has passed was dealt with just now and must not spin; the least step is one millisecond.
        plans.chain(chain).chain(attempts).min().map(|due| due.max(now + Span::millis(1)))
    }

    // What is wanted.

    /// Makes the plan of every page that started, or started again, since the last look.
    fn plan_new_starts(&mut self) {
        let user = self.user();
        let usable: Vec<&ContactId> = user.into_iter().flat_map(reachable).map(|contact| &contact.id).collect();
        for page in self.person.pages.iter_mut().filter(|page| page.wanted) {
            if page.starts > page.planned_for {
                page.plan = user.map(|user| plan(user, page.urgency, page.started_at)).unwrap_or_default();
                page.planned_for = page.starts;
                page.tried.clear();
                page.failed = false;
            }
            // A contact, or the person, may have left the setup since.
            page.plan.retain(|entry| usable.contains(&&entry.contact));
        }
        if self.person.chain.as_ref().is_some_and(|chain| !usable.contains(&&chain.contact)) {
            self.person.chain = None;
        }
        let attempts = &self.person.attempts;
        let out_of_reach = |page: &&PersonPage| {
            page.wanted
                && !page.failed
                && page.plan.is_empty()
                && (page.tried.is_empty() || usable.is_empty())
                && !attempts.iter().any(|attempt| attempt.pages.contains(&page.id))
        };
        let empty: Vec<PageId> = self.person.pages.iter().filter(out_of_reach).map(|page| page.id.clone()).collect();
        for page in empty {
            // Nobody can be reached through nothing; the escalation runs on and the page says so.
            self.fail(&page);
        }
    }

    /// Ends calls that nobody wants and forgets pages that are over.
    fn drop_the_unwanted(&mut self) {
        let now = self.now();
        let wanted: Vec<PageId> = self.person.pages.iter().filter(|page| page.wanted).map(|page| page.id.clone()).collect();
        for attempt in &mut self.person.attempts {
            let is_wanted = attempt.pages.iter().any(|page| wanted.contains(page));
            // What waits is withdrawn by the courier, what is unknown must be found first.
            let can_end = match attempt.state {
                AttemptState::Accepted | AttemptState::Live | AttemptState::Talking => true,
                AttemptState::Waiting | AttemptState::Unknown | AttemptState::Lost => false,
            };
            if !is_wanted && can_end && !attempt.ending {
                attempt.ending = true;
                self.effects.push(Effect::EndCall {
                    attempt: attempt.id.clone(),
                    user: self.person.id.clone(),
                    contact: attempt.contact.clone(),
                    due_at: now,
                });
            }
        }
        let attempts = &self.person.attempts;
        self.person.pages.retain(|page| page.wanted || attempts.iter().any(|attempt| attempt.pages.contains(&page.id)));
        let is_over = |chain: &Chain| !self.is_calling(&chain.contact) && !chain.pages.iter().any(|page| wanted.contains(page));
        if self.person.chain.as_ref().is_some_and(is_over) {
            // Answered, by whomever: what came meanwhile is said in the next chain.
            self.person.chain = None;
        }
    }

    // Calling.

    fn is_calling(&self, contact: &ContactId) -> bool {
        self.person.attempts.iter().any(|attempt| &attempt.contact == contact && attempt.state != AttemptState::Lost)
    }

    /// Repeats the call once when no key was pressed, and ends the chain after that.
    fn go_on_with_chain(&mut self) {
        let Some(chain) = self.person.chain.clone() else { return };
        if self.is_calling(&chain.contact) {
            return;
        }
        if chain.calls >= 2 {
            self.person.chain = None;
        } else if self.now() >= chain.started_at + limits::CHAIN_REPEAT {
            let contact = chain.contact.clone();
            self.person.chain = Some(Chain { calls: 2, ..chain });
            self.place(&contact, true, Reason::SecondCallOfChain);
            self.done_with(&contact);
        }
    }

    /// Goes through what is due, the oldest first: it becomes a call, or is part of the running one, or waits.
    fn try_what_is_due(&mut self) {
        let now = self.now();
        let mut due: Vec<(PageId, Planned)> = Vec::new();
        for page in self.person.pages.iter().filter(|page| page.wanted) {
            due.extend(page.plan.iter().filter(|entry| entry.due_at <= now).map(|entry| (page.id.clone(), entry.clone())));
        }
        due.sort_by_key(|(_, entry)| entry.due_at);
        for (page, planned) in due {
            let is_still_due = self.person.pages.iter().any(|other| other.id == page && other.plan.contains(&planned));
            if is_still_due {
                self.try_one(&page, &planned);
            }
        }
    }

    fn try_one(&mut self, page: &PageId, planned: &Planned) {
        let now = self.now();
        let contact = &planned.contact;
        if let Some(chain) = self.person.chain.as_ref().filter(|chain| &chain.contact == contact) {
            if chain.pages.contains(page) {
                // A rule due while that contact's chain runs is its repeat.
                self.take_off(page, contact);
                return;
            }
            if chain.calls < 2 {
                // The repeat will say it too.
                let until = chain.started_at + limits::CHAIN_REPEAT;
                self.hold(page, planned, until);
                return;
            }
        }
        let free_at = self.person.chained_at.map_or(now, |at| at + limits::CHAIN_EVERY);
        if free_at > now {
            self.hold(page, planned, free_at);
            return;
        }
        if self.is_calling(contact) {
            // This telephone is busy with an older call of ours; its end, or its report, looks here again.
            return;
        }
        self.person.chain = Some(Chain { contact: contact.clone(), started_at: now, calls: 1, pages: Vec::new() });
        self.person.chained_at = Some(now);
        self.place(contact, false, planned.reason);
        self.done_with(contact);
    }

    /// The call waits, the escalation clock does not.
    fn hold(&mut self, page: &PageId, planned: &Planned, until: Time) {
        let now = self.now();
        if until <= now {
            return;
        }
        for entry in self.page_mut(page).into_iter().flat_map(|page| &mut page.plan) {
            if entry == planned {
                entry.due_at = until;
            }
        }
        if until.since(now) < limits::HOLD_TOLD {
            return;
        }
        let contact = planned.contact.clone();
        let user = self.person.id.clone();
        self.record(std::slice::from_ref(page), |page| What::CallHeld { page, user: user.clone(), contact: contact.clone(), until });
    }

    /// One call speaks for all: takes what is due for this contact off every page's plan.
    fn done_with(&mut self, contact: &ContactId) {
        let spoken_for = self.person.chain.as_ref().map(|chain| chain.pages.clone()).unwrap_or_default();
        for page in spoken_for {
            self.take_off(&page, contact);
        }
    }

    fn take_off(&mut self, page: &PageId, contact: &ContactId) {
        let now = self.moment.at;
        let Some(page) = self.page_mut(page) else { return };
        let before = page.plan.len();
        page.plan.retain(|entry| !(&entry.contact == contact && entry.due_at <= now));
        if page.plan.len() < before && !page.tried.contains(contact) {
            page.tried.push(contact.clone());
        }
    }

    /// The pages a call speaks for now: all that are urgent, and those whose own rule names this contact at low urgency.
    fn speaks_for(&self, contact: &ContactId) -> Vec<PageOf> {
        let names = |page: &PersonPage| page.tried.contains(contact) || page.plan.iter().any(|entry| &entry.contact == contact);
        let pages = self.person.pages.iter().filter(|page| page.wanted && (page.urgency == Urgency::High || names(page)));
        pages.map(|page| PageOf { page: page.id.clone(), incident: page.incident.clone() }).collect()
    }

    fn place(&mut self, contact: &ContactId, second_call: bool, reason: Reason) {
        let now = self.now();
        let pages = self.speaks_for(contact);
        if pages.is_empty() {
            return;
        }
        let id = AttemptId::make(&mut self.moment.ids);
        let page_ids: Vec<PageId> = pages.iter().map(|page| page.page.clone()).collect();
        if let Some(chain) = &mut self.person.chain {
            chain.pages.extend(page_ids.iter().filter(|page| !chain.pages.contains(page)).cloned().collect::<Vec<_>>());
        }
        self.person.attempts.push(OpenAttempt {
            id: id.clone(),
            contact: contact.clone(),
            pages: page_ids.clone(),
            placed_at: now,
            state: AttemptState::Waiting,
            look_at: now,
            asked: 0,
            ending: false,
        });
        let (user, attempt) = (self.person.id.clone(), id.clone());
        self.record(&page_ids, |page| What::AttemptPlaced {
            page,
            user: user.clone(),
            contact: contact.clone(),
            attempt: attempt.clone(),
            reason,
        });
        self.effects.push(Effect::PlacePage {
            attempt: id,
            user: self.person.id.clone(),
            contact: contact.clone(),
            pages,
            second_call,
            due_at: now,
        });
    }

    // What came of it.

    fn hear(&mut self, id: &AttemptId, news: &News) {
        let Some(attempt) = self.person.attempts.iter().find(|attempt| &attempt.id == id).cloned() else { return };
        match news {
            News::Accepted { .. } => self.accepted(&attempt),
            News::Rejected { reason } => self.rejected(&attempt, reason),
            News::Unknown { reason } => self.unknown(&attempt, reason),
            News::NotFound { .. } => self.not_found(&attempt),
            News::Withdrawn { reason } => self.withdrawn(&attempt, reason),
            News::Ringing => self.rings(&attempt),
            News::PickedUp => self.picked_up(&attempt),
            News::KeyPressed => {
                let now = self.now();
                self.change(id, |open| {
                    open.state = AttemptState::Talking;
                    open.look_at = now + limits::CALL_GIVE_UP;
                    open.asked = 0;
                    // It speaks back and ends by itself.
                    open.ending = true;
                });
            }
            News::Ended(how) => self.ended(&attempt, *how),
        }
    }

    fn accepted(&mut self, attempt: &OpenAttempt) {
        let now = self.now();
        match attempt.state {
            AttemptState::Waiting | AttemptState::Unknown | AttemptState::Lost => {
                self.tell(attempt, |page, user, contact, attempt| What::AttemptAccepted { page, user, contact, attempt });
                self.change(&attempt.id, |open| {
                    open.state = AttemptState::Accepted;
                    open.look_at = now + limits::CALL_SILENCE;
                    open.asked = 0;
                });
                self.reached(attempt);
                let first = self.person.chain.as_mut().filter(|chain| chain.contact == attempt.contact && chain.calls <= 1);
                if let Some(chain) = first
                    && attempt.state == AttemptState::Waiting
                {
                    // The chain is counted from its call, which may have waited for the provider's pace.
                    chain.started_at = now;
                    self.person.chained_at = Some(now);
                }
            }
            // It was asked about because nothing was heard, and the provider has nothing to tell but that it has it.
            AttemptState::Accepted if attempt.asked == 1 => self.silent(attempt),
            AttemptState::Accepted | AttemptState::Live | AttemptState::Talking => {}
        }
    }

    fn rejected(&mut self, attempt: &OpenAttempt, reason: &str) {
        match attempt.state {
            AttemptState::Waiting | AttemptState::Unknown => {}
            // It was placed, whatever came after; or another was placed for it.
            AttemptState::Accepted | AttemptState::Live | AttemptState::Talking | AttemptState::Lost => return,
        }
        self.forget(&attempt.id);
        let text = reason.to_owned();
        self.tell(attempt, |page, user, contact, attempt| What::AttemptRejected { page, user, contact, attempt, reason: text.clone() });
        self.call_did_not_happen(attempt);
        self.fall_forward(attempt, true);
    }

    fn unknown(&mut self, attempt: &OpenAttempt, reason: &str) {
        if attempt.state != AttemptState::Waiting {
            return;
        }
        let now = self.now();
        let text = reason.to_owned();
        self.tell(attempt, |page, user, contact, attempt| What::AttemptUnknown { page, user, contact, attempt, reason: text.clone() });
        self.change(&attempt.id, |open| {
            open.state = AttemptState::Unknown;
            open.look_at = now;
        });
        self.fall_forward(attempt, false);
    }

    fn withdrawn(&mut self, attempt: &OpenAttempt, reason: &str) {
        self.forget(&attempt.id);
        let text = reason.to_owned();
        self.tell(attempt, |page, user, contact, attempt| What::AttemptWithdrawn { page, user, contact, attempt, reason: text.clone() });
        self.call_did_not_happen(attempt);
    }

    fn rings(&mut self, attempt: &OpenAttempt) {
        match attempt.state {
            AttemptState::Waiting | AttemptState::Accepted | AttemptState::Unknown | AttemptState::Lost => {
                self.reached(attempt);
                self.tell(attempt, |page, user, contact, attempt| What::PhoneRang { page, user, contact, attempt });
                self.lives(&attempt.id, AttemptState::Live, true);
            }
            AttemptState::Live => self.lives(&attempt.id, AttemptState::Live, false),
            AttemptState::Talking => {}
        }
    }

    fn picked_up(&mut self, attempt: &OpenAttempt) {
        match attempt.state {
            AttemptState::Waiting | AttemptState::Accepted | AttemptState::Unknown | AttemptState::Lost | AttemptState::Live => {
                self.reached(attempt);
                self.tell(attempt, |page, user, contact, attempt| What::PhonePickedUp { page, user, contact, attempt });
                self.lives(&attempt.id, AttemptState::Talking, true);
            }
            AttemptState::Talking => self.lives(&attempt.id, AttemptState::Talking, false),
        }
    }

    /// A sign of life. News gives it its whole time; the same again, when asked, only a little.
    fn lives(&mut self, id: &AttemptId, state: AttemptState, is_news: bool) {
        let now = self.now();
        self.change(id, |open| {
            open.state = state;
            if is_news {
                open.asked = 0;
            }
            if open.asked == 0 {
                open.look_at = now + limits::CALL_GIVE_UP;
            }
        });
    }

    fn ended(&mut self, attempt: &OpenAttempt, how: CallEnd) {
        self.forget(&attempt.id);
        self.tell(attempt, |page, user, contact, attempt| What::CallEnded { page, user, contact, attempt, how });
        let is_refusal = match attempt.state {
            AttemptState::Waiting | AttemptState::Accepted | AttemptState::Unknown => true,
            // It rang; or another was placed for it.
            AttemptState::Live | AttemptState::Talking | AttemptState::Lost => false,
        };
        match how {
            // The provider could not place it: the same as a refusal, told later.
            CallEnd::Failed if is_refusal => {
                self.call_did_not_happen(attempt);
                self.fall_forward(attempt, true);
            }
            CallEnd::Failed | CallEnd::Completed | CallEnd::NoAnswer | CallEnd::Busy | CallEnd::Canceled => {}
        }
    }

    /// The provider was asked and could not tell of this call.
    fn not_found(&mut self, attempt: &OpenAttempt) {
        match attempt.state {
            AttemptState::Unknown => {
                if self.is_settled(attempt) {
                    self.lose(attempt);
                }
            }
            AttemptState::Accepted if attempt.asked == 1 => self.silent(attempt),
            AttemptState::Waiting | AttemptState::Accepted | AttemptState::Live | AttemptState::Talking | AttemptState::Lost => {}
        }
    }

    /// Asked often and long enough to send it again.
    fn is_settled(&self, attempt: &OpenAttempt) -> bool {
        attempt.asked >= 2 && self.now() >= attempt.placed_at + limits::UNKNOWN_SETTLE
    }

    /// Whether it was placed cannot be found out: it counts as the chain's call, and another is placed in its stead.
    fn lose(&mut self, attempt: &OpenAttempt) {
        let now = self.now();
        self.change(&attempt.id, |open| {
            open.state = AttemptState::Lost;
            open.look_at = now + limits::LOST_CALL;
        });
        let chain = self.person.chain.as_ref().filter(|chain| chain.contact == attempt.contact);
        if let Some(second_call) = chain.map(|chain| chain.calls >= 2)
            && !self.is_calling(&attempt.contact)
        {
            self.place(&attempt.contact, second_call, Reason::OutcomeStaysUnknown);
        }
    }

    /// The provider has the call and tells nothing of it: perhaps nothing rings.
    fn silent(&mut self, attempt: &OpenAttempt) {
        let now = self.now();
        self.change(&attempt.id, |open| {
            open.asked = 2;
            open.look_at = now + limits::CALL_SILENCE;
        });
        self.tell(attempt, |page, user, contact, attempt| What::CallSilent { page, user, contact, attempt });
        self.fall_forward(attempt, false);
    }

    /// Attempts of which nothing was heard for too long are asked about, and given up in the end.
    fn look_at_attempts(&mut self) {
        let now = self.now();
        let attempts = self.person.attempts.iter();
        let due: Vec<OpenAttempt> = attempts.filter(|attempt| attempt.look_at <= now).cloned().collect();
        for attempt in due {
            let again = match attempt.state {
                AttemptState::Waiting => continue,
                AttemptState::Lost => {
                    self.forget(&attempt.id);
                    continue;
                }
                AttemptState::Unknown if self.is_settled(&attempt) => {
                    self.lose(&attempt);
                    continue;
                }
                AttemptState::Unknown => limits::ASK_AGAIN,
                AttemptState::Accepted if attempt.asked >= limits::SILENT_ASKS => {
                    self.give_up(&attempt);
                    continue;
                }
                AttemptState::Accepted if attempt.asked == 0 => limits::ASK_ANSWER,
                AttemptState::Accepted if attempt.asked == 1 => {
                    self.silent(&attempt);
                    limits::CALL_SILENCE
                }
                AttemptState::Accepted => limits::CALL_SILENCE,
                AttemptState::Live | AttemptState::Talking if attempt.asked >= limits::LIVE_ASKS => {
                    self.give_up(&attempt);
                    continue;
                }
                AttemptState::Live | AttemptState::Talking => limits::CALL_SILENCE,
            };
            self.change(&attempt.id, |open| {
                open.asked = attempt.asked + 1;
                open.look_at = now + again;
            });
            self.effects.push(Effect::AskProvider {
                attempt: attempt.id.clone(),
                user: self.person.id.clone(),
                contact: attempt.contact.clone(),
                due_at: now,
            });
        }
    }

    /// Nobody tells how it ended: it counts as unanswered.
    fn give_up(&mut self, attempt: &OpenAttempt) {
        self.forget(&attempt.id);
        let how = CallEnd::NoAnswer;
        self.tell(attempt, |page, user, contact, attempt| What::CallEnded { page, user, contact, attempt, how });
    }

    /// A call that was never placed does not count: not for the chain, and not for the bar when it was the first.
    fn call_did_not_happen(&mut self, attempt: &OpenAttempt) {
        let now = self.now();
        let Some(chain) = self.person.chain.take_if(|chain| chain.contact == attempt.contact) else { return };
        if chain.calls > 1 {
            return;
        }
        self.person.chained_at = None;
        // What waited for this chain's repeat waits no longer.
        let repeat_at = chain.started_at + limits::CHAIN_REPEAT;
        for page in self.person.pages.iter_mut().filter(|page| !chain.pages.contains(&page.id)) {
            for entry in page.plan.iter_mut().filter(|entry| entry.contact == chain.contact && entry.due_at <= repeat_at) {
                entry.due_at = entry.due_at.min(now);
            }
        }
    }

    /// Something went wrong with one contact: the next one is tried at once; after the last the first again, less and less often.
    fn fall_forward(&mut self, attempt: &OpenAttempt, refused: bool) {
        let now = self.now();
        let user = self.user();
        let mut moved_on = false;
        for id in &attempt.pages {
            let is_tried = self
                .person
                .attempts
                .iter()
                .any(|other| other.id != attempt.id && other.state != AttemptState::Lost && other.pages.contains(id));
            let Some(page) = self.page_mut(id).filter(|page| page.wanted) else { continue };
            // At high urgency every contact will do, at low urgency only those that its rules allow.
            let allowed: Vec<ContactId> = match page.urgency {
                Urgency::High => user.into_iter().flat_map(reachable).map(|contact| contact.id.clone()).collect(),
                Urgency::Low => user.into_iter().flat_map(|user| plan(user, Urgency::Low, now)).map(|entry| entry.contact).collect(),
            };
            // The one tried longest ago stands first.
            page.tried.retain(|tried| tried != &attempt.contact);
            page.tried.push(attempt.contact.clone());
            let planned = page.plan.iter_mut().filter(|entry| entry.contact != attempt.contact).min_by_key(|entry| entry.due_at);
            if let Some(entry) = planned {
                if entry.due_at > now {
                    *entry = Planned { contact: entry.contact.clone(), due_at: now, reason: Reason::OtherContactRefused };
                }
                moved_on = true;
            } else if let Some(other) = allowed.iter().find(|contact| !page.tried.contains(contact)) {
                page.plan.push(Planned { contact: other.clone(), due_at: now, reason: Reason::OtherContactRefused });
                moved_on = true;
            } else if refused {
                let wait = now.since(page.started_at).max(limits::RETRY_LEAST).min(limits::RETRY_MOST);
                let oldest = page.tried.iter().find(|tried| allowed.contains(tried)).cloned();
                if let Some(contact) = oldest
                    && !page.plan.iter().any(|entry| entry.contact == contact && entry.due_at <= now + wait)
                {
                    page.plan.push(Planned { contact, due_at: now + wait, reason: Reason::TriedAgain });
                }
                if !page.failed && !is_tried {
                    self.fail(id);
                }
            }
        }
        if moved_on && !refused {
            // Perhaps nothing rang: the chain moves on to the next contact rather than wait for its repeat.
            let chain = self.person.chain.take_if(|chain| chain.contact == attempt.contact && chain.calls <= 1);
            if chain.is_some() {
                self.person.chained_at = None;
            }
        }
    }

    fn reached(&mut self, attempt: &OpenAttempt) {
        for page in self.person.pages.iter_mut().filter(|page| attempt.pages.contains(&page.id)) {
            page.failed = false;
        }
    }

    fn fail(&mut self, id: &PageId) {
        let user = self.person.id.clone();
        if let Some(page) = self.page_mut(id) {
            page.failed = true;
        }
        self.record(std::slice::from_ref(id), |page| What::PageFailed { page, user: user.clone() });
    }

    // Small change.

    fn page_mut(&mut self, id: &PageId) -> Option<&mut PersonPage> {
        self.person.pages.iter_mut().find(|page| &page.id == id)
    }

    fn change(&mut self, id: &AttemptId, change: impl FnOnce(&mut OpenAttempt)) {
        if let Some(attempt) = self.person.attempts.iter_mut().find(|attempt| &attempt.id == id) {
            change(attempt);
        }
    }

    fn forget(&mut self, id: &AttemptId) {
        self.person.attempts.retain(|attempt| &attempt.id != id);
    }

    fn tell(&mut self, attempt: &OpenAttempt, what: impl Fn(PageId, UserId, ContactId, AttemptId) -> What) {
        let user = self.person.id.clone();
        self.record(&attempt.pages, |page| what(page, user.clone(), attempt.contact.clone(), attempt.id.clone()));
    }

    /// Records a fact on the incident of each of these pages.
    fn record(&mut self, pages: &[PageId], what: impl Fn(PageId) -> What) {
        for id in pages {
            let Some(page) = self.person.pages.iter().find(|page| &page.id == id) else { continue };
            self.facts.push(Fact { incident: page.incident.clone(), at: self.moment.at, actor: Actor::Reveille, what: what(id.clone()) });
        }
    }
}

fn reachable(user: &User) -> impl Iterator<Item = &Contact> {
    user.contacts.iter().filter(|contact| REACHABLE.contains(&contact.kind))
}

/// The person's rules for this urgency, as times. Without a rule: at high urgency voice at once and every other contact after a
/// minute; at low urgency every contact but voice and text messages.
fn plan(user: &User, urgency: Urgency, started_at: Time) -> Vec<Planned> {
    let usable = |id: &ContactId| reachable(user).any(|contact| &contact.id == id);
    let rules: Vec<&Rule> = user.rules.iter().filter(|rule| rule.urgency == urgency && usable(&rule.contact)).collect();
    let mut plan: Vec<Planned> = if rules.is_empty() {
        let unruled = |contact: &Contact| {
            let (after, reason) = match (urgency, contact.kind) {
                (Urgency::High, ContactKind::Voice) => (Span::ZERO, Reason::NoRuleSoVoice),
                (Urgency::High, ContactKind::Sms | ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook) => {
                    (Span::minutes(1), Reason::NoRuleSoVoice)
                }
                (Urgency::Low, ContactKind::Voice | ContactKind::Sms) => return None,
                (Urgency::Low, ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook) => (Span::ZERO, Reason::RuleDue),
            };
            Some(Planned { contact: contact.id.clone(), due_at: started_at + after, reason })
        };
        reachable(user).filter_map(unruled).collect()
    } else {
        let ruled = |rule: &&Rule| Planned { contact: rule.contact.clone(), due_at: started_at + rule.after, reason: Reason::RuleDue };
        rules.iter().map(ruled).collect()
    };
    plan.sort_by_key(|entry| entry.due_at);
    plan
}
