//! The one way out: every request Reveille makes leaves through a client built here.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use super::guard::{Guard, Private};
pub use super::guard::{PrivateTargets, Target};
use crate::base::limits;

/// The client could not be built: no TLS provider is installed, or the machine has no certificate authorities.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("cannot prepare outgoing requests: {0}")]
    NotBuilt(String),
    #[error("\"{0}\" is not an address that starts with http:// or https://")]
    BadUrl(String),
}

/// Why an address that somebody typed in is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// A mistyped address may hold a password, and is not repeated.
    #[error("it is no address that starts with http:// or https://")]
    Url,
    #[error("{0} is in a private network; the operator may allow it with allow_private_targets")]
    Private(String),
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

/// A client for addresses that people type in: what it reaches is checked where names are resolved, it follows no redirect, uses no
/// proxy (which would resolve names by itself), and gives every exchange a bounded time.
///
/// # Errors
/// When TLS cannot be set up.
pub fn for_strangers(private: &PrivateTargets) -> Result<Strangers, HttpError> {
    let private = Arc::new(private.clone());
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .dns_resolver(Guard(Arc::clone(&private)))
        .connect_timeout(limits::PROVIDER_CONNECT.as_duration())
        .timeout(limits::PROVIDER_ANSWER.as_duration())
        .user_agent(concat!("Reveille/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| HttpError::NotBuilt(cause(&error)))?;
    Ok(Strangers { client, private })
}

/// The guarded client of [`for_strangers`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Strangers {
    client: reqwest::Client,
    private: Arc<PrivateTargets>,
}

impl Strangers {
    /// A request to an address that somebody typed in. Read its answer with [`body`], which is bounded.
    ///
    /// # Errors
    /// When the address is none, or names a private network in digits: those are not resolved, so the guard there never sees them.
    pub fn request(&self, method: reqwest::Method, url: &str) -> Result<reqwest::RequestBuilder, BadTarget> {
        let parsed = reqwest::Url::parse(url).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host());
        let parsed = parsed.ok_or(BadTarget::Url)?;
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.parse::<IpAddr>().is_ok_and(|address| !self.private.allow(&host, address)) {
            return Err(BadTarget::Private(host));
        }
        Ok(self.client.request(method, parsed))
    }
}

/// Whether a request failed because the guard held it back: then trying again changes nothing.
#[must_use]
pub fn is_private(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<Private>() {
            return true;
        }
        next = error.source();
    }
    false
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

    /// A server on the own machine that takes any connection, and the port it has.
    fn own_server() -> (std::net::TcpListener, u16) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    #[tokio::test]
    async fn nobody_sends_us_to_our_own_machine_by_name_or_in_digits() {
        // A second start in one process finds it installed already.
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let (listener, port) = own_server();
        listener.set_nonblocking(true).expect("it can be asked");
        let client = for_strangers(&PrivateTargets::None).expect("a client");
        let by_name = client.request(reqwest::Method::POST, &format!("http://localhost:{port}/x")).expect("a name is not judged yet");
        let refused = by_name.send().await.expect_err("it is held back");
        assert!(is_private(&refused), "{refused:?}");
        for digits in ["127.0.0.1", "[::1]", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "169.254.169.254"] {
            let refused = client.request(reqwest::Method::GET, &format!("http://{digits}:{port}/"));
            assert!(matches!(refused, Err(BadTarget::Private(_))), "{digits}: {refused:?}");
        }
        assert!(listener.accept().is_err(), "nothing was connected to");
    }

    #[tokio::test]
    async fn the_operator_may_allow_it_and_no_redirect_is_followed() {
        use std::io::{Read as _, Write as _};
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let (listener, port) = own_server();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let read = stream.read(&mut [0; 4_096]).expect("a request");
            stream
                .write_all(b"HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .expect("sent");
            read
        });
        let allowed = PrivateTargets::These(vec![Target::Host("localhost".to_owned())]);
        let client = for_strangers(&allowed).expect("a client");
        let request = client.request(reqwest::Method::POST, &format!("http://localhost:{port}/x")).expect("an address");
        let answer = request.send().await.expect("it is let through");
        assert_eq!(answer.status(), reqwest::StatusCode::FOUND);
        assert!(served.join().expect("it served once") > 0);
    }

    #[test]
    fn an_address_that_is_none_is_refused() {
        for bad in ["", "api.twilio.com", "ftp://example.com", "http://"] {
            assert!(matches!(for_operator(bad), Err(HttpError::BadUrl(_))), "{bad}");
        }
    }
}
