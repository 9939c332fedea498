//! An alert: one stretch of firing of one dedup key; and the key, which outlives its alerts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::flap::Changes;
use super::incident::Incident;
use super::novelty::{Novelty, Rate};
use super::setup::AlertSeverity;
use crate::base::id::{AlertId, IncidentId, IntegrationId, ServiceId};
use crate::base::time::Time;

/// What names a condition: equal keys of one integration are one alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pub integration: IntegrationId,
    pub dedup_key: String,
}

/// The key of the alert that says that an integration's bodies cannot be read.
pub const UNREADABLE_KEY: &str = "reveille:unreadable";

/// The key of the alert that counts what an integration sent beyond the new alerts that are kept of it.
pub const OVERFLOW_KEY: &str = "reveille:overflow";

/// What is remembered of a key when its alerts are over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyState {
    pub key: Key,
    /// The newest alert of this key.
    pub alert: Option<Alert>,
    /// The newest state change, in the sender's time: what is older is stale.
    pub changed_at: Option<Time>,
    /// A resolve that came before its trigger: the sender's time of it, and when it came.
    pub early_resolve: Option<EarlyResolve>,
    /// How often it came and went lately.
    #[serde(default, skip_serializing_if = "Changes::is_empty")]
    pub changes: Changes,
    /// How often it is heard of; `None` in its first hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyResolve {
    pub at: Time,
    pub came_at: Time,
}

impl KeyState {
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self { key, alert: None, changed_at: None, early_resolve: None, changes: Changes::none(), rate: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub id: AlertId,
    pub key: Key,
    /// The kind of sender, as in the URL.
    pub source: String,
    pub service: ServiceId,
    pub title: String,
    pub severity: AlertSeverity,
    pub state: AlertState,
    /// How many signals it has had.
    pub count: i64,
    pub first_at: Time,
    pub last_at: Time,
    /// When it last went from over to firing.
    pub fired_at: Time,
    pub resolved_at: Option<Time>,
    /// `None` for what only records.
    pub incident: Option<IncidentId>,
    /// Until when it holds, by its sender's last word; past it, it is over.
    #[serde(default)]
    pub ends_at: Option<Time>,
    /// What it is, or was, held for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// How rare it is.
    #[serde(default)]
    pub novelty: Novelty,
    pub url: Option<String>,
    pub labels: BTreeMap<String, String>,
}

/// What is waited for before an alert is taken at its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// It fires, and calls people when it still does then.
    Quiet { until: Time },
    /// It was over before that: nobody was called.
    Passed,
    /// It comes and goes: it stays as it is until it has been steady for long enough. `is_over`: its sender's last word.
    Flapping { since: Time, is_over: bool, until: Time },
}

impl Hold {
    /// When it is to be looked at again.
    #[must_use]
    pub const fn until(&self) -> Option<Time> {
        match self {
            Self::Quiet { until } | Self::Flapping { until, .. } => Some(*until),
            Self::Passed => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    Firing,
    Resolved,
    /// It holds, and a silence covers it.
    Suppressed,
}

impl AlertState {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Suppressed => "suppressed",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Firing, Self::Resolved, Self::Suppressed].into_iter().find(|state| state.name() == text)
    }
}

impl Alert {
    /// A newer one of its key takes its place: nothing is waited for any more.
    pub(super) fn given_way(self) -> Self {
        Self { hold: self.hold.filter(|hold| *hold == Hold::Passed), ..self }
    }

    /// Whether it still holds and nothing silences it.
    #[must_use]
    pub fn is_firing(&self, incident: Option<&Incident>) -> bool {
        self.state == AlertState::Firing && self.holds(incident)
    }

    /// Whether the condition still holds, silenced or not. When an incident is resolved its alerts' rows are not touched, however many they are:
    /// an alert is over unless it fired since.
    #[must_use]
    pub fn holds(&self, incident: Option<&Incident>) -> bool {
        let closed_at = incident.and_then(|incident| incident.closed_at);
        self.state != AlertState::Resolved && closed_at.is_none_or(|closed_at| self.fired_at > closed_at)
    }
}
