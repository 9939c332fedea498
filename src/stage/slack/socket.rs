//! Socket Mode: the app opens a WebSocket, and what the workspace has for it comes over that, each in an envelope that wants to be acknowledged.
//! Behaviour and words are those of <https://docs.slack.dev/apis/events-api/using-socket-mode>.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::api::Call;
use super::home::{ANSWER, Reply};
use super::{APP, Slack, World};
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};
use crate::stage::Inner;

/// How long the address of a connection can be used, once.
const TICKET: Span = Span::seconds(30);
/// Connections that one app may have.
const MOST: usize = 10;
/// Slack looks now and then whether the app is still there.
const PING_EVERY: Duration = Duration::from_secs(10);

/// The connections of the app, and what is on its way over them.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    tickets: HashMap<String, Time>,
    lines: Vec<Line>,
    /// Envelopes that wait to be acknowledged.
    waiting: HashMap<String, oneshot::Sender<Value>>,
    next: usize,
}

#[derive(Debug)]
struct Line {
    id: String,
    send: mpsc::UnboundedSender<Word>,
}

#[derive(Debug)]
enum Word {
    Say(Value),
    /// The connection breaks.
    Cut,
}

#[derive(Deserialize)]
pub(super) struct Link {
    ticket: String,
}

pub(super) fn open(world: &mut World, call: &Call<'_>) -> Value {
    let ticket = Secret::random().digest();
    world.sockets.tickets.retain(|_, until| *until > call.now);
    world.sockets.tickets.insert(ticket.clone(), call.now + TICKET);
    let base = call.base.replacen("http", "ws", 1);
    json!({ "url": format!("{base}/slack/link?ticket={ticket}&app_id={APP}") })
}

/// The app connects.
pub(super) async fn link(State(inner): State<Arc<Inner>>, Query(Link { ticket }): Query<Link>, request: Request) -> Response {
    let known = inner.world().slack.sockets.tickets.remove(&ticket).is_some_and(|until| until > inner.clock.now());
    if !known {
        return StatusCode::FORBIDDEN.into_response();
    }
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).map(|key| derive_accept_key(key.as_bytes()));
    let Some(accept) = key.and_then(|key| HeaderValue::from_str(&key).ok()) else { return StatusCode::BAD_REQUEST.into_response() };
    let upgrade = hyper::upgrade::on(request);
    let own = Arc::clone(&inner);
    inner.spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
            serve(own, stream).await;
        }
    });
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn serve(inner: Arc<Inner>, mut stream: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>) {
    let (send, mut words) = mpsc::unbounded_channel();
    let (id, first) = {
        let mut world = inner.world();
        let id = world.slack.id("");
        let count = world.slack.sockets.lines.len();
        let first = if !world.slack.socket_mode {
            disconnect("link_disabled")
        } else if count >= MOST {
            disconnect("too_many_websockets")
        } else {
            world.slack.sockets.lines.push(Line { id: id.clone(), send });
            json!({
                "type": "hello", "num_connections": count + 1, "connection_info": {"app_id": APP},
                "debug_info": {"host": "applink-stage", "started": "2026-01-01 00:00:00.000", "build_number": 1, "approximate_connection_time": 18_060},
            })
        };
        (id, first)
    };
    inner.changed();
    let mut open = stream.send(Message::text(first.to_string())).await.is_ok();
    let mut pings = tokio::time::interval(PING_EVERY);
    while open {
        tokio::select! {
            Some(word) = words.recv() => open = match word {
                Word::Say(value) => stream.send(Message::text(value.to_string())).await.is_ok(),
                Word::Cut => false,
            },
            frame = stream.next() => match frame {
                Some(Ok(Message::Text(text))) => acknowledged(&inner, &text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => open = false,
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            },
            _ = pings.tick() => open = stream.send(Message::Ping(Vec::new().into())).await.is_ok(),
        }
    }
    inner.world().slack.sockets.lines.retain(|line| line.id != id);
    inner.changed();
}

fn disconnect(reason: &str) -> Value {
    json!({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-stage"}})
}

fn acknowledged(inner: &Inner, text: &str) {
    let told: Value = serde_json::from_str(text).unwrap_or_default();
    let waiting = told["envelope_id"].as_str().and_then(|id| inner.world().slack.sockets.waiting.remove(id));
    // One that nobody waits for any more came too late.
    if let Some(waiting) = waiting {
        waiting.send(told["payload"].clone()).unwrap_or_default();
    }
}

impl Slack {
    /// Whether what the workspace has for the app goes over connections of the app's own instead of to its address.
    pub fn set_socket_mode(&self, on: bool) {
        self.0.world().slack.socket_mode = on;
        if !on {
            self.leave_sockets("link_disabled");
        }
        self.0.changed();
    }

    /// Connections of the app that are open and used now.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.0.world().slack.sockets.lines.len()
    }

    /// Every connection is asked to make way for a new one, as Slack does every few hours; nothing more is sent over it.
    pub fn refresh_sockets(&self) {
        self.leave_sockets("refresh_requested");
    }

    fn leave_sockets(&self, reason: &str) {
        for line in std::mem::take(&mut self.0.world().slack.sockets.lines) {
            // One that is gone by itself needs no telling.
            line.send.send(Word::Say(disconnect(reason))).unwrap_or_default();
        }
        self.0.changed();
    }

    /// Every connection breaks.
    pub fn cut_sockets(&self) {
        for line in std::mem::take(&mut self.0.world().slack.sockets.lines) {
            line.send.send(Word::Cut).unwrap_or_default();
        }
        self.0.changed();
    }

    /// Sends one envelope, over one connection after the other in turn, and waits until it is acknowledged.
    pub(super) async fn send_over_socket(&self, door: &str, body: &str, again: &[(&'static str, String)]) -> Result<Reply, String> {
        let fields = || form_urlencoded::parse(body.as_bytes());
        let (kind, payload) = match door {
            "commands" => {
                ("slash_commands", fields().map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect())
            }
            "interactions" => {
                let payload = fields().find(|(name, _)| name == "payload").map(|(_, payload)| payload.into_owned()).unwrap_or_default();
                ("interactive", serde_json::from_str(&payload).unwrap_or_default())
            }
            _ => ("events_api", serde_json::from_str::<Value>(body).unwrap_or_default()),
        };
        let (acknowledged, wait) = oneshot::channel();
        let id = {
            let mut world = self.0.world();
            let id = world.slack.id("env-");
            let mut envelope =
                json!({"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind != "events_api"});
            if kind == "events_api" {
                let header = |name: &str| again.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
                envelope["retry_attempt"] = json!(header("X-Slack-Retry-Num").and_then(|n| n.parse::<u32>().ok()).unwrap_or(0));
                envelope["retry_reason"] = json!(header("X-Slack-Retry-Reason").unwrap_or_default());
            }
            let sockets = &mut world.slack.sockets;
            sockets.next = sockets.next.wrapping_add(1);
            let at = sockets.next.checked_rem(sockets.lines.len());
            let line = at.and_then(|at| sockets.lines.get(at)).ok_or("has opened no connection, and Socket Mode is on")?;
            line.send.send(Word::Say(envelope)).map_err(|_| "has left its connection".to_owned())?;
            sockets.waiting.insert(id.clone(), acknowledged);
            id
        };
        match self.0.clock.timeout(ANSWER, wait).await {
            Some(Ok(payload)) => {
                let body = if payload.is_null() { String::new() } else { payload.to_string() };
                Ok(Reply { status: 200, content_type: "application/json".to_owned(), body })
            }
            Some(Err(_)) => Err("broke off its connection".to_owned()),
            None => {
                self.0.world().slack.sockets.waiting.remove(&id);
                Err(format!("gave no answer within {ANSWER}"))
            }
        }
    }
}
