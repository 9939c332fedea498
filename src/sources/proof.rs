//! What a message must show beside the key of its address, where the configuration asks for more: a signature, a header, a password.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Signature;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::secret::{Secret, hex, hmac_sha256};
use crate::base::time::Time;

/// One thing that every message of an integration must show. Its list holds the values that count, two while one is rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The secret with which the sender signs in its own way, see [`super::Source::signature`].
    Secret(Vec<Secret>),
    /// A header (in lower case) with a value that nobody else knows.
    Header { name: String, values: Vec<Secret> },
    /// RFC 7617.
    Basic { user: String, passwords: Vec<Secret> },
    /// An HMAC-SHA256 of the raw body, in hexadecimal digits or base64, after `prefix` in a header (in lower case).
    Hmac { header: String, prefix: String, secrets: Vec<Secret> },
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flaw {
    pub why: Why,
    /// The key of the configuration that asks for it.
    pub asked_by: &'static str,
    /// The header it is about, as people write it.
    header: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    Missing,
    Wrong,
    /// It is right, and signed too long ago or in the future.
    Stale,
    /// The body is too large to be read, and what signs it cannot be checked without it.
    TooLarge,
}

impl Why {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Stale => "stale",
            Self::TooLarge => "too_large",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Missing, Self::Wrong, Self::Stale, Self::TooLarge].into_iter().find(|why| why.name() == text)
    }
}

impl Flaw {
    /// `why`: what is wrong with a message that says SNS sent it.
    #[must_use]
    pub fn of_sns(why: &'static str) -> Self {
        Self { why: Why::Wrong, asked_by: "sns", header: why.to_owned() }
    }

    /// Made again of its three texts; `None`: of a later version.
    #[must_use]
    pub fn of(why: &str, asked_by: &str, header: &str) -> Option<Self> {
        let asked_by = ["secret", "header", "basic", "hmac", "sns"].into_iter().find(|known| *known == asked_by)?;
        Some(Self { why: Why::parse(why)?, asked_by, header: header.to_owned() })
    }

    /// The header it is about, as people write it.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// What to do about it, as the end of a sentence.
    #[must_use]
    pub fn advice(&self) -> String {
        let asked = self.asked_by;
        match (self.why, asked) {
            (Why::TooLarge, _) => "have the sender send less in one message; nothing of this one was taken".to_owned(),
            (Why::Stale, _) => "set the clocks of the sender and of this server".to_owned(),
            (Why::Missing, "secret") => {
                "give the sender the secret that the configuration has for this integration, so that it signs, or remove `secret` there"
                    .to_owned()
            }
            (Why::Missing, "basic") => {
                "give the sender the user and the password that the configuration has under `basic`, or remove `basic` there".to_owned()
            }
            (Why::Missing, _) => format!("have the sender send it as the configuration has it under `{asked}`, or remove `{asked}` there"),
            (Why::Wrong, "sns") => "whoever sent it knows this address; if that is not SNS, give the integration another key".to_owned(),
            (Why::Wrong, _) => format!(
                "the sender and the configuration (`{asked}`) must have the same value; while it is rotated, the configuration takes a list of two"
            ),
        }
    }
}

/// As a clause: `the signature in X-Hub-Signature-256 is wrong`.
impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, asked_by, header } = self;
        match (*asked_by, why) {
            ("basic", Why::Missing) => f.write_str("the user and the password are missing"),
            ("basic", _) => f.write_str("the user or the password is wrong"),
            ("sns", _) => write!(f, "SNS did not sign this message, {header}"),
            ("header", Why::Missing) => write!(f, "the header {header} is missing"),
            ("header", _) => write!(f, "the header {header} is wrong"),
            (_, Why::TooLarge) => write!(f, "the body is too large to check the signature in {header}"),
            (_, Why::Missing) => write!(f, "the signature in {header} is missing"),
            (_, Why::Wrong) => write!(f, "the signature in {header} is wrong"),
            (_, Why::Stale) => write!(f, "the signature in {header} is older than {0}, or from the future", limits::SIGNATURE_AGE),
        }
    }
}

impl Proof {
    /// The key of the configuration that asks for it.
    #[must_use]
    pub const fn asked_by(&self) -> &'static str {
        match self {
            Self::Secret(_) => "secret",
            Self::Header { .. } => "header",
            Self::Basic { .. } => "basic",
            Self::Hmac { .. } => "hmac",
        }
    }

    /// Under which its values rest, with everything about it that is no secret.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Secret(_) => "secret".to_owned(),
            Self::Header { name, .. } => format!("header/{name}"),
            Self::Basic { user, .. } => format!("basic/{user}"),
            Self::Hmac { header, prefix, .. } => format!("hmac/{header}/{prefix}"),
        }
    }

    #[must_use]
    pub fn values(&self) -> &[Secret] {
        match self {
            Self::Secret(values) | Self::Header { values, .. } => values,
            Self::Basic { passwords, .. } => passwords,
            Self::Hmac { secrets, .. } => secrets,
        }
    }

    /// Made again of its name and its values.
    #[must_use]
    pub fn of(name: &str, values: Vec<Secret>) -> Option<Self> {
        let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
        match kind {
            "secret" => Some(Self::Secret(values)),
            "header" => Some(Self::Header { name: rest.to_owned(), values }),
            "basic" => Some(Self::Basic { user: rest.to_owned(), passwords: values }),
            "hmac" => {
                let (header, prefix) = rest.split_once('/')?;
                Some(Self::Hmac { header: header.to_owned(), prefix: prefix.to_owned(), secrets: values })
            }
            _ => None,
        }
    }

    /// Whether a message shows it. `signature` is how its sender signs.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn check(&self, signature: Option<Signature>, inbound: &Inbound) -> Result<(), Flaw> {
        match self {
            Self::Secret(secrets) => match signature {
                Some(Signature { header, prefix, timestamp }) => signed(inbound, secrets, "secret", header, prefix, timestamp),
                // The reader of the configuration takes none for such a source; one that signed before and signs no more is not let in.
                None => Err(Flaw { why: Why::Missing, asked_by: "secret", header: "the message".to_owned() }),
            },
            Self::Header { name, values } => {
                let flaw = |why| Flaw { why, asked_by: "header", header: as_written(name) };
                let given = inbound.header(name).ok_or_else(|| flaw(Why::Missing))?.trim();
                if values.iter().any(|value| value.matches(given)) { Ok(()) } else { Err(flaw(Why::Wrong)) }
            }
            Self::Basic { user, passwords } => {
                let flaw = |why| Flaw { why, asked_by: "basic", header: "Authorization".to_owned() };
                let given = inbound.header("authorization").ok_or_else(|| flaw(Why::Missing))?;
                let given = given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
                let (_, given) = given.ok_or_else(|| flaw(Why::Missing))?;
                let given = STANDARD.decode(given.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let given = given.ok_or_else(|| flaw(Why::Wrong))?;
                let is_right = |password: &Secret| Secret::new(format!("{user}:{}", password.expose())).matches(&given);
                if passwords.iter().any(is_right) { Ok(()) } else { Err(flaw(Why::Wrong)) }
            }
            Self::Hmac { header, prefix, secrets } => signed(inbound, secrets, "hmac", header, prefix, None),
        }
    }
}

impl Proof {
    /// As [`Proof::check`], for a message whose body was too large to be read: what does not need the body is checked, and what signs it
    /// cannot be.
    ///
    /// # Errors
    /// What is missing, wrong or not to be known.
    pub fn check_unread(&self, signature: Option<Signature>, inbound: &Inbound) -> Result<(), Flaw> {
        let too_large = |asked_by, header| Err(Flaw { why: Why::TooLarge, asked_by, header: as_written(header) });
        match self {
            Self::Header { .. } | Self::Basic { .. } => self.check(signature, inbound),
            Self::Secret(_) => too_large("secret", signature.map_or("the message", |signature| signature.header)),
            Self::Hmac { header, .. } => too_large("hmac", header),
        }
    }
}

fn signed(
    inbound: &Inbound,
    secrets: &[Secret],
    asked_by: &'static str,
    header: &str,
    prefix: &str,
    timestamp: Option<&'static str>,
) -> Result<(), Flaw> {
    let flaw = |why| Flaw { why, asked_by, header: as_written(header) };
    let given = inbound.header(header).ok_or_else(|| flaw(Why::Missing))?;
    let at = timestamp.and_then(|name| inbound.header(name));
    let message = match at {
        Some(at) => Cow::Owned([at.as_bytes(), b":", inbound.signed()].concat()),
        None => Cow::Borrowed(inbound.signed().as_ref()),
    };
    // Senders that rotate their secrets sign with both: `v1=…,v1=…`.
    let is_right = |secret: &Secret| {
        let digest = hmac_sha256(secret.expose().as_bytes(), &message);
        let (digits, base64) = (Secret::new(hex(&digest)), Secret::new(STANDARD.encode(&digest)));
        given.split(',').take(SIGNATURES).any(|one| {
            let one = one.trim();
            let Some(one) = one.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix)).map(|_| &one[prefix.len()..]) else {
                return false;
            };
            digits.matches(&one.to_ascii_lowercase()) || base64.matches(one)
        })
    };
    if !secrets.iter().any(is_right) {
        return Err(flaw(Why::Wrong));
    }
    // Each try is signed anew, so that a message that was held up on its way is not an old one.
    let Some(at) = at else { return Ok(()) };
    let at = at.trim().parse().map(Time::from_seconds).map_err(|_| flaw(Why::Wrong))?;
    let age = inbound.received_at.since(at).max(at.since(inbound.received_at));
    if age > limits::SIGNATURE_AGE { Err(flaw(Why::Stale)) } else { Ok(()) }
}

/// Signatures looked at in one header: a sender has two live secrets, and nobody has more than a few.
const SIGNATURES: usize = 4;

/// A header's name as people write it: `x-hub-signature-256` is `X-Hub-Signature-256`.
fn as_written(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::base::time::Span;

    const BODY: &str = r#"{"title":"disk full"}"#;
    /// As GitHub signs.
    const SIGNATURE: Signature = Signature { header: "x-hub-signature-256", prefix: "sha256=", timestamp: Some("x-signed-at") };

    fn now() -> Time {
        Time::from_seconds(1_767_571_200)
    }

    fn with(headers: &[(&str, &str)]) -> Inbound {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Inbound { method: "POST".to_owned(), path: "/".to_owned(), headers, body: Bytes::from(BODY), sent: None, received_at: now() }
    }

    fn digits(secret: &str, message: &str) -> String {
        hex(&hmac_sha256(secret.as_bytes(), message.as_bytes()))
    }

    fn why(outcome: Result<(), Flaw>) -> Option<&'static str> {
        outcome.err().map(|flaw| flaw.why.name())
    }

    /// RFC 4231, test case 2: the one thing here that is not compared with itself.
    #[test]
    fn the_digest_is_the_standards() {
        let proof = Proof::Hmac { header: "x-s".into(), prefix: String::new(), secrets: vec![Secret::new("Jefe")] };
        let mut inbound = with(&[("x-s", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")]);
        inbound.body = Bytes::from("what do ya want for nothing?");
        assert_eq!(proof.check(None, &inbound), Ok(()));
    }

    #[test]
    fn a_signature_is_taken_in_any_case_and_by_either_live_secret() {
        let proof = Proof::Secret(vec![Secret::new("the new secret"), Secret::new("the old secret")]);
        let new = format!("sha256={}", digits("the new secret", BODY));
        let old = format!("SHA256={}", digits("the old secret", BODY).to_uppercase());
        let both = format!("sha256={},sha256={}", digits("another", BODY), digits("the old secret", BODY));
        for given in [&new, &old, &both] {
            assert_eq!(proof.check(Some(SIGNATURE), &with(&[("x-hub-signature-256", given)])), Ok(()), "{given}");
        }
        assert_eq!(why(proof.check(Some(SIGNATURE), &with(&[]))), Some("missing"));
        for given in ["", "sha256=", &digits("the new secret", BODY), &new[..new.len() - 1], &format!("sha256={}", digits("x", BODY)), "é"]
        {
            let outcome = proof.check(Some(SIGNATURE), &with(&[("x-hub-signature-256", given)]));
            assert_eq!(why(outcome), Some("wrong"), "{given}");
        }
        let mut changed = with(&[("x-hub-signature-256", &new)]);
        changed.body = Bytes::from(r#"{"title":"disk fine"}"#);
        assert_eq!(why(proof.check(Some(SIGNATURE), &changed)), Some("wrong"));
        assert_eq!(why(proof.check(None, &with(&[("x-hub-signature-256", &new)]))), Some("missing"), "this source does not sign");
    }

    #[test]
    fn a_signed_moment_belongs_to_the_message_and_is_not_old() {
        let proof = Proof::Secret(vec![Secret::new("a shared secret")]);
        let at = |span: Span| {
            let at = (now() + span).seconds().to_string();
            let given = format!("sha256={}", digits("a shared secret", &format!("{at}:{BODY}")));
            proof.check(Some(SIGNATURE), &with(&[("x-signed-at", &at), ("x-hub-signature-256", &given)]))
        };
        assert_eq!(at(Span::ZERO), Ok(()));
        assert_eq!(at(Span::seconds(-299)), Ok(()));
        assert_eq!(why(at(Span::seconds(-301))), Some("stale"));
        assert_eq!(why(at(Span::seconds(301))), Some("stale"));
        // The moment of one message does not serve another.
        let given = format!("sha256={}", digits("a shared secret", BODY));
        let exchanged = with(&[("x-signed-at", &now().seconds().to_string()), ("x-hub-signature-256", &given)]);
        assert_eq!(why(proof.check(Some(SIGNATURE), &exchanged)), Some("wrong"));
    }

    #[test]
    fn a_header_and_a_password_are_compared_whole() {
        let proof = Proof::Header { name: "x-token".into(), values: vec![Secret::new("swordfish"), Secret::new("pike")] };
        assert_eq!(proof.check(None, &with(&[("x-token", " pike ")])), Ok(()));
        assert_eq!(why(proof.check(None, &with(&[("x-token", "pik")]))), Some("wrong"));
        assert_eq!(why(proof.check(None, &with(&[]))), Some("missing"));
        let proof = Proof::Basic { user: "alerts".into(), passwords: vec![Secret::new("sword:fish")] };
        let given =
            |text: &str, scheme: &str| proof.check(None, &with(&[("authorization", &format!("{scheme} {}", STANDARD.encode(text)))]));
        assert_eq!(given("alerts:sword:fish", "basic"), Ok(()));
        assert_eq!(why(given("alerts:sword", "Basic")), Some("wrong"));
        assert_eq!(why(given("root:sword:fish", "Basic")), Some("wrong"));
        assert_eq!(why(given("alerts:sword:fish", "Bearer")), Some("missing"));
    }

    #[test]
    fn of_a_body_too_large_to_be_read_only_what_needs_no_body_is_proven() {
        let header = Proof::Header { name: "x-token".into(), values: vec![Secret::new("swordfish")] };
        assert_eq!(header.check_unread(None, &with(&[("x-token", "swordfish")])), Ok(()));
        assert_eq!(why(header.check_unread(None, &with(&[]))), Some("missing"));
        let secret = Proof::Secret(vec![Secret::new("a shared secret")]);
        let hmac = Proof::Hmac { header: "x-s".into(), prefix: String::new(), secrets: vec![Secret::new("a shared secret")] };
        for proof in [secret, hmac] {
            let given = digits("a shared secret", "");
            let flaw =
                proof.check_unread(Some(SIGNATURE), &with(&[("x-hub-signature-256", &given), ("x-s", &given)])).expect_err("unknown");
            assert_eq!(flaw.why, Why::TooLarge);
            assert_eq!(Flaw::of(flaw.why.name(), flaw.asked_by, flaw.header()), Some(flaw));
        }
    }

    #[test]
    fn a_proof_is_made_again_of_its_name_and_its_values() {
        let values = || vec![Secret::new("one"), Secret::new("two")];
        for proof in [
            Proof::Secret(values()),
            Proof::Header { name: "x-token".into(), values: values() },
            Proof::Basic { user: "a/b".into(), passwords: values() },
            Proof::Hmac { header: "x-s".into(), prefix: "v1/=".into(), secrets: values() },
            Proof::Hmac { header: "x-s".into(), prefix: String::new(), secrets: values() },
        ] {
            assert_eq!(Proof::of(&proof.name(), proof.values().to_vec()), Some(proof));
        }
        assert_eq!(Proof::of("key", values()), None);
    }

    #[test]
    fn what_is_wrong_is_said_and_no_value_with_it() {
        let proof = Proof::Hmac { header: "x-hub-signature".into(), prefix: String::new(), secrets: vec![Secret::new("swordfish")] };
        let flaw = proof.check(None, &with(&[("x-hub-signature", "0")])).expect_err("it is wrong");
        assert_eq!(flaw.to_string(), "the signature in X-Hub-Signature is wrong");
        assert!(flaw.advice().contains("`hmac`"), "{}", flaw.advice());
        assert!(!format!("{proof:?} {flaw:?}").contains("swordfish"));
    }
}
