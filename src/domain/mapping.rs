//! How a sender's own JSON becomes alerts: for each field, where in the body it stands, or what makes it.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::Value as Filled;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::matcher::Wrong;
use super::setup::AlertSeverity;
use super::template::{Expression, Fuel, Template};

/// The mapping of an integration of the source `generic`. What it leaves out is read from the field of that name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mapping {
    /// Where the list of alerts stands, in a body that holds several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Place>,
    /// The sender's words for how bad it is.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub severities: BTreeMap<String, AlertSeverity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Place>,
    /// What is true of a body that says that it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_when: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelPlaces>,
}

/// A JSON pointer (RFC 6901) where it begins with `/`, else a template: `{{ alert.name }}`, or a text that is always the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Place {
    Pointer(String),
    Template(Template),
}

/// A JSON pointer to something that is true, or an expression: `status == "ok"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Condition {
    Pointer(String),
    Expression(Expression),
}

/// All members of one object, or each label by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelPlaces {
    All(Place),
    Each(BTreeMap<String, Place>),
}

/// One alert of a body, as a mapping looks at it.
pub struct Item<'a> {
    pub json: &'a Value,
    /// The same for templates: its members by their names, itself as `item` and the whole as `body`.
    pub filled: &'a Filled,
    /// What is left to the templates of its body.
    pub fuel: &'a Fuel,
}

impl From<String> for Place {
    fn from(text: String) -> Self {
        if text.starts_with('/') { Self::Pointer(text) } else { Self::Template(text.into()) }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        match place {
            Place::Pointer(text) => text,
            Place::Template(template) => template.into(),
        }
    }
}

impl From<String> for Condition {
    fn from(text: String) -> Self {
        // As a template would have it, too.
        let bare = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(|inner| inner.trim().to_owned());
        if text.starts_with('/') { Self::Pointer(text) } else { Self::Expression(bare.unwrap_or(text).into()) }
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Pointer(text) => text,
            Condition::Expression(expression) => expression.into(),
        }
    }
}

/// As it was written.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pointer(text) => f.write_str(text),
            Self::Template(template) => template.fmt(f),
        }
    }
}

impl Place {
    #[must_use]
    pub fn wrong(&self) -> Option<Wrong> {
        match self {
            Self::Pointer(text) => wrong_pointer(text),
            Self::Template(template) => template.wrong().cloned(),
        }
    }

    /// What stands there; `None`: nothing.
    ///
    /// # Errors
    /// Of a template that cannot be filled.
    pub fn take(&self, item: &Item<'_>) -> Result<Option<Value>, String> {
        self.taken(item, Template::fill_from)
    }

    /// The same for what must be whole: nothing that a template names may be missing.
    ///
    /// # Errors
    /// As [`Place::take`], and of what is missing.
    pub fn take_whole(&self, item: &Item<'_>) -> Result<Option<Value>, String> {
        self.taken(item, Template::fill_whole)
    }

    /// The same for what must not come of something that is missing.
    ///
    /// # Errors
    /// As [`Place::take`], and of what a template looks at and is missing.
    pub fn take_surely(&self, item: &Item<'_>) -> Result<Option<Value>, String> {
        self.taken(item, Template::fill_surely)
    }

    fn taken(&self, item: &Item<'_>, fill: fn(&Template, &Filled, &Fuel) -> Result<String, String>) -> Result<Option<Value>, String> {
        match self {
            Self::Pointer(text) => Ok(item.json.pointer(text).filter(|value| !value.is_null()).cloned()),
            Self::Template(template) => {
                let filled = fill(template, item.filled, item.fuel)?;
                Ok((!filled.trim().is_empty()).then_some(Value::String(filled)))
            }
        }
    }
}

impl Condition {
    #[must_use]
    pub fn wrong(&self) -> Option<Wrong> {
        match self {
            Self::Pointer(text) => wrong_pointer(text),
            Self::Expression(expression) => expression.unsure(),
        }
    }

    /// Whether it is true of what is there. What is missing makes nothing true, and what cannot be compared neither.
    ///
    /// # Errors
    /// Of an expression that cannot be told.
    pub fn holds(&self, item: &Item<'_>) -> Result<bool, String> {
        match self {
            Self::Pointer(text) => Ok(match item.json.pointer(text) {
                Some(Value::Bool(truth)) => *truth,
                // Truth values arrive as texts and as numbers.
                Some(Value::String(text)) => text.eq_ignore_ascii_case("true") || text == "1",
                Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
                Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => false,
            }),
            Self::Expression(expression) => expression.holds_surely(item.filled, item.fuel),
        }
    }
}

impl Mapping {
    /// Whether anything in it is filled, so that a body is worth being made ready for that.
    #[must_use]
    pub fn has_templates(&self) -> bool {
        let Self { items, dedup_key, title, severity, severities: _, state, resolved_when, url, at, labels } = self;
        let fields = [items, dedup_key, title, severity, state, url, at].into_iter().flatten();
        let labels: Vec<&Place> = match labels {
            Some(LabelPlaces::All(place)) => vec![place],
            Some(LabelPlaces::Each(places)) => places.values().collect(),
            None => Vec::new(),
        };
        matches!(resolved_when, Some(Condition::Expression(_)))
            || fields.chain(labels).any(|place| matches!(place, Place::Template(template) if template.has_places()))
    }
}

/// RFC 6901 has two escapes: `~0` for `~` and `~1` for `/`.
fn wrong_pointer(text: &str) -> Option<Wrong> {
    let lone = text.match_indices('~').find(|(at, _)| !text[at + 1..].starts_with(['0', '1']));
    lone.map(|(at, _)| Wrong::new(at, "in a JSON pointer ~ is written ~0, and / within a name ~1"))
}
