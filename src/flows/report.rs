//! News of an attempt reaches its person's decision.

use super::house::House;
use super::{FlowError, act, wake};
use crate::base::id::{AttemptId, EffectId};
use crate::domain::input::{Input, News, Report};
use crate::store::WriteLane;

/// Takes news of an attempt. `settles` is the outbox row that this news is the end of; a row that is no longer ours stays.
///
/// # Errors
/// The store's, and [`FlowError::Missing`] for an attempt nobody knows.
pub async fn report(house: &House, attempt: &AttemptId, news: News, settles: Option<&EffectId>) -> Result<(), FlowError> {
    act::retrying(|| once(house, attempt, news.clone(), settles)).await
}

async fn once(house: &House, attempt: &AttemptId, news: News, settles: Option<&EffectId>) -> Result<(), FlowError> {
    let row = house.store.reader().attempt_find(attempt).await?.ok_or(FlowError::Missing("such attempt"))?;
    let mut tx = house.store.begin(WriteLane::Page).await?;
    tx.person_lock(&row.user).await?;
    let person = tx.person_load(&row.user).await?;
    // What the provider told is true whoever holds the lease, so it is written even when the row is another's by now.
    match &news {
        News::Accepted { provider_id } => tx.attempt_outcome(attempt, "accepted", Some("twilio"), Some(provider_id), None).await?,
        News::Rejected { reason } => tx.attempt_outcome(attempt, "rejected", Some("twilio"), None, Some(reason)).await?,
        News::Unknown { reason } => tx.attempt_outcome(attempt, "unknown", Some("twilio"), None, Some(reason)).await?,
        News::Withdrawn { reason } => tx.attempt_outcome(attempt, "rejected", None, None, Some(reason)).await?,
        News::NotFound { .. } | News::Ringing | News::PickedUp | News::KeyPressed | News::Ended(_) => {}
    }
    let input = Input::Report(Report { attempt: attempt.clone(), news });
    let ring = wake::decide_on_person(house, &mut tx, person, &row.user, &input).await?;
    if let Some(effect) = settles {
        tx.outbox_settle(effect, &house.owner).await?;
    }
    tx.commit().await?;
    ring(house);
    Ok(())
}
