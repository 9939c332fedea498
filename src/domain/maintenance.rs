//! Maintenance: alerts whose labels match page nobody during windows that are known beforehand, once or again and again.
//!
//! Each turn of a window becomes a silence before it begins, so that every door that knows silences knows it. Turns live in local time, as
//! rotations do: one at 02:00 stays at 02:00 when the clocks change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alert::{Alert, AlertState, Key};
use super::local;
use super::matcher::Matcher;
use super::novelty::Novelty;
use super::setup::{AlertSeverity, Every, Setup};
use super::silence::Silence;
use crate::base::id::{AlertId, IdSource, MaintenanceId, SilenceId};
use crate::base::secret::digest_hex;
use crate::base::time::{Span, Time};
use crate::base::{limits, written};

/// A window, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    pub id: MaintenanceId,
    pub comment: String,
    pub matchers: Vec<Matcher>,
    /// When the first turn begins, as clocks of the zone show it: `2026-11-22T02:00`.
    pub start: String,
    pub lasts: Span,
    /// From one turn to the next; `None`: there is one.
    pub every: Option<Every>,
    /// An IANA zone.
    pub timezone: String,
}

/// One turn of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub begins: Time,
    pub ends: Time,
}

impl Maintenance {
    /// The turn under way or the next one, and the one after it; those that begin within a year.
    #[must_use]
    pub fn turns(&self, now: Time) -> Vec<Turn> {
        let Some(first) = self.turn(0) else { return Vec::new() };
        let k = if first.ends > now { 0 } else { self.first_not_over(first.begins, now) };
        [k, k + 1]
            .into_iter()
            .filter_map(|k| self.turn(k))
            .filter(|turn| turn.ends > now && turn.begins.since(now) < limits::MAINTENANCE_AHEAD)
            .collect()
    }

    /// The turns that are not over at `now` and begin before `until`, `most` of them: for a picture of what comes.
    #[must_use]
    pub fn ahead(&self, now: Time, until: Time, most: usize) -> Vec<Turn> {
        let Some(first) = self.turn(0) else { return Vec::new() };
        let k = if first.ends > now { 0 } else { self.first_not_over(first.begins, now) };
        let turns = (k..).map_while(|k| self.turn(k)).take_while(|turn| turn.begins < until);
        turns.filter(|turn| turn.ends > now).take(most).collect()
    }

    /// What is wrong with a window that somebody wants, in a sentence; `None`: it can be.
    #[must_use]
    pub fn wrong(&self, now: Time) -> Option<&'static str> {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        let id = self.id.as_str();
        let is_named = id.chars().all(good) && id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.len() <= 64;
        let is_short = self.lasts > Span::ZERO && self.lasts <= limits::SILENCES_KEPT;
        if !is_named {
            Some("A window's name has up to 64 letters, digits, dots, dashes and underscores, as in disk-move.")
        } else if self.matchers.is_empty() || self.matchers.iter().all(|matcher| matcher.matches("")) {
            Some("Of a window's matchers at least one must not match an empty text, or it would cover everything.")
        } else if self.matchers.len() > limits::MATCHERS {
            Some("A window has too many matchers; write several values as one pattern: instance=~\"db-1|db-2\".")
        } else if self.turn(0).is_none() {
            Some("Write its beginning as 2026-11-22T02:00, by the clocks of its time zone, as in Europe/Paris.")
        } else if !is_short {
            Some("Each turn lasts between a second and 30 days.")
        } else if self.turn(1).is_some_and(|next| self.turn(0).is_some_and(|first| next.begins <= first.ends)) {
            Some("It begins again before it is over; make it shorter, or have it come less often.")
        } else if self.turns(now).is_empty() {
            Some("It is over before it begins: nothing of it lies ahead within a year.")
        } else {
            None
        }
    }

    /// The number of the first turn that is not over.
    fn first_not_over(&self, first: Time, now: Time) -> i64 {
        // The shortest that a turn may be: days of 23 hours, months of 28 days.
        let shortest = match self.every {
            None => return 0,
            Some(Every::Hours(n)) => Span::hours(i64::from(n)),
            Some(Every::Days(n)) => Span::hours(i64::from(n) * 22),
            Some(Every::Weeks(n)) => Span::hours(i64::from(n) * 22 * 7),
            Some(Every::Months(n)) => Span::hours(i64::from(n) * 22 * 28),
        };
        let is_over = |k: i64| self.turn(k).is_some_and(|turn| turn.ends <= now);
        let (mut over, mut open) = (0, now.since(first).0 / shortest.0.max(1) + 2);
        while open - over > 1 {
            let middle = over + (open - over) / 2;
            if is_over(middle) { over = middle } else { open = middle }
        }
        open
    }

    /// Turn `k`; `None` beyond the last, and where the window makes no sense.
    fn turn(&self, k: i64) -> Option<Turn> {
        if k > 0 && self.every.is_none() {
            return None;
        }
        let begins = local::at_turn(&self.timezone, &self.start, self.every, k)?;
        Some(Turn { begins, ends: begins + self.lasts })
    }

    /// The silence of a turn. Its id is always the same, so that it is made once, and not again when somebody has ended it.
    #[must_use]
    pub fn silence(&self, turn: Turn, now: Time) -> Silence {
        let matchers: Vec<String> = self.matchers.iter().map(ToString::to_string).collect();
        let told = format!("{}\n{}\n{}\n{}\n{}", self.id, turn.begins.0, turn.ends.0, matchers.join(","), self.comment);
        let seed = digest_hex(told.as_bytes()).get(..32).and_then(|hex| u128::from_str_radix(hex, 16).ok()).unwrap_or_default();
        Silence {
            id: SilenceId::from_text(IdSource::new(turn.begins, seed).uuid()),
            integration: None,
            matchers: self.matchers.clone(),
            starts_at: turn.begins,
            ends_at: turn.ends,
            created_by: format!("{}{}", super::silence::MAINTENANCE, self.id),
            comment: self.comment.clone(),
            updated_at: now,
        }
    }

    /// What an operator should know of it: the sentence, and what to do about it.
    #[must_use]
    pub fn doubts(&self, setup: &Setup, now: Time) -> Vec<(String, &'static str)> {
        let mut doubts = Vec::new();
        if self.turns(now).is_empty() {
            doubts.push((format!("maintenance {} is over, and nothing comes of it any more", self.id), "remove it, or give it an every"));
        }
        if self.covers_everything(setup) {
            let text = format!("maintenance {} covers every alert there can be: nobody is called for anything while it lasts", self.id);
            doubts.push((text, "name what is worked on, as in 'service=\"shop\"'"));
        }
        for matcher in self.matchers.iter().filter(|matcher| matcher.looks_like_shell()) {
            let text = format!("{matcher} repeats the sign before its star, and a star alone stands for nothing");
            doubts.push((text, "write .* for whatever comes, as in 'host=~\"db-.*\"'"));
        }
        doubts
    }

    /// Whether it is about every alert that has nothing but what every alert has.
    fn covers_everything(&self, setup: &Setup) -> bool {
        let (silence, plain) = (self.silence(Turn { begins: Time(0), ends: Time(1) }, Time(0)), plain_alerts(setup));
        !plain.is_empty() && plain.iter().all(|alert| silence.is_about(alert))
    }
}

/// An alert of each integration, of each severity, that has nothing but what every alert has.
pub(super) fn plain_alerts(setup: &Setup) -> Vec<Alert> {
    let plain = setup.integrations.values().flat_map(|integration| {
        AlertSeverity::ALL.map(|severity| Alert {
            id: AlertId::from_text(""),
            key: Key { integration: integration.id.clone(), dedup_key: "a key of its sender".to_owned() },
            source: integration.source.clone(),
            service: integration.service.clone(),
            title: "whatever it is about".to_owned(),
            severity,
            state: AlertState::Firing,
            count: 1,
            first_at: Time(0),
            last_at: Time(0),
            fired_at: Time(0),
            resolved_at: None,
            incident: None,
            ends_at: None,
            hold: None,
            novelty: Novelty::default(),
            url: None,
            labels: BTreeMap::new(),
        })
    });
    plain.collect()
}

/// How often a window comes, as people write it: `12h`, `1d`, `1w`, `1mo`.
#[must_use]
pub fn every(text: &str) -> Option<Every> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number = number.parse::<u32>().ok().filter(|number| (1..=10_000).contains(number))?;
    match unit {
        "h" => Some(Every::Hours(number)),
        "d" => Some(Every::Days(number)),
        "w" => Some(Every::Weeks(number)),
        "mo" => Some(Every::Months(number)),
        _ => None,
    }
}

/// The same, written.
#[must_use]
pub fn every_text(every: Every) -> String {
    match every {
        Every::Hours(n) => format!("{n}h"),
        Every::Days(n) => format!("{n}d"),
        Every::Weeks(n) => format!("{n}w"),
        Every::Months(n) => format!("{n}mo"),
    }
}

/// What is wrong with the beginning of a window, if anything is.
///
/// # Errors
/// A sentence that shows how it is written.
pub fn starts(timezone: &str, text: &str) -> Result<String, String> {
    let text = written::line_within(text, 40);
    if local::at(timezone, &text).is_some() {
        return Ok(text);
    }
    Err("write it as 2026-11-22T02:00, by the clocks of its time zone".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::setup::{Integration, Service};
    use super::*;
    use crate::domain::setup::Budget;

    fn time(text: &str) -> Time {
        Time::parse_rfc3339(text).expect("a time")
    }

    fn window(start: &str, hours: i64, every: Option<Every>) -> Maintenance {
        Maintenance {
            id: "backups".into(),
            comment: "the weekly backup".to_owned(),
            matchers: vec!["service=\"db\"".into()],
            start: start.to_owned(),
            lasts: Span::hours(hours),
            every,
            timezone: "Europe/Paris".to_owned(),
        }
    }

    fn begins(window: &Maintenance, now: &str) -> Vec<String> {
        window.turns(time(now)).iter().map(|turn| turn.begins.rfc3339().replace(":00.000Z", "")).collect()
    }

    #[test]
    fn turns_are_the_one_that_holds_or_comes_and_the_one_after() {
        for (start, hours, every, now, expected) in [
            // One alone: before it, in it, to the moment of its end.
            ("2026-11-22T02:00", 2, None, "2026-11-20T00:00:00Z", vec!["2026-11-22T01:00"]),
            ("2026-11-22T02:00", 2, None, "2026-11-22T02:59:59Z", vec!["2026-11-22T01:00"]),
            ("2026-11-22T02:00", 2, None, "2026-11-22T03:00:00Z", vec![]),
            ("2026-11-22T02:00", 2, Some(Every::Weeks(1)), "2026-11-01T00:00:00Z", vec!["2026-11-22T01:00", "2026-11-29T01:00"]),
            ("2026-11-22T02:00", 2, Some(Every::Weeks(1)), "2026-11-29T02:00:00Z", vec!["2026-11-29T01:00", "2026-12-06T01:00"]),
            ("2020-01-05T02:00", 2, Some(Every::Weeks(1)), "2026-11-23T00:00:00Z", vec!["2026-11-29T01:00", "2026-12-06T01:00"]),
            // 02:00 in Paris is an hour earlier in summer; in the night of the change it is missing, and read with the offset before.
            ("2026-03-28T02:00", 1, Some(Every::Days(1)), "2026-03-28T03:00:00Z", vec!["2026-03-29T01:00", "2026-03-30T00:00"]),
            ("2026-10-24T02:00", 1, Some(Every::Days(1)), "2026-10-24T03:00:00Z", vec!["2026-10-25T00:00", "2026-10-26T01:00"]),
            // The last day of the month where its day is missing, counted from the first.
            ("2026-01-31T02:00", 1, Some(Every::Months(1)), "2026-02-02T00:00:00Z", vec!["2026-02-28T01:00", "2026-03-31T00:00"]),
            ("2026-01-01T00:00", 1, Some(Every::Hours(6)), "2026-06-01T00:00:00Z", vec!["2026-06-01T04:00", "2026-06-01T10:00"]),
        ] {
            assert_eq!(begins(&window(start, hours, every), now), expected, "{start} {every:?} at {now}");
        }
        assert!(begins(&window("tomorrow", 1, None), "2026-11-01T00:00:00Z").is_empty());
    }

    #[test]
    fn a_turn_is_one_silence_whoever_makes_it() {
        let now = time("2026-11-20T00:00:00Z");
        let weekly = window("2026-11-22T02:00", 2, Some(Every::Weeks(1)));
        let turns = weekly.turns(now);
        let ids: Vec<SilenceId> = turns.iter().map(|turn| weekly.silence(*turn, now).id).collect();
        assert_eq!(ids[0], weekly.silence(turns[0], now + Span::hours(1)).id);
        assert_ne!(ids[0], ids[1]);
        let longer = Maintenance { lasts: Span::hours(3), ..weekly.clone() };
        assert_ne!(ids[0], longer.silence(longer.turns(now)[0], now).id, "what was changed is another");
        assert_eq!(weekly.silence(turns[0], now).created_by, "maintenance backups");
    }

    #[test]
    fn what_is_over_and_what_covers_everything_is_doubted() {
        let mut setup = Setup::default();
        for id in ["db", "web"] {
            setup.services.insert(id.into(), Service::new(id.into(), "p".into()));
            let integration = Integration {
                id: id.into(),
                source: "generic".to_owned(),
                service: id.into(),
                severity: AlertSeverity::Error,
                heartbeat: None,
                topics: Vec::new(),
                map: None,
                budget: Budget::default(),
            };
            setup.integrations.insert(id.into(), integration);
        }
        let now = time("2026-11-20T00:00:00Z");
        for (matcher, start, doubts) in [
            ("service=\"db\"", "2026-11-22T02:00", 0),
            ("service=\"db\"", "2026-11-12T02:00", 1),
            ("service=~\".+\"", "2026-11-22T02:00", 1),
            ("severity=~\"critical|error|warning|info\"", "2026-11-22T02:00", 1),
            ("severity=~\"error|warning|info\"", "2026-11-22T02:00", 0),
            ("service=~\"db|web\"", "2026-11-02T02:00", 2),
        ] {
            let window = Maintenance { matchers: vec![matcher.into()], ..window(start, 2, None) };
            assert_eq!(window.doubts(&setup, now).len(), doubts, "{matcher} {start}: {:?}", window.doubts(&setup, now));
        }
    }
}
