//! What was changed on purpose: a deploy, a flag. The first question of a night is what changed before it.

use std::collections::BTreeMap;

use super::grouping;
use super::input::Action;
use super::routing::Routed;
use super::setup::Setup;
use crate::base::id::{ChangeId, IdSource, IntegrationId, ServiceId};
use crate::base::time::Time;

/// One change. Every text in it is a stranger's and already cut to the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub id: ChangeId,
    pub integration: IntegrationId,
    /// The kind of sender, as in the URL.
    pub source: String,
    pub service: ServiceId,
    pub title: String,
    /// When it was made, as its sender says, and never later than it came; else when it came.
    pub at: Time,
    pub url: Option<String>,
    pub labels: BTreeMap<String, String>,
}

impl Change {
    /// What a signal says was changed; `None` for every other signal, and for one of an integration or a service that has gone.
    pub fn of(routed: &Routed, setup: &Setup, ids: &mut IdSource, now: Time) -> Option<Self> {
        let signal = &routed.signal;
        let Action::Change(_) = &signal.action else { return None };
        let integration = setup.integrations.get(&signal.integration)?;
        setup.services.get(&routed.service)?;
        Some(Self {
            id: ChangeId::make(ids),
            integration: integration.id.clone(),
            source: integration.source.clone(),
            service: routed.service.clone(),
            title: signal.title.clone(),
            at: signal.at.filter(|at| grouping::is_believable(*at, now)).map_or(now, |at| at.min(now)),
            url: signal.url.clone(),
            labels: signal.labels.clone(),
        })
    }
}
