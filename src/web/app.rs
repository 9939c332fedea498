//! The doors for people and scripts: the web pages and the API.

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use axum::response::{IntoResponse, Response};

use super::answer::{WebError, with_safe_headers};
use super::{Doors, roles};

/// The web pages and `/api/v1`. Whatever no other router takes is answered here too.
pub fn router(doors: &Doors) -> Router {
    roles::router(doors).fallback(not_found).method_not_allowed_fallback(wrong_method).layer(middleware::map_response(with_safe_headers))
}

/// Programs come here, and read a problem document; elsewhere people do, and read a page.
const FOR_PROGRAMS: [&str; 11] = [
    "/api/",
    "/hooks",
    "/heartbeats",
    "/callbacks",
    "/slack",
    "/v2/",
    "/generic/",
    "/integrations/generic/",
    "/healthz",
    "/readyz",
    "/metrics",
];

async fn not_found(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") {
        return WebError::NotFound("such path; /api/v1/openapi.json lists those there are").into_response();
    }
    if is_for_programs(path) {
        return WebError::NotFound("such path; compare it with the address that was given to you").into_response();
    }
    roles::told_as_page(WebError::NotFound("such page").into_response(), None)
}

pub(super) async fn wrong_method(request: Request) -> Response {
    let path = request.uri().path();
    let response = WebError::WrongMethod(path.to_owned()).into_response();
    if is_for_programs(path) { response } else { roles::told_as_page(response, None) }
}

fn is_for_programs(path: &str) -> bool {
    FOR_PROGRAMS.iter().any(|start| path.starts_with(start))
}
