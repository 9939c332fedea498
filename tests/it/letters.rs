//! Mail, direct messages and a person's own webhook.

use reveille::base::secret::{Secret, webhook_signature};
use reveille::base::time::{Span, Time};
use reveille::stage::MailFault;
use reveille::stage::slack::SlackFault;

use crate::app::{App, TEAM};
use crate::receiver::Receiver;
use crate::story;

const SECRET: &str = "a secret of the server";

/// Ana has this contact at once and her phone two minutes later; whatever else her file says stands before the users.
fn with(sections: &str, contact: &str) -> String {
    TEAM.replace(
        r#"contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]"#,
        &format!(
            "slack = \"U0ANA\"\ncontacts = [{{ id = \"phone\", kind = \"voice\", to = \"+33100000001\" }}, {contact}]\n\
             rules = [{{ urgency = \"high\", after = \"0s\", contact = \"other\" }}, {{ urgency = \"high\", after = \"2m\", contact = \"phone\" }}]"
        ),
    )
    .replacen("[[user]]", &format!("{sections}\n\n[[user]]"), 1)
}

fn by_mail() -> String {
    with("[smtp]\nurl = \"{smtp}\"\nfrom = \"reveille@example.com\"", r#"{ id = "other", kind = "email", to = "ana@example.com" }"#)
}

fn by_slack() -> String {
    let slack = "[slack]\nbot_token = \"xoxb-stage\"\nsigning_secret = \"stage-signing-secret\"\napi_url = \"{stage}/slack/api\"";
    with(slack, r#"{ id = "other", kind = "slack_dm" }"#)
}

/// The outcomes of the attempts on the contact that is not Ana's phone.
async fn outcomes(app: &App) -> Vec<String> {
    let incident = app.incident(1).await;
    let others = incident.attempts("ana").into_iter().filter(|attempt| attempt["contact"] == "other");
    others.map(|attempt| attempt["outcome"].as_str().unwrap_or("none").to_owned()).collect()
}

/// The path of the link in the newest mail that acknowledges.
fn link(app: &App) -> String {
    let mail = app.stage.mails().pop().expect("a mail");
    let links = mail.links();
    let link = links.iter().find(|link| link.contains("/acknowledge/")).unwrap_or_else(|| panic!("no link in {links:?}"));
    link.strip_prefix(app.url.as_str()).expect("it leads here").to_owned()
}

story!(a_mail_is_acknowledged_by_its_link_which_asks_first, &by_mail(), |app| {
    app.fires("the disk is full").await;
    let mail = app.stage.mails().pop().expect("a mail");
    assert_eq!(
        (mail.to.as_slice(), mail.subject.as_str()),
        (&["ana@example.com".to_owned()][..], "[SEV2] #1 Public API: the disk is full")
    );
    assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
    assert!(mail.header("Message-ID").is_some_and(|id| id.starts_with("<att_") && id.ends_with("@example.com>")));
    assert!(mail.html.is_some_and(|html| html.contains("the disk is full")));
    assert_eq!(outcomes(app).await, ["accepted"]);

    // A scanner opens the link, more than once.
    let (scanner, link) = (app.stranger(), link(app));
    for _ in 0..2 {
        let page = scanner.get(&link).await;
        assert!(
            page.status == 200 && page.text.contains("the disk is full") && page.text.contains("Acknowledge as Ana Ruiz?"),
            "{}",
            page.text
        );
    }
    assert_eq!(scanner.post(&link, "csrf=guessed").await.status, 403);
    app.incident(1).await.is("triggered");

    let ana = app.stranger();
    let csrf = ana.get(&link).await.csrf();
    let done = ana.post(&link, &format!("csrf={csrf}")).await;
    assert!(done.status == 200 && done.text.contains("Incident 1 is acknowledged."), "{}", done.text);
    app.incident(1).await.is_acknowledged_by("ana");
    app.advance("10m").await;
    let later = ana.get(&link).await.text;
    assert!(later.contains("Nothing waits for you") && later.contains("Ana Ruiz has it"), "{later}");
    app.command(1, "resolve").await;
    let over = ana.get(&link).await.text;
    assert!(over.contains("over already") && !over.contains("has it"), "{over}");
});

story!(a_mails_link_is_for_its_own_incident_and_grows_old, &by_mail(), |app| {
    app.fires("the disk is full").await;
    let first = link(app);
    app.shop_fires("nobody can pay").await;
    let ana = app.stranger();
    let csrf = ana.get(&first).await.csrf();
    ana.post(&first, &format!("csrf={csrf}")).await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.incident(2).await.is("triggered");
    app.command(1, "resolve").await;
    app.command(2, "resolve").await;
    app.advance("24h").await;
    assert_eq!(ana.get(&first).await.status, 403);
    assert_eq!(ana.get("/acknowledge/guessed").await.status, 403);
});

story!(a_mail_that_is_refused_rings_the_phone_at_once, &by_mail(), |app| {
    app.stage.set_mail_fault(Some(MailFault::UnknownRecipient));
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(outcomes(app).await, ["rejected"]);
    let rejected = app.incident(1).await.entry("attempt_rejected").clone();
    assert!(rejected.to_string().contains("550"), "{rejected}");
});

story!(a_mail_server_that_hangs_rings_the_phone_within_15_seconds, &by_mail(), |app| {
    let start = app.clock.now();
    app.stage.set_mail_fault(Some(MailFault::Hang));
    app.fires("the disk is full").await;
    app.waits_for_a_call("ana", Span::seconds(15)).await;
    assert!(app.clock.now().since(start) <= Span::seconds(15));
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(outcomes(app).await, ["rejected"], "nothing had been handed over");
});

story!(a_mail_whose_taking_is_never_said_is_sent_once_more, &by_mail(), |app| {
    app.stage.set_mail_fault(Some(MailFault::TakeButDrop));
    app.fires("the disk is full").await;
    app.stage.set_mail_fault(None);
    assert_eq!(outcomes(app).await, ["unknown"]);
    app.advance("20s").await;
    assert_eq!(outcomes(app).await, ["unknown", "accepted"]);
    assert_eq!(app.stage.mails().len(), 2, "no more than what was unknown");
    app.command(1, "acknowledge").await;
    app.everyone_takes_notice();
});

story!(a_direct_message_is_answered_with_a_button, &by_slack(), |app| {
    app.fires("the disk is <!channel> full").await;
    let messages = app.stage.slack().direct("U0ANA");
    let message = messages.last().expect("a message");
    assert!(
        message.words().contains("#1 the disk is <!channel> full") || message.words().contains("&lt;!channel&gt;"),
        "{}",
        message.words()
    );
    let labels: Vec<String> = message.buttons().into_iter().map(|button| button.label).collect();
    assert_eq!(labels, ["Acknowledge", "Escalate", "Resolve"]);
    let room = app.stage.slack().rooms().into_iter().find(|room| room.messages.iter().any(|own| own.ts == message.ts)).expect("their room");
    app.stage.slack().press("U0ANA", &room.id, "Acknowledge").await.expect("the button");
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.advance("10m").await;
});

story!(who_has_it_is_asked_by_mail_before_it_lapses_and_keeps_it_by_a_word, &by_mail(), |app| {
    app.acts_as("ana").await;
    app.fires("the disk is full").await;
    app.command(1, "acknowledge").await;
    let mails = app.stage.mails().len();
    app.advance("24m59s").await;
    assert_eq!(app.stage.mails().len(), mails);
    app.advance("1s").await;
    let mail = app.stage.mails().pop().expect("a mail");
    assert_eq!(
        (app.stage.mails().len(), mail.to.as_slice(), mail.subject.as_str()),
        (mails + 1, &["ana@example.com".to_owned()][..], "Are you still at it? #1 the disk is full")
    );
    assert_eq!(mail.links(), [format!("{}/incidents/1", app.url)]);
    assert!(mail.html.is_some_and(|html| html.contains("in the next 5 minutes")));
    app.command(1, "acknowledge").await;
    app.advance("24m59s").await;
    app.phone("ana").is_silent().await;
    // Without a word it lapses.
    app.advance("1s").await;
    assert_eq!(app.stage.mails().len(), mails + 2);
    app.advance("5m").await;
    app.incident(1).await.is("triggered");
    app.phone("ana").rings_after("2m").await.press('1').await;
});

story!(who_has_it_is_asked_in_slack_and_answers_by_a_button, &by_slack(), |app| {
    app.acts_as("ana").await;
    app.fires("the disk is full").await;
    app.command(1, "acknowledge").await;
    let asked = |app: &App| {
        let messages = app.stage.slack().direct("U0ANA");
        messages.into_iter().find(|message| message.words().contains("Are you still at it?"))
    };
    app.advance("24m59s").await;
    assert!(asked(app).is_none());
    app.advance("1s").await;
    let message = asked(app).expect("a message");
    let room = app.stage.slack().rooms().into_iter().find(|room| room.messages.iter().any(|own| own.ts == message.ts)).expect("their room");
    app.stage.slack().press("U0ANA", &room.id, "I am on it").await.expect("the button");
    app.advance("24m59s").await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.phone("ana").is_silent().await;
});

/// Its alerts' end does not end the incident.
fn asks_whether_it_is_over() -> String {
    by_mail().replace("policy = \"platform\"", "policy = \"platform\"\nresolve = \"ask\"")
}

story!(who_has_it_is_asked_whether_it_is_over, &asks_whether_it_is_over(), |app| {
    app.acts_as("ana").await;
    app.fires("the disk is full").await;
    app.command(1, "acknowledge").await;
    app.resolves("the disk is full").await;
    let mail = app.stage.mails().pop().expect("a mail");
    assert_eq!(mail.subject, "Is it over? #1 the disk is full");
    app.incident(1).await.is("acknowledged");
    app.command(1, "resolve").await;
    let mails = app.stage.mails().len();
    app.advance("40m").await;
    assert_eq!(app.stage.mails().len(), mails);
});

story!(that_nobody_could_be_asked_is_said, |app| {
    app.acts_as("ana").await;
    app.fires("the disk is full").await;
    app.phone("ana").takes_notice();
    app.command(1, "acknowledge").await;
    app.advance("25m").await;
    let incident = app.incident(1).await;
    assert!(
        incident.entry("note_added")["text"].as_str().expect("a text").contains("Ana Ruiz could not be asked"),
        "{:?}",
        incident.kinds()
    );
    // Which is no sign of life.
    app.advance("5m").await;
    app.phone("ana").rings().await.press('1').await;
});

story!(slack_that_refuses_rings_the_phone_at_once, &by_slack(), |app| {
    app.stage.slack().set_fault(Some(SlackFault::RateLimited { retry_after: 600 }), None);
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(outcomes(app).await, ["rejected"]);
    app.stage.slack().set_fault(None, None);
});

/// Slack fails: the phone rings within 15 seconds.
async fn the_phone_rings_within_15_seconds(app: &mut App, fault: SlackFault) {
    let start = app.clock.now();
    app.stage.slack().set_fault(Some(fault), None);
    app.fires("the disk is full").await;
    app.waits_for_a_call("ana", Span::seconds(15)).await;
    assert!(app.clock.now().since(start) <= Span::seconds(15), "{fault:?}");
    app.phone("ana").rings().await.press('1').await;
    app.incident(1).await.is_acknowledged_by("ana");
    app.stage.slack().set_fault(None, None);
}

story!(slack_that_hangs_rings_the_phone, &by_slack(), |app| {
    the_phone_rings_within_15_seconds(app, SlackFault::Hang).await;
});

story!(slack_that_answers_nonsense_rings_the_phone, &by_slack(), |app| {
    the_phone_rings_within_15_seconds(app, SlackFault::Nonsense).await;
});

story!(slack_that_answers_500_rings_the_phone, &by_slack(), |app| {
    the_phone_rings_within_15_seconds(app, SlackFault::Refuse { status: 500 }).await;
});

story!(a_persons_webhook_is_told_signed, |app| {
    let receiver = Receiver::open().await;
    let team = with("", &format!("{{ id = \"other\", kind = \"webhook\", to = \"{}/page?key=hidden\" }}", receiver.url));
    let server = format!("[server]\nallow_private_targets = true\nwebhook_secret = \"{SECRET}\"\n");
    app.applies(&team.replace("[server]\n", &server)).await;
    app.fires("the disk is \"full\"").await;
    let got = receiver.gets(1).await.remove(0);
    assert_eq!(got.path, "/page?key=hidden");
    let signed = got.header("x-reveille-signature");
    let t: i64 = signed.strip_prefix("t=").and_then(|rest| rest.split(',').next()).and_then(|t| t.parse().ok()).expect("a time");
    assert_eq!(signed, webhook_signature(&[Secret::new(SECRET)], &got.body, Time::from_seconds(t)));
    let told = got.json();
    assert_eq!(
        (&told["type"], &told["user"], &told["incidents"][0]["title"]),
        (&"page".into(), &"ana".into(), &"the disk is \"full\"".into())
    );
    assert_eq!(told["id"], got.header("x-reveille-delivery"));
    assert_eq!(outcomes(app).await, ["accepted"]);
    app.command(1, "resolve").await;

    // One that refuses is passed over for the phone.
    app.advance("15m").await;
    receiver.answers(500);
    app.shop_fires("nobody can pay").await;
    app.phone("ana").rings().await.press('1').await;
});

story!(
    a_webhook_into_a_private_network_is_refused,
    &with("", r#"{ id = "other", kind = "webhook", to = "http://127.0.0.1:1/x?key=hidden" }"#),
    |app| {
        app.fires("the disk is full").await;
        app.phone("ana").rings().await.press('1').await;
        let incident = app.incident(1).await;
        // The phone is tried within the same moment, so that which of the two stands first is chance.
        let attempt = incident.attempts("ana").into_iter().find(|attempt| attempt["contact"] == "other").expect("the webhook was tried");
        assert_eq!(attempt["outcome"], "rejected");
        assert!(attempt["reason"].as_str().is_some_and(|why| why.contains("private") && !why.contains("hidden")), "{attempt}");
    }
);

story!(the_calling_number_can_be_saved, |app| {
    let card = app.stranger().get("/reveille.vcf").await;
    assert!(card.status == 200 && card.text.contains("TEL;TYPE=WORK,VOICE,MSG:+15005550006\r\n"), "{}", card.text);
});

story!(a_mail_that_cannot_be_made_ready_rings_the_phone_at_once, &by_mail(), |app| {
    app.sql("ALTER TABLE message_links RENAME TO message_links_away").await;
    app.fires("the disk is full").await;
    app.phone("ana").rings().await.press('1').await;
    assert_eq!(outcomes(app).await, ["rejected"]);
    assert!(app.stage.mails().is_empty());
    app.incident(1).await.is_acknowledged_by("ana");
    app.sql("ALTER TABLE message_links_away RENAME TO message_links").await;
});
