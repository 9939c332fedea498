//! The REST client: one question, one answer, within a time.

use reqwest::header::{ACCEPT, HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde_json::Value;

use super::CliError;
use super::terminal::clean;
use crate::base::secret::Secret;
use crate::base::time::Span;
use crate::vendor::http;

/// How long an answer may take, from the first byte sent to the last received.
const ANSWER: Span = Span::seconds(10);
/// Largest answer read, bytes: a thousand incidents with the longest titles are about 3 MiB.
const ANSWER_BYTES: usize = 16 << 20;
/// Longest sentence shown of a refusal, characters.
const DETAIL_CHARS: usize = 1_000;

/// Where the webhooks are; the rest of such an address is a secret.
pub(super) const HOOKS: &str = "/hooks/";

/// A server, and who asks.
pub(super) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
}

impl Client {
    pub(super) fn new(url: &str, token: Option<&Secret>) -> Result<Self, CliError> {
        let http = http::for_operator(url)?;
        let base = Url::parse(url).map_err(|_| http::HttpError::BadUrl(url.to_owned()))?;
        let token = token.map(|token| token.expose().trim()).filter(|token| !token.is_empty()).map(Secret::new);
        Ok(Self { http, base, token })
    }

    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, CliError> {
        let request = self.request(Method::GET, path).query(query).timeout(ANSWER.as_duration());
        self.json(self.answer(request).await?).await
    }

    /// Orders something. `more` is how long the server may think about it on top of the time an answer takes.
    pub(super) async fn post(&self, path: &[&str], headers: HeaderMap, body: Vec<u8>, more: Span) -> Result<Value, CliError> {
        let request = self.request(Method::POST, path).headers(headers).body(body).timeout((ANSWER + more).as_duration());
        self.json(self.answer(request).await?).await
    }

    /// Orders something with a body of JSON. Each order has a key of its own, so that a network that sends it twice does nothing twice.
    pub(super) async fn order(&self, path: &[&str], body: &Value) -> Result<Value, CliError> {
        let key = Secret::random();
        let request = self.request(Method::POST, path).header(HeaderName::from_static("idempotency-key"), key.expose());
        self.json(self.answer(request.json(body).timeout(ANSWER.as_duration())).await?).await
    }

    pub(super) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, CliError> {
        let request = self.request(Method::PATCH, path).json(body).timeout(ANSWER.as_duration());
        self.json(self.answer(request).await?).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> Result<(), CliError> {
        self.answer(self.request(Method::DELETE, path).timeout(ANSWER.as_duration())).await.map(drop)
    }

    /// Opens a stream of events, which has no end of its own.
    pub(super) async fn stream(&self, path: &[&str], resume_after: i64) -> Result<Response, CliError> {
        let request = self
            .request(Method::GET, path)
            .header(ACCEPT, "text/event-stream")
            .header(HeaderName::from_static("last-event-id"), resume_after.to_string());
        self.answer(request).await
    }

    /// The server's address without a name, a password and a webhook's key that may stand in it.
    pub(super) fn shown(&self) -> String {
        let mut shown = self.base.clone();
        // Both fail only on addresses without a host, and those were refused.
        shown.set_username("").unwrap_or(());
        shown.set_password(None).unwrap_or(());
        let server = shown.as_str().split_once(HOOKS).map_or(shown.as_str(), |(server, _)| server);
        server.trim_end_matches('/').to_owned()
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// The answer, if it is a yes.
    async fn answer(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("somewhere else");
            return Err(self.strange(format!("it points to {}", clean(to))));
        }
        let document = self.body(response).await.ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
        let said = document.as_ref().and_then(|document| document.get("detail").or_else(|| document.get("title"))).and_then(Value::as_str);
        let detail = match said.map(clean).filter(|said| !said.is_empty()) {
            Some(said) => said.chars().take(DETAIL_CHARS).collect(),
            // Reveille's own refusals say why; a proxy's errors pass.
            None if status.is_client_error() => return Err(self.strange(format!("it answers {status}"))),
            None => format!("the server answered {status}"),
        };
        Err(CliError::Refused { status: status.as_u16(), detail, with_token: self.token.is_some(), document })
    }

    async fn json(&self, response: Response) -> Result<Value, CliError> {
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|_| self.strange("it is not JSON".to_owned()))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, CliError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(self.strange(format!("it is longer than {} MiB; ask for less with --limit", ANSWER_BYTES >> 20)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    pub(super) fn strange(&self, what: String) -> CliError {
        CliError::Strange { url: self.shown(), what }
    }

    pub(super) fn failure(&self, error: &reqwest::Error) -> CliError {
        if error.is_builder() {
            return CliError::Usage("the token, the key or the address has characters that cannot be sent".to_owned());
        }
        let cause = clean(&http::cause(error));
        let why = match cause.as_str() {
            _ if error.is_timeout() => "it did not answer in time".to_owned(),
            // rustls tells so of a server that answers in plain text.
            cause if cause.contains("InvalidContentType") => "it does not speak TLS there; write http:// instead of https://".to_owned(),
            cause if cause.contains("invalid peer certificate") => {
                format!("this machine does not trust its certificate ({cause}); SSL_CERT_FILE can name its authority's")
            }
            cause => cause.to_owned(),
        };
        CliError::Unreachable { url: self.shown(), why }
    }
}
