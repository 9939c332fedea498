//! Alertmanager's doors: Prometheus, amtool and Grafana find here what they would find there, in its own words
//! (`api/v2/openapi.yaml`). What is refused is a text in JSON.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{self, WebError};
use super::{Doors, body, hooks, public};
use crate::base::coding;
use crate::base::id::SilenceId;
use crate::base::limits;
use crate::base::time::Time;
use crate::base::viewer::Viewer;
use crate::domain::matcher::{Matcher, Operator, Wrong};
use crate::domain::silence::{Silence, SilenceState};
use crate::flows::alertmanager::{self, Asker, Shown};
use crate::flows::ingest::{self, IngestError};
use crate::flows::silence::{self, Wanted};
use crate::store::read::SilenceRow;

/// The version of Alertmanager whose API this is; amtool compares it with its own.
const VERSION: &str = "0.27.0";

#[derive(Clone)]
struct Desk {
    doors: Doors,
    started_at: Time,
}

pub(super) fn routes(doors: &Doors) -> Router<Doors> {
    let desk = Desk { doors: doors.clone(), started_at: doors.now() };
    Router::new()
        .route("/api/v2/status", get(status))
        .route("/api/v2/receivers", get(receivers))
        .route("/api/v2/alerts", get(alerts).post(post_alerts))
        .route("/api/v2/alerts/groups", get(groups))
        .route("/api/v2/silences", get(silences).post(post_silence))
        .route("/api/v2/silence/{id}", get(silence_of).delete(end_silence))
        .with_state(desk)
        // As its clients ask whether it lives.
        .route("/-/healthy", get(|| async { answer::plain(StatusCode::OK, "OK\n") }))
        .route("/-/ready", get(public::ready))
}

/// A refusal: a text in JSON, as the description has it.
struct Refused(StatusCode, String);

type Answer = Result<Response, Refused>;

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.0, Json(Value::String(self.1))).into_response();
        if self.0 == StatusCode::UNAUTHORIZED {
            answer::set(&mut response, header::WWW_AUTHENTICATE, "Basic realm=\"Reveille\", Bearer");
        }
        if self.0 == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            answer::set(&mut response, header::ACCEPT_ENCODING, coding::TAKEN);
        }
        if self.0 == StatusCode::SERVICE_UNAVAILABLE {
            answer::set(&mut response, header::RETRY_AFTER, answer::RETRY_AFTER);
        }
        response
    }
}

impl<E: Into<WebError>> From<E> for Refused {
    fn from(error: E) -> Self {
        let error: WebError = error.into();
        Self(error.status(), error.to_string())
    }
}

fn bad(why: impl Into<String>) -> Refused {
    Refused(StatusCode::BAD_REQUEST, why.into())
}

fn no_matcher(why: &Wrong) -> Refused {
    bad(format!("This is no matcher, which looks like alertname=\"DiskFull\" or instance=~\"db.*\": {why}."))
}

/// Who asks: the key, or a token, as bearer token or as the password of basic authentication.
async fn asker(doors: &Doors, headers: &HeaderMap) -> Result<Asker, Refused> {
    let unknown = || {
        let how = "Send the key of an integration of the source alertmanager_api, or a token, as bearer token or as the password of basic \
                   authentication.";
        Refused(StatusCode::UNAUTHORIZED, how.to_owned())
    };
    let secret = headers.get(header::AUTHORIZATION).and_then(|value| secret(value.to_str().ok()?)).ok_or_else(unknown)?;
    alertmanager::asker(&doors.house, &secret).await?.ok_or_else(unknown)
}

fn secret(authorization: &str) -> Option<String> {
    let (scheme, given) = authorization.split_once(' ')?;
    let given = given.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(given.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

/// As [`asker`], where it may read.
async fn reader(doors: &Doors, headers: &HeaderMap) -> Result<Asker, Refused> {
    let asker = asker(doors, headers).await?;
    if asker.viewer.may_read() || asker.door.is_some() {
        return Ok(asker);
    }
    Err(Refused(StatusCode::FORBIDDEN, "This token may not read.".to_owned()))
}

/// As [`asker`], where it may make and end silences.
async fn silencer(doors: &Doors, headers: &HeaderMap) -> Result<Asker, Refused> {
    let asker = asker(doors, headers).await?;
    if asker.may_silence() {
        return Ok(asker);
    }
    let how = "This token may only read. Make one with: reveille token create NAME --scope respond";
    Err(Refused(StatusCode::FORBIDDEN, how.to_owned()))
}

// Alerts.

async fn post_alerts(State(desk): State<Desk>, request: Request) -> Answer {
    let doors = &desk.doors;
    let (parts, body) = request.into_parts();
    let asker = asker(doors, &parts.headers).await;
    let cap = asker.as_ref().ok().and_then(|asker| asker.door.as_ref()).map_or(limits::COMMAND_BYTES, alertmanager::body_cap);
    let received = body::receive(&doors.house, &parts.headers, body, cap).await;
    let Some(door) = asker?.door else {
        let why = "A token reads alerts and silences; to send alerts, use the key of an integration of the source alertmanager_api.";
        return Err(Refused(StatusCode::FORBIDDEN, why.to_owned()));
    };
    let cannot_store = |_: IngestError| Refused::from(WebError::Busy("Nothing can be stored just now; try again in a few seconds."));
    let received = match received {
        Ok(received) => received,
        Err(lost) => {
            let inbound = hooks::unread(doors, &parts, &lost);
            // The sender may never send it again: what was too large, or cannot be decoded, is told as an alert.
            if let Some(why) = lost.undecoded() {
                ingest::undecodable(&doors.house, &door, &inbound, why, None).await.map_err(cannot_store)?;
            } else if matches!(lost.error, WebError::TooLarge(_)) {
                ingest::oversized(&doors.house, &door, &inbound).await.map_err(cannot_store)?;
            }
            return Err(lost.error.into());
        }
    };
    let inbound = hooks::inbound(doors, &parts, received);
    match alertmanager::post(&doors.house, &door, &inbound).await.map_err(cannot_store)? {
        None => Ok(StatusCode::OK.into_response()),
        Some(wrong) => Err(bad(format!("The body cannot be read: {wrong}."))),
    }
}

async fn alerts(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Answer {
    let asker = reader(&desk.doors, &headers).await?;
    let filter = Filter::of(&uri)?;
    let mut found = alertmanager::alerts(&desk.doors.house, &asker.viewer).await?;
    found.retain(|alert| filter.takes(alert));
    Ok(Json(found.iter().map(AlertBody::of).collect::<Vec<_>>()).into_response())
}

/// Alerts of one incident are one group, and those without one are another, for each service.
async fn groups(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Answer {
    let asker = reader(&desk.doors, &headers).await?;
    let filter = Filter::of(&uri)?;
    let mut groups: BTreeMap<(String, Option<i64>), Vec<Shown>> = BTreeMap::new();
    for alert in alertmanager::alerts(&desk.doors.house, &asker.viewer).await? {
        groups.entry((alert.receiver.clone(), alert.incident.map(|number| number.0))).or_default().push(alert);
    }
    let mut bodies = Vec::new();
    for ((receiver, incident), mut alerts) in groups {
        if !filter.muted && alerts.iter().all(|alert| alert.is_silenced) {
            continue;
        }
        alerts.retain(|alert| filter.takes(alert));
        if !alerts.is_empty() {
            let labels: BTreeMap<&str, String> = incident.map(|number| ("incident", format!("#{number}"))).into_iter().collect();
            let alerts: Vec<AlertBody> = alerts.iter().map(AlertBody::of).collect();
            bodies.push(json!({ "labels": labels, "routeLabels": {}, "receiver": { "name": receiver }, "alerts": alerts }));
        }
    }
    Ok(Json(bodies).into_response())
}

/// What a query asks for. Nothing is unprocessed here, so that parameter is read and changes nothing.
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of theirs")]
struct Filter {
    matchers: Vec<Matcher>,
    receiver: Option<Matcher>,
    /// On the labels of receivers, of which ours have none.
    receiver_matchers: Vec<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
    muted: bool,
}

impl Filter {
    fn of(uri: &Uri) -> Result<Self, Refused> {
        let query = Query::of(uri);
        query.flag("unprocessed")?;
        let receiver = query.all("receiver").last().copied().filter(|text| !text.is_empty());
        Ok(Self {
            matchers: query.matchers("filter")?,
            receiver: receiver.map(|text| Matcher::new("receiver", Operator::Matches, text)).transpose().map_err(|why| no_matcher(&why))?,
            receiver_matchers: query.matchers("receiver_matchers")?,
            active: query.flag("active")?,
            silenced: query.flag("silenced")?,
            inhibited: query.flag("inhibited")?,
            muted: query.flag("muted")?,
        })
    }

    fn takes(&self, alert: &Shown) -> bool {
        let label = |name: &str| alert.labels.get(name).map_or("", String::as_str);
        let is_inhibited = !alert.inhibited_by.is_empty();
        let is_silenced = !alert.silenced_by.is_empty() || (alert.is_silenced && !is_inhibited);
        // As Alertmanager has it: each flag leaves out what it is about.
        (alert.is_silenced || self.active)
            && (!is_silenced || self.silenced)
            && (!is_inhibited || self.inhibited)
            && self.receiver.as_ref().is_none_or(|receiver| receiver.matches(&alert.receiver))
            && self.receiver_matchers.iter().all(|matcher| matcher.matches(""))
            && self.matchers.iter().all(|matcher| matcher.matches(label(matcher.name())))
    }
}

/// A query whose parameters may come several times.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or("").as_bytes()).into_owned().collect())
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    /// True unless it is said to be false.
    fn flag(&self, name: &str) -> Result<bool, Refused> {
        match self.all(name).last().copied() {
            None | Some("" | "true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => Err(bad(format!("{name} is true or false."))),
        }
    }

    fn matchers(&self, name: &str) -> Result<Vec<Matcher>, Refused> {
        let mut matchers = Vec::new();
        for text in self.all(name) {
            matchers.extend(Matcher::parse_all(text).map_err(|why| no_matcher(&why))?);
        }
        if matchers.len() > limits::MATCHERS { Err(bad(format!("{} matchers are the most.", limits::MATCHERS))) } else { Ok(matchers) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertBody {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    fingerprint: String,
    starts_at: String,
    updated_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
    receivers: Vec<Value>,
    status: Value,
}

impl AlertBody {
    fn of(alert: &Shown) -> Self {
        let silenced_by: Vec<&str> = alert.silenced_by.iter().map(SilenceId::as_str).collect();
        let state = if alert.is_silenced { "suppressed" } else { "active" };
        Self {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            fingerprint: alert.fingerprint.clone(),
            starts_at: alert.starts_at.rfc3339(),
            updated_at: alert.updated_at.rfc3339(),
            ends_at: alert.ends_at.rfc3339(),
            generator_url: alert.url.clone(),
            receivers: vec![json!({ "name": alert.receiver })],
            status: json!({ "state": state, "silencedBy": silenced_by, "inhibitedBy": alert.inhibited_by, "mutedBy": [] }),
        }
    }
}

// Silences.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedSilence {
    #[serde(default)]
    id: Option<String>,
    matchers: Vec<PostedMatcher>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostedMatcher {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default)]
    is_equal: Option<bool>,
}

impl PostedMatcher {
    fn matcher(&self) -> Result<Matcher, Refused> {
        let operator = Operator::of(self.is_regex, self.is_equal.unwrap_or(true));
        Matcher::new(&self.name, operator, &self.value).map_err(|why| bad(format!("The matcher of {}: {why}.", self.name)))
    }
}

async fn post_silence(State(desk): State<Desk>, request: Request) -> Answer {
    let doors = &desk.doors;
    let (parts, body) = request.into_parts();
    let body = body::read(&doors.house.clock, body, limits::COMMAND_BYTES).await?;
    let asker = silencer(doors, &parts.headers).await?;
    let posted: PostedSilence = serde_json::from_slice(&body).map_err(|error| bad(format!("The silence cannot be read: {error}.")))?;
    let time = |name: &str, text: &str| Time::parse_rfc3339(text).map_err(|why| bad(format!("{name}: {why}.")));
    let actor = asker.actor();
    let wanted = Wanted {
        id: posted.id.filter(|id| !id.is_empty()).map(SilenceId::from_text),
        integration: match &asker.viewer {
            Viewer::Integration(id) => Some(id.clone()),
            Viewer::Public | Viewer::User { .. } | Viewer::Token { .. } => None,
        },
        matchers: posted.matchers.iter().map(PostedMatcher::matcher).collect::<Result<_, _>>()?,
        starts_at: time("startsAt", &posted.starts_at)?,
        ends_at: time("endsAt", &posted.ends_at)?,
        created_by: if posted.created_by.trim().is_empty() { doors.names().actor(&actor) } else { posted.created_by },
        comment: posted.comment,
        annotations: posted.annotations.unwrap_or_default(),
    };
    let id = silence::put(&doors.house, &actor, wanted, None).await?;
    Ok(Json(json!({ "silenceID": id })).into_response())
}

async fn silences(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Answer {
    let asker = reader(&desk.doors, &headers).await?;
    let query = Query::of(&uri);
    let matchers = query.matchers("filter")?;
    let (active, pending, expired) = (query.flag("active")?, query.flag("pending")?, query.flag("expired")?);
    let now = desk.doors.now();
    let mut found = desk.doors.house.store.reader().silences(&asker.viewer).await?;
    found.retain(|row| {
        let of = |name: &str| row.silence.matchers.iter().find(|own| own.name() == name).map_or("", Matcher::value);
        matchers.iter().all(|matcher| matcher.matches(of(matcher.name())))
            && match row.silence.state(now) {
                SilenceState::Active => active,
                SilenceState::Pending => pending,
                SilenceState::Expired => expired,
            }
    });
    // As Alertmanager lists them: what ends next, what begins next, what ended last.
    found.sort_by_key(|row| {
        let silence = &row.silence;
        let state = silence.state(now);
        let place = match state {
            SilenceState::Active => silence.ends_at.0,
            SilenceState::Pending => silence.starts_at.0,
            SilenceState::Expired => -silence.ends_at.0,
        };
        (state, place)
    });
    Ok(Json(found.iter().map(|row| silence_body(row, now)).collect::<Vec<_>>()).into_response())
}

async fn silence_of(State(desk): State<Desk>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let asker = reader(&desk.doors, &headers).await?;
    let found = desk.doors.house.store.reader().silence(&asker.viewer, &SilenceId::from_text(id)).await?;
    let row = found.ok_or(WebError::NotFound("such silence"))?;
    Ok(Json(silence_body(&row, desk.doors.now())).into_response())
}

async fn end_silence(State(desk): State<Desk>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    let asker = silencer(&desk.doors, &headers).await?;
    let of = match &asker.viewer {
        Viewer::Integration(id) => Some(id),
        Viewer::Public | Viewer::User { .. } | Viewer::Token { .. } => None,
    };
    silence::end(&desk.doors.house, &asker.actor(), &SilenceId::from_text(id), of).await?;
    Ok(StatusCode::OK.into_response())
}

fn silence_body(row: &SilenceRow, now: Time) -> Value {
    let Silence { id, matchers, starts_at, ends_at, created_by, comment, updated_at, integration: _ } = &row.silence;
    let matcher = |matcher: &Matcher| {
        let operator = matcher.operator().unwrap_or(Operator::Equal);
        json!({
            "name": matcher.name(),
            "value": matcher.value(),
            "isRegex": operator.is_pattern(),
            "isEqual": operator.is_equal(),
        })
    };
    json!({
        "id": id,
        "status": { "state": row.silence.state(now).name() },
        "matchers": matchers.iter().map(matcher).collect::<Vec<_>>(),
        "startsAt": starts_at.rfc3339(),
        "endsAt": ends_at.rfc3339(),
        "updatedAt": updated_at.rfc3339(),
        "createdBy": created_by,
        "comment": comment,
        "annotations": row.annotations,
    })
}

// What it says of itself.

async fn status(State(desk): State<Desk>, headers: HeaderMap) -> Answer {
    let asker = reader(&desk.doors, &headers).await?;
    let names = services(&desk.doors, &asker);
    // In the syntax of Alertmanager's own file, because amtool reads it: a receiver for each service.
    let list: String = names.iter().map(|name| format!("- name: {}\n", Value::String(name.clone()))).collect();
    let first = names.first().map_or_else(|| Value::String("nobody".to_owned()), |name| Value::String(name.clone()));
    let nobody = if names.is_empty() { "- name: \"nobody\"\n" } else { "" };
    let original = format!(
        "# Reveille routes by its own configuration; its services stand here as receivers.\nroute:\n  receiver: {first}\nreceivers:\n{list}{nobody}"
    );
    let version = json!({
        "version": VERSION,
        "revision": env!("CARGO_PKG_VERSION"),
        "branch": "reveille",
        "buildUser": "reveille",
        "buildDate": "",
        "goVersion": "",
    });
    let body = json!({
        "cluster": { "status": "disabled", "peers": [] },
        "versionInfo": version,
        "config": { "original": original },
        "uptime": desk.started_at.rfc3339(),
    });
    Ok(Json(body).into_response())
}

async fn receivers(State(desk): State<Desk>, headers: HeaderMap, uri: Uri) -> Answer {
    let asker = reader(&desk.doors, &headers).await?;
    let matchers = Query::of(&uri).matchers("receiver_matchers")?;
    let mut names = services(&desk.doors, &asker);
    names.retain(|_| matchers.iter().all(|matcher| matcher.matches("")));
    Ok(Json(names.into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>()).into_response())
}

/// The services that the asker sees.
fn services(doors: &Doors, asker: &Asker) -> BTreeSet<String> {
    match &asker.door {
        Some(door) => BTreeSet::from([door.integration.service.to_string()]),
        None => doors.live().setup.services.keys().map(ToString::to_string).collect(),
    }
}
