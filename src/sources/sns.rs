//! SNS's envelope: what it says of itself, and whether its signature is right. The words and the strings that are signed are those of
//! "Verifying the signatures of Amazon SNS messages" in the Amazon SNS Developer Guide.
//!
//! Pure: the certificate is somebody else's to fetch, and an address is only handed out when it is SNS's own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use serde_json::{Map, Value};

use super::{field, reading};
use crate::base::limits;
use crate::domain::input::{Action, Signal};

/// A message in SNS's envelope. A raw delivery has none, and no signature either.
#[derive(Debug)]
pub struct Envelope(Map<String, Value>);

/// A topic asks whether its messages are wanted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub topic: String,
    /// Names this one request.
    pub token: String,
    /// To be asked for once, to say yes.
    pub url: String,
}

/// What becomes of a request to confirm a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    Given,
    /// The topic is not in the integration's list.
    Unlisted,
    /// Whether SNS sent it could not be checked.
    Unchecked,
}

impl Envelope {
    /// `None`: the body is no envelope.
    #[must_use]
    pub fn open(body: &[u8]) -> Option<Self> {
        match reading::json(body) {
            Ok(Value::Object(fields)) => is_envelope(&fields).then_some(Self(fields)),
            Ok(_) | Err(_) => None,
        }
    }

    /// Where the certificate is that it was signed with.
    ///
    /// # Errors
    /// A sentence: that is not at SNS.
    pub fn certificate_url(&self) -> Result<&str, &'static str> {
        let url = self.text("SigningCertURL").ok_or("it names no certificate")?;
        let path = path_at_sns(url).ok_or("its certificate is not at SNS")?;
        let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte)) && !path.contains("..");
        if plain && path.strip_suffix(".pem").is_some_and(|name| name.len() > 1) { Ok(url) } else { Err("its certificate is not at SNS") }
    }

    /// Whether it was signed with the key of this certificate, which is in PEM.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn verify(&self, certificate: &[u8]) -> Result<(), &'static str> {
        let algorithm = match self.text("SignatureVersion") {
            Some("1") => Pkcs1(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
            Some("2") => Pkcs1(&RSA_PKCS1_2048_8192_SHA256),
            Some(_) | None => return Err("the version of its signature is neither 1 nor 2"),
        };
        let signature = self.text("Signature").ok_or("it is not signed")?;
        let signature = STANDARD.decode(signature).map_err(|_| "its signature is not Base64")?;
        let certificate = CertificateDer::from_pem_slice(certificate).map_err(|_| "its certificate is none")?;
        let certificate = webpki::EndEntityCert::try_from(&certificate).map_err(|_| "its certificate is none")?;
        let signed = self.signed().ok_or("a part of what is signed is missing")?;
        certificate.verify_signature(&algorithm, signed.as_bytes(), &signature).map_err(|_| "it is not what was signed")
    }

    /// The request to confirm a subscription, where this is one whose address is SNS's.
    #[must_use]
    pub fn subscription(&self) -> Option<Subscription> {
        let (topic, token, url) = (self.text("TopicArn")?, self.text("Token")?, self.text("SubscribeURL")?);
        let query = path_at_sns(url)?.strip_prefix("/?")?;
        // No character that two readers of addresses read differently.
        let plain = query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:=&%+/".contains(&byte));
        let confirms = query.split('&').any(|pair| pair == "Action=ConfirmSubscription");
        let is_one = self.text("Type") == Some("SubscriptionConfirmation") && plain && confirms && url.len() <= limits::URL_BYTES;
        is_one.then(|| Subscription { topic: topic.to_owned(), token: token.to_owned(), url: url.to_owned() })
    }

    /// `name\nvalue\n` of each signed part, in the order of their names.
    fn signed(&self) -> Option<String> {
        let names: &[&str] = match self.text("Type")? {
            "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
            _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
        };
        let mut signed = String::new();
        for name in names {
            match self.text(name) {
                Some(value) => signed.extend([name, "\n", value, "\n"]),
                None if *name == "Subject" => {}
                None => return None,
            }
        }
        Some(signed)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

/// Whether SNS wrapped the message.
pub(super) fn is_envelope(fields: &Map<String, Value>) -> bool {
    fields.contains_key("TopicArn") && field::text(fields, "Type").is_some()
}

/// The path and query of an address on SNS's own hosts, `https://sns.REGION.amazonaws.com` and `.com.cn`; nothing else is one.
fn path_at_sns(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://sns.")?;
    let (host, path) = rest.split_at(rest.find('/')?);
    let region = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_region.then_some(path)
}

/// RSA as ring verifies it, for the key of a certificate as webpki reads it: webpki itself knows no SHA-1.
#[derive(Debug)]
struct Pkcs1(&'static RsaParameters);

impl SignatureVerificationAlgorithm for Pkcs1 {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        UnparsedPublicKey::new(self.0, public_key).verify(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    /// Asked only where a certificate's own signature is verified, which none is here.
    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PKCS1_SHA256
    }
}

/// Says with the signals of a message that nobody could check its signature.
pub fn mark_unchecked(signals: &mut [Signal]) {
    for signal in signals {
        let mut labels = reading::Labels::from(std::mem::take(&mut signal.labels));
        labels.put("sns_signature", "not checked: its certificate could not be fetched just then");
        signal.labels = labels.done();
    }
}

/// Says with the signals of a request to confirm a subscription what becomes of it.
pub fn tell_consent(signals: &mut [Signal], topic: &str, consent: Consent) {
    let said = match consent {
        Consent::Given => "it is in topics, and is being confirmed".to_owned(),
        Consent::Unlisted => format!(
            "it is not in topics, and was not confirmed; if you want its alarms, add topics = [\"{topic}\"] to the integration and let SNS \
             request the confirmation again"
        ),
        Consent::Unchecked => {
            "its signature could not be checked just then, and it was not confirmed; let SNS request the confirmation again".to_owned()
        }
    };
    for signal in signals {
        // A long name must not push out what is to be done.
        let said = field::headline(&format!("SNS asks to confirm the subscription of {topic}"), ": ", &said);
        signal.action = Action::Ignore(said);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../../tests/fixtures/sns/certificate.pem");

    fn envelope(name: &str) -> Value {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sns").join(format!("{name}.json"));
        serde_json::from_slice(&std::fs::read(path).expect("the fixture is there")).expect("JSON")
    }

    fn opened(value: &Value) -> Envelope {
        Envelope::open(value.to_string().as_bytes()).expect("an envelope")
    }

    /// Signed with `openssl dgst`, over strings put together by hand.
    #[test]
    fn both_versions_of_the_signature_are_right_over_what_was_signed_and_nothing_else() {
        for name in ["notification_v1", "notification_v2", "notification_without_subject_v2", "subscription_v1", "subscription_v2"] {
            let body = envelope(name);
            assert_eq!(opened(&body).verify(CERTIFICATE), Ok(()), "{name}");
            // What SNS adds without signing it changes nothing.
            let mut more = body.clone();
            more["UnsubscribeURL"] = json!("https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe");
            assert_eq!(opened(&more).verify(CERTIFICATE), Ok(()), "{name}");
            for part in ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "SubscribeURL", "Token", "SignatureVersion"] {
                let Some(value) = body[part].as_str() else { continue };
                let mut forged = body.clone();
                forged[part] = json!(format!("{value} "));
                assert!(opened(&forged).verify(CERTIFICATE).is_err(), "{name} with another {part}");
                if part != "Type" && part != "TopicArn" {
                    forged.as_object_mut().expect("an object").remove(part);
                    assert!(opened(&forged).verify(CERTIFICATE).is_err(), "{name} without its {part}");
                }
            }
            for signature in [json!(null), json!(""), json!("!"), json!("AAAA"), json!(["x"])] {
                let mut forged = body.clone();
                forged["Signature"] = signature;
                assert!(opened(&forged).verify(CERTIFICATE).is_err(), "{name}: {}", forged["Signature"]);
            }
        }
        // The other version's algorithm over the same string.
        let mut crossed = envelope("notification_v1");
        crossed["SignatureVersion"] = json!("2");
        assert_eq!(opened(&crossed).verify(CERTIFICATE), Err("it is not what was signed"));
    }

    #[test]
    fn what_is_no_certificate_signs_nothing() {
        let body = opened(&envelope("notification_v2"));
        let other = include_bytes!("../../tests/fixtures/sns/other.pem");
        assert_eq!(body.verify(other), Err("it is not what was signed"));
        for none in [&b""[..], b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(body.verify(none), Err("its certificate is none"));
        }
    }

    #[test]
    fn a_certificate_is_fetched_from_sns_alone() {
        let named =
            |url: &str| opened(&json!({ "Type": "Notification", "TopicArn": "t", "SigningCertURL": url })).certificate_url().is_ok();
        for good in [
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-6aad65c2f9911b05cd53efda11f913f9.pem",
            "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-1.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem",
        ] {
            assert!(named(good), "{good}");
        }
        for bad in [
            "",
            "http://sns.eu-west-1.amazonaws.com/a.pem",
            "https://sns.eu-west-1.amazonaws.com",
            "https://sns.eu-west-1.amazonaws.com/.pem",
            "https://sns.eu-west-1.amazonaws.com/a.txt",
            "https://sns.eu-west-1.amazonaws.com/a.pem?x",
            "https://sns.eu-west-1.amazonaws.com/../a.pem",
            "https://sns.eu-west-1.amazonaws.com/%2e%2e/a.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
            "https://sns.evil.example#.amazonaws.com/a.pem",
            "https://sns.evil.example\\.amazonaws.com/a.pem",
            "https://sns.a.b.amazonaws.com/a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://sns.amazonaws.com/a.pem",
            "https://SNS.eu-west-1.amazonaws.com/a.pem",
            "https://evil-sns.eu-west-1.amazonaws.com/a.pem",
            "https://bucket.s3.amazonaws.com/a.pem",
            "https://sns.eu-west-1.amazonaws.cn/a.pem",
            " https://sns.eu-west-1.amazonaws.com/a.pem",
        ] {
            assert!(!named(bad), "{bad}");
        }
    }

    #[test]
    fn a_subscription_is_confirmed_at_sns_alone() {
        let body = envelope("subscription_v2");
        let asked = opened(&body).subscription().expect("it asks");
        assert_eq!(asked.topic, "arn:aws:sns:eu-west-1:123456789012:alarms");
        assert!(asked.url.starts_with("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&"));
        for bad in [
            "https://evil.example/?Action=ConfirmSubscription&Token=1",
            "https://sns.eu-west-1.amazonaws.com/?Action=Publish&Token=1",
            "https://sns.eu-west-1.amazonaws.com/x?Action=ConfirmSubscription",
            "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&x=\r\nHost:",
            "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription#x",
        ] {
            let mut forged = body.clone();
            forged["SubscribeURL"] = json!(bad);
            assert_eq!(opened(&forged).subscription(), None, "{bad}");
        }
        assert_eq!(opened(&envelope("notification_v2")).subscription(), None);
        for raw in [&b"{}"[..], b"", b"[]", br#"{"AlarmName":"x"}"#, br#"{"Type":7}"#] {
            assert!(Envelope::open(raw).is_none());
        }
    }
}
