//! Backups: one moment of either database, and back into either.

use std::collections::BTreeSet;

use reveille::flows::backup;
use reveille::store::{
    Claim, Snapshot, WriteLane, archive_holds, leases_take_back, repeat_claim, repeat_give_back, repeat_mark, repeat_verdict,
};

use crate::db::{Db, at};

/// Rows of many shapes: more than are read at once, keys of several columns, hostile texts, the largest numbers, nothing at all.
async fn fill(db: &Db) {
    for n in 0..1_203 {
        db.tamper(&format!(
            "INSERT INTO facts (seq, incident_id, at, kind, actor, body) VALUES ({n}, 'inc_{}', {}, 'note_added', 'ana', '{{\"text\":\"Zeile {n}\"}}')",
            n % 7,
            i64::MAX - n
        ))
        .await;
    }
    for n in 0..5 {
        for name in ["escalate", "lapse", "attend"] {
            db.tamper(&format!("INSERT INTO wakes (scope, id, name, nudge, due_at) VALUES ('incident', 'inc_{n}', '{name}', '', {n})"))
                .await;
        }
    }
    db.tamper("INSERT INTO settings (name, body) VALUES ('it''s \"odd\"', 'a\nb\tc \u{1b}[31m \u{1f525} \u{202e}')").await;
    db.tamper("INSERT INTO tokens (id, name, digest, scope, acts_as, created_at, last_used_at) VALUES ('tok_1', 'ci', 'd', 'read', NULL, 1, NULL)").await;
    db.tamper("INSERT INTO leases (name, owner, until) VALUES ('folder', 'here', 1)").await;
    db.tamper("INSERT INTO sign_in_links (digest, user_id, expires_at) VALUES ('link', 'ana', 1)").await;
    db.tamper("UPDATE counters SET value = 1203 WHERE name = 'seq'").await;
}

async fn backup_of(db: &Db) -> Vec<u8> {
    let mut file = Vec::new();
    let told = backup::write(&db.store, at(0), &mut file).await.expect("it is written");
    assert_eq!(backup::check(file.as_slice()).expect("it is whole"), told);
    file
}

/// The lines with rows; their order is each database's own.
fn rows(file: &[u8]) -> BTreeSet<String> {
    let text = std::str::from_utf8(file).expect("text");
    text.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
}

async fn there_and_back(from: &Db, to: &Db) {
    fill(from).await;
    let file = backup_of(from).await;
    let text = String::from_utf8(file.clone()).expect("text");
    for left_out in ["\"leases\"", "\"sessions\"", "\"sign_in_links\"", "_sqlx_migrations", "\"journal_home\""] {
        assert!(!text.contains(left_out), "{left_out}");
    }
    let told = backup::restore(&to.store, file.as_slice(), false).await.expect("it is restored");
    assert!(told.rows > 1_203 + 15, "{told:?}");
    assert_eq!(rows(&backup_of(to).await), rows(&file));

    // What it holds now is not lost by mistake, and is by intent.
    let refused = backup::restore(&to.store, file.as_slice(), false).await.expect_err("it holds something").to_string();
    assert!(refused.contains("--force"), "{refused}");
    to.tamper("INSERT INTO settings (name, body) VALUES ('later', 'x')").await;
    backup::restore(&to.store, file.as_slice(), true).await.expect("it is emptied first");
    assert_eq!(rows(&backup_of(to).await), rows(&file));
    let many = i64::MAX;
    to.tamper(&format!("INSERT INTO leases (name, owner, until) VALUES ('folder', 'there', {many})")).await;
    let refused = backup::restore(&to.store, file.as_slice(), true).await.expect_err("a server works on it").to_string();
    assert!(refused.contains("Stop it first"), "{refused}");
}

macro_rules! there_and_back {
    ($($name:ident: $from:ident, $to:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            let (from, to) = (Db::$from().await, Db::$to().await);
            there_and_back(&from, &to).await;
            from.end().await;
            to.end().await;
        }
    )*};
}

there_and_back! {
    from_sqlite_to_sqlite: sqlite, sqlite;
    from_sqlite_to_postgres: sqlite, postgres;
    from_postgres_to_postgres: postgres, postgres;
    from_postgres_to_sqlite: postgres, sqlite;
}

on_both! {
    async fn a_snapshot_is_one_moment(db: &Db) {
        fill(db).await;
        let mut snapshot = Snapshot::open(&db.store).await.expect("it opens");
        let facts = snapshot.tables().iter().find(|table| table.name == "facts").expect("the facts").clone();
        let first = snapshot.rows(&facts, None, 1_000).await.expect("rows");
        assert_eq!(first.len(), 1_000);
        db.tamper("DELETE FROM facts WHERE seq > 1100").await;
        db.tamper("INSERT INTO facts (seq, incident_id, at, kind, actor, body) VALUES (9999, 'inc_0', 0, 'note_added', 'ana', '{}')").await;
        let rest = snapshot.rows(&facts, first.last().map(Vec::as_slice), 1_000).await.expect("rows");
        assert_eq!(rest.len(), 203, "as it was when the snapshot was taken");
        snapshot.close().await.expect("it closes");
        let left = 1_102;
        assert_eq!(rows(&backup_of(db).await).iter().filter(|row| row.contains("note_added")).count(), left);
    }

    async fn a_new_database_holds_nothing(db: &Db) {
        let mut tx = db.begin().await;
        assert_eq!(archive_holds(&mut tx).await.expect("it answers"), None);
        drop(tx);
        assert!(db.store.migrations_waiting().await.expect("it answers").is_empty());
        reveille::store::database_writes(&db.store).await.expect("it takes writes");
    }

    async fn a_key_is_taken_once_and_what_was_decided_under_it_stays(db: &Db) {
        let claim = async |key: &str, body: &str| repeat_claim(&db.store, key, body, "here", at(0)).await.expect("it answers");
        assert_eq!(claim("k", "body").await, Claim::Ours);
        assert_eq!(claim("k", "body").await, Claim::UnderWay);
        assert_eq!(claim("k", "other").await, Claim::OtherBody);
        // A refusal gives it back.
        repeat_give_back(&db.store, "k").await.expect("it is given back");
        assert_eq!(claim("k", "other").await, Claim::Ours);
        // The process decides and dies before it answers: the lease runs out, and the next one finds the decision.
        let mut tx = db.store.begin(WriteLane::Page).await.expect("a transaction");
        assert_eq!(repeat_verdict(&mut tx, "k").await.expect("it answers"), None);
        repeat_mark(&mut tx, "k", "decided").await.expect("it is marked");
        tx.commit().await.expect("it commits");
        assert_eq!(claim("k", "other").await, Claim::UnderWay);
        leases_take_back(&db.store, "here").await.expect("the same owner starts again");
        assert_eq!(claim("k", "other").await, Claim::Ours);
        repeat_give_back(&db.store, "k").await.expect("what was decided stays");
        assert_eq!(claim("k", "other").await, Claim::Ours);
        let mut tx = db.store.begin(WriteLane::Page).await.expect("a transaction");
        assert_eq!(repeat_verdict(&mut tx, "k").await.expect("it answers"), Some("decided".to_owned()));
    }
}
