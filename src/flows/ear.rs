//! Slack is listened to over a connection of our own, where an app token is given: what comes is heard as at Slack's doors.
//!
//! Each process opens one; Slack sends each thing over one of them, and again to another when it is not acknowledged.

use tokio::task::JoinSet;

use super::announce;
use super::house::House;
use super::say::{self, Reply, SayError};
use crate::base::limits;
use crate::chat::health::Part;
use crate::chat::{Chat, ChatError, Envelope, Heard, Socket};

/// What the operator can do about a connection that does not open.
const ADVICE: &str = "commands and buttons are not heard; check app_token under [slack], and \"Socket Mode\" in the app's settings";

/// An envelope, and what Slack is told of it; `None`: not to be acknowledged, so that Slack says so or sends it again.
type Taken = Option<(String, Option<serde_json::Value>)>;

/// Listens for as long as the process lives, wherever the configuration in force says.
pub async fn listen(house: &House) {
    let mut live = house.live.clone();
    let mut tries = 0;
    loop {
        let chat = live.borrow_and_update().chat.clone().filter(Chat::has_socket);
        let Some(chat) = chat else {
            if live.changed().await.is_err() {
                return;
            }
            continue;
        };
        let mut greeted = false;
        let outcome = match chat.open_socket().await {
            Ok(socket) => converse(house, &chat, socket, &mut greeted).await,
            Err(error) => Err(error),
        };
        tries = if greeted { 0 } else { tries + 1 };
        let ended = match outcome {
            Ok(()) if greeted => None,
            Ok(()) => Some(ChatError::Unreachable("Slack closed the connection at once".to_owned())),
            Err(error) => Some(error),
        };
        if let Some(error) = ended {
            if !greeted {
                chat.health.is_bad(Part::Socket, &error.to_string(), ADVICE);
            }
            tokio::select! {
                () = house.clock.sleep(announce::wait(&error, tries, limits::SLACK_SOCKET_RETRY_MOST)) => {}
                // Another token may be the answer.
                changed = live.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// Hears and answers until Slack wants another connection, or the configuration does.
async fn converse(house: &House, chat: &Chat, mut socket: Socket, greeted: &mut bool) -> Result<(), ChatError> {
    let mut live = house.live.clone();
    let mut answers: JoinSet<Taken> = JoinSet::new();
    let most = usize::try_from(limits::SLACK_AT_ONCE).unwrap_or(1);
    loop {
        tokio::select! {
            heard = socket.next(), if answers.len() < most => match heard? {
                Some(Heard::Hello) => {
                    *greeted = true;
                    chat.health.is_well(Part::Socket);
                    tracing::info!("Slack is listened to by Socket Mode");
                }
                Some(Heard::Envelope(envelope)) => {
                    let (house, chat) = (house.clone(), chat.clone());
                    // In a task of its own: a connection that breaks must not leave a transaction half done.
                    answers.spawn(async move { take(&house, &chat, envelope).await });
                }
                Some(Heard::Leave { reason }) if reason == "link_disabled" => {
                    *greeted = false;
                    return Err(ChatError::Refused("Socket Mode is switched off for the app".to_owned()));
                }
                Some(Heard::Leave { reason }) => {
                    tracing::debug!(reason, "Slack wants another connection");
                    break;
                }
                None => break,
            },
            Some(taken) = answers.join_next() => acknowledge(&mut socket, taken).await?,
            changed = live.changed() => {
                let same = live.borrow_and_update().chat.as_ref().is_some_and(|now| now.listens_like(chat));
                if changed.is_err() || !same {
                    break;
                }
            }
        }
    }
    // Whoever asked before is still answered here.
    while let Some(taken) = answers.join_next().await {
        acknowledge(&mut socket, taken).await?;
    }
    Ok(())
}

async fn acknowledge(socket: &mut Socket, taken: Result<Taken, tokio::task::JoinError>) -> Result<(), ChatError> {
    match taken {
        Ok(Some((id, answer))) => socket.acknowledge(&id, answer.as_ref()).await,
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::error!(%error, "what Slack sent could not be heard");
            Ok(())
        }
    }
}

/// It is in the database before it is acknowledged.
async fn take(house: &House, chat: &Chat, envelope: Envelope) -> Taken {
    let answer = match say::hear_over_socket(house, chat, envelope.kind, &envelope.payload).await {
        Ok(Reply::Json(answer)) => Some(answer).filter(|_| envelope.takes_answer),
        Ok(Reply::Nothing | Reply::Text(_)) => None,
        Err(SayError::Flow(error)) => {
            tracing::error!(%error, "what was said in Slack was not done");
            return None;
        }
        // It would be no better the next time.
        Err(error @ (SayError::Unreadable | SayError::NotConfigured | SayError::BadSignature)) => {
            tracing::warn!(%error, kind = ?envelope.kind, "what Slack sent is passed over");
            None
        }
    };
    Some((envelope.id, answer))
}
