//! What people say to the bot: a command, a button, a mention. Pure: bytes become a saying, with a verb, words and foreign ids.
//!
//! Payloads: <https://docs.slack.dev/interactivity/implementing-slash-commands>,
//! <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>, <https://docs.slack.dev/apis/events-api>.

use serde_json::Value;

use super::dialogue::{self, Dialogue};

use crate::base::time::Span;
use crate::base::written;
use crate::domain::incident::IncidentRole;
use crate::domain::relevance::Relevance;
use crate::domain::setup::Severity;
use crate::domain::task::TaskState;

/// What one request of Slack's brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    Asked(Asked),
    /// Somebody wants to be asked for words.
    Opens {
        /// Lives three seconds.
        trigger_id: String,
        dialogue: Dialogue,
    },
    /// Somebody writes to the others, which shows that they are there.
    Wrote {
        user: String,
        channel: String,
    },
    /// Slack asks whether this address is ours.
    Challenge(String),
    /// Nothing for us: another kind of event, what a bot wrote, a button that is only a link.
    Nothing,
}

/// Somebody asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The person's id in Slack.
    pub user: String,
    pub channel: String,
    /// What was said, without the command or the bot's name.
    pub text: String,
    /// The incident that a button belongs to.
    pub incident: Option<i64>,
    pub by: By,
}

/// How it was asked, and with it where the answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    Command {
        response_url: Option<String>,
    },
    Button {
        response_url: Option<String>,
    },
    /// A dialogue was filled in and sent.
    Dialogue,
    /// In a channel, or to the bot alone; `thread` is where the answer belongs.
    Mention {
        event_id: String,
        thread: String,
    },
}

/// A person, as Slack or as people write them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    /// Whoever says it.
    Me,
    Slack(String),
    /// A user's id, or a handle that may be one.
    Named(String),
}

/// Whom to page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paged {
    Everyone,
    Person(Person),
    /// A policy, or a user whose id was written without `@`.
    Named(String),
}

/// What somebody wants, before anyone has looked whether it can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    Menu,
    New {
        title: String,
    },
    Who,
    Acknowledge,
    Resolve,
    Escalate,
    Reopen,
    Severity(Severity),
    Role {
        role: IncidentRole,
        who: Option<Person>,
    },
    Handover(Person),
    Task {
        title: String,
        owner: Option<Person>,
        back_after: Option<Span>,
    },
    /// These alerts of the incident are noise, or relevant: matchers, or a title.
    Mark {
        relevance: Relevance,
        text: String,
    },
    Unmark(i64),
    Take(Vec<i64>),
    /// `words`: what a blocked task waits for, or what there is to say about one that is over.
    Change {
        tasks: Vec<i64>,
        state: TaskState,
        words: Option<String>,
    },
    /// `at`: hour and minute of when it happened, in the speaker's own time.
    Note {
        text: String,
        at: Option<(u8, u8)>,
    },
    Update {
        text: String,
    },
    Page(Paged),
    Snooze(Span),
    /// It is part of the incident of this number.
    Merge(i64),
    Unmerge,
    Oncall,
    Override {
        who: Person,
        from: String,
        to: String,
        schedule: Option<String>,
    },
    Why,
    List,
    Help,
}

/// A verb and the incident it was said of, where it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    pub incident: Option<i64>,
    pub verb: Verb,
}

/// Reads the form of a slash command. `None`: it is none.
#[must_use]
pub fn command(body: &[u8]) -> Option<Asked> {
    command_of(|name| form_urlencoded::parse(body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned()))
}

/// The same from Socket Mode, where the form's fields are JSON.
#[must_use]
pub fn command_in(payload: &Value) -> Option<Asked> {
    command_of(|name| payload[name].as_str().map(str::to_owned))
}

fn command_of(field: impl Fn(&str) -> Option<String>) -> Option<Asked> {
    Some(Asked {
        user: field("user_id").filter(|id| !id.is_empty())?,
        channel: field("channel_id").unwrap_or_default(),
        text: field("text").unwrap_or_default(),
        incident: None,
        by: By::Command { response_url: field("response_url") },
    })
}

/// Reads the form of an interaction: a button pressed.
#[must_use]
pub fn interaction(body: &[u8]) -> Option<Incoming> {
    let payload = form_urlencoded::parse(body).find(|(key, _)| key == "payload").map(|(_, value)| value.into_owned())?;
    interaction_in(&serde_json::from_str(&payload).ok()?)
}

/// The same from Socket Mode.
#[must_use]
pub fn interaction_in(payload: &Value) -> Option<Incoming> {
    match payload["type"].as_str() {
        Some("block_actions") => pressed(payload),
        Some("shortcut" | "message_action") => shortcut(payload),
        Some("view_submission") => submitted(payload),
        Some(_) | None => Some(Incoming::Nothing),
    }
}

fn pressed(payload: &Value) -> Option<Incoming> {
    let user = word(&payload["user"]["id"])?;
    let Some(says) = payload["actions"].get(0).and_then(|action| word(&action["value"])) else { return Some(Incoming::Nothing) };
    let (incident, text) = about(&says);
    // A verb that wants words and has none asks for them.
    if let (Some(dialogue), Some(trigger_id)) =
        (Dialogue::of(text, incident, "").filter(|_| !text.is_empty()), word(&payload["trigger_id"]))
    {
        return Some(Incoming::Opens { trigger_id, dialogue });
    }
    let channel = word(&payload["channel"]["id"]).or_else(|| word(&payload["container"]["channel_id"])).unwrap_or_default();
    let by = By::Button { response_url: word(&payload["response_url"]) };
    Some(Incoming::Asked(Asked { user, channel, text: text.to_owned(), incident, by }))
}

/// `42 done 3`: the incident that it is about, and the saying.
fn about(says: &str) -> (Option<i64>, &str) {
    let (number, text) = says.split_once(' ').unwrap_or((says, ""));
    (number.parse().ok(), text)
}

/// Of the whole workspace, or of one message, whose words are taken.
fn shortcut(payload: &Value) -> Option<Incoming> {
    let user = word(&payload["user"]["id"])?;
    let written = word(&payload["message"]["text"]).unwrap_or_default();
    match (payload["callback_id"].as_str()?, payload["type"] == "message_action") {
        (verb @ ("note" | "task"), true) => {
            // Whose words they are stands before them, unless they are one's own.
            let whose = word(&payload["message"]["user"]).filter(|author| *author != user && verb == "note");
            let text = format!("{verb} {}{written}", whose.map(|author| format!("<@{author}>: ")).unwrap_or_default());
            let by = By::Button { response_url: word(&payload["response_url"]) };
            Some(Incoming::Asked(Asked { user, channel: word(&payload["channel"]["id"])?, text, incident: None, by }))
        }
        (callback, _) => {
            let verb = if matches!(callback, "new" | "declare") { "new" } else { "" };
            let (trigger_id, dialogue) = (word(&payload["trigger_id"])?, Dialogue::of(verb, None, &unescaped(&written))?);
            Some(Incoming::Opens { trigger_id, dialogue })
        }
    }
}

fn submitted(payload: &Value) -> Option<Incoming> {
    let view = &payload["view"];
    let (incident, verb) = about(view["private_metadata"].as_str()?);
    let words = view["state"]["values"][dialogue::FIELD][dialogue::FIELD]["value"].as_str().unwrap_or_default();
    // A field's words come as they were written; everything else is read as Slack escapes it.
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = format!("{verb} {words}").trim().to_owned();
    Some(Incoming::Asked(Asked { user: word(&payload["user"]["id"])?, channel: String::new(), text, incident, by: By::Dialogue }))
}

/// Reads an event: the bot is named in a channel, or written to.
#[must_use]
pub fn event(body: &[u8]) -> Option<Incoming> {
    event_in(&serde_json::from_slice(body).ok()?)
}

/// The same from Socket Mode.
#[must_use]
pub fn event_in(body: &Value) -> Option<Incoming> {
    if body["type"] == "url_verification" {
        return word(&body["challenge"]).map(Incoming::Challenge);
    }
    if body["type"] != "event_callback" {
        return Some(Incoming::Nothing);
    }
    let event = &body["event"];
    let text = event["text"].as_str().unwrap_or_default();
    let to_others = event["type"] == "message" && event["channel_type"] != "im";
    let said_to_us = event["type"] == "app_mention" || (event["type"] == "message" && event["channel_type"] == "im");
    // What bots write, our own words among it, and what was edited or deleted is not said to us.
    if !(said_to_us || to_others) || !event["bot_id"].is_null() || !event["subtype"].is_null() || !event["edited"].is_null() {
        return Some(Incoming::Nothing);
    }
    let event_id = word(&body["event_id"])?;
    let (Some(user), Some(channel), Some(ts)) = (word(&event["user"]), word(&event["channel"]), word(&event["ts"])) else {
        return Some(Incoming::Nothing);
    };
    if to_others {
        return Some(Incoming::Wrote { user, channel });
    }
    let thread = word(&event["thread_ts"]).unwrap_or(ts);
    let text = without_mention(text);
    Some(Incoming::Asked(Asked { user, channel, text, incident: None, by: By::Mention { event_id, thread } }))
}

fn word(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `<@U0BOT> ack` and `ack` are the same; so is `hey <@U0BOT> ack`.
fn without_mention(text: &str) -> String {
    let text = text.trim();
    match text.split_once("<@").and_then(|(_, rest)| rest.split_once('>')) {
        Some((_, rest)) if text.starts_with("<@") || !rest.trim().is_empty() => rest.trim().to_owned(),
        Some(_) | None => text.to_owned(),
    }
}

/// The verbs and how they are written, for help and for what could not be read.
pub const HELP: &[(&str, &str)] = &[
    ("new <title>", "declare an incident"),
    ("list", "open incidents"),
    ("who", "the board: who does what"),
    ("ack · resolve · escalate · reopen", "answer, end, page the next, page again"),
    ("sev <1-4>", "set the severity"),
    ("lead @ana · role comms @bo · handover @bo", "who is what"),
    ("task <text> [@ana] [15m]", "add a task, whose it is and when they are back with news"),
    ("take|done|block|drop <n> …", "change a task"),
    ("note <text> [at 12:56]", "write into the timeline"),
    ("update <text>", "tell everybody how it stands"),
    ("page <@ana|policy|all>", "wake more people"),
    ("noise|relevant <title or matcher>", "fold some alerts away, or keep them in sight"),
    ("unmark <n>", "take a mark back"),
    ("snooze <1h>", "acknowledged until then"),
    ("merge <42> · unmerge", "it is part of that incident, or is not after all"),
    ("why", "why who was paged, or not"),
    ("oncall", "who is on call now"),
    ("override @ana <from> <to> [schedule]", "somebody takes the turn for a while"),
];

/// Reads what was said. `in_room`: said in the room of an incident, so that a bare number there is a task's and a text begins at once.
///
/// # Errors
/// A sentence that shows how it is written.
pub fn parse(text: &str, in_room: bool) -> Result<Saying, String> {
    let text = written::lines(&unescaped(text));
    let mut words = Words(&text);
    let mut incident = words.hash_number();
    let verb = words.next().map(str::to_lowercase);
    let verb = verb.as_deref().unwrap_or("");
    let before = words.0;
    incident = incident.or_else(|| words.hash_number());
    if verb == "merge" && Words(words.0).number_said().is_none() {
        // `merge #42`: the one number is where it goes.
        (incident, words) = (incident.filter(|_| before == words.0), Words(before));
    }
    // Elsewhere the first number names the incident; of verbs that take a number of their own only if a second one follows.
    let takes_number = matches!(verb, "sev" | "severity" | "done" | "block" | "drop" | "take" | "unmark" | "merge");
    let takes_text =
        matches!(verb, "new" | "declare" | "task" | "note" | "update" | "noise" | "relevant" | "oncall" | "list" | "help" | "");
    if incident.is_none() && !matches!(verb, "new" | "declare") && !(in_room && (takes_number || takes_text)) {
        let mut ahead = Words(words.0);
        if let Some(number) = ahead.number()
            && (!takes_number
                || Words(ahead.0).number().is_some()
                || Words(ahead.0).next().is_some_and(|word| Severity::parse(word).is_some()))
        {
            incident = Some(number);
            words = ahead;
        }
    }
    Ok(Saying { incident, verb: read(verb, words)? })
}

fn read(verb: &str, mut words: Words<'_>) -> Result<Verb, String> {
    // Every message writes it in one word, so people do.
    if let Some(severity) = Severity::parse(verb) {
        return Ok(Verb::Severity(severity));
    }
    Ok(match verb {
        "" | "menu" => Verb::Menu,
        "new" | "declare" => Verb::New { title: words.text("new the checkout is down")? },
        "who" | "board" | "tasks" => Verb::Who,
        "ack" | "acknowledge" => Verb::Acknowledge,
        "resolve" | "close" => Verb::Resolve,
        "escalate" => Verb::Escalate,
        "reopen" => Verb::Reopen,
        "sev" | "severity" => {
            let word = words.next().map(str::to_lowercase).unwrap_or_default();
            let severity = Severity::parse(&word).or_else(|| Severity::parse(&format!("sev{word}")));
            Verb::Severity(severity.ok_or("write a severity from 1, the worst, to 4: `sev 2`")?)
        }
        "lead" => Verb::Role { role: IncidentRole::Lead, who: words.somebody("lead @ana")? },
        "role" => {
            let role = words.next().map(str::to_lowercase).and_then(|word| IncidentRole::parse(&word));
            let role = role.ok_or("write a role and who has it: `role comms @ana`; the roles are lead, comms, ops and scribe")?;
            Verb::Role { role, who: words.somebody("role comms @ana")? }
        }
        "handover" => Verb::Handover(words.person().ok_or("write to whom: `handover @bo`")?),
        "task" | "todo" => task(&words)?,
        "take" => Verb::Take(words.tasks("take 3")?),
        "done" => words.change("done 3", TaskState::Done)?,
        "drop" | "dropped" => words.change("drop 3", TaskState::Dropped)?,
        "block" | "blocked" => words.change("block 3 waits for the network team", TaskState::Blocked)?,
        "note" => note(&words)?,
        "update" => Verb::Update { text: words.text("update half of the region is back")? },
        "page" => {
            let whom = words.next().ok_or("write whom: `page @ana`, `page all` or `page` and the name of a policy")?;
            Verb::Page(match (whom.to_lowercase().as_str(), person(whom)) {
                ("all" | "everyone" | "everybody", _) => Paged::Everyone,
                (_, Some(person)) => Paged::Person(person),
                (name, None) => Paged::Named(name.to_owned()),
            })
        }
        "noise" => Verb::Mark { relevance: Relevance::Noise, text: words.text("noise alertname=~\"Disk.*\"")? },
        "relevant" => Verb::Mark { relevance: Relevance::Relevant, text: words.text("relevant alertname=\"DiskFull\"")? },
        "unmark" => Verb::Unmark(words.number().ok_or("write the number of the mark: `unmark 1`")?),
        "snooze" => {
            let span = words.next().ok_or("write for how long: `snooze 1h`")?;
            Verb::Snooze(
                Span::parse(span).ok().filter(|span| *span > Span::ZERO).ok_or("write for how long as 30m, 1h or 1h30m: `snooze 1h`")?,
            )
        }
        "merge" => Verb::Merge(words.number_said().ok_or("write which incident it is part of: `merge 42`")?),
        "unmerge" => Verb::Unmerge,
        "oncall" | "on-call" => Verb::Oncall,
        "override" => {
            let usage =
                "write who, from when and until when: `override @bo 18:00 22:00` or `override @bo 2026-01-07T18:00 2026-01-08T09:00`";
            let (who, from, to) = (words.person().ok_or(usage)?, words.next().ok_or(usage)?, words.next().ok_or(usage)?);
            Verb::Override { who, from: from.to_owned(), to: to.to_owned(), schedule: words.next().map(str::to_owned) }
        }
        "why" => Verb::Why,
        "list" => Verb::List,
        "help" => Verb::Help,
        unknown => {
            let known = "new who ack resolve escalate reopen sev lead role handover task take done block drop note update page noise relevant unmark snooze merge unmerge oncall override why list help";
            let shown: String = unknown.chars().take(40).collect();
            // What is nearer than a quarter of it is a slip; what is further away was meant otherwise.
            let slip = |verb: &&str| strsim::damerau_levenshtein(verb, &shown);
            let near = known.split(' ').min_by_key(slip).filter(|verb| slip(verb) <= 1 + shown.chars().count() / 4);
            let meant = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            return Err(format!("there is no “{shown}”; {meant}`help` lists everything"));
        }
    })
}

/// The owner and the span stand at the end, in either order.
fn task(words: &Words<'_>) -> Result<Verb, String> {
    let mut rest: Vec<&str> = words.0.split_whitespace().collect();
    let (mut owner, mut back_after) = (None, None);
    while let Some(last) = rest.last().filter(|_| rest.len() > 1) {
        match (person(last), Span::parse(last)) {
            (Some(who), _) if owner.is_none() => owner = Some(who),
            (None, Ok(span)) if back_after.is_none() && span > Span::ZERO => back_after = Some(span),
            (_, _) => break,
        }
        rest.pop();
    }
    let title = rest.join(" ");
    if title.is_empty() || person(&title).is_some() {
        return Err("write what is to be done: `task check the replica @ana 15m`".to_owned());
    }
    Ok(Verb::Task { title, owner, back_after })
}

/// `note the switch is back at 12:56`.
fn note(words: &Words<'_>) -> Result<Verb, String> {
    let text = words.text("note restarted the balancer at 12:56")?;
    let told = text.rsplit_once(" at ").and_then(|(text, at)| Some((text.trim().to_owned(), hour_and_minute(at.trim())?)));
    Ok(match told {
        Some((text, at)) if !text.is_empty() => Verb::Note { text, at: Some(at) },
        Some(_) | None => Verb::Note { text, at: None },
    })
}

/// `12:56`.
#[must_use]
pub fn hour_and_minute(text: &str) -> Option<(u8, u8)> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str, most: u8| part.parse::<u8>().ok().filter(|n| *n <= most && part.len() <= 2 && !part.starts_with('+'));
    Some((digits(hour, 23)?, digits(minute, 59).filter(|_| minute.len() == 2)?))
}

/// The one person that these words name, and nothing else.
#[must_use]
pub fn mentioned(words: &str) -> Option<Person> {
    person(words.trim())
}

/// `<@U0ANA|ana>`, `<@U0ANA>`, `@ana`, `me`.
fn person(word: &str) -> Option<Person> {
    if let Some(inside) = word.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>')) {
        let id = inside.split('|').next().unwrap_or_default();
        return (!id.is_empty()).then(|| Person::Slack(id.to_owned()));
    }
    if word.eq_ignore_ascii_case("me") {
        return Some(Person::Me);
    }
    word.strip_prefix('@').filter(|name| !name.is_empty()).map(|name| Person::Named(name.to_lowercase()))
}

/// Words without Slack's signs: `<@U0ANA|ana>` is the name that `name_of` knows, `<#C1|ops>` is `#ops`, and a link is its address.
#[must_use]
pub fn plain_marks(text: &str, name_of: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let mark = after.split_once('>').and_then(|(mark, after)| Some((plain_mark(mark, &name_of)?, after)));
        if let Some((plain, after)) = mark {
            out.push_str(&plain);
            rest = after;
        } else {
            // No sign of Slack's: somebody wrote it.
            out.push('<');
            rest = after;
        }
    }
    out + rest
}

fn plain_mark(mark: &str, name_of: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (id, label) = mark.split_once('|').map_or((mark, None), |(id, label)| (id, Some(label).filter(|label| !label.is_empty())));
    if let Some(user) = id.strip_prefix('@') {
        return Some(format!("@{}", name_of(user).unwrap_or_else(|| label.unwrap_or(user).to_owned())));
    }
    if let Some(room) = id.strip_prefix('#') {
        return Some(format!("#{}", label.unwrap_or(room)));
    }
    let is_link = ["https://", "http://", "mailto:"].iter().any(|head| id.starts_with(head));
    is_link.then(|| match label {
        // Where the label is only the address, once is enough.
        Some(label) if !id.ends_with(label) => format!("{label} ({id})"),
        Some(_) | None => id.strip_prefix("mailto:").unwrap_or(id).to_owned(),
    })
}

/// Slack escapes three signs in what people write. Mentions keep their brackets, because only Slack writes those.
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// What is left to be read.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.0 = rest;
        (!word.is_empty()).then_some(word)
    }

    /// Takes the next word if it is a number, also `3,` and `3.` of a list.
    fn number(&mut self) -> Option<i64> {
        let mut ahead = Words(self.0);
        let number = ahead.next()?.trim_end_matches([',', '.']).parse().ok().filter(|n: &i64| *n > 0)?;
        self.0 = ahead.0;
        Some(number)
    }

    /// Takes the next word if it is `#42`.
    /// `42` or `#42`.
    fn number_said(&mut self) -> Option<i64> {
        self.hash_number().or_else(|| self.number())
    }

    fn hash_number(&mut self) -> Option<i64> {
        let mut ahead = Words(self.0);
        let number = ahead.next()?.strip_prefix('#')?.parse().ok().filter(|n: &i64| *n > 0)?;
        self.0 = ahead.0;
        Some(number)
    }

    fn person(&mut self) -> Option<Person> {
        let mut ahead = Words(self.0);
        let found = person(ahead.next()?)?;
        self.0 = ahead.0;
        Some(found)
    }

    /// A person, or `nobody`.
    fn somebody(&mut self, example: &str) -> Result<Option<Person>, String> {
        let usage = || format!("write who: `{example}`, or `nobody`");
        match self.person() {
            Some(person) => Ok(Some(person)),
            None if self.next().is_some_and(|word| word.eq_ignore_ascii_case("nobody")) => Ok(None),
            None => Err(usage()),
        }
    }

    fn text(&self, example: &str) -> Result<String, String> {
        let text = self.0.trim();
        if text.is_empty() { Err(format!("there is something missing: write `{example}`")) } else { Ok(text.to_owned()) }
    }

    fn tasks(&mut self, example: &str) -> Result<Vec<i64>, String> {
        let tasks: Vec<i64> = std::iter::from_fn(|| self.number()).collect();
        if tasks.is_empty() { Err(format!("write the task's number: `{example}`; `who` shows them")) } else { Ok(tasks) }
    }

    fn change(&mut self, example: &str, state: TaskState) -> Result<Verb, String> {
        let tasks = self.tasks(example)?;
        let words = self.0.trim().to_owned();
        Ok(Verb::Change { tasks, state, words: (!words.is_empty()).then_some(words) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, in_room: bool) -> Saying {
        parse(text, in_room).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn verb(text: &str) -> Verb {
        let saying = said(text, true);
        assert_eq!(saying.incident, None, "{text}");
        saying.verb
    }

    fn named(name: &str) -> Person {
        Person::Named(name.to_owned())
    }

    #[test]
    fn every_verb_reads_as_people_write_it() {
        let change =
            |tasks: &[i64], state, words: Option<&str>| Verb::Change { tasks: tasks.to_vec(), state, words: words.map(str::to_owned) };
        let task = |title: &str, owner, back_after| Verb::Task { title: title.to_owned(), owner, back_after };
        let note = |text: &str, at| Verb::Note { text: text.to_owned(), at };
        for (text, expected) in [
            ("", Verb::Menu),
            ("  ", Verb::Menu),
            ("new the checkout is down", Verb::New { title: "the checkout is down".to_owned() }),
            ("new 3 hosts are down", Verb::New { title: "3 hosts are down".to_owned() }),
            ("WHO", Verb::Who),
            ("ack", Verb::Acknowledge),
            ("Resolve", Verb::Resolve),
            ("sev 1", Verb::Severity(Severity::Sev1)),
            ("sev sev3", Verb::Severity(Severity::Sev3)),
            ("lead <@U0ANA|ana>", Verb::Role { role: IncidentRole::Lead, who: Some(Person::Slack("U0ANA".to_owned())) }),
            ("lead me", Verb::Role { role: IncidentRole::Lead, who: Some(Person::Me) }),
            ("lead nobody", Verb::Role { role: IncidentRole::Lead, who: None }),
            ("role Comms @Bo", Verb::Role { role: IncidentRole::Comms, who: Some(named("bo")) }),
            ("handover <@U0BO>", Verb::Handover(Person::Slack("U0BO".to_owned()))),
            ("task check the replica", task("check the replica", None, None)),
            ("task check the replica @ana 15m", task("check the replica", Some(named("ana")), Some(Span::minutes(15)))),
            ("task check the replica 15m @ana", task("check the replica", Some(named("ana")), Some(Span::minutes(15)))),
            ("task ask @ana about disks", task("ask @ana about disks", None, None)),
            ("task 15m", task("15m", None, None)),
            ("task 2 racks to look at", task("2 racks to look at", None, None)),
            ("take 3", Verb::Take(vec![3])),
            ("done 3", change(&[3], TaskState::Done, None)),
            ("done 3, 4 5", change(&[3, 4, 5], TaskState::Done, None)),
            ("done 3 it was DNS", change(&[3], TaskState::Done, Some("it was DNS"))),
            ("block 3 waits for the network team", change(&[3], TaskState::Blocked, Some("waits for the network team"))),
            ("drop 3", change(&[3], TaskState::Dropped, None)),
            ("note restarted the balancer at 12:56", note("restarted the balancer", Some((12, 56)))),
            ("note look at 99:99", note("look at 99:99", None)),
            ("note 42 hosts are down", note("42 hosts are down", None)),
            ("note at 12:56", note("at 12:56", None)),
            ("update a &lt;b&gt; &amp;amp; c", Verb::Update { text: "a <b> &amp; c".to_owned() }),
            ("page all", Verb::Page(Paged::Everyone)),
            ("page @ana", Verb::Page(Paged::Person(named("ana")))),
            ("page all-hands", Verb::Page(Paged::Named("all-hands".to_owned()))),
            ("snooze 1h30m", Verb::Snooze(Span::minutes(90))),
            ("oncall", Verb::Oncall),
            (
                "override @bo 18:00 22:00",
                Verb::Override { who: named("bo"), from: "18:00".to_owned(), to: "22:00".to_owned(), schedule: None },
            ),
            ("why", Verb::Why),
            ("list", Verb::List),
            ("help", Verb::Help),
        ] {
            assert_eq!(verb(text), expected, "{text}");
        }
    }

    #[test]
    fn outside_a_room_a_leading_number_is_the_incidents() {
        for (text, incident, verb) in [
            ("ack 42", Some(42), Verb::Acknowledge),
            ("ack #42", Some(42), Verb::Acknowledge),
            ("#42 ack", Some(42), Verb::Acknowledge),
            ("ack", None, Verb::Acknowledge),
            ("done 42 3", Some(42), Verb::Change { tasks: vec![3], state: TaskState::Done, words: None }),
            ("done 3", None, Verb::Change { tasks: vec![3], state: TaskState::Done, words: None }),
            ("sev 42 1", Some(42), Verb::Severity(Severity::Sev1)),
            ("sev 42 sev1", Some(42), Verb::Severity(Severity::Sev1)),
            ("sev 2", None, Verb::Severity(Severity::Sev2)),
            ("note 42 it was DNS", Some(42), Verb::Note { text: "it was DNS".to_owned(), at: None }),
            ("new 42 hosts are down", None, Verb::New { title: "42 hosts are down".to_owned() }),
            ("snooze 42 1h", Some(42), Verb::Snooze(Span::hours(1))),
        ] {
            assert_eq!(said(text, false), Saying { incident, verb }, "{text}");
        }
        // In a room the number belongs to the words, unless it is written as an incident's.
        assert_eq!(said("ack 42", true).incident, Some(42));
        assert_eq!(
            said("done 42 3", true),
            Saying { incident: None, verb: Verb::Change { tasks: vec![42, 3], state: TaskState::Done, words: None } }
        );
        assert_eq!(said("sev1", true), said("sev 1", true));
        assert_eq!(said("sev3 42", false), said("sev 42 3", false));
        assert_eq!(said("note #42 it was DNS", true).incident, Some(42));
    }

    #[test]
    fn what_cannot_be_read_says_how_it_is_written() {
        for (text, part) in [
            ("akc", "`ack`"),
            ("frobnicate", "“frobnicate”; `help`"),
            ("sev", "`sev 2`"),
            ("sev 9", "`sev 2`"),
            ("lead", "`lead @ana`"),
            ("role boss @ana", "lead, comms, ops and scribe"),
            ("task", "`task"),
            ("task @ana", "`task"),
            ("done", "`done 3`"),
            ("done it", "`done 3`"),
            ("new", "`new"),
            ("snooze", "`snooze 1h`"),
            ("snooze soon", "`snooze 1h`"),
            ("snooze 0s", "`snooze 1h`"),
            ("override @bo", "`override"),
        ] {
            let error = parse(text, true).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_refused() {
        for text in [
            "<!channel>",
            "\u{0}",
            "#",
            "# 42",
            "#-1 ack",
            "ack 99999999999999999999999",
            "lead <@>",
            "lead @",
            "💥 💥",
            &"x ".repeat(9_999),
        ] {
            for in_room in [false, true] {
                drop(parse(text, in_room));
            }
        }
    }

    #[test]
    fn slacks_signs_are_words_in_what_is_kept() {
        let name_of = |id: &str| (id == "U0ANA").then(|| "Ana Ruiz".to_owned());
        for (text, expected) in [
            ("ask <@U0ANA|ana> and <@U0EVA|eva>", "ask @Ana Ruiz and @eva"),
            ("see <#C1|ops> or <#C2>", "see #ops or #C2"),
            ("<https://example.com/a|example.com/a>", "https://example.com/a"),
            ("<https://example.com/a> <https://example.com|the graph>", "https://example.com/a the graph (https://example.com)"),
            ("<mailto:ana@example.com|ana@example.com>", "ana@example.com"),
            ("a < b > c <- d <", "a < b > c <- d <"),
            ("<!channel> <@> <", "<!channel> @ <"),
        ] {
            assert_eq!(plain_marks(text, name_of), expected, "{text}");
        }
    }

    #[test]
    fn payloads_are_read() {
        let body = b"token=t&user_id=U0ANA&channel_id=C1&text=ack+42&response_url=https%3A%2F%2Fhooks.slack.com%2Fx&command=%2Fincident";
        let asked = command(body).expect("a command");
        assert_eq!((asked.user.as_str(), asked.channel.as_str(), asked.text.as_str()), ("U0ANA", "C1", "ack 42"));
        assert_eq!(asked.by, By::Command { response_url: Some("https://hooks.slack.com/x".to_owned()) });
        assert!(command(b"").is_none() && command(b"text=ack").is_none());

        let payload = serde_json::json!({"type": "block_actions", "user": {"id": "U0BO"}, "channel": {"id": "C1"},
            "actions": [{"type": "button", "action_id": "42_done_3", "value": "42 done 3"}], "response_url": "https://hooks.slack.com/y"});
        let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
        let Some(Incoming::Asked(asked)) = interaction(form.as_bytes()) else { panic!("a button") };
        assert_eq!((asked.incident, asked.text.as_str(), asked.user.as_str()), (Some(42), "done 3", "U0BO"));
        assert_eq!(interaction(b"payload=%7B%22type%22%3A%22view_closed%22%7D"), Some(Incoming::Nothing));

        let mut wants_words = payload.clone();
        wants_words["actions"][0]["value"] = "42 task".into();
        wants_words["trigger_id"] = "1.2.3".into();
        let opens = |verb: &str, incident, words: &str| {
            let dialogue = Dialogue::of(verb, incident, words).expect("it wants words");
            Some(Incoming::Opens { trigger_id: "1.2.3".to_owned(), dialogue })
        };
        assert_eq!(interaction_in(&wants_words), opens("task", Some(42), ""));
        let whole = serde_json::json!({"type": "shortcut", "callback_id": "say", "user": {"id": "U0BO"}, "trigger_id": "1.2.3"});
        assert_eq!(interaction_in(&whole), opens("", None, ""));
        let mut on_message = serde_json::json!({"type": "message_action", "callback_id": "note", "user": {"id": "U0BO"},
            "channel": {"id": "C1"}, "message": {"user": "U0ANA", "text": "a &lt;b&gt;"}, "trigger_id": "1.2.3"});
        let Some(Incoming::Asked(asked)) = interaction_in(&on_message) else { panic!("a note") };
        assert_eq!((asked.text.as_str(), asked.channel.as_str()), ("note <@U0ANA>: a &lt;b&gt;", "C1"));
        on_message["callback_id"] = "declare".into();
        assert_eq!(interaction_in(&on_message), opens("new", None, "a <b>"));
        let sent = serde_json::json!({"type": "view_submission", "user": {"id": "U0BO"}, "view": {"private_metadata": "42 note",
            "state": {"values": {"words": {"words": {"type": "plain_text_input", "value": "a <b> & c"}}}}}});
        let Some(Incoming::Asked(asked)) = interaction_in(&sent) else { panic!("a dialogue") };
        assert_eq!((asked.incident, asked.by), (Some(42), By::Dialogue));
        assert_eq!(parse(&asked.text, true).expect("a note").verb, Verb::Note { text: "a <b> & c".to_owned(), at: None });
        assert!(interaction(b"payload=nonsense").is_none() && interaction(b"").is_none());
    }

    #[test]
    fn events_are_read_and_bots_are_not_heard() {
        let event_callback = |body: &Value| event(body.to_string().as_bytes()).expect("an event");
        let event_of = |event: Value| event_callback(&serde_json::json!({"type": "event_callback", "event_id": "Ev1", "event": event}));
        let mention = serde_json::json!({"type": "app_mention", "user": "U0ANA", "channel": "C1", "ts": "1.2", "text": "<@U0BOT> ack 42"});
        let Incoming::Asked(asked) = event_of(mention.clone()) else { panic!("a mention") };
        assert_eq!(asked.text, "ack 42");
        assert_eq!(asked.by, By::Mention { event_id: "Ev1".to_owned(), thread: "1.2".to_owned() });
        let mut late = mention.clone();
        late["text"] = "hey <@U0BOT> who".into();
        late["thread_ts"] = "1.1".into();
        let Incoming::Asked(asked) = event_of(late) else { panic!("a mention") };
        assert_eq!((asked.text.as_str(), asked.by), ("who", By::Mention { event_id: "Ev1".to_owned(), thread: "1.1".to_owned() }));
        let mut spoken = mention.clone();
        spoken["type"] = "message".into();
        assert_eq!(event_of(spoken), Incoming::Wrote { user: "U0ANA".to_owned(), channel: "C1".to_owned() });
        for (name, value) in [("bot_id", "B1"), ("subtype", "message_changed"), ("type", "reaction_added")] {
            let mut other = mention.clone();
            other[name] = value.into();
            assert_eq!(event_of(other), Incoming::Nothing, "{name}");
        }
        let challenge = serde_json::json!({"type": "url_verification", "challenge": "abc"});
        assert_eq!(event_callback(&challenge), Incoming::Challenge("abc".to_owned()));
        assert!(event(b"nonsense").is_none());
    }
}
