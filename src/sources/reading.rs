//! What every source needs to read JSON from strangers: bounded, without control characters, and with a sentence for what is wrong.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::field::joined;
pub use super::form::{Named, fields, has_any};
pub use super::json::{as_object, json, json_group, json_list, json_object, json_whole, shape};
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::base::time::Time;
use crate::base::written::line_or_address;
pub use crate::base::written::line_within as line;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST_SECOND: i64 = 253_402_300_799;

/// A text, number or truth value as text; empty ones count as absent.
pub fn scalar(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// A text, number or truth value as one line that shows something, no longer than a title.
pub fn text(value: &Value) -> Option<String> {
    let text = line(&scalar(Some(value))?, limits::TITLE_CHARS);
    (!text.is_empty()).then_some(text)
}

/// An instant in RFC 3339.
pub fn instant(value: &Value) -> Option<Time> {
    rfc3339(value.as_str()?.trim())
}

/// `[shop/production] it broke`: where before what, as error trackers say it.
pub fn headline(places: &[Option<String>], what: &str) -> String {
    let places: Vec<&str> = places.iter().flatten().map(String::as_str).collect();
    let place = if places.is_empty() { String::new() } else { format!("[{}] ", line(&places.join("/"), limits::TITLE_CHARS / 3)) };
    line(&format!("{place}{what}"), limits::TITLE_CHARS)
}

/// A web address without its query, in which a secret may stand.
pub fn address(value: &Value) -> Option<String> {
    Some(url(value.as_str()?)?.split(['?', '#']).next()?.to_owned())
}

/// A dedup key as it came where that is possible, else its digest: over the limit, with characters the database or a log cannot
/// hold, or in Reveille's own name. Cutting it instead would make one alert of two.
pub fn key(text: &str) -> String {
    let plain = text.len() <= limits::DEDUP_KEY_BYTES && !text.chars().any(char::is_control) && !text.starts_with("reveille:");
    if plain { text.to_owned() } else { format!("sha256:{}", digest_hex(text.as_bytes())) }
}

/// Letters and digits alone, in small: how names are compared that people may write in several ways.
pub fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// A title: what it is about, which is cut first where it is long, and the news of it.
pub fn title(about: &str, news: &str) -> String {
    let news = line(news, limits::TITLE_CHARS);
    let room = limits::TITLE_CHARS.saturating_sub(news.chars().count() + 1).max(limits::TITLE_CHARS / 3);
    line(&format!("{} {news}", line(about, room)), limits::TITLE_CHARS)
}

/// Whether an address has a name before its host, and with it perhaps a password: such a one is shown nowhere.
pub fn has_login(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?', '#', '\\']).next().is_some_and(|host| host.contains('@'))
}

/// What stands for an address in a key.
pub fn address_key(address: &str) -> String {
    if has_login(address) { digest_hex(address.as_bytes()) } else { address.to_owned() }
}

/// A link that a page may show: http or https, bounded, in one piece, without a password.
pub fn url(text: &str) -> Option<String> {
    let text = text.trim();
    let (scheme, host) = text.split_once("://")?;
    let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)) && !host.is_empty() && !has_login(text);
    let whole = text.len() <= limits::URL_BYTES && !text.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"'`\\".contains(c));
    (is_web && whole).then(|| text.to_owned())
}

/// Seconds since the epoch; zero, negative ones and those past the year 9999 say nothing.
pub fn seconds(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    let whole = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    // A fraction of a second is dropped: the parser has already bounded the number.
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and the range is checked below")]
    let seconds = whole.or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
    (1..=LAST_SECOND).contains(&seconds).then_some(seconds)
}

/// Milliseconds since the epoch, within the same years.
pub fn millis(value: Option<&Value>) -> Option<Time> {
    let value = value?;
    let millis = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))?;
    (1..=LAST_SECOND).contains(&(millis / 1_000)).then(|| Time::from_millis(millis))
}

/// RFC 3339 within the years that can be written back; PagerDuty's clients and CloudWatch write zones without their colon.
pub fn rfc3339(text: &str) -> Option<Time> {
    let text = text.trim();
    let at = Time::parse_rfc3339(text).ok().or_else(|| {
        let (rest, minutes) = text.split_at_checked(text.len().checked_sub(2)?)?;
        Time::parse_rfc3339(&format!("{rest}:{minutes}")).ok()
    });
    at.filter(|at| (1..=LAST_SECOND).contains(&at.seconds()))
}

/// A time that its sender writes without a zone and means in UTC: `2023-07-31 18:56:15.374`.
pub fn utc(text: &str) -> Option<Time> {
    let text = text.trim().trim_end_matches('Z').replacen(' ', "T", 1);
    rfc3339(&format!("{text}Z"))
}

/// Labels within their limits, first come first kept.
#[derive(Debug, Default)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    pub fn put(&mut self, name: &str, value: &str) {
        // Before anything is done about it: a sender may have thousands of fields.
        if self.0.len() >= limits::LABELS {
            return;
        }
        let name = line(name, limits::LABEL_CHARS);
        let value = line_or_address(value, limits::LABEL_CHARS, limits::URL_BYTES);
        if !name.is_empty() && !value.is_empty() {
            self.0.entry(name).or_insert(value);
        }
    }

    /// An address, unless there is a password in it.
    pub fn put_address(&mut self, name: &str, address: &str) {
        if !has_login(address) {
            self.put(name, address);
        }
    }

    pub fn put_scalar(&mut self, name: &str, value: Option<&Value>) {
        match value {
            // Most are texts, which need no copy.
            Some(Value::String(text)) => self.put(name, text),
            _ if self.0.len() >= limits::LABELS => {}
            _ => self.put(name, &scalar(value).unwrap_or_default()),
        }
    }

    /// A link that a page may show; anything else is left out.
    pub fn put_url(&mut self, name: &str, value: Option<&Value>) {
        if let Some(link) = scalar(value).and_then(|text| url(&text)).filter(|link| !link.contains("${")) {
            self.put(name, &link);
        }
    }

    /// A list of words, `a,b`; a single word counts as a list of one.
    pub fn put_list(&mut self, name: &str, value: Option<&Value>) {
        self.put(name, &joined(value).unwrap_or_default());
    }

    /// Every field of an object under its own name.
    pub fn put_all(&mut self, object: Option<&Map<String, Value>>) {
        for (name, value) in object.into_iter().flatten() {
            self.put_scalar(name, Some(value));
        }
    }

    pub fn done(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// More can be put to them.
impl From<BTreeMap<String, String>> for Labels {
    fn from(labels: BTreeMap<String, String>) -> Self {
        Self(labels)
    }
}

/// The object under `name`; what is no object is an empty one, so that a reader needs no case for it.
pub fn object<'a>(parent: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    parent.get(name).and_then(Value::as_object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::alert::UNREADABLE_KEY;

    #[test]
    fn a_line_is_cut_by_characters_and_never_longer_than_the_limit() {
        assert_eq!(line("  a\r\nb\0c\tü  ", 10), "a b c ü");
        assert_eq!(line("ééééé", 5), "ééééé");
        assert_eq!(line("éééééé", 5), "éééé…");
        assert_eq!(line("abcd efgh", 5), "abcd…");
        assert_eq!(line("safe\u{202e}gnp.exe", 20), "safegnp.exe");
        assert_eq!(line("", 5), "");
    }

    #[test]
    fn two_long_keys_stay_two() {
        let long = "k".repeat(limits::DEDUP_KEY_BYTES);
        assert_eq!(key(&long), long);
        let (a, b) = (key(&format!("{long}a")), key(&format!("{long}b")));
        assert!(a != b && a.len() <= limits::DEDUP_KEY_BYTES);
        assert_ne!(key("a\0b"), key("ab"));
        assert_ne!(key(UNREADABLE_KEY), UNREADABLE_KEY);
    }

    #[test]
    fn only_web_links_are_kept() {
        assert_eq!(url(" https://example.com/a?b=c#d "), Some("https://example.com/a?b=c#d".to_owned()));
        for bad in
            ["javascript:alert(1)", "https://a b", "http://a\"onclick=", "//example.com", "", "https://é<", "data:text/html,x", "https://"]
        {
            assert_eq!(url(bad), None, "{bad}");
        }
        for login in ["https://ana:swordfish@example.com/", "HTTP://ana@example.com?a", "https://a@b\\c"] {
            assert_eq!(url(login), None, "{login}");
            assert!(!address_key(login).contains("ana"), "{login}");
        }
        assert!(url("https://example.com/@ana").is_some());
    }

    #[test]
    fn a_time_without_a_zone_is_read_in_utc() {
        let wanted = rfc3339("2023-07-31T18:56:15.374Z");
        assert!(wanted.is_some());
        for text in ["2023-07-31 18:56:15.374", "2023-07-31T18:56:15.374Z", " 2023-07-31T18:56:15.374 "] {
            assert_eq!(utc(text), wanted, "{text}");
        }
        assert_eq!(utc("2023-07-31"), None);
    }

    #[test]
    fn a_label_that_is_a_link_is_a_whole_one() {
        let link = format!("https://graphs.example/d/abc?{}", "panel=1&".repeat(100));
        let mut labels = Labels::default();
        labels.put("dashboardURL", &link);
        labels.put("endless", &link.repeat(4));
        labels.put("words", &"a long story ".repeat(50));
        let labels = labels.done();
        assert_eq!(labels.get("dashboardURL"), Some(&link));
        assert_eq!(labels.get("endless"), None);
        assert_eq!(labels["words"].chars().count(), limits::LABEL_CHARS);
    }

    #[test]
    fn of_a_long_title_the_news_stays() {
        assert_eq!(title("db-3", "is down: no answer"), "db-3 is down: no answer");
        let long = title(&"é".repeat(900), "is down");
        assert!(long.ends_with("… is down") && long.chars().count() == limits::TITLE_CHARS, "{long}");
        assert!(title("db-3", &"é".repeat(900)).starts_with("db-3 é"));
    }

    #[test]
    fn milliseconds_are_read_as_number_and_as_text() {
        for given in [json!(1_713_769_708_699_i64), json!("1713769708699")] {
            assert_eq!(millis(Some(&given)), Some(Time(1_713_769_708_699_000)), "{given}");
        }
        for absurd in [json!(0), json!(-1), json!(u64::MAX), json!(1e30), json!("soon"), json!(null)] {
            assert_eq!(millis(Some(&absurd)), None, "{absurd}");
        }
    }
}
