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
