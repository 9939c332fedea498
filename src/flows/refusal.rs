//! Messages that were refused for what they did not show beside their key: counted here, so that a rotated secret does not eat alerts
//! behind everybody's back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::house::House;
use super::ingest::{Door, IngestError};
use crate::base::id::IntegrationId;
use crate::base::inbound::Inbound;
use crate::base::time::Time;
pub use crate::sources::proof::Flaw;

/// What senders were refused since this process started. Clones share it. Its size is bounded by the configuration: an integration asks
/// for few things, each of which is wrong in three ways.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<IntegrationId, BTreeMap<Flaw, Refused>>>>);

/// How often the same was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    pub n: u64,
    pub first_at: Time,
    pub last_at: Time,
}

impl Refusals {
    fn note(&self, integration: &IntegrationId, flaw: &Flaw, now: Time) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = all.entry(integration.clone()).or_default().entry(flaw.clone());
        let refused = refused.or_insert(Refused { n: 0, first_at: now, last_at: now });
        refused.n += 1;
        refused.last_at = now;
    }

    /// What was wrong with this integration's messages.
    #[must_use]
    pub fn of(&self, integration: &IntegrationId) -> Vec<(Flaw, Refused)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(integration).into_iter().flatten().map(|(flaw, refused)| (flaw.clone(), *refused)).collect()
    }
}

/// Whether a message shows everything that its integration asks for beside the key. What does not is counted, and not stored.
///
/// # Errors
/// [`IngestError::Unproven`].
pub fn admit(house: &House, door: &Door, inbound: &Inbound) -> Result<(), IngestError> {
    let live = house.now_live();
    for proof in live.proofs.get(&door.integration.id).into_iter().flatten() {
        if let Err(flaw) = proof.check(door.source.signature(), inbound) {
            let integration = &door.integration.id;
            house.metrics.hook_refused(integration.as_str(), flaw.why.name());
            house.refusals.note(integration, &flaw, house.clock.now());
            tracing::warn!(%integration, %flaw, "a message was refused");
            return Err(IngestError::Unproven(flaw));
        }
    }
    Ok(())
}
