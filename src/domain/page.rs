//! Waking one person: which contact, when, for which incidents at once; what a provider's news means; and when to stop.
//!
//! All of a person's pages share one telephone, so they are decided together, whatever number of incidents they come from.

use super::decide::{Decision, Moment, Outcome, SetTimer, State, Verdict};
use super::effect::{Effect, PageOf};
use super::fact::{Fact, What};
use super::input::{Actor, Report, Scope, Timer};
use super::person::{AttemptState, Chain, OpenAttempt, Person, PersonPage, Planned};
use super::reason::Reason;
use super::setup::{Contact, ContactKind, Rule, Setup, Urgency, User};
use crate::base::id::{AttemptId, ContactId, PageId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};

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

/// A decision on a person while it is being made. What news of an attempt means stands in `attempt`.
pub(super) struct Draft<'a> {
    pub person: Person,
    setup: &'a Setup,
    moment: &'a mut Moment,
    facts: Vec<Fact>,
    pub effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    fn new(mut person: Person, setup: &'a Setup, moment: &'a mut Moment) -> Self {
        // What began later than now was noted by a clock that has been set back since: the bar counts from now, not from then.
        person.chained_at = person.chained_at.map(|at| at.min(moment.at));
        if let Some(chain) = &mut person.chain {
            chain.started_at = chain.started_at.min(moment.at);
        }
        Self { person, setup, moment, facts: Vec::new(), effects: Vec::new() }
    }

    pub const fn now(&self) -> Time {
        self.moment.at
    }

    pub fn user(&self) -> Option<&'a User> {
        self.setup.users.get(&self.person.id)
    }

    fn attend(&mut self) {
        self.plan_new_starts();
        self.drop_the_unwanted();
        self.look_at_attempts();
        self.go_on_with_chain();
        self.try_what_is_due();
        // A page is kept while news of its calls may come.
        let attempts = &self.person.attempts;
        self.person.pages.retain(|page| page.wanted || attempts.iter().any(|attempt| attempt.pages.contains(&page.id)));
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
        let mut passed_over: Vec<(PageId, &Contact)> = Vec::new();
        for page in self.person.pages.iter_mut().filter(|page| page.wanted) {
            if page.starts > page.planned_for {
                page.plan = user.map(|user| plan(user, page.urgency, page.started_at)).unwrap_or_default();
                page.planned_for = page.starts;
                page.tried.clear();
                page.reached.clear();
                page.failed = false;
                passed_over.extend(user.into_iter().flat_map(|user| closed(user, page.urgency)).map(|contact| (page.id.clone(), contact)));
            }
            // A contact, or the person, may have left the setup since.
            page.plan.retain(|entry| usable.contains(&&entry.contact));
        }
        for (page, contact) in passed_over {
            let (user, contact, reason) = (self.person.id.clone(), contact.id.clone(), contact.closed.clone().unwrap_or_default());
            self.record(std::slice::from_ref(&page), |page| What::ContactClosed {
                page,
                user: user.clone(),
                contact: contact.clone(),
                reason: reason.clone(),
            });
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

    /// Ends calls and chains that nobody wants.
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
            if !is_wanted && can_end && !attempt.ending && attempt.kind.is_call() {
                attempt.ending = true;
                self.effects.push(Effect::EndCall {
                    attempt: attempt.id.clone(),
                    user: self.person.id.clone(),
                    contact: attempt.contact.clone(),
                    due_at: now,
                });
            }
        }
        let is_over = |chain: &Chain| !self.is_calling(&chain.contact) && !chain.pages.iter().any(|page| wanted.contains(page));
        if self.person.chain.as_ref().is_some_and(is_over) {
            // Answered, by whomever: what came meanwhile is said in the next chain.
            self.person.chain = None;
        }
    }

    // Calling.

    pub fn is_calling(&self, contact: &ContactId) -> bool {
        self.person.attempts.iter().any(|attempt| &attempt.contact == contact && attempt.state != AttemptState::Lost)
    }

    /// Whether a call of ours rings now, as far as is known.
    fn is_on_the_phone(&self) -> bool {
        self.person.attempts.iter().filter(|attempt| attempt.kind.is_call()).any(|attempt| match attempt.state {
            AttemptState::Waiting | AttemptState::Live | AttemptState::Talking => true,
            // Asked about more than once, it is silent: perhaps nothing rings.
            AttemptState::Accepted => attempt.asked < 2,
            AttemptState::Unknown | AttemptState::Lost => false,
        })
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
        // A message waits for no call, and none waits for it.
        match self.kind_of(contact) {
            Some(ContactKind::Voice) => {}
            Some(kind) => return self.try_message(page, planned, kind),
            None => return,
        }
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
        if self.is_calling(contact) || self.is_on_the_phone() {
            // Two telephones that ring at once help nobody; the end of that call, or its report, looks here again.
            return;
        }
        self.person.chain = Some(Chain { contact: contact.clone(), started_at: now, calls: 1, pages: Vec::new() });
        self.person.chained_at = Some(now);
        self.place(contact, false, planned.reason);
        self.done_with(contact);
    }

    pub fn put_off(&mut self, page: &PageId, planned: &Planned, until: Time) {
        for entry in self.page_mut(page).into_iter().flat_map(|page| &mut page.plan) {
            if entry == planned {
                entry.due_at = until;
            }
        }
    }

    /// The call waits, the escalation clock does not.
    fn hold(&mut self, page: &PageId, planned: &Planned, until: Time) {
        let now = self.now();
        if until <= now {
            return;
        }
        self.put_off(page, planned, until);
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

    pub fn take_off(&mut self, page: &PageId, contact: &ContactId) {
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

    /// Places a call.
    pub fn place(&mut self, contact: &ContactId, second_call: bool, reason: Reason) {
        let pages = self.speaks_for(contact);
        self.place_for(contact, ContactKind::Voice, pages, second_call, reason);
    }

    pub fn place_for(&mut self, contact: &ContactId, kind: ContactKind, pages: Vec<PageOf>, second_call: bool, reason: Reason) {
        if pages.is_empty() {
            return;
        }
        let now = self.now();
        let id = AttemptId::make(&mut self.moment.ids);
        let page_ids: Vec<PageId> = pages.iter().map(|page| page.page.clone()).collect();
        if let Some(chain) = self.person.chain.as_mut().filter(|chain| &chain.contact == contact) {
            chain.pages.extend(page_ids.iter().filter(|page| !chain.pages.contains(page)).cloned().collect::<Vec<_>>());
        }
        self.person.attempts.push(OpenAttempt {
            id: id.clone(),
            contact: contact.clone(),
            kind,
            pages: page_ids.clone(),
            placed_at: now,
            state: AttemptState::Waiting,
            look_at: now,
            asked: 0,
            sent_before: 0,
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
            kind,
            pages,
            second_call,
            due_at: now,
        });
    }

    // Small change.

    pub fn kind_of(&self, contact: &ContactId) -> Option<ContactKind> {
        self.user()?.contacts.iter().find(|own| &own.id == contact).map(|own| own.kind)
    }

    pub fn page_mut(&mut self, id: &PageId) -> Option<&mut PersonPage> {
        self.person.pages.iter_mut().find(|page| &page.id == id)
    }

    pub fn change(&mut self, id: &AttemptId, change: impl FnOnce(&mut OpenAttempt)) {
        if let Some(attempt) = self.person.attempts.iter_mut().find(|attempt| &attempt.id == id) {
            change(attempt);
        }
    }

    pub fn forget(&mut self, id: &AttemptId) {
        self.person.attempts.retain(|attempt| &attempt.id != id);
    }

    pub fn tell(&mut self, attempt: &OpenAttempt, what: impl Fn(PageId, UserId, ContactId, AttemptId) -> What) {
        let user = self.person.id.clone();
        self.record(&attempt.pages, |page| what(page, user.clone(), attempt.contact.clone(), attempt.id.clone()));
    }

    /// Records a fact on the incident of each of these pages.
    pub fn record(&mut self, pages: &[PageId], what: impl Fn(PageId) -> What) {
        for id in pages {
            let Some(page) = self.person.pages.iter().find(|page| &page.id == id) else { continue };
            self.facts.push(Fact { incident: page.incident.clone(), at: self.moment.at, actor: Actor::Reveille, what: what(id.clone()) });
        }
    }
}

pub(super) fn reachable(user: &User) -> impl Iterator<Item = &Contact> {
    user.contacts.iter().filter(|contact| contact.closed.is_none())
}

/// Contacts that the rules of this urgency would use, were they not closed to us.
fn closed(user: &User, urgency: Urgency) -> impl Iterator<Item = &Contact> {
    let has_rules = user.rules.iter().any(|rule| rule.urgency == urgency);
    let is_named = move |contact: &Contact| user.rules.iter().any(|rule| rule.urgency == urgency && rule.contact == contact.id);
    let closed = user.contacts.iter().filter(|contact| contact.closed.is_some());
    closed.filter(move |contact| if has_rules { is_named(contact) } else { without_rule(urgency, contact.kind).is_some() })
}

/// When a contact is tried for which there is no rule, and why then; `None`: not at all.
const fn without_rule(urgency: Urgency, kind: ContactKind) -> Option<(Span, Reason)> {
    match (urgency, kind) {
        (Urgency::High, ContactKind::Voice) => Some((Span::ZERO, Reason::NoRuleSoVoice)),
        (Urgency::High, ContactKind::Sms | ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook) => {
            Some((limits::OTHER_CONTACTS, Reason::NoRuleSoVoice))
        }
        (Urgency::Low, ContactKind::Voice | ContactKind::Sms) => None,
        (Urgency::Low, ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook) => Some((Span::ZERO, Reason::RuleDue)),
    }
}

/// The person's rules for this urgency, as times. Without a rule: at high urgency voice at once and every other contact after a
/// minute; at low urgency every contact but voice and text messages.
pub(super) fn plan(user: &User, urgency: Urgency, started_at: Time) -> Vec<Planned> {
    let usable = |id: &ContactId| reachable(user).any(|contact| &contact.id == id);
    let rules: Vec<&Rule> = user.rules.iter().filter(|rule| rule.urgency == urgency && usable(&rule.contact)).collect();
    let mut plan: Vec<Planned> = if rules.is_empty() {
        let planned = |contact: &Contact| {
            let (after, reason) = without_rule(urgency, contact.kind)?;
            Some(Planned { contact: contact.id.clone(), due_at: started_at + after, reason })
        };
        reachable(user).filter_map(planned).collect()
    } else {
        let by_rule = |rule: &&Rule| Planned { contact: rule.contact.clone(), due_at: started_at + rule.after, reason: Reason::RuleDue };
        rules.iter().map(by_rule).collect()
    };
    plan.sort_by_key(|entry| entry.due_at);
    plan
}

#[cfg(test)]
mod tests {
    use super::super::input::{Act, CallEnd, News};
    use super::super::setup::AlertSeverity;
    use super::super::trial::{Phone, Trial, rule, step, voice};
    use super::*;

    /// One person, one step that waits for hours: only the page itself acts.
    fn alone() -> Trial {
        Trial::new().steps(vec![step(&["ana"], Some(600))], 0)
    }

    fn with_phones(mut night: Trial, phones: &[&str], rules: Vec<Rule>) -> Trial {
        let user = night.user("ana");
        user.contacts = phones.iter().map(|id| voice(id)).collect();
        user.rules = rules;
        night
    }

    fn reasons(night: &Trial) -> Vec<Reason> {
        let placed = |fact: &Fact| match &fact.what {
            What::AttemptPlaced { reason, .. } => Some(*reason),
            _ => None,
        };
        night.facts.iter().filter_map(placed).collect()
    }

    #[test]
    fn a_chain_is_one_call_and_one_more_two_minutes_after() {
        for phone in [Phone::NoAnswer, Phone::Voicemail, Phone::Endless, Phone::Silent] {
            let mut night = alone().phone("ana", phone);
            night.fires("db");
            night.until(3_600);
            if phone == Phone::Endless {
                // It was asked about and given up: the repeat comes as soon as the first can be over.
                night.has_rung(&[(0, "ana", false), (146, "ana", true)]);
            } else {
                night.has_rung(&[(0, "ana", false), (120, "ana", true)]);
            }
            assert_eq!(night.incident().state, super::super::incident::IncidentState::Triggered, "{phone:?} is no answer");
            assert_eq!(reasons(&night), [Reason::RuleDue, Reason::SecondCallOfChain]);
            assert_eq!(night.persons[&"ana".into()].attempts, [], "nothing is left open");
        }
    }

    #[test]
    fn rules_count_from_the_start_of_the_page() {
        // Rules as seconds and telephone; the calls.
        for (rules, rung) in [
            (vec![(30, "a")], vec![(30, "a", false), (150, "a", true)]),
            // A rule due while that contact's chain runs is its repeat.
            (vec![(0, "a"), (60, "a"), (110, "a"), (130, "a")], vec![(0, "a", false), (120, "a", true)]),
            // Another contact waits for the bar of three minutes.
            (vec![(0, "a"), (60, "b")], vec![(0, "a", false), (120, "a", true), (180, "b", false), (300, "b", true)]),
            (vec![(0, "a"), (300, "a")], vec![(0, "a", false), (120, "a", true), (300, "a", false), (420, "a", true)]),
            (vec![(0, "a"), (0, "b")], vec![(0, "a", false), (120, "a", true), (180, "b", false), (300, "b", true)]),
            // No rule: voice at once.
            (vec![], vec![(0, "a", false), (120, "a", true), (180, "b", false), (300, "b", true)]),
        ] {
            let rules: Vec<Rule> = rules.iter().map(|(after, contact)| rule(Urgency::High, *after, contact)).collect();
            let reason = if rules.is_empty() { Reason::NoRuleSoVoice } else { Reason::RuleDue };
            let mut night = with_phones(alone(), &["a", "b"], rules);
            night.fires("db");
            night.until(1_800);
            night.has_rung(&rung);
            assert_eq!(reasons(&night).first(), Some(&reason));
        }
    }

    #[test]
    fn a_call_that_waits_for_the_bar_is_said_once() {
        let rules = vec![rule(Urgency::High, 0, "a"), rule(Urgency::High, 60, "b")];
        let mut night = with_phones(alone(), &["a", "b"], rules);
        night.fires("db");
        night.until(1_800);
        assert_eq!(night.seconds_of("call_held"), [60]);
    }

    #[test]
    fn low_urgency_calls_only_where_its_own_rule_says_so() {
        let mut night = with_phones(alone(), &["a", "b"], vec![rule(Urgency::High, 0, "a")]);
        night.fires_as("db", AlertSeverity::Warning);
        night.until(1_800);
        assert_eq!((night.calls().len(), night.count("page_failed")), (0, 1));

        let mut night = with_phones(alone(), &["a", "b"], vec![rule(Urgency::Low, 30, "a")]).phone("a", Phone::Refused);
        night.fires_as("db", AlertSeverity::Warning);
        night.until(60);
        assert!(night.calls().iter().all(|(_, contact, _)| contact == "a"), "a refusal at low urgency wakes no other telephone");
    }

    #[test]
    fn nobody_to_reach_is_said_once_per_start() {
        let mut night = with_phones(alone(), &[], Vec::new());
        night.fires("db");
        night.until(600);
        assert_eq!(night.count("page_failed"), 1);
        assert!(!night.timers.contains_key(&(Scope::Person("ana".into()), Timer::Attend)));
    }

    #[test]
    fn a_storm_is_one_chain() {
        let mut night = alone();
        for n in 0..300 {
            night.until(n / 2);
            night.fires(&format!("host{n}"));
        }
        night.until(1_800);
        assert_eq!(night.incidents.len(), 1);
        night.has_rung(&[(0, "ana", false), (120, "ana", true)]);
    }

    #[test]
    fn incidents_share_one_telephone() {
        let mut night = alone();
        night.service().group_window = Span::ZERO;
        night.fires("db");
        night.until(10);
        night.fires("web");
        night.until(1_800);
        // The second is said in the repeat, and needs no chain of its own.
        night.has_rung(&[(0, "ana", false), (120, "ana", true)]);
        let spoken = |n: usize| match &night.placed[n].1 {
            Effect::PlacePage { pages, .. } => pages.len(),
            Effect::AskProvider { .. } | Effect::EndCall { .. } => 0,
        };
        assert_eq!((spoken(0), spoken(1)), (1, 2));
        assert_eq!(night.seconds_of("call_held"), [10]);
    }

    #[test]
    fn what_comes_during_the_repeat_or_after_an_answer_waits_for_the_next_chain() {
        let mut night = alone();
        night.service().group_window = Span::ZERO;
        night.fires("db");
        night.until(130);
        night.fires("web");
        night.until(1_800);
        night.has_rung(&[(0, "ana", false), (120, "ana", true), (180, "ana", false), (300, "ana", true)]);

        let mut night = alone();
        night.service().group_window = Span::ZERO;
        night.fires("db");
        let db = night.incident().id.clone();
        night.until(10);
        night.fires("web");
        night.until(20);
        night.asks_on("ana", Act::Acknowledge, &db);
        night.until(1_000);
        night.has_rung(&[(0, "ana", false), (180, "ana", false), (300, "ana", true)]);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_no_call_for_longer_than_the_bar() {
        let mut night = alone();
        night.service().group_window = Span::ZERO;
        night.fires("db");
        night.until(10);
        night.asks("bo", Act::Acknowledge);
        night.until(10);
        night.persons.get_mut(&"ana".into()).expect("she was called").chained_at = Some(Trial::time(3_600));
        night.fires("web");
        night.until(1_800);
        night.has_rung(&[(0, "ana", false), (190, "ana", false), (310, "ana", true)]);
    }

    #[test]
    fn a_call_that_also_speaks_for_another_incident_goes_on() {
        let mut night = alone();
        night.service().group_window = Span::ZERO;
        night.fires("db");
        let db = night.incident().id.clone();
        night.fires("web");
        night.until(10);
        night.asks_on("bo", Act::Acknowledge, &db);
        night.until(15);
        assert_eq!(night.ended.len(), 0);
        night.until(16);
        let web = night.incidents.keys().find(|id| **id != db).cloned().expect("two incidents");
        night.asks_on("bo", Act::Acknowledge, &web);
        night.until(16);
        assert_eq!(night.ended.len(), 1);
    }

    #[test]
    fn the_answering_call_speaks_back_and_is_not_cut_off() {
        let mut night = alone();
        night.fires("db");
        night.until(10);
        let call = night.last_call();
        night.hears(&call, News::KeyPressed);
        night.asks("ana", Act::Acknowledge);
        night.until(1_000);
        assert_eq!((night.ended.len(), night.calls().len()), (0, 1));
    }

    #[test]
    fn a_call_found_after_the_answer_is_ended_then() {
        let mut night = alone().phone("ana", Phone::Stuck);
        night.fires("db");
        night.until(1);
        let call = night.last_call();
        night.hears(&call, News::Unknown { reason: "restarted".to_owned() });
        night.asks("bo", Act::Acknowledge);
        night.until(5);
        assert_eq!(night.ended.len(), 0, "what is unknown cannot be ended");
        night.hears(&call, News::Accepted { provider_id: "CA1".to_owned() });
        night.until(5);
        assert_eq!(night.ended.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn a_refused_contact_falls_forward_at_once_and_is_tried_again_less_and_less_often() {
        let mut night = with_phones(alone(), &["a", "b"], vec![rule(Urgency::High, 0, "a")]).phone("a", Phone::Refused);
        night.fires("db");
        night.until(600);
        night.has_rung(&[(0, "a", false), (0, "b", false), (120, "b", true)]);
        assert_eq!(reasons(&night)[1], Reason::OtherContactRefused);

        let mut night = alone().phone("ana", Phone::Refused);
        night.fires("db");
        night.until(200);
        let times: Vec<i64> = night.calls().iter().map(|(at, ..)| *at).collect();
        assert_eq!(times, [0, 5, 10, 20, 40, 80, 140, 200]);
        assert_eq!(night.count("page_failed"), 1);
        assert_eq!(reasons(&night).last(), Some(&Reason::TriedAgain));
        night.phones.clear();
        night.until(1_800);
        assert_eq!(night.calls().iter().skip(8).map(|(at, _, again)| (*at, *again)).collect::<Vec<_>>(), [(260, false), (380, true)]);
    }

    #[test]
    fn two_refused_contacts_are_tried_in_turn() {
        let night = with_phones(alone(), &["a", "b"], vec![rule(Urgency::High, 0, "a")]);
        let mut night = night.phone("a", Phone::Refused).phone("b", Phone::Refused);
        night.fires("db");
        night.until(60);
        let contacts: Vec<String> = night.calls().into_iter().map(|(_, contact, _)| contact).collect();
        assert_eq!(contacts[..4], ["a", "b", "a", "b"]);
    }

    #[test]
    fn an_unknown_outcome_is_asked_about_and_sent_again_within_20_seconds() {
        let mut night = alone().phone("ana", Phone::Hangs);
        night.fires("db");
        night.until(17);
        night.has_rung(&[(0, "ana", false)]);
        assert!(night.asked >= 2);
        night.until(18);
        night.has_rung(&[(0, "ana", false), (18, "ana", false)]);
        assert_eq!(reasons(&night), [Reason::RuleDue, Reason::OutcomeStaysUnknown]);
        night.phones.clear();
        let second = night.last_call();
        night.hears(&second, News::Accepted { provider_id: "CA2".to_owned() });
        night.until(137);
        assert_eq!(night.calls().len(), 2);
        night.until(138);
        assert_eq!(night.calls().last(), Some(&(138, "ana".to_owned(), true)), "two minutes after the call that is known");
    }

    #[test]
    fn an_unknown_call_that_is_found_is_not_sent_again() {
        let mut night = alone().phone("ana", Phone::Stuck);
        night.fires("db");
        night.until(10);
        let call = night.last_call();
        night.hears(&call, News::Unknown { reason: "no answer".to_owned() });
        night.until(12);
        night.hears(&call, News::Ringing);
        night.hears(&call, News::Ended(CallEnd::NoAnswer));
        night.until(119);
        assert_eq!(night.calls().len(), 1);
        night.until(120);
        night.has_rung(&[(0, "ana", false), (120, "ana", true)]);
    }

    #[test]
    fn the_next_contact_rings_within_15_seconds_of_a_hang_or_a_lie() {
        for (phone, at) in [(Phone::Hangs, 10), (Phone::Silent, 14)] {
            let mut night = with_phones(alone(), &["a", "b"], vec![rule(Urgency::High, 0, "a")]).phone("a", phone);
            night.fires("db");
            night.until(1_800);
            night.has_rung(&[(0, "a", false), (at, "b", false), (at + 120, "b", true)]);
        }
    }

    #[test]
    fn what_waits_at_the_courier_is_not_placed_twice() {
        let mut night = alone().phone("ana", Phone::Stuck);
        night.fires("db");
        night.until(3_600);
        assert_eq!((night.calls().len(), night.asked), (1, 0));
    }

    #[test]
    fn a_withdrawn_call_leaves_the_telephone_to_others_at_once() {
        let mut night = alone().phone("ana", Phone::Stuck);
        night.service().group_window = Span::ZERO;
        night.fires("db");
        let db = night.incident().id.clone();
        night.until(1);
        let call = night.last_call();
        night.fires("web");
        night.until(2);
        night.asks_on("bo", Act::Acknowledge, &db);
        night.until(3);
        night.hears(&call, News::Withdrawn { reason: "nobody wants it".to_owned() });
        night.has_rung(&[(0, "ana", false), (3, "ana", false)]);
    }

    #[test]
    fn news_twice_or_too_late_is_told_once() {
        let mut night = alone();
        night.fires("db");
        night.until(1);
        let call = night.last_call();
        for news in [News::PickedUp, News::PickedUp, News::Ringing, News::Accepted { provider_id: "CA1".to_owned() }] {
            night.hears(&call, news);
        }
        for news in [News::Ended(CallEnd::Completed), News::Ended(CallEnd::Completed), News::PickedUp, News::Ringing] {
            night.hears(&call, news);
        }
        night.hears(&call, News::Rejected { reason: "late".to_owned() });
        for kind in ["phone_rang", "phone_picked_up", "call_ended", "attempt_accepted"] {
            assert_eq!(night.count(kind), 1, "{kind}");
        }
        assert_eq!(night.count("attempt_rejected"), 0);
    }

    #[test]
    fn who_leaves_the_setup_is_called_no_more() {
        let mut night = with_phones(alone(), &["a", "b"], vec![rule(Urgency::High, 0, "a"), rule(Urgency::High, 60, "b")]);
        night.fires("db");
        night.until(50);
        night.setup.users.remove(&"ana".into());
        night.until(3_600);
        night.has_rung(&[(0, "a", false)]);
        assert_eq!(night.count("page_failed"), 1);

        let mut night = with_phones(alone(), &["a", "b"], vec![rule(Urgency::High, 0, "a"), rule(Urgency::High, 60, "b")]);
        night.fires("db");
        night.until(50);
        night.user("ana").contacts.remove(0);
        night.until(3_600);
        night.has_rung(&[(0, "a", false), (180, "b", false), (300, "b", true)]);
    }

    #[test]
    fn what_is_urgent_is_said_in_the_repeat_of_a_quiet_call() {
        let rules = vec![rule(Urgency::High, 0, "a"), rule(Urgency::Low, 0, "a")];
        let mut night = with_phones(alone(), &["a"], rules);
        night.service().group_window = Span::ZERO;
        night.fires_as("disk", AlertSeverity::Warning);
        night.until(10);
        night.fires_as("db", AlertSeverity::Critical);
        night.until(600);
        night.has_rung(&[(0, "a", false), (120, "a", true)]);
    }
}
