//! An event in PagerDuty's words becomes durable: its key is in its body, and what is wrong with it is said in PagerDuty's words.

use bytes::Bytes;

use super::house::House;
use super::ingest::{self, Door, IngestError};
use super::refusal::{self, Flaw};
use crate::base::failpoint;
use crate::base::inbound::Inbound;
use crate::domain::input::Signal;
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
    /// It does not show what its integration asks for beside the key. Nothing was stored.
    #[error("{0}: {advice}", advice = .0.advice())]
    Unproven(Flaw),
    /// Nothing was stored; the sender must try again.
    #[error("nothing can be stored just now")]
    CannotStore,
}

/// Makes an event durable; the answer is its dedup key, which a change has not.
///
/// # Errors
/// As [`EnqueueError`] says.
pub async fn enqueue(house: &House, api: Api, inbound: &Inbound) -> Result<Option<String>, EnqueueError> {
    let envelope = match Envelope::open(api, inbound) {
        Ok(envelope) => envelope,
        Err(why) => {
            if let Some(door) = named_in_header(house, api, inbound) {
                admit(house, &door, inbound)?;
                let signal = pagerduty::invalid(&door.integration, std::slice::from_ref(&why));
                keep(house, &door, signal, inbound.body.clone()).await?;
            }
            return Err(EnqueueError::Unrecognised(why));
        }
    };
    let field = envelope.key_field();
    let key = envelope.key().ok_or_else(|| EnqueueError::Invalid(vec![format!("'{field}' is missing or blank")]))?;
    let door = ingest::open(house, "pagerduty", &key)
        .map_err(|_| EnqueueError::Invalid(vec![format!("'{field}' is invalid: no integration of the source pagerduty has this key")]))?;
    admit(house, &door, inbound)?;
    failpoint::reach("intake.read");
    let integration = &door.integration;
    let (signal, told) = match envelope.read(integration) {
        Ok(event) if event.wrong.is_empty() => (event.signal, Ok(event.dedup_key)),
        // Refused in PagerDuty's words, and an alert all the same: what it says is enough to be called for.
        Ok(event) => (event.signal, Err(EnqueueError::Invalid(event.wrong))),
        Err(wrong) => (pagerduty::invalid(integration, &wrong), Err(EnqueueError::Invalid(wrong))),
    };
    keep(house, &door, signal, inbound.body.clone()).await?;
    told
}

/// What was too large to be taken becomes an alert that says so, where its header says whose it is.
///
/// # Errors
/// [`EnqueueError::Unproven`] where its integration asks for more than the key, [`EnqueueError::CannotStore`] when nothing was stored.
pub async fn oversized(house: &House, api: Api, inbound: &Inbound) -> Result<(), EnqueueError> {
    match named_in_header(house, api, inbound) {
        Some(door) => ingest::oversized(house, &door, inbound).await.map_err(EnqueueError::of),
        None => Ok(()),
    }
}

/// What came encoded and cannot be decoded becomes an alert that says so, where its header says whose it is.
///
/// # Errors
/// As [`oversized`].
pub async fn undecodable(house: &House, api: Api, inbound: &Inbound, why: &str) -> Result<(), EnqueueError> {
    match named_in_header(house, api, inbound) {
        Some(door) => ingest::undecodable(house, &door, inbound, why, None).await.map(drop).map_err(EnqueueError::of),
        None => Ok(()),
    }
}

/// Whose a body is that cannot be read.
fn named_in_header(house: &House, api: Api, inbound: &Inbound) -> Option<Door> {
    ingest::open(house, "pagerduty", pagerduty::header_key(api, inbound)?).ok()
}

fn admit(house: &House, door: &Door, inbound: &Inbound) -> Result<(), EnqueueError> {
    refusal::admit(house, door, inbound).map_err(EnqueueError::of)
}

impl EnqueueError {
    fn of(error: IngestError) -> Self {
        match error {
            IngestError::Unproven(flaw) => Self::Unproven(flaw),
            IngestError::CannotStore | IngestError::UnknownKey | IngestError::OtherSource(_) => Self::CannotStore,
        }
    }
}

async fn keep(house: &House, door: &Door, signal: Signal, body: Bytes) -> Result<(), EnqueueError> {
    ingest::accept(house, &door.integration, vec![signal], body, None).await.map(drop).map_err(EnqueueError::of)
}
