//! CloudWatch's alarms, as SNS delivers them: in SNS's envelope, whose `Message` is JSON in a text, or raw.
//!
//! `INSUFFICIENT_DATA` is told only by alarms whose owner asked for it. Nobody knows then whether it is well, so it fires, as a warning,
//! and ends nothing. A message that is no alarm fires under its topic and subject; one without a subject, as `EventBridge` sends it, under what
//! names its event. The envelope's signature is checked at the door;
//! what is delivered raw has none, and is known by the key alone, as most senders are.
//!
//! The events: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::field;
use super::reading::{self, Labels};
use super::{Source, sns};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::domain::input::{Action, Signal};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct CloudWatch;

const GUIDE: &str = r#"1. In the AWS console open **SNS**, choose or create a topic, and add its ARN to the integration in the configuration:

   ```toml
   topics = ["arn:aws:sns:eu-west-1:123456789012:alarms"]
   ```

2. Create a subscription of the topic: protocol **HTTPS**, endpoint `{url}`, **raw message delivery off**: only the envelope is signed.
   It is confirmed by itself, because the topic is in the list.
3. In **CloudWatch**, **Alarms**, send to the topic what should wake people: an action for **In alarm**, and one for **OK**, which
   resolves it. An action for **Insufficient data** warns.

What EventBridge sends to the topic is an alert for each kind of event and the resource that it is about. A message that is no alarm has
no end, but a CloudWatch alarm that is OK again.

An alarm has no severity: the integration’s own counts, `error` unless it is set.
"#;

impl Source for CloudWatch {
    fn name(&self) -> &'static str {
        "cloudwatch"
    }

    fn title(&self) -> &'static str {
        "CloudWatch"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    fn delivery(&self, inbound: &Inbound) -> Option<String> {
        inbound.header("x-amz-sns-message-id").map(str::to_owned)
    }

    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        Ok(vec![signal(&reading::json_object(&inbound.body)?, inbound, integration)?])
    }
}

/// What stands around an alarm.
#[derive(Default)]
struct Envelope {
    topic: Option<String>,
    subject: Option<String>,
    sent: Option<String>,
}

fn signal(body: &Map<String, Value>, inbound: &Inbound, integration: &Integration) -> Result<Signal, String> {
    let Some(kind) = field::text(body, "Type").filter(|_| sns::is_envelope(body)) else {
        // Raw delivery: the topic is in a header.
        let topic = inbound.header("x-amz-sns-topic-arn").map(str::to_owned);
        let envelope = Envelope { topic, ..Envelope::default() };
        let alarm = alarm(body, &envelope, integration);
        return alarm.ok_or_else(|| "it has neither an SNS envelope nor an AlarmName".to_owned());
    };
    let envelope =
        Envelope { topic: field::filled(body, "TopicArn"), subject: field::filled(body, "Subject"), sent: field::text(body, "Timestamp") };
    match kind.as_str() {
        "SubscriptionConfirmation" => {
            Ok(notice(&envelope, integration, Action::Ignore, |topic| format!("SNS asks to confirm the subscription of {topic}")))
        }
        // From now on nothing comes: it belongs beside what happened, not among the test pings.
        "UnsubscribeConfirmation" => Ok(notice(&envelope, integration, Action::Change, |topic| {
            format!("the subscription of {topic} was ended: its alarms come here no more")
        })),
        _ => {
            let message = body.get("Message").ok_or("its envelope has no Message")?;
            let inner = message.as_str().and_then(|text| reading::json(text.as_bytes()).ok());
            let alarm = inner.as_ref().and_then(Value::as_object).and_then(|alarm| self::alarm(alarm, &envelope, integration));
            Ok(alarm.unwrap_or_else(|| other(message, inner.as_ref(), &envelope, integration)))
        }
    }
}

fn alarm(alarm: &Map<String, Value>, envelope: &Envelope, integration: &Integration) -> Option<Signal> {
    let name = field::filled(alarm, "AlarmName")?;
    let state = field::text(alarm, "NewStateValue")?;
    let arn = field::filled(alarm, "AlarmArn");
    let part = |field: &str| field::filled(alarm, field).unwrap_or_default();
    let key = arn.clone().unwrap_or_else(|| format!("{}:{}:{name}", part("AWSAccountId"), part("Region")));
    let (news, severity) = match state.as_str() {
        "INSUFFICIENT_DATA" => (" has no data", Some(AlertSeverity::Warning)),
        _ => ("", None),
    };
    let said = field::text(alarm, "AlarmDescription").or_else(|| field::text(alarm, "NewStateReason"));
    let at = field::text(alarm, "StateChangeTime").or_else(|| envelope.sent.clone());
    Some(Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&key),
        title: field::headline(&format!("{name}{news}"), ": ", &said.unwrap_or_default()),
        severity,
        action: if state == "OK" { Action::Resolve } else { Action::Trigger },
        at: at.and_then(|text| reading::rfc3339(&text)),
        ends_at: None,
        url: console(&name, arn.as_deref().or(envelope.topic.as_deref())),
        labels: labels(alarm, envelope),
    })
}

/// The alarm's page in the console. The region's name in words is all that the alarm itself says, so that it is taken from an ARN:
/// `arn:aws:sns:eu-west-1:123456789012:alarms`.
fn console(name: &str, arn: Option<&str>) -> Option<String> {
    let mut parts = arn?.split(':').skip(1);
    let (partition, region) = (parts.next()?, parts.nth(1)?);
    let host = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    // The console reads %20 and not the plus of a form.
    let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20");
    is_region.then(|| reading::url(&format!("https://{region}.{host}/cloudwatch/home?region={region}#alarmsV2:alarm/{name}"))).flatten()
}

fn labels(alarm: &Map<String, Value>, envelope: &Envelope) -> BTreeMap<String, String> {
    let mut labels = Labels::default();
    for (name, field) in [
        ("alarm", "AlarmName"),
        ("state", "NewStateValue"),
        ("previous_state", "OldStateValue"),
        ("reason", "NewStateReason"),
        ("description", "AlarmDescription"),
        ("account", "AWSAccountId"),
        ("region", "Region"),
        ("rule", "AlarmRule"),
    ] {
        labels.put_scalar(name, alarm.get(field));
    }
    labels.put("topic", envelope.topic.as_deref().unwrap_or_default());
    if let Some(trigger) = reading::object(alarm, "Trigger") {
        labels.put_scalar("namespace", trigger.get("Namespace"));
        labels.put_scalar("metric", trigger.get("MetricName"));
        labels.put_scalar("threshold", trigger.get("Threshold"));
        for dimension in trigger.get("Dimensions").and_then(Value::as_array).into_iter().flatten().take(limits::LABELS) {
            if let Some(name) = reading::scalar(dimension.get("name")) {
                labels.put_scalar(&name, dimension.get("value"));
            }
        }
    }
    labels.done()
}

/// A message of something other than an alarm: one alert per topic and subject, or whatever names it, which only people end.
fn other(message: &Value, inner: Option<&Value>, envelope: &Envelope, integration: &Integration) -> Signal {
    let inner = inner.or_else(|| message.is_object().then_some(message)).and_then(Value::as_object);
    let event = inner.and_then(Event::of);
    let text = reading::line(&reading::scalar(Some(message)).unwrap_or_default(), limits::TITLE_CHARS);
    let topic = envelope.topic.clone().unwrap_or_default();
    let subject = envelope.subject.clone();
    let mut labels = Labels::default();
    labels.put("topic", &topic);
    labels.put("message", &text);
    let title = subject.as_deref().map(|subject| reading::line(subject, limits::TITLE_CHARS)).filter(|title| !title.is_empty());
    let title = title.or_else(|| event.as_ref().map(|event| event.title.clone()));
    let title = title.unwrap_or_else(|| if text.is_empty() { "A message without a subject".to_owned() } else { text });
    let named = subject.or_else(|| event.as_ref().map(|event| event.name.clone())).or_else(|| unnamed(message, inner));
    let key = named.map_or_else(|| topic.clone(), |named| format!("{topic}:{named}"));
    Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(if key.trim().is_empty() { &title } else { &key }),
        title,
        severity: None,
        action: if event.as_ref().is_some_and(|event| event.is_over) { Action::Resolve } else { Action::Trigger },
        at: event.and_then(|event| event.at).as_ref().or(envelope.sent.as_ref()).and_then(|at| reading::rfc3339(at)),
        ends_at: None,
        url: None,
        labels: labels.done(),
    }
}

/// An event of `EventBridge`.
struct Event {
    /// What tells it from the others of its topic.
    name: String,
    title: String,
    at: Option<String>,
    /// Whether an alarm is well again: it is told to `EventBridge` whether anybody asked for it or not.
    is_over: bool,
}

impl Event {
    fn of(event: &Map<String, Value>) -> Option<Self> {
        let kind = field::text(event, "detail-type")?;
        let empty = Map::new();
        let detail = reading::object(event, "detail").unwrap_or(&empty);
        let about = field::joined(event.get("resources"))
            .or_else(|| ["alarmName", "eventArn", "arn", "id", "instance-id", "name"].iter().find_map(|name| field::filled(detail, name)));
        let title = field::headline(&kind, ": ", about.as_deref().unwrap_or_default());
        let about = about.or_else(|| stable(detail));
        let source = field::text(event, "source").unwrap_or_default();
        let state = detail.get("state").and_then(|state| reading::scalar(state.get("value")));
        Some(Self {
            name: [source.as_str(), &kind, about.as_deref().unwrap_or_default()].join(":"),
            title,
            at: field::text(event, "time"),
            is_over: source == "aws.cloudwatch" && kind == "CloudWatch Alarm State Change" && state.as_deref() == Some("OK"),
        })
    }
}

/// Of what nothing names, that which is likely to be the same the next time.
fn unnamed(message: &Value, inner: Option<&Map<String, Value>>) -> Option<String> {
    match inner {
        Some(fields) => stable(fields),
        None => Some(digest(message.as_str()?.split_whitespace())),
    }
}

fn stable(fields: &Map<String, Value>) -> Option<String> {
    let texts = fields.iter().filter_map(|(name, value)| Some([name.as_str(), value.as_str()?]));
    (!fields.is_empty()).then(|| digest(texts.flatten().chain(fields.keys().map(String::as_str))))
}

/// Words with a digit in them are times, measured values and numbers of messages.
fn digest<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.flat_map(str::split_whitespace).filter(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
    digest_hex(words.join(" ").as_bytes())
}

/// What SNS says of the subscription itself.
fn notice(envelope: &Envelope, integration: &Integration, action: fn(String) -> Action, words: fn(&str) -> String) -> Signal {
    let topic = envelope.topic.clone().filter(|topic| !topic.trim().is_empty()).unwrap_or_else(|| "a topic without a name".to_owned());
    let title = reading::line(&words(&topic), limits::TITLE_CHARS);
    let mut labels = Labels::default();
    labels.put("topic", &topic);
    Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(&topic),
        title: title.clone(),
        severity: None,
        action: action(title),
        at: envelope.sent.as_deref().and_then(reading::rfc3339),
        ends_at: None,
        url: None,
        labels: labels.done(),
    }
}
