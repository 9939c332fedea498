//! Reveille's own small JSON, for scripts and for senders that let their users write the body.
//!
//! ```json
//! {
//!   "dedup_key": "db-3 disk",
//!   "title": "Disk of db-3 is 97% full",
//!   "severity": "critical",
//!   "state": "firing",
//!   "url": "https://grafana.example.com/d/disks",
//!   "at": "2026-01-05T03:00:00Z",
//!   "labels": { "host": "db-3", "mount": "/var" }
//! }
//! ```
//!
//! | field | |
//! |---|---|
//! | `dedup_key` | names the condition; equal keys are one alert. Without it the title is the key |
//! | `title` | one line for people. Without it the key is the title; one of the two must be there |
//! | `severity` | `critical`, `error`, `warning` or `info`; without it, the integration's |
//! | `state` | `firing` (the default), `resolved`, or `changed`: something was changed on purpose, which wakes nobody |
//! | `url` | where to look, http or https |
//! | `at` | when it happened, RFC 3339; an older message that comes late then changes nothing |
//! | `labels` | an object of texts, numbers and truth values |
//!
//! A message may be named in a header `Webhook-Id`: sent again with the same one, it is answered as the first time and counts once.
//!
//! A list of such objects is a batch, at most 1,000 of them. A field with a value that is not understood never loses the alert: it
//! counts as absent, and the value is kept as a label, `severity_as_sent` and the like.

use serde_json::{Map, Value};

use super::reading::{self, Labels};
use super::{Source, mapping, readable, unreadable};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Generic;

const GUIDE: &str = r#"Post JSON from scripts and from cron:

```sh
curl -fsS '{url}' --json '{"dedup_key":"backup","title":"The backup failed"}'
```

The same key with `"state":"resolved"` ends it:

```sh
curl -fsS '{url}' --json '{"dedup_key":"backup","state":"resolved"}'
```

A deploy, a flag, whatever is changed on purpose, wakes nobody and is shown with the incidents that follow it:

```sh
curl -fsS '{url}' --json '{"title":"shop 4.2 is out","state":"changed"}'
```

monit runs a command when something is wrong, and another when it is over:

```
check process shop with pidfile /run/shop.pid
  if not exist then exec "/usr/bin/reveille send 'The shop is down' --dedup-key shop --hook {url}"
  else if succeeded then exec "/usr/bin/reveille send --dedup-key shop --state resolved --hook {url}"
```

`severity` may be `critical`, `error`, `warning` or `info`; without it the integration’s own counts. `url`, `labels` (an object) and
`at` (RFC 3339) may be there besides. A list of such objects is a batch.

`reveille send` does so from any shell. A sender with a JSON of its own is mapped in the configuration, each field by a JSON pointer
or a template:

```toml
[integration.map]
dedup_key = "/alert/id"
title     = "{{ alert.name }} on {{ alert.host }}"
severity  = "/alert/priority"
severities = { P1 = "critical", P2 = "error" }
resolved_when = 'alert.status == "ok"'
```

`reveille route body.json --source generic` shows what becomes of a body, and sends nothing.
"#;

impl Source for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }

    fn title(&self) -> &'static str {
        "The sender"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    /// As the Standard Webhooks specification (standardwebhooks.com) names a message, each time that it is sent.
    fn delivery(&self, inbound: &Inbound) -> Option<String> {
        inbound.header("webhook-id").map(str::to_owned)
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        let entries = match (&integration.map, reading::json_whole(&inbound.body)?) {
            (Some(map), body) => mapping::entries(map, &body)?,
            (None, Value::Array(entries)) => entries.into_iter().map(Ok).collect(),
            (None, entry) => vec![Ok(entry)],
        };
        match entries.len() {
            0 => Err("it is an empty list".to_owned()),
            of if of > limits::BATCH_ENTRIES => Err(format!("it lists {of} alerts, {} is the limit", limits::BATCH_ENTRIES)),
            _ => batch(self, entries.into_iter().map(|entry| signal(&entry?, integration)), integration),
        }
    }
}

/// What a script sends in one body. Of a single entry nothing else is said than what is wrong with it.
pub(super) fn batch(
    source: &dyn Source,
    entries: impl ExactSizeIterator<Item = Result<Signal, String>>,
    integration: &Integration,
) -> Result<Vec<Signal>, String> {
    if entries.len() == 1 {
        return entries.collect();
    }
    let (mut signals, wrong) = readable(entries);
    signals.extend(wrong.map(|why| unreadable(integration, source.title(), &why)));
    Ok(signals)
}

pub(super) fn signal(entry: &Value, integration: &Integration) -> Result<Signal, String> {
    let entry = reading::as_object(entry)?;
    let (key, title) = match (reading::scalar(entry.get("dedup_key")), reading::scalar(entry.get("title"))) {
        (Some(key), Some(title)) => (key, title),
        (Some(only), None) | (None, Some(only)) => (only.clone(), only),
        (None, None) => return Err("it has neither a title nor a dedup_key".to_owned()),
    };
    let title = reading::line(&title, limits::TITLE_CHARS);
    let mut labels = Labels::default();
    // Ours first: a sender with many labels must not push out what explains the alert.
    let (severity, action) = (severity(entry, &mut labels), action(entry, &mut labels));
    let (at, url) = (at(entry, &mut labels), url(entry, &mut labels));
    if let Some(given) = entry.get("labels") {
        given_labels(given, &mut labels);
    }
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key),
        // A title of control characters alone is no title.
        title: if title.is_empty() { "An alert without a title".to_owned() } else { title },
        severity,
        action,
        at,
        ends_at: None,
        url,
        labels: labels.done(),
    })
}

fn severity(entry: &Map<String, Value>, labels: &mut Labels) -> Option<AlertSeverity> {
    understood(entry, "severity", labels, |text| AlertSeverity::parse(&text.to_ascii_lowercase()))
}

fn action(entry: &Map<String, Value>, labels: &mut Labels) -> Action {
    let said = understood(entry, "state", labels, |text| match text.to_ascii_lowercase().as_str() {
        "firing" => Some(Action::Trigger),
        "resolved" => Some(Action::Resolve),
        "changed" => Some(Action::Change("something was changed".to_owned())),
        _ => None,
    });
    said.unwrap_or(Action::Trigger)
}

fn at(entry: &Map<String, Value>, labels: &mut Labels) -> Option<Time> {
    understood(entry, "at", labels, reading::rfc3339)
}

fn url(entry: &Map<String, Value>, labels: &mut Labels) -> Option<String> {
    understood(entry, "url", labels, reading::url)
}

/// The field's value, or `None` and a label that keeps what was sent instead.
fn understood<T>(entry: &Map<String, Value>, name: &str, labels: &mut Labels, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    let sent = entry.get(name).filter(|value| !value.is_null())?;
    let text = reading::scalar(Some(sent)).unwrap_or_else(|| reading::shape(sent).to_owned());
    let value = parse(text.trim());
    if value.is_none() {
        labels.put(&format!("{name}_as_sent"), &text);
    }
    value
}

fn given_labels(given: &Value, labels: &mut Labels) {
    let Some(given) = given.as_object() else {
        if !given.is_null() {
            labels.put("labels_as_sent", reading::shape(given));
        }
        return;
    };
    for (name, value) in given {
        match reading::scalar(Some(value)) {
            Some(text) => labels.put(name, &text),
            None if value.is_array() || value.is_object() => labels.put(name, &value.to_string()),
            None => {}
        }
    }
}
