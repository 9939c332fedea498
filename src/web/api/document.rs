//! The API's own description, OpenAPI 3.1: the shapes come from the types that are really read and written, the rest from one table
//! beside the table of routes; a test holds the two together.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Server};

use super::bodies::{AlertBody, FreezeBody, IncidentBody, OverrideBody, PageBody, Problem, TaskBody, TurnBody, WhyBody};
use super::change::ChangeBody;
use super::command::{AddNote, Nothing, PagePeople, PostUpdate, Reassign, SetRole, SetSeverity, SetTitle, Snooze};
use super::declare::{DeclareBody, PromoteBody};
use super::heartbeat::HeartbeatBody;
use super::integration::{IntegrationBody, IntegrationInFull, SampleBody, TestedBody};
use super::maintenance::{AddMaintenance, ChangeMaintenance, MaintenanceBody};
use super::mark::MarkAlerts;
use super::merge::{Merge, Split};
use super::noise::MonitorBody;
use super::person::{InvitedBody, UserBody};
use super::route::{TriedBody, TryBody};
use super::silence::{AddSilence, SilenceBody};
use super::stand_in::AddOverride;
use super::task::{AddTask, ChangeTask};
use super::words;
use crate::base::limits;
use crate::domain::order::Order;
use crate::web::look::EntryBody;
use crate::web::roles::{self, Needs};

/// What one operation takes and gives.
struct Operation {
    method: Method,
    path: &'static str,
    about: &'static str,
    query: &'static [Query],
    takes: Option<Shape>,
    gives: Gives,
}

/// A named type of the components.
#[derive(Clone, Copy)]
struct Shape {
    name: fn() -> String,
    collect: fn(&mut BTreeMap<String, RefOr<Schema>>),
}

enum Gives {
    One(Shape),
    /// 201, with its address in `Location`.
    Made(Shape),
    List(Shape),
    /// Server-Sent Events, each an entry of a timeline.
    Stream,
    /// This document.
    Document,
    /// 204.
    Nothing,
}

#[derive(Clone, Copy)]
enum Query {
    Limit,
    Cursor,
    Sort,
    IncidentState,
    AlertState,
    SilenceState,
    Kind,
    Service,
    At,
    Scope,
}

fn shape<T: ToSchema>() -> Shape {
    Shape {
        name: || T::name().into_owned(),
        collect: |all| {
            let mut nested = Vec::new();
            T::schemas(&mut nested);
            all.extend(nested);
            all.insert(T::name().into_owned(), T::schema());
        },
    }
}

fn read(path: &'static str, about: &'static str, query: &'static [Query], gives: Gives) -> Operation {
    Operation { method: Method::GET, path, about, query, takes: None, gives }
}

fn command<T: ToSchema>(path: &'static str, about: &'static str) -> Operation {
    let gives = Gives::One(shape::<IncidentBody>());
    Operation { method: Method::POST, path, about, query: &[], takes: Some(shape::<T>()), gives }
}

fn operations() -> Vec<Operation> {
    use Query::{AlertState, At, Cursor, IncidentState, Kind, Limit, Scope, Service, SilenceState, Sort};
    let incident = || shape::<IncidentBody>();
    let stand_in = || shape::<OverrideBody>();
    let task = |method, path, about, takes, gives| Operation { method, path, about, query: &[], takes: Some(takes), gives };
    vec![
        read("/api/v1/openapi.json", "This document", &[], Gives::Document),
        read(
            "/api/v1/incidents",
            "List incidents, newest first unless said",
            &[IncidentState, Kind, Service, Sort, Limit, Cursor],
            Gives::List(incident()),
        ),
        Operation {
            method: Method::POST,
            path: "/api/v1/incidents",
            about: "Declare an incident: its service's policy is paged, and a room opens",
            query: &[],
            takes: Some(shape::<DeclareBody>()),
            gives: Gives::Made(incident()),
        },
        read("/api/v1/incidents/{number}", "One incident", &[], Gives::One(incident())),
        read("/api/v1/incidents/{number}/timeline", "What happened, oldest first", &[Limit, Cursor], Gives::List(shape::<EntryBody>())),
        read(
            "/api/v1/incidents/{number}/alerts",
            "Its alerts, newest first unless said",
            &[Sort, Limit, Cursor],
            Gives::List(shape::<AlertBody>()),
        ),
        read(
            "/api/v1/incidents/{number}/pages",
            "Who was paged for it, and each attempt",
            &[Limit, Cursor],
            Gives::List(shape::<PageBody>()),
        ),
        read(
            "/api/v1/incidents/{number}/changes",
            "What was changed in the day before it, its own service's changes first, then the nearest",
            &[Limit, Cursor],
            Gives::List(shape::<ChangeBody>()),
        ),
        read("/api/v1/incidents/{number}/stream", "Its timeline as it grows", &[], Gives::Stream),
        command::<Nothing>("/api/v1/incidents/{number}/acknowledge", "Acknowledge: somebody has it, and paging stops"),
        command::<Nothing>("/api/v1/incidents/{number}/escalate", "Go on to the policy's next step now"),
        command::<Nothing>("/api/v1/incidents/{number}/resolve", "Resolve: it is over, and so are its alerts"),
        command::<Nothing>("/api/v1/incidents/{number}/reopen", "Reopen: paging starts again"),
        command::<Reassign>(
            "/api/v1/incidents/{number}/reassign",
            "Give it to somebody: they are paged now, then the policy after five minutes",
        ),
        command::<Snooze>("/api/v1/incidents/{number}/snooze", "Acknowledge it until a time, and page again after it"),
        command::<Merge>("/api/v1/incidents/{number}/merge", "Say that it is part of another: its alerts and its pages go there"),
        command::<Nothing>("/api/v1/incidents/{number}/unmerge", "Take a merge back, within a day of it"),
        Operation {
            method: Method::POST,
            path: "/api/v1/incidents/{number}/split",
            about: "Give some of its open alerts an incident of their own",
            query: &[],
            takes: Some(shape::<Split>()),
            gives: Gives::Made(incident()),
        },
        command::<SetSeverity>("/api/v1/incidents/{number}/severity", "Set its severity by hand"),
        command::<SetRole>("/api/v1/incidents/{number}/role", "Give a role to somebody, or take it back"),
        command::<SetTitle>("/api/v1/incidents/{number}/title", "Say better what it is"),
        command::<AddNote>("/api/v1/incidents/{number}/note", "Add a note to its timeline"),
        command::<PostUpdate>("/api/v1/incidents/{number}/update", "Tell those who wait outside how it stands"),
        command::<PagePeople>("/api/v1/incidents/{number}/page", "Page somebody beside the policy"),
        command::<MarkAlerts>("/api/v1/incidents/{number}/marks", "Mark some of its alerts as noise, which folds away, or as relevant"),
        Operation {
            method: Method::DELETE,
            path: "/api/v1/incidents/{number}/marks/{mark}",
            about: "Take a mark back",
            query: &[],
            takes: None,
            gives: Gives::Nothing,
        },
        read("/api/v1/incidents/{number}/tasks", "Its board: who does what", &[Limit, Cursor], Gives::List(shape::<TaskBody>())),
        task(
            Method::POST,
            "/api/v1/incidents/{number}/tasks",
            "Put a task on its board",
            shape::<AddTask>(),
            Gives::Made(shape::<TaskBody>()),
        ),
        task(
            Method::PATCH,
            "/api/v1/incidents/{number}/tasks/{task}",
            "Change a task, by its id or its number in the incident",
            shape::<ChangeTask>(),
            Gives::One(shape::<TaskBody>()),
        ),
        task(Method::PATCH, "/api/v1/tasks/{task}", "Change a task, by its id", shape::<ChangeTask>(), Gives::One(shape::<TaskBody>())),
        read(
            "/api/v1/alerts",
            "List alerts, newest first unless said",
            &[AlertState, Service, Sort, Limit, Cursor],
            Gives::List(shape::<AlertBody>()),
        ),
        read("/api/v1/noise", "Monitors by how much they call people for nothing", &[Limit, Cursor], Gives::List(shape::<MonitorBody>())),
        read(
            "/api/v1/changes",
            "List changes: deploys and flags, the last first",
            &[Service, Limit, Cursor],
            Gives::List(shape::<ChangeBody>()),
        ),
        Operation {
            method: Method::POST,
            path: "/api/v1/alerts/{alert}/promote",
            about: "Make an incident of a recorded alert",
            query: &[],
            takes: Some(shape::<PromoteBody>()),
            gives: Gives::Made(incident()),
        },
        read("/api/v1/stream", "Everything that happens, as it happens", &[], Gives::Stream),
        read("/api/v1/oncall", "Who is on call: one item per schedule", &[At, Limit, Cursor], Gives::List(shape::<TurnBody>())),
        read(
            "/api/v1/overrides",
            "Who takes which schedule for a while, of all that have not ended",
            &[Limit, Cursor],
            Gives::List(stand_in()),
        ),
        read("/api/v1/schedules/{schedule}/overrides", "The same, of one schedule", &[Limit, Cursor], Gives::List(stand_in())),
        task(
            Method::POST,
            "/api/v1/schedules/{schedule}/overrides",
            "Let somebody take a schedule for a while",
            shape::<AddOverride>(),
            Gives::Made(stand_in()),
        ),
        Operation {
            method: Method::DELETE,
            path: "/api/v1/schedules/{schedule}/overrides/{override}",
            about: "Remove an override: the rotation counts again",
            query: &[],
            takes: None,
            gives: Gives::Nothing,
        },
        read("/api/v1/silences", "Silences, the last to end first", &[SilenceState, Limit, Cursor], Gives::List(shape::<SilenceBody>())),
        task(
            Method::POST,
            "/api/v1/silences",
            "Silence what matches for a while: it pages nobody, and what still fires at the end pages",
            shape::<AddSilence>(),
            Gives::Made(shape::<SilenceBody>()),
        ),
        read("/api/v1/silences/{silence}", "One silence", &[], Gives::One(shape::<SilenceBody>())),
        Operation {
            method: Method::DELETE,
            path: "/api/v1/silences/{silence}",
            about: "End a silence now: what it covered and still fires pages",
            query: &[],
            takes: None,
            gives: Gives::Nothing,
        },
        read(
            "/api/v1/maintenance",
            "Maintenance windows, the file's and those that people made",
            &[Limit, Cursor],
            Gives::List(shape::<MaintenanceBody>()),
        ),
        task(
            Method::POST,
            "/api/v1/maintenance",
            "Plan maintenance: what matches pages nobody during its turns, and what still fires after one pages",
            shape::<AddMaintenance>(),
            Gives::Made(shape::<MaintenanceBody>()),
        ),
        read("/api/v1/maintenance/{window}", "One maintenance window", &[], Gives::One(shape::<MaintenanceBody>())),
        task(
            Method::PUT,
            "/api/v1/maintenance/{window}",
            "Have a maintenance window otherwise from now on",
            shape::<ChangeMaintenance>(),
            Gives::One(shape::<MaintenanceBody>()),
        ),
        Operation {
            method: Method::DELETE,
            path: "/api/v1/maintenance/{window}",
            about: "Remove a maintenance window: what its turn covered and still fires pages",
            query: &[],
            takes: None,
            gives: Gives::Nothing,
        },
        task(
            Method::POST,
            "/api/v1/maintenance/{window}/end",
            "End the turn of maintenance that is under way, and no other",
            shape::<Nothing>(),
            Gives::One(shape::<MaintenanceBody>()),
        ),
        task(
            Method::POST,
            "/api/v1/maintenance/{window}/restore",
            "Bring a removed maintenance window back, or have a turn that was ended early go on",
            shape::<Nothing>(),
            Gives::One(shape::<MaintenanceBody>()),
        ),
        read(
            "/api/v1/heartbeats",
            "The heartbeats: when each was heard last, and when it is due",
            &[Limit, Cursor],
            Gives::List(shape::<HeartbeatBody>()),
        ),
        read(
            "/api/v1/integrations",
            "The integrations, and what came of their signals",
            &[Limit, Cursor],
            Gives::List(shape::<IntegrationBody>()),
        ),
        read(
            "/api/v1/integrations/{integration}",
            "One integration, and what to paste where at its sender",
            &[],
            Gives::One(shape::<IntegrationInFull>()),
        ),
        read(
            "/api/v1/integrations/{integration}/signals",
            "The last messages of an integration, and what was made of them",
            &[Limit, Cursor],
            Gives::List(shape::<SampleBody>()),
        ),
        task(
            Method::POST,
            "/api/v1/integrations/{integration}/test",
            "Send a test signal the way that every signal takes; it wakes nobody",
            shape::<Nothing>(),
            Gives::One(shape::<TestedBody>()),
        ),
        task(
            Method::POST,
            "/api/v1/route",
            "Try a body: what its source would read in it, which rule would take it, and whom it would wake. Nothing is stored",
            shape::<TryBody>(),
            Gives::One(shape::<TriedBody>()),
        ),
        read("/api/v1/users", "The people", &[Limit, Cursor], Gives::List(shape::<UserBody>())),
        task(
            Method::POST,
            "/api/v1/users/{user}/invite",
            "Mail somebody a link that signs in once",
            shape::<Nothing>(),
            Gives::One(shape::<InvitedBody>()),
        ),
        read("/api/v1/freeze", "Whether changes are to wait", &[Scope], Gives::One(shape::<FreezeBody>())),
        read("/api/v1/why/{subject}", "Why somebody was paged, or was not", &[], Gives::One(shape::<WhyBody>())),
    ]
}

/// Serves the document. It says nothing of this installation, so that it is open to everybody.
pub(in super::super) async fn serve() -> Response {
    static DOCUMENT: LazyLock<Result<String, serde_json::Error>> = LazyLock::new(|| document().to_pretty_json());
    match &*DOCUMENT {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response(),
        Err(error) => {
            tracing::error!(%error, "the API's document cannot be written");
            super::super::answer::WebError::Inside.into_response()
        }
    }
}

/// The whole document.
#[must_use]
pub(in super::super) fn document() -> OpenApi {
    let mut shapes = BTreeMap::new();
    (shape::<Problem>().collect)(&mut shapes);
    let mut items: BTreeMap<&'static str, PathItem> = BTreeMap::new();
    for operation in operations() {
        for shape in operation.takes.iter().chain(operation.gives.shape()) {
            (shape.collect)(&mut shapes);
        }
        let item = PathItem::new(http_method(&operation.method), described(&operation));
        match items.get_mut(operation.path) {
            Some(there) => there.merge_operations(item),
            None => {
                items.insert(operation.path, item);
            }
        }
    }
    let paths = items.into_iter().fold(PathsBuilder::new(), |paths, (path, item)| paths.path(path, item));
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
        "A token of `reveille token create NAME --scope read|respond|admin`. GET takes any scope, the rest respond or admin.",
    ));
    let session = ApiKeyValue::with_description("reveille", "A browser's session; what changes something needs its X-CSRF-Token too.");
    let components = shapes
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| components.schema(name, schema))
        .security_scheme("token", SecurityScheme::Http(bearer.build()))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
    let info = InfoBuilder::new().title("Reveille").version(env!("CARGO_PKG_VERSION")).description(Some(
        "Times are RFC 3339 in UTC. A list ends with `next` null. `Idempotency-Key` on a request that changes something has it done once, \
         however often it is sent within 24 hours: a later one is answered as the first, with `Idempotent-Replayed: true`.",
    ));
    OpenApiBuilder::new().info(info.build()).servers(Some([Server::new("/")])).paths(paths).components(Some(components.build())).build()
}

impl Gives {
    fn shape(&self) -> Option<&Shape> {
        match self {
            Self::One(shape) | Self::Made(shape) | Self::List(shape) => Some(shape),
            Self::Stream | Self::Document | Self::Nothing => None,
        }
    }
}

fn described(operation: &Operation) -> OperationBuilder {
    let needs = roles::needs_of(&operation.method, operation.path);
    let mut built =
        OperationBuilder::new().summary(Some(operation.about)).operation_id(Some(operation_id(operation))).tag(tag(operation.path));
    for name in operation.path.split(['{', '}']).skip(1).step_by(2) {
        built = built.parameter(place(name));
    }
    for query in operation.query {
        built = built.parameter(query.parameter());
    }
    if let Some(shape) = &operation.takes {
        let content = ContentBuilder::new().schema(Some(reference(shape))).build();
        // Where every field may be left out, so may the body.
        built = built
            .parameter(header_parameter("Idempotency-Key", "Has this request done once, however often it is sent within 24 hours."))
            .request_body(Some(RequestBodyBuilder::new().content("application/json", content).build()));
    }
    built = match &operation.gives {
        Gives::One(shape) => built.response("200", json("As it is now", reference(shape).into())),
        Gives::Made(shape) => built.response("201", json("What was made; its address is in Location", reference(shape).into())),
        Gives::List(shape) => built.response("200", json("A part of the list", list_of(shape))),
        Gives::Document => built.response("200", json("OpenAPI 3.1", ObjectBuilder::new().into())),
        Gives::Nothing => built.response("204", ResponseBuilder::new().description("It is done")),
        Gives::Stream => {
            let text = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
            let stream = ResponseBuilder::new()
                .description("Server-Sent Events: `id` is an entry's seq, `data` the entry. `alive` says that the stream lives, `reset` to start over.")
                .content("text/event-stream", text);
            built.parameter(header_parameter("Last-Event-ID", "Goes on after this seq.")).response("200", stream)
        }
    };
    let mut refusals = Vec::new();
    if needs != Some(Needs::Nobody) {
        refusals.push(("401", "Not signed in, or an unknown token"));
        built = built
            .security(SecurityRequirement::new("token", Vec::<String>::new()))
            .security(SecurityRequirement::new("session", Vec::<String>::new()));
    }
    if needs == Some(Needs::Responder) {
        refusals.push(("403", "A token or a role that may only read"));
    }
    if operation.takes.is_some()
        || !operation.query.is_empty()
        || !matches!(operation.gives, Gives::One(_) | Gives::List(_) | Gives::Document)
    {
        refusals.push(("400", "What was asked cannot be understood; `detail` says what to mend"));
    }
    if operation.path.contains('{') {
        refusals.push(("404", "There is no such thing"));
    }
    if operation.method != Method::GET {
        refusals.push(("409", "It does not fit the present state, or the same request is being carried out"));
        refusals.push(("413", "The body is too large"));
        refusals.push(("422", "The Idempotency-Key came with another body before"));
    }
    if needs != Some(Needs::Nobody) {
        refusals.push(("503", "Busy; come again after `Retry-After` seconds"));
    }
    refusals.into_iter().fold(built, |built, (status, about)| {
        let content = ContentBuilder::new().schema(Some(reference(&shape::<Problem>()))).build();
        built.response(status, ResponseBuilder::new().description(about).content("application/problem+json", content))
    })
}

fn reference(shape: &Shape) -> Ref {
    Ref::from_schema_name((shape.name)())
}

fn json(about: &str, schema: RefOr<Schema>) -> ResponseBuilder {
    ResponseBuilder::new().description(about).content("application/json", ContentBuilder::new().schema(Some(schema)).build())
}

fn list_of(shape: &Shape) -> RefOr<Schema> {
    let next = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .description(Some("Ask again with `?cursor=` and this; null at the end."));
    let items = ArrayBuilder::new().items(reference(shape));
    ObjectBuilder::new().property("items", items).property("next", next).required("items").required("next").into()
}

fn place(name: &str) -> Parameter {
    let (kind, about) = match name {
        "number" => (Type::Integer, "The incident's number"),
        "task" => (Type::String, "The task's id; within an incident its number as well"),
        "alert" => (Type::String, "The alert's id"),
        "subject" => (Type::String, "An incident's number, or the id of a page"),
        "schedule" => (Type::String, "The schedule's id"),
        "override" => (Type::String, "The override's id"),
        "mark" => (Type::Integer, "The mark's number in the incident"),
        "window" => (Type::String, "The maintenance window's name"),
        _ => (Type::String, "Its id"),
    };
    let schema = ObjectBuilder::new().schema_type(kind);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

fn header_parameter(name: &str, about: &str) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

impl Query {
    fn parameter(self) -> Parameter {
        let text = || ObjectBuilder::new().schema_type(Type::String).build();
        let (name, about, schema) = match self {
            Self::Limit => {
                let most = limits::LIST_MOST;
                let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(most));
                ("limit", "How many at most; 100 unless said", number.build())
            }
            Self::Cursor => ("cursor", "An earlier answer's `next`", text()),
            Self::Sort => {
                let about = "newest unless said; severity: the worst first; rare: what there was least of lately first, the first of its kind \
                             before all. A cursor goes on in the order that it came from";
                ("sort", about, ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Order::ALL.map(Order::name))).build())
            }
            Self::IncidentState => ("state", "Only these; several with commas between", words::incident_state()),
            Self::AlertState => ("state", "Only these", words::alert_state()),
            Self::SilenceState => ("state", "Only these; several with commas between", words::silence_state()),
            Self::Kind => ("kind", "real unless said; several with commas between", words::kind()),
            Self::Service => ("service", "Only those of this service", text()),
            Self::At => ("at", "At this moment; now unless said", words::time()),
            Self::Scope => ("scope", "What is about to be changed", text()),
        };
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(about))
            .schema(Some(schema))
            .build()
    }
}

/// `post_incidents_number_note`: the same for ever, and each its own.
fn operation_id(operation: &Operation) -> String {
    let path = operation.path.trim_start_matches("/api/v1/").replace(['{', '}'], "").replace(['/', '.'], "_");
    format!("{}_{path}", operation.method.as_str().to_ascii_lowercase())
}

fn tag(path: &str) -> &str {
    path.trim_start_matches("/api/v1/").split('/').next().unwrap_or("")
}

fn http_method(method: &Method) -> HttpMethod {
    match method.as_str() {
        "POST" => HttpMethod::Post,
        "PATCH" => HttpMethod::Patch,
        "PUT" => HttpMethod::Put,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}
