//! News of an attempt reaches its person's decision.

use super::house::House;
use super::{FlowError, act, wake};
use crate::base::failpoint;
use crate::base::id::AttemptId;
use crate::channels::Channel;
use crate::domain::input::{Input, News, Report};
use crate::store::{self, AttemptOutcome, OutboxRow, WriteLane};

/// Takes news of an attempt. `settles` is the outbox row that this news is the end of; a row that is no longer ours stays.
///
/// # Errors
/// The store's, and [`FlowError::Missing`] for an attempt nobody knows.
pub async fn report(house: &House, attempt: &AttemptId, news: News, settles: Option<&OutboxRow>) -> Result<(), FlowError> {
    act::retrying(|| once(house, attempt, news.clone(), settles)).await
}

async fn once(house: &House, attempt: &AttemptId, news: News, settles: Option<&OutboxRow>) -> Result<(), FlowError> {
    let row = store::attempt_find(&mut house.store.page_reader(), attempt).await?.ok_or(FlowError::Missing("such attempt"))?;
    let mut tx = house.store.begin(WriteLane::Page).await?;
    let person = store::person_load(&mut tx, &row.user).await?;
    // What the provider told is true whoever holds the lease, so it is written even when the row is another's by now.
    let outcome = match &news {
        News::Accepted { provider_id } => Some((AttemptOutcome::Accepted, Some(provider_id.as_str()), None)),
        News::Rejected { reason } | News::Withdrawn { reason } => Some((AttemptOutcome::Rejected, None, Some(reason.as_str()))),
        News::Unknown { reason } => Some((AttemptOutcome::Unknown, None, Some(reason.as_str()))),
        News::NotFound { .. }
        | News::Delivered
        | News::Undelivered { .. }
        | News::Ringing
        | News::PickedUp
        | News::KeyPressed
        | News::Ended(_) => None,
    };
    let mut counted = None;
    if let Some((outcome, provider_id, reason)) = outcome {
        let live = house.now_live();
        let provider = live.channels.named(&row.channel).map(Channel::provider);
        // The callback and the answer of one request tell the same, in either order; it is counted once.
        if store::attempt_outcome(&mut tx, attempt, outcome, provider, provider_id, reason).await? {
            counted = Some((provider, outcome.name()));
        }
    }
    let input = Input::Report(Report { attempt: attempt.clone(), news });
    let ring = wake::decide_on_person(house, &mut tx, person, &row.user, &input).await?;
    if let Some(row) = settles {
        store::outbox_settle(&mut tx, row).await?;
    }
    failpoint::reach("report.before_commit");
    tx.commit().await?;
    failpoint::reach("report.committed");
    if let Some((provider, outcome)) = counted {
        house.metrics.attempt(&row.channel, provider, outcome);
    }
    ring(house);
    Ok(())
}
