//! Slack's blocks, made of words that strangers wrote. Pure: whatever comes in, what goes out is within Slack's limits and says only what it says.

use serde_json::{Value, json};

pub use crate::vendor::slack::Message;

use crate::base::id::Number;
use crate::base::time::Time;
use crate::domain::incident::IncidentState;
use crate::domain::setup::Severity;
use crate::domain::task::TaskState;

// Slack's limits: <https://docs.slack.dev/reference/block-kit/blocks>. Characters.
const SECTION: usize = 3_000;
const HEADER: usize = 150;
const BUTTON: usize = 75;
const VALUE: usize = 2_000;
const BLOCKS: usize = 50;
/// All words of one message: Slack refuses somewhat more than 13,000.
const ALL_WORDS: usize = 12_000;
/// The words of a notification.
const NOTIFICATION: usize = 300;
const TOPIC: usize = 250;

/// The longest title and the longest sentence shown.
const TITLE: usize = 200;
const SENTENCE: usize = 500;
/// Tasks on a board; the rest are a number.
const TASKS: usize = 20;

/// An incident as the board and the announcement show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub number: Number,
    pub title: String,
    pub service: Option<String>,
    pub severity: Severity,
    pub state: IncidentState,
    pub opened_at: Time,
    /// Where it stands, as a sentence.
    pub now: String,
    /// Roles and who has them: `lead`, `Ana Ruiz`.
    pub roles: Vec<(&'static str, String)>,
    pub alerts: String,
    pub room: Option<String>,
    pub url: Option<String>,
    /// The last update somebody posted.
    pub update: Option<String>,
    /// Who was paged, by what came of it: `answered`, `Ana Ruiz, Bo Lind`.
    pub roll_call: Vec<(&'static str, String)>,
}

/// One row of the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub n: i64,
    pub title: String,
    pub owner: Option<String>,
    pub state: TaskState,
    pub since: Time,
    pub blocked_on: Option<String>,
    pub back_at: Option<Time>,
}

/// A button: what it says, and the saying that pressing it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    /// As in [`super::inbound`]: `42 ack`.
    pub says: String,
    pub style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Primary,
    /// Asks before it acts.
    Danger(&'static str),
}

impl Button {
    #[must_use]
    pub fn new(label: impl Into<String>, says: impl Into<String>) -> Self {
        Self { label: label.into(), says: says.into(), style: Style::Plain }
    }

    #[must_use]
    pub fn primary(mut self) -> Self {
        self.style = Style::Primary;
        self
    }

    #[must_use]
    pub fn danger(mut self, question: &'static str) -> Self {
        self.style = Style::Danger(question);
        self
    }
}

/// The pinned message of a room: what it is, where it stands, who does what.
#[must_use]
pub fn board(card: &Card, tasks: &[Row]) -> Message {
    let mut blocks = vec![header(card), section(&facts(card))];
    if let Some(update) = &card.update {
        blocks.push(section(&format!("*Update:* {}", escaped(update, SENTENCE))));
    }
    if !card.roll_call.is_empty() {
        let words: Vec<String> = card.roll_call.iter().map(|(what, who)| format!("{what}: {}", escaped(who, SENTENCE))).collect();
        blocks.push(context(&format!("Paged · {}", words.join(" · "))));
    }
    let open: Vec<&Row> = tasks.iter().filter(|task| task.state.is_open()).collect();
    if !open.is_empty() {
        blocks.push(json!({ "type": "divider" }));
    }
    for task in open.iter().take(TASKS) {
        let mut block = section(&row(task));
        // Writes nobody's name into the button: whoever presses it is the one who takes the task.
        let button = if task.owner.is_none() {
            Button::new(format!("Take {}", task.n), format!("{} take {}", card.number.0, task.n))
        } else {
            Button::new(format!("Done {}", task.n), format!("{} done {}", card.number.0, task.n))
        };
        block["accessory"] = element(&button);
        blocks.push(block);
    }
    let rest = open.len().saturating_sub(TASKS);
    let over = tasks.len() - open.len();
    let mut notes = Vec::new();
    if rest > 0 {
        notes.push(format!("{rest} more open"));
    }
    if over > 0 {
        notes.push(format!("{over} done or dropped"));
    }
    if !notes.is_empty() {
        blocks.push(context(&format!("Tasks: {}", notes.join(", "))));
    }
    if let Some(buttons) = actions(&acts(card)) {
        blocks.push(buttons);
    }
    if let Some(url) = &card.url {
        blocks.push(context(&format!("<{}|Timeline> · opened {}", escaped(url, 2_000), date(card.opened_at))));
    }
    message(&summary(card), blocks)
}

/// The one message of an incident in the room that hears of every incident.
#[must_use]
pub fn announcement(card: &Card) -> Message {
    let mut blocks = vec![header(card), section(&facts(card))];
    let mut places = Vec::new();
    if let Some(room) = &card.room {
        places.push(format!("<#{}>", escaped(room, 64)));
    }
    if let Some(url) = &card.url {
        places.push(format!("<{}|Timeline>", escaped(url, 2_000)));
    }
    places.push(format!("opened {}", date(card.opened_at)));
    if let Some(buttons) = actions(&acts(card)) {
        blocks.push(buttons);
    }
    blocks.push(context(&places.join(" · ")));
    message(&summary(card), blocks)
}

/// Sentences of the timeline, oldest first; gives how many of them fit into one message.
#[must_use]
pub fn timeline(lines: &[(Time, String)]) -> (Message, usize) {
    let mut text = String::new();
    let mut taken = 0;
    let mut last = String::new();
    for (at, line) in lines {
        let line = format!("{} {}", clock(*at), escaped(line, SENTENCE));
        if taken > 0 && chars(&text) + chars(&line) + 1 > SECTION {
            break;
        }
        if taken > 0 {
            text.push('\n');
        }
        text.push_str(&line);
        taken += 1;
    }
    for (_, line) in lines.iter().take(taken) {
        last = escaped(line, NOTIFICATION);
    }
    (Message { text: last, blocks: vec![section(&text)] }, taken)
}

/// Words for one person or one place, with buttons under them. `lines` are mrkdwn: what strangers wrote in them went through [`escaped`].
#[must_use]
pub fn answer(lines: &[String], buttons: &[Button]) -> Message {
    let mut blocks: Vec<Value> = Vec::new();
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() && chars(&text) + chars(line) + 1 > SECTION {
            blocks.push(section(&text));
            text.clear();
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    if !text.is_empty() {
        blocks.push(section(&text));
    }
    for row in buttons.chunks(5) {
        blocks.extend(actions(row));
    }
    message(lines.first().map_or("", String::as_str), blocks)
}

/// One line of the board, as mrkdwn.
#[must_use]
pub fn row(task: &Row) -> String {
    let state = match task.state {
        TaskState::Todo => "to do",
        TaskState::Doing => "doing",
        TaskState::Blocked => "blocked",
        TaskState::Done => "done",
        TaskState::Dropped => "dropped",
    };
    let owner = task.owner.as_ref().map_or_else(|| "nobody yet".to_owned(), |owner| escaped(owner, 80));
    let mut text = format!("*{}.* {}\n{owner} · {state} since {}", task.n, escaped(&task.title, TITLE), date(task.since));
    if let Some(on) = &task.blocked_on {
        text.extend([" · waits for ", &escaped(on, TITLE)]);
    }
    if let Some(back) = task.back_at {
        text.extend([" · back ", &date(back)]);
    }
    text
}

/// The room's topic: one line, no markup.
#[must_use]
pub fn topic(card: &Card) -> String {
    let lead = card.roles.iter().find(|(role, _)| *role == "lead").map_or("nobody", |(_, name)| name);
    let head = format!("{} {} {}", card.number, card.severity.name(), card.state.name());
    let url = card.url.as_ref().map(|url| format!(" · {url}")).unwrap_or_default();
    let room = TOPIC.saturating_sub(chars(&head) + chars(&url) + 12 + chars(lead));
    let words = format!("{head} · {} · lead: {}", plain(&card.title, room), plain(lead, 80));
    // Slack reads markup in topics too, so what could be markup is left out rather than shown as entities.
    let words: String = words.chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
    cut(&format!("{words}{url}"), TOPIC)
}

/// How an incident is named in a sentence: `#42 the disk is full`, as mrkdwn.
#[must_use]
pub fn named(number: Number, title: &str) -> String {
    format!("*{number}* {}", escaped(title, TITLE))
}

/// In the reader's own time, without a date where it is today's.
#[must_use]
pub fn date(at: Time) -> String {
    format!("<!date^{}^{{date_short_pretty}} {{time}}|{}>", at.seconds(), at.rfc3339())
}

fn clock(at: Time) -> String {
    format!("<!date^{}^{{time_secs}}|{}>", at.seconds(), at.rfc3339())
}

/// Plain words as mrkdwn: one line, at most `most` characters, nothing in it a link, a mention or a command.
#[must_use]
pub fn escaped(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    let whole = plain(text, usize::MAX);
    let mut rest = whole.chars().peekable();
    while let Some(c) = rest.next() {
        let word = match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            other => other.to_string(),
        };
        // An entity is never cut in two, and what was cut says so.
        let end = usize::from(rest.peek().is_some());
        if length + chars(&word) + end > most {
            out.push('…');
            return out;
        }
        length += chars(&word);
        out.push_str(&word);
    }
    out
}

/// One line without what cannot be seen: control characters, and marks that turn the direction of writing.
fn plain(text: &str, most: usize) -> String {
    let seen = text.chars().map(|c| if c.is_control() || c == '\u{2028}' || c == '\u{2029}' { ' ' } else { c });
    let seen: String = seen.filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')).collect();
    cut(&seen.split_whitespace().collect::<Vec<_>>().join(" "), most)
}

fn cut(text: &str, most: usize) -> String {
    if chars(text) <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

fn sign(card: &Card) -> &'static str {
    match card.state {
        IncidentState::Triggered => "🔴",
        IncidentState::Acknowledged => "🟠",
        IncidentState::Resolved => "🟢",
    }
}

fn header(card: &Card) -> Value {
    let text = cut(&format!("{} {} {}", sign(card), card.number, plain(&card.title, TITLE)), HEADER);
    json!({ "type": "header", "text": { "type": "plain_text", "text": text, "emoji": true } })
}

fn facts(card: &Card) -> String {
    let service = card.service.as_ref().map(|service| format!(" · {}", escaped(service, 100))).unwrap_or_default();
    let mut text = format!("*{}* · {}{service}\n{}", card.state.name(), card.severity.name(), escaped(&card.now, SENTENCE));
    for (role, name) in &card.roles {
        text.extend(["\n*", role, ":* ", &escaped(name, 80)]);
    }
    if card.state != IncidentState::Resolved && !card.roles.iter().any(|(role, _)| *role == "lead") {
        text.push_str("\n*lead:* nobody yet");
    }
    if !card.alerts.is_empty() {
        text.extend(["\n", &escaped(&card.alerts, SENTENCE)]);
    }
    text
}

fn acts(card: &Card) -> Vec<Button> {
    let n = card.number.0;
    let has_lead = card.roles.iter().any(|(role, _)| *role == "lead");
    let mut acts = Vec::new();
    match card.state {
        IncidentState::Triggered => {
            acts.push(Button::new("Acknowledge", format!("{n} ack")).primary());
            acts.push(Button::new("Escalate", format!("{n} escalate")).danger("This pages the next step of the policy now."));
        }
        IncidentState::Acknowledged => {}
        IncidentState::Resolved => return acts,
    }
    if !has_lead {
        acts.push(Button::new("Take lead", format!("{n} lead me")));
    }
    acts.push(Button::new("Resolve", format!("{n} resolve")).danger("This ends the incident and closes its alerts."));
    acts.push(Button::new("More", format!("{n} menu")));
    acts
}

fn summary(card: &Card) -> String {
    cut(&format!("{} {} {}: {}", card.number, card.severity.name(), card.state.name(), escaped(&card.title, TITLE)), NOTIFICATION)
}

fn message(text: &str, mut blocks: Vec<Value>) -> Message {
    let mut words = 0;
    blocks.retain(|block| {
        words += chars(block["text"]["text"].as_str().unwrap_or_default());
        // What acts is kept: a board without its buttons is of less use than one that names fewer tasks.
        words <= ALL_WORDS || block["type"] == "actions"
    });
    blocks.truncate(BLOCKS);
    Message { text: cut(text, NOTIFICATION), blocks }
}

/// `verbatim`: Slack makes no links of what merely looks like an address or a name.
fn section(text: &str) -> Value {
    let text = if text.is_empty() { " " } else { text };
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": cut(text, SECTION), "verbatim": true } })
}

fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": cut(text, SECTION), "verbatim": true }] })
}

fn actions(buttons: &[Button]) -> Option<Value> {
    (!buttons.is_empty()).then(|| json!({ "type": "actions", "elements": buttons.iter().map(element).collect::<Vec<_>>() }))
}

fn element(button: &Button) -> Value {
    // Slack takes neither an empty label nor an empty value.
    let shown = |text: String| if text.is_empty() { "·".to_owned() } else { text };
    let label = shown(plain(&button.label, BUTTON));
    let says = shown(cut(&button.says, VALUE));
    // An id that a handler could tell apart, and unique within its block.
    let id: String = says.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(200).collect();
    let mut element = json!({
        "type": "button",
        "action_id": id,
        "text": { "type": "plain_text", "text": label },
        "value": says,
    });
    match button.style {
        Style::Plain => {}
        Style::Primary => element["style"] = json!("primary"),
        Style::Danger(question) => {
            element["style"] = json!("danger");
            element["confirm"] = json!({
                "title": { "type": "plain_text", "text": label },
                "text": { "type": "plain_text", "text": question },
                "confirm": { "type": "plain_text", "text": "Yes" },
                "deny": { "type": "plain_text", "text": "No" },
            });
        }
    }
    element
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What strangers write into titles and notes.
    const HOSTILE: &[&str] = &[
        "",
        " ",
        "<!channel> everybody look",
        "<!here|here> <@U0ANA> <#C0INCIDENTS>",
        "<https://evil.example|click here to acknowledge>",
        "& &amp; &lt;!channel&gt;",
        "*bold* _italic_ ~gone~ `code` ```block```",
        "one\ntwo\r\nthree\ttab\u{0}nul",
        "\u{202e}desrever\u{202c} \u{2066}isolated\u{2069}",
        "😀👩‍👩‍👧‍👦 é中文",
        "</script><img src=x onerror=alert(1)>",
    ];

    fn card(title: &str) -> Card {
        Card {
            number: Number(42),
            title: title.to_owned(),
            service: Some(title.to_owned()),
            severity: Severity::Sev1,
            state: IncidentState::Triggered,
            opened_at: Time::from_seconds(1_700_000_000),
            now: title.to_owned(),
            roles: vec![("lead", title.to_owned())],
            alerts: title.to_owned(),
            room: Some("C1".to_owned()),
            url: Some("https://reveille.example.com/incidents/42".to_owned()),
            update: Some(title.to_owned()),
            roll_call: vec![("answered", title.to_owned()), ("not reached", title.to_owned())],
        }
    }

    fn task(n: i64, title: &str, owner: Option<&str>) -> Row {
        Row {
            n,
            title: title.to_owned(),
            owner: owner.map(str::to_owned),
            state: if owner.is_some() { TaskState::Doing } else { TaskState::Todo },
            since: Time::from_seconds(1_700_000_000),
            blocked_on: Some(title.to_owned()),
            back_at: Some(Time::from_seconds(1_700_000_900)),
        }
    }

    /// Every text of a message, with the limit of its place.
    fn check(message: &Message) {
        assert!(message.blocks.len() <= 50, "{} blocks", message.blocks.len());
        assert!(chars(&message.text) <= 4_000);
        let mut all = 0;
        for block in &message.blocks {
            if let Some(text) = block["text"]["text"].as_str() {
                let most = if block["type"] == "header" { 150 } else { 3_000 };
                assert!((1..=most).contains(&chars(text)), "{}: {text}", chars(text));
                all += chars(text);
            }
            for element in block["elements"].as_array().into_iter().flatten().chain(block.get("accessory")) {
                if element["type"] == "button" {
                    assert!((1..=75).contains(&chars(element["text"]["text"].as_str().expect("a label"))));
                    assert!((1..=2_000).contains(&chars(element["value"].as_str().expect("a value"))));
                }
            }
        }
        assert!(all <= 13_000, "{all} characters in all");
    }

    /// All mrkdwn of a message without the marks that this file writes itself.
    fn foreign_marks(message: &Message) -> Vec<String> {
        let text: String = message
            .blocks
            .iter()
            .filter(|block| block["type"] != "header")
            .flat_map(|block| {
                let own = block["text"]["text"].as_str().map(str::to_owned);
                let elements = block["elements"].as_array().into_iter().flatten();
                own.into_iter().chain(elements.filter_map(|element| element["text"].as_str().map(str::to_owned))).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
            .join("\n");
        let marks = text.split('<').skip(1).map(|mark| mark.split('>').next().unwrap_or_default().to_owned());
        marks.filter(|mark| !(mark.starts_with("!date^") || mark.starts_with("https://reveille.example.com/") || mark == "#C1")).collect()
    }

    #[test]
    fn hostile_words_stay_words() {
        for text in HOSTILE {
            let tasks = [task(1, text, None), task(2, text, Some(text))];
            let lines = vec![(Time(0), (*text).to_owned())];
            for message in [board(&card(text), &tasks), announcement(&card(text)), timeline(&lines).0, answer(&[escaped(text, 100)], &[])] {
                check(&message);
                assert_eq!(foreign_marks(&message), Vec::<String>::new(), "{text:?}");
                assert!(!message.text.contains(['<', '\n', '\0', '\u{202e}']), "{text:?}: {}", message.text);
            }
            let topic = topic(&card(text));
            assert!(!topic.contains(['<', '\n', '\u{202e}']) && chars(&topic) <= 250, "{topic}");
        }
    }

    #[test]
    fn whatever_the_length_slacks_limits_hold() {
        for long in ["x".repeat(50_000), "&".repeat(50_000), "<".repeat(7_000), "😀 ".repeat(9_000), "\u{0}".repeat(5_000)] {
            let tasks: Vec<Row> = (1..=200).map(|n| task(n, &long, Some(&long))).collect();
            let message = board(&card(&long), &tasks);
            check(&message);
            assert!(message.blocks.iter().any(|block| block["type"] == "actions"), "the buttons are kept");
            check(&announcement(&card(&long)));
            check(&answer(&vec![escaped(&long, 400); 60], &vec![Button::new(long.clone(), long.clone()); 12]));
            assert!(chars(&topic(&card(&long))) <= 250);
        }
    }

    #[test]
    fn a_cut_never_falls_into_an_entity_and_is_told() {
        assert_eq!(escaped("a&b", 100), "a&amp;b");
        for most in 1..12 {
            let cut = escaped("<<<<<<", most);
            assert!(chars(&cut) <= most && cut.ends_with('…'), "{most}: {cut}");
            assert!(cut.trim_end_matches('…').replace("&lt;", "").is_empty(), "{cut}");
        }
    }

    #[test]
    fn a_timeline_takes_what_fits_and_says_how_much() {
        let lines: Vec<(Time, String)> = (0..100).map(|n| (Time(0), format!("{n} {}", "x".repeat(400)))).collect();
        let (message, taken) = timeline(&lines);
        check(&message);
        assert!((3..10).contains(&taken), "{taken}");
        assert!(message.blocks[0]["text"]["text"].as_str().expect("text").contains(&format!("{} x", taken - 1)));
    }

    #[test]
    fn the_board_offers_what_can_be_done() {
        let labels = |message: &Message| -> Vec<String> {
            let elements = message
                .blocks
                .iter()
                .flat_map(|block| block["elements"].as_array().cloned().into_iter().flatten().chain(block.get("accessory").cloned()));
            elements
                .filter(|element| element["type"] == "button")
                .filter_map(|element| element["text"]["text"].as_str().map(str::to_owned))
                .collect()
        };
        let mut shown = card("the disk is full");
        shown.roles.clear();
        let tasks = [task(1, "free space", None), task(2, "tell people", Some("Bo"))];
        assert_eq!(labels(&board(&shown, &tasks)), ["Take 1", "Done 2", "Acknowledge", "Escalate", "Take lead", "Resolve", "More"]);
        shown.state = IncidentState::Acknowledged;
        shown.roles = vec![("lead", "Ana".to_owned())];
        assert_eq!(labels(&board(&shown, &[])), ["Resolve", "More"]);
        shown.state = IncidentState::Resolved;
        assert_eq!(labels(&announcement(&shown)), Vec::<String>::new());
    }
}
