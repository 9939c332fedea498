//! A sender's own JSON, made into what the source `generic` reads, as the integration's mapping says.

use minijinja::value::Serde;
use minijinja::{Value as Filled, context};
use serde_json::{Map, Value};

use super::reading;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::mapping::{Item, LabelPlaces, Mapping, Place};
use crate::domain::routing::TEMPLATE_ERROR;
use crate::domain::template::Fuel;

/// The alerts of a body, each as one object of the fields of `generic`, or a sentence that says what of it gave nothing.
pub fn entries(map: &Mapping, body: &Value) -> Result<Vec<Result<Value, String>>, String> {
    let whole = if map.has_templates() { Filled::from(Serde(body)) } else { Filled::UNDEFINED };
    let fuel = Fuel::of_a_body();
    let item = Item { json: body, filled: &filled(body, &whole, &whole), fuel: &fuel };
    let list = match &map.items {
        None => body.clone(),
        Some(place) => place.take(&item).and_then(|value| value.ok_or_else(String::new)).map_err(|why| nothing("items", place, &why))?,
    };
    let list = match list {
        Value::Array(items) => items,
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![one],
    };
    // Each costs its templates: what is refused for its length is not filled first.
    if list.len() > limits::BATCH_ENTRIES {
        return Err(format!("it lists {} alerts, {} is the limit", list.len(), limits::BATCH_ENTRIES));
    }
    let seen: Vec<Filled> = list.iter().map(|json| seen(map, json, &whole)).collect();
    let item = |(json, filled)| Item { json, filled, fuel: &fuel };
    // What they are comes before the words for it, for all of them: the words may take more steps than a body has.
    let told: Vec<Result<Told, String>> = list.iter().zip(&seen).map(|pair| told(map, &item(pair))).collect();
    Ok(told.into_iter().zip(list.iter().zip(&seen)).map(|(told, pair)| entry(map, &item(pair), told?)).collect())
}

fn seen(map: &Mapping, json: &Value, whole: &Filled) -> Filled {
    let one = if map.has_templates() { Filled::from(Serde(json)) } else { Filled::UNDEFINED };
    filled(json, &one, whole)
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

/// Which alert it is, and whether it is over.
struct Told {
    key: Option<Value>,
    state: Option<Value>,
    /// What could not be told of its state.
    failed: Option<String>,
}

fn told(map: &Mapping, item: &Item<'_>) -> Result<Told, String> {
    // Without its key, or with half of one, an alert could not be told from the others, nor be ended.
    let key = match &map.dedup_key {
        None => item.json.get("dedup_key").cloned().filter(|key| reading::scalar(Some(key)).is_some()),
        Some(place) => {
            let key = place.take_whole(item).map_err(|why| nothing("dedup_key", place, &why))?;
            Some(key.filter(|key| reading::scalar(Some(key)).is_some()).ok_or_else(|| nothing("dedup_key", place, ""))?)
        }
    };
    let mut failed = None;
    let over = map.resolved_when.as_ref().map(|condition| condition.holds(item));
    let over = over.transpose().unwrap_or_else(|why| {
        failed = Some(format!("resolved_when: {why}"));
        None
    });
    if over == Some(true) {
        return Ok(Told { key, state: Some(Value::String(RESOLVED.to_owned())), failed });
    }
    let state = match &map.state {
        None => item.json.get("state").cloned(),
        Some(place) => state(place, item).unwrap_or_else(|why| {
            failed.get_or_insert_with(|| format!("state: {why}"));
            None
        }),
    };
    Ok(Told { key, state, failed })
}

/// As `generic` writes that it is over.
const RESOLVED: &str = "resolved";

/// What says that it is over has to be there.
fn state(place: &Place, item: &Item<'_>) -> Result<Option<Value>, String> {
    let state = place.take(item)?;
    let is_over = reading::scalar(state.as_ref()).is_some_and(|word| word.trim().eq_ignore_ascii_case(RESOLVED));
    if is_over { place.take_surely(item) } else { Ok(state) }
}

fn entry(map: &Mapping, item: &Item<'_>, Told { key, state, failed: untold }: Told) -> Result<Value, String> {
    let json = item.json;
    let mut made = Map::new();
    let mut failed: Option<String> = None;
    let mut take = |name: &str, place: Option<&Place>| match place {
        None => Ok(json.get(name).cloned()),
        Some(place) => place.take(item).map_err(|why| {
            failed.get_or_insert_with(|| format!("{name}: {why}"));
            why
        }),
    };
    // What a template cannot make is read as if nothing were mapped.
    let title = take("title", map.title.as_ref()).unwrap_or_else(|_| json.get("title").cloned());
    let title = title.filter(|title| reading::scalar(Some(title)).is_some());
    if let (None, None, Some(place)) = (&key, &title, &map.title) {
        return Err(nothing("title", place, ""));
    }
    made.extend(key.map(|key| ("dedup_key".to_owned(), key)));
    made.extend(title.map(|title| ("title".to_owned(), title)));
    let severity = take("severity", map.severity.as_ref()).unwrap_or_default().map(|severity| translated(map, severity));
    let at = take("at", map.at.as_ref()).unwrap_or_default().map(moment);
    let url = take("url", map.url.as_ref()).unwrap_or_default();
    let mut labels = match &map.labels {
        None => json.get("labels").cloned(),
        Some(LabelPlaces::All(place)) => take("labels", Some(place)).unwrap_or_else(|_| json.get("labels").cloned()),
        Some(LabelPlaces::Each(places)) => {
            let mut is_whole = true;
            let mut label = |(name, place): (&String, &Place)| {
                let value = take(name, Some(place)).inspect_err(|_| is_whole = false).unwrap_or_default();
                Some((name.clone(), value?))
            };
            let labels: Map<String, Value> = places.iter().filter_map(&mut label).collect();
            if labels.is_empty() && !is_whole { json.get("labels").cloned() } else { Some(Value::Object(labels)) }
        }
    };
    if let Some(failed) = failed.or(untold) {
        let labels = labels.get_or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(labels) = labels {
            labels.insert(TEMPLATE_ERROR.to_owned(), Value::String(failed));
        }
    }
    for (name, value) in [("severity", severity), ("at", at), ("state", state), ("url", url), ("labels", labels)] {
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
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::super::{Source as _, generic::Generic};
    use super::*;
    use crate::base::clock::Stopwatch;
    use crate::base::inbound::Inbound;
    use crate::base::time::Span;
    use crate::domain::input::{Action, Signal};
    use crate::domain::setup::{AlertSeverity, Budget, Integration};

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
            budget: Budget::default(),
        };
        let inbound = Inbound {
            method: "POST".to_owned(),
            path: "/hooks/generic/key".to_owned(),
            headers: Vec::new(),
            body: body.to_string().into(),
            sent: None,
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

    #[test]
    fn what_is_missing_never_says_that_it_is_over() {
        let body = |a: Value| json!({ "title": "disk", "a": a });
        let nothing = json!({ "title": "disk" });
        let [missing, bad, good] = [body(json!({})), body(json!({ "status": "bad" })), body(json!({ "status": "ok" }))];
        for (map, ends) in [
            (json!({ "resolved_when": "a.status == 'ok'" }), [false, false, true]),
            (json!({ "resolved_when": "a.status != 'bad'" }), [false, false, true]),
            (json!({ "resolved_when": "not a.status == 'bad'" }), [false, false, true]),
            (json!({ "resolved_when": "a.status not in ['bad', 'worse']" }), [false, false, true]),
            (json!({ "resolved_when": "not a.status|trim('ok')" }), [false, false, true]),
            (json!({ "resolved_when": "not (a.status or a.state)" }), [false, false, false]),
            (json!({ "resolved_when": "/a/status" }), [false, false, false]),
            // Who means what is missing says so.
            (json!({ "resolved_when": "a.status is undefined" }), [true, false, false]),
            (json!({ "resolved_when": "a.status|default('ok') != 'bad'" }), [true, false, true]),
            // A state that a template makes of a condition is the same.
            (json!({ "state": "{{ 'resolved' if a.status == 'ok' else 'firing' }}" }), [false, false, true]),
            (json!({ "state": "{{ 'firing' if a.status == 'bad' else 'resolved' }}" }), [false, false, true]),
            (json!({ "state": "{% if a.status != 'bad' %}resolved{% endif %}" }), [false, false, true]),
            (json!({ "state": "{{ 'resolved' if not a.status }}" }), [false, false, false]),
        ] {
            assert_eq!(read(&map, &nothing)[0].action, Action::Trigger, "{map} of {nothing}");
            for (body, ends) in [&missing, &bad, &good].into_iter().zip(ends) {
                let signal = read(&map, body).remove(0);
                assert_eq!(signal.action, if ends { Action::Resolve } else { Action::Trigger }, "{map} of {body}");
            }
        }
        // And it says why it does not count, where it would have.
        let signal = read(&json!({ "resolved_when": "status != 'bad'" }), &nothing).remove(0);
        assert_eq!(signal.labels[TEMPLATE_ERROR], "resolved_when: it uses what is not there");
        let signal = read(&json!({ "resolved_when": "status == 'ok'" }), &nothing).remove(0);
        assert_eq!(signal.labels.get(TEMPLATE_ERROR), None);
    }

    #[test]
    fn what_cannot_be_told_never_says_that_it_is_over() {
        // What resolves, and what does not.
        for (condition, ends, fires) in [
            ("a", json!([true, "true", "True", 1, "1", "yes"]), json!([false, "false", "False", 0, "0", "no", "", "open", [1], null])),
            ("not a", json!([false, "false", "no", 0, ""]), json!([true, "true", "open", null])),
            ("a and b", json!(["true"]), json!(["false", "0", null])),
            ("b and (not a or a)", json!(["false", "true"]), json!(["x", null])),
            ("a < 95", json!([94, "94", "9", 94.5]), json!([100, "100", "n/a", true, [], null])),
            ("a < t", json!([94, "94.9", "9"]), json!([100, "100", "n/a", null])),
            ("t > a", json!([94, "94.9", "9"]), json!([100, "100", "", null])),
            ("a >= 3", json!([3, "10"]), json!(["x", { "x": 1 }, null])),
            ("a == 200", json!([200, "200", 200.0]), json!([500, "ok", null])),
            ("a == '200'", json!([200, "200"]), json!(["200.0", "500", null])),
            ("a != 500", json!([200, "200"]), json!([500, "500", "down", true, null])),
            ("a != '500'", json!([200, "200", "ok"]), json!([500, "500", [500], null])),
            ("a == true", json!([true]), json!(["true", "false", false, null])),
            ("a not in [500, '503']", json!([200, "200"]), json!([500, "500", 503, "down", null])),
            ("'ok' in a", json!(["is ok", ["ok"], { "ok": 1 }]), json!(["bad", ["bad"], 7, null])),
            ("'bad' not in a", json!(["is ok", ["ok"]]), json!(["is bad", 7, null])),
            ("a is lt 95", json!([94, "9"]), json!([100, "100", "n/a", null])),
            ("a is not in [500]", json!([200]), json!([500, "500", "x", null])),
            ("a is ne 500", json!([200]), json!([500, "500", "x", null])),
            ("a is none", json!([null]), json!(["false", 0])),
            ("(a|int) + 1 < 5 and a|length < 3", json!(["3"]), json!(["9", null])),
        ] {
            let all = |values: &Value| values.as_array().cloned().unwrap_or_default();
            for (value, ends) in
                all(&ends).into_iter().map(|value| (value, true)).chain(all(&fires).into_iter().map(|value| (value, false)))
            {
                let body = json!({ "title": "disk", "a": value, "b": true, "t": "95" });
                let signal = read(&json!({ "resolved_when": condition }), &body).remove(0);
                assert_eq!(
                    signal.action,
                    if ends { Action::Resolve } else { Action::Trigger },
                    "{condition} of {value}: {:?}",
                    signal.labels
                );
            }
            let signal = read(&json!({ "resolved_when": condition }), &json!({ "title": "disk", "b": true, "t": "95" })).remove(0);
            assert_eq!(signal.action, Action::Trigger, "{condition} of nothing");
        }
        // And it says why it does not count, where it would have.
        let signal = read(&json!({ "resolved_when": "a != 500" }), &json!({ "title": "disk", "a": "down" })).remove(0);
        assert_eq!(signal.labels[TEMPLATE_ERROR], "resolved_when: it does with a value what cannot be done with it");
        let chained: Mapping = serde_json::from_value(json!({ "resolved_when": "1 < a < 3" })).expect("a mapping");
        assert!(chained.resolved_when.and_then(|condition| condition.wrong()).is_some_and(|wrong| wrong.text.contains("three things")));
    }

    /// A thousand alerts, each with twenty templates that take all the steps that one may: a minute's work.
    #[test]
    fn the_templates_of_one_body_have_a_budget_and_lose_no_alert() {
        let costly = "{% for a in range(1200) %}{{ '' }}{% endfor %}{{ n }}";
        let labels: BTreeMap<String, &str> = (0..20).map(|n| (format!("label{n}"), costly)).collect();
        let map = json!({
            "items": "/alerts", "dedup_key": "{{ body.app }}-{{ n }}", "title": costly, "resolved_when": "n == 7", "labels": labels,
        });
        let alerts: Vec<Value> = (0..1_000).map(|n| json!({ "n": n, "title": format!("disk {n}"), "labels": { "host": n } })).collect();
        let watch = Stopwatch::start();
        let signals = read(&map, &json!({ "app": "shop", "alerts": alerts }));
        let took = watch.passed();
        assert!(took < Span::seconds(10), "it took {took}");
        assert_eq!(signals.len(), 1_000);
        for (n, signal) in signals.iter().enumerate() {
            assert_eq!(signal.dedup_key, format!("shop-{n}"), "what it is comes first");
            assert_eq!(signal.action, if n == 7 { Action::Resolve } else { Action::Trigger });
        }
        assert_eq!((signals[0].title.as_str(), signals[0].labels["label7"].as_str()), ("0", "0"));
        let last = &signals[999];
        assert_eq!((last.title.as_str(), last.labels["host"].as_str()), ("disk 999", "999"), "as if nothing were mapped");
        assert!(last.labels[TEMPLATE_ERROR].contains("too many steps together"), "{last:?}");
    }

    #[test]
    fn a_full_body_of_common_templates_is_within_its_budget() {
        let labels: BTreeMap<String, &str> = (0..10).map(|n| (format!("label{n}"), "{{ tags|join(' ')|lower }} of {{ host }}")).collect();
        let map = json!({
            "items": "/alerts", "dedup_key": "{{ host }}/{{ n }}", "title": "{% for tag in tags %}{{ tag|upper }} {% endfor %}{{ n }}",
            "resolved_when": "n == -1 or host in ['', 'none']", "state": "{{ 'firing' if n >= 0 else 'resolved' }}", "labels": labels,
        });
        // With alerts as short as these, a body has values enough with seven hundred.
        let alerts: Vec<Value> = (0..1_000).map(|n| json!({ "n": n, "host": "db", "tags": ["a", "b", "c"] })).collect();
        let signals = read(&map, &json!({ "alerts": alerts }));
        assert!(signals.iter().all(|signal| signal.labels.len() == 10 && signal.title.starts_with("A B C ")), "{:?}", signals.last());
    }
}
