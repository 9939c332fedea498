//! Bodies that come encoded: taken at every door, and told of where they cannot be.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use reqwest::RequestBuilder;
use reveille::base::secret::{hex, hmac_sha256};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use serde_json::{Value, json};

use crate::app::{App, GENERIC, TEAM, answer};
use crate::story;

const SIGNED: &str = "/hooks/generic/signedkey000000000000001";
const GENIE: &str = "a-genie-key-of-this-team-01";

fn team() -> String {
    let integration = |id: &str, source: &str, key: &str, says: &str| {
        format!("\n[[integration]]\nid = \"{id}\"\nsource = \"{source}\"\nservice = \"api\"\nkey = \"{key}\"\n{says}\n")
    };
    [
        TEAM.to_owned(),
        integration(
            "signed",
            "generic",
            "signedkey000000000000001",
            "hmac = { header = \"X-Signature\", secret = \"the-signing-secret-of-all\", prefix = \"sha256=\" }",
        ),
        integration("pd", "pagerduty", "pagerdutykey000000000001", ""),
        integration("genie", "opsgenie", GENIE, ""),
        integration("prom", "alertmanager_api", "prometheuskey00000000001", ""),
        integration("victor", "splunk-oncall", "splunkkey000000000000001", ""),
    ]
    .concat()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes it")
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("memory takes it")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    compress_to_vec(body, CompressionLevel::Fastest)
}

/// Posts bytes that say they are encoded so.
fn post(app: &App, path: &str, coding: &str, sent: Vec<u8>) -> RequestBuilder {
    app.http.post(format!("{}{path}", app.url)).header("content-encoding", coding).header("prefer", "wait=5").body(sent)
}

/// The titles of all alerts that fire.
async fn titles(app: &App) -> Vec<String> {
    app.settle().await;
    let alerts = app.get("/api/v1/alerts?state=firing").await;
    let mut titles: Vec<String> =
        alerts["items"].as_array().expect("a list").iter().map(|alert| alert["title"].as_str().expect("a title").to_owned()).collect();
    titles.sort_unstable();
    titles
}

async fn taken(request: RequestBuilder, status: u16) -> Value {
    let (answered, told) = answer(request).await;
    assert_eq!(answered, status, "{told}");
    told
}

story!(every_door_takes_every_coding, &team(), |app| {
    let event = |key: &str, title: &str| json!({ "dedup_key": key, "title": title, "severity": "warning" }).to_string();
    taken(post(app, GENERIC, "gzip", gzip(event("a", "by gzip").as_bytes())), 202).await;
    taken(post(app, GENERIC, "deflate", deflate(event("b", "by deflate").as_bytes())), 202).await;
    taken(post(app, GENERIC, "Zstd", zstd(event("c", "by zstd").as_bytes())), 202).await;
    taken(post(app, GENERIC, "identity", event("d", "as it is").into_bytes()), 202).await;
    let event = json!({
        "routing_key": "pagerdutykey000000000001", "event_action": "trigger", "dedup_key": "e",
        "payload": { "summary": "by PagerDuty's door", "source": "db-1", "severity": "warning" }
    });
    let told = taken(post(app, "/v2/enqueue", "gzip", gzip(event.to_string().as_bytes())), 202).await;
    assert_eq!(told["dedup_key"], "e");
    let event = json!({ "message": "by Opsgenie's door", "alias": "f", "priority": "P4" });
    let request = post(app, "/v2/alerts", "zstd", zstd(event.to_string().as_bytes()));
    taken(request.header("authorization", format!("GenieKey {GENIE}")), 202).await;
    let event = json!([{ "labels": { "alertname": "by Alertmanager's door", "severity": "warning" } }]);
    let (status, _) =
        answer(post(app, "/api/v2/alerts", "gzip", gzip(event.to_string().as_bytes())).bearer_auth("prometheuskey00000000001")).await;
    assert_eq!(status, 200);
    let event = json!({ "message_type": "WARNING", "entity_id": "g", "entity_display_name": "by Splunk's door", "state_message": "x" });
    let path = "/integrations/generic/20131114/alert/splunkkey000000000000001/all";
    let told = taken(post(app, path, "deflate", deflate(event.to_string().as_bytes())), 200).await;
    assert_eq!(told["entity_id"], "g");
    let titles = titles(app).await;
    for door in ["by gzip", "by deflate", "by zstd", "as it is", "PagerDuty's", "Opsgenie's", "Alertmanager's", "Splunk's"] {
        assert!(titles.iter().any(|title| title.contains(door)), "{door}: {titles:?}");
    }
    assert_eq!(titles.len(), 8, "{titles:?}");
    app.everyone_takes_notice();
});

story!(a_signature_is_over_the_bytes_as_they_were_sent, &team(), |app| {
    let body = json!({ "dedup_key": "a", "title": "signed and packed", "severity": "warning" }).to_string();
    let sent = gzip(body.as_bytes());
    let signed = |bytes: &[u8]| format!("sha256={}", hex(&hmac_sha256(b"the-signing-secret-of-all", bytes)));
    taken(post(app, SIGNED, "gzip", sent.clone()).header("x-signature", signed(body.as_bytes())), 401).await;
    assert!(titles(app).await.is_empty());
    taken(post(app, SIGNED, "gzip", sent.clone()).header("x-signature", signed(&sent)), 202).await;
    assert_eq!(titles(app).await, ["signed and packed"]);
    // What cannot be decoded was sent all the same, so that its signature counts: a stranger makes no alert.
    let cut = &sent[..20];
    taken(post(app, SIGNED, "gzip", cut.to_vec()).header("x-signature", signed(&sent)), 401).await;
    assert_eq!(titles(app).await.len(), 1);
    let told = taken(post(app, SIGNED, "gzip", cut.to_vec()).header("x-signature", signed(cut)), 202).await;
    assert_eq!(told["results"][0]["outcome"], "unreadable", "{told}");
    app.settle().await;
    app.everyone_takes_notice();
});

story!(what_cannot_be_decoded_is_an_alert_that_says_so, &team(), |app| {
    for (coding, sent, says) in [
        ("br", b"anything".to_vec(), "it is encoded as br, and what is taken is gzip, deflate, zstd"),
        ("gzip, gzip", gzip(&gzip(b"{}")), "it is encoded 2 times over"),
        ("gzip", b"{\"title\":\"not packed at all\"}".to_vec(), "it is not the whole and valid gzip"),
        ("zstd", zstd(b"{\"title\":\"cut\"}")[..9].to_vec(), "it is not the whole and valid zstd"),
    ] {
        let told = taken(post(app, GENERIC, coding, sent), 202).await;
        assert_eq!(told["results"][0]["outcome"], "unreadable", "{told}");
        let titles = titles(app).await;
        assert!(titles.len() == 1 && titles[0].contains(says), "{coding}: {titles:?}");
    }
    // The next body that can be read ends it, as after any other.
    taken(post(app, GENERIC, "gzip", gzip(b"{\"dedup_key\":\"a\",\"title\":\"well\",\"state\":\"resolved\"}")), 202).await;
    assert!(titles(app).await.is_empty());

    // Who has no key hears what is taken; nothing is stored.
    let before = app.is_accounted_for().await;
    taken(post(app, "/hooks/generic/nosuchkey000000000000001", "br", b"x".to_vec()), 404).await;
    let unkeyed = post(app, "/v2/enqueue", "br", b"x".to_vec()).send().await.expect("an answer");
    assert_eq!(unkeyed.status(), 415);
    assert_eq!(unkeyed.headers()["accept-encoding"], "gzip, deflate, zstd");
    let told: Value = serde_json::from_str(&unkeyed.text().await.expect("text")).expect("JSON");
    assert_eq!(told["status"], "invalid event");
    assert!(told["errors"][0].as_str().expect("a sentence").contains("what is taken is gzip, deflate, zstd"), "{told}");
    assert_eq!(app.is_accounted_for().await, before);

    // These protocols have a word for it; with a key that is right it is an alert as well.
    let opsgenie = post(app, "/v2/alerts", "br", b"x".to_vec()).header("authorization", format!("GenieKey {GENIE}"));
    let told = taken(opsgenie, 415).await;
    assert!(told["message"].as_str().expect("a sentence").contains("encoded as br"), "{told}");
    taken(post(app, "/api/v2/alerts", "gzip", b"x".to_vec()).bearer_auth("prometheuskey00000000001"), 400).await;
    taken(post(app, "/v2/enqueue", "br", b"x".to_vec()).header("x-routing-key", "pagerdutykey000000000001"), 415).await;
    assert_eq!(titles(app).await.len(), 3);
    let metrics = app.http.get(format!("{}/metrics", app.url)).send().await.expect("metrics").text().await.expect("text");
    for line in [
        "reveille_encoded_bodies_total{coding=\"gzip\",outcome=\"broken\"} 2",
        "reveille_encoded_bodies_total{coding=\"gzip\",outcome=\"decoded\"} 1",
        "reveille_encoded_bodies_total{coding=\"other\",outcome=\"unknown\"} 5",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    app.everyone_takes_notice();
});

story!(a_bomb_is_a_body_too_large, &team(), |app| {
    for (coding, sent) in
        [("gzip", gzip(&vec![b' '; 64 << 20])), ("deflate", deflate(&vec![b' '; 64 << 20])), ("zstd", zstd(&vec![b' '; 64 << 20]))]
    {
        assert!(sent.len() < 100_000, "{coding} {}", sent.len());
        let told = taken(post(app, GENERIC, coding, sent), 413).await;
        assert!(told["detail"].as_str().expect("a sentence").contains("1048576"), "{told}");
    }
    let titles = titles(app).await;
    assert!(titles.len() == 1 && titles[0].contains("over the limit of 1048576 bytes"), "{titles:?}");
    // What is just as large as may be is taken, and so is a group that is larger as it was.
    let most = format!("{}{}", "{\"dedup_key\":\"a\",\"title\":\"just fits\",\"severity\":\"warning\"}", " ".repeat(1 << 20));
    taken(post(app, GENERIC, "gzip", gzip(&most.as_bytes()[..1 << 20])), 202).await;
    let alert = |n: usize| format!("{{\"labels\":{{\"alertname\":\"DiskFull\",\"instance\":\"db-{n}\",\"severity\":\"warning\"}}}}");
    let group = format!("[{}]", (0..5_000).map(alert).collect::<Vec<_>>().join(","));
    let request = post(app, "/api/v2/alerts", "zstd", zstd(group.as_bytes())).bearer_auth("prometheuskey00000000001");
    let (status, _) = answer(request).await;
    assert_eq!(status, 200);
    app.settle().await;
    assert!(app.is_accounted_for().await >= 5_000);
    app.everyone_takes_notice();
});
