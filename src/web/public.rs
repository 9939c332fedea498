//! Doors open to everybody: whether the process lives and is ready, and the assets of the pages.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::answer::{WebError, plain, set, with_safe_headers};
use super::{Check, Doors, app, metrics};
use crate::base::secret::digest_hex;
use crate::domain::setup::ContactKind;

const APP_CSS: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist/app.css"));
const APP_JS: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/web/dist/app.js"));
const FAVICON: &str = concat!(
    r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="5" fill="#1d2129"/>"##,
    r##"<g fill="#fff"><path d="M12 4.5a5 5 0 0 0-5 5v3.3l-1.7 3.400h13.400l-1.700-3.400V9.500a5 5 0 0 0-5-5Z"/>"##,
    r##"<path d="M9.9 17.600a2.15 2.15 0 0 0 4.200 0Z"/></g></svg>"##
);

/// Addresses of the assets. The digest makes each build's address its own, so that browsers may keep them for ever.
pub(super) struct Assets {
    pub css: String,
    pub js: String,
}

pub(super) fn assets() -> &'static Assets {
    static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
        css: format!("/assets/app.css?v={}", version(APP_CSS)),
        js: format!("/assets/app.js?v={}", version(APP_JS)),
    });
    &ASSETS
}

fn version(bytes: &[u8]) -> String {
    digest_hex(bytes).chars().take(16).collect()
}

/// `/healthz`, `/readyz`, `/metrics`, `/assets/…`, `/robots.txt`, `/favicon.svg`.
pub fn router(doors: &Doors) -> Router {
    Router::new()
        .route("/healthz", get(|| async { plain(StatusCode::OK, "ok\n") }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::show))
        .route("/assets/{name}", get(asset))
        .route("/robots.txt", get(|| async { plain(StatusCode::OK, "User-agent: *\nDisallow: /\n") }))
        .route("/favicon.svg", get(favicon))
        .route("/reveille.vcf", get(card))
        .method_not_allowed_fallback(app::wrong_method)
        .layer(middleware::map_response(with_safe_headers))
        .with_state(doors.clone())
}

/// 200 as soon as signals can be taken in and pages can leave.
pub(super) async fn ready(State(doors): State<Doors>) -> Response {
    let mut checks = vec![database(&doors).await, intake(&doors)];
    checks.extend((doors.checks)());
    let ready = checks.iter().all(|check| check.well || !check.needed);
    let mut text = if ready { "ready\n".to_owned() } else { "not ready\n".to_owned() };
    for check in checks {
        let word = match (check.well, check.needed) {
            (true, _) => "ok  ",
            (false, true) => "FAIL",
            (false, false) => "warn",
        };
        // Writing to a String cannot fail.
        writeln!(text, "{word} {}: {}", check.name, check.detail).unwrap_or_default();
    }
    plain(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
}

async fn database(doors: &Doors) -> Check {
    let answer = doors.house.store.page_reader().ping().await;
    if let Err(error) = &answer {
        tracing::warn!(%error, "the database does not answer");
    }
    let detail = if answer.is_ok() { "answers" } else { "does not answer; see the log" };
    Check { name: "database", well: answer.is_ok(), needed: true, detail: detail.to_owned() }
}

fn intake(doors: &Doors) -> Check {
    let intake = &doors.house.intake;
    let well = !intake.is_closed() && intake.capacity() > 0;
    let waiting = intake.max_capacity() - intake.capacity();
    let detail = if intake.is_closed() { "stopped".to_owned() } else { format!("{waiting} of {} places taken", intake.max_capacity()) };
    Check { name: "intake", well, needed: true, detail }
}

async fn asset(Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let (bytes, kind) = match name.as_str() {
        "app.css" => (APP_CSS, "text/css; charset=utf-8"),
        "app.js" => (APP_JS, "text/javascript; charset=utf-8"),
        _ => return WebError::NotFound("such file").into_response(),
    };
    let mut response = Response::new(bytes.into());
    set(&mut response, header::CONTENT_TYPE, kind);
    // An address of another build, or without one, must be asked for again.
    let is_ours = query.is_some_and(|query| query == format!("v={}", version(bytes)));
    set(&mut response, header::CACHE_CONTROL, if is_ours { "public, max-age=31536000, immutable" } else { "no-cache" });
    response
}

/// The numbers that call and write, to be saved on a phone and let through "do not disturb".
async fn card(State(doors): State<Doors>) -> Response {
    let live = doors.live();
    let from = |kind| live.channels.find(kind).map(|channel| channel.from().to_owned());
    let card = crate::render::vcard::of(from(ContactKind::Voice).as_deref(), from(ContactKind::Sms).as_deref(), live.public_url.as_deref());
    let Some(card) = card else { return WebError::NotFound("number to save: no [twilio] is configured").into_response() };
    let mut response = Response::new(card.into());
    set(&mut response, header::CONTENT_TYPE, "text/vcard; charset=utf-8");
    set(&mut response, header::CONTENT_DISPOSITION, "attachment; filename=\"reveille.vcf\"");
    set(&mut response, header::CACHE_CONTROL, "no-cache");
    response
}

async fn favicon() -> Response {
    let mut response = Response::new(FAVICON.into());
    set(&mut response, header::CONTENT_TYPE, "image/svg+xml");
    set(&mut response, header::CACHE_CONTROL, "public, max-age=86400");
    response
}
