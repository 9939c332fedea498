//! The published API descriptions, as tests/specs carries them, and whether an answer is as they say.

use super::*;

/// The description of calls.
pub(super) fn calls() -> Value {
    serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/specs/twilio_voice.json")))
        .expect("the description is JSON")
}

/// The description of texts.
pub(super) fn messages() -> Value {
    serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/specs/twilio_messages.json")))
        .expect("the description is JSON")
}

/// Checks a value against a schema of the description; a keyword that this does not know fails, so that nothing passes unread.
pub(super) fn check(spec: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        return check(spec, &spec["components"]["schemas"][name.rsplit('/').next().expect("a name")], value, at);
    }
    if value.is_null() {
        assert_eq!(schema["nullable"], json!(true), "{at} is null");
        return;
    }
    match schema["type"].as_str() {
        Some("object") => {
            let object = value.as_object().unwrap_or_else(|| panic!("{at} is no object: {value}"));
            if let Some(properties) = schema["properties"].as_object() {
                let names: Vec<_> = object.keys().collect();
                for name in properties.keys() {
                    assert!(object.contains_key(name), "{at} has no {name}; it has {names:?}");
                }
                for (name, value) in object {
                    assert!(properties.contains_key(name), "{at}.{name} is not described");
                    check(spec, &properties[name], value, &format!("{at}.{name}"));
                }
            } else {
                assert_eq!(schema["format"], "uri-map", "{at}");
                assert!(object.values().all(|uri| uri.as_str().is_some_and(|uri| uri.starts_with("/2010-04-01/"))), "{at}");
            }
        }
        Some("array") => {
            for (n, item) in value.as_array().unwrap_or_else(|| panic!("{at} is no array")).iter().enumerate() {
                check(spec, &schema["items"], item, &format!("{at}[{n}]"));
            }
        }
        Some("integer") => assert!(value.is_i64() || value.is_u64(), "{at} is no integer: {value}"),
        Some("string") => {
            let text = value.as_str().unwrap_or_else(|| panic!("{at} is no string: {value}"));
            if let Some(words) = schema["enum"].as_array() {
                assert!(words.contains(value), "{at} is {text}");
            }
            if let Some(pattern) = schema["pattern"].as_str() {
                let prefix =
                    pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix("[0-9a-fA-F]{32}$")).expect("a pattern this test reads");
                let mut kinds = prefix.trim_matches(['(', ')']).split('|');
                assert!(kinds.any(|kind| is_sid(kind, text)), "{at} is {text}, not {pattern}");
            }
            match schema["format"].as_str() {
                Some("date-time-rfc-2822") => {
                    let read = chrono::DateTime::parse_from_rfc2822(text).unwrap_or_else(|error| panic!("{at} is {text}: {error}"));
                    assert_eq!(read.format("%a, %d %b %Y %H:%M:%S +0000").to_string(), text, "{at}");
                }
                Some("currency") => assert!(text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()), "{at} is {text}"),
                Some("uri") => assert!(text.starts_with("/2010-04-01/"), "{at} is {text}"),
                Some("phone-number") => {
                    assert!(text.starts_with('+') && text[1..].bytes().all(|byte| byte.is_ascii_digit()), "{at} is {text}");
                }
                None => {}
                Some(other) => panic!("{at}: this test does not know the format {other}"),
            }
        }
        other => panic!("{at}: this test does not know the type {other:?}"),
    }
}

// --- Slack -----------------------------------------------------------------------------------------------------------

/// What Slack has added since the description was published: by the title of the schema, or by its name.
const YOUNGER: [(&str, &[&str]); 4] = [
    ("Message object", &["app_id", "edited"]),
    ("Conversation IM Channel Object from conversations.* methods", &["context_team_id", "updated"]),
    ("conversations.open success schema", &["no_op"]),
    ("User profile object", &["bot_id"]),
];

/// The description of Slack's Web API.
pub(super) fn slack() -> Value {
    serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/specs/slack_web.json"))).expect("the description is JSON")
}

/// Checks a method's answer against the description: a good one by its schema, an error by being one of those named.
pub(super) fn check_slack(spec: &Value, method: &str, answer: &Value) {
    let path = spec["paths"][format!("/{method}")].as_object().unwrap_or_else(|| panic!("{method} is not described"));
    let responses = &path.values().next().expect("a verb")["responses"];
    let code = if answer["ok"] == true { "200" } else { "default" };
    if let Err(why) = fits(spec, &responses[code]["schema"], answer, method) {
        panic!("{why}: {answer}");
    }
}

fn fits(spec: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        return fits(spec, &spec["definitions"][name.rsplit('/').next().expect("a name")], value, at);
    }
    let known = [
        "type",
        "title",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "pattern",
        "format",
        "minItems",
        "uniqueItems",
    ];
    if let Some(stranger) = schema.as_object().and_then(|schema| schema.keys().find(|name| !known.contains(&name.as_str()))) {
        panic!("{at}: this test does not know the keyword {stranger}");
    }
    // Where a schema may be one of several, this description lists them as items.
    if let (None, Some(several)) = (schema.get("type"), schema["items"].as_array()) {
        let tried: Vec<String> = several.iter().map_while(|one| fits(spec, one, value, at).err()).collect();
        return if tried.len() < several.len() { Ok(()) } else { Err(tried.join("; or ")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec![kind],
    };
    let is_number = kind == "integer" && allowed.contains(&"number");
    if !is_number && !allowed.contains(&kind) {
        return Err(format!("{at} is {kind}, not {}", allowed.join(" or ")));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Err(format!("{at} is {value}, none of {words:?}"));
    }
    match value {
        Value::String(text) => {
            if let Some(pattern) = schema["pattern"].as_str()
                && !matches(pattern, text)
            {
                return Err(format!("{at} is {text}, not {pattern}"));
            }
            match schema["format"].as_str() {
                Some("uri") if reqwest::Url::parse(text).is_err() => Err(format!("{at} is {text}, no URL")),
                Some("email") if !text.contains('@') => Err(format!("{at} is {text}, no address")),
                _ => Ok(()),
            }
        }
        Value::Array(items) => {
            if schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least) {
                return Err(format!("{at} is too short"));
            }
            items.iter().enumerate().try_for_each(|(n, item)| fits(spec, &schema["items"], item, &format!("{at}[{n}]")))
        }
        Value::Object(fields) => object(spec, schema, fields, at),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn object(spec: &Value, schema: &Value, fields: &serde_json::Map<String, Value>, at: &str) -> Result<(), String> {
    let title = schema["title"].as_str().unwrap_or_default();
    let younger = YOUNGER.iter().find(|(name, _)| *name == title).map_or(&[][..], |(_, names)| names);
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{at} ({title}) has no {name}"));
        }
    }
    for (name, value) in fields {
        match schema["properties"].get(name) {
            Some(property) => fits(spec, property, value, &format!("{at}.{name}"))?,
            None if schema["additionalProperties"] == false && !younger.contains(&name.as_str()) => {
                return Err(format!("{at}.{name} ({title}) is not described"));
            }
            None => {}
        }
    }
    Ok(())
}

/// The patterns of this description: a beginning, then so many capitals and digits.
fn matches(pattern: &str, text: &str) -> bool {
    if let Some(pattern) = pattern.strip_suffix("|^$") {
        return text.is_empty() || matches(pattern, text);
    }
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let body = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).expect("a pattern this test reads");
    match body {
        r"\d{10}\.\d{6}" | r"\\d{10}\\.\\d{6}" => {
            return text.split_once('.').is_some_and(|(seconds, rest)| digits(seconds, 10) && digits(rest, 6));
        }
        "([a-fA-F0-9]{6})?" | "[a-fA-F0-9]{6}" => return text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        _ => {}
    }
    let body = body.strip_prefix('(').and_then(|rest| rest.strip_suffix(")?")).unwrap_or(body);
    let (head, rest) = body.split_once("[A-Z0-9]{").expect("a pattern this test reads");
    let least: usize = rest.strip_suffix(",}").and_then(|least| least.parse().ok()).expect("a pattern this test reads");
    let heads = head.strip_prefix('[').and_then(|head| head.strip_suffix(']'));
    let tail = match heads {
        Some(heads) => text.strip_prefix(|c| heads.contains(c)),
        None => text.strip_prefix(head),
    };
    tail.is_some_and(|tail| tail.len() >= least && tail.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
}
