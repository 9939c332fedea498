//! What the workspace sends to the app: slash commands, presses of buttons, dialogues that were filled in, events; and what may be sent back later.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::api::Refusal;
use super::{APP, BOT_USER, Message, Room, RoomKind, SLACKBOT, Slack, TEAM, TEAM_DOMAIN, World, block};
use crate::base::secret::{Secret, hex, hmac_sha256};
use crate::base::time::{Span, Time};
use crate::stage::post::in_short;
use crate::stage::{Inner, StageError, Work, lock};

/// How long the app may take to answer.
pub(super) const ANSWER: Span = Span::seconds(3);
/// How long a trigger opens a dialogue.
const TRIGGER: Span = Span::seconds(3);
/// How long a response URL works, and how often.
const RESPONSE_URL: Span = Span::minutes(30);
const RESPONSE_USES: u32 = 5;
/// An event that was not taken comes again after these waits.
const EVENT_RETRIES: [Span; 3] = [Span::ZERO, Span::minutes(1), Span::minutes(5)];
/// The longest answer that is read, bytes.
const ANSWER_BYTES: usize = 1 << 20;
/// Requests to the app that are remembered.
const ASKED: usize = 2_000;

/// One request to the app, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    pub kind: AskedKind,
    pub at: Time,
    /// What it was about, in a few words: the command, the button's label, the event's kind.
    pub about: String,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedKind {
    Command,
    Interaction,
    Event,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    Answered { status: u16 },
    Failed { why: String },
}

#[derive(Debug)]
pub(super) struct Trigger {
    user: String,
    until: Time,
    used: bool,
}

/// Where the app may still answer, and what it is about.
#[derive(Debug)]
pub(super) struct ResponseUrl {
    user: String,
    room: String,
    /// The message that was acted on.
    ts: Option<String>,
    until: Time,
    uses: u32,
}

impl World {
    /// Takes a trigger and gives who pulled it.
    pub(super) fn exchange(&mut self, trigger: &str, now: Time) -> Result<String, Refusal> {
        let trigger = self.triggers.get_mut(trigger).ok_or("invalid_trigger_id")?;
        if trigger.until <= now {
            return Err("expired_trigger_id".into());
        }
        if std::mem::replace(&mut trigger.used, true) {
            return Err("exchanged_trigger_id".into());
        }
        Ok(trigger.user.clone())
    }

    pub(super) fn trigger(&mut self, user: &str, now: Time) -> String {
        self.triggers.retain(|_, trigger| trigger.until + RESPONSE_URL > now);
        let id = format!("{}.{}.{}", self.id("1"), now.seconds(), &Secret::random().digest()[..32]);
        self.triggers.insert(id.clone(), Trigger { user: user.to_owned(), until: now + TRIGGER, used: false });
        id
    }

    pub(super) fn response_url(&mut self, base: &str, kind: &str, user: &str, room: &str, ts: Option<&str>, now: Time) -> String {
        self.response_urls.retain(|_, url| url.until > now);
        let key = Secret::random().digest()[..24].to_owned();
        let url = format!("{base}/slack/hooks/{kind}/{TEAM}/{}/{key}", self.id("1"));
        let about =
            ResponseUrl { user: user.to_owned(), room: room.to_owned(), ts: ts.map(str::to_owned), until: now + RESPONSE_URL, uses: 0 };
        self.response_urls.insert(key, about);
        url
    }

    pub(super) fn user_json(&self, user: &str) -> Value {
        let name = self.handle(user);
        json!({"id": user, "username": name, "name": name, "team_id": TEAM})
    }
}

/// A room's name as commands and buttons carry it.
pub(super) fn room_name(room: &Room) -> &str {
    match room.kind {
        RoomKind::Direct => "directmessage",
        RoomKind::Private | RoomKind::Group => "privategroup",
        RoomKind::Public => &room.name,
    }
}

pub(super) struct Reply {
    pub status: u16,
    pub content_type: String,
    pub body: String,
}

impl Slack {
    /// Someone types in a room: `/incident …` goes to the app as a command, anything else is said there, and told to the app when it names it
    /// or is said to it alone. Returns when the app has answered or its time is over.
    ///
    /// # Errors
    /// When there is no such room or person, or the person is not in the room.
    pub async fn types(&self, user: &str, room: &str, text: &str) -> Result<(), StageError> {
        self.types_in(user, room, None, text).await
    }

    /// The same in a thread. A command is not known there.
    ///
    /// # Errors
    /// When there is no such room or person, or the person is not in the room.
    pub async fn types_in(&self, user: &str, room: &str, thread: Option<&str>, text: &str) -> Result<(), StageError> {
        let id = self.place(user, room)?;
        let text = text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if !verb.starts_with('/') {
            return self.say(user, &id, thread, text).await;
        }
        if thread.is_some() {
            self.whisper(&id, user, format!("{verb} is not supported in threads. Sorry!"));
            return Ok(());
        }
        if verb != self.0.slack.command {
            self.whisper(
                &id,
                user,
                format!(
                    "{verb} is not a valid command. In Slack, all messages that start with the \"/\" character are interpreted as commands."
                ),
            );
            return Ok(());
        }
        self.command(user, &id, rest.trim()).await;
        Ok(())
    }

    /// Someone uses the app's command: the text is what follows it.
    ///
    /// # Errors
    /// When there is no such room or person, or the person is not in the room.
    pub async fn slash(&self, user: &str, room: &str, text: &str) -> Result<(), StageError> {
        let id = self.place(user, room)?;
        self.command(user, &id, text).await;
        Ok(())
    }

    /// Asks the app to show that its events door is its own, as Slack does when the address is entered.
    ///
    /// # Errors
    /// With what is wrong with the answer.
    pub async fn verify_url(&self) -> Result<(), String> {
        let challenge = Secret::random().digest();
        let body = json!({"token": "legacy-verification-token", "challenge": challenge, "type": "url_verification"}).to_string();
        let reply = self.ask(AskedKind::Event, "url_verification".to_owned(), "events", "application/json", body, &[]).await?;
        let given = serde_json::from_str::<Value>(&reply.body).ok().and_then(|body| body["challenge"].as_str().map(str::to_owned));
        let given = given.unwrap_or_else(|| reply.body.trim().to_owned());
        if given == challenge { Ok(()) } else { Err("did not give the challenge back".to_owned()) }
    }

    /// The room, if the person may write there. Public rooms are open to everybody, as typing in one shows.
    pub(super) fn place(&self, user: &str, room: &str) -> Result<String, StageError> {
        let id = self.0.slack_room(room)?;
        let world = self.0.world();
        if world.slack.person(user).is_none() {
            return Err(StageError::NoSuchPerson(user.to_owned()));
        }
        let open = world.slack.room(&id).is_some_and(|room| room.kind == RoomKind::Public || room.has(user));
        if open { Ok(id) } else { Err(StageError::NoSuchRoom(room.to_owned())) }
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Slack itself tells one person something.
    pub(super) fn whisper(&self, room: &str, user: &str, text: String) {
        let now = self.0.clock.now();
        let message = Message { only_for: Some(user.to_owned()), ..Message::of(SLACKBOT, text) };
        self.0.world().slack.say(room, now, message);
        self.0.changed();
    }

    async fn command(&self, user: &str, id: &str, text: &str) {
        let command = self.0.slack.command.clone();
        let now = self.0.clock.now();
        let fields = {
            let mut world = lock(&self.0.world);
            let slack = &mut world.slack;
            let name = slack.room(id).map(|room| room_name(room).to_owned()).unwrap_or_default();
            let trigger_id = slack.trigger(user, now);
            let response_url = slack.response_url(&self.base(), "commands", user, id, None, now);
            vec![
                ("token", "legacy-verification-token".to_owned()),
                ("team_id", TEAM.to_owned()),
                ("team_domain", TEAM_DOMAIN.to_owned()),
                ("channel_id", id.to_owned()),
                ("channel_name", name),
                ("user_id", user.to_owned()),
                ("user_name", slack.handle(user).to_owned()),
                ("command", command.clone()),
                ("text", text.to_owned()),
                ("api_app_id", APP.to_owned()),
                ("is_enterprise_install", "false".to_owned()),
                ("response_url", response_url),
                ("trigger_id", trigger_id),
            ]
        };
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let about = format!("{command} {text}");
        let form = "application/x-www-form-urlencoded";
        match self.ask(AskedKind::Command, about, "commands", form, body, &[]).await {
            Ok(reply) if reply.status != 200 => self.whisper(id, user, format!("{command} failed with the error \"dispatch_failed\"")),
            Ok(reply) if reply.body.trim().is_empty() => {}
            Ok(reply) => {
                let message = if reply.content_type.starts_with("application/json") {
                    serde_json::from_str(&reply.body).unwrap_or(Value::Null)
                } else {
                    json!({"text": reply.body})
                };
                let said = self.0.world().slack.answer(id, user, None, &message, self.0.clock.now());
                if said.is_err() {
                    self.whisper(id, user, format!("{command} failed with the error \"invalid_command_response\""));
                }
                self.0.changed();
            }
            Err(why) if why.starts_with("gave no answer") => {
                self.whisper(id, user, format!("{command} failed with the error \"operation_timeout\""));
            }
            Err(_) => self.whisper(id, user, format!("{command} failed with the error \"dispatch_failed\"")),
        }
    }

    async fn say(&self, user: &str, id: &str, thread: Option<&str>, text: &str) -> Result<(), StageError> {
        let now = self.0.clock.now();
        let events = {
            let mut world = lock(&self.0.world);
            let slack = &mut world.slack;
            let room = slack.room_mut(id).ok_or_else(|| StageError::NoSuchRoom(id.to_owned()))?;
            if room.archived {
                return Err(StageError::RoomArchived(room.name.clone()));
            }
            if !room.has(user) {
                room.members.push(user.to_owned());
            }
            let (kind, with_app) = (room.kind, room.has(BOT_USER));
            let message = Message { thread_ts: thread.map(str::to_owned), ..Message::of(user, text) };
            let ts = slack.say(id, now, message);
            let mut event = json!({"user": user, "text": text, "ts": ts, "channel": id, "event_ts": ts, "team": TEAM});
            if let Some(thread) = thread {
                event["thread_ts"] = json!(thread);
            }
            let mut events = Vec::new();
            // Whoever names the app in a room is heard twice: once by the room's own event.
            if with_app && kind == RoomKind::Public && text.contains(&format!("<@{BOT_USER}>")) {
                event["type"] = json!("app_mention");
                events.push(event.clone());
            }
            if with_app && matches!(kind, RoomKind::Direct | RoomKind::Public) {
                event["type"] = json!("message");
                event["channel_type"] = json!(if kind == RoomKind::Direct { "im" } else { "channel" });
                events.push(event);
            }
            events
        };
        self.0.changed();
        for event in events {
            self.tell(event).await;
        }
        Ok(())
    }

    /// Sends an event. The first try is waited for; the tries after it come by themselves.
    async fn tell(&self, event: Value) {
        let (event_id, twice) = {
            let mut world = self.0.world();
            (world.slack.id("Ev0"), world.slack.events_twice)
        };
        let about = event["type"].as_str().unwrap_or_default().to_owned();
        let body = json!({
            "token": "legacy-verification-token", "team_id": TEAM, "context_team_id": TEAM, "context_enterprise_id": null, "api_app_id": APP,
            "event": event, "type": "event_callback", "event_id": event_id, "event_time": self.0.clock.now().seconds(),
            "authorizations": [{"enterprise_id": null, "team_id": TEAM, "user_id": BOT_USER, "is_bot": true, "is_enterprise_install": false}],
            "is_ext_shared_channel": false,
        })
        .to_string();
        let first = self.send_event(&about, &body, None).await;
        if twice {
            // The second copy tells the app nothing new.
            self.send_event(&about, &body, None).await.unwrap_or_default();
        }
        let Err(mut reason) = first else { return };
        let slack = self.clone();
        let mut work = Work::begin(&self.0);
        self.0.spawn(async move {
            for (n, wait) in (1_u32..).zip(EVENT_RETRIES) {
                let due = slack.0.clock.now() + wait;
                let parked = slack.0.park(due);
                drop(work);
                slack.0.clock.sleep_until(due).await;
                work = Work::begin(&slack.0);
                drop(parked);
                match slack.send_event(&about, &body, Some((n, reason))).await {
                    Ok(()) => break,
                    Err(again) => reason = again,
                }
            }
        });
    }

    async fn send_event(&self, about: &str, body: &str, again: Option<(u32, &'static str)>) -> Result<(), &'static str> {
        let headers: Vec<(&'static str, String)> = again
            .map(|(n, reason)| vec![("X-Slack-Retry-Num", n.to_string()), ("X-Slack-Retry-Reason", reason.to_owned())])
            .unwrap_or_default();
        match self.ask(AskedKind::Event, about.to_owned(), "events", "application/json", body.to_owned(), &headers).await {
            Ok(reply) if (200..300).contains(&reply.status) => Ok(()),
            Ok(_) => Err("http_error"),
            Err(why) if why.starts_with("gave no answer") => Err("http_timeout"),
            Err(_) => Err("connection_failed"),
        }
    }

    pub(super) async fn interact(&self, payload: &Value, about: String) -> Result<Reply, String> {
        let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
        let form = "application/x-www-form-urlencoded";
        let reply = self.ask(AskedKind::Interaction, about, "interactions", form, body, &[]).await?;
        if reply.status == 200 { Ok(reply) } else { Err(format!("answered {}", reply.status)) }
    }

    /// One signed request to the app. Remembers what came of it.
    async fn ask(
        &self,
        kind: AskedKind,
        about: String,
        door: &str,
        content_type: &str,
        body: String,
        headers: &[(&'static str, String)],
    ) -> Result<Reply, String> {
        let work = Work::begin(&self.0);
        let at = self.0.clock.now();
        let url = self.0.reveille().map(|base| format!("{base}/slack/{door}"));
        let over_socket = self.0.world().slack.socket_mode;
        let answer = match url {
            _ if over_socket => self.send_over_socket(door, &body, headers).await,
            Some(url) => self.send(&url, content_type, body, headers).await,
            None => Err("has no address: the stage was not told where Reveille is".to_owned()),
        };
        let outcome = match &answer {
            Ok(reply) => Outcome::Answered { status: reply.status },
            Err(why) => Outcome::Failed { why: why.clone() },
        };
        let mut world = self.0.world();
        world.slack.asked.push(Asked { kind, at, about, outcome });
        if world.slack.asked.len() > ASKED {
            world.slack.asked.remove(0);
        }
        drop(world);
        self.0.changed();
        drop(work);
        answer
    }

    async fn send(&self, url: &str, content_type: &str, body: String, headers: &[(&'static str, String)]) -> Result<Reply, String> {
        let stamp = self.0.clock.now().seconds().to_string();
        let signed = signature(&self.0.slack.signing_secret, &stamp, &body);
        let mut request =
            self.0.http.post(url).header("Content-Type", content_type).header("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)");
        request = request.header("X-Slack-Request-Timestamp", stamp).header("X-Slack-Signature", signed);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = async {
            let mut response = request.body(body).send().await.map_err(|error| format!("could not be reached ({})", in_short(&error)))?;
            let status = response.status().as_u16();
            let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| format!("broke off its answer ({})", in_short(&error)))? {
                if bytes.len() + chunk.len() > ANSWER_BYTES {
                    return Err("answered more than is read".to_owned());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(Reply { status, content_type, body: String::from_utf8_lossy(&bytes).into_owned() })
        };
        match self.0.clock.timeout(ANSWER, answer).await {
            Some(done) => done,
            None => Err(format!("gave no answer within {ANSWER}")),
        }
    }
}

/// Slack's signature of a request, version 0.
pub(in crate::stage) fn signature(secret: &Secret, stamp: &str, body: &str) -> String {
    format!("v0={}", hex(&hmac_sha256(secret.expose().as_bytes(), format!("v0:{stamp}:{body}").as_bytes())))
}

impl World {
    /// What an answer to a command, or a later one, puts into the room.
    fn answer(&mut self, room: &str, user: &str, acted_on: Option<&str>, body: &Value, now: Time) -> Result<(), &'static str> {
        if !body.is_object() {
            return Err("invalid_payload");
        }
        let text = body["text"].as_str().unwrap_or_default().to_owned();
        let mut blocks = body["blocks"].as_array().cloned().unwrap_or_default();
        if !block::complaints(&blocks, block::IN_MESSAGE).is_empty() {
            return Err("invalid_blocks");
        }
        block::with_ids(&mut blocks, || self.id("b"));
        if body["delete_original"] == true {
            let ts = acted_on.ok_or("no_text")?;
            if let Some(room) = self.room_mut(room) {
                room.messages.retain(|message| message.ts != ts);
            }
            return Ok(());
        }
        if text.is_empty() && blocks.is_empty() {
            return Err("no_text");
        }
        let replaced = acted_on.filter(|_| body["replace_original"] == true);
        if let Some(message) = replaced.and_then(|ts| self.room_mut(room)?.messages.iter_mut().find(|message| message.ts == ts)) {
            (message.text, message.blocks) = (text, blocks);
            message.edits += 1;
            message.edited_at = Some(now);
            return Ok(());
        }
        let only_for = (body["response_type"] != "in_channel").then(|| user.to_owned());
        let thread_ts = body["thread_ts"].as_str().map(str::to_owned);
        self.say(room, now, Message { blocks, thread_ts, only_for, ..Message::of(BOT_USER, text) });
        Ok(())
    }
}

/// A response URL is used.
pub(super) async fn respond(
    State(inner): State<Arc<Inner>>,
    Path((_, _, _, key)): Path<(String, String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = inner.clock.now();
    let refuse = |status: StatusCode, error: &str| (status, axum::Json(json!({"ok": false, "error": error}))).into_response();
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A form may carry the same JSON in `payload`.
    let given = if kind.starts_with("application/json") {
        serde_json::from_slice::<Value>(&body).ok()
    } else {
        let fields: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
        fields.get("payload").and_then(|payload| serde_json::from_str(payload).ok())
    };
    let Some(given) = given else { return refuse(StatusCode::BAD_REQUEST, "invalid_payload") };
    let answered = {
        let mut world = lock(&inner.world);
        let slack = &mut world.slack;
        let Some(url) = slack.response_urls.get_mut(&key) else { return refuse(StatusCode::NOT_FOUND, "expired_url") };
        if url.until <= now {
            return refuse(StatusCode::NOT_FOUND, "expired_url");
        }
        if url.uses >= RESPONSE_USES {
            return refuse(StatusCode::NOT_FOUND, "used_url");
        }
        url.uses += 1;
        let (room, user, ts) = (url.room.clone(), url.user.clone(), url.ts.clone());
        slack.answer(&room, &user, ts.as_deref(), &given, now)
    };
    inner.changed();
    match answered {
        Ok(()) => "ok".into_response(),
        Err(error) => refuse(StatusCode::BAD_REQUEST, error),
    }
}
