//! Pages while nothing can be written: the disk is full, and the room that was kept for it is gone too.
//!
//! What is due is decided as always, in one transaction that is given up in the end: an end that is never written needs no room. The pages
//! that came of it leave without their intent, and are remembered here until the store writes again. Then the same is decided once more,
//! for good, and the courier of each page records what had left instead of sending it again.
//!
//! An answer cannot be stored either: whoever presses a key hears that it was not taken, and is called again. Should the process be killed
//! before there is room, what it remembered is gone, and the pages leave once more.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;

use super::deliver::{self, Way};
use super::house::{House, Live};
use super::write::{self, Said};
use super::{FlowError, act, wake};
use crate::base::bell::Bell;
use crate::base::clock::Clock;
use crate::base::id::{AttemptId, ContactId, IncidentId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::channels::Outgoing;
use crate::domain::effect::{Effect, PageOf};
use crate::domain::fact::What;
use crate::domain::input::{Input, News, Report};
use crate::domain::setup::ContactKind;
use crate::store::{self, AttemptRow, Intent, Tx, WriteLane};

/// What left while nothing could be written, by whom and what it reached. Clones share it.
#[derive(Clone, Default)]
pub struct Shouts(Arc<Mutex<BTreeMap<(UserId, ContactId), Shout>>>);

/// The last page that left for one contact without its intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shout {
    pub attempt: AttemptId,
    pub to: String,
    pub sent_at: Time,
    /// How often one left, this time included.
    pub times: u32,
    pub incidents: BTreeSet<IncidentId>,
    /// What the provider said; `None` while it is on its way.
    pub news: Option<News>,
}

impl Shout {
    /// When the same contact may be paged again, if nobody has answered: as often as a telephone rings anyway.
    fn again_at(&self) -> Time {
        let refused = matches!(self.news, Some(News::Rejected { .. }));
        self.sent_at + if refused { limits::RETRY_MOST } else { limits::CHAIN_EVERY }
    }

    /// Whether it is what this attempt is to send: it is this very attempt, or it has just said all of it.
    fn speaks_for(&self, attempt: &AttemptId, pages: &[PageOf], now: Time) -> bool {
        let says_all = !pages.is_empty() && pages.iter().all(|of| self.incidents.contains(&of.incident));
        &self.attempt == attempt || (says_all && now < self.sent_at + limits::CHAIN_EVERY)
    }
}

impl Shouts {
    fn all(&self) -> MutexGuard<'_, BTreeMap<(UserId, ContactId), Shout>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    /// The shout that has sent what this attempt is to send.
    pub(super) fn of(&self, user: &UserId, contact: &ContactId, attempt: &AttemptRow, now: Time) -> Option<Shout> {
        let key = (user.clone(), contact.clone());
        self.all().get(&key).filter(|shout| shout.speaks_for(&attempt.id, &attempt.pages, now)).cloned()
    }

    /// Whose telephone this attempt has left for, while it is known to nobody else.
    pub(super) fn user_of(&self, attempt: &AttemptId) -> Option<UserId> {
        self.all().iter().find(|(_, shout)| &shout.attempt == attempt).map(|((user, _), _)| user.clone())
    }

    /// Forgets one that was recorded; not one that has left since.
    pub(super) fn recorded(&self, user: &UserId, contact: &ContactId, shout: &Shout) {
        let (key, mut all) = ((user.clone(), contact.clone()), self.all());
        if all.get(&key).is_some_and(|last| last.times == shout.times) {
            all.remove(&key);
        }
    }

    /// What was last said of this contact, where that is to wait.
    fn holds_back(&self, user: &UserId, contact: &ContactId, now: Time) -> Option<Shout> {
        self.all().get(&(user.clone(), contact.clone())).filter(|shout| now < shout.again_at()).cloned()
    }

    /// Remembers one that is about to leave. `false`: there are too many.
    fn leaves(&self, user: &UserId, contact: &ContactId, shout: Shout) -> bool {
        let (key, mut all) = ((user.clone(), contact.clone()), self.all());
        if all.len() >= limits::SHOUTS && !all.contains_key(&key) {
            return false;
        }
        let times = all.get(&key).map_or(0, |last| last.times) + shout.times;
        all.insert(key, Shout { times, ..shout });
        true
    }

    fn told(&self, user: &UserId, contact: &ContactId, attempt: &AttemptId, news: News) {
        if let Some(shout) = self.all().get_mut(&(user.clone(), contact.clone())).filter(|shout| &shout.attempt == attempt) {
            shout.news = Some(news);
        }
    }

    /// Those that no courier has come for.
    fn left_over(&self, now: Time) -> Vec<((UserId, ContactId), Shout)> {
        let all = self.all();
        all.iter().filter(|(_, shout)| now > shout.sent_at + limits::SHOUT_TOLD).map(|(key, shout)| (key.clone(), shout.clone())).collect()
    }
}

/// What rings when nothing could be written for want of room.
#[must_use]
pub fn bell(house: &House) -> &Bell {
    house.store.no_room()
}

/// Sends what is due and cannot be put on record, each contact as often as its telephone may ring. `since` is when it began that nothing
/// could be written. The number that left.
///
/// # Errors
/// The store's, when it cannot even be read.
pub async fn shout(house: &House, since: Time) -> Result<usize, FlowError> {
    let live = house.now_live();
    let mut tx = house.store.begin(WriteLane::Page).await?;
    let mut leaving = Vec::new();
    let decided = decide(house, &live, &mut tx, since, &mut leaving).await;
    // What leaves is remembered by now, so that the next who writes finds it.
    tx.rollback().await.unwrap_or_else(|error| tracing::warn!(%error, "what was decided without room was given up with its connection"));
    let many = leaving.len();
    for (n, Leaving { user, contact, kind, outgoing }) in (0_i64..).zip(leaving) {
        let (house, live) = (house.clone(), Arc::clone(&live));
        let turn = live.pace(kind).map_or(Span::ZERO, |(_, every)| Span(every.0 * n));
        tokio::spawn(async move {
            house.clock.sleep(turn).await;
            let news = match live.channels.find(kind) {
                Some(channel) => channel.send(&outgoing).await.news,
                None => News::Rejected { reason: format!("no provider is configured for {}", kind.name()) },
            };
            tracing::error!(%user, %contact, attempt = %outgoing.attempt, ?news, "a page left without a record: the disk is full. Make room now");
            house.shouts.told(&user, &contact, &outgoing.attempt, news);
        });
    }
    decided.map(|()| many)
}

/// A page without an intent, about to leave.
struct Leaving {
    user: UserId,
    contact: ContactId,
    kind: ContactKind,
    outgoing: Outgoing,
}

async fn decide(house: &House, live: &Live, tx: &mut Tx, since: Time, leaving: &mut Vec<Leaving>) -> Result<(), FlowError> {
    let now = house.clock.now();
    let mut refused: BTreeSet<AttemptId> = BTreeSet::new();
    let mut failed = BTreeSet::new();
    loop {
        // Each at the moment at which it was due: an escalation goes on from step to step while nothing of it is kept.
        for _ in 0..limits::SHOUT_WAKES {
            let most = i64::try_from(failed.len()).unwrap_or(i64::MAX).saturating_add(1);
            let due = store::wakes_due_in(tx, now, most).await?;
            let Some((scope, timer, due_at)) = due.into_iter().find(|(scope, timer, _)| !failed.contains(&(scope.clone(), *timer))) else {
                break;
            };
            let then = House { clock: Clock::fake(due_at.max(since).min(now)), ..house.clone() };
            let woken = AssertUnwindSafe(wake::carry_out(&then, tx, &scope, timer)).catch_unwind().await;
            if !matches!(woken, Ok(Ok(Some(_)))) {
                tracing::error!(?scope, timer = timer.name(), "a wake-up could not be decided without room");
                failed.insert((scope, timer));
            }
        }
        let mut moved_on = false;
        for effect in store::outbox_pages_due(tx, now, i64::try_from(limits::SHOUTS).unwrap_or(i64::MAX)).await? {
            let Effect::PlacePage { attempt, user, contact, second_call, .. } = &effect else { continue };
            match house.shouts.holds_back(user, contact, now) {
                // Refused: the next way is tried, as it would be with room.
                Some(Shout { news: Some(News::Rejected { reason }), .. }) if refused.insert(attempt.clone()) => {
                    let report = Input::Report(Report { attempt: attempt.clone(), news: News::Rejected { reason } });
                    let person = store::person_load(tx, user).await?;
                    drop(wake::decide_on_person(house, tx, person, user, &report).await?);
                    moved_on = true;
                }
                Some(_) => {}
                None => leaving.extend(leave(house, live, tx, attempt, (user, contact), *second_call).await?),
            }
        }
        if !moved_on {
            return Ok(());
        }
    }
}

/// One page, made ready and remembered. `None`: nobody wants it any more, or there is no way to send it.
async fn leave(
    house: &House,
    live: &Live,
    tx: &mut Tx,
    attempt: &AttemptId,
    (user, contact): (&UserId, &ContactId),
    second_call: bool,
) -> Result<Option<Leaving>, FlowError> {
    let Way { user, contact, channel, to } = match deliver::way(live, user, contact.as_str()) {
        Ok(way) => way,
        Err(reason) => {
            tracing::warn!(%attempt, reason, "a page has no way out");
            return Ok(None);
        }
    };
    let sent_at = house.clock.now();
    let Intent::Wanted(pages) = store::attempt_intent(tx, attempt, sent_at, &to).await? else { return Ok(None) };
    let said = Said { attempt, user, pages: &pages, second_call };
    let content = write::content(house, live, tx, channel, &said).await?;
    let incidents = pages.into_iter().map(|of| of.incident).collect();
    let shout = Shout { attempt: attempt.clone(), to: to.clone(), sent_at, times: 1, incidents, news: None };
    if !house.shouts.leaves(&user.id, &contact.id, shout) {
        tracing::error!(%attempt, most = limits::SHOUTS, "a page stays behind: too many have left without a record");
        return Ok(None);
    }
    let outgoing = Outgoing { attempt: attempt.clone(), to, content };
    Ok(Some(Leaving { user: user.id.clone(), contact: contact.id.clone(), kind: contact.kind, outgoing }))
}

/// Tells in the timelines what left and was recorded by no attempt: its page was over when there was room again.
///
/// # Errors
/// The store's; what was not told is kept.
pub async fn tell(house: &House) -> Result<(), FlowError> {
    for ((user, contact), shout) in house.shouts.left_over(house.clock.now()) {
        note(house, &user, &contact, &shout).await?;
        house.shouts.recorded(&user, &contact, &shout);
    }
    Ok(())
}

/// A line in the timeline of every incident that it spoke of.
///
/// # Errors
/// The store's.
pub(super) async fn note(house: &House, user: &UserId, contact: &ContactId, shout: &Shout) -> Result<(), FlowError> {
    let times = if shout.times == 1 { "once".to_owned() } else { format!("{} times", shout.times) };
    let text = format!(
        "{user} was paged by {contact} {times} while the disk was full and nothing could be written, last at {}",
        shout.sent_at.rfc3339()
    );
    for incident in &shout.incidents {
        act::record(house, incident, What::NoteAdded { text: text.clone(), at: Some(shout.sent_at) }).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::PageId;

    fn shouted(attempt: &str, sent_at: i64, incidents: &[&str]) -> Shout {
        Shout {
            attempt: AttemptId::from_text(attempt),
            to: "+33100000001".to_owned(),
            sent_at: Time::from_seconds(sent_at),
            times: 1,
            incidents: incidents.iter().map(|id| IncidentId::from_text(*id)).collect(),
            news: None,
        }
    }

    fn pages(incidents: &[&str]) -> Vec<PageOf> {
        incidents.iter().map(|id| PageOf { page: PageId::from_text(format!("pag_{id}")), incident: IncidentId::from_text(*id) }).collect()
    }

    #[test]
    fn what_has_left_stands_for_the_attempt_that_says_no_more_than_it() {
        let shout = shouted("att_1", 1_000, &["inc_1", "inc_2"]);
        let speaks = |attempt: &str, incidents: &[&str], at: i64| {
            shout.speaks_for(&AttemptId::from_text(attempt), &pages(incidents), Time::from_seconds(at))
        };
        assert!(speaks("att_2", &["inc_2"], 1_100) && speaks("att_2", &["inc_1", "inc_2"], 1_179));
        assert!(!speaks("att_2", &["inc_1", "inc_3"], 1_001), "it said nothing of the third");
        assert!(!speaks("att_2", &["inc_1"], 1_180), "the telephone may ring again by then");
        assert!(!speaks("att_2", &[], 1_001));
        assert!(speaks("att_1", &["inc_3"], 9_000), "its own attempt has left, whatever it said");
    }

    #[test]
    fn a_contact_rings_again_after_a_while_and_is_forgotten_once_recorded() {
        let (shouts, ana, phone) = (Shouts::default(), UserId::from("ana"), ContactId::from("phone"));
        let now = Time::from_seconds;
        assert!(shouts.leaves(&ana, &phone, shouted("att_1", 1_000, &["inc_1"])));
        assert!(shouts.holds_back(&ana, &phone, now(1_179)).is_some() && shouts.holds_back(&ana, &phone, now(1_180)).is_none());
        shouts.told(&ana, &phone, &AttemptId::from_text("att_1"), News::Rejected { reason: "busy".to_owned() });
        assert!(shouts.holds_back(&ana, &phone, now(1_060)).is_none(), "a refusal is tried again sooner");
        let first = shouts.all().values().next().expect("one").clone();
        assert!(shouts.leaves(&ana, &phone, shouted("att_2", 1_060, &["inc_1"])));
        shouts.recorded(&ana, &phone, &first);
        let [(_, second)] = shouts.left_over(now(9_000)).try_into().expect("the later one is kept");
        assert_eq!((second.times, second.news.clone()), (2, None));
        assert!(shouts.left_over(now(1_070)).is_empty(), "its courier may still come");
        shouts.recorded(&ana, &phone, &second);
        assert!(shouts.is_empty());
    }

    #[test]
    fn there_is_a_bound_to_what_is_remembered() {
        let (shouts, phone) = (Shouts::default(), ContactId::from("phone"));
        let person = |n: usize| UserId::from(format!("user{n}").as_str());
        for n in 0..limits::SHOUTS {
            assert!(shouts.leaves(&person(n), &phone, shouted("att_1", 0, &["inc_1"])));
        }
        assert!(!shouts.leaves(&person(limits::SHOUTS), &phone, shouted("att_1", 0, &["inc_1"])));
        assert!(shouts.leaves(&person(0), &phone, shouted("att_1", 9, &["inc_1"])), "one who is remembered anyway");
    }
}
