//! The fixed words of the API and how its document writes them down.

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, SchemaFormat};

use crate::domain::alert::AlertState;
use crate::domain::incident::{IncidentRole, IncidentState, Kind};
use crate::domain::relevance::Relevance;
use crate::domain::setup::{AlertSeverity, Severity};
use crate::domain::silence::SilenceState;
use crate::domain::task::TaskState;

fn one_of<const N: usize>(words: [&'static str; N]) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

fn date_time() -> ObjectBuilder {
    ObjectBuilder::new().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
}

/// RFC 3339, UTC.
pub(in super::super) fn time() -> Object {
    date_time().schema_type(Type::String).build()
}

pub(in super::super) fn maybe_time() -> Object {
    date_time().schema_type(or_null()).build()
}

fn or_null() -> SchemaType {
    SchemaType::from_iter([Type::String, Type::Null])
}

pub(in super::super) fn incident_state() -> Object {
    one_of(IncidentState::ALL.map(IncidentState::name))
}

pub(in super::super) fn severity() -> Object {
    one_of(Severity::ALL.map(Severity::name))
}

pub(in super::super) fn kind() -> Object {
    one_of(Kind::ALL.map(Kind::name))
}

pub(in super::super) fn role() -> Object {
    one_of(IncidentRole::ALL.map(IncidentRole::name))
}

pub(in super::super) fn alert_severity() -> Object {
    one_of(AlertSeverity::ALL.map(AlertSeverity::name))
}

pub(in super::super) fn alert_state() -> Object {
    one_of([AlertState::Firing, AlertState::Resolved, AlertState::Suppressed].map(AlertState::name))
}

pub(in super::super) fn silence_state() -> Object {
    one_of(SilenceState::ALL.map(SilenceState::name))
}

pub(in super::super) fn relevance() -> Object {
    one_of(Relevance::ALL.map(Relevance::name))
}

pub(in super::super) fn task_state() -> Object {
    one_of(TaskState::ALL.map(TaskState::name))
}

pub(in super::super) fn page_state() -> Object {
    one_of(["waiting", "ringing", "acknowledged", "failed", "ended"])
}

pub(in super::super) fn attempt_outcome() -> Object {
    let words = [Some("accepted"), Some("rejected"), Some("unknown"), None];
    ObjectBuilder::new().schema_type(or_null()).enum_values(Some(words)).build()
}

/// A span of time as people write it.
pub(in super::super) fn span() -> Object {
    ObjectBuilder::new().schema_type(Type::String).examples(["30m", "1h30m", "2d"]).build()
}
