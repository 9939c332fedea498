//! The one place that reads the wall clock. Everything else is given a [`Clock`], and tests give one they can move.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::time::{Span, Time};

/// Tells the time and waits for it: the machine's clock in service, a hand-moved one in tests.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    System,
    Fake(Arc<Mutex<Fake>>),
}

#[derive(Debug)]
struct Fake {
    now: Time,
    next_id: u64,
    sleepers: BTreeMap<(Time, u64), oneshot::Sender<()>>,
}

fn lock(fake: &Mutex<Fake>) -> MutexGuard<'_, Fake> {
    fake.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clock {
    #[must_use]
    pub const fn system() -> Self {
        Self(Kind::System)
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn fake(start: Time) -> Self {
        Self(Kind::Fake(Arc::new(Mutex::new(Fake { now: start, next_id: 0, sleepers: BTreeMap::new() }))))
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the file that may read the wall clock")]
    pub fn now(&self) -> Time {
        match &self.0 {
            Kind::System => Time(
                std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)),
            ),
            Kind::Fake(fake) => lock(fake).now,
        }
    }

    /// Returns at `due`, or at once when `due` is past. Dropping the future gives up the wait.
    pub async fn sleep_until(&self, due: Time) {
        match &self.0 {
            Kind::System => loop {
                // Bounded naps, so that a clock set back or forward by the operator is noticed.
                let left = due.since(self.now());
                if left <= Span::ZERO {
                    return;
                }
                tokio::time::sleep(left.min(Span::seconds(30)).as_duration()).await;
            },
            Kind::Fake(fake) => {
                let (woken, key) = {
                    let mut fake = lock(fake);
                    if fake.now >= due {
                        return;
                    }
                    let (wake, woken) = oneshot::channel();
                    let key = (due, fake.next_id);
                    fake.next_id += 1;
                    fake.sleepers.insert(key, wake);
                    (woken, key)
                };
                let _leave = Leave { fake, key };
                // The sender is dropped only when the clock itself is; then nothing will ever wake this.
                if woken.await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Returns after `span`. A clock that is set meanwhile makes it neither longer nor shorter.
    pub async fn sleep(&self, span: Span) {
        match &self.0 {
            Kind::System => tokio::time::sleep(span.as_duration()).await,
            Kind::Fake(_) => self.sleep_until(self.now() + span).await,
        }
    }

    /// The future's value, or `None` when `limit` passes first.
    pub async fn timeout<F: Future>(&self, limit: Span, work: F) -> Option<F::Output> {
        tokio::select! {
            biased;
            value = work => Some(value),
            () = self.sleep(limit) => None,
        }
    }

    /// Moves a fake clock to `to` and wakes whoever is due, earliest first.
    ///
    /// # Panics
    /// On the system clock, or backwards: both are mistakes of a test.
    pub fn advance_to(&self, to: Time) {
        let Kind::Fake(fake) = &self.0 else { panic!("only a fake clock can be moved") };
        let mut fake = lock(fake);
        assert!(to >= fake.now, "a clock does not run backwards");
        fake.now = to;
        while let Some(first) = fake.sleepers.first_entry() {
            if first.key().0 > to {
                break;
            }
            // A sleeper that has gone no longer listens; that is its own affair.
            first.remove().send(()).unwrap_or(());
        }
    }

    /// When the next sleeper of a fake clock is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        match &self.0 {
            Kind::System => None,
            Kind::Fake(fake) => lock(fake).sleepers.first_key_value().map(|((due, _), _)| *due),
        }
    }
}

/// Tells how much real time has passed, whatever clock the decisions go by: leases run in it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the file that may read a clock")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    #[must_use]
    pub fn passed(self) -> Span {
        Span(i64::try_from(self.0.elapsed().as_micros()).unwrap_or(i64::MAX))
    }
}

/// Takes a sleeper out of the clock when its future is dropped before the time came.
struct Leave<'a> {
    fake: &'a Mutex<Fake>,
    key: (Time, u64),
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        lock(self.fake).sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_fake_clock_wakes_sleepers_when_it_reaches_them() {
        let clock = Clock::fake(Time(0));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep(Span::minutes(5)).await }
        });
        while clock.next_deadline().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance_to(Time(0) + Span::seconds(299));
        assert!(!sleeper.is_finished());
        clock.advance_to(Time(0) + Span::seconds(300));
        sleeper.await.expect("the sleeper wakes");
        assert_eq!(clock.next_deadline(), None);
    }

    #[tokio::test]
    async fn a_dropped_wait_leaves_nothing_behind() {
        let clock = Clock::fake(Time(0));
        assert_eq!(clock.timeout(Span::seconds(1), async { 7 }).await, Some(7));
        assert_eq!(clock.next_deadline(), None);
    }
}
