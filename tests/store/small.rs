//! The journal, the setup, access, counters and leases.

use std::collections::{BTreeMap, BTreeSet};

use reveille::base::id::{IdSource, IntegrationId, JournalId, TokenId};
use reveille::base::time::Span;
use reveille::base::viewer::{Role, Scope};
use reveille::domain::fact::What;
use reveille::domain::setup::{AlertSeverity, Budget, Contact, ContactKind, Integration, Policy, Service, Setup, User};
use reveille::store::{
    Filed, JournalRow, ObjectKind, Session, StoreError, Token, WriteLane, answer_find, answer_save, answers_forget, fact_last_seq,
    facts_after, facts_append, integration_find, journal_append, journal_delete, journal_pending, journal_take, lease_drop, lease_hold,
    link_create, link_use, session_create, session_end, session_find, sessions_end, setup_load, setup_save, setup_version, tally_add,
    tally_list, token_create, token_find, token_list, token_touch,
};

use crate::db::{Ids, ana, at, fact, open_incident, service};

fn journal_row(n: u128) -> JournalRow {
    let id = JournalId::make(&mut IdSource::new(at(0), n));
    JournalRow { id, at: at(0), signals: 3, body: "[\"🔥\"]".to_owned() }
}

fn setup() -> Setup {
    let user = User {
        id: ana(),
        name: "Ana 🔥".to_owned(),
        email: None,
        timezone: "Europe/Berlin".to_owned(),
        language: reveille::domain::setup::Language::De,
        slack: None,
        role: Role::Admin,
        contacts: vec![Contact { id: "ana-phone".into(), kind: ContactKind::Voice, to: "+15550001".to_owned(), closed: None }],
        rules: Vec::new(),
    };
    let policy = Policy { id: "day".into(), steps: Vec::new(), repeat: 1, storm: 10 };
    let integration = Integration {
        id: "rollbar".into(),
        source: "rollbar".to_owned(),
        service: service(),
        severity: AlertSeverity::Error,
        heartbeat: None,
        topics: Vec::new(),
        map: None,
        budget: Budget::default(),
    };
    Setup {
        users: BTreeMap::from([(ana(), user)]),
        schedules: BTreeMap::new(),
        policies: BTreeMap::from([("day".into(), policy)]),
        services: BTreeMap::from([(service(), Service::new(service(), "day".into()))]),
        integrations: BTreeMap::from([("rollbar".into(), integration)]),
        routes: Vec::new(),
        maintenance: Vec::new(),
        inhibitions: Vec::new(),
    }
}

on_both! {
    /// The journal gives the oldest first, and what a fold deleted is gone with its commit only.
    async fn the_journal_is_taken_oldest_first(db: &Db) {
        for n in [3, 1, 2] {
            journal_append(&db.store, vec![Filed::first(journal_row(n))]).await.expect("it is stored");
        }
        assert_eq!(journal_pending(&db.store.reader()).await.expect("it reads"), 3);
        let mut tx = db.begin().await;
        let taken = journal_take(&mut tx, 2, 100).await.expect("it takes");
        assert_eq!(taken, [journal_row(1), journal_row(2)]);
        journal_delete(&mut tx, &taken.iter().map(|row| row.id.clone()).collect::<Vec<_>>()).await.expect("it deletes");
        assert_eq!(journal_pending(&db.store.reader()).await.expect("it reads"), 3, "not before the commit");
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        assert_eq!(journal_take(&mut tx, 10, 100).await.expect("it takes"), [journal_row(3)]);
    }

    async fn answers_are_found_until_forgotten(db: &Db) {
        let mut tx = db.begin().await;
        answer_save(&mut tx, "old", at(0), "[1]").await.expect("it is kept");
        answer_save(&mut tx, "new", at(10), "[2]").await.expect("it is kept");
        answer_save(&mut tx, "new", at(11), "[3]").await.expect("it is kept");
        assert_eq!(answers_forget(&mut tx, at(5), 10).await.expect("it forgets"), 1);
        tx.commit().await.expect("it commits");
        assert_eq!(answer_find(&db.store.reader(), "old").await.expect("it reads"), None);
        assert_eq!(answer_find(&db.store.reader(), "new").await.expect("it reads").as_deref(), Some("[3]"));
    }

    /// The setup reads back; what left the file is retired, but a service with open incidents stays until they close.
    async fn the_setup_is_saved_and_retired(db: &Db) {
        let reader = db.store.reader();
        assert_eq!(setup_version(&reader).await.expect("it reads"), 0);
        let secrets = BTreeMap::from([("twilio.auth_token".to_owned(), "c2VhbGVk".to_owned())]);
        let managed: BTreeSet<(ObjectKind, String)> = [
            (ObjectKind::User, "ana"),
            (ObjectKind::Policy, "day"),
            (ObjectKind::Service, "shop"),
            (ObjectKind::Integration, "rollbar"),
        ]
        .map(|(kind, id)| (kind, id.to_owned()))
        .into();
        let keys = [("digest".to_owned(), IntegrationId::from("rollbar"))];
        let mut tx = db.begin().await;
        let version = setup_save(&mut tx, &setup(), "{\"port\":1}", &secrets, &keys, &managed, at(0)).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        assert_eq!(version, 1);
        let saved = setup_load(&reader).await.expect("it loads");
        assert_eq!((saved.version, saved.setup, saved.settings_json.as_str(), saved.secrets), (1, setup(), "{\"port\":1}", secrets));
        assert_eq!(integration_find(&reader, "digest").await.expect("it reads"), Some("rollbar".into()));

        let (open, _) = open_incident(db, &mut Ids::new(), "one", &[]).await;
        let mut smaller = setup();
        smaller.services.clear();
        smaller.policies.clear();
        smaller.integrations.clear();
        let mut tx = db.begin().await;
        setup_save(&mut tx, &smaller, "{}", &BTreeMap::new(), &[], &managed, at(1)).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        let saved = setup_load(&reader).await.expect("it loads");
        assert_eq!(saved.version, 2);
        assert_eq!(saved.setup.services.keys().collect::<Vec<_>>(), [&service()], "it has an open incident");
        assert_eq!(saved.setup.policies.len(), 1, "which needs its policy");
        assert!(saved.setup.integrations.is_empty() && saved.secrets.is_empty());
        assert_eq!(integration_find(&reader, "digest").await.expect("it reads"), None);

        db.tamper(&format!("UPDATE incidents SET state = 'resolved' WHERE id = '{}'", open.id)).await;
        assert_eq!(setup_load(&reader).await.expect("it loads").setup, smaller);
        let mut tx = db.begin().await;
        setup_save(&mut tx, &setup(), "{}", &BTreeMap::new(), &keys, &BTreeSet::new(), at(2)).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        assert_eq!(setup_load(&reader).await.expect("it loads").setup, setup(), "what came back is there again");
        let mut tx = db.begin().await;
        setup_save(&mut tx, &Setup::default(), "{}", &BTreeMap::new(), &[], &BTreeSet::new(), at(3)).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        assert_eq!(setup_load(&reader).await.expect("it loads").setup, setup(), "what the file does not manage stays");
    }

    async fn tokens_are_found_by_digest_and_show_their_use(db: &Db) {
        let token = |name: &str| Token {
            id: TokenId::make(&mut IdSource::fresh(at(0))),
            name: name.to_owned(),
            scope: Scope::Respond,
            acts_as: Some(ana()),
            created_at: at(0),
            last_used_at: None,
        };
        let (deploy, ci) = (token("deploy"), token("ci"));
        let mut tx = db.begin().await;
        token_create(&mut tx, &deploy, "d1").await.expect("it is made");
        token_create(&mut tx, &ci, "d2").await.expect("it is made");
        assert!(matches!(token_create(&mut tx, &token("deploy"), "d3").await, Err(StoreError::Exists(_))));
        tx.rollback().await.expect("it rolls back");
        let mut tx = db.begin().await;
        token_create(&mut tx, &deploy, "d1").await.expect("it is made");
        token_create(&mut tx, &ci, "d2").await.expect("it is made");
        tx.commit().await.expect("it commits");
        let reader = db.store.reader();
        assert_eq!(token_find(&reader, "d1").await.expect("it reads"), Some(deploy.clone()));
        assert_eq!(token_find(&reader, "d3").await.expect("it reads"), None);
        assert_eq!(token_list(&reader).await.expect("it reads"), [ci, deploy]);
        for (seconds, seen) in [(10, 10), (30, 10), (69, 10), (70, 70)] {
            let token = token_find(&reader, "d1").await.expect("it reads").expect("it is there");
            token_touch(&db.store, &token, at(seconds)).await.expect("it is noted");
            let token = token_find(&reader, "d1").await.expect("it reads").expect("it is there");
            assert_eq!(token.last_used_at, Some(at(seen)));
        }
    }

    async fn a_link_opens_one_session(db: &Db) {
        let mut tx = db.begin().await;
        link_create(&mut tx, "l1", &ana(), at(100)).await.expect("it is made");
        link_create(&mut tx, "l2", &ana(), at(10)).await.expect("it is made");
        assert_eq!(link_use(&mut tx, "l2", at(10)).await.expect("it asks"), None, "it has expired");
        assert_eq!(link_use(&mut tx, "l1", at(10)).await.expect("it asks"), Some(ana()));
        assert_eq!(link_use(&mut tx, "l1", at(10)).await.expect("it asks"), None, "it was used");
        let session = Session { user: ana(), role: Role::Admin, csrf: "c".to_owned(), created_at: at(10), expires_at: at(50), device: String::new() };
        for digest in ["s1", "s2", "s3"] {
            session_create(&mut tx, digest, &session).await.expect("it is made");
        }
        tx.commit().await.expect("it commits");
        let reader = db.store.reader();
        assert_eq!(session_find(&reader, "s1", at(49)).await.expect("it reads"), Some(session));
        assert_eq!(session_find(&reader, "s1", at(50)).await.expect("it reads"), None, "it has expired");
        let mut tx = db.begin().await;
        session_end(&mut tx, "s1").await.expect("it ends");
        tx.commit().await.expect("it commits");
        assert_eq!(session_find(&reader, "s1", at(20)).await.expect("it reads"), None);
        assert!(session_find(&reader, "s2", at(20)).await.expect("it reads").is_some());
        let mut tx = db.begin().await;
        sessions_end(&mut tx, &ana()).await.expect("they end");
        tx.commit().await.expect("it commits");
        assert_eq!(session_find(&reader, "s2", at(20)).await.expect("it reads"), None);
    }

    async fn tallies_add_up(db: &Db) {
        let rollbar = IntegrationId::from("rollbar");
        for n in 1..=2 {
            let mut tx = db.begin().await;
            let add = BTreeMap::from([((rollbar.clone(), "accepted"), 10 * n), ((rollbar.clone(), "repeated"), n)]);
            tally_add(&mut tx, &add, at(0)).await.expect("it adds");
            tx.commit().await.expect("it commits");
        }
        let sums = tally_list(&db.store.reader()).await.expect("it reads");
        assert_eq!(sums, BTreeMap::from([((rollbar.clone(), "accepted".to_owned()), 30), ((rollbar, "repeated".to_owned()), 3)]));
    }

    /// A role is one holder's until its span has passed in the database's time.
    async fn a_role_has_one_holder(db: &Db) {
        let hold = async |owner: &str, span| lease_hold(&db.store, "folder", owner, span).await.expect("it asks");
        assert!(hold("a", Span::hours(1)).await);
        assert!(!hold("b", Span::hours(1)).await);
        assert!(hold("a", Span(-1)).await, "its holder may renew it, here with a span that is over at once");
        assert!(hold("b", Span::hours(1)).await);
        assert!(!hold("a", Span::hours(1)).await);
        lease_drop(&db.store, "folder", "a").await.expect("it drops");
        assert!(!hold("a", Span::hours(1)).await, "only the holder drops it");
        lease_drop(&db.store, "folder", "b").await.expect("it drops");
        assert!(hold("a", Span::hours(1)).await);
        reveille::store::leases_take_back(&db.store, "a").await.expect("it takes back");
        assert!(hold("b", Span::hours(1)).await);
    }

    /// A reader that always goes on from the last number it saw misses no fact, however many transactions commit at once.
    async fn facts_become_visible_in_their_order(db: &Db) {
        let mut ids = Ids::new();
        let (incident, _) = open_incident(db, &mut ids, "one", &[]).await;
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let (store, id) = (db.store.clone(), incident.id.clone());
            writers.spawn(async move {
                for round in 0..10 {
                    let lane = if writer % 2 == 0 { WriteLane::Page } else { WriteLane::Rest };
                    let mut tx = store.begin(lane).await?;
                    let facts = vec![fact(&id, round, What::IncidentEscalated); 1 + usize::try_from(round % 5).unwrap_or(0)];
                    facts_append(&mut tx, &facts).await?;
                    // Some take their numbers and then give up; those numbers are given again.
                    if round % 4 == 3 { tx.rollback().await? } else { tx.commit().await? }
                }
                Ok::<_, StoreError>(())
            });
        }
        let mut seen = Vec::new();
        loop {
            let is_over = writers.is_empty();
            let last = seen.last().copied().unwrap_or(0);
            seen.extend(facts_after(&db.store.reader(), last, 7).await.expect("it reads").iter().map(|row| row.seq));
            let last = fact_last_seq(&db.store.reader()).await.expect("it reads");
            if is_over && seen.last() == Some(&last) {
                break;
            }
            while let Some(done) = writers.try_join_next() {
                done.expect("no panic").expect("it writes");
            }
        }
        assert_eq!(seen, (1..=i64::try_from(seen.len()).expect("few")).collect::<Vec<_>>());
        // Rounds 3 and 7 are given up; the others hold 1, 2, 3, 5, 1, 2, 4, 5 facts.
        assert_eq!(seen.len(), 8 * 23);
    }

    async fn a_fact_reads_back_whole(db: &Db) {
        let mut ids = Ids::new();
        let (incident, _) = open_incident(db, &mut ids, "one", &[]).await;
        let mut told = fact(&incident.id, 7, What::AlertsJoined { count: 2, titles: vec!["nul \0 🔥".to_owned()] });
        told.actor = reveille::domain::input::Actor::Integration("rollbar".into());
        let mut tx = db.begin().await;
        let many = vec![told.clone(); 300];
        assert_eq!(facts_append(&mut tx, &[]).await.expect("it appends"), None);
        assert_eq!(facts_append(&mut tx, &many).await.expect("it appends"), Some(300));
        tx.commit().await.expect("it commits");
        let rows = facts_after(&db.store.reader(), 299, 10).await.expect("it reads");
        assert_eq!(rows.iter().map(|row| (row.seq, &row.fact)).collect::<Vec<_>>(), [(300, &told)]);
    }
}
