//! Outgoing webhooks: each follows the facts and is told of them in their order, at least once. What is told and how is docs/webhooks.md.

use serde::Serialize;

use super::FlowError;
use super::house::{House, Live};
use crate::base::limits;
use crate::base::time::{Span, Time};
use crate::domain::fact::What;
use crate::domain::incident::{Incident, IncidentRole, Kind};
use crate::domain::input::Actor;
use crate::domain::setup::Place;
use crate::render::line::{self, Names};
use crate::store::{self, FactRow, FollowerRow, WriteLane};

/// Before the id of a webhook in the name of its follower.
pub const PREFIX: &str = "webhook:";

/// Facts read at once.
const PIECE: i64 = 100;

/// Makes a follower for each configured webhook, which begins with what happens from now on, and ends those of webhooks that are gone.
///
/// # Errors
/// The store's.
pub async fn settle_followers(house: &House) -> Result<(), FlowError> {
    let live = house.now_live();
    let reader = house.store.reader();
    let known = store::follower_list(&reader, PREFIX).await?;
    let id_of = |row: &FollowerRow| row.name.trim_start_matches(PREFIX).to_owned();
    let missing: Vec<&String> = live.webhooks.keys().filter(|id| known.iter().all(|row| id_of(row) != **id)).collect();
    let gone: Vec<&FollowerRow> = known.iter().filter(|row| !live.webhooks.contains_key(&id_of(row))).collect();
    // A process that has not seen the newest configuration yet must not end what another has begun.
    if (missing.is_empty() && gone.is_empty()) || store::setup_version(&reader).await? != live.version {
        return Ok(());
    }
    let seq = store::fact_last_seq(&reader).await?;
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    for id in missing {
        store::follower_add(&mut tx, &format!("{PREFIX}{id}"), seq).await?;
    }
    for row in gone {
        store::follower_remove(&mut tx, &row.name).await?;
    }
    Ok(tx.commit().await?)
}

/// The webhooks that have something to be told.
///
/// # Errors
/// The store's.
pub async fn due(house: &House) -> Result<Vec<FollowerRow>, FlowError> {
    if house.now_live().webhooks.is_empty() {
        return Ok(Vec::new());
    }
    Ok(store::followers_due(&house.store.reader(), PREFIX, house.clock.now(), limits::WEBHOOKS_AT_ONCE).await?)
}

/// When the next webhook is to be tried again.
///
/// # Errors
/// The store's.
pub async fn next_due(house: &House) -> Result<Option<Time>, FlowError> {
    if house.now_live().webhooks.is_empty() {
        return Ok(None);
    }
    Ok(store::followers_next_due(&house.store.reader(), PREFIX).await?)
}

/// Tells one webhook what it has not heard yet, until all is told or a try fails; then it is left alone for a while that grows.
///
/// # Errors
/// The store's. What was told and could not be written down is told again.
pub async fn tell(house: &House, name: &str) -> Result<(), FlowError> {
    let Some(mut row) = store::follower_claim(&house.store, name, &house.owner, house.clock.now()).await? else { return Ok(()) };
    let id = name.trim_start_matches(PREFIX);
    loop {
        let live = house.now_live();
        let facts = store::facts_after(&house.store.reader(), row.seq, PIECE).await?;
        let more = facts.len() == usize::try_from(PIECE).unwrap_or(usize::MAX);
        for fact in facts {
            if let Some(delivery) = delivery(house, &live, id, &fact).await? {
                let told = post(house, &live, &row, id, &delivery).await;
                if !settle(house, &mut row, id, &fact, told).await? {
                    return Ok(());
                }
            }
            row.seq = fact.seq;
        }
        if !more {
            row.due_at = Time(0);
            return saved(house, &row, true).await;
        }
        saved(house, &row, false).await?;
    }
}

/// Notes how a delivery went. `false`: it is tried again later, and nothing overtakes it.
async fn settle(house: &House, row: &mut FollowerRow, id: &str, fact: &FactRow, told: Result<(), String>) -> Result<bool, FlowError> {
    let now = house.clock.now();
    let metrics = &house.metrics;
    match told {
        Ok(()) => {
            metrics.webhook(id, "accepted");
            (row.tries, row.due_at, row.seq) = (0, Time(0), fact.seq);
            saved(house, row, false).await?;
            Ok(true)
        }
        Err(reason) if now.since(fact.fact.at) > limits::WEBHOOK_KEEPS => {
            metrics.webhook(id, "dropped");
            tracing::error!(webhook = id, seq = fact.seq, reason, keeps = %limits::WEBHOOK_KEEPS,
                "a webhook never took a delivery, which is dropped: the receiver has missed it");
            row.seq = fact.seq;
            saved(house, row, false).await?;
            Ok(true)
        }
        Err(reason) => {
            metrics.webhook(id, "refused");
            row.due_at = now + back_off(row.tries);
            row.tries += 1;
            tracing::warn!(webhook = id, seq = fact.seq, reason, tries = row.tries, again_at = %row.due_at.rfc3339(),
                "a webhook was not told and is tried again");
            saved(house, row, true).await?;
            Ok(false)
        }
    }
}

async fn saved(house: &House, row: &FollowerRow, ends: bool) -> Result<(), FlowError> {
    let mut tx = house.store.begin(WriteLane::Rest).await?;
    if ends {
        store::follower_save(&mut tx, row).await?;
    } else {
        store::follower_advance(&mut tx, row).await?;
    }
    Ok(tx.commit().await?)
}

/// Five seconds, then twice as long each time, up to an hour.
fn back_off(tries: i64) -> Span {
    let doubled = 1_i64 << tries.clamp(0, 20);
    Span(limits::WEBHOOK_AGAIN_LEAST.0.saturating_mul(doubled)).min(limits::WEBHOOK_AGAIN_MOST)
}

/// Posts, holding the claim for as long as it takes.
async fn post(house: &House, live: &Live, row: &FollowerRow, id: &str, delivery: &Delivery) -> Result<(), String> {
    let Some(webhook) = live.webhooks.get(id) else { return Err("it is not configured any more".to_owned()) };
    let body = serde_json::to_string(delivery).map_err(|error| error.to_string())?;
    let work = webhook.post(&delivery.id, body, house.clock.now());
    tokio::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return outcome,
            // Leases run in real time, whatever clock the decisions go by.
            () = tokio::time::sleep(limits::LEASE_RENEW.as_duration()) => {
                if let Err(error) = store::follower_renew(&house.store, row).await {
                    tracing::warn!(%error, webhook = id, "the claim on a webhook could not be renewed");
                }
            }
        }
    }
}

/// What is posted.
#[derive(Debug, Serialize)]
struct Delivery {
    id: String,
    seq: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    at: String,
    actor: String,
    text: String,
    reason: Option<String>,
    incident: Told,
}

/// The incident as it is when it is told, in the words of the API.
#[derive(Debug, Serialize)]
struct Told {
    number: i64,
    title: String,
    state: &'static str,
    severity: &'static str,
    service: String,
    kind: &'static str,
    opened_at: String,
    acknowledged_at: Option<String>,
    acknowledged_by: Option<String>,
    resolved_at: Option<String>,
    resolved_by: Option<String>,
    lead: Option<String>,
    alerts_count: i64,
    url: Option<String>,
}

impl Told {
    fn of(incident: Incident, live: &Live) -> Self {
        let url = live.public_url.as_ref().map(|url| format!("{}/incidents/{}", url.trim_end_matches('/'), incident.number.0));
        Self {
            number: incident.number.0,
            title: incident.title,
            state: incident.state.name(),
            severity: incident.severity.name(),
            service: incident.service.to_string(),
            kind: incident.kind.name(),
            opened_at: incident.opened_at.rfc3339(),
            acknowledged_at: incident.acknowledged_at.map(Time::rfc3339),
            acknowledged_by: incident.acknowledged_by.as_ref().map(Actor::text),
            resolved_at: incident.resolved_at.map(Time::rfc3339),
            resolved_by: incident.resolved_by.as_ref().map(Actor::text),
            lead: incident.response.roles.get(&IncidentRole::Lead).map(ToString::to_string),
            alerts_count: incident.alerts_count,
            url,
        }
    }
}

/// What a webhook is told of a fact; `None` for what does not concern it.
async fn delivery(house: &House, live: &Live, id: &str, row: &FactRow) -> Result<Option<Delivery>, FlowError> {
    let fact = &row.fact;
    let named = matches!(&fact.what, What::NoticeWanted { place: Place::Webhook(place), .. } if place == id);
    if !named && !changes_an_incident(&fact.what) {
        return Ok(None);
    }
    let Some(incident) = store::incident_find(&house.store.reader(), &fact.incident).await? else { return Ok(None) };
    // Drills and tests are told only where somebody names the place.
    if !named && incident.kind != Kind::Real {
        return Ok(None);
    }
    let line = line::of(fact, &Names::of(&live.setup));
    Ok(Some(Delivery {
        id: format!("{id}-{}", row.seq),
        seq: row.seq,
        kind: fact.what.kind(),
        at: fact.at.rfc3339(),
        actor: fact.actor.text(),
        text: line.text,
        reason: line.reason,
        incident: Told::of(incident, live),
    }))
}

/// Whether a fact tells of the incident itself, rather than of how one person is being reached.
const fn changes_an_incident(what: &What) -> bool {
    match what {
        What::IncidentOpened { .. }
        | What::IncidentDeclared { .. }
        | What::AlertsJoined { .. }
        | What::AlertsRefired { .. }
        | What::AlertsResolved { .. }
        | What::AlertsSilenced { .. }
        | What::RelevanceMarked { .. }
        | What::MarkTakenBack { .. }
        | What::NoiseWorse { .. }
        | What::AlertsInhibited { .. }
        | What::AlertsUninhibited { .. }
        | What::IncidentInhibited { .. }
        | What::AlertsWaited { .. }
        | What::AlertsOutlasted { .. }
        | What::AlertsNew { .. }
        | What::AlertsRising { .. }
        | What::AlertsFlapping { .. }
        | What::AlertsSteady { .. }
        | What::AlertsUnsilenced { .. }
        | What::SilenceExtended { .. }
        | What::IncidentSilenced { .. }
        | What::SeverityRaised { .. }
        | What::SeverityChanged { .. }
        | What::TitleChanged { .. }
        | What::RoleChanged { .. }
        | What::NoteAdded { .. }
        | What::UpdatePosted { .. }
        | What::TaskAdded { .. }
        | What::TaskChanged { .. }
        | What::RoomOpened { .. }
        | What::PolicyExhausted
        | What::PagedWider { .. }
        | What::IncidentAcknowledged { .. }
        | What::AcknowledgementLapsed
        | What::IncidentSnoozed { .. }
        | What::SnoozeEnded
        | What::IncidentReassigned { .. }
        | What::IncidentEscalated
        | What::ResolveAsked { .. }
        | What::IntegrationWentSilent { .. }
        | What::IncidentResolved { .. }
        | What::IncidentReopened { .. }
        | What::IncidentMerged { .. }
        | What::IncidentTakenIn { .. }
        | What::EndedWith { .. }
        | What::IncidentSplitOff { .. }
        | What::IncidentSplit { .. }
        | What::IncidentUnmerged { .. }
        | What::LinkSuspected { .. }
        | What::StormBegan { .. }
        | What::StormEnded => true,
        What::NoiseChanged { .. }
        | What::RoomWanted { .. }
        | What::IncidentRouted { .. }
        | What::ServiceInvolved { .. }
        | What::NoticeWanted { .. }
        | What::PolicyStarted { .. }
        | What::StepStarted { .. }
        | What::StepSkipped { .. }
        | What::AcknowledgementRenewed { .. }
        | What::LapseAsked { .. }
        | What::PageAsked { .. }
        | What::IncidentReminded { .. }
        | What::PageOpened { .. }
        | What::PageTakenOver { .. }
        | What::PageLeft { .. }
        | What::PageRestarted { .. }
        | What::PageAnswered { .. }
        | What::PageEnded { .. }
        | What::PageFailed { .. }
        | What::PageUnhelpful { .. }
        | What::AttemptPlaced { .. }
        | What::AttemptAccepted { .. }
        | What::AttemptRejected { .. }
        | What::AttemptUnknown { .. }
        | What::AttemptWithdrawn { .. }
        | What::PhoneRang { .. }
        | What::PhonePickedUp { .. }
        | What::MessageDelivered { .. }
        | What::MessageUndelivered { .. }
        | What::ContactClosed { .. }
        | What::CallEnded { .. }
        | What::CallSilent { .. }
        | What::CallHeld { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_left_alone_for_longer_and_longer() {
        let waits: Vec<i64> = (0..12).map(|tries| back_off(tries).as_seconds()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!(back_off(i64::MAX), limits::WEBHOOK_AGAIN_MOST);
    }
}
