//! Conditions that end an alert, read so that nothing is true by accident. Jinja orders values of different kinds by their kind, so that
//! `100 < "95"` is true, and calls any text true, also `"false"`. Here like is compared with like, and what cannot be told is a mistake.

use std::cmp::Ordering;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

type Compare = fn(&Value, &Value) -> Result<bool, Error>;

/// Names that no mapping would give: they stand for what compares and what judges.
const TRUTH: &str = "_reveille_truth";
/// And the tests that do the same: `a is lt 5`.
const COMPARE: [(&str, &str, &[&str], Compare); 8] = [
    ("==", "_reveille_same", &["eq", "equalto"], same),
    ("!=", "_reveille_other", &["ne"], |a, b| same(a, b).map(|is| !is)),
    ("<", "_reveille_less", &["lt", "lessthan"], |a, b| order(a, b).map(Ordering::is_lt)),
    (">", "_reveille_more", &["gt", "greaterthan"], |a, b| order(a, b).map(Ordering::is_gt)),
    ("<=", "_reveille_most", &["le"], |a, b| order(a, b).map(Ordering::is_le)),
    (">=", "_reveille_least", &["ge"], |a, b| order(a, b).map(Ordering::is_ge)),
    ("in", "_reveille_within", &["in"], within),
    ("not in", "_reveille_outside", &[], |a, b| within(a, b).map(|is| !is)),
];

/// Teaches a language the words that [`written`] uses.
pub fn teach(language: &mut Environment<'static>) {
    language.add_function(TRUTH, |value: Value| truth(&value));
    for (_, name, tests, compare) in COMPARE {
        language.add_function(name, move |a: Value, b: Value| compare(&a, &b));
        for test in tests {
            language.add_test(*test, move |a: Value, b: Value| compare(&a, &b));
        }
    }
}

/// The same expression in those words; `None` where it compares three things in a row, which says nothing.
pub fn written(expression: &str) -> Option<String> {
    condition(&tokens(expression))
}

fn mistake(kind: ErrorKind, detail: &'static str) -> Error {
    Error::new(kind, detail)
}

fn is_there(value: &Value) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() { Err(mistake(ErrorKind::UndefinedError, "nothing is there")) } else { Ok(()) }
}

/// A number, also one that arrived as a text.
fn number(value: &Value) -> Option<f64> {
    let number = match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok()?,
        ValueKind::String => value.as_str()?.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn truth(value: &Value) -> Result<bool, Error> {
    is_there(value)?;
    match (value.kind(), value.as_str().map(|text| text.trim().to_ascii_lowercase()).as_deref()) {
        (_, Some("true" | "yes" | "1")) => Ok(true),
        (_, Some("false" | "no" | "0" | "")) => Ok(false),
        (ValueKind::Bool | ValueKind::Number, _) => Ok(value.is_true()),
        _ => Err(mistake(ErrorKind::InvalidOperation, "it is neither true nor false")),
    }
}

fn same(a: &Value, b: &Value) -> Result<bool, Error> {
    is_there(a).and_then(|()| is_there(b))?;
    match (number(a), number(b)) {
        // Two texts are two versions as well as two numbers: 1.10 is not 1.1.
        _ if a.kind() == b.kind() => Ok(a == b),
        (Some(a), Some(b)) => Ok(a.total_cmp(&b).is_eq()),
        _ => Err(unlike()),
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering, Error> {
    is_there(a).and_then(|()| is_there(b))?;
    number(a).zip(number(b)).map(|(a, b)| a.total_cmp(&b)).ok_or_else(unlike)
}

fn unlike() -> Error {
    mistake(ErrorKind::InvalidOperation, "it compares what cannot be compared")
}

/// One of a list, or a part of a text.
fn within(a: &Value, b: &Value) -> Result<bool, Error> {
    is_there(a).and_then(|()| is_there(b))?;
    if let (Some(part), Some(text)) = (a.as_str(), b.as_str()) {
        return Ok(text.contains(part));
    }
    match b.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let mut unsure = Ok(false);
            for one in b.try_iter()? {
                match same(a, &one) {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(error) => unsure = Err(error),
                }
            }
            unsure
        }
        ValueKind::Map => Ok(!b.get_item(a)?.is_undefined()),
        _ => Err(unlike()),
    }
}

/// Words, texts in quotes, signs, and the blanks between them. What no expression has is the reader's own to refuse.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => quoted(rest, first),
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ if first.is_whitespace() => rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
            _ if ["==", "!=", "<=", ">="].iter().any(|sign| rest.starts_with(sign)) => 2,
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

/// Pieces between `and`, `or`, `not`, `if` and `else`, outside of brackets.
fn condition(tokens: &[&str]) -> Option<String> {
    let mut made = String::new();
    let mut began = 0;
    for (at, token) in outside(tokens) {
        let joins = match token {
            "and" | "or" | "if" | "else" => true,
            "not" => word(tokens, at, false) != Some("is") && word(tokens, at, true) != Some("in"),
            _ => false,
        };
        if joins {
            made = made + &piece(&tokens[began..at])? + " " + token + " ";
            began = at + 1;
        }
    }
    Some(made + &piece(&tokens[began..])?)
}

/// One comparison, a condition in brackets, or something that is true or not.
fn piece(tokens: &[&str]) -> Option<String> {
    let blank = |token: &&str| token.trim().is_empty();
    let (Some(first), Some(last)) = (tokens.iter().position(|token| !blank(token)), tokens.iter().rposition(|token| !blank(token))) else {
        return Some(String::new());
    };
    let tokens = &tokens[first..=last];
    let is_test = |at: usize| match word(tokens, at, false) {
        Some("not") => tokens[..at].iter().rposition(|token| *token == "not").and_then(|at| word(tokens, at, false)) == Some("is"),
        before => before == Some("is"),
    };
    let compares: Vec<(usize, &str)> =
        outside(tokens).filter(|(at, token)| COMPARE.iter().any(|(sign, ..)| sign == token) && !is_test(*at)).collect();
    let [(at, sign)] = compares[..] else {
        let in_brackets = tokens[0] == "(" && outside(tokens).all(|(at, token)| at == 0 || token != "(") && tokens.ends_with(&[")"]);
        return match (compares.is_empty(), in_brackets && outside(tokens).count() == 2) {
            (true, true) => condition(&tokens[1..tokens.len() - 1]).map(|inner| format!("({inner})")),
            (true, false) => Some(format!("{TRUTH}({})", tokens.concat())),
            (false, _) => None,
        };
    };
    let denied = sign == "in" && word(tokens, at, false) == Some("not");
    let until = if denied { tokens[..at].iter().rposition(|token| *token == "not")? } else { at };
    let sign = if denied { "not in" } else { sign };
    let (_, name, ..) = COMPARE.iter().find(|(other, ..)| *other == sign)?;
    Some(format!("{name}({}, {})", tokens[..until].concat().trim(), tokens[at + 1..].concat().trim()))
}

/// The tokens that stand in no brackets, with these, and without the members of something: `a.not`.
fn outside<'a>(tokens: &'a [&'a str]) -> impl Iterator<Item = (usize, &'a str)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        let before = depth;
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_member = at > 0 && tokens[at - 1] == ".";
        (before.min(depth) == 0 && !is_member && !token.trim().is_empty()).then_some((at, *token))
    })
}

/// The token before or after this one.
fn word<'a>(tokens: &[&'a str], at: usize, after: bool) -> Option<&'a str> {
    let is_word = |token: &&&str| !token.trim().is_empty();
    if after { tokens[at + 1..].iter().find(is_word).copied() } else { tokens[..at].iter().rev().find(is_word).copied() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_written_in_words_that_compare_like_with_like() {
        for (expression, expected) in [
            ("resolved", "_reveille_truth(resolved)"),
            ("a == 'x and y'", "_reveille_same(a, 'x and y')"),
            ("not a.status == \"b\\\"<\"", " not _reveille_same(a.status, \"b\\\"<\")"),
            ("a not in [1, 2] and b in c", "_reveille_outside(a, [1, 2]) and _reveille_within(b, c)"),
            (
                "(a or b) and not (c < d|int(default=1))",
                "(_reveille_truth(a) or _reveille_truth(b)) and  not (_reveille_less(c, d|int(default=1)))",
            ),
            ("(a) ~ (b) == c", "_reveille_same((a) ~ (b), c)"),
            ("(a) ~ (b)", "_reveille_truth((a) ~ (b))"),
            ("a is not none", "_reveille_truth(a is not none)"),
            ("a is not in [1]", "_reveille_truth(a is not in [1])"),
            ("a.in == b.not", "_reveille_same(a.in, b.not)"),
            ("a >= 1 if b else c", "_reveille_least(a, 1) if _reveille_truth(b) else _reveille_truth(c)"),
        ] {
            assert_eq!(written(expression).as_deref(), Some(expected), "{expression}");
        }
        assert_eq!(written("1 < a < 3"), None);
    }
}
