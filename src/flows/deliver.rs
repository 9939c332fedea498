//! Every send: claimed by lease, checked, put on record as intent, sent, and its outcome recorded.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;

use super::house::{House, Live};
use super::shout::{self, Shout};
use super::write::Said;
use super::{FlowError, contact, report, save, write};
use crate::base::bell::Bell;
use crate::base::failpoint;
use crate::base::id::{AttemptId, ContactId, UserId};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::channels::{Channel, Outgoing, Question, Settled};
use crate::domain::effect::Effect;
pub use crate::domain::effect::Lane;
use crate::domain::input::{Actor, News};
use crate::domain::setup::{Contact, ContactKind, User};
use crate::store::{self, AttemptRow, ClosedContact, Intent, OutboxRow, WriteLane};

/// Claims what is due in a lane.
///
/// # Errors
/// The store's.
pub async fn claim(house: &House, lane: Lane, most: i64) -> Result<Vec<OutboxRow>, FlowError> {
    if lane == Lane::Page {
        house.page_lane.beat(house.clock.now());
    }
    let rows = store::outbox_claim(&house.store, lane, &house.owner, house.clock.now(), most).await?;
    if !rows.is_empty() {
        failpoint::reach(match lane {
            Lane::Page | Lane::Text | Lane::Mail | Lane::Direct | Lane::Hook => "send.claimed",
            Lane::Settle => "settle.claimed",
        });
    }
    Ok(rows)
}

/// What was claimed for this lane where it was decided.
#[must_use]
pub fn handed(house: &House, lane: Lane, most: i64) -> Vec<OutboxRow> {
    let rows = house.handed.take(lane, usize::try_from(most).unwrap_or(0));
    if !rows.is_empty() {
        failpoint::reach("send.claimed");
        if lane == Lane::Page {
            house.page_lane.beat(house.clock.now());
        }
    }
    rows
}

/// What rings when a lane has a new row.
#[must_use]
pub fn bell(house: &House, lane: Lane) -> &Bell {
    save::bell(house, lane)
}

/// When the next effect of a lane is due.
///
/// # Errors
/// The store's.
pub async fn next_due(house: &House, lane: Lane) -> Result<Option<Time>, FlowError> {
    Ok(store::outbox_next_due(&house.store.page_reader(), lane).await?)
}

/// Carries out one claimed effect, holding its lease while it takes.
///
/// # Errors
/// The store's. The effect stays in the outbox then, and is claimed again when the lease has passed; unless it is a page that would fail
/// again and again, which is told as refused, so that its person is reached in another way.
pub async fn deliver(house: &House, row: &OutboxRow) -> Result<(), FlowError> {
    let carried = AssertUnwindSafe(carry_out(house, row)).catch_unwind().await;
    let outcome = carried.unwrap_or(Err(FlowError::Panicked("a send")));
    match (&outcome, &row.effect) {
        (Err(error), Effect::PlacePage { attempt, .. }) if !error.is_passing() => {
            let before = store::attempt_find(&mut house.store.page_reader(), attempt).await?;
            if before.is_some_and(|before| before.sent_at.is_none() && before.outcome.is_none()) {
                tracing::error!(%error, %attempt, "a page cannot be made ready to leave, and another way is tried; please report this");
                let reason = "it could not be made ready to leave; the server's log says why";
                return report::report(house, attempt, rejected(reason), Some(row)).await;
            }
            outcome
        }
        (_, Effect::PlacePage { .. } | Effect::AskProvider { .. } | Effect::EndCall { .. }) => outcome,
    }
}

async fn carry_out(house: &House, row: &OutboxRow) -> Result<(), FlowError> {
    let work = async {
        match &row.effect {
            Effect::PlacePage { attempt, user, contact, second_call, .. } => {
                let call = Call { house, row, attempt, live: house.now_live() };
                call.place(user, contact.as_str(), *second_call).await
            }
            Effect::AskProvider { attempt, .. } => Call { house, row, attempt, live: house.now_live() }.ask().await,
            Effect::EndCall { attempt, .. } => Call { house, row, attempt, live: house.now_live() }.end().await,
        }
    };
    tokio::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return outcome,
            // Leases run in real time, whatever clock the decisions go by.
            () = tokio::time::sleep(limits::LEASE_RENEW.as_duration()) => renew(house, row),
        }
    }
}

/// In a task of its own: the work may hold, or be next in turn for, the very writer or row that this needs, and has to go on meanwhile.
fn renew(house: &House, row: &OutboxRow) {
    let (store, row) = (house.store.clone(), row.clone());
    tokio::spawn(async move {
        if let Err(error) = store::outbox_renew(&store, &row).await {
            tracing::warn!(%error, effect = %row.id, "the lease of a send could not be renewed");
        }
    });
}

/// One claimed effect on its way.
struct Call<'a> {
    house: &'a House,
    row: &'a OutboxRow,
    attempt: &'a AttemptId,
    live: Arc<Live>,
}

impl Call<'_> {
    async fn place(&self, user: &UserId, contact: &str, second_call: bool) -> Result<(), FlowError> {
        let before = self.row().await?;
        let shouted = || self.house.shouts.of(user, &ContactId::from(contact), &before, self.house.clock.now());
        if let Some(shout) = shouted() {
            return self.record(shout).await;
        }
        if before.sent_at.is_some() || before.outcome.is_some() {
            // Before all else: an account that is full with this very call would never let it be settled.
            return self.stopped_in_mid_send().await;
        }
        let Way { user, contact, channel, to } = match way(&self.live, user, contact) {
            Ok(way) => way,
            Err(reason) => return self.tell(rejected(&reason)).await,
        };
        let now = self.house.clock.now();
        let mut tx = self.house.store.begin(WriteLane::Page).await?;
        if shouted().is_some() {
            // It left while this waited for its turn to write.
            tx.rollback().await?;
            return self.release(now).await;
        }
        // The provider queues silently what comes too fast, so the pace is kept here, where what matters goes first.
        if let Some((account, every)) = self.live.pace(channel.kind()) {
            let free_at = store::pace_take(&mut tx, account, now, every).await?;
            if free_at > now {
                tx.rollback().await?;
                return self.release(free_at).await;
            }
        }
        // After the account's row is taken, so that of two sends at once the second counts the first.
        if channel.kind().is_call()
            && let Some(most) = self.live.concurrent_calls
            && store::attempts_under_way(&mut tx, channel.kind().name()).await? >= i64::from(most)
        {
            tx.rollback().await?;
            return self.release(now + limits::ACCOUNT_FULL).await;
        }
        match store::attempt_intent(&mut tx, self.attempt, now, &to).await? {
            Intent::Wanted(pages) => {
                let said = Said { attempt: self.attempt, user, pages: &pages, second_call };
                let content = write::content(self.house, &self.live, &mut tx, channel, &said).await?;
                failpoint::reach("send.before_intent");
                tx.commit().await?;
                failpoint::reach("send.intent");
                self.house.metrics.left(channel.kind().name(), self.house.clock.now().since(self.row.effect.due_at()));
                let sent = channel.send(&Outgoing { attempt: self.attempt.clone(), to: to.clone(), content }).await;
                failpoint::reach("send.sent");
                self.tell(sent.news).await?;
                failpoint::reach("send.recorded");
                if let Some(reason) = sent.closed {
                    let (user, contact, address) = (user.id.clone(), contact.id.clone(), to);
                    contact::close(self.house, &ClosedContact { user, contact, address, reason }, &Actor::Reveille).await?;
                }
                Ok(())
            }
            Intent::NotWanted => {
                drop(tx);
                self.tell(News::Withdrawn { reason: "nobody wanted it any more when it was to leave".to_owned() }).await
            }
            Intent::AlreadySent => {
                drop(tx);
                self.stopped_in_mid_send().await
            }
        }
    }

    /// An intent without an outcome: whoever wrote it did not come to tell what the provider said.
    async fn stopped_in_mid_send(&self) -> Result<(), FlowError> {
        self.tell(News::Unknown { reason: "the server stopped between the request and its answer".to_owned() }).await
    }

    /// It left while nothing could be written, and is put on record now, as if it had just been sent.
    async fn record(&self, shout: Shout) -> Result<(), FlowError> {
        let row = self.row().await?;
        let Some(news) = shout.news.clone() else {
            return self.release(self.house.clock.now() + limits::SHOUT_EVERY).await;
        };
        let mut tx = self.house.store.begin(WriteLane::Page).await?;
        match store::attempt_intent(&mut tx, self.attempt, shout.sent_at, &shout.to).await? {
            Intent::Wanted(_) => tx.commit().await?,
            // What has left has left: the news of it ends a call that nobody wants.
            Intent::NotWanted | Intent::AlreadySent => tx.rollback().await?,
        }
        self.tell(news).await?;
        self.house.shouts.recorded(&row.user, &row.contact, &shout);
        shout::note(self.house, &row.user, &row.contact, &shout).await
    }

    async fn ask(&self) -> Result<(), FlowError> {
        let row = self.row().await?;
        let Some(channel) = self.live.channels.named(&row.channel) else {
            return self.tell(News::NotFound { reason: "no provider is configured to be asked".to_owned() }).await;
        };
        let news = match (&row.provider_id, &row.sent_at) {
            (Some(id), _) => match channel.status(id).await {
                Ok(news) => news,
                Err(reason) => News::NotFound { reason },
            },
            (None, None) => News::NotFound { reason: "it never left".to_owned() },
            (None, Some(sent_at)) => {
                let to = row.sent_to.clone().unwrap_or_default();
                let known = store::attempt_provider_ids_known(&self.house.store.page_reader(), &to, *sent_at - Span::hours(1)).await?;
                failpoint::reach("ask.asking");
                let settled = channel.ask(&Question { to, sent_at: *sent_at, text: row.sent_text.clone(), known }).await;
                failpoint::reach("ask.asked");
                match settled {
                    Settled::Found { provider_id, news } => {
                        report::report(self.house, self.attempt, News::Accepted { provider_id }, None).await?;
                        news
                    }
                    Settled::NotFound => News::NotFound { reason: "the provider's list does not have it".to_owned() },
                    Settled::CouldNotAsk(reason) => News::NotFound { reason },
                }
            }
        };
        self.tell(news).await?;
        failpoint::reach("ask.recorded");
        Ok(())
    }

    async fn end(&self) -> Result<(), FlowError> {
        let row = self.row().await?;
        failpoint::reach("end.ending");
        let ended = match (row.provider_id.as_deref(), self.live.channels.named(&row.channel)) {
            (Some(id), Some(channel)) => channel.end(id).await,
            (None, _) | (_, None) => Ok(()),
        };
        failpoint::reach("end.ended");
        match ended {
            Err(reason) if self.row.tries < limits::END_TRIES => {
                tracing::warn!(attempt = %self.attempt, %reason, "a call that nobody wants could not be ended; it is tried again");
                let again = self.house.clock.now() + Span::seconds(2);
                self.release(again).await?;
            }
            Err(_) | Ok(()) => {
                let mut tx = self.house.store.begin(WriteLane::Page).await?;
                store::outbox_settle(&mut tx, self.row).await?;
                tx.commit().await?;
                failpoint::reach("end.settled");
            }
        }
        Ok(())
    }

    /// Puts the effect back, to be claimed again later.
    async fn release(&self, due_at: Time) -> Result<(), FlowError> {
        let mut tx = self.house.store.begin(WriteLane::Page).await?;
        store::outbox_release(&mut tx, self.row, due_at).await?;
        tx.commit().await?;
        bell(self.house, self.row.effect.lane()).ring();
        Ok(())
    }

    async fn row(&self) -> Result<AttemptRow, FlowError> {
        store::attempt_find(&mut self.house.store.page_reader(), self.attempt).await?.ok_or(FlowError::Missing("such attempt"))
    }

    /// Tells the person's decision, and settles the effect in the same transaction.
    async fn tell(&self, news: News) -> Result<(), FlowError> {
        report::report(self.house, self.attempt, news, Some(self.row)).await
    }
}

/// How one contact of a person is reached.
pub(super) struct Way<'a> {
    pub user: &'a User,
    pub contact: &'a Contact,
    pub channel: &'a dyn Channel,
    pub to: String,
}

/// The way to one contact as things are configured now; a sentence where there is none.
pub(super) fn way<'a>(live: &'a Live, user: &UserId, contact: &str) -> Result<Way<'a>, String> {
    let user = live.setup.users.get(user);
    let found = user.and_then(|user| Some((user, user.contacts.iter().find(|own| own.id.as_str() == contact)?)));
    let (user, contact) = found.ok_or("this contact is not configured any more")?;
    if let Some(reason) = &contact.closed {
        return Err(format!("this contact is closed: {reason}"));
    }
    // A direct message goes to the person's id in Slack.
    let to = if contact.kind == ContactKind::SlackDm { user.slack.clone().unwrap_or_default() } else { contact.to.clone() };
    if to.is_empty() {
        return Err("this person has no id in Slack".to_owned());
    }
    let channel = live.channels.find(contact.kind).ok_or_else(|| format!("no provider is configured for {}", contact.kind.name()))?;
    Ok(Way { user, contact, channel, to })
}

fn rejected(reason: &str) -> News {
    News::Rejected { reason: reason.to_owned() }
}

impl Live {
    /// What a kind of contact is paced by, and the least span between two of it; a provider's calls and texts have a pace each.
    pub(super) fn pace(&self, kind: ContactKind) -> Option<(&'static str, Span)> {
        let every = |per_second: u32| Span(1_000_000 / i64::from(per_second.max(1)));
        match kind {
            ContactKind::Voice => Some(("twilio", every(self.calls_per_second))),
            ContactKind::Sms => Some(("twilio/texts", every(self.texts_per_second))),
            ContactKind::Email | ContactKind::SlackDm | ContactKind::Webhook => None,
        }
    }
}
