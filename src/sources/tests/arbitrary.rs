//! Every source against requests that nobody made: any bytes, any headers, any content type, and JSON that is made of the words that
//! senders use but not as they use them.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// The names and the short texts of all fixtures: what readers look for, and what they tell cases by.
struct Words {
    names: Vec<String>,
    texts: Vec<String>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let (mut names, mut texts) = (BTreeSet::new(), BTreeSet::new());
    for source in REGISTRY {
        for fixture in fixtures(source.name()) {
            gather(&serde_json::from_slice(&fixture.body).unwrap_or(Value::Null), &mut names, &mut texts);
        }
    }
    Words { names: names.into_iter().collect(), texts: texts.into_iter().collect() }
});

fn gather(value: &Value, names: &mut BTreeSet<String>, texts: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            names.insert(name.clone());
            gather(value, names, texts);
        }),
        Value::Array(entries) => entries.iter().for_each(|entry| gather(entry, names, texts)),
        Value::String(text) if text.len() < 80 => drop(texts.insert(text.clone())),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => select(WORDS.texts.clone()).prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => select(vec!["", " ", "\u{0}", "\u{202e}", "reveille:unreadable", "https://a:b@c/", "[", "%", "é"]).prop_map(Value::from),
    ]
}

/// JSON in the senders' words.
fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 64, 8, |inner| {
        let name = prop_oneof![9 => select(WORDS.names.clone()), 1 => any::<String>()];
        prop_oneof![
            4 => vec((name, inner.clone()), 0..8).prop_map(|fields| Value::Object(fields.into_iter().collect())),
            1 => vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let encoded = |value: Value| form_urlencoded::byte_serialize(value.to_string().as_bytes()).collect::<String>();
    let fields = vec((select(WORDS.names.clone()), select(WORDS.texts.clone())), 0..8);
    prop_oneof![
        6 => value().prop_map(|value| value.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..512),
        1 => value().prop_map(move |value| format!("payload={}", encoded(value)).into_bytes()),
        1 => fields.prop_map(|fields| form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()),
        1 => value().prop_map(|value| {
            format!("--b\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{value}\r\n--b--\r\n").into_bytes()
        }),
    ]
}

fn header() -> impl Strategy<Value = (String, String)> {
    const CONTENT_TYPES: [&str; 9] = [
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json; charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "text/plain",
        "\u{0}",
        "",
    ];
    const NAMES: [&str; 12] = [
        "sentry-hook-resource",
        "x-github-event",
        "x-github-delivery",
        "ce-specversion",
        "ce-type",
        "ce-source",
        "ce-subject",
        "ce-time",
        "ce-",
        "x-amz-sns-message-type",
        "x-checkly-timestamp",
        "user-agent",
    ];
    const EVENTS: [&str; 8] =
        ["event_alert", "metric_alert", "issue", "workflow_run", "deployment_status", "check_run", "dependabot_alert", "Notification"];
    let said = prop_oneof![select(EVENTS.to_vec()).prop_map(str::to_owned), select(WORDS.texts.clone()), any::<String>()];
    prop_oneof![
        2 => select(CONTENT_TYPES.to_vec()).prop_map(|of| ("content-type".to_owned(), of.to_owned())),
        3 => (select(NAMES.to_vec()), said).prop_map(|(name, said)| (name.to_owned(), said)),
    ]
}

fn request() -> impl Strategy<Value = Inbound> {
    let query = vec((select(WORDS.names.clone()), select(WORDS.texts.clone())), 0..6)
        .prop_map(|fields| form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish());
    let path = prop_oneof![
        query.prop_map(|query| format!("/hooks/source/key?{query}")),
        any::<String>(),
        Just("/integrations/generic/20131114/alert/key/team".to_owned()),
    ];
    let method = select(vec!["POST", "GET", "OPTIONS", ""]).prop_map(str::to_owned);
    (method, path, vec(header(), 0..5), body()).prop_map(|(method, path, headers, body)| Inbound {
        method,
        path,
        headers,
        body: Bytes::from(body),
        sent: None,
        received_at: Time::from_seconds(1_767_571_200),
    })
}

/// What holds whatever was sent: it is read, the same each time, within the limits, and under a key.
fn holds(source: &dyn Source, request: &Inbound) {
    let integration = integration(source.name());
    let signals = source.read(request, &integration);
    assert!(!signals.is_empty(), "{} makes nothing of it", source.name());
    for signal in &signals {
        assert_within_limits(signal, source.name());
        assert_eq!(signal.integration, integration.id, "{}", source.name());
        let never = NEVER_RESOLVES.contains(&source.name()) && signal.action == Action::Resolve;
        assert!(!never, "{} never resolves", source.name());
    }
    assert_eq!(source.read(request, &integration), signals, "{} reads it in two ways", source.name());
    assert!(source.delivery(request).is_none_or(|delivery| !delivery.is_empty()), "{} has a delivery without a name", source.name());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_is_lost_and_none_breaks_a_reader(request in request()) {
        for source in REGISTRY.iter().copied() {
            holds(source, &request);
        }
    }
}

/// The fixtures with the headers of others, and with none: what a proxy drops or adds.
#[test]
fn no_body_is_lost_under_the_headers_of_another() {
    let all: Vec<(&dyn Source, Fixture)> =
        REGISTRY.iter().copied().flat_map(|source| fixtures(source.name()).into_iter().map(move |fixture| (source, fixture))).collect();
    let heads: BTreeSet<&str> = all.iter().map(|(_, fixture)| fixture.head.as_str()).collect();
    let mut noise = Noise(0x2019_0124_1117);
    let heads: Vec<&str> = heads.into_iter().collect();
    for (source, fixture) in &all {
        for source in [*source, REGISTRY[noise.next(REGISTRY.len())]] {
            holds(source, &inbound(source, "", &fixture.body));
            holds(source, &inbound(source, heads[noise.next(heads.len())], &fixture.body));
        }
    }
}

/// In the fixtures this word stands where senders have passwords, cookies and tokens.
#[test]
fn no_planted_secret_is_kept() {
    let mut planted = 0;
    for source in REGISTRY.iter().copied() {
        for Fixture { name, head, body, .. } in fixtures(source.name()) {
            planted += usize::from(String::from_utf8_lossy(&body).contains("swordfish"));
            let signals = source.read(&inbound(source, &head, &body), &integration(source.name()));
            assert!(!format!("{signals:?}").contains("swordfish"), "{}/{name}", source.name());
        }
    }
    assert!(planted > 5, "{planted} bodies have a secret to keep");
}
