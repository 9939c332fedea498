//! Times as people type them: the clock of today, a day and a clock, or RFC 3339.

use jiff::civil;
use serde_json::{Map, Value, json};

use super::CliError;
use super::args::Stretch;
use super::terminal::Console;
use crate::base::time::Time;

/// Which day a bare clock means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Near {
    /// The last time the clock said so.
    Past,
    /// The next time it will.
    Future,
}

/// From when until when, as the server is asked; `from` is what it calls the beginning.
pub(super) fn stretch(console: &Console<'_>, asked: &Stretch, from: &str) -> Result<Map<String, Value>, CliError> {
    let mut body = Map::new();
    for (name, text) in [(from, &asked.from), ("until", &asked.until)] {
        if let Some(text) = text {
            body.insert(name.to_owned(), json!(when(console, text, Near::Future)?.rfc3339()));
        }
    }
    body.extend(asked.span.map(|span| ("for".to_owned(), json!(format!("{}s", span.as_seconds())))));
    Ok(body)
}

/// The moment that a text means here and now.
pub(super) fn when(console: &Console<'_>, text: &str, near: Near) -> Result<Time, CliError> {
    let text = text.trim();
    if let Ok(time) = Time::parse_rfc3339(text) {
        return Ok(time);
    }
    let wrong = || {
        CliError::Usage(format!(
            "\"{}\" is no time; write 09:00, \"2026-01-05 09:00\" or 2026-01-05T09:00:00Z",
            super::terminal::clean(text)
        ))
    };
    let now = console.clock.now();
    let here = |moment: civil::DateTime| -> Option<Time> {
        let zoned = moment.to_zoned(console.zone.clone()).ok()?;
        Some(Time(zoned.timestamp().as_microsecond()))
    };
    if let Ok(moment) = civil::DateTime::strptime("%Y-%m-%d %H:%M", text) {
        return here(moment).ok_or_else(wrong);
    }
    let clock = civil::Time::strptime("%H:%M", text).map_err(|_| wrong())?;
    let today = jiff::Timestamp::from_microsecond(now.0).map_err(|_| wrong())?.to_zoned(console.zone.clone()).date();
    let days = match near {
        Near::Past => [Ok(today), today.yesterday()],
        Near::Future => [Ok(today), today.tomorrow()],
    };
    days.into_iter()
        .filter_map(|day| here(day.ok()?.to_datetime(clock)))
        .find(|time| match near {
            Near::Past => *time <= now,
            Near::Future => *time >= now,
        })
        .ok_or_else(wrong)
}
