//! A body is tried: what would become of it, and why.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::answer::WebError;
use super::super::{Doors, body};
use super::Reply;
use super::words;
use crate::base::inbound::Inbound;
use crate::base::limits;
use crate::base::time::Time;
use crate::flows::route::{self, Tried, TriedSignal};

/// A body that a sender might send. Nothing is stored, and nobody is woken.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TryBody {
    /// The integration's id; may be left out where there is only one of that source.
    pub integration: Option<String>,
    /// The kind of sender, as in the address that it posts to.
    pub source: Option<String>,
    /// The headers that the source looks at.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: Option<String>,
    /// The body as base64, where it is no text.
    pub body_base64: Option<String>,
}

/// What would become of a body.
#[derive(Serialize, ToSchema)]
#[schema(as = TriedBody)]
pub struct TriedBody {
    pub integration: String,
    pub source: String,
    pub signals: Vec<TriedSignalBody>,
    /// Further signals of the body, which are not told of.
    pub more: usize,
    /// What its messages must show beside the key and was not asked for here: `secret`, `header`, `basic`, `hmac`, `sns`.
    pub unproven: Vec<&'static str>,
}

/// What would become of one signal of a body.
#[derive(Serialize, ToSchema)]
#[schema(as = TriedSignal)]
pub struct TriedSignalBody {
    pub dedup_key: String,
    /// What it says: it fires, is over, is acknowledged, cannot be read, tells of a change, says nothing.
    pub says: &'static str,
    /// The sender's own words for it, where it has them.
    pub detail: Option<String>,
    /// As the rule leaves it.
    pub title: String,
    /// As its source read it.
    pub title_as_sent: String,
    #[schema(schema_with = words::alert_severity)]
    pub severity: &'static str,
    pub service: String,
    /// Of the incident that it would open or join; null where it pages nobody.
    pub incident_severity: Option<&'static str>,
    /// What alerts have to have in common with it to be in one incident, where its service groups by more than time.
    pub group: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub url: Option<String>,
    /// When it happened, in the sender's time.
    #[schema(schema_with = words::maybe_time)]
    pub at: Option<String>,
    /// The rule that takes it; null: its integration's own service.
    pub rule: Option<String>,
    /// The rules that are asked, in their order.
    pub rules: Vec<AskedRule>,
    /// The policy that it would start, if it opened an incident.
    pub policy: Option<String>,
    /// Who would be paged, if nobody answered.
    pub steps: Vec<TriedStep>,
    /// What it would come to if it came now, by what fires and what is silenced: one of the outcomes of a signal.
    pub outcome: &'static str,
    /// Why that.
    pub reason: &'static str,
    /// What would keep it from paging anybody while that fires; null where nothing does.
    pub held_by: Option<String>,
    /// The number of the incident that there is and that it would be about.
    pub incident: Option<i64>,
}

/// One rule, and what it says to a signal.
#[derive(Serialize, ToSchema)]
pub struct AskedRule {
    pub id: String,
    pub takes: bool,
    /// What matched, or what the signal lacks.
    pub why: String,
}

/// One step of the policy, with the people who are on call now.
#[derive(Serialize, ToSchema)]
pub struct TriedStep {
    /// After the incident opens.
    #[schema(schema_with = words::span)]
    pub after: String,
    pub users: Vec<String>,
    pub places: Vec<String>,
}

pub(in super::super) async fn route(State(doors): State<Doors>, request: Request) -> Reply<TriedBody> {
    let bytes = body::read(&doors.house.clock, request.into_body(), limits::TRIED_BYTES).await?;
    let wrong = |what: String| WebError::BadRequest(format!("The body cannot be used: {what}. See /api/v1/openapi.json."));
    let asked: TryBody = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let sent = match (asked.body, asked.body_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => STANDARD.decode(text.as_bytes()).map_err(|_| wrong("body_base64 is no base64".to_owned()))?,
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => return Err(wrong("it has both body and body_base64".to_owned())),
    };
    let live = doors.live();
    let integration = route::choose(&live, asked.integration.as_deref(), asked.source.as_deref())
        .map_err(|why| WebError::BadRequest(format!("Which sender is it? {why}.")))?;
    let headers = asked.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let inbound = inbound(&integration.source, headers, sent, doors.now());
    Ok(Json(TriedBody::of(route::route(&doors.house, &live, integration, &inbound).await?)))
}

/// The request that its sender would make; the key in the address is nobody's.
pub(in super::super) fn inbound(source: &str, headers: Vec<(String, String)>, body: Vec<u8>, at: Time) -> Inbound {
    Inbound { method: "POST".to_owned(), path: format!("/hooks/{source}/key"), headers, body: body.into(), sent: None, received_at: at }
}

impl TriedBody {
    fn of(tried: Tried) -> Self {
        Self {
            integration: tried.integration.id.to_string(),
            source: tried.integration.source,
            signals: tried.signals.into_iter().map(TriedSignalBody::of).collect(),
            more: tried.more,
            unproven: tried.unproven,
        }
    }
}

impl TriedSignalBody {
    fn of(tried: TriedSignal) -> Self {
        let (says, detail) = route::action(&tried.sent.action);
        let detail = detail.cloned();
        let rule = |(id, said): (crate::base::id::RouteId, Result<String, String>)| {
            let takes = said.is_ok();
            AskedRule { id: id.to_string(), takes, why: said.unwrap_or_else(|lacks| lacks) }
        };
        let (routed, now) = (tried.routed, tried.now);
        Self {
            outcome: now.outcome.name(),
            reason: now.reason.sentence(),
            held_by: now.inhibited.map(|by| format!("inhibited by {} (rule {})", by.by, by.rule)),
            incident: now.incident.map(|number| number.0),
            dedup_key: tried.sent.dedup_key,
            says,
            detail,
            title: routed.signal.title,
            title_as_sent: tried.sent.title,
            severity: routed.severity.name(),
            service: routed.service.to_string(),
            incident_severity: tried.severity.map(crate::domain::setup::Severity::name),
            group: tried.group.map(|group| group.to_string()),
            labels: routed.signal.labels,
            url: routed.signal.url,
            at: routed.signal.at.map(Time::rfc3339),
            rule: routed.taken.map(|taken| taken.rule.to_string()),
            rules: tried.asked.into_iter().map(rule).collect(),
            policy: tried.policy.map(|policy| policy.to_string()),
            steps: tried
                .wakes
                .into_iter()
                .map(|step| TriedStep {
                    after: step.after.to_string(),
                    users: step.users.iter().map(ToString::to_string).collect(),
                    places: step.places.iter().map(ToString::to_string).collect(),
                })
                .collect(),
        }
    }
}
