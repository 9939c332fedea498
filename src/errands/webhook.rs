//! Outgoing webhooks: signed, so that the receiver knows who speaks, and guarded, because their addresses are typed in by hand.
//! The format is docs/webhooks.md.

use crate::base::secret::{DELIVERY_HEADER, SIGNATURE_HEADER, Secret, webhook_signature};
use crate::base::time::Time;
use crate::vendor::http::{self, Strangers};

/// A place that is told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhook {
    client: Strangers,
    /// A secret, because such addresses often carry a key.
    url: Secret,
    /// Two while one is rotated.
    secrets: Vec<Secret>,
}

impl Webhook {
    #[must_use]
    pub const fn new(client: Strangers, url: Secret, secrets: Vec<Secret>) -> Self {
        Self { client, url, secrets }
    }

    /// Posts one delivery.
    ///
    /// # Errors
    /// A sentence without the address, for anything but a 2xx.
    pub async fn post(&self, delivery: &str, body: String, now: Time) -> Result<(), String> {
        let request = self.client.request(reqwest::Method::POST, self.url.expose()).map_err(|error| error.to_string())?;
        let request = request
            .header("content-type", "application/json")
            .header(DELIVERY_HEADER, delivery)
            .header(SIGNATURE_HEADER, webhook_signature(&self.secrets, &body, now))
            .body(body);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status())),
            Err(error) if http::is_private(&error) => Err(http::cause(&error)),
            // Not the whole error, which names the address.
            Err(error) if error.is_timeout() => Err("it did not answer in time".to_owned()),
            Err(error) => Err(http::cause(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of docs/webhooks.md, computed with `printf '%s' '1767751200.{"type":"test"}' | openssl dgst -sha256 -hmac 'a secret of 16+'`.
    #[test]
    fn the_documented_signature_is_the_one_that_is_sent() {
        let now = Time::from_seconds(1_767_751_200);
        let signed = webhook_signature(&[Secret::new("a secret of 16+")], r#"{"type":"test"}"#, now);
        assert!(include_str!("../../docs/webhooks.md").contains(&format!("X-Reveille-Signature: {signed}\n")), "{signed}");
        let two = webhook_signature(&[Secret::new("a secret of 16+"), Secret::new("another of 16 or more")], r#"{"type":"test"}"#, now);
        assert!(two.starts_with(&signed) && two.matches(",v1=").count() == 2, "{two}");
    }
}
