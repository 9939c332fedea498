//! Who may use which door: one table, and the router is built from it, so that a route that is not in it does not exist.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::answer::{self, Told, WebError};
use super::caller::{self, Caller};
use super::form::Form;
use super::repeat::{self, Asked, Clash};
use super::{Doors, acknowledge, api, body, pages, sign_in, stream};
use crate::base::limits;
use crate::base::secret::Secret;
use crate::base::viewer::Viewer;
use crate::render::html::ProblemPage;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nobody,
    /// Any person signed in, any token.
    Reader,
    /// A person from responder up, a token of scope respond or admin.
    Responder,
    /// An administrator, a token of scope admin.
    Admin,
}

/// How a route is spoken to and how it answers when something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A browser looks: problems are pages.
    Page,
    /// A browser sends a form: its token is checked before anything else.
    Form,
    /// A script, or our own page's script: problems are JSON.
    Api,
}

/// One row of the table.
pub(super) struct Route {
    pub method: Method,
    pub path: &'static str,
    pub needs: Needs,
    pub style: Style,
    open: fn() -> MethodRouter<Doors>,
}

const fn page(path: &'static str, needs: Needs, open: fn() -> MethodRouter<Doors>) -> Route {
    Route { method: Method::GET, path, needs, style: Style::Page, open }
}

const fn form(path: &'static str, needs: Needs, open: fn() -> MethodRouter<Doors>) -> Route {
    Route { method: Method::POST, path, needs, style: Style::Form, open }
}

const fn read(path: &'static str, open: fn() -> MethodRouter<Doors>) -> Route {
    Route { method: Method::GET, path, needs: Needs::Reader, style: Style::Api, open }
}

const fn open(path: &'static str, open: fn() -> MethodRouter<Doors>) -> Route {
    Route { method: Method::GET, path, needs: Needs::Nobody, style: Style::Api, open }
}

const fn change(method: Method, path: &'static str, open: fn() -> MethodRouter<Doors>) -> Route {
    Route { method, path, needs: Needs::Responder, style: Style::Api, open }
}

const fn command(path: &'static str, open: fn() -> MethodRouter<Doors>) -> Route {
    change(Method::POST, path, open)
}

const fn admin(method: Method, path: &'static str, open: fn() -> MethodRouter<Doors>) -> Route {
    Route { method, path, needs: Needs::Admin, style: Style::Api, open }
}

pub(super) static ROUTES: &[Route] = &[
    page("/", Needs::Reader, || get(pages::list::incidents)),
    page("/incidents.csv", Needs::Reader, || get(pages::list::csv)),
    page("/incidents/new", Needs::Responder, || get(pages::declare::ask)),
    form("/incidents/new", Needs::Responder, || post(pages::declare::declare)),
    page("/alerts", Needs::Reader, || get(pages::alerts::alerts)),
    form("/alerts/{id}/promote", Needs::Responder, || post(pages::alerts::promote)),
    page("/incidents/{number}", Needs::Reader, || get(pages::incident::incident)),
    form("/incidents/{number}/{act}", Needs::Responder, || post(pages::incident::act)),
    form("/incidents/{number}/tasks/{n}", Needs::Responder, || post(pages::incident::task)),
    page("/acknowledge/{link}", Needs::Nobody, || get(acknowledge::offer)),
    form("/acknowledge/{link}", Needs::Nobody, || post(acknowledge::act)),
    page("/sign-in", Needs::Nobody, || get(sign_in::explain)),
    page("/sign-in/{link}", Needs::Nobody, || get(sign_in::offer)),
    form("/sign-in", Needs::Nobody, || post(sign_in::with_password)),
    form("/sign-in/{link}", Needs::Nobody, || post(sign_in::enter)),
    form("/sign-out", Needs::Reader, || post(sign_in::leave)),
    page("/oncall", Needs::Reader, || get(pages::oncall::oncall)),
    form("/oncall/overrides", Needs::Responder, || post(pages::oncall::take)),
    form("/oncall/overrides/{id}/remove", Needs::Responder, || post(pages::oncall::give_back)),
    page("/noise", Needs::Reader, || get(pages::noise::noise)),
    page("/changes", Needs::Reader, || get(pages::changes::changes)),
    page("/heartbeats", Needs::Reader, || get(pages::heartbeats::heartbeats)),
    page("/silences", Needs::Reader, || get(pages::silences::silences)),
    form("/silences", Needs::Responder, || post(pages::silences::add)),
    form("/silences/{id}/end", Needs::Responder, || post(pages::silences::end)),
    page("/maintenance", Needs::Reader, || get(pages::maintenance::windows)),
    form("/maintenance", Needs::Responder, || post(pages::maintenance::add)),
    form("/maintenance/{id}/{act}", Needs::Responder, || post(pages::maintenance::act)),
    page("/integrations", Needs::Admin, || get(pages::integrations::integrations)),
    page("/integrations/{id}", Needs::Admin, || get(pages::integrations::integration)),
    page("/senders", Needs::Admin, || get(pages::integrations::senders)),
    form("/integrations/{id}/address", Needs::Admin, || post(pages::integrations::reveal)),
    form("/integrations/{id}/test", Needs::Admin, || post(pages::integrations::test)),
    page("/route", Needs::Admin, || get(pages::route::ask)),
    form("/route", Needs::Admin, || post(pages::route::show)),
    page("/people", Needs::Admin, || get(pages::people::people)),
    form("/people/{id}/invite", Needs::Admin, || post(pages::people::invite)),
    page("/me", Needs::Reader, || get(pages::me::me)),
    form("/me/profile", Needs::Reader, || post(pages::me::settle)),
    form("/me/test", Needs::Responder, || post(pages::me::test_page)),
    form("/me/password", Needs::Reader, || post(pages::me::set_password)),
    form("/me/sessions/end", Needs::Reader, || post(pages::me::end_session)),
    form("/me/contacts", Needs::Reader, || post(pages::me::add_contact)),
    form("/me/contacts/remove", Needs::Reader, || post(pages::me::remove_contact)),
    form("/me/rules", Needs::Reader, || post(pages::me::add_rule)),
    form("/me/rules/remove", Needs::Reader, || post(pages::me::remove_rule)),
    page("/api", Needs::Nobody, || get(pages::reference::show)),
    open("/api/v1/openapi.json", || get(api::document::serve)),
    read("/api/v1/incidents", || get(api::incidents)),
    read("/api/v1/incidents/{number}", || get(api::incident)),
    read("/api/v1/incidents/{number}/timeline", || get(api::timeline)),
    read("/api/v1/incidents/{number}/alerts", || get(api::incident_alerts)),
    read("/api/v1/incidents/{number}/pages", || get(api::incident_pages)),
    read("/api/v1/incidents/{number}/changes", || get(api::change::of_incident)),
    read("/api/v1/incidents/{number}/stream", || get(stream::of_incident)),
    command("/api/v1/incidents/{number}/acknowledge", || post(api::command::acknowledge)),
    command("/api/v1/incidents/{number}/escalate", || post(api::command::escalate)),
    command("/api/v1/incidents/{number}/resolve", || post(api::command::resolve)),
    command("/api/v1/incidents/{number}/reopen", || post(api::command::reopen)),
    command("/api/v1/incidents", || post(api::declare::incident)),
    command("/api/v1/incidents/{number}/reassign", || post(api::command::reassign)),
    command("/api/v1/incidents/{number}/snooze", || post(api::command::snooze)),
    command("/api/v1/incidents/{number}/merge", || post(api::merge::merge)),
    command("/api/v1/incidents/{number}/unmerge", || post(api::merge::unmerge)),
    command("/api/v1/incidents/{number}/split", || post(api::merge::split)),
    command("/api/v1/incidents/{number}/severity", || post(api::command::severity)),
    command("/api/v1/incidents/{number}/role", || post(api::command::role)),
    command("/api/v1/incidents/{number}/title", || post(api::command::title)),
    command("/api/v1/incidents/{number}/note", || post(api::command::note)),
    command("/api/v1/incidents/{number}/update", || post(api::command::update)),
    command("/api/v1/incidents/{number}/page", || post(api::command::page)),
    command("/api/v1/incidents/{number}/marks", || post(api::mark::add)),
    change(Method::DELETE, "/api/v1/incidents/{number}/marks/{mark}", || delete(api::mark::take_back)),
    read("/api/v1/incidents/{number}/tasks", || get(api::task::list)),
    command("/api/v1/incidents/{number}/tasks", || post(api::task::add)),
    change(Method::PATCH, "/api/v1/incidents/{number}/tasks/{task}", || patch(api::task::change)),
    change(Method::PATCH, "/api/v1/tasks/{task}", || patch(api::task::change_by_id)),
    read("/api/v1/alerts", || get(api::alerts)),
    read("/api/v1/noise", || get(api::noise::list)),
    read("/api/v1/changes", || get(api::change::list)),
    read("/api/v1/heartbeats", || get(api::heartbeat::list)),
    command("/api/v1/alerts/{alert}/promote", || post(api::declare::promote)),
    read("/api/v1/stream", || get(stream::of_all)),
    read("/api/v1/oncall", || get(api::oncall)),
    read("/api/v1/overrides", || get(api::stand_in::all)),
    read("/api/v1/schedules/{schedule}/overrides", || get(api::stand_in::list)),
    command("/api/v1/schedules/{schedule}/overrides", || post(api::stand_in::add)),
    change(Method::DELETE, "/api/v1/schedules/{schedule}/overrides/{override}", || delete(api::stand_in::remove)),
    read("/api/v1/silences", || get(api::silence::list)),
    command("/api/v1/silences", || post(api::silence::add)),
    read("/api/v1/silences/{silence}", || get(api::silence::one)),
    change(Method::DELETE, "/api/v1/silences/{silence}", || delete(api::silence::end)),
    read("/api/v1/maintenance", || get(api::maintenance::list)),
    command("/api/v1/maintenance", || post(api::maintenance::add)),
    read("/api/v1/maintenance/{window}", || get(api::maintenance::one)),
    change(Method::PUT, "/api/v1/maintenance/{window}", || put(api::maintenance::change)),
    change(Method::DELETE, "/api/v1/maintenance/{window}", || delete(api::maintenance::remove)),
    command("/api/v1/maintenance/{window}/end", || post(api::maintenance::end)),
    command("/api/v1/maintenance/{window}/restore", || post(api::maintenance::restore)),
    admin(Method::GET, "/api/v1/integrations", || get(api::integration::list)),
    admin(Method::GET, "/api/v1/integrations/{integration}", || get(api::integration::one)),
    admin(Method::GET, "/api/v1/integrations/{integration}/signals", || get(api::integration::signals)),
    admin(Method::POST, "/api/v1/integrations/{integration}/test", || post(api::integration::test)),
    Route { method: Method::POST, path: "/api/v1/route", needs: Needs::Reader, style: Style::Api, open: || post(api::route::route) },
    read("/api/v1/users", || get(api::person::list)),
    admin(Method::POST, "/api/v1/users/{user}/invite", || post(api::person::invite)),
    read("/api/v1/freeze", || get(api::freeze)),
    read("/api/v1/why/{subject}", || get(api::why)),
];

/// What the table says of one route.
pub(super) fn needs_of(method: &Method, path: &str) -> Option<Needs> {
    ROUTES.iter().find(|route| route.method == method && route.path == path).map(|route| route.needs)
}

/// All routes of the table, each behind the gate.
pub(super) fn router(doors: &Doors) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let gate = middleware::from_fn_with_state((doors.clone(), route), gate);
        router = router.route(route.path, (route.open)().route_layer(gate));
    }
    router.with_state(doors.clone())
}

/// Lets a caller through to a route, or says why not.
async fn gate(State((doors, route)): State<(Doors, &'static Route)>, request: Request, next: Next) -> Response {
    let caller = caller::identify(&doors, request.headers(), route.style == Style::Api).await;
    let asked_for = request.uri().path().to_owned();
    let seen_by = caller.as_ref().ok().cloned();
    let response = match pass(&doors, route, caller, request).await {
        Ok(request) => run(&doors, request, next).await,
        // Somebody who follows a link into a page is shown the way in, not an error.
        Err(WebError::NotSignedIn) if route.style == Style::Page => sign_in::first(&doors, &asked_for),
        Err(error) => error.into_response(),
    };
    match route.style {
        Style::Api => told_as_json(response),
        Style::Page | Style::Form => told_as_page(response, seen_by.as_ref()),
    }
}

/// Hands a request that was let through on to its handler; one that carries a key is carried out once.
async fn run(doors: &Doors, request: Request, next: Next) -> Response {
    let key = match repeat::key(request.headers()) {
        Ok(Some(key)) if changes_something(request.method()) => key,
        Ok(_) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let door = format!("{} {}", request.method(), request.uri().path());
    let caller = request.extensions().get::<Caller>().map(Caller::key).unwrap_or_default();
    let (mut parts, body) = request.into_parts();
    let bytes = match body::read(&doors.house.clock, body, limits::COMMAND_BYTES).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let body = Body::from(bytes.clone());
    let asked = Asked { caller: &caller, door: &door, key: &key, body: &bytes };
    repeat::guard(doors, asked, Clash::Refuse, move |once| async move {
        if let Some(once) = once {
            parts.extensions.insert(once);
        }
        next.run(Request::from_parts(parts, body)).await
    })
    .await
}

fn changes_something(method: &Method) -> bool {
    *method != Method::GET && *method != Method::HEAD
}

async fn pass(doors: &Doors, route: &Route, caller: Result<Caller, WebError>, request: Request) -> Result<Request, WebError> {
    let caller = caller?;
    check(route.needs, &caller.viewer)?;
    let (mut parts, mut body) = request.into_parts();
    if changes_something(&route.method) {
        let asked = match route.style {
            Style::Form => {
                let form = Form::of(&body::read(&doors.house.clock, body, limits::COMMAND_BYTES).await?);
                body = Body::empty();
                let csrf = form.get("csrf").map(str::to_owned);
                parts.extensions.insert(form);
                csrf
            }
            Style::Page | Style::Api => parts.headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).map(str::to_owned),
        };
        // A token is not sent by a browser on its own account, so that it needs no second one.
        let by_token = matches!(caller.viewer, Viewer::Token { .. });
        let expected = match &caller.session {
            Some(session) => Some(session.csrf.clone()),
            None => caller::cookie(&parts.headers, caller::form_cookie(doors)).map(Secret::new),
        };
        let paired = matches!((&expected, &asked), (Some(expected), Some(asked)) if expected.matches(asked));
        if !by_token && !paired {
            return Err(WebError::Forbidden(match route.style {
                Style::Form => "This form was not made for this browser, or is too old. Go back, reload the page and try again.".to_owned(),
                Style::Page | Style::Api => {
                    "A request with a session's cookie needs its X-CSRF-Token header; scripts send a bearer token instead.".to_owned()
                }
            }));
        }
    }
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, body))
}

fn check(needs: Needs, viewer: &Viewer) -> Result<(), WebError> {
    let allowed = match needs {
        Needs::Nobody => true,
        Needs::Reader => viewer.may_read(),
        Needs::Responder => viewer.may_respond(),
        Needs::Admin => viewer.may_administer(),
    };
    if allowed {
        return Ok(());
    }
    Err(match viewer {
        Viewer::Public => WebError::NotSignedIn,
        Viewer::User { .. } if needs == Needs::Admin => WebError::Forbidden("This is for administrators. Ask one of them.".to_owned()),
        Viewer::Token { .. } if needs == Needs::Admin => {
            WebError::Forbidden("This token may not administer. Make one with: reveille token create NAME --scope admin".to_owned())
        }
        Viewer::User { .. } => {
            WebError::Forbidden("Your role may look and not act. Ask an administrator for the role of responder.".to_owned())
        }
        Viewer::Token { .. } => {
            WebError::Forbidden("This token may only read. Make one with: reveille token create NAME --scope respond".to_owned())
        }
        Viewer::Integration(_) => WebError::Forbidden("An integration's key sends signals and does nothing else.".to_owned()),
    })
}

/// Every refusal of the API is a problem document, also those that the framework worded.
fn told_as_json(response: Response) -> Response {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if !refused || response.extensions().get::<Told>().is_some() {
        return response;
    }
    answer::problem(status, status.canonical_reason().unwrap_or("The request was refused."))
}

/// Every refusal in a browser is a page.
pub(super) fn told_as_page(response: Response, caller: Option<&Caller>) -> Response {
    let status = response.status();
    // A page of our own says what was wrong beside its form.
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if is_page || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let told = response.extensions().get::<Told>().cloned().unwrap_or_else(|| Told {
        title: "That did not work",
        detail: status.canonical_reason().unwrap_or("The request was refused.").to_owned(),
    });
    let stranger = Caller { viewer: Viewer::Public, session: None };
    let frame = caller.unwrap_or(&stranger).frame();
    let mut page = shown(status, &ProblemPage { frame, title: told.title.to_owned(), detail: told.detail });
    for name in [header::RETRY_AFTER, header::ALLOW, header::WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&name) {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}

/// A rendered page.
pub(super) fn shown(status: StatusCode, page: &impl askama::Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            answer::plain(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here, and it is written in the server's log.\n")
        }
    }
}
