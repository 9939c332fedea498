//! A raw request from a stranger, before anyone has made sense of it.

use bytes::Bytes;

use super::time::Time;

/// What came in: enough to check a signature over and to read signals from.
#[derive(Debug, Clone)]
pub struct Inbound {
    pub method: String,
    /// Path and query as they came.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Decoded, where it came encoded.
    pub body: Bytes,
    /// The body as it was sent, where that was encoded: this is what a sender has signed.
    pub sent: Option<Bytes>,
    pub received_at: Time,
}

impl Inbound {
    /// What a signature is over.
    #[must_use]
    pub fn signed(&self) -> &Bytes {
        self.sent.as_ref().unwrap_or(&self.body)
    }

    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
