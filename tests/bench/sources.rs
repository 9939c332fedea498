//! How long each source takes over half a mebibyte of what it may be sent: no reader may hold up the intake.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use reveille::base::inbound::Inbound;
use reveille::base::time::{Span, Time};
use reveille::domain::setup::{AlertSeverity, Budget, Integration};
use reveille::sources::{self, Source};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

use crate::figures::ms;
use crate::{ALONE, PLAN, times};

const BODY_BYTES: usize = 512 << 10;
const WITHIN: Span = Span::millis(5);
/// What takes too long is measured again: caches may have been cold.
const TRIES: usize = 5;

#[tokio::test]
async fn no_source_takes_long_over_a_large_body() {
    let _alone = ALONE.lock().await;
    let limit = times(WITHIN, PLAN.room);
    let mut late = Vec::new();
    println!("\n{:<20}{:>8}  over 512 KiB of", "processor time", "ms");
    for source in sources::names().filter_map(sources::find) {
        let worst = bodies(source.name()).into_iter().map(|(what, body)| (read(source, body, limit), what)).max();
        let (took, what) = worst.expect("there are bodies");
        println!("{:<20}{:>8}  {what}", source.name(), ms(took));
        if took > limit {
            late.push(format!("{} takes {} ms over {what}", source.name(), ms(took)));
        }
    }
    assert!(late.is_empty(), "{} ms is the limit: {late:?}", ms(limit));
}

/// The smallest alerts there can be, so that half a mebibyte holds more of them than any sender has: each is a signal, and costs what a
/// signal costs.
#[tokio::test]
async fn an_alert_of_a_group_costs_little() {
    const EACH: Span = Span(5);
    let _alone = ALONE.lock().await;
    let alerts = |alert: &str| format!("{}{alert}", format!("{alert},").repeat(BODY_BYTES / (alert.len() + 1) - 2));
    let labelled = alerts(r#"{"labels":{"a":"b"}}"#);
    for (name, body) in [
        ("alertmanager", format!("{{\"alerts\":[{labelled}]}}")),
        ("grafana", format!("{{\"alerts\":[{}]}}", alerts(r#"{"fingerprint":1}"#))),
        ("alertmanager_api", format!("[{labelled}]")),
    ] {
        let source = sources::find(name).expect("it is registered");
        let count = body.matches("},{").count() + 1;
        let limit = times(times(EACH, count), PLAN.room);
        let took = read(source, Bytes::from(body), limit);
        println!("{name:<20}{:>8}  ms for {count} alerts", ms(took));
        assert!(took <= limit, "{name} takes {} ms for {count} alerts", ms(took));
    }
}

/// The least of a few tries, or the first within the limit.
fn read(source: &dyn Source, body: Bytes, limit: Span) -> Span {
    let integration = Integration {
        id: "shop".into(),
        source: source.name().to_owned(),
        service: "shop".into(),
        severity: AlertSeverity::Error,
        heartbeat: None,
        topics: Vec::new(),
        map: None,
        budget: Budget::default(),
    };
    let inbound = Inbound {
        method: "POST".to_owned(),
        path: format!("/hooks/{}/key", source.name()),
        headers: Vec::new(),
        body,
        sent: None,
        received_at: Time::from_seconds(1_767_571_200),
    };
    let mut least = Span(i64::MAX);
    for _ in 0..TRIES {
        let began = spent();
        let signals = source.read(&inbound, &integration);
        least = least.min(Span(spent().0 - began.0));
        assert!(!signals.is_empty());
        if least <= limit {
            break;
        }
    }
    least
}

/// The processor's time on this thread: whatever else the machine does is no part of it.
fn spent() -> Span {
    let at = clock_gettime(ClockId::ThreadCPUTime);
    Span(at.tv_sec * 1_000_000 + at.tv_nsec / 1_000)
}

/// The source's largest fixture, grown in the ways in which bodies grow, and what is no JSON at all.
fn bodies(source: &str) -> Vec<(&'static str, Bytes)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources").join(source);
    // A source whose bodies are no JSON is read with the others' noise alone.
    let fixtures = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let told = fixtures.filter(|path| !name(path).starts_with("odd_") && !name(path).ends_with(".expected.json"));
    let parsed = told.filter_map(|path| serde_json::from_slice::<Value>(&fs::read(path).expect("it can be read")).ok());
    let largest = parsed.filter(Value::is_object).max_by_key(|body| body.to_string().len()).unwrap_or_else(|| json!({}));

    let room = BODY_BYTES.saturating_sub(largest.to_string().len());
    let mut padded = largest.clone();
    padded["padding"] = Value::from("x".repeat(room));
    let mut wide = largest.clone();
    for n in 0..room / 128 {
        wide[format!("a field of the sender {n:05}")] = Value::from("in which the sender says what it has to say, ".repeat(2));
    }
    let texts = grown(&largest, |body, n| {
        each(body, &mut |value| {
            if let Value::String(text) = value {
                *text = text.repeat(n);
            }
        });
    });
    let lists = grown(&largest, |body, n| {
        each(body, &mut |value| {
            if let Value::Array(entries) = value {
                *entries = std::iter::repeat_n(entries.clone(), n).flatten().collect();
            }
        });
    });
    let tiny =
        |n: usize| (0..n).map(|n| (format!("{:x}", n.wrapping_mul(0x9e37_79b1) & 0xf_ffff), Value::from(n % 10))).collect::<Map<_, _>>();
    let mut fields = largest.clone();
    fields.as_object_mut().expect("an object").extend(tiny(room / 12));
    // Each object of the body, whatever it holds for the reader: its labels, its tags, its details.
    let objects = grown(&largest, |body, n| {
        each(body, &mut |value| {
            if let Value::Object(fields) = value {
                fields.extend(tiny(n));
            }
        });
    });
    let of = |text: &str| {
        let mut body = largest.clone();
        body["padding"] = Value::Null;
        let padding = format!("[{}{text}]", format!("{text},").repeat(room / (text.len() + 1)));
        Bytes::from(body.to_string().replace("\"padding\":null", &format!("\"padding\":{padding}")))
    };
    let left_open = grown(&largest, |body, n| {
        each(body, &mut |value| {
            if let Value::String(text) = value {
                *text = format!("{{{{{}}}}}", "${ ".repeat(n));
            }
        });
    });
    let twice = largest.to_string();
    let twice = format!("{{{}{}", "\"a\":1,".repeat(room / 6), twice.strip_prefix('{').expect("an object"));
    let cut = |text: String| Bytes::from(text.into_bytes()).slice(..BODY_BYTES);
    vec![
        ("its largest body and many tiny fields", Bytes::from(fields.to_string())),
        ("its largest body with tiny fields in each object", objects),
        ("its largest body and many tiny numbers", of("1")),
        ("its largest body and many tiny objects", of("{\"a\":1}")),
        ("its largest body and many deep lists", of(&format!("{}{}", "[".repeat(50), "]".repeat(50)))),
        ("its largest body with placeholders left open", left_open),
        ("its largest body after one name many times", Bytes::from(twice)),
        ("a list of empty objects", Bytes::from(format!("[{}{{}}]", "{},".repeat(BODY_BYTES / 3 - 1)))),
        (
            "a list of its largest body",
            Bytes::from(format!("[{}{{}}]", format!("{largest},").repeat(room / (largest.to_string().len() + 1)))),
        ),
        ("a form of many tiny fields", Bytes::from((0..BODY_BYTES / 9).map(|n| format!("{n:x}=1&")).collect::<String>())),
        ("its largest body and one long text", Bytes::from(padded.to_string())),
        ("its largest body and many fields", Bytes::from(wide.to_string())),
        ("its largest body with long texts", texts),
        ("its largest body with long lists", lists),
        ("brackets", cut("[".repeat(BODY_BYTES))),
        ("escapes", cut(format!("{{\"a\":\"{}", "\\u0041".repeat(BODY_BYTES / 6 + 1)))),
        ("a form", cut("a%20field=%7B%22b%22%3A1%7D&".repeat(BODY_BYTES / 27 + 1))),
        ("bytes that are no text", Bytes::from(vec![0xff; BODY_BYTES])),
    ]
}

/// Grown twice as far again and again, up to the size.
fn grown(body: &Value, grow: impl Fn(&mut Value, usize)) -> Bytes {
    let mut last = body.to_string();
    for n in (1..24).map(|power| 1 << power) {
        let mut next = body.clone();
        grow(&mut next, n);
        let next = next.to_string();
        if next.len() > BODY_BYTES || next.len() == last.len() {
            break;
        }
        last = next;
    }
    Bytes::from(last)
}

/// Every value, the inner ones first.
fn each(value: &mut Value, change: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| each(value, change)),
        Value::Array(entries) => entries.iter_mut().for_each(|value| each(value, change)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
    change(value);
}
