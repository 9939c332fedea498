//! Silences: how they are kept, what they lock, and the alerts that may be theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reveille::base::id::{IntegrationId, SilenceId};
use reveille::base::viewer::Viewer;
use reveille::domain::alert::AlertState;
use reveille::domain::decide::{SetTimer, Wanted};
use reveille::domain::input::{Actor, Scope, Timer};
use reveille::domain::matcher::Matcher;
use reveille::domain::silence::Silence;
use reveille::store::{
    SilencePlace, SilenceRow, audit_silences, desk_load, desk_save, silence_change, silence_load, silence_note, silence_piece,
    silence_save, silences_count, silences_forget, silences_live, silences_lock, wake_set,
};

use crate::db::{Ids, alert, at, key, key_of, service};

fn row(id: &str, integration: Option<&str>, ends: i64) -> SilenceRow {
    let matchers = [r#"alertname="Disk 🔥""#, r#"host=~"db-\d+|a\"b""#];
    SilenceRow {
        silence: Silence {
            id: SilenceId::from_text(id),
            integration: integration.map(IntegrationId::from),
            matchers: matchers.map(Matcher::from).to_vec(),
            starts_at: at(0),
            ends_at: at(ends),
            created_by: "Ana".to_owned(),
            comment: "'; DROP TABLE silences; --".to_owned(),
            updated_at: at(1),
        },
        annotations: BTreeMap::from([("link".to_owned(), "x".to_owned())]),
        made_by: Actor::User("ana".into()),
    }
}

on_both! {
    /// What is saved is what is loaded, changed and listed; a key sees its own alone, and nobody sees a stranger's.
    async fn a_silence_loads_as_it_was_saved(db: &Db) {
        let (all, own) = (row("s1", None, 60), row("s2", Some("rollbar"), 90));
        let mut tx = db.begin().await;
        silence_save(&mut tx, &all).await.expect("it is saved");
        silence_save(&mut tx, &own).await.expect("it is saved");
        assert_eq!(silences_count(&mut tx).await.expect("they are counted"), 2);
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        let (loaded, place) = silence_load(&mut tx, &own.silence.id).await.expect("it loads").expect("it is there");
        assert_eq!((&loaded, place), (&own, SilencePlace::start()));
        assert!(loaded.silence.matchers[1].matches("db-17") && !loaded.silence.matchers[1].matches("a db-17"));
        let mut longer = silence_change(&mut tx, &own.silence.id).await.expect("it loads").expect("it is there");
        longer.silence.ends_at = at(120);
        silence_save(&mut tx, &longer).await.expect("it is saved");
        silence_note(&mut tx, &all.silence.id, &SilencePlace::Done, false).await.expect("it is noted");
        tx.commit().await.expect("it commits");
        let mut reader = db.store.reader();
        assert_eq!(silences_live(&mut reader).await.expect("they load"), [longer.silence.clone()]);
        let token = Viewer::Token { name: "t".to_owned(), scope: reveille::base::viewer::Scope::Read, acts_as: None };
        assert_eq!(reader.silences(&token).await.expect("they are listed"), [longer.clone(), all.clone()]);
        let key = |id: &str| Viewer::Integration(id.into());
        assert_eq!(reader.silences(&key("rollbar")).await.expect("they are listed"), [longer.clone()]);
        assert!(reader.silences(&key("other")).await.expect("they are listed").is_empty());
        assert_eq!(reader.silence(&key("rollbar"), &all.silence.id).await.expect("it asks"), None);
        assert_eq!(reader.silence(&Viewer::Public, &own.silence.id).await.expect("it asks"), None);
        // What is live stays, however old it is.
        let mut tx = db.begin().await;
        assert_eq!(silences_forget(&mut tx, at(1_000), 10).await.expect("they are forgotten"), 1);
        tx.commit().await.expect("it commits");
        assert_eq!(reader.silences(&token).await.expect("they are listed"), [longer]);
    }

    /// Pieces go past what fires and then past what is silenced, each alert once, and end.
    async fn the_alerts_are_looked_at_in_pieces(db: &Db) {
        let mut ids = Ids::new();
        let keys: BTreeSet<_> = (0..7).map(|n| key(&format!("k{n}"))).collect();
        let mut tx = db.begin().await;
        let before = desk_load(&mut tx, &keys, &BTreeSet::from([service()]), |_| Wanted::default()).await.expect("it loads");
        let mut after = before.clone();
        for (n, key) in keys.iter().enumerate() {
            let mut one = alert(ids.alert(), key.clone(), None);
            one.state = [AlertState::Firing, AlertState::Suppressed, AlertState::Resolved][n % 3];
            after.keys.extend([key_of(one)]);
        }
        desk_save(&mut tx, &before, &mut after, &[]).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        let (mut place, mut seen) = (SilencePlace::start(), Vec::new());
        while place != SilencePlace::Done {
            let (alerts, next) = silence_piece(&mut tx, &place, 2).await.expect("a piece");
            assert_ne!(next, place, "it moves on");
            seen.extend(alerts.into_iter().map(|alert| (alert.state.name(), alert.key.dedup_key)));
            place = next;
        }
        let wanted = [("firing", "k0"), ("firing", "k3"), ("firing", "k6"), ("suppressed", "k1"), ("suppressed", "k4")];
        assert_eq!(seen, wanted.map(|(state, key)| (state, key.to_owned())));
    }

    /// One that nothing wakes is found, and only until something does.
    async fn a_silence_that_nothing_wakes_is_found(db: &Db) {
        let mut tx = db.begin().await;
        let silence = row("s1", None, 60);
        silence_save(&mut tx, &silence).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        let id = silence.silence.id;
        assert_eq!(audit_silences(&db.store.reader()).await.expect("it looks"), std::slice::from_ref(&id));
        let mut tx = db.begin().await;
        let timer = SetTimer { scope: Scope::Silence(id), timer: Timer::Cover, due_at: Some(at(60)) };
        wake_set(&mut tx, &timer).await.expect("it is set");
        tx.commit().await.expect("it commits");
        assert!(audit_silences(&db.store.reader()).await.expect("it looks").is_empty());
    }

    /// Who changes a silence waits for all who decide with those that they saw, and a second change for the first.
    async fn a_change_waits_for_what_was_decided_before(db: &Db) {
        let mut deciding = db.begin().await;
        desk_load(&mut deciding, &BTreeSet::from([key("one")]), &BTreeSet::from([service()]), |_| Wanted::default()).await.expect("it loads");
        let changing = async {
            let mut tx = db.begin().await;
            silences_lock(&mut tx).await.expect("it is locked");
            tx
        };
        tokio::pin!(changing);
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut changing).await.is_err(), "it does not wait");
        deciding.commit().await.expect("it commits");
        let mut changing = tokio::time::timeout(Duration::from_secs(10), changing).await.expect("it goes on");
        silence_save(&mut changing, &row("s1", None, 60)).await.expect("it is saved");
        let next = async {
            let mut tx = db.begin().await;
            let desk = desk_load(&mut tx, &BTreeSet::from([key("one")]), &BTreeSet::from([service()]), |_| Wanted::default()).await.expect("it loads");
            desk.silences.len()
        };
        tokio::pin!(next);
        assert!(tokio::time::timeout(Duration::from_millis(200), &mut next).await.is_err(), "it does not wait");
        changing.commit().await.expect("it commits");
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), next).await.expect("it goes on"), 1, "it sees the change");
    }
}
