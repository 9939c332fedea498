//! The integrations: what came of their signals, the last of them, and a test signal.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Doors;
use super::super::answer::WebError;
use super::super::caller::Caller;
use super::super::look::Params;
use super::super::sender;
use super::Reply;
use super::ask::Ask;
use super::bodies::List;
use super::command::Nothing;
use super::words;
use crate::base::id::IntegrationId;
use crate::base::time::Time;
use crate::domain::mapping::Mapping;
use crate::domain::setup::Integration;
use crate::flows::ingest::{self, Proof};
use crate::flows::{access, refusal};
use crate::render::guide;

/// An integration, without its key.
#[derive(Serialize, ToSchema)]
#[schema(as = Integration)]
pub struct IntegrationBody {
    pub id: String,
    /// As it stands in the address that its sender posts to.
    pub source: String,
    /// What the sender is called.
    pub title: String,
    pub service: String,
    /// How many of its signals were accepted, and how many came to each outcome.
    pub outcomes: BTreeMap<String, i64>,
    #[schema(schema_with = words::maybe_time)]
    pub last_at: Option<String>,
    /// What its messages must show beside the key, as the configuration names it: `secret`, `header`, `basic`, `hmac`.
    pub proofs: Vec<&'static str>,
    /// What of its messages was refused lately, the last of each within a week.
    pub refused: Vec<RefusedBody>,
}

/// One integration, and what to paste where.
#[derive(Serialize, ToSchema)]
#[schema(as = IntegrationInFull)]
pub struct IntegrationInFull {
    pub id: String,
    /// As it stands in the address that its sender posts to.
    pub source: String,
    /// What the sender is called.
    pub title: String,
    pub service: String,
    /// Taken where the sender says none.
    #[schema(schema_with = words::alert_severity)]
    pub severity: &'static str,
    /// Of a heartbeat: how often it beats, and by how much it may be late.
    #[schema(schema_with = words::span)]
    pub period: Option<String>,
    #[schema(schema_with = words::span)]
    pub grace: Option<String>,
    /// Of CloudWatch: the topics of SNS whose subscriptions are confirmed.
    pub topics: Vec<String>,
    /// Of any JSON: where the fields of its alerts stand, as in the configuration.
    #[schema(value_type = Option<Object>)]
    pub map: Option<Mapping>,
    /// What its messages must show beside the key, without the secrets.
    pub asks_for: Vec<AskedForBody>,
    /// Where the sender posts to, with `KEY` in the place of its key.
    pub address: String,
    /// What to do at the sender, in Markdown.
    pub guide: String,
    /// What its messages must show beside the key, as the configuration names it: `secret`, `header`, `basic`, `hmac`.
    pub proofs: Vec<&'static str>,
    /// What of its messages was refused lately, the last of each within a week.
    pub refused: Vec<RefusedBody>,
}

/// One thing that every message must show.
#[derive(Serialize, ToSchema)]
#[schema(as = AskedFor)]
pub struct AskedForBody {
    /// As the configuration names it: `secret`, `header`, `basic`, `hmac`.
    pub by: &'static str,
    /// The header that it stands in.
    pub header: Option<String>,
    /// The user of basic authentication.
    pub user: Option<String>,
    /// What stands before a signature's digits.
    pub prefix: Option<String>,
    /// How many values are right: two while one is rotated.
    pub values: usize,
}

impl AskedForBody {
    fn of(proof: &Proof) -> Self {
        let (header, user, prefix) = match proof {
            Proof::Secret(_) => (None, None, None),
            Proof::Header { name, .. } => (Some(name), None, None),
            Proof::Basic { user, .. } => (None, Some(user), None),
            Proof::Hmac { header, prefix, .. } => (Some(header), None, Some(prefix)),
        };
        Self { by: proof.asked_by(), header: header.cloned(), user: user.cloned(), prefix: prefix.cloned(), values: proof.values().len() }
    }
}

/// Messages that did not show what their integration asks for beside the key.
#[derive(Serialize, ToSchema)]
#[schema(as = RefusedMessages)]
pub struct RefusedBody {
    /// Whether what is asked for was `missing`, `wrong`, `stale`, or could not be checked since the body was `too_large`.
    pub why: &'static str,
    /// The same in words.
    pub text: String,
    pub count: u64,
    #[schema(schema_with = words::time)]
    pub first_at: String,
    #[schema(schema_with = words::time)]
    pub last_at: String,
}

/// One of the last messages of an integration, and what was made of it.
#[derive(Serialize, ToSchema)]
#[schema(as = SignalSample)]
pub struct SampleBody {
    /// The request that brought it.
    pub request: String,
    #[schema(schema_with = words::time)]
    pub at: String,
    /// How many signals were in it; the rest is of the last one.
    pub signals: i64,
    pub title: String,
    pub outcome: String,
    pub reason: String,
    pub alert: Option<String>,
    /// The incident's number.
    pub incident: Option<i64>,
    /// The message's beginning, without secrets.
    pub body: String,
}

/// What became of a test signal. All is null while it is not decided.
#[derive(Serialize, ToSchema)]
#[schema(as = SignalTested)]
pub struct TestedBody {
    pub outcome: Option<&'static str>,
    pub reason: Option<&'static str>,
}

pub(in super::super) async fn list(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Reply<List<IntegrationBody>> {
    let mut outcomes: BTreeMap<IntegrationId, BTreeMap<String, i64>> = BTreeMap::new();
    for (integration, outcome, n) in access::tallies(&doors.house.store).await? {
        outcomes.entry(integration).or_default().insert(outcome, n);
    }
    let (live, reader) = (doors.live(), doors.house.store.reader());
    let mut refused = refused(&doors).await?;
    let mut found = Vec::new();
    for integration in live.setup.integrations.values() {
        let newest = reader.samples(&caller.viewer, &integration.id).await?.into_iter().map(|(sample, _)| sample.at).max();
        found.push(IntegrationBody {
            id: integration.id.to_string(),
            source: integration.source.clone(),
            title: sender::title(&integration.source),
            service: integration.service.to_string(),
            outcomes: outcomes.remove(&integration.id).unwrap_or_default(),
            last_at: newest.map(Time::rfc3339),
            proofs: sender::proofs(&live, &integration.id),
            refused: refused.remove(&integration.id).unwrap_or_default(),
        });
    }
    Ok(Json(List::part(found, &Params::of(&uri), |one: &IntegrationBody| &one.id)?))
}

/// One of them, and what to paste where at its sender.
pub(in super::super) async fn one(State(doors): State<Doors>, Path(id): Path<String>) -> Reply<IntegrationInFull> {
    let integration = known(&doors, &id)?;
    let (source, server, live) = (&integration.source, doors.public_url(), doors.live());
    Ok(Json(IntegrationInFull {
        title: sender::title(source),
        service: integration.service.to_string(),
        severity: integration.severity.name(),
        period: integration.heartbeat.map(|heartbeat| heartbeat.period.to_string()),
        grace: integration.heartbeat.map(|heartbeat| heartbeat.grace.to_string()),
        asks_for: live.proofs.get(&integration.id).into_iter().flatten().map(AskedForBody::of).collect(),
        address: sender::address(source, &server, "KEY"),
        guide: ingest::sender(source).map_or_else(String::new, |(_, text)| guide::text(text, &sender::places(source, &server, "KEY"))),
        proofs: sender::proofs(&live, &integration.id),
        refused: refused(&doors).await?.remove(&integration.id).unwrap_or_default(),
        id: integration.id.to_string(),
        source: integration.source,
        topics: integration.topics,
        map: integration.map,
    }))
}

/// What was refused of each integration's messages.
async fn refused(doors: &Doors) -> Result<BTreeMap<IntegrationId, Vec<RefusedBody>>, WebError> {
    let body = |(flaw, refused): (refusal::Flaw, refusal::Refused)| RefusedBody {
        why: flaw.why.name(),
        text: flaw.to_string(),
        count: refused.n,
        first_at: refused.first_at.rfc3339(),
        last_at: refused.last_at.rfc3339(),
    };
    let all = refusal::lately(&doors.house.store, &doors.house.refusals, doors.now()).await?;
    Ok(all.into_iter().map(|(id, refused)| (id, refused.into_iter().map(body).collect())).collect())
}

/// Its last messages, newest first.
pub(in super::super) async fn signals(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    uri: Uri,
) -> Reply<List<SampleBody>> {
    let integration = known(&doors, &id)?;
    let samples = doors.house.store.reader().samples(&caller.viewer, &integration.id).await?;
    let found = samples.into_iter().map(|(sample, number)| SampleBody {
        request: sample.request.to_string(),
        at: sample.at.rfc3339(),
        signals: sample.signals,
        title: sample.title,
        outcome: sample.outcome,
        reason: sample.reason,
        alert: sample.alert.map(|id| id.to_string()),
        incident: number.map(|number| number.0),
        body: sample.body,
    });
    Ok(Json(List::part(found.collect(), &Params::of(&uri), |one: &SampleBody| &one.request)?))
}

/// Sends a test signal the way that every signal takes. It wakes nobody.
pub(in super::super) async fn test(State(doors): State<Doors>, Path(id): Path<String>, ask: Ask) -> Reply<TestedBody> {
    let Nothing {} = ask.body()?;
    let integration = known(&doors, &id)?;
    let verdict = ingest::test(&doors.house, &integration)
        .await
        .map_err(|_| WebError::Busy("The test signal was not stored; try again in a few seconds."))?;
    let (outcome, reason) = verdict.map_or((None, None), |verdict| (Some(verdict.outcome.name()), Some(verdict.reason.sentence())));
    Ok(Json(TestedBody { outcome, reason }))
}

fn known(doors: &Doors, id: &str) -> Result<Integration, WebError> {
    doors.live().setup.integrations.get(&IntegrationId::from(id)).cloned().ok_or(WebError::NotFound("such integration"))
}
