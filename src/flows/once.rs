//! Requests that carry a key: each is carried out once, whoever sends it again and whatever breaks in between.
//!
//! The key is claimed before anything is done; what is decided is marked on it in the transaction that saves the decision; the answer
//! is kept after it was made. So: without a mark nothing was done, and the next request with this key does it. With a mark and no answer
//! (the process died in between) the next one finds the decision and only makes the answer anew. With an answer it is given again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::house::House;
use super::{FlowError, save};
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::base::time::Time;
pub use crate::store::RepeatAnswer;
use crate::store::{self, Claim, Tx, WriteLane};

/// A claimed key. Whoever carries out a command hands it along.
#[derive(Debug, Clone)]
pub struct Once {
    digest: String,
    /// Nobody has claimed it: what is decided writes it down.
    told: Option<Time>,
}

impl Once {
    /// What a provider tells under an id of its own, and may tell again: it is done once, in whatever order the tellings come.
    pub(super) fn told(house: &House, door: &str, id: &str, about: &str) -> Result<Self, FlowError> {
        let digest = digest_hex(save::json("key", &("provider", door, id, about))?.as_bytes());
        Ok(Self { digest, told: Some(house.clock.now()) })
    }
}

/// What a request with a key meets.
#[derive(Debug)]
pub enum Met {
    /// Carry it out, and hand this along.
    Ours(Once),
    UnderWay,
    OtherBody,
    Answered(RepeatAnswer),
}

/// Claims a key of one caller at one door.
///
/// # Errors
/// The store's; the request must then not be carried out.
pub async fn claim(house: &House, caller: &str, door: &str, key: &str, body: &[u8]) -> Result<Met, FlowError> {
    // Written as JSON, so that no three texts read as another three.
    let digest = digest_hex(save::json("key", &(caller, door, key))?.as_bytes());
    Ok(match store::repeat_claim(&house.store, &digest, &digest_hex(body), &house.owner, house.clock.now()).await? {
        Claim::Ours => Met::Ours(Once { digest, told: None }),
        Claim::UnderWay => Met::UnderWay,
        Claim::OtherBody => Met::OtherBody,
        Claim::Answered(answer) => Met::Answered(answer),
    })
}

/// Keeps the answer, or with `None` gives the key back.
///
/// # Errors
/// The store's. The request itself is done; one that comes again then waits for the end of the claim.
pub async fn settle(house: &House, once: &Once, answer: Option<&RepeatAnswer>) -> Result<(), FlowError> {
    match answer {
        Some(answer) => store::repeat_answer(&house.store, &once.digest, answer).await?,
        None => store::repeat_give_back(&house.store, &once.digest).await?,
    }
    Ok(())
}

/// Whether something was decided under this key before.
///
/// # Errors
/// The store's.
pub async fn is_decided(house: &House, once: &Once) -> Result<bool, FlowError> {
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    Ok(store::repeat_verdict(&mut tx, &once.digest).await?.is_some())
}

/// What was decided for this key before.
pub(super) async fn done_before<T: DeserializeOwned>(tx: &mut Tx, once: Option<&Once>) -> Result<Option<T>, FlowError> {
    let Some(Once { digest, told }) = once else { return Ok(None) };
    if let Some(at) = told {
        store::repeat_note(tx, digest, *at).await?;
    }
    let Some(text) = store::repeat_verdict(tx, digest).await? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| FlowError::Unreadable("verdict", error.to_string()))
}

pub(super) async fn mark<T: Serialize>(tx: &mut Tx, once: Option<&Once>, verdict: &T) -> Result<(), FlowError> {
    let Some(Once { digest, .. }) = once else { return Ok(()) };
    Ok(store::repeat_mark(tx, digest, &save::json("verdict", verdict)?).await?)
}

/// Forgets the keys that are too old to come again.
///
/// # Errors
/// The store's.
pub async fn forget(house: &House) -> Result<(), FlowError> {
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    store::repeats_forget(&mut tx, house.clock.now() - limits::REPEATS_KEPT, limits::REPEATS, 1_000).await?;
    tx.commit().await?;
    Ok(())
}
