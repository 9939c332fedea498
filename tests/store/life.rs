//! How a store lives and dies: lanes, dropped work, two processes, a power cut.

use reveille::base::id::{IdSource, JournalId};
use reveille::base::time::Time;
use reveille::store::{
    Filed, JournalRow, Store, StoreError, StoreOptions, WriteLane, answer_find, answer_save, attempt_insert, journal_add, journal_append,
    journal_pending,
};

use crate::db::{Db, Ids, ana, at, attempt, until};

fn row() -> JournalRow {
    JournalRow { id: JournalId::make(&mut IdSource::fresh(Time(0))), at: at(0), signals: 1, body: "{}".to_owned() }
}

on_both! {
    /// A page's transaction is served before fifty of the intake that came earlier; PostgreSQL gives it connections of its own.
    async fn a_page_goes_before_a_flood(db: &Db) {
        let held = db.begin().await;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut work = tokio::task::JoinSet::new();
        for n in 0..50 {
            let (store, tell) = (db.store.clone(), tell.clone());
            work.spawn(async move {
                let mut tx = store.begin(WriteLane::Intake).await.expect("it begins");
                journal_add(&mut tx, &Filed::first(row())).await.expect("it is written");
                tx.commit().await.expect("it commits");
                tell.send(n).expect("the test listens");
            });
        }
        if db.is_sqlite() {
            until("fifty wait", async || db.store.writers_waiting() == 50).await;
        }
        work.spawn({
            let store = db.store.clone();
            async move {
                let mut tx = store.begin(WriteLane::Page).await.expect("it begins");
                answer_save(&mut tx, "page", at(0), "").await.expect("it is written");
                tx.commit().await.expect("it commits");
                tell.send(50).expect("the test listens");
            }
        });
        if db.is_sqlite() {
            until("the page waits, too", async || db.store.writers_waiting() == 51).await;
            held.commit().await.expect("it commits");
            assert_eq!(told.recv().await, Some(50), "the page came last and is served first");
        } else {
            // The transaction that holds a connection of the others keeps no page waiting.
            while told.recv().await.expect("the page is told") != 50 {}
            held.commit().await.expect("it commits");
        }
        work.join_all().await;
        assert_eq!(journal_pending(&db.store.reader()).await.expect("it reads"), 50);
    }

    /// What was not committed is not there, whether it was dropped, rolled back or failed half way; and the writer is free again.
    async fn what_is_not_committed_leaves_nothing(db: &Db) {
        for lane in [WriteLane::Page, WriteLane::Intake, WriteLane::Rest] {
            let mut tx = db.store.begin(lane).await.expect("it begins");
            answer_save(&mut tx, "dropped", at(0), "").await.expect("it is written");
            drop(tx);
            let mut tx = db.store.begin(lane).await.expect("it begins");
            answer_save(&mut tx, "rolled back", at(0), "").await.expect("it is written");
            tx.rollback().await.expect("it rolls back");
        }
        let mut tx = db.begin().await;
        answer_save(&mut tx, "failed", at(0), "").await.expect("it is written");
        let twice = attempt(Ids::new().attempt(), &[]);
        attempt_insert(&mut tx, &ana(), &twice, &[]).await.expect("it is stored");
        // SQLite is asked no sooner than with the commit, and PostgreSQL at once; then the commit is refused as well.
        let insert = attempt_insert(&mut tx, &ana(), &twice, &[]).await;
        let commit = tx.commit().await;
        assert!(matches!((&insert, &commit), (Ok(()) | Err(StoreError::Refused(_)), Err(StoreError::Refused(_)))), "{insert:?} {commit:?}");
        let mut tx = db.begin().await;
        answer_save(&mut tx, "kept", at(0), "").await.expect("it is written");
        tx.commit().await.expect("it commits");
        for (name, is_there) in [("dropped", false), ("rolled back", false), ("failed", false), ("kept", true)] {
            assert_eq!(answer_find(&db.store.reader(), name).await.expect("it reads").is_some(), is_there, "{name}");
        }
    }

    /// Work that is given up at any point, as a request whose client has gone, never wedges the writer.
    async fn work_given_up_wedges_nothing(db: &Db) {
        let mut work = Vec::new();
        for n in 0..60 {
            let store = db.store.clone();
            let lane = [WriteLane::Page, WriteLane::Intake, WriteLane::Rest][n % 3];
            work.push(tokio::spawn(async move {
                let mut tx = store.begin(lane).await?;
                answer_save(&mut tx, &format!("given up {n}"), at(0), "").await?;
                answer_save(&mut tx, &format!("and more {n}"), at(0), "").await?;
                tx.commit().await
            }));
        }
        for (n, work) in work.iter().enumerate() {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            work.abort();
        }
        for work in work {
            if let Ok(done) = work.await {
                done.expect("what ran to its end is stored");
            }
        }
        for lane in [WriteLane::Page, WriteLane::Intake, WriteLane::Rest] {
            let mut tx = db.store.begin(lane).await.expect("the writer is free");
            answer_save(&mut tx, "kept", at(0), "").await.expect("it is written");
            tx.commit().await.expect("it commits");
        }
        // Each was committed whole or not at all.
        for n in 0..60 {
            let reader = db.store.reader();
            let first = answer_find(&reader, &format!("given up {n}")).await.expect("it reads").is_some();
            let second = answer_find(&reader, &format!("and more {n}")).await.expect("it reads").is_some();
            assert_eq!(first, second);
        }
    }

    /// A command writes beside a running server; migrating again changes nothing.
    async fn two_stores_share_a_database(db: &Db) {
        let beside = Store::open(&db.url, StoreOptions::default()).await.expect("a command opens it");
        beside.migrate().await.expect("nothing is left to do");
        let mut work = tokio::task::JoinSet::new();
        for store in [db.store.clone(), beside.clone()] {
            work.spawn(async move {
                for _ in 0..20 {
                    journal_append(&store, vec![Filed::first(row())]).await?;
                }
                Ok::<_, StoreError>(())
            });
        }
        while let Some(done) = work.join_next().await {
            done.expect("no panic").expect("both write");
        }
        assert_eq!(journal_pending(&beside.reader()).await.expect("it reads"), 40);
        beside.close().await;
    }

    /// A process that dies in a transaction leaves nothing of it, and all that it had committed.
    async fn a_killed_process_leaves_only_what_it_committed(db: &Db) {
        if db.is_sqlite() {
            db.store.close().await;
        }
        let me = std::env::current_exe().expect("this test is a file");
        let child = std::process::Command::new(me)
            .args(["--exact", "life::a_process_that_dies_in_a_transaction", "--nocapture"])
            .env("STORE_TEST_DIES_IN", &db.url)
            .output()
            .expect("it runs");
        assert!(!child.status.success(), "it was killed");
        let store = Store::open(&db.url, StoreOptions::default()).await.expect("the database opens again");
        let reader = store.reader();
        assert!(answer_find(&reader, "committed").await.expect("it reads").is_some());
        assert!(answer_find(&reader, "half").await.expect("it reads").is_none());
        let mut tx = store.begin(WriteLane::Page).await.expect("the writer is free");
        answer_save(&mut tx, "half", at(0), "").await.expect("it is written");
        tx.commit().await.expect("it commits");
        store.close().await;
    }
}

/// The process of the test above; without its variable there is nothing to die in.
#[tokio::test]
async fn a_process_that_dies_in_a_transaction() {
    let Ok(url) = std::env::var("STORE_TEST_DIES_IN") else { return };
    let store = Store::open(&url, StoreOptions::default()).await.expect("the database opens");
    let mut tx = store.begin(WriteLane::Rest).await.expect("it begins");
    answer_save(&mut tx, "committed", at(0), "").await.expect("it is written");
    tx.commit().await.expect("it commits");
    let mut tx = store.begin(WriteLane::Rest).await.expect("it begins");
    answer_save(&mut tx, "half", at(0), "").await.expect("it is written");
    std::process::abort();
}

#[tokio::test]
async fn a_second_server_on_one_file_is_refused() {
    let db = Db::sqlite().await;
    let second = Store::open_exclusive(&db.url, StoreOptions::default()).await;
    assert!(matches!(second, Err(StoreError::InUse(_))));
    let file = db.store.file().expect("SQLite has a file").to_owned();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).expect("it is there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let url = db.url.clone();
    db.store.close().await;
    let Db { store, folder, .. } = db;
    drop(store);
    Store::open_exclusive(&url, StoreOptions::default()).await.expect("the first server is gone");
    drop(folder);
}

#[tokio::test]
async fn an_address_that_is_none_is_told_apart() {
    for bad in ["mysql://root@host/x", "sqlite::memory:", "sqlite://x.db?mode=ro", ""] {
        assert!(matches!(Store::open(bad, StoreOptions::default()).await, Err(StoreError::Address(_))), "{bad}");
    }
    let missing = Store::open("sqlite:///nowhere/at/all.db?mode=rw", StoreOptions::default()).await;
    assert!(missing.is_err_and(|error| !error.is_retryable()));
}
