//! The send protocol: attempts, the outbox, wake-ups, and the races between them.

use reveille::base::id::{EffectId, IdSource, IncidentId, PageId};
use reveille::base::time::Span;
use reveille::domain::decide::SetTimer;
use reveille::domain::effect::{Effect, Lane, PageOf};
use reveille::domain::input::{Scope, Timer};
use reveille::store::{
    AttemptOutcome, Intent, WriteLane, attempt_find, attempt_find_by_provider_id, attempt_intent, attempt_outcome,
    attempt_provider_ids_known, audit_silent, leases_take_back, outbox_claim, outbox_insert, outbox_insert_claimed, outbox_next_due,
    outbox_release, outbox_renew, outbox_settle, outbox_withdraw, person_load, person_save, wake_next_due, wake_set, wake_take, wakes_due,
};

use sqlx::{Connection as _, Row as _};

use crate::db::{Db, Ids, acknowledge, ana, at, open_incident, place, until};

fn effect_id(n: u128) -> EffectId {
    EffectId::make(&mut IdSource::new(at(0), n))
}

fn call(attempt: &reveille::base::id::AttemptId, page: &PageId, incident: &IncidentId, seconds: i64) -> Effect {
    Effect::PlacePage {
        attempt: attempt.clone(),
        user: ana(),
        contact: "ana-phone".into(),
        kind: reveille::domain::setup::ContactKind::Voice,
        pages: vec![PageOf { page: page.clone(), incident: incident.clone() }],
        second_call: false,
        due_at: at(seconds),
    }
}

async fn intent(db: &Db, attempt: &reveille::base::id::AttemptId) -> Intent {
    let mut tx = db.store.begin(WriteLane::Page).await.expect("a transaction begins");
    let intent = attempt_intent(&mut tx, attempt, at(2), "+15550001").await.expect("the intent is asked");
    tx.commit().await.expect("it commits");
    intent
}

on_both! {
    /// One intent, one outcome; unknown may be found out, accepted is never forgotten.
    async fn an_attempt_is_sent_once_and_keeps_what_is_known(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let id = place(db, &mut ids, &incident.id, &pages).await;
        let of = PageOf { page: pages[0].clone(), incident: incident.id.clone() };
        assert_eq!(intent(db, &id).await, Intent::Wanted(vec![of.clone()]));
        assert_eq!(intent(db, &id).await, Intent::AlreadySent);

        let outcome = async |outcome, provider_id: Option<&str>| {
            let mut tx = db.begin().await;
            let changed = attempt_outcome(&mut tx, &id, outcome, Some("twilio"), provider_id, Some("told")).await.expect("it is noted");
            tx.commit().await.expect("it commits");
            changed
        };
        assert!(outcome(AttemptOutcome::Unknown, None).await);
        assert_eq!(attempt_provider_ids_known(&db.store.reader(), "+15550001", at(0)).await.expect("it reads").len(), 0);
        assert!(outcome(AttemptOutcome::Accepted, Some("CA1")).await);
        assert!(!outcome(AttemptOutcome::Accepted, Some("CA1")).await, "the callback came before the answer, and it is one outcome");
        assert!(!outcome(AttemptOutcome::Unknown, None).await);
        assert!(!outcome(AttemptOutcome::Rejected, None).await);

        let mut reader = db.store.reader();
        let row = attempt_find(&mut reader, &id).await.expect("it reads").expect("it is there");
        assert_eq!((row.outcome, row.provider_id.as_deref(), row.pages), (Some(AttemptOutcome::Accepted), Some("CA1"), vec![of]));
        assert_eq!((row.sent_at, row.sent_to.as_deref(), row.open), (Some(at(2)), Some("+15550001"), true));
        assert_eq!(attempt_find_by_provider_id(&mut reader, "CA1").await.expect("it reads"), Some(id));
        assert_eq!(attempt_find_by_provider_id(&mut reader, "CA2").await.expect("it reads"), None);
        assert!(attempt_provider_ids_known(&reader, "+15550001", at(0)).await.expect("it reads").contains("CA1"));
        assert!(attempt_provider_ids_known(&reader, "+15550001", at(3)).await.expect("it reads").is_empty());
        assert_eq!(attempt_find(&mut reader, &ids.attempt()).await.expect("it reads"), None);
    }

    /// An attempt for two incidents goes out for the one that is still wanted, and for none when neither is.
    async fn an_intent_speaks_for_what_is_still_wanted(db: &Db) {
        let mut ids = Ids::new();
        let (first, mut pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let (second, more) = open_incident(db, &mut ids, "two", &[ana()]).await;
        pages.extend(more);
        let (both, late) = (place(db, &mut ids, &first.id, &pages).await, place(db, &mut ids, &first.id, &pages).await);
        let mut tx = db.begin().await;
        acknowledge(&mut tx, &first.id).await.expect("it is acknowledged");
        tx.commit().await.expect("it commits");
        let Intent::Wanted(wanted) = intent(db, &both).await else { panic!("the second incident is still open") };
        assert_eq!(wanted, [PageOf { page: pages[1].clone(), incident: second.id.clone() }]);
        let mut tx = db.begin().await;
        acknowledge(&mut tx, &second.id).await.expect("it is acknowledged");
        tx.commit().await.expect("it commits");
        assert_eq!(intent(db, &late).await, Intent::NotWanted);
        assert_eq!(intent(db, &both).await, Intent::AlreadySent, "what has left is not called unwanted");
    }

    /// An attempt that its person has given up does not leave any more.
    async fn an_attempt_given_up_does_not_leave(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let id = place(db, &mut ids, &incident.id, &pages).await;
        let mut tx = db.begin().await;
        let before = person_load(&mut tx, &ana()).await.expect("she loads");
        let mut after = before.clone();
        after.attempts.clear();
        person_save(&mut tx, &before, &after).await.expect("she is saved");
        tx.commit().await.expect("it commits");
        assert_eq!(intent(db, &id).await, Intent::NotWanted);
    }

    /// While an acknowledgement is being written, an intent waits for it, and then nothing leaves.
    async fn an_acknowledgement_first_stops_the_intent(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let id = place(db, &mut ids, &incident.id, &pages).await;
        let mut acknowledging = db.begin().await;
        acknowledge(&mut acknowledging, &incident.id).await.expect("it is acknowledged");
        let intending = tokio::spawn({
            let (store, id) = (db.store.clone(), id.clone());
            async move {
                let mut tx = store.begin(WriteLane::Page).await?;
                let intent = attempt_intent(&mut tx, &id, at(2), "+15550001").await?;
                tx.commit().await?;
                Ok::<_, reveille::store::StoreError>(intent)
            }
        });
        waits_for_a_writer(db).await;
        assert!(!intending.is_finished());
        acknowledging.commit().await.expect("it commits");
        assert_eq!(intending.await.expect("no panic").expect("it asks"), Intent::NotWanted);
        let row = attempt_find(&mut db.store.reader(), &id).await.expect("it reads").expect("it is there");
        assert_eq!(row.sent_at, None);
    }

    /// While an intent is being written, an acknowledgement waits for it, and then sees what has left.
    async fn an_intent_first_is_seen_by_the_acknowledgement(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let id = place(db, &mut ids, &incident.id, &pages).await;
        let mut intending = db.store.begin(WriteLane::Page).await.expect("a transaction begins");
        let wanted = attempt_intent(&mut intending, &id, at(2), "+15550001").await.expect("it asks");
        assert!(matches!(wanted, Intent::Wanted(_)));
        let acknowledging = tokio::spawn({
            let (store, incident) = (db.store.clone(), incident.id.clone());
            async move {
                let mut tx = store.begin(WriteLane::Rest).await?;
                acknowledge(&mut tx, &incident).await?;
                tx.commit().await
            }
        });
        waits_for_a_writer(db).await;
        assert!(!acknowledging.is_finished());
        intending.commit().await.expect("it commits");
        acknowledging.await.expect("no panic").expect("it commits");
        let row = attempt_find(&mut db.store.reader(), &id).await.expect("it reads").expect("it is there");
        assert_eq!(row.sent_at, Some(at(2)));
    }

    /// Effects are claimed when due, longest due first; a lease that ran out passes on, and the first holder then writes nothing.
    async fn a_claim_passes_on_when_its_lease_runs_out(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let id = place(db, &mut ids, &incident.id, &pages).await;
        let mut tx = db.begin().await;
        for (n, seconds) in [(1, 30), (2, 10), (3, 90)] {
            outbox_insert(&mut tx, &effect_id(n), &call(&id, &pages[0], &incident.id, seconds)).await.expect("it is stored");
        }
        let ask = Effect::AskProvider { attempt: id.clone(), user: ana(), contact: "ana-phone".into(), due_at: at(5) };
        outbox_insert(&mut tx, &effect_id(4), &ask).await.expect("it is stored");
        tx.commit().await.expect("it commits");
        let reader = db.store.page_reader();
        assert_eq!(outbox_next_due(&reader, Lane::Page).await.expect("it reads"), Some(at(10)));
        assert_eq!(outbox_next_due(&reader, Lane::Settle).await.expect("it reads"), Some(at(5)));

        let claimed = outbox_claim(&db.store, Lane::Page, "first", at(40), 10).await.expect("it claims");
        assert_eq!(claimed.iter().map(|row| (row.id.clone(), row.tries)).collect::<Vec<_>>(), [(effect_id(2), 1), (effect_id(1), 1)]);
        assert_eq!(claimed[0].effect, call(&id, &pages[0], &incident.id, 10));
        assert!(outbox_claim(&db.store, Lane::Page, "second", at(40), 10).await.expect("it claims").is_empty());
        assert_eq!(outbox_next_due(&reader, Lane::Page).await.expect("it reads"), Some(at(90)));
        assert!(outbox_renew(&db.store, &claimed[0]).await.expect("it renews"));

        db.tamper("UPDATE outbox SET lease_until = 1 WHERE lease_until > 0").await;
        let taken = outbox_claim(&db.store, Lane::Page, "second", at(40), 1).await.expect("it claims");
        assert_eq!((taken[0].id.clone(), taken[0].tries), (effect_id(2), 2));
        let mut tx = db.begin().await;
        assert!(!outbox_settle(&mut tx, &claimed[0]).await.expect("it asks"), "the lease was taken");
        assert!(!outbox_release(&mut tx, &claimed[0], at(50)).await.expect("it asks"));
        assert!(outbox_settle(&mut tx, &claimed[1]).await.expect("it asks"), "nobody took this one");
        assert!(outbox_release(&mut tx, &taken[0], at(50)).await.expect("it asks"));
        tx.commit().await.expect("it commits");
        assert!(!outbox_renew(&db.store, &claimed[0]).await.expect("it asks"));
        assert!(outbox_claim(&db.store, Lane::Page, "first", at(49), 10).await.expect("it claims").is_empty());
        let again = outbox_claim(&db.store, Lane::Page, "first", at(50), 10).await.expect("it claims");
        assert_eq!((again[0].id.clone(), again[0].tries, again.len()), (effect_id(2), 3, 1));

        // The same owner, started anew: its old claims are free at once, and the old process can settle nothing.
        leases_take_back(&db.store, "first").await.expect("it takes back");
        let anew = outbox_claim(&db.store, Lane::Page, "first", at(50), 10).await.expect("it claims");
        assert_eq!(anew.len(), 1);
        let mut tx = db.begin().await;
        assert!(!outbox_settle(&mut tx, &again[0]).await.expect("it asks"));
        assert!(outbox_settle(&mut tx, &anew[0]).await.expect("it asks"));
        tx.commit().await.expect("it commits");
    }

    /// What is claimed where it is decided is nobody else's until its claim has passed, or is taken back at the next start.
    async fn an_effect_is_claimed_with_its_decision(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let id = place(db, &mut ids, &incident.id, &pages).await;
        let mut tx = db.begin().await;
        let effect = call(&id, &pages[0], &incident.id, 0);
        let row = outbox_insert_claimed(&mut tx, &effect_id(1), &effect, "first").await.expect("it is stored");
        tx.commit().await.expect("it commits");
        assert_eq!((&row.id, &row.effect, row.tries), (&effect_id(1), &effect, 1));
        assert!(outbox_claim(&db.store, Lane::Page, "second", at(1), 10).await.expect("it claims").is_empty());
        assert!(outbox_renew(&db.store, &row).await.expect("it renews"));

        leases_take_back(&db.store, "first").await.expect("it takes back");
        let anew = outbox_claim(&db.store, Lane::Page, "first", at(1), 10).await.expect("it claims");
        assert_eq!(anew.iter().map(|row| row.tries).collect::<Vec<_>>(), [2]);
        let mut tx = db.begin().await;
        assert!(!outbox_settle(&mut tx, &row).await.expect("it asks"), "its claim has passed on");
        assert!(outbox_settle(&mut tx, &anew[0]).await.expect("it asks"));
        tx.commit().await.expect("it commits");
    }

    /// However many couriers, each effect is claimed once.
    async fn couriers_share_the_outbox(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let id = place(db, &mut ids, &incident.id, &pages).await;
        let mut tx = db.begin().await;
        for n in 0..60 {
            outbox_insert(&mut tx, &effect_id(n), &call(&id, &pages[0], &incident.id, 0)).await.expect("it is stored");
        }
        tx.commit().await.expect("it commits");
        let mut couriers = tokio::task::JoinSet::new();
        for n in 0..4 {
            let store = db.store.clone();
            couriers.spawn(async move {
                let mut all = Vec::new();
                for _ in 0..20 {
                    all.extend(outbox_claim(&store, Lane::Page, &format!("courier {n}"), at(1), 3).await?);
                }
                Ok::<_, reveille::store::StoreError>(all)
            });
        }
        let mut claimed = Vec::new();
        while let Some(all) = couriers.join_next().await {
            claimed.extend(all.expect("no panic").expect("it claims").into_iter().map(|row| row.id));
        }
        claimed.sort();
        assert_eq!(claimed.len(), 60);
        claimed.dedup();
        assert_eq!(claimed.len(), 60);
    }

    /// What has not left can be taken back; what may have left must be followed to its end.
    async fn only_what_has_not_left_is_withdrawn(db: &Db) {
        let mut ids = Ids::new();
        let (incident, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let (waiting, sent) = (place(db, &mut ids, &incident.id, &pages).await, place(db, &mut ids, &incident.id, &pages).await);
        let mut tx = db.begin().await;
        outbox_insert(&mut tx, &effect_id(1), &call(&waiting, &pages[0], &incident.id, 0)).await.expect("it is stored");
        outbox_insert(&mut tx, &effect_id(2), &call(&sent, &pages[0], &incident.id, 0)).await.expect("it is stored");
        tx.commit().await.expect("it commits");
        intent(db, &sent).await;
        let mut tx = db.begin().await;
        assert!(outbox_withdraw(&mut tx, &waiting).await.expect("it asks"));
        assert!(!outbox_withdraw(&mut tx, &waiting).await.expect("it asks"));
        assert!(!outbox_withdraw(&mut tx, &sent).await.expect("it asks"));
        tx.commit().await.expect("it commits");
        let left = outbox_claim(&db.store, Lane::Page, "courier", at(1), 10).await.expect("it claims");
        assert_eq!(left.iter().map(|row| row.effect.attempt()).collect::<Vec<_>>(), [&sent]);
    }

    /// The owner of a timer moves it and clears it; taking it is for one.
    async fn a_timer_is_set_moved_taken_and_cleared(db: &Db) {
        let mut ids = Ids::new();
        let (incident, _) = open_incident(db, &mut ids, "one", &[]).await;
        let scope = Scope::Incident(incident.id.clone());
        let set = async |timer, seconds: Option<i64>| {
            let mut tx = db.begin().await;
            reveille::store::desk_load_incident(&mut tx, &incident.id).await.expect("it loads");
            wake_set(&mut tx, &SetTimer { scope: scope.clone(), timer, due_at: seconds.map(at) }).await.expect("it is set");
            tx.commit().await.expect("it commits");
        };
        let reader = db.store.page_reader();
        assert_eq!(wake_next_due(&reader).await.expect("it reads"), None);
        assert_eq!(audit_silent(&reader, at(0)).await.expect("it reads"), std::slice::from_ref(&incident.id));
        set(Timer::Escalate, Some(10)).await;
        set(Timer::Lapse, Some(5)).await;
        set(Timer::Escalate, Some(20)).await;
        assert!(audit_silent(&reader, at(0)).await.expect("it reads").is_empty());
        assert_eq!(audit_silent(&reader, at(500)).await.expect("it reads"), std::slice::from_ref(&incident.id), "long overdue is nobody's");
        assert_eq!(wake_next_due(&reader).await.expect("it reads"), Some(at(5)));
        let due = wakes_due(&reader, at(20), 10).await.expect("it reads");
        assert_eq!(due, [(scope.clone(), Timer::Lapse, at(5)), (scope.clone(), Timer::Escalate, at(20))]);
        assert_eq!(wakes_due(&reader, at(19), 10).await.expect("it reads").len(), 1);
        set(Timer::Lapse, None).await;

        let mut tx = db.begin().await;
        assert!(!wake_take(&mut tx, &scope, Timer::Escalate, at(19)).await.expect("it asks"), "not due yet");
        assert!(wake_take(&mut tx, &scope, Timer::Escalate, at(20)).await.expect("it asks"));
        tx.commit().await.expect("it commits");
        let mut tx = db.begin().await;
        assert!(!wake_take(&mut tx, &scope, Timer::Escalate, at(20)).await.expect("it asks"), "somebody else has seen to it");
        tx.rollback().await.expect("it rolls back");
        assert_eq!(wake_next_due(&reader).await.expect("it reads"), None);
    }

    /// A person's decision that is under way cannot swallow the page that an incident opens meanwhile.
    async fn a_nudge_survives_the_decision_it_crosses(db: &Db) {
        let mut ids = Ids::new();
        let scope = Scope::Person(ana());
        let attend = |seconds: Option<i64>| SetTimer { scope: scope.clone(), timer: Timer::Attend, due_at: seconds.map(at) };
        let mut tx = db.begin().await;
        wake_set(&mut tx, &attend(Some(0))).await.expect("it is set");
        tx.commit().await.expect("it commits");

        let mut deciding = db.begin().await;
        assert!(wake_take(&mut deciding, &scope, Timer::Attend, at(0)).await.expect("it asks"));
        let before = person_load(&mut deciding, &ana()).await.expect("she loads");
        assert!(before.pages.is_empty());
        if db.is_sqlite() {
            // With one writer the other transaction can only come after this one.
            wake_set(&mut deciding, &attend(None)).await.expect("it is set");
            deciding.commit().await.expect("it commits");
            open_incident(db, &mut ids, "one", &[ana()]).await;
            let mut tx = db.begin().await;
            wake_set(&mut tx, &attend(Some(1))).await.expect("it is set");
            tx.commit().await.expect("it commits");
        } else {
            open_incident(db, &mut ids, "one", &[ana()]).await;
            let mut tx = db.begin().await;
            wake_set(&mut tx, &attend(Some(1))).await.expect("it is set");
            tx.commit().await.expect("it commits");
            wake_set(&mut deciding, &attend(Some(3_600))).await.expect("it is set");
            wake_set(&mut deciding, &attend(None)).await.expect("it is set");
            deciding.commit().await.expect("it commits");
        }
        let due = wakes_due(&db.store.reader(), at(1), 10).await.expect("it reads");
        assert_eq!(due, [(scope.clone(), Timer::Attend, at(1))]);
        let mut tx = db.begin().await;
        assert!(wake_take(&mut tx, &scope, Timer::Attend, at(1)).await.expect("it asks"));
        assert_eq!(person_load(&mut tx, &ana()).await.expect("she loads").pages.len(), 1);
        tx.commit().await.expect("it commits");
        assert_eq!(wake_next_due(&db.store.reader()).await.expect("it reads"), None);
    }

    /// An answer and the person's wake-up at the same moment: each wakes the other, neither waits for ever.
    async fn scopes_that_wake_each_other_do_not_deadlock(db: &Db) {
        let mut ids = Ids::new();
        let person = Scope::Person(ana());
        for n in 0..10 {
            let (incident, _) = open_incident(db, &mut ids, &format!("key {n}"), &[ana()]).await;
            let attend = SetTimer { scope: person.clone(), timer: Timer::Attend, due_at: Some(at(n)) };
            let escalate = SetTimer { scope: Scope::Incident(incident.id.clone()), timer: Timer::Escalate, due_at: Some(at(n)) };
            let mut tx = db.begin().await;
            wake_set(&mut tx, &attend).await.expect("it is set");
            wake_set(&mut tx, &escalate).await.expect("it is set");
            tx.commit().await.expect("it commits");
            let answering = tokio::spawn({
                let (store, escalate, attend, id) = (db.store.clone(), escalate.clone(), attend.clone(), incident.id.clone());
                async move {
                    let mut tx = store.begin(WriteLane::Page).await?;
                    wake_take(&mut tx, &escalate.scope, Timer::Escalate, at(n)).await?;
                    acknowledge(&mut tx, &id).await?;
                    wake_set(&mut tx, &attend).await?;
                    tx.commit().await
                }
            });
            let attending = tokio::spawn({
                let (store, escalate, attend) = (db.store.clone(), escalate.clone(), attend.clone());
                async move {
                    let mut tx = store.begin(WriteLane::Page).await?;
                    wake_take(&mut tx, &attend.scope, Timer::Attend, at(n)).await?;
                    let before = person_load(&mut tx, &ana()).await?;
                    let mut after = before.clone();
                    for page in &mut after.pages {
                        page.failed = true;
                    }
                    person_save(&mut tx, &before, &after).await?;
                    wake_set(&mut tx, &escalate).await?;
                    tx.commit().await
                }
            });
            answering.await.expect("no panic").expect("no deadlock");
            attending.await.expect("no panic").expect("no deadlock");
        }
    }

    /// The pace of an account is kept across transactions, and rests when nothing is sent.
    async fn an_account_keeps_its_pace(db: &Db) {
        let take = async |seconds: i64| {
            let mut tx = db.begin().await;
            let leaves = reveille::store::pace_take(&mut tx, "twilio", at(seconds), Span::seconds(1)).await.expect("it asks");
            tx.commit().await.expect("it commits");
            leaves
        };
        assert_eq!([take(0).await, take(0).await, take(0).await], [at(0), at(1), at(2)]);
        assert_eq!([take(60).await, take(60).await], [at(60), at(61)]);
        // The clock was set back by an hour: nobody waits until it is as late again.
        assert_eq!(take(3_660).await, at(3_660));
        assert_eq!([take(60).await, take(60).await], [at(60), at(61)]);
    }
}

/// Waits until a second transaction stands before the lock of the first.
async fn waits_for_a_writer(db: &Db) {
    if db.is_sqlite() {
        until("the other transaction waits for its turn", async || db.store.writers_waiting() > 0).await;
        return;
    }
    let mut own = sqlx::AnyConnection::connect(&db.url).await.expect("the database opens");
    let waiting = "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async {
        loop {
            let row = sqlx::query(waiting).fetch_one(&mut own).await.expect("it reads");
            if row.get::<i64, _>("n") > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let seen = tokio::time::timeout(std::time::Duration::from_secs(10), waits).await;
    assert!(seen.is_ok(), "within ten seconds the other transaction waits for a lock");
}
