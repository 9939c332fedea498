//! What people say of themselves: they are invited, say how and in which language they are reached, and try it.

use std::time::Duration;

use reveille::stage::MailFault;

use crate::app::{App, Browser, TEAM};
use crate::story;

/// The file gives Dee a name and an address, and nothing else. Bo's language is the file's, and Cy has another than English.
fn with_dee() -> String {
    let dee = "[[user]]\nid = \"dee\"\nname = \"Dee <Dum>\"\nemail = \"dee@example.com\"\n\n[[user]]";
    let smtp = "[smtp]\nurl = \"{smtp}\"\nfrom = \"reveille@example.com\"\n\n";
    TEAM.replacen("[[user]]", &format!("{smtp}{dee}"), 1).replace("name = \"Cy Young\"", "name = \"Cy Young\"\nlanguage = \"de\"")
}

/// Sends a form of somebody's own page, which is saved, and waits until it is in force.
async fn saves(app: &App, browser: &Browser, path: &str, fields: &str) {
    let before = app.house().now_live().version;
    let csrf = browser.get("/me").await.csrf();
    let saved = browser.post(path, &format!("csrf={csrf}&{fields}")).await;
    assert!(saved.status == 303 && saved.location.as_deref().is_some_and(|to| to.starts_with("/me?done=")), "{fields}: {}", saved.text);
    let mut live = app.house().live.clone();
    let seen = live.wait_for(|live| live.version > before);
    drop(tokio::time::timeout(Duration::from_secs(2), seen).await.expect("in force within two seconds").expect("the server runs"));
}

/// Sends a form that is refused, and gives the reason.
async fn refused(browser: &Browser, path: &str, fields: &str) -> String {
    let csrf = browser.get("/me").await.csrf();
    let told = browser.post(path, &format!("csrf={csrf}&{fields}")).await;
    assert_eq!(told.status, 400, "{path} {fields}");
    told.text
}

story!(somebody_is_invited_says_how_they_are_reached_and_tries_it, &with_dee(), |app| {
    let ana = app.browser("ana").await;
    let people = ana.get("/people").await;
    assert!(people.text.contains("Dee &#60;Dum&#62;") && people.text.contains("cannot be reached"), "{}", people.text);
    let told = ana.post("/people/dee/invite", &format!("csrf={}&by=mail", people.csrf())).await;
    assert!(told.text.contains("on its way to dee@example.com"), "{}", told.text);
    assert!(!told.text.contains("/sign-in/"), "a mailed link is not shown: {}", told.text);
    let mail = app.stage.mails().pop().expect("a mail");
    assert_eq!((mail.to.as_slice(), mail.subject.as_str()), (&["dee@example.com".to_owned()][..], "Your invitation to Reveille"));
    assert!(mail.html.as_ref().is_some_and(|html| html.contains("Dee &#60;Dum&#62;")), "{:?}", mail.html);
    let links = mail.links();
    let link = links.iter().find_map(|link| link.strip_prefix(app.url.as_str())).expect("a link that leads here").to_owned();

    let dee = app.stranger();
    let offer = dee.get(&link).await;
    assert!(offer.text.contains("/reveille.vcf"), "the calling numbers can be saved: {}", offer.text);
    assert_eq!(dee.post(&link, &format!("csrf={}", offer.csrf())).await.status, 303);
    assert_eq!(app.stranger().get(&link).await.status, 403, "it works once");
    let me = dee.get("/me").await.text;
    assert!(me.contains("Nobody can reach you yet") && !me.contains("Test my phone"), "{me}");
    assert!(refused(&dee, "/me/test", "").await.contains("Add a phone first"));

    saves(app, &dee, "/me/contacts", "kind=voice&to=%2B49+100+000-00004").await;
    saves(app, &dee, "/me/profile", "language=fr&timezone=Europe%2FBerlin").await;
    for wrong in ["language=fr&timezone=Mars%2FBase", "language=tlh&timezone=UTC"] {
        refused(&dee, "/me/profile", wrong).await;
    }
    let me = dee.get("/me").await.text;
    assert!(me.contains("value=\"Europe/Berlin\"") && me.contains("<option value=\"fr\" selected>"), "{me}");

    // The whole real way, to Dee alone, in French.
    let csrf = dee.get("/me").await.csrf();
    let tried = dee.post("/me/test", &format!("csrf={csrf}")).await;
    assert_eq!(tried.location.as_deref(), Some("/incidents/1"));
    let line = app.phone("dee").rings().await.answer().await;
    assert!(line.said().contains("Bonjour"), "{}", line.said());
    line.press('1').await;
    app.settle().await;
    app.incident(1).await.is_acknowledged_by("dee");
    assert!(app.incidents().await.is_empty(), "a test stays out of the list");
    for person in ["ana", "bo", "cy"] {
        app.phone(person).is_silent().await;
    }

    // What the file says stays the file's, and its people are told so.
    let cy = app.browser("cy").await;
    let page = cy.get("/me").await.text;
    assert!(page.contains("written to in German") && page.contains("Your clock is that of Europe/London"), "{page}");
    assert!(!page.contains("action=\"/me/profile\"") && !page.contains("action=\"/me/contacts\""), "{page}");
    assert!(refused(&cy, "/me/contacts", "kind=voice&to=%2B44100000003").await.contains("configuration file"));
    let csrf = cy.get("/me").await.csrf();
    cy.post("/me/profile", &format!("csrf={csrf}&language=es&timezone=UTC")).await;
    let user = |app: &App| app.house().now_live().setup.users[&"cy".into()].clone();
    assert_eq!((user(app).language.name(), user(app).timezone.as_str()), ("de", "Europe/London"));
});

story!(an_invitation_that_cannot_be_mailed_is_shown, &with_dee(), |app| {
    let ana = app.browser("ana").await;
    app.stage.set_mail_fault(Some(MailFault::Refuse { code: 554 }));
    let csrf = ana.get("/people").await.csrf();
    let told = ana.post("/people/dee/invite", &format!("csrf={csrf}&by=mail")).await;
    assert!(told.text.contains("could not be mailed") && told.text.contains(&format!("{}/sign-in/", app.url)), "{}", told.text);
    // Nobody is mailed who did not ask for it, or has no address.
    app.stage.set_mail_fault(None);
    for fields in ["/people/dee/invite?by=link", "/people/bo/invite?by=mail"] {
        let (path, by) = fields.split_once('?').expect("both");
        let told = ana.post(path, &format!("csrf={csrf}&{by}")).await;
        assert!(told.text.contains("It is shown once") && told.text.contains("/sign-in/"), "{}", told.text);
    }
    assert!(app.stage.mails().is_empty());
});
