//! Silences: what is in force, planned and over; making one, and ending one.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::super::api::silence::{known, matchers};
use super::zone_of;
use crate::base::id::SilenceId;
use crate::base::time::Span;
use crate::domain::inhibition::{Inhibition, Inhibitor};
use crate::domain::local;
use crate::domain::matcher::{Matcher, Operator};
use crate::domain::silence::SilenceState;
use crate::flows::silence::{self, Wanted};
use crate::render::html::{InhibitionCard, SilenceRowShown, SilencesPage, Stamp};
use crate::store::read::AlertView;
use crate::web::Doors;
use crate::web::answer::{WebError, see_other};
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::look::Params;
use crate::web::roles::shown;

/// Silences that are over, on the page.
const OVER: usize = 20;

/// Alerts that inhibit just now, on the page.
const SOURCES: i64 = 200;
/// And of one rule.
const SOURCES_OF_ONE: usize = 5;

fn inhibition(rule: &Inhibition, sources: &[Inhibitor]) -> InhibitionCard {
    let texts = |matchers: &[Matcher]| matchers.iter().map(ToString::to_string).collect();
    let by = sources.iter().filter(|source| source.rule == rule.id).map(|source| source.title.clone()).take(SOURCES_OF_ONE);
    InhibitionCard {
        id: rule.id.to_string(),
        when: texts(&rule.when),
        mute: texts(&rule.mute),
        equal: rule.equal.clone(),
        by: by.collect(),
    }
}

/// Where this alert can be silenced: by its name, of its integration.
pub(super) fn link(alert: &AlertView) -> String {
    let name = alert.labels.get("alertname").unwrap_or(&alert.title);
    let exactly = |label, value: &str| Matcher::new(label, Operator::Equal, value).map(|matcher| matcher.to_string());
    // Its name is for people; the key keeps its siblings on other machines loud.
    let (Ok(name), Ok(key)) = (exactly("alertname", name), exactly("dedup_key", &alert.dedup_key)) else { return String::new() };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("matchers", &format!("{name}, {key}")).append_pair("integration", alert.integration.as_str());
    format!("/silences?{}#add", query.finish())
}

pub(in crate::web) async fn silences(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, WebError> {
    let params = Params::of(&uri);
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
            matchers: row.silence.matchers.iter().map(ToString::to_string).collect(),
            integration: row.silence.integration.as_ref().map(ToString::to_string),
            starts_at: Stamp(row.silence.starts_at),
            ends_at: Stamp(row.silence.ends_at),
            created_by: row.silence.created_by,
            comment: row.silence.comment,
        });
    }
    // What is in force first, and of what is over the last.
    rows.sort_by_key(|row| row.is_over);
    let sources = doors.house.store.reader().inhibitors(SOURCES).await?;
    let page = SilencesPage {
        inhibitions: doors.live().setup.inhibitions.iter().map(|rule| inhibition(rule, &sources)).collect(),
        frame: caller.frame_in("silences"),
        silences: rows,
        matchers: params.get("matchers").unwrap_or_default().to_owned(),
        integrations: doors.live().setup.integrations.keys().map(ToString::to_string).collect(),
        integration: params.get("integration").unwrap_or_default().to_owned(),
        zone: zone_of(&doors, &caller),
        is_done: params.get("done").is_some(),
    };
    Ok(shown(StatusCode::OK, &page))
}

pub(in crate::web) async fn add(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    let text = |name: &str| form.get(name).map(str::trim).unwrap_or_default().to_owned();
    let now = doors.now();
    let until = text("until");
    // An end that is written counts before a span, which stands in the form from its beginning.
    let ends_at = if until.is_empty() {
        let span = Span::parse(&text("for")).map_err(|why| WebError::BadRequest(format!("Write for how long, as in 2h: {why}.")))?;
        now + span
    } else {
        let wrong = || WebError::BadRequest("Write until when, as in 2026-01-05T09:00.".to_owned());
        local::at(&zone_of(&doors, &caller), &until).ok_or_else(wrong)?
    };
    let integration = text("integration");
    let wanted = Wanted {
        id: None,
        integration: if integration.is_empty() { None } else { Some(known(&doors, &integration)?) },
        matchers: matchers(&[text("matchers")])?,
        starts_at: now,
        ends_at,
        created_by: doors.names().actor(&actor),
        comment: text("comment"),
        annotations: std::collections::BTreeMap::new(),
    };
    silence::put(&doors.house, &actor, wanted, None).await?;
    Ok(see_other("/silences?done=1"))
}

pub(in crate::web) async fn end(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let actor = caller.actor().ok_or(WebError::NotSignedIn)?;
    silence::end(&doors.house, &actor, &SilenceId::from_text(id), None).await?;
    Ok(see_other("/silences?done=1"))
}
