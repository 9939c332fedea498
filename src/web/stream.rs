//! Facts as they happen, as Server-Sent Events. One tailer per process reads the database and feeds every reader; a reader that
//! comes back says what it saw last and is given the rest first.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, watch};

use super::Doors;
use super::answer::{WebError, set};
use super::caller::Caller;
use super::look::{self, EntryBody, Params};
use crate::base::id::{IncidentId, Number};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::base::viewer::{Scope, Viewer};
use crate::flows::House;
use crate::store::read::{FactRow, StoreError};

/// A sign of life this often keeps proxies from closing a quiet stream, and lets a reader notice a dead one.
const ALIVE_EVERY: Span = Span::seconds(15);
/// A stream ends after this long, and its reader comes back through the gate: a session that has ended reads no further than this.
const LIFE: Span = Span::hours(1);
/// Facts read at once.
const PIECE: i64 = 500;
/// Numbers of incidents kept in memory; past it all are forgotten and asked anew.
const NUMBERS: usize = 4_096;

/// The facts that are being committed, one after the other.
#[derive(Clone)]
pub struct Tail(Arc<Inner>);

struct Inner {
    house: House,
    news: broadcast::Sender<Arc<News>>,
    readers: Arc<Semaphore>,
    numbers: Mutex<BTreeMap<IncidentId, Number>>,
    /// The last fact passed on; kept here, so that a tailer that is started again leaves none out.
    seen: Mutex<Option<i64>>,
    /// Turns true when the process ends, so that open streams do not hold it up.
    over: watch::Sender<bool>,
}

/// One fact, worded once for all readers.
struct News {
    seq: i64,
    incident: IncidentId,
    json: String,
}

impl Tail {
    pub(super) fn new(house: House) -> Self {
        Self(Arc::new(Inner {
            house,
            news: broadcast::Sender::new(limits::STREAM_LAG),
            readers: Arc::new(Semaphore::new(limits::STREAM_READERS)),
            numbers: Mutex::default(),
            seen: Mutex::default(),
            over: watch::Sender::new(false),
        }))
    }

    /// Ends every stream; new ones end at once.
    pub fn close(&self) {
        self.0.over.send_replace(true);
    }

    /// How many readers there are just now.
    pub(super) fn readers(&self) -> usize {
        limits::STREAM_READERS - self.0.readers.available_permits()
    }

    /// Reads new facts whenever the bell rings, until [`Tail::close`].
    pub async fn run(self) {
        let house = &self.0.house;
        let mut over = self.0.over.subscribe();
        loop {
            match self.pass_on().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the stream cannot read new facts; it tries again"),
            }
            tokio::select! {
                () = house.bells.facts.heard() => {}
                // The safety net, and how facts that another process committed are seen where no bell is heard.
                // In real time, as every safety net: it is about this machine, not about a decision.
                () = tokio::time::sleep(limits::SAFETY_POLL.as_duration()) => {}
                _ = over.wait_for(|over| *over) => return,
            }
        }
    }

    /// Tells what is new; `true` when there may be more.
    async fn pass_on(&self) -> Result<bool, StoreError> {
        let reader = self.0.house.store.reader();
        let seen = || self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = *seen();
        let after = match known {
            Some(seq) => seq,
            // Whatever happened before this process began is for those who come back to ask for.
            None => reader.seq_last().await?,
        };
        *seen() = Some(after);
        let rows = reader.facts_tail(&everything(), None, after, PIECE).await?;
        let names = crate::render::line::Names::of(&self.0.house.now_live().setup);
        for row in &rows {
            let news = self.word(row, &names).await?;
            *seen() = Some(row.seq);
            // Nobody listening is no error.
            self.0.news.send(Arc::new(news)).unwrap_or_default();
        }
        Ok(rows.len() == usize::try_from(PIECE).unwrap_or(usize::MAX))
    }

    async fn word(&self, row: &FactRow, names: &crate::render::line::Names) -> Result<News, StoreError> {
        let number = self.number(&row.fact.incident).await?;
        let body = EntryBody::of(row, number, names);
        let json = serde_json::to_string(&body).unwrap_or_else(|_| "{}".to_owned());
        Ok(News { seq: row.seq, incident: row.fact.incident.clone(), json })
    }

    async fn number(&self, id: &IncidentId) -> Result<Option<Number>, StoreError> {
        let known = self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        if known.is_some() {
            return Ok(known);
        }
        let found = self.0.house.store.reader().incident_number(id).await?;
        if let Some(number) = found {
            let mut numbers = self.0.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            if numbers.len() >= NUMBERS {
                numbers.clear();
            }
            numbers.insert(id.clone(), number);
        }
        Ok(found)
    }
}

/// The tailer reads for all; what each reader may see is asked for each reader.
fn everything() -> Viewer {
    Viewer::Token { name: "stream".to_owned(), scope: Scope::Read, acts_as: None }
}

pub(super) async fn of_all(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, WebError> {
    open(&doors, caller, None, last_seen(&headers, &uri)?)
}

pub(super) async fn of_incident(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, WebError> {
    let incident = look::incident(&doors, &caller.viewer, &number).await?;
    open(&doors, caller, Some((incident.id, incident.number)), last_seen(&headers, &uri)?)
}

/// `Last-Event-ID` where the browser resumes by itself; `?after=` for the first time, from the newest entry on the page.
fn last_seen(headers: &HeaderMap, uri: &Uri) -> Result<Option<i64>, WebError> {
    let params = Params::of(uri);
    let text = headers.get("last-event-id").and_then(|value| value.to_str().ok()).or_else(|| params.get("after"));
    text.map(|text| text.trim().parse().map_err(|_| WebError::BadRequest("Last-Event-ID is the seq of a timeline entry.".to_owned())))
        .transpose()
}

fn open(doors: &Doors, caller: Caller, only: Option<(IncidentId, Number)>, last: Option<i64>) -> Result<Response, WebError> {
    let tail = doors.tail.clone();
    let Ok(place) = Arc::clone(&tail.0.readers).try_acquire_owned() else {
        return Err(WebError::Busy("Too many live streams are open. Try again in a few seconds."));
    };
    // Subscribed before the past is read: between the two nothing is missed, and what comes twice is told once.
    let news = tail.0.news.subscribe();
    let reader = StreamReader {
        news,
        over: tail.0.over.subscribe(),
        until: doors.now() + LIFE,
        viewer: caller.viewer,
        only,
        past: if last.is_some() { Past::ToFind } else { Past::Read },
        seen: last.unwrap_or(0),
        ready: VecDeque::new(),
        _place: place,
        tail,
    };
    let events = stream::unfold(reader, |mut reader| async move { reader.next().await.map(|event| (Ok::<_, Infallible>(event), reader)) });
    let alive = KeepAlive::new().interval(ALIVE_EVERY.as_duration()).event(Event::default().event("alive").data("{}"));
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    set(&mut response, header::CACHE_CONTROL, "no-store");
    // A proxy that gathers answers would hold events back.
    set(&mut response, header::HeaderName::from_static("x-accel-buffering"), "no");
    Ok(response)
}

/// One reader of the stream.
struct StreamReader {
    tail: Tail,
    news: broadcast::Receiver<Arc<News>>,
    over: watch::Receiver<bool>,
    until: Time,
    viewer: Viewer,
    only: Option<(IncidentId, Number)>,
    past: Past,
    /// The last number told, or that the reader said it had.
    seen: i64,
    ready: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// Whether the fact that the reader saw last is still there is not known yet.
    ToFind,
    ToRead,
    Read,
}

impl StreamReader {
    /// The next event; `None` ends the stream, and the reader comes back by itself.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            match self.past {
                Past::ToFind | Past::ToRead => {
                    if let Err(error) = self.read_past().await {
                        tracing::warn!(%error, "a stream cannot read what its reader missed");
                        return None;
                    }
                }
                Past::Read => {
                    let clock = &self.tail.0.house.clock;
                    let news = tokio::select! {
                        biased;
                        _ = self.over.wait_for(|over| *over) => return None,
                        () = clock.sleep_until(self.until) => return None,
                        news = self.news.recv() => news,
                    };
                    match news {
                        Ok(news) => self.take(&news),
                        // What was lost is on the page or in the timeline, not in this stream.
                        Err(RecvError::Lagged(_)) => self.ready.push_back(Event::default().event("reset").data("{}")),
                        Err(RecvError::Closed) => return None,
                    }
                }
            }
        }
    }

    async fn read_past(&mut self) -> Result<(), StoreError> {
        let reader = self.tail.0.house.store.reader();
        if self.past == Past::ToFind {
            self.past = Past::ToRead;
            if !reader.seq_is_known(self.seen).await? {
                // What came after it cannot be told from what was thrown away: the reader starts over, from here on.
                self.seen = reader.seq_last().await?;
                self.past = Past::Read;
                let data = format!(r#"{{"seq":{}}}"#, self.seen);
                self.ready.push_back(Event::default().event("reset").id(self.seen.to_string()).data(data));
                return Ok(());
            }
        }
        let number = self.only.as_ref().map(|(_, number)| *number);
        let rows = reader.facts_tail(&self.viewer, number, self.seen, PIECE).await?;
        let names = crate::render::line::Names::of(&self.tail.0.house.now_live().setup);
        for row in &rows {
            let news = self.tail.word(row, &names).await?;
            self.take(&news);
        }
        if rows.len() < usize::try_from(PIECE).unwrap_or(usize::MAX) {
            self.past = Past::Read;
        }
        Ok(())
    }

    fn take(&mut self, news: &News) {
        let is_wanted = self.only.as_ref().is_none_or(|(id, _)| *id == news.incident) && self.viewer.may_read();
        if news.seq <= self.seen {
            return;
        }
        self.seen = news.seq;
        if is_wanted {
            self.ready.push_back(Event::default().event("fact").id(news.seq.to_string()).data(&news.json));
        }
    }
}
