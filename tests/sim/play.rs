//! The play: what comes to the world from outside, and when. All of it is written before the first of it happens.

use reveille::base::id::IntegrationId;
use reveille::base::time::{Span, Time};
use reveille::domain::alert::UNREADABLE_KEY;
use reveille::domain::input::{Action, Signal};
use reveille::domain::setup::AlertSeverity;

use super::dice::Dice;
use super::world::{Event, World};

impl World {
    pub(super) fn write_the_play(&mut self, start: Time) {
        let length = self.dice.between(10, 75) * 60;
        let later = |dice: &mut Dice| start + Span::millis(dice.between(0, length * 1_000));
        let integrations: Vec<_> = self.rows.setup.integrations.keys().cloned().collect();
        for _ in 0..self.dice.between(1, 14) {
            let at = later(&mut self.dice);
            let many = if self.dice.percent(8) { 40 } else { 1 + self.dice.below(4) };
            let integration = self.dice.pick(&integrations).clone();
            let signals = (0..many).map(|n| self.signal(&integration, at, if many > 10 { Some(n) } else { None })).collect();
            self.schedule(at, Event::Signals(signals));
        }
        for _ in 0..self.dice.below(4) {
            let at = later(&mut self.dice);
            let span = if self.dice.percent(20) { self.dice.millis(10_000, 90_000) } else { self.dice.millis(100, 6_000) };
            self.schedule(at, Event::Restart(span));
        }
        for _ in 0..self.dice.below(8) {
            let at = later(&mut self.dice);
            self.schedule(at, Event::Somebody);
        }
        for _ in 0..*self.dice.pick(&[0, 0, 1, 2]) {
            let at = later(&mut self.dice);
            self.schedule(at, Event::Declares);
        }
        for _ in 0..self.dice.below(12) {
            let at = later(&mut self.dice);
            self.schedule(at, Event::Sweep);
        }
        self.silent_until = start + Span::seconds(length) + Span::minutes(30);
        for _ in 0..*self.dice.pick(&[0, 0, 2, 7]) {
            let at = later(&mut self.dice);
            self.schedule(at, Event::Silences);
        }
        for _ in 0..*self.dice.pick(&[0, 0, 0, 1, 3]) {
            let at = later(&mut self.dice);
            self.schedule(at, Event::SetupChanges);
        }
        self.schedule(start + Span::seconds(length), Event::Calm);
        self.schedule(start + Span::seconds(length) + Span::minutes(40), Event::LastOrders);
    }

    pub(super) fn signal(&mut self, integration: &IntegrationId, now: Time, nth: Option<usize>) -> Signal {
        let dice = &mut self.dice;
        let dedup_key = format!("key{}", nth.unwrap_or_else(|| dice.below(4)));
        let action = match dice.below(20) {
            _ if nth.is_some() => Action::Trigger,
            12..=16 => Action::Resolve,
            17 => Action::Unreadable("no JSON".to_owned()),
            18 => Action::Ignore("ping".to_owned()),
            11 => Action::Acknowledge,
            _ => Action::Trigger,
        };
        let dedup_key = if matches!(action, Action::Unreadable(_)) { UNREADABLE_KEY.to_owned() } else { dedup_key };
        let severity = dice.percent(80).then(|| *dice.pick(&AlertSeverity::ALL));
        // The sender's clock: right, or quantised so that times are equal, or off.
        let at = match dice.below(6) {
            0 => None,
            1 => Some(Time(now.0 - now.0.rem_euclid(600_000_000))),
            2 => Some(now + dice.millis(-600_000, 60_000)),
            _ => Some(now),
        };
        let ends_at = dice.percent(15).then(|| now + dice.millis(10_000, 900_000));
        let host = *dice.pick(&[None, Some("web-1"), Some("web-2")]);
        Signal {
            integration: integration.clone(),
            title: format!("{dedup_key} is wrong"),
            dedup_key,
            severity,
            action,
            at,
            ends_at,
            url: None,
            labels: host.map(|host| ("host".to_owned(), host.to_owned())).into_iter().collect(),
        }
    }
}
