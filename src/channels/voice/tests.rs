use std::collections::BTreeSet;

use axum::Router;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::base::clock::Clock;
use crate::base::secret::{Secret, hmac_sha1};
use crate::channels::Words;
use crate::domain::setup::Language;

const PUBLIC: &str = "https://reveille.example.com";
const THREE_AM: i64 = 1_438_138_800;

fn voice(api_url: &str, public_url: Option<&str>) -> Voice {
    // Another test may have installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let tokens = vec![Secret::new("new token"), Secret::new("old token")];
    let twilio = Twilio::new("AC1".to_owned(), tokens, api_url, Clock::system()).expect("a client");
    Voice::new(twilio, "+15005550006".to_owned(), public_url)
}

/// A Twilio that gives one answer to everything.
async fn answering(status: u16, body: Value) -> Voice {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    let status = StatusCode::from_u16(status).expect("a status");
    let router = Router::new().fallback(move || async move { (status, body.to_string()) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    voice(&address, Some(PUBLIC))
}

fn attempt() -> AttemptId {
    AttemptId::from_text("att_01k")
}

fn outgoing() -> Outgoing {
    let words =
        Words { body: "Incident 42.".to_owned(), menu: "Press 1.".to_owned(), goodbye: "Goodbye.".to_owned(), language: Language::En };
    Outgoing { attempt: attempt(), to: "+33100000001".to_owned(), content: Content::Call(words) }
}

fn callback(path: &str, form: &str, signed_url: &str, token: &str) -> Inbound {
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    fields.sort();
    let text: String = std::iter::once(signed_url.to_owned()).chain(fields.into_iter().map(|(name, value)| name + &value)).collect();
    let signature = STANDARD.encode(hmac_sha1(token.as_bytes(), text.as_bytes()));
    Inbound {
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: vec![("host".to_owned(), "10.0.0.7:8080".to_owned()), (SIGNATURE.to_owned(), signature)],
        body: Bytes::copy_from_slice(form.as_bytes()),
        sent: None,
        received_at: Time::from_seconds(THREE_AM),
    }
}

fn signed(what: &str, form: &str) -> Inbound {
    let path = format!("/callbacks/voice/att_01k/{what}");
    callback(&path, form, &format!("{PUBLIC}{path}"), "new token")
}

fn hear(inbound: &Inbound) -> Result<OfAttempt, HearError> {
    match voice("http://127.0.0.1:1", Some(&format!("{PUBLIC}/"))).hear(inbound)? {
        Heard::Attempt(heard) => Ok(heard),
        Heard::Written(written) => panic!("nobody writes to a telephone: {written:?}"),
    }
}

fn call(sid: &str, status: &str, date_created: Option<&str>) -> Value {
    json!({ "sid": sid, "status": status, "to": "+33100000001", "from": "+15005550006", "date_created": date_created })
}

#[tokio::test]
async fn what_came_of_a_send_is_news() {
    let sent = answering(201, call("CA1", "queued", None)).await.send(&outgoing()).await;
    assert_eq!(sent.news, News::Accepted { provider_id: "CA1".to_owned() });
    let sent = answering(400, json!({ "code": 21_211, "message": "Invalid 'To' Phone Number" })).await.send(&outgoing()).await;
    assert!(matches!(sent.news, News::Rejected { .. }), "{sent:?}");
    let sent = answering(500, json!({})).await.send(&outgoing()).await;
    assert!(matches!(sent.news, News::Unknown { .. }), "{sent:?}");
}

#[tokio::test]
async fn a_lost_call_is_the_nearest_that_belongs_to_nobody() {
    let sent_at = Time::from_seconds(THREE_AM);
    let calls = json!({ "calls": [
        call("CA9", "queued", Some("Wed, 29 Jul 2015 03:02:00 +0000")),
        call("CA3", "ringing", Some("Wed, 29 Jul 2015 03:00:01 +0000")),
        call("CA2", "in-progress", Some("Wed, 29 Jul 2015 03:00:00 +0000")),
        call("CA1", "completed", Some("Wed, 29 Jul 2015 02:58:00 +0000")),
    ] });
    let ask = async |known: &[&str]| {
        let known = known.iter().map(|sid| (*sid).to_owned()).collect();
        answering(200, calls.clone()).await.ask(&Question { to: "+33100000001".to_owned(), sent_at, text: None, known }).await
    };
    assert_eq!(ask(&["CA2"]).await, Settled::Found { provider_id: "CA3".to_owned(), news: News::Ringing });
    assert_eq!(ask(&["CA2", "CA3", "CA9"]).await, Settled::NotFound);
    let failed = answering(500, json!({})).await.ask(&Question { to: String::new(), sent_at, text: None, known: BTreeSet::new() }).await;
    assert!(matches!(failed, Settled::CouldNotAsk(_)), "{failed:?}");
}

#[tokio::test]
async fn a_lost_call_may_still_wait_in_the_queue_or_in_a_state_without_a_word() {
    let sent_at = Time::from_seconds(THREE_AM);
    for status in ["queued", "simmering"] {
        let calls = json!({ "calls": [call("CA1", status, None)] });
        let settled = answering(200, calls).await.ask(&Question { to: String::new(), sent_at, text: None, known: BTreeSet::new() }).await;
        let news = News::Accepted { provider_id: "CA1".to_owned() };
        assert_eq!(settled, Settled::Found { provider_id: "CA1".to_owned(), news });
    }
}

#[tokio::test]
async fn a_calls_state_is_told_or_why_not() {
    assert_eq!(answering(200, call("CA1", "no-answer", None)).await.status("CA1").await, Ok(News::Ended(CallEnd::NoAnswer)));
    assert!(answering(200, call("CA1", "simmering", None)).await.status("CA1").await.is_err());
    assert!(answering(500, json!({})).await.status("CA1").await.is_err());
    assert_eq!(answering(200, call("CA1", "completed", None)).await.end("CA1").await, Ok(()));
    assert!(answering(500, json!({})).await.end("CA1").await.is_err());
}

#[test]
fn a_key_is_heard() {
    let heard = hear(&signed("keys", "CallSid=CA1&Digits=1&CallStatus=in-progress&From=%2B15005550006"));
    assert_eq!(heard, Ok(OfAttempt { attempt: attempt(), provider_id: "CA1".to_owned(), said: Said::Key('1'), closed: None }));
    for (digits, said) in [("%23", Said::Key('#')), ("*", Said::Key('*')), ("", Said::NoKey)] {
        assert_eq!(hear(&signed("keys", &format!("CallSid=CA1&Digits={digits}"))).map(|heard| heard.said), Ok(said));
    }
    assert_eq!(hear(&signed("keys", "CallSid=CA1")).map(|heard| heard.said), Ok(Said::NoKey));
}

#[test]
fn a_status_is_heard() {
    let ended = |end| Said::Status(News::Ended(end));
    for (status, said) in [
        ("queued", Said::Status(News::Accepted { provider_id: "CA1".to_owned() })),
        ("initiated", Said::Status(News::Accepted { provider_id: "CA1".to_owned() })),
        ("ringing", Said::Status(News::Ringing)),
        ("in-progress", Said::Status(News::PickedUp)),
        ("completed", ended(CallEnd::Completed)),
        ("busy", ended(CallEnd::Busy)),
        ("no-answer", ended(CallEnd::NoAnswer)),
        ("failed", ended(CallEnd::Failed)),
        ("canceled", ended(CallEnd::Canceled)),
    ] {
        assert_eq!(hear(&signed("status", &format!("CallSid=CA1&CallStatus={status}"))).map(|heard| heard.said), Ok(said), "{status}");
    }
}

#[test]
fn only_what_twilio_signed_is_heard() {
    let path = "/callbacks/voice/att_01k/keys";
    let form = "CallSid=CA1&Digits=1";
    let url = format!("{PUBLIC}{path}");
    assert!(hear(&callback(path, form, &url, "old token")).is_ok(), "a token that is being rotated out still counts");
    assert!(hear(&callback(&format!("{path}?a=b"), form, &format!("{url}?a=b"), "new token")).is_ok(), "the query is signed too");
    assert_eq!(hear(&callback(path, form, &url, "guessed")), Err(HearError::BadSignature));
    // Signed for the address behind the proxy, for another attempt, for other words.
    assert_eq!(hear(&callback(path, form, &format!("http://10.0.0.7:8080{path}"), "new token")), Err(HearError::BadSignature));
    assert_eq!(hear(&callback("/callbacks/voice/att_02k/keys", form, &url, "new token")), Err(HearError::BadSignature));
    let mut changed = callback(path, form, &url, "new token");
    changed.body = Bytes::from_static(b"CallSid=CA1&Digits=6");
    assert_eq!(hear(&changed), Err(HearError::BadSignature));
    changed.headers.clear();
    assert_eq!(hear(&changed), Err(HearError::BadSignature));
    // Without a public URL nothing was ever asked to call back.
    assert_eq!(voice("http://127.0.0.1:1", None).hear(&callback(path, form, path, "new token")), Err(HearError::BadSignature));
}

#[test]
fn what_is_signed_and_says_nothing_is_unreadable() {
    for (what, form) in
        [("keys", "Digits=1"), ("status", "CallSid=CA1"), ("status", "CallSid=CA1&CallStatus=simmering"), ("dance", "CallSid=CA1")]
    {
        assert_eq!(hear(&signed(what, form)), Err(HearError::Unreadable), "{what} {form}");
    }
    assert_eq!(
        hear(&callback("/callbacks/voice/x/keys", "CallSid=CA1", &format!("{PUBLIC}/callbacks/voice/x/keys"), "new token")),
        Err(HearError::Unreadable)
    );
}

#[test]
fn the_words_go_out_with_the_way_back() {
    let Content::Call(words) = outgoing().content else { panic!("a call") };
    let hearing = voice("http://127.0.0.1:1", Some(PUBLIC));
    let answer = hearing.answer(&attempt(), &words);
    assert!(answer.body.contains(r#"action="https://reveille.example.com/callbacks/voice/att_01k/keys""#), "{}", answer.body);
    assert!(hearing.takes_keys() && !voice("http://127.0.0.1:1", None).takes_keys());
}

#[test]
fn channels_are_found_by_kind_and_by_name() {
    let channels = crate::channels::Channels::new(vec![Box::new(voice("http://127.0.0.1:1", None))]);
    assert!(channels.find(ContactKind::Voice).is_some() && channels.named("voice").is_some());
    assert!(channels.find(ContactKind::Sms).is_none() && channels.named("sms").is_none());
    assert!(crate::channels::Channels::new(Vec::new()).find(ContactKind::Voice).is_none());
}
