//! The integrations: the address to paste, a test signal, and what was made of the last ones.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::base::id::IntegrationId;
use crate::base::secret::Secret;
use crate::domain::setup::Integration;
use crate::flows::{access, ingest};
use crate::render::html::{IntegrationCard, IntegrationsPage, SampleRow, Stamp, Tally};
use crate::store::read::Sample;
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::roles::shown;

/// What was just asked for, shown once on the page that answers it.
#[derive(Default)]
struct Asked {
    /// Whose address is shown whole.
    revealed: Option<IntegrationId>,
    /// Which one was tried, and what came of it.
    tested: Option<(IntegrationId, String)>,
}

pub(in crate::web) async fn integrations(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    page(&doors, &caller, Asked::default()).await
}

async fn page(doors: &Doors, caller: &Caller, asked: Asked) -> Result<Response, WebError> {
    let live = doors.live();
    let names = doors.names();
    let reader = doors.house.store.reader();
    let mut tallies: BTreeMap<IntegrationId, Vec<(String, i64)>> = BTreeMap::new();
    for (integration, outcome, n) in access::tallies(&doors.house.store).await? {
        tallies.entry(integration).or_default().push((outcome, n));
    }
    let mut cards = Vec::new();
    for integration in live.setup.integrations.values() {
        let samples = reader.samples(&caller.viewer, &integration.id).await?;
        let revealed = reader.last_reveal(&integration.id).await?;
        let is_revealed = asked.revealed.as_ref() == Some(&integration.id);
        let key = live.addresses.get(&integration.id).filter(|_| is_revealed);
        cards.push(IntegrationCard {
            id: integration.id.to_string(),
            title: ingest::sender(&integration.source).map_or_else(|| integration.source.clone(), |(title, _)| title.to_owned()),
            source: integration.source.clone(),
            service: names.service(&integration.service).to_owned(),
            address: address(&integration.source, &doors.public_url(), key),
            is_revealed: key.is_some(),
            revealed: revealed.map(|(user, at)| (names.user(&user).to_owned(), Stamp(at))),
            guide: ingest::sender(&integration.source).map_or("", |(_, guide)| guide),
            tested: asked.tested.as_ref().filter(|(id, _)| *id == integration.id).map(|(_, said)| said.clone()),
            tallies: tallies
                .remove(&integration.id)
                .unwrap_or_default()
                .into_iter()
                .filter(|(outcome, _)| outcome != "accepted")
                .map(|(outcome, n)| Tally { outcome, n })
                .collect(),
            samples: samples.into_iter().map(|(sample, number)| sample_row(sample, number.map(|number| number.0))).collect(),
        });
    }
    Ok(shown(StatusCode::OK, &IntegrationsPage { frame: caller.frame_in("integrations"), cards }))
}

/// Where this kind of sender posts to. Without the key, a sign stands in its place.
fn address(source: &str, base: &str, key: Option<&Secret>) -> String {
    let key = key.map_or("••••••••", Secret::expose);
    match source {
        "pagerduty" => format!("{base}/v2/enqueue with the routing key {key}"),
        "opsgenie" => format!("{base} with the API key {key}"),
        "alertmanager_api" => format!("{base} with the bearer token {key}"),
        "heartbeat" => format!("{base}/heartbeats/{key}"),
        other => format!("{base}/hooks/{other}/{key}"),
    }
}

fn sample_row(sample: Sample, number: Option<i64>) -> SampleRow {
    SampleRow {
        at: Stamp(sample.at),
        title: sample.title,
        outcome: sample.outcome,
        reason: sample.reason,
        signals: sample.signals,
        alert: sample.alert.map(|id| id.to_string()),
        number,
        body: sample.body,
    }
}

fn known(doors: &Doors, id: &str) -> Result<Integration, WebError> {
    doors.live().setup.integrations.get(&IntegrationId::from(id)).cloned().ok_or(WebError::NotFound("such integration"))
}

/// Shows the address with its key, and notes to whom.
pub(in crate::web) async fn reveal(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let integration = known(&doors, &id)?;
    let user = caller.user().cloned().ok_or(WebError::NotSignedIn)?;
    let (store, now, noted) = (doors.house.store.clone(), doors.now(), integration.id.clone());
    tracing::info!(integration = %integration.id, %user, "an integration's address was shown");
    tokio::spawn(async move { access::note_reveal(&store, &noted, &user, now).await }).await.map_err(|_| WebError::Inside)??;
    page(&doors, &caller, Asked { revealed: Some(integration.id), tested: None }).await
}

/// Sends a test signal the way that every signal takes, and shows what was made of it.
pub(in crate::web) async fn test(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let integration = known(&doors, &id)?;
    let said = match ingest::test(&doors.house, &integration).await {
        Ok(Some(verdict)) => {
            format!("The test signal came through and was {}, as it should be: nobody is woken by it.", verdict.outcome.name())
        }
        Ok(None) => "The test signal is stored, and not decided yet. Look again in a moment.".to_owned(),
        Err(error) => return Err(WebError::BadRequest(format!("The test signal was not taken: {error}."))),
    };
    page(&doors, &caller, Asked { revealed: None, tested: Some((integration.id, said)) }).await
}
