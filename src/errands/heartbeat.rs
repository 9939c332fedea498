//! The dead man's switch that somebody else keeps: a service that raises the alarm when this one stops asking for its address.

use crate::base::limits;
use crate::base::secret::Secret;
use crate::vendor::http::{self, HttpError};

/// One address to ask for. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    client: reqwest::Client,
    url: Secret,
}

impl Heartbeat {
    /// The operator's own address, which may be anywhere.
    ///
    /// # Errors
    /// When it is no address, or TLS cannot be set up.
    pub fn new(url: Secret) -> Result<Self, HttpError> {
        // Such an address carries its key, so that a complaint must not repeat it.
        let client = http::for_operator(url.expose()).map_err(|error| match error {
            HttpError::BadUrl(_) => HttpError::BadUrl("heartbeat_url".to_owned()),
            HttpError::NotBuilt(_) => error,
        })?;
        Ok(Self { client, url })
    }

    /// Says once that all is well.
    ///
    /// # Errors
    /// A sentence without the address.
    pub async fn beat(&self) -> Result<(), String> {
        let asked = self.client.get(self.url.expose()).timeout(limits::PROVIDER_ANSWER.as_duration()).send().await;
        match asked {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status())),
            Err(error) => Err(http::cause(&error)),
        }
    }
}
