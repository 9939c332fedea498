//! What the doors see, and who may.

use reveille::base::id::{IncidentId, Number};
use reveille::base::viewer::{Role, Viewer};
use reveille::domain::alert::AlertState;
use reveille::domain::fact::What;
use reveille::domain::incident::IncidentState;
use reveille::domain::order::Order;
use reveille::domain::reason::Reason;
use reveille::store::read::{AlertFilter, IncidentFilter, PageState};
use reveille::store::{
    StoreError, WriteLane, attempt_intent, attempt_outcome, desk_load_incident, desk_save, facts_append, person_load, person_save,
};

use crate::db::{Db, Ids, acknowledge, ana, at, fact, open_incident, place, service};

fn viewer() -> Viewer {
    Viewer::User { id: ana(), role: Role::Observer }
}

async fn resolve(db: &Db, id: &IncidentId, seconds: i64) {
    let mut tx = db.begin().await;
    let before = desk_load_incident(&mut tx, id).await.expect("it loads").expect("it is there");
    let mut after = before.clone();
    let incident = after.incidents.get_mut(id).expect("it is on the desk");
    (incident.state, incident.resolved_at) = (IncidentState::Resolved, Some(at(seconds)));
    let facts: Vec<_> = incident
        .pages
        .drain(..)
        .map(|page| fact(id, seconds, What::PageEnded { page: page.id, user: page.user, reason: Reason::Resolved }))
        .chain([fact(id, seconds, What::IncidentResolved { reason: Reason::AllAlertsResolved })])
        .collect();
    desk_save(&mut tx, &before, &mut after, &facts).await.expect("it is saved");
    facts_append(&mut tx, &facts).await.expect("they are stored");
    tx.commit().await.expect("it commits");
}

on_both! {
    async fn incidents_are_listed_newest_first_in_parts(db: &Db) {
        let mut ids = Ids::new();
        let mut all = Vec::new();
        for n in 0..7 {
            all.push(open_incident(db, &mut ids, &format!("key {n}"), &[]).await.0.id);
        }
        resolve(db, &all[2], 9).await;
        let reader = db.store.reader();
        let list = async |filter: &IncidentFilter| {
            let (mut numbers, mut cursor) = (Vec::new(), None);
            loop {
                let page = reader.incidents_list(&viewer(), filter, cursor.as_deref(), 3).await.expect("it lists");
                assert!(page.items.len() <= 3);
                numbers.extend(page.items.iter().map(|incident| incident.number.0));
                cursor = page.next;
                if cursor.is_none() {
                    return numbers;
                }
            }
        };
        assert_eq!(list(&IncidentFilter::default()).await, [7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(list(&IncidentFilter { states: vec![IncidentState::Resolved], ..IncidentFilter::default() }).await, [3]);
        let open = vec![IncidentState::Triggered, IncidentState::Acknowledged];
        assert_eq!(list(&IncidentFilter { states: open, service: Some(service()), kinds: vec![reveille::domain::incident::Kind::Real, reveille::domain::incident::Kind::Drill], ..IncidentFilter::default() }).await, [7, 6, 5, 4, 2, 1]);
        assert!(list(&IncidentFilter { service: Some("other".into()), ..IncidentFilter::default() }).await.is_empty());
        let wrong = reader.incidents_list(&viewer(), &IncidentFilter::default(), Some("not a cursor"), 3).await;
        assert!(matches!(wrong, Err(StoreError::Cursor)));
        let found = reader.incident_get(&viewer(), Number(3)).await.expect("it reads").expect("it is there");
        assert_eq!((found.state, found.resolved_at, found.kind.as_str()), (IncidentState::Resolved, Some(at(9)), "real"));
        assert_eq!(reader.incident_get(&viewer(), Number(99)).await.expect("it reads"), None);
    }

    /// An alert that fires in a resolved incident reads resolved, without its row having been touched.
    async fn alerts_are_read_through_their_incident(db: &Db) {
        let mut ids = Ids::new();
        let (first, _) = open_incident(db, &mut ids, "one", &[]).await;
        open_incident(db, &mut ids, "two", &[]).await;
        resolve(db, &first.id, 9).await;
        let reader = db.store.reader();
        let list = async |state, limit, cursor: Option<String>| {
            let filter = AlertFilter { state, service: Some(service()), ..AlertFilter::default() };
            reader.alerts_list(&viewer(), &filter, cursor.as_deref(), limit).await.expect("it lists")
        };
        let both = list(None, 10, None).await;
        let states: Vec<_> = both.items.iter().map(|alert| (alert.dedup_key.as_str(), alert.state, alert.resolved_at)).collect();
        assert_eq!(states, [("two", AlertState::Firing, None), ("one", AlertState::Resolved, Some(at(9)))]);
        assert_eq!(both.items[1].incident, Some(Number(1)));
        assert_eq!(list(Some(AlertState::Resolved), 10, None).await.items.len(), 1);
        assert_eq!(list(Some(AlertState::Firing), 10, None).await.items[0].dedup_key, "two");
        let part = list(None, 1, None).await;
        assert_eq!(list(None, 1, part.next).await.items[0].dedup_key, "one");
        let of = reader.incident_alerts(&viewer(), Number(1), Order::Newest, None, 10).await.expect("it lists");
        assert_eq!(of.items.iter().map(|alert| alert.dedup_key.as_str()).collect::<Vec<_>>(), ["one"]);
    }

    async fn a_timeline_reads_oldest_first_in_parts(db: &Db) {
        let mut ids = Ids::new();
        let (first, _) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let (second, _) = open_incident(db, &mut ids, "two", &[ana()]).await;
        resolve(db, &first.id, 9).await;
        resolve(db, &second.id, 9).await;
        let reader = db.store.reader();
        let part = reader.timeline(&viewer(), Number(2), None, 2).await.expect("it reads");
        let rest = reader.timeline(&viewer(), Number(2), part.next.as_deref(), 2).await.expect("it reads");
        assert_eq!(rest.next, None);
        let kinds: Vec<_> = part.items.iter().chain(&rest.items).map(|row| row.fact.what.kind()).collect();
        assert_eq!(kinds, ["page_opened", "page_ended", "incident_resolved"]);
        assert!(part.items[0].seq < part.items[1].seq);
        let tail = reader.facts_tail(&viewer(), None, 2, 10).await.expect("it reads");
        assert_eq!(tail.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4, 5, 6]);
        let tail = reader.facts_tail(&viewer(), Some(Number(1)), 1, 10).await.expect("it reads");
        assert_eq!(tail.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4]);
    }

    /// A page waits, rings, and is answered, ended or failed.
    async fn a_page_shows_how_far_it_is(db: &Db) {
        let mut ids = Ids::new();
        let (answered, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let (ended, more) = open_incident(db, &mut ids, "two", &[ana()]).await;
        let reader = db.store.reader();
        let state = async |page: usize| {
            let id = [&pages[0], &more[0]][page];
            reader.page_get(&viewer(), id).await.expect("it reads").expect("it is there")
        };
        assert_eq!(state(0).await.state, PageState::Waiting);
        let attempt = place(db, &mut ids, &answered.id, &pages).await;
        assert_eq!(state(0).await.state, PageState::Waiting, "nothing has left");
        let mut tx = db.store.begin(WriteLane::Page).await.expect("it begins");
        attempt_intent(&mut tx, &attempt, at(2), "+15550001").await.expect("it asks");
        tx.commit().await.expect("it commits");
        assert_eq!(state(0).await.state, PageState::Ringing);
        let mut tx = db.begin().await;
        attempt_outcome(&mut tx, &attempt, reveille::store::AttemptOutcome::Rejected, Some("twilio"), None, Some("no such number"))
            .await
            .expect("it is noted");
        let before = person_load(&mut tx, &ana()).await.expect("she loads");
        let mut after = before.clone();
        after.attempts.clear();
        after.pages.iter_mut().for_each(|page| page.failed = true);
        person_save(&mut tx, &before, &after).await.expect("she is saved");
        tx.commit().await.expect("it commits");
        assert_eq!(state(0).await.state, PageState::Failed);
        let mut tx = db.begin().await;
        acknowledge(&mut tx, &answered.id).await.expect("it is acknowledged");
        tx.commit().await.expect("it commits");
        resolve(db, &ended.id, 9).await;
        let page = state(0).await;
        assert_eq!((page.state, page.incident, page.ended_at), (PageState::Acknowledged, Number(1), Some(at(60))));
        assert_eq!(page.attempts.len(), 1);
        assert_eq!(page.attempts[0].reason.as_deref(), Some("no such number"));
        let page = state(1).await;
        assert_eq!((page.state, page.ended.as_deref(), page.attempts.len()), (PageState::Ended, Some("resolved"), 0));
        let all = reader.incident_pages(&viewer(), Number(1)).await.expect("it reads");
        assert_eq!(all, [state(0).await]);
    }

    /// Whoever may not read is given nothing, wherever they look.
    async fn strangers_see_nothing(db: &Db) {
        let mut ids = Ids::new();
        let (_, pages) = open_incident(db, &mut ids, "one", &[ana()]).await;
        let reader = db.store.reader();
        for stranger in [Viewer::Public, Viewer::Integration("rollbar".into())] {
            let incidents = reader.incidents_list(&stranger, &IncidentFilter::default(), None, 10).await.expect("it asks");
            assert!(incidents.items.is_empty() && incidents.next.is_none());
            assert!(reader.alerts_list(&stranger, &AlertFilter::default(), None, 10).await.expect("it asks").items.is_empty());
            assert!(reader.incident_alerts(&stranger, Number(1), Order::Newest, None, 10).await.expect("it asks").items.is_empty());
            assert!(reader.timeline(&stranger, Number(1), None, 10).await.expect("it asks").items.is_empty());
            assert!(reader.facts_tail(&stranger, None, 0, 10).await.expect("it asks").is_empty());
            assert!(reader.incident_pages(&stranger, Number(1)).await.expect("it asks").is_empty());
            assert_eq!(reader.incident_get(&stranger, Number(1)).await.expect("it asks"), None);
            assert_eq!(reader.page_get(&stranger, &pages[0]).await.expect("it asks"), None);
        }
        assert!(reader.incident_get(&viewer(), Number(1)).await.expect("it asks").is_some());
    }
}
