//! Socket Mode: Slack sends over a WebSocket that we open, so that it need not reach us.
//! Protocol: <https://docs.slack.dev/apis/events-api/using-socket-mode>.
//!
//! The library's own listener is passed by: it hands over closed types instead of what Slack wrote, so that what it does not know is never
//! acknowledged; it waits without a bound; and it logs the connection's address with its ticket. The WebSocket is the crate that the library
//! brings along, and TLS is that of every other call.

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::WebSocketConfig};
use tower_service::Service as _;

use super::{Slack, SlackError, authority, nonsense, text};
use crate::base::limits;

/// One thing that Slack sends, and that wants to be acknowledged within three seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    pub id: String,
    pub kind: EnvelopeKind,
    /// What the body of a request would hold.
    pub payload: Value,
    /// Whether the answer may travel with the acknowledgement.
    pub takes_answer: bool,
}

/// The doors that an envelope stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeKind {
    Command,
    Interaction,
    Event,
    /// Nothing that we know: to be acknowledged and forgotten.
    Other,
}

/// What came over the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// Slack is ready.
    Hello,
    Envelope(Envelope),
    /// Slack wants us to open another connection and leave this one.
    Leave {
        reason: String,
    },
}

/// One open connection.
pub struct Socket {
    stream: WebSocketStream<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>,
    /// Nothing came for a while, and we asked whether anybody is there.
    asked: bool,
}

impl Slack {
    /// Whether an app token is configured.
    #[must_use]
    pub const fn has_socket(&self) -> bool {
        self.app_token.is_some()
    }

    /// Whether both would listen at the same place with the same token.
    #[must_use]
    pub fn listens_like(&self, other: &Self) -> bool {
        let token = |slack: &Self| slack.app_token.as_ref().map(|token| token.token_value.0.clone());
        token(self) == token(other) && self.api == other.api
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// [`SlackError::Refused`] without an app token or with a wrong one, else see [`SlackError`].
    pub async fn open_socket(&self) -> Result<Socket, SlackError> {
        const METHOD: &str = "apps.connections.open";
        let token = self.app_token.as_ref().ok_or_else(|| SlackError::Refused("no app_token is configured".to_owned()))?;
        let session = self.client.open_session(token);
        let answer: Value = self.settle(session.http_session_api.http_post(METHOD, &json!({}), None)).await?;
        let url = text(&answer["url"]).filter(|url| self.may_connect(url)).ok_or_else(|| nonsense(METHOD))?;
        match self.clock.timeout(limits::PROVIDER_ANSWER, Box::pin(connect(self.wire.clone(), &url))).await {
            Some(Ok(socket)) => Ok(socket),
            // The address holds a ticket, so nothing of what is said about it is repeated.
            Some(Err(())) => Err(SlackError::Unreachable("Slack's WebSocket could not be opened".to_owned())),
            None => Err(SlackError::Unreachable(format!("Slack's WebSocket did not open within {}", limits::PROVIDER_ANSWER))),
        }
    }

    /// Whether the WebSocket may be opened there: on the host of the API's address or below it, and never with less protection.
    fn may_connect(&self, url: &str) -> bool {
        let Ok(url) = reqwest::Url::parse(url) else { return false };
        let (Some(host), Some(own)) = (url.host_str(), self.api.host_str()) else { return false };
        let below = host.strip_suffix(own).is_some_and(|head| head.ends_with('.')) && url.port().is_none();
        let same = host == own && authority(&url) == authority(&self.api);
        let safe = match url.scheme() {
            "wss" => true,
            "ws" => self.api.scheme() == "http",
            _ => false,
        };
        safe && (same || below) && url.username().is_empty() && url.password().is_none()
    }
}

async fn connect(mut wire: HttpsConnector<HttpConnector>, url: &str) -> Result<Socket, ()> {
    // The connector knows the two by their other names.
    let place: Uri = url.replacen("ws", "http", 1).parse().map_err(|_| ())?;
    std::future::poll_fn(|context| wire.poll_ready(context)).await.map_err(|_| ())?;
    let stream = wire.call(place).await.map_err(|_| ())?;
    let config = WebSocketConfig::default().max_message_size(Some(limits::SLACK_BODY_BYTES)).max_frame_size(Some(limits::SLACK_BODY_BYTES));
    let (stream, _) = tokio_tungstenite::client_async_with_config(url, TokioIo::new(stream), Some(config)).await.map_err(|_| ())?;
    Ok(Socket { stream, asked: false })
}

impl Socket {
    /// Waits for what comes next; `None` when Slack has closed the connection. Giving up the wait loses nothing.
    ///
    /// # Errors
    /// [`SlackError::Unreachable`] when the connection is broken, or nothing has come for too long.
    pub async fn next(&mut self) -> Result<Option<Heard>, SlackError> {
        loop {
            // A matter of the wire, so it runs in real time, whatever clock the rest goes by.
            let silence = limits::SLACK_SOCKET_SILENCE.as_duration();
            let Ok(frame) = tokio::time::timeout(silence, self.stream.next()).await else {
                if self.asked {
                    return Err(broken());
                }
                self.asked = true;
                self.send(Message::Ping(Vec::new().into())).await?;
                continue;
            };
            self.asked = false;
            match frame {
                None | Some(Ok(Message::Close(_))) => return Ok(None),
                Some(Err(_)) => return Err(broken()),
                Some(Ok(Message::Text(text))) => {
                    if let Some(heard) = read(&text) {
                        return Ok(Some(heard));
                    }
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            }
        }
    }

    /// Tells Slack that an envelope was taken, with the answer for the one who asked, where there is one.
    ///
    /// # Errors
    /// [`SlackError::Unreachable`] when the connection is broken.
    pub async fn acknowledge(&mut self, id: &str, answer: Option<&Value>) -> Result<(), SlackError> {
        let mut told = json!({ "envelope_id": id });
        if let Some(answer) = answer {
            told["payload"] = answer.clone();
        }
        self.send(Message::text(told.to_string())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), SlackError> {
        let sent = tokio::time::timeout(limits::SLACK_SOCKET_SILENCE.as_duration(), self.stream.send(message)).await;
        if let Ok(Ok(())) = sent { Ok(()) } else { Err(broken()) }
    }
}

fn broken() -> SlackError {
    SlackError::Unreachable("the connection to Slack is broken".to_owned())
}

/// `None`: nothing that we know and nothing that wants to be acknowledged.
fn read(frame: &str) -> Option<Heard> {
    let mut frame: Value = serde_json::from_str(frame).ok()?;
    let kind = match frame["type"].as_str()? {
        "hello" => return Some(Heard::Hello),
        "disconnect" => return Some(Heard::Leave { reason: text(&frame["reason"]).unwrap_or_default() }),
        "slash_commands" => EnvelopeKind::Command,
        "interactive" => EnvelopeKind::Interaction,
        "events_api" => EnvelopeKind::Event,
        _ => EnvelopeKind::Other,
    };
    let id = text(&frame["envelope_id"])?;
    Some(Heard::Envelope(Envelope { id, kind, takes_answer: frame["accepts_response_payload"] == true, payload: frame["payload"].take() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Clock;
    use crate::base::secret::Secret;
    use crate::base::time::Time;

    fn at(api_url: &str) -> Slack {
        rustls::crypto::ring::default_provider().install_default().unwrap_or_default();
        let (bot, app) = (Secret::new("xoxb-1"), Secret::new("xapp-1"));
        Slack::new(&bot, Some(&app), Vec::new(), api_url, Clock::fake(Time(0))).expect("a client")
    }

    #[test]
    fn a_connection_goes_to_slack_and_to_nobody_else() {
        let slack = at("https://slack.com/api");
        for good in ["wss://wss-primary.slack.com/link/?ticket=1&app_id=2", "wss://slack.com/link"] {
            assert!(slack.may_connect(good), "{good}");
        }
        for bad in [
            "ws://wss-primary.slack.com/link",
            "https://wss-primary.slack.com/link",
            "wss://evilslack.com/link",
            "wss://slack.com.example.com/link",
            "wss://wss.slack.com:8443/link",
            "wss://user:pass@wss.slack.com/link",
            "wss://127.0.0.1/",
            "",
        ] {
            assert!(!slack.may_connect(bad), "{bad}");
        }
        let staged = at("http://127.0.0.1:4010/slack/api");
        assert!(staged.may_connect("ws://127.0.0.1:4010/slack/link?ticket=1") && !staged.may_connect("ws://127.0.0.1:4011/slack/link"));
    }

    #[test]
    fn frames_are_read_and_what_is_unknown_is_still_acknowledged() {
        assert_eq!(read(r#"{"type":"hello","num_connections":1}"#), Some(Heard::Hello));
        assert_eq!(
            read(r#"{"type":"disconnect","reason":"refresh_requested"}"#),
            Some(Heard::Leave { reason: "refresh_requested".to_owned() })
        );
        let command = r#"{"envelope_id":"e1","type":"slash_commands","accepts_response_payload":true,"payload":{"text":"ack"}}"#;
        let envelope = |kind, payload, takes_answer| Some(Heard::Envelope(Envelope { id: "e1".to_owned(), kind, payload, takes_answer }));
        assert_eq!(read(command), envelope(EnvelopeKind::Command, json!({ "text": "ack" }), true));
        assert_eq!(read(r#"{"envelope_id":"e1","type":"new_thing"}"#), envelope(EnvelopeKind::Other, Value::Null, false));
        for nothing in ["", "[]", "{}", r#"{"type":"slash_commands"}"#, r#"{"type":7,"envelope_id":"e1"}"#] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
