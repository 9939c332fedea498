//! Alerts that were recorded and woke nobody, and making an incident of one.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use super::declare;
use crate::base::id::AlertId;
use crate::render::html::{AlertsPage, HoldTag, NoveltyTag, OrderLink, RecordedRow, Stamp};
use crate::web::Doors;
use crate::web::answer::{WebError, see_other};
use crate::web::caller::Caller;
use crate::web::inhibited;
use crate::web::look::Params;
use crate::web::roles::shown;

/// Alerts on one page.
const SHOWN: i64 = 50;

pub(in crate::web) async fn alerts(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let (order, cursor) = (params.sort()?.unwrap_or_default(), params.get("cursor"));
    let names = doors.names();
    let page = doors.house.store.reader().alerts_recorded(&caller.viewer, order, cursor, SHOWN).await?;
    let mut inhibited = inhibited::among(&doors, &page.items).await?;
    let rows = page.items.into_iter().map(|alert| RecordedRow {
        inhibited: inhibited.remove(&alert.id),
        id: alert.id.to_string(),
        title: alert.title,
        service: names.service(&alert.service).to_owned(),
        source: alert.source,
        severity: alert.severity.name(),
        state: alert.state.name(),
        hold: HoldTag::of(alert.state, alert.hold),
        novelty: NoveltyTag::of(&alert.novelty),
        count: alert.count,
        last_at: Stamp(alert.last_at),
        labels: alert.labels.into_iter().collect(),
    });
    let page = AlertsPage {
        frame: caller.frame_in("alerts"),
        alerts: rows.collect(),
        orders: OrderLink::all(order, |order| format!("/alerts?sort={}", order.name())),
        older: page.next.map(|next| format!("/alerts?sort={}&cursor={next}", order.name())),
        is_first: cursor.is_none(),
    };
    Ok(shown(StatusCode::OK, &page))
}

pub(in crate::web) async fn promote(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, WebError> {
    let reader = doors.house.store.reader();
    let alert = reader.alert_get(&caller.viewer, &AlertId::from_text(id)).await?.ok_or(WebError::NotFound("such alert"))?;
    // Somebody else was quicker, or a raise was: this is what they look for.
    if let Some(number) = alert.incident {
        return Ok(see_other(&format!("/incidents/{}", number.0)));
    }
    declare::opened(&doors, &caller, alert.title, Some(alert.service), None, Some(alert.id)).await
}
