//! Whole numbers of more than 64 bits. The parser makes them inexact, and two identifiers that differ in their last digits would be one
//! key: they are read as texts, which is what `serde_json` with `arbitrary_precision` would do to every number there is.

/// The digits of `i64::MIN` and of `u64::MAX` without the first: a number with fewer is exact.
const EXACT: usize = 19;

/// The same JSON with such numbers as texts; `None`: it has none. What is given has been read as JSON before.
pub fn as_texts(json: &str) -> Option<String> {
    if !may_have_some(json) {
        return None;
    }
    let (mut made, mut copied, mut at) = (String::new(), 0, 0);
    let bytes = json.as_bytes();
    while at < bytes.len() {
        match bytes[at] {
            b'"' => at = after_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')).count();
                let number = &json[at..at + length];
                if is_inexact(number) {
                    made.extend([&json[copied..at], "\"", number, "\""]);
                    copied = at + length;
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    made.push_str(&json[copied..]);
    (copied > 0).then_some(made)
}

/// Whether a number that is inexact may stand anywhere. Of so many bytes in a row one is at a multiple of their number, and only those are
/// looked at first: nearly no body has so many digits in a row outside of its texts.
fn may_have_some(json: &str) -> bool {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += EXACT;
            continue;
        }
        let begins = at - bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let ends = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let begins = if begins > 0 && bytes[begins - 1] == b'-' { begins - 1 } else { begins };
        let before = if begins > 0 { bytes[begins - 1] } else { b' ' };
        if matches!(before, b'[' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n') && is_inexact(&json[begins..ends]) {
            return true;
        }
        // The next multiple after the row.
        at = (ends / EXACT + 1) * EXACT;
    }
    false
}

fn is_inexact(number: &str) -> bool {
    let is_whole = !number.contains(['.', 'e', 'E']);
    is_whole && number.len() >= EXACT && number.parse::<u64>().is_err() && number.parse::<i64>().is_err()
}

/// Where what follows the string that begins here begins.
fn after_string(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut escaped) = (from + 1, false);
    while at < bytes.len() && (escaped || bytes[at] != b'"') {
        escaped = !escaped && bytes[at] == b'\\';
        at += 1;
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::reading;
    use crate::base::clock::Stopwatch;
    use crate::base::limits;
    use crate::base::time::Span;

    #[test]
    fn a_number_that_the_parser_would_round_is_read_as_a_text() {
        for (body, read) in [
            ("123456789012345678901", json!("123456789012345678901")),
            ("-123456789012345678901", json!("-123456789012345678901")),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!("18446744073709551616")),
            ("-9223372036854775808", json!(i64::MIN)),
            ("-9223372036854775809", json!("-9223372036854775809")),
            ("1e400000000000000000000", Value::Null),
            ("100000000000000000000.0", json!(1e20)),
            ("100000000000000000000e0", json!(1e20)),
            (r#"["99999999999999999999", 1]"#, json!(["99999999999999999999", 1])),
            (
                r#"{"a\"": 99999999999999999999, "b": [99999999999999999998]}"#,
                json!({ "a\"": "99999999999999999999", "b": ["99999999999999999998"] }),
            ),
            // No JSON, with or without quotes around it.
            ("{99999999999999999999: 1}", Value::Null),
            ("099999999999999999999", Value::Null),
        ] {
            assert_eq!(reading::json(body.as_bytes()).unwrap_or_default(), read, "{body}");
        }
    }

    #[test]
    fn a_body_full_of_them_is_read_in_time() {
        let body = format!("[{}0]", "99999999999999999999,".repeat(40_000));
        let watch = Stopwatch::start();
        let read = reading::json(body.as_bytes()).expect("it is JSON");
        assert_eq!(read.as_array().map(Vec::len), Some(limits::JSON_VALUES));
        assert_eq!(read[limits::JSON_VALUES - 1], "99999999999999999999");
        assert!(watch.passed() < Span::seconds(5), "it took {}", watch.passed());
    }

    #[test]
    fn two_such_identifiers_are_two_keys() {
        let key = |id: &str| {
            let body = reading::json(format!("{{\"id\":{id}}}").as_bytes()).expect("it is JSON");
            reading::scalar(body.get("id")).map(|id| reading::key(&id))
        };
        let (one, other) = ("123456789012345678901", "123456789012345678902");
        assert_eq!((key(one).as_deref(), key(other).as_deref()), (Some(one), Some(other)));
    }
}
