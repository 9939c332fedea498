//! Slack's Web API, as far as a room needs it, and the signature of what Slack sends. It knows channels, messages and users, and no incident.
//!
//! Methods and errors: <https://docs.slack.dev/reference/methods>; signatures: <https://docs.slack.dev/authentication/verifying-requests-from-slack>.

mod socket;

use std::fmt;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde::Serialize;
use serde_json::{Value, json};
use slack_morphism::errors::SlackClientError;
use slack_morphism::hyper_tokio::SlackClientHyperConnector;
use slack_morphism::prelude::{ClientResult, SlackClientHttpConnector as _};
use slack_morphism::{SlackApiToken, SlackApiTokenValue, SlackClient, SlackClientApiCallContext};

pub use self::socket::{Envelope, EnvelopeKind, Heard, Socket};
use super::http::{self, HttpError};
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::secret::{Secret, hex, hmac_sha256, same};
use crate::base::time::{Span, Time};

/// The one foreign host that answers may be sent to.
const HOOKS_HOST: &str = "hooks.slack.com";

/// What the bot token has to be allowed, for the methods called here and for what Slack sends.
pub const SCOPES: &[&str] = &[
    "app_mentions:read",
    "bookmarks:read",
    "bookmarks:write",
    "channels:history",
    "channels:join",
    "channels:manage",
    "channels:read",
    "chat:write",
    "commands",
    "im:history",
    "pins:write",
];

/// The kind of what we write beside our messages to find them again.
const MARK: &str = "reveille_mark";

/// Why Slack did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    #[error("Slack wants to be left alone for {after}")]
    RateLimited { after: Span },
    #[error("a channel of this name exists already")]
    NameTaken,
    /// The channel is archived or deleted, or we were put out of it.
    #[error("the channel is gone: {0}")]
    ChannelGone(String),
    #[error("the message is gone")]
    MessageGone,
    /// The token counts for nothing.
    #[error("Slack does not take the token: {0}")]
    Unauthorised(String),
    /// Slack understood and will not do it, whoever asks how often.
    #[error("Slack refused: {0}")]
    Refused(String),
    /// It may or may not have been done.
    #[error("{0}")]
    Unreachable(String),
}

/// A message: the words that a notification shows, and the blocks that stand in the channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    pub text: String,
    pub blocks: Vec<Value>,
}

/// A channel as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: String,
    /// Slack may have changed it.
    pub name: String,
}

type Connector = SlackClientHyperConnector<HttpsConnector<HttpConnector>>;

/// One workspace, spoken to as a bot.
pub struct Slack {
    client: SlackClient<Connector>,
    token: SlackApiToken,
    /// For Socket Mode.
    app_token: Option<SlackApiToken>,
    /// Opens the connections that are no requests.
    wire: HttpsConnector<HttpConnector>,
    signing_secrets: Vec<Secret>,
    api: reqwest::Url,
    clock: Clock,
}

impl fmt::Debug for Slack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slack").field("api", &authority(&self.api)).finish_non_exhaustive()
    }
}

impl Slack {
    /// `api_url` without a slash at the end; of the secrets any may have signed what comes. With an `app_token` there is Socket Mode.
    ///
    /// # Errors
    /// When the address is none, or TLS cannot be set up.
    pub fn new(
        bot_token: &Secret,
        app_token: Option<&Secret>,
        signing_secrets: Vec<Secret>,
        api_url: &str,
        clock: Clock,
    ) -> Result<Self, HttpError> {
        let parsed = reqwest::Url::parse(api_url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let api = parsed.ok_or_else(|| HttpError::BadUrl(api_url.to_owned()))?;
        // The library's own connector speaks https alone, which no staged Slack does.
        let wire = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| HttpError::NotBuilt(http::cause(&error)))?
            .https_or_http()
            .enable_http1()
            .build();
        let connector = SlackClientHyperConnector::with_connector(wire.clone()).with_slack_api_url(api_url.trim_end_matches('/'));
        Ok(Self {
            client: SlackClient::new(connector),
            token: SlackApiToken::new(SlackApiTokenValue(bot_token.expose().to_owned())),
            app_token: app_token.map(|token| SlackApiToken::new(SlackApiTokenValue(token.expose().to_owned()))),
            wire,
            signing_secrets,
            api,
            clock,
        })
    }

    /// Whether Slack signed this body: `v0` over the raw body, not older or younger than the window.
    #[must_use]
    pub fn verify(&self, timestamp: &str, signature: &str, body: &[u8]) -> bool {
        let Ok(seconds) = timestamp.parse::<i64>() else { return false };
        let age = self.clock.now().since(Time::from_seconds(seconds)).as_seconds().saturating_abs();
        if age > limits::SLACK_SIGNATURE_AGE.as_seconds() {
            return false;
        }
        let message = [b"v0:", timestamp.as_bytes(), b":", body].concat();
        // Every secret is tried, so that the time taken does not tell which one fits.
        self.signing_secrets.iter().fold(false, |verified, secret| {
            let expected = format!("v0={}", hex(&hmac_sha256(secret.expose().as_bytes(), &message)));
            verified | same(expected.as_bytes(), signature.as_bytes())
        })
    }

    /// Whether an answer may be sent there: on Slack's own host, or on the host of the API's address.
    #[must_use]
    pub fn may_answer(&self, response_url: &str) -> bool {
        let Ok(url) = reqwest::Url::parse(response_url) else { return false };
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        (url.scheme() == "https" && url.host_str() == Some(HOOKS_HOST) && url.port().is_none())
            || (matches!(url.scheme(), "http" | "https") && authority(&self.api) == authority(&url))
    }

    /// # Errors
    /// [`SlackError::NameTaken`] among others.
    pub async fn create_channel(&self, name: &str) -> Result<Channel, SlackError> {
        let made = self.call("conversations.create", &json!({ "name": name })).await?;
        let id = text(&made["channel"]["id"]).ok_or_else(|| nonsense("conversations.create"))?;
        Ok(Channel { id, name: text(&made["channel"]["name"]).unwrap_or_else(|| name.to_owned()) })
    }

    /// # Errors
    /// See [`SlackError`].
    pub async fn set_topic(&self, channel: &str, topic: &str) -> Result<(), SlackError> {
        self.call("conversations.setTopic", &json!({ "channel": channel, "topic": topic })).await.map(drop)
    }

    /// Whoever is in it already is fine.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn invite(&self, channel: &str, user: &str) -> Result<(), SlackError> {
        match self.call("conversations.invite", &json!({ "channel": channel, "users": user })).await {
            Err(SlackError::Refused(why)) if why == "already_in_channel" || why == "cant_invite_self" => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Posts a message to a channel, or to a person by their id, and gives the channel it went to and its `ts`. By its `mark`, which
    /// nobody sees, it can be found again.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn post_message(
        &self,
        channel: &str,
        thread: Option<&str>,
        mark: Option<&str>,
        message: &Message,
    ) -> Result<(String, String), SlackError> {
        let mut arguments = json!({ "channel": channel });
        if let Some(thread) = thread {
            arguments["thread_ts"] = json!(thread);
        }
        if let Some(mark) = mark {
            arguments["metadata"] = json!({ "event_type": MARK, "event_payload": { "mark": mark } });
        }
        let sent = self.call("chat.postMessage", &with_message(arguments, message)).await?;
        let ts = text(&sent["ts"]).ok_or_else(|| nonsense("chat.postMessage"))?;
        Ok((text(&sent["channel"]).unwrap_or_else(|| channel.to_owned()), ts))
    }

    /// The `ts` of the message with this mark, if it stands in the channel and was not posted before `since`.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn find_message(&self, channel: &str, mark: &str, since: Time) -> Result<Option<String>, SlackError> {
        // By its clock, which is not ours.
        let oldest = (since - limits::SLACK_SIGNATURE_AGE).seconds().to_string();
        let limit = limits::SLACK_LOOKED_THROUGH.to_string();
        let asked = [
            ("channel", Some(channel)),
            ("oldest", Some(oldest.as_str())),
            ("limit", Some(limit.as_str())),
            ("include_all_metadata", Some("true")),
        ];
        let session = self.client.open_session(&self.token);
        let answer: Value = self.settle(session.http_session_api.http_get("conversations.history", &asked, None)).await?;
        let messages = answer["messages"].as_array().ok_or_else(|| nonsense("conversations.history"))?;
        let found = messages.iter().find(|message| {
            message["metadata"]["event_type"] == MARK && message["metadata"]["event_payload"]["mark"].as_str() == Some(mark)
        });
        Ok(found.and_then(|message| text(&message["ts"])))
    }

    /// Enters a public channel.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn join(&self, channel: &str) -> Result<(), SlackError> {
        self.call("conversations.join", &json!({ "channel": channel })).await.map(drop)
    }

    /// Puts a link on top of a channel, unless it is there.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn bookmark(&self, channel: &str, title: &str, link: &str) -> Result<(), SlackError> {
        let known = self.call("bookmarks.list", &json!({ "channel_id": channel })).await?;
        if known["bookmarks"].as_array().is_some_and(|known| known.iter().any(|bookmark| bookmark["link"] == link)) {
            return Ok(());
        }
        let bookmark = json!({ "channel_id": channel, "title": title, "type": "link", "link": link });
        self.call("bookmarks.add", &bookmark).await.map(drop)
    }

    /// Edits a message of ours in place.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn update_message(&self, channel: &str, ts: &str, message: &Message) -> Result<(), SlackError> {
        self.call("chat.update", &with_message(json!({ "channel": channel, "ts": ts }), message)).await.map(drop)
    }

    /// One that is pinned already is fine.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn pin(&self, channel: &str, ts: &str) -> Result<(), SlackError> {
        match self.call("pins.add", &json!({ "channel": channel, "timestamp": ts })).await {
            Err(SlackError::Refused(why)) if why == "already_pinned" => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Opens a dialogue.
    ///
    /// # Errors
    /// See [`SlackError`].
    pub async fn open_view(&self, trigger_id: &str, view: &Value) -> Result<(), SlackError> {
        self.call("views.open", &json!({ "trigger_id": trigger_id, "view": view })).await.map(drop)
    }

    /// Answers a command or a button after its request. The bot's token does not go there.
    ///
    /// # Errors
    /// [`SlackError::Refused`] for an address that is not Slack's, else see [`SlackError`].
    pub async fn respond(&self, response_url: &str, answer: &Value) -> Result<(), SlackError> {
        let url = reqwest::Url::parse(response_url).ok().filter(|_| self.may_answer(response_url));
        let url = url.ok_or_else(|| SlackError::Refused("the address for the answer is not Slack's".to_owned()))?;
        let span = tracing::Span::none();
        let context = SlackClientApiCallContext { rate_control_params: None, token: None, tracing_span: &span, is_sensitive_url: true };
        let request = self.client.http_api.connector.http_post_uri(url, answer, context);
        self.settle::<Value>(request).await.map(drop)
    }

    async fn call(&self, method: &str, arguments: &Value) -> Result<Value, SlackError> {
        let session = self.client.open_session(&self.token);
        let answer: Value = self.settle(session.http_session_api.http_post(method, arguments, None)).await?;
        // An answer that is no JSON at all is a success to the library, with nothing in it.
        if answer["ok"] == json!(true) { Ok(answer) } else { Err(nonsense(method)) }
    }

    /// The library waits for ever, so every call is bounded here.
    async fn settle<T>(&self, request: impl Future<Output = ClientResult<T>>) -> Result<T, SlackError> {
        match self.clock.timeout(limits::PROVIDER_ANSWER, request).await {
            Some(outcome) => outcome.map_err(|error| self.plain(&error)),
            None => Err(SlackError::Unreachable(format!("no answer from Slack within {}", limits::PROVIDER_ANSWER))),
        }
    }

    /// The library's errors carry whole bodies and addresses; of these only Slack's own short word is kept.
    fn plain(&self, error: &SlackClientError) -> SlackError {
        match error {
            SlackClientError::RateLimitError(limited) => {
                let asked = limited.retry_after.and_then(|after| i64::try_from(after.as_secs()).ok()).map(Span::seconds);
                SlackError::RateLimited {
                    after: asked.unwrap_or(limits::SLACK_RETRY_LEAST).clamp(Span::seconds(1), limits::SLACK_RETRY_MOST),
                }
            }
            SlackClientError::ApiError(refused) => match refused.code.as_str() {
                "ratelimited" => SlackError::RateLimited { after: limits::SLACK_RETRY_LEAST },
                "name_taken" => SlackError::NameTaken,
                "channel_not_found" | "is_archived" | "not_in_channel" => SlackError::ChannelGone(refused.code.clone()),
                "message_not_found" => SlackError::MessageGone,
                "invalid_auth"
                | "not_authed"
                | "token_revoked"
                | "token_expired"
                | "account_inactive"
                | "not_allowed_token_type"
                | "team_access_not_granted" => SlackError::Unauthorised(refused.code.clone()),
                "internal_error" | "fatal_error" | "service_unavailable" | "request_timeout" => {
                    SlackError::Unreachable(format!("Slack answered {}", refused.code))
                }
                code => SlackError::Refused(self.word(code)),
            },
            SlackClientError::HttpError(refused) => SlackError::Unreachable(format!("Slack answered {}", refused.status_code.as_u16())),
            SlackClientError::ProtocolError(_) => SlackError::Unreachable("Slack answered with something unexpected".to_owned()),
            SlackClientError::HttpProtocolError(_)
            | SlackClientError::EndOfStream(_)
            | SlackClientError::SystemError(_)
            | SlackClientError::SocketModeProtocolError(_) => {
                SlackError::Unreachable(format!("could not reach Slack: {}", self.word(&http::cause(error))))
            }
        }
    }

    /// One short line without the token: whoever answers at this address chooses the words.
    fn word(&self, text: &str) -> String {
        let mut hidden = text.replace(self.token.token_value.0.as_str(), "***");
        if let Some(app) = &self.app_token {
            hidden = hidden.replace(app.token_value.0.as_str(), "***");
        }
        let words: String = hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        words.trim().chars().take(limits::PROVIDER_REASON_CHARS).collect()
    }
}

/// Host and port.
fn authority(url: &reqwest::Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn nonsense(method: &str) -> SlackError {
    SlackError::Unreachable(format!("Slack answered {method} with something unexpected"))
}

/// Links in alert text are not fetched by Slack, and nothing in it is taken for a name or a channel.
fn with_message(mut arguments: Value, message: &Message) -> Value {
    arguments["text"] = json!(message.text);
    arguments["blocks"] = json!(message.blocks);
    arguments["unfurl_links"] = json!(false);
    arguments["unfurl_media"] = json!(false);
    arguments["parse"] = json!("none");
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"token=xyz&team_id=T1&text=ack+42";

    fn slack(secrets: &[&str]) -> Slack {
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        let clock = Clock::fake(Time::from_seconds(1_531_420_618));
        Slack::new(&Secret::new("xoxb-secret"), Some(&Secret::new("xapp-secret")), secrets, "http://127.0.0.1:4010/slack/api", clock)
            .expect("a client")
    }

    fn signed(secret: &str, at: i64, body: &[u8]) -> (String, String) {
        let message = [format!("v0:{at}:").as_bytes(), body].concat();
        (at.to_string(), format!("v0={}", hex(&hmac_sha256(secret.as_bytes(), &message))))
    }

    /// The worked example of Slack's own page on signatures.
    #[test]
    fn the_example_of_slacks_documentation_verifies() {
        let slack = slack(&["8f742231b10e8888abcd99yyyzzz85a5"]);
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        assert!(slack.verify("1531420618", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", body));
    }

    #[test]
    fn either_live_secret_may_have_signed_and_nothing_else() {
        let slack = slack(&["new", "old"]);
        let now = 1_531_420_618;
        for secret in ["new", "old"] {
            let (at, signature) = signed(secret, now, BODY);
            assert!(slack.verify(&at, &signature, BODY), "{secret}");
            assert!(!slack.verify(&at, &signature, b"text=resolve+42"), "another body");
            assert!(!slack.verify(&(now + 1).to_string(), &signature, BODY), "another time");
            assert!(!slack.verify(&at, signature.trim_start_matches("v0="), BODY), "another version");
        }
        let (at, signature) = signed("stranger", now, BODY);
        assert!(!slack.verify(&at, &signature, BODY) && !slack.verify("soon", "", BODY) && !slack.verify("", "v0=", BODY));
    }

    #[test]
    fn what_is_older_or_younger_than_the_window_is_refused() {
        let slack = slack(&["new"]);
        for (offset, good) in [(0, true), (-300, true), (300, true), (-301, false), (301, false), (i64::MIN / 2, false)] {
            let (at, signature) = signed("new", 1_531_420_618 + offset, BODY);
            assert_eq!(slack.verify(&at, &signature, BODY), good, "{offset}");
        }
    }

    #[test]
    fn answers_go_to_slack_and_to_nobody_else() {
        let slack = slack(&["new"]);
        for good in ["https://hooks.slack.com/commands/T1/2/x", "http://127.0.0.1:4010/slack/hooks/commands/T/1/x"] {
            assert!(slack.may_answer(good), "{good}");
        }
        for bad in [
            "http://hooks.slack.com/commands",
            "https://hooks.slack.com:8443/x",
            "https://hooks.slack.com.example.com/x",
            "https://hooks.slack.com@example.com/x",
            "https://user:pass@hooks.slack.com/x",
            "http://127.0.0.1:8080/",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!slack.may_answer(bad), "{bad}");
        }
    }

    #[test]
    fn its_debug_shows_no_secret() {
        let told = format!("{:?}", slack(&["signing-secret"]));
        assert!(!told.contains("xoxb") && !told.contains("xapp") && !told.contains("signing-secret"), "{told}");
    }
}
