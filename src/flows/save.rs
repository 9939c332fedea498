//! What the flows share when they save a decision.

use std::sync::Arc;

use serde::Serialize;

use super::FlowError;
use super::house::House;
use crate::base::bell::Bell;
use crate::base::id::{EffectId, IdSource};
use crate::base::time::Time;
use crate::domain::decide::SetTimer;
use crate::domain::effect::{Effect, Lane};
use crate::domain::fact::{Fact, What};
use crate::domain::input::{Scope, Timer};
use crate::domain::person::Person;
use crate::store::{self, OutboxRow, Tx};

pub(super) fn json<T: Serialize>(what: &'static str, value: &T) -> Result<String, FlowError> {
    serde_json::to_string(value).map_err(|error| FlowError::Unreadable(what, error.to_string()))
}

/// Saves wake-ups; of several settings of one timer the last counts.
pub(super) async fn timers(tx: &mut Tx, timers: &[SetTimer]) -> Result<(), FlowError> {
    let mut last: std::collections::BTreeMap<(Scope, Timer), Option<Time>> = std::collections::BTreeMap::new();
    for SetTimer { scope, timer, due_at } in timers {
        last.insert((scope.clone(), *timer), *due_at);
    }
    for ((scope, timer), due_at) in last {
        store::wake_set(tx, &SetTimer { scope, timer, due_at }).await?;
    }
    Ok(())
}

/// Puts effects into the outbox, and the attempts that some of them place into their own rows.
/// `claims`: who claims it at once; these claims are given back.
pub(super) async fn effects(
    tx: &mut Tx,
    person: &Person,
    effects: &[Effect],
    at: Time,
    claims: impl Fn(&Effect) -> Option<Arc<str>>,
) -> Result<Vec<OutboxRow>, FlowError> {
    let mut ids = IdSource::fresh(at);
    let mut claimed = Vec::new();
    for effect in effects {
        if let Effect::PlacePage { attempt, pages, .. } = effect
            && let Some(open) = person.attempts.iter().find(|open| open.id == *attempt)
        {
            store::attempt_insert(tx, &person.id, open, pages).await?;
        }
        let id = EffectId::make(&mut ids);
        match claims(effect) {
            Some(owner) => claimed.push(store::outbox_insert_claimed(tx, &id, effect, &owner).await?),
            None => store::outbox_insert(tx, &id, effect).await?,
        }
    }
    Ok(claimed)
}

/// Rings for what was committed. A bell carries nothing: whoever hears it looks in the database.
pub(super) fn ring(house: &House, facts: &[Fact], timers: &[SetTimer]) {
    if !timers.is_empty() {
        house.bells.wakes.ring();
    }
    for fact in facts {
        house.metrics.facts(fact.what.kind());
        if let What::AlertsNew { count, .. } = &fact.what {
            house.metrics.raised("new", *count);
        }
        if let What::AlertsRising { count, raised: Some(_), .. } = &fact.what {
            house.metrics.raised("rising", *count);
        }
        if let Some(reason) = fact.what.regroups() {
            house.metrics.regrouped(reason.name());
        }
    }
    if !facts.is_empty() {
        house.bells.facts.ring();
        house.bells.chat.ring();
        house.bells.webhooks.ring();
        house.bells.questions.ring();
    }
}

/// Rings for effects that were committed.
pub(super) fn ring_effects(house: &House, effects: &[Effect]) {
    for effect in effects {
        bell(house, effect.lane()).ring();
    }
}

/// The bell of a lane of the outbox.
pub(super) fn bell(house: &House, lane: Lane) -> &Bell {
    match lane {
        Lane::Page => &house.bells.pages,
        Lane::Text => &house.bells.texts,
        Lane::Mail => &house.bells.mails,
        Lane::Direct => &house.bells.directs,
        Lane::Hook => &house.bells.hooks,
        Lane::Settle => &house.bells.settle,
    }
}
