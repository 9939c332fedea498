//! A database of its own for each test, and the things that tests put into it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use reveille::base::id::{AlertId, AttemptId, ContactId, IdSource, IncidentId, IntegrationId, Number, PageId, PolicyId, ServiceId, UserId};
use reveille::base::time::{Span, Time};
use reveille::domain::alert::{Alert, AlertState, Key, KeyState};
use reveille::domain::decide::{Desk, Wanted};
use reveille::domain::effect::PageOf;
use reveille::domain::fact::{Fact, What};
use reveille::domain::incident::{Incident, IncidentState, Kind, OpenPage, Response, Run};
use reveille::domain::input::Actor;
use reveille::domain::novelty::Novelty;
use reveille::domain::person::{AttemptState, OpenAttempt};
use reveille::domain::setup::{AlertSeverity, ContactKind, Severity, Urgency};
use reveille::store::{Result, Store, StoreOptions, Tx, WriteLane, attempt_insert, desk_load, desk_load_incident, desk_save, facts_append};
use sqlx::{AnyConnection, Connection as _};
use tempfile::TempDir;

/// Runs each body once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($db:ident: &Db) $body:block)*) => {
        $($(#[$doc])* async fn $name($db: &$crate::db::Db) $body)*

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let db = $crate::db::Db::sqlite().await;
                super::$name(&db).await;
                db.end().await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let db = $crate::db::Db::postgres().await;
                super::$name(&db).await;
                db.end().await;
            })*
        }
    };
}

pub struct Db {
    pub store: Store,
    pub url: String,
    pub folder: Option<TempDir>,
    /// The server and the database made on it.
    made: Option<(String, String)>,
}

impl Db {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the database");
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("new folder/pages.db").display());
        let store = Store::open_exclusive(&url, StoreOptions::default()).await.expect("the file opens");
        store.migrate().await.expect("the tables are made");
        Self { store, url, folder: Some(folder), made: None }
    }

    pub async fn postgres() -> Self {
        let server = std::env::var("REVEILLE_TEST_POSTGRES").expect(
            "set REVEILLE_TEST_POSTGRES to the URL of a PostgreSQL server whose user may create databases, such as postgres://postgres@127.0.0.1:5432/postgres",
        );
        sqlx::any::install_default_drivers();
        let name = format!("store_{}", AlertId::make(&mut IdSource::fresh(Time(0))).as_str());
        let mut admin = AnyConnection::connect(&server).await.expect("the server of REVEILLE_TEST_POSTGRES answers");
        say(&mut admin, format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")).await;
        let (base, _) = server.rsplit_once('/').expect("the URL ends in a database");
        let url = format!("{base}/{name}");
        let store = Store::open_exclusive(&url, StoreOptions::default()).await.expect("the database opens");
        store.migrate().await.expect("the tables are made");
        Self { store, url, folder: None, made: Some((server, name)) }
    }

    pub fn is_sqlite(&self) -> bool {
        self.folder.is_some()
    }

    /// Writes what no function of the store writes, such as a lease that has run out.
    pub async fn tamper(&self, text: &str) {
        let mut own = AnyConnection::connect(&self.url).await.expect("the database opens");
        say(&mut own, text.to_owned()).await;
    }

    pub async fn end(self) {
        self.store.close().await;
        if let Some((server, name)) = self.made {
            let mut admin = AnyConnection::connect(&server).await.expect("the server answers");
            say(&mut admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    pub async fn begin(&self) -> Tx {
        self.store.begin(WriteLane::Rest).await.expect("a transaction begins")
    }
}

async fn say(connection: &mut AnyConnection, text: String) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(connection).await.expect("the statement runs");
}

/// Waits for what another task is about to do; gives up after ten seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let seen = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    });
    assert!(seen.await.is_ok(), "within ten seconds: {what}");
}

pub fn at(seconds: i64) -> Time {
    Time::from_seconds(1_700_000_000 + seconds)
}

/// Ids that grow in the order in which they are asked for.
pub struct Ids(i64);

impl Ids {
    pub const fn new() -> Self {
        Self(0)
    }

    fn next(&mut self) -> IdSource {
        self.0 += 1;
        IdSource::new(Time::from_millis(1_700_000_000_000 + self.0), 1)
    }

    pub fn incident(&mut self) -> IncidentId {
        IncidentId::make(&mut self.next())
    }

    pub fn alert(&mut self) -> AlertId {
        AlertId::make(&mut self.next())
    }

    pub fn page(&mut self) -> PageId {
        PageId::make(&mut self.next())
    }

    pub fn attempt(&mut self) -> AttemptId {
        AttemptId::make(&mut self.next())
    }
}

pub fn key(name: &str) -> Key {
    Key { integration: IntegrationId::from("rollbar"), dedup_key: name.to_owned() }
}

pub fn service() -> ServiceId {
    ServiceId::from("shop")
}

pub fn ana() -> UserId {
    UserId::from("ana")
}

pub fn incident(id: IncidentId) -> Incident {
    Incident {
        id,
        number: Number(0),
        service: service(),
        title: "the shop is down".to_owned(),
        kind: Kind::Real,
        response: Response { tasks: 2, ..Response::default() },
        severity: Severity::Sev1,
        state: IncidentState::Triggered,
        opened_at: at(0),
        joined_at: at(0),
        acknowledged_at: None,
        acknowledged_by: None,
        lapses_at: Some(at(1_800)),
        resolved_at: None,
        resolved_by: None,
        closed_at: Some(at(-60)),
        alerts_count: 1,
        firing_count: 1,
        epoch: 1,
        run: Some(Run {
            policy: PolicyId::from("day"),
            steps: Vec::new(),
            repeat: 2,
            urgency: Urgency::High,
            round: 0,
            step: 0,
            exhausted: false,
            next_at: Some(at(300)),
            spared: None,
        }),
        pages: Vec::new(),
    }
}

pub fn alert(id: AlertId, key: Key, incident: Option<IncidentId>) -> Alert {
    Alert {
        id,
        key,
        source: "rollbar".to_owned(),
        service: service(),
        title: "NoMethodError".to_owned(),
        severity: AlertSeverity::Critical,
        state: AlertState::Firing,
        count: 1,
        first_at: at(0),
        last_at: at(0),
        fired_at: at(0),
        resolved_at: None,
        incident,
        ends_at: Some(at(600)),
        hold: None,
        novelty: Novelty::default(),
        url: Some("https://example.org/1".to_owned()),
        labels: BTreeMap::from([("host".to_owned(), "web1".to_owned())]),
    }
}

pub fn key_of(alert: Alert) -> (Key, KeyState) {
    let state = KeyState { alert: Some(alert.clone()), changed_at: Some(at(0)), ..KeyState::new(alert.key.clone()) };
    (alert.key, state)
}

pub fn fact(incident: &IncidentId, seconds: i64, what: What) -> Fact {
    Fact { incident: incident.clone(), at: at(seconds), actor: Actor::Reveille, what }
}

/// Saves new incidents with a firing alert and a page to each user, and gives the desk as it reads afterwards.
pub async fn open_incident(db: &Db, ids: &mut Ids, name: &str, users: &[UserId]) -> (Incident, Vec<PageId>) {
    let mut tx = db.begin().await;
    let keys = BTreeSet::from([key(name)]);
    let before = desk_load(&mut tx, &keys, &BTreeSet::from([service()]), |_| Wanted::default()).await.expect("the desk loads");
    let mut after = before.clone();
    let id = ids.incident();
    let (new_key, state) = key_of(alert(ids.alert(), key(name), Some(id.clone())));
    after.keys.insert(new_key, state);
    let mut new = incident(id.clone());
    let mut facts = Vec::new();
    for user in users {
        let page = ids.page();
        new.pages.push(OpenPage { id: page.clone(), user: user.clone(), urgency: Urgency::High, failed: false });
        facts.push(fact(&id, 0, What::PageOpened { page, user: user.clone(), urgency: Urgency::High }));
    }
    after.incidents.insert(id.clone(), new);
    desk_save(&mut tx, &before, &mut after, &facts).await.expect("the desk is saved");
    facts_append(&mut tx, &facts).await.expect("the facts are stored");
    tx.commit().await.expect("it commits");
    let saved = after.incidents.remove(&id).expect("the incident is on the desk");
    let pages = saved.pages.iter().map(|page| page.id.clone()).collect();
    (saved, pages)
}

pub async fn load_incident(db: &Db, id: &IncidentId) -> Incident {
    let mut tx = db.begin().await;
    let desk = desk_load_incident(&mut tx, id).await.expect("the incident loads").expect("it is there");
    tx.rollback().await.expect("it rolls back");
    desk.incidents[id].clone()
}

/// Acknowledges inside the transaction, as a decision would: the pages end with it.
pub async fn acknowledge(tx: &mut Tx, id: &IncidentId) -> Result<()> {
    let before = desk_load_incident(tx, id).await?.expect("the incident is there");
    let (mut after, facts) = acknowledged(&before, id);
    desk_save(tx, &before, &mut after, &facts).await?;
    facts_append(tx, &facts).await?;
    Ok(())
}

pub fn acknowledged(before: &Desk, id: &IncidentId) -> (Desk, Vec<Fact>) {
    let mut after = before.clone();
    let incident = after.incidents.get_mut(id).expect("the incident is on the desk");
    incident.state = IncidentState::Acknowledged;
    incident.acknowledged_at = Some(at(60));
    incident.acknowledged_by = Some(Actor::User(ana()));
    let facts = incident
        .pages
        .drain(..)
        .map(|page| fact(id, 60, What::PageAnswered { page: page.id, user: page.user }))
        .chain([fact(id, 60, What::IncidentAcknowledged { lapses_at: Some(at(60) + Span::minutes(30)) })])
        .collect();
    (after, facts)
}

pub fn attempt(id: AttemptId, pages: &[PageId]) -> OpenAttempt {
    OpenAttempt {
        id,
        contact: ContactId::from("ana-phone"),
        kind: ContactKind::Voice,
        pages: pages.to_vec(),
        placed_at: at(1),
        state: AttemptState::Waiting,
        look_at: at(100),
        asked: 0,
        sent_before: 0,
        ending: false,
    }
}

/// Stores an attempt of ana's for these pages.
pub async fn place(db: &Db, ids: &mut Ids, incident: &IncidentId, pages: &[PageId]) -> AttemptId {
    let new = attempt(ids.attempt(), pages);
    let of: Vec<PageOf> = pages.iter().map(|page| PageOf { page: page.clone(), incident: incident.clone() }).collect();
    let mut tx = db.begin().await;
    attempt_insert(&mut tx, &ana(), &new, &of).await.expect("the attempt is stored");
    tx.commit().await.expect("it commits");
    new.id
}
