//! Secrets are taken out of signals before anything of them is written down, so that they reach no column, no page and no message.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::IngestError;
use crate::base::mask::{MASK, Mask};
use crate::base::secret::digest_hex;
use crate::domain::input::{Action, Signal};
use crate::domain::remark::Remark;

/// Signals looked at on the way; more of them are looked at on a thread of their own.
const FEW: usize = 64;

/// # Errors
/// [`IngestError::CannotStore`] where this process ends.
pub(super) async fn all(masks: &Mask, mut signals: Vec<Signal>) -> Result<Vec<Signal>, IngestError> {
    if signals.len() <= FEW {
        for signal in &mut signals {
            one(masks, signal);
        }
        return Ok(signals);
    }
    let masks = masks.clone();
    let masked = tokio::task::spawn_blocking(move || {
        for signal in &mut signals {
            one(&masks, signal);
        }
        signals
    });
    masked.await.map_err(|_| IngestError::CannotStore)
}

fn one(masks: &Mask, signal: &mut Signal) {
    text(masks, &mut signal.title);
    labels(masks, &mut signal.labels);
    if let Some(url) = &mut signal.url {
        text(masks, url);
    }
    // Two keys that differ in their secrets are two alerts, so a key is not masked but stands as its digest.
    if masks.finds(&signal.dedup_key) {
        signal.dedup_key = format!("sha256:{}", digest_hex(signal.dedup_key.as_bytes()));
    }
    match &mut signal.action {
        Action::Trigger | Action::Resolve | Action::Acknowledge => {}
        Action::Unreadable(said) | Action::Change(said) | Action::Ignore(said) => text(masks, said),
        Action::Remark(remark) => remark_of(masks, remark),
    }
}

fn text(masks: &Mask, text: &mut String) {
    if let Cow::Owned(masked) = masks.text(text) {
        *text = masked;
    }
}

fn remark_of(masks: &Mask, remark: &mut Remark) {
    match remark {
        Remark::Note(said) | Remark::Retitle(said) => text(masks, said),
        Remark::Label { set, .. } => labels(masks, set),
        Remark::Tag { add, .. } => *add = std::mem::take(add).into_iter().map(|tag| masks.text(&tag).into_owned()).collect(),
        Remark::Snooze(_) | Remark::Unacknowledge | Remark::Regrade(_) | Remark::Past(_) => {}
    }
}

fn labels(masks: &Mask, labels: &mut BTreeMap<String, String>) {
    for (name, value) in labels {
        if masks.is_secret(name) {
            MASK.clone_into(value);
        } else {
            text(masks, value);
        }
    }
}
