//! The one way out: every request Reveille makes leaves through a client built here.

use std::error::Error;
use std::net::IpAddr;

use crate::base::limits;

/// The client could not be built: no TLS provider is installed, or the machine has no certificate authorities.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("cannot prepare outgoing requests: {0}")]
    NotBuilt(String),
    #[error("\"{0}\" is not an address that starts with http:// or https://")]
    BadUrl(String),
}

/// A client for the one address that the operator has configured. It may point anywhere, the own machine included: what the operator
/// writes is trusted. It follows no redirect, because what it sends may be an order to call somebody, and its answer would be
/// another's; and an address on the own machine is reached directly, whatever proxy the environment names.
///
/// # Errors
/// When the address is none, or TLS cannot be set up.
pub fn for_operator(url: &str) -> Result<reqwest::Client, HttpError> {
    let parsed = reqwest::Url::parse(url).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host());
    let parsed = parsed.ok_or_else(|| HttpError::BadUrl(url.to_owned()))?;
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(limits::PROVIDER_CONNECT.as_duration())
        .user_agent(concat!("Reveille/", env!("CARGO_PKG_VERSION")));
    if is_own_machine(&parsed) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| HttpError::NotBuilt(cause(&error)))
}

fn is_own_machine(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The innermost cause: "Connection refused", not the layers around it, whose words name the URL.
#[must_use]
pub fn cause(error: &dyn Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The answer's body as far as the limit; `None` when it is longer or breaks off.
pub async fn body(mut response: reqwest::Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= limits::PROVIDER_BODY_BYTES => body.extend_from_slice(&chunk),
            Ok(Some(_)) | Err(_) => return None,
            Ok(None) => return Some(body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_machine_goes_round_a_proxy() {
        let own = |url: &str| is_own_machine(&url.parse().expect("a URL"));
        assert!(own("http://127.0.0.1:4010") && own("http://localhost:4010/x") && own("http://[::1]:4010"));
        assert!(!own("https://api.twilio.com") && !own("http://127.0.0.1.example.com") && !own("http://10.0.0.1"));
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for bad in ["", "api.twilio.com", "ftp://example.com", "http://"] {
            assert!(matches!(for_operator(bad), Err(HttpError::BadUrl(_))), "{bad}");
        }
    }
}
