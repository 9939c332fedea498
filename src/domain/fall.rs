//! The order in which hosts fell: of a cascade, the first is often the cause.

use std::collections::BTreeMap;

use crate::base::time::Time;

/// The labels in which senders name a host, in the order in which they are looked at.
const HOSTS: [&str; 8] = ["host", "hostname", "instance", "node", "nodename", "machine", "server", "pod"];

/// One host, and when the first of its alerts came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fall {
    pub host: String,
    pub at: Time,
}

/// The host that an alert is about, by the labels that senders commonly use.
#[must_use]
pub fn host(labels: &BTreeMap<String, String>) -> Option<&str> {
    HOSTS.iter().find_map(|name| labels.get(*name)).map(String::as_str).filter(|host| !host.is_empty())
}

/// The hosts of these alerts in the order in which they fell; empty where there is only one, because that is no order.
#[must_use]
pub fn order<'a>(alerts: impl IntoIterator<Item = (&'a BTreeMap<String, String>, Time)>) -> Vec<Fall> {
    let mut first: BTreeMap<&str, Time> = BTreeMap::new();
    for (labels, at) in alerts {
        if let Some(host) = host(labels) {
            first.entry(host).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
    }
    let mut fell: Vec<Fall> = first.into_iter().map(|(host, at)| Fall { host: host.to_owned(), at }).collect();
    fell.sort_by(|one, other| (one.at, &one.host).cmp(&(other.at, &other.host)));
    if fell.len() < 2 { Vec::new() } else { fell }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fell(alerts: &[(&str, &str, i64)]) -> Vec<String> {
        let labels: Vec<_> = alerts.iter().map(|(name, host, _)| BTreeMap::from([((*name).to_owned(), (*host).to_owned())])).collect();
        let times = alerts.iter().map(|(_, _, at)| Time::from_seconds(*at));
        order(labels.iter().zip(times)).into_iter().map(|fall| fall.host).collect()
    }

    #[test]
    fn hosts_stand_in_the_order_of_their_first_alerts() {
        assert_eq!(
            fell(&[("host", "web-1", 3), ("instance", "web-3", 1), ("node", "db", 2), ("host", "web-3", 9)]),
            ["web-3", "db", "web-1"]
        );
        // However they come, and those of one moment by name.
        assert_eq!(fell(&[("host", "b", 9), ("host", "b", 4), ("host", "c", 5), ("host", "a", 5)]), ["b", "a", "c"]);
    }

    #[test]
    fn one_host_or_none_is_no_order() {
        for alerts in [
            &[][..],
            &[("host", "a", 1)],
            &[("host", "a", 1), ("host", "a", 2)],
            &[("team", "a", 1), ("team", "b", 2)],
            &[("host", "", 1), ("host", "a", 2)],
        ] {
            assert_eq!(fell(alerts), Vec::<String>::new(), "{alerts:?}");
        }
    }
}
