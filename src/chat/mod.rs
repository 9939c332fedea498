//! The incident's room in Slack: what can be done to it, each operation safe to repeat; how it reads (`blocks`) and what is said in it (`inbound`).

pub mod blocks;
pub mod dialogue;
pub mod health;
pub mod inbound;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use self::blocks::Message;
use self::dialogue::Dialogue;
use self::health::{Health, Part};
use crate::base::id::Number;
use crate::base::time::Time;
use crate::vendor::slack::Slack;
pub use crate::vendor::slack::{Channel, Envelope, EnvelopeKind, Heard, SlackError as ChatError, Socket};

/// Slack's limit on a channel's name, characters.
const NAME: usize = 80;
/// Rooms of one name that are tried before it is given up.
const NAMES_TRIED: u32 = 50;

/// The workspace of this instance.
#[derive(Debug, Clone)]
pub struct Chat {
    slack: Arc<Slack>,
    /// The room that hears of every incident.
    pub announce: Option<String>,
    /// The slash command, with its slash.
    pub command: String,
    pub health: Arc<Health>,
}

impl Chat {
    #[must_use]
    pub fn new(slack: Arc<Slack>, announce: Option<String>, command: String) -> Self {
        Self { slack, announce, command, health: Arc::default() }
    }

    /// Whether Slack signed this body just now.
    #[must_use]
    pub fn verify(&self, timestamp: &str, signature: &str, body: &[u8]) -> bool {
        self.slack.verify(timestamp, signature, body)
    }

    /// Whether we open the connection over which Slack sends.
    #[must_use]
    pub fn has_socket(&self) -> bool {
        self.slack.has_socket()
    }

    /// Whether both would listen at the same place with the same token.
    #[must_use]
    pub fn listens_like(&self, other: &Self) -> bool {
        self.slack.listens_like(&other.slack)
    }

    /// Opens that connection.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn open_socket(&self) -> Result<Socket, ChatError> {
        self.slack.open_socket().await
    }

    /// Whatever Slack says of the token is known here, and said once.
    fn noted<T>(&self, outcome: Result<T, ChatError>) -> Result<T, ChatError> {
        match &outcome {
            Ok(_) => self.health.is_well(Part::Account),
            Err(ChatError::Unauthorised(why)) => {
                self.health.is_bad(Part::Account, why, "install the app in the workspace again, and put its new bot_token under [slack]");
            }
            Err(_) => {}
        }
        outcome
    }

    /// Makes a room. A name that is taken gets a number behind it.
    ///
    /// # Errors
    /// See [`ChatError`]; [`ChatError::NameTaken`] when very many of them are.
    pub async fn open_room(&self, name: &str) -> Result<Channel, ChatError> {
        for n in 1..NAMES_TRIED {
            match self.noted(self.slack.create_channel(&numbered(name, n)).await) {
                Err(ChatError::NameTaken) => {}
                outcome => return outcome,
            }
        }
        Err(ChatError::NameTaken)
    }

    /// # Errors
    /// See [`ChatError`].
    pub async fn set_topic(&self, room: &str, topic: &str) -> Result<(), ChatError> {
        self.noted(self.slack.set_topic(room, topic).await)
    }

    /// Puts a link on top of a room.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn bookmark(&self, room: &str, title: &str, link: &str) -> Result<(), ChatError> {
        self.noted(self.slack.bookmark(room, title, link).await)
    }

    /// Asks people in. One whom Slack does not let in keeps nobody else out: those are given back with Slack's reason.
    ///
    /// # Errors
    /// When Slack cannot be asked just now; whoever was let in before stays so.
    pub async fn invite(&self, room: &str, people: &BTreeSet<String>) -> Result<Vec<(String, String)>, ChatError> {
        let mut refused = Vec::new();
        for person in people {
            match self.noted(self.slack.invite(room, person).await) {
                Ok(()) => {}
                Err(ChatError::Refused(why)) => refused.push((person.clone(), why)),
                Err(error) => return Err(error),
            }
        }
        Ok(refused)
    }

    /// Posts, and gives the room's id and the message's `ts`. Not safe to repeat by itself: whoever calls it writes down that it was done,
    /// and looks for its mark with [`Self::find`] where the answer was lost.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn post(&self, room: &str, mark: &str, message: &Message) -> Result<(String, String), ChatError> {
        self.noted(self.slack.post_message(room, None, Some(mark), message).await)
    }

    /// The `ts` of a message that was posted with this mark, if it stands there.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn find(&self, room: &str, mark: &str, since: Time) -> Result<Option<String>, ChatError> {
        self.noted(self.slack.find_message(room, mark, since).await)
    }

    /// Enters a public room that somebody else made.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn join(&self, room: &str) -> Result<(), ChatError> {
        self.noted(self.slack.join(room).await)
    }

    /// Answers in a thread.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn reply(&self, room: &str, thread: &str, message: &Message) -> Result<(), ChatError> {
        self.noted(self.slack.post_message(room, Some(thread), None, message).await.map(drop))
    }

    /// # Errors
    /// See [`ChatError`].
    pub async fn edit(&self, room: &str, ts: &str, message: &Message) -> Result<(), ChatError> {
        self.noted(self.slack.update_message(room, ts, message).await)
    }

    /// # Errors
    /// See [`ChatError`].
    pub async fn pin(&self, room: &str, ts: &str) -> Result<(), ChatError> {
        self.noted(self.slack.pin(room, ts).await)
    }

    /// Opens a dialogue for whoever pulled the trigger just now.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn open(&self, trigger_id: &str, dialogue: &Dialogue) -> Result<(), ChatError> {
        self.noted(self.slack.open_view(trigger_id, &dialogue.view()).await)
    }

    /// Answers a command or a button after its request, for the asker's eyes alone.
    ///
    /// # Errors
    /// See [`ChatError`].
    pub async fn respond(&self, response_url: &str, message: &Message) -> Result<(), ChatError> {
        self.slack.respond(response_url, &ephemeral(message)).await
    }
}

/// An answer that the asker alone sees, and that leaves the message with the button as it is.
#[must_use]
pub fn ephemeral(message: &Message) -> Value {
    json!({ "response_type": "ephemeral", "replace_original": false, "text": message.text, "blocks": message.blocks })
}

/// A room's name: number and title, in the few signs that Slack allows.
#[must_use]
pub fn room_name(number: Number, title: &str) -> String {
    let mut name = format!("inc-{}", number.0);
    let mut words = title.to_lowercase();
    words.retain(|c| c.is_ascii_alphanumeric() || c.is_whitespace() || matches!(c, '-' | '_' | '/' | '.' | ':' | ','));
    for word in words.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty()) {
        if name.len() + 1 + word.len() > NAME {
            // A word that would not fit even alone is cut; else the name ends with a whole one.
            if word.len() > NAME / 2 {
                name.push('-');
                name.extend(word.chars().take(NAME - name.len()));
            }
            break;
        }
        name.push('-');
        name.push_str(word);
    }
    name
}

/// The same name for the second and later rooms: cut before the number is added.
fn numbered(name: &str, n: u32) -> String {
    if n < 2 {
        return name.to_owned();
    }
    let suffix = format!("-{n}");
    let cut: String = name.chars().take(NAME - suffix.len()).collect();
    format!("{}{suffix}", cut.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rooms_are_what_slack_allows() {
        for (title, expected) in [
            ("the disk is full", "inc-42-the-disk-is-full"),
            ("CPU > 90% on db-1.paris", "inc-42-cpu-90-on-db-1-paris"),
            ("Élan déjà 中文", "inc-42-lan-dj"),
            ("", "inc-42"),
            ("<!channel>", "inc-42-channel"),
        ] {
            assert_eq!(room_name(Number(42), title), expected, "{title}");
        }
        for title in ["word ".repeat(100), "x".repeat(300), "💥".repeat(300), "-_-".repeat(100)] {
            for n in [1, 2, 50] {
                let name = numbered(&room_name(Number(1_234_567), &title), n);
                let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
                assert!(!name.is_empty() && name.len() <= NAME && name.chars().all(good), "{name}");
                assert_eq!(name.ends_with(&format!("-{n}")), n > 1, "{name}");
            }
        }
    }
}
