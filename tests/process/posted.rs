//! What was posted, and what must be there for it.

use std::collections::BTreeMap;

use reveille::base::id::IntegrationId;
use reveille::store;

use crate::ground::{Ground, PATIENCE, Server};

/// How often each key was posted, and how often that was accepted.
#[derive(Default)]
pub struct Posted(BTreeMap<String, (i64, i64)>);

impl Posted {
    pub async fn post(&mut self, ground: &Ground, key: &str) -> bool {
        let accepted = ground.posts(key).await;
        self.note(key, accepted);
        accepted
    }

    pub fn note(&mut self, key: &str, accepted: bool) {
        let (posted, taken) = self.0.entry(key.to_owned()).or_default();
        *posted += 1;
        *taken += i64::from(accepted);
    }

    pub fn accepted(&self) -> i64 {
        self.0.values().map(|(_, accepted)| accepted).sum()
    }

    /// Every accepted alert is there, counted at least as often as it was accepted and at most as often as it was posted; and the
    /// integration's tallies say what the alerts count: no journal row was folded twice.
    pub async fn is_kept(&self, ground: &Ground, server: &Server) {
        let store = ground.store().await;
        let reader = store.reader();
        ground
            .until(server, "the journal is folded", PATIENCE, async || {
                (store::journal_pending(&reader).await.expect("the journal reads") == 0).then_some(())
            })
            .await;
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for alert in ground.items("/api/v1/alerts").await {
            let key = alert["dedup_key"].as_str().expect("a key").to_owned();
            *counts.entry(key).or_default() += alert["count"].as_i64().expect("a count");
        }
        for (key, (posted, accepted)) in &self.0 {
            let counted = counts.get(key).copied().unwrap_or(0);
            assert!((*accepted..=*posted).contains(&counted), "{key}: posted {posted}, accepted {accepted}, counted {counted}");
        }
        let tallies = store::tally_list(&reader).await.expect("the tallies read");
        let sum = |wanted: bool| {
            let of = |((_, outcome), _): &(&(IntegrationId, String), &i64)| (outcome == "accepted") == wanted;
            tallies.iter().filter(of).map(|(_, n)| n).sum::<i64>()
        };
        assert_eq!(sum(true), sum(false), "{tallies:?}");
        // A beat with nothing to end is in no alert's count.
        let ignored: i64 = tallies.iter().filter(|((_, outcome), _)| outcome == "ignored").map(|(_, n)| n).sum();
        assert_eq!(sum(true) - ignored, counts.values().sum::<i64>(), "{tallies:?} {counts:?}");
        assert_eq!(store::journal_aside(&reader).await.expect("it reads"), 0);
        store.close().await;
    }
}
