//! The times that people write: a clock's hands or a date, in a zone of theirs.

use jiff::civil;

use super::oncall::zone;
use super::setup::Every;
use crate::base::time::Time;

/// The newest instant not after `now` at which clocks of this zone showed `HH:MM`.
#[must_use]
pub fn last_at(zone_name: &str, text: &str, now: Time) -> Option<Time> {
    let zone = zone(zone_name)?;
    let clock = clock_of(text)?;
    let today = jiff::Timestamp::from_microsecond(now.0).ok()?.to_zoned(zone.clone()).date();
    [today.tomorrow().ok(), Some(today), today.yesterday().ok()]
        .into_iter()
        .flatten()
        .filter_map(|day| instant(day.to_datetime(clock), &zone))
        .find(|at| *at <= now)
}

/// The instant at which clocks of this zone show `YYYY-MM-DDTHH:MM`, as browsers send it. A time that does not exist is read with the
/// offset before the gap; one that comes twice is the first.
#[must_use]
pub fn at(zone_name: &str, text: &str) -> Option<Time> {
    let (day, clock) = text.trim().split_once(['T', ' '])?;
    let day: civil::Date = day.parse().ok()?;
    instant(day.to_datetime(clock_of(clock)?), &zone(zone_name)?)
}

/// When turn `k` of something begins that began at this local time, as [`at`] reads it, and comes again so often. `None` where there is no
/// such time, and beyond the calendar.
#[must_use]
pub fn at_turn(zone_name: &str, text: &str, every: Option<Every>, k: i64) -> Option<Time> {
    let (day, clock) = text.trim().split_once(['T', ' '])?;
    let day: civil::Date = day.parse().ok()?;
    let first = day.to_datetime(clock_of(clock)?);
    let length = |n: u32| k.checked_mul(i64::from(n));
    let span = jiff::Span::new();
    // Always counted from the first, so that a month's missing day does not move the later ones.
    let span = match every {
        None => span,
        Some(Every::Hours(n)) => span.try_hours(length(n)?).ok()?,
        Some(Every::Days(n)) => span.try_days(length(n)?).ok()?,
        Some(Every::Weeks(n)) => span.try_weeks(length(n)?).ok()?,
        Some(Every::Months(n)) => span.try_months(length(n)?).ok()?,
    };
    instant(first.checked_add(span).ok()?, &zone(zone_name)?)
}

/// As a browser's field for a local time takes it: `YYYY-MM-DDTHH:MM`.
#[must_use]
pub fn field(zone_name: &str, at: Time) -> Option<String> {
    let zoned = jiff::Timestamp::from_microsecond(at.0).ok()?.to_zoned(zone(zone_name)?);
    Some(zoned.strftime("%Y-%m-%dT%H:%M").to_string())
}

/// `Mon 5 Jan 09:00`.
#[must_use]
pub fn spoken(zone_name: &str, at: Time) -> Option<String> {
    let zoned = jiff::Timestamp::from_microsecond(at.0).ok()?.to_zoned(zone(zone_name)?);
    Some(zoned.strftime("%a %-d %b %H:%M").to_string())
}

/// `09:00`.
#[must_use]
pub fn clock(zone_name: &str, at: Time) -> Option<String> {
    let zoned = jiff::Timestamp::from_microsecond(at.0).ok()?.to_zoned(zone(zone_name)?);
    Some(zoned.strftime("%H:%M").to_string())
}

/// The local days from the one that holds `now` on: when each begins, and what it is called (`Mon 5 Jan`).
#[must_use]
pub fn days(zone_name: &str, now: Time, count: usize) -> Vec<(Time, String)> {
    let Some(zone) = zone(zone_name) else { return Vec::new() };
    let Ok(stamp) = jiff::Timestamp::from_microsecond(now.0) else { return Vec::new() };
    let first = stamp.to_zoned(zone.clone()).date();
    let days = std::iter::successors(Some(first), |day| day.tomorrow().ok()).take(count);
    // Not midnight by the clock: there are zones and days without one.
    days.filter_map(|day| {
        let start = day.to_zoned(zone.clone()).ok()?.timestamp();
        Some((Time(start.as_microsecond()), day.strftime("%a %-d %b").to_string()))
    })
    .collect()
}

fn clock_of(text: &str) -> Option<civil::Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    // Some browsers send seconds too.
    let minute = minute.split(':').next()?;
    civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn instant(at: civil::DateTime, zone: &jiff::tz::TimeZone) -> Option<Time> {
    let stamp = zone.to_ambiguous_timestamp(at);
    let stamp = match stamp.offset() {
        jiff::tz::AmbiguousOffset::Gap { before, .. } => before.to_timestamp(at).ok()?,
        jiff::tz::AmbiguousOffset::Unambiguous { .. } | jiff::tz::AmbiguousOffset::Fold { .. } => stamp.compatible().ok()?,
    };
    Some(Time(stamp.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse_rfc3339(text).expect("a time")
    }

    #[test]
    fn a_clock_s_hands_mean_the_last_time_they_stood_so() {
        let now = time("2026-01-07T02:00:00Z");
        assert_eq!(last_at("UTC", "01:30", now), Some(time("2026-01-07T01:30:00Z")));
        assert_eq!(last_at("UTC", "02:01", now), Some(time("2026-01-06T02:01:00Z")));
        assert_eq!(last_at("Europe/Paris", "02:56", now), Some(time("2026-01-07T01:56:00Z")));
        assert_eq!(last_at("Pacific/Auckland", "14:59", now), Some(time("2026-01-07T01:59:00Z")));
        assert_eq!((last_at("UTC", "25:00", now), last_at("Mars/Base", "01:00", now), last_at("UTC", "noon", now)), (None, None, None));
    }

    #[test]
    fn local_times_are_read_by_the_rules_of_their_zone() {
        assert_eq!(at("Europe/Paris", "2026-07-01T09:00"), Some(time("2026-07-01T07:00:00Z")));
        // In the night of the change this hour is missing, or comes twice.
        assert_eq!(at("Europe/Paris", "2026-03-29T02:30"), Some(time("2026-03-29T01:30:00Z")));
        assert_eq!(at("Europe/Paris", "2026-10-25T02:30"), Some(time("2026-10-25T00:30:00Z")));
        assert_eq!(field("Europe/Paris", time("2026-07-01T07:00:00Z")).as_deref(), Some("2026-07-01T09:00"));
        assert_eq!(spoken("Europe/Paris", time("2026-07-01T07:00:00Z")).as_deref(), Some("Wed 1 Jul 09:00"));
        assert_eq!(at("Europe/Paris", "yesterday"), None);
    }

    #[test]
    fn days_begin_where_their_zone_begins_them() {
        let days = days("Europe/Paris", time("2026-03-28T12:00:00Z"), 3);
        let starts: Vec<Time> = days.iter().map(|(at, _)| *at).collect();
        assert_eq!(starts, [time("2026-03-27T23:00:00Z"), time("2026-03-28T23:00:00Z"), time("2026-03-29T22:00:00Z")]);
        assert_eq!(days.first().map(|(_, name)| name.as_str()), Some("Sat 28 Mar"));
    }
}
