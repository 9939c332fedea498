//! Secrets: values that never print, digests to look them up by, and sealing for what rests in the database.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SecureRandom as _;
use ring::{aead, digest, hmac, rand};

use super::time::Time;

/// A value that must not reach a log, an error or a page. It prints as `***`; [`Secret::expose`] is the one way out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the moment it is put on the wire or compared.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// 256 random bits as 43 characters that fit in a URL.
    ///
    /// # Panics
    /// When the operating system gives no randomness.
    #[must_use]
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random_bytes::<32>()))
    }

    /// What is stored and looked up instead of the value: SHA-256 in hex. Enough for secrets of 128 random bits and more,
    /// and for integration keys, which must be found by value; passwords need a slow hash instead.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_hex(self.0.as_bytes())
    }

    /// Whether `other` is this secret, in constant time.
    #[must_use]
    pub fn matches(&self, other: &str) -> bool {
        same(self.0.as_bytes(), other.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Equality that takes the same time wherever the two differ.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    // Both are signed with a key made up for this one comparison: neither their length nor where they differ can be timed.
    let key = hmac::Key::new(hmac::HMAC_SHA256, &random_bytes::<32>());
    hmac::verify(&key, a, hmac::sign(&key, b).as_ref()).is_ok()
}

#[must_use]
pub fn digest_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// A SHA-256 of what comes in pieces.
pub struct Digesting(digest::Context);

impl Default for Digesting {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Digesting {
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In hex, of all that was added.
    #[must_use]
    pub fn hex(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

/// HMAC-SHA1, because Twilio signs with it.
#[must_use]
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message).as_ref().to_vec()
}

#[must_use]
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    // Formatting each byte would take longer than the digest itself, of which there may be one for each alert of a group.
    text.extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)));
    text
}

/// The signature of an outgoing webhook: `t=<seconds since the epoch>,v1=<HMAC-SHA256 in hex>`, one `v1` for each live secret.
pub const SIGNATURE_HEADER: &str = "x-reveille-signature";
/// The same for every try of one delivery.
pub const DELIVERY_HEADER: &str = "x-reveille-delivery";

/// Over the moment and the body, so that neither can be exchanged. The format is docs/webhooks.md.
#[must_use]
pub fn webhook_signature(secrets: &[Secret], body: &str, now: Time) -> String {
    let t = now.seconds();
    let signed = format!("{t}.{body}");
    let each = secrets.iter().map(|secret| format!(",v1={}", hex(&hmac_sha256(secret.expose().as_bytes(), signed.as_bytes()))));
    format!("t={t}{}", each.collect::<String>())
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    rand::SystemRandom::new().fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Seals what rests in the database with the key that rests beside it (`var/secret.key`): ChaCha20-Poly1305, a random nonce each.
#[derive(Clone)]
pub struct Sealer(std::sync::Arc<aead::LessSafeKey>);

/// A sealed value could not be opened: another key sealed it, or it was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret does not open with this secret key; was var/secret.key replaced?")]
pub struct Unsealable;

/// A text that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret key is 32 bytes in base64; make one with: head -c 32 /dev/urandom | base64")]
pub struct BadKey;

impl Sealer {
    /// A new key in base64, to be written to a file of mode 0600.
    #[must_use]
    pub fn new_key() -> Secret {
        Secret(STANDARD.encode(random_bytes::<32>()))
    }

    /// # Errors
    /// When `key` is not 32 bytes in base64.
    pub fn open(key: &Secret) -> Result<Self, BadKey> {
        let bytes = STANDARD.decode(key.expose().trim()).map_err(|_| BadKey)?;
        let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &bytes).map_err(|_| BadKey)?;
        Ok(Self(std::sync::Arc::new(aead::LessSafeKey::new(key))))
    }

    /// # Panics
    /// Never on texts below 256 GiB.
    #[must_use]
    pub fn seal(&self, secret: &Secret) -> String {
        let nonce = random_bytes::<12>();
        let mut sealed = secret.expose().as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(aead::Nonce::assume_unique_for_key(nonce), aead::Aad::empty(), &mut sealed)
            .expect("the text is shorter than the cipher's limit");
        STANDARD.encode([nonce.as_slice(), &sealed].concat())
    }

    /// # Errors
    /// When the text was sealed with another key or changed since.
    pub fn unseal(&self, sealed: &str) -> Result<Secret, Unsealable> {
        let bytes = STANDARD.decode(sealed).map_err(|_| Unsealable)?;
        let (nonce, rest) = bytes.split_at_checked(12).ok_or(Unsealable)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable)?;
        let mut rest = rest.to_vec();
        let plain = self.0.open_in_place(nonce, aead::Aad::empty(), &mut rest).map_err(|_| Unsealable)?;
        String::from_utf8(plain.to_vec()).map(Secret).map_err(|_| Unsealable)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("swordfish");
        assert_eq!(format!("{secret:?}"), "***");
        assert!(secret.matches("swordfish") && !secret.matches("swordfis"));
    }

    #[test]
    fn what_one_key_sealed_no_other_opens() {
        let sealer = Sealer::open(&Sealer::new_key()).expect("a fresh key opens");
        let stranger = Sealer::open(&Sealer::new_key()).expect("a fresh key opens");
        let locked = sealer.seal(&Secret::new("swordfish"));
        assert!(!locked.contains("swordfish"));
        assert_eq!(sealer.unseal(&locked), Ok(Secret::new("swordfish")));
        assert_eq!(stranger.unseal(&locked), Err(Unsealable));
        assert_eq!(sealer.unseal("AAAA"), Err(Unsealable));
    }
}
