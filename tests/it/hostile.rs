//! What strangers write, walked through everything that shows, says, posts, mails, sends or lists it.
//!
//! Each text becomes an alert's title, its key, its labels, its link, a note, an update, a task; the people's and the services' names are
//! hostile too. Each sink has a judge of its own, and each judge is shown that it can say no.

#[path = "../support/hostile.rs"]
mod texts;

use std::collections::BTreeSet;

use reveille::stage::Mail;
use serde_json::{Value, json};

use crate::app::{App, GENERIC, TEAM};
use crate::receiver::Receiver;
use crate::story;

/// A bit of everything, for names that the configuration gives.
const NAME: &str = r#"=1+1 <!channel> <b>&amp;"' </Say><Hangup/> {{7*7}}"#;

/// Whatever reaches a person is at work: call, text, mail, direct message, a webhook of their own and one of everybody's, the room.
fn team(receiver: &Receiver) -> String {
    let name = json!(NAME).to_string();
    let contacts = format!(
        r#"slack = "U0ANA"
contacts = [
  {{ id = "phone", kind = "voice", to = "+33100000001" }},
  {{ id = "text", kind = "sms", to = "+33100000001" }},
  {{ id = "mail", kind = "email", to = "ana@example.com" }},
  {{ id = "dm", kind = "slack_dm" }},
  {{ id = "hook", kind = "webhook", to = "{}/own" }},
]
rules = [
  {{ urgency = "high", after = "0s", contact = "phone" }},
  {{ urgency = "high", after = "0s", contact = "text" }},
  {{ urgency = "high", after = "0s", contact = "mail" }},
  {{ urgency = "high", after = "0s", contact = "dm" }},
  {{ urgency = "high", after = "0s", contact = "hook" }},
]"#,
        receiver.url
    );
    let sections = format!(
        r#"[slack]
bot_token = "xoxb-stage"
signing_secret = "stage-signing-secret"
announce = "C0INCIDENTS"
api_url = "{{stage}}/slack/api"

[smtp]
url = "{{smtp}}"
from = "reveille@example.com"

[[webhook]]
id = "ops"
url = "{}/all"
secret = "0123456789abcdef"

[[user]]"#,
        receiver.url
    );
    TEAM.replacen("[[user]]", &sections, 1)
        .replace("[server]\n", "[server]\nallow_private_targets = true\nwebhook_secret = \"0123456789abcdef\"\n")
        .replace(
            r#"contacts = [{ id = "phone", kind = "voice", to = "+33100000001" }]
rules = [{ urgency = "high", after = "0s", contact = "phone" }]"#,
            &contacts,
        )
        .replace("name = \"Ana Ruiz\"", &format!("name = {name}"))
        .replace("name = \"Public API\"", &format!("name = {name}\nroom_at = \"sev2\"\ngroup = {{ window = \"0s\" }}"))
}

/// Controls, and marks that turn the writing round, have no business anywhere that people or terminals read.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of plain words.
fn line(text: &str) -> Result<(), String> {
    match text.chars().find(|c| is_unseen(*c)) {
        Some(c) => Err(format!("{c:?} in {text:?}")),
        None => Ok(()),
    }
}

/// Every tag is one that our templates have, every attribute is quoted and none acts, and every address leads where addresses may.
fn page(html: &str) -> Result<(), String> {
    const TAGS: &str = " a article bdi body br button caption code details dialog div dl dd dt doctype footer form h1 h2 h3 head header html input label kbd li link main meta nav \
                        noscript ol optgroup option p path pre script section select span strong summary svg table tbody td textarea th thead time \
                        title tr ul var ";
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let name: String =
            rest.trim_start_matches(['/', '!']).chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
        let near: String = rest.chars().take(80).collect();
        if name.is_empty() || !TAGS.contains(&format!(" {name} ")) {
            return Err(format!("a tag of nobody's: <{near}"));
        }
        rest = rest.trim_start_matches(['/', '!']).trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        rest = attributes(rest, &name).map_err(|why| format!("{why}: <{near}"))?;
        if name == "script" && !near.starts_with("script type=\"module\" src=\"/assets/") && !near.starts_with("/script") {
            return Err(format!("a script: <{near}"));
        }
    }
    match html.char_indices().find(|(_, c)| is_unseen(*c) && !matches!(c, '\n' | '\t')) {
        Some((at, c)) => Err(format!("{c:?} after {:?}", html[..at].chars().rev().take(60).collect::<String>())),
        None => Ok(()),
    }
}

/// Reads the attributes of one tag, and gives what follows it.
fn attributes<'a>(mut rest: &'a str, tag: &str) -> Result<&'a str, String> {
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
            return Ok(after);
        }
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(length);
        if name.is_empty() || name.starts_with("on") || (name == "style" && !["body", "h1", "p", "a"].contains(&tag)) {
            return Err(format!("the attribute {name:?}"));
        }
        rest = after;
        let Some(value) = after.strip_prefix('=') else { continue };
        let value = value.strip_prefix('"').ok_or("an attribute without quotes")?;
        let (value, after) = value.split_once('"').ok_or("an attribute without an end")?;
        let leads = matches!(name, "href" | "src" | "action" | "formaction");
        if leads && !["/", "#", "http://", "https://"].iter().any(|start| value.starts_with(start)) {
            return Err(format!("an address that leads to {value:?}"));
        }
        rest = after;
    }
}

/// Nothing in a message of Slack's is a link, a mention or a command but what we wrote ourselves.
fn blocks(message: &Value, url: &str) -> Result<(), String> {
    match message {
        Value::Object(fields) => {
            let is_markup = fields.get("type").and_then(Value::as_str) == Some("mrkdwn");
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "text" && is_markup => markup(text, url)?,
                    Value::String(text) => line(text)?,
                    other => blocks(other, url)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| blocks(item, url)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn markup(text: &str, url: &str) -> Result<(), String> {
    text.split('\n').try_for_each(line)?;
    for mark in text.split('<').skip(1) {
        let (mark, _) = mark.split_once('>').ok_or_else(|| format!("a bare < in {text:?}"))?;
        let is_id =
            |start: &str| mark.strip_prefix(start).is_some_and(|id| id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
        let ours = mark.starts_with("!date^") || is_id("#C") || is_id("@U0") || mark.starts_with(&format!("{url}/incidents/"));
        if !ours || mark == "@U0EVERY" || mark == "#C0ROOM" {
            return Err(format!("<{mark}> in {text:?}"));
        }
    }
    let entities: usize = ["&amp;", "&lt;", "&gt;"].iter().map(|entity| text.matches(entity).count()).sum();
    if text.matches('&').count() == entities { Ok(()) } else { Err(format!("a bare & in {text:?}")) }
}

/// One mail to Ana, with no header and no part but its own.
fn mail(mail: &Mail) -> Result<(), String> {
    let raw = String::from_utf8_lossy(&mail.raw);
    let (head, body) = raw.split_once("\r\n\r\n").ok_or("no end of its headers")?;
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let mut names = BTreeSet::new();
    for field in unfolded.split("\r\n") {
        let (name, value) = field.split_once(':').ok_or_else(|| format!("no header: {field:?}"))?;
        if !names.insert(name.to_ascii_lowercase()) {
            return Err(format!("{name} twice"));
        }
        line(value)?;
        if name.eq_ignore_ascii_case("to") && value.trim() != "ana@example.com" {
            return Err(format!("to {value}"));
        }
    }
    let known = [
        "from",
        "to",
        "subject",
        "date",
        "message-id",
        "references",
        "in-reply-to",
        "mime-version",
        "content-type",
        "auto-submitted",
        "content-transfer-encoding",
        "x-auto-response-suppress",
        "precedence",
    ];
    if let Some(other) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("the header {other}"));
    }
    if mail.to != ["ana@example.com"] {
        return Err(format!("to {:?}", mail.to));
    }
    if body.matches("Content-Type: text/").count() != 2 {
        return Err(format!("its parts: {body}"));
    }
    line(&mail.subject)?;
    mail.text.as_deref().ok_or("no text")?.split('\n').map(|text| text.trim_end_matches('\r')).try_for_each(line)?;
    page(&mail.html.as_deref().ok_or("no page")?.replace("\r\n", "\n"))
}

/// A text message: one line, without an address to press.
fn text(text: &str) -> Result<(), String> {
    line(text)?;
    let address = ["://", "www.", "evil.example"].iter().find(|address| text.contains(*address));
    address.map_or(Ok(()), |address| Err(format!("{address} in {text:?}")))
}

/// The rows of a file of RFC 4180, with nothing in them that a spreadsheet computes.
fn csv(file: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rows = vec![vec![String::new()]];
    let (mut quoted, mut chars) = (false, file.chars().peekable());
    while let Some(c) = chars.next() {
        let row = rows.last_mut().expect("there is a row");
        let field = row.last_mut().expect("there is a field");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\r' if !quoted && chars.next_if_eq(&'\n').is_some() => rows.push(vec![String::new()]),
            c => field.push(c),
        }
    }
    if quoted || rows.pop() != Some(vec![String::new()]) {
        return Err("it breaks off".to_owned());
    }
    for field in rows.iter().flatten() {
        line(field)?;
        if field.starts_with(['=', '+', '-', '@', ' ', '\u{feff}', '\u{ff1d}']) {
            return Err(format!("a formula: {field}"));
        }
    }
    Ok(rows)
}

#[test]
fn the_judges_can_say_no() {
    for bad in [
        "<p>x</p><script>alert(1)</script>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<p title=\"\" onmouseover=\"alert(1)\">x</p>",
        "<input value=x>",
        "<img src=\"/x\">",
        "<p>\u{202e}</p>",
        "<p>1 < 2</p>",
        "<span style=\"x\">y</span>",
    ] {
        assert!(page(bad).is_err(), "{bad}");
    }
    assert_eq!(page("<p class=\"x\"><a href=\"/y\">1 &#60; 2</a></p>"), Ok(()));
    for bad in ["<!channel>", "<@U0EVERY>", "a & b", "<https://evil.example|x>", "a\u{1b}[2J"] {
        assert!(markup(bad, "https://us.example").is_err(), "{bad}");
    }
    assert_eq!(markup("<https://us.example/incidents/1|x> &amp; <@U0ANA>", "https://us.example"), Ok(()));
    for bad in ["=1\r\n", "a,\"=1\"\r\n", "a", "\"a\r\n", "\u{1b}\r\n"] {
        assert!(csv(bad).is_err(), "{bad}");
    }
    assert_eq!(csv("a,\"b, \"\"c\"\"\"\r\n"), Ok(vec![vec!["a".to_owned(), "b, \"c\"".to_owned()]]));
    assert!(text("see https://evil.example").is_err() && line("a\nb").is_err());
}

impl App {
    /// What a page shows, judged.
    async fn shows(&self, browser: &crate::app::Browser, path: &str) -> String {
        let shown = browser.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        page(&shown.text).unwrap_or_else(|why| panic!("{path}: {why}"));
        shown.text
    }

    /// What a command prints, judged: as lines, and as JSON.
    async fn prints(&self, arguments: &[&str]) -> String {
        let mut out = String::new();
        for form in [&[][..], &["--json"]] {
            let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_reveille"));
            program.args(arguments).args(form).env("REVEILLE_URL", &self.url).env("REVEILLE_TOKEN", &self.token);
            let printed = program.output().await.expect("the program starts");
            let words = String::from_utf8(printed.stdout).expect("text");
            assert!(printed.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&printed.stderr));
            words.split('\n').try_for_each(line).unwrap_or_else(|why| panic!("{arguments:?} {form:?}: {why}"));
            out.push_str(&words);
        }
        out
    }
}

/// One text's night; whatever it sent or posted is judged.
async fn night(app: &mut App, receiver: &Receiver, number: i64, hostile: &str) {
    let (mails, sent, got) = (app.stage.mails().len(), app.texts("ana").len(), receiver.got().len());
    let body = json!({
        "dedup_key": hostile, "title": hostile, "severity": "error", "url": format!("javascript:{hostile}"),
        "labels": { "host": hostile, hostile: hostile },
    });
    let told = app.posts(GENERIC, &body).await;
    assert!(told["results"][0]["outcome"].is_string(), "{told}");
    app.settle().await;
    let title = app.incident(number).await.row["title"].as_str().expect("a title").to_owned();

    // It rings, says it all, and listens: a verb of ours that the text could end or add would show here.
    let line_open = app.phone("ana").rings().await.answer().await;
    let call = line_open.call();
    assert!(call.problem.is_none() && call.listening && !call.status.is_final(), "{hostile:?}: {call:?}");
    assert!(call.spoken().iter().all(|said| line(said).is_ok()), "{hostile:?}: {:?}", call.spoken());
    for (name, value) in
        [("note", json!({ "text": hostile })), ("update", json!({ "text": hostile })), ("tasks", json!({ "title": hostile }))]
    {
        let post = app.http.post(format!("{}/api/v1/incidents/{number}/{name}", app.url)).bearer_auth(&app.token).json(&value);
        let status = post.send().await.expect("an answer").status().as_u16();
        assert!([200, 201, 400].contains(&status), "{name} {hostile:?}: {status}");
    }
    for said in [format!("note {hostile}"), format!("task {hostile}"), hostile.to_owned()] {
        app.stage.slack().slash("U0ANA", "general", &said).await.expect("they may write there");
    }
    line_open.press('1').await;
    app.settle().await;
    app.incident(number).await.is_acknowledged_by("ana");
    app.advance("3s").await;

    let new: Vec<Mail> = app.stage.mails().into_iter().skip(mails).collect();
    assert!(!new.is_empty(), "no mail for {hostile:?}");
    for one in &new {
        mail(one).unwrap_or_else(|why| panic!("the mail about {hostile:?}: {why}"));
    }
    let link = new[0].links().into_iter().find(|link| link.contains("/acknowledge/")).expect("a link");
    let stranger = app.stranger();
    app.shows(&stranger, link.strip_prefix(app.url.as_str()).expect("it leads here")).await;
    let texts = app.texts("ana");
    assert!(texts.len() > sent, "no text about {hostile:?}");
    texts.iter().skip(sent).try_for_each(|one| text(one)).unwrap_or_else(|why| panic!("the text about {hostile:?}: {why}"));
    let hooks: Vec<_> = receiver.got().into_iter().skip(got).collect();
    for path in ["/own", "/all"] {
        let told: Vec<Value> = hooks.iter().filter(|got| got.path == path).map(crate::receiver::Got::json).collect();
        assert!(told.iter().any(|told| told.to_string().contains(&json!(title).to_string())), "{path} was not told of {title:?}: {told:?}");
    }
    app.command(number, "resolve").await;
    app.advance("5m").await;
}

story!(whatever_strangers_write_stays_words_in_every_sink, |app| {
    let receiver = Receiver::open().await;
    app.applies(&team(&receiver)).await;
    for _ in 0..5_000 {
        if reveille::store::follower_find(&app.house().store.reader(), "webhook:ops").await.expect("it reads").is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let long = "<b>\u{1f525}&\"' ".repeat(2_000);
    let all: Vec<&str> = texts::TEXTS.iter().copied().chain([long.as_str()]).collect();
    for (number, hostile) in (1..).zip(&all) {
        night(app, &receiver, number, hostile).await;
    }
    let last = i64::try_from(all.len()).expect("few");
    // What nobody can read is an alert too: broken UTF-8, half a surrogate pair, a NUL.
    for body in [&b"{\"title\":\"\xff\xfe<b>\"}"[..], br#"{"title":"\ud800<b>"}"#, b"\0<script>alert(1)</script>"] {
        let (status, told) = app.sends(GENERIC, body.to_vec()).await;
        assert_eq!((status, told["results"].as_array().map(Vec::len)), (202, Some(1)), "{told}");
    }
    // And one that wakes nobody, for the list of those.
    app.posts(GENERIC, &json!({ "title": texts::TEXTS[1], "dedup_key": "quiet", "severity": "info" })).await;
    app.settle().await;
    app.everyone_takes_notice();

    // Pages.
    let ana = app.browser("ana").await;
    let mut seen = 0;
    for path in ["/", "/?q=%3Cscript%3E&service=%22%3E%3Cb%3E", "/incidents/new", "/alerts", "/oncall", "/integrations", "/people", "/me"] {
        seen += app.shows(&ana, path).await.matches("&#60;").count();
    }
    for number in 1..=last {
        let shown = app.shows(&ana, &format!("/incidents/{number}")).await;
        seen += shown.matches("&#60;").count();
    }
    assert!(seen > 200, "the texts were really there: {seen}");
    let missing = ana.get("/incidents/%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert_eq!((missing.status, page(&missing.text)), (404, Ok(())));

    // The room, the announcements, the direct messages, the answers to commands.
    let rooms = app.stage.slack().rooms();
    let messages: Vec<_> = rooms.iter().flat_map(|room| room.messages.iter().filter(|message| message.by_app)).collect();
    assert!(messages.len() > all.len() * 5, "{}", messages.len());
    for message in messages {
        let judged = markup(&message.text, &app.url).and_then(|()| blocks(&json!(message.blocks), &app.url));
        judged.unwrap_or_else(|why| panic!("{why}\n{message:#?}"));
    }
    for room in &rooms {
        line(&room.topic.value).unwrap_or_else(|why| panic!("{why}"));
        assert!(!room.topic.value.contains(['<', '>']), "{}", room.topic.value);
        assert!(
            room.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
                || room.name.is_empty()
                || !room.name.starts_with("inc-")
        );
    }

    // For spreadsheets.
    let file = ana.get("/incidents.csv").await;
    let rows = csv(&file.text).unwrap_or_else(|why| panic!("{why}\n{}", file.text));
    assert_eq!((file.status, rows.iter().all(|row| row.len() == rows[0].len())), (200, true));
    assert!(rows.len() > all.len() && rows.iter().any(|row| row[1].starts_with("'=")), "{rows:?}");
    assert!(rows.iter().skip(1).any(|row| row[4].starts_with("'=1+1")), "the service's name: {rows:?}");

    // At a terminal.
    let listed = app.prints(&["incident", "list"]).await;
    assert!(listed.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is shown as it is: {listed}");
    for number in 1..=last {
        app.prints(&["incident", "show", &number.to_string()]).await;
    }
    app.prints(&["why", "1"]).await;
    app.prints(&["who"]).await;

    // The stream: each event is its own three lines.
    let mut stream = app.stream(10, 0).await;
    let told = stream.until("incident_resolved").await;
    assert!(told.len() > 5);

    // Refusals repeat nothing that could break out of them.
    for path in
        ["/api/v1/why/%3Cscript%3E%0d%0aSet-Cookie:%20x=1", "/api/v1/incidents?cursor=%3Cscript%3E", "/api/v1/incidents?state=%22%0d%0a"]
    {
        let (status, problem) = app.asks(reqwest::Method::GET, path, Some(&app.token)).await;
        assert!((400..500).contains(&status) && problem["status"] == status, "{path}: {problem}");
        assert!(!problem["detail"].as_str().expect("a sentence").contains('<'), "{problem}");
    }
    let card = app.stranger().get("/reveille.vcf").await;
    assert_eq!((card.status, card.text.matches("\r\nTEL").count(), card.text.matches("BEGIN").count()), (200, 1, 1), "{}", card.text);
});
