//! Alertmanager's API: who asks by which key, alerts that come in, and alerts as its clients know them.

use std::collections::{BTreeMap, BTreeSet};

use super::FlowError;
use super::access;
use super::house::House;
use super::ingest::{self, Door, IngestError};
use crate::base::failpoint;
use crate::base::id::{AlertId, Number, SilenceId};
use crate::base::inbound::Inbound;
use crate::base::time::{Span, Time};
use crate::base::viewer::Viewer;
use crate::domain::alert::{Alert, AlertState};
use crate::domain::inhibition::{self, Inhibitors};
use crate::domain::input::Actor;
use crate::domain::setup::Setup;
use crate::domain::silence::{Labelled as _, SilenceState};
use crate::sources::alertmanager_api::{self as source, ANNOTATION};
use crate::store;
use crate::store::read::HoldingAlert;

/// Whoever speaks to the API: an integration by its key, or a script by its token.
pub struct Asker {
    pub viewer: Viewer,
    /// Whose alerts may be sent; a token sends none.
    pub door: Option<Door>,
}

impl Asker {
    /// In whose name silences are made.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.viewer {
            Viewer::User { id, .. } | Viewer::Token { acts_as: Some(id), .. } => Actor::User(id.clone()),
            Viewer::Token { name, acts_as: None, .. } => Actor::Token(name.clone()),
            Viewer::Integration(id) => Actor::Integration(id.clone()),
            Viewer::Public => Actor::Reveille,
        }
    }

    /// Whether silences may be made and ended: an integration's own, or by a token that may respond.
    #[must_use]
    pub fn may_silence(&self) -> bool {
        matches!(self.viewer, Viewer::Integration(_)) || self.viewer.may_respond()
    }
}

/// Finds out who asks with this key or token. `None`: neither.
///
/// # Errors
/// The store's.
pub async fn asker(house: &House, secret: &str) -> Result<Option<Asker>, FlowError> {
    match ingest::open(house, source::NAME, secret) {
        Ok(door) => Ok(Some(Asker { viewer: Viewer::Integration(door.integration.id.clone()), door: Some(door) })),
        Err(IngestError::UnknownKey | IngestError::OtherSource(_) | IngestError::Unproven(_) | IngestError::CannotStore) => {
            let viewer = access::token_viewer(&house.store, &house.clock, secret).await?;
            Ok(viewer.map(|viewer| Asker { viewer, door: None }))
        }
    }
}

/// Makes alerts durable. What of the body cannot be read is an alert that says so, and the answer, as a sentence.
///
/// # Errors
/// [`IngestError::CannotStore`] when nothing was stored.
pub async fn post(house: &House, door: &Door, inbound: &Inbound) -> Result<Option<String>, IngestError> {
    let (signals, wrong) = ingest::read_aside(inbound, &door.integration, source::batch).await?;
    failpoint::reach("intake.read");
    ingest::accept(house, &door.integration, signals, inbound.body.clone(), None).await?;
    Ok(wrong)
}

/// Largest body taken, bytes.
#[must_use]
pub fn body_cap(door: &Door) -> usize {
    door.source.body_cap()
}

/// An alert as Alertmanager's clients know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub fingerprint: String,
    pub starts_at: Time,
    pub updated_at: Time,
    pub ends_at: Time,
    pub url: Option<String>,
    /// Its service's id.
    pub receiver: String,
    pub is_silenced: bool,
    pub silenced_by: Vec<SilenceId>,
    /// The fingerprints of the alerts that inhibit it; it may be silenced as well.
    pub inhibited_by: Vec<String>,
    pub incident: Option<Number>,
}

/// What holds, by fingerprint.
///
/// # Errors
/// The store's.
pub async fn alerts(house: &House, viewer: &Viewer) -> Result<Vec<Shown>, FlowError> {
    let now = house.clock.now();
    let mut reader = house.store.reader();
    let mut silences = store::silences_live(&mut reader).await?;
    silences.retain(|silence| silence.state(now) == SilenceState::Active);
    let holding = reader.alerts_holding(viewer).await?;
    let live = house.now_live();
    let sources = Sources::among(&live.setup, &holding);
    let shown = |held: HoldingAlert| {
        let is_silenced = held.alert.state == AlertState::Suppressed;
        let about = silences.iter().filter(|silence| is_silenced && silence.is_about(&held.alert));
        let silenced_by = about.map(|silence| silence.id.clone()).collect();
        let inhibited_by = if is_silenced { sources.of(&held.alert) } else { Vec::new() };
        Shown { silenced_by, inhibited_by, ..show(held, is_silenced, now) }
    };
    let mut alerts: Vec<Shown> = holding.into_iter().map(shown).collect();
    alerts.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
    Ok(alerts)
}

/// What inhibits, of all that holds, with the fingerprints by which its clients know it.
struct Sources<'a> {
    setup: &'a Setup,
    inhibitors: Inhibitors,
    fingerprints: BTreeMap<AlertId, String>,
}

impl<'a> Sources<'a> {
    fn among(setup: &'a Setup, holding: &[HoldingAlert]) -> Self {
        let sources = holding.iter().map(|held| &held.alert).filter(|alert| inhibition::is_source(setup, *alert));
        let (mut inhibitors, mut fingerprints) = (Inhibitors::new(), BTreeMap::new());
        for alert in sources {
            fingerprints.insert(alert.id.clone(), parts(alert).2);
            inhibitors.extend(inhibition::by(setup, alert));
        }
        Self { setup, inhibitors, fingerprints }
    }

    fn of(&self, alert: &Alert) -> Vec<String> {
        let sources = inhibition::all_of(self.setup, &self.inhibitors, alert);
        let named: BTreeSet<&String> = sources.filter_map(|source| self.fingerprints.get(&source.alert)).collect();
        named.into_iter().cloned().collect()
    }
}

/// Its labels, its annotations and its fingerprint, as its clients know them.
fn parts(alert: &Alert) -> (BTreeMap<String, String>, BTreeMap<String, String>, String) {
    let (annotations, mut labels): (BTreeMap<String, String>, BTreeMap<String, String>) =
        alert.labels.iter().map(|(name, value)| (name.clone(), value.clone())).partition(|(name, _)| name.starts_with(ANNOTATION));
    let mut annotations: BTreeMap<String, String> =
        annotations.into_iter().map(|(name, value)| (name[ANNOTATION.len()..].to_owned(), value)).collect();
    let fingerprint = if alert.source == source::NAME {
        alert.key.dedup_key.clone()
    } else {
        name_it(alert, &mut labels);
        annotations.entry("summary".to_owned()).or_insert_with(|| alert.title.clone());
        source::fingerprint(&labels)
    };
    (labels, annotations, fingerprint)
}

fn show(held: HoldingAlert, is_silenced: bool, now: Time) -> Shown {
    let HoldingAlert { alert, began_at, incident } = held;
    let (labels, annotations, fingerprint) = parts(&alert);
    Shown {
        labels,
        annotations,
        fingerprint,
        starts_at: began_at.unwrap_or(alert.fired_at),
        updated_at: alert.last_at,
        // Its clients want one: the time that Alertmanager would give it.
        ends_at: alert.ends_at.unwrap_or(now + Span::minutes(5)),
        url: alert.url,
        receiver: alert.service.to_string(),
        is_silenced,
        silenced_by: Vec::new(),
        inhibited_by: Vec::new(),
        incident,
    }
}

/// Other senders know no labels, or few: theirs are shown with those by which they can be silenced.
fn name_it(alert: &Alert, labels: &mut BTreeMap<String, String>) {
    for name in ["alertname", "severity", "service", "integration", "source"] {
        labels.entry(name.to_owned()).or_insert_with(|| alert.label(name).to_owned());
    }
    // Two conditions that say the same of themselves are two all the same.
    labels.entry("dedup_key".to_owned()).or_insert_with(|| alert.key.dedup_key.clone());
}
