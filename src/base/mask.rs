//! Secrets in what senders write: kept out of what is stored and shown, by the names of fields and by what secrets look like. In linear
//! time, whatever the text.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::{Captures, Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::limits;

/// What stands in a secret's place.
pub const MASK: &str = "***";

/// What the configuration adds, and takes away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MaskSettings {
    pub off: bool,
    /// Names of fields whose values are secrets, beside those that are known.
    pub names: Vec<String>,
    /// Names of fields whose values are none, although they look so.
    pub keep: Vec<String>,
    /// What else secrets look like.
    pub patterns: Vec<String>,
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("it is longer than {} bytes", limits::PATTERN_BYTES)]
    TooLong,
    #[error("it matches nothing at all, so that everything would be masked")]
    MatchesNothing,
    #[error("it is no regular expression, or one that is too large")]
    Unreadable,
}

/// Finds secrets. Clones share it.
#[derive(Clone)]
pub struct Mask(Arc<Inner>);

struct Inner {
    is_off: bool,
    names: BTreeSet<Vec<String>>,
    keep: BTreeSet<Vec<String>>,
    patterns: Vec<Regex>,
    /// As [`PAIRS`], for the configured names.
    pairs: Option<Regex>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask")
    }
}

impl Default for Mask {
    fn default() -> Self {
        Self(Arc::new(Inner { is_off: false, names: BTreeSet::new(), keep: BTreeSet::new(), patterns: Vec::new(), pairs: None }))
    }
}

/// The last words of names whose values are secrets: `db_password`, `X-Api-Key`, `accessToken`. A name that goes on after them, such as
/// `token_count`, says something about a secret and is none.
const NAMES: [&[&str]; 25] = [
    &["password"],
    &["passwd"],
    &["pwd"],
    &["passphrase"],
    &["secret"],
    &["token"],
    &["authorization"],
    &["apikey"],
    &["api", "key"],
    // A label of the name routing_key says whose an alert is, at Splunk On-Call.
    &["access", "key"],
    &["secret", "key"],
    &["private", "key"],
    &["signing", "key"],
    &["encryption", "key"],
    &["service", "key"],
    &["privatekey"],
    &["cookie"],
    &["cookies"],
    &["credential"],
    &["credentials"],
    &["session"],
    &["session", "id"],
    &["credit", "card"],
    &["card", "number"],
    &["cvv"],
];

/// What secrets look like. Each begins with letters that are rare elsewhere, so that a text without them is passed over quickly.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    made(concat!(
        r"(?-u:\bA[KS]IA[0-9A-Z]{16}\b)",
        r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}",
        r"|xox[abeprs]-[A-Za-z0-9-]{8,}|xapp-[A-Za-z0-9-]{8,}",
        r"|[sr]k_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{8,}",
        r"|AIza[A-Za-z0-9_-]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
        r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",
        // Cut off, it goes on to the end.
        r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\z)",
        // What stands before the secret stays.
        r"|(?P<scheme>[Bb]earer |BEARER |[Bb]asic |BASIC )[A-Za-z0-9._~+/=-]{8,}",
        r"|(?P<login>://[^\s/:@?#]*:)[^\s/@?#]+@",
    ))
});

/// What stands between a name and its value, and the value: `password=…`, `"token": "…"`. It has no longest value: a class of letters that is
/// counted to thousands is as many states, whose memory each thread that looks keeps (100 MiB of it at four senders).
const VALUE: &str = r#"(?P<sign>["'\\]{0,4}\s{0,3}[:=]\s{0,3}["'\\]{0,4})(?P<value>[^\s"'&,;\\{}\[\]<>]+)"#;

static PAIRS: LazyLock<Regex> = LazyLock::new(|| {
    let names = concat!(
        r"passw(?:or)?d|pwd|passphrase|secret|token|authorization|(?:api|access|secret|private|signing|encryption|routing|service)[_.-]?key",
        r"|cookies?|credentials?|session(?:[_.-]?id)?|credit[_.-]?card|card[_.-]?number|cvv",
    );
    made(&format!("(?i)(?P<name>{names}){VALUE}"))
});

/// Each thread that looks keeps its own states, so they have a limit.
fn made(pattern: &str) -> Regex {
    RegexBuilder::new(pattern)
        .dfa_size_limit(limits::PATTERN_SIZE)
        .build()
        .unwrap_or_else(|error| unreachable!("it is a pattern of ours: {error}"))
}

impl Mask {
    /// # Errors
    /// For the first pattern that cannot be used.
    pub fn new(settings: &MaskSettings) -> Result<Self, BadPattern> {
        let patterns = settings.patterns.iter().map(|pattern| compile(pattern)).collect::<Result<_, _>>()?;
        let names = |names: &[String]| names.iter().map(|name| words(name)).filter(|words| !words.is_empty()).collect();
        let own: Vec<String> = settings.names.iter().map(|name| regex::escape(name)).collect();
        let pairs = (!own.is_empty()).then(|| made(&format!("(?i)(?P<name>{}){VALUE}", own.join("|"))));
        Ok(Self(Arc::new(Inner { is_off: settings.off, names: names(&settings.names), keep: names(&settings.keep), patterns, pairs })))
    }

    /// Whether a field of this name holds a secret.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        let inner = &self.0;
        if inner.is_off || (inner.names.is_empty() && !may_be_secret(name)) {
            return false;
        }
        let words = words(name);
        if inner.keep.contains(&words) {
            return false;
        }
        inner.names.iter().any(|own| words.ends_with(own)) || NAMES.iter().any(|known| ends(&words, known))
    }

    /// A text without its secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.0.is_off {
            return Cow::Borrowed(text);
        }
        let mut masked = replaced(&TOKENS, Cow::Borrowed(text), |found| {
            let kept = found.name("scheme").or_else(|| found.name("login"));
            let end = if found.name("login").is_some() { "@" } else { "" };
            format!("{}{MASK}{end}", kept.map_or("", |kept| kept.as_str()))
        });
        if masked.bytes().any(|byte| matches!(byte, b':' | b'=')) {
            for pairs in [Some(&*PAIRS), self.0.pairs.as_ref()].into_iter().flatten() {
                masked = replaced(pairs, masked, |found| {
                    let part = |name| found.name(name).map_or("", |part| part.as_str());
                    let (name, sign, value) = (part("name"), part("sign"), part("value"));
                    // In prose a colon is only a colon: `token: expired` tells of one. What is written like data holds one.
                    let is_data = sign.contains(['=', '"', '\'']) || (value.len() >= 8 && value.bytes().any(|byte| byte.is_ascii_digit()));
                    if is_data && value != MASK && self.is_secret(name) { format!("{name}{sign}{MASK}") } else { found[0].to_owned() }
                });
            }
        }
        self.0.patterns.iter().fold(masked, |masked, pattern| replaced(pattern, masked, |_| MASK.to_owned()))
    }

    /// Whether it holds a secret that is known by its looks.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        matches!(self.text(text), Cow::Owned(masked) if masked != text)
    }
}

fn replaced<'a>(pattern: &Regex, text: Cow<'a, str>, by: impl Fn(&Captures<'_>) -> String) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => pattern.replace_all(text, by),
        Cow::Owned(text) => match pattern.replace_all(&text, by) {
            Cow::Borrowed(_) => Cow::Owned(text),
            Cow::Owned(masked) => Cow::Owned(masked),
        },
    }
}

/// A pattern of the configuration.
///
/// # Errors
/// As [`BadPattern`] says.
pub fn compile(pattern: &str) -> Result<Regex, BadPattern> {
    if pattern.len() > limits::PATTERN_BYTES {
        return Err(BadPattern::TooLong);
    }
    let built = RegexBuilder::new(pattern).size_limit(limits::PATTERN_SIZE).dfa_size_limit(limits::PATTERN_SIZE).build();
    let built = built.map_err(|_| BadPattern::Unreadable)?;
    if built.is_match("") { Err(BadPattern::MatchesNothing) } else { Ok(built) }
}

/// Nearly every name is none, and that is seen without taking it apart.
fn may_be_secret(name: &str) -> bool {
    const ENDS: [&str; 13] =
        ["word", "passwd", "pwd", "phrase", "secret", "token", "zation", "key", "cookie", "cookies", "session", "card", "cvv"];
    const OTHERS: [&str; 4] = ["credential", "credentials", "number", "id"];
    let ends_in = |end: &&str| name.len() >= end.len() && name.as_bytes()[name.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes());
    ENDS.iter().any(ends_in) || OTHERS.iter().any(ends_in)
}

fn ends(words: &[String], with: &[&str]) -> bool {
    words.len() >= with.len() && words[words.len() - with.len()..].iter().zip(with).all(|(word, with)| word == with)
}

/// The words of a name in small letters: `X-Api-Key`, `apiKey` and `API_KEY` have two or three.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut after_small) = (String::new(), false);
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_small) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        after_small = c.is_lowercase() || c.is_numeric();
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRETS: [&str; 14] = [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijklmnop",
        "glpat-abcdefghij0123456789",
        "xoxb-1234567890-abcdefghij",
        "sk_live_abcdefghijklmnop",
        "whsec_abcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\\nMIIEow and it is cut off",
        "Bearer abcdefgh12345678",
        "postgres://app:swordfish9@db-1/shop",
        "password=swordfish9",
        "\"api_key\": \"swordfish9\"",
    ];

    #[test]
    fn what_looks_like_a_secret_is_masked_and_what_stands_around_it_stays() {
        let mask = Mask::default();
        for secret in SECRETS {
            let masked = mask.text(&format!("db-1 is down ({secret}) since three")).into_owned();
            assert!(masked.starts_with("db-1 is down (") && masked.contains(MASK), "{masked}");
            for hidden in ["swordfish", "MIIE", "IOSFODNN7", "abcdefgh", "eyJzdWI", "1234567890"] {
                assert!(!masked.contains(hidden), "{secret} -> {masked}");
            }
        }
        assert_eq!(mask.text("postgres://app:swordfish9@db-1/shop"), "postgres://app:***@db-1/shop");
        assert_eq!(mask.text("Authorization: Bearer abcdefgh12345678"), "Authorization: Bearer ***");
    }

    #[test]
    fn what_only_speaks_of_secrets_stays_as_it_is() {
        let mask = Mask::default();
        for text in [
            "Auth token: expired for user 7",
            "Secret rotation failed",
            "TokenRefreshFailed on api-3",
            "password policy violated: too short",
            "monkey=banana",
            "token_count=1234567890",
            "https://grafana.example.com/d/abc?orgId=1&from=now-1h",
            "user@example.com: mailbox full",
            "bearer of bad news",
            "10:42:17 disk full",
        ] {
            assert_eq!(mask.text(text), text);
            assert!(matches!(mask.text(text), Cow::Borrowed(_)) || !mask.finds(text), "{text}");
        }
    }

    #[test]
    fn names_are_compared_by_their_last_words() {
        let mask = Mask::default();
        for name in
            ["password", "DB_PASSWORD", "x-api-key", "apiKey", "accessToken", "Set-Cookie", "aws.secret", "credit_card", "session_id"]
        {
            assert!(mask.is_secret(name), "{name}");
        }
        for name in ["token_count", "passwordPolicy", "author", "key", "monkey", "instance_id", "alertname", "number", "keyword", ""] {
            assert!(!mask.is_secret(name), "{name}");
        }
        let own = MaskSettings { names: vec!["badge".to_owned()], keep: vec!["secret".to_owned()], ..MaskSettings::default() };
        let own = Mask::new(&own).expect("no pattern");
        assert!(own.is_secret("employee_badge") && own.is_secret("password"));
        assert!(!own.is_secret("secret") && own.is_secret("client_secret"), "kept by its whole name");
    }

    #[test]
    fn the_configuration_adds_patterns_and_can_switch_all_off() {
        let settings = MaskSettings { patterns: vec!["EMP-[0-9]{6}".to_owned()], ..MaskSettings::default() };
        assert_eq!(Mask::new(&settings).expect("a pattern").text("by EMP-123456, now"), "by ***, now");
        let off = Mask::new(&MaskSettings { off: true, ..settings }).expect("a pattern");
        assert_eq!(off.text("password=swordfish9 EMP-123456"), "password=swordfish9 EMP-123456");
        assert!(!off.is_secret("password"));
        assert_eq!(compile("(").err(), Some(BadPattern::Unreadable));
        assert_eq!(compile("x*").err(), Some(BadPattern::MatchesNothing));
        assert_eq!(compile(&"x".repeat(3_000)).err(), Some(BadPattern::TooLong));
    }

    proptest! {
        #[test]
        fn a_secret_is_found_wherever_it_stands(before in ".{0,40}", after in ".{0,40}", n in 0..SECRETS.len()) {
            let secret = SECRETS[n];
            let text = format!("{before} {secret} {after}");
            prop_assert!(!Mask::default().text(&text).contains(secret), "{text}");
        }

        #[test]
        fn masked_once_is_masked(text in "(password|token: |://a:|=|@|[a-z0-9 ]|Bearer |xoxb-){0,12}") {
            let mask = Mask::default();
            let once = mask.text(&text).into_owned();
            prop_assert_eq!(mask.text(&once).into_owned(), once);
        }
    }
}
