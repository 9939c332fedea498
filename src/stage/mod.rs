//! The outside world in one process, for demos and tests: Twilio's API and the phones that it rings, a Slack workspace, and a mail server.
//!
//! It speaks the provider's own protocol over HTTP, so that Reveille cannot tell it from the real one: only base URLs differ.
//! It imports `base` alone: a codec shared with the room that it answers would hide both sides' mistakes.
//!
//! A room for each thing: `twilio` the API, `phone` a call's life, `text` a text's, `post` what it sends home, `twiml` what a call says, `fault` what goes wrong, `page`
//! the web page of phones, `slack` a workspace with its Web API, `mail` the mail server, `scenario` a night to replay.

pub mod fault;
mod mail;
mod page;
pub mod phone;
mod post;
pub mod scenario;
pub mod slack;
mod text;
mod twilio;
mod twiml;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

pub use self::fault::{Callbacks, Fault};
pub use self::mail::{Mail, MailFault};
use self::phone::{Act, Told};
pub use self::phone::{AnsweredBy, Call, CallStatus, Delivery, DeliveryKind, Habit, Outcome, Speech};
pub use self::text::{Direction, Text, TextHabit, TextStatus};
use crate::base::clock::Clock;
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::time::{Span, Time};

/// Calls that the stage remembers; the oldest that are over are forgotten first.
const CALLS: usize = 10_000;
/// How long to wait when no connection can be taken.
const ACCEPT_AGAIN: Span = Span::millis(50);

/// What can go wrong with the stage itself.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("the stage cannot listen on {address}: {cause}; choose another address with --listen or --smtp")]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error("the stage cannot make its HTTP client: {0}")]
    Client(reqwest::Error),
    #[error("an account sid is AC and 32 hexadecimal digits")]
    AccountSid,
    #[error("there is no call {0} on this stage")]
    NoSuchCall(String),
    #[error("call {sid} is {status}: {hint}")]
    NotNow { sid: String, status: CallStatus, hint: &'static str },
    #[error("\"{0}\" is not a key: press 0 to 9, * or #")]
    NoSuchKey(char),
    #[error("{0} has got no text that could be answered")]
    NoText(String),
    #[error("the workspace has no room {0} that this person may see")]
    NoSuchRoom(String),
    #[error("room {0} is archived")]
    RoomArchived(String),
    #[error("the workspace has no person {0}")]
    NoSuchPerson(String),
    #[error("there is no button \"{0}\" to be seen")]
    NoSuchButton(String),
    #[error("there is no open dialogue {0}")]
    NoSuchDialogue(String),
    #[error("the stage is shut")]
    Shut,
}

/// How a stage is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub clock: Clock,
    pub account_sid: String,
    pub auth_token: Secret,
    /// Numbers (E.164) and the names of who carries them.
    pub people: Vec<(String, String)>,
    /// Reveille's address: where the page's link leads, and where the workspace sends commands, buttons and events.
    pub reveille_url: Option<String>,
    pub slack: slack::Options,
    /// Where texts that people write are told: Twilio's `SmsUrl` of the account's numbers. Without it, `/callbacks/sms` of Reveille's address.
    pub sms_url: Option<String>,
    /// Where mail is taken by SMTP; port 0 takes a free one, and without an address there is no mail.
    pub smtp: Option<SocketAddr>,
}

/// A running stage; clones are handles to the same one. It runs until it is shut or its runtime ends.
#[derive(Clone)]
pub struct Stage(Arc<Inner>);

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stage({})", self.url())
    }
}

impl Stage {
    /// Binds the port and starts to answer.
    ///
    /// # Errors
    /// When the port is taken, the account sid has not its shape, or no HTTP client can be made.
    pub async fn open(options: Options) -> Result<Self, StageError> {
        if !is_sid("AC", &options.account_sid) {
            return Err(StageError::AccountSid);
        }
        let address = options.listen;
        let listener = TcpListener::bind(address).await.map_err(|cause| StageError::Listen { address, cause })?;
        let address = listener.local_addr().map_err(|cause| StageError::Listen { address, cause })?;
        let smtp = mail::bind(options.smtp).await.map_err(|(address, cause)| StageError::Listen { address, cause })?;
        // Someone else in this process may have installed it already; either is this one.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder().no_proxy().build().map_err(StageError::Client)?;
        let world = World {
            phones: options
                .people
                .into_iter()
                .map(|(number, name)| Phone { number, name: Some(name), habit: Habit::Manual, text_habit: TextHabit::Delivered })
                .collect(),
            calls: Vec::new(),
            lines: HashMap::new(),
            texts: Vec::new(),
            mails: Vec::new(),
            mail_fault: None,
            stopped: HashSet::new(),
            fault: None,
            callbacks: Callbacks::default(),
            requests: 0,
            hanging: 0,
            slack: slack::World::new(&options.slack, options.clock.now()),
        };
        let inner = Arc::new(Inner {
            address,
            smtp: smtp.as_ref().map(|(address, _)| *address),
            clock: options.clock,
            account_sid: options.account_sid,
            auth_token: options.auth_token,
            reveille_url: Mutex::new(options.reveille_url),
            slack: options.slack,
            sms_url: Mutex::new(options.sms_url),
            http,
            world: Mutex::new(world),
            pulse: Mutex::default(),
            changes: watch::Sender::new(0),
            faults: watch::Sender::new(None),
            slack_faults: watch::Sender::new(0),
            mail_faults: watch::Sender::new(0),
            tasks: Mutex::new(Some(JoinSet::new())),
        });
        inner.spawn(serve(inner.clone(), listener));
        if let Some((_, listener)) = smtp {
            inner.spawn(mail::serve(inner.clone(), listener));
        }
        Ok(Self(inner))
    }

    /// The base URL of the API and of the page, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Says where Reveille is, when that is known only after the stage has opened.
    pub fn set_reveille(&self, url: &str) {
        *lock(&self.0.reveille_url) = Some(url.trim_end_matches('/').to_owned());
        self.0.changed();
    }

    /// All calls as they are now, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.0.world().calls.clone()
    }

    /// A person picks up. Returns when the call has settled: the first words are being said.
    ///
    /// # Errors
    /// When there is no such call, or it does not ring.
    pub async fn answer(&self, sid: &str) -> Result<(), StageError> {
        self.act(sid, Act::Answer).await
    }

    /// A person presses a key. Returns when the call has settled: whatever the key leads to is being said.
    ///
    /// # Errors
    /// When there is no such call or key, or no person is on the line.
    pub async fn press(&self, sid: &str, key: char) -> Result<(), StageError> {
        if !phone::is_key(key) {
            return Err(StageError::NoSuchKey(key));
        }
        self.act(sid, Act::Press(key)).await
    }

    /// A person turns the call away: busy.
    ///
    /// # Errors
    /// When there is no such call, or it does not ring.
    pub async fn decline(&self, sid: &str) -> Result<(), StageError> {
        self.act(sid, Act::Decline).await
    }

    /// The machine picks up: what is said is said to it, and nobody presses a key.
    ///
    /// # Errors
    /// When there is no such call, or it does not ring.
    pub async fn voicemail(&self, sid: &str) -> Result<(), StageError> {
        self.act(sid, Act::Voicemail).await
    }

    /// The call cannot be put through: failed.
    ///
    /// # Errors
    /// When there is no such call, or it does not ring.
    pub async fn unreachable(&self, sid: &str) -> Result<(), StageError> {
        self.act(sid, Act::Unreachable).await
    }

    /// A person hangs up; on a ringing call that is declining it.
    ///
    /// # Errors
    /// When there is no such call, or it is over.
    pub async fn hang_up(&self, sid: &str) -> Result<(), StageError> {
        self.act(sid, Act::HangUp).await
    }

    /// What this number's phone does by itself, from now on and for a call that rings now.
    pub fn set_habit(&self, number: &str, habit: Habit) {
        let ringing: Vec<mpsc::Sender<Told>> = {
            let mut world = self.0.world();
            world.phone(number).habit = habit;
            let World { calls, lines, .. } = &*world;
            calls
                .iter()
                .filter(|call| call.to == number && call.status == CallStatus::Ringing)
                .filter_map(|call| lines.get(&call.sid).cloned())
                .collect()
        };
        for line in ringing {
            // A call that ended meanwhile or has a full queue has more urgent news than this.
            drop(line.try_send(Told { act: Act::Reconsider, settled: None, work: Work::begin(&self.0) }));
        }
        self.0.changed();
    }

    /// How the API misbehaves from now on; what hangs because of an earlier fault is released.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.0.world().fault = fault;
        self.0.faults.send_replace(fault);
        self.0.changed();
    }

    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.0.world().fault
    }

    /// What becomes of status callbacks from now on.
    pub fn set_callbacks(&self, callbacks: Callbacks) {
        self.0.world().callbacks = callbacks;
        self.0.changed();
    }

    /// Requests that reached the API, refused and hanging ones too.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.0.world().requests
    }

    /// Requests that were taken and have no answer yet because of a fault.
    #[must_use]
    pub fn requests_hanging(&self) -> usize {
        self.0.world().hanging
    }

    /// Whether anything is under way that needs no clock and nobody: a callback, a fetch of `TwiML`, a call between two waits.
    #[must_use]
    pub fn busy(&self) -> bool {
        let pulse = lock(&self.0.pulse);
        let now = self.0.clock.now();
        pulse.working > 0 || pulse.parked.values().any(|due| *due <= now)
    }

    /// Ticks at each change of anything above.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Ends every call, connection and task. No callback is sent for what is cut off.
    pub async fn shut(&self) {
        let tasks = lock(&self.0.tasks).take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
        self.0.world().lines.clear();
        self.0.changed();
    }

    async fn act(&self, sid: &str, act: Act) -> Result<(), StageError> {
        let line = self.0.line(sid, &act)?;
        let (settled, done) = oneshot::channel();
        let work = Work::begin(&self.0);
        // A call that has ended between the look and the act has no line any more.
        line.send(Told { act, settled: Some(settled), work }).await.map_err(|_| StageError::NoSuchCall(sid.to_owned()))?;
        // The sender goes unused only with the call's task, when the stage is shut.
        done.await.map_err(|_| StageError::Shut)
    }
}

/// One telephone of this world.
#[derive(Debug, Clone)]
struct Phone {
    number: String,
    name: Option<String>,
    habit: Habit,
    text_habit: TextHabit,
}

#[derive(Debug)]
struct World {
    phones: Vec<Phone>,
    calls: Vec<Call>,
    lines: HashMap<String, mpsc::Sender<Told>>,
    texts: Vec<Text>,
    mails: Vec<Mail>,
    mail_fault: Option<MailFault>,
    /// Who wants no texts from whom any more: the phone's number and the sender's.
    stopped: HashSet<(String, String)>,
    fault: Option<Fault>,
    callbacks: Callbacks,
    requests: u64,
    hanging: usize,
    slack: slack::World,
}

impl World {
    fn phone(&mut self, number: &str) -> &mut Phone {
        let at = self.phones.iter().position(|phone| phone.number == number).unwrap_or_else(|| {
            self.phones.push(Phone { number: number.to_owned(), name: None, habit: Habit::Manual, text_habit: TextHabit::Delivered });
            self.phones.len() - 1
        });
        &mut self.phones[at]
    }

    fn call(&self, sid: &str) -> Option<&Call> {
        // Who asks for a call asks for a late one.
        self.calls.iter().rev().find(|call| call.sid == sid)
    }
}

/// What is going on: how much is at work, and who waits for which moment of the clock.
#[derive(Debug, Default)]
struct Pulse {
    working: usize,
    parked: BTreeMap<u64, Time>,
    next: u64,
}

struct Inner {
    address: SocketAddr,
    smtp: Option<SocketAddr>,
    clock: Clock,
    account_sid: String,
    auth_token: Secret,
    reveille_url: Mutex<Option<String>>,
    slack: slack::Options,
    sms_url: Mutex<Option<String>>,
    http: reqwest::Client,
    world: Mutex<World>,
    pulse: Mutex<Pulse>,
    changes: watch::Sender<u64>,
    faults: watch::Sender<Option<Fault>>,
    slack_faults: watch::Sender<u64>,
    mail_faults: watch::Sender<u64>,
    /// `None` once the stage is shut.
    tasks: Mutex<Option<JoinSet<()>>>,
}

/// While one of these lives, the stage is busy.
struct Work(Arc<Inner>);

impl Work {
    fn begin(inner: &Arc<Inner>) -> Self {
        lock(&inner.pulse).working += 1;
        Self(inner.clone())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let idle = {
            let mut pulse = lock(&self.0.pulse);
            pulse.working -= 1;
            pulse.working == 0
        };
        if idle {
            self.0.changed();
        }
    }
}

/// Someone waits for a moment of the clock.
struct Parked {
    inner: Arc<Inner>,
    key: u64,
}

impl Drop for Parked {
    fn drop(&mut self) {
        lock(&self.inner.pulse).parked.remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves these plain values whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    fn park(self: &Arc<Self>, due: Time) -> Parked {
        let mut pulse = lock(&self.pulse);
        let key = pulse.next;
        pulse.next += 1;
        pulse.parked.insert(key, due);
        Parked { inner: self.clone(), key }
    }

    /// Starts a task that ends with the stage at the latest.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = lock(&self.tasks).as_mut() {
            while tasks.try_join_next().is_some() {}
            tasks.spawn(task);
        }
    }

    /// Reveille's address, without a slash at the end.
    fn reveille(&self) -> Option<String> {
        lock(&self.reveille_url).as_ref().map(|url| url.trim_end_matches('/').to_owned())
    }

    fn callbacks(&self) -> Callbacks {
        self.world().callbacks
    }

    /// Changes one call.
    fn call(&self, sid: &str, change: impl FnOnce(&mut Call)) {
        let now = self.clock.now();
        if let Some(call) = self.world().calls.iter_mut().rev().find(|call| call.sid == sid) {
            change(call);
            call.updated_at = now;
        }
        self.changed();
    }

    fn read<T>(&self, sid: &str, look: impl FnOnce(&Call) -> T) -> Option<T> {
        self.world().call(sid).map(look)
    }

    fn ends_of(&self, sid: &str) -> (String, String) {
        self.read(sid, |call| (call.to.clone(), call.from.clone())).unwrap_or_default()
    }

    fn habit_of(&self, sid: &str) -> Habit {
        let world = self.world();
        let phone = world.call(sid).and_then(|call| world.phones.iter().find(|phone| phone.number == call.to));
        phone.map(|phone| phone.habit.clone()).unwrap_or_default()
    }

    /// The line of a call, if this can be done to it now.
    fn line(&self, sid: &str, act: &Act) -> Result<mpsc::Sender<Told>, StageError> {
        let world = self.world();
        let call = world.call(sid).ok_or_else(|| StageError::NoSuchCall(sid.to_owned()))?;
        let (fits, hint) = match act {
            Act::Answer | Act::Voicemail | Act::Decline | Act::Unreachable => {
                (call.status == CallStatus::Ringing, "only a ringing phone can be picked up or turned away")
            }
            Act::Press(_) => (
                call.status == CallStatus::InProgress && call.answered_by == AnsweredBy::Human,
                "keys are pressed by a person who has picked up",
            ),
            Act::Redirect(_) => (call.status == CallStatus::InProgress, "only a call in progress can be redirected"),
            Act::HangUp | Act::End | Act::Reconsider => (!call.status.is_final(), "it is over"),
        };
        let line = world.lines.get(sid).filter(|_| fits);
        line.cloned().ok_or_else(|| StageError::NotNow { sid: sid.to_owned(), status: call.status, hint })
    }

    /// Puts a new call into the world; `line` is absent for one that never rings.
    fn add(&self, call: Call, line: Option<mpsc::Sender<Told>>) {
        let mut world = self.world();
        world.phone(&call.to);
        if let Some(line) = line {
            world.lines.insert(call.sid.clone(), line);
        }
        world.calls.push(call);
        if world.calls.len() > CALLS
            && let Some(oldest) = world.calls.iter().position(|call| call.status.is_final())
        {
            world.calls.remove(oldest);
        }
        drop(world);
        self.changed();
    }

    fn hung_up(&self, sid: &str) {
        self.world().lines.remove(sid);
    }
}

/// Whether this is an absolute http or https URL, as Twilio wants them: with a host that has no underscore.
fn is_web_url(text: &str) -> bool {
    let start = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    (start.starts_with("http://") || start.starts_with("https://"))
        && reqwest::Url::parse(text).is_ok_and(|url| url.host_str().is_some_and(|host| !host.is_empty() && !host.contains('_')))
}

/// Whether this is a Twilio sid of this kind.
fn is_sid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Marks an answer that must not be given: the connection is closed instead.
#[derive(Clone, Copy)]
struct DropUnanswered;

/// Takes connections until the stage is shut.
async fn serve(inner: Arc<Inner>, listener: TcpListener) {
    let router = twilio::router().merge(slack::router()).merge(page::router()).with_state(inner.clone());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it small answers wait for the client's acknowledgement; where it cannot be set, they wait.
                drop(stream.set_nodelay(true));
                inner.spawn(connection(stream, router.clone()));
            }
            // Out of file handles, or the client went away: a moment later is another chance.
            Err(_) => inner.clock.sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn connection(stream: TcpStream, router: axum::Router) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move {
            let answered: Result<axum::response::Response, Infallible> = tower_service::Service::call(&mut router, request).await;
            match answered {
                Ok(response) if response.extensions().get::<DropUnanswered>().is_some() => {
                    Err(std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "dropped on purpose"))
                }
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(limits::HEADER_READ.as_duration())
        .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    // A client that goes away, or is sent away by a fault, is nothing to report.
    drop(served);
}
