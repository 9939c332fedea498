//! `CloudEvents` 1.0 over HTTP: structured, binary and batched.
//!
//! `source` and `id` name the delivery, so they are never the key: that is the data's `dedup_key` or `fingerprint`, else `source`,
//! `type` and `subject`; where there is no subject, the data's own `id` or title stands in for it. The data is read as [`generic`] reads its own. The specification:
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::reading::{self, Labels};
use super::{Source, generic};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::domain::input::Signal;
use crate::domain::setup::Integration;

pub struct CloudEvents;

const GUIDE: &str = r#"Send to `{url}`, in any of the three ways of the HTTP binding: structured (`application/cloudevents+json`), batched
(`application/cloudevents-batch+json`), or binary, with the attributes in `ce-…` headers.

```sh
curl -fsS '{url}' -H 'content-type: application/cloudevents+json' -d '{"specversion":"1.0","id":"1","source":"/shop","type":"disk.full","subject":"db-1","data":{"title":"The disk of db-1 is full","severity":"critical"}}'
```

Equal `source`, `type` and `subject` are one alert, unless the data has a `dedup_key` or a `fingerprint`. Without a subject the data’s own
`id` stands in for it, else its `title` or `summary`, and what ends the alert has to have the same. The event’s `id` is new each time, so
it names the delivery only: the same `source` and `id` again is the same event, sent twice.

What ends an alert is its own event with `"state":"resolved"` in the data:

```sh
curl -fsS '{url}' -H 'content-type: application/cloudevents+json' -d '{"specversion":"1.0","id":"2","source":"/shop","type":"disk.full","subject":"db-1","data":{"state":"resolved"}}'
```

or one of the same name with `.resolved` after it: `disk.full.resolved` ends what `disk.full` and `disk.full.firing` began. The data may
have `title`, `severity`, `url`, `at` and `labels` besides, as with the source `generic`. `time` is when it happened, and orders them.
"#;

impl Source for CloudEvents {
    fn name(&self) -> &'static str {
        "cloudevents"
    }

    fn title(&self) -> &'static str {
        "The sender of CloudEvents"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    /// A batch has no name of its own.
    fn delivery(&self, inbound: &Inbound) -> Option<String> {
        let Ok(Sent::One(event)) = sent(inbound) else { return None };
        let part = |name: &str| reading::scalar(event.attributes.get(name));
        Some(reading::key(&format!("{} {}", part("source")?, part("id")?)))
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        match sent(inbound)? {
            Sent::One(event) => Ok(vec![signal(event, integration)?]),
            Sent::Batch(entries) if entries.is_empty() => Err("it is an empty batch".to_owned()),
            Sent::Batch(entries) if entries.len() > limits::BATCH_ENTRIES => {
                Err(format!("it has {} events, {} is the limit", entries.len(), limits::BATCH_ENTRIES))
            }
            Sent::Batch(entries) => {
                let read = |entry| structured(entry).and_then(|event| signal(event, integration));
                generic::batch(self, entries.into_iter().map(read), integration)
            }
        }
    }
}

/// A request as the binding reads it.
enum Sent {
    One(Event),
    Batch(Vec<Value>),
}

/// One event, its data apart from its attributes.
struct Event {
    attributes: Map<String, Value>,
    data: Value,
}

/// The content type decides, and where it is missing or plain JSON, what is there: headers or a version in the body.
fn sent(inbound: &Inbound) -> Result<Sent, String> {
    let content_type = inbound.header("content-type").unwrap_or_default().trim().to_ascii_lowercase();
    let is_binary = inbound.header("ce-specversion").is_some() || inbound.header("ce-type").is_some();
    if is_binary && !content_type.starts_with("application/cloudevents") {
        return Ok(Sent::One(binary(inbound, &content_type)));
    }
    match reading::json_whole(&inbound.body)? {
        Value::Array(entries) => Ok(Sent::Batch(entries)),
        body => structured(body).map(Sent::One),
    }
}

fn structured(event: Value) -> Result<Event, String> {
    let Value::Object(mut attributes) = event else {
        return Err(format!("it is {}, not an event", reading::shape(&event)));
    };
    if attributes.get("specversion").is_none_or(Value::is_null) && attributes.get("type").is_none_or(Value::is_null) {
        return Err("it is no CloudEvent: it has no specversion, and no ce- headers".to_owned());
    }
    let encoded = attributes.remove("data_base64");
    let data = attributes.remove("data").filter(|data| !data.is_null());
    let decoded = || {
        let bytes = base64::engine::general_purpose::STANDARD.decode(encoded?.as_str()?.trim()).ok()?;
        Some(of_bytes(&bytes))
    };
    let data = data.or_else(decoded).unwrap_or(Value::Null);
    Ok(Event { attributes, data })
}

fn binary(inbound: &Inbound, content_type: &str) -> Event {
    let mut attributes = Map::new();
    for (name, value) in &inbound.headers {
        if let Some(name) = name.strip_prefix("ce-") {
            attributes.entry(name).or_insert_with(|| Value::String(percent_decoded(value)));
        }
    }
    let data = if content_type.starts_with("text/") {
        Value::String(String::from_utf8_lossy(&inbound.body).into_owned())
    } else {
        of_bytes(&inbound.body)
    };
    Event { attributes, data }
}

/// The attributes say enough: data that is no JSON is left alone.
fn of_bytes(bytes: &[u8]) -> Value {
    reading::json(bytes).unwrap_or(Value::Null)
}

/// Headers have what is not ASCII as `%C3%A9`.
fn percent_decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            bytes.push(high * 16 + low);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The data in the words of [`generic`], filled up from the attributes where it says nothing.
fn signal(event: Event, integration: &Integration) -> Result<Signal, String> {
    let Event { attributes, data } = event;
    let attribute = |name: &str| reading::scalar(attributes.get(name));
    let (source, subject) = (attribute("source"), attribute("subject"));
    let (kind, state) = kind(attribute("type"));
    let empty = Map::new();
    let fields = data.as_object().unwrap_or(&empty);
    let field = |name: &str| reading::scalar(fields.get(name));

    let key = field("dedup_key").or_else(|| field("fingerprint")).or_else(|| {
        // One source may send events about a hundred things, and name them in the data alone.
        let thing = subject.clone().or_else(|| ["id", "title", "summary"].iter().find_map(|name| field(name)));
        let parts: Vec<&str> = [&source, &kind, &thing].into_iter().flatten().map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    });
    let key = key.ok_or("it has no type, no source and no dedup_key")?;
    let title = ["title", "summary", "message"].iter().find_map(|name| field(name)).or_else(|| reading::scalar(Some(&data)));
    let mut entry = Map::new();
    let mut put = |name: &str, value: Option<Value>| entry.extend(value.map(|value| (name.to_owned(), value)));
    put("dedup_key", Some(Value::String(key)));
    put("title", title.or_else(|| default_title(kind.as_deref(), source.as_deref(), subject.as_deref())).map(Value::String));
    put("severity", fields.get("severity").or_else(|| attributes.get("severitytext")).cloned());
    put("state", said_state(fields).or(state.map(Value::from)));
    put("url", fields.get("url").cloned());
    put("at", fields.get("at").or_else(|| attributes.get("time")).cloned());
    let signal = generic::signal(&Value::Object(entry), integration)?;
    let labels = labels(&attributes, fields, &signal);
    Ok(Signal { labels: labels.done(), ..signal })
}

/// The type without what it says of the state, and that.
fn kind(kind: Option<String>) -> (Option<String>, Option<&'static str>) {
    let Some(kind) = kind else { return (None, None) };
    let lower = kind.to_ascii_lowercase();
    let ends = [(".resolved", "resolved"), (".firing", "firing"), (".triggered", "firing")];
    match ends.iter().find(|(end, _)| lower.len() > end.len() && lower.ends_with(end)) {
        Some((end, state)) => (kind.get(..kind.len() - end.len()).map(str::to_owned), Some(state)),
        None => (Some(kind), None),
    }
}

/// Many have a `status` that is about something else; it counts only where it is one of our words.
fn said_state(fields: &Map<String, Value>) -> Option<Value> {
    let is_ours = |status: &&Value| {
        status.as_str().is_some_and(|status| ["firing", "resolved"].iter().any(|state| status.trim().eq_ignore_ascii_case(state)))
    };
    fields.get("state").filter(|state| !state.is_null()).or_else(|| fields.get("status").filter(is_ours)).cloned()
}

fn default_title(kind: Option<&str>, source: Option<&str>, subject: Option<&str>) -> Option<String> {
    let kind = kind.or(source)?;
    let of = subject.map(|subject| format!(": {subject}")).unwrap_or_default();
    let from = source.map(|source| format!(" ({source})")).unwrap_or_default();
    Some(format!("{kind}{of}{from}"))
}

/// The most telling first: there is room for so many.
fn labels(attributes: &Map<String, Value>, fields: &Map<String, Value>, signal: &Signal) -> Labels {
    let mut labels = Labels::default();
    for (name, value) in &signal.labels {
        labels.put(name, value);
    }
    for name in ["type", "source", "subject"] {
        labels.put_scalar(name, attributes.get(name));
    }
    for (name, value) in fields.get("labels").and_then(Value::as_object).into_iter().flatten() {
        labels.put_scalar(name, Some(value));
    }
    for (name, value) in attributes {
        if !matches!(name.as_str(), "specversion" | "id" | "time" | "datacontenttype") {
            labels.put_scalar(name, Some(value));
        }
    }
    for (name, value) in fields {
        let is_read = matches!(name.as_str(), "dedup_key" | "fingerprint" | "title" | "severity" | "state" | "url" | "at" | "labels");
        if !is_read {
            labels.put_scalar(name, Some(value));
        }
    }
    labels
}
