//! The API's page for people.

use askama::Template;

use super::Frame;

/// Verbs about one thing.
#[derive(Debug, Clone)]
pub struct VerbGroup {
    pub name: String,
    pub verbs: Vec<Verb>,
}

/// One thing that can be asked of the API.
#[derive(Debug, Clone)]
pub struct Verb {
    pub id: String,
    pub method: String,
    pub path: String,
    pub about: String,
    /// What a token needs; `None`: no token.
    pub scope: Option<&'static str>,
    /// What stands in the address, its query and the headers.
    pub asked: Vec<FieldRow>,
    /// What the body is, in a sentence.
    pub takes: String,
    pub fields: Vec<FieldRow>,
    pub curl: String,
}

#[derive(Debug, Clone)]
pub struct FieldRow {
    pub name: String,
    pub kind: String,
    pub is_needed: bool,
    pub about: String,
}

#[derive(Template)]
#[template(path = "api.html")]
pub struct ReferencePage<'a> {
    pub frame: Frame,
    /// Where scripts reach us.
    pub at: String,
    pub groups: &'a [VerbGroup],
}
