//! Noise: which monitors call people for nothing. A monitor is a kind of alert of one sender and service; of each incident it was in, one
//! thing is said.

use crate::base::limits;

/// What came of one incident, as far as its people showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    /// Somebody did something about it: a note, a task, an update, a role, a person asked for, an end by hand.
    Acted,
    /// Somebody acknowledged it, and that was all.
    Answered,
    /// It ended, or goes on, and nobody touched it.
    Ignored,
    /// Somebody said that it should not have woken them: key 9.
    Unhelpful,
}

impl Came {
    #[must_use]
    pub const fn of(unhelpful: bool, acted: bool, acknowledged: bool) -> Self {
        match (unhelpful, acted, acknowledged) {
            (true, _, _) => Self::Unhelpful,
            (false, true, _) => Self::Acted,
            (false, false, true) => Self::Answered,
            (false, false, false) => Self::Ignored,
        }
    }

    /// How much of an incident was for nothing, in percent.
    const fn for_nothing(self) -> i64 {
        match self {
            Self::Acted => 0,
            Self::Answered => 50,
            Self::Ignored | Self::Unhelpful => 100,
        }
    }
}

/// What one monitor did within [`limits::NOISE_WITHIN`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// Its alerts in incidents.
    pub fired: i64,
    /// The incidents they were in.
    pub incidents: i64,
    /// Of these, the ones that somebody acknowledged, that somebody did something about, and that should not have woken anybody.
    pub acknowledged: i64,
    pub acted: i64,
    pub unhelpful: i64,
    /// The sum of what was for nothing, in percent of an incident.
    for_nothing: i64,
}

/// What should be done about a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// People say that it need not wake them.
    Quieter,
    /// Nobody does anything about it, or hardly ever.
    Threshold,
}

impl Record {
    /// One more incident with so many of its alerts.
    pub fn add(&mut self, alerts: i64, came: Came, acknowledged: bool, acted: bool) {
        self.fired += alerts;
        self.incidents += 1;
        self.acknowledged += i64::from(acknowledged);
        self.acted += i64::from(acted);
        self.unhelpful += i64::from(came == Came::Unhelpful);
        self.for_nothing += came.for_nothing();
    }

    /// From 0, where each incident led to something, to 100, where none did. `None`: too few to say, unless people say it.
    #[must_use]
    pub fn score(&self) -> Option<i64> {
        let is_enough = self.incidents >= limits::NOISE_LEAST || self.unhelpful >= 2;
        is_enough.then(|| self.for_nothing / self.incidents.max(1))
    }

    #[must_use]
    pub fn advice(&self) -> Option<Advice> {
        let score = self.score()?;
        if self.unhelpful >= 2 && self.unhelpful * 3 >= self.incidents {
            return Some(Advice::Quieter);
        }
        (score >= limits::NOISE_LOUD).then_some(Advice::Threshold)
    }

    /// The advice as a person reads it; what was counted goes first.
    #[must_use]
    pub fn suggestion(&self) -> Option<String> {
        let days = limits::NOISE_WITHIN.as_seconds() / 86_400;
        let times = |n: i64| if n == 1 { "once".to_owned() } else { format!("{n} times") };
        let fired = format!("Fired {} in {days} days", times(self.fired));
        let acted = match self.acted {
            0 => "nobody acted on it".to_owned(),
            n => format!("somebody acted on it {}", times(n)),
        };
        Some(match self.advice()? {
            Advice::Quieter => {
                let said = times(self.unhelpful);
                format!("{fired}, and {said} somebody said that it should not have woken them: make it low urgency.")
            }
            Advice::Threshold => format!("{fired}, {acted}: raise its threshold at the sender, or make it low urgency."),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many incidents in which it was ignored, answered, acted on, and said to be unhelpful; each with two alerts.
    fn record(ignored: usize, answered: usize, acted: usize, unhelpful: usize) -> Record {
        let mut record = Record::default();
        for (times, came) in [(ignored, Came::Ignored), (answered, Came::Answered), (acted, Came::Acted), (unhelpful, Came::Unhelpful)] {
            for _ in 0..times {
                record.add(2, came, came != Came::Ignored, came == Came::Acted);
            }
        }
        record
    }

    #[test]
    fn the_score_says_how_much_was_for_nothing() {
        for (record, score, advice) in [
            (record(0, 0, 0, 0), None, None),
            (record(2, 0, 0, 0), None, None),
            (record(0, 0, 0, 1), None, None),
            (record(0, 0, 0, 2), Some(100), Some(Advice::Quieter)),
            (record(3, 0, 0, 0), Some(100), Some(Advice::Threshold)),
            (record(0, 4, 0, 0), Some(50), None),
            (record(0, 0, 9, 0), Some(0), None),
            (record(41, 0, 0, 0), Some(100), Some(Advice::Threshold)),
            (record(3, 1, 0, 0), Some(87), Some(Advice::Threshold)),
            (record(3, 0, 1, 0), Some(75), Some(Advice::Threshold)),
            (record(2, 0, 1, 0), Some(66), None),
            (record(0, 0, 4, 2), Some(33), Some(Advice::Quieter)),
            (record(0, 0, 9, 2), Some(18), None),
        ] {
            assert_eq!((record.score(), record.advice()), (score, advice), "{record:?}");
        }
    }

    #[test]
    fn what_somebody_said_goes_before_what_somebody_did() {
        for (unhelpful, acted, acknowledged, came) in [
            (false, false, false, Came::Ignored),
            (false, false, true, Came::Answered),
            (false, true, true, Came::Acted),
            (false, true, false, Came::Acted),
            (true, true, true, Came::Unhelpful),
            (true, false, true, Came::Unhelpful),
        ] {
            assert_eq!(Came::of(unhelpful, acted, acknowledged), came);
        }
    }

    #[test]
    fn the_suggestion_is_a_sentence() {
        let said = |record: Record| record.suggestion().unwrap_or_default();
        assert_eq!(
            said(record(41, 0, 0, 0)),
            "Fired 82 times in 30 days, nobody acted on it: raise its threshold at the sender, or make it low urgency."
        );
        assert_eq!(
            said(record(9, 0, 1, 0)),
            "Fired 20 times in 30 days, somebody acted on it once: raise its threshold at the sender, or make it low urgency."
        );
        assert_eq!(
            said(record(0, 1, 0, 3)),
            "Fired 8 times in 30 days, and 3 times somebody said that it should not have woken them: make it low urgency."
        );
        assert_eq!(said(record(0, 0, 9, 0)), "");
    }
}
