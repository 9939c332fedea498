//! Slack in one workspace: its Web API as an app calls it, and the way back: commands, buttons, events, signed as Slack signs them.
//!
//! `api` the door with its arguments and errors, `chat` messages, `rooms` conversations, `people` users, pins and bookmarks, reactions and views,
//! `block` what a message may be made of, `home` what the workspace sends to the app, `act` what people press and fill in,
//! `pace` how often it may ask, `scope` what its token may do, `socket` the connections it opens in Socket Mode. Behaviour and words are those of
//! <https://docs.slack.dev/reference/methods>.

mod act;
mod api;
mod block;
mod chat;
mod home;
mod pace;
mod people;
mod rooms;
mod scope;
mod socket;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) use self::api::router;
#[cfg(test)]
pub(super) use self::home::signature;
pub use self::home::{Asked, AskedKind, Outcome};
use super::{Inner, Stage, StageError};
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};

/// The workspace and the app in it; ids have Slack's shapes.
pub const TEAM: &str = "T0STAGE001";
pub const TEAM_DOMAIN: &str = "stage";
pub const APP: &str = "A0REVEILLE";
/// The app's own user, and its bot.
pub const BOT_USER: &str = "U0REVEILLE";
pub const BOT: &str = "B0REVEILLE";
pub const BOT_NAME: &str = "reveille";
/// Slack's own hand, which tells people when an app fails them.
const SLACKBOT: &str = "USLACKBOT";
/// The room that hears of every incident; the app is in it from the start.
pub const INCIDENTS: &str = "C0INCIDENTS";
pub const GENERAL: &str = "C0GENERAL";
/// Where the Web API lies below the stage's address: what goes to `[slack] api_url`.
pub const API_PATH: &str = "/slack/api";
/// Messages that one room remembers; the oldest are forgotten first.
const MESSAGES: usize = 2_000;

/// The workspace as it is when the stage opens.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the app shows as a bearer token.
    pub bot_token: Secret,
    /// What it shows to open a connection.
    pub app_token: Secret,
    /// What the bot token may do.
    pub scopes: BTreeSet<String>,
    /// Whether commands, buttons and events go over the app's own connections, not to its address.
    pub socket_mode: bool,
    /// What requests to the app are signed with.
    pub signing_secret: Secret,
    /// The slash command that leads to the app, with its slash.
    pub command: String,
    pub people: Vec<Person>,
    /// Whether Slack's limits of calls in a minute hold. Stories on a clock that stands still are told without them.
    pub paced: bool,
}

impl Default for Options {
    fn default() -> Self {
        let people = [
            ("U0ANA", "ana", "Ana Ruiz"),
            ("U0BO", "bo", "Bo Lind"),
            ("U0CLEO", "cleo", "Cleo Marsh"),
            ("U0DEV", "dev", "Dev Patel"),
            ("U0EVA", "eva", "Eva Novak"),
        ];
        Self {
            bot_token: Secret::new("xoxb-stage"),
            app_token: Secret::new("xapp-stage"),
            scopes: scope::ALL.iter().map(|scope| (*scope).to_owned()).collect(),
            socket_mode: false,
            signing_secret: Secret::new("stage-signing-secret"),
            command: "/incident".to_owned(),
            people: people
                .map(|(id, handle, name)| Person {
                    id: id.to_owned(),
                    handle: handle.to_owned(),
                    name: name.to_owned(),
                    email: format!("{handle}@example.com"),
                })
                .to_vec(),
            paced: false,
        }
    }
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// `U` and capitals or digits.
    pub id: String,
    /// The short name, as in `@ana`.
    pub handle: String,
    pub name: String,
    pub email: String,
}

/// What a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    Public,
    Private,
    /// Two members, one of whom may be the app.
    Direct,
    /// More than two, without a name.
    Group,
}

/// One conversation.
#[derive(Debug, Clone, Serialize)]
pub struct Room {
    pub id: String,
    pub name: String,
    pub kind: RoomKind,
    pub creator: String,
    pub created_at: Time,
    pub topic: Note,
    pub purpose: Note,
    pub archived: bool,
    /// Who is in it, the app's user too, in the order in which they came.
    pub members: Vec<String>,
    pub messages: Vec<Message>,
    pub pins: Vec<Pin>,
    pub bookmarks: Vec<Bookmark>,
    pub previous_names: Vec<String>,
}

impl Room {
    /// A message by its `ts`.
    #[must_use]
    pub fn message(&self, ts: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.ts == ts)
    }

    /// What people and apps wrote to everyone, oldest first: without what Slack itself tells (joins, topics) and without what one person alone sees.
    pub fn posts(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|message| message.subtype.is_none() && message.only_for.is_none())
    }

    /// The pinned messages as they read now, the newest pin first.
    pub fn pinned(&self) -> impl Iterator<Item = &Message> {
        self.pins.iter().rev().filter_map(|pin| self.message(&pin.ts))
    }

    /// A message as the API writes it, with what hangs on it in this room.
    fn told(&self, message: &Message) -> Value {
        let mut told = message_json(message);
        if let Some(thread) = message.thread_ts.as_ref().filter(|thread| **thread != message.ts) {
            told["parent_user_id"] = json!(self.message(thread).map(|parent| &parent.user));
            return told;
        }
        let replies: Vec<&Message> =
            self.messages.iter().filter(|reply| reply.thread_ts.as_ref() == Some(&message.ts) && reply.only_for.is_none()).collect();
        if let Some(last) = replies.last() {
            let mut users: Vec<&str> = Vec::new();
            for reply in &replies {
                if !users.contains(&reply.user.as_str()) {
                    users.push(&reply.user);
                }
            }
            told["thread_ts"] = json!(message.ts);
            told["reply_count"] = json!(replies.len());
            told["reply_users_count"] = json!(users.len());
            told["reply_users"] = json!(users);
            told["latest_reply"] = json!(last.ts);
            told["subscribed"] = json!(message.by_app);
        }
        told
    }

    fn has(&self, user: &str) -> bool {
        self.members.iter().any(|member| member == user)
    }
}

/// A topic or a purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Note {
    pub value: String,
    pub creator: String,
    pub set_at: Option<Time>,
}

/// One message as it reads now.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    pub ts: String,
    /// Whose it is; the app's user for the app's.
    pub user: String,
    pub by_app: bool,
    pub text: String,
    /// As sent, with the ids that Slack adds; an empty list for plain text.
    pub blocks: Vec<Value>,
    pub thread_ts: Option<String>,
    /// What the app wrote beside it for itself: `event_type` and `event_payload`.
    pub metadata: Option<Value>,
    /// What Slack itself says about: `channel_join`, `channel_topic`.
    pub subtype: Option<String>,
    /// An ephemeral message: the one who sees it.
    pub only_for: Option<String>,
    pub edits: u32,
    pub edited_at: Option<Time>,
    pub reactions: Vec<Reaction>,
}

impl Message {
    /// All words of it, as a reader sees them: its blocks, or without any its text.
    #[must_use]
    pub fn words(&self) -> String {
        if self.blocks.is_empty() { self.text.clone() } else { block::words(&self.blocks) }
    }

    /// Its buttons, in order.
    #[must_use]
    pub fn buttons(&self) -> Vec<Button> {
        block::buttons(&self.blocks)
    }
}

/// A button in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Button {
    pub action_id: String,
    pub block_id: String,
    pub label: String,
    pub value: Option<String>,
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reaction {
    pub name: String,
    pub users: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pin {
    pub ts: String,
    pub by: String,
    pub at: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bookmark {
    pub id: String,
    pub title: String,
    pub link: String,
    pub emoji: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A dialogue that the app opened for someone and that is still open.
#[derive(Debug, Clone, Serialize)]
pub struct Modal {
    pub id: String,
    /// Who sees it.
    pub user: String,
    /// As Slack gives it back, its blocks with ids.
    pub view: Value,
    /// What the app complained of when it was sent last, by `block_id`.
    pub errors: HashMap<String, String>,
}

/// How the Web API misbehaves, towards every request. The way back, from people to the app, is not touched by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SlackFault {
    /// The request is taken and never answered, and nothing is done.
    Hang,
    /// 429 with this `Retry-After`, seconds.
    RateLimited { retry_after: u32 },
    /// This HTTP status with a page of words, and nothing is done.
    Refuse { status: u16 },
    /// 200 with a page of HTML, and nothing is done.
    Nonsense,
    /// It is done; the answer never comes.
    DoButHang,
    /// It is done; the connection closes without an answer.
    DoButDrop,
}

/// What happens on this workspace's side of the stage.
#[derive(Debug)]
pub(super) struct World {
    pub people: Vec<Person>,
    pub rooms: Vec<Room>,
    pub modals: Vec<Modal>,
    pub asked: Vec<Asked>,
    pub fault: Option<SlackFault>,
    /// When the fault ends by itself.
    pub fault_until: Option<Time>,
    /// Events come twice, as Slack's do now and then.
    pub events_twice: bool,
    pub requests: u64,
    /// Requests by method.
    pub methods: HashMap<String, u64>,
    pub socket_mode: bool,
    /// The workspace has taken the bot token back.
    pub revoked: bool,
    sockets: socket::Sockets,
    triggers: HashMap<String, home::Trigger>,
    response_urls: HashMap<String, home::ResponseUrl>,
    pace: pace::Pace,
    last_ts: i64,
    next_id: u64,
}

impl World {
    pub(super) fn new(options: &Options, now: Time) -> Self {
        let everyone: Vec<String> = options.people.iter().map(|person| person.id.clone()).collect();
        let room = |id: &str, name: &str, members: Vec<String>| Room {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: RoomKind::Public,
            creator: everyone.first().cloned().unwrap_or_else(|| SLACKBOT.to_owned()),
            created_at: now,
            topic: Note::default(),
            purpose: Note::default(),
            archived: false,
            members,
            messages: Vec::new(),
            pins: Vec::new(),
            bookmarks: Vec::new(),
            previous_names: Vec::new(),
        };
        let with_app = everyone.iter().cloned().chain([BOT_USER.to_owned()]).collect();
        let rooms = vec![room(GENERAL, "general", everyone.clone()), room(INCIDENTS, "incidents", with_app)];
        Self {
            people: options.people.clone(),
            rooms,
            modals: Vec::new(),
            asked: Vec::new(),
            fault: None,
            fault_until: None,
            events_twice: false,
            requests: 0,
            methods: HashMap::new(),
            socket_mode: options.socket_mode,
            revoked: false,
            sockets: socket::Sockets::default(),
            triggers: HashMap::new(),
            response_urls: HashMap::new(),
            pace: pace::Pace::default(),
            last_ts: 0,
            next_id: 1,
        }
    }

    pub(super) fn room(&self, id: &str) -> Option<&Room> {
        self.rooms.iter().find(|room| room.id == id)
    }

    fn room_mut(&mut self, id: &str) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.id == id)
    }

    fn person(&self, id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    /// The name people know someone by.
    fn handle<'a>(&'a self, id: &'a str) -> &'a str {
        if id == BOT_USER { BOT_NAME } else { self.person(id).map_or(id, |person| &person.handle) }
    }

    /// A new `ts`: the moment in microseconds, and never one that was given already.
    fn ts(&mut self, now: Time) -> String {
        self.last_ts = now.0.max(self.last_ts + 1);
        format!("{}.{:06}", self.last_ts / 1_000_000, self.last_ts % 1_000_000)
    }

    /// A new id with this beginning.
    fn id(&mut self, prefix: &str) -> String {
        self.next_id += 1;
        format!("{prefix}{:09}", self.next_id)
    }

    /// The fault that this moment has, if any.
    fn fault_at(&mut self, now: Time) -> Option<SlackFault> {
        if self.fault_until.is_some_and(|until| until <= now) {
            (self.fault, self.fault_until) = (None, None);
        }
        self.fault
    }

    /// Puts a message into a room and gives its `ts`. The room must be there.
    fn say(&mut self, room: &str, now: Time, mut message: Message) -> String {
        message.ts = self.ts(now);
        let ts = message.ts.clone();
        if let Some(room) = self.room_mut(room) {
            room.messages.push(message);
            if room.messages.len() > MESSAGES {
                room.messages.remove(0);
            }
        }
        ts
    }

    /// What Slack itself tells a room about one of its members.
    fn tell(&mut self, room: &str, now: Time, user: &str, subtype: &str, text: String) {
        let message = Message { subtype: Some(subtype.to_owned()), ..Message::of(user, text) };
        self.say(room, now, message);
    }

    /// The conversation between these people, made if it is not there; says whether it was.
    fn direct(&mut self, now: Time, users: &[String]) -> (String, bool) {
        let mut wanted: Vec<String> = users.to_vec();
        wanted.push(BOT_USER.to_owned());
        wanted.sort();
        wanted.dedup();
        let same = |room: &&Room| {
            let mut members = room.members.clone();
            members.sort();
            matches!(room.kind, RoomKind::Direct | RoomKind::Group) && members == wanted
        };
        if let Some(room) = self.rooms.iter().find(same) {
            return (room.id.clone(), true);
        }
        let (kind, id) = if users.len() == 1 { (RoomKind::Direct, self.id("D")) } else { (RoomKind::Group, self.id("G")) };
        let name = match users {
            [one] => one.clone(),
            _ => format!("mpdm-{}-1", wanted.iter().map(|user| self.handle(user)).collect::<Vec<_>>().join("--")),
        };
        self.rooms.push(Room {
            id: id.clone(),
            name,
            kind,
            creator: BOT_USER.to_owned(),
            created_at: now,
            topic: Note::default(),
            purpose: Note::default(),
            archived: false,
            members: wanted,
            messages: Vec::new(),
            pins: Vec::new(),
            bookmarks: Vec::new(),
            previous_names: Vec::new(),
        });
        (id, false)
    }
}

impl Message {
    fn of(user: &str, text: impl Into<String>) -> Self {
        Self {
            ts: String::new(),
            user: user.to_owned(),
            by_app: user == BOT_USER,
            text: text.into(),
            blocks: Vec::new(),
            thread_ts: None,
            metadata: None,
            subtype: None,
            only_for: None,
            edits: 0,
            edited_at: None,
            reactions: Vec::new(),
        }
    }
}

impl Stage {
    /// The Slack workspace of this stage.
    #[must_use]
    pub fn slack(&self) -> Slack {
        Slack(self.0.clone())
    }
}

/// The workspace, as a test or the page looks at it and acts in it.
#[derive(Clone)]
pub struct Slack(Arc<Inner>);

impl Slack {
    /// What goes to `[slack] api_url`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}{API_PATH}", self.0.address)
    }

    #[must_use]
    pub fn bot_token(&self) -> Secret {
        self.0.slack.bot_token.clone()
    }

    #[must_use]
    pub fn app_token(&self) -> Secret {
        self.0.slack.app_token.clone()
    }

    #[must_use]
    pub fn signing_secret(&self) -> Secret {
        self.0.slack.signing_secret.clone()
    }

    /// All conversations as they are now, oldest first.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.0.world().slack.rooms.clone()
    }

    /// A conversation by its id or its name.
    #[must_use]
    pub fn room(&self, room: &str) -> Option<Room> {
        self.0.world().slack.rooms.iter().find(|known| known.id == room || known.name == room).cloned()
    }

    /// What a person and the app have written to each other, oldest first.
    #[must_use]
    pub fn direct(&self, user: &str) -> Vec<Message> {
        let world = self.0.world();
        let room = world.slack.rooms.iter().find(|room| room.kind == RoomKind::Direct && room.has(user));
        room.map(|room| room.messages.clone()).unwrap_or_default()
    }

    /// The dialogues that are open now.
    #[must_use]
    pub fn modals(&self) -> Vec<Modal> {
        self.0.world().slack.modals.clone()
    }

    /// Everything that was sent to the app, in order, with what it answered.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.0.world().slack.asked.clone()
    }

    /// Requests that reached the Web API, refused and hanging ones too.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.world().slack.requests
    }

    /// Requests that named this method, refused and hanging ones too.
    #[must_use]
    pub fn requests_of(&self, method: &str) -> u64 {
        self.0.world().slack.methods.get(method).copied().unwrap_or(0)
    }

    /// How the Web API misbehaves from now on: for this long on the stage's clock, or until told otherwise. What hangs because of an earlier fault is released.
    pub fn set_fault(&self, fault: Option<SlackFault>, lasts: Option<Span>) {
        {
            let mut world = self.0.world();
            world.slack.fault = fault;
            world.slack.fault_until = lasts.filter(|_| fault.is_some()).map(|span| self.0.clock.now() + span);
        }
        self.0.slack_faults.send_modify(|n| *n += 1);
        self.0.changed();
    }

    #[must_use]
    pub fn fault(&self) -> Option<SlackFault> {
        self.0.world().slack.fault_at(self.0.clock.now())
    }

    /// Whether the workspace has taken the bot token back.
    pub fn set_revoked(&self, revoked: bool) {
        self.0.world().slack.revoked = revoked;
        self.0.changed();
    }

    /// Whether each event comes twice from now on, with one id, as Slack's do now and then.
    pub fn set_events_twice(&self, twice: bool) {
        self.0.world().slack.events_twice = twice;
        self.0.changed();
    }
}

impl Inner {
    /// The id of a conversation by its id or name.
    fn slack_room(&self, room: &str) -> Result<String, StageError> {
        let world = self.world();
        let found = world.slack.rooms.iter().find(|known| known.id == room || known.name == room);
        found.map(|room| room.id.clone()).ok_or_else(|| StageError::NoSuchRoom(room.to_owned()))
    }
}

/// A message as the API writes it.
fn message_json(message: &Message) -> Value {
    let mut fields = json!({"type": "message", "ts": message.ts, "user": message.user, "text": message.text, "team": TEAM});
    let mut put = |name: &str, value: Value| fields[name] = value;
    if message.by_app {
        put("bot_id", json!(BOT));
        put("app_id", json!(APP));
    }
    if !message.blocks.is_empty() {
        put("blocks", json!(message.blocks));
    }
    if let Some(thread) = &message.thread_ts {
        put("thread_ts", json!(thread));
    }
    if let Some(subtype) = &message.subtype {
        put("subtype", json!(subtype));
    }
    if message.edited_at.is_some() {
        put("edited", json!({"user": message.user, "ts": message.ts}));
    }
    if !message.reactions.is_empty() {
        let reactions: Vec<Value> =
            message.reactions.iter().map(|r| json!({"name": r.name, "users": r.users, "count": r.users.len()})).collect();
        put("reactions", json!(reactions));
    }
    fields
}
