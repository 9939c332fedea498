//! More new alerts than anybody could look at: of one integration so many are kept within an hour, and those beyond are counted on one
//! alert, which pages like any other and ends by itself.

use std::collections::BTreeMap;

use super::alert::OVERFLOW_KEY;
use super::input::{Action, Signal};
use super::setup::Integration;
use crate::base::limits;
use crate::base::time::Time;

/// How many new alerts of one integration were kept lately.
///
/// Counted in two windows that lie side by side. What is left of the one before counts as if its alerts had come evenly, so that the limit
/// holds within about any hour, and no new hour lets a flood in all at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flood {
    /// The number of the window since the epoch.
    window: i64,
    before: u64,
    within: u64,
}

impl Flood {
    /// So many new alerts are kept now.
    pub fn add(&mut self, alerts: u64, at: Time) {
        self.move_to(at);
        self.within = self.within.saturating_add(alerts);
    }

    /// How many were kept within the last hour.
    #[must_use]
    pub fn lately(&self, at: Time) -> u64 {
        let mut now = *self;
        now.move_to(at);
        let into = u64::try_from(at.0.rem_euclid(limits::FLOOD_WINDOW.0)).unwrap_or_default();
        let whole = u64::try_from(limits::FLOOD_WINDOW.0).unwrap_or(u64::MAX).max(1);
        let rest = u128::from(now.before) * u128::from(whole.saturating_sub(into)) / u128::from(whole);
        now.within.saturating_add(u64::try_from(rest).unwrap_or(u64::MAX))
    }

    /// Whether it says nothing any more.
    #[must_use]
    pub fn is_over(&self, at: Time) -> bool {
        self.lately(at) == 0
    }

    fn move_to(&mut self, at: Time) {
        let window = at.0.div_euclid(limits::FLOOD_WINDOW.0);
        // A clock that was set back stays in the window it was in.
        if window <= self.window {
            return;
        }
        self.before = if window == self.window + 1 { self.within } else { 0 };
        self.within = 0;
        self.window = window;
    }
}

/// What a new alert beyond the limit becomes: one more of what is counted on one alert.
#[must_use]
pub fn overflow(integration: &Integration, at: Time) -> Signal {
    let most = grouped(integration.budget.new_per_hour);
    Signal {
        integration: integration.id.clone(),
        dedup_key: OVERFLOW_KEY.to_owned(),
        title: format!("More than {most} new alerts within an hour: those beyond are counted here, and not kept one by one"),
        severity: None,
        action: Action::Trigger,
        at: None,
        ends_at: Some(at + limits::FLOOD_CALM),
        url: None,
        labels: BTreeMap::new(),
    }
}

/// What becomes of a signal of an integration that is over its limit, about an alert that nobody knows.
#[must_use]
pub fn swallow(signal: &Signal, integration: &Integration, at: Time) -> Option<Signal> {
    match &signal.action {
        Action::Trigger => Some(overflow(integration, at)),
        // To remember what was never kept would cost as much as to keep it.
        Action::Resolve | Action::Acknowledge | Action::Remark(_) => {
            let ignored = "it is about an alert that was counted and not kept: more came within the hour than are kept".to_owned();
            Some(Signal { action: Action::Ignore(ignored), ..signal.clone() })
        }
        Action::Unreadable(_) | Action::Change(_) | Action::Ignore(_) => None,
    }
}

/// A number as people read it: `2,000,000`.
fn grouped(n: u32) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Span;

    #[test]
    fn an_hour_is_any_hour() {
        let start = Time::from_seconds(3_600 * 500_000);
        let mut flood = Flood::default();
        flood.add(600, start);
        assert_eq!(flood.lately(start), 600);
        assert_eq!(flood.lately(start + Span::minutes(59)), 600);
        // The next hour begins with what the last one left, and forgets it evenly.
        assert_eq!(flood.lately(start + Span::minutes(60)), 600);
        assert_eq!(flood.lately(start + Span::minutes(90)), 300);
        flood.add(100, start + Span::minutes(90));
        assert_eq!(flood.lately(start + Span::minutes(90)), 400);
        assert_eq!(flood.lately(start + Span::minutes(120)), 100);
        assert!(flood.is_over(start + Span::minutes(180)) && !flood.is_over(start + Span::minutes(179)));
        // Set back by a day, the clock gives nobody an hour more.
        let mut back = flood;
        back.add(1, start - Span::hours(24));
        assert_eq!(back.lately(start + Span::minutes(90)), 401);
    }

    #[test]
    fn a_long_quiet_forgets_all() {
        let start = Time::from_seconds(3_600 * 500_000);
        let mut flood = Flood::default();
        flood.add(600, start);
        assert_eq!(flood.lately(start + Span::hours(5)), 0);
    }

    #[test]
    fn numbers_are_read_in_groups() {
        assert_eq!([0, 5, 999, 1_000, 2_000_000].map(grouped), ["0", "5", "999", "1,000", "2,000,000"]);
    }
}
