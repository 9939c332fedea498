//! A matcher of routing rules and silences, written as Alertmanager writes it: `team="db"`, `env!="dev"`, `host=~"db-.*"`,
//! `job!~"batch|cron"`.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#matcher> and Alertmanager's `pkg/labels/matcher.go`: a label that is not
//! there counts as an empty one, and a regular expression has to match the whole value. As in Prometheus 3 a point stands for the end of a
//! line, too.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::base::limits;

/// One comparison of one name with one value. What is stored and cannot be read any more never matches, and says so.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Matcher {
    text: String,
    read: Result<Read, Wrong>,
}

#[derive(Debug, Clone)]
struct Read {
    name: String,
    operator: Operator,
    value: String,
    /// Of an operator that takes one, compiled once in this process.
    regex: Option<Regex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equal,
    NotEqual,
    Matches,
    MatchesNot,
}

impl Operator {
    /// The longer ones first, as a reader must try them.
    const ALL: [Self; 4] = [Self::Matches, Self::MatchesNot, Self::NotEqual, Self::Equal];

    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }

    /// Whether it compares with a regular expression.
    #[must_use]
    pub const fn is_pattern(self) -> bool {
        match self {
            Self::Matches | Self::MatchesNot => true,
            Self::Equal | Self::NotEqual => false,
        }
    }

    /// Whether it wants what is equal, or like the pattern.
    #[must_use]
    pub const fn is_equal(self) -> bool {
        match self {
            Self::Equal | Self::Matches => true,
            Self::NotEqual | Self::MatchesNot => false,
        }
    }

    /// As those name it who know a pattern and its opposite as two marks.
    #[must_use]
    pub const fn of(is_pattern: bool, is_equal: bool) -> Self {
        match (is_pattern, is_equal) {
            (false, true) => Self::Equal,
            (false, false) => Self::NotEqual,
            (true, true) => Self::Matches,
            (true, false) => Self::MatchesNot,
        }
    }
}

/// What is wrong with a text that somebody wrote, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Wrong {
    /// Bytes from the beginning of the text.
    pub at: usize,
    pub text: String,
}

impl Wrong {
    pub(super) fn new(at: usize, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

impl From<String> for Matcher {
    fn from(text: String) -> Self {
        let read = read(&text);
        Self { text, read }
    }
}

impl From<&str> for Matcher {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Matcher> for String {
    fn from(matcher: Matcher) -> Self {
        matcher.text
    }
}

/// However they are written, two that compare the same are one.
impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        match (&self.read, &other.read) {
            (Ok(own), Ok(other)) => (&own.name, own.operator, &own.value) == (&other.name, other.operator, &other.value),
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
            (Err(_), Err(_)) => self.text == other.text,
        }
    }
}

impl Eq for Matcher {}

/// As it was written.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Matcher {
    /// Of a name, a sign and a value, whatever is in them.
    ///
    /// # Errors
    /// What is wrong with the name or the pattern.
    pub fn new(name: &str, operator: Operator, value: &str) -> Result<Self, Wrong> {
        let name = if is_bare(name) { name.to_owned() } else { quote(name) };
        Self::parse(&format!("{name}{}{}", operator.sign(), quote(value)))
    }

    /// One, as somebody writes it.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(Self { text: text.trim().to_owned(), read: Ok(read(text)?) })
    }

    /// Several of them in one text, as Alertmanager's `filter` allows: `{a="b", c=~"d"}`, the braces not needed.
    ///
    /// # Errors
    /// What is wrong with the first that is no matcher.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Wrong> {
        let text = text.trim();
        let inner = match (text.strip_prefix('{'), text.strip_suffix('}')) {
            (Some(inner), Some(_)) => inner.strip_suffix('}').unwrap_or(inner),
            (None, None) => text,
            (Some(_), None) | (None, Some(_)) => return Err(Wrong::new(0, "there is one brace and not the other")),
        };
        let (mut parts, mut from, mut in_quotes, mut escaped) = (Vec::new(), 0, false, false);
        for (at, sign) in inner.char_indices() {
            if sign == ',' && !in_quotes {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            in_quotes ^= sign == '"' && !escaped;
            escaped = in_quotes && sign == '\\' && !escaped;
        }
        parts.push(&inner[from..]);
        parts.into_iter().filter(|part| !part.trim().is_empty()).map(Self::parse).collect()
    }

    #[must_use]
    pub fn wrong(&self) -> Option<&Wrong> {
        self.read.as_ref().err()
    }

    /// What it compares; empty where it cannot be read.
    #[must_use]
    pub fn name(&self) -> &str {
        self.read.as_ref().map_or("", |read| &read.name)
    }

    /// What it compares with; empty where it cannot be read.
    #[must_use]
    pub fn value(&self) -> &str {
        self.read.as_ref().map_or("", |read| &read.value)
    }

    /// `None` where it cannot be read.
    #[must_use]
    pub fn operator(&self) -> Option<Operator> {
        self.read.as_ref().ok().map(|read| read.operator)
    }

    /// What its value has to be for it to match, where one value alone will do.
    #[must_use]
    pub fn only(&self) -> Option<&str> {
        let read = self.read.as_ref().ok()?;
        (read.operator == Operator::Equal).then_some(&read.value)
    }

    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let Ok(read) = &self.read else { return false };
        let found = || read.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match read.operator {
            Operator::Equal => value == read.value,
            Operator::NotEqual => value != read.value,
            Operator::Matches => found(),
            Operator::MatchesNot => !found(),
        }
    }

    /// Whether it is true of every value there is, as far as that can be told.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        let Ok(read) = &self.read else { return false };
        read.operator == Operator::Matches && matches!(read.value.as_str(), ".*" | "(.*)" | "(?s).*" | "^.*$")
    }

    /// Whether its pattern looks like a shell's, in which a star alone stands for anything: `db-*` takes `db--`, and not `db-1`.
    #[must_use]
    pub fn looks_like_shell(&self) -> bool {
        let Ok(Read { regex: Some(_), value, .. }) = &self.read else { return false };
        ["-*", "_*", "/*", ":*"].iter().any(|star| value.contains(star))
    }
}

fn read(text: &str) -> Result<Read, Wrong> {
    let indent = text.len() - text.trim_start().len();
    let (name, rest) = if text[indent..].starts_with('"') {
        quoted(text, indent)?
    } else {
        let length = text[indent..].find(|c: char| c.is_whitespace() || "=!~\"{},".contains(c)).unwrap_or(text.len() - indent);
        (text[indent..indent + length].to_owned(), indent + length)
    };
    if name.is_empty() {
        return Err(Wrong::new(indent, "there is no name before the sign"));
    }
    if name.len() > limits::PATTERN_BYTES || name.chars().any(char::is_control) {
        return Err(Wrong::new(indent, "this is no name of a label"));
    }
    let at = rest + (text[rest..].len() - text[rest..].trim_start().len());
    let Some(operator) = Operator::ALL.into_iter().find(|operator| text[at..].starts_with(operator.sign())) else {
        return Err(Wrong::new(at, "one of the signs =, !=, =~ and !~ belongs here"));
    };
    let after = at + operator.sign().len();
    let start = after + (text[after..].len() - text[after..].trim_start().len());
    let value = if text[start..].starts_with('"') {
        let (value, end) = quoted(text, start)?;
        if !text[end..].trim().is_empty() {
            return Err(Wrong::new(end, "something follows the value"));
        }
        value
    } else {
        let value = text[start..].trim_end();
        if let Some(sign) = value.find(['"', ',', '{', '}']) {
            return Err(Wrong::new(start + sign, "the value has to stand in quotes"));
        }
        value.to_owned()
    };
    if value.len() > limits::PATTERN_BYTES {
        return Err(Wrong::new(start, format!("the value is longer than {} bytes", limits::PATTERN_BYTES)));
    }
    let regex = match operator {
        Operator::Matches | Operator::MatchesNot => Some(regex(&value, start)?),
        Operator::Equal | Operator::NotEqual => None,
    };
    Ok(Read { name, operator, value, regex })
}

/// The text in quotes that begins at `from`, and where what follows it begins.
fn quoted(text: &str, from: usize) -> Result<(String, usize), Wrong> {
    let mut value = String::new();
    let mut signs = text[from + 1..].char_indices();
    while let Some((n, sign)) = signs.next() {
        match sign {
            '"' => return Ok((value, from + 1 + n + 1)),
            '\\' => match signs.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, quoted @ ('"' | '\\'))) => value.push(quoted),
                // What is no escape of ours may be one of a regular expression's.
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err(Wrong::new(from, "the quote is not closed"))
}

/// Whether a name needs no quotes.
fn is_bare(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "=!~\"{},\\".contains(c))
}

/// As [`quoted`] reads it.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// What was compiled lately: rules and silences are read anew far more often than they change, and compiling costs more than reading.
static COMPILED: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);

fn regex(pattern: &str, at: usize) -> Result<Regex, Wrong> {
    let known = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known().get(pattern) {
        return Ok(regex.clone());
    }
    let regex = compiled(pattern, at)?;
    let mut known = known();
    if known.len() >= limits::PATTERNS_KEPT {
        known.clear();
    }
    known.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

fn compiled(pattern: &str, at: usize) -> Result<Regex, Wrong> {
    let compile = |pattern: &str| {
        let mut builder = RegexBuilder::new(pattern);
        builder.size_limit(limits::PATTERN_SIZE).dfa_size_limit(limits::PATTERN_SIZE).dot_matches_new_line(true).build()
    };
    // Compiled by itself before, or `)(` would be a pattern.
    compile(pattern).and_then(|_| compile(&format!("^(?:{pattern})$"))).map_err(|error| match error {
        regex::Error::Syntax(text) => {
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let last = last.trim_start_matches("error: ");
            Wrong::new(at, format!("this is no regular expression: {last}"))
        }
        regex::Error::CompiledTooBig(_) => Wrong::new(at, "this regular expression is too large"),
        _ => Wrong::new(at, "this is no regular expression"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_compare_as_alertmanagers_do() {
        for (text, takes, leaves) in [
            (r#"team="db""#, vec!["db"], vec!["", "DB", "db2"]),
            ("team=db", vec!["db"], vec!["", "d"]),
            (r#" team != "db" "#, vec!["", "web"], vec!["db"]),
            // The whole value, and a label that is not there is an empty one.
            (r#"host=~"db-.*""#, vec!["db-", "db-3"], vec!["", "a db-3", "web"]),
            (r#"host!~"db-.*|web""#, vec!["", "a web", "webs"], vec!["db-1", "web"]),
            (r#"host=~"db|web-1""#, vec!["db", "web-1"], vec!["web", "dbweb-1"]),
            (r#"team="""#, vec![""], vec!["x"]),
            (r#"team=~".*""#, vec!["", "x", "a\nb"], vec![]),
            (r#""kube.pod"="a \"b\" \\c""#, vec![r#"a "b" \c"#], vec![""]),
            (r#"version=~"1\.2\.\d+""#, vec!["1.2.30"], vec!["1x2.3"]),
        ] {
            let matcher = Matcher::from(text);
            assert_eq!(matcher.wrong(), None, "{text}");
            for value in takes {
                assert!(matcher.matches(value), "{text} takes {value:?}");
            }
            for value in leaves {
                assert!(!matcher.matches(value), "{text} leaves {value:?}");
            }
        }
        assert_eq!(Matcher::from(r#""kube.pod"="x""#).name(), "kube.pod");
    }

    #[test]
    fn what_is_no_matcher_says_where_and_matches_nothing() {
        for (text, at, said) in [
            ("", 0, "no name"),
            (r#"="db""#, 0, "no name"),
            ("team", 4, "one of the signs"),
            (r#"team "db""#, 5, "one of the signs"),
            (r#"team="db"#, 5, "not closed"),
            (r#"team="db" x"#, 9, "something follows"),
            ("team=a,b", 6, "in quotes"),
            (r#"team=~"db(""#, 6, "no regular expression: unclosed group"),
            (r#"team=~")(""#, 6, "no regular expression: unopened group"),
            (r#"team=~"(a{1000}){1000}""#, 6, "too large"),
        ] {
            let matcher = Matcher::from(text);
            let wrong = matcher.wrong().unwrap_or_else(|| panic!("{text} is taken"));
            assert_eq!(wrong.at, at, "{text}: {wrong}");
            assert!(wrong.text.contains(said), "{text}: {wrong}");
            assert!(!matcher.matches("") && !matcher.matches("db"));
        }
    }

    #[test]
    fn several_stand_in_one_text_and_what_is_made_of_parts_reads_the_same() {
        let all = Matcher::parse_all(r#"{alertname="a,b", job=~"x{1,2}"}"#).expect("they are two");
        assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"alertname="a,b""#, r#"job=~"x{1,2}""#]);
        assert_eq!(Matcher::parse_all("{}"), Ok(Vec::new()));
        for wrong in ["{a=b", "a=b}", "a=b, c", "a=b\"", "a=\"b\" c"] {
            assert!(Matcher::parse_all(wrong).is_err(), "{wrong}");
        }
        for (name, value) in [("a", "b"), ("a b", "say \"hi\"\n\\d+"), ("kube.pod", ""), ("a\"b", ",{}"), ("a\\", "x\\")] {
            for operator in Operator::ALL.into_iter().filter(|operator| !operator.is_pattern() || Regex::new(value).is_ok()) {
                let made = Matcher::new(name, operator, value).expect("it can be written");
                assert_eq!((made.name(), made.operator(), made.value()), (name, Some(operator), value), "{made}");
                assert_eq!(Matcher::parse(&made.to_string()), Ok(made));
            }
        }
        assert_eq!(Matcher::from("a = b"), Matcher::from("a=\"b\""), "the same, written otherwise");
        for (name, value) in [("", "b"), ("a\nb", "b"), ("a", &*"b".repeat(limits::PATTERN_BYTES + 1))] {
            assert!(Matcher::new(name, Operator::Equal, value).is_err(), "{name:?}");
        }
    }

    #[test]
    fn it_rests_as_it_was_written() {
        let matcher = Matcher::from(r#"host=~"db-.*""#);
        let stored = serde_json::to_string(&matcher).expect("it is a text");
        assert_eq!(stored, r#""host=~\"db-.*\"""#);
        assert_eq!(serde_json::from_str::<Matcher>(&stored).expect("it comes back"), matcher);
    }
}
