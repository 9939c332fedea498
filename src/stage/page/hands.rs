//! What people at the page do with texts, mail and the workspace.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde::Deserialize;

use super::{Refused, read};
use crate::base::time::Span;
use crate::stage::slack::SlackFault;
use crate::stage::{Inner, MailFault, Stage, TextHabit};

pub(super) fn router() -> Router<Arc<Inner>> {
    Router::new()
        .route("/stage/texts/reply", post(reply))
        .route("/stage/text_habits", post(text_habit))
        .route("/stage/mail_faults", post(mail_fault))
        .route("/stage/slack/type", post(types))
        .route("/stage/slack/press", post(press))
        .route("/stage/slack/submit", post(submit))
        .route("/stage/slack/close", post(close))
        .route("/stage/slack/faults", post(slack_fault))
        .route("/stage/slack/events_twice", post(events_twice))
}

type Done = Result<StatusCode, Refused>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    number: String,
    body: String,
}

async fn reply(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let Reply { number, body } = read(&headers, &body)?;
    Stage(inner).reply(&number, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextHabitBody {
    number: String,
    habit: TextHabit,
}

async fn text_habit(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let TextHabitBody { number, habit } = read(&headers, &body)?;
    Stage(inner).set_text_habit(&number, habit);
    Ok(StatusCode::NO_CONTENT)
}

fn refuses_with(status: u16) -> Result<(), Refused> {
    if (400..600).contains(&status) {
        return Ok(());
    }
    Err(Refused(StatusCode::BAD_REQUEST, format!("{status} is no status to refuse with: take one from 400 to 599")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailFaultBody {
    fault: Option<MailFault>,
}

async fn mail_fault(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let MailFaultBody { fault } = read(&headers, &body)?;
    if let Some(MailFault::Refuse { code }) = fault {
        refuses_with(code)?;
    }
    Stage(inner).set_mail_fault(fault);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Types {
    user: String,
    room: String,
    text: String,
    thread: Option<String>,
}

async fn types(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let Types { user, room, text, thread } = read(&headers, &body)?;
    Stage(inner).slack().types_in(&user, &room, thread.as_deref(), &text).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Press {
    user: String,
    room: String,
    ts: String,
    block_id: String,
    action_id: String,
    choice: Option<String>,
}

async fn press(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let Press { user, room, ts, block_id, action_id, choice } = read(&headers, &body)?;
    Stage(inner).slack().press_on(&user, &room, &ts, &block_id, &action_id, choice.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    modal: String,
    values: BTreeMap<String, String>,
}

async fn submit(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let Submit { modal, values } = read(&headers, &body)?;
    Stage(inner).slack().submit(&modal, &values).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    modal: String,
}

async fn close(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let Close { modal } = read(&headers, &body)?;
    Stage(inner).slack().close(&modal).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlackFaultBody {
    fault: Option<SlackFault>,
    /// How long, as `5m`; until told otherwise when absent.
    lasts: Option<String>,
}

async fn slack_fault(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let SlackFaultBody { fault, lasts } = read(&headers, &body)?;
    if let Some(SlackFault::Refuse { status }) = fault {
        refuses_with(status)?;
    }
    let lasts = lasts.map(|text| Span::parse(&text)).transpose().map_err(|why| Refused(StatusCode::BAD_REQUEST, why))?;
    Stage(inner).slack().set_fault(fault, lasts);
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsTwice {
    twice: bool,
}

async fn events_twice(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Done {
    let EventsTwice { twice } = read(&headers, &body)?;
    Stage(inner).slack().set_events_twice(twice);
    Ok(StatusCode::NO_CONTENT)
}
