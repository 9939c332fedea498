//! The configured objects, the sealed secrets and the integrations' keys. The database is the truth; a file makes it so.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{Result, StoreError};
use super::fact::counter_add;
use super::read::Reader;
use super::sql::{Columns as _, LIST, list, pieces, sql, sql_made, to_json};
use super::tx::Tx;
use crate::base::id::IntegrationId;
use crate::base::time::Time;
use crate::domain::setup::{Policy, Setup};

/// The name under which the routing rules rest.
const ROUTES: &str = "routes";
/// And the maintenance windows.
const MAINTENANCE: &str = "maintenance";
/// And the rules of inhibition.
const INHIBITIONS: &str = "inhibitions";

/// The kinds of configured objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    User,
    Schedule,
    Policy,
    Service,
    Integration,
}

impl ObjectKind {
    pub const ALL: [Self; 5] = [Self::User, Self::Schedule, Self::Policy, Self::Service, Self::Integration];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Schedule => "schedule",
            Self::Policy => "policy",
            Self::Service => "service",
            Self::Integration => "integration",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text)
    }
}

/// What was applied last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedSetup {
    /// Grows with every save; 0 before the first.
    pub version: i64,
    pub setup: Setup,
    /// The settings that are no objects, as they were saved.
    pub settings_json: String,
    /// By name, still sealed.
    pub secrets: BTreeMap<String, String>,
}

/// Makes the database so: the objects of `setup` are there as given, those named in `managed` belong to the file, and what belonged to
/// the file and is in it no more is retired. Secrets and the keys of these integrations are replaced whole. Gives the new version.
///
/// # Errors
/// As every call of the database.
pub async fn setup_save(
    tx: &mut Tx,
    setup: &Setup,
    settings_json: &str,
    secrets: &BTreeMap<String, String>,
    keys: &[(String, IntegrationId)],
    managed: &BTreeSet<(ObjectKind, String)>,
    now: Time,
) -> Result<i64> {
    // First of all: its row keeps two that apply at once apart.
    let version = counter_add(tx, "setup", 1).await?;
    let objects = objects_of(setup);
    let mut retired = Vec::new();
    for row in tx.rows(sql("SELECT kind, id FROM objects WHERE managed = 1 AND retired_at IS NULL")).await? {
        let object = (row.word("kind", ObjectKind::parse)?, row.text("id")?);
        if !objects.contains_key(&object) {
            retired.push(object);
        }
    }
    for (kind, id) in &retired {
        let retire = sql("UPDATE objects SET retired_at = $3 WHERE kind = $1 AND id = $2");
        tx.execute(retire.text(kind.name()).text(id).time(now)).await?;
    }
    let rows: Vec<_> = objects.iter().collect();
    for rows in pieces(&rows) {
        let save = format!(
            "INSERT INTO objects (kind, id, body, managed) VALUES {} \
             ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, managed = excluded.managed, retired_at = NULL",
            tx.tuples(rows.len(), 4)
        );
        let save = rows.iter().fold(sql_made(save), |save, (object, body)| {
            save.text(object.0.name()).text(&object.1).text(body).flag(managed.contains(object))
        });
        tx.execute(save).await?;
    }
    // The rules are a list of their own, in their order; the version before looks for its own name alone and runs on beside it.
    let lists = [
        ("file", settings_json),
        (ROUTES, &to_json(&setup.routes)),
        (MAINTENANCE, &to_json(&setup.maintenance)),
        (INHIBITIONS, &to_json(&setup.inhibitions)),
    ];
    for (name, body) in lists {
        let save = sql("INSERT INTO settings (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = excluded.body");
        tx.execute(save.text(name).text(body)).await?;
    }
    secrets_save(tx, secrets).await?;
    let gone = retired.iter().filter(|(kind, _)| *kind == ObjectKind::Integration).map(|(_, id)| id.as_str());
    let integrations: Vec<&str> = setup.integrations.keys().map(IntegrationId::as_str).chain(gone).collect();
    keys_save(tx, &integrations, keys).await?;
    Ok(version)
}

fn objects_of(setup: &Setup) -> BTreeMap<(ObjectKind, String), String> {
    fn add<'a, T: Serialize + 'a>(
        objects: &mut BTreeMap<(ObjectKind, String), String>,
        kind: ObjectKind,
        all: impl Iterator<Item = (&'a str, &'a T)>,
    ) {
        objects.extend(all.map(|(id, object)| ((kind, id.to_owned()), to_json(object))));
    }
    let mut objects = BTreeMap::new();
    add(&mut objects, ObjectKind::User, setup.users.iter().map(|(id, object)| (id.as_str(), object)));
    add(&mut objects, ObjectKind::Schedule, setup.schedules.iter().map(|(id, object)| (id.as_str(), object)));
    add(&mut objects, ObjectKind::Policy, setup.policies.iter().map(|(id, object)| (id.as_str(), object)));
    add(&mut objects, ObjectKind::Service, setup.services.iter().map(|(id, object)| (id.as_str(), object)));
    add(&mut objects, ObjectKind::Integration, setup.integrations.iter().map(|(id, object)| (id.as_str(), object)));
    objects
}

async fn secrets_save(tx: &mut Tx, secrets: &BTreeMap<String, String>) -> Result<()> {
    tx.execute(sql("DELETE FROM secrets")).await?;
    let rows: Vec<_> = secrets.iter().collect();
    for rows in pieces(&rows) {
        let save = format!("INSERT INTO secrets (name, sealed) VALUES {}", tx.tuples(rows.len(), 2));
        let save = rows.iter().fold(sql_made(save), |save, (name, sealed)| save.text(name).text(sealed));
        tx.execute(save).await?;
    }
    Ok(())
}

async fn keys_save(tx: &mut Tx, integrations: &[&str], keys: &[(String, IntegrationId)]) -> Result<()> {
    for ids in integrations.chunks(LIST) {
        let delete = format!("DELETE FROM integration_keys WHERE integration IN ({})", list(1, ids.len()));
        tx.execute(sql_made(delete).texts(ids)).await?;
    }
    // A digest given twice is one row; that two integrations share a key, the file's reader has refused before.
    let keys: BTreeMap<&str, &IntegrationId> = keys.iter().map(|(digest, id)| (digest.as_str(), id)).collect();
    let rows: Vec<_> = keys.into_iter().collect();
    for rows in pieces(&rows) {
        let save = format!(
            "INSERT INTO integration_keys (digest, integration) VALUES {} \
             ON CONFLICT (digest) DO UPDATE SET integration = excluded.integration",
            tx.tuples(rows.len(), 2)
        );
        let save = rows.iter().fold(sql_made(save), |save, (digest, id)| save.text(digest).text(id.as_str()));
        tx.execute(save).await?;
    }
    Ok(())
}

/// The version of what was applied last; 0 before the first.
///
/// # Errors
/// As every call of the database.
pub async fn setup_version(reader: &Reader) -> Result<i64> {
    let rows = reader.rows(sql("SELECT value FROM counters WHERE name = 'setup'")).await?;
    rows.first().ok_or(StoreError::Missing("counter"))?.int("value")
}

/// Loads what was applied last. A retired service is still in it while it has open incidents, and so is its policy.
///
/// # Errors
/// As every call of the database; [`StoreError::Busy`] when it kept changing meanwhile.
pub async fn setup_load(reader: &Reader) -> Result<SavedSetup> {
    // The reads are statements of their own: an equal version after them says that they belong together.
    for _ in 0..5 {
        let version = setup_version(reader).await?;
        let saved = SavedSetup {
            version,
            setup: objects_load(reader).await?,
            settings_json: settings_load(reader, "file").await?,
            secrets: secrets_load(reader).await?,
        };
        if setup_version(reader).await? == version {
            return Ok(saved);
        }
    }
    Err(StoreError::Busy("the setup changed while it was read".to_owned()))
}

async fn objects_load(reader: &Reader) -> Result<Setup> {
    let find = sql("SELECT kind, id, body, retired_at, CASE WHEN kind = 'service' AND retired_at IS NOT NULL AND EXISTS \
                    (SELECT 1 FROM incidents i WHERE i.service = objects.id AND i.state IN ('triggered', 'acknowledged')) \
                    THEN CAST(1 AS BIGINT) ELSE 0 END AS busy FROM objects ORDER BY kind, id");
    let mut setup = Setup::default();
    let mut retired_policies: BTreeMap<String, Policy> = BTreeMap::new();
    for row in reader.rows(find).await? {
        fn read<T: DeserializeOwned>(row: &sqlx::any::AnyRow) -> Result<T> {
            row.json("body")
        }
        let kind = row.word("kind", ObjectKind::parse)?;
        let is_retired = row.maybe_time("retired_at")?.is_some();
        if is_retired && kind == ObjectKind::Policy {
            retired_policies.insert(row.text("id")?, read(&row)?);
        }
        if is_retired && row.int("busy")? == 0 {
            continue;
        }
        let id = row.text("id")?;
        match kind {
            ObjectKind::User => {
                setup.users.insert(id.as_str().into(), read(&row)?);
            }
            ObjectKind::Schedule => {
                setup.schedules.insert(id.as_str().into(), read(&row)?);
            }
            ObjectKind::Policy => {
                setup.policies.insert(id.as_str().into(), read(&row)?);
            }
            ObjectKind::Service => {
                setup.services.insert(id.as_str().into(), read(&row)?);
            }
            ObjectKind::Integration => {
                setup.integrations.insert(id.as_str().into(), read(&row)?);
            }
        }
    }
    let rows = reader.rows(sql("SELECT body FROM settings WHERE name = $1").text(ROUTES)).await?;
    setup.routes = rows.first().map(|row| row.json("body")).transpose()?.unwrap_or_default();
    let rows = reader.rows(sql("SELECT body FROM settings WHERE name = $1").text(MAINTENANCE)).await?;
    setup.maintenance = rows.first().map(|row| row.json("body")).transpose()?.unwrap_or_default();
    let rows = reader.rows(sql("SELECT body FROM settings WHERE name = $1").text(INHIBITIONS)).await?;
    setup.inhibitions = rows.first().map(|row| row.json("body")).transpose()?.unwrap_or_default();
    for policy in setup.services.values().map(|service| service.policy.clone()).collect::<BTreeSet<_>>() {
        if let Some(retired) = retired_policies.remove(policy.as_str()) {
            setup.policies.insert(policy, retired);
        }
    }
    Ok(setup)
}

async fn settings_load(reader: &Reader, name: &str) -> Result<String> {
    let rows = reader.rows(sql("SELECT body FROM settings WHERE name = $1").text(name)).await?;
    rows.first().map_or_else(|| Ok(String::new()), |row| row.text("body"))
}

async fn secrets_load(reader: &Reader) -> Result<BTreeMap<String, String>> {
    let rows = reader.rows(sql("SELECT name, sealed FROM secrets")).await?;
    rows.iter().map(|row| Ok((row.text("name")?, row.text("sealed")?))).collect()
}

/// Whose key this is.
///
/// # Errors
/// As every call of the database.
pub async fn integration_find(reader: &Reader, key_digest: &str) -> Result<Option<IntegrationId>> {
    let rows = reader.rows(sql("SELECT integration FROM integration_keys WHERE digest = $1").text(key_digest)).await?;
    rows.first().map(|row| Ok(IntegrationId::from_text(row.text("integration")?))).transpose()
}
