//! News of an attempt reaches its person's decision.

use super::house::House;
use super::{FlowError, act, wake};
use crate::base::id::AttemptId;
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
    let row = store::attempt_find(&house.store.reader(), attempt).await?.ok_or(FlowError::Missing("such attempt"))?;
    let mut tx = house.store.begin(WriteLane::Page).await?;
        let person = store::person_load(&mut tx, &row.user).await?;
    // What the provider told is true whoever holds the lease, so it is written even when the row is another's by now.
    match &news {
        News::Accepted { provider_id } => store::attempt_outcome(&mut tx, attempt, AttemptOutcome::Accepted, Some("twilio"), Some(provider_id), None).await?,
        News::Rejected { reason } => store::attempt_outcome(&mut tx, attempt, AttemptOutcome::Rejected, Some("twilio"), None, Some(reason)).await?,
        News::Unknown { reason } => store::attempt_outcome(&mut tx, attempt, AttemptOutcome::Unknown, Some("twilio"), None, Some(reason)).await?,
        News::Withdrawn { reason } => store::attempt_outcome(&mut tx, attempt, AttemptOutcome::Rejected, None, None, Some(reason)).await?,
        News::NotFound { .. } | News::Ringing | News::PickedUp | News::KeyPressed | News::Ended(_) => {}
    }
    let input = Input::Report(Report { attempt: attempt.clone(), news });
    let ring = wake::decide_on_person(house, &mut tx, person, &row.user, &input).await?;
    if let Some(row) = settles {
        store::outbox_settle(&mut tx, row).await?;
    }
    tx.commit().await?;
    ring(house);
    Ok(())
}
