//! PagerDuty's events, versions 1 and 2, as hundreds of tools send them already.
//!
//! The key is in the body, so that the reading has two steps: an [`Envelope`] names its key, and is then read for the integration that
//! the key opens. Words and shapes after PagerDuty's Events API v2 and v1 (<https://developer.pagerduty.com/docs/events-api-v2-overview>).
//!
//! | version 2 | version 1 | |
//! |---|---|---|
//! | `routing_key` | `service_key` | the integration's key |
//! | `event_action` | `event_type` | `trigger`, `acknowledge`, `resolve` |
//! | `dedup_key` | `incident_key` | names the alert; a trigger without one gets one, which is in the answer |
//! | `payload.summary` | `description` | the title |
//! | `payload.severity` | | without it the integration's |
//! | `client_url`, else the first of `links` | `client_url`, else the first link of `contexts` | the alert's link |
//! | `payload.source component group class custom_details`, `client`, `client_url`, `links`, `images` | `client`, `client_url`, `details`, `contexts` | labels |

use serde_json::{Map, Value};

use super::reading::{self, Labels};
use super::{Source, unreadable};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::base::time::Time;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct PagerDuty;

/// Which of PagerDuty's doors a body came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `/v2/enqueue`
    Events,
    /// `/v2/change/enqueue`: what was changed, for the record; it wakes nobody.
    Changes,
    /// `/generic/2010-04-15/create_event.json`
    Version1,
}

/// A body that is an object; what it says is not looked at yet.
pub struct Envelope {
    api: Api,
    body: Map<String, Value>,
    /// What a trigger without a key of its own is called, the same for every reading of this one request.
    generated: String,
    header_key: Option<String>,
}

/// What one event says.
#[derive(Debug)]
pub struct Event {
    pub signal: Signal,
    /// As it came, or as it was made; it is in the answer.
    pub dedup_key: Option<String>,
    /// What PagerDuty refuses it for, although it says all that is needed.
    pub wrong: Vec<String>,
}

/// Longest key of an alert, characters.
const DEDUP_KEY_CHARS: usize = 255;

const GUIDE: &str = "\
Wherever something sends to PagerDuty’s Events API:

- in place of `https://events.pagerduty.com` put `{server}`,
- in place of the routing key (or integration key) put `{key}`.

In Alertmanager’s configuration:

```yaml
receivers:
  - name: reveille
    pagerduty_configs:
      - url: {server}/v2/enqueue
        routing_key: {key}
```

Some senders take only 32 hexadecimal digits for a key; `openssl rand -hex 16` makes such a one.

Both versions are understood: `{server}/v2/enqueue`, and `{server}/generic/2010-04-15/create_event.json` with the key as
`service_key`. Changes go to `{server}/v2/change/enqueue`.
";

impl Source for PagerDuty {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn title(&self) -> &'static str {
        "A PagerDuty client"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        let envelope = Envelope::open(Api::Events, inbound)?;
        // At this address both versions arrive, and changes, which alone have a summary and nothing that an event needs.
        let has = |name: &str| envelope.body.contains_key(name);
        let payload = reading::object(&envelope.body, "payload");
        let is_change = payload.is_some_and(|payload| payload.contains_key("summary") && !payload.contains_key("severity"));
        let api = match (has("event_action"), has("event_type")) {
            (true, _) => Api::Events,
            (false, true) => Api::Version1,
            (false, false) if is_change && !has("dedup_key") => Api::Changes,
            (false, false) => Api::Events,
        };
        let event = Envelope { api, ..envelope }.read(integration).map_err(|wrong| wrong.join(", "))?;
        Ok(vec![event.signal])
    }
}

/// What stands for an event that was refused: its sender has the right key, and may be the only one who knows of a fire.
#[must_use]
pub fn invalid(integration: &Integration, wrong: &[String]) -> Signal {
    unreadable(integration, PagerDuty.title(), &wrong.join(", "))
}

/// The integration's key in the header `X-Routing-Key`, which version 1 does not know.
#[must_use]
pub fn header_key(api: Api, inbound: &Inbound) -> Option<&str> {
    match api {
        Api::Events | Api::Changes => inbound.header("x-routing-key"),
        Api::Version1 => None,
    }
}

impl Envelope {
    /// # Errors
    /// A sentence that says why the body is no object of JSON.
    pub fn open(api: Api, inbound: &Inbound) -> Result<Self, String> {
        let body = reading::json_object(&inbound.body)?;
        // Equal bodies are two events: the instant tells them apart.
        let generated = digest_hex(format!("{} {}", inbound.received_at.0, digest_hex(&inbound.body)).as_bytes())[..32].to_owned();
        Ok(Self { api, body, generated, header_key: header_key(api, inbound).map(str::to_owned) })
    }

    /// The integration's key, from the body or (version 2) from the header `X-Routing-Key`.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        match self.api {
            Api::Events | Api::Changes => reading::scalar(self.body.get("routing_key")).or_else(|| self.header_key.clone()),
            Api::Version1 => reading::scalar(self.body.get("service_key")),
        }
    }

    /// The name of the field that holds the key.
    #[must_use]
    pub const fn key_field(&self) -> &'static str {
        match self.api {
            Api::Events | Api::Changes => "routing_key",
            Api::Version1 => "service_key",
        }
    }

    /// # Errors
    /// What is wrong with the event, in PagerDuty's words, one sentence each.
    pub fn read(&self, integration: &Integration) -> Result<Event, Vec<String>> {
        match self.api {
            Api::Events => self.event(integration),
            Api::Changes => self.change(integration),
            Api::Version1 => self.old_event(integration),
        }
    }

    fn event(&self, integration: &Integration) -> Result<Event, Vec<String>> {
        let mut wrong = Vec::new();
        let action = self.action("event_action", &mut wrong);
        let given = reading::scalar(self.body.get("dedup_key"));
        if action.as_ref() != Some(&Action::Trigger) {
            if given.is_none() && action.is_some() {
                wrong.push("'dedup_key' is missing or blank".to_owned());
            }
            return self.short(integration, action, given, wrong);
        }
        let empty = Map::new();
        let payload = reading::object(&self.body, "payload").unwrap_or(&empty);
        if payload.is_empty() {
            wrong.push("'payload' is missing or blank".to_owned());
        }
        let title = required(payload, "summary", "payload.summary", &mut wrong);
        required(payload, "source", "payload.source", &mut wrong);
        let severity = required(payload, "severity", "payload.severity", &mut wrong).and_then(|text| {
            let severity = AlertSeverity::parse(&text.trim().to_ascii_lowercase());
            if severity.is_none() {
                let words = "'critical', 'warning', 'error' or 'info'";
                wrong.push(format!("'payload.severity' is invalid (must be one of the following: {words})"));
            }
            severity
        });
        let mut labels = Labels::default();
        for name in ["source", "component", "group", "class"] {
            labels.put_scalar(name, payload.get(name));
        }
        self.client(&mut labels);
        let link = links(self.body.get("links"), "link", &mut labels);
        links(self.body.get("images"), "image", &mut labels);
        details(payload.get("custom_details"), &mut labels);
        self.trigger(integration, given, title, severity, time(payload.get("timestamp")), link, labels, wrong)
    }

    fn old_event(&self, integration: &Integration) -> Result<Event, Vec<String>> {
        let mut wrong = Vec::new();
        let action = self.action("event_type", &mut wrong);
        let given = reading::scalar(self.body.get("incident_key"));
        if action.as_ref() != Some(&Action::Trigger) {
            if given.is_none() && action.is_some() {
                wrong.push("'incident_key' is missing or blank".to_owned());
            }
            return self.short(integration, action, given, wrong);
        }
        let title = required(&self.body, "description", "description", &mut wrong);
        let mut labels = Labels::default();
        self.client(&mut labels);
        let contexts = self.body.get("contexts").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let of = |kind: &str| -> Value { contexts.iter().filter(|context| context["type"] == kind).cloned().collect() };
        let link = links(Some(&of("link")), "link", &mut labels);
        links(Some(&of("image")), "image", &mut labels);
        details(self.body.get("details"), &mut labels);
        self.trigger(integration, given, title, None, None, link, labels, wrong)
    }

    fn change(&self, integration: &Integration) -> Result<Event, Vec<String>> {
        let mut wrong = Vec::new();
        let empty = Map::new();
        let payload = reading::object(&self.body, "payload").unwrap_or(&empty);
        let Some(summary) = required(payload, "summary", "payload.summary", &mut wrong) else { return Err(wrong) };
        let what = reading::line(&format!("a change: {summary}"), limits::TITLE_CHARS);
        let mut labels = Labels::default();
        labels.put_scalar("source", payload.get("source"));
        let url = links(self.body.get("links"), "link", &mut labels);
        links(self.body.get("images"), "image", &mut labels);
        details(payload.get("custom_details"), &mut labels);
        let signal = Signal {
            ends_at: None,
            integration: integration.id.clone(),
            dedup_key: self.generated.clone(),
            title: what.clone(),
            severity: None,
            action: Action::Change(what),
            at: time(payload.get("timestamp")),
            url,
            labels: labels.done(),
        };
        Ok(Event { signal, dedup_key: None, wrong: Vec::new() })
    }

    /// Who says it, and where it is seen there.
    fn client(&self, labels: &mut Labels) {
        labels.put_scalar("client", self.body.get("client"));
        if let Some(url) = reading::scalar(self.body.get("client_url")).and_then(|url| reading::url(&url)) {
            labels.put("client_url", &url);
        }
    }

    /// The name of the field that names the alert.
    const fn alert_field(&self) -> &'static str {
        match self.api {
            Api::Events | Api::Changes => "dedup_key",
            Api::Version1 => "incident_key",
        }
    }

    fn too_long(&self, key: &str) -> Vec<String> {
        let is_long = key.chars().count() > DEDUP_KEY_CHARS;
        is_long.then(|| format!("'{}' is too long (maximum is {DEDUP_KEY_CHARS} characters)", self.alert_field())).into_iter().collect()
    }

    fn action(&self, field: &str, wrong: &mut Vec<String>) -> Option<Action> {
        let text = required(&self.body, field, field, wrong)?;
        match text.trim() {
            "trigger" => Some(Action::Trigger),
            "acknowledge" => Some(Action::Acknowledge),
            "resolve" => Some(Action::Resolve),
            _ => {
                wrong.push(format!("'{field}' is invalid (must be one of the following: 'trigger', 'acknowledge' or 'resolve')"));
                None
            }
        }
    }

    /// An acknowledge or a resolve: the key alone says what it is about.
    fn short(
        &self,
        integration: &Integration,
        action: Option<Action>,
        given: Option<String>,
        wrong: Vec<String>,
    ) -> Result<Event, Vec<String>> {
        let (Some(action), Some(given), true) = (action, given, wrong.is_empty()) else { return Err(wrong) };
        let signal = Signal {
            ends_at: None,
            integration: integration.id.clone(),
            dedup_key: reading::key(&given),
            title: title(&given),
            severity: None,
            action,
            // Neither has a time of its own.
            at: None,
            url: None,
            labels: Labels::default().done(),
        };
        Ok(Event { signal, wrong: self.too_long(&given), dedup_key: Some(given) })
    }

    #[expect(clippy::too_many_arguments, reason = "the two versions name the same eight things differently")]
    fn trigger(
        &self,
        integration: &Integration,
        given: Option<String>,
        summary: Option<String>,
        severity: Option<AlertSeverity>,
        at: Option<Time>,
        link: Option<String>,
        labels: Labels,
        wrong: Vec<String>,
    ) -> Result<Event, Vec<String>> {
        let (Some(summary), true) = (summary, wrong.is_empty()) else { return Err(wrong) };
        let dedup_key = given.unwrap_or_else(|| self.generated.clone());
        let client = reading::scalar(self.body.get("client_url")).and_then(|url| reading::url(&url));
        let signal = Signal {
            ends_at: None,
            integration: integration.id.clone(),
            dedup_key: reading::key(&dedup_key),
            title: title(&summary),
            severity,
            action: Action::Trigger,
            at,
            url: client.or(link),
            labels: labels.done(),
        };
        Ok(Event { signal, wrong: self.too_long(&dedup_key), dedup_key: Some(dedup_key) })
    }
}

fn required(object: &Map<String, Value>, name: &str, shown: &str, wrong: &mut Vec<String>) -> Option<String> {
    let text = reading::scalar(object.get(name));
    if text.is_none() {
        wrong.push(format!("'{shown}' is missing or blank"));
    }
    text
}

fn title(text: &str) -> String {
    let title = reading::line(text, limits::TITLE_CHARS);
    // A title of control characters alone is no title.
    if title.is_empty() { "An alert without a title".to_owned() } else { title }
}

fn time(value: Option<&Value>) -> Option<Time> {
    reading::rfc3339(&reading::scalar(value)?)
}

/// Links and images become labels that say what they show; the first that a page may show is returned.
fn links(value: Option<&Value>, kind: &str, labels: &mut Labels) -> Option<String> {
    let mut first = None;
    for (n, entry) in (1..).zip(value.and_then(Value::as_array).into_iter().flatten()) {
        let text = |name: &str| reading::scalar(entry.get(name));
        let (best, other) = if kind == "image" { ("src", "href") } else { ("href", "src") };
        let Some(url) = text(best).or_else(|| text(other)).and_then(|url| reading::url(&url)) else { continue };
        let number = if n == 1 { String::new() } else { format!(" {n}") };
        let shows = text("text").or_else(|| text("alt")).map(|shows| format!(": {shows}")).unwrap_or_default();
        labels.put(&format!("{kind}{number}{shows}"), &url);
        first.get_or_insert(url);
    }
    first
}

/// Each detail is a label of its own name; what is nested stays JSON.
fn details(value: Option<&Value>, labels: &mut Labels) {
    match value {
        Some(Value::Object(details)) => {
            for (name, value) in details {
                match reading::scalar(Some(value)) {
                    Some(text) => labels.put(name, &text),
                    None if value.is_array() || value.is_object() => labels.put(name, &value.to_string()),
                    None => {}
                }
            }
        }
        Some(Value::Null) | None => {}
        Some(other) => labels.put("details", &reading::scalar(Some(other)).unwrap_or_else(|| other.to_string())),
    }
}
