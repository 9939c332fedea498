//! Trying a body: what its source would read in it, which rule would take it, and whom it would wake.

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;

use crate::base::id::IntegrationId;
use crate::domain::routing::Woken;
use crate::domain::setup::Severity;
use crate::flows::ingest;
use crate::flows::route::{self, Tried, TriedSignal};
use crate::render::html::{Choice, RoutePage, Stamp, TriedRow};
use crate::render::line::Names;
use crate::web::Doors;
use crate::web::answer::WebError;
use crate::web::api::route::inbound;
use crate::web::caller::Caller;
use crate::web::form::Form;
use crate::web::look::Params;
use crate::web::roles::shown;

/// What stands in the page's form.
#[derive(Default)]
struct Written {
    headers: String,
    body: String,
    tried: Option<Tried>,
}

/// The form, with the sample in it that the address names.
pub(in crate::web) async fn ask(State(doors): State<Doors>, Extension(caller): Extension<Caller>, uri: Uri) -> Result<Response, WebError> {
    let params = Params::of(&uri);
    let asked = params.get("integration").map(IntegrationId::from);
    let mut written = Written::default();
    if let (Some(id), Some(sample)) = (&asked, params.get("sample")) {
        let samples = doors.house.store.reader().samples(&caller.viewer, id).await?;
        let found = samples.into_iter().find(|(kept, _)| kept.request.as_str() == sample);
        written.body = found.ok_or(WebError::NotFound("such sample any more"))?.0.body;
    }
    page(&doors, &caller, asked, written).await
}

/// What would become of the body, under the form that it came from.
pub(in crate::web) async fn show(
    State(doors): State<Doors>,
    Extension(caller): Extension<Caller>,
    Extension(form): Extension<Form>,
) -> Result<Response, WebError> {
    let live = doors.live();
    let integration =
        route::choose(&live, form.get("integration"), None).map_err(|why| WebError::BadRequest(format!("Which sender is it? {why}.")))?;
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    let headers = form.raw("headers").lines().filter_map(header).collect();
    let body = form.raw("body").to_owned();
    let inbound = inbound(&integration.source, headers, body.clone().into_bytes(), doors.now());
    let asked = integration.id.clone();
    let tried = route::route(&doors.house, &live, integration, &inbound).await?;
    page(&doors, &caller, Some(asked), Written { headers: form.raw("headers").to_owned(), body, tried: Some(tried) }).await
}

async fn page(doors: &Doors, caller: &Caller, asked: Option<IntegrationId>, written: Written) -> Result<Response, WebError> {
    let live = doors.live();
    let names = doors.names();
    let integrations: Vec<Choice> = live
        .setup
        .integrations
        .values()
        .map(|one| {
            let sender = ingest::sender(&one.source).map_or(one.source.as_str(), |(title, _)| title);
            Choice { id: one.id.to_string(), name: format!("{} ({})", one.id, if one.source == "generic" { "generic" } else { sender }) }
        })
        .collect();
    let chosen = match &asked {
        Some(id) => Some(integrations.iter().find(|one| one.id == id.as_str()).ok_or(WebError::NotFound("such integration"))?),
        None => integrations.first(),
    };
    let samples = match chosen {
        Some(one) => doors.house.store.reader().samples(&caller.viewer, &IntegrationId::from(one.id.as_str())).await?,
        None => Vec::new(),
    };
    let (more, unproven, tried) = match written.tried {
        Some(tried) => (tried.more, tried.unproven.join(", "), Some(tried.signals.into_iter().map(|signal| row(signal, &names)).collect())),
        None => (0, String::new(), None),
    };
    let page = RoutePage {
        frame: caller.frame_in("route"),
        chosen: chosen.cloned(),
        integrations,
        is_cut: written.body.ends_with('…'),
        headers: written.headers,
        body: written.body,
        samples: samples.into_iter().map(|(sample, _)| (sample.request.to_string(), Stamp(sample.at), sample.title)).collect(),
        rules: live.setup.routes.len(),
        tried,
        more,
        unproven,
    };
    Ok(shown(StatusCode::OK, &page))
}

fn row(tried: TriedSignal, names: &Names) -> TriedRow {
    let (says, detail) = route::action(&tried.sent.action);
    let detail = detail.cloned();
    let routed = tried.routed;
    TriedRow {
        title_as_sent: (routed.signal.title != tried.sent.title).then_some(tried.sent.title),
        title: routed.signal.title,
        dedup_key: tried.sent.dedup_key,
        says,
        detail,
        severity: routed.severity.name(),
        service: names.service(&routed.service).to_owned(),
        incident_severity: tried.severity.map(Severity::name),
        group: tried.group.map(|group| group.to_string()),
        fires: tried.fires,
        labels: routed.signal.labels.into_iter().collect(),
        rule: routed.taken.map(|taken| taken.rule.to_string()),
        rules: tried
            .asked
            .into_iter()
            .map(|(id, said)| {
                let takes = said.is_ok();
                (id.to_string(), takes, said.unwrap_or_else(|lacks| lacks))
            })
            .collect(),
        now: (tried.now.outcome.name(), tried.now.reason.sentence()),
        incident: tried.now.incident,
        policy: tried.policy.map(|policy| policy.to_string()),
        steps: tried.wakes.iter().map(|step| said(step, names)).collect(),
    }
}

/// `at once`, and `Ana Ruiz, Bo Lind; tells slack:C0`.
fn said(step: &Woken, names: &Names) -> (String, String) {
    let after = if step.after.0 == 0 { "at once".to_owned() } else { format!("after {}", step.after) };
    let users: Vec<&str> = step.users.iter().map(|user| names.user(user)).collect();
    let places: Vec<String> = step.places.iter().map(ToString::to_string).collect();
    let who = match (users.is_empty(), places.is_empty()) {
        (false, true) => users.join(", "),
        (false, false) => format!("{}; tells {}", users.join(", "), places.join(", ")),
        (true, false) => format!("tells {}", places.join(", ")),
        (true, true) => "nobody is on call, so that it is skipped".to_owned(),
    };
    (after, who)
}
