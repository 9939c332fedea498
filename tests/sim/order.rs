//! The order of a sender's messages by its own clock: what the watch remembers of it, and what it wants.

use std::collections::BTreeMap;

use reveille::base::id::AlertId;
use reveille::base::limits;
use reveille::base::time::Time;
use reveille::domain::alert::{AlertState, Key};
use reveille::domain::decide::{Desk, Outcome, Verdict};
use reveille::domain::input::{Action, Signal};
use reveille::domain::reason::Reason;

use super::watch::ensure;

pub struct Order {
    /// The newest time at which each key's sender said of its present alert that it fires.
    said: BTreeMap<Key, Option<Time>>,
    /// The alert that the signal found firing.
    firing: Option<AlertId>,
}

fn key_of(signal: &Signal) -> Key {
    Key { integration: signal.integration.clone(), dedup_key: signal.dedup_key.clone() }
}

impl Order {
    pub const fn new() -> Self {
        Self { said: BTreeMap::new(), firing: None }
    }

    pub fn before_signal(&mut self, desk: &Desk, signal: &Signal) {
        let alert = desk.keys.get(&key_of(signal)).and_then(|state| state.alert.as_ref());
        self.firing = alert.filter(|alert| alert.state != AlertState::Resolved).map(|alert| alert.id.clone());
    }

    /// Nothing ends by a resolve that its sender sent before it said that it fires, and nothing else is called so.
    pub fn after_signal(&mut self, signal: &Signal, verdict: &Verdict) -> Result<(), String> {
        let key = key_of(signal);
        let said = self.said.get(&key).copied().flatten();
        let is_before = said.zip(signal.at).is_some_and(|(said, at)| at + limits::SAME_TIME <= said);
        match signal.action {
            Action::Trigger if verdict.outcome != Outcome::Ignored => {
                let goes_on = verdict.outcome == Outcome::Repeated
                    || (verdict.outcome != Outcome::Reopened && self.firing.is_some() && self.firing == verdict.alert);
                self.said.insert(key, if goes_on { said.max(signal.at) } else { signal.at });
            }
            Action::Resolve => {
                let ends = verdict.outcome == Outcome::Resolved;
                ensure(!(ends && is_before), || {
                    format!("order: {} says at {said:?} that it fires, and {signal:?} ends it", key.dedup_key)
                })?;
                let is_late = verdict.reason == Reason::FiringSince;
                ensure(!is_late || is_before, || format!("order: {} says nothing since {signal:?}, and it is stale", key.dedup_key))?;
            }
            Action::Trigger | Action::Acknowledge | Action::Unreadable(_) | Action::Change(_) | Action::Ignore(_) | Action::Remark(_) => {}
        }
        Ok(())
    }
}
