//! Texts: sent to a phone with what the network tells about them, and written on a phone with what the account's server answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::fault::{Callbacks, span_text};
use super::phone::{Delivery, DeliveryKind, Outcome, StatusCallback};
use super::post::{self, Answer, Letter};
use super::{Inner, Stage, StageError, Work, twilio, twiml};
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};

/// Texts that the stage remembers; the oldest are forgotten first.
const TEXTS: usize = 10_000;
/// Words that a network understands by itself when a text is nothing else.
const STOP: [&str; 8] = ["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];
const START: [&str; 3] = ["START", "YES", "UNSTOP"];
const HELP: [&str; 2] = ["HELP", "INFO"];

/// Where a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextStatus {
    Queued,
    Sent,
    Delivered,
    /// The network says that the phone did not get it.
    Undelivered,
    /// It never left.
    Failed,
    /// Written on a phone, to the account.
    Received,
}

impl TextStatus {
    /// Twilio's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Received => "received",
        }
    }

    /// Whether nothing more will be told about it, as far as Twilio's own books go.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Queued => false,
            Self::Sent | Self::Delivered | Self::Undelivered | Self::Failed | Self::Received => true,
        }
    }
}

/// Whose a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Sent through the API.
    Api,
    /// Sent by the account's answer to a text.
    Reply,
    /// Written on a phone.
    Inbound,
    /// Twilio's own word about STOP and START, which stands on the phone and in no list.
    Carrier,
}

impl Direction {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Api => "outbound-api",
            Self::Reply | Self::Carrier => "outbound-reply",
            Self::Inbound => "inbound",
        }
    }
}

/// One text, as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct Text {
    pub sid: String,
    pub direction: Direction,
    pub to: String,
    pub from: String,
    pub body: String,
    pub status: TextStatus,
    pub created_at: Time,
    pub updated_at: Time,
    pub sent_at: Option<Time>,
    /// Twilio's number of what went wrong on the way.
    pub error_code: Option<u32>,
    /// Every request about this text to the account's own server, in order.
    pub callbacks: Vec<Delivery>,
    /// What was wrong with the server's answer to it.
    pub problem: Option<String>,
}

/// What becomes of the texts to a phone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TextHabit {
    /// Each arrives, and the network says so at once.
    #[default]
    Delivered,
    /// Each arrives, and after this long the person writes this back.
    Answer {
        words: String,
        #[serde(with = "span_text")]
        after: Span,
    },
    /// Each leaves, and nothing is heard of it any more.
    Silent,
    /// The phone is off: 30003.
    Undelivered,
    /// It never leaves: 30008.
    Failed,
}

/// What was ordered with a text.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub to: String,
    pub from: String,
    pub body: String,
    pub callback: Option<StatusCallback>,
}

/// How many texts of the old kind a body takes: 160 characters of the GSM alphabet, or 70 of any other; fewer in each of several.
pub(super) fn segments(body: &str) -> usize {
    const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    const GSM_TWICE: &str = "^{}\\[~]|€";
    let gsm: Option<usize> = body
        .chars()
        .map(|c| {
            if GSM.contains(c) {
                Some(1)
            } else if GSM_TWICE.contains(c) {
                Some(2)
            } else {
                None
            }
        })
        .sum();
    let (length, alone, joined) = gsm.map_or_else(|| (body.encode_utf16().count(), 70, 67), |length| (length, 160, 153));
    if length <= alone { 1 } else { length.div_ceil(joined) }
}

fn made(direction: Direction, to: &str, from: &str, body: &str, status: TextStatus, now: Time) -> Text {
    Text {
        sid: format!("SM{}", &Secret::random().digest()[..32]),
        direction,
        to: to.to_owned(),
        from: from.to_owned(),
        body: body.to_owned(),
        status,
        created_at: now,
        updated_at: now,
        sent_at: None,
        error_code: None,
        callbacks: Vec::new(),
        problem: None,
    }
}

/// Takes a text into the network. One that a fault holds back is never heard of again.
pub(super) fn send(inner: &Arc<Inner>, order: Order, held_back: bool) -> Text {
    go(inner, Direction::Api, order, held_back)
}

fn go(inner: &Arc<Inner>, direction: Direction, order: Order, held_back: bool) -> Text {
    let mut text = made(direction, &order.to, &order.from, &order.body, TextStatus::Queued, inner.clock.now());
    if held_back {
        text.problem = Some("accepted, and nothing was done: a fault of the stage".to_owned());
        inner.add_text(text.clone());
        return text;
    }
    inner.add_text(text.clone());
    let (letterbox, letters) = mpsc::unbounded_channel();
    if let Some(callback) = order.callback {
        inner.spawn(post::deliver(inner.clone(), text.sid.clone(), callback, letters));
    }
    let journey = Journey { work: Work::begin(inner), inner: inner.clone(), sid: text.sid.clone(), letterbox };
    inner.spawn(journey.live());
    text
}

/// A text on its way to a phone.
struct Journey {
    inner: Arc<Inner>,
    sid: String,
    letterbox: mpsc::UnboundedSender<Letter>,
    work: Work,
}

impl Journey {
    async fn live(self) {
        self.tell(TextStatus::Queued, None);
        let habit = self.inner.text_habit_of(&self.sid);
        if habit == TextHabit::Failed {
            self.tell(TextStatus::Failed, Some(30_008));
            return;
        }
        self.tell(TextStatus::Sent, None);
        match habit {
            TextHabit::Delivered => self.tell(TextStatus::Delivered, None),
            TextHabit::Answer { words, after } => {
                self.tell(TextStatus::Delivered, None);
                let Some(text) = self.inner.text(&self.sid, |text| text.clone()) else { return };
                let due = self.inner.clock.now() + after;
                let parked = self.inner.park(due);
                drop(self.work);
                self.inner.clock.sleep_until(due).await;
                let work = Work::begin(&self.inner);
                drop(parked);
                write(&self.inner, &text.to, &text.from, &words).await;
                drop(work);
            }
            TextHabit::Undelivered => self.tell(TextStatus::Undelivered, Some(30_003)),
            TextHabit::Silent | TextHabit::Failed => {}
        }
    }

    /// Moves the text on and hands what is told about it to the post.
    fn tell(&self, status: TextStatus, error_code: Option<u32>) {
        let now = self.inner.clock.now();
        let told = self.inner.text(&self.sid, |text| {
            text.status = status;
            text.error_code = error_code;
            if status == TextStatus::Sent {
                text.sent_at = Some(now);
            }
            text.clone()
        });
        let Some(text) = told else { return };
        let mut fields = vec![
            ("AccountSid", self.inner.account_sid.clone()),
            ("ApiVersion", twilio::API_VERSION.to_owned()),
            ("From", text.from),
            ("MessageSid", self.sid.clone()),
            ("MessageStatus", status.word().to_owned()),
            ("SmsSid", self.sid.clone()),
            ("SmsStatus", status.word().to_owned()),
            ("To", text.to),
        ];
        fields.extend(error_code.map(|code| ("ErrorCode", code.to_string())));
        // The postman is gone only when nobody asked for callbacks, or the stage is shut.
        drop(self.letterbox.send(Letter::new(&self.inner, fields, status.word())));
    }
}

/// Someone writes a text on their phone: the network heeds STOP and its like, then the account's server is told and its answer sent.
async fn write(inner: &Arc<Inner>, phone: &str, to: &str, body: &str) {
    let now = inner.clock.now();
    let mut text = made(Direction::Inbound, to, phone, body, TextStatus::Received, now);
    text.sent_at = Some(now);
    let sid = text.sid.clone();
    inner.add_text(text);
    if let Some(words) = heed(inner, phone, to, body) {
        let mut notice = made(Direction::Carrier, phone, to, words, TextStatus::Delivered, now);
        notice.sent_at = Some(now);
        inner.add_text(notice);
    }
    let Some(url) = inner.sms_url() else {
        inner.text(&sid, |text| text.problem = Some("nobody was told: the stage was not told where texts go".to_owned()));
        return;
    };
    let fields = vec![
        ("AccountSid", inner.account_sid.clone()),
        ("ApiVersion", twilio::API_VERSION.to_owned()),
        ("Body", body.to_owned()),
        ("From", phone.to_owned()),
        ("FromCity", String::new()),
        ("FromCountry", String::new()),
        ("FromState", String::new()),
        ("FromZip", String::new()),
        ("MessageSid", sid.clone()),
        ("NumMedia", "0".to_owned()),
        ("NumSegments", segments(body).to_string()),
        ("SmsMessageSid", sid.clone()),
        ("SmsSid", sid.clone()),
        ("SmsStatus", "received".to_owned()),
        ("To", to.to_owned()),
        ("ToCity", String::new()),
        ("ToCountry", String::new()),
        ("ToState", String::new()),
        ("ToZip", String::new()),
    ];
    if inner.callbacks() == Callbacks::Twice {
        // The account heard no answer to the first, and listens to the second alone.
        drop(inner.request(&url, false, &fields).await);
    }
    let (tries, answer) = inner.request(&url, false, &fields).await;
    let outcome = match &answer {
        Ok(answer) => Outcome::Answered { status: answer.status },
        Err(why) => Outcome::Failed { why: why.clone() },
    };
    inner.record(&sid, Delivery { kind: DeliveryKind::Text, told: "received".to_owned(), url: url.clone(), at: now, tries, outcome });
    match read_answer(&url, answer) {
        Ok(words) => {
            for words in words {
                // Whoever has said STOP gets nothing more, answers included.
                if !inner.world().stopped.contains(&(phone.to_owned(), to.to_owned())) {
                    let order = Order { to: phone.to_owned(), from: to.to_owned(), body: words, callback: None };
                    go(inner, Direction::Reply, order, false);
                }
            }
        }
        Err(fault) => {
            inner.text(&sid, |text| text.problem = Some(format!("{}: {}", fault.code, fault.why)));
        }
    }
}

/// The texts that the server's answer asks for.
fn read_answer(url: &str, answer: Result<Answer, String>) -> Result<Vec<String>, twiml::Fault> {
    let answer = answer.map_err(|why| twiml::Fault::new(11_200, why))?;
    if !(200..300).contains(&answer.status) {
        return Err(twiml::Fault::new(11_200, format!("{url} answered {}", answer.status)));
    }
    let kind = answer.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        _ if answer.status == 204 || answer.body.trim().is_empty() => Ok(Vec::new()),
        "text/plain" => Ok(vec![answer.body]),
        "text/xml" | "application/xml" | "text/html" => twiml::messages(&answer.body),
        _ => Err(twiml::Fault::new(12_300, format!("{url} answered with content type \"{kind}\", which is no TwiML"))),
    }
}

/// What the network does by itself about a text that is one word it knows, and what it says to that.
fn heed(inner: &Inner, phone: &str, to: &str, body: &str) -> Option<&'static str> {
    let word = body.trim().to_ascii_uppercase();
    let pair = (phone.to_owned(), to.to_owned());
    let known = |words: &[&str]| words.contains(&word.as_str());
    if known(&STOP) {
        inner.world().stopped.insert(pair).then_some(
            "You have successfully been unsubscribed. You will not receive any more messages from this number. Reply START to resubscribe.",
        )
    } else if known(&START) {
        inner.world().stopped.remove(&pair).then_some(
            "You have successfully been re-subscribed to messages from this number. Reply HELP for help. Reply STOP to unsubscribe. \
             Msg&Data Rates May Apply.",
        )
    } else if known(&HELP) {
        Some("Reply STOP to unsubscribe. Msg&Data Rates May Apply.")
    } else {
        None
    }
}

impl Stage {
    /// All texts as they are now, oldest first.
    #[must_use]
    pub fn texts(&self) -> Vec<Text> {
        self.0.world().texts.clone()
    }

    /// Someone answers the last text on their phone. Returns when the account's server has been told and has answered.
    ///
    /// # Errors
    /// When the phone has no text from a number.
    pub async fn reply(&self, phone: &str, body: &str) -> Result<(), StageError> {
        let last = {
            let world = self.0.world();
            // A name in the place of a number cannot be answered.
            let last = world.texts.iter().rev().find(|text| text.to == phone && text.from.starts_with('+'));
            last.map(|text| text.from.clone())
        };
        let to = last.ok_or_else(|| StageError::NoText(phone.to_owned()))?;
        self.text(phone, &to, body).await;
        Ok(())
    }

    /// Someone writes a text to a number of the account's. Returns when the account's server has been told and has answered.
    pub async fn text(&self, phone: &str, to: &str, body: &str) {
        let work = Work::begin(&self.0);
        write(&self.0, phone, to, body).await;
        drop(work);
    }

    /// What becomes of texts to this number from now on.
    pub fn set_text_habit(&self, number: &str, habit: TextHabit) {
        self.0.world().phone(number).text_habit = habit;
        self.0.changed();
    }

    /// Where texts that people write are told: what Twilio calls the number's `SmsUrl`.
    pub fn set_sms_url(&self, url: &str) {
        *super::lock(&self.0.sms_url) = Some(url.to_owned());
        self.0.changed();
    }
}

impl Inner {
    /// Changes or reads one text.
    pub(super) fn text<T>(&self, sid: &str, change: impl FnOnce(&mut Text) -> T) -> Option<T> {
        let now = self.clock.now();
        let done = self.world().texts.iter_mut().rev().find(|text| text.sid == sid).map(|text| {
            text.updated_at = now;
            change(text)
        });
        self.changed();
        done
    }

    fn text_habit_of(&self, sid: &str) -> TextHabit {
        let world = self.world();
        let text = world.texts.iter().rev().find(|text| text.sid == sid);
        let phone = text.and_then(|text| world.phones.iter().find(|phone| phone.number == text.to));
        phone.map(|phone| phone.text_habit.clone()).unwrap_or_default()
    }

    fn add_text(&self, text: Text) {
        let mut world = self.world();
        let phone = if text.direction == Direction::Inbound { &text.from } else { &text.to };
        world.phone(phone);
        world.texts.push(text);
        if world.texts.len() > TEXTS {
            world.texts.remove(0);
        }
        drop(world);
        self.changed();
    }

    /// Where texts that people write are told.
    fn sms_url(&self) -> Option<String> {
        let given = super::lock(&self.sms_url).clone();
        given.or_else(|| self.reveille().map(|base| format!("{base}/callbacks/sms")))
    }
}
