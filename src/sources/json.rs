//! A stranger's JSON: read within bounds of depth and of size, so that no body holds up the intake, with a sentence for what is wrong.
//!
//! To keep a value costs a hundred times what it costs to pass over one. So of a body only so many values are kept, and each list and
//! object has at most half of what is left: what follows a huge one is still read.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::digits;
use crate::base::limits;

/// The body as JSON, or a sentence that says why it is none. Of one that is far larger than any sender's the rest is left out.
pub fn json(body: &[u8]) -> Result<Value, String> {
    read(body, &Room::shared(limits::JSON_VALUES), Part::Inner)
}

/// The body as a JSON object, or a sentence that says why it is none.
pub fn json_object(body: &[u8]) -> Result<Map<String, Value>, String> {
    object(json(body)?)
}

/// The body as JSON of which nothing may be left out, because each entry of a list is an alert.
pub fn json_whole(body: &[u8]) -> Result<Value, String> {
    let most = limits::JSON_WHOLE_VALUES.max(body.len() / limits::JSON_VALUE_BYTES);
    let room = Room { is_shared: false, ..Room::shared(most) };
    let value = read(body, &room, Part::Inner)?;
    if room.is_cut.get() {
        return Err(format!("it has more than {most} values, or more than {} fields in one object", limits::JSON_FIELDS));
    }
    Ok(value)
}

/// A group of alerts: an object whose list `alerts` is there to the last, each with bounds of its own.
pub fn json_group(body: &[u8]) -> Result<Value, String> {
    read(body, &Room::shared(limits::JSON_VALUES), Part::Group { most: most_alerts(body.len()) })
}

/// A list of alerts, which is there to the last, each with bounds of its own.
pub fn json_list(body: &[u8]) -> Result<Value, String> {
    read(body, &Room::shared(limits::JSON_VALUES), Part::Alerts { most: most_alerts(body.len()) })
}

/// Where there are more entries than this, some are too small to be alerts, and the reader complains of those.
fn most_alerts(bytes: usize) -> usize {
    bytes / limits::ALERT_BYTES + 1
}

/// The fields of what must be an object, or a sentence that says what it is instead.
pub fn as_object(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(|| no_object(value))
}

fn object(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(fields) => Ok(fields),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => Err(no_object(&other)),
    }
}

fn no_object(value: &Value) -> String {
    format!("it is {}, not an object", shape(value))
}

/// What a value is, for a sentence about a wrong one.
pub fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn read(body: &[u8], room: &Room, part: Part) -> Result<Value, String> {
    // Some senders on Windows put a byte order mark first.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("it is empty".to_owned());
    }
    let text = std::str::from_utf8(body).map_err(|error| format!("it is not UTF-8 from byte {} on", error.valid_up_to()))?;
    if too_deep(text) {
        return Err(format!("it is nested more than {} levels deep", limits::JSON_DEPTH));
    }
    let room_left = room.left.get();
    let parse = |text: &str| {
        room.left.set(room_left);
        let mut parser = serde_json::Deserializer::from_str(text);
        Reader { room, reserve: 0, part }.deserialize(&mut parser).and_then(|value| parser.end().map(|()| value))
    };
    // The parser's own words would quote the body; the place is enough to find the fault.
    let value = parse(text).map_err(|error| format!("it is not JSON (line {}, column {})", error.line(), error.column()))?;
    Ok(digits::as_texts(text).and_then(|text| parse(&text).ok()).unwrap_or(value))
}

/// Counted before anything is built, so that no body can exhaust the stack.
fn too_deep(text: &str) -> bool {
    // One pass without branches tells of nearly every body that it cannot be: it has not as many brackets at all.
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() <= limits::JSON_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limits::JSON_DEPTH {
            return true;
        }
    }
    false
}

/// How many values may still be kept, and whether one was left out.
struct Room {
    left: Cell<usize>,
    is_cut: Cell<bool>,
    /// Whether something is held back for what follows a list or an object.
    is_shared: bool,
}

impl Room {
    fn shared(values: usize) -> Self {
        Self { left: Cell::new(values), is_cut: Cell::new(false), is_shared: true }
    }
}

#[derive(Clone, Copy)]
enum Part {
    Group {
        most: usize,
    },
    /// The list of alerts itself.
    Alerts {
        most: usize,
    },
    Inner,
}

/// Reads one value, and may not take the reserve, which is for what follows it.
#[derive(Clone, Copy)]
struct Reader<'a> {
    room: &'a Room,
    reserve: usize,
    part: Part,
}

impl<'a> Reader<'a> {
    /// For what is inside of this.
    fn inner(self) -> Reader<'a> {
        let held_back = if self.room.is_shared { self.room.left.get().saturating_sub(self.reserve) / 2 } else { 0 };
        Reader { reserve: self.reserve + held_back, part: Part::Inner, ..self }
    }

    /// Whether one more value may be kept, which is then taken off.
    fn takes(self) -> bool {
        let left = self.room.left.get();
        let takes = left > self.reserve;
        self.room.left.set(left - usize::from(takes));
        takes
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<Value, D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        if let Part::Alerts { most } = self.part {
            while entries.len() < most {
                let room = Room::shared(limits::JSON_ENTRY_VALUES);
                let reader = Reader { room: &room, reserve: 0, part: Part::Inner };
                let Some(entry) = list.next_element_seed(reader)? else { return Ok(Value::Array(entries)) };
                entries.push(entry);
            }
        } else {
            while self.takes() {
                let Some(entry) = list.next_element_seed(self.inner())? else { return Ok(Value::Array(entries)) };
                entries.push(entry);
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            self.room.is_cut.set(true);
        }
        Ok(Value::Array(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while self.takes() {
            let Some(name) = map.next_key::<String>()? else { return Ok(Value::Object(fields)) };
            let part = match self.part {
                Part::Group { most } if name == "alerts" => Part::Alerts { most },
                Part::Group { .. } | Part::Alerts { .. } | Part::Inner => Part::Inner,
            };
            let value = map.next_value_seed(Reader { part, ..self.inner() })?;
            fields.insert(name, value);
            // No alert has as many: what keeps it whole are its lists.
            if fields.len() >= limits::JSON_FIELDS {
                break;
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            self.room.is_cut.set(true);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_larger_than_a_senders_is_read_as_it_is() {
        for text in [
            r#"{"a":[1,-2,0.5,1e300,"x\n\u00e9",null,true,{"b":{}},[]],"a b":"é","n":18446744073709551615,"m":-9223372036854775808}"#,
            "7",
            "\"a\"",
            "null",
            "[[[]]]",
        ] {
            let plain: Value = serde_json::from_str(text).expect("JSON");
            for read in [json, json_whole, json_group, json_list] {
                assert_eq!(read(text.as_bytes()), Ok(plain.clone()), "{text}");
            }
        }
        assert_eq!(json(br#"{"a":1,"a":2}"#), Ok(json!({ "a": 2 })), "the last of two counts");
    }

    #[test]
    fn what_is_no_json_says_where() {
        for (text, place) in
            [("{\"a\":", "line 1, column 5"), ("{}\n x", "line 2, column 2"), ("[1,]", "line 1, column 4"), ("1e999", "line 1, column 5")]
        {
            for read in [json, json_whole, json_group, json_list] {
                assert_eq!(read(text.as_bytes()), Err(format!("it is not JSON ({place})")), "{text}");
            }
        }
    }

    #[test]
    fn nesting_is_counted_outside_of_texts_only() {
        let deep = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
        assert!(json(deep(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert!(json(deep(limits::JSON_DEPTH + 1).as_bytes()).is_err());
        assert!(json(format!("\"\\\"{}\\\\\"", "[".repeat(500)).as_bytes()).is_ok());
    }

    /// However many huge things stand before it, what a reader looks for is there, and what is cut is still read to its end.
    #[test]
    fn what_follows_a_huge_list_is_still_read() {
        let huge = format!("[{}1]", "1,".repeat(limits::JSON_VALUES * 2));
        let body = format!("{{\"a\":{huge},\"b\":{{\"c\":{huge}}},\"state\":{{\"is\":\"over\"}}}}");
        let read = json(body.as_bytes()).expect("JSON");
        assert_eq!(read["state"]["is"], "over");
        let kept = read["a"].as_array().map_or(0, Vec::len) + read["b"]["c"].as_array().map_or(0, Vec::len);
        assert!((limits::JSON_VALUES / 2..limits::JSON_VALUES).contains(&kept), "{kept}");
        assert!(json(body.trim_end_matches('}').as_bytes()).is_err());
    }

    /// An entry left out would be an alert that nobody hears of.
    #[test]
    fn no_entry_of_a_list_of_alerts_is_left_out() {
        let list = |n: usize| format!("[{0}{{\"a\":\"an alert\"}}]", "{\"a\":\"an alert\"},".repeat(n - 1));
        let many = limits::JSON_WHOLE_VALUES * 2;
        let whole = json_whole(list(many).as_bytes());
        assert!(whole.as_ref().is_err_and(|why| why.starts_with("it has more than")), "{whole:?}");
        let some = limits::JSON_WHOLE_VALUES / 3;
        let inside = format!("{{\"data\":{{\"items\":{}}}}}", list(some));
        let inside = json_whole(inside.as_bytes()).expect("JSON");
        assert_eq!(inside["data"]["items"].as_array().map(Vec::len), Some(some));
        let alone = json_list(list(many).as_bytes()).expect("JSON");
        assert_eq!(alone.as_array().map(Vec::len), Some(many));
        let group = json_group(format!("{{\"x\":{0},\"alerts\":{0}}}", list(many)).as_bytes()).expect("JSON");
        assert_eq!(group["alerts"].as_array().map(Vec::len), Some(many));
        assert!(group["x"].as_array().is_some_and(|list| list.len() < limits::JSON_VALUES));
    }

    /// What decides may stand after them, so the body as a whole is refused, and its alert says so.
    #[test]
    fn an_object_of_more_fields_than_any_alert_has_is_not_read_in_part() {
        let object = |n: usize| format!("{{{}\"state\":\"resolved\"}}", (1..n).map(|n| format!("\"{n}\":0,")).collect::<String>());
        let whole = |n| json_whole(format!("[{}]", object(n)).as_bytes());
        assert_eq!(whole(limits::JSON_FIELDS).expect("JSON")[0]["state"], "resolved");
        let refused = whole(limits::JSON_FIELDS + 1);
        assert!(refused.as_ref().is_err_and(|why| why.ends_with("2048 fields in one object")), "{refused:?}");
    }

    #[test]
    fn what_is_too_small_to_be_an_alert_is_not_counted_to_the_last() {
        let body = format!("[{}{{}}]", "{},".repeat(10_000));
        let read = json_list(body.as_bytes()).expect("JSON");
        assert_eq!(read.as_array().map(Vec::len), Some(body.len() / limits::ALERT_BYTES + 1));
    }
}
