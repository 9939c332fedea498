//! What operators measure, and who may look.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use reveille::base::time::Span;

use crate::desk::{Desk, GENERIC};

/// The names of the families in a scrape, as the documentation writes them.
fn names(text: &str) -> BTreeSet<String> {
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    kinds
        .map(|line| {
            let (name, kind) = line.split_once(' ').expect("a name and a kind");
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                "gauge" | "histogram" => "",
                other => panic!("{other} is documented nowhere"),
            };
            format!("{name}{suffix}")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_every_documented_one_is_there() {
    let desk = Desk::open().await;
    // A family without a value does not show, so each is given one.
    let metrics = &desk.house.metrics;
    metrics.facts("page_opened");
    metrics.attempt("voice", Some("twilio"), "accepted");
    metrics.left("voice", Span::millis(3));
    metrics.webhook("ops", "accepted");
    metrics.forged("twilio");
    metrics.restart("folder");
    metrics.forgotten("alerts", 1);
    metrics.routed("db", 1);
    metrics.folded("joined_group".to_owned(), 1);
    metrics.regrouped("merged_by_hand".to_owned());
    metrics.held("quiet", 1);
    metrics.raised("new", 1);
    metrics.hook_refused("shop", "signature");
    metrics.encoded("gzip", "decoded");
    metrics.sampled("shop", 1);
    metrics.overflowed("shop", 1);
    desk.get("/healthz", &[]).await;
    let answer = desk.get("/metrics", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let documented = include_str!("../../docs/metrics.md").lines().filter_map(|line| line.strip_prefix("| `reveille_"));
    let documented: BTreeSet<String> = documented.map(|line| format!("reveille_{}", line.split('`').next().expect("a name"))).collect();
    assert_eq!(names(&answer.text), documented);
    assert!(answer.text.ends_with("# EOF\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_under_bounded_names() {
    let desk = Desk::open().await;
    desk.fires("the disk is full").await;
    desk.get("/incidents/1", &[]).await;
    for path in ["/made/up", "/another/made/up"] {
        desk.get(path, &[]).await;
    }
    let text = desk.get("/metrics", &[]).await.text;
    let value = |line: &str| {
        let found = text.lines().find_map(|own| own.strip_prefix(line)).unwrap_or_else(|| panic!("no {line} in\n{text}"));
        found.trim().parse::<f64>().expect("a number")
    };
    let is = |line: &str, expected: f64| assert!((value(line) - expected).abs() < f64::EPSILON, "{line} {}", value(line));
    is(r#"reveille_signals_total{integration="api-generic",outcome="accepted"}"#, 1.0);
    is(r#"reveille_signals_total{integration="api-generic",outcome="opened"}"#, 1.0);
    is(r#"reveille_incidents_open{state="triggered",severity="sev2"}"#, 1.0);
    is(r#"reveille_facts_total{kind="incident_opened"}"#, 1.0);
    is(r#"reveille_http_requests_total{method="POST",route="/hooks/{source}/{key}",status="202"}"#, 1.0);
    is(r#"reveille_http_requests_total{method="GET",route="none",status="404"}"#, 2.0);
    is("reveille_look_complete", 1.0);
    is("reveille_journal_rows", 0.0);
    assert!(value("reveille_database_call_seconds_count") > 5.0);
    assert!(!text.contains("made/up") && !text.contains(GENERIC) && !text.contains("disk"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_shuts_the_metrics() {
    let desk = Desk::open_with_metrics_token("a-token-of-the-metrics").await;
    for headers in [&[][..], &[("authorization", "Bearer guessed")], &[("authorization", "Basic a-token-of-the-metrics")]] {
        let answer = desk.get("/metrics", headers).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (StatusCode::UNAUTHORIZED, "Bearer"));
        assert!(!answer.text.contains("reveille_"));
    }
    let answer = desk.get("/metrics", &[("authorization", "Bearer a-token-of-the-metrics")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.text.contains("a-token-of-the-metrics"));
}

/// A database that does not answer costs the figures that are its own, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_process_still_tells_of_itself() {
    let desk = Desk::open().await;
    desk.house.store.close().await;
    let answer = desk.get("/metrics", &[]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.text.contains("\nreveille_look_complete 0\n") && answer.text.contains("\nreveille_page_lane_age_seconds "),
        "{answer:?}"
    );
}
