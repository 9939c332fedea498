//! A request in Opsgenie's words becomes durable; what its sender may see of its own alerts is read in [`crate::store::read`].

use bytes::Bytes;
use serde_json::{Map, Value};

use super::FlowError;
use super::house::House;
use super::ingest::{self, Door, IngestError};
use super::refusal;
use crate::base::failpoint;
use crate::base::id::JournalId;
use crate::base::inbound::Inbound;
use crate::base::viewer::Viewer;
use crate::domain::input::Signal;
use crate::domain::setup::Integration;
use crate::sources::opsgenie::{self, Create};
use crate::store::read::{Named, OwnAlert};

pub use crate::sources::opsgenie::{Ask, DETAIL, FIELDS, NAME, Wrong};

/// A create, as the status of its request names it.
pub const CREATE: &str = "Create";

/// Why a request was not taken as it was.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The body is no object of JSON; with a key that is right it is an alert all the same.
    #[error("the body cannot be read: {0}")]
    Unreadable(String),
    /// A sentence for each field that is wrong. A create that says what is wrong with what is an alert all the same.
    #[error("the fields are wrong: {}", .0.keys().copied().collect::<Vec<_>>().join(", "))]
    Wrong(Wrong),
    #[error("there is no such alert")]
    NoAlert,
    /// Nothing was stored; the sender must try again.
    #[error("nothing can be stored just now")]
    CannotStore,
    #[error(transparent)]
    Flow(#[from] FlowError),
}

/// Why a key opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("there is no such key, or the request does not show what its integration asks for beside it")]
    Unknown,
    #[error("the key belongs to an integration of another source")]
    OtherSource,
}

/// The integration that a `GenieKey` opens, where the request shows everything that it asks for beside the key.
///
/// # Errors
/// As [`OpenError`] says.
pub fn open(house: &House, key: &str, inbound: &Inbound) -> Result<Integration, OpenError> {
    let door = ingest::open(house, NAME, key).and_then(|door| refusal::admit(house, &door, inbound).map(|()| door));
    match door {
        Ok(Door { integration, .. }) => Ok(integration),
        Err(IngestError::OtherSource(_)) => Err(OpenError::OtherSource),
        Err(IngestError::UnknownKey | IngestError::Unproven(_) | IngestError::CannotStore) => Err(OpenError::Unknown),
    }
}

/// Makes a create durable, and says under which id its sender may ask what became of it.
///
/// # Errors
/// As [`AskError`] says; what can be told of a fire is an alert even then.
pub async fn create(house: &House, integration: &Integration, inbound: &Inbound) -> Result<JournalId, AskError> {
    let (signals, told) = match Create::read(inbound) {
        Ok(create) => {
            let wrong = create.wrong();
            (create.signals(integration), if wrong.is_empty() { Ok(()) } else { Err(AskError::Wrong(wrong)) })
        }
        Err(why) => (vec![opsgenie::refused(integration, &why)], Err(AskError::Unreadable(why))),
    };
    failpoint::reach("intake.read");
    let request = keep(house, integration, signals, inbound.body.clone(), CREATE).await?;
    told.map(|()| request)
}

/// What was too large to be taken becomes an alert that says so.
///
/// # Errors
/// [`AskError::CannotStore`] when nothing was stored.
pub async fn oversized(house: &House, integration: &Integration) -> Result<(), AskError> {
    let signal = crate::sources::oversized(integration);
    keep(house, integration, vec![signal], Bytes::new(), CREATE).await.map(drop)
}

/// What came encoded and cannot be decoded becomes an alert that says so.
///
/// # Errors
/// As [`oversized`].
pub async fn undecodable(house: &House, integration: &Integration, why: &str) -> Result<(), AskError> {
    let signal = crate::sources::undecodable(integration, why);
    keep(house, integration, vec![signal], Bytes::new(), CREATE).await.map(drop)
}

/// Makes durable what is asked of an alert, and says under which id its sender may ask what became of it.
///
/// # Errors
/// As [`AskError`] says.
pub async fn ask(
    house: &House,
    integration: &Integration,
    named: Named<'_>,
    ask: Ask,
    body: Bytes,
    query: &[(String, String)],
) -> Result<JournalId, AskError> {
    let fields: Map<String, Value> = opsgenie::fields(&body, query).map_err(AskError::Unreadable)?;
    let signals = match named {
        // An alias is taken as it is: its create may be durable and not decided yet, and is decided before this.
        Named::Key(alias) => opsgenie::ask(integration, alias, ask, &fields).map_err(AskError::Wrong)?,
        Named::Id(_) | Named::Tiny(_) => {
            let viewer = Viewer::Integration(integration.id.clone());
            let reader = house.store.reader();
            let find = async |named| reader.own_alert(&viewer, named).await.map_err(FlowError::from);
            let alert = find(named).await?.ok_or(AskError::NoAlert)?;
            let newest = find(Named::Key(&alert.alert.dedup_key)).await?;
            let signals = opsgenie::ask(integration, &alert.alert.dedup_key, ask, &fields).map_err(AskError::Wrong)?;
            if is(newest.as_ref(), &alert) { signals } else { vec![opsgenie::past(integration, &alert.alert.dedup_key, alert.alert.id)] }
        }
    };
    keep(house, integration, signals, body, ask.name()).await
}

/// Whether the newest alert of a key is this one: an alert that gave way to a newer one is over for good.
fn is(newest: Option<&OwnAlert>, alert: &OwnAlert) -> bool {
    newest.is_some_and(|newest| newest.alert.id == alert.alert.id)
}

/// The key of an alias, as alerts have it.
#[must_use]
pub fn key(alias: &str) -> String {
    opsgenie::key(alias)
}

async fn keep(house: &House, integration: &Integration, signals: Vec<Signal>, body: Bytes, asked: &str) -> Result<JournalId, AskError> {
    match ingest::accept_asked(house, integration, signals, body, asked).await {
        Ok(request) => Ok(request),
        Err(IngestError::CannotStore | IngestError::UnknownKey | IngestError::OtherSource(_) | IngestError::Unproven(_)) => {
            Err(AskError::CannotStore)
        }
    }
}
