//! What people say in Slack is done: a command, a button or a mention becomes a command of the law, and an answer for the one who asked.
//!
//! It is in the database before Slack is answered. What takes longer follows by Slack's own address for answers.

mod carry;

use super::FlowError;
use super::house::House;
use crate::base::id::IncidentId;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::chat::blocks::{self, Button, Message};
use crate::chat::dialogue;
use crate::chat::inbound::{self, Asked, By, Incoming};
use crate::chat::{Chat, EnvelopeKind, ephemeral};
use crate::domain::incident::Room;
use crate::store::{self, WriteLane};

/// Which of Slack's three doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Commands,
    Interactions,
    Events,
}

/// What Slack is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Nothing,
    /// A message for the one who asked.
    Json(serde_json::Value),
    /// Slack's own words back.
    Text(String),
}

/// Why a request of Slack's was not taken; nothing was done then.
#[derive(Debug, thiserror::Error)]
pub enum SayError {
    #[error("no Slack is configured")]
    NotConfigured,
    #[error("the signature is wrong or stale")]
    BadSignature,
    #[error("the request cannot be read")]
    Unreadable,
    #[error(transparent)]
    Flow(#[from] FlowError),
}

/// Takes one request of Slack's.
///
/// # Errors
/// See [`SayError`].
pub async fn hear(house: &House, door: Door, request: &Inbound) -> Result<Reply, SayError> {
    // In a task of its own: Slack hanging up must not leave a transaction half done.
    let (house, request) = (house.clone(), request.clone());
    tokio::spawn(async move { take(&house, door, &request).await }).await.map_err(|_| FlowError::Gone)?
}

async fn take(house: &House, door: Door, request: &Inbound) -> Result<Reply, SayError> {
    let live = house.now_live();
    let chat = live.chat.as_ref().ok_or(SayError::NotConfigured)?;
    let header = |name: &str| request.header(name).unwrap_or_default();
    if !chat.verify(header("x-slack-request-timestamp"), header("x-slack-signature"), &request.body) {
        super::hear::forged(house, "slack");
        return Err(SayError::BadSignature);
    }
    let incoming = match door {
        Door::Commands => inbound::command(&request.body).map(Incoming::Asked),
        Door::Interactions => inbound::interaction(&request.body),
        Door::Events => inbound::event(&request.body),
    };
    heed(house, chat, incoming.ok_or(SayError::Unreadable)?).await
}

/// Takes one thing that Slack sent over our own connection: who may send there was settled when it was opened.
///
/// # Errors
/// See [`SayError`].
pub(super) async fn hear_over_socket(
    house: &House,
    chat: &Chat,
    kind: EnvelopeKind,
    payload: &serde_json::Value,
) -> Result<Reply, SayError> {
    let incoming = match kind {
        EnvelopeKind::Command => inbound::command_in(payload).map(Incoming::Asked),
        EnvelopeKind::Interaction => inbound::interaction_in(payload),
        EnvelopeKind::Event => inbound::event_in(payload),
        EnvelopeKind::Other => Some(Incoming::Nothing),
    };
    heed(house, chat, incoming.ok_or(SayError::Unreadable)?).await
}

async fn heed(house: &House, chat: &Chat, incoming: Incoming) -> Result<Reply, SayError> {
    match incoming {
        Incoming::Nothing => Ok(Reply::Nothing),
        Incoming::Challenge(challenge) => Ok(Reply::Text(challenge)),
        Incoming::Opens { trigger_id, dialogue } => {
            let chat = chat.clone();
            // The trigger lives no longer than Slack waits for the answer, so the dialogue does not wait for it.
            later(async move { chat.open(&trigger_id, &dialogue).await.map_err(|error| error.to_string()) });
            Ok(Reply::Nothing)
        }
        Incoming::Wrote { user, channel } => {
            carry::sign_of_life(house, &user, &channel).await?;
            Ok(Reply::Nothing)
        }
        Incoming::Asked(asked) => Ok(answer(house, chat, asked).await?),
    }
}

/// What is said to the one who asked.
#[derive(Debug, Default)]
struct Answer {
    /// Mrkdwn.
    lines: Vec<String>,
    buttons: Vec<Button>,
    /// It could not be read, and nothing was done: how it is written.
    usage: Option<String>,
    /// The incident whose room is still to be told of.
    room_of: Option<IncidentId>,
}

impl Answer {
    fn of(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], ..Self::default() }
    }

    fn message(&self) -> Message {
        blocks::answer(&self.lines, &self.buttons)
    }
}

async fn answer(house: &House, chat: &Chat, asked: Asked) -> Result<Reply, FlowError> {
    match &asked.by {
        By::Command { response_url } => {
            let mut answer = match carry::carry(house, &asked).await {
                Ok(answer) => answer,
                Err(error) => {
                    // Slack shows no words of ours but with a 200, and whoever asked must know that nothing was done.
                    tracing::error!(%error, "a command from Slack was not carried out");
                    Answer::of("That was not done: the database is busy. Try again in a few seconds.")
                }
            };
            if let Some(id) = answer.room_of.clone() {
                // The room is told of in the answer if it is there soon; Slack gives up after three seconds.
                if let Ok(room) = tokio::time::timeout(limits::SLACK_ROOM_WAIT.as_duration(), room_of(house, &id)).await {
                    answer.lines.push(format!("Its room is {}.", room?));
                } else {
                    answer.lines.push("Its room is being opened.".to_owned());
                    tell_room_later(house, chat, response_url.clone(), id);
                }
            }
            Ok(Reply::Json(ephemeral(&answer.message())))
        }
        By::Button { response_url } => {
            let answer = carry::carry(house, &asked).await?;
            if let Some(url) = response_url.clone() {
                let (chat, message) = (chat.clone(), answer.message());
                later(async move { chat.respond(&url, &message).await.map_err(|error| error.to_string()) });
            }
            Ok(Reply::Nothing)
        }
        By::Dialogue => {
            let answer = carry::carry(house, &asked).await?;
            Ok(Reply::Json(match &answer.usage {
                Some(usage) => dialogue::complained(usage),
                None => dialogue::answered(&answer.message()),
            }))
        }
        By::Mention { event_id, thread } => {
            if !take_event(house, event_id).await? {
                return Ok(Reply::Nothing);
            }
            let outcome = carry::carry(house, &asked).await;
            let mut tx = house.store.begin(WriteLane::Rest).await?;
            match &outcome {
                Ok(_) => store::event_done(&mut tx, event_id).await?,
                Err(_) => store::event_drop(&mut tx, event_id).await?,
            }
            tx.commit().await?;
            let message = outcome?.message();
            let (chat, room, thread) = (chat.clone(), asked.channel.clone(), thread.clone());
            later(async move { chat.reply(&room, &thread, &message).await.map_err(|error| error.to_string()) });
            Ok(Reply::Nothing)
        }
    }
}

async fn take_event(house: &House, id: &str) -> Result<bool, FlowError> {
    let now = house.clock.now();
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    store::events_forget(&mut tx, now - limits::SLACK_EVENTS_KEPT).await?;
    let taken = store::event_take(&mut tx, id, now).await?;
    tx.commit().await?;
    Ok(taken)
}

/// Sent after Slack was answered; what was asked for is done by then, so a failure is only told.
fn later(work: impl Future<Output = Result<(), String>> + Send + 'static) {
    tokio::spawn(async move {
        match tokio::time::timeout(limits::SLACK_ANSWER_LATER.as_duration(), work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error, "an answer did not reach Slack; what was asked for is done"),
            Err(_) => tracing::warn!("an answer to Slack took too long; what was asked for is done"),
        }
    });
}

fn tell_room_later(house: &House, chat: &Chat, response_url: Option<String>, id: IncidentId) {
    let Some(url) = response_url else { return };
    let (house, chat) = (house.clone(), chat.clone());
    later(async move {
        let room = room_of(&house, &id).await.map_err(|error| error.to_string())?;
        let message = Answer::of(format!("The room is {room}.")).message();
        chat.respond(&url, &message).await.map_err(|error| error.to_string())
    });
}

/// Waits until the incident has a room. The caller bounds the wait.
async fn room_of(house: &House, id: &IncidentId) -> Result<String, FlowError> {
    loop {
        let incident = store::incident_find(&house.store.reader(), id).await?.ok_or(FlowError::Missing("such incident"))?;
        match incident.response.room {
            Room::Open { room, .. } => return Ok(format!("<#{room}>")),
            Room::None | Room::Wanted => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}
