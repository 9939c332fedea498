//! Phones and calls: one task plays one call from the dial tone to the last callback, on the stage's clock.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::fault::{Callbacks, span_text};
use super::post::{self, Letter};
use super::twiml::{self, Gather, Script, Utterance, Verb};
use super::{Inner, Work};
use crate::base::time::{Span, Time};

/// Documents in one call: past this it is a loop of redirects.
const DOCUMENTS: u32 = 200;
/// Lines of speech kept of one call.
const SPEECH_LINES: usize = 500;
/// Acts waiting for one call: nobody presses faster.
pub(super) const ACTS: usize = 64;
/// What Twilio's voice says when a document fails, in our words.
const APPLICATION_ERROR: &str = "We are sorry. An application error has occurred. Goodbye.";

/// Whether a phone's keypad has this key.
#[must_use]
pub fn is_key(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#')
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    Queued,
    Ringing,
    InProgress,
    Completed,
    Busy,
    Failed,
    NoAnswer,
    Canceled,
}

impl CallStatus {
    /// Twilio's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::NoAnswer => "no-answer",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the call is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Ringing | Self::InProgress => false,
            Self::Completed | Self::Busy | Self::Failed | Self::NoAnswer | Self::Canceled => true,
        }
    }
}

impl std::fmt::Display for CallStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// Who picked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    Nobody,
    Human,
    Machine,
}

/// One call, as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    pub sid: String,
    pub to: String,
    pub from: String,
    pub status: CallStatus,
    pub created_at: Time,
    pub updated_at: Time,
    /// When the phone began to ring.
    pub dialed_at: Option<Time>,
    pub answered_at: Option<Time>,
    pub ended_at: Option<Time>,
    pub answered_by: AnsweredBy,
    /// What has been said so far, each phrase from when it began.
    pub speech: Vec<Speech>,
    /// The keys pressed during the call.
    pub digits: String,
    /// Whether the call waits for a key now.
    pub listening: bool,
    /// Every request this call made to the account's own server, in order.
    pub callbacks: Vec<Delivery>,
    /// Why the call could not be played, with Twilio's error number.
    pub problem: Option<String>,
}

impl Call {
    /// What has been said so far.
    #[must_use]
    pub fn spoken(&self) -> Vec<String> {
        self.speech.iter().map(|line| line.text.clone()).collect()
    }

    /// Seconds from the answer to the end; 0 for a call that nobody answered.
    #[must_use]
    pub fn duration(&self) -> i64 {
        match (self.answered_at, self.ended_at) {
            (Some(from), Some(to)) => to.since(from).as_seconds(),
            (Some(_) | None, _) => 0,
        }
    }
}

/// One phrase.
#[derive(Debug, Clone, Serialize)]
pub struct Speech {
    pub text: String,
    pub language: Option<String>,
    pub voice: Option<String>,
    pub from: Time,
    /// When the phrase ends, or was cut short by a key or a hang-up.
    pub until: Time,
}

/// One request to the account's server.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub kind: DeliveryKind,
    /// The status of the call or text that it told.
    pub told: String,
    pub url: String,
    pub at: Time,
    pub tries: u32,
    pub outcome: Outcome,
}

/// What a request to the account's server was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryKind {
    Status,
    Twiml,
    Keys,
    /// A text that someone wrote.
    Text,
}

/// How a request to the account's server ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    Answered { status: u16 },
    Failed { why: String },
}

/// What a phone does by itself when it rings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Habit {
    /// Nothing: someone at the page, or a test, does it.
    #[default]
    Manual,
    /// Picks up after ringing this long, listens, then presses these keys as they are asked for.
    AnswerAndPress {
        keys: String,
        #[serde(with = "span_text")]
        after: Span,
    },
    /// The machine picks up after ringing this long.
    Voicemail {
        #[serde(with = "span_text")]
        after: Span,
    },
    Decline,
    /// No such number: the call fails.
    Unreachable,
}

/// What someone does to a call: a person with the phone, or the account through the API.
#[derive(Debug)]
pub(super) enum Act {
    Answer,
    Voicemail,
    Decline,
    Unreachable,
    HangUp,
    Press(char),
    /// The account ends it.
    End,
    /// The account gives it another document.
    Redirect(Source),
    /// The phone's habit changed.
    Reconsider,
}

/// An act on its way to a call; the reply comes when the call has settled after it.
pub(super) struct Told {
    pub act: Act,
    pub settled: Option<oneshot::Sender<()>>,
    /// Keeps the stage busy from the moment of the act.
    pub work: Work,
}

/// Where a document comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Inline(String),
    /// Already read from the URL that is the line's base now.
    Fetched(String),
    At {
        url: String,
        get: bool,
    },
}

/// What was ordered with a call.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub source: Source,
    pub callback: Option<StatusCallback>,
    pub ring: Span,
    pub limit: Span,
}

#[derive(Debug, Clone)]
pub(super) struct StatusCallback {
    pub url: String,
    pub get: bool,
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Initiated,
    Ringing,
    Answered,
    Completed,
}

impl Event {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "initiated" => Self::Initiated,
            "ringing" => Self::Ringing,
            "answered" => Self::Answered,
            "completed" => Self::Completed,
            _ => return None,
        })
    }
}

/// Starts the task that plays a call.
pub(super) fn dial(inner: &Arc<Inner>, sid: String, order: Order, acts: mpsc::Receiver<Told>) {
    // At most four letters in a call's life.
    let (letterbox, letters) = mpsc::unbounded_channel();
    if let Some(callback) = &order.callback {
        inner.spawn(post::deliver(inner.clone(), sid.clone(), callback.clone(), letters));
    }
    let line = Line {
        work: Some(Work::begin(inner)),
        inner: inner.clone(),
        limit_at: Time(i64::MAX),
        sid,
        order,
        acts,
        letterbox,
        sequence: 0,
        documents: 0,
        base: None,
        keys: Vec::new(),
        settled: Vec::new(),
    };
    inner.spawn(line.live());
}

/// One call being played.
struct Line {
    inner: Arc<Inner>,
    sid: String,
    order: Order,
    acts: mpsc::Receiver<Told>,
    letterbox: mpsc::UnboundedSender<Letter>,
    sequence: u32,
    documents: u32,
    /// The URL of the document being played; relative URLs start from it.
    base: Option<reqwest::Url>,
    /// When Twilio ends the call whatever happens.
    limit_at: Time,
    /// Keys that the phone's habit will press, the next one last.
    keys: Vec<char>,
    settled: Vec<oneshot::Sender<()>>,
    /// Held except while the call waits for the clock or for someone.
    work: Option<Work>,
}

enum Woken {
    Due,
    Act(Act),
}

/// What comes after a verb.
enum Next {
    Verb,
    Document(Source),
    End,
}

impl Line {
    async fn live(mut self) {
        self.event(Event::Initiated, "initiated");
        let now = self.inner.clock.now();
        let ring_until = now + self.order.ring;
        self.inner.call(&self.sid, |call| {
            call.status = CallStatus::Ringing;
            call.dialed_at = Some(now);
        });
        self.event(Event::Ringing, "ringing");
        match self.ring(now, ring_until).await {
            Ok(by) => {
                let now = self.inner.clock.now();
                self.limit_at = now + self.order.limit;
                self.inner.call(&self.sid, |call| {
                    call.status = CallStatus::InProgress;
                    call.answered_at = Some(now);
                    call.answered_by = by;
                });
                self.event(Event::Answered, "in-progress");
                self.talk().await;
                self.end(CallStatus::Completed);
            }
            Err(status) => self.end(status),
        }
        self.settle();
    }

    /// Rings until someone picks up, or the call ends without that.
    async fn ring(&mut self, since: Time, until: Time) -> Result<AnsweredBy, CallStatus> {
        loop {
            let habit = self.inner.habit_of(&self.sid);
            let acts_at = match &habit {
                Habit::Manual => None,
                Habit::AnswerAndPress { after, .. } | Habit::Voicemail { after } => Some(since + *after),
                Habit::Decline => return Err(CallStatus::Busy),
                Habit::Unreachable => return Err(CallStatus::Failed),
            };
            match self.wait(acts_at.map_or(until, |at| at.min(until))).await {
                Woken::Due => {
                    if acts_at.is_none_or(|at| at > until) {
                        return Err(CallStatus::NoAnswer);
                    }
                    match habit {
                        Habit::AnswerAndPress { keys, .. } => {
                            self.keys = keys.chars().rev().filter(|key| is_key(*key)).collect();
                            return Ok(AnsweredBy::Human);
                        }
                        Habit::Voicemail { .. } => return Ok(AnsweredBy::Machine),
                        Habit::Manual | Habit::Decline | Habit::Unreachable => return Err(CallStatus::NoAnswer),
                    }
                }
                Woken::Act(act) => match act {
                    Act::Answer => return Ok(AnsweredBy::Human),
                    Act::Voicemail => return Ok(AnsweredBy::Machine),
                    Act::Decline | Act::HangUp => return Err(CallStatus::Busy),
                    Act::Unreachable => return Err(CallStatus::Failed),
                    Act::End => return Err(CallStatus::Canceled),
                    Act::Press(_) | Act::Redirect(_) | Act::Reconsider => {}
                },
            }
        }
    }

    /// Plays documents until one ends the call.
    async fn talk(&mut self) {
        let mut source = self.order.source.clone();
        loop {
            let script = match self.load(source).await {
                Ok(Loaded::Script(script)) => script,
                Ok(Loaded::Jump(to)) => {
                    source = to;
                    continue;
                }
                Ok(Loaded::End) => return,
                Err(fault) => return self.apologise(&fault).await,
            };
            match self.play(script).await {
                Ok(Next::Document(next)) => source = next,
                Ok(Next::Verb | Next::End) => return,
                Err(fault) => return self.apologise(&fault).await,
            }
        }
    }

    async fn play(&mut self, script: Script) -> Result<Next, twiml::Fault> {
        for verb in script.0 {
            let next = match verb {
                Verb::Utter(utterance) => self.utter(&utterance).await,
                Verb::Gather(gather) => self.gather(&gather).await?,
                Verb::Redirect { url, get } => Next::Document(Source::At { url: self.resolve(Some(&url))?, get }),
                Verb::Hangup => Next::End,
            };
            match next {
                Next::Verb => {}
                Next::Document(_) | Next::End => return Ok(next),
            }
        }
        Ok(Next::Verb)
    }

    /// Says or pauses, with nobody asked for a key.
    async fn utter(&mut self, utterance: &Utterance) -> Next {
        for _ in 0..times(utterance) {
            let until = self.begin(utterance);
            loop {
                match self.wait(until).await {
                    Woken::Due => break,
                    Woken::Act(act) => {
                        if let Some(next) = self.heed(act) {
                            return next;
                        }
                    }
                }
            }
            if self.is_over() {
                return Next::End;
            }
        }
        Next::Verb
    }

    /// What an act means while no key is asked for; a key pressed then is lost, as on the real line.
    fn heed(&mut self, act: Act) -> Option<Next> {
        match act {
            Act::Press(key) => {
                self.note_key(key);
                None
            }
            Act::HangUp | Act::End => {
                self.cut();
                Some(Next::End)
            }
            Act::Redirect(source) => {
                self.cut();
                Some(Next::Document(source))
            }
            Act::Answer | Act::Voicemail | Act::Decline | Act::Unreachable | Act::Reconsider => None,
        }
    }

    /// Speaks the prompts and takes keys, from the first word on.
    async fn gather(&mut self, gather: &Gather) -> Result<Next, twiml::Fault> {
        let mut prompts: Vec<&Utterance> =
            gather.prompts.iter().flat_map(|prompt| std::iter::repeat_n(prompt, usize::try_from(times(prompt)).unwrap_or(1))).collect();
        prompts.reverse();
        let mut digits = String::new();
        let mut finished_on = None;
        let mut speaking = true;
        let mut until = self.inner.clock.now();
        self.inner.call(&self.sid, |call| call.listening = gather.keys);
        'keys: loop {
            // A habit presses once the voice has ended, as a person does who listens first.
            let mut pressed = None;
            if speaking && until <= self.inner.clock.now() {
                if let Some(prompt) = prompts.pop() {
                    until = self.begin(prompt);
                } else {
                    speaking = false;
                    until = self.inner.clock.now() + gather.timeout;
                }
            }
            if !speaking && gather.keys {
                pressed = self.keys.pop();
            }
            let key = if let Some(key) = pressed {
                key
            } else {
                match self.wait(until).await {
                    Woken::Due if self.is_over() => return Ok(self.deaf(Next::End)),
                    Woken::Due if speaking => continue,
                    Woken::Due => break,
                    Woken::Act(Act::Press(key)) if gather.keys => key,
                    Woken::Act(act) => match self.heed(act) {
                        Some(next) => return Ok(self.deaf(next)),
                        None => continue,
                    },
                }
            };
            self.note_key(key);
            self.cut();
            prompts.clear();
            speaking = false;
            until = self.inner.clock.now() + gather.timeout;
            if gather.finish_on == Some(key) {
                finished_on = Some(key);
                break 'keys;
            }
            digits.push(key);
            if gather.num_digits.is_some_and(|most| digits.len() >= most) {
                break 'keys;
            }
        }
        self.deaf(Next::Verb);
        if digits.is_empty() && !gather.action_on_empty {
            return Ok(Next::Verb);
        }
        let url = self.resolve(gather.action.as_deref())?;
        let mut fields = self.facts("in-progress");
        fields.push(("Digits", digits));
        fields.push(("FinishedOnKey", finished_on.map(String::from).unwrap_or_default()));
        fields.push(("msg", "Gather End".to_owned()));
        self.fetch(url, gather.get, fields, DeliveryKind::Keys).await.map(|loaded| match loaded {
            Fetched::Text(text) => Next::Document(Source::Fetched(text)),
            Fetched::Jump(source) => Next::Document(source),
            Fetched::End => Next::End,
        })
    }

    fn deaf(&self, next: Next) -> Next {
        self.inner.call(&self.sid, |call| call.listening = false);
        next
    }

    /// Starts a phrase or a pause and gives its end.
    fn begin(&self, utterance: &Utterance) -> Time {
        let now = self.inner.clock.now();
        match utterance {
            Utterance::Say { text, voice, language, .. } => {
                let until = now + twiml::speech_span(text);
                let line = Speech { text: text.clone(), language: language.clone(), voice: voice.clone(), from: now, until };
                self.inner.call(&self.sid, |call| {
                    if call.speech.len() < SPEECH_LINES {
                        call.speech.push(line);
                    }
                });
                until
            }
            Utterance::Pause(span) => now + *span,
        }
    }

    /// Ends the phrase that is being said.
    fn cut(&self) {
        let now = self.inner.clock.now();
        self.inner.call(&self.sid, |call| {
            if let Some(line) = call.speech.last_mut()
                && line.until > now
            {
                line.until = now;
            }
        });
    }

    fn note_key(&self, key: char) {
        self.inner.call(&self.sid, |call| call.digits.push(key));
    }

    async fn apologise(&mut self, fault: &twiml::Fault) {
        self.inner.call(&self.sid, |call| call.problem = Some(format!("{}: {}", fault.code, fault.why)));
        let words = Utterance::Say { text: APPLICATION_ERROR.to_owned(), voice: None, language: None, times: 1 };
        // Whatever comes during the apology, the call ends after it.
        self.utter(&words).await;
    }

    async fn load(&mut self, source: Source) -> Result<Loaded, twiml::Fault> {
        self.documents += 1;
        if self.documents > DOCUMENTS {
            return Err(twiml::Fault::new(11_205, "the documents redirect to each other without end"));
        }
        let text = match source {
            Source::Inline(text) => {
                self.base = None;
                text
            }
            Source::Fetched(text) => text,
            Source::At { url, get } => {
                let fields = self.facts("in-progress");
                match self.fetch(url, get, fields, DeliveryKind::Twiml).await? {
                    Fetched::Text(text) => text,
                    Fetched::Jump(source) => return Ok(Loaded::Jump(source)),
                    Fetched::End => return Ok(Loaded::End),
                }
            }
        };
        twiml::parse(&text).map(Loaded::Script)
    }

    /// An absolute URL for a request; without one, the document's own.
    fn resolve(&self, url: Option<&str>) -> Result<String, twiml::Fault> {
        let wrong =
            |text: &str| twiml::Fault::new(11_100, format!("\"{text}\" is not an absolute URL, and this document has none of its own"));
        match (url, &self.base) {
            // The text stands as it was given: the signature is over it.
            (Some(url), _) if super::is_web_url(url) => Ok(url.to_owned()),
            (Some(url), Some(base)) => base.join(url).map(String::from).map_err(|_| wrong(url)),
            (None, Some(base)) => Ok(base.to_string()),
            (Some(url), None) => Err(wrong(url)),
            (None, None) => Err(wrong("")),
        }
    }

    /// Asks the account's server for a document; a hang-up meanwhile ends the wait.
    async fn fetch(
        &mut self,
        url: String,
        get: bool,
        fields: Vec<(&'static str, String)>,
        kind: DeliveryKind,
    ) -> Result<Fetched, twiml::Fault> {
        let inner = self.inner.clone();
        let (sent, at) = (inner.clone(), inner.clock.now());
        let target = url.clone();
        let twice = matches!(kind, DeliveryKind::Keys) && inner.callbacks() == Callbacks::Twice;
        let request = async move {
            if twice {
                // The account heard no answer to the first, and listens to the second alone.
                drop(sent.request(&target, get, &fields).await);
            }
            sent.request(&target, get, &fields).await
        };
        tokio::pin!(request);
        let (tries, answer) = loop {
            tokio::select! {
                biased;
                done = &mut request => break done,
                told = self.acts.recv() => {
                    let Some(told) = told else { return Ok(Fetched::End) };
                    self.settled.extend(told.settled);
                    match self.heed(told.act) {
                        None => {}
                        Some(Next::Document(source)) => return Ok(Fetched::Jump(source)),
                        Some(Next::End | Next::Verb) => return Ok(Fetched::End),
                    }
                }
            }
        };
        let outcome = match &answer {
            Ok(answer) => Outcome::Answered { status: answer.status },
            Err(why) => Outcome::Failed { why: why.clone() },
        };
        self.inner.call(&self.sid, |call| {
            call.callbacks.push(Delivery { kind, told: "in-progress".to_owned(), url: url.clone(), at, tries, outcome });
        });
        let answer = answer.map_err(|why| twiml::Fault::new(11_200, why))?;
        if !(200..300).contains(&answer.status) {
            return Err(twiml::Fault::new(11_200, format!("{url} answered {}", answer.status)));
        }
        let kind = answer.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !matches!(kind.as_str(), "text/xml" | "application/xml" | "application/rss+xml" | "text/html") {
            return Err(twiml::Fault::new(12_300, format!("{url} answered with content type \"{kind}\", which is no TwiML")));
        }
        self.base = reqwest::Url::parse(&url).ok();
        Ok(Fetched::Text(answer.body))
    }

    fn is_over(&self) -> bool {
        self.limit_at <= self.inner.clock.now()
    }

    /// Waits for `due` or for someone. Whoever waits for the last act to settle hears that it has.
    async fn wait(&mut self, due: Time) -> Woken {
        let due = due.min(self.limit_at);
        self.settle();
        let parked = self.inner.park(due);
        self.work = None;
        let (woken, work) = tokio::select! {
            biased;
            told = self.acts.recv() => if let Some(told) = told {
                self.settled.extend(told.settled);
                (Woken::Act(told.act), told.work)
            } else {
                // The stage has forgotten the call: nobody can do anything to it but the clock.
                self.inner.clock.sleep_until(due).await;
                (Woken::Due, Work::begin(&self.inner))
            },
            () = self.inner.clock.sleep_until(due) => (Woken::Due, Work::begin(&self.inner)),
        };
        self.work = Some(work);
        drop(parked);
        woken
    }

    fn settle(&mut self) {
        for settled in self.settled.drain(..) {
            // Who no longer waits need not hear it.
            settled.send(()).unwrap_or_default();
        }
    }

    fn end(&mut self, status: CallStatus) {
        self.cut();
        let now = self.inner.clock.now();
        self.inner.call(&self.sid, |call| {
            call.status = status;
            call.ended_at = Some(now);
            call.listening = false;
        });
        self.inner.hung_up(&self.sid);
        self.event(Event::Completed, status.word());
        // Whoever acted on the call while it ended waits no longer.
        self.acts.close();
        while let Ok(told) = self.acts.try_recv() {
            self.settled.extend(told.settled);
        }
    }

    /// The parameters that every request about this call carries.
    fn facts(&self, status: &str) -> Vec<(&'static str, String)> {
        let (to, from) = self.inner.ends_of(&self.sid);
        vec![
            ("AccountSid", self.inner.account_sid.clone()),
            ("ApiVersion", super::twilio::API_VERSION.to_owned()),
            ("CallSid", self.sid.clone()),
            ("CallStatus", status.to_owned()),
            ("Called", to.clone()),
            ("Caller", from.clone()),
            ("Direction", "outbound-api".to_owned()),
            ("From", from),
            ("To", to),
        ]
    }

    /// Hands a status callback to the post, if it was asked for.
    fn event(&mut self, event: Event, told: &'static str) {
        let Some(callback) = &self.order.callback else { return };
        if !callback.events.contains(&event) {
            return;
        }
        let mut fields = self.facts(told);
        fields.push(("CallbackSource", "call-progress-events".to_owned()));
        fields.push(("SequenceNumber", self.sequence.to_string()));
        fields.push(("Timestamp", super::twilio::rfc2822(self.inner.clock.now())));
        self.sequence += 1;
        if event == Event::Completed {
            let seconds = self.inner.read(&self.sid, Call::duration).unwrap_or(0);
            fields.push(("CallDuration", seconds.to_string()));
            // Twilio bills started minutes.
            fields.push(("Duration", ((seconds + 59) / 60).to_string()));
            let sip = match told {
                "busy" => Some("486"),
                "no-answer" => Some("480"),
                "failed" => Some("404"),
                "canceled" => Some("487"),
                "completed" => Some("200"),
                _ => None,
            };
            fields.extend(sip.map(|code| ("SipResponseCode", code.to_owned())));
        }
        // The postman is gone only when the stage is shut.
        drop(self.letterbox.send(Letter::new(&self.inner, fields, told)));
    }
}

enum Loaded {
    Script(Script),
    Jump(Source),
    End,
}

enum Fetched {
    Text(String),
    Jump(Source),
    End,
}

const fn times(utterance: &Utterance) -> u32 {
    match utterance {
        Utterance::Say { times, .. } => *times,
        Utterance::Pause(_) => 1,
    }
}
