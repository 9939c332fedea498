//! Dialogues: a shortcut, or a button whose verb wants words, asks for them; what is sent is a saying like any other.
//! Views: <https://docs.slack.dev/reference/views/modal-views>.

use serde_json::{Value, json};

use super::blocks::Message;

/// The id of the one field, and of its block.
pub const FIELD: &str = "words";
/// The longest that may be written, characters: a note's limit.
const WORDS: usize = 2_500;

/// A verb that wants words, and how they are asked for.
struct Asks {
    verb: &'static str,
    /// At most 24 characters.
    title: &'static str,
    label: &'static str,
    example: &'static str,
    /// Whether people write more than a line.
    long: bool,
}

const fn asks(verb: &'static str, title: &'static str, label: &'static str, example: &'static str, long: bool) -> Asks {
    Asks { verb, title, label, example, long }
}

const ASKS: &[Asks] = &[
    asks("", "Incidents", "What you would say after /incident", "ack 42", false),
    asks("new", "Declare an incident", "What is wrong?", "the checkout is down", false),
    asks("task", "Add a task", "What is to be done, by whom, and when are they back?", "check the replica @ana 15m", false),
    asks("note", "Add to the timeline", "What happened, and when?", "restarted the balancer at 12:56", true),
    asks("update", "Post an update", "How does it stand?", "half of the region is back", true),
    asks("page", "Page more people", "Whom?", "@ana, all, or the name of a policy", false),
    asks("sev", "Set the severity", "From 1, the worst, to 4", "2", false),
    asks("lead", "Who leads?", "Who?", "@ana, me or nobody", false),
    asks("role", "Give a role", "Which role, and who has it?", "comms @bo", false),
    asks("handover", "Hand over", "To whom?", "@bo", false),
    asks("snooze", "Snooze", "For how long?", "1h", false),
    asks("merge", "Merge", "Into which incident?", "42", false),
    asks("done", "Tasks that are done", "Their numbers, and what there is to say", "3 4", false),
    asks("block", "A task is blocked", "Which, and what does it wait for?", "3 waits for @bo", false),
    asks("drop", "Drop a task", "Which?", "3", false),
    asks("override", "Take a turn", "Who, from when and until when?", "@bo 18:00 22:00", false),
];

/// A dialogue that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    pub incident: Option<i64>,
    /// One that wants words; the empty one wants a whole saying.
    pub verb: String,
    /// What stands in the field already.
    pub words: String,
}

impl Dialogue {
    /// The dialogue of a verb; `None`: the verb needs no words.
    #[must_use]
    pub fn of(verb: &str, incident: Option<i64>, words: &str) -> Option<Self> {
        ASKS.iter().find(|asks| asks.verb == verb)?;
        let words = words.chars().take(WORDS).collect();
        Some(Self { incident, verb: verb.to_owned(), words })
    }

    /// The view as Slack wants it. What it is about travels with it, as in a button: `42 task`.
    #[must_use]
    pub fn view(&self) -> Value {
        let asks = ASKS.iter().find(|asks| asks.verb == self.verb).unwrap_or(&ASKS[0]);
        let about = self.incident.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let mut field = json!({
            "type": "plain_text_input", "action_id": FIELD, "multiline": asks.long, "max_length": WORDS,
            "placeholder": plain(asks.example),
        });
        if !self.words.is_empty() {
            field["initial_value"] = json!(self.words);
        }
        json!({
            "type": "modal",
            "callback_id": "say",
            "private_metadata": format!("{about} {}", self.verb),
            "title": plain(asks.title),
            "submit": plain("Send"),
            "close": plain("Cancel"),
            "blocks": [{ "type": "input", "block_id": FIELD, "label": plain(asks.label), "element": field }],
        })
    }
}

/// In the dialogue's place: what came of it.
#[must_use]
pub fn answered(message: &Message) -> Value {
    let told: Vec<&Value> = message.blocks.iter().filter(|block| block["type"] == "section").collect();
    let view = json!({ "type": "modal", "title": plain("Done"), "close": plain("Close"), "blocks": told });
    json!({ "response_action": "update", "view": view })
}

/// The dialogue stays, and says how it is written.
#[must_use]
pub fn complained(usage: &str) -> Value {
    json!({ "response_action": "errors", "errors": { FIELD: usage } })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialogue_is_within_slacks_limits_and_says_what_it_is_about() {
        for asks in ASKS {
            let dialogue = Dialogue::of(asks.verb, Some(42), &"x".repeat(9_000)).expect("it wants words");
            let view = dialogue.view();
            assert!(asks.title.len() <= 24 && asks.label.len() <= 2_000 && asks.example.len() <= 150, "{}", asks.verb);
            assert_eq!(view["private_metadata"], format!("42 {}", asks.verb));
            assert_eq!(view["blocks"][0]["element"]["initial_value"].as_str().map(str::len), Some(WORDS));
        }
        assert_eq!(Dialogue::of("ack", Some(42), ""), None);
        assert_eq!(Dialogue::of("new", None, "").expect("it wants words").view()["private_metadata"], "- new");
    }
}
