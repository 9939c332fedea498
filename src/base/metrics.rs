//! What the process counts about itself, in Prometheus' words. Counting never waits and never fails, so that it may stand on the way of
//! a page. Labels are words of ours and configured ids, never what a stranger wrote: their number is bounded.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::clock::Stopwatch;
use super::time::Span;

type Labels = Vec<(&'static str, String)>;

/// From half a millisecond, as one database call takes, to half a minute, as a hanging provider takes.
const SECONDS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

#[expect(clippy::cast_precision_loss, reason = "a duration in seconds needs no 53 bits of microseconds")]
fn seconds(span: Span) -> f64 {
    span.0.max(0) as f64 / 1_000_000.0
}

/// The calls of one store's database. Clones share it.
#[derive(Clone)]
pub struct Calls(Arc<CallCounts>);

struct CallCounts {
    seconds: Histogram,
    errors: Counter,
}

impl Default for Calls {
    fn default() -> Self {
        Self(Arc::new(CallCounts { seconds: histogram(), errors: Counter::default() }))
    }
}

impl Calls {
    /// One call has ended.
    pub fn note(&self, took: Stopwatch, well: bool) {
        self.0.seconds.observe(seconds(took.passed()));
        if !well {
            self.0.errors.inc();
        }
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

/// The instruments of one process. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Instruments>);

struct Instruments {
    registry: Registry,
    facts: Family<Labels, Counter>,
    attempts: Family<Labels, Counter>,
    delay: Family<Labels, Histogram, fn() -> Histogram>,
    requests: Family<Labels, Counter>,
    request_seconds: Family<Labels, Histogram, fn() -> Histogram>,
    webhooks: Family<Labels, Counter>,
    forged: Family<Labels, Counter>,
    hooks_refused: Family<Labels, Counter>,
    restarts: Family<Labels, Counter>,
    forgotten: Family<Labels, Counter>,
    routed: Family<Labels, Counter>,
    folds: Family<Labels, Counter>,
    regroups: Family<Labels, Counter>,
    held: Family<Labels, Counter>,
    encoded: Family<Labels, Counter>,
    sampled: Family<Labels, Counter>,
    overflowed: Family<Labels, Counter>,
    connections: Gauge,
    given_up: Counter,
    raised: Family<Labels, Counter>,
}

impl Metrics {
    /// `calls` are those of the store.
    #[must_use]
    pub fn new(calls: &Calls) -> Self {
        let mut registry = Registry::with_prefix("reveille");
        let build: Info<Labels> = Info::new(vec![("version", env!("CARGO_PKG_VERSION").to_owned())]);
        registry.register("build", "What runs here", build);
        let seconds = |constructor: fn() -> Histogram| Family::new_with_constructor(constructor);
        let instruments = Instruments {
            facts: Family::default(),
            attempts: Family::default(),
            delay: seconds(histogram),
            requests: Family::default(),
            request_seconds: seconds(histogram),
            webhooks: Family::default(),
            forged: Family::default(),
            hooks_refused: Family::default(),
            restarts: Family::default(),
            forgotten: Family::default(),
            routed: Family::default(),
            folds: Family::default(),
            regroups: Family::default(),
            held: Family::default(),
            encoded: Family::default(),
            sampled: Family::default(),
            overflowed: Family::default(),
            connections: Gauge::default(),
            given_up: Counter::default(),
            raised: Family::default(),
            registry: Registry::default(),
        };
        let Instruments { facts, attempts, delay, requests, request_seconds, webhooks, forged, restarts, forgotten, routed, .. } =
            &instruments;
        registry.register("facts", "Facts committed by this process, by kind: page_opened, incident_opened and so on", facts.clone());
        registry.register("attempts", "Outcomes of attempts to reach a person", attempts.clone());
        registry.register(
            "page_delay_seconds",
            "From the moment at which an attempt was due to its request to the provider",
            delay.clone(),
        );
        registry.register("http_requests", "Requests answered, by route pattern", requests.clone());
        registry.register("http_request_seconds", "Until the answer's head was ready, by route pattern", request_seconds.clone());
        registry.register("webhook_deliveries", "Requests of outgoing webhooks", webhooks.clone());
        registry.register("forged_callbacks", "Requests of providers refused for a wrong signature, by channel", forged.clone());
        registry.register(
            "hooks_refused",
            "Senders' messages refused for what they did not show beside their key: missing, wrong, stale",
            instruments.hooks_refused.clone(),
        );
        registry.register("worker_restarts", "Workers that panicked and were started again", restarts.clone());
        registry.register("forgotten_rows", "Rows thrown away by retention", forgotten.clone());
        registry.register("routed", "Signals that a routing rule took", routed.clone());
        registry.register("folds", "Alerts that joined an incident instead of opening one, by the reason", instruments.folds.clone());
        registry.register("regroups", "Incidents merged, taken back or split off, by the reason", instruments.regroups.clone());
        registry.register("held", "Signals that called nobody, or ended nothing, by what held them", instruments.held.clone());
        registry.register("encoded_bodies", "Senders' bodies that came encoded, and what became of them", instruments.encoded.clone());
        registry.register(
            "sampled_signals",
            "Signals of an integration over its budget that were counted on another of the same alert",
            instruments.sampled.clone(),
        );
        registry.register(
            "overflow_signals",
            "Signals about new alerts beyond those kept of an integration within an hour, counted on one alert",
            instruments.overflowed.clone(),
        );
        registry.register("connections", "Connections that are open at the HTTP door", instruments.connections.clone());
        registry.register(
            "connections_given_up",
            "Connections that only waited and were closed because their place was wanted",
            instruments.given_up.clone(),
        );
        registry.register("raised", "Alerts that woke people because they were new or rising", instruments.raised.clone());
        registry.register("database_call_seconds", "How long a call of the database took", calls.0.seconds.clone());
        registry.register("database_call_errors", "Calls of the database that failed", calls.0.errors.clone());
        Self(Arc::new(Instruments { registry, ..instruments }))
    }

    /// Facts of one kind were committed.
    pub fn facts(&self, kind: &'static str) {
        self.0.facts.get_or_create(&vec![("kind", kind.to_owned())]).inc();
    }

    /// What became of an attempt is known.
    pub fn attempt(&self, channel: &str, provider: Option<&str>, outcome: &'static str) {
        let labels = [("channel", channel), ("provider", provider.unwrap_or("none")), ("outcome", outcome)];
        self.0.attempts.get_or_create(&labels.map(|(name, value)| (name, value.to_owned())).to_vec()).inc();
    }

    /// A request leaves for its provider, so long after it was due.
    pub fn left(&self, channel: &str, after: Span) {
        self.0.delay.get_or_create(&vec![("channel", channel.to_owned())]).observe(seconds(after));
    }

    /// A request was answered. `route` is its pattern, not its path.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Stopwatch) {
        let status = status.to_string();
        let labels = [("method", method), ("route", route), ("status", status.as_str())];
        self.0.requests.get_or_create(&labels.map(|(name, value)| (name, value.to_owned())).to_vec()).inc();
        self.0.request_seconds.get_or_create(&vec![("route", route.to_owned())]).observe(seconds(took.passed()));
    }

    /// A configured webhook was asked; `outcome` is accepted, refused or dropped.
    pub fn webhook(&self, id: &str, outcome: &'static str) {
        self.0.webhooks.get_or_create(&vec![("webhook", id.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// A provider's request had a wrong signature.
    pub fn forged(&self, channel: &'static str) {
        self.0.forged.get_or_create(&vec![("channel", channel.to_owned())]).inc();
    }

    /// A message of this integration was not taken.
    pub fn hook_refused(&self, integration: &str, why: &'static str) {
        self.0.hooks_refused.get_or_create(&vec![("integration", integration.to_owned()), ("why", why.to_owned())]).inc();
    }

    /// A worker panicked and starts again.
    pub fn restart(&self, worker: &'static str) {
        self.0.restarts.get_or_create(&vec![("worker", worker.to_owned())]).inc();
    }

    /// A rule took so many signals.
    pub fn routed(&self, rule: &str, signals: u64) {
        self.0.routed.get_or_create(&vec![("rule", rule.to_owned())]).inc_by(signals);
    }

    /// So many alerts joined an incident for this reason.
    pub fn folded(&self, reason: String, alerts: u64) {
        self.0.folds.get_or_create(&vec![("reason", reason)]).inc_by(alerts);
    }

    /// An incident went into another one, or came out of it.
    pub fn regrouped(&self, reason: String) {
        self.0.regroups.get_or_create(&vec![("reason", reason)]).inc();
    }

    /// So many signals called nobody, or ended nothing, because of this.
    pub fn held(&self, by: &'static str, signals: u64) {
        self.0.held.get_or_create(&vec![("reason", by.to_owned())]).inc_by(signals);
    }

    /// A sender's body was encoded like this; `outcome` is `decoded`, `too_large`, `broken` or `unknown`.
    pub fn encoded(&self, coding: &'static str, outcome: &'static str) {
        self.0.encoded.get_or_create(&vec![("coding", coding.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// So many signals of an integration over its budget were counted on others.
    pub fn sampled(&self, integration: &str, signals: u64) {
        self.0.sampled.get_or_create(&vec![("integration", integration.to_owned())]).inc_by(signals);
    }

    /// So many signals were beyond the new alerts that are kept of an integration.
    pub fn overflowed(&self, integration: &str, signals: u64) {
        self.0.overflowed.get_or_create(&vec![("integration", integration.to_owned())]).inc_by(signals);
    }

    /// So many connections are open.
    pub fn connections(&self, open: usize) {
        self.0.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// A connection that only waited was closed for another.
    pub fn connection_given_up(&self) {
        self.0.given_up.inc();
    }

    /// So many alerts made a quiet incident wake people: `new` or `rising`.
    pub fn raised(&self, reason: &'static str, alerts: i64) {
        self.0.raised.get_or_create(&vec![("reason", reason.to_owned())]).inc_by(u64::try_from(alerts).unwrap_or(0));
    }

    /// Rows were thrown away.
    pub fn forgotten(&self, what: &'static str, rows: u64) {
        self.0.forgotten.get_or_create(&vec![("what", what.to_owned())]).inc_by(rows);
    }

    /// All of them, as `OpenMetrics` text without its end mark.
    ///
    /// # Errors
    /// Never: a text takes what is written to it.
    pub fn write(&self, text: &mut String) -> fmt::Result {
        encode_registry(text, &self.0.registry)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
