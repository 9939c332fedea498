//! Riemann's events as its own JSON: one event of one service on one host. Host and service together are the key, as in Riemann's index.
//!
//! `ok` is over, `warning` and `critical` are its words for how bad it is; `expired` means that nothing was heard within the event's
//! `ttl`. Any other state is one of its user's own, and fires. Nothing is signed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Source;
use super::reading::{self, Labels, Named};
use crate::base::inbound::Inbound;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Riemann;

const GUIDE: &str = r#"Send the events whose state changed, from `riemann.config`:

```clojure
(require '[clj-http.client :as client])
(require '[cheshire.core :as json])

(defn reveille [event]
  (client/post "{url}"
    {:content-type :json :socket-timeout 5000 :conn-timeout 5000
     :body (json/generate-string
             (select-keys event [:host :service :state :description :metric :tags :time :ttl]))}))

(streams
  (changed-state {:init "ok"}
    (async-queue! :reveille {:queue-size 10000 :core-pool-size 1 :max-pool-size 4}
      reveille)))
```

The queue keeps Riemann going while Reveille is away. `warning` and `critical` say how urgent it is; `ok` ends it.
"#;

impl Source for Riemann {
    fn name(&self) -> &'static str {
        "riemann"
    }

    fn title(&self) -> &'static str {
        "Riemann"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&Named::read(inbound)?, integration)?])
    }
}

fn signal(fields: &Named, integration: &Integration) -> Result<Signal, String> {
    let state = fields.line(&["state"]).ok_or("it has no state")?.to_lowercase();
    let (host, service) = (fields.line(&["host"]), fields.line(&["service"]));
    let (key, about) = match (fields.text(&["host"]), fields.text(&["service"])) {
        (Some(host), Some(service)) => (format!("{host} {service}"), None),
        (Some(only), None) | (None, Some(only)) => (only.clone(), Some(only)),
        (None, None) => return Err("it has neither a host nor a service".to_owned()),
    };
    let about = about.unwrap_or_else(|| format!("{} on {}", service.unwrap_or_default(), host.unwrap_or_default()));
    let why = fields.line(&["description"]).map(|why| format!(": {why}")).unwrap_or_default();
    Ok(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key),
        title: reading::title(&about, &format!("is {state}{why}")),
        severity: severity(&state),
        action: if state == "ok" { Action::Resolve } else { Action::Trigger },
        at: at(fields.get("time")),
        ends_at: None,
        url: fields.text(&["url"]).and_then(|url| reading::url(&url)),
        labels: labels(&state, fields),
    })
}

fn severity(state: &str) -> Option<AlertSeverity> {
    match state {
        "critical" => Some(AlertSeverity::Critical),
        "warning" => Some(AlertSeverity::Warning),
        _ => None,
    }
}

/// Seconds, as Riemann keeps it, or what a library for JSON made of it.
fn at(time: Option<&Value>) -> Option<Time> {
    let seconds = reading::seconds(time).map(Time::from_seconds);
    seconds.or_else(|| reading::rfc3339(time?.as_str()?))
}

fn labels(state: &str, fields: &Named) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    labels.put("state", state);
    for name in ["host", "service", "description", "metric", "environment"] {
        labels.put_scalar(name, fields.get(name));
    }
    let tags = fields.get("tags").and_then(Value::as_array).into_iter().flatten();
    labels.put("tags", &tags.filter_map(|tag| reading::scalar(Some(tag))).collect::<Vec<_>>().join(","));
    labels.done()
}
