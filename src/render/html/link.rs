//! The pages behind the link in a mail.

use askama::Template;

use super::Frame;

/// One incident that the link would acknowledge.
#[derive(Debug, Clone)]
pub struct Offered {
    pub number: i64,
    pub title: String,
    pub severity: &'static str,
    pub service: String,
    /// Nobody has taken it yet.
    pub waits: bool,
}

#[derive(Template)]
#[template(path = "acknowledge.html")]
pub struct AcknowledgePage {
    pub frame: Frame,
    pub link: String,
    /// Pairs the form with this browser.
    pub csrf: String,
    pub person: String,
    pub incidents: Vec<Offered>,
}

impl AcknowledgePage {
    fn waiting(&self) -> usize {
        self.incidents.iter().filter(|incident| incident.waits).count()
    }
}

#[derive(Template)]
#[template(path = "acknowledged.html")]
pub struct AcknowledgedPage {
    pub frame: Frame,
    pub done: String,
}
