//! Instants and spans in microseconds, and how people write them.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Stored as BIGINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

/// A length of time in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(pub i64);

impl Time {
    /// From whole seconds since the epoch; saturates, because the number may be a stranger's.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// From milliseconds since the epoch; saturates, because the number may be a stranger's.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Milliseconds since the epoch, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// RFC 3339 in UTC with milliseconds, as the API writes every time.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.as_chrono().map_or_else(|| "1970-01-01T00:00:00.000Z".to_owned(), |at| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }

    /// Reads RFC 3339.
    ///
    /// # Errors
    /// A sentence that shows how it is written.
    pub fn parse_rfc3339(text: &str) -> Result<Self, String> {
        chrono::DateTime::parse_from_rfc3339(text.trim())
            .map(|at| Self(at.timestamp_micros()))
            .map_err(|_| "write a time as 2026-01-05T09:00:00Z".to_owned())
    }

    fn as_chrono(self) -> Option<chrono::DateTime<chrono::Utc>> {
        chrono::DateTime::from_timestamp_micros(self.0)
    }

    /// The span since `earlier`; negative when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Span {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn seconds(n: i64) -> Self {
        Self(n.saturating_mul(1_000_000))
    }

    #[must_use]
    pub const fn millis(n: i64) -> Self {
        Self(n.saturating_mul(1_000))
    }

    #[must_use]
    pub const fn minutes(n: i64) -> Self {
        Self::seconds(n.saturating_mul(60))
    }

    #[must_use]
    pub const fn hours(n: i64) -> Self {
        Self::minutes(n.saturating_mul(60))
    }

    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0 / 1_000_000
    }

    /// For timers of the runtime; a negative span is no wait.
    #[must_use]
    pub fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_micros(u64::try_from(self.0).unwrap_or(0))
    }

    /// Reads `90s`, `5m`, `1h30m`, `2d`, `1w`; at most ten years.
    ///
    /// # Errors
    /// A sentence that shows how it is written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is not a span of time; write it as 30s, 5m, 1h30m, 2d or 1w");
        let mut total: i64 = 0;
        let mut digits = String::new();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(wrong());
        }
        for c in trimmed.chars() {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            let n: i64 = digits.parse().map_err(|_| wrong())?;
            let unit: i64 = match c {
                's' => 1,
                'm' => 60,
                'h' => 3_600,
                'd' => 86_400,
                'w' => 604_800,
                _ => return Err(wrong()),
            };
            total = n.checked_mul(unit).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
            digits.clear();
        }
        if !digits.is_empty() || total > 10 * 366 * 86_400 {
            return Err(wrong());
        }
        Ok(Self::seconds(total))
    }
}

impl Add<Span> for Time {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub<Span> for Time {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// As people read it: `0s`, `45s`, `5m`, `1h 30m`, `2d 3h`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.as_seconds();
        let sign = if seconds < 0 { "-" } else { "" };
        let seconds = seconds.unsigned_abs();
        let parts = [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
        let words: Vec<String> =
            parts.iter().skip_while(|(n, _)| *n == 0).take(2).filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
        if words.is_empty() { f.write_str("0s") } else { write!(f, "{sign}{}", words.join(" ")) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_and_print_as_people_write_them() {
        assert_eq!(Span::parse("1h30m"), Ok(Span::minutes(90)));
        assert_eq!(Span::parse("0s"), Ok(Span::ZERO));
        assert_eq!(Span::minutes(90).to_string(), "1h 30m");
        assert_eq!(Span::seconds(3_605).to_string(), "1h");
        for bad in ["", "5", "m", "5 minutes", "-5m", "99999999999999999999s", "9223372036854775807w"] {
            assert!(Span::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_print_as_rfc3339_and_read_back() {
        let at = Time::from_seconds(1_438_138_800);
        assert_eq!(at.rfc3339(), "2015-07-29T03:00:00.000Z");
        assert_eq!(Time::parse_rfc3339("2015-07-29T05:00:00+02:00"), Ok(at));
    }
}
