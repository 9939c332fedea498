//! Something began or ended to inhibit, or the rules are others: what it is about is looked at, in pieces.

use std::collections::BTreeSet;

use super::house::House;
use super::{FlowError, silence};
use crate::base::limits;
use crate::domain::alert::Alert;
use crate::domain::decide::SetTimer;
use crate::domain::inhibition::{self, Inhibition};
use crate::domain::input::{Scope, Timer};
use crate::domain::setup::Setup;
use crate::store::{self, InhibitionPlace, SilencePlace, Tx, WriteLane};

/// Whether this wake-up is the look for what inhibits.
#[must_use]
pub fn is_look(scope: &Scope) -> bool {
    *scope == inhibition::scope()
}

/// Has everything looked at where the rules are others than those by which it was looked at last.
///
/// # Errors
/// The store's; it is tried again.
pub async fn mind_rules(house: &House, setup: &Setup) -> Result<(), FlowError> {
    let rules = inhibition::rules_of(setup);
    let (_, looked_by) = store::inhibition_place(&mut house.store.reader()).await?;
    if looked_by == rules {
        return Ok(());
    }
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    store::silences_lock(&mut tx).await?;
    let marks: Vec<String> = setup.inhibitions.iter().map(Inhibition::mark).collect();
    store::inhibitors_drop(&mut tx, &marks).await?;
    store::inhibition_note(&mut tx, &InhibitionPlace::Sources(SilencePlace::start()), &rules).await?;
    store::inhibition_look_at(&mut tx, house.clock.now()).await?;
    tx.commit().await?;
    house.bells.wakes.ring();
    tracing::info!("the rules of inhibition are others now; every alert that holds is held against them");
    Ok(())
}

/// One piece of the alerts is looked at, all but the commit.
pub(super) async fn cover(house: &House, tx: &mut Tx) -> Result<impl FnOnce(&House) + Send + use<>, FlowError> {
    let (live, now) = (house.now_live(), house.clock.now());
    let (place, rules) = store::inhibition_place(tx).await?;
    let place = match place {
        InhibitionPlace::Done => store::inhibitors_begin(tx).await?.map_or(InhibitionPlace::Done, InhibitionPlace::Tied),
        begun @ (InhibitionPlace::Tied(_) | InhibitionPlace::Sources(_) | InhibitionPlace::HeldBack(_)) => begun,
    };
    let ties = match &place {
        InhibitionPlace::Tied(_) => store::inhibitors_looked_at(tx).await?,
        InhibitionPlace::Done | InhibitionPlace::Sources(_) | InhibitionPlace::HeldBack(_) => BTreeSet::new(),
    };
    let is_meant = |alert: &&Alert| match &place {
        InhibitionPlace::Tied(_) => inhibition::ties_of(&live.setup, *alert).any(|tie| ties.contains(&tie)),
        InhibitionPlace::Sources(_) => inhibition::is_source(&live.setup, *alert),
        InhibitionPlace::HeldBack(_) => true,
        InhibitionPlace::Done => false,
    };
    let (mut rung, mut next) = (None, InhibitionPlace::Done);
    if let InhibitionPlace::Tied(at) | InhibitionPlace::Sources(at) | InhibitionPlace::HeldBack(at) = &place {
        let (alerts, then) = store::silence_piece(tx, at, limits::SILENCE_PIECE).await?;
        rung = Some(silence::look(house, tx, &alerts.iter().filter(is_meant).collect::<Vec<_>>()).await?);
        next = match (&place, then) {
            (InhibitionPlace::Sources(_), SilencePlace::Done) => InhibitionPlace::HeldBack(SilencePlace::suppressed()),
            (InhibitionPlace::Sources(_), then) => InhibitionPlace::Sources(then),
            (_, SilencePlace::Done) => InhibitionPlace::Done,
            (InhibitionPlace::HeldBack(_), then) => InhibitionPlace::HeldBack(then),
            (InhibitionPlace::Tied(_) | InhibitionPlace::Done, then) => InhibitionPlace::Tied(then),
        };
        if next == InhibitionPlace::Done && matches!(place, InhibitionPlace::Tied(_)) {
            store::inhibitors_done(tx).await?;
        }
        store::inhibition_note(tx, &next, &rules).await?;
    }
    let is_owed = next != InhibitionPlace::Done || store::inhibitors_wait(tx).await?;
    if is_owed {
        let due_at = Some(now);
        store::wake_set(tx, &SetTimer { scope: inhibition::scope(), timer: Timer::Cover, due_at }).await?;
    }
    Ok(move |house: &House| {
        if is_owed {
            house.bells.wakes.ring();
        }
        if let Some(ring) = rung {
            ring(house);
        }
    })
}

/// Looks for what nothing would look at. The number found: anything but zero is a fault of ours.
pub(super) async fn audit(house: &House) -> Result<usize, FlowError> {
    if !store::audit_inhibitors(&house.store.reader()).await? {
        return Ok(0);
    }
    tracing::error!("nothing would have looked at what began or ended to be inhibited. It is looked at now; please report this");
    let mut tx = house.store.begin(WriteLane::Intake).await?;
    store::inhibition_look_at(&mut tx, house.clock.now()).await?;
    tx.commit().await?;
    house.bells.wakes.ring();
    Ok(1)
}
