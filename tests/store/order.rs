//! Lists in each order, and the indexes that carry them.

use reveille::base::id::Number;
use reveille::base::viewer::{Role, Viewer};
use reveille::domain::order::Order;
use reveille::store::read::{AlertFilter, IncidentFilter, IncidentSearch};

use crate::db::{Ids, ana, open_incident};

fn viewer() -> Viewer {
    Viewer::User { id: ana(), role: Role::Observer }
}

on_both! {
    /// Every order answers on every list, piece by piece, and a cursor of one is none of another.
    async fn each_order_goes_on_where_it_was(db: &Db) {
        let mut ids = Ids::new();
        for name in ["one", "two", "three", "four", "five"] {
            open_incident(db, &mut ids, name, &[]).await;
        }
        let reader = db.store.reader();
        for order in Order::ALL {
            let filter = AlertFilter { order, ..AlertFilter::default() };
            let all = reader.alerts_list(&viewer(), &filter, None, 10).await.expect("it lists").items;
            let (mut seen, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let page = reader.alerts_list(&viewer(), &filter, cursor.as_deref(), 2).await.expect("it lists");
                seen.extend(page.items);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!((seen.len(), &seen), (5, &all), "{order:?}");
            let first = reader.alerts_list(&viewer(), &filter, None, 2).await.expect("it lists").next;
            for other in Order::ALL.into_iter().filter(|other| *other != order) {
                let filter = AlertFilter { order: other, ..AlertFilter::default() };
                reader.alerts_list(&viewer(), &filter, first.as_deref(), 2).await.expect_err("it is of another order");
            }
            let filter = IncidentFilter { order, ..IncidentFilter::default() };
            let (mut numbers, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let page = reader.incidents_list(&viewer(), &filter, cursor.as_deref(), 2).await.expect("it lists");
                numbers.extend(page.items.into_iter().map(|incident| incident.number.0));
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!(numbers, [5, 4, 3, 2, 1], "equal ones stand newest first, {order:?}");
            let found = reader.incidents_search(&viewer(), &IncidentSearch { order, ..IncidentSearch::default() }, None, 10).await;
            assert_eq!(found.expect("it finds").items.len(), 5);
            assert_eq!(reader.incident_alerts(&viewer(), Number(2), order, None, 10).await.expect("it lists").items.len(), 1);
            assert!(reader.alerts_recorded(&viewer(), order, None, 10).await.expect("it lists").items.is_empty());
        }
    }
}
