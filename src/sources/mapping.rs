//! A sender's own JSON, made into what the source `generic` reads, as the integration's mapping says.

use minijinja::value::Serde;
use minijinja::{Value as Filled, context};
use serde_json::{Map, Value};

use super::reading;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::mapping::{Item, LabelPlaces, Mapping, Place};
use crate::domain::routing::TEMPLATE_ERROR;

/// The alerts of a body, each as one object of the fields of `generic`, or a sentence that says what of it gave nothing.
pub fn entries(map: &Mapping, body: &Value) -> Result<Vec<Result<Value, String>>, String> {
    let whole = if map.has_templates() { Filled::from(Serde(body)) } else { Filled::UNDEFINED };
    let item = Item { json: body, filled: &filled(body, &whole, &whole) };
    let list = match &map.items {
        None => body.clone(),
        Some(place) => place.take(&item).and_then(|value| value.ok_or_else(String::new)).map_err(|why| nothing("items", place, &why))?,
    };
    let Value::Array(items) = list else { return Ok(vec![entry(map, &list, &whole)]) };
    // Each costs its templates: what is refused for its length is not filled first.
    if items.len() > limits::BATCH_ENTRIES {
        return Err(format!("it lists {} alerts, {} is the limit", items.len(), limits::BATCH_ENTRIES));
    }
    Ok(items.iter().map(|item| entry(map, item, &whole)).collect())
}

/// What templates see: the members of the alert by their names, the alert as `item`, the whole as `body`.
fn filled(json: &Value, item: &Filled, whole: &Filled) -> Filled {
    let both = context! { item => item, body => whole };
    if json.is_object() {
        context! { ..both, ..item.clone() }
    } else {
        both
    }
}

fn entry(map: &Mapping, json: &Value, whole: &Filled) -> Result<Value, String> {
    let one = if map.has_templates() { Filled::from(Serde(json)) } else { Filled::UNDEFINED };
    let item = Item { json, filled: &filled(json, &one, whole) };
    let mut made = Map::new();
    let mut failed: Option<String> = None;
    let mut take = |name: &str, place: Option<&Place>| match place {
        None => Ok(json.get(name).cloned()),
        Some(place) => place.take(&item).map_err(|why| {
            failed.get_or_insert_with(|| format!("{name}: {why}"));
            why
        }),
    };
    // Without its key, or with half of one, an alert could not be told from the others, nor be ended.
    let key = match &map.dedup_key {
        None => take("dedup_key", None),
        Some(place) => place.take_whole(&item),
    };
    let key = match (key, &map.dedup_key) {
        (Ok(Some(key)), _) if reading::scalar(Some(&key)).is_some() => Some(key),
        (Ok(_), None) => None,
        (Ok(_), Some(place)) => return Err(nothing("dedup_key", place, "")),
        (Err(why), place) => return Err(place.as_ref().map_or_else(String::new, |place| nothing("dedup_key", place, &why))),
    };
    let title = take("title", map.title.as_ref()).unwrap_or_default().filter(|title| reading::scalar(Some(title)).is_some());
    if let (None, None, Some(place)) = (&key, &title, &map.title) {
        return Err(nothing("title", place, ""));
    }
    made.extend(key.map(|key| ("dedup_key".to_owned(), key)));
    made.extend(title.map(|title| ("title".to_owned(), title)));
    let severity = take("severity", map.severity.as_ref()).unwrap_or_default().map(|severity| translated(map, severity));
    let at = take("at", map.at.as_ref()).unwrap_or_default().map(moment);
    let state = take("state", map.state.as_ref()).unwrap_or_default();
    let url = take("url", map.url.as_ref()).unwrap_or_default();
    let mut labels = match &map.labels {
        None => json.get("labels").cloned(),
        Some(LabelPlaces::All(place)) => take("labels", Some(place)).unwrap_or_default(),
        Some(LabelPlaces::Each(places)) => {
            let label = |(name, place): (&String, &Place)| Some((name.clone(), take(name, Some(place)).unwrap_or_default()?));
            Some(Value::Object(places.iter().filter_map(label).collect()))
        }
    };
    let over = match map.resolved_when.as_ref().map(|condition| condition.holds(&item)) {
        None => None,
        Some(Ok(over)) => over.then(|| Value::String("resolved".to_owned())),
        Some(Err(why)) => {
            failed.get_or_insert_with(|| format!("resolved_when: {why}"));
            None
        }
    };
    if let Some(failed) = failed {
        let labels = labels.get_or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(labels) = labels {
            labels.insert(TEMPLATE_ERROR.to_owned(), Value::String(failed));
        }
    }
    for (name, value) in [("severity", severity), ("at", at), ("state", over.or(state)), ("url", url), ("labels", labels)] {
        made.extend(value.map(|value| (name.to_owned(), value)));
    }
    Ok(Value::Object(made))
}

/// `dedup_key (/alert/id) gave nothing`.
fn nothing(name: &str, place: &Place, why: &str) -> String {
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    format!("its {name}, which is mapped from {place}, gave nothing{why}")
}

/// The sender's word in ours; also where it writes it in other letters.
fn translated(map: &Mapping, severity: Value) -> Value {
    let word = reading::scalar(Some(&severity)).map(|word| word.trim().to_owned()).unwrap_or_default();
    let exact = map.severities.get(&word);
    let alike = || map.severities.iter().find(|(known, _)| known.eq_ignore_ascii_case(&word)).map(|(_, severity)| severity);
    exact.or_else(alike).map_or(severity, |severity| Value::String(severity.name().to_owned()))
}

/// Seconds or milliseconds since the epoch as RFC 3339; anything else as it is.
fn moment(at: Value) -> Value {
    /// As seconds it is past the year 5000, as milliseconds before 1974.
    const LEAST_MILLIS: f64 = 1e11;
    let text = reading::scalar(Some(&at)).unwrap_or_default();
    let Ok(number) = text.trim().parse::<f64>() else { return at };
    let seconds = if number >= LEAST_MILLIS { number / 1_000.0 } else { number };
    let within = reading::seconds(serde_json::Number::from_f64(seconds.floor()).map(Value::Number).as_ref());
    #[expect(clippy::cast_possible_truncation, reason = "a part of a second in microseconds")]
    let part = |whole: i64| Time(Time::from_seconds(whole).0 + (seconds.fract() * 1e6) as i64);
    within.map_or(at, |whole| Value::String(part(whole).rfc3339()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Source as _, generic::Generic};
    use super::*;
    use crate::base::inbound::Inbound;
    use crate::domain::input::{Action, Signal};
    use crate::domain::setup::{AlertSeverity, Integration};

    fn read(map: &Value, body: &Value) -> Vec<Signal> {
        let map: Mapping = serde_json::from_value(map.clone()).expect("a mapping in a test is well written");
        assert_eq!(serde_json::from_value::<Mapping>(serde_json::to_value(&map).expect("it rests")).expect("it comes back"), map);
        let integration = Integration {
            id: "shop".into(),
            source: "generic".to_owned(),
            service: "shop".into(),
            severity: AlertSeverity::Error,
            topics: Vec::new(),
            heartbeat: None,
            map: Some(map),
        };
        let inbound = Inbound {
            method: "POST".to_owned(),
            path: "/hooks/generic/key".to_owned(),
            headers: Vec::new(),
            body: body.to_string().into(),
            received_at: Time::from_seconds(1_770_000_000),
        };
        Generic.read(&inbound, &integration)
    }

    fn sender() -> Value {
        json!({
            "dedup_key": "/alert/id",
            "title": "{{ alert.name }} on {{ alert.host|upper }}",
            "severity": "/alert/priority",
            "severities": { "P1": "critical", "P3": "warning" },
            "resolved_when": "alert.status == 'ok'",
            "url": "https://example.com/{{ alert.id }}",
            "at": "/alert/when",
            "labels": { "host": "/alert/host", "fixed": "yes", "both": "{{ alert.host }}/{{ body.tenant }}" },
        })
    }

    #[test]
    fn any_json_becomes_an_alert() {
        let body = json!({ "tenant": 7, "alert": { "id": 12, "name": "disk", "host": "db-3", "priority": "p1", "status": "bad", "when": 1_770_000_000_500_i64 } });
        let signals = read(&sender(), &body);
        let [signal] = signals.as_slice() else { panic!("{signals:?}") };
        assert_eq!((signal.dedup_key.as_str(), signal.title.as_str()), ("12", "disk on DB-3"));
        assert_eq!((signal.severity, &signal.action), (Some(AlertSeverity::Critical), &Action::Trigger));
        assert_eq!(signal.url.as_deref(), Some("https://example.com/12"));
        assert_eq!(signal.at.map(Time::rfc3339).as_deref(), Some("2026-02-02T02:40:00.500Z"));
        let labels: Vec<_> = signal.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(labels, ["both=db-3/7", "fixed=yes", "host=db-3"]);
        let over = json!({ "alert": { "id": 12, "status": "ok" } });
        assert_eq!(read(&sender(), &over)[0].action, Action::Resolve);
    }

    #[test]
    fn what_is_not_mapped_is_read_from_the_field_of_its_name() {
        let map = json!({ "severities": { "P1": "critical" } });
        let body = json!({ "title": "disk", "severity": "P1", "state": "resolved", "labels": { "a": 1 }, "at": "2026-01-05T03:00:00Z" });
        let signal = read(&map, &body).remove(0);
        assert_eq!((signal.dedup_key.as_str(), signal.severity, signal.action), ("disk", Some(AlertSeverity::Critical), Action::Resolve));
        assert_eq!((signal.labels.len(), signal.at.is_some()), (1, true));
        // A word that is not in the table never loses the alert.
        let signal = read(&map, &json!({ "title": "disk", "severity": "P9" })).remove(0);
        assert_eq!((signal.severity, signal.labels["severity_as_sent"].as_str()), (None, "P9"));
    }

    #[test]
    fn several_alerts_of_one_body_each_see_themselves_and_the_whole() {
        let map = json!({ "items": "/alerts", "dedup_key": "{{ body.app }}-{{ n }}", "title": "{{ item.n }}", "resolved_when": "/over", "labels": "/tags" });
        let body = json!({ "app": "shop", "alerts": [{ "n": 1, "tags": { "a": "b" } }, { "n": 2, "over": "true" }, 3] });
        let signals = read(&map, &body);
        let keys: Vec<_> = signals.iter().map(|signal| (signal.dedup_key.as_str(), signal.action.clone())).collect();
        assert_eq!(keys[..2], [("shop-1", Action::Trigger), ("shop-2", Action::Resolve)]);
        assert_eq!(signals[0].labels["a"], "b");
        assert!(matches!(&signals[2].action, Action::Unreadable(why) if why.contains("it uses what is not there")), "{keys:?}");
    }

    #[test]
    fn what_gives_nothing_is_an_unreadable_alert_that_says_which_field() {
        for (map, body, said) in [
            (
                json!({ "dedup_key": "/alert/id" }),
                json!({ "title": "disk" }),
                "its dedup_key, which is mapped from /alert/id, gave nothing",
            ),
            (json!({ "dedup_key": "{{ id }}" }), json!({ "title": "disk" }), "its dedup_key, which is mapped from {{ id }}, gave nothing"),
            (
                json!({ "dedup_key": "{{ a.host }}/{{ a.check }}", "title": "/title" }),
                json!({ "title": "disk", "a": { "host": null, "check": "disk" } }),
                "gave nothing: it uses what is not there",
            ),
            (
                json!({ "dedup_key": "{{ a.host }}/{{ a.check }}", "title": "/title" }),
                json!({ "title": "disk", "a": { "hostname": "db", "check": "disk" } }),
                "gave nothing: it uses what is not there",
            ),
            (json!({ "dedup_key": "{{ id.fly() }}" }), json!({ "id": 3 }), "gave nothing: there is no such method"),
            (json!({ "title": "/name" }), json!({ "nme": "disk" }), "its title, which is mapped from /name, gave nothing"),
            (json!({ "items": "/alerts" }), json!({ "alert": [] }), "its items, which is mapped from /alerts, gave nothing"),
            (json!({ "items": "/alerts" }), json!({ "alerts": [] }), "it is an empty list"),
        ] {
            let signals = read(&map, &body);
            let Action::Unreadable(why) = &signals[0].action else { panic!("{signals:?}") };
            assert!(why.contains(said) && signals[0].title.contains(said), "{why}");
        }
        // What is not needed only says so.
        let signal = read(&json!({ "severity": "{{ title.fly() }}", "resolved_when": "title + 1" }), &json!({ "title": "disk" })).remove(0);
        assert_eq!((signal.action, signal.labels[TEMPLATE_ERROR].as_str()), (Action::Trigger, "severity: there is no such method"));
    }
}
