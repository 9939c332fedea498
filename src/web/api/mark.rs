//! What people say of an incident's alerts: noise, or relevant.

use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::answer::WebError;
use super::Reply;
use super::ask::Ask;
use super::bodies::IncidentBody;
use super::silence::matchers;
use super::words;
use crate::base::id::AlertId;
use crate::base::limits;
use crate::domain::alert::Key;
use crate::domain::input::Act;
use crate::domain::relevance::{Mark, Relevance, Stream};

/// What is marked: give an alert, or matchers.
#[derive(Deserialize, ToSchema)]
#[schema(as = MarkAlerts)]
#[serde(deny_unknown_fields)]
pub struct MarkAlerts {
    #[schema(schema_with = words::relevance)]
    relevance: Relevance,
    /// An alert's id: its stream is meant, whatever comes of its key.
    alert: Option<String>,
    /// All have to match; what joins the incident later is meant as well.
    matchers: Option<Vec<String>>,
}

/// One mark of an incident.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Mark)]
pub struct MarkBody {
    /// Its number in the incident, by which it is taken back.
    pub n: i64,
    #[schema(schema_with = words::relevance)]
    pub relevance: &'static str,
    /// A title, or the matchers.
    pub about: String,
    /// A user's id, or `token:NAME`.
    pub by: String,
    #[schema(schema_with = words::time)]
    pub at: String,
}

impl MarkBody {
    pub(super) fn of(mark: &Mark) -> Self {
        Self { n: mark.n, relevance: mark.relevance.name(), about: mark.about.clone(), by: mark.by.text(), at: mark.at.rfc3339() }
    }
}

pub(in super::super) async fn add(ask: Ask) -> Reply<IncidentBody> {
    let body: MarkAlerts = ask.body()?;
    let incident = ask.incident().await?;
    let (stream, about) = match (body.alert, body.matchers) {
        (Some(id), None) => {
            let alert = ask.doors.house.store.reader().alert_get(&ask.caller.viewer, &AlertId::from_text(id)).await?;
            let alert = alert.filter(|alert| alert.incident == Some(incident.number));
            let alert = alert.ok_or(WebError::NotFound("such alert in this incident"))?;
            (Stream::Key(Key { integration: alert.integration, dedup_key: alert.dedup_key }), alert.title)
        }
        (None, Some(texts)) => matched(&texts)?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(WebError::BadRequest(
                "Say what is meant: {\"alert\": \"alr_…\"} or {\"matchers\": [\"alertname=\\\"DiskFull\\\"\"]}.".to_owned(),
            ));
        }
    };
    ask.act(&incident, Act::Mark { stream, relevance: body.relevance, about }).await?;
    Ok(Json(IncidentBody::of(ask.incident().await?, &ask.doors)))
}

/// Matchers as people write them, and in one line.
pub(in super::super) fn matched(texts: &[String]) -> Result<(Stream, String), WebError> {
    let matchers = matchers(texts)?;
    if matchers.is_empty() || matchers.len() > limits::MATCHERS {
        return Err(WebError::BadRequest("Say what matches, as in alertname=\"DiskFull\".".to_owned()));
    }
    let about = matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Ok((Stream::Matchers(matchers), about))
}

pub(in super::super) async fn take_back(ask: Ask) -> Result<StatusCode, WebError> {
    let n = ask.place("mark").parse().map_err(|_| WebError::NotFound("such mark of this incident"))?;
    let incident = ask.incident().await?;
    if incident.response.marks.iter().all(|mark| mark.n != n) {
        return Err(WebError::NotFound("such mark of this incident"));
    }
    ask.act(&incident, Act::Unmark { n }).await?;
    Ok(StatusCode::NO_CONTENT)
}
