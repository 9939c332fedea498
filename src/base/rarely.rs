//! Says something once in a while, however often it happens: a stranger must not be able to fill a log.

use std::sync::{Mutex, PoisonError};

use super::clock::Stopwatch;
use super::time::Span;

/// Counts occurrences and lets one be told in each span.
#[derive(Debug)]
pub struct Rarely {
    every: Span,
    state: Mutex<(Option<Stopwatch>, u64)>,
}

impl Rarely {
    #[must_use]
    pub const fn new(every: Span) -> Self {
        Self { every, state: Mutex::new((None, 0)) }
    }

    /// Notes one more. `Some`: it is to be told now, and so many were noted since the last telling, this one included.
    pub fn note(&self) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        if state.0.is_some_and(|told| told.passed() < self.every) {
            return None;
        }
        state.0 = Some(Stopwatch::start());
        Some(std::mem::take(&mut state.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_then_one_in_each_span_with_the_count() {
        let rarely = Rarely::new(Span::hours(1));
        assert_eq!(rarely.note(), Some(1));
        assert_eq!((rarely.note(), rarely.note()), (None, None));
        let always = Rarely::new(Span::ZERO);
        assert_eq!((always.note(), always.note()), (Some(1), Some(1)));
    }

    #[test]
    fn what_was_not_told_is_counted_in_the_next() {
        let rarely = Rarely { every: Span::millis(20), state: Mutex::new((Some(Stopwatch::start()), 0)) };
        let told = std::iter::from_fn(|| Some(rarely.note())).enumerate().find_map(|(n, told)| Some((n as u64 + 1, told?)));
        let (noted, told) = told.expect("the span passes");
        assert_eq!(noted, told);
    }
}
