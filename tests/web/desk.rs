//! A house without phones: a store in a folder of its own, the journal and the folder at work, and the routers called in process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use reveille::base::bell::Bells;
use reveille::base::clock::Clock;
use reveille::base::id::{ContactId, IntegrationId, PolicyId, ScheduleId, ServiceId, UserId};
use reveille::base::limits;
use reveille::base::metrics::Metrics;
use reveille::base::secret::Secret;
use reveille::base::time::Time;
use reveille::base::viewer::{Role, Scope};
use reveille::boot::wire;
use reveille::channels::Channels;
use reveille::domain::setup::{
    AlertSeverity, Budget, Contact, ContactKind, Date, Every, Handoff, Integration, Policy, Rotation, Schedule, Service, Setup, Step,
    Target, User,
};
use reveille::errands::sns::Sns;
use reveille::flows::fold::Floods;
use reveille::flows::handed::Handed;
use reveille::flows::refusal::Refusals;
use reveille::flows::retain::Retention;
use reveille::flows::shout::Shouts;
use reveille::flows::{House, Live, Pulse, access, fold, ingest};
use reveille::store::{Store, StoreOptions};
use reveille::vendor::http::{self, PrivateTargets};
use reveille::web::{self, Check, Doors};
use serde_json::Value;
use tokio::sync::watch;
use tower_service::Service as _;

use crate::document;

pub const GENERIC: &str = "/hooks/generic/generickey000000000000001";
pub const ROLLBAR: &str = "/hooks/rollbar/rollbarkey000000000000001";

pub struct Desk {
    pub house: House,
    pub router: Router,
    pub doors: Doors,
    _live: watch::Sender<Arc<Live>>,
    _files: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
    }

    /// The cookie that this answer sets, as `name=value`.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let values = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("plain text"));
        values.map(|value| value.split(';').next().unwrap_or("")).find(|pair| pair.starts_with(&format!("{name}="))).map(str::to_owned)
    }

    /// The token in the first form of a page.
    pub fn csrf(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form: {}", self.text));
        rest.split('"').next().expect("a value").to_owned()
    }
}

fn setup() -> Setup {
    let mut setup = Setup::default();
    for (id, name, role) in [
        ("ana", "Ana Ruiz", Role::Admin),
        ("bo", "Bo Lind", Role::Responder),
        ("mo", "Mo Cole", Role::Manager),
        ("oz", "Oz Look", Role::Observer),
    ] {
        let contacts =
            vec![Contact { id: ContactId::from("phone"), kind: ContactKind::Voice, to: "+33100000001".to_owned(), closed: None }];
        let user = User {
            id: UserId::from(id),
            name: name.to_owned(),
            email: None,
            timezone: "Europe/Paris".to_owned(),
            language: reveille::domain::setup::Language::En,
            slack: None,
            role,
            contacts,
            rules: Vec::new(),
        };
        setup.users.insert(user.id.clone(), user);
    }
    let rotation = Rotation {
        members: vec![UserId::from("ana"), UserId::from("bo")],
        every: Every::Days(1),
        handoff: Handoff { weekday: None, hour: 9, minute: 0 },
        start: Date { year: 2026, month: 1, day: 5 },
    };
    let schedule =
        Schedule { id: ScheduleId::from("platform"), timezone: "UTC".to_owned(), rotations: vec![rotation], overrides: Vec::new() };
    setup.schedules.insert(schedule.id.clone(), schedule);
    let step = Step { notify: vec![Target::User(UserId::from("ana"))], escalate_after: None };
    let policy = Policy { id: PolicyId::from("platform"), steps: vec![step], repeat: 0, storm: 10 };
    let mut service = Service::new(ServiceId::from("api"), policy.id.clone());
    "Public API".clone_into(&mut service.name);
    service.group_window = reveille::base::time::Span::ZERO;
    setup.policies.insert(policy.id.clone(), policy);
    setup.services.insert(service.id.clone(), service);
    for source in ["generic", "rollbar"] {
        let integration = Integration {
            id: IntegrationId::from_text(format!("api-{source}")),
            source: source.to_owned(),
            service: ServiceId::from("api"),
            severity: AlertSeverity::Error,
            heartbeat: None,
            topics: Vec::new(),
            map: None,
            budget: Budget::default(),
        };
        setup.integrations.insert(integration.id.clone(), integration);
    }
    setup
}

impl Desk {
    pub async fn open() -> Self {
        Self::open_at("http://127.0.0.1:8080").await
    }

    pub async fn open_with_metrics_token(token: &str) -> Self {
        Self::open_as("http://127.0.0.1:8080", Some(Secret::new(token))).await
    }

    pub async fn open_at(public_url: &str) -> Self {
        Self::open_as(public_url, None).await
    }

    async fn open_as(public_url: &str, metrics_token: Option<Secret>) -> Self {
        let files = tempfile::tempdir().expect("a folder");
        let store = Store::open_exclusive(&files.path().join("reveille.db").display().to_string(), StoreOptions::default())
            .await
            .expect("the store opens");
        store.migrate().await.expect("the tables are made");
        let keys = ["generic", "rollbar"]
            .map(|source| (Secret::new(format!("{source}key000000000000001")).digest(), IntegrationId::from_text(format!("api-{source}"))));
        wire::install_crypto();
        let strangers = http::for_strangers(&PrivateTargets::None).expect("a client");
        let live = Live {
            sns: Sns::new(strangers, None),
            chat: None,
            version: 1,
            setup: setup(),
            keys: BTreeMap::from(keys),
            addresses: ["generic", "rollbar"]
                .map(|source| (IntegrationId::from_text(format!("api-{source}")), Secret::new(format!("{source}key000000000000001"))))
                .into(),
            proofs: BTreeMap::new(),
            channels: Channels::default(),
            public_url: Some(public_url.to_owned()),
            calls_per_second: 1,
            texts_per_second: 1,
            concurrent_calls: None,
            metrics_token,
            heartbeat: None,
            webhooks: BTreeMap::new(),
            retention: Retention::default(),
            masks: reveille::base::mask::Mask::default(),
        };
        let (sender, live) = watch::channel(Arc::new(live));
        let (intake, queue) = ingest::queue();
        let clock = Clock::fake(Time::parse_rfc3339("2026-01-07T02:00:00Z").expect("a time"));
        let page_lane = Pulse::default();
        let metrics = Metrics::new(&store.calls());
        let house = House {
            metrics,
            store,
            clock,
            bells: Bells::default(),
            owner: "web".into(),
            live,
            intake,
            journaled: std::sync::Arc::default(),
            page_lane,
            handed: Handed::default(),
            shouts: Shouts::default(),
            refusals: Refusals::default(),
            floods: Floods::default(),
        };
        let keeper = house.clone();
        let mut queue = queue;
        tokio::spawn(async move { ingest::keep_journal(keeper, &mut queue).await });
        tokio::spawn(fold_always(house.clone()));
        let checks = || vec![Check { name: "configuration", well: false, needed: false, detail: "the file has a typo".to_owned() }];
        let doors = Doors::new(house.clone(), Arc::new(checks));
        tokio::spawn(doors.tail.clone().run());
        Self { router: web::router(&doors), house, doors, _live: sender, _files: files }
    }

    /// What the API answers must have the shape that its document says.
    /// The clock goes on.
    pub fn passes(&self, span: reveille::base::time::Span) {
        self.house.clock.advance_to(self.house.clock.now() + span);
    }

    pub async fn call(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = self.answer(request).await;
        if path.starts_with("/api/v1/") {
            let asked = Request::get("/api/v1/openapi.json").body(Body::empty()).expect("a request");
            let document = self.answer(asked).await.json();
            let complaints = document::complaints(&document, &method, &path, &answer);
            assert!(complaints.is_empty(), "{method} {path}: {complaints:#?}\n{answer:?}");
        }
        answer
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().call(request).await.expect("a router answers always").into_parts();
        let bytes = body.collect().await.expect("the answer ends").to_bytes();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).expect("text") }
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, "").await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.send(Method::POST, path, headers, body).await
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request.body(body.into()).expect("a request")).await
    }

    /// Fires one alert and waits for its incident.
    pub async fn fires(&self, title: &str) -> i64 {
        let body = serde_json::json!({ "dedup_key": title, "title": title, "severity": "error", "url": "javascript:alert(1)" });
        let answer = self.post(GENERIC, &[("prefer", "wait=10")], body.to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        answer.json()["results"][0]["incident"].as_i64().unwrap_or_else(|| panic!("no incident: {answer:?}"))
    }

    pub async fn token(&self, scope: Scope) -> String {
        let name = format!("{scope:?}").to_lowercase();
        let token = access::create_token(&self.house.store, &self.house.clock, &name, scope, None).await.expect("a token");
        format!("Bearer {}", token.expose())
    }

    pub async fn link(&self, user: &str) -> String {
        let link = access::create_link(&self.house.store, &self.house.clock, &UserId::from(user)).await.expect("a link");
        format!("/sign-in/{}", link.expose())
    }

    /// Signs in and gives the session's cookie and its token for forms.
    pub async fn sign_in(&self, user: &str) -> (String, String) {
        let link = self.link(user).await;
        let offer = self.get(&link, &[]).await;
        let form = offer.cookie("reveille-form").expect("the form's cookie");
        let entered = self.post(&link, &[("cookie", &form)], format!("csrf={}", offer.csrf())).await;
        assert_eq!(entered.status, StatusCode::SEE_OTHER, "{entered:?}");
        let cookie = entered.cookie("reveille").expect("the session's cookie");
        let csrf = self.get("/me", &[("cookie", &cookie)]).await.csrf();
        (cookie, csrf)
    }

    pub async fn incident(&self, number: i64) -> Value {
        let token = self.token_once().await;
        self.get(&format!("/api/v1/incidents/{number}"), &[("authorization", &token)]).await.json()
    }

    async fn token_once(&self) -> String {
        let name = Secret::random().expose().to_owned();
        let token = access::create_token(&self.house.store, &self.house.clock, &name, Scope::Read, None).await.expect("a token");
        format!("Bearer {}", token.expose())
    }
}

async fn fold_always(house: House) {
    loop {
        while fold::fold(&house, limits::FOLD_ROWS).await.expect("the journal folds") > 0 {}
        house.bells.journal.heard().await;
    }
}

/// Fails a test that would wait for ever.
pub async fn soon<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it does not take so long")
}
