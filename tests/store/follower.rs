//! Followers: claimed by one, saved by its claim alone, due by the clock or by a fact.

use reveille::base::time::Time;
use reveille::domain::fact::What;
use reveille::store::{
    FollowerRow, Store, StoreError, WriteLane, facts_append, follower_add, follower_advance, follower_claim, follower_find, follower_list,
    follower_remove, follower_renew, follower_save, followers_due, followers_next_due, leases_take_back,
};

use crate::db::{Db, Ids, at, fact};

async fn add(db: &Db, name: &str, seq: i64) {
    let mut tx = db.begin().await;
    follower_add(&mut tx, name, seq).await.expect("it is added");
    tx.commit().await.expect("it commits");
}

async fn save(store: &Store, row: &FollowerRow) -> Result<(), StoreError> {
    let mut tx = store.begin(WriteLane::Rest).await?;
    follower_save(&mut tx, row).await?;
    tx.commit().await
}

async fn due(db: &Db, now: Time) -> Vec<String> {
    let due = followers_due(&db.store.reader(), "webhook:", now, 10).await.expect("they read");
    due.into_iter().map(|row| row.name).collect()
}

async fn facts(db: &Db, n: usize) {
    let incident = Ids::new().incident();
    let facts: Vec<_> = (0..n).map(|_| fact(&incident, 0, What::PolicyExhausted)).collect();
    let mut tx = db.begin().await;
    facts_append(&mut tx, &facts).await.expect("they are stored");
    tx.commit().await.expect("it commits");
}

on_both! {
    async fn a_follower_is_due_by_a_fact_or_by_the_clock(db: &Db) {
        add(db, "webhook:a", 0).await;
        add(db, "webhook:b", 2).await;
        add(db, "room:x", 0).await;
        assert!(due(db, at(0)).await.is_empty(), "there is no fact yet");
        facts(db, 2).await;
        assert_eq!(due(db, at(0)).await, ["webhook:a"], "b has told all two");
        facts(db, 1).await;
        assert_eq!(due(db, at(0)).await, ["webhook:a", "webhook:b"]);
        // A second one of the same name changes nothing.
        add(db, "webhook:b", 7).await;
        assert_eq!(follower_find(&db.store.reader(), "webhook:b").await.expect("it reads").map(|row| row.seq), Some(2));

        let mut a = follower_claim(&db.store, "webhook:a", "me", at(0)).await.expect("a claim").expect("it is free");
        assert_eq!((a.seq, a.state.as_str(), a.tries, a.done), (0, "{}", 0, false));
        (a.due_at, a.tries, a.state) = (at(10), 1, r#"{"note":1}"#.to_owned());
        save(&db.store, &a).await.expect("it is saved");
        assert_eq!(due(db, at(9)).await, ["webhook:b"]);
        assert!(follower_claim(&db.store, "webhook:a", "me", at(9)).await.expect("a claim").is_none(), "it is not due");
        assert_eq!(followers_next_due(&db.store.reader(), "webhook:").await.expect("it reads"), Some(at(10)));
        assert_eq!(due(db, at(10)).await, ["webhook:b", "webhook:a"]);
        let mut a = follower_claim(&db.store, "webhook:a", "me", at(10)).await.expect("a claim").expect("it is due");
        assert_eq!((a.tries, a.state.as_str()), (1, r#"{"note":1}"#));
        a.done = true;
        save(&db.store, &a).await.expect("it is saved");
        assert_eq!(due(db, at(20)).await, ["webhook:b"]);
        assert!(follower_claim(&db.store, "webhook:a", "me", at(20)).await.expect("a claim").is_none(), "it is done");
        let all = follower_list(&db.store.reader(), "webhook:").await.expect("they read");
        assert_eq!(all.iter().map(|row| (row.name.as_str(), row.done)).collect::<Vec<_>>(), [("webhook:a", true), ("webhook:b", false)]);
    }

    async fn one_at_a_time_tells_for_a_follower(db: &Db) {
        facts(db, 1).await;
        add(db, "webhook:a", 0).await;
        let mut mine = follower_claim(&db.store, "webhook:a", "me", at(0)).await.expect("a claim").expect("it is free");
        assert!(follower_claim(&db.store, "webhook:a", "you", at(0)).await.expect("a claim").is_none());
        assert!(follower_claim(&db.store, "webhook:a", "me", at(0)).await.expect("a claim").is_none(), "not even its owner, twice");
        assert!(due(db, at(0)).await.is_empty());
        assert!(follower_renew(&db.store, &mine).await.expect("it renews"));
        mine.seq = 1;
        let mut tx = db.begin().await;
        follower_advance(&mut tx, &mine).await.expect("it goes on");
        tx.commit().await.expect("it commits");
        assert!(follower_claim(&db.store, "webhook:a", "you", at(0)).await.expect("a claim").is_none(), "the claim is kept");

        db.tamper("UPDATE followers SET lease_until = 1").await;
        let mut yours = follower_claim(&db.store, "webhook:a", "me", at(0)).await.expect("a claim").expect("the lease has passed");
        assert_eq!(yours.seq, 1);
        assert!(!follower_renew(&db.store, &mine).await.expect("it asks"));
        mine.seq = 99;
        assert!(matches!(save(&db.store, &mine).await, Err(StoreError::Missing(_))), "an old claim writes nothing");
        yours.seq = 2;
        save(&db.store, &yours).await.expect("the new one does");
        assert!(matches!(save(&db.store, &yours).await, Err(StoreError::Missing(_))), "and its claim is over then");
        assert_eq!(follower_find(&db.store.reader(), "webhook:a").await.expect("it reads").map(|row| row.seq), Some(2));
        let mut tx = db.begin().await;
        follower_remove(&mut tx, "webhook:a").await.expect("it is removed");
        tx.commit().await.expect("it commits");
        assert!(follower_find(&db.store.reader(), "webhook:a").await.expect("it reads").is_none());
    }

    async fn the_claims_of_a_process_that_died_are_taken_back(db: &Db) {
        facts(db, 1).await;
        for name in ["webhook:a", "webhook:b"] {
            add(db, name, 0).await;
        }
        follower_claim(&db.store, "webhook:a", "me", at(0)).await.expect("a claim").expect("it is free");
        follower_claim(&db.store, "webhook:b", "mean", at(0)).await.expect("a claim").expect("it is free");
        leases_take_back(&db.store, "me").await.expect("they are taken back");
        // SQLite has one server, so that whatever was claimed was its own.
        let expected: &[&str] = if db.is_sqlite() { &["webhook:a", "webhook:b"] } else { &["webhook:a"] };
        assert_eq!(due(db, at(0)).await, expected);
    }
}
