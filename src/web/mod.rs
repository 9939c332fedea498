//! Doors for HTTP: parse, call one flow, shape the answer. Three routers, so that senders, people and probes can stand on ports of
//! their own one day.

mod acknowledge;
mod alertmanager;
mod answer;
mod api;
pub mod app;
mod body;
mod caller;
mod enqueue;
mod form;
pub mod hooks;
mod inhibited;
mod look;
mod metrics;
mod noise;
mod opsgenie;
mod pages;
pub mod public;
mod repeat;
mod rest_endpoint;
mod roles;
mod sender;
mod sign_in;
mod slack;
pub mod stream;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware;

use crate::base::time::Time;
use crate::flows::{House, Live};
use crate::render::line::Names;

/// What every door is handed. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    /// Behind one pointer, because each request clones this several times, and the house is many.
    pub house: Arc<House>,
    /// New facts as they are committed; its [`stream::Tail::run`] must be running.
    pub tail: stream::Tail,
    /// What the roof knows about this process, for `/readyz`.
    pub checks: Checks,
}

/// Asked anew for each `/readyz`.
pub type Checks = Arc<dyn Fn() -> Vec<Check> + Send + Sync>;

/// One line of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub well: bool,
    /// Whether this process cannot take signals or page without it.
    pub needed: bool,
    pub detail: String,
}

/// Where a request came from, as the listener saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

pub use roles::Needs;

/// Every route of the pages and the API, and what it asks of its caller.
pub fn routes() -> impl Iterator<Item = (Method, &'static str, Needs)> {
    roles::ROUTES.iter().map(|route| (route.method.clone(), route.path, route.needs))
}

/// All three routers as one.
pub fn router(doors: &Doors) -> Router {
    let all = hooks::router(doors).merge(slack::router(doors)).merge(public::router(doors)).merge(app::router(doors));
    all.layer(middleware::from_fn_with_state(doors.clone(), metrics::count))
}

impl Doors {
    #[must_use]
    pub fn new(house: House, checks: Checks) -> Self {
        let tail = stream::Tail::new(house.clone());
        Self { house: Arc::new(house), tail, checks }
    }

    fn now(&self) -> Time {
        self.house.clock.now()
    }

    fn live(&self) -> Arc<Live> {
        self.house.now_live()
    }

    fn names(&self) -> Names {
        Names::of(&self.live().setup)
    }

    /// Where senders and browsers reach this process, without a slash at the end.
    fn public_url(&self) -> String {
        self.live().public_url.as_deref().unwrap_or("http://127.0.0.1:8080").trim_end_matches('/').to_owned()
    }

    /// Whether browsers come by https: cookies are then bound to it.
    fn is_https(&self) -> bool {
        self.live().public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}
