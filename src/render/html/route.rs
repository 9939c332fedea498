//! The page on which a body is tried.

use askama::Template;

use super::{Choice, Frame, Stamp};
use crate::base::id::Number;

/// One signal of a tried body.
#[derive(Debug, Clone)]
pub struct TriedRow {
    pub title: String,
    /// Where a rule gave it another.
    pub title_as_sent: Option<String>,
    pub dedup_key: String,
    pub says: &'static str,
    pub detail: Option<String>,
    pub severity: &'static str,
    pub service: String,
    /// Of the incident that it would open or join.
    pub incident_severity: Option<&'static str>,
    /// What it has in common with the alerts that it would join.
    pub group: Option<String>,
    pub fires: bool,
    pub labels: Vec<(String, String)>,
    pub rule: Option<String>,
    /// Each rule that is asked: its name, whether it takes it, and why.
    pub rules: Vec<(String, bool, String)>,
    /// What it would come to now, and why.
    pub now: (&'static str, &'static str),
    /// The incident that there is and that it would be about.
    pub incident: Option<Number>,
    pub policy: Option<String>,
    /// After how long, and who.
    pub steps: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "route.html")]
pub struct RoutePage {
    pub frame: Frame,
    pub integrations: Vec<Choice>,
    pub chosen: Option<Choice>,
    pub headers: String,
    pub body: String,
    /// What was kept of the body is only its beginning.
    pub is_cut: bool,
    /// The last signals of the integration: the request, when, and the title.
    pub samples: Vec<(String, Stamp, String)>,
    pub rules: usize,
    pub tried: Option<Vec<TriedRow>>,
    pub more: usize,
    /// What its messages must show and was not asked for.
    pub unproven: String,
}

impl RoutePage {
    fn csrf(&self) -> &str {
        self.frame.signed_in.as_ref().map_or("", |person| person.csrf.as_str())
    }

    fn is_chosen(&self, id: &str) -> bool {
        self.chosen.as_ref().is_some_and(|chosen| chosen.id == id)
    }
}
