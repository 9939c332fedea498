//! What is asked of SNS: the certificates that it signs with, and, once, that a subscription is wanted. Who asks has made sure that the
//! address is SNS's own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use reqwest::{Method, StatusCode};

use crate::base::limits;
use crate::vendor::http::{self, Strangers};

/// The way to SNS. Cheap to clone; its clones share the certificates.
#[derive(Debug, Clone)]
pub struct Sns {
    client: Strangers,
    /// Asked in the place of SNS's hosts.
    instead: Option<String>,
    /// By their addresses, the last one used last. Each holds for ever: its address is made of what is in it.
    certificates: Arc<Mutex<VecDeque<(String, Bytes)>>>,
    /// Of several messages that need a certificate at once, one fetches it.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCertificate {
    /// SNS says that there is none at this address.
    None,
    /// It cannot be had just now; a sentence.
    NotNow(String),
}

impl Sns {
    /// `instead` is asked in the place of `https://sns.REGION.amazonaws.com`, for tests.
    #[must_use]
    pub fn new(client: Strangers, instead: Option<String>) -> Self {
        Self { client, instead, certificates: Arc::default(), fetching: Arc::default() }
    }

    /// A certificate that was fetched before.
    #[must_use]
    pub fn known(&self, url: &str) -> Option<Bytes> {
        let mut certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        let place = certificates.iter().position(|(known, _)| known == url)?;
        let found = certificates.remove(place)?;
        let certificate = found.1.clone();
        certificates.push_back(found);
        Some(certificate)
    }

    /// The certificate at this address.
    ///
    /// # Errors
    /// [`NoCertificate`].
    pub async fn certificate(&self, url: &str) -> Result<Bytes, NoCertificate> {
        let _one = self.fetching.lock().await;
        if let Some(certificate) = self.known(url) {
            return Ok(certificate);
        }
        let answer = self.get(url).await.map_err(NoCertificate::NotNow)?;
        let status = answer.status();
        // S3, where they rest, says 403 of what is not there.
        if matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Err(NoCertificate::None);
        }
        if !status.is_success() {
            return Err(NoCertificate::NotNow(format!("SNS answered {status}")));
        }
        let Some(body) = http::body(answer).await else { return Err(NoCertificate::NotNow("its certificate broke off".to_owned())) };
        if body.len() > limits::SNS_CERTIFICATE_BYTES {
            return Err(NoCertificate::None);
        }
        let body = Bytes::from(body);
        let mut certificates = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        if certificates.len() >= limits::SNS_CERTIFICATES {
            certificates.pop_front();
        }
        certificates.push_back((url.to_owned(), body.clone()));
        Ok(body)
    }

    /// Says that a subscription is wanted.
    ///
    /// # Errors
    /// A sentence without the address, which holds the token.
    pub async fn confirm(&self, url: &str) -> Result<(), String> {
        match self.get(url).await?.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("SNS answered {status}")),
        }
    }

    async fn get(&self, url: &str) -> Result<reqwest::Response, String> {
        let there = self.instead.as_ref().map_or_else(
            || url.to_owned(),
            |instead| {
                let path = url.splitn(4, '/').nth(3).unwrap_or_default();
                format!("{instead}/{path}")
            },
        );
        let request = self.client.request(Method::GET, &there).map_err(|error| error.to_string())?;
        request.send().await.map_err(|error| http::cause(&error))
    }
}
