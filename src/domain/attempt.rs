//! What became of one attempt: what a provider's news, or its silence, means for the chain and for the page's next contact.

use super::effect::Effect;
use super::fact::What;
use super::input::{CallEnd, News};
use super::page::{Draft, plan, reachable};
use super::person::{AttemptState, OpenAttempt, PersonPage, Planned};
use super::reason::Reason;
use super::setup::Urgency;
use crate::base::id::{AttemptId, ContactId, PageId};
use crate::base::limits;
use crate::base::time::{Span, Time};

impl Draft<'_> {
    pub fn hear(&mut self, id: &AttemptId, news: &News) {
        let Some(attempt) = self.person.attempts.iter().find(|attempt| &attempt.id == id).cloned() else { return };
        if !attempt.kind.is_call() {
            return self.hear_of_message(&attempt, news);
        }
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
            // Only messages are delivered.
            News::Delivered | News::Undelivered { .. } => {}
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
                self.count_chain_from(attempt);
            }
            // It was asked about because nothing was heard, and the provider has nothing to tell but that it has it.
            AttemptState::Accepted if attempt.asked == 1 => self.silent(attempt),
            AttemptState::Accepted | AttemptState::Live | AttemptState::Talking => {}
        }
    }

    /// The chain is counted from the first news of its call, which may have waited for the provider's pace.
    fn count_chain_from(&mut self, attempt: &OpenAttempt) {
        let now = self.now();
        let first = self.person.chain.as_mut().filter(|chain| chain.contact == attempt.contact && chain.calls <= 1);
        if let Some(chain) = first
            && attempt.state == AttemptState::Waiting
        {
            chain.started_at = now;
            self.person.chained_at = Some(now);
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
                self.count_chain_from(attempt);
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
                self.count_chain_from(attempt);
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
        self.count_chain_from(attempt);
        match how {
            // The provider could not place it: the same as a refusal, told later.
            CallEnd::Failed if is_refusal => {
                self.not_reached(attempt);
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
    pub fn is_settled(&self, attempt: &OpenAttempt) -> bool {
        attempt.asked >= 2 && self.now() >= attempt.placed_at + again_after(attempt)
    }

    /// Whether it was placed cannot be found out: it counts as the chain's call, and another is placed in its stead.
    fn lose(&mut self, attempt: &OpenAttempt) {
        let now = self.now();
        self.change(&attempt.id, |open| {
            open.state = AttemptState::Lost;
            open.look_at = now + limits::LOST_CALL;
        });
        if self.is_calling(&attempt.contact) {
            return;
        }
        if let Some(chain) = self.person.chain.as_mut().filter(|chain| chain.contact == attempt.contact) {
            let second_call = chain.calls >= 2;
            if !second_call {
                // The chain is counted from the call that is known.
                chain.started_at = now;
                self.person.chained_at = Some(now);
            }
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
        self.not_reached(attempt);
        self.tell(attempt, |page, user, contact, attempt| What::CallSilent { page, user, contact, attempt });
        self.fall_forward(attempt, false);
    }

    /// Attempts of which nothing was heard for too long are asked about, and given up in the end.
    pub fn look_at_attempts(&mut self) {
        let now = self.now();
        let attempts = self.person.attempts.iter();
        let due: Vec<OpenAttempt> = attempts.filter(|attempt| attempt.look_at <= now).cloned().collect();
        for attempt in due {
            if !attempt.kind.is_call() {
                self.look_at_message(&attempt);
                continue;
            }
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
                AttemptState::Live | AttemptState::Talking if attempt.asked >= limits::LIVE_ASKS => {
                    self.give_up(&attempt);
                    continue;
                }
                AttemptState::Accepted | AttemptState::Live | AttemptState::Talking => limits::CALL_SILENCE,
            };
            self.ask(&attempt, again);
        }
    }

    /// Asks the provider about an attempt, and looks at it again after a while.
    pub fn ask(&mut self, attempt: &OpenAttempt, again: Span) {
        let now = self.now();
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
    /// What should have rung goes on to the next telephone, and a message goes out beside it; for a message anything else will do.
    pub fn fall_forward(&mut self, attempt: &OpenAttempt, refused: bool) {
        let now = self.now();
        let user = self.user();
        let open = self.person.attempts.iter().filter(|other| other.state != AttemptState::Lost && other.kind.is_call());
        // A telephone that another call of ours holds is no way on.
        let busy: Vec<ContactId> = open.map(|other| other.contact.clone()).chain([attempt.contact.clone()]).collect();
        let rings = |contact: &ContactId| user.is_some_and(|user| user.contacts.iter().any(|own| &own.id == contact && own.kind.is_call()));
        let mut called_on = false;
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
            let moved_on = if attempt.kind.is_call() {
                let to_a_call = bring_forward(page, &allowed, now, |contact| rings(contact) && !busy.contains(contact));
                let to_a_message = bring_forward(page, &allowed, now, |contact| !rings(contact));
                called_on |= to_a_call;
                // A message may wake nobody: what cannot ring is tried again beside it.
                if refused && !to_a_call {
                    try_again(page, &allowed, now, rings);
                }
                to_a_call || to_a_message
            } else {
                let moved_on = bring_forward(page, &allowed, now, |contact| !busy.contains(contact));
                // Where anything else has got through, one message that is refused is not worth another and another.
                if refused && !moved_on && page.reached.is_empty() {
                    try_again(page, &allowed, now, |contact| !rings(contact));
                }
                moved_on
            };
            if refused && !moved_on && !page.failed && !is_tried && page.reached.is_empty() {
                self.fail(id);
            }
        }
        if called_on && !refused {
            // Perhaps nothing rang: the chain moves on to the next contact rather than wait for its repeat.
            let chain = self.person.chain.take_if(|chain| chain.contact == attempt.contact && chain.calls <= 1);
            if chain.is_some() {
                self.person.chained_at = None;
            }
        }
    }

    pub fn reached(&mut self, attempt: &OpenAttempt) {
        for page in self.person.pages.iter_mut().filter(|page| attempt.pages.contains(&page.id)) {
            page.failed = false;
            if !page.reached.contains(&attempt.contact) {
                page.reached.push(attempt.contact.clone());
            }
        }
    }

    pub fn not_reached(&mut self, attempt: &OpenAttempt) {
        for page in self.person.pages.iter_mut().filter(|page| attempt.pages.contains(&page.id)) {
            page.reached.retain(|contact| contact != &attempt.contact);
        }
    }

    pub fn fail(&mut self, id: &PageId) {
        let user = self.person.id.clone();
        if let Some(page) = self.page_mut(id) {
            page.failed = true;
        }
        self.record(std::slice::from_ref(id), |page| What::PageFailed { page, user: user.clone() });
    }
}

/// Makes the next of these contacts due now: what is planned first, else what was not tried yet. `false`: there is none.
fn bring_forward(page: &mut PersonPage, allowed: &[ContactId], now: Time, which: impl Fn(&ContactId) -> bool) -> bool {
    let planned = page.plan.iter_mut().filter(|entry| which(&entry.contact)).min_by_key(|entry| entry.due_at);
    if let Some(entry) = planned {
        if entry.due_at > now {
            *entry = Planned { contact: entry.contact.clone(), due_at: now, reason: Reason::OtherContactRefused };
        }
        return true;
    }
    let untried = allowed.iter().find(|contact| which(contact) && !page.tried.contains(contact));
    page.plan.extend(untried.map(|contact| Planned { contact: contact.clone(), due_at: now, reason: Reason::OtherContactRefused }));
    untried.is_some()
}

/// Plans the one of these contacts again that was tried longest ago.
fn try_again(page: &mut PersonPage, allowed: &[ContactId], now: Time, which: impl Fn(&ContactId) -> bool) {
    let wait = now.since(page.started_at).max(limits::RETRY_LEAST).min(limits::RETRY_MOST);
    let oldest = page.tried.iter().find(|tried| which(tried) && allowed.contains(tried)).cloned();
    if let Some(contact) = oldest
        && !page.plan.iter().any(|entry| entry.contact == contact && entry.due_at <= now + wait)
    {
        page.plan.push(Planned { contact, due_at: now + wait, reason: Reason::TriedAgain });
    }
}

/// When what stays unknown is sent again: soon once, and then less and less often. It may well have arrived each time, of a provider
/// that never says so.
pub(super) fn again_after(attempt: &OpenAttempt) -> Span {
    let doubled = 1_i64.checked_shl(attempt.sent_before).unwrap_or(i64::MAX);
    Span(limits::UNKNOWN_SETTLE.0.saturating_mul(doubled)).min(limits::RESEND_MOST)
}
