//! Folds the journal. One folder per database: the lease is taken over when its holder is gone.

use std::sync::atomic::Ordering;

use super::{BREATH, safety_poll};
use crate::base::clock::Stopwatch;
use crate::base::limits;
use crate::base::time::Span;
use crate::flows::House;
use crate::flows::fold;

pub(super) async fn run(house: House) {
    let mut behind: Option<Stopwatch> = None;
    // Since when the lease is held. Asked for before each fold, it would be one more commit on the way of every page.
    let mut held: Option<Stopwatch> = None;
    loop {
        if held.is_none_or(|held| held.passed() >= limits::LEASE_RENEW) {
            let asked = Stopwatch::start();
            held = None;
            match fold::hold_lease(&house).await {
                Ok(true) => held = Some(asked),
                Ok(false) => {
                    tokio::time::sleep(safety_poll()).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "the folder's lease cannot be held");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            }
        }
        let (began, journaled) = (Stopwatch::start(), house.journaled.load(Ordering::Relaxed));
        // The first of many is decided by itself: what is to wake somebody waits for none of those behind it.
        let most_rows = if behind.is_none() { 1 } else { limits::FOLD_ROWS };
        match fold::fold(&house, most_rows).await {
            Ok(folded) => {
                // Looked at beside the writer, which whoever is to be woken by this fold needs now.
                if folded == 0 || !fold::waits(&house).await {
                    behind = None;
                    tokio::select! {
                        () = house.bells.journal.heard() => {}
                        () = tokio::time::sleep(safety_poll()) => {}
                    }
                    continue;
                }
                let behind = *behind.get_or_insert_with(Stopwatch::start);
                if house.journaled.load(Ordering::Relaxed) != journaled {
                    tokio::time::sleep(rest(began.passed(), behind.passed()).as_duration()).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the journal could not be folded; it is tried again");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// How long the folder leaves the writer and the processors to the intake. While many send, what they send is made durable first, and it
/// is decided more cheaply the more of it there is; but not for ever, or the journal would fill up.
fn rest(took: Span, behind: Span) -> Span {
    let times = if behind < limits::FOLD_AFTER_INTAKE { 6 } else { 1 };
    Span(took.0.saturating_mul(times)).min(limits::FOLD_REST)
}
