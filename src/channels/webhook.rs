//! A person's own webhook: a signed POST to an address they typed in, through the guarded client. The format is docs/webhooks.md.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::{Channel, Content, Outgoing, Sent};
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::secret::{DELIVERY_HEADER, SIGNATURE_HEADER, Secret, webhook_signature};
use crate::domain::input::News;
use crate::domain::setup::ContactKind;
use crate::vendor::http::{self, Strangers};

pub struct Webhook {
    client: Strangers,
    /// `[server] webhook_secret`, two while it is rotated; without one nothing is signed.
    secrets: Vec<Secret>,
    clock: Clock,
}

impl Webhook {
    #[must_use]
    pub const fn new(client: Strangers, secrets: Vec<Secret>, clock: Clock) -> Self {
        Self { client, secrets, clock }
    }

    async fn post(&self, outgoing: &Outgoing) -> News {
        let Content::Hook(body) = &outgoing.content else { return Sent::unfit().news };
        let rejected = |reason: String| News::Rejected { reason: format!("webhook: {reason}") };
        let request = match self.client.request(reqwest::Method::POST, &outgoing.to) {
            Ok(request) => request,
            Err(error) => return rejected(error.to_string()),
        };
        let mut request =
            request.header("content-type", "application/json").header(DELIVERY_HEADER, outgoing.attempt.as_str()).body(body.clone());
        if !self.secrets.is_empty() {
            request = request.header(SIGNATURE_HEADER, webhook_signature(&self.secrets, body, self.clock.now()));
        }
        // Not the whole error, which names the address, and with it perhaps a key.
        match self.clock.timeout(limits::PROVIDER_ANSWER, request.send()).await {
            Some(Ok(answer)) if answer.status().is_success() => News::Accepted { provider_id: outgoing.attempt.to_string() },
            Some(Ok(answer)) => rejected(format!("it answered {}", answer.status())),
            Some(Err(error)) if http::is_private(&error) || error.is_connect() || error.is_builder() => rejected(http::cause(&error)),
            Some(Err(error)) if error.is_timeout() => News::Unknown { reason: "webhook: it did not answer in time".to_owned() },
            Some(Err(error)) => News::Unknown { reason: format!("webhook: {}", http::cause(&error)) },
            None => News::Unknown { reason: format!("webhook: no answer within {}", limits::PROVIDER_ANSWER) },
        }
    }
}

impl Channel for Webhook {
    fn kind(&self) -> ContactKind {
        ContactKind::Webhook
    }

    fn provider(&self) -> &'static str {
        "webhook"
    }

    fn from(&self) -> &'static str {
        "reveille"
    }

    fn takes_keys(&self) -> bool {
        false
    }

    fn send<'a>(&'a self, outgoing: &'a Outgoing) -> BoxFuture<'a, Sent> {
        self.post(outgoing).map(Sent::of).boxed()
    }
}
