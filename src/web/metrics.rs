//! What operators measure: this process's own instruments, and one bounded look at the database.

use std::fmt::{self, Write as _};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Doors;
use super::answer::{plain, set};
use crate::base::clock::Stopwatch;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::store::read::{Gauges, Waiting};

/// Counts every answer by its route's pattern; what no route takes has none.
pub(super) async fn count(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    let took = Stopwatch::start();
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    // Anybody may make up a method; only the usual ones are names of their own.
    let usual = [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS, Method::PUT, Method::PATCH, Method::DELETE];
    let method = if usual.contains(request.method()) { request.method().to_string() } else { "other".to_owned() };
    let response = next.run(request).await;
    doors.house.metrics.request(&method, &route, response.status().as_u16(), took);
    response
}

/// `GET /metrics`.
pub(super) async fn show(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    if let Some(token) = &doors.live().metrics_token {
        let given =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
        if !given.is_some_and(|given| token.matches(given.trim())) {
            let mut refused = plain(StatusCode::UNAUTHORIZED, "The metrics want the bearer token of [server] metrics_token.\n");
            set(&mut refused, header::WWW_AUTHENTICATE, "Bearer");
            return refused;
        }
    }
    let now = doors.now();
    // Bounded, and through the readers of the doors: nobody who measures makes a page wait.
    let looked = tokio::time::timeout(limits::METRICS_LOOK.as_duration(), doors.house.store.reader().gauges(now)).await;
    let gauges =
        looked.ok().and_then(|gauges| gauges.map_err(|error| tracing::warn!(%error, "the metrics cannot look at the database")).ok());
    let mut text = String::new();
    if written(&doors, gauges.as_ref(), now, &mut text).is_err() {
        return plain(StatusCode::INTERNAL_SERVER_ERROR, "The metrics cannot be written.\n");
    }
    let mut response = plain(StatusCode::OK, text);
    set(&mut response, header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    response
}

fn written(doors: &Doors, gauges: Option<&Gauges>, now: Time, text: &mut String) -> fmt::Result {
    let house = &doors.house;
    house.metrics.write(text)?;
    let mut sheet = Sheet(text);
    sheet.gauge("page_lane_age_seconds", "Since the courier of pages last looked for work", &[("", age(house.page_lane.age(now)))])?;
    sheet.gauge("stream_readers", "Live readers of the stream", &[("", doors.tail.readers().to_string())])?;
    sheet.gauge(
        "writers_waiting",
        "Writes that wait for their turn at SQLite's one writer",
        &[("", house.store.writers_waiting().to_string())],
    )?;
    let intake = house.intake.max_capacity() - house.intake.capacity();
    sheet.gauge("intake_waiting", "Requests that wait for the intake's writer", &[("", intake.to_string())])?;
    sheet.gauge("look_complete", "Whether the database answered for what follows", &[("", u8::from(gauges.is_some()).to_string())])?;
    if let Some(gauges) = gauges {
        of_database(&mut sheet, gauges, now)?;
    }
    writeln!(sheet.0, "# EOF")
}

fn of_database(sheet: &mut Sheet<'_>, gauges: &Gauges, now: Time) -> fmt::Result {
    let oldest = |waiting: &Waiting| age(waiting.oldest.map_or(Span::ZERO, |oldest| now.since(oldest)));
    sheet.gauge("journal_rows", "Batches accepted and not folded yet", &[("", gauges.journal.rows.to_string())])?;
    sheet.gauge("journal_oldest_seconds", "How far the fold lags behind", &[("", oldest(&gauges.journal))])?;
    sheet.gauge("journal_aside_rows", "Batches that could not be folded", &[("", gauges.aside.to_string())])?;
    let lanes = |value: &dyn Fn(&Waiting) -> String| -> Vec<(String, String)> {
        gauges.outbox.iter().map(|(lane, waiting)| (labels(&[("lane", lane)]), value(waiting))).collect()
    };
    sheet.gauge("outbox_due_rows", "Effects that are due and not done", &lanes(&|waiting| waiting.rows.to_string()))?;
    sheet.gauge("outbox_oldest_seconds", "How long the longest due effect has been due", &lanes(&|waiting| oldest(waiting)))?;
    sheet.gauge("wakes_due_rows", "Wake-ups that are due and not done", &[("", gauges.wakes.rows.to_string())])?;
    sheet.gauge("wakes_oldest_seconds", "How long the longest due wake-up has been due", &[("", oldest(&gauges.wakes))])?;
    let open: Vec<_> = gauges
        .incidents
        .iter()
        .map(|((state, severity), n)| (labels(&[("state", state), ("severity", severity)]), n.to_string()))
        .collect();
    sheet.gauge("incidents_open", "Open incidents", &open)?;
    let behind: Vec<_> = gauges.webhooks.iter().map(|(id, n)| (labels(&[("webhook", id)]), n.to_string())).collect();
    sheet.gauge("webhook_facts_behind", "Facts that a webhook has not been told or passed over yet", &behind)?;
    let told: Vec<_> = gauges
        .tallies
        .iter()
        .map(|((integration, outcome), n)| (labels(&[("integration", integration.as_str()), ("outcome", outcome)]), n.to_string()))
        .collect();
    // One outcome is their sum: accepted.
    sheet.counter("signals", "Signals by integration and what became of them, over all processes and since the beginning", &told)
}

/// Families in the words of `OpenMetrics` 1.0 (github.com/prometheus/OpenMetrics, specification/OpenMetrics.md).
struct Sheet<'a>(&'a mut String);

impl Sheet<'_> {
    fn gauge<L: AsRef<str>>(&mut self, name: &str, help: &str, values: &[(L, String)]) -> fmt::Result {
        self.family(name, "gauge", "", help, values)
    }

    fn counter<L: AsRef<str>>(&mut self, name: &str, help: &str, values: &[(L, String)]) -> fmt::Result {
        self.family(name, "counter", "_total", help, values)
    }

    fn family<L: AsRef<str>>(&mut self, name: &str, kind: &str, suffix: &str, help: &str, values: &[(L, String)]) -> fmt::Result {
        writeln!(self.0, "# HELP reveille_{name} {help}.")?;
        writeln!(self.0, "# TYPE reveille_{name} {kind}")?;
        for (labels, value) in values {
            writeln!(self.0, "reveille_{name}{suffix}{} {value}", labels.as_ref())?;
        }
        Ok(())
    }
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{}}}", pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(","))
}

/// Seconds with thousandths.
fn age(span: Span) -> String {
    let millis = span.0.max(0) / 1_000;
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}
