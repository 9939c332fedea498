//! A body is tried: its source reads it, the rules route it and the law decides it as they would, and nothing is stored and nobody is woken.

use std::sync::Arc;

use super::FlowError;
use super::fold::{self, Rehearsed};
use super::house::{House, Live};
use crate::base::id::{IntegrationId, PolicyId, RouteId};
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::domain::group::{self, Group};
use crate::domain::input::{Action, Signal};
use crate::domain::routing::{self, Routed, Woken};
use crate::domain::setup::{Integration, Severity};
use crate::sources;
use crate::sources::proof::Proof;

/// What would become of one body.
pub struct Tried {
    pub integration: Integration,
    /// The first of its signals.
    pub signals: Vec<TriedSignal>,
    /// How many more there are.
    pub more: usize,
    /// What its messages must show beside the key, and what was not asked for here, as the configuration names it.
    pub unproven: Vec<&'static str>,
}

/// What would become of one signal.
pub struct TriedSignal {
    /// As its source read it.
    pub sent: Signal,
    pub routed: Routed,
    /// The rules up to the one that takes it: why that does, or what each lacks.
    pub asked: Vec<(RouteId, Result<String, String>)>,
    /// Whether it says that something is wrong.
    pub fires: bool,
    /// Of the incident that it would open or join; `None`: it would not.
    pub severity: Option<Severity>,
    /// What the alerts that it would join have in common with it; `None`: its service knows no groups, or it is of none.
    pub group: Option<Group>,
    /// Which policy it would start, if it opened one.
    pub policy: Option<PolicyId>,
    pub wakes: Vec<Woken>,
    /// What it would come to if it came now: by what fires, what was resolved and what is silenced.
    pub now: Rehearsed,
}

/// The integration that is meant: by its id, or as the only one of its source, or as the only one there is.
///
/// # Errors
/// A sentence that says which there are.
pub fn choose(live: &Live, integration: Option<&str>, source: Option<&str>) -> Result<Integration, String> {
    let all = &live.setup.integrations;
    if let Some(id) = integration {
        let found = all.get(&IntegrationId::from(id)).filter(|found| source.is_none_or(|source| found.source == source));
        return found.cloned().ok_or_else(|| format!("there is no such integration{}", listed(all.values())));
    }
    let of_source: Vec<&Integration> = all.values().filter(|one| source.is_none_or(|source| one.source == source)).collect();
    match of_source.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(format!("there is no integration of that source{}", listed(all.values()))),
        [_, ..] => Err(format!("name the integration{}", listed(of_source.into_iter()))),
    }
}

fn listed<'a>(integrations: impl Iterator<Item = &'a Integration>) -> String {
    /// More than these help nobody.
    const NAMED: usize = 20;
    let named: Vec<String> = integrations.take(NAMED).map(|one| format!("{} ({})", one.id, one.source)).collect();
    if named.is_empty() { "; none is configured yet".to_owned() } else { format!("; there are {}", named.join(", ")) }
}

/// Reads, routes and decides a body as the live path does, without its signature, and stores nothing.
///
/// # Errors
/// The store's.
pub async fn route(house: &House, live: &Arc<Live>, integration: Integration, inbound: &Inbound) -> Result<Tried, FlowError> {
    let signals = sources::find(&integration.source).map(|source| source.read(inbound, &integration)).unwrap_or_default();
    let more = signals.len().saturating_sub(limits::TRIED_SIGNALS);
    let signals: Vec<Signal> = signals.into_iter().take(limits::TRIED_SIGNALS).collect();
    let rehearsed = fold::rehearse(house, live, &integration.id, signals.clone()).await?;
    let signals = signals.into_iter().zip(rehearsed).map(|(signal, now)| one(live, signal, now, inbound.received_at)).collect();
    // SNS signs without a secret of ours.
    let sns = (integration.source == "cloudwatch").then_some("sns");
    let unproven = live.proofs.get(&integration.id).into_iter().flatten().map(Proof::asked_by).chain(sns).collect();
    Ok(Tried { integration, signals, more, unproven })
}

fn one(live: &Live, sent: Signal, now: Rehearsed, at: Time) -> TriedSignal {
    let setup = &live.setup;
    let asked = routing::explain(setup, &sent).into_iter().map(|(id, said)| (id.clone(), said)).collect();
    let routed = routing::route(setup, sent.clone());
    let fires = match sent.action {
        Action::Trigger | Action::Unreadable(_) => true,
        Action::Resolve | Action::Acknowledge | Action::Remark(_) | Action::Change(_) | Action::Ignore(_) => false,
    };
    let service = setup.services.get(&routed.service).filter(|_| fires);
    let severity = service.map(|service| routed.of_service(service)).filter(|severity| severity.urgency().is_some());
    let group = service.filter(|_| severity.is_some()).and_then(|service| group::of(setup, service, &routed));
    let (policy, wakes) = if fires { routing::wakes(setup, &routed, at) } else { (None, Vec::new()) };
    TriedSignal { sent, routed, asked, fires, severity, group, policy, wakes, now }
}

/// What a signal says, in a word and, where it has them, the sender's own words.
#[must_use]
pub const fn action(action: &Action) -> (&'static str, Option<&String>) {
    match action {
        Action::Trigger => ("fires", None),
        Action::Resolve => ("is over", None),
        Action::Acknowledge => ("is acknowledged", None),
        Action::Remark(_) => ("is remarked on", None),
        Action::Unreadable(why) => ("cannot be read", Some(why)),
        Action::Change(what) => ("tells of a change", Some(what)),
        Action::Ignore(why) => ("says nothing", Some(why)),
    }
}
