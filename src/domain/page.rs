//! Waking one person: which contact, when, for which incidents at once; what a provider's news means; and when to stop.
//!
//! All of a person's pages share one telephone, so they are decided together, whatever number of incidents they come from.

use super::decide::{Decision, Moment, Outcome, SetTimer, State, Verdict};
use super::effect::{Effect, PageOf};
use super::fact::{Fact, What};
use super::input::{Actor, CallEnd, News, Report, Scope, Timer};
use super::person::{AttemptState, Chain, OpenAttempt, Person, PersonPage, Planned};
use super::reason::Reason;
use super::setup::{Contact, ContactKind, Setup, Urgency, User};
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
        let plans = self.person.pages.iter().filter(|page| page.wanted).flat_map(|page| &page.plan).map(|planned| planned.due_at);
        let chain = self
            .person
            .chain
            .as_ref()
            .filter(|chain| !self.is_calling(&chain.contact))
            .map(|chain| chain.started_at + limits::CHAIN_REPEAT);
        let attempts = self.person.attempts.iter().filter(|attempt| attempt.state != AttemptState::Waiting).map(|attempt| attempt.look_at);
        // A due time that has passed was dealt with just now and must not spin; the least step is one millisecond.
        plans.chain(chain).chain(attempts).min().map(|due| due.max(self.moment.at + Span::millis(1)))
    }

    // What is wanted.

    /// Makes the plan of every page that started, or started again, since the last look.
    fn plan_new_starts(&mut self) {
        let Some(user) = self.setup.users.get(&self.person.id) else { return };
        for page in &mut self.person.pages {
            if page.wanted && page.starts > page.planned_for {
                page.plan = plan(user, page.urgency, page.started_at);
                page.planned_for = page.starts;
                page.tried.clear();
                page.failed = false;
            }
        }
        let empty: Vec<PageId> = self
            .person
            .pages
            .iter()
            .filter(|page| page.wanted && page.plan.is_empty() && page.tried.is_empty() && !page.failed)
            .map(|page| page.id.clone())
            .collect();
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
                AttemptState::Accepted | AttemptState::Live => true,
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
        if self.speaks_for(None).is_empty() && self.person.chain.as_ref().is_some_and(|chain| !self.is_calling(&chain.contact)) {
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
            self.person.chain = Some(Chain { calls: 2, ..chain.clone() });
            self.place(&chain.contact, true, Reason::SecondCallOfChain);
        }
    }

    fn try_what_is_due(&mut self) {
        let now = self.now();
        loop {
            let due = self.person.pages.iter().filter(|page| page.wanted).find_map(|page| {
                let planned = page.plan.iter().find(|planned| planned.due_at <= now)?;
                Some((page.id.clone(), planned.clone()))
            });
            let Some((page, planned)) = due else { return };
            if self.person.chain.as_ref().is_some_and(|chain| chain.contact == planned.contact) {
                // That contact's chain runs: a rule due meanwhile is its repeat.
                self.done_with(&page, &planned);
                continue;
            }
            let free_at = self.person.chained_at.map_or(now, |at| at + limits::CHAIN_EVERY);
            if free_at > now {
                self.hold(&page, &planned, free_at);
                continue;
            }
            let reason = match self.user() {
                Some(user) if !user.rules.iter().any(|rule| rule.urgency == Urgency::High) => Reason::NoRuleSoVoice,
                Some(_) | None => Reason::RuleDue,
            };
            self.person.chain = Some(Chain { contact: planned.contact.clone(), started_at: now, calls: 1 });
            self.person.chained_at = Some(now);
            self.place(&planned.contact, false, reason);
            self.done_with(&page, &planned);
        }
    }

    /// The bar of one chain per three minutes: the call waits, the escalation clock does not.
    fn hold(&mut self, page: &PageId, planned: &Planned, until: Time) {
        for entry in self.page_mut(page).into_iter().flat_map(|page| &mut page.plan) {
            if entry == planned {
                entry.due_at = until;
            }
        }
        let contact = planned.contact.clone();
        let user = self.person.id.clone();
        self.record(std::slice::from_ref(page), |page| What::CallHeld { page, user: user.clone(), contact: contact.clone(), until });
    }

    /// Takes an entry off the plan; with it what was due for the same contact on the person's other pages, for one call speaks for all.
    fn done_with(&mut self, page: &PageId, planned: &Planned) {
        let now = self.moment.at;
        for other in &mut self.person.pages {
            let before = other.plan.len();
            other.plan.retain(|entry| !(entry.contact == planned.contact && entry.due_at <= now && (other.wanted || other.id == *page)));
            if other.plan.len() < before && !other.tried.contains(&planned.contact) {
                other.tried.push(planned.contact.clone());
            }
        }
    }

    /// The pages a call speaks for now: all that are urgent, and those whose own rule names this contact at low urgency.
    fn speaks_for(&self, contact: Option<&ContactId>) -> Vec<PageOf> {
        self.person
            .pages
            .iter()
            .filter(|page| {
                let planned = || {
                    page.plan.iter().any(|entry| Some(&entry.contact) == contact) || page.tried.iter().any(|tried| Some(tried) == contact)
                };
                page.wanted && (page.urgency == Urgency::High || contact.is_none() || planned())
            })
            .map(|page| PageOf { page: page.id.clone(), incident: page.incident.clone() })
            .collect()
    }

    fn place(&mut self, contact: &ContactId, second_call: bool, reason: Reason) {
        let now = self.now();
        let pages = self.speaks_for(Some(contact));
        if pages.is_empty() {
            return;
        }
        let id = AttemptId::make(&mut self.moment.ids);
        let page_ids: Vec<PageId> = pages.iter().map(|page| page.page.clone()).collect();
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
        let now = self.now();
        let Some(attempt) = self.person.attempts.iter().find(|attempt| &attempt.id == id).cloned() else { return };
        match news {
            News::Accepted { .. } => match attempt.state {
                AttemptState::Waiting | AttemptState::Unknown | AttemptState::Lost => {
                    self.tell(&attempt, |page, user, contact, attempt| What::AttemptAccepted { page, user, contact, attempt });
                    self.change(id, |open| {
                        open.state = AttemptState::Accepted;
                        open.look_at = now + limits::CALL_SILENCE;
                        open.asked = 0;
                    });
                    self.reached(&attempt);
                }
                AttemptState::Accepted if attempt.asked > 0 => {
                    // It was asked about because nothing was heard, and the provider has nothing to tell but that it has it.
                    if attempt.asked == 1 {
                        self.tell(&attempt, |page, user, contact, attempt| What::CallSilent { page, user, contact, attempt });
                        self.fall_forward(&attempt, false);
                    }
                }
                AttemptState::Accepted | AttemptState::Live => {}
            },
            News::Rejected { reason } => {
                self.forget(id);
                self.tell(&attempt, |page, user, contact, attempt| What::AttemptRejected {
                    page,
                    user,
                    contact,
                    attempt,
                    reason: reason.clone(),
                });
                self.call_did_not_happen(&attempt);
                self.fall_forward(&attempt, true);
            }
            News::Unknown { reason } => {
                if attempt.state == AttemptState::Waiting {
                    self.tell(&attempt, |page, user, contact, attempt| What::AttemptUnknown {
                        page,
                        user,
                        contact,
                        attempt,
                        reason: reason.clone(),
                    });
                    self.change(id, |open| {
                        open.state = AttemptState::Unknown;
                        open.look_at = now;
                    });
                    self.fall_forward(&attempt, false);
                }
            }
            News::NotFound { .. } => self.not_found(&attempt),
            News::Withdrawn { reason } => {
                self.forget(id);
                self.tell(&attempt, |page, user, contact, attempt| What::AttemptWithdrawn {
                    page,
                    user,
                    contact,
                    attempt,
                    reason: reason.clone(),
                });
                self.call_did_not_happen(&attempt);
            }
            News::Ringing => self.lives(&attempt, false),
            News::PickedUp => self.lives(&attempt, true),
            News::KeyPressed => self.change(id, |open| {
                open.state = AttemptState::Live;
                open.look_at = now + limits::CALL_GIVE_UP;
                // It speaks back and ends by itself.
                open.ending = true;
            }),
            News::Ended(how) => {
                self.forget(id);
                let how = *how;
                self.tell(&attempt, |page, user, contact, attempt| What::CallEnded { page, user, contact, attempt, how });
                match how {
                    // The provider could not place it: the same as a refusal, told later.
                    CallEnd::Failed => {
                        self.call_did_not_happen(&attempt);
                        self.fall_forward(&attempt, true);
                    }
                    CallEnd::Completed | CallEnd::NoAnswer | CallEnd::Busy | CallEnd::Canceled => {}
                }
            }
        }
    }

    fn lives(&mut self, attempt: &OpenAttempt, picked_up: bool) {
        let now = self.now();
        if attempt.state != AttemptState::Live {
            self.reached(attempt);
        }
        if picked_up {
            self.tell(attempt, |page, user, contact, attempt| What::PhonePickedUp { page, user, contact, attempt });
        } else if attempt.state != AttemptState::Live {
            self.tell(attempt, |page, user, contact, attempt| What::PhoneRang { page, user, contact, attempt });
        }
        self.change(&attempt.id, |open| {
            if open.state != AttemptState::Live {
                open.asked = 0;
            }
            open.state = AttemptState::Live;
            open.look_at = now + limits::CALL_GIVE_UP;
        });
    }

    /// The provider was asked and could not tell of this call.
    fn not_found(&mut self, attempt: &OpenAttempt) {
        let now = self.now();
        match attempt.state {
            AttemptState::Unknown => {
                let settled = attempt.asked >= 2 && now >= attempt.placed_at + limits::UNKNOWN_SETTLE;
                if !settled {
                    return;
                }
                self.change(&attempt.id, |open| {
                    open.state = AttemptState::Lost;
                    open.look_at = now + limits::LOST_CALL;
                });
                // It counts as the chain's call, whether or not it rang; it is placed again in its stead.
                if self.person.chain.as_ref().is_some_and(|chain| chain.contact == attempt.contact) {
                    let second = self.person.chain.as_ref().is_some_and(|chain| chain.calls >= 2);
                    self.place(&attempt.contact, second, Reason::OutcomeStaysUnknown);
                }
            }
            AttemptState::Accepted | AttemptState::Live if attempt.asked >= 2 => {
                // It was accepted and is not there: it will tell nothing more.
                self.forget(&attempt.id);
                self.tell(attempt, |page, user, contact, attempt| What::CallEnded { page, user, contact, attempt, how: CallEnd::Failed });
                self.fall_forward(attempt, true);
            }
            AttemptState::Waiting | AttemptState::Accepted | AttemptState::Live | AttemptState::Lost => {}
        }
    }

    /// Attempts of which nothing was heard for too long are asked about, and given up in the end.
    fn look_at_attempts(&mut self) {
        let now = self.now();
        let due: Vec<OpenAttempt> = self
            .person
            .attempts
            .iter()
            .filter(|attempt| attempt.look_at <= now && attempt.state != AttemptState::Waiting)
            .cloned()
            .collect();
        for attempt in due {
            let (give_up, again) = match attempt.state {
                AttemptState::Lost => (true, Span::ZERO),
                AttemptState::Unknown => (false, limits::ASK_AGAIN),
                AttemptState::Accepted => (now >= attempt.placed_at + limits::CALL_GIVE_UP + limits::CALL_SILENCE, limits::CALL_SILENCE),
                AttemptState::Waiting | AttemptState::Live => (attempt.asked >= 3, limits::CALL_SILENCE),
            };
            if give_up {
                self.forget(&attempt.id);
                if attempt.state != AttemptState::Lost {
                    self.tell(&attempt, |page, user, contact, attempt| What::CallEnded {
                        page,
                        user,
                        contact,
                        attempt,
                        how: CallEnd::NoAnswer,
                    });
                }
                continue;
            }
            self.change(&attempt.id, |open| {
                open.asked += 1;
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

    /// A call that was never placed does not count: not for the chain, and not for the bar when it was the first.
    fn call_did_not_happen(&mut self, attempt: &OpenAttempt) {
        if let Some(chain) = self.person.chain.clone()
            && chain.contact == attempt.contact
            && attempt.state != AttemptState::Lost
        {
            self.person.chain = None;
            if chain.calls <= 1 {
                self.person.chained_at = None;
            }
        }
    }

    /// Something went wrong with one contact: the next one is tried at once, and the same one again where there is no other.
    fn fall_forward(&mut self, attempt: &OpenAttempt, again: bool) {
        let now = self.now();
        let reachable: Vec<ContactId> = self.user().into_iter().flat_map(reachable).map(|contact| contact.id.clone()).collect();
        for id in &attempt.pages {
            let Some(page) = self.page_mut(id).filter(|page| page.wanted) else { continue };
            if !page.tried.contains(&attempt.contact) {
                page.tried.push(attempt.contact.clone());
            }
            let planned = page.plan.iter_mut().filter(|entry| entry.contact != attempt.contact).min_by_key(|entry| entry.due_at);
            if let Some(entry) = planned {
                entry.due_at = entry.due_at.min(now);
            } else if let Some(other) = reachable.iter().find(|contact| !page.tried.contains(contact)) {
                page.plan.push(Planned { contact: other.clone(), due_at: now });
            } else if again {
                // The same contact soon, then less and less often, for as long as the page is wanted.
                let waited = now.since(page.started_at).max(limits::RETRY_LEAST).min(limits::RETRY_MOST);
                let contact = attempt.contact.clone();
                if !page.plan.iter().any(|entry| entry.contact == contact && entry.due_at <= now + waited) {
                    page.plan.push(Planned { contact, due_at: now + waited });
                }
                if !page.failed {
                    self.fail(id);
                }
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
    let planned = |contact: &ContactId, after: Span| Planned { contact: contact.clone(), due_at: started_at + after };
    let rules = || user.rules.iter().filter(|rule| rule.urgency == urgency && usable(&rule.contact));
    let mut plan: Vec<Planned> = if rules().next().is_some() {
        rules().map(|rule| planned(&rule.contact, rule.after)).collect()
    } else {
        reachable(user)
            .filter_map(|contact| {
                let after = match (urgency, contact.kind) {
                    (Urgency::High, ContactKind::Voice) => Span::ZERO,
                    (Urgency::High, ContactKind::Sms | ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook) => {
                        Span::minutes(1)
                    }
                    (Urgency::Low, ContactKind::Voice | ContactKind::Sms) => return None,
                    (Urgency::Low, ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook) => Span::ZERO,
                };
                Some(planned(&contact.id, after))
            })
            .collect()
    };
    plan.sort_by_key(|entry| entry.due_at);
    plan
}
