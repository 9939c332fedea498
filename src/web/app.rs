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

async fn not_found(request: Request) -> Response {
    told(&request, WebError::NotFound("such page"))
}

async fn wrong_method(request: Request) -> Response {
    told(&request, WebError::WrongMethod(request.uri().path().to_owned()))
}

fn told(request: &Request, error: WebError) -> Response {
    let response = error.into_response();
    if request.uri().path().starts_with("/api/") { response } else { roles::told_as_page(response, None) }
}
