//! CloudWatch's alarms over SNS: signed, and confirmed only where that is wanted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::app::{App, TEAM};
use crate::receiver::{Got, Receiver};
use crate::story;

const HOOK: &str = "/hooks/cloudwatch/cloudwatchkey00000000000001";
const TOPIC: &str = "arn:aws:sns:eu-west-1:123456789012:alarms";
const CERTIFICATE: &str = include_str!("../fixtures/sns/certificate.pem");
const KEY: &[u8] = include_bytes!("../fixtures/sns/key.pem");

/// The server starts again with somebody in the place of SNS, who has the certificate.
async fn stands_in(app: &mut App) -> Receiver {
    let sns = Receiver::open().await;
    sns.says(CERTIFICATE);
    let integration = format!(
        "\n[[integration]]\nid = \"shop-aws\"\nsource = \"cloudwatch\"\nservice = \"shop\"\nkey = \"cloudwatchkey00000000000001\"\n\
         topics = [\"{TOPIC}\"]\n"
    );
    app.applies(&(TEAM.replace("[server]\n", "[server]\nallow_private_targets = true\n") + &integration)).await;
    app.goes_down().await;
    app.own.sns_url = Some(sns.url.clone());
    app.comes_back().await;
    sns
}

/// As SNS signs, version 2.
fn signed(mut message: Value) -> Value {
    let names: &[&str] = match message["Type"].as_str().expect("a type") {
        "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    };
    let text: String = names.iter().map(|name| format!("{name}\n{}\n", message[*name].as_str().expect("a text"))).collect();
    let key = RsaKeyPair::from_pkcs8(PrivatePkcs8KeyDer::from_pem_slice(KEY).expect("a key").secret_pkcs8_der()).expect("a key of RSA");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("it signs");
    message["Signature"] = json!(STANDARD.encode(signature));
    message["SignatureVersion"] = json!("2");
    message["SigningCertURL"] = json!("https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem");
    message
}

fn alarm(state: &str, at: &str) -> Value {
    json!({
        "AlarmName": "shop-5xx",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-5xx",
        "NewStateValue": state,
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": format!("2026-01-07T{at}.093+0000"),
    })
}

fn notification(state: &str, at: &str) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": format!("e288882d-{state}-{at}"),
        "TopicArn": TOPIC,
        "Subject": format!("{state}: \"shop-5xx\""),
        "Message": alarm(state, at).to_string(),
        "Timestamp": format!("2026-01-07T{at}.134Z"),
    })
}

fn subscription(topic: &str, token: &str) -> Value {
    json!({
        "Type": "SubscriptionConfirmation",
        "MessageId": format!("8a14e4f3-{token}"),
        "Token": token,
        "TopicArn": topic,
        "Message": format!("You have chosen to subscribe to the topic {topic}."),
        "SubscribeURL": format!("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}"),
        "Timestamp": "2026-01-07T01:50:00.000Z",
    })
}

fn paths(got: &[Got]) -> Vec<&str> {
    got.iter().map(|got| got.path.as_str()).collect()
}

const CERTIFICATE_PATH: &str = "/SimpleNotificationService-0123.pem";

/// What the integration's page says of its last message.
async fn last_reason(app: &App) -> String {
    app.settle().await;
    let signals = app.get("/api/v1/integrations/shop-aws/signals").await;
    signals["items"][0]["reason"].as_str().expect("a sample with a reason").to_owned()
}

story!(an_alarm_that_sns_signed_wakes_and_its_ok_resolves, |app| {
    let sns = stands_in(app).await;
    let fired = app.hears(HOOK, &signed(notification("ALARM", "01:59:50"))).await;
    assert_eq!((fired.outcome.as_str(), fired.incident), ("opened", Some(1)));
    app.phone("ana").rings().await.press('1').await;
    let over = app.hears(HOOK, &signed(notification("OK", "02:10:00"))).await;
    assert_eq!(over.outcome, "resolved");
    app.incident(1).await.is("resolved");
    // The late retry of what is over.
    assert_eq!(app.hears(HOOK, &signed(notification("ALARM", "01:59:50"))).await.outcome, "ignored");
    assert_eq!(paths(&sns.got()), [CERTIFICATE_PATH], "one certificate serves them all");
    let alerts = app.get("/api/v1/alerts").await;
    assert_eq!(alerts["items"][0]["dedup_key"], "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:shop-5xx");
    assert!(alerts["items"][0]["labels"].get("sns_signature").is_none(), "{alerts:#}");
});

story!(what_sns_did_not_sign_is_refused_and_nothing_is_done, |app| {
    let sns = stands_in(app).await;
    let mut changed = signed(notification("ALARM", "01:59:50"));
    changed["Message"] = json!(alarm("ALARM", "01:59:59").to_string());
    let mut unsigned = notification("ALARM", "01:59:50");
    let mut elsewhere = signed(notification("ALARM", "01:59:50"));
    elsewhere["SigningCertURL"] = json!("https://sns.eu-west-1.amazonaws.com.evil.example/a.pem");
    let mut confirms = signed(subscription(TOPIC, "token-1"));
    confirms["Token"] = json!("token-2");
    for (forged, why) in
        [(&changed, "not what was signed"), (&unsigned, "names no certificate"), (&elsewhere, "not at SNS"), (&confirms, "signed")]
    {
        let (status, told) = app.sends(HOOK, forged.to_string()).await;
        assert_eq!(status, 401, "{told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(why)), "{told}");
    }
    // A certificate that SNS does not have.
    sns.answers(404);
    unsigned = signed(notification("ALARM", "01:59:50"));
    unsigned["SigningCertURL"] = json!("https://sns.eu-west-1.amazonaws.com/made-up.pem");
    assert_eq!(app.sends(HOOK, unsigned.to_string()).await.0, 401);
    app.settle().await;
    assert!(app.incidents().await.is_empty());
    assert_eq!(app.is_accounted_for().await, 0, "nothing was taken");
    assert_eq!(paths(&sns.got()), [CERTIFICATE_PATH, "/made-up.pem"], "nobody else was asked, and nothing was confirmed");
});

story!(an_alarm_whose_certificate_cannot_be_fetched_just_now_wakes_all_the_same, |app| {
    let sns = stands_in(app).await;
    sns.answers(503);
    let fired = app.hears(HOOK, &signed(notification("ALARM", "01:59:50"))).await;
    assert_eq!(fired.outcome, "opened");
    app.phone("ana").rings().await.press('1').await;
    let alerts = app.get("/api/v1/alerts").await;
    let labels = &alerts["items"][0]["labels"];
    assert_eq!(labels["sns_signature"], "not checked: its certificate could not be fetched just then", "{alerts:#}");
    // A subscription is not confirmed on trust.
    app.clock.advance_to(app.clock.now() + reveille::base::time::Span::seconds(2));
    app.hears(HOOK, &signed(subscription(TOPIC, "token-1"))).await;
    assert!(last_reason(app).await.contains("its signature could not be checked"));
    assert!(sns.got().iter().all(|got| got.path == CERTIFICATE_PATH), "{:?}", sns.got());
    // As soon as it can be had, it counts.
    sns.answers(200);
    let mut changed = signed(notification("OK", "02:10:00"));
    changed["Message"] = json!(alarm("OK", "02:11:00").to_string());
    assert_eq!(app.sends(HOOK, changed.to_string()).await.0, 401);
    assert_eq!(app.hears(HOOK, &signed(notification("OK", "02:10:00"))).await.outcome, "resolved");
});

story!(a_subscription_is_confirmed_once_and_only_of_a_topic_in_the_list, |app| {
    let sns = stands_in(app).await;
    let other = "arn:aws:sns:eu-west-1:123456789012:others";
    assert_eq!(app.hears(HOOK, &signed(subscription(other, "token-0"))).await.outcome, "ignored");
    let told = last_reason(app).await;
    assert!(told.contains("was not confirmed") && told.contains(&format!("add topics = [\"{other}\"]")), "{told}");
    app.clock.advance_to(app.clock.now() + reveille::base::time::Span::seconds(2));
    for token in ["token-1", "token-1", "token-1", "token-2"] {
        assert_eq!(app.hears(HOOK, &signed(subscription(TOPIC, token))).await.outcome, "ignored");
    }
    let told = last_reason(app).await;
    assert!(told.contains("is being confirmed"), "{told}");
    let got = sns.gets(3).await;
    let mut confirmed = paths(&got[1..]);
    confirmed.sort_unstable();
    let path = |token: &str| format!("/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={token}");
    assert_eq!(confirmed, [path("token-1"), path("token-2")]);
    assert!(got.iter().all(|got| got.method == "GET"));
    assert!(app.incidents().await.is_empty());
});

story!(a_raw_delivery_has_no_signature_and_is_taken, |app| {
    let sns = stands_in(app).await;
    assert_eq!(app.hears(HOOK, &alarm("ALARM", "01:59:50")).await.outcome, "opened");
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(app.hears(HOOK, &alarm("OK", "02:10:00")).await.outcome, "resolved");
    assert!(sns.got().is_empty());
});
