//! Opsgenie's search: `status: open AND tag: (db OR web) NOT message: test*`. Pure.

use crate::base::limits;
use crate::base::time::Time;

/// What an alert says about itself, for a search.
pub(super) trait Searched {
    /// The values of a field, in small letters; `None` for a field that alerts have not.
    fn field(&self, name: &str) -> Option<Vec<String>>;
    /// An instant or a number, for comparisons; `None` for a field that has neither.
    fn number(&self, name: &str) -> Option<i64>;
    /// Where words without a field are looked for.
    fn text(&self) -> String;
}

/// What alerts are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    All,
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// The whole value of this field; a star stands for anything.
    Is(&'static str, String),
    Has(&'static str, String),
    /// `details.name: value`
    Detail(String, String),
    Compare(&'static str, Comparison, i64),
    Word(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Fields whose whole value counts, fields in which words are looked for, and fields that are compared.
const WHOLE: [&str; 14] = [
    "status",
    "acknowledged",
    "snoozed",
    "isseen",
    "alias",
    "tag",
    "tags",
    "priority",
    "tinyid",
    "alertid",
    "id",
    "owner",
    "integration",
    "user",
];
const WORDS: [&str; 6] = ["message", "description", "entity", "source", "responders", "actions"];
const NUMBERS: [&str; 4] = ["count", "createdat", "updatedat", "lastoccurredat"];

/// How deep a query may be nested, and how many terms it may have: it is looked through for every alert.
const DEPTH: usize = 16;
const TERMS: usize = 100;

impl Query {
    /// # Errors
    /// A sentence that says what of it is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::URL_BYTES {
            return Err("the query is too long".to_owned());
        }
        let mut parser = Parser { tokens: tokens(text)?, at: 0, terms: 0 };
        if parser.tokens.is_empty() {
            return Ok(Self::All);
        }
        let query = parser.any(None, 0)?;
        if parser.at < parser.tokens.len() { Err("a closing parenthesis has no opening one".to_owned()) } else { Ok(query) }
    }

    pub fn matches(&self, alert: &impl Searched) -> bool {
        match self {
            Self::All => true,
            Self::And(parts) => parts.iter().all(|part| part.matches(alert)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(alert)),
            Self::Not(part) => !part.matches(alert),
            Self::Is(field, wanted) => alert.field(field).is_some_and(|values| values.iter().any(|value| fits(wanted, value))),
            Self::Has(field, wanted) => alert.field(field).is_some_and(|values| values.iter().any(|value| contains(wanted, value))),
            Self::Detail(name, wanted) => {
                alert.field(&format!("details.{name}")).is_some_and(|values| values.iter().any(|value| fits(wanted, value)))
            }
            Self::Compare(field, comparison, than) => alert.number(field).is_some_and(|number| match comparison {
                Comparison::Below => number < *than,
                Comparison::AtMost => number <= *than,
                Comparison::Above => number > *than,
                Comparison::AtLeast => number >= *than,
            }),
            Self::Word(word) => contains(word, &alert.text()),
        }
    }
}

fn contains(wanted: &str, value: &str) -> bool {
    if wanted.contains('*') { fits(&format!("*{wanted}*"), value) } else { value.contains(wanted) }
}

/// A star stands for anything. Each piece is looked for once from the left, so that no pattern costs more than its length and the text's.
fn fits(pattern: &str, value: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or("");
    let Some(mut rest) = value.strip_prefix(first) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(found) = rest.find(piece) else { return false };
        rest = &rest[found + piece.len()..];
    }
    rest.ends_with(last)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `field:` with how it is compared, where it is.
    Field(String, Option<Comparison>),
    Word(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.peek().copied() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '(' => {
                chars.next();
                tokens.push(Token::Open);
            }
            ')' => {
                chars.next();
                tokens.push(Token::Close);
            }
            '"' => {
                chars.next();
                tokens.push(Token::Word(quoted(&mut chars)?));
            }
            _ => {
                let mut word = String::new();
                while let Some(c) = chars.peek().copied().filter(|c| !c.is_whitespace() && !"()\"".contains(*c)) {
                    // A word's first sign of comparison ends a field's name; what comes after is the value.
                    if ":=<>".contains(c) && !word.is_empty() && may_name(&word) {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                let mut after = chars.clone();
                while after.peek().is_some_and(|c| c.is_whitespace()) {
                    after.next();
                }
                let names = after.peek().is_some_and(|c| ":=<>".contains(*c)) && may_name(&word);
                tokens.push(match word.as_str() {
                    _ if names => {
                        chars = after;
                        Token::Field(word, comparison(&mut chars))
                    }
                    "AND" | "and" | "&&" => Token::And,
                    "OR" | "or" | "||" => Token::Or,
                    "NOT" | "not" | "!" => Token::Not,
                    _ => Token::Word(word.to_lowercase()),
                });
            }
        }
    }
    Ok(tokens)
}

fn may_name(word: &str) -> bool {
    let lower = word.to_lowercase();
    lower.starts_with("details.") || WHOLE.iter().chain(&WORDS).chain(&NUMBERS).any(|name| *name == lower) || {
        // An unknown field is said to be one, and no link is taken for a field.
        !word.is_empty() && word.chars().all(char::is_alphabetic) && !lower.starts_with("http")
    }
}

fn comparison(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Comparison> {
    let mut signs = String::new();
    while let Some(c) = chars.peek().copied().filter(|c| ":=<>".contains(*c) && signs.len() < 3) {
        signs.push(c);
        chars.next();
    }
    match signs.trim_start_matches(':') {
        "<" => Some(Comparison::Below),
        "<=" => Some(Comparison::AtMost),
        ">" => Some(Comparison::Above),
        ">=" => Some(Comparison::AtLeast),
        _ => None,
    }
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut word = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(word.to_lowercase()),
            '\\' => word.extend(chars.next()),
            c => word.push(c),
        }
    }
    Err("a quotation mark is not closed".to_owned())
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    terms: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// One or more alternatives; `field` is the one whose parenthesis this is.
    fn any(&mut self, field: Option<(&str, Option<Comparison>)>, depth: usize) -> Result<Query, String> {
        if depth > DEPTH {
            return Err("the query is nested too deeply".to_owned());
        }
        let mut alternatives = vec![self.all(field, depth)?];
        while self.peek() == Some(&Token::Or) {
            self.at += 1;
            alternatives.push(self.all(field, depth)?);
        }
        Ok(if alternatives.len() == 1 { alternatives.remove(0) } else { Query::Or(alternatives) })
    }

    /// Terms side by side all count, with or without an AND between them.
    fn all(&mut self, field: Option<(&str, Option<Comparison>)>, depth: usize) -> Result<Query, String> {
        let mut parts = vec![self.one(field, depth)?];
        loop {
            match self.peek() {
                Some(Token::And) => self.at += 1,
                Some(Token::Not | Token::Open | Token::Field(..) | Token::Word(_)) => {}
                Some(Token::Or | Token::Close) | None => break,
            }
            parts.push(self.one(field, depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Query::And(parts) })
    }

    fn one(&mut self, field: Option<(&str, Option<Comparison>)>, depth: usize) -> Result<Query, String> {
        self.terms += 1;
        if self.terms > TERMS {
            return Err(format!("the query has more than {TERMS} terms"));
        }
        let token = self.peek().cloned().ok_or("the query ends where a term is expected")?;
        self.at += 1;
        match token {
            Token::Not => {
                if depth > DEPTH {
                    return Err("the query is nested too deeply".to_owned());
                }
                Ok(Query::Not(Box::new(self.one(field, depth + 1)?)))
            }
            Token::Open => {
                let inner = self.any(field, depth + 1)?;
                if self.peek() != Some(&Token::Close) {
                    return Err("a parenthesis is not closed".to_owned());
                }
                self.at += 1;
                Ok(inner)
            }
            Token::Word(word) => match field {
                Some((name, comparison)) => term(name, comparison, &word),
                None => Ok(Query::Word(word)),
            },
            Token::Field(name, comparison) => match self.peek().cloned() {
                Some(Token::Word(word)) => {
                    self.at += 1;
                    term(&name, comparison, &word)
                }
                Some(Token::Open) => {
                    self.at += 1;
                    let inner = self.any(Some((&name, comparison)), depth + 1)?;
                    if self.peek() != Some(&Token::Close) {
                        return Err("a parenthesis is not closed".to_owned());
                    }
                    self.at += 1;
                    Ok(inner)
                }
                Some(Token::Close | Token::And | Token::Or | Token::Not | Token::Field(..)) | None => {
                    Err(format!("the field {name} has no value"))
                }
            },
            Token::Close | Token::And | Token::Or => Err("the query ends where a term is expected".to_owned()),
        }
    }
}

fn term(name: &str, comparison: Option<Comparison>, word: &str) -> Result<Query, String> {
    let lower = name.to_lowercase();
    if let Some(detail) = lower.strip_prefix("details.") {
        return Ok(Query::Detail(detail.to_owned(), word.to_owned()));
    }
    let known = |names: &[&'static str]| names.iter().copied().find(|name| *name == lower);
    if let Some(field) = known(&NUMBERS) {
        let number = number(word).ok_or_else(|| format!("{name} is compared with a number or a time"))?;
        return Ok(match comparison {
            Some(comparison) => Query::Compare(field, comparison, number),
            None => Query::And(vec![Query::Compare(field, Comparison::AtLeast, number), Query::Compare(field, Comparison::AtMost, number)]),
        });
    }
    if comparison.is_some() {
        return Err(format!("{name} is not compared by size"));
    }
    if let Some(field) = known(&WHOLE) {
        return Ok(Query::Is(field, word.to_owned()));
    }
    known(&WORDS).map(|field| Query::Has(field, word.to_owned())).ok_or_else(|| format!("there is no field {name}"))
}

/// A number, milliseconds since the epoch as Opsgenie counts, or an instant.
fn number(word: &str) -> Option<i64> {
    word.parse().ok().or_else(|| Time::parse_rfc3339(&word.to_uppercase()).ok().map(Time::millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;

    impl Searched for One {
        fn field(&self, name: &str) -> Option<Vec<String>> {
            let values: &[&str] = match name {
                "status" => &["open"],
                "alias" => &["db-3/disk: full"],
                "tag" => &["db", "linux"],
                "message" => &["the disk of db-3 is full"],
                "details.region" => &["eu-1"],
                _ => return None,
            };
            Some(values.iter().map(|value| (*value).to_owned()).collect())
        }

        fn number(&self, name: &str) -> Option<i64> {
            match name {
                "count" => Some(7),
                "createdat" => Some(1_767_571_200_000),
                _ => None,
            }
        }

        fn text(&self) -> String {
            "the disk of db-3 is full db linux".to_owned()
        }
    }

    fn finds(query: &str) -> bool {
        Query::parse(query).unwrap_or_else(|why| panic!("{query}: {why}")).matches(&One)
    }

    #[test]
    fn what_clients_ask_for_is_found() {
        for query in [
            "",
            "status:open",
            "status: open",
            "status=open",
            "status : OPEN",
            "alias: \"db-3/disk: full\"",
            "status:open AND tag:db",
            "status:open tag: (web OR db)",
            "tag:(db AND linux)",
            "NOT status: closed",
            "status: (NOT closed)",
            "message: disk",
            "message: \"db-3 is\"",
            "message: d*k",
            "count > 5 AND count <= 7",
            "count: 7",
            "createdAt >= 1767571200000",
            "createdAt < 2026-01-06T00:00:00Z",
            "details.region: eu-*",
            "disk full",
            "status: closed OR (tag: linux AND NOT tag: web)",
        ] {
            assert!(finds(query), "{query}");
        }
        for query in ["status:closed", "alias: db-3/disk", "tag: d", "count < 7", "NOT disk", "web", "tag:(web OR mail)", "owner: ana"] {
            assert!(!finds(query), "{query}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for query in ["(", ")", "status:", "colour: red", "\"open", "status: (open", "AND", "message > 3", "count: many", "status: open OR"]
        {
            assert!(Query::parse(query).is_err(), "{query}");
        }
        assert!(Query::parse(&"(".repeat(1_000)).is_err());
        assert!(Query::parse(&"NOT ".repeat(400)).is_err());
        assert!(Query::parse(&"a ".repeat(500)).is_err());
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, value, is) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("a*b*c", "abc", true),
            ("a*bc*c", "abc", false),
            ("abc", "abcd", false),
            ("", "a", false),
            ("a**", "a", true),
        ] {
            assert_eq!(fits(pattern, value), is, "{pattern} {value}");
        }
    }
}
