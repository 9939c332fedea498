//! The law for messages: texts, mail, direct messages, webhooks. Each goes out when its rule is due, beside the calls and never in their
//! stead; that it was accepted or delivered is no answer.

use super::attempt::again_after;
use super::effect::PageOf;
use super::fact::What;
use super::input::News;
use super::page::Draft;
use super::person::{AttemptState, OpenAttempt, Planned};
use super::reason::Reason;
use super::setup::ContactKind;
use crate::base::id::{ContactId, PageId};
use crate::base::limits;
use crate::base::time::Time;

impl Draft<'_> {
    /// Sends one message for every page for which this contact is due, or waits where a storm has sent many just now.
    pub fn try_message(&mut self, page: &PageId, planned: &Planned, kind: ContactKind) {
        let now = self.now();
        let contact = &planned.contact;
        if let Some(free_at) = self.full_until(contact) {
            // What comes meanwhile is said in the same message.
            self.put_off(page, planned, free_at);
            return;
        }
        let is_due = |entry: &Planned| &entry.contact == contact && entry.due_at <= now;
        let due = self.person.pages.iter().filter(|page| page.wanted && page.plan.iter().any(is_due));
        let pages: Vec<PageOf> = due.map(|page| PageOf { page: page.id.clone(), incident: page.incident.clone() }).collect();
        self.person.messaged.entry(contact.clone()).or_default().push(now);
        for of in &pages {
            self.take_off(&of.page, contact);
        }
        self.place_for(contact, kind, pages, false, planned.reason);
    }

    /// Until when this contact gets no further message; `None`: it may have one now.
    fn full_until(&mut self, contact: &ContactId) -> Option<Time> {
        let now = self.now();
        let sent = self.person.messaged.get_mut(contact)?;
        // A time that lies ahead was noted by a clock that has been set back since.
        sent.retain(|at| *at <= now && now.since(*at) < limits::MESSAGES_WITHIN);
        if sent.is_empty() {
            self.person.messaged.remove(contact);
            return None;
        }
        if sent.len() < limits::MESSAGES { None } else { sent.first().map(|oldest| *oldest + limits::MESSAGES_WITHIN) }
    }

    pub fn hear_of_message(&mut self, attempt: &OpenAttempt, news: &News) {
        let now = self.now();
        let is_open = attempt.state.may_still_leave();
        match news {
            News::Accepted { .. } if is_open => {
                self.reached(attempt);
                self.tell(attempt, |page, user, contact, attempt| What::AttemptAccepted { page, user, contact, attempt });
                if attempt.kind.is_followed() {
                    self.change(&attempt.id, |open| {
                        open.state = AttemptState::Accepted;
                        open.look_at = now + limits::MESSAGE_SILENCE;
                        open.asked = 0;
                    });
                } else {
                    self.forget(&attempt.id);
                }
            }
            News::Rejected { reason } if is_open => {
                self.forget(&attempt.id);
                self.did_not_leave(attempt);
                self.tell(attempt, |page, user, contact, attempt| What::AttemptRejected {
                    page,
                    user,
                    contact,
                    attempt,
                    reason: reason.clone(),
                });
                self.fall_forward(attempt, true);
            }
            News::Unknown { reason } if attempt.state == AttemptState::Waiting => {
                self.tell(attempt, |page, user, contact, attempt| What::AttemptUnknown {
                    page,
                    user,
                    contact,
                    attempt,
                    reason: reason.clone(),
                });
                // Who cannot be asked is sent it again, a little later: it may have arrived.
                let look_at = if attempt.kind.is_followed() { now } else { now.max(attempt.placed_at + again_after(attempt)) };
                self.change(&attempt.id, |open| {
                    open.state = AttemptState::Unknown;
                    open.look_at = look_at;
                });
                self.fall_forward(attempt, false);
            }
            News::NotFound { .. } if attempt.state == AttemptState::Unknown && self.is_settled(attempt) => self.send_again(attempt),
            News::Withdrawn { reason } => {
                self.forget(&attempt.id);
                self.did_not_leave(attempt);
                self.tell(attempt, |page, user, contact, attempt| What::AttemptWithdrawn {
                    page,
                    user,
                    contact,
                    attempt,
                    reason: reason.clone(),
                });
            }
            News::Delivered => {
                self.forget(&attempt.id);
                self.reached(attempt);
                self.tell(attempt, |page, user, contact, attempt| What::MessageDelivered { page, user, contact, attempt });
            }
            News::Undelivered { reason } => {
                self.forget(&attempt.id);
                self.not_reached(attempt);
                self.tell(attempt, |page, user, contact, attempt| What::MessageUndelivered {
                    page,
                    user,
                    contact,
                    attempt,
                    reason: reason.clone(),
                });
                self.fall_forward(attempt, true);
            }
            // Told before, or told too late to matter.
            News::Accepted { .. } | News::Rejected { .. } | News::Unknown { .. } | News::NotFound { .. } => {}
            // Only calls ring.
            News::Ringing | News::PickedUp | News::KeyPressed | News::Ended(_) => {}
        }
    }

    /// A message of which nothing was heard for a while.
    pub fn look_at_message(&mut self, attempt: &OpenAttempt) {
        match attempt.state {
            AttemptState::Waiting => {}
            AttemptState::Unknown if !attempt.kind.is_followed() || self.is_settled(attempt) => self.send_again(attempt),
            AttemptState::Unknown => self.ask(attempt, limits::ASK_AGAIN),
            // The telling may have been lost: it is asked for once.
            AttemptState::Accepted if attempt.asked == 0 => self.ask(attempt, limits::MESSAGE_NEWS),
            AttemptState::Accepted | AttemptState::Live | AttemptState::Talking | AttemptState::Lost => self.forget(&attempt.id),
        }
    }

    /// Whether it left cannot be found out: another one goes in its stead, for what is still wanted.
    fn send_again(&mut self, attempt: &OpenAttempt) {
        self.forget(&attempt.id);
        // Another one on its way to the same contact speaks for its pages, or is sent again itself.
        let others = || self.person.attempts.iter().filter(|other| other.contact == attempt.contact && other.state.may_still_leave());
        let is_spoken_for = |page| others().any(|other| other.pages.contains(page));
        let pages = self.person.pages.iter().filter(|page| page.wanted && attempt.pages.contains(&page.id) && !is_spoken_for(&page.id));
        let pages: Vec<PageOf> = pages.map(|page| PageOf { page: page.id.clone(), incident: page.incident.clone() }).collect();
        // The contact may have left the setup, or been closed, since.
        let is_usable = self.user().into_iter().flat_map(super::page::reachable).any(|contact| contact.id == attempt.contact);
        if is_usable && !pages.is_empty() {
            let sent = self.person.attempts.len();
            self.place_for(&attempt.contact, attempt.kind, pages, false, Reason::OutcomeStaysUnknown);
            for again in self.person.attempts.iter_mut().skip(sent) {
                again.sent_before = attempt.sent_before + 1;
            }
        }
    }

    /// It counts for nothing in the bound on messages. What was sent again never counted there, so it gives nothing back.
    fn did_not_leave(&mut self, attempt: &OpenAttempt) {
        if let Some(sent) = self.person.messaged.get_mut(&attempt.contact)
            && let Some(own) = sent.iter().rposition(|at| *at == attempt.placed_at)
        {
            sent.remove(own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::Act;
    use super::super::setup::{AlertSeverity, Rule, Urgency};
    use super::super::trial::{Phone, Trial, contact, rule, step};
    use super::*;
    use crate::base::time::Span;

    /// One person with these contacts and rules, and one step that waits for hours.
    fn with(contacts: &[(&str, ContactKind)], rules: Vec<Rule>) -> Trial {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(600))], 0);
        night.service().group_window = Span::ZERO;
        let user = night.user("ana");
        user.contacts = contacts.iter().map(|(id, kind)| contact(id, *kind)).collect();
        user.rules = rules;
        night
    }

    fn high(rules: &[(i64, &str)]) -> Vec<Rule> {
        rules.iter().map(|(after, contact)| rule(Urgency::High, *after, contact)).collect()
    }

    const ALL: &[(&str, ContactKind)] =
        &[("phone", ContactKind::Voice), ("text", ContactKind::Sms), ("mail", ContactKind::Email), ("hook", ContactKind::Webhook)];
    const NO_PHONE: &[(&str, ContactKind)] = &[("text", ContactKind::Sms), ("mail", ContactKind::Email)];

    #[test]
    fn messages_go_out_beside_the_calls_and_each_rule_once() {
        let mut night = with(ALL, high(&[(0, "phone"), (0, "text"), (60, "text"), (30, "mail"), (90, "hook")]));
        night.fires("db");
        night.until(600);
        night.has_rung(&[
            (0, "phone", false),
            (0, "text", false),
            (30, "mail", false),
            (60, "text", false),
            (90, "hook", false),
            (120, "phone", true),
        ]);
        assert_eq!(night.seconds_of("message_delivered"), [2, 62]);
        assert_eq!(night.persons[&"ana".into()].attempts, [], "nothing is left open");
        assert_eq!(night.ended.len(), 0);
    }

    #[test]
    fn without_a_rule_voice_comes_at_once_and_all_else_a_minute_later() {
        let mut night = with(ALL, Vec::new());
        night.fires("db");
        night.until(600);
        night.has_rung(&[(0, "phone", false), (60, "text", false), (60, "mail", false), (60, "hook", false), (120, "phone", true)]);

        let mut night = with(ALL, Vec::new());
        night.fires_as("db", AlertSeverity::Warning);
        night.until(600);
        night.has_rung(&[(0, "mail", false), (0, "hook", false)]);
    }

    #[test]
    fn the_bar_on_calls_holds_no_message() {
        let mut night = with(ALL, high(&[(0, "phone"), (0, "text")]));
        night.fires("db");
        night.until(10);
        night.fires("web");
        night.until(110);
        night.has_rung(&[(0, "phone", false), (0, "text", false), (10, "text", false)]);
    }

    #[test]
    fn delivered_is_no_answer_and_an_answer_stops_what_is_planned() {
        let mut night = with(ALL, high(&[(0, "text"), (300, "phone")]));
        night.fires("db");
        night.until(200);
        assert_eq!(night.count("incident_acknowledged"), 0);
        night.asks("ana", Act::Acknowledge);
        night.until(1_000);
        night.has_rung(&[(0, "text", false)]);
        assert_eq!(night.ended.len(), 0, "a message is never hung up");
    }

    #[test]
    fn a_refused_or_undelivered_message_falls_forward_at_once() {
        for (phone, at) in [(Phone::Refused, 0), (Phone::Bounces, 3), (Phone::Hangs, 10)] {
            let mut night = with(ALL, high(&[(0, "text"), (300, "phone")])).phone("text", phone);
            night.fires("db");
            night.until(14);
            night.has_rung(&[(0, "text", false), (at, "phone", false)]);
            assert_eq!(night.count("page_failed"), 0, "{phone:?}");
        }
    }

    #[test]
    fn what_has_rung_is_not_rung_again_for_a_refused_message() {
        let mut night = with(&ALL[..2], high(&[(0, "phone"), (200, "text")])).phone("text", Phone::Refused);
        night.fires("db");
        night.until(3_000);
        night.has_rung(&[(0, "phone", false), (120, "phone", true), (200, "text", false)]);
        assert_eq!(night.count("page_failed"), 0);
    }

    #[test]
    fn a_refused_call_goes_on_to_a_message_and_is_tried_again_all_the_same() {
        let mut night = with(&ALL[..2], high(&[(0, "phone"), (120, "text")])).phone("phone", Phone::Refused);
        night.fires("db");
        night.until(40);
        night.has_rung(&[
            (0, "phone", false),
            (0, "text", false),
            (5, "phone", false),
            (10, "phone", false),
            (20, "phone", false),
            (40, "phone", false),
        ]);
        assert_eq!(night.count("page_failed"), 0, "the text got through");
    }

    #[test]
    fn who_can_only_be_written_to_is_tried_again_less_and_less_often() {
        let mut night = with(NO_PHONE, high(&[(0, "text")])).phone("text", Phone::Refused).phone("mail", Phone::Refused);
        night.fires("db");
        night.until(150);
        let tried: Vec<(i64, String)> = night.calls().into_iter().map(|(at, contact, _)| (at, contact)).collect();
        assert_eq!(tried[..2], [(0, "text".to_owned()), (0, "mail".to_owned())]);
        assert!(tried.len() > 4 && tried.len() < 9, "{tried:?}");
        assert_eq!(night.count("page_failed"), 1);
    }

    #[test]
    fn an_unknown_text_is_asked_about_and_an_unknown_mail_sent_again_within_20_seconds() {
        let mut night = with(&NO_PHONE[..1], high(&[(0, "text")])).phone("text", Phone::Hangs);
        night.fires("db");
        night.until(20);
        night.has_rung(&[(0, "text", false), (18, "text", false)]);
        assert!(night.asked >= 2);

        let mut night = with(&NO_PHONE[1..], high(&[(0, "mail")])).phone("mail", Phone::Hangs);
        night.fires("db");
        night.until(20);
        night.has_rung(&[(0, "mail", false), (15, "mail", false)]);
        assert_eq!(night.asked, 0, "nobody can be asked");
        assert_eq!(night.count("attempt_unknown"), 1);
    }

    #[test]
    fn a_server_that_never_says_what_it_took_does_not_fill_a_mailbox() {
        let mut night = with(&NO_PHONE[1..], high(&[(0, "mail")])).phone("mail", Phone::Hangs);
        night.fires("db");
        night.until(8 * 3_600);
        let sent: Vec<i64> = night.calls().into_iter().map(|(at, _, _)| at).collect();
        assert_eq!(sent[..4], [0, 15, 45, 105]);
        assert!(sent.len() < 50, "{} mails in one night", sent.len());
        assert!(sent.windows(2).all(|two| two[1] - two[0] <= limits::RESEND_MOST.as_seconds()), "{sent:?}");
    }

    #[test]
    fn a_provider_that_neither_answers_nor_can_be_asked_does_not_fill_a_phone() {
        // Sent by its rule at once, and again because the mail before it was refused.
        let mut night = with(NO_PHONE, high(&[(0, "text"), (2, "mail"), (30, "text")]));
        night = night.phone("text", Phone::Hangs).phone("mail", Phone::Refused);
        night.fires("db");
        night.until(3_600);
        let sent: Vec<i64> = night.calls().into_iter().filter(|(_, contact, _)| contact == "text").map(|(at, _, _)| at).collect();
        assert!(sent[1] - sent[0] <= 20 || sent[2] - sent[0] <= 20, "{sent:?}");
        assert!(sent.len() < 12, "{} texts in an hour: {sent:?}", sent.len());
        assert!(sent.last().is_some_and(|last| 3_600 - last < 20 * 60), "and it is never given up: {sent:?}");
    }

    #[test]
    fn an_unknown_text_that_is_found_is_not_sent_again() {
        let mut night = with(&NO_PHONE[..1], high(&[(0, "text")])).phone("text", Phone::Stuck);
        night.fires("db");
        night.until(10);
        let text = night.last_call();
        night.hears(&text, News::Unknown { reason: "no answer".to_owned() });
        night.until(12);
        night.hears(&text, News::Accepted { provider_id: "SM1".to_owned() });
        night.until(100);
        night.has_rung(&[(0, "text", false)]);
        night.hears(&text, News::Delivered);
        assert_eq!((night.count("attempt_accepted"), night.count("message_delivered")), (1, 1));
    }

    #[test]
    fn silence_after_acceptance_is_asked_about_once_and_then_left() {
        let mut night = with(&NO_PHONE[..1], high(&[(0, "text")])).phone("text", Phone::Silent);
        night.fires("db");
        night.until(11);
        assert_eq!(night.asked, 0);
        night.until(311);
        assert_eq!((night.asked, night.persons[&"ana".into()].attempts.len()), (1, 1));
        night.until(313);
        assert_eq!((night.asked, night.persons[&"ana".into()].attempts.len()), (1, 0));
        night.has_rung(&[(0, "text", false)]);
    }

    #[test]
    fn a_storm_of_incidents_is_a_few_texts_and_the_last_says_the_rest() {
        let mut night = with(&NO_PHONE[..1], high(&[(0, "text")]));
        night.setup.policies.get_mut(&"nights".into()).expect("it is there").storm = 0;
        for n in 0..60 {
            night.until(n);
            night.fires(&format!("host{n}"));
        }
        night.until(600);
        night.has_rung(&[(0, "text", false), (1, "text", false), (2, "text", false), (60, "text", false)]);
        let spoken: Vec<usize> = night
            .placed
            .iter()
            .map(|(_, effect)| match effect {
                super::super::effect::Effect::PlacePage { pages, .. } => pages.len(),
                super::super::effect::Effect::AskProvider { .. } | super::super::effect::Effect::EndCall { .. } => 0,
            })
            .collect();
        assert_eq!(spoken, [1, 1, 1, 57]);
    }

    #[test]
    fn a_closed_contact_is_passed_over_and_said_so() {
        let mut night = with(&ALL[..2], high(&[(0, "text"), (60, "phone")]));
        night.user("ana").contacts[1].closed = Some("STOP was received".to_owned());
        night.fires("db");
        night.until(100);
        night.has_rung(&[(60, "phone", false)]);
        assert_eq!(night.seconds_of("contact_closed"), [0]);

        // Closed while it was planned: nothing is left, and that is said.
        let mut night = with(&NO_PHONE[..1], high(&[(60, "text")]));
        night.fires("db");
        night.until(10);
        night.user("ana").contacts[0].closed = Some("STOP was received".to_owned());
        night.until(100);
        night.has_rung(&[]);
    }

    #[test]
    fn a_start_over_sends_again() {
        let mut night = Trial::new().steps(vec![step(&["ana"], Some(5)), step(&["ana"], Some(5))], 0);
        let user = night.user("ana");
        user.contacts = vec![contact("mail", ContactKind::Email)];
        user.rules = high(&[(0, "mail"), (30, "mail")]);
        night.fires("db");
        night.until(400);
        night.has_rung(&[(0, "mail", false), (30, "mail", false), (300, "mail", false), (330, "mail", false)]);
    }
}
