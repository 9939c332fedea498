//! What was changed on purpose: deploys and flags.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::caller::Caller;
use super::super::look::{self, Params};
use super::Reply;
use super::bodies::List;
use super::words;
use crate::base::id::ServiceId;
use crate::domain::change::Change;

/// Something that was changed.
#[derive(Serialize, ToSchema)]
#[schema(as = Change)]
pub struct ChangeBody {
    id: String,
    title: String,
    service: String,
    /// The kind of sender, as in the hook's address.
    source: String,
    integration: String,
    /// When it was made, as its sender says; else when it came.
    #[schema(schema_with = words::time)]
    at: String,
    url: Option<String>,
    labels: BTreeMap<String, String>,
}

impl From<Change> for ChangeBody {
    fn from(change: Change) -> Self {
        Self {
            id: change.id.to_string(),
            title: change.title,
            service: change.service.to_string(),
            source: change.source,
            integration: change.integration.to_string(),
            at: change.at.rfc3339(),
            url: change.url,
            labels: change.labels,
        }
    }
}

pub(in super::super) async fn list(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Reply<List<ChangeBody>> {
    let params = Params::of(&uri);
    let service = params.get("service").map(ServiceId::from_text);
    let page = doors.house.store.reader().changes_list(&caller.viewer, service.as_ref(), params.get("cursor"), params.limit()?).await?;
    Ok(Json(List { items: page.items.into_iter().map(ChangeBody::from).collect(), next: page.next }))
}

pub(in super::super) async fn of_incident(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    uri: Uri,
) -> Reply<List<ChangeBody>> {
    let incident = look::incident(&doors, &caller.viewer, &number).await?;
    let changes = doors.house.store.reader().incident_changes(&caller.viewer, incident.number).await?;
    Ok(Json(List::part(changes.into_iter().map(ChangeBody::from).collect(), &Params::of(&uri), |one: &ChangeBody| &one.id)?))
}
