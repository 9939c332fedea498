//! Many rules, and signals that pass them.

use std::collections::BTreeMap;

use reveille::domain::input::{Action, Signal};
use reveille::domain::routing::{Gives, Route};
use reveille::domain::setup::{AlertSeverity, Budget, Integration, Service, Setup};

/// So many rules, of which only the last takes anything.
pub fn setup(rules: usize, expression: Option<&str>) -> Setup {
    let rule = |n: usize| Route {
        id: format!("rule{n}").as_str().into(),
        source: None,
        integration: None,
        matchers: match n {
            last if last + 1 == rules => vec!["host=~\".*0\"".into()],
            _ if expression.is_some() => vec!["team=\"shop\"".into()],
            _ => vec!["team=\"shop\"".into(), format!("host=~\"db-{n}-.*\"").as_str().into()],
        },
        expression: expression.filter(|_| n + 1 < rules).map(Into::into),
        gives: Gives::default(),
    };
    let integration = Integration {
        id: "bench".into(),
        source: "generic".to_owned(),
        service: "api".into(),
        severity: AlertSeverity::Error,
        topics: Vec::new(),
        heartbeat: None,
        map: None,
        budget: Budget::default(),
    };
    Setup {
        services: [("api".into(), Service::new("api".into(), "p".into()))].into(),
        integrations: [("bench".into(), integration)].into(),
        routes: (0..rules).map(rule).collect(),
        ..Setup::default()
    }
}

pub fn signal(n: usize) -> Signal {
    let labels = [("team", "shop".to_owned()), ("host", format!("web-{n}")), ("size", "12".to_owned()), ("env", "prod".to_owned())];
    Signal {
        integration: "bench".into(),
        dedup_key: format!("key{n}"),
        title: "The disk is nearly full".to_owned(),
        severity: Some(AlertSeverity::Warning),
        action: Action::Trigger,
        at: None,
        ends_at: None,
        url: None,
        labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
    }
}
