//! Fields of a body that a sender fills in from a template: as texts, as one line, as a list, or not filled in at all.

use serde_json::{Map, Value};

use super::reading::{line, scalar};
use crate::base::limits;

/// Whether a template left its placeholder standing: `{{rule.id}}`, `${resource.name}`.
pub fn is_placeholder(text: &str) -> bool {
    let text = text.trim();
    (text.starts_with("{{") && text.ends_with("}}")) || (text.starts_with("${") && text.ends_with('}'))
}

/// A field that was filled in, whole: a key must not be cut.
pub fn filled(object: &Map<String, Value>, name: &str) -> Option<String> {
    scalar(object.get(name)).filter(|text| !is_placeholder(text))
}

/// A field as one line that shows something and was filled in.
pub fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = line(&scalar(object.get(name))?, limits::TITLE_CHARS);
    (!text.is_empty() && !is_placeholder(&text)).then_some(text)
}

/// A list of words as one text, `a,b`; a single word counts as a list of one.
pub fn joined(value: Option<&Value>) -> Option<String> {
    let words = match value? {
        // More than a label holds need not be read.
        Value::Array(words) => words.iter().take(limits::LABEL_CHARS).filter_map(|word| scalar(Some(word))).collect::<Vec<_>>().join(","),
        one => scalar(Some(one))?,
    };
    (!words.trim().is_empty() && !is_placeholder(&words)).then_some(words)
}

/// True as JSON or as a text, as templates write it.
pub fn is_true(value: Option<&Value>) -> bool {
    scalar(value).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
}

/// A title of a name and its news. A long name is cut first, so that the news stays; news that is a paragraph leaves it a third.
pub fn headline(name: &str, joint: &str, news: &str) -> String {
    let most = limits::TITLE_CHARS;
    let news = line(news, most * 2 / 3);
    if news.is_empty() {
        return line(name, most);
    }
    let room = most.saturating_sub(joint.chars().count() + news.chars().count());
    line(&format!("{}{joint}{news}", line(name, room)), most)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_template_left_standing_is_absent() {
        let body =
            json!({ "a": "{{rule.id}}", "b": "${resource.name}", "c": " {{ x }} ", "d": "{{x}} is down", "e": 7, "f": " ", "g": "a\r\nb" });
        let body = body.as_object().expect("an object");
        for name in ["a", "b", "c", "f", "h"] {
            assert_eq!((filled(body, name), text(body, name), joined(body.get(name))), (None, None, None), "{name}");
        }
        assert_eq!(text(body, "d").as_deref(), Some("{{x}} is down"));
        assert_eq!((text(body, "e").as_deref(), text(body, "g").as_deref()), (Some("7"), Some("a b")));
        assert_eq!(joined(Some(&json!(["a", 7, null, {}]))).as_deref(), Some("a,7"));
    }

    #[test]
    fn of_a_long_name_the_news_stays() {
        let long = "n".repeat(limits::TITLE_CHARS);
        let title = headline(&long, ": ", "is down");
        assert!(title.ends_with("…: is down") && title.chars().count() == limits::TITLE_CHARS, "{title}");
        let title = headline(&long, ": ", &long);
        assert!(title.starts_with(&"n".repeat(limits::TITLE_CHARS / 4)) && title.chars().count() <= limits::TITLE_CHARS, "{title}");
        assert_eq!(headline("disk", ": ", " "), "disk");
    }
}
