//! What was changed: the page of all changes, and those that came before an incident.

use askama::Template;

use super::{Frame, Stamp, host_of, web_address};

/// One deploy, one flag.
#[derive(Debug, Clone)]
pub struct ChangeRow {
    pub title: String,
    pub service: String,
    pub source: String,
    pub at: Stamp,
    /// How long before the incident, where one is shown: `4m before`.
    pub before: Option<String>,
    pub url: Option<String>,
}

impl ChangeRow {
    pub(super) fn link(&self) -> Option<&str> {
        self.url.as_deref().and_then(web_address)
    }

    /// Where the link leads.
    pub(super) fn host(&self) -> &str {
        self.link().map_or("", host_of)
    }
}

#[derive(Template)]
#[template(path = "changes.html")]
pub struct ChangesPage {
    pub frame: Frame,
    pub changes: Vec<ChangeRow>,
    pub older: Option<String>,
    pub is_first: bool,
}
