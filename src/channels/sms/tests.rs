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
use crate::base::time::Time;

const PUBLIC: &str = "https://reveille.example.com";
const THREE_AM: i64 = 1_438_138_800;

fn sms(api_url: &str, public_url: Option<&str>) -> Sms {
    // Another test may have installed it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let twilio = Twilio::new("AC1".to_owned(), vec![Secret::new("token")], api_url, Clock::system()).expect("a client");
    Sms::new(twilio, "+15005550006".to_owned(), public_url)
}

/// A Twilio that gives one answer to everything.
async fn answering(status: u16, body: Value) -> Sms {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("it is bound"));
    let status = StatusCode::from_u16(status).expect("a status");
    let router = Router::new().fallback(move || async move { (status, body.to_string()) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    sms(&address, Some(PUBLIC))
}

fn outgoing() -> Outgoing {
    Outgoing { attempt: AttemptId::from_text("att_01k"), to: "+33100000001".to_owned(), content: Content::Text("#42 down".to_owned()) }
}

fn message(sid: &str, status: &str, body: &str, date_created: Option<&str>) -> Value {
    json!({ "sid": sid, "status": status, "body": body, "error_code": null, "date_created": date_created })
}

fn hear(path: &str, form: &str, token: &str) -> Result<Heard, HearError> {
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    fields.sort();
    let text: String = std::iter::once(format!("{PUBLIC}{path}")).chain(fields.into_iter().map(|(name, value)| name + &value)).collect();
    sms("http://127.0.0.1:1", Some(PUBLIC)).hear(&Inbound {
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: vec![("x-twilio-signature".to_owned(), STANDARD.encode(hmac_sha1(token.as_bytes(), text.as_bytes())))],
        body: Bytes::copy_from_slice(form.as_bytes()),
        sent: None,
        received_at: Time::from_seconds(THREE_AM),
    })
}

#[tokio::test]
async fn what_came_of_a_send_is_news() {
    let sent = answering(201, message("SM1", "queued", "#42 down", None)).await.send(&outgoing()).await;
    assert_eq!(sent, Sent::of(News::Accepted { provider_id: "SM1".to_owned() }));
    let sent = answering(400, json!({ "code": 21_211, "message": "Invalid 'To' Phone Number" })).await.send(&outgoing()).await;
    assert!(matches!(sent.news, News::Rejected { .. }) && sent.closed.is_none(), "{sent:?}");
    let sent =
        answering(400, json!({ "code": 21_610, "message": "Attempt to send to unsubscribed recipient" })).await.send(&outgoing()).await;
    assert!(matches!(sent.news, News::Rejected { .. }) && sent.closed.is_some(), "{sent:?}");
    for (status, body) in [(500, json!({})), (503, json!({ "code": 20_503, "message": "try later" })), (201, json!({ "sid": "" }))] {
        let sent = answering(status, body).await.send(&outgoing()).await;
        assert!(matches!(sent.news, News::Unknown { .. }), "{sent:?}");
    }
    let sent = sms("http://127.0.0.1:1", None).send(&outgoing()).await;
    assert!(matches!(sent.news, News::Rejected { .. }), "nothing has left: {sent:?}");
}

#[tokio::test]
async fn a_lost_text_is_found_by_its_words() {
    let sent_at = Time::from_seconds(THREE_AM);
    let messages = json!({ "messages": [
        message("SM3", "sent", "Sent from your Twilio trial account - #42 down", Some("Wed, 29 Jul 2015 03:00:01 +0000")),
        message("SM2", "queued", "#43 down", Some("Wed, 29 Jul 2015 03:00:00 +0000")),
        message("SM1", "delivered", "#42 down", Some("Wed, 29 Jul 2015 02:00:00 +0000")),
    ] });
    let ask = async |known: &[&str], text: &str| {
        let known = known.iter().map(|sid| (*sid).to_owned()).collect();
        let question = Question { to: "+33100000001".to_owned(), sent_at, text: Some(text.to_owned()), known };
        answering(200, messages.clone()).await.ask(&question).await
    };
    let found = |sid: &str| Settled::Found { provider_id: sid.to_owned(), news: News::Accepted { provider_id: sid.to_owned() } };
    assert_eq!(ask(&[], "#42 down").await, found("SM3"));
    assert_eq!(ask(&[], "#43 down").await, found("SM2"));
    assert_eq!(ask(&["SM3"], "#42 down").await, Settled::NotFound);
    let question = Question { to: String::new(), sent_at, text: None, known: BTreeSet::new() };
    assert!(matches!(answering(500, json!({})).await.ask(&question).await, Settled::CouldNotAsk(_)));
}

#[tokio::test]
async fn a_texts_state_is_told() {
    assert_eq!(answering(200, message("SM1", "delivered", "", None)).await.status("SM1").await, Ok(News::Delivered));
    let failed = json!({ "sid": "SM1", "status": "failed", "error_code": 30_003 });
    let reason = "Twilio says failed, code 30003".to_owned();
    assert_eq!(answering(200, failed).await.status("SM1").await, Ok(News::Undelivered { reason }));
    assert!(answering(404, json!({ "code": 20_404, "message": "not found" })).await.status("SM1").await.is_err());
}

#[test]
fn what_twilio_signed_is_heard() {
    let of = |status: &str| match hear("/callbacks/sms/att_01k/status", &format!("MessageSid=SM1&MessageStatus={status}"), "token") {
        Ok(Heard::Attempt(heard)) => Some((heard.attempt.to_string(), heard.provider_id, heard.said, heard.closed)),
        Ok(Heard::Written(_)) | Err(_) => None,
    };
    let told =
        |news: News, closed: Option<&str>| Some(("att_01k".to_owned(), "SM1".to_owned(), Said::Status(news), closed.map(str::to_owned)));
    assert_eq!(of("delivered"), told(News::Delivered, None));
    assert_eq!(of("sent"), told(News::Accepted { provider_id: "SM1".to_owned() }, None));
    let reason = "Twilio says undelivered, code 21610".to_owned();
    assert_eq!(of("undelivered&ErrorCode=21610"), told(News::Undelivered { reason }, Some(UNSUBSCRIBED_THERE)));
    assert_eq!(of("simmering"), None);

    let written = hear("/callbacks/sms", "MessageSid=SM9&From=%2B33100000001&To=%2B15005550006&Body=ack+42", "token");
    assert_eq!(written, Ok(Heard::Written(Written { id: "SM9".to_owned(), from: "+33100000001".to_owned(), text: "ack 42".to_owned() })));
    assert_eq!(hear("/callbacks/sms", "MessageSid=SM9&Body=ack+42", "token"), Err(HearError::Unreadable));
    assert_eq!(hear("/callbacks/sms", "MessageSid=SM9&From=%2B33100000001&Body=ack+42", "guessed"), Err(HearError::BadSignature));
    assert_eq!(hear("/callbacks/sms/att_01k/keys", "MessageSid=SM1&Digits=1", "token"), Err(HearError::Unreadable));
}

#[test]
fn an_answer_is_twiml() {
    let sms = sms("http://127.0.0.1:1", None);
    assert_eq!(sms.reply(Some("done")).body, "<Response><Message>done</Message></Response>");
    assert_eq!(sms.acknowledge().body, "<Response/>");
}
