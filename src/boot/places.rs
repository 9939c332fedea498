//! Places for connections. One that only waits, or sends so slowly that it might as well, costs a few KiB; and when all places are taken
//! it is the first to leave, so that nobody who has something to say finds the doors shut.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;

use crate::base::limits;
use crate::base::metrics::Metrics;

/// All places of one listener.
#[derive(Clone)]
pub(super) struct Places(Arc<Hall>);

struct Hall {
    most: usize,
    taken: Mutex<BTreeMap<u64, Arc<Seat>>>,
    /// Counts what happens, so that it is known who has waited for longest.
    turn: AtomicU64,
    freed: Notify,
    metrics: Metrics,
}

struct Seat {
    /// Since which turn its client is waited for; [`AT_WORK`]: its request is all here, and is being answered.
    since: AtomicU64,
    leave: Notify,
}

const AT_WORK: u64 = 0;

/// Of all places, so many are freed together: to find who has waited for longest takes a look at all.
const FREED_AT_ONCE: usize = 64;

impl Places {
    pub(super) fn new(most: usize, metrics: Metrics) -> Self {
        let (taken, turn) = (Mutex::default(), AtomicU64::new(AT_WORK + 1));
        Self(Arc::new(Hall { most: most.max(1), taken, turn, freed: Notify::new(), metrics }))
    }

    /// A place, once there is one: while all are taken, those leave that have been waited for longest. Only where every single one is at
    /// work is there nothing to do but wait. Called by one task alone.
    pub(super) async fn take(&self) -> Place {
        loop {
            if let Some(place) = self.try_take() {
                return place;
            }
            self.0.freed.notified().await;
        }
    }

    fn try_take(&self) -> Option<Place> {
        let id = self.0.turn.fetch_add(1, Ordering::Relaxed);
        let mut taken = self.0.lock();
        if taken.len() < self.0.most {
            let seat = Arc::new(Seat { since: AtomicU64::new(id), leave: Notify::new() });
            taken.insert(id, Arc::clone(&seat));
            // The newest is for a connection that is still to come.
            self.0.metrics.connections(taken.len() - 1);
            return Some(Place { id, seat, hall: Arc::clone(&self.0) });
        }
        let mut waiting: Vec<(u64, &Arc<Seat>)> =
            taken.values().map(|seat| (seat.since.load(Ordering::Relaxed), seat)).filter(|(since, _)| *since != AT_WORK).collect();
        waiting.sort_unstable_by_key(|(since, _)| *since);
        for (_, seat) in waiting.into_iter().take(self.0.most.div_ceil(FREED_AT_ONCE)) {
            seat.leave.notify_one();
        }
        None
    }
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place, for as long as it is held.
pub(super) struct Place {
    id: u64,
    seat: Arc<Seat>,
    hall: Arc<Hall>,
}

impl Place {
    /// Comes when the place is wanted for somebody else.
    pub(super) async fn wanted(&self) {
        self.seat.leave.notified().await;
        self.hall.metrics.connection_given_up();
    }

    /// What the connection's requests and answers say of it.
    pub(super) fn manner(&self) -> Manner {
        Manner { seat: Arc::clone(&self.seat), hall: Arc::clone(&self.hall) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.hall.lock();
        taken.remove(&self.id);
        self.hall.metrics.connections(taken.len().saturating_sub(1));
        drop(taken);
        self.hall.freed.notify_one();
    }
}

/// Notes whether a connection works or waits.
#[derive(Clone)]
pub(super) struct Manner {
    seat: Arc<Seat>,
    hall: Arc<Hall>,
}

impl Manner {
    fn works(&self) {
        self.seat.since.store(AT_WORK, Ordering::Relaxed);
    }

    fn waits(&self) {
        self.seat.since.store(self.hall.turn.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// A request's body, at whose end the connection works.
    pub(super) fn receives(self, body: impl HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static) -> Body {
        if body.is_end_stream() {
            self.works();
            return Body::empty();
        }
        Body::new(Received { body, manner: self })
    }

    /// An answer's body; once it is away, the client is waited for again.
    pub(super) fn answers(self, body: Body) -> Body {
        Body::new(Answered { body, manner: self })
    }
}

struct Received<B> {
    body: B,
    manner: Manner,
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Received<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if self.body.is_end_stream() || matches!(polled, Poll::Ready(None)) {
            self.manner.works();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Answered {
    body: Body,
    manner: Manner,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.manner.waits();
    }
}

/// Takes as many file handles as the system allows this process at all: what a shell gives by default is far less.
pub(super) fn raise_handles() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, ?current, "the limit of file handles cannot be raised, so fewer connections can be held open");
    }
}

/// Half of the file handles that the system allows this process, so that strangers who hold connections open never keep the database and
/// the provider from theirs.
pub(super) fn connections_at_once() -> usize {
    let handles = getrlimit(Resource::Nofile).current;
    let half = handles.and_then(|handles| usize::try_from(handles / 2).ok()).unwrap_or(limits::CONNECTIONS);
    half.clamp(1, limits::CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::metrics::Calls;

    fn places(most: usize) -> Places {
        Places::new(most, Metrics::new(&Calls::default()))
    }

    /// Whether somebody wants the place; told at once.
    async fn is_wanted(place: &Place) -> bool {
        tokio::select! {
            biased;
            () = place.wanted() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn who_has_waited_for_longest_leaves_first_and_who_works_stays() {
        let places = places(3);
        let (first, second, third) = (places.take().await, places.take().await, places.take().await);
        second.manner().works();
        // Its request was answered: it has waited for a moment only.
        first.manner().works();
        first.manner().waits();
        assert!(places.try_take().is_none());
        assert_eq!((is_wanted(&first).await, is_wanted(&second).await, is_wanted(&third).await), (false, false, true));
        drop(third);
        let fourth = places.take().await;
        fourth.manner().works();
        assert!(places.try_take().is_none());
        assert!(is_wanted(&first).await && !is_wanted(&second).await && !is_wanted(&fourth).await);
    }

    #[tokio::test]
    async fn where_all_work_the_next_one_waits_for_one_to_end() {
        let places = places(1);
        let only = places.take().await;
        only.manner().works();
        let coming = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!coming.is_finished() && !is_wanted(&only).await);
        drop(only);
        drop(coming.await.expect("it comes"));
        assert!(places.0.lock().is_empty());
    }

    #[tokio::test]
    async fn a_request_works_from_its_bodys_end_until_its_answer_is_away() {
        use http_body_util::BodyExt as _;
        let places = places(1);
        let place = places.take().await;
        let since = || place.seat.since.load(Ordering::Relaxed);
        let body = place.manner().receives(http_body_util::Full::new(Bytes::from_static(b"{}")));
        assert_ne!(since(), AT_WORK, "its body is waited for");
        assert_eq!(body.collect().await.expect("a body").to_bytes(), "{}");
        assert_eq!(since(), AT_WORK);
        let answer = place.manner().answers(Body::from("told"));
        assert_eq!(HttpBody::size_hint(&answer).exact(), Some(4), "its length is known");
        assert_eq!(since(), AT_WORK);
        drop(answer);
        assert_ne!(since(), AT_WORK);
    }
}
