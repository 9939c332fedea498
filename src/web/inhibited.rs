//! What inhibits alerts that are shown.

use std::collections::{BTreeMap, BTreeSet};

use super::Doors;
use super::answer::WebError;
use crate::base::id::AlertId;
use crate::domain::alert::AlertState;
use crate::domain::inhibition;
use crate::store::read::AlertView;

/// Of these alerts those that are inhibited, each with the title of what inhibits it.
pub(super) async fn among(doors: &Doors, alerts: &[AlertView]) -> Result<BTreeMap<AlertId, String>, WebError> {
    let live = doors.live();
    let held: Vec<&AlertView> = alerts.iter().filter(|alert| alert.state == AlertState::Suppressed).collect();
    let ties: BTreeSet<_> = held.iter().flat_map(|alert| inhibition::ties_of(&live.setup, *alert)).collect();
    if ties.is_empty() {
        return Ok(BTreeMap::new());
    }
    let inhibitors = doors.house.store.reader().inhibitors_tied(&ties).await?;
    let by = |alert: &AlertView| inhibition::of(&live.setup, &inhibitors, alert).map(|by| (alert.id.clone(), by.title.clone()));
    Ok(held.into_iter().filter_map(by).collect())
}
