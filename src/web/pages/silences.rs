//! Silences: what is in force, planned and over; making one, and ending one.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::api::silence::matchers;
use crate::base::id::SilenceId;
use crate::base::limits;
use crate::base::time::Span;
use crate::domain::silence::{Matcher, SilenceState};
use crate::flows::silence::{self, Wanted};
use crate::render::html::{SilenceRowShown, SilencesPage, Stamp};
use crate::web::Doors;
use crate::web::answer::{WebError, see_other};
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::roles::shown;

/// Silences that are over, on the page.
const OVER: usize = 20;

pub(in crate::web) async fn silences(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    let now = doors.now();
    let mut over = 0;
    let mut rows = Vec::new();
    for row in doors.house.store.reader().silences(&caller.viewer).await? {
        let state = row.silence.state(now);
        if state == SilenceState::Expired {
            over += 1;
            if over > OVER {
                continue;
            }
        }
        rows.push(SilenceRowShown {
            id: row.silence.id.to_string(),
            state: state.name(),
            is_over: state == SilenceState::Expired,
            matchers: row.silence.matchers.iter().map(Matcher::text).collect(),
            integration: row.silence.integration.as_ref().map(ToString::to_string),
            starts_at: Stamp(row.silence.starts_at),
            ends_at: Stamp(row.silence.ends_at),
            created_by: row.silence.created_by,
            comment: row.silence.comment,
        });
    }
    // What is in force first, and of what is over the last.
    rows.sort_by_key(|row| row.is_over);
    Ok(shown(StatusCode::OK, &SilencesPage { frame: caller.frame_in("silences"), silences: rows }))
}

pub(in crate::web) async fn add(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let text = |name: &str| form.get(name).map(str::trim).unwrap_or_default().to_owned();
    let now = doors.now();
    let span = Span::parse(&text("for")).map_err(|why| WebError::BadRequest(format!("for: {why}.")))?;
    let wanted = Wanted {
        id: None,
        integration: None,
        matchers: matchers(&[text("matchers")])?,
        starts_at: now,
        ends_at: now + span.min(limits::SILENCE_LONGEST),
        created_by: actor.text(),
        comment: text("comment"),
        annotations: std::collections::BTreeMap::new(),
    };
    silence::put(&doors.house, &actor, wanted, None).await?;
    Ok(see_other("/silences"))
}

pub(in crate::web) async fn end(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    silence::end(&doors.house, &actor, &SilenceId::from_text(id), None).await?;
    Ok(see_other("/silences"))
}
