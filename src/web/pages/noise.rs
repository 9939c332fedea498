//! Which monitors call people for nothing, and what to do about each.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::base::limits;
use crate::render::html::{MonitorRow, NoisePage, Stamp};
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::caller::Caller;
use crate::web::noise::Remedy;
use crate::web::roles::shown;

/// Monitors on the page: the quiet ones are of no interest here.
const SHOWN: usize = 100;

pub(in crate::web) async fn noise(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Result<Response, WebError> {
    let names = doors.names();
    let monitors = doors.house.store.reader().noise(&caller.viewer, doors.now() - limits::NOISE_WITHIN).await?;
    let rows = monitors.into_iter().take(SHOWN).map(|monitor| {
        let suggestion = monitor.record.suggestion();
        let remedy = suggestion.as_ref().and_then(|_| Remedy::of(&monitor));
        MonitorRow {
            service: names.service(&monitor.kind.service).to_owned(),
            integration: monitor.kind.integration.to_string(),
            title: monitor.title,
            record: monitor.record,
            last_at: Stamp(monitor.last_at),
            suggestion,
            rule: remedy.as_ref().map(|remedy| remedy.rule.clone()),
            silence: remedy.map(|remedy| remedy.silence),
        }
    });
    let page = NoisePage { frame: caller.frame_in("alerts"), monitors: rows.collect() };
    Ok(shown(StatusCode::OK, &page))
}
