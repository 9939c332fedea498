//! Alertmanager's API version 2, as Prometheus and amtool speak it to an Alertmanager: a list of alerts, each sent again until it ends.
//!
//! Names and rules after Alertmanager's published description (`api/v2/openapi.yaml`) and what its own handler does with a body:
//! labels without a value are none; no `startsAt` is now; no `endsAt` is its `resolve_timeout` from now; an `endsAt` that has passed
//! resolves; an alert needs a label and must not end before it starts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::alertmanager::{severity, title};
use super::reading::{self, Labels};
use super::{Source, readable, unreadable};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::input::{Action, Signal};
use crate::domain::setup::Integration;

pub struct AlertmanagerApi;

/// As it stands in the configuration.
pub const NAME: &str = "alertmanager_api";

/// What an annotation is called among an alert's labels: `annotation:summary`.
pub const ANNOTATION: &str = "annotation:";

/// Alertmanager's `resolve_timeout` as it comes: an alert without an end that is not sent again is over then.
const RESOLVE_TIMEOUT: Span = Span::minutes(5);

const GUIDE: &str = "\
In `prometheus.yml`, put Reveille where an Alertmanager would stand:

```yaml
alerting:
  alertmanagers:
    - scheme: https
      authorization:
        credentials: '{key}'
      static_configs:
        - targets: ['reveille.example.com:443']
```

The target is the host and port of `{server}`, the scheme its `http` or `https`; reload Prometheus when they are
right. In place of `authorization`, `basic_auth` does as well: any `username`, and the key as the `password`.

For amtool, and as the address of Grafana’s Alertmanager data source (implementation Prometheus, basic auth):

```sh
amtool --alertmanager.url={server} --http.config.file=reveille.yml alert query
```

where `reveille.yml` says

```yaml
authorization:
  credentials: '{key}'
```

The label `severity` decides how urgent an alert is: `critical`, `error`, `warning` or `info`.
";

impl Source for AlertmanagerApi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "Prometheus"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(batch(inbound, integration).0)
    }

    fn body_cap(&self) -> usize {
        limits::GROUP_BODY_BYTES
    }
}

/// What can be read of a body, and a sentence for what cannot. A signal of its own tells of the latter, last, so that what was read does
/// not resolve it at once.
#[must_use]
pub fn batch(inbound: &Inbound, integration: &Integration) -> (Vec<Signal>, Option<String>) {
    let (mut signals, wrong) = alerts(inbound, integration).unwrap_or_else(|why| (Vec::new(), Some(why)));
    signals.extend(wrong.as_deref().map(|why| unreadable(integration, AlertmanagerApi.title(), why)));
    (signals, wrong)
}

fn alerts(inbound: &Inbound, integration: &Integration) -> Result<(Vec<Signal>, Option<String>), String> {
    let body = reading::json_list(&inbound.body)?;
    let alerts = body.as_array().ok_or_else(|| format!("it is {}, not a list of alerts", reading::shape(&body)))?;
    if alerts.is_empty() {
        return Ok((vec![empty(integration)], None));
    }
    Ok(readable(alerts.iter().map(|alert| signal(alert, inbound.received_at, integration))))
}

fn signal(alert: &Value, now: Time, integration: &Integration) -> Result<Signal, String> {
    let alert = reading::as_object(alert)?;
    let labels = texts(alert, "labels")?;
    if labels.is_empty() {
        return Err("it has no label with a value".to_owned());
    }
    let annotations = texts(alert, "annotations")?;
    let starts_at = time(alert, "startsAt")?;
    let ends_at = time(alert, "endsAt")?;
    if let (Some(starts_at), Some(ends_at)) = (starts_at, ends_at)
        && ends_at < starts_at
    {
        return Err("it ends before it starts".to_owned());
    }
    let is_over = ends_at.is_some_and(|ends_at| ends_at <= now);
    let (label_values, annotation_values) = (values(&labels), values(&annotations));
    let mut kept = Labels::default();
    for (name, value) in &labels {
        kept.put(name, value);
    }
    for (name, value) in &annotations {
        kept.put(&format!("{ANNOTATION}{name}"), value);
    }
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: fingerprint(&labels),
        title: title(&label_values, &annotation_values),
        severity: severity(&label_values),
        action: if is_over { Action::Resolve } else { Action::Trigger },
        // For a resolve too: older stretches are then stale, and within one the order of arrival counts. Its `endsAt` would make what
        // the second Prometheus of a pair still sees look older than the first one's resolve, and nobody would hear of it.
        at: starts_at,
        ends_at: (!is_over).then(|| ends_at.unwrap_or(now + RESOLVE_TIMEOUT)),
        url: alert.get("generatorURL").and_then(Value::as_str).and_then(reading::url),
        labels: kept.done(),
    })
}

/// What Prometheus and Alertmanager know an alert by: FNV-1a of 64 bits over its labels by name, each name and value followed by the byte
/// 255, as sixteen hexadecimal digits (`labelSetToFingerprint` and `Fingerprint.String` of `github.com/prometheus/common/model`).
#[must_use]
pub fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let mut sum = OFFSET;
    for (name, value) in labels {
        for byte in name.bytes().chain([255]).chain(value.bytes()).chain([255]) {
            sum = (sum ^ u64::from(byte)).wrapping_mul(PRIME);
        }
    }
    format!("{sum:016x}")
}

/// A set of labels: names and texts. What has no value is not there.
fn texts(alert: &Map<String, Value>, field: &str) -> Result<BTreeMap<String, String>, String> {
    let set = match alert.get(field) {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Object(set)) => set,
        Some(other) => return Err(format!("its {field} are {}, not an object", reading::shape(other))),
    };
    let mut texts = BTreeMap::new();
    for (name, value) in set {
        match value {
            Value::String(text) if text.is_empty() => {}
            Value::String(text) if !name.is_empty() => {
                texts.insert(name.clone(), text.clone());
            }
            Value::String(_) => return Err(format!("one of its {field} has no name")),
            other => return Err(format!("one of its {field} is {}, not a text", reading::shape(other))),
        }
    }
    Ok(texts)
}

fn values(texts: &BTreeMap<String, String>) -> Map<String, Value> {
    texts.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))).collect()
}

/// The zero time, year 1, is what Go's clients write for none.
fn time(alert: &Map<String, Value>, field: &str) -> Result<Option<Time>, String> {
    match alert.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() || text.starts_with("0001-01-01T") => Ok(None),
        Some(Value::String(text)) => {
            reading::rfc3339(text).map(Some).ok_or_else(|| format!("its {field} is no time as RFC 3339 writes it"))
        }
        Some(other) => Err(format!("its {field} is {}, not a time", reading::shape(other))),
    }
}

/// It names no alert, so nothing began and nothing ended.
fn empty(integration: &Integration) -> Signal {
    Signal {
        integration: integration.id.clone(),
        dedup_key: "alertmanager_api:empty".to_owned(),
        title: "Prometheus sent a list without alerts".to_owned(),
        severity: None,
        action: Action::Ignore("a list without alerts".to_owned()),
        at: None,
        ends_at: None,
        url: None,
        labels: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_the_one_that_alertmanager_gives() {
        let of =
            |labels: &[(&str, &str)]| fingerprint(&labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        // The sum of nothing is FNV's offset; the others were read off a real Alertmanager's `GET /api/v2/alerts`.
        assert_eq!(of(&[]), "cbf29ce484222325");
        assert_eq!(of(&[("alertname", "DiskFull"), ("instance", "db2")]), "3534ae6a3b587501");
        assert_eq!(of(&[("severity", "critical"), ("instance", "db1"), ("alertname", "DiskFull")]), "e94c744ae3d44df8");
        let odd = [("alertname", "Größe"), ("instance", "db1:9100"), ("job", "node"), ("severity", "critical")];
        assert_eq!(of(&odd), "069ab34ab1f659f8");
    }
}
