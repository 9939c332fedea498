//! Opsgenie's alert API, as its clients speak it: what a create says, and what is said of an alert afterwards.
//!
//! The key is in the header `Authorization: GenieKey …`. Words, limits and shapes after Opsgenie's Alert API
//! (<https://docs.opsgenie.com/docs/alert-api>).
//!
//! | Opsgenie | here |
//! |---|---|
//! | `alias`, exact; without one the alert gets one | the dedup key |
//! | `message` | the title |
//! | `priority` | P1 critical, P2 and P3 error, P4 warning, P5 info; without one the integration's. P3 is what Opsgenie gives to everything that says nothing, and it calls people there |
//! | `details` | labels of their own names |
//! | `tags`, `entity`, `description`, `source`, `user`, `priority`, `actions`, `responders`, `visibleTo` | labels of these names |
//! | `source`, where it is a link | the alert's link as well |
//! | `note` | a note in the incident's timeline |
//! | close, acknowledge | the sender's own resolve and acknowledge of that alert |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::reading::{self, Labels};
use super::{Source, unreadable};
use crate::base::id::AlertId;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::secret::digest_hex;
use crate::domain::input::{Action, Signal};
use crate::domain::remark::{BETWEEN_TAGS, Remark, TAGS};
use crate::domain::setup::{AlertSeverity, Integration};

pub struct Opsgenie;

/// As it stands in the configuration.
pub const NAME: &str = "opsgenie";

/// Longest message and alias, characters.
const MESSAGE_CHARS: usize = 130;
const ALIAS_CHARS: usize = 512;
/// Labels that are fields of an alert; all others are its details, and a detail of one of these names has this before it.
pub const FIELDS: [&str; 9] = ["priority", TAGS, "entity", "source", "user", "description", "actions", "responders", "visibleTo"];
pub const DETAIL: &str = "details.";

const PRIORITIES: [(&str, AlertSeverity); 5] = [
    ("P1", AlertSeverity::Critical),
    ("P2", AlertSeverity::Error),
    ("P3", AlertSeverity::Error),
    ("P4", AlertSeverity::Warning),
    ("P5", AlertSeverity::Info),
];

const GUIDE: &str = "\
Wherever something sends to Opsgenie’s alert API:

- in place of `https://api.opsgenie.com` (or `https://api.eu.opsgenie.com`) put `{server}`,
- in place of the API key put `{key}`.

In Alertmanager’s configuration:

```yaml
receivers:
  - name: reveille
    opsgenie_configs:
      - api_url: {server}/
        api_key: {key}
```

With Opsgenie’s own Python client (`opsgenie-sdk`):

```python
configuration = opsgenie_sdk.Configuration()
configuration.host = \"{server}\"
configuration.api_key[\"Authorization\"] = \"{key}\"
```

In Go (`opsgenie-go-sdk-v2`) set `OpsGenieAPIURL` to the host of this server.

A sender that has no field for the API’s address, such as Uptime Kuma’s Opsgenie notification, sends here by its webhook, with an
integration of its own kind. What sends a create’s body to a webhook can send it to `{url}`, where `alias` and `\"action\": \"close\"` close it.

With `curl`:

```sh
curl -X POST {server}/v2/alerts -H \"Authorization: GenieKey {key}\" -H \"Content-Type: application/json\" \\
  -d '{\"message\": \"The disk of db-3 is full\", \"alias\": \"db-3/disk\", \"priority\": \"P1\"}'
curl -X POST \"{server}/v2/alerts/db-3%2Fdisk/close?identifierType=alias\" -H \"Authorization: GenieKey {key}\"
```

P1 is critical, P2 and P3 are errors, P4 is a warning, P5 is for the record. An alias that comes back soon after it was closed goes on as
the alert it was, and its incident is open again; later it is a new alert.
";

impl Source for Opsgenie {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "An Opsgenie client"
    }

    fn guide(&self) -> &'static str {
        GUIDE
    }

    /// At its own address a body alone arrives: a create, or one that names its `action`, as Opsgenie's outgoing webhooks do.
    fn signals(&self, inbound: &Inbound, integration: &Integration) -> Result<Vec<Signal>, String> {
        let create = Create::read(inbound)?;
        let over = match reading::scalar(create.body.get("action")).map(|action| action.to_ascii_lowercase()).as_deref() {
            Some("close") => Some(Action::Resolve),
            Some("acknowledge") => Some(Action::Acknowledge),
            Some(_) | None => None,
        };
        Ok(match (over, &create.alias) {
            (Some(action), Some(alias)) => vec![about(integration, alias, action)],
            (Some(_) | None, _) => create.signals(integration),
        })
    }
}

/// What stands for a request that was refused: its sender has the right key, and may be the only one who knows of a fire.
#[must_use]
pub fn refused(integration: &Integration, why: &str) -> Signal {
    unreadable(integration, Opsgenie.title(), why)
}

/// A request to create an alert.
pub struct Create {
    body: Map<String, Value>,
    alias: Option<String>,
    /// The alias of one that brings none, the same for every reading of this one request.
    generated: String,
}

impl Create {
    /// # Errors
    /// A sentence that says why the body is no object of JSON.
    pub fn read(inbound: &Inbound) -> Result<Self, String> {
        let body = reading::json_object(&inbound.body)?;
        let alias = reading::scalar(body.get("alias"));
        // Equal bodies are two alerts: the instant tells them apart.
        let generated = digest_hex(format!("{} {}", inbound.received_at.0, digest_hex(&inbound.body)).as_bytes())[..32].to_owned();
        Ok(Self { body, alias, generated })
    }

    /// What Opsgenie would refuse, by field, in its words.
    #[must_use]
    pub fn wrong(&self) -> BTreeMap<&'static str, String> {
        let mut wrong = BTreeMap::new();
        let long = |text: &str, most: usize| text.chars().count() > most;
        match reading::scalar(self.body.get("message")) {
            None => drop(wrong.insert("message", "Message can not be empty.".to_owned())),
            Some(message) if long(&message, MESSAGE_CHARS) => drop(wrong.insert("message", long_message())),
            Some(_) => {}
        }
        if self.alias.as_ref().is_some_and(|alias| long(alias, ALIAS_CHARS)) {
            wrong.insert("alias", format!("Alias can not be longer than {ALIAS_CHARS} characters."));
        }
        if self.priority().is_none() && !matches!(self.body.get("priority"), None | Some(Value::Null)) {
            wrong.insert("priority", NO_PRIORITY.to_owned());
        }
        for (name, kind) in [("tags", "list"), ("actions", "list"), ("responders", "list"), ("visibleTo", "list")] {
            if !matches!(self.body.get(name), None | Some(Value::Null | Value::Array(_))) {
                wrong.insert(name, format!("should be a {kind}"));
            }
        }
        if !matches!(self.body.get("details"), None | Some(Value::Null | Value::Object(_))) {
            wrong.insert("details", "should be a map of texts".to_owned());
        }
        wrong
    }

    fn priority(&self) -> Option<(&'static str, AlertSeverity)> {
        priority_of(&self.body)
    }

    /// The alert, also of one that Opsgenie would refuse as long as it says what is wrong with what; and its note.
    #[must_use]
    pub fn signals(&self, integration: &Integration) -> Vec<Signal> {
        let title = reading::scalar(self.body.get("message")).map(|message| reading::line(&message, limits::TITLE_CHARS));
        let Some(title) = title.filter(|title| !title.is_empty()) else {
            return vec![refused(integration, "it has no message")];
        };
        let dedup_key = reading::key(self.alias.as_ref().unwrap_or(&self.generated));
        let source = reading::scalar(self.body.get("source"));
        let trigger = Signal {
            integration: integration.id.clone(),
            dedup_key: dedup_key.clone(),
            title,
            severity: self.priority().map(|(_, severity)| severity),
            action: Action::Trigger,
            at: None,
            ends_at: None,
            url: source.and_then(|source| reading::url(&source)),
            labels: self.labels(),
        };
        let note = note_of(&self.body).map(|text| about(integration, &dedup_key, Action::Remark(Remark::Note(text))));
        std::iter::once(trigger).chain(note).collect()
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = Labels::default();
        if let Some((priority, _)) = self.priority() {
            labels.put("priority", priority);
        }
        labels.put(TAGS, &joined(&words(self.body.get("tags"))));
        for name in ["entity", "source", "user", "description"] {
            labels.put_scalar(name, self.body.get(name));
        }
        labels.put("actions", &joined(&words(self.body.get("actions"))));
        for name in ["responders", "visibleTo"] {
            labels.put(name, &joined(&people(self.body.get(name))));
        }
        for (name, value) in reading::object(&self.body, "details").into_iter().flatten() {
            match reading::scalar(Some(value)) {
                Some(text) => labels.put(&detail(name), &text),
                None if value.is_array() || value.is_object() => labels.put(&detail(name), &value.to_string()),
                None => {}
            }
        }
        labels.done()
    }
}

const NO_PRIORITY: &str = "should be one of [ P1, P2, P3, P4, P5 ]";

fn priority_of(fields: &Map<String, Value>) -> Option<(&'static str, AlertSeverity)> {
    let said = reading::scalar(fields.get("priority"))?;
    PRIORITIES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(said.trim()))
}

fn long_message() -> String {
    format!("Message can not be longer than {MESSAGE_CHARS} characters.")
}

/// What is asked of an alert that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Acknowledge,
    Unacknowledge,
    Close,
    Delete,
    Snooze,
    AddNote,
    AddTags,
    RemoveTags,
    AddDetails,
    RemoveDetails,
    UpdateMessage,
    UpdateDescription,
    UpdatePriority,
}

impl Ask {
    /// As the status of its request names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acknowledge => "Acknowledge",
            Self::Unacknowledge => "UnAcknowledge",
            Self::Close => "Close",
            Self::Delete => "Delete",
            Self::Snooze => "Snooze",
            Self::AddNote => "AddNote",
            Self::AddTags => "AddTags",
            Self::RemoveTags => "RemoveTags",
            Self::AddDetails => "AddDetails",
            Self::RemoveDetails => "RemoveDetails",
            Self::UpdateMessage => "UpdateMessage",
            Self::UpdateDescription => "UpdateDescription",
            Self::UpdatePriority => "UpdatePriority",
        }
    }
}

/// What of a request's fields is wrong, by field; an empty field's name stands for the whole body.
pub type Wrong = BTreeMap<&'static str, String>;

/// The fields of such a request: its body, or of a DELETE its query.
///
/// # Errors
/// A sentence that says why the body is no object of JSON.
pub fn fields(body: &[u8], query: &[(String, String)]) -> Result<Map<String, Value>, String> {
    // Clients that have nothing to say send nothing.
    let says_nothing = body.iter().all(u8::is_ascii_whitespace);
    let mut fields = if says_nothing { Map::new() } else { reading::json_object(body)? };
    for (name, value) in query {
        if !fields.contains_key(name) {
            fields.insert(name.clone(), Value::String(value.clone()));
        }
    }
    Ok(fields)
}

/// The signals that carry out a request about the alert of this key: what is asked, and its note.
///
/// # Errors
/// What is wrong with its fields.
pub fn ask(integration: &Integration, dedup_key: &str, ask: Ask, fields: &Map<String, Value>) -> Result<Vec<Signal>, Wrong> {
    let note = note_of(fields);
    let wrong = |name: &'static str, why: &str| Wrong::from([(name, why.to_owned())]);
    let set_of = |name: &'static str| -> Result<BTreeSet<String>, Wrong> {
        let given: BTreeSet<String> = words(fields.get(name)).into_iter().collect();
        if given.is_empty() { Err(wrong(name, "can not be empty")) } else { Ok(given) }
    };
    let none = BTreeSet::new();
    let action = match ask {
        Ask::Acknowledge => Action::Acknowledge,
        Ask::Unacknowledge => Action::Remark(Remark::Unacknowledge),
        Ask::Close | Ask::Delete => Action::Resolve,
        Ask::Snooze => {
            let end = reading::scalar(fields.get("endTime")).ok_or_else(|| wrong("endTime", "can not be empty"))?;
            let end = reading::rfc3339(end.trim()).ok_or_else(|| wrong("endTime", "should be a date and time in ISO 8601"))?;
            Action::Remark(Remark::Snooze(end))
        }
        Ask::AddNote => {
            let note = note.ok_or_else(|| wrong("note", "Note can not be empty."))?;
            return Ok(vec![about(integration, dedup_key, Action::Remark(Remark::Note(note)))]);
        }
        Ask::AddTags => Action::Remark(Remark::Tag { add: set_of("tags")?, remove: none }),
        Ask::RemoveTags => Action::Remark(Remark::Tag { add: none, remove: set_of("tags")? }),
        Ask::AddDetails => {
            let given = reading::object(fields, "details").ok_or_else(|| wrong("details", "can not be empty"))?;
            let mut set = Labels::default();
            for (name, value) in given {
                set.put_scalar(&detail(name), Some(value));
            }
            Action::Remark(Remark::Label { set: set.done(), remove: none })
        }
        Ask::RemoveDetails => {
            let remove = set_of("keys")?.iter().map(|name| detail(name)).collect();
            Action::Remark(Remark::Label { set: BTreeMap::new(), remove })
        }
        Ask::UpdateMessage => {
            let message = reading::scalar(fields.get("message")).filter(|message| !message.trim().is_empty());
            let message = message.ok_or_else(|| wrong("message", "Message can not be empty."))?;
            if message.chars().count() > MESSAGE_CHARS {
                return Err(wrong("message", &long_message()));
            }
            Action::Remark(Remark::Retitle(reading::line(&message, limits::TITLE_CHARS)))
        }
        Ask::UpdateDescription => {
            let said = fields.get("description").and_then(Value::as_str).ok_or_else(|| wrong("description", "should be a text"))?;
            let mut set = Labels::default();
            set.put("description", said);
            let set = set.done();
            // An empty one takes away what was there.
            let remove = if set.is_empty() { BTreeSet::from(["description".to_owned()]) } else { none };
            Action::Remark(Remark::Label { set, remove })
        }
        Ask::UpdatePriority => {
            let (name, severity) = priority_of(fields).ok_or_else(|| wrong("priority", NO_PRIORITY))?;
            let set = BTreeMap::from([("priority".to_owned(), name.to_owned())]);
            let label = Action::Remark(Remark::Label { set, remove: none });
            return Ok(vec![
                about(integration, dedup_key, Action::Remark(Remark::Regrade(severity))),
                about(integration, dedup_key, label),
            ]);
        }
    };
    let note = note.map(|text| about(integration, dedup_key, Action::Remark(Remark::Note(text))));
    // The first is the one whose outcome is told.
    Ok(std::iter::once(about(integration, dedup_key, action)).chain(note).collect())
}

/// Whatever is asked of an alert that gave way to a newer one of its alias.
#[must_use]
pub fn past(integration: &Integration, dedup_key: &str, alert: AlertId) -> Signal {
    about(integration, dedup_key, Action::Remark(Remark::Past(alert)))
}

/// An alias as the key of its alert.
#[must_use]
pub fn key(alias: &str) -> String {
    reading::key(alias)
}

fn about(integration: &Integration, dedup_key: &str, action: Action) -> Signal {
    let title = reading::line(dedup_key, limits::TITLE_CHARS);
    Signal {
        integration: integration.id.clone(),
        dedup_key: reading::key(dedup_key),
        title: if title.is_empty() { "An alert without an alias".to_owned() } else { title },
        severity: None,
        action,
        // Nothing that is said by this API has a time of its own.
        at: None,
        ends_at: None,
        url: None,
        labels: BTreeMap::new(),
    }
}

/// A note with who wrote it.
fn note_of(fields: &Map<String, Value>) -> Option<String> {
    let note = reading::scalar(fields.get("note"))?;
    let said = match reading::scalar(fields.get("user")) {
        Some(user) => format!("{user}: {note}"),
        None => note,
    };
    let said = reading::line(&said, limits::NOTE_CHARS);
    (!said.is_empty()).then_some(said)
}

/// Texts of a list, or of one text with commas between them, each one a word that fits in a label.
fn words(value: Option<&Value>) -> Vec<String> {
    let given: Vec<String> = match value {
        Some(Value::Array(items)) => items.iter().filter_map(|item| reading::scalar(Some(item))).collect(),
        other => reading::scalar(other).map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default(),
    };
    let mut words: Vec<String> = Vec::new();
    for word in given {
        // Two tags are told apart by what stands between them.
        let word = reading::line(&word.replace(BETWEEN_TAGS.trim_end(), " "), limits::LABEL_CHARS);
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// As many of the words as fit in a label, each one whole.
fn joined(words: &[String]) -> String {
    let mut joined = String::new();
    for word in words {
        let between = if joined.is_empty() { "" } else { BETWEEN_TAGS };
        if joined.chars().count() + between.len() + word.chars().count() <= limits::LABEL_CHARS {
            joined.push_str(between);
            joined.push_str(word);
        }
    }
    joined
}

/// The label of a detail: its own name, unless that is a field of the alert.
fn detail(name: &str) -> String {
    if FIELDS.contains(&name) { format!("{DETAIL}{name}") } else { name.to_owned() }
}

/// Teams and people, as far as they have a name.
fn people(value: Option<&Value>) -> Vec<String> {
    let one = |entry: &Value| {
        let name = ["name", "username", "id"].into_iter().find_map(|field| reading::scalar(entry.get(field)))?;
        Some(match reading::scalar(entry.get("type")) {
            Some(kind) => format!("{kind} {name}"),
            None => name,
        })
    };
    value.and_then(Value::as_array).into_iter().flatten().filter_map(one).collect()
}
