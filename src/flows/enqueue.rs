//! An event in PagerDuty's words becomes durable: its key is in its body, and what is wrong with it is said in PagerDuty's words.

use super::house::House;
use super::ingest::{self, IngestError};
use crate::base::failpoint;
use crate::base::inbound::Inbound;
use crate::sources::pagerduty::{self, Envelope};

pub use crate::sources::pagerduty::Api;

/// Why an event was not taken as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnqueueError {
    /// The body is no event at all; whose it is cannot be told.
    #[error("the event is no object of JSON: {0}")]
    Unrecognised(String),
    /// One sentence for each thing that is wrong. With a key that is right it is an alert all the same.
    #[error("the event is invalid: {}", .0.join(", "))]
    Invalid(Vec<String>),
    /// Nothing was stored; the sender must try again.
    #[error("nothing can be stored just now")]
    CannotStore,
}

/// Makes an event durable; the answer is its dedup key, which a change has not.
///
/// # Errors
/// As [`EnqueueError`] says.
pub async fn enqueue(house: &House, api: Api, inbound: &Inbound) -> Result<Option<String>, EnqueueError> {
    let envelope = Envelope::open(api, inbound).map_err(EnqueueError::Unrecognised)?;
    let field = envelope.key_field();
    let key = envelope.key().ok_or_else(|| EnqueueError::Invalid(vec![format!("'{field}' is missing or blank")]))?;
    let door = ingest::open(house, "pagerduty", &key)
        .map_err(|_| EnqueueError::Invalid(vec![format!("'{field}' is invalid: no integration of the source pagerduty has this key")]))?;
    failpoint::reach("intake.read");
    let integration = &door.integration;
    let (signal, told) = match envelope.read(integration) {
        Ok(event) => (event.signal, Ok(event.dedup_key)),
        Err(wrong) => (pagerduty::invalid(integration, &wrong), Err(EnqueueError::Invalid(wrong))),
    };
    match ingest::accept(house, integration, vec![signal], inbound.body.clone(), None).await {
        Ok(_) => told,
        Err(IngestError::CannotStore | IngestError::UnknownKey) => Err(EnqueueError::CannotStore),
    }
}
