//! Every source against its folder of bodies, and all of them against noise.

mod monitors;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::base::time::Time;
use crate::base::written::is_address;
use crate::domain::setup::{AlertSeverity, Budget};

mod arbitrary;
mod keys;
mod made_up;
mod order;

fn folder(source: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sources").join(source)
}

fn integration(source: &str) -> Integration {
    Integration {
        id: "shop".into(),
        source: source.to_owned(),
        service: "shop".into(),
        severity: AlertSeverity::Error,
        heartbeat: None,
        topics: Vec::new(),
        map: None,
        budget: Budget::default(),
    }
}

fn read(source: &dyn Source, body: &[u8]) -> Vec<Signal> {
    source.read(&inbound(source, "", body), &integration(source.name()))
}

/// A request as its `.headers` file tells it: perhaps the request's line first, whose query counts, then one header a line. What
/// stands in angle brackets there stands for something that this sender makes up, and is left as it is.
fn inbound(source: &dyn Source, head: &str, body: &[u8]) -> Inbound {
    let mut inbound = Inbound {
        method: "POST".to_owned(),
        path: format!("/hooks/{}/key", source.name()),
        headers: Vec::new(),
        body: Bytes::copy_from_slice(body),
        sent: None,
        received_at: Time::from_seconds(1_767_571_200),
    };
    for line in head.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if let Some((method, path)) = line.strip_suffix(" HTTP/1.1").and_then(|line| line.split_once(' ')) {
            method.clone_into(&mut inbound.method);
            if let Some((_, query)) = path.split_once('?') {
                inbound.path = format!("{}?{query}", inbound.path);
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line} is no header"));
        inbound.headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    inbound
}

/// A signal as the expectations write it.
fn outcome(signal: &Signal) -> Value {
    json!({
        "dedup_key": signal.dedup_key,
        "title": signal.title,
        "severity": signal.severity.map(AlertSeverity::name),
        "action": signal.action,
        // To the microsecond: a resolve's is one after the last occurrence's.
        "at": signal.at.map(|at| format!("{} +{}us", Time::from_seconds(at.seconds()), at.0 - at.seconds() * 1_000_000)),
        "url": signal.url,
        "labels": signal.labels,
    })
}

/// One request of a sender, and what is expected of it.
struct Fixture {
    name: String,
    /// What its `.headers` file says, if it has one.
    head: String,
    body: Vec<u8>,
    expected: Value,
}

/// The bodies of a source: `NAME.json` (or `.form`, `.txt`, whatever the sender sends), `NAME.expected.json`, perhaps `NAME.headers`.
fn fixtures(source: &str) -> Vec<Fixture> {
    fixtures_in(&folder(source))
}

fn fixtures_in(folder: &Path) -> Vec<Fixture> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("a source is registered and has no fixtures in {}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be listed").file_name().into_string().expect("names are UTF-8"))
        .filter(|name| ![".expected.json", ".headers", ".md"].iter().any(|end| name.ends_with(end)))
        .collect();
    names.sort();
    let load = |name: String| {
        let body = fs::read(folder.join(&name)).expect("a fixture can be read");
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
        let path = folder.join(format!("{stem}.expected.json"));
        let expected = fs::read(&path).ok().and_then(|expected| serde_json::from_slice(&expected).ok());
        let expected = expected
            .or_else(|| writes().then_some(Value::Null))
            .unwrap_or_else(|| panic!("{name}: {} is missing or no JSON, and REVEILLE_WRITE=1 writes it", path.display()));
        let head = fs::read_to_string(folder.join(format!("{stem}.headers"))).unwrap_or_default();
        Fixture { name, head, body, expected }
    };
    names.into_iter().map(load).collect()
}

/// `REVEILLE_WRITE=1` writes down what the sources give, for a person to read, instead of comparing it.
fn writes() -> bool {
    std::env::var_os("REVEILLE_WRITE").is_some()
}

/// They tell what happened and never that it is over.
const NEVER_RESOLVES: &[&str] = &[
    // It tells of an error that is new or is back, and of nothing that people do about it.
    "airbrake",
    // Its notifications and stream alerts are sent when a condition is met, and nothing is sent when it no longer is.
    "graylog",
];

#[test]
fn every_source_reads_its_fixtures_as_expected() {
    for source in REGISTRY.iter().copied() {
        let (mut fires, mut resolves, mut odd) = (false, false, false);
        for Fixture { name, head, body, expected } in fixtures(source.name()) {
            let signals = source.read(&inbound(source, &head, &body), &integration(source.name()));
            let outcomes = Value::Array(signals.iter().map(outcome).collect());
            let printed = serde_json::to_string_pretty(&outcomes).expect("it prints");
            if writes() && outcomes != expected {
                let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
                fs::write(folder(source.name()).join(format!("{stem}.expected.json")), format!("{printed}\n")).expect("it is written");
            } else {
                assert_eq!(outcomes, expected, "{}/{name} gives\n{printed}", source.name());
            }
            fires |= signals.iter().any(|signal| signal.action == Action::Trigger);
            resolves |= signals.iter().any(|signal| signal.action == Action::Resolve);
            odd |= name.starts_with("odd_");
        }
        // A heartbeat fires by its silence, which is no body.
        fires |= source.name() == "heartbeat";
        let wanted = !NEVER_RESOLVES.contains(&source.name());
        assert_eq!(resolves, wanted, "{} needs a fixture that resolves, or never resolves and says so", source.name());
        assert!(fires && odd, "{} needs fixtures that fire, and odd ones", source.name());
    }
}

#[test]
fn every_folder_of_fixtures_belongs_to_a_source_and_tells_where_it_is_from() {
    let registered: BTreeSet<&str> = names().collect();
    assert_eq!(registered.len(), REGISTRY.len(), "two sources have one name");
    for entry in fs::read_dir(folder("")).expect("the fixtures are there") {
        let name = entry.expect("the folder can be listed").file_name().into_string().expect("names are UTF-8");
        assert!(registered.contains(name.as_str()), "{name} has fixtures and is not registered");
        assert!(folder(&name).join("SOURCES.md").exists(), "{name} does not say where its bodies are from");
    }
}

#[test]
fn a_late_retry_is_older_than_the_resolve_and_a_new_occurrence_is_newer() {
    let rollbar = find("rollbar").expect("registered");
    let at = |name: &str| {
        let body = fs::read(folder("rollbar").join(name)).expect("the fixture is there");
        read(rollbar, &body)[0].at.expect("it has a time")
    };
    // Published bodies of one item, in the order in which its life went.
    let (resolved, reopened, reactivated, velocity) =
        (at("resolved_item.json"), at("reopened_item.json"), at("reactivated_item.json"), at("item_velocity.json"));
    assert!(resolved < reopened && reopened < reactivated && reactivated < velocity);

    let event = |name: &str, last: i64, activated: i64| {
        let item = json!({ "id": 7, "title": "x", "last_occurrence_timestamp": last, "last_activated_timestamp": activated });
        let body = json!({ "event_name": name, "data": { "item": item } });
        read(rollbar, body.to_string().as_bytes())[0].at.expect("it has a time")
    };
    let resolved = event("resolved_item", 100, 100);
    assert!(event("new_item", 100, 100) < resolved, "the only occurrence, delivered days late");
    assert!(event("reactivated_item", 101, 101) > resolved, "it came back");
    // Reopened by hand at 200 without a new occurrence, then resolved again.
    assert!(event("reopened_item", 100, 200) > resolved);
    assert!(event("resolved_item", 100, 200) > event("reopened_item", 100, 200));
}

/// A sender's order: it triggers, it resolves, a retry of the trigger comes late, and later it triggers again. The last is told by
/// another time in the body of the first.
#[test]
fn late_retries_are_older_than_the_resolve_and_the_next_trigger_is_newer() {
    let lives = [
        ("azure", "common_schema_fired_COMPOSED", "common_schema_resolved", "2019-03-22T13:58:24.37", "2019-03-22T15:00:00.00"),
        ("azure", "AzureMonitorMetricAlert_Activated_2", "metric_deactivated", "2018-02-28T10:44:10.17", "2018-02-28T11:44:10.17"),
        ("azure", "classic_Activated_0", "classic_resolved", "2015-08-14T22:26:41.99", "2015-08-14T23:26:41.99"),
        ("azure", "service_health_active", "service_health_resolved", "2026-01-05T02:58:00Z", "2026-01-05T05:58:00Z"),
        ("azure", "resource_health_unavailable", "resource_health_available", "2026-01-05T02:58:00Z", "2026-01-05T05:58:00Z"),
        ("cloudwatch", "alarm", "ok_of_alarm", "2019-02-15T23:53:45.093", "2019-02-17T23:53:45.093"),
        ("cloudwatch", "alarm_with_arn", "ok_with_arn", "2026-01-05T03:00:00.093", "2026-01-05T05:00:00.093"),
        ("google-cloud", "legacy_v1.1_open", "legacy_v1.1_closed", "1499368214", "1499369214"),
        ("google-cloud", "v1.2_open", "v1.2_closed", "1577840461", "1577880000"),
        ("kibana", "rendered_firing_COMPOSED", "rendered_recovered_COMPOSED", "2026-02-12T11:30", "2026-02-12T12:30"),
        ("kibana", "firing_without_uuid", "recovered_without_uuid", "2026-02-12T11:30", "2026-02-12T12:30"),
        ("kibana", "guide_firing", "guide_recovered", "2026-02-12T11:30", "2026-02-12T12:30"),
        ("newrelic", "workflow_activated", "workflow_closed_by_hand", "1713769708699", "1713790008699"),
        ("newrelic", "legacy_open", "legacy_closed", "1601033007849", "1601034007849"),
        ("vmware", "alert", "cancelled", "1369757346267", "1369760346267"),
        ("vmware", "alert", "cancelled_without_update", "1369757346267", "1369760346267"),
    ];
    for (name, trigger, resolve, time, later) in lives {
        let source = find(name).expect("registered");
        let body = |stem: &str| fs::read_to_string(folder(name).join(format!("{stem}.json"))).expect("the fixture is there");
        let first = |body: &str| read(source, body.as_bytes()).remove(0);
        let (fires, ends, again) = (first(&body(trigger)), first(&body(resolve)), first(&body(trigger).replace(time, later)));
        assert_eq!((&fires.action, &ends.action), (&Action::Trigger, &Action::Resolve), "{name}/{trigger}");
        assert_eq!((&fires.dedup_key, &again.dedup_key), (&ends.dedup_key, &ends.dedup_key), "{name}/{trigger}");
        let (fires, ends, again) = (fires.at.expect("a time"), ends.at.expect("a time"), again.at.expect("a time"));
        assert!(fires < ends, "{name}/{resolve}: the late retry is stale, and the resolve is not");
        assert!(again > ends, "{name}/{trigger}: the next trigger counts");
    }
}

#[test]
fn an_acknowledgement_at_new_relic_is_newer_than_its_trigger() {
    let newrelic = find("newrelic").expect("registered");
    let first = |name: &str| read(newrelic, &fs::read(folder("newrelic").join(name)).expect("the fixture is there")).remove(0);
    for (trigger, by_hand) in [("workflow_activated", "workflow_acknowledged"), ("legacy_open", "legacy_acknowledged")] {
        let (fires, acknowledges) = (first(&format!("{trigger}.json")), first(&format!("{by_hand}.json")));
        assert_eq!(acknowledges.action, Action::Acknowledge);
        assert_eq!(fires.dedup_key, acknowledges.dedup_key);
        assert!(fires.at < acknowledges.at);
    }
}

/// A redelivery is told by the sender's own name for it, which no two deliveries share.
#[test]
fn a_delivery_is_named_as_its_sender_names_it() {
    let named = |source: &str, head: &str| {
        let source = find(source).expect("registered");
        source.delivery(&inbound(source, head, b""))
    };
    assert_eq!(named("honeycomb", "X-Honeycomb-Webhook-Delivery-ID: d-1").as_deref(), Some("d-1"));
    assert_eq!(named("cloudwatch", "x-amz-sns-message-id: m-1").as_deref(), Some("m-1"));
    assert_eq!(named("cloudwatch", ""), None);
}

/// What Kibana's guide says to paste, filled in, is read: it names no field that the reader does not know.
#[test]
fn the_template_of_kibanas_guide_is_what_is_read() {
    let kibana = find("kibana").expect("registered");
    let pasted = kibana.guide().split("```json").nth(1).and_then(|rest| rest.split("```").next()).expect("a template");
    let filled = |group: &str| pasted.replace("{{alert.actionGroup}}", group).replace("{{date}}", "2026-01-05T03:00:00.000Z");
    let filled =
        |group: &str| filled(group).replace("{{alert.uuid}}", "u-1").replace("{{rule.name}}", "Disk").replace("{{alert.id}}", "db-3");
    let (fires, ends) =
        (read(kibana, filled("threshold met").as_bytes()).remove(0), read(kibana, filled("recovered").as_bytes()).remove(0));
    assert_eq!((&fires.action, &ends.action), (&Action::Trigger, &Action::Resolve));
    assert_eq!((fires.dedup_key.as_str(), fires.title.as_str(), fires.severity), ("u-1", "Disk (db-3)", Some(AlertSeverity::Error)));
    assert!(fires.at.is_some() && fires.dedup_key == ends.dedup_key);
}

#[test]
fn no_access_token_is_kept() {
    let body = fs::read_to_string(folder("rollbar").join("reactivated_item.json")).expect("the fixture is there");
    let planted = body.replace("00000000000000000000000000000000", "swordfish");
    assert!(planted.contains("swordfish"));
    let signals = read(find("rollbar").expect("registered"), planted.as_bytes());
    assert!(!format!("{signals:?}").contains("swordfish"));
}

#[test]
fn no_password_of_a_watched_url_is_kept() {
    let body = fs::read(folder("pingdom").join("odd_password_in_url.json")).expect("the fixture is there");
    assert!(String::from_utf8_lossy(&body).contains("swordfish"));
    assert!(!format!("{:?}", read(find("pingdom").expect("registered"), &body)).contains("swordfish"));
}

#[test]
fn what_alertmanager_resolves_by_itself_and_sends_again_is_not_stale() {
    let alertmanager = find("alertmanager").expect("registered");
    let at = |status: &str, starts: &str, ends: &str| {
        let alert = json!({ "status": status, "fingerprint": "f", "labels": {}, "startsAt": starts, "endsAt": ends });
        read(alertmanager, json!({ "alerts": [alert] }).to_string().as_bytes())[0].at.expect("it has a time")
    };
    let (three, four, five) = ("2026-01-05T03:00:00Z", "2026-01-05T04:00:00Z", "2026-01-05T05:00:00Z");
    let (fires, resolved) = (at("firing", three, "0001-01-01T00:00:00Z"), at("resolved", three, four));
    assert!(resolved >= fires, "the resolve of a stretch counts");
    assert!(fires >= resolved, "so does the same stretch, when it goes on");
    assert!(at("firing", five, "0001-01-01T00:00:00Z") > resolved, "and the next one");
    assert!(resolved < at("firing", five, "0001-01-01T00:00:00Z"), "which a late resolve of the first does not end");
    // Who gives no beginning: the end of what fires is a guess that lies ahead, and no resolve may look older than it.
    let without = |status: &str| {
        let alert = json!({ "status": status, "fingerprint": "f", "labels": {}, "endsAt": five });
        read(alertmanager, json!({ "alerts": [alert] }).to_string().as_bytes())[0].at
    };
    assert_eq!((without("firing"), without("resolved")), (None, reading::rfc3339(five)));
}

#[test]
fn one_datadog_cycle_is_one_key_whatever_the_payload_and_the_event() {
    let datadog = find("datadog").expect("registered");
    let first = |name: &str| {
        let body = fs::read(folder("datadog").join(name)).expect("the fixture is there");
        read(datadog, &body).remove(0)
    };
    for payload in ["ours", "recommended", "default"] {
        let (fires, ends) = (first(&format!("{payload}_triggered.json")), first(&format!("{payload}_recovered.json")));
        assert_eq!((&fires.action, &ends.action), (&Action::Trigger, &Action::Resolve), "{payload}");
        assert_eq!(fires.dedup_key, ends.dedup_key, "{payload}");
        assert!(fires.at < ends.at, "{payload}");
    }
    // The real ones are the end of one cycle and the begin of the next.
    assert_eq!(first("rendered_triggered.json").dedup_key, first("rendered_recovered.json").dedup_key);
}

#[test]
fn a_group_over_its_limit_is_read_up_to_it_and_says_so() {
    let alertmanager = find("alertmanager").expect("registered");
    assert_eq!(alertmanager.body_cap(), 32 << 20);
    let alerts = |n: usize| Value::Array((0..n).map(|n| json!({ "fingerprint": n })).collect());
    let group = |n: usize| read(alertmanager, json!({ "alerts": alerts(n) }).to_string().as_bytes());
    assert!(group(limits::GROUP_ENTRIES).iter().all(|signal| signal.action == Action::Trigger));
    let over = group(limits::GROUP_ENTRIES + 1);
    assert_eq!(over.len(), limits::GROUP_ENTRIES + 1);
    assert!(over.last().is_some_and(|last| matches!(last.action, Action::Unreadable(_))));
}

#[test]
fn a_body_over_the_cap_leaves_an_alert() {
    let signal = oversized(&integration("rollbar"));
    assert_eq!(signal.dedup_key, UNREADABLE_KEY);
    assert_eq!(signal.title, "Rollbar sent a body that cannot be read: it is over the limit of 1048576 bytes");
    assert!(matches!(signal.action, Action::Unreadable(_)));
}

#[test]
fn a_batch_over_its_limit_is_one_complaint() {
    let generic = find("generic").expect("registered");
    let batch = |n: usize| read(generic, Value::Array((0..n).map(|n| json!({ "title": n.to_string() })).collect()).to_string().as_bytes());
    assert_eq!(batch(limits::BATCH_ENTRIES).len(), limits::BATCH_ENTRIES);
    let over = batch(limits::BATCH_ENTRIES + 1);
    assert!(over.len() == 1 && matches!(over[0].action, Action::Unreadable(_)), "{over:?}");
}

/// A generator with a seed: a failure names the round, and the round replays.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % below.max(1)
    }
}

/// A body that is still JSON, with one to four of its values exchanged for what a template, a script or an attacker may put there.
fn exchange(value: &mut Value, noise: &mut Noise) {
    let inner = match value {
        Value::Object(fields) if !fields.is_empty() => {
            let n = noise.next(fields.len());
            fields.values_mut().nth(n)
        }
        Value::Array(entries) if !entries.is_empty() => {
            let n = noise.next(entries.len());
            entries.get_mut(n)
        }
        _ => None,
    };
    if let Some(inner) = inner.filter(|_| noise.next(4) > 0) {
        return exchange(inner, noise);
    }
    *value = match noise.next(10) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(u64::MAX),
        3 => json!(1e300),
        4 => json!([value.clone(), value.clone()]),
        5 => json!({ "\u{0}": value.clone() }),
        6 => json!("\u{0}\u{1}\r\n\u{7f}\u{85}"),
        7 => json!("\u{202e}\u{10ffff}é".repeat(noise.next(400))),
        8 => json!("reveille:unreadable"),
        _ => json!("999999999999"),
    };
}

/// One body, damaged in one to four places the way networks, proxies and templates damage bodies.
fn damage(body: &[u8], noise: &mut Noise) -> Vec<u8> {
    const SCRAPS: [&[u8]; 14] = [
        b"\0",
        b"\"",
        b"{",
        b"]",
        b"null",
        b"-1",
        b"1e308",
        b"\\u0000",
        b"\\ud800",
        b"\xff\xfe",
        b"\r\n",
        "\u{202e}".as_bytes(),
        b"[[[[[[",
        b"true",
    ];
    let mut body = body.to_vec();
    for _ in 0..=noise.next(4) {
        let at = noise.next(body.len() + 1);
        let until = (at + noise.next(24)).min(body.len());
        match noise.next(6) {
            0 => body.truncate(at),
            1 => drop(body.drain(at..until)),
            2 => drop(body.splice(at..at, SCRAPS[noise.next(SCRAPS.len())].iter().copied())),
            3 => drop(body.splice(at..until, SCRAPS[noise.next(SCRAPS.len())].iter().copied())),
            4 if at < body.len() => body[at] = u8::try_from(noise.next(256)).unwrap_or(0),
            _ => drop(body.splice(at..at, body[at..until].repeat(noise.next(80)))),
        }
    }
    body
}

fn assert_within_limits(signal: &Signal, context: &str) {
    let storable = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
    assert!(!signal.dedup_key.is_empty() && signal.dedup_key.len() <= limits::DEDUP_KEY_BYTES, "{context}: {signal:?}");
    assert!(storable(&signal.dedup_key, limits::DEDUP_KEY_BYTES), "{context}: {signal:?}");
    assert!(!signal.title.is_empty() && storable(&signal.title, limits::TITLE_CHARS), "{context}: {signal:?}");
    assert!(signal.url.as_ref().is_none_or(|url| url.starts_with("http") && url.len() <= limits::URL_BYTES), "{context}: {signal:?}");
    assert!(signal.at.is_none_or(|at| at > Time(0) && at.rfc3339().len() == 24), "{context}: {signal:?}");
    assert!(signal.labels.len() <= limits::LABELS, "{context}: {signal:?}");
    for (name, value) in &signal.labels {
        assert!(
            !name.is_empty()
                && storable(name, limits::LABEL_CHARS)
                && storable(value, if is_address(value) { limits::URL_BYTES } else { limits::LABEL_CHARS }),
            "{context}: {name}={value}"
        );
    }
    match &signal.action {
        Action::Trigger | Action::Resolve | Action::Acknowledge | Action::Remark(_) => {
            assert_ne!(signal.dedup_key, UNREADABLE_KEY, "{context}");
        }
        Action::Unreadable(why) => {
            assert!(signal.dedup_key == UNREADABLE_KEY && storable(why, limits::TITLE_CHARS), "{context}: {signal:?}");
        }
        Action::Change(what) | Action::Ignore(what) => assert!(storable(what, limits::TITLE_CHARS), "{context}: {signal:?}"),
    }
}

#[test]
fn no_damage_to_a_body_loses_it_or_breaks_a_limit() {
    let bodies: Vec<_> =
        REGISTRY.iter().copied().flat_map(|source| fixtures(source.name()).into_iter().map(move |body| (source, body))).collect();
    let mut noise = Noise(0x2015_0729_0300);
    let mut unreadable = 0;
    for round in 0..20_000 {
        let (source, Fixture { name, head, body, .. }) = &bodies[noise.next(bodies.len())];
        let damaged = match serde_json::from_slice::<Value>(body) {
            Ok(mut value) if noise.next(2) == 0 => {
                (0..=noise.next(4)).for_each(|_| exchange(&mut value, &mut noise));
                value.to_string().into_bytes()
            }
            Ok(_) | Err(_) => damage(body, &mut noise),
        };
        let signals = source.read(&inbound(*source, head, &damaged), &integration(source.name()));
        let context = format!("round {round}, {}/{name}", source.name());
        assert!(!signals.is_empty(), "{context} gives nothing");
        for signal in &signals {
            assert_within_limits(signal, &context);
        }
        unreadable += usize::from(matches!(signals[0].action, Action::Unreadable(_)));
    }
    // The damage must neither spare every body nor spoil them all, or this tests half of the readers only.
    assert!((2_000..18_000).contains(&unreadable), "{unreadable} of 20,000 were unreadable");
}

#[test]
fn every_guide_says_what_to_paste_where() {
    for source in REGISTRY {
        let (name, guide) = (source.name(), source.guide());
        assert!(guide.contains("{url}") || (guide.contains("{server}") && guide.contains("{key}")), "{name} does not say what to paste");
        assert!(guide.ends_with('\n') && guide.lines().count() > 1, "{name} says too little");
        assert!(!guide.contains('<') || guide.contains('`'), "{name} has HTML, which is shown as it stands");
    }
}

/// What people paste from a guide has to do what the guide says.
#[test]
fn the_guide_of_generic_fires_and_resolves_as_it_says() {
    let source = find("generic").expect("there is one");
    let pasted: Vec<&str> = source.guide().lines().filter_map(|line| line.split_once("--json '")?.1.strip_suffix('\'')).collect();
    let [fires, resolves, changes] = pasted[..] else { panic!("{pasted:?}") };
    let changed = read(source, changes.as_bytes());
    assert!(matches!(changed[..], [Signal { action: Action::Change(_), .. }]), "{changed:?}");
    let (fired, resolved) = (read(source, fires.as_bytes()), read(source, resolves.as_bytes()));
    assert!(matches!(fired[..], [Signal { action: Action::Trigger, .. }]), "{fired:?}");
    assert!(matches!(resolved[..], [Signal { action: Action::Resolve, .. }]), "{resolved:?}");
    assert_eq!(resolved[0].dedup_key, fired[0].dedup_key);
}
