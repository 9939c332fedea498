//! The API's document: it names every route and no other, and every answer of these tests has the shape that it says.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use reveille::web;
use serde_json::{Value, json};

use crate::desk::{Answer, Desk};

#[tokio::test]
async fn the_document_has_every_route_and_no_other() {
    let desk = Desk::open().await;
    let answer = desk.get("/api/v1/openapi.json", &[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    let document = answer.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
    let mut told = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            told.insert(format!("{} {path}", method.to_uppercase()));
            assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{path}");
            assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 5), "{path}");
        }
    }
    let there: BTreeSet<String> =
        web::routes().filter(|(_, path, _)| path.starts_with("/api/v1/")).map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(told, there);
    let dangling: Vec<String> =
        references(&document).into_iter().filter(|to| document.pointer(to.trim_start_matches('#')).is_none()).collect();
    assert!(dangling.is_empty(), "{dangling:?}");
}

#[tokio::test]
async fn the_document_says_who_may_and_what_can_be_left_out() {
    let desk = Desk::open().await;
    let document = desk.get("/api/v1/openapi.json", &[]).await.json();
    let post = &document["paths"]["/api/v1/incidents/{number}/snooze"]["post"];
    assert_eq!(post["security"][0], json!({ "token": [] }));
    for status in ["200", "400", "401", "403", "404", "409", "422", "503"] {
        assert!(post["responses"].get(status).is_some(), "{status}");
    }
    let schemas = &document["components"]["schemas"];
    let fields = |name: &str| -> BTreeSet<String> {
        schemas[name]["properties"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    };
    let words = |words: &[&str]| -> BTreeSet<String> { words.iter().map(|word| (*word).to_owned()).collect() };
    assert_eq!(fields("Snooze"), words(&["for", "until"]));
    assert_eq!(schemas["Snooze"]["required"], Value::Null, "one of the two");
    assert_eq!(fields("Declare"), words(&["kind", "service", "severity", "title"]));
    assert_eq!(schemas["Declare"]["required"], json!(["title"]));
    assert_eq!(schemas["Declare"]["additionalProperties"], json!(false));
    assert_eq!(schemas["ChangeTask"]["required"], Value::Null);
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(to) if name == "$ref" => vec![to.clone()],
                other => references(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// What is wrong with an answer, as the document sees it.
pub fn complaints(document: &Value, method: &Method, path: &str, answer: &Answer) -> Vec<String> {
    let Some(operation) = operation(document, method, path) else { return Vec::new() };
    let status = answer.status.as_u16().to_string();
    let Some(told) = operation["responses"].get(&status) else { return vec![format!("{status} is not in the document")] };
    let kind = answer.header("content-type");
    if kind.starts_with("text/event-stream") || answer.status == StatusCode::NO_CONTENT {
        return Vec::new();
    }
    let schema = &told["content"][kind]["schema"];
    if schema.is_null() {
        return vec![format!("{status} with {kind:?} is not in the document")];
    }
    let mut found = Vec::new();
    check(document, schema, &answer.json(), "$", &mut found);
    found
}

fn operation<'a>(document: &'a Value, method: &Method, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next()?;
    let fits = |template: &str| {
        let (ours, theirs): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), template.split('/').collect());
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(a, b)| a == b || b.starts_with('{'))
    };
    let paths = document["paths"].as_object()?;
    let methods = paths.get(path).or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, methods)| methods))?;
    methods.get(method.as_str().to_ascii_lowercase())
}

/// The part of JSON Schema that the document uses. A field that it does not name is a complaint as well: it would be undocumented.
fn check(document: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(to) = schema["$ref"].as_str() {
        return check(document, lookup(document, to), value, at, found);
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(ways) = schema[word].as_array() {
            let tried: Vec<Vec<String>> = ways
                .iter()
                .map(|way| {
                    let mut found = Vec::new();
                    check(document, way, value, at, &mut found);
                    found
                })
                .collect();
            if !tried.iter().any(Vec::is_empty) {
                found.push(format!("{at}: fits none of {word}: {tried:?}"));
            }
            return;
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.is_empty() && !types.contains(&is) {
        return found.push(format!("{at}: is {is}, not {types:?}"));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{at}: {value} is none of {words:?}"));
    }
    if let (Some("date-time"), Some(text)) = (schema["format"].as_str(), value.as_str())
        && reveille::base::time::Time::parse_rfc3339(text).is_err()
    {
        found.push(format!("{at}: {text} is no time"));
    }
    if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            check(document, &schema["items"], item, &format!("{at}[{index}]"), found);
        }
    }
    if let Some(fields) = value.as_object() {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !fields.contains_key(required) {
                found.push(format!("{at}: has no {required}"));
            }
        }
        for (name, value) in fields {
            let at = format!("{at}.{name}");
            match (&schema["properties"][name.as_str()], &schema["additionalProperties"]) {
                (Value::Null, Value::Null) if schema["properties"].is_null() => {}
                (Value::Null, Value::Null | Value::Bool(false)) => found.push(format!("{at}: the document does not know it")),
                (Value::Null, Value::Bool(true)) => {}
                (Value::Null, others) => check(document, others, value, &at, found),
                (schema, _) => check(document, schema, value, &at, found),
            }
        }
    }
}

fn lookup<'a>(document: &'a Value, to: &str) -> &'a Value {
    document.pointer(to.trim_start_matches('#')).unwrap_or_else(|| panic!("{to} points nowhere"))
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let document = json!({ "components": { "schemas": { "Thing": {
        "type": "object", "required": ["n"],
        "properties": { "n": { "type": "integer" }, "at": { "type": ["string", "null"], "format": "date-time" }, "word": { "enum": ["a", null] } }
    } } } });
    let schema = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Thing" } });
    let wrong = |value: Value| {
        let mut found = Vec::new();
        check(&document, &schema, &value, "$", &mut found);
        found.len()
    };
    assert_eq!(wrong(json!([{ "n": 1, "at": null, "word": null }, { "n": 2, "at": "2026-01-01T00:00:00Z", "word": "a" }])), 0);
    for bad in [
        json!({}),
        json!([{}]),
        json!([{ "n": "1" }]),
        json!([{ "n": 1, "at": "noon" }]),
        json!([{ "n": 1, "word": "b" }]),
        json!([{ "n": 1, "x": 1 }]),
    ] {
        assert_eq!(wrong(bad.clone()), 1, "{bad}");
    }
}
