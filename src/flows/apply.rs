//! A configuration becomes the one in force.

use std::collections::{BTreeMap, BTreeSet};

use super::FlowError;
use crate::base::clock::Clock;
use crate::base::id::IntegrationId;
use crate::base::secret::{Sealer, Secret};
use crate::domain::setup::{Change, ChangeKind, Setup};
use crate::store::{self, ObjectKind, SavedSetup, Store, WriteLane};

/// A configuration as it was read, its secrets by name.
pub struct Wanted {
    pub setup: Setup,
    /// What is no object of the setup: the server's and the providers' settings, as JSON without secrets.
    pub settings: String,
    /// Every secret by its name, one or (while it is rotated) two values.
    pub secrets: BTreeMap<String, Vec<Secret>>,
    /// The keys of the integrations, one or two each.
    pub keys: Vec<(IntegrationId, Secret)>,
}

/// Makes the managed objects so, and retires managed ones that are gone from it. `false` when it was so already.
///
/// # Errors
/// The store's.
pub async fn apply(store: &Store, clock: &Clock, sealer: &Sealer, wanted: &Wanted) -> Result<bool, FlowError> {
    if !differs(store, sealer, wanted).await? {
        return Ok(false);
    }
    let mut closed = BTreeMap::new();
    for (name, values) in &wanted.secrets {
        let values: Vec<&str> = values.iter().map(Secret::expose).collect();
        let list = super::save::json("secret", &values)?;
        closed.insert(name.clone(), sealer.seal(&Secret::new(list)));
    }
    let keys: Vec<(String, IntegrationId)> = wanted.keys.iter().map(|(id, key)| (key.digest(), id.clone())).collect();
    let mut tx = store.begin(WriteLane::Rest).await?;
    store::setup_save(&mut tx, &wanted.setup, &wanted.settings, &closed, &keys, &managed(&wanted.setup), clock.now()).await?;
    tx.commit().await?;
    if let Err(error) = store::bell_ring(store, "setup").await {
        tracing::warn!(%error, "the other servers are not told at once; they look for themselves");
    }
    Ok(true)
}

/// Whether anything is otherwise than wanted: an object, a setting, a secret.
///
/// # Errors
/// The store's.
pub async fn differs(store: &Store, sealer: &Sealer, wanted: &Wanted) -> Result<bool, FlowError> {
    let saved = store::setup_load(&store.reader()).await?;
    let same_objects = saved.version > 0 && saved.setup == wanted.setup && saved.settings_json == wanted.settings;
    Ok(!(same_objects && same_secrets(sealer, &saved.secrets, &wanted.secrets)))
}

/// Opens what was sealed: each secret's values by its name.
///
/// # Errors
/// When the secret key is not the one they were sealed with.
pub fn open_secrets(sealer: &Sealer, closed: &BTreeMap<String, String>) -> Result<BTreeMap<String, Vec<Secret>>, FlowError> {
    let wrong = |name: &str, why: String| FlowError::Unreadable("secret", format!("{name}: {why}"));
    let mut secrets = BTreeMap::new();
    for (name, text) in closed {
        let list = sealer.unseal(text).map_err(|error| wrong(name, error.to_string()))?;
        let values: Vec<String> = serde_json::from_str(list.expose()).map_err(|_| wrong(name, "it is no list".to_owned()))?;
        secrets.insert(name.clone(), values.into_iter().map(Secret::new).collect());
    }
    Ok(secrets)
}

fn same_secrets(sealer: &Sealer, closed: &BTreeMap<String, String>, wanted: &BTreeMap<String, Vec<Secret>>) -> bool {
    open_secrets(sealer, closed).is_ok_and(|known| known == *wanted)
}

/// Which secrets of integrations would change, without their values. One that is new or retired is a change of its own.
#[must_use]
pub fn changed_secrets(sealer: &Sealer, saved: &SavedSetup, wanted: &Wanted) -> Vec<Change> {
    // Sealed with another key, all of them change, and that is said when they are opened.
    let Ok(known) = open_secrets(sealer, &saved.secrets) else { return Vec::new() };
    let names: BTreeSet<&String> = known.keys().chain(wanted.secrets.keys()).collect();
    let mut keys: BTreeMap<&str, BTreeSet<&'static str>> = BTreeMap::new();
    for name in names.into_iter().filter(|name| known.get(*name) != wanted.secrets.get(*name)) {
        let parts: Vec<&str> = name.split('/').collect();
        let ["integration", id, about, ..] = parts[..] else { continue };
        let is_in_both = |setup: &Setup| setup.integrations.contains_key(&IntegrationId::from(id));
        if is_in_both(&saved.setup) && is_in_both(&wanted.setup) {
            let about = ["key", "secret", "header", "basic", "hmac"].into_iter().find(|key| *key == about);
            keys.entry(id).or_default().extend(about);
        }
    }
    let changed = |(id, keys): (&str, BTreeSet<_>)| Change {
        what: ChangeKind::Changed,
        kind: "integration",
        id: id.to_owned(),
        keys: keys.into_iter().collect(),
    };
    keys.into_iter().map(changed).collect()
}

/// Every object of a file is the file's.
fn managed(setup: &Setup) -> BTreeSet<(ObjectKind, String)> {
    let users = setup.users.keys().map(|id| (ObjectKind::User, id.to_string()));
    let schedules = setup.schedules.keys().map(|id| (ObjectKind::Schedule, id.to_string()));
    let policies = setup.policies.keys().map(|id| (ObjectKind::Policy, id.to_string()));
    let services = setup.services.keys().map(|id| (ObjectKind::Service, id.to_string()));
    let integrations = setup.integrations.keys().map(|id| (ObjectKind::Integration, id.to_string()));
    users.chain(schedules).chain(policies).chain(services).chain(integrations).collect()
}
