//! Bytes to signals: pure and total. A source never fails: what it cannot read becomes a signal that says so.
//!
//! A new sender is one file here, one line in the list below, and a folder of fixtures.

mod digits;
mod excerpt;
mod field;
mod form;
mod json;
mod mapping;
mod notification;
pub mod proof;
mod reading;
pub mod sns;

use std::collections::BTreeMap;

pub use excerpt::excerpt;

use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::alert::UNREADABLE_KEY;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

/// A source is one line of the list: its file, and what in that file is the source.
///
/// rustfmt finds no modules in here, so `make fmt` names their files.
macro_rules! sources {
    ($($(#[$attribute:meta])* $visibility:vis $file:ident::$source:ident,)*) => {
        $($(#[$attribute])* $visibility mod $file;)*

        static REGISTRY: &[&dyn Source] = &[$(&$file::$source),*];
    };
}

sources! {
    airbrake::Airbrake,
    alertmanager::Alertmanager,
    pub alertmanager_api::AlertmanagerApi,
    azure::Azure,
    bugsnag::Bugsnag,
    checkly::Checkly,
    cloudevents::CloudEvents,
    cloudwatch::CloudWatch,
    datadog::Datadog,
    email::Email,
    generic::Generic,
    github::Github,
    google_cloud::GoogleCloud,
    grafana::Grafana,
    graylog::Graylog,
    healthchecks::Healthchecks,
    pub heartbeat::Heartbeat,
    honeybadger::Honeybadger,
    honeycomb::Honeycomb,
    icinga2::Icinga2,
    kibana::Kibana,
    nagios::Nagios,
    newrelic::NewRelic,
    pub opsgenie::Opsgenie,
    pub pagerduty::PagerDuty,
    pingdom::Pingdom,
    riemann::Riemann,
    rollbar::Rollbar,
    sentry::Sentry,
    pub splunk_oncall::SplunkOncall,
    statuscake::StatusCake,
    uptime_kuma::UptimeKuma,
    uptimerobot::UptimeRobot,
    vmware::Vmware,
    zabbix::Zabbix,
}

/// A kind of sender.
pub trait Source: Sync {
    /// As it stands in the URL and in the file.
    fn name(&self) -> &'static str;

    /// As people call it, at the start of a sentence.
    fn title(&self) -> &'static str;

    /// The signals of a request, one at least, or a sentence for what is wrong with its body.
    ///
    /// # Errors
    /// The sentence, such as "it has no id".
    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String>;

    /// At least one signal for any bytes whatsoever: what cannot be read is one that says so.
    fn read(&self, inbound: &Inbound, integration: &Integration) -> Vec<Signal> {
        self.signals(inbound, integration).unwrap_or_else(|why| vec![unreadable(integration, self.title(), &why)])
    }

    /// What to paste where, in Markdown without HTML: paragraphs, steps, blocks of code. `{url}` stands for the integration's address,
    /// `{server}` for Reveille's own and `{key}` for the integration's key.
    fn guide(&self) -> &'static str;

    /// How this sender signs its bodies, where it does.
    fn signature(&self) -> Option<Signature> {
        None
    }

    /// What names this delivery, the same each time the sender sends it again.
    fn delivery(&self, _inbound: &Inbound) -> Option<String> {
        None
    }

    /// Whether a GET with this query is a message of its own: it has one of its fields. A browser's or a link checker's has none.
    fn takes_get(&self, _query: &str) -> bool {
        false
    }

    /// Largest body taken, bytes.
    fn body_cap(&self) -> usize {
        limits::BODY_BYTES
    }
}

/// An HMAC-SHA256 of the raw body in hexadecimal digits, made with a secret that the sender and the integration share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// In lower case.
    pub header: &'static str,
    /// What stands before the digits: `sha256=`.
    pub prefix: &'static str,
    /// Where this header is sent, what is signed is its value, a colon and the body.
    pub timestamp: Option<&'static str>,
}

#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Source> {
    REGISTRY.iter().copied().find(|source| source.name() == name)
}

pub fn names() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|source| source.name())
}

/// Whether senders of this kind ask about their alerts, and know them by a small number.
#[must_use]
pub fn asks_back(name: &str) -> bool {
    name == opsgenie::NAME
}

/// What a body over the cap leaves behind, although it was refused: the sender may not send it again.
#[must_use]
pub fn oversized(integration: &Integration) -> Signal {
    let source = find(&integration.source);
    let cap = source.map_or(limits::BODY_BYTES, Source::body_cap);
    unreadable(integration, source.map_or("The sender", Source::title), &format!("it is over the limit of {cap} bytes"))
}

/// What a body leaves behind that came encoded and could not be decoded.
#[must_use]
pub fn undecodable(integration: &Integration, why: &str) -> Signal {
    unreadable(integration, find(&integration.source).map_or("The sender", Source::title), why)
}

/// What the pages send to see whether an integration works.
#[must_use]
pub fn test_signal(integration: &Integration) -> Signal {
    Signal {
        integration: integration.id.clone(),
        dedup_key: "reveille-test".to_owned(),
        title: "A test signal from the web pages".to_owned(),
        severity: None,
        action: Action::Ignore("it is a test signal, and wakes nobody".to_owned()),
        at: None,
        ends_at: None,
        url: None,
        labels: BTreeMap::new(),
    }
}

/// What stands in for signals that could not be decided and are kept aside: somebody must hear of them.
#[must_use]
pub fn set_aside(integration: &Integration, kept_as: &str) -> Signal {
    let source = find(&integration.source).map_or("The sender", Source::title);
    let title =
        format!("{source} sent what could not be decided and is kept aside as {kept_as}: look at the sender itself, and at the log");
    Signal { title: reading::line(&title, limits::TITLE_CHARS), ..unreadable(integration, source, "it could not be decided") }
}

/// The one signal by which an integration says that a body could not be read. Its key is Reveille's own: see [`reading::key`].
fn unreadable(integration: &Integration, title: &str, sentence: &str) -> Signal {
    Signal {
        integration: integration.id.clone(),
        dedup_key: UNREADABLE_KEY.to_owned(),
        title: reading::line(&format!("{title} sent a body that cannot be read: {sentence}"), limits::TITLE_CHARS),
        severity: None,
        action: Action::Unreadable(reading::line(sentence, limits::TITLE_CHARS)),
        at: None,
        ends_at: None,
        url: None,
        labels: BTreeMap::new(),
    }
}

/// Of the entries of one body whatever can be read, and a sentence for the rest. Who makes a signal of that puts it last, so that the
/// readable ones do not resolve it at once.
fn readable(entries: impl ExactSizeIterator<Item = Result<Signal, String>>) -> (Vec<Signal>, Option<String>) {
    let of = entries.len();
    let mut signals = Vec::with_capacity(of.min(limits::GROUP_ENTRIES) + 1);
    let (mut wrong, mut first) = (of.saturating_sub(limits::GROUP_ENTRIES), None);
    for (index, entry) in entries.take(limits::GROUP_ENTRIES).enumerate() {
        match entry {
            Ok(signal) => signals.push(signal),
            Err(why) => {
                wrong += 1;
                first.get_or_insert_with(|| format!("entry {}: {why}", index + 1));
            }
        }
    }
    let first = first.unwrap_or_else(|| format!("{} is the limit", limits::GROUP_ENTRIES));
    (signals, (wrong > 0).then(|| format!("{wrong} of its {of} alerts; {first}")))
}

#[cfg(test)]
mod tests;
