//! Keys, alerts, incidents and their pages; persons and what they are tried with.

use std::collections::BTreeSet;

use reveille::base::id::{ContactId, IntegrationId, Number, ServiceId, UserId};
use reveille::domain::alert::{EarlyResolve, Key, KeyState};
use reveille::domain::decide::Wanted;
use reveille::domain::fact::What;
use reveille::domain::incident::IncidentState;
use reveille::domain::input::Actor;
use reveille::domain::person::{AttemptState, Chain, Planned};
use reveille::domain::reason::Reason;
use reveille::domain::setup::Urgency;
use reveille::store::{attempt_insert, desk_load, desk_load_incident, desk_save, person_load, person_save};

use crate::db::{Ids, acknowledge, alert, ana, at, attempt, fact, incident, key, key_of, load_incident, open_incident, service};

on_both! {
    /// What a decision saved is what the next one loads.
    async fn a_desk_loads_as_it_was_saved(db: &Db) {
        let mut ids = Ids::new();
        let mut tx = db.begin().await;
        let keys = BTreeSet::from([key("one"), key("two"), key("early")]);
        let services = BTreeSet::from([service()]);
        let before = desk_load(&mut tx, &keys, &services, |_| Wanted::default()).await.expect("an empty desk loads");
        assert!(before.keys.is_empty() && before.incidents.is_empty() && before.newest.is_empty());
        let mut after = before.clone();
        let id = ids.incident();
        after.keys.extend([key_of(alert(ids.alert(), key("one"), Some(id.clone()))), key_of(alert(ids.alert(), key("two"), None))]);
        let early = EarlyResolve { at: at(5), came_at: at(6) };
        after.keys.insert(key("early"), KeyState { early_resolve: Some(early), ..KeyState::new(key("early")) });
        after.incidents.insert(id.clone(), incident(id.clone()));
        desk_save(&mut tx, &before, &mut after, &[]).await.expect("the desk is saved");
        assert_eq!(after.incidents[&id].number, Number(1));
        tx.commit().await.expect("it commits");

        let mut tx = db.begin().await;
        let loaded = desk_load(&mut tx, &keys, &services, |_| Wanted::default()).await.expect("the desk loads");
        assert_eq!(loaded.keys, after.keys);
        assert_eq!(loaded.incidents, after.incidents);
        assert_eq!(loaded.newest[&service()], id);
        let mut counted = loaded.clone();
        let repeated = counted.keys.get_mut(&key("one")).and_then(|key| key.alert.as_mut()).expect("the alert is there");
        (repeated.count, repeated.last_at) = (200, at(9));
        desk_save(&mut tx, &loaded, &mut counted, &[]).await.expect("the desk is saved");
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        assert_eq!(desk_load(&mut tx, &keys, &services, |_| Wanted::default()).await.expect("the desk loads").keys, counted.keys);
    }

    /// The newest open incident is found past a newer one that is resolved, and numbers grow by one.
    async fn the_newest_open_incident_is_on_the_desk(db: &Db) {
        let mut ids = Ids::new();
        let (first, _) = open_incident(db, &mut ids, "one", &[]).await;
        let (second, _) = open_incident(db, &mut ids, "two", &[]).await;
        assert_eq!((first.number, second.number), (Number(1), Number(2)));
        let mut tx = db.begin().await;
        let before = desk_load_incident(&mut tx, &second.id).await.expect("it loads").expect("it is there");
        let mut after = before.clone();
        let resolved = after.incidents.get_mut(&second.id).expect("it is on the desk");
        (resolved.state, resolved.resolved_at, resolved.resolved_by) =
            (IncidentState::Resolved, Some(at(9)), Some(Actor::Token("deploy".to_owned())));
        resolved.run = None;
        desk_save(&mut tx, &before, &mut after, &[]).await.expect("the desk is saved");
        tx.commit().await.expect("it commits");
        assert_eq!(load_incident(db, &second.id).await, after.incidents[&second.id]);
        let mut tx = db.begin().await;
        let desk = desk_load(&mut tx, &BTreeSet::new(), &BTreeSet::from([service(), ServiceId::from("other")]), |_| Wanted::default()).await.expect("it loads");
        assert_eq!(desk.newest[&service()], first.id);
        assert_eq!(desk.newest.len(), 1);
        assert_eq!(desk_load_incident(&mut tx, &ids.incident()).await.expect("it asks"), None);
    }

    /// More keys than the largest statement, of two senders, and texts that databases dislike.
    async fn many_keys_and_odd_texts_come_back(db: &Db) {
        let mut ids = Ids::new();
        let mut keys: BTreeSet<Key> = (0..300).map(|n| key(&format!("key {n}"))).collect();
        keys.insert(Key { integration: IntegrationId::from("other"), dedup_key: "key 1".to_owned() });
        let odd = ["nul \0 here", "🔥 ümlaut \u{202e} '; DROP TABLE alerts; -- %_ $1", "\"\\{}\n"];
        keys.extend(odd.iter().map(|name| key(name)));
        let mut tx = db.begin().await;
        let before = desk_load(&mut tx, &keys, &BTreeSet::from([service()]), |_| Wanted::default()).await.expect("it loads");
        let mut after = before.clone();
        for key in &keys {
            let mut new = alert(ids.alert(), key.clone(), None);
            new.title = format!("title of {}", key.dedup_key);
            new.labels.insert(key.dedup_key.clone(), key.dedup_key.clone());
            let (key, state) = key_of(new);
            after.keys.insert(key, state);
        }
        desk_save(&mut tx, &before, &mut after, &[]).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        let loaded = desk_load(&mut tx, &keys, &BTreeSet::from([service()]), |_| Wanted::default()).await.expect("it loads");
        assert_eq!(loaded.keys.len(), 304);
        for (key, state) in &loaded.keys {
            let (old, new) = (after.keys[key].alert.as_ref().expect("an alert"), state.alert.as_ref().expect("an alert"));
            assert_eq!(new.labels, old.labels, "JSON keeps every sign");
            assert_eq!(new.title, old.title.replace('\0', "\u{fffd}"));
            assert_eq!(new.id, old.id);
        }
    }

    /// Two keys that are one row in the database are saved without a quarrel.
    async fn keys_that_differ_only_in_nul_are_folded(db: &Db) {
        let mut ids = Ids::new();
        let mut tx = db.begin().await;
        let keys = BTreeSet::from([key("a\0"), key("a\u{fffd}")]);
        let before = desk_load(&mut tx, &keys, &BTreeSet::new(), |_| Wanted::default()).await.expect("it loads");
        let mut after = before.clone();
        for key in &keys {
            let (key, state) = key_of(alert(ids.alert(), key.clone(), None));
            after.keys.insert(key, state);
        }
        desk_save(&mut tx, &before, &mut after, &[]).await.expect("it is saved");
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        assert_eq!(desk_load(&mut tx, &keys, &BTreeSet::new(), |_| Wanted::default()).await.expect("it loads").keys.len(), 1);
    }

    /// Facts about pages become rows of pages, and a page opened and ended by one decision is one row.
    async fn facts_open_restart_and_end_pages(db: &Db) {
        let mut ids = Ids::new();
        let bo = UserId::from("bo");
        let (opened, pages) = open_incident(db, &mut ids, "one", &[ana(), bo.clone()]).await;
        assert_eq!(load_incident(db, &opened.id).await, opened);

        let mut tx = db.begin().await;
        let before = desk_load_incident(&mut tx, &opened.id).await.expect("it loads").expect("it is there");
        let mut after = before.clone();
        let brief = ids.page();
        let again = |page: usize, user: &UserId, seconds: i64| {
            fact(&opened.id, seconds, What::PageRestarted { page: pages[page].clone(), user: user.clone(), urgency: Urgency::Low })
        };
        let facts = [
            again(0, &ana(), 20),
            again(0, &ana(), 30),
            fact(&opened.id, 30, What::PageEnded { page: pages[1].clone(), user: bo.clone(), reason: Reason::Resolved }),
            fact(&opened.id, 30, What::PageOpened { page: brief.clone(), user: bo.clone(), urgency: Urgency::High }),
            fact(&opened.id, 30, What::PageEnded { page: brief.clone(), user: bo.clone(), reason: Reason::PolicyGone }),
        ];
        desk_save(&mut tx, &before, &mut after, &facts).await.expect("it is saved");
        tx.commit().await.expect("it commits");

        let now = load_incident(db, &opened.id).await;
        assert_eq!(now.pages.iter().map(|page| (&page.user, page.urgency)).collect::<Vec<_>>(), [(&ana(), Urgency::Low)]);
        let mut tx = db.begin().await;
        let person = person_load(&mut tx, &ana()).await.expect("she loads");
        assert_eq!((person.pages[0].starts, person.pages[0].started_at, person.pages[0].wanted), (3, at(30), true));
        let person = person_load(&mut tx, &bo).await.expect("he loads");
        assert_eq!(person.pages.iter().map(|page| (&page.id, page.wanted)).collect::<Vec<_>>(), [(&pages[1], false), (&brief, false)]);
    }

    /// A person loads as it was saved; what is gone from it is closed, not deleted.
    async fn a_person_loads_as_it_was_saved(db: &Db) {
        let mut ids = Ids::new();
        let (first, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let (_, more) = open_incident(db, &mut ids, "two", &[ana()]).await;
        let mut tx = db.begin().await;
        let before = person_load(&mut tx, &ana()).await.expect("she loads");
        assert_eq!(before.pages.len(), 2);
        assert!(before.pages.iter().all(|page| page.wanted && page.plan.is_empty() && page.planned_for == 0 && page.starts == 1));
        let mut after = before.clone();
        let contact = ContactId::from("ana-phone");
        after.chain = Some(Chain { contact: contact.clone(), started_at: at(3), calls: 1, pages: vec![] });
        after.chained_at = Some(at(3));
        after.pages[0].plan = vec![Planned { contact: contact.clone(), due_at: at(60), reason: Reason::RuleDue }];
        after.pages[0].planned_for = 1;
        after.pages[0].tried = vec![contact.clone()];
        after.pages[1].failed = true;
        let placed = attempt(ids.attempt(), &[pages[0].clone(), more[0].clone()]);
        after.attempts.push(placed.clone());
        let of = after.pages.iter().map(|page| reveille::domain::effect::PageOf { page: page.id.clone(), incident: page.incident.clone() });
        person_save(&mut tx, &before, &after).await.expect("she is saved");
        attempt_insert(&mut tx, &ana(), &placed, &of.collect::<Vec<_>>()).await.expect("the attempt is stored");
        tx.commit().await.expect("it commits");

        let mut tx = db.begin().await;
        let loaded = person_load(&mut tx, &ana()).await.expect("she loads");
        assert_eq!(loaded, after);
        let mut heard = loaded.clone();
        heard.attempts[0].state = AttemptState::Live;
        heard.attempts[0].look_at = at(200);
        heard.attempts[0].asked = 2;
        heard.pages.remove(1);
        person_save(&mut tx, &loaded, &heard).await.expect("she is saved");
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        let loaded = person_load(&mut tx, &ana()).await.expect("she loads");
        assert_eq!(loaded, heard);
        let mut done = loaded.clone();
        done.attempts.clear();
        done.chain = None;
        person_save(&mut tx, &loaded, &done).await.expect("she is saved");
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        assert_eq!(person_load(&mut tx, &ana()).await.expect("she loads"), done);
        tx.rollback().await.expect("it rolls back");
        // The incident sees what the person's decision found out.
        assert!(!load_incident(db, &first.id).await.pages[0].failed);
    }

    /// Answers and persons' decisions cross each other all the time and never lock each other out.
    async fn crossing_decisions_do_not_deadlock(db: &Db) {
        let mut ids = Ids::new();
        let users: Vec<UserId> = (0..6).map(|n| UserId::from(format!("user{n}").as_str())).collect();
        let mut incidents = Vec::new();
        for n in 0..6 {
            incidents.push(open_incident(db, &mut ids, &format!("key {n}"), &users).await.0.id);
        }
        let mut work = tokio::task::JoinSet::new();
        for round in 0..6 {
            for user in users.clone() {
                let store = db.store.clone();
                work.spawn(async move {
                    let mut tx = store.begin(reveille::store::WriteLane::Page).await?;
                    let before = person_load(&mut tx, &user).await?;
                    let mut after = before.clone();
                    after.chained_at = Some(at(round));
                    for page in &mut after.pages {
                        page.planned_for += 1;
                    }
                    person_save(&mut tx, &before, &after).await?;
                    tx.commit().await
                });
            }
            let (store, id) = (db.store.clone(), incidents[usize::try_from(round).expect("small")].clone());
            work.spawn(async move {
                let mut tx = store.begin(reveille::store::WriteLane::Page).await?;
                acknowledge(&mut tx, &id).await?;
                tx.commit().await
            });
        }
        while let Some(done) = work.join_next().await {
            done.expect("no panic").expect("no deadlock");
        }
        for id in &incidents {
            assert!(load_incident(db, id).await.pages.is_empty());
        }
    }
}
