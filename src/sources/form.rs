//! One request's fields, however its sender sends them: in the query, as a form, as a form with files, as JSON.
//!
//! The body itself tells which it is, because the `Content-Type` of what people paste into a monitor is often wrong.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{field, reading};
use crate::base::inbound::Inbound;
use crate::base::limits;

/// The field in which some senders put their whole JSON.
const WHOLE: &str = "data";

/// The fields of the query and of the body, whose own count where both have one. Those that still hold the placeholder which the
/// sender should have filled in are absent.
///
/// # Errors
/// A sentence, when there is neither a query nor a body that can be read.
pub fn fields(inbound: &Inbound) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    if let Some((_, query)) = inbound.path.split_once('?') {
        pairs(query.as_bytes(), &mut fields);
    }
    let body = inbound.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&inbound.body).trim_ascii();
    match body.first() {
        None if fields.is_empty() => return Err("it is empty".to_owned()),
        None => {}
        Some(b'{' | b'[' | b'"') => fields.extend(reading::json_object(body)?),
        Some(b'-') if body.starts_with(b"--") => parts(body, &mut fields),
        Some(_) if body.contains(&b'=') => pairs(body, &mut fields),
        Some(_) => fields.extend(reading::json_object(body)?),
    }
    let whole = fields.get(WHOLE).and_then(Value::as_str).filter(|text| text.trim_start().starts_with('{'));
    let mut fields = match whole {
        Some(text) => reading::json_object(text.as_bytes())?,
        None => fields,
    };
    fields.retain(|_, value| !value.as_str().is_some_and(is_placeholder));
    Ok(fields)
}

/// Whether a query has a field of one of these names, filled in or not. Names are given plain.
pub fn has_any(query: &str, names: &[&str]) -> bool {
    let mut sent = form_urlencoded::parse(query.as_bytes()).take(limits::FORM_FIELDS);
    sent.any(|(name, _)| name == WHOLE || names.contains(&reading::plain(&name).as_str()))
}

/// `application/x-www-form-urlencoded`.
fn pairs(text: &[u8], fields: &mut Map<String, Value>) {
    for (name, value) in form_urlencoded::parse(text).take(limits::FORM_FIELDS) {
        fields.insert(name.into_owned(), Value::String(value.into_owned()));
    }
}

/// `multipart/form-data` (RFC 7578). Its first line is the boundary, whatever the header says.
fn parts(body: &[u8], fields: &mut Map<String, Value>) {
    let text = String::from_utf8_lossy(body);
    let (boundary, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let boundary = boundary.trim_end();
    if boundary.len() <= 2 {
        return;
    }
    for part in rest.split(boundary).take(limits::FORM_FIELDS) {
        let Some((head, value)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else { continue };
        let name = head.split_once("name=\"").and_then(|(_, rest)| rest.split_once('"'));
        if let Some((name, _)) = name {
            let value = value.strip_suffix('\n').map_or(value, |value| value.strip_suffix('\r').unwrap_or(value));
            fields.insert(name.to_owned(), Value::String(value.to_owned()));
        }
    }
}

/// `*alertType*`, `$CODE`, `$HOSTNAME$`, `{EVENT.ID}`, beside those of every [`field`]: what its sender should have put a value in the
/// place of.
fn is_placeholder(text: &str) -> bool {
    if field::is_placeholder(text) {
        return true;
    }
    let text = text.trim();
    let inner = [("*", "*"), ("$", "$"), ("{", "}")];
    let inner = inner.into_iter().find_map(|(open, close)| text.strip_prefix(open)?.strip_suffix(close));
    // `$5` is a price, and `$name` a shell's.
    let inner = inner.or_else(|| text.strip_prefix('$').filter(|name| !name.bytes().any(|byte| byte.is_ascii_lowercase())));
    inner.is_some_and(|name| {
        name.bytes().any(|byte| byte.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:#$@<> ".contains(&byte))
    })
}

/// Fields under their names in small letters and without punctuation: `monitorID`, `monitor_id` and `MONITOR-ID` are one.
pub struct Named(BTreeMap<String, Value>);

impl Named {
    /// # Errors
    /// A sentence, when the request has none: see [`fields`].
    pub fn read(inbound: &Inbound) -> Result<Self, String> {
        Ok(Self::of(fields(inbound)?))
    }

    pub fn of(fields: Map<String, Value>) -> Self {
        let mut named = BTreeMap::new();
        for (name, value) in fields.into_iter().take(limits::FORM_FIELDS) {
            named.entry(reading::plain(&name)).or_insert(value);
        }
        Self(named)
    }

    /// The first of these that is there, as text. Names are given plain.
    pub fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| reading::scalar(self.0.get(*name)))
    }

    /// The first of these that shows something, in one line.
    pub fn line(&self, names: &[&str]) -> Option<String> {
        let lines = names.iter().filter_map(|name| Some(reading::line(&reading::scalar(self.0.get(*name))?, limits::LABEL_CHARS)));
        lines.into_iter().find(|line| !line.is_empty())
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::base::time::Time;

    #[test]
    fn a_query_is_a_message_by_one_of_its_own_names() {
        for (query, is_message) in [
            ("", false),
            ("&", false),
            ("utm_source=x", false),
            ("utm_source=monitorID", false),
            ("monitorID=7", true),
            ("utm_source=x&monitor_id=7", true),
            ("MONITOR%2DID", true),
            // Not filled in: its sender has to hear of that.
            ("monitorID=*monitorID*", true),
            ("data=%7B%22monitorID%22%3A7%7D", true),
        ] {
            assert_eq!(has_any(query, &["monitorid"]), is_message, "{query}");
        }
    }

    fn inbound(path: &str, body: &str) -> Inbound {
        Inbound {
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            sent: None,
            received_at: Time(1),
        }
    }

    fn read(path: &str, body: &str) -> Result<Value, String> {
        fields(&inbound(path, body)).map(Value::Object)
    }

    #[test]
    fn one_question_has_the_same_fields_however_it_is_sent() {
        let wanted = Ok(json!({ "name": "Ünï & co", "state": "1" }));
        assert_eq!(read("/hooks/x/k?name=%C3%9Cn%C3%AF+%26%20co&state=1&left=*out*", ""), wanted);
        assert_eq!(read("/hooks/x/k", "name=%C3%9Cn%C3%AF+%26%20co&state=1&left=$OUT$"), wanted);
        assert_eq!(read("/hooks/x/k?state=2", "\u{feff} {\"name\":\"Ünï & co\",\"state\":\"1\",\"left\":\"{OUT.1}\"}"), wanted);
        let part = |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        assert_eq!(read("/hooks/x/k", &format!("{}{}--b--\r\n", part("name", "Ünï & co"), part("state", "1"))), wanted);
        let whole = part("data", "{\"name\":\"Ünï & co\",\"state\":\"1\"}");
        assert_eq!(read("/hooks/x/k", &format!("{whole}--b--\r\n")), wanted);
        assert_eq!(read("/hooks/x/k", &format!("{}--b--\n", whole.replace('\r', ""))), wanted);
    }

    #[test]
    fn what_has_no_fields_says_so() {
        for (body, why) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("[1]", "it is a list, not an object"),
            ("7", "it is a number, not an object"),
            ("{\"a\":", "it is not JSON (line 1, column 5)"),
            ("down", "it is not JSON (line 1, column 1)"),
            ("data={", "it is not JSON (line 1, column 1)"),
        ] {
            assert_eq!(read("/hooks/x/k", body), Err(why.to_owned()), "{body}");
        }
        assert_eq!(read("/hooks/x/k", "--\r\n\r\n--"), Ok(json!({})));
    }

    #[test]
    fn a_form_of_many_fields_is_read_up_to_the_limit() {
        let many: String = (0..limits::FORM_FIELDS + 9).map(|n| format!("f{n}=1&")).collect();
        assert_eq!(fields(&inbound("/hooks/x/k", &many)).expect("a form").len(), limits::FORM_FIELDS);
    }

    #[test]
    fn only_whole_placeholders_are_none() {
        for text in
            ["*alertType*", " *UNKNOWN* ", "$CODE", "$TAG1", "$HOSTNAME$", "$host.name$", "{EVENT.ID}", "{$ZABBIX.URL}", "{{ msg }}"]
        {
            assert!(is_placeholder(text), "{text}");
        }
        for text in
            ["", "*", "**", "$", "$5", "$5$", "$home", "{}", "{\"a\":1}", "a *b*", "DISK OK - $ROOT is full", "*two* words*\"", "{é}"]
        {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
