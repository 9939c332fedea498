//! Logs: to stderr, one line each, never a body, a parameter or a secret, and never more than so many of one kind.

use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::layer::{Context, Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::base::clock::Stopwatch;
use crate::base::limits;

/// Starts logging. `REVEILLE_LOG` chooses what (`info` unless set); a terminal gets lines, anything else JSON, and
/// `REVEILLE_LOG_FORMAT` (`json` or `text`) settles it.
pub fn start(quiet: bool) {
    let default = if quiet { "warn" } else { "info" };
    // sqlx tells every slow statement with its text; statements carry no values, but they drown the log.
    let filter = std::env::var("REVEILLE_LOG").unwrap_or_else(|_| format!("{default},sqlx=warn"));
    let is_json = match std::env::var("REVEILLE_LOG_FORMAT").as_deref() {
        Ok("json") => true,
        Ok("text") => false,
        Ok(_) | Err(_) => !std::io::stderr().is_terminal(),
    };
    let bounded = EnvFilter::new(filter).and(Bound::new(is_json));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if is_json {
        tracing_subscriber::registry().with(layer.json().with_filter(bounded)).try_init()
    } else {
        let is_terminal = std::io::stderr().is_terminal();
        tracing_subscriber::registry().with(layer.with_ansi(is_terminal).compact().with_target(false).with_filter(bounded)).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}

/// Lets so many events of one place in the code through in a minute; the rest are counted, and the count is told with the next.
struct Bound {
    is_json: bool,
    /// One entry for each place in the code that logs: their number is the code's own.
    seen: Mutex<HashMap<Identifier, Seen>>,
}

struct Seen {
    since: Stopwatch,
    let_through: u32,
    left_out: u64,
}

impl Bound {
    fn new(is_json: bool) -> Self {
        Self { is_json, seen: Mutex::default() }
    }

    /// Whether one more may be told, and how many were left out before it.
    fn admit(&self, place: Identifier) -> (bool, u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.entry(place).or_insert_with(|| Seen { since: Stopwatch::start(), let_through: 0, left_out: 0 });
        let mut before = 0;
        if seen.since.passed() >= limits::LOG_SPAN {
            before = seen.left_out;
            *seen = Seen { since: Stopwatch::start(), let_through: 0, left_out: 0 };
        }
        if seen.let_through < limits::LOG_LINES {
            seen.let_through += 1;
            (true, before)
        } else {
            seen.left_out += 1;
            (false, before)
        }
    }

    /// Straight to stderr: an event about events would come back here.
    fn tell(&self, about: &Metadata<'_>, left_out: u64) {
        let (file, line) = (about.file().unwrap_or("?"), about.line().unwrap_or(0));
        let told = if self.is_json {
            let fields =
                serde_json::json!({ "message": "lines like the next were left out", "count": left_out, "place": format!("{file}:{line}") });
            serde_json::json!({ "level": "WARN", "fields": fields, "target": "reveille::boot::telemetry" }).to_string()
        } else {
            format!(" WARN {left_out} lines like the next were left out ({file}:{line})")
        };
        // Where stderr is gone there is nobody to tell.
        writeln!(std::io::stderr(), "{told}").unwrap_or_default();
    }
}

impl<S: Subscriber> Filter<S> for Bound {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let (admitted, left_out) = self.admit(event.metadata().callsite());
        if left_out > 0 {
            self.tell(event.metadata(), left_out);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_place_that_never_stops_is_cut_off_and_others_are_heard() {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer().json().with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(EnvFilter::new("info").and(Bound::new(true))));
        tracing::subscriber::with_default(subscriber, || {
            for n in 0..10_000 {
                tracing::warn!(n, "the same again");
            }
            tracing::debug!("nobody asked for this");
            tracing::error!("something else");
        });
        let text = String::from_utf8(kept.0.lock().expect("nobody panics").clone()).expect("text");
        assert_eq!(text.matches("the same again").count(), usize::try_from(limits::LOG_LINES).expect("few"));
        assert_eq!((text.matches("something else").count(), text.matches("nobody asked").count()), (1, 0));
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{text}");
    }
}
