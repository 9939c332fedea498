//! What is kept of a body to be looked at: its beginning, with everything that looks like a secret taken out.

use std::fmt::Write as _;

use serde_json::Value;

use crate::base::limits;
use crate::base::mask::{MASK, Mask};

/// Names, or parts of names, whose values are nobody's business.
const SECRET_WORDS: [&str; 16] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "auth",
    "cookie",
    "credential",
    "private_key",
    "session",
    "signature",
    "routing_key",
    "service_key",
];

/// The first characters of a body as people can read them.
#[must_use]
pub fn excerpt(body: &[u8], masks: &Mask) -> String {
    let whole = (body.len() <= limits::EXCERPT_READ_BYTES).then(|| serde_json::from_slice::<Value>(body).ok()).flatten();
    let text = if let Some(mut value) = whole {
        mask(&mut value, masks);
        value.to_string()
    } else {
        let beginning = String::from_utf8_lossy(&body[..body.len().min(2 * limits::EXCERPT_BYTES)]);
        // Cut in the middle, a secret does not look like one.
        let whole = if body.len() > 2 * limits::EXCERPT_BYTES { without_last_word(&beginning) } else { &beginning };
        masked(&masks.text(whole))
    };
    let text = seen(&text);
    let end = (0..=limits::EXCERPT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let cut = if end < text.len() { "…" } else { "" };
    format!("{}{cut}", &text[..end])
}

/// What shows nothing, or turns what stands beside it round, as JSON writes it: whoever looks at a body must see what is in it.
fn seen(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for c in text.chars() {
        let is_hidden =
            matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if is_hidden || (c.is_control() && !matches!(c, '\n' | '\t')) {
            // Writing to a String cannot fail.
            write!(seen, "\\u{:04x}", u32::from(c)).unwrap_or_default();
        } else {
            seen.push(c);
        }
    }
    seen
}

fn without_last_word(text: &str) -> &str {
    text.rfind(|c: char| c.is_whitespace() || matches!(c, '"' | '&' | ',' | ';' | '<' | '>')).map_or("", |end| &text[..end])
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

fn mask(value: &mut Value, masks: &Mask) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if (is_secret(name) || masks.is_secret(name)) && !value.is_null() {
                    *value = Value::String(MASK.to_owned());
                } else {
                    mask(value, masks);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, masks)),
        Value::String(text) => *text = masked(&masks.text(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// In any other text, what follows the name of a secret is left out up to the end of its line or pair.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(['\n', '&']) {
        match secret_value_at(piece) {
            Some(at) => {
                out.push_str(&piece[..at]);
                out.push_str(MASK);
                out.push_str(&piece[piece.trim_end_matches(['\n', '&']).len()..]);
            }
            None => out.push_str(piece),
        }
    }
    out
}

/// Where the value of the first secret of this piece begins.
fn secret_value_at(piece: &str) -> Option<usize> {
    let small = piece.to_ascii_lowercase();
    let bearer = small.find("bearer ").map(|at| at + "bearer ".len());
    let named = SECRET_WORDS.iter().filter_map(|word| {
        let at = small.find(word)? + word.len();
        // The rest of the name and a quote may stand before the sign that ends it.
        let sign = small[at..].find([':', '='])?;
        let between = &small[at..at + sign];
        let is_name =
            between.len() <= 40 && between.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"' | '\'' | ' '));
        is_name.then_some(at + sign + 1)
    });
    named.chain(bearer).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excerpt(body: &[u8]) -> String {
        super::excerpt(body, &Mask::default())
    }

    #[test]
    fn secrets_stay_out_of_what_is_kept() {
        for body in [
            r#"{"title":"db down","access_token":"swordfish","request":{"headers":{"Authorization":"Bearer swordfish"},"Cookie":["swordfish"]}}"#,
            r#"{"title":"db down","url":"https://example.com/?a=1&api_key=swordfish&b=2"}"#,
            r#"{"title":"db down","message":"curl -H 'Authorization: Bearer swordfish'"}"#,
            r#"{"title":"db down","token":"swordfish","broken"#,
            "title=db down&password=swordfish&x=1",
            "title: db down\nAuthorization: Bearer swordfish\n",
        ] {
            let kept = excerpt(body.as_bytes());
            assert!(kept.contains("db down") && !kept.contains("swordfish"), "{body} -> {kept}");
        }
        assert!(excerpt(br#"{"url":"https://example.com/?a=1&api_key=swordfish&b=2"}"#).contains("b=2"));
    }

    #[test]
    fn what_hides_is_shown() {
        let body = "{\"title\":\"\u{202e}live\u{200b} \\u001b[2J\",\"x\":\"\u{9b}\"}";
        assert_eq!(excerpt(body.as_bytes()), r#"{"title":"\u202elive\u200b \u001b[2J","x":"\u009b"}"#);
        assert_eq!(excerpt(b"a\0\x1b[2Jb\n"), "a\\u0000\\u001b[2Jb\n");
    }

    #[test]
    fn any_bytes_give_a_short_text() {
        let deep = "[".repeat(100_000);
        for body in [
            &[0xff, 0xfe, 0x00][..],
            b"",
            deep.as_bytes(),
            &"é".repeat(40_000).into_bytes(),
            b"token",
            b"token=",
            "secret:\u{130}".as_bytes(),
        ] {
            assert!(excerpt(body).len() <= limits::EXCERPT_BYTES + "…".len());
        }
    }
}
