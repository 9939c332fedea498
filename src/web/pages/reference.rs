//! The API for people who write scripts: its document, read aloud.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use crate::render::html::{FieldRow, ReferencePage, Verb, VerbGroup};
use crate::web::Doors;
use crate::web::api::document;
use crate::web::caller::Caller;
use crate::web::roles::shown;

/// Like the document it says nothing of this installation, so that it is open to everybody.
pub(in crate::web) async fn show(State(doors): State<Doors>, Extension(caller): Extension<Caller>) -> Response {
    static GROUPS: LazyLock<Vec<VerbGroup>> = LazyLock::new(|| groups(&serde_json::to_value(document::document()).unwrap_or_default()));
    shown(StatusCode::OK, &ReferencePage { frame: caller.frame_in("api"), at: doors.public_url(), groups: &GROUPS })
}

/// The verbs of the document, by what they are about.
fn groups(document: &Value) -> Vec<VerbGroup> {
    let mut groups: Vec<VerbGroup> = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let name = spoken(operation["tags"][0].as_str().unwrap_or("")).to_owned();
            let verb = verb(document, method, path, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.verbs.push(verb),
                None => groups.push(VerbGroup { name, verbs: vec![verb] }),
            }
        }
    }
    // What most people come for stands first.
    groups.sort_by_key(|group| group.name != "incidents");
    groups
}

fn spoken(tag: &str) -> &str {
    match tag {
        "oncall" => "on call",
        "openapi.json" => "this document",
        tag => tag,
    }
}

fn verb(document: &Value, method: &str, path: &str, operation: &Value) -> Verb {
    let method = method.to_ascii_uppercase();
    let schema = resolved(document, &operation["requestBody"]["content"]["application/json"]["schema"]);
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let scope = match (operation["security"].as_array(), &operation["responses"]["403"]) {
        (None, _) => None,
        (Some(_), Value::Null) => Some("read"),
        (Some(_), _) => Some("respond"),
    };
    let streams = !operation["responses"]["200"]["content"]["text/event-stream"].is_null();
    Verb {
        id: text(&operation["operationId"]),
        curl: curl(&method, path, scope.is_some(), streams, schema),
        about: text(&operation["summary"]),
        path: path.to_owned(),
        method,
        scope,
        asked: parameters.map(parameter).collect(),
        takes: text(&schema["description"]),
        fields: fields(schema),
    }
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|to| to.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

fn parameter(parameter: &Value) -> FieldRow {
    let place = match parameter["in"].as_str() {
        Some("header") => "header",
        Some("query") => "query",
        _ => "address",
    };
    FieldRow {
        name: text(&parameter["name"]),
        kind: format!("{place}, {}", kind(&parameter["schema"])),
        is_needed: parameter["required"] == true,
        about: text(&parameter["description"]),
    }
}

fn fields(schema: &Value) -> Vec<FieldRow> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| FieldRow {
            name: name.clone(),
            kind: kind(property),
            is_needed: is_needed(schema, name),
            about: text(&property["description"]),
        })
        .collect()
}

fn is_needed(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|required| required.iter().any(|needed| needed == name))
}

/// `text`, `time`, `sev1, sev2`: what may stand there.
fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or(""),
        plain => plain.as_str().unwrap_or(""),
    };
    match (types, schema["format"].as_str(), schema["examples"][0].as_str()) {
        (_, Some("date-time"), _) => "time".to_owned(),
        (_, _, Some(example)) => format!("as {example}"),
        ("string", ..) => "text".to_owned(),
        ("integer" | "number", ..) => "number".to_owned(),
        ("boolean", ..) => "true or false".to_owned(),
        (other, ..) => other.to_owned(),
    }
}

/// A line for a shell that does it.
fn curl(method: &str, path: &str, needs_token: bool, streams: bool, schema: &Value) -> String {
    let path = filled(path);
    let mut line = format!("curl{} ", if streams { " -N" } else { "" });
    if method != "GET" {
        // Writing to a String cannot fail.
        write!(line, "-X {method} ").unwrap_or_default();
    }
    write!(line, "\"$REVEILLE_URL{path}\"").unwrap_or_default();
    if needs_token {
        line.push_str(" \\\n  -H \"Authorization: Bearer $REVEILLE_TOKEN\"");
    }
    let body = body(schema);
    if !body.is_empty() {
        let body = Value::Object(body);
        write!(line, " \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'").unwrap_or_default();
    }
    line
}

/// With something in each place of the address.
fn filled(path: &str) -> String {
    [
        ("{number}", "42"),
        ("{task}", "1"),
        ("{subject}", "42"),
        ("{alert}", "alr_01k…"),
        ("{schedule}", "platform"),
        ("{integration}", "api-scripts"),
        ("{user}", "ana"),
        ("{override}", "ovr_01k…"),
        ("{silence}", "0b5c1b7e-…"),
        ("{window}", "disk-move"),
        ("{mark}", "1"),
    ]
    .into_iter()
    .fold(path.to_owned(), |path, (place, example)| path.replace(place, example))
}

/// What must be given; where nothing must, the first thing that can.
fn body(schema: &Value) -> Map<String, Value> {
    let Some(properties) = schema["properties"].as_object() else { return Map::new() };
    let needed = properties.iter().filter(|(name, _)| is_needed(schema, name));
    let mut body: Map<String, Value> = needed.map(|(name, property)| (name.clone(), example(name, property))).collect();
    if body.is_empty() {
        // Words before switches: they say more. Of several that are as good it is the first, which is the last one here.
        let told = |property: &Value| (property["enum"].is_array(), property["examples"].is_array(), property["type"] != "boolean");
        let first = properties.iter().rev().max_by_key(|(_, property)| told(property));
        body.extend(first.map(|(name, property)| (name.clone(), example(name, property))));
    }
    body
}

fn example(name: &str, property: &Value) -> Value {
    let first = |list: &Value| list.as_array().and_then(|list| list.last()).cloned();
    if let Some(word) = first(&property["enum"]).or_else(|| property["examples"].as_array().and_then(|list| list.first()).cloned()) {
        return word;
    }
    match (name, property["format"].as_str(), property["type"].as_str()) {
        (_, Some("date-time"), _) => "2026-01-07T02:00:00Z".into(),
        (_, _, Some("boolean")) => true.into(),
        (_, _, Some("integer")) => 1.into(),
        ("user" | "owner", ..) => "ana".into(),
        ("policy" | "service", ..) => "platform".into(),
        ("title", ..) => "The shop is slow".into(),
        ("text", ..) => "The database is read-only since 12:56".into(),
        _ => "…".into(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_of_the_document_is_there_with_a_line_that_does_it() {
        let document = serde_json::to_value(document::document()).expect("JSON");
        let groups = groups(&document);
        let verbs: Vec<&Verb> = groups.iter().flat_map(|group| &group.verbs).collect();
        let said: usize = document["paths"].as_object().expect("paths").values().map(|item| item.as_object().map_or(0, Map::len)).sum();
        assert_eq!(verbs.len(), said);
        for verb in &verbs {
            assert!(!verb.about.is_empty() && !verb.id.is_empty(), "{verb:?}");
            assert!(!verb.curl.contains(['{', '}']) || verb.curl.contains("-d '{"), "a place is not filled in: {}", verb.curl);
            assert!(verb.fields.iter().filter(|field| field.is_needed).all(|field| verb.curl.contains(&field.name)), "{verb:?}");
        }
        let of = |id: &str| verbs.iter().find(|verb| verb.id == id).unwrap_or_else(|| panic!("{id}"));
        let declare = of("post_incidents");
        assert_eq!((declare.scope, of("get_incidents").scope, of("get_openapi_json").scope), (Some("respond"), Some("read"), None));
        assert!(declare.curl.ends_with(r#"-d '{"title":"The shop is slow"}'"#), "{}", declare.curl);
        assert!(declare.curl.contains("-X POST \"$REVEILLE_URL/api/v1/incidents\""), "{}", declare.curl);
        assert!(of("get_stream").curl.starts_with("curl -N ") && of("post_incidents_number_snooze").curl.contains(r#"{"for":"30m"}"#));
    }
}
