//! Maintenance windows become silences, each turn before it begins.

use std::collections::BTreeMap;

use super::FlowError;
use super::house::House;
use super::{inhibition, silence};
use crate::base::id::SilenceId;
use crate::base::time::Time;
use crate::domain::input::Actor;
use crate::domain::silence::SilenceState;
use crate::store::{self, SilenceRow, WriteLane};

/// Says of a silence that it is the turn of a window, and of which.
const WINDOW: &str = "maintenance";

/// What was laid ahead last: nothing is to be done before the setup changes or a turn is over.
#[derive(Debug, Default)]
pub struct Laid {
    version: Option<i64>,
    until: Option<Time>,
}

/// Makes the silences of the windows' turns that hold or come next, and ends those whose windows are gone or changed.
///
/// # Errors
/// The store's; it is tried again.
pub async fn lay(house: &House, laid: &mut Laid) -> Result<(), FlowError> {
    let (live, now) = (house.now_live(), house.clock.now());
    if laid.version == Some(live.version) && laid.until.is_none_or(|until| now < until) {
        return Ok(());
    }
    if laid.version != Some(live.version) {
        inhibition::mind_rules(house, &live.setup).await?;
    }
    let mut wanted: BTreeMap<SilenceId, SilenceRow> = BTreeMap::new();
    let mut until: Option<Time> = None;
    for window in &live.setup.maintenance {
        for turn in window.turns(now) {
            let silence = window.silence(turn, now);
            let annotations = BTreeMap::from([(WINDOW.to_owned(), window.id.to_string())]);
            wanted.insert(silence.id.clone(), SilenceRow { silence, annotations, made_by: Actor::Reveille });
            until = Some(until.map_or(turn.ends, |until| until.min(turn.ends)));
        }
    }
    if !wanted.is_empty() || laid.version != Some(live.version) {
        let mut tx = house.store.begin(WriteLane::Intake).await?;
        store::silences_lock(&mut tx).await?;
        for row in store::silences_live_rows(&mut tx).await? {
            let is_turn = row.made_by == Actor::Reveille && row.annotations.contains_key(WINDOW);
            if is_turn && !wanted.contains_key(&row.silence.id) && row.silence.state(now) != SilenceState::Expired {
                tracing::info!(silence = %row.silence.id, by = row.silence.created_by, "a maintenance window is not configured so any more");
                silence::close(&mut tx, row, now).await?;
            }
        }
        for (id, row) in &wanted {
            // Whatever became of it since, somebody has seen to it.
            if store::silence_load(&mut tx, id).await?.is_none() {
                store::silence_save(&mut tx, row).await?;
                silence::look_at_once(&mut tx, id, now).await?;
                tracing::info!(silence = %id, by = row.silence.created_by, from = %row.silence.starts_at, until = %row.silence.ends_at, "maintenance lies ahead");
            }
        }
        tx.commit().await?;
        house.bells.wakes.ring();
    }
    // A turn more than a year ahead is looked for once a day.
    let again = now + crate::base::limits::MAINTENANCE_LOOK;
    *laid = Laid { version: Some(live.version), until: Some(until.map_or(again, |until| until.min(again))) };
    Ok(())
}
