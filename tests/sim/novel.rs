//! What is new in the world: kinds that were heard of before it began and since; and what the watch wants of the first of one.

use std::collections::BTreeMap;

use reveille::base::time::{Span, Time};
use reveille::domain::decide::{Desk, Outcome, Verdict};
use reveille::domain::novelty::{self, KindKey, KindState};
use reveille::domain::routing::Routed;
use reveille::domain::setup::{Setup, Severity, Urgency};

use super::dice::Dice;
use super::watch::{ensure, routed};
use super::world::Rows;
use reveille::domain::input::Signal;

/// Half of the senders have been heard of for two days, by kinds of their own.
pub fn known(dice: &mut Dice, setup: &Setup, start: Time) -> BTreeMap<KindKey, KindState> {
    let at = start - Span::hours(48);
    let all = setup.integrations.keys().flat_map(|sender| setup.services.keys().map(|service| (sender.clone(), service.clone())));
    all.filter(|_| dice.percent(50))
        .map(|(integration, service)| {
            (KindKey { integration, service, kind: String::new() }, KindState { first_at: at, last_at: at, seen: 0 })
        })
        .collect()
}

impl Rows {
    /// What is remembered of the kinds that may begin lies on the desk.
    pub(super) fn lay_kinds(&self, desk: &mut Desk, signals: &[Routed]) {
        for kind in novelty::may_begin(&self.setup, &signals.iter().collect::<Vec<_>>(), desk) {
            desk.kinds.insert(kind.clone(), self.kinds.get(&kind).copied());
        }
    }

    pub(super) fn keep_kinds(&mut self, kinds: BTreeMap<KindKey, Option<KindState>>) {
        self.kinds.extend(kinds.into_iter().filter_map(|(key, state)| Some((key, state?))));
    }
}

/// The first alert of a kind wakes people where its service asks for it.
pub fn after_signal(rows: &Rows, desk: &Desk, signal: &Signal, verdict: &Verdict) -> Result<(), String> {
    let alerts = || desk.keys.values().filter_map(|state| state.alert.as_ref()).chain(&desk.past);
    let Some(alert) = alerts().find(|alert| Some(&alert.id) == verdict.alert.as_ref()) else { return Ok(()) };
    let (Some(incident), Some((service, said, record))) =
        (verdict.incident.as_ref().and_then(|id| desk.incidents.get(id)), routed(rows, signal))
    else {
        return Ok(());
    };
    let is_fresh = alert.first_at == rows.now && alert.count == 1 && matches!(verdict.outcome, Outcome::Opened | Outcome::Folded);
    let is_quiet = !record && service.severity.of(said).urgency() == Some(Urgency::Low);
    if !is_fresh || !is_quiet || !service.raise.new || incident.response.severity_by_hand || !incident.is_open() {
        return Ok(());
    }
    let kind = KindKey {
        service: service.id.clone(),
        integration: signal.integration.clone(),
        kind: novelty::kind(&signal.title, &signal.labels),
    };
    let whole = KindKey { kind: String::new(), ..kind.clone() };
    let is_known = rows.kinds.get(&whole).is_some_and(|whole| rows.now.since(whole.first_at) >= Span::hours(24));
    // Another of the kind may have come in the same batch.
    let is_second = alerts().any(|other| other.id != alert.id && other.novelty.kind == kind.kind && other.first_at == rows.now);
    if !is_known || is_second || rows.kinds.contains_key(&kind) {
        return Ok(());
    }
    ensure(incident.severity >= Severity::Sev2, || {
        format!("new: {} is the first of {kind:?}, and is quiet in {incident:?}", signal.dedup_key)
    })
}
